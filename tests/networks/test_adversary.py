"""The adversary: no group comes first, and no unit is dropped."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from skfair.networks import MLP
from skfair.networks._adversary import Adversary

SEEN = torch.randn(7, 2, generator=torch.Generator().manual_seed(0))


def with_dropout(n_inputs, n_outputs):
    return nn.Sequential(
        nn.Linear(n_inputs, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, n_outputs)
    )


@pytest.mark.parametrize("make", [MLP, with_dropout, nn.Linear])
def test_all_guesses_are_the_same_at_first(make):
    shares = torch.tensor([0.5, 0.3, 0.2])
    adversary = Adversary(make(2, 3 + 2 * 3 * 4), shares.log(), n_continuous=2, n_components=4)
    logits, mixtures = adversary(SEEN)
    assert_close(logits.softmax(-1), shares.expand(7, 3))
    assert mixtures.shape == (7, 2, 3, 4)
    assert_close(mixtures, adversary.without_looking(torch.zeros(7)))
    assert mixtures[0, 0, 1].unique().numel() == 4  # means apart, or they would stay together
    assert_close(mixtures[0, 0, 1].sum(), torch.tensor(0.0))


def test_dropout_is_turned_off():
    adversary = Adversary(with_dropout(2, 3), torch.zeros(3)).train()
    nn.init.ones_(adversary.body[-1].weight)
    assert_close(adversary(SEEN), adversary(SEEN))
    assert adversary(SEEN)[0].std() > 0


def test_a_guess_without_looking_may_depend_on_the_class():
    adversary = Adversary(MLP(2, 3), torch.zeros(0), n_continuous=1, n_components=1, n_classes=2)
    with torch.no_grad():
        adversary.marginal[1] += 1
    guesses = adversary.without_looking(torch.tensor([0, 1, 1]))
    assert guesses[:, 0, 1, 0].tolist() == [0, 1, 1]


def test_a_body_must_end_in_its_outputs():
    with pytest.raises(ValueError, match="must end in a layer of 3 outputs; .* has 2"):
        Adversary(nn.Linear(1, 2), torch.zeros(3))


def test_a_layer_without_bias_gets_one():
    adversary = Adversary(nn.Linear(2, 2, bias=False), torch.tensor([0.9, 0.1]).log())
    assert_close(adversary(SEEN)[0].softmax(-1)[0], torch.tensor([0.9, 0.1]))


def test_a_body_without_weights_is_refused():
    with pytest.raises(ValueError, match="no weight matrices"):
        Adversary(nn.ReLU(), torch.zeros(2))
