"""Recourse in the input space: what a refused person would have to change."""

from ._counterfactuals import counterfactuals

__all__ = ["counterfactuals"]
