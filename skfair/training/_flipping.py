"""Flipping labels while a network trains."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from .._labels import flip_labels


class FlipLabels(Callback):
    """Flip labels of the training part, before every epoch or before the first.

    The history's ``flipped`` says how many.

    Parameters
    ----------
    members : bool ndarray of shape (n,)
        Rows of the group, among all rows of the data set.
    fraction : float
        Share of the group's training rows.
    n_classes : int
        Number of classes.
    once : bool
        Whether all epochs see the same labels.
    seed : int
        Seed of the choice.
    """

    def __init__(
        self, members: np.ndarray, fraction: float, n_classes: int, once: bool, seed: int
    ) -> None:
        self.members, self.fraction, self.n_classes = members, fraction, n_classes
        self.once, self.seed = once, seed

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start afresh."""
        self.rng_, self.y_ = np.random.RandomState(self.seed), None

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, **kwargs: Any) -> None:
        """Give the training part its labels for this epoch; what is held out keeps its own."""
        first = self.y_ is None
        if first:
            self.y_ = dataset_train.targets.cpu().numpy()
            self.rows_ = slice(None) if dataset_train.rows is None else dataset_train.rows.cpu()
            self.count_ = round(self.fraction * int(self.members[self.rows_].sum()))
        if first or not self.once:
            codes = self.y_.copy()
            codes[self.rows_] = flip_labels(
                self.y_[self.rows_],
                self.members[self.rows_],
                self.fraction,
                self.n_classes,
                self.rng_,
            )
            dataset_train.targets = torch.from_numpy(codes).to(dataset_train.targets.device)
        net.history.record("flipped", self.count_)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Let go of the data."""
        del self.rng_, self.y_, self.rows_, self.members
