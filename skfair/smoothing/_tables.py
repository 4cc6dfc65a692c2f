"""Columns of numbers in arrays and data frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from pandas.api.types import is_bool_dtype, is_numeric_dtype


def numeric_columns(X: Any) -> list[int]:
    """Positions of the columns that hold numbers, truth values not among them."""
    if not hasattr(X, "iloc"):
        return list(range(np.shape(X)[1]))
    return [
        i
        for i, dtype in enumerate(X.dtypes)
        if is_numeric_dtype(dtype) and not is_bool_dtype(dtype)
    ]


def rows_with(X: Any, rows: np.ndarray, columns: list[int], numbers: np.ndarray) -> Any:
    """Rows of X with other numbers (n_rows, n_columns) in some columns."""
    if hasattr(X, "iloc"):
        table = X.iloc[rows].reset_index(drop=True)
        for column, values in zip(columns, numbers.T, strict=True):
            table.isetitem(column, values)
        return table
    table = X[rows].astype(np.float64)
    table[:, columns] = numbers
    return table
