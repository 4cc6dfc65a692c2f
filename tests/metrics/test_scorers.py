import pickle
import warnings
from functools import partial

import fairlearn.metrics
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.metrics import get_scorer as get_sklearn_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    ValidationCurveDisplay,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from skorch import NeuralNetClassifier
from skorch.callbacks import EpochScoring
from skorch.dataset import Dataset
from skorch.helper import predefined_split

from skfair import FaiRNClassifier
from skfair._groups import as_frame
from skfair.datasets import make_biased_classification
from skfair.metrics import (
    FairnessScorer,
    fairness_index,
    fairness_index_scorer,
    get_scorer,
    get_scorer_names,
    make_fairness_scorer,
    neg_recourse_gap_scorer,
    recourse_gap,
    robustness_index,
    robustness_index_scorer,
)

# what is scored are a few rows
pytestmark = pytest.mark.filterwarnings("ignore:sensitive_features. .* groups have fewer")

FAIRLEARN = [
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equalized_odds_difference",
    "equalized_odds_ratio",
    "equal_opportunity_difference",
    "equal_opportunity_ratio",
]
CV = StratifiedKFold(3)


@pytest.fixture(scope="module")
def table():
    """120 people: two numbers, a text column that is a little predictive; labels "no"/"yes"."""
    rng = np.random.default_rng(0)
    sex = rng.choice(["f", "m"], 120)
    X = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120), "sex": sex})
    signal = X["a"] + (sex == "m") + rng.normal(size=120)
    return X, np.where(signal > 0.5, "yes", "no")


@pytest.fixture(scope="module")
def numbers(table):
    X, y = table
    return X[["a", "b"]].assign(male=(X["sex"] == "m") * 1.0), y, X["sex"]


def pipeline(classifier=None):
    text = make_column_transformer((OneHotEncoder(), ["sex"]), remainder="passthrough")
    return make_pipeline(text, classifier or LogisticRegression())


@pytest.fixture(scope="module")
def fitted(table, numbers):
    X, y, _ = numbers
    forest = RandomForestClassifier(5, max_depth=3, random_state=0)
    return {
        "decision_function": LogisticRegression().fit(X, y),
        "predict_proba": forest.fit(X, y),
        "pipeline": pipeline().fit(*table),
        "network": FaiRNClassifier(
            hidden_layer_sizes=(4,),
            lr=0.02,
            max_epochs=10,
            sensitive_columns="male",
            random_state=0,
        ).fit(X, y),
    }


OF_NETWORKS = {"neg_parity_score", "decision_rationale_similarity"}
OF_COLUMNS = {"neg_prediction_sensitivity", "neg_burden_gap"}  # their tests are with the metrics
OF_NO_DIRECTION = {"acceptance_rate"}


def names_for(estimator):
    names = sorted(set(get_scorer_names()) - OF_COLUMNS)
    return [n for n in names if hasattr(estimator, "net_") or n not in OF_NETWORKS]


def log_odds(estimator, X):
    """Decision values read directly; those of a forest from its probabilities."""
    if hasattr(estimator, "decision_function"):
        return estimator.decision_function(X)
    p = estimator.predict_proba(X)[:, 1]
    eps = np.finfo(float).eps
    p = np.clip(p, eps, 1 - eps)
    return np.log(p / (1 - p))


@pytest.fixture(params=["decision_function", "predict_proba", "pipeline", "network"])
def case(request, fitted, table, numbers):
    """A fitted classifier with the X it takes, y, and where the sensitive feature is."""
    X, y, sex = numbers
    if request.param == "pipeline":
        return fitted["pipeline"], table[0], y, sex, "sex"
    return fitted[request.param], X, y, sex, "male"


class TestDirectCall:
    def test_scores_are_the_metrics_of_the_decision_values(self, case):
        estimator, X, y, sex, _ = case
        d = log_odds(estimator, X)
        for scorer, expected in [
            (neg_recourse_gap_scorer, -recourse_gap(d, sensitive_features=sex)),
            (fairness_index_scorer, fairness_index(d, sensitive_features=sex)),
            (robustness_index_scorer, robustness_index(d)),
        ]:
            score = scorer(estimator, X, y, sensitive_features=sex)
            assert isinstance(score, float)
            assert score == pytest.approx(expected, rel=1e-9)

    @pytest.mark.parametrize("case", ["pipeline", "network"], indirect=True)
    def test_fixed_columns_equal_passed_features(self, case):
        estimator, X, y, sex, column = case
        for name in names_for(estimator):
            metric = name.removeprefix("neg_")
            fixed = make_fairness_scorer(metric, sensitive_columns=column)
            passed = get_scorer(name)(estimator, X, y, sensitive_features=sex)
            assert fixed(estimator, X, y) == passed

    def test_passed_features_win_over_fixed_columns(self, case):
        estimator, X, y, _, column = case
        other = np.arange(len(y)) % 2
        fixed = make_fairness_scorer("recourse_gap", sensitive_columns=column)
        assert fixed(estimator, X, y, sensitive_features=other) == neg_recourse_gap_scorer(
            estimator, X, y, sensitive_features=other
        )
        assert fixed(estimator, X, y, sensitive_features=other) != fixed(estimator, X, y)

    @pytest.mark.parametrize("case", ["predict_proba", "pipeline"], indirect=True)
    @pytest.mark.parametrize("name", FAIRLEARN)
    def test_fairlearn_metrics_by_name_are_fairlearns_own(self, case, name):
        estimator, X, y, sex, _ = case
        selected = (estimator.predict(X) == "yes").astype(int)
        expected = getattr(fairlearn.metrics, name)(
            (y == "yes").astype(int), selected, sensitive_features=sex
        )
        sign = -1 if name.endswith("difference") else 1
        for scorer in (make_fairness_scorer(name), make_fairness_scorer(f"neg_{name}")):
            assert scorer(estimator, X, y, sensitive_features=sex) == sign * expected
        by_function = make_fairness_scorer(getattr(fairlearn.metrics, name))
        assert by_function(estimator, X, y, sensitive_features=sex) == sign * expected

    @pytest.mark.parametrize(
        ("name", "sign"), [("selection_rate_difference", -1), ("selection_rate_ratio", 1)]
    )
    def test_other_metrics_of_fairlearn_get_codes_and_the_sign_of_their_name(
        self, case, name, sign
    ):
        estimator, X, y, sex, _ = case
        metric = getattr(fairlearn.metrics, name)
        selected = (estimator.predict(X) == "yes").astype(int)
        expected = metric((y == "yes").astype(int), selected, sensitive_features=sex)
        scorer = make_fairness_scorer(metric)
        assert scorer(estimator, X, y, sensitive_features=sex) == sign * expected
        assert expected > 0

    @pytest.mark.parametrize("case", ["predict_proba", "network"], indirect=True)
    def test_weights_reach_the_metric(self, case):
        estimator, X, y, sex, _ = case
        weights = np.random.default_rng(1).integers(1, 4, len(y))
        rows = np.repeat(np.arange(len(y)), weights)
        for name in names_for(estimator):
            scorer = get_scorer(name)
            weighted = scorer(estimator, X, y, sensitive_features=sex, sample_weight=weights)
            repeated = scorer(estimator, X.iloc[rows], y[rows], sensitive_features=sex.iloc[rows])
            assert weighted == pytest.approx(repeated, abs=1e-10)

    def test_missing_sensitive_features_say_what_to_do(self, case):
        estimator, X, y, *_ = case
        with pytest.raises(
            ValueError, match=r"'neg_recourse_gap' got no sensitive features.*sensitive_columns="
        ):
            neg_recourse_gap_scorer(estimator, X, y)
        assert robustness_index_scorer(estimator, X, y) > 0

    def test_unfavorable_and_classes_are_in_the_users_labels(self, case):
        estimator, X, y, sex, _ = case
        scorer = make_fairness_scorer("recourse_gap", unfavorable="yes")
        expected = -recourse_gap(-log_odds(estimator, X), sensitive_features=sex)
        assert scorer(estimator, X, y, sensitive_features=sex) == pytest.approx(expected)
        with pytest.raises(ValueError, match=r"'maybe' names .*\['no', 'yes'\]"):
            make_fairness_scorer("recourse_gap", unfavorable="maybe")(
                estimator, X, y, sensitive_features=sex
            )

    def test_own_metric_gets_labels_and_a_sign(self, case):
        estimator, X, y, sex, _ = case

        def accuracy_gap(y_true, y_pred, *, sensitive_features):
            correct = pd.Series(y_true == y_pred).groupby(np.asarray(sensitive_features)).mean()
            return correct.max() - correct.min()

        expected = accuracy_gap(y, estimator.predict(X), sensitive_features=sex)
        assert expected > 0
        with pytest.raises(ValueError, match="'accuracy_gap' is better: pass greater_is_better="):
            make_fairness_scorer(accuracy_gap)
        plain = make_fairness_scorer(accuracy_gap, greater_is_better=True)
        negated = make_fairness_scorer(accuracy_gap, greater_is_better=False)
        assert plain(estimator, X, y, sensitive_features=sex) == expected
        assert negated(estimator, X, y, sensitive_features=sex) == -expected
        assert repr(negated) == "FairnessScorer('neg_accuracy_gap')"


def test_probabilities_of_zero_and_one_give_finite_scores(numbers):
    X, y, sex = numbers
    overfitted = RandomForestClassifier(1, bootstrap=False, random_state=0).fit(X, y)
    assert set(overfitted.predict_proba(X).ravel()) == {0.0, 1.0}
    # log-odds of the machine epsilon: 36.04 for everybody
    eps = np.finfo(float).eps
    score = robustness_index_scorer(overfitted, X, y)
    assert score == pytest.approx(np.log((1 - eps) / eps))
    assert np.isfinite(neg_recourse_gap_scorer(overfitted, X, y, sensitive_features=sex))


@pytest.mark.parametrize(
    "classifier", [LogisticRegression(), RandomForestClassifier(5, max_depth=3, random_state=0)]
)
def test_several_classes_are_scored_by_their_lead_over_the_runner_up(numbers, classifier):
    X, _, sex = numbers
    y = np.digitize(X["a"], [-0.5, 0.5])
    estimator = classifier.fit(X, y)
    if hasattr(estimator, "decision_function"):
        values = estimator.decision_function(X)
    else:
        values = np.log(np.clip(estimator.predict_proba(X), np.finfo(float).eps, None))
    top = np.sort(values, axis=1)
    burden = (top[:, -1] - top[:, -2]) * np.isin(estimator.predict(X), [0, 2])
    means = pd.Series(burden).groupby(sex.to_numpy()).mean()
    scorer = make_fairness_scorer("recourse_gap", unfavorable=[0, 2])
    assert scorer(estimator, X, y, sensitive_features=sex) == pytest.approx(
        -abs(means["f"] - means["m"])
    )


def test_group_metrics_of_two_classes_refuse_more(numbers):
    X, _, sex = numbers
    y = np.digitize(X["a"], [-0.5, 0.5])
    estimator = LogisticRegression().fit(X, y)
    for name in FAIRLEARN:
        with pytest.raises(ValueError, match=r"two classes, the estimator has \[0, 1, 2\]"):
            make_fairness_scorer(name)(estimator, X, y, sensitive_features=sex)


class OnlyPredicts(ClassifierMixin, BaseEstimator):
    """Neither decision_function nor predict_proba."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[(np.asarray(X)[:, 0] > 0).astype(int)]


def test_estimator_without_decision_values_is_refused_where_distances_are_needed(numbers):
    X, y, sex = numbers
    estimator = OnlyPredicts().fit(X, y)
    for scorer in (neg_recourse_gap_scorer, fairness_index_scorer, robustness_index_scorer):
        with pytest.raises(
            ValueError, match="OnlyPredicts has neither decision_function .* nor predict_proba"
        ):
            scorer(estimator, X, y, sensitive_features=sex)
    by_labels = get_scorer("neg_demographic_parity_difference")
    assert by_labels(estimator, X, y, sensitive_features=sex) <= 0


def test_one_versus_one_decisions_are_not_taken_for_logits(numbers):
    X, _, sex = numbers
    y = np.digitize(X["a"], [-0.7, 0.0, 0.7])  # four classes, six columns
    estimator = SVC(decision_function_shape="ovo").fit(X, y)
    with pytest.raises(ValueError, match="SVC has neither"):
        neg_recourse_gap_scorer(estimator, X, y, sensitive_features=sex)


class TestCrossValidation:
    """Every way the sensitive features reach the scorer gives what a loop over folds gives."""

    @staticmethod
    def by_hand(estimator, X, y, sex, metric=recourse_gap):
        values = []
        for train, test in CV.split(X, y):
            model = sklearn.clone(estimator).fit(X.iloc[train], y[train])
            decision = log_odds(model, X.iloc[test])
            values.append(metric(decision, sensitive_features=sex.iloc[test]))
        return np.array(values)

    def test_routed_features(self, table):
        X, y = table
        with sklearn.config_context(enable_metadata_routing=True):
            result = cross_validate(
                pipeline(),
                X,
                y,
                cv=CV,
                scoring=neg_recourse_gap_scorer,
                params={"sensitive_features": X["sex"]},
            )
        expected = -self.by_hand(pipeline(), X, y, X["sex"])
        np.testing.assert_allclose(result["test_score"], expected)

    @pytest.mark.parametrize("routing", [False, True])
    def test_fixed_columns(self, table, routing):
        X, y = table
        scoring = {
            "gap": make_fairness_scorer("recourse_gap", sensitive_columns="sex"),
            "robust": robustness_index_scorer,
            "accuracy": "accuracy",
        }
        with sklearn.config_context(enable_metadata_routing=routing):
            result = cross_validate(pipeline(), X, y, cv=CV, scoring=scoring, error_score="raise")
        np.testing.assert_allclose(result["test_gap"], -self.by_hand(pipeline(), X, y, X["sex"]))
        robust = self.by_hand(pipeline(), X, y, X["sex"], robustness_index)
        np.testing.assert_allclose(result["test_robust"], robust)
        assert result["test_accuracy"].min() > 0.5

    def test_routed_features_beside_accuracy_and_robustness(self, table):
        X, y = table
        scoring = {
            "accuracy": "accuracy",
            "gap": neg_recourse_gap_scorer,
            "robust": robustness_index_scorer,
            "fixed": make_fairness_scorer("recourse_gap", sensitive_columns="sex"),
            "parity": get_scorer("neg_demographic_parity_difference"),
        }
        with sklearn.config_context(enable_metadata_routing=True):
            result = cross_validate(
                pipeline(),
                X,
                y,
                cv=CV,
                scoring=scoring,
                params={"sensitive_features": X["sex"].to_numpy()},
                error_score="raise",
            )
        np.testing.assert_allclose(result["test_gap"], -self.by_hand(pipeline(), X, y, X["sex"]))
        assert result["test_fixed"].tolist() == result["test_gap"].tolist()
        assert (result["test_parity"] < 0).all()

    @pytest.mark.parametrize("how", ["routing", "columns"])
    def test_grid_search(self, table, how):
        X, y = table
        grid = {"logisticregression__C": [1e-3, 1.0]}
        routing = how == "routing"
        gap = (
            neg_recourse_gap_scorer
            if routing
            else make_fairness_scorer("recourse_gap", sensitive_columns="sex")
        )
        with sklearn.config_context(enable_metadata_routing=routing):
            search = GridSearchCV(
                pipeline(),
                grid,
                scoring={"accuracy": "accuracy", "gap": gap},
                refit="gap",
                cv=CV,
                error_score="raise",
            )
            search.fit(X, y, **({"sensitive_features": X["sex"]} if routing else {}))
        for i, C in enumerate(grid["logisticregression__C"]):
            candidate = pipeline(LogisticRegression(C=C))
            assert search.cv_results_["mean_test_gap"][i] == pytest.approx(
                -self.by_hand(candidate, X, y, X["sex"]).mean()
            )
        # with C = 0.001 all decisions are nearly the same, and so are the groups' burdens
        assert search.best_params_ == {"logisticregression__C": 1e-3}

    def test_single_scorer_in_a_grid_search_can_score_new_data(self, table):
        X, y = table
        scorer = make_fairness_scorer("recourse_gap", sensitive_columns="sex")
        search = GridSearchCV(
            pipeline(), {"logisticregression__C": [0.1, 1.0]}, scoring=scorer, cv=CV
        ).fit(X, y)
        assert search.score(X, y) == scorer(search.best_estimator_, X, y)
        assert scorer(search, X, y) == search.score(X, y)

    def test_routing_without_the_features_is_a_clear_error(self, table):
        X, y = table
        with (
            sklearn.config_context(enable_metadata_routing=True),
            pytest.raises(ValueError, match="got no sensitive features"),
        ):
            cross_validate(
                pipeline(), X, y, cv=CV, scoring=neg_recourse_gap_scorer, error_score="raise"
            )


class TestRequests:
    def test_weights_are_routed_only_once_asked_for(self, numbers):
        X, y, sex = numbers
        weights = np.linspace(0.1, 2, len(y))

        def gaps(scorer):
            estimator = LogisticRegression().set_fit_request(sample_weight=True)
            return cross_validate(
                estimator,
                X,
                y,
                cv=CV,
                scoring=scorer,
                params={"sensitive_features": sex, "sample_weight": weights},
                error_score="raise",
            )["test_score"]

        expected = []
        for train, test in CV.split(X, y):
            model = LogisticRegression().fit(X.iloc[train], y[train], weights[train])
            decision, groups = model.decision_function(X.iloc[test]), sex.iloc[test]
            expected.append(
                [
                    -recourse_gap(decision, sensitive_features=groups, sample_weight=w)
                    for w in (weights[test], None)
                ]
            )
        with sklearn.config_context(enable_metadata_routing=True):
            with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
                gaps(neg_recourse_gap_scorer)
            weighted = gaps(neg_recourse_gap_scorer.set_score_request(sample_weight=True))
            ignored = gaps(neg_recourse_gap_scorer.set_score_request(sample_weight=False))
        np.testing.assert_allclose(np.column_stack([weighted, ignored]), expected)
        assert (weighted != ignored).all()

    def test_an_alias_renames_what_is_routed(self, table):
        X, y = table
        scorer = neg_recourse_gap_scorer.set_score_request(sensitive_features="gender")
        with sklearn.config_context(enable_metadata_routing=True):
            ours, expected = (
                cross_validate(pipeline(), X, y, cv=CV, scoring=s, params={name: X["sex"]})
                for s, name in [(scorer, "gender"), (neg_recourse_gap_scorer, "sensitive_features")]
            )
        assert ours["test_score"].tolist() == expected["test_score"].tolist()

    def test_set_score_request_leaves_the_original_alone(self):
        before = neg_recourse_gap_scorer.get_metadata_routing().score.requests
        copy = neg_recourse_gap_scorer.set_score_request(sample_weight=True)
        assert isinstance(copy, FairnessScorer)
        assert copy is not neg_recourse_gap_scorer
        assert copy.get_metadata_routing().score.requests == {
            "sensitive_features": True,
            "sample_weight": True,
            "control_features": False,
        }
        assert neg_recourse_gap_scorer.get_metadata_routing().score.requests == before
        assert before == {
            "sensitive_features": True,
            "sample_weight": None,
            "control_features": False,
        }

    def test_unknown_metadata_is_refused(self):
        with pytest.raises(TypeError, match=r"\['groups'\]; known: \['sensitive_features'"):
            neg_recourse_gap_scorer.set_score_request(groups=True)

    @pytest.mark.parametrize(
        "scorer",
        [
            make_fairness_scorer("recourse_gap", sensitive_columns="sex"),
            make_fairness_scorer("robustness_index"),
        ],
    )
    def test_features_are_not_requested_where_they_are_not_needed(self, scorer):
        assert scorer.get_metadata_routing().score.requests["sensitive_features"] is False


def test_every_scorer_survives_pickling(numbers, fitted):
    X, y, sex = numbers
    scorers = [
        *map(get_scorer, sorted(set(get_scorer_names()) - OF_COLUMNS)),
        make_fairness_scorer("prediction_sensitivity", sensitive_columns="male"),
        make_fairness_scorer("recourse_gap", sensitive_columns="male", unfavorable="yes"),
        make_fairness_scorer(fairlearn.metrics.demographic_parity_difference),
        neg_recourse_gap_scorer.set_score_request(sample_weight=True),
    ]
    for scorer in scorers:
        again = pickle.loads(pickle.dumps(scorer))
        assert repr(again) == repr(scorer)
        assert (
            again.get_metadata_routing().score.requests
            == scorer.get_metadata_routing().score.requests
        )
        estimator = fitted["network" if scorer.name in OF_NETWORKS else "predict_proba"]
        assert again(estimator, X, y, sensitive_features=sex) == scorer(
            estimator, X, y, sensitive_features=sex
        )


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        (neg_recourse_gap_scorer, "FairnessScorer('neg_recourse_gap')"),
        (make_fairness_scorer("neg_recourse_gap"), "FairnessScorer('neg_recourse_gap')"),
        (make_fairness_scorer(fairness_index), "FairnessScorer('fairness_index')"),
        (
            make_fairness_scorer("recourse_gap", sensitive_columns=["sex"], attributes="sum"),
            "FairnessScorer('neg_recourse_gap', sensitive_columns=['sex'], attributes='sum')",
        ),
        (
            make_fairness_scorer(fairlearn.metrics.equalized_odds_ratio),
            "FairnessScorer('equalized_odds_ratio')",
        ),
    ],
)
def test_repr_is_short_and_names_what_was_fixed(scorer, expected):
    assert repr(scorer) == expected


class ByColumn(ClassifierMixin, BaseEstimator):
    """Decides by one column of X."""

    def __init__(self, column):
        self.column = column
        self.classes_ = np.array([0, 1])

    def decision_function(self, X):
        return X[:, self.column]

    def predict(self, X):
        return (self.decision_function(X) > 0).astype(int)


class WithProbabilities(ByColumn):
    def predict_proba(self, X):
        p = 1 / (1 + np.exp(-self.decision_function(X)))
        return np.column_stack([1 - p, p])


@pytest.mark.parametrize(
    "name", sorted(set(get_scorer_names()) - OF_NETWORKS - OF_COLUMNS - OF_NO_DIRECTION)
)
def test_the_fairer_or_more_robust_model_scores_higher(name):
    group = np.repeat(["a", "b"], 8)
    y = np.tile([0, 0, 0, 0, 1, 1, 1, 1], 2)
    fair = np.where(y == 1, 3.0, -3.0)
    if "individual" not in name:  # which counts how steep the decision is
        fair[[0, 4, 8, 12]] *= -0.1  # two mistakes in each group, near the boundary
    unfair = np.where(y == 1, 1.0, -1.0)
    unfair[[0, 4, 8, 9, 13, 14, 15]] *= -1  # b has more of each kind than a, and fewer accepted
    unfair[group == "b"] += 0.5
    X = np.column_stack([fair, unfair])
    score, kind = get_scorer(name), WithProbabilities if "log_loss" in name else ByColumn
    fair, unfair = (score(kind(i), X, y, sensitive_features=group) for i in (0, 1))
    assert fair > unfair


class TestGetScorer:
    def test_names_are_sorted_and_lead_to_scorers_of_that_name(self):
        names = get_scorer_names()
        assert names == sorted(names)
        expected = {"neg_recourse_gap", "fairness_index", "robustness_index"} | {
            f"neg_{name}" if name.endswith("difference") else name for name in FAIRLEARN
        }
        assert expected <= set(names)
        assert [get_scorer(name).name for name in names] == names

    def test_other_names_are_scikit_learns(self):
        for name in ("accuracy", "neg_log_loss", "f1_macro"):
            assert repr(get_scorer(name)) == repr(get_sklearn_scorer(name))

    def test_callable_comes_back_as_it_is(self):
        assert get_scorer(accuracy_score) is accuracy_score

    def test_unknown_name_lists_those_that_are_known(self):
        with pytest.raises(ValueError, match=r"Unknown scorer 'recourse'.*neg_recourse_gap"):
            get_scorer("recourse")
        with pytest.raises(ValueError, match=r"Unknown metric 'recourse'.*recourse_gap"):
            make_fairness_scorer("recourse")


@pytest.mark.parametrize("case", ["pipeline", "network"], indirect=True)
def test_scoring_warns_about_nothing_of_its_own(case):
    estimator, X, y, sex, _ = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in names_for(estimator):
            get_scorer(name)(estimator, X, y, sensitive_features=sex)


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_gap_scorer_asks_the_estimator_what_is_unfavorable(in_pipeline):
    X, y, group = make_biased_classification(500, random_state=0)
    model = FaiRNClassifier(unfavorable=1, max_epochs=3, random_state=0)
    model = make_pipeline(StandardScaler(), model) if in_pipeline else model
    final = {"fairnclassifier__sensitive_features" if in_pipeline else "sensitive_features": group}
    model.fit(X, y, **final)
    expected = -recourse_gap(-model.decision_function(X), sensitive_features=group)
    scores = [
        scorer(model, X, y, sensitive_features=group)
        for scorer in (neg_recourse_gap_scorer, make_fairness_scorer("recourse_gap", unfavorable=0))
    ]
    assert scores[0] == pytest.approx(expected)
    assert scores[1] != pytest.approx(expected)


def test_gap_scorer_looks_through_searches():
    X, y, group = make_biased_classification(300, random_state=0)
    model = FaiRNClassifier(unfavorable=1, max_epochs=3, random_state=0)
    search = GridSearchCV(model, {"lr": [0.01]}, cv=2).fit(X, y, sensitive_features=group)
    scores = [
        neg_recourse_gap_scorer(each, X, y, sensitive_features=group)
        for each in (search, search.best_estimator_)
    ]
    assert scores[0] == scores[1] != 0


# -- directions ------------------------------------------------------------------------------------

SIGNS = {
    "_difference": -1,
    "_ratio": 1,
    "accuracy_score_group_min": 1,
    "balanced_accuracy_score_group_min": 1,
    "precision_score_group_min": 1,
    "recall_score_group_min": 1,
    "roc_auc_score_group_min": 1,
    "r2_score_group_min": 1,
    "f1_score_group_min": 1,
    "mean_absolute_error_group_max": -1,
    "mean_squared_error_group_max": -1,
    "log_loss_group_max": -1,
    "zero_one_loss_group_max": -1,
}


class TestDirections:
    CATALOG = sorted(
        name
        for name in fairlearn.metrics.__all__
        if name.endswith(("_difference", "_ratio", "_group_min", "_group_max"))
    )

    @pytest.mark.parametrize("name", CATALOG)
    def test_of_fairlearns_whole_catalog(self, name):
        metric = getattr(fairlearn.metrics, name)
        (sign,) = {sign for ending, sign in SIGNS.items() if name.endswith(ending)}
        for given_as in (name, metric, partial(metric), partial(partial(metric))):
            scorer = make_fairness_scorer(given_as)
            assert scorer.sign == sign
            assert scorer.name == (f"neg_{name}" if sign < 0 else name)
        assert get_scorer(scorer.name).metric is metric

    @pytest.mark.parametrize(
        ("base", "transform", "sign"),
        [
            (fairlearn.metrics.selection_rate, "difference", -1),
            (fairlearn.metrics.selection_rate, "ratio", 1),
            (fairlearn.metrics.false_positive_rate, "group_max", -1),
            (fairlearn.metrics.true_positive_rate, "group_min", 1),
            (accuracy_score, "group_max", 1),
            (sklearn.metrics.hamming_loss, "group_min", -1),
            (sklearn.metrics.brier_score_loss, "group_max", -1),
        ],
    )
    def test_of_derived_metrics(self, base, transform, sign):
        metric = fairlearn.metrics.make_derived_metric(metric=base, transform=transform)
        assert make_fairness_scorer(metric).sign == sign
        assert make_fairness_scorer(partial(metric, sample_weight=None)).sign == sign

    def test_what_cannot_be_known_is_refused_with_the_argument_to_pass(self):
        largest = fairlearn.metrics.make_derived_metric(
            metric=fairlearn.metrics.selection_rate, transform="group_max"
        )

        def unfairness(y_true, y_pred, *, sensitive_features):
            return 0.0

        for metric, name in [
            (largest, "selection_rate_group_max"),
            (unfairness, "unfairness"),
            (partial(unfairness), "unfairness"),
            (lambda y, p, *, sensitive_features: 0.0, "<lambda>"),
        ]:
            with pytest.raises(ValueError, match=f"{name}.*pass greater_is_better=True or"):
                make_fairness_scorer(metric)
            assert make_fairness_scorer(metric, greater_is_better=False).sign == -1

    @pytest.mark.parametrize(
        ("ending", "sign"), [("difference", -1), ("loss", -1), ("error", -1), ("score", 1)]
    )
    def test_names_by_scikit_learns_convention_say_it(self, ending, sign):
        def metric(y_true, y_pred, *, sensitive_features):
            return 0.0

        metric.__name__ = f"largest_{ending}"
        assert make_fairness_scorer(metric).sign == sign

    def test_partial_of_our_own_metric_is_that_metric(self, numbers, fitted):
        X, y, sex = numbers
        both = pd.DataFrame({"sex": sex.to_numpy(), "a": X["a"].to_numpy() > 0})
        scores = [
            scorer(fitted["predict_proba"], X, y, sensitive_features=both)
            for scorer in (
                make_fairness_scorer(partial(recourse_gap, attributes="sum")),
                make_fairness_scorer("recourse_gap", attributes="sum"),
            )
        ]
        assert (
            scores[0]
            == scores[1]
            != neg_recourse_gap_scorer(fitted["predict_proba"], X, y, sensitive_features=both)
        )

    def test_what_compares_no_groups_is_refused(self):
        for metric in (fairlearn.metrics.true_positive_rate, accuracy_score):
            with pytest.raises(TypeError, match="no parameter sensitive_features"):
                make_fairness_scorer(metric)
        with pytest.raises(TypeError, match="is a scorer already"):
            make_fairness_scorer(neg_recourse_gap_scorer)
        with pytest.raises(TypeError, match="a name or a callable, got int"):
            make_fairness_scorer(3)


class TestScores:
    def test_metrics_of_scores_are_given_scores(self, case):
        estimator, X, y, sex, _ = case
        p = estimator.predict_proba(X)[:, 1]
        areas, losses = [], []
        for group in ("f", "m"):
            rows = (sex == group).to_numpy()
            areas.append(sklearn.metrics.roc_auc_score(y[rows] == "yes", p[rows]))
            losses.append(sklearn.metrics.log_loss(y[rows] == "yes", p[rows]))
        found = get_scorer("roc_auc_score_group_min")(estimator, X, y, sensitive_features=sex)
        assert found == pytest.approx(min(areas))
        found = get_scorer("neg_log_loss_group_max")(estimator, X, y, sensitive_features=sex)
        assert found == pytest.approx(-max(losses))

    def test_without_probabilities_ranks_come_from_decision_values(self, numbers):
        X, y, sex = numbers
        model = LinearSVC().fit(X, y)
        areas = [
            sklearn.metrics.roc_auc_score(y[rows] == "yes", model.decision_function(X)[rows])
            for rows in ((sex == group).to_numpy() for group in "fm")
        ]
        scorer = get_scorer("roc_auc_score_group_min")
        assert scorer(model, X, y, sensitive_features=sex) == pytest.approx(min(areas))
        with pytest.raises(ValueError, match="needs probabilities; LinearSVC has no predict_proba"):
            get_scorer("neg_log_loss_group_max")(model, X, y, sensitive_features=sex)

    def test_response_method_says_what_an_own_metric_is_given(self, numbers, fitted):
        X, y, sex = numbers
        model = fitted["predict_proba"]

        def mean_score(y_true, y_score, *, sensitive_features):
            assert set(np.unique(y_true)) <= {0, 1}
            return float(np.mean(y_score))

        scorer = make_fairness_scorer(mean_score, response_method="predict_proba")
        expected = model.predict_proba(X)[:, 1].mean()
        assert scorer(model, X, y, sensitive_features=sex) == pytest.approx(expected)
        with pytest.raises(ValueError, match="response_method must be one of.*got 'proba'"):
            make_fairness_scorer(mean_score, response_method="proba")


# -- comparisons that are none ---------------------------------------------------------------------


class TestImpossibleComparisons:
    GROUP = np.repeat(["a", "b"], 12)

    def scores(self, name, y, d, group=None):
        X = np.column_stack([d, d])
        group = self.GROUP if group is None else group
        return get_scorer(name)(WithProbabilities(0), X, np.asarray(y), sensitive_features=group)

    @pytest.mark.parametrize(
        "name",
        [
            "neg_demographic_parity_difference",
            "demographic_parity_ratio",
            "accuracy_score_group_min",
            "neg_recourse_gap",
            "fairness_index",
        ],
    )
    @pytest.mark.parametrize("group", ["a", None])
    def test_rows_of_one_group_have_no_score(self, name, group):
        y, d = [0, 1] * 12, np.linspace(-1, 1, 24)
        with pytest.warns(UserWarning, match="(one group only|no group).*NaN is returned"):
            assert np.isnan(self.scores(name, y, d, [group] * 24))

    @pytest.mark.parametrize(
        ("name", "lacks"),
        [
            ("neg_equal_opportunity_difference", "positives"),
            ("equal_opportunity_ratio", "positives"),
            ("neg_true_positive_rate_difference", "positives"),
            ("recall_score_group_min", "positives"),
            ("neg_false_positive_rate_difference", "negatives"),
            ("neg_equalized_odds_difference", "negatives"),
            ("neg_equalized_odds_difference", "positives"),
            ("roc_auc_score_group_min", "negatives"),
            ("balanced_accuracy_score_group_min", "positives"),
            ("precision_score_group_min", "accepted"),
        ],
    )
    def test_a_group_without_cases_is_not_at_parity(self, name, lacks):
        y, d = np.array([0, 1] * 12), np.tile([-1.0, 1, 1, -1], 6)
        in_a = self.GROUP == "a"
        if lacks == "accepted":
            d[in_a] = -1.0
        else:
            y[in_a] = lacks == "negatives"
        with pytest.warns(UserWarning, match="the group 'a' has none of the cases"):
            assert np.isnan(self.scores(name, y, d))

    def test_other_metrics_do_without_these_cases(self):
        y, d = np.array([0, 1] * 12), np.tile([-1.0, 1, 1, -1], 6)
        y[self.GROUP == "a"] = 0
        for name in ("neg_demographic_parity_difference", "neg_false_positive_rate_difference"):
            assert np.isfinite(self.scores(name, y, d))
        assert np.isfinite(self.scores("neg_log_loss_group_max", y, d))  # a has one label only

    def test_a_monitor_without_a_value_stops_fit(self):
        X, y, group = make_biased_classification(200, random_state=0)
        y[group == "a"] = 0
        model = FaiRNClassifier(monitor="neg_equal_opportunity_difference", max_epochs=2)
        with (
            pytest.warns(UserWarning, match="has none of the cases"),
            pytest.raises(ValueError, match="held-out rows: it is NaN.*validation_fraction"),
        ):
            model.fit(X, y, sensitive_features=group)


# -- what scorers take -----------------------------------------------------------------------------


class TestGroupsInEveryForm:
    """Whatever ``fit`` takes, with the right value from pandas' groupby."""

    FORMS = {
        "array": lambda g: g,
        "list": list,
        "listed pairs": lambda g: [(v, "x") for v in g],
        "unnamed Series": lambda g: pd.Series(g),
        "Series named 3": lambda g: pd.Series(g, name=3),
        "unnamed column": lambda g: pd.DataFrame(g),
        "Categorical": lambda g: pd.Categorical(g, categories=["m", "f", "none"]),
        "dict": lambda g: {"sex": g},
        "some missing": lambda g: np.where(np.arange(len(g)) % 5 == 0, None, g.astype(object)),
        "some NA": lambda g: pd.Series(g, dtype="string").mask(np.arange(len(g)) % 5 == 0),
        "two columns": lambda g: pd.DataFrame({1: g, 2: np.arange(len(g)) % 2}),
        "tensor": lambda g: torch.tensor(g == "f"),
    }

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.filterwarnings("ignore:sensitive_features")
    def test_the_score_is_that_of_groupby(self, numbers, fitted, form):
        X, y, sex = numbers
        model, groups = fitted["predict_proba"], self.FORMS[form](sex.to_numpy(dtype=object))
        frame = pd.DataFrame(as_frame(groups).astype(object))
        selected = pd.Series(model.predict(X) == "yes")
        rates = selected.groupby([frame[c] for c in frame], dropna=True).mean()
        score = get_scorer("neg_demographic_parity_difference")
        assert score(model, X, y, sensitive_features=groups) == pytest.approx(-np.ptp(rates))
        distance = pd.Series(np.maximum(-log_odds(model, X), 0))
        means = distance.groupby([frame[c] for c in frame], dropna=True).mean()
        gap = neg_recourse_gap_scorer(model, X, y, sensitive_features=groups)
        assert gap == pytest.approx(-np.ptp(means))

    @pytest.mark.parametrize("columns", [2, -1, [2], slice(2, 3), [False, False, True]], ids=str)
    def test_columns_of_an_array_by_position(self, numbers, columns):
        X, y, sex = numbers
        model = LogisticRegression().fit(X.to_numpy(), y)
        scorer = make_fairness_scorer("demographic_parity_difference", sensitive_columns=columns)
        expected = pd.Series(model.predict(X.to_numpy()) == "yes").groupby(sex.to_numpy()).mean()
        assert scorer(model, X.to_numpy(), y) == pytest.approx(-np.ptp(expected))

    def test_an_own_metric_keeps_its_own_arguments(self, numbers, fitted):
        X, y, sex = numbers

        def some_score(y_true, y_pred, *, sensitive_features, unfavorable):
            return float(unfavorable)

        scorer = make_fairness_scorer(some_score, unfavorable=3)
        assert scorer(fitted["predict_proba"], X, y, sensitive_features=sex) == 3

    def test_an_own_metric_gets_one_column_or_a_frame_without_missing_rows(self, numbers, fitted):
        X, y, sex = numbers
        seen = []

        def some_score(y_true, y_pred, *, sensitive_features):
            seen.append((type(sensitive_features), len(y_true), len(y_pred)))
            assert sensitive_features.notna().all(axis=None)
            return 0.0

        some = sex.where(np.arange(len(sex)) % 5 > 0)
        scorer = make_fairness_scorer(some_score)
        with pytest.warns(UserWarning, match="missing in 24 of 120 rows: they are left out of 'so"):
            scorer(fitted["predict_proba"], X, y, sensitive_features=some)
        scorer(fitted["predict_proba"], X, y, sensitive_features=pd.DataFrame({0: sex, 1: sex}))
        assert seen == [(pd.Series, 96, 96), (pd.DataFrame, 120, 120)]

    @pytest.mark.filterwarnings("ignore:sensitive_features")
    @pytest.mark.parametrize("name", ["neg_demographic_parity_difference", "neg_recourse_gap"])
    @pytest.mark.parametrize("form", ["array", "some missing", "two columns"])
    def test_as_monitor(self, biased, name, form):
        X, y, group = biased
        groups = self.FORMS[form](np.where(group == "a", "f", "m").astype(object))
        model = FaiRNClassifier(monitor=name, validation_fraction=0.3, max_epochs=2, random_state=0)
        assert model.fit(X, y, sensitive_features=groups).history_["monitor"].le(0).all()


class TestWarningsOfGroups:
    SCORER = get_scorer("neg_demographic_parity_difference")

    @pytest.fixture
    def score(self, numbers, fitted):
        X, y, _ = numbers
        return lambda groups, X=X: self.SCORER(
            fitted["predict_proba"], X, y, sensitive_features=groups
        )

    def test_groups_of_fewer_than_ten_rows_are_named(self, score, numbers):
        sex = numbers[2].to_numpy(dtype=object)
        sex[:3] = "rare"
        with pytest.warns(UserWarning, match=r"fewer than 10 rows: 'rare' \(3\).*encoder"):
            score(sex)

    def test_numbers_that_are_not_whole_are_called_what_they_are(self, score, numbers):
        encoded = pd.Series(np.where(numbers[2] == "f", 0.31, 0.52), name="sex")
        with pytest.warns(UserWarning, match=r"'sex' holds \d+ numbers that are not whole"):
            score(encoded)

    def test_an_index_in_another_order_is_matched_by_position(self, score, numbers):
        X, _, sex = numbers
        order = np.random.default_rng(0).permutation(len(X))
        other = pd.Series(sex.to_numpy(), index=X.index[order])
        with pytest.warns(UserWarning, match=r"index of X in another order.*loc\[X.index\]"):
            assert score(other) == score(sex.to_numpy())

    def test_whole_numbers_and_other_indices_are_nothing_to_say(self, score, numbers):
        sex = numbers[2]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            score(pd.Series(np.where(sex == "f", 0.0, 1.0), index=range(1000, 1000 + len(sex))))

    def test_a_monitor_says_it_once(self, biased):
        X, y, _ = biased
        group = np.where(np.arange(len(X)) % 60 == 0, "rare", "common")
        model = FaiRNClassifier(monitor="neg_recourse_gap", max_epochs=4, random_state=0)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, y, sensitive_features=group)
        assert sum("fewer than 10 rows" in str(w.message) for w in caught) <= 2  # fit's own, too


class TestNeighbors:
    """Other tools that take scorers."""

    @pytest.fixture
    def people(self):
        X, y, group = make_biased_classification(300, as_frame=True, random_state=0)
        return X.assign(sex=(group == "a") * 1.0), np.asarray(y), np.asarray(group)

    @pytest.mark.parametrize("how", ["one", "several"])
    def test_a_search_without_routing_fails_with_our_message(self, people, how):
        X, y, _ = people
        scoring = neg_recourse_gap_scorer
        if how == "several":
            scoring = {"accuracy": "accuracy", "gap": scoring}
        search = GridSearchCV(
            LogisticRegression(), {"C": [1, 2]}, scoring=scoring, refit=False, cv=2
        )
        with pytest.raises(ValueError, match="'neg_recourse_gap' got no sensitive features. Pass"):
            search.fit(X, y)

    def test_other_errors_stay_what_the_search_makes_of_them(self, people):
        X, y, group = people
        scorer = make_fairness_scorer("recourse_gap", unfavorable="nobody").bind(group)
        with pytest.warns(UserWarning, match="Scoring failed"):
            scores = cross_validate(LogisticRegression(), X, y, cv=2, scoring=scorer)
        assert np.isnan(scores["test_score"]).all()

    def test_permutation_importance(self, people):
        X, y, group = people
        model = LogisticRegression().fit(X, y)
        base = neg_recourse_gap_scorer(model, X, y, sensitive_features=group)
        bound = neg_recourse_gap_scorer.bind(group)
        assert bound(model, X, y) == base
        with pytest.raises(ValueError, match="got no sensitive features"):
            permutation_importance(model, X, y, scoring=neg_recourse_gap_scorer)
        found = permutation_importance(model, X, y, scoring=bound, n_repeats=2, random_state=0)
        assert np.isfinite(found.importances).all()
        by_index = neg_recourse_gap_scorer.bind(pd.Series(group, index=X.index))
        found = permutation_importance(
            model, X, y, scoring=by_index, n_repeats=2, max_samples=0.5, random_state=0
        )
        assert np.isfinite(found.importances).all()
        with pytest.raises(ValueError, match="300 rows are bound.*was given 100: bind a Series"):
            bound(model, X[:100], y[:100])
        assert by_index(model, X[:100], y[:100]) == neg_recourse_gap_scorer(
            model, X[:100], y[:100], sensitive_features=group[:100]
        )

    @pytest.mark.parametrize("how", ["columns", "routing"])
    @pytest.mark.parametrize("name", ["demographic_parity_difference", "accuracy_score_group_min"])
    def test_tuned_threshold(self, people, how, name):
        X, y, group = people
        routing, columns = how == "routing", None if how == "routing" else "sex"
        scorer = make_fairness_scorer(name, sensitive_columns=columns)
        model = LogisticRegression().fit(X, y)
        tuned = TunedThresholdClassifierCV(
            model, scoring=scorer, cv="prefit", refit=False, thresholds=[0.2, 0.5, 0.7]
        )
        with sklearn.config_context(enable_metadata_routing=routing):
            tuned.fit(X, y, **({"sensitive_features": group} if routing else {}))
        scores = [
            make_fairness_scorer(name)(
                FixedThresholdClassifier(model, threshold=t).fit(X, y),
                X,
                y,
                sensitive_features=group,
            )
            for t in (0.2, 0.5, 0.7)
        ]
        assert tuned.best_threshold_ == [0.2, 0.5, 0.7][int(np.argmax(scores))]
        assert tuned.best_score_ == pytest.approx(max(scores))

    def test_tuned_threshold_says_what_it_cannot_do(self, people):
        X, y, _ = people
        for scorer, message in [
            (neg_recourse_gap_scorer, "more than predicted labels"),
            (get_scorer("neg_demographic_parity_difference"), "got no sensitive features"),
        ]:
            tuned = TunedThresholdClassifierCV(LogisticRegression(), scoring=scorer, cv=2)
            with pytest.raises(ValueError, match=message):
                tuned.fit(X, y)

    @pytest.mark.parametrize("use_caching", [True, False])
    @pytest.mark.parametrize("on_train", [True, False])
    def test_epoch_scoring_of_our_networks_knows_the_groups(self, people, on_train, use_caching):
        X, y, group = people
        callbacks = [
            EpochScoring(
                get_scorer(name),
                name=name,
                on_train=on_train,
                use_caching=use_caching,
                lower_is_better=False,
            )
            for name in ("neg_demographic_parity_difference", "neg_recourse_gap")
        ]
        model = FaiRNClassifier(
            net_params={"callbacks": callbacks},
            monitor="neg_recourse_gap",
            validation_fraction=0.4,
            max_epochs=3,
            random_state=0,
        ).fit(X, y, sensitive_features=group)
        history = model.history_
        assert history["neg_demographic_parity_difference"].le(0).all()
        if not on_train:
            np.testing.assert_allclose(history["neg_recourse_gap"], history["monitor"], rtol=1e-5)

    @pytest.mark.parametrize("use_caching", [True, False])
    def test_epoch_scoring_of_any_net_selects_columns(self, people, use_caching):
        X, y, _ = people
        torch.manual_seed(0)
        scorer = make_fairness_scorer("recourse_gap", sensitive_columns=-1)
        net = NeuralNetClassifier(
            torch.nn.Linear(X.shape[1], 2),
            criterion=torch.nn.CrossEntropyLoss,
            callbacks=[EpochScoring(scorer, name="gap", use_caching=use_caching)],
            train_split=predefined_split(Dataset(X.to_numpy(np.float32), y)),
            max_epochs=1,
            verbose=0,
        ).fit(X.to_numpy(np.float32), y)
        assert net.history[-1, "gap"] == pytest.approx(scorer(net, X.to_numpy(np.float32), y))

    def test_displays_of_scikit_learn_know_its_name(self, people):
        plt = pytest.importorskip("matplotlib.pyplot")
        plt.switch_backend("Agg")
        X, y, _ = people
        display = ValidationCurveDisplay.from_estimator(
            LogisticRegression(),
            X,
            y,
            param_name="C",
            param_range=[0.1, 1],
            cv=2,
            scoring=make_fairness_scorer("recourse_gap", sensitive_columns="sex"),
        )
        assert display.ax_.get_ylabel() == "Negative recourse gap"
        plt.close("all")

    def test_a_string_cannot_work_and_the_documentation_says_so(self):
        with pytest.raises(ValueError, match="neg_recourse_gap"):
            get_sklearn_scorer("neg_recourse_gap")
        for function in (get_scorer, make_fairness_scorer):
            assert "string in ``scoring=``" in function.__doc__ or "scoring=get" in function.__doc__


# -- what is no estimator --------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [5, None, "model", LogisticRegression, [1, 2]], ids=str)
@pytest.mark.parametrize("name", sorted(get_scorer_names()))
def test_what_is_no_classifier_is_called_so(numbers, name, estimator):
    X, y, sex = numbers
    with pytest.raises(TypeError, match=r"estimator must be a fitted classifier.*; got "):
        get_scorer(name)(estimator, X, y, sensitive_features=sex)


def test_no_rows_and_no_groups_are_named(numbers, fitted):
    X, y, _ = numbers
    for name in ("neg_demographic_parity_difference", "neg_recourse_gap"):
        with pytest.raises(ValueError, match="X without rows"):
            get_scorer(name)(fitted["predict_proba"], X[:0], y[:0], sensitive_features=[])
        with pytest.raises(ValueError, match="sensitive_features must have one row per sample"):
            get_scorer(name)(fitted["predict_proba"], X, y, sensitive_features=[])
        with pytest.raises(ValueError, match="sensitive_features"):
            get_scorer(name)(fitted["predict_proba"], X, y, sensitive_features=pd.DataFrame())
