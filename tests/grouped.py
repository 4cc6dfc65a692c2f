"""Estimators that find groups in X where they are given none: scikit-learn's checks give none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np
from scipy.sparse import issparse

from skfair import (
    DRAlignClassifier,
    FairFeaturesClassifier,
    FaiRNClassifier,
    FairThresholdClassifier,
    LabelFlipClassifier,
    MarginClassifier,
    PenaltyClassifier,
    PivotClassifier,
)

BY_LABEL = {"equalized_odds", "equal_opportunity", "predictive_parity"}  # batches of DRAlign
TERMS = {"fairness", "penalty", "misalignment", "information"}
_fits: list[bool] = []  # since the count began: whether a fairness term was at work


@contextmanager
def counted_fits() -> Iterator[list[bool]]:
    """Every fit of the block, and whether a fairness term was at work in it."""
    _fits.clear()
    yield _fits


def groups_in(
    X: Any, y: Any, sample_weight: Any = None, by_label: bool = False, least: int = 1
) -> np.ndarray | None:
    """Two groups by narrow bins of the sum of a row: nothing but the row decides.

    The bins are the widest for which both groups have ``least`` rows (``by_label``: of every
    class). ``None`` where there are no such bins, or X and y cannot be used.
    """
    try:
        X, y = X.toarray() if issparse(X) else np.asarray(X), np.asarray(y)
        sums = np.nansum(X.real.astype(float), axis=1)
        there = np.ones(len(y), bool) if sample_weight is None else np.asarray(sample_weight) > 0
    except (TypeError, ValueError):
        return None
    if sums.ndim > 1 or not len(sums) == len(y) == there.size or not np.isfinite(sums).all():
        return None
    y = y.ravel() if by_label and y.size == len(y) else np.zeros(len(y))
    labels, codes = np.unique(y, return_inverse=True)
    for n_bins in (1.31, 7.31, 23.31, 97.31, 311.31):  # to a unit
        is_odd = np.floor(n_bins * sums).astype(int) % 2
        cells = np.bincount((2 * codes + is_odd)[there], minlength=2 * len(labels))
        if len(cells) and cells.min() >= least:
            return np.where(is_odd, "odd", "even")
    return None


def is_at_work(model: Any) -> bool:
    """Whether a fairness term was computed with groups and was not 0, or labels were flipped."""
    if isinstance(model, LabelFlipClassifier):
        return model.flip_group_ is not None
    if isinstance(model, FairThresholdClassifier):
        return len(model.groups_) > 1 and len(model.thresholds_) > 1
    terms = model.history_[sorted(TERMS & set(model.history_))]
    return len(model.groups_) > 1 and terms.shape[1] > 0 and bool((terms != 0).any().all())


def finds_groups(cls: type) -> type:
    """Let ``fit`` use :func:`groups_in` where it gets no groups."""
    inherited = cls.fit

    @wraps(inherited)
    def fit(self, X, y, *, sensitive_features=None, sample_weight=None):
        if sensitive_features is None:
            params = self.get_params()
            holdout = params.get("penalty_on") == "holdout"  # with members of both groups
            by_label = holdout or params.get("criterion", "demographic_parity") in BY_LABEL
            sensitive_features = groups_in(X, y, sample_weight, by_label, 1 + holdout)
        inherited(self, X, y, sensitive_features=sensitive_features, sample_weight=sample_weight)
        _fits.append(is_at_work(self))
        return self

    cls.fit = fit
    return cls


@finds_groups
class GroupedFaiRN(FaiRNClassifier):
    pass


@finds_groups
class GroupedPenalty(PenaltyClassifier):
    pass


@finds_groups
class GroupedMargin(MarginClassifier):
    pass


@finds_groups
class GroupedLabelFlip(LabelFlipClassifier):
    pass


@finds_groups
class GroupedDRAlign(DRAlignClassifier):
    pass


@finds_groups
class GroupedFairFeatures(FairFeaturesClassifier):
    pass


@finds_groups
class GroupedPivot(PivotClassifier):
    pass


@finds_groups
class GroupedThreshold(FairThresholdClassifier):
    pass
