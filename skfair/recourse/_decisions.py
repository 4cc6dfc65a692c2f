"""What a classifier decides about changed profiles, in the cheapest way that is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._estimators import decision_values, split_pipeline
from ..networks._inspection import Network, is_differentiable, one_hot_network
from ._linear import cheapest_change
from ._profiles import Profiles

CHECKED_ROWS = 200  # rows on which a map that was taken for affine is compared
FLOAT32_TOLERANCE = 1e-4  # of what single precision can hold after scaling
BATCH_ROWS = 65_536  # decided on together


class Affine:
    """``f(changed profile) = f(own profile) + (change of features) @ matrix``.

    Parameters
    ----------
    own : ndarray of shape (n, n_outputs)
        f of everybody's own profile.
    matrix : ndarray of shape (width, n_outputs)
        What a unit of each feature adds.
    """

    def __init__(self, own: np.ndarray, matrix: np.ndarray) -> None:
        self.own, self.matrix = own, matrix

    @classmethod
    def of(
        cls, function: Callable[[Any], np.ndarray], profiles: Profiles, rng: np.random.RandomState
    ) -> Affine | None:
        """Find the map by changing a profile feature by feature; ``None`` if it is another one.

        Parameters
        ----------
        function : callable
            From a table to an array (n, ...); each row's result must depend on that row alone.
        profiles : Profiles
            The people.
        rng : RandomState
            Chooses mixed profiles on which the map is compared with the function.

        Returns
        -------
        Affine or None
            The map.
        """
        own = np.asarray(function(profiles.X), dtype=np.float64)
        if own.ndim == 1:
            own = own[:, None]
        if own.ndim != 2 or not np.isfinite(own).all():
            return None
        probes, rows, units = _probes(profiles)
        matrix = np.zeros((profiles.width, own.shape[1]))
        if len(probes):
            seen = np.asarray(function(profiles.table(probes, rows)), dtype=np.float64)
            matrix[units[0]] = (seen.reshape(len(probes), -1) - own[rows]) / units[1][:, None]
        found = cls(own, matrix)
        rows = rng.randint(len(own), size=CHECKED_ROWS)
        mixed = profiles.reference[rng.randint(len(profiles.reference), size=CHECKED_ROWS)]
        for j in range(mixed.shape[1]):
            mixed[:, j] = rng.permutation(mixed[:, j])
        p = len(profiles.numbers)  # own numbers, too, but others than there are
        mixed[::2, :p] = profiles.own[rows[::2], :p]
        mixed[::2, :p] += 2 * profiles.scale * rng.standard_normal((CHECKED_ROWS // 2, p))
        mixed = profiles.permitted(np.where(np.isnan(mixed), profiles.own[rows], mixed), rows)
        expected = np.asarray(function(profiles.table(mixed, rows)), dtype=np.float64)
        error = np.abs(found(profiles, mixed, rows) - expected.reshape(len(rows), -1))
        spread = np.abs(own).max(axis=0) + np.abs(matrix).max(axis=0) + 1
        return found if (error <= FLOAT32_TOLERANCE * spread).all() else None

    def __call__(self, profiles: Profiles, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Evaluate the function of the people in ``rows`` with other values."""
        change = profiles.features(values) - profiles.features(profiles.own[rows])
        return self.own[rows] + change @ self.matrix


def _probes(profiles: Profiles) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Profiles that differ from a person's own in one feature; the people; feature and step.

    A feature that nobody may change, or has, is left out.
    """
    p, own = len(profiles.numbers), profiles.own
    probes, rows, features, steps = list[np.ndarray](), list[int](), list[int](), list[float]()

    def add(row: int, column: int, value: float, feature: int, step: float) -> None:
        probe = own[row].copy()
        probe[column] = value
        probes.append(probe)
        rows.append(row)
        features.append(feature)
        steps.append(step)

    for j in range(p):
        present = np.flatnonzero(~np.isnan(own[:, j]))
        if len(present):
            step = np.ceil(profiles.scale[j]) if profiles.whole[j] else profiles.scale[j]
            at, (low, high) = own[present[0], j], profiles.held[:, j]
            if at + step > high:  # more than the column can hold
                step = high - at if at - step < low and high > at else -min(step, at - low)
            add(present[0], j, at + step, j, step)
    for j, (start, size) in enumerate(zip(profiles.starts, profiles.sizes, strict=True)):
        base = int(own[0, p + j])
        for code in range(size):
            if code != base:
                add(0, p + j, code, start + code, 1.0)
    changed = np.array(probes).reshape(-1, own.shape[1])
    return changed, np.array(rows, dtype=int), (np.array(features, dtype=int), np.array(steps))


def refuses(estimator: Any, X: Any, refusing: np.ndarray) -> np.ndarray:
    """Whom the classifier refuses, by its own ``predict``: bool (n,).

    Raises
    ------
    ValueError
        If it does not give one label a row.
    """
    labels = np.asarray(estimator.predict(X))
    if labels.size != X.shape[0]:
        raise ValueError(
            f"estimator must give one label a row; {type(estimator).__name__}.predict gives an "
            f"array of shape {labels.shape} for {X.shape[0]} rows."
        )
    return np.isin(labels.ravel(), refusing)


class Margin:
    """Log-odds of acceptance by a differentiable classifier.

    Parameters
    ----------
    network : Network
        What the classifier computes.
    inputs : Affine
        What the network sees of a profile.
    profiles : Profiles
        The people.
    unfavorable : list of int
        Codes of the classes that refuse.
    """

    def __init__(
        self, network: Network, inputs: Affine, profiles: Profiles, unfavorable: list[int]
    ) -> None:
        self.network, self.inputs = network, inputs
        self.profiles, self.unfavorable = profiles, unfavorable

    @torch.no_grad()
    def __call__(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Log-odds of profiles, (n,)."""
        return self._of(self._inputs(values, rows)).cpu().numpy()

    def with_slope(self, values: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-odds, (n,), and their derivative by the features, (n, width)."""
        inputs = self._inputs(values, rows).requires_grad_()
        margin = self._of(inputs)
        (slope,) = torch.autograd.grad(margin.sum(), inputs)
        slope = slope.double().cpu().numpy() @ self.inputs.matrix.T
        return margin.detach().double().cpu().numpy(), slope

    def can_be_asked(self) -> bool:
        """Whether the module takes floating-point numbers; some take integers only."""
        try:
            self.with_slope(self.profiles.own[:1], np.zeros(1, dtype=int))
        except RuntimeError:
            return False
        return True

    def _inputs(self, values: np.ndarray, rows: np.ndarray) -> Tensor:
        return self.network.tensor(self.inputs(self.profiles, values, rows))

    def _of(self, inputs: Tensor) -> Tensor:
        """Compare the likeliest class that accepts to the likeliest that refuses, as log-odds."""
        log_proba = self.network.log_proba(self.network.module(inputs))
        refuses = torch.zeros(log_proba.shape[1], dtype=torch.bool, device=log_proba.device)
        refuses[self.unfavorable] = True
        return log_proba[:, ~refuses].amax(dim=1) - log_proba[:, refuses].amax(dim=1)


class Decisions:
    """Who is accepted, with which profile.

    Parameters
    ----------
    estimator : classifier
        Fitted.
    profiles : Profiles
        The people.
    unfavorable : sequence of int
        Codes of the classes that refuse.
    rng : RandomState
        As for :meth:`Affine.of`.

    Attributes
    ----------
    linear : Affine or None
        The decision values, if they are affine in the features.
    log_odds : Margin or None
        Of acceptance, if the classifier is differentiable in the features.
    """

    def __init__(
        self,
        estimator: Any,
        profiles: Profiles,
        unfavorable: tuple[int, ...],
        rng: np.random.RandomState,
    ) -> None:
        self.estimator, self.profiles = estimator, profiles
        self.refusing = np.asarray(estimator.classes_)[list(unfavorable)]
        self.unfavorable = list(unfavorable)
        final, before = split_pipeline(estimator)
        self.final = final
        self.linear = self._linear(rng) if len(estimator.classes_) == 2 else None
        self.log_odds: Margin | None = None
        if self.linear is None and is_differentiable(final):
            network, seen, _ = one_hot_network(final)
            inputs = Affine.of(
                lambda X: seen(X if before is None else before.transform(X)),
                profiles,
                rng,
            )
            if inputs is not None:
                log_odds = Margin(network, inputs, profiles, self.unfavorable)
                self.log_odds = log_odds if log_odds.can_be_asked() else None

    def _linear(self, rng: np.random.RandomState) -> Affine | None:
        """Decision values towards acceptance, if they are affine."""
        sign = 1 if self.unfavorable == [0] else -1

        def towards(X: Any) -> np.ndarray:
            return sign * decision_values(self.estimator, X)

        try:
            found = Affine.of(towards, self.profiles, rng)
        except ValueError:  # no decision values at all
            return None
        if found is None or not self._decides_at_zero(found):
            return None
        return found

    def _decides_at_zero(self, linear: Affine) -> bool:
        """Whether it accepts just beyond zero, and not before: there are other thresholds."""
        rows = np.arange(len(self.profiles.own))[:CHECKED_ROWS]
        slopes = np.broadcast_to(linear.matrix[:, 0], (len(rows), self.profiles.width))
        for share in (0.98, 1.02):
            needed = -share * linear.own[rows, 0]
            values = cheapest_change(self.profiles, rows, slopes, needed, "l2")
            reached = linear(self.profiles, values, rows)[:, 0]
            near = np.abs(reached) < 0.05 * np.abs(linear.own[rows, 0])
            if (self.accepts(values[near], rows[near]) != ((reached > 0)[near])).any():
                return False
        return True

    def accepts(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Whether the classifier accepts, by its own ``predict``."""
        accepted = [np.empty(0, dtype=bool)]
        for start in range(0, len(rows), BATCH_ROWS):
            part = slice(start, start + BATCH_ROWS)
            table = self.profiles.table(values[part], rows[part])
            accepted.append(~refuses(self.estimator, table, self.refusing))
        return np.concatenate(accepted)

    def likely_accepts(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """As :meth:`accepts`, without tables where the network can be asked itself."""
        if self.log_odds is None:
            return self.accepts(values, rows)
        accepted = [np.empty(0, dtype=bool)]
        for start in range(0, len(rows), BATCH_ROWS):
            part = slice(start, start + BATCH_ROWS)
            accepted.append(self.log_odds(values[part], rows[part]) > 0)
        return np.concatenate(accepted)
