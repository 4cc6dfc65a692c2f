"""What the report measures: each section as rows, or a line that says why not."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from sklearn.metrics import accuracy_score
from sklearn.utils import _safe_indexing

from .._estimators import decision_values, take_apart
from ..metrics.generalization import read_split
from ..metrics.parity import resampled_differences
from ..metrics.recourse import burdens
from ..metrics.sensitivity import prediction_sensitivity
from ..metrics.subgroups import subgroup_report
from ..recourse import counterfactuals
from ..sensitive import GroupEncoder, as_frame
from .audited import EVERYBODY, GAP, Audited, Groups, NotComputed
from .intervals import Interval, gap_interval

PARITY_ROWS, PARITY_RESAMPLES = 1000, 100
MOST_SENSITIVE, LARGEST_SUBGROUPS, COLUMNS_SHOWN = 10, 10, 8

# measure -> (fairlearn's or scikit-learn's metric, who counts, what is counted)
RATES: dict[str, tuple[Callable, Callable, Callable]] = {
    "accuracy": (accuracy_score, lambda y, p: y >= 0, lambda y, p: y == p),
    "selection rate": (selection_rate, lambda y, p: y >= 0, lambda y, p: p == 1),
    "true positive rate": (true_positive_rate, lambda y, p: y == 1, lambda y, p: p == 1),
    "false positive rate": (false_positive_rate, lambda y, p: y == 0, lambda y, p: p == 1),
}
RATE_MEANS = {
    "accuracy": "Of 100 decisions about {group}, {n} agree with the data.",
    "selection rate": "Of 100 people in {group}, {n} are accepted.",
    "true positive rate": "Of 100 in {group} whose outcome was favourable, {n} are accepted.",
    "false positive rate": "Of 100 in {group} whose outcome was not favourable, {n} are accepted.",
}


def group_rates(audited: Audited) -> Iterator[dict]:
    """Accuracy, selection and error rates of each group, and their greatest difference."""
    y, p = audited.favourable, audited.accepted
    for groups in audited.groupings():
        yield from _rates("Group metrics", audited, groups, y, p)


def _rates(
    section: str, audited: Audited, groups: Groups, y: np.ndarray, p: np.ndarray
) -> Iterator[dict]:
    cases = np.column_stack([who(y, p) for _, who, _ in RATES.values()]).astype(float)
    hits = cases * np.column_stack([what(y, p) for *_, what in RATES.values()])
    known = groups.codes >= 0
    frame = MetricFrame(
        metrics={name: metric for name, (metric, *_) in RATES.items()},
        y_true=y[known],
        y_pred=p[known],
        sensitive_features=groups.codes[known],
    )
    resamples = groups.resamples(np.arange(len(y)), audited.n_resamples, audited.seed)
    for name, ratios in zip(RATES, resamples.ratios(hits, cases), strict=True):
        measure = name + groups.suffix
        for k, group, who in groups:
            found = ratios.interval(k, audited.level)
            if group != EVERYBODY and not np.isnan(found.value):
                found = found._replace(value=frame.by_group[name].loc[k])
            says = RATE_MEANS[name].format(group=who, n=_of_100(found.value))
            if np.isnan(found.value):
                says = f"Nobody in {who} counts for this rate."
            yield audited.row(section, measure, group, found, ratios.cases[k], says)
        found = ratios.gap("max", audited.level, audited.min_cases)
        says = f"The groups differ by up to {100 * found.value:.1f} percentage points."
        if np.isnan(found.value):
            says = f"Fewer than two groups have {audited.min_cases} cases of this rate."
        cases = ratios.cases[ratios.compared(audited.min_cases)].sum()
        yield audited.row(section, measure, GAP, found, cases, says)


def recourse_in_logits(audited: Audited) -> Iterator[dict]:
    """Recourse gap (FaiR-N, Eq. 1)."""
    audited.check_alone()
    try:
        decision = decision_values(audited.estimator, audited.X)
    except ValueError as error:
        raise NotComputed(str(error)) from error
    told = {"classes": audited.classes, "unfavorable": audited.refusing}
    distance = burdens(decision, **told)
    yield from _means(
        "Recourse, as the model counts",
        "distance to acceptance",
        audited,
        distance,
        audited.everyone,
        "Members of {group} are on average {value:.2f} away from acceptance (0 for the accepted).",
        "Mean distances to acceptance differ by {value:.2f} between groups (all pairs added).",
    )


def recourse_in_inputs(audited: Audited, people: np.ndarray, settings: dict) -> Iterator[dict]:
    """Burden (FaiR-N, Table 3), for whom nothing is found, and what would have to change."""
    audited.check_alone()
    section = "Recourse, as people see it"
    X = _safe_indexing(audited.X, people)
    try:
        refusing = {"unfavorable": list(audited.refusing)}
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
        "Members of {group} would have to change by {value:.2f} on average to be accepted (0 for "
        "the accepted; 1 is a typical deviation of a number, or one category)."
        + " Those for whom no way was found are left out."
        * (not reached.all()),
        "Mean changes needed differ by {value:.2f} between groups (all pairs added).",
    )
    refused = np.isin(np.arange(len(people)), found.refused).astype(float)[:, None]
    lost = (~reached).astype(float)[:, None]
    resamples = audited.groups.resamples(people, audited.n_resamples, audited.seed)
    (ratios,) = resamples.ratios(lost, refused)
    for k, group, who in audited.groups:
        part = ratios.interval(k, audited.level)
        says = f"For {_of_100(part.value)} of 100 refused in {who}, no way was found."
        if np.isnan(part.value):
            says = f"Nobody in {who} is refused."
        yield audited.row(section, "no way found", group, part, ratios.cases[k], says)
    changed = np.zeros((len(people), found.changed.shape[1]))
    changed[found.refused] = found.changed.to_numpy() & found.valid[:, None]
    order = np.argsort(-changed.sum(axis=0), kind="stable")[:COLUMNS_SHOWN]
    order = order[changed[:, order].any(axis=0)]
    helped = np.repeat(refused - lost, len(order), axis=1)
    for column, ratios in zip(order, resamples.ratios(changed[:, order], helped), strict=True):
        name = found.changed.columns[column]
        everybody = len(audited.groups.names)
        part = ratios.interval(everybody, audited.level)
        says = f"In {_of_100(part.value)} of 100 answers found, {name} changes."
        yield audited.row(
            section, f"change of {name}", EVERYBODY, part, ratios.cases[everybody], says
        )


def _means(
    section: str,
    measure: str,
    audited: Audited,
    values: np.ndarray,
    people: np.ndarray,
    of_group: str,
    of_gap: str,
) -> Iterator[dict]:
    """Group means of a number that all these people have, and the gap summed over pairs."""
    values = np.asarray(values, dtype=float)[:, None]
    for groups in audited.groupings():
        resamples = groups.resamples(people, audited.n_resamples, audited.seed)
        (ratios,) = resamples.ratios(values, np.ones_like(values))
        for k, group, who in groups:
            found = ratios.interval(k, audited.level)
            says = of_group.format(group=who, value=found.value)
            if np.isnan(found.value):
                says = (
                    f"There is no figure for {who}: nobody was among those searched for, or found."
                )
            cases = ratios.cases[k]
            yield audited.row(section, measure + groups.suffix, group, found, cases, says)
        found = ratios.gap("sum", audited.level, audited.min_cases)
        says = of_gap.format(value=found.value)
        if np.isnan(found.value):
            says = f"Fewer than two groups have {audited.min_cases} people with this figure."
        cases = ratios.cases[ratios.compared(audited.min_cases)].sum()
        yield audited.row(section, measure + groups.suffix, GAP, found, cases, says)


def parity(audited: Audited, people: np.ndarray) -> Iterator[dict]:
    """Parameter parity score (FAIRER, Eq. 4), on some people."""
    rows = people[audited.groups.codes[people] >= 0][:PARITY_ROWS]
    resamples = audited.groups.resamples(rows, PARITY_RESAMPLES, audited.seed)
    counts = np.append(np.ones((1, len(rows))), resamples.counts(), axis=0)
    try:
        if not hasattr(take_apart(audited.estimator)[0], "module_"):
            raise TypeError
        differences = resampled_differences(
            audited.estimator,
            _safe_indexing(audited.X, rows),
            audited.y[rows],
            sensitive_features=audited.frame.iloc[rows],
            counts=counts,
        )
    except TypeError as error:
        kind = type(audited.estimator).__name__
        raise NotComputed(f"{kind} is not a neural network of skfair or skorch.") from error
    except ValueError as error:
        raise NotComputed(str(error)) from error
    found = gap_interval(differences[0], differences[1:], "sum", audited.level)
    says = (
        f"Added over all weights, the groups differ by {found.value:.2g} in what removing a weight "
        "does to their loss; 0 would be decisions made for the same reasons."
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
        "If only the attribute were another, probabilities in {group} would change by {value:.3f} "
        "on average.",
        "This differs by {value:.3f} between groups (all pairs added).",
    )
    index = getattr(audited.X, "index", None)
    index = index if index is not None and index.is_unique else np.arange(len(values))
    for row in np.argsort(-values, kind="stable")[:MOST_SENSITIVE]:
        member = audited.groups.codes[row]
        of = audited.groups.names[member] if member >= 0 else "group unknown"
        decided = "accepted" if audited.accepted[row] else "refused"
        says = (
            f"This person ({of}, {decided}) would get a probability that differs by "
            f"{values[row]:.3f} if only the attribute were another."
        )
        alone = Interval(values[row], np.nan, np.nan)
        yield audited.row(section, "most sensitive people", f"row {index[row]}", alone, 1, says)


def subgroups(audited: Audited) -> Iterator[dict]:
    """Subgroups whose selection rate or accuracy deviates most (Kearns et al. 2018)."""
    section = "Subgroups"
    for metric in ("selection_rate", "accuracy"):
        try:
            table = subgroup_report(
                audited.favourable,
                audited.accepted,
                sensitive_features=audited.frame,
                metric=metric,
                pos_label=1 if metric == "selection_rate" else None,
                confidence_level=audited.level,
                random_state=audited.seed,
            )
        except ValueError as error:
            raise NotComputed(str(error)) from error
        measure = metric.replace("_", " ")
        for group in table.head(LARGEST_SUBGROUPS).itertuples():
            verdict = "beyond chance" if group.significant else "which chance may explain"
            says = (
                f"{group.size} people; {100 * abs(group.deviation):.1f} percentage points "
                f"{'above' if group.deviation > 0 else 'below'} everybody, {verdict}."
            )
            found = Interval(group.value, group.lower, group.upper)
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
        rows = _rates("Generalisation", audited, groups, y, p)
        yield from (row for row in rows if row["group"] == GAP)


def _codes(labels: list, frame: pd.DataFrame) -> np.ndarray:
    """Groups as they are numbered elsewhere; -1 for any other."""
    encoder = GroupEncoder()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        codes = encoder.encode(frame)[:, 0]
    known = [labels.index(label) if label in labels else -1 for label in encoder.labels]
    return np.where(codes >= 0, np.array([*known, -1])[codes], -1)


def _of_100(share: float) -> str:
    return "-" if np.isnan(share) else f"{100 * share:.1f}".removesuffix(".0")
