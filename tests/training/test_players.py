"""Two players: each minimizes its own terms, both are kept, and the example in the docs works."""

import importlib.util
import io
import pickle
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from skfair import NetworkClassifier
from skfair.objectives import Objective, Player
from skfair.testing import expected_failed_checks, parametrize_with_fair_checks
from skfair.training import NeuralClassifier, inherit_parameters

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "adversarial.py"
spec = importlib.util.spec_from_file_location("adversarial", EXAMPLE)
sys.modules["adversarial"] = adversarial = importlib.util.module_from_spec(spec)  # for pickle
spec.loader.exec_module(adversarial)
AdversarialClassifier = adversarial.AdversarialClassifier

QUICK = {"max_epochs": 6, "batch_size": 128, "random_state": 0}


def states(model):
    """Weights of both networks and states of both optimizers, as numbers."""
    net = model.net_
    optimizers = [net.optimizer_, *net.player_optimizers_.values()]
    found = [*net.module_.state_dict().values(), *net.players_.state_dict().values()]
    for optimizer in optimizers:
        for state in optimizer.state_dict()["state"].values():
            found += [value for value in state.values() if isinstance(value, torch.Tensor)]
    return [tensor.numpy().copy() for tensor in found]


def same(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


class TestTheExample:
    def test_it_is_one_file_of_at_most_ninety_lines(self):
        assert len(EXAMPLE.read_text().splitlines()) <= 90

    @parametrize_with_checks(
        [
            AdversarialClassifier(early_stopping=True, max_epochs=20),
            AdversarialClassifier(batch_size=-1, dtype="float64", max_epochs=20),
        ],
        expected_failed_checks=expected_failed_checks,
    )
    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_scikit_learn_estimator_checks(self, estimator, check):
        check(estimator)

    @parametrize_with_fair_checks([AdversarialClassifier(max_epochs=10)])
    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_fair_estimator_checks(self, estimator, check):
        check(estimator)

    def test_it_hides_the_group_and_still_accepts_both(self, biased):
        X, y, group = biased
        shares = {}
        for weight in (0.0, 2.0):
            model = AdversarialClassifier(lambda_adversary=weight, max_epochs=40, random_state=0)
            accepted = model.fit(X, y, sensitive_features=group).predict(X)
            shares[weight] = [accepted[group == g].mean() for g in ("a", "b")]
            assert model.score(X, y) > 0.7
        gaps = {weight: abs(a - b) for weight, (a, b) in shares.items()}
        assert gaps[2.0] < 0.6 * gaps[0.0]
        assert min(shares[2.0]) > 0.15

    def test_early_stopping_and_the_best_epoch(self, biased):
        X, y, group = biased
        model = AdversarialClassifier(
            early_stopping=True, restore_best=True, n_iter_no_change=3, tol=10.0, max_epochs=30
        )
        model.fit(X, y, sensitive_features=group)
        assert model.n_iter_ < 30
        assert {"guess", "valid_guess"} <= set(model.history_)


@pytest.mark.parametrize("copier", ["pickle", "joblib"])
def test_training_goes_on_after_storing_as_without_it_adversary_included(biased, copier):
    X, y, group = biased
    model = AdversarialClassifier(**QUICK).fit(X, y, sensitive_features=group)
    if copier == "pickle":
        stored = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(model))))  # twice, unused
    else:
        buffer = io.BytesIO()
        joblib.dump(model, buffer)
        buffer.seek(0)
        stored = joblib.load(buffer)
    assert np.array_equal(model.decision_function(X), stored.decision_function(X))
    before = states(model)
    for each in (model, stored):
        each.partial_fit(X, y, sensitive_features=group)
    assert same(states(model), states(stored))
    assert not any(map(np.array_equal, before[:6], states(model)[:6]))
    assert len(before) > 2 * len(list(model.net_.module_.parameters()))


def test_warm_start_takes_the_adversary_along(biased):
    X, y, group = biased
    model = AdversarialClassifier(**QUICK, warm_start=True).fit(X, y, sensitive_features=group)
    before = [p.clone() for p in model.net_.players_.parameters()]
    model.set_params(lr=1e-12).fit(X, y, sensitive_features=group)
    for was, now in zip(before, model.net_.players_.parameters(), strict=True):
        torch.testing.assert_close(was, now, rtol=0, atol=1e-8)


def test_same_seed_same_weights_of_both(biased):
    X, y, group = biased
    models = [AdversarialClassifier(**QUICK).fit(X, y, sensitive_features=group) for _ in range(2)]
    assert same(*map(states, models))


def test_a_player_that_does_not_matter_leaves_the_network_as_it_would_be(biased):
    """Its weights are drawn after the network's, and it has no part in the network's steps."""
    X, y, group = biased
    model = AdversarialClassifier(lambda_adversary=0.0, **QUICK).fit(X, y, sensitive_features=group)
    plain = NetworkClassifier(averaging=0.0, **QUICK).fit(X, y, sensitive_features=group)
    assert np.array_equal(model.decision_function(X), plain.decision_function(X))
    assert model.history_["guess"].iloc[-1] < model.history_["guess"].iloc[0]  # yet it learns


def test_without_groups_the_adversary_rests(biased):
    X, y, _ = biased
    model = AdversarialClassifier(**QUICK)
    with pytest.warns(UserWarning, match="a plain network is trained"):
        model.fit(X, y)
    plain = NetworkClassifier(averaging=0.0, **QUICK).fit(X, y)
    assert np.array_equal(model.decision_function(X), plain.decision_function(X))
    assert not model.net_.player_optimizers_["adversary"].state_dict()["state"]


def half_frozen(n_features, n_outputs):
    layers = torch.nn.Linear(n_features, 8), torch.nn.ReLU(), torch.nn.Linear(8, n_outputs)
    layers[0].requires_grad_(False)
    return torch.nn.Sequential(*layers)


def test_a_frozen_layer_stays_as_it_is(biased):
    X, y, group = biased
    frozen, free = [], []
    for epochs in (1, 4):
        model = AdversarialClassifier(module=half_frozen, max_epochs=epochs, random_state=0)
        module = model.fit(X, y, sensitive_features=group).module_
        frozen.append(module[0].weight.numpy())
        free.append(module[2].weight.detach().numpy())
    assert np.array_equal(*frozen)
    assert not np.array_equal(*free)


# -- one step, by hand ----------------------------------------------------------------------------


def quadratic_terms(logits, y, groups, weights, state=None, *, guess):
    return {"cross_entropy": logits.square().mean(), "guess": (guess - 1).square().mean()}, state


def forward_with_player(module, inputs, y, *, player):
    logits = module(inputs["X"])
    return logits, {"guess": player(logits)}


@inherit_parameters(NeuralClassifier)
class Quadratic(NeuralClassifier):
    """Both losses are quadratic, both optimizers plain gradient descent."""

    def __init__(self, *, steps=1, together=False, **network):
        super().__init__(**network)
        self.steps = steps
        self.together = together

    def _make_objective(self, comparison, batch_size):
        player = Player(
            make_player,
            {"guess": 1.0},
            torch.optim.SGD,
            options={"lr": 0.1},
            steps=self.steps,
            together=self.together,
        )
        return Objective(
            quadratic_terms,
            weights={"guess": -0.5},
            forward=forward_with_player,
            players={"player": player},
        )


def make_player():
    layer = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.constant_(layer.weight, 0.25)
    return layer


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("together", [False, True])
def test_one_epoch_is_the_players_steps_and_one_of_the_network(biased, steps, together):
    X, y, _ = biased
    model = Quadratic(
        steps=steps,
        together=together,
        hidden_layer_sizes=(),
        optimizer="sgd",
        lr=0.05,
        batch_size=-1,
        dtype="float64",
        random_state=0,
        max_epochs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.fit(X, y)
        start = clone(model).set_params(lr=1e-300).fit(X, y)
    weight, bias = (p.detach().clone() for p in start.net_.module_.parameters())
    weight.requires_grad_(), bias.requires_grad_()
    rows, player = torch.from_numpy(X), torch.full((1, 2), 0.25, dtype=torch.float64)
    player.requires_grad_()

    def terms():
        logits = rows @ weight.T + bias
        return logits.square().mean(), (logits @ player.T - 1).square().mean()

    for step in range(steps):
        if together and step == steps - 1:  # before the player moves for the last time
            loss = terms()[0] - 0.5 * terms()[1]
        (gradient,) = torch.autograd.grad(terms()[1], player)
        player = (player - 0.1 * gradient).detach().requires_grad_()
    if not together:
        loss = terms()[0] - 0.5 * terms()[1]
    of_weight, of_bias = torch.autograd.grad(loss, [weight, bias])
    found = model.net_
    torch.testing.assert_close(found.players_["player"].weight, player, rtol=1e-12, atol=1e-14)
    trained_weight, trained_bias = found.module_.parameters()
    torch.testing.assert_close(trained_weight, weight - 0.05 * of_weight, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(trained_bias, bias - 0.05 * of_bias, rtol=1e-12, atol=1e-14)
