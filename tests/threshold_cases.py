"""Scores of groups for which the best thresholds are known; nothing but NumPy is needed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

TOLERANCES = (0.0, 0.02, 0.1)


class Case(NamedTuple):
    """Scored rows, and what wrong decisions cost."""

    scores: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    false_positive: float = 1.0
    false_negative: float = 1.0


def _case(seed, sizes, base_rates, signals, decimals=None, **costs):
    rng = np.random.RandomState(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    y = (rng.random_sample(len(groups)) < np.take(base_rates, groups)).astype(int)
    scores = np.take(signals, groups) * y + rng.standard_normal(len(groups)) + 0.3 * groups
    if decimals is not None:
        scores = np.round(scores, decimals)
    return Case(scores, y, groups, **costs)


CASES = {
    "two groups": _case(0, [700, 300], [0.3, 0.5], [1.5, 1.0]),
    "ties": _case(1, [400, 400, 200], [0.2, 0.4, 0.6], [1.2, 0.8, 2.0], decimals=1),
    "few rows": _case(2, [25, 35], [0.4, 0.6], [1.0, 1.0]),
    "one group is ranked the wrong way": _case(3, [300, 300], [0.4, 0.4], [1.5, -0.7]),
    "four groups": _case(4, [900, 60, 30, 10], [0.3, 0.5, 0.4, 0.5], [1.0, 1.5, 0.5, 2.0]),
    "costs": _case(5, [500, 500], [0.3, 0.4], [1.0, 1.3], false_positive=1.0, false_negative=3.0),
}
