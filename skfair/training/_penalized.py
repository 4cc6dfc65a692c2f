"""Estimators with a penalty that is added to the loss."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..objectives import Comparison, Objective
from ..objectives.classification import classification_terms, make_row_loss
from ..objectives.groups import memory_decay
from ..objectives.penalties import AnyPenalty, penalty_of, penalty_terms
from ._base import NeuralClassifier
from ._rows import TrainingData, split_off


class PenalizedClassifier(NeuralClassifier):
    """Base of the classifiers with a penalty: on which rows it is, and how it joins the loss."""

    penalty: Any  # name, function or None
    alpha: float
    penalty_on: str
    holdout_fraction: float
    group_memory: int
    focal: float
    _memory: int

    def _wants_groups(self) -> bool:
        return self.penalty is not None and self.alpha > 0

    @property
    def _penalty(self) -> AnyPenalty:
        return penalty_of(self.penalty)

    def _split_holdout(
        self, data: TrainingData, rows: np.ndarray | None, rng: np.random.RandomState
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        n_rows = len(data.y) if rows is None else len(rows)
        self._memory = min(self.group_memory, n_rows // 4)  # a longer one lags behind the network
        told = data.groups is not None or data.sensitive is not None
        if not told or self.penalty is None or self.alpha == 0:
            return rows, None
        if self.penalty_on == "train":
            penalized = np.arange(len(data.y)) if rows is None else rows
            if data.groups is not None:
                self._warn_of_absent(data.y[penalized], data.groups[penalized])
            return rows, None
        train, holdout = split_off(data, self.holdout_fraction, rng, rows)
        if data.groups is not None:
            absent = sorted(set(data.groups[data.groups >= 0]) - set(data.groups[holdout].flat))
            if absent:
                raise ValueError(
                    f"The hold-out is too small: holdout_fraction={self.holdout_fraction} leaves "
                    f"{len(holdout)} rows without a member of {[self.groups_[i] for i in absent]}. "
                    "A greater fraction, more data or merged groups would do."
                )
            self._warn_of_absent(data.y[holdout], data.groups[holdout])
        return train, holdout

    def _warn_of_absent(self, y: np.ndarray, groups: np.ndarray) -> None:
        """Name the groups without a case of what is compared: they take no part in it."""

    def _make_objective(self, comparison: Comparison | None, batch_size: int | None) -> Objective:
        row_loss = make_row_loss(self.focal, self._encoder.positive_weights)
        if self.penalty is None:
            return Objective(partial(classification_terms, row_loss=row_loss))
        decay, n_summands = memory_decay(batch_size, self._memory), {}
        if comparison is not None and self._penalty.is_gap:
            n_summands["penalty"] = comparison.n_summands
        return Objective(
            partial(
                penalty_terms,
                penalty=self.penalty,
                comparison=comparison,
                decay=decay,
                row_loss=row_loss,
            ),
            weights={"penalty": self.alpha},
            decay=decay if self._penalty.has_means else None,
            n_summands=n_summands,
        )
