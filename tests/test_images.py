"""Estimators on images."""

from __future__ import annotations

import copy
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skfair import (
    DRAlignClassifier,
    FaiRNClassifier,
    LabelFlipClassifier,
    NetworkClassifier,
    PenaltyClassifier,
)
from skfair.audit import AuditReport
from skfair.metrics import (
    burden,
    decision_rationale_similarity,
    parity_score,
    prediction_sensitivity,
)
from skfair.networks import AlexNet, ConvNet, ResNet18
from skfair.networks._inspection import weight_layers
from skfair.objectives.rationales import forward_with_rationales
from skfair.recourse import counterfactuals
from skfair.training._batches import TensorRows
from skfair.training._net import ObjectiveNet

pytestmark = pytest.mark.filterwarnings("ignore:The fitted")  # few epochs are enough

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


def as_seen(X):
    """Bytes as a network in single precision sees them, in double precision."""
    return (torch.tensor(X).float() / 255).double()


def weights_of(model):
    return torch.cat([p.flatten() for p in model.module_.parameters()])


@pytest.mark.parametrize("shape", [(16, 16), (1, 16, 16), (3, 18, 20)])
@pytest.mark.parametrize("module", list(SMALL.values()), ids=list(SMALL))
def test_images_are_learned(shape, module):
    X, y, _ = images(shape=shape)
    settings = QUICK | {"module": module, "max_epochs": 12, "lr": 0.003}
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


def test_rows_are_never_all_taken_at_once(monkeypatch):
    X, y, group = images()
    sizes = []
    take = TensorRows.__getitem__

    def watched(rows, index):
        batch = take(rows, index)
        sizes.append(len(batch[1]))
        return batch

    monkeypatch.setattr(TensorRows, "__getitem__", watched)
    PenaltyClassifier(**QUICK).fit(X, y, sensitive_features=group)
    assert len(sizes) == 2 * 6
    assert max(sizes) == 16


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


def test_what_changes_columns_refuses_images():
    X, y, group = images()
    model = NetworkClassifier(**QUICK).fit(X, y)
    calls = (
        lambda: counterfactuals(model, X),
        lambda: burden(model, X, sensitive_features=group),
        lambda: prediction_sensitivity(model, X, sensitive_columns=0),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"X must have two dimensions, got 3 .* no columns"):
            call()


def test_audit_leaves_out_what_does_not_apply_to_images_and_says_why():
    X, y, group = images(n=120, shape=(32, 32))
    model = NetworkClassifier(**QUICK | {"module": "convnet"}).fit(X, y)
    report = AuditReport.from_estimator(model, X, y, sensitive_features=group, n_resamples=2)
    reasons = {section: reason for (section, _), reason in report.not_computed.items()}
    assert "no columns" in reasons["Recourse, as people see it"]
    assert "takes too long; parity_score" in reasons["Reasons inside the network"]
    assert "Group metrics" in set(report.to_frame()["section"])


# -- what images share with tables ---------------------------------------------------------------


@pytest.mark.parametrize("name", list(SMALL))
def test_stored_networks_predict_the_same_and_go_on_the_same(name):
    X, y, _ = images(n=12)
    model = NetworkClassifier(**QUICK | {"module": SMALL[name]}).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    for one in (model, again):
        one.partial_fit(X, y)
    assert torch.equal(weights_of(model), weights_of(again))


@pytest.mark.parametrize("estimator", [PenaltyClassifier, DRAlignClassifier])
def test_skops_needs_to_trust_types_of_skfair_alone(estimator):
    skops = pytest.importorskip("skops.io")
    X, y, group = images()
    model = estimator(module="convnet", max_epochs=1, random_state=0)
    model.fit(X, y, sensitive_features=group)
    stored = skops.dumps(model)
    unknown = skops.get_untrusted_types(data=stored)
    assert all(name.startswith("skfair.") for name in unknown)
    again = skops.loads(stored, trusted=unknown)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


def test_search_over_a_pipeline_of_images():
    X, y, _ = images()
    pipe = make_pipeline(FunctionTransformer(lambda X: X[:, 2:-2]), NetworkClassifier(**QUICK))
    grid = {"networkclassifier__module": [partial(ResNet18, width=2), SMALL["resnet18"]]}
    search = GridSearchCV(pipe, grid, cv=2).fit(np.pad(X, ((0, 0), (2, 2), (0, 0))), y)
    assert search.predict(np.pad(X, ((0, 0), (2, 2), (0, 0)))).shape == y.shape


def test_training_in_parts_and_with_sampling():
    X, y, group = images()
    model = PenaltyClassifier(**QUICK, sampling="group_label", penalty_on="holdout", alpha=0.5)
    for part in (slice(0, 50), slice(50, 90)):
        model.partial_fit(X[part], y[part], sensitive_features=group[part], classes=[0, 1])
    assert model.n_iter_ == 2
    weights = np.r_[np.zeros(10), np.ones(80)]
    left_out, weighted = (PenaltyClassifier(**QUICK) for _ in range(2))
    left_out.fit(X[10:], y[10:], sensitive_features=group[10:])
    weighted.fit(X, y, sensitive_features=group, sample_weight=weights)
    assert np.allclose(left_out.predict_proba(X), weighted.predict_proba(X), atol=1e-5)


def test_labels_of_images_are_flipped_and_several_labels_learned():
    X, y, group = images()
    model = LabelFlipClassifier(**QUICK).fit(X, y, sensitive_features=group)
    assert model.predict(X).shape == y.shape
    several = NetworkClassifier(**QUICK).fit(X, np.c_[y, group])
    assert several.predict(X).shape == (90, 2)


@pytest.mark.parametrize("penalty", ["max_min", "equal_loss", "equalized_odds"])
def test_penalties_and_mixup_on_images(penalty):
    X, y, group = images()
    augment = "mixup" if penalty == "equalized_odds" else None
    model = PenaltyClassifier(**QUICK, penalty=penalty, augment=augment)
    model.fit(X, y, sensitive_features=group)
    assert np.isfinite(model.history_["penalty"]).all()


def test_prediction_does_not_depend_on_rows_beside_beyond_single_precision():
    X, y, _ = images(n=150, shape=(64, 64))
    model = NetworkClassifier(**QUICK).fit(X, y)
    one_by_one = np.concatenate([model.decision_function(X[[i]]) for i in range(20)])
    assert np.allclose(one_by_one, model.decision_function(X)[:20], atol=1e-4)


# -- DRAlign and what is asked of the network ------------------------------------------------------


@pytest.mark.parametrize("name", list(SMALL))
@pytest.mark.parametrize("last", [2, None])
def test_rationales_of_a_batch_are_those_of_each_cell_by_itself(name, last):
    torch.manual_seed(0)
    module = SMALL[name]((16, 16), 2).double().train()
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    n_cells, quota = 2, 5
    X, y = torch.rand(12, 16, 16).double(), torch.arange(12) % 2
    inputs = {"X": X, "groups": torch.tensor([[0]] * 5 + [[1]] * 5 + [[-1]] * 2)}
    layout = {"last": last, "n_groups": 2, "n_cells": n_cells, "quota": quota}
    logits, extra = forward_with_rationales(module, inputs, y, **layout)
    layers = weight_layers(module, last)
    assert len(extra["rationales"]) == len(layers) == (last or len(weight_layers(module)))
    for cell in range(n_cells):
        rows = slice(cell * quota, (cell + 1) * quota)
        loss = torch.nn.functional.cross_entropy(module(X)[rows], y[rows])
        found = torch.autograd.grad(loss, [layer.weight for layer in layers])
        for rationale, gradient, layer in zip(extra["rationales"], found, layers, strict=True):
            expected = (gradient * layer.weight).flatten().square()
            assert torch.allclose(rationale[cell], expected, atol=1e-12)
    assert extra["rationales"][0].requires_grad


@pytest.mark.parametrize("name", list(SMALL))
def test_dralign_aligns_the_last_two_layers(name):
    X, y, group = images()
    settings = QUICK | {"module": SMALL[name], "max_epochs": 1}
    model = DRAlignClassifier(**settings, align_layers=2).fit(X, y, sensitive_features=group)
    assert -2 <= model.history_["misalignment"].iloc[-1] <= 0
    others = DRAlignClassifier(**settings).fit(X, y, sensitive_features=group)
    assert others.history_["misalignment"].iloc[-1] != model.history_["misalignment"].iloc[-1]


@pytest.mark.parametrize("network", [ConvNet, AlexNet, ResNet18])
def test_parity_score_of_image_networks_is_that_of_removing_weights(network):
    X, y, group = images(n=12)
    module = partial(network, width=2)
    model = NetworkClassifier(**QUICK | {"module": module, "max_epochs": 1}).fit(X, y)
    _, scores = parity_score(model, X, y, sensitive_features=group, return_scores=True)
    module = copy.deepcopy(model.module_).double().eval()
    rows, codes = as_seen(X), torch.tensor(y)

    def losses():
        with torch.no_grad():
            of_rows = torch.nn.functional.cross_entropy(module(rows), codes, reduction="none")
        return np.array([of_rows[group == g].mean().item() for g in (0, 1)])

    base, rng = losses(), np.random.default_rng(0)
    for layer, found in zip(weight_layers(module), scores, strict=True):
        assert found.shape == tuple(layer.weight.shape)
        position = tuple(rng.integers(0, size) for size in found.shape)
        weight = layer.weight[position].item()
        with torch.no_grad():
            layer.weight[position] = 0
        first, second = (losses() - base) ** 2
        with torch.no_grad():
            layer.weight[position] = weight
        assert np.isclose(found[position], abs(first - second), rtol=1e-6, atol=1e-16)


@pytest.mark.parametrize("name", list(SMALL))
def test_similarity_of_rationales_of_image_networks_is_the_printed_cosine(name):
    X, y, group = images()
    model = NetworkClassifier(**QUICK | {"module": SMALL[name], "max_epochs": 1}).fit(X, y)
    found, layers = decision_rationale_similarity(
        model, X, y, sensitive_features=group, return_layers=True
    )
    module = copy.deepcopy(model.module_).double().eval()
    weights = [layer.weight for layer in weight_layers(module)]
    costs = []
    for g in (0, 1):
        logits = module(as_seen(X[group == g]))
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(y[group == g]))
        found_here = torch.autograd.grad(loss, weights)
        costs.append([(a * w).flatten() ** 2 for a, w in zip(found_here, weights, strict=True)])
    expected = [
        torch.nn.functional.cosine_similarity(a, b, dim=0, eps=0).item()
        for a, b in zip(*costs, strict=True)
    ]
    assert np.allclose(layers, expected, atol=1e-10)
    assert np.isclose(found, layers.sum())


@pytest.mark.parametrize("sampled", [20, 60])
def test_parity_score_looks_at_the_sampled_images_alone(monkeypatch, sampled):
    X, y, group = images()
    model = NetworkClassifier(**QUICK).fit(X, y)
    seen = []
    logits = type(model)._logits

    def counted(model, X, function=None, **kwargs):
        seen.append(len(X))
        return logits(model, X, function, **kwargs)

    monkeypatch.setattr(type(model), "_logits", counted)
    settings = {"sensitive_features": group, "max_samples": sampled, "random_state": 0}
    parity_score(model, X, y, method="taylor", **settings)
    assert seen == [sampled]


def test_sensitivity_of_the_one_dimensional_network_is_its_derivative():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 12))
    y = (X[:, 0] + X[:, 5] > 0).astype(int)
    model = NetworkClassifier(module="conv1d", max_epochs=3, random_state=0).fit(X, y)
    found = prediction_sensitivity(model, X, sensitive_columns=5)
    step = 1e-5 * np.eye(12)[5]
    p = [model.predict_proba(X + sign * step)[:, 1] for sign in (1, -1)]
    assert found.max() > 1e-3
    assert np.allclose(found, np.abs(p[0] - p[1]) / 2e-5, atol=1e-4)
