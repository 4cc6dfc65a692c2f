"""From arrays to a trained network: what every neural estimator inherits."""

from .base import NeuralClassifier
from .modules import MLP

__all__ = ["MLP", "NeuralClassifier"]
