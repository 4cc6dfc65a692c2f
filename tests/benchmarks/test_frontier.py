"""What the frontier chooses, and how sure it is."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import frontier
from benchmarks._common import Part
from benchmarks._frontier import PARTS, Model, Task, unprocessed


@pytest.fixture
def found():
    """One method with three knobs, by their accuracy and gap on validation rows."""
    rows = [(0.90, 0.08), (0.85, 0.015), (0.80, 0.005)]
    return pd.DataFrame(
        {
            "method": "m",
            "seed": 0,
            "knob": knob,
            "tolerance": np.nan,
            "seconds": 1.0,
            "valid accuracy": accuracy,
            "valid gap": gap,
        }
        for knob, (accuracy, gap) in enumerate(rows)
    )


def test_the_most_accurate_knob_within_the_tolerance_is_chosen(found):
    chosen = frontier.choose(found)
    assert chosen["tolerance"].tolist() == [0.01, 0.02, 0.05]
    assert chosen["knob"].tolist() == [2, 1, 1]
    assert chosen["missed"].tolist() == [0, 0, 0]
    assert chosen["seconds"].tolist() == [3, 3, 3]  # of the sweep


def test_where_no_knob_is_within_it_the_least_gap_is_taken_and_said(found):
    chosen = frontier.choose(found[found["knob"] == 0])
    assert chosen["knob"].tolist() == [0, 0, 0]
    assert chosen["missed"].tolist() == [1, 1, 1]


def test_resampled_means_spread_as_a_mean_does():
    rng = np.random.RandomState(0)
    values = rng.choice([-1.0, 0.0, 1.0], size=400, p=[0.2, 0.5, 0.3])
    means = frontier.resampled_means(values, rng)
    assert means.mean() == pytest.approx(values.mean(), abs=4e-3)
    assert means.std() == pytest.approx(values.std() / 20, rel=0.1)


def test_thresholds_on_any_score_keep_the_tolerance_on_the_validation_rows():
    rng = np.random.RandomState(0)
    scores = {name: rng.standard_normal(500) for name in PARTS}
    parts = {}
    for name, own in scores.items():
        groups = np.where(np.arange(500) % 3 > 0, "a", "b")
        y = (own + rng.standard_normal(500) + (groups == "a") > 0).astype(int)
        parts[name] = Part(np.zeros((500, 1)), y, pd.Series(groups))
    task = Task("some", parts, True)
    model = Model(lambda part: (scores[part] > 0).astype(float), scores.get)
    before = frontier.measured(task, "equalized_odds", model)
    rules = unprocessed(task, "equalized_odds", model, 0.02)
    after = frontier.measured(task, "equalized_odds", rules)
    assert after["valid gap"] <= 0.02 + 1e-6 < before["valid gap"]
    assert after["a n"] == (parts["test"].sensitive == "a").sum()


def test_the_best_keeps_to_the_tolerance():
    rows = [("within", 0.7, 0.0), ("worse", 0.6, 0.0), ("beyond", 0.9, 1.0)]
    chosen = pd.DataFrame(
        {
            "method": method,
            "seed": 0,
            "knob": 1,
            "needs group": False,
            "tolerance": 0.01,
            "seconds": 1.0,
            "missed": missed,
            "test accuracy": accuracy,
            "test gap": 0.0,
            "right": (np.arange(1000) < 1000 * accuracy).astype(np.float32),
        }
        for method, accuracy, missed in rows
    )
    table = frontier.intervals(chosen, True).set_index("method")
    assert table["behind best"].to_dict() == pytest.approx(
        {"beyond": 0.2, "within": 0, "worse": -0.1}
    )
    assert -0.13 < table["low"]["worse"] < -0.1 < table["high"]["worse"] < -0.07
