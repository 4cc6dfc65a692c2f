"""Scorers for ``cross_validate`` and ``GridSearchCV``: greater is better, gaps carry ``neg_``.

scikit-learn does not know their names: pass a scorer in ``scoring=``, never a string.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import sklearn.metrics

from ._acceptance import acceptance_rate
from ._burden import burden_gap
from ._directions import Peer, group_metrics, unwrap
from ._individual import largest_violation
from ._parity import decision_rationale_similarity, parity_score
from ._recourse import fairness_index, recourse_gap, robustness_index
from ._scorer import OF_LABELS, FairnessScorer
from ._sensitivity import prediction_sensitivity

__all__ = [
    "acceptance_rate_scorer",
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
    "acceptance_rate": (acceptance_rate, 1, "estimator", False),
} | {
    name: (metric, peer.sign, peer.response, True)
    for name, metric in group_metrics().items()
    if (peer := Peer.of(metric)).sign is not None
}


def make_fairness_scorer(
    metric: str | Callable,
    /,
    *,
    sensitive_columns: Any = None,
    control_columns: Any = None,
    control_aggregate: str = "mean",
    greater_is_better: bool | None = None,
    **kwargs: Any,
) -> FairnessScorer:
    """Make a scorer from a fairness metric.

    Parameters
    ----------
    metric : str or callable
        A metric of :mod:`skfair.metrics`, one of fairlearn's group metrics or of its
        ``make_derived_metric`` (the favorable class counts as selected), the name of one, or any
        ``metric(y_true, y_pred, *, sensitive_features)``, which is given the labels as they are.
        :func:`functools.partial` of any of these.
    sensitive_columns : str, int, list, slice or callable, default=None
        Columns of the X given to the scorer that hold the sensitive features; needed where
        metadata routing does not bring them.
    control_columns : str, int, list, slice or callable, default=None
        Columns of that X that hold control features: the metric is then computed within each of
        their values (conditional parity). They can be routed as ``control_features``, too, by a
        scorer that requests them: ``scorer.set_score_request(control_features=True)``.
    control_aggregate : {"mean", "worst"}, default="mean"
        Whether the score is the mean over these strata, by their (weighted) numbers of rows, or
        that of the worst.
    greater_is_better : bool, default=None
        If False, the metric's value is negated. ``None``: skfair's and fairlearn's metrics know
        it; of others a name that ends in ``_difference``, ``_error``, ``_loss`` or ``_deviance``
        says that less is better, one in ``_score`` that more is. Nothing else is guessed.
    **kwargs : dict
        Further arguments of the metric, for example ``attributes=``; ``unfavorable=`` for all that
        look at who is accepted (a label or list of labels; ``None``: what the estimator was told,
        else ``classes_[0]``); and for metrics of labels ``response_method=``, one of "predict",
        "predict_proba" and "decision_function".

    Returns
    -------
    FairnessScorer
        Picklable callable ``(estimator, X, y, *, sensitive_features=None, sample_weight=None)``.

    Raises
    ------
    TypeError
        If ``metric`` compares no groups, or has no parameter of a name.
    ValueError
        If a name is not known (the message lists those that are), or it cannot be known whether
        more is better.

    Notes
    -----
    Works in ``cross_validate``, searches, ``monitor=`` of the estimators, ``EpochScoring`` of
    skorch, ``TunedThresholdClassifierCV`` (metrics of labels) and the displays of scikit-learn.
    Pass the scorer: scikit-learn does not know its name, so a string in ``scoring=`` cannot work.

    Examples
    --------
    >>> from skfair.metrics import make_fairness_scorer
    >>> make_fairness_scorer("recourse_gap", sensitive_columns="sex")
    FairnessScorer('neg_recourse_gap', sensitive_columns='sex')
    """
    function, name, sign, response, needs_groups = _entry(metric)
    if response in OF_LABELS:
        _refuse_pos_label(metric, response, kwargs)
        if "response_method" in kwargs:
            response = _respond(kwargs.pop("response_method"), response)
    if greater_is_better is not None:
        sign = 1 if greater_is_better else -1
    if sign is None:
        raise ValueError(
            f"It cannot be known whether a greater {name!r} is better: pass greater_is_better=True "
            "or greater_is_better=False to make_fairness_scorer."
        )
    known = {"unfavorable"} if response in ("codes", "scores", "probabilities") else set()
    _check_parameters(function, name, set(kwargs) - known)
    name = f"neg_{name}" if sign < 0 else name
    columns = {"control_columns": control_columns, "control_aggregate": control_aggregate}
    return FairnessScorer(
        function, name, sign, response, sensitive_columns, needs_groups, kwargs, **columns
    )


def _entry(metric: Any) -> tuple[Callable, str, int | None, str, bool]:
    """Return the function, its name, sign and response, and whether it needs groups."""
    if isinstance(metric, str):
        name = metric.removeprefix("neg_")
        if name not in _METRICS:
            raise ValueError(f"Unknown metric {metric!r}; known are {sorted(_METRICS)}.")
        function, *rest = _METRICS[name]
        return function, name, *rest
    if not callable(metric):
        raise TypeError(f"metric must be a name or a callable, got {type(metric).__name__}.")
    if isinstance(metric, FairnessScorer):
        raise TypeError(f"{metric!r} is a scorer already; pass the metric or its name.")
    for name, (function, *rest) in _METRICS.items():
        if unwrap(metric) is function:
            return metric, name, *rest
    peer = Peer.of(metric)
    parameters = _parameters(metric)
    if parameters is not None and "sensitive_features" not in parameters:
        raise TypeError(
            f"{peer.name} has no parameter sensitive_features: it compares no groups. "
            "fairlearn.metrics.make_derived_metric(metric=..., transform='difference') makes a "
            "metric that does; sklearn.metrics.make_scorer makes a scorer of it as it is."
        )
    return metric, peer.name, peer.sign, peer.response, True


def _parameters(function: Callable) -> list[str] | None:
    """Names of the parameters, ``None`` if any will do or they are not known."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return None
    return list(parameters)


def _check_parameters(function: Callable, name: str, given: set[str]) -> None:
    parameters = _parameters(function)
    if parameters is not None and (unknown := sorted(given - set(parameters))):
        raise TypeError(f"{name} has no parameters {unknown}; it has {parameters}.")


def _refuse_pos_label(metric: Any, response: str, kwargs: dict) -> None:
    """fairlearn's ``pos_label`` would be among 0 and 1, not among the labels."""
    said = set(kwargs)
    while isinstance(metric, partial):
        said |= set(metric.keywords)
        metric = metric.func
    if response != "predict" and "pos_label" in said:
        raise TypeError(
            "pos_label= is said by unfavorable=, the class that is not the positive one, as "
            "everywhere in skfair."
        )


def _respond(how: str, response: str) -> str:
    known = {"predict": response if response == "predict" else "codes"}
    known |= {"predict_proba": "probabilities", "decision_function": "scores"}
    if how not in known:
        raise ValueError(f"response_method must be one of {list(known)}, got {how!r}.")
    return known[how]


acceptance_rate_scorer = make_fairness_scorer("acceptance_rate")
neg_burden_gap_scorer = make_fairness_scorer("burden_gap")
neg_individual_fairness_violation_scorer = make_fairness_scorer("individual_fairness_violation")
neg_parity_score_scorer = make_fairness_scorer("parity_score")
neg_prediction_sensitivity_scorer = make_fairness_scorer("prediction_sensitivity")
neg_recourse_gap_scorer = make_fairness_scorer("recourse_gap")
fairness_index_scorer = make_fairness_scorer("fairness_index")
robustness_index_scorer = make_fairness_scorer("robustness_index")

_SCORERS = {scorer.name: scorer for scorer in map(make_fairness_scorer, _METRICS)}


def get_scorer_names() -> list[str]:
    """List the names of the fairness scorers.

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

    scikit-learn's own ``get_scorer``, and so ``scoring="neg_recourse_gap"``, does not know the
    names of fairness scorers: write ``scoring=get_scorer("neg_recourse_gap")``.

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
