"""Louppe et al.: an adversary that guesses sensitive features from the prediction.

Louppe, Kagan and Cranmer, Learning to Pivot with Adversarial Networks, NeurIPS 2017.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..networks._adversary import Adversary
from ._base import Outputs, Terms
from .classification import cross_entropy, cross_entropy_with_gradient
from .groups import Comparison

MIN_SPREAD = 0.01  # in standard deviations: the density of a number that repeats stays finite


@dataclass(frozen=True)
class GroupShares:
    """The groups of each attribute, and how many rows they have.

    Made by :meth:`of`.

    Parameters
    ----------
    outside : Tensor of shape (n_attributes, n_groups)
        0 where a group belongs to an attribute, minus infinity elsewhere.
    log_shares : Tensor of shape (n_classes, n_groups)
        Logarithm of each group's share of its attribute's rows in each class; or of shape
        (1, n_groups), of all its rows.
    weights : Tensor of the same shape, or None
        What a member's weight is multiplied by, so that all groups weigh the same.
    """

    outside: Tensor
    log_shares: Tensor
    weights: Tensor | None

    @classmethod
    def of(cls, comparison: Comparison, counts: Tensor, by_class: bool, equal: bool) -> GroupShares:
        """Compute the shares.

        Parameters
        ----------
        comparison : Comparison
            Which groups belong to the same attribute.
        counts : Tensor of shape (n_classes, n_groups)
            (Weighted) number of rows of each class in each group.
        by_class : bool
            Whether the shares are those in each class.
        equal : bool
            Whether all groups are to weigh the same.

        Returns
        -------
        GroupShares
            Of these groups.
        """
        counts = counts if by_class else counts.sum(0, keepdim=True)
        weights = None
        if equal:
            weights = torch.where(counts > 0, 1 / counts, 0)
            counts = counts * weights
        shares = comparison.shares(counts).clamp(min=torch.finfo(counts.dtype).tiny)
        return cls(comparison.members.log(), shares.log(), weights)

    def of_rows(self, table: Tensor, y: Tensor, groups: Tensor) -> Tensor:
        """Entries of ``log_shares`` or ``weights`` for each row, (n, n_attributes).

        Any where the group is missing, -1.
        """
        return table[0][groups] if len(table) == 1 else table[y.unsqueeze(-1), groups]


def mixture_log_density(mixture: Tensor, values: Tensor) -> Tensor:
    """Logarithm of the density of a mixture of Gaussians (Bishop's mixture density network).

    Parameters
    ----------
    mixture : Tensor of shape (..., 3, n_components)
        Logits of the components, their means, and their standard deviations before softplus.
    values : Tensor of shape (...)
        Where.

    Returns
    -------
    Tensor of shape (...)
        The standard deviations are at least ``MIN_SPREAD``.
    """
    logits, means, spreads = mixture.unbind(-2)
    deviations = functional.softplus(spreads) + MIN_SPREAD
    z = (values.unsqueeze(-1) - means) / deviations
    of_components = -0.5 * z.square() - deviations.log() - 0.5 * math.log(2 * math.pi)
    return torch.logsumexp(logits.log_softmax(-1) + of_components, dim=-1)


def visible_prediction(logits: Tensor, y: Tensor, tell_class: bool) -> Tensor:
    """Return what the adversary sees of the predictions.

    asinh of the logits, less what they have in common. That says the same as the probabilities, but
    does not saturate, so that the adversary's gradient also reaches those of whom the network is
    sure; nor does the largest logit drown the others.

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes) or (n, n_labels)
        The network's.
    y : Tensor of shape (n,) or (n, n_labels)
        Class codes; or 0 and 1 for every label.
    tell_class : bool
        Whether the adversary is told y, too.

    Returns
    -------
    Tensor of shape (n, n_seen)
        With two classes the log-odds alone; then a column for each class if it is told.
    """
    seen = logits
    if y.ndim == 1 and logits.shape[-1] == 2:
        seen = logits @ logits.new_tensor([[-1.0], [1.0]])  # going backward, one operation
    elif y.ndim == 1:
        seen = logits - logits.mean(-1, keepdim=True)
    seen = seen.asinh()
    if not tell_class:
        return seen
    return torch.cat([seen, functional.one_hot(y, logits.shape[-1]).to(seen.dtype)], dim=-1)


def pull_back_visible(of_seen: Tensor, seen: Tensor, of_logits: Tensor) -> None:
    """Lead a gradient back through :func:`visible_prediction`, where rows have one label.

    Parameters
    ----------
    of_seen, seen : Tensor of shape (n, n_seen)
        Gradient of what is seen, and what is seen.
    of_logits : Tensor of shape (n, n_classes)
        Gradient of the logits, to which it is added.
    """
    n_classes = of_logits.shape[-1]
    n_seen = 1 if n_classes == 2 else n_classes
    of_difference = of_seen[:, :n_seen] / seen[:, :n_seen].cosh()  # asinh' = 1 / cosh(asinh)
    if n_classes == 2:
        of_logits[:, :1] -= of_difference
        of_logits[:, 1:] += of_difference
    else:
        of_logits += of_difference - of_difference.mean(-1, keepdim=True)


def forward_with_adversary(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    y: Tensor,
    *,
    adversary: Adversary | None = None,
    tell_class: bool = False,
) -> Outputs:
    """Logits, and what the adversary guesses from them.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    inputs : mapping of str to Tensor
        The batch: ``X`` and, where there are any, ``groups`` and ``sensitive``, the quantities.
    y : Tensor
        Class codes.
    adversary : Adversary or None
        The other player; ``None`` without sensitive features.
    tell_class : bool, default=False
        Whether it is told y.

    Returns
    -------
    logits : Tensor of shape (n, n_classes)
        The network's.
    extra : dict of str to Tensor
        For :func:`pivot_terms`; empty without sensitive features.
    """
    logits, extra = module(inputs["X"]), {}
    if adversary is not None and ("groups" in inputs or "sensitive" in inputs):
        groups, mixtures = adversary(visible_prediction(logits, y, tell_class))
        extra["guessed_groups"] = groups
        if "sensitive" in inputs:
            extra |= {"sensitive": inputs["sensitive"], "mixtures": mixtures}
            extra["marginals"] = adversary.without_looking(y)
    return logits, extra


def pivot_terms(
    logits: Tensor,
    y: Tensor,
    groups: Tensor | None,
    weights: Tensor | None,
    state: None = None,
    *,
    shares: GroupShares | None,
    guessed_groups: Tensor | None = None,
    sensitive: Tensor | None = None,
    mixtures: Tensor | None = None,
    marginals: Tensor | None = None,
) -> tuple[Terms, None]:
    """Cross-entropy, and what the prediction tells the adversary.

    Parameters
    ----------
    logits, y, groups, weights, state
        See :class:`~skfair.objectives.Objective`.
    shares : GroupShares or None
        Of the groups, if there are any.
    guessed_groups : Tensor of shape (n, n_groups)
        The adversary's logits.
    sensitive : Tensor of shape (n, n_continuous)
        Quantities, NaN where they are missing.
    mixtures, marginals : Tensor of shape (n, n_continuous, 3, n_components)
        The adversary's densities of them, looking at the prediction and not.

    Returns
    -------
    terms : dict of str to Tensor
        ``cross_entropy``; ``adversary``, its loss L_r = -log p_r(s | f(x)); ``chance``, the same of
        the best guess without looking; ``information`` = chance - adversary, at least 0, a lower
        bound of the mutual information between prediction and sensitive feature, in nats. The last
        three are added up over the sensitive features.
    state : None
        Nothing is carried along.
    """
    terms = {"cross_entropy": cross_entropy(logits, y, weights)}
    looking: list[Tensor] = []
    not_looking: list[Tensor] = []
    if guessed_groups is not None and groups is not None and shares is not None:
        parts, log_shares = _of_groups(shares, y, groups, weights, logits.dtype)
        for attribute, (codes, part) in enumerate(
            zip(groups.unbind(1), parts.unbind(1), strict=True)
        ):
            guess = guessed_groups
            if len(shares.outside) > 1:
                guess = guess + shares.outside[attribute]
            losses = functional.cross_entropy(guess, codes, ignore_index=-1, reduction="none")
            looking.append(part @ losses)
            not_looking.append(-(part @ log_shares[:, attribute]))
    if sensitive is not None and mixtures is not None and marginals is not None:
        parts = _parts(~sensitive.isnan(), weights, None, logits.dtype)
        values = sensitive.nan_to_num()
        looking += (parts * mixture_log_density(mixtures, values)).sum(0).neg().unbind()
        not_looking += (parts * mixture_log_density(marginals, values)).sum(0).neg().unbind()
    if looking:
        terms["adversary"], terms["chance"] = _sum(looking), _sum(not_looking)
        # Louppe et al., Eq. 3, but for a constant: L_f - lambda L_r. An adversary that is misled,
        # and does worse than chance, is no gain: without the bound predictions run away from it.
        pairs = zip(looking, not_looking, strict=True)
        terms["information"] = _sum([(chance - loss).clamp(min=0) for loss, chance in pairs])
    return terms, None


def pivot_gradient(
    logits: Tensor,
    y: Tensor,
    groups: Tensor | None,
    state: None,
    loss_weights: Mapping[str, float | Tensor],
    *,
    shares: GroupShares,
    tell_class: bool,
    adversary: Any,
) -> tuple[Terms, None, Tensor]:
    """:func:`pivot_terms` of one attribute, and the gradients of both players, written out.

    See :class:`~skfair.objectives.Objective`. Rows have one label and no weights. The adversary's
    way back from its guesses serves both: the network gets the reversed gradient of its loss.
    """
    loss, of_logits = cross_entropy_with_gradient(logits, y)
    terms = {"cross_entropy": loss}
    if groups is None:
        return terms, state, of_logits
    parts, log_shares = _of_groups(shares, y, groups, None, logits.dtype)
    seen = visible_prediction(logits, y, tell_class)
    log_p = adversary.body.forward(seen).log_softmax(-1)
    codes = groups.clamp(min=0)
    terms["adversary"] = -(parts * log_p.gather(1, codes)).sum()
    terms["chance"] = -(parts * log_shares).sum()
    terms["information"] = (terms["chance"] - terms["adversary"]).clamp(min=0)
    of_guesses = (log_p.exp() * parts).scatter_add_(1, codes, -parts)
    of_seen = adversary.body.backward(of_guesses, to_rows=True)
    reversal = (terms["information"] > 0) * -loss_weights["information"]
    pull_back_visible(of_seen * reversal, seen, of_logits)
    return terms, state, of_logits


def _of_groups(
    shares: GroupShares, y: Tensor, groups: Tensor, weights: Tensor | None, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Part of each row in its attributes' means, and its groups' logarithmic shares, (n, k)."""
    factors = None if shares.weights is None else shares.of_rows(shares.weights, y, groups)
    parts = _parts(groups >= 0, weights, factors, dtype)
    return parts, shares.of_rows(shares.log_shares, y, groups)


def _sum(values: list[Tensor]) -> Tensor:
    return sum(values[1:], values[0])


def _parts(
    known: Tensor, weights: Tensor | None, factors: Tensor | None, dtype: torch.dtype
) -> Tensor:
    """Part of each row in the mean over those that are known, (n, k); 0 if there are none."""
    parts = known.to(dtype)
    if weights is not None:
        parts = parts * weights.unsqueeze(-1)
    if factors is not None:
        parts = parts * factors
    return parts / parts.sum(0).clamp(min=torch.finfo(dtype).tiny)
