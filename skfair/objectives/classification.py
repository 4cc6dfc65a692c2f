"""Classification losses shared by the objectives."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
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
    of_class = logits.unbind(-1)  # one node of the graph for both
    return of_class[positive] - of_class[1 - positive]


def focal_losses(losses: Tensor, focal: float) -> Tensor:
    """(1 - p)^focal * loss, where p = exp(-loss) is the probability of what is true.

    Lin et al., Focal Loss for Dense Object Detection, 2017, Eq. 4.
    """
    if focal == 0:
        return losses
    wrong = -torch.expm1(-losses)  # at 0 a root has no finite slope
    return wrong.clamp(min=torch.finfo(losses.dtype).tiny) ** focal * losses


def row_losses(
    logits: Tensor, y: Tensor, focal: float = 0.0, positive_weights: Tensor | None = None
) -> Tensor:
    """Cross-entropy, or focal loss, of each row.

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes) or (n, n_labels)
        The network's.
    y : Tensor of shape (n,) or (n, n_labels)
        Class codes; or 0 and 1 for every label.
    focal : float >= 0, default=0.0
        Exponent of the focal loss: the cross-entropy (of each label) is multiplied by (1 - p)^focal
        where p is the probability of the true class. 0 is the cross-entropy itself.
    positive_weights : Tensor of shape (n_labels,), default=None
        With several labels, what the losses of a label's positives are multiplied by.

    Returns
    -------
    Tensor of shape (n,)
        With several labels the mean of their binary losses.
    """
    if y.ndim == 1:
        return focal_losses(functional.cross_entropy(logits, y, reduction="none"), focal)
    truth = y.to(logits.dtype)
    losses = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    losses = focal_losses(losses, focal)
    if positive_weights is not None:
        losses = losses * (truth * positive_weights.to(losses) + (1 - truth))
    return losses.mean(-1)


RowLoss = Callable[[Tensor, Tensor], Tensor]


def make_row_loss(focal: float, positive_weights: np.ndarray | None = None) -> RowLoss:
    """Return :func:`row_losses` with these arguments, itself where they change nothing."""
    if focal == 0 and positive_weights is None:
        return row_losses
    weights = None if positive_weights is None else torch.from_numpy(positive_weights)
    return partial(row_losses, focal=focal, positive_weights=weights)


def cross_entropy(
    logits: Tensor, y: Tensor, weights: Tensor | None = None, row_loss: RowLoss = row_losses
) -> Tensor:
    """Weighted mean of the rows' losses.

    Parameters
    ----------
    logits, y : Tensor
        As in :func:`row_losses`.
    weights : Tensor of shape (n,) or None
        Weights of the rows.
    row_loss : callable, default=row_losses
        ``row_loss(logits, y) -> Tensor of shape (n,)``.

    Returns
    -------
    Tensor
        A scalar.
    """
    if weights is None and y.ndim == 1 and row_loss is row_losses:
        return functional.cross_entropy(logits, y)
    return weighted_mean(row_loss(logits, y), weights)


def cross_entropy_with_gradient(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of each network, and its gradient.

    Parameters
    ----------
    logits : Tensor of shape (..., n, n_classes)
        Leading axes are those of networks.
    y : int64 Tensor of shape (..., n)
        Class codes; leading axes may be of length 1.

    Returns
    -------
    loss : Tensor of shape (...,)
        Of each network.
    gradient : Tensor of shape (..., n, n_classes)
        With the rounding of automatic differentiation.
    """
    log_p = logits.log_softmax(-1)
    true = y.unsqueeze(-1).expand(*log_p.shape[:-1], 1)
    loss = functional.nll_loss(log_p, y) if y.ndim == 1 else -log_p.gather(-1, true).mean((-2, -1))
    of_log_p = torch.zeros_like(log_p).scatter_(-1, true, -1 / y.shape[-1])
    of_logits = torch.ops.aten._log_softmax_backward_data(of_log_p, log_p, -1, log_p.dtype)
    return loss, of_logits


def classification_terms(
    logits: Tensor,
    y: Tensor,
    groups: Tensor | None,
    weights: Tensor | None,
    state: None = None,
    *,
    row_loss: RowLoss = row_losses,
) -> tuple[Terms, None]:
    """Cross-entropy alone, for methods whose intervention is not a term of the objective."""
    return {"cross_entropy": cross_entropy(logits, y, weights, row_loss)}, None
