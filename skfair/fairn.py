"""FaiR-N: networks that equalize recourse between groups and keep clear of their boundary."""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real
from typing import Any, Unpack

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ._labels import favorable_codes, unfavorable_codes
from ._tensors import takes_tensors
from .networks.mlp import FLAT
from .objectives import Comparison, Objective, fairn
from .objectives._base import plain_forward
from .objectives.groups import memory_decay
from .training import NeuralClassifier, inherit_parameters
from .training._constrained import Compared, ConstrainedTraining
from .training._parameters import SamplingParameters

__all__ = ["FaiRNClassifier"]


@inherit_parameters(NeuralClassifier)
class FaiRNClassifier(ConstrainedTraining, NeuralClassifier):
    """Fair and robust neural network (FaiR-N).

    Minimizes cross-entropy + ``lambda_fairness`` * recourse gap + ``lambda_robustness`` *
    robustness term [1]_ (Eq. 4). The recourse gap (Eq. 1 and 16) is the difference between groups
    of their mean distance to the decision boundary, zero for those who are accepted: how much
    harder it is for one group to turn a refusal into an acceptance.

    Parameters
    ----------
    lambda_fairness : float >= 0, default=0.5
        Weight of the recourse gap, which counts groups by ``group_weights``. With "equal" and more
        than two groups ``history_`` has the sum over pairs, and this is the weight of their mean.
        Without effect if ``tolerance`` is given.
    lambda_robustness : float >= 0, default=0.1
        Weight of the robustness term.
    distance : {"logit", "gradient"}, default="logit"
        Distance to the boundary: |difference of logits| (Eq. 7), or in the input space (Eq. 6, the
        paper's LargeM): |d| / ||grad d||, which is Eq. 6 to first order, since Eq. 6 itself,
        sinh|d| / ||grad d||, explodes with a confident network. In training the gradient's norm is
        taken relative to its mean, so that the lambdas mean the same for both distances, and
        within a factor of 2; ``boundary_distance`` reports it as it is.
    unfavorable : label or list of labels, default=None
        The class(es) that call for recourse; ``None`` is ``classes_[0]``. Name it where the second
        label is the bad one, as in COMPAS. The scorers ask the estimator for it.
    conditional : bool, default=False
        Whether the gap is that between the groups' qualified members, whose label is favorable,
        instead of all members. All members alike can be close to the boundary although few of a
        small group are accepted: to be refused narrowly is little burden.
    robustness : {"mean_inverse", "inverse_mean"}, default="mean_inverse"
        Mean of 1 / (1 + distance), which a few distant outliers cannot satisfy for everybody, or
        1 / mean distance as printed (Eq. 3 and 4).
    group_memory : int >= 0, default=1280
        Number of rows that the group means remember: in batches smaller than this, their value,
        and so the sign of a difference, comes from recent batches too, their gradient from the
        current one alone. 0 takes each batch by itself, as printed; |difference of noisy means| is
        then biased upward in small batches. With ``group_weights="share"`` and k > 2 groups it is
        multiplied by sqrt(k / 2): the smallest of many groups have few members in a batch.
    averaging : float in [0, 1], default=0.25
        Share of the last steps whose weights are averaged. The gap's gradient does not fade as the
        gap closes, so that single steps oscillate around it; their mean does not. Without effect
        on fewer than 50 steps, before these steps are reached, and if ``restore_best`` picks an
        earlier epoch.
    tolerance : float > 0, default=None
        The recourse gap asked for in the place of ``lambda_fairness``: the most that the groups'
        mean recourse may differ, in the logit space (``distance="logit"``), as
        :func:`skfair.metrics.recourse_gap` measures it. As in :class:`PenaltyClassifier`,
        ``validation_fraction`` of the rows are held out, the gap on these changes multipliers, and
        the weights kept are those of the most accurate epoch whose held-out gap is within
        tolerance. With more than two groups the gap is the mean over groups of how far each is from
        everybody else (``group_weights="share"``) or the largest difference between two ("equal").
        Groups with fewer than 30 held-out cases take no part.
    warmup : float in [0, 1], default=0.3
        Share of the training steps over which the weights of the two terms rise linearly from 0.
        With ``tolerance`` the multipliers are 0 until then.
    {network_parameters}

    Attributes
    ----------
    multipliers_ : pandas.DataFrame
        The multiplier of each group's recourse, after a fit with ``tolerance``.
    {attributes}

    Notes
    -----
    ``group_weights="equal", warmup=0, group_memory=0, averaging=0, robustness="inverse_mean"`` is
    the objective as printed, for two groups. It can collapse to a constant classifier, whose gaps
    are zero; ``fit`` warns if all training rows get one class.

    References
    ----------
    .. [1] S. Sharma, A. H. Gee, D. Paydarfar, J. Ghosh. FaiR-N: Fair and Robust Neural Networks
       for Structured Data. AIES 2021.

    Examples
    --------
    >>> from skfair import FaiRNClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = FaiRNClassifier(max_epochs=20, random_state=0)
    >>> model = model.fit(X, y, sensitive_features=group)
    >>> model.predict(X[:3]).shape
    (3,)
    """

    _parameter_constraints = {
        "lambda_fairness": [Interval(Real, 0, None, closed="left")],
        "lambda_robustness": [Interval(Real, 0, None, closed="left")],
        "distance": [StrOptions({"logit", "gradient"})],
        "unfavorable": "no_validation",
        "conditional": ["boolean"],
        "robustness": [StrOptions(set(fairn.ROBUSTNESS_TERMS))],
        "group_memory": [Interval(Integral, 0, None, closed="left")],
        "averaging": [Interval(Real, 0, 1, closed="both")],
        "tolerance": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        *,
        lambda_fairness: float = 0.5,
        lambda_robustness: float = 0.1,
        distance: str = "logit",
        unfavorable: Any = None,
        conditional: bool = False,
        robustness: str = "mean_inverse",
        group_memory: int = 1280,
        averaging: float = 0.25,
        tolerance: float | None = None,
        warmup: float = 0.3,
        **network: Unpack[SamplingParameters],
    ) -> None:
        super().__init__(warmup=warmup, **network)
        self.lambda_fairness = lambda_fairness
        self.lambda_robustness = lambda_robustness
        self.distance = distance
        self.unfavorable = unfavorable
        self.conditional = conditional
        self.robustness = robustness
        self.group_memory = group_memory
        self.averaging = averaging
        self.tolerance = tolerance

    def _wants_groups(self) -> bool:
        return self._is_constrained or self.lambda_fairness > 0

    def _compared(self) -> Compared:
        unfavorable = unfavorable_codes(self.unfavorable, self.classes_)
        rates = partial(fairn.recourse_rates, unfavorable=unfavorable, conditional=self.conditional)
        return Compared(("recourse",), rates, of_decisions=False)

    def _without_effect(self) -> dict[str, Any]:
        return {"distance": "logit"}

    def _favorable_codes(self) -> list[int]:
        return favorable_codes(self.unfavorable, self.classes_)

    def _make_objective(self, comparison: Comparison | None, batch_size: int | None) -> Objective:
        self._distance = self.distance  # what was trained, whatever the parameter becomes
        memory = self.group_memory
        if comparison is not None and comparison.counts is not None:
            memory *= (comparison.n_groups / len(comparison.members) / 2) ** 0.5
        decay = memory_decay(batch_size, memory)
        if self._is_constrained:
            robust = partial(fairn.robust_terms, robustness=self.robustness)
            objective = Objective(robust, weights={"robustness": self.lambda_robustness})
            return self._with_constraints(objective, decay)
        unfavorable = unfavorable_codes(self.unfavorable, self.classes_)
        terms = partial(
            fairn.fairn_terms,
            comparison=comparison,
            unfavorable=unfavorable,
            conditional=self.conditional,
            robustness=self.robustness,
            decay=decay,
        )
        by_gradient = self.distance == "gradient"
        gradient = None
        if (
            len(self.classes_) == 2
            and not by_gradient
            and not self.conditional
            and self.robustness == "mean_inverse"
            and (comparison is None or comparison.counts is not None)
        ):
            gradient = partial(
                fairn.fairn_gradient, comparison=comparison, unfavorable=unfavorable, decay=decay
            )
        return Objective(
            terms,
            weights={"fairness": self.lambda_fairness, "robustness": self.lambda_robustness},
            forward=fairn.forward_with_slope if by_gradient else plain_forward,
            decay=decay,
            n_summands={"fairness": comparison.n_summands} if comparison is not None else {},
            gradient=gradient,
        )

    @takes_tensors
    def boundary_distance(self, X: Any) -> np.ndarray:
        """Distance to the decision boundary as the objective sees it.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to decide on.

        Returns
        -------
        ndarray of shape (n_samples,)
            In the logit space (FaiR-N, Eq. 7), or for ``distance="gradient"`` to first order in
            the input space (Eq. 6): infinite where the decision is flat, for example where all
            units of a layer are inactive.
        """
        check_is_fitted(self)
        if self._distance == "logit":
            return super().boundary_distance(X)

        def first_order(module: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
            logits, norm = fairn.forward_with_gradient_norm(module, rows)
            distance = fairn.first_order_distance(fairn.boundary_distance(logits), norm).detach()
            return distance.where(norm > FLAT, torch.inf)

        return self._logits(X, first_order)

    def _upgrade_state(self, state: dict[str, Any]) -> dict[str, Any]:
        state = super()._upgrade_state(state)
        if "classes_" in state:
            state.setdefault("_distance", state["distance"])
        return state
