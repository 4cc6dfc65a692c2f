"""The KL projection onto fair predictions (Buyl, Defrance and De Bie, fairret, ICLR 2024).

Of all distributions q whose groups have the same rate, the one nearest to the predictions p is

    q_i = sigmoid(logit p_i + theta_g a_i),

with one number theta_g a group: the rate is a sum of a_i q_i, divided by the cases, so that theta_g
is the multiplier of a single linear constraint, and the root of an increasing function.

Shapes: logits (n, 2); y (n,); groups (n,), -1 for missing; weights (n,) or None.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from .classification import binary_logit

MAX_SHIFT = 30.0  # on the scale of log-odds: beyond it every decision is certain
MAX_STEP = 3.0  # of one step of Newton's method, which goes astray where all q are close to 0 or 1
COLD_STEPS, WARM_STEPS = 40, 3


def affine_rates(
    rates: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], y: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Find what rates are made of: (n0 + n1 p) over (d0 + d1 p), summed over rows.

    Returns
    -------
    n0, n1, d0, d1 : Tensor of shape (n_rates, n)
        From the rates where nobody, and where everybody, is accepted.
    """
    sure = torch.full((len(y),), torch.inf, dtype=dtype, device=y.device)
    found = []
    for decided in (-sure, sure):
        values, cases = rates(torch.stack([-decided, decided], -1), y)
        found.append(((values * cases).nan_to_num(0.0), cases))
    (n0, d0), (n1, d1) = found
    return n0, n1 - n0, d0, d1 - d0


def shifts(
    logit: Tensor,
    slopes: Tensor,
    wanted: Tensor,
    members: Tensor,
    weights: Tensor | None = None,
    before: Tensor | None = None,
    n_steps: int | None = None,
) -> Tensor:
    """Multipliers of the constraints: sum_i w_i a_i sigmoid(l_i + theta_g a_i) = wanted_g.

    Newton's method. From 0 a step that leaves the bracket of the root goes half the way to its end
    instead.

    Parameters
    ----------
    logit : Tensor of shape (n,)
        Log-odds l of the predictions.
    slopes : Tensor of shape (n_rates, n)
        a of each rate.
    wanted : Tensor of shape (n_rates, n_groups)
        What the sums are to be.
    members : Tensor of shape (n, n_groups)
        1 where a row belongs to a group, else 0.
    weights : Tensor of shape (n,) or None
        Weights w.
    before : Tensor of shape (n_rates, n_groups) or None
        Where to start, 0 if ``None``.
    n_steps : int, default=None
        Number of steps; ``None``: 40 from 0, more than enough for double precision, and 3
        otherwise.

    Returns
    -------
    Tensor of shape (n_rates, n_groups)
        theta; at most 30 in absolute value, where no q has the rates wanted.
    """
    theta = torch.zeros_like(wanted) if before is None else before
    steps = n_steps or (COLD_STEPS if before is None else WARM_STEPS)
    weighted = slopes if weights is None else slopes * weights
    squares = weighted * slopes
    low, high = torch.full_like(wanted, -MAX_SHIFT), torch.full_like(wanted, MAX_SHIFT)
    n_rates, tiny = len(wanted), torch.finfo(wanted.dtype).tiny
    bracketed = before is None
    for _ in range(steps):
        q = torch.addcmul(logit, theta @ members.T, slopes).sigmoid_()
        sums = torch.cat([weighted * q, squares * (q - q * q)]) @ members
        missed, slope = sums[:n_rates] - wanted, sums[n_rates:]
        newton = theta - (missed / slope.clamp(min=tiny)).clamp(-MAX_STEP, MAX_STEP)
        if bracketed:
            above = missed > 0
            high, low = torch.where(above, theta, high), torch.where(above, low, theta)
            newton = torch.where(newton <= low, (theta + low) / 2, newton)
            newton = torch.where(newton >= high, (theta + high) / 2, newton)
        theta = newton
    return theta.clamp(-MAX_SHIFT, MAX_SHIFT)


def followed(
    logit: Tensor,
    slopes: Tensor,
    wanted: Tensor,
    members: Tensor,
    weights: Tensor,
    before: Tensor,
    decay: float,
) -> Tensor:
    """Follow the :func:`shifts` of recent batches by one Newton step, of this batch.

    Its curvature is a running sum: a group with a few rows in a batch moves by little, as if all
    rows that are remembered were projected at once.

    Parameters
    ----------
    logit, slopes, wanted, members, weights : Tensor
        As in :func:`shifts`.
    before : Tensor of shape (n_rates, 2, n_groups)
        What an earlier call returned, or zeros.
    decay : float
        How much of the curvature is kept.

    Returns
    -------
    Tensor of shape (n_rates, 2, n_groups)
        Shifts, and curvature.
    """
    theta, curvature = before.unbind(1)
    q = torch.addcmul(logit, theta @ members.T, slopes).sigmoid_()
    weighted = slopes * weights
    sums = torch.cat([weighted * q, weighted * slopes * (q - q * q)]) @ members
    missed, slope = sums[: len(wanted)] - wanted, sums[len(wanted) :]
    curvature = decay * curvature + slope
    step = missed / curvature.clamp(min=torch.finfo(wanted.dtype).tiny)
    theta = (theta - step.clamp(-MAX_STEP, MAX_STEP)).clamp(-MAX_SHIFT, MAX_SHIFT)
    return torch.stack([theta, curvature], 1)


def projection(
    logits: Tensor,
    y: Tensor,
    groups: Tensor,
    weights: Tensor | None,
    rates: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
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
        With 0 this batch is projected. Otherwise the shifts are those of recent batches, which
        :func:`followed` keeps: alone, the one member of a group would have to have everybody's
        rate.

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
        row_weights = (groups >= 0).to(logit)
        row_weights = row_weights if weights is None else row_weights * weights
        n0, n1, d0, d1 = affine_rates(rates, y, logit.dtype)
        p = logit.sigmoid()
        hits, cases = ((n0 + n1 * p) @ row_weights, (d0 + d1 * p) @ row_weights)
        common = hits / cases.clamp(min=torch.finfo(p.dtype).tiny)
        slopes = n1 - common[:, None] * d1
        members = (groups[:, None] == torch.arange(n_groups, device=groups.device)).to(logit)
        constant = (n0 - common[:, None] * d0) * row_weights
        wanted = -(constant @ members)
        if decay:
            start = wanted.new_zeros(len(wanted), 2, n_groups) if before is None else before
            state = followed(logit, slopes, wanted, members, row_weights, start, decay)
        else:
            known = None if before is None else before[:, 0]
            theta = shifts(logit, slopes, wanted, members, row_weights, known)
            state = torch.stack([theta, torch.zeros_like(theta)], 1)
        theta = state[:, 0]
        moved = logit + theta @ members.T * slopes
        q = moved.sigmoid()
        entropy = q * moved - functional.softplus(moved)  # q log q + (1 - q) log(1 - q)
    divergence = entropy + functional.softplus(logit) - q * logit
    total = row_weights.sum()
    loss = (divergence * row_weights).sum() / (total + (total == 0))
    return loss, state
