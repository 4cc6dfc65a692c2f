"""Figures of the frontier's tables: accuracy against the gap, ours and those of other projects."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._common import RESULTS

COLORS = {"skfair": "#0b5fa5", "peer": "#b3421a", "skfair's thresholds": "#5d6b2f"}
LABELS = {
    "skfair": "skfair",
    "peer": "other projects",
    "skfair's thresholds": "theirs + thresholds",
}
MARKERS = {0.01: "v", 0.02: "o", 0.05: "^"}
TITLES = {"no": "decisions do not need the group", "yes": "decisions need the group"}


def front(data: str, constraint: str = "equalized_odds") -> Figure:
    """Accuracy against the gap on test rows, one panel for those that need the group.

    Every method is a dot at each tolerance. The most accurate one of each color at each tolerance,
    chosen on validation rows, has bars: a 95 % bootstrap interval over test rows for its accuracy,
    one standard deviation over seeds to either side for its gap. Where it is hollow, it missed the
    tolerance on validation rows in most seeds.
    """
    table = read(data, constraint)
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for ax, (needs_group, title) in zip(panels, TITLES.items(), strict=True):
        part = table[table["needs group"] == needs_group]
        for tolerance in MARKERS:
            ax.axvline(tolerance, color="0.85", linewidth=1, zorder=0)
        for origin, own in part.groupby("origin"):
            ax.scatter(own["test gap"], own["test accuracy"], 9, COLORS[origin], alpha=0.3)
            _draw_chosen(ax, origin, own)
        ax.set(title=title, xlabel="gap on test rows")
        ax.set_xlim(left=0)
    panels[0].set_ylabel("accuracy on test rows")
    figure.legend(*_legend(panels), loc="outside lower center", ncols=6, frameon=False)
    return figure


def describe(data: str, constraint: str = "equalized_odds", tolerance: float = 0.02) -> str:
    """Say in words what :func:`front` shows at a tolerance."""
    table = read(data, constraint)
    table = table[table["tolerance"] == tolerance]
    said = []
    for (needs_group, origin), own in table.groupby(["needs group", "origin"]):
        row = chosen(own)
        said.append(
            f"{TITLES[needs_group]}, {LABELS[origin]}: {row['method']}, "
            f"accuracy {row['test accuracy']:.3f}, gap {row['test gap']:.3f}"
        )
    return f"Accuracy against gap. At tolerance {tolerance}: {'; '.join(said)}."


def read(data: str, constraint: str) -> pd.DataFrame:
    """Read the methods of a data set."""
    return pd.read_csv(RESULTS / f"frontier_{data}_{constraint}.csv", comment="#")


def chosen(own: pd.DataFrame) -> pd.Series:
    """Return the most accurate on validation rows of those that keep to the tolerance there.

    Where none does in most seeds, it is that of the least gap.
    """
    keeps = own["missed"] < 0.5
    merit = own["valid accuracy"].where(keeps, -own["valid gap"])
    return own.assign(keeps=keeps, merit=merit).sort_values(["keeps", "merit"]).iloc[-1]


def _draw_chosen(ax: Axes, origin: str, own: pd.DataFrame) -> None:
    for tolerance, methods in own.groupby("tolerance"):
        row = chosen(methods)
        color = COLORS[origin]
        low = row["test accuracy"] - row["test accuracy low"]
        high = row["test accuracy high"] - row["test accuracy"]
        ax.errorbar(
            row["test gap"],
            row["test accuracy"],
            xerr=0 if pd.isna(row["test gap sd"]) else row["test gap sd"],
            yerr=[[low], [high]],
            fmt=MARKERS[tolerance],
            color=color,
            markerfacecolor=color if row["missed"] < 0.5 else "white",
            linewidth=1,
            markersize=7,
        )


def _legend(panels: list[Axes]) -> tuple[list, list[str]]:
    origins = [
        panels[0].scatter([], [], 30, color, label=LABELS[origin])
        for origin, color in COLORS.items()
    ]
    tolerances = [
        panels[0].scatter([], [], 30, "0.3", marker=marker, label=f"tolerance {tolerance}")
        for tolerance, marker in MARKERS.items()
    ]
    handles = origins + tolerances
    return handles, [handle.get_label() for handle in handles]
