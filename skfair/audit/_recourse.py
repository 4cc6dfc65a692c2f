"""How far the refused are from acceptance: for the model, and in what they would have to change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.utils import Bunch, _safe_indexing

from .._estimators import decision_values
from .._warnings import ignored
from ..metrics._recourse import burdens
from ..recourse import counterfactuals
from ._errors import NotComputedError
from ._formats import number
from ._intervals import Interval, Means, Rates
from ._measures import (
    BURDEN,
    CHANGE,
    DISTANCE,
    EVERYBODY,
    IMPOSSIBLE_ANSWERS,
    NO_WAY_FOUND,
    Measure,
)
from ._rows import comparison_rows
from ._subject import AuditSubject, Row

MAX_CHANGED_COLUMNS = 8


def mean_rows(
    subject: AuditSubject, measure: Measure, values: np.ndarray, people: np.ndarray, of_group: str
) -> Iterator[Row]:
    """Compare group means of a number that all these people have.

    Parameters
    ----------
    subject : AuditSubject
        Whom the rows are about.
    measure : Measure
        What the numbers are.
    values : ndarray of shape (n,)
        Never negative.
    people : int ndarray of shape (n,)
        Positions of the people whose they are.
    of_group : str
        What a mean says, with ``{group}`` and ``{value}``.
    """

    def sentence(_: int, phrase: str, found: Interval, cases: int) -> str:
        if not cases:
            return (
                f"There is no figure for {phrase}: nobody was among those searched for, or found."
            )
        says = of_group.format(group=phrase, value=number(found.value))
        if cases < subject.settings.min_cases:
            return f"{says[:-1]}: {cases} people, too few to compare."
        return says

    for groups in subject.groupings():
        means = Means(values, groups.codes[people], len(groups.names))
        yield from comparison_rows(subject, measure, groups, means, sentence)


def distance_rows(subject: AuditSubject) -> Iterator[Row]:
    """Yield distances in logits (FaiR-N, Eq. 1)."""
    subject.check_individual()
    try:
        decision = decision_values(subject.estimator, subject.X)
    except ValueError as error:
        raise NotComputedError(str(error)) from error
    yield from mean_rows(
        subject,
        DISTANCE,
        burdens(decision, classes=subject.classes, unfavorable=subject.refusing),
        subject.everyone,
        "Members of {group} are on average {value} away from acceptance (0 for the accepted).",
    )


def burden_rows(subject: AuditSubject) -> Iterator[Row]:
    """Yield the burden (FaiR-N, Table 3), for whom nothing is found, what would have to change."""
    subject.check_individual()
    people = subject.settings.searched
    found = _counterfactuals(subject, people)
    distance = np.zeros(len(people))
    distance[found.refused] = found.distance
    reached = np.isfinite(distance)
    left_out = " Those for whom no way was found are left out." * (not reached.all())
    yield from mean_rows(
        subject,
        BURDEN,
        distance[reached],
        people[reached],
        "Members of {group} would have to change by {value} on average to be accepted (0 for the "
        f"accepted; 1 is a typical deviation of a number, or one category).{left_out}",
    )
    refused = np.isin(np.arange(len(people)), found.refused)
    yield from _lost(subject, refused, reached)
    yield from _answers(subject, found, refused & reached)


def _counterfactuals(subject: AuditSubject, people: np.ndarray) -> Bunch:
    X, settings = _safe_indexing(subject.X, people), subject.settings.recourse
    try:
        with ignored("Some counterfactuals"):  # a row says it
            return counterfactuals(
                subject.estimator, X, **{"unfavorable": list(subject.refusing), **settings}
            )
    except (ValueError, TypeError) as error:
        raise NotComputedError(str(error)) from error


def _lost(subject: AuditSubject, refused: np.ndarray, reached: np.ndarray) -> Iterator[Row]:
    """Count for whom of the refused no way was found."""
    groups = subject.groups
    lost = Rates.of(~reached, refused, groups.codes[subject.settings.searched], len(groups.names))

    def sentence(k: int, phrase: str, part: Interval, cases: int) -> str:
        if not cases:
            return f"Nobody in {phrase} is refused."
        if cases < subject.settings.min_cases:
            return (
                f"For {int(lost.hits[k])} of {cases} refused in {phrase}, no way was found: too "
                "few to compare."
            )
        return f"For {100 * part.value:.1f} of 100 refused in {phrase}, no way was found."

    yield from comparison_rows(subject, NO_WAY_FOUND, groups, lost, sentence)


def _answers(subject: AuditSubject, found: Bunch, answered: np.ndarray) -> Iterator[Row]:
    """Say what changes in the answers, and in how many a function between columns breaks."""
    changed = np.zeros((len(answered), found.changed.shape[1]), dtype=bool)
    changed[found.refused] = found.changed.to_numpy() & found.valid[:, None]
    order = np.argsort(-changed.sum(axis=0), kind="stable")[:MAX_CHANGED_COLUMNS]
    for column in order[changed[:, order].any(axis=0)]:
        name = found.changed.columns[column]
        measure, what = f"{CHANGE.name} {name}", f"{name} changes."
        yield _share_of_answers(subject, measure, changed[:, column], answered, what)
    if not found.consistent.all():
        broken = np.zeros(len(answered), dtype=bool)
        broken[found.refused] = ~found.consistent
        what = (
            "a column that is a function of another, as an age group is of an age, does not "
            "follow it: such people may not exist."
        )
        yield _share_of_answers(subject, IMPOSSIBLE_ANSWERS.name, broken, answered, what)


def _share_of_answers(
    subject: AuditSubject, measure: str, hit: np.ndarray, answered: np.ndarray, what: str
) -> Row:
    part = Rates.of(hit, answered, np.zeros(len(hit), dtype=int), 1)
    share = part.interval(-1, subject.settings.level)
    says = f"In {100 * share.value:.1f} of 100 answers found, {what}"
    return subject.row(measure, EVERYBODY, share, part.cases[-1], says)
