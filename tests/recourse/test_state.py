"""A search leaves no trace: threads, torch's modes, the estimator, X."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from skorch import NeuralNetClassifier
from threadpoolctl import threadpool_info

from skfair import FaiRNClassifier
from skfair.recourse import counterfactuals


@pytest.fixture(scope="module")
def data():
    X = np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] > 0).astype(int)


@pytest.fixture(scope="module")
def network(data):
    X, y = data
    model = FaiRNClassifier(hidden_layer_sizes=(8,), max_epochs=10, lr=0.01, random_state=0)
    return model.fit(X, y, sensitive_features=X[:, 2] > 0)


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def state(model):
    module = model.module_
    return (
        torch.get_num_threads(),
        [pool["num_threads"] for pool in threadpool_info()],
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_default_dtype(),
        torch.get_rng_state().tolist(),
        [part.training for part in module.modules()],
        [(p.requires_grad, p.grad) for p in module.parameters()],
        np.random.get_state()[1].tolist(),
    )


def fails(before, after):
    raise ZeroDivisionError


@pytest.mark.parametrize("arguments", [{}, {"distance": fails}], ids=["success", "failure"])
def test_everything_is_as_before(arguments, network, data, threads):
    X, _ = data
    network.module_.train()
    list(network.module_.parameters())[0].requires_grad_(False)
    before, kept = state(network), X.copy()
    if arguments:
        with pytest.raises(ZeroDivisionError):
            counterfactuals(network, X, **arguments)
    else:
        assert counterfactuals(network, X, random_state=0).valid.all()
    assert state(network) == before
    np.testing.assert_array_equal(X, kept)


def test_the_estimator_is_not_changed(network, data):
    before = pickle.dumps(network)
    counterfactuals(network, data[0], random_state=0)
    assert pickle.dumps(network) == before


def test_skorch_networks_stay_in_their_mode(data):
    X, y = data
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout(0.5))
    model = NeuralNetClassifier(
        module, criterion=torch.nn.CrossEntropyLoss, max_epochs=5, train_split=None, verbose=0
    ).fit(X, y.astype(np.int64))
    model.module_.train()
    counterfactuals(model, X, method="gradient", random_state=0)
    assert model.module_.training
    assert model.module_[1].training


def test_the_search_runs_in_one_thread(data, threads):
    X, y = data
    seen = []

    class Watched(LogisticRegression):
        def predict(self, X):
            pools = [pool["num_threads"] for pool in threadpool_info()]
            seen.append((torch.get_num_threads(), set(pools)))
            return super().predict(X)

    model = Watched().fit(X, y)
    seen.clear()
    counterfactuals(model, X)
    assert seen
    assert all(entry == (1, {1}) for entry in seen)


@pytest.mark.parametrize(
    "mode",
    [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu")],
    ids=["no_grad", "inference_mode", "autocast"],
)
def test_the_answers_do_not_depend_on_the_mode_of_the_caller(mode, network, data):
    plain = counterfactuals(network, data[0], method="gradient", random_state=0)
    with mode():
        found = counterfactuals(network, data[0], method="gradient", random_state=0)
    np.testing.assert_array_equal(found.distance, plain.distance)
    pd.testing.assert_frame_equal(found.changed, plain.changed)
