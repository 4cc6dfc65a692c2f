"""The command: any CSV, clear errors, nothing half-written."""

import gzip
import re
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfair import FaiRNClassifier
from skfair.audit import command
from skfair.audit.command import main
from skfair.audit.tables import read_table

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    n = 400
    frame = pd.DataFrame(
        {
            "sex": rng.choice(["woman", "man"], n),
            "job": rng.choice(["cook, chef", 'the "boss"', "clerk"], n),
            "wage": rng.gamma(3.0, 10.0, n).round(2),
            "hours": rng.integers(10, 60, n),
        }
    )
    good = frame["wage"] + frame["hours"] + 20 * (frame["sex"] == "man") + rng.normal(size=n) * 10
    return frame.assign(paid=np.where(good > 78, "yes", "no"))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """One epoch, few resamples: what is trained is not the point."""
    monkeypatch.setattr(command, "EPOCHS", 2)
    original = command.AuditReport.from_estimator

    def quick(*args, **kwargs):
        return original(*args, **kwargs, n_resamples=10, max_people=15)

    monkeypatch.setattr(command.AuditReport, "from_estimator", quick)


def run(path, *more, target="paid", positive="yes", sensitive=("sex",), out=None):
    out = out or path.parent / "out.html"
    arguments = [str(path), "--target", target, "--positive", positive, "--sensitive", *sensitive]
    return main(["audit", *arguments, "--out", str(out), "--quiet", *more]), out


class TestTables:
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


class TestTraining:
    def test_it_compares_a_plain_and_a_fair_network(self, table, tmp_path, capsys):
        path = tmp_path / "data.csv"
        rows = table.copy()
        rows.loc[::9, "wage"] = np.nan
        rows.loc[::7, "job"] = ""
        rows.loc[::50, "paid"] = np.nan
        rows.to_csv(path, index=False)
        out = tmp_path / "out.html"
        arguments = ["audit", str(path), "--target", "paid", "--positive", "yes"]
        code = main([*arguments, "--sensitive", "sex", "--out", str(out), "--title", "A & B"])
        assert code == 0
        page = out.read_text(encoding="utf-8")
        assert "<title>A &amp; B</title>" in page
        assert "FaiR-N" in page and "plain network" in page
        assert "Refused means: predicted no" in page
        output = capsys.readouterr()
        assert output.out == ""
        assert "8 rows without 'paid' are left out" in output.err
        assert "training on 294 rows, auditing on 98" in output.err
        assert f"written to {out}" in output.err
        assert sorted(p.name for p in tmp_path.iterdir()) == ["data.csv", "out.html"]

    def test_several_attributes_numbers_as_labels_and_columns_left_out(self, table, tmp_path):
        path = tmp_path / "data.csv"
        rows = table.assign(
            paid=(table["paid"] == "yes") * 1.0, old=table["hours"] > 35, nothing=""
        )
        rows.to_csv(path, index=False)
        code, out = run(
            path,
            "--ignore",
            "job",
            "--drop-sensitive",
            positive="1",
            sensitive=("sex", "old"),
        )
        assert code == 0
        page = out.read_text(encoding="utf-8")
        assert "man &amp; True" in page or "man &amp; False" in page
        assert "change of job" not in page

    def test_it_runs_as_a_module(self, table, tmp_path):
        result = subprocess.run(
            [sys.executable, "-m", "skfair", "audit", "--help"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0
        assert "--sensitive COLUMN [COLUMN ...]" in result.stdout


class TestModels:
    @pytest.fixture
    def fitted(self, table):
        encode = make_column_transformer(
            (OneHotEncoder(sparse_output=False), ["sex", "job"]),
            (StandardScaler(), ["wage", "hours"]),
        )
        X = table.drop(columns="paid")
        fair = make_pipeline(encode, FaiRNClassifier(max_epochs=2, random_state=0))
        return {
            "text": make_pipeline(encode, LogisticRegression()).fit(X, table["paid"]),
            "codes": make_pipeline(encode, LogisticRegression()).fit(X, table["paid"] == "yes"),
            "network": fair.fit(X, table["paid"], fairnclassifier__sensitive_features=table["sex"]),
        }

    def test_a_model_of_numbers_is_taken_at_its_word(self, table, tmp_path, capsys):
        """0 may be the favourable outcome, as of an offence."""
        X, y = table[["wage", "hours"]], (table["paid"] == "yes").astype(int)
        for offset in (0, 1):  # classes 0 and 1; 1 and 2
            model = LogisticRegression().fit(X, y + offset)
            joblib.dump(model, tmp_path / "model.joblib")
            rows = table.assign(paid=y + offset)
            rows.to_csv(tmp_path / "data.csv", index=False)
            args = ("--model", str(tmp_path / "model.joblib"))
            code, out = run(tmp_path / "data.csv", *args, positive=str(offset))
            assert code == 0
            page = out.read_text(encoding="utf-8")
            assert f"Refused means: predicted {1 + offset}." in page
            accuracy = 100 * model.score(X, y + offset)
            assert re.search(
                rf"Of 100 decisions about all groups together, {accuracy:.1f}"[:-2], page
            )

    @pytest.mark.parametrize("name", ["text", "codes"])
    def test_a_joblib_file_is_audited_with_a_warning(self, name, fitted, table, tmp_path, capsys):
        joblib.dump(fitted[name], tmp_path / "model.joblib")
        table.to_csv(tmp_path / "data.csv", index=False)
        out = tmp_path / "out.html"
        arguments = ["audit", str(tmp_path / "data.csv"), "--target", "paid", "--positive", "yes"]
        arguments += ["--sensitive", "sex", "--model", str(tmp_path / "model.joblib")]
        assert main([*arguments, "--out", str(out)]) == 0
        told = capsys.readouterr().err
        assert "run the code they contain" in told and "skops" in told
        page = out.read_text(encoding="utf-8")
        assert "model.joblib" in page and "Audited on 400 people" in page

    def test_a_skops_file_is_opened_without_running_code(self, fitted, table, tmp_path):
        skops = pytest.importorskip("skops.io")
        skops.dump(fitted["network"], tmp_path / "model.skops")
        table.to_csv(tmp_path / "data.csv", index=False)
        code, out = run(tmp_path / "data.csv", "--model", str(tmp_path / "model.skops"))
        assert code == 0 and out.exists()

    @pytest.mark.parametrize(
        "problem", ["absent", "not a model", "no classifier", "columns", "labels"]
    )
    def test_errors(self, problem, fitted, table, tmp_path, capsys):
        model, rows, positive = tmp_path / "model.joblib", table, "yes"
        if problem == "not a model":
            model.write_text("hello")
        elif problem != "absent":
            joblib.dump([1] if problem == "no classifier" else fitted["text"], model)
        if problem == "columns":
            rows = table.drop(columns="wage")
        if problem == "labels":
            rows, positive = table.replace({"yes": "ja", "no": "nein"}), "ja"
        rows.to_csv(tmp_path / "data.csv", index=False)
        code, out = run(tmp_path / "data.csv", "--model", str(model), positive=positive)
        said = capsys.readouterr().err
        assert code == 2 and not out.exists()
        assert {
            "absent": "there is no model file",
            "not a model": "cannot be opened as a model",
            "no classifier": "holds a list, which is not a fitted classifier",
            "columns": "needs the columns ['wage']",
            "labels": "decides between ['no', 'yes'], column 'paid' has",
        }[problem] in said


class TestErrors:
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
    def test_columns(self, change, message, table, tmp_path, capsys):
        path = tmp_path / "data.csv"
        table.sort_values("paid").assign(one=1, void="").to_csv(path, index=False)
        code, out = run(path, **change)
        said = capsys.readouterr().err
        assert code == 2
        assert said.count("\n") == 1 and "error:" in said
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
    def test_files(self, content, message, tmp_path, capsys):
        path = tmp_path / "data.csv"
        path.write_text(content, encoding="utf-8")
        code, out = run(path)
        assert code == 2 and not out.exists()
        assert message in capsys.readouterr().err

    def test_no_file_a_folder_and_what_is_not_text(self, tmp_path, capsys):
        assert run(tmp_path / "absent.csv")[0] == 2
        assert "there is no file" in capsys.readouterr().err
        assert run(tmp_path, out=tmp_path / "out.html")[0] == 2
        assert "is a folder" in capsys.readouterr().err
        broken = tmp_path / "data.csv.gz"
        broken.write_bytes(gzip.compress(b"a,b\n1,2\n")[:-6])
        assert run(broken)[0] == 2
        assert "cannot be read" in capsys.readouterr().err

    def test_places_that_cannot_be_written_are_found_before_the_work(
        self, table, tmp_path, capsys, monkeypatch
    ):
        monkeypatch.setattr(command, "read_table", lambda path: pytest.fail("work was done"))
        for out in (tmp_path, tmp_path / "absent" / "out.html"):
            assert run(tmp_path / "data.csv", out=out)[0] == 2
            assert "--out" in capsys.readouterr().err

    def test_a_failure_or_an_interruption_leaves_nothing_behind(
        self, table, tmp_path, capsys, monkeypatch
    ):
        path = tmp_path / "data.csv"
        table.to_csv(path, index=False)
        out = tmp_path / "out.html"
        out.write_text("the last report")
        for error, code in ((OSError("no space left"), 2), (KeyboardInterrupt(), 1)):
            monkeypatch.setattr("os.replace", lambda *_, error=error: (_ for _ in ()).throw(error))
            assert run(path, out=out)[0] == code
            assert out.read_text() == "the last report"
            assert sorted(p.name for p in tmp_path.iterdir()) == ["data.csv", "out.html"]

    def test_the_data_are_not_overwritten(self, table, tmp_path, capsys):
        path = tmp_path / "data.csv"
        table.to_csv(path, index=False)
        before = path.read_bytes()
        assert run(path, out=path)[0] == 2
        assert "is what the report is about" in capsys.readouterr().err
        assert path.read_bytes() == before

    def test_columns_of_one_name(self, tmp_path, capsys):
        path = tmp_path / "data.csv"
        path.write_text("sex,sex ,paid\nm,m,yes\nf,f,no\n")
        assert run(path)[0] == 2
        assert "more than one column named 'sex'" in capsys.readouterr().err

    def test_what_nobody_foresaw_is_one_line_too(self, table, tmp_path, capsys, monkeypatch):
        path = tmp_path / "data.csv"
        table.to_csv(path, index=False)
        monkeypatch.setattr(command, "_compare", lambda *_: {}["key"])
        code, out = run(path)
        said = capsys.readouterr().err
        assert code == 1 and not out.exists()
        assert said.count("\n") == 1 and "failed: KeyError" in said

    def test_matplotlib_is_missed_before_the_work(self, tmp_path, capsys, monkeypatch):
        def absent(caller):
            raise ImportError

        monkeypatch.setattr(command, "check_matplotlib_support", absent)
        assert run(tmp_path / "data.csv")[0] == 2
        assert "skfair-torch[plot]" in capsys.readouterr().err

    def test_usage(self, capsys):
        for arguments in (["audit"], [], ["audit", "x.csv", "--test-size", "2"]):
            with pytest.raises(SystemExit) as stop:
                main(arguments)
            assert stop.value.code == 2
        assert "must be between 0 and 1" in capsys.readouterr().err
