"""Group means on tensors, and the gap between them.

Groups are integer codes of shape (n, n_attributes): one column per sensitive attribute (one column
in all where every combination is a group), each code naming one of ``n_groups`` groups, -1 where
the attribute is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

Pullback = Callable[[Tensor], Tensor]


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
    members = _members(groups, n_groups).to(values.dtype)
    if weights is None:
        rows = torch.stack([values, torch.ones_like(values)], dim=-2)
    else:
        rows = torch.stack([values * weights, weights], dim=-2)
    sums_and_counts = rows @ members
    sums, counts = sums_and_counts.unbind(-2)
    means = _ratio(sums, counts.detach() if weights is None else counts)
    return _running(means, sums_and_counts.detach(), state, decay)


def group_means_with_pullback(
    values: Tensor, groups: Tensor, n_groups: int, state: Tensor | None = None, decay: float = 0.0
) -> tuple[Tensor, Tensor, Tensor, Pullback]:
    """:func:`group_means` without weights, and what leads gradients of the means back to values.

    Leading axes of ``groups`` and ``state`` are those of ``values``, or of length 1. Rounding is
    that of automatic differentiation.
    """
    members = _members(groups, n_groups).to(values.dtype)
    sums_and_counts = torch.stack([values, torch.ones_like(values)], dim=-2) @ members
    sums, counts = sums_and_counts.unbind(-2)
    denominators = counts + (counts == 0)

    def pull_back(gradient: Tensor) -> Tensor:
        of_sums = gradient / denominators
        of_rows = torch.stack([of_sums, torch.zeros_like(of_sums)], dim=-2) @ members.mT
        return of_rows.select(-2, 0)

    return *_running(sums / denominators, sums_and_counts, state, decay), pull_back


def _members(groups: Tensor, n_groups: int) -> Tensor:
    """Whether each row belongs to each group, (..., n, n_groups)."""
    codes = torch.arange(n_groups, device=groups.device)
    return groups == codes if groups.shape[-1] == 1 else (groups.unsqueeze(-1) == codes).any(-2)


def _running(
    means: Tensor, sums_and_counts: Tensor, state: Tensor | None, decay: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Means with their running value, which groups have been seen, and the new state."""
    if decay == 0:
        return means, sums_and_counts.select(-2, 1) > 0, sums_and_counts
    if state is not None:
        n_groups = sums_and_counts.shape[-1]
        if state.shape[-1] < n_groups:
            state = functional.pad(state, (0, n_groups - state.shape[-1]))
        sums_and_counts = decay * state + sums_and_counts
    correction = _ratio(*sums_and_counts.unbind(-2)) - means.detach()
    return means + correction, sums_and_counts.select(-2, 1) > 0, sums_and_counts


def batch_part(state: Tensor, before: Tensor | None, decay: float) -> Tensor:
    """Return the batch's own sums and counts, from the states after and before it."""
    if before is None or decay == 0:
        return state
    return state - decay * functional.pad(before, (0, state.shape[-1] - before.shape[-1]))


def _ratio(sums: Tensor, counts: Tensor) -> Tensor:
    return sums / (counts + (counts == 0))  # 0 / 1 for a group without members


@dataclass(frozen=True)
class Comparison:
    """Which groups are compared with each other, and how much each counts.

    Made by :meth:`of`.

    Parameters
    ----------
    contrasts : Tensor of shape (n_pairs, n_groups)
        Takes the difference within every pair of groups; two groups form a pair if they belong to
        the same attribute.
    members : Tensor of shape (n_attributes, n_groups)
        1 where a group belongs to an attribute.
    counts : Tensor of shape (n_classes, n_groups) or (n_groups,), or None
        (Weighted) number of training rows of each class in each group, by which groups are weighed;
        ``None`` takes all pairs of groups alike.
    """

    contrasts: Tensor
    members: Tensor
    counts: Tensor | None = None

    @classmethod
    def of(
        cls,
        attribute_of: Sequence[int],
        counts: Tensor | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Comparison:
        """Compare all groups of the same attribute.

        Parameters
        ----------
        attribute_of : sequence of int
            The attribute that each group belongs to.
        counts : Tensor of shape (n_classes, n_groups) or None
            See the attribute.
        dtype : torch.dtype or None
            Of the tensors; ``None`` is torch's default.
        device : torch.device, str or None
            Where they are.

        Returns
        -------
        Comparison
            Of these groups.
        """
        n_groups = len(attribute_of)
        pairs = [
            [(i == a) - (i == b) for i in range(n_groups)]
            for a in range(n_groups)
            for b in range(a + 1, n_groups)
            if attribute_of[a] == attribute_of[b]
        ]
        members = [[a == of for of in attribute_of] for a in sorted(set(attribute_of))]
        dtype = dtype or torch.get_default_dtype()
        return cls(
            torch.tensor(pairs, dtype=dtype, device=device).reshape(-1, n_groups),
            torch.tensor(members, dtype=dtype, device=device).reshape(-1, n_groups),
            None if counts is None else counts.to(dtype=dtype, device=device),
        )

    @property
    def n_groups(self) -> int:
        """Number of groups, over all attributes."""
        return self.contrasts.shape[-1]

    @property
    def n_pairs(self) -> float:
        """Number of pairs, a mean over attributes."""
        return len(self.contrasts) / len(self.members)

    @property
    def n_summands(self) -> float:
        """Number of differences that :meth:`gap` adds up, 1 where groups have weights."""
        return 1.0 if self.counts is not None else self.n_pairs

    def gap(self, means: Tensor, present: Tensor, denominators: Tensor | None = None) -> Tensor:
        """How far the groups' means are apart.

        Parameters
        ----------
        means : Tensor of shape (..., n_groups)
            Of each group; leading dimensions (rates) are added up.
        present : bool Tensor of shape (..., n_groups)
            Groups that are absent take no part.
        denominators : Tensor of shape (..., n_groups), default=None
            How much each group counts; the sum of ``counts`` over classes if ``None``. Without
            effect where ``counts`` is ``None``.

        Returns
        -------
        Tensor
            For every attribute 2 sum_g pi_g |m_g - m|, added up: pi_g is the group's share of the
            cases, m = sum_g pi_g m_g. Two groups give 4 pi_a pi_b |m_a - m_b|: the printed term
            (FaiR-N, Eq. 1; FAIRER, Eq. 1) if they are of equal size. However small a group is, its
            member moves the term by less than 4 times what it adds to a mean over everybody.
            Without ``counts``: the sum over pairs of |m_a - m_b|.
        """
        if self._group_counts is None:
            contrasts = self.contrasts.to(means)
            complete = present.to(means) @ contrasts.abs().T > 1
            return ((means @ contrasts.T).abs() * complete).sum()
        counts = self._group_counts if denominators is None else denominators
        shares, deviations = self._deviations(means, present, counts)
        return (2 * shares * deviations.abs()).sum()

    def gap_with_pullback(self, means: Tensor, present: Tensor) -> tuple[Tensor, Pullback]:
        """Gap of each network, and what leads its gradient back to the means.

        Parameters
        ----------
        means, present : Tensor of shape (..., n_groups)
            As in :meth:`gap`; leading axes are those of networks. ``counts`` has to be known, of
            shape (..., n_classes, n_groups).

        Returns
        -------
        gap : Tensor of shape (...,)
            Of each network.
        pull_back : callable
            From a gradient (...,) to one of the shape of ``means``; rounding is that of automatic
            differentiation.
        """
        assert self._group_counts is not None
        shares, deviations = self._deviations(means, present, self._group_counts)
        doubled = 2 * shares

        def pull_back(gradient: Tensor) -> Tensor:
            of_deviations = gradient.unsqueeze(-1) * doubled * deviations.sgn()
            of_center = _times(-of_deviations, self._same_attribute.to(means).mT)
            return of_deviations + of_center * shares

        return (doubled * deviations.abs()).sum(-1), pull_back

    def _deviations(self, means: Tensor, present: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Return pi_g and m_g - m, (..., n_groups) each."""
        shares = self.shares(counts.to(means) * present)
        return shares, means - _times(shares * means, self._same_attribute.to(means))

    def center(
        self, means: Tensor, present: Tensor, denominators: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Share of each group in its attribute, and the mean over the attribute's groups.

        Parameters
        ----------
        means, present, denominators : Tensor of shape (..., n_groups)
            As in :meth:`gap`. Without ``counts`` all groups that are present have the same share.

        Returns
        -------
        shares, center : Tensor of shape (..., n_groups)
            Of every group.
        """
        of_all = self._group_counts
        if of_all is None:
            counts = torch.ones_like(means)
        else:
            counts = (of_all if denominators is None else denominators).to(means)
        shares = self.shares(counts * present)
        return shares, _times(shares * means, self._same_attribute.to(means))

    def gap_of_pairs(
        self, differences: Tensor, seen: Tensor, denominators: Tensor | None = None
    ) -> Tensor:
        """Compute the :meth:`gap` where differences are known and means are not.

        Parameters
        ----------
        differences : Tensor of shape (..., n_pairs)
            Of each pair, in the order of ``contrasts``.
        seen : bool Tensor of shape (..., n_pairs)
            Pairs of which a group is absent take no part.
        denominators : Tensor of shape (..., n_groups), default=None
            As in :meth:`gap`.

        Returns
        -------
        Tensor
            A scalar.
        """
        differences = differences * seen
        if self._group_counts is None:
            return differences.abs().sum()
        counts = self._group_counts if denominators is None else denominators
        contrasts = self.contrasts.to(differences)
        present = seen.to(differences) @ contrasts.abs() > 0
        shares = self.shares(counts.to(differences) * present)
        of_both = shares @ contrasts.clamp(min=0).T * (shares @ contrasts.clamp(max=0).T).abs()
        # pi_g (m_g - m) = sum_h pi_g pi_h (m_g - m_h)
        return 2 * ((differences * of_both) @ contrasts).abs().sum()

    def shares(self, counts: Tensor) -> Tensor:
        """Share pi_g of each group among the cases of its attribute.

        Parameters
        ----------
        counts : Tensor of shape (..., n_groups)
            (Weighted) number of cases in each group.

        Returns
        -------
        Tensor of shape (..., n_groups)
            0 for a group without cases.
        """
        totals = _times(counts, self._same_attribute.to(counts))
        return counts / totals.clamp(min=torch.finfo(counts.dtype).tiny)

    @cached_property
    def _group_counts(self) -> Tensor | None:
        """Number of training rows of each group."""
        if self.counts is None or self.counts.ndim == 1:
            return self.counts
        return self.counts.sum(-2)

    @cached_property
    def _same_attribute(self) -> Tensor:
        """1 where two groups belong to the same attribute, (n_groups, n_groups)."""
        return self.members.mT @ self.members


def _times(vectors: Tensor, matrices: Tensor) -> Tensor:
    """Vectors (..., n) times matrices (..., n, m)."""
    return (vectors.unsqueeze(-2) @ matrices).squeeze(-2)


def required(comparison: Comparison | None) -> Comparison:
    """Return the comparison that an objective needs as soon as there are groups.

    Raises
    ------
    ValueError
        If it is ``None``.
    """
    if comparison is None:
        raise ValueError("comparison must say which groups are compared, got None with groups.")
    return comparison


def memory_decay(batch_size: int | None, memory: float) -> float:
    """``decay`` with which :func:`group_means` remembers about ``memory`` rows.

    0 if a batch has as many, or all there are (``batch_size=None``).
    """
    return 0.0 if batch_size is None else max(0.0, 1 - batch_size / max(memory, 1))
