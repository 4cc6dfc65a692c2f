"""Classification losses shared by the objectives."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ._base import Terms


def weighted_mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """Mean of ``values`` (n,), weighted by ``weights`` (n,) if there are any; 0 if all are zero."""
    if weights is None:
        return values.mean()
    total = weights.sum()
    return (values * weights).sum() / (total + (total == 0))


def binary_logit(logits: Tensor, positive: int = 1) -> Tensor:
    """Log-odds of one of two classes, shape (n,)."""
    return logits.select(-1, positive) - logits.select(-1, 1 - positive)


def row_losses(logits: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of each row.

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes) or (n, n_labels)
        The network's.
    y : Tensor of shape (n,) or (n, n_labels)
        Class codes; or 0 and 1 for every label.

    Returns
    -------
    Tensor of shape (n,)
        With several labels the mean of their binary cross-entropies.
    """
    if y.ndim == 1:
        return functional.cross_entropy(logits, y, reduction="none")
    y = y.to(logits.dtype)
    return functional.binary_cross_entropy_with_logits(logits, y, reduction="none").mean(-1)


def cross_entropy(logits: Tensor, y: Tensor, weights: Tensor | None = None) -> Tensor:
    """Weighted mean of :func:`row_losses`.

    Parameters
    ----------
    logits, y : Tensor
        As there.
    weights : Tensor of shape (n,) or None
        Weights of the rows.

    Returns
    -------
    Tensor
        A scalar.
    """
    if weights is None and y.ndim == 1:
        return functional.cross_entropy(logits, y)
    return weighted_mean(row_losses(logits, y), weights)


def classification_terms(
    logits: Tensor, y: Tensor, groups: Tensor | None, weights: Tensor | None, state: None = None
) -> tuple[Terms, None]:
    """Cross-entropy alone, for methods whose intervention is not a term of the objective."""
    return {"cross_entropy": cross_entropy(logits, y, weights)}, None
