"""Choosing the epoch and the candidate by accuracy and fairness."""

from ._monitor import constrained_monitor
from ._refit import best_under_constraint

__all__ = ["best_under_constraint", "constrained_monitor"]
