"""Flipping labels while a network trains."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback


def flip_labels(
    y: np.ndarray,
    members: np.ndarray,
    fraction: float,
    n_classes: int,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Give a share of one group's rows another label (Technical Challenges, section 6).

    Parameters
    ----------
    y : int64 ndarray of shape (n,)
        Class codes.
    members : bool ndarray of shape (n,)
        Rows of the group.
    fraction : float in [0, 1]
        Share of these rows, rounded to a whole number.
    n_classes : int
        Number of classes. With two the other label is taken, with more one of the other labels
        that occur in the group, each with the same probability.
    rng : RandomState
        Source of the choice.

    Returns
    -------
    int64 ndarray of shape (n,)
        A copy of ``y`` in which exactly that many of the group's labels differ.

    Raises
    ------
    ValueError
        If there are more than two classes, but only one in the group.
    """
    y = y.copy()
    rows = np.flatnonzero(members)
    count = round(fraction * len(rows))
    if count == 0:
        return y
    labels = np.arange(2) if n_classes == 2 else np.unique(y[rows])
    if len(labels) < 2:
        raise ValueError(
            "The labels of flip_group cannot be flipped: all its rows have the same one, and with "
            f"{n_classes} classes only labels that occur in the group are exchanged."
        )
    chosen = rng.choice(rows, count, replace=False)
    shift = rng.randint(1, len(labels), count)
    y[chosen] = labels[(np.searchsorted(labels, y[chosen]) + shift) % len(labels)]
    return y


class FlipLabels(Callback):
    """Flip labels of the training part, before every epoch or before the first.

    The history's ``flipped`` says how many.

    Parameters
    ----------
    group : int
        Code of the group.
    fraction : float
        Share of the group's training rows.
    n_classes : int
        Number of classes.
    once : bool
        Whether all epochs see the same labels.
    """

    def __init__(self, group: int, fraction: float, n_classes: int, once: bool) -> None:
        self.group, self.fraction, self.n_classes, self.once = group, fraction, n_classes, once

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start afresh."""
        self.rng_, self.y_ = np.random.RandomState(net.recipe.seed), None

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, **kwargs: Any) -> None:
        """Give the training part its labels for this epoch; what is held out keeps its own."""
        first = self.y_ is None
        if first:
            self.y_ = dataset_train.targets.cpu().numpy()
            self.rows_ = slice(None) if dataset_train.rows is None else dataset_train.rows.cpu()
            members = (dataset_train.inputs["groups"] == self.group).any(1)
            self.members_ = members.cpu().numpy()[self.rows_]
        if first or not self.once:
            codes = self.y_.copy()
            codes[self.rows_] = flip_labels(
                self.y_[self.rows_], self.members_, self.fraction, self.n_classes, self.rng_
            )
            dataset_train.targets = torch.from_numpy(codes).to(dataset_train.targets.device)
        net.history.record("flipped", round(self.fraction * int(self.members_.sum())))

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Let go of the data."""
        del self.rng_, self.y_, self.rows_, self.members_
