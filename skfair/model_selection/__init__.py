"""Choosing the epoch and the candidate by accuracy and fairness."""

from ._monitor import constrained_monitor
from ._refit import best_under_constraint
from ._stacked import StackedSearchCV

__all__ = ["StackedSearchCV", "best_under_constraint", "constrained_monitor"]
