"""Angular margins (CosFace; Technical Challenges, section 4.4 and appendix A.2).

Logits are scaled cosines s cos th_j between a row's features and the direction of class j. The
margin is subtracted from the one of the row's own class, which then has to be ahead by as much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ._base import Terms


def row_margins(
    groups: Tensor | None, margin: float, group_margins: Tensor | None
) -> Tensor | float:
    """Margin of each row.

    Parameters
    ----------
    groups : int64 Tensor of shape (n, n_attributes) or None
        Group codes, -1 for missing.
    margin : float
        Of rows without a group.
    group_margins : Tensor of shape (n_groups,) or None
        Of each group. A row that belongs to a group of each of several attributes has ``margin``
        and all that its groups' margins differ from it.

    Returns
    -------
    Tensor of shape (n,) or float
        A number if there are no groups, or they have no margins.
    """
    if groups is None or group_margins is None:
        return margin
    added = (group_margins - margin)[groups.clamp(min=0)]
    return margin + (added * (groups >= 0)).sum(-1)


def subtract_margins(logits: Tensor, y: Tensor, margins: Tensor | float, scale: float) -> Tensor:
    """Take each row's margin off the logit of its own class (Technical Challenges, A.2).

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes)
        Cosines, times ``scale``.
    y : int64 Tensor of shape (n,)
        Class codes.
    margins : Tensor of shape (n,) or float
        In units of the cosine.
    scale : float
        What the cosines were multiplied by.

    Returns
    -------
    Tensor of shape (n, n_classes)
        s (cos th_y - m) for the class y of a row, s cos th_j for all others. Its cross-entropy is
        the loss of CosFace; without a margin it is that of a softmax on scaled cosines.
    """
    own = y.unsqueeze(-1) == torch.arange(logits.shape[-1], device=y.device)
    margins = torch.as_tensor(margins, dtype=logits.dtype, device=logits.device)
    return logits - own * (scale * margins).unsqueeze(-1)


def margin_terms(
    logits: Tensor,
    y: Tensor,
    groups: Tensor | None,
    weights: Tensor | None,
    state: Any = None,
    *,
    terms: Callable[..., tuple[Terms, Any]],
    scale: float,
    margin: float,
    group_margins: Tensor | None = None,
    **extra: Any,
) -> tuple[Terms, Any]:
    """Compute the terms of an objective on logits less the margins.

    Parameters
    ----------
    logits, y, groups, weights, state
        As for ``terms``; the logits are scaled cosines.
    terms : callable
        Those of the objective, such as :func:`~skfair.objectives.penalty_terms`.
    scale : float
        As in :func:`subtract_margins`.
    margin, group_margins
        As in :func:`row_margins`.
    **extra : Any
        Handed on.

    Returns
    -------
    terms : dict
        Scalars by name.
    state : Any
        For the next batch.
    """
    margins = row_margins(groups, margin, group_margins)
    logits = subtract_margins(logits, y, margins, scale)
    return terms(logits, y, groups, weights, state, **extra)
