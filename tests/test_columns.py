"""Columns of a table, by name, position and kind."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from skfair._columns import column_positions
from skfair._groups import GroupEncoder, select_sensitive

TABLE = pd.DataFrame(
    [[1.0, 1, 0, 30, 1], [2.0, 0, 1, 40, 0]],
    columns=["num__income", "cat__sex_Female", "cat__sex_Male", "remainder__age", "race"],
)


def is_categorical(X):
    return X.columns.str.startswith("cat__")


class TestColumnPositions:
    @pytest.mark.parametrize(
        ("columns", "expected"),
        [
            ("race", [4]),
            (["race", "num__income"], [4, 0]),
            (("race",), [4]),
            (np.array(["race"]), [4]),
            (pd.Index(["race", "num__income"]), [4, 0]),
            (0, [0]),
            (-1, [4]),
            ([0, -2], [0, 3]),
            (np.array([1, 2]), [1, 2]),
            (slice(1, 3), [1, 2]),
            (slice(-2, None), [3, 4]),
            (slice("cat__sex_Female", "remainder__age"), [1, 2, 3]),
            ([False, True, False, False, True], [1, 4]),
            (np.array([False, True, False, False, True]), [1, 4]),
            (is_categorical, [1, 2]),
            (lambda X: "race", [4]),
        ],
    )
    def test_selections_of_a_column_transformer(self, columns, expected):
        assert column_positions(TABLE, columns) == expected

    @pytest.mark.parametrize(
        ("columns", "expected"),
        [
            (0, [0]),
            (-1, [4]),
            ([0, -2], [0, 3]),
            (slice(1, 3), [1, 2]),
            ([False, True, False, False, True], [1, 4]),
            (lambda X: [X.shape[1] - 1], [4]),
        ],
    )
    def test_selections_of_an_array(self, columns, expected):
        assert column_positions(TABLE.to_numpy(), columns) == expected
        assert column_positions(csr_array(TABLE.to_numpy()), columns) == expected

    def test_name_stands_for_the_columns_that_a_transformer_derived_from_it(self):
        assert column_positions(TABLE, "sex") == [1, 2]
        assert column_positions(TABLE, "age") == [3]
        assert column_positions(TABLE, ["race", "sex"]) == [4, 1, 2]

    def test_column_of_that_very_name_comes_before_derived_ones(self):
        X = TABLE.rename(columns={"race": "sex"})
        assert column_positions(X, "sex") == [4]

    def test_transformed_column_of_that_name_comes_before_one_hot_ones(self):
        X = TABLE.rename(columns={"num__income": "num__sex"})
        assert column_positions(X, "sex") == [0]

    def test_part_of_a_word_is_no_derived_name(self):
        with pytest.raises(ValueError, match="no column 'se'"):
            column_positions(TABLE, "se")

    @pytest.mark.parametrize("columns", ["gender", ["race", "gender"]])
    def test_unknown_name_lists_the_columns(self, columns):
        with pytest.raises(ValueError, match=r"^group: X has no column 'gender'.*'num__income'"):
            column_positions(TABLE, columns, "group")

    @pytest.mark.parametrize("columns", [5, -6, [0, 5], [True, False], 1.5, [False] * 5])
    def test_impossible_selection_says_what_X_has(self, columns):
        with pytest.raises(ValueError, match=r"sensitive_columns=.*has the columns \['num__inc"):
            column_positions(TABLE, columns)
        with pytest.raises(ValueError, match=r"sensitive_columns=.*5 columns without names"):
            column_positions(TABLE.to_numpy(), columns)

    def test_name_for_an_array_says_that_it_has_none(self):
        with pytest.raises(ValueError, match=r"'sex' cannot be found .* 5 columns without names"):
            column_positions(TABLE.to_numpy(), "sex")

    def test_selected_columns_come_as_a_frame_in_the_order_asked_for(self):
        frame = select_sensitive(TABLE.set_index([[8, 3]]), ["race", "remainder__age"])
        assert frame.to_dict("list") == {"race": [1, 0], "remainder__age": [30, 40]}
        assert frame.index.tolist() == [0, 1]

    @pytest.mark.parametrize("make", [np.asarray, csr_array])
    def test_selected_columns_of_an_array_or_sparse_matrix(self, make):
        frame = select_sensitive(make(TABLE.to_numpy(dtype=float)), [4, 3])
        assert frame.to_numpy().tolist() == [[1, 30], [0, 40]]

    def test_one_hot_columns_of_one_attribute_give_its_groups(self):
        codes = GroupEncoder().encode(select_sensitive(TABLE, "sex"))
        assert codes.ravel().tolist() == [1, 0]


def test_an_empty_selection_is_refused():
    with pytest.raises(ValueError, match="no column is selected"):
        column_positions(pd.DataFrame({"a": [1], "b": [2]}), [])
