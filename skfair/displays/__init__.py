"""Plots in scikit-learn's style; they need matplotlib (``pip install skfair-torch[plot]``)."""

from ._heatmap import LambdaHeatmapDisplay
from ._history import HistoryDisplay
from ._pareto import ParetoDisplay
from ._recourse import RecourseGapDisplay
from ._sensitivity import SensitivityDisplay
from ._subgroups import SubgroupDisplay

__all__ = [
    "HistoryDisplay",
    "LambdaHeatmapDisplay",
    "ParetoDisplay",
    "RecourseGapDisplay",
    "SensitivityDisplay",
    "SubgroupDisplay",
]
