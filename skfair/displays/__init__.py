"""Plots in scikit-learn's style; they need matplotlib (``pip install skfair-torch[plot]``)."""

from ._history import HistoryDisplay
from ._recourse import RecourseGapDisplay
from ._search import LambdaHeatmapDisplay, ParetoDisplay
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
