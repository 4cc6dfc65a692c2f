"""Bootstrap confidence intervals of group values and of the gaps between groups.

A gap is a norm of the differences between groups, so it is never below zero and larger, on average,
in a sample than in the population; the usual percentile interval of such a statistic misses a gap
of zero every time. Here the lower end is the gap minus what the norm of the sampling error exceeds
in 5 % of resamples (a norm of a sum is at most the sum of the norms), and the upper end is the
97.5 % quantile of the differences with their observed signs. For two groups that is the absolute
value of the usual interval of the difference.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

CHUNK = 2**23  # numbers drawn together
SMALL = 30  # cases up to which a group is too small to know its own spread


class Interval(NamedTuple):
    """A value and its confidence interval."""

    value: float
    lower: float
    upper: float


class Ratios(NamedTuple):
    """Ratios of sums over people, in each group and for everybody.

    Arrays are of shape (n_groups + 1,) and (n_resamples, n_groups + 1); everybody is last.
    """

    value: np.ndarray
    resampled: np.ndarray
    hits: np.ndarray  # numerators, if these are counts, else NaN
    cases: np.ndarray

    def interval(self, group: int, level: float) -> Interval:
        """Percentile interval; the exact one of Clopper and Pearson for none or all of a count."""
        value, draws = self.value[group], self.resampled[:, group]
        hits, cases = self.hits[group], self.cases[group]
        if hits in (0, cases) and cases > 0:
            exact = binomtest(int(hits), int(cases)).proportion_ci(level)
            return Interval(value, exact.low, exact.high)
        if np.isnan(value):
            return Interval(value, np.nan, np.nan)
        lower, upper = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
        return Interval(value, min(value, max(0.0, lower)), max(value, self._most(upper)))

    def _most(self, upper: float) -> float:
        """Shares are at most one."""
        return upper if np.isnan(self.hits).all() else min(1.0, upper)

    def compared(self, min_cases: int) -> np.ndarray:
        """Groups that have so many cases."""
        return np.flatnonzero(self.cases[:-1] >= max(1, min_cases))

    def gap(self, how: str, level: float, min_cases: int = 1) -> Interval:
        """Of the groups with enough cases: "sum" over pairs of |difference|, or the "max"."""
        known = self.compared(min_cases)
        if len(known) < 2:
            return Interval(np.nan, np.nan, np.nan)
        first, second = np.triu_indices(len(known), 1)
        value, draws = self.value[known], self.resampled[:, known]
        found = gap_interval(
            value[first] - value[second], draws[:, first] - draws[:, second], how, level
        )
        if how == "max":
            found = found._replace(upper=max(found.value, self._most(found.upper)))
        return found


def gap_interval(
    differences: np.ndarray, resampled: np.ndarray, how: str, level: float
) -> Interval:
    """Confidence interval of a norm of differences.

    Parameters
    ----------
    differences : ndarray of shape (n_differences,)
        As observed.
    resampled : ndarray of shape (n_resamples, n_differences)
        In each resample; resamples with NaN are left out.
    how : {"sum", "max"}
        Norm.
    level : float in (0, 1)
        Confidence level.

    Returns
    -------
    Interval
        The norm and its interval.
    """
    resampled = resampled[~np.isnan(resampled).any(axis=1)]
    sizes = np.abs(differences)
    norm = np.sum if how == "sum" else np.max
    value = float(norm(sizes))
    if not len(resampled):
        return Interval(value, np.nan, np.nan)
    tail = (1 + level) / 2
    error = np.quantile(norm(np.abs(resampled - differences), axis=1), level)
    signed = resampled * np.sign(differences)
    signed = signed.sum(axis=1) if how == "sum" else signed[:, sizes.argmax()]
    upper = max(value, np.quantile(signed, tail))
    if value == 0:  # no sign to go by
        upper = max(upper, error)
    return Interval(value, max(0.0, value - error), float(upper))


class Resamples:
    """Bootstrap resamples of people, drawn within each group.

    Parameters
    ----------
    codes : int ndarray of shape (n,)
        Group of each person; those below zero are in no group, but count among everybody.
    n_groups : int
        Number of groups.
    n_resamples : int
        Number of resamples.
    rng : numpy.random.Generator
        Source of chance.
    """

    def __init__(
        self, codes: np.ndarray, n_groups: int, n_resamples: int, rng: np.random.Generator
    ) -> None:
        strata = [np.flatnonzero(codes == group) for group in range(n_groups)]
        self.strata = [*strata, np.flatnonzero(codes < 0)]
        self.n_resamples, self.rng = n_resamples, rng

    def ratios(self, tops: np.ndarray, bottoms: np.ndarray) -> list[Ratios]:
        """Sums of ``tops`` over sums of ``bottoms``.

        Parameters
        ----------
        tops, bottoms : ndarray of shape (n, n_ratios)
            What each person adds.

        Returns
        -------
        list of Ratios
            One for each column.
        """
        data, n_ratios = np.concatenate([tops, bottoms], axis=1), tops.shape[1]
        sums = np.array([data[rows].sum(axis=0) for rows in self.strata])
        drawn = np.array([self._sums(data[rows]) for rows in self.strata])
        sums = np.append(sums[:-1], [sums.sum(axis=0)], axis=0)
        drawn = np.append(drawn[:-1], [drawn.sum(axis=0)], axis=0).transpose(1, 0, 2)
        values, resampled = (
            np.divide(
                a[..., :n_ratios],
                a[..., n_ratios:],
                out=np.full(a[..., n_ratios:].shape, np.nan),
                where=a[..., n_ratios:] > 0,
            )
            for a in (sums, drawn)
        )
        counts = np.isin(data, (0, 1)).all(axis=0)
        counts = counts[:n_ratios] & counts[n_ratios:]
        hits = np.where(counts, sums[:, :n_ratios], np.nan)
        resampled[:, :-1] = self._as_uncertain(tops, bottoms, values[:-1], resampled[:, :-1])
        return [
            Ratios(values[:, k], resampled[:, :, k], hits[:, k], sums[:, n_ratios + k])
            for k in range(n_ratios)
        ]

    def _as_uncertain(
        self, tops: np.ndarray, bottoms: np.ndarray, values: np.ndarray, resampled: np.ndarray
    ) -> np.ndarray:
        """Spread the resampled values of small groups as far as people differ in general.

        Few people are alike by chance, and one person always is: resampling alone would be sure of
        a group of one. Up to ``SMALL`` cases the spread within a group counts at least as much as
        that within all groups; the more cases, the less that matters.
        """
        resampled = resampled.copy()
        groups = self.strata[:-1]
        cases = np.array([bottoms[rows].sum(axis=0) for rows in groups])
        squares = np.array(
            [
                ((tops[rows] - np.nan_to_num(value) * bottoms[rows]) ** 2).sum(axis=0)
                for rows, value in zip(groups, values, strict=True)
            ]
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            within = squares / cases
            overall = squares.sum(axis=0) / cases.sum(axis=0)
            share = np.minimum(1, SMALL / cases)
            wanted = np.maximum(within, share * overall + (1 - share) * within)
            wanted *= cases / np.maximum(cases - 1, 1)
            stretch = np.sqrt(wanted / within)
        normal = self.rng.standard_normal(resampled.shape)
        for g, k in np.argwhere(cases > 0):
            if within[g, k] > 0:
                resampled[:, g, k] = values[g, k] + stretch[g, k] * (
                    resampled[:, g, k] - values[g, k]
                )
            elif wanted[g, k] > 0:
                resampled[:, g, k] = values[g, k] + normal[:, g, k] * np.sqrt(
                    wanted[g, k] / cases[g, k]
                )
        return resampled

    def counts(self) -> np.ndarray:
        """How often each resample has each person, (n_resamples, n)."""
        counts = np.zeros((self.n_resamples, sum(map(len, self.strata))))
        for rows in self.strata:
            for row in counts:
                if len(rows):
                    drawn = self.rng.integers(len(rows), size=len(rows))
                    row[rows] = np.bincount(drawn, minlength=len(rows))
        return counts

    def _sums(self, data: np.ndarray) -> np.ndarray:
        """Sums of resampled rows, (n_resamples, n_columns)."""
        sums = np.zeros((self.n_resamples, data.shape[1]))
        n = len(data)
        if not n:
            return sums
        distinct, size = np.unique(data, axis=0, return_counts=True)
        if len(distinct) < n / 4:  # many alike: draw how many of each
            return self.rng.multinomial(n, size / n, size=self.n_resamples) @ distinct
        step = max(1, CHUNK // n)
        for start in range(0, self.n_resamples, step):
            some = slice(start, min(start + step, self.n_resamples))
            drawn = self.rng.integers(n, size=(some.stop - some.start, n))
            for k, rows in enumerate(drawn, start):
                sums[k] = np.bincount(rows, minlength=n) @ data
        return sums
