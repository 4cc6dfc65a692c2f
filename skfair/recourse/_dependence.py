"""Columns that are functions of others, and answers in which they do not follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

SAMPLE_ROWS = 2000  # rows in which functions are looked for
MAX_COMPARED_ENTRIES = 2e8  # entries at most, in wide tables of fewer rows
MIN_ROWS_PER_VALUE = 5  # rows for each value of what has several, on average
MIN_LOG_EVIDENCE = 30.0  # minus the logarithm of how likely chance would do the same, at least
MIN_ROWS_PER_STEP = 10  # rows beside the most frequent value for each step of a number
ROUNDING = 1e-6  # of a column's standard deviation: rounding

Holds = Callable[[np.ndarray, np.ndarray], np.ndarray]


def broken_functions(
    reference: np.ndarray, own: np.ndarray, answers: np.ndarray, n_numbers: int
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Functions that hold in the reference and for a person, but not for the person's answer.

    Three kinds are seen: steps of a number (an age group), any function of what has several values
    (the years of a degree), and numbers in other units.

    Parameters
    ----------
    reference : ndarray of shape (n_reference, n_values)
        Rows as :class:`~skfair.recourse._profiles.Profiles` encodes them, in random order.
    own : ndarray of shape (n, n_values)
        Profiles.
    answers : ndarray of shape (n, n_values)
        Other profiles for the same people.
    n_numbers : int
        The first columns, which are numbers; the others are codes.

    Yields
    ------
    of : int
        A column.
    column : int
        What is a function of it.
    broken : bool ndarray of shape (n,)
        Whose answer breaks it.
    """
    missing = np.finfo(np.float64).max  # a value like others
    tables = [np.nan_to_num(table, nan=missing) for table in (reference, own, answers)]
    moved = (tables[1] != tables[2]).any(axis=0)
    n_rows = min(SAMPLE_ROWS, int(MAX_COMPARED_ENTRIES / len(moved) ** 2))
    sample = np.unique(tables[0][:n_rows], axis=0)  # who occurs twice proves nothing
    for of, column in _candidates(sample, n_numbers, moved) if len(sample) > 1 else ():
        x, y = tables[0][:, [of, column]].T
        holds = _function(x, y, of < n_numbers, column < n_numbers)
        if holds is None:
            continue
        before, after = (holds(*table[:, [of, column]].T) for table in tables[1:])
        if (broken := before & ~after).any():
            yield of, column, broken


def _candidates(sample: np.ndarray, n_numbers: int, moved: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs of which the second column may be a function of the first, more than by chance."""
    n, k = sample.shape
    codes = np.column_stack([np.unique(column, return_inverse=True)[1] for column in sample.T])
    n_levels = codes.max(axis=0) + 1
    most = np.array([np.bincount(column).max() for column in codes.T])
    units = _in_other_units(sample[:, :n_numbers], n_levels[:n_numbers])
    for of in range(k):
        order = np.argsort(codes[:, of], kind="stable")
        differs = np.diff(codes[order], axis=0) != 0
        ties = ~differs[:, of]
        significant = ties.sum() * -np.log(most / n) >= MIN_LOG_EVIDENCE
        significant &= n_levels[of] * MIN_ROWS_PER_VALUE <= n
        stepped = (of < n_numbers) & (differs.sum(axis=0) == n_levels - 1)
        stepped &= n - most >= MIN_ROWS_PER_STEP * (n_levels - 1)
        function = (significant | stepped) & ~differs[ties].any(axis=0)
        function[:n_numbers] |= units[of] if of < n_numbers else False
        function &= (n_levels > 1) & (moved | moved[of])
        function[of] = False
        yield from ((of, int(column)) for column in np.flatnonzero(function))


def _in_other_units(numbers: np.ndarray, n_levels: np.ndarray) -> np.ndarray:
    """Which pairs of numbers are on a line, (n_numbers, n_numbers)."""
    lines = np.zeros((numbers.shape[1],) * 2, dtype=bool)
    several = np.flatnonzero(n_levels > MIN_ROWS_PER_STEP)
    if len(several) > 1:
        with np.errstate(all="ignore"):  # huge numbers
            correlation = np.corrcoef(numbers[:, several].T)
        lines[np.ix_(several, several)] = np.abs(correlation) > 1 - ROUNDING
    return lines


def _function(x: np.ndarray, y: np.ndarray, x_is_number: bool, y_is_number: bool) -> Holds | None:
    """Whether values are as a function that holds for x and y says; ``None`` if none does."""
    known, first, inverse = np.unique(x, return_index=True, return_inverse=True)
    value = y[first]
    if (value[inverse] != y).any():
        return None
    n_levels = len(np.unique(y))
    stepped = x_is_number and np.count_nonzero(np.diff(value)) == n_levels - 1 < len(known) - 1
    if not stepped and x_is_number and y_is_number and (line := _line(x, y)):
        slope, intercept, tolerance = line
        return lambda x, y: np.abs(y - intercept - slope * x) <= tolerance

    def holds(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        right = np.searchsorted(known, x).clip(max=len(known) - 1)
        left = np.where(x > known[right], right, np.maximum(right - 1, 0))
        between = (y == value[left]) | (y == value[right]) if stepped else True
        return np.where(known[right] == x, y == value[right], between)

    return holds


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float] | None:
    """Slope, intercept and tolerance of y on x, if it is a line."""
    with np.errstate(all="ignore"):
        center, spread = x.mean(), x.std()
        slope = ((x - center) * (y - y.mean())).mean() / spread**2
        intercept, tolerance = y.mean() - slope * center, ROUNDING * y.std()
        exact = (np.abs(y - intercept - slope * x) <= tolerance).all()
    return (slope, intercept, 10 * tolerance) if exact else None
