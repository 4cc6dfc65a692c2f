"""Generators of random numbers that leave the global ones alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ._tables import brief


def own_generator(random_state: Any) -> np.random.RandomState:
    """Like scikit-learn's, but ``None`` draws fresh entropy, not from NumPy's global state."""
    if random_state is None:
        return np.random.RandomState()
    try:
        return check_random_state(random_state)
    except ValueError as error:
        if "random_state" in str(error):
            raise
        raise ValueError(f"random_state={brief(random_state)}: {error}.") from error
