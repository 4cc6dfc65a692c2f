"""What a trained network answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from .._tensors import takes_tensors
from .._torch_state import plain_torch
from ..objectives import fairn
from ._batches import as_numbers, iterate_rows
from ._learner import check_table


class NetworkPredictions(ClassifierMixin):
    """Predictions of an estimator that has ``net_``, in double precision where that is possible."""

    def _logits(
        self, X: Any, function: Callable | None = None, may_miss: bool = False
    ) -> np.ndarray:
        """Apply ``function(module, rows)`` (the forward pass by default) to all rows.

        Its results ``may_miss``, if they are the rows themselves.
        """
        check_is_fitted(self)
        raw = check_table(self, X, reset=False)
        X = self._encoder.features(raw)
        self._check_shape(X)
        forward = function or (lambda module, rows: module(rows))
        device, parts = self.net_.device, []
        with plain_torch(torch.device(device).type), torch.no_grad():
            module = self._predicting_module()
            dtype = next(module.parameters()).dtype
            for chunk in iterate_rows(X):
                chunk = chunk.toarray() if issparse(chunk) else chunk
                kept = None if chunk.dtype == np.uint8 else dtype  # bytes travel as bytes
                rows = as_numbers(torch.tensor(chunk, dtype=kept, device=device), dtype)
                parts.append(forward(module, rows).double().cpu().numpy())
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        # a distance may be infinite, of logits all but the largest
        with np.errstate(invalid="ignore"):
            wrong = ~np.isfinite(values.max(axis=1)) if function is None else np.isnan(values)
        if wrong.any() and not may_miss:
            raise ValueError(
                f"The network's output is not finite for {wrong.sum()} of the {len(values)} rows "
                "of X: their numbers are too large for it. Standardize X, in fit and here alike."
            )
        return values

    def _check_shape(self, X: np.ndarray) -> None:
        """See to it that rows have the shape of those that the network was made for."""
        expected = self._architecture.input_shape
        if X.shape[1:] != tuple(expected):
            raise ValueError(
                f"X has rows of shape {X.shape[1:]}, but {type(self).__name__} was fitted on rows "
                f"of shape {tuple(expected)}."
            )

    def _predicting_module(self) -> torch.nn.Module:
        """Return the network in evaluation mode, in double precision if it can."""
        module = self.net_.module_
        if self._runs_in_float64:
            return self.net_.double_precision.of(module)
        return module.eval()

    @takes_tensors
    def decision_function(self, X: Any) -> np.ndarray:
        """Logits, or their difference in a binary problem.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to decide on.

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
            Positive values speak for ``classes_[1]`` in a binary problem, and for each label where
            a row has several.
        """
        logits = self._logits(X)
        if logits.shape[1] > 2 or self._encoder.multi_label:
            return logits
        return logits[:, 1] - logits[:, 0]

    @takes_tensors
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to decide on.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            In the order of ``classes_``; where a row has several labels, the probability of each.
        """
        return self._probabilities(X, softmax, expit)

    @takes_tensors
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithms of :meth:`predict_proba`, exact for small probabilities.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to decide on.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            In the order of ``classes_``; where a row has several labels, the probability of each.
        """
        return self._probabilities(X, log_softmax, log_expit)

    def _probabilities(self, X: Any, one: Callable, several: Callable) -> np.ndarray:
        logits = self._logits(X)
        return several(logits) if self._encoder.multi_label else one(logits, axis=1)

    @takes_tensors
    def predict(self, X: Any) -> np.ndarray:
        """Class labels.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to decide on.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels from ``classes_``, or 0 and 1 where a row has several.
        """
        logits = self._logits(X)
        if self._encoder.multi_label:
            return (logits > 0).astype(np.int64)
        return self.classes_[logits.argmax(axis=1)]

    @takes_tensors
    def boundary_distance(self, X: Any) -> np.ndarray:
        """Distance to the decision boundary in the logit space (FaiR-N, Eq. 7).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows to decide on.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            |logit difference|; with more than two classes, top logit minus runner-up; |logit| of
            each label where a row has several.
        """
        check_is_fitted(self)
        if self._encoder.multi_label:
            return np.abs(self._logits(X))
        return self._logits(X, lambda module, rows: fairn.boundary_distance(module(rows)))
