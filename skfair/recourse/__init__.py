"""Recourse in the input space: what a refused person would have to change."""

from .counterfactuals import counterfactuals

__all__ = ["counterfactuals"]
