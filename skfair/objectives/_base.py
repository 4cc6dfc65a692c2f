"""What the training loop needs to know about an objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

Terms = dict[str, Tensor]
Outputs = tuple[Tensor, dict[str, Tensor]]


def plain_forward(module: nn.Module, inputs: Mapping[str, Tensor], y: Tensor) -> Outputs:
    """Logits of a batch, and nothing else."""
    return module(inputs["X"]), {}


@dataclass(frozen=True)
class Objective:
    """Named terms and how they add up to the loss.

    Attributes
    ----------
    terms : callable
        ``terms(logits, y, groups, weights, state, **extra) -> (terms, state)``, a pure function of
        one batch. ``state`` is what it carries from batch to batch (``None`` at first), ``extra``
        is what ``forward`` returned beside the logits, and ``held_out`` (bool, one value a row) if
        some rows are there for the fairness term alone.
    coefficients : mapping of str to float
        Weight of every fairness term in the loss; a term that is not listed counts once. These
        weights, and no others, rise from 0 during the warm-up.
    forward : callable
        ``forward(module, inputs, y) -> (logits, extra)``, where ``inputs`` holds ``X`` and, where
        there are any, ``groups`` and ``weights``. The plain forward pass by default.
    decay : float or None
        If ``state`` is that of :func:`~skfair.objectives.group_means`, with which decay; the
        groups' means over an epoch can then be told from it.
    """

    terms: Callable[..., tuple[Terms, Any]]
    coefficients: Mapping[str, float] = field(default_factory=dict)
    forward: Callable[[nn.Module, Mapping[str, Tensor], Tensor], Outputs] = plain_forward
    decay: float | None = None

    def total(self, terms: Terms, ramp: float = 1.0) -> Tensor:
        """Add up the loss; a term of weight zero stays out of it, whatever its value."""
        loss = None
        for name, term in terms.items():
            if name in self.coefficients:
                weight = ramp * self.coefficients[name]
                if weight == 0:
                    continue
                term = term * weight
            loss = term if loss is None else loss + term
        return loss
