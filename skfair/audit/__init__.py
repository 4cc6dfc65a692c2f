"""An audit of a classifier that a person can read."""

from .report import AuditReport

__all__ = ["AuditReport"]
