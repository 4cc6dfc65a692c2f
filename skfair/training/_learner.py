"""Base of the estimators that learn from a table what they need to read others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from .._documentation import DocumentedEstimator
from .._groups import warn_of_order
from .._stored import StoredState, current_state
from .._tables import as_pandas, column_names, naming
from ._encoder import Encoder, EncoderOptions
from ._old_states import from_format_0
from ._rows import TrainingData
from ._targets import Targets


class TableLearner(StoredState, DocumentedEstimator, BaseEstimator):
    """Base of the estimators that learn an :class:`Encoder` before they train."""

    classes_: np.ndarray
    groups_: list
    _encoder: Encoder
    _encodes_rows = True

    def _targets(self) -> Targets:
        """Return what y may be."""
        return Targets()

    def _encoder_options(self) -> EncoderOptions:
        """Return what the parameters say about the user's table."""
        return EncoderOptions.of(self, self._targets(), self._encodes_rows)

    def _encode(
        self,
        X: Any,
        y: Any,
        sensitive_features: Any,
        sample_weight: Any,
        classes: Any = None,
        *,
        resume: bool,
        partial: bool = False,
        control_features: Any = None,
    ) -> TrainingData:
        """Check the data, and set what is learned from them alone."""
        warn_of_order(
            X,
            y=y,
            sensitive_features=sensitive_features,
            sample_weight=sample_weight,
            control_features=control_features,
        )
        raw, y = check_table(self, X, y, reset=not resume)
        self._encoder, data = Encoder.learn(
            self._encoder_options(),
            raw,
            y,
            sensitive_features,
            sample_weight,
            classes=classes,
            previous=self._encoder if resume else None,
            partial=partial,
            control_features=control_features,
        )
        self.classes_, self.groups_ = self._encoder.classes, self._encoder.groups
        return data

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_encoder" in state:
            state["_encoder"] = vars(state["_encoder"]).copy()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = current_state(self, state)
        if "_encoder" in state:
            with whole_state(self):
                state["_encoder"] = Encoder(**state["_encoder"])
        super().__setstate__(state)

    def _upgrade_state(self, state: dict[str, Any]) -> dict[str, Any]:
        with whole_state(self):
            return from_format_0(self, state)


def check_table(estimator: Any, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
    """Check shape and names of X as passed; :meth:`Encoder.features` checks its values."""
    with naming("X"):
        if issparse(X):
            X = X.tocsr()  # other formats have no rows to take
        elif not (hasattr(X, "shape") and (hasattr(X, "__array__") or hasattr(X, "__dataframe__"))):
            table = np.asarray(as_pandas(X))
            # of a list of numbers and text that is text alone
            X = np.asarray(X, dtype=object) if table.dtype.kind in "SU" else table
        if len(X.shape) < 2 or tuple(X.shape[1:]) == (0,):
            # scikit-learn cannot tell what is wrong with a frame without columns
            table = np.asarray(as_pandas(X)) if hasattr(X, "columns") else X
            check_array(table, dtype=None, estimator=estimator, input_name="X")  # raises
    try:
        return validate_data(estimator, X, y, reset=reset, skip_check_array=True)
    except ValueError as error:
        names = [str(name) for name in column_names(X)]
        known = list(getattr(estimator, "feature_names_in_", ()))
        moved = [pair for pair in zip(names, known, strict=False) if len({*pair}) > 1]
        if reset or not moved or sorted(names) != sorted(known):
            raise
        raise ValueError(
            f"{error}Column {moved[0][0]!r} comes where {moved[0][1]!r} was."
        ) from None


@contextmanager
def whole_state(estimator: Any) -> Iterator[None]:
    """Say of errors in the block that what was stored cannot be restored.

    Raises
    ------
    ValueError
        Instead of any other error.
    """
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"The stored state of {type(estimator).__name__} is not whole, or its module is "
            f"another than the one that was stored: {error}"
        ) from error
