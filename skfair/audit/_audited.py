"""What is audited: a classifier, the people it decides about, and their groups."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .._estimators import find_attribute
from .._groups import GroupEncoder, group_name
from .._labels import unfavorable_codes
from ._intervals import Interval

EVERYBODY, GAP = "everybody", "gap"


class NotComputed(Exception):
    """A section that has no figures, and why."""


@dataclass
class Groups:
    """Groups of people: names, and the code of each person's, below zero for none.

    ``suffix`` is added to the names of measures.
    """

    names: list[str]
    codes: np.ndarray
    labels: list
    suffix: str = ""

    @classmethod
    def of(cls, frame: pd.DataFrame, suffix: str = "") -> Groups:
        """Groups of every combination of attributes that occurs."""
        encoder = GroupEncoder()
        codes = encoder.encode(frame)[:, 0]
        names = [group_name(label) for label in encoder.labels]
        taken = {EVERYBODY, GAP}
        for k, name in enumerate(names):  # as different from each other as the groups are
            names[k] = name if name not in taken else f"{name} ({k + 1})"
            taken.add(names[k])
        return cls(names, codes, encoder.labels, suffix)

    def __iter__(self) -> Iterator[tuple[int, str, str]]:
        """Number, name and name in a sentence of each group, and of everybody."""
        for k, name in enumerate(self.names):
            yield k, name, f"group {name}"
        yield len(self.names), EVERYBODY, "all groups together"


@dataclass
class Audited:
    """A classifier and the people it is audited on.

    ``accepted`` and ``favorable`` are 1 for acceptance, as predicted and in the data.
    """

    name: str
    estimator: Any
    X: Any
    y: np.ndarray
    frame: pd.DataFrame
    unfavorable: Any
    level: float
    n_resamples: int
    min_cases: int
    seed: int

    def __post_init__(self) -> None:
        self.groups = Groups.of(self.frame)
        self.everyone = np.arange(len(self.y))
        classes = getattr(self.estimator, "classes_", None)
        self.classes = np.unique(self.y) if classes is None else np.asarray(classes)
        if unknown := sorted(set(self.y.tolist()) - set(self.classes.tolist()), key=str):
            raise ValueError(
                f"y has labels {unknown} that the {self.name} does not know; it knows "
                f"{self.classes.tolist()}."
            )
        if self.unfavorable is None:
            self.unfavorable = find_attribute(self.estimator, "unfavorable")
        codes = unfavorable_codes(self.unfavorable, self.classes)
        self.refusing = self.classes[list(codes)]
        self.accepted = self.accepts(self.X, self.frame)
        self.favorable = (~np.isin(self.y, self.refusing)).astype(int)

    # -- what can be asked ---------------------------------------------------------------------

    def _takes(self) -> set[str]:
        """Parameters of ``predict``, which pipelines hand on to their last step."""
        final = self.estimator
        while hasattr(final, "steps"):
            final = final.steps[-1][1]
        return set(inspect.signature(final.predict).parameters)

    def accepts(self, X: Any, frame: pd.DataFrame) -> np.ndarray:
        """1 for acceptance; ``predict`` is told the groups and a seed where it takes them."""
        known = self._takes()
        given = {"sensitive_features": frame, "random_state": self.seed}
        y_pred = self.estimator.predict(X, **{k: v for k, v in given.items() if k in known})
        return (~np.isin(np.asarray(y_pred).ravel(), self.refusing)).astype(int)

    def check_alone(self) -> None:
        """Raise if a decision is not a function of a person's row alone."""
        known, kind = self._takes(), type(self.estimator).__name__
        if "sensitive_features" in known:
            raise NotComputed(f"{kind} needs to be told everybody's group to decide.")
        if "random_state" in known:
            raise NotComputed(f"{kind} decides at random.")
        if not hasattr(self.estimator, "classes_"):
            raise NotComputed(f"{kind} does not name its classes (classes_).")

    def groupings(self) -> Iterator[Groups]:
        """The groups of all attributes together, then those of each."""
        yield self.groups
        for name in self.frame.columns if self.frame.shape[1] > 1 else ():
            if self.frame[name].nunique() > 1:
                with warnings.catch_warnings():  # of missing values, which was said before
                    warnings.simplefilter("ignore", UserWarning)
                    yield Groups.of(self.frame[[name]], f" by {name}")

    def row(
        self,
        section: str,
        measure: str,
        group: Hashable,
        found: Interval,
        cases: float,
        says: str,
    ) -> dict:
        """A row of the report's frame."""
        return {
            "section": section,
            "measure": measure,
            "group": str(group),
            "model": self.name,
            "value": float(found.value),
            "lower": float(found.lower),
            "upper": float(found.upper),
            "cases": int(cases),
            "meaning": says,
        }
