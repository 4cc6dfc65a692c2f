"""Conditional parity: groups are compared within strata of control features."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from fairlearn.metrics import MetricFrame, selection_rate
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV, cross_validate

from skfair import PenaltyClassifier
from skfair.metrics import make_fairness_scorer
from skfair.model_selection import StackedSearchCV
from skfair.objectives import Comparison
from skfair.objectives.penalties import COMPARISONS, penalty_terms
from skfair.objectives.strata import Strata

# few rows and epochs are enough to compare
pytestmark = pytest.mark.filterwarnings("ignore:The fitted")

SMALL = {"hidden_layer_sizes": (8,), "random_state": 0, "dtype": "float64"}
LABELS = ["a", "b"]


def explained(n=1500, seed=0):
    """Group "b" is less qualified, which explains its rate; within a stratum it is refused more."""
    rng = np.random.RandomState(seed)
    group = rng.choice(LABELS, n)
    qualified = rng.rand(n) < np.where(group == "a", 0.7, 0.3)
    y = rng.rand(n) < 0.2 + 0.5 * qualified - 0.15 * (group == "b")
    X = np.c_[qualified, group == "b", rng.normal(size=(n, 2))].astype(float)
    return X, y.astype(int), group, np.where(qualified, "yes", "no")


def gaps(fitted, X, group, qualified):
    """Difference in mean p: of all rows, and in each stratum."""
    p = pd.Series(fitted.predict_proba(X)[:, 1])
    of_all = p.groupby(group).mean()
    within = p.groupby([qualified, group]).mean().unstack()
    return of_all["a"] - of_all["b"], within["a"] - within["b"]


def test_what_the_control_feature_explains_is_left_alone():
    X, y, group, qualified = explained()
    settings = SMALL | {"max_epochs": 20, "lr": 0.01}
    plain, within_strata = PenaltyClassifier(**settings), PenaltyClassifier(**settings)
    plain.fit(X, y, sensitive_features=group)
    within_strata.fit(X, y, sensitive_features=group, control_features=qualified)
    of_all, within = gaps(within_strata, X, group, qualified)
    assert within.abs().max() < 0.05 and of_all > 0.12
    of_all, within = gaps(plain, X, group, qualified)
    assert abs(of_all) < 0.05 and within.min() < -0.05  # the qualified of one group pay for it


def test_columns_of_X_do_as_well_and_routing_brings_them():
    X, y, group, qualified = explained(300)
    frame = pd.DataFrame(X, columns=["qualified", "b", "c", "d"])
    settings = SMALL | {"max_epochs": 2}
    passed = PenaltyClassifier(**settings).fit(
        frame, y, sensitive_features=group, control_features=frame["qualified"]
    )
    named = PenaltyClassifier(control_columns="qualified", **settings).fit(
        frame, y, sensitive_features=group
    )
    np.testing.assert_array_equal(passed.predict_proba(frame), named.predict_proba(frame))
    again = pickle.loads(pickle.dumps(passed))
    assert again._encoder.strata == [0.0, 1.0]
    with sklearn.config_context(enable_metadata_routing=True):
        for search in (GridSearchCV, StackedSearchCV):
            found = search(PenaltyClassifier(**settings), {"alpha": [0.5, 2.0]}, cv=2)
            with warnings.catch_warnings():
                warnings.filterwarnings("error", message="StackedSearchCV fits")
                found.fit(frame, y, sensitive_features=group, control_features=qualified)
            assert found.best_estimator_._encoder.strata == ["no", "yes"]


def draw(n=60, n_strata=3):
    rng = np.random.default_rng(0)
    return (
        torch.tensor(rng.normal(size=(n, 2))),
        torch.tensor(rng.integers(0, 2, n)),
        torch.tensor(rng.integers(-1, 3, (n, 1))),
        torch.tensor(rng.integers(-1, n_strata, n)),
        torch.tensor(rng.uniform(0.5, 2, n)),
    )


@pytest.mark.parametrize("comparison", [*COMPARISONS, None])
@pytest.mark.parametrize("by_share", [True, False])
@pytest.mark.parametrize("worst", [True, False])
def test_the_penalty_is_that_of_each_stratum_by_itself(comparison, by_share, worst):
    logits, y, groups, strata, weights = draw()
    shares = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    counts = torch.rand(3, 2, 3, dtype=torch.float64) + 1 if by_share else None
    of_all = Comparison.of([0, 0, 0], None if counts is None else counts.sum(0), torch.float64)
    options = {"penalty": "equalized_odds" if comparison else "max_min", "compared_by": comparison}
    stratified = Strata(shares, counts, worst)
    found, state = penalty_terms(
        *(logits, y, groups, weights),
        comparison=of_all,
        strata=strata,
        stratified=stratified,
        decay=0.5,
        **options,
    )
    expected = []
    for k in range(3):
        rows = strata == k
        own = Comparison.of([0, 0, 0], None if counts is None else counts[k], torch.float64)
        terms, _ = penalty_terms(
            *(tensor[rows] for tensor in (logits, y, groups, weights)),
            comparison=own,
            decay=0.5,
            **options,
        )
        expected.append(terms["penalty"])
    expected = torch.stack(expected)
    expected = expected.max() if worst else expected @ shares
    if comparison != "kl_projection":
        torch.testing.assert_close(found["penalty"], expected)
    again, _ = penalty_terms(
        *(logits, y, groups, weights, state),
        comparison=of_all,
        strata=strata,
        stratified=stratified,
        decay=0.5,
        **options,
    )
    assert torch.isfinite(again["penalty"])


def test_a_function_is_called_for_every_stratum():
    seen = []

    def penalty(logits, y, groups, weights):
        seen.append(set(groups.tolist()))
        return logits.square().mean() * float((groups >= 0).any())

    X, y, group, qualified = explained(200)
    model = PenaltyClassifier(penalty=penalty, max_epochs=1, batch_size=-1, **SMALL)
    model.fit(X, y, sensitive_features=group, control_features=np.where(qualified == "no", 1, 2))
    assert seen[:2] == [{-1, 0, 1}] * 2


def test_the_favorable_class_may_be_the_first_within_strata():
    X, y, group, qualified = explained(400)
    settings = SMALL | {"penalty": "tpr", "max_epochs": 1, "batch_size": -1}
    known = {"sensitive_features": group, "control_features": qualified}
    one = PenaltyClassifier(**settings).fit(X, y, **known)
    names = np.array(["yes", "zero"])[1 - y]  # the favorable class comes first
    other = PenaltyClassifier(unfavorable="zero", **settings).fit(X, names, **known)
    stratified = [m.net_.recipe.objective.terms for m in (one, other)]
    counts = stratified[0].keywords["stratified"].counts
    assert torch.equal(stratified[1].args[0].keywords["stratified"].counts, counts)


def test_more_strata_may_come_and_missing_ones_take_no_part():
    X, y, group, qualified = explained(400)
    some = np.where(np.arange(400) % 4 == 0, None, qualified)
    model = PenaltyClassifier(**SMALL)
    with pytest.warns(UserWarning, match="control_features is missing in 100 of 400 rows"):
        model.partial_fit(X, y, sensitive_features=group, control_features=some)
    more = np.where(np.arange(400) % 2, "perhaps", qualified)
    model.partial_fit(X, y, sensitive_features=group, control_features=more)
    assert model._encoder.strata == ["no", "yes", "perhaps"]
    assert model._encoder.stratum_counts.sum() == 300 + 400
    model.partial_fit(X, y, sensitive_features=group)  # counts nobody, compares everybody


@pytest.mark.parametrize(
    ("params", "control", "message"),
    [
        ({"tolerance": 0.1}, "qualified", "control_columns|tolerance=0.1"),
        ({"minimum": {"tpr": 0.5}}, "qualified", "minimum="),
        ({"augment": "mixup"}, "qualified", "augment="),
        ({}, np.linspace(0, 1, 200), "control feature 0 is continuous"),
        ({}, np.arange(200), "200 strata, more than 50"),
        ({}, ["a"] * 3, "control_features must have one row per sample"),
    ],
)
def test_what_cannot_be_done_is_told(params, control, message):
    X, y, group, qualified = explained(200)
    control = qualified if isinstance(control, str) else control
    with pytest.raises(ValueError, match=message):
        PenaltyClassifier(**params).fit(X, y, sensitive_features=group, control_features=control)


def test_a_stratum_of_one_group_is_named():
    X, y, group, qualified = explained(200)
    control = np.where(group == "a", qualified, "yes")
    with pytest.warns(UserWarning, match=r"1 of 2 strata .* fewer than two groups.*\['no'\]"):
        PenaltyClassifier(max_epochs=1, **SMALL).fit(
            X, y, sensitive_features=group, control_features=control
        )


# -- scorers ---------------------------------------------------------------------------------


class Decided(ClassifierMixin, BaseEstimator):
    """Predicts what the last column of X says."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.asarray(X)[:, -1].astype(int)


def decided(n=400):
    rng = np.random.RandomState(0)
    X, y, group, qualified = explained(n)
    X = pd.DataFrame(X, columns=["qualified", "b", "c", "d"])
    X["decision"] = (rng.rand(n) < 0.3 + 0.4 * X["qualified"] - 0.1 * X["b"]).astype(int)
    return X, y, group, rng.rand(n) + 0.5


@pytest.mark.parametrize("weighted", [False, True])
def test_scores_within_strata_are_those_of_metric_frame(weighted):
    X, y, group, weights = decided()
    known = {"sample_weight": weights} if weighted else {}
    estimator = Decided().fit(X, y)
    frame = MetricFrame(
        metrics=selection_rate,
        y_true=y,
        y_pred=estimator.predict(X),
        sensitive_features=group,
        control_features=X["qualified"],
        sample_params=known,
    )
    gaps = frame.difference()
    sizes = pd.Series(weights if weighted else 1.0, X.index).groupby(X["qualified"]).sum()
    options = {"sensitive_columns": "b", "control_columns": "qualified"}
    mean, worst = (
        make_fairness_scorer("demographic_parity_difference", control_aggregate=how, **options)
        for how in ("mean", "worst")
    )
    assert mean(estimator, X, y, **known) == pytest.approx(-np.average(gaps, weights=sizes))
    assert worst(estimator, X, y, **known) == pytest.approx(-gaps.max())
    routed = make_fairness_scorer("demographic_parity_difference")
    found = routed(
        estimator, X, y, sensitive_features=group, control_features=X["qualified"], **known
    )
    assert found == mean(estimator, X, y, **known)
    again = pickle.loads(pickle.dumps(worst))
    assert repr(again) == (
        "FairnessScorer('neg_demographic_parity_difference', sensitive_columns='b', "
        "control_columns='qualified', control_aggregate='worst')"
    )


def test_a_scorer_asks_for_control_features_by_routing():
    X, y, group, _ = decided(200)
    scorer = make_fairness_scorer("demographic_parity_difference")
    asking = scorer.set_score_request(control_features=True)
    with sklearn.config_context(enable_metadata_routing=True):
        found = cross_validate(
            Decided(),
            X,
            y,
            scoring={"all": scorer, "within": asking},
            params={"sensitive_features": group, "control_features": X["qualified"]},
            cv=2,
        )
    assert (found["test_all"] != found["test_within"]).all()


@pytest.mark.filterwarnings("ignore:sensitive_features has one group only")
def test_strata_without_two_groups_take_no_part_in_scores():
    X, y, group, _ = decided(200)
    estimator = Decided().fit(X, y)
    alone = X["qualified"].where(group == "a", 1.0)  # of those with 0, all are of one group
    scorer = make_fairness_scorer("demographic_parity_difference", sensitive_columns="b")
    with pytest.warns(UserWarning, match="not defined in 1 of 2 strata"):
        found = scorer(estimator, X, y, control_features=alone)
    rows = (alone == 1).to_numpy()
    assert found == scorer(estimator, X[rows], y[rows])
    with pytest.warns(UserWarning, match="one group only"):
        assert np.isnan(scorer(estimator, X, y, control_features=group))
    with pytest.raises(ValueError, match="control_aggregate must be"):
        make_fairness_scorer("recourse_gap", control_aggregate="max")
