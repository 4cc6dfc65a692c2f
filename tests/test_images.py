"""Estimators on images."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from skfair import DRAlignClassifier, FaiRNClassifier, NetworkClassifier, PenaltyClassifier
from skfair.networks import AlexNet, ConvNet, ResNet18
from skfair.training._net import ObjectiveNet

SMALL = {
    "convnet": partial(ConvNet, width=4),
    "alexnet": partial(AlexNet, width=4),
    "resnet18": partial(ResNet18, width=4),
}
QUICK = {"module": SMALL["convnet"], "max_epochs": 2, "batch_size": 16, "random_state": 0}


def images(n=90, shape=(16, 16), seed=0):
    """Bytes with a bright square where the label is 1, and two groups."""
    rng = np.random.default_rng(seed)
    y, group = rng.integers(0, 2, n), rng.integers(0, 2, n)
    X = rng.integers(0, 100, (n, *shape), dtype=np.uint8)
    X[y == 1, ..., 4:10, 4:10] += 150
    return X, y, group


def weights_of(model):
    return torch.cat([p.flatten() for p in model.module_.parameters()])


@pytest.mark.parametrize("shape", [(16, 16), (1, 16, 16), (3, 18, 20)])
@pytest.mark.parametrize("module", ["convnet", SMALL["alexnet"], SMALL["resnet18"]])
def test_images_are_learned(shape, module):
    X, y, _ = images(shape=shape)
    settings = QUICK | {"module": module, "max_epochs": 15, "lr": 0.003}
    assert NetworkClassifier(**settings).fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [16, -1])
def test_bytes_are_numbers_from_0_to_1(dtype, batch_size):
    X, y, group = images()
    scaled = (X / np.array(255, dtype)).astype(dtype)
    settings = QUICK | {"dtype": dtype, "batch_size": batch_size}
    models = [
        PenaltyClassifier(**settings).fit(data, y, sensitive_features=group) for data in (X, scaled)
    ]
    assert torch.equal(*map(weights_of, models))
    assert np.array_equal(models[0].predict_proba(X), models[1].predict_proba(scaled))


def test_bytes_stay_bytes_but_in_the_batch(monkeypatch):
    X, y, group = images()
    seen = []
    step = ObjectiveNet.train_step

    def watched(net, batch, **params):
        seen.append(batch[0]["X"].dtype)
        return step(net, batch, **params)

    monkeypatch.setattr(ObjectiveNet, "train_step", watched)
    rows_seen = []

    def watching(shape, n_outputs):
        module = SMALL["convnet"](shape, n_outputs)
        module.register_forward_pre_hook(lambda part, X: rows_seen.append(X[0].dtype))
        return module

    model = PenaltyClassifier(**QUICK | {"module": watching}, early_stopping=True)
    model.fit(X, y, sensitive_features=group).predict(X)
    assert set(seen) == {torch.uint8}
    assert set(rows_seen) == {torch.float32}


def test_flat_bytes_are_numbers_as_they_are():
    X, y, _ = images()
    flat = X.reshape(len(X), -1)
    models = [
        NetworkClassifier(max_epochs=1, random_state=0).fit(data, y)
        for data in (flat, flat.astype(np.float32))
    ]
    assert torch.equal(*map(weights_of, models))


def test_user_data_stay_as_they_are():
    X, y, group = images()
    before = X.copy()
    FaiRNClassifier(**QUICK | {"batch_size": -1}, augment=lambda X: X.mul_(0.5)).fit(
        X, y, sensitive_features=group
    )
    assert np.array_equal(X, before)
    table = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
    before = table.copy()
    NetworkClassifier(max_epochs=1, batch_size=-1, augment=lambda X: X.mul_(0.5)).fit(table, y)
    assert np.array_equal(table, before)


def test_strided_images_are_taken():
    X, y, _ = images(shape=(16, 16))
    flipped = X[:, :, ::-1]
    model = NetworkClassifier(**QUICK).fit(flipped, y)
    again = NetworkClassifier(**QUICK).fit(np.ascontiguousarray(flipped), y)
    assert torch.equal(weights_of(model), weights_of(again))


# -- augment -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator", [NetworkClassifier, FaiRNClassifier, PenaltyClassifier, DRAlignClassifier]
)
def test_augment_sees_training_batches_as_numbers_and_nothing_else(estimator):
    X, y, group = images()
    seen = []

    def augment(rows):
        seen.append((rows.dtype, float(rows.max()) <= 1, len(rows)))
        return rows

    settings = QUICK | {"early_stopping": True, "batch_size": 10}
    model = estimator(**settings, augment=augment).fit(X, y, sensitive_features=group)
    n_steps = len(seen)
    assert n_steps == model.net_.steps_
    assert {entry[:2] for entry in seen} == {(torch.float32, True)}
    assert max(entry[2] for entry in seen) <= 11
    model.predict(X)
    assert len(seen) == n_steps
    plain = estimator(**settings).fit(X, y, sensitive_features=group)
    assert torch.equal(weights_of(model), weights_of(plain))


def test_augment_changes_what_is_learned_and_follows_the_random_state():
    X, y, group = images()

    def noisy(rows):
        return rows + 0.1 * torch.randn_like(rows)

    def fit(augment, seed=0):
        model = PenaltyClassifier(**QUICK | {"random_state": seed}, augment=augment)
        return weights_of(model.fit(X, y, sensitive_features=group))

    state = torch.random.get_rng_state()
    assert torch.equal(fit(noisy), fit(noisy))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.equal(fit(noisy), fit(noisy, seed=1))
    assert not torch.equal(fit(noisy), fit(None))


@pytest.mark.parametrize(
    ("augment", "got"),
    [
        (lambda X: X[:3], r"\(3, 16, 16\) and torch.float32"),
        (lambda X: X.double(), "torch.float64"),
        (lambda X: None, "NoneType"),
    ],
)
def test_augment_that_returns_something_else_is_refused(augment, got):
    X, y, _ = images()
    model = NetworkClassifier(**QUICK, augment=augment)
    with pytest.raises(ValueError, match=f"augment must return a tensor of .*; got.*{got}"):
        model.fit(X, y)
    assert not hasattr(model, "net_")


@pytest.mark.parametrize("estimator", [NetworkClassifier, FaiRNClassifier])
def test_mixup_is_for_penalties_alone(estimator):
    X, y, group = images()
    with pytest.raises(ValueError, match="'augment' parameter of .* must be a callable or None"):
        estimator(augment="mixup").fit(X, y, sensitive_features=group)


# -- errors --------------------------------------------------------------------------------------


def test_images_of_another_shape_are_refused():
    X, y, _ = images(shape=(16, 20))
    model = NetworkClassifier(**QUICK).fit(X, y)
    for method in (model.predict, model.predict_proba, lambda X: model.partial_fit(X, y)):
        with pytest.raises(ValueError, match=r"shape \(16, 18\), but .* rows of shape \(16, 20\)"):
            method(X[:, :, :18])


@pytest.mark.parametrize("options", [{}, {"drop_sensitive_columns": True}])
def test_images_have_no_sensitive_columns(options):
    X, y, _ = images()
    with pytest.raises(ValueError, match="sensitive_columns=0 .* pass sensitive_features instead"):
        PenaltyClassifier(**QUICK, sensitive_columns=0, **options).fit(X, y)


def test_unknown_network_is_named():
    X, y, _ = images()
    with pytest.raises(ValueError, match="'module' parameter .* Got 'resnet' instead"):
        NetworkClassifier(module="resnet").fit(X, y)
