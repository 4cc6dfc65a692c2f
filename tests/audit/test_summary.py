"""Sentences of the first screen."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skfair.audit import AuditReport
from skfair.audit._measures import find_measure
from skfair.audit._summary import summary_sentences
from skfair.datasets import make_biased_classification


@pytest.fixture(scope="module")
def report():
    X, y, group = make_biased_classification(900, n_features=3, n_informative=3, random_state=0)
    group = np.where(np.arange(900) < 20, "few", group)
    one, other = LogisticRegression().fit(X, y), LogisticRegression(C=0.01).fit(X, y)
    return AuditReport.from_estimator(
        one, X, y, sensitive_features=group, baseline=other, max_people=100, random_state=0
    )


def test_six_to_eight_sentences_say_what_matters(report):
    says = summary_sentences(report.to_frame(), report.about)
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
    line = summary_sentences(report.to_frame(), report.about)[2]
    assert "1 is accepted less than four fifths" in line
