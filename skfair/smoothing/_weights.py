"""How much each feature may matter: the weights of a metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.utils import check_array

MIN_WEIGHT = 1e-3  # of "linear", where the mean is one; none at all would need endless noise


def make_weights(
    weights: Any, numbers: np.ndarray, y: Any, sample_weight: Any, names: np.ndarray
) -> np.ndarray:
    """Return positive weights, one for each column of ``numbers``.

    Parameters
    ----------
    weights : None, "linear", array-like of shape (n_columns,), dict or Series
        All one; from a logistic regression of ``y`` on ``numbers``; as given; or by name.
    numbers : ndarray of shape (n, n_columns)
        What the weights are for; "linear" takes the mean for NaN.
    y, sample_weight : array-like of shape (n,)
        For the logistic regression.
    names : ndarray of shape (n_columns,)
        Names of the columns.

    Returns
    -------
    ndarray of shape (n_columns,)
        The weights.

    Raises
    ------
    ValueError
        If there are too many or too few, one is not positive, or names do not match.
    """
    if weights is None:
        return np.ones(numbers.shape[1])
    if isinstance(weights, str):
        return _linear(numbers, y, sample_weight)
    weights = check_array(
        _in_order(weights, list(names)), ensure_2d=False, dtype=np.float64, input_name="weights"
    ).ravel()
    if len(weights) != numbers.shape[1]:
        raise ValueError(
            f"weights must have one entry for each of the {numbers.shape[1]} columns that receive "
            f"noise, got {len(weights)}."
        )
    if (weights <= 0).any():
        raise ValueError(
            f"weights must be positive, got {weights.min()}: a weight of zero would need noise "
            "without end. Drop the column, or give it a small weight."
        )
    return weights


def _linear(numbers: np.ndarray, y: Any, sample_weight: Any) -> np.ndarray:
    """Absolute coefficients of mean one (Individual Fairness Revisited, section 6)."""
    numbers = SimpleImputer(keep_empty_features=True).fit_transform(numbers)
    linear = LogisticRegression(max_iter=1000).fit(numbers, y, sample_weight=sample_weight)
    weights = np.abs(linear.coef_).max(axis=0)
    if not weights.any():
        raise ValueError(
            "weights='linear' needs a logistic regression with a coefficient other than zero; all "
            "are zero on these data. Give weights=None or an array."
        )
    return np.maximum(weights / weights.mean(), MIN_WEIGHT)


def _in_order(weights: Any, names: list) -> Any:
    """Weights by name in the order of the names; others as they came."""
    if hasattr(weights, "to_dict") and any(isinstance(name, str) for name in names):
        by_name = weights.to_dict()
        if not any(isinstance(name, str) for name in by_name):
            return weights
    elif isinstance(weights, Mapping):
        by_name = dict(weights)
    else:
        return weights
    if set(names) != set(by_name):
        raise ValueError(
            f"weights must name the columns that receive noise, {names}; got {list(by_name)}."
        )
    return [by_name[name] for name in names]
