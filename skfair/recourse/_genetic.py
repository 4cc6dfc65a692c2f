"""Search by a population of profiles for each person, for any classifier (CERTIFAI)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._decisions import Decisions
from ._profiles import Profiles

POPULATION_SIZE = 40
N_PARENTS = 10
RESET_RATE = 0.25  # how often a changed entry is taken back
SHRINK_RATE = 0.5  # how often a changed number goes part of the way back
MOVE_RATE = 0.15  # how often an entry is changed anew


def search(
    decisions: Decisions,
    profiles: Profiles,
    rows: np.ndarray,
    starts: np.ndarray,
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray],
    max_iter: int,
    rng: np.random.RandomState,
    progress: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest accepted profiles of a population that evolves, all people at once.

    Children take each entry from one of two parents, and then take some changes back, shrink
    others and make new ones. Of parents and children those that are accepted and nearest survive
    (S. Sharma, J. Henderson, J. Ghosh, CERTIFAI, AIES 2020).

    Parameters
    ----------
    decisions : Decisions
        Of any classifier.
    profiles : Profiles
        Own profiles and constraints.
    rows : int ndarray of shape (n,)
        The people.
    starts : ndarray of shape (n, k, n_values)
        First profiles of each.
    distance : callable
        From values (m, n_values) and rows (m,) to (m,).
    max_iter : int
        Number of generations.
    rng : RandomState
        Source of chance.
    progress : tqdm
        Told of each generation.

    Returns
    -------
    values : ndarray of shape (n, n_values)
        The own profile where nothing was found.
    found : bool ndarray of shape (n,)
        Whether it is accepted.
    """
    n, width = len(rows), starts.shape[2]
    everyone = np.arange(n)[:, None]

    def judged(values: np.ndarray) -> np.ndarray:
        flat, who = values.reshape(-1, width), np.repeat(rows, values.shape[1])
        cost = np.where(decisions.likely_accepts(flat, who), distance(flat, who), np.inf)
        return cost.reshape(n, -1)

    children = starts
    parents, costs = np.empty((n, 0, width)), np.empty((n, 0))
    for _ in range(max_iter + 1):
        parents = np.concatenate([parents, children], axis=1)
        costs = np.concatenate([costs, judged(children)], axis=1)
        survivors = np.argsort(costs, axis=1, kind="stable")[:, :N_PARENTS]
        parents, costs = parents[everyone, survivors], costs[everyone, survivors]
        children = _children(profiles, rows, parents, costs, rng)
        progress.update()
    found = np.isfinite(costs[:, 0])
    return np.where(found[:, None], parents[:, 0], profiles.own[rows]), found


def _children(
    profiles: Profiles,
    rows: np.ndarray,
    parents: np.ndarray,
    costs: np.ndarray,
    rng: np.random.RandomState,
) -> np.ndarray:
    n, _, width = parents.shape
    shape, p = (n, POPULATION_SIZE, width), len(profiles.numbers)
    everyone = np.arange(n)[:, None]
    usable = np.maximum(np.isfinite(costs).sum(axis=1), 1)[:, None]
    mother, father = (
        (rng.random_sample((n, POPULATION_SIZE)) * usable).astype(int) for _ in range(2)
    )
    from_mother = rng.random_sample(shape) < 0.5
    children = np.where(from_mother, parents[everyone, mother], parents[everyone, father])

    own = np.broadcast_to(profiles.own[rows][:, None], shape)
    chance = rng.random_sample(shape)
    children = np.where(chance < RESET_RATE, own, children)
    nearer = own + rng.random_sample(shape) * (children - own)
    other = profiles.reference[rng.randint(len(profiles.reference), size=shape), np.arange(width)]
    other[..., :p] = children[..., :p] + (other[..., :p] - children[..., :p]) * rng.random_sample(
        (n, POPULATION_SIZE, p)
    )
    shrinks = (chance >= RESET_RATE) & (chance < RESET_RATE + SHRINK_RATE)
    shrinks[..., p:] = False
    children = np.where(shrinks, nearer, children)
    moves = rng.random_sample(shape) < MOVE_RATE / 2
    children = np.where(moves & ~np.isnan(other), other, children)
    flat = children.reshape(-1, width)
    return profiles.permitted(flat, np.repeat(rows, POPULATION_SIZE)).reshape(shape)
