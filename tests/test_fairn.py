"""FaiRNClassifier: what it promises, on made and on real data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split
from torch import nn

from skfair import FaiRNClassifier
from skfair.datasets import make_biased_classification
from skfair.metrics import recourse_gap
from skfair.training import MLP

from . import real

PAPER = {"hidden_layer_sizes": (30, 30), "max_epochs": 20}


def gap_of(model, X, group, **kwargs):
    return recourse_gap(model.decision_function(X), sensitive_features=group, **kwargs)


def test_the_gap_that_was_put_into_the_data_is_found_and_closed():
    X, y, group = make_biased_classification(6000, recourse_gap=1.5, random_state=0)
    X_train, X_test, y_train, _, a_train, a_test = train_test_split(X, y, group, random_state=0)
    network = {"batch_size": 128, "max_epochs": 20, "random_state": 0}
    plain = FaiRNClassifier(lambda_fairness=0, lambda_robustness=0, **network)
    fair = FaiRNClassifier(lambda_robustness=0, **network)
    for model in (plain, fair):
        model.fit(X_train, y_train, sensitive_features=a_train)
    assert gap_of(plain, X_test, a_test) == pytest.approx(1.5, abs=0.35)
    assert gap_of(fair, X_test, a_test) < 0.2
    assert fair.score(X_train, y_train) > plain.score(X_train, y_train) - 0.05


def test_reported_fairness_term_is_the_metric_at_full_batch():
    X, y, group = make_biased_classification(500, n_groups=3, random_state=0)
    model = FaiRNClassifier(batch_size=-1, dtype="float64", max_epochs=5, lr=1e-12, random_state=0)
    for weights, aggregate in (("share", "share"), ("equal", "sum")):
        model.set_params(group_weights=weights).fit(X, y, sensitive_features=group)
        gap = gap_of(model, X, group, aggregate=aggregate)
        assert model.history_["fairness"].iloc[-1] == pytest.approx(gap, rel=1e-6)


@given(scale=st.floats(0.1, 10), seed=st.integers(0, 3))
@settings(max_examples=8, deadline=None)
def test_gradient_distance_in_training_does_not_depend_on_the_scale_of_X(scale, seed):
    X, y, group = make_biased_classification(200, random_state=seed)
    terms = []
    for factor in (1.0, scale):
        model = FaiRNClassifier(
            distance="gradient",
            batch_size=-1,
            dtype="float64",
            max_epochs=1,
            lr=1e-12,
            random_state=seed,
            module=Scaled(1 / factor),
        ).fit(X * factor, y, sensitive_features=group)
        terms.append(model.history_.loc[0, ["fairness", "robustness"]].to_numpy(float))
    np.testing.assert_allclose(terms[0], terms[1], rtol=1e-5)


class Times(nn.Module):
    """Multiply by a constant."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, X):
        return X * self.factor


class Scaled:
    """Makes modules that undo the scaling of their input."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, n_features, n_outputs):
        return nn.Sequential(Times(self.factor), MLP(n_features, n_outputs, (8, 8)))


def test_boundary_distance_is_first_order_in_the_input_space():
    X, y, group = make_biased_classification(300, random_state=0)
    model = FaiRNClassifier(distance="gradient", max_epochs=5, random_state=0, dtype="float64")
    model.fit(X, y, sensitive_features=group)
    step = 1e-6
    slopes = [
        (model.decision_function(X + step * e) - model.decision_function(X - step * e)) / (2 * step)
        for e in np.eye(X.shape[1])
    ]
    expected = np.abs(model.decision_function(X)) / np.linalg.norm(slopes, axis=0)
    np.testing.assert_allclose(model.boundary_distance(X), expected, rtol=1e-4)
    logit = FaiRNClassifier(max_epochs=5, random_state=0).fit(X, y, sensitive_features=group)
    np.testing.assert_allclose(logit.boundary_distance(X), np.abs(logit.decision_function(X)))


THREE = {"lambda_robustness": 0, "max_epochs": 15, "batch_size": 128, "random_state": 0}


@pytest.fixture(scope="module")
def three_classes():
    """3,000 rows with a gap, and a plain network, which no parameter of the term changes."""
    X, _, group, d = make_biased_classification(
        3000, recourse_gap=1.5, return_log_odds=True, random_state=0
    )
    y = np.array(["a", "b", "c"])[
        np.digitize(d + np.random.default_rng(0).logistic(size=3000), [-1, 1])
    ]
    plain = FaiRNClassifier(lambda_fairness=0.0, **THREE).fit(X, y, sensitive_features=group)
    return X, y, group, plain


@pytest.mark.parametrize("unfavorable", [None, "c", ["a", "b"]])
@pytest.mark.parametrize("distance", ["logit", "gradient"])
def test_multi_class_gap_closes_for_the_unfavorable_classes(three_classes, unfavorable, distance):
    X, y, group, plain = three_classes
    fair = FaiRNClassifier(lambda_fairness=1.0, unfavorable=unfavorable, distance=distance, **THREE)
    fair.fit(X, y, sensitive_features=group)
    before, after = (
        gap_of(model, X, group, unfavorable=unfavorable, classes=model.classes_)
        for model in (plain, fair)
    )
    assert fair.predict_proba(X).shape == (3000, 3)
    assert after < (0.35 if distance == "logit" else 0.6) * before


def test_unfavorable_positive_class_turns_the_gap_around():
    X, y, group = make_biased_classification(2000, recourse_gap=1.5, random_state=0)
    model = FaiRNClassifier(unfavorable=1, max_epochs=20, batch_size=128, random_state=0)
    model.fit(X, y, sensitive_features=group)
    decision = model.decision_function(X)
    assert recourse_gap(-decision, sensitive_features=group) < 0.15
    assert recourse_gap(decision, sensitive_features=group, unfavorable=1) < 0.15


@pytest.mark.parametrize("attributes", ["intersection", "sum"])
def test_two_attributes(attributes):
    X, y, group = make_biased_classification(3000, n_groups=4, recourse_gap=1.5, random_state=0)
    first, second = np.isin(group, ["a", "b"]), np.isin(group, ["a", "c"])
    sensitive = np.column_stack([first, second])
    model = FaiRNClassifier(attributes=attributes, max_epochs=20, batch_size=128, random_state=0)
    model.fit(X, y, sensitive_features=sensitive)
    plain = FaiRNClassifier(lambda_fairness=0, max_epochs=20, batch_size=128, random_state=0)
    plain.fit(X, y, sensitive_features=sensitive)
    for attribute in (first, second):
        assert gap_of(model, X, attribute) < 0.3 * gap_of(plain, X, attribute) + 0.05
    expected = {
        "intersection": [(a, b) for a in (False, True) for b in (False, True)],
        "sum": [(0, False), (0, True), (1, False), (1, True)],
    }
    assert model.groups_ == expected[attributes]


def test_analytic_and_automatic_gradient_train_the_same_network():
    X, y, group = make_biased_classification(300, random_state=0)
    params = {"distance": "gradient", "dtype": "float64", "max_epochs": 3, "random_state": 0}
    analytic = FaiRNClassifier(**params, hidden_layer_sizes=(8, 8))
    automatic = FaiRNClassifier(**params, module=Scaled(1.0))
    for model in (analytic, automatic):
        model.fit(X, y, sensitive_features=group)
    np.testing.assert_allclose(
        analytic.decision_function(X), automatic.decision_function(X), rtol=1e-6
    )


# -- real data ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def adult(shared_data):
    return real.adult()


def run(parts, n_seeds, **params):
    """Mean measures over seeds on the test part, and the number of constant models."""
    train, test = parts
    rows = []
    for seed in range(n_seeds):
        model = FaiRNClassifier(**(PAPER | params), random_state=seed)
        model.fit(train.X, train.y, sensitive_features=train.sensitive)
        rows.append(real.measures(test, model))
    return {name: np.mean([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.slow
@pytest.mark.parametrize(("batch_size", "index", "seeds"), [(1024, 0.95, 1), (128, 0.93, 1)])
def test_adult_is_fair_at_little_loss_of_accuracy(adult, batch_size, index, seeds):
    found = run(adult, seeds, batch_size=batch_size)
    assert found["accuracy"] >= 0.850
    assert found["I_fair"] >= index
    assert found["|dTPR|"] <= 0.045
    assert found["|dFPR|"] <= 0.055


@pytest.mark.slow
def test_adult_is_unfair_without_the_term(adult):
    found = run(adult, 1, batch_size=1024, lambda_fairness=0, lambda_robustness=0)
    assert found["accuracy"] >= 0.852
    assert found["I_fair"] < 0.25


@pytest.mark.slow
def test_adult_with_the_gradient_distance(adult):
    found = run(adult, 1, batch_size=1024, distance="gradient")
    assert found["accuracy"] >= 0.850
    assert found["|dTPR|"] <= 0.06
    assert not found["is_constant"]


@pytest.mark.slow
def test_adult_race_and_sex_together(shared_data):
    train, test = real.adult(sensitive=["race", "sex"])
    gaps = []
    for params in ({"lambda_fairness": 0, "lambda_robustness": 0}, {}):
        model = FaiRNClassifier(**PAPER, batch_size=1024, random_state=0, **params)
        model.fit(train.X, train.y, sensitive_features=train.sensitive)
        gaps.append([gap_of(model, test.X, test.sensitive[name]) for name in ("race", "sex")])
        assert model.score(test.X, test.y) > 0.84
    assert (np.array(gaps[1]) <= 0.3 * np.array(gaps[0])).all()


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [128, 800])
def test_german_credit_never_collapses(shared_data, batch_size):
    accuracy = []
    for seed in range(2):
        train, test = real.german(seed)
        model = FaiRNClassifier(
            lambda_fairness=0.3, lambda_robustness=0.4, batch_size=batch_size, random_state=seed
        ).fit(train.X, train.y, sensitive_features=train.sensitive)
        y_pred = model.predict(test.X)
        assert len(set(y_pred)) == 2
        accuracy.append((y_pred == test.y).mean())
    assert np.mean(accuracy) >= 0.73
