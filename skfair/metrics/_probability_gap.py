"""Fairness gaps of predicted probabilities instead of decisions (FAIRER, Eq. 1, 2 and A.11)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.utils._param_validation import StrOptions, validate_params

from .._groups import GroupEncoder, as_frame, group_name
from .._labels import codes_of, unfavorable_codes
from .._tables import label_array, some, unknown_ones
from .._warnings import warn
from ..objectives import Comparison
from ..objectives.groups import group_means
from ..objectives.penalties import PENALTIES
from ._gaps import AGGREGATES, aggregate_gap
from ._recourse import _as_logits

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
    unfavorable: Any = None,
    classes: Any = None,
) -> float:
    """Difference between groups in mean predicted probability (FAIRER, Eq. 1, 2 and A.11).

    What :class:`~skfair.PenaltyClassifier` and :class:`~skfair.DRAlignClassifier` minimize, and
    what FAIRER reports as DP and EO. fairlearn's metrics of like names count decisions instead.

    Parameters
    ----------
    decision : array-like of shape (n_samples,) or (n_samples, 2)
        Log-odds of ``classes[1]``, or logits: a ``decision_function`` of such a scale.
    y_true : array-like of shape (n_samples,)
        Labels of two classes; used by the criteria that look at them.
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
        which is what the estimators minimize; or the sum over all pairs. Without effect on
        "disparate_impact".
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    unfavorable : label, default=None
        The class that is not the positive one; ``None`` is ``classes[0]``.
    classes : array-like of shape (2,), default=None
        Class labels in the order of the columns. ``None``: those of ``y_true``, sorted; of a single
        one (0, 1) or (-1, 1), if it is among them.

    Returns
    -------
    float
        0 is parity (-1 for "disparate_impact"). NaN where a group has no cases of what is compared,
        such as no positives.

    Raises
    ------
    ValueError
        If lengths differ, values are not finite, there is one group only, or the classes are not
        two.

    Warns
    -----
    UserWarning
        If a group has no cases, or sensitive features are missing.

    Examples
    --------
    >>> from skfair.metrics import probability_gap
    >>> gap = probability_gap([0.0, 0.0, 2.0, 2.0], [0, 1, 0, 1], sensitive_features=list("aabb"))
    >>> round(gap, 3)
    0.381
    """
    logits, weights = _as_logits(decision, sample_weight)
    if logits.shape[1] != 2:
        raise ValueError(f"decision must be of two classes, got {logits.shape[1]} columns.")
    y_true = label_array(y_true, "y_true")
    if len(y_true) != len(logits):
        raise ValueError(
            f"y_true must have one label per row: got {len(y_true)} for {len(logits)} of decision."
        )
    codes, refusing = np.zeros(len(y_true), dtype=np.int64), tuple[int, ...]((0,))
    if _looks_at_labels(criterion) or unfavorable is not None:
        classes = _two_classes(y_true) if classes is None else np.asarray(classes)
        if classes.shape != (2,):
            raise ValueError(
                f"classes must name two classes, got {some(classes.ravel().tolist())}."
            )
        codes = codes_of(y_true, classes, "y_true")
        refusing = unfavorable_codes(unfavorable, classes)
    y = torch.from_numpy(codes)
    if refusing == (1,):
        logits, y = logits.flip(1), 1 - y
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
    if not present.all():
        rate, group = np.argwhere(~present.numpy())[0]
        label = penalty.labels[rate] if penalty.labels else 1
        warn(
            f"criterion={criterion!r} cannot be compared: the group "
            f"{group_name(encoder.labels[group])!r} has no "
            f"{('negative', 'positive')[label]} cases; NaN is returned.",
        )
        return float("nan")
    if penalty.is_gap:
        return aggregate_gap(means, state[:, 1], encoder.attribute_of, aggregate)
    return float(penalty.compare(means, present, Comparison.of(encoder.attribute_of), None))


def _looks_at_labels(criterion: str) -> bool:
    return PENALTIES[criterion].by_label


def _two_classes(y_true: np.ndarray) -> np.ndarray:
    """Find the classes that labels are of, if that can be told from them."""
    try:
        found = np.sort(np.asarray(pd.unique(y_true.ravel())))
    except TypeError:
        raise ValueError("y_true has labels of several types, or missing ones.") from None
    if len(found) == 2:
        return found
    for pair in ((0, 1), (-1, 1)):
        if found.dtype.kind in "biuf" and np.isin(found, pair).all():
            return np.array(pair)
    raise ValueError(
        f"y_true must have labels of two classes, got {unknown_ones(found.tolist())}; name them by "
        "classes=(negative, positive)."
    )
