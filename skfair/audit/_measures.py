"""What a report measures: the name of each measure, and how its values are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ._formats import number, percent

EVERYBODY, GAP = "everybody", "gap"  # in place of a group: all people, the largest difference
FOUR_FIFTHS = 0.8


@dataclass(frozen=True)
class Measure:
    """Something that is measured of each group.

    Attributes
    ----------
    name : str
        As in the frame of the report, where an attribute (" by sex"), a part of the data
        (", training part") or a column may follow.
    kind : {"number", "share", "ratio"}, default="number"
        Shares of people are shown in per cent, ratios with three decimals.
    column : str, default=""
        Heading of its column, if that is not its name.
    """

    name: str
    kind: Literal["number", "share", "ratio"] = "number"
    column: str = ""

    @property
    def heading(self) -> str:
        """Its name where a column or a table begins."""
        return self.column or capitalize(self.name)

    @property
    def is_share(self) -> bool:
        """Whether it is a share of people."""
        return self.kind == "share"

    @property
    def difference_unit(self) -> str:
        """What follows a difference of two values."""
        return " points" if self.is_share else ""

    def format(self, value: float) -> str:
        """Write a value as it stands on the page."""
        if self.kind == "ratio" and not np.isnan(value):
            return f"{value:.3f}"
        return (percent if self.is_share else number)(value)

    def format_difference(self, value: float) -> str:
        """Write a difference of two values, without its unit."""
        is_points = self.is_share and not np.isnan(value)
        return f"{100 * value:.1f}" if is_points else self.format(value)


BASE_RATE = Measure("base rate", "share")
SELECTION_RATE = Measure("selection rate", "share")
SELECTION_RATIO = Measure("selection rate ratio", "ratio", "Ratio to the highest")
TRUE_POSITIVE_RATE = Measure("true positive rate", "share")
FALSE_POSITIVE_RATE = Measure("false positive rate", "share")
PRECISION = Measure("precision", "share")
ACCURACY = Measure("accuracy", "share")
AUC = Measure("AUC")
DISTANCE = Measure("distance to acceptance")
BURDEN = Measure("burden")
NO_WAY_FOUND = Measure("no way found", "share")
CHANGE = Measure("change of", "share", "What would change")  # a column's name follows
IMPOSSIBLE_ANSWERS = Measure("impossible answers", "share")
PARITY_SCORE = Measure("parity score")
SENSITIVITY = Measure("prediction sensitivity")
MOST_SENSITIVE = Measure("most sensitive people")

MEASURES = tuple(value for value in tuple(vars().values()) if isinstance(value, Measure))


def find_measure(name: str) -> Measure:
    """Find the measure of a row by its name in the frame, whatever follows that.

    Parameters
    ----------
    name : str
        Such as "selection rate by sex".

    Returns
    -------
    Measure
        The one with the longest name with which this begins; a number if there is none.
    """
    known = [m for m in MEASURES if f"{name} ".startswith((f"{m.name} ", f"{m.name}, "))]
    return max(known, key=lambda m: len(m.name), default=Measure(name))


def capitalize(text: str) -> str:
    """Begin with a capital letter, and leave the rest."""
    return text[:1].upper() + text[1:]
