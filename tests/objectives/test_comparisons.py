"""Statistics and comparisons: against readings of a few lines each."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import f1_score, mutual_info_score, precision_score
from torch.func import vmap

from skfair.objectives import Comparison
from skfair.objectives.dependence import gaussian_kernel, hsic, same_group_kernel
from skfair.objectives.penalties import (
    COMPARISONS,
    MEAN_COMPARISONS,
    PENALTIES,
    STATISTICS,
    penalty_of,
    penalty_terms,
)

from .test_penalties import comparison_of, draw
from .test_projection import rate_of

F64 = torch.float64
BINARY = sorted(name for name, known in STATISTICS.items() if known.binary)
OLD = {  # what the names that were there before stand for
    "equal_loss": ("loss", "absolute"),
    "equal_opportunity": ("tpr", "absolute"),
    "predictive_parity": ("ppv", "absolute"),
    "demographic_parity": ("selection_rate", "absolute"),
    "disparate_impact": ("selection_rate", "ratio"),
}


def value_of(penalty, how, logits, y, groups, weights, comparison=None, **kwargs):
    comparison = comparison or comparison_of(3)
    terms, _ = penalty_terms(
        logits,
        y,
        groups,
        weights,
        penalty=penalty,
        compared_by=how,
        comparison=comparison,
        **kwargs,
    )
    return terms["penalty"]


def by_shares(groups, weights):
    counts = torch.tensor([weights[groups[:, 0] == g].sum() for g in range(3)])
    return Comparison.of([0] * 3, torch.stack([counts / 2, counts / 2]), F64)


def means_of(name, logits, y, groups, weights):
    """Rates and shares of the three groups, and the rate of all of them."""
    p, y, w = expit((logits[:, 1] - logits[:, 0]).numpy()), y.numpy(), weights.numpy()
    of = [groups[:, 0].numpy() == g for g in range(3)]
    return np.array([rate_of(name, p[g], y[g], w[g]) for g in of])


@pytest.mark.parametrize(("old", "new"), OLD.items())
def test_old_names_are_members_of_the_family(old, new):
    batch = draw()
    assert value_of(old, None, *batch) == value_of(*new, *batch)


@pytest.mark.parametrize("name", BINARY)
def test_statistics_are_what_they_are_called(name):
    logits, y, groups, weights = draw()
    values, cases = STATISTICS[name].rates(logits, y)
    means = means_of(name, logits, y, groups, weights)
    for g in range(3):
        members = weights * (groups[:, 0] == g) * cases[0]
        assert (values[0] @ members / members.sum()).item() == pytest.approx(means[g])


def test_decisions_have_the_precision_and_the_f1_of_scikit_learn():
    logits, y, _, _ = draw()
    sure = torch.where(logits[:, 1] > logits[:, 0], torch.inf, -torch.inf)
    for name, metric in (("ppv", precision_score), ("f1", f1_score)):
        values, cases = STATISTICS[name].rates(torch.stack([-sure, sure], 1), y)
        found = (values.nan_to_num(0) * cases).sum() / cases.sum()
        assert found.item() == pytest.approx(metric(y, logits.argmax(1)))


@pytest.mark.parametrize("name", ["selection_rate", "tnr", "accuracy", "fpr"])
def test_mean_comparisons(name):
    logits, y, groups, weights = draw()
    m = means_of(name, logits, y, groups, weights)
    shares = np.full(3, 1 / 3)  # groups count alike where nothing is said
    center, worse = shares @ m, -1 if STATISTICS[name].more_is_better else 1
    kl = m * np.log(m / center) + (1 - m) * np.log((1 - m) / (1 - center))
    expected = {
        "absolute": abs(m[0] - m[1]) + abs(m[0] - m[2]) + abs(m[1] - m[2]),
        "squared": 4 * shares @ (m - center) ** 2,
        "ratio": -m.min() / m.max(),
        "worst_group": (worse * (m - center)).max(),
        "mutual_information": shares @ kl,
    }
    for how in MEAN_COMPARISONS:
        found = value_of(name, how, logits, y, groups, weights).item()
        assert found == pytest.approx(expected[how]), how


def test_prejudice_remover_in_ten_lines():
    """Kamishima et al. 2012, Eq. 9: over the rows, of M = P(y | x, s) and its means."""
    logits, y, groups, weights = draw(seed=4)
    groups = groups.clamp(min=0)
    comparison = by_shares(groups, weights)
    p = expit((logits[:, 1] - logits[:, 0]).numpy())
    total, w, s = 0.0, weights.numpy(), groups[:, 0].numpy()
    for decision in (p, 1 - p):
        of_all = np.average(decision, weights=w)
        for i in range(len(p)):
            of_group = np.average(decision[s == s[i]], weights=w[s == s[i]])
            total += w[i] * decision[i] * np.log(of_group / of_all)
    expected = total / w.sum()
    found = value_of("selection_rate", "mutual_information", logits, y, groups, weights, comparison)
    assert found.item() == pytest.approx(expected)


def test_mutual_information_of_decisions_is_that_of_scikit_learn():
    logits, y, groups, _ = draw(seed=5)
    groups, ones = groups.clamp(min=0), torch.ones(len(y), dtype=F64)
    sure = torch.where(logits[:, 1] > logits[:, 0], 100.0, -100.0).double()
    found = value_of(
        "selection_rate",
        "mutual_information",
        torch.stack([-sure, sure], 1),
        y,
        groups,
        None,
        by_shares(groups, ones),
    )
    assert found.item() == pytest.approx(mutual_info_score(logits.argmax(1), groups[:, 0]))


def test_hsic_in_ten_lines():
    logits, y, groups, _ = draw(seed=6)
    groups = groups.clamp(min=0)
    n = len(y)
    p, s = expit((logits[:, 1] - logits[:, 0]).numpy()), groups[:, 0].numpy()
    kernel = np.exp(-((p[:, None] - p) ** 2) / (2 * p.var()))
    other = (s[:, None] == s).astype(float)
    center = np.eye(n) - 1 / n
    expected = np.trace(kernel @ center @ other @ center) / (n - 1) ** 2
    found = value_of("selection_rate", "hsic", logits, y, groups, None)
    assert found.item() == pytest.approx(expected)


def test_hsic_of_continuous_features_in_ten_lines():
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=(50, 2)), rng.normal(size=50)
    n, center = 50, np.eye(50) - 1 / 50
    kernel = np.exp(-((a[:, None] - a) ** 2).sum(2) / (2 * a.var(axis=0).sum()))
    other = np.exp(-((b[:, None] - b) ** 2) / (2 * b.var()))
    expected = np.trace(kernel @ center @ other @ center) / (n - 1) ** 2
    found = hsic(gaussian_kernel(torch.tensor(a)), gaussian_kernel(torch.tensor(b)))
    assert found.item() == pytest.approx(expected)


def test_hsic_tells_dependence_from_chance():
    rng = np.random.default_rng(8)
    group = torch.tensor(rng.integers(0, 3, 400))
    free, bound = torch.tensor(rng.normal(size=400)), group + torch.tensor(rng.normal(size=400))
    kernel = same_group_kernel(group, torch.ones(1, dtype=F64))
    found = [hsic(gaussian_kernel(values), kernel).item() for values in (free, bound)]
    assert found[1] > 10 * found[0] > 0


def test_hsic_is_taken_among_the_cases_alone():
    logits, y, groups, weights = draw()
    rows = (y == 1) & (groups[:, 0] >= 0)
    of_cases = (logits[rows], y[rows], groups[rows], weights[rows])
    found = value_of("tpr", "hsic", logits, y, groups, weights)
    torch.testing.assert_close(found, value_of("selection_rate", "hsic", *of_cases))


def test_zero_is_parity():
    """Two groups with the same rows: all comparisons are at their least."""
    logits, y, _, _ = draw()
    logits, y = logits.repeat(2, 1), y.repeat(2)
    groups = (torch.arange(len(y)) // (len(y) // 2))[:, None]
    for name in [*BINARY, "equalized_odds"]:
        for how in COMPARISONS:
            if how == "hsic" and STATISTICS.get(name, PENALTIES["equalized_odds"]).labels == ():
                continue
            value = value_of(name, how, logits, y, groups, None, comparison_of(2)).item()
            n_rates = 2 if name == "equalized_odds" else 1
            assert value == pytest.approx(-n_rates if how == "ratio" else 0, abs=1e-9), (name, how)


@pytest.mark.parametrize("how", COMPARISONS)
@pytest.mark.parametrize("name", ["selection_rate", "equalized_odds"])
def test_gradients(name, how):
    if how == "kl_projection":  # which takes the projection as it is: see test_projection.py
        pytest.skip("not the gradient of its value")
    logits, y, groups, weights = draw(n=20)

    def value(logits):
        return value_of(name, how, logits, y, groups, weights)

    if how == "hsic":  # whose kernel's width counts as a constant
        width = (logits[:, 1] - logits[:, 0]).sigmoid().var()
        assert width > 0
        pytest.skip("not the gradient of its value")
    assert torch.autograd.gradcheck(value, logits.requires_grad_())


@pytest.mark.parametrize("how", COMPARISONS)
def test_attributes_are_added_up(how):
    logits, y, _, weights = draw()
    rng = np.random.default_rng(2)
    groups = torch.tensor(np.c_[rng.integers(0, 2, len(y)), 2 + rng.integers(0, 2, len(y))])
    both = value_of("equalized_odds", how, logits, y, groups, weights, Comparison.of([0, 0, 1, 1]))
    each = [
        value_of(
            "equalized_odds", how, logits, y, groups[:, [k]] - 2 * k, weights, comparison_of(2)
        )
        for k in (0, 1)
    ]
    torch.testing.assert_close(both, each[0] + each[1])


@pytest.mark.parametrize("how", COMPARISONS)
def test_many_networks_at_once(how):
    _, y, groups, weights = draw()
    logits = torch.tensor(np.random.default_rng(1).normal(size=(3, len(y), 2)))
    of_one = partial(value_of, "equalized_odds", how)
    together = vmap(lambda logits: of_one(logits, y, groups, weights))(logits)
    for i in range(3):
        torch.testing.assert_close(together[i], of_one(logits[i], y, groups, weights))


def test_a_statistic_of_the_users():
    def fourth_power(logits, y):
        p = (logits[:, 1] - logits[:, 0]).sigmoid()
        return p**4, torch.ones_like(p)

    logits, y, groups, weights = draw()
    p = expit((logits[:, 1] - logits[:, 0]).numpy()) ** 4
    m = np.array(
        [np.average(p[r], weights=weights[r]) for r in (groups[:, 0] == g for g in range(3))]
    )
    found = value_of(fourth_power, "squared", logits, y, groups, weights)
    assert found.item() == pytest.approx(4 * m.var())
    value_of(fourth_power, "hsic", logits, y, groups, weights)


@pytest.mark.parametrize(
    ("penalty", "how"),
    [
        ("ppv", "hsic"),
        ("loss", "kl_projection"),
        ("loss", "mutual_information"),
        (lambda logits, y: None, "kl_projection"),
    ],
)
def test_what_is_not_defined_is_told(penalty, how):
    with pytest.raises(ValueError, match=f"comparison='{how}' needs"):
        penalty_of(penalty, how)
