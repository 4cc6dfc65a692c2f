"""Weighted distances between people (Individual Fairness Revisited, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ..networks._inspection import coefficients

__all__ = ["METRICS", "WeightedMetric", "minimal_metric"]

METRICS = ("l1", "l2", "linf")


class WeightedMetric:
    """Weighted distance between rows (Individual Fairness Revisited, Definition 2).

    With d_i = |x_i - x'_i|: "l1" is sum_i w_i d_i, "l2" is sqrt(sum_i w_i d_i^2), and "linf" is
    max_i w_i d_i.

    Parameters
    ----------
    metric : {"l1", "l2", "linf"}
        Which distance.
    weights : array-like of shape (n_weighted,)
        A non-negative weight for each of ``columns``.
    columns : sequence of int, default=None
        Positions of the columns that are weighted, all if ``None``. Rows that differ in any other
        column are not comparable: their distance is infinite. So are rows of which one lacks a
        number, NaN, that the other has; if both lack it, they do not differ in it.
    names : sequence of str, default=None
        Names of all columns.

    Attributes
    ----------
    weights : pandas.Series of shape (n_weighted,)
        By name of the feature, or by position.
    metric, columns : as given

    Raises
    ------
    ValueError
        If ``metric`` is unknown, or a weight negative or not finite.

    References
    ----------
    .. [1] S. Yeom, M. Fredrikson. Individual Fairness Revisited: Transferring Techniques from
       Adversarial Robustness. IJCAI 2020.

    Examples
    --------
    >>> from skfair.smoothing import WeightedMetric
    >>> distance = WeightedMetric("l1", [1.0, 0.5])
    >>> distance([[0, 0]], [[1, 2]])
    array([2.])
    """

    def __init__(
        self,
        metric: str,
        weights: Any,
        *,
        columns: Sequence[int] | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        if metric not in METRICS:
            raise ValueError(f"metric must be one of {list(METRICS)}, got {metric!r}.")
        values = check_array(
            np.atleast_1d(weights), ensure_2d=False, dtype=np.float64, input_name="weights"
        )
        if (values < 0).any():
            raise ValueError(f"weights must not be negative, got {values.min()}.")
        self.metric = metric
        self.columns = None if columns is None else [int(i) for i in columns]
        if self.columns is not None and len(self.columns) != len(values):
            raise ValueError(
                f"weights must have one entry for each of the {len(self.columns)} weighted "
                f"columns, got {len(values)}."
            )
        self.names = None if names is None else [str(name) for name in names]
        self._weights = values

    @property
    def weights(self) -> pd.Series:
        """Weights by feature."""
        columns = range(len(self._weights)) if self.columns is None else self.columns
        index = list(columns) if self.names is None else [self.names[i] for i in columns]
        return pd.Series(self._weights.copy(), index=index, name="weight")

    def __call__(self, X1: Any, X2: Any) -> np.ndarray:
        """Distance of each row of ``X1`` to the row of ``X2`` beside it.

        Parameters
        ----------
        X1, X2 : array-like of shape (n, n_features)
            Rows; one of them may be a single row, which is then compared with all others.

        Returns
        -------
        ndarray of shape (n,)
            Distances, ``inf`` where rows are not comparable.

        Raises
        ------
        ValueError
            If the shapes do not fit, or a weighted column holds infinity.
        """
        (first, fixed), (second, fixed_too) = self._split(X1, "X1"), self._split(X2, "X2")
        if len(first) != len(second) and 1 not in (len(first), len(second)):
            raise ValueError(
                f"X1 and X2 must have the same number of rows, or one of them a single row; got "
                f"{len(first)} and {len(second)}."
            )
        distance = self.of_shift(first - second)
        return np.where((fixed == fixed_too).all(axis=-1), distance, np.inf)

    def pairwise(self, X1: Any, X2: Any = None) -> np.ndarray:
        """Distance of every row of ``X1`` to every row of ``X2``.

        Parameters
        ----------
        X1 : array-like of shape (n1, n_features)
            Rows.
        X2 : array-like of shape (n2, n_features), default=None
            Rows, those of ``X1`` if ``None``.

        Returns
        -------
        ndarray of shape (n1, n2)
            Distances, ``inf`` where rows are not comparable.
        """
        first, fixed = self._split(X1, "X1")
        second, fixed_too = (first, fixed) if X2 is None else self._split(X2, "X2")
        rows = [
            np.where((fixed_too == same).all(axis=-1), self.of_shift(second - row), np.inf)
            for row, same in zip(first, fixed, strict=True)
        ]
        return np.stack(rows)

    def shift(self, X1: Any, X2: Any) -> np.ndarray:
        """Subtract rows in the weighted columns.

        Parameters
        ----------
        X1, X2 : array-like of shape (n, n_features)
            Rows; where one has a single row, it is compared with every row of the other.

        Returns
        -------
        ndarray of shape (n, n_weighted)
            Differences.
        """
        return self._split(X1, "X1")[0] - self._split(X2, "X2")[0]

    def of_shift(self, shift: np.ndarray) -> np.ndarray:
        """Compute the distances that differences stand for.

        Parameters
        ----------
        shift : ndarray of shape (..., n_weighted)
            From :meth:`shift`.

        Returns
        -------
        ndarray of shape (...,)
            Distances.
        """
        shift, w = np.abs(shift), self._weights
        if self.metric == "l1":
            return shift @ w
        if self.metric == "l2":
            return np.linalg.norm(shift * np.sqrt(w), axis=-1)
        return (shift * w).max(axis=-1)

    def _split(self, X: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Weighted columns as numbers, 0 where they are missing; the other columns, and where."""
        table: Any = X if hasattr(X, "iloc") else np.asarray(X)
        if table.ndim != 2:
            raise ValueError(f"{name} must have two dimensions, got {table.ndim}.")
        n_columns = len(self.names) if self.names is not None else len(self._weights)
        if self.columns is None and table.shape[1] != n_columns:
            raise ValueError(f"{name} must have {n_columns} columns, got {table.shape[1]}.")
        if self.columns is not None and max(self.columns, default=-1) >= table.shape[1]:
            raise ValueError(f"{name} has only {table.shape[1]} columns, the metric needs more.")
        columns = list(range(n_columns)) if self.columns is None else self.columns
        others = [i for i in range(table.shape[1]) if i not in set(columns)]
        if hasattr(table, "iloc"):
            given = [str(column) for column in table.columns]
            if self.names is not None and given != self.names:
                raise ValueError(
                    f"{name} must have the columns {self.names} in this order, got {given}."
                )
            weighted = table.iloc[:, columns]
            fixed = table.iloc[:, others].astype(object)
            fixed = fixed.where(fixed.notna(), None).to_numpy()  # missing is like missing
        else:
            weighted, fixed = table[:, columns], table[:, others]
        weighted = check_array(
            weighted,
            dtype=np.float64,
            input_name=name,
            ensure_min_features=0,
            ensure_all_finite="allow-nan",
        )
        missing = np.isnan(weighted)
        return np.where(missing, 0, weighted), np.concatenate([fixed, missing], axis=1)

    def __repr__(self) -> str:
        return f"WeightedMetric({self.metric!r}, {self._weights.round(4).tolist()})"


def minimal_metric(linear_model: Any) -> WeightedMetric:
    """Smallest weighted L1 metric under which a linear model is individually fair.

    Parameters
    ----------
    linear_model : estimator
        Fitted, with ``coef_`` of shape (n_features,) or (1, n_features): a linear regression; or
        a binary linear classifier, whose decision values then take the part of the outcome.

    Returns
    -------
    WeightedMetric
        "l1", the absolute coefficients as weights: outcomes differ by no more than the distance,
        and no other weighted Lp metric is as small (Individual Fairness Revisited, Theorem 2).

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    ValueError
        If it has no ``coef_``, or one for each of several classes or targets.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from skfair.smoothing import minimal_metric
    >>> model = LinearRegression().fit([[0, 0], [1, 0], [0, 1]], [0, 2, -1])
    >>> minimal_metric(model)
    WeightedMetric('l1', [2.0, 1.0])
    """
    check_is_fitted(linear_model)
    if not hasattr(linear_model, "coef_"):
        raise ValueError(
            f"linear_model must have coef_, {type(linear_model).__name__} has none; the minimal "
            "metric of other models is not known."
        )
    coef = coefficients(linear_model)
    if coef.ndim > 1 and len(coef) > 1:
        raise ValueError(
            f"linear_model must have one outcome, coef_ has shape {coef.shape}; take one class or "
            "target at a time."
        )
    names = getattr(linear_model, "feature_names_in_", None)
    return WeightedMetric("l1", np.abs(np.ravel(coef)), names=names)
