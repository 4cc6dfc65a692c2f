"""Recourse gap, fairness index and robustness index of any classifier (FaiR-N, Eq. 1-3, 16)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .._groups import GroupEncoder, as_frame
from .._labels import unfavorable_codes
from .._tables import check_weights, numbers
from .._warnings import warn
from ..objectives import fairn
from ..objectives.classification import weighted_mean
from ..objectives.groups import group_means
from ._gaps import aggregate_gap

__all__ = ["fairness_index", "recourse_gap", "robustness_index"]


def recourse_gap(
    decision: Any,
    *,
    sensitive_features: Any,
    sample_weight: Any = None,
    unfavorable: Any = None,
    classes: Any = None,
    attributes: str = "intersection",
    aggregate: str = "max",
) -> float:
    """Difference between groups of their mean distance to acceptance (FaiR-N, Eq. 1 and 16).

    The distance is zero for those who are accepted, ``abs(decision)`` for the refused; a group's
    mean is taken over all its members.

    Parameters
    ----------
    decision : array-like of shape (n_samples,) or (n_samples, n_classes)
        Decision values: negative means refused. With a column per class: logits; the distance is
        then top value minus runner-up.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes)
        Group membership. Rows where it is missing are left out, with a warning.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    unfavorable : label or list of labels, default=None
        The class(es) that call for recourse; ``None`` is the first one, whatever the estimator
        that made the decisions was told.
    classes : array-like of shape (n_classes,), default=None
        Class labels in the order of the columns, (0, 1, ...) if ``None``.
    attributes : {"intersection", "sum"}, default="intersection"
        Several sensitive features: a group for every combination, or the sum over features.
    aggregate : {"max", "share", "sum"}, default="max"
        With more than two groups: the largest difference between two of them; 2 sum_g pi_g |m_g -
        m|, where m_g are the groups' means, pi_g their shares of the rows and m the mean of all,
        which is what the estimators minimize; or the sum over all pairs. "max" and "sum" are the
        same for two groups, and "share" is, too, if they are of equal size.

    Returns
    -------
    float
        In [0, inf), in units of the decision values; 0 is parity.

    Raises
    ------
    ValueError
        If lengths differ, values are not finite, or there is one group only.

    Warns
    -----
    UserWarning
        If nobody, or everybody, is refused, or sensitive features are missing.

    References
    ----------
    S. Sharma et al. FaiR-N: Fair and Robust Neural Networks for Structured Data. AIES 2021.

    Examples
    --------
    >>> from skfair.metrics import recourse_gap
    >>> recourse_gap([-3.0, 1.0, -1.0, 2.0], sensitive_features=["a", "a", "b", "b"])
    1.0
    """
    burdens, weights = _burdens(decision, sample_weight, unfavorable, classes)
    return gap_between(burdens, sensitive_features, weights, attributes, aggregate)


def _burdens(
    decision: Any, sample_weight: Any, unfavorable: Any, classes: Any
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Distance of everybody to acceptance (FaiR-N, Eq. 16), and checked weights."""
    logits, weights = _as_logits(decision, sample_weight)
    classes = np.arange(logits.shape[1]) if classes is None else np.asarray(classes)
    if classes.shape != (logits.shape[1],):
        raise ValueError(f"classes has {classes.size} labels for {logits.shape[1]} columns.")
    codes = unfavorable_codes(unfavorable, classes)
    warn_of_one_decision(np.isin(logits.argmax(1).numpy(), codes))
    return fairn.logit_recourse(logits, codes), weights


def warn_of_one_decision(refused: np.ndarray) -> None:
    """Say so where nobody, or everybody, is refused: groups cannot differ in who is."""
    if refused.any() and not refused.all():
        return
    who = "Everybody" if refused.any() else "Nobody"
    also = "" if refused.any() else ", and so all distances to acceptance are zero"
    warn(
        f"{who} is refused{also}: a gap says little then. If another class is the bad one, name it "
        "by unfavorable=.",
    )


def gap_between(
    burdens: torch.Tensor,
    sensitive_features: Any,
    weights: torch.Tensor | None,
    attributes: str,
    aggregate: str,
) -> float:
    """Difference between groups of their mean burdens (FaiR-N, Eq. 1)."""
    encoder = GroupEncoder(attributes)
    sensitive_features = as_frame(sensitive_features, len(burdens))
    if weights is not None:  # weight zero is the same as absence
        rows = weights > 0
        burdens, weights = burdens[rows], weights[rows]
        sensitive_features = sensitive_features[rows.numpy()]
    groups = torch.from_numpy(encoder.encode(sensitive_features))
    means, _, state = group_means(burdens, groups, weights, len(encoder.labels))
    return aggregate_gap(means, state[1], encoder.attribute_of, aggregate)


def burdens(decision: Any, *, unfavorable: Any = None, classes: Any = None) -> np.ndarray:
    """Distance of everybody to acceptance, zero for the accepted (FaiR-N, Eq. 16), (n,)."""
    return _burdens(decision, None, unfavorable, classes)[0].numpy()


def fairness_index(
    decision: Any,
    *,
    sensitive_features: Any,
    sample_weight: Any = None,
    unfavorable: Any = None,
    classes: Any = None,
    attributes: str = "intersection",
    aggregate: str = "max",
) -> float:
    """Fairness index exp(-recourse gap) (FaiR-N, Eq. 2).

    Parameters
    ----------
    decision, sensitive_features, sample_weight : as in :func:`recourse_gap`
        The rows.
    unfavorable, classes, attributes, aggregate : as in :func:`recourse_gap`
        What is compared.

    Returns
    -------
    float
        In (0, 1]; 1 is parity.

    Raises
    ------
    ValueError
        As :func:`recourse_gap`.

    Examples
    --------
    >>> from skfair.metrics import fairness_index
    >>> round(fairness_index([-3.0, 1.0, -1.0, 2.0], sensitive_features=["a", "a", "b", "b"]), 3)
    0.368
    """
    gap = recourse_gap(
        decision,
        sensitive_features=sensitive_features,
        sample_weight=sample_weight,
        unfavorable=unfavorable,
        classes=classes,
        attributes=attributes,
        aggregate=aggregate,
    )
    return float(np.exp(-gap))


def robustness_index(
    decision: Any,
    *,
    sensitive_features: Any = None,  # noqa: ARG001  (as the other metrics)
    sample_weight: Any = None,
) -> float:
    """Mean distance of all rows to the decision boundary (FaiR-N, Eq. 3).

    It has no scale: multiplying all decision values by two doubles it. Compare it between models
    of like calibration only.

    Parameters
    ----------
    decision : array-like of shape (n_samples,) or (n_samples, n_classes)
        Decision values, as in :func:`recourse_gap`.
    sensitive_features : array-like, default=None
        Not used, present for consistency with the other metrics.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    Returns
    -------
    float
        In [0, inf).

    Raises
    ------
    ValueError
        If lengths differ or values are not finite.

    Examples
    --------
    >>> from skfair.metrics import robustness_index
    >>> robustness_index([-3.0, 1.0, -1.0, 2.0])
    1.75
    """
    logits, weights = _as_logits(decision, sample_weight)
    return float(weighted_mean(fairn.boundary_distance(logits), weights))


def _as_logits(decision: Any, sample_weight: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    decision = numbers(decision, "decision", ensure_2d=False, order="C")
    if decision.ndim == 2 and decision.shape[1] == 1:
        decision = decision[:, 0]
    if decision.ndim == 1:
        decision = np.column_stack([np.zeros_like(decision), decision])
    logits = torch.tensor(decision)
    if sample_weight is None:
        return logits, None
    return logits, torch.from_numpy(check_weights(sample_weight, len(decision)))
