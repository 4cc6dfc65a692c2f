"""The command: any CSV, clear errors, nothing half-written."""

import hashlib
import re
import runpy
import shlex
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfair import FaiRNClassifier
from skfair.audit import _command as command
from skfair.audit._command import main

from .helpers import run

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.usefixtures("short_training")


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
        assert "FaiR-N" in page
        assert "plain network" in page
        assert "Refused means: predicted no" in page
        output = capsys.readouterr()
        assert output.out == ""
        assert "8 rows without 'paid' are left out" in output.err
        assert "training on 220 rows, choosing on 74, auditing on 98" in output.err
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

    def test_it_runs_as_a_module(self, capsys, monkeypatch):
        monkeypatch.setattr(sys, "argv", ["-m", "audit", "--help"])
        with pytest.raises(SystemExit) as end:
            runpy.run_module("skfair", run_name="__main__", alter_sys=True)
        assert end.value.code == 0
        assert "--sensitive COLUMN [COLUMN ...]" in capsys.readouterr().out


class TestColumns:
    def test_sensitive_columns_and_what_is_made_of_them_never_change(self, table, tmp_path, asked):
        path = tmp_path / "data.csv"
        rows = table.assign(sex_man=(table["sex"] == "man") * 1, gender=table["sex"], country="x y")
        rows.loc[0, "country"] = "z"
        rows.to_csv(path, index=False)

        def changing(*more):
            assert run(path, *more)[0] == 0
            return asked["recourse"]["actionable"]

        assert changing() == ["job", "wage", "hours", "country"]
        assert changing("--immutable", "country", "job") == ["wage", "hours"]
        assert changing("--actionable", "hours") == ["hours"]
        assert changing("--actionable", "hours", "sex_man") == ["hours", "sex_man"]
        fixed = asked["provenance"]["columns that people cannot change"]
        assert fixed == "sex, job, wage, gender, country"

    def test_codes_of_groups_are_categories(self, table, tmp_path, asked):
        rows = table.assign(sex=(table["sex"] == "man") + 1)
        rows.to_csv(tmp_path / "data.csv", index=False)
        assert run(tmp_path / "data.csv")[0] == 0
        assert asked["provenance"]["columns of categories"] == "sex, job"
        columns = {name: c for name, _, c in asked["estimator"][0].transformers_}
        assert columns == {"numbers": ["wage", "hours"], "words": ["sex", "job"]}

    def test_hidden_groups_are_hidden_in_every_dress(self, table, tmp_path, asked):
        path = tmp_path / "data.csv"
        rows = table.assign(sex_man=(table["sex"] == "man") * 1)
        rows.to_csv(path, index=False)
        assert run(path, "--drop-sensitive")[0] == 0
        used, encoder = [], asked["estimator"][0]
        for _, _, columns in encoder.transformers_:  # scikit-learn 1.6 has positions of the rest
            used += [c if isinstance(c, str) else encoder.feature_names_in_[c] for c in columns]
        assert sorted(set(used) - {"sex", "sex_man"}) == ["hours", "job", "wage"]
        other = asked["X"].assign(sex=asked["X"]["sex"].iloc[0], sex_man=1)
        for model in (asked["estimator"], asked["baseline"]):
            np.testing.assert_array_equal(
                model.predict_proba(asked["X"]), model.predict_proba(other)
            )

    def test_columns_that_say_nothing_are_left_out_and_named(self, table, tmp_path, asked, capsys):
        path = tmp_path / "data.csv"
        rows = table.assign(fnlwgt=np.arange(400) ** 2, split="test", same=1, id=np.arange(400) * 3)
        rows.loc[::2, "split"] = "train"
        rows.to_csv(path)  # with row numbers
        arguments = ["audit", str(path), "--target", "paid", "--positive", "yes"]
        arguments += ["--sensitive", "sex", "--out", str(tmp_path / "out.html")]
        assert main(arguments) == 0
        assert list(asked["X"]) == ["sex", "job", "wage", "hours"]
        said, told = capsys.readouterr().err, asked["provenance"]["columns left out"]
        for text in (said, told):
            for name in ("Unnamed: 0 (row numbers)", "fnlwgt (weight of a sample)", "split (part"):
                assert name in text
        assert "--keep COLUMN" in said
        assert main([*arguments, "--keep", "fnlwgt", "id", "--ignore", "job"]) == 0
        assert list(asked["X"]) == ["sex", "wage", "hours", "fnlwgt", "id"]
        assert "job (--ignore)" in asked["provenance"]["columns left out"]

    def test_dates_of_a_parquet_file_are_left_out_or_kept_as_text(
        self, table, tmp_path, asked, monkeypatch
    ):
        path = tmp_path / "data.parquet"
        path.touch()
        days = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(400) % 7, unit="D")
        monkeypatch.setattr(pd, "read_parquet", lambda _: table.assign(day=days))
        assert run(path)[0] == 0
        assert asked["provenance"]["columns left out"] == "day (date)"
        assert run(path, "--keep", "day")[0] == 0
        assert asked["X"]["day"].str.startswith("2020-01-0").all()

    def test_networks_that_see_the_groups_are_said_to(self, table, tmp_path, asked, capsys):
        path = tmp_path / "data.csv"
        table.assign(gender=table["sex"]).to_csv(path, index=False)
        arguments = ["audit", str(path), "--target", "paid", "--positive", "yes"]
        arguments += ["--sensitive", "sex", "--out", str(tmp_path / "out.html")]
        says = "The networks see sex, gender; --drop-sensitive hides these from them."
        assert main(arguments) == 0
        assert says in capsys.readouterr().err
        assert main([*arguments, "--drop-sensitive"]) == 0
        assert "The networks see" not in capsys.readouterr().err
        assert main([*arguments, "--ignore", "gender"]) == 0
        assert "see sex; --drop-sensitive hides it from them." in capsys.readouterr().err

    def test_what_it_takes_to_make_the_report_again(self, table, tmp_path, asked):
        path = tmp_path / "da ta.csv"
        rows = table.copy()
        rows.loc[::9, "wage"] = np.nan
        rows.loc[5:9, "paid"] = np.nan
        rows.to_csv(path, index=False)
        assert run(path, "--seed", "3")[0] == 0
        told = asked["provenance"]
        assert told["SHA-256 of the file"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert shlex.split(told["command"])[:5] == ["python", "-m", "skfair", "audit", str(path)]
        assert told["command"].endswith("--quiet --seed 3")
        assert told["seed"] == "3"
        assert told["file"] == "da ta.csv, 400 rows"
        assert told["rows with an outcome"] == "395"
        assert told["split"].startswith("222 to train on, 74 to choose by, 99 to audit on")
        assert (
            told["missing values"]
            == f"in {rows['wage'][rows['paid'].notna()].isna().sum()} rows (wage 44)"
        )
        assert "median" in told["training"]
        assert told["columns of numbers"] == "wage, hours"
        assert told["columns of categories"] == "sex, job"
        assert told["outcome"] == "paid; favorable is yes"
        for name in ("skfair", "torch", "scikit-learn", "Python"):
            assert f"{name} " in told["versions"]


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

    def test_a_model_of_numbers_is_taken_at_its_word(self, table, tmp_path):
        """0 may be the favorable outcome, as of an offense."""
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
        assert "run the code they contain" in told
        assert "skops" in told
        page = out.read_text(encoding="utf-8")
        assert "model.joblib" in page
        assert "Audited on 400 people" in page

    def test_a_skops_file_is_opened_without_running_code(self, fitted, table, tmp_path):
        skops = pytest.importorskip("skops.io")
        skops.dump(fitted["network"], tmp_path / "model.skops")
        table.to_csv(tmp_path / "data.csv", index=False)
        code, out = run(tmp_path / "data.csv", "--model", str(tmp_path / "model.skops"))
        assert code == 0
        assert out.exists()

    def test_a_skops_file_with_other_names_needs_them_written_out(self, table, tmp_path, capsys):
        skops = pytest.importorskip("skops.io")
        X, y = table.drop(columns="paid").select_dtypes("number"), table["paid"]
        skops.dump(RandomForestClassifier(2, random_state=0).fit(X, y), tmp_path / "model.skops")
        table.to_csv(tmp_path / "data.csv", index=False)
        arguments = [tmp_path / "data.csv", "--model", str(tmp_path / "model.skops")]
        assert run(*arguments)[0] == 2
        trust = capsys.readouterr().err.strip().rpartition("add ")[2].rstrip(".").split()
        assert trust == ["--trust", "sklearn.tree._tree.Tree"]
        assert run(*arguments, *trust)[0] == 0

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
        assert code == 2
        assert not out.exists()
        assert {
            "absent": "there is no model file",
            "not a model": "cannot be opened as a model",
            "no classifier": "holds a list, which is not a fitted classifier",
            "columns": "needs the columns ['wage']",
            "labels": "decides between ['no', 'yes'], column 'paid' has",
        }[problem] in said


class TestFailures:
    def test_a_failure_or_an_interruption_leaves_nothing_behind(self, table, tmp_path, monkeypatch):
        path = tmp_path / "data.csv"
        table.to_csv(path, index=False)
        out = tmp_path / "out.html"
        out.write_text("the last report")
        for error, code in ((OSError("no space left"), 2), (KeyboardInterrupt(), 1)):
            monkeypatch.setattr("os.replace", lambda *_, error=error: (_ for _ in ()).throw(error))
            assert run(path, out=out)[0] == code
            assert out.read_text() == "the last report"
            assert sorted(p.name for p in tmp_path.iterdir()) == ["data.csv", "out.html"]

    def test_what_nobody_foresaw_is_one_line_too(self, table, tmp_path, capsys, monkeypatch):
        path = tmp_path / "data.csv"
        table.to_csv(path, index=False)
        monkeypatch.setattr(command, "_audit_networks", lambda *_: {}["key"])
        code, out = run(path)
        said = capsys.readouterr().err
        assert code == 1
        assert not out.exists()
        assert said.count("\n") == 1
        assert "failed: KeyError" in said

    def test_matplotlib_is_missed_before_the_work(self, tmp_path, capsys, monkeypatch):
        def absent(_):
            raise ImportError

        monkeypatch.setattr(command, "check_matplotlib_support", absent)
        assert run(tmp_path / "data.csv")[0] == 2
        assert "skfair-torch[plot]" in capsys.readouterr().err


WILD = st.sampled_from(
    [
        "",
        "NA",
        "0",
        "1",
        "2.5",
        "1,045",
        "-7",
        "1e308",
        "TRUE",
        "x",
        "é",
        '"q"',
        "a\nb",
        "<b>",
        "$3",
    ]
)


@pytest.mark.slow
@pytest.mark.usefixtures("asked")
@given(
    columns=st.lists(st.lists(WILD, min_size=1, max_size=6), min_size=1, max_size=5),
    names=st.permutations(["id", "a b", "split", "weight", "sex_b", "Ünï", "x"]),
    method=st.sampled_from(["fairn", "penalty", "dralign"]),
    numbered=st.booleans(),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_table_is_audited_or_refused_in_one_line(columns, names, method, numbered, capsys):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"sex": rng.choice(["a", "b"], 60), "y": rng.choice(["no", "yes"], 60)})
    for name, values in zip(names, columns, strict=False):
        rows[name] = rng.choice(values, 60)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        rows.to_csv(path, index=numbered)
        code, out = run(path, "--method", method, target="y")
        said = capsys.readouterr().err
        assert (code, out.exists()) in ((0, True), (2, False)), said
        assert said.count("\n") == (code == 2)
