from functools import partial

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from skfair.smoothing._shares import ExactShares, SampledShares
from skfair.smoothing._votes import Draws, EstimatorVoter
from skfair.smoothing.noise import Noise

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
Y = (X @ [1.0, -1.0, 0.5] + rng.normal(size=60) > 0).astype(int)
COLUMNS = [0, 2]
NOISE = Noise("gaussian", "l2", np.array([1.0, 4.0]))


@pytest.fixture
def linear():
    return LogisticRegression().fit(X, Y)


def exact(estimator, rows=X):
    return ExactShares(estimator, rows, COLUMNS, NOISE.scale)


def sampled(estimator, n_draws=4000, adaptive=False, own=False):
    classes = estimator.classes_
    numbers = X[:, COLUMNS]
    return SampledShares(
        partial(EstimatorVoter, estimator, X, numbers, COLUMNS, NOISE.scale, classes, own),
        Draws(NOISE, 0, n_draws, X if own else None),
        len(X),
        rows=1000,
        device="cpu",
        delta=0.01,
        adaptive=adaptive,
        verbose=False,
    )


def test_both_ways_agree_and_the_limits_of_draws_hold_the_formula(linear):
    found, expected = sampled(linear, own=True), exact(linear).shares()
    np.testing.assert_allclose(found.shares(), expected, atol=0.05)
    low, high, score = found.limits()
    assert ((low <= expected) & (expected <= high)).mean() > 0.95
    assert score is None
    assert (low <= found.shares()).all()
    assert (found.shares() <= high).all()


def test_a_formula_has_no_margin_and_keeps_what_a_share_of_one_cannot(linear):
    far = exact(linear, X * 1e6)
    low, high, score = far.limits()
    np.testing.assert_array_equal(low, high)
    np.testing.assert_array_equal(low, far.shares())
    np.testing.assert_allclose(norm.cdf(score), low)
    assert np.isfinite(score).all()
    assert len(np.unique(score)) == score.size


def test_the_formula_is_one_dimensional_noise_along_the_coefficients(linear):
    spread = np.sqrt(((linear.coef_[0, COLUMNS] * NOISE.scale) ** 2).sum())
    expected = norm.cdf(linear.decision_function(X) / spread)
    np.testing.assert_allclose(exact(linear).shares()[:, 1], expected)


def test_noise_that_changes_nothing_leaves_decisions_as_they_are():
    model = LogisticRegression().fit(X * [0, 1, 0], Y)
    np.testing.assert_array_equal(exact(model).shares().argmax(axis=1), model.predict(X))
    assert set(exact(model).shares().ravel()) == {0, 1}


def test_early_decisions_are_those_of_all_draws(linear):
    early = sampled(linear, 20_000, adaptive=True).leading()
    sure = np.abs(exact(linear).shares()[:, 1] - 0.5) > 0.02
    assert early.sum() < 0.8 * len(X) * 20_000
    np.testing.assert_array_equal(
        early.argmax(axis=1)[sure], exact(linear).leading().argmax(axis=1)[sure]
    )


def test_there_is_a_formula_for_linear_classifiers_of_two_classes_and_gaussian_noise(linear):
    three = LogisticRegression().fit(X, np.arange(60) % 3)
    tree = DecisionTreeClassifier().fit(X, Y)
    laplace = Noise("laplace", "l2", np.ones(2))
    assert ExactShares.applies_to(linear, NOISE)
    assert not ExactShares.applies_to(linear, laplace)
    for other in (three, tree, LinearRegression().fit(X, Y)):
        assert not ExactShares.applies_to(other, NOISE)


def test_numbers_too_large_for_a_decision_are_said(linear):
    rows = X.copy()
    rows[3] = 1e308 * np.sign(linear.coef_[0])
    linear.coef_ *= 1e3
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="1 of the 60 rows of X"):
        exact(linear, rows)
