"""Fair-Mixup: paths between the groups along which the prediction should not change.

Chuang and Mroueh, ICLR 2021; FairReg(., Aug) in FAIRER, section 2.2. The gap between two groups is
the integral of d/dt E f(t x0 + (1 - t) x1) over t in [0, 1]; its absolute value at a random t
replaces the gap in the objective.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ._base import Outputs
from .groups import group_means

AUGMENTED = ("demographic_parity", "equalized_odds")  # the gaps that are integrals of such slopes


def path_slopes(module: nn.Module, start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """d/dt p(start + t (end - start)), shape (n,), differentiable with respect to the weights.

    Parameters
    ----------
    module : torch.nn.Module
        A network that returns the logits of two classes.
    start, end : Tensor of shape (n, ...)
        Rows at t = 0 and t = 1.
    t : Tensor
        Where on the path, a scalar in [0, 1].

    Returns
    -------
    Tensor of shape (n,)
        Slope of the positive class's probability.
    """
    direction = end - start
    with torch.enable_grad():
        X = (start + t * direction).requires_grad_()
        logits = module(X)
        p = (logits[..., 1] - logits[..., 0]).sigmoid()
        (gradient,) = torch.autograd.grad(p.sum(), X, create_graph=True)
    return (gradient * direction).flatten(1).sum(1)


def draw_partners(groups: Tensor, y: Tensor | None, weights: Tensor | None) -> Tensor:
    """For every second row a random row of another group, and of its own label if ``y`` is given.

    Parameters
    ----------
    groups : int64 Tensor of shape (n, 1)
        Group codes, -1 for rows that take no part.
    y : int64 Tensor of shape (n,) or None
        Class codes.
    weights : Tensor of shape (n,) or None
        Rows are drawn in proportion to them.

    Returns
    -------
    int64 Tensor of shape (ceil(n / 2),)
        Position of the partner; -1 for a row that has none.
    """
    group = groups[:, 0]
    allowed = (group[::2, None] != group) & (group[::2, None] >= 0) & (group >= 0)
    if y is not None:
        allowed = allowed & (y[::2, None] == y)
    chances = allowed.to(torch.get_default_dtype() if weights is None else weights.dtype)
    if weights is not None:
        chances = chances * weights
    alone = chances.sum(-1) == 0
    partners = torch.multinomial(chances + alone.unsqueeze(-1).to(chances), 1).squeeze(-1)
    return partners.masked_fill(alone, -1)


def forward_with_paths(
    module: nn.Module, inputs: Mapping[str, Tensor], y: Tensor, *, by_label: bool
) -> Outputs:
    """Logits of a batch and, in training, slopes along random paths between its groups.

    Paths start at a partner (see :func:`draw_partners`) of every second row and end at that row.
    """
    X, groups = inputs["X"], inputs.get("groups")
    logits = module(X)
    if groups is None or not module.training:
        return logits, {}
    if "held_out" in inputs:
        groups = groups.masked_fill(~inputs["held_out"].unsqueeze(-1), -1)
    partners = draw_partners(groups, y if by_label else None, inputs.get("weights"))
    t = torch.rand((), dtype=X.dtype, device=X.device)
    slopes = path_slopes(module, X[partners.clamp(min=0)], X[::2], t)
    return logits, {"slopes": slopes, "partners": partners}


def path_gap(
    slopes: Tensor,
    partners: Tensor,
    groups: Tensor,
    y: Tensor | None,
    weights: Tensor | None,
    contrasts: Tensor,
    state: Tensor | None = None,
    decay: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Sum over pairs of groups (and labels) of |mean slope of the paths between them|.

    Parameters
    ----------
    slopes, partners : Tensor of shape (n_paths,)
        From :func:`forward_with_paths`.
    groups : int64 Tensor of shape (n, 1)
        Group codes of all rows.
    y : int64 Tensor of shape (n,) or None
        Class codes, if paths keep to a label (equalized odds).
    weights : Tensor of shape (n,) or None
        Sample weights.
    contrasts : Tensor of shape (n_pairs, n_groups)
        From :func:`~skfair.objectives.group_contrasts`.
    state, decay
        See :func:`~skfair.objectives.group_means`; the groups are pairs here.

    Returns
    -------
    gap : Tensor
        A scalar.
    state : Tensor
        For the next batch.
    """
    contrasts = contrasts.to(slopes)
    group, partner = groups[::2, 0], groups[partners.clamp(min=0), 0]
    complete = (partners >= 0) & (group >= 0) & (partner >= 0)
    # One row a path: +1 or -1 where it runs between the two groups of a pair, else 0.
    ends = contrasts[:, group.clamp(min=0)] * (contrasts[:, partner.clamp(min=0)] != 0)
    between = ends.T * complete.unsqueeze(-1) * (group != partner).unsqueeze(-1)
    pair = between.abs().argmax(-1).masked_fill(between.abs().sum(-1) == 0, -1)
    values = slopes * between.sum(-1)
    cases = torch.ones_like(slopes) if weights is None else weights[::2].to(slopes)
    if y is None:
        values, cases = values.unsqueeze(0), cases.unsqueeze(0)
    else:
        label = y[::2].to(slopes)
        values, cases = values.expand(2, -1), cases * torch.stack([1 - label, label])
    if state is not None and state.shape[-1] != len(contrasts):  # groups have been added
        state = None
    means, present, state = group_means(
        values, pair.unsqueeze(-1), cases, len(contrasts), state, decay
    )
    return (means.abs() * present).sum(), state
