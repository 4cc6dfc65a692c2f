"""What a choice promised, and what it keeps on rows that took no part in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.metadata_routing import MetadataRouter, get_routing_for_object
from sklearn.utils.validation import _num_samples, check_is_fitted

from .._groups import as_frame
from .._splits import stratified_split
from .._tables import as_pandas, brief
from ._results import mean_scores

__all__ = ["holdout_scores"]


def holdout_scores(search: Any, X: Any, y: Any, **params: Any) -> pd.DataFrame:
    """Score the chosen candidate anew, on rows that took no part in the search.

    The candidate was chosen because its scores were good, and some of that is luck: its mean test
    scores are optimistic, the more so the more candidates and the fewer rows there are. Rows that
    were neither trained nor scored on in the search do not know of the choice, and their scores are
    as good an estimate as before it.

    Parameters
    ----------
    search : GridSearchCV or the like
        Fitted on other rows, and refitted: it has ``cv_results_``, ``best_index_``,
        ``best_estimator_`` and ``scorer_``.
    X : array-like of shape (n_samples, n_features)
        Rows that the search has not seen, as its ``fit`` takes them.
    y : array-like of shape (n_samples,)
        Their labels.
    **params : dict
        Metadata of these rows, such as ``sensitive_features``; each scorer is handed what it
        requests, with metadata routing enabled or not.

    Returns
    -------
    DataFrame
        A row for each scorer of the search; greater is better, gaps are negative. Columns:
        ``validation``, the mean test score of the chosen candidate; ``std``, its standard deviation
        over the splits; ``holdout``, the score of ``best_estimator_`` on these rows; and
        ``optimism``, validation minus holdout.

    Raises
    ------
    NotFittedError
        If the search is not fitted.
    TypeError
        If no scorer requests one of ``params``.
    ValueError
        If the search has no ``best_estimator_``.

    Notes
    -----
    Set the rows aside before the search, stratified by label and group, as below;
    :class:`StackedSearchCV` does both with ``holdout``. One look is
    free: whoever changes the grid because of these scores, and looks again, has made them part of
    the choice.

    Two things besides the choice make the two estimates differ. ``best_estimator_`` was trained on
    all rows of the search, each candidate on those of its training folds. And the size of a
    gap, an absolute value, is overestimated where rows are few, by the smaller validation folds
    more than by the held-out rows; it can hide the optimism of the choice.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV, train_test_split
    >>> from skfair.datasets import make_biased_classification
    >>> from skfair.metrics import make_fairness_scorer
    >>> from skfair.model_selection import best_under_constraint, holdout_scores
    >>> X, y, group = make_biased_classification(2000, random_state=0)
    >>> X = np.column_stack([X, group == "a"])
    >>> X_search, X_holdout, y_search, y_holdout = train_test_split(
    ...     X, y, test_size=0.25, stratify=[f"{a} {b}" for a, b in zip(group, y)], random_state=0
    ... )
    >>> gap = make_fairness_scorer("demographic_parity_difference", sensitive_columns=-1)
    >>> search = GridSearchCV(
    ...     LogisticRegression(),
    ...     {"C": [1e-4, 1e-3, 1e-2]},
    ...     scoring={"accuracy": "accuracy", "neg_gap": gap},
    ...     refit=best_under_constraint("accuracy", "neg_gap", threshold=0.3),
    ... ).fit(X_search, y_search)
    >>> scores = holdout_scores(search, X_holdout, y_holdout)
    >>> scores.columns.tolist()
    ['validation', 'std', 'holdout', 'optimism']
    """
    check_is_fitted(search, "cv_results_")
    if not hasattr(search, "best_estimator_"):
        raise ValueError(
            f"This {type(search).__name__} has no best_estimator_ to score: run it with refit=True "
            "or, with several scorers, the name of one or a rule such as best_under_constraint."
        )
    scorers = _scorers(search)
    requested = {name: _requested(scorer, params) for name, scorer in scorers.items()}
    if unused := sorted(set(params).difference(*(names.values() for names in requested.values()))):
        raise TypeError(f"No scorer of the search requests {unused}; its scorers are {scorers}.")
    found: dict[str, float] = {}
    for name, scorer in scorers.items():
        metadata = {parameter: params[key] for parameter, key in requested[name].items()}
        score = scorer(search.best_estimator_, X, y, **metadata)
        found |= score if isinstance(score, Mapping) else {name: score}
    results, best = search.cv_results_, search.best_index_
    table = pd.DataFrame(
        {
            "validation": {name: mean_scores(results, name)[best] for name in found},
            "std": {name: results[f"std_test_{name}"][best] for name in found},
            "holdout": found,
        }
    )
    table["optimism"] = table["validation"] - table["holdout"]
    return table


def split_holdout(
    holdout: Any, X: Any, y: Any, params: Mapping[str, Any], rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Divide rows into those to search on and those that take no part.

    Parameters
    ----------
    holdout : float, splitter or array-like
        See :class:`StackedSearchCV`.
    X, y : array-like
        The rows and their labels.
    params : mapping
        Metadata: ``sensitive_features``, of which both parts are to have alike, and ``groups``, for
        a splitter.
    rng : RandomState
        What draws.

    Returns
    -------
    tuple of ndarray
        Positions of the former and the latter, in order.

    Raises
    ------
    ValueError
        If one of the two parts would be empty, or ``holdout`` does not fit the rows.
    """
    n = _num_samples(X)
    if isinstance(holdout, Real):
        strata = list(_strata(y, params.get("sensitive_features")))
        rest, held_out = stratified_split(np.arange(n), float(holdout), strata, rng)
        return np.sort(rest), np.sort(held_out)
    if hasattr(holdout, "split"):
        asked = get_routing_for_object(holdout).split.requests
        requests = {"groups": True} | {name: asks for name, asks in asked.items() if asks}
        routed = {name: params[key] for name, key in _routed(requests, params).items()}
        rest, held_out = next(iter(holdout.split(X, y, **routed)))
        return np.sort(rest), np.sort(held_out)
    rows = np.asarray(holdout)
    is_mask = rows.dtype == bool and rows.shape == (n,)
    is_positions = rows.dtype.kind in "iu" and rows.ndim == 1 and np.all((rows >= 0) & (rows < n))
    if not is_mask and not is_positions:
        raise ValueError(
            f"holdout must be a share, a splitter, positions among the {n} rows or a mask of them; "
            f"got {brief(holdout)}."
        )
    held_out = np.zeros(n, dtype=bool)
    held_out[rows] = True
    if held_out.all() or not held_out.any():
        raise ValueError(f"holdout must leave rows on both sides, got {held_out.sum()} of {n}.")
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _strata(y: Any, sensitive_features: Any) -> Iterator[np.ndarray]:
    """Codes of classes; and of classes and groups, if there are any."""
    if y is None:
        return
    labels = _codes(pd.DataFrame(as_pandas(y)))
    yield labels
    if sensitive_features is not None:
        yield np.hstack([labels, _codes(as_frame(sensitive_features))])


def _codes(frame: pd.DataFrame) -> np.ndarray:
    return np.column_stack([pd.factorize(values)[0] for _, values in frame.items()])


def requested_by_scorers(search: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of ``params`` that a scorer of a fitted search requests."""
    names = {n for scorer in _scorers(search).values() for n in _requested(scorer, params).values()}
    return {name: value for name, value in params.items() if name in names}


def _scorers(search: Any) -> Mapping[str, Callable]:
    return search.scorer_ if isinstance(search.scorer_, Mapping) else {"score": search.scorer_}


def _requested(scorer: Callable, params: Mapping[str, Any]) -> dict[str, str]:
    """Parameters of a scorer that are among ``params``, and what they are called there."""
    routing = get_routing_for_object(scorer)
    if isinstance(routing, MetadataRouter):  # the score of a pipeline, which hands on what it gets
        return {name: name for name in routing.consumes("score", list(params))}
    return _routed(routing.score.requests, params)


def _routed(requests: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, str]:
    """Return what is requested of ``params``, and what it is called there."""
    names = {name: name if request is True else request for name, request in requests.items()}
    return {name: key for name, key in names.items() if key in params}
