"""Bootstrap resamples, and the interval of a sum of absolute differences."""

from __future__ import annotations

import numpy as np

from ._intervals import Interval


def resampled_counts(codes: np.ndarray, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Count how often each bootstrap resample, drawn within each group, has each person.

    Parameters
    ----------
    codes : int ndarray of shape (n,)
        Group of each person.
    n_resamples : int
        Number of resamples.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    ndarray of shape (n_resamples, n)
        Counts; those of a group add up to its size.
    """
    counts = np.zeros((n_resamples, len(codes)))
    for group in np.unique(codes):
        rows = np.flatnonzero(codes == group)
        for row in counts:
            row[rows] = np.bincount(rng.integers(len(rows), size=len(rows)), minlength=len(rows))
    return counts


def norm_gap(differences: np.ndarray, resampled: np.ndarray, level: float) -> tuple[Interval, int]:
    """Find the pair of groups whose differences in many numbers add up to most, and an interval.

    A sum of absolute values is never below zero and larger, on average, in a sample than in the
    population, so that the percentile interval of it misses zero every time. Here the lower end is
    the sum minus that of the sampling errors' absolute values (a norm of a sum is at most the sum
    of the norms), the upper end goes by the errors with the signs of the differences; both by
    quantiles, over resamples, of the largest of all pairs, each in units of its own spread.

    Parameters
    ----------
    differences : ndarray of shape (n_pairs, n_numbers)
        As observed.
    resampled : ndarray of shape (n_resamples, n_pairs, n_numbers)
        In each resample.
    level : float in (0, 1)
        Confidence level.

    Returns
    -------
    found : Interval
        The largest sum, and the interval of the largest true one.
    pair : int
        Which has it.
    """
    value = np.abs(differences).sum(axis=-1)
    error = np.abs(resampled - differences).sum(axis=-1)
    drift = np.abs(((resampled - differences) * np.sign(differences)).sum(axis=-1))
    lower, upper = (
        value + sign * part.mean(axis=0) * _largest(part, level)
        for sign, part in ((-1, error), (1, drift))
    )
    largest = int(value.argmax())
    return Interval(float(value[largest]), max(0.0, lower.max()), float(upper.max())), largest


def _largest(part: np.ndarray, level: float) -> float:
    """Return a quantile over resamples of the largest pair, in units of each pair's mean."""
    mean = part.mean(axis=0)
    units = np.divide(part, mean, out=np.zeros_like(part), where=mean > 0)
    return float(np.quantile(units.max(axis=1), level))
