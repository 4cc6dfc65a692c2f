"""Rates of groups: on the people audited, and on each part of the data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from .._estimators import decision_values
from .._groups import GroupEncoder, as_frame
from .._rates import BASE_RATE as DATA_RATE
from .._rates import RATES, Rate
from ..metrics._generalization import read_split
from ._errors import NotComputedError
from ._formats import percent
from ._intervals import Interval, Rates, auc_interval
from ._measures import (
    ACCURACY,
    AUC,
    BASE_RATE,
    EVERYBODY,
    FALSE_POSITIVE_RATE,
    FOUR_FIFTHS,
    GAP,
    PRECISION,
    SELECTION_RATE,
    SELECTION_RATIO,
    TRUE_POSITIVE_RATE,
    Measure,
    find_measure,
)
from ._rows import comparison_rows
from ._subject import AuditSubject, Groups, Row


class Decisions(NamedTuple):
    """Whether outcomes in the data, and decisions, are favorable."""

    favorable: np.ndarray
    accepted: np.ndarray


@dataclass(frozen=True)
class RateInWords:
    """A rate; the measure that it is on the page; who counts, and what is counted, in words."""

    measure: Measure
    rate: Rate
    people: str
    verb: str


_PEOPLE, _ARE_ACCEPTED, _HAD_ONE = (
    "people in {group}",
    "are accepted",
    "had a favorable outcome",
)
IN_WORDS = (
    RateInWords(BASE_RATE, DATA_RATE, _PEOPLE, _HAD_ONE),
    RateInWords(SELECTION_RATE, RATES["selection_rate"], _PEOPLE, _ARE_ACCEPTED),
    RateInWords(
        TRUE_POSITIVE_RATE,
        RATES["true_positive_rate"],
        f"{_PEOPLE} with a favorable outcome",
        _ARE_ACCEPTED,
    ),
    RateInWords(
        FALSE_POSITIVE_RATE,
        RATES["false_positive_rate"],
        f"{_PEOPLE} with an unfavorable outcome",
        _ARE_ACCEPTED,
    ),
    RateInWords(PRECISION, RATES["precision"], f"{_PEOPLE} who are accepted", _HAD_ONE),
    RateInWords(ACCURACY, RATES["accuracy"], "decisions about {group}", "agree with the data"),
)


def rate_rows(subject: AuditSubject) -> Iterator[Row]:
    """Yield rates of each group, their gaps, four-fifths ratios; and the AUC over everybody."""
    made = Decisions(subject.favorable == 1, subject.accepted == 1)
    for groups in subject.groupings():
        yield from _rates(subject, groups, made)
    with suppress(NotComputedError, ValueError):
        subject.check_individual()
        if len(subject.classes) == 2:
            yield from _auc(subject)


def _auc(subject: AuditSubject) -> Iterator[Row]:
    scores = decision_values(subject.estimator, subject.X)
    if subject.refusing[0] == subject.classes[1]:
        scores = -scores
    found = auc_interval(scores, subject.favorable == 1, subject.settings.level)
    if not np.isnan(found.value):
        says = (
            "Of two people, one with a favorable outcome and one without, the model ranks the "
            f"former higher in {percent(found.value)} of all pairs."
        )
        yield subject.row(AUC.name, EVERYBODY, found, len(subject.everyone), says)


def _rates(subject: AuditSubject, groups: Groups, made: Decisions) -> Iterator[Row]:
    min_cases = subject.settings.min_cases
    for rate in IN_WORDS:
        hits, cases = rate.rate.hits(*made), rate.rate.cases(*made)
        rates = Rates.of(hits, cases, groups.codes, len(groups.names))
        sentence = partial(_rate_sentence, rate, rates, min_cases)
        yield from comparison_rows(subject, rate.measure, groups, rates, sentence)
        if rate.measure is SELECTION_RATE:
            yield from _four_fifths(subject, groups, rates)


def _rate_sentence(
    rate: RateInWords,
    rates: Rates,
    min_cases: int,
    k: int,
    phrase: str,
    found: Interval,
    cases: int,
) -> str:
    people = rate.people.format(group=phrase)
    if not cases:
        return f"There are no {people}."
    if cases < min_cases:
        return f"{int(rates.hits[k])} of {cases} {people} {rate.verb}: too few to compare."
    return f"Of 100 {people}, {100 * found.value:.1f} {rate.verb}."


def _four_fifths(subject: AuditSubject, groups: Groups, rates: Rates) -> Iterator[Row]:
    """Divide selection rates by that of the group which is accepted most."""
    highest, ratios = rates.ratios(subject.settings.level, subject.settings.min_cases)
    for k, found in enumerate(ratios):
        who = f"Group {groups.names[k]}"
        if highest is None or np.isnan(found.value):
            says = f"{who} has too few people, or the others do, to compare."
        elif k == highest:
            says = f"{who} is accepted most."
        else:
            times, most = SELECTION_RATIO.format(found.value), groups.names[highest]
            says = (
                f"{who} is accepted {times} times as often as {most}, the group accepted most: "
                f"{_against_line(found)}."
            )
        name = SELECTION_RATIO.name + groups.suffix
        yield subject.row(name, groups.names[k], found, rates.cases[k], says)


def _against_line(ratio: Interval) -> str:
    """Say where a ratio and its interval lie, seen from four fifths."""
    if ratio.value >= FOUR_FIFTHS:
        return "four fifths or more" if ratio.lower >= FOUR_FIFTHS else "about four fifths or more"
    return "less than four fifths" if ratio.upper < FOUR_FIFTHS else "about four fifths or less"


# -- other rows -------------------------------------------------------------------------------


def generalization_rows(subject: AuditSubject) -> Iterator[Row]:
    """Yield gaps of the rates that depend on the model, on each split."""
    for name, data in subject.settings.splits.items():
        split = read_split(name, data, None)
        frame = as_frame(split.sensitive_features)
        try:
            codes = _codes(subject.groups.labels, frame)
            if unknown := sorted(set(split.y.tolist()) - set(subject.classes.tolist()), key=str):
                raise ValueError(f"its labels {unknown} are unknown")
            accepted = subject.accepts(split.X, frame)
        except ValueError as error:
            raise NotComputedError(f"split {name!r}: {error}") from error
        groups = replace(subject.groups, codes=codes, suffix=f", {name}")
        favorable = (~np.isin(split.y, subject.refusing)).astype(int)
        for row in _rates(subject, groups, Decisions(favorable == 1, accepted == 1)):
            if row.group == GAP and find_measure(row.measure) is not BASE_RATE:
                yield row


def _codes(labels: list, frame: pd.DataFrame) -> np.ndarray:
    """Give groups the numbers that they have elsewhere; -1 for any other."""
    encoder = GroupEncoder()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        codes = encoder.encode(frame)[:, 0]
    known = [labels.index(label) if label in labels else -1 for label in encoder.labels]
    return np.where(codes >= 0, np.array([*known, -1])[codes], -1)
