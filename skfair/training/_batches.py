"""Tensors in batches: rows stay on the device, a batch is one indexing operation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from skorch.dataset import Dataset
from torch import Tensor

from ._sampling import Stratum
from ._sparse import SparseRows

Batch = tuple[dict[str, Tensor], Tensor]


def as_numbers(X: Tensor, dtype: torch.dtype) -> Tensor:
    """Return rows as the network takes them: bytes of images become numbers in [0, 1]."""
    return X.to(dtype).div_(255) if X.dtype == torch.uint8 else X


class TensorRows(Dataset):
    """Rows of tensors that share their first dimension.

    Parameters
    ----------
    inputs : dict of str to Tensor
        ``X``, bytes if it holds images of bytes (see :func:`as_numbers`), :class:`SparseRows` if it
        is sparse, and, where there are any, ``groups`` and ``weights``.
    y : int64 Tensor of shape (n,)
        Class codes.
    rows : int64 Tensor, default=None
        The rows that belong to this set (all if ``None``); nothing is copied.
    private : bool, default=False
        Whether batches are always copies, never views, because a module may work in place.
    """

    def __init__(
        self,
        inputs: dict[str, Tensor],
        y: Tensor,
        rows: Tensor | None = None,
        private: bool = False,
    ) -> None:
        # skorch's own initializer would only guess how to index X; __getitem__ below knows.
        self.inputs, self.targets, self.rows, self.private = inputs, y, rows, private

    @classmethod
    def from_arrays(
        cls, arrays: dict[str, np.ndarray], device: torch.device, private: bool
    ) -> TensorRows:
        """Put arrays on ``device``; on the CPU writeable ones are shared, not copied."""
        tensors = {name: _on_device(values, device) for name, values in arrays.items()}
        return cls(tensors, tensors.pop("y"), private=private)

    def subset(self, rows: np.ndarray | None) -> TensorRows:
        """Return the given rows (all if ``None``) as a set of their own; nothing is copied."""
        if rows is None:
            return self
        positions = torch.from_numpy(rows).to(self.targets.device)
        return TensorRows(self.inputs, self.targets, positions, self.private)

    def __len__(self) -> int:
        return len(self.targets if self.rows is None else self.rows)

    def __getitem__(self, index: int | Tensor | slice) -> Batch:
        if self.rows is not None:
            index = self.rows[index]
        if isinstance(index, Tensor) and index.ndim:
            inputs = {name: tensor.index_select(0, index) for name, tensor in self.inputs.items()}
            return inputs, self.targets.index_select(0, index)
        inputs = {name: tensor[index] for name, tensor in self.inputs.items()}
        if self.private:
            inputs["X"] = inputs["X"].clone()
        return inputs, self.targets[index]

    @property
    def X(self) -> dict[str, Tensor]:
        """All inputs of this set, as skorch's callbacks expect."""
        return self[:][0]

    @property
    def y(self) -> Tensor:
        """All class codes of this set, as skorch's callbacks expect."""
        return self.targets if self.rows is None else self.targets[self.rows]


def _on_device(values: Any, device: torch.device) -> Any:
    if issparse(values):
        return SparseRows.of(values, device)
    return torch.from_numpy(values if values.flags.writeable else values.copy()).to(device)


def batch_starts(n_rows: int, batch_size: int, drop_last: bool = False) -> range:
    """First row of each batch of an epoch.

    A single row that is left over joins the batch before it, as batch-norm needs two.
    """
    if drop_last and n_rows > batch_size:
        return range(0, n_rows - n_rows % batch_size, batch_size)
    alone = n_rows % batch_size == 1 and n_rows > batch_size > 1
    return range(0, n_rows - alone, batch_size)


class BatchLoader:
    """Iterate over :class:`TensorRows` in batches.

    Parameters
    ----------
    dataset : TensorRows
        The rows.
    batch_size : int
        Rows per batch; the last one may be smaller.
    shuffle : bool, default=False
        Whether every epoch has a fresh order. A single batch is never shuffled, so that full-batch
        training does not depend on chance.
    generator : torch.Generator, default=None
        Source of the order, torch's global one if ``None``.
    drop_last : bool, default=False
        Leave out a last batch that is smaller than the others.
    strata : list of Stratum, default=None
        What every batch is made of, stratum by stratum; the number of batches stays the same.
    extra_strata : list of Stratum, default=None
        Added to every batch. Their rows come last in ``dataset`` and are in no batch otherwise.
    augment : callable, default=None
        Applied to the X of every batch.
    """

    def __init__(
        self,
        dataset: TensorRows,
        batch_size: int,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        drop_last: bool = False,
        strata: list[Stratum] | None = None,
        extra_strata: list[Stratum] | None = None,
        augment: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.augment = augment
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle
        self.generator, self.drop_last = generator, drop_last
        self.strata, self.extra_strata = strata, extra_strata or []
        self.n_rows = len(dataset) - sum(len(stratum.rows) for stratum in self.extra_strata)

    def __len__(self) -> int:
        return len(batch_starts(self.n_rows, self.batch_size, self.drop_last))

    def __iter__(self) -> Iterator[Batch]:
        batches = self._batches() if self.strata is None else self._draw(self.strata)
        if self.extra_strata:
            pairs = zip(batches, self._draw(self.extra_strata), strict=True)
            batches = (torch.cat([self._positions(rows), added]) for rows, added in pairs)
        for rows in batches:
            if isinstance(rows, Tensor):
                rows = rows.to(self.dataset.targets.device)
            inputs, y = self.dataset[rows]
            if self.augment is not None:
                inputs["X"] = self.augment(inputs["X"])
            yield inputs, y

    def _batches(self) -> Iterator[slice | Tensor]:
        n, size = self.n_rows, self.batch_size
        starts = batch_starts(n, size, self.drop_last)
        last = n - n % size if self.drop_last and n > size else n
        if len(starts) == 1 and last == n:
            yield slice(n)
            return
        order = None
        if self.shuffle:
            order = torch.randperm(n, generator=self.generator)
            order = order.to(self.dataset.targets.device)  # at once, not batch by batch
        for start in starts:
            rows = slice(start, last if start == starts[-1] else start + size)
            yield rows if order is None else order[rows]

    def _draw(self, strata: list[Stratum]) -> Tensor:
        return torch.cat([s.draw(len(self), self.generator) for s in strata], dim=1)

    def _positions(self, rows: slice | Tensor) -> Tensor:
        return torch.arange(self.n_rows)[rows] if isinstance(rows, slice) else rows.cpu()


def row_slices(X: np.ndarray | Tensor, elements: int | None = None) -> Iterator[slice]:
    """Divide the rows of ``X`` into slices of about ``elements`` numbers each.

    By default these are fewer for images, of each of which a network makes many more.
    """
    elements = elements or (2**20 if X.ndim == 2 else 2**18)
    rows = max(16, elements // max(1, math.prod(X.shape[1:])))
    for start in range(0, X.shape[0], rows):
        yield slice(start, start + rows)


def iterate_rows(X: np.ndarray | Tensor, elements: int | None = None) -> Iterator:
    """Yield the parts of ``X`` that :func:`row_slices` divides it into."""
    return (X[rows] for rows in row_slices(X, elements))
