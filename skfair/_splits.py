"""Rows divided into two parts alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import train_test_split


def stratified_split(
    rows: np.ndarray, share: float, strata: Sequence[np.ndarray], rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Divide ``rows`` into those that remain and a ``share`` that is held out.

    Parameters
    ----------
    rows : ndarray of shape (n_rows,)
        Positions.
    share : float in (0, 1)
        Of the rows that are held out.
    strata : sequence of ndarray of shape (n,) or (n, n_columns)
        Codes, from coarse to fine: the finest is taken of which every cell is large enough. If
        there is none, the split is at random.
    rng : RandomState
        What draws.

    Returns
    -------
    tuple of ndarray
        The rows that remain, and those held out.
    """
    stratify = None
    for codes in strata:
        _, cells, counts = np.unique(codes[rows], axis=0, return_inverse=True, return_counts=True)
        if counts.min() * min(share, 1 - share) >= 1:
            stratify = cells.ravel()
    return train_test_split(rows, test_size=share, stratify=stratify, random_state=rng)
