"""When fairness is paid for by a group: two rules, as functions of rates and sizes."""

from __future__ import annotations

import numpy as np

EXCLUDED_BELOW, EXCLUDED_SIZE = 1 / 5, 30
WORSENED_BY, WORSENED_SIZE = 1 / 3, 100


def excluded(
    selected: np.ndarray,
    reference: np.ndarray,
    sizes: np.ndarray,
    *,
    below: float = EXCLUDED_BELOW,
    min_size: int = EXCLUDED_SIZE,
) -> np.ndarray:
    """Groups of which hardly anybody is accepted, while others are.

    Parameters
    ----------
    selected : array-like of shape (n_groups,)
        Selection rates.
    reference : array-like of shape (n_groups,)
        Rates to be expected: a plain model's, else those in the data.
    sizes : array-like of shape (n_groups,)
        Number of people.
    below : float, default=1/5
        Share of the reference below which a group counts as excluded.
    min_size : int, default=30
        Smaller groups are left out.

    Returns
    -------
    ndarray of bool of shape (n_groups,)
        True where nobody, or less than that share of the reference, is accepted, if another group
        is not so treated.
    """
    selected, reference, sizes = map(np.asarray, (selected, reference, sizes))
    large = sizes >= min_size
    hardly = (selected == 0) | (selected < below * reference)
    return large & hardly & (large & ~hardly & (selected > 0)).any()


def worsened(
    rates: np.ndarray,
    baseline: np.ndarray,
    sizes: np.ndarray,
    *,
    by: float = WORSENED_BY,
    min_size: int = WORSENED_SIZE,
) -> np.ndarray:
    """Groups whose rate is lower than the baseline's by more than a third of it.

    Parameters
    ----------
    rates, baseline : array-like of shape (n_groups,)
        Rates of the model and of another; NaN where there is none.
    sizes : array-like of shape (n_groups,)
        Number of people.
    by : float, default=1/3
        Share of the baseline's rate.
    min_size : int, default=100
        Smaller groups are left out.

    Returns
    -------
    ndarray of bool of shape (n_groups,)
        Where that is so.
    """
    rates, baseline, sizes = map(np.asarray, (rates, baseline, sizes))
    return (sizes >= min_size) & (rates < (1 - by) * baseline)
