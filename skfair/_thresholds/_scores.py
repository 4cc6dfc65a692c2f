"""Scores of rows, and inferred probabilities of their groups, by models trained without them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict
from sklearn.utils._response import _get_response_values_binary
from sklearn.utils.validation import _check_response_method, check_is_fitted

from .._groups import group_name, plain
from .._tables import some

LARGEST = np.finfo(np.float64).max


def check_same_classes(estimator: Any, classes: np.ndarray) -> None:
    """Check that an estimator was fitted with these classes.

    Raises
    ------
    NotFittedError
        If it was not fitted.
    ValueError
        If its classes are others.
    """
    check_is_fitted(estimator)
    known = np.asarray(getattr(estimator, "classes_", []))
    if not np.array_equal(known, classes):
        raise ValueError(
            f"y must have the classes that estimator was fitted with, {some(known.tolist())}; got "
            f"{some(classes.tolist())}."
        )


def scores_of(estimator: Any, X: Any, responses: list[str]) -> np.ndarray:
    """Scores (n,) by the first of the methods that a classifier has; high ones are favorable."""
    return _finite(_get_response_values_binary(estimator, X, responses)[0])


def cross_fitted_scores(
    estimator: Any,
    X: Any,
    labels: np.ndarray,
    folds: list | None,
    responses: list[str],
    params: dict[str, Any],
    n_jobs: int | None,
) -> np.ndarray:
    """Scores (n,), each by a clone that was trained without its row."""
    method = _check_response_method(estimator, responses).__name__
    scores = cross_val_predict(
        clone(estimator), X, labels, cv=folds, n_jobs=n_jobs, method=method, params=params
    )
    return _finite(scores[:, 1] if scores.ndim == 2 else scores)


def _finite(values: Any) -> np.ndarray:
    scores = np.asarray(values, dtype=np.float64)
    if np.isnan(scores).any():
        raise ValueError(f"estimator gives {np.isnan(scores).sum()} rows a score that is NaN.")
    return np.clip(scores, -LARGEST, LARGEST)


def posterior_of(estimator: Any, X: Any, names: np.ndarray) -> np.ndarray:
    """Probability (n, n_names) of each of these groups, others that it knows aside.

    Raises
    ------
    ValueError
        If the classifier does not know one of them.
    """
    known = [group_name(plain(label)) for label in estimator.classes_]
    if not set(names.tolist()) <= set(known):
        raise ValueError(
            f"group_estimator must know every group of sensitive_features, {names.tolist()}; its "
            f"classes are {known}."
        )
    columns = [known.index(name) for name in names]
    posterior = np.asarray(estimator.predict_proba(X), dtype=np.float64)[:, columns]
    total = posterior.sum(axis=1, keepdims=True)
    return np.divide(posterior, total, out=np.zeros_like(posterior), where=total > 0)


def cross_fitted_posterior(
    estimator: Any,
    X: Any,
    labels: np.ndarray,
    folds: list,
    names: np.ndarray,
    params: dict[str, Any],
    n_jobs: int | None,
) -> np.ndarray:
    """As :func:`posterior_of`, each row's by a clone that was trained without it.

    Raises
    ------
    ValueError
        If a group is in one fold only.
    """
    for train, _ in folds:
        lacking = np.setdiff1d(names, labels[train])
        if len(lacking):
            raise ValueError(
                f"sensitive_features: the groups {lacking.tolist()} have too few different rows to "
                "be inferred in folds. Merge them, or fit group_estimator to other rows and use "
                "prefit=True."
            )
    posterior = cross_val_predict(
        clone(estimator),
        X,
        labels,
        cv=folds,
        n_jobs=n_jobs,
        method="predict_proba",
        params=params,
    )
    return posterior[:, np.searchsorted(np.unique(labels), names)]
