"""Columns that are no reason for a decision, and those that stand for a sensitive one."""

import uuid

import numpy as np
import pandas as pd
import pytest

from skfair.audit._columns import derived_columns, name_words, uninformative_columns

N = 200


def reasons(**columns):
    return uninformative_columns(pd.DataFrame(columns), [])


class TestUninformative:
    @pytest.mark.parametrize("name", ["fnlwgt", "FNLWGT", "PERWT16F", "sample_weight", "PWGTP"])
    def test_weights_of_samples_by_clear_names(self, name):
        weights = np.random.default_rng(0).integers(1000, 90000, N)
        assert reasons(**{name: weights}) == {name: "weight of a sample"}

    @pytest.mark.parametrize("name", ["weight", "birth_weight", "WKHP", "wage", "net worth"])
    def test_a_weight_may_be_a_persons(self, name):
        assert reasons(**{name: np.random.default_rng(0).normal(70, 10, N).round(1)}) == {}

    @pytest.mark.parametrize("start", [0, 1, 5000])
    @pytest.mark.parametrize("shuffled", [False, True])
    def test_consecutive_numbers_in_any_order_are_row_numbers(self, start, shuffled):
        numbers = np.arange(start, start + N)
        if shuffled:
            numbers = np.random.default_rng(0).permutation(numbers)
        assert reasons(case=numbers) == {"case": "row numbers"}
        assert reasons(case=numbers.astype(float)) == {"case": "row numbers"}

    def test_a_column_without_a_name_may_have_holes_and_repetitions(self):
        numbers = np.flatnonzero(np.random.default_rng(0).random(3 * N) < 0.3)
        assert reasons(**{"Unnamed: 0": numbers}) == {"Unnamed: 0": "row numbers"}
        assert reasons(**{"Unnamed: 0": np.r_[numbers, numbers]})
        assert reasons(index=numbers, Row_Number=numbers[::-1]) == {
            "index": "row numbers",
            "Row_Number": "row numbers",
        }
        words = np.resize(["a", "b"], N)
        assert reasons(**{"Unnamed: 3": words}) == {}

    @pytest.mark.parametrize("name", ["id", "customer_id", "CustomerID", "Patient ID", "uuid"])
    def test_identifiers_by_name(self, name):
        numbers = np.random.default_rng(0).integers(10**6, 10**8, N)
        assert reasons(**{name: numbers}) == {name: "identifier"}

    def test_what_ends_in_id_may_be_a_category_or_an_amount(self):
        rng = np.random.default_rng(0)
        few, amounts = rng.integers(0, 9, N), rng.gamma(2, 1000, N)
        assert reasons(region_id=few, paid=rng.integers(0, 10**7, N), amount_id=amounts) == {}

    def test_texts_that_all_differ(self):
        texts = [str(uuid.UUID(int=i * 7919)) for i in range(N)]
        almost = [*texts[:-3], "x", "x", "x"]
        jobs = np.resize(["cook", "clerk", "chef"], N)
        assert reasons(a=texts, b=almost, job=jobs) == dict.fromkeys(
            "ab", "another text in almost every row"
        )

    @pytest.mark.parametrize(
        "written",
        ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d.%m.%y", "%Y-%m-%dT%H:%M:%SZ", "%d %b %Y"],
    )
    def test_texts_that_are_dates(self, written):
        days = pd.Timestamp("2020-02-28") + pd.to_timedelta(np.arange(N) // 2 * 3, unit="D")
        texts = pd.Series(days.strftime(written), dtype=object)
        texts[::17] = None
        texts[1] = "unknown"
        assert reasons(opened=texts) == {"opened": "date"}

    def test_texts_that_recur_or_are_other_codes_are_no_dates(self):
        quarters = np.resize(["2020-03-31", "2020-06-30", "2020-09-30"], N)
        codes = [f"{i // 2:04d}" for i in range(3 * N, 4 * N)]
        zips = [f"{i:05d}-{i % 97:04d}" for i in range(N // 2)] * 2
        assert reasons(quarter=quarters, code=np.array(codes, object), zip=zips) == {}

    def test_dates_by_their_type_however_few(self):
        day = pd.Timestamp("2026-01-02")
        days = pd.Series(np.resize([day, day + pd.Timedelta(days=1)], N))
        assert reasons(
            a=days, b=days.dt.tz_localize("UTC"), c=days.dt.date.where(days.index > 3), d=days[:9]
        ) == dict.fromkeys("abcd", "date")

    def test_numbers_that_all_differ_are_features(self):
        rng = np.random.default_rng(0)
        income = rng.choice(10**6, N, replace=False)
        assert reasons(income=income, sorted=np.sort(income), score=rng.normal(size=N)) == {}

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("split", ["train", "test"]),
            ("fold", [0, 1, 2, 3, 4]),
            ("which", ["Train", "valid", "Test"]),
            ("cv_fold", [1, 2]),
        ],
    )
    def test_parts_of_the_data(self, name, values):
        assert reasons(**{name: np.resize(values, N)}) == {
            name: "part of the data to which a row belongs"
        }
        assert reasons(job=np.resize(["train driver", "test pilot"], N)) == {}

    def test_constants(self):
        holes = np.where(np.arange(N) % 2, 1.0, np.nan)
        words = pd.Series(np.where(np.arange(N) % 2, "smokes", None))
        found = reasons(one=1, none=[None] * N, holes=holes, smokes=words)
        assert found == {
            "one": "the same in every row",
            "none": "empty",
            "holes": "the same in every row",  # filled with the median it says nothing
        }

    def test_a_few_rows_prove_nothing(self):
        assert reasons(age=np.arange(30, 45), name=list("abcdefghijklmno")) == {}

    def test_columns_that_are_needed_are_not_looked_at(self):
        table = pd.DataFrame({"id": np.arange(N), "split": "train"})
        assert uninformative_columns(table, ["id"]) == {"split": "the same in every row"}


class TestDerived:
    def test_names(self):
        assert name_words("isFemale") == name_words("is_female") == ["is", "female"]
        assert name_words("gender-code 2") == ["gender", "code", "2"]

    def test_columns_made_from_a_sensitive_one(self):
        names = {
            "sex": ["sex_Male", "Sex-code", "isFemale", "Male", "gender", "personSex"],
            "race": ["race_white", "is_black", "ethnicity", "ethnic_group"],
            "age": ["age_cat", "birth_year", "DOB"],
        }
        others = ["wage", "average", "mortgage", "native-country", "relationship", "racing"]
        others += ["juv_other_count", "male_pattern_length", "white_goods", "sexton"]
        frame = pd.DataFrame(
            {
                "sex": ["Male", "Female"],
                "race": ["White", "Black"],
                "age": [1, 2],
            }
            | dict.fromkeys([*sum(names.values(), []), *others], 0)
        )
        for sensitive, derived in names.items():
            assert derived_columns(frame, frame[[sensitive]]) == derived
        assert derived_columns(frame, frame[["age", "sex"]]) == [*names["sex"], *names["age"]]

    def test_values_that_are_numbers_name_nothing(self):
        frame = pd.DataFrame({"SEX": [1, 2], "1": 0, "2": 0, "other": 0, "SEX_2": 0})
        assert derived_columns(frame, frame[["SEX"]]) == ["SEX_2"]
