"""The report as a page: one file, no scripts, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ._figures import intervals_figure
from ._formats import confidence, printable
from ._measures import CHANGE, FOUR_FIFTHS, GAP, find_measure
from ._page_tables import Table, comparison_table, meaning_table, split_table
from ._sections import GENERALIZATION, GROUP_METRICS, SECTIONS, Section
from ._summary import harm_sentences, summary_sentences


@dataclass(frozen=True)
class SectionView:
    """What the page shows of a section."""

    title: str
    about: str
    reasons: Mapping[str, str]  # of models for which it was not computed
    pictures: Sequence[Markup]
    tables: Sequence[Table]


def page(frame: pd.DataFrame, not_computed: dict, about: Any, embedded: bool = False) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    frame : DataFrame
        The figures.
    not_computed : dict
        ``{(section, model): reason}``.
    about : Bunch
        What was audited.
    embedded : bool, default=False
        A part of a page, for notebooks, instead of a page.

    Returns
    -------
    str
        HTML.
    """
    shown = [section for section in SECTIONS if section.title in about.sections]
    template = _environment().get_template("part.html" if embedded else "page.html")
    text = template.render(
        about=about,
        alarms=harm_sentences(frame, about),
        sentences=summary_sentences(frame, about),
        rates=_rates(frame, about),
        sections=[_view(section, frame, not_computed, about) for section in shown],
        confidence=confidence(about.level),
        four_fifths=f"{FOUR_FIFTHS:g}",
        embedded=embedded,
    )
    return printable(text)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("skfair.audit"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["anchor"] = _anchor
    return environment


def _anchor(title: str) -> str:
    """Turn a title into what a link names."""
    return "-".join("".join(c if c.isalpha() else " " for c in title.lower()).split())


def _rates(frame: pd.DataFrame, about: Any) -> Table:
    """Make the table of the first screen: of all attributes together."""
    rows = GROUP_METRICS.select(frame)
    return comparison_table(rows, about, GROUP_METRICS.columns, [""], "Rates of each group")


def _view(section: Section, frame: pd.DataFrame, not_computed: dict, about: Any) -> SectionView:
    rows = section.select(frame)
    return SectionView(
        section.title,
        section.about.format(n_searched=about.n_searched),
        {
            model: reason
            for (title, model), reason in not_computed.items()
            if title == section.title
        },
        _pictures(section, rows, about.min_cases),
        _tables(section, rows, about),
    )


def _pictures(section: Section, rows: pd.DataFrame, min_cases: int) -> list[Markup]:
    pictures = []
    for measure in section.pictured:
        drawn = rows[(rows["measure"] == measure.name) & (rows["group"] != GAP)]
        drawn = drawn[drawn["cases"] >= min_cases]
        if len(drawn):
            says = f"{measure.name} of each group, with intervals; a table has the numbers"
            pictures.append(intervals_figure(drawn, measure, says))
    return pictures


def _tables(section: Section, rows: pd.DataFrame, about: Any) -> list[Table]:
    """Make a table of what is compared, one of the gaps, then one for each other measure."""
    tables = []
    by_attribute = [f" by {name}" for name in about.attributes]
    if section.columns and len(rows):
        # rates of all attributes together are on the first screen
        compared = by_attribute if section is GROUP_METRICS else ["", *by_attribute]
        if compared:
            tables.append(comparison_table(rows, about, section.columns, compared, section.title))
        done = {m.name + suffix for m in section.columns for suffix in ("", *by_attribute)}
        gaps = rows[(rows["group"] == GAP) & rows["measure"].isin(done)]
        tables.append(meaning_table(gaps, about, "measure", section.title, "Largest differences"))
        rows = rows[~rows["measure"].isin(done)]
    if section is GENERALIZATION and len(rows):
        return [*tables, split_table(rows, about.splits)]
    is_change = rows["measure"].map(lambda name: find_measure(name) is CHANGE).astype(bool)
    for name, part in rows[~is_change].groupby("measure", sort=False):
        tables.append(meaning_table(part, about, "group", str(name), str(name)))
    if is_change.any():
        changes = rows[is_change]
        tables.append(meaning_table(changes, about, "measure", "changes", CHANGE.heading))
    return tables
