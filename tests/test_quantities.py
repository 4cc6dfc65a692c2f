"""Sensitive features that are quantities, in penalties that need no groups."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.model_selection import GridSearchCV

from skfair import PenaltyClassifier
from skfair.datasets import make_biased_classification
from skfair.objectives.dependence import squared_covariance
from skfair.objectives.penalties import OF_QUANTITIES, penalty_terms

pytestmark = pytest.mark.filterwarnings("ignore:The fitted")

F64 = torch.float64
SETTINGS = {"max_epochs": 15, "batch_size": 128, "random_state": 0, "lr": 0.01}


def by_age(n=800):
    rng = np.random.RandomState(0)
    age = rng.uniform(18, 80, n)
    X = np.c_[(age - 49) / 18 + rng.normal(size=n), rng.normal(size=(n, 2))]
    y = (X @ [1.0, 1.0, 0.5] + rng.normal(size=n) > 0).astype(int)
    return X, y, pd.Series(age, name="age")


def correlation(fitted, X, age):
    return abs(np.corrcoef(fitted.predict_proba(X)[:, 1], age)[0, 1])


@pytest.mark.parametrize(("comparison", "alpha"), [("hsic", 20.0), ("covariance", 5.0)])
def test_predictions_come_to_depend_less_on_age(comparison, alpha):
    X, y, age = by_age()
    plain, fair = (
        PenaltyClassifier(comparison=comparison, alpha=a, **SETTINGS).fit(
            X, y, sensitive_features=age
        )
        for a in (0.0, alpha)
    )
    assert correlation(fair, X, age) < 0.5 * correlation(plain, X, age)
    assert fair.score(X, y) > 0.6 and fair.groups_ == []
    again = pickle.loads(pickle.dumps(fair))
    np.testing.assert_array_equal(again.predict_proba(X), fair.predict_proba(X))


def draw(n=50):
    rng = np.random.default_rng(0)
    quantity = rng.normal(size=(n, 1))
    quantity[::7] = np.nan
    return (
        torch.tensor(rng.normal(size=(n, 2))),
        torch.tensor(rng.integers(0, 2, n)),
        torch.tensor(quantity),
        torch.tensor(rng.uniform(0.5, 2, n)),
    )


def test_the_covariance_is_numpys():
    logits, y, quantity, weights = draw()
    terms, _ = penalty_terms(
        *(logits, y, None, weights),
        penalty="equalized_odds",
        compared_by="covariance",
        comparison=None,
        quantities=quantity,
    )
    p, s = logits.softmax(1)[:, 1].numpy(), quantity[:, 0].numpy()
    expected = 0.0
    for label in (0, 1):
        rows = (y.numpy() == label) & ~np.isnan(s)
        found = np.cov(p[rows], s[rows], ddof=0, aweights=weights.numpy()[rows])[0, 1]
        expected += 4 * found**2
    assert terms["penalty"].item() == pytest.approx(expected)


def test_of_two_groups_of_one_size_it_is_the_squared_difference():
    values = torch.tensor([[0.1, 0.4, 0.8, 0.2]], dtype=F64)
    one = torch.ones_like(values)
    s = torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=F64)[:, None]
    found, _ = squared_covariance(values, one, s)
    assert found.item() == pytest.approx((0.25 - 0.5) ** 2)


def test_its_value_is_that_of_recent_batches_and_its_gradient_the_batchs():
    logits, _, quantity, _ = draw(60)
    values = logits.sigmoid().mT[:1].clone().requires_grad_()
    cases = torch.ones_like(values)
    halves = [slice(0, 30), slice(30, 60)]
    state = None
    for rows in halves:
        value, state = squared_covariance(
            values[:, rows], cases[:, rows], quantity[rows], state, 1 - 1e-12
        )
    whole, _ = squared_covariance(values, cases, quantity)
    assert value.item() == pytest.approx(whole.item(), rel=1e-9)
    (found,) = torch.autograd.grad(value, values)
    own, _ = squared_covariance(values[:, 30:], cases[:, 30:], quantity[30:])
    (of_batch,) = torch.autograd.grad(own, values)
    ratio = (whole / own).sqrt().item()  # 8 cov d cov: the covariance is that of recent batches
    torch.testing.assert_close(found.abs(), of_batch.abs() * ratio)
    assert torch.autograd.gradcheck(lambda v: squared_covariance(v, cases, quantity)[0], values)


@pytest.mark.parametrize("comparison", OF_QUANTITIES)
@pytest.mark.parametrize("penalty_on", ["train", "holdout"])
def test_groups_and_quantities_are_terms_of_their_own(comparison, penalty_on):
    X, y, group = make_biased_classification(300, random_state=0)
    both = pd.DataFrame({"group": group, "age": np.random.RandomState(0).rand(300)})
    both.loc[:9, "age"] = np.nan
    params = {"comparison": comparison, "penalty_on": penalty_on, "max_epochs": 2}
    with pytest.warns(UserWarning, match="missing in 10 of 300 rows"):
        fitted = PenaltyClassifier(random_state=0, **params).fit(X, y, sensitive_features=both)
    assert len(fitted.groups_) == 2 and np.isfinite(fitted.history_["penalty"]).all()
    again = pickle.loads(pickle.dumps(fitted))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for model in (fitted, again):
            model.partial_fit(X, y, sensitive_features=both)
    np.testing.assert_array_equal(fitted.predict_proba(X), again.predict_proba(X))


def test_covariance_of_groups_is_their_squared_distance():
    X, y, group = make_biased_classification(300, random_state=0)
    one, other = (
        PenaltyClassifier(comparison=c, max_epochs=2, random_state=0).fit(
            X, y, sensitive_features=group
        )
        for c in ("covariance", "squared")
    )
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


@pytest.mark.filterwarnings("ignore:sensitive_features. 1 of")
def test_a_search_over_comparisons_encodes_for_each():
    X, y, age = by_age(200)
    binned = (age // 20).to_numpy()  # may be groups, or numbers
    params = {"comparison": ["hsic", "covariance", "squared"]}
    model = PenaltyClassifier(continuous_features=None, max_epochs=1, random_state=0)
    search = GridSearchCV(model, params, cv=2, error_score="raise")
    search.fit(X, y, sensitive_features=binned)
    assert len(search.cv_results_["params"]) == 3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, r"continuous.*Or take it as it is, with comparison in \['covariance', 'hsic'\]"),
        ({"comparison": "kl_projection"}, "Or take it as it is"),
        ({"continuous_features": "age"}, "continuous_features='age' needs a comparison"),
        ({"comparison": "hsic", "control_columns": 0}, "Control features are about groups"),
        ({"comparison": "hsic", "continuous_features": None}, "Bin it first"),
    ],
)
def test_penalties_that_need_groups_say_so(params, message):
    X, y, age = by_age(100)
    X[:, 0] = np.arange(100) % 2
    with pytest.raises(ValueError, match=message):
        PenaltyClassifier(**params).fit(X, y, sensitive_features=age)
    whole = pd.Series(np.arange(100), name="age")
    with pytest.raises(ValueError, match=r"more than 50.*take it as it is"):
        PenaltyClassifier().fit(X, y, sensitive_features=whole)
