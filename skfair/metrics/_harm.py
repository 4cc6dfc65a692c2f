"""When a group pays for fairness: two rules, as functions of rates and sizes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

MIN_MEMBERS = 30  # smaller groups are accepted or not by chance
MIN_COMPARED = 100  # of smaller ones rates differ by chance
LEFT_OUT_BELOW = 1 / 5


def left_out(
    selected: np.ndarray,
    expected: np.ndarray,
    sizes: np.ndarray,
    *,
    below: float = LEFT_OUT_BELOW,
    min_size: int = MIN_MEMBERS,
) -> np.ndarray:
    """Find groups of which nobody, or hardly anybody, is accepted while somebody is.

    Parameters
    ----------
    selected : array-like of shape (n_groups,)
        Share of each group that is accepted.
    expected : array-like of shape (n_groups,)
        Share that would be accepted without regard to fairness: by a plain model, or, for want of
        one, the share of favorable labels.
    sizes : array-like of shape (n_groups,)
        Number of people.
    below : float, default=1/5
        A group is left out below this share of ``expected``.
    min_size : int, default=30
        Smaller groups are not looked at.

    Returns
    -------
    ndarray of bool of shape (n_groups,)
        These groups, possibly all of them; none if nobody at all is accepted.
    """
    selected, expected, sizes = map(np.asarray, (selected, expected, sizes))
    large = sizes >= min_size
    hardly = (selected == 0) | (selected < below * expected)
    return large & hardly & (selected[large] > 0).any()


def worsened(
    rates: ArrayLike,
    baseline: ArrayLike,
    sizes: ArrayLike,
    *,
    by: float = 1 / 3,
    min_size: int = MIN_COMPARED,
) -> np.ndarray:
    """Find groups whose rate is lower than the baseline's by more than a third of it.

    Parameters
    ----------
    rates, baseline : array-like of shape (n_groups,)
        Rates of the model and of another; NaN where there is none.
    sizes : array-like of shape (n_groups,)
        Number of people.
    by : float, default=1/3
        Share of the baseline's rate.
    min_size : int, default=100
        Smaller groups are not looked at.

    Returns
    -------
    ndarray of bool of shape (n_groups,)
        Where that is so.
    """
    is_large = np.asarray(sizes) >= min_size
    return is_large & (np.asarray(rates) < (1 - by) * np.asarray(baseline))
