"""What the estimators promise in scikit-learn's estimator checks."""

from __future__ import annotations

from typing import Any

__all__ = ["expected_failed_checks"]

_EQUIVALENCE = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)


def expected_failed_checks(estimator: Any) -> dict[str, str]:
    """Checks of :func:`sklearn.utils.estimator_checks.check_estimator` not met by nature.

    Repeating a row and doubling its weight is the same thing only if every step sees all rows and
    sums are exact to the check's 1e-7: with ``batch_size=-1, dtype="float64"`` and no held-out
    part nothing is expected to fail.

    Parameters
    ----------
    estimator : estimator
        A neural estimator of skfair.

    Returns
    -------
    dict of str to str
        Name of each check and the reason, for the argument of the same name of
        ``check_estimator`` and ``parametrize_with_checks``.

    Examples
    --------
    >>> from skfair import FaiRNClassifier
    >>> from skfair.testing import expected_failed_checks
    >>> expected_failed_checks(FaiRNClassifier(batch_size=-1, dtype="float64"))
    {}
    """
    params = estimator.get_params()
    if "early_stopping" not in params:  # SmoothedClassifier: its fit only passes weights on
        return {}
    choosing = params["early_stopping"] or params["restore_best"] or params["monitor"] is not None
    if choosing or params.get("penalty_on") == "holdout":
        reason = "which rows are held out depends on how often a row is repeated"
    elif estimator._sampling() == "group_label":  # the checks bring labels, but no groups
        reason = "rows are drawn at random, a repeated one more often than a weighted one"
    elif params["batch_size"] != -1:
        reason = "repeated rows make other batches than weighted ones"
    elif params["dtype"] != "float64":
        reason = "sums in float32 agree to about 1e-6, the check asks for 1e-7"
    else:
        return {}
    return dict.fromkeys(_EQUIVALENCE, reason)
