"""Forward and backward passes of perceptrons, with autograd for the objective alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn

from ..networks import MLP
from ..networks._adversary import Adversary
from ..networks._direct import DirectAdversary, DirectMLP
from ..objectives._base import Objective, Outputs, Terms, plain_forward, weighted_sum


class DirectPasses:
    """The passes of a network and of the adversaries that see its logits.

    Gradients are those of automatic differentiation, but for the order of sums.

    Parameters
    ----------
    network : DirectMLP
        The network.
    adversaries : mapping of str to DirectAdversary
        The further players by name.
    """

    def __init__(self, network: DirectMLP, adversaries: Mapping[str, DirectAdversary]) -> None:
        self.network, self.adversaries = network, adversaries

    @classmethod
    def of(
        cls, objective: Objective, module: nn.Module, players: nn.ModuleDict
    ) -> DirectPasses | None:
        """Return the passes of an objective, ``None`` if automatic differentiation has to stay."""
        if not (objective.forward is plain_forward or objective.calls_once):
            return None
        if not DirectMLP.serves(module) or not all(map(DirectAdversary.serves, players.values())):
            return None
        adversaries = {name: cast(Adversary, player) for name, player in players.items()}
        return cls(
            DirectMLP(cast(MLP, module)),
            {name: DirectAdversary(adversary) for name, adversary in adversaries.items()},
        )

    def forward(self, objective: Objective, inputs: Mapping[str, Tensor], y: Tensor) -> Outputs:
        """Return what the objective's ``forward`` does."""
        self._logits, extra = objective.forward(self.network, inputs, y, **self.adversaries)
        return self._logits, extra

    def player_backward(self, name: str, loss: Tensor) -> None:
        """Compute an adversary's gradients, for a step of its own."""
        self.adversaries[name].backward(loss, retain_graph=False)

    def backward(self, objective: Objective, terms: Terms, ramp: float) -> Tensor:
        """Compute the gradients of all who take a step together.

        Parameters
        ----------
        objective : Objective
            What is minimized.
        terms : dict of str to Tensor
            Of the batch that :meth:`forward` saw.
        ramp : float
            Share of their value that the weights have.

        Returns
        -------
        Tensor
            The network's loss.
        """
        for name, player in objective.players.items():
            if player.together and player.weights.keys() & terms.keys():
                own = weighted_sum(terms, player.weights)
                self.adversaries[name].backward(own, retain_graph=True)
        loss = objective.total(terms, ramp)
        loss.backward(inputs=[self._logits] if self.adversaries else None)
        if self._logits.grad is not None:
            self.network.backward(self._logits.grad)
        self.release()
        return loss

    def release(self) -> None:
        """Let go of what was kept for the backward pass."""
        self.network.release()
        for adversary in self.adversaries.values():
            adversary.release()
