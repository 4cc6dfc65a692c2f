"""What the training loop needs to know about an objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

Terms = dict[str, Tensor]
Outputs = tuple[Tensor, dict[str, Any]]


def plain_forward(module: nn.Module, inputs: Mapping[str, Tensor], y: Tensor) -> Outputs:
    """Logits of a batch, and nothing else."""
    return module(inputs["X"]), {}


def weighted_sum(terms: Terms, weights: Mapping[str, float | Tensor]) -> Tensor:
    """Sum of weight * term over the terms that have a weight other than the number 0."""
    loss = None
    for name, term in terms.items():
        weight = weights.get(name, 0)
        if isinstance(weight, Tensor):
            term = term * weight
        elif weight == 0:  # whatever the term's value
            continue
        elif weight != 1:
            term = term * weight
        loss = term if loss is None else loss + term
    if loss is None:
        raise ValueError(f"no term of {sorted(terms)} has a weight other than 0, got {weights}.")
    return loss


@dataclass(frozen=True)
class Player:
    """A further network, trained beside the first one by an optimizer of its own.

    Parameters
    ----------
    module : callable
        ``module() -> torch.nn.Module``.
    weights : mapping of str to float
        Weight of each term in what this network minimizes.
    optimizer : torch.optim.Optimizer class
        Its optimizer.
    options : mapping of str to Any
        Arguments of the optimizer, such as ``lr``.
    steps : int, default=1
        Its steps for each step of the first network, before it.
    together : bool, default=False
        Whether the last of them is taken at the same time as the first network's, from the same
        forward pass, which saves one.

    Examples
    --------
    An adversary that sees two logits, and minimizes a term of its own:

    >>> from functools import partial
    >>> from torch import nn, optim
    >>> from skfair.objectives import Player
    >>> build = partial(nn.Linear, 2, 1)
    >>> adversary = Player(build, {"adversary": 1.0}, optim.Adam, {"lr": 0.01}, steps=3)
    """

    module: Callable[[], nn.Module]
    weights: Mapping[str, float]
    optimizer: type[Optimizer]
    options: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 1
    together: bool = False


@dataclass(frozen=True)
class Objective:
    """Named terms, and how they add up to the loss.

    Parameters
    ----------
    terms : callable
        ``terms(logits, y, groups, weights, state, **extra) -> (terms, state)``, a pure function of
        one batch. ``state`` is what it carries from batch to batch (``None`` at first), ``extra``
        is what ``forward`` returned beside the logits, ``penalty_only`` (bool, one value a row) if
        some rows are there for the fairness term alone, and ``strata`` (n,) if groups are compared
        within such.
    weights : mapping of str to float or Tensor
        Weight in the loss of every term but those in ``always``. These weights, and no others, rise
        from 0 during the warm-up. A tensor may hold one weight a network, under
        :func:`torch.func.vmap`.
    forward : callable
        ``forward(module, inputs, y, **players) -> (logits, extra)``, where ``inputs`` holds ``X``
        and, where there are any, ``groups`` and ``weights``. The plain forward pass by default.
    decay : float or None
        If ``state`` is that of :func:`~skfair.objectives.group_means`, with which decay; the
        groups' means over an epoch can then be told from it.
    always : tuple of str
        Terms that count once, from the first step on.
    n_summands : mapping of str to float
        For a term that is a sum, over pairs of groups, the number of its summands: its weight is
        that of their mean.
    players : mapping of str to Player
        Further networks by name, which ``forward`` is handed.
    calls_once : bool
        Whether ``forward`` does nothing with the networks but call each once, the further ones
        with what it makes of the logits, which it returns. The backward passes of perceptrons, and
        of :class:`~skfair.PivotClassifier`'s adversary, are then written out, which is faster.
    gradient : callable or None
        ``gradient(logits, y, groups, state, loss_weights, **players) -> (terms, state, gradient)``:
        what ``terms`` returns of rows without weights, and the gradient of the loss on the logits,
        written out for speed. Rounding is that of automatic differentiation, which does it if there
        is none. Tensors may have leading axes of networks. Players that take their last step
        together are handed over, and get their gradients on the way.

    Examples
    --------
    >>> import torch
    >>> from skfair.objectives import Objective, cross_entropy
    >>> def terms(logits, y, groups, weights, state):
    ...     loss = cross_entropy(logits, y, weights)
    ...     return {"cross_entropy": loss, "certainty": logits.square().mean()}, state
    >>> objective = Objective(terms, weights={"certainty": 0.1})
    >>> logits, y = torch.tensor([[0.0, 2.0], [0.0, 2.0]]), torch.tensor([1, 1])
    >>> values, state = objective.terms(logits, y, None, None, None)
    >>> round(objective.total(values).item(), 3)  # cross_entropy + 0.1 * certainty
    0.327
    """

    terms: Callable[..., tuple[Terms, Any]]
    weights: Mapping[str, float | Tensor] = field(default_factory=dict)
    forward: Callable[..., Outputs] = plain_forward
    decay: float | None = None
    always: tuple[str, ...] = ("cross_entropy",)
    n_summands: Mapping[str, float] = field(default_factory=dict)
    players: Mapping[str, Player] = field(default_factory=dict)
    calls_once: bool = False
    gradient: Callable[..., tuple[Terms, Any, Tensor]] | None = None

    def total(self, terms: Terms, ramp: float | Tensor = 1.0) -> Tensor:
        """Add up the loss, with the weights at a share ``ramp`` of their value.

        A term whose weight is the number 0 stays out of it, whatever its value.

        Parameters
        ----------
        terms : dict of str to Tensor
            What ``terms`` returned.
        ramp : float or Tensor, default=1.0
            From 0 to 1 during the warm-up; a tensor holds it for each network.

        Returns
        -------
        Tensor
            A scalar, or one for each network.

        Raises
        ------
        ValueError
            If a term is not declared.
        """
        loss_weights = self.loss_weights(ramp)
        self._check_declared(terms, loss_weights)
        return weighted_sum(terms, loss_weights)

    def gradient_for(self, inputs: Mapping[str, Tensor]) -> Callable | None:
        """Return ``gradient``, if it takes into account all there is in a batch.

        Parameters
        ----------
        inputs : mapping of str to Tensor
            Of the batch.

        Returns
        -------
        callable or None
            ``None`` where rows have weights or strata, or some are there for the fairness term
            alone.
        """
        return None if inputs.keys() & {"weights", "penalty_only", "strata"} else self.gradient

    def loss_weights(self, ramp: float | Tensor = 1.0) -> dict[str, float | Tensor]:
        """Weight in the loss of every term, as in :meth:`total`.

        Parameters
        ----------
        ramp : float or Tensor, default=1.0
            From 0 to 1 during the warm-up.

        Returns
        -------
        dict of str to float or Tensor
            By name.
        """
        loss_weights: dict[str, float | Tensor] = dict.fromkeys(self.always, 1.0)
        for name, weight in self.weights.items():
            loss_weights[name] = ramp * (weight / self.n_summands.get(name, 1.0))
        return loss_weights

    def _check_declared(self, terms: Terms, declared: Mapping[str, Any]) -> None:
        if unknown := [name for name in terms if name not in declared]:
            raise ValueError(
                f"The objective returns the terms {unknown}, which it does not declare: weights "
                f"has {sorted(self.weights)}, always has {sorted(self.always)}."
            )
