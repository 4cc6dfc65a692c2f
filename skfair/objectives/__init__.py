"""Training objectives: pure functions on tensors, each readable beside its paper.

An objective's function takes ``(logits, y, groups, weights, state, **extra)`` and returns
``(terms, state)``. It has no data-dependent Python branching, so it also runs under
:func:`torch.func.vmap`.
"""

from ._base import Objective, Player
from .classification import cross_entropy, row_losses
from .fairn import fairn_terms
from .groups import Comparison, group_means
from .mixup import path_slopes
from .penalties import group_penalty, penalty_terms

__all__ = [
    "Comparison",
    "Objective",
    "Player",
    "cross_entropy",
    "fairn_terms",
    "group_means",
    "group_penalty",
    "path_slopes",
    "penalty_terms",
    "row_losses",
]
