import pickle
import warnings

import fairlearn.metrics
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.metrics import get_scorer as get_sklearn_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from skfair import FaiRNClassifier
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
        with pytest.raises(ValueError, match=r"'maybe' must name .*\['no', 'yes'\]"):
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
        plain = make_fairness_scorer(accuracy_gap)
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
        }
        assert neg_recourse_gap_scorer.get_metadata_routing().score.requests == before
        assert before == {"sensitive_features": True, "sample_weight": None}

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
        others = [] if scorer.name in OF_NETWORKS else [fitted["predict_proba"]]
        for estimator in (fitted["network"], *others):
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


@pytest.mark.parametrize("name", sorted(set(get_scorer_names()) - OF_NETWORKS - OF_COLUMNS))
def test_the_fairer_or_more_robust_model_scores_higher(name):
    group = np.repeat(["a", "b"], 4)
    y = np.tile([0, 0, 1, 1], 2)
    X = np.column_stack(
        [
            np.where(y == 1, 3.0, -3.0),  # right for everybody, far from the boundary
            np.where(group == "a", 1.0, -1.0),  # accepts one group and refuses the other
        ]
    )
    score = get_scorer(name)
    fair, unfair = (score(ByColumn(i), X, y, sensitive_features=group) for i in (0, 1))
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


def test_scoring_warns_about_nothing_of_its_own(case):
    estimator, X, y, sex, _ = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in names_for(estimator):
            get_scorer(name)(estimator, X, y, sensitive_features=sex)


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_gap_scorer_asks_the_estimator_what_is_unfavourable(in_pipeline):
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
