"""Recourse in the input space: what a refused person would have to change."""

from ._counterfactuals import counterfactuals
from ._result import Counterfactuals

__all__ = ["Counterfactuals", "counterfactuals"]
