"""The sections of a report: what each is about, the rows that fill it, and what it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from . import _measures as measures
from ._dependence import parity_rows, sensitivity_rows, subgroup_rows
from ._measures import Measure
from ._rates import generalization_rows, rate_rows
from ._recourse import burden_rows, distance_rows
from ._subject import AuditSubject, Row


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes
    ----------
    title : str
        Its name, on the page and in the frame.
    about : str
        What its figures mean, and what they leave open; ``{n_searched}`` is filled in.
    rows : callable
        ``rows(subject)`` computes its figures, or raises :class:`NotComputedError`.
    columns : tuple of Measure
        Those by which its first table compares the groups of all attributes, and of each.
    pictured : tuple of Measure
        Those of which there is a picture.
    """

    title: str
    about: str
    rows: Callable[[AuditSubject], Iterator[Row]]
    columns: tuple[Measure, ...] = ()
    pictured: tuple[Measure, ...] = ()

    def select(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Take its rows from the frame of a report."""
        return frame[frame["section"] == self.title]


GROUP_METRICS = Section(
    "Group metrics",
    "How often each group is accepted, and how often that is right. Rates depend on who is in the "
    "data as much as on the model, and equal rates can hide different treatment of people who are "
    "alike.",
    rate_rows,
    columns=(
        measures.BASE_RATE,
        measures.SELECTION_RATE,
        measures.SELECTION_RATIO,
        measures.TRUE_POSITIVE_RATE,
        measures.FALSE_POSITIVE_RATE,
        measures.PRECISION,
        measures.ACCURACY,
    ),
    pictured=(
        measures.SELECTION_RATE,
        measures.TRUE_POSITIVE_RATE,
        measures.FALSE_POSITIVE_RATE,
    ),
)
GENERALIZATION = Section(
    "Generalization",
    "The same gaps on other rows. A gap that is small where the model was trained and large "
    "elsewhere has been learned by heart.",
    generalization_rows,
)
SECTIONS = (
    GROUP_METRICS,
    Section(
        "Recourse, as the model counts",
        "How far the refused are from acceptance, in the model's own units (log-odds for a "
        "network), averaged over all members of a group with 0 for the accepted (FaiR-N, Eq. 1). "
        "It is quick and exact, but a unit means nothing outside the model.",
        distance_rows,
        columns=(measures.DISTANCE,),
        pictured=(measures.DISTANCE,),
    ),
    Section(
        "Recourse, as people see it",
        "How much a refused person's entries would have to change for the model to accept "
        "(burden). Sensitive entries never change; numbers stay within the range that was "
        "observed. Entries change one by one: one that follows from another, as an age group from "
        "an age, does not follow it here. Distances are the shortest found, so they can be too "
        "long, not too short. The change is one in the model's input: it does not say that the "
        "person could make it, or that the outcome would follow. Searched for {n_searched:,} "
        "people.",
        burden_rows,
        columns=(measures.BURDEN, measures.NO_WAY_FOUND),
        pictured=(measures.BURDEN,),
    ),
    Section(
        "Reasons inside the network",
        "Whether the same weights matter to all groups (parameter parity score, FAIRER, Eq. 4). "
        "Comparable only between networks of the same shape on the same data.",
        parity_rows,
    ),
    Section(
        "Dependence on the attribute itself",
        "What the model's probability would change by if only the sensitive entry were another "
        "(prediction sensitivity). Zero does not mean that the attribute plays no role: it can act "
        "through other entries that go with it.",
        sensitivity_rows,
        columns=(measures.SENSITIVITY,),
        pictured=(measures.SENSITIVITY,),
    ),
    Section(
        "Subgroups",
        "Subgroups, also by several attributes at once, whose value deviates most from "
        "everybody's. Whether they differ allows for their number; intervals are for each by "
        "itself.",
        subgroup_rows,
    ),
    GENERALIZATION,
)
