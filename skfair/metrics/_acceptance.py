"""Which groups pay: those that are left out while somebody is accepted."""

from __future__ import annotations

import numpy as np

LEFT_OUT = 0.2  # of the rate to be expected
MIN_MEMBERS = 30  # smaller groups are accepted or not by chance


def left_out(
    accepted: np.ndarray,
    expected: np.ndarray,
    sizes: np.ndarray,
    *,
    share: float = LEFT_OUT,
    min_members: int = MIN_MEMBERS,
) -> np.ndarray:
    """Groups of which nobody, or hardly anybody, is accepted while somebody is.

    Parameters
    ----------
    accepted : array-like of shape (n_groups,)
        Share of each group that is accepted.
    expected : array-like of shape (n_groups,)
        Share that would be accepted without regard to fairness: by a plain model, or, for want of
        one, the share of favorable labels.
    sizes : array-like of shape (n_groups,)
        Number of members.
    share : float, default=0.2
        A group is left out below this share of ``expected``.
    min_members : int, default=30
        Smaller groups are not looked at.

    Returns
    -------
    ndarray of int
        Positions of these groups, possibly all of them; none if nobody at all is accepted.
    """
    accepted, expected = np.asarray(accepted, dtype=float), np.asarray(expected, dtype=float)
    looked_at = np.asarray(sizes) >= min_members
    out = looked_at & ((accepted == 0) | (accepted < share * expected))
    return np.flatnonzero(out & (accepted[looked_at] > 0).any())
