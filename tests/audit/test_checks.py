"""Options, columns, files and places that cannot be used are refused before the work."""

import gzip
import re

import numpy as np
import pandas as pd
import pytest

from skfair.audit import _command as command

from .helpers import run

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.usefixtures("short_training")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--keep", "job", "--ignore", "job"], r"--keep and --ignore both name \['job'\]"),
        (["--actionable", "sex"], r"--actionable and --sensitive both name \['sex'\]"),
        (
            ["--actionable", "job", "--immutable", "job"],
            r"--actionable and --immutable both name \['job'\]",
        ),
        (["--actionable", "job", "--ignore", "job"], r"--actionable names \['job'\]"),
        (["--trust", "os.mkdir"], "--trust is about a model that exists; it goes with --model"),
        (["--keep", "nothing"], "--keep: .* has no column 'nothing'"),
        (["--immutable", "nothing"], "--immutable: .* has no column 'nothing'"),
        (
            ["--method", "penalty", "--constraint", "recourse_gap"],
            "--constraint recourse_gap does not go with --method penalty, which takes equal",
        ),
        (
            ["--method", "penalty", "--model", "x"],
            "--method is about networks that are trained",
        ),
        (["--tolerance", "0", "--model", "x"], "--tolerance is about networks"),
    ],
)
def test_contradictions(more, message, table, tmp_path, capsys):
    path = tmp_path / "data.csv"
    table.to_csv(path, index=False)
    code, out = run(path, *more)
    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1
    assert not out.exists()
    assert re.search(message, said), said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "salary"}, "--target: .* has no column 'salary'; its columns are sex, job"),
        ({"sensitive": ("race",)}, "--sensitive: .* has no column 'race'"),
        ({"sensitive": ("paid",)}, "both name 'paid'"),
        (
            {"positive": "maybe"},
            "'maybe' does not occur in column 'paid', which has 'no', 'yes'",
        ),
        ({"target": "one", "positive": "1"}, "column 'one' has one class only"),
        ({"target": "void", "positive": "1"}, "column 'void' is empty"),
        ({"sensitive": ("void",)}, "--sensitive: column 'void' is empty"),
        ({"sensitive": ("one",)}, "only one group"),
        ({"sensitive": ("wage",)}, "more than 50; merge rare groups or bin numbers"),
    ],
)
def test_columns(change, message, table, tmp_path, capsys):
    path = tmp_path / "data.csv"
    table.sort_values("paid").assign(one=1, void="").to_csv(path, index=False)
    code, out = run(path, **change)
    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1
    assert "error:" in said
    assert pd.Series([said]).str.contains(message).all(), said
    assert not out.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\ufeff", "is empty"),
        ("a,b,c\n", "no rows"),
        ("a\n1\n2\n", "one column only"),
        ("sex,paid\nm,yes\nf,no\n", "too few"),
    ],
)
def test_files(content, message, tmp_path, capsys):
    path = tmp_path / "data.csv"
    path.write_text(content, encoding="utf-8")
    code, out = run(path)
    assert code == 2
    assert not out.exists()
    assert message in capsys.readouterr().err


def test_no_file_a_folder_and_what_is_not_text(tmp_path, capsys):
    assert run(tmp_path / "absent.csv")[0] == 2
    assert "there is no file" in capsys.readouterr().err
    assert run(tmp_path, out=tmp_path / "out.html")[0] == 2
    assert "is a folder" in capsys.readouterr().err
    broken = tmp_path / "data.csv.gz"
    broken.write_bytes(gzip.compress(b"a,b\n1,2\n")[:-6])
    assert run(broken)[0] == 2
    assert "cannot be read" in capsys.readouterr().err


def test_places_that_cannot_be_written_are_found_before_the_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command, "read_table", lambda *_: pytest.fail("work was done"))
    for out in (tmp_path, tmp_path / "absent" / "out.html"):
        assert run(tmp_path / "data.csv", out=out)[0] == 2
        assert "--out" in capsys.readouterr().err


def test_the_data_are_not_overwritten(table, tmp_path, capsys):
    path = tmp_path / "data.csv"
    table.to_csv(path, index=False)
    before = path.read_bytes()
    assert run(path, out=path)[0] == 2
    assert "is what the report is about" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_columns_of_one_name(tmp_path, capsys):
    path = tmp_path / "data.csv"
    path.write_text("sex,sex ,paid\nm,m,yes\nf,f,no\n")
    assert run(path)[0] == 2
    assert "more than one column named 'sex'" in capsys.readouterr().err


@pytest.mark.usefixtures("asked")
def test_numbers_beyond_computing_are_named(table, tmp_path, capsys):
    for value in (np.inf, 1e308):
        rows = table.assign(wage=table["wage"].where(table.index != 7, value))
        rows.to_csv(tmp_path / "data.csv", index=False)
        assert run(tmp_path / "data.csv")[0] == 2
    assert "column 'wage' has numbers beyond 1e+100" in capsys.readouterr().err
    assert run(tmp_path / "data.csv", "--ignore", "wage")[0] == 0
