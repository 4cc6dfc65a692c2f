"""Displays draw what they are given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import auc
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfair import FaiRNClassifier
from skfair.displays import (
    HistoryDisplay,
    LambdaHeatmapDisplay,
    ParetoDisplay,
    RecourseGapDisplay,
    SensitivityDisplay,
    SubgroupDisplay,
)
from skfair.displays._base import shorten_label
from skfair.metrics import (
    make_fairness_scorer,
    prediction_sensitivity,
    recourse_gap,
    subgroup_report,
)

plt = pytest.importorskip("matplotlib.pyplot", reason="needs matplotlib, the extra plot")


@pytest.fixture(autouse=True)
def figures():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def logistic(biased):
    X, y, group = biased
    return LogisticRegression().fit(X, y), X, y, group


@pytest.fixture(scope="module")
def network(biased):
    X, y, group = biased
    model = FaiRNClassifier(max_epochs=4, early_stopping=True, random_state=0)
    return model.fit(X, y, sensitive_features=group)


@pytest.fixture(scope="module")
def search(biased):
    X, y, group = biased
    X = np.column_stack([X, group == "a"])
    grid = {
        "fairnclassifier__lambda_fairness": [0.0, 0.5, 1.0],
        "fairnclassifier__lambda_robustness": [0.0, 0.1],
    }
    model = FaiRNClassifier(sensitive_columns=-1, max_epochs=2, random_state=0)
    scoring = {
        "accuracy": "accuracy",
        "neg_recourse_gap": make_fairness_scorer("recourse_gap", sensitive_columns=-1),
    }
    pipe = make_pipeline(StandardScaler(), model)
    return GridSearchCV(pipe, grid, scoring=scoring, refit="accuracy", cv=2).fit(X, y)


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_recourse_gap(logistic):
    model, X, _, group = logistic
    display = RecourseGapDisplay.from_estimator(model, X, sensitive_features=group, bins=10)
    decision = model.decision_function(X)
    assert display.gap == recourse_gap(decision, sensitive_features=group)
    assert abs(display.means["a"] - display.means["b"]) == pytest.approx(display.gap)
    refused = (decision < 0) & (group == "a")
    assert np.sort(display.distances["a"]) == pytest.approx(np.sort(-decision[refused]))
    assert len(display.ax_.patches) == 20
    assert display.ax_.get_title() == f"recourse gap {display.gap:.3f}"
    missing = pd.Series(group).where(np.arange(len(group)) > 0)
    with pytest.warns(UserWarning, match="missing in 1 of"):
        RecourseGapDisplay.from_predictions(decision, sensitive_features=missing)


def test_of_many_groups_the_two_with_the_largest_recourse_gap_are_named():
    decision, group = [-3.0, 1.0, -1.0, 2.0, -0.5, 3.0], list("aabbcc")
    display = RecourseGapDisplay.from_predictions(decision, sensitive_features=group)
    assert display.gap == 1.25
    assert display.ax_.get_title() == "recourse gap 1.250\n(a / c)"


def test_sensitivity(logistic):
    model, X, y, _ = logistic
    other = LogisticRegression().fit(X[:, 1:], y)

    class Blind:
        def predict(self, X):
            return other.predict(X[:, 1:])

    display = SensitivityDisplay.from_estimator(model, X, sensitive_columns=0, match=Blind())
    expected = prediction_sensitivity(model, X, sensitive_columns=0)
    assert np.array_equal(display.sensitivity, expected)
    match = model.predict(X) == other.predict(X[:, 1:])
    assert np.array_equal(display.match, match)
    assert texts(display.ax_)[0] == f"matching, mean {expected[match].mean():.3g}"
    curve = display.plot(kind="roc").ax_.lines[0]
    assert auc(*curve.get_data()) == pytest.approx(display.roc_auc)
    assert SensitivityDisplay.from_predictions(expected).roc_auc is None
    with pytest.raises(ValueError, match="needs match with both"):
        SensitivityDisplay.from_predictions(expected, kind="roc")
    with pytest.raises(ValueError, match="'hist' or 'roc', got 'box'"):
        SensitivityDisplay.from_predictions(expected, kind="box")


def test_history(network):
    display = HistoryDisplay.from_estimator(network, columns=["fairness", "valid_fairness"])
    train, valid = display.ax_.lines
    assert np.array_equal(train.get_ydata(), network.history_["fairness"])
    assert (train.get_linestyle(), valid.get_linestyle()) == ("-", "--")
    assert train.get_color() == valid.get_color()
    assert "train_loss" in texts(HistoryDisplay.from_predictions(network.history_).ax_)
    with pytest.raises(ValueError, match=r"columns=\['x'\] are not in the history, which has"):
        display.plot(columns=["x"])
    with pytest.raises(ValueError, match="LogisticRegression has no history_"):
        HistoryDisplay.from_estimator(LogisticRegression().fit([[0], [1]], [0, 1]))


def test_heat_map(search):
    display = LambdaHeatmapDisplay.from_estimator(search, score="neg_recourse_gap")
    assert display.scores.shape == (3, 2)
    expected = search.cv_results_["mean_test_neg_recourse_gap"].reshape(3, 2)
    np.testing.assert_allclose(display.scores, expected)
    assert len(display.ax_.texts) == 6
    assert display.ax_.get_ylabel() == "lambda_fairness"
    with pytest.raises(ValueError, match=r"no 'auc'; it has \['accuracy', 'neg_recourse_gap'\]"):
        LambdaHeatmapDisplay.from_estimator(search, score="auc")
    with pytest.raises(ValueError, match="Say which parameter to plot: the search has"):
        LambdaHeatmapDisplay.from_predictions({"param_C": [1], "mean_test_score": [1.0]})


def test_pareto(search):
    display = ParetoDisplay.from_estimator(search)
    accuracy = search.cv_results_["mean_test_accuracy"]
    gap = -search.cv_results_["mean_test_neg_recourse_gap"]
    points = np.column_stack([accuracy, gap])
    front = [
        i
        for i, (a, g) in enumerate(points)
        if not any((b >= a and h <= g) and (b > a or h < g) for b, h in points)
    ]
    assert sorted(display.front.tolist()) == front
    candidates, chosen = display.ax_.collections
    np.testing.assert_allclose(candidates.get_offsets(), np.column_stack([gap, accuracy]))
    i = search.best_index_
    np.testing.assert_allclose(chosen.get_offsets(), [[gap[i], accuracy[i]]])
    assert display.ax_.get_xlabel() == "recourse gap"


def test_subgroups(logistic):
    model, X, y, group = logistic
    display = SubgroupDisplay.from_estimator(
        model, X, y, sensitive_features=group, metric="accuracy", max_depth=1
    )
    expected = subgroup_report(y, model.predict(X), sensitive_features=group, max_depth=1)
    pd.testing.assert_frame_equal(display.report, expected)
    labels = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert labels == [f"{g} ({n})" for g, n in expected[["group", "size"]].values[::-1]]
    assert len(display.plot(max_groups=1).ax_.get_yticklabels()) == 1


def test_given_axes_are_used(logistic):
    model, X, _, group = logistic
    figure, axes = plt.subplots(1, 2)
    display = RecourseGapDisplay.from_estimator(model, X, sensitive_features=group, ax=axes[1])
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert not axes[0].has_data()


LONG = "Female & Amer-Indian-Eskimo & Married-spouse-absent & Other-relative & 35-44"


@pytest.mark.parametrize("name", ["short", LONG, "cost $5 and $7", "two\nlines"])
def test_long_names_leave_the_axes_room(name):
    rng = np.random.default_rng(0)
    y, predicted = rng.integers(0, 2, (2, 200))
    group = np.where(rng.random(200) < 0.5, name, "b")
    displays = [
        SubgroupDisplay.from_predictions(y, predicted, sensitive_features=group),
        RecourseGapDisplay.from_predictions(rng.normal(size=200), sensitive_features=group),
    ]
    for display in displays:
        display.figure_.set_layout_engine("constrained")
        display.figure_.canvas.draw()
        box = display.ax_.get_position()
        assert box.width > 0.4
        assert box.height > 0.4
    assert set(displays[1].distances) == {name, "b"}  # the numbers keep the whole name
    assert all(
        len(label.get_text()) < 55
        for display in displays
        for label in display.ax_.get_yticklabels()
    )


def test_a_shortened_name_keeps_both_ends():
    assert shorten_label("a" * 40) == "a" * 40
    shown = shorten_label(LONG)
    assert len(shown) == 40
    assert shown.startswith("Female & Amer")
    assert shown.endswith("35-44")
    assert shorten_label("$x$") == r"\$x\$"


def test_displays_take_the_unfavorable_class(biased):
    X, y, group = biased
    model, turned = LogisticRegression().fit(X, y), LogisticRegression().fit(X, 1 - y)
    expected = RecourseGapDisplay.from_estimator(model, X, sensitive_features=group).gap
    found = RecourseGapDisplay.from_estimator(
        turned, X, sensitive_features=group, unfavorable=1
    ).gap
    assert found == pytest.approx(expected)
    told = {"sensitive_features": group, "metric": "true_positive_rate"}
    expected = SubgroupDisplay.from_estimator(model, X, y, **told).report
    found = SubgroupDisplay.from_estimator(turned, X, 1 - y, unfavorable=1, **told).report
    pd.testing.assert_frame_equal(found, expected)
    network = FaiRNClassifier(unfavorable=1, max_epochs=2, random_state=0)
    network.fit(X, y, sensitive_features=group)
    report = SubgroupDisplay.from_estimator(network, X, y, **told).report
    accepted = network.predict(X) == 0
    rates = {f"0={g}": accepted[(group == g) & (y == 0)].mean() for g in "ab"}
    assert report.set_index("group")["value"].to_dict() == pytest.approx(rates)


def test_a_thousand_classes_have_distances_and_a_recourse_gap():
    rng = np.random.default_rng(0)
    decision, group = rng.normal(size=(60, 1000)), np.array(["a", "b"] * 30)
    display = RecourseGapDisplay.from_predictions(
        decision, sensitive_features=group, unfavorable=list(range(500))
    )
    top = np.sort(decision, axis=1)
    burden = np.where(decision.argmax(axis=1) < 500, top[:, -1] - top[:, -2], 0)
    expected = abs(burden[group == "a"].mean() - burden[group == "b"].mean())
    assert display.gap == pytest.approx(expected)
