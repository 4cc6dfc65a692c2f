"""What a choice promised, and what it keeps on rows that took no part in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import check_is_fitted

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
    Set the rows aside before the search, stratified by label and group, as below. One look is
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
    scorers = search.scorer_ if isinstance(search.scorer_, Mapping) else {"score": search.scorer_}
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


def _requested(scorer: Callable, params: Mapping[str, Any]) -> dict[str, str]:
    """Parameters of a scorer that are among ``params``, and what they are called there."""
    requests = get_routing_for_object(scorer).score.requests
    names = {name: name if request is True else request for name, request in requests.items()}
    return {name: key for name, key in names.items() if key in params}
