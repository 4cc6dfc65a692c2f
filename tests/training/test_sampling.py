"""Balanced batches and rows that ride along."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skfair.training._batches import BatchLoader, TensorRows
from skfair.training._sampling import Stratum, make_strata

BALANCED = ("group", "group_label")


def population(n=500, n_groups=3, n_attributes=1, missing=0.0, seed=0):
    """Labels and group codes, groups and labels far from equally frequent."""
    rng = np.random.default_rng(seed)
    shares = np.arange(1, n_groups + 1) / np.arange(1, n_groups + 1).sum()
    groups = rng.choice(n_groups, (n, n_attributes), p=shares)
    groups[rng.random(n) < missing] = -1
    y = (rng.random(n) < np.where(groups[:, 0] == 0, 0.1, 0.4)).astype(np.int64)
    return y, groups


def cells_of(y, groups, sampling):
    """The stratum of every row; ``None`` where the group is missing."""
    return [
        None
        if (group < 0).any()
        else tuple(group) + (tuple(np.atleast_1d(label)) if sampling == "group_label" else ())
        for label, group in zip(y, groups, strict=True)
    ]


def loader_of(y, groups, batch_size, sampling, seed=0, **kwargs):
    """A loader over rows whose label is their own number."""
    rows = TensorRows({"X": torch.arange(float(len(y)))[:, None]}, torch.arange(len(y)))
    strata = make_strata(y, groups, batch_size, sampling)
    generator = torch.Generator().manual_seed(seed)
    return BatchLoader(rows, batch_size, True, generator, strata=strata, **kwargs)


def epoch_of(loader):
    """Row numbers of every batch of an epoch."""
    batches = []
    for inputs, numbers in loader:
        assert torch.equal(inputs["X"][:, 0], numbers.float())
        batches.append(numbers.tolist())
    return batches


# -- strata ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("sampling", BALANCED)
def test_strata_are_the_groups_or_the_groups_and_labels(sampling, missing):
    y, groups = population(missing=missing)
    strata = make_strata(y, groups, 64, sampling)
    cells = cells_of(y, groups, sampling)
    found = [{cells[row] for row in stratum.rows.tolist()} for stratum in strata]
    assert all(len(names) == 1 for names in found)
    assert set().union(*found) == set(cells)
    rows = torch.cat([stratum.rows for stratum in strata])
    assert sorted(rows.tolist()) == list(range(len(y)))


@pytest.mark.parametrize("sampling", BALANCED)
def test_with_several_attributes_a_row_is_in_a_stratum_of_each(sampling):
    y, groups = population(n_attributes=2)
    groups[:, 1] = np.where(groups[:, 1] < 0, -1, groups[:, 1] + 3)  # codes of their own
    groups[:50, 0], groups[50:80] = -1, -1
    strata = make_strata(y, groups, 64, sampling)
    *of_groups, rest = strata
    assert sorted(rest.rows.tolist()) == list(range(50, 80))
    labels = [0, 1] if sampling == "group_label" else [None]
    cells = [(g, label) for g in range(6) for label in labels]
    for (g, label), stratum in zip(cells, of_groups, strict=True):
        members = (groups == g).any(axis=1) & ((y == label) | (label is None))
        assert stratum.rows.tolist() == np.flatnonzero(members).tolist()


def test_natural_sampling_is_one_stratum_of_all_rows():
    y, groups = population(missing=0.2)
    (stratum,) = make_strata(y, groups, 64, "natural", first=10)
    assert stratum.rows.tolist() == list(range(10, 510))
    assert stratum.quota == 64


def test_labels_of_several_columns_make_a_stratum_for_each_combination():
    _, groups = population(n_groups=2)
    y = np.random.default_rng(1).integers(0, 2, (len(groups), 2))
    strata = make_strata(y, groups, 64, "group_label")
    assert len(strata) == 2 * 4
    for stratum in strata:
        rows = stratum.rows.numpy()
        assert len(np.unique(np.c_[y, groups][rows], axis=0)) == 1


def test_without_groups_all_rows_or_all_of_a_label_are_a_stratum():
    y, _ = population()
    assert len(make_strata(y, None, 64, "group")) == 1
    strata = make_strata(y, None, 64, "group_label")
    assert [sorted({*y[stratum.rows]}) for stratum in strata] == [[0], [1]]


@pytest.mark.parametrize(("share", "batch_size"), [(0.1, 64), (0.1, 8), (0.5, 100), (0.005, 64)])
def test_rows_of_a_missing_group_keep_their_share_and_at_least_one(share, batch_size):
    y, groups = population(1000)
    groups[: int(1000 * share)] = -1
    *known, missing = make_strata(y, groups, batch_size, "group")
    assert missing.rows.tolist() == list(range(int(1000 * share)))
    assert missing.quota == max(1, round(batch_size * share))
    assert {stratum.quota for stratum in known} == {(batch_size - missing.quota) // 3}


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(("sampling", "n_strata"), [("group", 3), ("group_label", 6)])
def test_a_batch_too_small_for_every_stratum_is_refused(sampling, n_strata, missing):
    y, groups = population()
    groups[:5] = -1 if missing else groups[:5]
    least = n_strata + missing
    message = rf"batch_size must be at least {least}, .* {n_strata} strata .*'{sampling}'"
    with pytest.raises(ValueError, match=f"{message}, got {least - 1}"):
        make_strata(y, groups, least - 1, sampling)
    strata = make_strata(y, groups, least, sampling)
    assert [stratum.quota for stratum in strata] == [1] * least


# -- one stratum ----------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(
    n=st.integers(1, 20),
    quota=st.integers(1, 30),
    n_batches=st.integers(1, 12),
    seed=st.integers(0, 100),
)
def test_rows_come_equally_often_and_none_twice_before_all_have_come(n, quota, n_batches, seed):
    rows = torch.arange(n) * 3 + 7
    drawn = Stratum(rows, quota).draw(n_batches, torch.Generator().manual_seed(seed))
    assert drawn.shape == (n_batches, quota)
    counts = Counter(drawn.flatten().tolist())
    assert set(counts) <= set(rows.tolist())
    times = [counts[row] for row in rows.tolist()]
    assert max(times) - min(times) <= 1
    for start in range(0, n_batches * quota - n + 1, n):
        assert sorted(drawn.flatten()[start : start + n].tolist()) == rows.tolist()


def test_a_quota_of_all_rows_is_all_rows_in_their_order():
    rows = torch.tensor([5, 3, 9])
    assert Stratum(rows, 3).draw(4, None).tolist() == [[5, 3, 9]] * 4


def test_every_order_is_equally_likely():
    generator = torch.Generator().manual_seed(0)
    orders = Stratum(torch.arange(3), 1).draw(3 * 6000, generator).reshape(-1, 3)
    counts = Counter(map(tuple, orders.tolist()))
    assert len(counts) == 6
    # sd of a count is sqrt(6000 * 1/6 * 5/6) = 29
    assert all(abs(count - 1000) < 5 * 29 for count in counts.values())


def test_drawing_makes_one_random_number_a_row_and_round_in_one_call(monkeypatch):
    calls, rand = [], torch.rand

    def counted(*shape, **kwargs):
        calls.append(shape)
        return rand(*shape, **kwargs)

    monkeypatch.setattr(torch, "rand", counted)
    Stratum(torch.arange(100), 64).draw(10, None)  # 640 rows: seven rounds of 100
    assert calls == [(7, 100)]


# -- batches --------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [24, 64, 500])
@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("sampling", BALANCED)
def test_every_batch_has_the_same_number_from_every_stratum(sampling, missing, batch_size):
    y, groups = population(missing=missing)
    cells = cells_of(y, groups, sampling)
    known = set(cells) - {None}
    for batch in epoch_of(loader_of(y, groups, batch_size, sampling)):
        counts = Counter(cells[row] for row in batch)
        n_missing = counts.pop(None, 0)
        assert counts.keys() == known
        assert set(counts.values()) == {(batch_size - n_missing) // len(known)}
        assert n_missing == round(batch_size * cells.count(None) / len(y))


@pytest.mark.parametrize("sampling", BALANCED)
def test_rows_of_a_stratum_are_used_equally_often_in_an_epoch(sampling):
    y, groups = population(missing=0.1)
    cells = cells_of(y, groups, sampling)
    uses = Counter(row for batch in epoch_of(loader_of(y, groups, 64, sampling)) for row in batch)
    times = {name: [uses[row] for row in range(500) if cells[row] == name] for name in set(cells)}
    assert all(max(found) - min(found) <= 1 for found in times.values())
    # the smallest stratum is used more often than the largest: that is what balancing means
    by_size = sorted((found for name, found in times.items() if name is not None), key=len)
    assert len(by_size[0]) < len(by_size[-1]) / 2
    assert np.mean(by_size[0]) > 1.5 * np.mean(by_size[-1])


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [7, 64, 100, 499, 500])
def test_an_epoch_has_as_many_batches_as_with_natural_sampling(batch_size, drop_last):
    y, groups = population()
    natural = BatchLoader(range(500), batch_size, drop_last=drop_last)
    loader = loader_of(y, groups, batch_size, "group", drop_last=drop_last)
    assert len(loader) == len(natural)
    assert len(epoch_of(loader)) == len(natural)
    assert len(natural) in (math.floor(500 / batch_size), math.ceil(500 / batch_size))


def test_epochs_differ_and_repeat_with_the_generator():
    y, groups = population()

    def epochs():
        loader = loader_of(y, groups, 64, "group", seed=3)
        return [epoch_of(loader) for _ in range(2)]

    first, second = epochs(), epochs()
    assert first == second
    assert first[0] != first[1]


# -- companions -----------------------------------------------------------------------------------


def accompanied(n=70, n_aside=30, size=16, quota=16, strata=None, **kwargs):
    """A loader of ``n`` rows and ``n_aside`` companions, which come last."""
    rows = TensorRows({"X": torch.arange(float(n + n_aside))[:, None]}, torch.arange(n + n_aside))
    aside = [Stratum(torch.arange(n, n + n_aside), quota)]
    generator = torch.Generator().manual_seed(0)
    return BatchLoader(rows, size, True, generator, strata=strata, extra_strata=aside, **kwargs)


@pytest.mark.parametrize("quota", [1, 16, 30])
@pytest.mark.parametrize("size", [16, 35, 70])
@pytest.mark.parametrize("n", [70, 65, 17])
def test_companions_are_in_every_batch_beside_the_rows_of_a_plain_epoch(n, size, quota):
    size = min(n, size)
    loader = accompanied(n, 30, size, quota)
    plain = BatchLoader(range(n), size)
    batches = epoch_of(loader)
    assert len(loader) == len(batches) == len(plain)
    classified = [[row for row in batch if row < n] for batch in batches]
    assert sorted(sum(classified, [])) == list(range(n))
    companions = [[row for row in batch if row >= n] for batch in batches]
    assert [len(rows) for rows in companions] == [quota] * len(batches)
    uses = Counter(sum(companions, []))
    times = [uses[row] for row in range(n, n + 30)]
    assert max(times) - min(times) <= 1
    for batch, rows, added in zip(batches, classified, companions, strict=True):
        assert batch == rows + added


def test_companions_accompany_strata_too():
    y, groups = population(70)
    strata = make_strata(y, groups, 12, "group")
    batches = epoch_of(accompanied(size=12, strata=strata))
    for batch in batches:
        counts = Counter("aside" if row >= 70 else int(groups[row, 0]) for row in batch)
        assert counts == {0: 4, 1: 4, 2: 4, "aside": 16}


def test_companions_are_left_out_where_batches_are_counted():
    for drop_last, expected in ((False, 5), (True, 4)):
        loader = accompanied(n=70, n_aside=30, size=16, drop_last=drop_last)
        assert len(loader) == len(epoch_of(loader)) == expected


def test_order_of_companions_repeats_with_the_generator_and_differs_between_epochs():
    first, second = accompanied(quota=10), accompanied(quota=10)
    epochs = [epoch_of(first), epoch_of(first)]
    assert epochs == [epoch_of(second), epoch_of(second)]
    assert epochs[0] != epochs[1]


def test_companions_of_a_subset_are_rows_of_the_subset():
    whole = TensorRows({"X": torch.arange(100.0)[:, None]}, torch.arange(100))
    chosen = np.random.default_rng(0).permutation(100)[:50]
    aside = [Stratum(torch.arange(40, 50), 10)]
    loader = BatchLoader(whole.subset(chosen), 8, True, extra_strata=aside)
    batches = epoch_of(loader)
    assert all(sorted(batch[-10:]) == sorted(chosen[40:]) for batch in batches)
    assert sorted(sum((batch[:-10] for batch in batches), [])) == sorted(chosen[:40])
