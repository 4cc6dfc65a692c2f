"""All that training needs to know, without the estimator that says it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..networks._build import build_module
from ..networks._heads import HEADS, HeadedNetwork
from ..networks.tabular import TableLayout
from ..objectives import Objective
from ._sampling import Stratum

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "lbfgs": torch.optim.LBFGS,
}
# One kernel a step instead of a loop over the parameters; the same arithmetic.
FUSED_OPTIMIZERS = ("adam", "adamw", "sgd", "adagrad")
DTYPES = {"float32": torch.float32, "float64": torch.float64}
MIN_AVERAGED_STEPS = 50  # a mean over fewer would not cover the swings, only lag behind


@dataclass(frozen=True)
class Architecture:
    """What a network is made of; later changes of an estimator's parameters do not touch it.

    Attributes
    ----------
    module : callable, str or None
        ``module(n_features, n_outputs) -> torch.nn.Module``, or the name of a network; ``None`` for
        the perceptron.
    input_shape : tuple of int
        Shape of a row.
    n_outputs : int
        Number of logits.
    hidden_layer_sizes, activation, dropout
        Of the perceptron, also that of the tabular network.
    dtype : {"float32", "float64"}
        Precision of its weights.
    head : str or None, default=None
        Key of :data:`~skfair.networks._heads.HEADS`: the network makes features, and a head of this
        kind makes logits of them.
    n_head_features : int, default=0
        Number of these features.
    head_options : mapping
        Arguments of the head.
    layout : TableLayout or None, default=None
        What the tabular network's columns are.
    n_members : int, default=1
        Number of the tabular network's members, each of which sees every row of a batch.
    """

    module: Callable[..., nn.Module] | str | None
    input_shape: tuple[int, ...]
    n_outputs: int
    hidden_layer_sizes: Sequence[int]
    activation: str
    dropout: float
    dtype: str
    head: str | None = None
    n_head_features: int = 0
    head_options: Mapping[str, Any] = field(default_factory=dict)
    layout: TableLayout | None = None
    n_members: int = 1

    def export_state(self) -> dict[str, Any]:
        """Return what it is made of, as built-in types."""
        layout = self.layout and vars(self.layout).copy()
        return vars(self) | {"layout": layout}

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> Architecture:
        """Return what :meth:`export_state` was of."""
        layout = state.get("layout")
        return cls(**{**state, "layout": layout and TableLayout(**layout)})

    def build(self) -> nn.Module:
        """Return a network with initial weights from torch's generator."""
        module = build_module(
            self.module,
            self.input_shape,
            self.n_outputs if self.head is None else self.n_head_features,
            self.hidden_layer_sizes,
            self.activation,
            self.dropout,
            DTYPES[self.dtype],
            self.layout,
            self.n_members,
        )
        if self.head is not None:
            head = HEADS[self.head](self.n_head_features, self.n_outputs, **self.head_options)
            module = HeadedNetwork(module, head)
        return module.to(DTYPES[self.dtype])


@dataclass(frozen=True)
class Batches:
    """How the rows come.

    Attributes
    ----------
    size : int
        Rows of a batch.
    n_batches : int
        Batches of an epoch.
    strata : list of Stratum or None
        What a batch is drawn from, if it is not simply the next rows.
    extra_strata : list of Stratum or None
        What is added to every batch.
    """

    size: int
    n_batches: int
    strata: list[Stratum] | None = None
    extra_strata: list[Stratum] | None = None


@dataclass(frozen=True)
class Recipe:
    """A training, ready to be carried out.

    Parameters
    ----------
    architecture : Architecture
        The network.
    objective : Objective
        What is minimized, by which players.
    optimizer : torch.optim.Optimizer class
        The network's optimizer.
    optimizer_options : mapping
        Its arguments, ``lr`` among them.
    batches : Batches
        How the rows come.
    epochs : int
        Number of passes over the rows.
    warmup_steps : int
        Number of steps over which the fairness weights rise linearly to their full value.
    average_from : int or None
        If training runs to its end, the network's weights become their mean over the steps after
        this one.
    annealed : tuple of (int, int) or None
        Steps at the beginning and at the end of which the learning rate falls from its value to 0,
        along half a period of the cosine; ``None``: it stays.
    group_names : tuple of (int, str)
        Attribute and name of each group.
    seed : int
        Of the initial weights, the order of the rows and dropout.
    augment : callable or None
        Applied to X of every training batch.

    Examples
    --------
    >>> from skfair import NetworkClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = NetworkClassifier(max_epochs=2, warmup=0.5, random_state=0).fit(X, y)
    >>> recipe = model.net_.recipe
    >>> recipe.epochs, recipe.optimizer.__name__, recipe.ramp(step=1) < recipe.ramp(step=100)
    (2, 'Adam', True)
    """

    architecture: Architecture
    objective: Objective
    optimizer: type[Optimizer]
    optimizer_options: Mapping[str, Any]
    batches: Batches
    epochs: int
    warmup_steps: int = 0
    average_from: int | None = None
    annealed: tuple[int, int] | None = None
    group_names: tuple[tuple[int, str], ...] = ()
    seed: int = 0
    augment: Callable[[Tensor], Tensor] | None = None

    def ramp(self, step: int) -> float:
        """Compute the share of their value that the fairness weights have.

        Parameters
        ----------
        step : int
            Steps before this one.

        Returns
        -------
        float
            From 0 to 1.
        """
        return min(1.0, step / self.warmup_steps) if self.warmup_steps else 1.0

    def learning_rate_share(self, step: int) -> float:
        """Compute the share of its value that the learning rate has.

        Parameters
        ----------
        step : int
            Steps before this one.

        Returns
        -------
        float
            From 1 to 0.
        """
        if self.annealed is None:
            return 1.0
        start, end = self.annealed
        passed = min(1.0, max(0, step - start) / max(1, end - start))
        return 0.5 * (1 + math.cos(math.pi * passed))

    def anneal(self, optimizer: Optimizer, step: int) -> None:
        """Set the learning rate of the next step.

        Parameters
        ----------
        optimizer : Optimizer
            Of the network, or of many.
        step : int
            Steps before this one.
        """
        if self.annealed is not None:
            share = self.learning_rate_share(step)
            for group in optimizer.param_groups:
                group["lr"] = share * group.setdefault("initial_lr", group["lr"])


def optimizer_options(
    optimizer: str | type[Optimizer], lr: float, weight_decay: float, device: torch.device
) -> dict[str, Any]:
    """Arguments of an optimizer.

    Raises
    ------
    ValueError
        If the optimizer knows no weight decay.
    """
    options: dict[str, Any] = {"lr": lr}
    if weight_decay and optimizer == "lbfgs":
        raise ValueError(
            f"optimizer='lbfgs' knows no weight_decay (got {weight_decay}); set it to 0 or use "
            "another optimizer."
        )
    if weight_decay:
        options["weight_decay"] = weight_decay
    if optimizer in FUSED_OPTIMIZERS and device.type != "mps":
        options["fused"] = True
    return options


def first_averaged_step(share: float, n_steps: int, steps_before: int) -> int | None:
    """Return the step after which weights are averaged, for the last ``share`` of ``n_steps``."""
    tail = round(share * n_steps)
    return steps_before + n_steps - tail if tail >= MIN_AVERAGED_STEPS else None
