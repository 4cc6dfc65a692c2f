"""The pivot's terms: the printed formula, mutual information, and its bound."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import distributions
from torch.nn import functional
from torch.testing import assert_close

from skfair.networks import MLP
from skfair.networks._adversary import Adversary
from skfair.networks._direct import DirectAdversary
from skfair.objectives import Comparison
from skfair.objectives.pivot import (
    MIN_SPREAD,
    GroupShares,
    forward_with_adversary,
    mixture_log_density,
    pivot_gradient,
    pivot_terms,
    visible_prediction,
)

N = 40


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def shares_of(attribute_of, counts, by_class=False, equal=False):
    comparison = Comparison.of(attribute_of, dtype=torch.float64)
    return GroupShares.of(comparison, torch.as_tensor(counts, dtype=torch.float64), by_class, equal)


@pytest.fixture
def batch():
    """Logits, y, codes of two attributes (0-1 and 2-4), some missing, weights, guesses."""
    rng = np.random.RandomState(0)
    groups = np.column_stack([rng.randint(0, 2, N), rng.randint(2, 5, N)])
    groups[rng.rand(*groups.shape) < 0.1] = -1
    y = rng.randint(0, 2, N)
    counts = np.zeros((2, 5))
    for row, label in zip(groups, y, strict=True):
        for code in row[row >= 0]:
            counts[label, code] += 1
    return {
        "logits": random(N, 2),
        "y": torch.from_numpy(y),
        "groups": torch.from_numpy(groups),
        "weights": torch.from_numpy(rng.rand(N)),
        "guessed_groups": random(N, 5, seed=1),
    }, counts


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.parametrize("by_class", [False, True])
def test_terms_are_the_sums_over_rows(batch, weighted, equal, by_class):
    batch, counts = batch
    weights = batch["weights"] if weighted else torch.ones(N, dtype=torch.float64)
    shares = shares_of([0, 0, 1, 1, 1], counts, by_class, equal)
    terms, state = pivot_terms(
        **batch | {"weights": batch["weights"] if weighted else None}, shares=shares
    )
    assert state is None
    adversary, chance, information = 0.0, 0.0, 0.0
    for attribute, codes in enumerate(([0, 1], [2, 3, 4])):
        guess = batch["guessed_groups"][:, codes].log_softmax(-1)
        losses, without, total = 0.0, 0.0, 0.0
        for i, code in enumerate(batch["groups"][:, attribute].tolist()):
            if code < 0:
                continue
            table = counts[batch["y"][i]] if by_class else counts.sum(0)
            weight = weights[i] / (table[code] if equal else 1)
            share = (
                1 / np.count_nonzero(table[codes]) if equal else table[code] / table[codes].sum()
            )
            losses -= weight * guess[i, codes.index(code)]
            without -= weight * math.log(share)
            total += weight
        adversary, chance = adversary + losses / total, chance + without / total
        information += max((without - losses) / total, 0)
    assert_close(terms["adversary"], adversary)
    assert_close(terms["chance"], chance)
    assert_close(terms["information"], torch.as_tensor(information, dtype=torch.float64))


def test_information_of_the_best_adversary_is_the_mutual_information():
    joint = torch.tensor([[30, 10, 5], [10, 20, 25]])  # of prediction and group, 100 rows
    prediction, group = (
        torch.repeat_interleave(codes, joint.flatten())
        for codes in (torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([0, 1, 2, 0, 1, 2]))
    )
    p = joint.double() / joint.sum()
    expected = (p * (p / (p.sum(0, keepdim=True) * p.sum(1, keepdim=True))).log()).sum()
    terms, _ = pivot_terms(
        random(100, 2),
        prediction,
        group[:, None],
        None,
        shares=shares_of([0, 0, 0], [joint.sum(0).tolist()]),
        guessed_groups=(p / p.sum(1, keepdim=True)).log()[prediction],
    )
    assert_close(terms["information"], expected)


def test_an_adversary_worse_than_chance_is_no_gain():
    guess = torch.tensor([[3.0, 0.0], [0.0, 3.0]], dtype=torch.float64, requires_grad=True)
    groups = torch.tensor([[1], [0]])  # both wrong
    terms, _ = pivot_terms(
        torch.zeros(2, 2).double(), torch.tensor([0, 1]), groups, None,
        shares=shares_of([0, 0], [[1, 1]]),
        guessed_groups=guess,
    )  # fmt: skip
    assert terms["adversary"] > terms["chance"]
    assert terms["information"] == 0
    terms["information"].backward()
    assert (guess.grad == 0).all()


@pytest.mark.parametrize("missing", ["all", "groups", "none"])
def test_rows_without_sensitive_features_leave_the_terms_finite(batch, missing):
    batch, counts = batch
    if missing != "none":
        batch["groups"] = torch.full_like(batch["groups"], -1)
    mixtures = random(N, 1, 3, 2).requires_grad_()
    values = random(N, 1, seed=3)
    if missing == "all":
        values = torch.full_like(values, torch.nan)
    terms, _ = pivot_terms(
        **batch,
        shares=shares_of([0, 0, 1, 1, 1], counts),
        sensitive=values,
        mixtures=mixtures,
        marginals=mixtures.detach(),
    )
    sum(terms.values()).backward()
    assert mixtures.grad.isfinite().all()
    if missing == "all":
        assert terms["adversary"] == terms["information"] == 0


def test_density_is_that_of_a_mixture_of_gaussians():
    mixture, values = random(N, 3, 4), random(N, seed=1)
    logits, means, spreads = mixture.unbind(1)
    expected = distributions.MixtureSameFamily(
        distributions.Categorical(logits=logits),
        distributions.Normal(means, functional.softplus(spreads) + MIN_SPREAD),
    )
    assert_close(mixture_log_density(mixture, values), expected.log_prob(values))
    grid = torch.linspace(-12, 12, 10_001, dtype=torch.float64)
    density = mixture_log_density(mixture[0].expand(len(grid), 3, 4), grid).exp()
    assert torch.trapezoid(density, grid).item() == pytest.approx(1, abs=1e-6)


def test_gradients_of_all_terms_are_right(batch):
    batch, counts = batch
    values = random(N, 2, seed=2)
    values[::7] = torch.nan

    def summed(logits, guess, mixtures, marginals):
        terms, _ = pivot_terms(
            **batch | {"logits": logits, "guessed_groups": guess},
            shares=shares_of([0, 0, 1, 1, 1], counts),
            sensitive=values,
            mixtures=mixtures,
            marginals=marginals,
        )
        return tuple(terms.values())

    inputs = (
        batch["logits"],
        batch["guessed_groups"],
        random(N, 2, 3, 2),
        random(N, 2, 3, 2, seed=5),
    )
    assert torch.autograd.gradcheck(summed, [tensor.clone().requires_grad_() for tensor in inputs])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.parametrize("misled", [False, True])
def test_the_written_out_gradient_is_that_of_both_players(n_classes, told, equal, misled):
    rng = np.random.RandomState(0)
    y = torch.from_numpy(rng.randint(0, n_classes, N))
    groups = torch.from_numpy(rng.randint(-1, 2, (N, 1)))  # some missing
    shares = shares_of([0, 0], rng.randint(5, 50, (n_classes, 2)), told, equal)
    adversary = Adversary(
        MLP((1 if n_classes == 2 else 3) + n_classes * told, 2, (5,)), torch.zeros(2)
    ).double()
    logits = random(N, n_classes).requires_grad_()
    seen = visible_prediction(logits, y, told).detach()
    for _ in range(200):  # so that it knows something, or the opposite
        loss = functional.cross_entropy(adversary(seen)[0], groups[:, 0], ignore_index=-1)
        parameters = list(adversary.parameters())[1:]
        for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            p.data -= (-0.1 if misled else 0.3) * g
    forward = partial(forward_with_adversary, adversary=adversary, tell_class=told)
    found, extra = forward(lambda X: X, {"X": logits, "groups": groups}, y)
    expected, _ = pivot_terms(found, y, groups, None, shares=shares, **extra)
    assert (expected["information"] > 0) != misled
    of_weights = torch.autograd.grad(expected["adversary"], parameters, retain_graph=True)
    (of_logits,) = torch.autograd.grad(
        expected["cross_entropy"] + 3.0 * expected["information"], logits
    )
    with torch.no_grad():
        terms, _, gradient = pivot_gradient(
            logits, y, groups, None, {"information": 3.0},
            shares=shares, tell_class=told, adversary=DirectAdversary(adversary),
        )  # fmt: skip
    assert terms.keys() == expected.keys()
    for name, term in terms.items():
        assert_close(term, expected[name])
    assert_close(gradient, of_logits)
    assert_close([p.grad for p in parameters], list(of_weights))


class TestWhatIsSeen:
    def test_two_classes_are_one_number(self):
        logits, y = random(N, 2), torch.zeros(N, dtype=torch.int64)
        seen = visible_prediction(logits, y, False)
        assert_close(seen.sinh(), logits[:, 1:] - logits[:, :1])

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_what_is_no_part_of_the_prediction_is_not_seen(self, n_classes):
        logits, y = random(N, n_classes), torch.zeros(N, dtype=torch.int64)
        seen = visible_prediction(logits, y, False)
        assert_close(visible_prediction(logits + random(N, 1), y, False), seen)
        if n_classes > 2:
            assert_close(seen.sinh().softmax(-1), logits.softmax(-1))

    def test_labels_are_seen_as_they_are(self):
        logits = random(N, 3)
        assert_close(visible_prediction(logits, torch.zeros(N, 3), False).sinh(), logits)

    def test_the_gradient_reaches_those_of_whom_the_network_is_sure(self):
        logits = torch.tensor([[0.0, 40.0]], requires_grad=True)
        seen = visible_prediction(logits, torch.tensor([1]), False)
        (gradient,) = torch.autograd.grad(seen.sum(), logits)
        assert gradient[0, 1] > 0.02  # that of the probability is 4e-18

    def test_the_class_may_be_told(self):
        logits, y = random(4, 2), torch.tensor([0, 1, 1, 0])
        seen = visible_prediction(logits, y, True)
        assert seen[:, 1:].tolist() == [[1, 0], [0, 1], [0, 1], [1, 0]]
