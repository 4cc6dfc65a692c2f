"""Fairness metrics and the scorers made of them."""

from .burden import burden, burden_gap
from .generalization import fairness_generalization
from .individual import individual_fairness_violation
from .parity import decision_rationale_similarity, parity_score
from .probability_gap import probability_gap
from .recourse import fairness_index, recourse_gap, robustness_index
from .scorers import (
    FairnessScorer,
    fairness_index_scorer,
    get_scorer,
    get_scorer_names,
    make_fairness_scorer,
    neg_burden_gap_scorer,
    neg_individual_fairness_violation_scorer,
    neg_parity_score_scorer,
    neg_prediction_sensitivity_scorer,
    neg_recourse_gap_scorer,
    robustness_index_scorer,
)
from .sensitivity import prediction_sensitivity
from .subgroups import subgroup_report

__all__ = [
    "FairnessScorer",
    "burden",
    "burden_gap",
    "decision_rationale_similarity",
    "fairness_generalization",
    "fairness_index",
    "fairness_index_scorer",
    "get_scorer",
    "get_scorer_names",
    "individual_fairness_violation",
    "make_fairness_scorer",
    "neg_burden_gap_scorer",
    "neg_individual_fairness_violation_scorer",
    "neg_parity_score_scorer",
    "neg_prediction_sensitivity_scorer",
    "neg_recourse_gap_scorer",
    "parity_score",
    "prediction_sensitivity",
    "probability_gap",
    "recourse_gap",
    "robustness_index",
    "robustness_index_scorer",
    "subgroup_report",
]
