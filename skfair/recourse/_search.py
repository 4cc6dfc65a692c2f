"""Which method finds whose nearest accepted profile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import _genetic as genetic
from . import _gradient as gradient
from ._decisions import Affine, Decisions, Margin
from ._linear import cheapest_change
from ._polish import polish
from ._profiles import Profiles

BATCH_ROWS = 2048  # searched for together
N_STARTS = 3  # of the gradient search from each array of donors
MARGINS = (1e-9, 1e-6, 1e-4, 2e-3)  # by which the boundary of a linear decision is passed

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Search:
    """All people, some at a time, by the methods that suit.

    Parameters
    ----------
    decisions : Decisions
        Of the classifier.
    profiles : Profiles
        The people.
    lengths : callable
        Distance of values (m, n_values) of people (m,) from their own.
    kind : {"mad_l1", "l2"} or None
        Which distance that is, if it is one of these.
    max_iter : int
        Steps of the gradient search, or generations.
    rng : RandomState
        Source of chance.
    """

    def __init__(
        self,
        decisions: Decisions,
        profiles: Profiles,
        lengths: Distance,
        kind: str | None,
        max_iter: int,
        rng: np.random.RandomState,
    ) -> None:
        self.decisions, self.profiles, self.lengths = decisions, profiles, lengths
        self.is_known, self.kind = kind is not None, kind or "mad_l1"
        self.max_iter, self.rng = max_iter, rng

    def guides(self, method: str) -> tuple[Affine | None, Margin | None]:
        """Return a linear boundary, or log-odds, if the method is to follow them."""
        if method == "genetic" or not self.is_known:
            return None, None
        return self.decisions.linear, self.decisions.log_odds

    def check(self, method: str) -> None:
        """Raise a ValueError if the method does not suit."""
        if method == "gradient" and not any(self.guides(method)):
            raise ValueError(
                "method='gradient' needs distance='mad_l1' or 'l2', and a network of skfair or "
                "skorch, or a linear model, after steps that scale numbers and encode categories "
                "column by column; use 'genetic' or 'auto' for "
                f"{type(self.decisions.estimator).__name__}."
            )

    def __call__(
        self, method: str, donors: list[np.ndarray], progress: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Search for everybody.

        Parameters
        ----------
        method : {"auto", "gradient", "genetic"}
            As in :func:`~skfair.recourse.counterfactuals`.
        donors : list of ndarray of shape (n_donors, n_values)
            Accepted profiles, to start from; the gradient search takes some of each array.
        progress : tqdm
            Told of each step.

        Returns
        -------
        values : ndarray of shape (n, n_values)
            The own profile where nothing was found.
        found : bool ndarray of shape (n,)
            Whether the classifier accepts the profile.
        """
        n, (linear, log_odds) = len(self.profiles.own), self.guides(method)
        values, found = self.profiles.own.copy(), np.zeros(n, dtype=bool)
        for start in range(0, n, BATCH_ROWS):
            rows = np.arange(start, min(start + BATCH_ROWS, n))
            if linear is not None:
                self._keep(rows, self._project(rows, linear), values, found)
            rows = rows[~found[rows]]
            if log_odds is not None and len(rows):
                self._keep(rows, self._descend(rows, log_odds, donors, progress), values, found)
            rows = rows[~found[rows]]
            if method != "gradient" and len(rows):
                self._keep(rows, self._evolve(rows, donors, progress), values, found)
        return values, found

    def _keep(
        self, rows: np.ndarray, candidate: np.ndarray, values: np.ndarray, found: np.ndarray
    ) -> None:
        """Keep what the estimator itself accepts."""
        accepted = self.decisions.accepts(candidate, rows)
        values[rows[accepted]], found[rows[accepted]] = candidate[accepted], True

    def _project(self, rows: np.ndarray, linear: Affine) -> np.ndarray:
        """Nearest points on the other side of a linear boundary."""
        profiles = self.profiles
        slopes = np.broadcast_to(linear.matrix[:, 0], (len(rows), profiles.width))
        values, left = profiles.own[rows], np.arange(len(rows))
        for margin in MARGINS:
            who = rows[left]
            needed = -linear.own[who, 0] * (1 + margin) + 1e-12
            values[left] = cheapest_change(profiles, who, slopes[left], needed, self.kind)
            left = left[~self.decisions.accepts(values[left], who)]
            if not len(left):
                break
        return values

    def _descend(
        self, rows: np.ndarray, log_odds: Margin, donors: list, progress: Any
    ) -> np.ndarray:
        """Best of what the gradient leads to from the own profile and the nearest donors."""
        own = self.profiles.own[rows][:, None]
        nearest = [self._nearest(pool, rows, N_STARTS) for pool in donors]
        starts = np.concatenate([own, *nearest], axis=1)
        n, k, width = starts.shape
        flat, who = starts.reshape(-1, width), np.repeat(rows, k)
        values, found = gradient.search(
            log_odds, self.profiles, who, flat, self.kind, self.max_iter, progress
        )
        missing = ~found  # a donor's profile is itself an answer
        found[missing] = self.decisions.likely_accepts(flat[missing], who[missing])
        values = np.where((missing & found)[:, None], flat, values)
        values[found] = polish(
            self.decisions, self.profiles, who[found], values[found], self.lengths
        )
        lengths = np.where(found, self.lengths(values, who), np.inf).reshape(n, k)
        return values.reshape(n, k, width)[np.arange(n), lengths.argmin(axis=1)]

    def _evolve(self, rows: np.ndarray, donors: list, progress: Any) -> np.ndarray:
        own = self.profiles.own[rows][:, None]
        nearest = self._nearest(np.concatenate(donors), rows, genetic.POPULATION_SIZE)
        starts = np.concatenate([own, nearest], axis=1)
        values, found = genetic.search(
            self.decisions,
            self.profiles,
            rows,
            starts,
            self.lengths,
            self.max_iter,
            self.rng,
            progress,
        )
        values[found] = polish(
            self.decisions, self.profiles, rows[found], values[found], self.lengths
        )
        return values

    def _nearest(self, donors: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
        """Find the profiles nearest to each person, as far as permitted, (n, k, n_values)."""
        profiles, own = self.profiles, self.profiles.own[rows]
        if not len(donors):
            return own[:, None]
        k = min(k, len(donors))
        nearest = np.empty((len(rows), k), dtype=int)
        for part in np.array_split(np.arange(len(rows)), max(1, len(rows) // 128)):
            far = profiles.distance(donors[None], own[part][:, None], self.kind)
            nearest[part] = np.argpartition(far, k - 1, axis=1)[:, :k]
        flat = donors[nearest].reshape(-1, own.shape[1])
        return profiles.permitted(flat, np.repeat(rows, k)).reshape(len(rows), k, -1)
