"""Networks for images."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from skfair.networks import AlexNet, Conv1dNet, ConvNet, ResNet18, TableLayout, TabularNetwork
from skfair.networks._build import MODULE_NAMES, build_module
from skfair.networks.mlp import MLP

IMAGE_NETWORKS = (ConvNet, AlexNet, ResNet18)


@pytest.mark.parametrize("network", IMAGE_NETWORKS)
@pytest.mark.parametrize("shape", [(16, 16), (28, 28), (1, 28, 28), (3, 31, 45), (2, 64, 80)])
def test_images_of_any_size_and_number_of_channels_make_logits(network, shape):
    module = network(shape, 5, width=4).eval()
    assert module(torch.rand(3, *shape)).shape == (3, 5)


@pytest.mark.parametrize("network", IMAGE_NETWORKS)
def test_channel_of_gray_images_may_be_left_out(network):
    torch.manual_seed(0)
    without = network((20, 24), 2, width=4).eval()
    torch.manual_seed(0)
    of_one = network((1, 20, 24), 2, width=4).eval()
    X = torch.rand(3, 20, 24)
    assert torch.equal(without(X), of_one(X.unsqueeze(1)))


@pytest.mark.parametrize("network", IMAGE_NETWORKS)
def test_every_weight_has_a_gradient(network):
    module = network((16, 16), 2, width=4)
    module(torch.rand(6, 16, 16)).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in module.parameters())


@pytest.mark.parametrize("network", [ConvNet, AlexNet])
def test_rows_do_not_mix_without_batch_norm(network):
    module = network((16, 16), 2, width=4)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in module.modules())
    X = torch.rand(6, 16, 16, requires_grad=True)
    module.eval()(X)[2].sum().backward()
    assert X.grad.flatten(1).any(1).tolist() == [False, False, True, False, False, False]


def test_residual_network_has_eighteen_layers_and_the_usual_widths():
    module = ResNet18((3, 64, 64), 1000)
    main = [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    shortcuts = [part for part in main if getattr(part, "kernel_size", None) == (1, 1)]
    assert len(main) - len(shortcuts) == 18
    assert sum(p.numel() for p in module.features[3:].parameters()) == 11_166_976  # of its blocks


def test_alexnet_has_five_convolutions_and_three_linear_layers():
    module = AlexNet((3, 64, 64), 2)
    widths = [part.out_channels for part in module.modules() if isinstance(part, nn.Conv2d)]
    assert widths == [64, 192, 384, 256, 256]
    assert [p.out_features for p in module.modules() if isinstance(p, nn.Linear)] == [1024, 1024, 2]


@pytest.mark.parametrize("n_columns", [1, 7, 32, 108])
def test_one_dimensional_network_has_the_printed_filters(n_columns):
    module = Conv1dNet(n_columns, 1)
    filters = [part.out_channels for part in module.modules() if isinstance(part, nn.Conv1d)]
    assert filters == [256, 128, 64, 32, 16, 1]  # Auditability, section 5
    assert module(torch.rand(4, n_columns)).shape == (4, 1)


def test_one_dimensional_network_takes_sequences_and_sees_every_column():
    assert Conv1dNet((3, 10), 2)(torch.rand(4, 3, 10)).shape == (4, 2)
    torch.manual_seed(0)
    X = torch.rand(8, 30, requires_grad=True)
    Conv1dNet(30, 2)(X)[:, 1].sum().backward()
    assert X.grad.abs().sum(0).all()


@pytest.mark.parametrize("network", IMAGE_NETWORKS)
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (784, "got rows of 784 numbers. X.reshape"),
        ((784,), "got rows of 784 numbers. X.reshape"),
        ((1, 1, 28, 28), r"got rows of shape \(1, 1, 28, 28\)"),
        (
            (28, 28, 3),
            r"whose channels seem to come last: X.transpose\(0, 3, 1, 2\)",
        ),
        ((15, 28), "at least 16 x 16 pixels, got 15 x 28"),
    ],
)
def test_what_is_no_image_is_refused(network, shape, message):
    with pytest.raises(ValueError, match=f"{network.__name__} takes .*{message}"):
        network(shape, 2)


def test_one_dimensional_network_refuses_images():
    with pytest.raises(ValueError, match=r"got rows of shape \(3, 28, 28\); for images.*'convnet'"):
        Conv1dNet((3, 28, 28), 2)


NAMED = {
    "mlp": MLP,
    "tabular": TabularNetwork,
    "convnet": ConvNet,
    "alexnet": AlexNet,
    "resnet18": ResNet18,
    "conv1d": Conv1dNet,
}


@pytest.mark.parametrize("name", MODULE_NAMES)
def test_networks_are_known_by_name(name):
    shape = (20,) if name in ("mlp", "tabular", "conv1d") else (16, 16)
    layout = TableLayout(20, edges=dict.fromkeys(range(20), [0.0, 1.0]))
    module = build_module(name, shape, 3, (8,), "relu", 0.0, layout=layout)
    assert type(module) is NAMED[name]
    assert module.eval()(torch.rand(2, *shape)).shape == (2, 3)


@pytest.mark.parametrize("module", [None, "mlp"])
def test_perceptron_refuses_images_and_names_what_takes_them(module):
    with pytest.raises(ValueError, match=r"got dim 3, rows of shape \(16, 16\).*'convnet'"):
        build_module(module, (16, 16), 2, (8,), "relu", 0.0)
