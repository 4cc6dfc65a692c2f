"""Sparse rows on a device, which become dense batch by batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class SparseRows:
    """Rows of a matrix of which few numbers are not zero, to be indexed like a dense tensor.

    Parameters
    ----------
    values : Tensor of shape (n_values,)
        What is stored, row by row.
    columns : int64 Tensor of shape (n_values,)
        Column of each value.
    starts : int64 Tensor of shape (n_rows + 1,)
        Where each row begins, and where the last one ends.
    n_columns : int
        Number of columns.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from skfair.training._sparse import SparseRows
    >>> rows = SparseRows.of(csr_array([[0.0, 1.0], [0.0, 0.0], [2.0, 3.0]]), "cpu")
    >>> rows[1:]
    tensor([[0., 0.],
            [2., 3.]], dtype=torch.float64)
    """

    ndim = 2

    def __init__(self, values: Tensor, columns: Tensor, starts: Tensor, n_columns: int) -> None:
        self.values, self.columns, self.starts = values, columns, starts
        self.shape = torch.Size([len(starts) - 1, n_columns])

    @classmethod
    def of(cls, matrix: Any, device: torch.device | str) -> SparseRows:
        """Put a matrix of SciPy in compressed rows on a device."""
        if not matrix.has_canonical_format:  # the same place may be there twice
            matrix = matrix.copy()
            matrix.sum_duplicates()
        return cls(
            torch.tensor(matrix.data, device=device),
            torch.tensor(matrix.indices, dtype=torch.int64, device=device),
            torch.tensor(matrix.indptr, dtype=torch.int64, device=device),
            matrix.shape[1],
        )

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the numbers."""
        return self.values.dtype

    @property
    def device(self) -> torch.device:
        """Where the numbers are."""
        return self.values.device

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | slice | Tensor) -> Tensor:
        positions = torch.arange(len(self), device=self.starts.device)[rows]
        return self.index_select(0, positions) if positions.ndim else self[positions[None]][0]

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """Return some rows, dense; ``dim`` is 0."""
        first = self.starts[rows]
        counts = self.starts[rows + 1] - first
        of_row = torch.arange(len(rows), device=rows.device).repeat_interleave(counts)
        before = counts.cumsum(0) - counts
        places = torch.arange(len(of_row), device=rows.device) + (first - before)[of_row]
        dense = self.values.new_zeros(len(rows), self.shape[1])
        dense[of_row, self.columns[places]] = self.values[places]
        return dense
