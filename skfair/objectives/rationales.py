"""Gradients of each cell's loss with respect to the weights, kept differentiable (FAIRER, 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ..networks._inspection import weight_layers
from . import _base, dralign

Call = tuple[Tensor, Tensor]


def forward_with_rationales(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    y: Tensor,
    *,
    last: int | None,
    n_groups: int,
    n_cells: int,
    quota: int,
    align: bool = True,
    forward: Callable = _base.plain_forward,
) -> _base.Outputs:
    """Logits of a batch and, in training, every layer's rationale of every cell.

    One forward pass serves all cells, and one backward pass down to the layers' outputs: as rows do
    not mix, a cell's gradient is the product of its rows of the layer's input and of the output's
    gradient. Where that does not hold (batch-norm, a weight used outside its layer, padding that is
    not zero) each cell's loss is differentiated by itself.

    Parameters
    ----------
    module, inputs, y
        As in :class:`~skfair.objectives.Objective`; rows in cells, as
        :class:`~skfair.training._batches.BatchLoader` makes them.
    last : int or None
        Align so many layers.
    n_groups, n_cells, quota : int
        Number of groups and cells, and rows in each cell.
    align : bool, default=True
        Whether rationales are needed at all.
    forward : callable
        Gives the logits and what else the objective needs.
    """
    if not module.training or "groups" not in inputs:
        return forward(module, inputs, y)
    groups = dralign.groups_of_cells(inputs["groups"], n_groups, n_cells, quota)
    inputs = {**inputs, "groups": groups}
    if not align:
        logits, extra = forward(module, inputs, y)
        return logits, extra | {"rationales": []}
    layers = weight_layers(module, last)
    with _calls_of(layers) as calls:
        logits, extra = forward(module, inputs, y)
    losses, _ = dralign.cell_losses(logits, y, inputs.get("weights"), n_cells, quota)
    if not (_is_row_by_row(module) and all(map(_is_simple, layers, calls))):
        gradients = _gradients_one_by_one(losses, layers)
    else:
        gradients = _gradients_from_rows(losses, layers, [call[0] for call in calls], quota)
    extra["rationales"] = [
        dralign.rationale(gradient, layer.weight)
        for gradient, layer in zip(gradients, layers, strict=True)
    ]
    return logits, extra


@contextmanager
def _calls_of(layers: Sequence[nn.Module]) -> Iterator[list[list[Call]]]:
    """Record inputs and output of every call of the layers."""
    calls: list[list[Call]] = [[] for _ in layers]

    def recorder(own: list[Call]) -> Callable:
        return lambda layer, arguments, output: own.append((arguments[0], output))

    handles = [
        layer.register_forward_hook(recorder(own)) for layer, own in zip(layers, calls, strict=True)
    ]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _is_row_by_row(module: nn.Module) -> bool:
    """Whether no row's gradient depends on other rows, and no weight belongs to two modules."""
    if any(isinstance(part, _BatchNorm) for part in module.modules()):
        return False
    names = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    return len(names) == len(list(module.parameters()))


def _is_simple(layer: nn.Module, calls: list[Call]) -> bool:
    if isinstance(layer, nn.Linear):
        return len(calls) == 1
    plain = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return len(calls) == 1 and plain and not isinstance(layer, _ConvTransposeNd)


def _gradients_one_by_one(losses: Tensor, layers: Sequence[nn.Module]) -> list[Tensor]:
    weights = [layer.weight for layer in layers]
    per_cell = [
        torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)
        for loss in losses
    ]
    return [torch.stack(gradients) for gradients in zip(*per_cell, strict=True)]


def _gradients_from_rows(
    losses: Tensor, layers: Sequence[nn.Module], calls: Sequence[Call], quota: int
) -> list[Tensor]:
    outputs = [output for _, output in calls]
    deltas = torch.autograd.grad(losses.sum(), outputs, create_graph=True, materialize_grads=True)
    n_cells = len(losses)
    gradients = []
    for layer, (rows, _), delta in zip(layers, calls, deltas, strict=True):
        if len(rows) > n_cells * quota:  # a slice of all would cost a copy in the backward pass
            rows, delta = rows[: n_cells * quota], delta[: n_cells * quota]
        if isinstance(layer, nn.Linear):
            rows = rows.reshape(n_cells, -1, rows.shape[-1])
            delta = delta.reshape(n_cells, -1, delta.shape[-1])
            gradients.append(_WeightGradients.apply(delta, rows))
        else:
            cells = zip(rows.split(quota), delta.split(quota), strict=True)
            gradients.append(torch.stack([_filter_gradient(layer, *cell) for cell in cells]))
    return gradients


class _WeightGradients(torch.autograd.Function):
    """A linear layer's gradients for each cell, (n_cells, outputs, inputs).

    The product of output gradients and inputs, whose own gradients, unlike autograd's, come in the
    layout of these and need no copy.
    """

    @staticmethod
    def forward(delta: Tensor, rows: Tensor) -> Tensor:
        return delta.transpose(1, 2) @ rows

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        delta, rows = ctx.saved_tensors
        of_delta, of_rows = ctx.needs_input_grad
        return (
            rows @ gradient.transpose(1, 2) if of_delta else None,
            delta @ gradient if of_rows else None,
        )


def _filter_gradient(layer: _ConvNd, rows: Tensor, delta: Tensor) -> Tensor:
    return torch.ops.aten.convolution_backward(
        delta,
        rows,
        layer.weight,
        None,
        layer.stride,
        layer.padding,
        layer.dilation,
        False,
        layer.output_padding,
        layer.groups,
        [False, True, False],
    )[1]
