"""Randomized smoothing: distances between people, noise, and what the two together prove."""

from .metric import WeightedMetric, minimal_metric

__all__ = ["WeightedMetric", "minimal_metric"]
