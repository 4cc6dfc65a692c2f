"""What a network loses if one of its weights is removed, for many weights at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ._graph import Graph, Layer, Removal, Values, WeightProblem

CHUNK_SIZE = 2**19  # numbers in a temporary array, which is to stay in the cache
MAX_KEPT_NUMBERS = 2**22  # numbers kept of the rows that are looked at together, at most MAX_ROWS
MAX_ROWS = 4096


@torch.no_grad()
def exact_costs(problem: WeightProblem) -> list[Tensor]:
    """Squared change of each group's loss, (n_groups, n_weights) a layer (FAIRER, Eq. 4)."""
    graph = Graph(problem)
    n_groups, device = problem.shares.shape[1], problem.shares.device
    changes = [
        torch.zeros(layer.weight.numel(), n_groups, dtype=torch.float64, device=device)
        for layer in problem.layers
    ]
    for part in problem.parts(min(max(1, MAX_KEPT_NUMBERS // graph.kept), MAX_ROWS)):
        values = graph.record(part.X)
        for i, (layer, removal) in enumerate(zip(problem.layers, graph.removals, strict=True)):
            if removal is None:
                changes[i] += _zero_one_by_one(part, layer).double()
            else:
                changes[i] += _zero_many(part, graph, removal, values).double()
    return [change.T.square() for change in changes]


def _zero_one_by_one(part: WeightProblem, layer: Layer) -> Tensor:
    """Change of each group's loss without a weight, (n_weights, n_groups)."""
    base = part.losses(part.module(part.X.clone()))
    changes = []
    for position in np.ndindex(*layer.weight.shape):
        weight = layer.weight[position].clone()
        layer.weight[position] = 0
        losses = part.losses(part.module(part.X.clone()))
        layer.weight[position] = weight
        changes.append((losses - base) @ part.shares)
    return torch.stack(changes)


def _zero_many(part: WeightProblem, graph: Graph, removal: Removal, values: Values) -> Tensor:
    """As :func:`_zero_one_by_one`, for many weights at a time.

    A weight and a row make a pair. The pairs of a unit's weights with the rows in which it changes
    are a batch for the rest of the network; or, if it changes in few of them, those pairs alone.
    """
    weights = removal.layer.weight.flatten(1)
    taps = removal.taps(values)
    n_blocks, n_inputs, n_rows, n_positions = taps.shape
    step = max(1, CHUNK_SIZE // (n_rows * n_positions))
    base = part.losses(values[graph.nodes[-1]])
    result = base.new_empty(*weights.shape, part.shares.shape[1])

    def recorded(rows: Tensor) -> tuple[Tensor, ...]:
        of_all = values[removal.target], part.y, base
        return rows, *(value.index_select(0, rows) for value in of_all)

    def loss_change(
        unit: int, change: Tensor, rows: Tensor, target: Tensor, y: Tensor, base: Tensor
    ) -> Tensor:
        """For changes of the unit (k, r, positions) and what is recorded of r rows: (k, r)."""
        target, times = removal.changed(target, unit, change), len(change)
        outputs = graph.resume(removal, values, rows, target, times)
        return part.losses(outputs, y, times).view(times, -1) - base

    for unit, own in enumerate(weights):
        inputs = taps[unit * n_blocks // len(weights)]
        for some in (slice(start, start + step) for start in range(0, n_inputs, step)):
            change = graph.unit_change(removal, values, unit, own[some, None, None] * inputs[some])
            moves = (change != 0).any(2)
            rows = moves.any(0).nonzero().squeeze(1)
            if 4 * moves.sum() > 3 * len(change) * len(rows):
                change = change.index_select(1, rows)
                size = max(1, CHUNK_SIZE // max(1, removal.width * len(rows)))
                known = recorded(rows)
                found = torch.cat([loss_change(unit, few, *known) for few in change.split(size)])
                result[unit, some] = found @ part.shares.index_select(0, rows)
            else:
                found, change = change.new_zeros(moves.numel()), change.flatten(0, 1)
                pairs = moves.flatten().nonzero().squeeze(1)
                for few in pairs.split(max(1, CHUNK_SIZE // removal.width)):
                    of_few = change.index_select(0, few).unsqueeze(0)
                    of_few = loss_change(unit, of_few, *recorded(few % n_rows))
                    found.index_copy_(0, few, of_few[0])
                result[unit, some] = found.view(-1, n_rows) @ part.shares
    return result.flatten(0, 1)
