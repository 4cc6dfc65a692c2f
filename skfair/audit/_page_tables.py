"""Tables of the page, as data that its templates lay out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ._intervals import Interval
from ._measures import (
    BASE_RATE,
    EVERYBODY,
    FOUR_FIFTHS,
    GAP,
    Measure,
    capitalize,
    find_measure,
)

MODEL, MEANING = "Model", "What it says"  # columns of words
NOTHING = "–"


class Column(NamedTuple):
    """A heading, and whether numbers stand below it."""

    name: str
    is_number: bool


@dataclass(frozen=True)
class Figure:
    """A number in a cell.

    Attributes
    ----------
    label : str
        What its column is called.
    text, interval : str
        As they are shown.
    exact : Interval or None
        The same, exactly; None if there is no figure, or it is a count.
    meaning : str
        What it says, if the line does not.
    is_few : bool
        Whether it is about too few people to be compared.
    """

    label: str
    text: str = NOTHING
    interval: str = ""
    exact: Interval | None = None
    meaning: str = ""
    is_few: bool = False


@dataclass(frozen=True)
class Line:
    """A line of a table.

    Attributes
    ----------
    header : str or None
        Its first cell; None where that of a line above reaches down to it.
    span : int
        How many lines its header, and figures that models share, reach down.
    shared : sequence of Figure
        Figures that do not depend on the model.
    model : str or None
        The model, where it has a column.
    figures : sequence of Figure
        All others.
    meanings : sequence of (str, str)
        Model (or nothing, if there is one only) and sentence.
    is_few, is_everybody, is_title : bool
        Whether it is about few people, about all, or the title of the lines below.
    """

    header: str | None
    figures: Sequence[Figure] = ()
    model: str | None = None
    meanings: Sequence[tuple[str, str]] = ()
    shared: Sequence[Figure] = ()
    span: int = 1
    is_few: bool = False
    is_everybody: bool = False
    is_title: bool = False


@dataclass(frozen=True)
class Table:
    """A table: what it is called by those who do not see it, a heading, columns and lines."""

    label: str
    columns: Sequence[Column]
    lines: Sequence[Line]
    heading: str = ""
    is_narrow: bool = False


def comparison_table(
    rows: pd.DataFrame,
    about: Any,
    measures: Sequence[Measure],
    suffixes: Sequence[str],
    label: str,
) -> Table:
    """Compare groups by measures: a line for each model, a block of lines for each attribute.

    Parameters
    ----------
    rows : DataFrame
        Of a section.
    about : Bunch
        What was audited.
    measures : sequence of Measure
        Its columns, as far as there are rows.
    suffixes : sequence of str
        What follows their names, for each attribute; nothing for all of them together.
    label : str
        What the table is called.
    """
    models = [name for name in about.models if name in set(rows["model"])]
    measures = [m for m in measures if m.name in set(rows["measure"])]
    shared = [m for m in measures if m is BASE_RATE]  # whatever the model
    own = [m for m in measures if m is not BASE_RATE]
    columns = [Column("Group", False), Column("People", True), *map(_column, shared)]
    columns += [Column(MODEL, False)] * (len(models) > 1) + [_column(m) for m in own]
    table = rows.set_index(["measure", "group", "model"])
    lines: list[Line] = []
    for suffix in suffixes:
        if suffix and len(suffixes) > 1:
            lines.append(Line(suffix.strip().capitalize(), is_title=True))
        first = measures[0].name + suffix
        groups = rows.loc[(rows["measure"] == first) & (rows["group"] != GAP), "group"].unique()
        for group in groups:
            lines += _group_lines(table, group, suffix, models, shared, own, about.min_cases)
    return Table(label, columns, lines, is_narrow=len(own) < 3)


def _column(measure: Measure) -> Column:
    return Column(measure.heading, True)


def _group_lines(
    table: pd.DataFrame,
    group: str,
    suffix: str,
    models: Sequence[str],
    shared: Sequence[Measure],
    own: Sequence[Measure],
    min_cases: int,
) -> Iterator[Line]:
    """Yield a line for each model; what they have in common reaches down through all."""

    def figures(measures: Sequence[Measure], model: str) -> list[Figure]:
        keys = [(measure.name + suffix, group, model) for measure in measures]
        return [_figure_at(table, key, m, min_cases) for key, m in zip(keys, measures, strict=True)]

    several, is_everybody = len(models) > 1, group == EVERYBODY
    first = (*shared, *own)[0].name + suffix
    cases = int(table.loc[(first, group, models[0]), "cases"])
    for k, model in enumerate(models):
        common = [Figure("People", f"{cases:,}"), *figures(shared, model)]
        yield Line(
            None if k else group,
            figures(own, model),
            model if several else None,
            shared=() if k else common,
            span=len(models),
            is_few=cases < min_cases,
            is_everybody=is_everybody,
        )


def _figure_at(table: pd.DataFrame, key: tuple, measure: Measure, min_cases: int) -> Figure:
    if key not in table.index:
        return Figure(measure.heading)
    row = table.loc[key]
    is_few = row["cases"] < min_cases
    return _figure(measure.heading, measure, row, key[1], row["meaning"], is_few)


def split_table(rows: pd.DataFrame, splits: Sequence[str]) -> Table:
    """Show largest differences: measures by parts of the data, a line for each model."""
    table = rows.set_index(["measure", "model"])
    names = dict.fromkeys(
        name.removesuffix(f", {split}")
        for name in rows["measure"]
        for split in splits
        if name.endswith(f", {split}")
    )
    lines = []
    for name in names:
        for model in rows["model"].unique():
            found = {split: table.loc[(f"{name}, {split}", model)] for split in splits}
            figures = [
                _figure(split, find_measure(name), row, GAP, row["meaning"])
                for split, row in found.items()
            ]
            lines.append(Line(name, figures, model))
    columns = [Column("Largest difference in", False), Column(MODEL, False)]
    columns += [Column(split, True) for split in splits]
    return Table("Largest differences in each part", columns, lines)


def meaning_table(rows: pd.DataFrame, about: Any, by: str, label: str, heading: str) -> Table:
    """List groups, or measures: a line has the figure of each model, and what that means.

    Parameters
    ----------
    rows : DataFrame
        To be listed.
    about : Bunch
        What was audited.
    by : {"group", "measure"}
        What a line is for.
    label, heading : str
        What the table is called, and what stands above it.
    """
    models = [name for name in about.models if name in set(rows["model"])]
    lines = []
    for key, part in rows.groupby(by, sort=False):
        known = part.set_index("model")
        figures, meanings = [], []
        for model in models:
            if model not in known.index:
                figures.append(Figure(model))
                continue
            row = known.loc[model]
            figures.append(_figure(model, find_measure(row["measure"]), row, row["group"]))
            meanings.append((model if len(models) > 1 else "", row["meaning"]))
        header = "largest difference" if key == GAP else str(key)
        lines.append(Line(header, figures, meanings=meanings))
    columns = [Column(by.capitalize(), False), *(Column(model, True) for model in models)]
    return Table(label, [*columns, Column(MEANING, False)], lines, capitalize(heading))


def _figure(
    label: str,
    measure: Measure,
    row: pd.Series,
    group: str,
    meaning: str = "",
    is_few: bool = False,
) -> Figure:
    """Show a row in a cell: of few people the count, else the value and its interval."""
    exact = Interval(*(float(row[name]) for name in Interval._fields))
    value, lower, upper = exact
    text, interval = measure.format(value), ""
    if is_few and measure.is_share and row["cases"]:
        text = f"{round(value * row['cases'])} of {row['cases']}"
        return Figure(label, text, "", exact, meaning, is_few)
    if group == GAP and not np.isnan(value):
        text = measure.format_difference(value) + measure.difference_unit
    if measure.kind == "ratio" and value < FOUR_FIFTHS:
        text = f"{'▼' if upper < FOUR_FIFTHS else '▽'} {text}"
    if not (np.isnan(lower) or lower == upper):
        interval = f"[{measure.format_difference(lower)}, {measure.format_difference(upper)}]"
    return Figure(label, text, interval, exact, meaning, is_few)
