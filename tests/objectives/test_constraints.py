"""Constraints by multipliers, against readings of a few lines."""

import numpy as np
import pytest
import torch
from fairlearn.metrics import MetricFrame, selection_rate, true_positive_rate
from torch.func import vmap

from skfair.objectives import penalties
from skfair.objectives.classification import classification_terms
from skfair.objectives.constraints import (
    MAX_MULTIPLIER,
    Constraints,
    constrained_terms,
    start,
    stepped,
)
from skfair.objectives.groups import group_means

F64 = torch.float64


def of(*gaps, floors=(), least=(), aim=0.01, attribute_of=(0, 0, 0)):
    return Constraints(gaps, floors, least, aim, attribute_of)


PARITY = of(penalties.selection_rate)
ODDS = of(penalties.error_rates)
TPR_FLOOR = of(floors=(penalties.true_positive_rate,), least=(0.6,))


def draw(n=200, n_groups=3, seed=0, missing=False):
    rng = np.random.default_rng(seed)
    logits, y = torch.tensor(rng.normal(size=(n, 2)) * 2), torch.tensor(rng.integers(0, 2, n))
    groups = torch.tensor(rng.integers(-1 if missing else 0, n_groups, (n, 1)))
    return logits, y, groups


def rates(constraints, logits, y, groups, weights=None):
    """Means and counts of decisions."""
    values, cases = constraints.values(logits, y)
    cases = cases if weights is None else cases * weights
    means, _, state = group_means(values, groups, cases, len(constraints.attribute_of))
    return means, state.select(-2, 1)


def with_multipliers(constraints, multipliers, offset=0.0):
    """State without a memory of earlier batches."""
    state = start(constraints, torch.zeros(1, dtype=F64))
    state[:, 2], state[:, 3] = offset, multipliers
    return state


@pytest.mark.parametrize(
    ("rate", "metric"),
    [
        (penalties.selection_rate, selection_rate),
        (penalties.true_positive_rate, true_positive_rate),
    ],
)
def test_decisions_are_counted_as_fairlearn_does(rate, metric):
    logits, y, groups = draw()
    means, _ = rates(of(rate), logits, y, groups)
    frame = MetricFrame(
        metrics=metric, y_true=y, y_pred=logits.argmax(1), sensitive_features=groups[:, 0]
    )
    np.testing.assert_allclose(means[0], frame.by_group)


def test_a_decision_on_the_boundary_is_that_of_predict():
    values, _ = PARITY.values(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64))
    assert values.item() == torch.zeros(1, 2).argmax(1).item() == 0


def test_each_group_is_compared_with_everybody_else():
    logits, y, groups = draw()
    means, counts = rates(ODDS, logits, y, groups)
    found = ODDS.differences(means, counts)
    wrong = [(logits.argmax(1) == 1), (logits.argmax(1) == 0)]  # false positives, false negatives
    for label in (0, 1):
        for group in range(3):
            cases, members = y == label, groups[:, 0] == group
            own, others = (wrong[label][cases & part].double() for part in (members, ~members))
            expected = (own.mean() - others.mean()).item()
            assert found[label, group].item() == pytest.approx(expected)


def test_groups_of_different_attributes_are_not_compared():
    constraints = of(penalties.selection_rate, attribute_of=(0, 0, 1, 1))
    means, counts = torch.tensor([[0.1, 0.3, 0.5, 0.9]]), torch.tensor([[10.0, 30.0, 20.0, 20.0]])
    expected = torch.tensor([[-0.2, 0.2, -0.4, 0.4]])
    torch.testing.assert_close(constraints.differences(means, counts), expected)


def test_a_group_without_cases_takes_no_part():
    means, counts = torch.tensor([[0.1, 0.3, 0.0]]), torch.tensor([[10.0, 30.0, 0.0]])
    expected = torch.tensor([[-0.2, 0.2, 0.0]])
    torch.testing.assert_close(PARITY.differences(means, counts), expected)


def test_a_floor_counts_only_what_is_below_it():
    means, counts = torch.tensor([[0.5, 0.62, 0.9]]), torch.ones(1, 3)
    expected = torch.tensor([[-0.14, -0.02, 0.0]])  # from a tenth of the way from .6 to 1
    torch.testing.assert_close(TPR_FLOOR.differences(means, counts), expected)


@pytest.mark.parametrize("n_groups", [2, 3, 7])
def test_no_row_feels_more_than_twice_the_largest_multiplier(n_groups):
    rng = np.random.default_rng(n_groups)
    constraints = of(penalties.selection_rate, attribute_of=(0,) * n_groups)
    for _ in range(50):
        forces = torch.tensor(rng.normal(size=(1, n_groups)))
        costs = constraints.costs(forces, torch.tensor(rng.uniform(1, 1000, (1, n_groups))))
        assert costs.abs().max() <= 2 * forces.abs().max()
        assert (costs.max() - costs.min()) <= forces.max() - forces.min() + 1e-12


def test_costs_leave_the_rate_over_everybody_as_it_is():
    counts = torch.tensor([[10.0, 30.0, 60.0]], dtype=F64)
    costs = PARITY.costs(torch.tensor([[1.0, -0.5, 2.0]], dtype=F64), counts)
    assert (costs * counts).sum().item() == pytest.approx(0, abs=1e-12)


def test_multipliers_of_zero_leave_the_loss_alone():
    logits, y, groups = draw()
    logits.requires_grad_()
    state = start(ODDS, logits.detach())
    terms, after = constrained_terms(
        logits, y, groups, None, state, terms=classification_terms, constraints=ODDS
    )
    terms["constraints"].backward()
    assert not logits.grad.any()
    assert after.shape == state.shape == (2, 4, 3)


def test_the_group_that_is_accepted_most_is_pulled_down_and_the_others_up():
    logits, y, groups = draw()
    logits[groups[:, 0] == 1] += torch.tensor([-2.0, 2.0])
    logits.requires_grad_()
    state = with_multipliers(PARITY, 1.0)
    terms, _ = constrained_terms(
        logits, y, groups, None, state, terms=classification_terms, constraints=PARITY
    )
    terms["constraints"].backward()
    slope = logits.grad[:, 1]  # a step against the gradient lowers the decision
    means, counts = rates(PARITY, logits.detach(), y, groups)
    above = PARITY.differences(means, counts)[0] > 0
    assert above[1] and not above.all()
    assert slope[groups[:, 0] == 1].min() >= 0 and slope[groups[:, 0] == 1].max() > 0
    assert slope[groups[:, 0] == means[0].argmin()].max() <= 0


def test_the_gradient_is_that_of_the_proxies_by_their_costs():
    """One sum over rows, written down anew for demographic parity."""
    logits, y, groups = draw()
    logits.requires_grad_()
    multipliers = torch.tensor([0.3, 0.7, 0.2], dtype=F64)
    state = with_multipliers(PARITY, multipliers)
    terms, _ = constrained_terms(
        logits,
        y,
        groups,
        None,
        state,
        terms=classification_terms,
        constraints=PARITY,
        temperature=0.5,
    )
    (found,) = torch.autograd.grad(terms["constraints"], logits)
    means, counts = rates(PARITY, logits.detach(), y, groups)
    forces = multipliers * PARITY.differences(means, counts).sign()
    of_group = PARITY.costs(forces, counts)[0]
    p = ((logits[:, 1] - logits[:, 0]) / 0.5).sigmoid()
    (expected,) = torch.autograd.grad((of_group[groups[:, 0]] * p).mean(), logits)
    torch.testing.assert_close(found, expected)


def test_precision_is_pulled_along_its_own_gradient():
    """A ratio of two sums that both depend on the network: against autograd on the ratio."""
    constraints = of(penalties.precision, attribute_of=(0, 0))
    logits, y, groups = draw(n_groups=2)
    logits = (logits * 50).requires_grad_()  # sure, so that decisions and proxies agree
    state = with_multipliers(constraints, 1.0)
    terms, _ = constrained_terms(
        logits,
        y,
        groups,
        None,
        state,
        terms=classification_terms,
        constraints=constraints,
        temperature=50.0,
    )
    (found,) = torch.autograd.grad(terms["constraints"], logits)
    d = (logits[:, 1] - logits[:, 0]).detach()
    soft = (d / 50).sigmoid()
    means, counts = rates(constraints, logits.detach(), y, groups)
    sign = constraints.differences(means, counts).sign()
    cost = constraints.costs(sign, counts)[0]
    slope = soft * (1 - soft) / 50
    expected = (cost * (y[:, None] - means[0]))[torch.arange(len(y)), groups[:, 0]] * slope
    torch.testing.assert_close(found[:, 1], expected / len(y))


def test_the_held_out_rows_say_which_way():
    logits, y, groups = draw()
    logits.requires_grad_()
    slopes = []
    for offset in (-2.0, 2.0):  # in truth the groups are as far apart on the other side
        offsets = torch.tensor([offset, -offset, 0.0])
        state = with_multipliers(PARITY, torch.tensor([1.0, 1.0, 0.0]), offsets)
        terms, _ = constrained_terms(
            logits, y, groups, None, state, terms=classification_terms, constraints=PARITY
        )
        slopes.append(torch.autograd.grad(terms["constraints"], logits)[0])
    torch.testing.assert_close(slopes[0], -slopes[1])


def test_missing_groups_feel_nothing():
    logits, y, groups = draw(missing=True)
    logits.requires_grad_()
    state = with_multipliers(ODDS, 1.0)
    terms, _ = constrained_terms(
        logits, y, groups, None, state, terms=classification_terms, constraints=ODDS
    )
    terms["constraints"].backward()
    assert not logits.grad[groups[:, 0] < 0].any()
    assert logits.grad[groups[:, 0] >= 0].any()


def test_a_weight_is_as_good_as_copies():
    logits, y, groups = draw()
    weights = torch.tensor(np.random.default_rng(1).integers(1, 4, len(y)), dtype=F64)
    copies = torch.repeat_interleave(torch.arange(len(y)), weights.long())
    state = with_multipliers(ODDS, 0.5)
    weighted, one = constrained_terms(
        logits, y, groups, weights, state, terms=classification_terms, constraints=ODDS
    )
    repeated, other = constrained_terms(
        logits[copies],
        y[copies],
        groups[copies],
        None,
        state,
        terms=classification_terms,
        constraints=ODDS,
    )
    torch.testing.assert_close(weighted, repeated)
    torch.testing.assert_close(one, other)


def test_many_networks_at_once():
    _, y, groups = draw()
    rng = np.random.default_rng(3)
    logits = torch.tensor(rng.normal(size=(4, len(y), 2)))
    states = torch.tensor(rng.uniform(0, 1, (4, 2, 4, 3)))

    def of_one(logits, state):
        return constrained_terms(
            logits, y, groups, None, state, terms=classification_terms, constraints=ODDS, decay=0.5
        )

    together = vmap(of_one)(logits, states)
    for i in range(4):
        terms, state = of_one(logits[i], states[i])
        torch.testing.assert_close(together[0]["constraints"][i], terms["constraints"])
        torch.testing.assert_close(together[1][i], state)


def test_without_groups_or_state_there_is_the_loss_alone():
    logits, y, groups = draw()
    terms, state = constrained_terms(
        logits, y, None, None, None, terms=classification_terms, constraints=ODDS
    )
    assert list(terms) == ["cross_entropy"] and state is None
    terms, state = constrained_terms(
        logits, y, groups, None, None, terms=classification_terms, constraints=ODDS
    )
    assert terms["constraints"] == 0 and state is None


# -- the multipliers' own steps ---------------------------------------------------------------

COUNTS, ALL = torch.full((1, 2), 100.0, dtype=F64), torch.ones(1, 2, dtype=torch.bool)
TWO = of(penalties.selection_rate, aim=0.05, attribute_of=(0, 0))


def test_multipliers_rise_where_the_gap_is_too_wide_and_fall_where_it_is_not():
    state = with_multipliers(TWO, 1.0)
    wide = stepped(TWO, state, torch.tensor([[0.4, 0.6]]).double(), COUNTS, ALL)
    narrow = stepped(TWO, state, torch.tensor([[0.49, 0.51]]).double(), COUNTS, ALL)
    assert (wide[:, 3] > 1).all() and (narrow[:, 3] < 1).all()
    # mu + 3 (|difference| - aim), as one half is the rate of all
    torch.testing.assert_close(wide[:, 3], torch.full((1, 2), 1.45, dtype=F64))


def test_rare_decisions_are_seen_on_the_scale_of_log_odds():
    state = with_multipliers(TWO, 1.0)
    rare = stepped(TWO, state, torch.tensor([[0.0, 0.2]]).double(), COUNTS, ALL)
    expected = 1 + 3 * 0.25 / (0.1 * 0.9) * (0.2 - 0.05)
    assert rare[0, 3, 0].item() == pytest.approx(expected)


def test_a_small_difference_pulls_in_proportion_and_a_floor_as_a_whole():
    constraints = of(penalties.selection_rate, floors=(penalties.true_positive_rate,), least=(0.6,))
    apart = torch.tensor([[0.5, -0.005, 0.0], [-0.5, -0.005, 0.0]])
    expected = torch.tensor([[1.0, -0.25, 0.0], [-1.0, -1.0, 0.0]])  # whole from 2 aims on
    torch.testing.assert_close(constraints.pull(apart), expected)


def test_without_gaps_there_is_no_width_to_pull_in():
    apart = torch.tensor([[-0.5, 0.0, 0.0]])
    alone = of(floors=(penalties.true_positive_rate,), least=(0.6,), aim=0.0)
    assert alone.pull(apart).tolist() == [[-1.0, 0.0, 0.0]]


def test_multipliers_stay_between_zero_and_the_largest():
    state = with_multipliers(TWO, 0.01)
    same = stepped(TWO, state, torch.tensor([[0.5, 0.5]]).double(), COUNTS, ALL)
    assert not same[:, 3].any()
    for _ in range(50):
        state = stepped(TWO, state, torch.tensor([[0.0, 1.0]]).double(), COUNTS, ALL)
    assert (state[:, 3] == MAX_MULTIPLIER).all()


def test_nothing_is_learned_of_groups_with_too_few_cases():
    constraints = of(penalties.selection_rate, attribute_of=(0, 0, 0))
    state = with_multipliers(constraints, 0.5)
    known = torch.tensor([[True, True, False]])
    means = torch.tensor([[0.4, 0.6, 1.0]], dtype=F64)
    after = stepped(constraints, state, means, torch.full((1, 3), 50.0, dtype=F64), known)
    assert after[0, 3, 2] == 0.5 and after[0, 2, 2] == 0
    assert after[0, 3, 0] == after[0, 3, 1] > 0.5  # as if there were these two alone


def test_the_offset_is_what_training_rows_see_too_much():
    state = with_multipliers(TWO, 0.0)
    state[:, 0], state[:, 1] = torch.tensor([20.0, 60.0]), 100.0  # .2 and .6 in training
    after = stepped(TWO, state, torch.tensor([[0.3, 0.6]]).double(), COUNTS, ALL)
    torch.testing.assert_close(after[0, 2], torch.tensor([-0.1, 0.1], dtype=F64))


def test_a_training_that_goes_on_knows_its_multipliers_and_new_groups():
    before = with_multipliers(TWO, 0.7)
    after = start(of(penalties.selection_rate), torch.zeros(1, dtype=F64), before)
    assert after[0, 3].tolist() == [0.7, 0.7, 0.0]
    assert not start(ODDS, torch.zeros(1), before.float()).any()  # of other rates
    assert not start(TWO, torch.zeros(1, dtype=F64), torch.ones(1, 2, 2)).any()
