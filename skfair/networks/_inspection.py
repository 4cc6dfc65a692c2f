"""What can be asked of a network, and of a classifier about the network inside."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import sklearn
import torch
from scipy.sparse import issparse
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from .._tables import numbers
from .._tensors import as_array
from ._one_hot import OneHotTable
from .mlp import MLP

LINEAR_MODELS = (LogisticRegression, LinearDiscriminantAnalysis)  # softmax of a linear function
WeightLayer = nn.Linear | _ConvNd
log_softmax = partial(torch.log_softmax, dim=1)


class Network(NamedTuple):
    """``log_proba(module(rows))`` are the logarithms of the probabilities, (n, n_classes)."""

    module: nn.Module
    log_proba: Callable[[Tensor], Tensor]

    def tensor(self, rows: np.ndarray) -> Tensor:
        """Rows that the module sees, as it takes them."""
        like = next(self.module.parameters())
        return torch.tensor(rows, dtype=like.dtype, device=like.device)


def is_differentiable(final: Any) -> bool:
    """Whether a fitted classifier is a network of skfair or skorch, or a linear model."""
    return hasattr(final, "module_") or isinstance(final, LINEAR_MODELS)


def network_of(final: Any) -> Network:
    """Return the function that a differentiable classifier is."""
    if isinstance(final, LINEAR_MODELS):
        return Network(_linear_module(final), log_softmax)
    return Network(final.module_.eval(), log_softmax if is_ours(final) else _log_proba(final))


def rows_seen(final: Any, inputs: Any) -> np.ndarray:
    """Return what the module of a differentiable classifier sees of the classifier's input."""
    if is_ours(final):
        with sklearn.config_context(array_api_dispatch=False):
            rows = as_array(inputs)
            return final._logits(rows, lambda module, rows: rows, may_miss=True)
    inputs = inputs.toarray() if hasattr(inputs, "toarray") else inputs
    rows = numbers(inputs, dtype="numeric", allow_nd=True)
    n_features = getattr(final, "n_features_in_", rows.shape[1])
    if rows.ndim == 2 and rows.shape[1] != n_features:
        raise ValueError(
            f"X has {rows.shape[1]} features, but {type(final).__name__} expects {n_features}."
        )
    return rows


def is_ours(final: Any) -> bool:
    """Whether a fitted classifier is a network of this package."""
    return hasattr(final, "net_")


def one_hot_network(final: Any) -> tuple[Network, Callable[[Any], np.ndarray], OneHotTable | None]:
    """Return a differentiable classifier as a network that has a derivative by categories, too.

    Returns
    -------
    network : Network
        Of any other classifier that of :func:`network_of`.
    seen : callable
        What :func:`rows_seen` is for that one, for this one.
    table : OneHotTable or None
        The network's module, if it has categories or missing values.
    """
    network = network_of(final)
    table = OneHotTable.of(network.module) if is_ours(final) else None
    if table is None:
        return network, partial(rows_seen, final), None
    return (
        network._replace(module=table),
        lambda inputs: table.expand(rows_seen(final, inputs)),
        table,
    )


def _log_proba(final: Any) -> Callable[[Tensor], Tensor]:
    to_proba = final._get_predict_nonlinearity()  # skorch's, by the criterion

    def log_proba(output: Tensor) -> Tensor:
        p = to_proba(output[0] if isinstance(output, tuple) else output)
        p = p if p.ndim == 2 and p.shape[1] > 1 else torch.stack([1 - p.ravel(), p.ravel()], 1)
        return p.clamp(min=torch.finfo(p.dtype).tiny).log()

    return log_proba


def _linear_module(final: Any) -> nn.Module:
    """Logits of a linear model, the first of two being zero."""
    arrays = coefficients(final), final.intercept_
    coef, intercept = (torch.as_tensor(np.array(a)) for a in arrays)
    if len(coef) == 1:
        coef, intercept = (torch.cat([0 * a, a]) for a in (coef, intercept))
    # without initial values, which would be drawn from torch's global generator
    module = nn.utils.skip_init(nn.Linear, coef.shape[1], len(coef), dtype=coef.dtype)
    with torch.no_grad():
        module.weight.copy_(coef)
        module.bias.copy_(intercept)
    return module


def coefficients(linear_model: Any) -> np.ndarray:
    """``coef_``, also of a model that has made them sparse."""
    coef = linear_model.coef_
    return coef.toarray() if issparse(coef) else np.asarray(coef)


# -- layers --------------------------------------------------------------------------------------


def first_layer(module: nn.Module) -> tuple[nn.Linear, Callable[[Tensor], Tensor]] | None:
    """Divide a network into its first linear layer and what follows, if it starts with one."""
    if isinstance(module, MLP):
        return module.first_layer, module.after_first_layer
    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        layers = list(module)
        if layers and isinstance(layers[0], nn.Linear):
            return layers[0], nn.Sequential(*layers[1:])
    return None


def relu_layers(module: nn.Module) -> list[nn.Linear]:
    """Layers after the first of a network of linear layers with ReLU between them, else none."""
    if isinstance(module, MLP):
        known = module.activation == "relu" and len(module.hidden) > 0
        return [*module.hidden[1:], module.output] if known else []
    if not isinstance(module, nn.Sequential) or first_layer(module) is None:
        return []
    layers = list(module)
    between = all(isinstance(layer, nn.ReLU) for layer in layers[1::2])
    linear = [layer for layer in layers[::2] if isinstance(layer, nn.Linear)]
    alternate = between and len(linear) == len(layers) // 2 + 1
    return linear[1:] if alternate and len(layers) % 2 else []


def weight_layers(module: nn.Module, last: int | None = None) -> list[WeightLayer]:
    """Linear and convolution layers in the order in which the module holds them.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    last : int, default=None
        Take only this many, from the end.

    Returns
    -------
    list of torch.nn.Module
        Layers with a trainable weight, one where several share it; biases, batch-norm and other
        parameters are no part of it.

    Raises
    ------
    ValueError
        If there is no such layer, or fewer than ``last``.
    """
    by_weight: dict[Tensor, WeightLayer] = {}
    for layer in module.modules():
        if isinstance(layer, WeightLayer) and layer.weight.requires_grad:
            by_weight.setdefault(layer.weight, layer)
    layers = list(by_weight.values())
    if not layers:
        raise ValueError(
            "module has no weight matrices: that takes linear or convolution layers, "
            f"{type(module).__name__} has none."
        )
    if last is not None and last > len(layers):
        raise ValueError(
            f"align_layers={last} is more than the {len(layers)} linear and convolution layers of "
            "the network; None aligns all of them."
        )
    return layers if last is None else layers[-last:]
