"""Fair-Mixup: slopes along paths between the groups, partners, and the gap that they add up to."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

from skfair.objectives import Comparison
from skfair.objectives.mixup import draw_partners, forward_with_paths, path_gap, path_slopes
from skfair.objectives.penalties import penalty_terms
from skfair.training import MLP

F64 = torch.float64


def network(activation="tanh", shape=(4,), seed=0):
    """A small network in double precision, smooth unless ``activation`` is not."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if len(shape) == 1:
            return MLP(*shape, 2, (8,), activation).double()
        convolution = nn.Conv2d(shape[0], 3, 3, padding=1)
        layers = convolution, nn.Tanh(), nn.Flatten(), nn.Linear(3 * shape[1] * shape[2], 2)
        return nn.Sequential(*layers).double()


def probability(module, X):
    logits = module(X)
    return (logits[:, 1] - logits[:, 0]).sigmoid()


def ends(n=10, shape=(4,), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, n, *shape, dtype=F64, generator=generator)


# -- slopes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("shape", [(4,), (2, 3, 3)])
def test_slope_is_the_central_difference_of_p_along_the_path(shape, t):
    module, (start, end) = network(shape=shape), ends(shape=shape)
    slopes = path_slopes(module, start, end, torch.tensor(t, dtype=F64))
    step = 1e-5  # the third derivative's share is about 1e-10
    with torch.no_grad():
        before, after = (
            probability(module, start + at * (end - start)) for at in (t - step, t + step)
        )
    assert slopes.shape == (10,)
    assert slopes.abs().min() > 1e-4
    np.testing.assert_allclose(slopes.detach(), (after - before) / (2 * step), atol=1e-8)


def test_slope_of_a_logistic_model_is_in_closed_form():
    module, (start, end) = network("identity"), ends()
    t = torch.tensor(0.7, dtype=F64)
    with torch.no_grad():
        logits = module(torch.eye(4, dtype=F64)) - module(torch.zeros(1, 4, dtype=F64))
        p = probability(module, start + t * (end - start))
    expected = p * (1 - p) * ((end - start) @ (logits[:, 1] - logits[:, 0]))
    found = path_slopes(module, start, end, t).detach()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_slopes_integrate_to_the_difference_between_the_ends(activation):
    module, (start, end) = network(activation), ends()
    with torch.no_grad():
        expected = probability(module, end) - probability(module, start)
    n = 4000
    middles = (torch.arange(n, dtype=F64) + 0.5) / n
    mean = torch.stack([path_slopes(module, start, end, t).detach() for t in middles]).mean(0)
    # midpoint rule: O(1 / n^2) where p is smooth, O(1 / n) at the kinks of ReLU
    tolerance = 1e-6 if activation == "tanh" else 1e-3
    np.testing.assert_allclose(mean, expected, atol=tolerance)
    assert mean.mean().item() == pytest.approx(expected.mean().item(), abs=tolerance)


@pytest.mark.parametrize("shape", [(4,), (1, 3, 3)])
def test_gradient_of_the_slopes_with_respect_to_the_weights_is_exact(shape):
    module, (start, end) = network(shape=shape), ends(shape=shape)
    t = torch.tensor(0.4, dtype=F64)
    mix = torch.linspace(-1, 1, 10, dtype=F64)

    def total():
        return (path_slopes(module, start, end, t) * mix).sum()

    parameters = list(module.parameters())
    gradients = torch.autograd.grad(total(), parameters, allow_unused=True)
    step, largest = 1e-6, 0.0
    for parameter, gradient in zip(parameters, gradients, strict=True):
        gradient = torch.zeros_like(parameter) if gradient is None else gradient
        for i in range(parameter.numel()):
            entry = parameter.data.view(-1)
            value = entry[i].item()
            entry[i] = value + step
            above = total().item()
            entry[i] = value - step
            below = total().item()
            entry[i] = value
            expected = (above - below) / (2 * step)
            assert gradient.reshape(-1)[i].item() == pytest.approx(expected, abs=1e-8)
            largest = max(largest, abs(expected))
    assert largest > 1e-2


def test_slopes_are_the_same_where_gradients_are_switched_off():
    module, (start, end), t = network(), ends(), torch.tensor(0.5, dtype=F64)
    with torch.no_grad():
        slopes = path_slopes(module, start, end, t)
    assert torch.equal(slopes, path_slopes(module, start, end, t).detach())


# -- partners -------------------------------------------------------------------------------------


def crowd(n=40, n_groups=3, seed=0):
    """Groups (some missing), labels and weights (some zero)."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.1, 2, n) * (rng.random(n) < 0.8)
    return (
        torch.tensor(rng.integers(-1, n_groups, (n, 1))),
        torch.tensor(rng.integers(0, 2, n)),
        torch.tensor(weights),
    )


@pytest.mark.parametrize("n", [1, 2, 7, 40])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("by_label", [False, True])
def test_partner_is_of_another_group_and_of_the_same_label_if_that_is_asked(by_label, weighted, n):
    for seed in range(10):
        groups, y, weights = crowd(n, seed=seed)
        torch.manual_seed(seed)
        label, weight = y if by_label else None, weights if weighted else None
        partners = draw_partners(groups[:, 0], label, weight).tolist()
        assert len(partners) == -(-n // 2)
        for row, partner in zip(range(0, n, 2), partners, strict=True):
            possible = [
                other
                for other in range(n)
                if groups[row] >= 0
                and groups[other] >= 0
                and groups[other] != groups[row]
                and (not by_label or y[other] == y[row])
                and (not weighted or weights[other] > 0)
            ]
            assert partner in (possible or [-1])


def test_partners_are_drawn_in_proportion_to_their_weights():
    # row 0 and row 2 may be joined to rows 1, 3, 5 (weights 1, 2, 5); row 4 is missing
    groups = torch.tensor([0, 1, 0, 1, -1, 1])[:, None]
    for weights, shares in (
        (None, [1 / 3, 1 / 3, 1 / 3]),
        (torch.tensor([1.0, 1.0, 9.0, 2.0, 9.0, 5.0]), [1 / 8, 2 / 8, 5 / 8]),
    ):
        torch.manual_seed(0)
        drawn = torch.stack([draw_partners(groups[:, 0], None, weights) for _ in range(4000)])
        assert (drawn[:, 2] == -1).all()
        for column in (0, 1):
            found = [(drawn[:, column] == row).double().mean().item() for row in (1, 3, 5)]
            # five standard deviations of a share in 4,000 draws are at most 0.04
            np.testing.assert_allclose(found, shares, atol=0.04)


def test_without_another_group_there_are_no_partners():
    for code in (-1, 0):
        groups = torch.full((6, 1), code)
        assert draw_partners(groups[:, 0], None, None).tolist() == [-1, -1, -1]


def test_a_whole_batch_of_weight_zero_has_no_partners():
    groups = torch.tensor([[0], [1], [0], [1]])
    assert draw_partners(groups[:, 0], None, torch.zeros(4)).tolist() == [-1, -1]


# -- the gap --------------------------------------------------------------------------------------


def loop_gap(slopes, partners, groups, y, weights, n_groups, counts=None):
    """|mean slope from b to a| for every pair (and label), one path at a time.

    With ``counts`` of each group 2 sum_g |sum_h pi_g pi_h (slope from h to g)| (and of each label).
    """
    total = 0.0
    for label in (None,) if y is None else (0, 1):
        sizes = None
        if counts is not None:
            sizes = counts.sum(0) if label is None else counts[label]
        moved, seen = [0.0] * n_groups, set()
        for a, b in combinations(range(n_groups), 2):
            found, shares = [], []
            for path, partner in enumerate(partners.tolist()):
                row = 2 * path
                if partner < 0 or (label is not None and y[row] != label):
                    continue
                start, end = int(groups[partner]), int(groups[row])
                if (start, end) == (b, a):
                    found.append(float(slopes[path]))
                elif (start, end) == (a, b):
                    found.append(-float(slopes[path]))  # the same path the other way round
                else:
                    continue
                shares.append(1.0 if weights is None else float(weights[row]))
            if sum(shares) and sizes is None:
                total += abs(np.average(found, weights=shares))
            elif sum(shares):
                seen |= {a, b}
                moved[a] += float(sizes[a] * sizes[b]) * np.average(found, weights=shares)
                moved[b] -= float(sizes[a] * sizes[b]) * np.average(found, weights=shares)
        if seen:
            total += 2 * sum(map(abs, moved)) / float(sum(sizes[g] for g in seen)) ** 2
    return total


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("by_label", [False, True])
@pytest.mark.parametrize("n_groups", [2, 3, 4])
@pytest.mark.parametrize("shares", [False, True])
def test_gap_equals_a_loop_over_paths(n_groups, by_label, weighted, shares):
    counts = torch.rand(2, n_groups, dtype=F64) + 0.1 if shares else None
    for seed in range(5):
        groups, y, weights = crowd(n_groups=n_groups, seed=seed)
        slopes = torch.tensor(np.random.default_rng(seed).normal(size=20))
        y, weights = y if by_label else None, weights if weighted else None
        torch.manual_seed(seed)
        partners = draw_partners(groups[:, 0], y, weights)
        assert (partners == -1).any()
        comparison = Comparison.of([0] * n_groups, counts, F64)
        found, _ = path_gap(slopes[None], partners[None], groups, y, weights, comparison)
        expected = loop_gap(slopes, partners, groups, y, weights, n_groups, counts)
        assert expected > 1e-3
        assert found.item() == pytest.approx(expected, rel=1e-12)


def test_paths_there_and_back_add_up_instead_of_canceling():
    # p rises by 1 from group 0 to group 1: a path the other way has slope -1
    groups = torch.tensor([1, 0, 0, 1])[:, None]
    partners, slopes = torch.tensor([1, 3]), torch.tensor([1.0, -1.0])
    comparison = Comparison.of([0, 0])
    assert path_gap(slopes[None], partners[None], groups, None, None, comparison)[0].item() == 1
    # ... and what rises one way and the other is no difference between the groups
    assert (
        path_gap(slopes.abs()[None], partners[None], groups, None, None, comparison)[0].item() == 0
    )


def test_gap_of_a_linear_p_is_the_difference_of_the_means_of_the_ends():
    # where p is linear, p(end) - p(start) is the slope; every row of 0 joined to its neighbor of 1
    p = torch.tensor(np.random.default_rng(0).random(12))
    groups = torch.tensor([0, 1] * 6)[:, None]
    partners = torch.arange(1, 12, 2)
    slopes = p[::2] - p[1::2]
    found, _ = path_gap(slopes[None], partners[None], groups, None, None, Comparison.of([0, 0]))
    assert found.item() == pytest.approx(abs(p[::2].mean() - p[1::2].mean()).item(), rel=1e-12)


@pytest.mark.parametrize("by_label", [False, True])
def test_gap_is_invariant_to_group_relabeling(by_label):
    groups, y, weights = crowd()
    y = y if by_label else None
    torch.manual_seed(0)
    partners = draw_partners(groups[:, 0], y, weights)
    slopes = torch.tensor(np.random.default_rng(0).normal(size=20))
    comparison = Comparison.of([0] * 3)
    expected, _ = path_gap(slopes[None], partners[None], groups, y, weights, comparison)
    for renamed in ([2, 0, 1], [2, 1, 0]):
        codes = torch.tensor([*renamed, -1])[groups]
        found, _ = path_gap(slopes[None], partners[None], codes, y, weights, comparison)
        assert found.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_a_batch_without_paths_gives_zero_and_no_gradient(decay):
    slopes = torch.ones(3, dtype=F64, requires_grad=True)
    partners, groups = torch.full((3,), -1), torch.zeros(6, 1, dtype=torch.int64)
    comparison = Comparison.of([0, 0])
    gap, _ = path_gap(slopes[None], partners[None], groups, None, None, comparison, decay=decay)
    assert gap.item() == 0
    assert not torch.autograd.grad(gap, slopes)[0].any()


def test_running_gap_is_that_of_all_paths_each_decayed_by_its_age():
    comparison, state, means = Comparison.of([0, 0]), None, []
    sums = counts = 0.0
    for seed in range(4):
        groups, _, weights = crowd(16, n_groups=2, seed=seed)
        slopes = torch.tensor(np.random.default_rng(seed).normal(size=8))
        torch.manual_seed(seed)
        partners = draw_partners(groups[:, 0], None, weights)
        found, state = path_gap(
            slopes[None], partners[None], groups, None, weights, comparison, state, decay=0.9
        )
        for path, partner in enumerate(partners.tolist()):
            if partner >= 0:
                sign = 1 if groups[2 * path] == 0 else -1
                sums += float(weights[2 * path]) * sign * float(slopes[path])
                counts += float(weights[2 * path])
        means.append(abs(sums / counts))
        assert found.item() == pytest.approx(means[-1], rel=1e-10)
        sums, counts = 0.9 * sums, 0.9 * counts
    assert len(set(means)) == 4


def test_running_gap_survives_a_new_group():
    slopes, partners = torch.tensor([1.0, -1.0]), torch.tensor([1, 3])
    groups = torch.tensor([1, 0, 0, 1])[:, None]
    _, state = path_gap(
        slopes[None], partners[None], groups, None, None, Comparison.of([0, 0]), decay=0.9
    )
    found, state = path_gap(
        slopes[None], partners[None], groups, None, None, Comparison.of([0, 0, 0]), state, decay=0.9
    )
    assert found.item() == 1
    assert state.shape[-1] == 3


# -- in training ----------------------------------------------------------------------------------


def inputs_of(n=30, seed=0):
    groups, y, weights = crowd(n, seed=seed)
    X = torch.randn(n, 4, dtype=F64, generator=torch.Generator().manual_seed(seed))
    return {"X": X, "groups": groups, "weights": weights}, y


@pytest.mark.parametrize("by_label", [False, True])
def test_forward_gives_the_slopes_of_paths_from_the_partner_to_every_second_row(by_label):
    module, (inputs, y) = network().train(), inputs_of()
    torch.manual_seed(3)
    logits, extra = forward_with_paths(module, inputs, y, by_label=by_label)
    torch.manual_seed(3)
    label = y if by_label else None
    partners = draw_partners(inputs["groups"][:, 0], label, inputs["weights"])
    t = torch.rand((), dtype=F64)
    assert torch.equal(logits, module(inputs["X"]))
    assert torch.equal(extra["partners"], partners[None])
    paired = partners >= 0
    start, end = inputs["X"][partners[paired]], inputs["X"][::2][paired]
    expected = path_slopes(module, start, end, t)
    np.testing.assert_allclose(extra["slopes"][0][paired].detach(), expected.detach(), atol=1e-12)


def test_forward_is_plain_outside_training_and_without_groups():
    module, (inputs, y) = network(), inputs_of()
    for training, given in ((False, inputs), (True, {"X": inputs["X"]})):
        module.train(training)
        logits, extra = forward_with_paths(module, given, y, by_label=False)
        assert extra == {}
        assert torch.equal(logits, module(inputs["X"]))


@pytest.mark.parametrize("by_label", [False, True])
def test_paths_run_between_rows_held_out_and_no_others(by_label):
    module, (inputs, y) = network().train(), inputs_of(60)
    inputs["penalty_only"] = torch.arange(60) % 3 == 0
    torch.manual_seed(0)
    _, extra = forward_with_paths(module, inputs, y, by_label=by_label)
    rows, partners = torch.arange(0, 60, 2), extra["partners"][0]
    paired = partners >= 0
    assert paired.any()
    assert inputs["penalty_only"][rows[paired]].all()
    assert inputs["penalty_only"][partners[paired]].all()


@pytest.mark.parametrize("holds_out", [False, True])
@pytest.mark.parametrize("name", ["demographic_parity", "equalized_odds"])
def test_penalty_of_fair_mixup_is_the_gap_of_its_paths(name, holds_out):
    module, (inputs, y) = network().train(), inputs_of(60)
    groups, weights = inputs["groups"], inputs["weights"]
    if holds_out:
        inputs["penalty_only"] = torch.arange(60) % 3 == 0
    torch.manual_seed(1)
    by_label = name == "equalized_odds"
    logits, extra = forward_with_paths(module, inputs, y, by_label=by_label)
    terms_of = partial(
        penalty_terms,
        logits,
        y,
        groups,
        weights,
        penalty=name,
        comparison=Comparison.of([0] * 3),
        penalty_only=inputs.get("penalty_only"),
    )
    terms, _ = terms_of(**extra)
    label = y if by_label else None
    slopes, partners = extra["slopes"][0].detach(), extra["partners"][0]
    expected = loop_gap(slopes, partners, groups, label, weights, 3)
    assert terms["penalty"].item() == pytest.approx(expected, rel=1e-12)
    plain, _ = terms_of()
    assert terms["cross_entropy"].item() == plain["cross_entropy"].item()
    assert terms["penalty"].item() != pytest.approx(plain["penalty"].item())


@pytest.mark.parametrize("by_label", [False, True])
def test_several_attributes_have_paths_of_their_own_whose_gaps_add_up(by_label):
    module, (inputs, y) = network().train(), inputs_of(60)
    other = torch.tensor(np.random.default_rng(1).integers(3, 5, 60))
    groups = torch.column_stack([inputs["groups"][:, 0], other])
    _, extra = forward_with_paths(module, inputs | {"groups": groups}, y, by_label=by_label)
    label, weights = y if by_label else None, inputs["weights"]
    found, _ = path_gap(
        extra["slopes"],
        extra["partners"],
        groups,
        label,
        weights,
        Comparison.of([0, 0, 0, 1, 1]),
    )
    expected = 0
    for column, (slopes, partners) in enumerate(
        zip(extra["slopes"].detach(), extra["partners"], strict=True)
    ):
        expected += loop_gap(slopes, partners, groups[:, [column]], label, weights, 5)
    assert found.item() == pytest.approx(expected, rel=1e-12)
