"""Fairness gaps of predicted probabilities instead of decisions (FAIRER, Eq. 1, 2 and A.11)."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils._param_validation import StrOptions, validate_params

from ..objectives import Comparison
from ..objectives.groups import group_means
from ..objectives.penalties import PENALTIES
from ..sensitive import GroupEncoder, as_frame
from ._gaps import AGGREGATES, aggregate_gap
from .recourse import _as_logits

__all__ = ["probability_gap"]

CRITERIA = tuple(name for name, penalty in PENALTIES.items() if penalty.binary)


@validate_params(
    {"criterion": [StrOptions(set(CRITERIA))], "aggregate": [StrOptions(set(AGGREGATES))]},
    prefer_skip_nested_validation=True,
)
def probability_gap(
    decision: Any,
    y_true: Any,
    *,
    sensitive_features: Any,
    criterion: str = "demographic_parity",
    aggregate: str = "max",
    sample_weight: Any = None,
) -> float:
    """Difference between groups in mean predicted probability (FAIRER, Eq. 1, 2 and A.11).

    What :class:`~skfair.PenaltyClassifier` and :class:`~skfair.DRAlignClassifier` minimise, and
    what FAIRER reports as DP and EO. fairlearn's metrics of like names count decisions instead.

    Parameters
    ----------
    decision : array-like of shape (n_samples,) or (n_samples, 2)
        Log-odds of the positive class, or logits: a ``decision_function`` of such a scale.
    y_true : array-like of shape (n_samples,)
        Labels, 1 where positive; used by the criteria that look at them.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes)
        Group membership; rows where it is missing are left out, with a warning.
    criterion : {"demographic_parity", "equalized_odds", "equal_opportunity", \
"predictive_parity", "disparate_impact"}, default="demographic_parity"
        What is compared: mean probability; that among the negatives plus that among the positives;
        among the positives; precision, rows counting with their probability; or minus the ratio of
        the least to the greatest mean probability.
    aggregate : {"max", "share", "sum"}, default="max"
        With more than two groups: the largest difference between two of them; 2 sum_g pi_g |m_g -
        m|, where m_g are the groups' rates, pi_g their shares of the cases and m the rate of all,
        which is what the estimators minimise; or the sum over all pairs. Without effect on
        "disparate_impact".
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    Returns
    -------
    float
        0 is parity (-1 for "disparate_impact").

    Raises
    ------
    ValueError
        If lengths differ, values are not finite, or there is one group only.

    Examples
    --------
    >>> from skfair.metrics import probability_gap
    >>> gap = probability_gap([0.0, 0.0, 2.0, 2.0], [0, 1, 0, 1], sensitive_features=list("aabb"))
    >>> round(gap, 3)
    0.381
    """
    logits, weights = _as_logits(decision, sample_weight)
    y = torch.as_tensor(column_or_1d(y_true) == 1, dtype=torch.int64)
    check_consistent_length(logits, y)
    encoder = GroupEncoder()
    frame = as_frame(sensitive_features, len(logits))
    if weights is not None:  # weight zero is the same as absence
        rows = weights > 0
        logits, y, weights, frame = logits[rows], y[rows], weights[rows], frame[rows.numpy()]
    groups = torch.from_numpy(encoder.encode(frame))
    penalty = PENALTIES[criterion]
    values, cases = penalty.rates(logits, y)
    cases = cases if weights is None else cases * weights
    means, present, state = group_means(values, groups, cases, len(encoder.labels))
    if penalty.is_gap:
        return aggregate_gap(means, state[:, 1], encoder.attribute_of, aggregate)
    return float(penalty.compare(means, present, Comparison.of(encoder.attribute_of), None))
