"""Distances between people."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.linear_model import LinearRegression, LogisticRegression

from skfair.smoothing import WeightedMetric, minimal_metric

RNG = np.random.default_rng(0)
A, B, W = RNG.standard_normal((6, 3)), RNG.standard_normal((6, 3)), np.array([0.2, 1.0, 3.0])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("l1", cdist(A, B, "minkowski", p=1, w=W)),
        ("l2", cdist(A, B, "minkowski", p=2, w=W)),
        ("linf", cdist(A * W, B * W, "chebyshev")),
    ],
)
def test_against_scipy(metric, expected):
    distance = WeightedMetric(metric, W)
    np.testing.assert_allclose(distance.pairwise(A, B), expected)
    np.testing.assert_allclose(distance(A, B), np.diag(expected))
    np.testing.assert_allclose(distance(A[:1], B), expected[0])
    assert np.array_equal(distance.pairwise(A), distance.pairwise(A, A))


def test_people_who_differ_elsewhere_are_not_comparable():
    table = pd.DataFrame({"age": [20, 30, 30], "sex": ["f", "f", "m"], "hours": [1.0, 2.0, 2.0]})
    distance = WeightedMetric("l1", [1, 2], columns=[0, 2], names=table.columns)
    assert distance(table.iloc[[0, 0]], table.iloc[[1, 2]]).tolist() == [12, np.inf]
    assert distance.weights.to_dict() == {"age": 1.0, "hours": 2.0}
    with pytest.raises(ValueError, match=r"columns \['age', 'sex', 'hours'\] in this order"):
        distance(table, table[["sex", "age", "hours"]])
    missing = table.assign(sex=pd.array([None, True, None], dtype="boolean"))
    assert np.isfinite(distance(missing, missing)).all()
    assert pickle.loads(pickle.dumps(distance)).weights.equals(distance.weights)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("l3", [1.0]), "'l1', 'l2', 'linf'.*'l3'"),
        (("l1", [1.0, -1.0]), "negative, got -1.0"),
        (("l1", [1.0, np.nan]), "weights contains NaN"),
    ],
)
def test_bad_metrics(arguments, match):
    with pytest.raises(ValueError, match=match):
        WeightedMetric(*arguments)


@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame])
@pytest.mark.parametrize("metric", ["l1", "l2", "linf"])
def test_a_missing_number_is_comparable_with_a_missing_one_only(metric, form):
    distance = WeightedMetric(metric, [1.0, 2.0])
    rows = form([[np.nan, 1.0], [np.nan, 1.5], [0.0, 1.0]])
    of_weight = 2.0**0.5 if metric == "l2" else 2.0
    expected = [[0, 0.5 * of_weight, np.inf], [0.5 * of_weight, 0, np.inf], [np.inf, np.inf, 0]]
    np.testing.assert_allclose(distance.pairwise(rows), expected)
    np.testing.assert_allclose(distance(rows, rows), 0)


def test_bad_rows():
    distance = WeightedMetric("l2", [1.0, 1.0])
    with pytest.raises(ValueError, match="X2 contains infinity"):
        distance([[0, 0]], [[0, np.inf]])
    with pytest.raises(ValueError, match="X1 must have 2 columns, got 3"):
        distance(A, B)
    with pytest.raises(ValueError, match="same number of rows.*got 2 and 3"):
        distance(np.zeros((2, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="one entry for each of the 1"):
        WeightedMetric("l2", [1.0, 1.0], columns=[0])


def test_minimal_metric_of_a_linear_regression():
    """Theorem 2: outcomes differ by no more, and by as much when one feature changes."""
    model = LinearRegression().fit(A, A @ [1.0, -2.0, 0.5])
    distance = minimal_metric(model)
    assert distance.metric == "l1"
    assert distance.weights.to_numpy() == pytest.approx([1, 2, 0.5])
    difference = np.abs(model.predict(A) - model.predict(B))
    assert (difference <= distance(A, B) + 1e-12).all()
    moved = A + np.eye(3)[[0, 1, 2, 0, 1, 2]]
    np.testing.assert_allclose(np.abs(model.predict(A) - model.predict(moved)), distance(A, moved))


def test_minimal_metric_needs_one_linear_outcome():
    three = LogisticRegression().fit(A, [0, 1, 2, 0, 1, 2])
    with pytest.raises(ValueError, match=r"one outcome, coef_ has shape \(3, 3\)"):
        minimal_metric(three)
    from sklearn.tree import DecisionTreeClassifier

    with pytest.raises(ValueError, match="must have coef_, DecisionTreeClassifier has none"):
        minimal_metric(DecisionTreeClassifier().fit(A, [0, 1] * 3))
