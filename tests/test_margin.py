"""Angular margins: the estimator."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from torch import nn

from skfair import LabelFlipClassifier, MarginClassifier, NetworkClassifier, PenaltyClassifier
from skfair.networks._heads import CosineHead

QUICK = {"max_epochs": 5, "batch_size": 64, "hidden_layer_sizes": (16,), "random_state": 0}


def model(**params):
    return MarginClassifier(**(QUICK | params))


@pytest.fixture(scope="module")
def people():
    """Clouds of 6 points around 120 people, of two groups, and a further cloud for each."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(120), 6)
    centers = rng.normal(size=(120, 8))
    X = centers[y] + 0.3 * rng.normal(size=(len(y), 8))
    return X, np.char.add("id", y.astype(str)), np.where(y % 3 == 0, "M", "F")


def square_images(n=90, n_classes=5):
    rng = np.random.default_rng(0)
    y = np.arange(n) % n_classes
    patterns = rng.normal(size=(n_classes, 1, 6, 6))
    X = (patterns[y] + rng.normal(size=(n, 1, 6, 6))).astype(np.float32)
    return X, y, np.where(np.arange(n) % 2, "F", "M")


def convolution(input_shape, n_outputs):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(16, n_outputs)
    )


# -- what is learned ------------------------------------------------------------------------------


def test_hundreds_of_people_are_told_apart(people):
    X, y, group = people
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = model(max_epochs=60, lr=0.01, group_margins={"F": 0.5})
        fitted.fit(X, y, sensitive_features=group)
    assert len(fitted.classes_) == 120
    assert fitted.score(X, y) > 0.9
    assert fitted.predict_proba(X[:4]).shape == (4, 120)


def test_logits_are_scaled_cosines_of_the_embedding_without_a_margin(people):
    X, y, group = people
    fitted = model(scale=12.0, embedding_size=7, group_margins={"F": 0.75})
    fitted.fit(X, y, sensitive_features=group)
    head = fitted.module_.head
    assert isinstance(head, CosineHead)
    embedded = fitted.embed(X)
    assert embedded.shape == (len(X), 7)
    np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1)
    directions = head.weight.detach().double().numpy()
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    logits = fitted.decision_function(X)
    np.testing.assert_allclose(logits, 12 * embedded @ directions.T, atol=1e-10)


def test_loss_of_an_untrained_network_has_the_margins_of_the_groups(people):
    X, y, group = people

    def first_loss(**params):
        fitted = model(max_epochs=1, batch_size=-1, lr=1e-12, focal=0.0, dtype="float64", **params)
        return fitted.fit(X, y, sensitive_features=group)

    fitted = first_loss(group_margins={"F": 0.75})
    logits = fitted.decision_function(X)
    own = np.searchsorted(fitted.classes_, y)
    logits[np.arange(len(y)), own] -= 30 * np.where(group == "F", 0.75, 0.35)
    expected = (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), own]).mean()
    assert fitted.history_["cross_entropy"].iloc[0] == pytest.approx(expected, rel=1e-6)


def test_margin_of_a_group_that_equals_the_others_changes_nothing(people):
    X, y, group = people
    plain = model().fit(X, y, sensitive_features=group)
    same = model(group_margins={"F": 0.35, "M": 0.35}).fit(X, y, sensitive_features=group)
    other = model(group_margins={"F": 0.36}).fit(X, y, sensitive_features=group)
    assert np.array_equal(plain.decision_function(X), same.decision_function(X))
    assert not np.array_equal(plain.decision_function(X), other.decision_function(X))


def test_margins_without_groups_are_plain_margins_with_a_warning(people):
    X, y, _ = people
    with pytest.warns(UserWarning, match="neither sensitive_features"):
        warned = model(group_margins={"F": 0.75}).fit(X, y)
    assert np.array_equal(warned.decision_function(X), model().fit(X, y).decision_function(X))


def test_keys_are_tuples_for_combinations_and_pairs_for_sums(people):
    X, y, group = people
    both = np.column_stack([group, np.where(np.arange(len(y)) % 12 < 6, "young", "old")])
    model(group_margins={("F", "old"): 0.5}).fit(X, y, sensitive_features=both)
    summed = model(attributes="sum", group_margins={("0", "F"): 0.5})
    with pytest.raises(ValueError, match=r"group_margins names \[\('0', 'F'\)\].*\(0, 'F'\)"):
        summed.fit(X, y, sensitive_features=both)
    summed.set_params(group_margins={(0, "F"): 0.5, (1, "old"): 0.4})
    summed.fit(X, y, sensitive_features=both)


@pytest.mark.parametrize("where", ["train", "holdout"])
@pytest.mark.parametrize("penalty", ["equal_loss", "max_min"])
def test_penalties_act_on_the_losses_with_margins(people, penalty, where):
    X, y, group = people
    fitted = model(penalty=penalty, penalty_on=where, group_margins={"F": 0.75})
    fitted.fit(X, y, sensitive_features=group)
    assert (fitted.history_["penalty"] > 0).all()
    again = clone(fitted).set_params(alpha=0.0).fit(X, y, sensitive_features=group)
    assert not np.array_equal(fitted.decision_function(X), again.decision_function(X))


def test_equal_loss_makes_the_losses_more_alike(people):
    X, y, group = people
    gaps = []
    for alpha in (0.0, 2.0):
        fitted = model(
            penalty="equal_loss",
            alpha=alpha,
            group_margins={"F": 0.75},
            max_epochs=20,
            batch_size=-1,
            lr=0.01,
            focal=0.0,
        ).fit(X, y, sensitive_features=group)
        logits = fitted.decision_function(X)
        own = np.searchsorted(fitted.classes_, y)
        logits[np.arange(len(y)), own] -= 30 * np.where(group == "F", 0.75, 0.35)
        losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), own]
        gaps.append(abs(losses[group == "F"].mean() - losses[group == "M"].mean()))
    assert gaps[1] < gaps[0] / 2


def test_images_keep_their_shape():
    X, y, group = square_images()
    fitted = model(module=convolution, embedding_size=3, group_margins={"F": 0.5})
    fitted.fit(X, y, sensitive_features=group)
    assert fitted.embed(X).shape == (len(X), 3)
    assert fitted.predict(X).shape == (len(X),)


# -- state ----------------------------------------------------------------------------------------


def test_training_goes_on_after_pickle_and_skops_as_without(people):
    X, y, group = people
    fitted = model(penalty="equal_loss", group_margins={"F": 0.75})
    fitted.fit(X, y, sensitive_features=group)
    copies = [pickle.loads(pickle.dumps(fitted))]
    data = skops.io.dumps(fitted)
    copies.append(skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data)))
    assert all(np.array_equal(each.embed(X), fitted.embed(X)) for each in copies)
    fitted.partial_fit(X, y, sensitive_features=group)
    for each in copies:
        each.partial_fit(X, y, sensitive_features=group)
        assert np.array_equal(each.embed(X), fitted.embed(X))


def test_batches_of_few_people_are_no_cause_for_a_warning(people):
    X, y, group = people
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = np.arange(0, len(y), 5)
        fitted = model().partial_fit(X[rows], y[rows], np.unique(y), sensitive_features=group[rows])
    assert len(fitted.classes_) == 120


def test_scale_of_the_head_stays_while_training_goes_on(people):
    X, y, group = people
    fitted = model(warm_start=True).fit(X, y, sensitive_features=group)
    same = pickle.loads(pickle.dumps(fitted)).fit(X, y, sensitive_features=group)
    fitted.set_params(scale=5.0).fit(X, y, sensitive_features=group)
    assert fitted.module_.head.scale == 30.0
    assert np.array_equal(fitted.decision_function(X), same.decision_function(X))


# -- errors ---------------------------------------------------------------------------------------

PARAMETERS = [
    ({"margin": -0.1}, r"'margin'.*Got -0.1"),
    ({"scale": 0.0}, r"'scale'.*Got 0.0"),
    ({"focal": -1.0}, r"'focal'.*Got -1.0"),
    ({"embedding_size": 0}, r"'embedding_size'.*Got 0"),
    ({"penalty": "equalized_odds"}, r"'penalty'.*'equal_loss'.*Got 'equalized_odds'"),
    ({"group_margins": [0.75]}, r"'group_margins'.*Got \[0.75\]"),
    ({"group_margins": {"F": -1}}, "group_margins must hold non-negative.*got -1 for 'F'"),
    ({"group_margins": {"F": np.inf}}, "group_margins must hold non-negative.*got inf"),
    ({"group_margins": {"F": "wide"}}, "group_margins must hold non-negative.*got 'wide'"),
    ({"group_margins": {"women": 0.5}}, r"group_margins names \['women'\].*\['F', 'M'\]"),
]


@pytest.mark.parametrize(("params", "message"), PARAMETERS)
def test_wrong_parameters_are_named_with_what_would_do(people, params, message):
    X, y, group = people
    with pytest.raises(ValueError, match=message):
        model(**params).fit(X, y, sensitive_features=group)


# -- label flipping -------------------------------------------------------------------------------


def test_flipping_swaps_people_with_others_of_their_group(people):
    X, y, group = people
    flipped = LabelFlipClassifier(
        estimator=model(max_epochs=3), flip_fraction=0.5, flip_group="M", random_state=0
    ).fit(X, y, sensitive_features=group)
    n_flipped = round(0.5 * (group == "M").sum())
    assert flipped.history_["flipped"].tolist() == [n_flipped] * 3
    assert flipped.embed(X).shape == (len(X), 64)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_flipping_works_on_images_and_in_cross_validation(dtype):
    X, y, group = square_images()
    X = (40 * (X - X.min())).clip(0, 255).astype(dtype)
    for inside in (model, lambda **kw: NetworkClassifier(**(QUICK | kw))):
        flipped = LabelFlipClassifier(
            estimator=inside(module=convolution), flip_fraction=0.4, random_state=0
        ).fit(X, y, sensitive_features=group)
        assert flipped.flip_group_ in ("F", "M")
        assert flipped.predict(X).shape == (len(X),)
    plain = LabelFlipClassifier(module=convolution, **QUICK).fit(X, y, sensitive_features=group)
    assert plain.predict(X).shape == (len(X),)
    assert not hasattr(plain, "embed")


# -- focal loss and several labels a row, in the other networks -----------------------------------


@pytest.fixture(scope="module")
def findings():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5))
    y = (X[:, :3] + rng.normal(size=(400, 3)) > [0.0, 1.5, 2.5]).astype(int)
    return X, y, np.where(rng.random(400) < 0.5, "a", "b")


ESTIMATORS = [NetworkClassifier, PenaltyClassifier]


def several(cls, **params):
    extra = {"penalty": "equal_loss"} if cls is PenaltyClassifier else {}
    return cls(**(QUICK | {"lr": 0.01, "max_epochs": 20} | extra | params))


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_balanced_weighs_the_positives_of_each_label(cls, findings):
    X, y, group = findings
    share = y.mean(axis=0)
    balanced = several(cls, class_weight="balanced").fit(X, y, sensitive_features=group)
    by_dict = several(cls, class_weight=dict(enumerate((1 - share) / share)))
    by_dict.fit(X, y, sensitive_features=group)
    np.testing.assert_allclose(balanced.predict_proba(X), by_dict.predict_proba(X))
    plain = several(cls).fit(X, y, sensitive_features=group)
    found = [(each.predict(X) * y).sum(axis=0) / y.sum(axis=0) for each in (plain, balanced)]
    assert (found[0][1:] < 0.5).all()  # of the rare positives
    assert (found[1] > 0.6).all()


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_a_dict_weighs_the_positives_of_the_labels_it_names(cls, findings):
    X, y, group = findings
    plain = several(cls).fit(X, y, sensitive_features=group)
    ones = several(cls, class_weight={1: 1.0}).fit(X, y, sensitive_features=group)
    assert np.allclose(plain.predict_proba(X), ones.predict_proba(X))
    second = several(cls, class_weight={1: 10.0}).fit(X, y, sensitive_features=group)
    more = second.predict_proba(X).mean(axis=0) - plain.predict_proba(X).mean(axis=0)
    assert more[1] > 0.2
    assert np.abs(more[[0, 2]]).max() < 0.1


def test_weights_of_positives_survive_pickle_and_are_checked(findings):
    X, y, group = findings
    fitted = several(NetworkClassifier, class_weight="balanced").fit(X, y)
    loaded = pickle.loads(pickle.dumps(fitted))
    for each in (fitted, loaded):
        each.partial_fit(X, y)
    assert np.array_equal(fitted.predict_proba(X), loaded.predict_proba(X))
    with pytest.raises(ValueError, match="names the label 3.*positions, 0 to 2"):
        several(NetworkClassifier, class_weight={3: 2.0}).fit(X, y)
    with pytest.raises(ValueError, match="class_weight must hold non-negative finite"):
        several(NetworkClassifier, class_weight={1: -2.0}).fit(X, y)


def test_balanced_leaves_a_label_without_positives_as_it_is(findings):
    X, y, _ = findings
    empty = np.column_stack([y, np.zeros(len(y), int)])
    fitted = several(NetworkClassifier, class_weight="balanced").fit(X, empty)
    assert (fitted.predict_proba(X)[:, 3] < 0.1).all()


def test_balanced_counts_rows_by_their_weight(findings):
    X, y, _ = findings
    weights = np.where(np.arange(len(y)) < 200, 2.0, 1.0)
    full = {"class_weight": "balanced", "batch_size": -1, "dtype": "float64"}
    weighted = several(NetworkClassifier, **full).fit(X, y, sample_weight=weights)
    rows = np.r_[np.arange(200), np.arange(len(y))]
    repeated = several(NetworkClassifier, **full).fit(X[rows], y[rows])
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-8)


@pytest.mark.parametrize("cls", [*ESTIMATORS, MarginClassifier])
def test_focal_loss_is_less_sure(cls, biased):
    X, y, group = biased
    confidences = []
    for focal in (0.0, 4.0):
        params = QUICK | {"max_epochs": 40, "lr": 0.01, "focal": focal, "batch_size": -1}
        if cls is MarginClassifier:
            params |= {"margin": 0.0, "scale": 5.0}
        fitted = cls(**params).fit(X, y, sensitive_features=group)
        confidences.append(fitted.predict_proba(X).max(axis=1).mean())
    assert confidences[1] < confidences[0] - 0.03


@pytest.mark.parametrize("penalty", ["equal_loss", "demographic_parity"])
def test_focal_zero_is_to_the_bit_what_is_trained_without(biased, penalty):
    X, y, group = biased
    fits = [
        PenaltyClassifier(penalty=penalty, **QUICK, **extra).fit(X, y, sensitive_features=group)
        for extra in ({}, {"focal": 0.0}, {"focal": 1.0})
    ]
    first, zero, one = (each.decision_function(X) for each in fits)
    assert np.array_equal(first, zero)
    assert not np.array_equal(first, one)
