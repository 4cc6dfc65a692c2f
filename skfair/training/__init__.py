"""From arrays to a trained network: what every neural estimator inherits."""

from importlib import import_module
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
        return import_module("skfair.model_selection").constrained_monitor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
