from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skfair.metrics import acceptance_rate_scorer, get_scorer, make_fairness_scorer
from skfair.model_selection import best_under_constraint, knee_point, pareto_front

NAN = np.nan
NAMES = ["accuracy", "neg_gap", "auc"]


def results(*scores, **more):
    scores = dict(zip(NAMES, scores, strict=False))
    return {f"mean_test_{name}": np.array(values) for name, values in scores.items()} | more


def brute_force(points):
    """Positions of the points that no other one beats, by the definition."""
    finite = [i for i, point in enumerate(points) if all(map(np.isfinite, point))]

    def beats(one, other):
        return all(a >= b for a, b in zip(one, other, strict=True)) and any(
            a > b for a, b in zip(one, other, strict=True)
        )

    return [i for i in finite if not any(beats(points[j], points[i]) for j in finite)]


# few values, so that ties are frequent
TIED = st.sampled_from([0.0, 0.25, 0.5, 1.0, NAN, -np.inf])
ANY = st.floats(-1, 1)


@settings(max_examples=200, deadline=None)
@given(
    points=st.integers(2, 3).flatmap(
        lambda n: st.one_of(
            *(st.lists(st.tuples(*[values] * n), min_size=1, max_size=25) for values in (TIED, ANY))
        )
    )
)
def test_front_equals_brute_force(points):
    metrics = NAMES[: len(points[0])]
    front = pareto_front(results(*zip(*points, strict=True)), metrics)
    assert sorted(front.index) == brute_force(points)
    ordered = front["mean_test_accuracy"].to_numpy()
    assert (np.diff(ordered) <= 0).all()


def test_front_of_many_candidates_equals_brute_force():
    points = np.random.default_rng(0).normal(size=(2000, 2))
    front = pareto_front(results(*points.T), NAMES[:2])
    beaten = (points[:, None] > points).all(axis=2).any(axis=0)  # no ties among these
    assert sorted(front.index) == np.flatnonzero(~beaten).tolist()


def test_equal_candidates_are_all_on_the_front_in_their_order():
    front = pareto_front(results([0.8, 0.9, 0.9, 0.9], [-0.1, -0.2, -0.2, -0.3]), NAMES[:2])
    assert front.index.tolist() == [1, 2, 0]


def test_front_has_what_the_search_knows_of_its_candidates(biased):
    X, y, group = biased
    X = np.column_stack([X, group == "a"])
    scoring = {
        "accuracy": "accuracy",
        "neg_gap": make_fairness_scorer("demographic_parity_difference", sensitive_columns=-1),
        "acceptance_rate": acceptance_rate_scorer,
    }
    # tol has a value in some candidates only: a masked array in cv_results_
    grid = [{"C": [1e-4, 1e-2]}, {"C": [1.0, 100.0], "tol": [1e-3]}]
    search = GridSearchCV(LogisticRegression(), grid, scoring=scoring, refit=False, cv=3)
    found = search.fit(X, y).cv_results_
    front = pareto_front(found, NAMES[:2])
    assert front.index.name == "candidate"
    assert front.columns.tolist() == [
        "param_C",
        "param_tol",
        "params",
        "mean_test_accuracy",
        "std_test_accuracy",
        "mean_test_neg_gap",
        "std_test_neg_gap",
        "constant",
    ]
    for i, row in front.iterrows():
        assert row["params"] == found["params"][i]
        assert row["param_C"] == found["params"][i]["C"]
        assert pd.isna(row["param_tol"]) == ("tol" not in found["params"][i])
        assert row["std_test_neg_gap"] == found["std_test_neg_gap"][i]
    assert not front["constant"].any()
    frame = pd.DataFrame(found).set_axis(list("dcba"))  # any index: positions count
    pd.testing.assert_frame_equal(pareto_front(frame, NAMES[:2]), front)


CONSTANT = results(
    [0.86, 0.85, 0.80, 0.76, 0.76],
    [-0.9, -0.1, -0.04, 0.0, -0.05],
    mean_test_acceptance_rate=np.array([0.2, 0.2, 0.1, 0.0, 0.4]),
    split0_test_acceptance_rate=np.array([0.2, 0.2, 0.2, 0.0, 0.0]),
    split1_test_acceptance_rate=np.array([0.2, 0.2, NAN, 0.0, 0.8]),
)


def test_constant_models_are_left_out_or_marked():
    front = pareto_front(CONSTANT, NAMES[:2])
    assert front.index.tolist() == [0, 1, 2]
    assert front["constant"].tolist() == [False] * 3
    marked = pareto_front(CONSTANT, NAMES[:2], keep_constant=True)
    assert marked.index.tolist() == [0, 1, 2, 3]
    assert marked["constant"].tolist() == [False, False, False, True]
    hidden = results([0.7, 0.76], [-0.1, 0.0], mean_test_acceptance_rate=[0.5, 1.0])
    assert pareto_front(hidden, NAMES[:2]).index.tolist() == [0]  # the constant one beats it


def test_without_acceptance_rates_it_is_not_known_who_is_constant():
    unknown = {key: value for key, value in CONSTANT.items() if "acceptance" not in key}
    front = pareto_front(unknown, NAMES[:2])
    assert front.index.tolist() == [0, 1, 2, 3]
    assert front["constant"].isna().all()


def test_a_model_constant_in_one_split_is_constant():
    better = CONSTANT | {"mean_test_accuracy": np.array([0.86, 0.85, 0.80, 0.76, 0.99])}
    assert 4 not in pareto_front(better, NAMES[:2]).index
    assert 4 in pareto_front(better, NAMES[:2], keep_constant=True).index


@pytest.mark.parametrize("strategy", ["most_frequent", "constant"])
@pytest.mark.parametrize("words", [False, True])
def test_a_search_marks_those_who_accept_nobody_or_everybody(biased, strategy, words):
    X, y, group = biased
    y = np.where(y == 1, "yes", "no") if words else y
    X = np.column_stack([X, group == "a"])
    scoring = {
        "accuracy": "accuracy",
        "neg_gap": make_fairness_scorer("demographic_parity_difference", sensitive_columns=-1),
        "acceptance_rate": acceptance_rate_scorer,
    }
    grid = {"strategy": ["uniform", strategy]}
    model = DummyClassifier(random_state=0, constant=y[0])
    search = GridSearchCV(model, grid, scoring=scoring, refit=False, cv=3)
    found = search.fit(X, y).cv_results_
    assert found["mean_test_acceptance_rate"][1] in (0.0, 1.0)
    kept = pareto_front(found, NAMES[:2], keep_constant=True)
    assert kept["constant"].to_dict()[1]
    assert pareto_front(found, NAMES[:2]).index.tolist() == [0]


def test_acceptance_rate_is_the_share_of_favorable_predictions(biased):
    X, y, _ = biased
    model = LogisticRegression().fit(X, y)
    accepted = model.predict(X) == 1
    assert acceptance_rate_scorer(model, X, y) == accepted.mean()
    weights = np.arange(len(y))
    weighed = acceptance_rate_scorer(model, X, y, sample_weight=weights)
    assert weighed == pytest.approx((weights * accepted).sum() / weights.sum())
    turned = make_fairness_scorer("acceptance_rate", unfavorable=1)
    assert turned(model, X, y) == pytest.approx(1 - accepted.mean())
    assert get_scorer("acceptance_rate") is not None


def test_a_rule_of_choice_passes_constant_models_over():
    rule = best_under_constraint("accuracy", "neg_gap", threshold=0.02)
    with pytest.warns(UserWarning, match="comes closest"):
        assert rule(CONSTANT) == 2
    assert rule({k: v for k, v in CONSTANT.items() if "acceptance" not in k}) == 3
    constant = CONSTANT | {"split0_test_acceptance_rate": np.zeros(5)}
    assert rule(constant) == 3  # there are no others


def test_knee_is_furthest_from_the_line_between_the_ends():
    rng = np.random.default_rng(0)
    for _ in range(50):
        scores = rng.random((30, 2)) ** 2
        scores[:2] = [[1, 0], [0, 1]]  # the ends, so that the scale is 1
        knee = knee_point(results(*scores.T), NAMES[:2])
        front = brute_force(scores)
        distances = {i: (scores[i].sum() - 1) / np.sqrt(2) for i in front}
        assert distances[knee] == pytest.approx(max(distances.values()))


@settings(max_examples=50, deadline=None)
@given(
    points=st.lists(st.tuples(ANY, ANY, ANY), min_size=1, max_size=12, unique=True),
    scale=st.floats(0.1, 100),
    shift=st.floats(-5, 5),
)
def test_knee_is_on_the_front_whatever_the_units(points, scale, shift):
    points = np.round(np.array(points), 3)
    knee = knee_point(results(*points.T), NAMES)
    assert type(knee) is int
    assert knee in brute_force(points)
    moved = points * [1, scale, 1] + [0, 0, shift]
    sums = [
        sum((p[:, k] - p[front, k].min()) / max(np.ptp(p[front, k]), 1e-300) for k in range(3))
        for p in (points, moved)
        if (front := brute_force(p))
    ]
    other = knee_point(results(*moved.T), NAMES)
    assert sums[0][other] == pytest.approx(sums[0][knee], abs=1e-6)


def test_where_the_front_does_not_bulge_the_knee_is_an_end():
    assert knee_point(results([1.0, 0.2, 0.0], [0.0, 0.2, 1.0]), NAMES[:2]) == 0
    assert knee_point(results([0.5, NAN], [0.5, 1.0]), NAMES[:2]) == 0
    assert knee_point(results([0.5, 0.5], [0.5, 0.5]), NAMES[:2]) == 0


def test_knee_is_no_constant_model():
    # without candidate 3 it is the one between
    scores = results(
        [1.0, 0.6, 0.0, 0.9],
        [0.0, 0.6, 1.0, 0.99],
        mean_test_acceptance_rate=np.array([0.5, 0.5, 0.5, 0.0]),
    )
    assert knee_point(scores, NAMES[:2]) == 1
    nobody = scores | {"mean_test_acceptance_rate": np.ones(4)}
    with pytest.raises(ValueError, match="nothing to choose from"):
        knee_point(nobody, NAMES[:2])


def test_knee_can_be_what_a_search_refits(biased):
    X, y, group = biased
    X = np.column_stack([X, group == "a"])
    scoring = {
        "accuracy": "accuracy",
        "neg_gap": make_fairness_scorer("demographic_parity_difference", sensitive_columns=-1),
    }
    refit = partial(knee_point, metrics=list(scoring))
    grid = {"C": [1e-4, 1e-2, 1.0]}
    search = GridSearchCV(LogisticRegression(), grid, scoring=scoring, refit=refit, cv=3)
    search.fit(X, y)
    assert search.best_index_ == knee_point(search.cv_results_, list(scoring))


@pytest.mark.parametrize("function", [pareto_front, knee_point])
def test_wrong_metrics_are_named(function):
    scores = results([0.5], [0.5])
    with pytest.raises(TypeError, match="list of names of scorers, got the name 'accuracy'"):
        function(scores, "accuracy")
    with pytest.raises(ValueError, match=r"two or more scorers, got \['auc', 'auc'\]"):
        function(scores, ["auc", "auc"])
    with pytest.raises(ValueError, match=r"no scorer 'auc'; its scorers are \['accuracy', 'neg_g"):
        function(scores, ["accuracy", "auc"])
