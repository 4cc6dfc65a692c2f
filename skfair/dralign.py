"""DRAlign: networks whose groups are decided for the same reasons."""

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
from .objectives import Comparison, Objective
from .objectives._base import plain_forward
from .objectives.dralign import CRITERIA, aligned_pairs, dralign_terms
from .objectives.groups import memory_decay
from .objectives.mixup import forward_with_paths
from .objectives.penalties import PENALTIES, names_of, with_first_positive
from .objectives.rationales import forward_with_rationales
from .training import NeuralClassifier, inherit_parameters
from .training._constrained import (
    CONSTRAINED,
    CONSTRAINT_PARAMETERS,
    Compared,
    ConstrainedTraining,
)
from .training._parameters import WarmupParameters
from .training._rows import TrainingData
from .training._sampling import batch_rows, make_strata
from .training._targets import Targets

__all__ = ["DRAlignClassifier"]

BETA_ALONE = 0.04  # of the default lambda_fairness
GROUP_MEMORY = 5120  # rows, of the constraints


@inherit_parameters(NeuralClassifier)
class DRAlignClassifier(ConstrainedTraining, NeuralClassifier):
    """Fairness as decision rationale alignment (DRAlign).

    Minimizes the sum of the groups' cross-entropies + ``lambda_fairness`` * fairness loss -
    ``beta`` * alignment [1]_ (Eq. 9, Algorithms 1 and 2). A layer's rationale for a group is what
    each of its weights contributes to the group's loss, (gradient * weight)^2 (Eq. 8); the
    alignment is the cosine between the groups' rationales, added up over layers: the groups are to
    be decided for the same reasons, not only with the same result.

    Parameters
    ----------
    criterion : {"demographic_parity", "equalized_odds", "equal_opportunity", \
"predictive_parity"}, default="demographic_parity"
        The fairness loss, one of the penalties of :class:`PenaltyClassifier`, and what is aligned:
        the groups, or the groups within each label (equal opportunity: within the positives).
    lambda_fairness : float >= 0, default=0.4
        Weight of the fairness loss; 0 leaves the alignment alone ([1]_, A.9), which then takes more
        than two classes. With ``tolerance`` it sets the default of ``beta`` alone.
    beta : float >= 0, default=None
        Weight of the alignment; ``None`` is ``lambda_fairness / 10`` as in [1]_, or 0.04 if
        ``lambda_fairness`` is 0. With more than two groups it weighs the mean over pairs.
    align_layers : int >= 1, default=None
        Align only this many linear and convolution layers, the last ones, as for deep networks
        ([1]_, Eq. 10); ``None``: all.
    augment : {"mixup"}, callable or None, default=None
        "mixup" puts Fair-Mixup's slope in the place of the fairness loss ([1]_, Eq. 11); not with
        "equal_opportunity" and "predictive_parity". A callable ``augment(X) -> X`` changes the rows
        of every training batch (flips, crops, noise), images of bytes being numbers in [0, 1] by
        then.
    sampling : {"auto", "group", "group_label"}, default="auto"
        Every batch holds equally many rows of each group, or, where the criterion looks at labels,
        of each group and label; "auto" is the one of these that the criterion calls for, and the
        only one it takes. ``batch_size`` is the number of all rows.
    unfavorable : label, default=None
        The class that calls for recourse, not the positive one; ``None`` is ``classes_[0]``. The
        scorers ask the estimator for it.
    tolerance : float in (0, 1), default=None
        The gap asked for in the place of a weight of the fairness loss, as in
        :class:`PenaltyClassifier`: most that the rates of *decisions* which ``criterion`` compares
        may differ between groups on the held-out rows. The alignment stays.
    confidence : float in (0, 1), default=None
        If given, that at which an upper bound of the gap, and not the gap itself, has to be within
        ``tolerance``; see :class:`PenaltyClassifier`.
    minimum : dict of str to float, default=None
        Least rate of every group, in the place of the fairness loss or beside ``tolerance``; see
        :class:`PenaltyClassifier`.
    {network_parameters}

    Attributes
    ----------
    multipliers_ : pandas.DataFrame
        The multiplier of each rate and group, after a fit with ``tolerance`` or ``minimum``.
    {attributes}

    References
    ----------
    .. [1] T. Li et al. FAIRER: Fairness as Decision Rationale Alignment. ICML 2023.

    Examples
    --------
    >>> from skfair import DRAlignClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = DRAlignClassifier(max_epochs=20, random_state=0)
    >>> model = model.fit(X, y, sensitive_features=group)
    >>> model.predict(X[:3]).shape
    (3,)
    """

    _parameter_constraints = {
        "criterion": [StrOptions(set(CRITERIA))],
        "unfavorable": "no_validation",
        "lambda_fairness": [Interval(Real, 0, None, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left"), None],
        "align_layers": [Interval(Integral, 1, None, closed="left"), None],
        "augment": [StrOptions({"mixup"}), callable, None],
        "sampling": [StrOptions({"auto", "group", "group_label"})],
        **CONSTRAINT_PARAMETERS,
    }

    def __init__(
        self,
        *,
        criterion: str = "demographic_parity",
        lambda_fairness: float = 0.4,
        beta: float | None = None,
        align_layers: int | None = None,
        augment: str | Callable[[Tensor], Tensor] | None = None,
        sampling: str = "auto",
        unfavorable: Any = None,
        tolerance: float | None = None,
        confidence: float | None = None,
        minimum: Mapping[str, float] | None = None,
        **network: Unpack[WarmupParameters],
    ) -> None:
        super().__init__(sampling=sampling, **network)
        self.criterion = criterion
        self.lambda_fairness = lambda_fairness
        self.beta = beta
        self.align_layers = align_layers
        self.augment = augment
        self.unfavorable = unfavorable
        self.tolerance = tolerance
        self.confidence = confidence
        self.minimum = minimum

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.sampling not in ("auto", self._sampling()):
            raise ValueError(
                f"criterion={self.criterion!r} needs sampling={self._sampling()!r} (or 'auto'), "
                f"got {self.sampling!r}."
            )
        if self.augment == "mixup" and not PENALTIES[self.criterion].augmentable:
            raise ValueError(
                f"augment={self.augment!r} works with criterion in {names_of(augmentable=True)}, "
                f"got criterion={self.criterion!r}."
            )

    # Its batches hold as many of the small groups as of the large ones, and are moved more easily
    # (chosen on parts of Adult's training rows).
    _multiplier_step = 1.0

    def _by_label(self) -> bool:
        return PENALTIES[self.criterion].by_label

    def _sampling(self) -> str:
        return "group_label" if self._by_label() else "group"

    def _weights(self) -> tuple[float, float]:
        beta = self.beta
        if beta is None:
            beta = self.lambda_fairness / 10 if self.lambda_fairness else BETA_ALONE
        return self.lambda_fairness, beta

    def _wants_groups(self) -> bool:
        return self._is_constrained or any(weight > 0 for weight in self._weights())

    def _compared(self) -> Compared:
        return CONSTRAINED[self.criterion]

    def _without_effect(self) -> dict[str, Any]:
        return {"augment": None} if self.augment == "mixup" else {}

    def _targets(self) -> Targets:
        undirected = names_of(is_gap=True, binary=True, directed=False)
        known = isinstance(self.criterion, str) and self.criterion in undirected
        alone = np.isscalar(self.lambda_fairness) and self.lambda_fairness == 0
        several = known and alone and not self._is_constrained
        hint = f"lambda_fairness=0 with criterion in {undirected} takes more."
        return Targets(multi_class=several, hint=hint)

    def _split_holdout(
        self, data: TrainingData, rows: np.ndarray | None, rng: np.random.RandomState
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Check that every cell occurs, and note how a batch is divided into them."""
        self._layout = 1, 1
        self._memory = min(GROUP_MEMORY, (len(data.y) if rows is None else len(rows)) // 4)
        if data.groups is not None:
            if self._by_label() and self.class_weight not in (None, "balanced"):
                raise ValueError(
                    f"class_weight={self.class_weight!r} would have no effect with "
                    f"criterion={self.criterion!r}, which gives every group and label the same "
                    "part of each batch and of the loss; leave it None."
                )
            y, groups = (part if rows is None else part[rows] for part in (data.y, data.groups))
            n_labels = len(self.classes_) if self._by_label() else 1
            labels = y if self._by_label() else np.zeros_like(y)
            n_cells = len(self.groups_) * n_labels
            cells = (groups * n_labels + labels[:, None])[groups >= 0]
            absent = np.flatnonzero(np.bincount(cells, minlength=n_cells) == 0)
            if len(absent):
                group, label = divmod(int(absent[0]), n_labels)
                of_label = (
                    f" with label {self.classes_.tolist()[label]!r}" if self._by_label() else ""
                )
                raise ValueError(
                    f"The training data have no rows of group {self.groups_[group]!r}{of_label}, "
                    f"which criterion={self.criterion!r} needs in every batch."
                )
            size = batch_rows(self.settings_.batch_size, len(y))
            quota = make_strata(y, groups, size, self._sampling())[0].quota
            self._layout = n_cells, quota
        return rows, None

    def _make_objective(self, comparison: Comparison | None, batch_size: int | None) -> Objective:
        n_cells, quota = self._layout
        quota *= self.n_members  # each of which sees every row
        favorable = favorable_codes(self.unfavorable, self.classes_)
        n_classes, labels = len(self.classes_), None
        if self._by_label():
            labels = favorable if self.criterion == "equal_opportunity" else range(n_classes)
        lambda_fairness, beta = self._weights()
        terms = partial(
            dralign_terms,
            criterion=self.criterion,
            comparison=comparison,
            pairs=aligned_pairs(self._encoder.attribute_of, labels, n_classes),
            n_cells=n_cells,
            quota=quota,
        )
        if favorable == [0] and PENALTIES[self.criterion].directed:
            terms = with_first_positive(terms)
        forward: Callable = plain_forward
        if self.augment == "mixup" and lambda_fairness:
            forward = partial(forward_with_paths, by_label=self._by_label())
        n_summands = {}
        if comparison is not None:
            n_summands = {"fairness": comparison.n_summands, "misalignment": comparison.n_pairs}
        objective = Objective(
            terms,
            weights={"fairness": lambda_fairness, "misalignment": beta},
            decay=0.0 if forward is plain_forward else None,
            n_summands=n_summands,
            forward=partial(
                forward_with_rationales,
                last=self.align_layers,
                n_groups=len(self.groups_),
                align=beta > 0,
                forward=forward,
                n_cells=n_cells,
                quota=quota,
            ),
        )
        if not self._is_constrained:
            return objective
        weights = {**objective.weights, "fairness": 0.0}
        decay = memory_decay(batch_size, self._memory)
        return self._with_constraints(replace(objective, weights=weights), decay, float(n_cells))
