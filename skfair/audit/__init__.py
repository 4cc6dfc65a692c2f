"""An audit of a classifier that a person can read."""

from ._report import AuditReport

__all__ = ["AuditReport"]
