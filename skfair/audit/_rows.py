"""Rows that compare groups: one for each, one for everybody, one for the largest difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ._formats import confidence
from ._intervals import Estimate, Gap, Interval
from ._measures import GAP, Measure
from ._subject import AuditSubject, Groups, Row

Sentence = Callable[[int, str, Interval, int], str]  # of a group's number, phrase, figure, cases


def comparison_rows(
    subject: AuditSubject, measure: Measure, groups: Groups, estimate: Estimate, sentence: Sentence
) -> Iterator[Row]:
    """Compare groups by an estimate.

    Parameters
    ----------
    subject : AuditSubject
        Whom the rows are about.
    measure : Measure
        What is estimated.
    groups : Groups
        Who is compared.
    estimate : Estimate
        A figure of each group, everybody last.
    sentence : callable
        ``sentence(number, phrase, found, cases)`` says what a group's figure means.

    Yields
    ------
    Row
        Of each group, of everybody, and of the largest difference between two groups.
    """
    settings, name = subject.settings, measure.name + groups.suffix
    for k, group, phrase in groups:
        found, cases = estimate.interval(k, settings.level), int(estimate.cases[k])
        yield subject.row(name, group, found, cases, sentence(k, phrase, found, cases))
    gap = estimate.gap(settings.level, settings.min_cases)
    meaning = gap_sentence(measure, gap, estimate, groups.names, settings.level, settings.min_cases)
    compared = estimate.compared(settings.min_cases)
    yield subject.row(name, GAP, gap.found, estimate.cases[compared].sum(), meaning)


def gap_sentence(
    measure: Measure, gap: Gap, estimate: Estimate, names: list[str], level: float, min_cases: int
) -> str:
    """Say what the largest difference between groups is, and what is known about it."""
    if gap.pair is None:
        return f"Fewer than two groups have {min_cases} cases of this measure: nothing to compare."

    def pair(members: tuple[int, int]) -> str:
        return " and ".join(f"{names[k]} ({measure.format(estimate.value[k])})" for k in members)

    value, lower, upper = map(measure.format_difference, gap.found)
    sure, points = f"({confidence(level)} confidence)", measure.difference_unit
    says = f"{pair(gap.pair)} differ most, by {value}{points}"
    if gap.found.value == 0:
        says = f"All groups have the same, {measure.format(estimate.value[gap.pair[0]])}"
    if gap.sure is None:
        return (
            f"{says}: these data do not show a difference between groups, nor that there is none; "
            f"the largest may be up to {upper}{points} {sure}."
        )
    says += f"; the largest true difference is {lower} to {upper}{points} {sure}."
    if gap.sure != gap.pair:
        says += f" Surest is that of {pair(gap.sure)}: {lower}{points} or more."
    return says
