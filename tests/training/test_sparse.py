"""Sparse rows become dense batch by batch, and train the same network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array, csr_array, csr_matrix, random_array

from skfair import FairFeaturesClassifier, NetworkClassifier, PenaltyClassifier
from skfair.training._sparse import SparseRows


def sparse_problem(n=300, n_features=40):
    rng = np.random.default_rng(0)
    X = random_array((n, n_features), density=0.1, random_state=0, format="csr", dtype=np.float32)
    y = (X[:, :20].sum(axis=1) > X[:, 20:40].sum(axis=1)).astype(int)
    return X, y, rng.choice(["u", "v"], n)


def test_rows_are_those_of_the_dense_matrix():
    X, _, _ = sparse_problem()
    rows, dense = SparseRows.of(X, "cpu"), torch.from_numpy(X.toarray())
    assert (len(rows), rows.ndim, rows.shape, rows.dtype) == (300, 2, dense.shape, dense.dtype)
    order = torch.randperm(300)
    for index in (slice(None), slice(3, 9), slice(0, 0), order, order[:0], order[:7].repeat(2), 5):
        assert torch.equal(rows[index], dense[index])
    assert torch.equal(rows.index_select(0, order), dense[order])


def test_places_given_twice_are_added_and_the_matrix_stays_as_it_was():
    X = csr_matrix(([1.0, 2.0, 4.0], ([0, 0, 1], [1, 1, 0])), shape=(3, 2))
    doubled = csr_matrix(([1.0, 2.0, 4.0], [1, 1, 0], [0, 2, 3, 3]), shape=(3, 2))
    assert torch.equal(SparseRows.of(doubled, "cpu")[:], torch.from_numpy(X.toarray()))
    assert doubled.nnz == 3


def test_groups_are_looked_at_in_many_rows():
    X, y, group = sparse_problem(2000)
    sparse, dense = (
        PenaltyClassifier(max_epochs=1, random_state=0).fit(form, y, sensitive_features=group)
        for form in (X, X.toarray())
    )
    assert np.array_equal(sparse.predict(X), dense.predict(X))


@pytest.mark.parametrize(
    "model",
    [
        NetworkClassifier(early_stopping=True, batch_size=32),
        NetworkClassifier(batch_size=-1, module="mlp"),
        PenaltyClassifier(sampling="group", penalty_on="holdout", batch_size=32),
        FairFeaturesClassifier(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("form", [csr_array, csr_matrix, coo_array])
@pytest.mark.filterwarnings("ignore:The fitted")
def test_sparse_and_dense_rows_train_the_same_network(model, form):
    X, y, group = sparse_problem()
    model.set_params(max_epochs=3, random_state=0)
    dense = model.fit(X.toarray(), y, sensitive_features=group).predict_proba(X.toarray())
    sparse = model.fit(form(X), y, sensitive_features=group).predict_proba(form(X))
    assert np.array_equal(dense, sparse)


@pytest.mark.filterwarnings("ignore:The fitted")
def test_no_more_than_a_part_is_ever_dense(monkeypatch):
    X, y, _ = sparse_problem(n=3000, n_features=1000)
    largest = []

    def watched(original):
        def call(self, *args, **kwargs):
            result = original(self, *args, **kwargs)
            largest.append(len(result))
            return result

        return call

    for kind in (csr_array, csr_matrix):
        monkeypatch.setattr(kind, "toarray", watched(kind.toarray))
    monkeypatch.setattr(SparseRows, "index_select", watched(SparseRows.index_select))
    model = NetworkClassifier(max_epochs=1, random_state=0).fit(X, y)
    model.predict(X)
    assert 256 <= max(largest) < 1100
