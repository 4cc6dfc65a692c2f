"""What may go wrong, in words for the person who asked."""

from __future__ import annotations


class InputError(ValueError):
    """A file, a column or an option that cannot be used."""


class NotComputedError(Exception):
    """A section has no figures; the message says why."""
