"""What a fitted estimator can be asked."""

from __future__ import annotations

from typing import Any

import numpy as np

METHODS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "boundary_distance",
    "certified_radius",
)


def answers(model: Any, X: Any) -> dict[str, np.ndarray]:
    """All answers that ``model`` has."""
    return {name: getattr(model, name)(X) for name in METHODS if hasattr(model, name)}
