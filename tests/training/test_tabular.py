"""How the tabular network is trained: its settings, its learning rate and its members."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from skorch.callbacks import Callback

from skfair import (
    DRAlignClassifier,
    FairFeaturesClassifier,
    FaiRNClassifier,
    LabelFlipClassifier,
    MarginClassifier,
    NetworkClassifier,
    PenaltyClassifier,
    PivotClassifier,
)
from skfair.training._settings import Settings


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    n = 300
    X = pd.DataFrame(
        {
            "amount": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "kind": rng.choice(list("abcd"), n),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    score = X["amount"].fillna(0) + (X["sex"] == "m") + rng.normal(size=n)
    return X, (score > 0.5).astype(int).to_numpy(), X["sex"]


# -- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_rows", "size", "epochs", "decay"),
    [
        (1, 128, 20, 0.3),
        (700, 128, 20, 0.3),
        (10_000, 128, 20, 0.3),
        (32_561, 256, 20, 0.3),
        (100_000, 1024, 20, 0.3),
        (332_900, 1024, 8, 0.5),
        (10**9, 1024, 8, 0.5),
    ],
)
def test_settings_depend_on_the_number_of_rows(n_rows, size, epochs, decay):
    found = Settings.of(NetworkClassifier(), tabular=True, n_rows=n_rows)
    assert (found.batch_size, found.max_epochs, found.weight_decay) == (size, epochs, decay)
    other = Settings.of(NetworkClassifier(), tabular=False, n_rows=n_rows)
    assert (other.batch_size, other.max_epochs, other.weight_decay) == (256, 50, 0)


@pytest.mark.parametrize(
    ("optimizer", "decay"),
    [("auto", 0.3), ("adamw", 0.3), (torch.optim.AdamW, 0.3), ("adam", 0), ("lbfgs", 0)],
)
def test_weights_decay_by_themselves_only_where_the_optimizer_keeps_it_apart(optimizer, decay):
    estimator = NetworkClassifier(optimizer=optimizer)
    assert Settings.of(estimator, tabular=True, n_rows=100).weight_decay == decay
    estimator.set_params(weight_decay=0.01)
    assert Settings.of(estimator, tabular=True, n_rows=100).weight_decay == 0.01


# -- the learning rate ---------------------------------------------------------------------------


class Rates(Callback):
    """Notes the learning rate of every step."""

    def on_train_begin(self, net, **kwargs):
        self.found = []

    def on_batch_end(self, net, training, **kwargs):
        if training:
            self.found.append(net.optimizer_.param_groups[0]["lr"])


def rates_of(fitted):
    return dict(fitted.net_.callbacks_)["rates"].found


def noting(**params):
    defaults = {"max_epochs": 3, "batch_size": 100, "random_state": 0}
    callbacks = {"callbacks": [("rates", Rates())]}
    return NetworkClassifier(net_params=callbacks, **defaults | params)


def test_learning_rate_falls_along_half_a_cosine(people):
    X, y, _ = people
    model = noting(lr=0.1).fit(X, y)
    expected = 0.05 * (1 + np.cos(np.pi * np.arange(9) / 9))
    np.testing.assert_allclose(rates_of(model), expected)
    assert model.net_.optimizer_.param_groups[0]["lr"] == 0.1  # for those who go on


def test_learning_rate_of_more_training(people):
    X, y, _ = people
    model = noting(lr=0.1, warm_start=True).fit(X, y)
    falls = rates_of(model)
    np.testing.assert_allclose(rates_of(model.fit(X, y)), falls)
    assert rates_of(model.partial_fit(X, y)) == [0.1] * 3


def test_schedule_is_a_choice_in_any_network(people):
    X, y, _ = people
    assert rates_of(noting(lr=0.1, lr_schedule="constant").fit(X, y)) == [0.1] * 9
    numbers = X[["amount"]].fillna(0)
    assert set(rates_of(noting().fit(numbers, y))) == {1e-3}
    assert rates_of(noting(lr_schedule="cosine").fit(numbers, y))[-1] < 1e-4


# -- members -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        NetworkClassifier(),
        FaiRNClassifier(),
        FaiRNClassifier(distance="gradient"),
        PenaltyClassifier(),
        PenaltyClassifier(augment="mixup"),
        PenaltyClassifier(penalty_on="holdout", early_stopping=True),
        DRAlignClassifier(),
        DRAlignClassifier(augment="mixup"),
        FairFeaturesClassifier(),
        LabelFlipClassifier(),
        MarginClassifier(),
        PivotClassifier(),
    ],
    ids=lambda estimator: repr(estimator)[:60],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # few epochs fit nobody's purpose
def test_every_objective_trains_members(estimator, people):
    X, y, groups = people
    estimator.set_params(max_epochs=3, n_members=3, random_state=0)
    fitted = estimator.fit(X, y, sensitive_features=groups)
    assert fitted.module_.training is False
    p = fitted.predict_proba(X)
    assert p.shape == (300, 2)
    np.testing.assert_allclose(fitted.predict_proba(X[:7]), p[:7], atol=1e-12)


def test_a_member_sees_every_row_of_a_batch(people):
    X, y, groups = people
    seen = []

    class Watching(Callback):
        def on_grad_computed(self, net, named_parameters, batch, **kwargs):
            inputs, y = batch
            seen.append((len(y), inputs["groups"]))

    model = FaiRNClassifier(
        n_members=3, max_epochs=1, batch_size=100, net_params={"callbacks": [Watching()]}
    )
    model.fit(X, y, sensitive_features=groups)
    assert len(seen) == 3
    for n_rows, codes in seen:
        assert n_rows == 300
        assert torch.equal(codes[::3], codes[2::3])
