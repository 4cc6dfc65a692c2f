"""Candidates of a search that no other one beats, and the best compromise among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ._results import is_constant, mean_scores

__all__ = ["knee_point", "pareto_front"]


def nondominated(scores: np.ndarray) -> np.ndarray:
    """Find the rows that no other row beats.

    A row beats another one if it is at least as great in all columns and greater in one. Equal rows
    do not beat each other; a row with a score that is not finite takes no part.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_metrics)
        Greater is better.

    Returns
    -------
    ndarray of int
        Positions, the best in the first column first; of equal rows in their order.
    """
    candidates = np.flatnonzero(np.isfinite(scores).all(axis=1))
    # Whoever beats a row comes before it in this order.
    order = candidates[np.lexsort(-scores[candidates].T[::-1])]
    front: list[int] = []
    for i in order:
        rest = scores[front]
        beaten = (rest >= scores[i]).all(axis=1) & (rest > scores[i]).any(axis=1)
        if not beaten.any():
            front.append(int(i))
    return np.array(front, dtype=int)


def pareto_front(
    cv_results: Mapping[str, Any], metrics: Sequence[str], *, keep_constant: bool = False
) -> pd.DataFrame:
    """Find the candidates of a search that no other candidate beats.

    A candidate beats another one if its mean test scores are at least as great in all metrics and
    greater in one. Candidates with equal scores do not beat each other: all of them are on the
    front. A candidate with a score that is NaN or infinite takes no part.

    Parameters
    ----------
    cv_results : dict or DataFrame
        ``cv_results_`` of any search with several scorers, or a DataFrame of it.
    metrics : sequence of str
        Names of two or more scorers, as in ``scoring``. Greater is better, as scikit-learn's scores
        are: a gap goes in as minus the gap (``neg_recourse_gap``).
    keep_constant : bool, default=False
        Whether constant models may be on the front. A model that accepts nobody, or everybody, has
        no gap between groups for no good reason, and few others can beat it. Where the search has a
        scorer named ``acceptance_rate`` (:data:`skfair.metrics.acceptance_rate_scorer`), a
        candidate is constant if the rate is exactly 0 or 1 in one of the splits at least. Without
        such a scorer constant models cannot be told, and take part.

    Returns
    -------
    DataFrame
        Rows of ``cv_results`` on the front, the best in the first metric first; the index is their
        position in ``cv_results``. The columns are those of ``params``, of the parameters, of mean
        and standard deviation of the metrics (as far as the search has them), and ``constant``:
        whether the model is constant, ``NA`` if that is not known.

    Raises
    ------
    TypeError
        If ``metrics`` is one name.
    ValueError
        If ``metrics`` has fewer than two different names or one that the search does not have.

    Examples
    --------
    >>> from skfair.model_selection import pareto_front
    >>> results = {
    ...     "param_alpha": [0, 1, 2, 3],
    ...     "mean_test_accuracy": [0.86, 0.85, 0.80, 0.76],
    ...     "mean_test_neg_recourse_gap": [-0.9, -0.1, -0.2, 0.0],
    ...     "mean_test_acceptance_rate": [0.2, 0.2, 0.1, 0.0],
    ... }
    >>> front = pareto_front(results, ["accuracy", "neg_recourse_gap"])
    >>> front.index.tolist()
    [0, 1]
    >>> front = pareto_front(results, ["accuracy", "neg_recourse_gap"], keep_constant=True)
    >>> front["constant"].tolist()
    [False, False, True]
    """
    scores = _scores(cv_results, metrics)
    constant = is_constant(cv_results)
    if constant is not None and not keep_constant:
        scores[constant] = np.nan
    front = nondominated(scores)
    wanted = [f"{what}_test_{name}" for name in metrics for what in ("mean", "std")]
    columns = [key for key in cv_results if key == "params" or key.startswith("param_")]
    columns += [key for key in wanted if key in cv_results]
    table = pd.DataFrame({key: cv_results[key] for key in columns}).iloc[front]
    known = constant[front] if constant is not None else [pd.NA] * len(front)
    table["constant"] = pd.array(known, dtype="boolean")
    return table.set_axis(pd.Index(front, name="candidate"))


def knee_point(cv_results: Mapping[str, Any], metrics: Sequence[str]) -> int:
    """Find the candidate at which the Pareto front bulges most.

    Each metric is scaled so that the worst score on the front is 0 and the best is 1; the
    candidate with the greatest sum is chosen. With two metrics it is the one furthest from the line
    between the two ends of the front [1]_: beyond it a little more of one score costs much of the
    other. If no candidate lies beyond that line, it is an end.

    Parameters
    ----------
    cv_results : dict or DataFrame
        As for :func:`pareto_front`.
    metrics : sequence of str
        As for :func:`pareto_front`. The order matters for ties alone: the candidate that is better
        in the first metric is taken, then the first candidate.

    Returns
    -------
    int
        Position in ``cv_results``, as ``best_index_``; ``functools.partial(knee_point,
        metrics=[...])`` can be ``refit`` of a search.

    Raises
    ------
    TypeError
        If ``metrics`` is one name.
    ValueError
        If ``metrics`` has fewer than two different names or one that the search does not have, or
        no candidate is left: all have NaN in a metric or are constant models.

    Notes
    -----
    The scale is that of the front, so the result depends on its ends: candidates nobody would take
    move it. It is a suggestion where nothing is required; where a gap of at most so much is, use
    :class:`best_under_constraint`. Constant models never take part, if they can be told.

    References
    ----------
    .. [1] I. Das. On characterizing the "knee" of the Pareto curve based on Normal-Boundary
       Intersection. Structural Optimization 18, 1999.

    Examples
    --------
    >>> from skfair.model_selection import knee_point
    >>> results = {
    ...     "mean_test_accuracy": [0.86, 0.85, 0.80],
    ...     "mean_test_neg_recourse_gap": [-0.9, -0.1, -0.05],
    ... }
    >>> knee_point(results, ["accuracy", "neg_recourse_gap"])
    1
    """
    front = pareto_front(cv_results, metrics)
    if front.empty:
        raise ValueError(
            f"No candidate has finite scores in all of {list(metrics)} and accepts some people and "
            "refuses others: there is nothing to choose from."
        )
    scores = front[[f"mean_test_{name}" for name in metrics]].to_numpy(dtype=float)
    span = np.ptp(scores, axis=0)
    scaled = (scores - scores.min(axis=0)) / np.where(span > 0, span, 1)
    return int(front.index[np.argmax(np.round(scaled.sum(axis=1), 12))])


def _scores(cv_results: Mapping[str, Any], metrics: Sequence[str]) -> np.ndarray:
    """Mean test scores of shape (n_candidates, n_metrics)."""
    if isinstance(metrics, str):
        raise TypeError(f"metrics must be a list of names of scorers, got the name {metrics!r}.")
    if len(set(metrics)) < 2:
        raise ValueError(f"metrics must name two or more scorers, got {list(metrics)}.")
    return np.column_stack([mean_scores(cv_results, name) for name in metrics])
