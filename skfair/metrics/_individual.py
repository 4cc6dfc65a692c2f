"""Search for people who are treated more differently than they are (individual fairness)."""

from __future__ import annotations

from functools import partial
from inspect import isclass
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, _safe_indexing
from sklearn.utils._param_validation import Interval, validate_params

from .._columns import numeric_columns, rows_with
from .._estimators import check_classifier
from .._random import own_generator
from .._tables import as_table, check_weights, numbers
from ..smoothing import WeightedMetric
from ..smoothing._columns import check_complete
from ..smoothing.guarantees import epsilon_reached

__all__ = ["individual_fairness_violation"]

ROUNDING = 1e-12  # of outcomes: no difference


@validate_params(
    {
        "n_pairs": [Interval(Integral, 1, None, closed="left")],
        "n_steps": [Interval(Integral, 0, None, closed="left")],
        "epsilon": [Interval(Real, 0, 1, closed="left"), None],
        "metric": [str, WeightedMetric, None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def individual_fairness_violation(
    estimator: Any,
    X: Any,
    *,
    metric: str | WeightedMetric | None = None,
    n_pairs: int = 1000,
    n_steps: int = 8,
    epsilon: float | None = None,
    sample_weight: Any = None,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Ratio of the difference in outcome to the distance, over pairs of people.

    A classifier is individually fair under a metric if no ratio exceeds one (Individual Fairness
    Revisited, Definition 3). Outcomes differ by their total variation: half the sum of absolute
    differences of ``predict_proba``, or 0 and 1 where there is only ``predict``.

    Parameters
    ----------
    estimator : classifier
        A fitted classifier or pipeline.
    X : array-like or DataFrame of shape (n_samples, n_features)
        People, finite numbers in the columns of the metric.
    metric : WeightedMetric, {"l1", "l2", "linf"} or None, default=None
        The distance; a name stands for weights of one on all columns that hold numbers. ``None``
        takes the ``metric_`` of a smoothed classifier, and "l2" for any other.
    n_pairs : int, default=1000
        Number of random pairs, and of adversarial ones. The second person of a pair has the numbers
        of another row of X and all other columns of the first, so that they can be compared.
    n_steps : int, default=8
        How often an adversarial pair is halved. Half of them start as the random pairs with the
        greatest ratios, half as people who differ in one number only; each step goes on with the
        half of the way between the two along which the outcome changes more. The worst pair on the
        way counts.
    epsilon : float in [0, 1), default=None
        Difference in outcome that is forgiven: what sampling leaves open ([1]_, Definition 7).
        ``None`` takes what a smoothed classifier's number of draws allows, and 0 for any other.
    sample_weight : array-like of shape (n_samples,), default=None
        People are drawn in proportion to it.
    random_state : int, RandomState instance or None, default=None
        Of the pairs.

    Returns
    -------
    Bunch
        ``largest`` and ``mean``: of the ratios (float); ``pairs``: DataFrame with ``distance``,
        ``difference``, ``ratio`` and ``adversarial`` for each pair; ``worst``: the two people of
        the greatest ratio, as rows like those of X.

    Raises
    ------
    ValueError
        If there are fewer than two people who differ, or the metric is not known.

    References
    ----------
    .. [1] S. Yeom, M. Fredrikson. Individual Fairness Revisited: Transferring Techniques from
       Adversarial Robustness. IJCAI 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skfair.metrics import individual_fairness_violation
    >>> X = np.linspace(-3, 3, 50)[:, np.newaxis]
    >>> model = LogisticRegression().fit(X, X[:, 0] > 0)
    >>> found = individual_fairness_violation(model, X, metric="l1", random_state=0)
    >>> slope = model.coef_[0, 0] / 4  # of the logistic function, where it is steepest
    >>> bool(0.95 * slope < found.largest <= slope)
    True
    """
    if isclass(estimator) or not hasattr(estimator, "predict_proba"):
        check_classifier(estimator)
    X = as_table(X)
    if not isinstance(X, pd.DataFrame):
        X = numbers(X, dtype="numeric")
    estimator = getattr(estimator, "best_estimator_", estimator)
    metric = _resolve(metric, estimator, X)
    columns = list(range(X.shape[1])) if metric.columns is None else metric.columns
    check_complete(
        _safe_indexing(X, [i for i in columns if i < X.shape[1]], axis=1),
        "there is no distance: give a WeightedMetric of other columns, or impute",
    )
    metric(X[:1], X[:1])  # are these its columns?
    epsilon = _sampling_error(estimator) if epsilon is None else epsilon
    values = numbers(X.iloc[:, columns] if isinstance(X, pd.DataFrame) else X[:, columns])
    rng = own_generator(random_state)
    search = _Search(estimator, X, metric, columns)

    upto = np.cumsum(check_weights(sample_weight, len(values)))
    draw = partial(_draw_pairs, values, upto / upto[-1], rng)
    people, ends = draw(n_pairs, one_column=False)
    random = search.measure(people, values[people], ends)
    found = [random]
    if n_steps:
        worst = np.argsort(-random.ratio(epsilon), kind="stable")[: -(-n_pairs // 2)]
        more, others = draw(n_pairs // 2, one_column=True)
        people = np.concatenate([people[worst], more])
        ends = np.concatenate([ends[worst], others])
        found.append(search.halve(people, values[people], ends, n_steps, epsilon))
    ratios = np.concatenate([pairs.ratio(epsilon) for pairs in found])
    table = pd.DataFrame(
        {
            "distance": np.concatenate([pairs.distance for pairs in found]),
            "difference": np.concatenate([pairs.difference for pairs in found]),
            "ratio": ratios,
            "adversarial": np.repeat([False, True][: len(found)], [len(p.people) for p in found]),
        }
    )
    table = table[table["distance"] > 0]
    if table.empty:
        raise ValueError("X must hold at least two people who differ in a column of the metric.")
    top = int(table["ratio"].idxmax())
    people, starts, ends = (
        np.concatenate([getattr(pairs, name) for pairs in found])[top]
        for name in ("people", "starts", "ends")
    )
    return Bunch(
        largest=float(table["ratio"].max()),
        mean=float(table["ratio"].mean()),
        pairs=table.reset_index(drop=True),
        worst=rows_with(X, np.full(2, people), columns, np.stack([starts, ends])),
    )


def largest_violation(
    estimator: Any,
    X: Any,
    y: Any = None,  # noqa: ARG001  (scorers hand it on)
    *,
    metric: str | WeightedMetric | None = None,
    n_pairs: int = 1000,
    n_steps: int = 8,
    epsilon: float | None = None,
    sample_weight: Any = None,
    random_state: int | np.random.RandomState | None = 0,
) -> float:
    """Largest ratio of :func:`individual_fairness_violation`, for scorers; labels play no part."""
    return individual_fairness_violation(
        estimator,
        X,
        metric=metric,
        n_pairs=n_pairs,
        n_steps=n_steps,
        epsilon=epsilon,
        sample_weight=sample_weight,
        random_state=random_state,
    ).largest


class _Pairs(NamedTuple):
    """Pairs of people: rows of X with the given numbers in the columns of the metric."""

    people: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    distance: np.ndarray
    difference: np.ndarray

    def ratio(self, epsilon: float) -> np.ndarray:
        excess = np.maximum(self.difference - epsilon - ROUNDING, 0)
        return np.divide(excess, self.distance, out=np.zeros_like(excess), where=self.distance > 0)


class _Search:
    """What the estimator and the metric say about pairs."""

    def __init__(self, estimator: Any, X: Any, metric: WeightedMetric, columns: list[int]) -> None:
        self.estimator, self.X, self.metric, self.columns = estimator, X, metric, columns

    def outcome(self, people: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Distribution over classes, (n, n_classes)."""
        rows = rows_with(self.X, people, self.columns, numbers)
        if hasattr(self.estimator, "predict_proba"):
            return np.asarray(self.estimator.predict_proba(rows), dtype=np.float64)
        predicted = np.asarray(self.estimator.predict(rows))[:, np.newaxis]
        return (predicted == self.estimator.classes_).astype(np.float64)

    def measure(self, people: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> _Pairs:
        """Distances and differences of pairs."""
        outcomes = (self.outcome(people, numbers) for numbers in (starts, ends))
        return self._pairs(people, starts, ends, *outcomes)

    def halve(
        self, people: np.ndarray, starts: np.ndarray, ends: np.ndarray, n: int, epsilon: float
    ) -> _Pairs:
        """Go on with the worse half of each pair ``n`` times; return the worst found of each."""
        first, last = self.outcome(people, starts), self.outcome(people, ends)
        worst = self._pairs(people, starts, ends, first, last)
        for _ in range(n):
            middles = (starts + ends) / 2
            middle = self.outcome(people, middles)
            early = (_variation(first, middle) >= _variation(middle, last))[:, np.newaxis]
            starts, first = np.where(early, starts, middles), np.where(early, first, middle)
            ends, last = np.where(early, middles, ends), np.where(early, middle, last)
            found = self._pairs(people, starts, ends, first, last)
            worse = found.ratio(epsilon) > worst.ratio(epsilon)
            worst = _Pairs(
                *(
                    np.where(worse.reshape(-1, *[1] * (old.ndim - 1)), new, old)
                    for new, old in zip(found, worst, strict=True)
                )
            )
        return worst

    def _pairs(
        self,
        people: np.ndarray,
        starts: np.ndarray,
        ends: np.ndarray,
        first: np.ndarray,
        last: np.ndarray,
    ) -> _Pairs:
        distance = self.metric.of_shift(starts - ends)
        return _Pairs(people, starts, ends, distance, _variation(first, last))


def _variation(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.abs(p - q).sum(axis=1) / 2


def _draw_pairs(
    numbers: np.ndarray, upto: np.ndarray, rng: np.random.RandomState, n: int, one_column: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Rows, and for each the numbers of another row, all of them or one.

    ``upto`` is the share of all weight up to each row.
    """
    people, others = np.searchsorted(upto, rng.uniform(size=(2, n)), side="right")
    if not one_column:
        return people, numbers[others]
    ends, column = numbers[people].copy(), rng.randint(numbers.shape[1], size=n)
    ends[np.arange(n), column] = numbers[others, column]
    return people, ends


def _resolve(metric: Any, estimator: Any, X: Any) -> WeightedMetric:
    if metric is None:
        last = estimator.steps[-1][1] if hasattr(estimator, "steps") else None
        if hasattr(last, "metric_"):
            raise ValueError(
                "metric=None does not know the distance: that of the smoothed classifier is about "
                "what the steps before it make of X. Give a metric for X, or the last step alone "
                "and transformed X."
            )
        metric = getattr(estimator, "metric_", "l2")
    if not isinstance(metric, str):
        return metric
    columns = numeric_columns(X)
    if not columns:
        raise ValueError("X has no column of numbers, along which people could differ.")
    return WeightedMetric(metric, np.ones(len(columns)), columns=columns)


def _sampling_error(estimator: Any) -> float:
    """By how much sampled outcomes may differ too much, with the probability delta."""
    draws = getattr(estimator, "n_samples_", 0)
    if not (draws and hasattr(estimator, "metric_")):
        return 0.0
    return epsilon_reached(draws, estimator.delta, len(estimator.classes_), estimator._shared)
