from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skfair.metrics import fairness_index, recourse_gap, robustness_index

# what is drawn at random may be one-sided
pytestmark = pytest.mark.filterwarnings("ignore:(Everybody|Nobody) is refused")

METRICS = [recourse_gap, fairness_index, robustness_index]


def numpy_gap(decision, groups, weights=None, unfavorable=0, aggregate="max"):
    """FaiR-N, Eq. 16, for two classes: the mean of max(0, -d) over all members of a group."""
    sign = -1 if unfavorable == 0 else 1
    burden = np.maximum(0, sign * np.asarray(decision))
    weights = np.ones(len(burden)) if weights is None else np.asarray(weights)
    means = [
        np.average(burden[groups == g], weights=weights[groups == g]) for g in np.unique(groups)
    ]
    if aggregate == "share":
        shares = [weights[groups == g].sum() / weights.sum() for g in np.unique(groups)]
        center = np.dot(shares, means)
        return 2 * sum(pi * abs(m - center) for pi, m in zip(shares, means, strict=True))
    return {"max": max, "sum": sum}[aggregate](abs(a - b) for a, b in combinations(means, 2))


@pytest.mark.parametrize("aggregate", ["max", "share", "sum"])
def test_many_groups_in_one_number(aggregate):
    rng = np.random.default_rng(0)
    decision, groups, weights = rng.normal(size=60), rng.integers(0, 5, 60), rng.random(60)
    for w in (None, weights):
        found = recourse_gap(
            decision, sensitive_features=groups, sample_weight=w, aggregate=aggregate
        )
        assert found == close(numpy_gap(decision, groups, w, aggregate=aggregate))
        index = fairness_index(
            decision, sensitive_features=groups, sample_weight=w, aggregate=aggregate
        )
        assert index == close(np.exp(-found))


@pytest.mark.parametrize("aggregate", ["max", "sum"])
def test_for_two_groups_largest_difference_and_sum_are_the_same(aggregate):
    assert recourse_gap(DECISION, sensitive_features=GROUPS, aggregate=aggregate) == 1.0


def test_an_unknown_aggregate_is_named():
    with pytest.raises(ValueError, match=r"aggregate must be one of .*'share'.*got 'mean'"):
        recourse_gap(DECISION, sensitive_features=GROUPS, aggregate="mean")


@st.composite
def people(draw):
    """Decision values and group codes of 4 to 20 people, all of 2 to 4 groups present."""
    n_groups = draw(st.integers(2, 4))
    n = draw(st.integers(n_groups + 2, 20))
    decision = draw(st.lists(st.floats(-5, 5), min_size=n, max_size=n))
    rest = draw(
        st.lists(st.integers(0, n_groups - 1), min_size=n - n_groups, max_size=n - n_groups)
    )
    return np.array(decision), np.array([*range(n_groups), *rest])


few = settings(max_examples=25, deadline=None)
close = pytest.approx  # sums of up to 60 numbers below 5 in float64: far below 1e-10


@few
@given(people(), st.sampled_from([0, 1]), st.booleans())
def test_gap_equals_a_direct_reading_of_equation_16(data, unfavorable, weighted):
    decision, groups = data
    weights = np.linspace(0.5, 2, len(decision)) if weighted else None
    ours = recourse_gap(
        decision, sensitive_features=groups, sample_weight=weights, unfavorable=unfavorable
    )
    assert isinstance(ours, float)
    assert ours == close(numpy_gap(decision, groups, weights, unfavorable), abs=1e-10)


@few
@given(people(), st.permutations(["x", "b", "a", "z"]))
def test_gap_is_invariant_to_group_relabeling(data, names):
    decision, groups = data
    renamed = [names[g] for g in groups]
    assert recourse_gap(decision, sensitive_features=renamed) == close(
        recourse_gap(decision, sensitive_features=groups), abs=1e-10
    )


@few
@given(people(), st.randoms(use_true_random=False))
def test_gap_is_invariant_to_row_permutation(data, random):
    decision, groups = data
    order = list(range(len(decision)))
    random.shuffle(order)
    assert recourse_gap(decision[order], sensitive_features=groups[order]) == close(
        recourse_gap(decision, sensitive_features=groups), abs=1e-10
    )


@few
@given(people(), st.integers(0, 2**32 - 1))
def test_rows_repeated_equal_integer_weights(data, seed):
    decision, groups = data
    times = np.random.default_rng(seed).integers(1, 4, len(decision))
    repeated, their_groups = np.repeat(decision, times), np.repeat(groups, times)
    for metric in METRICS:
        by_rows = metric(repeated, sensitive_features=their_groups)
        by_weight = metric(decision, sensitive_features=groups, sample_weight=times)
        assert by_rows == close(by_weight, abs=1e-10)


@few
@given(people(), st.integers(2, 3))
def test_every_row_repeated_equally_often_changes_nothing(data, k):
    decision, groups = data
    for metric in METRICS:
        once = metric(decision, sensitive_features=groups)
        often = metric(np.tile(decision, k), sensitive_features=np.tile(groups, k))
        assert often == close(once, abs=1e-10)


@few
@given(people())
def test_fairness_index_is_exp_of_minus_the_gap(data):
    decision, groups = data
    gap = numpy_gap(decision, groups)
    assert fairness_index(decision, sensitive_features=groups) == close(np.exp(-gap), abs=1e-10)


@few
@given(people(), st.booleans())
def test_robustness_index_is_the_mean_distance_and_needs_no_groups(data, weighted):
    decision, groups = data
    weights = np.linspace(0.5, 2, len(decision)) if weighted else None
    expected = np.average(np.abs(decision), weights=weights)
    assert robustness_index(decision, sample_weight=weights) == close(expected, abs=1e-10)
    assert robustness_index(decision, sensitive_features=groups, sample_weight=weights) == close(
        expected, abs=1e-10
    )


def test_gap_scales_with_the_decision():
    rng = np.random.default_rng(0)
    decision, groups = rng.normal(size=30), rng.integers(0, 3, 30)
    assert recourse_gap(4 * decision, sensitive_features=groups) == close(
        4 * recourse_gap(decision, sensitive_features=groups)
    )


DECISION, GROUPS = np.array([-3.0, 1.0, -1.0, 2.0]), np.array(["a", "a", "b", "b"])


@pytest.mark.parametrize("classes", [None, [0, 1], ["no", "yes"], [False, True]])
def test_unfavorable_label_chooses_the_side_of_the_boundary(classes):
    first, second = [0, 1] if classes is None else classes

    def gap(unfavorable):
        return recourse_gap(
            DECISION, sensitive_features=GROUPS, classes=classes, unfavorable=unfavorable
        )

    assert gap(None) == gap(first) == gap([first]) == 1.0  # |3 / 2 - 1 / 2|
    assert gap(second) == 0.5  # |1 / 2 - 2 / 2|
    flipped = recourse_gap(-DECISION, sensitive_features=GROUPS)
    assert gap(second) == flipped


LOGITS = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 1.5], [0.0, 1.0, 5.0], [2.0, 0.0, 1.0]])
# predicted classes 0, 1, 2, 0; top minus runner-up 2, 0.5, 4, 1; groups a, a, b, b


@pytest.mark.parametrize(
    ("unfavorable", "expected"),
    [
        (None, 2 / 2 - 1 / 2),
        ("c0", 2 / 2 - 1 / 2),
        ("c1", 0.5 / 2),
        (["c2"], 4 / 2),
        (["c0", "c2"], (4 + 1) / 2 - 2 / 2),
        (["c2", "c1"], 4 / 2 - 0.5 / 2),
    ],
)
def test_with_several_classes_the_refused_are_as_far_as_their_lead_over_the_runner_up(
    unfavorable, expected
):
    ours = recourse_gap(
        LOGITS,
        sensitive_features=GROUPS,
        unfavorable=unfavorable,
        classes=["c0", "c1", "c2"],
    )
    assert ours == close(expected, abs=1e-12)
    assert robustness_index(LOGITS) == (2 + 0.5 + 4 + 1) / 4


def test_adding_a_constant_to_all_logits_of_a_row_changes_nothing():
    shifted = LOGITS + np.array([[1.0], [-2.0], [0.5], [3.0]])
    for metric in METRICS:
        assert metric(shifted, sensitive_features=GROUPS) == close(
            metric(LOGITS, sensitive_features=GROUPS)
        )


@pytest.mark.parametrize("metric", METRICS)
def test_one_column_and_two_logits_mean_the_same_as_a_vector(metric):
    expected = metric(DECISION, sensitive_features=GROUPS)
    two = np.column_stack([np.full(4, 0.5), DECISION + 0.5])
    for same in (DECISION[:, None], two, DECISION.tolist(), DECISION.astype(np.float32)):
        assert metric(same, sensitive_features=GROUPS) == close(expected, abs=1e-12)


def test_several_attributes_by_intersection_or_sum():
    rng = np.random.default_rng(0)
    decision = rng.normal(size=40)
    frame = pd.DataFrame({"sex": rng.choice(["f", "m"], 40), "race": rng.integers(0, 3, 40)})
    cells = frame.groupby(["sex", "race"]).ngroup().to_numpy()
    assert recourse_gap(decision, sensitive_features=frame) == close(numpy_gap(decision, cells))
    by_sum = recourse_gap(decision, sensitive_features=frame, attributes="sum")
    expected = sum(numpy_gap(decision, frame[name].to_numpy()) for name in frame)
    assert by_sum == close(expected)
    assert fairness_index(decision, sensitive_features=frame, attributes="sum") == close(
        np.exp(-expected)
    )


def test_rows_without_a_group_are_left_out_with_a_warning():
    with pytest.warns(UserWarning, match="missing in 1 of 5 rows"):
        gap = recourse_gap([*DECISION, -100.0], sensitive_features=[*GROUPS, None])
    assert gap == recourse_gap(DECISION, sensitive_features=GROUPS)


def test_inputs_are_left_as_they_were():
    decision, weights = DECISION.copy(), np.ones(4)
    decision.setflags(write=False)
    weights.setflags(write=False)
    for metric in METRICS:
        metric(decision, sensitive_features=GROUPS, sample_weight=weights)
    assert np.array_equal(decision, DECISION)


@pytest.mark.parametrize("metric", [recourse_gap, fairness_index])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sensitive_features": ["a", "b"]}, "got 2 rows for 4 samples"),
        ({"sensitive_features": ["a"] * 4}, "only one group"),
        ({"unfavorable": 2}, "unfavorable=2 names .* classes"),
        ({"unfavorable": [0, 1]}, "not all of the classes"),
        ({"unfavorable": []}, "at least one"),
        ({"unfavorable": "no", "classes": ["No", "Yes"]}, r"'no' names .*\['No', 'Yes'\]"),
        ({"classes": [0, 1, 2]}, "classes has 3 labels for 2 columns"),
    ],
)
def test_wrong_groups_or_classes_are_refused(metric, arguments, message):
    with pytest.raises(ValueError, match=message):
        metric(DECISION, **({"sensitive_features": GROUPS} | arguments))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("decision", "weights", "message"),
    [
        ([-3.0, np.nan, 1.0, 2.0], None, "decision contains NaN"),
        ([-3.0, np.inf, 1.0, 2.0], None, "decision contains infinity"),
        (np.zeros((4, 2, 2)), None, "dim 3"),
        (DECISION, [1, 1, 1], "sample_weight"),
        (DECISION, [1, 1, 1, -1], "Negative"),
        (DECISION, [1, 1, 1, np.nan], "NaN"),
    ],
    ids=["NaN", "infinite", "3-d", "too few weights", "negative weight", "NaN weight"],
)
def test_wrong_decisions_or_weights_are_refused(metric, decision, weights, message):
    with pytest.raises(ValueError, match=message):
        metric(decision, sensitive_features=GROUPS, sample_weight=weights)
