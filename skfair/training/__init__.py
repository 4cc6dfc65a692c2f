"""From arrays to a trained network: what every neural estimator inherits."""

from .base import NeuralClassifier
from .modules import MLP
from .monitor import constrained_monitor

__all__ = ["MLP", "NeuralClassifier", "constrained_monitor"]
