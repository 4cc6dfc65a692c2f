"""The function inside a classifier that can be differentiated."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from ._tables import numbers
from .smoothing.metric import coefficients

LINEAR = (LogisticRegression, LinearDiscriminantAnalysis)  # softmax of a linear function
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
    return hasattr(final, "module_") or isinstance(final, LINEAR)


def network_of(final: Any) -> Network:
    """Return the function that a differentiable classifier is."""
    if isinstance(final, LINEAR):
        return Network(_linear_module(final), log_softmax)
    return Network(final.module_.eval(), log_softmax if _is_ours(final) else _log_proba(final))


def rows_seen(final: Any, inputs: Any) -> np.ndarray:
    """What the module of a differentiable classifier sees of what the classifier is given."""
    if _is_ours(final):
        return final._logits(inputs, lambda module, rows: rows)
    inputs = inputs.toarray() if hasattr(inputs, "toarray") else inputs
    rows = numbers(inputs, dtype="numeric", allow_nd=True)
    n_features = getattr(final, "n_features_in_", rows.shape[1])
    if rows.ndim == 2 and rows.shape[1] != n_features:
        raise ValueError(
            f"X has {rows.shape[1]} features, but {type(final).__name__} expects {n_features}."
        )
    return rows


def _is_ours(final: Any) -> bool:
    return hasattr(final, "net_")


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
