"""Tables as people have them: pandas, polars, Arrow, arrays; and what errors may show of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from scipy.sparse import issparse
from sklearn.utils import check_array

# What NumPy and scikit-learn show of data in their errors.
SHOWN_DATA = re.compile(
    r"\narray=.*?(?=\nReshape|\.\s*\Z|\Z)|(?<=Complex data not supported)\n.*"
    r"|(?<=could not convert string to float): .*",
    flags=re.DOTALL,
)
SHOWN = 5  # entries of a list in an error
PLAIN = (pd.DataFrame, pd.Series, pd.Index, pd.Categorical, np.ndarray, list, tuple, dict, str)


def as_pandas(values: Any) -> Any:
    """Tables and columns of polars, Arrow and the like as those of pandas; anything else unchanged.

    Needs no pyarrow: columns are taken over one by one, by narwhals, which comes with scikit-learn.

    Raises
    ------
    TypeError
        If the table is lazy.
    """
    if isinstance(values, PLAIN) or np.isscalar(values) or values is None or issparse(values):
        return values
    try:
        import narwhals.stable.v2 as nw
    except ImportError:  # scikit-learn before 1.9 can do without
        return values.to_pandas() if hasattr(values, "to_pandas") else values
    table = nw.from_native(values, allow_series=True, pass_through=True)
    if isinstance(table, nw.Series):
        return _column(table)
    if isinstance(table, nw.LazyFrame):
        raise TypeError(f"A lazy table ({type(values).__name__}) has no rows yet; collect() it.")
    if not isinstance(table, nw.DataFrame):
        return values
    columns = [_column(table.get_column(name)) for name in table.columns]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(len(table)))
    return frame.set_axis(table.columns, axis=1)


def _column(series: Any) -> pd.Series:
    import narwhals.stable.v2 as nw

    if isinstance(series.dtype, (nw.Categorical, nw.Enum)):
        categories = series.cat.get_categories().to_list()
        values: Any = pd.Categorical(series.to_list(), categories=categories)
    elif series.dtype == nw.Boolean and series.null_count():
        values = np.array(series.to_list(), dtype=object)
    elif isinstance(series.dtype, (nw.Struct, nw.Array, nw.Int128, nw.UInt128)):
        values = series.to_list()
    else:
        values = series.to_numpy()
    return pd.Series(values, name=series.name or None)


def as_table(X: Any, parameter: str = "X") -> Any:
    """Return a DataFrame or array (n_samples, n_features) that can be changed row by row.

    Raises
    ------
    ValueError
        If X does not have two dimensions.
    """
    X = X.toarray() if issparse(X) else as_pandas(X)
    if not isinstance(X, (pd.DataFrame, np.ndarray)):
        table = np.asarray(X)  # lists of numbers and text would become text alone
        X = np.asarray(X, dtype=object) if table.dtype.kind in "SU" else table
    if X.ndim != 2:
        hint = "; images have no columns to look at or to change" if X.ndim > 2 else ""
        raise ValueError(f"{parameter} must have two dimensions, got {X.ndim} ({brief(X)}{hint}).")
    return X


def numbers(X: Any, parameter: str = "X", dtype: Any = np.float64, **checks: Any) -> np.ndarray:
    """:func:`sklearn.utils.check_array`, whose errors name the parameter and show no entry of it.

    Raises
    ------
    ValueError, TypeError
        If X does not hold finite numbers.
    """
    X = X.detach().cpu() if hasattr(X, "detach") else X  # a tensor of torch, which may not be there
    with naming(parameter), sklearn.config_context(array_api_dispatch=False):
        return check_array(as_pandas(X), dtype=dtype, input_name=parameter, **checks)


def check_weights(sample_weight: Any, n_samples: int) -> np.ndarray:
    """Weights of rows as float64 of shape (n_samples,), ones if ``None``.

    Raises
    ------
    ValueError
        If they are no numbers, negative, all zero, or of another length.
    """
    if sample_weight is None or isinstance(sample_weight, Number):
        weights = np.full(n_samples, 1 if sample_weight is None else sample_weight, np.float64)
    else:
        weights = numbers(sample_weight, "sample_weight", ensure_2d=False, ensure_min_samples=0)
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have one weight per row, shape ({n_samples},), got shape "
            f"{weights.shape}."
        )
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(
            f"Negative values, or none, in sample_weight: the least is {weights.min():.3g}."
        )
    if not weights.any():
        raise ValueError("sample_weight must contain at least one non-zero number.")
    return weights / weights.max() if np.isinf(weights.sum()) else weights.copy()


def label_array(labels: Any, parameter: str) -> np.ndarray:
    """Labels as an array of at least one dimension."""
    labels = labels.toarray() if issparse(labels) else np.asarray(as_pandas(labels))
    if labels.ndim == 0:
        raise ValueError(f"{parameter} must hold a label for every row, got {brief(labels[()])}.")
    return labels


@contextmanager
def naming(parameter: str, hint: str | Callable[[], str] = "") -> Iterator[None]:
    """See to it that errors of others name the parameter, and show no entry of it.

    Where there is text instead of numbers, ``hint`` (or what it returns) says what to do.

    Raises
    ------
    ValueError, TypeError
        As in the block.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        text = SHOWN_DATA.sub("", str(error))
        if "could not convert string" in text:
            advice = hint() if callable(hint) else hint
            text = f"{parameter} must hold numbers, not text. {advice}".rstrip()
        if not re.search(rf"\b{parameter}\b", text):
            text = f"{parameter}: {text}"
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(text) from None


def column_names(X: Any) -> list:
    """Names of the columns, none for arrays."""
    names = getattr(X, "column_names", None)  # Arrow, whose columns are the data
    names = getattr(X, "columns", ()) if names is None else names
    return list(names) if np.iterable(names) else []


def brief(value: Any) -> str:
    """Describe a value in an error: short ones as they are, of data their kind and size only."""
    if value is None or isinstance(value, (Number, np.bool_, slice, type)) or callable(value):
        return repr(value)
    if isinstance(value, (str, bytes)):
        return repr(value) if len(value) <= 60 else f"a text of {len(value)} characters"
    kind = type(value).__name__
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        if len(value) <= SHOWN and all(np.isscalar(entry) or entry is None for entry in value):
            return repr(value)
        return f"a {kind} of length {len(value)}"
    if isinstance(getattr(value, "shape", None), tuple):
        return f"a {kind} of shape {tuple(value.shape)}"
    return f"a {kind}"


def some(labels: list) -> str:
    """Labels in an error: a few as they are, of more only their number; they may be data."""
    if len(labels) <= SHOWN and all(np.isscalar(label) for label in labels):
        return repr(labels)
    return f"{len(labels)} different ones"


def unknown_ones(labels: list) -> str:
    """Labels that should not be there: texts may be anything, so only numbers are shown."""
    if all(isinstance(label, (Number, np.bool_)) for label in labels):
        return some(labels)
    return f"{len(labels)} different {'one' if len(labels) == 1 else 'ones'}"
