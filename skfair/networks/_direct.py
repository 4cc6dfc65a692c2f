"""The perceptron's backward pass written out: the kernels of autograd without its bookkeeping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional
from torch.nn.modules import module as torch_module

from ._adversary import Adversary
from .mlp import ACTIVATIONS, MLP

# Of all modules; torch has a function for it only in later versions.
GLOBAL_HOOKS = ("forward_pre_hooks", "forward_hooks", "backward_pre_hooks", "backward_hooks")
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
        self.release()

    @staticmethod
    def serves(module: nn.Module) -> bool:
        """Whether a module is a plain perceptron, with no hook that would wait for autograd."""
        if type(module) is not MLP or _has_global_hooks():
            return False
        kind = ACTIVATIONS[module.activation][0]
        return (
            all(type(layer) is nn.Linear for layer in (*module.hidden, module.output))
            and all(type(activation) is kind for activation in module.activations)
            and not _has_hooks(module)
            and all(p.requires_grad for p in module.parameters())
        )

    def __call__(self, X: Tensor) -> Tensor:
        """Return the logits (n, n_outputs) of rows (n, n_features), a leaf of a new graph."""
        with torch.no_grad():
            return self.forward(X).requires_grad_()

    def forward(self, X: Tensor) -> Tensor:
        """Return the logits (n, n_outputs) of rows (n, n_features), where nothing is recorded."""
        activate, _ = IN_PLACE[self.activation]
        self.release()
        self._entered.append(X)
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
        return z

    def backward(
        self, gradient: Tensor, to_weights: bool = True, to_rows: bool = False
    ) -> Tensor | None:
        """Go from the gradients of the logits to others.

        Parameters
        ----------
        gradient : Tensor of shape (n, n_outputs)
            Gradients of what was returned last.
        to_weights : bool, default=True
            Whether to add to those of the weights.
        to_rows : bool, default=False
            Whether to return those of the rows.

        Returns
        -------
        Tensor of shape (n, n_features) or None
            Gradients of the rows.
        """
        _, derive = IN_PLACE[self.activation]
        with torch.no_grad():
            for i in range(len(self.layers) - 1, -1, -1):
                weight, bias = self.layers[i]
                if to_weights:
                    _add(weight, gradient.t().mm(self._entered[i]))
                    _add(bias, gradient.sum(0))
                if i or to_rows:
                    gradient = gradient.mm(weight)
                if i:
                    if self.dropout:
                        gradient = gradient * self._masks[i - 1]
                    gradient = derive(gradient, self._outputs[i - 1])
        return gradient if to_rows else None

    def release(self) -> None:
        """Let go of what is kept for the backward pass."""
        self._entered: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self._masks: list[Tensor] = []


class DirectAdversary:
    """An adversary in training, whose guesses autograd can be asked about.

    Going backward, autograd gets the gradients of what the adversary has seen; those of its weights
    stay as they are.

    Parameters
    ----------
    adversary : Adversary
        One for which :meth:`serves` is true.
    """

    guesses: Tensor | None

    def __init__(self, adversary: Adversary) -> None:
        self.body = DirectMLP(cast(MLP, adversary.body))
        self.marginal, self._divide = adversary.marginal, adversary.divide
        self.without_looking = adversary.without_looking
        self.release()

    @staticmethod
    def serves(module: nn.Module) -> bool:
        """Whether a module is an adversary whose body is a plain perceptron."""
        return (
            type(module) is Adversary and DirectMLP.serves(module.body) and not _has_hooks(module)
        )

    def __call__(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the guesses, as the adversary does."""
        self.guesses = guesses = _Guess.apply(seen, self)
        return self._divide(guesses)

    def backward(self, loss: Tensor, retain_graph: bool) -> None:
        """Add to the weights' gradients those of a loss."""
        if self.guesses is None:
            return
        weights = [self.guesses, self.marginal]
        gradient, of_marginal = torch.autograd.grad(
            loss, weights, retain_graph=retain_graph, allow_unused=True
        )
        if gradient is not None:
            self.body.backward(gradient)
        if of_marginal is not None:
            _add(self.marginal, of_marginal)

    def release(self) -> None:
        """Let go of what is kept for the backward pass."""
        self.guesses = None
        self.body.release()


class _Guess(Function):
    """What an adversary makes of what it has seen."""

    @staticmethod
    def forward(ctx: Any, seen: Tensor, adversary: DirectAdversary) -> Tensor:
        ctx.adversary = adversary
        return adversary.body.forward(seen.detach())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None]:
        return ctx.adversary.body.backward(gradient, to_weights=False, to_rows=True), None


def _add(parameter: Tensor, gradient: Tensor) -> None:
    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient


def _has_global_hooks() -> bool:
    return any(getattr(torch_module, f"_global_{name}") for name in GLOBAL_HOOKS)


def _has_hooks(module: nn.Module) -> bool:
    """Whether autograd would call somebody for a module, a part of it, or a parameter."""
    return any(getattr(part, hooks) for part in module.modules() for hooks in HOOKS) or any(
        p._backward_hooks or p._post_accumulate_grad_hooks for p in module.parameters()
    )
