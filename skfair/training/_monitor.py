"""Choosing the epoch: what is watched on the held-out part, when to stop, what to keep."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from skorch.callbacks import Callback, EarlyStopping

from .._progress import tqdm
from .._tables import brief
from .._warnings import ignored
from ..metrics import get_scorer
from ..metrics._sklearn import requests_sensitive_features
from ._rows import TrainingData, select_rows

WARNINGS_OF_FIT = (  # which are not repeated
    "sensitive_features is missing",
    "sensitive_features: .* not whole",
    "(Nobody|Everybody) is refused",
)
WARNINGS_OF_FIRST_EPOCH = ("sensitive_features",)


@dataclass
class ValidationPart:
    """The validation part as a scorer receives it.

    Attributes
    ----------
    X, y : array-like
        Rows as the user passed them, and their labels.
    sensitive_features : pandas.DataFrame or None
        Their sensitive features.
    """

    X: Any
    y: np.ndarray
    sensitive_features: pd.DataFrame | None

    @classmethod
    def of(cls, data: TrainingData, rows: np.ndarray, classes: np.ndarray) -> ValidationPart:
        """Take ``rows`` of the training data."""
        sensitive = data.sensitive_features
        sensitive = None if sensitive is None else sensitive.iloc[rows]
        return cls(select_rows(data.raw, rows), classes[data.y[rows]], sensitive)


class Monitor(Callback):
    """Record ``monitor`` of every epoch in the history.

    What scorers warn of, they warn of in the first epoch only.

    Parameters
    ----------
    monitor : str, scorer or callable
        See the ``monitor`` parameter of the estimators.
    estimator : estimator
        Scorers are called with it.
    part : ValidationPart
        The validation part.
    """

    def __init__(self, monitor: str | Callable, estimator: Any, part: ValidationPart) -> None:
        self.monitor, self.estimator = monitor, estimator
        self.part: Any = part  # None after training
        self.has_warned = False

    @property
    def reads_history(self) -> bool:
        """Whether it is a function of an epoch's row, not of predictions."""
        return not isinstance(self.monitor, str) and _takes_row(self.monitor)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record the value of this epoch."""
        net.history.record("monitor", self.value(net))

    def value(self, net: Any) -> float:
        """Return the value of this epoch."""
        monitor = _find(self.monitor) if isinstance(self.monitor, str) else self.monitor
        of_row = _takes_row(monitor)
        value = self._of_row(monitor, net.history[-1]) if of_row else self._score(monitor)
        if hasattr(value, "item") and np.ndim(value) == 0:  # an array or a tensor of one number
            value = value.item()
        if not isinstance(value, Real):
            raise ValueError(f"monitor={self.monitor!r} must return a number, got {brief(value)}.")
        value = float(value)
        if np.isnan(value):
            raise self._failed("it is NaN, which no epoch can be better than.")
        return value

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Let go of the data."""
        self.estimator = self.part = None

    def _of_row(self, monitor: Callable, row: dict) -> Any:
        row = {name: value for name, value in row.items() if name != "batches"}
        try:
            return monitor(row)
        except KeyError as error:
            raise ValueError(
                f"monitor={self.monitor!r} asks for {error}; an epoch's row has {sorted(row)}."
            ) from error

    def _score(self, monitor: Callable) -> Any:
        part, metadata = self.part, {}
        if part.sensitive_features is not None and requests_sensitive_features(monitor):
            metadata["sensitive_features"] = part.sensitive_features
        try:
            of_first = WARNINGS_OF_FIRST_EPOCH if self.has_warned else ()
            with ignored(*WARNINGS_OF_FIT, *of_first):
                self.has_warned = True
                return monitor(self.estimator, part.X, part.y, **metadata)
        except ValueError as error:
            raise self._failed(str(error)) from error

    def _failed(self, why: str) -> ValueError:
        return ValueError(
            f"monitor={self.monitor!r} failed on the {len(self.part.y)} held-out rows: {why} A "
            "larger validation_fraction may help where a rare group or class is not among them."
        )


def _find(name: str) -> Callable:
    try:
        return get_scorer(name)
    except ValueError as error:
        raise ValueError(
            f"monitor={name!r} is no scorer ({error}) The loss of the held-out part is watched "
            "with monitor=None; a column of the history by a function of its row, such as "
            "lambda row: -row['valid_loss']."
        ) from error


def _takes_row(monitor: Callable) -> bool:
    try:
        inspect.signature(monitor).bind(None)
    except TypeError:
        return False
    except ValueError as error:  # of some functions in C
        raise ValueError(
            f"monitor={monitor!r} must be a scorer (estimator, X, y) or a function of an epoch's "
            "row; its signature is not known."
        ) from error
    return True


class EpochBar(Callback):
    """A progress bar over epochs.

    Parameters
    ----------
    total : int
        Number of epochs.
    name : str
        Shown in front of the bar.
    """

    def __init__(self, total: int, name: str) -> None:
        self.total, self.name = total, name

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Open the bar."""
        self.bar_ = tqdm(total=self.total, desc=self.name, unit="epoch")

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Advance it."""
        self.bar_.set_postfix(loss=f"{net.history[-1, 'train_loss']:.4g}", refresh=False)
        self.bar_.update()
        if self.bar_.n == 1:  # at once, however short an epoch is
            self.bar_.refresh()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Close it."""
        self.bar_.close()
        del self.bar_


class AfterWarmup(EarlyStopping):
    """Early stopping, or the choice of the best epoch, that begins when the warm-up has ended.

    Before that the fairness weights still rise, and with them the loss.
    """

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Look at this epoch, unless the warm-up goes on."""
        if net.steps_ >= net.recipe.warmup_steps:
            super().on_epoch_end(net, **kwargs)


def training_callbacks(
    estimator: Any,
    part: ValidationPart | None,
    epochs: int,
    callbacks: list,
    keeper: Callback | None = None,
) -> list:
    """Return the estimator's callbacks around the user's ``callbacks``.

    ``keeper`` is one that records ``monitor`` and keeps the best epoch's weights by itself.
    """
    before, after = [], []
    if part is None:
        _check_callbacks(callbacks)
    else:
        watched = {"monitor": "valid_loss", "lower_is_better": True}
        if keeper is not None:
            before.append(("skfair_keeper", keeper))
            watched = {"monitor": "monitor", "lower_is_better": False}
        elif estimator.monitor is not None:
            before.append(("skfair_monitor", Monitor(estimator.monitor, estimator, part)))
            watched = {"monitor": "monitor", "lower_is_better": False}
        watched["threshold_mode"] = "abs"
        if estimator.restore_best and keeper is None:
            keep = AfterWarmup(patience=epochs + 1, threshold=0, load_best=True, **watched)
            before.append(("skfair_restore_best", keep))
        if estimator.early_stopping:
            stop = AfterWarmup(
                patience=estimator.n_iter_no_change, threshold=estimator.tol, **watched
            )
            after.append(("skfair_early_stopping", stop))  # last: it ends the epoch's callbacks
    if estimator.verbose == 1:
        before.append(("skfair_progress", EpochBar(epochs, type(estimator).__name__)))
    return [*before, *callbacks, *after]


def _check_callbacks(callbacks: list) -> None:
    """Refuse callbacks that wait for the loss of a validation part that there is not."""
    for callback in callbacks:
        callback = callback[-1] if isinstance(callback, tuple) else callback
        watched = getattr(callback, "monitor", None)
        if isinstance(watched, str) and watched.startswith("valid_"):
            raise ValueError(
                f"net_params['callbacks']: {type(callback).__name__} watches {watched!r}, but no "
                "rows are held out. early_stopping=True, restore_best=True or monitor= hold out "
                "validation_fraction of them; or let it watch 'train_loss'."
            )
