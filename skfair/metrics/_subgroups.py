"""Audit of every subgroup: its size, metric, deviation and interval (Kearns et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control
from sklearn.utils import check_scalar

from .._groups import as_frame
from .._random import own_generator
from .._rates import RATES
from .._tables import check_weights
from ._subgroup_counts import (
    check_metric,
    encode_attributes,
    find_groups,
    label_vectors,
    row_counts,
    rows_of,
    suitable_labels,
)
from ._subgroup_tests import EXACT, RESAMPLED, compare_rates, measure, on_rows

__all__ = ["subgroup_report"]

MAX_RESAMPLED_GROUPS = 500  # groups, for a callable


def subgroup_report(
    y_true: Any,
    y_pred: Any,
    *,
    sensitive_features: Any,
    metric: str | Callable = "accuracy",
    max_depth: int = 2,
    min_size: int = 30,
    baseline: Any = None,
    sample_weight: Any = None,
    pos_label: Any = None,
    error_rate: float = 0.05,
    confidence_level: float = 0.95,
    n_bootstrap: int = 500,
    random_state: Any = None,
) -> pd.DataFrame:
    """Compare a metric in every subgroup, intersections included, with its value over everybody.

    A model can treat women and men alike, old and young alike, and still fail old women: fairness
    gerrymandering. The report lists all intersections with enough members, tests each of them, and
    allows for their number. With ``baseline`` it also says who gained and who lost from a change
    of model.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes)
        Group membership; bin numbers first (:func:`pandas.cut`). A row where an attribute is
        missing takes no part in the groups of that attribute; it still counts among everybody.
    metric : str or callable, default="accuracy"
        ``"accuracy"`` (any number of classes); for two classes ``"selection_rate"``,
        ``"true_positive_rate"``, ``"false_positive_rate"``, ``"true_negative_rate"``,
        ``"false_negative_rate"`` or ``"precision"``; or ``metric(y_true, y_pred)``, which must
        accept ``sample_weight=`` if weights are given. A callable is slow, see Notes.
    max_depth : int, default=2
        Most attributes in one intersection.
    min_size : int, default=30
        Fewest cases of a group: rows that count for the metric, such as the actual positives for
        ``"true_positive_rate"``. Smaller groups are left out, and not tested.
    baseline : array-like of shape (n_samples,), default=None
        Predictions of another model for the same rows. Not with ``metric="precision"``, whose
        cases depend on the model; a callable can do that.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; as good as repetitions for share, value and deviation. Tests and
        intervals use Kish's effective number of cases, ``sum(w)**2 / sum(w**2)``, instead.
    pos_label : label, default=None
        The positive class; ``None`` is the greater of the two. Not used by ``"accuracy"``.
    error_rate : float, default=0.05
        Share of false discoveries to be expected, at most, among the groups called significant.
    confidence_level : float, default=0.95
        Of each interval by itself.
    n_bootstrap : int, default=500
        Resamples for the interval of a callable.
    random_state : int, RandomState or None, default=None
        For a callable.

    Returns
    -------
    pandas.DataFrame
        A row for each group, greatest ``weighted_deviation`` first:

        - ``group``, such as ``"sex=Female & race=Black"``; ``depth``, its number of attributes;
          ``size``, its rows; ``share`` of all rows; ``cases``, its rows that count for the metric;
        - ``value`` of the metric; ``deviation`` from the value over everybody;
          ``weighted_deviation``, share of all cases times ``abs(deviation)``;
        - ``lower`` and ``upper``, the confidence interval of ``value``;
        - ``p_value`` of the group against everybody else; ``p_adjusted`` for the number of groups;
          ``significant``, ``p_adjusted <= error_rate``;
        - with ``baseline``: its value in ``baseline``; ``change`` (value minus baseline);
          ``change_p_value``; ``change_p_adjusted``; ``verdict``: ``"worse"``, ``"better"`` or
          ``"no evidence"`` (``"lower"`` and ``"higher"`` for ``"selection_rate"`` and callables).

        ``attrs["note"]`` says what was tested and how; other entries of ``attrs`` hold the numbers.

    Raises
    ------
    TypeError
        If a parameter is of the wrong type.
    ValueError
        If lengths differ, labels do not suit the metric, an attribute is continuous, a parameter
        is out of range, no group is large enough, there are more than 10,000 combinations of
        attributes, or a callable would be resampled in more than 500 groups.

    Notes
    -----
    *Groups.* Those of the same people are listed once, by their shortest name; a group of
    everybody is none. If one group deviates, those within and around it do too: start from the top.
    Values are those of :class:`fairlearn.metrics.MetricFrame`.

    *Named metrics* are proportions of hits among cases. The p-value is that of Fisher's exact test
    (twice the smaller hypergeometric tail), the interval that of Clopper and Pearson; both keep
    their level in small groups. Changes are tested by McNemar's exact test on the cases in which
    the models differ. With weights, counts are scaled to the effective number of cases and rounded
    towards no effect (intervals of Korn and Graubard): levels hold approximately.

    *A callable* is called for all rows, ``n_bootstrap`` times for each group's percentile
    interval, and for permutation tests: of the group against random sets of as many rows, of a
    change against random swaps between the two models. A test stops after 20 draws as extreme as
    the observed value (Besag and Clifford 1991), or when it has enough to find one group alone
    (number of groups / ``error_rate``). 100 groups take some 60,000 calls, and 2,000 more for each
    that clearly deviates. Groups where the callable is not defined (NaN or ValueError) are left
    out. The null hypothesis is that members are like everybody else in all that the metric
    depends on.

    *Multiplicity.* Benjamini and Hochberg, over all groups of the report and, for changes, over
    them once more. Its guarantee is for independent or positively dependent tests, which those of
    overlapping groups need not be; in simulations of fair data it held.

    The weighted deviation is alpha times beta of Kearns et al.; they divide alpha by all rows and
    not by all cases, which leaves the order as it is.

    References
    ----------
    M. Kearns, S. Neel, A. Roth, Z. S. Wu. Preventing Fairness Gerrymandering: Auditing and
    Learning for Subgroup Fairness. ICML 2018.

    Y. Benjamini, Y. Hochberg. Controlling the False Discovery Rate: A Practical and Powerful
    Approach to Multiple Testing. J. Royal Statistical Society B, 1995.

    V. Cherepanova et al. Technical Challenges for Training Fair Neural Networks. 2021, Section 7.

    Examples
    --------
    >>> from skfair.metrics import subgroup_report
    >>> people = {"sex": ["f", "f", "m", "m"] * 50, "age": ["old", "young"] * 100}
    >>> report = subgroup_report(
    ...     [1, 1, 1, 1] * 50, [0, 1, 1, 1] * 50, sensitive_features=people, max_depth=2
    ... )
    >>> report[["group", "value", "deviation", "weighted_deviation", "significant"]].head(3)
                   group  value  deviation  weighted_deviation  significant
    0  sex=f & age=old    0.0      -0.75              0.1875         True
    1          age=old    0.5      -0.25              0.1250         True
    2        age=young    1.0       0.25              0.1250         True
    """
    check_metric(metric, baseline, pos_label)
    for name, value, least in (
        ("max_depth", max_depth, 1),
        ("min_size", min_size, 1),
        ("n_bootstrap", n_bootstrap, 2),
    ):
        check_scalar(value, name, Integral, min_val=least)
    for name, share in (("error_rate", error_rate), ("confidence_level", confidence_level)):
        check_scalar(share, name, Real, min_val=0, max_val=1, include_boundaries="neither")
    labels = label_vectors({"y_true": y_true, "y_pred": y_pred, "baseline": baseline})
    weights = np.ones(len(labels[0]))
    codes, names = encode_attributes(as_frame(sensitive_features, len(weights)))
    if sample_weight is not None:
        weights = check_weights(sample_weight, len(weights))
        present = weights > 0  # weight zero is the same as absence
        labels, codes, weights = [a[present] for a in labels], codes[present], weights[present]

    if callable(metric):
        counts = row_counts("accuracy", weights, labels[0], labels[0])
        groups, n_small = find_groups(codes, names, counts, max_depth, min_size)
        _check_number(len(groups), codes.shape[1], max_depth)
        compared, overall = measure(
            on_rows(metric, labels[0], None if sample_weight is None else weights),
            (rows_of(codes, members) for members in groups["members"]),
            labels[1:],
            np.random.default_rng(own_generator(random_state).randint(2**31)),
            level=confidence_level,
            n_bootstrap=n_bootstrap,
            n_draws=max(n_bootstrap, int(np.ceil(len(groups) / error_rate))),
        )
    else:
        counts = row_counts(metric, weights, *suitable_labels(metric, labels, pos_label))
        groups, n_small = find_groups(codes, names, counts, max_depth, min_size)
        compared, overall = compare_rates(groups, counts.sum(), confidence_level)

    report = _report(groups.join(compared), counts.sum(), overall[0], error_rate)
    how = RESAMPLED if callable(metric) else EXACT
    report.attrs = {
        "metric": getattr(metric, "__name__", repr(metric)) if callable(metric) else metric,
        "overall": float(overall[0]),
        "n_groups": len(report),
        "n_too_small": n_small,
        "n_undefined": len(groups) - len(report),
        "max_depth": int(max_depth),
        "min_size": int(min_size),
        "error_rate": float(error_rate),
        "confidence_level": float(confidence_level),
        "correction": "Benjamini-Hochberg",
        "test": how["test"],
        "interval": how["interval"],
    }
    if sample_weight is not None and not callable(metric):
        report.attrs["counts"] = "effective (Kish)"
    if baseline is not None:
        better = 0 if callable(metric) else RATES[metric].better
        report["verdict"] = _verdicts(report, better, error_rate)
        report.attrs["baseline_overall"] = float(overall[1])
        report.attrs["change_test"] = how["change_test"]
    report.attrs["note"] = _note(report.attrs)
    return report


def _check_number(n_groups: int, n_attributes: int, max_depth: int) -> None:
    if n_groups > MAX_RESAMPLED_GROUPS:
        raise ValueError(
            f"A callable metric would be resampled in {n_groups} groups of up to {max_depth} of "
            f"{n_attributes} attributes, at some 600 calls each; at most {MAX_RESAMPLED_GROUPS} "
            "are. Lower max_depth, raise min_size, pass fewer columns, or use a named metric, "
            "which is not resampled."
        )


def _report(
    groups: pd.DataFrame, everybody: pd.Series, overall: float, error_rate: float
) -> pd.DataFrame:
    groups = groups[groups["value"].notna()]
    if groups.empty:
        raise ValueError("metric is not defined in any of the groups.")
    report = groups[["group", "depth", "size"]].copy()
    report["share"] = groups["weight"] / everybody["weight"]
    report["cases"] = groups["cases"]
    report["value"] = groups["value"]
    report["deviation"] = groups["value"] - overall
    share_of_cases = groups["case_weight"] / everybody["case_weight"]
    report["weighted_deviation"] = share_of_cases * report["deviation"].abs()  # alpha(g) beta(g)
    report[["lower", "upper", "p_value"]] = groups[["lower", "upper", "p_value"]]
    report["p_adjusted"] = false_discovery_control(report["p_value"])
    report["significant"] = report["p_adjusted"] <= error_rate
    if "change" in groups:
        paired = ["baseline", "change", "change_p_value"]
        report[paired] = groups[paired]
        report["change_p_adjusted"] = false_discovery_control(report["change_p_value"])
    ties = -report["weighted_deviation"].round(12)  # a group and its complement are one
    order = np.lexsort([report["group"], ties])
    return report.iloc[order].reset_index(drop=True)


def _verdicts(report: pd.DataFrame, better: int, error_rate: float) -> np.ndarray:
    down, up = {0: ("lower", "higher"), 1: ("worse", "better"), -1: ("better", "worse")}[better]
    verdicts = np.where(report["change"] > 0, up, down)
    clear = (report["change_p_adjusted"] <= error_rate) & (report["change"] != 0)
    return np.where(clear, verdicts, "no evidence")


def _note(attrs: dict[str, Any]) -> str:
    left_out = f"{attrs['n_too_small']} with fewer than {attrs['min_size']} cases"
    if attrs["n_undefined"]:
        left_out += f", {attrs['n_undefined']} where it is not defined"
    counts = f" on {attrs['counts']} counts" if "counts" in attrs else ""
    note = (
        f"{attrs['metric']} is {attrs['overall']:.4g} over everybody. "
        f"{attrs['n_groups']} groups of up to {attrs['max_depth']} attributes (left out: "
        f"{left_out}) were compared with everybody else by {attrs['test']}{counts}. "
        f"{attrs['correction']} correction: of the groups called significant, "
        f"{100 * attrs['error_rate']:.4g} % are expected to be false discoveries, at most. "
        f"Intervals: {attrs['interval']}{counts}, {100 * attrs['confidence_level']:.4g} % for each "
        "group by itself."
    )
    if "baseline_overall" in attrs:
        note += (
            f" The baseline is {attrs['baseline_overall']:.4g} over everybody; changes were tested "
            f"by {attrs['change_test']}{counts}, corrected in the same way by themselves."
        )
    return note
