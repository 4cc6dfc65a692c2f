"""Figures of the frontier, by what they hold."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib, the extra plot")

from benchmarks import frontier_plots  # noqa: E402 - it needs matplotlib


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A file of three methods at one tolerance."""
    rows = [
        ("accurate", "skfair", 0.9, 0.95, 0.2, 1.0),
        ("kept", "skfair", 0.8, 0.7, 0.01, 0.0),
        ("theirs", "peer", 0.8, 0.75, 0.03, 1.0),
    ]
    names = ["method", "origin", "valid accuracy", "test accuracy", "test gap", "missed"]
    table = pd.DataFrame(rows, columns=names).assign(tolerance=0.02, **{"needs group": "no"})
    table["valid gap"], table["test gap sd"] = table["test gap"], 0.005
    table["test accuracy low"] = table["test accuracy"] - 0.01
    table["test accuracy high"] = table["test accuracy"] + 0.02
    path = tmp_path / "frontier_some_equalized_odds.csv"
    path.write_text("# seeds: 1\n" + table.to_csv(index=False))
    monkeypatch.setattr(frontier_plots, "RESULTS", tmp_path)


def test_all_are_dots_and_those_chosen_on_validation_rows_have_bars(written):
    without, _ = frontier_plots.front("some").axes
    dots = {(*xy,) for drawn in without.collections for xy in np.asarray(drawn.get_offsets())}
    assert dots >= {(0.2, 0.95), (0.01, 0.7), (0.03, 0.75)}
    barred = {(*bar[0].get_xydata()[0],) for bar in without.containers}
    assert barred == {(0.01, 0.7), (0.03, 0.75)}


def test_it_is_hollow_where_the_tolerance_was_missed(written):
    without, _ = frontier_plots.front("some").axes
    hollow = {bar[0].get_xdata()[0]: bar[0].get_markerfacecolor() for bar in without.containers}
    assert hollow[0.03] == "white" != hollow[0.01]


def test_it_is_said_in_words(written):
    said = frontier_plots.describe("some")
    assert "skfair: kept, accuracy 0.700, gap 0.010" in said
    assert "other projects: theirs, accuracy 0.750, gap 0.030" in said
