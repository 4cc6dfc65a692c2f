"""Intervals hold the truth as often as they say."""

import numpy as np
import pytest
from scipy.stats import binomtest

from skfair.audit.intervals import Resamples, gap_interval

SIMULATIONS = 300


def coverage(draw, truth, how, sizes, n_resamples=200):
    """Share of simulations whose interval holds the gap in the population."""
    codes = np.repeat(np.arange(len(sizes)), sizes)
    hits = 0
    for seed in range(SIMULATIONS):
        rng = np.random.default_rng(seed)
        values = draw(rng, codes)[:, None].astype(float)
        resamples = Resamples(codes, len(sizes), n_resamples, rng)
        (ratios,) = resamples.ratios(values, np.ones_like(values))
        found = ratios.gap(how, 0.95)
        assert 0 <= found.lower <= found.value <= found.upper
        hits += found.lower <= truth <= found.upper
    return hits / SIMULATIONS


@pytest.mark.parametrize(
    "rates",
    [(0.3, 0.3), (0.3, 0.33), (0.2, 0.5), (0.4, 0.4, 0.4, 0.4), (0.1, 0.3, 0.35, 0.6)],
)
def test_gaps_of_rates(rates):
    rates = np.array(rates)
    found = coverage(
        lambda rng, codes: rng.random(len(codes)) < rates[codes],
        np.ptp(rates),
        "max",
        [200] * len(rates),
    )
    assert 0.9 <= found <= 0.99


@pytest.mark.parametrize("means", [(1.0, 1.0), (1.0, 1.6), (1.0, 1.0, 1.0), (0.5, 1.0, 2.0)])
def test_gaps_of_distances(means):
    """Skewed, and zero for many, as distances to acceptance are."""
    means = np.array(means)
    pairs = np.abs(np.subtract.outer(means, means))[np.triu_indices(len(means), 1)].sum()
    found = coverage(
        lambda rng, codes: (rng.random(len(codes)) < 0.6) * rng.exponential(means[codes] / 0.6),
        pairs,
        "sum",
        [150] * len(means),
    )
    assert 0.9 <= found <= 0.99


@pytest.mark.parametrize(
    ("sizes", "rate"), [((300, 1), 0.5), ((300, 2), 0.5), ((300, 20), 0.1), ((300, 100, 20), 0.1)]
)
def test_a_handful_of_people_is_no_evidence_of_a_gap(sizes, rate):
    """Resampling one person gives that person again and again, which is not certainty."""
    found = coverage(lambda rng, codes: rng.random(len(codes)) < rate, 0.0, "max", sizes)
    assert found >= 0.9


def test_the_plain_percentile_interval_would_miss_a_gap_of_zero():
    """Why there is a module for it."""
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(50):
        signed = rng.normal() + rng.normal(size=(400, 1))
        lower, _ = np.quantile(np.abs(signed), [0.025, 0.975])
        missed += lower > 0
    assert missed == 50


def test_for_two_groups_it_is_the_interval_of_the_difference():
    rng = np.random.default_rng(0)
    observed = np.array([-3.0])
    found = gap_interval(observed, observed + rng.normal(size=(200_000, 1)), "sum", 0.95)
    assert found.lower == pytest.approx(3 - 1.96, abs=0.02)
    assert found.upper == pytest.approx(3 + 1.96, abs=0.02)


def test_values_are_ratios_of_sums_and_everybody_is_last():
    codes = np.array([0, 0, 0, 1, 1, -1])
    tops = np.array([[1.0], [0], [1], [0], [1], [1]])
    (ratios,) = Resamples(codes, 2, 50, np.random.default_rng(0)).ratios(tops, np.ones((6, 1)))
    np.testing.assert_allclose(ratios.value, [2 / 3, 1 / 2, 4 / 6])
    assert ratios.resampled.shape == (50, 3)


def test_drawing_how_many_of_each_is_drawing_people():
    """Two ways to resample, chosen by how many people are alike, have the same distribution."""
    rng = np.random.default_rng(0)
    codes = np.zeros(80, dtype=int)
    alike = rng.integers(0, 3, (80, 1)).astype(float)
    apart = alike + rng.normal(size=(80, 1)) * 1e-9
    spreads = []
    for values in (alike, apart):
        (ratios,) = Resamples(codes, 1, 4000, rng).ratios(values, np.ones_like(values))
        spreads.append(ratios.resampled[:, 0].std())
    expected = alike.std() / np.sqrt(80)
    np.testing.assert_allclose(spreads, expected, rtol=0.06)


def test_a_rate_of_zero_has_an_exact_interval():
    codes = np.zeros(20, dtype=int)
    (ratios,) = Resamples(codes, 1, 50, np.random.default_rng(0)).ratios(
        np.zeros((20, 1)), np.ones((20, 1))
    )
    exact = binomtest(0, 20).proportion_ci(0.95)
    assert ratios.interval(0, 0.95) == (0.0, exact.low, exact.high)


def test_groups_without_cases_have_no_value_and_take_no_part():
    codes = np.repeat([0, 1, 2], 10)
    bottoms = np.repeat([1.0, 1.0, 0.0], 10)[:, None]
    tops = np.tile([0.0, 1.0], 15)[:, None] * bottoms
    (ratios,) = Resamples(codes, 3, 50, np.random.default_rng(0)).ratios(tops, bottoms)
    assert np.isnan(ratios.interval(2, 0.95)).all()
    assert ratios.gap("max", 0.95).value == 0.0


def test_resamples_keep_the_size_of_each_group():
    codes = np.array([0, 1, 1, -1, 1, 0])
    counts = Resamples(codes, 2, 30, np.random.default_rng(0)).counts()
    assert counts.shape == (30, 6)
    assert (counts[:, codes == 0].sum(axis=1) == 2).all()
    assert (counts[:, codes == 1].sum(axis=1) == 3).all()
