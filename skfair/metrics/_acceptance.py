"""Who is accepted at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._estimators import accepted_codes, check_classifier
from .._tables import check_weights


def acceptance_rate(
    estimator: Any,
    X: Any,
    y: Any = None,  # noqa: ARG001 - of every scorer
    *,
    unfavorable: Any = None,
    sample_weight: Any = None,
) -> float:
    """Return the share of the rows that is accepted: 0 or 1 for a constant classifier.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier or pipeline.
    X : array-like of shape (n_samples, n_features)
        Rows to decide on.
    y : None
        Not used; a scorer has it.
    unfavorable : label or list of labels, default=None
        The unfavorable classes; ``None``: what the estimator was told, else ``classes_[0]``.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    Returns
    -------
    float
        Between 0 and 1.
    """
    check_classifier(estimator)
    accepted = accepted_codes(estimator, estimator.predict(X), unfavorable, "predict")
    if sample_weight is None:
        return float(accepted.mean())
    return float(np.average(accepted, weights=check_weights(sample_weight, len(accepted))))
