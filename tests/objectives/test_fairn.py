from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from skfair.objectives import Comparison, Objective, fairn, fairn_terms

F64 = torch.float64
UNFAVORABLE = [(2, (0,)), (2, (1,)), (3, (0,)), (3, (0, 2)), (3, (1,))]


def draw(n_classes=2, n_groups=3, n=50, seed=0):
    """Logits, y, groups (some missing) and weights; no two logits of a row closer than 0.05."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(8 * n, n_classes)) * 2
    spread = np.diff(np.sort(logits, axis=1), axis=1).min(axis=1)
    logits = logits[spread > 0.05][:n]
    groups = rng.integers(-1, n_groups, (n, 1))
    y, weights = rng.integers(0, n_classes, n), rng.uniform(0.1, 2, n)
    return tuple(torch.tensor(part) for part in (logits, y, groups, weights))


def numpy_terms(logits, y, groups, weights, slope=None, unfavorable=(0,), robustness="mean"):
    """FaiR-N, read line by line: one row and one pair of groups at a time."""
    logits, y, groups = logits.numpy(), y.numpy(), groups.numpy()[:, 0]
    w = np.ones(len(y)) if weights is None else weights.numpy()
    # sorting also gives Eq. 7 with two classes: |g0 - g1|
    ordered = np.sort(logits, axis=1)
    d = ordered[:, -1] - ordered[:, -2]
    if slope is not None:
        d = d / slope
    b = np.where(np.isin(logits.argmax(1), unfavorable), d, 0)  # d = 0 for c(x) = 1
    means = {
        a: np.average(b[groups == a], weights=w[groups == a]) for a in np.unique(groups) if a >= 0
    }
    fairness = sum(abs(means[i] - means[j]) for i, j in combinations(means, 2))  # Eq. 1, 16
    loss = -np.average(log_softmax(logits, axis=1)[np.arange(len(y)), y], weights=w)
    if robustness == "mean":
        robust = np.average(1 / (1 + d), weights=w)
    else:
        robust = 1 / np.average(d, weights=w)  # Eq. 3 and 4
    return {"cross_entropy": loss, "fairness": fairness, "robustness": robust}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_groups", [2, 3])
@pytest.mark.parametrize(("n_classes", "unfavorable"), UNFAVORABLE)
@pytest.mark.parametrize("robustness", ["mean_inverse", "inverse_mean"])
def test_terms_equal_a_direct_reading_of_the_paper(
    n_classes, unfavorable, robustness, n_groups, weighted
):
    logits, y, groups, weights = draw(n_classes, n_groups)
    weights = weights if weighted else None
    terms, _ = fairn_terms(
        logits,
        y,
        groups,
        weights,
        comparison=Comparison.of([0] * n_groups),
        unfavorable=unfavorable,
        robustness=robustness,
    )
    kind = "mean" if robustness == "mean_inverse" else "inverse"
    expected = numpy_terms(logits, y, groups, weights, unfavorable=unfavorable, robustness=kind)
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value, rel=1e-10, abs=0), name


def test_burden_of_two_classes_is_the_refused_part_of_the_signed_decision():
    logits, *_ = draw()
    d = (logits[:, 1] - logits[:, 0]).numpy()
    np.testing.assert_array_equal(fairn.logit_recourse(logits), np.maximum(0, -d))
    np.testing.assert_array_equal(fairn.logit_recourse(logits, (1,)), np.maximum(0, d))
    np.testing.assert_array_equal(fairn.boundary_distance(logits), np.abs(d))


def test_group_mean_counts_the_accepted_as_zeros():
    # group 0: refused by 3 and accepted, mean 1.5; the mean over the refused alone would be 3
    logits = torch.tensor([[3.0, 0.0], [0.0, 9.0], [1.0, 0.0], [1.0, 0.0]])
    groups = torch.tensor([[0], [0], [1], [1]])
    gap, _ = fairn.recourse_gap(fairn.logit_recourse(logits), groups, None, Comparison.of([0, 0]))
    assert gap.item() == 0.5


def test_per_attribute_contrasts_add_up_one_gap_per_attribute():
    logits, y, first, weights = draw(n_groups=2)
    rng = np.random.default_rng(1)
    second = torch.tensor(rng.integers(0, 3, (len(y), 1)))
    both = torch.hstack([first, second + 2])
    terms, _ = fairn_terms(logits, y, both, weights, comparison=Comparison.of([0, 0, 1, 1, 1]))
    expected = sum(numpy_terms(logits, y, g, weights)["fairness"] for g in (first, second))
    assert terms["fairness"].item() == pytest.approx(expected, rel=1e-10)


def test_without_groups_there_is_no_fairness_term():
    logits, y, _, weights = draw()
    terms, state = fairn_terms(logits, y, None, weights, comparison=None)
    assert list(terms) == ["cross_entropy", "robustness"]
    assert state is None


def test_batch_of_one_group_has_gap_zero_and_leaves_the_other_terms_alone():
    logits, y, _, weights = draw()
    logits.requires_grad_()
    groups = torch.zeros(len(y), 1, dtype=torch.int64)
    terms, _ = fairn_terms(logits, y, groups, weights, comparison=Comparison.of([0, 0]))
    assert terms["fairness"].item() == 0
    (gradient,) = torch.autograd.grad(terms["fairness"], logits)
    assert not gradient.any()


@pytest.mark.parametrize("robustness", ["mean_inverse", "inverse_mean"])
@pytest.mark.parametrize(("n_classes", "unfavorable"), UNFAVORABLE)
def test_gradient_with_respect_to_the_logits_is_exact(n_classes, unfavorable, robustness):
    logits, y, groups, weights = draw(n_classes, n=15, seed=3)
    objective = Objective(None, {"fairness": 0.7, "robustness": 0.3})

    def total(logits):
        terms, _ = fairn_terms(
            logits,
            y,
            groups,
            weights,
            comparison=Comparison.of([0, 0, 0]),
            unfavorable=unfavorable,
            robustness=robustness,
        )
        return objective.total(terms)

    # rows are 0.05 away from every kink in |d| and argmax, gradcheck's steps are 1e-6
    assert torch.autograd.gradcheck(total, logits.requires_grad_())


def test_gradient_with_respect_to_the_gradient_norm_is_exact_within_the_bounds():
    logits, y, groups, weights = draw(n=15, seed=3)
    norm = torch.linspace(0.9, 1.1, 15, dtype=F64)
    mean = fairn.weighted_mean(norm, weights)

    def total(norm):
        # the mean slope counts as constant (it is a unit), so that it is fixed here by hand
        slope = norm / mean
        burdens = fairn.first_order_distance(fairn.logit_recourse(logits), slope)
        gap, _ = fairn.recourse_gap(burdens, groups, weights, Comparison.of([0, 0, 0]))
        return gap

    norm.requires_grad_()
    terms, _ = fairn_terms(
        logits, y, groups, weights, gradient_norm=norm, comparison=Comparison.of([0, 0, 0])
    )
    assert terms["fairness"].item() == pytest.approx(total(norm).item(), rel=1e-12)
    (ours,) = torch.autograd.grad(terms["fairness"], norm)
    step = 1e-6
    for i in range(15):
        shift = torch.zeros(15, dtype=F64)
        shift[i] = step
        with torch.no_grad():
            slope = (total(norm + shift) - total(norm - shift)) / (2 * step)
        assert ours[i].item() == pytest.approx(slope.item(), abs=1e-8)


class TestEquation6:
    """|f0 - f1| / ||grad f0 - grad f1|| on a small network, by automatic differentiation."""

    @staticmethod
    def network(X, scale=1.0):
        generator = torch.Generator().manual_seed(0)
        W1 = torch.randn(4, 16, dtype=F64, generator=generator) / 2
        W2 = torch.randn(16, 2, dtype=F64, generator=generator)
        return torch.tanh(X @ W1) @ W2 * scale

    def both_distances(self, X, scale=1.0):
        X = X.clone().requires_grad_()
        logits = self.network(X, scale)
        f = logits.softmax(-1)
        gradients = [torch.autograd.grad(f[:, k].sum(), X, retain_graph=True)[0] for k in (0, 1)]
        literal = (f[:, 0] - f[:, 1]).abs() / (gradients[0] - gradients[1]).norm(dim=1)
        d = logits[:, 1] - logits[:, 0]
        (gradient,) = torch.autograd.grad(d.sum(), X)
        return literal.detach(), d.detach(), gradient.norm(dim=1)

    X = torch.randn(200, 4, dtype=F64, generator=torch.Generator().manual_seed(1))

    def test_equals_sinh_of_the_logit_distance_over_its_slope(self):
        literal, d, norm = self.both_distances(self.X)
        assert d.abs().max() > 1  # not only near the boundary, where any formula would do
        np.testing.assert_allclose(literal, torch.sinh(d.abs()) / norm, rtol=1e-8)

    def test_tends_to_the_first_order_distance_near_the_boundary(self):
        # sinh(d) / d - 1 lies between d^2 / 6 and d^2 / 6 * cosh(d) for every d
        for scale in (1e-1, 1e-2, 1e-3):
            literal, d, norm = self.both_distances(self.X, scale)
            ours = fairn.first_order_distance(d.abs(), norm)
            assert ((literal / ours - 1).abs() <= d**2 / 6 * torch.cosh(d) + 1e-10).all()

    def test_first_order_distance_does_not_depend_on_the_scale_of_the_logits(self):
        _, d, norm = self.both_distances(self.X)
        _, larger_d, larger_norm = self.both_distances(self.X, 50.0)
        ours = fairn.first_order_distance(d.abs(), norm)
        np.testing.assert_allclose(
            fairn.first_order_distance(larger_d.abs(), larger_norm), ours, rtol=1e-10
        )


@pytest.mark.parametrize("weighted", [False, True])
def test_relative_slope_is_the_ratio_to_the_mean_within_its_bounds(weighted):
    rng = np.random.default_rng(0)
    norm, weights = torch.tensor(rng.lognormal(size=100)), torch.tensor(rng.random(100))
    slope = fairn.relative_slope(norm, weights if weighted else None).numpy()
    ratio = norm.numpy() / np.average(norm, weights=weights if weighted else None)
    low, high = 0.5**0.5, 2**0.5
    assert (ratio < low).any()
    assert (ratio > high).any()
    np.testing.assert_allclose(slope, np.clip(ratio, low, high), rtol=1e-12)
    assert slope.max() / slope.min() <= 2 + 1e-12


def test_relative_slope_is_one_where_the_slope_is_the_same_and_free_of_its_unit():
    assert fairn.relative_slope(torch.full((5,), 1e-6), None).tolist() == [1.0] * 5
    norm = torch.tensor([0.8, 1.0, 1.3], dtype=F64)
    np.testing.assert_allclose(
        fairn.relative_slope(1e4 * norm, None), fairn.relative_slope(norm, None), rtol=1e-12
    )


@pytest.mark.parametrize(("n_classes", "unfavorable"), UNFAVORABLE)
@pytest.mark.parametrize("robustness", ["mean_inverse", "inverse_mean"])
def test_with_a_gradient_norm_every_distance_is_divided_by_the_relative_slope(
    n_classes, unfavorable, robustness
):
    logits, y, groups, weights = draw(n_classes)
    norm = torch.tensor(np.random.default_rng(2).lognormal(size=len(y)))
    terms, _ = fairn_terms(
        logits,
        y,
        groups,
        weights,
        gradient_norm=norm,
        comparison=Comparison.of([0, 0, 0]),
        unfavorable=unfavorable,
        robustness=robustness,
    )
    slope = np.clip(norm.numpy() / np.average(norm, weights=weights), 0.5**0.5, 2**0.5)
    kind = "mean" if robustness == "mean_inverse" else "inverse"
    expected = numpy_terms(logits, y, groups, weights, slope, unfavorable, kind)
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value, rel=1e-10, abs=0), name


def test_robustness_terms_are_bounded_where_every_row_lies_on_the_boundary():
    logits = torch.ones(4, 2, requires_grad=True)
    y = torch.tensor([0, 1, 0, 1])
    for robustness, expected in (("mean_inverse", 1.0), ("inverse_mean", None)):
        terms, _ = fairn_terms(logits, y, None, None, comparison=None, robustness=robustness)
        value = terms["robustness"]
        assert torch.isfinite(value)
        if expected is not None:
            assert value.item() == expected
        (gradient,) = torch.autograd.grad(value, logits)
        assert torch.isfinite(gradient).all()


def test_robustness_term_falls_as_rows_move_away_from_the_boundary():
    logits, y, _, _ = draw()
    for robustness in ("mean_inverse", "inverse_mean"):
        near, far = (
            fairn_terms(scale * logits, y, None, None, comparison=None, robustness=robustness)[0]
            for scale in (1, 2)
        )
        assert far["robustness"] < near["robustness"]


def test_running_state_makes_the_gap_that_of_all_batches():
    comparison = Comparison.of([0, 0, 0])
    batches = [draw(n=8, seed=seed) for seed in range(4)]
    state = None
    for logits, y, groups, weights in batches:
        terms, state = fairn_terms(
            logits, y, groups, weights, state, comparison=comparison, decay=0.9
        )
    decayed = [0.9**age * batch[3] for age, batch in zip((3, 2, 1, 0), batches, strict=True)]
    logits, y, groups, _ = (torch.cat(part) for part in zip(*batches, strict=True))
    expected = numpy_terms(logits, y, groups, torch.cat(decayed))["fairness"]
    assert terms["fairness"].item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_term_of_coefficient_zero_stays_out_of_the_loss_whatever_its_value(value):
    objective = Objective(None, {"fairness": 0.0})
    terms = {"cross_entropy": torch.tensor(2.0), "fairness": torch.tensor(value)}
    assert objective.total(terms).item() == 2.0
    assert objective.total(terms, ramp=0.5).item() == 2.0


def test_ramp_scales_the_listed_terms_alone():
    weights = {"fairness": 3.0, "robustness": 0.5}
    objective = Objective(None, weights, always=("cross_entropy", "other"))
    terms = {
        name: torch.tensor(value)
        for name, value in [("cross_entropy", 1.0), ("fairness", 10.0), ("robustness", 100.0)]
    }
    terms["other"] = torch.tensor(1000.0)
    for ramp in (0.0, 0.25, 1.0):
        assert objective.total(terms, ramp).item() == 1 + ramp * (30 + 50) + 1000


def test_weight_of_a_term_that_is_absent_is_ignored():
    objective = Objective(None, {"fairness": 3.0})
    assert objective.total({"cross_entropy": torch.tensor(2.0)}).item() == 2.0


@pytest.mark.parametrize("gradient_norm", [False, True])
@pytest.mark.parametrize(("n_classes", "unfavorable"), UNFAVORABLE)
@pytest.mark.parametrize("robustness", ["mean_inverse", "inverse_mean"])
def test_vmap_over_stacked_logits_equals_a_loop(n_classes, unfavorable, robustness, gradient_norm):
    stack = torch.stack([draw(n_classes, n=20, seed=seed)[0] for seed in range(3)])
    _, y, groups, weights = draw(n_classes, n=20, seed=9)
    norms = torch.rand(3, 20, dtype=F64) + 0.1
    states = torch.rand(3, 2, 3, dtype=F64)
    function = partial(
        fairn_terms,
        comparison=Comparison.of([0, 0, 0]),
        unfavorable=unfavorable,
        robustness=robustness,
        decay=0.9,
    )
    objective = Objective(function, {"fairness": 0.7, "robustness": 0.3})

    def loss(logits, state, norm):
        norm = norm if gradient_norm else None
        terms, state = function(logits, y, groups, weights, state, norm)
        return objective.total(terms), (terms, state)

    step = torch.func.grad_and_value(loss, has_aux=True)
    gradients, (losses, (terms, new_states)) = torch.func.vmap(step)(stack, states, norms)
    for i in range(3):
        logits = stack[i].clone().requires_grad_()
        expected, (expected_terms, expected_state) = loss(logits, states[i], norms[i])
        (expected_gradient,) = torch.autograd.grad(expected, logits)
        close = partial(torch.testing.assert_close, rtol=0, atol=1e-12)
        close(losses[i], expected.detach())
        close(gradients[i], expected_gradient)
        close(new_states[i], expected_state)
        for name, value in expected_terms.items():
            close(terms[name][i], value.detach())


ATTRIBUTES = {"two groups": [0, 0], "three": [0, 0, 0], "two attributes": [0, 0, 1, 1, 1]}


def draw_batch(attribute_of, n, dtype):
    """Logits, y, groups (some missing), their comparison, and a state."""
    n_groups = len(attribute_of)
    logits, y = 2 * torch.randn(n, 2, dtype=dtype), torch.randint(2, (n,))
    columns = []
    for attribute in sorted(set(attribute_of)):
        codes = [-1, *(g for g in range(n_groups) if attribute_of[g] == attribute)]
        columns.append(torch.tensor(codes)[torch.randint(len(codes), (n,))])
    counts = torch.randint(5, 500, (2, n_groups))
    comparison = Comparison.of(attribute_of, counts, dtype=dtype)
    return logits, y, torch.stack(columns, 1), comparison, 50 * torch.rand(2, n_groups, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("n", [1, 37, 128, 1000])
@pytest.mark.parametrize("weights", [(0.5, 0.1), (0.123, 0.0), (0, 0.077)])
@pytest.mark.parametrize("attributes", ATTRIBUTES)
def test_the_gradient_is_that_of_autograd_to_the_last_bit(attributes, weights, n, dtype):
    torch.manual_seed(0)
    logits, y, groups, comparison, state = draw_batch(ATTRIBUTES[attributes], n, dtype)
    weights = dict(zip(("fairness", "robustness"), weights, strict=True))
    for unfavorable, decay, before, codes in (
        ((0,), 0.9, state, groups),
        ((1,), 0.0, None, groups),
        ((0,), 0.9, None, None),
    ):
        options = {"comparison": comparison, "unfavorable": unfavorable, "decay": decay}
        objective = Objective(partial(fairn_terms, **options), weights)
        leaf = logits.clone().requires_grad_()
        terms, after = objective.terms(leaf, y, codes, None, before)
        objective.total(terms, 0.37).backward()
        found, state_found, gradient = fairn.fairn_gradient(
            logits, y, codes, before, objective.loss_weights(0.37), **options
        )
        assert torch.equal(gradient, leaf.grad)
        assert list(found) == list(terms)
        assert all(torch.equal(found[name], terms[name]) for name in terms)
        assert state_found is after is None or torch.equal(state_found, after)


def test_the_gradient_of_many_networks_is_that_of_each():
    torch.manual_seed(0)
    lanes = [draw_batch(ATTRIBUTES["two attributes"], 20, F64) for _ in range(2)]
    logits, state = torch.randn(2, 3, 20, 2, dtype=F64), torch.rand(2, 3, 2, 5, dtype=F64)
    weights = {"cross_entropy": 1.0, "fairness": torch.rand(2, 3, dtype=F64), "robustness": 0.1}
    first = lanes[0][3]
    counts = torch.stack([lane[3].counts for lane in lanes]).unsqueeze(1)
    terms, after, gradient = fairn.fairn_gradient(
        logits,
        torch.stack([lane[1] for lane in lanes]).unsqueeze(1),
        torch.stack([lane[2] for lane in lanes]).unsqueeze(1),
        state,
        weights,
        comparison=Comparison(first.contrasts, first.members, counts),
        decay=0.5,
    )
    for i, (_, y, groups, comparison, _) in enumerate(lanes):
        for j in range(3):
            own = weights | {"fairness": weights["fairness"][i, j]}
            expected = fairn.fairn_gradient(
                logits[i, j], y, groups, state[i, j], own, comparison=comparison, decay=0.5
            )
            for name, value in expected[0].items():
                torch.testing.assert_close(terms[name][i, j], value)
            torch.testing.assert_close(after[i, j], expected[1])
            torch.testing.assert_close(gradient[i, j], expected[2])
