"""Choosing among candidates with fairness in view."""

from .refit import best_under_constraint

__all__ = ["best_under_constraint"]
