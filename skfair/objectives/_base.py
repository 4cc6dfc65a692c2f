"""What the training loop needs to know about an objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Objective:
    """Named terms and how they add up to the loss.

    Attributes
    ----------
    terms : callable
        ``terms(logits, y, groups, weights, state, gradient_norm) -> (terms, state)``, a pure
        function of one batch. ``state`` is what it carries from batch to batch (``None`` at first).
    coefficients : mapping of str to float
        Weight of every fairness term in the loss; a term that is not listed counts once. These
        weights, and no others, rise from 0 during the warm-up.
    needs_gradient_norm : bool, default=False
        Whether ``gradient_norm`` (the norm of the decision's gradient with respect to the input,
        one value a row) must be computed.
    """

    terms: Callable
    coefficients: Mapping[str, float] = field(default_factory=dict)
    needs_gradient_norm: bool = False

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
