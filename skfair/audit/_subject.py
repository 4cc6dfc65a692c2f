"""What is audited: a classifier, the people it decides about, and their groups."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._estimators import find_attribute
from .._groups import GroupEncoder, group_name
from .._labels import unfavorable_codes
from ._errors import NotComputedError
from ._intervals import Interval
from ._measures import EVERYBODY, GAP


class Row(NamedTuple):
    """A figure: a row of the report's frame, but for its section."""

    measure: str
    group: str
    model: str
    value: float
    lower: float
    upper: float
    cases: int
    meaning: str


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
        """Make a group of every combination of attributes that occurs."""
        encoder = GroupEncoder()
        codes = encoder.encode(frame)[:, 0]
        names = [group_name(label) for label in encoder.labels]
        taken = {EVERYBODY, GAP}
        for k, name in enumerate(names):  # as different from each other as the groups are
            names[k] = name if name not in taken else f"{name} ({k + 1})"
            taken.add(names[k])
        return cls(names, codes, encoder.labels, suffix)

    def __iter__(self) -> Iterator[tuple[int, str, str]]:
        """Yield number, name and name in a sentence of each group, and of everybody."""
        for k, name in enumerate(self.names):
            yield k, name, f"group {name}"
        yield len(self.names), EVERYBODY, "all groups together"


@dataclass(frozen=True)
class AuditSettings:
    """How to audit, the same for all models.

    Attributes
    ----------
    level : float
        Confidence level.
    n_resamples : int
        Bootstrap resamples.
    min_cases : int
        Groups with fewer cases of a measure are not compared.
    seed : int
        Of everything random.
    searched : int ndarray
        Positions of the people for whom counterfactuals are searched.
    recourse : mapping
        Arguments of :func:`~skfair.recourse.counterfactuals`.
    sensitive_columns : object
        Columns of X that hold the sensitive features, if any.
    splits : mapping
        ``{name: (X, y, sensitive_features)}``.
    """

    level: float
    n_resamples: int
    min_cases: int
    seed: int
    searched: np.ndarray
    recourse: Mapping[str, Any]
    sensitive_columns: Any
    splits: Mapping[str, Any]


def refusing_classes(models: Mapping[str, Any]) -> Any:
    """Return what ``unfavorable`` is to all classifiers: what any of them was told, or ``None``.

    Raises
    ------
    ValueError
        If two were told different classes.
    """
    told = {name: find_attribute(model, "unfavorable") for name, model in models.items()}
    told = {name: classes for name, classes in told.items() if classes is not None}
    different = {frozenset(np.ravel(np.asarray(c, dtype=object))) for c in told.values()}
    if len(different) > 1:
        raise ValueError(
            f"The classifiers were told different classes that refuse, {told}: pass unfavorable= "
            "to say which they are for both."
        )
    return next(iter(told.values()), None)


@dataclass
class AuditSubject:
    """A classifier and the people it is audited on.

    ``accepted`` and ``favorable`` are 1 for acceptance, as predicted and in the data.
    """

    name: str
    estimator: Any
    X: Any
    y: np.ndarray
    sensitive_features: pd.DataFrame
    unfavorable: Any
    settings: AuditSettings

    def __post_init__(self) -> None:
        self.groups = Groups.of(self.sensitive_features)
        self.everyone = np.arange(len(self.y))
        classes = getattr(self.estimator, "classes_", None)
        self.classes = np.unique(self.y) if classes is None else np.asarray(classes)
        if unknown := sorted(set(self.y.tolist()) - set(self.classes.tolist()), key=str):
            raise ValueError(
                f"y has labels {unknown} that the {self.name} does not know; it knows "
                f"{self.classes.tolist()}."
            )
        codes = unfavorable_codes(self.unfavorable, self.classes)
        self.refusing = self.classes[list(codes)]
        self.accepted = self.accepts(self.X, self.sensitive_features)
        self.favorable = (~np.isin(self.y, self.refusing)).astype(int)

    def _predict_parameters(self) -> set[str]:
        """Name the parameters of ``predict``, which pipelines hand on to their last step."""
        final = self.estimator
        while hasattr(final, "steps"):
            final = final.steps[-1][1]
        return set(inspect.signature(final.predict).parameters)

    def accepts(self, X: Any, sensitive_features: pd.DataFrame) -> np.ndarray:
        """Predict, as 1 for acceptance; groups and a seed go where ``predict`` takes them."""
        known = self._predict_parameters()
        given = {"sensitive_features": sensitive_features, "random_state": self.settings.seed}
        y_pred = self.estimator.predict(X, **{k: v for k, v in given.items() if k in known})
        return (~np.isin(np.asarray(y_pred).ravel(), self.refusing)).astype(int)

    def check_individual(self) -> None:
        """Raise if a decision is not a function of a person's row alone."""
        known, kind = self._predict_parameters(), type(self.estimator).__name__
        if "sensitive_features" in known:
            raise NotComputedError(f"{kind} needs to be told everybody's group to decide.")
        if "random_state" in known:
            raise NotComputedError(f"{kind} decides at random.")
        if not hasattr(self.estimator, "classes_"):
            raise NotComputedError(f"{kind} does not name its classes (classes_).")

    def groupings(self) -> Iterator[Groups]:
        """Yield the groups of all attributes together, then those of each."""
        yield self.groups
        features = self.sensitive_features
        for name in features.columns if features.shape[1] > 1 else ():
            if features[name].nunique() > 1:
                with warnings.catch_warnings():  # of missing values, which was said before
                    warnings.simplefilter("ignore", UserWarning)
                    yield Groups.of(features[[name]], f" by {name}")

    def row(
        self, measure: str, group: Hashable, found: Interval, cases: float, meaning: str
    ) -> Row:
        """Make a row about this classifier."""
        value, lower, upper = map(float, found)
        return Row(measure, str(group), self.name, value, lower, upper, int(cases), meaning)
