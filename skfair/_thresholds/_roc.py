"""ROC curves: what thresholds on a score accept, their mixtures, and how far these reach."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.isotonic import isotonic_regression

TIE_TOLERANCE = 1e-12  # relative; far above what rounding does to equal scores
SURE = 1e-9  # from 0 or 1: no chance, but rounding


class Curve(NamedTuple):
    """Thresholds on a score, and what each accepts.

    Attributes
    ----------
    thresholds : ndarray of shape (n_thresholds,)
        Descending, from inf (nobody) to -inf (everybody); scores at or above one are accepted.
    accepted : ndarray of shape (n_thresholds, 2)
        (Weighted) number of rows with label 0 and with label 1 that are accepted.
    """

    thresholds: np.ndarray
    accepted: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Number of all rows with label 0 and with label 1."""
        return self.accepted[-1]

    def select(self, points: np.ndarray) -> Curve:
        """Return the curve at some of its points."""
        return Curve(self.thresholds[points], self.accepted[points])


def roc_curve(scores: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Curve:
    """Every set of rows that a threshold can accept.

    Parameters
    ----------
    scores : float64 ndarray of shape (n,)
        Finite scores; equal ones, but for rounding, are accepted together.
    y : ndarray of shape (n,)
        Labels 0 and 1.
    weights : float64 ndarray of shape (n,)
        Positive weights.

    Returns
    -------
    Curve
        Thresholds lie in the middle between two scores.
    """
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    cumulated = np.zeros((len(scores) + 1, 2))
    for label in (0, 1):
        np.cumsum(np.where(y[order] == label, weights[order], 0.0), out=cumulated[1:, label])
    upper, lower = scores[:-1], scores[1:]
    apart = upper - lower > TIE_TOLERANCE * np.maximum(np.abs(upper), np.abs(lower))
    ends = np.flatnonzero(apart)
    upper, lower = upper[ends], lower[ends]
    middle = lower / 2 + upper / 2
    middle = np.where((middle > lower) & (middle <= upper), middle, upper)
    points = np.concatenate([[0], ends + 1, [len(scores)]])
    return Curve(np.concatenate([[np.inf], middle, [-np.inf]]), cumulated[points])


def hull_points(curve: Curve) -> np.ndarray:
    """Points of a curve that are corners of its convex hull, from nobody to everybody.

    Isotonic regression finds them: its blocks are the edges of the hull (T. Fawcett and A.
    Niculescu-Mizil, PAV and the ROC Convex Hull, 2007).
    """
    steps = np.diff(curve.accepted, axis=0)
    sizes = steps.sum(axis=1)
    share = steps[:, 1] / sizes
    is_corner = np.zeros(len(curve.thresholds), dtype=bool)
    is_corner[[0, -1]] = True
    for increasing in (False, True):  # above the curve, and below it
        blocks = isotonic_regression(share, sample_weight=sizes, increasing=increasing)
        is_corner[1:-1] |= np.diff(blocks) != 0
    return np.flatnonzero(is_corner)


class Rule(NamedTuple):
    """Probability of acceptance, which rises with the score at thresholds.

    Attributes
    ----------
    thresholds : ndarray of shape (n_thresholds,)
        Ascending.
    acceptance : ndarray of shape (n_thresholds + 1,)
        Below the first, from each up to the next, and from the last on; between 0 and 1.
    """

    thresholds: np.ndarray
    acceptance: np.ndarray

    @classmethod
    def mixture(cls, thresholds: np.ndarray, weights: np.ndarray) -> Rule:
        """Accept by one of the thresholds, drawn with these weights, which sum to one."""
        order = np.argsort(thresholds)
        order = order[weights[order] > 0]
        acceptance = np.append(0.0, np.cumsum(weights[order]))
        acceptance[-1] = 1.0  # but for rounding
        return cls(thresholds[order], acceptance)

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Probability of acceptance (n,) of finite scores (n,)."""
        return self.acceptance[np.searchsorted(self.thresholds, scores, side="right")]


class Rules(NamedTuple):
    """Rules for cells of rows, and one for rows whose cell is not known.

    Attributes
    ----------
    pooled : Rule
        Where the cell is not known.
    of_cells : list of Rule
        One for each cell.
    """

    pooled: Rule
    of_cells: list[Rule]

    def by_cell(self, scores: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """Probability of acceptance (n,); cell -1 is not known."""
        acceptance = self.pooled(scores)
        for cell, rule in enumerate(self.of_cells):
            rows = cells == cell
            acceptance[rows] = rule(scores[rows])
        return acceptance

    def by_posterior(self, scores: np.ndarray, posterior: np.ndarray) -> np.ndarray:
        """Probability of acceptance (n,), given those (n, n_cells) of each cell, if any is."""
        rest = np.clip(1 - posterior.sum(axis=1), 0, 1)
        mixed = rest * self.pooled(scores)
        for rule, probability in zip(self.of_cells, posterior.T, strict=True):
            mixed += probability * rule(scores)
        return np.where(mixed > 1 - SURE, 1.0, np.where(mixed < SURE, 0.0, mixed))


def evenly(values: np.ndarray, n: int) -> np.ndarray:
    """``n`` of the values, the first and the last among them, or all if there are fewer."""
    return values[np.linspace(0, len(values) - 1, min(len(values), n)).astype(np.int64)]
