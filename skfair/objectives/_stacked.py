"""What objectives ask of a network, asked of many perceptrons at once.

Each function is the twin of one that asks a single network: ``forward(networks, inputs, y,
training) -> (run, of_members, of_lanes)``. ``run`` has the logits. Tensors in ``inputs`` and
``of_lanes`` have a leading axis of lanes, those in ``of_members`` axes of lanes and members.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from ..networks._stacked import Run, StackedMLP
from . import dralign
from ._base import plain_forward
from .classification import binary_logit
from .fairn import forward_with_slope
from .mixup import draw_partners, forward_with_paths
from .rationales import forward_with_rationales

Outputs = tuple[Run, dict[str, Any], dict[str, Tensor]]
StackedForward = Callable[..., Outputs]


def stacked_forward(forward: Callable) -> StackedForward | None:
    """Return the twin of an objective's ``forward``, ``None`` if there is none."""
    function = forward.func if isinstance(forward, partial) else forward
    keywords = dict(forward.keywords) if isinstance(forward, partial) else {}
    if function not in FORWARDS:
        return None
    if "forward" in keywords:
        keywords["forward"] = stacked_forward(keywords["forward"])
        if keywords["forward"] is None:
            return None
    return partial(FORWARDS[function], **keywords)


def draws_numbers(forward: Callable) -> bool:
    """Whether an objective's ``forward`` draws random numbers."""
    if isinstance(forward, partial):
        return draws_numbers(forward.func) or any(
            draws_numbers(value) for value in forward.keywords.values() if callable(value)
        )
    return forward is forward_with_paths


def plain(networks: StackedMLP, inputs: Mapping[str, Tensor], y: Tensor, training: bool) -> Outputs:
    """Logits, and nothing else."""
    return networks.run(inputs["X"], training), {}, {}


def slope(networks: StackedMLP, inputs: Mapping[str, Tensor], y: Tensor, training: bool) -> Outputs:
    """Logits, and the slope of the decision at each row."""
    run = networks.run(inputs["X"], training)
    return run, {"gradient_norm": networks.gradient_norm(run)}, {}


def paths(
    networks: StackedMLP,
    inputs: Mapping[str, Tensor],
    y: Tensor,
    training: bool,
    *,
    by_label: bool,
) -> Outputs:
    """Logits and, in training, slopes along random paths between the groups of the only lane."""
    run = networks.run(inputs["X"], training)
    if "groups" not in inputs or not training:
        return run, {}, {}
    X, groups = inputs["X"][0], inputs["groups"][0]
    if "penalty_only" in inputs:
        groups = groups.masked_fill(~inputs["penalty_only"][0].unsqueeze(-1), -1)
    weights = inputs["weights"][0] if "weights" in inputs else None
    labels = y[0] if by_label else None
    partners = torch.stack([draw_partners(g, labels, weights) for g in groups.unbind(-1)])
    t = torch.rand((), dtype=X.dtype, device=X.device)
    start, end = X[partners.flatten().clamp(min=0)], X[::2].repeat(len(partners), 1)
    on_path = networks.run((start + t * (end - start)).unsqueeze(0), training)
    change = networks.derivative(on_path, (end - start).unsqueeze(0))
    p = binary_logit(on_path.logits).sigmoid()
    slopes = p * (1 - p) * binary_logit(change)
    slopes = slopes.unflatten(-1, tuple(partners.shape))
    return run, {"slopes": slopes}, {"partners": partners.unsqueeze(0)}


def rationales(
    networks: StackedMLP,
    inputs: Mapping[str, Tensor],
    y: Tensor,
    training: bool,
    *,
    last: int | None,
    n_groups: int,
    n_cells: int,
    quota: int,
    align: bool = True,
    forward: StackedForward = plain,
) -> Outputs:
    """Logits and, in training, every layer's rationale of every cell."""
    if not training or "groups" not in inputs:
        return forward(networks, inputs, y, training)
    of_cells = partial(dralign.groups_of_cells, n_groups=n_groups, n_cells=n_cells, quota=quota)
    inputs = {**inputs, "groups": torch.stack([of_cells(of) for of in inputs["groups"]])}
    run, of_members, of_lanes = forward(networks, inputs, y, training)
    of_members = of_members | {"rationales": []}
    if align:
        losses = _cell_losses(run.logits, y, inputs.get("weights"), n_cells, quota)
        deltas = torch.autograd.grad(losses.sum(), run.outputs, create_graph=True)
        layers = list(zip(networks.leaves, run.entered, deltas, strict=True))
        of_members["rationales"] = [
            _rationale(networks, weight, entered, delta, n_cells, quota)
            for (weight, _), entered, delta in (layers if last is None else layers[-last:])
        ]
    return run, of_members, of_lanes


def _cell_losses(
    logits: Tensor, y: Tensor, weights: Tensor | None, n_cells: int, quota: int
) -> Tensor:
    """Cross-entropy of every cell, (n_lanes, n_members, n_cells)."""

    def of_one(logits: Tensor, y: Tensor, weights: Tensor | None) -> Tensor:
        return dralign.cell_losses(logits, y, weights, n_cells, quota)[0]

    of_lane = vmap(of_one, (0, None, None))
    return vmap(of_lane, (0, 0, None if weights is None else 0))(logits, y, weights)


def _rationale(
    networks: StackedMLP, weight: Tensor, entered: Tensor, delta: Tensor, n_cells: int, quota: int
) -> Tensor:
    """Rationale of a layer, (n_lanes, n_members, n_cells, n_weights).

    ``weight`` is (n_networks, outputs, inputs), ``delta`` (n_networks, outputs, rows). What enters
    is (n_networks, inputs, rows), or (n_lanes, rows, inputs) where networks of a lane share it.
    """
    shape, end = (networks.n_lanes, networks.n_members), n_cells * quota
    if entered.shape[2] == weight.shape[2]:  # the rows themselves
        of_rows = entered[:, :end].unflatten(1, (n_cells, quota))
        by_lane = delta[:, :, :end].unflatten(2, (n_cells, quota)).unflatten(0, shape)
        by_cell = by_lane.flatten(1, 2).transpose(
            1, 2
        )  # (n_lanes, cells, members * outputs, quota)
        gradient = (by_cell @ of_rows).unflatten(2, (shape[1], -1)).transpose(1, 2)
    else:
        of_rows = entered[:, :, :end].unflatten(2, (n_cells, quota)).permute(0, 2, 3, 1)
        by_cell = delta[:, :, :end].unflatten(2, (n_cells, quota)).transpose(1, 2)
        gradient = (by_cell @ of_rows).unflatten(0, shape)
    return (gradient * weight.unflatten(0, shape).unsqueeze(2)).flatten(3).square()


FORWARDS: Mapping[Callable, StackedForward] = {
    plain_forward: plain,
    forward_with_slope: slope,
    forward_with_paths: paths,
    forward_with_rationales: rationales,
}
