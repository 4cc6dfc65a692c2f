"""Fairness metrics and the scorers made of them."""

from ._burden import burden, burden_gap
from ._generalization import fairness_generalization
from ._individual import individual_fairness_violation
from ._parity import decision_rationale_similarity, parity_score
from ._probability_gap import probability_gap
from ._recognition import class_angles, rank1_accuracy
from ._recourse import fairness_index, recourse_gap, robustness_index
from ._scorer import FairnessScorer
from ._scorers import (
    acceptance_rate_scorer,
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
from ._sensitivity import prediction_sensitivity
from ._subgroups import subgroup_report

__all__ = [
    "FairnessScorer",
    "acceptance_rate_scorer",
    "burden",
    "burden_gap",
    "class_angles",
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
    "rank1_accuracy",
    "recourse_gap",
    "robustness_index",
    "robustness_index_scorer",
    "subgroup_report",
]
