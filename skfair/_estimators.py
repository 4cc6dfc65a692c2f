"""What estimators answer, and what is inside pipelines and searches."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier

from ._labels import codes_of, unfavorable_codes
from ._tables import brief
from ._warnings import warn

TIE_TOLERANCE = 1e-6  # what rounding does to a decision value on the boundary
EPS = np.finfo(np.float64).eps
RESPONSES = ("decision_function", "predict_proba")
THRESHOLDS = (FixedThresholdClassifier, TunedThresholdClassifierCV)
NETS = (NeuralNetClassifier.predict, NeuralNetBinaryClassifier.predict)


def check_classifier(estimator: Any) -> None:
    """Check that this is a fitted classifier.

    Raises
    ------
    TypeError
        If it cannot predict.
    NotFittedError
        If it is not fitted.
    """
    if inspect.isclass(estimator) or not hasattr(estimator, "predict"):
        what = f"the class {estimator.__name__}" if inspect.isclass(estimator) else brief(estimator)
        raise TypeError(
            f"estimator must be a fitted classifier, pipeline or search, with predict; got {what}."
        )
    if not hasattr(estimator, "classes_"):
        if hasattr(estimator, "fit"):
            check_is_fitted(estimator)
        raise TypeError(
            f"estimator must be a fitted classifier with classes_; a {type(estimator).__name__} "
            "has none."
        )


def split_pipeline(estimator: Any) -> tuple[Any, Pipeline | None]:
    """Split fitted searches and pipelines into the last step and the steps before it.

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
    check_classifier(estimator)
    if hasattr(estimator, "best_estimator_"):
        return split_pipeline(estimator.best_estimator_)
    if not hasattr(estimator, "steps"):
        return estimator, None
    final, inner = split_pipeline(estimator.steps[-1][1])
    outer = estimator[:-1] if len(estimator.steps) > 1 else None
    if outer is None or inner is None:
        return final, inner if outer is None else outer
    return final, make_pipeline(outer, inner)


# -- decisions ---------------------------------------------------------------------------------


def decision_values(estimator: Any, X: Any) -> np.ndarray:
    """Decision values of any classifier: ``decision_function``, else log-odds.

    They are compared with ``predict``: a known threshold, that of scikit-learn's threshold
    classifiers, is subtracted, so that the sign says what ``predict`` says.

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
        If the estimator has neither method, or ``predict`` decides otherwise than they say.
    """
    check_classifier(estimator)
    classes = np.asarray(estimator.classes_)
    known, differ = _known_threshold(estimator), None
    if getattr(type(estimator), "predict", None) in NETS:  # decides by predict_proba, by definition
        values = _response(estimator, X, "predict_proba")
        if values is not None:
            return values if known is None else values - known.shift("predict_proba", classes)
    rows = np.asarray(estimator.predict(X))
    if rows.ndim > 1 and rows.shape[1] > 1:
        raise ValueError(
            f"{type(estimator).__name__} predicts {rows.shape[1]} labels a row; decision values "
            "are compared for one label a row."
        )
    codes = codes_of(rows, classes, f"{type(estimator).__name__}.predict")
    for response in RESPONSES if known is None else (known.response,):
        values = _response(estimator, X, response)
        if values is None:
            continue
        values = values if known is None else values - known.shift(response, classes)
        differ = _n_different(values, codes)
        if not differ:
            return values
    kind = type(estimator).__name__
    if differ is None:
        raise ValueError(
            f"{kind} has neither decision_function (with one column per class) nor predict_proba, "
            "one of which is needed to measure distances to the boundary."
        )
    raise ValueError(
        f"predict of {kind} decides about {differ} of {len(codes)} rows otherwise than its "
        "decision values: it has a threshold, or a rule, that is not known here, and distances to "
        "acceptance cannot be told from them. scikit-learn's FixedThresholdClassifier has a known "
        "one; or pass decision values of your own to the metric, negative where refused."
    )


class Threshold(NamedTuple):
    """Where a classifier decides, if not at zero: ``level`` of the response for ``pos_label``."""

    response: str
    level: float
    pos_label: Any

    def shift(self, response: str, classes: np.ndarray) -> float:
        """Return what to subtract from the decision values."""
        level = self.level
        if response == "predict_proba":
            if not 0 <= level <= 1:
                raise ValueError(
                    f"threshold={level} is no probability: everybody is decided about alike, and "
                    "nobody has a distance to acceptance."
                )
            level = float(_log_odds(np.array([level]))[0])
        first = self.pos_label is not None and self.pos_label == classes[0]
        return -level if first else level


def _known_threshold(estimator: Any) -> Threshold | None:
    while (inside := _last(estimator)) is not None:
        estimator = inside
    if isinstance(estimator, NeuralNetBinaryClassifier):
        return Threshold("predict_proba", estimator.threshold, None)
    if not isinstance(estimator, THRESHOLDS):
        return None
    response = estimator.response_method
    if response == "auto":
        response = RESPONSES[hasattr(estimator, "predict_proba")]
    if isinstance(estimator, TunedThresholdClassifierCV):
        pos_label = estimator._curve_scorer._get_pos_label()
        return Threshold(response, float(estimator.best_threshold_), pos_label)
    level = estimator.threshold
    if isinstance(level, str):
        level = 0.5 if response == "predict_proba" else 0.0
    return Threshold(response, float(level), estimator.pos_label)


def _last(estimator: Any) -> Any:
    """Return what decides inside a search or pipeline."""
    if isinstance(estimator, FrozenEstimator):
        return estimator.estimator
    if hasattr(estimator, "best_estimator_"):
        return estimator.best_estimator_
    return estimator.steps[-1][1] if hasattr(estimator, "steps") else None


def _response(estimator: Any, X: Any, response: str) -> np.ndarray | None:
    """Decision values (n,) or (n, n_classes) by one of the methods, if they are such."""
    if not hasattr(estimator, response):
        return None
    values = np.asarray(getattr(estimator, response)(X), dtype=np.float64)
    if response == "predict_proba" and values.ndim == 2 and values.shape[1] == 2:
        return _log_odds(values[:, 1], values[:, 0])
    if response == "predict_proba":
        values = np.log(np.clip(values, EPS, 1 - EPS))
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    is_column = values.ndim == 1 and len(estimator.classes_) == 2
    return values if is_column or values.shape[1:] == (len(estimator.classes_),) else None


def _log_odds(p: np.ndarray, rest: np.ndarray | None = None) -> np.ndarray:
    rest = 1 - p if rest is None else rest
    return np.log(np.clip(p, EPS, 1 - EPS)) - np.log(np.clip(rest, EPS, 1 - EPS))


def _n_different(values: np.ndarray, codes: np.ndarray) -> int:
    """In how many rows another class than the predicted one has the greatest value."""
    if values.ndim == 1:
        values = np.column_stack([np.zeros(len(values)), values])
    best = values.max(axis=1)
    lead = best - values[np.arange(len(codes)), codes]
    with np.errstate(invalid="ignore"):
        return int((lead > TIE_TOLERANCE * np.maximum(1, np.abs(best))).sum())


def decision_arguments(
    estimator: Any, X: Any, unfavorable: Any = None
) -> tuple[np.ndarray, dict[str, Any]]:
    """Decision values, and what :func:`recourse_gap` must be told about them."""
    values = decision_values(estimator, X)
    classes = np.asarray(estimator.classes_)
    return values, {"classes": classes, "unfavorable": unfavorable_of(estimator, unfavorable)}


# -- what estimators were told -----------------------------------------------------------------


def find_attribute(estimator: Any, name: str) -> Any:
    """Return an attribute of the estimator inside pipelines, searches and other wrappers.

    What was fitted is asked, not the template it was made from.
    """
    return getattr(_holder(estimator, name), name, None)


def unfavorable_of(estimator: Any, unfavorable: Any = None) -> Any:
    """Return the classes that call for recourse: those named, else those the estimator was told.

    Returns
    -------
    label, list of labels or None
        Labels among ``estimator.classes_``; ``None``: nothing was said.

    Raises
    ------
    ValueError
        If the estimator inside was told about other classes than those outside.

    Warns
    -----
    UserWarning
        If the estimator inside was trained with other labels (as VotingClassifier does).
    """
    if unfavorable is not None:
        return unfavorable
    holder = _holder(estimator, "unfavorable")
    unfavorable = getattr(holder, "unfavorable", None)
    inner, outer = getattr(holder, "classes_", None), np.asarray(estimator.classes_)
    if unfavorable is None or inner is None or np.array_equal(inner, outer):
        return unfavorable
    inner, kinds = np.asarray(inner), (type(holder).__name__, type(estimator).__name__)
    if len(inner) != len(outer):
        raise ValueError(
            f"unfavorable={brief(unfavorable)} was said to a {kinds[0]} that a {kinds[1]} trains "
            "with other classes than its own; say unfavorable= where the metric is called."
        )
    labels = outer[list(unfavorable_codes(unfavorable, inner))].tolist()
    warn(
        f"{kinds[1]} hands encoded labels to the {kinds[0]} inside it, for which "
        f"unfavorable={brief(unfavorable)} names what is {labels} outside. If another class was "
        "meant, train with the labels 0 and 1, and say unfavorable= where the metric is called.",
    )
    return labels


def _holder(estimator: Any, name: str) -> Any:
    """Find the outermost estimator that has an attribute, not None if there is such."""
    if estimator is None or hasattr(estimator, name):
        return estimator
    first = None
    for inside in _inside(estimator):
        found = _holder(inside, name)
        if getattr(found, name, None) is not None:
            return found
        first = found if first is None else first
    return first


def _inside(estimator: Any) -> Iterator[Any]:
    """Yield what a wrapper has fitted, else what it is made from."""
    if hasattr(estimator, "final_estimator_"):
        yield estimator.final_estimator_
    if (one := _last(estimator)) is not None:
        yield one
    elif hasattr(estimator, "calibrated_classifiers_"):
        yield from (each.estimator for each in estimator.calibrated_classifiers_)
    elif hasattr(estimator, "estimators_"):  # beside estimator_, which is their template
        yield from np.ravel(np.asarray(estimator.estimators_, dtype=object))
    else:
        yield getattr(estimator, "estimator_", getattr(estimator, "estimator", None))


def accepted_codes(
    estimator: Any, labels: Any, unfavorable: Any = None, parameter: str = "y"
) -> np.ndarray:
    """1 where a label is favorable, else 0: what fairlearn's metrics take as selected.

    ``unfavorable=None`` is what the estimator was told, else ``classes_[0]``, of two classes.
    """
    classes = np.asarray(estimator.classes_)
    return accepted_of(labels, classes, unfavorable_of(estimator, unfavorable), parameter)


def accepted_of(labels: Any, classes: np.ndarray, unfavorable: Any, parameter: str) -> np.ndarray:
    """As :func:`accepted_codes`, where all is known."""
    if unfavorable is None and len(classes) != 2:
        shown = classes.tolist() if len(classes) <= 20 else f"{len(classes)} of them"
        raise ValueError(
            f"This metric compares two classes, the estimator has {shown}; "
            "score a binary problem, say which are unfavorable=, or use a metric of your own."
        )
    refusing = unfavorable_codes(unfavorable, classes)
    return (~np.isin(codes_of(labels, classes, parameter), refusing)).astype(int)
