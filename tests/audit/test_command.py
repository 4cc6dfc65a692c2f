"""The command: any CSV, clear errors, nothing half-written."""

import dataclasses
import gzip
import hashlib
import re
import shlex
import subprocess
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
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfair import DRAlignClassifier, FaiRNClassifier, PenaltyClassifier
from skfair.audit import _command as command
from skfair.audit import _networks, _validation
from skfair.audit._arguments import make_parser
from skfair.audit._command import audit, main
from skfair.audit._log import discard
from skfair.training._net import ObjectiveNet

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
    monkeypatch.setattr(_networks, "EPOCHS", 2)
    original = command.AuditReport.from_estimator

    def quick(*args, **kwargs):
        return original(*args, **kwargs, n_resamples=10, max_people=15)

    monkeypatch.setattr(command.AuditReport, "from_estimator", quick)


def run(path, *more, target="paid", positive="yes", sensitive=("sex",), out=None):
    out = out or path.parent / "out.html"
    arguments = [str(path), "--target", target, "--positive", positive, "--sensitive", *sensitive]
    return main(["audit", *arguments, "--out", str(out), "--quiet", *more]), out


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

    def test_it_runs_as_a_module(self):
        result = subprocess.run(
            [sys.executable, "-m", "skfair", "audit", "--help"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0
        assert "--sensitive COLUMN [COLUMN ...]" in result.stdout


@pytest.fixture
def asked(monkeypatch):
    """Give back what the report was asked to be about; it is not made."""
    found = {}

    class Report:
        def to_html(self, path):
            path.write_text("report")

    def from_estimator(estimator, X, y, **kwargs):
        found.update(kwargs, estimator=estimator, X=X, y=y)
        return Report()

    monkeypatch.setattr(command.AuditReport, "from_estimator", from_estimator)
    return found


class TestOptions:
    @pytest.mark.parametrize(
        "order",
        [
            "DATA --target paid --positive yes --sensitive sex job",
            "--target paid --positive yes --sensitive sex job DATA",
            "--sensitive sex job DATA --target paid --positive yes",
            "--target paid DATA --positive yes --sensitive sex job",
            "--sensitive sex --target paid --sensitive job --ignore hours DATA --positive yes",
        ],
    )
    def test_the_table_may_stand_anywhere(self, order, table, tmp_path, asked):
        path = tmp_path / "data.csv"
        table.to_csv(path, index=False)
        arguments = [str(path) if word == "DATA" else word for word in order.split()]
        assert main(["audit", *arguments, "--out", str(tmp_path / "out.html"), "--quiet"]) == 0
        assert list(asked["sensitive_features"]) == ["sex", "job"]
        assert asked["provenance"]["command"].startswith("python -m skfair audit ")

    def test_a_table_is_missed(self, capsys, tmp_path, table):
        table.to_csv(tmp_path / "data.csv", index=False)
        for swallowed in (["sex"], ["sex", "absent.csv"], [str(tmp_path / "data.csv")]):
            with pytest.raises(SystemExit) as stop:
                main(["audit", "--target", "paid", "--positive", "yes", "--sensitive", *swallowed])
            assert stop.value.code == 2
            assert "required: data" in capsys.readouterr().err
        with pytest.raises(SystemExit):
            main(
                ["audit", "x.csv", "y.csv", "--target", "a", "--positive", "b", "--sensitive", "c"]
            )
        assert "unrecognized arguments: y.csv" in capsys.readouterr().err

    def test_favorable_is_another_name_of_positive(self, table, tmp_path, asked):
        path = tmp_path / "data.csv"
        table.to_csv(path, index=False)
        arguments = ["audit", str(path), "--target", "paid", "--favorable", "no"]
        assert (
            main([*arguments, "--sensitive", "sex", "--quiet", "--out", str(path) + ".html"]) == 0
        )
        assert asked["unfavorable"] == "yes"

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
        used = [c for _, _, columns in asked["estimator"][0].transformers_ for c in columns]
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
    def test_contradictions(self, more, message, table, tmp_path, capsys):
        path = tmp_path / "data.csv"
        table.to_csv(path, index=False)
        code, out = run(path, *more)
        said = capsys.readouterr().err
        assert code == 2
        assert said.count("\n") == 1
        assert not out.exists()
        assert re.search(message, said), said

    @pytest.mark.parametrize("tolerance", ["-1", "nan", "inf", "x"])
    def test_a_tolerance_is_a_number(self, tolerance, capsys):
        with pytest.raises(SystemExit):
            main(["audit", "x.csv", f"--tolerance={tolerance}"])
        assert f"must be 0 or more, got {tolerance}" in capsys.readouterr().err


class TestChoice:
    @pytest.fixture
    def people(self):
        """Enough of two groups to tell who pays."""
        rng = np.random.default_rng(0)
        sex = rng.choice(["woman", "man"], 2400)
        x = rng.normal(size=2400) + (sex == "man")
        good = x + rng.normal(size=2400) > 0.8
        return pd.DataFrame({"sex": sex, "x": x.round(3), "paid": np.where(good, "yes", "no")})

    @pytest.mark.parametrize(
        ("method", "kind", "name"),
        [
            ("fairn", FaiRNClassifier, r"FaiR-N network \(lambda 0\.\d+\)"),
            (
                "penalty",
                PenaltyClassifier,
                r"network with a penalty on equalized odds \(alpha \S+\)",
            ),
            (
                "dralign",
                DRAlignClassifier,
                r"DRAlign network for demographic parity \(lambda \S+\)",
            ),
        ],
    )
    def test_networks_are_called_what_they_are(self, method, kind, name, people, tmp_path, asked):
        people.to_csv(tmp_path / "data.csv", index=False)
        assert run(tmp_path / "data.csv", "--method", method)[0] == 0
        assert re.fullmatch(name, asked["names"][0])
        assert asked["names"][1] == "plain network"
        fair, plain = asked["estimator"][-1], asked["baseline"][-1]
        assert type(fair) is kind
        weight = float(re.search(r"[\d.]+(?=\)$)", asked["names"][0]).group())
        parameters = fair.get_params()
        assert weight in (parameters.get("lambda_fairness"), parameters.get("alpha"))
        assert plain.lambda_fairness == plain.lambda_robustness == 0
        tried = asked["provenance"]["networks tried"]
        assert len(tried.split("; ")) >= 4
        assert tried.startswith("plain network: accuracy ")

    @pytest.mark.parametrize("method", ["penalty", "dralign"])
    @pytest.mark.parametrize("favorable", ["yes", "no"])
    def test_equal_opportunity_is_that_of_the_favorable_outcome(
        self, method, favorable, people, tmp_path, asked
    ):
        people.to_csv(tmp_path / "data.csv", index=False)
        asked_for = ("--method", method, "--constraint", "equal_opportunity")
        assert run(tmp_path / "data.csv", *asked_for, positive=favorable)[0] == 0
        other = {"yes": "no", "no": "yes"}[favorable]
        assert asked["estimator"][-1].unfavorable == asked["unfavorable"] == other
        share = (people["paid"] == favorable).mean()
        assert (asked["y"] == favorable).sum() == pytest.approx(share * len(asked["y"]), abs=2)

    def test_rows_to_choose_by_are_neither_trained_on_nor_audited(
        self, people, tmp_path, asked, monkeypatch
    ):
        seen = {"train": set(), "choose": set()}
        fit, evaluate = Pipeline.fit, _validation.Validation.evaluate
        monkeypatch.setattr(
            Pipeline,
            "fit",
            lambda self, X, *a, **k: (seen["train"].update(X.index), fit(self, X, *a, **k))[1],
        )
        monkeypatch.setattr(
            _validation.Validation,
            "evaluate",
            lambda self, model: (seen["choose"].update(self.X.index), evaluate(self, model))[1],
        )
        people.to_csv(tmp_path / "data.csv", index=False)
        assert run(tmp_path / "data.csv")[0] == 0
        parts = [seen["train"], seen["choose"], set(asked["X"].index)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 2400
        assert [len(part) for part in parts] == [1350, 450, 600]

    def test_the_first_line_says_that_somebody_pays(self, people, tmp_path, asked, monkeypatch):
        evaluate = _validation.Validation.evaluate

        def harmful(self, model):
            """Networks with a fairness term accept no women."""
            accuracy, gap, rates = evaluate(self, model)
            if model[-1].lambda_fairness:
                accepted = rates.accepted.copy()
                accepted[rates.names.index("woman")] = 0.0
                rates = dataclasses.replace(rates, accepted=accepted)
            return accuracy, gap + 1, rates

        monkeypatch.setattr(_validation.Validation, "evaluate", harmful)
        people.to_csv(tmp_path / "data.csv", index=False)
        assert run(tmp_path / "data.csv")[0] == 0
        assert asked["headline"][0].startswith("Use none of the networks with a fairness term")
        assert "acceptance of woman 0.000 instead of" in asked["headline"][0]
        assert asked["names"][0].startswith("FaiR-N network")

    def test_the_choice_keeps_to_the_tolerance(self, people, tmp_path, asked):
        people.to_csv(tmp_path / "data.csv", index=False)
        assert run(tmp_path / "data.csv", "--tolerance", "100")[0] == 0
        assert re.search("at most 100|100 is allowed", asked["headline"][0])
        assert run(tmp_path / "data.csv", "--tolerance", "0")[0] == 0
        assert re.search("keeps the recourse gap to 0 without|smaller", asked["headline"][0])

    def test_too_few_people_to_choose_by_are_trained_on(self, table, tmp_path, asked):
        table.iloc[:120].to_csv(tmp_path / "data.csv", index=False)
        assert run(tmp_path / "data.csv")[0] == 0
        assert asked["names"][0] == "FaiR-N network (lambda 0.5)"
        assert asked["headline"][0].startswith("The table has too few people to choose")
        assert asked["provenance"]["split"].startswith("90 to train on, 30 to audit on")


class TestRows:
    def test_row_numbers_are_those_of_the_file(self, table, tmp_path, asked):
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

    def test_the_most_sensitive_people_are_found_in_the_file(self, tmp_path):
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

    def test_a_repeated_sensitive_column_counts_once(self, table, tmp_path, asked):
        table.to_csv(tmp_path / "data.csv", index=False)
        assert run(tmp_path / "data.csv", sensitive=("sex", "job", "sex"))[0] == 0
        assert list(asked["sensitive_features"]) == ["sex", "job"]

    def test_whole_numbers_stay_whole_in_names_of_groups(self, table, tmp_path, asked):
        rows = table.assign(sex=(table["sex"] == "man") * 1.0, paid=(table["paid"] == "yes") * 1.0)
        rows.loc[:5, "sex"] = rows.loc[6:9, "paid"] = np.nan
        rows.to_csv(tmp_path / "data.csv", index=False)
        assert run(tmp_path / "data.csv", positive="1")[0] == 0
        assert set(map(str, asked["sensitive_features"]["sex"].dropna())) == {"0", "1"}
        assert asked["unfavorable"] == "0"

    @pytest.mark.parametrize("words", [("TRUE", "FALSE"), ("true", "false"), ("True", "False")])
    @pytest.mark.parametrize("favorable", [0, 1])
    def test_truth_values_are_typed_as_they_stand_in_the_file(
        self, words, favorable, table, tmp_path, asked
    ):
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
        self, labels, favorable, refused, table, tmp_path, asked
    ):
        rows = table.assign(paid=np.where(table["paid"] == "yes", *labels))
        rows.to_csv(tmp_path / "data.csv", index=False)
        assert run(tmp_path / "data.csv", positive=favorable)[0] == 0
        assert asked["unfavorable"] == refused
        accepted = rows.loc[asked["X"].index, "paid"] == labels[0]
        np.testing.assert_array_equal(asked["y"] == favorable, accepted)

    @pytest.mark.usefixtures("asked")
    def test_what_is_read_is_told_before_training(self, table, tmp_path, capsys):
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

    @pytest.mark.usefixtures("asked")
    def test_numbers_beyond_computing_are_named(self, table, tmp_path, capsys):
        for value in (np.inf, 1e308):
            rows = table.assign(wage=table["wage"].where(table.index != 7, value))
            rows.to_csv(tmp_path / "data.csv", index=False)
            assert run(tmp_path / "data.csv")[0] == 2
        assert "column 'wage' has numbers beyond 1e+100" in capsys.readouterr().err
        assert run(tmp_path / "data.csv", "--ignore", "wage")[0] == 0


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
    def test_files(self, content, message, tmp_path, capsys):
        path = tmp_path / "data.csv"
        path.write_text(content, encoding="utf-8")
        code, out = run(path)
        assert code == 2
        assert not out.exists()
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
        self, tmp_path, capsys, monkeypatch
    ):
        monkeypatch.setattr(command, "read_table", lambda *_: pytest.fail("work was done"))
        for out in (tmp_path, tmp_path / "absent" / "out.html"):
            assert run(tmp_path / "data.csv", out=out)[0] == 2
            assert "--out" in capsys.readouterr().err

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

    @pytest.mark.parametrize("epoch", [1, 2])
    @pytest.mark.parametrize("network", [1, 2, 6])
    def test_an_interruption_in_training_is_one(
        self, epoch, network, table, tmp_path, capsys, monkeypatch
    ):
        """Ctrl-C is to skorch the wish to keep what has been trained so far."""
        path = tmp_path / "data.csv"
        table.to_csv(path, index=False)
        begun = []

        def run_single_epoch(self, iterator, training, *args, **kwargs):
            if training:
                begun.append(len(self.history))
                if begun.count(1) == network and begun[-1] == epoch:
                    raise KeyboardInterrupt
            return original(self, iterator, training, *args, **kwargs)

        original = ObjectiveNet.run_single_epoch
        monkeypatch.setattr(ObjectiveNet, "run_single_epoch", run_single_epoch)
        code, out = run(path)
        assert code == 1
        assert not out.exists()
        assert begun.count(1) == network
        assert "interrupted; nothing was written" in capsys.readouterr().err

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

    def test_usage(self, capsys):
        for arguments in (["audit"], [], ["audit", "x.csv", "--test-size", "2"]):
            with pytest.raises(SystemExit) as stop:
                main(arguments)
            assert stop.value.code == 2
        assert "must be between 0 and 1" in capsys.readouterr().err


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
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
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
