"""CSV files of any dialect: what stands there is what is read, or the reader is told."""

import importlib.util
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skfair.audit._errors import InputError
from skfair.audit._tables import dates_as_text, read_table


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "sex": rng.choice(["woman", "man"], 60),
            "job": rng.choice(["cook, chef", 'the "boss"', "clerk"], 60),
            "wage": rng.gamma(3.0, 10.0, 60).round(2),
            "hours": rng.integers(10, 60, 60),
        }
    )


def read(folder, text, encoding="utf-8"):
    """Read a table; return it and what was logged."""
    path, said = folder / "data.csv", []
    path.write_bytes(text.encode(encoding))
    return read_table(path, said.append), said


class TestDialects:
    @pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
    def test_dialects(self, table, separator, encoding, tmp_path):
        path = tmp_path / "data.csv"
        expected = table.assign(job=table["job"].replace("clerk", "clérk"))
        expected.to_csv(path, sep=separator, index=False, encoding=encoding)
        pd.testing.assert_frame_equal(read_table(path), expected, check_dtype=False)

    def test_missing_values_spaces_and_decimal_commas(self, tmp_path):
        path = tmp_path / "data.csv"
        path.write_text('a; b ;c\n 1,5 ; x ;"?"\n-2,25;;7\n;"y; z";8\n')
        found = read_table(path)
        assert list(found.columns) == ["a", "b", "c"]
        np.testing.assert_array_equal(found["a"], [1.5, -2.25, np.nan])
        assert found["b"].tolist()[0::2] == ["x", "y; z"]
        assert found["b"].isna().tolist() == [False, True, False]
        np.testing.assert_array_equal(found["c"], [np.nan, 7, 8])

    def test_compressed(self, table, tmp_path):
        path = tmp_path / "data.csv.gz"
        table.to_csv(path, index=False)
        assert read_table(path).shape == table.shape

    def test_what_spreadsheets_write(self, table, tmp_path):
        path = tmp_path / "data.csv"
        table.to_csv(path, index=False, encoding="utf-16", sep="\t")
        pd.testing.assert_frame_equal(read_table(path), table, check_dtype=False)
        path.write_text("a;b\n40;None\n39,5;x\n1.234,25;x\n")
        found = read_table(path)
        assert found["a"].tolist() == [40, 39.5, 1234.25]
        assert found["b"].tolist() == ["None", "x", "x"]  # a word
        path.write_text("a,b\n1,x,\n2,y,\n")  # a separator too many at each end
        assert read_table(path).to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}
        path.write_text("a,b\nrow1,1,x\nrow2,2,y\n")  # names of rows without a header
        assert read_table(path).to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}


class TestNames:
    @pytest.mark.parametrize(
        "header", ["sex,x,sex", "sex,x, sex", '"sex",x,"sex"', "sex,sex,sex", "a,sex.1,sex,sex"]
    )
    def test_a_repeated_name_is_refused(self, header, tmp_path):
        row = ",".join("123"[: header.count(",") + 1] + "4" * (header.count(",") == 3))
        with pytest.raises(InputError, match="more than one column named 'sex'"):
            read(tmp_path, f"{header}\n{','.join('1' * (header.count(',') + 1))}\n{row}\n")

    def test_names_that_look_repeated_are_not(self, tmp_path):
        found, _ = read(tmp_path, "sex,sex.1,Sex\n1,2,3\n")
        assert list(found) == ["sex", "sex.1", "Sex"]

    def test_columns_without_a_name_stay_apart_and_empty_ones_go(self, tmp_path):
        found, _ = read(tmp_path, ",a,,b,\n0,1,x,2,\n1,3,y,4,\n")
        assert list(found) == ["Unnamed: 0", "a", "Unnamed: 2", "b"]
        assert found["b"].tolist() == [2, 4]

    def test_a_line_that_names_the_separator(self, tmp_path):
        for first in ("sep=;", '"sep=;"', "SEP=;"):
            found, _ = read(tmp_path, f"{first}\r\na;b\r\n1,5;x\r\n2,25;y\r\n")
            assert found.to_dict("list") == {"a": [1.5, 2.25], "b": ["x", "y"]}


class TestEncodings:
    def test_windows_text(self, tmp_path):
        text = "age,name\n18–39,José\n40–70,“Ann”\n18–39,5 € …\n"
        found, _ = read(tmp_path, text, "cp1252")
        assert found["age"].tolist() == ["18–39", "40–70", "18–39"]
        assert found["name"].tolist() == ["José", "“Ann”", "5 € …"]

    def test_bytes_that_windows_does_not_know(self, tmp_path):
        (tmp_path / "data.csv").write_bytes(b"a,b\n\x81x,\xe9\n")
        assert read_table(tmp_path / "data.csv")["b"].tolist() == ["é"]

    def test_the_end_of_a_long_file_counts(self, tmp_path):
        lines = [f"{i},plain" for i in range(60_000)] + ["0,café"]
        for encoding in ("cp1252", "utf-8"):
            found, _ = read(tmp_path, "\n".join(["a,b", *lines]), encoding)
            assert found["b"].iloc[-1] == "café"

    def test_packed_files_of_every_encoding(self, table, tmp_path):
        for encoding in ("utf-8", "utf-16", "cp1252"):
            path = tmp_path / "data.csv.gz"
            table.assign(job="é").to_csv(path, index=False, encoding=encoding)
            assert read_table(path)["job"].tolist() == ["é"] * len(table)


class TestNumbers:
    @pytest.mark.parametrize(
        ("separator", "written", "meant"),
        [
            (",", ["1,045", "23,500", "999"], [1045, 23500, 999]),
            (",", ["1,045.5", "-2,000", "0.25"], [1045.5, -2000, 0.25]),
            (",", ["1,234,567", "1", ""], [1234567, 1, np.nan]),
            (",", ["0,125", "12,5", "7"], [0.125, 12.5, 7]),
            (";", ["1,045", "23,500", "999"], [1.045, 23.5, 999]),
            (";", ["1.234,5", "12.000", "7"], [1234.5, 12000, 7]),
            (";", ["1.234.567", "12.000", "7"], [1234567, 12000, 7]),
            (";", ["1,234,567", "12,000", "7"], [1234567, 12000, 7]),
            ("\t", ["1,045", "23,500", "999"], [1045, 23500, 999]),
            ("\t", ["1,5", "2,25", "3"], [1.5, 2.25, 3]),
            (",", ["$1,045", "$12", "$0.50"], [1045, 12, 0.5]),
            (";", ["5 €", "1.000 €", "2,50 €"], [5, 1000, 2.5]),
            (",", ["45%", "7.5 %", "0"], [45, 7.5, 0]),
            (";", ["1 045", "23 500,5", "9"], [1045, 23500.5, 9]),
            (",", ["1\u00a0045", "1'000'000", "9"], [1045, 1000000, 9]),
            (",", ["-5", "+7", "1e3"], [-5, 7, 1000]),
        ],
    )
    def test_numbers_as_people_write_them(self, separator, written, meant, tmp_path):
        rows = "\n".join(f'"{value}"{separator}x' for value in written)
        found, said = read(tmp_path, f"a{separator}b\n{rows}\n")
        np.testing.assert_array_equal(found["a"].astype(float), meant)
        assert found["b"].tolist() == ["x"] * 3
        changed = not all(w == "" or _is_float(w) for w in written)
        assert bool(said) == changed
        assert all("note: a: " in line for line in said)

    def test_a_column_that_could_be_either_follows_the_others(self, tmp_path):
        english, _ = read(tmp_path, "a\tb\n1,045\t2.5\n2,000\t3.25\n")
        german, _ = read(tmp_path, "a\tb\n1,045\t2,5\n2,000\t3,25\n")
        assert english["a"].tolist() == [1045, 2000]
        assert german["a"].tolist() == [1.045, 2]
        assert english["b"].tolist() == german["b"].tolist() == [2.5, 3.25]
        points, said = read(tmp_path, "a;b\n1.045;2,5\n2.000;3,25\n")
        assert points["a"].tolist() == [1045, 2000]
        assert "'1.045' is read as 1045" in said[0]
        plain, said = read(tmp_path, "a;b\n1.045;x\n2.5;y\n")
        assert plain["a"].tolist() == [1.045, 2.5]
        assert not said

    @pytest.mark.parametrize(
        "written", [["1,2,3", "x"], ["12 years", "3 years"], ["1-2", "3-4"], ["1,04", "x"]]
    )
    def test_other_text_stays_as_it_is(self, written, tmp_path):
        found, said = read(tmp_path, "a,b\n" + "".join(f'"{value}",1\n' for value in written))
        assert found["a"].tolist() == written
        assert not said

    def test_one_word_among_numbers_is_named(self, tmp_path):
        rows = "".join(f"{i},x\n" for i in range(30)) + "unknown,x\n"
        found, said = read(tmp_path, "a,b\n" + rows)
        assert found["a"].iloc[0] == "0"
        assert said == [
            "note: a: taken for categories because of 'unknown'; most values are numbers"
        ]

    @pytest.mark.parametrize(("yes", "no"), [("TRUE", "FALSE"), ("true", "False")])
    def test_truth_values(self, yes, no, tmp_path):
        found, _ = read(tmp_path, f"a,b\n{yes},{yes}\n{no},\n{yes},{no}\n")
        assert found["a"].dtype == bool
        assert found["a"].tolist() == [True, False, True]
        assert found["b"].isna().tolist() == [False, True, False]

    @given(st.lists(st.integers(-(10**12), 10**12), min_size=2, max_size=30), st.data())
    @settings(max_examples=60, deadline=None)
    def test_whole_numbers_come_back_however_they_are_grouped(self, numbers, data):
        separator, group = data.draw(
            st.sampled_from([(",", ","), (",", ""), (";", "."), (";", " "), ("\t", "'")])
        )
        lines = [f'"{number:,}"'.replace(",", group) + f"{separator}x" for number in numbers]
        decimal = ',"0,5"' if separator == ";" else ""
        with TemporaryDirectory() as folder:
            if decimal:  # tells which sign is the decimal one
                text = "a;b;c\n" + "".join(f"{line};0,5\n" for line in lines)
            else:
                text = f"a{separator}b\n" + "".join(f"{line}\n" for line in lines)
            found, _ = read(Path(folder), text)
        assert found["a"].tolist() == numbers


class TestAnything:
    @given(st.binary(max_size=200))
    @example(b"\xff\xfe")
    @example(b"a,b\n\x00,1\n")
    @example(b"PK\x03\x04")
    @settings(max_examples=300, deadline=None)
    def test_bytes_are_a_table_or_refused(self, content):
        for name in ("data.csv", "data.csv.gz", "data.zip"):
            self.check(name, content)

    @given(
        st.lists(
            st.lists(
                st.sampled_from(
                    ["", "a", "1", "1,5", "1.045", "NA", '"', "x;y", "\r", "TRUE", "é", "\x00", "-"]
                ),
                min_size=1,
                max_size=4,
            ),
            min_size=1,
            max_size=6,
        ),
        st.sampled_from(",;\t|"),
    )
    @settings(max_examples=300, deadline=None)
    def test_cells_are_a_table_or_refused(self, rows, separator):
        self.check("data.csv", "\n".join(map(separator.join, rows)).encode())

    def check(self, name, content):
        with TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            found, refusal = None, ""
            try:
                found = read_table(path)
            except InputError as error:
                refusal = str(error)
            if found is None:
                assert str(path) in refusal
                return
            assert len(found)
            assert found.shape[1] > 1
            assert found.columns.is_unique
            assert found.index.equals(pd.RangeIndex(len(found)))


def _is_float(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_dates_as_text():
    table = pd.DataFrame(
        {
            "self": pd.to_datetime(["2026-01-02", None]),
            "a": [1, 2],
            "b": [True, False],
            "c": ["x", None],
        }
    )
    found = dates_as_text(table)
    assert found["self"].dtype == object
    assert found["self"][0].startswith("2026-01-02")
    assert found["self"].isna().tolist() == [False, True]
    pd.testing.assert_frame_equal(found[["a", "b", "c"]], table[["a", "b", "c"]])


class TestParquet:
    def test_types_are_those_of_the_file(self, table, tmp_path):
        pytest.importorskip("pyarrow")
        table = table.assign(
            member=table["hours"] > 30,
            grade=pd.Categorical(table["job"]),
            day=pd.Timestamp("2026-01-02"),
            children=pd.array([None, *range(59)], dtype="Int64"),
            region=[" north ", "?", None, *["south"] * 57],
        )
        table.to_parquet(tmp_path / "data.PARQUET")
        found = read_table(tmp_path / "data.PARQUET")
        kinds = {name: found[name].dtype.kind for name in found}
        assert "".join(kinds.values()) == "OOfibOMfO"
        assert (found["job"] == table["job"]).all()
        assert (found["grade"] == table["job"]).all()
        as_text = dates_as_text(found)
        assert as_text["day"][0].startswith("2026-01-02")
        pd.testing.assert_frame_equal(as_text.drop(columns="day"), found.drop(columns="day"))
        assert found["region"].dropna().tolist() == ["north", *["south"] * 57]
        assert np.isnan(found["children"][0])

    def test_an_index_with_a_name_is_a_column(self, table, tmp_path):
        pytest.importorskip("pyarrow")
        table.set_index("job").to_parquet(tmp_path / "named.parquet")
        table[table["hours"] > 30].to_parquet(tmp_path / "rows.pq")
        assert list(read_table(tmp_path / "named.parquet"))[0] == "job"
        found = read_table(tmp_path / "rows.pq")
        assert list(found) == list(table)
        assert found.index.equals(pd.RangeIndex(len(found)))

    def test_what_is_wrong_is_said(self, table, tmp_path, monkeypatch):
        path = tmp_path / "data.parquet"
        path.write_text("a,b\n1,2\n")
        if importlib.util.find_spec("pyarrow"):
            with pytest.raises(InputError, match="cannot be read as Parquet"):
                read_table(path)
            table[["job"]].to_parquet(path)
            with pytest.raises(InputError, match="one column only"):
                read_table(path)

        def missing(*_, **__):
            raise ImportError("no engine")

        monkeypatch.setattr(pd, "read_parquet", missing)
        with pytest.raises(InputError, match="Parquet files need pyarrow: python -m pip install"):
            read_table(path)
