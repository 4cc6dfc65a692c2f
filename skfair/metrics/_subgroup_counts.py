"""What :func:`skfair.metrics.subgroup_report` compares: labels as counts, people as groups."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from .._groups import _factorize
from .._rates import RATES
from .._tables import label_array

MAX_COMBINATIONS = 10_000  # of attributes


def check_metric(metric: Any, baseline: Any, pos_label: Any) -> None:
    """Check that there is such a metric, and that the other parameters suit it."""
    if isinstance(metric, str) and metric not in RATES:
        raise ValueError(f"metric={metric!r} is not known; use a callable or one of {list(RATES)}.")
    if not isinstance(metric, str) and not callable(metric):
        raise TypeError(f"metric must be a name or a callable, got {metric!r}.")
    if callable(metric) and pos_label is not None:
        raise ValueError(
            f"pos_label={pos_label!r} is for named metrics; give it to the callable, for example "
            "with functools.partial."
        )
    if metric == "precision" and baseline is not None:
        raise ValueError(
            "metric='precision' has no paired test, since its cases depend on the model; with a "
            "baseline use 'selection_rate', or sklearn.metrics.precision_score as a callable."
        )


def label_vectors(given: dict[str, Any]) -> list[np.ndarray]:
    """Arrays of one length without missing values; ``None`` is left out."""
    vectors = {
        name: label_array(values, name)
        for name, values in given.items()
        if values is not None or name != "baseline"
    }
    for name, vector in vectors.items():
        if vector.ndim == 2 and vector.shape[1] == 1:
            vector = vectors[name] = vector[:, 0]
        if vector.ndim != 1 or len(vector) == 0:
            raise ValueError(f"{name} must be a vector of labels, got shape {vector.shape}.")
        if pd.isna(vector).any():
            raise ValueError(f"{name} has missing values in {pd.isna(vector).sum()} rows.")
        n_samples = len(vectors["y_true"])
        if len(vector) != n_samples:
            raise ValueError(
                f"{name} must have one label per sample: got {len(vector)} for the {n_samples} of "
                "y_true."
            )
    return list(vectors.values())


def suitable_labels(metric: str, vectors: list[np.ndarray], pos_label: Any) -> list[np.ndarray]:
    """Check labels; for metrics of two classes turn them into whether they are the positive one.

    Raises
    ------
    ValueError
        If labels are of several types, not classes, or too many for the metric.
    """
    found: set = set()
    try:
        found = found.union(*(pd.unique(pd.Series(vector)).tolist() for vector in vectors))
        labels = sorted(found)
    except TypeError as error:
        types = sorted({type(label).__name__ for label in found} or {"list"})
        raise ValueError(
            f"The labels of y_true and the predictions must be of one type, got {types}."
        ) from error
    fractions = [label for label in labels if isinstance(label, float) and label % 1 != 0]
    if fractions:
        raise ValueError(
            f"metric={metric!r} needs class labels, got numbers that are not whole; turn scores "
            "into predictions first."
        )
    if metric == "accuracy":
        return vectors
    if len(labels) > 2:
        raise ValueError(
            f"metric={metric!r} is for two classes, got {len(labels)} labels; use 'accuracy' or a "
            "callable."
        )
    if pos_label is None and len(labels) == 1:
        raise ValueError(f"Only the label {labels[0]!r} occurs; say which is positive: pos_label.")
    if pos_label is not None and pos_label not in labels and len(labels) == 2:
        raise ValueError(f"pos_label={pos_label!r} does not occur; the labels are {labels}.")
    positive = labels[-1] if pos_label is None else pos_label
    return [vector == positive for vector in vectors]


def row_counts(
    metric: str,
    weights: np.ndarray,
    y_true: np.ndarray,
    y_pred: np.ndarray,
    baseline: np.ndarray | None = None,
) -> pd.DataFrame:
    """Return what each row adds to the counts of its groups.

    Parameters
    ----------
    metric : str
        A key of ``RATES``.
    weights : ndarray of shape (n,)
        Positive weights.
    y_true, y_pred, baseline : ndarray of shape (n,)
        Labels; for other metrics than the accuracy whether they are the positive one.

    Returns
    -------
    DataFrame of shape (n, n_counts)
        Counts, to be added up over any set of rows.
    """
    rate = RATES[metric]
    weights = weights / weights.mean()  # their squares must neither vanish nor overflow
    cases = rate.cases(y_true, y_pred)
    hits = cases & rate.hits(y_true, y_pred)
    counts = {
        "size": np.ones(len(y_true), np.int64),
        "cases": cases.astype(np.int64),
        "weight": weights,
        "case_weight": weights * cases,
        "case_weight_squared": weights**2 * cases,
        "hit_weight": weights * hits,
    }
    if baseline is not None:
        hits_before = cases & rate.hits(y_true, baseline)
        counts["gained"] = weights * (hits & ~hits_before)
        counts["lost"] = weights * (hits_before & ~hits)
        counts["moved_squared"] = weights**2 * (hits ^ hits_before)
    return pd.DataFrame(counts)


def encode_attributes(frame: pd.DataFrame) -> tuple[np.ndarray, list[list[str]]]:
    """Codes of every attribute (-1 where missing), and ``attribute=value`` for every code."""
    if not frame.columns.is_unique:
        raise ValueError(
            f"The columns of sensitive_features must differ, got {list(frame.columns)}."
        )
    columns = [_factorize(frame.iloc[:, i], name) for i, name in enumerate(frame.columns)]
    names = []
    for attribute, (_, values) in zip(frame.columns, columns, strict=True):
        show = str if len({*map(str, values)}) == len(values) else repr  # 1 and "1"
        names.append([f"{attribute}={show(value)}" for value in values])
    return np.column_stack([codes for codes, _ in columns]), names


def find_groups(
    codes: np.ndarray, names: list[list[str]], counts: pd.DataFrame, max_depth: int, min_size: int
) -> tuple[pd.DataFrame, int]:
    """Find every group with enough cases.

    Parameters
    ----------
    codes : ndarray of shape (n, n_attributes)
        Attributes, -1 where missing.
    names : list of n_attributes lists of str
        ``names[i][code]`` is shown.
    counts : DataFrame of shape (n, n_counts)
        See :func:`row_counts`.
    max_depth, min_size : int
        Most attributes and fewest cases of a group.

    Raises
    ------
    ValueError
        If there are more than ``MAX_COMBINATIONS`` of attributes, or no group is large enough.

    Returns
    -------
    groups : DataFrame
        Sums of ``counts`` with ``group`` (label), ``depth`` and ``members`` (attributes and codes).
    n_small : int
        How many have fewer cases.
    """
    n_attributes = codes.shape[1]
    n_combinations = sum(comb(n_attributes, k) for k in range(1, min(max_depth, n_attributes) + 1))
    if n_combinations > MAX_COMBINATIONS:
        raise ValueError(
            f"max_depth={max_depth} makes {n_combinations} combinations of the {n_attributes} "
            f"columns of sensitive_features, more than {MAX_COMBINATIONS}; lower max_depth, or "
            "pass fewer columns."
        )
    cell, first = _combine(codes + 1)
    codes, sums = codes[first], _add_up(cell, counts.to_numpy())
    # a random number for each cell: equal sums are of the same people
    sums = np.column_stack([sums, np.random.default_rng(0).random(len(sums))])
    seen = set(_add_up(np.zeros(len(sums), int), sums)[:, -1])
    tables, members = [], []
    for depth in range(1, min(max_depth, codes.shape[1]) + 1):
        for chosen in combinations(range(codes.shape[1]), depth):
            present = (codes[:, chosen] >= 0).all(axis=1)
            values = codes[present][:, chosen]
            group, first = _combine(values)
            table = _add_up(group, sums[present])
            new = np.array([people not in seen for people in table[:, -1]], bool)
            seen.update(table[new, -1])
            tables.append(table[new])
            members += [tuple(zip(chosen, row, strict=True)) for row in values[first[new]].tolist()]
    if not members:
        raise ValueError("sensitive_features has one group only: no attribute has two values.")
    groups = pd.DataFrame(np.concatenate(tables)[:, :-1], columns=counts.columns)
    groups = groups.astype({"size": int, "cases": int})
    large = (groups["cases"] >= min_size).to_numpy()
    if not large.any():
        raise ValueError(
            f"min_size={min_size} is more cases than any of the {len(groups)} groups has; the "
            f"largest has {groups['cases'].max()}."
        )
    groups = groups[large].reset_index(drop=True)
    members = [member for member, enough in zip(members, large, strict=True) if enough]
    labels = [" & ".join(names[i][code] for i, code in member) for member in members]
    depths = [len(member) for member in members]
    return groups.assign(group=labels, depth=depths, members=members), int((~large).sum())


def rows_of(codes: np.ndarray, members: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Positions of the rows of a group, given its (attribute, code) pairs."""
    return np.flatnonzero(np.all([codes[:, i] == code for i, code in members], axis=0))


def _combine(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the combinations of codes that occur: for each row its number; a row of each."""
    number = np.zeros(len(codes), np.int64)
    for column in codes.T:
        number = pd.factorize(number * (column.max(initial=0) + 1) + column)[0]
    first = np.zeros(number.max(initial=-1) + 1, np.int64)
    first[number] = np.arange(len(number))
    return number, first


def _add_up(number: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.column_stack([np.bincount(number, weights=column) for column in columns.T])
