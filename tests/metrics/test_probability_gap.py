"""Gaps of predicted probabilities; what PenaltyClassifier minimizes is tested with it."""

import warnings

import numpy as np
import pandas as pd
import pytest

from skfair.metrics import probability_gap

GROUP = list("aabb")
LABELS = [(0, 1), (1, 2), (-1, 1), ("no", "yes"), (False, True), (0.0, 1.0)]


def sigmoid(d):
    return 1 / (1 + np.exp(-np.asarray(d)))


@pytest.mark.parametrize("labels", LABELS, ids=str)
@pytest.mark.parametrize("as_given", [list, np.array, pd.Series, lambda y: np.array(y)[:, None]])
def test_labels_may_be_called_anything(labels, as_given):
    decision, y = [0.0, 1.0, 2.0, 2.5], [labels[k] for k in (0, 1, 0, 1)]
    p = sigmoid(decision)
    values = {
        "equal_opportunity": p[3] - p[1],
        "equalized_odds": p[2] - p[0] + p[3] - p[1],
        "predictive_parity": abs(p[1] / (p[0] + p[1]) - p[3] / (p[2] + p[3])),
        "demographic_parity": (p[2] + p[3] - p[0] - p[1]) / 2,
        "disparate_impact": -(p[0] + p[1]) / (p[2] + p[3]),
    }
    for criterion, value in values.items():
        found = probability_gap(
            decision, as_given(y), sensitive_features=GROUP, criterion=criterion
        )
        assert found == pytest.approx(value), criterion


@pytest.mark.parametrize("labels", LABELS, ids=str)
@pytest.mark.parametrize(
    "criterion", ["equal_opportunity", "predictive_parity", "disparate_impact"]
)
def test_the_unfavorable_class_is_not_the_positive_one(labels, criterion):
    decision, y = np.array([0.0, 1.0, 2.0, 2.5]), np.array([0, 1, 0, 1])
    expected = probability_gap(decision, y, sensitive_features=GROUP, criterion=criterion)
    turned = np.array(labels)[1 - y]
    for logits in (-decision, np.column_stack([decision, 0 * decision])):
        found = probability_gap(
            logits,
            turned,
            sensitive_features=GROUP,
            criterion=criterion,
            unfavorable=labels[1],
        )
        assert found == pytest.approx(expected)


@pytest.mark.parametrize(("label", "classes"), [(1, None), (1, (0, 1)), ("yes", ("no", "yes"))])
def test_of_one_class_the_other_is_named_or_known(label, classes):
    found = probability_gap(
        [0.0, 1, 2, 3],
        [label] * 4,
        sensitive_features=GROUP,
        criterion="equal_opportunity",
        classes=classes,
    )
    assert found == pytest.approx(sigmoid([2, 3]).mean() - sigmoid([0, 1]).mean())


@pytest.mark.parametrize(
    ("y", "arguments", "message"),
    [
        (
            ["yes"] * 4,
            {},
            r"y_true must have labels of two classes, got 1 different one; name them by",
        ),
        ([0, 1, 2, 1], {}, r"two classes, got \[0, 1, 2\]"),
        ([0.1, 0.2, 0.3, 0.4], {"classes": (0, 1)}, r"y_true contains \[0.1, 0.2, 0.3, 0.4\]"),
        ([0, 1, 0, None], {}, "y_true"),
        ([0, 1, 0, 1], {"classes": (0, 1, 2)}, "classes must name two classes"),
        ([0, 1, 0, 1], {"unfavorable": 2}, r"unfavorable=2 names .*\[0, 1\]"),
        ([[0, 1]] * 4, {}, "y_true must hold one label a row"),
    ],
)
def test_other_labels_are_errors(y, arguments, message):
    with pytest.raises(ValueError, match=message):
        probability_gap(
            [0.0, 1, 2, 3], y, sensitive_features=GROUP, criterion="equalized_odds", **arguments
        )


def test_many_other_labels_are_not_printed():
    y = np.arange(100) / 7
    with pytest.raises(ValueError, match="got 100 different ones"):
        probability_gap(y, y, sensitive_features=["a", "b"] * 50, criterion="equalized_odds")


@pytest.mark.parametrize(
    ("criterion", "y", "kind"),
    [
        ("equal_opportunity", [0, 0, 0, 1], "positive"),
        ("equalized_odds", [1, 1, 0, 1], "negative"),
        ("equalized_odds", [0, 0, 0, 1], "positive"),
    ],
)
def test_a_group_without_cases_is_no_parity(criterion, y, kind):
    with pytest.warns(UserWarning, match=f"the group 'a' has no {kind} cases; NaN"):
        gap = probability_gap([0.0, 1, 2, 3], y, sensitive_features=GROUP, criterion=criterion)
    assert np.isnan(gap)


def test_a_group_whose_cases_weigh_nothing_has_none():
    with pytest.warns(UserWarning, match="the group 'a' has no positive cases"):
        gap = probability_gap(
            [0.0, 1, 2, 3],
            [0, 1, 0, 1],
            sensitive_features=GROUP,
            criterion="equal_opportunity",
            sample_weight=[1, 0, 1, 1],
        )
    assert np.isnan(gap)


@pytest.mark.parametrize("criterion", ["demographic_parity", "disparate_impact"])
def test_what_looks_at_no_label_takes_any(criterion):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gaps = [
            probability_gap([0.0, 1, 2, 3], y, sensitive_features=GROUP, criterion=criterion)
            for y in ([0, 0, 0, 1], ["x", "y", "z", "x"])
        ]
    assert gaps[0] == gaps[1]


def test_more_than_two_columns_are_refused():
    with pytest.raises(ValueError, match="decision must be of two classes, got 3 columns"):
        probability_gap(np.zeros((4, 3)), [0, 1, 0, 1], sensitive_features=GROUP)
