"""Decisions are what ``predict`` says, and the bad class is said once."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from skorch import NeuralNetBinaryClassifier

from skfair import DRAlignClassifier, FaiRNClassifier, PenaltyClassifier
from skfair._estimators import decision_values, find_attribute, unfavorable_of
from skfair.datasets import make_biased_classification
from skfair.metrics import (
    burden,
    fairness_generalization,
    get_scorer,
    make_fairness_scorer,
    neg_recourse_gap_scorer,
    parity_score,
    recourse_gap,
    robustness_index,
)
from skfair.training import constrained_monitor


@pytest.fixture(scope="module")
def data():
    return make_biased_classification(400, random_state=0)


def log_odds(p):
    return np.log(p / (1 - p))


def refused(estimator, X):
    """Whom the decision values refuse; nobody is on the boundary."""
    return decision_values(estimator, X) < 0


class TestThresholds:
    @pytest.mark.parametrize("threshold", [0.01, 0.3, 0.8, 0.99])
    @pytest.mark.parametrize("pos_label", [None, 0, 1])
    def test_a_threshold_on_probabilities_shifts_the_log_odds(self, data, threshold, pos_label):
        X, y, group = data
        plain = LogisticRegression().fit(X, y).decision_function(X)
        model = FixedThresholdClassifier(
            LogisticRegression(), threshold=threshold, pos_label=pos_label
        ).fit(X, y)
        # p_0 >= t is the same as a log-odds of class 1 of at most -log_odds(t)
        expected = plain + log_odds(threshold) * (1 if pos_label == 0 else -1)
        np.testing.assert_allclose(decision_values(model, X), expected, atol=1e-9)
        assert np.array_equal(refused(model, X), model.predict(X) == 0)
        score = neg_recourse_gap_scorer(model, X, y, sensitive_features=group)
        assert score == pytest.approx(-recourse_gap(expected, sensitive_features=group))

    @pytest.mark.parametrize("pos_label", [None, 0])
    def test_a_threshold_on_decision_values_is_subtracted(self, data, pos_label):
        X, y, _ = data
        plain = LinearSVC().fit(X, y).decision_function(X)
        model = FixedThresholdClassifier(LinearSVC(), threshold=0.4, pos_label=pos_label).fit(X, y)
        expected = plain + (0.4 if pos_label == 0 else -0.4)
        np.testing.assert_allclose(decision_values(model, X), expected)
        assert np.array_equal(refused(model, X), model.predict(X) == 0)

    def test_a_tuned_threshold_inside_search_and_pipeline_is_found(self, data):
        X, y, _ = data
        tuned = TunedThresholdClassifierCV(LogisticRegression(), scoring="recall", cv=3)
        model = GridSearchCV(make_pipeline(StandardScaler(), tuned), {}, cv=2).fit(X, y)
        assert model.predict(X).mean() > 0.7  # otherwise the threshold would not matter
        ours, plain = decision_values(model, X), model.decision_function(X)
        off_boundary = np.abs(ours) > 1e-9
        assert np.array_equal((ours > 0)[off_boundary], (model.predict(X) == 1)[off_boundary])
        assert (ours > plain + 1).all()

    def test_frozen_classifiers_and_networks_behind_thresholds_are_looked_into(self, data):
        X, y, group = data
        net = PenaltyClassifier(hidden_layer_sizes=(3,), max_epochs=2, random_state=0)
        net.fit(X, y, sensitive_features=group)
        model = FixedThresholdClassifier(FrozenEstimator(net), threshold=0.7).fit(X, y)
        expected = net.decision_function(X) - log_odds(0.7)
        np.testing.assert_allclose(decision_values(FrozenEstimator(model), X), expected, atol=1e-9)
        scores = [
            parity_score(m, X, y, sensitive_features=group, method="taylor") for m in (net, model)
        ]
        assert scores[0] == scores[1] > 0

    def test_where_everybody_is_accepted_nobody_has_a_distance(self, data):
        X, y, group = data
        model = FixedThresholdClassifier(LogisticRegression(), threshold=1e-9).fit(X, y)
        with pytest.warns(UserWarning, match="Nobody is refused.*unfavorable="):
            score = neg_recourse_gap_scorer(model, X, y, sensitive_features=group)
        assert score == 0

    def test_a_threshold_that_is_no_probability_is_refused(self, data):
        X, y, group = data
        model = FixedThresholdClassifier(LogisticRegression(), threshold=1.5).fit(X, y)
        with pytest.raises(ValueError, match=r"threshold=1.5 is no probability"):
            neg_recourse_gap_scorer(model, X, y, sensitive_features=group)

    def test_the_threshold_of_a_binary_net_is_known(self, data):
        X, y, _ = data
        torch.manual_seed(0)
        net = NeuralNetBinaryClassifier(
            torch.nn.Linear(X.shape[1], 1), threshold=0.7, max_epochs=2, verbose=0
        ).fit(X.astype(np.float32), y.astype(np.float32))
        ours = refused(net, X.astype(np.float32))
        assert np.array_equal(ours, net.predict(X.astype(np.float32)) == 0)
        assert ours.mean() > 0.1

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_an_unknown_rule_is_refused_with_the_number_of_rows(self, data, n_classes):
        X, _, group = data
        y = np.digitize(X[:, 0], [-0.5, 0.5][: n_classes - 1])

        class Stubborn(LogisticRegression):
            def predict(self, X):
                return np.roll(super().predict(X), 1)

        model = Stubborn().fit(X, y)
        differ = (model.predict(X) != LogisticRegression().fit(X, y).predict(X)).sum()
        with pytest.raises(ValueError, match=rf"decides about {differ} of 400 rows otherwise"):
            neg_recourse_gap_scorer(model, X, y, sensitive_features=group)

    def test_several_labels_a_row_have_no_decision_to_compare(self, data):
        X, _, group = data
        model = PenaltyClassifier(penalty="equal_loss", max_epochs=1, random_state=0)
        model.fit(X, (X[:, :3] > 0).astype(int), sensitive_features=group)
        with pytest.raises(ValueError, match="predicts 3 labels a row"):
            robustness_index(decision_values(model, X))

    def test_predictions_in_a_column_are_predictions(self, data):
        X, y, group = data

        class Column(LogisticRegression):
            def predict(self, X):
                return super().predict(X)[:, None]

        plain, column = (K().fit(X, y) for K in (LogisticRegression, Column))
        for name in ("neg_recourse_gap", "neg_equalized_odds_difference"):
            scores = [get_scorer(name)(m, X, y, sensitive_features=group) for m in (plain, column)]
            assert scores[0] == scores[1] != 0

    def test_the_constrained_monitor_counts_as_predict_does(self, data):
        X, y, group = data
        model = FixedThresholdClassifier(LogisticRegression(), threshold=0.9).fit(X, y)
        shifted = LogisticRegression().fit(X, y).decision_function(X) - log_odds(0.9)
        rule = constrained_monitor("accuracy", 0.0, "demographic_parity")
        p = 1 / (1 + np.exp(-shifted))
        expected = abs(p[group == "a"].mean() - p[group == "b"].mean())
        assert rule(model, X, y, sensitive_features=group) == pytest.approx(-expected)


class TestFittedObjectsAreAsked:
    def test_a_search_that_replaced_the_step(self, data):
        X, y, group = data
        told = FaiRNClassifier(unfavorable=1, max_epochs=3, random_state=0)
        steps = Pipeline([("clf", LogisticRegression())])
        search = GridSearchCV(steps, {"clf": [told]}, cv=2)
        search.fit(X, y, clf__sensitive_features=group)
        assert find_attribute(search, "unfavorable") == 1
        other = Pipeline([("clf", told)])
        search = GridSearchCV(other, {"clf": [LogisticRegression()]}, cv=2).fit(X, y)
        assert find_attribute(search, "unfavorable") is None

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda net: FixedThresholdClassifier(net, threshold=0.4),
            lambda net: CalibratedClassifierCV(net, cv=2),
            lambda net: GridSearchCV(FixedThresholdClassifier(net), {"threshold": [0.4]}, cv=2),
            lambda net: make_pipeline(StandardScaler(), CalibratedClassifierCV(net, cv=2)),
        ],
        ids=["threshold", "calibrated", "search", "pipeline"],
    )
    def test_through_wrappers(self, data, wrap):
        X, y, _ = data
        net = FaiRNClassifier(
            unfavorable=1, lambda_fairness=0, sensitive_columns=[0], max_epochs=1, random_state=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            X = np.column_stack([X[:, 0] > 0, X[:, 1:]]).astype(float)
            model = wrap(net).fit(X, y)
        assert unfavorable_of(model) == 1
        assert find_attribute(model, "sensitive_columns") == [0]

    @pytest.mark.parametrize("kind", ["voting", "bagging", "stacking"])
    def test_encoded_labels_are_translated_and_told(self, data, kind):
        X, y, _ = data
        net = FaiRNClassifier(unfavorable=1, lambda_fairness=0, max_epochs=1, random_state=0)
        model = {
            "voting": VotingClassifier([("net", net)], voting="soft"),
            "bagging": BaggingClassifier(net, 2),
            "stacking": StackingClassifier([("net", net)], net, cv=2),
        }[kind]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y + 1)  # inside, 1 is what is 2 outside
        with pytest.warns(UserWarning, match="hands encoded labels to the FaiRNClassifier"):
            assert unfavorable_of(model) == [2]
        assert unfavorable_of(model, 1) == 1

    def test_other_classes_inside_than_outside_cannot_be_translated(self, data):
        X, _, _ = data
        y = np.digitize(X[:, 0], [-0.5, 0.5])
        net = FaiRNClassifier(unfavorable=1, lambda_fairness=0, max_epochs=1, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = OneVsRestClassifier(net).fit(X, y)
        with pytest.raises(ValueError, match="other classes than its own; say unfavorable="):
            unfavorable_of(model)


class Told(ClassifierMixin, BaseEstimator):
    """Accepts by the first column of X; says which class is the bad one."""

    def __init__(self, unfavorable=None, classes=(0, 1)):
        self.unfavorable, self.classes = unfavorable, classes
        self.classes_ = np.array(classes)

    def decision_function(self, X):
        return np.asarray(X)[:, 0]

    def predict_proba(self, X):
        p = 1 / (1 + np.exp(-self.decision_function(X)))
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return self.classes_[(self.decision_function(X) > 0).astype(int)]


class TestTheBadClassIsSaidOnce:
    """Turned round: class 1 is the bad one, everybody has the other label and decision value."""

    LABELS = ((0, 1), (1, 2), (-1, 1), ("no", "yes"), (False, True))

    @pytest.fixture
    def people(self):
        rng = np.random.default_rng(0)
        group = rng.choice(["a", "b"], 200)
        X = rng.normal(size=(200, 2)) + 0.5 * (group == "a")[:, None]
        return X, (X[:, 0] + rng.normal(size=200) > 0).astype(int), group

    NAMES = (
        "recourse_gap",
        "fairness_index",
        "demographic_parity_ratio",
        "selection_rate_ratio",
        "equal_opportunity_difference",
        "equalized_odds_ratio",
        "true_positive_rate_ratio",
        "false_positive_rate_difference",
        "precision_score_group_min",
        "f1_score_group_min",
        "roc_auc_score_group_min",
        "log_loss_group_max",
    )

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("labels", LABELS, ids=str)
    def test_scores_do_not_depend_on_how_the_classes_are_called(self, people, name, labels):
        X, y, group = people
        expected = make_fairness_scorer(name)(Told(), X, y, sensitive_features=group)
        labels = np.array(labels)
        by_estimator = make_fairness_scorer(name)(
            Told(labels[1], labels), -X, labels[1 - y], sensitive_features=group
        )
        by_scorer = make_fairness_scorer(name, unfavorable=labels[1])(
            Told(None, labels), -X, labels[1 - y], sensitive_features=group
        )
        assert by_estimator == pytest.approx(expected)
        assert by_scorer == pytest.approx(expected)
        as_before = make_fairness_scorer(name)(
            Told(None, labels), X, labels[y], sensitive_features=group
        )
        assert as_before == pytest.approx(expected)

    def test_equal_opportunity_is_about_the_favorable_class(self, people):
        X, y, group = people
        model = Told(unfavorable=1)
        accepted = model.predict(X) == 0
        rates = [accepted[(group == g) & (y == 0)].mean() for g in "ab"]
        score = get_scorer("neg_equal_opportunity_difference")(
            model, X, y, sensitive_features=group
        )
        assert score == pytest.approx(-abs(rates[0] - rates[1]))

    def test_rates_of_the_generalization_table_are_of_acceptance(self, people):
        X, y, group = people
        model = Told(unfavorable=1)
        rates = ["selection_rate", "true_positive_rate"]
        table = fairness_generalization(model, {"all": (X, y, group)}, rates)["all", "overall"]
        assert table["selection_rate"] == pytest.approx((X[:, 0] <= 0).mean())
        assert table["true_positive_rate"] == pytest.approx((X[y == 0, 0] <= 0).mean())

    def test_several_unfavorable_classes_make_two(self, people):
        X, _, group = people
        y = np.digitize(X[:, 0], [-0.5, 0.5])
        model = LogisticRegression().fit(X, y)
        scorer = make_fairness_scorer("demographic_parity_difference", unfavorable=[0, 2])
        accepted = pd.Series(model.predict(X) == 1).groupby(group).mean()
        assert scorer(model, X, y, sensitive_features=group) == pytest.approx(-np.ptp(accepted))

    def test_burden_is_that_of_the_refused(self, people):
        X, y, group = people
        model = LogisticRegression().fit(X, y)
        turned = LogisticRegression().fit(X, 1 - y)
        expected = burden(model, X, sensitive_features=group, random_state=0)
        found = burden(turned, X, sensitive_features=group, unfavorable=1, random_state=0)
        pd.testing.assert_series_equal(found, expected, rtol=1e-6)
        with pytest.warns(UserWarning, match="Nobody is refused"):
            burden(model, X[model.predict(X) == 1], sensitive_features=group[model.predict(X) == 1])

    def test_where_everybody_is_refused_it_is_said(self):
        with pytest.warns(UserWarning, match="Everybody is refused"):
            assert recourse_gap([-1.0, -3.0], sensitive_features=["a", "b"]) == 2

    def test_labels_that_are_no_classes_are_an_error_that_shows_no_data(self, people):
        X, _, group = people
        scorer = get_scorer("neg_demographic_parity_difference")
        with pytest.raises(ValueError, match="y contains 200 different ones, not among the cla"):
            scorer(Told(), X, X[:, 0], sensitive_features=group)
        with pytest.raises(ValueError, match=r"y contains \[2\], not among the classes \[0, 1\]"):
            scorer(Told(), X, np.full(200, 2), sensitive_features=group)

    def test_pos_label_has_one_name(self):
        with pytest.raises(TypeError, match="said by unfavorable="):
            make_fairness_scorer("selection_rate_difference", pos_label=0)


def turned_round(n_features, n_outputs):
    """A network that answers for the classes in reverse."""

    class Reversed(torch.nn.Linear):
        def forward(self, rows):
            return super().forward(rows).flip(-1)

    return Reversed(n_features, n_outputs)


@pytest.mark.parametrize("penalty", ["equal_opportunity", "predictive_parity", "disparate_impact"])
@pytest.mark.parametrize("group_weights", ["share", "equal"])
def test_penalties_with_unfavorable_are_those_of_the_classes_turned_round(
    data, penalty, group_weights
):
    X, y, group = data
    common = {"max_epochs": 3, "dtype": "float64", "random_state": 0}
    common |= {"penalty": penalty, "group_weights": group_weights}
    expected = PenaltyClassifier(module=torch.nn.Linear, **common)
    expected.fit(X, y, sensitive_features=group)
    columns = ["cross_entropy", "penalty"]
    turned = PenaltyClassifier(module=turned_round, unfavorable=1, **common)
    turned.fit(X, 1 - y, sensitive_features=group)
    np.testing.assert_allclose(turned.history_[columns], expected.history_[columns], rtol=1e-12)
    untold = PenaltyClassifier(module=turned_round, **common).fit(
        X, 1 - y, sensitive_features=group
    )
    assert np.abs(untold.history_["penalty"] - expected.history_["penalty"]).max() > 1e-3


@pytest.mark.parametrize("criterion", ["equal_opportunity", "predictive_parity"])
def test_dralign_with_unfavorable_is_that_of_the_classes_turned_round(data, criterion):
    X, y, group = data
    cells = [np.flatnonzero((group == g) & (y == c))[:40] for g in "ab" for c in (0, 1)]
    rows = np.concatenate(cells)  # as many rows in each: a batch holds all of them
    X, y, group = X[rows], y[rows], group[rows]
    common = {"max_epochs": 3, "batch_size": -1, "dtype": "float64", "random_state": 0}
    expected = DRAlignClassifier(module=torch.nn.Linear, criterion=criterion, **common)
    expected.fit(X, y, sensitive_features=group)
    turned = DRAlignClassifier(
        module=turned_round, criterion=criterion, unfavorable=1, **common
    ).fit(X, 1 - y, sensitive_features=group)
    columns = ["cross_entropy", "fairness", "misalignment"]
    np.testing.assert_allclose(turned.history_[columns], expected.history_[columns], rtol=1e-9)
    untold = DRAlignClassifier(module=turned_round, criterion=criterion, **common)
    untold.fit(X, 1 - y, sensitive_features=group)
    assert np.abs(untold.history_["fairness"] - expected.history_["fairness"]).max() > 1e-3


@pytest.mark.parametrize("kind", [PenaltyClassifier, DRAlignClassifier])
def test_unfavorable_is_checked_and_asked_for(data, kind):
    X, y, group = data
    with pytest.raises(ValueError, match=r"unfavorable=.bad. names a label .* \[0, 1\]"):
        kind(unfavorable="bad", max_epochs=1).fit(X, y, sensitive_features=group)
    model = kind(unfavorable=1, max_epochs=2, random_state=0).fit(X, y, sensitive_features=group)
    assert model._favorable_codes() == [0]
    expected = recourse_gap(-model.decision_function(X), sensitive_features=group)
    score = neg_recourse_gap_scorer(model, X, y, sensitive_features=group)
    assert score == pytest.approx(-expected)


def test_several_labels_a_row_have_no_unfavorable_one(data):
    X, _, group = data
    model = PenaltyClassifier(penalty="equal_loss", unfavorable=1, max_epochs=1)
    with pytest.raises(ValueError, match="unfavorable=1 needs one label a row"):
        model.fit(X, (X[:, :3] > 0).astype(int), sensitive_features=group)


class TestGroupsWithoutCases:
    def test_fit_names_the_group(self, data):
        X, y, group = data
        y = np.where(group == "a", 0, y)
        model = PenaltyClassifier(penalty="equal_opportunity", max_epochs=1, random_state=0)
        with pytest.warns(UserWarning, match="'a' has no row of class 1.*penalty of 0 is no parit"):
            model.fit(X, y, sensitive_features=group)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"penalty": "demographic_parity"},
            {"penalty": "equal_opportunity", "normalize": "group"},
            {"penalty": "equal_opportunity", "unfavorable": 1},
        ],
        ids=str,
    )
    def test_nothing_is_said_where_all_have_cases(self, data, parameters):
        X, y, group = data
        y = np.where(group == "a", 0, y)
        model = PenaltyClassifier(max_epochs=1, random_state=0, **parameters)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, y, sensitive_features=group)
        assert not [w for w in caught if "cannot compare" in str(w.message)]

    def test_the_held_out_part_is_looked_at_where_it_makes_the_penalty(self, data):
        X, y, group = data
        rare = np.flatnonzero(group == "a")
        y = y.copy()
        y[rare] = 0
        y[rare[:1]] = 1  # one case, which the hold-out has or has not
        model = PenaltyClassifier(
            penalty="equal_opportunity", penalty_on="holdout", max_epochs=1, random_state=0
        )
        with pytest.warns(UserWarning, match="'a' has no row of class 1"):
            model.fit(X, y, sensitive_features=group)
