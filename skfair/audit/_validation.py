"""What a network does on rows that are kept for choosing among several."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    count,
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
    selection_rate,
    true_positive_rate,
)
from sklearn.metrics import accuracy_score

from .._estimators import decision_arguments
from ..metrics import recourse_gap
from ._choice import MIN_CASES, MIN_PEOPLE, GroupRates
from ._subject import Groups


class Constraint(NamedTuple):
    """Something that a network is to keep small.

    Attributes
    ----------
    difference : callable or None
        fairlearn's metric of decisions; None is the recourse gap, of decision values.
    labels : tuple of int
        Outcomes of which a group needs cases; 1 is the favorable one.
    tolerance : float
        How large it may usually be.
    """

    difference: Callable[..., float] | None
    labels: tuple[int, ...]
    tolerance: float


CONSTRAINTS = {
    "demographic_parity": Constraint(demographic_parity_difference, (), 0.1),
    "equal_opportunity": Constraint(equal_opportunity_difference, (1,), 0.1),
    "equalized_odds": Constraint(equalized_odds_difference, (0, 1), 0.1),
    "recourse_gap": Constraint(None, (), 0.25),
}
# Of people, and of cases of a label, in groups that are compared: the second pair only if fewer
# than two groups reach the first.
MIN_SIZES = ((MIN_PEOPLE, MIN_CASES), (30, 10))


@dataclass
class Validation:
    """People, and a constraint on how their groups are treated.

    Attributes
    ----------
    X : DataFrame of shape (n, n_features)
        The people.
    favorable : int ndarray of shape (n,)
        1 where the outcome is the favorable one.
    accepting : label
        The favorable outcome.
    frame : DataFrame of shape (n, n_attributes)
        Sensitive features.
    constraint : str
        One of ``CONSTRAINTS``.
    groups : Groups
        Every combination that occurs.
    compared : bool ndarray of shape (n_groups,)
        Groups with enough people for the constraint; none if fewer than two have.
    min_sizes : tuple of int
        People, and cases of each label, that are enough.
    """

    X: pd.DataFrame
    favorable: np.ndarray
    accepting: Any
    frame: pd.DataFrame
    constraint: str
    groups: Groups = field(init=False)
    compared: np.ndarray = field(init=False)
    min_sizes: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        with warnings.catch_warnings():  # of people whose group is unknown: fit says it
            warnings.simplefilter("ignore", UserWarning)
            self.groups = Groups.of(self.frame)
        for min_people, min_cases in MIN_SIZES:
            self.min_sizes = min_people, min_cases
            self.compared = self._sizes() >= min_people
            for label in CONSTRAINTS[self.constraint].labels:
                self.compared &= self._sizes(self.favorable == label) >= min_cases
            if self.compared.sum() > 1:
                return
        self.compared = np.zeros_like(self.compared)

    def _sizes(self, among: Any = True) -> np.ndarray:
        known = (self.groups.codes >= 0) & among
        return np.bincount(self.groups.codes[known], minlength=len(self.groups.names))

    def is_decisive(self) -> bool:
        """Tell whether at least two groups are large enough."""
        return bool(self.compared.any())

    def small_groups(self) -> list[str]:
        """Name groups with fewer people than it takes to judge whether they are harmed."""
        small = self._sizes() < MIN_PEOPLE
        return [name for name, left in zip(self.groups.names, small, strict=True) if left]

    def compared_groups(self) -> list[str]:
        """Name the groups whose largest difference is the gap."""
        return [self.groups.names[k] for k in np.flatnonzero(self.compared)]

    def compared_text(self) -> str:
        """Say among which groups the gap is the largest difference; nothing if among all."""
        n, left = int(self.compared.sum()), int((~self.compared).sum())
        if not left:
            return ""
        people, cases = self.min_sizes
        outcomes = ("", f", {cases} of them with a favorable outcome", f", {cases} of each outcome")
        needed = outcomes[len(CONSTRAINTS[self.constraint].labels)]
        others = f"{left} {'other was' if left == 1 else 'others were'} too small"
        return f"among the {n} groups of at least {people} people{needed}; {others}"

    def evaluate(self, model: Any) -> tuple[float, float, GroupRates]:
        """Measure accuracy, gap and rates of the groups.

        Parameters
        ----------
        model : classifier
            A fitted one.

        Returns
        -------
        accuracy : float
            Share of decisions that agree with the data.
        gap : float
            The largest difference between two of the groups compared.
        rates : GroupRates
            Of all groups.
        """
        accepted = (np.asarray(model.predict(self.X)) == self.accepting).astype(int)
        rows = np.isin(self.groups.codes, np.flatnonzero(self.compared))
        sensitive = self.groups.codes[rows]
        difference = CONSTRAINTS[self.constraint].difference
        if difference is None:
            decision, label_info = decision_arguments(model, self.X[rows])
            gap = recourse_gap(decision, sensitive_features=sensitive, **label_info)
        else:
            gap = difference(self.favorable[rows], accepted[rows], sensitive_features=sensitive)
        return accuracy_score(self.favorable, accepted), float(gap), self._rates(accepted)

    def _rates(self, accepted: np.ndarray) -> GroupRates:
        known = self.groups.codes >= 0
        rates = MetricFrame(
            metrics={"n": count, "accepted": selection_rate, "tpr": true_positive_rate},
            y_true=self.favorable[known],
            y_pred=accepted[known],
            sensitive_features=self.groups.codes[known],
        ).by_group
        positives = self._sizes(self.favorable == 1)
        return GroupRates(
            self.groups.names,
            rates["n"].to_numpy(int),
            positives,
            rates["accepted"].to_numpy(float),
            rates["tpr"].where(positives > 0).to_numpy(float),
        )
