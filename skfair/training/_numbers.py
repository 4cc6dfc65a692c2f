"""Rows for networks that take finite numbers only: tables of them, sparse ones, images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from .._tables import as_pandas, naming
from ._categories import NUMBERS, TIMES, column_of, holds_numbers, kind_of, name_of, numbers_of

ENCODING_ADVICE = (
    "The tabular network (module=None or 'tabular') takes text as categories; for any other one "
    "encode it with a OneHotEncoder in a ColumnTransformer. A sensitive column of text may stay in "
    "X if it is named in sensitive_columns and drop_sensitive_columns=True."
)


def plain_numbers(raw: Any, dtypes: Sequence[Any], name: str) -> Any:
    """Return rows in one of ``dtypes``, sparse ones as they are, and bytes of images as bytes.

    Parameters
    ----------
    raw : array-like, DataFrame or sparse matrix of shape (n, ...)
        X, as it was passed.
    dtypes : sequence of dtypes
        Which are allowed; the first is what others become.
    name : str
        Of the estimator, for errors.

    Raises
    ------
    ValueError, TypeError
        If there are other values than finite numbers; the message names the columns.
    """
    if is_image_bytes(raw):
        return np.ascontiguousarray(raw)
    if is_ready(raw, dtypes):
        return raw
    with naming("X", ENCODING_ADVICE):
        if _holds_times(raw):  # of which check_array makes numbers
            _name_strange_columns(raw)
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # of sums
                return check_array(
                    raw,
                    accept_sparse="csr",
                    dtype=list(dtypes),
                    order="C",  # torch knows no negative strides
                    allow_nd=True,
                    estimator=name,
                    input_name="X",
                )
        except (ValueError, TypeError, OverflowError) as error:
            begin, stop, rest = str(error).partition(".")
            if begin.startswith("Input X contains"):
                where = _not_finite(raw, dtypes[0])
                raise ValueError(f"{begin}{where}{stop}{rest}") from error
            _name_strange_columns(raw)
            if where := _not_finite(raw, dtypes[0]):
                raise ValueError(f"Input X contains NaN{where}.") from error
            raise


def is_image_bytes(X: Any) -> bool:
    """Whether rows are images of bytes, which become numbers in [0, 1] batch by batch."""
    return isinstance(X, np.ndarray) and X.dtype == np.uint8 and X.ndim > 2 and X.size > 0


def is_ready(X: Any, dtypes: Sequence[Any]) -> bool:
    """Whether check_array would return X as it is; for one row that takes longer than the rest."""
    if type(X) is not np.ndarray or X.ndim != 2 or X.dtype not in dtypes or not X.size:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return X.flags.c_contiguous and bool(np.isfinite(X.sum()))


def _holds_times(raw: Any) -> bool:
    """Whether the types of columns say that there are dates and the like."""
    dtypes = getattr(raw, "dtypes", [getattr(raw, "dtype", None)])
    return any(word in str(dtype).lower() for dtype in set(dtypes) for word in TIMES)


def _as_table(raw: Any) -> Any:
    """Return rows as a DataFrame or array of two dimensions, without columns if that is not so."""
    table = np.empty((0, 0)) if issparse(raw) else as_pandas(raw)
    table = table if hasattr(table, "iloc") else np.asarray(table)
    return table if table.ndim == 2 else np.empty((0, 0))


def _name_strange_columns(raw: Any) -> None:
    """See to it that an error names a column that does not hold numbers, if there is one.

    Raises
    ------
    ValueError, TypeError
        If a column holds text, categories, dates, lists and the like.
    """
    table = _as_table(raw)
    for j in range(table.shape[1]):
        column, name = column_of(table, j), name_of(table, j)
        if not holds_numbers(column, name):
            raise ValueError(
                f"X must hold numbers, not text. The {name} does not. {ENCODING_ADVICE}"
            )


def _not_finite(raw: Any, dtype: Any) -> str:
    """Say which columns hold missing values, or numbers that are too large."""
    table, found = _as_table(raw), []
    for j in range(table.shape[1]):
        column, name = column_of(table, j), name_of(table, j)
        if kind_of(column, name) == NUMBERS:
            with np.errstate(over="ignore"):
                finite = np.isfinite(numbers_of(column, name).astype(dtype))
        else:
            finite = ~column.isna().to_numpy()
        if not finite.all():
            found.append(name.removeprefix("column "))
    return f": columns {', '.join(found)}" if 0 < len(found) <= 20 else ""
