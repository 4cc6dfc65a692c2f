"""Prediction sensitivity: derivatives, other values, scorers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from scipy.special import logit
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn

from skfair import FaiRNClassifier, LabelFlipClassifier, PenaltyClassifier
from skfair.metrics import (
    make_fairness_scorer,
    neg_prediction_sensitivity_scorer,
    prediction_sensitivity,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 4))
X[:, 3] = X[:, 3] > 0
Y = (X @ [1.0, -1.0, 0.5, 1.5] + 0.3 * RNG.standard_normal(300) > 0.5).astype(int)
Y3 = np.digitize(X @ [1.0, -1.0, 0.5, 1.5], [-0.5, 1.0])
TABLE = pd.DataFrame(X[:, :3], columns=list("abc")).assign(sex=np.where(X[:, 3] > 0, "f", "m"))
NETWORK = PenaltyClassifier(
    alpha=0.0,
    hidden_layer_sizes=(16,),
    activation="tanh",
    max_epochs=20,
    dtype="float64",
    random_state=0,
)
ENCODE = make_column_transformer(
    (OneHotEncoder(), ["sex"]), (StandardScaler(), ["a", "b", "c"]), sparse_threshold=0
)


def difference(f, X, column, step=1e-5):
    """Central finite differences."""
    moved = np.zeros(X.shape[1])
    moved[column] = step
    return np.abs(f(X + moved) - f(X - moved)) / (2 * step)


# -- the derivative ---------------------------------------------------------------------------


@pytest.mark.parametrize("column", range(4))
def test_logistic_regression_is_its_analytic_derivative(column):
    model = LogisticRegression().fit(X, Y)
    p = model.predict_proba(X)[:, 1]
    weight = abs(model.coef_[0, column])
    found = prediction_sensitivity(model, X, sensitive_columns=column)
    np.testing.assert_allclose(found, p * (1 - p) * weight, rtol=1e-6)
    found = prediction_sensitivity(model, X, sensitive_columns=column, scale="logit")
    np.testing.assert_allclose(found, weight, rtol=1e-6)


@pytest.mark.parametrize("scale", ["probability", "logit"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("y", [Y, Y3], ids=["two", "three"])
def test_networks_against_finite_differences(scale, activation, y):
    model = sklearn.clone(NETWORK).set_params(activation=activation, penalty="equal_loss").fit(X, y)
    top = model.predict_proba(X).argmax(1) if y is Y3 else np.ones(len(X), int)

    def outcome(X):
        p = model.predict_proba(X)[np.arange(len(X)), top]
        return p if scale == "probability" else logit(p)

    found = prediction_sensitivity(model, X, sensitive_columns=[1], scale=scale)
    expected = difference(outcome, X, 1)
    smooth = np.isclose(expected, difference(outcome, X, 1, 2e-5), rtol=1e-3)  # no kink of a ReLU
    assert smooth.mean() > 0.9
    np.testing.assert_allclose(found[smooth], expected[smooth], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("make", [NeuralNetClassifier, NeuralNetBinaryClassifier])
def test_bare_skorch_classifiers(make):
    binary = make is NeuralNetBinaryClassifier
    module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1 if binary else 2))
    if binary:
        module.append(nn.Flatten(0))
    extra = {} if binary else {"criterion": nn.CrossEntropyLoss}
    net = make(module, max_epochs=5, verbose=0, train_split=None, **extra)
    rows = X.astype(np.float32)
    net.fit(rows, Y.astype(np.float32) if binary else Y)
    found = prediction_sensitivity(net, rows, sensitive_columns=2)
    double = net.module_.double()

    def outcome(X):
        with torch.no_grad():
            out = double(torch.tensor(X))
        return (out.sigmoid() if binary else out.softmax(1)[:, 1]).numpy()

    np.testing.assert_allclose(found, difference(outcome, X, 2), rtol=1e-3, atol=1e-6)


def test_text_column_behind_a_pipeline_is_the_largest_of_its_one_hot_columns():
    model = make_pipeline(ENCODE, NETWORK).fit(TABLE, Y)
    inside, rows = model[-1], model[:-1].transform(TABLE)
    expected = np.maximum(
        *(prediction_sensitivity(inside, rows, sensitive_columns=i) for i in (0, 1))
    )
    assert np.array_equal(prediction_sensitivity(model, TABLE, sensitive_columns="sex"), expected)
    search = GridSearchCV(model, {"penaltyclassifier__lr": [1e-3]}, cv=2).fit(TABLE, Y)
    assert prediction_sensitivity(search, TABLE, sensitive_columns="sex").shape == (300,)


def test_searches_and_pipelines_inside_pipelines():
    inner = GridSearchCV(make_pipeline(StandardScaler(), NETWORK), {}, cv=2)
    nested = make_pipeline(sklearn.clone(ENCODE), inner)
    nested.fit(TABLE, Y)
    rows = nested[0].transform(TABLE)
    pipe = nested[-1].best_estimator_
    each = [
        prediction_sensitivity(pipe[-1], pipe[0].transform(rows), sensitive_columns=i)
        for i in (0, 1)
    ]
    found = prediction_sensitivity(nested, TABLE, sensitive_columns="sex", method="gradient")
    assert np.array_equal(found, np.maximum(*each))


def test_what_the_network_does_not_see_has_no_influence():
    blind = FaiRNClassifier(
        sensitive_columns=3, drop_sensitive_columns=True, max_epochs=3, random_state=0
    ).fit(X, Y)
    assert (prediction_sensitivity(blind, X, sensitive_columns=3) == 0).all()
    assert (prediction_sensitivity(blind, X, sensitive_columns=2) > 0).all()


# -- noise ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["gradient", "flip"])
def test_without_noise_the_smooth_version_is_the_plain_one(method):
    model = sklearn.clone(NETWORK).fit(X, Y)
    plain, smooth = (
        prediction_sensitivity(model, X, sensitive_columns=3, method=method, n_samples=n)
        for n in (1, 20)
    )
    assert np.array_equal(plain, smooth)


@pytest.mark.parametrize("method", ["gradient", "flip"])
def test_smooth_sensitivity_is_the_largest_over_noisy_copies(method):
    model = sklearn.clone(NETWORK).fit(X, Y)
    on = {"sensitive_columns": 3, "method": method, "noise_scale": 0.5, "random_state": 3}
    few, many = (prediction_sensitivity(model, X, n_samples=n, **on) for n in (5, 50))
    assert (many >= few).all()
    assert (many > few).any()
    seed = np.random.RandomState(3).randint(2**31 - 1)
    shifts = 0.5 * np.random.default_rng(seed).standard_normal(
        (5, 4 if method == "gradient" else 3)
    )
    shifts = shifts if method == "gradient" else np.insert(shifts, 3, 0, axis=1)
    each = [
        prediction_sensitivity(model, X + t, sensitive_columns=3, method=method) for t in shifts
    ]
    np.testing.assert_allclose(few, np.max(each, axis=0), rtol=1e-10)


@pytest.mark.parametrize("method", ["gradient", "flip"])
def test_nobodys_value_depends_on_the_others(method, monkeypatch):
    model = sklearn.clone(NETWORK).fit(X, Y)
    on = {"sensitive_columns": 3, "method": method, "n_samples": 4, "noise_scale": 0.3}
    together = prediction_sensitivity(model, X, random_state=0, **on)
    part = prediction_sensitivity(model, X[100:200], random_state=0, **on)
    np.testing.assert_allclose(part, together[100:200], rtol=1e-9)
    monkeypatch.setattr("skfair.metrics._sensitivity.BATCH_ROWS", 7)
    np.testing.assert_allclose(
        prediction_sensitivity(model, X, random_state=0, **on), together, rtol=1e-9
    )


# -- another value ----------------------------------------------------------------------------


def test_flipping_equals_a_hand_made_counterfactual():
    model = make_pipeline(ENCODE, RandomForestClassifier(20, random_state=0)).fit(TABLE, Y)
    found = prediction_sensitivity(model, TABLE, sensitive_columns="sex")
    other = TABLE.assign(sex=TABLE["sex"].map({"f": "m", "m": "f"}))
    p, q = (model.predict_proba(table)[:, 1] for table in (TABLE, other))
    np.testing.assert_allclose(found, np.abs(p - q), rtol=1e-12)
    assert found.max() > 0.05


def test_flipping_takes_the_largest_change_over_several_values():
    table = TABLE.assign(race=pd.Categorical(RNG.choice(list("xyz"), 300)))
    y = ((table["race"] == "x") | (X[:, 0] > 0.8)).astype(int)
    encode = make_column_transformer((OneHotEncoder(), ["race"]), remainder="drop")
    model = make_pipeline(encode, RandomForestClassifier(20, random_state=0)).fit(table, y)
    found = prediction_sensitivity(model, table, sensitive_columns="race")
    p = {r: model.predict_proba(table.assign(race=r))[:, 1] for r in "xyz"}
    now = model.predict_proba(table)[:, 1]
    np.testing.assert_allclose(found, np.max([np.abs(p[r] - now) for r in "xyz"], axis=0))


def test_one_hot_columns_change_together():
    rows = np.column_stack([X[:, :2], np.eye(3)[RNG.integers(0, 3, 300)]])
    model = RandomForestClassifier(20, random_state=0).fit(rows, Y)
    found = prediction_sensitivity(model, rows, sensitive_columns=[2, 3, 4])
    now, changes = model.predict_proba(rows)[:, 1], []
    for code in np.eye(3):
        other = rows.copy()
        other[:, 2:] = code
        changes.append(np.abs(model.predict_proba(other)[:, 1] - now))
    np.testing.assert_allclose(found, np.max(changes, axis=0))


def test_flipping_a_logistic_model_is_a_step_of_its_logit():
    model = LogisticRegression().fit(X, Y)
    found = prediction_sensitivity(model, X, sensitive_columns=3, method="flip", scale="logit")
    np.testing.assert_allclose(found, abs(model.coef_[0, 3]), rtol=1e-6)


def test_classifiers_without_probabilities():
    with pytest.raises(ValueError, match="LinearSVC has no predict_proba.*CalibratedClassifierCV"):
        prediction_sensitivity(LinearSVC().fit(X, Y), X, sensitive_columns=3)


def test_missing_values_are_no_value_to_flip_to():
    table = TABLE.copy()
    table.loc[:10, "sex"] = None
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["sex"]))
    model = make_pipeline(encode, RandomForestClassifier(5, random_state=0)).fit(table, Y)
    assert np.isfinite(prediction_sensitivity(model, table, sensitive_columns="sex")).all()


# -- aggregates and scorers -------------------------------------------------------------------


def test_aggregates():
    model = LogisticRegression().fit(X, Y)
    each = prediction_sensitivity(model, X, sensitive_columns=3)
    weights = RNG.integers(0, 3, 300)
    for name, function in (
        ("mean", np.mean),
        ("max", np.max),
        ("p95", lambda v: np.quantile(v, 0.95, method="inverted_cdf")),
    ):
        found = prediction_sensitivity(model, X, sensitive_columns=3, aggregate=name)
        assert found == pytest.approx(function(each))
        weighted = prediction_sensitivity(
            model, X, sensitive_columns=3, aggregate=name, sample_weight=weights
        )
        assert weighted == pytest.approx(function(np.repeat(each, weights)))


@pytest.mark.parametrize("routing", [False, True])
def test_scorer_in_cross_validation(routing):
    model = make_pipeline(ENCODE, LogisticRegression())
    scorer = (
        neg_prediction_sensitivity_scorer
        if routing
        else make_fairness_scorer(
            "prediction_sensitivity", sensitive_columns="sex", aggregate="max"
        )
    )
    with sklearn.config_context(enable_metadata_routing=routing):
        params = {"params": {"sensitive_features": TABLE["sex"]}} if routing else {}
        found = cross_validate(model, TABLE, Y, scoring=scorer, cv=3, **params)
    assert (found["test_score"] < 0).all()


def test_scorer_finds_the_columns_that_an_estimator_was_given():
    table = TABLE.assign(sex=(TABLE["sex"] == "f").astype(float))
    model = FaiRNClassifier(sensitive_columns="sex", max_epochs=3, random_state=0).fit(table, Y)
    expected = prediction_sensitivity(model, table, sensitive_columns="sex", aggregate="mean")
    assert neg_prediction_sensitivity_scorer(model, table) == -expected
    with pytest.raises(ValueError, match="which columns of X are sensitive.*sensitive_columns="):
        neg_prediction_sensitivity_scorer(LogisticRegression().fit(table, Y), table)


# -- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"n_samples": 0}, "'n_samples' parameter"),
        ({"noise_scale": -1.0}, "'noise_scale' parameter"),
        ({"aggregate": "median"}, "'aggregate' parameter"),
        ({"sensitive_columns": 9}, "sensitive_columns=9 cannot be found"),
        ({"method": "flip", "sensitive_columns": 0}, "300 values.*at most 50.*gradient"),
    ],
)
def test_bad_parameters(params, match):
    with pytest.raises(ValueError, match=match):
        prediction_sensitivity(
            LogisticRegression().fit(X, Y), X, **{"sensitive_columns": 3} | params
        )


def test_models_without_a_gradient_and_mixed_columns_say_what_to_do():
    forest = RandomForestClassifier(5).fit(X, Y)
    with pytest.raises(ValueError, match="RandomForestClassifier has no gradient: use 'flip'"):
        prediction_sensitivity(forest, X, sensitive_columns=3, method="gradient")
    mixed = make_pipeline(PCA(2), LogisticRegression()).fit(X, Y)
    with pytest.raises(ValueError, match="dropped the sensitive column or mixed.*method='flip'"):
        prediction_sensitivity(mixed, X, sensitive_columns=3)
    assert (prediction_sensitivity(mixed, X, sensitive_columns=3, method="flip") >= 0).all()


def test_one_value_alone_cannot_be_flipped():
    model = make_pipeline(ENCODE, RandomForestClassifier(5, random_state=0)).fit(TABLE, Y)
    women = TABLE[TABLE["sex"] == "f"]
    with pytest.raises(ValueError, match="one value in X.*people of all groups.*category"):
        prediction_sensitivity(model, women, sensitive_columns="sex")
    known = women.assign(sex=pd.Categorical(women["sex"], categories=["f", "m"]))
    expected = prediction_sensitivity(model, TABLE, sensitive_columns="sex")
    found = prediction_sensitivity(model, known, sensitive_columns="sex")
    np.testing.assert_allclose(found, expected[(TABLE["sex"] == "f").to_numpy()])


def test_other_columns_with_a_like_name_are_not_the_sensitive_one():
    table = TABLE.assign(sex_score=X[:, 0])
    encode = make_column_transformer(
        (OneHotEncoder(), ["sex"]), remainder="passthrough", sparse_threshold=0
    )
    model = make_pipeline(encode, LogisticRegression()).fit(table, Y)
    found = prediction_sensitivity(model, table, sensitive_columns="sex", scale="logit")
    np.testing.assert_allclose(found, np.abs(model[-1].coef_[0, :2]).max())
    gone = make_pipeline(
        make_column_transformer(("passthrough", ["sex_score", "a"])), LogisticRegression()
    ).fit(table, Y)
    with pytest.raises(ValueError, match="dropped the sensitive column"):
        prediction_sensitivity(gone, table, sensitive_columns="sex")


def test_products_with_the_attribute_are_refused():
    model = make_pipeline(PolynomialFeatures(2), LogisticRegression()).fit(X, Y)
    with pytest.raises(ValueError, match="mixes 'x3' with others.*method='flip'"):
        prediction_sensitivity(model, X, sensitive_columns=3)


def test_names_that_are_no_text():
    table = pd.DataFrame(X)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(table, Y)
    found = prediction_sensitivity(model, table, sensitive_columns=3, scale="logit")
    np.testing.assert_allclose(found, abs(model[-1].coef_[0, 3]))


def test_label_flipping_with_any_estimator_is_flipped():
    model = LabelFlipClassifier(estimator=RandomForestClassifier(5), flip_fraction=0.0).fit(X, Y)
    assert prediction_sensitivity(model, X, sensitive_columns=3).max() <= 1
