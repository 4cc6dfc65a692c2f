"""Fitting what is underneath: the estimator of labels, that of groups, and clones for folds."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import _routing_enabled, process_routing
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from .._contents import folds_by_content
from .._warnings import warn
from ..training._learner import TableLearner
from ..training._rows import TrainingData, select_rows
from ._cells import Cells
from ._scores import (
    check_same_classes,
    cross_fitted_posterior,
    cross_fitted_scores,
    posterior_of,
    scores_of,
)

RESPONSES = ["predict_proba", "decision_function"]
FOLDS = 5


class CrossFitting(TableLearner):
    """Base of an estimator with ``estimator``, ``group_estimator``, ``prefit``, ``cv``, ``n_jobs``.

    Scores, and probabilities of groups, come from clones that were trained without the row.
    """

    estimator: Any
    group_estimator: Any
    response_method: str
    sensitive_columns: Any
    drop_sensitive_columns: bool
    prefit: bool
    cv: Any
    n_jobs: int | None
    _infers: bool
    _cells: Cells

    def _fit_estimators(self, data: TrainingData, cells: np.ndarray) -> None:
        """Fit what is not fitted already."""
        self._responses = RESPONSES if self.response_method == "auto" else [self.response_method]
        self.estimator_ = self.estimator
        if not self._is_fitted_already(self.estimator):
            params = self._fit_params("estimator", data)
            self._warn_of_weights("estimator", params, data)
            self.estimator_ = clone(self.estimator).fit(data.X, self.classes_[data.y], **params)
        check_same_classes(self.estimator_, self.classes_)
        if not self._infers:
            return
        if self.sensitive_columns is not None and not self.drop_sensitive_columns:
            raise ValueError(
                "group_estimator would see the group in sensitive_columns: use "
                "drop_sensitive_columns=True."
            )
        self.group_estimator_ = self.group_estimator
        if not self._is_fitted_already(self.group_estimator):
            rows = np.flatnonzero(cells >= 0)
            params = self._fit_params("group_estimator", data, rows)
            self._warn_of_weights("group_estimator", params, data)
            labels = self._cells.names[cells[rows]]
            X = select_rows(data.X, rows)
            self.group_estimator_ = clone(self.group_estimator).fit(X, labels, **params)
        check_is_fitted(self.group_estimator_)

    def _is_fitted_already(self, estimator: Any) -> bool:
        return self.prefit or isinstance(estimator, FrozenEstimator)

    def _fit_params(
        self, name: str, data: TrainingData, rows: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Weights, and for ``estimator`` sensitive features, as far as its ``fit`` takes them."""
        given = {"sample_weight": data.weights}
        if name == "estimator":
            given["sensitive_features"] = data.sensitive_features
        given = {key: value for key, value in given.items() if value is not None}
        if rows is not None:
            given = {key: select_rows(value, rows) for key, value in given.items()}
        if _routing_enabled():
            return dict(process_routing(self, "fit", **given)[name].fit)
        estimator = getattr(self, name)
        return {key: value for key, value in given.items() if has_fit_parameter(estimator, key)}

    def _warn_of_weights(self, name: str, params: dict[str, Any], data: TrainingData) -> None:
        if data.weights is not None and "sample_weight" not in params:
            warn(
                f"fit of {name} ({type(getattr(self, name)).__name__}) is not given sample_weight, "
                "which counts for the thresholds only. A pipeline is given it with metadata "
                "routing.",
            )

    def _folds(
        self, data: TrainingData, cells: np.ndarray, X: Any, y: Any, sample_weight: Any
    ) -> list | None:
        """Training and test rows of ``data``, if there is something to fit."""
        inner = [self.estimator, self.group_estimator] if self._infers else [self.estimator]
        if all(map(self._is_fitted_already, inner)):
            return None
        if self.cv is None or isinstance(self.cv, Integral):
            n_folds = FOLDS if self.cv is None else int(self.cv)
            return folds_by_content(data.X, data.y, cells, n_folds)
        folds = list(check_cv(self.cv, y, classifier=True).split(X, y))
        if sample_weight is None:
            return folds
        there = np.broadcast_to(np.asarray(sample_weight) > 0, len(y))  # others are left out
        place = np.cumsum(there) - 1
        return [[place[part[there[part]]] for part in fold] for fold in folds]

    def _cross_scores(self, data: TrainingData, folds: list | None) -> np.ndarray:
        """Return the scores (n,) that choose the thresholds."""
        if self._is_fitted_already(self.estimator):
            return scores_of(self.estimator_, data.X, self._responses)
        params = self._fit_params("estimator", data)
        labels = self.classes_[data.y]
        return cross_fitted_scores(
            self.estimator, data.X, labels, folds, self._responses, params, self.n_jobs
        )

    def _cross_posterior(
        self, data: TrainingData, cells: np.ndarray, folds: list | None
    ) -> np.ndarray:
        """Return the probabilities (n, n_cells) of groups that choose the thresholds."""
        names = self._cells.names
        posterior = posterior_of(self.group_estimator_, data.X, names)
        if folds is None or self._is_fitted_already(self.group_estimator):
            return posterior
        is_known = cells >= 0  # others were not trained on
        rows, place = np.flatnonzero(is_known), np.cumsum(is_known) - 1
        posterior[rows] = cross_fitted_posterior(
            self.group_estimator,
            select_rows(data.X, rows),
            names[cells[rows]],
            [[place[part[is_known[part]]] for part in fold] for fold in folds],
            names,
            self._fit_params("group_estimator", data, rows),
            self.n_jobs,
        )
        return posterior
