"""The best mixture of thresholds in each group, by linear programming.

A rule accepts, in each cell of rows (a group, or a combination of groups), by a mixture of
thresholds. Every rate of every group is linear in the weights of the mixture, and so is the cost:
the best rule solves a linear program over the corners of the cells' ROC hulls (M. Hardt, E. Price,
N. Srebro, Equality of Opportunity in Supervised Learning, 2016; A. F. Cruz and M. Hardt,
Unprocessing Seven Years of Algorithmic Fairness, 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack

from ._limits import RATES, InfeasibleError, Limits, Rows
from ._roc import Curve, Rule, evenly, hull_points, roc_curve

SOLVER = {"dual_feasibility_tolerance": 1e-10}  # costs of small groups are small
NEGLIGIBLE = 1e-9  # weight in a mixture
MIXED = 200  # thresholds, at most, that a mixture is looked for among, beside the corners


@dataclass
class Candidates:
    """Thresholds, each of a cell of rows, that a rule mixes.

    Attributes
    ----------
    cells : int64 ndarray of shape (n_candidates,)
        Cell of each.
    thresholds : ndarray of shape (n_candidates,)
        Scores at or above one are accepted.
    accepted : ndarray of shape (n_candidates, n_groups, 2)
        (Weighted) number of rows of each group and label that it accepts in its cell.
    counts : ndarray of shape (n_groups, 2)
        Number of rows of each group and label.
    costs : ndarray of shape (n_candidates,)
        What accepting these rows adds to the cost.
    """

    cells: np.ndarray
    thresholds: np.ndarray
    accepted: np.ndarray
    counts: np.ndarray
    costs: np.ndarray

    @classmethod
    def of_cells(
        cls, curves: Sequence[Curve], members: np.ndarray, costs: np.ndarray
    ) -> Candidates:
        """Corners of each cell's hull, where the cell of a row is known.

        Parameters
        ----------
        curves : sequence of Curve
            All thresholds of each cell.
        members : bool ndarray of shape (n_cells, n_groups)
            Which groups the rows of a cell belong to.
        costs : ndarray of shape (2,)
            What accepting a row with label 0, or with label 1, adds to the cost.
        """
        corners = [curve.select(hull_points(curve)) for curve in curves]
        cells = np.repeat(np.arange(len(curves)), [len(each.thresholds) for each in corners])
        accepted = np.concatenate([each.accepted for each in corners])
        counts = members.T @ np.array([curve.counts for curve in curves])
        return cls(
            cells,
            np.concatenate([each.thresholds for each in corners]),
            accepted[:, np.newaxis] * members[cells][:, :, np.newaxis],
            counts,
            accepted @ costs,
        )

    @classmethod
    def of_posterior(cls, rows: Rows, costs: np.ndarray) -> Candidates:
        """Thresholds where a row is in each cell with a probability, and accepted accordingly.

        Parameters
        ----------
        rows : Rows
            With ``posterior``.
        costs : ndarray of shape (2,)
            As in :meth:`of_cells`.
        """
        pooled = roc_curve(rows.scores, rows.y, rows.weights)
        points = evenly(np.arange(len(pooled.thresholds)), MIXED)
        thresholds = pooled.thresholds[np.union1d(points, hull_points(pooled))]
        place = np.searchsorted(-thresholds, -rows.scores)  # of the first that accepts
        of_label = rows.by_label()
        kinds = np.hstack([of_label, *(of_label[:, [label]] * rows.members for label in (0, 1))])
        n, n_groups = len(thresholds), rows.members.shape[1]
        accepted = []
        for probability in rows.posterior.T:
            at = csr_array((probability, (place, np.arange(len(place)))), (n, len(place)))
            accepted.append(np.cumsum(at @ kinds, axis=0))
        added = np.concatenate(accepted)
        return cls(
            np.repeat(np.arange(len(accepted)), n),
            np.tile(thresholds, len(accepted)),
            added[:, 2:].reshape(-1, 2, n_groups).swapaxes(1, 2),
            kinds[:, 2:].sum(axis=0).reshape(2, n_groups).T,
            added[:, :2] @ costs,
        )

    def rates(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return what each adds to a rate, (n_candidates, n_known), and which groups have it."""
        cases = self.counts @ RATES[name]
        known = np.flatnonzero(cases > 0)
        return self.accepted[:, known] @ RATES[name] / cases[known], known


def group_rules(
    curves: Sequence[Curve], members: np.ndarray, costs: np.ndarray, limits: Limits
) -> list[Rule]:
    """Return the best rule of each cell, with as little chance as it needs.

    Parameters
    ----------
    curves, members, costs
        As in :meth:`Candidates.of_cells`.
    limits : Limits
        Constraints on the groups' rates.

    Returns
    -------
    list of Rule
        One for each cell.
    """
    candidates = Candidates.of_cells(curves, members, costs)
    weights = best_mixture(candidates, limits)
    rules = []
    for cell, curve in enumerate(curves):
        own = candidates.cells == cell
        corners = candidates.thresholds[own]
        point = weights[own] @ curve.accepted[np.searchsorted(-curve.thresholds, -corners)]
        rules.append(Rule.mixture(*least_random(curve, point)))
    return rules


def inferred_rules(rows: Rows, costs: np.ndarray, limits: Limits) -> list[Rule]:
    """Return the best rule of each cell where a row is in each with a probability.

    Parameters are those of :meth:`Candidates.of_posterior`, and limits on the rates of the groups
    that rows do belong to.
    """
    candidates = Candidates.of_posterior(rows, costs)
    weights = best_mixture(candidates, limits)
    return [
        Rule.mixture(candidates.thresholds[own], weights[own])
        for own in (candidates.cells == cell for cell in range(rows.posterior.shape[1]))
    ]


def best_mixture(candidates: Candidates, limits: Limits) -> np.ndarray:
    """Weights of the candidates in the best rule, by linear programming.

    Parameters
    ----------
    candidates : Candidates
        What is mixed.
    limits : Limits
        Constraints on the groups' rates; a group without the cases of a rate has none.

    Returns
    -------
    ndarray of shape (n_candidates,)
        Weights, which sum to one in each cell.

    Raises
    ------
    InfeasibleError
        If no rule meets the constraints.
    """
    n, n_rates = len(candidates.cells), len(limits.rates)
    # the last n_rates variables are the lowest rate of a group: rate - lowest is in [0, tolerance]
    above, bounds = [], []
    for i, name in enumerate(limits.rates):
        added = candidates.rates(name)[0].T
        lowest = np.zeros((len(added), n_rates))
        lowest[:, i] = 1
        above += [np.hstack([added, -lowest]), np.hstack([-added, lowest])]
        bounds += [np.full(len(added), limits.tolerance), np.zeros(len(added))]
    for name, floor in limits.minimum.items():
        added = candidates.rates(name)[0].T
        above.append(np.hstack([-added, np.zeros((len(added), n_rates))]))
        bounds.append(np.full(len(added), -floor))
    cells = _one_in_each(candidates.cells, n)
    solution = linprog(
        np.concatenate([candidates.costs, np.zeros(n_rates)]),
        A_ub=csr_array(np.vstack(above)) if above else None,
        b_ub=np.concatenate(bounds) if bounds else None,
        A_eq=hstack([cells, csr_array((cells.shape[0], n_rates))], format="csr"),
        b_eq=np.ones(cells.shape[0]),
        bounds=(0, 1),
        method="highs-ds",
        options=SOLVER,
    )
    if solution.status == 2:
        raise InfeasibleError("no thresholds meet these limits")
    if solution.status != 0:
        raise RuntimeError(f"The linear program was not solved: {solution.message}")
    return _clean(solution.x[:n], candidates.cells)


def _one_in_each(cells: np.ndarray, n: int) -> csr_array:
    """Matrix (n_cells, n) that adds up the weights in each cell."""
    return csr_array((np.ones(n), (cells, np.arange(n))))


def _clean(weights: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Weights without what is rounding."""
    weights = np.where(weights > NEGLIGIBLE, weights, 0.0)
    return weights / np.bincount(cells, weights)[cells]


def least_random(curve: Curve, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mixture of thresholds that reaches a point of the hull with as little chance as possible.

    The number of accepted rows then varies least. Between two neighbors on the hull these two are
    mixed; a point inside takes three thresholds at most.

    Parameters
    ----------
    curve : Curve
        All thresholds of a cell.
    point : ndarray of shape (2,)
        Expected number of accepted rows with label 0 and with label 1, in the hull of the curve.

    Returns
    -------
    thresholds, weights : ndarray of shape (n_mixed,)
        The mixture.
    """
    present = curve.counts > 0
    curve = curve.select(_around(curve, point))
    shares = curve.accepted[:, present] / curve.counts[present]
    size = curve.accepted.sum(axis=1) / curve.counts.sum()
    exact = np.abs(shares - point[present] / curve.counts[present]).max(axis=1) <= NEGLIGIBLE
    if exact.any():
        return curve.thresholds[exact][:1], np.ones(1)
    solution = linprog(
        size**2,
        A_eq=np.vstack([shares.T, np.ones(len(shares))]),
        b_eq=np.append(point[present] / curve.counts[present], 1.0),
        method="highs-ds",
        options=SOLVER,
    )
    if solution.status != 0:
        raise RuntimeError(f"The linear program was not solved: {solution.message}")
    weights = _clean(solution.x, np.zeros(len(size), dtype=np.int64))
    mixed = weights > 0
    return curve.thresholds[mixed], weights[mixed]


def _around(curve: Curve, point: np.ndarray) -> np.ndarray:
    """Corners of the hull, some points in between, and those that accept as many as ``point``."""
    n = len(curve.thresholds)
    near = np.searchsorted(curve.accepted.sum(axis=1), point.sum())
    nearest = np.arange(max(0, near - MIXED // 2), min(n, near + MIXED // 2))
    return np.unique(np.concatenate([hull_points(curve), evenly(np.arange(n), MIXED), nearest]))
