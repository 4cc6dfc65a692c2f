"""Confidence intervals of groups, and simultaneous ones of the differences between them.

A group's interval is not symmetric about its value. A rate has that of Jeffreys. A mean of numbers
that are never negative, and zero for many, is the share of those above zero (Jeffreys) times their
mean, whose interval is that of a gamma distribution with their coefficient of variation.

The interval of a difference comes from the ends of both groups' intervals (MOVER: G. Y. Zou and A.
Donner, Construction of confidence limits about effect measures, 2008), taken at Tukey's critical
value for the range of as many means: the intervals of all pairs hold the truth at once as often as
the confidence level says (tests/audit/test_intervals.py counts).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.stats import gamma, norm, rankdata, studentized_range, t

from .._rates import jeffreys

MIN_VARIATION = 1e-12  # of numbers that are all the same
MIN_SPREAD_CASES = 30  # up to which a group is too small to know its own spread


class Interval(NamedTuple):
    """A value and its confidence interval."""

    value: float
    lower: float
    upper: float


NONE = Interval(np.nan, np.nan, np.nan)


class Gap(NamedTuple):
    """The largest difference between groups, and the interval of the largest true one.

    ``pair`` are the positions of the groups that have it, the higher first; ``sure`` those of the
    pair that is most clearly different, which may be another one, or None if no pair is.
    """

    found: Interval
    pair: tuple[int, int] | None = None
    sure: tuple[int, int] | None = None


class Estimate(ABC):
    """A figure of each group, everybody last.

    Attributes
    ----------
    value, cases : ndarray of shape (n_groups + 1,)
        The figure, NaN without cases; and on how many people it rests.
    """

    value: np.ndarray
    cases: np.ndarray

    @abstractmethod
    def ends(self, z: float) -> tuple[np.ndarray, np.ndarray]:
        """Return lower and upper ends; ``z`` is the normal quantile of the confidence."""

    def interval(self, group: int, level: float) -> Interval:
        """Return a group's value and its own interval."""
        lower, upper = self.ends(norm.ppf((1 + level) / 2))
        return Interval(self.value[group], lower[group], upper[group])

    def compared(self, min_cases: int) -> np.ndarray:
        """Return positions of the groups that have at least this many cases."""
        return np.flatnonzero(self.cases[:-1] >= max(1, min_cases))

    def gap(self, level: float, min_cases: int = 1) -> Gap:
        """Find the largest difference between groups that have at least this many cases."""
        groups = self.compared(min_cases)
        if len(groups) < 2:
            return Gap(NONE)
        one, other, difference, lower, upper = self.differences(groups, level)
        least = np.maximum(0, np.maximum(lower, -upper))  # of |difference|
        most = np.maximum(upper, -lower)
        largest, surest = np.abs(difference).argmax(), least.argmax()
        if least[largest] == least[surest]:
            surest = largest

        def pair(k: int) -> tuple[int, int]:
            first, second = int(one[k]), int(other[k])
            return (first, second) if difference[k] >= 0 else (second, first)

        found = Interval(abs(difference[largest]), least[surest], most.max())
        return Gap(found, pair(largest), pair(surest) if least[surest] > 0 else None)

    def differences(self, groups: np.ndarray, level: float) -> tuple[np.ndarray, ...]:
        """Compute simultaneous intervals of the differences within all pairs.

        Parameters
        ----------
        groups : ndarray of shape (n,)
            Positions of those compared, at least two.
        level : float in (0, 1)
            Confidence that all intervals hold the truth.

        Returns
        -------
        tuple of ndarray of shape (n_pairs,)
            Position of the one and the other group, one minus other, its lower and upper end.
        """
        first, second = np.triu_indices(len(groups), 1)
        one, other = groups[first], groups[second]
        value, (lower, upper) = self.value, self.ends(tukey(len(groups), level))
        below, above = value - lower, upper - value
        difference = value[one] - value[other]
        return (
            one,
            other,
            difference,
            difference - np.hypot(below[one], above[other]),
            difference + np.hypot(above[one], below[other]),
        )

    def ratios(self, level: float, min_cases: int = 1) -> tuple[int | None, list[Interval]]:
        """Divide each group's value by the highest of those that have this many cases.

        Returns
        -------
        highest : int or None
            Position of the group that has it; None if no two groups can be compared.
        ratios : list of Interval
            One a group, NaN for those not compared. Simultaneous, as that of a gap, since any group
            could have been the highest.
        """
        groups = self.compared(min_cases)
        ratios = [NONE] * (len(self.value) - 1)
        if len(groups) < 2 or not self.value[groups].any():
            return None, ratios
        highest = int(groups[self.value[groups].argmax()])
        lower, upper = self.ends(tukey(len(groups), level))
        with np.errstate(divide="ignore"):
            value, lower, upper = np.log([self.value, lower, upper])
        for k in groups:
            ratio = value[k] - value[highest]
            if np.isinf(ratio):  # of none: there is no distance from its logarithm to the ends
                ratios[k] = Interval(0.0, 0.0, float(np.exp(upper[k] - lower[highest])))
            else:
                below = np.hypot(value[k] - lower[k], upper[highest] - value[highest])
                above = np.hypot(upper[k] - value[k], value[highest] - lower[highest])
                ratios[k] = Interval(*map(float, np.exp([ratio, ratio - below, ratio + above])))
        ratios[highest] = Interval(1.0, 1.0, 1.0)
        return highest, ratios


@dataclass
class Rates(Estimate):
    """Shares of the cases of each group that are hits.

    Parameters
    ----------
    hits, cases : ndarray of shape (n_groups + 1,)
        Counts.
    """

    hits: np.ndarray
    cases: np.ndarray

    def __post_init__(self) -> None:
        self.value = _ratio(self.hits, self.cases)

    @classmethod
    def of(cls, hit: np.ndarray, case: np.ndarray, codes: np.ndarray, n_groups: int) -> Rates:
        """Count, among people in each group, the cases and the hits among them."""
        case = np.asarray(case, dtype=bool)
        return cls(*(_sums(what & case, codes, n_groups) for what in (np.asarray(hit, bool), case)))

    def ends(self, z: float) -> tuple[np.ndarray, np.ndarray]:
        return jeffreys(self.hits, self.cases, norm.sf(z))


class Means(Estimate):
    """Means of numbers that are never negative, in each group and over everybody.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Numbers of people.
    codes : int ndarray of shape (n,)
        Their groups; those below zero are in none, but count among everybody.
    n_groups : int
        Number of groups.
    """

    def __init__(self, values: np.ndarray, codes: np.ndarray, n_groups: int) -> None:
        values = np.asarray(values, dtype=float)
        above = values > 0
        self.cases = _sums(np.ones(len(values)), codes, n_groups)
        self.above = _sums(above, codes, n_groups)
        totals = _sums(values, codes, n_groups)
        self.value = _ratio(totals, self.cases)
        self.mean = _ratio(totals, self.above)  # of those above zero
        within, overall = (
            np.nan_to_num(values - mean) ** 2 * above for mean in (self.mean[codes], self.mean[-1])
        )
        self.variation = self._variation(
            np.append(_sums(within, codes, n_groups)[:-1], overall.sum())
        )

    def _variation(self, squares: np.ndarray) -> np.ndarray:
        """Compute the squared coefficient of variation of the numbers above zero.

        Few people are alike by chance, and one person always is: up to ``MIN_SPREAD_CASES`` a
        group varies at least as much as groups do in general, the more cases the less.
        """
        free = np.maximum(self.above - 1, 0)
        own = np.nan_to_num(_ratio(squares, free * self.mean**2))
        general = own[:-1] @ free[:-1] / max(1.0, free[:-1].sum())
        share = np.minimum(1, MIN_SPREAD_CASES / np.maximum(self.above, 1))
        return np.maximum(own, share * general + (1 - share) * own)

    def ends(self, z: float) -> tuple[np.ndarray, np.ndarray]:
        least, most = jeffreys(self.above, self.cases, norm.sf(z))
        if (self.above == self.cases).all():  # a number that is zero for nobody
            least, most = np.ones((2, len(self.cases)))
        tail = norm.sf(t.isf(norm.sf(z), np.maximum(self.above, MIN_SPREAD_CASES) - 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            shape = self.above / np.maximum(self.variation, MIN_VARIATION)
            lowest, highest = (
                self.mean * shape / quantile(tail, shape) for quantile in (gamma.isf, gamma.ppf)
            )
            share = _ratio(self.above, self.cases)
            below = np.hypot(np.log(share / least), np.log(self.mean / lowest))
            above = np.hypot(np.log(most / share), np.log(highest / self.mean))
            lower, upper = self.value * np.exp(-below), self.value * np.exp(above)
        nobody = self.above == 0  # above zero: they would be as far from it as others at most
        furthest = np.max(highest, where=~nobody, initial=0)
        return (
            np.where(nobody, self.value, lower),
            np.where(nobody, self.value + most * furthest, upper),
        )


# -- pieces -----------------------------------------------------------------------------------


@lru_cache
def tukey(n_groups: int, level: float) -> float:
    """Return the critical value for the differences of all pairs: 1.96 for two groups at 95 %."""
    return float(studentized_range.ppf(level, n_groups, np.inf) / np.sqrt(2))


def auc_interval(scores: np.ndarray, positive: np.ndarray, level: float) -> Interval:
    """Compute the area under the ROC curve, with the interval of its log-odds (DeLong et al. 1988).

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Higher for those taken to be positive.
    positive : bool ndarray of shape (n,)
        Who is.
    level : float in (0, 1)
        Confidence level.

    Returns
    -------
    Interval
        NaN where one class is absent.
    """
    if positive.all() or not positive.any():
        return NONE
    ranks = rankdata(scores)
    passed = [  # by each positive: share of the negatives; of each negative: by the positives
        (ranks[who] - rankdata(scores[who])) / (~who).sum() for who in (positive, ~positive)
    ]
    area = float(passed[0].mean())
    variance = sum(part.var(ddof=1) / len(part) for part in passed if len(part) > 1)
    if not 0 < area < 1:
        return Interval(area, np.nan, np.nan)
    reach = norm.ppf((1 + level) / 2) * np.sqrt(variance) / (area * (1 - area))
    odds = area / (1 - area) * np.exp([-reach, reach])
    return Interval(area, *map(float, odds / (1 + odds)))


def _sums(values: np.ndarray, codes: np.ndarray, n_groups: int) -> np.ndarray:
    """Add up over the members of each group, and over everybody."""
    known = codes >= 0
    groups = np.bincount(codes[known], values[known], minlength=n_groups)
    return np.append(groups, values.sum())


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.full(len(bottom), np.nan), where=bottom > 0)
