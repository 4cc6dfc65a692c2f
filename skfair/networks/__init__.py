"""Networks that estimators train, and what can be asked of a network."""

from .images import AlexNet, Conv1dNet, ConvNet, ResNet18
from .mlp import MLP
from .tabular import TableLayout, TabularNetwork, learn_layout

__all__ = [
    "MLP",
    "AlexNet",
    "Conv1dNet",
    "ConvNet",
    "ResNet18",
    "TableLayout",
    "TabularNetwork",
    "learn_layout",
]
