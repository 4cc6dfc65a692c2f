"""Group means on tensors, and the gap between them.

Groups are integer codes of shape (n, n_attributes): one column per sensitive attribute (one column
in all where every combination is a group), each code naming one of ``n_groups`` groups, -1 where
the attribute is missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def group_means(
    values: Tensor,
    groups: Tensor,
    weights: Tensor | None,
    n_groups: int,
    state: Tensor | None = None,
    decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean of ``values`` over the members of each group.

    Parameters
    ----------
    values : Tensor of shape (n,)
        One value a row.
    groups : int64 Tensor of shape (n, n_attributes)
        Group codes, -1 for missing.
    weights : Tensor of shape (n,) or None
        Sample weights.
    n_groups : int
        Number of groups over all attributes.
    state : Tensor of shape (2, n_groups) or None
        Running sums and counts that the previous batch returned.
    decay : float in [0, 1), default=0
        With 0 the means are those of this batch. Otherwise their *value* comes from sums and
        counts that decay by this factor a batch, while their *gradient* is that of this batch's
        means: the sign of a difference is then steady although every batch is small.

    Returns
    -------
    means : Tensor of shape (n_groups,)
        Zero, without gradient, for a group that has not been seen.
    present : bool Tensor of shape (n_groups,)
        Which groups have been seen (in this batch, if ``decay`` is 0).
    state : Tensor of shape (2, n_groups)
        To be handed to the next call.
    """
    codes = torch.arange(n_groups, device=groups.device)
    members = (groups.unsqueeze(-1) == codes).any(-2).to(values.dtype)
    if weights is not None:
        members = members * weights.unsqueeze(-1)
    sums, counts = values @ members, members.sum(-2)
    tiny = torch.finfo(values.dtype).tiny
    means = sums / counts.clamp(min=tiny)
    new_state = torch.stack([sums.detach(), counts])
    if decay == 0:
        return means, counts > 0, new_state
    if state is not None:
        new_state = decay * state + new_state
    running = new_state[0] / new_state[1].clamp(min=tiny)
    return means + (running - means).detach(), new_state[1] > 0, new_state


def group_contrasts(attribute_of: Sequence[int]) -> Tensor:
    """Matrix of shape (n_pairs, n_groups) that takes the difference within every pair of groups.

    Two groups form a pair if they belong to the same attribute.
    """
    n_groups = len(attribute_of)
    rows = [
        [(i == a) - (i == b) for i in range(n_groups)]
        for a in range(n_groups)
        for b in range(a + 1, n_groups)
        if attribute_of[a] == attribute_of[b]
    ]
    return torch.tensor(rows, dtype=torch.get_default_dtype()).reshape(-1, n_groups)


def pairwise_gap(means: Tensor, present: Tensor, contrasts: Tensor) -> Tensor:
    """Sum over the pairs of |difference of means|; pairs with an absent group take no part."""
    contrasts = contrasts.to(means)
    complete = contrasts.abs() @ present.to(means) > 1
    return ((contrasts @ means).abs() * complete).sum()
