"""Heads: a body makes features, the head makes logits of them."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from skfair.networks._heads import HEADS, CosineHead, HeadedNetwork
from skfair.training._recipe import Architecture


def test_cosine_head_returns_scaled_cosines():
    head = CosineHead(3, 4, scale=10.0)
    features = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    expected = 10 * torch.cosine_similarity(features[:, None], head.weight[None], dim=-1)
    assert_close(head(features), expected)
    assert_close(head(7 * features), expected)


def test_architecture_puts_a_head_on_a_body():
    for head in HEADS:
        architecture = Architecture(None, (6,), 3, (8,), "relu", 0.0, "float64", head, 5)
        network = architecture.build()
        assert isinstance(network, HeadedNetwork)
        X = torch.ones(2, 6, dtype=torch.float64)
        assert network.body(X).shape == (2, 5)
        assert_close(network(X), network.head(network.body(X)))
        assert network(X).dtype == torch.float64
