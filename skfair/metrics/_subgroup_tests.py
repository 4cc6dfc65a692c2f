"""Statistics of :func:`skfair.metrics.subgroup_report`: values, intervals and tests of groups."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from .._rates import COUNT_TOLERANCE, clopper_pearson

EXACT = {
    "test": "Fisher's exact test",
    "change_test": "McNemar's exact test",
    "interval": "Clopper-Pearson",
}
RESAMPLED = {
    "test": "permutation tests",
    "change_test": "permutation tests",
    "interval": "percentile bootstrap",
}
MAX_EXTREME_DRAWS = 20  # at least as extreme as the observed value; then a test stops


def compare_rates(
    groups: pd.DataFrame, everybody: pd.Series, level: float
) -> tuple[pd.DataFrame, list[float]]:
    """Value, interval and test of each group from its counts (effective ones, if weighted).

    Parameters
    ----------
    groups : DataFrame of shape (n_groups, n_counts)
        Sums of :func:`row_counts`.
    everybody : Series of shape (n_counts,)
        The same for all rows.
    level : float
        Confidence level.

    Returns
    -------
    groups : DataFrame
        As :func:`measure` does.
    overall : list of float
        The metric over everybody, for the model and the baseline.
    """
    columns = ["cases", "case_weight", "case_weight_squared", "hit_weight"]
    _, weight, squared, hits = groups[columns].to_numpy().T
    rest = (everybody[columns] - groups[columns]).to_numpy().T
    rest_cases, rest_weight, rest_squared, rest_hits = rest
    value, n = hits / weight, _kish(weight, squared)
    lower, upper = clopper_pearson(value * n, n, (1 - level) / 2)
    result = {"value": value, "lower": lower, "upper": upper}
    overall = [everybody["hit_weight"] / everybody["case_weight"]]
    n_rest = np.floor(np.minimum(_kish(rest_weight, rest_squared), rest_cases) + COUNT_TOLERANCE)
    rest_value = np.clip(_ratio(rest_hits, rest_weight), 0, 1)
    n = np.floor(n + COUNT_TOLERANCE)
    result["p_value"] = hypergeometric_test(
        _towards(overall[0], value, n), n, np.round(rest_value * n_rest), n_rest
    )
    if "gained" in groups:
        gained, lost, moved_squared = groups[["gained", "lost", "moved_squared"]].to_numpy().T
        result["baseline"] = (hits - gained + lost) / weight
        result["change"] = (gained - lost) / weight
        moved = np.floor(_kish(gained + lost, moved_squared) + COUNT_TOLERANCE)
        result["change_p_value"] = sign_test(
            _towards(0.5, _ratio(gained, gained + lost), moved), moved
        )
        change = (everybody["gained"] - everybody["lost"]) / everybody["case_weight"]
        overall.append(overall[0] - change)
    return pd.DataFrame(result), overall


def hypergeometric_test(hits: Any, n: Any, rest_hits: Any, rest_n: Any) -> np.ndarray:
    """Fisher's exact test of hits / n against rest_hits / rest_n, two-sided by doubling."""
    null = stats.hypergeom(n + rest_n, hits + rest_hits, n)
    return _double(null.cdf(hits), null.sf(hits - 1))


def sign_test(gained: Any, moved: Any) -> np.ndarray:
    """McNemar's exact test: whether as many cases gained as lost, two-sided by doubling."""
    null = stats.binom(moved, 0.5)
    return _double(null.cdf(gained), null.sf(gained - 1))


def on_rows(metric: Callable, y_true: np.ndarray, weights: np.ndarray | None) -> Callable:
    """Return the metric as a function of row positions and the predictions for them."""
    if weights is None:
        return lambda rows, y_pred: metric(y_true[rows], y_pred)
    parameters = inspect.signature(metric).parameters.values()
    if not any(p.name == "sample_weight" or p.kind is p.VAR_KEYWORD for p in parameters):
        raise ValueError(f"sample_weight is given, but metric={metric!r} does not accept it.")
    return lambda rows, y_pred: metric(y_true[rows], y_pred, sample_weight=weights[rows])


def measure(
    metric: Callable[[np.ndarray, np.ndarray], float],
    groups: Iterable[np.ndarray],
    predictions: list[np.ndarray],
    rng: np.random.Generator,
    *,
    level: float,
    n_bootstrap: int,
    n_draws: int,
) -> tuple[pd.DataFrame, list[float]]:
    """Value, bootstrap interval and permutation tests of each group, for any metric.

    Parameters
    ----------
    metric : callable
        ``metric(rows, y_pred[rows])``; may raise ValueError or return NaN where it is undefined.
    groups : iterable of ndarray
        Positions of the rows of each group.
    predictions : list of one or two ndarrays of shape (n,)
        Those of the model and of the baseline.
    rng : Generator
        Source of all draws.
    level : float
        Confidence level.
    n_bootstrap, n_draws : int
        Resamples for an interval; most draws of a test.

    Returns
    -------
    groups : DataFrame
        NaN in ``value`` where the metric is not defined.
    overall : list of float
        The metric over everybody, for the model and the baseline.
    """

    def defined(rows: np.ndarray, y_pred: np.ndarray) -> float:
        try:
            return float(metric(rows, y_pred))
        except ValueError:
            return np.nan

    y_pred, everybody = predictions[0], np.arange(len(predictions[0]))
    overall = [metric(everybody, labels) for labels in predictions]
    if not all(np.isscalar(result) and np.isfinite(result) for result in overall):
        raise ValueError(f"metric must return a finite number, got {overall[0]!r} over everybody.")
    table = []
    for rows in groups:
        values = [defined(rows, labels[rows]) for labels in predictions]
        if not np.isfinite(values).all():
            table.append({"value": np.nan})
            continue
        resamples = (rng.choice(rows, len(rows)) for _ in range(n_bootstrap))
        replicates = [defined(again, y_pred[again]) for again in resamples]
        lower, upper = np.nanquantile(replicates, [(1 - level) / 2, (1 + level) / 2])

        def of_random_set(size: int = len(rows)) -> float:
            others = rng.choice(len(everybody), size, replace=False, shuffle=False)
            return defined(others, y_pred[others]) - overall[0]

        p_value = permutation_test(values[0] - overall[0], of_random_set, n_draws)
        entry = {"value": values[0], "lower": lower, "upper": upper, "p_value": p_value}
        if len(predictions) == 2:
            pair = [labels[rows] for labels in predictions]

            def of_random_swap(rows: np.ndarray = rows, pair: list = pair) -> float:
                swap = rng.random(len(rows)) < 0.5
                return defined(rows, np.where(swap, *pair)) - defined(
                    rows, np.where(swap, *pair[::-1])
                )

            change = values[0] - values[1]
            entry |= {"baseline": values[1], "change": change}
            entry["change_p_value"] = permutation_test(change, of_random_swap, n_draws)
        table.append(entry)
    return pd.DataFrame(table), overall


def permutation_test(observed: float, draw: Callable[[], float], n_draws: int) -> float:
    """Share of draws as extreme as ``observed``, stopped early (Besag and Clifford 1991)."""
    extreme = 0
    for n in range(1, n_draws + 1):
        extreme += not abs(draw()) < abs(observed) - 1e-12  # an undefined draw counts as extreme
        if extreme == MAX_EXTREME_DRAWS:
            return MAX_EXTREME_DRAWS / n
    return (extreme + 1) / (n_draws + 1)


def _kish(weight: np.ndarray, squared: np.ndarray) -> np.ndarray:
    """Effective number of rows: sum(w)**2 / sum(w**2)."""
    return _ratio(weight**2, squared)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    usable = denominator > 0
    return np.where(usable, numerator / np.where(usable, denominator, 1), 0.0)


def _towards(null: float, value: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Whole number of hits among ``n``, rounded towards what the null hypothesis expects."""
    hits = value * n
    return np.where(
        value > null,
        np.floor(hits + COUNT_TOLERANCE),
        np.minimum(np.ceil(hits - COUNT_TOLERANCE), n),
    )


def _double(lower_tail: np.ndarray, upper_tail: np.ndarray) -> np.ndarray:
    return np.minimum(1.0, 2 * np.minimum(lower_tail, upper_tail))
