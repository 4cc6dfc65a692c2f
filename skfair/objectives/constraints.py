"""Constraints on the groups' rates of decisions, by multipliers (Cotter et al. 2019).

The network and the multipliers play a game with two different views of a rate. The network sees a
smooth proxy: the decision d of every row (a difference of logits) counts as sigmoid(d / tau). The
multipliers are changed between batches, by what the rates of decisions are on rows that are held
out: see :func:`stepped`.

Shapes: logits (n, 2); y (n,); groups (n, n_attributes); weights (n,) or None. The state is of shape
(n_rates, 4, n_groups): running sums of hits and of cases of the decisions in training batches, the
offset between their differences and those on the held-out rows, and the multipliers, at least 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ._base import Terms
from .classification import binary_logit, weighted_mean
from .groups import group_means

TEMPERATURE = 0.3  # tau: closer to decisions than 1, and still with a slope where they are made
STEP, MAX_MULTIPLIER = 3.0, 5.0
STEP_OF_LOGITS = 0.25
ABOVE = 0.1  # of the way from a least value to 1, that is aimed at
MIN_VARIANCE = 0.01  # of a decision
OFFSET_MEMORY = 0.5
WHOLE_PULL = 2.0  # aims: a smaller difference pulls in proportion, so that groups do not swing

Rates = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Constraints:
    """What is asked of the groups' rates.

    Parameters
    ----------
    gaps : sequence of callable
        ``rates(logits, y) -> (values, cases)`` of shape (n_rates, n) each: rates that are to be
        alike. Each group is compared with everybody else of the same attribute.
    floors : sequence of callable
        Rates, one each, of which every group is to have a least value.
    least : sequence of float
        These values.
    aim : float
        Difference between the rates of ``gaps`` at which multipliers neither rise nor fall, and at
        which what they pull with is half of them.
    attribute_of : sequence of int
        The attribute that each group belongs to.
    first_positive : bool, default=False
        Whether the first of the two classes is the positive one.
    of_decisions : bool, default=True
        Whether the rates are shares of decisions, which need a smooth proxy; or else means of what
        can be seen of the logits themselves, of any size, of which there are no ``floors``.
    step : float, default=3
        eta of the multipliers of decisions, where the rate is one half.
    """

    gaps: Sequence[Rates]
    floors: Sequence[Rates]
    least: Sequence[float]
    aim: float
    attribute_of: Sequence[int]
    first_positive: bool = False
    of_decisions: bool = True
    step: float = STEP

    def proxies(self, logits: Tensor, y: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """Values, with a slope, and cases of all rates, ``floors`` last, (n_rates, n) each."""
        if self.of_decisions:
            logits = logits / temperature
        if self.first_positive:
            logits, y = logits.flip(-1), 1 - y
        found = [rates(logits, y) for rates in (*self.gaps, *self.floors)]
        values, cases = zip(*found, strict=True)
        return torch.cat(values), torch.cat(cases)

    def values(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Values and cases of what is asked about: decisions, not probabilities."""
        if self.of_decisions:
            sure = torch.where(binary_logit(logits) > 0, torch.inf, -torch.inf).to(logits)
            logits = torch.stack([-sure, sure], -1)
        return self.proxies(logits, y, temperature=1.0)

    def differences(self, means: Tensor, counts: Tensor) -> Tensor:
        """How far each group is from where it should be.

        Parameters
        ----------
        means, counts : Tensor of shape (n_rates, n_groups)
            Of the cases of each rate; groups without any take no part.

        Returns
        -------
        Tensor of shape (n_rates, n_groups)
            Of ``gaps``: a group's rate minus that of everybody else. Of ``floors``: minus what it
            lacks, seen from a little above the least value.
        """
        n_gaps = len(means) - len(self.floors)
        shares = self._shares(counts)
        others = 1 - shares
        apart = (means - (shares * means) @ self._same_attribute(means)) / others.clamp(min=1e-9)
        apart = torch.where((counts > 0) & (others > 1e-9), apart, 0.0)
        wanted = [value + ABOVE * (1 - value) for value in self.least]
        least = torch.tensor([*[0.0] * n_gaps, *wanted], dtype=means.dtype, device=means.device)
        short = (means - least[:, None]).clamp(max=0)
        short = torch.where(counts > 0, short, 0.0)
        return torch.cat([apart[:n_gaps], short[n_gaps:]])

    def pull(self, apart: Tensor) -> Tensor:
        """Share of its multiplier, from -1 to 1, with which a rate is pulled down.

        ``apart`` is that of :meth:`differences`.
        """
        n_gaps = len(apart) - len(self.floors)
        width = max(WHOLE_PULL * self.aim, torch.finfo(apart.dtype).tiny)
        of_gaps = (apart[:n_gaps] / width).clamp(-1, 1)
        return torch.cat([of_gaps, apart[n_gaps:].sign().clamp(max=0)])

    def costs(self, forces: Tensor, counts: Tensor) -> Tensor:
        """Weight of each group's rates in the loss, from what pulls at them.

        What pulls a group's rate down against that of everybody else pulls theirs up.
        """
        n_gaps = len(forces) - len(self.floors)
        pulled = forces - (self._shares(counts) * forces) @ self._same_attribute(forces)
        return torch.cat([pulled[:n_gaps], forces[n_gaps:]])

    def _shares(self, counts: Tensor) -> Tensor:
        """Each group's share of the cases of its attribute."""
        totals = counts @ self._same_attribute(counts)
        return counts / totals.clamp(min=torch.finfo(counts.dtype).tiny)

    def _same_attribute(self, like: Tensor) -> Tensor:
        of = torch.tensor(self.attribute_of, device=like.device)
        return (of[:, None] == of).to(like)


def start(constraints: Constraints, like: Tensor, before: Tensor | None = None) -> Tensor:
    """State to begin with: that of an earlier training if it is about the same rates.

    Groups that have been added since come last and start at zero.
    """
    y = torch.zeros(1, dtype=torch.int64, device=like.device)
    n_rates = len(constraints.values(like.new_zeros(1, 2), y)[0])
    state = like.new_zeros(n_rates, 4, len(constraints.attribute_of))
    if before is not None and before.ndim == 3 and before.shape[:2] == state.shape[:2]:
        state[..., : before.shape[-1]] = before
    return state


def stepped(
    constraints: Constraints, state: Tensor, means: Tensor, counts: Tensor, known: Tensor
) -> Tensor:
    """State with multipliers after a step of dual ascent.

    mu <- max(0, mu + eta (|difference| - aim)), on the scale of log-odds: a rate with
    variance v of a decision changes by about v when all decisions are shifted by 1; a mean of
    logits is on that scale itself.

    Parameters
    ----------
    constraints : Constraints
        What is asked.
    state : Tensor of shape (n_rates, 4, n_groups)
        Before.
    means, counts : Tensor of shape (n_rates, n_groups)
        Rates of decisions on held-out rows, and on how many cases they rest.
    known : bool Tensor of shape (n_rates, n_groups)
        Where these are enough to say something.

    Returns
    -------
    Tensor of shape (n_rates, 4, n_groups)
        After.
    """
    hits, cases, offset, multipliers = state.unbind(1)
    found = constraints.differences(means, counts * known)
    n_gaps = len(means) - len(constraints.floors)
    aim = torch.zeros_like(means)
    aim[:n_gaps] = constraints.aim
    moved = multipliers + _step_sizes(constraints, means, counts) * (found.abs() - aim)
    multipliers = torch.where(known, moved.clamp(0, MAX_MULTIPLIER), multipliers)
    in_training = constraints.differences(hits / cases.clamp(min=1e-9), cases)
    drift = torch.where(known, in_training - found, 0.0)
    offset = torch.where(offset == 0, drift, offset + OFFSET_MEMORY * (drift - offset))
    return torch.stack([hits, cases, offset, multipliers], 1)


def _step_sizes(constraints: Constraints, means: Tensor, counts: Tensor) -> Tensor:
    """eta of each rate, (n_rates, 1)."""
    if not constraints.of_decisions:
        return means.new_full((len(means), 1), STEP_OF_LOGITS)
    overall = (means * counts).sum(-1) / counts.sum(-1).clamp(min=torch.finfo(counts.dtype).tiny)
    variance = (overall * (1 - overall)).clamp(min=MIN_VARIANCE)[:, None]
    return constraints.step * (0.25 / variance)


def constrained_terms(
    logits: Tensor,
    y: Tensor,
    groups: Tensor | None,
    weights: Tensor | None,
    state: Tensor | None = None,
    *,
    terms: Callable[..., tuple[Terms, Any]],
    constraints: Constraints,
    decay: float = 0.0,
    temperature: float = TEMPERATURE,
    **extra: Any,
) -> tuple[Terms, Tensor | None]:
    """Add constraints, by their multipliers, to the terms of an objective.

    Parameters
    ----------
    logits, y, groups, weights : Tensor
        The batch. ``groups=None`` leaves the constraints out.
    state : Tensor of shape (n_rates, 4, n_groups) or None
        From the last batch; ``None``: all multipliers are 0.
    terms : callable
        Of the objective, which keeps no state: see :class:`~skfair.objectives.Objective`.
    constraints : Constraints
        What is asked.
    decay : float, default=0.0
        How much of the running sums is kept.
    temperature : float, default=0.3
        tau of the proxy.
    **extra : Any
        For ``terms``.

    Returns
    -------
    terms : dict
        Those of the objective, and ``constraints``: the proxies of the groups' rates, each by its
        multiplier, in the direction in which the decisions of recent batches, seen from the
        held-out rows, have to move. However small a group is, its member feels at most twice the
        largest multiplier as a weight of its own proxy.
    state : Tensor or None
        For the next batch.
    """
    found, _ = terms(logits, y, groups, weights, None, **extra)
    if groups is None:
        return found, state
    if state is None:
        return found | {"constraints": logits.new_zeros(())}, state
    n_groups = len(constraints.attribute_of)
    values, cases = constraints.values(logits.detach(), y)
    weighted = cases if weights is None else cases * weights
    _, _, batch = group_means(values, groups, weighted, n_groups)
    hits, counts = (decay * state[:, :2] + batch).unbind(1)
    offset, multipliers = state[:, 2:].unbind(1)
    means = hits / counts.clamp(min=torch.finfo(counts.dtype).tiny)
    pull = constraints.pull(constraints.differences(means, counts) - offset)
    costs = constraints.costs(multipliers * pull, counts)
    values, cases = constraints.proxies(logits, y, temperature)
    pulled = (_of_rows(costs, groups) * values - _of_rows(costs * means, groups)) * cases
    found["constraints"] = weighted_mean(pulled.sum(0), weights)
    return found, torch.stack([hits, counts, offset, multipliers], 1).detach()


def _of_rows(of_groups: Tensor, groups: Tensor) -> Tensor:
    """Sum, over each row's groups, of what they have: (n_rates, n_groups) -> (n_rates, n)."""
    padded = torch.nn.functional.pad(of_groups, (0, 1))  # a missing group, -1, has nothing
    return padded[:, groups].sum(-1)
