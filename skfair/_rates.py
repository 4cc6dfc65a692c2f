"""Rates: shares of cases that are hits, for people, groups and draws alike; and their limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

COUNT_TOLERANCE = 1e-6  # far below one row, far above rounding errors in counts


class Rate(NamedTuple):
    """Who counts, and who of these is counted, given outcomes and decisions.

    Attributes
    ----------
    cases, hits : callable
        ``(y, p) -> bool ndarray`` of shape (n,), from outcomes and decisions as truth values; of
        the accuracy also from labels.
    better : {1, 0, -1}
        1 if more hits are better, -1 if worse, 0 if neither.
    """

    cases: Callable[[np.ndarray, np.ndarray], np.ndarray]
    hits: Callable[[np.ndarray, np.ndarray], np.ndarray]
    better: int


def _everybody(y: np.ndarray, *_: np.ndarray) -> np.ndarray:
    return np.ones(len(y), dtype=bool)


RATES = {
    "accuracy": Rate(_everybody, lambda y, p: y == p, 1),
    "selection_rate": Rate(_everybody, lambda y, p: p, 0),
    "true_positive_rate": Rate(lambda y, p: y, lambda y, p: p, 1),
    "false_positive_rate": Rate(lambda y, p: ~y, lambda y, p: p, -1),
    "true_negative_rate": Rate(lambda y, p: ~y, lambda y, p: ~p, 1),
    "false_negative_rate": Rate(lambda y, p: y, lambda y, p: ~p, -1),
    "precision": Rate(lambda y, p: p, lambda y, p: y, 1),
}
BASE_RATE = Rate(_everybody, lambda y, p: y, 0)  # of the data: no decision changes it


def clopper_pearson(
    hits: ArrayLike, cases: ArrayLike, tail: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Clopper-Pearson limits of a share, which hold whatever the share is.

    Parameters
    ----------
    hits, cases : array-like of shape (n,)
        Counts, which need not be whole (Korn and Graubard 1998).
    tail : array-like of shape (n,)
        Probability with which each limit may fail.

    Returns
    -------
    low, high : ndarray of shape (n,)
        0 and 1 where there are no cases.
    """
    return _limits(hits, cases, tail, 0.0)


def jeffreys(hits: ArrayLike, cases: ArrayLike, tail: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Limits of Jeffreys' interval of a share, which fail with that probability on average.

    As :func:`clopper_pearson`, but narrower (L. D. Brown et al. 2001), and NaN without cases.
    """
    low, high = _limits(hits, cases, tail, 0.5)
    known = np.asarray(cases) > 0
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def _limits(
    hits: ArrayLike, cases: ArrayLike, tail: ArrayLike, prior: float
) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of beta distributions; ``prior`` hits and as many misses are added."""
    hits, tail = np.asarray(hits), np.asarray(tail)
    misses = np.asarray(cases) - hits
    low = betaincinv(np.maximum(hits + prior, COUNT_TOLERANCE), misses + 1 - prior, tail)
    high = betaincinv(hits + 1 - prior, np.maximum(misses + prior, COUNT_TOLERANCE), 1 - tail)
    return np.where(hits > COUNT_TOLERANCE, low, 0.0), np.where(misses > COUNT_TOLERANCE, high, 1.0)
