"""Numbers and differences in words: rounded here and nowhere else."""

from __future__ import annotations

import re
from numbers import Real
from typing import Any

import numpy as np

from ._intervals import Estimate, Gap

# measures that are shares of people, shown in per cent
SHARES = (
    "base rate",
    "selection rate",
    "true positive rate",
    "false positive rate",
    "precision",
    "accuracy",
    "no way found",
    "change of ",
    "impossible answers",
)
RATIO = "selection rate ratio"
# not allowed in HTML, or not even in UTF-8
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
# parameters of this package's classifiers that weigh fairness, and that say which kind
WEIGHTS, KINDS = ("lambda_", "alpha", "beta", "flip_fraction"), ("penalty", "criterion")


def printable(text: str) -> str:
    """Text as a page can hold it: control characters and halves of others are replaced."""
    return UNPRINTABLE.sub("\ufffd", text)


def is_share(measure: str) -> bool:
    """Whether a measure, for whatever attribute or split, is a share of people."""
    return measure.startswith(SHARES) and not measure.startswith(RATIO)


def percent(share: float) -> str:
    """One decimal; a dash for none."""
    return "–" if np.isnan(share) else f"{100 * share:.1f}%"


def number(value: float) -> str:
    """Three decimals, more for small numbers; a dash for none."""
    if np.isnan(value):
        return "–"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.2g}"


def shown(measure: str, value: float) -> str:
    """A value as it stands on the page."""
    if measure.startswith(RATIO) and not np.isnan(value):
        return f"{value:.3f}"
    return (percent if is_share(measure) else number)(value)


def difference(measure: str, value: float) -> str:
    """A difference of two values, without its unit (see :func:`unit`)."""
    share = is_share(measure) and not np.isnan(value)
    return f"{100 * value:.1f}" if share else shown(measure, value)


def unit(measure: str) -> str:
    """What follows a difference."""
    return " points" if is_share(measure) else ""


def confidence(level: float) -> str:
    """A level of confidence, as "95%"."""
    return f"{100 * level:g}%"


def gap_sentence(
    measure: str, gap: Gap, estimate: Estimate, names: list[str], level: float, min_cases: int
) -> str:
    """What the largest difference between groups is, and what is known about it."""
    if gap.pair is None:
        return f"Fewer than two groups have {min_cases} cases of this measure: nothing to compare."

    def pair(members: tuple[int, int]) -> str:
        return " and ".join(f"{names[k]} ({shown(measure, estimate.value[k])})" for k in members)

    value, lower, upper = (difference(measure, x) for x in gap.found)
    sure, points = f"({confidence(level)} confidence)", unit(measure)
    says = f"{pair(gap.pair)} differ most, by {value}{points}"
    if gap.found.value == 0:
        says = f"All groups have the same, {shown(measure, estimate.value[gap.pair[0]])}"
    if gap.sure is None:
        return (
            f"{says}: these data do not show a difference between groups, nor that there is none; "
            f"the largest may be up to {upper}{points} {sure}."
        )
    says += f"; the largest true difference is {lower} to {upper}{points} {sure}."
    if gap.sure != gap.pair:
        says += f" Surest is that of {pair(gap.sure)}: {lower}{points} or more."
    return says


def describe(estimator: Any) -> str:
    """A classifier in one line: what decides, how much it weighs fairness, what comes before.

    Parameters
    ----------
    estimator : classifier
        Pipelines and searches are named by what they end in.

    Returns
    -------
    str
        Such as "Fair and robust neural network (FaiR-N), lambda_fairness 0.5, lambda_robustness
        0.1, after ColumnTransformer".
    """
    before, searches = [], []
    while hasattr(estimator, "best_estimator_") or hasattr(estimator, "steps"):
        if hasattr(estimator, "best_estimator_"):
            searches.append(f", chosen by {type(estimator).__name__}")
            estimator = estimator.best_estimator_
        else:
            *steps, (_, estimator) = estimator.steps
            before += [type(step).__name__ for _, step in steps if not isinstance(step, str)]
    after = f", after {' and '.join(before)}" if before else ""
    return _describe_last(estimator) + after + "".join(searches)


def _describe_last(estimator: Any) -> str:
    name, own = type(estimator).__name__, type(estimator).__module__.startswith("skfair.")
    parameters = estimator.get_params(deep=False) if hasattr(estimator, "get_params") else {}
    inner = parameters.get("estimator")
    inside = "" if inner is None else f" of {describe(inner)}"
    if not own:
        return name + inside
    weights = {k: v for k, v in parameters.items() if k.startswith(WEIGHTS) and _is_number(v)}
    kinds = {k: v for k, v in parameters.items() if k in KINDS and isinstance(v, str)}
    if weights and not any(weights.values()):
        return f"plain neural network ({name} with all fairness weights 0){inside}"
    what = (type(estimator).__doc__ or name).strip().splitlines()[0].rstrip(".")
    settings = [f"{k} {v}" for k, v in kinds.items()] + [f"{k} {v:g}" for k, v in weights.items()]
    return ", ".join([what + inside, *settings])


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
