"""Estimators with a tolerance in the place of a weight."""

from __future__ import annotations

import pickle
import re
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
    true_positive_rate,
)
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV

from skfair import DRAlignClassifier, FaiRNClassifier, NetworkClassifier, PenaltyClassifier
from skfair.datasets import make_biased_classification
from skfair.metrics import recourse_gap
from skfair.model_selection import StackedSearchCV
from skfair.training._multipliers import count_cases, difference, standard_error

pytestmark = pytest.mark.filterwarnings("ignore:Fewer are accepted")

QUICK = {"max_epochs": 12, "batch_size": 128, "validation_fraction": 0.3, "random_state": 0}
GAPS = {
    "demographic_parity": demographic_parity_difference,
    "equal_opportunity": equal_opportunity_difference,
    "equalized_odds": equalized_odds_difference,
}


@pytest.fixture(scope="module")
def people():
    return make_biased_classification(4000, recourse_gap=1.5, random_state=0)


def model(**params):
    return PenaltyClassifier(**(QUICK | params))


class Watch:
    """A scorer of the accuracy that keeps the held-out rows."""

    def __init__(self):
        self.rows = None

    def __call__(self, estimator, X, y, sensitive_features):
        self.rows = X, y, sensitive_features.iloc[:, 0].to_numpy()
        return accuracy_score(y, estimator.predict(X))

    def __deepcopy__(self, memo):
        return self

    def get_metadata_routing(self):
        from sklearn.utils.metadata_routing import MetadataRequest

        request = MetadataRequest(owner="Watch")
        request.score.add_request(param="sensitive_features", alias=True)
        return request


def kept(fitted):
    """Return the row of the history whose weights were kept."""
    return fitted.history_.loc[fitted.history_["monitor"].idxmax()]


@pytest.mark.parametrize("penalty", GAPS)
@pytest.mark.parametrize("tolerance", [0.03, 0.06])
def test_the_held_out_gap_is_within_tolerance(people, penalty, tolerance):
    X, y, group = people
    watch = Watch()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "No epoch met")
        fitted = model(penalty=penalty, tolerance=tolerance, monitor=watch).fit(
            X, y, sensitive_features=group
        )
    X, y, group = watch.rows
    y_pred = fitted.predict(X)
    gap = GAPS[penalty](y, y_pred, sensitive_features=group)
    assert gap <= tolerance
    row = kept(fitted)
    columns = [name for name in row.index if name.startswith("valid_gap_")]
    assert max(row[columns]) == pytest.approx(gap)
    assert row["valid_accuracy"] == row["monitor"] == accuracy_score(y, y_pred)
    assert 0.1 < y_pred.mean() < 0.6  # nobody is spared a decision


def test_the_most_accurate_epoch_within_tolerance_is_kept(people):
    X, y, group = people
    history = model(tolerance=0.05).fit(X, y, sensitive_features=group).history_
    within = history["valid_gap_selection_rate"] <= 0.05
    assert 0 < within.sum() < len(history)
    best = history.loc[within, "valid_accuracy"].max()
    assert history.loc[within, "monitor"].max() == history["monitor"].max() == best
    assert (history.loc[~within, "monitor"] < 0).all()


def test_a_network_that_has_learned_little_is_not_kept_for_its_small_gap():
    rng = np.random.default_rng(0)
    X, group = rng.normal(size=(2000, 3)), rng.choice(["a", "b"], 2000)
    y = (X[:, 0] + 1.5 * (group == "b") + rng.normal(size=2000) > 1.5).astype(int)
    X = np.column_stack([X, group == "b"])
    settings = {"warmup": 1.0, "max_epochs": 6, "validation_fraction": 0.3, "tolerance": 0.6}
    fitted = PenaltyClassifier(lr=1e-4, random_state=0, **settings).fit(
        X, y, sensitive_features=group
    )
    gaps = fitted.history_["valid_gap_selection_rate"]
    assert gaps.iloc[0] <= 0.6  # the first would do, and is most accurate where nothing is learned
    assert kept(fitted).name == len(gaps) - 1


def test_a_wider_tolerance_costs_less_accuracy(people):
    X, y, group = people
    scores = [
        model(tolerance=tolerance).fit(X, y, sensitive_features=group).score(X, y)
        for tolerance in (0.02, 0.2)
    ]
    plain = NetworkClassifier(**QUICK).fit(X, y).score(X, y)
    assert scores[0] < scores[1] < plain + 0.005


def test_a_tolerance_that_the_held_out_rows_cannot_tell_is_said(people):
    X, y, group = people
    vague = "tolerance=0.01 is less than half the standard error"
    with pytest.warns(UserWarning, match=rf"{vague}.*selection_rate: 0.0\d\d.*now 0.05"):
        model(tolerance=0.01, max_epochs=30, validation_fraction=0.05).fit(
            X, y, sensitive_features=group
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="tolerance=")
        model(tolerance=0.1).fit(X, y, sensitive_features=group)


@pytest.mark.parametrize("by_share", [False, True])
def test_the_standard_error_is_that_of_repeated_samples(by_share):
    rng = np.random.default_rng(0)
    p, cases = np.array([0.2, 0.5, 0.9]), np.array([200.0, 400.0, 900.0])
    values = rng.binomial(cases.astype(int), p, (4000, 3)) / cases
    gaps = [difference(each, cases, cases, by_share, None) for each in values]
    error = standard_error(p, cases, cases, by_share)
    assert error == pytest.approx(np.std(gaps), rel=0.05)


def test_a_gap_that_was_not_reached_is_told(people):
    X, y, group = people
    with pytest.warns(UserWarning, match="No epoch met tolerance=0.0001") as caught:
        fitted = model(tolerance=1e-4, max_epochs=2).fit(X, y, sensitive_features=group)
    (message,) = (m for w in caught if "No epoch met" in (m := str(w.message)))
    told = float(re.search(r"difference in selection_rate: ([\d.]+)", message)[1])
    row = kept(fitted)
    assert told == pytest.approx(row["valid_gap_selection_rate"], abs=5e-4)
    assert told == pytest.approx(fitted.history_["valid_gap_selection_rate"].min(), abs=5e-4)


def test_deciding_the_same_for_everybody_is_no_way_to_meet_it():
    rng = np.random.default_rng(0)
    X, group = rng.normal(size=(1000, 2)), rng.choice(["a", "b"], 1000)
    y = (rng.random(1000) < 0.05).astype(int)  # of everybody: refusing all is most accurate
    with pytest.warns(UserWarning, match="No epoch met|predicts one class"):
        fitted = model(tolerance=0.05, max_epochs=3).fit(X, y, sensitive_features=group)
    assert (fitted.history_["monitor"] < 0).all()


def test_an_upper_bound_is_above_the_estimate(people):
    X, y, group = people
    fits = [
        model(tolerance=0.2, confidence=confidence).fit(X, y, sensitive_features=group)
        for confidence in (None, 0.9)
    ]
    for fitted in fits:
        assert kept(fitted)["valid_gap_selection_rate"] <= 0.2
    rows = [fitted.history_["valid_gap_selection_rate"].iloc[0] for fitted in fits]
    assert rows[0] + 0.03 < rows[1]  # the same first epoch


def test_a_minimum_raises_the_worst_group(people):
    X, y, group = people

    def rates(fitted):
        return MetricFrame(
            metrics=true_positive_rate,
            y_true=y,
            y_pred=fitted.predict(X),
            sensitive_features=group,
        ).by_group

    plain = rates(NetworkClassifier(**QUICK).fit(X, y))
    raised = rates(model(minimum={"tpr": 0.7}).fit(X, y, sensitive_features=group))
    assert plain["a"] < 0.6 < 0.66 < raised["a"]
    assert raised["b"] > plain["b"] - 0.03  # nobody is lowered for it


def test_a_minimum_and_a_tolerance_together(people):
    X, y, group = people
    asked = {"penalty": "equal_opportunity", "tolerance": 0.05, "minimum": {"tpr": 0.7}}
    fitted = model(**asked, max_epochs=20).fit(X, y, sensitive_features=group)
    row = kept(fitted)
    assert row["valid_gap_tpr"] <= 0.05 and row["valid_lack_tpr"] == 0
    assert fitted.multipliers_.index.tolist() == ["tpr", "minimum_tpr"]


def test_multipliers_are_those_of_each_rate_and_group(people):
    X, y, group = people
    fitted = model(penalty="equalized_odds", tolerance=0.02).fit(X, y, sensitive_features=group)
    found = fitted.multipliers_
    assert found.index.tolist() == ["fpr", "tpr"] and found.columns.tolist() == ["a", "b"]
    assert (found.to_numpy() >= 0).all() and found.to_numpy().any()
    again = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(again.multipliers_, found)
    plain = model().fit(X, y, sensitive_features=group)
    assert not hasattr(plain, "multipliers_")


def test_training_goes_on_from_its_multipliers(people):
    X, y, group = people
    first = model(tolerance=0.02, warm_start=True).fit(X, y, sensitive_features=group)
    before = first.multipliers_.to_numpy()
    again = pickle.loads(pickle.dumps(first)).set_params(max_epochs=1)
    again.fit(X, y, sensitive_features=group)
    assert abs(again.multipliers_.to_numpy() - before).max() < 0.5 < before.max()
    again.partial_fit(X, y, sensitive_features=group)
    assert again.n_iter_ == QUICK["max_epochs"] + 2


@pytest.mark.parametrize("order", [({}, {"tolerance": 0.1}), ({"tolerance": 0.1}, {})])
def test_training_may_go_on_with_the_other_objective(people, order):
    X, y, group = people
    fitted = model(penalty="equalized_odds", max_epochs=2, warm_start=True, **order[0])
    fitted.fit(X, y, sensitive_features=group)
    fitted.set_params(**({"tolerance": None} | order[1])).fit(X, y, sensitive_features=group)
    assert fitted.n_iter_ == 4


def test_the_same_seed_gives_the_same_weights(people):
    X, y, group = people
    one, other = (
        clone(model(tolerance=0.05, max_epochs=3)).fit(X, y, sensitive_features=group)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.decision_function(X), other.decision_function(X))


def test_group_names_do_not_matter(people):
    X, y, group = people
    one, other = (
        model(tolerance=0.05, max_epochs=3).fit(X, y, sensitive_features=names)
        for names in (group, np.where(group == "a", 3, 7))
    )
    np.testing.assert_array_equal(one.decision_function(X), other.decision_function(X))


def test_the_first_class_may_be_the_favorable_one(people):
    X, y, group = people
    params = {"minimum": {"tpr": 0.7}, "max_epochs": 6, "dtype": "float64"}
    one = model(**params).fit(X, y, sensitive_features=group)
    other = model(**params, unfavorable=1).fit(X, 1 - y, sensitive_features=group)
    columns = ["valid_lack_tpr"]
    assert list(one.history_.columns) == list(other.history_.columns)
    for fitted, favorable in ((one, 1), (other, 0)):
        target = y if favorable else 1 - y
        accepted = fitted.predict(X) == favorable
        qualified = (target == favorable) & (group == "a")
        assert accepted[qualified].mean() > 0.64
        assert kept(fitted)[columns].max() < 0.06


def test_weights_of_classes_are_not_weights_of_people(people):
    X, y, group = people
    watch = Watch()
    params = {"tolerance": 0.1, "class_weight": {0: 1, 1: 4}, "monitor": watch}
    fitted = model(**params).fit(X, y, sensitive_features=group)
    X, y, group = watch.rows
    gap = demographic_parity_difference(y, fitted.predict(X), sensitive_features=group)
    assert kept(fitted)["valid_gap_selection_rate"] == pytest.approx(gap)


def test_weights_of_people_are(people):
    X, y, group = people
    rng = np.random.default_rng(0)
    weights = rng.integers(1, 5, len(y)).astype(float)
    watch = Watch()
    X = np.column_stack([X, weights])  # so that they can be told on the held-out rows
    fitted = model(tolerance=0.1, monitor=watch).fit(
        X, y, sensitive_features=group, sample_weight=weights
    )
    X, y, group = watch.rows
    gap = demographic_parity_difference(
        y, fitted.predict(X), sensitive_features=group, sample_weight=X[:, -1]
    )
    assert kept(fitted)["valid_gap_selection_rate"] == pytest.approx(gap, abs=1e-6)


@pytest.mark.parametrize("weights", ["share", "equal"])
def test_many_groups(people, weights):
    X, y, group = people
    third = np.where(X[:, 0] > 1, "c", group)
    watch = Watch()
    fitted = model(tolerance=0.08, group_weights=weights, monitor=watch, max_epochs=20).fit(
        X, y, sensitive_features=third
    )
    X, y, third = watch.rows
    accepted = pd.Series(fitted.predict(X))
    by_group = accepted.groupby(third).agg(["mean", "size"])
    share = by_group["size"] / by_group["size"].sum()
    apart = [abs(row["mean"] - accepted[third != name].mean()) for name, row in by_group.iterrows()]
    expected = {
        "share": np.average(apart, weights=share * (1 - share)),
        "equal": by_group["mean"].max() - by_group["mean"].min(),
    }
    found = kept(fitted)["valid_gap_selection_rate"]
    assert found == pytest.approx(expected[weights]) and found <= 0.08


def test_several_attributes_are_each_within_tolerance(people):
    X, y, group = people
    both = pd.DataFrame({"group": group, "side": np.where(X[:, 1] > 0, "left", "right")})
    watch = Watch()
    fitted = model(tolerance=0.08, attributes="sum", monitor=watch, max_epochs=20).fit(
        X, y, sensitive_features=both
    )
    X, y, _ = watch.rows
    side = np.where(X[:, 1] > 0, "left", "right")
    assert demographic_parity_difference(y, fitted.predict(X), sensitive_features=side) <= 0.08
    assert fitted.multipliers_.shape == (1, 4)


def test_small_groups_are_named_and_left_alone(people):
    X, y, group = people
    small = np.where(np.arange(len(y)) < 40, "few", group)
    with pytest.warns(UserWarning, match=r"groups \['few'\] have fewer than 30"):
        fitted = model(tolerance=0.05).fit(X, y, sensitive_features=small)
    assert fitted.multipliers_.loc["selection_rate", "few"] == 0
    with pytest.raises(ValueError, match="cannot be seen on the held-out rows.*'few'"):
        model(tolerance=0.05).fit(X, y, sensitive_features=np.where(small == "few", "few", "b"))


def test_without_groups_a_plain_network_is_trained(people):
    X, y, _ = people
    with pytest.warns(UserWarning, match="a plain network is trained"):
        fitted = model(tolerance=0.05, max_epochs=2).fit(X, y)
    assert not hasattr(fitted, "multipliers_")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"tolerance": 0.0}, "tolerance"),
        ({"tolerance": 0.1, "penalty": "max_min"}, "tolerance=0.1 is for penalty in"),
        ({"tolerance": 0.1, "penalty_on": "holdout"}, "penalty_on='holdout'"),
        ({"tolerance": 0.1, "normalize": "group"}, "normalize='group'"),
        ({"tolerance": 0.1, "augment": "mixup"}, "augment='mixup'"),
        ({"confidence": 0.9}, "confidence=0.9"),
        ({"minimum": {"recall": 0.5}}, "minimum must map"),
        ({"minimum": {"tpr": 2}}, "minimum must map"),
    ],
)
def test_what_does_not_go_together(people, params, message):
    X, y, group = people
    with pytest.raises(ValueError, match=message):
        model(**params).fit(X, y, sensitive_features=group)


def test_two_classes_are_needed(people):
    X, _, group = people
    with pytest.raises(ValueError, match="two classes"):
        model(minimum={"accuracy": 0.5}, penalty="equal_loss").fit(
            X, np.digitize(X[:, 0], [-0.5, 0.5]), sensitive_features=group
        )


@pytest.mark.parametrize("search", [GridSearchCV, StackedSearchCV])
def test_a_search_over_tolerances(people, search):
    X, y, group = people
    found = search(model(max_epochs=3), {"tolerance": [0.1, 0.3]}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found.fit(X, y, sensitive_features=group)
    assert found.best_params_["tolerance"] in (0.1, 0.3)


def test_early_stopping_waits_for_what_is_asked(people):
    X, y, group = people
    fitted = model(tolerance=0.05, early_stopping=True, n_iter_no_change=3, max_epochs=40)
    fitted.fit(X, y, sensitive_features=group)
    assert kept(fitted)["monitor"] > 0
    assert fitted.n_iter_ < 40


def test_full_batches_take_steps_too(people):
    X, y, group = people
    fitted = model(tolerance=0.05, batch_size=-1, max_epochs=200, lr=0.01)
    assert kept(fitted.fit(X, y, sensitive_features=group))["valid_gap_selection_rate"] <= 0.05


# -- weights that say little -----------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [1.5, 3])
def test_uneven_weights_are_counted_as_what_they_say(people, sigma):
    X, y, group = people
    weights = np.random.default_rng(0).lognormal(sigma=sigma, size=len(y))
    fit = partial(model(tolerance=0.05, max_epochs=2).fit, sensitive_features=group)
    if sigma == 3:
        with pytest.raises(ValueError, match=r"30 cases.*'a': \d+, 'b': \d+, as uneven sample_w"):
            fit(X, y, sample_weight=weights)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = fit(X, y, sample_weight=weights)
    assert not fitted.history_.filter(like="valid_gap").isna().any().any()
    assert not any("nan" in str(warning.message) for warning in caught)


def test_the_scale_of_weights_does_not_matter(people):
    X, y, group = people
    one, other = (
        model(tolerance=0.05, max_epochs=3).fit(
            X, y, sensitive_features=group, sample_weight=np.full(len(y), scale)
        )
        for scale in (0.1, 7.0)
    )
    pd.testing.assert_series_equal(*(fitted.history_["monitor"] for fitted in (one, other)))


def test_a_gap_that_cannot_be_known_is_called_so_and_accuracy_decides():
    rng = np.random.default_rng(0)
    X, group = rng.normal(size=(2000, 2)), rng.choice(["a", "b"], 2000)
    y = (X[:, 0] > 2).astype(int)  # few are ever accepted
    with pytest.warns(UserWarning, match="precision: unknown, with fewer than 30 cases") as caught:
        fitted = model(penalty="predictive_parity", tolerance=0.05, lr=0.02, max_epochs=6).fit(
            X, y, sensitive_features=group
        )
    assert not any("nan" in str(warning.message) for warning in caught)
    history = fitted.history_[fitted.history_["monitor"] > -3e6]
    assert history["valid_gap_precision"].isna().all() and (history["monitor"] < -1e6).all()
    assert len(history) > 1 and history["monitor"].idxmax() == history["valid_accuracy"].idxmax()


# -- who pays --------------------------------------------------------------------------------------


def test_groups_that_pay_are_named_with_their_rates_before_and_after(people):
    X, y, group = people
    third = np.where((group == "b") & (X[:, 0] > 0.5), "c", group)
    asked = {"penalty": "demographic_parity", "group_weights": "equal", "max_epochs": 20}
    with pytest.warns(UserWarning, match="Fewer are accepted, by more than a quarter") as caught:
        fitted = model(tolerance=0.1, **asked).fit(X, y, sensitive_features=third)
    message = next(str(w.message) for w in caught if "Fewer" in str(w.message))
    named = re.findall(r"'(\w)': ([\d.]+) -> ([\d.]+) accepted", message)
    assert "c" in [name for name, *_ in named] and "minimum=" in message
    y_pred, y_plain = fitted.predict(X), NetworkClassifier(**QUICK).fit(X, y).predict(X)
    for name in "abc":  # none is close to three quarters
        change = y_pred[third == name].mean() / y_plain[third == name].mean()
        assert (name in [of for of, *_ in named]) == (change < 3 / 4), change
    for name, _, after in named:
        assert float(after) == pytest.approx(y_pred[third == name].mean(), abs=0.06)  # of a sample


def test_nobody_is_named_where_nobody_pays(people):
    X, y, group = people
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Fewer are accepted")
        model(minimum={"tpr": 0.7}, max_epochs=6).fit(X, y, sensitive_features=group)


# -- other estimators ------------------------------------------------------------------------------


@pytest.mark.parametrize("conditional", [False, True])
def test_fairn_keeps_the_held_out_recourse_gap_within_tolerance(people, conditional):
    X, y, group = people
    watch = Watch()
    asked = {"tolerance": 0.25, "conditional": conditional, "warmup": 0.0, "monitor": watch}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "No epoch met")
        warnings.simplefilter("error", RuntimeWarning)  # its rates are no shares
        fitted = FaiRNClassifier(**QUICK, **asked).fit(X, y, sensitive_features=group)
    X, y, group = watch.rows
    of = y == 1 if conditional else np.ones(len(y), bool)
    gap = recourse_gap(fitted.decision_function(X)[of], sensitive_features=group[of])
    assert kept(fitted)["valid_gap_recourse"] == pytest.approx(gap, abs=1e-5) and gap <= 0.25
    assert fitted.multipliers_.index.tolist() == ["recourse"]
    assert fitted.predict(X).mean() > 0.1
    assert fitted.history_["valid_gap_recourse"].max() > 0.25


def test_fairn_takes_several_classes_with_a_tolerance(people):
    X, _, group = people
    y = np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])
    asked = {"tolerance": 0.3, "unfavorable": [0, 1], "warmup": 0.0}
    fitted = FaiRNClassifier(**QUICK, **asked).fit(X, y, sensitive_features=group)
    assert kept(fitted)["valid_gap_recourse"] <= 0.3
    assert set(fitted.predict(X)) == {0, 1, 2}


def test_dralign_keeps_the_held_out_gap_of_decisions_within_tolerance(people):
    X, y, group = people
    watch = Watch()
    asked = {"criterion": "equalized_odds", "tolerance": 0.1, "monitor": watch, "max_epochs": 8}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "No epoch met")
        fitted = DRAlignClassifier(**(QUICK | asked)).fit(X, y, sensitive_features=group)
    X, y, group = watch.rows
    gap = equalized_odds_difference(y, fitted.predict(X), sensitive_features=group)
    columns = [name for name in fitted.history_ if name.startswith("valid_gap_")]
    assert kept(fitted)[columns].max() == pytest.approx(gap) and gap <= 0.1
    assert "misalignment" in fitted.history_ and fitted.multipliers_.to_numpy().any()


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (FaiRNClassifier(tolerance=0.1, distance="gradient"), "distance='gradient'"),
        (FaiRNClassifier(tolerance=-1.0), "tolerance"),
        (DRAlignClassifier(tolerance=0.1, augment="mixup"), "augment='mixup'"),
        (DRAlignClassifier(confidence=0.9), "confidence=0.9"),
    ],
)
def test_what_does_not_go_together_with_other_estimators(people, estimator, message):
    X, y, group = people
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, y, sensitive_features=group)


@pytest.mark.parametrize("kind", [FaiRNClassifier, DRAlignClassifier])
def test_the_first_class_may_be_the_favorable_one_of_other_estimators(people, kind):
    X, y, group = people
    params = {**QUICK, "tolerance": 0.2, "max_epochs": 2, "dtype": "float64", "unfavorable": 1}
    fitted = kind(**params).fit(X, 1 - y, sensitive_features=group)
    column = "recourse" if kind is FaiRNClassifier else "selection_rate"
    mirrored = kind(**(params | {"unfavorable": 0})).fit(X, y, sensitive_features=group)
    gaps = [of.history_[f"valid_gap_{column}"].to_numpy() for of in (fitted, mirrored)]
    assert gaps[0].max() < 1.5 * gaps[1].max() and gaps[1].max() < 1.5 * gaps[0].max()


@pytest.mark.parametrize("kind", [FaiRNClassifier, DRAlignClassifier])
def test_other_estimators_with_a_tolerance_are_stored_and_go_on(people, kind):
    X, y, group = people
    fitted = kind(**QUICK, tolerance=0.1, warm_start=True).set_params(max_epochs=3)
    fitted.fit(X, y, sensitive_features=group)
    again = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(again.multipliers_, fitted.multipliers_)
    again.set_params(max_epochs=1).fit(X, y, sensitive_features=group)
    assert again.n_iter_ == 4
    again.set_params(tolerance=None).fit(X, y, sensitive_features=group)
    assert again.n_iter_ == 5 and not hasattr(again, "multipliers_")


def test_weights_are_repetitions_in_counts_and_say_no_more_than_their_rows():
    rng = np.random.default_rng(0)
    weights = rng.integers(1, 6, 60)
    groups, cases = torch.tensor(rng.integers(0, 2, (60, 1))), torch.tensor(rng.integers(0, 2, 60))
    repeated = np.repeat(np.arange(60), weights)
    sums, effective = count_cases((cases * torch.tensor(weights))[None].double(), groups, 2)
    counts, same = count_cases(cases[repeated][None].double(), groups[repeated], 2)
    torch.testing.assert_close(sums, counts)
    torch.testing.assert_close(counts, same)  # rows without weights are as many as they are
    n_rows = torch.stack([cases[groups[:, 0] == g].sum() for g in (0, 1)])
    assert (effective < n_rows).all() and (effective > n_rows / 2).all()
