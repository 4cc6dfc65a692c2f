"""Multipliers: what held-out decisions make of them, and which epoch's weights are kept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from .._rates import COUNT_TOLERANCE, clopper_pearson
from .._warnings import warn
from ..metrics._harm import MIN_MEMBERS
from ..objectives.constraints import Constraints, start, stepped
from ..objectives.groups import group_means
from ._batches import TensorRows, as_numbers, row_slices
from ._monitor import Monitor
from ._outcome import BeforeAndAfter

VAGUE = 2.0  # standard errors of a gap in tolerances, beyond which a gap within says little
STEPS_OF_EPOCH = 2  # of the multipliers
PLAIN_SHARE = 0.1  # of the epochs, before these begin
AVERAGED_SHARE = 0.4  # of an epoch's batches: weights of single steps differ by chance
# Below every accuracy, and every score.
MISSED, UNKNOWN, EARLY, CONSTANT = -1e6, -2e6, -3e6, -4e6


class HeldOut(NamedTuple):
    """The validation part as the constraints see it.

    Attributes
    ----------
    rows : TensorRows
        Its rows.
    weights : Tensor of shape (n,) or None
        Of its rows, without those of classes.
    """

    rows: TensorRows
    weights: Tensor | None


class Rates(NamedTuple):
    """Rates of decisions, (n_rates, n_groups) each.

    Attributes
    ----------
    values : ndarray
        The rates.
    counts : ndarray
        Weighted number of their cases.
    cases : ndarray
        Their effective number, see :func:`count_cases`.
    """

    values: np.ndarray
    counts: np.ndarray
    cases: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Which rest on enough cases."""
        return are_enough(self.cases)


def are_enough(cases: np.ndarray) -> np.ndarray:
    """Whether an effective number of cases says something."""
    return cases > MIN_MEMBERS - COUNT_TOLERANCE


def count_cases(cases: Tensor, groups: Tensor, n_groups: int) -> tuple[Tensor, Tensor]:
    """Count the cases of each group.

    Parameters
    ----------
    cases : Tensor of shape (n_rates, n)
        Weights of the rows, 0 of those that are no case.
    groups : int64 Tensor of shape (n, n_attributes)
        Group codes.
    n_groups : int
        Number of groups.

    Returns
    -------
    counts, effective : Tensor of shape (n_rates, n_groups)
        Sum of the weights, and the number of rows without weights that would say as much (Kish
        1965).
    """
    sums, squares = (
        group_means(cases, groups, part, n_groups)[2].select(-2, 1)
        for part in (cases, cases.square())
    )
    return sums, sums.square() / squares.clamp(min=torch.finfo(squares.dtype).tiny)


@dataclass(frozen=True)
class Asked:
    """What is asked of held-out decisions.

    Attributes
    ----------
    gaps : sequence of str
        Rates that are to be alike.
    tolerance : float
        Most that they may differ.
    minimum : dict of str to float
        Least value of rates.
    confidence : float or None
        Confidence of the bounds that are looked at in the place of the rates themselves.
    by_share : bool
        Whether the difference between many groups is their mean one, or the largest.
    attribute_of : sequence of int
        The attribute that each group belongs to.
    groups : sequence of str
        Names of the groups.
    """

    gaps: Sequence[str]
    tolerance: float
    minimum: dict[str, float]
    confidence: float | None
    by_share: bool
    attribute_of: Sequence[int]
    groups: Sequence[str]

    @property
    def names(self) -> list[str]:
        """Of all rates, in the order of the multipliers."""
        return [*self.gaps, *(f"minimum_{name}" for name in self.minimum)]

    @property
    def tail(self) -> float | None:
        """Probability with which each limit of a rate may fail, so that all hold at once."""
        if self.confidence is None:
            return None
        n_groups = len(self.groups)
        of_group = 4 if self.by_share and n_groups > 2 else 2  # everybody else has limits, too
        n_limits = n_groups * (of_group * len(self.gaps) + len(self.minimum))
        return (1 - self.confidence) / n_limits

    def differences(self, rates: Rates) -> np.ndarray:
        """Difference between groups in each rate of ``gaps``, the most of all attributes.

        NaN where no two groups can be compared.
        """
        return self._most_of(rates, partial(difference, by_share=self.by_share, tail=self.tail))

    def errors(self, rates: Rates) -> np.ndarray:
        """Return the standard errors of these differences, of all attributes the largest."""
        return self._most_of(rates, partial(standard_error, by_share=self.by_share))

    def _most_of(self, rates: Rates, measure: Callable[..., float]) -> np.ndarray:
        of = np.array(self.attribute_of)
        found = np.full((len(self.gaps), of.max() + 1), np.nan)
        for rate, known in enumerate(rates.known[: len(self.gaps)]):
            for attribute in range(found.shape[1]):
                groups = known & (of == attribute)
                if groups.sum() > 1:
                    found[rate, attribute] = measure(*(part[rate, groups] for part in rates))
        return found.max(1)

    def lacks(self, rates: Rates) -> np.ndarray:
        """Return what the worst group lacks of each least value, 0 if none does."""
        values, _, cases = (part[len(self.gaps) :] for part in rates)
        if self.tail is not None:
            values, _ = clopper_pearson(values * cases, cases, self.tail)
        least = np.array([*self.minimum.values()])[:, None]
        known = rates.known[len(self.gaps) :]
        return (least - values).max(1, initial=0.0, where=known)


def difference(
    values: np.ndarray, counts: np.ndarray, cases: np.ndarray, by_share: bool, tail: float | None
) -> float:
    """Difference between groups in a rate, or an upper bound of it.

    Parameters
    ----------
    values, counts, cases : ndarray of shape (n_groups,)
        As in :class:`Rates`.
    by_share : bool
        The mean over groups g of how far they are from everybody else, |m_g - m_others|, each
        counting with pi_g (1 - pi_g), where pi_g is its share of the cases; or else the largest
        difference between two groups. The same thing where there are two.
    tail : float or None
        Probability with which a limit of a rate may fail; ``None``: the rates themselves.

    Returns
    -------
    float
        From 0 to 1.
    """

    def limits(values: np.ndarray, cases: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if tail is None:
            return values, values
        return clopper_pearson(values * cases, cases, tail)

    low, high = limits(values, cases)
    if len(values) == 2 or not by_share:
        first, second = np.triu_indices(len(values), 1)
        return float(np.maximum(high[first] - low[second], high[second] - low[first]).max())
    others = (values @ counts - values * counts) / (counts.sum() - counts)
    low_others, high_others = limits(others, cases.sum() - cases)
    shares = counts / counts.sum()
    apart = np.maximum(high - low_others, high_others - low)
    return float(np.average(apart, weights=shares * (1 - shares)))


def standard_error(
    values: np.ndarray, counts: np.ndarray, cases: np.ndarray, by_share: bool
) -> float:
    """Return the standard error of :func:`difference`, where rates are shares of decisions.

    Of the two groups that are farthest apart, or by the slope of the mean difference. Rates count
    as if one more case had been decided either way (Agresti and Coull 1998).
    """
    p = (values * cases + 1) / (cases + 2)
    variances = p * (1 - p) / cases
    if len(values) == 2 or not by_share:
        order = values.argsort()
        return float(np.sqrt(variances[order[0]] + variances[order[-1]]))
    beside = counts.sum() - counts
    shares = counts / counts.sum()
    above = np.where(values >= (values @ counts - values * counts) / beside, 1.0, -1.0)
    signed = above * shares * (1 - shares) / (shares @ (1 - shares))
    of_others = (signed / beside).sum() - signed / beside
    slopes = signed - counts * of_others
    return float(np.sqrt(np.square(slopes) @ variances))


class Finding(NamedTuple):
    """What the decisions of an epoch come to.

    Attributes
    ----------
    accuracy : float
        Share that agrees with the labels.
    gaps : ndarray of shape (n_gaps,)
        Differences between groups, or their upper bounds.
    errors : ndarray of shape (n_gaps,)
        Standard errors of the differences, NaN if they are none of decisions.
    lacks : ndarray of shape (n_floors,)
        What the worst group lacks of each least value.
    constant : bool
        Whether all decisions are the same.
    """

    accuracy: float
    gaps: np.ndarray
    errors: np.ndarray
    lacks: np.ndarray
    constant: bool

    def excess(self, tolerance: float) -> float:
        """By how much the worst of the constraints is missed, 0 if all are met."""
        return float(np.max([0.0, *(self.gaps - tolerance), *self.lacks]))  # NaN if any is


class Multipliers(Callback):
    """Step the multipliers, judge every epoch, and keep the weights of the best one.

    What is judged, and kept, is a running mean of the weights.

    Parameters
    ----------
    constraints : Constraints
        What the objective knows of them.
    asked : Asked
        What is asked of decisions.
    held_out : HeldOut
        Rows on which they are made.
    epochs : int
        At most.
    n_batches : int
        Of an epoch.
    first_step : int
        Of the network, after which multipliers move, and up to which an epoch is kept only if there
        is no later one.
    compared : BeforeAndAfter or None
        Decisions before the multipliers move, and at last.
    monitor : Monitor or None
        What is to be best in the place of the accuracy.
    """

    def __init__(
        self,
        constraints: Constraints,
        asked: Asked,
        held_out: HeldOut,
        epochs: int,
        n_batches: int,
        first_step: int = 0,
        compared: BeforeAndAfter | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        self.constraints, self.asked, self.monitor = constraints, asked, monitor
        self.held_out: Any = held_out  # None after training
        self.n_batches, self.first_step = n_batches, first_step
        self._last_early_step = min(first_step, (epochs - 1) * n_batches)
        self.compared = compared
        self.best: tuple[float, Finding] | None = None
        self._kept: tuple[dict[str, Tensor], Tensor] | None = None

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Go on from the multipliers of an earlier training, if there are any."""
        like = next(net.module_.parameters()).detach()
        net.objective_state_ = start(self.constraints, like, net.objective_state_)
        state = net.module_.state_dict().values()
        self._weights = [tensor for tensor in state if tensor.is_floating_point()]
        self._means = [tensor.clone() for tensor in self._weights]
        self._average = get_ema_multi_avg_fn(1 - 1 / max(1.0, AVERAGED_SHARE * self.n_batches))
        self._n_steps = 0

        def after_step(*_: Any) -> None:
            self._after_step(net)

        self._hook = net.optimizer_.register_step_post_hook(after_step)

    @torch.no_grad()
    def _after_step(self, net: Any) -> None:
        self._n_steps += 1
        self._average(self._means, self._weights, None)
        in_epoch = self._n_steps % self.n_batches
        is_time = in_epoch and in_epoch % -(-self.n_batches // STEPS_OF_EPOCH) == 0
        if is_time and self._n_steps > self.first_step:
            with self._averaged(net):
                self._step(net, self._look(net)[0])

    @torch.no_grad()
    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Judge the epoch, and step."""
        with self._averaged(net):
            rates, finding = self._look(net)
            self._record(net, finding)
            value = self._judge(net, finding)
            net.history.record("monitor", value)
            if self.best is None or value > self.best[0]:
                self.best = value, finding
                self._kept = copy.deepcopy(net.module_.state_dict()), net.objective_state_
            if self.compared is not None and self._n_steps <= self.first_step:
                self.compared.before(net)
            if self._n_steps >= self.first_step:
                self._step(net, rates)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Take weights and multipliers of the best epoch, and let go of the data."""
        self._hook.remove()
        if self._kept is not None:
            weights, net.objective_state_ = self._kept
            net.module_.load_state_dict(weights)
        if self.compared is not None:
            self.compared.after(net)
        self.held_out = self.monitor = self._hook = self._kept = None
        self._weights, self._means = [], []

    # -- what is looked at --------------------------------------------------------------------

    @contextmanager
    def _averaged(self, net: Any) -> Iterator[None]:
        """Put the mean weights in the place of the last ones, as long as the block runs."""
        was_training, last = net.module_.training, [tensor.clone() for tensor in self._weights]
        torch._foreach_copy_(self._weights, self._means)
        net.module_.eval()
        try:
            yield
        finally:
            torch._foreach_copy_(self._weights, last)
            net.module_.train(was_training)

    def _look(self, net: Any) -> tuple[Rates, Finding]:
        held_out = self.held_out
        inputs, y = held_out.rows[:]
        X, groups, weights = inputs["X"], inputs["groups"], held_out.weights
        logits = torch.cat([net.module_(as_numbers(X[r], net.dtype)) for r in row_slices(X)])
        values, cases = self.constraints.values(logits.double(), y)
        cases = cases if weights is None else cases * weights
        n_groups = len(self.asked.groups)
        means = group_means(values, groups, cases, n_groups)[0]
        counted = count_cases(cases, groups, n_groups)
        rates = Rates(*(part.cpu().numpy() for part in (means, *counted)))
        decided = logits.argmax(-1)
        right = np.average((decided == y).cpu(), weights=None if weights is None else weights.cpu())
        constant = bool((decided == decided[0]).all())
        asked = self.asked
        gaps = asked.differences(rates)
        errors = (
            asked.errors(rates) if self.constraints.of_decisions else np.full_like(gaps, np.nan)
        )
        return rates, Finding(float(right), gaps, errors, asked.lacks(rates), constant)

    # -- what is made of it -------------------------------------------------------------------

    def _step(self, net: Any, rates: Rates) -> None:
        state = net.objective_state_
        values, counts, known = (
            torch.from_numpy(part).to(state.device) for part in (*rates[:2], rates.known)
        )
        net.objective_state_ = stepped(
            self.constraints, state, values.to(state.dtype), counts.to(state.dtype), known
        )

    def _judge(self, net: Any, finding: Finding) -> float:
        """Value of an epoch: the accuracy, or, where a constraint is missed, less than any."""
        if finding.constant:  # equal for everybody, and of no use to anybody
            return CONSTANT
        # Whoever has learned little may be within tolerance for that.
        if self._n_steps <= self._last_early_step:
            return EARLY + finding.accuracy
        excess = finding.excess(self.asked.tolerance)
        if np.isnan(excess):
            return UNKNOWN + finding.accuracy
        if excess > 0:
            return MISSED - min(excess, -MISSED / 2)
        return finding.accuracy if self.monitor is None else self.monitor.value(net)

    def _record(self, net: Any, finding: Finding) -> None:
        asked, record = self.asked, net.history.record
        for name, gap in zip(asked.gaps, finding.gaps, strict=True):
            record(f"valid_gap_{name}", float(gap))
        for name, lack in zip(asked.minimum, finding.lacks, strict=True):
            record(f"valid_lack_{name}", float(lack))
        for name, largest in zip(asked.names, multipliers_of(net).max(1), strict=True):
            record(f"multiplier_{name}", float(largest))
        record("valid_accuracy", finding.accuracy)

    def warn_if_missed(self, validation_fraction: float) -> None:
        """Say what was reached, if that is not what is asked, or that it says little."""
        if self.best is None:
            return
        if self.best[0] > MISSED:
            self._warn_if_vague(self.best[1], validation_fraction)
            return
        asked, (_, finding) = self.asked, self.best
        bound = "" if asked.confidence is None else f"upper bound at {asked.confidence:g} of the "
        reached = [
            f"{bound}difference in {name}: "
            + (f"unknown, with fewer than {MIN_MEMBERS} cases" if np.isnan(gap) else f"{gap:.3f}")
            for name, gap in zip(asked.gaps, finding.gaps, strict=True)
        ]
        reached += [
            f"{name} of the worst group: {least - lack:.3f}"
            for (name, least), lack in zip(asked.minimum.items(), finding.lacks, strict=True)
        ]
        wanted = [f"tolerance={asked.tolerance:g}"] if asked.gaps else []
        wanted += [f"minimum={asked.minimum}"] if asked.minimum else []
        warn(
            f"No epoch met {' and '.join(wanted)} on the held-out rows; the weights are those of "
            f"the epoch that came closest ({'; '.join(reached)}). More epochs, a larger "
            "validation_fraction or a larger tolerance usually help.",
        )

    def _warn_if_vague(self, finding: Finding, validation_fraction: float) -> None:
        asked = self.asked
        if asked.confidence is not None:
            return
        vague = [
            f"{name}: {error:.3f}"
            for name, error in zip(asked.gaps, finding.errors, strict=True)
            if error > VAGUE * asked.tolerance
        ]
        if vague:
            warn(
                f"tolerance={asked.tolerance:g} is less than half the standard error of the "
                f"difference on the held-out rows ({', '.join(vague)}): on other people it may be "
                "several times as large. A larger validation_fraction (now "
                f"{validation_fraction:g}) or a larger tolerance would say more, and confidence= "
                "looks at an upper bound."
            )


def multipliers_of(net: Any) -> np.ndarray:
    """Multipliers of a net that has any, (n_rates, n_groups)."""
    return net.objective_state_[:, 3].cpu().numpy()
