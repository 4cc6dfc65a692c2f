"""DRAlignClassifier end to end, and the choice of the epoch by fairness."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skfair import DRAlignClassifier, FaiRNClassifier, PenaltyClassifier
from skfair.metrics import probability_gap
from skfair.objectives.dralign import CRITERIA
from skfair.training import constrained_monitor

QUICK = {"max_epochs": 10, "batch_size": 100, "random_state": 0}


def gap(model, X, y, group, criterion="demographic_parity"):
    decision = model.decision_function(X)
    return probability_gap(decision, y, sensitive_features=group, criterion=criterion)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_fairness_loss_lowers_its_own_gap(criterion, biased):
    X, y, group = biased
    settings = {"criterion": criterion, "max_epochs": 40, "batch_size": 100, "random_state": 0}
    plain, fair = (
        DRAlignClassifier(lambda_fairness=weight, beta=0.0, **settings).fit(
            X, y, sensitive_features=group
        )
        for weight in (0.0, 4.0)
    )
    cells = pd.Series(list(zip(group, y, strict=True)))
    balanced = 1 / cells.map(cells.value_counts())  # as the batches are
    plain_gap, fair_gap = (
        probability_gap(
            model.decision_function(X),
            y,
            sensitive_features=group,
            criterion=criterion,
            sample_weight=balanced if criterion == "predictive_parity" else None,
        )
        for model in (plain, fair)
    )
    assert fair_gap < 0.7 * plain_gap


@pytest.mark.parametrize("criterion", CRITERIA)
def test_alignment_grows_with_its_weight(criterion, biased):
    X, y, group = biased
    plain, aligned = (
        DRAlignClassifier(criterion=criterion, lambda_fairness=0.0, beta=beta, **QUICK)
        .fit(X, y, sensitive_features=group)
        .history_["misalignment"]
        .iloc[-1]
        for beta in (1e-9, 1.0)
    )
    assert aligned < plain


def test_beta_is_a_tenth_of_lambda_unless_alone(biased):
    assert DRAlignClassifier(lambda_fairness=0.7)._weights() == (0.7, pytest.approx(0.07))
    assert DRAlignClassifier(lambda_fairness=0.0)._weights() == (0.0, 0.04)
    assert DRAlignClassifier(beta=0.3)._weights() == (0.4, 0.3)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_batches_hold_equally_many_rows_of_every_cell(criterion, biased):
    X, y, group = biased
    model = DRAlignClassifier(criterion=criterion, **QUICK).fit(X, y, sensitive_features=group)
    assert model._layout == ((2, 50) if criterion == "demographic_parity" else (4, 25))


def test_mixup_takes_the_place_of_the_fairness_loss(biased):
    X, y, group = biased
    for criterion in ("demographic_parity", "equalized_odds"):
        model = DRAlignClassifier(criterion=criterion, augment="mixup", **QUICK)
        other = DRAlignClassifier(criterion=criterion, **QUICK)
        histories = [each.fit(X, y, sensitive_features=group).history_ for each in (model, other)]
        assert {"cross_entropy", "fairness", "misalignment"} < set(histories[0])
        assert not np.allclose(histories[0]["fairness"], histories[1]["fairness"])


def test_three_groups_and_rows_without_a_group(biased):
    X, y, _ = biased
    group = pd.Series(np.arange(len(X)) % 4).map({0: "a", 1: "b", 2: "c"})
    with pytest.warns(UserWarning, match="missing in"):
        model = DRAlignClassifier(**QUICK).fit(X, y, sensitive_features=group)
    assert model.groups_ == ["a", "b", "c"]
    assert model._layout == (3, 25)


def test_three_classes_with_alignment_alone(biased):
    X, y, group = biased
    y = y + (X[:, 0] > 1)
    with pytest.raises(ValueError, match="lambda_fairness=0 with criterion"):
        DRAlignClassifier(**QUICK).fit(X, y, sensitive_features=group)
    model = DRAlignClassifier(lambda_fairness=0.0, **QUICK).fit(X, y, sensitive_features=group)
    assert set(model.history_) >= {"cross_entropy", "misalignment"}
    assert model.predict_proba(X).shape == (len(X), 3)


def small_cnn(shape, n_outputs):
    return nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(3 * 4 * 4, n_outputs),
    )


@pytest.mark.parametrize("augment", [None, "mixup"])
def test_convolutions_with_batch_norm_are_aligned(augment, biased):
    _, y, group = biased
    X = np.random.default_rng(0).standard_normal((len(y), 1, 6, 6)).astype(np.float32)
    model = DRAlignClassifier(module=small_cnn, augment=augment, align_layers=2, **QUICK)
    model.set_params(max_epochs=2).fit(X, y, sensitive_features=group)
    assert -2 <= model.history_["misalignment"].min() < 0


def test_pickled_model_goes_on_training(biased):
    X, y, group = biased
    model = DRAlignClassifier(**QUICK).fit(X, y, sensitive_features=group)
    copied = pickle.loads(pickle.dumps(model)).partial_fit(X, y, sensitive_features=group)
    model.partial_fit(X, y, sensitive_features=group)
    assert np.array_equal(model.decision_function(X), copied.decision_function(X))


def test_grid_search_over_lambda_in_a_pipeline(biased):
    X, y, group = biased
    pipe = make_pipeline(StandardScaler(), DRAlignClassifier(**QUICK))
    grid = {"dralignclassifier__lambda_fairness": [0.1, 1.0]}
    search = GridSearchCV(pipe, grid, cv=2)
    search.fit(X, y, dralignclassifier__sensitive_features=group)
    assert search.best_score_ > 0.5


def test_errors_say_what_would_do(biased):
    X, y, group = biased
    with pytest.raises(ValueError, match="batch_size must be at least 4.*got 3"):
        DRAlignClassifier(criterion="equalized_odds", batch_size=3).fit(
            X, y, sensitive_features=group
        )
    empty = np.where((group == "a") & (y == 1), "b", group)
    with pytest.raises(ValueError, match=r"no rows of group 'a' with label (np.int64\()?1"):
        DRAlignClassifier(criterion="equalized_odds").fit(X, y, sensitive_features=empty)
    with pytest.raises(ValueError, match="align_layers=4 is more than the 3"):
        DRAlignClassifier(align_layers=4).fit(X, y, sensitive_features=group)
    with pytest.raises(ValueError, match="no weight matrices"):
        DRAlignClassifier(module=lambda n, k: OnlyBias(k)).fit(X, y, sensitive_features=group)
    with pytest.raises(ValueError, match="needs sampling='group_label'"):
        DRAlignClassifier(criterion="equalized_odds", sampling="group").fit(
            X, y, sensitive_features=group
        )
    with pytest.raises(ValueError, match="augment='mixup' works with criterion"):
        DRAlignClassifier(criterion="predictive_parity", augment="mixup").fit(
            X, y, sensitive_features=group
        )
    with pytest.raises(ValueError, match="class_weight=.* no effect with criterion="):
        DRAlignClassifier(criterion="equalized_odds", class_weight={0: 2, 1: 1}).fit(
            X, y, sensitive_features=group
        )
    with pytest.raises(ValueError, match="criterion"):
        DRAlignClassifier(criterion="no such").fit(X, y, sensitive_features=group)


class OnlyBias(nn.Module):
    def __init__(self, n_outputs):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(n_outputs))

    def forward(self, X):
        return self.bias.expand(len(X), -1)


# -- the choice of the epoch -------------------------------------------------------------------


def test_constrained_monitor_is_minus_the_gap_or_below_every_gap(biased):
    X, y, group = biased
    model = PenaltyClassifier(**QUICK).fit(X, y, sensitive_features=group)
    precision = average_precision_score(y, model.decision_function(X))
    rule = constrained_monitor("average_precision", precision - 0.01, "demographic_parity")
    assert rule(model, X, y, sensitive_features=group) == -gap(model, X, y, group)
    below = constrained_monitor("average_precision", precision + 0.01, "demographic_parity")
    worse = constrained_monitor("average_precision", precision + 0.02, "demographic_parity")
    values = [each(model, X, y, sensitive_features=group) for each in (below, worse)]
    assert -1e6 > values[0] > values[1]
    scorer = constrained_monitor("accuracy", 0.0, "neg_recourse_gap")
    assert -100 < scorer(model, X, y, sensitive_features=group) <= 0
    assert "average_precision" in repr(rule)
    pickle.loads(pickle.dumps(rule))


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("make", [DRAlignClassifier, PenaltyClassifier, FaiRNClassifier])
def test_best_epoch_by_the_rule_is_kept(make, early_stopping, biased):
    X, y, group = biased
    rule = constrained_monitor("average_precision", 0.6, "demographic_parity")
    model = make(
        monitor=rule, restore_best=True, early_stopping=early_stopping, n_iter_no_change=3, **QUICK
    )
    model.fit(X, y, sensitive_features=group)
    values = model.history_["monitor"]
    again = make(**(QUICK | {"max_epochs": int(values.argmax()) + 1}), monitor=rule)
    if make is DRAlignClassifier and not early_stopping:  # no averaging, no warm-up
        again.fit(X, y, sensitive_features=group)
        np.testing.assert_allclose(again.decision_function(X), model.decision_function(X))
    assert values.max() > values.iloc[-1] or values.argmax() == len(values) - 1


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="Unknown scorer 'no such'"):
        constrained_monitor("accuracy", 0.5, "no such")
    with pytest.raises(ValueError, match="Unknown scorer 'nor this'"):
        constrained_monitor("nor this", 0.5, "demographic_parity")


@pytest.mark.parametrize("augment", [None, "mixup"])
@pytest.mark.parametrize("criterion", ["demographic_parity", "equalized_odds"])
def test_attributes_by_sum_have_cells_and_pairs_of_their_own(criterion, augment, biased):
    X, y, group = biased
    frame = pd.DataFrame({"group": group, "third": np.arange(len(y)) % 3})
    frame.loc[:20, "third"] = np.nan
    frame.loc[:5, "group"] = None
    model = DRAlignClassifier(criterion=criterion, augment=augment, attributes="sum", **QUICK)
    with pytest.warns(UserWarning, match="is missing in 21 of"):
        model.fit(X, y, sensitive_features=frame)
    n_labels = 2 if criterion == "equalized_odds" else 1
    assert model._layout == (5 * n_labels, (100 - 1) // (5 * n_labels))
    # 1 + 3 pairs of groups, within each label, of three layers
    assert 0 < -model.history_["misalignment"].iloc[-1] <= 4 * n_labels * 3
    again = pickle.loads(pickle.dumps(model))
    again.partial_fit(X, y, sensitive_features=frame)
    assert model.score(X, y) > 0.6
