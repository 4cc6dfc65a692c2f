"""Penalties on the difference between groups (Technical Challenges, section 3; FAIRER, 2.2, A.11).

A penalty is a statistic (:mod:`~skfair.objectives.statistics`) and a way of comparing the groups'
means of it (:mod:`~skfair.objectives.comparisons`), or their rows. A new one is one entry in
``PENALTIES``.

Shapes: logits (n, n_classes), or (n, n_labels) with several labels; y (n,) or (n, n_labels);
groups (n, n_attributes); weights (n,) or None. p is the probability of the positive class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .._moved import renamed
from ._base import Terms
from ._penalty_kinds import (
    CustomPenalty,
    DependencePenalty,
    Penalty,
    ProjectionPenalty,
    mean_loss,
)
from .classification import RowLoss, row_losses, weighted_mean
from .comparisons import (
    excess_of_worst,
    mutual_information,
    negative_min_max_ratio,
    sum_of_gaps,
    sum_of_negative_ratios,
    sum_of_squares,
    worst_group,
)
from .groups import Comparison, required
from .mixup import path_gap
from .statistics import (
    accuracy,
    error_rates,
    f1,
    false_negative_rate,
    false_omission_rate,
    false_positive_rate,
    favorable_outcome,
    losses,
    precision,
    selection_rate,
    true_negative_rate,
    true_positive_rate,
)
from .strata import Strata

AnyPenalty = Penalty | CustomPenalty | ProjectionPenalty | DependencePenalty
NORMALIZATIONS = ("conditional", "group")


PENALTIES: Mapping[str, Penalty] = {
    "equal_loss": Penalty(losses, sum_of_gaps, binary=False),
    "max_min": Penalty(losses, worst_group, binary=False, baseline=mean_loss),
    "equalized_odds": Penalty(error_rates, sum_of_gaps, labels=(0, 1), augmentable=True),
    "equal_opportunity": Penalty(true_positive_rate, sum_of_gaps, labels=(1,), directed=True),
    "predictive_parity": Penalty(precision, sum_of_gaps, labels=(), directed=True),
    "demographic_parity": Penalty(selection_rate, sum_of_gaps, augmentable=True),
    "disparate_impact": Penalty(selection_rate, negative_min_max_ratio, directed=True),
}


_good = partial(Penalty, compare=sum_of_gaps, directed=True, more_is_better=True)
_bad = partial(Penalty, compare=sum_of_gaps, directed=True)
STATISTICS: Mapping[str, Penalty] = {
    "selection_rate": _good(selection_rate),
    "tpr": _good(true_positive_rate, labels=(1,)),
    "fpr": _bad(false_positive_rate, labels=(0,)),
    "tnr": _good(true_negative_rate, labels=(0,)),
    "fnr": _bad(false_negative_rate, labels=(1,)),
    "ppv": _good(precision, labels=()),
    "for": _bad(false_omission_rate, labels=()),
    "accuracy": Penalty(accuracy, sum_of_gaps, more_is_better=True),
    "f1": _good(f1, labels=()),
    "loss": Penalty(losses, sum_of_gaps, binary=False),
}
MEAN_COMPARISONS: Mapping[str, Callable] = {
    "absolute": sum_of_gaps,
    "squared": sum_of_squares,
    "ratio": sum_of_negative_ratios,
    "worst_group": excess_of_worst,
    "mutual_information": mutual_information,
}
OF_QUANTITIES = ("covariance", "hsic")  # which take sensitive features that are no groups, too
COMPARISONS = (*MEAN_COMPARISONS, "kl_projection", *OF_QUANTITIES)


def penalty_of(penalty: str | Callable, comparison: str | None = None) -> AnyPenalty:
    """Return what is known of a penalty.

    Parameters
    ----------
    penalty : str or callable
        A key of ``PENALTIES`` or of ``STATISTICS``; a function of the user's: of a penalty, or,
        with a ``comparison``, of a statistic, ``(logits, y) -> (values, cases)``.
    comparison : str or None, default=None
        One of ``COMPARISONS``; ``None``: that of the penalty, of a statistic "absolute".

    Returns
    -------
    Penalty, CustomPenalty, ProjectionPenalty or DependencePenalty
        Called with a batch.

    Raises
    ------
    ValueError
        If the comparison is not defined for the statistic.
    """
    named = {**PENALTIES, **STATISTICS}
    if comparison is None:
        return named[penalty] if isinstance(penalty, str) else CustomPenalty(penalty)
    if isinstance(penalty, str):
        statistic = replace(named[penalty], baseline=None, augmentable=False)
    else:
        statistic = Penalty(partial(_rates_of, penalty), sum_of_gaps, binary=False)
    if comparison in MEAN_COMPARISONS:
        compare = MEAN_COMPARISONS[comparison]
        if comparison == "worst_group":
            compare = partial(compare, more_is_better=statistic.more_is_better)
        needs_shares = comparison == "mutual_information"
        if needs_shares and (statistic.rates is losses or not isinstance(penalty, str)):
            raise ValueError(_not_defined(penalty, comparison, "a share of cases"))
        return replace(statistic, compare=compare)
    if comparison == "hsic" and statistic.labels == ():
        raise ValueError(_not_defined(penalty, comparison, "cases that are given"))
    if comparison == "kl_projection" and not (isinstance(penalty, str) and statistic.binary):
        raise ValueError(_not_defined(penalty, comparison, "a ratio of sums of p"))
    if comparison == "kl_projection":
        return ProjectionPenalty(statistic)
    return DependencePenalty(statistic, by_kernel=comparison == "hsic")


def _not_defined(penalty: Any, comparison: str, needed: str) -> str:
    return f"comparison={comparison!r} needs {needed}, which penalty={penalty!r} is not about."


def _rates_of(statistic: Callable, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Values and cases of a user's statistic, (n_rates, n) each."""
    values, cases = statistic(logits, y)
    return torch.atleast_2d(values), torch.atleast_2d(cases).to(values)


def names_of(**properties: Any) -> list[str]:
    """Names of the penalties that have these properties, sorted."""
    return sorted(
        name
        for name, penalty in PENALTIES.items()
        if all(getattr(penalty, key) == value for key, value in properties.items())
    )


def with_first_positive(terms: partial) -> partial:
    """Return the terms for the case that the first of two classes is the positive one."""
    for name in ("comparison", "stratified"):
        compared = terms.keywords.get(name)
        if compared is not None and compared.counts is not None:
            flipped = replace(compared, counts=compared.counts.flip(-2))
            terms = partial(terms, **{name: flipped})
    return partial(_first_positive, terms)


def with_favorable(terms: partial, favorable: tuple[int, ...]) -> partial:
    """Return the terms for the case that these classes together are the positive one."""
    for name in ("comparison", "stratified"):
        compared = terms.keywords.get(name)
        if compared is not None and compared.counts is not None:
            counts = compared.counts
            good = counts[..., list(favorable), :].sum(-2)
            outcomes = torch.stack([counts.sum(-2) - good, good], -2)
            terms = partial(terms, **{name: replace(compared, counts=outcomes)})
    return partial(terms, favorable=favorable)


def _first_positive(terms: Callable, logits: Tensor, y: Tensor, *args: Any, **kwargs: Any) -> Any:
    return terms(logits.flip(-1), 1 - y, *args, **kwargs)


def group_penalty(
    name: str,
    logits: Tensor,
    y: Tensor,
    groups: Tensor,
    weights: Tensor | None,
    comparison: Comparison,
    normalize: str = "conditional",
    state: Tensor | None = None,
    decay: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Value of a penalty on a batch, and the state of :func:`~skfair.objectives.group_means`.

    Parameters
    ----------
    name : str
        A key of ``PENALTIES``.
    logits, y, groups, weights : Tensor
        The batch; rows of group -1 take no part.
    comparison : Comparison
        Which groups are compared.
    normalize : {"conditional", "group"}, default="conditional"
        What a rate is divided by: the cases it is conditioned on (as equalized odds is defined), or
        all members of the group (as Technical Challenges, Eq. 4, is printed). The same thing for
        the penalties that are not conditioned.
    state : Tensor or None
        From the last batch; see :func:`~skfair.objectives.group_means`.
    decay : float, default=0.0
        How much of it is kept.

    Returns
    -------
    penalty : Tensor
        A scalar; ``"max_min"`` gives the loss of the worst-off group. With several attributes it
        is added up over them.
    state : Tensor of shape (n_rates, 2, n_groups)
        For the next batch.
    """
    return PENALTIES[name](logits, y, groups, weights, comparison, normalize, state, decay)


def penalty_terms(
    logits: Tensor,
    y: Tensor,
    groups: Tensor | None,
    weights: Tensor | None,
    state: Tensor | None = None,
    *,
    penalty: str | Callable,
    comparison: Comparison | None,
    compared_by: str | None = None,
    normalize: str = "conditional",
    decay: float = 0.0,
    row_loss: RowLoss = row_losses,
    penalty_only: Tensor | None = None,
    slopes: Tensor | None = None,
    partners: Tensor | None = None,
    strata: Tensor | None = None,
    stratified: Strata | None = None,
    quantities: Tensor | None = None,
    favorable: tuple[int, ...] | None = None,
) -> tuple[Terms, Tensor | None]:
    """Compute a penalized objective (Technical Challenges, Eq. 2, 4, 6 and 7; FAIRER, Eq. 3).

    Parameters
    ----------
    logits, y, groups, weights : Tensor
        The batch. ``groups=None`` leaves the penalty out.
    state : Tensor or None
        Running sums and counts of the groups.
    penalty : str or callable
        A key of ``PENALTIES``, or ``penalty(logits, y, groups, weights) -> scalar`` with
        one-dimensional groups (-1: takes no part) and weights; it is called for every attribute.
    comparison : Comparison or None
        Which groups are compared.
    compared_by : str or None, default=None
        One of ``COMPARISONS``: see :func:`penalty_of`.
    normalize : {"conditional", "group"}, default="conditional"
        As in :func:`group_penalty`.
    decay : float, default=0.0
        As in :func:`group_penalty`.
    row_loss : callable, default=row_losses
        ``row_loss(logits, y) -> Tensor of shape (n,)``: what is minimized, and what "equal_loss"
        and "max_min" compare.
    penalty_only : bool Tensor of shape (n,) or None
        Rows that make up the penalty and take no part in the cross-entropy; ``None``: all rows do
        both.
    slopes, partners : Tensor of shape (n_attributes, n_paths) or None
        From :func:`~skfair.objectives.mixup.forward_with_paths`; the penalty is then that of
        Fair-Mixup.
    strata : int64 Tensor of shape (n,) or None
        Codes of strata, -1 for missing; without effect if ``stratified`` is ``None``.
    stratified : Strata or None
        How groups are compared within these.
    quantities : Tensor of shape (n, n_quantities) or None
        Sensitive features that are no groups, standardized; for ``OF_QUANTITIES``.
    favorable : tuple of int or None
        Codes of the classes that together are the positive one of the penalty, where there are more
        than two; counts of groups are those of the others and of these.

    Returns
    -------
    terms : dict
        ``cross_entropy`` and ``penalty``, scalars. For ``"max_min"`` the penalty is the excess of
        the worst-off group's loss over the mean loss of all groups: with a weight of 1 the sum is
        the former.
    state : Tensor or None
        For the next batch.
    """
    cross_entropies = row_loss(logits, y)
    penalized = weights
    if penalty_only is not None:
        weights = torch.ones_like(cross_entropies) if weights is None else weights
        penalized, weights = weights * penalty_only, weights * ~penalty_only
    terms = {"cross_entropy": weighted_mean(cross_entropies, weights)}
    if groups is None and quantities is None:
        return terms, state
    if penalty_only is not None and groups is not None:
        groups = groups.masked_fill(~penalty_only.unsqueeze(-1), -1)
    known = penalty_of(penalty, compared_by).with_loss(row_loss)
    if favorable is not None:
        logits, y = favorable_outcome(logits, y, favorable)
    if isinstance(known, DependencePenalty) and quantities is not None:
        terms["penalty"], state = known(
            logits, y, groups, penalized, comparison, normalize, state, decay, quantities
        )
        return terms, state
    assert groups is not None, "quantities are for OF_QUANTITIES"
    comparison = required(comparison)
    if slopes is not None and partners is not None:
        labels = y if known.by_label else None
        terms["penalty"], state = path_gap(
            slopes, partners, groups, labels, penalized, comparison, state, decay
        )
    else:

        def of_groups(
            groups: Tensor, comparison: Comparison, state: Tensor | None
        ) -> tuple[Tensor, Tensor | None]:
            value, state = known(logits, y, groups, penalized, comparison, normalize, state, decay)
            of_all = known.baseline
            for mean in of_all(cross_entropies, groups, penalized) if of_all else ():
                value = value - mean
            return value, state

        if strata is not None and stratified is not None:
            value, state = stratified(of_groups, groups, strata, comparison, state)
        else:
            value, state = of_groups(groups, comparison, state)
        terms["penalty"] = value
    return terms, state


def __getattr__(name: str) -> Any:
    return renamed(name, __name__)
