"""Whatever the table: an answer is one that the person could be, or an error says why not."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin

from skfair.recourse import counterfactuals

NUMBERS = ["float64", "float32", "float16", "int64", "uint8", "int8", "Int16", "UInt8", "holes"]
NUMBERS += ["Float64", "objects"]
WORDS = ["text", "objects of text", "ordered", "category", "bool", "boolean", "truth objects"]
DUMMIES = ["bool", "int64", "uint8", "boolean", "float32", "object", "Sparse[int64]"]


def worth(value):
    """A number as it is, a word by its length; not to be known is worth a half."""
    return 0.5 if pd.isna(value) else float(len(value) if isinstance(value, str) else value)


class Scores(ClassifierMixin, BaseEstimator):
    """Sums up what each column is worth; linear in all of them, or with steps."""

    def __init__(self, weights, stepped, threshold=0.0):
        self.weights, self.stepped, self.threshold = weights, stepped, threshold

    def fit(self, X, y=None):
        self.classes_ = np.array([0, 1])
        self.threshold = float(np.median(self.decision_function(X)))
        return self

    def decision_function(self, X):
        X = pd.DataFrame(X)
        total = np.zeros(len(X))
        for i, weight in enumerate(self.weights):
            column = np.array([worth(value) for value in X.iloc[:, i]])
            total += weight * (np.floor(column) if self.stepped else column)
        return total - self.threshold

    def predict(self, X):
        return (self.decision_function(X) > 0).astype(int)


def number(kind, rng, n):
    values = rng.integers(0, 100, n) if rng.random() < 0.7 else rng.integers(0, 3, n)
    if kind == "holes":
        return pd.Series(np.where(rng.random(n) < 0.2, np.nan, values))
    if kind == "objects":
        return pd.Series([int(v) if rng.random() < 0.9 else None for v in values], dtype=object)
    if "loat" in kind and rng.random() < 0.7:
        values = values + rng.random(n)
    column = pd.Series(values).astype(kind)
    if kind[0].isupper():
        column[rng.random(n) < 0.2] = pd.NA
    return column


def word(kind, rng, n):
    words = np.array(["a", "bb", "ccc"])[rng.integers(0, 3, n)]
    truth = rng.random(n) < 0.5
    if kind == "text":
        return pd.Series(words, dtype="str")
    if kind == "objects of text":
        return pd.Series([w if rng.random() < 0.8 else None for w in words], dtype=object)
    if kind in ("ordered", "category"):
        return pd.Series(pd.Categorical(words, ["a", "bb", "ccc"], ordered=kind == "ordered"))
    if kind == "boolean":
        return pd.Series(truth, dtype="boolean").mask(rng.random(n) < 0.2)
    return pd.Series(truth, dtype=object if kind == "truth objects" else bool)


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 2, 7, 30]))
    columns, one_hot = {}, {}
    for k in range(draw(st.integers(0, 3))):
        columns[f"n{k}"] = number(draw(st.sampled_from(NUMBERS)), rng, n)
    for k in range(draw(st.integers(0, 2))):
        columns[f"w{k}"] = word(draw(st.sampled_from(WORDS)), rng, n)
    if draw(st.booleans()) or not columns:
        first = draw(st.integers(0, 1))  # 1: the first category is dropped
        codes, kind = rng.integers(0, 3, n), draw(st.sampled_from(DUMMIES))
        for code in range(first, 3):
            values = codes == code
            columns[f"job_{code}"] = pd.Series(values, dtype=bool).astype(kind)
        one_hot = {"names": [f"job_{code}" for code in range(first, 3)], "least": 1 - first}
    X = pd.DataFrame(columns)
    container = draw(st.sampled_from(["frame", "frame", "objects", "array"]))
    if container == "frame":
        X.index = pd.Index(rng.permutation(n) // 2)
        table = X
    else:
        numeric = all(isinstance(kind, np.dtype) and kind.kind in "iufb" for kind in X.dtypes)
        table = X.to_numpy(dtype=None if container == "array" and numeric else object)
    names = list(X.columns) if container == "frame" else list(range(X.shape[1]))
    by_name = dict(zip(X.columns, names, strict=True))
    arguments = {"distance": draw(st.sampled_from(["mad_l1", "l2"]))}
    arguments["method"] = draw(st.sampled_from(["auto", "genetic"]))
    if one_hot:
        one_hot["names"] = [by_name[name] for name in one_hot["names"]]
        arguments["categorical"] = [one_hot["names"]]
    elif n < 7:  # so few that any two columns may look like one category
        arguments["categorical"] = []
    if draw(st.booleans()):
        picked = [name for name in names if rng.random() < 0.5]
        arguments["actionable"] = picked
    numbers = [by_name[name] for name in X if name[0] == "n"]
    if numbers and draw(st.booleans()):
        low = rng.uniform(-20, 60)
        arguments["bounds"] = {numbers[0]: (low, low + rng.uniform(0, 80))}
    ordered = [
        by_name[name]
        for name in X
        if isinstance(X[name].dtype, pd.CategoricalDtype)
        and X[name].cat.ordered
        and container == "frame"
    ]
    ways = {name: ["increase", "decrease"][rng.integers(2)] for name in numbers[-1:] + ordered}
    if ordered and draw(st.booleans()):
        between = sorted(rng.choice(3, 2).tolist())
        levels = [["a", "bb", "ccc"][k] for k in between]
        arguments["bounds"] = arguments.get("bounds", {}) | {ordered[0]: tuple(levels)}
    if draw(st.booleans()):
        arguments["monotone"] = ways
    model = Scores(rng.normal(size=X.shape[1]), bool(draw(st.booleans()))).fit(table)
    return table, model, arguments, one_hot


def column(table, name):
    return table[name] if hasattr(table, "iloc") else pd.Series(table[:, name])


def searches(count):
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@searches(80)
@given(cases())
def test_answers_are_people_who_could_be(case):
    check(*case)


@pytest.mark.slow
@pytest.mark.many
@searches(2000)
@given(cases())
def test_answers_of_many_tables_are_people_who_could_be(case):
    check(*case)


def check(table, model, arguments, one_hot):
    frame = hasattr(table, "iloc")
    kept, weights = table.copy(), model.weights.copy()
    found = counterfactuals(model, table, max_iter=4, random_state=0, **arguments)
    if frame:
        pd.testing.assert_frame_equal(table, kept)
    else:
        pd.testing.assert_frame_equal(pd.DataFrame(table), pd.DataFrame(kept))
    assert vars(model).keys() == {"weights", "stepped", "threshold", "classes_"}
    np.testing.assert_array_equal(model.weights, weights)

    after, before = found.counterfactuals, table[found.refused] if not frame else None
    if frame:
        before = table.iloc[found.refused]
        assert after.index.equals(before.index)
        assert found.changed.index.equals(before.index)
        assert list(after.columns) == list(table.columns)
        assert (after.dtypes == table.dtypes).all()
    else:
        assert after.dtype == table.dtype
    assert after.shape == before.shape
    assert (model.predict(before) == 0).all()
    np.testing.assert_array_equal(model.predict(after) == 1, found.valid)
    np.testing.assert_array_equal(np.isfinite(found.distance), found.valid)
    names = list(table.columns) if frame else range(table.shape[1])
    for name in names:
        was, is_ = column(before, name), column(after, name)
        gone = is_.isna().to_numpy() != was.isna().to_numpy()
        same = ((was == is_).fillna(False) | (was.isna() & is_.isna())).to_numpy(bool)
        np.testing.assert_array_equal(found.changed[name].to_numpy(), ~same)
        if name not in arguments.get("actionable", names):
            assert same.all()
        kind = was.dropna().infer_objects().dtype
        if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind):
            assert not gone.any()
        old, new = was[~same], is_[~same]
        if name in arguments.get("bounds", {}):
            low, high = arguments["bounds"][name]
            was_worth, is_worth = old.map(worth).astype(float), new.map(worth).astype(float)
            assert (is_worth >= np.minimum(worth(low), was_worth)).all()
            assert (is_worth <= np.maximum(worth(high), was_worth)).all()
        if name in arguments.get("monotone", {}):
            way = arguments["monotone"][name]
            assert (new >= old).all() if way == "increase" else (new <= old).all()
    if one_hot:
        jobs = sum(column(after, name).astype(int) for name in one_hot["names"])
        assert jobs.between(one_hot["least"], 1).all()


BAD = {
    "actionable": [["nobody"], [99], 3.5],
    "bounds": [{"nobody": (0, 1)}, {"v": (2, 1)}, {"v": "ab"}, {"v": (0, np.nan)}, "all", [1], 5],
    "categorical": [["nobody"], [["v", "w"]], [["d", "d"]], 3.5],
    "integer": [["nobody"], ["w"], 3.5, {"v": 1}],
    "monotone": [{"nobody": 1}, {"v": "up"}, {"v": [1]}, {"w": "increase"}, "increase", [1]],
    "sensitive_columns": [["nobody"], 3.5],
    "reference": [np.zeros((3, 2)), np.zeros(3), pd.DataFrame(), "people", 5],
    "unfavorable": ["nobody", [0, 1], []],
    "distance": ["l3", 5, lambda before, after: ["far"] * len(before)],
    "method": ["exact", None],
    "max_iter": [0, 1.5, "many"],
    "random_state": ["seed", -1],
    "verbose": ["loud"],
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_named(name):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"v": rng.normal(size=20), "w": rng.choice(["a", "bb"], 20), "d": 1})
    model = Scores(np.ones(3), False).fit(X)
    for value in BAD[name]:
        with pytest.raises((TypeError, ValueError), match=name):
            counterfactuals(model, X, **{name: value})


@pytest.mark.parametrize("X", [[], [1.0, 2.0], np.zeros((2, 2, 2)), None, "people"])
def test_bad_tables_are_named(X):
    model = Scores(np.ones(2), False).fit(np.eye(2))
    with pytest.raises((TypeError, ValueError), match="X"):
        counterfactuals(model, X)
