"""The first screen of the report in sentences: who pays, and the largest differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..metrics._harm import left_out, worsened
from ._formats import number, percent
from ._measures import (
    ACCURACY,
    AUC,
    BASE_RATE,
    BURDEN,
    DISTANCE,
    EVERYBODY,
    FALSE_POSITIVE_RATE,
    FOUR_FIFTHS,
    GAP,
    SELECTION_RATE,
    SELECTION_RATIO,
    TRUE_POSITIVE_RATE,
    Measure,
)
from ._sections import SECTIONS

# measures whose gap is in the summary: the first of a line that there is
SUMMARIZED: dict[str, tuple[Measure, ...]] = {
    "Selection rate": (SELECTION_RATE,),
    "True positive rate (of people with a favorable outcome)": (TRUE_POSITIVE_RATE,),
    "False positive rate (of people with an unfavorable outcome)": (FALSE_POSITIVE_RATE,),
    "Recourse (what the refused would have to change)": (BURDEN, DISTANCE),
}


def figures(frame: pd.DataFrame) -> pd.DataFrame:
    """Index rows of the sections that compare groups by measure, group and model."""
    compared = [section.title for section in SECTIONS if section.columns]
    return frame[frame["section"].isin(compared)].set_index(["measure", "group", "model"])


def harm_sentences(frame: pd.DataFrame, about: Any) -> list[str]:
    """Name the groups at whose expense the model decides.

    Parameters
    ----------
    frame : DataFrame
        The figures of the report.
    about : Bunch
        What was audited.

    Returns
    -------
    list of str
        A sentence on the groups of which nobody is accepted, one on those of which hardly anybody
        is, and on large ones accepted less often than by the baseline by more than a third.
    """
    groups, (model, *others) = list(about.groups), about.models
    table = figures(frame)

    def of(measure: Measure, name: str, column: str = "value") -> np.ndarray:
        """Take a column of the groups' rows."""
        keys = pd.MultiIndex.from_product([[measure.name], groups, [name]])
        return table[column].reindex(keys).to_numpy()

    sizes = of(SELECTION_RATE, model, "cases")
    selected, true_positive = of(SELECTION_RATE, model), of(TRUE_POSITIVE_RATE, model)
    if others:
        before, expected = f"with {others[0]}", of(SELECTION_RATE, others[0])
        expected_positive = of(TRUE_POSITIVE_RATE, others[0])
        cases = of(TRUE_POSITIVE_RATE, model, "cases")
        large = np.where(cases >= about.min_cases, sizes, 0)
        fallen = worsened(selected, expected, sizes)
        missed = worsened(true_positive, expected_positive, large)
    else:
        before, expected = "of them had a favorable outcome", of(BASE_RATE, model)
        expected_positive = expected
        fallen = missed = np.zeros(len(groups), dtype=bool)
    out = left_out(selected, expected, sizes, min_size=about.min_cases)
    nobody = out & (selected == 0)
    says = []
    for where, what, rate, reference in (
        (nobody, "accepts nobody", None, expected),
        (out & ~nobody, "accepts hardly anybody", selected, expected),
        (fallen & ~out, "accepts fewer by more than a third", selected, expected),
        (
            missed & ~out & ~fallen,
            "accepts fewer, by more than a third, of those with a favorable outcome",
            true_positive,
            expected_positive,
        ),
    ):
        of_groups = [
            f"{groups[k]} ({sizes[k]:,.0f} people"
            + ("" if rate is None else f", {percent(rate[k])}")
            + f"; {percent(reference[k])} {before})"
            for k in np.flatnonzero(where)
        ]
        if of_groups:
            says.append(f"{model} {what} in {_listed(of_groups)}.")
    return says


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def summary_sentences(frame: pd.DataFrame, about: Any) -> list[str]:
    """Say what a reader with a minute should know.

    Parameters
    ----------
    frame : DataFrame
        The figures of the report.
    about : Bunch
        What was audited.

    Returns
    -------
    list of str
        About seven sentences.
    """
    table, (model, *others) = figures(frame), about.models
    known = set(table.index)
    lost = f" For {about.without_group:,} the group is not known." if about.without_group else ""
    says = [
        f"Audited on {about.n_people:,} people in {len(about.groups)} groups.{lost} "
        f"Refused means: predicted {' or '.join(about.refusing)}."
    ]
    if few := sum(n < about.min_cases for n in about.groups.values()):
        says[0] += (
            f" {few} {'groups have' if few > 1 else 'group has'} fewer than {about.min_cases} "
            "people: listed in gray, and not compared."
        )
    right = []
    for name in about.models:
        part = percent(table.loc[(ACCURACY.name, EVERYBODY, name), "value"])
        if (AUC.name, EVERYBODY, name) in known:
            part += f" (AUC {number(table.loc[(AUC.name, EVERYBODY, name), 'value'])})"
        right.append(f"of {name} {part}")
    says.append(f"Decisions that agree with the data: {', '.join(right)}.")
    for lead, measures in SUMMARIZED.items():
        for measure in measures:
            if (measure.name, GAP, model) not in known:
                continue
            line = f"{lead}: {table.loc[(measure.name, GAP, model), 'meaning']}"
            if measure is SELECTION_RATE:
                line += _four_fifths(table, model)
            for name in others:
                if (measure.name, GAP, name) in known:
                    gap = table.loc[(measure.name, GAP, name), "value"]
                    if not np.isnan(gap):
                        shown = measure.format_difference(gap)
                        line += f" With {name}: {shown}{measure.difference_unit}."
            says.append(line)
            break
    return says


def _four_fifths(table: pd.DataFrame, model: str) -> str:
    """Count the groups below the line."""
    ratios = table["value"].xs((SELECTION_RATIO.name, model), level=("measure", "model")).dropna()
    if ratios.empty:
        return ""
    below = int((ratios < FOUR_FIFTHS).sum())
    return (
        f" Of {len(ratios)} groups compared, {below} {'is' if below == 1 else 'are'} accepted less "
        "than four fifths as often as the one accepted most."
    )
