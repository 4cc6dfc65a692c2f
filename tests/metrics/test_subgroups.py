import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn_metrics
from fairlearn.metrics import MetricFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, precision_score, roc_auc_score

from skfair.metrics import subgroup_report
from skfair.metrics._subgroup_tests import hypergeometric_test, sign_test

THEIRS = {
    "accuracy": accuracy_score,
    "selection_rate": fairlearn_metrics.selection_rate,
    "true_positive_rate": fairlearn_metrics.true_positive_rate,
    "false_positive_rate": fairlearn_metrics.false_positive_rate,
    "true_negative_rate": fairlearn_metrics.true_negative_rate,
    "false_negative_rate": fairlearn_metrics.false_negative_rate,
    "precision": precision_score,
}
few = settings(max_examples=15, deadline=None)
close = pytest.approx  # sums of some thousand numbers near 1 in float64: far below 1e-9


def fair_world(seed, n=2000, cards=(2, 3, 3, 4, 2), accuracy=0.85):
    """Attributes, labels, and predictions that are wrong equally often for everybody."""
    rng = np.random.default_rng(seed)
    people = pd.DataFrame({f"a{i}": rng.integers(0, c, n) for i, c in enumerate(cards)})
    y_true = rng.integers(0, 2, n)
    return people, y_true, np.where(rng.random(n) < accuracy, y_true, 1 - y_true), rng


def unfair_world(seed, n):
    """Of 5 attributes, a0=0 (15 %) and a1=0 (20 %) together are 15 points worse off: 3 %."""
    people, y_true, _, rng = fair_world(seed, n)
    people["a0"] = rng.choice(3, n, p=[0.15, 0.35, 0.5])
    people["a1"] = rng.choice(3, n, p=[0.2, 0.3, 0.5])
    accuracy = np.where((people["a0"] == 0) & (people["a1"] == 0), 0.7, 0.85)
    return people, y_true, np.where(rng.random(n) < accuracy, y_true, 1 - y_true)


# a hand-made case: 12 people, right are 8; old women 1 of 4, old men 2 of 2, young 5 of 6
SEX = list("ffffmmffmmmm")
AGE = ["old"] * 6 + ["young"] * 6
RIGHT = np.array([1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1])
PEOPLE = pd.DataFrame({"sex": SEX, "age": AGE})


def tiny_report(**parameters):
    return subgroup_report(
        np.ones(12, int), RIGHT, sensitive_features=PEOPLE, min_size=1, **parameters
    )


def test_hand_made_example():
    report = tiny_report().set_index("group")
    assert len(report) == 8
    old_women = report.loc["sex=f & age=old"]
    assert old_women[["depth", "size", "cases"]].tolist() == [2, 4, 4]
    assert old_women["share"] == close(4 / 12)
    assert old_women["value"] == close(1 / 4)
    assert old_women["deviation"] == close(1 / 4 - 8 / 12)
    assert old_women["weighted_deviation"] == close(4 / 12 * (8 / 12 - 1 / 4))
    # at most one of the 8 hits among 4 of 12: C(8,1) C(4,3) + C(8,0) C(4,4) of C(12,4), twice
    assert old_women["p_value"] == close(2 * (8 * 4 + 1) / 495)
    interval = stats.binomtest(1, 4).proportion_ci(0.95, method="exact")
    assert old_women[["lower", "upper"]].tolist() == close([interval.low, interval.high])
    assert report.loc["age=young", "value"] == close(5 / 6)
    assert report["p_adjusted"].tolist() == close(
        stats.false_discovery_control(report["p_value"]).tolist()
    )


def test_columns_and_order_are_as_documented():
    columns = ["group", "depth", "size", "share", "cases", "value", "deviation"]
    columns += ["weighted_deviation", "lower", "upper", "p_value", "p_adjusted", "significant"]
    paired = ["baseline", "change", "change_p_value", "change_p_adjusted", "verdict"]
    assert list(tiny_report()) == columns
    report = tiny_report(baseline=np.ones(12, int))
    assert list(report) == columns + paired
    assert report["weighted_deviation"].round(12).is_monotonic_decreasing
    ties = report[report["weighted_deviation"].round(12).duplicated(keep=False)]
    for _, tied in ties.groupby(ties["weighted_deviation"].round(12)):
        assert tied["group"].is_monotonic_increasing
    assert list(report.index) == list(range(len(report)))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("metric", THEIRS)
def test_values_are_those_of_fairlearn_on_every_intersection(metric, weighted):
    people, y_true, y_pred, rng = fair_world(0, 1500, (2, 3, 2))
    weights = rng.uniform(0.1, 3, len(y_true)) if weighted else None
    report = subgroup_report(
        y_true,
        y_pred,
        sensitive_features=people,
        metric=metric,
        max_depth=3,
        min_size=1,
        sample_weight=weights,
    ).set_index("group")
    n_groups = 0
    for depth in (1, 2, 3):
        for names in combinations(people, depth):
            frame = MetricFrame(
                metrics=THEIRS[metric],
                y_true=y_true,
                y_pred=y_pred,
                sensitive_features=people[list(names)],
                sample_params={"sample_weight": weights} if weighted else None,
            )
            for values, expected in frame.by_group.items():
                values = values if isinstance(values, tuple) else (values,)
                pairs = zip(names, values, strict=True)
                row = report.loc[" & ".join(f"{name}={value}" for name, value in pairs)]
                assert row["value"] == close(expected)
                assert row["deviation"] == close(expected - frame.overall)
                n_groups += 1
    assert n_groups == len(report)


def test_a_planted_intersection_is_found():
    # 3 % of 10,000 rows: found in 100 of 100 simulations, at place 6 or better (5,000: in 80)
    for seed in range(20):
        people, y_true, y_pred = unfair_world(seed, 10_000)
        report = subgroup_report(y_true, y_pred, sensitive_features=people)
        place = report.index[report["group"] == "a0=0 & a1=0"][0]
        assert report.loc[place, "significant"]
        assert report.loc[place, "deviation"] < 0
        assert place < 10
        assert report["p_value"].idxmin() == place


def at_most(rate, n):
    """A count that a binomial with this rate exceeds once in a thousand times."""
    return stats.binom.ppf(0.999, n, rate)


@pytest.mark.parametrize(("n_times", "weighted"), [(100, False), (20, True)])
def test_fair_data_give_findings_no_more_often_than_stated(n_times, weighted):
    found = changed = 0
    for seed in range(n_times):
        people, y_true, y_pred, rng = fair_world(seed)
        report = subgroup_report(
            y_true,
            y_pred,
            sensitive_features=people,
            baseline=np.where(rng.random(len(y_true)) < 0.85, y_true, 1 - y_true),
            sample_weight=rng.lognormal(size=len(y_true)) if weighted else None,
        )
        found += report["significant"].any()
        changed += (report["verdict"] != "no evidence").any()
    assert found <= at_most(0.05, n_times)
    assert changed <= at_most(0.05, n_times)


@pytest.mark.parametrize("n", [4, 15, 60])
@pytest.mark.parametrize("rate", [0.5, 0.9, 0.99])
def test_p_values_hold_their_level_in_small_groups(n, rate):
    # all outcomes of a group among 100 people with this many hits altogether, by their probability
    all_hits, everybody = round(100 * rate), 100
    hits = np.arange(max(0, n - everybody + all_hits), min(n, all_hits) + 1)
    p = hypergeometric_test(hits, n, all_hits - hits, everybody - n)
    probability = stats.hypergeom.pmf(hits, everybody, all_hits, n)
    for level in (0.001, 0.01, 0.05, 0.2):
        assert probability[p <= level].sum() <= level + 1e-12
    moved = np.arange(n + 1)
    p = sign_test(moved, n)
    for level in (0.001, 0.01, 0.05, 0.2):
        assert stats.binom.pmf(moved, n, 0.5)[p <= level].sum() <= level + 1e-12


def test_tests_are_those_of_scipy():
    for n in (1, 7, 40):
        for hits in range(n + 1):
            paired = stats.binomtest(hits, n).pvalue  # doubling is the same for a fair coin
            assert sign_test(hits, n) == close(paired)
            sides = [
                stats.fisher_exact([[hits, n - hits], [30, 20]], side).pvalue
                for side in ("less", "greater")
            ]
            assert hypergeometric_test(hits, n, 30, 50) == close(min(1, 2 * min(sides)))


def test_large_counts_are_no_trouble():
    p = hypergeometric_test(
        np.array([425_000.0, 426_000.0, 430_000.0]), 500_000.0, 425_000.0, 500_000.0
    )
    z = np.array([0, 1000, 5000]) / np.sqrt(2 * 500_000 * 0.85 * 0.15)
    assert p[0] == close(1)
    assert p[1] == close(2 * stats.norm.sf(z[1]), rel=0.05)  # continuity and pooled variance
    assert 0 <= p[2] < 1e-40  # 14 standard errors


@pytest.mark.parametrize("metric", ["accuracy", "false_positive_rate"])
def test_report_is_invariant_to_row_order(metric):
    people, y_true, y_pred, rng = fair_world(1)
    order = rng.permutation(len(y_true))
    baseline = rng.permutation(y_pred)
    pd.testing.assert_frame_equal(
        subgroup_report(
            y_true, y_pred, sensitive_features=people, metric=metric, baseline=baseline
        ),
        subgroup_report(
            y_true[order],
            y_pred[order],
            sensitive_features=people.iloc[order],
            metric=metric,
            baseline=baseline[order],
        ),
    )


def test_report_is_invariant_to_renaming_groups_and_labels():
    people, y_true, y_pred, _ = fair_world(2)
    there = {0: "z", 1: "b", 2: "y", 3: "a"}
    ours = subgroup_report(y_true, y_pred, sensitive_features=people)
    renamed = subgroup_report(
        np.where(y_true, "yes", "no"),
        np.where(y_pred, "yes", "no"),
        sensitive_features=people.replace(there).astype("category"),
    )
    names = ours["group"].replace({f"={i}": f"={name}" for i, name in there.items()}, regex=True)
    ours = ours.assign(group=names).set_index("group").sort_index()
    pd.testing.assert_frame_equal(ours, renamed.set_index("group").sort_index())


@few
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(THEIRS)))
def test_weights_are_as_good_as_repetition_for_values(seed, metric):
    people, y_true, y_pred, rng = fair_world(seed, 60, (2, 3))
    times = rng.integers(0, 4, len(y_true))
    rows = np.repeat(np.arange(len(y_true)), times)
    arguments = {"metric": metric, "min_size": 1}
    if metric != "precision":
        arguments["baseline"] = rng.permutation(y_pred)
    weighted = subgroup_report(
        y_true, y_pred, sensitive_features=people, sample_weight=times, **arguments
    )
    if "baseline" in arguments:
        arguments["baseline"] = arguments["baseline"][rows]
    repeated = subgroup_report(
        y_true[rows], y_pred[rows], sensitive_features=people.iloc[rows], **arguments
    )
    same = ["group", "depth", "share", "value", "deviation", "weighted_deviation"]
    same += ["baseline", "change"] if "baseline" in arguments else []
    pd.testing.assert_frame_equal(
        weighted[same].sort_values("group", ignore_index=True),
        repeated[same].sort_values("group", ignore_index=True),
    )


def test_equal_weights_are_no_weights():
    people, y_true, y_pred, rng = fair_world(3)
    baseline = rng.permutation(y_pred)
    reports = [
        subgroup_report(
            y_true, y_pred, sensitive_features=people, baseline=baseline, sample_weight=weights
        )
        for weights in (None, np.full(len(y_true), 0.3))
    ]
    pd.testing.assert_frame_equal(*reports)


def test_one_group_gets_worse_when_another_gets_better():
    rng = np.random.default_rng(0)
    people = pd.DataFrame({"sex": rng.choice(["f", "m"], 4000), "age": rng.integers(0, 4, 4000)})
    y_true = rng.integers(0, 2, 4000)
    losers = ((people["sex"] == "f") & (people["age"] == 3)).to_numpy()
    winners = (people["sex"] == "m").to_numpy()
    right_before = rng.random(4000) < 0.8
    right = np.where(winners, right_before | (rng.random(4000) < 0.3), right_before)
    right = np.where(losers, right_before & (rng.random(4000) < 0.9), right)
    y_pred, baseline = (np.where(hits, y_true, 1 - y_true) for hits in (right, right_before))
    report = subgroup_report(y_true, y_pred, sensitive_features=people, baseline=baseline)
    report = report.set_index("group")
    assert report.loc["sex=m", "verdict"] == "better"
    assert report.loc["sex=f & age=3", "verdict"] == "worse"
    assert report.loc["sex=f & age=0", "verdict"] == "no evidence"
    row = report.loc["sex=f & age=3"]
    n_lost = int((right_before & ~right)[losers].sum())
    assert row["change"] == close(-n_lost / losers.sum())
    assert row["change"] == close(row["value"] - row["baseline"])
    assert row["change_p_value"] == close(stats.binomtest(0, n_lost).pvalue)
    assert report["change_p_adjusted"].tolist() == close(
        stats.false_discovery_control(report["change_p_value"]).tolist()
    )


@pytest.mark.parametrize(
    ("metric", "verdict"),
    [
        ("accuracy", "worse"),
        ("selection_rate", "higher"),
        ("false_positive_rate", "worse"),
        ("true_negative_rate", "worse"),
    ],
)
def test_verdict_knows_which_direction_is_better(metric, verdict):
    y_true, baseline = np.zeros(200, int), np.zeros(200, int)
    y_pred = np.repeat([1, 0], 100)
    report = subgroup_report(
        y_true,
        y_pred,
        sensitive_features=np.repeat(["a", "b"], 100),
        metric=metric,
        baseline=baseline,
    ).set_index("group")
    assert report["verdict"].tolist() == [verdict, "no evidence"]
    better = {"worse": "better", "higher": "lower"}[verdict]
    swapped = subgroup_report(
        y_true,
        baseline,
        sensitive_features=np.repeat(["a", "b"], 100),
        metric=metric,
        baseline=y_pred,
    )
    assert swapped["verdict"].tolist() == [better, "no evidence"]


@pytest.mark.parametrize("metric", [name for name in THEIRS if name != "precision"])
def test_identical_models_show_no_change(metric):
    people, y_true, y_pred, rng = fair_world(4)
    report = subgroup_report(
        y_true,
        y_pred,
        sensitive_features=people,
        metric=metric,
        baseline=y_pred,
        sample_weight=rng.uniform(0.1, 1, len(y_true)),
    )
    assert (report["change"] == 0).all()
    assert (report["change_p_value"] == 1).all()
    assert (report["verdict"] == "no evidence").all()


def test_groups_of_the_same_people_are_listed_once():
    people, y_true, y_pred, _ = fair_world(5, 500, (2, 3))
    expected = subgroup_report(y_true, y_pred, sensitive_features=people, max_depth=3)
    more = people.assign(constant="x", same=people["a0"].map({0: "p", 1: "q"}))
    more["nested"] = np.where(people["a1"] == 0, "zero", "other")  # zero is a1=0
    report = subgroup_report(y_true, y_pred, sensitive_features=more, max_depth=3)
    assert not report["group"].str.contains("constant|same|nested=zero").any()
    new = report[~report["group"].isin(expected["group"])]
    assert new["group"].tolist() == ["nested=other"] or set(new["group"]) == {
        "nested=other",
        "a0=0 & nested=other",
        "a0=1 & nested=other",
    }
    assert report.attrs["n_groups"] == len(report) == len(expected) + len(new)


def test_rows_take_no_part_in_groups_of_attributes_they_lack():
    people = PEOPLE.assign(age=[None, *AGE[1:]])
    report = subgroup_report(np.ones(12, int), RIGHT, sensitive_features=people, min_size=1)
    report = report.set_index("group")
    assert report.loc["age=old", "size"] == 5
    assert report.loc["sex=f & age=old", ["size", "value"]].tolist() == [3, 0]
    assert report.loc["sex=f", "size"] == 6
    assert report.loc["age=old", "deviation"] == close(2 / 5 - 8 / 12)  # everybody: all 12 rows
    assert not report.index.str.contains("None|nan").any()


def test_small_groups_are_left_out_by_their_cases_and_counted():
    people, y_true, y_pred, _ = fair_world(6, 400, (2, 3))
    every = subgroup_report(
        y_true, y_pred, sensitive_features=people, metric="true_positive_rate", min_size=1
    )
    report = subgroup_report(
        y_true, y_pred, sensitive_features=people, metric="true_positive_rate", min_size=35
    )
    assert set(report["group"]) == set(every.loc[every["cases"] >= 35, "group"])
    assert 0 < len(report) < len(every)
    assert report.attrs["n_too_small"] == len(every) - len(report)
    positives = y_true == 1
    assert every.set_index("group").loc["a0=0", "cases"] == (positives & (people["a0"] == 0)).sum()


def test_what_was_tested_is_stated_in_plain_python():
    for metric in ("accuracy", share_right):
        report = tiny_report(metric=metric, baseline=RIGHT, n_bootstrap=2)
        assert report.attrs["n_groups"] == 8
        assert report.attrs["overall"] == close(8 / 12)
        note = report.attrs["note"]
        for words in ("8 groups", "Benjamini-Hochberg", "5 %", "95 %", "0.6667", "baseline"):
            assert words in note
        json.dumps(report.attrs)
        json.loads(report.to_json())
        assert report.head(2).attrs == report.attrs


def test_positive_label_is_the_greater_one_unless_named():
    people, y_true, y_pred, _ = fair_world(7, 300, (2, 3))
    names = np.array(["no", "yes"])

    def values(y_true, y_pred, **parameters):
        report = subgroup_report(
            y_true, y_pred, sensitive_features=people, min_size=1, **parameters
        )
        return report.set_index("group")["value"].sort_index()

    rate = values(y_true, y_pred, metric="true_positive_rate")
    by_name = values(names[y_true], names[y_pred], metric="true_positive_rate")
    pd.testing.assert_series_equal(rate, by_name)
    other = values(names[y_true], names[y_pred], metric="true_negative_rate", pos_label="no")
    pd.testing.assert_series_equal(rate, other)


def share_right(y_true, y_pred, sample_weight=None):
    return np.average(y_true == y_pred, weights=sample_weight)


def test_a_callable_agrees_with_the_named_metric():
    people, y_true, y_pred, rng = fair_world(8, 200, (2, 2))
    baseline = np.where(rng.random(200) < 0.7, y_pred, 1 - y_true)
    weights = rng.uniform(0.5, 2, 200)
    for sample_weight in (None, weights):
        named, measured = (
            subgroup_report(
                y_true,
                y_pred,
                sensitive_features=people,
                metric=metric,
                baseline=baseline,
                sample_weight=sample_weight,
                n_bootstrap=60,
                random_state=0,
            ).set_index("group")
            for metric in ("accuracy", share_right)
        )
        same = ["size", "share", "cases", "value", "deviation", "baseline", "change"]
        pd.testing.assert_frame_equal(named[same], measured[same])
        assert ((named["lower"] <= measured["value"]) & (measured["value"] <= named["upper"])).all()
        assert (measured["lower"] <= measured["upper"]).all()
        assert measured["p_value"].between(0, 1).all()
        assert set(measured["verdict"]) <= {"lower", "higher", "no evidence"}
        # a clear change is clear by both: the other p-values differ by chance and discreteness
        clear = named["change_p_value"] < 1e-4
        assert (measured.loc[clear, "change_p_value"] < 0.05).all()


def test_a_callable_finds_what_is_planted_and_is_reproducible():
    rng = np.random.default_rng(0)
    people = pd.DataFrame({"sex": rng.integers(0, 2, 600), "age": rng.integers(0, 3, 600)})
    y_true = rng.integers(0, 2, 600)
    bad = ((people["sex"] == 0) & (people["age"] == 0)).to_numpy()
    score = np.where(bad, rng.random(600), y_true + rng.normal(0, 0.5, 600))

    def fast_auc(y, s):
        ranks = stats.rankdata(s)
        return (ranks[y == 1].mean() - (y.sum() + 1) / 2) / (y == 0).sum()

    reports = [
        subgroup_report(
            y_true,
            score,
            sensitive_features=people,
            metric=fast_auc,
            n_bootstrap=40,
            random_state=3,
        )
        for _ in range(2)
    ]
    pd.testing.assert_frame_equal(*reports)
    first = reports[0].iloc[0]
    assert first["group"] == "sex=0 & age=0"
    assert first["significant"]
    assert first["value"] == close(roc_auc_score(y_true[bad], score[bad]))
    assert first["lower"] < first["value"] < first["upper"]
    assert reports[0].attrs["metric"] == "fast_auc"


def test_permutation_tests_hold_their_level():
    p_values, changes = [], []
    for seed in range(40):
        people, y_true, y_pred, rng = fair_world(seed, 120, (3,))
        report = subgroup_report(
            y_true,
            y_pred,
            sensitive_features=people,
            metric=share_right,
            baseline=np.where(rng.random(120) < 0.85, y_true, 1 - y_true),
            min_size=1,
            n_bootstrap=2,
            random_state=seed,
        ).set_index("group")
        p_values.append(report.loc["a0=0", "p_value"])  # one group a data set: independent
        changes.append(report.loc["a0=0", "change_p_value"])
    for level in (0.05, 0.2):
        assert np.sum(np.array(p_values) <= level) <= at_most(level, 40)
        assert np.sum(np.array(changes) <= level) <= at_most(level, 40)


def test_groups_where_a_callable_is_not_defined_are_left_out():
    def recall(y, p):
        if not y.any():
            raise ValueError("no positives")
        return p[y == 1].mean()

    y_true = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    report = subgroup_report(
        y_true,
        1 - y_true,
        sensitive_features=list("aaabbbcc"),
        metric=recall,
        min_size=1,
        n_bootstrap=5,
    )
    assert set(report["group"]) == {"0=b", "0=c"}
    assert report.attrs["n_undefined"] == 1
    assert "1 where it is not defined" in report.attrs["note"]


def test_inputs_are_left_as_they_were():
    people, y_true, y_pred, _ = fair_world(9, 200, (2, 2))
    before = people.copy()
    for array in (y_true, y_pred):
        array.setflags(write=False)
    subgroup_report(y_true, y_pred, sensitive_features=people)
    pd.testing.assert_frame_equal(people, before)


def test_values_that_look_alike_keep_apart():
    report = subgroup_report(
        np.ones(12, int),
        RIGHT,
        sensitive_features=pd.DataFrame({"a": pd.Series([1, "1"] * 6, dtype=object)}),
        min_size=1,
    )
    assert set(report["group"]) == {"a=1", "a='1'"}


GOOD = {"y_true": np.ones(12, int), "y_pred": RIGHT, "sensitive_features": PEOPLE, "min_size": 1}
THREE = np.arange(12) % 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"y_pred": [1, 0]}, "y_pred must have one label per sample: got 2 for the 12"),
        ({"baseline": [1, 0]}, "baseline must have one label per sample"),
        ({"y_true": []}, "y_true must be a vector"),
        ({"y_pred": np.zeros((12, 2))}, r"y_pred must be a vector of labels, got shape \(12, 2\)"),
        ({"y_pred": [None, *RIGHT[1:]]}, "y_pred has missing values in 1 rows"),
        ({"y_pred": RIGHT.astype(str)}, "must be of one type"),
        ({"y_pred": RIGHT + 0.3}, r"numbers that are not whole"),
        ({"sensitive_features": SEX[:5]}, "got 5 rows for 12 samples"),
        ({"sensitive_features": np.linspace(0, 1, 12)}, "continuous"),
        ({"sensitive_features": ["a"] * 12}, "one group only"),
        ({"sensitive_features": [None] * 12}, "one group only"),
        ({"sensitive_features": pd.DataFrame(PEOPLE.to_numpy(), columns=["a", "a"])}, "differ"),
        ({"sample_weight": np.ones(3)}, "sample_weight"),
        ({"sample_weight": -np.ones(12)}, "Negative"),
        ({"sample_weight": np.zeros(12)}, "non-zero|one group only"),
        ({"metric": "auc"}, "metric='auc' is not known; .*'selection_rate'"),
        ({"metric": "selection_rate", "y_true": THREE}, "got 3 labels; use 'accuracy'"),
        ({"metric": "selection_rate", "y_pred": np.ones(12, int)}, "Only the label 1 occurs"),
        ({"metric": "selection_rate", "pos_label": "yes"}, r"pos_label='yes'.*\[0, 1\]"),
        ({"metric": f1_score, "pos_label": 1}, "pos_label=1 is for named metrics"),
        ({"metric": "precision", "baseline": RIGHT}, "'precision' has no paired test"),
        ({"metric": lambda y, p: np.nan}, "finite number, got nan"),
        ({"metric": lambda y, p: 1.0, "sample_weight": np.ones(12)}, "does not accept it"),
        ({"max_depth": 0}, "max_depth == 0, must be >= 1"),
        ({"min_size": 0}, "min_size == 0, must be >= 1"),
        ({"min_size": 9}, "min_size=9 is more cases than any of the 8 groups has; .* 6"),
        ({"error_rate": 0.0}, "error_rate == 0.0, must be > 0"),
        ({"error_rate": 1.5}, "error_rate == 1.5, must be < 1"),
        ({"confidence_level": 1.0}, "confidence_level == 1.0, must be < 1"),
        ({"n_bootstrap": 1, "metric": f1_score}, "n_bootstrap == 1, must be >= 2"),
    ],
)
def test_wrong_values_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        subgroup_report(**(GOOD | wrong))


@pytest.mark.parametrize("wrong", [{"metric": 3}, {"max_depth": 1.5}, {"error_rate": "small"}])
def test_wrong_types_are_refused(wrong):
    with pytest.raises(TypeError, match=next(iter(wrong))):
        subgroup_report(**(GOOD | wrong))


@st.composite
def tables(draw):
    """Up to 3 attributes with missing values, labels and predictions of up to 25 people."""
    n = draw(st.integers(1, 25))
    value = st.sampled_from(["a", "b", 1, 0.5, True, None])
    columns = st.lists(value, min_size=n, max_size=n)
    people = draw(st.lists(columns, min_size=1, max_size=3))
    labels = draw(st.sampled_from([[0, 1], ["x", "y"], [True, False], [0, 1, 2]]))
    label = st.lists(st.sampled_from(labels), min_size=n, max_size=n)
    frame = pd.DataFrame({i: pd.Series(column, dtype=object) for i, column in enumerate(people)})
    weights = st.lists(st.sampled_from([0.0, 1e-9, 0.3, 1.0, 1e6]), min_size=n, max_size=n)
    return draw(label), draw(label), draw(label), frame, draw(st.none() | weights)


@settings(max_examples=40, deadline=None)
@given(tables(), st.sampled_from(sorted(THEIRS)), st.integers(1, 4), st.booleans())
def test_any_table_gives_a_report_or_a_message(table, metric, max_depth, paired):
    y_true, y_pred, baseline, people, weights = table
    try:
        report = subgroup_report(
            y_true,
            y_pred,
            sensitive_features=people,
            metric=metric,
            max_depth=max_depth,
            min_size=1,
            baseline=baseline if paired else None,
            sample_weight=weights,
        )
    except ValueError as error:
        assert len(str(error)) > 20
        return
    assert not report.isna().any().any()
    assert report["group"].is_unique
    assert (report["lower"] <= report["value"] + 1e-9).all()
    assert (report["value"] <= report["upper"] + 1e-9).all()
    shares = ["share", "value", "weighted_deviation", "p_value", "p_adjusted"]
    assert report[shares].stack().between(-1e-9, 1 + 1e-9).all()
    assert (report["p_adjusted"] >= report["p_value"] - 1e-12).all()
    assert (report["cases"] <= report["size"]).all()
    assert report["depth"].between(1, min(max_depth, people.shape[1])).all()


def ten_columns(n_values=2, n_rows=600):
    rng = np.random.default_rng(0)
    return pd.DataFrame({f"a{i}": rng.integers(0, n_values, n_rows) for i in range(10)})


def test_a_callable_in_too_many_groups_is_refused_with_their_number():
    people = ten_columns()
    y = np.arange(len(people)) % 2
    with pytest.raises(ValueError, match=r"resampled in \d{3,} groups of up to 5 of 10 attributes"):
        subgroup_report(
            y, y, sensitive_features=people, metric=accuracy_score, max_depth=5, min_size=10
        )
    report = subgroup_report(y, y, sensitive_features=people, max_depth=5, min_size=10)
    assert len(report) > 500  # named metrics are not resampled


def test_too_many_combinations_are_refused_with_their_number():
    people = pd.concat([ten_columns().add_prefix(f"{i}_") for i in range(4)], axis=1)
    y = np.arange(len(people)) % 2
    # 40 + 780 + 9880
    with pytest.raises(ValueError, match="max_depth=3 makes 10700 combinations of the 40 columns"):
        subgroup_report(y, y, sensitive_features=people, max_depth=3)


def test_predictions_in_a_column_are_a_vector():
    people = ten_columns()[["a0"]]
    y = np.arange(len(people)) % 2
    expected = subgroup_report(y, y[::-1], sensitive_features=people, baseline=y)
    found = subgroup_report(
        y[:, None], y[::-1, None], sensitive_features=people, baseline=y[:, None]
    )
    pd.testing.assert_frame_equal(found, expected)
