"""Predictions: fast, of the weights as they are, whatever torch's settings and other threads."""

from __future__ import annotations

import pickle
import threading
import timeit
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

from skfair import FaiRNClassifier
from skfair.networks import _precision

QUICK = {"max_epochs": 3, "batch_size": 64, "hidden_layer_sizes": (8,), "random_state": 0}


def sequential(n_features, n_outputs):
    return nn.Sequential(nn.Linear(n_features, 4), nn.ReLU(), nn.Linear(4, n_outputs))


class Tempered(nn.Module):
    """A user's module that computes with more than its weights."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.linear, self.temperature = nn.Linear(n_features, n_outputs), 1.0

    def forward(self, X):
        return self.linear(X) / self.temperature


class NeedsDefaults(nn.Module):
    """A user's module that makes tensors without saying of which type or where."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.linear = nn.Linear(n_features, n_outputs)

    def forward(self, X):
        X = X.to(self.linear.weight.dtype)
        state = torch.zeros(len(X), X.shape[1])
        return self.linear(X) + state @ torch.ones(X.shape[1], 1)


def fitted(biased, module=None):
    X, y, group = biased
    return FaiRNClassifier(module=module, **QUICK).fit(X, y, sensitive_features=group)


@pytest.fixture
def copies(monkeypatch):
    """Counts copies in double precision."""
    made = []

    def counting(module, make=_precision.double_precision):
        made.append(module)
        return make(module)

    monkeypatch.setattr(_precision, "double_precision", counting)
    return made


@pytest.mark.parametrize("module", [None, sequential])
def test_the_network_is_copied_once_not_at_every_call(biased, copies, module):
    model = fitted(biased, module)
    del copies[:]
    for _ in range(5):
        model.predict_proba(biased[0][:3])
    assert len(copies) == 1


def by_data(module):
    next(module.parameters()).data.mul_(2)


def by_optimizer(module):
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    torch.optim.SGD(module.parameters(), lr=0.1).step()


def by_state(module):
    module.load_state_dict({k: v + 1 for k, v in module.state_dict().items()})


def by_a_new_layer(module):
    module.output = nn.Linear(8, 2)


def by_another_activation(module):
    module.activations[0] = nn.Tanh()


def by_a_hook(module):
    module.output.register_forward_hook(lambda layer, inputs, output: output * 2)


@pytest.mark.parametrize(
    "change",
    [by_data, by_optimizer, by_state, by_a_new_layer, by_another_activation, by_a_hook],
    ids=lambda change: change.__name__,
)
def test_changed_weights_are_seen_at_once(biased, change):
    model, X = fitted(biased), biased[0]
    before = model.decision_function(X)
    change(model.module_)
    after = model.decision_function(X)
    assert not np.array_equal(after, before)
    with torch.no_grad():
        logits = model.module_.double()(torch.tensor(X)).numpy()
    np.testing.assert_allclose(after, logits[:, 1] - logits[:, 0], rtol=1e-12)


def test_a_module_of_the_users_may_change_in_ways_of_its_own(biased):
    model, X = fitted(biased, Tempered), biased[0]
    before = model.decision_function(X)
    model.module_.temperature = 4.0
    np.testing.assert_allclose(model.decision_function(X), before / 4, rtol=1e-12)


def test_further_training_is_seen(biased):
    X, y, group = biased
    model = fitted(biased)
    before = model.decision_function(X)
    model.partial_fit(X, y, sensitive_features=group)
    assert not np.array_equal(model.decision_function(X), before)


def test_the_copy_is_not_stored(biased):
    model, X = fitted(biased), biased[0]
    nets = [pickle.dumps(model.net_), None]
    size = len(pickle.dumps(model))
    model.predict(X)
    nets[1] = pickle.dumps(model.net_)
    assert len(pickle.dumps(model)) == size
    assert abs(len(nets[1]) - len(nets[0])) < 100


def test_threads_share_an_estimator(biased):
    model, X = fitted(biased), biased[0]
    expected, found = model.predict_proba(X), []
    model.net_.double_precision._copy = None

    def predict():
        found.extend(np.array_equal(model.predict_proba(X), expected) for _ in range(50))

    threads = [threading.Thread(target=predict) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 200


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


SETTINGS = {
    "autocast": lambda: torch.autocast("cpu"),
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "default device": lambda: torch.device("meta"),
    "float64 by default": lambda: default_dtype(torch.float64),
    "bfloat16 by default": lambda: default_dtype(torch.bfloat16),
}
METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


@pytest.mark.parametrize("module", [None, NeedsDefaults])
@pytest.mark.parametrize("distance", ["logit", "gradient"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_training_and_prediction_do_not_see_torchs_settings(biased, setting, distance, module):
    X, y, group = biased
    params = QUICK | {"distance": distance, "module": module, "early_stopping": True}
    expected = FaiRNClassifier(**params).fit(X, y, sensitive_features=group)
    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(SETTINGS[setting]())
        inside = torch.get_default_dtype()
        model = FaiRNClassifier(**params).fit(X, y, sensitive_features=group)
        loaded = pickle.loads(pickle.dumps(model))
        found = {name: getattr(model, name)(X) for name in METHODS}
        of_loaded, distances = loaded.predict_proba(X), model.boundary_distance(X)
        assert torch.get_default_dtype() == inside
    assert torch.get_default_dtype() == dtype
    for name, values in found.items():
        assert np.array_equal(values, getattr(expected, name)(X)), name
    assert np.array_equal(of_loaded, found["predict_proba"])
    assert np.array_equal(distances, expected.boundary_distance(X))
    # nothing that was made inside is of use there only
    assert np.array_equal(model.boundary_distance(X), distances)
    model.partial_fit(X, y, sensitive_features=group)


def test_what_was_fitted_takes_rows_as_it_did_whatever_the_parameters_say():
    rng = np.random.default_rng(0)
    images, y = rng.normal(size=(80, 2, 3)), rng.integers(0, 2, 80)

    def flat(shape, n_outputs):
        return nn.Sequential(nn.Flatten(), nn.Linear(6, n_outputs))

    model = FaiRNClassifier(module=flat, lambda_fairness=0, **QUICK).fit(images, y)
    expected = model.predict_proba(images)
    assert np.array_equal(model.set_params(module=None).predict_proba(images), expected)


@pytest.mark.slow
def test_one_row_costs_at_most_half_more_than_with_a_skorch_net(biased):
    X, y, group = biased
    model = FaiRNClassifier(max_epochs=2, random_state=0).fit(X, y, sensitive_features=group)
    X = X.astype(np.float32)
    widths = [nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)]
    net = NeuralNetClassifier(nn.Sequential(*widths), criterion=nn.CrossEntropyLoss, verbose=0)
    net.set_params(max_epochs=1).fit(X, y)

    def cost(estimator):
        return min(timeit.repeat(lambda: estimator.predict_proba(X[:1]), number=100, repeat=5))

    ratios = [cost(model) / cost(net) for _ in range(5)]
    assert min(ratios) < 1.5, ratios
