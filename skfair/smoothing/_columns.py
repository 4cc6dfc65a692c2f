"""The columns that receive noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing, check_array

from .._columns import column_positions, numeric_columns
from .._tables import naming


def noisy_columns(X: Any, columns: Any) -> list[int]:
    """Positions of the columns named, of all that hold numbers if ``columns`` is None.

    Raises
    ------
    ValueError
        If there are none, or one is named twice.
    """
    if columns is None:
        positions = numeric_columns(X)
    else:
        positions = column_positions(X, columns, "numeric_columns")
    if not positions:
        raise ValueError(
            "No column receives noise: X has no numeric column, or numeric_columns="
            f"{columns!r} selects none. Numbers are needed to smooth over."
        )
    if len(set(positions)) < len(positions):
        raise ValueError(f"numeric_columns={columns!r} names a column twice.")
    return [int(position) for position in positions]


def check_complete(part: Any, advice: str) -> None:
    """Refuse columns of a DataFrame with missing values, to which something is impossible."""
    if not hasattr(part, "iloc"):
        return
    missing = part.isna().to_numpy().any(axis=0)
    if missing.any():
        raise ValueError(
            f"The columns {list(part.columns[missing])} of X contain NaN, or other missing values, "
            f"to which {advice}."
        )


def noisy_numbers(
    X: Any, positions: list[int], columns: Any, estimator: Any, allow_nan: bool
) -> np.ndarray:
    """Numbers of the columns; ``columns`` is what they were named by.

    NaN where they are missing, if ``allow_nan``; infinity is refused.
    """
    part = _safe_indexing(X, positions, axis=1)
    if not allow_nan:
        advice = "no noise can be added: name the other ones in numeric_columns, or impute"
        check_complete(part, advice)
    hint = f"Leave columns of text out of numeric_columns={columns!r}."
    with naming("X", hint):
        return check_array(
            part,
            dtype=np.float64,
            input_name="X",
            estimator=estimator,
            ensure_all_finite="allow-nan" if allow_nan else True,
        )
