"""Sentences of the first screen, and models named by what they are."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfair import (
    DRAlignClassifier,
    FaiRNClassifier,
    LabelFlipClassifier,
    PenaltyClassifier,
    SmoothedClassifier,
)
from skfair.audit import AuditReport
from skfair.audit._describe import describe
from skfair.audit._formats import percent
from skfair.audit._intervals import Rates
from skfair.audit._measures import BURDEN, MEASURES, SELECTION_RATE, Measure, find_measure
from skfair.audit._rows import gap_sentence
from skfair.audit._summary import sentences
from skfair.datasets import make_biased_classification


@pytest.mark.parametrize(
    ("model", "description"),
    [
        (
            FaiRNClassifier(),
            "Fair and robust neural network (FaiR-N), lambda_fairness 0.5, lambda_robustness 0.1",
        ),
        (
            make_pipeline(
                StandardScaler(), FaiRNClassifier(lambda_fairness=0, lambda_robustness=0.0)
            ),
            "plain neural network (FaiRNClassifier with all fairness weights 0), after "
            "StandardScaler",
        ),
        (
            PenaltyClassifier(penalty="equalized_odds", alpha=2),
            "Neural network with a fairness penalty, penalty equalized_odds, alpha 2",
        ),
        (
            PenaltyClassifier(alpha=0),
            "plain neural network (PenaltyClassifier with all fairness weights 0)",
        ),
        (
            DRAlignClassifier(),
            "Fairness as decision rationale alignment (DRAlign), criterion demographic_parity, "
            "lambda_fairness 0.4",
        ),
        (
            LabelFlipClassifier(),
            "Classifier trained on randomly flipped labels of one group, flip_fraction 0.3",
        ),
        (
            SmoothedClassifier(LogisticRegression()),
            "Classifier made individually fair by randomized smoothing of LogisticRegression",
        ),
        (
            make_pipeline(StandardScaler(), RandomForestClassifier()),
            "RandomForestClassifier, after StandardScaler",
        ),
    ],
)
def test_models_are_named_by_what_they_are(model, description):
    assert describe(model) == description


def test_searches_are_named_by_what_they_found():
    rng = np.random.default_rng(0)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1]}
    ).fit(rng.normal(size=(20, 2)), np.arange(20) % 2)
    assert describe(search) == "LogisticRegression, after StandardScaler, chosen by GridSearchCV"


def gap_of(hits, cases, min_cases=30):
    hits, cases = (np.array([*x, sum(x)], dtype=float) for x in (hits, cases))
    rates = Rates(hits, cases)
    gap = rates.gap(0.95, min_cases)
    return gap_sentence(SELECTION_RATE, gap, rates, ["a", "b", "c"], 0.95, min_cases)


class TestGapSentence:
    def test_the_pair_is_named_with_its_values(self):
        says = gap_of([1020, 1082, 6], [1502, 1281, 11])
        assert says.startswith("b (84.5%) and a (67.9%) differ most, by 16.6 points; the largest")
        assert "Surest" not in says

    def test_the_surest_pair_is_named_if_it_is_another(self):
        says = gap_of([1020, 1082, 6], [1502, 1281, 11], min_cases=10)
        assert says.startswith("b (84.5%) and c (54.5%) differ most, by 29.9 points")
        assert "Surest is that of b (84.5%) and a (67.9%): 12." in says

    def test_zero_in_the_interval_is_not_called_chance(self):
        says = gap_of([50, 55, 52], [100, 100, 100])
        assert "these data do not show a difference between groups, nor that there is none" in says
        assert "chance" not in says
        assert gap_of([0, 0, 0], [50, 50, 50]).startswith("All groups have the same, 0.0%: these")

    def test_too_few(self):
        assert gap_of([5, 5, 50], [10, 10, 100]) == (
            "Fewer than two groups have 30 cases of this measure: nothing to compare."
        )


def test_numbers_are_rounded_in_one_place():
    assert percent(0.2756) == find_measure("selection rate by sex").format(0.2756) == "27.6%"
    assert find_measure("change of job").format(0.2756) == "27.6%"
    assert SELECTION_RATE.format_difference(0.2756) == "27.6"
    assert find_measure("selection rate ratio, test part").format(0.7996) == "0.800"
    assert BURDEN.format(0.00123) == "0.0012"
    assert BURDEN.format(np.nan) == SELECTION_RATE.format_difference(np.nan) == "–"


def test_measures_are_found_by_name_whatever_follows():
    for measure in MEASURES:
        for suffix in ("", " by sex", ", training part"):
            assert find_measure(measure.name + suffix) is measure
    assert find_measure("burdens") == Measure("burdens")


@pytest.fixture(scope="module")
def report():
    X, y, group = make_biased_classification(900, n_features=3, n_informative=3, random_state=0)
    group = np.where(np.arange(900) < 20, "few", group)
    one, other = LogisticRegression().fit(X, y), LogisticRegression(C=0.01).fit(X, y)
    return AuditReport.from_estimator(
        one, X, y, sensitive_features=group, baseline=other, max_people=100, random_state=0
    )


def test_six_to_eight_sentences_say_what_matters(report):
    says = sentences(report.to_frame(), report.about)
    assert 5 <= len(says) <= 8
    assert "1 group has fewer than 30 people: listed in gray, and not compared." in says[0]
    assert "AUC 0." in says[1]
    assert "of model" in says[1]
    assert "of baseline" in says[1]
    frame = report.to_frame().set_index(["measure", "group", "model"])
    for start, measure in (
        ("Selection", "selection rate"),
        ("True", "true positive rate"),
        ("False", "false positive rate"),
        ("Recourse", "burden"),
    ):
        (line,) = (line for line in says if line.startswith(start))
        assert frame.loc[(measure, "gap", "model"), "meaning"] in line
        gap = frame.loc[(measure, "gap", "baseline"), "value"]
        assert f"With baseline: {find_measure(measure).format_difference(gap)}" in line
        assert "few" not in line


def test_few_people_are_counted_not_extrapolated(report):
    frame = report.to_frame()
    few = frame[(frame["group"] == "few") & (frame["measure"] == "selection rate")]
    for row in few.itertuples():
        assert row.meaning == (
            f"{round(20 * row.value)} of 20 people in group few are accepted: too few to compare."
        )
    assert not frame.loc[frame["group"] == "few", "meaning"].str.contains("Of 100").any()
    assert f"{round(20 * few['value'].iloc[0])} of 20</span>" in report.to_html()
    ratio = frame[(frame["group"] == "few") & (frame["measure"] == "selection rate ratio")]
    assert ratio["value"].isna().all()


def test_ratios_are_of_selection_rates_and_the_line_is_marked():
    X = np.repeat([[1], [0], [1], [0]], [300, 100, 120, 280], axis=0)
    y, group = X[:, 0], np.repeat(["a", "b"], 400)
    model = LogisticRegression(C=100).fit(X, y)
    report = AuditReport.from_estimator(
        model, X, y, sensitive_features=group, max_people=5, random_state=0
    )
    frame = report.to_frame().set_index(["measure", "group"])
    ratio = frame.loc[("selection rate ratio", "b")]
    assert ratio["value"] == pytest.approx(120 / 300)
    assert ratio["meaning"] == (
        "Group b is accepted 0.400 times as often as a, the group accepted most: less than four "
        "fifths."
    )
    assert "▼ 0.400" in report.to_html()
    assert "1 is accepted less than four fifths" in sentences(report.to_frame(), report.about)[2]
