"""Batches of tensors."""

from __future__ import annotations

import pytest
import torch

from skfair.training._batches import BatchLoader, TensorRows, iterate_rows


def numbered(n, rows=None, private=False):
    """Rows that carry their own number."""
    return TensorRows({"X": torch.arange(float(n))[:, None]}, torch.arange(n), rows, private)


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 16, 17, 18])
@pytest.mark.parametrize("size", [1, 2, 8, 100])
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_row_comes_once_an_epoch_with_its_label(n, size, shuffle):
    loader = BatchLoader(numbered(n), size, shuffle, torch.Generator().manual_seed(0))
    batches = list(loader)
    assert len(batches) == len(loader)
    labels = torch.cat([y for _, y in batches])
    assert torch.equal(torch.cat([inputs["X"][:, 0] for inputs, _ in batches]), labels.float())
    assert sorted(labels.tolist()) == list(range(n))
    sizes = [len(y) for _, y in batches]
    assert all(found == size for found in sizes[:-1])
    assert sizes[-1] > 1 or n == 1 or size == 1


@pytest.mark.parametrize(("n", "expected"), [(7, [7]), (8, [8]), (9, [8]), (15, [8]), (17, [8, 8])])
def test_drop_last_leaves_out_what_does_not_fill_a_batch(n, expected):
    loader = BatchLoader(numbered(n), 8, True, torch.Generator().manual_seed(0), drop_last=True)
    assert [len(y) for _, y in loader] == expected
    assert len(loader) == len(expected)


def test_order_is_fresh_every_epoch_and_repeats_with_the_seed():
    def epochs():
        loader = BatchLoader(numbered(50), 8, True, torch.Generator().manual_seed(3))
        return [torch.cat([y for _, y in loader]) for _ in range(2)]

    first, second = epochs(), epochs()
    assert not torch.equal(first[0], first[1])
    assert all(map(torch.equal, first, second))


def test_subsets_share_their_tensors_and_keep_to_their_rows():
    whole = numbered(10)
    part = whole.subset(torch.tensor([7, 2, 5]).numpy())
    assert part.inputs["X"] is whole.inputs["X"]
    assert [y.tolist() for _, y in BatchLoader(part, 2)] == [[7, 2, 5]]
    assert part.y.tolist() == [7, 2, 5]
    assert whole.subset(None) is whole


def test_private_rows_are_never_views():
    rows = numbered(4, private=True)
    rows[:][0]["X"] += 100
    assert rows.inputs["X"].max() == 3


def test_chunks_cover_all_rows_in_order():
    X = torch.arange(1000.0).reshape(100, 10)
    chunks = list(iterate_rows(X, elements=200))
    assert len(chunks) == 5
    assert torch.equal(torch.cat(chunks), X)
