"""Conditional parity: groups are compared within strata of a control feature.

Kamiran, Zliobaite and Calders, Quantifying explainable discrimination (2013): differences that the
feature explains are left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from .groups import Comparison

OfStratum = Callable[[Tensor, Comparison, Tensor | None], tuple[Tensor, Tensor | None]]


@dataclass(frozen=True)
class Strata:
    """Rows that are compared with each other alone.

    Parameters
    ----------
    shares : Tensor of shape (n_strata,)
        Share of each stratum in the rows.
    counts : Tensor of shape (n_strata, n_classes, n_groups) or None
        As ``counts`` of :class:`~skfair.objectives.Comparison`, in each stratum.
    worst : bool, default=False
        Whether the stratum with the greatest penalty counts, and not the mean by shares.
    at_once : bool, default=True
        Whether all strata can be looked at at once, by :func:`torch.func.vmap`.
    """

    shares: Tensor
    counts: Tensor | None
    worst: bool = False
    at_once: bool = True

    def __call__(
        self,
        of_stratum: OfStratum,
        groups: Tensor,
        strata: Tensor,
        comparison: Comparison,
        state: Tensor | None,
    ) -> tuple[Tensor, Tensor | None]:
        """Compute a penalty within strata.

        Parameters
        ----------
        of_stratum : callable
            ``of_stratum(groups, comparison, state) -> (value, state)``: the penalty where rows of
            group -1 take no part.
        groups : Tensor of shape (n, n_attributes)
            Group codes.
        strata : int64 Tensor of shape (n,)
            Codes of the strata, -1 for missing.
        comparison : Comparison
            Which groups are compared.
        state : Tensor of shape (n_strata, ...) or None
            From the last batch.

        Returns
        -------
        value : Tensor
            A scalar.
        state : Tensor of shape (n_strata, ...) or None
            For the next batch.
        """
        codes = torch.arange(len(self.shares), device=strata.device)
        within = groups.where((strata == codes.unsqueeze(-1)).unsqueeze(-1), -1)
        if state is not None and len(state) != len(codes):
            state = None  # there are strata that were not there before

        def of_one(groups: Any, counts: Any, state: Any) -> tuple[Tensor, ...]:
            found = of_stratum(groups, replace(comparison, counts=counts), state)
            return tuple(part for part in found if part is not None)

        arguments = within, self.counts, state
        if self.at_once:
            axes = tuple(None if argument is None else 0 for argument in arguments)
            values, *states = vmap(of_one, axes)(*arguments)
        else:
            parts = [
                of_one(*(None if argument is None else argument[k] for argument in arguments))
                for k in range(len(codes))
            ]
            values, *states = map(torch.stack, zip(*parts, strict=True))
        value = values.max() if self.worst else (values * self.shares).sum()
        return value, states[0] if states else None
