"""The printed objective, its weights and missing groups, and why it is not enough."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.testing import assert_close

from skfair.networks._heads import HeadedNetwork
from skfair.objectives.fair_features import (
    SensitiveAttribute,
    fair_features_terms,
    forward_with_guesses,
    make_sensitive_head,
    standardized,
    target_penalty,
)

EVEN = torch.ones(2, dtype=torch.float64)
ONE = {"head": SensitiveAttribute.of([0, 1], 1, EVEN, 2)}


def rows(n=12, n_outputs=4, n_groups=2, seed=0):
    """Logits, labels, group codes, weights and guesses with more outputs than groups."""
    generator = torch.Generator().manual_seed(seed)
    logits, guess = (
        torch.randn(n, k, generator=generator, dtype=torch.float64) for k in (3, n_outputs)
    )
    y, groups = (torch.randint(k, (n,), generator=generator) for k in (3, n_groups))
    weights = torch.randint(1, 4, (n,), generator=generator).double()
    return logits, y, groups.unsqueeze(1), weights, guess


def test_terms_are_the_printed_ones():
    logits, y, groups, _, guess = rows()
    terms, state = fair_features_terms(logits, y, groups, None, attributes=ONE, head=guess)
    penalty = loss = 0.0
    for logit, group in zip(guess[:, :2].tolist(), groups[:, 0].tolist(), strict=True):
        exps = torch.tensor(logit, dtype=torch.float64).exp()
        shares = exps / exps.sum()
        penalty += torch.log(1 + abs(0.9 - shares[1])) / len(y)
        loss -= torch.log(shares[group]) / len(y)
    assert_close(terms["penalty"], penalty)
    assert_close(terms["sensitive_cross_entropy"], loss)
    assert_close(terms["cross_entropy"], torch.nn.functional.cross_entropy(logits, y))
    assert state is None


@pytest.mark.parametrize("share", [0.3, 0.5, 0.67])
def test_to_a_calibrated_head_the_penalty_is_smaller_with_information_than_without(share):
    def penalty(probabilities):
        logits = torch.tensor(probabilities, dtype=torch.float64).logit()
        return target_penalty(torch.stack([torch.zeros_like(logits), logits], 1), 1)

    without, informed = penalty([share]), penalty([0.9, 1e-12])
    told = share / 0.9  # of the rows at .9: the mean probability is the share
    assert told * informed[0] + (1 - told) * informed[1] < 0.95 * without[0]


def test_gradient_is_that_of_the_formula():
    guess = rows()[-1][:, :2].requires_grad_()
    assert torch.autograd.gradcheck(partial(target_penalty, target=0), guess)


def test_a_weight_is_a_number_of_copies():
    logits, y, groups, weights, guess = rows()
    copies = torch.arange(len(y)).repeat_interleave(weights.long())
    terms, _ = fair_features_terms(logits, y, groups, weights, attributes=ONE, head=guess)
    expected, _ = fair_features_terms(
        logits[copies], y[copies], groups[copies], None, attributes=ONE, head=guess[copies]
    )
    assert_close(terms, expected)
    assert_close(standardized(guess, weights)[copies], standardized(guess[copies], None))


def test_rows_without_a_group_take_no_part():
    logits, y, groups, weights, guess = rows()
    some = groups.clone()
    some[:4] = -1
    terms, _ = fair_features_terms(logits, y, some, weights, attributes=ONE, head=guess)
    expected, _ = fair_features_terms(
        logits[4:], y[4:], groups[4:], weights[4:], attributes=ONE, head=guess[4:]
    )
    for name in ("penalty", "sensitive_cross_entropy"):
        assert_close(terms[name], expected[name])
    none, _ = fair_features_terms(
        logits, y, torch.full_like(groups, -1), None, attributes=ONE, head=guess
    )
    assert none["penalty"] == none["sensitive_cross_entropy"] == 0
    assert set(fair_features_terms(logits, y, None, None, attributes={})[0]) == {"cross_entropy"}


def test_several_attributes_add_up_wherever_their_groups_stand():
    logits, y, groups, weights, guess = rows(n_groups=2)
    other = 2 + (groups + torch.arange(len(y)).unsqueeze(1)) % 2
    both = torch.cat([groups, other], dim=1)
    first = SensitiveAttribute.of([0, 1], 1, EVEN, 4)
    attributes = {"head": first, "other": SensitiveAttribute.of([2, 3], 2, EVEN, 4)}
    terms, _ = fair_features_terms(
        logits, y, both, weights, attributes=attributes, head=guess, other=-guess
    )
    parts = [
        fair_features_terms(logits, y, groups, weights, attributes=ONE, head=guess)[0],
        fair_features_terms(
            logits,
            y,
            other - 2,
            weights,
            attributes={"other": SensitiveAttribute.of([0, 1], 0, EVEN, 2)},
            other=-guess,
        )[0],
    ]
    for name in ("penalty", "sensitive_cross_entropy"):
        assert_close(terms[name], parts[0][name] + parts[1][name])


def test_weights_of_groups_multiply_those_of_their_rows():
    logits, y, groups, weights, guess = rows()
    of_groups = torch.tensor([3.0, 0.5], dtype=torch.float64)
    equal = {"head": SensitiveAttribute.of([0, 1], 1, of_groups, 2)}
    terms, _ = fair_features_terms(logits, y, groups, weights, attributes=equal, head=guess)
    expected, _ = fair_features_terms(
        logits, y, groups, weights * of_groups[groups[:, 0]], attributes=ONE, head=guess
    )
    for name in ("penalty", "sensitive_cross_entropy"):
        assert_close(terms[name], expected[name])


def test_sensitive_head_sees_features_whatever_their_scale_and_guesses_evenly_at_first():
    torch.manual_seed(0)
    head = make_sensitive_head(5, 4, (8, 8))
    assert len([m for m in head.modules() if isinstance(m, torch.nn.Linear)]) == 3
    features = torch.randn(30, 5)
    assert_close(head(features), torch.zeros(30, 4))
    torch.nn.init.normal_(head.output.weight)
    body = torch.nn.Linear(5, 5)
    module, y = HeadedNetwork(body, torch.nn.Linear(5, 2)), None
    logits, guesses = forward_with_guesses(module, {"X": features}, y, head=head)
    assert_close(logits, module(features))
    with torch.no_grad():
        body.weight *= 0.3
        body.bias += 7.0
    _, again = forward_with_guesses(module, {"X": features}, y, head=head)
    assert_close(again["head"], guesses["head"], rtol=2e-3, atol=2e-3)
