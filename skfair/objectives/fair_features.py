"""Sensitive information removal (Technical Challenges, section 5 and appendix A.2).

A body makes features, a head makes logits of the labels of them, and a sensitive head for each
attribute guesses the group. Shapes: features (n, n_features); guesses, one for each attribute, of
shape (n, n_outputs) with at least as many outputs as the attribute has groups; groups
(n, n_attributes), -1 where the attribute is missing; weights (n,) or None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..networks._heads import HeadedNetwork
from ..networks.mlp import MLP
from ._base import Outputs, Terms
from .classification import cross_entropy, weighted_mean

TARGET_PROBABILITY = 0.9
VARIANCE_FLOOR = 1e-5


@dataclass(frozen=True)
class SensitiveAttribute:
    """The groups that one sensitive head tells apart.

    Made by :meth:`of`. Tables are read at the code of a group; their last entry is that of -1.

    Parameters
    ----------
    n_groups : int
        Number of groups of this attribute.
    target : int
        Position of the target group among them.
    positions : int64 Tensor of shape (n_codes + 1,)
        Position of each group among them.
    weights : Tensor of shape (n_codes + 1,)
        Weight of a row of each group, 0 for those of no group.
    """

    n_groups: int
    target: int
    positions: Tensor
    weights: Tensor

    @classmethod
    def of(
        cls, codes: Sequence[int], target: int, weights: Tensor, n_codes: int
    ) -> SensitiveAttribute:
        """Make the tables.

        Parameters
        ----------
        codes : sequence of int
            Of the attribute's groups.
        target : int
            Code of the target group.
        weights : Tensor of shape (n_groups,)
            Weight of a row of each of them.
        n_codes : int
            Number of groups of all attributes.

        Returns
        -------
        SensitiveAttribute
            On the device of ``weights``.
        """
        positions = torch.zeros(n_codes + 1, dtype=torch.int64, device=weights.device)
        table = torch.zeros(n_codes + 1, dtype=weights.dtype, device=weights.device)
        positions[codes] = torch.arange(len(codes), device=weights.device)
        table[codes] = weights
        return cls(len(codes), list(codes).index(target), positions, table)


def make_sensitive_head(n_features: int, n_outputs: int, sizes: Sequence[int]) -> MLP:
    """Return a perceptron that at first takes all groups to be equally likely.

    The weights of its last layer are zero, so that it does not matter in which order the groups
    come.
    """
    head = MLP(n_features, n_outputs, sizes)
    nn.init.zeros_(head.output.weight)
    return head


def standardized(features: Tensor, weights: Tensor | None) -> Tensor:
    """Features of mean 0 and standard deviation 1 over the batch, (n, n_features).

    What hides the group from a sensitive head must not be that the features are small.
    """
    shares = torch.ones_like(features[:, :1]) if weights is None else weights.unsqueeze(-1)
    shares = shares / shares.sum()
    centered = features - (shares * features).sum(0)
    variances = (shares * centered.square()).sum(0)
    return centered / (variances + VARIANCE_FLOOR).sqrt()


def forward_with_guesses(
    module: HeadedNetwork, inputs: Mapping[str, Tensor], y: Tensor, **sensitive_heads: nn.Module
) -> Outputs:
    """Logits of the labels, and what each sensitive head makes of the standardized features."""
    features = module.body(inputs["X"])
    seen = standardized(features, inputs.get("weights"))
    return module.head(features), {name: head(seen) for name, head in sensitive_heads.items()}


def target_penalty(guess: Tensor, target: int) -> Tensor:
    """log(1 + |0.9 - P(target | features)|) of each row (Technical Challenges, A.2), shape (n,).

    ``guess`` (n, n_groups) are the sensitive head's logits.
    """
    probability = guess.softmax(-1)[:, target]
    return torch.log1p((TARGET_PROBABILITY - probability).abs())


def fair_features_terms(
    logits: Tensor,
    y: Tensor,
    groups: Tensor | None,
    weights: Tensor | None,
    state: None = None,
    *,
    attributes: Mapping[str, SensitiveAttribute],
    **guesses: Tensor,
) -> tuple[Terms, None]:
    """Cross-entropy of the labels, the penalty, and the sensitive heads' cross-entropy.

    The network minimizes the first two, the sensitive heads the third.

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes) or (n, n_labels)
        The network's.
    y : Tensor of shape (n,) or (n, n_labels)
        Class codes; or 0 and 1 for every label.
    groups : int64 Tensor of shape (n, n_attributes) or None
        Group codes, -1 for missing.
    weights : Tensor of shape (n,) or None
        Sample weights.
    state : None
        Nothing is carried from batch to batch.
    attributes : mapping of str to SensitiveAttribute
        What each sensitive head tells apart, in the order of the columns of ``groups``.
    **guesses : Tensor of shape (n, n_outputs)
        Logits of each sensitive head; those beyond the attribute's groups are not looked at.

    Returns
    -------
    terms : dict of str to Tensor
        "cross_entropy", and with groups "penalty" and "sensitive_cross_entropy", sums over the
        attributes of means over the rows whose group is known.
    state : None
        As it came.
    """
    terms = {"cross_entropy": cross_entropy(logits, y, weights)}
    if groups is None or not attributes:
        return terms, state
    penalties, losses = [], []
    for column, (name, attribute) in zip(groups.T, attributes.items(), strict=True):
        guess = guesses[name][:, : attribute.n_groups]
        counts = attribute.weights[column]
        counts = counts if weights is None else counts * weights
        penalties.append(weighted_mean(target_penalty(guess, attribute.target), counts))
        loss = functional.cross_entropy(guess, attribute.positions[column], reduction="none")
        losses.append(weighted_mean(loss, counts))
    terms["penalty"] = torch.stack(penalties).sum()
    terms["sensitive_cross_entropy"] = torch.stack(losses).sum()
    return terms, state
