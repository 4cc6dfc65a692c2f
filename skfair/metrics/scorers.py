"""Scorers for ``cross_validate`` and ``GridSearchCV``: greater is better, gaps carry ``neg_``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import fairlearn.metrics
import sklearn.metrics
from sklearn.utils.metadata_routing import MetadataRequest

from .._estimators import binary_codes, decision_arguments, from_inside
from ..sensitive import as_frame, select_sensitive
from .burden import burden_gap
from .individual import largest_violation
from .parity import decision_rationale_similarity, parity_score
from .recourse import fairness_index, recourse_gap, robustness_index
from .sensitivity import prediction_sensitivity

__all__ = [
    "FairnessScorer",
    "fairness_index_scorer",
    "get_scorer",
    "get_scorer_names",
    "make_fairness_scorer",
    "neg_burden_gap_scorer",
    "neg_individual_fairness_violation_scorer",
    "neg_parity_score_scorer",
    "neg_prediction_sensitivity_scorer",
    "neg_recourse_gap_scorer",
    "robustness_index_scorer",
]


class FairnessScorer:
    """A metric of fairness as a scorer ``(estimator, X, y, *, sensitive_features=None)``.

    Made by :func:`make_fairness_scorer`. With scikit-learn's metadata routing it requests
    ``sensitive_features``, unless ``sensitive_columns`` says where in X they are.

    Parameters
    ----------
    metric : callable
        ``metric(decision, *, sensitive_features, ...)``, ``metric(y_true, y_pred, *, ...)`` or
        ``metric(estimator, X, y, *, ...)``.
    name : str
        Shown by ``repr``.
    sign : {1, -1}
        -1 turns a gap into a score.
    response : {"decision", "predict", "codes", "estimator", "people", "columns"}
        What the metric is given: decision values; labels and predictions; these as 0 and 1; the
        estimator and the data; the estimator and X; or these with ``sensitive_columns``.
    sensitive_columns : str, int, list, slice or callable, default=None
        Columns of X that hold the sensitive features.
    needs_groups : bool, default=True
        Whether the metric needs sensitive features.
    kwargs : dict, default=None
        Further arguments of the metric.
    """

    def __init__(
        self,
        metric: Callable,
        name: str,
        sign: int,
        response: str,
        sensitive_columns: Any = None,
        needs_groups: bool = True,
        kwargs: dict | None = None,
    ) -> None:
        self.metric, self.name, self.sign, self.response = metric, name, sign, response
        self.sensitive_columns, self.needs_groups = sensitive_columns, needs_groups
        self.kwargs = kwargs or {}
        by_routing = (needs_groups or response == "columns") and sensitive_columns is None
        self._requests = {"sensitive_features": by_routing, "sample_weight": None}

    def __call__(
        self,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        sensitive_features: Any = None,
        sample_weight: Any = None,
    ) -> float:
        """Score a fitted estimator or pipeline.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``decision_function``, ``predict_proba`` or, for metrics on predictions,
            ``predict``.
        X : array-like of shape (n_samples, n_features)
            Test data, as the estimator takes them.
        y : array-like of shape (n_samples,), default=None
            Labels, for metrics that need them.
        sensitive_features : array-like, default=None
            Group membership; columns fixed by ``sensitive_columns`` are used if it is ``None``.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        float
            Greater is better.
        """
        kwargs = dict(self.kwargs)
        if sample_weight is not None:
            kwargs["sample_weight"] = sample_weight
        if self.needs_groups:
            if sensitive_features is None and self.sensitive_columns is not None:
                sensitive_features = select_sensitive(X, self.sensitive_columns)
            if sensitive_features is None:
                raise ValueError(
                    f"The scorer {self.name!r} got no sensitive features. Pass them with metadata "
                    "routing (sklearn.set_config(enable_metadata_routing=True) and "
                    "sensitive_features=... to fit or cross_validate), or fix the columns: "
                    f"make_fairness_scorer({self.name.removeprefix('neg_')!r}, "
                    "sensitive_columns=...)."
                )
            kwargs["sensitive_features"] = sensitive_features
        if self.response == "estimator":
            value = self.metric(estimator, X, y, **kwargs)
        elif self.response == "people":
            if self.sensitive_columns is not None:
                kwargs = {"sensitive_columns": self.sensitive_columns} | kwargs
            value = self.metric(estimator, X, **{"random_state": 0} | kwargs)
        elif self.response == "columns":
            kwargs["sensitive_columns"] = self._columns(estimator, sensitive_features)
            value = self.metric(estimator, X, **{"aggregate": "mean"} | kwargs)
        elif self.response == "decision":
            decision, told = decision_arguments(estimator, X)
            if "unfavorable" in inspect.signature(self.metric).parameters:
                kwargs = told | kwargs
            value = self.metric(decision, **kwargs)
        else:
            y_pred = estimator.predict(X)
            if self.response == "codes":
                y, y_pred = binary_codes(estimator, y), binary_codes(estimator, y_pred)
            value = self.metric(y, y_pred, **kwargs)
        return self.sign * float(value) + 0.0  # 0.0, not -0.0, at parity

    def _columns(self, estimator: Any, sensitive_features: Any) -> Any:
        """Columns of X: those that were fixed, those named like the features, the estimator's."""
        if self.sensitive_columns is not None:
            return self.sensitive_columns
        if sensitive_features is not None:
            names = as_frame(sensitive_features).columns
            if {*map(type, names)} == {str}:
                return list(names)
        own = from_inside(estimator, "sensitive_columns")
        if own is None:
            raise ValueError(
                f"The scorer {self.name!r} must know which columns of X are sensitive: "
                f"make_fairness_scorer({self.name.removeprefix('neg_')!r}, sensitive_columns=...). "
                "Routed sensitive_features do if their names are those of the columns, and so does "
                "the sensitive_columns of an estimator of skfair."
            )
        return own

    def set_score_request(self, **requests: bool | str | None) -> FairnessScorer:
        """Return a copy that requests metadata as given (see scikit-learn's metadata routing).

        Parameters
        ----------
        **requests : bool, str or None
            For ``sensitive_features`` and ``sample_weight``.

        Returns
        -------
        FairnessScorer
            The copy.
        """
        unknown = set(requests) - set(self._requests)
        if unknown:
            raise TypeError(f"Unknown metadata {sorted(unknown)}; known: {list(self._requests)}.")
        other = object.__new__(type(self))
        vars(other).update(vars(self), _requests=self._requests | requests)
        return other

    def get_metadata_routing(self) -> MetadataRequest:
        """Return what this scorer requests.

        Returns
        -------
        MetadataRequest
            For ``score``.
        """
        request = MetadataRequest(owner=repr(self))
        for name, alias in self._requests.items():
            request.score.add_request(param=name, alias=alias)
        return request

    def __repr__(self) -> str:
        arguments = [repr(self.name)]
        if self.sensitive_columns is not None:
            arguments.append(f"sensitive_columns={self.sensitive_columns!r}")
        arguments += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"FairnessScorer({', '.join(arguments)})"


# Group metrics of fairlearn that are scorers by name; smaller is better where the sign is -1.
_FAIRLEARN = {
    "demographic_parity_difference": -1,
    "demographic_parity_ratio": 1,
    "equalized_odds_difference": -1,
    "equalized_odds_ratio": 1,
    "equal_opportunity_difference": -1,
    "equal_opportunity_ratio": 1,
}
# name of the metric -> (function, sign, response, needs groups)
_METRICS = {
    "recourse_gap": (recourse_gap, -1, "decision", True),
    "fairness_index": (fairness_index, 1, "decision", True),
    "robustness_index": (robustness_index, 1, "decision", False),
    "burden_gap": (burden_gap, -1, "people", True),
    "parity_score": (parity_score, -1, "estimator", True),
    "decision_rationale_similarity": (decision_rationale_similarity, 1, "estimator", True),
    "individual_fairness_violation": (largest_violation, -1, "estimator", False),
    "prediction_sensitivity": (prediction_sensitivity, -1, "columns", False),
} | {
    name: (getattr(fairlearn.metrics, name), sign, "codes", True)
    for name, sign in _FAIRLEARN.items()
    if hasattr(fairlearn.metrics, name)
}


def make_fairness_scorer(
    metric: str | Callable,
    /,
    *,
    sensitive_columns: Any = None,
    greater_is_better: bool | None = None,
    **kwargs: Any,
) -> FairnessScorer:
    """Make a scorer from a fairness metric.

    Parameters
    ----------
    metric : str or callable
        A metric of :mod:`skfair.metrics`, one of fairlearn's group metrics (``classes_[1]`` counts
        as selected), the name of one, or any ``metric(y_true, y_pred, *, sensitive_features)``,
        which is given the labels as they are.
    sensitive_columns : str, int, list, slice or callable, default=None
        Columns of the X given to the scorer that hold the sensitive features; needed where
        metadata routing does not bring them.
    greater_is_better : bool, default=None
        If False, the metric's value is negated. ``None``: known metrics know it themselves, any
        other is taken to be a gap if its name ends in ``_difference``, as fairlearn's do.
    **kwargs : dict
        Further arguments of the metric, for example ``unfavorable=`` or ``attributes=``.

    Returns
    -------
    FairnessScorer
        Picklable callable ``(estimator, X, y, *, sensitive_features=None, sample_weight=None)``.

    Raises
    ------
    ValueError
        If a name is not known; the message lists those that are.

    Examples
    --------
    >>> from skfair.metrics import make_fairness_scorer
    >>> make_fairness_scorer("recourse_gap", sensitive_columns="sex")
    FairnessScorer('neg_recourse_gap', sensitive_columns='sex')
    """
    if callable(metric):
        known = {function: name for name, (function, *_) in _METRICS.items()}
        name = known.get(metric, getattr(metric, "__name__", repr(metric)))
        sign = -1 if name.endswith("_difference") else 1
        peer = getattr(metric, "__module__", "").startswith("fairlearn.")
        response = "codes" if peer else "predict"
        entry = _METRICS[name] if metric in known else (metric, sign, response, True)
    else:
        name = metric.removeprefix("neg_")
        if name not in _METRICS:
            raise ValueError(f"Unknown metric {metric!r}; known are {sorted(_METRICS)}.")
        entry = _METRICS[name]
    function, sign, response, needs_groups = entry
    parameters = inspect.signature(function).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if not open_ended and (unknown := sorted(set(kwargs) - set(parameters))):
        raise TypeError(f"{name} has no parameters {unknown}; it has {list(parameters)}.")
    if greater_is_better is not None:
        sign = 1 if greater_is_better else -1
    name = f"neg_{name}" if sign < 0 else name
    return FairnessScorer(function, name, sign, response, sensitive_columns, needs_groups, kwargs)


neg_burden_gap_scorer = make_fairness_scorer("burden_gap")
neg_individual_fairness_violation_scorer = make_fairness_scorer("individual_fairness_violation")
neg_parity_score_scorer = make_fairness_scorer("parity_score")
neg_prediction_sensitivity_scorer = make_fairness_scorer("prediction_sensitivity")
neg_recourse_gap_scorer = make_fairness_scorer("recourse_gap")
fairness_index_scorer = make_fairness_scorer("fairness_index")
robustness_index_scorer = make_fairness_scorer("robustness_index")

_SCORERS = {scorer.name: scorer for scorer in map(make_fairness_scorer, _METRICS)}


def get_scorer_names() -> list[str]:
    """Names of the fairness scorers.

    Returns
    -------
    list of str
        In alphabetical order.

    Examples
    --------
    >>> from skfair.metrics import get_scorer_names
    >>> "neg_recourse_gap" in get_scorer_names()
    True
    """
    return sorted(_SCORERS)


def get_scorer(name: str | Callable) -> Callable:
    """Return a scorer by name: a fairness scorer, else scikit-learn's.

    Parameters
    ----------
    name : str or callable
        One of :func:`get_scorer_names` or :func:`sklearn.metrics.get_scorer_names`; a callable is
        returned as it is.

    Returns
    -------
    callable
        The scorer.

    Raises
    ------
    ValueError
        If neither package knows the name.

    Examples
    --------
    >>> from skfair.metrics import get_scorer
    >>> get_scorer("neg_recourse_gap")
    FairnessScorer('neg_recourse_gap')
    """
    if not isinstance(name, str):
        return name
    if name in _SCORERS:
        return _SCORERS[name]
    try:
        return sklearn.metrics.get_scorer(name)
    except ValueError as error:
        raise ValueError(
            f"Unknown scorer {name!r}; fairness scorers are {get_scorer_names()}, see also "
            "sklearn.metrics.get_scorer_names()."
        ) from error
