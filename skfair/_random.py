"""Generators of random numbers that leave the global ones alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state


def own_generator(random_state: Any) -> np.random.RandomState:
    """Like scikit-learn's, but ``None`` draws fresh entropy, not from NumPy's global state."""
    return np.random.RandomState() if random_state is None else check_random_state(random_state)
