"""Networks that estimators train, and what can be asked of a network."""

from .mlp import MLP

__all__ = ["MLP"]
