"""Rules for ``GridSearchCV(refit=...)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._warnings import warn
from ._results import is_constant, is_gap, mean_scores

__all__ = ["best_under_constraint"]


class best_under_constraint:  # noqa: N801 - called like a function, an object only to be pickled
    """Choose the best candidate among those that satisfy a constraint.

    For the ``refit`` parameter of a search with several scorers. If no candidate satisfies the
    constraint, the one that violates it least is chosen, with a warning. Constant models, which
    accept nobody or everybody and so have no gap, are passed over if the search has a scorer
    ``acceptance_rate`` (as in :func:`pareto_front`) and there are others.

    Parameters
    ----------
    objective : str, default="accuracy"
        Name of the scorer to maximize.
    constraint : str, default="neg_recourse_gap"
        Name of the scorer to constrain.
    threshold : float
        Smallest mean test score of ``constraint`` allowed. For the scores of a gap, which are never
        positive, the sign is free, whatever the key of ``scoring`` is called: 0.1 and -0.1 both
        allow a gap of up to 0.1.

    Raises
    ------
    ValueError
        When called, if the search has no such scorers or all their scores are NaN.

    Notes
    -----
    The search's ``score`` is that of ``objective``: there it stands for the name.

    Examples
    --------
    >>> from skfair.model_selection import best_under_constraint
    >>> rule = best_under_constraint("accuracy", "neg_recourse_gap", threshold=-0.2)
    >>> rule({
    ...     "mean_test_accuracy": [0.86, 0.85, 0.80],
    ...     "mean_test_neg_recourse_gap": [-0.9, -0.1, -0.05],
    ... })
    1
    """

    def __init__(
        self,
        objective: str = "accuracy",
        constraint: str = "neg_recourse_gap",
        *,
        threshold: float,
    ) -> None:
        self.objective, self.constraint, self.threshold = objective, constraint, threshold

    def __call__(self, cv_results: Mapping[str, Any]) -> int:
        """Return the index of the chosen candidate.

        Parameters
        ----------
        cv_results : dict
            ``cv_results_`` of the search.

        Returns
        -------
        int
            ``best_index_`` of the search.
        """
        objective = mean_scores(cv_results, self.objective)
        constraint = mean_scores(cv_results, self.constraint)
        floor = -abs(self.threshold) if is_gap(self.constraint, constraint) else self.threshold
        usable = ~np.isnan(objective) & ~np.isnan(constraint)
        constant = is_constant(cv_results)
        if constant is not None and (usable & ~constant).any():
            usable &= ~constant
        if not usable.any():
            raise ValueError(
                f"No candidate has both a score {self.objective!r} and a score "
                f"{self.constraint!r}: all are NaN. Run the search with error_score='raise' to see "
                "why."
            )
        allowed = usable & (constraint >= floor)
        if allowed.any():
            return _best(objective, allowed)
        best = _best(constraint, usable)
        warn(
            f"No candidate has {self.constraint} >= {floor:g}; the one that comes closest is taken "
            f"({constraint[best]:.4g}).",
        )
        return best

    # GridSearchCV.score looks for its scorer under ``refit``, where the rule is its objective.

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return other == self.objective
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash(self.objective)

    def __repr__(self) -> str:
        return (
            f"best_under_constraint({self.objective!r}, {self.constraint!r}, "
            f"threshold={self.threshold!r})"
        )


def _best(scores: np.ndarray, among: np.ndarray) -> int:
    candidates = np.flatnonzero(among)
    return int(candidates[np.argmax(scores[candidates])])
