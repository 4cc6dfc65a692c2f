"""Many perceptrons of one shape, computed together.

A stack has ``n_lanes`` lanes of ``n_members`` networks each; networks of a lane see the same rows.
Activations are of shape (n_networks, units, rows), n_networks = n_lanes * n_members: the first
layer is then one matrix product a lane, the others are batched ones, and nothing is copied between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._direct import IN_PLACE
from .mlp import _FLOOR, ACTIVATIONS, MLP, norm


class StackedWeights:
    """Weights of networks of one shape in one buffer, a block for each of their tensors.

    Parameters
    ----------
    networks : sequence of sequences of torch.nn.Module
        Lane by lane. Their weights are copied, and become views of the buffer.

    Attributes
    ----------
    values, gradients : Tensor of shape (n_weights,)
        The buffers.
    """

    def __init__(self, networks: Sequence[Sequence[nn.Module]]) -> None:
        self.networks = networks
        self.n_lanes, self.n_members = len(networks), len(networks[0])
        first = networks[0][0]
        self.shapes = {name: tuple(p.shape) for name, p in first.named_parameters()}
        some = next(first.parameters())
        n_weights = sum(p.numel() for p in first.parameters()) * self.n_lanes * self.n_members
        self.values = torch.empty(n_weights, dtype=some.dtype, device=some.device)
        self.gradients = torch.zeros_like(self.values)
        blocks = self.blocks(self.values)
        for i, lane in enumerate(networks):
            for j, network in enumerate(lane):
                for name, parameter in network.named_parameters():
                    view = blocks[name][i, j]
                    view.copy_(parameter.detach())
                    parameter.data = view

    def blocks(self, buffer: Tensor) -> dict[str, Tensor]:
        """Return views of a buffer by name, (n_lanes, n_members, ...) each."""
        views, start = {}, 0
        for name, shape in self.shapes.items():
            shape = (self.n_lanes, self.n_members, *shape)
            end = start + torch.Size(shape).numel()
            views[name] = buffer[start:end].view(shape)
            start = end
        return views


def release(network: nn.Module) -> None:
    """Give a network weights of its own again, as they are now."""
    for parameter in network.parameters():
        parameter.data = parameter.data.clone()


@dataclass
class Run:
    """A forward pass that can be differentiated.

    Attributes
    ----------
    logits : Tensor of shape (n_lanes, n_members, rows, n_outputs)
        What comes out.
    entered : list of Tensor
        What each layer was given: (n_lanes, rows, n_features), then (n_networks, units, rows).
    outputs : list of Tensor of shape (n_networks, units, rows)
        What each layer returned.
    slopes : list of Tensor of shape (n_networks, units, rows)
        Derivatives of what entered the next layer with respect to ``outputs``.
    """

    logits: Tensor
    entered: list[Tensor]
    outputs: list[Tensor]
    slopes: list[Tensor]


class Layer(NamedTuple):
    """A linear layer of all networks: (n_networks, outputs, inputs) and (n_networks, outputs)."""

    weight: Tensor
    bias: Tensor


class StackedMLP(StackedWeights):
    """Perceptrons, with the backward pass written out.

    Parameters
    ----------
    networks : sequence of sequences of MLP
        Lane by lane, all of one shape.
    """

    networks: Sequence[Sequence[MLP]]

    def __init__(self, networks: Sequence[Sequence[MLP]]) -> None:
        super().__init__(networks)
        first = networks[0][0]
        self.activation, self.dropout = first.activation, first.dropout
        self.layers = list(self._layers(self.values))
        self.gradient_layers = list(self._layers(self.gradients))
        # the same memory, for automatic differentiation
        self.leaves = [
            Layer(*(tensor.detach().requires_grad_() for tensor in layer)) for layer in self.layers
        ]

    def _layers(self, buffer: Tensor) -> Iterator[Layer]:
        blocks = [block.flatten(0, 1) for block in self.blocks(buffer).values()]
        for weight, bias in zip(blocks[::2], blocks[1::2], strict=True):
            yield Layer(weight, bias)

    def forward(self, X: Tensor, training: bool) -> Tensor:
        """Return logits, and keep in training what :meth:`backward` needs.

        Parameters
        ----------
        X : Tensor of shape (n_lanes, rows, n_features)
            A batch for every lane.
        training : bool
            Whether units are dropped, the same ones in all networks of a lane.

        Returns
        -------
        Tensor of shape (n_lanes, n_members, rows, n_outputs)
            Not part of a graph.
        """
        activate, _ = IN_PLACE[self.activation]
        first, *others = self.layers
        outputs: list[Tensor] = [X]
        masks: list[Tensor | None] = []
        z = self._first(first, X)
        for layer in others:
            h = activate(z)
            mask = self._mask(h) if self.dropout and training else None
            outputs.append(h)
            masks.append(mask)
            if mask is not None:
                h = h * mask
            z = torch.baddbmm(layer.bias.unsqueeze(2), layer.weight, h)
        if training:
            self._outputs, self._masks = outputs, masks
        return z.view(self.n_lanes, self.n_members, -1, X.shape[1]).transpose(2, 3)

    def _first(self, layer: Layer, X: Tensor) -> Tensor:
        """One product a lane, of all its networks' weights and its rows."""
        n_units = layer.weight.shape[1]
        weight = layer.weight.view(self.n_lanes, -1, X.shape[2])
        z = torch.baddbmm(layer.bias.view(self.n_lanes, -1, 1), weight, X.transpose(1, 2))
        return z.view(-1, n_units, X.shape[1])

    def _mask(self, h: Tensor) -> Tensor:
        ones = torch.ones(h.shape[2], h.shape[1], dtype=h.dtype, device=h.device)
        return functional.dropout(ones, self.dropout).T

    def backward(self, gradient: Tensor) -> None:
        """Write the weights' gradients, from those of the logits as :meth:`forward` returned them.

        Parameters
        ----------
        gradient : Tensor of shape (n_lanes, n_members, rows, n_outputs)
            Of the sum of all networks' losses.
        """
        _, derive = IN_PLACE[self.activation]
        X, *hidden = self._outputs
        delta = gradient.transpose(2, 3).flatten(0, 1).contiguous()
        layers = self.layers[:0:-1], self.gradient_layers[:0:-1]
        steps = zip(*layers, hidden[::-1], self._masks[::-1], strict=True)
        for layer, into, h, mask in steps:
            entered = h if mask is None else h * mask
            torch.bmm(delta, entered.transpose(1, 2), out=into.weight)
            torch.sum(delta, 2, out=into.bias)
            delta = torch.bmm(layer.weight.transpose(1, 2), delta)
            delta = derive(delta if mask is None else delta * mask, h)
        into = self.gradient_layers[0]
        by_lane = delta.view(self.n_lanes, -1, X.shape[1])
        torch.bmm(by_lane, X, out=into.weight.view(self.n_lanes, -1, X.shape[2]))
        torch.sum(delta, 2, out=into.bias)
        del self._outputs, self._masks

    # -- with a graph ---------------------------------------------------------------------------

    def run(self, X: Tensor, training: bool) -> Run:
        """Compute logits as :meth:`forward` does, as part of a graph that starts at ``leaves``."""
        activate, derivative = ACTIVATIONS[self.activation]
        module = activate()
        z = self._first(self.leaves[0], X)
        run = Run(z, [X], [z], [])
        for layer in self.leaves[1:]:
            h = module(z)
            slope = derivative(z, h)
            if self.dropout and training:
                mask = self._mask(h)
                h, slope = h * mask, slope * mask
            z = torch.baddbmm(layer.bias.unsqueeze(2), layer.weight, h)
            run.entered.append(h)
            run.outputs.append(z)
            run.slopes.append(slope)
        run.logits = z.view(self.n_lanes, self.n_members, -1, X.shape[1]).transpose(2, 3)
        return run

    def gradient_norm(self, run: Run) -> Tensor:
        """As :meth:`MLP.forward_with_gradient_norm`, (n_lanes, n_members, rows)."""
        weight = self.leaves[-1].weight  # (n_networks, n_outputs, units)
        if weight.shape[1] == 2:
            gradient = (weight[:, 1] - weight[:, 0]).unsqueeze(2)
        else:
            top = run.logits.detach().flatten(0, 1).topk(2, dim=-1).indices
            first, second = (
                weight.transpose(1, 2).gather(2, i.unsqueeze(1).expand(-1, weight.shape[2], -1))
                for i in top.unbind(-1)
            )
            gradient = first - second
        for layer, slope in zip(self.leaves[-2:0:-1], run.slopes[:0:-1], strict=True):
            gradient = torch.bmm(layer.weight.transpose(1, 2), gradient * slope)
        if not run.slopes:
            size = norm(gradient.squeeze(2) if gradient.shape[2] == 1 else gradient.transpose(1, 2))
            n_rows = run.outputs[0].shape[2]
            return size.view(self.n_lanes, self.n_members, -1).expand(-1, -1, n_rows)
        gradient = gradient * run.slopes[0]
        weight = self.leaves[0].weight
        square = (torch.bmm(torch.bmm(weight, weight.transpose(1, 2)), gradient) * gradient).sum(1)
        return square.clamp(min=0).add(_FLOOR).sqrt().unflatten(0, (self.n_lanes, self.n_members))

    def derivative(self, run: Run, direction: Tensor) -> Tensor:
        """Change of the logits along a direction of the rows, differentiable.

        ``direction`` is of the shape of the rows that ``run`` was given, the result of that of its
        logits.
        """
        first, *others = self.leaves
        weight = first.weight.view(self.n_lanes, -1, direction.shape[2])
        change = torch.bmm(weight, direction.transpose(1, 2)).view_as(run.outputs[0])
        for layer, slope in zip(others, run.slopes, strict=True):
            change = torch.bmm(layer.weight, change * slope)
        return change.view(self.n_lanes, self.n_members, -1, direction.shape[1]).transpose(2, 3)

    def differentiate(self, loss: Tensor) -> None:
        """Write the weights' gradients of a sum of losses that a graph leads to."""
        leaves = [tensor for layer in self.leaves for tensor in layer]
        into = [tensor for layer in self.gradient_layers for tensor in layer]
        found = torch.autograd.grad(loss, leaves, materialize_grads=True)
        for gradient, value in zip(into, found, strict=True):
            gradient.copy_(value)
