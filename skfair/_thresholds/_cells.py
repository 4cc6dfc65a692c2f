"""Cells: the combinations of groups that have thresholds of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .._groups import group_name


class Cells(NamedTuple):
    """Combinations of group codes, one code for each attribute.

    Attributes
    ----------
    combinations : list of tuple of int
        Those that occur.
    labels : list
        Label of each: that of its group, or the values of each attribute.
    """

    combinations: list[tuple[int, ...]]
    labels: list

    @classmethod
    def learn(cls, codes: np.ndarray, labels: Sequence, attribute_of: Sequence[int]) -> Cells:
        """Find the combinations that occur.

        Parameters
        ----------
        codes : int64 ndarray of shape (n, n_attributes)
            Of the groups of each row; -1 where one is missing.
        labels, attribute_of : sequence
            Of the groups, as of a :class:`~skfair._groups.GroupEncoder`.
        """
        found = [row for row in _different(codes)[0] if min(row) >= 0]
        if any(attribute_of):
            return cls(found, [tuple(labels[code][1] for code in row) for row in found])
        return cls(found, [labels[code] for (code,) in found])

    @property
    def names(self) -> np.ndarray:
        """Labels as text."""
        return np.array([group_name(label) for label in self.labels], dtype=str)

    def members(self, n_groups: int) -> np.ndarray:
        """Which groups (n_cells, n_groups) the rows of each cell belong to."""
        return np.array([np.isin(range(n_groups), row) for row in self.combinations])

    def of_rows(self, codes: np.ndarray) -> np.ndarray:
        """Cell (n,) of rows with these codes (n, n_attributes), -1 where it is not known."""
        position = {row: cell for cell, row in enumerate(self.combinations)}
        found, rows = _different(codes)
        return np.array([position.get(row, -1) for row in found], dtype=np.int64)[rows]


def _different(codes: np.ndarray) -> tuple[list[tuple[int, ...]], np.ndarray]:
    """Different rows of codes, sorted, and which of them each row is."""
    keys = np.ravel_multi_index(tuple(codes.T + 1), tuple(codes.max(axis=0, initial=-1) + 2))
    _, first, rows = np.unique(keys, return_index=True, return_inverse=True)
    return [tuple(row) for row in codes[first].tolist()], rows
