"""Burden: how far a group's members are from acceptance, in the input space (CERTIFAI)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from .._estimators import check_classifier, unfavorable_of
from .._groups import GroupEncoder, as_frame
from .._tables import as_table, check_weights
from .._warnings import warn
from ..recourse import counterfactuals
from ._recourse import gap_between, warn_of_one_decision

__all__ = ["burden", "burden_gap"]


def burden(
    estimator: Any, X: Any, *, sensitive_features: Any, sample_weight: Any = None, **kwargs: Any
) -> pd.Series:
    """Mean distance to the nearest accepted profile found, in each group.

    It is zero for the accepted; the mean is over all members, as in FaiR-N's Eq. 1 [1]_, whose
    Table 3 has the difference between two groups ("Delta Burden", with the distances of [2]_).

    Parameters
    ----------
    estimator : classifier
        A fitted classifier, pipeline or search.
    X : DataFrame or array-like of shape (n_samples, n_features)
        People, as the estimator takes them.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes)
        Group membership. Columns of X of the same name (a text) never change; other sensitive
        columns must be named by ``sensitive_columns=``.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights in the means.
    **kwargs : dict
        Further arguments of :func:`~skfair.recourse.counterfactuals`, such as ``unfavorable=``.

    Returns
    -------
    pandas.Series
        In [0, inf) for every group, in units of the distance.

    Raises
    ------
    ValueError
        As :func:`~skfair.recourse.counterfactuals`, or if lengths differ.

    Warns
    -----
    UserWarning
        If nothing is found for some refused people, who are then left out, nobody, or everybody,
        is refused, or sensitive features are missing.

    References
    ----------
    .. [1] S. Sharma, A. H. Gee, D. Paydarfar, J. Ghosh. FaiR-N: Fair and Robust Neural Networks for
       Structured Data. AIES 2021.
    .. [2] S. Sharma, J. Henderson, J. Ghosh. CERTIFAI: A Common Framework to Provide Explanations
       and Analyse the Fairness and Robustness of Black-box Models. AIES 2020.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skfair.datasets import make_biased_classification
    >>> from skfair.metrics import burden
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = LogisticRegression().fit(X, y)
    >>> burden(model, X, sensitive_features=group).index.tolist()
    ['a', 'b']
    """
    distances, frame, weights = _distances(estimator, X, sensitive_features, sample_weight, kwargs)
    encoder = GroupEncoder()
    codes = encoder.encode(frame)[:, 0]
    means = {
        group: np.average(distances[codes == code], weights=weights[codes == code])
        for code, group in enumerate(encoder.labels)
    }
    return pd.Series(means, name="burden", dtype=np.float64)


def burden_gap(
    estimator: Any,
    X: Any,
    *,
    sensitive_features: Any,
    sample_weight: Any = None,
    attributes: str = "intersection",
    aggregate: str = "max",
    **kwargs: Any,
) -> float:
    """Difference between groups of their :func:`burden` (FaiR-N, Table 3).

    Parameters
    ----------
    estimator, X, sensitive_features, sample_weight : as in :func:`burden`
        The classifier and the rows.
    attributes : {"intersection", "sum"}, default="intersection"
        Several sensitive features: a group for every combination, or the sum over features.
    aggregate : {"max", "share", "sum"}, default="max"
        With more than two groups, as in :func:`recourse_gap`.
    **kwargs : dict
        Further arguments of :func:`~skfair.recourse.counterfactuals`.

    Returns
    -------
    float
        In [0, inf). 0 is parity.

    Raises
    ------
    ValueError
        As :func:`burden`, or if there is one group only.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skfair.datasets import make_biased_classification
    >>> from skfair.metrics import burden, burden_gap
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = LogisticRegression().fit(X, y)
    >>> means = burden(model, X, sensitive_features=group)
    >>> gap = burden_gap(model, X, sensitive_features=group)
    >>> bool(abs(gap - abs(means["a"] - means["b"])) < 1e-9)
    True
    """
    distances, frame, weights = _distances(estimator, X, sensitive_features, sample_weight, kwargs)
    arrays = torch.from_numpy(distances), frame, torch.from_numpy(weights)
    return gap_between(*arrays, attributes, aggregate)


def sensitive_columns_of(X: Any, frame: pd.DataFrame) -> list[str] | None:
    """Columns of X that are named like the sensitive features."""
    names = [name for name in frame.columns if isinstance(name, str)]
    return [name for name in names if name in getattr(X, "columns", ())] or None


def _distances(
    estimator: Any, X: Any, sensitive_features: Any, sample_weight: Any, kwargs: dict
) -> tuple[np.ndarray, pd.DataFrame, np.ndarray]:
    """Distances, sensitive features and weights of those for whom something is found."""
    check_classifier(estimator)
    X = as_table(X)
    frame = as_frame(sensitive_features, X.shape[0])
    weights = check_weights(sample_weight, X.shape[0])
    kwargs = {"sensitive_columns": sensitive_columns_of(X, frame)} | kwargs
    kwargs["unfavorable"] = unfavorable_of(estimator, kwargs.get("unfavorable"))
    answers = counterfactuals(estimator, X, **kwargs)
    refusals = np.isin(np.arange(X.shape[0]), answers.refused)
    warn_of_one_decision(refusals)
    distances = np.zeros(X.shape[0])
    distances[answers.refused] = answers.distance
    found = np.isfinite(distances)
    if not found.all():
        advice = "allow more changes, raise max_iter, or pass reference= with accepted people."
        columns = [frame.iloc[:, i] for i in range(frame.shape[1])]
        of_group = (
            pd.Series(found[weights > 0])
            .groupby([c[weights > 0] for c in columns], observed=True)
            .any()
        )
        if not of_group.all():
            group = of_group.index[~of_group][0]
            raise ValueError(f"No accepted profile was found for anybody of {group!r}: {advice}")
        lost, refused = int((~found).sum()), int((distances > 0).sum())
        warn(
            f"No accepted profile was found for {lost} of {refused} refused people, who are left "
            f"out of the burden: {advice}",
        )
    kept = found & (weights > 0)
    return distances[kept], frame[kept], weights[kept]
