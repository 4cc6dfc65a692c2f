"""Which of a few networks to recommend: accurate, within a tolerance, and at nobody's expense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics._harm import worsened

HARM_SHARE = 1 / 3  # of a rate with the plain network
ACCURACY_DECIMALS = 3  # beyond these networks are equal, and the smaller gap decides
MIN_PEOPLE, MIN_CASES = 100, 30  # of a group, and of its members with a favorable outcome


@dataclass(frozen=True)
class GroupRates:
    """How a network treats groups, on rows on which it was not trained.

    Attributes
    ----------
    names : list of str
        Of the groups.
    people, positives : int ndarray of shape (n_groups,)
        Members, and those with a favorable outcome.
    accepted, true_positive : float ndarray of shape (n_groups,)
        Share of the members, and of those with a favorable outcome, who are accepted; NaN of
        nobody.
    """

    names: list[str]
    people: np.ndarray
    positives: np.ndarray
    accepted: np.ndarray
    true_positive: np.ndarray


@dataclass(frozen=True)
class Harm:
    """A group whose rate is worse by more than a third."""

    group: str
    rate: str
    before: float
    after: float

    @property
    def lost(self) -> float:
        """Share of the former rate that is gone."""
        return 1 - self.after / self.before

    def __str__(self) -> str:
        return f"{self.rate} of {self.group} {self.after:.3f} instead of {self.before:.3f}"


def harms(
    plain: GroupRates,
    fair: GroupRates,
    *,
    by: float = HARM_SHARE,
    min_people: int = MIN_PEOPLE,
    min_cases: int = MIN_CASES,
) -> list[Harm]:
    """Find groups that a network accepts less often than the plain one by more than a third.

    Parameters
    ----------
    plain, fair : GroupRates
        Of the same people.
    by : float, default=1/3
        Share of the plain network's rate.
    min_people : int, default=100
        Smaller groups are not judged.
    min_cases : int, default=30
        True positive rates of fewer people with a favorable outcome are not judged.

    Returns
    -------
    list of Harm
        In order of the groups; of the share accepted first, then of true positive rates.
    """
    enough = np.where(plain.positives >= min_cases, plain.people, 0)
    rates = {
        "acceptance": (plain.accepted, fair.accepted, plain.people),
        "true positive rate": (plain.true_positive, fair.true_positive, enough),
    }
    return [
        Harm(plain.names[k], name, float(before[k]), float(after[k]))
        for name, (before, after, sizes) in rates.items()
        for k in np.flatnonzero(worsened(after, before, sizes, by=by, min_size=min_people))
    ]


@dataclass(frozen=True)
class Candidate:
    """A trained network as the rule sees it, on the validation part.

    Attributes
    ----------
    name : str
        What it is.
    weight : float
        Of the fairness term; 0 is the plain network.
    accuracy : float
        Share of decisions that agree with the data.
    gap : float
        What is constrained; NaN if too few people are there to tell.
    harms : tuple of Harm
        Whom it treats worse than the plain network does.
    """

    name: str
    weight: float
    accuracy: float
    gap: float
    harms: tuple[Harm, ...] = ()


@dataclass(frozen=True)
class Choice:
    """What the rule came to.

    Attributes
    ----------
    shown : Candidate
        The one with a fairness term that is compared with the plain network.
    recommended : Candidate
        That, or the plain network.
    within : bool
        Whether the recommended one keeps to the tolerance.
    """

    shown: Candidate
    recommended: Candidate
    within: bool


def choose(candidates: Sequence[Candidate], tolerance: float) -> Choice:
    """Choose among networks that harm nobody the most accurate within the tolerance.

    If none is within it, the one that comes closest; if all with a fairness term harm somebody, the
    plain network is recommended, and the least harmful of the others shown beside it.

    Parameters
    ----------
    candidates : sequence of Candidate
        One of them the plain network, with weight 0; one at least another.
    tolerance : float
        Largest gap that is accepted.

    Returns
    -------
    Choice
        The recommended network and the one to be shown.
    """
    others = [c for c in candidates if c.weight]
    harmless = [c for c in candidates if not c.harms]
    best = _best(harmless, tolerance)
    fair = [c for c in harmless if c.weight]
    shown = _best(fair, tolerance) if fair else min(others, key=_worst_loss)
    return Choice(shown, best, best.gap <= tolerance)


def _best(candidates: Sequence[Candidate], tolerance: float) -> Candidate:
    """Take the most accurate within the tolerance, as far as one can tell, or the smallest gap."""
    if within := [c for c in candidates if c.gap <= tolerance]:
        return max(within, key=lambda c: (round(c.accuracy, ACCURACY_DECIMALS), -c.gap, -c.weight))
    return min(candidates, key=lambda c: (c.gap, c.weight))


def _worst_loss(candidate: Candidate) -> float:
    return max(harm.lost for harm in candidate.harms)
