"""Estimators that are told a tolerance, not a weight."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.utils._param_validation import Interval
from sklearn.utils.class_weight import compute_sample_weight

from .._groups import group_name
from .._warnings import warn
from ..metrics._harm import MIN_MEMBERS
from ..objectives import Objective
from ..objectives.classification import RowLoss
from ..objectives.constraints import Constraints, Rates, constrained_terms
from ..objectives.penalties import accuracy, selection_rate, true_negative_rate, true_positive_rate
from ._base import NeuralClassifier, Plan
from ._encoder import TrainingData, split_off
from ._monitor import Monitor, ValidationPart
from ._multipliers import Asked, HeldOut, Multipliers, multipliers_of
from ._recipe import Recipe

AIM = 0.5  # share of the tolerance: what is held out is seen with noise
AIM_OF_BOUND = 0.25  # where its upper bound is to be within tolerance
FLOORS: Mapping[str, tuple[Rates, int | None]] = {  # rate, and the label of its cases
    "selection_rate": (selection_rate, None),
    "tpr": (true_positive_rate, 1),
    "tnr": (true_negative_rate, 0),
    "accuracy": (accuracy, None),
}
CONSTRAINT_PARAMETERS: Mapping[str, list] = {
    "tolerance": [Interval(Real, 0, 1, closed="neither"), None],
    "confidence": [Interval(Real, 0, 1, closed="neither"), None],
    "minimum": [dict, None],
}


class Compared(NamedTuple):
    """Rates that are to be alike.

    Attributes
    ----------
    names : tuple of str
        Of each.
    rates : callable
        ``rates(logits, y) -> (values, cases)``.
    labels : tuple of int or None
        The label of each rate's cases, ``None`` where everybody is one; empty where the decisions
        say who is.
    """

    names: tuple[str, ...]
    rates: Rates
    labels: tuple[int | None, ...]


class ConstrainedTraining(NeuralClassifier):
    """Mixin for estimators with ``tolerance``, ``confidence`` and ``minimum``."""

    tolerance: float | None
    confidence: float | None
    minimum: Mapping[str, float] | None
    _rate_names: list[str]

    # -- what a subclass states ---------------------------------------------------------------

    @abstractmethod
    def _compared(self) -> Compared:
        """Return what ``tolerance`` is about."""

    @abstractmethod
    def _first_is_positive(self) -> bool:
        """Whether the first of the two classes is the positive one."""

    # -- parameters ---------------------------------------------------------------------------

    @property
    def _is_constrained(self) -> bool:
        return self.tolerance is not None or (isinstance(self.minimum, dict) and bool(self.minimum))

    def _validate_params(self) -> None:
        super()._validate_params()
        for name, least in (self.minimum or {}).items():
            number = isinstance(least, Real) and not isinstance(least, bool) and 0 <= least <= 1
            if name not in FLOORS or not number:
                raise ValueError(
                    f"minimum must map names among {list(FLOORS)} to numbers in [0, 1], got "
                    f"{self.minimum!r}."
                )
        if self.confidence is not None and not self._is_constrained:
            raise ValueError(
                f"confidence={self.confidence} is that of the bounds of tolerance and minimum; "
                "set one of these, or leave confidence=None."
            )

    def _gaps(self) -> Compared | None:
        return None if self.tolerance is None else self._compared()

    # -- training -----------------------------------------------------------------------------

    def _constraints(self) -> Constraints:
        gaps, minimum = self._gaps(), self.minimum or {}
        return Constraints(
            gaps=() if gaps is None else (gaps.rates,),
            floors=tuple(FLOORS[name][0] for name in minimum),
            least=tuple(map(float, minimum.values())),
            aim=(AIM if self.confidence is None else AIM_OF_BOUND) * (self.tolerance or 0.0),
            attribute_of=tuple(self._encoder.attribute_of),
        )

    def _constrained_objective(self, row_loss: RowLoss, decay: float) -> Objective:
        terms = partial(
            constrained_terms, constraints=self._constraints(), decay=decay, row_loss=row_loss
        )
        return Objective(terms, weights={"constraints": 1.0})

    def _split_validation(
        self, data: TrainingData, rng: np.random.RandomState
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        if not self._is_constrained or data.groups is None:
            return super()._split_validation(data, rng)
        train, valid = split_off(data, self.validation_fraction, rng)
        self._check_cases(data.y[valid], data.groups[valid])
        return train, valid

    def _check_cases(self, y: np.ndarray, groups: np.ndarray) -> None:
        """Refuse what cannot be seen on the held-out rows, and name the groups left out."""
        compared = self._gaps()
        gaps = [] if compared is None else [*zip(compared.names, compared.labels, strict=False)]
        floors = [(name, FLOORS[name][1]) for name in self.minimum or {}]
        of, few = np.array(self._encoder.attribute_of), set()
        for position, (name, label) in enumerate([*gaps, *floors]):
            code = label if label is None or not self._first_is_positive() else 1 - label
            rows = slice(None) if code is None else y == code
            cases = np.array([(groups[rows] == g).any(1).sum() for g in range(len(of))])
            known = cases >= MIN_MEMBERS
            few |= set(np.flatnonzero(~known).tolist())
            least = 2 if position < len(gaps) else 1
            if min(known[of == a].sum() for a in set(of.tolist())) < least:
                named = ", ".join(
                    f"{group_name(g)!r}: {n}" for g, n in zip(self.groups_, cases, strict=True)
                )
                raise ValueError(
                    f"{name} cannot be seen on the held-out rows: it needs {MIN_MEMBERS} cases in "
                    f"each of at least {least} groups, and they have {named}. A larger "
                    f"validation_fraction (now {self.validation_fraction}), more data or merged "
                    "groups would do."
                )
        if few:
            names = [self.groups_[g] for g in sorted(few)]
            warn(
                f"The groups {names} have fewer than {MIN_MEMBERS} held-out cases of what is "
                "compared: nothing is done about them there, and nothing promised. A larger "
                "validation_fraction or merged groups would do.",
            )

    def _prepare(self, *args: Any, **kwargs: Any) -> Plan:
        plan = super()._prepare(*args, **kwargs)
        previous = plan.previous
        if previous and _has_multipliers(previous["objective"]) != self._is_constrained:
            previous["objective"] = None  # it is of another objective
        return plan

    def _make_keeper(
        self, plan: Plan, recipe: Recipe, part: ValidationPart | None
    ) -> Multipliers | None:
        if not self._is_constrained or plan.data.groups is None:
            return None
        assert plan.valid is not None and part is not None
        compared = self._gaps()
        asked = Asked(
            gaps=() if compared is None else compared.names,
            tolerance=self.tolerance or 0.0,
            minimum={name: float(least) for name, least in (self.minimum or {}).items()},
            confidence=self.confidence,
            by_share=self.group_weights == "share",
            attribute_of=self._encoder.attribute_of,
            groups=[group_name(group) for group in self.groups_],
        )
        self._rate_names = asked.names
        rows = plan.all_rows.subset(plan.valid)
        return Multipliers(
            self._constraints(),
            asked,
            HeldOut(rows, self._weights_of(plan), self._first_is_positive()),
            recipe.batches.n_batches,
            None if self.monitor is None else Monitor(self.monitor, self, part),
        )

    def _weights_of(self, plan: Plan) -> torch.Tensor | None:
        """Weights of the held-out rows, without those of classes: no matter of the people."""
        weights = plan.data.weights
        if weights is None:
            return None
        if self.class_weight is not None:
            labels = self.classes_[plan.data.y]
            weights = weights / compute_sample_weight(self.class_weight, labels)
        return torch.from_numpy(weights[plan.valid]).to(plan.device, torch.float64)

    def _finish(self, plan: Plan) -> None:
        super()._finish(plan)
        keeper = dict(self.net_.callbacks_).get("skfair_keeper")
        if keeper is not None and plan.by_group:
            keeper.warn_if_missed()

    # -- what has been trained ----------------------------------------------------------------

    @property
    def multipliers_(self) -> pd.DataFrame:
        """Multipliers of the constraints (pandas.DataFrame), a row a rate, a column a group.

        The weight of a proxy of the decision in the loss of each case of the rate; there after a
        fit with ``tolerance`` or ``minimum``.
        """
        state = getattr(getattr(self, "net_", None), "objective_state_", None)
        if not _has_multipliers(state):
            raise AttributeError("multipliers_ is there after a fit with tolerance or minimum.")
        return pd.DataFrame(
            multipliers_of(self.net_),
            index=self._rate_names,
            columns=pd.Index(self.groups_, tupleize_cols=False),
        )


def _has_multipliers(state: Any) -> bool:
    """Whether the state of an objective is that of :func:`constrained_terms`."""
    return state is not None and state.ndim == 3 and state.shape[1] == 4
