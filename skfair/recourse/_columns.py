"""What the columns of a table hold: numbers, or categories in one column or in several."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import (
    is_bool_dtype,
    is_integer_dtype,
    is_numeric_dtype,
    is_object_dtype,
)
from scipy.stats import median_abs_deviation

from .._columns import column_positions


def with_categories_of(X: Any, reference: Any) -> Any:
    """Return the reference with the pandas categories, and their order, of X."""
    if not hasattr(X, "iloc") or not hasattr(reference, "iloc"):
        return reference
    kinds = {i: kind for i, kind in enumerate(X.dtypes) if isinstance(kind, pd.CategoricalDtype)}
    reference = reference.copy(deep=False)
    for i, kind in kinds.items():
        reference.isetitem(i, reference.iloc[:, i].astype(kind))
    return reference


def category_blocks(
    X: Any, reference: Any, actionable: list[int], categorical: Any
) -> list[list[int]]:
    """Positions of the column, or 0/1 columns, of each category."""
    tables = X, reference
    numbers = {i for i in range(X.shape[1]) if holds_numbers(tables, i)}
    if categorical is None:
        runs = _one_hot_runs(tables, [i for i in range(X.shape[1]) if i in numbers or _truth(X, i)])
        coded = {i for run in runs for i in run}
        return runs + [[i] for i in actionable if i not in numbers | coded]
    if isinstance(categorical, str) or not isinstance(
        categorical, (list, tuple, np.ndarray, pd.Index)
    ):
        categorical = [categorical]
    blocks = []
    for entry in categorical:
        positions = column_positions(X, entry if _is_list(entry) else [entry], "categorical")
        blocks.append(sorted(positions))
        if len(positions) > 1 and not _is_exclusive(tables, positions):
            raise ValueError(
                f"categorical: {entry!r} stands for several columns, which must be 0 or 1, at most "
                "one of them 1 in every row; columns that each hold categories are named one by "
                "one."
            )
    named = [column for block in blocks for column in block]
    if len(set(named)) < len(named):
        raise ValueError(f"categorical={categorical!r} names a column twice.")
    return blocks + [[i] for i in actionable if i not in numbers and i not in named]


def _is_list(entry: Any) -> bool:
    return isinstance(entry, (list, tuple, np.ndarray, slice))


def kind_of(X: Any, column: int) -> Any:
    """Return the dtype of a column."""
    return X.dtypes.iloc[column] if hasattr(X, "iloc") else X.dtype


def is_hashable(tables: tuple, column: int) -> bool:
    """Whether entries of a column can be told apart, as those of categories are."""
    if not is_object_dtype(kind_of(tables[0], column)):
        return True
    found = {type(v) for t in tables for v in pd.Series(column_of(t, column))}
    return all(t.__hash__ is not None for t in found)


def holds_numbers(tables: tuple, column: int) -> bool:
    """Whether a column of the first table holds numbers, and more than truth values."""
    kind = kind_of(tables[0], column)
    if is_bool_dtype(kind) or isinstance(kind, pd.CategoricalDtype):
        return False
    if is_object_dtype(kind):
        return _only(tables, column, (int, float, np.number))
    return is_numeric_dtype(kind)


def holds_integers(tables: tuple, column: int) -> bool:
    """Whether a column of the first table is of an integer type, or of objects that all are."""
    kind = kind_of(tables[0], column)
    return is_integer_dtype(kind) or (
        is_object_dtype(kind) and _only(tables, column, (int, np.integer))
    )


def _only(tables: tuple, column: int, types: tuple) -> bool:
    """Whether objects are of these types, and no truth values, as far as they are known."""
    found = {type(v) for t in tables for v in pd.Series(column_of(t, column)).dropna()}
    return all(issubclass(t, types) and t is not bool for t in found)


def _truth(X: Any, column: int) -> bool:
    """Whether a column holds truth values, as those of ``pandas.get_dummies`` do."""
    kind = kind_of(X, column)
    if is_object_dtype(kind):
        return {*map(type, pd.Series(column_of(X, column)))} <= {bool, np.bool_}
    return is_bool_dtype(kind) and not isinstance(kind, pd.CategoricalDtype)


def _zeros_and_ones(tables: tuple, column: int) -> np.ndarray | None:
    """Return a column of all tables as 0.0 and 1.0, if that is what it holds."""
    try:
        values = np.concatenate([numbers_of(column_of(table, column)) for table in tables])
    except (TypeError, ValueError):
        return None
    return values if np.isin(values, (0, 1)).all() else None


def is_zero_one(tables: tuple, column: int) -> bool:
    """Whether a column holds nothing but 0 and 1, as numbers or truth values."""
    return _zeros_and_ones(tables, column) is not None


def _one_hot_runs(tables: tuple, columns: list[int]) -> list[list[int]]:
    """0/1 columns that are one category; any other 0/1 column alone.

    They are if they are adjacent and every row has one of them (all categories coded), or if their
    names begin alike (``job_b``, ``job_c``), each occurs and no row has two (the first dropped).
    """
    values = {i: _zeros_and_ones(tables, i) for i in columns}
    left = [i for i in columns if values[i] is not None]
    names = [str(name) for name in getattr(tables[0], "columns", ())]
    runs = []
    while left:
        runs.append(_all_coded(left, values) or _named_alike(left, names, values))
        left = [i for i in left if i not in runs[-1]]
    return runs


def _all_coded(columns: list[int], values: dict) -> list[int]:
    """Find the first column and adjacent ones, of which every row has exactly one; or none."""
    total, run = np.zeros(1), list[int]()
    for i in columns:
        if run and i != run[-1] + 1:
            break
        total = total + values[i]
        run.append(i)
        if (total >= 1).all() or (total > 1).any():
            break
    return run if len(run) > 1 and (total == 1).all() else []


def _named_alike(columns: list[int], names: list[str], values: dict) -> list[int]:
    """Find the first column and later ones that are categories of the same, by their names.

    What names have in common ends with a sign (``job_``, ``job=``, ``job[T.``); the shortest such
    beginning that suits is taken, as categories may have signs in them, too.
    """
    first = columns[0]
    for sign in re.finditer(r"[\W_]+", names[first] if names else ""):
        stem = names[first][: sign.end()]
        run = [i for i in columns if names[i].startswith(stem)]
        part = np.column_stack([values[i] for i in run])
        if sign.start() and part.any(axis=0).all() and (part.sum(axis=1) <= 1).all():
            return run
    return [first]


def _is_exclusive(tables: tuple, columns: list[int]) -> bool:
    values = [_zeros_and_ones(tables, i) for i in columns]
    known = [v for v in values if v is not None]
    return len(known) == len(values) and bool((np.sum(known, axis=0) <= 1).all())


def _one_hot(X: Any, block: list[int]) -> np.ndarray:
    return np.column_stack([numbers_of(column_of(X, i)) for i in block])


def column_of(X: Any, column: int) -> Any:
    return X.iloc[:, column] if hasattr(X, "iloc") else X[:, column]


def rows_of(X: Any, rows: Any) -> Any:
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def numbers_of(column: Any) -> np.ndarray:
    column = pd.Series(column)
    return pd.to_numeric(column).to_numpy(np.float64, na_value=np.nan)


def limits_of(kind: Any) -> tuple[float, float]:
    """Smallest and largest number that a dtype can hold; infinite for double precision.

    Of integers it is no more than double precision, in which the search calculates, tells apart.
    """
    kind = getattr(kind, "numpy_dtype", kind)  # of pandas' nullable dtypes
    if not isinstance(kind, np.dtype) or kind.kind not in "iuf" or kind == np.float64:
        return -np.inf, np.inf
    if kind.kind == "f":
        return float(np.finfo(kind).min), float(np.finfo(kind).max)
    limits = np.iinfo(kind)
    return float(max(limits.min, -(2**53))), float(min(limits.max, 2**53))


def within(low: float, high: float, kind: Any) -> tuple[float, float]:
    """Move bounds inward to numbers that a dtype of less than double precision can hold."""
    kind = getattr(kind, "numpy_dtype", kind)
    if not isinstance(kind, np.dtype) or kind not in (np.float16, np.float32):
        return low, high
    with np.errstate(over="ignore"):
        least, most = kind.type(low), kind.type(high)
    least = np.nextafter(least, kind.type(np.inf)) if least < low else least
    most = np.nextafter(most, kind.type(-np.inf)) if most > high else most
    return float(least), float(most)


def levels_of(X: Any, reference: Any, block: list[int]) -> np.ndarray:
    """Values of a category, one row each; in order where it has one.

    Of several 0/1 columns none is 1 in the last row, if that occurs. They are 0 and 1 as X has
    them: truth values, or numbers of some type.
    """
    if len(block) > 1:
        none = any(not _one_hot(table, block).any(axis=1).all() for table in (reference, X))
        level = np.eye(len(block) + none, dtype=object)[:, : len(block)]
        for k, column in enumerate(block):
            kind = type(pd.Series(column_of(X if len(X) else reference, column)).iloc[0])
            level[:, k] = [kind(value) for value in level[:, k]]
        return level
    columns = [pd.Series(column_of(table, block[0])) for table in (reference, X)]
    if isinstance(columns[0].dtype, pd.CategoricalDtype) and columns[0].dtype.ordered:
        present = set(columns[0].dropna()) | set(columns[1].dropna())
        known = [value for value in columns[0].cat.categories if value in present]
    else:
        known = pd.unique(pd.concat([c.astype(object).dropna() for c in columns]))
        try:
            known = sorted(known, key=lambda value: (str(type(value)), value))
        except TypeError:  # no order among these
            known = sorted(known, key=lambda value: (str(type(value)), str(value)))
    level = np.empty((len(known), 1), dtype=object)
    level[:, 0] = known
    missing = [c[c.isna()] for c in columns if c.isna().any()]
    if missing:
        level = np.append(level, [[missing[0].astype(object).iloc[0]]], axis=0)
    return level


def codes_of(X: Any, block: list[int], level: np.ndarray) -> np.ndarray:
    if len(block) > 1:
        rows = _one_hot(X, block)
        return np.where(rows.any(axis=1), rows.argmax(axis=1), len(block))
    column = pd.Series(column_of(X, block[0])).astype(object)
    missing = pd.isna(level[:, 0])
    codes = pd.Index(level[~missing, 0], dtype=object).get_indexer(column)
    return np.where(column.isna(), np.flatnonzero(missing)[0] if missing.any() else -1, codes)


def scales_of(numbers: np.ndarray) -> np.ndarray:
    """Median absolute deviation; where it is 0 the mean one; where that is 0, one."""
    scales = np.ones(numbers.shape[1])
    for j, column in enumerate(numbers.T):
        column = column[~np.isnan(column)]
        if len(column):
            mean = np.abs(column - np.median(column)).mean()
            scales[j] = median_abs_deviation(column) or mean or 1.0
    return scales
