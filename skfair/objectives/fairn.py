"""FaiR-N: recourse gap and robustness in the logit space (FaiR-N, Eq. 1-7 and 16).

Shapes: logits (n, n_classes); y (n,); groups (n, n_attributes); weights (n,) or None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .._moved import renamed
from ..networks.mlp import MLP, norm
from ..networks.tabular import TabularNetwork
from ._base import Outputs, Terms
from .classification import (
    binary_logit,
    cross_entropy,
    cross_entropy_with_gradient,
    weighted_mean,
)
from .groups import Comparison, group_means, group_means_with_pullback, required

ROBUSTNESS_TERMS = ("mean_inverse", "inverse_mean")


def boundary_distance(logits: Tensor) -> Tensor:
    """Distance to the decision boundary in the logit space, shape (n,) (FaiR-N, Eq. 7).

    With more than two classes: top logit minus runner-up.
    """
    if logits.shape[-1] == 2:
        return binary_logit(logits).abs()
    top = logits.topk(2, dim=-1).values
    return top[..., 0] - top[..., 1]


def is_none_of(y: Tensor, unfavorable: tuple[int, ...]) -> Tensor:
    """Whether class codes are favorable, shape (n,)."""
    return (y.unsqueeze(-1) != torch.tensor(unfavorable, device=y.device)).all(-1)


def refused(logits: Tensor, unfavorable: tuple[int, ...] = (0,)) -> Tensor:
    """Whether the predicted class is one of the ``unfavorable`` codes, shape (n,)."""
    return ~is_none_of(logits.argmax(-1), unfavorable)


def logit_recourse(logits: Tensor, unfavorable: tuple[int, ...] = (0,)) -> Tensor:
    """Distance to the boundary of the refused, zero for everybody else, shape (n,)."""
    if logits.shape[-1] == 2:
        return binary_logit(logits, unfavorable[0]).relu()
    return boundary_distance(logits) * refused(logits, unfavorable)


def recourse_gap(
    recourse: Tensor,
    groups: Tensor,
    weights: Tensor | None,
    comparison: Comparison,
    state: Tensor | None = None,
    decay: float = 0.0,
    denominators: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """L_fairness (FaiR-N, Eq. 1 and 16) and the state of :func:`group_means`.

    A group's recourse is the mean over all its members, accepted ones included as zeros.
    ``denominators`` (n_groups,) is how much each group counts, see
    :meth:`~skfair.objectives.Comparison.gap`.
    """
    means, present, state = group_means(
        recourse, groups, weights, comparison.n_groups, state, decay
    )
    return comparison.gap(means, present, denominators), state


def recourse_rates(
    logits: Tensor, y: Tensor, unfavorable: tuple[int, ...] = (0,), conditional: bool = False
) -> tuple[Tensor, Tensor]:
    """Recourse of each row, and whether the row counts, (1, n) each, for constraints on means.

    ``conditional`` counts the qualified alone, as in :func:`fairn_terms`.
    """
    recourse = logit_recourse(logits, unfavorable)
    cases = is_none_of(y, unfavorable).to(recourse) if conditional else torch.ones_like(recourse)
    return recourse.unsqueeze(0), cases.unsqueeze(0)


def robust_terms(
    logits: Tensor,
    y: Tensor,
    groups: Tensor | None,
    weights: Tensor | None,
    state: Tensor | None = None,
    *,
    robustness: str = "mean_inverse",
) -> tuple[Terms, Tensor | None]:
    """:func:`fairn_terms` without the one on groups."""
    return fairn_terms(logits, y, None, weights, comparison=None, robustness=robustness)


def first_order_distance(distance: Tensor, gradient_norm: Tensor) -> Tensor:
    """Distance to the boundary in the input space, |d| / ||grad d||, shape (n,).

    Near the boundary this is |f0 - f1| / ||grad f0 - grad f1|| (FaiR-N, Eq. 6). Elsewhere the
    latter equals sinh|d| / ||grad d|| (Eq. 8), which explodes with a confident network.
    """
    return distance / gradient_norm


def forward_with_gradient_norm(module: nn.Module, X: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (n, n_outputs) and ||grad_x boundary_distance|| (n,), both differentiable.

    The perceptron has an analytic form; any other module goes through automatic differentiation
    twice. In the tabular network the gradient is that with respect to the embeddings, where a
    category has one, too, and numbers have no unit.
    """
    if isinstance(module, MLP) and type(module).forward is MLP.forward:
        return module.forward_with_gradient_norm(X)
    forward: Callable[[Tensor], Tensor] = module
    if isinstance(module, TabularNetwork):
        X, forward = module.embed(X), module.after_embedding
        if module.n_members == 1:
            return forward_with_gradient_norm(module.mlp, X)
    with torch.enable_grad():
        X = X if X.requires_grad else X.detach().requires_grad_()
        logits = forward(X)
        distance = boundary_distance(logits).sum()
        (gradient,) = torch.autograd.grad(distance, X, create_graph=True)
        return logits, norm(gradient.flatten(1))


def forward_with_slope(module: nn.Module, inputs: Mapping[str, Tensor], y: Tensor) -> Outputs:
    """Logits, and the slope of the decision at each row."""
    logits, norm = forward_with_gradient_norm(module, inputs["X"])
    return logits, {"gradient_norm": norm}


def relative_slope(gradient_norm: Tensor, weights: Tensor | None) -> Tensor:
    """Slope of the decision at each row against the batch's mean slope, shape (n,).

    Dividing by the mean keeps distances in units of logits, so that the lambdas do not depend on
    the scaling of X. The factor between two rows is held to at most 2: without a bound the network
    closes the gap by steepening its decision where one group is refused, not by moving it.
    """
    mean = weighted_mean(gradient_norm, weights).detach()
    return (gradient_norm / mean).clamp(0.5**0.5, 2**0.5)


def fairn_terms(
    logits: Tensor,
    y: Tensor,
    groups: Tensor | None,
    weights: Tensor | None,
    state: Tensor | None = None,
    gradient_norm: Tensor | None = None,
    *,
    comparison: Comparison | None,
    unfavorable: tuple[int, ...] = (0,),
    conditional: bool = False,
    robustness: str = "mean_inverse",
    decay: float = 0.0,
) -> tuple[Terms, Tensor | None]:
    """Compute the terms of the FaiR-N objective (FaiR-N, Eq. 4).

    Parameters
    ----------
    logits, y, groups, weights : Tensor
        The batch. ``groups=None`` leaves the fairness term out.
    state : Tensor or None
        Running sums and counts of the groups (see :func:`~skfair.objectives.group_means`).
    gradient_norm : Tensor of shape (n,) or None
        Norm of the decision's gradient with respect to the input; if given, distances are those
        of Eq. 6 to first order, with the bounds of :func:`relative_slope`, else those of Eq. 7.
    comparison : Comparison or None
        Which groups are compared.
    unfavorable : tuple of int, default=(0,)
        Codes of the classes that call for recourse.
    conditional : bool, default=False
        Whether a group's recourse is the mean over its qualified members, those whose label is
        favorable, instead of all members.
    robustness : {"mean_inverse", "inverse_mean"}, default="mean_inverse"
        mean of 1 / (1 + d), or 1 / mean of d as printed in Eq. 4.
    decay : float, default=0.0
        Memory of the running group means, 0 for those of the batch alone.

    Returns
    -------
    terms : dict
        ``cross_entropy``, ``fairness`` (L_fairness) and ``robustness`` (1 / I_robust or its
        bounded form), scalars.
    state : Tensor of shape (2, n_groups) or None
        For the next batch.
    """
    distance, recourse = boundary_distance(logits), logit_recourse(logits, unfavorable)
    if gradient_norm is not None:  # FaiR-N, Eq. 6
        slope = relative_slope(gradient_norm, weights)
        distance = first_order_distance(distance, slope)
        recourse = first_order_distance(recourse, slope)
    terms = {"cross_entropy": cross_entropy(logits, y, weights)}
    if groups is not None:
        comparison = required(comparison)
        members, denominators = weights, None
        if conditional:
            members = is_none_of(y, unfavorable).to(recourse) * (1 if weights is None else weights)
            if comparison.counts is not None:
                favorable = is_none_of(torch.arange(len(comparison.counts)), unfavorable)
                denominators = comparison.counts[favorable].sum(0)
        terms["fairness"], state = recourse_gap(  # FaiR-N, Eq. 1
            recourse, groups, members, comparison, state, decay, denominators
        )
    if robustness == "mean_inverse":
        terms["robustness"] = weighted_mean((1 + distance).reciprocal(), weights)
    else:
        tiny = torch.finfo(distance.dtype).tiny
        terms["robustness"] = 1 / weighted_mean(distance, weights).clamp(min=tiny)  # FaiR-N, Eq. 3
    return terms, state


def fairn_gradient(
    logits: Tensor,
    y: Tensor,
    groups: Tensor | None,
    state: Tensor | None,
    loss_weights: Mapping[str, float | Tensor],
    *,
    comparison: Comparison | None,
    unfavorable: tuple[int, ...] = (0,),
    decay: float = 0.0,
) -> tuple[Terms, Tensor | None, Tensor]:
    """:func:`fairn_terms` of two classes, and the gradient of the loss, written out.

    See :class:`~skfair.objectives.Objective`. Groups are compared by their shares, robustness is
    the mean of 1 / (1 + d), and rows have no weights.
    """
    decision = binary_logit(logits)
    recourse = (decision if unfavorable[0] else -decision).relu()
    closeness = (1 + decision.abs()).reciprocal()
    loss, gradient = cross_entropy_with_gradient(logits, y)
    terms = {"cross_entropy": loss}

    def pull_back(of_binary_logit: Tensor, positive: int) -> None:
        gradient.select(-1, positive).add_(of_binary_logit)
        gradient.select(-1, 1 - positive).sub_(of_binary_logit)

    if groups is not None:
        comparison = required(comparison)
        means, present, state, of_values = group_means_with_pullback(
            recourse, groups, comparison.n_groups, state, decay
        )
        terms["fairness"], of_means = comparison.gap_with_pullback(means, present)
        if (weight := _as_tensor(loss_weights["fairness"], logits)) is not None:
            of_recourse = of_values(of_means(weight))
            of_logit = torch.ops.aten.threshold_backward(of_recourse, recourse, 0)
            pull_back(of_logit, unfavorable[0])
    terms["robustness"] = closeness.mean(-1)
    if (weight := _as_tensor(loss_weights["robustness"], logits)) is not None:
        of_closeness = weight.unsqueeze(-1) / closeness.shape[-1]
        pull_back(-of_closeness * (closeness * closeness) * decision.sgn(), 1)
    return terms, state, gradient


def _as_tensor(weight: float | Tensor, like: Tensor) -> Tensor | None:
    """Weight as a tensor, ``None`` for the number 0."""
    if isinstance(weight, Tensor):
        return weight
    return None if weight == 0 else like.new_tensor(weight)


def __getattr__(name: str) -> Any:
    return renamed(name, __name__)
