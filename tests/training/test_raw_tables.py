"""Tables as they come: which columns are categories, and what becomes of every value."""

from __future__ import annotations

import datetime
import pickle
import warnings
from decimal import Decimal

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from scipy.sparse import csr_array

from skfair import FaiRNClassifier, LabelFlipClassifier, NetworkClassifier
from skfair.training._categories import (
    MIN_CATEGORY_ROWS,
    category_columns,
    encode_table,
    learn_categories,
)
from skfair.training._numbers import plain_numbers

N = 60
QUICK = {"max_epochs": 2, "random_state": 0}


def repeated(*values, n=N):
    return [values[i % len(values)] for i in range(n)]


def encoded(column, selection="from_dtype"):
    """Codes of a column, as a table of its own is encoded; ``None`` for numbers."""
    table = column if getattr(column, "ndim", 1) == 2 else pd.DataFrame({"a": column})
    columns = category_columns(table, selection)
    categories = learn_categories(table, columns)
    return encode_table(table, categories, np.float64)[:, 0], categories.get(0)


# -- kinds of columns -----------------------------------------------------------------------------

TEXT = {
    "objects": pd.Series(repeated("b", "a", None), dtype=object),
    "str": pd.Series(repeated("b", "a", None), dtype="str"),
    "string": pd.Series(repeated("b", "a", pd.NA), dtype="string"),
    "category": pd.Series(repeated("b", "a", None), dtype="category"),
    "ordered": pd.Categorical(
        repeated("b", "a", None), categories=["never", "b", "a"], ordered=True
    ),
    "array": np.array(repeated("b", "a", None), dtype=object)[:, None],
}


@pytest.mark.parametrize("form", TEXT)
def test_text_is_a_category_whatever_its_type(form):
    codes, known = encoded(TEXT[form])
    assert known == ["a", "b"]
    assert codes.tolist() == repeated(3, 2, 0)


NUMBERS = {
    "float64": (np.array(repeated(1.5, np.nan, 2.0)), [1.5, np.nan, 2.0]),
    "int8": (np.array(repeated(1, 2, 3), dtype=np.int8), [1, 2, 3]),
    "bool": (np.array(repeated(True, False, True)), [1, 0, 1]),
    "Int64": (pd.array(repeated(1, pd.NA, 3), dtype="Int64"), [1, np.nan, 3]),
    "Float32": (pd.array(repeated(1.5, pd.NA, 3), dtype="Float32"), [1.5, np.nan, 3]),
    "boolean": (pd.array(repeated(True, pd.NA, False), dtype="boolean"), [1, np.nan, 0]),
    "objects": (pd.Series(repeated(1, None, 2.5), dtype=object), [1, np.nan, 2.5]),
    "truth values": (pd.Series(repeated(True, None, False), dtype=object), [1, np.nan, 0]),
    "decimals": (pd.Series(repeated(Decimal("1.5"), None, Decimal(2))), [1.5, np.nan, 2]),
    "mixed": (pd.Series(repeated(True, pd.NA, 2.5), dtype=object), [1, np.nan, 2.5]),
}


@pytest.mark.parametrize("form", NUMBERS)
def test_numbers_stay_as_they_are_with_nan_where_they_are_missing(form):
    column, expected = NUMBERS[form]
    values, known = encoded(column)
    assert known is None
    np.testing.assert_array_equal(values, repeated(*expected))


def test_numbers_can_be_named_as_categories():
    for selection in (["a"], [0], [True], np.array([0])):
        codes, known = encoded(np.array(repeated(7.0, np.nan, 3.0)), selection)
        assert known == [3.0, 7.0]
        assert codes.tolist() == repeated(3, 0, 2)


@pytest.mark.parametrize("selection", [None, [], [False], np.array([], dtype=int)])
def test_categories_of_numbers_can_be_taken_as_numbers(selection):
    values, known = encoded(pd.Categorical(repeated(5, 7)), selection)
    assert known is None
    assert values.tolist() == repeated(5, 7)
    for text in ("str", "category", object):
        with pytest.raises(ValueError, match="column 'a'"):
            encoded(pd.Series(repeated("u", "v"), dtype=text), selection)


def test_names_positions_and_masks_are_of_the_whole_table_though_columns_are_dropped():
    table = pd.DataFrame({"s": repeated("u", "v"), "a": repeated(1, 2), "b": repeated(3, 4)})
    for selection in (["s", "b"], [0, 2], [True, False, True]):
        assert category_columns(table, selection, kept=[1, 2]) == [1]


REFUSED = {
    "text and numbers": (repeated(1, "a"), "column 'a' of X holds text and numbers"),
    "dates": (pd.date_range("2020", periods=N), "column 'a'.*dates.*year"),
    "days": (repeated(datetime.date(2020, 1, 1)), "column 'a'.*dates.*year"),
    "durations": (pd.to_timedelta(range(N), "D"), "column 'a'.*dates or times"),
    "periods": (pd.period_range("2020", periods=N, freq="D"), "column 'a'"),
    "dictionaries": (repeated({"b": 1}), "column 'a'.*dict.*must be a string or a real number"),
    "lists": (repeated([1]), "column 'a'.*list"),
    "bytes": (repeated(b"x"), "column 'a'.*bytes"),
    "complex": (np.array(repeated(1j)), "Complex data not supported.*column 'a'"),
    "complex objects": (repeated(1j, np.complex64(2), 3.0, None), "Complex.*column 'a'"),
    "complex categories": (pd.Categorical(repeated(1j, 2j)), "Complex.*column 'a'"),
    "bytes as categories": (pd.Categorical(repeated(b"x", b"y")), "column 'a'.*bytes"),
    "beyond all numbers": (repeated(10**400, 1), "too large for float64: column 'a'"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_neither_number_nor_category_is_named(kind):
    column, message = REFUSED[kind]
    with pytest.raises((ValueError, TypeError), match=message):
        encoded(pd.Series(column))
    with pytest.raises((ValueError, TypeError), match="column 'a'"):
        plain_numbers(pd.DataFrame({"a": column}), [np.float32], "Network")


def test_a_missing_date_is_a_missing_value_of_any_column():
    assert encoded(pd.Series(repeated(pd.NaT, "a"), dtype=object))[0].tolist() == repeated(0, 2)
    assert encoded(pd.Series(repeated(pd.NaT, None), dtype=object))[1] == []
    numbers, known = encoded(pd.Series(repeated(pd.NaT, 2.5), dtype=object))
    assert known is None
    np.testing.assert_array_equal(numbers, repeated(np.nan, 2.5))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pd.array(repeated("u", pd.NA), dtype="string"), "not text. The column 'a'"),
        (pd.Categorical(repeated((1, 2), (3, 4))), "not text. The column 'a'"),
        (pd.cut(pd.Series(range(N)), 3), "not text. The column 'a'"),
        (pd.Series(repeated(pd.NA, 1, 2.5), dtype=object), "contains NaN: columns 'a'"),
        (pd.Series([pd.NaT] * N), "contains NaN: columns 'a'"),
    ],
)
def test_columns_that_the_perceptron_cannot_take_are_named(column, message):
    with pytest.raises(ValueError, match=message):
        plain_numbers(pd.DataFrame({"b": 1.0, "a": column}), [np.float32], "Network")


def test_bins_and_days_are_categories_where_their_type_says_so():
    bins = pd.cut(pd.Series(repeated(1, 5, 9)), [0, 2, 6, 10])
    assert encoded(bins)[0].tolist() == repeated(2, 3, 4)
    days = pd.Series(pd.date_range("2020", periods=2).repeat(N // 2)).astype("category")
    assert encoded(days)[1] == ["2020-01-01 00:00:00", "2020-01-02 00:00:00"]


# -- rare, unseen, missing ------------------------------------------------------------------------


def test_rare_categories_share_the_place_of_the_unseen_ones():
    values = ["a"] * MIN_CATEGORY_ROWS + ["b"] * (MIN_CATEGORY_ROWS - 1) + ["c"] * 20
    codes, known = encoded(pd.Series(values))
    assert known == ["a", "c"]
    assert codes.tolist() == [2] * 5 + [1] * 4 + [3] * 20
    later = pd.DataFrame({"a": ["b", "new", "", "c", None]})
    assert encode_table(later, {0: known}, np.float32)[:, 0].tolist() == [1, 1, 1, 3, 0]


def test_an_empty_string_is_a_value_like_any_other():
    codes, known = encoded(pd.Series(repeated("", "a")))
    assert known == ["", "a"]
    assert codes.tolist() == repeated(2, 3)


def test_the_order_of_rows_and_of_declared_categories_does_not_matter():
    values = np.array(repeated("c", "a", "b", None), dtype=object)
    order = np.random.default_rng(0).permutation(N)
    codes, known = encoded(pd.Series(values))
    other, same = encoded(pd.Series(pd.Categorical(values[order], categories=["b", "c", "a"])))
    assert known == same
    assert np.array_equal(codes[order], other)


def test_a_column_that_is_nearly_all_different_says_so():
    with pytest.warns(UserWarning, match="column 'a'.*fewer than 5 rows.*to_numeric"):
        codes, known = encoded(pd.Series([f"person {i}" for i in range(N)]))
    assert known == []
    assert codes.tolist() == [1.0] * N


def test_a_column_without_values_is_a_category_for_whatever_comes():
    codes, known = encoded(pd.Series(repeated(None), dtype=object))
    assert known == []
    assert codes.tolist() == [0.0] * N
    for later in (["x"], [3]):
        assert encode_table(pd.DataFrame({"a": later}), {0: []}, np.float64).item() == 1


def test_ten_thousand_categories_have_a_code_each():
    n_categories = 10_000
    values = np.repeat(np.arange(n_categories), MIN_CATEGORY_ROWS).astype(str)
    codes, known = encoded(pd.Series(values))
    assert len(known) == n_categories
    assert np.array_equal(np.array(known)[codes.astype(int) - 2], values)


@pytest.mark.parametrize(
    ("known", "later", "message"),
    [
        ({0: ["u"]}, [1, 2], "column 'a' of X held text in fit, now it holds numbers"),
        ({0: [1.0]}, ["u", "v"], "column 'a' of X held numbers in fit, now it holds text"),
        ({}, ["u", "v"], "column 'a'"),
        ({}, ["1", "2"], "column 'a'"),
        ({}, [1.0, np.inf], "infinity.*column 'a'"),
    ],
)
def test_a_column_that_is_another_than_in_fit_is_named(known, later, message):
    with pytest.raises(ValueError, match=message):
        encode_table(pd.DataFrame({"a": later}), known, np.float64)


# -- any table ------------------------------------------------------------------------------------

CELLS = st.one_of(
    st.none(),
    st.text(max_size=3),
    st.integers(-5, 5),
    st.floats(-1e6, 1e6),
    st.booleans(),
)
ODD_CELLS = st.sampled_from(
    [pd.NA, pd.NaT, np.inf, -0.0, 10**400, Decimal("1.5"), 1j, np.complex64(1), b"x", (1, 2)]
    + [datetime.date(2020, 1, 1), pd.Timestamp("2020"), pd.Timedelta(1), pd.Interval(0, 1)]
)
DTYPES = ["object", "str", "string", "category", "Int64", "Float64", "boolean", "float32", "int16"]


@st.composite
def tables(draw, odd=False):
    n = draw(st.integers(1, 12))
    columns = {}
    for j in range(draw(st.integers(1, 4))):
        values = draw(st.lists(CELLS | ODD_CELLS if odd else CELLS, min_size=n, max_size=n))
        dtype = draw(st.sampled_from(DTYPES))
        try:
            with warnings.catch_warnings(action="error"):  # a complex number loses its other part
                columns[f"c{j}"] = pd.Series(values, dtype=dtype)
        except (TypeError, ValueError, OverflowError, Warning):
            columns[f"c{j}"] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns)


@pytest.mark.filterwarnings("ignore:Most values")
@given(tables() | tables(odd=True))
@settings(max_examples=250, deadline=None)
def test_any_table_is_encoded_or_an_error_names_the_column(table):
    try:
        columns = category_columns(table, "from_dtype")
        categories = learn_categories(table, columns)
        X = encode_table(table, categories, np.float32)
    except (ValueError, TypeError) as error:
        assert any(f"column {name!r}" in str(error) for name in table.columns)
        return
    assert X.shape == table.shape
    assert not np.isnan(X[:, columns]).any()
    for j in columns:
        missing = table.iloc[:, j].isna().to_numpy()
        assert np.array_equal(X[:, j] == 0, missing)
        assert (X[:, j] < len(categories[j]) + 2).all()
    one_by_one = [encode_table(table.iloc[[i]], categories, np.float32) for i in range(len(table))]
    np.testing.assert_array_equal(np.concatenate(one_by_one), X)


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(tables() | tables(odd=True), st.data())
@settings(max_examples=40, deadline=None)
def test_any_two_tables_of_the_same_columns_train_and_are_predicted(table, data):
    """Or an error names a column, or says that nothing can be learned of so few rows."""
    table = pd.concat([table] * 6, ignore_index=True)
    y = np.arange(len(table)) % 2
    other = data.draw(tables() | tables(odd=True))
    other = other.reindex(columns=table.columns)
    model = NetworkClassifier(max_epochs=1, hidden_layer_sizes=(4,), random_state=0)
    try:
        model.fit(table, y)
        assert model.predict(table).shape == y.shape
        proba = model.predict_proba(other)
    except (ValueError, TypeError) as error:
        assert any(repr(name) in str(error) for name in table.columns), error
        return
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(model.predict_proba(other.iloc[:1]), proba[:1], rtol=1e-9)


# -- estimators -----------------------------------------------------------------------------------


def people(n=300, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(size=n),
            "job": rng.choice(["clerk", "cook", "smith"], n).astype(object),
            "sex": pd.Categorical(rng.choice(["F", "M"], n)),
            "hours": pd.array(rng.integers(10, 60, n), dtype="Int64"),
            "owner": pd.array(rng.random(n) < 0.4, dtype="boolean"),
        }
    )
    y = (frame["age"] + 2 * (frame["job"] == "smith") + rng.normal(size=n) > 0.5).astype(int)
    frame.loc[::7, "job"] = None
    frame.loc[::5, "hours"] = pd.NA
    frame.loc[::11, "age"] = np.nan
    return frame, y


def test_the_network_follows_the_table():
    X, y = people()
    raw = NetworkClassifier(**QUICK).fit(X, y)
    assert type(raw.module_).__name__ == "TabularNetwork"
    assert raw.settings_.lr_schedule == "cosine"
    numbers = X[["age", "owner"]].astype(float).fillna(0)
    plain = NetworkClassifier(**QUICK).fit(numbers, y)
    assert type(plain.module_).__name__ == "MLP"
    assert plain.settings_.lr_schedule == "constant"
    told = NetworkClassifier(module="tabular", **QUICK).fit(numbers, y)
    assert type(told.module_).__name__ == "TabularNetwork"
    missing = NetworkClassifier(**QUICK).fit(X[["age"]], y)
    assert type(missing.module_).__name__ == "TabularNetwork"


def test_numbers_only_make_the_perceptron_bit_for_bit():
    X, y = people()
    numbers = X[["age", "owner"]].astype(float).fillna(0)
    as_before = {
        "hidden_layer_sizes": (64, 64),
        "optimizer": "adam",
        "lr": 1e-3,
        "lr_schedule": "constant",
        "batch_size": 256,
    }
    one = NetworkClassifier(**QUICK).fit(numbers, y)
    for other in ({"module": "mlp"}, as_before, {"categorical_features": None}):
        same = NetworkClassifier(**QUICK, **other).fit(numbers, y)
        assert np.array_equal(one.predict_proba(numbers), same.predict_proba(numbers))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"module": "mlp"}, "not text.*column 'job'.*OneHotEncoder"),
        ({"module": "mlp", "categorical_features": ["job"]}, "categorical_features"),
        ({"categorical_features": None}, "column 'job'"),
        ({"categorical_features": ["sex"]}, "column 'job'"),
        ({"categorical_features": ["job", "town"]}, "no column 'town'"),
        ({"categorical_features": [9]}, "categorical_features"),
        ({"categorical_features": "dtype"}, "'categorical_features' parameter"),
    ],
)
def test_what_the_parameters_do_not_allow_is_said(params, message):
    X, y = people()
    with pytest.raises(ValueError, match=message):
        NetworkClassifier(**QUICK, **params).fit(X, y)


def test_several_members_are_for_the_tabular_network():
    X, y = people()
    with pytest.raises(ValueError, match="n_members=4 is for the tabular network"):
        NetworkClassifier(n_members=4, **QUICK).fit(X[["age"]].fillna(0), y)


def test_a_raw_frame_from_fit_to_prediction():
    X, y = people()
    model = FaiRNClassifier(**QUICK).fit(X, y, sensitive_features=X["sex"])
    expected = model.predict_proba(X)
    strings = X.astype({"job": "str", "sex": "str"})
    assert np.array_equal(model.predict_proba(strings), expected)
    assert np.array_equal(model.predict_proba(X.to_numpy(dtype=object)), expected)
    assert np.allclose(model.predict_proba(X.iloc[:1]), expected[:1], rtol=1e-12)
    new = X.head(3).astype({"job": object, "sex": object})
    new.loc[:, "job"] = ["astronaut", "", None]
    new.loc[:, "sex"] = ["other", None, "F"]
    assert np.isfinite(model.predict_proba(new)).all()
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), expected)
    assert again.settings_ == model.settings_


def test_columns_in_another_order_are_named():
    X, y = people()
    model = NetworkClassifier(**QUICK).fit(X, y)
    message = "same order as they were in fit.\nColumn 'job' comes where 'age' was"
    with pytest.raises(ValueError, match=message):
        model.predict(X[["job", "age", "sex", "hours", "owner"]])


def test_sensitive_columns_of_a_raw_frame_are_dropped_or_kept():
    X, y = people()
    for drop, n_features in ((True, 4), (False, 5)):
        model = FaiRNClassifier(sensitive_columns="sex", drop_sensitive_columns=drop, **QUICK)
        model.fit(X, y)
        assert model._architecture.input_shape == (n_features,)
        changed = X.assign(sex="F")
        same = np.array_equal(model.predict_proba(changed), model.predict_proba(X))
        assert same == drop


def test_new_categories_in_partial_fit_have_the_place_of_the_unseen():
    X, y = people()
    model = NetworkClassifier(**QUICK).partial_fit(X, y, classes=[0, 1])
    known = model._encoder.categories
    with warnings.catch_warnings(action="error"):
        model.partial_fit(X.assign(job=X["job"].where(np.arange(len(X)) % 8 > 0, "pilot")), y)
    with pytest.warns(UserWarning, match="column 'job' of X: 100% of the values.*first call"):
        model.partial_fit(X.assign(job="astronaut"), y)
    model = pickle.loads(pickle.dumps(model))
    with warnings.catch_warnings(action="error"):
        model.partial_fit(X.assign(job="astronaut"), y)
    assert model._encoder.categories == known


def test_a_warm_start_with_other_categories_is_refused():
    X, y = people()
    model = NetworkClassifier(warm_start=True, **QUICK).fit(X, y)
    model.fit(X, y)
    few = X["job"].where(np.arange(len(X)) > 2, "astronaut")
    model.fit(X.assign(job=few), y)  # these are rare
    with pytest.raises(ValueError, match="column 'job'.*'astronaut'.*without warm_start"):
        model.fit(X.assign(job="astronaut"), y)


def test_rows_of_weight_zero_have_no_part_in_what_is_learned_of_columns():
    X, y = people()
    absent = pd.DataFrame({name: ["x"] * 50 for name in X}, dtype=object)
    absent["age"] = np.inf
    absent["hours"] = absent["owner"] = np.nan
    both = pd.concat([X.astype(object), absent], ignore_index=True)
    weights = np.r_[np.ones(len(X)), np.zeros(50)]
    weighted = NetworkClassifier(**QUICK).fit(both, np.r_[y, np.ones(50)], sample_weight=weights)
    alone = NetworkClassifier(**QUICK).fit(X, y, sample_weight=np.ones(len(X)))
    assert np.array_equal(weighted.predict_proba(X), alone.predict_proba(X))


def test_flipped_labels_go_with_raw_frames():
    X, y = people()
    model = LabelFlipClassifier(flip_group="F", **QUICK).fit(X, y, sensitive_features=X["sex"])
    assert model.predict(X).shape == y.shape


def test_lists_of_text_and_numbers_are_tables():
    rows = [[float(i), "u" if i % 2 else "v"] for i in range(N)]
    model = NetworkClassifier(**QUICK).fit(rows, repeated(0, 1))
    assert model._encoder.categories == {1: ["u", "v"]}
    assert model.predict(rows).shape == (N,)


def test_missing_values_that_fit_has_not_seen_are_an_error_for_the_perceptron():
    X, y = people()
    full = X[["age"]].fillna(0)
    model = NetworkClassifier(**QUICK).fit(full, y)
    with pytest.raises(ValueError, match="contains NaN: columns 'age'"):
        model.predict(X[["age"]])
    with pytest.raises(ValueError, match="contains infinity.*: columns 'age'"):
        model.predict(full.assign(age=np.inf))


def test_sparse_rows_are_numbers():
    X, y = people()
    sparse = csr_array(X[["age"]].fillna(0).to_numpy())
    assert type(NetworkClassifier(**QUICK).fit(sparse, y).module_).__name__ == "MLP"
    with pytest.raises(TypeError, match="X is sparse.*module='mlp'"):
        NetworkClassifier(module="tabular", **QUICK).fit(sparse, y)
    with pytest.raises(ValueError, match="categorical_features"):
        NetworkClassifier(categorical_features=[0], **QUICK).fit(sparse, y)


def test_polars_frames_are_as_those_of_pandas():
    polars = pytest.importorskip("polars")
    X, y = people()
    columns = {name: [None if pd.isna(value) else value for value in X[name]] for name in X.columns}
    frame = polars.DataFrame(columns).with_columns(polars.col("sex").cast(polars.Categorical))
    expected = NetworkClassifier(**QUICK).fit(X, y)
    model = NetworkClassifier(**QUICK).fit(frame, y)
    assert np.array_equal(model.predict_proba(frame), expected.predict_proba(X))


def test_frames_backed_by_arrow_are_as_those_of_numpy():
    arrow = pytest.importorskip("pyarrow")
    X, y = people()
    expected = NetworkClassifier(**QUICK).fit(X, y)
    table = arrow.Table.from_pandas(X)
    backed = table.to_pandas(types_mapper=pd.ArrowDtype)
    assert all(isinstance(dtype, pd.ArrowDtype) for dtype in backed.drop(columns="sex").dtypes)
    for frame in (backed, table):
        model = NetworkClassifier(**QUICK).fit(frame, y)
        assert np.array_equal(model.predict_proba(frame), expected.predict_proba(X))
