"""Choosing the epoch: what is watched on the held-out part, when to stop, what to keep."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from skorch.callbacks import Callback, EarlyStopping
from tqdm.auto import tqdm

from ..metrics import get_scorer
from .prepare import TrainingData, take


@dataclass
class HeldOut:
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
    def from_rows(cls, data: TrainingData, rows: np.ndarray, classes: np.ndarray) -> HeldOut:
        """Take ``rows`` of the training data."""
        sensitive = data.sensitive_features
        sensitive = None if sensitive is None else sensitive.iloc[rows]
        return cls(take(data.raw, rows), classes[data.y[rows]], sensitive)


class Monitor(Callback):
    """Record ``monitor`` of every epoch in the history.

    Parameters
    ----------
    monitor : str, scorer or callable
        See the ``monitor`` parameter of the estimators.
    estimator : estimator
        Scorers are called with it.
    held_out : HeldOut
        The validation part.
    """

    def __init__(self, monitor: str | Callable, estimator: Any, held_out: HeldOut) -> None:
        self.monitor, self.estimator, self.held_out = monitor, estimator, held_out

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record the value of this epoch."""
        net.history.record("monitor", float(self._value(net.history[-1])))

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Let go of the data."""
        self.estimator = self.held_out = None

    def _value(self, row: dict) -> float:
        monitor = get_scorer(self.monitor) if isinstance(self.monitor, str) else self.monitor
        if _takes_row(monitor):
            return monitor({name: value for name, value in row.items() if name != "batches"})
        part, metadata = self.held_out, {}
        if part.sensitive_features is not None and _requests_sensitive_features(monitor):
            metadata["sensitive_features"] = part.sensitive_features
        try:
            with warnings.catch_warnings():  # fit has said how many are missing
                warnings.filterwarnings("ignore", message="sensitive_features is missing")
                return monitor(self.estimator, part.X, part.y, **metadata)
        except ValueError as error:
            raise ValueError(
                f"monitor={self.monitor!r} failed on the {len(part.y)} held-out rows: {error} A "
                "larger validation_fraction may help where a rare group or class is not among them."
            ) from error


def _takes_row(monitor: Callable) -> bool:
    try:
        inspect.signature(monitor).bind(None)
    except TypeError:
        return False
    return True


def _requests_sensitive_features(scorer: Callable) -> bool:
    if hasattr(scorer, "get_metadata_routing"):
        return scorer.get_metadata_routing().score.requests.get("sensitive_features") is True
    return "sensitive_features" in inspect.signature(scorer).parameters


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

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Close it."""
        self.bar_.close()
        del self.bar_


def training_callbacks(
    estimator: Any, held_out: HeldOut | None, epochs: int, callbacks: list
) -> list:
    """Return the estimator's callbacks around the user's ``callbacks``."""
    before, after = [], []
    if held_out is not None:
        watched = {"monitor": "valid_loss", "lower_is_better": True}
        if estimator.monitor is not None:
            before.append(("skfair_monitor", Monitor(estimator.monitor, estimator, held_out)))
            watched = {"monitor": "monitor", "lower_is_better": False}
        watched["threshold_mode"] = "abs"
        if estimator.restore_best:
            keep = EarlyStopping(patience=epochs + 1, threshold=0, load_best=True, **watched)
            before.append(("skfair_restore_best", keep))
        if estimator.early_stopping:
            stop = EarlyStopping(
                patience=estimator.n_iter_no_change, threshold=estimator.tol, **watched
            )
            after.append(("skfair_early_stopping", stop))  # last: it ends the epoch's callbacks
    if estimator.verbose == 1:
        before.append(("skfair_progress", EpochBar(epochs, type(estimator).__name__)))
    return [*before, *callbacks, *after]
