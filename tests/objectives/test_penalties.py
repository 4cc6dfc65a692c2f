"""Penalties on the difference between groups, against a reading of the papers line by line."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    demographic_parity_ratio,
    equal_opportunity_difference,
    equalized_odds_difference,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from scipy.special import expit, log_expit, log_softmax
from sklearn.metrics import precision_score

from skfair.objectives import Comparison, Objective
from skfair.objectives.penalties import NORMALIZATIONS, PENALTIES, group_penalty, penalty_terms

F64 = torch.float64
BINARY = sorted(name for name, penalty in PENALTIES.items() if penalty.binary)
ANY_TARGET = sorted(set(PENALTIES) - set(BINARY))
# what y may be: two classes, several classes, several labels a row
TARGETS = [(name, "binary") for name in sorted(PENALTIES)]
TARGETS += [(name, target) for name in ANY_TARGET for target in ("multi-class", "multi-label")]
CONDITIONED = ["equal_opportunity", "equalized_odds", "predictive_parity"]
# ... and what a rate is divided by, where there is a choice
EQUATIONS = [(*case, "conditional") for case in TARGETS]
EQUATIONS += [(name, "binary", "group") for name in CONDITIONED]


def draw(target="binary", n_groups=3, n=60, seed=0):
    """Logits, y, groups (some of them missing) and weights."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, {"binary": 2, "multi-class": 4, "multi-label": 3}[target])) * 2
    if target == "multi-label":
        y = rng.integers(0, 2, logits.shape)
    else:
        y = rng.integers(0, logits.shape[1], n)
    groups = rng.integers(-1, n_groups, (n, 1))
    return tuple(torch.tensor(part) for part in (logits, y, groups, rng.uniform(0.1, 2, n)))


def comparison_of(n_groups):
    return Comparison.of([0] * n_groups)


def value_of(name, logits, y, groups, weights, n_groups=3, **kwargs):
    """The penalty as a term of the objective (for "max_min" the excess over the mean loss)."""
    terms, _ = penalty_terms(
        logits, y, groups, weights, penalty=name, comparison=comparison_of(n_groups), **kwargs
    )
    return terms["penalty"]


def numpy_losses(logits, y):
    """Cross-entropy of each row; mean binary cross-entropy where a row has several labels."""
    if y.ndim == 2:
        return -np.mean(np.where(y == 1, log_expit(logits), log_expit(-logits)), axis=1)
    return -log_softmax(logits, axis=1)[np.arange(len(y)), y]


def numpy_rate(value, case, weights, normalize):
    """Weighted sum over the cases, divided by the weight of the cases or of the whole group."""
    total = sum(w * v * c for v, c, w in zip(value, case, weights, strict=True))
    return total / (weights * case if normalize == "conditional" else weights).sum()


def numpy_means(name, logits, y, groups, weights, normalize="conditional"):
    """What is compared, group by group: a list of rates for each, as the equations define them."""
    found = []
    for a in np.unique(groups[groups >= 0]):
        rows = groups[:, 0] == a
        g, label = logits[rows].numpy(), y[rows].numpy()
        w = np.ones(len(label)) if weights is None else weights[rows].numpy()
        if name in ANY_TARGET:  # Technical Challenges, Eq. 2 and 7
            found.append([np.average(numpy_losses(g, label), weights=w)])
            continue
        p = expit(g[:, 1] - g[:, 0])
        rate = partial(numpy_rate, weights=w, normalize=normalize)
        if name == "equalized_odds":  # Technical Challenges, Eq. 4: fpr and fnr
            found.append([rate(p, label == 0), rate(1 - p, label == 1)])
        elif name == "equal_opportunity":  # FAIRER, A.11
            found.append([rate(p, label == 1)])
        elif name == "predictive_parity":  # FAIRER, A.11
            found.append([rate(label, p)])
        else:  # FAIRER, Eq. 1; Technical Challenges, Eq. 6
            found.append([np.average(p, weights=w)])
    return found


def numpy_penalty(name, *batch):
    """Each equation, one pair of groups at a time."""
    means = numpy_means(name, *batch)
    if name == "max_min":  # Eq. 7
        return max(rate for (rate,) in means)
    pairs = list(combinations(means, 2))
    if name == "disparate_impact":  # Eq. 6: -min(r, 1 / r), the worst pair
        return -min(min(a / b, b / a) for (a,), (b,) in pairs)
    return sum(abs(s - t) for a, b in pairs for s, t in zip(a, b, strict=True))


# -- against the equations ------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_groups", [2, 3])
@pytest.mark.parametrize(("name", "target", "normalize"), EQUATIONS)
def test_penalty_equals_a_direct_reading_of_its_equation(
    name, target, normalize, n_groups, weighted
):
    for seed in range(3):
        logits, y, groups, weights = draw(target, n_groups, seed=seed)
        assert (groups == -1).any()
        weights = weights if weighted else None
        found, _ = group_penalty(
            name, logits, y, groups, weights, comparison_of(n_groups), normalize
        )
        expected = numpy_penalty(name, logits, y, groups, weights, normalize)
        assert abs(expected) > 1e-3  # nothing that any formula would get right
        # 60 float64 additions in another order
        assert found.item() == pytest.approx(expected, rel=1e-10, abs=0)


@pytest.mark.parametrize("name", sorted(set(PENALTIES) - {"max_min"}))
def test_term_of_the_objective_is_the_penalty(name):
    logits, y, groups, weights = draw()
    expected, _ = group_penalty(name, logits, y, groups, weights, comparison_of(3))
    assert value_of(name, logits, y, groups, weights).item() == expected.item()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("target", ["binary", "multi-class", "multi-label"])
def test_cross_entropy_is_the_weighted_mean_loss_of_all_rows(target, weighted):
    logits, y, groups, weights = draw(target)
    weights = weights if weighted else None
    expected = np.average(numpy_losses(logits.numpy(), y.numpy()), weights=weights)
    for rows_groups in (groups, None):
        terms, _ = penalty_terms(
            logits, y, rows_groups, weights, penalty="equal_loss", comparison=comparison_of(3)
        )
        assert terms["cross_entropy"].item() == pytest.approx(expected, rel=1e-12)
        assert ("penalty" in terms) == (rows_groups is not None)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("target", ["binary", "multi-class", "multi-label"])
def test_max_min_of_weight_one_leaves_exactly_the_loss_of_the_worst_group(target, weighted):
    logits, y, groups, weights = draw(target)
    weights = weights if weighted else None
    groups = groups.clamp(min=0)  # everybody belongs to a group
    terms, _ = penalty_terms(
        logits.requires_grad_(),
        y,
        groups,
        weights,
        penalty="max_min",
        comparison=comparison_of(3),
    )
    total = Objective(None, {"penalty": 1.0}).total(terms)
    expected = numpy_penalty("max_min", logits.detach(), y, groups, weights)
    assert total.item() == pytest.approx(expected, rel=1e-12)
    (gradient,) = torch.autograd.grad(total, logits)
    means = numpy_means("max_min", logits.detach(), y, groups, weights)
    worst = (groups == int(np.argmax(means)))[:, 0]
    assert gradient[~worst].abs().max() < 1e-15  # only the worst group is trained on
    assert gradient[worst].abs().min() > 0


def test_the_two_normalizations_on_an_example_done_by_hand():
    # p = 3/4 for x and 1/4 for o; groups of four: a has three negatives x o o and one positive x,
    # b one negative o and three positives x x o
    def logit(p):
        return [0.0, np.log(p / (1 - p))]

    x, o = logit(0.75), logit(0.25)
    logits = torch.tensor([x, o, o, x, o, x, x, o], dtype=F64)
    y = torch.tensor([0, 0, 0, 1, 0, 1, 1, 1])
    groups = torch.tensor([0] * 4 + [1] * 4)[:, None]
    by_hand = {
        # FPR 5/12 and 1/4, FNR 1/4 and 5/12
        ("equalized_odds", "conditional"): 1 / 6 + 1 / 6,
        # sum of p over the negatives 5/4 and 1/4, of 1 - p over the positives 1/4 and 5/4, over 4
        ("equalized_odds", "group"): 1 / 4 + 1 / 4,
        # TPR 3/4 and 7/12; or 3/4 and 7/4, over 4
        ("equal_opportunity", "conditional"): 1 / 6,
        ("equal_opportunity", "group"): 1 / 4,
        # precision: (3/4) / 2 and (7/4) / 2; or 3/4 and 7/4, over 4
        ("predictive_parity", "conditional"): 1 / 2,
        ("predictive_parity", "group"): 1 / 4,
        # mean p is 1/2 in both groups
        ("demographic_parity", "conditional"): 0,
        ("demographic_parity", "group"): 0,
        ("disparate_impact", "conditional"): -1,
        ("disparate_impact", "group"): -1,
    }
    for (name, normalize), expected in by_hand.items():
        found = value_of(name, logits, y, groups, None, 2, normalize=normalize)
        assert found.item() == pytest.approx(expected, abs=1e-12), (name, normalize)


@pytest.mark.parametrize(("name", "target"), TARGETS)
def test_normalization_matters_to_the_conditioned_rates_alone(name, target):
    batch = draw(target)
    first, second = (value_of(name, *batch, normalize=kind).item() for kind in NORMALIZATIONS)
    assert (first == second) == (name not in CONDITIONED)


# -- against fairlearn ----------------------------------------------------------------------------


class TestHardDecisions:
    """Logits of +-50: p is 0 or 1 to the last bit, and a mean of p is a rate."""

    @staticmethod
    def draw(n_groups, seed, weighted):
        rng = np.random.default_rng(seed)
        y, y_pred, groups = (rng.integers(0, k, 80) for k in (2, 2, n_groups))
        weights = rng.uniform(0.1, 2, 80) if weighted else None
        logits = torch.tensor(np.where(np.c_[1 - y_pred, y_pred] == 1, 50.0, -50.0))
        batch = (
            logits,
            torch.tensor(y),
            torch.tensor(groups)[:, None],
            None if weights is None else torch.tensor(weights),
        )
        return (
            batch,
            {
                "y_true": y,
                "y_pred": y_pred,
                "sensitive_features": groups,
            },
            weights,
        )

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("seed", range(3))
    def test_two_groups_agree_with_fairlearns_differences(self, seed, weighted):
        batch, data, weights = self.draw(2, seed, weighted)
        for name, metric in (
            ("demographic_parity", demographic_parity_difference),
            ("equal_opportunity", equal_opportunity_difference),
        ):
            expected = metric(**data, sample_weight=weights)
            assert value_of(name, *batch, 2).item() == pytest.approx(expected, abs=1e-12)
        ratio = demographic_parity_ratio(**data, sample_weight=weights)
        assert value_of("disparate_impact", *batch, 2).item() == pytest.approx(-ratio, abs=1e-12)

    @pytest.mark.parametrize("weighted", [False, True])
    def test_equalized_odds_adds_what_fairlearn_takes_the_greater_of(self, weighted):
        batch, data, weights = self.draw(2, 0, weighted)
        found = value_of("equalized_odds", *batch, 2).item()
        gaps = [self.by_group(m, data, weights) for m in (false_positive_rate, true_positive_rate)]
        first, second = (abs(gap[0] - gap[1]) for gap in gaps)
        assert found == pytest.approx(first + second, abs=1e-12)
        greater = equalized_odds_difference(**data, sample_weight=weights)
        assert greater == pytest.approx(max(first, second))
        assert found > greater

    @staticmethod
    def by_group(metric, data, weights):
        params = {} if weights is None else {"sample_weight": weights}
        return MetricFrame(metrics=metric, **data, sample_params=params).by_group

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize(
        ("name", "metrics"),
        [
            ("demographic_parity", [selection_rate]),
            ("equal_opportunity", [true_positive_rate]),
            ("equalized_odds", [false_positive_rate, true_positive_rate]),
            ("predictive_parity", [precision_score]),
        ],
    )
    def test_three_groups_add_up_the_differences_of_all_pairs(self, name, metrics, weighted):
        batch, data, weights = self.draw(3, 1, weighted)
        expected = sum(
            abs(a - b)
            for metric in metrics
            for a, b in combinations(self.by_group(metric, data, weights), 2)
        )
        assert value_of(name, *batch).item() == pytest.approx(expected, abs=1e-12)

    def test_disparate_impact_of_three_groups_is_fairlearns_ratio(self):
        batch, data, _ = self.draw(3, 2, False)
        expected = -demographic_parity_ratio(**data)
        assert value_of("disparate_impact", *batch).item() == pytest.approx(expected, abs=1e-12)


# -- gradients ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_groups", [2, 3])
@pytest.mark.parametrize(("name", "target", "normalize"), EQUATIONS)
def test_gradient_with_respect_to_the_logits_is_exact(name, target, normalize, n_groups):
    logits, y, groups, weights = draw(target, n_groups, n=15, seed=1)

    def total(logits):
        terms, _ = penalty_terms(
            logits,
            y,
            groups,
            weights,
            penalty=name,
            comparison=comparison_of(n_groups),
            normalize=normalize,
        )
        return torch.stack([terms["penalty"], terms["cross_entropy"]])

    # |.|, max and min bend where two groups' means are equal; gradcheck's steps are 1e-6
    means = numpy_means(name, logits, y, groups, weights, normalize)
    assert all(np.abs(np.subtract(a, b)).min() > 1e-4 for a, b in combinations(means, 2))
    assert torch.autograd.gradcheck(total, logits.requires_grad_())


@pytest.mark.parametrize("name", sorted(PENALTIES))
def test_rows_of_a_missing_group_take_no_part_in_the_penalty(name):
    logits, y, groups, weights = draw()
    missing = groups[:, 0] == -1
    known = [part[~missing] for part in (logits, y, groups, weights)]
    logits.requires_grad_()
    value = value_of(name, logits, y, groups, weights)
    (gradient,) = torch.autograd.grad(value, logits)
    assert value.item() == pytest.approx(value_of(name, *known).item(), rel=1e-12)
    assert not gradient[missing].any()
    assert gradient[~missing].any()


@pytest.mark.parametrize("decay", [0.0, 0.9])
@pytest.mark.parametrize("name", sorted(PENALTIES))
def test_a_group_without_members_in_the_batch_takes_no_part(name, decay):
    logits, y, groups, weights = draw(n_groups=2)
    expected = value_of(name, logits, y, groups, weights, 2)
    more = value_of(name, logits.requires_grad_(), y, groups, weights, 4, decay=decay)
    assert more.item() == pytest.approx(expected.item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(more, logits)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("decay", [0.0, 0.9])
@pytest.mark.parametrize("code", [-1, 0])
@pytest.mark.parametrize("name", sorted(PENALTIES))
def test_a_batch_of_one_group_or_of_none_gives_no_nan_and_no_gradient(name, code, decay):
    logits, y, groups, weights = draw()
    groups = torch.full_like(groups, code)
    value = value_of(name, logits.requires_grad_(), y, groups, weights, decay=decay)
    assert torch.isfinite(value)
    (gradient,) = torch.autograd.grad(value, logits)
    assert gradient.abs().max() < 1e-15  # the two halves of a ratio cancel to rounding only


@pytest.mark.parametrize("name", ["equalized_odds", "equal_opportunity"])
def test_a_group_without_cases_of_a_rate_takes_no_part_in_that_rate(name):
    logits, y, groups, weights = draw()
    y = y.masked_fill(groups[:, 0] == 2, 0)  # no positives in the third group
    without = groups[:, 0] != 2
    # pairs with the third group have a difference among the negatives alone
    expected = value_of(name, *(part[without] for part in (logits, y, groups, weights)), 2)
    if name == "equalized_odds":
        negatives = y == 0
        among = [part[negatives] for part in (logits, y, groups, weights)]
        inside = [part[negatives & without] for part in (logits, y, groups, weights)]
        expected = expected + value_of(name, *among) - value_of(name, *inside)
    value = value_of(name, logits.requires_grad_(), y, groups, weights)
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    assert torch.isfinite(torch.autograd.grad(value, logits)[0]).all()


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("scale", [60.0, 1e4])
def test_saturated_probabilities_give_finite_values_and_gradients(name, scale, dtype):
    _, y, groups, weights = draw()
    for sign in (-1, 1):  # everybody refused, everybody accepted
        logits = torch.tensor([0.0, sign * scale], dtype=dtype).repeat(len(y), 1).requires_grad_()
        value = value_of(name, logits, y, groups, weights.to(dtype))
        assert torch.isfinite(value)
        assert torch.isfinite(torch.autograd.grad(value, logits)[0]).all()


# -- invariances ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "target", "normalize"), EQUATIONS)
def test_names_and_order_of_groups_do_not_matter(name, target, normalize):
    logits, y, groups, weights = draw(target)
    expected = value_of(name, logits, y, groups, weights, normalize=normalize)
    for renamed in ([2, 0, 1], [1, 0, 2], [2, 1, 0]):
        codes = torch.tensor([*renamed, -1])[groups]  # code -1 reads the last entry
        found = value_of(name, logits, y, codes, weights, normalize=normalize)
        assert found.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize(("name", "target", "normalize"), EQUATIONS)
def test_a_weight_is_so_many_repetitions(name, target, normalize):
    logits, y, groups, _ = draw(target)
    counts = torch.tensor(np.random.default_rng(4).integers(0, 4, len(y)))
    rows = torch.repeat_interleave(torch.arange(len(y)), counts)
    weighted = value_of(name, logits, y, groups, counts.double(), normalize=normalize)
    repeated = value_of(
        name, *(part[rows] for part in (logits, y, groups)), None, normalize=normalize
    )
    assert weighted.item() == pytest.approx(repeated.item(), rel=1e-12)


@pytest.mark.parametrize(("name", "target"), TARGETS)
def test_order_of_rows_does_not_matter(name, target):
    batch = draw(target)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    expected = value_of(name, *batch)
    found = value_of(name, *(part[order] for part in batch))
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)


# -- vmap -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("holds_out", [False, True])
@pytest.mark.parametrize(("name", "target", "normalize"), EQUATIONS)
def test_vmap_over_stacked_logits_equals_a_loop(name, target, normalize, holds_out):
    stack = torch.stack([draw(target, n=20, seed=seed)[0] for seed in range(3)])
    _, y, groups, weights = draw(target, n=20, seed=9)
    n_rates = 2 if name == "equalized_odds" else 1
    states = torch.rand(3, n_rates, 2, 3, dtype=F64, generator=torch.Generator().manual_seed(0))
    function = partial(
        penalty_terms,
        penalty=name,
        comparison=comparison_of(3),
        normalize=normalize,
        decay=0.9,
        penalty_only=torch.arange(20) % 2 == 0 if holds_out else None,
    )
    objective = Objective(function, {"penalty": 0.7})

    def loss(logits, state):
        terms, state = function(logits, y, groups, weights, state)
        return objective.total(terms), (terms, state)

    step = torch.func.grad_and_value(loss, has_aux=True)
    gradients, (losses, (terms, new_states)) = torch.func.vmap(step)(stack, states)
    close = partial(torch.testing.assert_close, rtol=0, atol=1e-12)
    for i in range(3):
        logits = stack[i].clone().requires_grad_()
        expected, (expected_terms, expected_state) = loss(logits, states[i])
        close(losses[i], expected.detach())
        close(gradients[i], torch.autograd.grad(expected, logits)[0])
        close(new_states[i], expected_state)
        for term, value in expected_terms.items():
            close(terms[term][i], value.detach())


# -- running means --------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "target", "normalize"), EQUATIONS)
def test_running_value_is_that_of_all_batches_each_decayed_by_its_age(name, target, normalize):
    batches = [draw(target, n=8, seed=seed) for seed in range(4)]
    comparison, state = comparison_of(3), None
    for batch in batches:
        value, state = group_penalty(name, *batch, comparison, normalize, state=state, decay=0.9)
    decayed = torch.cat(
        [0.9**age * batch[3] for age, batch in zip((3, 2, 1, 0), batches, strict=True)]
    )
    logits, y, groups, _ = (torch.cat(part) for part in zip(*batches, strict=True))
    expected = numpy_penalty(name, logits, y, groups, decayed, normalize)
    assert value.item() == pytest.approx(expected, rel=1e-10)


def test_running_means_give_the_sign_and_the_batch_gives_the_gradient():
    # so far group 0 was preferred by far; in this batch group 1 is, by a little
    logits, y, groups, weights = draw(n_groups=2, seed=2)
    comparison = comparison_of(2)
    gap = partial(group_penalty, "demographic_parity")
    alone, _ = gap(logits.requires_grad_(), y, groups, weights, comparison)
    (downhill,) = torch.autograd.grad(alone, logits)
    p = expit((logits[:, 1] - logits[:, 0]).detach().numpy())
    a, b = ((groups == code).numpy()[:, 0] for code in (0, 1))
    means = [np.average(p[m], weights=weights[m]) for m in (a, b)]
    for past, sign in (
        (torch.tensor([[9e3, 1e3], [1e4, 1e4]]), np.sign(means[0] - means[1])),
        (torch.tensor([[1e3, 9e3], [1e4, 1e4]]), -np.sign(means[0] - means[1])),
    ):
        value, _ = gap(logits, y, groups, weights, comparison, state=past.double()[None], decay=0.9)
        assert value.item() == pytest.approx(0.8, abs=0.01)  # that of the past
        (gradient,) = torch.autograd.grad(value, logits)
        np.testing.assert_allclose(gradient, sign * downhill, atol=1e-15)


def test_without_decay_the_past_does_not_matter():
    logits, y, groups, weights = draw()
    past = torch.full((1, 2, 3), 7.0, dtype=F64)
    for name in ("demographic_parity", "disparate_impact", "max_min"):
        first, _ = group_penalty(name, logits, y, groups, weights, comparison_of(3))
        second, _ = group_penalty(name, logits, y, groups, weights, comparison_of(3), state=past)
        assert first.item() == second.item()


# -- rows held out --------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "target"), TARGETS)
def test_held_out_rows_make_up_the_penalty_and_the_others_the_cross_entropy(name, target, weighted):
    logits, y, groups, weights = draw(target)
    weights = weights if weighted else None
    held_out = torch.arange(len(y)) % 3 == 0
    terms, _ = penalty_terms(
        logits.requires_grad_(),
        y,
        groups,
        weights,
        penalty=name,
        comparison=comparison_of(3),
        penalty_only=held_out,
    )

    def part(rows):
        kept = (logits[rows], y[rows], groups[rows], None if weights is None else weights[rows])
        found, _ = penalty_terms(*kept, penalty=name, comparison=comparison_of(3))
        return found

    assert terms["penalty"].item() == pytest.approx(part(held_out)["penalty"].item(), rel=1e-12)
    classified = part(~held_out)["cross_entropy"].item()
    assert terms["cross_entropy"].item() == pytest.approx(classified, rel=1e-12)
    for term, silent in (("penalty", ~held_out), ("cross_entropy", held_out)):
        (gradient,) = torch.autograd.grad(terms[term], logits, retain_graph=True)
        assert not gradient[silent].any()
        assert gradient[~silent].any()


# -- a penalty of the user's ----------------------------------------------------------------------


class Spread:
    """Standard deviation of the groups' mean second logit; keeps what it was called with."""

    def __init__(self):
        self.calls = []

    def __call__(self, logits, y, groups, weights):
        self.calls.append((logits, y, groups, weights))
        mean = [
            (logits[:, 1] * weights)[groups == a].sum() / weights[groups == a].sum()
            for a in groups[groups >= 0].unique()
        ]
        return torch.stack(mean).std()


@pytest.mark.parametrize("holds_out", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("target", ["binary", "multi-class", "multi-label"])
def test_a_callable_receives_the_shapes_that_are_documented(target, weighted, holds_out):
    logits, y, groups, weights = draw(target)
    weights, spread = weights if weighted else None, Spread()
    held_out = torch.arange(len(y)) % 3 == 0 if holds_out else None
    terms, state = penalty_terms(
        logits,
        y,
        groups,
        weights,
        penalty=spread,
        comparison=comparison_of(3),
        penalty_only=held_out,
    )
    ((seen_logits, seen_y, seen_groups, seen_weights),) = spread.calls
    assert seen_logits is logits
    assert seen_y is y
    assert seen_groups.shape == seen_weights.shape == (len(y),)
    taking_part = torch.ones(len(y), dtype=bool) if held_out is None else held_out
    assert torch.equal(seen_groups[taking_part], groups[taking_part, 0])
    assert (seen_groups[~taking_part] == -1).all()
    expected = torch.ones(len(y), dtype=F64) if weights is None else weights
    assert torch.equal(seen_weights, expected * taking_part)
    rows = taking_part & (groups[:, 0] >= 0)
    by_hand = spread(logits[rows], y[rows], groups[rows, 0], expected[rows])
    assert terms["penalty"].item() == pytest.approx(by_hand.item(), rel=1e-12)
    assert state is None
