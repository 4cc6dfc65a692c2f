"""Counterfactuals keep to what a table is: categories in any dress, and what a column can hold."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skfair import FaiRNClassifier
from skfair.recourse import counterfactuals

RNG = np.random.default_rng(0)
N = 200
JOBS = pd.Series(RNG.choice(list("abc"), N), name="job")
NUMBER = RNG.normal(size=N)


# -- no number to change --------------------------------------------------------------------------


@pytest.mark.parametrize("final", [LogisticRegression(), FaiRNClassifier(max_epochs=15, lr=0.02)])
@pytest.mark.parametrize("distance", ["mad_l1", "l2"])
def test_categories_alone_are_as_near_as_among_all_combinations(final, distance):
    table = pd.DataFrame({"job": JOBS, "home": RNG.choice(["own", "rent"], N)})
    y = ((table.job == "a") | ((table.home == "own") & (table.job == "b"))).astype(int)
    encode = make_column_transformer((OneHotEncoder(sparse_output=False), ["job", "home"]))
    model = make_pipeline(encode, final)
    model.fit(table, y)
    every = pd.DataFrame(list(itertools.product("abc", ["own", "rent"])), columns=table.columns)
    accepted = every[model.predict(every) == 1].to_numpy()
    found = counterfactuals(model, table, distance=distance, random_state=0)
    least = [(accepted != row).sum(axis=1).min() for row in table.iloc[found.refused].to_numpy()]
    assert found.valid.all()
    expected = np.array(least) if distance == "mad_l1" else np.sqrt(2 * np.array(least))
    np.testing.assert_allclose(found.distance, expected)


# -- one category in several columns --------------------------------------------------------------

DRESSES = {
    "int": lambda d: d.astype(int),
    "uint8": lambda d: d.astype("uint8"),
    "float": lambda d: d.astype(float),
    "bool": lambda d: d.astype(bool),
    "nullable": lambda d: d.astype("boolean"),
    "objects": lambda d: d.astype(bool).astype(object),
}


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("dropped", [False, True])
def test_dummies_in_every_dress_are_one_category_and_stay_what_they_were(dress, dropped):
    dummies = DRESSES[dress](pd.get_dummies(JOBS, prefix="job", drop_first=dropped))
    table = pd.concat([dummies, pd.DataFrame({"x": NUMBER})], axis=1)
    table.index = [f"p{i}" for i in range(N)]
    y = (NUMBER + 2 * (JOBS == "b") + 2 * (JOBS == "c") > 1.5).astype(int)
    model = RandomForestClassifier(10, max_depth=4, random_state=0).fit(table.astype(float), y)
    found = counterfactuals(model, table, random_state=0)
    answers = found.counterfactuals
    assert found.valid.mean() > 0.9
    pd.testing.assert_series_equal(answers.dtypes, table.dtypes)
    sums = answers[dummies.columns].astype(int).sum(axis=1)
    assert set(sums) <= ({0, 1} if dropped else {1})
    assert answers.index.tolist() == table.index[found.refused].tolist()
    assert (model.predict(answers[found.valid]) == 1).all()
    if dress == "objects":
        assert {type(v) for v in answers[dummies.columns[0]]} <= {bool, np.bool_}


def test_columns_named_as_one_category_may_all_be_zero():
    dummies = pd.get_dummies(JOBS, drop_first=True, dtype=int).to_numpy()
    table = np.column_stack([dummies, NUMBER])  # an array has no names to go by
    y = (NUMBER + 1.2 * (dummies.sum(axis=1) > 0) > 1.5).astype(int)
    model = LogisticRegression().fit(table, y)
    found = counterfactuals(model, table, categorical=[[0, 1]], random_state=0)
    assert found.valid.all()
    assert found.counterfactuals[:, :2].sum(axis=1).max() == 1
    table[0, :2] = 1
    with pytest.raises(ValueError, match=r"categorical: \[0, 1\].*at most one of them 1"):
        counterfactuals(model, table, categorical=[[0, 1]])


# -- what a column can hold -----------------------------------------------------------------------


@pytest.mark.parametrize("frame", [True, False])
@pytest.mark.parametrize("kind", ["int8", "uint8", "uint16", "uint32", "UInt8", "Int16"])
def test_numbers_keep_to_what_their_column_can_hold(kind, frame):
    if not frame and kind[0] in "UI":
        pytest.skip("NumPy has no nullable dtypes")
    table = pd.DataFrame({"a": RNG.integers(0, 100, N), "b": RNG.integers(0, 6, N)})
    y = (table.a + 5 * table.b > 90).astype(int)
    model = LogisticRegression(max_iter=2000).fit(table.to_numpy(), y)
    narrow = table.astype(kind)
    wide = counterfactuals(model, table.to_numpy(), actionable=[1], random_state=0)
    rows = narrow if frame else narrow.to_numpy()
    found = counterfactuals(model, rows, actionable=[1], random_state=0)
    assert found.valid.all()
    np.testing.assert_allclose(found.distance, wide.distance)
    answers = np.asarray(found.counterfactuals)
    assert (answers.astype(float) == wide.counterfactuals).all()


def test_who_would_need_more_than_the_column_can_hold_has_no_answer():
    table = np.array([[100], [120], [126]], dtype="int8")
    model = LogisticRegression(C=1e6).fit([[100], [200], [300]], [0, 0, 1])  # from about 250
    found = counterfactuals(model, table, method="gradient", random_state=0)
    assert not found.valid.any()
    assert found.counterfactuals.dtype == np.int8
    assert (found.counterfactuals == table).all()


def test_whole_numbers_stay_whole_although_missing_values_made_the_column_float():
    children = RNG.integers(0, 8, N).astype(float)
    table = pd.DataFrame({"children": children, "x": NUMBER})
    table.loc[:4, "children"] = np.nan
    filled = table.fillna(0)
    model = make_pipeline(SimpleImputer(), LogisticRegression())
    model.fit(table, children + NUMBER > 6)
    found = counterfactuals(model, table.iloc[5:], reference=table, random_state=0)
    known = found.counterfactuals["children"]
    assert found.changed["children"].any()
    assert (known % 1 == 0).all()
    assert (counterfactuals(model, filled, random_state=0).counterfactuals["children"] % 1).any()


# -- one thread -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", [False, True])
def test_the_search_takes_one_thread_and_gives_the_others_back(fails):
    seen = []

    class Watched(LogisticRegression):
        def predict(self, X):
            seen.append(torch.get_num_threads())
            if fails and len(seen) > 2:
                raise RuntimeError("no")
            return super().predict(X)

    X = RNG.normal(size=(60, 2))
    model = Watched().fit(X, X[:, 0] > 0)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        if fails:
            with pytest.raises(RuntimeError, match="no"):
                counterfactuals(model, X)
        else:
            counterfactuals(model, X)
        assert set(seen) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
