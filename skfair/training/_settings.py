"""What a network is trained with: parameters, and what those left at "auto" stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from torch.optim import Optimizer

AUTO = "auto"
# What "auto" stands for: in the perceptron and in any network but the tabular one, and in that one.
DEFAULTS: dict[str, tuple[Any, Any]] = {
    "hidden_layer_sizes": ((64, 64), (256,)),
    "dropout": (0.0, 0.3),
    "optimizer": ("adam", "adamw"),
    "lr": (1e-3, 1e-3),
    "weight_decay": (0.0, 1e-4),
    "max_epochs": (50, 50),
    "batch_size": (256, 256),
    "early_stopping": (False, True),
    "restore_best": (False, True),  # but not where early_stopping is turned off
}


@dataclass(frozen=True)
class Settings:
    """What a network is trained with, decided once for each training.

    Attributes
    ----------
    hidden_layer_sizes, dropout, optimizer, lr, weight_decay, max_epochs, batch_size, \
early_stopping, restore_best
        The parameters of these names, without any "auto".

    Examples
    --------
    >>> from skfair import NetworkClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = NetworkClassifier(max_epochs=2, lr="auto", random_state=0).fit(X, y)
    >>> model.settings_.lr
    0.001
    """

    hidden_layer_sizes: Sequence[int]
    dropout: float
    optimizer: str | type[Optimizer]
    lr: float
    weight_decay: float
    max_epochs: int
    batch_size: int
    early_stopping: bool
    restore_best: bool

    @classmethod
    def of(cls, estimator: Any, tabular: bool) -> Settings:
        """Read an estimator's parameters; ``tabular`` says what network it is for."""
        given = {field.name: getattr(estimator, field.name) for field in fields(cls)}
        chosen = {
            name: DEFAULTS[name][tabular] if is_auto(value) else value
            for name, value in given.items()
        }
        if is_auto(given["restore_best"]):
            chosen["restore_best"] &= bool(chosen["early_stopping"])
        return cls(**chosen)


def is_auto(value: Any) -> bool:
    """Whether a parameter is left to the network."""
    return isinstance(value, str) and value == AUTO
