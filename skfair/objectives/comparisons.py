"""How the groups' means of a statistic are compared.

Each function turns ``means`` and ``present``, (n_rates, n_groups), into one number.
``denominators`` (n_rates, n_groups) or (n_groups,) is how much each group counts, see
:meth:`~skfair.objectives.Comparison.gap`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .groups import Comparison


def sum_of_gaps(
    means: Tensor, present: Tensor, comparison: Comparison, denominators: Tensor | None
) -> Tensor:
    """How far the groups are apart, added up over rates: :meth:`Comparison.gap`."""
    return comparison.gap(means, present, denominators)


def worst_group(
    means: Tensor, present: Tensor, comparison: Comparison, denominators: Tensor | None
) -> Tensor:
    """Mean of each attribute's group that has the greatest one (Technical Challenges, Eq. 7)."""
    present = present & (comparison.members != 0)
    worst = means.masked_fill(~present, -torch.inf).amax(-1)
    return worst.where(present.any(-1), 0.0).sum()


def negative_min_max_ratio(
    means: Tensor, present: Tensor, comparison: Comparison, denominators: Tensor | None
) -> Tensor:
    """-min(r, 1 / r) of each attribute's most different pair (Technical Challenges, Eq. 6)."""
    present = present & (comparison.members != 0)
    low = means.where(present, torch.inf).amin(-1).where(present.any(-1), 0.0)
    high = means.where(present, 0.0).amax(-1).clamp(min=torch.finfo(means.dtype).tiny)
    return -(low / high).sum()


def sum_of_squares(
    means: Tensor, present: Tensor, comparison: Comparison, denominators: Tensor | None
) -> Tensor:
    """4 sum_g pi_g (m_g - m)^2, added up over rates: (m_a - m_b)^2 of two groups of equal size."""
    shares, center = comparison.center(means, present, denominators)
    return (4 * shares * (means - center).square()).sum()


def mutual_information(
    means: Tensor, present: Tensor, comparison: Comparison, denominators: Tensor | None
) -> Tensor:
    """sum_g pi_g KL(m_g, m), in nats: of decision and group (Kamishima et al. 2012, Eq. 9)."""
    shares, center = comparison.center(means, present, denominators)
    tiny = torch.finfo(means.dtype).tiny

    def part(mean: Tensor, of_all: Tensor) -> Tensor:
        return mean * (mean.clamp(min=tiny).log() - of_all.clamp(min=tiny).log())

    return (shares * (part(means, center) + part(1 - means, 1 - center))).sum()


def sum_of_negative_ratios(
    means: Tensor, present: Tensor, comparison: Comparison, denominators: Tensor | None
) -> Tensor:
    """Minus the least mean divided by the greatest, of each attribute, added up over rates."""
    present, means = present.unsqueeze(-2) & (comparison.members != 0), means.unsqueeze(-2)
    low = means.where(present, torch.inf).amin(-1).where(present.any(-1), 0.0)
    high = means.where(present, 0.0).amax(-1).clamp(min=torch.finfo(means.dtype).tiny)
    return -(low / high).sum()


def excess_of_worst(
    means: Tensor,
    present: Tensor,
    comparison: Comparison,
    denominators: Tensor | None,
    more_is_better: bool = False,
) -> Tensor:
    """By how much the worst group of each attribute is worse than everybody, over rates."""
    _, center = comparison.center(means, present, denominators)
    behind = center - means if more_is_better else means - center
    present = present.unsqueeze(-2) & (comparison.members != 0)
    worst = behind.unsqueeze(-2).masked_fill(~present, -torch.inf).amax(-1)
    return worst.where(present.any(-1), 0.0).sum()
