"""How decisions depend on the group: in weights, by the attribute itself, in intersections."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.utils import _safe_indexing

from .._estimators import split_pipeline
from ..metrics._parity import resampled_differences
from ..metrics._sensitivity import prediction_sensitivity
from ..metrics._subgroups import subgroup_report
from ._errors import NotComputedError
from ._formats import number
from ._intervals import Interval, Rates
from ._measures import ACCURACY, GAP, MOST_SENSITIVE, PARITY_SCORE, SELECTION_RATE, SENSITIVITY
from ._recourse import mean_rows
from ._resampling import norm_gap, resampled_counts
from ._subject import AuditSubject, Row

MAX_PARITY_ROWS = 1000
MAX_SENSITIVE_PEOPLE, MAX_SUBGROUPS = 10, 10


def parity_rows(subject: AuditSubject) -> Iterator[Row]:
    """Yield the parity score (FAIRER, Eq. 4), on some people."""
    settings, names = subject.settings, subject.groups.names
    codes, people = subject.groups.codes, subject.settings.searched
    rows = people[codes[people] >= 0][:MAX_PARITY_ROWS]
    sizes = np.bincount(codes[rows], minlength=len(names))
    groups = np.flatnonzero(sizes >= max(2, settings.min_cases))
    if len(groups) < 2:
        raise NotComputedError(
            f"Fewer than two groups have {settings.min_cases} of {len(rows)} people."
        )
    rows = rows[np.isin(codes[rows], groups)]
    differences = _weight_differences(subject, rows)
    first, second = np.triu_indices(len(groups), 1)  # the order of the pairs
    differences = differences.reshape(len(differences), len(first), -1)
    found, pair = norm_gap(differences[0], differences[1:], settings.level)
    says = (
        f"Groups {names[groups[first[pair]]]} and {names[groups[second[pair]]]} differ most in what"
        " removing a weight does to their loss: added over all weights by "
        f"{number(found.value)}; 0 would be decisions made for the same reasons."
    )
    yield subject.row(PARITY_SCORE.name, GAP, found, len(rows), says)


def _weight_differences(subject: AuditSubject, rows: np.ndarray) -> np.ndarray:
    """Compute what weights do to one group rather than another: observed, then resampled."""
    rng = np.random.default_rng(subject.settings.seed)
    counts = resampled_counts(subject.groups.codes[rows], subject.settings.n_resamples, rng)
    try:
        if not hasattr(split_pipeline(subject.estimator)[0], "module_"):
            raise TypeError
        return resampled_differences(
            subject.estimator,
            _safe_indexing(subject.X, rows),
            subject.y[rows],
            sensitive_features=subject.sensitive_features.iloc[rows],
            counts=np.append(np.ones((1, len(rows))), counts, axis=0),
        )
    except TypeError as error:
        kind = type(subject.estimator).__name__
        raise NotComputedError(f"{kind} is not a neural network of skfair or skorch.") from error
    except ValueError as error:
        raise NotComputedError(str(error)) from error


def sensitivity_rows(subject: AuditSubject) -> Iterator[Row]:
    """Yield what predictions change by if the attribute alone were another, and for whom most."""
    subject.check_individual()
    columns = subject.settings.sensitive_columns
    if columns is None:
        raise NotComputedError("X has no columns named like the sensitive features.")
    try:
        values = prediction_sensitivity(
            subject.estimator, subject.X, sensitive_columns=columns, method="flip"
        )
    except ValueError as error:
        raise NotComputedError(str(error)) from error
    yield from mean_rows(
        subject,
        SENSITIVITY,
        values,
        subject.everyone,
        "If only the attribute were another, probabilities in {group} would change by {value} on "
        "average.",
    )
    index = getattr(subject.X, "index", None)
    index = index if index is not None and index.is_unique else np.arange(len(values))
    for row in np.argsort(-values, kind="stable")[:MAX_SENSITIVE_PEOPLE]:
        member = subject.groups.codes[row]
        of = subject.groups.names[member] if member >= 0 else "group unknown"
        decided = "accepted" if subject.accepted[row] else "refused"
        says = (
            f"This person ({of}, {decided}) would get a probability that differs by "
            f"{number(values[row])} if only the attribute were another."
        )
        alone = Interval(values[row], np.nan, np.nan)
        yield subject.row(MOST_SENSITIVE.name, f"row {index[row]}", alone, 1, says)


def subgroup_rows(subject: AuditSubject) -> Iterator[Row]:
    """Yield subgroups whose selection rate or accuracy deviates most (Kearns et al. 2018)."""
    for measure, pos_label in ((SELECTION_RATE, 1), (ACCURACY, None)):
        try:
            table = subgroup_report(
                subject.favorable,
                subject.accepted,
                sensitive_features=subject.sensitive_features,
                min_size=subject.settings.min_cases,
                metric=measure.name.replace(" ", "_"),
                pos_label=pos_label,
                confidence_level=subject.settings.level,
                random_state=subject.settings.seed,
            )
        except ValueError as error:
            raise NotComputedError(str(error)) from error
        for group in table.head(MAX_SUBGROUPS).itertuples():
            verdict = (
                "surely different from the rest"
                if group.significant
                else "which these data do not show to differ from the rest"
            )
            says = (
                f"{group.size:,} people; {100 * abs(group.deviation):.1f} percentage points "
                f"{'above' if group.deviation > 0 else 'below'} everybody, {verdict}."
            )
            hits = Rates(*np.array([[group.value * group.size], [group.size]]).round())
            found = hits.interval(0, subject.settings.level)  # as everywhere on the page
            yield subject.row(measure.name, group.group, found, group.size, says)
