"""Burden in the input space: its definition, its scorer, its limits."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfair import FaiRNClassifier
from skfair.datasets import make_biased_classification
from skfair.metrics import (
    burden,
    burden_gap,
    get_scorer,
    make_fairness_scorer,
    neg_burden_gap_scorer,
)

# what is measured need not be good
pytestmark = [
    pytest.mark.filterwarnings("ignore:The fitted"),
    pytest.mark.filterwarnings("ignore:(Everybody|Nobody) is refused"),
]


@pytest.fixture(scope="module")
def people():
    X, y, group = make_biased_classification(400, n_features=3, n_informative=3, random_state=0)
    return pd.DataFrame(X, columns=["a", "b", "c"]).assign(sex=group), y


@pytest.fixture(scope="module")
def model(people):
    X, y = people
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["sex"]), remainder=StandardScaler()
    )
    return make_pipeline(encode, LogisticRegression()).fit(X, y)


def exact(model, X):
    """Distance to the hyperplane for those who may not change their sex."""
    w = [
        model.decision_function(X.assign(**{c: X[c] + 1}))[0] - model.decision_function(X)[0]
        for c in ("a", "b", "c")
    ]
    return np.maximum(-model.decision_function(X), 0) / np.linalg.norm(w)


def test_it_is_the_mean_distance_of_all_members(people, model):
    X, _ = people
    distance = exact(model, X)
    found = burden(model, X, sensitive_features=X["sex"], distance="l2")
    assert found.index.tolist() == ["a", "b"]
    for group in ("a", "b"):
        assert found[group] == pytest.approx(distance[X["sex"] == group].mean(), rel=1e-3)
    gap = burden_gap(model, X, sensitive_features=X["sex"], distance="l2")
    assert gap == pytest.approx(abs(found["a"] - found["b"]))
    assert gap > 0.1


def test_several_groups_give_the_largest_difference_or_the_sum(people, model):
    X, _ = people
    thirds = pd.DataFrame({"sex": X["sex"], "half": np.arange(len(X)) % 2})
    means = burden(model, X, sensitive_features=thirds, distance="l2").to_numpy()
    assert len(means) == 4
    expected = sum(abs(m - n) for i, m in enumerate(means) for n in means[:i])
    by_sum = burden_gap(model, X, sensitive_features=thirds, distance="l2", aggregate="sum")
    assert by_sum == pytest.approx(expected)
    gap = burden_gap(model, X, sensitive_features=thirds, distance="l2")
    assert gap == pytest.approx(means.max() - means.min())


def test_a_weight_is_a_repetition(people, model):
    X, _ = people
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    rows = np.repeat(np.arange(len(X)), weights)
    settings = {"distance": "l2", "reference": X}
    weighted = burden(model, X, sensitive_features=X["sex"], sample_weight=weights, **settings)
    repeated = burden(model, X.iloc[rows], sensitive_features=X["sex"].iloc[rows], **settings)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6)


def test_columns_named_like_the_groups_never_change(people):
    """Where being of the other sex is all that counts, there is no recourse."""
    X, _ = people
    encode = make_column_transformer((OneHotEncoder(sparse_output=False), ["sex"]))
    model = make_pipeline(encode, LogisticRegression()).fit(X, X["sex"] == "a")
    with pytest.raises(ValueError, match="No accepted profile was found for anybody of 'b'"):
        burden(model, X, sensitive_features=X["sex"])
    other = X["sex"].rename("other")  # another name: nothing says that the column is sensitive
    found = burden(model, X, sensitive_features=other)
    assert found["b"] == 1.0


def test_those_without_recourse_are_counted_in_a_warning(people, model):
    X, _ = people
    bounds = dict.fromkeys("abc", (-1, 1))
    with pytest.warns(UserWarning, match=r"found for \d+ of \d+ refused people"):
        burden(model, X, sensitive_features=X["sex"], bounds=bounds, actionable=["a", "b"])


class TestScorer:
    def test_it_is_minus_the_gap(self, people, model):
        X, y = people
        gap = burden_gap(model, X, sensitive_features=X["sex"], random_state=0)
        assert neg_burden_gap_scorer(model, X, y, sensitive_features=X["sex"]) == -gap
        by_column = make_fairness_scorer("burden_gap", sensitive_columns="sex", distance="l2")
        gap = burden_gap(model, X, sensitive_features=X["sex"], distance="l2", random_state=0)
        assert by_column(model, X, y) == -gap
        assert get_scorer("neg_burden_gap")(model, X, y, sensitive_features=X["sex"]) < 0

    def test_in_a_search_over_a_pipeline(self, people):
        X, y = people
        encode = make_column_transformer(
            (OneHotEncoder(sparse_output=False), ["sex"]), remainder=StandardScaler()
        )
        network = FaiRNClassifier(hidden_layer_sizes=(4,), max_epochs=3, random_state=0)
        with sklearn.config_context(enable_metadata_routing=True):
            search = GridSearchCV(
                make_pipeline(encode, network),
                {"fairnclassifier__lr": [1e-3, 1e-2]},
                scoring=neg_burden_gap_scorer,
                cv=[(np.arange(300), np.arange(300, 400))],
                error_score="raise",
            ).fit(X, y, sensitive_features=X["sex"])
        scores = search.cv_results_["mean_test_score"]
        assert search.best_index_ == scores.argmax()
        for lr, score in zip([1e-3, 1e-2], scores, strict=True):
            model = clone(search.best_estimator_).set_params(fairnclassifier__lr=lr)
            model.fit(X[:300], y[:300], fairnclassifier__sensitive_features=X["sex"][:300])
            held_out = X[300:]
            gap = burden_gap(model, held_out, sensitive_features=held_out["sex"], random_state=0)
            assert score == pytest.approx(-gap)
