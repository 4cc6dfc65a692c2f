"""Networks trained with a penalty on the difference between groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any, Unpack

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from ._labels import favorable_codes
from ._warnings import warn
from .objectives import Comparison, Objective
from .objectives._penalty_kinds import CustomPenalty, ProjectionPenalty, RowPenalty
from .objectives.classification import classification_terms, make_row_loss, row_losses
from .objectives.dependence import forward_with_quantities
from .objectives.groups import memory_decay
from .objectives.mixup import forward_with_paths
from .objectives.penalties import (
    COMPARISONS,
    NORMALIZATIONS,
    OF_QUANTITIES,
    PENALTIES,
    STATISTICS,
    AnyPenalty,
    names_of,
    penalty_of,
    with_favorable,
    with_first_positive,
)
from .objectives.projection import projection_gradient
from .training import NeuralClassifier, inherit_parameters
from .training._constrained import (
    CONSTRAINED,
    CONSTRAINT_PARAMETERS,
    Compared,
    ConstrainedTraining,
)
from .training._encoder import EncoderOptions
from .training._parameters import BatchParameters
from .training._penalized import PenalizedClassifier
from .training._stratified import CONTROL_PARAMETERS, StratifiedTraining
from .training._targets import Targets

__all__ = ["PenaltyClassifier"]


@inherit_parameters(NeuralClassifier)
class PenaltyClassifier(ConstrainedTraining, StratifiedTraining, PenalizedClassifier):
    """Neural network with a fairness penalty.

    Minimizes cross-entropy + ``alpha`` * penalty [1]_ [2]_. Here p is the predicted probability of
    the positive class, the favorable one, and a "difference" between groups counts each of them by
    ``group_weights``.

    Parameters
    ----------
    penalty : {"equal_loss", "max_min", "equalized_odds", "equal_opportunity", \
"predictive_parity", "demographic_parity", "disparate_impact"}, a statistic or callable, \
default="demographic_parity"
        What is penalized:

        - "equal_loss": difference between the groups' losses ([1]_, Eq. 2);
        - "max_min": excess of the worst-off group's loss over the mean loss: ``alpha=1`` minimizes
          the worst group's loss ([1]_, Eq. 7);
        - "equalized_odds": difference in mean p among the negatives plus that among the positives
          ([1]_, Eq. 4; [2]_, Eq. 2);
        - "equal_opportunity": that among the positives alone ([2]_, A.11);
        - "predictive_parity": difference in precision, every row counting with its p ([2]_, A.11);
        - "demographic_parity": difference in mean p ([2]_, Eq. 1);
        - "disparate_impact": minus the ratio of the least to the greatest mean p ([1]_, Eq. 6);
        - a callable ``penalty(logits, y, groups, weights) -> scalar``, differentiable in ``logits``
          (n, n_classes). ``y`` (n,) holds class codes, or (n, n_labels) 0 and 1; ``groups`` (n,)
          positions in ``groups_``, -1 for rows that take no part; ``weights`` (n,) sample weights.
          With ``attributes="sum"`` it is called for every attribute.
        - a statistic: "selection_rate", "tpr", "fpr", "tnr", "fnr", "ppv" (precision), "for" (false
          omission rate), "accuracy", "f1" or "loss", in which the groups differ.

        All take more than two classes if ``unfavorable`` says which of them are not the favorable
        ones: p is then the probability of all that are. "equal_loss", "loss", "max_min" and
        callables need no such set, and take several labels a row, too: y of shape (n, n_labels),
        with the mean binary cross-entropy as loss. ``score`` is then the share of rows with every
        label right.
    alpha : float >= 0, default=1.0
        Weight of the penalty, if neither ``tolerance`` nor ``minimum`` is given. With
        ``group_weights="equal"`` and more than two groups it weighs the mean over the pairs;
        ``history_`` has their sum.
    penalty_on : {"train", "holdout"}, default="train"
        Whether the penalty is computed on the rows of the batch, or on a part of the training data
        that takes no part in the cross-entropy. A batch then has as many rows of that part as of
        the others, or all of them.
    holdout_fraction : float in (0, 1), default=0.1
        Share of the training data held out for ``penalty_on="holdout"``, stratified by group and
        class.
    normalize : {"conditional", "group"}, default="conditional"
        What the rates of "equalized_odds", "equal_opportunity" and "predictive_parity" are divided
        by: the cases they are conditioned on, as the metrics are defined, or all members of the
        group, as [1]_, Eq. 4, is printed. The other penalties divide by the group either way.
    augment : {"mixup"}, callable or None, default=None
        "mixup" replaces the difference by the slope of mean p along random paths between the groups
        (Fair-Mixup [3]_; FairReg(., Aug) in [2]_); "demographic_parity" and "equalized_odds" only.
        A callable ``augment(X) -> X`` changes the rows of every training batch (flips, crops,
        noise), images of bytes being numbers in [0, 1] by then.
    group_memory : int >= 0, default=5120
        Number of rows that the group means remember: in batches smaller than this, their value,
        and so the sign of a difference, comes from recent batches too, their gradient from the
        current one alone. At most a quarter of the training rows. 0 takes each batch by itself, as
        printed. Without effect on a callable.
    averaging : float in [0, 1], default=0.25
        Share of the last steps whose weights are averaged. A penalty's gradient does not fade as
        the difference does, so that single steps oscillate around it; their mean does not.
    unfavorable : label or list of labels, default=None
        The class(es) that call for recourse; ``None`` is ``classes_[0]``. Name it where the second
        label is the bad one, as in COMPAS: the positive class is the other one then. The scorers
        ask the estimator for it. Without effect on what a callable is given.
    focal : float >= 0, default=0.0
        Exponent of the focal loss, which takes the place of cross-entropy, in "equal_loss" and
        "max_min" too: (1 - p)^focal, where p is the predicted probability of the true class (of
        each label), multiplies the cross-entropy. 0 is the cross-entropy itself.
    tolerance : float in (0, 1), default=None
        The gap asked for in the place of a weight: most that the rates of *decisions* which
        ``penalty`` compares may differ between groups ("demographic_parity": shares accepted;
        "equal_opportunity": true positive rates; "equalized_odds": true and false positive rates,
        each; "predictive_parity": precision). ``validation_fraction`` of the rows are held out;
        what the decisions on these are changes the multipliers of the rates [4]_, and the weights
        kept are those of the most accurate epoch whose held-out gap is within tolerance. With more
        than two groups the gap is the mean over groups of how far each is from everybody else
        (``group_weights="share"``) or the largest difference between two ("equal"). Groups with
        fewer than 30 held-out cases take no part. ``fit`` warns where no epoch met it, and names
        the groups of whom fewer are accepted, by more than a quarter, than before it was at work.
    confidence : float in (0, 1), default=None
        If given, an upper bound of the gap (and a lower one of the rates of ``minimum``) at this
        confidence is what has to meet ``tolerance`` (and ``minimum``): Clopper-Pearson limits,
        which hold for all groups and rates of an epoch at once.
    minimum : dict of str to float, default=None
        Least rate of every group: ``minimum={"tpr": 0.6}`` raises the groups that are below, where
        a tolerance may lower the others. Keys are "selection_rate", "tpr", "tnr" and "accuracy".
        Alone it takes the place of the penalty, with ``tolerance`` it comes in addition.
    comparison : {"absolute", "squared", "ratio", "worst_group", "mutual_information", \
"kl_projection", "covariance", "hsic"}, default=None
        How the groups' rates in what ``penalty`` names are compared; ``None``: as it says itself.

        - "absolute": 2 sum_g pi_g abs(m_g - m);
        - "squared": 4 sum_g pi_g (m_g - m)^2, which fades as the groups come closer;
        - "ratio": minus the least rate divided by the greatest;
        - "worst_group": by how much the worst group is worse than all;
        - "mutual_information": of decision and group, the prejudice remover [5]_;
        - "kl_projection": KL divergence of the nearest predictions with the same rate in every
          group from the network's [6]_; not for "loss";
        - "covariance": 4 cov(v, s)^2 of values v and a continuous, standardized sensitive feature
          s, and "squared" of groups;
        - "hsic": Hilbert-Schmidt independence criterion of values and groups, or continuous
          sensitive features [7]_, of n^2 pairs of rows; not for "ppv", "for" and "f1".

        With a callable ``penalty`` that is one of a statistic: ``penalty(logits, y) -> (values,
        cases)``, the value of each row and the share in which it is a case, (n,) each.
    control_columns : str, int, list, slice or callable, default=None
        Column(s) of X that hold control features: what legitimately explains a difference. Groups
        are then compared with each other where these have the same values (conditional parity
        [8]_), in at most 50 such strata. ``fit`` takes them as ``control_features``, too.
    control_aggregate : {"mean", "worst"}, default="mean"
        Whether the penalty is the mean over strata, by their shares of the rows, or that of the
        stratum in which it is greatest.
    continuous_features : "auto", str, int, list, slice or None, default="auto"
        Which sensitive features are quantities, by name or position, of which no groups are made;
        for ``comparison="covariance"`` and ``"hsic"``. Each is a term of its own. "auto" takes the
        numbers that cannot be groups: more than 50 different ones, or floats of which none is
        repeated. ``None`` takes groups only, as the other comparisons do.
    {network_parameters}

    Attributes
    ----------
    multipliers_ : pandas.DataFrame
        The multiplier of each rate and group, after a fit with ``tolerance`` or ``minimum``.
    {attributes}

    Notes
    -----
    Parity on the training data is not parity on new data, and parity between the given groups can
    hide disparity between others: see :func:`~skfair.metrics.fairness_generalization` and
    :func:`~skfair.metrics.subgroup_report`.

    References
    ----------
    .. [1] V. Cherepanova, V. Nanda, M. Goldblum, J. P. Dickerson, T. Goldstein. Technical
       Challenges for Training Fair Neural Networks. 2021.
    .. [2] T. Li et al. FAIRER: Fairness as Decision Rationale Alignment. ICML 2023.
    .. [3] C.-Y. Chuang, Y. Mroueh. Fair Mixup: Fairness via Interpolation. ICLR 2021.
    .. [4] A. Cotter, H. Jiang, K. Sridharan. Two-Player Games for Efficient Non-Convex Constrained
       Optimization. ALT 2019.
    .. [5] T. Kamishima, S. Akaho, H. Asoh, J. Sakuma. Fairness-Aware Classifier with Prejudice
       Remover Regularizer. ECML PKDD 2012.
    .. [6] M. Buyl, M. Defrance, T. De Bie. fairret: a Framework for Differentiable Fairness
       Regularization Terms. ICLR 2024.
    .. [7] A. Perez-Suay et al. Fair Kernel Learning. ECML PKDD 2017.
    .. [8] F. Kamiran, I. Zliobaite, T. Calders. Quantifying Explainable Discrimination and Removing
       Illegal Discrimination in Automated Decision Making. KAIS 2013.

    Examples
    --------
    >>> from skfair import PenaltyClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = PenaltyClassifier(penalty="equalized_odds", max_epochs=20, random_state=0)
    >>> model = model.fit(X, y, sensitive_features=group)
    >>> model.predict(X[:3]).shape
    (3,)

    A gap of at most .05 in the true positive rates, on the held-out rows:

    >>> model = PenaltyClassifier(
    ...     penalty="equal_opportunity", tolerance=0.05, validation_fraction=0.3, random_state=0
    ... )
    >>> history = model.fit(X, y, sensitive_features=group).history_
    >>> bool(history.loc[history["monitor"].idxmax(), "valid_gap_tpr"] <= 0.05)
    True
    """

    _parameter_constraints = {
        "penalty": [StrOptions(set(PENALTIES) | set(STATISTICS)), callable],
        "comparison": [StrOptions(set(COMPARISONS)), None],
        "unfavorable": "no_validation",
        "alpha": [Interval(Real, 0, None, closed="left")],
        "penalty_on": [StrOptions({"train", "holdout"})],
        "holdout_fraction": [Interval(Real, 0, 1, closed="neither")],
        "normalize": [StrOptions(set(NORMALIZATIONS))],
        "augment": [StrOptions({"mixup"}), callable, None],
        "group_memory": [Interval(Integral, 0, None, closed="left")],
        "averaging": [Interval(Real, 0, 1, closed="both")],
        "focal": [Interval(Real, 0, None, closed="left")],
        "continuous_features": [str, Integral, "array-like", slice, None],
        **CONSTRAINT_PARAMETERS,
        **CONTROL_PARAMETERS,
    }

    def __init__(
        self,
        *,
        penalty: str | Callable = "demographic_parity",
        alpha: float = 1.0,
        penalty_on: str = "train",
        holdout_fraction: float = 0.1,
        normalize: str = "conditional",
        augment: str | Callable[[Tensor], Tensor] | None = None,
        group_memory: int = 5120,
        averaging: float = 0.25,
        unfavorable: Any = None,
        focal: float = 0.0,
        tolerance: float | None = None,
        confidence: float | None = None,
        minimum: Mapping[str, float] | None = None,
        comparison: str | None = None,
        control_columns: Any = None,
        control_aggregate: str = "mean",
        continuous_features: Any = "auto",
        **network: Unpack[BatchParameters],
    ) -> None:
        super().__init__(**network)
        self.penalty = penalty
        self.alpha = alpha
        self.penalty_on = penalty_on
        self.holdout_fraction = holdout_fraction
        self.normalize = normalize
        self.augment = augment
        self.group_memory = group_memory
        self.averaging = averaging
        self.unfavorable = unfavorable
        self.focal = focal
        self.tolerance = tolerance
        self.confidence = confidence
        self.minimum = minimum
        self.comparison = comparison
        self.control_columns = control_columns
        self.control_aggregate = control_aggregate
        self.continuous_features = continuous_features

    @property
    def _penalty(self) -> AnyPenalty:
        return penalty_of(self.penalty, self.comparison)

    def _targets(self) -> Targets:
        try:
            binary = self._penalty.binary or self._is_constrained
        except (KeyError, TypeError, ValueError):  # which fit refuses
            binary = False
        told = self.unfavorable is not None
        mixed = isinstance(self.augment, str)
        return Targets(
            multi_class=not binary or (told and not mixed and not self._is_constrained),
            multi_label=not binary,
            hint=f"penalty={self.penalty!r} needs two classes, or unfavorable= to say which of "
            f"them are not the favorable ones; {names_of(binary=False)} take more"
            f"{', without tolerance and minimum' if self._is_constrained else ''}.",
        )

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.tolerance is not None and self.penalty not in CONSTRAINED:
            raise ValueError(
                f"tolerance={self.tolerance} is for penalty in {sorted(CONSTRAINED)}, which "
                f"compare decisions; got penalty={self.penalty!r}."
            )
        if isinstance(self._penalty, RowPenalty) and self.normalize != "conditional":
            raise ValueError(
                f"comparison={self.comparison!r} looks at the cases of a rate and needs "
                f"normalize='conditional', got {self.normalize!r}."
            )
        continuous = self.continuous_features
        automatic = continuous is None or (isinstance(continuous, str) and continuous == "auto")
        if not automatic and self.comparison not in OF_QUANTITIES:
            raise ValueError(
                f"continuous_features={continuous!r} needs a comparison without groups, one of "
                f"{list(OF_QUANTITIES)}; got comparison={self.comparison!r}."
            )
        if self.augment != "mixup":
            return
        if not self._penalty.augmentable:
            raise ValueError(
                f"augment={self.augment!r} works with penalty in {names_of(augmentable=True)}, got "
                f"penalty={self.penalty!r}."
            )
        if self.normalize != "conditional":
            raise ValueError(
                f"augment={self.augment!r} needs normalize='conditional': its paths join people of "
                f"the same label; got normalize={self.normalize!r}."
            )

    def _without_effect(self) -> dict[str, Any]:
        mixup = {"augment": None} if self.augment == "mixup" else {}
        return {"penalty_on": "train", "normalize": "conditional", "comparison": None} | mixup

    def _without_strata(self) -> dict[str, Any]:
        mixup = {"augment": None} if isinstance(self.augment, str) else {}
        return {"tolerance": None, "minimum": None} | mixup

    def _compared(self) -> Compared:
        return CONSTRAINED[self.penalty]

    def _encoder_options(self) -> EncoderOptions:
        options = super()._encoder_options()
        if self.comparison in OF_QUANTITIES:
            return options
        hint = f"Or take it as it is, with comparison in {list(OF_QUANTITIES)}."
        return replace(options, continuous_features=None, hint=hint)

    def _first_is_positive(self) -> bool:
        favorable = favorable_codes(self.unfavorable, self.classes_, self._encoder.multi_label)
        return self._penalty.directed and favorable == [0] and len(self.classes_) == 2

    def _outcome(self) -> tuple[int, ...] | None:
        """Codes of the favorable classes, where there are more than two and it is about these."""
        if len(self.classes_) == 2 or not self._penalty.binary:
            return None
        return tuple(favorable_codes(self.unfavorable, self.classes_))

    def _warn_of_absent(self, y: np.ndarray, groups: np.ndarray) -> None:
        """Name the groups without a case of what is compared: they take no part in it."""
        labels = self._penalty.labels
        if labels is None or self.normalize != "conditional":
            return
        absent, classes = [], [f"class {label!r}" for label in self.classes_.tolist()]
        if (favorable := self._outcome()) is not None:
            y, classes = np.isin(y, favorable), ["the unfavorable classes", "the favorable classes"]
        for label in labels:
            code = 1 - label if self._first_is_positive() else label
            present = set(groups[y == code].flat)
            names = [name for i, name in enumerate(self.groups_) if i not in present]
            absent += [f"{name!r} has no row of {classes[code]}" for name in names]
        if absent:
            warn(
                f"penalty={self.penalty!r} cannot compare every group in these data: "
                f"{'; '.join(absent)}. Nothing is done about such a group, and a penalty of 0 is "
                "no parity.",
            )

    def _make_objective(self, comparison: Comparison | None, batch_size: int | None) -> Objective:
        if self._is_constrained:
            row_loss = make_row_loss(self.focal)
            objective = Objective(partial(classification_terms, row_loss=row_loss))
            return self._with_constraints(objective, memory_decay(batch_size, self._memory))
        objective = super()._make_objective(comparison, batch_size)
        terms = partial(objective.terms, normalize=self.normalize)
        if self.comparison is not None:
            terms = partial(terms, compared_by=self.comparison)
        gradient = self._written_out_gradient(comparison, objective)
        objective = replace(objective, gradient=gradient)
        if self._encoder.continuous:
            forward = forward_with_quantities
            objective = replace(objective, forward=forward, calls_once=True)
        if self._encoder.strata and self._encoder.continuous:
            raise ValueError(
                "Control features are about groups, and sensitive_features has quantities "
                f"({len(self._encoder.continuous)}): bin them (pandas.cut), or leave "
                "control features out."
            )
        if comparison is not None and self._encoder.strata:
            at_once = not isinstance(self._penalty, CustomPenalty)
            terms = partial(terms, stratified=self._strata(comparison, at_once))
            objective = replace(objective, decay=None)
        if self._first_is_positive():
            terms = with_first_positive(terms)
        if (favorable := self._outcome()) is not None:
            terms = with_favorable(terms, favorable)
        if self.augment != "mixup" or self.alpha == 0:
            return replace(objective, terms=terms)
        forward = partial(forward_with_paths, by_label=self._penalty.by_label)
        return replace(objective, terms=terms, forward=forward, decay=None)

    def _written_out_gradient(
        self, comparison: Comparison | None, objective: Objective
    ) -> Callable | None:
        """Return :func:`projection_gradient` where it is that of the objective."""
        penalty, keywords = self._penalty, getattr(objective.terms, "keywords", {})
        plain = keywords.get("row_loss") is row_losses
        if not (plain and isinstance(penalty, ProjectionPenalty)) or self._outcome() is not None:
            return None
        return partial(
            projection_gradient,
            rates=penalty.statistic.rates,
            comparison=comparison,
            decay=keywords["decay"],
            positive=0 if self._first_is_positive() else 1,
        )
