"""PivotClassifier end to end: nothing about the sensitive features is left in the predictions."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from skfair import NetworkClassifier, PenaltyClassifier, PivotClassifier
from skfair.datasets import make_biased_classification

# few epochs are enough, but where the warning is tested
pytestmark = pytest.mark.filterwarnings("ignore:The adversary of PivotClassifier")

QUICK = {"max_epochs": 4, "batch_size": 64, "hidden_layer_sizes": (8,), "random_state": 0}
TRAINED = {"max_epochs": 30, "batch_size": 100, "lr": 3e-3, "random_state": 0}


@pytest.fixture(scope="module")
def people():
    """2,000 rows with a large gap between the groups "a" and "b"."""
    return make_biased_classification(2000, n_features=6, recourse_gap=1.5, random_state=0)


@pytest.fixture(scope="module")
def aged():
    """1,500 rows, labels that depend on three features, of which one is a proxy of an age."""
    rng = np.random.RandomState(0)
    age = rng.gamma(4.0, 10.0, 1500)
    X = np.column_stack([rng.randn(1500), (age - 40) / 20 + 0.3 * rng.randn(1500), rng.randn(1500)])
    y = (X.sum(axis=1) + 0.5 * rng.randn(1500) > 0).astype(int)
    return X, y, age


def shares(model, X, group, where=slice(None)):
    """Share accepted of each group."""
    accepted = model.predict(X)[where]
    return np.array([accepted[group[where] == g].mean() for g in np.unique(group)])


def fit(X, y, sensitive, **params):
    return PivotClassifier(**TRAINED | params).fit(X, y, sensitive_features=sensitive)


# -- what it is for -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(people):
    """Nothing is hidden; not to be fitted again."""
    X, y, group = people
    return fit(X, y, group, lambda_fairness=0)


def test_groups_are_accepted_alike_and_both_are(people, plain):
    X, y, group = people
    fair = fit(X, y, group, lambda_fairness=20)
    gaps = [np.ptp(shares(model, X, group)) for model in (plain, fair)]
    assert gaps[0] > 0.3 and gaps[1] < 0.25 * gaps[0]
    assert shares(fair, X, group).min() > 0.25
    assert fair.score(X, y) > 0.65
    history = fair.history_
    assert {"adversary", "chance", "information"} <= set(history)
    assert history["information"].iloc[-1] < 0.1 * plain.history_["information"].iloc[-1]
    np.testing.assert_allclose(history["chance"], np.log(2), rtol=0.05)  # of groups of one size


def test_equalized_odds_is_parity_among_those_of_a_label(people, plain):
    X, y, group = people
    fair = fit(X, y, group, lambda_fairness=5, criterion="equalized_odds")
    for label in (0, 1):
        gaps = [np.ptp(shares(model, X, group, y == label)) for model in (plain, fair)]
        assert gaps[1] < 0.5 * gaps[0]
    assert fair.score(X, y) > 0.7
    assert np.ptp(shares(fair, X, group)) > 0.1  # no demographic parity: the labels differ


def test_a_quantity_is_hidden_without_groups(aged):
    X, y, age = aged
    plain, fair = (fit(X, y, age, lambda_fairness=weight) for weight in (0, 20))
    correlations = [abs(np.corrcoef(m.decision_function(X), age)[0, 1]) for m in (plain, fair)]
    assert correlations[0] > 0.5 and correlations[1] < 0.1
    quarters = pd.qcut(age, 4, labels=False)
    assert np.ptp(shares(fair, X, quarters)) < 0.4 * np.ptp(shares(plain, X, quarters))
    assert 0.2 < fair.predict(X).mean() < 0.8
    assert fair.groups_ == []


def test_groups_and_quantities_are_hidden_together(aged):
    X, y, age = aged
    group = np.where(X[:, 0] + 0.5 * np.random.RandomState(1).randn(len(X)) > 0, "a", "b")
    table = pd.DataFrame({"age": age, "group": group})
    plain = fit(X, y, table, lambda_fairness=0)
    for attributes, names in (
        ("intersection", ["a", "b"]),
        ("sum", [("group", "a"), ("group", "b")]),
    ):
        fair = fit(X, y, table, lambda_fairness=10, attributes=attributes)
        assert fair.groups_ == names
        assert np.ptp(shares(fair, X, group)) < 0.5 * np.ptp(shares(plain, X, group))
        assert shares(fair, X, group).min() > 0.25
        told, left = (abs(np.corrcoef(m.decision_function(X), age)[0, 1]) for m in (plain, fair))
        assert left < 0.5 * told


def test_several_classes(people):
    X, _, group = people
    decision = X @ np.arange(1, 7) + 3 * (group == "a")
    y = np.array(["low", "middle", "high"])[pd.qcut(decision, 3, labels=False)]
    plain, fair = (fit(X, y, group, lambda_fairness=weight) for weight in (0, 10))
    for label in ("high", "low"):
        rates = [
            [np.mean(m.predict(X)[group == g] == label) for g in ("a", "b")] for m in (plain, fair)
        ]
        assert np.ptp(rates[1]) < 0.6 * np.ptp(rates[0])
    assert fair.score(X, y) > 0.6


def test_several_labels(people):
    X, y, group = people
    both = np.column_stack([y, group == "a"])
    plain, fair = (fit(X, both, group, lambda_fairness=weight) for weight in (0, 5))
    for label in (0, 1):
        rates = [
            [m.predict(X)[group == g, label].mean() for g in ("a", "b")] for m in (plain, fair)
        ]
        assert np.ptp(rates[1]) < 0.5 * np.ptp(rates[0])
    with pytest.raises(ValueError, match="y should be a 1d array"):
        fit(X, both, group, criterion="equalized_odds")


def test_every_attribute_has_a_term_of_its_own_in_the_sum(people, plain):
    X, y, group = people
    other = np.where(X[:, 0] > 0, "u", "v")
    table = pd.DataFrame({"first": group, "second": other})
    summed = fit(X, y, table, attributes="sum", lambda_fairness=0)
    alone = [plain, fit(X, y, other, lambda_fairness=0)]
    chance = sum(model.history_["chance"].iloc[-1] for model in alone)
    assert summed.history_["chance"].iloc[-1] == pytest.approx(chance, rel=1e-4)
    assert len(summed.groups_) == 4


# -- stability ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lr", "weight"), [(1e-3, 1e4), (1e-2, 10)])
def test_predictions_do_not_run_away_from_the_adversary(people, lr, weight):
    """Without the bound at chance, logits grow to thousands at the same weight."""
    X, y, group = people
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that one class is predicted
        model = fit(X, y, group, lambda_fairness=weight, lr=lr, averaging=0, warmup=0)
    assert np.abs(model.decision_function(X)).max() < 100


def test_a_watching_adversary_leaves_the_network_as_it_would_be(biased):
    X, y, group = biased
    params = QUICK | {"max_epochs": 20, "lr": 0.01}
    model = PivotClassifier(lambda_fairness=0, **params).fit(X, y, sensitive_features=group)
    plain = NetworkClassifier(**params).fit(X, y)
    assert np.array_equal(model.decision_function(X), plain.decision_function(X))
    assert model.history_["adversary"].iloc[-1] < model.history_["adversary"].iloc[0]


def test_without_sensitive_features_a_plain_network_is_trained(biased):
    X, y, _ = biased
    with pytest.warns(UserWarning, match="a plain network is trained"):
        model = PivotClassifier(**QUICK).fit(X, y)
    plain = NetworkClassifier(**QUICK).fit(X, y)
    assert np.array_equal(model.decision_function(X), plain.decision_function(X))
    assert not model.net_.player_optimizers_


def adversary_of(model):
    return [tensor.clone() for tensor in model.net_.players_["adversary"].state_dict().values()]


def same(one, other):
    return len(one) == len(other) and all(map(torch.equal, one, other))


@pytest.mark.parametrize("quantity", [False, True])
def test_training_goes_on_with_both_players(biased, quantity):
    X, y, group = biased
    sensitive = X[:, 0] if quantity else group
    model = PivotClassifier(**QUICK).fit(X, y, sensitive_features=sensitive)
    stored = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(model))))
    before = adversary_of(model)
    for each in (model, stored):
        each.partial_fit(X, y, sensitive_features=sensitive)
    assert np.array_equal(model.decision_function(X), stored.decision_function(X))
    assert same(adversary_of(model), adversary_of(stored))
    assert not same(before, adversary_of(model))


def test_an_adversary_that_knew_other_groups_begins_anew(biased):
    X, y, group = biased
    model = PivotClassifier(warm_start=True, **QUICK).fit(X, y, sensitive_features=group)
    again = pickle.loads(pickle.dumps(model)).set_params(lr=1e-12)
    before = adversary_of(model)
    again.fit(X, y, sensitive_features=group)
    assert all(map(torch.allclose, adversary_of(again), before))
    again.fit(X, y, sensitive_features=np.where(group == "a", "c", "d"))
    bias = adversary_of(again)[-1]  # of the last layer: the shares, as at first
    np.testing.assert_allclose(bias, np.log([0.5, 0.5]), rtol=1e-6)
    assert not np.allclose(adversary_of(model)[-1], bias, rtol=1e-4)


def test_a_group_that_comes_later_is_taken_in(biased):
    X, y, group = biased
    model = PivotClassifier(**QUICK).fit(X, y, sensitive_features=group)
    network = [p.clone() for p in model.module_.parameters()]
    later = np.where(X[:, 0] > 1, "c", group)
    model.set_params(lr=1e-12).partial_fit(X, y, sensitive_features=later)
    assert model.groups_ == ["a", "b", "c"]
    assert model.net_.players_["adversary"].n_groups == 3
    assert all(map(torch.allclose, network, model.module_.parameters()))


def test_an_adversary_that_learns_nothing_is_told(people):
    X, y, group = people
    with pytest.warns(UserWarning, match=r"knows less about the groups \(.* nats\) than the decis"):
        fit(X, y, group, adversary_lr=1e-12)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*knows less about the groups")
        fit(X, y, group, adversary_steps=3)  # with one it depends on the seed
        fit(X, y, group, lambda_fairness=0, adversary_lr=1e-12)  # nothing is asked of it


# -- the adversary --------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 3])
def test_it_takes_its_steps_for_each_of_the_network(biased, steps):
    X, y, group = biased
    model = PivotClassifier(adversary_steps=steps, **QUICK).fit(X, y, sensitive_features=group)
    (theirs,) = {
        int(state["step"]) for state in model.net_.player_optimizers_["adversary"].state.values()
    }
    (ours,) = {int(state["step"]) for state in model.net_.optimizer_.state.values()}
    assert theirs == steps * ours == steps * 4 * 10


def test_it_has_the_shape_of_the_network_or_one_of_its_own(biased):
    X, y, group = biased

    def sizes(**params):
        model = PivotClassifier(**QUICK | params).fit(X, y, sensitive_features=group)
        body = model.net_.players_["adversary"].body
        return [(m.in_features, m.out_features) for m in body.modules() if isinstance(m, nn.Linear)]

    assert sizes() == [(1, 8), (8, 2)]
    assert sizes(hidden_layer_sizes=(5, 4), dropout=0.5) == [(1, 5), (5, 4), (4, 2)]
    assert sizes(module=nn.Linear) == [(1, 8), (8, 2)]
    assert sizes(adversary=nn.Linear) == [(1, 2)]
    assert sizes(criterion="equalized_odds") == [(3, 8), (8, 2)]
    with pytest.raises(TypeError, match=r"callable as \(n_features, n_outputs\)"):
        sizes(adversary=lambda: nn.Linear(1, 2))


def test_its_learning_rate_is_that_of_the_network_or_one_of_its_own(biased):
    X, y, group = biased
    for params, expected in (({}, 1e-3), ({"lr": 0.01}, 0.01), ({"adversary_lr": 0.5}, 0.5)):
        model = PivotClassifier(**QUICK | params).fit(X, y, sensitive_features=group)
        (rates,) = model.net_.player_optimizers_["adversary"].param_groups
        assert rates["lr"] == expected


def test_groups_weigh_by_their_share_or_all_alike():
    X, y, group = make_biased_classification(
        1000, n_features=6, group_proportions=(0.9, 0.1), random_state=0
    )
    chances = {}
    for weights in ("share", "equal"):
        model = PivotClassifier(group_weights=weights, **QUICK | {"batch_size": -1})
        model.fit(X, y, sensitive_features=group)
        chances[weights] = model.history_["chance"].iloc[0]
    p = np.mean(group == "a")
    assert chances["share"] == pytest.approx(-p * np.log(p) - (1 - p) * np.log(1 - p), rel=1e-5)
    assert chances["equal"] == pytest.approx(np.log(2), rel=1e-5)


@pytest.mark.parametrize("sampling", ["group", "group_label"])
def test_chance_is_that_of_balanced_batches(sampling):
    X, y, group = make_biased_classification(
        1000, n_features=6, group_proportions=(0.9, 0.1), random_state=0
    )
    for criterion in ("demographic_parity", "equalized_odds"):
        model = PivotClassifier(sampling=sampling, criterion=criterion, **QUICK)
        model.fit(X, y, sensitive_features=group)
        if sampling == "group_label" or criterion == "demographic_parity":
            assert model.history_["chance"].iloc[0] == pytest.approx(np.log(2), rel=1e-5)
        assert model.history_["adversary"].iloc[0] > 0.9 * model.history_["chance"].iloc[0]


# -- quantities -----------------------------------------------------------------------------------


def sensitive_of(model):
    """What a batch had beside X, as the net saw it."""
    return model._encoder.continuous


def test_numbers_that_cannot_be_groups_are_quantities(biased):
    X, y, group = biased
    years = np.round(40 + 12 * X[:, 0])
    table = pd.DataFrame(
        {"group": group, "years": years, "exact": X[:, 1], "child": years < 30, "code": years % 3}
    )
    model = PivotClassifier(attributes="sum", **QUICK).fit(X, y, sensitive_features=table)
    assert sorted(model._encoder.continuous) == [1, 2]
    assert {name for name, _ in model.groups_} == {"group", "child", "code"}
    mean, deviation = model._encoder.continuous[1]
    assert (mean, deviation) == (pytest.approx(years.mean()), pytest.approx(years.std()))
    pickle.loads(pickle.dumps(model)).partial_fit(X, y, sensitive_features=table)


@pytest.mark.parametrize("columns", ["code", ["code"], 1, [1], slice(1, 2)])
def test_quantities_can_be_named(biased, columns):
    X, y, group = biased
    table = pd.DataFrame({"group": group, "code": np.round(X[:, 0])})
    model = PivotClassifier(continuous_features=columns, **QUICK)
    assert model.fit(X, y, sensitive_features=table).groups_ == ["a", "b"]
    assert list(model._encoder.continuous) == [1]


def test_forms_of_a_quantity_are_alike(biased):
    X, y, _ = biased
    age = 40 + 10 * X[:, 0]
    forms = [age, age.tolist(), pd.Series(age, index=np.arange(600) + 7), age[:, None], 2 * age + 1]
    expected, *others = (
        PivotClassifier(**QUICK).fit(X, y, sensitive_features=form).decision_function(X)
        for form in forms
    )
    for found in others:
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_row_whose_quantity_is_missing_only_trains_the_classifier(biased):
    X, y, _ = biased
    age = np.where(np.arange(600) % 10 == 0, np.nan, X[:, 0])
    with pytest.warns(UserWarning, match=r"sensitive_features is missing in 60 of 600 rows"):
        model = PivotClassifier(**QUICK).fit(X, y, sensitive_features=age)
    known = ~np.isnan(age)
    assert sensitive_of(model)[0][0] == pytest.approx(age[known].mean())
    assert np.isfinite(model.history_["information"]).all()


def test_weights_are_repetitions_with_quantities_too(biased):
    X, y, _ = biased
    full = QUICK | {"batch_size": -1, "dtype": "float64"}
    weights = np.random.RandomState(0).randint(0, 4, len(y))
    rows = np.repeat(np.arange(len(y)), weights)
    age = np.round(20 * X[:, 0])
    model = PivotClassifier(continuous_features=0, **full)
    weighted = model.fit(X, y, sensitive_features=age, sample_weight=weights).decision_function(X)
    repeated = model.fit(X[rows], y[rows], sensitive_features=age[rows]).decision_function(X)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full(600, 2.5), r"at least two different finite numbers .* got \[2.5\]"),
        (np.full(600, np.nan), r"at least two different finite numbers .* got \[\]"),
        (np.r_[np.inf, np.arange(599.0)], "finite numbers"),
        (np.array(["a", "b", "c"] * 200), "'0' must hold numbers|0 must hold numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_no_quantity_is_refused(biased, values, message):
    X, y, _ = biased
    model = PivotClassifier(continuous_features=0, **QUICK)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, sensitive_features=values)
    assert not hasattr(model, "classes_")


def test_a_column_that_is_not_there_is_named(biased):
    X, y, group = biased
    model = PivotClassifier(continuous_features="age", **QUICK)
    with pytest.raises(ValueError, match="continuous_features: sensitive_features has no column"):
        model.fit(X, y, sensitive_features=pd.DataFrame({"group": group}))


@pytest.mark.parametrize(
    "model", [PenaltyClassifier(**QUICK), PivotClassifier(continuous_features=None, **QUICK)]
)
def test_where_only_groups_are_taken_a_quantity_is_an_error(biased, model):
    X, y, _ = biased
    with pytest.raises(ValueError, match="is continuous: a float column"):
        model.fit(X, y, sensitive_features=X[:, 0])
    with pytest.raises(ValueError, match="has .* groups, more than 50"):
        model.fit(X, y, sensitive_features=np.round(20 * X[:, 0]).astype(int))


def test_later_calls_keep_to_the_columns_of_the_first(biased):
    X, y, _ = biased
    model = PivotClassifier(**QUICK).partial_fit(X, y, sensitive_features=X[:, 0])
    scale = sensitive_of(model)
    model.partial_fit(X[:20], y[:20], sensitive_features=np.ones(20))  # quantities still
    assert sensitive_of(model) == scale
    with pytest.raises(ValueError, match="same columns in every call"):
        model.partial_fit(X, y, sensitive_features=X[:, :2])


def test_early_stopping_and_the_best_epoch_with_quantities(biased):
    X, y, _ = biased
    stop = {"early_stopping": True, "restore_best": True, "tol": 10.0, "n_iter_no_change": 2}
    model = PivotClassifier(**stop, **QUICK | {"max_epochs": 40})
    model.fit(X, y, sensitive_features=X[:, 0])
    assert model.n_iter_ < 40
    assert {"valid_information", "valid_adversary"} <= set(model.history_)
