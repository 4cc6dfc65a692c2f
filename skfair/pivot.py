"""Networks whose predictions tell an adversary nothing about the sensitive features."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any, Unpack

import numpy as np
import torch
from sklearn.metrics import mutual_info_score
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from ._warnings import warn
from .networks._adversary import N_MIXTURE_PARAMETERS, Adversary
from .networks._build import build_module
from .objectives import Comparison, Objective, Player
from .objectives.pivot import GroupShares, forward_with_adversary, pivot_gradient, pivot_terms
from .training import NeuralClassifier, inherit_parameters
from .training._base import Plan
from .training._device import resolve_device
from .training._parameters import SamplingParameters
from .training._recipe import optimizer_options
from .training._rows import TrainingData
from .training._targets import Targets

__all__ = ["PivotClassifier"]

MIN_TOLD = 0.005  # nats; two groups of one size whose rates of acceptance differ by .1


@inherit_parameters(NeuralClassifier)
class PivotClassifier(NeuralClassifier):
    """Neural network whose predictions hide the sensitive features from an adversary (pivot).

    The network f minimizes, and an adversary r maximizes, L_f - ``lambda_fairness`` * L_r, where
    L_f is the cross-entropy of the labels and L_r = -log p_r(s | f(x)) that of the sensitive
    feature s, which r guesses from the prediction f(x) [1]_ (Eq. 3, Algorithm 1). When nothing can
    be guessed, the prediction is independent of s, at every threshold: demographic parity, for any
    number of classes and groups, and for continuous s, too.

    Parameters
    ----------
    lambda_fairness : float >= 0, default=10.0
        Weight of the information about s, in nats, that r gets out of the prediction: its loss
        without looking at the prediction, less L_r, and at least 0. The adversary's failure beyond
        chance is thus no gain, and predictions do not run away from it. With 0 it only watches.
    criterion : {"demographic_parity", "equalized_odds"}, default="demographic_parity"
        Whether r sees the prediction alone, or is told the label, too: the prediction is then to be
        independent of s among those of the same label.
    adversary_steps : int >= 1, default=1
        Steps of r for each step of f. The last is taken at the same time as that of f.
    adversary : callable, default=None
        ``adversary(n_inputs, n_outputs) -> torch.nn.Module``, dropout being turned off in it.
        ``None`` is a perceptron like the default network, with ``hidden_layer_sizes`` and
        ``activation``, which are those of r alone where ``module`` is given.
    adversary_lr : float > 0, default=None
        Learning rate of r, which is trained by Adam; ``None`` is ``lr``.
    continuous_features : "auto", str, int, list, slice or None, default="auto"
        Which sensitive features are quantities, by name or position: no groups are made of them,
        and r guesses their density. Each is a term of its own, whatever ``attributes`` says. "auto"
        takes the numbers that cannot be groups: more than 50 different ones, or floats of which
        none is repeated. ``None`` takes groups only.
    n_components : int >= 1, default=5
        Number of Gaussians in r's density of a continuous feature.
    unfavorable : label or list of labels, default=None
        The class(es) that call for recourse; ``None`` is ``classes_[0]``. The scorers ask the
        estimator for it; training treats all classes alike.
    averaging : float in [0, 1], default=0.25
        Share of the last steps whose weights are averaged: the players circle around the solution,
        and the mean is closer to it than they are.
    warmup : float in [0, 1], default=0.3
        Share of the training steps over which ``lambda_fairness`` rises linearly from 0, while f
        learns y, and r learns s from what f says.
    {network_parameters}

    Attributes
    ----------
    {attributes}

    Notes
    -----
    ``history_`` has L_r ("adversary"), its value without looking ("chance"), and the "information",
    which is a lower bound: that of a weak adversary is small whatever the prediction tells. Look at
    the groups' rates, or at a fresh classifier's success.

    The groups count in L_r by their share of the training rows, or with ``group_weights="equal"``
    all alike. With several labels a row, y of shape (n, n_labels), r sees all their logits.

    References
    ----------
    .. [1] G. Louppe, M. Kagan, K. Cranmer. Learning to Pivot with Adversarial Networks.
       NeurIPS 2017.

    Examples
    --------
    >>> from skfair import PivotClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = PivotClassifier(max_epochs=20, random_state=0)
    >>> model = model.fit(X, y, sensitive_features=group)
    >>> model.predict(X[:3]).shape
    (3,)
    """

    _parameter_constraints = {
        "lambda_fairness": [Interval(Real, 0, None, closed="left")],
        "criterion": [StrOptions({"demographic_parity", "equalized_odds"})],
        "adversary_steps": [Interval(Integral, 1, None, closed="left")],
        "adversary": [callable, None],
        "adversary_lr": [Interval(Real, 0, None, closed="neither"), None],
        "continuous_features": [str, Integral, "array-like", slice, None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "unfavorable": "no_validation",
        "averaging": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        *,
        lambda_fairness: float = 10.0,
        criterion: str = "demographic_parity",
        adversary_steps: int = 1,
        adversary: Callable[..., nn.Module] | None = None,
        adversary_lr: float | None = None,
        continuous_features: Any = "auto",
        n_components: int = 5,
        unfavorable: Any = None,
        averaging: float = 0.25,
        warmup: float = 0.3,
        **network: Unpack[SamplingParameters],
    ) -> None:
        super().__init__(warmup=warmup, **network)
        self.lambda_fairness = lambda_fairness
        self.criterion = criterion
        self.adversary_steps = adversary_steps
        self.adversary = adversary
        self.adversary_lr = adversary_lr
        self.continuous_features = continuous_features
        self.n_components = n_components
        self.unfavorable = unfavorable
        self.averaging = averaging

    def _wants_groups(self) -> bool:
        return self.lambda_fairness > 0

    def _tells_class(self) -> bool:
        return isinstance(self.criterion, str) and self.criterion == "equalized_odds"

    def _targets(self) -> Targets:
        return Targets(multi_label=not self._tells_class())

    def _make_objective(self, comparison: Comparison | None, batch_size: int | None) -> Objective:
        players, shares = {}, self._shares(comparison)
        if self.groups_ or self._encoder.continuous:
            players["adversary"] = self._make_adversary(shares)
        gradient = None
        others = self._encoder.continuous or self._encoder.multi_label
        if shares is not None and len(shares.outside) == 1 and not others:
            gradient = partial(pivot_gradient, shares=shares, tell_class=self._tells_class())
        return Objective(
            partial(pivot_terms, shares=shares),
            weights={"information": self.lambda_fairness, "adversary": 0, "chance": 0},
            forward=partial(forward_with_adversary, tell_class=self._tells_class()),
            players=players,
            calls_once=True,
            gradient=gradient,
        )

    def _make_adversary(self, shares: GroupShares | None) -> Player:
        n_classes, n_continuous = len(self.classes_), len(self._encoder.continuous)
        n_seen = 1 if n_classes == 2 and not self._encoder.multi_label else n_classes
        build = partial(
            make_adversary,
            self.adversary,
            n_seen + n_classes * self._tells_class(),
            self.settings_.hidden_layer_sizes,
            self.activation,
            log_shares=torch.zeros(0) if shares is None else shares.log_shares.mean(0).cpu(),
            n_continuous=n_continuous,
            n_components=self.n_components,
            n_classes=n_classes if self._tells_class() else 1,
        )
        lr = self.settings_.lr if self.adversary_lr is None else self.adversary_lr
        return Player(
            build,
            weights={"adversary": 1.0, "chance": 1.0} if n_continuous else {"adversary": 1.0},
            optimizer=torch.optim.Adam,
            options=optimizer_options("adam", lr, 0.0, resolve_device(self.device)),
            steps=self.adversary_steps,
            together=True,
        )

    def _shares(self, comparison: Comparison | None) -> GroupShares | None:
        if comparison is None:
            return None
        counts = torch.from_numpy(self._encoder.group_counts).to(comparison.members)
        if self._sampling() == "group":  # as the batches have them
            counts = counts / counts.sum(0)
        elif self._sampling() == "group_label":
            counts = (counts > 0).to(counts.dtype)
        return GroupShares.of(
            comparison,
            counts,
            by_class=self._tells_class(),
            equal=self.group_weights == "equal",
        )

    def _finish(self, plan: Plan) -> None:
        super()._finish(plan)
        data = plan.data
        one_label = data.y.ndim == 1 and not self._tells_class()
        if plan.by_group and one_label and data.groups is not None and self.lambda_fairness > 0:
            self._warn_of_blindness(data)

    def _warn_of_blindness(self, data: TrainingData) -> None:
        """Warn if the adversary knows less than what the decisions, a part of what it sees, say."""
        decisions = self.predict(data.raw)
        told = 0.0
        for codes in np.asarray(data.groups).T:
            groups, decided = codes[codes >= 0], decisions[codes >= 0]
            freedom = (len(np.unique(groups)) - 1) * (len(self.classes_) - 1)
            told += mutual_info_score(groups, decided)
            told -= freedom / (2 * max(len(groups), 1))  # what chance makes of it
        knows = float(self.history_["information"].iloc[-1])
        if told > max(MIN_TOLD, 2 * knows):
            warn(
                f"The adversary of {type(self).__name__} knows less about the groups ({knows:.2g} "
                f"nats) than the decisions alone tell ({told:.2g}), so that the network need not "
                "hide anything from it. More epochs, another adversary, adversary_lr or more "
                "adversary_steps usually help.",
            )


def make_adversary(
    module: Callable[..., nn.Module] | None,
    n_seen: int,
    hidden_layer_sizes: Any,
    activation: str,
    *,
    log_shares: torch.Tensor,
    n_continuous: int,
    n_components: int,
    n_classes: int,
) -> Adversary:
    """Build an adversary that sees ``n_seen`` numbers of each prediction."""
    n_outputs = len(log_shares) + n_continuous * N_MIXTURE_PARAMETERS * n_components
    body = build_module(module, (n_seen,), n_outputs, hidden_layer_sizes, activation, dropout=0.0)
    return Adversary(body, log_shares, n_continuous, n_components, n_classes)
