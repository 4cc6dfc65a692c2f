import numpy as np
import pytest
from fairlearn import metrics
from scipy import stats
from sklearn.metrics import accuracy_score, precision_score

from skfair._rates import BASE_RATE, RATES, clopper_pearson, jeffreys

SCIPY = [(0, 10), (3, 10), (10, 10), (700, 1000), (1, 1), (5, 7)]


@pytest.mark.parametrize("tail", [0.005, 0.05])
@pytest.mark.parametrize(("hits", "cases"), SCIPY)
def test_limits_are_those_of_clopper_and_pearson(hits, cases, tail):
    expected = stats.binomtest(hits, cases).proportion_ci(1 - 2 * tail, method="exact")
    low, high = clopper_pearson(hits, cases, tail)
    assert [low, high] == pytest.approx([expected.low, expected.high], abs=1e-9)


@pytest.mark.parametrize(("hits", "cases"), SCIPY)
def test_limits_of_jeffreys_are_quantiles_of_his_posterior(hits, cases):
    low, high = jeffreys(np.array([hits]), np.array([cases]), 0.025)
    posterior = stats.beta(hits + 0.5, cases - hits + 0.5)
    assert low[0] == pytest.approx(posterior.ppf(0.025) if hits else 0.0, rel=1e-9)
    assert high[0] == pytest.approx(posterior.isf(0.025) if hits < cases else 1.0, rel=1e-9)


def test_without_cases_a_share_can_be_anything():
    none = np.zeros(1)
    assert np.ravel(clopper_pearson(none, none, 0.05)).tolist() == [0, 1]
    assert np.isnan(jeffreys(none, none, 0.05)).all()


@pytest.mark.parametrize("name", RATES)
def test_rates_are_those_of_fairlearn_and_scikit_learn(name):
    y, p = np.random.default_rng(0).random((2, 50)) < 0.4
    known = {"accuracy": accuracy_score, "precision": precision_score}
    cases = RATES[name].cases(y, p)
    expected = known.get(name) or getattr(metrics, name)
    assert RATES[name].hits(y, p)[cases].mean() == pytest.approx(expected(y, p))


def test_the_base_rate_is_that_of_the_data():
    y, p = np.random.default_rng(0).random((2, 50)) < 0.4
    assert BASE_RATE.hits(y, p)[BASE_RATE.cases(y, p)].mean() == y.mean()
