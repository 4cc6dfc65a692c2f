"""A tabular network as a function of 0/1 columns, which has a derivative by categories, too."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ._heads import HeadedNetwork
from .tabular import CategoryEmbedding, NumberEmbedding, TabularNetwork


class OneHotTable(nn.Module):
    """A tabular network that takes a 0/1 column for every code of a category.

    Parameters
    ----------
    table : TabularNetwork
        The network.
    head : torch.nn.Module, default=None
        What makes logits of its outputs, if they are features.

    Attributes
    ----------
    columns : list of list of int
        Where each column of the encoded table is among what this network takes: a 0/1 column for
        every code, or a number and whether it is missing.
    codes : list of int
        The columns of the encoded table that hold codes.
    """

    def __init__(self, table: TabularNetwork, head: nn.Module | None = None) -> None:
        super().__init__()
        self.table, self.head = table, head
        self.codes: list[int] = []
        sizes: dict[int, int] = {}
        for part in table.embeddings:
            if isinstance(part, CategoryEmbedding):
                self.codes, n_codes = part.positions.tolist(), _n_codes(part)
                sizes |= dict(zip(self.codes, n_codes, strict=True))
            elif isinstance(part, NumberEmbedding):
                sizes |= dict.fromkeys(part.positions.tolist(), 2)
        starts = np.cumsum([0, *(sizes[position] for position in range(len(sizes)))])
        self.columns = [list(range(a, b)) for a, b in zip(starts[:-1], starts[1:], strict=True)]

    @classmethod
    def of(cls, module: nn.Module) -> OneHotTable | None:
        """Return the twin of a network, ``None`` if it is no tabular one."""
        if isinstance(module, TabularNetwork):
            return cls(module)
        if isinstance(module, HeadedNetwork) and isinstance(module.body, TabularNetwork):
            return cls(module.body, module.head)
        return None

    def expand(self, rows: np.ndarray) -> np.ndarray:
        """Return encoded rows as this network takes them."""
        expanded = np.zeros((len(rows), sum(map(len, self.columns))), rows.dtype)
        for values, position, columns in zip(
            rows.T, range(len(self.columns)), self.columns, strict=True
        ):
            if position in self.codes:
                expanded[np.arange(len(rows)), columns[0] + values.astype(int)] = 1
            else:
                expanded[:, columns[0]] = np.nan_to_num(values)
                expanded[:, columns[1]] = np.isnan(values)
        return expanded

    def forward(self, X: Tensor) -> Tensor:
        """Return the network's outputs for expanded rows."""
        firsts, seconds = ([columns[i] for columns in self.columns] for i in (0, 1))
        numbers = X[:, firsts].masked_fill(X[:, seconds] > 0.5, torch.nan)  # and some 0/1 columns
        parts = [
            self._categories(part, X) if isinstance(part, CategoryEmbedding) else part(numbers)
            for part in self.table.embeddings
        ]
        outputs = self.table.after_embedding(torch.cat(parts, 1))
        return outputs if self.head is None else self.head(outputs)

    def _categories(self, part: CategoryEmbedding, X: Tensor) -> Tensor:
        blocks = [X[:, self.columns[position]] for position in self.codes]
        weights = part.weight.split(_n_codes(part))
        return torch.cat([block @ w for block, w in zip(blocks, weights, strict=True)], 1)


def _n_codes(part: CategoryEmbedding) -> list[int]:
    return np.diff([*part.offsets.tolist(), len(part.weight)]).tolist()
