"""What the columns of a table hold: numbers, or categories in one column or in several."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype, is_object_dtype
from scipy.stats import median_abs_deviation
from sklearn.utils import _safe_indexing

from ..sensitive import column_positions


def with_categories_of(X: Any, reference: Any) -> Any:
    """The reference with the pandas categories, and their order, of X."""
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
    if categorical is None:
        zero_one = [i for i in range(X.shape[1]) if _is_number(X, i) or _is_truth(X, i)]
        words = [i for i in actionable if i not in zero_one]
        return [[i] for i in words] + _one_hot_runs((X, reference), zero_one)
    if isinstance(categorical, str) or not isinstance(
        categorical, (list, tuple, np.ndarray, pd.Index)
    ):
        categorical = [categorical]
    blocks = []
    for entry in categorical:
        positions = column_positions(X, entry if _is_list(entry) else [entry], "categorical")
        blocks.append(sorted(positions))
        if len(positions) > 1 and not all(_is_exclusive(t, positions) for t in (X, reference)):
            raise ValueError(
                f"categorical: {entry!r} stands for several columns, which must be 0 or 1, at most "
                "one of them 1 in every row; columns that each hold categories are named one by "
                "one."
            )
    named = [column for block in blocks for column in block]
    if len(set(named)) < len(named):
        raise ValueError(f"categorical={categorical!r} names a column twice.")
    return blocks + [[i] for i in actionable if i not in named and not _is_number(X, i)]


def _is_list(entry: Any) -> bool:
    return isinstance(entry, (list, tuple, np.ndarray, slice))


def _is_number(X: Any, column: int) -> bool:
    """Whether a column holds numbers, and more than truth values."""
    kind = X.dtypes.iloc[column] if hasattr(X, "iloc") else X.dtype
    if is_bool_dtype(kind) or isinstance(kind, pd.CategoricalDtype):
        return False
    if is_object_dtype(kind) and not hasattr(X, "iloc"):
        return all(isinstance(value, (int, float, np.number)) for value in X[:, column])
    return is_numeric_dtype(kind)


def _is_truth(X: Any, column: int) -> bool:
    """Whether a column holds truth values, as those of ``pandas.get_dummies`` do."""
    values = pd.Series(column_of(X, column))
    if is_object_dtype(values.dtype):
        return {*map(type, values)} <= {bool, np.bool_}
    return is_bool_dtype(values.dtype) and not isinstance(values.dtype, pd.CategoricalDtype)


def _one_hot_runs(tables: tuple, columns: list[int]) -> list[list[int]]:
    """Adjacent 0/1 columns that are one category; any other 0/1 column alone.

    They are if every row has one of them (all categories coded), or if their names begin alike
    (``job_b``, ``job_c``), each occurs and no row has two (the first category dropped).
    """
    values = {i: np.concatenate([numbers_of(column_of(X, i)) for X in tables]) for i in columns}
    binary = [i for i in columns if np.isin(values[i], (0, 1)).all()]
    names = [str(name) for name in getattr(tables[0], "columns", ())]
    runs, k = [], 0
    while k < len(binary):
        total, run = 0.0, []
        for i in binary[k:]:
            if run and i != run[-1] + 1:
                break
            total = total + values[i]
            run.append(i)
            if (total >= 1).all() or (total > 1).any():
                break
        if len(run) == 1 or (total != 1).any():
            run = _named_alike(binary[k:], names, values)
        runs.append(run)
        k += len(runs[-1])
    return runs


def _named_alike(columns: list[int], names: list[str], values: dict) -> list[int]:
    """The first column and those after it that are further categories of the same."""
    run = columns[:1]
    stem = names[run[0]].rpartition("_")[0] if names else ""
    if not stem:
        return run
    for i in columns[1:]:
        if i != run[-1] + 1 or names[i].rpartition("_")[0] != stem:
            break
        run = [*run, i]
    part = np.column_stack([values[i] for i in run])
    exclusive = part.any(axis=0).all() and (part.sum(axis=1) <= 1).all()
    return run if exclusive else columns[:1]


def _is_exclusive(X: Any, columns: list[int]) -> bool:
    part = _one_hot(X, columns)
    return bool(np.isin(part, (0, 1)).all() and (part.sum(axis=1) <= 1).all())


def _one_hot(X: Any, block: list[int]) -> np.ndarray:
    return np.column_stack([numbers_of(column_of(X, i)) for i in block])


def column_of(X: Any, column: int) -> Any:
    return _safe_indexing(X, column, axis=1)


def numbers_of(column: Any) -> np.ndarray:
    column = pd.Series(column)
    return pd.to_numeric(column).to_numpy(np.float64, na_value=np.nan)


def limits_of(kind: Any) -> tuple[float, float]:
    """Smallest and largest number that a dtype can hold; infinite unless it holds integers."""
    kind = getattr(kind, "numpy_dtype", kind)  # of pandas' nullable dtypes
    if not isinstance(kind, np.dtype) or kind.kind not in "iu":
        return -np.inf, np.inf
    return float(np.iinfo(kind).min), float(np.iinfo(kind).max)


def in_kind(values: np.ndarray, column: Any, kind: Any) -> Any:
    """0 and 1 as a column has them: as truth values, numbers or objects."""
    if is_bool_dtype(kind):
        return pd.array(values == 1, dtype=kind)
    if is_object_dtype(kind) and _is_truth(pd.DataFrame({0: column}), 0):
        return (values == 1).astype(object)
    return pd.Series(values, dtype=object).astype(kind).to_numpy()


def levels_of(X: Any, reference: Any, block: list[int]) -> np.ndarray:
    """Values of a category, one row each; in order where it has one.

    Of several 0/1 columns none is 1 in the last row, if that occurs.
    """
    if len(block) > 1:
        none = any(not _one_hot(table, block).any(axis=1).all() for table in (reference, X))
        return np.eye(len(block) + none)[:, : len(block)]
    columns = [pd.Series(column_of(table, block[0])) for table in (reference, X)]
    if isinstance(columns[0].dtype, pd.CategoricalDtype) and columns[0].dtype.ordered:
        present = set(columns[0].dropna()) | set(columns[1].dropna())
        known = [value for value in columns[0].cat.categories if value in present]
    else:
        known = pd.unique(pd.concat([c.astype(object).dropna() for c in columns]))
        known = sorted(known, key=lambda value: (str(type(value)), value))
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
    codes = pd.Index(level[~missing, 0]).get_indexer(column)
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
