"""Whether fairness generalizes: metrics per group and their gaps, side by side on every split."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, NamedTuple

import fairlearn.metrics
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_is_fitted

from .._estimators import accepted_codes
from .._groups import GroupEncoder, as_frame, select_sensitive
from .._tables import as_pandas, numbers
from .._warnings import ignored, warn
from ._directions import FAIRLEARN_RATES
from ._scorers import get_scorer

__all__ = ["fairness_generalization"]

_RESPONSES = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def fairness_generalization(
    estimator: Any,
    splits: Mapping[str, Any],
    metrics: str | Callable | Iterable | Mapping[str, str | Callable] = ("accuracy",),
    *,
    sensitive_columns: Any = None,
) -> pd.DataFrame:
    """Tabulate metrics per group, and their gaps, on train, validation and test data.

    The table of Cherepanova et al. [1]_: a network that is trained to be fair can be so on the
    rows it has seen and on no others.

    Parameters
    ----------
    estimator : estimator or dict of estimators
        A fitted classifier or pipeline; several, as ``{scheme: estimator}``, in one table. Each
        predicts a split once per response method, whatever the number of metrics and groups.
    splits : dict
        ``{name: (X, y, sensitive_features)}``, for example with the names "train", "validation"
        and "test"; ``(X, y)`` will do with `sensitive_columns`. Data may also be a mapping or
        Bunch with the keys `X` (or `data`), `y` (or `target`), `sensitive_features` and,
        optionally, `sample_weight`, which every metric must then take.
    metrics : str, callable, list of these, or dict, default=("accuracy",)
        Names of scikit-learn's scorers; "selection_rate", "true_positive_rate",
        "false_positive_rate", "true_negative_rate" or "false_negative_rate", where ``classes_[1]``
        is positive, or what an estimator that was told ``unfavorable`` takes for favorable; any
        ``metric(y_true, y_pred)``; any scorer ``(estimator, X, y)``. A dict gives
        them the names shown.
    sensitive_columns : str, int, list, slice or callable, default=None
        Columns of X that hold the sensitive features, for splits that bring none.

    Returns
    -------
    pandas.DataFrame
        A row per metric, or per (scheme, metric). Columns (split, group): "overall", each group
        that occurs in any split, and "gap", the largest minus the smallest value of a group.
        Groups of several sensitive features are tuples.

    Raises
    ------
    TypeError
        If `splits` or its data, or a metric, is of another kind.
    ValueError
        If a metric is unknown, a split lacks y or sensitive features, lengths differ, or there is
        one group only.
    NotFittedError
        If an estimator is not fitted.

    Warns
    -----
    UserWarning
        If a metric has no value on some rows, or sensitive features are missing.

    Notes
    -----
    A gap that is gone in ``table["train", "gap"]`` but not in ``table["test", "gap"]`` is
    overfitted fairness. Look at the groups as well: a gap also closes when all groups do badly.
    Being a largest minus a smallest value, it is above zero by chance alone where rows are few.

    NaN stands for a group absent from the split, and for a metric that needs a class of which
    these rows have none (AUC in a group of one class, a true positive rate without positives).
    Gaps are over the groups that have a value, and NaN if fewer than two have. Rows whose
    sensitive features are missing count in "overall" and in no group.

    References
    ----------
    .. [1] V. Cherepanova, V. Nanda, M. Goldblum, J. P. Dickerson and T. Goldstein, "Technical
       Challenges for Training Fair Neural Networks", 2021, Tables 1 and 6-11.

    Examples
    --------
    More features than training rows: perfect, hence fair, on these only.

    >>> from sklearn.linear_model import LogisticRegression
    >>> from skfair.datasets import make_biased_classification
    >>> from skfair.metrics import fairness_generalization
    >>> X, y, group = make_biased_classification(1000, n_features=100, random_state=0)
    >>> splits = {
    ...     "train": (X[:80], y[:80], group[:80]),
    ...     "test": (X[80:], y[80:], group[80:]),
    ... }
    >>> model = LogisticRegression(C=100).fit(X[:80], y[:80])
    >>> table = fairness_generalization(model, splits, ["accuracy", "roc_auc"])
    >>> table.round(2)
    split    train                 test
    group  overall    a    b  gap overall     a     b   gap
    metric
    accuracy   1.0  1.0  1.0  0.0    0.63  0.68  0.59  0.09
    roc_auc    1.0  1.0  1.0  0.0    0.70  0.71  0.67  0.04
    >>> table["test", "gap"].round(2).to_dict()
    {'accuracy': 0.09, 'roc_auc': 0.04}
    """
    functions = _functions(metrics)
    if not isinstance(splits, Mapping):
        raise TypeError(f"splits must be a dict {{name: data}}, got {type(splits).__name__}.")
    models = dict(estimator) if isinstance(estimator, Mapping) else {None: estimator}
    for parameter, value in (("splits", splits), ("metrics", functions), ("estimator", models)):
        if not value:
            raise ValueError(f"{parameter} must not be empty, got {value!r}.")
    data: dict[Hashable, _Split] = {
        name: read_split(name, split, sensitive_columns) for name, split in splits.items()
    }
    members, groups, missing = _members(data)

    values = np.full((len(models), len(functions), len(data), len(groups)), np.nan)
    undefined = []
    for m, (scheme, model) in enumerate(models.items()):
        for d, (name, split) in enumerate(data.items()):
            answers = _Answers(model, split)
            for g, rows in enumerate(members[name]):
                if not len(rows):
                    continue
                answers.choose(rows)
                for f, (metric, function) in enumerate(functions.items()):
                    values[m, f, d, g], reason = _value(function, answers)
                    if reason:
                        of = "" if scheme is None else f" of {scheme!r}"
                        undefined.append(
                            f"{metric!r}{of} on split {name!r}, group {groups[g]!r} ({reason})"
                        )
    values[..., -1] = _gap(values[..., 1:-1])
    if missing:
        total = sum(len(split.y) for split in data.values())
        message = (
            f"sensitive_features is missing in {missing} of {total} rows: they count in 'overall' "
            "and in no group."
        )
        warn(message)
    if undefined:
        message = f"No value of {'; '.join(undefined)}: gaps are over the groups that have one."
        warn(message)
    index = pd.Index(list(functions), name="metric")
    if isinstance(estimator, Mapping):
        index = pd.MultiIndex.from_product([list(models), index], names=["scheme", "metric"])
    columns = [(name, group) for name in data for group in groups]
    columns = pd.MultiIndex.from_tuples(columns, names=["split", "group"])
    return pd.DataFrame(values.reshape(len(index), len(columns)), index=index, columns=columns)


class _Split(NamedTuple):
    X: Any
    y: np.ndarray  # (n,) or (n, n_outputs)
    sensitive_features: pd.DataFrame
    sample_weight: np.ndarray | None


def read_split(name: Hashable, data: Any, sensitive_columns: Any) -> _Split:
    """One split as arrays of equal length, without the rows of weight zero."""
    if isinstance(data, Mapping):
        X, y = data.get("X", data.get("data")), data.get("y", data.get("target"))
        sensitive, weight = data.get("sensitive_features"), data.get("sample_weight")
    elif isinstance(data, (tuple, list)) and len(data) in (2, 3):
        X, y, sensitive, weight = (*data, None, None)[:4]
    else:
        raise TypeError(
            f"splits[{name!r}] must be (X, y, sensitive_features), (X, y) or a dict with these "
            f"keys, got a {type(data).__name__}."
        )
    if X is None or y is None:
        raise ValueError(f"splits[{name!r}] must have X (or data) and y (or target).")
    if sensitive is None and sensitive_columns is None:
        raise ValueError(
            f"splits[{name!r}] has no sensitive_features; add them, or pass sensitive_columns=... "
            "if they are columns of X."
        )
    if sensitive is None:
        sensitive = select_sensitive(X, sensitive_columns)
    weight = None if weight is None else numbers(weight, "sample_weight", ensure_2d=False)
    y = np.asarray(as_pandas(y))
    X = X if hasattr(X, "shape") else np.asarray(X)
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    split = _Split(X, y, as_frame(sensitive), weight)
    if pd.isna(y).any() or not all(isinstance(label, Hashable) for label in y.ravel().tolist()):
        raise ValueError(f"y of splits[{name!r}] has missing labels, or objects that are none.")
    if any(np.ndim(value) == 0 for value in (X, y)):
        raise ValueError(f"splits[{name!r}] must have a row for every sample, in X and in y.")
    n_samples = _num_samples(X)
    for parameter, value in split._asdict().items():
        if value is not None and _num_samples(value) != n_samples:
            raise ValueError(
                f"splits[{name!r}] must have one row per sample: X has {n_samples} rows, "
                f"{parameter} has {_num_samples(value)}."
            )
    if weight is None:
        return split
    if not (weight >= 0).all():
        raise ValueError(f"sample_weight of splits[{name!r}] must not be negative or NaN.")
    rows = np.flatnonzero(weight > 0)
    return _Split(*(_safe_indexing(value, rows) for value in split))


def _members(data: dict[Hashable, _Split]) -> tuple[dict, list, int]:
    """Rows of everybody and of each group in every split; the columns; how many are in no group."""
    frames = [split.sensitive_features.astype(object) for split in data.values()]
    names = frames[0].columns
    for name, frame in zip(data, frames, strict=True):
        if frame.shape[1] != len(names):
            raise ValueError(
                f"All splits must have the same sensitive features, got {list(names)} and, in "
                f"splits[{name!r}], {list(frame.columns)}."
            )
        if set(frame.columns) != set(names):
            frame.columns = names
    encoder = GroupEncoder()
    with ignored("sensitive_features is missing"):
        codes = encoder.encode(pd.concat(frames, ignore_index=True))[:, 0]
    if taken := {"overall", "gap"} & set(encoder.labels):
        raise ValueError(f"A group cannot be named {taken.pop()!r}, which is a column's name.")
    ends = np.cumsum([len(frame) for frame in frames])[:-1]
    members = {
        name: [np.arange(len(part))]
        + [np.flatnonzero(part == code) for code in range(len(encoder.labels))]
        for name, part in zip(data, np.split(codes, ends), strict=True)
    }
    return members, ["overall", *encoder.labels, "gap"], int((codes < 0).sum())


class _Answers:
    """A fitted estimator that predicts a split once and answers for any rows of it from memory.

    ``model`` is the estimator with its response methods exchanged; it answers from memory when
    asked for ``X``, the chosen rows.
    """

    def __init__(self, model: Any, split: _Split) -> None:
        if inspect.isclass(model) or not hasattr(model, "predict"):
            raise TypeError(
                "estimator must be a fitted estimator, or a dict of them; got "
                f"{type(model).__name__}."
            )
        if isinstance(model, BaseEstimator) and not hasattr(model, "classes_"):
            check_is_fitted(model)
        self.split, self.known = split, dict[str, Any]()
        self.model = object.__new__(type(model))
        vars(self.model).update(vars(model))
        for name in _RESPONSES:
            if hasattr(model, name):
                vars(self.model)[name] = self._remember(name, getattr(model, name))

    def choose(self, rows: np.ndarray) -> None:
        split, everybody = self.split, len(rows) == len(self.split.y)
        self.rows, self.y = rows, split.y[rows]
        self.X = split.X if everybody else _safe_indexing(split.X, rows)
        weight = split.sample_weight
        self.weight = {} if weight is None else {"sample_weight": weight[rows]}

    def predict(self) -> Any:
        return self.model.predict(self.X)

    def _remember(self, name: str, method: Callable) -> Callable:
        @functools.wraps(method)
        def respond(X: Any, *args: Any, **kwargs: Any) -> Any:
            if X is not self.X or args or kwargs:  # a scorer that makes rows of its own
                return method(X, *args, **kwargs)
            if name not in self.known:
                self.known[name] = method(self.split.X)
            known = self.known[name]
            if isinstance(known, list) and name != "predict":  # an array per output
                return [_safe_indexing(output, self.rows) for output in known]
            return _safe_indexing(known, self.rows)

        return respond


def _functions(metrics: Any) -> dict[str, Callable]:
    """``function(answers) -> number`` of each metric, by the name shown."""
    if isinstance(metrics, str) or callable(metrics):
        metrics = [metrics]
    if not np.iterable(metrics):
        raise TypeError(f"metrics must be names, callables or a dict of these, got {metrics!r}.")
    if not isinstance(metrics, Mapping):
        metrics = list(metrics)
        names = [m if isinstance(m, str) else getattr(m, "__name__", repr(m)) for m in metrics]
        if len(set(names)) < len(names):
            raise ValueError(f"metrics must have different names, got {names}; pass a dict.")
        metrics = dict(zip(names, metrics, strict=True))
    return {name: _function(metric) for name, metric in metrics.items()}


def _function(metric: Any) -> Callable:
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", None)
    if name in FAIRLEARN_RATES and (name is metric or metric is getattr(fairlearn.metrics, name)):
        return functools.partial(_rate, name)
    if isinstance(metric, str):
        try:
            metric = get_scorer(metric)
        except ValueError as error:
            raise ValueError(
                f"Unknown metric {metric!r}; known are the rates {list(FAIRLEARN_RATES)} and the "
                "names in sklearn.metrics.get_scorer_names()."
            ) from error
    if not callable(metric):
        raise TypeError(f"A metric must be a name or a callable, got {metric!r}.")
    if getattr(metric, "needs_groups", False):
        raise ValueError(f"{metric!r} compares groups; it has no value within one.")
    if _is_scorer(metric):
        return lambda rows: metric(rows.model, rows.X, rows.y, **rows.weight)
    return lambda rows: metric(rows.y, rows.predict(), **rows.weight)


def _is_scorer(metric: Callable) -> bool:
    try:
        first_two = list(inspect.signature(metric).parameters)[:2]
    except ValueError:  # written in C
        return False
    return "X" in first_two or "estimator" in first_two


def _rate(name: str, answers: _Answers) -> float:
    y, y_pred = (accepted_codes(answers.model, v) for v in (answers.y, answers.predict()))
    if not FAIRLEARN_RATES[name].cases(y == 1, y_pred == 1).any():
        return np.nan  # fairlearn has 0 here
    return getattr(fairlearn.metrics, name)(y, y_pred, pos_label=1, **answers.weight)


def _value(function: Callable, answers: _Answers) -> tuple[float, str]:
    """Return the metric on the chosen rows, and why it is NaN."""
    lacks_class = len(pd.unique(answers.y.ravel())) < len(getattr(answers.model, "classes_", ()))
    reason = "it is undefined on these rows"
    with warnings.catch_warnings():
        if lacks_class:  # scikit-learn refuses some metrics, of others it makes up a value
            warnings.simplefilter("error", UndefinedMetricWarning)
            warnings.filterwarnings("error", "No positive class found")
        try:
            value = function(answers)
        except (UserWarning, ValueError) as error:
            if not (lacks_class and answers.known):  # not the metric, but the prediction, failed
                raise
            value, reason = np.nan, str(error).split(". ")[0]
    if np.ndim(value):
        raise TypeError(f"A metric must return one number, got one of shape {np.shape(value)}.")
    return float(value), reason if np.isnan(value) else ""


def _gap(values: np.ndarray) -> np.ndarray:
    """Largest minus smallest of the values, on the last axis, if there are two."""
    gap = np.fmax.reduce(values, axis=-1) - np.fmin.reduce(values, axis=-1)
    return np.where((~np.isnan(values)).sum(axis=-1) > 1, gap, np.nan)
