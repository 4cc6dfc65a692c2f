"""A look at what came out of training, and what the user should know of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from .._groups import group_name
from .._warnings import warn
from ..metrics._harm import LEFT_OUT_BELOW, MIN_COMPARED, MIN_MEMBERS, left_out, worsened
from ._batches import as_numbers, iterate_rows
from ._rows import TrainingData

MAX_LOOKED_AT = 200  # rows of a group
MAX_COMPARED = 500  # rows of a group, where their number is to be known well
FALLEN_BY = 1 / 4  # on these rows; by chance it is a third on others
MAX_RECALIBRATED = 1000  # rows of a group, by whose scores it is told who would be accepted
MAX_LOG_ODDS = 15.0  # of a score, so that few sure ones do not decide alone
LESS_THAN_LABELS = 1 / 2  # by which the share accepted may be below that of favorable labels
MIN_ACCEPTED = 10  # of them; where a group is left out, one sample in a hundred has as many


class FitInterruptedWarning(UserWarning):
    """An interruption (Ctrl-C) ended ``fit``.

    Either it returned with what had been learned, or it raised the interruption and left the
    estimator as it was. As an error, by :func:`warnings.simplefilter`, it never returns.
    """


def check_outcome(estimator: Any, X: torch.Tensor, data: TrainingData, by_group: bool) -> int:
    """Return the number of epochs run, and warn of what the user would not expect.

    Parameters
    ----------
    estimator : estimator
        Just trained.
    X : Tensor of shape (n, ...)
        The training rows, on the network's device.
    data : TrainingData
        The training rows.
    by_group : bool
        Whether to look at each group's share of accepted rows, which takes a prediction of all
        where a few do not settle it.

    Raises
    ------
    ValueError
        If a weight is not finite.
    """
    net, rows = estimator.net_, estimator.net_.history
    if net.interrupted_:
        if "train_loss" not in rows[-1]:
            rows.pop()
        warn(
            f"Training was interrupted after {len(rows)} epochs.",
            FitInterruptedWarning,
        )
    elif net.stopped_in_warmup_:
        warn(
            f"A callback ended training in the warm-up, after {len(rows)} of "
            f"{estimator.settings_.max_epochs} epochs, when the fairness weights had come to "
            f"{100 * net.recipe.ramp(net.steps_):.0f} % of their value. early_stopping=True "
            "begins to count when the warm-up has ended; or set warmup=0 (now "
            f"{estimator.warmup}).",
        )
    module = net.module_.eval()
    if not all(torch.isfinite(parameter).all() for parameter in module.parameters()):
        raise ValueError(
            "Training ended with weights that are not finite. A lower lr (now "
            f"{estimator.settings_.lr}), standardized features or smaller fairness weights usually "
            "help."
        )
    by_group = by_group and data.groups is not None and data.y.ndim == 1
    by_group = by_group and estimator._favorable_codes() is not None
    if by_group and few_settle_it(estimator, X, data):
        return len(rows)
    decisions: list[torch.Tensor] = []
    seen: set[Any] = set()
    with torch.inference_mode():
        for chunk in iterate_rows(X):
            logits = module(as_numbers(chunk.clone(), net.dtype))
            if data.y.ndim > 1:
                seen.update(tuple(row) for row in (logits > 0).int().unique(dim=0).tolist())
            else:
                decisions.append(logits.argmax(1).cpu())
                seen.update(decisions[-1].unique().tolist())
            if len(seen) > 1 and not by_group:
                return len(rows)
    if len(seen) == 1:
        decision = seen.pop()
        label = decision if data.y.ndim > 1 else estimator.classes_.tolist()[decision]
        warn(
            f"The fitted {type(estimator).__name__} predicts one class only, {label!r}: gaps "
            "between groups are then zero for no good reason. A longer warmup, smaller fairness "
            "weights, more epochs or another lr usually help.",
        )
    elif by_group:
        warn_of_groups_left_out(estimator, torch.cat(decisions).numpy(), data)
    return len(rows)


def few_settle_it(estimator: Any, X: Any, data: TrainingData) -> bool:
    """Whether a few rows of every group show that each has its part, and not everybody is accepted.

    To predict all rows of a set of images takes a sixth of the time of two epochs.
    """
    groups, favorable = np.asarray(data.groups), estimator._favorable_codes()
    members = [rows for rows in members_of(estimator, data) if len(rows) >= MIN_MEMBERS]
    few = [evenly(rows, MAX_LOOKED_AT) for rows in members]
    looked_at = np.unique(np.concatenate([*few, np.zeros(0, int)]))
    if not few or 2 * len(looked_at) > len(groups):
        return False
    accepted = np.isin(decisions_of(estimator.net_, some_rows(X, looked_at)), favorable)
    n_accepted = [accepted[np.searchsorted(looked_at, rows)].sum() for rows in few]
    labeled = [np.isin(data.y[rows], favorable).mean() for rows in members]
    return not accepted.all() and all(
        n >= MIN_ACCEPTED and n / len(rows) >= share / 2
        for n, rows, share in zip(n_accepted, few, labeled, strict=True)
    )


def members_of(estimator: Any, data: TrainingData) -> list[np.ndarray]:
    """Positions of the rows of every group."""
    groups = np.asarray(data.groups)
    return [np.flatnonzero((groups == g).any(axis=1)) for g in range(len(estimator.groups_))]


def evenly(rows: np.ndarray, most: int) -> np.ndarray:
    """At most this many of the rows, evenly spread."""
    return rows[:: max(1, -(-len(rows) // most))]


def some_rows(X: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
    """Take these rows, where X is."""
    return X.index_select(0, torch.from_numpy(rows).to(X.device))


def logits_of(net: Any, X: torch.Tensor) -> torch.Tensor:
    """Logits (n, n_classes) of a network in evaluation mode."""
    with torch.inference_mode():
        logits = [net.module_(as_numbers(chunk.clone(), net.dtype)) for chunk in iterate_rows(X)]
    return torch.cat(logits)


def decisions_of(net: Any, X: torch.Tensor) -> np.ndarray:
    """Class codes, (n,), that a network in evaluation mode decides on."""
    return logits_of(net, X).argmax(1).cpu().numpy()


class BeforeAndAfter:
    """Rates of every group, on the same rows at two times of a training.

    Parameters
    ----------
    estimator : estimator
        That is trained; some of its classes are favorable.
    X : Tensor of shape (n, ...)
        The training rows, on the network's device.
    data : TrainingData
        The training rows.
    """

    def __init__(self, estimator: Any, X: torch.Tensor, data: TrainingData) -> None:
        self._favorable = estimator._favorable_codes()
        members = members_of(estimator, data)
        labeled = np.isin(data.y, self._favorable)
        self._sizes = np.array([[len(rows), labeled[rows].sum()] for rows in members])
        some = [
            (evenly(rows, MAX_COMPARED), evenly(rows[labeled[rows]], MAX_COMPARED))
            for rows in members
        ]
        rows = np.unique(np.concatenate([part for of_group in some for part in of_group]))
        self._cases = [[np.searchsorted(rows, part) for part in of_group] for of_group in some]
        self._rows = rows
        self._X: torch.Tensor | None = X
        self._before: np.ndarray | None = None
        self._after: np.ndarray | None = None

    def before(self, net: Any) -> None:
        """Note what is to be compared with."""
        self._before = self._rates(net)

    def after(self, net: Any) -> None:
        """Note what is compared, and let go of the rows."""
        if self._before is not None:
            self._after = self._rates(net)
        self._X = None

    def _rates(self, net: Any) -> np.ndarray:
        """Share accepted and true positive rate of each group, (n_groups, 2), NaN without cases."""
        assert self._X is not None
        was_training = net.module_.training
        net.module_.eval()
        decisions = decisions_of(net, some_rows(self._X, self._rows))
        accepted = np.isin(decisions, self._favorable)
        net.module_.train(was_training)
        return np.array(
            [[accepted[rows].mean() if len(rows) else np.nan for rows in of] for of in self._cases]
        )

    @property
    def is_complete(self) -> bool:
        """Whether both times have been seen."""
        return self._before is not None and self._after is not None

    def warn_of_worse(self, groups: Sequence[str], remedy: str) -> None:
        """Name the groups of whom fewer are accepted, by more than a quarter, than before."""
        assert self._before is not None and self._after is not None
        sizes, n_labeled = self._sizes.T
        large = np.where(n_labeled >= MIN_MEMBERS, sizes, 0)
        before, after = self._before.T, self._after.T
        fallen = worsened(after[0], before[0], sizes, by=FALLEN_BY)
        worse = fallen | worsened(after[1], before[1], large, by=FALLEN_BY)
        if not worse.any():
            return
        named = "; ".join(
            f"{groups[g]!r}: {before[0, g]:.3f} -> {after[0, g]:.3f} accepted, of those with a "
            f"favorable label {before[1, g]:.3f} -> {after[1, g]:.3f}"
            for g in np.flatnonzero(worse).tolist()
        )
        warn(
            "Fewer are accepted, by more than a quarter, than before the constraints were at work, "
            f"of groups in the training data ({named}). A gap can be closed at their expense: "
            f"{remedy}.",
        )


def warn_of_fewer(estimator: Any, X: torch.Tensor, data: TrainingData) -> None:
    """Name the groups of whom fewer are accepted than without regard to fairness.

    By more than a third, or less than half the share with favorable labels: a penalty may blur a
    group's scores, too. Groups left out are named by :func:`warn_of_groups_left_out`, and where as
    many are accepted as have favorable labels nobody pays.
    """
    favorable = estimator._favorable_codes()
    if favorable is None or data.groups is None or data.y.ndim > 1:
        return
    labeled = np.isin(data.y, favorable)
    members = [evenly(rows, MAX_RECALIBRATED) for rows in members_of(estimator, data)]
    rows = np.unique(np.concatenate([*members, np.zeros(0, int)]))
    scores = log_odds_of(estimator.net_, some_rows(X, rows), favorable)
    named = []
    for group, of in zip(estimator.groups_, members, strict=True):
        if len(of) < MIN_COMPARED:
            continue
        own, y = scores[np.searchsorted(rows, of)], labeled[of]
        accepted, labels = (own > 0).mean(), y.mean()
        if not LEFT_OUT_BELOW * labels < accepted < labels:
            continue
        weights = np.ones(len(of)) if data.weights is None else data.weights[of]
        expected = share_without_regard(own, y, weights)
        by_chance = np.sqrt(expected / len(of))  # about the standard error
        fallen = worsened(accepted, expected, len(of)) and expected - accepted > by_chance
        if fallen or worsened(accepted, labels, len(of), by=LESS_THAN_LABELS):
            named.append(
                f"{group_name(group)!r}: {accepted:.3f} accepted, {expected:.3f} by their scores, "
                f"{labels:.3f} favorable labels"
            )
    if not named:
        return
    warn(
        "Fewer are accepted, by more than a third, than the network's own scores would have it "
        "without regard to fairness, or less than half the share with favorable labels, of groups "
        f"in the training data ({'; '.join(named)}). A gap can be closed at their expense: compare "
        "with a plain network, and try smaller fairness weights.",
    )


def share_without_regard(scores: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """Share of a group that is accepted by its scores if these are calibrated on its labels.

    By a logistic regression of labels on scores (Platt 1999), and acceptance above one half.
    """
    counts, scores = weights > 0, scores[:, np.newaxis]
    if len(np.unique(y[counts])) < 2:
        return float(y[counts].any())
    calibrated = LogisticRegression(C=1e3, solver="newton-cholesky")
    calibrated.fit(scores[counts], y[counts], weights[counts])
    return float(calibrated.predict(scores).mean())


def log_odds_of(net: Any, X: torch.Tensor, favorable: Sequence[int]) -> np.ndarray:
    """Log-odds, (n,), with which a network in evaluation mode takes one of some classes."""
    scores = logits_of(net, X).cpu().double()
    of = torch.zeros(scores.shape[1], dtype=torch.bool)
    of[list(favorable)] = True
    odds = scores[:, of].logsumexp(1) - scores[:, ~of].logsumexp(1)
    return odds.clamp(-MAX_LOG_ODDS, MAX_LOG_ODDS).numpy()


def warn_of_groups_left_out(estimator: Any, decisions: np.ndarray, data: TrainingData) -> None:
    """Name the groups of which hardly anybody is accepted.

    ``decisions`` (n,) are predicted class codes of the training rows. What to expect of a group is
    its share of favorable labels. Nothing is said where no class is favorable.
    """
    favorable, groups = estimator._favorable_codes(), data.groups
    if favorable is None or groups is None:
        return
    accepted, labeled = np.isin(decisions, favorable), np.isin(data.y, favorable)
    members = np.array([(groups == g).any(axis=1) for g in range(len(estimator.groups_))])
    sizes = members.sum(axis=1)
    n_accepted, n_labeled = members @ accepted.astype(int), members @ labeled.astype(int)
    at_least_one = np.maximum(sizes, 1)
    out = left_out(n_accepted / at_least_one, n_labeled / at_least_one, sizes)
    if not out.any():
        return
    everyone = out.sum() == (sizes >= MIN_MEMBERS).sum()
    named = "; ".join(
        f"{estimator.groups_[g]!r}: {n_accepted[g]} of {sizes[g]} accepted, {n_labeled[g]} "
        "favorable labels"
        for g in np.flatnonzero(out)
    )
    warn(
        f"The fitted {type(estimator).__name__} accepts nobody, or less than a fifth of the share "
        f"with favorable labels, of {'every group' if everyone else 'groups'} in the training data "
        f"({named}). A small gap is then no good news for them: look at the share accepted and the "
        "true positive rate of each group, and try smaller fairness weights, "
        "group_weights='share', merged groups or attributes='sum'.",
    )
