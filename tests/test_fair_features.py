"""Features that do not tell the group, a score that nobody was trained to fool, a transformer."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfair import FairFeaturesClassifier
from skfair.fair_features import held_out_rows, row_hashes
from skfair.metrics._fresh import fresh_scores
from skfair.model_selection import StackedSearchCV

QUICK = {"max_epochs": 4, "batch_size": 128, "random_state": 0, "hidden_layer_sizes": (16,)}
QUICK |= {"score_fraction": 0.0}  # the score takes longer than the training
SCORED = {"score_fraction": 0.1}


@pytest.fixture(scope="module")
def shifted():
    """2,400 rows: the group is in one direction, a scale and a sign, the label in others."""
    rng = np.random.RandomState(0)
    group = rng.choice(["F", "M", "M"], 2400)
    men = group == "M"
    X = rng.normal(size=(2400, 12))
    y = (X[:, :3].sum(axis=1) + 0.3 * rng.normal(size=2400) > 0).astype(int)
    X[:, 3] += 1.5 * men
    X[:, 4] *= np.where(men, 2.0, 0.5)
    X[:, 5] = np.where(men, np.abs(X[:, 5]), X[:, 5])
    return (X @ np.linalg.qr(rng.normal(size=(12, 12)))[0]).astype(np.float32), y, group


def fit(X, y, group, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return FairFeaturesClassifier(**(QUICK | params)).fit(X, y, sensitive_features=group)


# -- the game -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_fresh_classifier_is_no_better_than_the_majority_on_new_rows(shifted):
    X, y, group = shifted
    new = np.arange(len(y)) >= 1600
    settings = {"max_epochs": 25, "hidden_layer_sizes": (64, 64, 64), "batch_size": 64}
    codes, scores, areas = (group == "M").astype(int), {}, {}
    for name, params in {
        "plain": {"alpha": 0.0},
        "printed": {"alpha": 10.0, "reversal": 0.0},
        "hidden": {"alpha": 10.0, "target_group": "F"},
    }.items():
        model = fit(X[~new], y[~new], group[~new], **(settings | params))
        features = model.transform(X)
        found = fresh_scores(features[~new], codes[~new], None, features[new], codes[new], None)
        scores[name] = max(each["accuracy"] - each["majority"] for each in found)
        areas[name] = max(each["roc_auc"] for each in found)
        assert model.score(X[new], y[new]) > 0.85
    assert scores["hidden"] < 0.03 and scores["plain"] > 0.06
    assert areas["hidden"] < 0.63
    assert min(areas["plain"], areas["printed"]) > 0.68


def test_the_sensitive_head_learns_and_the_network_is_rewarded_where_it_fails(shifted):
    X, y, group = shifted
    history = fit(X, y, group, alpha=2.0, reversal=0.5).history_
    total = history["cross_entropy"] + 2 * (
        history["penalty"] - 0.5 * history["sensitive_cross_entropy"]
    )
    assert_allclose(history["train_loss"], total, rtol=1e-5)


def test_without_groups_and_with_alpha_0_it_is_a_plain_network(shifted):
    X, y, group = shifted
    plain = fit(X, y, group, alpha=0.0, **SCORED)
    assert_array_equal(plain.decision_function(X), fit(X, y, None).decision_function(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FairFeaturesClassifier(**QUICK, alpha=0.0).fit(X, y)
    with pytest.warns(UserWarning, match="a plain network is trained"):
        FairFeaturesClassifier(**QUICK).fit(X, y)
    assert not plain.net_.players_ and plain.sensitive_score_ > plain.sensitive_majority_


def test_warm_up_early_stopping_and_the_best_epoch(shifted):
    X, y, group = shifted
    slow = fit(X, y, group, warmup=1.0, alpha=5.0)
    assert (
        slow.history_["train_loss"].iloc[0]
        > fit(X, y, group, alpha=5.0).history_["train_loss"].min()
    )
    stopped = fit(X, y, group, early_stopping=True, restore_best=True, n_iter_no_change=1, tol=10.0)
    assert stopped.n_iter_ < 4
    assert {"valid_penalty", "valid_sensitive_cross_entropy"} <= set(stopped.history_)


# -- target groups --------------------------------------------------------------------------------


def test_target_is_the_largest_group_unless_it_is_named(shifted):
    X, y, group = shifted
    assert fit(X, y, group).target_group_ == "M"
    assert fit(X, y, group, target_group="F").target_group_ == "F"
    of_women = np.where(group == "F", 5.0, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = FairFeaturesClassifier(**QUICK).fit(
            X, y, sensitive_features=group, sample_weight=of_women
        )
    assert model.target_group_ == "F"
    assert fit(X, y, None).target_group_ is None
    with pytest.raises(ValueError, match=r"target_group must be one of .*'F', 'M'.* got 'X'"):
        fit(X, y, group, target_group="X")


def test_the_target_makes_a_difference(shifted):
    X, y, group = shifted
    one, other = (fit(X, y, group, target_group=g).decision_function(X) for g in "FM")
    assert not np.array_equal(one, other)


def test_a_target_for_each_attribute(shifted):
    X, y, group = shifted
    frame = pd.DataFrame({"sex": group, "third": np.arange(len(y)) % 3})
    model = fit(X, y, frame, attributes="sum", **SCORED)
    assert [g[0] for g in model.target_group_] == ["sex", "third"]
    named = fit(X, y, frame, attributes="sum", target_group=[("third", 2), ("sex", "F")])
    assert named.target_group_ == [("sex", "F"), ("third", 2)]
    one = fit(X, y, frame, attributes="sum", target_group=("third", 2))
    assert one.target_group_ == [("sex", "M"), ("third", 2)]
    assert set(model.sensitive_scores_["attribute"]) == {"sex", "third"}
    assert len(model.net_.players_) == 2
    with pytest.raises(ValueError, match="one for each attribute"):
        fit(X, y, frame, attributes="sum", target_group=[("third", 1), ("third", 2)])


def test_three_groups_with_equal_weights_and_missing_ones(shifted):
    X, y, group = shifted
    third = pd.Series(group).mask(np.arange(len(y)) % 5 == 0, "N")
    some = third.mask(np.arange(len(y)) % 7 == 0)
    model = fit(X, y, some, group_weights="equal", target_group="N")
    assert model.groups_ == ["F", "M", "N"]
    weights = model.net_.recipe.objective.terms.keywords["attributes"]["sensitive_0"].weights
    counts = some.value_counts().loc[model.groups_].to_numpy()
    assert weights[-1] == 0  # of rows without a group
    assert_allclose(weights[:-1].numpy() * counts, np.full(3, counts.mean()), rtol=1e-5)
    assert np.isfinite(model.decision_function(X)).all()


# -- the score ------------------------------------------------------------------------------------


def test_groups_of_held_out_rows_have_no_part_in_training(shifted):
    X, y, group = shifted
    tested = held_out_rows(row_hashes(X), np.ones(len(y), bool), 0.1)
    assert 0.08 < tested.mean() < 0.12
    swapped = np.where(tested, np.where(group == "F", "M", "F"), group)
    one, other = (fit(X, y, each, **SCORED) for each in (group, swapped))
    if one.target_group_ == other.target_group_:
        assert_array_equal(one.transform(X), other.transform(X))
    assert one.sensitive_majority_ == pytest.approx((group[tested] == "M").mean())
    assert one.sensitive_score_ != other.sensitive_score_


def test_score_is_that_of_the_better_fresh_classifier(shifted):
    X, y, group = shifted
    model = fit(X, y, group, alpha=0.0, **SCORED)
    tested, codes = (
        held_out_rows(row_hashes(X), np.ones(len(y), bool), 0.1),
        (group == "M").astype(int),
    )
    features = model.transform(X)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    linear.fit(features[~tested], codes[~tested])
    table = model.sensitive_scores_.set_index("classifier")
    accuracy = linear.score(features[tested], codes[tested])
    assert table.loc["logistic regression", "accuracy"] == pytest.approx(accuracy)
    assert model.sensitive_score_ == table["accuracy"].max()
    assert table["roc_auc"].between(0.5, 1).all()


def test_copies_of_a_row_are_on_the_same_side():
    X = np.random.RandomState(0).normal(size=(500, 3))
    copies = np.r_[np.arange(500), np.arange(0, 500, 2)]
    hashes = row_hashes(X[copies])
    assert_array_equal(hashes, row_hashes(X)[copies])
    assert len(np.unique(hashes)) == 500
    assert hashes.min() >= 0 and hashes.max() <= 1
    known = np.arange(500) % 2 == 0
    assert not held_out_rows(row_hashes(X), known, 0.5)[~known].any()
    assert not held_out_rows(row_hashes(X[:20]), known[:20], 0.2).any()  # too few


def test_there_is_no_score_where_nothing_can_be_tested(shifted):
    X, y, group = shifted
    nothing = [
        fit(X, y, None, **SCORED),
        fit(X, y, group),
        fit(X[:60], y[:60], group[:60], **SCORED),
        fit(X, y, group, **SCORED).partial_fit(X, y, sensitive_features=group),
    ]
    for model in nothing:
        assert np.isnan(model.sensitive_score_) and np.isnan(model.sensitive_majority_)
        assert model.sensitive_scores_.empty


def test_weights_count_in_the_score():
    rng = np.random.RandomState(0)
    features, codes = rng.normal(size=(200, 2)), rng.randint(2, size=200)
    features[:, 0] += codes
    weights = rng.randint(1, 4, 200)
    copies = np.repeat(np.arange(200), weights)
    weighted = fresh_scores(features, codes, weights, features, codes, weights)
    repeated = fresh_scores(
        features[copies], codes[copies], None, features[copies], codes[copies], None
    )
    assert weighted[0]["accuracy"] == pytest.approx(repeated[0]["accuracy"], abs=0.01)
    assert weighted[0]["majority"] == pytest.approx(repeated[0]["majority"])


# -- the transformer ------------------------------------------------------------------------------


def test_features_are_what_the_head_decides_by(shifted):
    X, y, group = shifted
    model = fit(X, y, group, embedding_size=5)
    features = model.transform(X)
    assert features.shape == (len(y), 5)
    head = model.module_.head.double()
    logits = head(torch.from_numpy(features)).detach().numpy()
    assert_allclose(logits[:, 1] - logits[:, 0], model.decision_function(X), rtol=1e-9, atol=1e-9)
    names = [f"fairfeaturesclassifier{i}" for i in range(5)]
    assert model.get_feature_names_out().tolist() == names
    table = model.set_output(transform="pandas").transform(X)
    assert table.columns.tolist() == names
    assert_array_equal(table.to_numpy(), features)


def test_fit_transform_takes_groups(shifted):
    X, y, group = shifted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = FairFeaturesClassifier(**QUICK).fit_transform(X, y, sensitive_features=group)
    assert_array_equal(found, fit(X, y, group).transform(X))


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_sits_before_any_classifier_in_a_pipeline(shifted, routing):
    X, y, group = shifted
    pipeline = make_pipeline(
        StandardScaler(), FairFeaturesClassifier(**QUICK), LogisticRegression()
    )
    name = "sensitive_features" if routing else "fairfeaturesclassifier__sensitive_features"
    with sklearn.config_context(enable_metadata_routing=routing):
        pipeline.fit(X, y, **{name: group})
        assert pipeline[1].groups_ == ["F", "M"]
        assert pipeline.predict(X).shape == y.shape
        if routing:
            grid = {"fairfeaturesclassifier__alpha": [0.0, 1.0]}
            search = GridSearchCV(clone(pipeline), grid, cv=2, error_score="raise")
            assert search.fit(X, y, sensitive_features=group).best_estimator_[1].groups_
    expected = fit(StandardScaler().fit_transform(X), y, group)
    assert_array_equal(pipeline[:2].transform(X), expected.transform(pipeline[0].transform(X)))


def test_a_search_that_trains_networks_together_leaves_it_alone(shifted):
    X, y, group = (part[:400] for part in shifted)
    model = FairFeaturesClassifier(**QUICK | {"max_epochs": 1})
    searches = [
        kind(model, {"alpha": [0.0, 1.0]}, cv=2, error_score="raise", refit=False)
        for kind in (GridSearchCV, StackedSearchCV)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        scores = [
            search.fit(X, y, sensitive_features=group).cv_results_["mean_test_score"]
            for search in searches
        ]
    assert_array_equal(*scores)


def test_images_tensors_and_several_labels(shifted):
    X, y, group = shifted
    images = np.clip(40 * np.pad(X[:200], ((0, 0), (0, 244))) + 128, 0, 255).astype(np.uint8)
    images = images.reshape(-1, 16, 16)
    both = np.c_[y, 1 - y][:200]
    settings = QUICK | SCORED | {"module": "convnet", "embedding_size": 6}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = FairFeaturesClassifier(**settings).fit(images, both, sensitive_features=group[:200])
    assert model.transform(images).shape == (200, 6)
    assert model.predict(images).shape == (200, 2)
    assert np.isfinite(model.sensitive_score_)
    tensor = torch.from_numpy(images)
    assert_array_equal(model.transform(tensor), model.transform(images))


# -- going on -------------------------------------------------------------------------------------


def weights_of(model):
    net = model.net_
    return [
        *map(np.copy, (p.detach().numpy() for p in net.module_.parameters())),
        *map(np.copy, (p.detach().numpy() for p in net.players_.parameters())),
    ]


def test_training_goes_on_with_both_players(shifted):
    X, y, group = shifted
    model = fit(X, y, group, averaging=0.0, **SCORED)
    stored = pickle.loads(pickle.dumps(model))
    assert stored.sensitive_score_ == model.sensitive_score_
    pd.testing.assert_frame_equal(stored.sensitive_scores_, model.sensitive_scores_)
    before = weights_of(model)
    for each in (model, stored):
        each.partial_fit(X, y, sensitive_features=group)
    assert all(map(np.array_equal, weights_of(model), weights_of(stored)))
    assert not any(map(np.array_equal, before, weights_of(model)))


def test_groups_that_join_later_find_a_place_in_the_sensitive_head(shifted):
    X, y, group = shifted
    model = fit(X, y, group)
    third = np.where(np.arange(len(y)) % 2, "A", group)
    size = sum(p.numel() for p in model.net_.players_.parameters())
    model.partial_fit(X, y, sensitive_features=third)
    assert model.groups_ == ["F", "M", "A"]
    assert model.target_group_ == "M"  # though "A" has more rows now
    assert sum(p.numel() for p in model.net_.players_.parameters()) == size


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_warm_start_keeps_the_sizes_and_may_begin_without_groups(shifted):
    X, y, group = shifted
    model = FairFeaturesClassifier(**QUICK, warm_start=True).fit(X, y)
    assert model.target_group_ is None and not model.net_.players_
    model.set_params(sensitive_layer_sizes=(5,), embedding_size=3)
    model.fit(X, y, sensitive_features=group)
    assert model.target_group_ == "M"
    assert model.transform(X).shape[1] == 16
    assert [layer.out_features for layer in model.net_.players_["sensitive_0"].hidden] == [64, 64]
    frame = pd.DataFrame({"sex": group, "third": np.arange(len(y)) % 3})
    model.set_params(attributes="sum").fit(X, y, sensitive_features=frame)
    assert len(model.target_group_) == 2
