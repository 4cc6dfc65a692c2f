"""Group means on tensors, and the gap between them.

Groups are integer codes of shape (n, n_attributes): one column per sensitive attribute (one column
in all where every combination is a group), each code naming one of ``n_groups`` groups, -1 where
the attribute is missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


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
    values : Tensor of shape (..., n)
        One value a row; leading dimensions hold several quantities.
    groups : int64 Tensor of shape (n, n_attributes)
        Group codes, -1 for missing.
    weights : Tensor of shape (..., n) or None
        Weight of each row in the mean; rows without weight are no members.
    n_groups : int
        Number of groups over all attributes.
    state : Tensor of shape (..., 2, n_groups) or None
        Running sums and counts that the previous batch returned; groups that have been added
        since come last and start at zero.
    decay : float in [0, 1), default=0
        With 0 the means are those of this batch. Otherwise their *value* comes from sums and
        counts that decay by this factor a batch, while their *gradient* is that of this batch's
        means: the sign of a difference is then steady although every batch is small.

    Returns
    -------
    means : Tensor of shape (..., n_groups)
        Zero, without gradient, for a group that has not been seen.
    present : bool Tensor of shape (..., n_groups)
        Which groups have been seen (in this batch, if ``decay`` is 0).
    state : Tensor of shape (..., 2, n_groups)
        To be handed to the next call.
    """
    codes = torch.arange(n_groups, device=groups.device)
    members = groups == codes if groups.shape[-1] == 1 else (groups.unsqueeze(-1) == codes).any(-2)
    if weights is None:
        rows = torch.stack([values, torch.ones_like(values)], dim=-2)
    else:
        rows = torch.stack([values * weights, weights], dim=-2)
    sums_and_counts = rows @ members.to(values.dtype)
    means = _ratio(sums_and_counts)
    new_state = sums_and_counts.detach()
    if decay == 0:
        return means, new_state[..., 1, :] > 0, new_state
    if state is not None:
        state = functional.pad(state, (0, n_groups - state.shape[-1]))
        new_state = decay * state + new_state
    return means + (_ratio(new_state) - means).detach(), new_state[..., 1, :] > 0, new_state


def _ratio(sums_and_counts: Tensor) -> Tensor:
    sums, counts = sums_and_counts.unbind(-2)
    return sums / (counts + (counts == 0))  # 0 / 1 for a group without members


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
    """Sum over the pairs of |difference of means|; pairs with an absent group take no part.

    ``means`` and ``present`` are of shape (..., n_groups); leading dimensions are added up, too.
    """
    contrasts = contrasts.to(means)
    complete = present.to(means) @ contrasts.abs().T > 1
    return ((means @ contrasts.T).abs() * complete).sum()


def memory_decay(batch_size: int | None, memory: int) -> float:
    """``decay`` with which :func:`group_means` remembers about ``memory`` rows.

    0 if a batch has as many, or all there are (``batch_size=None``).
    """
    return 0.0 if batch_size is None else max(0.0, 1 - batch_size / max(memory, 1))
