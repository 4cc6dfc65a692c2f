"""What is measured of a network before one is chosen."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from skfair.audit._validation import Validation
from skfair.metrics import recourse_gap

SIZES = {"a": 400, "b": 250, "c": 99, "d": 20}


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    group = np.repeat(list(SIZES), list(SIZES.values()))
    X = pd.DataFrame(
        {"x": rng.normal(size=len(group)) + (group == "a"), "z": rng.normal(size=len(group))}
    )
    y = (X["x"] + rng.normal(size=len(group)) > 0.5).astype(int).to_numpy()
    return X, y, pd.DataFrame({"group": group})


def validation(people, constraint):
    X, y, frame = people
    return Validation(X, y, "yes", frame, constraint)


@pytest.fixture(scope="module")
def model(people):
    X, y, _ = people
    return LogisticRegression().fit(X, np.where(y, "yes", "no"))


class Always:
    """Decides as it was told."""

    def __init__(self, accepted):
        self.accepted = accepted

    def predict(self, X):
        assert len(X) == len(self.accepted)
        return np.where(self.accepted, "yes", "no")


@pytest.mark.parametrize(
    "constraint", ["demographic_parity", "equal_opportunity", "equalized_odds"]
)
def test_gaps_are_those_of_the_groups_that_are_large_enough(people, constraint):
    X, y, frame = people
    accepted = np.random.default_rng(1).random(len(y)) < np.where(frame["group"] == "a", 0.7, 0.4)
    accepted[frame["group"].isin(["c", "d"])] = False  # would be the largest difference
    part = validation(people, constraint)
    assert part.compared_groups() == ["a", "b"]
    assert part.small_groups() == ["c", "d"]
    cases = {
        "demographic_parity": "",
        "equal_opportunity": ", 30 of them with a favorable outcome",
        "equalized_odds": ", 30 of each outcome",
    }[constraint]
    assert part.compared_text() == (
        f"among the 2 groups of at least 100 people{cases}; 2 others were too small"
    )
    accuracy, gap, rates = part.evaluate(Always(accepted))

    def between(rows):
        shares = [accepted[rows & (frame["group"] == g)].mean() for g in "ab"]
        return abs(shares[0] - shares[1])

    expected = {
        "demographic_parity": between(y >= 0),
        "equal_opportunity": between(y == 1),
        "equalized_odds": max(between(y == 1), between(y == 0)),
    }[constraint]
    assert gap == pytest.approx(expected)
    assert accuracy == np.mean(accepted == y)
    for k, group in enumerate(SIZES):
        members = (frame["group"] == group).to_numpy()
        assert rates.people[k] == members.sum()
        assert rates.positives[k] == y[members].sum()
        assert rates.accepted[k] == pytest.approx(accepted[members].mean())
        assert rates.true_positive[k] == pytest.approx(accepted[members & (y == 1)].mean())


def test_recourse_gap_is_that_of_the_refused_whichever_label_that_is(people, model):
    X, y, frame = people
    rows = frame["group"].isin(["a", "b"]).to_numpy()
    _, gap, _ = validation(people, "recourse_gap").evaluate(model)
    decision = model.decision_function(X)[rows]
    assert gap == pytest.approx(recourse_gap(decision, sensitive_features=frame["group"][rows]))


def test_smaller_groups_are_compared_if_no_two_are_large():
    rng = np.random.default_rng(0)
    for n, is_decisive in ((60, True), (20, False)):
        frame = pd.DataFrame({"group": np.repeat(["a", "b"], n)})
        y = rng.permutation(2 * n) % 2
        part = Validation(pd.DataFrame({"x": y}), y, "yes", frame, "equalized_odds")
        assert part.is_decisive() == is_decisive
        assert part.compared_groups() == (["a", "b"] if is_decisive else [])
        assert part.small_groups() == ["a", "b"]
        if is_decisive:
            assert part.compared_text() == ""
            few = np.r_[np.repeat(["a", "b"], n - 5), np.repeat("c", 10)]
            part = Validation(part.X, y, "yes", pd.DataFrame({"group": few}), "demographic_parity")
            assert part.compared_text() == (
                "among the 2 groups of at least 30 people; 1 other was too small"
            )


def test_odds_need_cases_of_each_label():
    frame = pd.DataFrame({"group": np.repeat(["a", "b"], 200)})
    y = np.r_[np.arange(200) % 2, np.arange(200) < 5].astype(int)  # 5 positives in b
    X = pd.DataFrame({"x": y})
    for constraint, is_decisive in (("equal_opportunity", False), ("demographic_parity", True)):
        assert Validation(X, y, "yes", frame, constraint).is_decisive() == is_decisive


def test_people_without_a_group_count_for_accuracy_alone():
    group = np.repeat(["a", "b", None], 150)
    y = np.arange(450) % 2
    part = Validation(
        pd.DataFrame({"x": y}), y, "yes", pd.DataFrame({"group": group}), "demographic_parity"
    )
    accuracy, gap, rates = part.evaluate(Always(np.r_[np.ones(300), np.zeros(150)] == 1))
    assert (accuracy, gap) == (0.5, 0)
    assert rates.people.tolist() == [150, 150]
