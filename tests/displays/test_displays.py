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
from skfair.displays._base import shorten_label, shorten_labels, wrap_label
from skfair.metrics import (
    make_fairness_scorer,
    prediction_sensitivity,
    recourse_gap,
    subgroup_report,
)
from skfair.model_selection import best_under_constraint

# what is drawn need not be good
pytestmark = pytest.mark.filterwarnings("ignore:sensitive_features. 0 holds")

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


def test_many_groups_get_a_row_each():
    rng = np.random.default_rng(0)
    group = np.repeat(list("abcde"), 40)
    decision = rng.normal(size=200) - (group == "c")
    decision[group == "e"] = 1.0  # nobody is refused
    display = RecourseGapDisplay.from_predictions(decision, sensitive_features=group)
    assert not display.ax_.patches
    rows = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert rows == sorted("abcde", key=display.means.__getitem__)
    means = display.ax_.lines[0].get_xdata()
    assert list(means) == sorted(display.means.values())
    assert texts(display.ax_)[-1] == "mean over all members"
    assert display.ax_.get_title(loc="right").endswith("first to last row")


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
    every = HistoryDisplay.from_estimator(network)
    terms = ["train_loss", "cross_entropy", "fairness", "robustness"]
    assert [ax.get_title() for ax in every.axes_] == terms  # a panel each, both kinds of rows in it
    (legend,) = every.figure_.legends
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown == ["training rows", "held-out rows", "warm-up"]
    assert every.warmup_epochs == pytest.approx(network.warmup * network.max_epochs, abs=0.5)
    _, ax = plt.subplots()
    together = HistoryDisplay.from_predictions(network.history_, ax=ax)
    assert together.axes_ == [ax]
    assert {"train_loss", "valid_fairness"} <= {*texts(ax)}
    with pytest.raises(ValueError, match=r"columns=\['x'\] are not in the history, which has"):
        display.plot(columns=["x"])
    with pytest.raises(ValueError, match="LogisticRegression has no history_"):
        HistoryDisplay.from_estimator(LogisticRegression().fit([[0], [1]], [0, 1]))


def test_heat_map(search):
    display = LambdaHeatmapDisplay.from_estimator(search, score="neg_recourse_gap")
    assert display.scores.shape == (3, 2)
    expected = search.cv_results_["mean_test_neg_recourse_gap"].reshape(3, 2)
    np.testing.assert_allclose(display.scores, expected)
    image = display.ax_.images[0]
    np.testing.assert_allclose(image.get_array(), -expected)  # a gap is shown as one
    written = [text.get_text() for text in display.ax_.texts]
    assert written == [f"{-value:.2f}" for value in expected.ravel()]
    assert display.ax_.get_ylabel() == "lambda_fairness"
    assert display.figure_.axes[1].get_ylabel() == "recourse gap"
    brightness = image.to_rgba(-expected)[..., :3].mean(axis=-1).ravel()
    assert np.array_equal(np.argsort(brightness), np.argsort(expected.ravel()))
    accuracy = LambdaHeatmapDisplay.from_estimator(search, score="accuracy").ax_.images[0]
    np.testing.assert_allclose(
        accuracy.get_array().ravel(), search.cv_results_["mean_test_accuracy"]
    )
    with pytest.raises(
        ValueError, match=r"no scorer 'auc'; its scorers are \['accuracy', 'neg_recourse_gap'\]"
    ):
        LambdaHeatmapDisplay.from_estimator(search, score="auc")
    with pytest.raises(ValueError, match=r"no parameter 'x'; it has \['C'\]"):
        LambdaHeatmapDisplay.from_predictions({"param_C": [1], "mean_test_score": [1.0]}, first="x")
    with pytest.raises(ValueError, match="Say which parameter to plot: the search has"):
        LambdaHeatmapDisplay.from_predictions({"param_C": [1], "mean_test_score": [1.0]})


def lambdas(n_fairness, n_robustness, **scores):
    """Results of a grid, the second parameter changing fastest."""
    first, second = np.linspace(0, 1, n_fairness), np.linspace(0, 0.5, n_robustness)
    return {
        "param_lambda_fairness": np.repeat(first, n_robustness),
        "param_lambda_robustness": np.tile(second, n_fairness),
        **{f"mean_test_{name}": np.asarray(values, float) for name, values in scores.items()},
    }


def test_heat_map_marks_the_chosen_cell_and_constant_models(search):
    i = search.best_index_
    display = LambdaHeatmapDisplay.from_estimator(search, score="accuracy")
    assert display.chosen == divmod(i, 2)
    (frame,) = display.ax_.patches
    assert frame.get_xy() == (i % 2 - 0.5, i // 2 - 0.5)
    assert display.ax_.get_title(loc="left") == "frame: chosen"
    rates = [0.2, 0.0, 0.3, 0.2, 0.2, 1.0]
    results = lambdas(2, 3, accuracy=np.arange(6), acceptance_rate=rates)
    display = LambdaHeatmapDisplay.from_predictions(results, score="accuracy")
    assert display.constant.to_numpy().tolist() == [[False, True, False], [False, False, True]]
    (circles,) = display.ax_.collections
    assert len(circles.get_facecolor()) == 0  # hollow
    np.testing.assert_array_equal(np.rint(circles.get_offsets()), [[1, 0], [2, 1]])
    assert display.ax_.get_title(loc="left") == "circle: constant"
    plain = LambdaHeatmapDisplay.from_predictions(lambdas(2, 3, accuracy=rates), score="accuracy")
    assert not plain.ax_.patches
    assert not plain.ax_.collections
    assert plain.ax_.get_title(loc="left") == ""


@pytest.mark.parametrize("inches", [(7, 3), (3, 2.4)])
@pytest.mark.parametrize("n", [4, 11, 40])
def test_scores_are_written_where_cells_have_the_room(n, inches):
    results = lambdas(n, n, accuracy=np.linspace(0, 1, n * n))
    results["mean_test_accuracy"][1] = np.nan
    _, ax = plt.subplots(figsize=inches, layout="constrained")
    display = LambdaHeatmapDisplay.from_predictions(results, score="accuracy", ax=ax)
    assert len(ax.texts) == (0 if n == 40 or (n == 11 and inches[0] == 3) else n * n - 1)
    display.figure_.canvas.draw()
    width, height = ax.get_window_extent().size / n
    for text in ax.texts:
        box = text.get_window_extent()
        assert box.width < width
        assert box.height < 1.2 * height
    for axis in (ax.xaxis, ax.yaxis):
        boxes = [label.get_window_extent() for label in axis.get_ticklabels()]
        assert len(boxes) > 1
        assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[1:], strict=False))
    plt.close("all")
    assert len(display.plot(annotate=True).ax_.texts) == n * n - 1
    assert not display.plot(annotate=False).ax_.texts


def test_heat_map_takes_any_values_and_averages_over_the_rest():
    kinds = ["sgd", None, "sgd", None, "adam", "adam"]
    results = {
        "param_optimizer": np.array(kinds, dtype=object),
        "param_lr": [10, 2, 10, 2, 2, 2],
        "mean_test_score": [0.1, 0.2, 0.3, 0.4, np.nan, np.nan],
    }
    display = LambdaHeatmapDisplay.from_predictions(results, first="optimizer", second="lr")
    assert display.scores.index.tolist() == ["sgd", "None", "adam"]  # as in the search
    assert display.scores.columns.tolist() == [2, 10]
    expected = [[np.nan, 0.2], [0.3, np.nan], [np.nan, np.nan]]
    np.testing.assert_allclose(display.scores, expected)
    assert sorted(text.get_text() for text in display.ax_.texts) == ["0.20", "0.30"]
    frame = pd.DataFrame(results | {"param_optimizer": ["a", "b", "a", "b", "c", "c"]})
    of_frame = LambdaHeatmapDisplay.from_predictions(frame, first="optimizer", second="lr")
    np.testing.assert_allclose(of_frame.scores, expected)
    absent = results | {"param_lr": np.ma.array([10, 2, 10, 2, 0, 0], mask=[0, 0, 0, 0, 1, 1])}
    display = LambdaHeatmapDisplay.from_predictions(absent, first="optimizer", second="lr")
    assert display.scores.columns.tolist() == ["10", "2", "--"]
    both = {"param_a": [1, 2], "param_b": [1, 1], "mean_test_score": [0.5, 0.6]}
    assert LambdaHeatmapDisplay.from_predictions(both, first="a", second="b").scores.shape == (2, 1)


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
    assert texts(display.ax_) == ["candidates", "front", "chosen"]


@pytest.mark.parametrize("second", ["neg_gap", "index"])
def test_line_of_the_front_is_the_best_that_can_be_had(second):
    rng = np.random.default_rng(0)
    accuracy, other = rng.random((2, 30))
    other = -other if second == "neg_gap" else other
    results = {"mean_test_accuracy": accuracy, f"mean_test_{second}": other}
    (line,) = ParetoDisplay.from_predictions(results, second=second).ax_.lines
    x, y = line.get_xydata().T
    assert (np.diff(x) > 0).all()
    for at in rng.uniform(x[0], x[-1], 50):
        before = np.searchsorted(x, at)
        drawn = y[before - 1] if line.get_drawstyle() == "steps-post" else y[before]
        allowed = -other <= at if second == "neg_gap" else other >= at
        assert drawn == accuracy[allowed].max()


@pytest.mark.parametrize("limit", [0.3, -0.3])
def test_what_a_limit_rules_out_is_shaded(limit):
    results = {"mean_test_accuracy": [0.9, 0.8], "mean_test_neg_gap": [-0.5, -0.1]}
    ax = ParetoDisplay.from_predictions(results, second="neg_gap", limit=limit).ax_
    (shade,) = ax.patches
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == (0.3, ax.get_xlim()[1])
    assert "limit 0.3" in texts(ax)
    results = {"mean_test_accuracy": [0.9, 0.8], "mean_test_index": [0.5, 0.9]}
    ax = ParetoDisplay.from_predictions(results, second="index", limit=0.2).ax_
    (shade,) = ax.patches
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == (ax.get_xlim()[0], 0.2)
    assert ax.get_xlim()[0] < 0.2


def test_the_limit_of_the_rule_of_choice_is_shaded(biased):
    X, y, group = biased
    X = np.column_stack([X, group == "a"])
    gap = make_fairness_scorer("recourse_gap", sensitive_columns=-1)
    rule = best_under_constraint("accuracy", "neg_recourse_gap", threshold=-0.4)
    scoring = {"accuracy": "accuracy", "neg_recourse_gap": gap, "other": gap}
    search = GridSearchCV(LogisticRegression(), {"C": [1, 2]}, scoring=scoring, refit=rule, cv=2)
    search.fit(X, y)
    assert "limit 0.4" in texts(ParetoDisplay.from_estimator(search).ax_)
    assert "limit 0.1" in texts(ParetoDisplay.from_estimator(search, limit=0.1).ax_)
    assert not ParetoDisplay.from_estimator(search, second="other").ax_.patches


def test_constant_models_are_hollow_and_not_on_the_front():
    results = {
        "mean_test_accuracy": [0.9, 0.8, 0.76, np.nan],
        "mean_test_neg_gap": [-0.5, -0.1, 0.0, -0.1],
        "mean_test_acceptance_rate": [0.3, 0.2, 0.0, np.nan],
    }
    display = ParetoDisplay.from_predictions(results, second="neg_gap")
    assert display.front.tolist() == [1, 0]
    _, hollow = display.ax_.collections
    assert len(hollow.get_facecolor()) == 0
    np.testing.assert_array_equal(hollow.get_offsets(), [[0.0, 0.76]])
    assert "constant" in texts(display.ax_)
    nothing = {name: [np.nan] * 2 for name in ("mean_test_accuracy", "mean_test_neg_gap")}
    assert not ParetoDisplay.from_predictions(nothing, second="neg_gap").ax_.lines


def test_pictures_of_searches_with_long_names_fit_in_seven_by_three_inches():
    name = "neg_equalized_odds_difference_between_all_intersections_of_sex_race_and_age"
    results = lambdas(3, 3, **{name: -np.arange(9.0), "accuracy": np.arange(9)})
    results = {
        key.replace("param_", "param_a_step_with_a_long_name__and_a_parameter_with_one_"): value
        for key, value in results.items()
    }
    figure, axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
    LambdaHeatmapDisplay.from_predictions(results, score=name, chosen=4, ax=axes[0])
    ParetoDisplay.from_predictions(results, second=name, chosen=4, limit=3, ax=axes[1])
    figure.canvas.draw()
    for ax in figure.axes:
        for label in (ax.xaxis.label, ax.yaxis.label):
            box = label.get_window_extent()
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= figure.bbox.x1
            assert box.y1 <= figure.bbox.y1
    assert all(ax.get_position().width > 0.25 for ax in axes)


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


@pytest.mark.parametrize("n_groups", [2, 9, 30])
@pytest.mark.parametrize("inches", [None, (3, 2.4)])
def test_a_legend_hides_nothing_and_is_whole(n_groups, inches):
    rng = np.random.default_rng(0)
    y, predicted = rng.integers(0, 2, (2, 2000))
    names = np.array([f"a group with a name of its own, number {i}" for i in range(n_groups)])
    groups = names[rng.integers(0, n_groups, 2000)]

    def ax():
        return None if inches is None else plt.subplots(figsize=inches, layout="constrained")[1]

    of_rows = SubgroupDisplay.from_predictions(y, predicted, sensitive_features=groups, ax=ax())
    decision = rng.normal(size=2000)
    other = RecourseGapDisplay.from_predictions(decision, sensitive_features=groups, ax=ax())
    for display in (of_rows, other) if n_groups > 2 or inches else (of_rows,):
        figure, axes = display.figure_, display.ax_
        figure.canvas.draw()
        legend, box = axes.get_legend().get_window_extent(), axes.get_window_extent()
        assert not legend.overlaps(box)
        assert box.width > 0.2 * figure.bbox.width
        for shown in (legend, axes.xaxis.label.get_window_extent()):
            assert figure.bbox.x0 - 1 <= shown.x0
            assert figure.bbox.y0 - 1 <= shown.y0
            assert shown.x1 <= figure.bbox.x1 + 1
        labels = [label.get_window_extent() for label in axes.get_yticklabels()]
        assert n_groups == 30 or not any(
            one.overlaps(next_one) for one, next_one in zip(labels, labels[1:], strict=False)
        )


def test_what_is_shaded_is_faint_on_any_background(search):
    with plt.style.context("dark_background"):
        ax = ParetoDisplay.from_estimator(search, limit=0.4).ax_
    (shade,) = ax.patches
    assert shade.get_alpha() < 0.3


def test_epochs_that_miss_a_limit_have_no_monitor():
    history = pd.DataFrame({"epoch": [1, 2, 3], "monitor": [-1e6, 0.7, 0.8]})
    (line,) = HistoryDisplay.from_predictions(history).ax_.lines
    np.testing.assert_array_equal(line.get_ydata(), [np.nan, 0.7, 0.8])
    (point,) = HistoryDisplay.from_predictions(history[1:2]).ax_.lines
    assert point.get_marker() == "."  # a line from one point to itself is none


def test_shortened_names_are_told_apart():
    same = "of people who have all else in common, whatever it may be, and"
    names = [f"A group {same} are {sex} {same} {age} years old" for sex in "fm" for age in (18, 65)]
    assert shorten_labels(names, 18) == ["…f…18…", "…f…65…", "…m…18…", "…m…65…"]
    words = [f"{'a' * 40}{letter}{'b' * 40}" for letter in "xy"]
    assert shorten_labels([*words, "short"], 18) == [
        "…xbbbbbbb…bbbbbbbb",
        "…ybbbbbbb…bbbbbbbb",
        "short",
    ]
    longer = [f"{same} one", f"{same} one more of {same} one"]
    assert len(set(shorten_labels(longer, 20))) == 2
    assert shorten_labels(["x" * 50, "x" * 50], 20) == [shorten_label("x" * 50, 20)] * 2


def test_a_shortened_name_keeps_both_ends():
    assert shorten_label("a" * 40) == "a" * 40
    shown = shorten_label(LONG)
    assert len(shown) == 40
    assert shown.startswith("Female & Amer")
    assert shown.endswith("35-44")
    assert shorten_label("$x$") == r"\$x\$"
    assert wrap_label("one_name of_a column", 9) == "one_name\nof_a\ncolumn"
    assert wrap_label("a_name_without_spaces", 9) == "a_name_\nwithout_\nspaces"


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
