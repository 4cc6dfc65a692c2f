"""The perceptron's backward pass written out: the kernels of autograd without its bookkeeping."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.module import _has_any_global_hook

from .mlp import ACTIVATIONS, MLP

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")

# name -> (activation in place, gradient of its input from that of its output and its output)
IN_PLACE: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "identity": (lambda z: z, lambda gradient, h: gradient),
    "logistic": (torch.sigmoid_, torch.ops.aten.sigmoid_backward),
    "tanh": (torch.tanh_, torch.ops.aten.tanh_backward),
    "relu": (torch.relu_, lambda gradient, h: torch.ops.aten.threshold_backward(gradient, h, 0)),
}


class DirectMLP:
    """A perceptron in training, for an objective that needs its logits alone.

    Logits and gradients are those of automatic differentiation to the last bit.

    Parameters
    ----------
    module : MLP
        One for which :meth:`serves` is true.
    """

    def __init__(self, module: MLP) -> None:
        self.layers = [(layer.weight, layer.bias) for layer in (*module.hidden, module.output)]
        self.activation, self.dropout = module.activation, module.dropout

    @staticmethod
    def serves(module: nn.Module) -> bool:
        """Whether a module is a plain perceptron, with no hook that would wait for autograd."""
        if type(module) is not MLP or _has_any_global_hook():
            return False
        kind = ACTIVATIONS[module.activation][0]
        parts = list(module.modules())
        return (
            all(type(layer) is nn.Linear for layer in (*module.hidden, module.output))
            and all(type(activation) is kind for activation in module.activations)
            and not any(getattr(part, hooks) for part in parts for hooks in HOOKS)
            and all(p.requires_grad and not _has_hooks(p) for p in module.parameters())
        )

    def forward(self, X: Tensor) -> Tensor:
        """Return the logits (n, n_outputs) of rows (n, n_features), a leaf of a new graph."""
        activate, _ = IN_PLACE[self.activation]
        self._outputs: list[Tensor] = []
        self._masks: list[Tensor] = []
        self._entered = [X]
        with torch.no_grad():
            (weight, bias), *others = self.layers
            z = torch.addmm(bias, X, weight.t())
            for weight, bias in others:
                h = activate(z)
                self._outputs.append(h)
                if self.dropout:
                    self._masks.append(functional.dropout(torch.ones_like(h), self.dropout))
                    h = h * self._masks[-1]
                self._entered.append(h)
                z = torch.addmm(bias, h, weight.t())
        return z.requires_grad_()

    def backward(self, gradient: Tensor) -> None:
        """Add to the weights' gradients, from those of the logits that :meth:`forward` returned."""
        _, derive = IN_PLACE[self.activation]
        with torch.no_grad():
            for i in range(len(self.layers) - 1, -1, -1):
                (weight, bias), entered = self.layers[i], self._entered[i]
                _add(weight, gradient.t().mm(entered))
                _add(bias, gradient.sum(0))
                if i:
                    gradient = gradient.mm(weight)
                    if self.dropout:
                        gradient = gradient * self._masks[i - 1]
                    gradient = derive(gradient, self._outputs[i - 1])
        del self._outputs, self._masks, self._entered


def _add(parameter: Tensor, gradient: Tensor) -> None:
    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient


def _has_hooks(parameter: Tensor) -> bool:
    return bool(parameter._backward_hooks or parameter._post_accumulate_grad_hooks)
