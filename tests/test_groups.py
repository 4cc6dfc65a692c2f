"""Sensitive features of all kinds, as codes of groups."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skfair._groups import GroupEncoder, as_frame

SEX = ["m", "f", "f", "m", "f"]
CODES = [1, 0, 0, 1, 0]
ODD_INDEX = [7, 7, -1, 3, 0]

CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "generator": iter,
    "array": np.array,
    "object array": lambda v: np.array(v, dtype=object),
    "column": lambda v: np.array(v, dtype=object)[:, None],
    "Series": lambda v: pd.Series(v, index=ODD_INDEX),
    "named Series": lambda v: pd.Series(v, index=ODD_INDEX, name="sex"),
    "Index": pd.Index,
    "categorical Series": lambda v: pd.Series(v, dtype="category", index=ODD_INDEX),
    "DataFrame": lambda v: pd.DataFrame({"sex": v}, index=ODD_INDEX),
    "Categorical": lambda v: pd.Categorical(v, categories=["x", *sorted(set(v), reverse=True)]),
    "lists of one": lambda v: [[value] for value in v],
}


@pytest.fixture(params=CONTAINERS)
def container(request):
    return CONTAINERS[request.param]


def encode(sensitive_features, attributes="intersection", **kwargs):
    encoder = GroupEncoder(attributes)
    codes = encoder.encode(sensitive_features, **kwargs)
    assert codes.dtype == np.int64
    return codes, encoder


class TestOneColumn:
    def test_frame_has_one_column_and_a_plain_index(self, container):
        frame = as_frame(container(SEX))
        assert frame.shape == (5, 1)
        assert frame.index.tolist() == list(range(5))
        assert frame.iloc[:, 0].tolist() == SEX

    @pytest.mark.parametrize("attributes", ["intersection", "sum"])
    def test_codes_are_positions_in_any_container(self, container, attributes):
        codes, encoder = encode(container(SEX), attributes)
        assert codes.tolist() == [[code] for code in CODES]
        assert [label[-1] for label in encoder.labels] == ["f", "m"]  # a word, or a pair

    @pytest.mark.parametrize("make", [list, np.array, pd.Series, pd.Categorical])
    @pytest.mark.parametrize(
        ("values", "labels"),
        [
            ([True, False, False, True, False], [False, True]),
            ([1, 0, 0, 1, 0], [0, 1]),
            ([2.5, -1.0, -1.0, 2.5, -1.0], [-1.0, 2.5]),
        ],
        ids=["booleans", "ints", "floats"],
    )
    def test_codes_are_positions_of_the_sorted_values(self, make, values, labels):
        codes, encoder = encode(make(values))
        assert codes.tolist() == [[code] for code in CODES]
        assert encoder.labels == labels
        assert [type(label) for label in encoder.labels] == [type(label) for label in labels]
        assert encoder.attribute_of == [0, 0]

    @pytest.mark.parametrize(
        "values", [np.array([1, 0]), [np.int64(1), np.int64(0)], [np.str_("b"), np.str_("a")]]
    )
    @pytest.mark.parametrize("attributes", ["intersection", "sum"])
    def test_labels_are_built_in_types(self, values, attributes):
        _, encoder = encode(values, attributes)
        labels = [label[1] if attributes == "sum" else label for label in encoder.labels]
        assert [type(label) for label in labels] == [type(values[0].item())] * 2

    def test_mixed_types_are_groups_of_their_own(self):
        values = ["a", 2, 1.5, "a", True, (1, 2)]
        series = pd.Series(values, dtype=object)
        codes, encoder = encode(series)
        assert [encoder.labels[code] for code in codes[:, 0]] == values

    def test_dates_and_intervals_are_groups(self):
        for values in (
            pd.Series(pd.to_datetime(["2020-01-01", "2021-01-01", "2020-01-01"])),
            pd.cut(pd.Series([1.0, 9.0, 2.0]), 2),
        ):
            codes, encoder = encode(values)
            assert codes[:, 0].tolist() == [0, 1, 0]
            # as text, so that the fitted state holds built-in types only
            assert encoder.labels == sorted(map(str, values.unique()))

    def test_categories_that_do_not_occur_are_no_groups(self):
        _, encoder = encode(pd.Categorical(["b", "a"], categories=["c", "b", "a"]))
        assert encoder.labels == ["a", "b"]


MISSING = {
    "None": ["a", None, "b", None],
    "NaN": ["a", np.nan, "b", np.nan],
    "pd.NA": ["a", pd.NA, "b", pd.NA],
    "NaT": ["a", pd.NaT, "b", pd.NaT],
    "each": ["a", None, "b", pd.NA],
    "float array": np.array([0.0, np.nan, 1.0, np.nan]),
    "masked array": np.ma.array([0, 5, 1, 5], mask=[0, 1, 0, 1]),
    "str": pd.Series(["a", None, "b", None], dtype="str"),
    "string": pd.Series(["a", None, "b", None], dtype="string"),
    "Int64": pd.Series([0, None, 1, None], dtype="Int64"),
    "boolean": pd.Series([False, None, True, None], dtype="boolean"),
    "category": pd.Series(["a", None, "b", None], dtype="category"),
    "Categorical": pd.Categorical(["a", None, "b", None]),
    "datetime": pd.Series(pd.to_datetime(["2020-01-01", None, "2021-01-01", None])),
}


@pytest.mark.parametrize("attributes", ["intersection", "sum"])
@pytest.mark.parametrize("values", MISSING.values(), ids=MISSING)
def test_missing_values_have_code_minus_one_and_are_counted_in_one_warning(values, attributes):
    with pytest.warns(UserWarning, match="missing in 2 of 4 rows") as record:
        codes, encoder = encode(values, attributes)
    assert len(record) == 1
    assert codes[:, 0].tolist() == [0, -1, 1, -1]
    assert len(encoder.labels) == 2


def test_nothing_missing_nothing_warned():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encode(SEX)


PEOPLE = pd.DataFrame(
    {
        "sex": ["m", "f", "m", "f", None, "m"],
        "age": pd.Categorical(["old", "old", "young", "old", "young", None]),
        "member": [True, True, False, True, True, False],
    },
    index=[5, 5, 2, 1, 0, 9],
)


class TestSeveralColumns:
    def test_intersections_are_the_combinations_that_occur_completely(self):
        with pytest.warns(UserWarning, match="missing in 2 of 6 rows"):
            codes, encoder = encode(PEOPLE)
        assert encoder.labels == [("f", "old", True), ("m", "old", True), ("m", "young", False)]
        assert encoder.attribute_of == [0, 0, 0]
        assert codes.tolist() == [[1], [0], [2], [0], [-1], [-1]]

    def test_sum_gives_every_attribute_groups_of_its_own(self):
        with pytest.warns(UserWarning, match="missing in 2 of 6 rows"):
            codes, encoder = encode(PEOPLE, "sum")
        assert encoder.labels == [
            ("sex", "f"),
            ("sex", "m"),
            ("age", "old"),
            ("age", "young"),
            ("member", False),
            ("member", True),
        ]
        assert encoder.attribute_of == [0, 0, 1, 1, 2, 2]
        assert codes.tolist() == [
            [1, 2, 5],
            [0, 2, 5],
            [1, 3, 4],
            [0, 2, 5],
            [-1, 3, 5],
            [1, -1, 4],
        ]

    def test_columns_of_an_array_are_named_by_position(self):
        _, encoder = encode(np.array([["a", "x"], ["b", "y"]]), "sum")
        assert encoder.labels == [(0, "a"), (0, "b"), (1, "x"), (1, "y")]

    def test_list_of_rows_equals_an_array(self):
        rows = [["a", 1], ["b", 2], ["a", 2]]
        ours, encoder = encode(rows)
        theirs, other = encode(np.array(rows, dtype=object))
        assert ours.tolist() == theirs.tolist()
        assert encoder.labels == other.labels == [("a", 1), ("a", 2), ("b", 2)]

    def test_the_same_value_in_two_attributes_is_two_groups(self):
        codes, encoder = encode(pd.DataFrame({"a": [0, 1], "b": [1, 0]}), "sum")
        assert encoder.labels == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
        assert codes.tolist() == [[0, 3], [1, 2]]

    @settings(max_examples=25, deadline=None)
    @given(
        rows=st.lists(
            st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([0, 1, 2, None])),
            min_size=2,
            max_size=12,
        ),
        attributes=st.sampled_from(["intersection", "sum"]),
    )
    def test_codes_read_back_give_the_rows(self, rows, attributes):
        rows += [("a", 0), ("b", 1)]  # two groups at least
        frame = pd.DataFrame(rows, columns=["first", "second"], dtype=object)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            codes, encoder = encode(frame, attributes)
        labels = [*encoder.labels, None]
        for row, code in zip(rows, codes, strict=True):
            if attributes == "sum":
                read = tuple(None if c < 0 else labels[c][1] for c in code)
                assert read == row
            else:
                assert labels[code[0]] == (None if None in row else row)


class TestErrors:
    def test_more_than_fifty_groups(self):
        with pytest.raises(ValueError, match=r"has 51 groups, more than 50.*bin"):
            encode([f"zip {i}" for i in range(51)] * 2)
        codes, _ = encode([f"zip {i}" for i in range(50)] * 2)
        assert codes.max() == 49

    @pytest.mark.parametrize(
        "values",
        [
            np.linspace(0, 1, 20),
            np.linspace(0, 1, 20, dtype=np.float32),
            [0.1, 0.2, 0.3],
            pd.Series([0.1, 0.2, None, 0.3], dtype="Float64"),
            [0.1, None, 0.2, 0.3],
        ],
        ids=["float64", "float32", "list", "Float64", "list with None"],
    )
    @pytest.mark.filterwarnings("ignore:sensitive_features is missing")
    def test_float_column_without_a_repeated_value_is_to_be_binned(self, values):
        with pytest.raises(ValueError, match=r"'age' is continuous.*pandas\.cut"):
            encode(pd.DataFrame({"age": values}))
        codes, _ = encode(pd.concat([pd.Series(values)] * 2))
        assert codes.max() >= 2

    @pytest.mark.parametrize("attributes", ["intersection", "sum"])
    def test_one_group(self, attributes):
        with pytest.raises(ValueError, match=r"only one group.*'a'"):
            encode(["a", "a"], attributes)

    def test_one_group_in_one_of_the_attributes(self):
        people = pd.DataFrame({"sex": ["f", "m"], "job": ["x", "x"]})
        with pytest.raises(ValueError, match="only one group of 'job'"):
            encode(people, "sum")
        assert encode(people)[1].labels == [("f", "x"), ("m", "x")]

    def test_wrong_length(self, container):
        with pytest.raises(ValueError, match="got 5 rows for 4 samples"):
            as_frame(container(SEX), 4)
        assert len(as_frame(container(SEX), 5)) == 5

    @pytest.mark.parametrize("shape", [(2, 2, 2), (2, 2, 2, 2)])
    def test_wrong_number_of_dimensions(self, shape):
        with pytest.raises(
            ValueError, match=rf"got an array of shape \({', '.join('2' * len(shape))}"
        ):
            as_frame(np.zeros(shape))

    def test_no_columns(self):
        with pytest.raises(ValueError, match="no columns"):
            as_frame(pd.DataFrame(index=range(3)))


class TestEncodingAgain:
    def test_known_groups_keep_their_codes_and_new_ones_are_appended(self):
        encoder = GroupEncoder()
        encoder.encode(["m", "f"])
        assert encoder.encode(["m", "a", "f", "a"]).ravel().tolist() == [1, 2, 0, 2]
        assert encoder.labels == ["f", "m", "a"]
        assert encoder.attribute_of == [0, 0, 0]

    def test_new_groups_of_an_attribute_belong_to_it(self):
        encoder = GroupEncoder("sum")
        encoder.encode(pd.DataFrame({"sex": ["m", "f"], "job": [0, 1]}))
        codes = encoder.encode(pd.DataFrame({"sex": ["x", "f"], "job": [2, 0]}))
        assert encoder.labels[4:] == [("sex", "x"), ("job", 2)]
        assert encoder.attribute_of == [0, 0, 1, 1, 0, 1]
        assert codes.tolist() == [[4, 5], [0, 2]]

    def test_a_later_batch_may_hold_one_group_or_none(self):
        encoder = GroupEncoder()
        encoder.encode(["m", "f"])
        assert encoder.encode(["m", "m"]).ravel().tolist() == [1, 1]
        with pytest.warns(UserWarning, match="missing in 2 of 2"):
            assert encoder.encode([None, None]).ravel().tolist() == [-1, -1]
        assert encoder.labels == ["f", "m"]

    def test_encoding_the_same_again_changes_nothing(self):
        encoder = GroupEncoder()
        first = encoder.encode(SEX)
        assert encoder.encode(np.array(SEX)).tolist() == first.tolist()
        assert encoder.labels == ["f", "m"]


def test_a_tensor_is_read_by_value():
    torch = pytest.importorskip("torch")
    encoder = GroupEncoder()
    values = torch.tensor([0, 1, 1, 0])
    assert encoder.encode(values).ravel().tolist() == [0, 1, 1, 0]
    assert encoder.encode(values).ravel().tolist() == [0, 1, 1, 0]
    assert encoder.labels == [0, 1]


def test_a_dict_is_read_as_columns():
    columns = {"sex": ["f", "m", "m"], "race": ["x", "x", "y"]}
    encoder = GroupEncoder()
    encoder.encode(columns)
    assert encoder.labels == [("f", "x"), ("m", "x"), ("m", "y")]


@pytest.mark.parametrize("value", [None, "abc", 3])
def test_what_is_no_array_is_named(value):
    with pytest.raises(ValueError, match=f"array-like, got {value!r}"):
        GroupEncoder().encode(value)


def test_columns_of_the_same_name_are_refused_where_names_tell_attributes_apart():
    frame = pd.DataFrame([["f", "f"], ["m", "x"]], columns=["a", "a"])
    with pytest.raises(ValueError, match=r"must differ, got \['a', 'a'\]"):
        GroupEncoder("sum").encode(frame)
    with pytest.raises(ValueError, match="'intersection' or 'sum', got 'summ'"):
        GroupEncoder("summ")


def test_limit_of_groups_counts_those_seen_before():
    encoder = GroupEncoder()
    encoder.encode(list(range(40)))
    with pytest.raises(ValueError, match="80 groups, more than 50"):
        encoder.encode(list(range(40, 80)))


def test_nothing_but_missing_values_is_no_group():
    with pytest.warns(UserWarning, match="missing"), pytest.raises(ValueError, match="no group"):
        GroupEncoder().encode([None, None, None])


@pytest.mark.parametrize("attributes", ["intersection", "sum"])
def test_groups_that_are_known_are_looked_up(attributes):
    frame = pd.DataFrame({"sex": ["f", "m", "f", "m"], "age": [1, 1, 2, 2]})
    codes, encoder = encode(frame, attributes)
    np.testing.assert_array_equal(encoder.look_up(frame), codes)
    np.testing.assert_array_equal(encoder.look_up(frame[::-1].astype({"age": float})), codes[::-1])
    others = pd.DataFrame({"sex": ["m", "d", None], "age": [2, 1, 1]})
    known = encoder.look_up(others, 3) >= 0
    expected = {
        "intersection": [[True], [False], [False]],
        "sum": [[True, True]] + 2 * [[False, True]],
    }
    assert known.tolist() == expected[attributes]
    one = pd.DataFrame({"sex": ["m"], "age": [1]})  # which could not be compared
    assert encoder.look_up(one).tolist() == codes[1:2].tolist()
    assert len(encoder.labels) == {"intersection": 4, "sum": 4}[attributes]


def test_numbers_that_are_not_repeated_are_looked_up():
    codes, encoder = encode(np.array([1.5, 2.5, 3.5, 1.5]))
    assert encoder.look_up(np.array([3.5, 2.5, 1.5])).ravel().tolist() == [2, 1, 0]
