"""The default network, and the slope of a decision."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from skfair.networks.mlp import ACTIVATIONS, MLP
from skfair.objectives.fairn import boundary_distance, forward_with_gradient_norm

F64 = torch.float64
HIDDEN = [(), (7,), (7, 5), (7, 5, 6)]
X = torch.randn(12, 4, dtype=F64, generator=torch.Generator().manual_seed(0))


class Opaque(nn.Module):
    """The same network behind a type of its own: forces automatic differentiation."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, X):
        return self.network(X)


def network(hidden=(7, 5), activation="relu", n_outputs=2, dropout=0.0, n_features=4):
    torch.manual_seed(0)
    module = MLP(n_features, n_outputs, hidden, activation, dropout).to(F64)
    with torch.no_grad():  # biases are zero at first, which would hide a mistake in them
        for parameter in module.parameters():
            if parameter.ndim == 1:
                parameter.normal_(std=0.3)
    return module


def autograd_norm(module, X):
    """||grad_x boundary_distance|| one row and one backward pass at a time.

    1e-12 under the root keeps its derivative finite in rows whose units are all inactive.
    """
    norms = []
    for row in X:
        row = row[None].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(boundary_distance(module(row)).sum(), row)
        norms.append(gradient.square().sum().add(1e-12).sqrt())
    return torch.stack(norms)


@pytest.fixture(params=HIDDEN, ids=str)
def hidden(request):
    return request.param


@pytest.mark.parametrize("n_outputs", [2, 3])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
class TestGradientNorm:
    def test_analytic_norm_equals_automatic_differentiation(self, hidden, activation, n_outputs):
        module = network(hidden, activation, n_outputs)
        logits, norm = module.forward_with_gradient_norm(X)
        expected = autograd_norm(module, X)
        assert norm.shape == (len(X),)
        assert expected.median() > 1e-3  # not a network that is flat everywhere
        torch.testing.assert_close(logits, module(X), rtol=0, atol=1e-14)
        torch.testing.assert_close(norm, expected, rtol=0, atol=1e-12)

    def test_double_backward_of_any_module_gives_the_same_norm(self, hidden, activation, n_outputs):
        module = Opaque(network(hidden, activation, n_outputs))
        logits, norm = forward_with_gradient_norm(module, X)
        torch.testing.assert_close(logits, module(X), rtol=0, atol=1e-14)
        torch.testing.assert_close(norm, autograd_norm(module, X), rtol=0, atol=1e-12)

    def test_gradients_of_the_parameters_agree_between_both_ways(
        self, hidden, activation, n_outputs
    ):
        module = network(hidden, activation, n_outputs)
        weights = torch.linspace(0.5, 1.5, len(X), dtype=F64)
        gradients = []
        for way in (module, Opaque(module)):
            logits, norm = forward_with_gradient_norm(way, X)
            loss = weights @ (boundary_distance(logits) / norm + norm**2)
            gradients.append(torch.autograd.grad(loss, tuple(module.parameters())))
        for ours, expected in zip(*gradients, strict=True):
            assert expected.any()
            torch.testing.assert_close(ours, expected, rtol=1e-8, atol=1e-8)

    def test_with_dropout_value_and_gradient_are_those_of_the_masked_network(
        self, hidden, activation, n_outputs
    ):
        module = network(hidden, activation, n_outputs, dropout=0.4).train()
        results = []
        for way in (module, Opaque(module)):
            torch.manual_seed(5)  # the same units fall out both times
            logits, norm = forward_with_gradient_norm(way, X)
            loss = (logits.square().sum(-1) + norm).sum()
            gradients = torch.autograd.grad(loss, tuple(module.parameters()))
            results.append((logits, norm, *gradients))
        for ours, expected in zip(*results, strict=True):
            # a row whose units all fall out has norm sqrt(1e-12) both times
            torch.testing.assert_close(ours, expected, rtol=1e-8, atol=1e-8)
        if hidden:
            torch.manual_seed(6)
            assert not torch.equal(module.forward_with_gradient_norm(X)[1], results[0][1])

    def test_dropout_takes_no_part_in_evaluation(self, hidden, activation, n_outputs):
        with_dropout = network(hidden, activation, n_outputs, dropout=0.4).eval()
        without = network(hidden, activation, n_outputs)
        for ours, expected in zip(
            with_dropout.forward_with_gradient_norm(X),
            without.forward_with_gradient_norm(X),
            strict=True,
        ):
            assert torch.equal(ours, expected)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_derivative_of_each_activation_is_that_of_automatic_differentiation(activation):
    activate, derivative = ACTIVATIONS[activation][0](), ACTIVATIONS[activation][1]
    z = torch.arange(-40, 41, dtype=F64).div(10).requires_grad_()  # with 0, where relu's is 0
    h = activate(z)
    (expected,) = torch.autograd.grad(h.sum(), z)
    torch.testing.assert_close(derivative(z, h).detach(), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("n_outputs", [2, 3])
def test_vmap_over_stacked_networks_equals_a_loop(n_outputs):
    torch.manual_seed(0)
    modules = [MLP(4, n_outputs, (7, 5)).to(F64) for _ in range(3)]
    parameters, buffers = torch.func.stack_module_state(modules)

    class Norm(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = modules[0]

        def forward(self, X):
            return self.network.forward_with_gradient_norm(X)

    parameters = {f"network.{name}": value for name, value in parameters.items()}
    stacked = torch.func.vmap(partial(torch.func.functional_call, Norm()), in_dims=((0, 0), None))
    logits, norms = stacked((parameters, buffers), (X,))
    for i, module in enumerate(modules):
        expected = module.forward_with_gradient_norm(X)
        torch.testing.assert_close((logits[i], norms[i]), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("way", [lambda module: module, Opaque])
def test_gradients_stay_finite_where_the_decision_is_flat(way):
    module = network(n_outputs=2)
    with torch.no_grad():
        module.output.weight.zero_()
    logits, norm = forward_with_gradient_norm(way(module), X)
    assert norm.max() <= 1e-6  # the root of the floor
    loss = (boundary_distance(logits) / norm).sum()
    for gradient in torch.autograd.grad(loss, tuple(module.parameters())):
        assert torch.isfinite(gradient).all()


def test_norm_of_rows_that_are_not_flat_counts_every_entry():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv1d(2, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)).to(F64)
    rows = torch.randn(6, 2, 5, dtype=F64)
    _, norm = forward_with_gradient_norm(module, rows)
    torch.testing.assert_close(norm, autograd_norm(module, rows), rtol=0, atol=1e-12)


def test_norm_of_any_module_is_available_without_gradient_mode():
    module = Opaque(network())
    with torch.no_grad():
        _, norm = forward_with_gradient_norm(module, X)
    torch.testing.assert_close(norm.detach(), autograd_norm(module, X), rtol=0, atol=1e-12)


def test_mlp_computes_what_the_layers_say():
    module = network((7, 5), "tanh", 3)
    W = [layer.weight.detach().numpy() for layer in (*module.hidden, module.output)]
    b = [layer.bias.detach().numpy() for layer in (*module.hidden, module.output)]
    h = X.numpy()
    for i in range(2):
        h = np.tanh(h @ W[i].T + b[i])
    np.testing.assert_allclose(module(X).detach(), h @ W[2].T + b[2], rtol=1e-12)


@pytest.mark.parametrize(("activation", "kind"), [("relu", nn.ReLU), ("tanh", nn.Tanh)])
def test_each_layer_has_an_activation_of_its_own_that_hooks_can_see(activation, kind):
    """captum's DeepLift and shap's DeepExplainer attribute by them."""
    module, calls = MLP(3, 2, (5, 4), activation), []
    found = [part for part in module.modules() if isinstance(part, kind)]
    for part in found:
        part.register_forward_hook(lambda part, inputs, output: calls.append(part))
    module(torch.randn(6, 3))
    assert calls == found
    assert len(set(found)) == 2
    assert set(module.state_dict()) == {
        f"{layer}.{name}"
        for layer in ("hidden.0", "hidden.1", "output")
        for name in ("weight", "bias")
    }
