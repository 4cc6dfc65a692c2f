"""Intervals hold the truth as often as they say, and show what is there to be seen."""

import numpy as np
import pytest
from scipy.stats import binom, norm
from sklearn.metrics import roc_auc_score

from skfair.audit._intervals import Means, Rates, auc_interval, tukey
from skfair.audit._resampling import norm_gap, resampled_counts

SIMULATIONS = 400  # an observed 95 % is then 95 plus or minus 2.2
SIZES = {
    "two": [200, 200],
    "three": [10, 300, 5000],
    "five": [10, 35, 200, 1000, 5000],
    "ten": [10, 11, 20, 35, 80, 200, 500, 1000, 3000, 5000],
}
DISTANCES = {
    "exponential": (lambda rng, n: rng.exponential(1, n), 1.0),
    "half-normal": (lambda rng, n: np.abs(rng.normal(size=n)), np.sqrt(2 / np.pi)),
    "gamma": (lambda rng, n: rng.gamma(0.5, 2, n), 1.0),
    "log-normal": (lambda rng, n: rng.lognormal(size=n), np.exp(0.5)),
    "beta": (lambda rng, n: rng.beta(0.3, 3, n), 0.3 / 3.3),
}


def coverage(estimate, truth):
    """Shares of simulations in which all pairs' intervals, and that of the gap, hold the truth."""
    truth, simultaneous, gaps = np.asarray(truth), 0, 0
    for seed in range(SIMULATIONS):
        found = estimate(np.random.default_rng(seed))
        one, other, value, lower, upper = found.differences(np.arange(len(truth)), 0.95)
        true = truth[one] - truth[other]
        assert (lower <= value + 1e-12).all()
        assert (value <= upper + 1e-12).all()
        simultaneous += ((lower <= true + 1e-12) & (true <= upper + 1e-12)).all()
        gap = found.gap(0.95).found
        assert 0 <= gap.lower <= gap.value + 1e-12 <= gap.upper + 2e-12
        gaps += gap.lower <= np.ptp(truth) + 1e-12 <= gap.upper + 2e-12
    return simultaneous / SIMULATIONS, gaps / SIMULATIONS


def rates(sizes, shares):
    """Rates of a sample."""

    def draw(rng):
        hits = rng.binomial(sizes, shares).astype(float)
        return Rates(np.append(hits, hits.sum()), np.append(sizes, np.sum(sizes)).astype(float))

    return draw


def means(sizes, shares, distances, scales):
    """Mean distances of a sample; a share of people is not accepted, the others' are zero."""
    codes = np.repeat(np.arange(len(sizes)), sizes)

    def draw(rng):
        refused = rng.random(len(codes)) < np.asarray(shares)[codes]
        values = refused * distances(rng, len(codes)) * np.asarray(scales)[codes]
        return Means(values, codes, len(sizes))

    return draw


class TestCoverage:
    """93 to 99 %, but more where a count is nearly always zero."""

    @pytest.mark.parametrize("sizes", SIZES)
    @pytest.mark.parametrize("highest", [0.8, 0.3, 0.05])
    def test_differences_of_rates(self, sizes, highest):
        sizes = SIZES[sizes]
        shares = np.random.default_rng(len(sizes)).uniform(0, highest, len(sizes))
        simultaneous, gap = coverage(rates(sizes, shares), shares)
        assert 0.93 <= simultaneous <= 0.99
        assert gap >= simultaneous

    @pytest.mark.parametrize("sizes", SIZES)
    @pytest.mark.parametrize("share", [0.5, 0.1, 0.03, 0.01])
    def test_differences_of_equal_rates(self, sizes, share):
        sizes = SIZES[sizes]
        simultaneous, _ = coverage(rates(sizes, [share] * len(sizes)), [share] * len(sizes))
        assert 0.93 <= simultaneous <= (0.99 if share > 0.02 else 1)

    @pytest.mark.parametrize("seed", range(3))
    def test_differences_of_rates_among_some(self, seed):
        """Whoever counts is drawn as well: true positives of groups of 30 to 5,000."""
        rng = np.random.default_rng(seed)
        sizes, base = [30, 300, 2000, 5000], rng.uniform(0.35, 0.8, 4)
        shares = rng.uniform(0.05, 0.9, 4)
        codes = np.repeat(np.arange(4), sizes)

        def draw(rng):
            case, hit = rng.random(len(codes)) < base[codes], rng.random(len(codes)) < shares[codes]
            return Rates.of(hit, case, codes, 4)

        assert 0.93 <= coverage(draw, shares)[0] <= 0.99

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "sizes", [*(pytest.param(s, marks=pytest.mark.many) for s in ("two", "three")), "ten"]
    )
    @pytest.mark.parametrize("distances", DISTANCES)
    @pytest.mark.parametrize("refused", [pytest.param(1.0, marks=pytest.mark.many), 0.1])
    def test_differences_of_skewed_means(self, sizes, distances, refused):
        sizes, (draw, mean) = SIZES[sizes], DISTANCES[distances]
        k = len(sizes)
        simultaneous, gap = coverage(
            means(sizes, [refused] * k, draw, [1] * k), [refused * mean] * k
        )
        assert 0.93 <= simultaneous <= 1
        assert gap >= simultaneous

    @pytest.mark.parametrize("distances", DISTANCES)
    def test_differences_of_unequal_means(self, distances):
        sizes, (draw, mean) = SIZES["five"], DISTANCES[distances]
        rng = np.random.default_rng(1)
        refused, scales = rng.uniform(0.1, 1, 5), rng.uniform(0.3, 2, 5)
        found = coverage(means(sizes, refused, draw, scales), refused * scales * mean)
        assert 0.93 <= found[0] <= 1

    @pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.8])
    def test_groups_of_ten(self, share):
        """The interval of one rate, over all that can be drawn."""
        hits = np.arange(11.0)
        lower, upper = Rates(hits, np.full(11, 10.0)).ends(norm.ppf(0.975))
        held = binom.pmf(hits, 10, share)[(lower <= share) & (share <= upper)].sum()
        assert held >= 0.89
        assert np.mean(upper - lower) < 0.5

    def test_ratios_to_the_highest(self):
        """Of which the observed highest need not be the true one."""
        sizes, shares, held = [40, 200, 1000, 4000], np.array([0.2, 0.25, 0.3, 0.28]), 0
        for seed in range(SIMULATIONS):
            highest, ratios = rates(sizes, shares)(np.random.default_rng(seed)).ratios(0.95)
            true = shares / shares[highest]
            held += all(r.lower <= t <= r.upper for r, t in zip(ratios, true, strict=True))
        assert 0.93 <= held / SIMULATIONS <= 1

    def test_sums_over_many_weights(self):
        """Of which the differences are zero or not, in three pairs of groups."""
        truth = np.zeros((3, 40))
        truth[1, :10] = 0.5
        held = 0
        for seed in range(100):
            rng = np.random.default_rng(seed)
            observed = truth + 0.1 * rng.normal(size=truth.shape)
            resampled = observed + 0.1 * rng.normal(size=(100, *truth.shape))
            found, pair = norm_gap(observed, resampled, 0.95)
            assert pair == 1
            assert found.lower <= found.value <= found.upper
            held += found.lower <= 5.0 <= found.upper
        assert held >= 93


class TestPower:
    @pytest.mark.parametrize("third", [11, 35])
    def test_five_standard_errors_are_seen_in_spite_of_a_small_third_group(self, third):
        sizes, shares = np.array([1500, 1200, third]), np.array([0.7, 0.0, 0.5])
        error = np.sqrt(0.7 * 0.3 / 1500 + 0.615 * 0.385 / 1200)
        shares[1] = 0.7 - 5 * error
        shown = named = 0
        for seed in range(SIMULATIONS):
            gap = rates(sizes, shares)(np.random.default_rng(seed)).gap(0.95)
            shown += gap.found.lower > 0
            named += gap.sure is not None
        assert shown >= 0.95 * SIMULATIONS
        assert shown == named

    @pytest.mark.parametrize("third", [11, 35])
    def test_so_they_are_of_mean_distances(self, third):
        sizes = [1500, 1200, third]
        variance = 0.6 * 2 - 0.36  # of a number that is exponential for 60 %, else zero
        scale = 1.0
        for _ in range(50):  # the larger the mean, the larger its error
            error = np.sqrt(variance / 1500 + scale**2 * variance / 1200)
            scale = 1 + 5 * error / 0.6
        draw = means(sizes, [0.6] * 3, DISTANCES["exponential"][0], [1, scale, 1])
        shown = sum(
            draw(np.random.default_rng(seed)).gap(0.95).found.lower > 0
            for seed in range(SIMULATIONS)
        )
        assert shown >= 0.95 * SIMULATIONS

    def test_the_pair_that_is_sure_need_not_be_the_one_that_differs_most(self):
        """As of COMPAS by race: eleven people must not hide what thousands show."""
        cases = np.array([1502, 1281, 11, 2794.0])
        found = Rates(np.array([1020, 1082, 6, 2108.0]), cases)
        gap = found.gap(0.95)
        assert gap.pair == (1, 2)
        assert gap.sure == (1, 0)
        assert gap.found.lower > 0.12
        without = found.gap(0.95, min_cases=30)
        assert without.pair == without.sure == (1, 0)
        assert without.found.value == pytest.approx(1082 / 1281 - 1020 / 1502)
        assert without.found.upper < 0.21

    @pytest.mark.parametrize(
        "estimate",
        [
            Rates(np.array([150.0, 1, 151]), np.array([300.0, 1, 301])),
            Means(np.append(np.arange(300) % 5, 9.0), np.append(np.zeros(300, int), 1), 2),
            Means(np.append(np.arange(300) % 5, 0.0), np.append(np.zeros(300, int), 1), 2),
        ],
    )
    def test_a_single_person_is_no_evidence_of_a_gap(self, estimate):
        assert estimate.gap(0.95).sure is None
        assert estimate.gap(0.95).found.lower == 0


class TestAlgebra:
    def test_for_two_large_groups_it_is_the_usual_interval_of_a_difference(self):
        cases = np.array([40_000, 50_000, 90_000.0])
        found = Rates(cases * np.array([0.3, 0.4, 0.35]), cases).gap(0.95).found
        reach = norm.ppf(0.975) * np.sqrt(0.3 * 0.7 / 40_000 + 0.4 * 0.6 / 50_000)
        assert found.value == pytest.approx(0.1)
        assert found.lower == pytest.approx(0.1 - reach, abs=1e-4)
        assert found.upper == pytest.approx(0.1 + reach, abs=1e-4)
        values = np.random.default_rng(0).random(90_000)
        codes = np.repeat([0, 1], [40_000, 50_000])
        found = Means(values + codes, codes, 2).gap(0.95).found
        reach = norm.ppf(0.975) * np.sqrt(values.var() * (1 / 40_000 + 1 / 50_000))
        assert found.upper - found.value == pytest.approx(reach, rel=0.02)

    def test_more_groups_need_more_evidence(self):
        assert tukey(2, 0.95) == pytest.approx(norm.ppf(0.975), abs=1e-6)
        assert tukey(2, 0.95) < tukey(3, 0.95) < tukey(10, 0.95)
        rng = np.random.default_rng(0)
        drawn = rng.normal(size=(100_000, 5))  # Tukey's range, by its meaning
        assert np.quantile(np.ptp(drawn, axis=1) / np.sqrt(2), 0.95) == pytest.approx(
            tukey(5, 0.95), abs=0.02
        )

    def test_values_are_ratios_of_sums_and_everybody_is_last(self):
        codes = np.array([0, 0, 0, 1, 1, -1])
        hits = np.array([1, 0, 1, 0, 1, 1])
        found = Rates.of(hits, np.ones(6), codes, 2)
        np.testing.assert_allclose(found.value, [2 / 3, 1 / 2, 4 / 6])
        np.testing.assert_array_equal(found.cases, [3, 2, 6])
        values = np.array([3.0, 0, 1, 0, 5, 2])
        np.testing.assert_allclose(Means(values, codes, 2).value, [4 / 3, 5 / 2, 11 / 6])

    def test_relabeling_groups_changes_nothing(self):
        rng = np.random.default_rng(0)
        codes, values = rng.integers(0, 3, 200), rng.exponential(size=200)
        swap = np.array([2, 0, 1])
        one, other = (Means(values, c, 3).gap(0.95) for c in (codes, swap[codes]))
        np.testing.assert_allclose(one.found, other.found)
        assert tuple(swap[list(one.pair)]) == other.pair

    def test_none_and_all_are_not_certain(self):
        lower, upper = Rates(np.array([0, 20.0]), np.array([20, 20.0])).ends(1.96)
        assert lower[0] == 0
        assert 0.1 < upper[0] < 0.2
        assert upper[1] == 1
        assert 0.8 < lower[1] < 0.9
        zeros = Means(np.zeros(40), np.repeat([0, 1], 20), 2)
        assert zeros.gap(0.95).found == (0, 0, 0)  # nobody is anywhere: there is no unit
        half = Means(np.repeat([0.0, 1.0], 20), np.repeat([0, 1], 20), 2)
        lower, upper = half.ends(1.96)
        assert lower[0] == 0
        assert 0.1 < upper[0] < 0.2

    def test_groups_without_cases_have_no_value_and_take_no_part(self):
        found = Rates(np.array([5, 5, 0, 10.0]), np.array([10, 10, 0, 20.0]))
        assert np.isnan(found.interval(2, 0.95)).all()
        assert found.gap(0.95).found.value == 0
        alone = Rates(np.array([5, 0, 5.0]), np.array([10, 0, 10.0])).gap(0.95)
        assert np.isnan(alone.found).all()
        assert alone.pair is None

    def test_ratios(self):
        found = Rates(np.array([50, 0, 20, 3, 73.0]), np.array([100, 100, 100, 4, 304.0]))
        highest, ratios = found.ratios(0.95, min_cases=30)
        assert highest == 0
        assert ratios[0] == (1, 1, 1)
        assert ratios[1][:2] == (0, 0)
        assert 0 < ratios[1].upper < 0.15
        assert ratios[2].value == pytest.approx(0.4)
        assert ratios[2].lower < 0.4 < ratios[2].upper
        assert np.isnan(ratios[3]).all()
        assert Rates(np.zeros(3), np.full(3, 50.0)).ratios(0.95)[0] is None

    def test_auc(self):
        rng = np.random.default_rng(0)
        held = 0
        for _ in range(200):
            positive = rng.random(150) < 0.4
            scores = np.round(rng.normal(size=150) + positive, 1)
            found = auc_interval(scores, positive, 0.95)
            assert found.value == pytest.approx(roc_auc_score(positive, scores))
            held += found.lower <= 0.76 <= found.upper  # norm.cdf(1 / sqrt(2))
        assert 0.92 <= held / 200 <= 0.98
        assert np.isnan(auc_interval(np.ones(3), np.ones(3, bool), 0.95)).all()

    def test_resamples_keep_the_size_of_each_group(self):
        codes = np.array([0, 1, 1, 2, 1, 0])
        counts = resampled_counts(codes, 30, np.random.default_rng(0))
        assert counts.shape == (30, 6)
        assert (counts[:, codes == 0].sum(axis=1) == 2).all()
        assert (counts[:, codes == 1].sum(axis=1) == 3).all()
