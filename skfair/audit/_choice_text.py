"""How a network was chosen, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from ._choice import MIN_CASES, MIN_PEOPLE, Candidate, Choice

HARM = "acceptance or true positive rate worse by more than a third"


def gap_name(constraint: str) -> str:
    """Name what is constrained: "equalized odds difference"."""
    words = constraint.replace("_", " ")
    return words if words.endswith("gap") else f"{words} difference"


def candidate_text(candidate: Candidate, constraint: str) -> str:
    """Say what a network does on the validation part."""
    says = f"accuracy {candidate.accuracy:.3f}, {gap_name(constraint)} {candidate.gap:.3f}"
    return f"{says}; worse by more than a third: {_harms(candidate)}" if candidate.harms else says


def rule_text(
    constraint: str, tolerance: float, small_groups: Sequence[str], compared: Sequence[str]
) -> str:
    """Say how one of several networks is chosen.

    Parameters
    ----------
    constraint : str
        What is constrained.
    tolerance : float
        The largest gap that is accepted.
    small_groups : sequence of str
        Groups of which nobody can tell whether they are harmed.
    compared : sequence of str
        Groups whose largest difference is the gap.
    """
    says = (
        f"Of the networks that make no group's {HARM} than with the plain network (groups of at "
        f"least {MIN_PEOPLE} people on the validation part, true positive rates of at least "
        f"{MIN_CASES} people with a favorable outcome), the most accurate whose "
        f"{gap_name(constraint)} is at most {tolerance:g}, of those equal to a tenth of a per cent "
        "the one where it is smallest; if there is none, the one that comes closest. "
        f"The {gap_name(constraint)} is the largest difference between two of these "
        f"groups: {', '.join(compared)}. The network that was judged is the one that is audited."
    )
    return f"{says} Too small to be judged: {', '.join(small_groups)}." if small_groups else says


def headline(
    choice: Choice,
    candidates: Sequence[Candidate],
    constraint: str,
    tolerance: float,
    compared: str = "",
) -> str:
    """Say what a reader of the report has to know first.

    Parameters
    ----------
    choice : Choice
        The network that is recommended, and the one that is shown.
    candidates : sequence of Candidate
        All networks, the plain one first.
    constraint, tolerance : str, float
        What was asked for.
    compared : str, default=""
        Among which groups the gap is measured, where some are too small for that.
    """
    says = _recommendation(choice, candidates, constraint, tolerance)
    return f"{says} The {gap_name(constraint)} there is that {compared}." if compared else says


def _recommendation(
    choice: Choice, candidates: Sequence[Candidate], constraint: str, tolerance: float
) -> str:
    shown, plain, gap = choice.shown, candidates[0], gap_name(constraint)
    figures = (
        f"{gap} {shown.gap:.3f} (plain network {plain.gap:.3f}), accuracy {shown.accuracy:.1%} "
        f"(plain network {plain.accuracy:.1%})"
    )
    if choice.recommended is shown and choice.within:
        return (
            f"Chosen on a validation part, of {len(candidates)} networks: the {shown.name}, which "
            f"makes no group's {HARM}. There: {figures}; the {gap} was to be at most "
            f"{tolerance:g}."
        )
    if choice.recommended is shown:
        return (
            f"No network that was tried keeps the {gap} to {tolerance:g} without making some "
            f"group's {HARM}. The {shown.name} comes closest on a validation part: {figures}."
        )
    if choice.within:
        says = (
            f"The plain network is to be preferred: its {gap} on a validation part is "
            f"{plain.gap:.3f}, and {tolerance:g} is allowed."
        )
    elif shown.harms:
        says = (
            f"Use none of the networks with a fairness term: on a validation part each of the "
            f"{len(candidates) - 1} makes some group's {HARM} than with the plain network, which "
            "is to be preferred."
        )
    else:
        says = (
            f"The plain network is to be preferred: no network with a fairness term has a smaller "
            f"{gap} on a validation part without making some group's {HARM}."
        )
    beside = "the least harmful" if shown.harms else "for comparison"
    says += f" Shown beside it is, {beside}, the {shown.name}: {figures}."
    return f"{says} Worse off with it: {_harms(shown)}." if shown.harms else says


def no_choice_text(name: str) -> str:
    """Say that the weight of a network could not be chosen."""
    return (
        "The table has too few people to choose how strongly fairness should count, or to see "
        f"whether a group pays for it: the {name} has the usual weight."
    )


def _harms(candidate: Candidate) -> str:
    return ", ".join(map(str, candidate.harms))
