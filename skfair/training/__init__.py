"""From arrays to a trained network: what every neural estimator inherits."""

from typing import Any

from ..networks import MLP
from ._base import NeuralClassifier
from ._outcome import FitInterruptedWarning

__all__ = ["MLP", "FitInterruptedWarning", "NeuralClassifier", "constrained_monitor"]


def __getattr__(name: str) -> Any:
    if name == "constrained_monitor":  # where it was at first
        from ..model_selection import constrained_monitor

        return constrained_monitor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
