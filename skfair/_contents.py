"""What depends on nothing but what is in a row: draws and folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_complex_dtype, is_numeric_dtype
from scipy.sparse import issparse
from sklearn.utils import gen_batches

from ._warnings import warn

HASHED_ROWS = 4096  # of a sparse matrix, together


def row_hashes(X: Any) -> np.ndarray:
    """Numbers that depend on nothing but what is in a row.

    Parameters
    ----------
    X : DataFrame, ndarray of shape (n, ...) or sparse matrix
        The rows.

    Returns
    -------
    uint64 ndarray of shape (n,)
        Equal rows have equal ones.
    """
    if issparse(X):
        rows = X.tocsr()
        parts = [rows[part].toarray() for part in gen_batches(rows.shape[0], HASHED_ROWS)]
        return np.concatenate([row_hashes(part) for part in parts])
    frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.reshape(X, (len(X), -1)))
    columns = [_as_hashed(frame.iloc[:, j]) for j in range(frame.shape[1])]
    alike = pd.concat(columns, axis=1, ignore_index=True) if columns else frame
    return pd.util.hash_pandas_object(alike, index=False).to_numpy()


def _as_hashed(column: pd.Series) -> pd.Series:
    """Numbers as floats, of whatever type the column is: equal ones have equal bits."""
    column = column.reset_index(drop=True)
    if column.dtype == object:
        column = column.infer_objects()
    if is_numeric_dtype(column.dtype) and not is_complex_dtype(column.dtype):  # truth values, too
        return pd.Series(column.to_numpy(np.float64, na_value=np.nan))
    return column


def uniform_by_row(X: Any, seed: int) -> np.ndarray:
    """Numbers in [0, 1) that look random, and are the same whenever a row is met again.

    Parameters
    ----------
    X : DataFrame, ndarray of shape (n, ...) or sparse matrix
        The rows.
    seed : int
        Another one gives other numbers.

    Returns
    -------
    float64 ndarray of shape (n,)
        Uniform over different rows.
    """
    start = np.random.RandomState(seed).randint(2**63, dtype=np.uint64)
    mixed = pd.util.hash_array(row_hashes(X) ^ start)
    return (mixed >> np.uint64(11)) * 2.0**-53


def folds_by_content(X: Any, y: np.ndarray, cells: np.ndarray, n_folds: int) -> list:
    """Stratified folds that depend on nothing but what is in a row.

    Equal rows are in one fold. The order of rows and the names of groups make no difference.

    Parameters
    ----------
    X : DataFrame, ndarray of shape (n, ...) or sparse matrix
        The rows.
    y : int64 ndarray of shape (n,)
        Class codes.
    cells : int64 ndarray of shape (n,)
        Groups, by which folds are stratified, too.
    n_folds : int
        Number of folds; fewer if a class has fewer different rows.

    Returns
    -------
    list of (ndarray, ndarray)
        Training and test rows.

    Raises
    ------
    ValueError
        If a class has no two different rows.
    """
    table = pd.DataFrame({"y": y, "cell": cells, "hash": row_hashes(X)})
    table["first"] = table.groupby(["y", "cell"])["hash"].transform("min")  # names the cell
    distinct = table.groupby(["y", "first", "hash"]).ngroup()
    start = distinct.groupby(table["y"]).transform("min")
    fewest = int((distinct - start).groupby(table["y"]).max().min()) + 1
    if fewest < 2:
        raise ValueError(
            "y has a class with one row, or equal rows only, which cannot be divided into folds: "
            "fit the estimator to other rows, and use prefit=True."
        )
    if fewest < n_folds:
        warn(f"The least class of y has {fewest} different rows: there are as many folds.")
    fold = ((distinct - start) % min(n_folds, fewest)).to_numpy()
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in np.unique(fold)]
