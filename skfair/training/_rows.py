"""Training rows, as they are checked, selected and divided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing

from .._splits import stratified_split


@dataclass
class TrainingData:
    """Checked training data, row by row.

    Attributes
    ----------
    raw : array-like of shape (n, n_features_in_)
        X as the user passed it.
    X : ndarray or sparse matrix of shape (n, ...)
        What the network sees, images of bytes as they are; as passed, less dropped columns, if
        there is none.
    y : int64 ndarray of shape (n,) or (n, n_labels)
        Class codes.
    weights : ndarray of shape (n,) or None
        Positive weights.
    groups : int64 ndarray of shape (n, n_attributes) or None
        Group codes.
    sensitive_features : pandas.DataFrame or None
        What the codes stand for.
    sensitive : ndarray of shape (n, n_continuous) or None
        Continuous sensitive features, standardized; NaN where they are missing.
    control_features : pandas.DataFrame or None
        Within what groups are compared.
    strata : int64 ndarray of shape (n,) or None
        Codes of that, -1 where it is missing.
    """

    raw: Any
    X: Any
    y: np.ndarray
    weights: np.ndarray | None
    groups: np.ndarray | None
    sensitive_features: pd.DataFrame | None
    sensitive: np.ndarray | None = None
    control_features: pd.DataFrame | None = None
    strata: np.ndarray | None = None

    def without_zero_weights(self) -> TrainingData:
        """Leave out rows of weight zero: that is the same as absence."""
        if self.weights is None or self.weights.all():
            return self
        rows = np.flatnonzero(self.weights)
        sensitive, control = self.sensitive_features, self.control_features
        raw = select_rows(self.raw, rows)
        return TrainingData(
            raw,
            raw if self.X is self.raw else select_rows(self.X, rows),
            self.y[rows],
            self.weights[rows],
            None,
            None if sensitive is None else sensitive.iloc[rows].reset_index(drop=True),
            control_features=(
                None if control is None else control.iloc[rows].reset_index(drop=True)
            ),
        )

    def arrays(self, dtype: str, penalty_only: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return what travels in a batch; ``penalty_only`` rows are not classified."""
        arrays = {"X": self.X, "y": self.y, "groups": self.groups, "strata": self.strata}
        if penalty_only is not None:
            arrays["penalty_only"] = np.isin(np.arange(len(self.y)), penalty_only)
        for name, values in (("weights", self.weights), ("sensitive", self.sensitive)):
            arrays[name] = None if values is None else values.astype(dtype)
        return {name: values for name, values in arrays.items() if values is not None}


def select_rows(X: Any, rows: np.ndarray) -> Any:
    """Rows of an array, sparse matrix or DataFrame."""
    return _safe_indexing(X, rows)


def split_off(
    data: TrainingData,
    share: float,
    rng: np.random.RandomState,
    rows: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Divide ``rows`` (all if ``None``) into those to train on and a ``share`` that is held out.

    The split is stratified by class and group if every such cell is large enough, else by class,
    and at random if a class is too small even for that.
    """
    rows = np.arange(len(data.y)) if rows is None else rows
    strata = [data.y] if data.groups is None else [data.y, np.c_[data.y, data.groups]]
    return stratified_split(rows, share, strata, rng)
