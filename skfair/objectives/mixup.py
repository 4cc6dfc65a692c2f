"""Fair-Mixup: paths between the groups along which the prediction should not change.

Chuang and Mroueh, ICLR 2021; FairReg(., Aug) in FAIRER, section 2.2. The gap between two groups is
the integral of d/dt E f(t x0 + (1 - t) x1) over t in [0, 1]; its absolute value at a random t
replaces the gap in the objective.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ..networks.tabular import TabularNetwork
from ._base import Outputs
from .classification import binary_logit
from .groups import Comparison, group_means


def path_slopes(
    module: Callable[[Tensor], Tensor], start: Tensor, end: Tensor, t: Tensor
) -> Tensor:
    """Compute d/dt p(start + t (end - start)), differentiable with respect to the weights.

    Parameters
    ----------
    module : callable
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
        p = binary_logit(logits).sigmoid()
        (gradient,) = torch.autograd.grad(p.sum(), X, create_graph=True)
    return (gradient * direction).flatten(1).sum(1)


def draw_partners(groups: Tensor, y: Tensor | None, weights: Tensor | None) -> Tensor:
    """For every second row a random row of another group, and of its own label if ``y`` is given.

    Parameters
    ----------
    groups : int64 Tensor of shape (n,)
        Group codes of one attribute, -1 for rows that take no part.
    y : int64 Tensor of shape (n,) or None
        Class codes.
    weights : Tensor of shape (n,) or None
        Rows are drawn in proportion to them.

    Returns
    -------
    int64 Tensor of shape (ceil(n / 2),)
        Position of the partner; -1 for a row that has none.
    """
    allowed = (groups[::2, None] != groups) & (groups[::2, None] >= 0) & (groups >= 0)
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

    For each attribute, paths start at a partner (see :func:`draw_partners`) of every second row and
    end at that row. In the tabular network they run between the embeddings, where categories and
    missing values have a place.
    """
    X, groups = inputs["X"], inputs.get("groups")
    forward: Callable[[Tensor], Tensor] = module
    if isinstance(module, TabularNetwork):
        X, forward = module.embed(X), module.after_embedding
    logits = forward(X)
    if groups is None or not module.training:
        return logits, {}
    if "penalty_only" in inputs:
        groups = groups.masked_fill(~inputs["penalty_only"].unsqueeze(-1), -1)
    labels, weights = y if by_label else None, inputs.get("weights")
    partners = torch.stack([draw_partners(g, labels, weights) for g in groups.unbind(-1)])
    t = torch.rand((), dtype=X.dtype, device=X.device)
    ends = X[::2].repeat(len(partners), *[1] * (X.ndim - 1))
    slopes = path_slopes(forward, X[partners.flatten().clamp(min=0)], ends, t)
    return logits, {"slopes": slopes.view_as(partners), "partners": partners}


def path_gap(
    slopes: Tensor,
    partners: Tensor,
    groups: Tensor,
    y: Tensor | None,
    weights: Tensor | None,
    comparison: Comparison,
    state: Tensor | None = None,
    decay: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Gap between groups (within each label) by the mean slopes of the paths between them.

    Parameters
    ----------
    slopes, partners : Tensor of shape (n_attributes, n_paths)
        From :func:`forward_with_paths`.
    groups : int64 Tensor of shape (n, n_attributes)
        Group codes of all rows.
    y : int64 Tensor of shape (n,) or None
        Class codes, if paths keep to a label (equalized odds).
    weights : Tensor of shape (n,) or None
        Sample weights.
    comparison : Comparison
        Which groups are compared.
    state, decay
        See :func:`~skfair.objectives.group_means`; the groups are pairs here.

    Returns
    -------
    gap : Tensor
        A scalar.
    state : Tensor
        For the next batch.
    """
    contrasts = comparison.contrasts.to(slopes)
    n_attributes = len(partners)
    group = groups[::2].T.flatten()
    partner = groups.T.gather(1, partners.clamp(min=0)).flatten()
    complete = (partners.flatten() >= 0) & (group >= 0) & (partner >= 0)
    slopes = slopes.flatten()
    # One row a path: +1 or -1 where it runs between the two groups of a pair, else 0.
    ends = contrasts[:, group.clamp(min=0)] * (contrasts[:, partner.clamp(min=0)] != 0)
    between = ends.T * complete.unsqueeze(-1) * (group != partner).unsqueeze(-1)
    pair = between.abs().argmax(-1).masked_fill(between.abs().sum(-1) == 0, -1)
    values = slopes * between.sum(-1)
    denominators = (
        torch.ones_like(slopes) if weights is None else weights[::2].to(slopes).repeat(n_attributes)
    )
    if y is None:
        values, denominators = values.unsqueeze(0), denominators.unsqueeze(0)
    else:
        label = y[::2].to(slopes).repeat(n_attributes)
        values = values.expand(2, -1)
        denominators = denominators * torch.stack([1 - label, label])
    if state is not None and state.shape[-1] != len(contrasts):  # groups have been added
        state = None
    means, present, state = group_means(
        values, pair.unsqueeze(-1), denominators, len(contrasts), state, decay
    )
    counts = comparison.counts if y is not None else None
    return comparison.gap_of_pairs(means, present, counts), state
