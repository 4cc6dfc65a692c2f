"""Noise has the distribution it claims, for every kind, metric and weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from skfair.smoothing import WeightedMetric
from skfair.smoothing.metric import METRICS
from skfair.smoothing.noise import NOISES, AddNoise, Noise

N = 20_000
WEIGHTS = [np.ones(1), np.ones(4), np.array([0.05, 5.0, 1.0]), np.array([0.1, 3.0, 0.7, 2.0, 1.5])]
LEVEL = 1e-4  # of each test; 72 of them


@pytest.fixture(params=WEIGHTS, ids=lambda w: f"d{len(w)}_{w[0]}")
def weights(request):
    return request.param


def sample(noise, metric, weights, dtype=torch.float64, seed=0):
    drawn = Noise(noise, metric, weights).draw(N, torch.Generator().manual_seed(seed), dtype)
    assert drawn.dtype == dtype
    return drawn.double().numpy()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("metric", METRICS)
def test_radius_of_laplace_noise_is_gamma(metric, weights, dtype):
    radius = WeightedMetric(metric, weights).of_shift(sample("laplace", metric, weights, dtype))
    assert stats.kstest(radius, stats.gamma(len(weights), scale=0.5).cdf).pvalue > LEVEL


def coordinate(noise, metric, w, d):
    """Distribution of one coordinate, where it has a name."""
    if noise == "gaussian":
        variance = {"l1": 1 / w**2, "l2": 1 / w, "linf": d / w**2}[metric] / (2 * np.pi)
        return stats.norm(scale=np.sqrt(variance))
    if metric == "l1" or d == 1:
        return stats.laplace(scale=0.5 / (np.sqrt(w) if metric == "l2" else w))
    return None


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("noise", NOISES)
def test_coordinates(noise, metric, weights):
    drawn, d = sample(noise, metric, weights), len(weights)
    for i, w in enumerate(weights):
        known = coordinate(noise, metric, w, d)
        if known is None:  # |t_i| on the unit sphere or cube, times a radius
            rng = np.random.default_rng(1)
            if metric == "l2":
                point = rng.standard_normal((N, d))
                point /= np.linalg.norm(point, axis=1, keepdims=True)
            else:
                point = rng.uniform(-1, 1, (N, d))
                point /= np.abs(point).max(axis=1, keepdims=True)
            other = point[:, i] * rng.gamma(d, 0.5, N) / (np.sqrt(w) if metric == "l2" else w)
            assert stats.ks_2samp(drawn[:, i], other).pvalue > LEVEL
        else:
            assert stats.kstest(drawn[:, i], known.cdf).pvalue > LEVEL


@pytest.mark.parametrize("metric", ["l2", "linf"])
def test_direction_and_radius_are_independent(metric):
    drawn = sample("laplace", metric, np.ones(3))
    radius = WeightedMetric(metric, np.ones(3)).of_shift(drawn)
    share = np.abs(drawn[:, 0]) / radius
    assert abs(stats.spearmanr(radius, share).statistic) < 4 / np.sqrt(N)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("metric", METRICS)
def test_one_generator_one_result(noise, metric):
    weights = np.array([0.5, 2.0])
    assert np.array_equal(sample(noise, metric, weights), sample(noise, metric, weights))
    assert not np.array_equal(
        sample(noise, metric, weights), sample(noise, metric, weights, seed=1)
    )


def test_augmentation_moves_only_the_columns_that_the_network_sees():
    X = torch.zeros(500, 3)
    noisy = AddNoise(Noise("gaussian", "l2", np.array([1.0, 4.0, 1.0])), [2, -1, 0])(X)
    assert torch.equal(X, torch.zeros(500, 3))
    assert torch.equal(noisy[:, 1], X[:, 1])
    assert noisy[:, [0, 2]].std(0).numpy() == pytest.approx([0.4, 0.4], rel=0.15)
