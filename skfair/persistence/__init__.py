"""Fitted estimators in files that run no code."""

from .._stored import NewerFormatError
from ._files import DamagedFileError, UntrustedTypesError, dump, load
from ._trusted import trusted_types

__all__ = [
    "DamagedFileError",
    "NewerFormatError",
    "UntrustedTypesError",
    "dump",
    "load",
    "trusted_types",
]
