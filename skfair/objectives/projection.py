"""The KL projection onto fair predictions (Buyl, Defrance and De Bie, fairret, ICLR 2024).

Of all distributions q whose groups have the same rate, the one nearest to the predictions p is

    q_i = sigmoid(logit p_i + theta_g a_i),

with one number theta_g a group: the rate is a sum of a_i q_i, divided by the cases, so that theta_g
is the multiplier of a single linear constraint, and the root of an increasing function. What a row
adds to a rate depends on its label alone, so that sums over the cells of groups and labels are all
that is needed.

Shapes: logits (..., n, 2); y (..., n); groups (..., n, n_attributes), or (..., n) of one attribute,
-1 for missing; weights (..., n) or None. Leading axes are those of networks; those of y, groups and
weights may be of length 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ._base import Terms
from .classification import binary_logit
from .groups import Comparison, required
from .statistics import Rates

MAX_SHIFT = 30.0  # on the scale of log-odds: beyond it every decision is certain
MAX_STEP = 3.0  # of one step of Newton's method, which goes astray where all q are close to 0 or 1
COLD_STEPS, WARM_STEPS = 24, 3  # 14 are enough from 0 where predictions are as sure as 1e-10


def affine_rates(rates: Rates) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Find what rates are made of: (n0 + n1 p) over (d0 + d1 p), summed over rows.

    Returns
    -------
    n0, n1, d0, d1 : float64 Tensor of shape (n_rates, 2)
        Of rows with label 0 and 1, from the rates where nobody, and where everybody, is accepted.
    """
    sure, y = torch.full((2,), torch.inf, dtype=torch.float64), torch.tensor([0, 1])
    found = []
    for decided in (-sure, sure):
        values, cases = rates(torch.stack([-decided, decided], -1), y)
        found.append(((values * cases).nan_to_num(0.0), cases))
    (n0, d0), (n1, d1) = found
    return n0, n1 - n0, d0, d1 - d0


class Cells(NamedTuple):
    """Groups, or groups and labels where a rate looks at these (n_labels = 2, else 1).

    Attributes
    ----------
    one_hot : Tensor of shape (n_labels + n_cells, n_cells)
        A row for each cell, the label coming last; before them those of rows without a group, 0.
    n0, n1, d0, d1 : Tensor of shape (n_rates, n_labels)
        As in :func:`affine_rates`.
    """

    one_hot: Tensor
    n0: Tensor
    n1: Tensor
    d0: Tensor
    d1: Tensor

    @classmethod
    @lru_cache  # the same in every batch
    def of(cls, rates: Rates, n_groups: int, dtype: torch.dtype, device: torch.device) -> Cells:
        """Return those of a statistic."""
        with torch.inference_mode(False):
            parts = torch.stack(affine_rates(rates)).to(dtype=dtype, device=device)
            n_labels = 1 if torch.equal(parts[..., 0], parts[..., 1]) else 2
            one_hot = torch.eye(n_groups * n_labels, dtype=dtype, device=device)
            one_hot = functional.pad(one_hot, (0, 0, n_labels, 0))
            return cls(one_hot, *parts[..., :n_labels])


class Constraints(NamedTuple):
    """That sum_i w_i a_i q_i of each rate and group is as wanted.

    Attributes
    ----------
    slopes : Tensor of shape (..., n_rates, n_labels)
        a, by label.
    wanted : Tensor of shape (..., n_rates, n_groups)
        What the sums are to be.
    members : Tensor of shape (..., n, n_cells)
        1 where a row belongs to a cell, else 0.
    weighted : Tensor of shape (..., n, n_cells)
        The same times the rows' weights.
    total : Tensor of shape (...,)
        Sum of the weights of all rows that have a group.
    """

    slopes: Tensor
    wanted: Tensor
    members: Tensor
    weighted: Tensor
    total: Tensor

    @classmethod
    def of(
        cls,
        p: Tensor,
        y: Tensor,
        groups: Tensor,
        weights: Tensor | None,
        rates: Rates,
        n_groups: int,
    ) -> Constraints:
        """Ask every group of predictions p (..., n) for the rate of everybody."""
        one_hot, n0, n1, d0, d1 = Cells.of(rates, n_groups, p.dtype, p.device)
        codes = groups + 1 if n0.shape[-1] == 1 else 2 * groups + (y + 2)
        members = functional.embedding(codes, one_hot)
        weighted = members if weights is None else members * weights.unsqueeze(-1)
        sums = torch.stack([torch.ones_like(p), p], -2) @ weighted
        sums = sums.unflatten(-1, (n_groups, -1))  # (..., 2, n_groups, n_labels)
        counts, accepted = sums.sum(-2, keepdim=True).unbind(-3)
        hits = counts @ n0.mT + accepted @ n1.mT
        cases = counts @ d0.mT + accepted @ d1.mT
        common = (hits / cases.clamp(min=torch.finfo(p.dtype).tiny)).mT
        slopes = torch.addcmul(n1, common, d1, value=-1)
        wanted = torch.addcmul(n0, common, d0, value=-1).neg() @ sums.select(-3, 0).mT
        return cls(slopes, wanted, members, weighted, counts.sum((-2, -1)))

    def of_rows(self, theta: Tensor) -> Tensor:
        """Return what theta (..., n_rates, n_groups) adds to the log-odds of each row, (..., n).

        Of several rates no row is a case of two.
        """
        return (self.members @ (theta.mT @ self.slopes).flatten(-2).unsqueeze(-1)).squeeze(-1)

    def missed(self, q: Tensor, n_groups: int) -> tuple[Tensor, Tensor]:
        """By how much the sums miss what is wanted, and the derivative of that by theta.

        Of q (..., n); both are of shape (..., n_rates, n_groups).
        """
        sums = torch.stack([q, torch.addcmul(q, q, q, value=-1)], -2) @ self.weighted
        of_q, of_variance = sums.unflatten(-1, (n_groups, -1)).mT.unbind(-3)
        return self.slopes @ of_q - self.wanted, self.slopes.square() @ of_variance


def shifts(logit: Tensor, constraints: Constraints, before: Tensor | None = None) -> Tensor:
    """Multipliers of the constraints: sum_i w_i a_i sigmoid(l_i + theta_g a_i) = wanted_g.

    Newton's method. From 0 a step that leaves the bracket of the root goes half the way to its end
    instead.

    Parameters
    ----------
    logit : Tensor of shape (..., n)
        Log-odds l of the predictions.
    constraints : Constraints
        What is asked of the groups.
    before : Tensor of shape (..., n_rates, n_groups) or None
        Where to start, for three steps; ``None``: from 0, for as many as double precision needs.

    Returns
    -------
    Tensor of shape (..., n_rates, n_groups)
        theta; at most 30 in absolute value, where no q has the rates wanted.
    """
    theta = torch.zeros_like(constraints.wanted) if before is None else before
    low, high = torch.full_like(theta, -MAX_SHIFT), torch.full_like(theta, MAX_SHIFT)
    for _ in range(COLD_STEPS if before is None else WARM_STEPS):
        q = (logit + constraints.of_rows(theta)).sigmoid()
        missed, slope = constraints.missed(q, theta.shape[-1])
        newton = theta - _step(missed, slope)
        if before is None:
            above = missed > 0
            high, low = torch.where(above, theta, high), torch.where(above, low, theta)
            newton = torch.where(newton <= low, (theta + low) / 2, newton)
            newton = torch.where(newton >= high, (theta + high) / 2, newton)
        theta = newton
    return theta.clamp(-MAX_SHIFT, MAX_SHIFT)


def _step(missed: Tensor, slope: Tensor) -> Tensor:
    tiny = torch.finfo(slope.dtype).tiny
    return (missed / slope.clamp(min=tiny)).clamp(-MAX_STEP, MAX_STEP)


class Projected(NamedTuple):
    """The projection of a batch.

    Attributes
    ----------
    logit, q : Tensor of shape (..., n)
        Log-odds of the nearest fair probabilities q, and these. Those of rows without a group are
        as they were.
    shares : Tensor of shape (..., n) or (..., 1)
        How much a row that has a group counts in the mean.
    state : Tensor of shape (..., n_rates, 2, n_groups)
        Shifts, and the curvature they are followed by.
    """

    logit: Tensor
    q: Tensor
    shares: Tensor
    state: Tensor

    @classmethod
    def of(
        cls,
        logit: Tensor,
        p: Tensor,
        y: Tensor,
        groups: Tensor,
        weights: Tensor | None,
        rates: Rates,
        n_groups: int,
        before: Tensor | None = None,
        decay: float = 0.0,
    ) -> Projected:
        """Project predictions p with log-odds ``logit``; see :func:`projection`.

        With ``decay`` by the shifts of the batches before, if there are any. One step of Newton's
        method, of this batch, then follows them, from 0: its curvature is a running sum, so that a
        group with a few rows in a batch moves by little, as if all rows that are remembered were
        projected at once.
        """
        asked = Constraints.of(p, y, groups, weights, rates, n_groups)
        known = None if before is None else before.select(-2, 0)
        theta = known if decay and known is not None else shifts(logit, asked, known)
        curvature = torch.zeros_like(theta)
        moved = logit + asked.of_rows(theta)
        q = moved.sigmoid()
        if decay:
            if before is None:
                theta, reached = curvature, p
            else:
                curvature, reached = before.select(-2, 1), q
            missed, slope = asked.missed(reached, n_groups)
            curvature = torch.add(slope, curvature, alpha=decay)
            theta = (theta - _step(missed, curvature)).clamp(-MAX_SHIFT, MAX_SHIFT)
        shares = asked.total.clamp(min=torch.finfo(p.dtype).tiny).reciprocal().unsqueeze(-1)
        shares = shares if weights is None else shares * weights
        return cls(moved, q, shares, torch.stack([theta, curvature], -2))

    def divergence(self, logit: Tensor, softplus: Tensor) -> Tensor:
        """Mean of KL(q || p), (...,), where p has the log-odds ``logit`` (..., n).

        ``softplus`` is log (1 + exp(logit)).
        """
        losses = torch.addcmul(softplus, self.q, self.logit - logit)  # q log(q/p) + ...
        return ((losses - functional.softplus(self.logit)) * self.shares).sum(-1)


def projection(
    logits: Tensor,
    y: Tensor,
    groups: Tensor,
    weights: Tensor | None,
    rates: Rates,
    n_groups: int,
    before: Tensor | None = None,
    decay: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Mean Kullback-Leibler divergence KL(q || p) of the projection q of the predictions p.

    Parameters
    ----------
    logits, y, weights : Tensor
        The batch.
    groups : int64 Tensor of shape (n,)
        Of one attribute; -1 takes no part.
    rates : callable
        ``rates(logits, y) -> (values, cases)``: a statistic that is a ratio of two sums, each
        affine in p. Of several rates no row is a case of two.
    n_groups : int
        Number of groups.
    before : Tensor of shape (n_rates, 2, n_groups) or None
        State after an earlier batch.
    decay : float, default=0.0
        With 0 this batch is projected. Otherwise the shifts are those of recent batches: alone, the
        one member of a group would have to have everybody's rate.

    Returns
    -------
    loss : Tensor
        A scalar. Its gradient takes q as it is (the envelope theorem), and the rate that all
        groups are to have, that of everybody in the batch, too.
    state : Tensor of shape (n_rates, 2, n_groups)
        Shifts, and the curvature they are followed by.
    """
    logit = binary_logit(logits)
    with torch.no_grad():
        p = logit.sigmoid()
        found = Projected.of(logit, p, y, groups, weights, rates, n_groups, before, decay)
        found = found._replace(shares=found.shares * (groups >= 0))
    return found.divergence(logit, functional.softplus(logit)), found.state


def projection_gradient(
    logits: Tensor,
    y: Tensor,
    groups: Tensor | None,
    state: Tensor | None,
    loss_weights: Mapping[str, float | Tensor],
    *,
    rates: Rates,
    comparison: Comparison | None,
    decay: float = 0.0,
    positive: int = 1,
) -> tuple[Terms, Tensor | None, Tensor]:
    """Terms of cross-entropy and :func:`projection`, and the gradient of the loss, written out.

    See :class:`~skfair.objectives.Objective`. Rows have no weights; ``positive`` is the code of the
    favorable class.
    """
    logit = binary_logit(logits, positive)
    y = y if positive else 1 - y
    p, softplus, truth = logit.sigmoid(), functional.softplus(logit), y.to(logit)
    terms = {"cross_entropy": torch.addcmul(softplus, truth, logit, value=-1).mean(-1)}
    of_logit = (p - truth) / logit.shape[-1]
    if groups is not None:
        n_groups, weight, states = required(comparison).n_groups, loss_weights["penalty"], []
        weight = weight.unsqueeze(-1) if isinstance(weight, Tensor) else weight
        known = state is not None and state.shape[-1] == n_groups
        for position, of in enumerate(groups.unbind(-1)):
            before = state.select(-4, position) if known and state is not None else None
            found = Projected.of(logit, p, y, of, None, rates, n_groups, before, decay)
            value = found.divergence(logit, softplus)
            terms["penalty"] = terms["penalty"] + value if position else value
            of_logit = torch.addcmul(of_logit, p - found.q, weight * found.shares)
            states.append(found.state)
        state = torch.stack(states, -4)
    both = [-of_logit, of_logit] if positive else [of_logit, -of_logit]
    return terms, state, torch.stack(both, -1)
