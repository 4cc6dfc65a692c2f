"""Networks of the user, and what is wrong with them."""

import numpy as np
import pytest
import torch
from torch import nn

from skfair.networks._build import build_module, check_module


def test_no_hidden_layer_makes_a_linear_model():
    module = build_module(None, (4,), 2, (), "relu", 0.0)
    assert [tuple(p.shape) for p in module.parameters()] == [(2, 4), (2,)]


@pytest.mark.parametrize("sizes", [5, [5], (5,), np.array([5]), (np.int64(5),)])
def test_one_hidden_layer_can_be_given_as_a_number_or_any_sequence(sizes):
    module = build_module(None, (4,), 3, sizes, "relu", 0.0)
    assert [layer.out_features for layer in module.hidden] == [5]
    assert module(torch.zeros(2, 4)).shape == (2, 3)


@pytest.mark.parametrize("sizes", [0, (8, 0), (-1,), (8, 2.5), ("a",), None, True])
def test_hidden_layers_that_are_no_positive_ints_are_refused(sizes):
    with pytest.raises(ValueError, match="hidden_layer_sizes must be positive ints, got"):
        build_module(None, (4,), 2, sizes, "relu", 0.0)


def test_module_given_as_an_instance_is_refused():
    with pytest.raises(TypeError, match=r"got the instance Linear\(\.\.\.\)"):
        build_module(nn.Linear(4, 2), (4,), 2, (8,), "relu", 0.0)


def test_callable_that_makes_no_module_is_refused():
    with pytest.raises(TypeError, match="must return an nn.Module .* got int"):
        build_module(lambda n_features, n_outputs: 3, (4,), 2, (8,), "relu", 0.0)


@pytest.mark.parametrize(("shape", "expected"), [((4,), 4), ((2, 5), (2, 5))])
def test_callable_receives_the_width_or_the_shape_of_a_row(shape, expected):
    received = []

    def module(n_features, n_outputs):
        received.append((n_features, n_outputs))
        return nn.Identity()

    build_module(module, shape, 3, (8,), "relu", 0.0)
    assert received == [(expected, 3)]


@pytest.mark.parametrize(
    ("module", "got"),
    [
        (nn.Linear(4, 3), r"\(2, 3\)"),
        (nn.Linear(4, 1), r"\(2, 1\)"),
        (nn.Flatten(0), r"\(8,\)"),
        (nn.LSTM(4, 2), "tuple"),
    ],
)
def test_module_with_a_wrong_output_is_refused_and_its_shape_is_named(module, got):
    with pytest.raises(ValueError, match=rf"shape \(n_samples, 2\).*for 2 rows it returned {got}"):
        check_module(module, torch.zeros(2, 4), 2)


def test_check_says_whether_a_module_runs_in_double_precision():
    class CastsToSingle(nn.Linear):
        def forward(self, X):
            return super().forward(X.float())

    rows = torch.zeros(2, 4)
    assert check_module(nn.Linear(4, 2), rows, 2) is True
    assert check_module(CastsToSingle(4, 2), rows, 2) is False
