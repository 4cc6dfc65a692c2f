"""Plots in scikit-learn's style; they need matplotlib (``pip install skfair-torch[plot]``)."""

from .history import HistoryDisplay
from .recourse import RecourseGapDisplay
from .search import LambdaHeatmapDisplay, ParetoDisplay
from .sensitivity import SensitivityDisplay
from .subgroups import SubgroupDisplay

__all__ = [
    "HistoryDisplay",
    "LambdaHeatmapDisplay",
    "ParetoDisplay",
    "RecourseGapDisplay",
    "SensitivityDisplay",
    "SubgroupDisplay",
]
