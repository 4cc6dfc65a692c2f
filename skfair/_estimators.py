"""What estimators answer, and what is inside pipelines and searches."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted


def take_apart(estimator: Any) -> tuple[Any, Pipeline | None]:
    """The last step of fitted searches and pipelines, and the steps before it.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator.

    Returns
    -------
    final : estimator
        The estimator itself, if it is neither.
    before : Pipeline or None
        Turns what ``estimator`` takes into what ``final`` takes.
    """
    if not hasattr(estimator, "classes_"):
        check_is_fitted(estimator)
    if hasattr(estimator, "best_estimator_"):
        return take_apart(estimator.best_estimator_)
    if not hasattr(estimator, "steps"):
        return estimator, None
    final, inner = take_apart(estimator.steps[-1][1])
    outer = estimator[:-1] if len(estimator.steps) > 1 else None
    if outer is None or inner is None:
        return final, inner if outer is None else outer
    return final, make_pipeline(outer, inner)


def decision_values(estimator: Any, X: Any) -> np.ndarray:
    """Decision values of any classifier: ``decision_function``, else log-odds.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier or pipeline.
    X : array-like of shape (n_samples, n_features)
        Rows to decide on.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_classes)
        Log-odds of ``classes_[1]``, or log-probabilities with more than two classes, where only
        ``predict_proba`` exists; probabilities of 0 and 1 are moved inward by the machine epsilon.

    Raises
    ------
    ValueError
        If the estimator has neither method.
    """
    if hasattr(estimator, "decision_function"):
        decision = np.asarray(estimator.decision_function(X))
        if decision.ndim == 1:
            return decision
        if decision.shape[1] == len(estimator.classes_):
            chosen = np.asarray(estimator.classes_)[decision.argmax(axis=1)]
            if np.array_equal(chosen, estimator.predict(X)):  # not so for votes of pairs of classes
                return decision
    if not hasattr(estimator, "predict_proba"):
        raise ValueError(
            f"{type(estimator).__name__} has neither decision_function (with one column per class) "
            "nor predict_proba, one of which is needed to measure distances to the boundary."
        )
    proba = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    eps = np.finfo(np.float64).eps
    log_proba = np.log(np.clip(proba, eps, 1 - eps))
    return log_proba[:, 1] - log_proba[:, 0] if proba.shape[1] == 2 else log_proba


def decision_arguments(estimator: Any, X: Any) -> tuple[np.ndarray, dict[str, Any]]:
    """Decision values, and what :func:`recourse_gap` must be told about them."""
    unfavorable = from_inside(estimator, "unfavorable")
    told = {"classes": estimator.classes_, "unfavorable": unfavorable}
    return decision_values(estimator, X), told


def from_inside(estimator: Any, name: str) -> Any:
    """An attribute of the estimator inside pipelines, searches and other wrappers of one."""
    while estimator is not None and not hasattr(estimator, name):
        if hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            estimator = getattr(estimator, "estimator", None)
    return getattr(estimator, name, None)


def binary_codes(estimator: Any, labels: Any) -> np.ndarray:
    """1 for ``classes_[1]``: what fairlearn's metrics take as selected."""
    if len(estimator.classes_) != 2:
        raise ValueError(
            f"This metric compares two classes, the estimator has {estimator.classes_.tolist()}; "
            "score a binary problem, or use a metric of your own."
        )
    return (np.asarray(labels) == estimator.classes_[1]).astype(int)
