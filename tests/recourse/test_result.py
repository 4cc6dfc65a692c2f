"""What counterfactuals show of themselves."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from skfair.recourse import counterfactuals


@pytest.fixture(scope="module")
def found():
    X = pd.DataFrame(
        {"income": [10.0, 20, 30, 40], "<debts>": [4.0, 1, 2, 0]}, index=["ann", "bo", "cy", "dee"]
    )
    model = LogisticRegression().fit(X, [0, 0, 1, 1])
    return X, counterfactuals(model, X, actionable="income")


def test_a_row_is_a_change(found):
    X, result = found
    frame = result.to_frame()
    assert frame["person"].tolist() == ["ann", "bo"]
    assert frame["before"].tolist() == X.loc[["ann", "bo"], "income"].tolist()
    assert frame["after"].tolist() == result.counterfactuals["income"].tolist()
    assert frame["distance"].tolist() == result.distance.tolist()
    pd.testing.assert_frame_equal(result.people, X.loc[["ann", "bo"]])


def test_it_shows_who_what_and_how_many(found):
    _, result = found
    assert repr(result).startswith("Counterfactuals(2 of 2 refused people would be accepted)")
    assert "income" in repr(result)
    page = result._repr_html_()
    assert "<th>ann</th>" in page
    assert "<script" not in page


def test_names_of_columns_are_no_markup():
    X = pd.DataFrame({"<b>": [1.0, 2, 3, 4]})
    page = counterfactuals(LogisticRegression().fit(X, [0, 0, 1, 1]), X)._repr_html_()
    assert "&lt;b&gt;" in page


def test_nobody_is_refused_and_nobody_can_be_helped(found):
    X, _ = found
    model = LogisticRegression().fit(X, [0, 0, 1, 1])
    nobody = counterfactuals(model, X.loc[["dee"]], reference=X)
    assert nobody.to_frame().empty
    assert "0 of 0" in repr(nobody) + nobody._repr_html_()
    helpless = counterfactuals(model, X, actionable=["income"], bounds={"income": (0, 12)})
    assert not helpless.valid.all()
    assert len(helpless.to_frame()) == int(helpless.changed.to_numpy().sum())


def test_a_copy_by_pickle_is_of_the_same_kind(found):
    _, result = found
    copy = pickle.loads(pickle.dumps(result))
    assert repr(copy) == repr(result)
    np.testing.assert_array_equal(copy.distance, result.distance)
