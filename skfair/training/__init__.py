"""From arrays to a trained network: what every neural estimator inherits."""

from .base import NeuralClassifier
from .modules import MLP
from .monitor import constrained_monitor
from .outcome import FitInterruptedWarning

__all__ = ["MLP", "FitInterruptedWarning", "NeuralClassifier", "constrained_monitor"]
