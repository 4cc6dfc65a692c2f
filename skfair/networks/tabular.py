"""The tabular network: encodings of numbers and categories, and perceptrons on top of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .mlp import MLP

N_BINS = 32
NUMBER_SIZE = 16
CATEGORY_SIZE = 8
ROWS_AT_ONCE = 2**12  # whose activations stay in the cache: prediction takes a third of the time


# -- what a table is made of -------------------------------------------------------------------


@dataclass(frozen=True)
class TableLayout:
    """What each column of an encoded table is.

    Parameters
    ----------
    n_features : int
        Number of columns.
    n_codes : dict of int to int
        Number of codes of each category column, by its position.
    edges : dict of int to list of float
        Ascending bin edges of each numeric column, by its position; fewer than two where its value
        is always the same, or always missing.
    missing : list of int
        Numeric columns in which values are missing.
    """

    n_features: int
    n_codes: dict[int, int] = field(default_factory=dict)
    edges: dict[int, list[float]] = field(default_factory=dict)
    missing: list[int] = field(default_factory=list)


def learn_layout(X: np.ndarray, n_codes: Mapping[int, int], n_bins: int = N_BINS) -> TableLayout:
    """Learn the numeric columns' bin edges, and where values are missing.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        Encoded training rows: numbers, NaN where missing, and codes.
    n_codes : mapping of int to int
        Number of codes of each category column, by its position.
    n_bins : int, default=32
        Most bins of a column.

    Returns
    -------
    TableLayout
        Of these rows.
    """
    edges: dict[int, list[float]] = {}
    missing = []
    for position in range(X.shape[1]):
        if position not in n_codes:
            values = X[:, position]
            known = values[~np.isnan(values)]
            edges[position] = bin_edges(known, n_bins).tolist()
            if len(known) < len(values):
                missing.append(position)
    return TableLayout(X.shape[1], {i: int(n) for i, n in n_codes.items()}, edges, missing)


def bin_edges(values: np.ndarray, n_bins: int = N_BINS) -> np.ndarray:
    """Divide a column into bins that hold about as many rows each.

    A value more frequent than that, as the zeros of an amount that few people have, counts as one
    bin; the others share the rest. If there are few values, each is an edge.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Finite numbers.
    n_bins : int, default=32
        Most bins.

    Returns
    -------
    ndarray of shape (n_edges,)
        At most ``n_bins + 1`` of the values, ascending, from the least to the greatest.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) > n_bins + 1:
        shares = _at_most_a_bin(counts.astype(np.float64), n_bins)
        ranks = np.cumsum(shares) - shares / 2
        wanted = np.linspace(ranks[0], ranks[-1], n_bins + 1)
        positions = np.searchsorted(ranks, wanted).clip(max=len(distinct) - 1)
        distinct = distinct[np.unique(positions)]
    # the square of a slope in a bin has to be finite
    narrowest = math.sqrt(np.finfo(values.dtype).tiny)
    edges = list(distinct[:1])
    for value in distinct[1:]:
        if float(value) - float(edges[-1]) > narrowest:
            edges.append(value)
    return np.array(edges, values.dtype)


def _at_most_a_bin(counts: np.ndarray, n_bins: int) -> np.ndarray:
    """Reduce counts of values to at most a bin's share of their sum."""
    for _ in range(n_bins):
        share = counts.sum() / n_bins
        if counts.max() <= share * (1 + 1e-6):
            break
        counts = np.minimum(counts, share)
    return counts


def embedded_width(layout: TableLayout) -> int:
    """Width of all columns' embeddings side by side."""
    return NUMBER_SIZE * len(layout.edges) + CATEGORY_SIZE * len(layout.n_codes)


# -- embeddings --------------------------------------------------------------------------------


class NumberEmbedding(nn.Module):
    """Embed numeric columns by a piecewise linear function of each.

    Parameters
    ----------
    layout : TableLayout
        Whose ``edges`` say which columns these are.
    dtype : torch.dtype, default=torch.float32
        Precision of the rows.

    Notes
    -----
    The encoding of a number has a component for each bin: 0 below it, 1 above it, and from 0 to 1
    within; the first and the last bin's stay at 0 and 1 outside. A last component is 1 where the
    number is missing, and all others are 0 then. In a column that is never missing in training, a
    missing number takes the place of the middle edge.

    References
    ----------
    Gorishniy, Y., Rubachev, I., and Babenko, A. On embeddings for numerical features in tabular
    deep learning. NeurIPS 2022.
    """

    positions: Tensor
    left: Tensor
    slope: Tensor
    substitute: Tensor
    may_miss: Tensor

    def __init__(self, layout: TableLayout, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        edges = [np.asarray(of, np.float64) for of in layout.edges.values()]
        n_columns, n_bins = len(edges), max(1, *(len(of) - 1 for of in edges))
        left = torch.zeros(n_columns, 1, n_bins, dtype=torch.float64)
        slope = torch.zeros_like(left)  # which makes 0 of a bin that a column lacks
        for i, of in enumerate(edges):
            if len(of) > 1:
                left[i, 0, : len(of) - 1] = torch.from_numpy(of[:-1])
                with np.errstate(over="ignore"):
                    slopes = (1 / np.diff(of)).clip(min=torch.finfo(dtype).tiny)
                slope[i, 0, : len(of) - 1] = torch.from_numpy(slopes)
        substitute = [of[len(of) // 2] if len(of) else 0.0 for of in edges]
        may_miss = [position in layout.missing for position in layout.edges]
        self.register_buffer("positions", torch.tensor(list(layout.edges)))
        self.register_buffer("left", left.to(dtype))
        self.register_buffer("slope", slope.to(dtype))
        self.register_buffer("substitute", torch.tensor(substitute, dtype=dtype).unsqueeze(1))
        self.register_buffer("may_miss", torch.tensor(may_miss).unsqueeze(1))
        self.weight = nn.Parameter(torch.empty(n_columns, n_bins + 1, NUMBER_SIZE, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(n_columns, 1, NUMBER_SIZE, dtype=dtype))
        nn.init.uniform_(self.weight, -(n_bins**-0.5), n_bins**-0.5)

    def encode(self, X: Tensor) -> Tensor:
        """Encode the columns piecewise linearly.

        Parameters
        ----------
        X : Tensor of shape (n, n_features)
            Rows.

        Returns
        -------
        Tensor of shape (n_columns, n, n_bins + 1)
            Column by column.
        """
        values = X.index_select(1, self.positions).t()
        missing = values.isnan()
        values = torch.where(missing, self.substitute, values).unsqueeze(2)
        within = ((values - self.left) * self.slope).clamp(0, 1)
        missing = (missing & self.may_miss).unsqueeze(2)
        return torch.cat([within.masked_fill(missing, 0), missing.to(within.dtype)], 2)

    def forward(self, X: Tensor) -> Tensor:
        """Return the embeddings side by side.

        Parameters
        ----------
        X : Tensor of shape (n, n_features)
            Rows.

        Returns
        -------
        Tensor of shape (n, n_embedded)
            Of all numeric columns.
        """
        embedded = torch.baddbmm(self.bias, self.encode(X), self.weight)
        return embedded.transpose(0, 1).flatten(1)


class CategoryEmbedding(nn.Module):
    """Embed category columns: a vector for each code.

    Parameters
    ----------
    layout : TableLayout
        Whose ``n_codes`` say which columns these are.
    dtype : torch.dtype, default=torch.float32
        Precision of the rows.

    Notes
    -----
    The vectors of the codes 0, missing, and 1, rare or unseen, begin at zero, the middle of the
    others, and stay there where training has no such row.
    """

    positions: Tensor
    offsets: Tensor
    last: Tensor

    def __init__(self, layout: TableLayout, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        n_codes = list(layout.n_codes.values())
        offsets = torch.tensor([0, *n_codes]).cumsum(0)[:-1]
        self.register_buffer("positions", torch.tensor(list(layout.n_codes)))
        self.register_buffer("offsets", offsets)
        self.weight = nn.Parameter(torch.randn(sum(n_codes), CATEGORY_SIZE, dtype=dtype))
        with torch.no_grad():
            self.weight[torch.cat([offsets, offsets + 1])] = 0

    def forward(self, X: Tensor) -> Tensor:
        """Return the embeddings side by side.

        Parameters
        ----------
        X : Tensor of shape (n, n_features)
            Rows.

        Returns
        -------
        Tensor of shape (n, n_embedded)
            Of all category columns.
        """
        codes = X.index_select(1, self.positions).long() + self.offsets
        return functional.embedding(codes, self.weight).flatten(1)


# -- the network -------------------------------------------------------------------------------


class TabularMLP(MLP):
    """The perceptron, with a mask for dropout that takes a fifth of the time to draw."""

    def _drop(self, h: Tensor) -> Tensor:
        if not (self.dropout and self.training):
            return h
        return h * (torch.rand_like(h) >= self.dropout).to(h.dtype).div_(1 - self.dropout)


class MemberMLP(TabularMLP):
    """Perceptrons that share their weight matrices, each with scales and biases of its own.

    Parameters
    ----------
    n_features, n_outputs : int
        Width of the input and number of logits.
    hidden_layer_sizes, activation, dropout
        As in :class:`MLP`.
    n_members : int, default=8
        Number of perceptrons.

    Notes
    -----
    A member scales what enters a layer and what leaves it (BatchEnsemble); at first members differ
    in the signs of what enters the first layer (TabM). Parameters are the scales' differences from
    1, so that weight decay draws members together.

    References
    ----------
    Gorishniy, Y., Kotelnikov, A., and Babenko, A. TabM: advancing tabular deep learning with
    parameter-efficient ensembling. ICLR 2025.
    """

    signs: Tensor

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        hidden_layer_sizes: Sequence[int] = (256,),
        activation: str = "relu",
        dropout: float = 0.0,
        n_members: int = 8,
    ) -> None:
        super().__init__(n_features, n_outputs, hidden_layer_sizes, activation, dropout)
        self.n_members = n_members
        layers = [*self.hidden, self.output]
        widths_in = [of.in_features for of in layers]
        widths_out = [of.out_features for of in layers]
        signs = torch.randint(2, (n_members, widths_in[0])).mul(2).sub(1)
        self.register_buffer("signs", signs.to(layers[0].weight.dtype))
        self.scales_in, self.scales_out, self.biases = (
            nn.ParameterList(torch.zeros(n_members, width) for width in widths)
            for widths in (widths_in, widths_out, widths_out)
        )

    def forward(self, X: Tensor) -> Tensor:
        """Return the logits of one member for each row, of the first one for the first.

        Parameters
        ----------
        X : Tensor of shape (n, n_features)
            Rows.

        Returns
        -------
        Tensor of shape (n, n_outputs)
            Logits; row ``i`` is the member's number ``i % n_members``.
        """
        last = len(self.hidden)
        h = X
        for i, layer in enumerate((*self.hidden, self.output)):
            scale_in, scale_out = 1 + self.scales_in[i], 1 + self.scales_out[i]
            if i == 0:
                scale_in = scale_in * self.signs
            z = layer(self._each(torch.mul, h, scale_in))
            z = self._each(torch.add, self._each(torch.mul, z, scale_out), self.biases[i])
            if i < last:
                h = self._drop(self.activations[i](z))
        return z

    def _each(self, function: Callable[..., Tensor], rows: Tensor, of_members: Tensor) -> Tensor:
        """Apply a function to every row and what its member has for it."""
        if len(rows) % self.n_members:
            of_rows = of_members.repeat(-(-len(rows) // self.n_members), 1)
            return function(rows, of_rows[: len(rows)])
        return function(rows.view(-1, *of_members.shape), of_members).view_as(rows)


class TabularNetwork(nn.Module):
    """Network for encoded tables that returns logits.

    Numbers and categories are embedded; a perceptron sees the embeddings of a row side by side.

    Parameters
    ----------
    layout : TableLayout
        What each column is.
    n_outputs : int
        Number of logits.
    hidden_layer_sizes : sequence of int, default=(256,)
        Width of each hidden layer; empty for a linear function of the embeddings.
    dropout : float in [0, 1), default=0.0
        Share of the hidden units dropped during training.
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        Activation of the hidden layers.
    n_members : int, default=1
        Number of perceptrons on the same embeddings, see :class:`MemberMLP`. In training each sees
        rows of its own, so that a batch has every row ``n_members`` times, one after the other. In
        evaluation the logits are the members' mean ones.
    dtype : torch.dtype, default=torch.float32
        Precision of the rows and of bin edges.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skfair.networks import TabularNetwork, learn_layout
    >>> X = np.array([[0.5, 2], [np.nan, 3], [1.5, 2], [9.0, 1]], dtype=np.float32)
    >>> layout = learn_layout(X, n_codes={1: 4})
    >>> layout.edges, layout.missing
    ({0: [0.5, 1.5, 9.0]}, [0])
    >>> TabularNetwork(layout, n_outputs=2)(torch.from_numpy(X)).shape
    torch.Size([4, 2])
    """

    def __init__(
        self,
        layout: TableLayout,
        n_outputs: int,
        hidden_layer_sizes: Sequence[int] = (256,),
        dropout: float = 0.0,
        activation: str = "relu",
        n_members: int = 1,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.n_members = n_members
        self.embeddings = nn.ModuleList()
        if layout.edges:
            self.embeddings.append(NumberEmbedding(layout, dtype=dtype))
        if layout.n_codes:
            self.embeddings.append(CategoryEmbedding(layout, dtype=dtype))
        shape = (embedded_width(layout), n_outputs, hidden_layer_sizes, activation, dropout)
        self.mlp = TabularMLP(*shape) if n_members == 1 else MemberMLP(*shape, n_members)
        self.mlp.to(dtype)

    def embed(self, X: Tensor) -> Tensor:
        """Return the embeddings of a row's columns side by side.

        Parameters
        ----------
        X : Tensor of shape (n, n_features)
            Rows.

        Returns
        -------
        Tensor of shape (n, n_embedded)
            What the perceptron sees.
        """
        parts = [embed(X) for embed in self.embeddings]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def after_embedding(self, embedded: Tensor) -> Tensor:
        """Return the logits of embedded rows.

        Parameters
        ----------
        embedded : Tensor of shape (n, n_embedded)
            From :meth:`embed`.

        Returns
        -------
        Tensor of shape (n, n_outputs)
            Logits.
        """
        if self.training or self.n_members == 1:
            return self.mlp(embedded)
        rows = embedded.repeat_interleave(self.n_members, 0)
        return self.mlp(rows).unflatten(0, (-1, self.n_members)).mean(1)

    def forward(self, X: Tensor) -> Tensor:
        """Return the logits.

        Parameters
        ----------
        X : Tensor of shape (n, n_features)
            Rows: numbers, NaN where missing, and codes of categories.

        Returns
        -------
        Tensor of shape (n, n_outputs)
            Logits; in training row ``i`` is for the member ``i % n_members``.
        """
        n_rows = max(1, ROWS_AT_ONCE // self.n_members**2) * self.n_members
        if torch.is_grad_enabled() or len(X) <= n_rows:
            return self.after_embedding(self.embed(X))
        return torch.cat([self.after_embedding(self.embed(part)) for part in X.split(n_rows)])
