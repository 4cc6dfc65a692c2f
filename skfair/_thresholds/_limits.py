"""Rates of groups, limits on them, and what decisions cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._tables import numbers
from ._roc import Curve

# What each rate counts of the rows with label 0 and with label 1.
RATES = {
    "selection_rate": np.array([1.0, 1.0]),
    "true_positive_rate": np.array([0.0, 1.0]),
    "false_positive_rate": np.array([1.0, 0.0]),
}
CONSTRAINTS = {
    "demographic_parity": ("selection_rate",),
    "equal_opportunity": ("true_positive_rate",),
    "false_positive_rate_parity": ("false_positive_rate",),
    "equalized_odds": ("true_positive_rate", "false_positive_rate"),
}


class InfeasibleError(ValueError):
    """No rule meets the constraints."""


class Limits(NamedTuple):
    """What a rule must keep to.

    Attributes
    ----------
    rates : sequence of str
        Rates that may differ between two groups by ``tolerance`` at most.
    tolerance : float
        In [0, 1].
    minimum : dict of str to float
        Least value of a rate in each group.
    """

    rates: Sequence[str] = ()
    tolerance: float = 0.0
    minimum: Mapping[str, float] = {}


class Rows(NamedTuple):
    """The rows that thresholds are chosen on.

    Attributes
    ----------
    scores, weights : float64 ndarray of shape (n,)
        Finite scores, and positive weights.
    y : int64 ndarray of shape (n,)
        1 is the favorable label, 0 the other.
    members : bool ndarray of shape (n, n_groups)
        The groups that a row belongs to, one for each attribute.
    cells : int64 ndarray of shape (n,)
        The cell of each row, -1 if it has none.
    posterior : ndarray of shape (n, n_cells) or None
        Probability of each cell, where rules may not know it.
    """

    scores: np.ndarray
    weights: np.ndarray
    y: np.ndarray
    members: np.ndarray
    cells: np.ndarray
    posterior: Any = None

    def by_label(self) -> np.ndarray:
        """Weights (n, 2), in the column of each row's label."""
        return np.stack([self.y == 0, self.y == 1], axis=1) * self.weights[:, np.newaxis]

    def rates(self, acceptance: np.ndarray) -> dict[str, list[float]]:
        """Columns of a table with a row for each group, given probabilities of acceptance (n,)."""
        counts = self.members.T @ self.by_label()
        accepted = self.members.T @ (self.by_label() * acceptance[:, np.newaxis])
        columns = {"n": counts.sum(axis=1), "base_rate": counts[:, 1] / counts.sum(axis=1)}
        for name, counted in RATES.items():
            cases = counts @ counted
            empty = np.full(len(cases), np.nan)
            columns[name] = np.divide(accepted @ counted, cases, out=empty, where=cases > 0)
        return {name: values.tolist() for name, values in columns.items()}


def acceptance_costs(objective: Any, counts: np.ndarray) -> np.ndarray:
    """Return what accepting a row with label 0, or with label 1, adds to the cost, (2,).

    Raises
    ------
    ValueError
        If ``objective`` is no matrix of costs.
    """
    if isinstance(objective, str):
        per_row = np.ones(2) if objective == "accuracy" else 1 / counts
    else:
        costs = numbers(objective, "objective")
        per_row = np.diff(costs, axis=1).ravel() * [1, -1] if costs.shape == (2, 2) else np.zeros(2)
        if (per_row < 0).any() or not per_row.any():
            raise ValueError(
                "objective must be a matrix of shape (2, 2) whose right decisions, on the "
                f"diagonal, cost less than wrong ones; got {costs.tolist()}."
            )
    per_row = per_row / (per_row @ counts)
    return np.array([per_row[0], -per_row[1]])


def rate_of(curve: Curve, name: str) -> np.ndarray | None:
    """Return a rate at every threshold (n_thresholds,), if there are cases."""
    cases = curve.counts @ RATES[name]
    return curve.accepted @ RATES[name] / cases if cases > 0 else None
