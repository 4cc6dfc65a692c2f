"""The KL projection, against a solver that knows nothing of its form."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import expit, logit, rel_entr
from torch.func import vmap

from skfair.objectives import Comparison
from skfair.objectives.penalties import (
    STATISTICS,
    penalty_of,
    penalty_terms,
    with_first_positive,
)
from skfair.objectives.projection import (
    Constraints,
    affine_rates,
    projection,
    projection_gradient,
    shifts,
)

from .test_penalties import comparison_of

F64 = torch.float64
AFFINE = sorted(name for name, known in STATISTICS.items() if known.binary)


def draw(n=24, n_groups=2, seed=0):
    rng = np.random.default_rng(seed)
    logits, y = torch.tensor(rng.normal(size=(n, 2))), torch.tensor(rng.integers(0, 2, n))
    groups = torch.tensor(np.arange(n) % n_groups)
    return logits, y, groups, torch.tensor(rng.uniform(0.5, 2, n))


def divergence(q, p, weights):
    """Mean of KL(q || p)."""
    kl = rel_entr(q, p) + rel_entr(1 - q, 1 - p)
    return np.average(kl, weights=weights)


def rate_of(name, q, y, weights):
    """A statistic of probabilities, as it is defined."""
    accepted, refused, right = weights @ q, weights @ (1 - q), q * y + (1 - q) * (1 - y)
    hits = weights @ (q * y)
    return {
        "selection_rate": accepted / weights.sum(),
        "tpr": hits / (weights @ y),
        "fpr": weights @ (q * (1 - y)) / (weights @ (1 - y)),
        "tnr": weights @ ((1 - q) * (1 - y)) / (weights @ (1 - y)),
        "fnr": weights @ ((1 - q) * y) / (weights @ y),
        "ppv": hits / accepted,
        "for": weights @ ((1 - q) * y) / refused,
        "accuracy": weights @ right / weights.sum(),
        "f1": 2 * hits / (accepted + weights @ y),
    }[name]


def solved(name, p, y, groups, weights):
    """Value of the projection, by sequential quadratic programming on q itself."""
    common = rate_of(name, p, y, weights)

    def missed(q):
        return [
            rate_of(name, q[groups == g], y[groups == g], weights[groups == g]) - common
            for g in np.unique(groups)
        ]

    share = weights / weights.sum()
    found = minimize(
        lambda q: divergence(q, p, weights),
        p,
        jac=lambda q: share * (logit(q) - logit(p)),
        bounds=[(1e-9, 1 - 1e-9)] * len(p),
        constraints={"type": "eq", "fun": missed},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    assert found.success and np.abs(missed(found.x)).max() < 1e-9
    return found.fun


@pytest.mark.parametrize("name", AFFINE)
@pytest.mark.parametrize("seed", range(2))  # two groups, three
def test_it_is_what_a_solver_finds(name, seed):
    logits, y, groups, weights = draw(seed=seed, n_groups=2 + seed % 2)
    loss, _ = projection(logits, y, groups, weights, STATISTICS[name].rates, 2 + seed % 2)
    p = expit((logits[:, 1] - logits[:, 0]).numpy())
    expected = solved(name, p, y.numpy(), groups.numpy(), weights.numpy())
    assert loss.item() == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("name", AFFINE)
def test_all_groups_have_the_rate_of_everybody(name):
    logits, y, groups, weights = draw(200, 5)
    rates = STATISTICS[name].rates
    _, state = projection(logits, y, groups, weights, rates, 5)
    theta = state[:, 0]
    log_odds = logits[:, 1] - logits[:, 0]
    n0, n1, d0, d1 = (part[:, y] for part in affine_rates(rates))
    p = log_odds.sigmoid()
    common = (n0 + n1 * p) @ weights / ((d0 + d1 * p) @ weights)
    q = (log_odds + theta[:, groups] * (n1 - common * d1)).sigmoid()[0].numpy()
    for g in range(5):
        of = groups.numpy() == g
        rate = rate_of(name, q[of], y.numpy()[of], weights.numpy()[of])
        assert rate == pytest.approx(common.item(), abs=1e-10)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_newton_finds_the_root_of_predictions_that_are_sure(scale, dtype):
    rng = np.random.default_rng(0)
    n, n_groups = 300, 10
    for _ in range(20):
        log_odds = torch.tensor(rng.normal(size=n) * scale, dtype=dtype)
        members = torch.eye(n_groups, dtype=dtype)[rng.integers(0, n_groups, n)]
        sizes = members.sum(0)
        wanted = torch.tensor(rng.uniform(0.05, 0.95, (1, n_groups)), dtype=dtype) * sizes
        one = torch.ones(1, 1, dtype=dtype)
        theta = shifts(log_odds, Constraints(one, wanted, members, members, one))
        sums = (log_odds + theta @ members.T).sigmoid() @ members
        tolerance = 1e-10 if dtype == F64 else 1e-4
        assert ((sums - wanted).abs() <= tolerance * sizes).all()


def test_three_steps_are_enough_from_a_batch_of_the_same_network():
    logits, y, groups, _ = draw(2000, 4)
    first, second = logits[:1000], logits[1000:]
    rates = STATISTICS["selection_rate"].rates
    _, before = projection(first, y[:1000], groups[:1000], None, rates, 4)
    exact, _ = projection(second, y[1000:], groups[1000:], None, rates, 4)
    warm, _ = projection(second, y[1000:], groups[1000:], None, rates, 4, before)
    assert warm.item() == pytest.approx(exact.item(), rel=1e-6)


def test_small_batches_come_to_the_shifts_of_all_rows():
    logits, y, groups, _ = draw(8000, 4)
    logits[groups == 3] += torch.tensor([-1.0, 1.0])
    groups = groups.masked_fill((groups == 3) & (torch.arange(8000) % 16 != 3), 0)  # a small one
    rates = STATISTICS["selection_rate"].rates
    _, exact = projection(logits, y, groups, None, rates, 4)
    state, last = None, []
    for repetition in range(4):
        for start in range(0, 8000, 80):
            rows = slice(start, start + 80)
            _, state = projection(
                logits[rows], y[rows], groups[rows], None, rates, 4, state, 1 - 80 / 4000
            )
            if repetition == 3:
                last.append(state[0, 0])
    followed = torch.stack(last).mean(0)
    assert (followed - exact[0, 0]).abs().max() < 0.1 < exact[0, 0].abs().max()


def test_rows_without_others_before_are_projected_by_themselves():
    logits, y, groups, weights = draw(60, 3)
    rates = STATISTICS["tpr"].rates
    found, state = projection(logits, y, groups, weights, rates, 3, None, 0.9)  # as in validation
    expected, of_rows = projection(logits, y, groups, weights, rates, 3)
    assert found == expected > 0
    assert 0 < (state[:, 0] - of_rows[:, 0]).abs().max() < of_rows[:, 0].abs().max()


@pytest.mark.parametrize("name", AFFINE)
def test_its_gradient_takes_the_projection_as_it_is(name):
    """Finite differences of the least divergence to a set of rates that stays where it is."""
    logits, y, groups, weights = draw(12)
    rates = STATISTICS[name].rates
    l0 = logits[:, 1] - logits[:, 0]
    asked = Constraints.of(l0.sigmoid(), y, groups, weights, rates, 2)  # stays as it is

    def least(log_odds):
        theta = shifts(log_odds.detach(), asked)
        q = (log_odds.detach() + asked.of_rows(theta)).sigmoid()
        p = log_odds.sigmoid()
        kl = q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log()
        return (kl * weights).sum() / weights.sum()

    assert torch.autograd.gradcheck(least, l0.clone().requires_grad_())
    logits.requires_grad_()
    loss, _ = projection(logits, y, groups, weights, rates, 2)
    (found,) = torch.autograd.grad(loss, logits)
    log_odds = l0.detach().requires_grad_()
    (expected,) = torch.autograd.grad(least(log_odds), log_odds)
    torch.testing.assert_close(found[:, 1], expected)


def test_predictions_that_are_fair_are_left_alone():
    logits, y, _, _ = draw(40)
    logits, y = logits[:20].repeat(2, 1), y[:20].repeat(2)
    groups = torch.arange(40) // 20
    for name in AFFINE:
        loss, state = projection(logits, y, groups, None, STATISTICS[name].rates, 2)
        assert abs(loss.item()) < 1e-12 and state[:, 0].abs().max() < 1e-9


def test_a_group_without_cases_and_missing_groups_take_no_part():
    logits, y, groups, weights = draw(30, 3)
    y[groups == 2] = 0  # no positives
    logits.requires_grad_()
    loss, state = projection(logits, y, groups, weights, STATISTICS["tpr"].rates, 3)
    assert state[0, 0, 2] == 0 and loss > 0
    some = groups.masked_fill(groups == 1, -1)
    loss, _ = projection(logits, y, some, weights, STATISTICS["selection_rate"].rates, 3)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert not gradient[groups == 1].any() and gradient[groups != 1].any()


def test_many_networks_at_once():
    _, y, groups, weights = draw(60, 3)
    logits = torch.tensor(np.random.default_rng(1).normal(size=(4, 60, 2)))
    terms = partial(
        penalty_terms,
        penalty="equalized_odds",
        compared_by="kl_projection",
        comparison=comparison_of(3),
    )

    def of_one(logits):
        found, state = terms(logits, y, groups[:, None], weights, None)
        return found["penalty"], terms(logits, y, groups[:, None], weights, state)[0]["penalty"]

    together = vmap(of_one)(logits)
    for i in range(4):
        torch.testing.assert_close(torch.stack(of_one(logits[i])), torch.stack(together)[:, i])


def batches(n_attributes, dtype=F64):
    """Three batches, one after another, of an objective with its gradient written out."""
    rng = np.random.default_rng(3)
    attribute_of = [0, 0, 0] if n_attributes == 1 else [0, 0, 0, 1, 1]
    for _ in range(3):
        groups = torch.tensor(rng.integers(-1, 3, (40, 1)))
        if n_attributes == 2:
            groups = torch.cat([groups, torch.tensor(rng.integers(3, 5, (40, 1)))], 1)
        yield (
            torch.tensor(rng.normal(size=(40, 2)), dtype=dtype),
            torch.tensor(rng.integers(0, 2, 40)),
            groups,
            Comparison.of(attribute_of),
        )


@pytest.mark.parametrize("name", [*AFFINE, "equalized_odds"])
@pytest.mark.parametrize("decay", [0.0, 0.6])
@pytest.mark.parametrize("n_attributes", [1, 2])
def test_the_gradient_written_out_is_that_of_autograd(name, decay, n_attributes):
    rates, weights = penalty_of(name).rates, {"cross_entropy": 1.0, "penalty": 0.7}
    for positive in (1, 0):
        before = expected_before = None
        for logits, y, groups, comparison in batches(n_attributes):
            terms = partial(
                penalty_terms,
                penalty=name,
                compared_by="kl_projection",
                comparison=comparison,
                decay=decay,
            )
            terms = terms if positive else with_first_positive(terms)
            leaf = logits.clone().requires_grad_()
            expected, expected_before = terms(leaf, y, groups, None, expected_before)
            (expected["cross_entropy"] + 0.7 * expected["penalty"]).backward()
            found, before, gradient = projection_gradient(
                logits,
                y,
                groups,
                before,
                weights,
                rates=rates,
                comparison=comparison,
                decay=decay,
                positive=positive,
            )
            torch.testing.assert_close(gradient, leaf.grad)
            for term in expected:
                torch.testing.assert_close(found[term], expected[term].detach())
            torch.testing.assert_close(before, expected_before)


def test_the_gradient_without_groups_is_that_of_cross_entropy():
    logits, y, *_ = draw()
    leaf = logits.clone().requires_grad_()
    torch.nn.functional.cross_entropy(leaf, y).backward()
    terms, state, gradient = projection_gradient(
        logits, y, None, None, {"penalty": 1.0}, rates=STATISTICS["tpr"].rates, comparison=None
    )
    torch.testing.assert_close(gradient, leaf.grad)
    assert list(terms) == ["cross_entropy"] and state is None
