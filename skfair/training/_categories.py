"""From the columns of a user's table to one matrix of numbers, in which categories are codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Complex, Number, Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import (
    infer_dtype,
    is_bool_dtype,
    is_complex_dtype,
    is_numeric_dtype,
    is_object_dtype,
    is_string_dtype,
)

from .._columns import column_positions
from .._tables import column_names, some
from .._warnings import warn

MISSING, RARE, FIRST = 0, 1, 2  # codes: no value; one that is rare or unseen; the first category
MIN_CATEGORY_ROWS = 5  # a category of fewer rows shares the place of the unseen ones
MANY_UNSEEN = 0.2  # of the values of a column in a later call of partial_fit

NUMBERS, TEXT, CATEGORIES, NOTHING = "numbers", "text", "categories", "nothing"
KINDS_OF_OBJECTS = {
    "string": TEXT,
    "empty": NOTHING,
    **dict.fromkeys(("integer", "floating", "mixed-integer-float", "boolean", "decimal"), NUMBERS),
}
TIMES = ("date", "time", "period", "duration")  # in names of types


def category_columns(X: Any, selection: Any, kept: list[int] | None = None) -> list[int]:
    """Positions of the columns that hold categories, among those that are kept.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n, n_features)
        The table.
    selection : "from_dtype", array-like of names, positions or truth values, or None
        The parameter ``categorical_features``.
    kept : list of int, default=None
        Positions of the columns that the network sees; ``None`` for all.

    Raises
    ------
    ValueError, TypeError
        If a column holds neither numbers nor categories; the message names it.
    """
    kept = list(range(X.shape[1])) if kept is None else kept
    by_dtype = isinstance(selection, str) and selection == "from_dtype"
    chosen = set() if by_dtype else _chosen(X, selection)
    if isinstance(X, np.ndarray) and X.dtype.kind in "biufc":
        return [i for i, j in enumerate(kept) if j in chosen]
    found = []
    for i, j in enumerate(kept):
        if j in chosen:
            found.append(i)
            continue
        column, name = column_of(X, j), name_of(X, j)
        kind = kind_of(column, name)
        if by_dtype and kind != NUMBERS:
            found.append(i)
        elif not holds_numbers(column, name):
            raise ValueError(
                f"X must hold numbers, not text, but for what categorical_features names: {name}."
            )
    return found


def _chosen(X: Any, selection: Any) -> set[int]:
    if selection is None:
        return set()
    as_array = np.asarray(selection)
    if not as_array.size or (as_array.dtype == bool and not as_array.any()):
        return set()
    return set(column_positions(X, selection, "categorical_features"))


def learn_categories(X: Any, columns: Iterable[int]) -> dict[int, list]:
    """Return the categories of these columns that have at least ``MIN_CATEGORY_ROWS`` rows.

    They are in their order, text or numbers, whatever the order of the rows.
    """
    learned, rare = {}, []
    for j in columns:
        name = name_of(X, j)
        codes, values = _factorize(column_of(X, j), name)
        counts = np.bincount(codes[codes >= 0], minlength=len(values))
        frequent = counts >= MIN_CATEGORY_ROWS
        learned[j] = sorted(
            value for value, is_kept in zip(values, frequent, strict=True) if is_kept
        )
        if counts[~frequent].sum() > counts[frequent].sum():
            rare.append(name)
    if rare:
        warn(
            f"Most values of {', '.join(rare)} of X occur in fewer than {MIN_CATEGORY_ROWS} rows. "
            "As categories they share one place, so that little is learned of them. Drop what only "
            "tells rows apart; make numbers of what is one (pandas.to_numeric) and of dates (the "
            "year, or the days since a fixed day)."
        )
    return learned


def check_no_new_categories(X: Any, known: Mapping[int, list]) -> None:
    """Refuse a table with categories of at least ``MIN_CATEGORY_ROWS`` rows that are not known.

    Raises
    ------
    ValueError
        If there are some; the message names the column.
    """
    for j, values in learn_categories(X, known).items():
        new = sorted(set(values) - set(known[j]))
        if new:
            raise ValueError(
                f"{name_of(X, j)} of X has categories that the fit before did not know, "
                f"{some(new)}: fit without warm_start."
            )


def shares_of_unseen(codes: np.ndarray) -> np.ndarray:
    """Return the share of each column's values (n, n_columns), encoded, that are in no category."""
    return (codes == RARE).sum(axis=0) / np.maximum((codes != MISSING).sum(axis=0), 1)


def warn_of_unseen(name: str, share: float) -> None:
    """Warn that a later part of the rows has many categories that the first part had not."""
    warn(
        f"{name} of X: {share:.0%} of the values in this "
        f"call of partial_fit occurred in fewer than {MIN_CATEGORY_ROWS} rows of the first call, "
        "which decides what the categories are. They share one place, so that little is learned "
        "of them. Let the first call have rows of all categories."
    )


def encode_table(X: Any, categories: Mapping[int, list], dtype: Any) -> np.ndarray:
    """Return the matrix that the network sees.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n, n_features)
        The table.
    categories : mapping of int to list
        What :func:`learn_categories` returned.
    dtype : numpy.dtype
        Of the result.

    Returns
    -------
    ndarray of shape (n, n_features)
        Numbers as they are, NaN where they are missing. Of a category its code: 0 where it is
        missing, 1 if it is rare or not known, and from 2 on the known ones.

    Raises
    ------
    ValueError, TypeError
        If a column does not hold what it held in training; the message names it.
    """
    encoded = np.empty(X.shape, dtype=dtype)
    with np.errstate(over="ignore"):
        if isinstance(X, np.ndarray) and X.dtype.kind in "biuf":
            encoded[:] = X
        else:
            for j in range(X.shape[1]):
                if j not in categories:
                    encoded[:, j] = numbers_of(column_of(X, j), name_of(X, j))
    for j, known in categories.items():
        encoded[:, j] = _codes(column_of(X, j), known, name_of(X, j))
    infinite = np.isinf(encoded).any(axis=0)
    if infinite.any():
        raise _too_large(name_of(X, int(infinite.argmax())), dtype)
    return encoded


def _too_large(name: str, dtype: Any) -> Exception:
    return ValueError(
        f"Input X contains infinity or a value too large for {np.dtype(dtype)}: {name}."
    )


def has_missing(X: Any) -> bool:
    """Whether any value of a DataFrame or an array is missing."""
    if isinstance(X, np.ndarray) and X.dtype.kind == "f":
        return bool(np.isnan(X).any())
    return bool(np.any(pd.isna(X)))


def name_of(X: Any, j: int) -> str:
    """Return what errors call a column."""
    names = column_names(X)
    return f"column {names[j]!r}" if names else f"column {j}"


def column_of(X: Any, j: int) -> pd.Series:
    """Return a column of a DataFrame or an array."""
    return X.iloc[:, j] if hasattr(X, "iloc") else pd.Series(X[:, j])


def kind_of(column: pd.Series, name: str) -> str:
    """Say what a column holds: numbers (truth values, too), text, categories or nothing.

    Raises
    ------
    ValueError, TypeError
        If it is nothing of these.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype) or "dictionary" in str(dtype):  # Arrow's categories
        return CATEGORIES
    if is_object_dtype(dtype):
        return _kind_of_objects(column, name)
    if is_complex_dtype(dtype):
        raise _not_supported(name, "complex")
    if is_numeric_dtype(dtype) or is_bool_dtype(dtype):
        return NUMBERS
    if is_string_dtype(dtype):
        return TEXT
    if column.isna().all():
        return NOTHING
    raise _not_supported(name, str(dtype))


def holds_numbers(column: pd.Series, name: str) -> bool:
    """Whether a column holds nothing but numbers, as such or as categories.

    Raises
    ------
    ValueError, TypeError
        As in :func:`kind_of`.
    """
    kind = kind_of(column, name)
    if kind == CATEGORIES:
        return not any(isinstance(value, str) for value in _factorize(column, name)[1])
    return kind != TEXT


def _kind_of_objects(column: pd.Series, name: str) -> str:
    inferred = infer_dtype(column, skipna=True)
    if inferred in KINDS_OF_OBJECTS:
        return KINDS_OF_OBJECTS[inferred]
    types = {type(value) for value in column[column.notna()]}
    if not types:
        return NOTHING
    if all(issubclass(kind, str) for kind in types):  # beside a missing date
        return TEXT
    others = sorted(
        kind.__name__
        for kind in types
        if _is_complex(kind) or not issubclass(kind, (str, Number, np.bool_))
    )
    if others:
        raise _not_supported(name, others[0])
    if any(issubclass(kind, str) for kind in types):
        raise _mixed(name)
    return NUMBERS


def _is_complex(kind: type) -> bool:
    return issubclass(kind, Complex) and not issubclass(kind, Real)


def _mixed(name: str) -> Exception:
    return ValueError(
        f"{name} of X holds text and numbers: make one of them, by astype(str) or "
        "pandas.to_numeric."
    )


def _not_supported(name: str, kind: str) -> Exception:
    if "complex" in kind:
        return ValueError(f"Complex data not supported: {name} of X.")
    if any(word in kind.lower() for word in TIMES):
        return ValueError(
            f"{name} of X holds dates or times ({kind}): make numbers of it that say what matters, "
            "such as its year, the days since a fixed day or the hour."
        )
    return TypeError(
        f"{name} of X holds {kind}: an entry's argument must be a string or a real number."
    )


def numbers_of(column: pd.Series, name: str) -> np.ndarray:
    """Return a column of numbers, NaN where they are missing."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return column.to_numpy()
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    kind = kind_of(column, name)
    if kind == NOTHING:
        return np.full(len(column), np.nan)
    if kind != NUMBERS:
        raise ValueError(f"X must hold numbers, not text, where it held numbers in fit: {name}.")
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except OverflowError:
        raise _too_large(name, np.float64) from None


def _codes(column: pd.Series, known: list, name: str) -> np.ndarray:
    codes, values = _factorize(column, name)
    if known and values and isinstance(known[0], str) != isinstance(values[0], str):
        kinds = ("text", "numbers") if isinstance(known[0], str) else ("numbers", "text")
        raise ValueError(f"{name} of X held {kinds[0]} in fit, now it holds {kinds[1]}.")
    found = pd.Index(known, dtype=object).get_indexer(pd.Index(values, dtype=object))
    code_of = np.append(np.where(found < 0, RARE, found + FIRST), MISSING)  # the last is that of -1
    return code_of[codes]


def _factorize(column: pd.Series, name: str) -> tuple[np.ndarray, list]:
    """Return a column as positions, -1 where it is missing, in a list of its different values."""
    if "dictionary" in str(column.dtype):
        column = column.astype(object)
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, values = column.cat.codes.to_numpy(), column.cat.categories
        return codes, _plain(values, name) if (codes >= 0).any() else []
    try:
        codes, values = pd.factorize(column)
    except TypeError as error:
        raise _not_supported(name, f"what cannot be a category ({error})") from error
    return codes, _plain(values, name)


def _plain(values: Iterable, name: str) -> list:
    """Different values as text or numbers, so that they can be stored and put in order."""
    plain = [_plain_value(value, name) for value in values]
    if len({isinstance(value, str) for value in plain}) > 1:
        raise _mixed(name)
    return plain


def _plain_value(value: Any, name: str) -> str | int | float:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        return int(value)
    if isinstance(value, bytes) or _is_complex(type(value)):
        raise _not_supported(name, type(value).__name__)
    if isinstance(value, Number):
        return float(value)  # type: ignore[arg-type]
    return str(value)  # an interval, a day
