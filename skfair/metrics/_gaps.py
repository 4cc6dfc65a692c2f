"""From the means of groups to one number."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..objectives import Comparison

AGGREGATES = ("max", "share", "sum")


def aggregate_gap(
    means: Tensor, counts: Tensor, attribute_of: Sequence[int], aggregate: str
) -> float:
    """How far the groups' means are apart.

    Parameters
    ----------
    means : Tensor of shape (..., n_groups)
        Of each group; leading dimensions (rates) are added up.
    counts : Tensor of shape (..., n_groups)
        Of the cases behind each mean; groups without any take no part.
    attribute_of : sequence of int
        The attribute that each group belongs to; attributes are added up.
    aggregate : {"max", "share", "sum"}
        The largest difference between two groups; 2 sum_g pi_g |m_g - m| (see
        :meth:`~skfair.objectives.Comparison.gap`); or the sum over pairs of |difference|.

    Raises
    ------
    ValueError
        If ``aggregate`` is none of these.
    """
    if aggregate not in AGGREGATES:
        raise ValueError(f"aggregate must be one of {list(AGGREGATES)}, got {aggregate!r}.")
    shares = counts if aggregate == "share" else None
    comparison = Comparison.of(attribute_of, shares, means.dtype)
    if aggregate != "max":
        return float(comparison.gap(means, counts > 0, shares))
    present = (counts > 0).unsqueeze(-2) & (comparison.members > 0)
    means = means.unsqueeze(-2)
    spread = means.where(present, -torch.inf).amax(-1) - means.where(present, torch.inf).amin(-1)
    return float(spread.where(present.any(-1), 0.0).sum())


def widest_pair(means: Sequence[float]) -> tuple[int, int]:
    """Find the groups with the largest and the smallest mean, among those that have one."""
    values = torch.as_tensor(means, dtype=torch.float64)
    return int(values.nan_to_num(-torch.inf).argmax()), int(values.nan_to_num(torch.inf).argmin())
