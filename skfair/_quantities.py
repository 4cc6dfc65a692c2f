"""Sensitive features that are quantities: from columns of numbers to standardized ones."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ._columns import column_positions
from ._groups import MAX_GROUPS, has_no_repeats, plain
from ._tables import brief
from ._warnings import warn


@dataclass
class QuantityEncoder:
    """Standardized numbers for sensitive features that are quantities, not groups.

    Attributes
    ----------
    scales : dict of int to list, or None
        Mean and standard deviation of each such column, by its position; ``None`` before the first
        call of :meth:`encode`.
    """

    scales: dict[int, list[float]] | None = None

    def encode(
        self, frame: pd.DataFrame, columns: Any, weights: np.ndarray | None
    ) -> np.ndarray | None:
        """Encode; the first call learns which columns are quantities, and their scales.

        Parameters
        ----------
        frame : pandas.DataFrame of shape (n, n_attributes)
            Sensitive features.
        columns : "auto", selection of columns or None
            Which they are. "auto" takes numbers that cannot be groups: more than 50 different
            ones, or floats of which none is repeated.
        weights : ndarray of shape (n,) or None
            Weights of the rows.

        Returns
        -------
        ndarray of shape (n, n_continuous) or None
            NaN where a number is missing; ``None`` if there is no such column.

        Raises
        ------
        ValueError
            If a column does not occur, or does not hold at least two different finite numbers.
        """
        if self.scales is None:
            found = continuous_columns(frame, columns)
            values = {i: _numbers(frame.iloc[:, i]) for i in found}
            self.scales = {i: _scale(v, weights, frame.columns[i]) for i, v in values.items()}
        else:
            values = {i: _numbers(frame.iloc[:, i]) for i in self.scales}
        if not values:
            return None
        return np.column_stack(
            [(v - self.scales[i][0]) / self.scales[i][1] for i, v in values.items()]
        )

    def others(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the columns that are groups."""
        if not self.scales:
            return frame
        return frame.iloc[:, [i for i in range(frame.shape[1]) if i not in self.scales]]


def continuous_columns(frame: pd.DataFrame, columns: Any = "auto") -> list[int]:
    """Positions of the columns that are quantities; see :meth:`QuantityEncoder.encode`."""
    if columns is None:
        return []
    if isinstance(columns, str) and columns == "auto":
        return [i for i in range(frame.shape[1]) if _is_continuous(frame.iloc[:, i])]
    return sorted(column_positions(frame, columns, "continuous_features", "sensitive_features"))


def _is_continuous(column: pd.Series) -> bool:
    column = column.infer_objects()  # of a list
    if not pd.api.types.is_numeric_dtype(column.dtype):
        return False
    values = pd.unique(column.dropna())
    return len(values) > MAX_GROUPS or has_no_repeats(column, values)


def _numbers(column: pd.Series) -> np.ndarray:
    """Return a quantity as float64, NaN where it is missing."""
    name = plain(column.name)
    try:
        values = pd.to_numeric(column).to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sensitive_features: {name!r} must hold numbers ({error}).") from error
    if missing := np.isnan(values).sum():
        warn(
            f"sensitive_features is missing in {missing} of {len(values)} rows ({name!r}): they "
            "are left out of its term.",
        )
    return values


def _scale(values: np.ndarray, weights: np.ndarray | None, name: Hashable) -> list[float]:
    known = ~np.isnan(values)
    values, weights = values[known], None if weights is None else weights[known]
    mean = deviation = np.nan
    if len(values):
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.average(values, weights=weights)
            deviation = np.sqrt(np.average(np.square(values - mean), weights=weights))
    if not 0 < deviation < np.inf:
        raise ValueError(
            f"sensitive_features: {plain(name)!r} must hold at least two different finite numbers "
            f"for a fairness term, got {brief(np.unique(values).tolist())}."
        )
    return [float(mean), float(deviation)]
