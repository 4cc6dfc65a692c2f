"""The best single threshold in each group: no decision is made by chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ._limits import InfeasibleError, Limits, rate_of
from ._roc import Curve, Rule, evenly

ROUNDING = 1e-9  # of rates that are compared
LATTICE = 300  # places for each side of a window of rates
REFINEMENTS = 3  # of the lattice, each around the best place so far


def group_thresholds(curves: Sequence[Curve], costs: np.ndarray, limits: Limits) -> list[Rule]:
    """Return the best threshold of each group as a rule; see :func:`best_thresholds`."""
    points = best_thresholds(curves, costs, limits)
    return [
        Rule.mixture(curve.thresholds[[point]], np.ones(1))
        for curve, point in zip(curves, points, strict=True)
    ]


def best_thresholds(curves: Sequence[Curve], costs: np.ndarray, limits: Limits) -> list[int]:
    """One threshold for each group: the best that meets the constraints.

    A rate rises as a threshold falls, so that the thresholds whose rates lie in a window as wide as
    the tolerance follow each other. With one rate every window that can matter is tried; with two
    those of a lattice, which is refined around the best.

    Parameters
    ----------
    curves : sequence of Curve
        All thresholds of each group.
    costs : ndarray of shape (2,)
        What accepting a row with label 0, or with label 1, adds to the cost.
    limits : Limits
        Constraints on the groups' rates.

    Returns
    -------
    list of int
        Point of each curve.

    Raises
    ------
    InfeasibleError
        If no thresholds meet the constraints.
    """
    ranges = [_Ranges(curve, costs, limits) for curve in curves]
    axes = [
        np.unique(np.concatenate([[0.0], *(r.rates[i] for r in ranges if r.rates[i] is not None)]))
        for i in range(len(limits.rates))
    ]
    whole = len(axes) < 2
    places = axes if whole else [evenly(axis, LATTICE) for axis in axes]
    best: tuple[float, list[float]] = (np.inf, [0.0] * len(axes))
    for _ in range(1 if whole else REFINEMENTS):
        total = np.zeros([len(values) for values in places])
        for each in ranges:
            total = total + each.least(*each.windows(places, limits.tolerance))
        at = tuple(int(k) for k in np.unravel_index(total.argmin(), total.shape)) if axes else ()
        if total[at] < best[0]:
            best = (float(total[at]), [p[k] for p, k in zip(places, at, strict=True)])
        places = [
            evenly(axis[(axis >= p[max(k - 1, 0)]) & (axis <= p[min(k + 1, len(p) - 1)])], LATTICE)
            for axis, p, k in zip(axes, places, at, strict=True)
        ]
    if not np.isfinite(best[0]):
        raise InfeasibleError("no thresholds meet these limits")
    chosen = []
    for each in ranges:
        first, end = each.windows([np.array([c]) for c in best[1]], limits.tolerance)
        start = int(first.flat[0])
        chosen.append(start + int(each.costs[start : int(end.flat[0])].argmin()))
    return chosen


class _Ranges:
    """The thresholds of a group whose rates lie in windows, and the least cost among them."""

    def __init__(self, curve: Curve, costs: np.ndarray, limits: Limits) -> None:
        self.costs = curve.accepted @ costs
        self.rates = [rate_of(curve, name) for name in limits.rates]
        floors = [(rate_of(curve, name), floor) for name, floor in limits.minimum.items()]
        self.first = max(
            (
                int(np.searchsorted(rate, floor - ROUNDING))
                for rate, floor in floors
                if rate is not None
            ),
            default=0,
        )
        self.least_of = [self.costs]  # of 1, 2, 4, 8 ... costs from each place on
        while (width := 2 ** (len(self.least_of) - 1)) * 2 <= len(self.costs):
            last = self.least_of[-1]
            self.least_of.append(np.minimum(last[:-width], last[width:]))

    def windows(self, lowest: list[np.ndarray], tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        """First place, and end, of the thresholds in each window of a lattice."""
        shape = [len(values) for values in lowest]
        first, end = np.full(shape, self.first), np.full(shape, len(self.costs))
        for i, (values, rate) in enumerate(zip(lowest, self.rates, strict=True)):
            if rate is not None:
                along = [len(values) if j == i else 1 for j in range(len(lowest))]
                low = np.searchsorted(rate, values - ROUNDING).reshape(along)
                high = np.searchsorted(rate, values + tolerance + ROUNDING, "right").reshape(along)
                first, end = np.maximum(first, low), np.minimum(end, high)
        return first, end

    def least(self, first: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Least cost in each range, infinite where there is nothing."""
        least = np.full(first.shape, np.inf)
        length = end - first
        level = np.frexp(np.maximum(length, 1))[1] - 1
        for k in np.unique(level[length > 0]):
            here = (level == k) & (length > 0)
            table, start = self.least_of[k], first[here]
            least[here] = np.minimum(table[start], table[end[here] - 2**k])
        return least
