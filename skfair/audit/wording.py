"""Numbers and differences in words: rounded here and nowhere else."""

from __future__ import annotations

import numpy as np

from .intervals import Estimate, Gap

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
)
RATIO = "selection rate ratio"


def is_share(measure: str) -> bool:
    """Whether a measure, for whatever attribute or split, is a share of people."""
    return measure.startswith(SHARES) and not measure.startswith(RATIO)


def percent(share: float) -> str:
    """One decimal; a dash for none."""
    return "–" if np.isnan(share) else f"{100 * share:.1f} %"


def number(value: float) -> str:
    """Three decimals, more for small numbers; a dash for none."""
    if np.isnan(value):
        return "–"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.2g}"


def shown(measure: str, value: float) -> str:
    """A value as it stands on the page."""
    return (percent if is_share(measure) else number)(value)


def difference(measure: str, value: float) -> str:
    """A difference of two values, without its unit (see :func:`unit`)."""
    return f"{100 * value:.1f}" if is_share(measure) else number(value)


def unit(measure: str) -> str:
    """What follows a difference."""
    return " points" if is_share(measure) else ""


def confidence(level: float) -> str:
    """A level of confidence, as "95 %"."""
    return f"{100 * level:g} %"


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
    says += f"; the largest true difference is between {lower} and {upper}{points} {sure}."
    if gap.sure != gap.pair:
        says += f" Surest is that {pair(gap.sure)} differ, by {lower}{points} or more."
    return says
