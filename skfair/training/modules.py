"""The default network, and gradients of a network's decision with respect to its input."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..objectives.fairn import boundary_distance

MAX_WEIGHTS = 2**28  # with their gradients and Adam's two means 4 GB
MAX_LAYERS = 1000

# name -> (activation, its derivative from the pre-activation z and the output h)
ACTIVATIONS: dict[str, tuple[type[nn.Module], Callable]] = {
    "identity": (nn.Identity, lambda z, h: torch.ones_like(z)),
    "logistic": (nn.Sigmoid, lambda z, h: h * (1 - h)),
    "tanh": (nn.Tanh, lambda z, h: 1 - h * h),
    "relu": (nn.ReLU, lambda z, h: (z > 0).to(z.dtype)),
}


class MLP(nn.Module):
    """Multi-layer perceptron that returns logits.

    Parameters
    ----------
    n_features, n_outputs : int
        Width of the input and number of logits.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Width of each hidden layer; empty for a linear model.
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        Activation of the hidden layers.
    dropout : float in [0, 1), default=0.0
        Share of the hidden units dropped during training.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        hidden_layer_sizes: Sequence[int] = (64, 64),
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [n_features, *hidden_layer_sizes]
        self.hidden = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.output = nn.Linear(widths[-1], n_outputs)
        for layer in (*self.hidden, self.output):  # as scikit-learn's MLPClassifier
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        # A module for each layer: captum and shap attribute by their hooks.
        self.activations = nn.ModuleList(ACTIVATIONS[activation][0]() for _ in self.hidden)
        self.activation = activation
        self.dropout = dropout

    def forward(self, X: Tensor) -> Tensor:
        """Logits of shape (n, n_outputs) for X of shape (n, n_features)."""
        first = self.hidden[0] if self.hidden else self.output
        return self.after_first_layer(first(X))

    def after_first_layer(self, z: Tensor) -> Tensor:
        """Logits for what the first layer returns, (n, hidden_layer_sizes[0])."""
        followers = [*self.hidden[1:], self.output] if self.hidden else []
        for activate, layer in zip(self.activations, followers, strict=True):
            h = activate(z)
            if self.dropout:
                h = functional.dropout(h, self.dropout, self.training)
            z = layer(h)
        return z

    def forward_with_gradient_norm(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the norm of :func:`boundary_distance`'s gradient, by the chain rule.

        Each layer's factor is written out, so that training differentiates an ordinary forward
        computation instead of a backward pass.
        """
        _, derivative = ACTIVATIONS[self.activation]
        slopes = []
        for layer, activate in zip(self.hidden, self.activations, strict=True):
            z = layer(X)
            X = activate(z)
            slope = derivative(z, X)
            if self.dropout and self.training:
                mask = functional.dropout(torch.ones_like(X), self.dropout)
                X, slope = X * mask, slope * mask
            slopes.append(slope)
        logits = self.output(X)
        first, second = logits.detach().topk(2, dim=-1).indices.unbind(-1)
        weight = self.output.weight
        # With two classes the sign does not matter: one row for everybody.
        gradient = weight[1:] - weight[:1] if len(weight) == 2 else weight[first] - weight[second]
        for layer, slope in zip(self.hidden[:0:-1], slopes[:0:-1], strict=True):
            gradient = (gradient * slope) @ layer.weight
        if not slopes:
            return logits, _norm(gradient).expand(len(X))
        gradient = gradient * slopes[0]
        weight = self.hidden[0].weight
        gram = weight @ weight.T  # ||g W||^2 = g (W W^T) g^T, without forming g W
        return logits, ((gradient @ gram) * gradient).sum(-1).clamp(min=0).add(_FLOOR).sqrt()


_FLOOR = 1e-12  # inside the square root: its derivative stays finite at a zero gradient
FLAT = 2 * _FLOOR**0.5  # a norm below this is a gradient of zero


def _norm(gradient: Tensor) -> Tensor:
    return gradient.square().sum(-1).add(_FLOOR).sqrt()


def forward_with_gradient_norm(module: nn.Module, X: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (n, n_outputs) and ||grad_x boundary_distance|| (n,), both differentiable.

    The default network has an analytic form; any other module goes through automatic
    differentiation twice.
    """
    if type(module).forward is MLP.forward:
        return module.forward_with_gradient_norm(X)
    with torch.enable_grad():
        X = X.detach().requires_grad_()
        logits = module(X)
        distance = boundary_distance(logits).sum()
        (gradient,) = torch.autograd.grad(distance, X, create_graph=True)
        return logits, _norm(gradient.flatten(1))


def build_module(
    module: Callable | None,
    input_shape: tuple[int, ...],
    n_outputs: int,
    hidden_layer_sizes: Sequence[int],
    activation: str,
    dropout: float,
) -> nn.Module:
    """Build the network; ``module=None`` is the default one.

    Raises
    ------
    TypeError
        If ``module`` is an instance, or does not return a module.
    ValueError
        If a hidden layer is not a positive int, or the network is too large.
    """
    if isinstance(module, nn.Module):
        raise TypeError(
            "module must be an nn.Module class or a callable (n_features, n_outputs) -> nn.Module, "
            f"got the instance {type(module).__name__}(...); pass the class, or wrap it in a "
            "function that makes a new one each time."
        )
    n_features = input_shape[0] if len(input_shape) == 1 else tuple(input_shape)
    if module is not None:
        _check_signature(module, n_features, n_outputs)
        built = module(n_features, n_outputs)
        if not isinstance(built, nn.Module):
            raise TypeError(
                "module must return an nn.Module when called with (n_features, n_outputs), got "
                f"{type(built).__name__}."
            )
        return built
    sizes = hidden_layer_sizes
    if sizes is None or isinstance(sizes, Integral):
        sizes = [sizes]
    if not all(isinstance(n, Integral) and n is not True and n > 0 for n in sizes):
        raise ValueError(
            f"hidden_layer_sizes must be positive ints, got {hidden_layer_sizes!r}; an empty "
            "sequence makes a linear model."
        )
    widths = [int(n) for n in (n_features, *sizes, n_outputs)]
    n_weights = sum(a * b + b for a, b in zip(widths[:-1], widths[1:], strict=True))
    if n_weights > MAX_WEIGHTS or len(widths) > MAX_LAYERS:
        raise ValueError(
            f"hidden_layer_sizes makes a network of {len(widths) - 1} layers and {n_weights} "
            f"weights for {n_features} features; at most {MAX_LAYERS} and {MAX_WEIGHTS} fit in the "
            "memory of ordinary machines. A module of your own may have more."
        )
    return MLP(n_features, n_outputs, widths[1:-1], activation, dropout)


def _check_signature(module: Callable, *args: Any) -> None:
    with suppress(ValueError):  # of some functions in C nothing is known
        try:
            inspect.signature(module).bind(*args)
        except TypeError as error:
            raise TypeError(
                f"module must be callable as (n_features, n_outputs), got {module!r}: {error}."
            ) from None


def check_module(module: nn.Module, X: Tensor, n_outputs: int) -> bool:
    """Check what ``module`` makes of a few rows; return whether it also runs in float64.

    The module is left in evaluation mode.

    Raises
    ------
    ValueError
        If the output is not a tensor of shape (n, n_outputs).
    """
    module.eval()
    with torch.no_grad():
        try:
            logits = module(X.clone())  # a copy each time: modules may work in place
        except RuntimeError as error:
            raise ValueError(
                f"module cannot take rows of shape {tuple(X.shape[1:])}: {error}"
            ) from error
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        if shape != (len(X), n_outputs):
            raise ValueError(
                f"module must return logits of shape (n_samples, {n_outputs}), one column per "
                f"class; for {len(X)} rows it returned {shape}."
            )
        if X.device.type == "mps":  # has no float64
            return False
        try:
            double_precision(module)(X.double())
        except Exception:  # a module that insists on float32
            return False
    return True


def double_precision(module: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode that computes in float64."""
    return copy.deepcopy(module).to(torch.float64).eval()


class DoublePrecision:
    """Keeps a module's :func:`double_precision` until the module changes.

    Every call compares all weights, so that nothing needs to tell it of training. A module with
    classes of the user's, or with hooks, is copied each time: it can change in other ways. Threads
    may share it: what is kept is replaced, never changed. It is not stored with its owner.
    """

    def __init__(self) -> None:
        self._copy: nn.Module | None = None

    def of(self, module: nn.Module) -> nn.Module:
        """Return the copy of ``module``."""
        kept = self._copy
        if kept is None or not _is_copy(kept, module):
            kept = double_precision(module)
            self._copy = kept if all(map(_has_only_weights, module.modules())) else None
        return kept

    def __getstate__(self) -> dict:
        return {"_copy": None}


def _has_only_weights(part: nn.Module) -> bool:
    if part._forward_hooks or part._forward_pre_hooks:
        return False
    return type(part) is MLP or type(part).__module__.startswith("torch.nn.")


def _is_copy(kept: nn.Module, part: nn.Module) -> bool:
    if type(kept) is not type(part) or part._forward_hooks or part._forward_pre_hooks:
        return False
    for theirs, ours in ((kept._parameters, part._parameters), (kept._buffers, part._buffers)):
        if theirs.keys() != ours.keys() or not all(map(_is_same, theirs.values(), ours.values())):
            return False
    children = kept._modules, part._modules
    return children[0].keys() == children[1].keys() and all(
        map(_is_copy, children[0].values(), children[1].values())
    )


def _is_same(double: Tensor | None, tensor: Tensor | None) -> bool:
    if double is None or tensor is None:
        return double is tensor
    return torch.equal(tensor.to(double.dtype), double)
