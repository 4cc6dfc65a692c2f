"""Search along the gradient: the nearest boundary of ever new linearizations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._decisions import Margin
from ._linear import cheapest_change
from ._profiles import Profiles

ACCEPTANCE_MARGIN = 1e-4  # log-odds by which an accepted profile is to be accepted
OVERSHOOT = 1.05  # times the way to the boundary that is aimed for
OVERSHOOT_GROWTH = 1.1  # its growth in each step until a profile is accepted
STEP_DECAY, MIN_STEP = 0.8, 0.05  # share of the way to the goal, after each step that failed


def search(
    log_odds: Margin,
    profiles: Profiles,
    rows: np.ndarray,
    starts: np.ndarray,
    kind: str,
    max_iter: int,
    progress: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest accepted profiles that were met.

    In each step the decision is linearized where the search stands, and the profile nearest to the
    person's *own* that this linear decision accepts is the next goal. Numbers move part of the way,
    categories at once.

    Parameters
    ----------
    log_odds : Margin
        Of acceptance.
    profiles : Profiles
        Own profiles and constraints.
    rows : int ndarray of shape (n,)
        The people; each may occur several times, with several starts.
    starts : ndarray of shape (n, n_values)
        Where to start.
    kind : {"mad_l1", "l2"}
        Distance.
    max_iter : int
        Number of steps.
    progress : tqdm
        Told of each step.

    Returns
    -------
    values : ndarray of shape (n, n_values)
        The own profile where nothing was found.
    found : bool ndarray of shape (n,)
        Whether it is accepted.
    """
    p, own = len(profiles.numbers), profiles.own[rows]
    at, pace, beyond = starts.copy(), np.ones(len(rows)), np.full(len(rows), OVERSHOOT)
    best, nearest = own.copy(), np.full(len(rows), np.inf)
    for _ in range(max_iter):
        margin, slope = log_odds.with_slope(at, rows)
        distance = profiles.distance(at, own, kind)
        better = (margin > 0) & (distance < nearest)
        best[better], nearest[better] = at[better], distance[better]
        back = profiles.features(own) - profiles.features(at)
        at_own = margin + (slope * back).sum(axis=1)  # what the linearization says of the own one
        beyond = np.where(np.isinf(nearest), beyond * OVERSHOOT_GROWTH, OVERSHOOT)
        needed = beyond * np.maximum(ACCEPTANCE_MARGIN - at_own, 0)
        whole = kind == "mad_l1"  # under l2 it takes long, and rounding comes anyway
        goal = cheapest_change(profiles, rows, slope, needed, kind, whole)
        pace = np.where(better, 1.0, np.maximum(pace * STEP_DECAY, MIN_STEP))
        step = goal.copy()
        step[:, :p] = at[:, :p] + pace[:, None] * (goal[:, :p] - at[:, :p])
        at = profiles.permitted(step, rows)
        progress.update()
    return best, np.isfinite(nearest)
