"""Rows, groups and outcomes are those of the file, in its own words."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from skfair.audit._arguments import make_parser
from skfair.audit._command import audit, main
from skfair.audit._log import discard

from .helpers import run

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.usefixtures("short_training")


def test_row_numbers_are_those_of_the_file(table, tmp_path, asked):
    path = tmp_path / "data.csv"
    rows = table.copy()
    rows.loc[[0, 1, 7, 200], "paid"] = np.nan
    rows.to_csv(path, index=False)
    assert run(path)[0] == 0
    X = asked["X"]
    assert not {0, 1, 7, 200} & set(X.index)
    assert X.index.is_unique
    pd.testing.assert_frame_equal(X, table.loc[X.index, list(X)], check_dtype=False)
    np.testing.assert_array_equal(asked["y"], table.loc[X.index, "paid"])
    frame = asked["sensitive_features"]
    np.testing.assert_array_equal(frame["sex"], table.loc[X.index, "sex"])


def test_the_most_sensitive_people_are_found_in_the_file(tmp_path):
    """Of 300 rows, 3 without an outcome before them, row 250 alone is a matter of the group."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    rows = pd.DataFrame({"sex": np.resize(["m", "f"], 300), "x": x, "paid": x > 0})
    model = LogisticRegression().fit(pd.get_dummies(rows[["sex", "x"]])[["sex_m", "x"]], x > 0)
    model.coef_, model.intercept_ = np.array([[1.0, 30.0]]), np.array([0.0])
    joblib.dump(model, tmp_path / "model.joblib")
    rows["x"] = np.where(np.arange(300) == 250, 0.0, np.sign(x) * 2)
    coded = rows.assign(sex_m=(rows["sex"] == "m") * 1, paid=rows["paid"].astype(str))
    coded.loc[[3, 100, 249], "paid"] = np.nan
    coded.drop(columns="sex").to_csv(tmp_path / "data.csv", index=False)
    args = make_parser().parse_args(
        ["audit", str(tmp_path / "data.csv"), "--target", "paid", "--positive", "True"]
        + ["--sensitive", "sex_m", "--model", str(tmp_path / "model.joblib")]
        + ["--out", str(tmp_path / "out.html"), "--quiet"]
    )
    frame = audit(args, discard).to_frame()
    people = frame[frame["measure"] == "most sensitive people"]
    assert people["group"].iloc[0] == "row 250"


def test_a_repeated_sensitive_column_counts_once(table, tmp_path, asked):
    table.to_csv(tmp_path / "data.csv", index=False)
    assert run(tmp_path / "data.csv", sensitive=("sex", "job", "sex"))[0] == 0
    assert list(asked["sensitive_features"]) == ["sex", "job"]


def test_whole_numbers_stay_whole_in_names_of_groups(table, tmp_path, asked):
    rows = table.assign(sex=(table["sex"] == "man") * 1.0, paid=(table["paid"] == "yes") * 1.0)
    rows.loc[:5, "sex"] = rows.loc[6:9, "paid"] = np.nan
    rows.to_csv(tmp_path / "data.csv", index=False)
    assert run(tmp_path / "data.csv", positive="1")[0] == 0
    assert set(map(str, asked["sensitive_features"]["sex"].dropna())) == {"0", "1"}
    assert asked["unfavorable"] == "0"


@pytest.mark.parametrize("words", [("TRUE", "FALSE"), ("true", "false"), ("True", "False")])
@pytest.mark.parametrize("favorable", [0, 1])
def test_truth_values_are_typed_as_they_stand_in_the_file(words, favorable, table, tmp_path, asked):
    rows = table.assign(paid=np.where(table["paid"] == "yes", *words))
    rows.to_csv(tmp_path / "data.csv", index=False)
    assert run(tmp_path / "data.csv", positive=words[favorable])[0] == 0
    assert asked["unfavorable"] == words[1 - favorable]
    np.testing.assert_array_equal(asked["y"], rows.loc[asked["X"].index, "paid"])


@pytest.mark.parametrize(
    ("labels", "favorable", "refused"),
    [
        (("1,045", "2"), "1,045", "2"),
        (("1,045", "2"), "1045", "2"),
        (("2", "1,045"), "2", "1045"),
        (("5 %", "10 %"), "5 %", "10"),
        (("$1", "$0"), "$1", "0"),
    ],
)
def test_numbers_are_typed_as_they_stand_in_the_file(
    labels, favorable, refused, table, tmp_path, asked
):
    rows = table.assign(paid=np.where(table["paid"] == "yes", *labels))
    rows.to_csv(tmp_path / "data.csv", index=False)
    assert run(tmp_path / "data.csv", positive=favorable)[0] == 0
    assert asked["unfavorable"] == refused
    accepted = rows.loc[asked["X"].index, "paid"] == labels[0]
    np.testing.assert_array_equal(asked["y"] == favorable, accepted)


@pytest.mark.usefixtures("asked")
def test_what_is_read_is_told_before_training(table, tmp_path, capsys):
    rows = table.assign(wage=table["wage"].map(lambda v: f"${1000 * v:,.0f}"))
    rows["hours"] = rows["hours"].astype(str).where(rows.index != 5, "unclear")
    rows.to_csv(tmp_path / "data.csv", index=False)
    arguments = ["audit", str(tmp_path / "data.csv"), "--target", "paid", "--positive", "yes"]
    assert main([*arguments, "--sensitive", "sex", "--out", str(tmp_path / "out.html")]) == 0
    said = capsys.readouterr().err
    before = said[: said.index("training the")]
    assert "columns of numbers: wage" in before
    assert "columns of categories: sex, job, hours" in before
    assert "wage: '$23,420' is read as 23420" in before
    assert "hours: taken for categories because of 'unclear'" in before
