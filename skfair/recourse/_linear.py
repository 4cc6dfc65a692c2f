"""The cheapest change of profile that a linear decision asks for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from ._profiles import Profiles

OPEN_TOLERANCE = 1e-12  # share of what is needed that may be left open for rounding
MAX_ROUNDED_COLUMNS = 4  # whole columns whose roundings are all tried, under l2
STEPS_TAKEN_BACK = range(-1, 6)  # whole steps by which the last number changed is taken back

# What numbers have to gain, (n,) -> their steps (n, p), and what stays open (n,).
Change = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def cheapest_change(
    profiles: Profiles,
    rows: np.ndarray,
    slopes: np.ndarray,
    needed: np.ndarray,
    kind: str,
    whole: bool = True,
) -> np.ndarray:
    """Find the nearest profiles that gain what is needed, exact for numbers and categories.

    All categories cost the same: if k of them change, these are the k that gain most, and numbers
    have to gain the rest. The cheapest k is taken. Whole numbers are rounded, by search of the
    neighborhood.

    Parameters
    ----------
    profiles : Profiles
        Own profiles, scales and constraints.
    rows : int ndarray of shape (n,)
        The people.
    slopes : ndarray of shape (n, width)
        What a unit of each feature gains.
    needed : ndarray of shape (n,)
        What has to be gained; where that is nothing, or cannot be had, as much as possible changes.
    kind : {"mad_l1", "l2"}
        Distance.
    whole : bool, default=True
        Whether whole numbers move by whole steps.

    Returns
    -------
    ndarray of shape (n, n_numbers + n_categories)
        Values; those who cannot gain enough get as far as they can.
    """
    p = len(profiles.numbers)
    own, per_unit = profiles.own[rows], slopes[:, :p]
    room = np.where(
        per_unit > 0, profiles.upper[rows] - own[:, :p], own[:, :p] - profiles.lower[rows]
    )
    room = np.where(per_unit == 0, 0.0, np.nan_to_num(room, posinf=np.inf))
    codes, gains = _best_categories(profiles, rows, slopes)
    order = np.argsort(-gains, axis=1, kind="stable")
    change: Change = _no_change
    if p:
        gain, whole_numbers = np.abs(per_unit), profiles.whole & whole
        change = (
            _change_by_l2(gain, room, whole_numbers)
            if kind == "l2"
            else _change_by_l1(gain, room, profiles.scale, whole_numbers)
        )

    best = np.full(len(rows), np.inf)
    least_open = np.full(len(rows), np.inf)
    values = own.copy()
    for k in range(gains.shape[1] + 1):
        taken = order[:, :k]
        rest = needed - np.take_along_axis(gains, taken, axis=1).sum(axis=1)
        steps, left = change(rest)
        candidate = own.copy()
        moved = candidate[:, :p] + np.sign(per_unit) * steps  # rounding may pass the bounds
        candidate[:, :p] = np.clip(moved, profiles.lower[rows], profiles.upper[rows])
        switched = np.zeros_like(gains, dtype=bool)
        np.put_along_axis(switched, taken, True, axis=1)
        candidate[:, p:] = np.where(switched & (gains > 0), codes, own[:, p:])
        cost = profiles.distance(candidate, own, kind)
        left = np.where(left <= OPEN_TOLERANCE * np.abs(needed), 0.0, left)
        better = (left < least_open) | ((left == least_open) & (cost < best))
        values[better], best[better], least_open[better] = (
            candidate[better],
            cost[better],
            left[better],
        )
    return values


def _best_categories(
    profiles: Profiles, rows: np.ndarray, slopes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each category the code that gains most, and what it gains, (n, n_categories) each."""
    p = len(profiles.numbers)
    own, allowed = profiles.own[rows], profiles.allowed[rows]
    codes, gains = np.empty((2, len(rows), len(profiles.categories)))
    for j, (start, size) in enumerate(zip(profiles.starts, profiles.sizes, strict=True)):
        worth = slopes[:, start : start + size]
        before = np.take_along_axis(worth, own[:, [p + j]].astype(int), axis=1)
        worth = np.where(allowed[:, start - p : start - p + size], worth - before, -np.inf)
        codes[:, j] = worth.argmax(axis=1)
        gains[:, j] = worth.max(axis=1)
    return codes, gains


def _no_change(rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without a number to change all stays open."""
    return np.zeros((len(rest), 0)), np.maximum(rest, 0)


def _change_by_l1(
    gain: np.ndarray, room: np.ndarray, scale: np.ndarray, whole: np.ndarray
) -> Change:
    """Take steps (n, p) of least total length, in units of ``scale``: the best column first."""
    order = np.argsort(-gain * scale, axis=1, kind="stable")
    back = np.argsort(order, axis=1)
    gain, room = (np.take_along_axis(values, order, axis=1) for values in (gain, room))
    most = np.where(gain > 0, gain * np.where(gain > 0, room, 0), 0)
    before = np.cumsum(np.insert(most, 0, 0, axis=1), axis=1)[:, :-1]

    def change(rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        filled = np.clip(rest[:, None] - before, 0, most)
        steps = np.divide(filled, gain, out=np.zeros_like(gain), where=gain > 0)
        if whole.any():
            steps = _whole_steps(steps, gain, room, rest, scale[order], whole[order])
        left = np.maximum(rest - (gain * steps).sum(axis=1), 0)
        return np.take_along_axis(steps, back, axis=1), left

    return change


def _whole_steps(
    steps: np.ndarray,
    gain: np.ndarray,
    room: np.ndarray,
    rest: np.ndarray,
    scale: np.ndarray,
    whole: np.ndarray,
) -> np.ndarray:
    """Make steps whole: the last number moves less, and the one that costs least fills the gap."""
    everyone = np.arange(len(steps))
    last = np.where(steps > 0, np.arange(steps.shape[1]), 0).max(axis=1)
    base = np.where(whole, np.floor(steps + OPEN_TOLERANCE), steps)
    best, cheapest = base, np.full(len(steps), np.inf)
    for fewer in STEPS_TAKEN_BACK:
        start = base.copy()
        at_last = start[everyone, last] - fewer
        limit = np.where(whole[everyone, last], np.floor(room[everyone, last]), np.inf)
        start[everyone, last] = np.clip(at_last, 0, np.minimum(limit, room[everyone, last]))
        open_ = np.maximum(rest - (gain * start).sum(axis=1), 0)[:, None]
        more = np.divide(open_, gain, out=np.full_like(gain, np.inf), where=gain > 0)
        more = np.where(open_ == 0, 0, np.where(whole, np.ceil(more - OPEN_TOLERANCE), more))
        fits = start + more <= room + OPEN_TOLERANCE
        cost = np.where(fits, more / scale, np.inf)
        filler = cost.argmin(axis=1)
        total = (start / scale).sum(axis=1) + cost[everyone, filler]
        better = total < cheapest
        start[everyone, filler] += np.where(np.isfinite(total), more[everyone, filler], 0)
        best = np.where(better[:, None], start, best)
        cheapest = np.where(better, total, cheapest)
    return best


def _change_by_l2(gain: np.ndarray, room: np.ndarray, whole: np.ndarray) -> Change:
    """Take steps (n, p) of least Euclidean length: min(room, t gain), with one t for a person."""
    useful = gain > 0
    ends = np.divide(room, gain, out=np.full_like(gain, np.inf), where=useful)  # t of a full step
    order = np.argsort(ends, axis=1, kind="stable")
    g, e = (np.take_along_axis(values, order, axis=1) for values in (gain, ends))
    full = np.where(np.isfinite(e) & (g > 0), g * g * np.where(np.isfinite(e), e, 0), 0)
    squares = np.cumsum((g * g)[:, ::-1], axis=1)[:, ::-1]  # of those not yet at their end
    before = np.cumsum(np.insert(full, 0, 0, axis=1), axis=1)[:, :-1]

    def change(rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        t = np.divide(
            rest[:, None] - before, squares, out=np.full_like(g, np.inf), where=squares > 0
        )
        fits = t <= e
        first = fits.argmax(axis=1)[:, None]
        t = np.where(fits.any(axis=1), np.take_along_axis(t, first, axis=1)[:, 0], np.inf)
        t = np.maximum(t, 0)[:, None]
        with np.errstate(invalid="ignore"):
            steps = np.where(useful, np.minimum(room, np.nan_to_num(t * gain, posinf=np.inf)), 0)
        steps = np.where(np.isfinite(steps), steps, 0)
        if whole.any():
            steps = _round_up(steps, gain, room, rest, whole)
        return steps, np.maximum(rest - (gain * steps).sum(axis=1), 0)

    return change


def _round_up(
    steps: np.ndarray, gain: np.ndarray, room: np.ndarray, rest: np.ndarray, whole: np.ndarray
) -> np.ndarray:
    """Make steps whole, one column after the other, and let the others make up for it.

    Each column is tried rounded down and up; what is then nearest to the person, all in all, stays.
    With a further number that need not be whole nothing is left open.
    """
    columns, free = np.flatnonzero(whole), np.where(whole, 0, gain)
    most = np.where(whole, np.floor(room + OPEN_TOLERANCE), room)
    norm = (free**2).sum(axis=1)
    best, cheapest = most, np.full(len(steps), np.inf)
    for offsets in product((0.0, 1.0, -1.0, 2.0), repeat=min(len(columns), MAX_ROUNDED_COLUMNS)):
        trial = steps.copy()
        trial[:, columns] = np.ceil(steps[:, columns] - OPEN_TOLERANCE)
        some = columns[: len(offsets)]
        trial[:, some] = np.clip(trial[:, some] - offsets, 0, np.floor(room[:, some]))
        trial = np.minimum(trial, most)
        # the rest by the other numbers, in proportion to their gain
        open_ = np.maximum(rest - (gain * np.where(whole, trial, 0)).sum(axis=1), 0)
        t = np.divide(open_, norm, out=np.zeros_like(open_), where=norm > 0)
        trial = np.where(whole, trial, np.minimum(room, t[:, None] * gain))
        left = np.maximum(rest - (gain * trial).sum(axis=1), 0)
        cost = np.where(left <= OPEN_TOLERANCE * np.abs(rest), (trial**2).sum(axis=1), np.inf)
        better = cost < cheapest
        best = np.where(better[:, None], trial, best)
        cheapest = np.where(better, cost, cheapest)
    return np.where(np.isfinite(best), best, np.ceil(steps))
