"""Columns of a table: by name, position or kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.utils._indexing import _get_column_indices

from ._tables import SHOWN, brief, column_names


def column_positions(
    X: Any, columns: Any, parameter: str = "sensitive_columns", table: str = "X"
) -> list[int]:
    """Resolve a column selection as :class:`~sklearn.compose.ColumnTransformer` would.

    A name that is no column, but from which a transformer made columns (``sex`` in
    ``onehot__sex_Female``), stands for these columns.

    Parameters
    ----------
    X : DataFrame or array of shape (n, n_features)
        The table.
    columns : str, int, list, slice, bool mask or callable
        The selection; a callable receives ``X``.
    parameter : str, default="sensitive_columns"
        Name used in error messages.
    table : str, default="X"
        Name of the table, for the same.

    Returns
    -------
    list of int
        Positions in ``X``.

    Raises
    ------
    ValueError
        If a column does not occur; the message lists those that do.
    """
    if callable(columns):
        try:
            columns = columns(X)
        except Exception as error:
            raise ValueError(f"{parameter}={columns!r} failed when called with {table}.") from error
    if hasattr(columns, "__array__") and not isinstance(columns, pd.Series):
        columns = np.asarray(columns).tolist()  # tensors, too
    names = [str(name) for name in column_names(X)]
    if names:
        wanted = [columns] if isinstance(columns, str) else columns
        if isinstance(wanted, (list, tuple)) and {*map(type, wanted)} == {str}:
            found = [_named(names, name) for name in wanted]
            if not all(found):
                unknown = wanted[found.index([])]
                shown = repr(unknown) if len(wanted) <= SHOWN else f"for each of {brief(wanted)}"
                raise ValueError(
                    f"{parameter}: {table} has no column {shown}; its columns are {names}."
                )
            return [position for positions in found for position in positions]
    try:
        if isinstance(columns, slice) and not isinstance(columns.start or columns.stop, str):
            positions = list(range(_n_columns(X))[columns])
        else:
            positions = [int(position) for position in _get_column_indices(X, columns)]
        if not positions:
            raise ValueError("no column is selected")
        return positions
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        have = f"the columns {names}" if names else f"{_n_columns(X)} columns without names"
        why = f": {error}" if len(brief(columns)) == len(repr(columns)) else ""
        raise ValueError(
            f"{parameter}={brief(columns)} cannot be found in {table}, which has {have}{why}."
        ) from error


def _named(names: list[str], name: str) -> list[int]:
    local = [full.split("__", 1)[-1] for full in names]  # without the transformer's name
    for matches in (
        [i for i, full in enumerate(names) if full == name],
        [i for i, full in enumerate(local) if full == name],
        [i for i, full in enumerate(local) if full.startswith(f"{name}_")],  # one-hot encoded
    ):
        if matches:
            return matches
    return []


def _n_columns(X: Any) -> int:
    shape = getattr(X, "shape", None)
    shape = shape if isinstance(shape, tuple) else np.shape(X)
    return shape[1] if len(shape) > 1 else 0


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
