"""How much a single prediction leans on a sensitive attribute (prediction sensitivity)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from torch import Tensor

from .._columns import column_positions, numeric_columns, rows_with
from .._estimators import split_pipeline
from .._random import own_generator
from .._tables import as_table, check_weights
from ..networks._inspection import is_differentiable, one_hot_network

__all__ = ["prediction_sensitivity"]

BATCH_ROWS = 8192  # differentiated together
MAX_CATEGORIES = 50
AGGREGATES = ("mean", "max", "p95")


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "noise_scale": [Interval(Real, 0, None, closed="left")],
        "method": [StrOptions({"auto", "gradient", "flip"})],
        "scale": [StrOptions({"probability", "logit"})],
        "aggregate": [StrOptions(set(AGGREGATES)), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def prediction_sensitivity(
    estimator: Any,
    X: Any,
    *,
    sensitive_columns: Any,
    n_samples: int = 1,
    noise_scale: float = 0.0,
    method: str = "auto",
    scale: str = "probability",
    aggregate: str | None = None,
    sample_weight: Any = None,
    random_state: int | np.random.RandomState | None = None,
) -> np.ndarray | float:
    """How much each prediction depends on the sensitive attribute, directly.

    |d F(x) / d a| [1]_ (section 3), where F is the probability of ``classes_[1]``, or of the
    predicted class where there are more than two, and a the sensitive attribute; or what F changes
    by if the attribute had another value. The greatest over ``n_samples`` noisy copies of a person
    is the smooth version (section 4).

    Parameters
    ----------
    estimator : classifier
        A fitted classifier, pipeline or search.
    X : array-like or DataFrame of shape (n_samples, n_features)
        People, as the estimator takes them.
    sensitive_columns : str, int, list, slice or callable
        Columns of X that hold the sensitive attribute(s).
    n_samples : int, default=1
        Number of copies.
    noise_scale : float >= 0, default=0.0
        Standard deviation of the noise: on everything the network sees, or on the columns of X that
        hold numbers, sensitive ones excepted, for "flip"; never on a tabular network's categories.
        All people get the same noise, so that nobody's value depends on the others.
    method : {"auto", "gradient", "flip"}, default="auto"
        - "gradient": the derivative, for networks of skfair and skorch and for linear models with
          probabilities, at the end of a pipeline too: then with respect to the columns that the
          pipeline made of the sensitive one. Where there are several, the largest. A category of a
          tabular network counts as 0/1 columns, by which its embedding is multiplied.
        - "flip": the change of F when a column gets another of the values in X, the largest over
          the values; 0/1 columns of which each row has one (one-hot) change together. For any
          classifier; the rows go through the whole pipeline.
        - "auto": the gradient where there is one, but "flip" for categories of a tabular network.
    scale : {"probability", "logit"}, default="probability"
        Whether F is the probability or its log-odds.
    aggregate : {"mean", "max", "p95"} or None, default=None
        One number for all people: mean, largest or 95th percentile.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the people in the aggregate.
    random_state : int, RandomState instance or None, default=None
        Of the noise.

    Returns
    -------
    ndarray of shape (n_samples,) or float
        Not negative; per unit of the columns the network sees ("gradient").

    Raises
    ------
    ValueError
        If the columns cannot be found (behind a transformer that mixes them, for instance), have
        no derivative, or more than 50 values to flip; or the classifier has no probabilities.

    Notes
    -----
    It sees direct dependence only: a network that never sees the attribute, but its proxies, has a
    sensitivity of zero. One that grows steeply near the boundary has the largest sensitivities
    there: it speaks of certainty as much as of the attribute.

    References
    ----------
    .. [1] I. C. Ngong, K. Maughan, J. P. Near. Towards Auditability for Fairness in Deep Learning.
       2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skfair.metrics import prediction_sensitivity
    >>> X = np.array([[0.0, 0], [1, 0], [0, 1], [3, 1]])
    >>> model = LogisticRegression().fit(X, [0, 0, 1, 1])
    >>> p = model.predict_proba(X)[:, 1]
    >>> found = prediction_sensitivity(model, X, sensitive_columns=1)
    >>> np.allclose(found, p * (1 - p) * abs(model.coef_[0, 1]))
    True
    """
    X = as_table(X)
    final, before = split_pipeline(estimator)
    if method == "gradient" and not is_differentiable(final):
        raise ValueError(
            f"method='gradient' needs a network of skfair or skorch, or a linear model with "
            f"probabilities; {type(final).__name__} has no gradient: use 'flip' or 'auto'."
        )
    seed = int(own_generator(random_state).randint(2**31 - 1))
    noise = _Noise(n_samples, noise_scale, seed)
    problem = None
    if method != "flip" and is_differentiable(final):
        problem = _gradient_problem(final, before, X, sensitive_columns, scale)
    if problem is None or (method == "auto" and problem.of_categories):
        found = _by_flipping(estimator, X, sensitive_columns, scale, noise)
    else:
        found = _by_gradient(problem, noise)
    return found if aggregate is None else _aggregate(found, aggregate, sample_weight)


class _Noise(NamedTuple):
    """Copies of everybody, one after the other."""

    copies: int
    scale: float
    seed: int

    def __call__(self, n_columns: int) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(self.seed)
        for _ in range(self.copies if self.scale else 1):
            yield self.scale * rng.standard_normal(n_columns)


def _aggregate(values: np.ndarray, how: str, sample_weight: Any) -> float:
    weights = check_weights(sample_weight, len(values))
    values, weights = values[weights > 0], weights[weights > 0]
    if how == "max":
        return float(values.max())
    if how == "mean":
        return float(np.average(values, weights=weights))
    order = np.argsort(values)
    upto = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(upto, 0.95 * upto[-1])])


# -- the derivative ---------------------------------------------------------------------------


class _GradientProblem(NamedTuple):
    """A function of what a network sees, and where the attribute is in it."""

    outcome: Callable[[Tensor], Tensor]  # rows -> F, (n,)
    rows: Tensor
    columns: list[int]
    noisy: list[int] | None  # what noise is added to; None for everything
    of_categories: bool  # whether the attribute is one, at least in part


def _gradient_problem(
    final: Any, before: Any, X: Any, sensitive_columns: Any, scale: str
) -> _GradientProblem:
    columns = column_positions(X, sensitive_columns)
    inputs = X
    if before is not None:
        inputs, columns = before.transform(X), _columns_after(before, X, columns)
    if hasattr(final, "net_"):
        columns = _of_skfair(final, columns)
    network, seen, table = one_hot_network(final)
    module, log_proba = network
    rows = network.tensor(seen(inputs))
    noisy, of_categories = None, False
    if table is not None:
        of_categories = any(i in table.codes for i in columns)
        noisy = [of[0] for i, of in enumerate(table.columns) if i not in table.codes]
        columns = [
            j
            for i in columns
            for j in (table.columns[i] if i in table.codes else table.columns[i][:1])
        ]

    def outcome(rows: Tensor) -> Tensor:
        log_p = log_proba(module(rows))
        last = log_p.shape[1] - 1
        chosen = log_p.argmax(1) if last > 1 else torch.full_like(log_p[:, 0], last).long()
        others = log_p.scatter(1, chosen[:, None], -torch.inf).logsumexp(1)
        log_p = log_p.gather(1, chosen[:, None])[:, 0]
        return log_p.exp() if scale == "probability" else log_p - others

    return _GradientProblem(outcome, rows, columns, noisy, of_categories)


def _columns_after(before: Any, X: Any, columns: list[int]) -> list[int]:
    """Where transformers have put columns of X, by the names they give."""
    try:
        names = before.get_feature_names_out()
    except (AttributeError, ValueError) as error:
        raise ValueError(
            f"The steps before the classifier do not name their columns ({error}), so that the "
            "sensitive ones cannot be found among them; use method='flip'."
        ) from error
    before_names = getattr(before, "feature_names_in_", [f"x{i}" for i in range(X.shape[1])])
    before_names = [str(name) for name in before_names]
    found = [i for column in columns for i in _made_of(before_names[column], before_names, names)]
    if not found:
        wanted = [before_names[i] for i in columns]
        raise ValueError(
            f"None of the columns {list(names)} is named after {wanted}: the steps before the "
            "classifier have dropped the sensitive column or mixed it with others; method='flip' "
            "sends changed rows through all of them."
        )
    return found


def _made_of(name: str, before: list[str], after: Iterable[str]) -> list[int]:
    """Positions of the columns that carry a name, alone (``sex``) or with a category (``sex_f``).

    Raises
    ------
    ValueError
        If others carry it together with something else, as products do.
    """
    found = []
    for i, full in enumerate(after):
        local = full.split("__", 1)[-1]
        names = [b for b in before if local == b or local.startswith(f"{b}_")]
        if names and max(names, key=len) == name:
            found.append(i)
        elif not names and name in re.split(r"[ ^*]", local):
            raise ValueError(
                f"The column {full!r} mixes {name!r} with others or itself: the gradient with "
                "respect to one column is not that with respect to the attribute; use "
                "method='flip'."
            )
    return found


def _of_skfair(final: Any, columns: list[int]) -> list[int]:
    """Which of the columns the network sees, and where."""
    if final._encoder.multi_label:
        raise ValueError("prediction_sensitivity needs one label a row, y had several.")
    if final._encoder.kept_columns is None:
        return columns
    kept = final._encoder.kept_columns
    return [kept.index(i) for i in columns if i in kept]


def _by_gradient(problem: _GradientProblem, noise: _Noise) -> np.ndarray:
    rows = problem.rows
    found = torch.zeros(len(rows), dtype=rows.dtype, device=rows.device)
    if not problem.columns:  # the network does not see the attribute
        return found.double().cpu().numpy()
    noisy = problem.noisy
    for drawn in noise(rows[0].numel() if noisy is None else len(noisy)):
        shift = torch.tensor(drawn, dtype=rows.dtype, device=rows.device)
        if noisy is not None:
            shift = rows.new_zeros(rows.shape[1]).index_copy(0, torch.tensor(noisy), shift)
        shift = shift.view(rows[0].shape)
        for part, largest in zip(rows.split(BATCH_ROWS), found.split(BATCH_ROWS), strict=True):
            copies = (part + shift).requires_grad_()
            (slope,) = torch.autograd.grad(problem.outcome(copies).sum(), copies)
            torch.maximum(largest, slope[:, problem.columns].abs().amax(1), out=largest)
    return found.double().cpu().numpy()


# -- another value ----------------------------------------------------------------------------


def _by_flipping(
    estimator: Any, X: Any, sensitive_columns: Any, scale: str, noise: _Noise
) -> np.ndarray:
    columns = column_positions(X, sensitive_columns)
    noisy = [i for i in numeric_columns(X) if i not in columns]
    blocks = [(block, _alternatives(X, block)) for block in _blocks(X, columns)]
    everyone, found = np.arange(len(X)), np.zeros(len(X))
    numbers = _numbers(_safe_indexing(X, noisy, axis=1))
    for shift in noise(len(noisy)):
        copies = rows_with(X, everyone, noisy, numbers + shift) if noise.scale else X
        before = _outcomes(estimator, copies, scale)
        chosen = before.argmax(axis=1) if before.shape[1] > 2 else np.ones(len(X), dtype=int)
        for block, values in blocks:
            for value in values:
                after = _outcomes(estimator, _with_value(copies, block, value), scale)
                np.maximum(found, np.abs(after - before)[everyone, chosen], out=found)
    return found


def _numbers(table: Any) -> np.ndarray:
    if hasattr(table, "iloc"):
        return table.to_numpy(np.float64, na_value=np.nan)
    return np.asarray(table, dtype=np.float64)


def _blocks(X: Any, columns: list[int]) -> list[list[int]]:
    """Columns that change together: one-hot columns all at once, any other by itself."""
    if len(columns) > 1:
        part = _safe_indexing(X, columns, axis=1)
        try:
            part = np.asarray(part, dtype=np.float64)
        except (ValueError, TypeError):
            return [[column] for column in columns]
        if np.isin(part, (0, 1)).all() and (part.sum(axis=1) == 1).all():
            return [columns]
    return [[column] for column in columns]


def _alternatives(X: Any, block: list[int]) -> list[tuple]:
    part = _safe_indexing(X, block, axis=1)
    values = pd.DataFrame(part).dropna().drop_duplicates()
    if hasattr(part, "dtypes") and isinstance(part.dtypes.iloc[0], pd.CategoricalDtype):
        values = pd.DataFrame({0: part.iloc[:, 0].cat.categories})
    if len(values) < 2:
        raise ValueError(
            f"The sensitive column at position {block[0]} has one value in X; method='flip' must "
            "see another one there: pass people of all groups, or a column of dtype category."
        )
    if len(values) > MAX_CATEGORIES:
        raise ValueError(
            f"The sensitive column at position {block[0]} has {len(values)} values; method='flip' "
            f"takes at most {MAX_CATEGORIES}: bin them, or use method='gradient'."
        )
    return list(values.itertuples(index=False, name=None))


def _with_value(X: Any, block: list[int], value: tuple) -> Any:
    X = X.copy()
    for column, entry in zip(block, value, strict=True):
        if hasattr(X, "iloc"):
            kind = X.dtypes.iloc[column]
            X.isetitem(column, pd.Series([entry] * len(X), index=X.index, dtype=kind))
        else:
            X[:, column] = entry
    return X


def _outcomes(estimator: Any, X: Any, scale: str) -> np.ndarray:
    """F of every class, (n, n_classes)."""
    if not hasattr(estimator, "predict_proba"):
        raise ValueError(
            f"prediction_sensitivity needs probabilities, {type(estimator).__name__} has no "
            "predict_proba; sklearn.calibration.CalibratedClassifierCV gives it one."
        )
    proba = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    if scale == "probability":
        return proba
    eps = np.finfo(np.float64).eps
    proba = proba.clip(eps, 1 - eps)
    return np.log(proba) - np.log1p(-proba)
