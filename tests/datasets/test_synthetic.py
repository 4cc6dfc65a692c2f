import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from skfair.datasets import make_biased_classification
from skfair.datasets._synthetic import _group_means

SETTINGS = [
    {},
    {"recourse_gap": 0},
    {"recourse_gap": 3, "n_groups": 4},
    {"group_proportions": [0.9, 0.1]},
    {"n_groups": 3, "group_proportions": [0.2, 0.3, 0.5], "positive_rate": 0.2},
    {"recourse_gap": 0.5, "log_odds_std": 0.5, "n_features": 3, "n_informative": 3},
]


@pytest.fixture(params=SETTINGS, ids=str)
def settings(request):
    return request.param


def draw(n_samples, **settings):
    return make_biased_classification(n_samples, **settings, return_log_odds=True, random_state=0)


def within(sample, expected):
    """Whether a mean is within 4 standard errors of what is expected (1 in 16,000 is not)."""
    return abs(sample.mean() - expected) <= 4 * sample.std() / np.sqrt(len(sample))


def test_population_burdens_are_equally_spaced_over_exactly_the_gap(settings):
    gap, std = settings.get("recourse_gap", 1), settings.get("log_odds_std", 2)
    rate, k = settings.get("positive_rate", 0.4), settings.get("n_groups", 2)
    proportions = np.array(settings.get("group_proportions", np.full(k, 1 / k)))
    means = _group_means(gap, std, proportions, rate)

    def expectation(function, mean):
        # in two pieces that meet in the kink of max(0, -d); 12 standard deviations are everything
        ends = sorted(
            [mean - 12 * std, np.clip(0, mean - 12 * std, mean + 12 * std), mean + 12 * std]
        )
        return sum(
            quad(lambda d: function(d) * norm.pdf(d, mean, std), low, high, epsabs=1e-12)[0]
            for low, high in zip(ends, ends[1:], strict=False)
        )

    burdens = [expectation(lambda d: max(0, -d), mean) for mean in means]
    assert burdens[0] - burdens[-1] == pytest.approx(gap, abs=1e-9)
    assert np.diff(burdens) == pytest.approx(-gap / (k - 1), abs=1e-9)
    rates = [expectation(expit, mean) for mean in means]
    assert proportions @ rates == pytest.approx(rate, abs=1e-9)


def test_sample_burdens_converge_to_the_promised_gap(settings):
    _, _, group, d = draw(200_000, **settings)
    burdens = [np.maximum(0, -d[group == name]) for name in np.unique(group)]
    gap = burdens[0].mean() - burdens[-1].mean()
    error = np.sqrt(sum(burden.var() / len(burden) for burden in (burdens[0], burdens[-1])))
    assert abs(gap - settings.get("recourse_gap", 1)) <= 4 * error


def test_log_odds_are_an_exact_linear_function_of_the_informative_features(settings):
    X, _, _, d = draw(500, **settings)
    design = np.column_stack([np.ones(len(X)), X])
    weights, *_ = np.linalg.lstsq(design, d, rcond=None)
    assert design @ weights == pytest.approx(d, abs=1e-10)
    assert weights[1 + settings.get("n_informative", 5) :] == pytest.approx(0, abs=1e-10)
    assert np.linalg.norm(weights[1:]) == pytest.approx(settings.get("log_odds_std", 2))


def test_labels_are_calibrated_to_the_log_odds(settings):
    _, y, _, d = draw(100_000, **settings)
    assert {*np.unique(y)} == {0, 1}
    assert within(y, settings.get("positive_rate", 0.4))
    for part in np.array_split(np.argsort(d), 10):
        assert within(y[part] - expit(d[part]), 0)


def test_log_odds_have_the_promised_spread_within_each_group(settings):
    _, _, group, d = draw(100_000, **settings)
    std = settings.get("log_odds_std", 2)
    for name in np.unique(group):
        assert within((d[group == name] - d[group == name].mean()) ** 2, std**2)


def test_proxy_follows_the_group_and_noise_does_not():
    X, _, group, _ = draw(50_000)
    a, b = X[group == "a"], X[group == "b"]
    assert within(b[:, 5] - 1, 0)
    assert within(a[:, 5] + 1, 0)
    assert all(within(part[:, j], 0) for part in (a, b) for j in range(6, 10))


def test_group_counts_follow_the_proportions_without_chance():
    _, _, group, _ = draw(1_000, n_groups=3, group_proportions=[0.5, 0.3, 0.2])
    assert [*np.unique(group, return_counts=True)[1]] == [500, 300, 200]
    _, _, group, _ = draw(9, n_groups=3)
    assert [*np.unique(group, return_counts=True)[1]] == [3, 3, 3]


def test_base_rate_is_moderate_by_default():
    assert 0.3 <= draw(10_000)[1].mean() <= 0.5


def test_same_seed_gives_the_same_data_and_another_seed_other_data():
    first, same = (
        make_biased_classification(random_state=1),
        make_biased_classification(random_state=np.random.RandomState(1)),
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not np.array_equal(first[0], make_biased_classification(random_state=2)[0])


def test_global_generator_is_untouched_by_a_seeded_call():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_biased_classification(random_state=0)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_shapes_and_types_are_scikit_learns():
    X, y, group = make_biased_classification(50, n_features=8, n_groups=3, random_state=0)
    assert X.shape == (50, 8)
    assert X.dtype == np.float64
    assert y.shape == (50,)
    assert y.dtype == int
    assert group.shape == (50,)
    assert {*group} == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("n_informative", "names"),
    [
        (2, ["informative_0", "informative_1", "proxy", "noise_0"]),
        (3, ["informative_0", "informative_1", "informative_2", "proxy"]),
        (4, ["informative_0", "informative_1", "informative_2", "informative_3"]),
    ],
)
def test_frames_hold_what_the_arrays_hold(n_informative, names):
    settings = {"n_features": 4, "n_informative": n_informative}
    frames, arrays = draw(20, **settings, as_frame=True), draw(20, **settings)
    X, *series = frames
    assert isinstance(X, pd.DataFrame)
    assert [*X] == names
    assert [s.name for s in series] == ["target", "group", "log_odds"]
    assert all(np.array_equal(f, a) for f, a in zip(frames, arrays, strict=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_samples": 0}, "'n_samples' parameter of make_biased_classification"),
        ({"n_features": 2.5}, "'n_features' parameter"),
        ({"n_informative": 0}, "'n_informative' parameter"),
        ({"n_informative": 11}, "n_informative must be at most n_features=10, got 11"),
        ({"n_groups": 1}, "'n_groups' parameter"),
        ({"n_groups": 27}, "'n_groups' parameter"),
        ({"recourse_gap": -1}, "'recourse_gap' parameter"),
        ({"recourse_gap": np.inf}, "'recourse_gap' parameter"),
        ({"group_proportions": [1]}, "group_proportions must be n_groups=2 positive numbers"),
        ({"group_proportions": [1, 0]}, "group_proportions must be n_groups=2 positive numbers"),
        ({"group_proportions": [0.5, 0.6]}, "group_proportions must add up to 1"),
        ({"positive_rate": 1}, "'positive_rate' parameter"),
        ({"recourse_gap": 20, "positive_rate": 0.6}, "positive_rate must be below 0.5 for"),
        ({"log_odds_std": 0}, "'log_odds_std' parameter"),
        ({"random_state": "a"}, "'random_state' parameter"),
    ],
)
def test_bad_parameters_are_refused_with_what_would_do(settings, message):
    with pytest.raises(ValueError, match=message):
        make_biased_classification(**settings)


def test_a_gap_far_larger_than_the_spread_is_still_found():
    _, _, group, d = draw(100_000, recourse_gap=500, log_odds_std=0.1)
    burdens = [np.maximum(0, -d[group == name]).mean() for name in "ab"]
    assert burdens[0] - burdens[1] == pytest.approx(500, rel=1e-5)
