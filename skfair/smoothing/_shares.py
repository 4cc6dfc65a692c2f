"""Shares of each class among the decisions on noisy copies of people: by a formula, or by draws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ndtr
from sklearn.linear_model._base import LinearClassifierMixin

from .._rates import clopper_pearson
from .._torch_state import plain_torch
from ..networks._inspection import coefficients
from ._votes import Draws, Voter, count_votes
from .noise import Noise


class Shares(ABC):
    """Shares of the classes for some people."""

    @abstractmethod
    def shares(self) -> np.ndarray:
        """Shares of shape (n, n_classes)."""

    def leading(self) -> np.ndarray:
        """Numbers of shape (n, n_classes), the largest of which is that of the decision."""
        return self.shares()

    @abstractmethod
    def limits(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Limits of all shares of a person that hold together.

        Returns
        -------
        low, high : ndarray of shape (n, n_classes)
            The limits.
        score : ndarray of shape (n, n_classes) or None
            Phi^-1 of the shares, where they are exact.
        """


class ExactShares(Shares):
    """Gaussian noise on a linear classifier of two classes: Phi((v.x + b) / sqrt(v' Sigma v)).

    Parameters
    ----------
    estimator : classifier
        Fitted, one that this :meth:`applies_to`.
    X : ndarray or DataFrame of shape (n, n_features)
        Input samples.
    columns : list of int
        Columns that the noise is for.
    scale : ndarray of shape (d,)
        Standard deviation of the noise in each.
    """

    def __init__(self, estimator: Any, X: Any, columns: list[int], scale: np.ndarray) -> None:
        rows = X if hasattr(X, "iloc") else X.astype(np.float64)
        decision = estimator.decision_function(rows)
        spread = np.linalg.norm(np.ravel(coefficients(estimator))[columns] * scale)
        if not np.isfinite(decision).all():
            raise ValueError(
                f"{(~np.isfinite(decision)).sum()} of the {len(decision)} rows of X have no finite "
                "decision: their numbers are too large. Standardize X, in fit and here alike."
            )
        nowhere = np.where(decision > 0, np.inf, -np.inf)  # if the noise changes nothing
        score = decision / spread if spread else nowhere
        self.score = np.stack([-score, score], axis=1)

    @staticmethod
    def applies_to(estimator: Any, noise: Noise) -> bool:
        """Whether there is a formula."""
        is_linear = isinstance(estimator, LinearClassifierMixin)
        return is_linear and noise.noise == "gaussian" and len(estimator.classes_) == 2

    def shares(self) -> np.ndarray:
        return ndtr(self.score)

    def limits(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return ndtr(self.score), ndtr(self.score), self.score


class SampledShares(Shares):
    """Any noise on any classifier, by counting decisions.

    Parameters
    ----------
    make_voter : callable
        Returns the voter for these people.
    draws : Draws
        The noise.
    n_people : int
        Number of people.
    rows : int
        Rows that are evaluated together.
    device : str
        Type of the device that the voter is on.
    delta : float
        Probability with which the limits of a person, or an early decision, may fail.
    adaptive : bool
        Whether the decision is looked for with as few draws as will do.
    verbose : bool
        Whether to show a progress bar.
    """

    def __init__(
        self,
        make_voter: Callable[[], Voter],
        draws: Draws,
        n_people: int,
        *,
        rows: int,
        device: str,
        delta: float,
        adaptive: bool,
        verbose: bool,
    ) -> None:
        self.make_voter, self.draws, self.n_people = make_voter, draws, n_people
        self.rows, self.device, self.verbose = rows, device, verbose
        self.delta, self.adaptive = delta, adaptive

    def shares(self) -> np.ndarray:
        counts, used = self._votes()
        return counts / used[:, np.newaxis]

    def leading(self) -> np.ndarray:
        return self._votes(certain=self.delta)[0] if self.adaptive else self.shares()

    def limits(self) -> tuple[np.ndarray, np.ndarray, None]:
        counts, used = self._votes()
        n_shares = 1 if counts.shape[1] == 2 else counts.shape[1]  # the other one of two follows
        low, high = clopper_pearson(counts, used[:, np.newaxis], self.delta / (2 * n_shares))
        return low, high, None

    def _votes(self, certain: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        with plain_torch(self.device):
            voter = self.make_voter()
            return count_votes(voter, self.draws, self.n_people, self.rows, certain, self.verbose)
