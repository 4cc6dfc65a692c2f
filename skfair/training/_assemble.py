"""From an estimator's parameters to its net."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch

from .._groups import group_name
from ..networks._build import build_module
from ..objectives import Comparison
from ._data import BatchLoader
from ._monitor import HeldOut, training_callbacks
from ._net import ObjectiveNet
from ._prepare import TrainingData
from ._sampling import Stratum, batch_rows, make_strata

OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "lbfgs": torch.optim.LBFGS,
}
# One kernel a step instead of a loop over the parameters; the same arithmetic.
FUSED = ("adam", "adamw", "sgd", "adagrad")
DTYPES = {"float32": torch.float32, "float64": torch.float64}
MIN_AVERAGED = 50  # steps; a mean over fewer would not cover the swings, only lag behind


def describe_architecture(estimator: Any, input_shape: tuple[int, ...]) -> dict[str, Any]:
    """What the network is made of; later changes of the estimator's parameters do not touch it."""
    return {
        "module": estimator.module,
        "input_shape": tuple(input_shape),
        "n_outputs": len(estimator.classes_),
        "hidden_layer_sizes": estimator.hidden_layer_sizes,
        "activation": estimator.activation,
        "dropout": estimator.dropout,
    }


def make_net(
    estimator: Any,
    device: torch.device,
    n_rows: int = 1,
    epochs: int = 1,
    steps_before: int = 0,
    averaging: float = 0.0,
    held_out: HeldOut | None = None,
    sources: dict[str, list[Stratum]] | None = None,
    callbacks: list | None = None,
    **net_params: Any,
) -> ObjectiveNet:
    """Return an initialised net for ``epochs`` passes over ``n_rows`` rows.

    Raises
    ------
    ValueError
        If the estimator's ``net_params`` contain what its own parameters set.
    """
    batch_size = batch_rows(estimator.batch_size, n_rows)
    n_batches = len(BatchLoader(range(n_rows), batch_size))
    comparison = None
    if estimator.groups_:
        counts = None
        if estimator.group_weights == "share":
            counts = torch.from_numpy(estimator._group_counts)
        comparison = Comparison.of(
            estimator._attribute_of, counts, DTYPES[estimator._trained_dtype], device
        )
    # deep copies: skorch initialises callbacks in place, and parameters stay as they were given
    user = copy.deepcopy(estimator.net_params) if estimator.net_params else {}
    users = user.pop("callbacks", None) or []
    if not isinstance(users, (list, tuple)):
        raise TypeError(f"net_params['callbacks'] must be a list of callbacks, got {users!r}.")
    if estimator.weight_decay and estimator.optimizer == "lbfgs":
        raise ValueError(
            f"optimizer='lbfgs' knows no weight_decay (got {estimator.weight_decay}); set it to 0 "
            "or use another optimizer."
        )

    defaults = {"iterator_train__shuffle": True}
    if estimator.weight_decay:
        defaults["optimizer__weight_decay"] = estimator.weight_decay
    if estimator.optimizer in FUSED and device.type != "mps":
        defaults["optimizer__fused"] = True

    module = build_module(**estimator._architecture).to(DTYPES[estimator._trained_dtype])
    tail = round(averaging * epochs * n_batches)
    params = {
        "module": module,
        "groups": list(
            zip(estimator._attribute_of, map(group_name, estimator.groups_), strict=True)
        ),
        "objective": estimator._make_objective(comparison, batch_size if n_batches > 1 else None),
        "warmup_steps": round(estimator.warmup * estimator.max_epochs * n_batches),
        "average_from": (
            steps_before + epochs * n_batches - tail if tail >= MIN_AVERAGED else None
        ),
        "criterion": torch.nn.CrossEntropyLoss,  # only tells skorch that outputs are logits
        "optimizer": OPTIMIZERS.get(estimator.optimizer, estimator.optimizer),
        "lr": estimator.lr,
        "max_epochs": epochs,
        "batch_size": batch_size,
        "classes": list(range(len(estimator.classes_))),
        "device": str(device),
        "verbose": int(estimator.verbose > 1),
        "train_split": None,
    } | net_params
    params |= {f"iterator_train__{name}": strata for name, strata in (sources or {}).items()}
    if taken := sorted(set(user) & set(params)):
        raise ValueError(
            f"net_params must not contain {taken}: {type(estimator).__name__} sets them from "
            "parameters of its own."
        )
    callbacks = training_callbacks(estimator, held_out, epochs, [*(callbacks or []), *users])
    return ObjectiveNet(**defaults | params | user, callbacks=callbacks).initialize()


def load_net(estimator: Any, state: dict[str, Any], device: torch.device) -> ObjectiveNet:
    """Return a trained net from its state.

    It has what prediction needs, whatever has become of the estimator's parameters: those of
    training, its callbacks and its files among them, are looked at when training goes on.
    """
    module = build_module(**estimator._architecture).to(DTYPES[estimator._trained_dtype])
    net = ObjectiveNet(
        module,
        objective=None,
        criterion=torch.nn.CrossEntropyLoss,
        classes=list(range(len(estimator.classes_))),
        device=str(device),
        verbose=0,
        train_split=None,
    ).initialize()
    net.import_state(state, optimizer=False)
    return net


def sources(
    estimator: Any, data: TrainingData, train: np.ndarray | None, aside: np.ndarray | None
) -> dict[str, list[Stratum]]:
    """What a batch is made of, if not simply of the next rows."""
    train = np.arange(len(data.y)) if train is None else train
    found = {}
    parts = {"strata": (train, 0)} if estimator._sampling() != "natural" else {}
    if aside is not None:
        parts["companions"] = (aside, len(train))
    for name, (rows, first) in parts.items():
        size = batch_rows(estimator.batch_size, len(rows))
        groups = None if data.groups is None else data.groups[rows]
        found[name] = make_strata(data.y[rows], groups, size, estimator._sampling(), first)
    return found
