"""PenaltyClassifier: what it promises, on made and on real data."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    demographic_parity_ratio,
    equal_opportunity_difference,
    false_positive_rate,
    true_positive_rate,
)
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import log_loss, precision_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch import nn

from skfair import FaiRNClassifier, LabelFlipClassifier, PenaltyClassifier
from skfair.datasets import make_biased_classification
from skfair.metrics import probability_gap
from skfair.objectives.penalties import COMPARISONS, PENALTIES

from . import real

QUICK = {"max_epochs": 6, "batch_size": 64, "random_state": 0}
EXACT = {"max_epochs": 150, "batch_size": -1, "random_state": 0}  # every step sees all rows
BINARY = sorted(name for name, penalty in PENALTIES.items() if penalty.binary)
ANY_TARGET = sorted(set(PENALTIES) - set(BINARY))


def spread_of_p(logits, y, groups, weights):
    """Variance of the groups' mean p."""
    p = (logits[:, 1] - logits[:, 0]).sigmoid()
    present = groups[groups >= 0].unique()
    return torch.stack([p[groups == g].mean() for g in present]).var()


def model(**params):
    return PenaltyClassifier(**(QUICK | params))


@pytest.fixture(scope="module")
def torn():
    """600 rows; x1 decides for group "a" (30 %), x0 for "b": one linear rule cannot serve both."""
    rng = np.random.default_rng(0)
    group = np.where(rng.random(600) < 0.3, "a", "b")
    X = rng.normal(size=(600, 4))
    log_odds = 3 * np.where(group == "a", X[:, 1], X[:, 0])
    return X, (rng.logistic(size=600) < log_odds).astype(int), group


@pytest.fixture(scope="module")
def three_labels():
    """600 rows with three labels each, groups "a" and "b" with rules of their own."""
    rng = np.random.default_rng(1)
    group = np.where(rng.random(600) < 0.3, "a", "b")
    X = rng.normal(size=(600, 4))
    sign = np.where(group == "a", 1, -1)[:, None]
    log_odds = 3 * np.c_[X[:, 0], X[:, 1], X[:, 2]] + 2 * sign * X[:, 1:4]
    return X, (rng.logistic(size=(600, 3)) < log_odds).astype(int), group


class Recorder(Callback):
    """Keep group codes, held-out marks and the first feature of all training batches."""

    def initialize(self):
        self.batches = []
        return self

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            inputs, y = batch
            kept = {name: inputs[name].numpy().copy() for name in inputs if name != "X"}
            kept |= {"first": inputs["X"].flatten(1)[:, 0].numpy().copy(), "y": y.numpy().copy()}
            self.batches.append(kept)


def recorded(estimator, X, y, group, **kwargs):
    """Fit a copy and return it with what every batch was made of."""
    fitted = clone(estimator).set_params(net_params={"callbacks": [Recorder()]})
    fitted.fit(X, y, sensitive_features=group, **kwargs)
    batches = dict(fitted.net_.callbacks_)["Recorder"].batches
    position = {np.float32(x): i for i, x in enumerate(X.reshape(len(X), -1)[:, 0])}
    assert len(position) == len(X)
    for batch in batches:
        batch["rows"] = np.array([position[np.float32(x)] for x in batch["first"]])
    return fitted, batches


# -- every penalty does what its name says --------------------------------------------------------


def by_group(metric, y, y_pred, group):
    return MetricFrame(metrics=metric, y_true=y, y_pred=y_pred, sensitive_features=group)


def rate_gaps(y, y_pred, group):
    frame = by_group({"fpr": false_positive_rate, "tpr": true_positive_rate}, y, y_pred, group)
    return frame.difference()


def group_losses(fitted, X, y, group):
    return by_group(binary_log_loss, y, fitted.predict_proba(X)[:, 1], group)


def binary_log_loss(y, p):
    return log_loss(y, p, labels=[0, 1])


OWN_METRIC = {
    "demographic_parity": lambda m, X, y, g: demographic_parity_difference(
        y, m.predict(X), sensitive_features=g
    ),
    "disparate_impact": lambda m, X, y, g: (
        1 - demographic_parity_ratio(y, m.predict(X), sensitive_features=g)
    ),
    "equal_opportunity": lambda m, X, y, g: equal_opportunity_difference(
        y, m.predict(X), sensitive_features=g
    ),
    "equalized_odds": lambda m, X, y, g: rate_gaps(y, m.predict(X), g).sum(),
    "predictive_parity": lambda m, X, y, g: by_group(
        precision_score, y, m.predict(X), g
    ).difference(),
    "equal_loss": lambda m, X, y, g: group_losses(m, X, y, g).difference(),
    "max_min": lambda m, X, y, g: group_losses(m, X, y, g).group_max(),
}


@pytest.mark.parametrize("penalty", sorted(PENALTIES))
def test_a_penalty_lowers_its_own_metric(penalty, biased, torn):
    assert OWN_METRIC.keys() == PENALTIES.keys()
    # the groups of `biased` have equal losses and precisions without any help
    X, y, group = torn if penalty in (*ANY_TARGET, "predictive_parity") else biased
    found = {}
    for alpha in (0, 1):
        fitted = PenaltyClassifier(
            penalty=penalty, alpha=alpha, hidden_layer_sizes=(), lr=0.02, **EXACT
        ).fit(X, y, sensitive_features=group)
        found[alpha] = OWN_METRIC[penalty](fitted, X, y, group)
        assert fitted.score(X, y) > 0.65
    if penalty == "max_min":  # losses cannot come down to zero, only to those of the others
        assert found[1] < found[0] - 0.1
        assert group_losses(fitted, X, y, group).difference() < 0.02
    else:
        assert found[0] > 0.2
        assert found[1] < 0.5 * found[0]


@pytest.mark.parametrize("penalty", sorted(PENALTIES))
def test_three_groups_come_together_too(penalty):
    rng = np.random.default_rng(0)
    codes = rng.choice(3, 900, p=[0.2, 0.3, 0.5])
    X = rng.normal(size=(900, 4))
    X[:, 3] += codes - 1
    # each group has a rule of its own, and the last feature sets them apart
    y = (rng.logistic(size=900) < 3 * X[np.arange(900), codes] + 2 * X[:, 3]).astype(int)
    found = {}
    for alpha in (0, 1):
        fitted = PenaltyClassifier(
            penalty=penalty, alpha=alpha, hidden_layer_sizes=(), lr=0.02, **EXACT
        )
        history = fitted.fit(X, y, sensitive_features=codes).history_
        found[alpha] = history["penalty"].iloc[-1]
    if penalty == "disparate_impact":  # minus the ratio: -1 is parity
        assert found[1] < -0.9 < -0.6 < found[0]
    else:  # the base rates differ too much for equal precision
        assert found[1] < (0.7 if penalty == "predictive_parity" else 0.3) * found[0]


@pytest.mark.parametrize("penalty", ["demographic_parity", "equalized_odds"])
def test_fair_mixup_lowers_the_metric_of_its_penalty(penalty, biased):
    X, y, group = biased
    found = {}
    for alpha in (0, 1):
        fitted = model(
            penalty=penalty, alpha=alpha, augment="mixup", max_epochs=20, lr=6e-3, batch_size=128
        ).fit(X, y, sensitive_features=group)
        found[alpha] = OWN_METRIC[penalty](fitted, X, y, group)
        assert fitted.score(X, y) > 0.65
    assert found[1] < 0.6 * found[0]


@pytest.mark.parametrize("weights", ["share", "equal"])
@pytest.mark.parametrize("n_groups", [2, 4])
@pytest.mark.parametrize("penalty", sorted(PENALTIES))
def test_alpha_weighs_the_penalty_or_with_equal_weights_its_mean_over_pairs(
    penalty, n_groups, weights
):
    X, y, group = make_biased_classification(300, n_groups=n_groups, random_state=0)
    full_batch = {"batch_size": -1, "dtype": "float64", "max_epochs": 3}
    fitted = model(penalty=penalty, alpha=0.7, group_weights=weights, **full_batch)
    history = fitted.fit(X, y, sensitive_features=group).history_
    adds_pairs = weights == "equal" and PENALTIES[penalty].is_gap
    n_pairs = n_groups * (n_groups - 1) / 2 if adds_pairs else 1
    expected = history["cross_entropy"] + 0.7 * history["penalty"] / n_pairs
    np.testing.assert_allclose(history["train_loss"], expected, rtol=1e-12)
    assert history["penalty"].abs().min() > 1e-3


@pytest.mark.parametrize("normalize", ["conditional", "group"])
def test_reported_penalty_is_the_gap_of_the_probabilities_at_full_batch(biased, normalize):
    X, y, group = biased
    fitted = model(
        penalty="equalized_odds",
        normalize=normalize,
        batch_size=-1,
        dtype="float64",
        max_epochs=1,
        lr=1e-12,
    ).fit(X, y, sensitive_features=group)
    p = fitted.predict_proba(X)[:, 1]
    expected = 0
    for value, case in ((p, y == 0), (1 - p, y == 1)):
        a, b = (
            value[case & (group == g)].sum()
            / (case & (group == g) if normalize == "conditional" else group == g).sum()
            for g in "ab"
        )
        share = (group[case] == "a").mean() if normalize == "conditional" else (group == "a").mean()
        expected += 4 * share * (1 - share) * abs(a - b)
    assert fitted.history_["penalty"][0] == pytest.approx(expected, rel=1e-6)


# -- alpha = 0 ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(biased):
    """Decisions of plain networks."""
    X, y, group = biased
    return [
        estimator.fit(X, y, sensitive_features=group).decision_function(X)
        for estimator in (
            LabelFlipClassifier(flip_fraction=0, **QUICK),
            FaiRNClassifier(lambda_fairness=0, lambda_robustness=0, averaging=0, warmup=0, **QUICK),
        )
    ]


@pytest.mark.parametrize(
    "params",
    [
        *({"penalty": penalty} for penalty in sorted(PENALTIES)),
        {"penalty": lambda logits, y, groups, weights: logits.sum() * torch.nan},
        {"penalty_on": "holdout"},
        {"penalty": "equalized_odds", "normalize": "group"},
        {"augment": "mixup"},
        {"group_memory": 0},
    ],
)
def test_without_weight_the_network_is_the_plain_one_bit_for_bit(biased, plain, params):
    X, y, group = biased
    fitted = model(alpha=0, averaging=0, **params).fit(X, y, sensitive_features=group)
    for expected in plain:
        assert np.array_equal(fitted.decision_function(X), expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = model(alpha=0, averaging=0, **params).fit(X, y)  # needs no groups, says nothing
    assert np.array_equal(fitted.decision_function(X), alone.decision_function(X))
    penalized = model(**(params | {"penalty": params.get("penalty", "demographic_parity")}))
    if isinstance(penalized.penalty, str):
        penalized.fit(X, y, sensitive_features=group)
        assert not np.array_equal(fitted.decision_function(X), penalized.decision_function(X))


def test_without_sensitive_features_fit_warns_and_trains_the_plain_network(biased):
    X, y, group = biased
    with pytest.warns(UserWarning, match="PenaltyClassifier got neither .*no fairness term"):
        fitted = model().fit(X, y)
    assert "penalty" not in fitted.history_
    plain = model(alpha=0).fit(X, y, sensitive_features=group)
    assert np.array_equal(fitted.decision_function(X), plain.decision_function(X))


# -- the penalty on rows of its own ---------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [64, -1])
@pytest.mark.parametrize("fraction", [0.1, 0.3])
def test_hold_out_is_a_stratified_share_that_rides_along_in_every_batch(
    biased, fraction, batch_size
):
    X, y, group = biased
    fitted, batches = recorded(
        model(penalty_on="holdout", holdout_fraction=fraction, batch_size=batch_size), X, y, group
    )
    aside = [batch["rows"][batch["penalty_only"]] for batch in batches]
    classified = [batch["rows"][~batch["penalty_only"]] for batch in batches]
    held_out = np.unique(np.concatenate(aside))
    others = np.unique(np.concatenate(classified))
    assert len(held_out) == round(600 * fraction)
    assert np.array_equal(np.union1d(held_out, others), np.arange(600))
    assert not np.intersect1d(held_out, others).size
    cells = pd.crosstab(y, group).to_numpy()
    assert np.abs(pd.crosstab(y[held_out], group[held_out]) - fraction * cells).to_numpy().max() < 1
    # as many rows of it as of the others, or all there are
    expected = len(held_out) if batch_size == -1 else min(batch_size, len(held_out))
    assert {len(rows) for rows in aside} == {expected}
    n_batches = len(batches) // QUICK["max_epochs"]
    for epoch in range(QUICK["max_epochs"]):
        rows = np.concatenate(classified[epoch * n_batches : (epoch + 1) * n_batches])
        assert np.array_equal(np.sort(rows), others)


def test_held_out_rows_never_enter_the_classification_loss(biased):
    X, y, group = biased
    # a weight of 1e-30 keeps the hold-out and takes away all that the penalty does to the weights
    silent = model(penalty_on="holdout", alpha=1e-30)
    fitted, batches = recorded(silent, X, y, group)
    held_out = np.unique(
        np.concatenate([batch["rows"][batch["penalty_only"]] for batch in batches])
    )
    noise = np.random.default_rng(0).normal(size=X.shape)

    def refit(rows, **params):
        changed = X.copy()
        changed[rows] = noise[rows]  # which rows are held out depends on y and the groups alone
        again = clone(silent).set_params(**params).fit(changed, y, sensitive_features=group)
        return again.decision_function(X)

    expected = fitted.decision_function(X)
    assert np.array_equal(refit(held_out), expected)
    for row in np.setdiff1d(np.arange(600), held_out)[:3]:  # any other row does matter
        assert not np.array_equal(refit([row]), expected)
    # and so do the held-out rows once the penalty counts
    assert not np.array_equal(refit(held_out, alpha=1.0), refit([], alpha=1.0))


def test_terms_of_the_history_are_those_of_their_own_rows(biased):
    X, y, group = biased
    still = model(penalty_on="holdout", batch_size=-1, max_epochs=1, lr=1e-12, dtype="float64")
    fitted, (batch,) = recorded(still, X, y, group)
    p = fitted.predict_proba(X)[:, 1]
    held_out = np.isin(np.arange(600), batch["rows"][batch["penalty_only"]])
    gap = abs(p[held_out & (group == "a")].mean() - p[held_out & (group == "b")].mean())
    assert fitted.history_["penalty"][0] == pytest.approx(gap, rel=1e-6)
    loss = log_loss(y[~held_out], p[~held_out])
    assert fitted.history_["cross_entropy"][0] == pytest.approx(loss, rel=1e-6)
    assert loss != pytest.approx(log_loss(y, p), rel=1e-4)


def test_validation_hold_out_and_training_part_are_three_sets(biased):
    X, y, group = biased
    estimator = model(penalty_on="holdout", early_stopping=True, validation_fraction=0.2)
    fitted, batches = recorded(estimator, X, y, group)
    held_out = np.unique(np.concatenate([b["rows"][b["penalty_only"]] for b in batches]))
    others = np.unique(np.concatenate([b["rows"][~b["penalty_only"]] for b in batches]))
    assert not np.intersect1d(held_out, others).size
    assert len(held_out) == 48  # a tenth of the 480 that validation leaves
    assert len(others) == 432
    assert fitted.history_["valid_penalty"].notna().all()


@pytest.mark.parametrize("augment", [None, "mixup"])
@pytest.mark.parametrize("sampling", ["natural", "group"])
def test_the_metric_falls_with_the_penalty_on_a_hold_out(biased, sampling, augment):
    X, y, group = biased
    found = {}
    for alpha in (0, 1):
        fitted = model(
            alpha=alpha,
            penalty_on="holdout",
            holdout_fraction=0.3,
            sampling=sampling,
            augment=augment,
            max_epochs=20,
            lr=6e-3,
        ).fit(X, y, sensitive_features=group)
        found[alpha] = OWN_METRIC["demographic_parity"](fitted, X, y, group)
    assert found[1] < 0.7 * found[0]


def test_weights_count_in_the_hold_out_too(biased):
    X, y, group = biased
    weights = np.random.default_rng(0).uniform(0.1, 2, 600)
    still = model(penalty_on="holdout", batch_size=-1, max_epochs=1, lr=1e-12, dtype="float64")
    fitted, (batch,) = recorded(still, X, y, group, sample_weight=weights)
    p = fitted.predict_proba(X)[:, 1]
    held_out = np.isin(np.arange(600), batch["rows"][batch["penalty_only"]])
    a, b = (
        np.average(p[held_out & (group == g)], weights=weights[held_out & (group == g)])
        for g in "ab"
    )
    assert fitted.history_["penalty"][0] == pytest.approx(abs(a - b), rel=1e-6)


def test_a_hold_out_without_a_member_of_some_group_is_refused(biased):
    X, y, group = biased
    rare = np.where(np.arange(600) < 2, "rare", group)
    estimator = model(penalty_on="holdout", holdout_fraction=0.01)
    message = r"hold-out is too small: holdout_fraction=0.01 leaves 6 rows .* of \['rare'\]"
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, y, sensitive_features=rare)
    assert not hasattr(estimator, "net_")
    model(holdout_fraction=0.01).fit(X, y, sensitive_features=rare)  # idle without a hold-out


def test_partial_fit_holds_rows_out_of_every_call(biased):
    X, y, group = biased
    fitted = model(penalty_on="holdout")
    for half in (slice(300), slice(300, None)):
        fitted.partial_fit(X[half], y[half], classes=[0, 1], sensitive_features=group[half])
    assert fitted.n_iter_ == 2
    assert fitted.history_["penalty"].notna().all()


# -- several classes, several labels --------------------------------------------------------------


@pytest.mark.parametrize("penalty", ANY_TARGET)
def test_several_classes(torn, penalty):
    X, _, group = torn
    own = np.where(group == "a", X[:, 1], X[:, 0])
    y = np.array(["x", "y", "z"])[np.digitize(own + 0.2 * X[:, 2], [-0.6, 0.6])]
    gap, worst = {}, {}
    for alpha in (0, 1):
        fitted = PenaltyClassifier(
            penalty=penalty, alpha=alpha, hidden_layer_sizes=(), lr=0.05, **EXACT
        ).fit(X, y, sensitive_features=group)
        proba = fitted.predict_proba(X)
        assert proba.shape == (600, 3)
        losses = [log_loss(y[group == g], proba[group == g], labels=fitted.classes_) for g in "ab"]
        gap[alpha], worst[alpha] = abs(losses[0] - losses[1]), max(losses)
    assert gap[1] < 0.1 * gap[0]
    assert worst[1] < worst[0] - 0.1


@pytest.mark.parametrize("penalty", ANY_TARGET)
def test_several_labels(three_labels, penalty):
    X, y, group = three_labels
    gap, worst = {}, {}
    for alpha in (0, 1):
        fitted = PenaltyClassifier(
            penalty=penalty, alpha=alpha, hidden_layer_sizes=(), lr=0.02, **EXACT
        ).fit(X, y, sensitive_features=group)
        proba = fitted.predict_proba(X)
        losses = [
            np.mean([log_loss(y[group == g, k], proba[group == g, k]) for k in range(3)])
            for g in "ab"
        ]
        gap[alpha], worst[alpha] = abs(losses[0] - losses[1]), max(losses)
    assert gap[1] < 0.1 * gap[0]
    assert worst[1] < worst[0] - 0.03


@pytest.mark.parametrize("penalty", ANY_TARGET)
@pytest.mark.parametrize("penalty_on", ["train", "holdout"])
@pytest.mark.parametrize("sampling", ["natural", "group_label"])
def test_answers_for_several_labels(three_labels, penalty, penalty_on, sampling):
    X, y, group = three_labels
    params = {"penalty": penalty, "penalty_on": penalty_on, "sampling": sampling}
    fitted = model(alpha=0.1, max_epochs=15, lr=0.02, **params)
    fitted.fit(X, y, sensitive_features=group)
    assert fitted.classes_.tolist() == [0, 1, 2]
    proba, decision, y_pred = (
        getattr(fitted, name)(X) for name in ("predict_proba", "decision_function", "predict")
    )
    assert proba.shape == decision.shape == y_pred.shape == y.shape
    np.testing.assert_allclose(proba, 1 / (1 + np.exp(-decision)), rtol=1e-12)
    np.testing.assert_allclose(fitted.predict_log_proba(X), np.log(proba), atol=1e-12)
    assert np.array_equal(y_pred, (proba > 0.5).astype(int))
    assert np.array_equal(fitted.boundary_distance(X), np.abs(decision))
    assert (y_pred == y).mean() > 0.75
    assert fitted.score(X, y) == (y_pred == y).all(axis=1).mean()


def test_loss_of_several_labels_is_their_mean_binary_cross_entropy(three_labels):
    X, y, group = three_labels
    fitted = model(penalty="equal_loss", batch_size=-1, max_epochs=1, lr=1e-12, dtype="float64")
    fitted.fit(X, y, sensitive_features=group)
    proba = fitted.predict_proba(X)
    expected = np.mean([log_loss(y[:, k], proba[:, k]) for k in range(3)])
    assert fitted.history_["cross_entropy"][0] == pytest.approx(expected, rel=1e-6)


def test_forms_of_several_labels_give_the_same_network(three_labels):
    X, y, group = three_labels
    expected = model(penalty="max_min").fit(X, y, sensitive_features=group).decision_function(X)
    forms = [y.tolist(), y.astype(bool), y.astype(float), pd.DataFrame(y, columns=list("pqr"))]
    for form in forms:
        found = model(penalty="max_min").fit(X, form, sensitive_features=group)
        assert np.array_equal(found.decision_function(X), expected)


def test_sparse_labels_are_as_good_as_dense_ones(three_labels):
    X, y, group = three_labels
    expected = model(penalty="max_min").fit(X, y, sensitive_features=group).decision_function(X)
    for form in (sparse.csr_array(y), sparse.csr_matrix(y)):
        found = model(penalty="max_min").fit(X, form, sensitive_features=group)
        assert np.array_equal(found.decision_function(X), expected)


@pytest.mark.parametrize("values", [(0, 2), (-1, 1)])
def test_labels_other_than_0_and_1_are_refused_where_a_row_has_several(three_labels, values):
    X, y, group = three_labels
    with pytest.raises(ValueError, match="0 and 1"):
        model(penalty="equal_loss").fit(X, np.array(values)[y], sensitive_features=group)


def test_training_of_several_labels_goes_on_by_parts_and_after_a_round_trip(three_labels):
    X, y, group = three_labels
    fitted = model(penalty="equal_loss").fit(X, y, sensitive_features=group)
    loaded = pickle.loads(pickle.dumps(fitted))
    for each in (fitted, loaded):
        each.partial_fit(X, y, sensitive_features=group)
    assert np.array_equal(fitted.predict_proba(X), loaded.predict_proba(X))
    assert fitted.n_iter_ == 7
    with pytest.raises(ValueError, match="3 labels as before, got 2"):
        fitted.partial_fit(X, y[:, :2], sensitive_features=group)
    with pytest.raises(ValueError, match="same kind in every call"):
        fitted.partial_fit(X, y[:, 0], sensitive_features=group)
    assert np.array_equal(fitted.predict_proba(X), loaded.predict_proba(X))


@pytest.mark.parametrize("monitor", [None, "accuracy"])
def test_early_stopping_and_class_weight_know_several_labels(three_labels, monitor):
    X, y, group = three_labels
    fitted = model(
        penalty="equal_loss", early_stopping=True, monitor=monitor, class_weight="balanced"
    ).fit(X, y, sensitive_features=group)
    assert fitted.history_["valid_cross_entropy"].notna().all()
    assert fitted.predict(X).shape == y.shape


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", BINARY)
def test_several_classes_with_a_binary_penalty_name_the_penalties_that_work(biased, penalty):
    X, _, group = biased
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    message = rf"3 classes.*'{penalty}' needs two classes, or unfavorable=.*; \['equal_loss', "
    with pytest.raises(ValueError, match=message):
        model(penalty=penalty).fit(X, y, sensitive_features=group)


PARAMETERS = [
    ({"alpha": -0.1}, r"'alpha'.*range \[0.0, inf\).*Got -0.1"),
    ({"penalty_on": "test"}, r"'penalty_on'.*'holdout'.*Got 'test'"),
    ({"holdout_fraction": 0}, r"'holdout_fraction'.*Got 0"),
    ({"holdout_fraction": 1.0}, r"'holdout_fraction'.*Got 1.0"),
    ({"normalize": "label"}, r"'normalize'.*'conditional'.*Got 'label'"),
    ({"augment": "cutmix"}, r"'augment'.*'mixup'.*Got 'cutmix'"),
    ({"group_memory": -1}, r"'group_memory'.*Got -1"),
    ({"averaging": 1.5}, r"'averaging'.*Got 1.5"),
    ({"sampling": "label"}, r"'sampling'.*'group_label'.*Got 'label'"),
    ({"sampling": "group_label", "batch_size": 3}, "batch_size must be at least 4.*got 3"),
    (
        {"augment": "mixup", "penalty": "equal_loss"},
        r"augment='mixup' works with penalty in \['demographic_parity', 'equalized_odds'\], "
        "got penalty='equal_loss'",
    ),
    ({"augment": "mixup", "penalty": len}, "augment='mixup' works with penalty in"),
    (
        {"augment": "mixup", "normalize": "group"},
        "augment='mixup' needs normalize='conditional'.*got normalize='group'",
    ),
]


@pytest.mark.parametrize(("params", "message"), PARAMETERS, ids=[str(p) for p, _ in PARAMETERS])
def test_bad_parameters_are_named(biased, params, message):
    X, y, group = biased
    estimator = model(**params)
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, y, sensitive_features=group)
    assert not hasattr(estimator, "net_")


def test_an_unknown_penalty_lists_all_there_are(biased):
    X, y, group = biased
    with pytest.raises(ValueError, match="'penalty' parameter.*Got 'equal_odds'") as error:
        model(penalty="equal_odds").fit(X, y, sensitive_features=group)
    for name in PENALTIES:
        assert f"'{name}'" in str(error.value)


# -- a penalty of the user's ----------------------------------------------------------------------


def squared_gap(logits, y, groups, weights):
    """Square of the difference in mean p: a penalty whose gradient fades."""
    p = logits.softmax(-1)[:, 1]
    means = [(p * weights)[groups == a].sum() / weights[groups == a].sum() for a in (0, 1)]
    return (means[0] - means[1]) ** 2


def test_a_callable_penalty_is_minimized_and_pickled(biased):
    X, y, group = biased
    gaps = {}
    for alpha in (0, 20):
        fitted = PenaltyClassifier(
            penalty=squared_gap, alpha=alpha, hidden_layer_sizes=(), lr=0.02, **EXACT
        ).fit(X, y, sensitive_features=group)
        gaps[alpha] = OWN_METRIC["demographic_parity"](fitted, X, y, group)
    assert gaps[20] < 0.3 * gaps[0]
    loaded = pickle.loads(pickle.dumps(fitted))
    assert loaded.penalty is squared_gap
    assert clone(fitted).penalty is squared_gap
    for each in (fitted, loaded):
        each.partial_fit(X, y, sensitive_features=group)
    assert np.array_equal(fitted.decision_function(X), loaded.decision_function(X))


class Shapes:
    """A penalty that keeps the shapes and codes it is called with."""

    def __init__(self):
        self.seen = []

    def __call__(self, logits, y, groups, weights):
        self.seen.append((tuple(logits.shape), tuple(y.shape), tuple(groups.shape)))
        self.codes = set(groups.tolist())
        assert weights.shape == groups.shape
        return logits.square().mean()


def test_a_callable_penalty_takes_several_classes_and_labels(three_labels):
    X, y, group = three_labels
    some = pd.Series(group).where(np.arange(600) % 5 > 0)
    for target, width in ((y, 3), (y[:, 0] + y[:, 1], 3), (y[:, 0], 2)):
        shapes = Shapes()
        with pytest.warns(UserWarning, match="missing in 120"):
            model(penalty=shapes, batch_size=-1).fit(X, target, sensitive_features=some)
        assert set(shapes.seen) == {((600, width), target.shape, (600,))}
        assert shapes.codes == {-1, 0, 1}


# -- sampling -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", ["group", "group_label"])
@pytest.mark.parametrize(
    "estimator", [PenaltyClassifier(), FaiRNClassifier(), LabelFlipClassifier(flip_group="a")]
)
def test_sampling_balances_every_batch(biased, estimator, sampling):
    X, y, group = biased
    few = np.r_[np.flatnonzero(group == "b"), np.flatnonzero(group == "a")[:60]]
    X, y, group = X[few], y[few], group[few]
    estimator = clone(estimator).set_params(**QUICK, sampling=sampling)
    fitted, batches = recorded(estimator, X, y, group)
    natural, plain = recorded(estimator.set_params(sampling="natural"), X, y, group)
    assert len(batches) == len(plain)
    for batch in batches:
        assert np.bincount(batch["groups"][:, 0]).tolist() == [32, 32]
        if sampling == "group_label":
            assert set(pd.crosstab(y[batch["rows"]], group[batch["rows"]]).to_numpy().ravel()) == {
                16
            }
    assert any(np.bincount(batch["groups"][:, 0]).tolist() != [32, 32] for batch in plain)
    assert not np.array_equal(fitted.decision_function(X), natural.decision_function(X))


def test_sampling_without_groups_warns(biased):
    X, y, _ = biased
    with pytest.warns(UserWarning, match="no fairness term applies"):
        model(alpha=0, sampling="group").fit(X, y)


def test_sampling_raises_the_accuracy_of_a_small_group(torn):
    X, y, group = torn
    params = {"alpha": 0, "hidden_layer_sizes": (), "max_epochs": 60, "lr": 0.01}
    found = {}
    for sampling in ("natural", "group"):
        fitted = model(sampling=sampling, **params).fit(X, y, sensitive_features=group)
        found[sampling] = group_losses(fitted, X, y, group).by_group["a"]
    assert found["group"] < found["natural"] - 0.05


# -- at work --------------------------------------------------------------------------------------


def test_grid_search_over_penalty_and_alpha_in_a_pipeline(biased):
    X, y, group = biased
    pipeline = make_pipeline(StandardScaler(), model(max_epochs=8, lr=1e-2))
    grid = {
        "penaltyclassifier__penalty": ["demographic_parity", "equal_loss"],
        "penaltyclassifier__alpha": [0.0, 2.0],
    }

    def negative_gap(estimator, X, y):
        rows = [np.flatnonzero((X_all == x).all(axis=1))[0] for x in X]
        return -demographic_parity_difference(
            y, estimator.predict(X), sensitive_features=group[rows]
        )

    X_all = X
    search = GridSearchCV(pipeline, grid, scoring=negative_gap, cv=2, error_score="raise")
    search.fit(X, y, penaltyclassifier__sensitive_features=group)
    assert search.best_params_ == {
        "penaltyclassifier__penalty": "demographic_parity",
        "penaltyclassifier__alpha": 2.0,
    }
    assert search.best_estimator_[-1].groups_ == ["a", "b"]


def small_cnn(shape, n_outputs):
    return nn.Sequential(
        nn.Conv2d(shape[0], 4, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, n_outputs),
    )


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"penalty": "equal_loss"},
        {"augment": "mixup"},
        {"augment": "mixup", "penalty": "equalized_odds", "penalty_on": "holdout"},
        {"sampling": "group_label", "augment": "mixup"},
    ],
    ids=str,
)
def test_images_go_through_a_module(params):
    rng = np.random.default_rng(0)
    y, group = rng.integers(0, 2, 160), rng.choice(["a", "b"], 160)
    images = rng.normal(size=(160, 1, 8, 8)).astype(np.float32)
    images += y[:, None, None, None]
    fitted = model(module=small_cnn, max_epochs=20, lr=1e-2, batch_size=32, **params)
    fitted.fit(images, y, sensitive_features=group)
    assert fitted.predict_proba(images).shape == (160, 2)
    assert fitted.score(images, y) > 0.8
    loaded = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(loaded.predict_proba(images), fitted.predict_proba(images))


def test_images_with_several_labels():
    rng = np.random.default_rng(0)
    y, group = rng.integers(0, 2, (160, 2)), rng.choice(["a", "b"], 160)
    images = rng.normal(size=(160, 1, 8, 8)).astype(np.float32) / 2
    images[:, 0, :, :4] += y[:, :1, None]
    images[:, 0, :, 4:] += y[:, 1:, None]
    fitted = model(module=small_cnn, penalty="max_min", max_epochs=40, lr=1e-2, batch_size=32)
    fitted.fit(images, y, sensitive_features=group)
    assert fitted.predict(images).shape == y.shape
    assert (fitted.predict(images) == y).mean() > 0.8


# -- real data ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def adult(shared_data):
    return real.adult()


def on_adult(parts, **params):
    train, test = parts
    fitted = PenaltyClassifier(
        **({"max_epochs": 15, "batch_size": 1024, "random_state": 0} | params)
    )
    fitted.fit(train.X, train.y, sensitive_features=train.sensitive)
    return fitted, test


@pytest.fixture(scope="module")
def plain_on_adult(adult):
    return on_adult(adult, alpha=0)


@pytest.mark.slow
def test_adult_demographic_parity_falls_with_alpha(adult, plain_on_adult):
    gaps = []
    for fitted, test in (plain_on_adult, *(on_adult(adult, alpha=alpha) for alpha in (0.5, 5))):
        y_pred = fitted.predict(test.X)
        gaps.append(
            demographic_parity_difference(test.y, y_pred, sensitive_features=test.sensitive)
        )
    assert gaps[0] == pytest.approx(0.17, abs=0.03)
    assert gaps[-1] < 0.03
    assert np.array_equal(np.argsort(gaps)[::-1][:2], [0, 1])
    assert (y_pred == test.y).mean() >= 0.82


@pytest.mark.slow
def test_adult_equalized_odds_closes_both_gaps(adult):
    fitted, test = on_adult(adult, penalty="equalized_odds", alpha=1.5, batch_size=1024)
    found = real.measures(test, fitted)
    assert found["|dTPR|"] < 0.03
    assert found["|dFPR|"] < 0.03
    assert found["accuracy"] >= 0.835


@pytest.mark.slow
def test_adult_equal_loss_halves_the_gap(adult, plain_on_adult):
    gaps = []
    for fitted, test in (plain_on_adult, on_adult(adult, penalty="equal_loss", alpha=1)):
        gaps.append(group_losses(fitted, test.X, test.y, test.sensitive).difference())
    assert gaps[1] < 0.5 * gaps[0]


# -- several attributes ---------------------------------------------------------------------------


@pytest.mark.parametrize("weights", ["share", "equal"])
@pytest.mark.parametrize("penalty", [*sorted(PENALTIES), spread_of_p])
def test_attributes_by_sum_add_up_the_penalty_of_each(penalty, weights, biased):
    X, y, group = biased
    frame = pd.DataFrame({"group": group, "third": np.arange(len(y)) % 3})
    start = {"batch_size": -1, "dtype": "float64", "max_epochs": 1, "lr": 1e-12}
    settings = start | {"penalty": penalty, "group_weights": weights}
    together = model(attributes="sum", **settings).fit(X, y, sensitive_features=frame)
    each = [model(**settings).fit(X, y, sensitive_features=frame[name]) for name in frame]
    expected = sum(fitted.history_["penalty"][0] for fitted in each)
    assert together.history_["penalty"][0] == pytest.approx(expected, rel=1e-9)
    assert together.groups_ == [("group", "a"), ("group", "b"), *(("third", i) for i in range(3))]


@pytest.mark.parametrize("params", [{"augment": "mixup"}, {"penalty_on": "holdout"}], ids=str)
def test_attributes_by_sum_work_with_paths_and_with_a_holdout(params, biased):
    X, y, group = biased
    frame = pd.DataFrame({"group": group, "third": np.arange(len(y)) % 3})
    fitted = model(attributes="sum", **params).fit(X, y, sensitive_features=frame)
    assert np.isfinite(fitted.history_["penalty"]).all()
    assert fitted.history_["penalty"].iloc[-1] > 0


def test_shares_of_a_conditional_rate_are_those_of_the_labels_cases():
    X, y, group = make_biased_classification(400, n_groups=3, random_state=0)
    fitted = model(
        penalty="equal_opportunity", batch_size=-1, dtype="float64", max_epochs=1, lr=1e-12
    ).fit(X, y, sensitive_features=group)
    gap = probability_gap(
        fitted.decision_function(X),
        y,
        sensitive_features=group,
        criterion="equal_opportunity",
        aggregate="share",
    )
    p, positive = fitted.predict_proba(X)[:, 1], y == 1
    shares, means = zip(
        *(((group[positive] == g).mean(), p[positive & (group == g)].mean()) for g in "abc"),
        strict=True,
    )
    expected = 2 * sum(
        s * abs(m - np.dot(shares, means)) for s, m in zip(shares, means, strict=True)
    )
    assert gap == pytest.approx(expected, rel=1e-12)
    assert fitted.history_["penalty"][0] == pytest.approx(expected, rel=1e-9)


# -- statistics and comparisons ---------------------------------------------------------------


APART = {"max_epochs": 8, "lr": 2e-3, "batch_size": 256, "random_state": 0}


@pytest.fixture(scope="module")
def apart():
    """2,000 rows with a gap, and that of a plain network, which no comparison changes."""
    X, y, group = make_biased_classification(2000, recourse_gap=1.5, random_state=0)
    plain = PenaltyClassifier(alpha=0.0, **APART).fit(X, y, sensitive_features=group)
    gap = demographic_parity_difference(y, plain.predict(X), sensitive_features=group)
    return X, y, group, gap


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("penalty", ["selection_rate", "equalized_odds"])
def test_every_comparison_brings_the_groups_closer(comparison, penalty, apart):
    X, y, group, plain_gap = apart
    alpha = {"hsic": 30.0, "kl_projection": 5.0, "mutual_information": 5.0}.get(comparison, 2.0)
    fair = PenaltyClassifier(alpha=alpha, penalty=penalty, comparison=comparison, **APART)
    y_pred = fair.fit(X, y, sensitive_features=group).predict(X)
    gap = demographic_parity_difference(y, y_pred, sensitive_features=group)
    assert gap < 0.7 * plain_gap
    assert 0.1 < y_pred.mean() < 0.7


def test_old_names_train_the_same_weights_as_their_pairs():
    X, y, group = make_biased_classification(600, random_state=0)
    pairs = [
        (
            {"penalty": "demographic_parity"},
            {"penalty": "selection_rate", "comparison": "absolute"},
        ),
        ({"penalty": "equal_opportunity"}, {"penalty": "tpr", "comparison": "absolute"}),
        ({"penalty": "equal_loss"}, {"penalty": "loss"}),
    ]
    for old, new in pairs:
        one, other = (model(**p).fit(X, y, sensitive_features=group) for p in (old, new))
        np.testing.assert_array_equal(one.decision_function(X), other.decision_function(X))


@pytest.mark.parametrize("comparison", ["kl_projection", "hsic", "squared"])
def test_comparisons_with_several_attributes_memory_and_files(comparison):
    X, y, group = make_biased_classification(600, random_state=0)
    both = pd.DataFrame({"group": group, "side": np.where(X[:, 1] > 0, "left", "right")})
    params = {"comparison": comparison, "attributes": "sum", "warm_start": True}
    fitted = model(penalty="tpr", **params).fit(X, y, sensitive_features=both)
    again = pickle.loads(pickle.dumps(fitted))
    for estimator in (fitted, again):
        estimator.fit(X, y, sensitive_features=both)
    np.testing.assert_array_equal(fitted.decision_function(X), again.decision_function(X))


@pytest.mark.parametrize(
    "params",
    [
        {"penalty": "loss", "comparison": "kl_projection"},
        {"penalty": "f1", "comparison": "hsic"},
        {"penalty": "tpr", "comparison": "hsic", "normalize": "group"},
        {"penalty": "tpr", "comparison": "squared", "tolerance": 0.1},
    ],
)
def test_pairs_that_are_not_defined_are_told(params):
    X, y, group = make_biased_classification(200, random_state=0)
    with pytest.raises(ValueError, match="comparison="):
        model(**params).fit(X, y, sensitive_features=group)


@pytest.mark.parametrize("comparison", ["kl_projection", "hsic"])
def test_the_favorable_class_may_be_the_first(comparison):
    X, y, group = make_biased_classification(600, random_state=0)
    params = {"penalty": "tpr", "comparison": comparison, "dtype": "float64", "batch_size": -1}
    one = model(**params).fit(X, y, sensitive_features=group)
    other = model(**params, unfavorable=1).fit(X, 1 - y, sensitive_features=group)
    np.testing.assert_allclose(
        one.history_["penalty"].iloc[0], other.history_["penalty"].iloc[0], rtol=0.5
    )
    assert one.n_iter_ == other.n_iter_
