"""From scored rows to rules, and what the user should know of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..metrics._harm import left_out
from ._cells import Cells
from ._limits import Limits, Rows, acceptance_costs
from ._program import group_rules, inferred_rules
from ._roc import Rule, Rules, roc_curve
from ._search import group_thresholds


def best_pooled(rows: Rows, objective: Any) -> Rule:
    """Return the best single threshold for everybody."""
    curve = roc_curve(rows.scores, rows.y, rows.weights)
    costs = acceptance_costs(objective, curve.counts)
    best = [int((curve.accepted @ costs).argmin())]
    return Rule.mixture(curve.thresholds[best], np.ones(1))


def best_rules(
    rows: Rows, cells: Cells, objective: Any, limits: Limits, randomize: bool
) -> list[Rule]:
    """Return the best rule of each cell.

    Raises
    ------
    InfeasibleError
        If none keeps to the limits.
    """
    costs = acceptance_costs(objective, rows.by_label().sum(axis=0))
    if rows.posterior is not None:
        return inferred_rules(rows, costs, limits)
    curves = [
        roc_curve(rows.scores[own], rows.y[own], rows.weights[own])
        for own in (rows.cells == cell for cell in range(len(cells.labels)))
    ]
    if not randomize:
        return group_thresholds(curves, costs, limits)
    return group_rules(curves, cells.members(rows.members.shape[1]), costs, limits)


def acceptance(rules: Rules, rows: Rows) -> np.ndarray:
    """Probability of acceptance (n,) by the rules."""
    if rows.posterior is None:
        return rules.by_cell(rows.scores, rows.cells)
    return rules.by_posterior(rows.scores, rows.posterior)


def problems(rates: pd.DataFrame, limits: Limits, classes: np.ndarray) -> Iterator[str]:
    """Yield what is not as the user may think: limits that do not bind, groups left out."""
    for name in dict.fromkeys([*limits.rates, *limits.minimum]):
        without: Sequence = rates.index[rates[name].isna()].tolist()
        if without:
            label = classes.tolist()[0 if name == "false_positive_rate" else 1]
            yield (
                f"No row of the groups {without} has the label {label!r}: they have no "
                f"{name.replace('_', ' ')}, and no constraint on it."
            )
    labels = rates.index.tolist()
    accepted, expected = (rates[name].to_numpy() for name in ("selection_rate", "base_rate"))
    if not accepted.any() or (accepted == 1).all():
        yield (
            f"{'Everybody' if accepted.any() else 'Nobody'} is accepted, whatever the score: no "
            "other decisions were better within these limits. A larger tolerance, larger groups, "
            "or randomize=True leave more of a choice."
        )
    out = left_out(accepted, expected, rates["n"].to_numpy())
    if out.any():
        named = "; ".join(
            f"{labels[g]!r}: {accepted[g]:.1%} accepted, {expected[g]:.1%} favorable labels"
            for g in np.flatnonzero(out)
        )
        yield (
            "Hardly anybody is accepted of some groups, less than a fifth of the share with "
            f"favorable labels ({named}): that is leveling down. A minimum={{'tpr': ...}} or a "
            "larger tolerance prevents it."
        )
