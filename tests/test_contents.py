"""Draws and folds that depend on nothing but what is in a row."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

from skfair._contents import folds_by_content, row_hashes, uniform_by_row

X = np.random.RandomState(0).randint(0, 20, (3000, 4)).astype(float)


def fold_of(folds):
    """Number of the fold that tests each row."""
    number = np.full(sum(len(test) for _, test in folds), -1)
    for k, (train, test) in enumerate(folds):
        number[test] = k
        assert len(np.intersect1d(train, test)) == 0 and len(train) + len(test) == len(number)
    return number


@pytest.mark.parametrize("columns", [1, 4])
def test_numbers_are_uniform_and_alike_for_equal_rows(columns):
    rows = np.arange(20_000.0).reshape(-1, columns)
    first, second = (uniform_by_row(rows, seed) for seed in (0, 1))
    for numbers in (first, second):
        assert stats.kstest(numbers, "uniform").pvalue > 0.01
    assert abs(stats.spearmanr(first, second).statistic) < 0.03
    assert abs(stats.spearmanr(first, rows[:, 0]).statistic) < 0.03
    np.testing.assert_array_equal(uniform_by_row(rows[7:9], 0), first[7:9])


def test_any_table_has_hashes():
    expected = row_hashes(X)
    np.testing.assert_array_equal(row_hashes(sparse.csr_array(X)), expected)
    np.testing.assert_array_equal(row_hashes(pd.DataFrame(X, index=np.arange(3000) + 5)), expected)
    np.testing.assert_array_equal(row_hashes(X.reshape(-1, 2, 2)), expected)
    words = pd.DataFrame({"a": ["x", "y", "x"], "b": [1.0, np.nan, 1.0]})
    hashes = row_hashes(words)
    assert hashes[0] == hashes[2] != hashes[1]
    np.testing.assert_array_equal(row_hashes(words.astype({"a": "category"})), hashes)


def test_equal_rows_are_in_one_fold_whatever_their_order():
    rows = np.repeat(np.arange(200), np.arange(200) % 4 + 1)
    y, groups = rows % 2, rows % 3
    numbers = fold_of(folds_by_content(X[rows], y, groups, 5))
    order = np.random.RandomState(1).permutation(len(rows))
    shuffled = fold_of(folds_by_content(X[rows][order], y[order], groups[order], 5))
    np.testing.assert_array_equal(shuffled, numbers[order])
    for row in range(200):
        assert len(np.unique(numbers[rows == row])) == 1


def test_names_of_groups_make_no_difference():
    y, groups = np.arange(3000) % 2, np.arange(3000) % 3
    numbers = fold_of(folds_by_content(X, y, groups, 5))
    renamed = fold_of(folds_by_content(X, y, np.take([7, 2, 0], groups), 5))
    np.testing.assert_array_equal(numbers, renamed)


def test_folds_are_stratified_by_label_and_group():
    rng = np.random.RandomState(0)
    rows, y, groups = rng.standard_normal((900, 2)), rng.randint(0, 2, 900), rng.randint(0, 3, 900)
    numbers = fold_of(folds_by_content(rows, y, groups, 5))
    counts = pd.crosstab(numbers, [y, groups])
    assert (counts.max() - counts.min()).max() <= 1
    of_label = pd.crosstab(numbers, y)
    assert (of_label.max() - of_label.min()).max() <= 1


def test_few_rows_make_few_folds():
    y = np.array([0, 1, 0, 1, 0, 1, 0, 0])
    with pytest.warns(UserWarning, match="least class of y has 3 different rows"):
        folds = folds_by_content(np.arange(8.0)[:, np.newaxis], y, np.zeros(8), 5)
    assert len(folds) == 3 and all(len(np.unique(y[train])) == 2 for train, _ in folds)
    with pytest.raises(ValueError, match="cannot be divided into folds.*prefit=True"):
        folds_by_content(np.zeros((4, 2)), np.array([0, 0, 1, 1]), np.zeros(4), 2)


def test_equal_rows_are_told_by_their_values_not_by_types_of_columns():
    frame = pd.DataFrame({"age": [20, 31], "word": ["a", "b"]})
    others = [
        frame.astype({"age": float}),
        frame.astype({"age": "Int64"}),
        frame.astype({"age": object}),
        frame.astype({"age": "float32"}),
    ]
    for other in others:
        np.testing.assert_array_equal(row_hashes(other), row_hashes(frame))
