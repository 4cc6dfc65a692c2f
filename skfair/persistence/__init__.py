"""Fitted estimators in files that run no code, and as graphs for programs without Python."""

from .._stored import NewerFormatError
from ._files import DamagedFileError, UntrustedTypesError, dump, load
from ._onnx import to_onnx
from ._trusted import trusted_types

__all__ = [
    "DamagedFileError",
    "NewerFormatError",
    "UntrustedTypesError",
    "dump",
    "load",
    "to_onnx",
    "trusted_types",
]
