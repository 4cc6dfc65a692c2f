"""Count a classifier's decisions around people (Individual Fairness Revisited, Algorithm 1).

Work is done in tiles of as many rows as are good for the caches: some people times some draws.
Tiles have the same shape whoever is in them, so that nobody's answer depends on the others'.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from pandas.api.types import is_numeric_dtype
from torch import Tensor, nn

from .._columns import rows_with
from .._progress import tqdm
from .._rates import clopper_pearson
from ..networks._inspection import first_layer, relu_layers
from .noise import Noise

NETWORK_ROWS = 2048  # of a tile: activations of some hundred units stay in the cache
CHUNK_ROWS = 1024  # people whose first layer is computed together
ESTIMATOR_ROWS = 2**16  # a call of predict has a cost of its own


class Voter(Protocol):
    """Decides about people with noise added."""

    n_classes: int
    dtype: torch.dtype
    device: torch.device
    pads: bool  # whether tiles must have one shape for answers to be the same to the last bit

    def prepare(self, noise: Tensor) -> Any:
        """Do with draws (n_draws, d) whatever does not depend on the people."""

    def count(self, people: np.ndarray, prepared: Any, n_draws: int) -> np.ndarray:
        """Votes (n_people, n_classes); ``prepared`` holds ``n_draws`` rows for all or for each."""


class NetworkVoter:
    """Votes of a torch module.

    The first linear layer maps people and noise apart, W (x + s t) = W x + (W s) t: shared draws
    pass through it once for all people, and draws of a person's own need no addition. Layers with
    ReLU between them are computed in place; there relu(a + r) = max(a, -r) + r, the second r of
    which is part of the next layer's bias.

    Parameters
    ----------
    module : torch.nn.Module
        The network, in evaluation mode.
    X : ndarray of shape (n, n_features)
        People, as the network sees them.
    columns : list of int
        Columns that the noise is for; -1 for one that the network does not see.
    scale : ndarray of shape (d,)
        Factor of the noise in each.
    n_classes : int
        Number of logits.
    own : bool
        Whether each person has draws of their own.
    """

    pads = True

    def __init__(
        self,
        module: nn.Module,
        X: np.ndarray,
        columns: list[int],
        scale: np.ndarray,
        n_classes: int,
        own: bool,
    ) -> None:
        parameter = next(module.parameters())
        self.dtype, self.device = parameter.dtype, parameter.device
        self.n_classes, self.X, self.own = n_classes, X, own
        place = torch.zeros(len(columns), X.shape[1], dtype=torch.float64)
        for row, (column, factor) in enumerate(zip(columns, scale, strict=True)):
            if column >= 0:
                place[row, column] = factor
        self.first: nn.Module = nn.Identity()
        self.after: Callable[[Tensor], Tensor] = module
        if (split := first_layer(module)) is not None:
            first = copy.deepcopy(split[0]).cpu().double()
            self.first, self.after, place = first, split[1], place @ first.weight.T
        self.matrix = place.to(self.device, self.dtype)
        self.layers = relu_layers(module) if n_classes == 2 else []
        if self.layers:
            weight, bias = self.layers[-1].weight, self.layers[-1].bias
            self.contrast = weight[1] - weight[0]
            self.threshold = torch.zeros_like(weight[0, 0]) if bias is None else bias[0] - bias[1]
        self._buffers: dict[tuple, Tensor] = {}
        self._chunk = -1

    def prepare(self, noise: Tensor) -> Tensor:
        """Pass draws through the first layer; those of a person's own only with the person."""
        return noise if self.own else noise @ self.matrix

    def count(self, people: np.ndarray, prepared: Tensor, n_draws: int) -> np.ndarray:
        """Count votes."""
        if self.layers and len(people) == 1:
            second = int(self._count_second(self._first_of(people[0]), prepared))
            return np.array([[n_draws - second, second]])
        rows = self._first_of(people)
        moved = (prepared @ self.matrix).view(len(people), n_draws, -1) if self.own else prepared
        logits = self.after((moved + rows[:, None]).flatten(0, 1)).view(len(people), n_draws, -1)
        codes = logits.argmax(-1)
        codes += self.n_classes * torch.arange(len(people), device=self.device)[:, None]
        counts = torch.bincount(codes.flatten(), minlength=len(people) * self.n_classes)
        return counts.view(len(people), -1).cpu().numpy()

    def _first_of(self, people: Any) -> Tensor:
        """First layer of people; of single ones for the whole chunk they are in.

        In double precision, so that nobody's last bits depend on who else is in the chunk.
        """
        if np.ndim(people):
            return self._first(self.X[people])
        if people // CHUNK_ROWS != self._chunk:
            self._chunk = people // CHUNK_ROWS
            self._of_chunk = self._first(
                self.X[self._chunk * CHUNK_ROWS : (self._chunk + 1) * CHUNK_ROWS]
            )
        return self._of_chunk[people % CHUNK_ROWS]

    def _first(self, X: np.ndarray) -> Tensor:
        return self.first(torch.tensor(X, dtype=torch.float64)).to(self.device, self.dtype)

    def _count_second(self, row: Tensor, prepared: Tensor) -> Tensor:
        """Votes of one person for the second of two classes."""
        n, offset = len(prepared), None
        hidden = self._buffer(0, n, len(row))
        if self.own:
            torch.addmm(row, prepared, self.matrix, out=hidden).relu_()
        else:
            torch.maximum(prepared, -row, out=hidden)
            offset = row
        for i, layer in enumerate(self.layers[:-1], start=1):
            bias = layer.bias if offset is None else layer.weight @ offset
            if offset is not None and layer.bias is not None:
                bias = bias + layer.bias
            out = self._buffer(i, n, layer.out_features)
            if bias is None:
                torch.mm(hidden, layer.weight.T, out=out)
            else:
                torch.addmm(bias, hidden, layer.weight.T, out=out)
            hidden, offset = out.relu_(), None
        threshold = self.threshold if offset is None else self.threshold - self.contrast @ offset
        return torch.count_nonzero(hidden @ self.contrast > threshold)

    def _buffer(self, layer: int, *shape: int) -> Tensor:
        key = layer, *shape
        if key not in self._buffers:
            self._buffers[key] = torch.empty(shape, dtype=self.dtype, device=self.device)
        return self._buffers[key]


class EstimatorVoter:
    """Votes of anything with ``predict``.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier or pipeline.
    X : ndarray or DataFrame of shape (n, n_features)
        Input samples.
    numbers : ndarray of shape (n, d)
        Their numbers in ``columns``.
    columns : list of int
        Columns that the noise is for.
    scale : ndarray of shape (d,)
        Factor of the noise in each.
    classes : ndarray of shape (n_classes,)
        Labels, sorted.
    own : bool
        Whether each person has draws of their own.
    """

    device, dtype, pads = torch.device("cpu"), torch.float64, False

    def __init__(
        self,
        estimator: Any,
        X: Any,
        numbers: np.ndarray,
        columns: list[int],
        scale: np.ndarray,
        classes: np.ndarray,
        own: bool,
    ) -> None:
        self.own = own
        self.estimator, self.X, self.numbers = estimator, X, numbers
        self.columns, self.scale = columns, scale
        self.classes, self.n_classes = classes, len(classes)

    def prepare(self, noise: Tensor) -> np.ndarray:
        """Bring noise to scale."""
        return noise.numpy() * self.scale

    def count(self, people: np.ndarray, prepared: np.ndarray, n_draws: int) -> np.ndarray:
        """Count votes."""
        who = np.repeat(people, n_draws)
        moved = self.numbers[who]
        moved += prepared if self.own else np.tile(prepared, (len(people), 1))
        rows = rows_with(self.X, who, self.columns, moved)
        codes = np.searchsorted(self.classes, self.estimator.predict(rows))
        codes += self.n_classes * np.repeat(np.arange(len(people)), n_draws)
        counts = np.bincount(codes, minlength=len(people) * self.n_classes)
        return counts.reshape(len(people), -1)


class Draws:
    """Where noise comes from: the same draws for all, or a person's own, from a seed of theirs.

    Parameters
    ----------
    noise : Noise
        Kind of noise.
    seed : int
        Of all draws.
    n_draws : int
        For each person.
    X : ndarray, DataFrame or None
        People, if each is to have draws of their own. Their seed comes from what is in their row,
        so that it is the same wherever the row stands.
    """

    def __init__(self, noise: Noise, seed: int, n_draws: int, X: Any = None) -> None:
        self.noise, self.seed, self.n_draws = noise, seed, n_draws
        self.seeds = None if X is None else row_seeds(X, seed)

    def blocks(self, people: np.ndarray | None, size: int, voter: Voter) -> Iterator[tuple]:
        """Yield number of draws and draws, ``size`` at a time, one after the other for people."""
        seeds = [self.seed] if self.seeds is None else self.seeds[people].tolist()
        generators = [torch.Generator(voter.device).manual_seed(seed) for seed in seeds]
        d = len(self.noise.scale)
        for start in range(0, self.n_draws, size):
            n = min(size, self.n_draws - start)
            out = torch.empty(len(seeds), n, d, dtype=voter.dtype, device=voter.device)
            for part, generator in zip(out, generators, strict=True):
                self.noise.fill(part, generator)
            yield n, voter.prepare(out.flatten(0, 1))


def row_seeds(X: Any, seed: int) -> np.ndarray:
    """Return a seed for each row, from its values alone."""
    table = X if hasattr(X, "iloc") else pd.DataFrame(X)
    values = [
        # 0.0 and -0.0 are one, 1 and 1.0 as well; text of mixed values, not what equals what here
        column.to_numpy(dtype=np.float64) + 0.0
        if is_numeric_dtype(column) and not column.hasnans
        else column.astype(str)
        for _, column in table.items()
    ]
    plain = pd.DataFrame(dict(enumerate(values)), index=table.index)
    codes = pd.util.hash_pandas_object(plain, index=False).to_numpy()
    return ((codes ^ np.uint64(2 * seed)) >> np.uint64(1)).astype(np.int64)


def count_votes(
    voter: Voter,
    draws: Draws,
    n_people: int,
    rows: int,
    certain: float | None = None,
    verbose: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Count votes for each person.

    Parameters
    ----------
    voter : Voter
        Who votes.
    draws : Draws
        The noise.
    n_people : int
        Number of people.
    rows : int
        Rows of a tile.
    certain : float, default=None
        If given, people whose majority is known need no further draws: a class has more than half
        of all votes with a probability of error of at most this, all looks at it together.
    verbose : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    counts : ndarray of shape (n_people, n_classes)
        Votes.
    used : ndarray of shape (n_people,)
        Draws.
    """
    size = min(draws.n_draws, rows)
    width = max(1, rows // size)
    counts = np.zeros((n_people, voter.n_classes), dtype=np.int64)
    n_blocks = math.ceil(draws.n_draws / size)
    n_looks = max(1, (n_blocks - 1).bit_length())
    level = None if certain is None else certain / (n_looks * voter.n_classes)

    def decided(people: np.ndarray, block: int) -> np.ndarray:
        """Whether people are, after this block; looked at when the number of draws has doubled."""
        if level is None or block & (block - 1) or block == n_blocks:
            return np.zeros(len(people), dtype=bool)
        top = counts[people].max(axis=1)
        return clopper_pearson(top, counts[people].sum(axis=1), level)[0] > 0.5

    with (
        torch.no_grad(),
        tqdm(
            total=n_people * draws.n_draws, unit="draw", unit_scale=True, disable=not verbose
        ) as bar,
    ):
        everyone = np.arange(n_people)
        shared = draws.seeds is None
        for company in [everyone] if shared else _tiles(everyone, width):
            tile = None if shared else _padded(company, width, voter)
            for block, (n, prepared) in enumerate(draws.blocks(tile, size, voter), start=1):
                for people in _tiles(company, width):
                    found = voter.count(_padded(people, width, voter), prepared, n)
                    counts[people] += found[: len(people)]
                    bar.update(n * len(people))
                done = decided(company, block)
                if shared:
                    company = company[~done]
                if not len(company) or done.all():
                    break
        bar.update(bar.total - bar.n)
    return counts, counts.sum(axis=1)


def _tiles(people: np.ndarray, width: int) -> Iterator[np.ndarray]:
    for start in range(0, len(people), width):
        yield people[start : start + width]


def _padded(people: np.ndarray, width: int, voter: Voter) -> np.ndarray:
    if not voter.pads:
        return people
    return np.pad(people, (0, width - len(people)), mode="edge")
