"""Thresholds for groups: optimal, within the tolerance, and honest where a group is not known."""

from __future__ import annotations

import itertools
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.optimize import linprog
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skfair import FairThresholdClassifier
from skfair._thresholds._limits import CONSTRAINTS, RATES, InfeasibleError, Limits
from skfair._thresholds._roc import hull_points, roc_curve
from skfair._thresholds._search import best_thresholds
from skfair.datasets import make_biased_classification
from skfair.metrics import make_fairness_scorer

from .threshold_cases import CASES, TOLERANCES

SOLVER = 1e-7  # what the solver may be off by


class Scores(ClassifierMixin, BaseEstimator):
    """The first column is the score."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return np.asarray(X)[:, 0].astype(float)

    def predict(self, X):
        return self.classes_[(self.decision_function(X) > 0).astype(int)]


def on_scores(scores, y, groups, sample_weight=None, **params):
    """Thresholds on given scores, and the probabilities of acceptance of these rows."""
    X = np.column_stack([scores, np.arange(len(y))])
    model = FairThresholdClassifier(FrozenEstimator(Scores().fit(X, y)), **params)
    model.fit(X, y, sensitive_features=groups, sample_weight=sample_weight)
    return model, model.predict_proba(X, sensitive_features=groups)[:, 1]


def rates_of(acceptance, y, groups, name, weights=None):
    """A rate of each group that has it."""
    weights = np.ones(len(y)) if weights is None else weights
    cases = RATES[name][y] > 0
    return {
        group: np.average(acceptance[rows], weights=weights[rows])
        for group in np.unique(groups)
        if weights[rows := (groups == group) & cases].sum() > 0
    }


def largest_gap(acceptance, y, groups, constraint, weights=None):
    """Of the rates that a constraint is about."""
    rates = [rates_of(acceptance, y, groups, name, weights) for name in CONSTRAINTS[constraint]]
    return max(max(r.values()) - min(r.values()) for r in rates if r)


# -- the optimum ----------------------------------------------------------------------------------

# By error-parity 0.3.12: python -m benchmarks.threshold_reference; a cost for each of TOLERANCES.
OPTIMA = {
    ("two groups", "demographic_parity"): [0.232019481, 0.228474026, 0.217190476],
    ("two groups", "equal_opportunity"): [0.21142803, 0.209946212, 0.205927264],
    ("two groups", "false_positive_rate_parity"): [0.219973236, 0.216879835, 0.207412914],
    ("two groups", "equalized_odds"): [0.240969683, 0.226969683, 0.207412914],
    ("ties", "demographic_parity"): [0.278731225, 0.275458498, 0.262367589],
    ("ties", "equal_opportunity"): [0.263050646, 0.260748646, 0.251540646],
    ("ties", "false_positive_rate_parity"): [0.248367482, 0.245656573, 0.234883829],
    ("ties", "equalized_odds"): [0.282885978, 0.271761399, 0.251540646],
    ("few rows", "demographic_parity"): [0.236734694, 0.232142857, 0.221031746],
    ("few rows", "equal_opportunity"): [0.2, 0.2, 0.2],
    ("few rows", "false_positive_rate_parity"): [0.223333333, 0.221, 0.211666667],
    ("few rows", "equalized_odds"): [0.248, 0.239666667, 0.211666667],
    ("one group is ranked the wrong way", "demographic_parity"): [
        0.332533333,
        0.330133333,
        0.320533333,
    ],
    ("one group is ranked the wrong way", "equal_opportunity"): [
        0.364719888,
        0.362319888,
        0.352719888,
    ],
    ("one group is ranked the wrong way", "false_positive_rate_parity"): [
        0.310626151,
        0.308226151,
        0.301854167,
    ],
    ("one group is ranked the wrong way", "equalized_odds"): [0.388333333, 0.3828, 0.360666667],
    ("four groups", "demographic_parity"): [0.238002963, 0.237496296, 0.23546963],
    ("four groups", "equal_opportunity"): [0.237006226, 0.236690226, 0.2354393],
    ("four groups", "false_positive_rate_parity"): [0.234598756, 0.234158756, 0.232666667],
    ("four groups", "equalized_odds"): [0.262205192, 0.251347728, 0.236137369],
    ("costs", "demographic_parity"): [0.444976331, 0.441840237, 0.429714286],
    ("costs", "equal_opportunity"): [0.447693713, 0.442829269, 0.42514],
    ("costs", "false_positive_rate_parity"): [0.435758282, 0.433194615, 0.425047834],
    ("costs", "equalized_odds"): [0.45533908, 0.442829517, 0.42514],
}

SETTINGS = [(*key, at) for key in OPTIMA for at in range(len(TOLERANCES))]


def cost_of(case, acceptance):
    wrong = np.where(case.y == 1, 1 - acceptance, acceptance)
    return np.mean(wrong * np.where(case.y == 1, case.false_negative, case.false_positive))


def fitted_to(case, **params):
    objective = [[0, case.false_positive], [case.false_negative, 0]]
    return on_scores(case.scores, case.y, case.groups, objective=objective, **params)


@pytest.mark.parametrize(("name", "constraint", "at"), SETTINGS)
def test_cost_is_the_optimum_that_error_parity_finds(name, constraint, at):
    case, tolerance = CASES[name], TOLERANCES[at]
    _, acceptance = fitted_to(case, constraint=constraint, tolerance=tolerance)
    assert cost_of(case, acceptance) == pytest.approx(OPTIMA[name, constraint][at], abs=1e-6)
    assert largest_gap(acceptance, case.y, case.groups, constraint) <= tolerance + SOLVER


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_cost_is_that_of_error_parity_where_it_is_installed(constraint):
    reference = pytest.importorskip("benchmarks.threshold_reference", exc_type=ImportError)
    for case, tolerance in itertools.product(CASES.values(), TOLERANCES):
        _, acceptance = fitted_to(case, constraint=constraint, tolerance=tolerance)
        expected = reference.optimum(case, constraint, tolerance)
        assert cost_of(case, acceptance) == pytest.approx(expected, abs=1e-6)


def small_case(seed):
    """Twenty rows of two or three groups, with ties and weights."""
    rng = np.random.RandomState(seed)
    groups = np.concatenate([[0, 0, 1, 1], rng.randint(0, 2 + seed % 2, 16)])
    y = np.concatenate([[0, 1, 0, 1], rng.randint(0, 2, 16)])
    return rng.randint(0, 8, 20) / 4, y, groups, rng.randint(1, 4, 20).astype(float)


def best_row_by_row(scores, y, groups, weights, constraint, tolerance):
    """Fewest errors of any probabilities of acceptance that rise with the score in each group."""
    n = len(y)
    sign = np.where(y == 1, -1.0, 1.0)
    rows, limits = [], []
    for i, j in itertools.permutations(range(n), 2):
        if groups[i] == groups[j] and scores[i] <= scores[j]:
            rows.append(np.eye(n)[i] - np.eye(n)[j])
            limits.append(0.0)
    for name in CONSTRAINTS[constraint]:
        case_weights = weights * (RATES[name][y] > 0)
        of_group = [
            np.where(groups == g, case_weights, 0) / case_weights[groups == g].sum()
            for g in np.unique(groups)
            if case_weights[groups == g].sum() > 0
        ]
        for first, second in itertools.permutations(of_group, 2):
            rows.append(first - second)
            limits.append(tolerance)
    found = linprog(sign * weights, A_ub=np.array(rows), b_ub=limits, bounds=(0, 1))
    return (found.fun + weights[y == 1].sum()) / weights.sum()


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_cost_is_the_least_of_all_rules_that_rise_with_the_score(seed, constraint):
    scores, y, groups, weights = small_case(seed)
    for tolerance in (0.0, 0.15):
        _, acceptance = on_scores(
            scores, y, groups, weights, constraint=constraint, tolerance=tolerance
        )
        errors = np.average(np.abs(y - acceptance), weights=weights)
        expected = best_row_by_row(scores, y, groups, weights, constraint, tolerance)
        assert errors == pytest.approx(expected, abs=1e-6)
        gap = largest_gap(acceptance, y, groups, constraint, weights)
        assert gap <= tolerance + SOLVER


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_without_chance_it_is_the_best_of_all_combinations_of_thresholds(seed, constraint):
    scores, y, groups, weights = small_case(seed)
    choices = [[*np.unique(scores[groups == g]), np.inf] for g in np.unique(groups)]
    for tolerance in (0.0, 0.15, 0.4):
        model, acceptance = on_scores(
            scores, y, groups, weights, constraint=constraint, tolerance=tolerance, randomize=False
        )
        assert set(acceptance) <= {0.0, 1.0}
        expected = np.inf
        for thresholds in itertools.product(*choices):
            decided = (scores >= np.take(thresholds, groups)).astype(float)
            if largest_gap(decided, y, groups, constraint, weights) <= tolerance + 1e-9:
                expected = min(expected, np.average(np.abs(y - decided), weights=weights))
        assert np.average(np.abs(y - acceptance), weights=weights) == pytest.approx(expected)


def test_without_chance_two_rates_are_kept_to_among_many_thresholds():
    case = CASES["two groups"]
    limits = Limits(CONSTRAINTS["equalized_odds"], 0.02)
    curves = [
        roc_curve(case.scores[rows], case.y[rows], np.ones(rows.sum()))
        for rows in (case.groups == 0, case.groups == 1)
    ]
    points = best_thresholds(curves, np.array([1.0, -1.0]), limits)
    chosen = [curve.accepted[at] / curve.counts for curve, at in zip(curves, points, strict=True)]
    assert np.abs(chosen[0] - chosen[1]).max() <= 0.02 + 1e-9
    accepted = sum(c.accepted[at] for c, at in zip(curves, points, strict=True))
    every = [
        (a + b) @ [1, -1]
        for a in curves[0].accepted
        for b in curves[1].accepted[
            (
                np.abs(curves[1].accepted / curves[1].counts - a / curves[0].counts) <= 0.02 + 1e-9
            ).all(axis=1)
        ]
    ]
    assert accepted @ [1, -1] == pytest.approx(min(every))


@pytest.mark.parametrize("objective", ["accuracy", "balanced_accuracy", [[0, 2], [1, -1]]])
def test_objective_is_what_is_best_where_nothing_binds(objective):
    case = CASES["ties"]
    model, acceptance = on_scores(
        case.scores, case.y, case.groups, tolerance=1.0, objective=objective
    )
    costs = {"accuracy": [1, 1], "balanced_accuracy": 1 / np.bincount(case.y)}
    false_positive, false_negative = (
        costs[objective] if isinstance(objective, str) else (2, 2)  # what a wrong decision adds
    )

    def cost(accepted, rows):
        wrong = np.where(case.y == 1, (1 - accepted) * false_negative, accepted * false_positive)
        return wrong[rows].sum()

    for group in range(3):
        rows = case.groups == group
        best = min(cost(case.scores >= t, rows) for t in [*np.unique(case.scores), np.inf])
        assert cost(acceptance, rows) == pytest.approx(best)


def test_corners_of_the_hull_are_those_of_qhull():
    from scipy.spatial import ConvexHull

    for case in CASES.values():
        curve = roc_curve(case.scores, case.y, np.ones(len(case.y)))
        assert set(ConvexHull(curve.accepted).vertices) <= set(hull_points(curve))


def test_equal_scores_but_for_rounding_are_accepted_together():
    scores = np.array([0.1 + 0.2, 0.3, 0.5])
    assert roc_curve(scores, np.array([0, 1, 1]), np.ones(3)).accepted.tolist() == [
        [0, 0],
        [0, 1],
        [1, 2],
    ]


def test_threshold_lies_between_neighboring_numbers():
    scores = np.array([1.0, np.nextafter(1.0, 2) + 1e-9])
    curve = roc_curve(scores, np.array([0, 1]), np.ones(2))
    assert scores[0] < curve.thresholds[1] <= scores[1]


# -- chance ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("constraint", ["demographic_parity", "equal_opportunity"])
def test_chance_decides_between_neighbors_on_the_hull_of_one_group_only(constraint):
    case = CASES["two groups"]
    model, _ = on_scores(case.scores, case.y, case.groups, constraint=constraint, tolerance=0.02)
    steps = model.thresholds_.groupby("group").size()
    assert sorted(steps) == [1, 2]
    mixed = model.thresholds_[model.thresholds_["group"] == steps.idxmax()]["threshold"]
    rows = case.groups == steps.idxmax()
    curve = roc_curve(case.scores[rows], case.y[rows], np.ones(rows.sum()))
    corners = curve.thresholds[hull_points(curve)]
    first = np.flatnonzero(np.isin(corners, mixed))
    assert len(first) == 2 and first[1] == first[0] + 1


def test_a_group_inside_its_hull_mixes_three_thresholds_at_most():
    for case in CASES.values():
        model, _ = on_scores(case.scores, case.y, case.groups, tolerance=0.0)
        assert model.thresholds_.groupby("group").size().max() <= 3


def test_a_group_without_positives_is_not_drawn_by_lot():
    rng = np.random.RandomState(0)
    scores, groups = rng.standard_normal(400), np.repeat([0, 1], 200)
    y = np.where(groups == 0, scores + rng.standard_normal(400) > 0, 0).astype(int)
    with pytest.warns(UserWarning, match=r"No row of the groups \[1\] has the label 1"):
        _, acceptance = on_scores(scores, y, groups)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="No row")  # the rate that is compared exists
        model, acceptance = on_scores(scores, y, groups, constraint="demographic_parity")
    chance = (acceptance > 0) & (acceptance < 1)
    assert chance[groups == 1].sum() <= 1
    assert np.ptp(model.rates_["selection_rate"]) <= 0.05 + SOLVER
    assert np.isnan(model.rates_["true_positive_rate"][1])


def test_the_same_row_always_gets_the_same_answer(biased):
    X, y, group = biased
    model = FairThresholdClassifier(LogisticRegression(), tolerance=0.0, random_state=0)
    model.fit(X, y, sensitive_features=group)
    p = model.predict_proba(X, sensitive_features=group)[:, 1]
    assert ((p > 0) & (p < 1)).sum() > 5
    decided = model.predict(X, sensitive_features=group)
    order = np.random.RandomState(0).permutation(len(y))
    shuffled = model.predict(X[order], sensitive_features=group[order])
    np.testing.assert_array_equal(shuffled, decided[order])
    alone = [model.predict(X[[i]], sensitive_features=group[[i]])[0] for i in range(20)]
    np.testing.assert_array_equal(alone, decided[:20])
    assert (decided[p == 0] == 0).all() and (decided[p == 1] == 1).all()


def test_decisions_have_the_probabilities_that_are_said():
    rng = np.random.RandomState(0)
    groups, y = np.repeat([0, 1], 2000), rng.randint(0, 2, 4000)
    scores = np.where(groups == 0, y + rng.standard_normal(4000), 0.0)  # group 1: one large tie
    X = np.column_stack([scores, np.arange(4000)])
    model = FairThresholdClassifier(
        FrozenEstimator(Scores().fit(X, y)), constraint="demographic_parity", tolerance=0.0
    )
    shares = []
    for seed in range(20):
        model.set_params(random_state=seed).fit(X, y, sensitive_features=groups)
        shares.append(model.predict(X, sensitive_features=groups)[groups == 1].mean())
    p = model.predict_proba(X, sensitive_features=groups)[groups == 1, 1]
    assert 0.2 < p[0] < 0.8 and np.ptp(p) == 0
    deviation = np.sqrt(p[0] * (1 - p[0]) / 2000)  # of a share of 2000 independent draws
    assert np.abs(np.mean(shares) - p[0]) < 4 * deviation / np.sqrt(20)
    assert 0.6 * deviation < np.std(shares) < 1.5 * deviation


# -- groups ---------------------------------------------------------------------------------------


def two_attributes(n=1500):
    """Rows with sex and origin, as a table, and labels that depend on both."""
    X, y, sex = make_biased_classification(n, random_state=0)
    origin = np.random.RandomState(0).choice(["home", "abroad"], n, p=[0.7, 0.3])
    X = X + 0.5 * (origin == "home")[:, np.newaxis]
    return X, y, pd.DataFrame({"sex": sex, "origin": origin})


def test_several_features_are_a_group_for_each_combination():
    X, y, features = two_attributes()
    model = FairThresholdClassifier(
        FrozenEstimator(LogisticRegression().fit(X, y)), constraint="demographic_parity"
    ).fit(X, y, sensitive_features=features)
    assert model.groups_ == [("a", "abroad"), ("a", "home"), ("b", "abroad"), ("b", "home")]
    p = model.predict_proba(X, sensitive_features=features)[:, 1]
    groups = features.agg("/".join, axis=1).to_numpy()
    assert largest_gap(p, y, groups, "demographic_parity") <= 0.05 + SOLVER
    assert list(model.rates_.index) == model.groups_


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_sum_compares_the_groups_of_each_feature(constraint):
    X, y, features = two_attributes()
    base = FrozenEstimator(LogisticRegression().fit(X, y))
    scores = {}
    for attributes in ("sum", "intersection"):
        model = FairThresholdClassifier(
            base, constraint=constraint, attributes=attributes, tolerance=0.01
        ).fit(X, y, sensitive_features=features)
        p = model.predict_proba(X, sensitive_features=features)[:, 1]
        for name in features:
            gap = largest_gap(p, y, features[name].to_numpy(), constraint)
            if attributes == "sum":
                assert gap <= 0.01 + SOLVER
                expected = rates_of(p, y, features[name].to_numpy(), "selection_rate")
                shares = model.rates_["selection_rate"]
                assert {g: shares[(name, g)] for g in expected} == pytest.approx(expected)
        scores[attributes] = np.abs(y - p).mean()
    assert scores["sum"] <= scores["intersection"] + SOLVER  # of fewer constraints


def test_unknown_and_missing_groups_get_the_pooled_threshold(biased):
    X, y, group = biased
    model = FairThresholdClassifier(LogisticRegression(), random_state=0)
    model.fit(X, y, sensitive_features=group)
    pooled = model.thresholds_.query("group.isna()")["threshold"].item()
    expected = model.estimator_.predict_proba(X)[:, 1] >= pooled
    with pytest.warns(UserWarning, match="Neither sensitive_features nor sensitive_columns"):
        np.testing.assert_array_equal(model.predict(X), expected)
    others = group.astype(object)
    others[:5], others[5:10] = "c", None
    with pytest.warns(UserWarning, match="group of 10 of 600 rows is missing, or was not there"):
        decided = model.predict(X, sensitive_features=others)
    np.testing.assert_array_equal(decided[:10], expected[:10])
    np.testing.assert_array_equal(decided[10:], model.predict(X, sensitive_features=group)[10:])


def test_rows_without_a_group_do_not_choose_the_groups_thresholds():
    case = CASES["two groups"]
    groups = np.where(np.arange(len(case.y)) % 4 > 0, case.groups.astype(object), None)
    with pytest.warns(UserWarning, match="missing"):
        model, p = on_scores(case.scores, case.y, groups)
    known = groups != None  # noqa: E711
    alone, _ = on_scores(case.scores[known], case.y[known], case.groups[known])
    pd.testing.assert_frame_equal(model.rates_, alone.rates_)
    assert largest_gap(p[known], case.y[known], case.groups[known], "equalized_odds") <= 0.05 + 1e-7


def test_without_groups_there_is_one_threshold(biased):
    X, y, _ = biased
    with pytest.warns(UserWarning, match="one threshold for everybody"):
        model = FairThresholdClassifier(LogisticRegression()).fit(X, y)
    assert len(model.thresholds_) == 1 and model.groups_ == [] and model.rates_.empty
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(X)


@pytest.mark.parametrize("minimum", [{"tpr": 0.8}, {"selection_rate": 0.45}])
@pytest.mark.parametrize("constraint", ["equal_opportunity", None])
@pytest.mark.parametrize("randomize", [True, False])
def test_minimum_holds_in_every_group(minimum, constraint, randomize):
    case = CASES["two groups"]
    model, p = on_scores(
        *(case.scores, case.y, case.groups),
        constraint=constraint,
        minimum=minimum,
        randomize=randomize,
    )
    ((name, least),) = minimum.items()
    name = {"tpr": "true_positive_rate"}.get(name, name)
    assert min(rates_of(p, case.y, case.groups, name).values()) >= least - SOLVER


def test_leveling_down_is_said():
    case = CASES["one group is ranked the wrong way"]
    with pytest.warns(UserWarning, match=r"Hardly anybody .*\(0: 1.6% accepted, 39.7% .*leveling"):
        on_scores(case.scores, case.y, case.groups, tolerance=0.02)


def test_that_nobody_is_accepted_is_said():
    case = CASES["two groups"]
    with pytest.warns(UserWarning, match="Nobody is accepted, whatever the score.*randomize=True"):
        on_scores(case.scores, case.y, case.groups, tolerance=0.0, randomize=False)


# -- inferred groups ------------------------------------------------------------------------------


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_inferred_groups_keep_the_constraint_of_the_true_groups(biased, constraint):
    X, y, group = biased
    base = FrozenEstimator(LogisticRegression().fit(X, y))
    infers = FrozenEstimator(LogisticRegression().fit(X, group))
    model = FairThresholdClassifier(
        base, constraint=constraint, tolerance=0.01, group_estimator=infers
    ).fit(X, y, sensitive_features=group)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        p = model.predict_proba(X)[:, 1]  # no group is needed
    assert largest_gap(p, y, group, constraint) <= 0.01 + SOLVER
    expected = rates_of(p, y, group, "true_positive_rate")
    assert model.rates_["true_positive_rate"].to_dict() == pytest.approx(expected)
    known = FairThresholdClassifier(base, constraint=constraint, tolerance=0.01)
    known.fit(X, y, sensitive_features=group)
    with_groups = known.predict_proba(X, sensitive_features=group)[:, 1]
    assert np.abs(y - with_groups).mean() <= np.abs(y - p).mean() + 0.005  # thresholds of a grid


def test_a_sure_guess_is_as_good_as_the_group():
    case = CASES["ties"]
    X = np.column_stack([case.scores, case.groups])
    base = FrozenEstimator(Scores().fit(X, case.y))
    sure = FrozenEstimator(
        RandomForestClassifier(random_state=0, bootstrap=False).fit(X[:, 1:], case.groups)
    )
    sure = make_pipeline(FrozenEstimator(Second().fit(X)), sure)
    inferred = FairThresholdClassifier(base, group_estimator=FrozenEstimator(sure))
    inferred.fit(X, case.y, sensitive_features=case.groups)
    _, expected = on_scores(case.scores, case.y, case.groups)
    p = inferred.predict_proba(X)[:, 1]
    assert np.abs(case.y - p).mean() == pytest.approx(np.abs(case.y - expected).mean(), abs=1e-6)


class Second(BaseEstimator):
    """The second column."""

    def fit(self, X, y=None):
        self.n_features_in_ = 2
        return self

    def transform(self, X):
        return np.asarray(X)[:, 1:]


def test_group_estimator_is_cross_fitted_and_refitted(biased):
    X, y, group = biased
    group = np.where(np.arange(len(y)) % 50, group, None)
    model = FairThresholdClassifier(
        LogisticRegression(), group_estimator=LogisticRegression(), random_state=0
    )
    with pytest.warns(UserWarning, match="missing in 12 of 600"):
        model.fit(X, y, sensitive_features=group)
    assert model.group_estimator_.classes_.tolist() == ["a", "b"]
    assert np.ptp(model.rates_["true_positive_rate"]) <= 0.05 + SOLVER
    assert model.predict(X).shape == y.shape


def test_group_estimator_must_not_see_the_group(biased_frame):
    X, y = biased_frame
    X = X.assign(sex=(X["sex"] == "male").astype(int))
    model = FairThresholdClassifier(
        LogisticRegression(), group_estimator=LogisticRegression(), sensitive_columns="sex"
    )
    with pytest.raises(ValueError, match="would see the group"):
        model.fit(X, y)
    model.set_params(drop_sensitive_columns=True).fit(X, y)
    assert model.group_estimator_.n_features_in_ == X.shape[1] - 1


def test_group_estimator_must_know_the_groups(biased):
    X, y, group = biased
    infers = FrozenEstimator(LogisticRegression().fit(X, np.where(group == "a", "a", "c")))
    with pytest.raises(ValueError, match=r"know every group .*\['a', 'b'\].*\['a', 'c'\]"):
        FairThresholdClassifier(LogisticRegression(), group_estimator=infers).fit(
            X, y, sensitive_features=group
        )


def test_groups_that_were_not_there_are_not_inferred(biased):
    X, y, group = biased
    infers = LogisticRegression().fit(X, np.where(np.arange(len(y)) % 3 == 0, "c", group))
    model = FairThresholdClassifier(
        FrozenEstimator(LogisticRegression().fit(X, y)),
        group_estimator=FrozenEstimator(infers),
        tolerance=0.01,
    ).fit(X, y, sensitive_features=group)
    p = model.predict_proba(X)[:, 1]
    assert largest_gap(p, y, group, "equalized_odds") <= 0.01 + SOLVER


def test_a_group_that_is_in_one_fold_only_cannot_be_inferred(biased):
    X, y, group = biased
    group = np.where(np.arange(len(y)) == 7, "c", group)
    model = FairThresholdClassifier(LogisticRegression(), group_estimator=LogisticRegression())
    with pytest.raises(ValueError, match=r"the groups \['c'\] have too few different rows"):
        model.fit(X, y, sensitive_features=group)


# -- what is underneath ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "base", [LogisticRegression(), LinearSVC(), RandomForestClassifier(10, random_state=0)]
)
def test_any_classifier_will_do(biased, base):
    X, y, group = biased
    words = np.where(y == 1, "yes", "no")
    model = FairThresholdClassifier(make_pipeline(StandardScaler(), base), tolerance=0.02)
    model.fit(X, words, sensitive_features=group)
    assert np.ptp(model.rates_[["true_positive_rate", "false_positive_rate"]], axis=0).max() <= (
        0.02 + SOLVER
    )
    assert set(model.predict(X, sensitive_features=group)) == {"no", "yes"}
    assert model.score(X, words, sensitive_features=group) > 0.65


def test_scores_come_from_models_that_have_not_seen_the_row(biased):
    X, y, group = biased
    forest = RandomForestClassifier(20, random_state=0)  # knows its own rows by heart
    model = FairThresholdClassifier(forest, tolerance=1.0).fit(X, y, sensitive_features=group)
    assert model.pooled_rates_["true_positive_rate"].max() < 0.95
    prefit = FairThresholdClassifier(forest.fit(X, y), tolerance=1.0, prefit=True)
    prefit.fit(X, y, sensitive_features=group)
    assert prefit.pooled_rates_["true_positive_rate"].min() == 1.0
    assert prefit.estimator_ is prefit.estimator


def test_folds_may_be_given(biased):
    X, y, group = biased
    weights = np.arange(len(y)) % 3 > 0
    folds = list(StratifiedKFold(3).split(X, y))
    kept = np.flatnonzero(weights)
    models = [
        FairThresholdClassifier(LogisticRegression(), cv=cv).fit(X, y, sensitive_features=group)
        for cv in (StratifiedKFold(3), folds)
    ]
    pd.testing.assert_frame_equal(models[0].thresholds_, models[1].thresholds_)
    models = [
        FairThresholdClassifier(LogisticRegression(), cv=folds).fit(
            X, y, sensitive_features=group, sample_weight=weights.astype(float)
        ),
        FairThresholdClassifier(
            LogisticRegression(),
            cv=[[np.searchsorted(kept, p[weights[p]]) for p in fold] for fold in folds],
        ).fit(X[kept], y[kept], sensitive_features=group[kept]),
    ]
    pd.testing.assert_frame_equal(models[0].rates_, models[1].rates_)


def test_weights_are_repetitions_in_what_is_fitted_already():
    scores, y, groups, weights = small_case(3)
    again = np.repeat(np.arange(len(y)), weights.astype(int))
    _, weighted = on_scores(scores, y, groups, weights)
    _, repeated = on_scores(scores[again], y[again], groups[again])
    np.testing.assert_allclose(weighted[again], repeated, atol=1e-9)


def test_fitted_to_other_classes_is_refused(biased):
    X, y, group = biased
    base = FrozenEstimator(LogisticRegression().fit(X, y + 1))
    with pytest.raises(ValueError, match=r"fitted with, \[1, 2\]; got \[0, 1\]"):
        FairThresholdClassifier(base).fit(X, y, sensitive_features=group)


def test_weights_that_the_estimator_does_not_take_are_said(biased):
    X, y, group = biased
    model = FairThresholdClassifier(make_pipeline(StandardScaler(), LogisticRegression()))
    with pytest.warns(UserWarning, match=r"estimator \(Pipeline\) is not given sample_weight"):
        model.fit(X, y, sensitive_features=group, sample_weight=np.ones(len(y)))


class Recorder(LogisticRegression):
    """Keeps what it was given."""

    def fit(self, X, y, sensitive_features=None, sample_weight=None):
        self.given_ = sensitive_features, sample_weight
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("routing", [False, True])
def test_estimator_is_given_groups_and_weights_that_it_takes(biased, routing):
    X, y, group = biased
    base = Recorder()
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            base.set_fit_request(sensitive_features=True, sample_weight=True)
        model = FairThresholdClassifier(base).fit(
            X, y, sensitive_features=group, sample_weight=np.full(len(y), 2.0)
        )
    groups, weights = model.estimator_.given_
    assert groups.iloc[:, 0].tolist() == group.tolist()
    assert weights.tolist() == [2.0] * len(y)


# -- in pipelines and searches --------------------------------------------------------------------


def test_groups_in_a_column_serve_a_search_over_the_tolerance(biased_frame):
    X, y = biased_frame
    model = FairThresholdClassifier(
        LogisticRegression(), sensitive_columns="sex", drop_sensitive_columns=True
    )
    search = GridSearchCV(model, {"tolerance": [0.0, 0.1, 1.0]}, cv=3, error_score="raise")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search.fit(X, y)
        search.predict(X)
    assert search.best_params_["tolerance"] > 0
    assert search.best_estimator_.estimator_.n_features_in_ == X.shape[1] - 1


def test_groups_are_routed_through_a_search_and_a_pipeline(biased):
    X, y, group = biased
    with sklearn.config_context(enable_metadata_routing=True), warnings.catch_warnings():
        warnings.simplefilter("error")
        pipe = make_pipeline(StandardScaler(), FairThresholdClassifier(LogisticRegression()))
        search = GridSearchCV(pipe, {"fairthresholdclassifier__tolerance": [0.0, 1.0]}, cv=KFold(3))
        search.fit(X, y, sensitive_features=group)
        best = search.best_estimator_
        decided = best.predict(X, sensitive_features=group)
    assert np.array_equal(
        decided, best[-1].predict(best[:-1].transform(X), sensitive_features=group)
    )


def test_frozen_estimator_is_not_trained_again_in_a_search(biased):
    X, y, group = biased
    base = FrozenEstimator(LogisticRegression().fit(X, y))
    frame = pd.DataFrame(X).assign(group=np.where(group == "a", 0.0, 1.0))
    frame.columns = [str(name) for name in frame.columns]
    model = FairThresholdClassifier(base, sensitive_columns="group", drop_sensitive_columns=True)
    search = GridSearchCV(model, {"tolerance": [0.01, 0.1]}, cv=2, error_score="raise")
    search.fit(frame.set_axis([f"x{i}" for i in range(6)] + ["group"], axis=1).rename(str), y)
    assert (
        search.best_estimator_.estimator_.estimator.coef_ is base.estimator.coef_
        or np.array_equal(search.best_estimator_.estimator_.estimator.coef_, base.estimator.coef_)
    )


def test_state_survives_a_pickle_and_later_changes_of_parameters(biased):
    X, y, group = biased
    model = FairThresholdClassifier(LogisticRegression(), random_state=0)
    model.fit(X, y, sensitive_features=group)
    expected = model.predict(X, sensitive_features=group)
    copied = pickle.loads(pickle.dumps(model))
    model.set_params(
        tolerance=1.0, randomize=False, sensitive_columns=2, random_state=5, attributes="sum",
        group_estimator=LogisticRegression(), response_method="decision_function",
    )  # fmt: skip
    for each in (model, copied):
        np.testing.assert_array_equal(each.predict(X, sensitive_features=group), expected)
        pd.testing.assert_frame_equal(each.thresholds_, copied.thresholds_)


def test_scorers_hand_the_groups_to_predict(biased):
    X, y, group = biased
    model = FairThresholdClassifier(
        FrozenEstimator(LogisticRegression().fit(X, y)), constraint="demographic_parity",
        tolerance=0.01, randomize=False,
    ).fit(X, y, sensitive_features=group)  # fmt: skip
    scorer = make_fairness_scorer("demographic_parity_difference")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert -0.01 - 1e-9 <= scorer(model, X, y, sensitive_features=group) < 0


# -- errors ---------------------------------------------------------------------------------------

BAD = [
    ({"tolerance": 1.5}, r"'tolerance'.*\[0.0, 1.0\].*Got 1.5"),
    ({"constraint": "parity"}, r"'constraint'.*'equalized_odds'.*Got 'parity'"),
    ({"objective": "auc"}, r"'objective'.*'balanced_accuracy'.*Got 'auc'"),
    ({"objective": [[1, 0], [0, 1]]}, r"objective must be a matrix .*got \[\[1.0, 0.0\]"),
    ({"objective": [[0, 1]]}, r"objective must be a matrix of shape \(2, 2\)"),
    ({"minimum": {"recall": 0.5}}, r"minimum must map 'selection_rate' or 'tpr'.*'recall'"),
    ({"minimum": {"tpr": 2}}, r"minimum must map .*\[0, 1\], got \{'tpr': 2\}"),
    ({"randomize": False, "group_estimator": LogisticRegression()}, "needs the group itself"),
    ({"randomize": False, "attributes": "sum"}, "attributes='intersection'"),
    ({"cv": 1}, r"'cv'.*range \[2, inf\).*Got 1"),
    ({"drop_sensitive_columns": True}, "needs sensitive_columns"),
]


@pytest.mark.parametrize(("params", "message"), BAD, ids=[m for _, m in BAD])
def test_bad_parameters_are_named(biased, params, message):
    X, y, group = biased
    model = FairThresholdClassifier(LogisticRegression(), **params)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, sensitive_features=group)
    assert not hasattr(model, "estimator_")


def test_three_classes_are_refused(biased):
    X, y, group = biased
    with pytest.raises(ValueError, match="Only binary classification is supported"):
        FairThresholdClassifier(LogisticRegression()).fit(
            X, np.arange(len(y)) % 3, sensitive_features=group
        )


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="gives 1 rows a score that is NaN"):
        on_scores(np.array([1.0, np.nan, 2.0]), np.array([0, 1, 1]), np.array([0, 1, 1]))


def test_what_cannot_be_had_together_is_said(monkeypatch):
    def refuse(*_):
        raise InfeasibleError

    monkeypatch.setattr("skfair.threshold.best_rules", refuse)
    case = CASES["ties"]
    with pytest.raises(ValueError, match=r"minimum=\{'tpr': 0.9\} cannot be had together with"):
        on_scores(case.scores, case.y, case.groups, minimum={"tpr": 0.9})


def test_columns_of_groups_are_known_by_name_whatever_their_order():
    rng = np.random.RandomState(0)
    groups = pd.DataFrame({"sex": rng.choice([0, 1], 400), "old": rng.choice([0, 1], 400)})
    X = rng.randn(400, 3)
    y = (X[:, 0] + groups["sex"] + 0.5 * rng.randn(400) > 0).astype(int)
    model = FairThresholdClassifier(LogisticRegression(), random_state=0)
    model.fit(X, y, sensitive_features=groups)
    expected = model.predict(X, sensitive_features=groups)
    for same in (groups[["old", "sex"]], groups.to_numpy()):
        np.testing.assert_array_equal(model.predict(X, sensitive_features=same), expected)
