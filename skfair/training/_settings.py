"""What a network is trained with: parameters, and what those left at "auto" stand for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from torch.optim import AdamW, Optimizer

AUTO = "auto"
DECOUPLED_DECAY = ("adamw", AdamW)
MANY_ROWS = 100_000
LR_SCHEDULES = ("constant", "cosine")


def tabular_batch_size(n_rows: int) -> int:
    """Return a hundredth of the rows, as a power of two from 128 to 1,024."""
    return int(min(max(2 ** round(math.log2(max(n_rows, 1) / 100)), 128), 1024))


def tabular_epochs(n_rows: int) -> int:
    """Return fewer epochs where they have many steps."""
    return 20 if n_rows <= MANY_ROWS else 8


def tabular_weight_decay(n_rows: int) -> float:
    """Return more where there are fewer epochs, without which gaps between groups stay wider."""
    return 0.3 if n_rows <= MANY_ROWS else 0.5


# What "auto" stands for: in the perceptron and in any network but the tabular one, and in that one.
DEFAULTS: dict[str, tuple[Any, Any]] = {
    "hidden_layer_sizes": ((64, 64), (256,)),
    "dropout": (0.0, 0.3),
    "optimizer": ("adam", "adamw"),
    "lr": (1e-3, 4e-3),
    "lr_schedule": ("constant", "cosine"),
    "weight_decay": (
        0.0,
        tabular_weight_decay,
    ),  # but not where it is no decay of the weights themselves
    "max_epochs": (50, tabular_epochs),
    "batch_size": (256, tabular_batch_size),
}


@dataclass(frozen=True)
class Settings:
    """What a network is trained with, decided once for each training.

    Attributes
    ----------
    hidden_layer_sizes, dropout, optimizer, lr, lr_schedule, weight_decay, max_epochs, batch_size
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
    lr_schedule: str
    weight_decay: float
    max_epochs: int
    batch_size: int

    @classmethod
    def of(cls, estimator: Any, tabular: bool, n_rows: int) -> Settings:
        """Read an estimator's parameters; ``tabular`` says what network they are for."""
        chosen = {field.name: getattr(estimator, field.name) for field in fields(cls)}
        for name in filter(lambda name: is_auto(chosen[name]), chosen):
            value = DEFAULTS[name][tabular]
            chosen[name] = value(n_rows) if callable(value) else value
        if is_auto(estimator.weight_decay) and chosen["optimizer"] not in DECOUPLED_DECAY:
            chosen["weight_decay"] = 0.0
        return cls(**chosen)


def is_auto(value: Any) -> bool:
    """Whether a parameter is left to the network."""
    return isinstance(value, str) and value == AUTO
