"""Classification losses shared by the objectives."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def weighted_mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """Mean of ``values`` (n,), weighted by ``weights`` (n,) if there are any."""
    return values.mean() if weights is None else (values * weights).sum() / weights.sum()


def cross_entropy(logits: Tensor, y: Tensor, weights: Tensor | None = None) -> Tensor:
    """Weighted mean cross-entropy of ``logits`` (n, n_classes) for the codes ``y`` (n,)."""
    if weights is None:
        return functional.cross_entropy(logits, y)
    return weighted_mean(functional.cross_entropy(logits, y, reduction="none"), weights)
