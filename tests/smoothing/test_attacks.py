"""Certificates under attack: nobody inside the radius gets another decision."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from skfair import SmoothedClassifier
from skfair.datasets import make_biased_classification

PEOPLE, MOVES = 100, 70


def attacks(metric, people, radius, others, rng):
    """Moves to just inside the radius: at random, along one column, and toward other people."""
    n, d = people.shape
    directions = [
        rng.standard_normal((n, MOVES - 2 * d - 30, d)),
        np.broadcast_to(np.concatenate([np.eye(d), -np.eye(d)]), (n, 2 * d, d)),
        others[rng.integers(len(others), size=(n, 30))] - people[:, None],
    ]
    direction = np.concatenate(directions, axis=1).reshape(-1, d) + 1e-9
    length = metric.of_shift(direction)
    reach = 0.999 * np.repeat(radius, MOVES)
    return np.repeat(people, MOVES, axis=0) + direction * (reach / length)[:, None]


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["gaussian", "laplace"])
@pytest.mark.parametrize("metric", ["l1", "l2", "linf"])
def test_42_000_attacks_do_not_break_a_certificate(metric, noise):
    X, y, _ = make_biased_classification(1500, random_state=0)
    X = X[:, :6]
    tree = DecisionTreeClassifier(max_depth=5, random_state=0)
    model = SmoothedClassifier(
        tree, metric=metric, noise=noise, scale=2.0, n_samples=2000, random_state=0
    ).fit(X[:1000], y[:1000])
    people = X[1000 : 1000 + PEOPLE]
    radius, decision = model.certified_radius(people), model.predict(people)
    certified = np.repeat((radius > 0) & np.isfinite(radius), MOVES)
    assert certified.mean() > 0.1
    moved = attacks(model.metric_, people, radius, X[1100:], np.random.default_rng(0))
    assert len(moved) == PEOPLE * MOVES
    found = model.predict(moved[certified])
    assert np.array_equal(found, np.repeat(decision, MOVES)[certified])
