"""How a network was chosen, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from ._choice import MIN_CASES, MIN_PEOPLE, Candidate, Choice

WORSE = "acceptance or true positive rate worse by more than a third"


def gap_name(constraint: str) -> str:
    """What is constrained: "equalized odds difference"."""
    words = constraint.replace("_", " ")
    return words if words.endswith("gap") else f"{words} difference"


def reached(candidate: Candidate, constraint: str) -> str:
    """What a network does on the validation part."""
    says = f"accuracy {candidate.accuracy:.3f}, {gap_name(constraint)} {candidate.gap:.3f}"
    return f"{says}; worse by more than a third: {_list(candidate)}" if candidate.harms else says


def rule(
    constraint: str, tolerance: float, too_small: Sequence[str], compared: Sequence[str]
) -> str:
    """How one of several networks is chosen.

    Parameters
    ----------
    constraint : str
        What is constrained.
    tolerance : float
        The largest gap that is accepted.
    too_small : sequence of str
        Groups of which nobody can tell whether they are harmed.
    compared : sequence of str
        Groups whose largest difference is the gap.
    """
    says = (
        f"Of the networks that make no group's {WORSE} than with the plain network (groups of at "
        f"least {MIN_PEOPLE} people on the validation part, true positive rates of at least "
        f"{MIN_CASES} people with a favorable outcome), the most accurate whose "
        f"{gap_name(constraint)} is at most {tolerance:g}; if there is none, the one that comes "
        f"closest. The {gap_name(constraint)} is the largest difference between two of these "
        f"groups: {', '.join(compared)}. The network that was judged is the one that is audited."
    )
    return f"{says} Too small to be judged: {', '.join(too_small)}." if too_small else says


def headline(
    choice: Choice, candidates: Sequence[Candidate], constraint: str, tolerance: float
) -> str:
    """What a reader of the report has to know first.

    Parameters
    ----------
    choice : Choice
        The network that is recommended, and the one that is shown.
    candidates : sequence of Candidate
        All networks, the plain one first.
    constraint, tolerance : str, float
        What was asked for.
    """
    shown, plain, gap = choice.shown, candidates[0], gap_name(constraint)
    figures = (
        f"({gap} {shown.gap:.3f}, plain network {plain.gap:.3f}; accuracy {shown.accuracy:.3f} and "
        f"{plain.accuracy:.3f}, on the validation part)"
    )
    if choice.recommended is shown and choice.within:
        return (
            f"Of {len(candidates)} networks the {shown.name} was chosen, the most accurate within "
            f"the tolerance of {tolerance:g} that makes no group's {WORSE} {figures}."
        )
    if choice.recommended is shown:
        return (
            f"No network that was tried keeps to the tolerance of {tolerance:g} without making "
            f"some group's {WORSE}; the {shown.name} comes closest {figures}."
        )
    if choice.within:
        says = (
            f"The plain network keeps to the tolerance of {tolerance:g} already and is to be "
            f"preferred; the {shown.name} is shown for comparison {figures}."
        )
    elif shown.harms:
        says = (
            f"None of the {len(candidates) - 1} networks with a fairness term should be used: each "
            f"makes some group's {WORSE} than with the plain network, which is to be preferred. "
            f"The least harmful, the {shown.name}, is shown beside it {figures}."
        )
    else:
        says = (
            f"No network with a fairness term has a smaller {gap} than the plain network without "
            f"making some group's {WORSE}: the plain network is to be preferred. The {shown.name} "
            f"is shown for comparison {figures}."
        )
    return f"{says} Worse off with it: {_list(shown)}." if shown.harms else says


def not_chosen(name: str) -> str:
    """What to say of a network whose weight could not be chosen."""
    return (
        "The table has too few people to choose how strongly fairness should count, or to see "
        f"whether a group pays for it: the {name} has the usual weight."
    )


def _list(candidate: Candidate) -> str:
    return ", ".join(map(str, candidate.harms))
