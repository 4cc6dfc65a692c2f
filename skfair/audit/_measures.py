"""What the report measures: each section as rows, or a line that says why not."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing

from .._estimators import decision_values, split_pipeline
from .._groups import GroupEncoder, as_frame
from ..metrics._generalization import read_split
from ..metrics._parity import resampled_differences
from ..metrics._recourse import burdens
from ..metrics._sensitivity import prediction_sensitivity
from ..metrics._subgroups import subgroup_report
from ..recourse import counterfactuals
from ._audited import EVERYBODY, GAP, Audited, Groups, NotComputed
from ._intervals import Estimate, Interval, Means, Rates, auc_interval, norm_gap, resampled_counts
from ._wording import RATIO, gap_sentence, number, percent, shown

PARITY_ROWS = 1000
FOUR_FIFTHS = 0.8
MOST_SENSITIVE, LARGEST_SUBGROUPS, COLUMNS_SHOWN = 10, 10, 8


class Rate(NamedTuple):
    """Who counts, given outcome and decision; who of them is counted; and both in words."""

    case: Callable[[np.ndarray, np.ndarray], np.ndarray]
    hit: Callable[[np.ndarray, np.ndarray], np.ndarray]
    of: str
    verb: str


RATES = {
    "base rate": Rate(
        lambda y, p: y >= 0, lambda y, p: y == 1, "people in {group}", "had a favorable outcome"
    ),
    "selection rate": Rate(
        lambda y, p: y >= 0, lambda y, p: p == 1, "people in {group}", "are accepted"
    ),
    "true positive rate": Rate(
        lambda y, p: y == 1,
        lambda y, p: p == 1,
        "people in {group} with a favorable outcome",
        "are accepted",
    ),
    "false positive rate": Rate(
        lambda y, p: y == 0,
        lambda y, p: p == 1,
        "people in {group} with an unfavorable outcome",
        "are accepted",
    ),
    "precision": Rate(
        lambda y, p: p == 1,
        lambda y, p: y == 1,
        "people in {group} who are accepted",
        "had a favorable outcome",
    ),
    "accuracy": Rate(
        lambda y, p: y >= 0,
        lambda y, p: y == p,
        "decisions about {group}",
        "agree with the data",
    ),
}


def group_rates(audited: Audited) -> Iterator[dict]:
    """Rates of each group, their largest difference, four-fifths ratios; AUC over everybody."""
    for groups in audited.groupings():
        yield from _rates("Group metrics", audited, groups, audited.favorable, audited.accepted)
    with suppress(NotComputed, ValueError):
        audited.check_alone()
        if len(audited.classes) == 2:
            scores = decision_values(audited.estimator, audited.X)
            if audited.refusing[0] == audited.classes[1]:
                scores = -scores
            found = auc_interval(scores, audited.favorable == 1, audited.level)
            if not np.isnan(found.value):
                says = (
                    "Of two people, one with a favorable outcome and one without, the model ranks "
                    f"the former higher in {percent(found.value)} of all pairs."
                )
                yield audited.row(
                    "Group metrics", "AUC", EVERYBODY, found, len(audited.everyone), says
                )


def _rates(
    section: str, audited: Audited, groups: Groups, y: np.ndarray, p: np.ndarray
) -> Iterator[dict]:
    for name, rate in RATES.items():
        measure = name + groups.suffix
        rates = Rates.of(rate.hit(y, p), rate.case(y, p), groups.codes, len(groups.names))
        for k, group, who in groups:
            found, cases = rates.interval(k, audited.level), int(rates.cases[k])
            people = rate.of.format(group=who)
            if not cases:
                says = f"There are no {people}."
            elif cases < audited.min_cases:
                says = f"{int(rates.hits[k])} of {cases} {people} {rate.verb}: too few to compare."
            else:
                says = f"Of 100 {people}, {100 * found.value:.1f} {rate.verb}."
            yield audited.row(section, measure, group, found, cases, says)
        yield _gap(section, audited, measure, groups, rates)
        if name == "selection rate":
            yield from _four_fifths(section, audited, groups, rates)


def _four_fifths(section: str, audited: Audited, groups: Groups, rates: Rates) -> Iterator[dict]:
    """Selection rates over that of the group which is accepted most."""
    highest, ratios = rates.ratios(audited.level, audited.min_cases)
    for k, found in enumerate(ratios):
        who = f"Group {groups.names[k]}"
        if np.isnan(found.value):
            says = f"{who} has too few people, or the others do, to compare."
        elif k == highest:
            says = f"{who} is accepted most."
        else:
            times, most = shown(RATIO, found.value), groups.names[highest]
            says = (
                f"{who} is accepted {times} times as often as {most}, the group accepted most: "
                f"{_against_line(found)}."
            )
        cases = rates.cases[k]
        yield audited.row(section, RATIO + groups.suffix, groups.names[k], found, cases, says)


def _against_line(ratio: Interval) -> str:
    """Where a ratio and its interval lie, seen from four fifths."""
    if ratio.value >= FOUR_FIFTHS:
        return "four fifths or more" if ratio.lower >= FOUR_FIFTHS else "about four fifths or more"
    return "less than four fifths" if ratio.upper < FOUR_FIFTHS else "about four fifths or less"


def _gap(section: str, audited: Audited, measure: str, groups: Groups, estimate: Estimate) -> dict:
    """The row of the largest difference between groups."""
    gap = estimate.gap(audited.level, audited.min_cases)
    says = gap_sentence(measure, gap, estimate, groups.names, audited.level, audited.min_cases)
    cases = estimate.cases[estimate.compared(audited.min_cases)].sum()
    return audited.row(section, measure, GAP, gap.found, cases, says)


def recourse_in_logits(audited: Audited) -> Iterator[dict]:
    """Recourse gap (FaiR-N, Eq. 1)."""
    audited.check_alone()
    try:
        decision = decision_values(audited.estimator, audited.X)
    except ValueError as error:
        raise NotComputed(str(error)) from error
    label_info = {"classes": audited.classes, "unfavorable": audited.refusing}
    distance = burdens(decision, **label_info)
    yield from _means(
        "Recourse, as the model counts",
        "distance to acceptance",
        audited,
        distance,
        audited.everyone,
        "Members of {group} are on average {value} away from acceptance (0 for the accepted).",
    )


def recourse_in_inputs(audited: Audited, people: np.ndarray, settings: dict) -> Iterator[dict]:
    """Burden (FaiR-N, Table 3), for whom nothing is found, and what would have to change."""
    audited.check_alone()
    section = "Recourse, as people see it"
    X = _safe_indexing(audited.X, people)
    try:
        refusing = {"unfavorable": list(audited.refusing)}
        with warnings.catch_warnings():  # a row below says it
            warnings.filterwarnings("ignore", message="Some counterfactuals")
            found = counterfactuals(audited.estimator, X, **refusing | settings)
    except (ValueError, TypeError) as error:
        raise NotComputed(str(error)) from error
    distance = np.zeros(len(people))
    distance[found.refused] = found.distance
    reached = np.isfinite(distance)
    yield from _means(
        section,
        "burden",
        audited,
        distance[reached],
        people[reached],
        "Members of {group} would have to change by {value} on average to be accepted (0 for the "
        "accepted; 1 is a typical deviation of a number, or one category)."
        + " Those for whom no way was found are left out."
        * (not reached.all()),
    )
    refused = np.isin(np.arange(len(people)), found.refused)
    codes, n_groups = audited.groups.codes[people], len(audited.groups.names)
    lost = Rates.of(~reached, refused, codes, n_groups)
    for k, group, who in audited.groups:
        part, cases = lost.interval(k, audited.level), int(lost.cases[k])
        says = f"For {100 * part.value:.1f} of 100 refused in {who}, no way was found."
        if not cases:
            says = f"Nobody in {who} is refused."
        elif cases < audited.min_cases:
            says = (
                f"For {int(lost.hits[k])} of {cases} refused in {who}, no way was found: too few "
                "to compare."
            )
        yield audited.row(section, "no way found", group, part, cases, says)
    yield _gap(section, audited, "no way found", audited.groups, lost)
    changed = np.zeros((len(people), found.changed.shape[1]), dtype=bool)
    changed[found.refused] = found.changed.to_numpy() & found.valid[:, None]
    order = np.argsort(-changed.sum(axis=0), kind="stable")[:COLUMNS_SHOWN]
    for column in order[changed[:, order].any(axis=0)]:
        name = found.changed.columns[column]
        part = Rates.of(changed[:, column], refused & reached, codes, n_groups)
        share = part.interval(n_groups, audited.level)
        says = f"In {100 * share.value:.1f} of 100 answers found, {name} changes."
        cases = part.cases[n_groups]
        yield audited.row(section, f"change of {name}", EVERYBODY, share, cases, says)
    if not found.consistent.all():
        broken = np.zeros(len(people), dtype=bool)
        broken[found.refused] = ~found.consistent
        part = Rates.of(broken, refused & reached, codes, n_groups)
        share, cases = part.interval(n_groups, audited.level), part.cases[n_groups]
        says = (
            f"In {100 * share.value:.1f} of 100 answers found, a column that is a function of "
            "another, as an age group is of an age, does not follow it: such people may not exist."
        )
        yield audited.row(section, "impossible answers", EVERYBODY, share, cases, says)


def _means(
    section: str,
    measure: str,
    audited: Audited,
    values: np.ndarray,
    people: np.ndarray,
    of_group: str,
) -> Iterator[dict]:
    """Group means of a number that all these people have, and their largest difference."""
    for groups in audited.groupings():
        means = Means(values, groups.codes[people], len(groups.names))
        name = measure + groups.suffix
        for k, group, who in groups:
            found, cases = means.interval(k, audited.level), int(means.cases[k])
            says = of_group.format(group=who, value=number(found.value))
            if not cases:
                says = (
                    f"There is no figure for {who}: nobody was among those searched for, or found."
                )
            elif cases < audited.min_cases:
                says = f"{says[:-1]}: {cases} people, too few to compare."
            yield audited.row(section, name, group, found, cases, says)
        yield _gap(section, audited, name, groups, means)


def parity(audited: Audited, people: np.ndarray) -> Iterator[dict]:
    """Parameter parity score (FAIRER, Eq. 4), on some people."""
    codes, names = audited.groups.codes, audited.groups.names
    rows = people[codes[people] >= 0][:PARITY_ROWS]
    sizes = np.bincount(codes[rows], minlength=len(names))
    groups = np.flatnonzero(sizes >= max(2, audited.min_cases))
    if len(groups) < 2:
        raise NotComputed(f"Fewer than two groups have {audited.min_cases} of {len(rows)} people.")
    rows = rows[np.isin(codes[rows], groups)]
    rng = np.random.default_rng(audited.seed)
    counts = resampled_counts(codes[rows], audited.n_resamples, rng)
    try:
        if not hasattr(split_pipeline(audited.estimator)[0], "module_"):
            raise TypeError
        differences = resampled_differences(
            audited.estimator,
            _safe_indexing(audited.X, rows),
            audited.y[rows],
            sensitive_features=audited.frame.iloc[rows],
            counts=np.append(np.ones((1, len(rows))), counts, axis=0),
        )
    except TypeError as error:
        kind = type(audited.estimator).__name__
        raise NotComputed(f"{kind} is not a neural network of skfair or skorch.") from error
    except ValueError as error:
        raise NotComputed(str(error)) from error
    first, second = np.triu_indices(len(groups), 1)  # the order of the pairs
    differences = differences.reshape(len(differences), len(first), -1)
    found, pair = norm_gap(differences[0], differences[1:], audited.level)
    says = (
        f"Groups {names[groups[first[pair]]]} and {names[groups[second[pair]]]} differ most in what"
        " removing a weight does to their loss: added over all weights by "
        f"{number(found.value)}; 0 would be decisions made for the same reasons."
    )
    yield audited.row("Reasons inside the network", "parity score", GAP, found, len(rows), says)


def sensitivity(audited: Audited, columns: Any) -> Iterator[dict]:
    """What predictions change by if the attribute alone were another, and for whom most."""
    audited.check_alone()
    section = "Dependence on the attribute itself"
    if columns is None:
        raise NotComputed("X has no columns named like the sensitive features.")
    try:
        values = prediction_sensitivity(
            audited.estimator, audited.X, sensitive_columns=columns, method="flip"
        )
    except ValueError as error:
        raise NotComputed(str(error)) from error
    yield from _means(
        section,
        "prediction sensitivity",
        audited,
        values,
        audited.everyone,
        "If only the attribute were another, probabilities in {group} would change by {value} on "
        "average.",
    )
    index = getattr(audited.X, "index", None)
    index = index if index is not None and index.is_unique else np.arange(len(values))
    for row in np.argsort(-values, kind="stable")[:MOST_SENSITIVE]:
        member = audited.groups.codes[row]
        of = audited.groups.names[member] if member >= 0 else "group unknown"
        decided = "accepted" if audited.accepted[row] else "refused"
        says = (
            f"This person ({of}, {decided}) would get a probability that differs by "
            f"{number(values[row])} if only the attribute were another."
        )
        alone = Interval(values[row], np.nan, np.nan)
        yield audited.row(section, "most sensitive people", f"row {index[row]}", alone, 1, says)


def subgroups(audited: Audited) -> Iterator[dict]:
    """Subgroups whose selection rate or accuracy deviates most (Kearns et al. 2018)."""
    section = "Subgroups"
    for metric in ("selection_rate", "accuracy"):
        try:
            table = subgroup_report(
                audited.favorable,
                audited.accepted,
                sensitive_features=audited.frame,
                min_size=audited.min_cases,
                metric=metric,
                pos_label=1 if metric == "selection_rate" else None,
                confidence_level=audited.level,
                random_state=audited.seed,
            )
        except ValueError as error:
            raise NotComputed(str(error)) from error
        measure = metric.replace("_", " ")
        for group in table.head(LARGEST_SUBGROUPS).itertuples():
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
            found = hits.interval(0, audited.level)  # as everywhere on the page
            yield audited.row(section, measure, group.group, found, group.size, says)


def generalization(audited: Audited, splits: dict) -> Iterator[dict]:
    """Gaps of the group metrics on each split."""
    for name, data in splits.items():
        split = read_split(name, data, None)
        frame = as_frame(split.sensitive_features)
        try:
            codes = _codes(audited.groups.labels, frame)
            if unknown := sorted(set(split.y.tolist()) - set(audited.classes.tolist()), key=str):
                raise ValueError(f"its labels {unknown} are unknown")
            p = audited.accepts(split.X, frame)
        except ValueError as error:
            raise NotComputed(f"split {name!r}: {error}") from error
        groups = replace(audited.groups, codes=codes, suffix=f", {name}")
        y = (~np.isin(split.y, audited.refusing)).astype(int)
        rows = _rates("Generalization", audited, groups, y, p)
        yield from (
            row for row in rows if row["group"] == GAP and not row["measure"].startswith("base")
        )


def _codes(labels: list, frame: pd.DataFrame) -> np.ndarray:
    """Groups as they are numbered elsewhere; -1 for any other."""
    encoder = GroupEncoder()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        codes = encoder.encode(frame)[:, 0]
    known = [labels.index(label) if label in labels else -1 for label in encoder.labels]
    return np.where(codes >= 0, np.array([*known, -1])[codes], -1)
