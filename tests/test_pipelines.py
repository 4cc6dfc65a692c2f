"""FaiRNClassifier at work in scikit-learn's pipelines, searches and meta-estimators."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfair import FaiRNClassifier
from skfair.datasets import fetch_adult
from skfair.metrics import (
    fairness_index_scorer,
    make_fairness_scorer,
    neg_recourse_gap_scorer,
    recourse_gap,
    robustness_index_scorer,
)
from skfair.model_selection import best_under_constraint

GRID = {
    "fairnclassifier__lambda_fairness": [0.0, 0.5],
    "fairnclassifier__lambda_robustness": [0.0, 0.1],
}
RULE = best_under_constraint("accuracy", "neg_recourse_gap", threshold=-0.5)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def preprocessing(X):
    numbers = X.select_dtypes("number").columns.tolist()
    words = [name for name in X.columns if name not in numbers]
    return ColumnTransformer(
        [("number", StandardScaler(), numbers), ("word", OneHotEncoder(), words)]
    )


def routed(X, **params):
    """Sensitive features come by routing; the encoder's output is a plain or sparse array."""
    return make_pipeline(preprocessing(X), classifier(**params))


def by_column(X, **params):
    """The classifier finds the columns made from ``sex`` in the transformed frame."""
    encode = preprocessing(X).set_params(word__sparse_output=False).set_output(transform="pandas")
    return make_pipeline(encode, classifier(sensitive_columns="sex", **params))


def classifier(**params):
    return FaiRNClassifier(**({"max_epochs": 10, "batch_size": 64, "random_state": 0} | params))


def assert_same_results(first, second):
    assert first.keys() == second.keys()
    for name in first:
        if "time" not in name and name != "params":
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_grid_search_with_routed_sensitive_features_is_the_same_on_two_workers(
    biased_frame, routing
):
    X, y = biased_frame
    searches = [
        GridSearchCV(
            routed(X),
            GRID,
            scoring={"accuracy": "accuracy", "neg_recourse_gap": neg_recourse_gap_scorer},
            refit=RULE,
            cv=2,
            n_jobs=n_jobs,
            error_score="raise",
        ).fit(X, y, sensitive_features=X["sex"])
        for n_jobs in (1, 2)
    ]
    assert_same_results(searches[0].cv_results_, searches[1].cv_results_)
    assert searches[0].best_params_["fairnclassifier__lambda_fairness"] == 0.5
    assert searches[0].best_estimator_[-1].groups_ == ["female", "male"]


def test_grid_search_by_sensitive_columns_needs_no_routing(biased_frame):
    X, y = biased_frame
    scoring = {
        "accuracy": "accuracy",
        "neg_recourse_gap": make_fairness_scorer("recourse_gap", sensitive_columns="sex"),
    }
    searches = [
        GridSearchCV(
            by_column(X), GRID, scoring=scoring, refit=RULE, cv=2, n_jobs=n, error_score="raise"
        ).fit(X, y)
        for n in (1, 2)
    ]
    assert_same_results(searches[0].cv_results_, searches[1].cv_results_)
    assert searches[0].best_params_["fairnclassifier__lambda_fairness"] == 0.5


def test_routed_and_by_column_train_the_same_network(biased_frame, routing):
    X, y = biased_frame
    first = routed(X).fit(X, y, sensitive_features=X["sex"])
    second = by_column(X).fit(X, y)
    np.testing.assert_allclose(first.decision_function(X), second.decision_function(X), rtol=1e-6)


def test_step_prefix_brings_sensitive_features_without_routing(biased_frame):
    X, y = biased_frame
    model = routed(X).fit(X, y, fairnclassifier__sensitive_features=X["sex"])
    assert model[-1].groups_ == ["female", "male"]


def test_dropping_the_sensitive_column_inside_a_pipeline(biased_frame):
    X, y = biased_frame
    model = by_column(X, drop_sensitive_columns=True).fit(X, y)
    swapped = X.assign(sex=X["sex"].map({"female": "male", "male": "female"}))
    assert np.array_equal(model.predict_proba(X), model.predict_proba(swapped))


def test_cross_validate_with_all_scorers(biased_frame, routing):
    X, y = biased_frame
    scores = cross_validate(
        routed(X),
        X,
        y,
        params={"sensitive_features": X["sex"]},
        scoring={
            "accuracy": "accuracy",
            "gap": neg_recourse_gap_scorer,
            "fairness": fairness_index_scorer,
            "robustness": robustness_index_scorer,
        },
        cv=3,
        error_score="raise",
    )
    np.testing.assert_allclose(scores["test_fairness"], np.exp(scores["test_gap"]))


@pytest.mark.filterwarnings("ignore:The fitted FaiRNClassifier predicts one class")
def test_meta_estimators_with_routing(biased_frame, routing):
    X, y = biased_frame
    calibrated = CalibratedClassifierCV(routed(X), cv=3).fit(X, y, sensitive_features=X["sex"])
    assert calibrated.score(X, y) > 0.7
    # StackingClassifier hands fit parameters to its final estimator too, which must accept them.
    stacked = StackingClassifier(
        [("network", routed(X)), ("linear", make_pipeline(preprocessing(X), classifier()))],
        final_estimator=classifier(max_epochs=30),
        cv=3,
    ).fit(X, y, sensitive_features=X["sex"])
    assert stacked.score(X, y) > 0.7


def test_meta_estimators_without_routing(biased_frame):
    X, y = biased_frame
    calibrated = CalibratedClassifierCV(by_column(X), cv=3).fit(X, y)
    assert calibrated.score(X, y) > 0.7
    stacked = StackingClassifier(
        [("network", by_column(X))], final_estimator=LogisticRegression(), cv=3
    ).fit(X, y)
    assert stacked.score(X, y) > 0.7


def test_clone_and_permutation_importance(biased_frame):
    X, y = biased_frame
    model = clone(by_column(X)).fit(X, y)
    importance = permutation_importance(model, X, y, n_repeats=3, random_state=0)
    assert importance.importances_mean.max() > 0.02


def test_repr_and_html_show_the_parameters_that_differ(biased_frame):
    model = FaiRNClassifier(lambda_fairness=0.25)
    assert repr(model) == "FaiRNClassifier(lambda_fairness=0.25)"
    assert "lambda_fairness" in Pipeline([("model", model)])._repr_html_()


@pytest.mark.slow
@pytest.mark.parametrize("by_routing", [True, False])
def test_the_three_scorers_choose_a_model_on_raw_adult(shared_data, by_routing):
    adult = fetch_adult()
    X, y, sex = adult.data, (adult.target == ">50K").to_numpy(int), adult.sensitive_features["sex"]
    X = X.drop(columns="native-country")
    train, test = slice(2000), slice(40_000, 43_000)
    columns = None if by_routing else "sex"
    scoring = {
        "accuracy": "accuracy",
        "neg_recourse_gap": make_fairness_scorer("recourse_gap", sensitive_columns=columns),
        "neg_parity_score": make_fairness_scorer(
            "parity_score", sensitive_columns=columns, method="taylor"
        ),
        "neg_sensitivity": make_fairness_scorer(
            "prediction_sensitivity", sensitive_columns=columns
        ),
    }
    encode = preprocessing(X).set_params(word__handle_unknown="ignore", word__sparse_output=False)
    encode.set_output(transform="pandas")
    network = classifier(sensitive_columns=columns, lambda_robustness=0.0)
    rule = best_under_constraint("accuracy", "neg_recourse_gap", threshold=-0.6)
    search = GridSearchCV(
        make_pipeline(encode, network),
        {"fairnclassifier__lambda_fairness": [0.0, 1.0]},
        scoring=scoring,
        refit=rule,
        cv=2,
    )
    with sklearn.config_context(enable_metadata_routing=by_routing):
        search.fit(X[train], y[train], **({"sensitive_features": sex[train]} if by_routing else {}))
    results = search.cv_results_
    for name in scoring:
        assert np.isfinite(results[f"mean_test_{name}"]).all()
    assert results["mean_test_neg_sensitivity"].max() < 0
    most_accurate = int(np.argmax(results["mean_test_accuracy"]))
    assert search.best_index_ != most_accurate
    fair, accurate = (
        clone(search.estimator).set_params(**results["params"][i])
        for i in (search.best_index_, most_accurate)
    )
    gaps = []
    for model in (fair, accurate):
        with sklearn.config_context(enable_metadata_routing=True):
            given = {"sensitive_features": sex[train]} if by_routing else {}
            model.fit(X[train], y[train], **given)
        decision = model.decision_function(X[test])
        gaps.append(recourse_gap(decision, sensitive_features=sex[test]))
    assert gaps[0] < 0.7 * gaps[1]
