"""What a penalty is: a statistic of groups and a way of comparing them, or a user's function.

All are called alike, ``penalty(logits, y, groups, weights, comparison, normalize, state, decay)``,
and return their value on a batch and the state for the next one; groups (n, n_attributes), -1 takes
no part; weights (n,) or None. Other shapes: :mod:`~skfair.objectives.statistics`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import torch
from torch import Tensor

from .classification import RowLoss, weighted_mean
from .comparisons import sum_of_gaps, sum_of_squares
from .dependence import gaussian_kernel, hsic, same_group_kernel, squared_covariance
from .groups import Comparison, group_means
from .projection import projection
from .statistics import losses


def mean_loss(losses: Tensor, groups: Tensor, weights: Tensor | None) -> list[Tensor]:
    """Mean of the rows' losses (n,) over all rows with a group, for each attribute."""
    means = []
    for of in groups.unbind(-1):
        members = (of >= 0).to(losses)
        means.append(weighted_mean(losses, members if weights is None else weights * members))
    return means


@dataclass(frozen=True)
class Penalty:
    """One way of comparing groups, with all that is known of it.

    Attributes
    ----------
    rates : callable
        ``rates(logits, y) -> (values, denominators)``.
    compare : callable
        ``compare(means, present, comparison, denominators) -> scalar``.
    labels : tuple of int or None, default=None
        The label whose cases each rate is conditioned on; ``None`` counts everybody. An empty tuple
        says that the cases depend on the network.
    binary : bool, default=True
        Whether it is defined for two classes only.
    directed : bool, default=False
        Whether it changes if the other of two classes is the positive one.
    augmentable : bool, default=False
        Whether it is a gap that Fair-Mixup's slopes add up to.
    baseline : callable, default=None
        ``baseline(losses, groups, weights) -> list of scalars``, from the rows' losses, that are
        subtracted in the objective.
    more_is_better : bool, default=False
        Which way a group is worse off.
    """

    rates: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    compare: Callable[[Tensor, Tensor, Comparison, Tensor | None], Tensor]
    labels: tuple[int, ...] | None = None
    binary: bool = True
    directed: bool = False
    augmentable: bool = False
    baseline: Callable[[Tensor, Tensor, Tensor | None], list[Tensor]] | None = None
    more_is_better: bool = False

    #: Whether the groups' means over an epoch can be told from the state.
    has_means = True

    @property
    def is_gap(self) -> bool:
        """Whether it adds up differences between groups, which then have weights."""
        return self.compare is sum_of_gaps

    @property
    def by_label(self) -> bool:
        """Whether its rates look at the label."""
        return self.labels is not None

    def with_loss(self, row_loss: RowLoss) -> Penalty:
        """Return the same penalty where another loss is trained."""
        if self.rates is not losses:
            return self
        return replace(self, rates=partial(losses, row_loss=row_loss))

    def denominators_of(self, counts: Tensor | None, normalize: str, seen: Tensor) -> Tensor | None:
        """How much each group counts in each rate, (n_rates, n_groups).

        ``counts`` (n_classes, n_groups) are those of the training rows; ``seen`` (n_rates,
        n_groups) those over which the means were taken, for want of others.
        """
        if counts is None:
            return None
        if normalize == "group" or self.labels is None:
            return counts.sum(0)
        return counts[list(self.labels)] if self.labels else seen

    def __call__(
        self,
        logits: Tensor,
        y: Tensor,
        groups: Tensor,
        weights: Tensor | None,
        comparison: Comparison,
        normalize: str = "conditional",
        state: Tensor | None = None,
        decay: float = 0.0,
    ) -> tuple[Tensor, Tensor]:
        """Value on a batch, and the state of :func:`group_means`; see :func:`group_penalty`."""
        values, denominators = self.rates(logits, y)
        if normalize == "group":
            values, denominators = values * denominators, torch.ones_like(denominators)
        if weights is not None:
            denominators = denominators * weights
        means, present, state = group_means(
            values, groups, denominators, comparison.n_groups, state, decay
        )
        counts = self.denominators_of(comparison.counts, normalize, state.select(-2, 1))
        return self.compare(means, present, comparison, counts), state


@dataclass(frozen=True)
class CustomPenalty:
    """A user's function ``(logits, y, groups, weights) -> scalar``, called for each attribute."""

    function: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

    binary = directed = augmentable = is_gap = by_label = has_means = False
    labels = baseline = None

    def with_loss(self, row_loss: RowLoss) -> CustomPenalty:
        """Return it as it is: the function knows no loss."""
        return self

    def __call__(
        self,
        logits: Tensor,
        y: Tensor,
        groups: Tensor,
        weights: Tensor | None,
        comparison: Comparison,
        normalize: str = "conditional",
        state: Tensor | None = None,
        decay: float = 0.0,
    ) -> tuple[Tensor, Tensor | None]:
        """Value on a batch, and the state as it is."""
        weights = logits.new_ones(len(logits)) if weights is None else weights
        values = [self.function(logits, y, of, weights) for of in groups.unbind(-1)]
        return sum(values[1:], start=values[0]), state


@dataclass(frozen=True)
class RowPenalty:
    """A comparison of the groups' rows, not of their means.

    Attributes
    ----------
    statistic : Penalty
        What is compared; only its rates, and what is known of them, count.
    """

    statistic: Penalty

    augmentable = is_gap = has_means = False
    baseline = None

    @property
    def binary(self) -> bool:
        """Whether it is defined for two classes only."""
        return self.statistic.binary

    @property
    def directed(self) -> bool:
        """Whether it changes if the other of two classes is the positive one."""
        return self.statistic.directed

    @property
    def labels(self) -> tuple[int, ...] | None:
        """The label whose cases each rate is conditioned on."""
        return self.statistic.labels

    @property
    def by_label(self) -> bool:
        """Whether its rates look at the label."""
        return self.statistic.by_label

    def with_loss(self, row_loss: RowLoss) -> Self:
        """Return the same penalty where another loss is trained."""
        return replace(self, statistic=self.statistic.with_loss(row_loss))


@dataclass(frozen=True)
class ProjectionPenalty(RowPenalty):
    """Distance to the nearest predictions with the same rate in every group.

    See :func:`~skfair.objectives.projection.projection`.
    """

    def __call__(
        self,
        logits: Tensor,
        y: Tensor,
        groups: Tensor,
        weights: Tensor | None,
        comparison: Comparison,
        normalize: str = "conditional",
        state: Tensor | None = None,
        decay: float = 0.0,
    ) -> tuple[Tensor, Tensor]:
        """Value on a batch, and where the next projection starts."""
        known = state is not None and state.shape[-1] == comparison.n_groups
        value, shifts = logits.new_zeros(()), list[Tensor]()
        for position, of in enumerate(groups.unbind(-1)):
            before = state[position] if known and state is not None else None
            rates, n_groups = self.statistic.rates, comparison.n_groups
            loss, shift = projection(logits, y, of, weights, rates, n_groups, before, decay)
            value = value + loss
            shifts.append(shift)
        return value, torch.stack(shifts)


@dataclass(frozen=True)
class DependencePenalty(RowPenalty):
    """Dependence of a statistic's values on groups, and on quantities, among its cases.

    Attributes
    ----------
    statistic : Penalty
        What may not depend on them.
    by_kernel : bool
        Whether it is any dependence (:func:`~skfair.objectives.dependence.hsic`), or the squared
        covariance alone (:func:`~skfair.objectives.dependence.squared_covariance`), which of groups
        is the squared distance of their means.
    """

    by_kernel: bool

    def __call__(
        self,
        logits: Tensor,
        y: Tensor,
        groups: Tensor | None,
        weights: Tensor | None,
        comparison: Comparison | None,
        normalize: str = "conditional",
        state: Tensor | None = None,
        decay: float = 0.0,
        quantities: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Value on a batch, and the state for the next one.

        ``quantities`` (n, n_quantities) are sensitive features that are no groups, standardized;
        NaN takes no part. Each is a term of its own.
        """
        values, cases = self.statistic.rates(logits, y)
        counted = cases if weights is None else cases * weights
        if self.by_kernel:
            value = logits.new_zeros(())
            for of in () if groups is None else groups.unbind(-1):
                value = value + self._hsic(values, counted, of >= 0, same_group_kernel, of)
            for of in () if quantities is None else quantities.unbind(-1):
                value = value + self._hsic(values, counted, ~of.isnan(), gaussian_kernel, of)
            return value, state
        if quantities is None:
            return self._of_groups(logits, y, groups, weights, comparison, state, decay)
        n_sums = 4 * values.shape[0] * quantities.shape[-1]
        of_quantities = of_groups = None
        if state is not None:  # both in one row
            of_quantities = state[:n_sums].reshape(4, values.shape[0], quantities.shape[-1])
            of_groups = state[n_sums:].reshape(values.shape[0], 2, -1)
        value, sums = squared_covariance(values, counted, quantities, of_quantities, decay)
        states = [sums.flatten()]
        if groups is not None:
            squares, of_groups = self._of_groups(
                logits, y, groups, weights, comparison, of_groups, decay
            )
            value = value + squares
            states.append(of_groups.flatten())
        return value, torch.cat(states)

    def _of_groups(
        self,
        logits: Tensor,
        y: Tensor,
        groups: Tensor | None,
        weights: Tensor | None,
        comparison: Comparison | None,
        state: Tensor | None,
        decay: float,
    ) -> tuple[Tensor, Tensor]:
        assert groups is not None and comparison is not None
        squares = replace(self.statistic, compare=sum_of_squares)
        return squares(logits, y, groups, weights, comparison, state=state, decay=decay)

    @staticmethod
    def _hsic(
        values: Tensor,
        cases: Tensor,
        known: Tensor,
        kernel: Callable[[Tensor, Tensor], Tensor],
        sensitive: Tensor,
    ) -> Tensor:
        """HSIC of each rate's values and a sensitive feature (n,), added up."""
        total = values.new_zeros(())
        for of_rate, counted in zip(values, cases * known, strict=True):
            of_values = gaussian_kernel(of_rate, counted.detach())
            of_sensitive = kernel(sensitive.nan_to_num(0.0), counted.detach())
            total = total + hsic(of_values, of_sensitive, counted)
        return total
