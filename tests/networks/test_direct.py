"""The written-out backward pass gives autograd's gradients to the last bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from skorch.callbacks import Callback, Freezer
from torch import nn
from torch.nn import functional

from skfair import FaiRNClassifier, NetworkClassifier, PivotClassifier
from skfair.networks import MLP
from skfair.networks._adversary import Adversary
from skfair.networks._direct import DirectAdversary, DirectMLP
from skfair.networks.mlp import ACTIVATIONS
from skfair.objectives import Objective
from skfair.training._net import ObjectiveNet

QUICK = {"hidden_layer_sizes": (9, 7), "batch_size": 64, "max_epochs": 3, "random_state": 0}


@pytest.mark.parametrize("hidden", [(), (9,), (9, 7)])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_those_of_autograd(activation, dropout, hidden):
    torch.manual_seed(0)
    module = MLP(11, 3, hidden, activation, dropout)
    X, y = torch.randn(37, 11), torch.randint(0, 3, (37,))
    torch.manual_seed(1)
    logits = module(X)
    functional.cross_entropy(logits, y).backward()
    expected = [p.grad for p in module.parameters()]
    module.zero_grad()
    torch.manual_seed(1)
    direct = DirectMLP(module)
    found = direct(X)
    functional.cross_entropy(found, y).backward()
    direct.backward(found.grad)
    assert torch.equal(found, logits)
    for parameter, gradient in zip(module.parameters(), expected, strict=True):
        assert torch.equal(parameter.grad, gradient)


@pytest.mark.parametrize("hidden", [(), (9, 7)])
def test_gradients_of_the_rows_are_those_of_autograd(hidden):
    module, gradient = MLP(4, 2, hidden), torch.randn(5, 2)
    X = torch.randn(5, 4, requires_grad=True)
    module(X).backward(gradient)
    expected = [p.grad for p in module.parameters()]
    module.zero_grad()
    direct = DirectMLP(module)
    direct(X.detach())
    assert torch.equal(direct.backward(gradient, to_weights=False, to_rows=True), X.grad)
    assert all(p.grad is None for p in module.parameters())
    assert torch.equal(direct.backward(gradient, to_rows=True), X.grad)
    assert all(map(torch.equal, (p.grad for p in module.parameters()), expected))


@pytest.fixture
def adversary():
    adversary = Adversary(MLP(2, 2 + 3 * 4, (9, 7)), torch.zeros(2), 1, 4)
    torch.nn.init.normal_(adversary.body.output.weight)
    return adversary


def guessed(adversary, seen):
    """A loss of everything an adversary says, and of what it says without looking."""
    groups, mixtures = adversary(seen)
    marginals = adversary.without_looking(torch.zeros(len(seen)))
    return groups.square().mean() + (mixtures - marginals).square().mean()


def test_an_adversary_leads_back_to_what_it_saw(adversary):
    X = torch.randn(5, 2, requires_grad=True)
    guessed(adversary, X.tanh()).backward()
    expected, X.grad = X.grad, None
    adversary.zero_grad()
    guessed(DirectAdversary(adversary), X.tanh()).backward(inputs=[X])
    assert torch.equal(X.grad, expected)
    assert all(parameter.grad is None for parameter in adversary.parameters())


def test_an_adversary_learns_from_a_loss_of_its_own(adversary):
    seen = torch.randn(5, 2, requires_grad=True)
    guessed(adversary, seen).backward()
    expected = [p.grad for p in adversary.parameters()]
    adversary.zero_grad()
    seen.grad = None
    direct = DirectAdversary(adversary)
    direct.backward(guessed(direct, seen), retain_graph=False)
    assert seen.grad is None
    assert all(map(torch.equal, (p.grad for p in adversary.parameters()), expected))


def test_gradients_add_up():
    module = MLP(4, 2, (3,))
    X, gradient = torch.randn(5, 4), torch.randn(5, 2)
    direct = DirectMLP(module)
    for _ in range(2):
        direct(X)
        direct.backward(gradient)
    module(X).backward(-2 * gradient)
    for parameter in module.parameters():
        torch.testing.assert_close(parameter.grad, torch.zeros_like(parameter), atol=1e-5, rtol=0)


def test_fit_gives_the_weights_of_autograd(biased, monkeypatch):
    X, y, group = biased

    def fitted():
        model = FaiRNClassifier(dropout=0.1, **QUICK).fit(X, y, sensitive_features=group)
        return list(model.module_.parameters())

    direct = fitted()
    monkeypatch.setattr(DirectMLP, "serves", staticmethod(lambda module: False))
    assert all(map(torch.equal, direct, fitted()))


@pytest.mark.parametrize("columns", [["group"], ["group", "other"], ["age"], ["group", "age"]])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"adversary_steps": 2, "averaging": 0.0},
        {"criterion": "equalized_odds", "group_weights": "equal"},
        {"lambda_fairness": 0.0, "warmup": 0.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_two_players_learn_as_by_autograd(biased, monkeypatch, columns, params, n_classes):
    X, y, group = biased
    rng = np.random.RandomState(0)
    group = np.where(rng.rand(len(y)) < 0.1, None, group)
    sensitive = pd.DataFrame({"group": group, "other": rng.choice(["c", "d", "e"], len(y))})
    sensitive = sensitive.assign(age=X[:, 0] + rng.normal(size=len(y)))[columns]
    y = y + (X[:, 0] > 1) * (n_classes == 3)

    def fitted():
        model = PivotClassifier(attributes="sum", **QUICK | {"warmup": 0.0} | params)
        model.fit(X, y, sensitive_features=sensitive)
        parameters = [*model.module_.parameters(), *model.net_.players_.parameters()]
        history = model.history_.drop(columns="dur").to_numpy(float)
        return [p.detach().numpy() for p in parameters] + [history]

    direct = fitted()
    monkeypatch.setattr(DirectMLP, "serves", staticmethod(lambda module: False))
    for one, other in zip(direct, fitted(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "params", [{}, {"lambda_fairness": 0}, {"lambda_robustness": 0}, {"warmup": 0.9}], ids=str
)
def test_an_objective_may_write_out_its_gradient(biased, monkeypatch, params):
    X, y, group = biased

    def fitted():
        model = FaiRNClassifier(**QUICK, **params)
        model.fit(X, y, sensitive_features=group)
        return list(model.module_.parameters()), model.history_.drop(columns="dur")

    weights, history = fitted()
    monkeypatch.setattr(Objective, "gradient_for", lambda objective, inputs: None)
    expected, expected_history = fitted()
    assert all(map(torch.equal, weights, expected))
    pd.testing.assert_frame_equal(history, expected_history, check_exact=True)


def test_rows_with_weights_are_left_to_autograd(biased):
    X, y, group = biased
    model = FaiRNClassifier(**QUICK).fit(X, y, sensitive_features=group)
    objective = model.net_.recipe.objective
    assert objective.gradient_for({"X": X}) is not None
    assert objective.gradient_for({"X": X, "weights": y}) is None


class Other(MLP):
    pass


def test_it_serves_plain_perceptrons_alone():
    assert DirectMLP.serves(MLP(4, 2))
    assert not DirectMLP.serves(Other(4, 2))
    assert not DirectMLP.serves(nn.Sequential(nn.Linear(4, 2)))
    hooked = MLP(4, 2)
    hooked.hidden[0].register_forward_hook(lambda *args: None)
    assert not DirectMLP.serves(hooked)
    watched = MLP(4, 2)
    watched.output.weight.register_hook(lambda gradient: gradient)
    assert not DirectMLP.serves(watched)
    frozen = MLP(4, 2)
    frozen.hidden[0].requires_grad_(False)
    assert not DirectMLP.serves(frozen)
    replaced = MLP(4, 2)
    replaced.activations[0] = nn.ELU()
    assert not DirectMLP.serves(replaced)
    doubled = MLP(4, 2)
    nn.utils.parametrizations.weight_norm(doubled.output)
    assert not DirectMLP.serves(doubled)


def test_weights_that_a_callback_freezes_stay_as_they_are(biased):
    X, y, _ = biased
    callbacks = [Freezer("hidden.0.*")]
    model = NetworkClassifier(net_params={"callbacks": callbacks}, **QUICK).fit(X, y)
    fresh = NetworkClassifier(**QUICK | {"max_epochs": 1, "lr": 1e-12}).fit(X, y)
    first, initial = (m.module_.hidden[0].weight.detach().numpy() for m in (model, fresh))
    np.testing.assert_allclose(first, initial, atol=1e-9)
    assert not np.allclose(*(m.module_.output.weight.detach().numpy() for m in (model, fresh)))


def test_callbacks_see_the_gradients(biased):
    seen = []

    class Watch(Callback):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            seen.append([name for name, p in named_parameters if p.grad is not None])

    X, y, _ = biased
    model = NetworkClassifier(net_params={"callbacks": [Watch()]}, **QUICK).fit(X, y)
    assert isinstance(model.net_, ObjectiveNet)
    names = [name for name, _ in model.module_.named_parameters()]
    assert all(found == names for found in seen)
    assert seen
