"""Fairness metrics and the scorers made of them."""

from .recourse import fairness_index, recourse_gap, robustness_index
from .scorers import (
    FairnessScorer,
    fairness_index_scorer,
    get_scorer,
    get_scorer_names,
    make_fairness_scorer,
    neg_recourse_gap_scorer,
    robustness_index_scorer,
)

__all__ = [
    "FairnessScorer",
    "fairness_index",
    "fairness_index_scorer",
    "get_scorer",
    "get_scorer_names",
    "make_fairness_scorer",
    "neg_recourse_gap_scorer",
    "recourse_gap",
    "robustness_index",
    "robustness_index_scorer",
]
