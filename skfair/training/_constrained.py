"""Estimators that are told a tolerance, not a weight."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
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
from ..objectives.constraints import STEP, Constraints, Rates, constrained_terms
from ..objectives.penalties import PENALTIES, STATISTICS
from ._base import NeuralClassifier, Plan
from ._monitor import Monitor, ValidationPart
from ._multipliers import (
    PLAIN_SHARE,
    Asked,
    HeldOut,
    Multipliers,
    are_enough,
    count_cases,
    multipliers_of,
)
from ._outcome import BeforeAndAfter
from ._recipe import Recipe
from ._rows import TrainingData, split_off

AIM = 0.5  # share of the tolerance: what is held out is seen with noise
AIM_OF_BOUND = 0.25  # where its upper bound is to be within tolerance
FLOORS: Mapping[str, Rates] = {
    name: STATISTICS[name].rates for name in ("selection_rate", "tpr", "tnr", "accuracy")
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
    of_decisions : bool, default=True
        Whether they are shares of decisions, or else means of any size.
    """

    names: tuple[str, ...]
    rates: Rates
    of_decisions: bool = True


CONSTRAINED = {
    name: Compared(of, PENALTIES[name].rates)
    for name, of in {
        "demographic_parity": ("selection_rate",),
        "equal_opportunity": ("tpr",),
        "equalized_odds": ("fpr", "tpr"),
        "predictive_parity": ("precision",),
    }.items()
} | {
    name: Compared((name,), statistic.rates)
    for name, statistic in STATISTICS.items()
    if statistic.binary
}


class ConstrainedTraining(NeuralClassifier):
    """Mixin for estimators with ``tolerance``, and ``confidence`` and ``minimum`` if they state so.

    A subclass says what is compared, and in :meth:`_make_objective` hands an objective of its own,
    without the term that ``tolerance`` takes the place of, to :meth:`_with_constraints`.
    """

    tolerance: float | None
    confidence: float | None = None
    minimum: Mapping[str, float] | None = None
    _rate_names: list[str]
    _multiplier_step = STEP

    # -- what a subclass states ---------------------------------------------------------------

    @abstractmethod
    def _compared(self) -> Compared:
        """Return what ``tolerance`` is about."""

    def _without_effect(self) -> Mapping[str, Any]:
        """Return the parameters that have to have these values where there are constraints."""
        return {}

    # -- parameters ---------------------------------------------------------------------------

    @property
    def _is_constrained(self) -> bool:
        return self.tolerance is not None or (isinstance(self.minimum, dict) and bool(self.minimum))

    def _validate_params(self) -> None:
        super()._validate_params()
        if self._is_constrained:
            for name, needed in self._without_effect().items():
                if (given := getattr(self, name)) != needed:
                    raise ValueError(
                        f"{name}={given!r} is about the weighted term, which constraints do "
                        f"without: they need {name}={needed!r}."
                    )
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

    def _wants_groups(self) -> bool:
        return self._is_constrained or super()._wants_groups()

    # -- training -----------------------------------------------------------------------------

    def _constraints(self) -> Constraints:
        gaps, minimum = self._gaps(), self.minimum or {}
        of_decisions = gaps is None or gaps.of_decisions
        return Constraints(
            gaps=() if gaps is None else (gaps.rates,),
            floors=tuple(FLOORS[name] for name in minimum),
            least=tuple(map(float, minimum.values())),
            aim=(AIM if self.confidence is None else AIM_OF_BOUND) * (self.tolerance or 0.0),
            attribute_of=tuple(self._encoder.attribute_of),
            first_positive=of_decisions and list(self._favorable_codes() or ()) == [0],
            of_decisions=of_decisions,
            step=self._multiplier_step,
        )

    def _with_constraints(
        self, objective: Objective, decay: float, weight: float = 1.0
    ) -> Objective:
        """Add the constraints, remembered with ``decay``, to an objective that keeps no state.

        ``weight`` is that of the cross-entropy in the objective.
        """
        terms = partial(
            constrained_terms,
            terms=objective.terms,
            constraints=self._constraints(),
            decay=decay,
        )
        weights = {**objective.weights, "constraints": weight}
        return replace(objective, terms=terms, weights=weights, decay=None, gradient=None)

    def _split_validation(
        self, data: TrainingData, rng: np.random.RandomState
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        if not self._is_constrained or data.groups is None:
            return super()._split_validation(data, rng)
        train, valid = split_off(data, self.validation_fraction, rng)
        self._check_cases(data, valid)
        return train, valid

    def _check_cases(self, data: TrainingData, valid: np.ndarray) -> None:
        """Refuse what cannot be seen on the held-out rows, and name the groups left out."""
        asked, of, few = self._asked(), np.array(self._encoder.attribute_of), set()
        weights = self._held_out_weights(data, valid)
        uneven = weights is not None and not torch.allclose(weights, weights[:1])
        weighted = ", as uneven sample_weight counts them" if uneven else ""
        for position, (name, cases) in enumerate(
            zip(asked.names, self._n_cases(data, valid, weights), strict=True)
        ):
            if np.isnan(cases).any():  # decisions will say
                continue
            known = are_enough(cases)
            few |= set(np.flatnonzero(~known).tolist())
            least = 2 if position < len(asked.gaps) else 1
            if min(known[of == a].sum() for a in set(of.tolist())) < least:
                named = ", ".join(
                    f"{group!r}: {n:.0f}" for group, n in zip(asked.groups, cases, strict=True)
                )
                raise ValueError(
                    f"{name} cannot be seen on the held-out rows: it needs {MIN_MEMBERS} cases in "
                    f"each of at least {least} groups, and they have {named}{weighted}. A larger "
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

    def _n_cases(
        self, data: TrainingData, valid: np.ndarray, weights: torch.Tensor | None
    ) -> np.ndarray:
        """Effective number of each rate's cases, (n_rates, n_groups), NaN if decisions say who."""
        assert data.groups is not None
        y, groups = torch.from_numpy(data.y[valid]), torch.from_numpy(data.groups[valid])
        constraints = self._constraints()
        of_all = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
        one, other = (constraints.values(d.expand(len(y), 2), y)[1] for d in of_all)
        _, counted = count_cases(
            one if weights is None else one * weights, groups, len(self.groups_)
        )
        depends = (one != other).any(1, keepdim=True)
        return counted.masked_fill(depends, torch.nan).numpy()

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
        asked, compared = self._asked(), None
        self._rate_names = asked.names
        if plan.by_group and self._favorable_codes() is not None:
            compared = BeforeAndAfter(self, plan.all_rows.inputs["X"], plan.data)
        weights = self._held_out_weights(plan.data, plan.valid)
        n_plain = 0 if plan.previous else round(PLAIN_SHARE * plan.epochs)
        return Multipliers(
            self._constraints(),
            asked,
            HeldOut(
                plan.all_rows.subset(plan.valid),
                None if weights is None else weights.to(plan.device),
            ),
            plan.epochs,
            recipe.batches.n_batches,
            max(n_plain * recipe.batches.n_batches, recipe.warmup_steps - plan.steps_before),
            compared,
            None if self.monitor is None else Monitor(self.monitor, self, part),
        )

    def _asked(self) -> Asked:
        gaps = self._gaps()
        return Asked(
            gaps=() if gaps is None else gaps.names,
            tolerance=self.tolerance or 0.0,
            minimum={name: float(least) for name, least in (self.minimum or {}).items()},
            confidence=self.confidence,
            by_share=self.group_weights == "share",
            attribute_of=self._encoder.attribute_of,
            groups=[group_name(group) for group in self.groups_],
        )

    def _held_out_weights(self, data: TrainingData, valid: np.ndarray) -> torch.Tensor | None:
        """Weights of the held-out rows, without those of classes: no matter of the people."""
        weights = data.weights
        if weights is None:
            return None
        if self.class_weight is not None:
            weights = weights / compute_sample_weight(self.class_weight, self.classes_[data.y])
        return torch.from_numpy(weights[valid].astype(np.float64))

    def _finish(self, plan: Plan) -> None:
        super()._finish(plan)
        keeper = self._keeper()
        if keeper is not None and plan.by_group:
            keeper.warn_if_missed(self.validation_fraction)

    def _warn_of_who_pays(self, plan: Plan) -> None:
        keeper = self._keeper()
        if keeper is None or keeper.compared is None or not keeper.compared.is_complete:
            super()._warn_of_who_pays(plan)
            return
        remedy = "a larger tolerance takes less"
        if "minimum" in self.get_params():
            remedy += ", and minimum= asks for least rates of every group"
        keeper.compared.warn_of_worse(keeper.asked.groups, remedy)

    def _keeper(self) -> Multipliers | None:
        return dict(self.net_.callbacks_).get("skfair_keeper")

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
