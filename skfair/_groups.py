"""Sensitive features: from any table-like input to integer group codes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing

from ._columns import column_positions
from ._tables import SHOWN, as_pandas, brief
from ._warnings import warn

MAX_GROUPS = 50
MIN_GROUP_ROWS = 10  # rows; the figures of a group with fewer are chance


def as_frame(
    sensitive_features: Any, n_samples: int | None = None, parameter: str = "sensitive_features"
) -> pd.DataFrame:
    """Return sensitive features as a DataFrame with one column per attribute.

    Parameters
    ----------
    sensitive_features : array-like, Series, DataFrame or dict of columns, shape (n,) or \
(n, n_attributes)
        Strings, numbers or categoricals; tables of pandas, polars, Arrow.
    n_samples : int, default=None
        Expected number of rows.
    parameter : str, default="sensitive_features"
        Name used in error messages.

    Returns
    -------
    pandas.DataFrame of shape (n, n_attributes)
        The index is 0..n-1.

    Raises
    ------
    ValueError
        If the number of rows is not ``n_samples`` or there are no columns.
    """
    values = as_pandas(sensitive_features)
    if isinstance(values, pd.DataFrame):
        frame = values
    elif isinstance(values, pd.Series):
        frame = values.to_frame(0 if values.name is None else values.name)
    elif isinstance(values, dict):
        try:
            frame = pd.DataFrame(values)
        except ValueError as error:
            raise ValueError(f"{parameter} must have columns of one length: {error}.") from error
    elif isinstance(values, pd.Categorical):
        frame = pd.DataFrame({0: values})
    else:
        if isinstance(values, str) or not np.iterable(values):
            raise ValueError(f"{parameter} must be array-like, got {brief(values)}.")
        if hasattr(values, "__array__"):
            values = np.asanyarray(values)  # pandas knows masked arrays
        else:
            values = np.array(list(values), dtype=object)
        if values.ndim not in (1, 2):
            raise ValueError(
                f"{parameter} must be of shape (n_samples,) or (n_samples, n_attributes), "
                f"got an array of shape {values.shape}."
            )
        frame = pd.DataFrame(values)
    if frame.shape[1] == 0:
        raise ValueError(f"{parameter} has no columns; pass at least one.")
    if n_samples is not None and len(frame) != n_samples:
        raise ValueError(
            f"{parameter} must have one row per sample: got {len(frame)} rows for "
            f"{n_samples} samples."
        )
    return frame.reset_index(drop=True)


def select_sensitive(X: Any, columns: Any) -> pd.DataFrame:
    """Return the sensitive columns of ``X`` as a DataFrame (see :func:`column_positions`)."""
    X = X if hasattr(X, "shape") else np.asarray(X)
    positions = column_positions(X, columns)
    selected = _safe_indexing(X, positions, axis=1)
    return as_frame(selected.toarray() if hasattr(selected, "toarray") else selected)


def warn_of_order(X: Any, **others: Any) -> None:
    """Warn where rows are matched by position although an index says otherwise.

    Parameters
    ----------
    X : array-like or DataFrame
        The rows.
    **others : array-like, Series or DataFrame
        What belongs to the rows, by the name of the argument.
    """
    index = getattr(X, "index", None)
    if not isinstance(index, pd.Index):
        return
    permuted = [name for name, values in others.items() if _is_permuted(index, values)]
    if permuted:
        have = "have" if len(permuted) > 1 else "has"
        warn(
            f"{' and '.join(permuted)} {have} the index of X in another order: rows are matched by "
            "position, not by index; .loc[X.index] is in the order of X.",
        )


def _is_permuted(index: pd.Index, values: Any) -> bool:
    other = getattr(values, "index", None)
    if not isinstance(other, pd.Index) or len(other) != len(index) or other.equals(index):
        return False
    return len(other.symmetric_difference(index, sort=False)) == 0


def warn_of_few(groups: np.ndarray, labels: Sequence[Hashable]) -> None:
    """Warn of groups with hardly any rows.

    Parameters
    ----------
    groups : int64 ndarray of shape (n, n_attributes)
        Codes of the groups.
    labels : sequence
        What they stand for.
    """
    counts = np.bincount(groups[groups >= 0], minlength=len(labels))
    few = np.flatnonzero((counts > 0) & (counts < MIN_GROUP_ROWS))
    if len(few):
        named = ", ".join(f"{labels[code]!r} ({counts[code]})" for code in few[:SHOWN])
        more = f" and {len(few) - SHOWN} more" if len(few) > SHOWN else ""
        warn(
            f"sensitive_features: {len(few)} of {np.count_nonzero(counts)} groups have fewer than "
            f"{MIN_GROUP_ROWS} rows: {named}{more}. Differences between such groups are chance: "
            "merge them, or make them missing; and look whether an encoder or a sampler has made "
            "them.",
        )


def warn_of_fractions(frame: pd.DataFrame) -> None:
    """Warn of columns with numbers that are not whole: an encoder or a scaler has made them."""
    for position, name in enumerate(frame.columns):
        values = pd.unique(frame.iloc[:, position].dropna())
        broken = [v for v in values if isinstance(v, (float, np.floating)) and v % 1 != 0]
        if broken:
            warn(
                f"sensitive_features: {plain(name)!r} holds {len(broken)} numbers that are not "
                "whole, and each is a group. Pass the groups as they were before a step encoded or "
                "scaled them, or bin numbers (pandas.cut).",
            )


def in_known_order(frame: pd.DataFrame, names: Sequence) -> pd.DataFrame:
    """Return the columns in the order of ``names``, if they have the same ones in another."""
    found = [str(name) for name in frame.columns]
    if found == names or len({*found}) < len(found) or {*found} != {*names}:
        return frame
    return frame.iloc[:, [found.index(name) for name in names]]


@dataclass
class GroupEncoder:
    """Integer codes for groups of people.

    Parameters
    ----------
    attributes : {"intersection", "sum"}, default="intersection"
        Whether every combination that occurs is one group, or every attribute has groups of its
        own.

    Attributes
    ----------
    labels : list
        Label of each group: a value (as text unless a str or number), or a tuple with one value
        per attribute; with ``attributes="sum"`` the pair (attribute, value).
    attribute_of : list of int
        The attribute each group belongs to (all 0 for intersections).
    """

    attributes: str = "intersection"
    labels: list[Hashable] = field(default_factory=list)
    attribute_of: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.attributes not in ("intersection", "sum"):
            raise ValueError(
                f"attributes must be 'intersection' or 'sum', got {self.attributes!r}."
            )

    def encode(self, sensitive_features: Any, n_samples: int | None = None) -> np.ndarray:
        """Encode, adding groups that were not known before.

        Parameters
        ----------
        sensitive_features : array-like of shape (n,) or (n, n_attributes)
            See :func:`as_frame`.
        n_samples : int, default=None
            Expected number of rows.

        Returns
        -------
        ndarray of shape (n, 1) or (n, n_attributes), int64
            Positions in ``labels``; -1 where the attribute is missing.

        Raises
        ------
        ValueError
            If there is only one group, there are more than 50, or a column is continuous.
        """
        frame = as_frame(sensitive_features, n_samples)
        columns = [_factorize(frame.iloc[:, i], frame.columns[i]) for i in range(frame.shape[1])]
        missing = np.any([codes < 0 for codes, _ in columns], axis=0)
        if missing.any():
            what = (
                "the terms of what they lack" if self.attributes == "sum" else "the fairness term"
            )
            warn(
                f"sensitive_features is missing in {missing.sum()} of {len(frame)} rows: they are "
                f"left out of {what}.",
            )
        if self.attributes == "sum" and not frame.columns.is_unique:
            raise ValueError(
                f"The columns of sensitive_features must differ, got {list(frame.columns)}."
            )
        parts = self._parts(columns, frame.columns)
        for i, (_, labels) in enumerate(parts):
            self._add(labels, i)
        encoded = self._codes(parts)
        for i in range(len(parts)):
            self._check_attribute(i, frame.columns)
        return encoded

    def look_up(self, sensitive_features: Any, n_samples: int | None = None) -> np.ndarray:
        """Codes of groups that are known already.

        Parameters
        ----------
        sensitive_features : array-like of shape (n,) or (n, n_attributes)
            See :func:`as_frame`.
        n_samples : int, default=None
            Expected number of rows.

        Returns
        -------
        ndarray of shape (n, 1) or (n, n_attributes), int64
            Positions in ``labels``; -1 where the attribute is missing, or its group is new.
        """
        frame = as_frame(sensitive_features, n_samples)
        columns = []
        for position in range(frame.shape[1]):
            codes, values = pd.factorize(frame.iloc[:, position])
            columns.append((codes, [plain(value) for value in values]))
        return self._codes(self._parts(columns, frame.columns))

    def _parts(
        self, columns: list[tuple[np.ndarray, list]], names: Sequence
    ) -> list[tuple[np.ndarray, list]]:
        """Codes of the rows and their labels, of each attribute or of their combinations."""
        if self.attributes == "intersection":
            return [intersect(columns)]
        return [
            (codes, [(plain(name), value) for value in values])
            for (codes, values), name in zip(columns, names, strict=True)
        ]

    def _add(self, found: Sequence, attribute: int) -> None:
        """Add the labels of an attribute that were not known before."""
        new = set(found) - set(self.labels)
        n_groups = self.attribute_of.count(attribute) + len(new)
        if n_groups > MAX_GROUPS:
            raise ValueError(
                f"sensitive_features has {n_groups} groups, more than {MAX_GROUPS}; merge rare "
                "groups or bin numbers (pandas.cut)."
            )
        for label in in_order(new):
            self.labels.append(label)
            self.attribute_of.append(attribute)

    def _codes(self, parts: list[tuple[np.ndarray, list]]) -> np.ndarray:
        """Positions in ``labels`` (n, n_parts), -1 for a label that is not there or missing."""
        position = {label: i for i, label in enumerate(self.labels)}
        tables = [  # code -1 reads the last entry
            np.array([position.get(label, -1) for label in labels] + [-1], dtype=np.int64)
            for _, labels in parts
        ]
        return np.column_stack(
            [table[codes] for table, (codes, _) in zip(tables, parts, strict=True)]
        )

    def _check_attribute(self, attribute: int, names: Sequence) -> None:
        labels = [g for g, a in zip(self.labels, self.attribute_of, strict=True) if a == attribute]
        if len(labels) < 2:
            which = f" of {names[attribute]!r}" if self.attributes == "sum" else ""
            found = f"only one group{which} ({labels})" if labels else f"no group{which}"
            raise ValueError(
                f"sensitive_features has {found}; a fairness term "
                "compares at least two. Check the column, or leave sensitive_features out."
            )


def group_name(label: Hashable) -> str:
    """Write a group's label as text; the values of several attributes are joined."""
    return " & ".join(map(str, label)) if isinstance(label, tuple) else str(label)


def _factorize(column: pd.Series, name: Hashable) -> tuple[np.ndarray, list]:
    try:
        codes, values = pd.factorize(column)
    except TypeError as error:
        raise ValueError(
            f"sensitive_features: {plain(name)!r} must hold strings or numbers ({error})."
        ) from error
    n_present = int((codes >= 0).sum())
    if has_no_repeats(column, values):
        raise ValueError(
            f"The sensitive feature {plain(name)!r} is continuous: a float column with no "
            f"repeated value in {n_present} rows. Bin it first, for example with pandas.cut."
        )
    return codes, [plain(value) for value in values]


def has_no_repeats(column: pd.Series, values: Any) -> bool:
    """Whether a column, which has these different values, holds floats and none twice."""
    is_float = pd.api.types.is_float_dtype(column.dtype) or (
        column.dtype == object and all(isinstance(value, (float, np.floating)) for value in values)
    )
    return is_float and 2 < len(values) == column.notna().sum()


def intersect(columns: list[tuple[np.ndarray, list]]) -> tuple[np.ndarray, list]:
    """Codes and labels of the combinations of columns; code -1 where one is missing."""
    if len(columns) == 1:
        return columns[0]
    stacked = np.column_stack([codes for codes, _ in columns])
    complete = (stacked >= 0).all(axis=1)
    combinations, inverse = np.unique(stacked[complete], axis=0, return_inverse=True)
    codes = np.full(len(stacked), -1)
    codes[complete] = inverse.ravel()
    labels = [
        tuple(values[i] for i, (_, values) in zip(row, columns, strict=True))
        for row in combinations
    ]
    return codes, labels


def plain(value: Any) -> Hashable:
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, (str, bytes, int, float, tuple)) else str(value)


def in_order(labels: set) -> list:
    """Sort labels, of whatever types."""
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=lambda label: (str(label), type(label).__name__))
