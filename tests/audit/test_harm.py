"""Somebody pays: where the report says so."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from skfair.audit import AuditReport

pytest.importorskip("matplotlib")


class Table(ClassifierMixin, BaseEstimator):
    """Decides as the column of that number says."""

    def __init__(self, column):
        self.column = column
        self.classes_ = np.array([0, 1])

    def predict(self, X):
        return X[:, self.column].astype(int)


def accepted(sizes, rates):
    return np.concatenate([np.arange(n) < round(r * n) for n, r in zip(sizes, rates, strict=True)])


SIZES = [400, 300, 100, 25]
GROUPS = np.repeat(["a", "b", "c", "d"], SIZES)
PLAIN = [0.5, 0.4, 0.3, 0.4]


def page_of(rates, baseline=True, favorable=PLAIN):
    """Return the text of the page about a model that accepts these shares of each group."""
    X = np.column_stack([accepted(SIZES, rates), accepted(SIZES, PLAIN)])
    report = AuditReport.from_estimator(
        Table(0),
        X,
        accepted(SIZES, favorable).astype(int),
        sensitive_features=GROUPS,
        baseline=Table(1) if baseline else None,
        headline=["The first line."],
        recourse={"max_iter": 1},
        max_people=10,
        random_state=0,
    )
    return report.to_html()


class TestReport:
    def test_who_pays_is_named_before_all_but_the_headline(self):
        text = page_of([0.5, 0.25, 0.0, 0.0])
        assert "model accepts nobody in c (100 people; 30.0% with baseline)." in text
        assert (
            "model accepts fewer by more than a third in b (300 people, 25.0%; 40.0% with "
            "baseline)." in text
        )
        order = ["The first line.", "Somebody pays.", "accepts nobody", "Audited on", "<table"]
        assert sorted(order, key=text.index) == order
        assert "accepts nobody in d" not in text  # 25 people

    def test_less_than_a_fifth(self):
        text = page_of([0.5, 0.4, 0.05, 0.4])
        assert "accepts hardly anybody in c (100 people, 5.0%; 30.0% with baseline)." in text

    def test_a_true_positive_rate_that_falls_although_the_selection_rate_does_not(self):
        sizes = SIZES
        X = np.column_stack([accepted(sizes, [0.5, 0.4, 0.3, 0.4]), accepted(sizes, PLAIN)])
        c = np.flatnonzero(GROUPS == "c")
        X[c, 0] = X[c[::-1], 1]  # as many, but others
        report = AuditReport.from_estimator(
            Table(0),
            X,
            accepted(sizes, PLAIN).astype(int),
            sensitive_features=GROUPS,
            baseline=Table(1),
            recourse={"max_iter": 1},
            max_people=10,
            random_state=0,
        )
        assert (
            "accepts fewer, by more than a third, of those with a favorable outcome in c (100 "
            "people, 0.0%; 100.0% with baseline)." in report.to_html()
        )

    def test_without_a_baseline_the_data_are_the_reference(self):
        text = page_of([0.5, 0.4, 0.0, 0.4], baseline=False)
        assert "accepts nobody in c (100 people; 30.0% of them had a favorable outcome)." in text

    @pytest.mark.parametrize("baseline", [True, False])
    def test_if_nobody_pays_nothing_is_said(self, baseline):
        assert "Somebody pays." not in page_of([0.5, 0.35, 0.25, 0.0], baseline)
