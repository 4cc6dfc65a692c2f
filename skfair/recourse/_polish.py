"""Make an accepted profile as near as it can be without losing acceptance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ._decisions import Decisions
from ._profiles import Profiles

MAX_HALVINGS = 12
MAX_PASSES = 8


def polish(
    decisions: Decisions,
    profiles: Profiles,
    rows: np.ndarray,
    values: np.ndarray,
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Take changes back, wholly or by bisection, one entry after the other.

    Parameters
    ----------
    decisions : Decisions
        Of any classifier.
    profiles : Profiles
        Own profiles and constraints.
    rows : int ndarray of shape (n,)
        The people.
    values : ndarray of shape (n, n_values)
        Profiles that are accepted.
    distance : callable
        From values (m, n_values) and rows (m,) to (m,).

    Returns
    -------
    ndarray of shape (n, n_values)
        Accepted profiles, at most as far away.
    """
    values, own = values.copy(), profiles.own[rows]
    far = np.array(distance(values, rows))

    def offer(who: np.ndarray, candidate: np.ndarray) -> np.ndarray:
        """Take the candidate where it is accepted and nearer."""
        if not len(who):
            return np.zeros(0, dtype=bool)
        length = distance(candidate, rows[who])
        good = length < far[who]
        good[good] = decisions.likely_accepts(candidate[good], rows[who][good])
        values[who[good]], far[who[good]] = candidate[good], length[good]
        return good

    for passed in range(MAX_PASSES):
        differed = values != own
        for column in range(values.shape[1]):
            who = np.flatnonzero((values[:, column] != own[:, column]) & ~np.isnan(own[:, column]))
            candidate = values[who]
            candidate[:, column] = own[who, column]
            who = who[~offer(who, candidate)]
            if column >= len(profiles.numbers) or not len(who):
                continue
            near, step = np.zeros(len(who)), values[who, column] - own[who, column]
            reach = np.ones(len(who))
            for _ in range(MAX_HALVINGS):
                middle = (near + reach) / 2
                candidate = values[who]
                candidate[:, column] = own[who, column] + middle * step
                good = offer(who, profiles.permitted(candidate, rows[who]))
                near, reach = np.where(good, near, middle), np.where(good, middle, reach)
        if passed and (differed == (values != own)).all():
            break
    return values
