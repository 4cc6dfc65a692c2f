"""What the frontier chooses, how sure it is, and who is said to be ahead."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import _jobs, frontier
from benchmarks._common import Part
from benchmarks._frontier import PARTS, Method, Model, Task, of_probability, unprocessed


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
            "valid a accepted": 0.3,
            "valid b accepted": 0.3 + gap,
            "valid accepted": 0.3,
        }
        for knob, (accuracy, gap) in enumerate(rows)
    )


def choose(found, together=True):
    return frontier.on_validation_rows(found, "demographic_parity", together)


def test_the_most_accurate_knob_within_the_tolerance_is_chosen(found):
    chosen = choose(found)
    assert chosen["tolerance"].tolist() == [0.01, 0.02, 0.05]
    assert chosen["knob"].tolist() == [2, 1, 1]
    assert chosen["missed"].tolist() == [0, 0, 0]
    assert chosen["seconds"].tolist() == [3, 3, 3]  # of the sweep


def test_where_no_knob_is_within_it_the_least_gap_is_taken_and_said(found):
    chosen = choose(found[found["knob"] == 0])
    assert chosen["knob"].tolist() == [0, 0, 0]
    assert chosen["missed"].tolist() == [1, 1, 1]


def test_deciding_the_same_for_everybody_is_within_no_tolerance(found):
    chosen = choose(found.assign(**{"valid accepted": [0.3, 0.3, 1.0]}))
    assert chosen["knob"].tolist() == [1, 1, 1]
    assert chosen["missed"].tolist() == [1, 0, 0]
    assert chosen["seconds"].tolist() == [3, 3, 3]
    constant = choose(found.assign(**{"valid accepted": 0.0}))
    assert constant["missed"].tolist() == [1, 1, 1]


def test_seeds_with_the_same_test_rows_choose_together_by_their_mean_rates(found):
    other = found.assign(seed=1, **{"valid b accepted": [0.2, 0.3, 0.25]})
    both = pd.concat([found, other])
    chosen = choose(both)
    assert chosen["knob"].tolist() == [0, 0, 0, 0, 0, 0]  # .08 and -.1 are .01 in the mean
    assert chosen["valid gap"].tolist() == pytest.approx([0.01] * 6)
    assert chosen["seed"].tolist() == [0, 1] * 3
    alone = choose(both, together=False)
    assert alone["knob"].tolist() == [2, 1, 1, 1, 1, 1]
    expected = [0.005, 0.0, 0.015, 0.0, 0.015, 0.0]
    assert alone["valid gap"].tolist() == pytest.approx(expected)


def test_the_front_on_test_rows_is_by_the_mean_gap_there(found):
    there = {"test accuracy": [0.8, 0.9, 0.7], "test gap": [0.0, 0.04, 0.015]}
    both = pd.concat([found.assign(**there), found.assign(seed=1, **there | {"test gap": 0.02})])
    chosen = frontier.on_test_rows(both)
    assert chosen["knob"].tolist() == [0, 0, 0, 0, 1, 1]
    assert chosen["valid gap"].tolist() == pytest.approx([0.01] * 4 + [0.03] * 2)
    assert chosen["missed"].tolist() == [0] * 6


def test_a_knob_that_failed_for_a_seed_is_not_chosen(found):
    chosen = choose(pd.concat([found, found.assign(seed=1)[:1]]))
    assert set(chosen["knob"]) == {0}


def test_test_rows_do_not_change_the_choice(found):
    chosen = choose(found)
    for accuracies in ([0.1, 0.2, 0.9], [0.9, 0.2, 0.1]):
        other = choose(found.assign(**{"test accuracy": accuracies, "test gap": 0.0}))
        assert other["knob"].tolist() == chosen["knob"].tolist()


def test_thresholds_have_their_own_tolerance_as_a_knob_and_are_fitted_once(found):
    of_thresholds = found.assign(knob=0, tolerance=[0.0, 0.01, 0.02])
    chosen = choose(of_thresholds)
    assert chosen["valid accuracy"].tolist() == [0.8, 0.85, 0.85]
    assert chosen["tolerance"].tolist() == [0.01, 0.02, 0.05]
    assert chosen["seconds"].tolist() == [1, 1, 1]


# -- a task ---------------------------------------------------------------------------------------


@pytest.fixture
def scores():
    rng = np.random.RandomState(0)
    return {name: rng.standard_normal(500) for name in PARTS}


@pytest.fixture
def task(scores):
    """Labels follow a score; group a is favored."""
    rng = np.random.RandomState(1)
    parts = {}
    for name, own in scores.items():
        groups = np.where(np.arange(500) % 3 > 0, "a", "b")
        y = (own + rng.standard_normal(500) + (groups == "a") > 0).astype(int)
        parts[name] = Part(np.zeros((500, 1)), y, pd.Series(groups))
    return Task("some", parts, True)


def test_thresholds_on_any_score_keep_the_tolerance_on_the_validation_rows(task, scores):
    model = Model(lambda part: (scores[part] > -0.5).astype(float), scores.get)
    before = frontier.measured(task, "equalized_odds", model)
    rules = unprocessed(task, "equalized_odds", model, 0.02)
    after = frontier.measured(task, "equalized_odds", rules)
    assert after["valid gap"] <= 0.02 + 1e-6
    assert after["valid accuracy"] > 0.6
    assert before["a n"] == after["a n"] == (task.parts["test"].sensitive == "a").sum()


def test_decisions_by_chance_count_with_their_probability(task):
    p = {name: np.where(part.sensitive == "a", 0.75, 0.5) for name, part in task.parts.items()}
    row = frontier.measured(task, "demographic_parity", Model(p.get))
    test = task.parts["test"]
    assert row["test gap"] == pytest.approx(0.25)
    assert row["test accuracy"] == pytest.approx(
        np.where(test.y == 1, p["test"], 1 - p["test"]).mean()
    )
    assert row["a TPR"] == row["a FPR"] == row["a accepted"] == 0.75


@pytest.fixture
def methods(monkeypatch, task, scores):
    """A method of ours, and one of another project that always fails."""

    def shifted(task, constraint, knobs, seed):
        for knob in knobs:
            yield of_probability(lambda part, knob=knob: 1 / (1 + np.exp(knob - scores[part])))

    def fails(task, constraint, knobs, seed):
        raise ValueError("too few\n  rows")
        yield

    methods = {
        "ours": Method(shifted, (0.0, 0.5), "skfair"),
        "peer": Method(shifted, (1.0,)),
        "failing": Method(fails, (None,)),
    }
    monkeypatch.setattr(frontier, "METHODS", methods)
    monkeypatch.setattr(frontier, "load", lambda data, seed: task)
    return methods


def test_jobs_are_kept_and_merged(methods, tmp_path, monkeypatch):
    jobs = [("adult", "equalized_odds", seed, name) for seed in (0, 1) for name in methods]
    with pytest.raises(SystemExit):
        _jobs.run_jobs(frontier.run, jobs, tmp_path, minutes=-1)
    _jobs.run_jobs(frontier.run, jobs[:2], tmp_path)
    assert [_jobs.job_path(tmp_path, job).exists() for job in jobs] == [True] * 2 + [False] * 4
    done = _jobs.run_jobs(frontier.run, jobs, tmp_path)
    assert [result["left out"] for result in done[:3]] == [None, None, "failing: too few rows"]
    assert len(done[0]["found"]) == 2 * (1 + len(frontier.OF_THRESHOLDS))
    monkeypatch.setattr("benchmarks._common.RESULTS", tmp_path)
    monkeypatch.setattr(frontier, "RESULTS", tmp_path)
    frontier.summarize("adult", "equalized_odds", done, {}, "")
    (table,) = frontier.whole_tables("equalized_odds").values()
    assert set(table["method"]) == {"ours", "peer", "ours + thresholds", "peer + thresholds"}
    assert (table["seeds"] == 2).all()
    assert set(table.loc[table["method"] == "peer + thresholds", "origin"]) == {frontier.BOTH}
    assert "failing: too few rows" in (tmp_path / "frontier_adult_equalized_odds.csv").read_text()
    (front,) = frontier.whole_tables("equalized_odds", frontier.ON_TEST).values()
    assert len(front) == len(table)
    verdicts = frontier.verdicts({"adult": table})
    assert verdicts["peer"].tolist() == ["peer"] * 3  # those that need the group have no peer here
    assert set(verdicts["needs group"]) == {"no"}


# -- intervals ------------------------------------------------------------------------------------


def test_resampled_means_spread_as_a_mean_does():
    rng = np.random.RandomState(0)
    values = rng.choice([-1.0, 0.0, 1.0], size=400, p=[0.2, 0.5, 0.3])
    means = frontier.resampled_means(values, rng)
    assert means.mean() == pytest.approx(values.mean(), abs=4e-3)
    assert means.std() == pytest.approx(values.std() / 20, rel=0.1)


def test_the_paired_interval_equals_one_by_drawing_rows():
    """Two seeds that share their test rows, as a bootstrap by indices has it."""
    rng = np.random.RandomState(0)
    left = (rng.uniform(size=(2, 600)) < 0.8).astype(float)
    right = np.where(rng.uniform(size=(2, 600)) < 0.1, 1 - left, left)
    mean, low, high = frontier.interval([*(left - right)], True, rng)
    rows = rng.randint(600, size=(4000, 600))
    drawn = (left - right).mean(0)[rows].mean(1)
    assert mean == pytest.approx((left - right).mean())
    assert (low, high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=2e-3)


def test_seeds_with_test_rows_of_their_own_make_the_interval_narrower():
    rng = np.random.RandomState(0)
    right = [(rng.uniform(size=500) < 0.7).astype(float) for _ in range(4)]
    mean, low, high = frontier.interval(right, False, rng)
    assert mean == pytest.approx(np.mean(right))
    assert high - low == pytest.approx(2 * 1.96 * np.std(right) / np.sqrt(4 * 500), rel=0.1)


def test_what_is_packed_comes_back():
    right = np.linspace(0, 1, 50)
    np.testing.assert_allclose(frontier.unpack(frontier.pack(right)), right, atol=5e-4)


def chosen(rows):
    """Make rows; method -> (origin, accuracy on validation rows, on test rows, missed)."""
    return pd.DataFrame(
        {
            "method": method,
            "origin": origin,
            "seed": 0,
            "knob": 1,
            "needs group": "no",
            "tolerance": 0.01,
            "seconds": 1.0,
            "missed": missed,
            "valid accuracy": valid,
            "valid gap": 1 - valid,
            "test accuracy": accuracy,
            "test gap": 0.0,
            "right": (np.arange(1000) < 1000 * accuracy).astype(float),
        }
        for method, (origin, valid, accuracy, missed) in rows.items()
    )


def test_the_best_keeps_to_the_tolerance():
    rows = {
        "within": ("peer", 0.7, 0.7, 0),
        "worse": ("peer", 0.6, 0.6, 0),
        "beyond": ("peer", 0.9, 0.9, 1),
    }
    table = frontier.intervals(chosen(rows), True).set_index("method")
    assert table["against best"].to_dict() == pytest.approx(
        {"beyond": 0.2, "within": 0, "worse": -0.1}
    )
    worse = table.loc["worse"]
    assert -0.13 < worse["against best low"] < -0.1 < worse["against best high"] < -0.07
    assert table["best"].to_dict() == {"beyond": "", "within": "yes", "worse": ""}


def test_ours_is_chosen_on_validation_rows_and_the_peer_on_test_rows():
    rows = {
        "lucky": ("skfair", 0.7, 0.9, 0),
        "ours": ("skfair", 0.8, 0.75, 0),
        "peer": ("peer", 0.9, 0.75, 0),
        "better peer": ("peer", 0.6, 0.85, 0),
        "thresholds": (frontier.BOTH, 0.9, 0.95, 0),
    }
    table = frontier.intervals(chosen(rows), True)
    assert table.set_index("method")["ours"].to_dict()["ours"] == "yes"
    (row,) = frontier.verdicts({"some": table}).to_dict("records")
    assert (row["verdict"], row["ours"], row["peer"]) == ("behind", "ours", "better peer")
    assert row["peer ahead by"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("peer", "missed", "verdict"),
    [
        (0.9, (0, 0), "behind"),
        (0.8, (0, 0), "level"),
        (0.7, (0, 0), "ahead"),
        (0.9, (0, 1), "peers missed"),
        (0.7, (1, 0), "missed"),
        (0.9, (1, 1), "both missed"),
    ],
)
def test_verdicts_are_about_those_that_keep_to_the_tolerance(peer, missed, verdict):
    rows = {"ours": ("skfair", 0.8, 0.8, missed[0]), "peer": ("peer", 0.8, peer, missed[1])}
    table = frontier.intervals(chosen(rows), True)
    assert frontier.verdicts({"some": table})["verdict"].tolist() == [verdict]


def test_where_none_keeps_to_the_tolerance_the_least_gaps_are_compared():
    rows = {
        "accurate": ("skfair", 0.7, 0.9, 1),
        "ours": ("skfair", 0.9, 0.6, 1),
        "peer": ("peer", 0.9, 0.5, 1),
        "accurate peer": ("peer", 0.6, 0.9, 1),
    }
    table = frontier.intervals(chosen(rows), True)
    (row,) = frontier.verdicts({"some": table}).to_dict("records")
    assert (row["verdict"], row["ours"], row["peer"]) == ("both missed", "ours", "peer")


def test_where_we_lose_comes_first():
    tables = {
        name: frontier.intervals(
            chosen({"ours": ("skfair", 0.8, 0.8, 0), "peer": ("peer", 0.8, peer, 0)}), True
        )
        for name, peer in (("ahead", 0.7), ("a little", 0.85), ("level", 0.8), ("much", 0.9))
    }
    assert frontier.verdicts(tables)["data"].tolist() == ["much", "a little", "level", "ahead"]
