"""What can be asked of a network."""

import pytest
import torch
from torch import nn

from skfair.networks._inspection import first_layer, relu_layers, weight_layers
from skfair.networks.mlp import MLP


def test_weight_layers_are_those_with_a_matrix_in_their_order():
    module = MLP(3, 2, (4, 3), "tanh")
    assert weight_layers(module) == [*module.hidden, module.output]
    assert weight_layers(module, 1) == [module.output]


def test_module_without_weight_matrices_is_refused():
    with pytest.raises(ValueError, match="no weight matrices"):
        weight_layers(nn.Sequential(nn.ReLU(), nn.BatchNorm1d(3)))
    with pytest.raises(ValueError, match="align_layers=9 is more than the 3"):
        weight_layers(MLP(3, 2, (4, 3)), 9)


@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)])
@pytest.mark.parametrize("sequential", [False, True])
def test_first_layer_and_the_rest_are_the_network(hidden, sequential):
    module = MLP(3, 2, hidden)
    if sequential:
        parts = [part for layer in module.hidden for part in (layer, nn.ReLU())]
        module = nn.Sequential(*parts, module.output)
    X = torch.randn(5, 3)
    first, rest = first_layer(module)
    assert isinstance(first, nn.Linear)
    torch.testing.assert_close(rest(first(X)), module(X))
    assert len(relu_layers(module)) == len(hidden)


class Backwards(nn.Sequential):
    def forward(self, X):
        return super().forward(X.flip(1))


@pytest.mark.parametrize(
    "module",
    [nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), Backwards(nn.Linear(3, 2)), nn.Linear(3, 2)],
    ids=["starts otherwise", "own forward", "no sequence"],
)
def test_a_network_that_is_not_known_has_no_first_layer(module):
    assert first_layer(module) is None
    assert relu_layers(module) == []


@pytest.mark.parametrize(
    "module",
    [
        MLP(3, 2, (4,), "tanh"),
        nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(3, 4), nn.ReLU()),
    ],
    ids=["tanh", "a sequence with tanh", "ends in ReLU"],
)
def test_only_relu_between_linear_layers_makes_relu_layers(module):
    assert first_layer(module) is not None
    assert relu_layers(module) == []
