"""Search for people who are treated more differently than they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skfair import SmoothedClassifier
from skfair.metrics import (
    get_scorer,
    individual_fairness_violation,
    make_fairness_scorer,
    neg_individual_fairness_violation_scorer,
)
from skfair.smoothing import WeightedMetric

X, Y = make_classification(300, 3, n_informative=3, n_redundant=0, random_state=0)


@pytest.mark.parametrize("metric", ["l1", "l2", "linf"])
def test_largest_ratio_of_a_logistic_model_is_its_steepest_slope(metric):
    model = LogisticRegression().fit(X, Y)
    w = np.array([0.5, 1.0, 2.0])
    coef = np.abs(model.coef_[0])
    steepest = {
        "l1": (coef / w).max(),
        "l2": np.linalg.norm(coef / np.sqrt(w)),
        "linf": coef @ (1 / w),
    }
    found = individual_fairness_violation(
        model, X, metric=WeightedMetric(metric, w), n_pairs=3000, random_state=0
    )
    assert 0.85 * steepest[metric] / 4 < found.largest <= steepest[metric] / 4
    assert found.mean < found.largest


def test_halving_never_makes_a_pair_better():
    model = DecisionTreeClassifier(random_state=0).fit(X, Y)
    largest = [
        individual_fairness_violation(model, X, n_steps=n, random_state=0).largest
        for n in (0, 2, 4, 8)
    ]
    assert largest == sorted(largest)
    assert largest[-1] > 20 * largest[0]  # a tree jumps


def test_pairs_are_what_they_are_said_to_be():
    model = LogisticRegression().fit(X, Y)
    found = individual_fairness_violation(model, X, n_pairs=50, epsilon=0.02, random_state=0)
    pairs = found.pairs
    assert pairs["adversarial"].value_counts().to_dict() == {False: 50, True: 50}
    excess = np.maximum(pairs["difference"] - 0.02, 0) / pairs["distance"]
    np.testing.assert_allclose(pairs["ratio"], excess)
    assert found.largest == pairs["ratio"].max()
    distance = np.linalg.norm(found.worst[0] - found.worst[1])
    shares = model.predict_proba(found.worst)[:, 1]
    assert (abs(shares[0] - shares[1]) - 0.02) / distance == pytest.approx(found.largest)


def test_smoothed_classifiers_do_not_violate_their_own_metric():
    tree = DecisionTreeClassifier(random_state=0)
    model = SmoothedClassifier(tree, n_samples=4000, random_state=0).fit(X, Y)
    found = individual_fairness_violation(model, X, n_pairs=200, random_state=0)
    assert found.largest <= 1
    artifact = individual_fairness_violation(model, X, n_pairs=200, epsilon=0, random_state=0)
    assert artifact.largest > 1  # a vote more or less, divided by almost nothing
    search = GridSearchCV(model, {"scale": [1.0]}, cv=2).fit(X, Y)
    inside, outside = (
        individual_fairness_violation(each, X, n_pairs=50, random_state=0).largest
        for each in (search.best_estimator_, search)
    )
    assert outside == inside
    assert individual_fairness_violation(model.estimator_, X, random_state=0).largest > 10


def test_what_is_forgiven_is_not_halved_away():
    """The steepest stretch of a logistic model that changes the outcome by more than epsilon."""
    rows = np.random.default_rng(0).standard_normal((300, 10))
    model = LogisticRegression().fit(rows, rows[:, 0] > 0)
    model.coef_, model.intercept_ = np.eye(1, 10) * 10.0, np.zeros(1)
    for epsilon in (0.05, 0.1):
        found = individual_fairness_violation(
            model, rows, metric="l2", epsilon=epsilon, n_pairs=3000, random_state=0
        )
        assert found.largest > 1


def test_an_exactly_fair_model_stays_so_however_often_pairs_are_halved():
    model = SmoothedClassifier(LogisticRegression()).fit(X, Y)
    for steps in (8, 60, 100):
        found = individual_fairness_violation(model, X, n_steps=steps, random_state=0)
        assert found.largest <= 1 + 1e-9


def test_weights_are_repetitions():
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    model = LogisticRegression().fit(X, Y)
    weighted = individual_fairness_violation(model, X, sample_weight=weights, random_state=0)
    repeated = individual_fairness_violation(model, np.repeat(X, weights, axis=0), random_state=0)
    assert weighted.mean == pytest.approx(repeated.mean)


def test_tables_with_text_are_compared_within_a_category():
    table = pd.DataFrame(X, columns=list("abc")).assign(sex=np.where(X[:, 0] > 0, "f", "m"))
    encode = make_column_transformer((OneHotEncoder(), ["sex"]), remainder="passthrough")
    model = make_pipeline(encode, LogisticRegression()).fit(table, Y)
    found = individual_fairness_violation(model, table, random_state=0)
    assert found.worst["sex"].nunique() == 1
    assert np.isfinite(found.pairs["distance"]).all()


def test_decisions_where_there_are_no_probabilities():
    found = individual_fairness_violation(LinearSVC().fit(X, Y), X, random_state=0)
    assert set(found.pairs["difference"]) == {0.0, 1.0}


def test_scorer_in_a_search():
    named = get_scorer("neg_individual_fairness_violation")
    assert repr(named) == repr(neg_individual_fairness_violation_scorer)
    scorer = make_fairness_scorer("individual_fairness_violation", metric="l1", n_pairs=100)
    assert repr(scorer).startswith(
        "FairnessScorer('neg_individual_fairness_violation', metric='l1'"
    )
    search = GridSearchCV(LogisticRegression(), {"C": [1e-4, 1.0]}, scoring=scorer, cv=2).fit(X, Y)
    assert search.best_params_ == {"C": 1e-4}


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"n_pairs": 0}, "'n_pairs' parameter"),
        ({"epsilon": 1.0}, "'epsilon' parameter"),
        ({"metric": "l3"}, "'l1', 'l2', 'linf'.*'l3'"),
    ],
)
def test_bad_parameters(params, match):
    with pytest.raises(ValueError, match=match):
        individual_fairness_violation(LogisticRegression().fit(X, Y), X, **params)


def test_the_metric_of_a_step_is_not_about_what_goes_into_the_pipeline():
    pipe = make_pipeline(StandardScaler(), SmoothedClassifier(LogisticRegression())).fit(X, Y)
    with pytest.raises(ValueError, match="metric=None does not know the distance.*steps before"):
        individual_fairness_violation(pipe, X)


def test_bad_data():
    model = LogisticRegression().fit(X, Y)
    with pytest.raises(ValueError, match="NaN"):
        individual_fairness_violation(model, np.where(X > 2, np.nan, X))
    with pytest.raises(ValueError, match="two people who differ"):
        individual_fairness_violation(model, np.ones((10, 3)))
