from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skfair.objectives import Comparison, group_means

F64 = torch.float64


def draw(seed, n=40, sizes=(3,), missing=0.2):
    """Values, codes with some -1, weights; the last group of every attribute has no member."""
    rng = np.random.default_rng(seed)
    starts = np.cumsum([0, *sizes[:-1]])
    codes = np.column_stack(
        [start + rng.integers(0, size - 1, n) for start, size in zip(starts, sizes, strict=True)]
    )
    codes[rng.random(codes.shape) < missing] = -1
    values = torch.tensor(rng.normal(size=n), dtype=F64)
    weights = torch.tensor(rng.uniform(0.1, 3, n), dtype=F64)
    return values, torch.tensor(codes), weights


def loop_means(values, groups, weights, n_groups):
    """Mean of every group by a loop over rows, ``None`` for a group without members."""
    means = []
    for g in range(n_groups):
        rows = [i for i in range(len(values)) if g in groups[i].tolist()]
        w = [1.0 if weights is None else float(weights[i]) for i in rows]
        total = sum(wi * float(values[i]) for wi, i in zip(w, rows, strict=True))
        means.append(total / sum(w) if rows else None)
    return means


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sizes", [(2,), (4,), (3, 4), (2, 3, 5)])
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_means_equal_a_loop_over_rows(sizes, weighted, seed):
    values, groups, weights = draw(seed, sizes=sizes)
    weights = weights if weighted else None
    means, present, _ = group_means(values, groups, weights, sum(sizes))
    expected = loop_means(values, groups, weights, sum(sizes))
    assert present.tolist() == [mean is not None for mean in expected]
    # 40 float64 additions: the two orders of summation agree to about 1e-15
    np.testing.assert_allclose(means, [mean or 0.0 for mean in expected], atol=1e-12)


def test_gradient_of_a_mean_is_each_members_share_of_the_weight():
    values, groups, weights = draw(0)
    values.requires_grad_()
    means, _, _ = group_means(values, groups, weights, 3)
    (gradient,) = torch.autograd.grad(means[0], values)
    member = groups[:, 0] == 0
    np.testing.assert_allclose(gradient, weights * member / weights[member].sum(), atol=1e-15)


@pytest.mark.parametrize("decay", [0.0, 0.9])
@pytest.mark.parametrize("weighted", [False, True])
def test_absent_group_has_mean_zero_and_no_gradient_however_large_the_one_upstream(weighted, decay):
    values, groups, weights = draw(1, missing=0)
    weights = weights if weighted else None
    values.requires_grad_()
    means, present, _ = group_means(values, groups, weights, 3, None, decay)
    assert not present[2]
    assert means[2] == 0
    (gradient,) = torch.autograd.grad(means, values, torch.tensor([0, 0, 1e300], dtype=F64))
    assert torch.equal(gradient, torch.zeros_like(values))


def test_batch_in_which_every_group_is_missing_gives_zeros_and_no_gradient():
    values = torch.randn(5, dtype=F64, requires_grad=True)
    groups = torch.full((5, 2), -1)
    means, present, state = group_means(values, groups, None, 4)
    assert not present.any()
    assert not means.any()
    assert not state.any()
    (gradient,) = torch.autograd.grad(means.sum() * 1e300, values)
    assert not gradient.any()


def test_rows_of_weight_zero_are_as_good_as_absent():
    values, groups, weights = draw(2, missing=0)
    weights[groups[:, 0] == 1] = 0
    means, present, _ = group_means(values, groups, weights, 3)
    assert present.tolist() == [True, False, False]
    assert means[1] == 0


def test_a_group_that_is_missing_in_one_attribute_still_counts_in_the_other():
    values = torch.tensor([1.0, 2.0, 4.0], dtype=F64)
    groups = torch.tensor([[0, 2], [-1, 2], [1, -1]])
    means, present, _ = group_means(values, groups, None, 4)
    assert means.tolist() == [1.0, 4.0, 1.5, 0.0]
    assert present.tolist() == [True, True, True, False]


@pytest.mark.parametrize("decay", [0.5, 0.9])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sizes", [(3,), (3, 4)])
def test_running_value_is_decayed_sums_over_decayed_counts(sizes, weighted, decay):
    n_groups = sum(sizes)
    batches = [draw(seed, n=6, sizes=sizes) for seed in range(5)]
    state = None
    for t, (values, groups, weights) in enumerate(batches):
        w = weights if weighted else None
        means, present, state = group_means(values, groups, w, n_groups, state, decay)
        sums, counts = np.zeros(n_groups), np.zeros(n_groups)
        for age, (v, g, u) in zip(range(t, -1, -1), batches[: t + 1], strict=True):
            for i in range(len(v)):
                for code in g[i].tolist():
                    if code >= 0:
                        share = decay**age * (float(u[i]) if weighted else 1.0)
                        sums[code] += share * float(v[i])
                        counts[code] += share
        assert present.tolist() == (counts > 0).tolist()
        np.testing.assert_allclose(means, sums / np.where(counts > 0, counts, 1), atol=1e-12)
        np.testing.assert_allclose(state, [sums, counts], atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_running_gradient_is_that_of_the_batch_means(weighted):
    upstream = torch.randn(3, dtype=F64, generator=torch.Generator().manual_seed(0))
    state = None
    for seed in range(4):
        values, groups, weights = draw(seed, n=8)
        weights = weights if weighted else None
        values.requires_grad_()
        running, _, state = group_means(values, groups, weights, 3, state, 0.9)
        batch, _, _ = group_means(values, groups, weights, 3)
        (expected,) = torch.autograd.grad(batch, values, upstream)
        (gradient,) = torch.autograd.grad(running, values, upstream)
        assert expected.any()
        torch.testing.assert_close(gradient, expected, rtol=0, atol=0)
        assert not state.requires_grad


def test_group_seen_before_but_not_in_this_batch_keeps_its_running_mean_without_gradient():
    _, _, state = group_means(
        torch.tensor([3.0, 5.0]), torch.tensor([[0], [1]]), None, 2, None, 0.9
    )
    values = torch.tensor([1.0], requires_grad=True)
    means, present, _ = group_means(values, torch.tensor([[0]]), None, 2, state, 0.9)
    assert present.all()
    # (0.9 * 3 + 1) / (0.9 + 1) and (0.9 * 5) / 0.9
    np.testing.assert_allclose(means.detach(), [3.7 / 1.9, 5.0], rtol=1e-6)
    (gradient,) = torch.autograd.grad(means, values, torch.tensor([0.0, 1.0]))
    assert gradient.item() == 0


def test_decay_zero_ignores_the_state():
    values, groups, weights = draw(3)
    state = torch.full((2, 3), 1e6, dtype=F64)
    with_state = group_means(values, groups, weights, 3, state, 0.0)
    without = group_means(values, groups, weights, 3)
    for ours, expected in zip(with_state, without, strict=True):
        assert torch.equal(ours, expected)


@pytest.mark.parametrize("attribute_of", [[0, 0], [0] * 5, [0, 0, 1, 1, 1], [0, 1, 0, 1], [0]])
def test_contrasts_hold_every_pair_of_the_same_attribute_once(attribute_of):
    contrasts = Comparison.of(attribute_of).contrasts
    n_groups = len(attribute_of)
    pairs = [
        (a, b) for a, b in combinations(range(n_groups), 2) if attribute_of[a] == attribute_of[b]
    ]
    assert contrasts.shape == (len(pairs), n_groups)
    rows = [(row.tolist().index(1), row.tolist().index(-1)) for row in contrasts]
    assert sorted(rows) == pairs
    assert (contrasts != 0).sum() == 2 * len(pairs)


@settings(max_examples=30, deadline=None)
@given(
    attribute_of=st.lists(st.integers(0, 2), min_size=1, max_size=7),
    seed=st.integers(0, 2**32 - 1),
)
def test_gap_equals_a_loop_over_the_pairs_of_groups_that_are_present(attribute_of, seed):
    rng = np.random.default_rng(seed)
    means = torch.tensor(rng.normal(size=len(attribute_of)), dtype=F64)
    present = torch.tensor(rng.random(len(attribute_of)) < 0.7)
    expected = sum(
        abs(float(means[a] - means[b]))
        for a, b in combinations(range(len(attribute_of)), 2)
        if attribute_of[a] == attribute_of[b] and present[a] and present[b]
    )
    gap = Comparison.of(attribute_of).gap(means, present)
    assert float(gap) == pytest.approx(expected, abs=1e-12)


def test_absent_group_has_no_part_in_the_gap_or_its_gradient():
    means = torch.tensor([1.0, 4.0, 1e30], dtype=F64, requires_grad=True)
    present = torch.tensor([True, True, False])
    gap = Comparison.of([0, 0, 0]).gap(means, present)
    assert gap.item() == 3
    (gradient,) = torch.autograd.grad(gap, means)
    assert gradient.tolist() == [-1.0, 1.0, 0.0]


@pytest.mark.parametrize("members", [[], [1]])
def test_gap_of_fewer_than_two_groups_is_zero_without_gradient(members):
    means = torch.tensor([1.0, 4.0], dtype=F64, requires_grad=True)
    present = torch.tensor([g in members for g in range(2)])
    gap = Comparison.of([0, 0]).gap(means, present)
    assert gap.item() == 0
    assert not torch.autograd.grad(gap, means)[0].any()


# -- groups weighed by their shares ----------------------------------------------------------------


def drawn(seed, attribute_of, absent=0.3):
    rng = np.random.default_rng(seed)
    k = len(attribute_of)
    means, counts = rng.normal(size=(2, k)), rng.integers(1, 100, size=(2, k))
    present = rng.random((2, k)) >= absent
    return (torch.tensor(a) for a in (means, counts.astype(float), present))


def share_loop(means, counts, present, attribute_of):
    """2 sum_g pi_g |m_g - m| of every rate and attribute."""
    total = 0.0
    for m, n, here in zip(means.tolist(), counts.tolist(), present.tolist(), strict=True):
        for attribute in set(attribute_of):
            mine = [g for g, a in enumerate(attribute_of) if a == attribute and here[g]]
            size = sum(n[g] for g in mine)
            center = sum(n[g] * m[g] for g in mine) / size if mine else 0
            total += 2 * sum(n[g] / size * abs(m[g] - center) for g in mine)
    return total


@settings(max_examples=40, deadline=None)
@given(
    attribute_of=st.lists(st.integers(0, 2), min_size=1, max_size=7),
    seed=st.integers(0, 2**32 - 1),
)
def test_shares_equal_a_loop_over_the_groups_that_are_present(attribute_of, seed):
    means, counts, present = drawn(seed, attribute_of)
    gap = Comparison.of(attribute_of, counts, F64).gap(means, present, counts)
    assert float(gap) == pytest.approx(share_loop(means, counts, present, attribute_of), abs=1e-12)


def test_counts_of_the_classes_are_added_up_where_all_rows_count():
    means, counts, _ = drawn(0, [0, 0, 0])
    present = torch.ones(3, dtype=torch.bool)
    found = Comparison.of([0, 0, 0], counts, F64).gap(means[0], present)
    assert found.item() == pytest.approx(
        share_loop(means[:1], counts.sum(0)[None], present[None], [0, 0, 0])
    )


@settings(max_examples=40, deadline=None)
@given(
    attribute_of=st.lists(st.integers(0, 1), min_size=2, max_size=6),
    seed=st.integers(0, 2**32 - 1),
    shares=st.booleans(),
)
def test_differences_of_pairs_say_the_same_as_means(attribute_of, seed, shares):
    means, counts, _ = drawn(seed, attribute_of)
    present = torch.ones_like(means, dtype=torch.bool)
    comparison = Comparison.of(attribute_of, counts if shares else None, F64)
    differences = means @ comparison.contrasts.T
    seen = torch.ones_like(differences, dtype=torch.bool)
    found = comparison.gap_of_pairs(differences, seen, counts)
    expected = comparison.gap(means, present, counts)
    assert found.item() == pytest.approx(expected.item(), abs=1e-12)


def test_two_groups_of_equal_size_give_the_printed_term():
    means = torch.tensor([0.3, -1.0], dtype=F64)
    present = torch.tensor([True, True])
    equal = Comparison.of([0, 0], torch.full((1, 2), 7.0)).gap(means, present)
    assert equal.item() == pytest.approx(Comparison.of([0, 0]).gap(means, present).item())
    unequal = Comparison.of([0, 0], torch.tensor([[1.0, 3.0]])).gap(means, present)
    assert unequal.item() == pytest.approx(4 * 0.25 * 0.75 * 1.3)


def test_splitting_a_group_into_halves_leaves_shares_as_they_are_but_not_equal_weights():
    means = torch.tensor([0.1, 0.5, 0.2], dtype=F64)
    split = torch.tensor([0.1, 0.5, 0.2, 0.2], dtype=F64)
    counts, halves = torch.tensor([[5.0, 2.0, 4.0]]), torch.tensor([[5.0, 2.0, 2.0, 2.0]])
    all_present = torch.ones(4, dtype=torch.bool)
    whole = Comparison.of([0] * 3, counts, F64).gap(means, all_present[:3])
    parts = Comparison.of([0] * 4, halves, F64).gap(split, all_present)
    assert parts.item() == pytest.approx(whole.item(), abs=1e-15)
    whole, parts = Comparison.of([0] * 3), Comparison.of([0] * 4)
    mean_of_pairs = whole.gap(means, all_present[:3]) / whole.n_summands
    assert parts.gap(split, all_present) / parts.n_summands != mean_of_pairs


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), folds=st.integers(2, 5))
def test_shares_do_not_depend_on_the_order_of_groups_or_the_number_of_repetitions(seed, folds):
    means, counts, present = drawn(seed, [0] * 5)
    expected = Comparison.of([0] * 5, counts, F64).gap(means, present, counts)
    order = torch.tensor(np.random.default_rng(seed).permutation(5))
    counts = folds * counts[:, order]
    found = Comparison.of([0] * 5, counts, F64).gap(means[:, order], present[:, order], counts)
    assert found.item() == pytest.approx(expected.item(), abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(2, 8))
def test_nobody_moves_the_term_by_more_than_four_times_their_part_of_a_mean(seed, k):
    """... however small their group: a mean over everybody is moved by 1 / n."""
    means, counts, _ = drawn(seed, [0] * k)
    counts[:, 0] = 1e-3
    means = means.requires_grad_()
    present = torch.ones_like(means, dtype=torch.bool)
    gap = Comparison.of([0] * k, counts, F64).gap(means, present, counts)
    (of_groups,) = torch.autograd.grad(gap, means)
    of_members = of_groups.abs() / counts
    assert (of_members * counts.sum(-1, keepdim=True)).max() <= 4
    means = means.detach().requires_grad_()
    equal = Comparison.of([0] * k)
    (of_groups,) = torch.autograd.grad(equal.gap(means, present), means)
    assert (of_groups.abs() / counts * counts.sum(-1, keepdim=True)).max() > 4


def test_a_group_that_is_absent_or_alone_has_no_part_in_shares_or_their_gradient():
    means = torch.tensor([1.0, 4.0, 1e30], dtype=F64, requires_grad=True)
    comparison = Comparison.of([0] * 3, torch.tensor([[2.0, 2.0, 5.0]]), F64)
    gap = comparison.gap(means, torch.tensor([True, True, False]))
    assert gap.item() == 3
    assert torch.autograd.grad(gap, means)[0].tolist() == [-1.0, 1.0, 0.0]
    alone = comparison.gap(means, torch.tensor([False, True, False]))
    assert alone.item() == 0
    assert not torch.autograd.grad(alone, means)[0].any()


@pytest.mark.parametrize("decay", [0.0, 0.8])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sizes", [(3,), (3, 4)])
@pytest.mark.parametrize("shares", [False, True])
def test_vmap_over_stacked_models_equals_a_loop(sizes, weighted, decay, shares):
    n_models, n_groups = 3, sum(sizes)
    attribute_of = [i for i, size in enumerate(sizes) for _ in range(size)]
    counts = torch.rand(2, n_groups) if shares else None
    comparison = Comparison.of(attribute_of, counts, F64)
    _, groups, weights = draw(4, n=20, sizes=sizes)
    weights = weights if weighted else None
    values = torch.randn(n_models, 20, dtype=F64, generator=torch.Generator().manual_seed(1))
    state = torch.rand(n_models, 2, n_groups, dtype=F64)
    state[:, 1, -1] = 0  # never seen

    def gap(values, state):
        means, present, state = group_means(values, groups, weights, n_groups, state, decay)
        return comparison.gap(means, present), (means, present, state)

    def gap_and_gradient(values, state):
        gradient, (value, rest) = torch.func.grad_and_value(gap, has_aux=True)(values, state)
        return gradient, value, *rest

    stacked = torch.func.vmap(gap_and_gradient)(values, state)
    for i in range(n_models):
        row = values[i].clone().requires_grad_()
        value, rest = gap(row, state[i])
        (gradient,) = torch.autograd.grad(value, row)
        for ours, expected in zip(stacked, (gradient, value, *rest), strict=True):
            torch.testing.assert_close(ours[i], expected.detach(), rtol=0, atol=1e-14)


def test_vmap_over_batches_with_their_own_groups_equals_a_loop():
    batches = [draw(seed, n=10, sizes=(3, 4)) for seed in range(3)]
    stacked = [torch.stack(part) for part in zip(*batches, strict=True)]
    means, present, state = torch.func.vmap(lambda v, g, w: group_means(v, g, w, 7))(*stacked)
    for i, batch in enumerate(batches):
        expected = group_means(*batch, 7)
        torch.testing.assert_close((means[i], present[i], state[i]), expected, rtol=0, atol=1e-14)
