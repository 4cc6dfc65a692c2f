import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skfair.metrics import get_scorer, make_fairness_scorer
from skfair.model_selection import best_under_constraint

# what is chosen among may be poor
pytestmark = pytest.mark.filterwarnings("ignore:(Everybody|Nobody) is refused")

NAN = np.nan
GRID = {"C": [1.0, 1e-2, 1e-4]}


def results(accuracy, gap, constraint="neg_recourse_gap"):
    return {
        "mean_test_accuracy": np.array(accuracy),
        f"mean_test_{constraint}": np.array(gap),
        "std_test_accuracy": np.zeros(len(accuracy)),
        "params": [{}] * len(accuracy),
    }


RESULTS = results([0.86, 0.85, 0.80, 0.70], [-0.9, -0.3, -0.1, -0.05])


@pytest.mark.parametrize(
    ("threshold", "expected"), [(2, 0), (0.9, 0), (0.5, 1), (0.3, 1), (0.29, 2), (0.05, 3)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_best_of_those_within_the_threshold_is_chosen(threshold, expected, sign):
    rule = best_under_constraint(threshold=sign * threshold)
    index = rule(RESULTS)
    assert type(index) is int
    assert index == expected


def test_threshold_of_a_score_that_is_no_gap_is_its_smallest_value():
    scores = results([0.9, 0.8, 0.7], [0.5, 0.8, 0.95], "fairness_index")
    assert best_under_constraint("accuracy", "fairness_index", threshold=0.6)(scores) == 1
    assert best_under_constraint("accuracy", "fairness_index", threshold=0.9)(scores) == 2
    # such a score may be negative, and so may its threshold: the sign is not free
    shifted = results([0.9, 0.8, 0.7], [-0.5, -0.2, 0.3], "utility")
    assert best_under_constraint("accuracy", "utility", threshold=-0.3)(shifted) == 1
    assert best_under_constraint("accuracy", "utility", threshold=0.3)(shifted) == 2


def test_any_score_can_be_the_objective():
    scores = RESULTS | {"mean_test_f1": np.array([0.1, 0.2, 0.9, 0.3])}
    assert best_under_constraint("f1", threshold=1)(scores) == 2


def test_first_of_equally_good_candidates_is_chosen():
    scores = results([0.7, 0.8, 0.8, 0.8], [-0.1, -0.9, -0.2, -0.1])
    assert best_under_constraint(threshold=0.5)(scores) == 2


def test_candidates_with_a_missing_score_are_passed_over():
    scores = results([NAN, 0.9, 0.8, 0.7], [-0.1, NAN, -0.2, -0.1])
    assert best_under_constraint(threshold=0.5)(scores) == 2
    with pytest.warns(UserWarning, match="comes closest"):
        assert best_under_constraint(threshold=0.01)(scores) == 3


@pytest.mark.parametrize(
    "scores", [results([NAN, NAN], [-0.1, -0.2]), results([0.9, NAN], [NAN, -0.1])]
)
def test_nothing_but_missing_scores_is_an_error(scores):
    with pytest.raises(ValueError, match=r"'accuracy' and .* 'neg_recourse_gap': all are NaN"):
        best_under_constraint(threshold=0.5)(scores)


def test_where_nobody_satisfies_the_constraint_the_least_violation_is_taken_with_a_warning():
    with pytest.warns(UserWarning, match=r"No candidate has neg_recourse_gap >= -0.01.*\(-0.05\)"):
        assert best_under_constraint(threshold=0.01)(RESULTS) == 3


@pytest.mark.parametrize("arguments", [("f1", "neg_recourse_gap"), ("accuracy", "f1")])
def test_unknown_scorer_lists_those_of_the_search(arguments):
    with pytest.raises(
        ValueError, match=r"no scorer 'f1'; its scorers are \['accuracy', 'neg_recourse_gap'\]"
    ):
        best_under_constraint(*arguments, threshold=0.1)(RESULTS)


@settings(max_examples=50, deadline=None)
@given(
    candidates=st.lists(
        st.tuples(
            st.sampled_from([0.5, 0.6, 0.7, NAN]), st.sampled_from([-0.4, -0.2, -0.1, 0.0, NAN])
        ),
        min_size=1,
        max_size=6,
    ),
    threshold=st.sampled_from([0.0, 0.1, 0.3]),
)
@pytest.mark.filterwarnings("ignore:No candidate")
def test_choice_equals_a_loop_over_the_candidates(candidates, threshold):
    best = closest = None
    for i, (accuracy, gap) in enumerate(candidates):
        if np.isnan(accuracy) or np.isnan(gap):
            continue
        if -gap <= threshold and (best is None or accuracy > candidates[best][0]):
            best = i
        if closest is None or gap > candidates[closest][1]:
            closest = i
    rule, scores = (
        best_under_constraint(threshold=threshold),
        results(*zip(*candidates, strict=True)),
    )
    if closest is None:
        with pytest.raises(ValueError, match="all are NaN"):
            rule(scores)
    else:
        assert rule(scores) == (closest if best is None else best)


def test_repr_and_pickle_give_the_same_rule():
    rule = best_under_constraint("f1", "neg_parity", threshold=0.2)
    assert repr(rule) == "best_under_constraint('f1', 'neg_parity', threshold=0.2)"
    scores = {"mean_test_f1": [0.9, 0.7, 0.8], "mean_test_neg_parity": [-0.3, -0.1, -0.2]}
    for again in (pickle.loads(pickle.dumps(rule)), eval(repr(rule))):
        assert repr(again) == repr(rule)
        assert again(scores) == rule(scores) == 2


@pytest.fixture(scope="module")
def search():
    """The stronger the regularization, the smaller the gap and the accuracy."""
    rng = np.random.default_rng(0)
    sex = rng.integers(0, 2, 200)
    X = pd.DataFrame({"x": rng.normal(size=200), "sex": sex})
    y = (X["x"] + 1.5 * sex + rng.normal(size=200) > 0.75).astype(int)
    scoring = {
        "accuracy": get_scorer("accuracy"),
        "neg_recourse_gap": make_fairness_scorer("recourse_gap", sensitive_columns="sex"),
    }

    def make(refit):
        return GridSearchCV(LogisticRegression(), GRID, scoring=scoring, refit=refit, cv=3).fit(
            X, y
        )

    return make


@pytest.mark.parametrize("chosen", [0, 1, 2])
def test_grid_search_refits_the_chosen_candidate(search, chosen):
    gaps = -search(False).cv_results_["mean_test_neg_recourse_gap"]
    assert gaps[0] > gaps[1] > gaps[2]
    fitted = search(best_under_constraint(threshold=gaps[chosen] + 1e-9))
    accuracy = fitted.cv_results_["mean_test_accuracy"]
    assert fitted.best_index_ == chosen + int(np.argmax(accuracy[chosen:]))
    assert GRID["C"][fitted.best_index_] == fitted.best_estimator_.C


def test_search_with_a_rule_survives_pickling(search):
    fitted = search(best_under_constraint(threshold=10))
    again = pickle.loads(pickle.dumps(fitted))
    assert again.best_index_ == fitted.best_index_
    assert repr(again.refit) == repr(fitted.refit)


def test_search_without_the_scorer_says_which_it_has(search):
    with pytest.raises(ValueError, match=r"no scorer 'f1'; its scorers are \['accuracy', "):
        search(best_under_constraint("f1", threshold=0.1))


@pytest.mark.parametrize("key", ["gap", "recourse", "neg_recourse_gap"])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_sign_of_a_gaps_limit_is_free_whatever_its_key(key, sign):
    scores = results([0.86, 0.85, 0.80], [-0.9, -0.3, -0.1], key)
    assert best_under_constraint("accuracy", key, threshold=sign * 0.5)(scores) == 1
    scores[f"mean_test_{key}"][0] = NAN
    scores[f"mean_test_{key}"][2] = 0.0
    assert best_under_constraint("accuracy", key, threshold=sign * 0.2)(scores) == 2


def test_a_score_of_zero_is_not_taken_for_a_gap():
    scores = results([0.9, 0.8], [0.0, 0.0], "demographic_parity_ratio")
    with pytest.warns(UserWarning, match="No candidate has demographic_parity_ratio >= 0.8"):
        best_under_constraint("accuracy", "demographic_parity_ratio", threshold=0.8)(scores)


def test_the_search_can_score_new_data_by_its_objective(biased):
    X, y, group = biased
    X = np.column_stack([X, group == "a"])
    scoring = {
        "accuracy": "accuracy",
        "gap": make_fairness_scorer("recourse_gap", sensitive_columns=-1),
    }
    rule = best_under_constraint("accuracy", "gap", threshold=0.3)
    search = GridSearchCV(LogisticRegression(), GRID, scoring=scoring, refit=rule, cv=3).fit(X, y)
    assert search.score(X, y) == np.mean(search.predict(X) == y)


def test_a_rule_equals_its_like_and_the_name_of_its_objective():
    rule = best_under_constraint("f1", "gap", threshold=0.3)
    assert (
        rule
        == best_under_constraint("f1", "gap", threshold=0.3)
        == pickle.loads(pickle.dumps(rule))
    )
    assert rule != best_under_constraint("f1", "gap", threshold=0.4)
    assert rule != 3
    assert {"f1": 1}[rule] == 1
    assert rule != "gap"
