"""From an estimator's ``module`` to a network that fits the data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from ._precision import double_precision
from .images import AlexNet, Conv1dNet, ConvNet, ResNet18
from .mlp import MLP
from .tabular import TableLayout, TabularNetwork, embedded_width

IMAGE_MODULES = {"convnet": ConvNet, "alexnet": AlexNet, "resnet18": ResNet18}
MODULES: dict[str, Callable[..., nn.Module]] = IMAGE_MODULES | {"conv1d": Conv1dNet}
MODULE_NAMES = ("mlp", "tabular", *MODULES)
MAX_WEIGHTS = 2**28  # with their gradients and Adam's two means 4 GB
MAX_LAYERS = 1000


def build_module(
    module: Callable | str | None,
    input_shape: tuple[int, ...],
    n_outputs: int,
    hidden_layer_sizes: Sequence[int],
    activation: str,
    dropout: float,
    dtype: torch.dtype = torch.float32,
    layout: TableLayout | None = None,
    n_members: int = 1,
) -> nn.Module:
    """Build the network; ``module=None``, or "mlp", is the perceptron.

    ``layout`` and ``n_members`` are those of the tabular network.

    Raises
    ------
    TypeError
        If ``module`` is an instance, or does not return a module.
    ValueError
        If a hidden layer is not a positive int, the network is too large, or rows do not have the
        shape that it takes.
    """
    if isinstance(module, nn.Module):
        raise TypeError(
            "module must be an nn.Module class or a callable (n_features, n_outputs) -> nn.Module, "
            f"got the instance {type(module).__name__}(...); pass the class, or wrap it in a "
            "function that makes a new one each time."
        )
    if module in (None, "mlp"):
        return _build_mlp(input_shape, n_outputs, hidden_layer_sizes, activation, dropout)
    if module == "tabular":
        if layout is None:
            raise ValueError(
                f"The tabular network takes tables, X of shape (n, n_features), got rows of shape "
                f"{tuple(input_shape)}."
            )
        sizes = _checked_sizes(hidden_layer_sizes, embedded_width(layout), n_outputs)
        return TabularNetwork(layout, n_outputs, sizes, dropout, activation, n_members, dtype)
    if isinstance(module, str):
        module = MODULES[module]
    n_features = input_shape[0] if len(input_shape) == 1 else tuple(input_shape)
    _check_signature(module, n_features, n_outputs)
    built = module(n_features, n_outputs)
    if not isinstance(built, nn.Module):
        raise TypeError(
            "module must return an nn.Module when called with (n_features, n_outputs), got "
            f"{type(built).__name__}."
        )
    return built


def _build_mlp(
    input_shape: tuple[int, ...],
    n_outputs: int,
    hidden_layer_sizes: Sequence[int],
    activation: str,
    dropout: float,
) -> MLP:
    if len(input_shape) > 1:
        raise ValueError(
            f"The multi-layer perceptron takes X of shape (n, n_features), got dim "
            f"{len(input_shape) + 1}, rows of shape {tuple(input_shape)}; for images there are "
            f"module={', '.join(map(repr, IMAGE_MODULES))}, or a module of your own."
        )
    (n_features,) = input_shape
    sizes = _checked_sizes(hidden_layer_sizes, n_features, n_outputs)
    return MLP(int(n_features), n_outputs, sizes, activation, dropout)


def _checked_sizes(hidden_layer_sizes: Any, n_inputs: int, n_outputs: int) -> list[int]:
    """Widths of the hidden layers, which make a network that fits in memory."""
    sizes = hidden_layer_sizes
    if sizes is None or isinstance(sizes, Integral):
        sizes = [sizes]
    if not all(isinstance(n, Integral) and n is not True and int(n) > 0 for n in sizes):
        raise ValueError(
            f"hidden_layer_sizes must be positive ints, got {hidden_layer_sizes!r}; an empty "
            "sequence makes a linear model."
        )
    widths = [int(n) for n in (n_inputs, *sizes, n_outputs)]
    n_weights = sum(a * b + b for a, b in zip(widths[:-1], widths[1:], strict=True))
    if n_weights > MAX_WEIGHTS or len(widths) > MAX_LAYERS:
        raise ValueError(
            f"hidden_layer_sizes makes a network of {len(widths) - 1} layers and {n_weights} "
            f"weights for {widths[0]} features; at most {MAX_LAYERS} and {MAX_WEIGHTS} fit in the "
            "memory of ordinary machines. A module of your own may have more."
        )
    return widths[1:-1]


def _check_signature(module: Callable, *args: Any) -> None:
    with suppress(ValueError):  # of some functions in C nothing is known
        try:
            inspect.signature(module).bind(*args)
        except TypeError as error:
            raise TypeError(
                f"module must be callable as (n_features, n_outputs), got {module!r}: {error}."
            ) from None


def check_module(module: nn.Module, X: Tensor, n_outputs: int) -> bool:
    """Check what ``module`` makes of a few rows; return whether it predicts in float64.

    That is, unless it cannot, or would take many times as long: convolutions of images. The module
    is left in evaluation mode.

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
        convolves = any(isinstance(part, _ConvNd) for part in module.modules())
        if (X.ndim > 2 and convolves) or X.device.type == "mps":  # which has no float64
            return False
        try:
            double_precision(module)(X.double())
        except Exception:  # a module that insists on float32
            return False
    return True
