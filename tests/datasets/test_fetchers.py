"""Every fetcher goes through the same checks; ``CASES`` is the list of them."""

import gzip
import hashlib
import io
import os
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from skfair.datasets import (
    _acs_income,
    _adult,
    _base,
    _compas,
    _german_credit,
    _meps,
    fetch_acs_income,
    fetch_adult,
    fetch_compas,
    fetch_german_credit,
    fetch_meps,
)

SPLITS = "train", "test"

# The inverse conversions: what the publisher would send for a table in the form of our file.


def raw_adult(table):
    table = table.replace("", "?")
    train, test = (table[table["split"] == split].drop(columns="split") for split in SPLITS)
    test = test.assign(income=test["income"] + ".")
    train, test = (
        "".join(f"{', '.join(row)}\n" for row in part.to_numpy()) for part in (train, test)
    )
    return {"adult.data": train + "\n", "adult.test": "|1x3 Cross validator\n" + test + "\n"}


def raw_german_credit(table):
    codes = table.drop(columns="sex").replace({"class": {"good": "1", "bad": "2"}})
    for attribute, column in enumerate(codes, start=1):
        code = re.compile(rf"A{attribute}(\d|10)")
        words = {word: c for c, word in _german_credit._WORDING.items() if code.fullmatch(c)}
        codes[column] = codes[column].map(words) if words else codes[column]
    return {"german.data": codes.to_csv(sep=" ", index=False, header=False)}


def raw_compas(table):
    kept = {"days_b_screening_arrest": "-1", "is_recid": "0", "score_text": "Low", "name": "a, b"}
    table = table.assign(**kept)
    dropped = [
        table.iloc[[0]].assign(**{column: value})
        for column, value in [
            ("days_b_screening_arrest", "31"),
            ("days_b_screening_arrest", ""),
            ("is_recid", "-1"),
            ("c_charge_degree", "O"),
            ("score_text", "N/A"),
        ]
    ]
    table = pd.concat([*dropped[:2], table, *dropped[2:]])
    table = pd.concat([table, table[["decile_score"]]], axis=1)  # the source has it twice
    return {"compas-scores-two-years.csv": table.to_csv(index=False)}


def raw_meps(table):
    codes = {"SEX": {"Female": "0", "Male": "1"}, "RACE": {"Non-White": "0", "White": "1"}}
    table = table.replace(codes).rename(columns={"UTILIZATION": "label"})
    return {"meps.csv": table.to_csv(index=False)}


def raw_acs_income(table):
    pytest.importorskip("pyarrow")
    race = table["RAC1P"].astype(int) - 1
    table = table.assign(RAC1P=race, number=range(len(table)))
    train, test = (table[table["split"] == split].drop(columns="split") for split in SPLITS)
    files = {}
    for name, part in (("validation", train), ("test", pd.concat([test, test]))):
        stream = io.BytesIO()
        part.astype(float).to_parquet(stream)
        files[f"ACSIncome.{name}.parquet"] = stream.getvalue()
    return files


class Case(NamedTuple):
    """A fetcher, what its publisher sends, and what the source's documentation says."""

    fetch: Callable
    module: ModuleType
    raw: Callable
    excerpt: dict  # made-up values of the columns that are words
    positive: object
    base_rate: float
    groups: dict  # sensitive feature: {group: (size, positive rate)}


CASES = {
    "acs_income": Case(
        fetch_acs_income,
        _acs_income,
        raw_acs_income,
        {
            "OCCP": ["10", "5100", "9830"],
            "SEX": ["1", "2", "2"],
            "RAC1P": ["1", "9", "2"],
            "PINCP": ["1", "0", "1"],
            "split": ["train", "train", "test"],
        },
        1,
        0.3687,
        {
            "SEX": {1: (260_105, 0.4421), 2: (239_245, 0.2889)},
            "RAC1P": {
                1: (389_156, 0.3907),
                2: (44_435, 0.2470),
                3: (3_559, 0.2223),
                4: (269, 0.1859),
                5: (651, 0.1751),
                6: (28_903, 0.4475),
                7: (850, 0.2506),
                8: (18_982, 0.1742),
                9: (12_545, 0.2924),
            },
        },
    ),
    "adult": Case(
        fetch_adult,
        _adult,
        raw_adult,
        {
            "workclass": ["Private", "", "State-gov"],
            "race": ["White", "Black", "Other"],
            "sex": ["Male", "Female", "Female"],
            "income": ["<=50K", ">50K", ">50K"],
            "split": ["train", "train", "test"],
        },
        ">50K",
        0.2393,
        {
            "sex": {"Female": (16_192, 0.1093), "Male": (32_650, 0.3038)},
            "race": {
                "White": (41_762, 0.2540),
                "Black": (4_685, 0.1208),
                "Asian-Pac-Islander": (1_519, 0.2693),
                "Amer-Indian-Eskimo": (470, 0.1170),
                "Other": (406, 0.1232),
            },
        },
    ),
    "german_credit": Case(
        fetch_german_credit,
        _german_credit,
        raw_german_credit,
        {
            "checking_status": ["<0 DM", "no checking account", ">=200 DM"],
            "credit_history": ["delay in paying off in the past"] * 3,
            "purpose": ["others", "car (used)", "education"],
            "savings_status": ["<100 DM", ">=1000 DM", "unknown/no savings account"],
            "employment": ["unemployed", ">=7 years", "<1 year"],
            "personal_status": [
                "male: single",
                "female: divorced/separated/married",
                "male: married/widowed",
            ],
            "other_parties": ["none", "guarantor", "none"],
            "property_magnitude": ["real estate", "car or other", "unknown/no property"],
            "age": ["25", "26", "70"],
            "other_payment_plans": ["none", "bank", "stores"],
            "housing": ["rent", "own", "for free"],
            "job": ["skilled employee/official"] * 3,
            "own_telephone": ["none", "yes", "none"],
            "foreign_worker": ["yes", "yes", "no"],
            "sex": ["male", "female", "male"],
            "class": ["good", "bad", "good"],
        },
        "good",
        0.7,
        {
            "sex": {"female": (310, 0.6484), "male": (690, 0.7232)},
            "age_group": {"<=25": (190, 0.5789), ">25": (810, 0.7284)},
            "foreign_worker": {"yes": (963, 0.6926), "no": (37, 0.8919)},
        },
    ),
    "compas": Case(
        fetch_compas,
        _compas,
        raw_compas,
        {
            "sex": ["Male", "Female", "Male"],
            "age_cat": ["Less than 25", "25 - 45", "Greater than 45"],
            "race": ["Other", "Caucasian", "African-American"],
            "c_charge_degree": ["F", "M", "F"],
            "two_year_recid": ["0", "1", "1"],
        },
        1,
        0.4551,
        {
            "race": {
                "African-American": (3_175, 0.5231),
                "Caucasian": (2_103, 0.3909),
                "Hispanic": (509, 0.3713),
                "Other": (343, 0.3615),
                "Asian": (31, 0.2581),
                "Native American": (11, 0.4545),
            },
            "sex": {"Male": (4_997, 0.4795), "Female": (1_175, 0.3515)},
            "age_cat": {
                "Less than 25": (1_347, 0.5598),
                "25 - 45": (3_532, 0.4646),
                "Greater than 45": (1_293, 0.3202),
            },
        },
    ),
    "meps_panel21": Case(
        fetch_meps,
        _meps,
        raw_meps,
        {
            "SEX": ["Female", "Male", "Male"],
            "RACE": ["White", "White", "Non-White"],
            "PCS42": ["57", "-1", "-9"],
            "UTILIZATION": ["1", "0", "0"],
        },
        1,
        0.1677,
        {
            "RACE": {"White": (6_022, 0.2534), "Non-White": (9_653, 0.1142)},
            "SEX": {"Female": (8_298, 0.2067), "Male": (7_377, 0.1238)},
        },
    ),
}


@pytest.fixture(params=CASES)
def name(request):
    return request.param


@pytest.fixture
def case(name):
    return CASES[name]


@pytest.fixture
def excerpt(case):
    """Make up a table of three rows of strings in the form of our file."""
    columns = case.module.DATASET.columns
    return pd.DataFrame({c: case.excerpt.get(c, ["0", "1", "2"]) for c in columns})


@pytest.fixture
def stored(name, excerpt, tmp_path):
    """Return a data_home that holds the excerpt."""
    _base.store(csv(excerpt), tmp_path / f"{name}.csv.gz")
    return tmp_path


@pytest.fixture
def real_home(name):
    """$SKFAIR_DATA, if the file is there."""
    home = os.environ.get("SKFAIR_DATA")
    if not home or not (Path(home) / f"{name}.csv.gz").exists():
        pytest.skip(f"needs {name}.csv.gz in the folder that $SKFAIR_DATA names")
    return Path(home)


@pytest.fixture
def publish(case, monkeypatch):
    """Return a function that makes a local server the publisher of a table, and what it sends."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    files = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = files.get(self.path.strip("/"))
            self.send_response(404 if content is None else 200)
            self.end_headers()
            content = content or b""
            self.wfile.write(content if isinstance(content, bytes) else content.encode())

        def log_message(self, *args):
            pass

    def publish(table, **changes):
        files.update(case.raw(table))
        urls = tuple(f"http://127.0.0.1:{server.server_port}/{file}" for file in files)
        monkeypatch.setattr(
            case.module, "DATASET", replace(case.module.DATASET, urls=urls, **changes)
        )
        return files

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield publish
        server.shutdown()


def csv(table):
    return table.to_csv(index=False, lineterminator="\n").encode()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def read_strings(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


# Finding, downloading, storing


def test_download_is_converted_checked_and_stored_once(case, name, excerpt, publish, tmp_path):
    files = publish(excerpt, sha256=sha256(csv(excerpt)))
    downloaded = case.fetch(data_home=tmp_path / "new" / "folder")

    path = tmp_path / "new" / "folder" / f"{name}.csv.gz"
    assert [*path.parent.iterdir()] == [path]
    content = path.read_bytes()
    assert gzip.decompress(content) == csv(excerpt)
    assert content[3:8] == bytes(5)  # no file name, mtime=0

    files.clear()  # the publisher is gone
    again = case.fetch(data_home=path.parent)
    pd.testing.assert_frame_equal(again.frame, downloaded.frame)


def test_recorded_hash_is_that_of_the_whole_converted_source(
    case, name, real_home, publish, tmp_path
):
    whole = read_strings(real_home / f"{name}.csv.gz")
    publish(whole)  # with the recorded hash
    case.fetch(data_home=tmp_path)
    assert gzip.decompress((tmp_path / f"{name}.csv.gz").read_bytes()) == csv(whole)


def test_corrupted_download_stores_nothing_and_says_so(case, excerpt, publish, tmp_path):
    expected = sha256(csv(excerpt))
    corrupted = excerpt.copy()
    corrupted.iloc[0, excerpt.columns.get_loc(case.module.DATASET.numeric.split()[0])] = "99"
    publish(corrupted, sha256=expected)
    with pytest.raises(OSError, match="Nothing was stored") as error:
        case.fetch(data_home=tmp_path)
    for fact in (*case.module.DATASET.urls, expected, sha256(csv(corrupted))):
        assert fact in str(error.value)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("page", ["", "<html>\n<p>a, b\n<p>Not, to, be, found\n</html>"])
def test_answer_that_is_no_table_stores_nothing_and_says_so(case, excerpt, publish, tmp_path, page):
    files = publish(excerpt)
    files.update(dict.fromkeys(files, page))
    with pytest.raises(OSError, match="Nothing was stored"):
        case.fetch(data_home=tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_refused_download_names_the_address(case, excerpt, publish, tmp_path):
    publish(excerpt).clear()
    with pytest.raises(OSError, match=f"{re.escape(case.module.DATASET.urls[0])}.*404"):
        case.fetch(data_home=tmp_path)


def test_interrupted_store_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_base.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        _base.store(b"a,b\n", tmp_path / "a.csv.gz")
    assert [*tmp_path.iterdir()] == []


def test_missing_file_without_download_says_where_it_looked(case, name, tmp_path):
    with pytest.raises(OSError, match=re.escape(str(tmp_path / f"{name}.csv.gz"))) as error:
        case.fetch(data_home=tmp_path, download_if_missing=False)
    assert "download_if_missing=True" in str(error.value)
    assert "SKFAIR_DATA" in str(error.value)


@pytest.mark.parametrize("name", ["compas"], indirect=True)
def test_data_home_is_the_argument_then_the_variable_then_home(
    case, name, excerpt, tmp_path, monkeypatch
):
    homes = {"argument": "argument", "variable": "variable", "home": "home/skfair_data"}
    for age, home in enumerate(homes.values()):
        _base.store(csv(excerpt.assign(age=str(age))), tmp_path / home / f"{name}.csv.gz")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setenv("SKFAIR_DATA", str(tmp_path / "variable"))

    assert case.fetch(data_home=str(tmp_path / "argument")).data["age"].eq(0).all()
    assert case.fetch(data_home="~/skfair_data").data["age"].eq(2).all()
    assert case.fetch().data["age"].eq(1).all()
    monkeypatch.delenv("SKFAIR_DATA")
    assert case.fetch().data["age"].eq(2).all()


def test_own_file_lacking_a_column_is_refused_by_name(case, name, excerpt, tmp_path):
    path = tmp_path / f"{name}.csv.gz"
    target = case.module.DATASET.target
    _base.store(csv(excerpt.drop(columns=target)), path)
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} lacks .*'{target}'"):
        case.fetch(data_home=tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"a,b\n1,2\n", gzip.compress(b"a,b\n" * 99)[:-9], b""],
    ids=["plain", "cut off", "empty"],
)
@pytest.mark.parametrize("name", ["compas"], indirect=True)
def test_own_file_that_is_no_gzip_is_refused_by_name(case, name, tmp_path, content):
    path = tmp_path / f"{name}.csv.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{re.escape(str(path))} is not a gzip"):
        case.fetch(data_home=tmp_path)


def test_own_file_may_order_its_columns_differently_and_have_more(case, name, excerpt, stored):
    expected = case.fetch(data_home=stored).frame
    own = excerpt[excerpt.columns[::-1]].assign(extra="x")
    _base.store(csv(own), stored / f"{name}.csv.gz")
    pd.testing.assert_frame_equal(case.fetch(data_home=stored).frame, expected)


# What is returned


def test_bunch_keeps_types_and_sensitive_columns_and_leaves_out_target_and_split(
    case, excerpt, stored
):
    dataset, bunch = case.module.DATASET, case.fetch(data_home=stored)
    assert bunch.feature_names == [*bunch.data.columns] == dataset.features.split()
    assert bunch.target_names == [bunch.target.name] == [dataset.target]
    assert {*bunch.data.select_dtypes("number")} == {*dataset.numeric.split()}
    assert {*bunch.data.select_dtypes("category")} == {*bunch.data} - {*dataset.numeric.split()}
    assert [*bunch.sensitive_features] == [*case.groups]
    for column in {*case.groups} - {"age_group"}:
        pd.testing.assert_series_equal(bunch.sensitive_features[column], bunch.data[column])
    assert [*bunch.frame] == [*bunch.data, dataset.target]
    assert bunch.target.astype(str).tolist() == excerpt[dataset.target].tolist()
    assert np.unique(bunch.target)[1] == case.positive
    assert ("split" in bunch) == dataset.split


@pytest.mark.parametrize("name", ["german_credit"], indirect=True)
def test_german_age_group_splits_after_25(case, stored):
    bunch = case.fetch(data_home=stored)
    assert bunch.sensitive_features["age_group"].tolist() == ["<=25", ">25", ">25"]
    assert "age_group" not in bunch.data


@pytest.mark.parametrize("name", ["adult"], indirect=True)
def test_adult_missing_values_are_missing_and_the_split_is_the_sources(case, stored):
    bunch = case.fetch(data_home=stored)
    assert bunch.data["workclass"].isna().tolist() == [False, True, False]
    assert bunch.split.tolist() == ["train", "train", "test"]


def test_arrays_hold_what_the_frames_hold(case, stored):
    frames, arrays = (case.fetch(data_home=stored, as_frame=flag) for flag in (True, False))
    assert arrays.frame is None
    assert arrays.feature_names == frames.feature_names
    for part in ("data", "target", "sensitive_features", "split"):
        if part in frames:
            assert isinstance(arrays[part], np.ndarray)
            pd.testing.assert_frame_equal(
                pd.DataFrame(arrays[part]).astype(object),
                pd.DataFrame(frames[part].to_numpy()).astype(object),
            )
            assert arrays[part].shape == frames[part].shape


@pytest.mark.parametrize("as_frame", [True, False])
def test_return_x_y_is_data_and_target(case, stored, as_frame):
    X, y = case.fetch(data_home=stored, as_frame=as_frame, return_X_y=True)
    bunch = case.fetch(data_home=stored, as_frame=as_frame)
    assert type(X) is type(bunch.data)
    assert type(y) is type(bunch.target)
    pd.testing.assert_frame_equal(pd.DataFrame(X), pd.DataFrame(bunch.data))
    assert np.array_equal(y, bunch.target)


def test_wrong_parameters_are_refused_as_scikit_learn_does(case):
    with pytest.raises(ValueError, match=f"'as_frame' parameter of {case.fetch.__name__} must be"):
        case.fetch(as_frame="yes")
    with pytest.raises(TypeError):
        case.fetch("positional")


def test_docstring_and_descr_name_source_terms_and_sizes(case, stored):
    dataset = case.module.DATASET
    for text in (case.fetch.__doc__, case.fetch(data_home=stored).DESCR):
        for word in ("Source:", "Terms:", "Sensitive features:", f"{dataset.n_samples:,}"):
            assert word in text
        for feature in case.groups:
            assert feature in text
    for section in ("Parameters", "Returns", "Raises", "Notes", "Examples"):
        assert f"\n{section}\n{'-' * len(section)}\n" in case.fetch.__doc__
    assert "{" not in case.fetch.__doc__


def test_meps_says_that_it_is_panel_21_by_inference_and_on_what_terms():
    text = _meps.DATASET.description
    assert "Panel 21" in text
    assert "*not* the Panel 19" in text
    assert "inferred" in text
    assert "data use agreement" in text
    assert "Cite AHRQ MEPS" in text


# The real data


def test_real_sizes_and_base_rates_are_the_documented_ones(case, real_home):
    bunch = case.fetch(data_home=real_home, download_if_missing=False)
    assert bunch.data.shape == (case.module.DATASET.n_samples, len(bunch.feature_names))
    positive = bunch.target == case.positive
    assert positive.mean() == pytest.approx(case.base_rate, abs=5e-5)
    for feature, groups in case.groups.items():
        by_group = positive.groupby(bunch.sensitive_features[feature], observed=False)
        assert by_group.size().to_dict() == {group: size for group, (size, _) in groups.items()}
        for group, (_, rate) in groups.items():
            assert by_group.mean()[group] == pytest.approx(rate, abs=5e-5)


@pytest.mark.parametrize("name", ["adult"], indirect=True)
def test_real_adult_has_the_sources_split_and_missing_values(case, real_home):
    adult = case.fetch(data_home=real_home)
    assert adult.split.value_counts().to_dict() == {"train": 32_561, "test": 16_281}
    missing = adult.data.isna().sum()
    assert missing[missing > 0].to_dict() == {
        "workclass": 2_799,
        "occupation": 2_809,
        "native-country": 857,
    }
    assert adult.data.isna().any(axis=1).sum() == 3_620


# Rows of the source that between them hold every code that occurs
GERMAN_ROWS = """\
A11 10 A34 A40 2241 A61 A72 1 A93 A101 3 A121 48 A143 A151 2 A172 2 A191 A202 1
A11 12 A31 A48 339 A61 A75 4 A94 A101 1 A123 45 A141 A152 1 A172 1 A191 A201 1
A11 24 A32 A43 1282 A62 A73 4 A92 A101 2 A123 32 A143 A152 1 A172 1 A191 A201 2
A11 30 A30 A49 8072 A65 A72 2 A93 A101 3 A123 25 A141 A152 3 A173 1 A191 A201 1
A11 42 A32 A42 7882 A61 A74 2 A93 A103 4 A122 45 A143 A153 1 A173 2 A191 A201 1
A11 6 A32 A41 1352 A63 A71 1 A92 A101 2 A122 23 A143 A151 1 A171 1 A192 A201 1
A11 8 A34 A410 1164 A61 A75 3 A93 A101 4 A124 51 A141 A153 2 A174 2 A192 A201 1
A12 18 A33 A45 6204 A61 A73 2 A93 A101 4 A121 44 A143 A152 1 A172 2 A192 A201 1
A13 10 A32 A44 1225 A61 A73 2 A93 A101 2 A123 37 A143 A152 1 A173 1 A192 A201 1
A13 18 A32 A43 2100 A61 A73 4 A93 A102 2 A121 37 A142 A152 1 A173 1 A191 A201 2
A14 12 A32 A43 3059 A64 A74 2 A91 A101 4 A121 61 A143 A152 1 A172 1 A191 A201 1
A14 36 A32 A46 9055 A65 A73 2 A93 A101 4 A124 35 A143 A153 1 A172 2 A192 A201 1
"""


@pytest.mark.parametrize("name", ["german_credit"], indirect=True)
def test_german_codes_are_worded_as_in_the_real_file(name, real_home):
    rows = csv(_german_credit._convert(GERMAN_ROWS.encode())).decode().splitlines()
    real = gzip.decompress((real_home / f"{name}.csv.gz").read_bytes()).decode().splitlines()
    assert {*rows} <= {*real}
    unused = {*_german_credit._WORDING} - {*GERMAN_ROWS.split()}
    assert unused == {"A47", "A95"}
