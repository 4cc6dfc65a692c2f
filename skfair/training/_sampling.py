"""Which rows make up a batch: strata that are drawn in fixed numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SAMPLINGS = ("natural", "group", "group_label")


@dataclass(frozen=True)
class Stratum:
    """Rows of which every batch has the same number.

    Attributes
    ----------
    rows : int64 Tensor of shape (n,)
        Positions in the data set.
    quota : int
        Rows per batch.
    """

    rows: Tensor
    quota: int

    def draw(self, n_batches: int, generator: torch.Generator | None) -> Tensor:
        """Draw without replacement until all rows are used up, then all over again.

        Parameters
        ----------
        n_batches : int
            Number of batches.
        generator : torch.Generator or None
            Source of the order.

        Returns
        -------
        int64 Tensor of shape (n_batches, quota)
            Positions; always all of them, in their order, if the quota is their number.
        """
        n, needed = len(self.rows), n_batches * self.quota
        if self.quota == n:
            return self.rows.expand(n_batches, -1)
        rounds = -(-needed // n)
        order = torch.rand(rounds, n, generator=generator, dtype=torch.float64).argsort(dim=1)
        return self.rows[order.flatten()[:needed]].reshape(n_batches, self.quota)


def batch_rows(batch_size: int, n_rows: int) -> int:
    """Rows in a batch, -1 standing for all."""
    return n_rows if batch_size == -1 else min(batch_size, n_rows)


def make_strata(
    y: np.ndarray, groups: np.ndarray | None, batch_size: int, sampling: str, first: int = 0
) -> list[Stratum]:
    """Divide rows into groups, or groups and labels, that share a batch evenly.

    With several attributes a row belongs to a group of each. Rows without any group keep their
    share of the rows, at least one a batch.

    Parameters
    ----------
    y : ndarray of shape (n,) or (n, n_labels)
        Class codes.
    groups : int64 ndarray of shape (n, n_attributes) or None
        Group codes; ``None`` puts all rows into one group.
    batch_size : int
        Rows per batch; what does not divide evenly is left out.
    sampling : {"natural", "group", "group_label"}
        What makes a stratum.
    first : int, default=0
        Position of the first row in the data set.

    Returns
    -------
    list of Stratum
        In the order of their codes.

    Raises
    ------
    ValueError
        If a batch cannot hold a row of each.
    """
    if groups is None or sampling == "natural":
        groups = np.zeros((len(y), 1), dtype=np.int64)
    missing = (groups < 0).all(axis=1)
    n_missing = int(missing.sum())
    quota_missing = max(1, round(batch_size * n_missing / len(y))) if n_missing else 0
    labels = np.zeros(len(y), dtype=np.int64)
    if sampling == "group_label":
        labels = np.unique(y, axis=0, return_inverse=True)[1].ravel()
    cells = [
        np.flatnonzero((groups == group).any(axis=1) & (labels == label))
        for group in np.unique(groups[groups >= 0])
        for label in np.unique(labels)
    ]
    cells = [rows for rows in cells if len(rows)]
    n_strata = len(cells)
    quota = (batch_size - quota_missing) // max(n_strata, 1)
    if n_strata and quota < 1:
        raise ValueError(
            f"batch_size must be at least {n_strata + quota_missing}, one row for each of the "
            f"{n_strata} strata of sampling={sampling!r}, got {batch_size}."
        )
    strata = [Stratum(_positions(rows, first), quota) for rows in cells]
    if n_missing:
        strata.append(Stratum(_positions(np.flatnonzero(missing), first), quota_missing))
    return strata


def _positions(rows: np.ndarray, first: int) -> Tensor:
    return torch.from_numpy(rows + first)
