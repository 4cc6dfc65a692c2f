"""What the estimators of skfair do not promise, and why."""

from __future__ import annotations

from typing import Any

from ..training._encoder import takes_tables
from ..training._parameters import NetworkParameterized
from ..training._settings import Settings

_EQUIVALENCE = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)
_BINS = "the tabular network's bins hold as many rows each, whatever they weigh"
_BY_POSITION = ("check_weights_as_repetitions", "check_order_of_rows")


def expected_failed_checks(estimator: Any) -> dict[str, str]:
    """List the checks that an estimator of skfair does not pass by nature.

    Of :func:`sklearn.utils.estimator_checks.check_estimator`: repeating a row and doubling its
    weight is the same thing only if every step sees all rows and sums are exact to the check's
    1e-7: with ``batch_size=-1, dtype="float64"`` and no held-out part nothing is expected to fail.
    Of :func:`check_fair_estimator`, which brings groups and sets these two parameters itself: what
    depends on rows that are drawn, for balanced batches, paths, a held-out part or flips.

    Parameters
    ----------
    estimator : estimator
        An estimator of skfair.

    Returns
    -------
    dict of str to str
        Name of each check and the reason, for the argument of the same name of
        ``check_estimator``, ``parametrize_with_checks`` and their counterparts here.

    Examples
    --------
    >>> from skfair import FaiRNClassifier
    >>> from skfair.testing import expected_failed_checks
    >>> expected_failed_checks(FaiRNClassifier(batch_size=-1, dtype="float64"))
    {}
    """
    return _by_scikit_learn(estimator) | _with_groups(estimator)


def _by_scikit_learn(estimator: Any) -> dict[str, str]:
    params = estimator.get_params()
    if not _is_network(estimator):
        return _by_scikit_learn(params["estimator"]) if _is_around_another(params) else {}
    if _held_out(estimator):
        reason = "which rows are held out depends on how often a row is repeated"
    elif _sampling(estimator) == "group_label":  # the checks bring labels, but no groups
        reason = "rows are drawn at random, a repeated one more often than a weighted one"
    elif takes_tables(estimator.module):
        reason = _BINS
    elif _settings(estimator).batch_size != -1:
        reason = "repeated rows make other batches than weighted ones"
    elif params["dtype"] != "float64":
        reason = "sums in float32 agree to about 1e-6, the check asks for 1e-7"
    else:
        return {}
    return dict.fromkeys(_EQUIVALENCE, reason)


def _with_groups(estimator: Any) -> dict[str, str]:
    params = estimator.get_params()
    if 0 < params.get("flip_fraction", 0) < 1:
        return dict.fromkeys(_BY_POSITION, "the rows whose labels are flipped are drawn at random")
    if not _is_network(estimator):
        return _around(params) if _is_around_another(params) else {}
    drawn = "rows are drawn at random by their position, whatever their weight"
    by_name = "rows are drawn group by group, in the order of the groups' names"
    held_out = _held_out(estimator) or getattr(estimator, "_is_constrained", False)
    if held_out or _sampling(estimator) != "natural":
        return dict.fromkeys(_BY_POSITION, drawn) | {"check_reordered_groups": by_name}
    if params.get("augment") is not None:
        return dict.fromkeys(_BY_POSITION, drawn)
    return {"check_weights_as_repetitions": _BINS} if takes_tables(estimator.module) else {}


def _around(params: dict[str, Any]) -> dict[str, str]:
    found = _with_groups(params["estimator"])
    if params.get("augment_training") and _is_network(params["estimator"]):
        found["check_order_of_rows"] = "noise for the training rows is drawn by their position"
    return found


def _is_network(estimator: Any) -> bool:
    is_ours = isinstance(estimator, NetworkParameterized)
    return is_ours and not _is_around_another(estimator.get_params())


def _sampling(estimator: Any) -> str:
    if hasattr(estimator, "_sampling"):  # what "auto" stands for
        return estimator._sampling()
    return estimator.sampling


def _is_around_another(params: dict[str, Any]) -> bool:
    return hasattr(params.get("estimator"), "get_params")


def _settings(estimator: Any) -> Settings:
    """What a network is trained with on the numbers of the checks."""
    return Settings.of(estimator, tabular=takes_tables(estimator.module) is True, n_rows=0)


def _held_out(estimator: Any) -> bool:
    chosen = estimator.early_stopping or estimator.restore_best or estimator.monitor is not None
    return bool(chosen) or getattr(estimator, "penalty_on", None) == "holdout"
