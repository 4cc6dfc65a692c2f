"""From arrays to a trained network: what every neural estimator inherits."""

from typing import Any

from ..networks import MLP
from ._base import NeuralClassifier
from ._outcome import FitInterruptedWarning
from ._parameters import NetworkParameters, inherit_parameters
from ._recipe import Recipe

__all__ = [
    "MLP",
    "FitInterruptedWarning",
    "NetworkParameters",
    "NeuralClassifier",
    "Recipe",
    "constrained_monitor",
    "inherit_parameters",
]


def __getattr__(name: str) -> Any:
    if name == "constrained_monitor":  # where it was at first
        from ..model_selection import constrained_monitor

        return constrained_monitor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
