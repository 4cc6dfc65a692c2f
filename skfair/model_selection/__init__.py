"""Choosing the epoch and the candidate by accuracy and fairness."""

from ._holdout import holdout_scores
from ._monitor import constrained_monitor
from ._pareto import knee_point, pareto_front
from ._refit import best_under_constraint
from ._splitter import StratifiedSensitiveKFold
from ._stacked import StackedSearchCV

__all__ = [
    "StackedSearchCV",
    "StratifiedSensitiveKFold",
    "best_under_constraint",
    "constrained_monitor",
    "holdout_scores",
    "knee_point",
    "pareto_front",
]
