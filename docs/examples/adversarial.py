"""
An adversarial classifier in one file
=====================================
Zhang, Lemoine and Mitchell, 2018, without the projection. To use: :class:`skfair.PivotClassifier`.
"""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real
from typing import Unpack

import torch
from sklearn.utils._param_validation import Interval
from torch.nn.functional import cross_entropy as losses

from skfair.objectives import Objective, Player, cross_entropy
from skfair.objectives.classification import weighted_mean
from skfair.training import NetworkParameters, NeuralClassifier, inherit_parameters


def forward_with_guess(module, inputs, y, *, adversary):
    """Logits of the labels, and the adversary's logits of the group, told from the decision."""
    logits = module(inputs["X"])
    return logits, {"guess": adversary(logits.softmax(-1))}


def adversarial_terms(logits, y, groups, weights, state=None, *, guess):
    """Cross-entropy of the labels, and the adversary's cross-entropy of the groups."""
    terms = {"cross_entropy": cross_entropy(logits, y, weights)}
    if groups is not None:
        group = groups[:, 0]  # -1 where it is missing
        known = (group >= 0).to(logits.dtype)
        known = known if weights is None else known * weights
        terms["guess"] = weighted_mean(losses(guess, group.clamp(min=0), reduction="none"), known)
    return terms, state


def make_adversary(n_inputs, n_groups):
    """Linear, with weights of zero at first, so that the groups' names do not matter."""
    layer = torch.nn.Linear(n_inputs, n_groups)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    return layer


@inherit_parameters(NeuralClassifier)
class AdversarialClassifier(NeuralClassifier):
    """Neural network whose decisions are to hide the group from an adversary.

    Parameters
    ----------
    lambda_adversary : float >= 0, default=1.0
        Weight of the adversary's failure.
    adversary_steps : int, default=1
        Steps of the adversary before each step of the network.
    {network_parameters}

    Attributes
    ----------
    {attributes}
    """

    _parameter_constraints = {
        "lambda_adversary": [Interval(Real, 0, None, closed="left")],
        "adversary_steps": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self, *, lambda_adversary=1.0, adversary_steps=1, **network: Unpack[NetworkParameters]
    ):
        super().__init__(**network)
        self.lambda_adversary = lambda_adversary
        self.adversary_steps = adversary_steps

    def _make_objective(self, comparison, batch_size):
        widths = len(self.classes_), len(self.groups_) or 2
        adversary = Player(
            partial(make_adversary, *widths),
            weights={"guess": 1.0},
            optimizer=torch.optim.Adam,
            options={"lr": 10 * self.settings_.lr},
            steps=self.adversary_steps,
        )
        return Objective(
            adversarial_terms,
            weights={"guess": -self.lambda_adversary},
            forward=forward_with_guess,
            players={"adversary": adversary},
        )
