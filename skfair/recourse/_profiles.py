"""People as numbers, and what may change about them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype, is_object_dtype

from .._columns import column_positions
from .._tables import brief
from ._columns import (
    category_blocks,
    codes_of,
    column_of,
    holds_integers,
    holds_numbers,
    is_hashable,
    is_zero_one,
    kind_of,
    levels_of,
    limits_of,
    numbers_of,
    scales_of,
    with_categories_of,
    within,
)

ROUNDING = 1e-9  # of a column's scale: no change
DIRECTIONS: dict[Hashable, int] = {"increase": 1, "decrease": -1, 1: 1, -1: -1}


class Profiles:
    """The actionable part of a table: numbers first, then categories.

    People are rows of a float64 array (n, n_numbers + n_categories): numbers as they are, NaN where
    they are missing, categories as codes. Their *features*, (n, width), are the numbers and a 0/1
    column for every category.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_samples, n_features)
        People whose profiles may change.
    reference : DataFrame or ndarray of shape (n_reference, n_features)
        Where scales and categories are taken from.
    actionable : list of int
        Positions of the columns that may change.
    categorical, integer, bounds, monotone
        As in :func:`~skfair.recourse.counterfactuals`.
    """

    def __init__(
        self,
        X: Any,
        reference: Any,
        actionable: list[int],
        categorical: Any,
        integer: Any,
        bounds: Any,
        monotone: Any,
    ) -> None:
        self.X, self.is_frame = X, hasattr(X, "iloc")
        reference = with_categories_of(X, reference)
        self.n_columns = X.shape[1]
        self.tables = X, reference
        blocks = category_blocks(X, reference, actionable, categorical)
        if categorical is None:  # 0/1, but spoken of as numbers
            spoken = self._spoken_of(bounds, integer)
            blocks = [block for block in blocks if len(block) > 1 or block[0] not in spoken]
        in_blocks = {column for block in blocks for column in block}
        self.numbers = [column for column in actionable if column not in in_blocks]
        self.categories = [block for block in blocks if set(block) <= set(actionable)]
        self.columns_of = [[column] for column in self.numbers] + self.categories
        self._check_numbers()
        self._check_categories()
        self.levels = [levels_of(X, reference, block) for block in self.categories]
        self.sizes = [len(level) for level in self.levels]
        self.starts = len(self.numbers) + np.cumsum([0, *self.sizes])[:-1].astype(int)
        self.width = len(self.numbers) + sum(self.sizes)

        self.own = self.encode(X)
        self.reference = self.encode(reference)
        self.integers = [holds_integers(self.tables, column) for column in self.numbers]
        whole = [self._is_whole(j) for j in range(len(self.numbers))]
        if integer is not None:
            named = self._positions(integer, "integer")
            if unsuited := sorted(set(named) & in_blocks):
                raise ValueError(
                    f"integer: columns {self._names(unsuited)} hold categories; leave them out, or "
                    "say in categorical which columns are categories."
                )
            whole = [column in named for column in self.numbers]
        self.whole = np.array(whole, dtype=bool)
        self.scale = scales_of(self.reference[:, : len(self.numbers)])
        self.kind = None if self.is_frame else self._kind_of_array()
        #: What the columns can hold, (2, n_numbers).
        self.held = (
            np.array([limits_of(self._kind_of_number(j)) for j in range(len(self.numbers))])
            .reshape(-1, 2)
            .T
        )
        self.lower, self.upper = self._limits(bounds)
        self.allowed = self._allowed()
        self._keep_between(bounds)
        self._apply(monotone)

    # -- tables and arrays --------------------------------------------------------------------

    def encode(self, X: Any) -> np.ndarray:
        """Rows of a table as numbers and codes; -1 for a category that is not known."""
        values = np.empty((len(X), len(self.numbers) + len(self.categories)))
        for j, column in enumerate(self.numbers):
            values[:, j] = numbers_of(column_of(X, column))
        for j, (block, level) in enumerate(zip(self.categories, self.levels, strict=True)):
            values[:, len(self.numbers) + j] = codes_of(X, block, level)
        return values

    def table(self, values: np.ndarray, rows: np.ndarray) -> Any:
        """Return the people in ``rows`` with other values; what does not differ is as it was."""
        table = self.X.iloc[rows].copy() if self.is_frame else self.X[rows].astype(self.kind)
        differs = ~_equal(values, self.own[rows])
        for j, column in enumerate(self.numbers):
            if self.is_frame and self._becomes_float(j):
                table.isetitem(column, values[:, j])
            else:
                self._put(table, column, differs[:, j], self._as_before(j, values[:, j]))
        for j, (block, level) in enumerate(zip(self.categories, self.levels, strict=True)):
            other = differs[:, len(self.numbers) + j]
            codes = values[:, len(self.numbers) + j].astype(int)
            for k, column in enumerate(block):
                self._put(table, column, other, level[codes, k])
        return table

    def _put(self, table: Any, column: int, where: np.ndarray, entries: np.ndarray) -> None:
        """Enter what differs, in the type of the column."""
        if not where.any():
            return
        if not self.is_frame:
            table[where, column] = entries[where]
            return
        kind = kind_of(table, column)
        if isinstance(kind, np.dtype):
            array = table.iloc[:, column].to_numpy(copy=True)
            array[where] = entries[where]
        else:
            array = table.iloc[:, column].array.copy()
            if isinstance(kind, pd.SparseDtype):  # entries cannot be set
                array = array.to_dense()
                array[where] = entries[where]
            else:
                array[where] = pd.array(entries[where], dtype=kind)
        table.isetitem(column, pd.Series(array, index=table.index, dtype=kind, copy=False))

    def features(self, values: np.ndarray) -> np.ndarray:
        """Numbers, zero where they are missing, and a 0/1 column for every category."""
        features = np.zeros((len(values), self.width))
        p = len(self.numbers)
        features[:, :p] = np.nan_to_num(values[:, :p])
        if self.categories:
            columns = self.starts + values[:, p:].astype(int)
            np.put_along_axis(features, columns, 1.0, axis=1)
        return features

    def changed(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Which columns of the table differ from the own profile, (n, n_columns)."""
        differs = ~_equal(values, self.own[rows])
        changed = np.zeros((len(values), self.n_columns), dtype=bool)
        changed[:, self.numbers] = differs[:, : len(self.numbers)]
        for j, (block, level) in enumerate(zip(self.categories, self.levels, strict=True)):
            if len(block) == 1:
                changed[:, block[0]] = differs[:, len(self.numbers) + j]
            else:
                codes = (v[:, len(self.numbers) + j].astype(int) for v in (values, self.own[rows]))
                changed[:, block] = np.not_equal(*(level[code] for code in codes))
        return changed

    # -- distances ----------------------------------------------------------------------------

    def distance(self, values: np.ndarray, others: np.ndarray, kind: str) -> np.ndarray:
        """Distance of rows to others, which broadcast against them.

        "mad_l1": differences of numbers in units of ``scale``, plus 1 for each category that
        differs. "l2": Euclidean, a category counting by its 0/1 columns.
        """
        p = len(self.numbers)
        numbers = np.nan_to_num(values[..., :p] - others[..., :p])
        moved = (values[..., p:] != others[..., p:]).sum(axis=-1)
        if kind == "l2":
            return np.sqrt((numbers**2).sum(axis=-1) + 2 * moved)
        return np.abs(numbers / self.scale).sum(axis=-1) + moved

    # -- constraints --------------------------------------------------------------------------

    def permitted(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Find the nearest values that are permitted; forbidden categories become the own ones."""
        p = len(self.numbers)
        own = self.own[rows]
        numbers = np.clip(values[:, :p], self.lower[rows], self.upper[rows])
        numbers = np.where(self.whole, self._rounded(numbers, rows), numbers)
        same = np.abs(numbers - own[:, :p]) <= ROUNDING * self.scale
        numbers = np.where(same | np.isnan(numbers), own[:, :p], numbers)
        codes = values[:, p:].astype(int)
        if codes.size:
            may = np.take_along_axis(self.allowed[rows], self.starts - p + np.maximum(codes, 0), 1)
            codes = np.where(may & (codes >= 0), codes, own[:, p:])
        return np.concatenate([numbers, codes], axis=1)

    def _rounded(self, numbers: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Whole steps from what they have, within the bounds."""
        own = self.own[rows][:, : len(self.numbers)]
        steps = np.rint(numbers - own)
        return own + np.clip(
            steps, np.ceil(self.lower[rows] - own), np.floor(self.upper[rows] - own)
        )

    def _limits(self, bounds: Any) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest number of each person, (n, n_numbers)."""
        p = len(self.numbers)
        own, low, high = self.own[:, :p], np.full(p, -np.inf), np.full(p, np.inf)
        if isinstance(bounds, str):
            if bounds != "observed":
                raise ValueError(f"bounds must be a dict, 'observed' or None, got {bounds!r}.")
            known = self.reference[:, :p]
            low = np.array([np.nanmin(c, initial=np.inf) for c in known.T])
            high = np.array([np.nanmax(c, initial=-np.inf) for c in known.T])
        elif bounds is not None:
            for name, limits in _items(bounds, "bounds"):
                for column in self._bounded(name):
                    if column in self.numbers:
                        j = self.numbers.index(column)
                        low[j], high[j] = _pair(name, limits)
        low, high = np.maximum(low, self.held[0]), np.minimum(high, self.held[1])
        for j in range(p):
            low[j], high[j] = within(low[j], high[j], self._kind_of_number(j))
        lower, upper = np.fmin(low, own), np.fmax(high, own)  # who is outside may stay there
        missing = np.isnan(own)
        return np.where(missing, np.nan, lower), np.where(missing, np.nan, upper)

    def _allowed(self) -> np.ndarray:
        """Which categories each person may have, (n, all categories)."""
        n, p = len(self.own), len(self.numbers)
        allowed = [np.empty((n, 0), dtype=bool)]
        for j, level in enumerate(self.levels):
            may = np.tile(~pd.isna(level).any(axis=1), (n, 1))
            np.put_along_axis(may, self.own[:, [p + j]].astype(int), True, axis=1)
            allowed.append(may)
        return np.concatenate(allowed, axis=1)

    def _keep_between(self, bounds: Any) -> None:
        """Bounds of ordered categories; who is outside may stay there, or come nearer."""
        for name, limits in bounds.items() if isinstance(bounds, Mapping) else ():
            for column in self._bounded(name):
                if [column] not in self.categories:
                    continue
                j, kind = self.categories.index([column]), kind_of(self.X, column)
                low, high = _ranks(name, limits, kind.categories)
                rank = kind.categories.get_indexer(self.levels[j][:, 0])  # -1: missing
                own = rank[self.own[:, [len(self.numbers) + j]].astype(int)]
                lower = np.where(own < 0, low, np.minimum(low, own))
                within_ = (rank >= lower) & (rank <= np.maximum(high, own)) | (rank == own)
                self._part_of_allowed(j)[:] &= within_

    def _part_of_allowed(self, category: int) -> np.ndarray:
        start = self.starts[category] - len(self.numbers)
        return self.allowed[:, start : start + self.sizes[category]]

    def _apply(self, monotone: Any) -> None:
        p = len(self.numbers)
        for name, direction in _items({} if monotone is None else monotone, "monotone"):
            sign = DIRECTIONS.get(direction, 0) if isinstance(direction, Hashable) else 0
            if not sign:
                raise ValueError(
                    f"monotone[{name!r}] must be 'increase' or 'decrease', got {direction!r}."
                )
            for column in self._positions([name], "monotone"):
                if column in self.numbers:
                    j = self.numbers.index(column)
                    limit = self.lower if sign > 0 else self.upper
                    limit[:, j] = self.own[:, j]
                elif [column] in self.categories and self._is_ordered(column):
                    j = self.categories.index([column])
                    codes, own = np.arange(self.sizes[j]), self.own[:, [p + j]]
                    self._part_of_allowed(j)[:] &= (codes - own) * sign >= 0
                elif any(column in block for block in self.categories):
                    raise ValueError(
                        f"monotone[{name!r}]: the column holds categories without an order; make "
                        "it an ordered pandas.Categorical, or leave it out, or say in categorical "
                        "which columns are categories."
                    )

    # -- what columns are ---------------------------------------------------------------------

    def _check_numbers(self) -> None:
        for column in self.numbers:
            for table, name in zip(self.tables, ("X", "reference"), strict=True):
                try:
                    numbers_of(column_of(table, column))
                except (TypeError, ValueError) as error:
                    raise ValueError(
                        f"Column {self._names([column])[0]!r} of {name} does not hold numbers "
                        f"({type(error).__name__}): name it in categorical."
                    ) from error

    def _check_categories(self) -> None:
        for block in self.categories:
            for column in block:
                if not is_hashable(self.tables, column):
                    raise ValueError(
                        f"Column {self._names([column])[0]!r} holds neither numbers nor "
                        "categories: leave it out of actionable."
                    )

    def _kind_of_array(self) -> np.dtype:
        """Return the dtype of answers to an array: its own, where that can hold them."""
        kind, other = self.X.dtype, getattr(self.tables[1], "dtype", None)
        if kind.kind in "SU":
            same = getattr(other, "kind", None) == kind.kind
            return np.result_type(kind, other) if same else np.dtype(object)
        if kind.kind in "iu" and not self.whole.all():
            return np.dtype(np.float64)
        return kind

    def _kind_of_number(self, number: int) -> Any:
        """Return the dtype in which answers hold a number."""
        if not self.is_frame:
            return self.kind
        kind = kind_of(self.X, self.numbers[number])
        return np.dtype(np.float64) if self._becomes_float(number) else kind

    def _becomes_float(self, number: int) -> bool:
        kind = kind_of(self.X, self.numbers[number])
        return is_integer_dtype(kind) and not self.whole[number]

    def _is_whole(self, number: int) -> bool:
        """Whether it holds integers, or would if no value were missing."""
        if self.integers[number]:
            return True
        values = np.concatenate([self.own[:, number], self.reference[:, number]])
        missing = np.isnan(values)
        return bool(missing.any() and not missing.all() and (values[~missing] % 1 == 0).all())

    def _spoken_of(self, bounds: Any, integer: Any) -> set[int]:
        """Columns of numbers that have bounds, or are named as whole numbers."""
        named = self._positions(list(bounds), "bounds") if isinstance(bounds, Mapping) else []
        named += [] if integer is None else self._positions(integer, "integer")
        return {column for column in named if holds_numbers(self.tables, column)}

    def _is_ordered(self, column: int) -> bool:
        """Whether categories have an order: they say so, or are 0 and 1."""
        kind = kind_of(self.X, column)
        if isinstance(kind, pd.CategoricalDtype):
            return kind.ordered
        return is_zero_one(self.tables, column)

    def _as_before(self, number: int, values: np.ndarray) -> np.ndarray:
        """Numbers, which are integers in columns of objects that are."""
        objects = is_object_dtype(self._kind_of_number(number))
        if not objects or not self.whole[number] or not self.integers[number]:
            return values
        return np.array([int(value) for value in np.nan_to_num(values)], dtype=object)

    def _names(self, columns: Sequence[int]) -> list:
        return [self.X.columns[i] if self.is_frame else int(i) for i in columns]

    def name_of(self, value: int) -> str:
        """Return the column, or columns, of an entry."""
        return ", ".join(map(repr, self._names(self.columns_of[value])))

    def _positions(self, columns: Any, parameter: str) -> list[int]:
        columns = [columns] if isinstance(columns, (str, Integral)) else columns
        empty = isinstance(columns, (list, tuple, np.ndarray, pd.Index)) and not len(columns)
        return [] if empty else column_positions(self.X, columns, parameter)

    def _bounded(self, name: Any) -> list[int]:
        """Columns of numbers, or of ordered pandas categories, that have bounds."""
        positions = self._positions([name], "bounds")
        for column in positions:
            ordered = getattr(kind_of(self.X, column), "ordered", False)
            if not ordered and any(column in block for block in self.categories):
                raise ValueError(
                    f"bounds[{name!r}]: the column holds categories without an order, not numbers; "
                    "leave it out, make it an ordered pandas.Categorical, or say in categorical "
                    "which columns are categories."
                )
        return positions


def _items(mapping: Any, parameter: str) -> Any:
    if not isinstance(mapping, Mapping):
        raise TypeError(f"{parameter} must be a dict by column, got {type(mapping).__name__}.")
    return mapping.items()


def _pair(name: Hashable, limits: Any) -> tuple[float, float]:
    try:
        low, high = limits
        low = -np.inf if low is None else float(low)
        high = np.inf if high is None else float(high)
    except (TypeError, ValueError) as error:
        raise ValueError(f"bounds[{name!r}] must be (lowest, highest), got {limits!r}.") from error
    if not low <= high:
        raise ValueError(f"bounds[{name!r}] must be (lowest, highest), got {limits!r}.")
    return low, high


def _ranks(name: Hashable, limits: Any, categories: pd.Index) -> tuple[int, int]:
    """Positions among ordered categories of the lowest and the highest."""
    try:
        low, high = limits
        ranks = (
            0 if low is None else categories.get_loc(low),
            len(categories) - 1 if high is None else categories.get_loc(high),
        )
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(
            f"bounds[{name!r}] must be (lowest, highest) of the column's ordered categories, got "
            f"{brief(limits)}."
        ) from error
    if ranks[0] > ranks[1]:
        raise ValueError(
            f"bounds[{name!r}] must be (lowest, highest) in the order of the column's categories, "
            f"got {brief(limits)}."
        )
    return ranks


def _equal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a == b) | (np.isnan(a) & np.isnan(b))
