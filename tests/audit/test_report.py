"""The report says what the metrics say, for any classifier, or why it cannot."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, selection_rate, true_positive_rate
from fairlearn.postprocessing import ThresholdOptimizer
from fairlearn.reductions import DemographicParity, ExponentiatedGradient
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from skfair import NetworkClassifier
from skfair.audit import AuditReport
from skfair.datasets import make_biased_classification
from skfair.metrics import (
    burden,
    fairness_generalization,
    parity_score,
    prediction_sensitivity,
    recourse_gap,
    subgroup_report,
)
from skfair.recourse import counterfactuals

from .helpers import pipeline

pytest.importorskip("matplotlib")


def value(report, section, measure, group, model="network"):
    frame = report.to_frame()
    rows = frame[
        (frame.section.str.startswith(section))
        & (frame.measure == measure)
        & (frame.group == group)
        & (frame.model == model)
    ]
    assert len(rows) == 1
    return rows["value"].iloc[0]


class TestFigures:
    def test_group_metrics_are_fairlearns(self, report, people, network):
        X, y, group = people
        frame = MetricFrame(
            metrics={"selection rate": selection_rate, "true positive rate": true_positive_rate},
            y_true=y,
            y_pred=network.predict(X),
            sensitive_features=group,
        )
        for measure in ("selection rate", "true positive rate"):
            for member in ("a", "b"):
                expected = frame.by_group.loc[member, measure]
                assert value(report, "Group", measure, member) == pytest.approx(expected)
            expected = frame.difference()[measure]
            assert value(report, "Group", measure, "gap") == pytest.approx(expected)
            expected = frame.overall[measure]
            assert value(report, "Group", measure, "everybody") == pytest.approx(expected)

    def test_recourse_is_that_of_the_metrics(self, report, people, network):
        X, _, group = people
        d = network.decision_function(X)
        expected = recourse_gap(d, sensitive_features=group)
        found = value(report, "Recourse, as the model", "distance to acceptance", "gap")
        assert found == pytest.approx(expected)
        settings = {"bounds": "observed", "sensitive_columns": ["group"]}
        settings["random_state"] = int(np.random.RandomState(0).randint(2**31 - 1))
        with pytest.warns(UserWarning, match="left out of the burden"):
            means = burden(network, X, sensitive_features=group, **settings)
        section = "Recourse, as people"
        for member in ("a", "b"):
            assert value(report, section, "burden", member) == pytest.approx(means[member])
        gap = value(report, section, "burden", "gap")
        assert gap == pytest.approx(abs(means["a"] - means["b"]))
        refused = counterfactuals(network, X, **settings)
        lost = value(report, section, "no way found", "everybody")
        assert lost == pytest.approx(1 - refused.valid.mean())

    def test_answers_that_break_a_function_between_columns_are_counted(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"age": rng.integers(18, 80, 300), "income": rng.gamma(3, 2, 300)})
        X["old"] = (X.age > 45).astype(float)
        y, group = (X.age / 20 + X.income + 5 * X.old > 9).astype(int), rng.choice(["a", "b"], 300)
        model = LogisticRegression(max_iter=1000).fit(X, y)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            report = AuditReport.from_estimator(model, X, y, sensitive_features=group)
        with pytest.warns(UserWarning, match="'old' of 'age'") as caught:
            found = counterfactuals(model, X, bounds="observed", random_state=0)
        assert caught[0].filename == __file__
        share = value(report, "Recourse, as people", "impossible answers", "everybody", "model")
        assert share == pytest.approx(1 - found.consistent.mean())
        assert share > 0.5

    def test_reasons_and_sensitivity_are_those_of_the_metrics(self, report, people, network):
        X, y, group = people
        expected = parity_score(network, X, y, sensitive_features=group)
        assert value(report, "Reasons", "parity score", "gap") == pytest.approx(expected)
        of_all = prediction_sensitivity(network, X, sensitive_columns="group", method="flip")
        found = value(report, "Dependence", "prediction sensitivity", "everybody")
        assert found == pytest.approx(of_all.mean())
        frame = report.to_frame()
        most = frame[(frame.measure == "most sensitive people") & (frame.model == "network")]
        np.testing.assert_allclose(most["value"], np.sort(of_all)[::-1][:10])
        assert most["group"].iloc[0] == f"row {X.index[of_all.argmax()]}"

    def test_subgroups_and_splits_are_those_of_the_metrics(self, report, people, network):
        X, y, group = people
        table = subgroup_report(
            y, network.predict(X), sensitive_features=X[["group"]], metric="selection_rate"
        )
        for row in table.itertuples():
            assert value(report, "Subgroups", "selection rate", row.group) == pytest.approx(
                row.value
            )
        half = len(y) // 2
        splits = {
            "first": (X[:half], y[:half], group[:half]),
            "second": (X[half:], y[half:], group[half:]),
        }
        table = fairness_generalization(network, splits, ["accuracy", "selection_rate"])
        for split, metric in [("first", "accuracy"), ("second", "selection_rate")]:
            measure = f"{metric.replace('_', ' ')}, {split}"
            found = value(report, "Generalization", measure, "gap")
            assert found == pytest.approx(table.loc[metric, (split, "gap")])

    def test_every_figure_is_in_its_interval_and_has_a_sentence(self, report):
        frame = report.to_frame()
        has = frame["lower"].notna()
        alone = frame["measure"] == "most sensitive people"
        assert (has | alone | frame["value"].isna()).all()
        assert frame.loc[frame["value"].isna(), "meaning"].str.contains("Fewer|There are no").all()
        assert (frame["lower"] <= frame["value"] + 1e-12)[has].all()
        assert (frame["value"] <= frame["upper"] + 1e-12)[has].all()
        assert frame["meaning"].str.endswith(".").all()
        assert not frame["meaning"].str.contains("nan|None").any()

    def test_cases_are_the_people_a_figure_rests_on(self, report, people):
        X, y, group = people
        frame = report.to_frame().query("model == 'network' and section == 'Group metrics'")
        cases = frame.set_index(["measure", "group"])["cases"]
        for member, rows in (("a", group == "a"), ("everybody", group != "")):
            assert cases["accuracy", member] == rows.sum()
            assert cases["true positive rate", member] == (rows & (y == 1)).sum()
            assert cases["false positive rate", member] == (rows & (y == 0)).sum()
        assert cases["true positive rate", "gap"] == (y == 1).sum()

    def test_small_groups_are_listed_but_not_compared(self, people, forest):
        X, y, group = people
        few = np.where(np.arange(len(y)) < 29, "few", group)
        settings = {"sensitive_features": few, "n_resamples": 10, "max_people": 20}
        report = AuditReport.from_estimator(forest, X, y, random_state=0, **settings)
        rates = [value(report, "Group", "selection rate", g, "model") for g in ("few", "a", "b")]
        gap = value(report, "Group", "selection rate", "gap", "model")
        assert gap == pytest.approx(abs(rates[1] - rates[2]))
        all_ = AuditReport.from_estimator(forest, X, y, random_state=0, min_cases=29, **settings)
        gap = value(all_, "Group", "selection rate", "gap", "model")
        assert gap == pytest.approx(np.ptp(rates))

    def test_names_of_groups_do_not_matter(self, people, network):
        X, y, _ = people
        settings = {"n_resamples": 20, "random_state": 0, "max_people": 50}
        one, other = (
            AuditReport.from_estimator(network, X, y, sensitive_features=features, **settings)
            for features in (X[["group"]], X[["group"]].replace({"a": "x", "b": "y"}))
        )
        np.testing.assert_allclose(one.frame["value"], other.frame["value"])

    def test_a_seed_gives_the_same_and_global_state_is_left_alone(self, people, forest):
        X, y, group = people
        before = np.random.get_state()[1].copy()
        settings = {"sensitive_features": group, "n_resamples": 20, "max_people": 40}
        one, other = (
            AuditReport.from_estimator(forest, X, y, random_state=5, **settings) for _ in range(2)
        )
        pd.testing.assert_frame_equal(one.frame, other.frame)
        assert (np.random.get_state()[1] == before).all()


@pytest.mark.slow
def test_intervals_of_all_gaps_hold_the_truth():
    """The whole report, 40 times: the truth is that of many people."""
    X, y, group = make_biased_classification(
        20_000, n_features=3, n_informative=3, recourse_gap=0.8, random_state=0
    )
    model = LogisticRegression().fit(X[:2000], y[:2000])
    settings = {"n_resamples": 150, "random_state": 0}
    whole = AuditReport.from_estimator(model, X, y, sensitive_features=group, **settings)

    def gaps(report):
        frame = report.to_frame()
        return frame[(frame["group"] == "gap")].set_index("measure")

    truth, hits = gaps(whole)["value"], 0
    distances = burden(model, X, sensitive_features=group, bounds="observed")
    truth["burden"] = abs(distances["a"] - distances["b"])
    for start in range(2000, 2000 + 40 * 400, 400):
        some = slice(start, start + 400)
        found = gaps(
            AuditReport.from_estimator(
                model, X[some], y[some], sensitive_features=group[some], **settings
            )
        )
        hits = hits + ((found["lower"] <= truth) & (truth <= found["upper"]))
    assert (hits >= 33).all(), hits.to_dict()
    assert 0.92 < hits.mean() / 40 <= 1


def test_what_one_classifier_was_told_of_the_bad_class_holds_for_both(people):
    X, y, group = people
    numbers = X[["a", "b", "c"]]
    told, other = (
        NetworkClassifier(unfavorable=bad, max_epochs=2, random_state=0).fit(numbers, y)
        for bad in (1, 0)
    )
    forest = LogisticRegression().fit(numbers, y)
    known = {"sensitive_features": group, "n_resamples": 20, "max_people": 5, "random_state": 0}
    for pair in ((told, forest), (forest, told)):
        report = AuditReport.from_estimator(pair[0], numbers, y, baseline=pair[1], **known)
        for name in ("model", "baseline"):
            of_b = value(report, "Group", "base rate", "b", name)
            assert of_b == pytest.approx((y[group == "b"] == 0).mean())
    with pytest.raises(ValueError, match="told different classes that refuse.*pass unfavorable="):
        AuditReport.from_estimator(told, numbers, y, baseline=other, **known)


class TestAnyClassifier:
    def test_random_forest(self, report):
        assert report.not_computed == {
            ("Reasons inside the network", "forest <old>"): (
                "Pipeline is not a neural network of skfair or skorch."
            )
        }
        assert value(report, "Recourse, as people", "burden", "a", "forest <old>") > 0

    def test_threshold_optimizer(self, people):
        X, y, group = people
        numbers = X[["a", "b", "c"]]
        model = ThresholdOptimizer(
            estimator=LogisticRegression(), predict_method="predict_proba", prefit=False
        ).fit(numbers, y, sensitive_features=group)
        report = AuditReport.from_estimator(
            model, numbers, y, sensitive_features=group, n_resamples=20, random_state=0
        )
        assert set(report.to_frame()["section"]) == {"Group metrics", "Subgroups"}
        lost = [s for s in report.about.sections if s not in set(report.to_frame()["section"])]
        assert {section for section, _ in report.not_computed} == set(lost)
        for reason in report.not_computed.values():
            assert "\n" not in reason
        page = report.to_html()
        assert page.count("Not computed for model: ThresholdOptimizer needs to be told") == 3

    @pytest.mark.filterwarnings("ignore:Setting a")  # by fairlearn, of pandas
    def test_randomized_reduction(self, people):
        X, y, group = people
        numbers = X[["a", "b", "c"]]
        model = ExponentiatedGradient(LogisticRegression(), DemographicParity(), max_iter=5)
        model.fit(numbers, y, sensitive_features=group)
        report = AuditReport.from_estimator(
            model, numbers, y, sensitive_features=group, n_resamples=20, random_state=0
        )
        reasons = set(report.not_computed.values())
        assert "ExponentiatedGradient decides at random." in reasons

    def test_several_classes_and_unknown_groups(self, people):
        X, _, group = people
        y = np.digitize(X["a"] + X["b"], [-0.7, 0.7])
        model = pipeline(LogisticRegression()).fit(X, y)
        group = pd.Series(group, dtype=object)
        group[::10] = None
        with pytest.warns(UserWarning, match="missing"):
            report = AuditReport.from_estimator(
                model,
                X,
                y,
                sensitive_features=group,
                unfavorable=[0, 1],
                n_resamples=20,
                random_state=0,
            )
        accepted = model.predict(X) == 2
        assert value(report, "Group", "selection rate", "everybody", "model") == accepted.mean()
        assert report.about.without_group == 70
        assert sum(report.about.groups.values()) == 630


class TestOddities:
    def test_burden_is_that_of_the_class_that_refuses(self, people, forest):
        X, y, group = people
        for refused in (0, 1):
            report = AuditReport.from_estimator(
                forest,
                X,
                y,
                sensitive_features=group,
                sensitive_columns="group",
                unfavorable=refused,
                recourse={"max_iter": 5},
                n_resamples=10,
                random_state=0,
            )
            settings = {"bounds": "observed", "sensitive_columns": "group", "max_iter": 5}
            settings["random_state"] = int(np.random.RandomState(0).randint(2**31 - 1))
            found = counterfactuals(forest, X, unfavorable=refused, **settings)
            assert (forest.predict(found.counterfactuals[found.valid]) == 1 - refused).all()
            expected = found.distance[found.valid].sum() / (len(y) - (~found.valid).sum())
            burden_ = value(report, "Recourse, as people", "burden", "everybody", "model")
            assert burden_ == pytest.approx(expected)

    @pytest.mark.parametrize("constant", [0, 1])
    def test_a_model_that_accepts_nobody_or_everybody(self, constant, people):
        X, y, group = people
        model = DummyClassifier(strategy="constant", constant=constant).fit(X, y)
        report = AuditReport.from_estimator(
            model,
            X,
            y,
            sensitive_features=group,
            recourse={"max_iter": 2},
            max_people=20,
            n_resamples=10,
            random_state=0,
        )
        assert value(report, "Group", "selection rate", "a", "model") == constant
        sentences = " ".join(report.to_frame()["meaning"])
        assert "nan" not in sentences
        assert "looked at" not in sentences
        assert report.to_html()

    def test_names_and_indices_that_are_not_made_for_a_page(self, people, forest):
        X, y, group = people
        names = pd.Series(np.array(["gap", "$5_$", "everybody"])[np.arange(len(y)) % 3])
        report = AuditReport.from_estimator(
            forest,
            pd.concat([X[:350], X[:350]]),
            np.tile(y[:350], 2),
            sensitive_features=names,
            sensitive_columns="group",
            names=("$y_$", "other"),
            recourse={"max_iter": 2},
            max_people=20,
            n_resamples=10,
            random_state=0,
        )
        assert set(report.about.groups) == {"$5_$", "everybody (2)", "gap (3)"}
        assert "$5_$" in report.to_html()

    def test_control_characters_and_halves_of_characters_are_replaced(self, people, forest):
        X, y, group = people
        names = pd.Series(np.array(["a\x00b", "bell\x07", "half\ud800"])[np.arange(len(y)) % 3])
        report = AuditReport.from_estimator(
            forest,
            X,
            y,
            sensitive_features=names,
            names=("mo\x1bdel", "other"),
            recourse={"max_iter": 2},
            max_people=20,
            random_state=0,
        )
        for text in (report.to_html(), report._repr_html_()):
            assert not re.search("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff]", text)
            assert "bell\ufffd" in text
            text.encode()

    @pytest.mark.parametrize("problem", ["one group", "no rows", "other labels"])
    def test_a_split_that_says_nothing_is_named(self, problem, people, forest):
        X, y, group = people
        split = (X, y, group)
        if problem == "one group":
            split = (X[group == "a"], y[group == "a"], group[group == "a"])
        elif problem == "no rows":
            split = (X[:0], y[:0], group[:0])
        else:
            split = (X, y + 1, group)
        report = AuditReport.from_estimator(
            forest,
            X,
            y,
            sensitive_features=group,
            splits={"odd": split},
            recourse={"max_iter": 2},
            max_people=20,
            n_resamples=10,
            random_state=0,
        )
        assert report.not_computed["Generalization", "model"].startswith("split 'odd': ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sensitive_features": ["a"] * 700}, "only one group"),
        ({"sensitive_features": ["a"] * 3}, "one row per sample"),
        ({"y": np.zeros(3)}, "X and y must have the same length, got 700 and 3"),
        ({"y": np.repeat([0, 7], 350)}, r"labels \[7\] that the model does not know"),
        ({"confidence_level": 1.5}, "'confidence_level' parameter"),
        ({"n_resamples": 0}, "'n_resamples' parameter"),
        ({"max_people": 0}, "'max_people' parameter"),
        ({"unfavorable": "no"}, "unfavorable='no' names a label"),
        ({"names": ("x", "x"), "baseline": "forest"}, "two different names"),
    ],
)
def test_errors_name_the_parameter(change, message, people, forest):
    X, y, group = people
    change = change | ({"baseline": forest} if "baseline" in change else {})
    arguments = {"sensitive_features": group, "y": y} | change
    with pytest.raises(ValueError, match=message):
        AuditReport.from_estimator(forest, X, arguments.pop("y"), **arguments)


def test_a_gap_is_the_largest_difference_and_names_its_groups(people, network):
    X, y, _ = people
    thirds = np.array(["x", "y", "z"])[np.arange(len(y)) % 3]
    report = AuditReport.from_estimator(
        network, X, y, sensitive_features=thirds, n_resamples=20, random_state=0
    )
    d = np.maximum(-network.decision_function(X), 0)
    means = {k: d[thirds == k].mean() for k in "xyz"}
    found = value(report, "Recourse, as the model", "distance to acceptance", "gap", "model")
    assert found == pytest.approx(max(means.values()) - min(means.values()))
    frame = report.to_frame()
    row = frame[(frame["measure"] == "distance to acceptance") & (frame["group"] == "gap")].iloc[0]
    high, low = max(means, key=means.get), min(means, key=means.get)
    assert f"{high} ({means[high]:.3f}) and {low} ({means[low]:.3f}) differ most" in row["meaning"]
    scores = [
        parity_score(network, X[rows], y[rows], sensitive_features=thirds[rows])
        for rows in (thirds != "x", thirds != "y", thirds != "z")
    ]
    found = value(report, "Reasons", "parity score", "gap", "model")
    assert found == pytest.approx(max(scores), rel=1e-4)


def test_tables_of_polars_are_those_of_pandas(people, forest):
    polars = pytest.importorskip("polars")
    pytest.importorskip("narwhals", reason="comes with later versions of scikit-learn")
    X, y, group = people
    table = polars.DataFrame({name: X[name].to_numpy() for name in X.columns})
    settings = {"recourse": {"max_iter": 2}, "max_people": 20, "random_state": 0}
    ours, theirs = (
        AuditReport.from_estimator(forest, rows, y, sensitive_features=g, **settings).to_frame()
        for rows, g in (
            (table, polars.DataFrame({"group": list(group)})),
            (X, pd.DataFrame({"group": list(group)})),
        )
    )
    pd.testing.assert_frame_equal(ours, theirs)


def test_sensitive_features_of_one_name_are_refused_by_name(people, forest):
    X, y, group = people
    twice = pd.DataFrame(np.column_stack([group, group]), columns=["group", "group"])
    with pytest.raises(ValueError, match=r"columns of sensitive_features must differ.*'group'"):
        AuditReport.from_estimator(forest, X, y, sensitive_features=twice)
