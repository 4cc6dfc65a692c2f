"""What is known of other people's metrics: whether more is better, and what they are given."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import fairlearn.metrics
import numpy as np

from .._rates import RATES, Rate

TRANSFORMS = ("difference", "ratio", "group_min", "group_max")
FAIRLEARN_RATES = {k: rate for k, rate in RATES.items() if hasattr(fairlearn.metrics, k)}
# scikit-learn: what ends in _score is to be great, what ends in these is to be small.
ENDINGS = {"_score": 1, "_error": -1, "_loss": -1, "_deviance": -1, "_difference": -1}
RANKED = ("roc_auc_score", "average_precision_score")  # any score will do
PROBABILITIES = ("log_loss", "brier_score_loss", "d2_log_loss_score", "d2_brier_score")


def _has_cases(rate: Rate, y: np.ndarray, p: np.ndarray) -> bool:
    return bool(rate.cases(y, p).any())


# Whether a metric exists in a group, given labels and predictions as truth values.
EXISTS: dict[str, Callable[[np.ndarray, np.ndarray], bool]] = {
    **{name: partial(_has_cases, rate) for name, rate in FAIRLEARN_RATES.items()},
    "recall_score": partial(_has_cases, RATES["true_positive_rate"]),
    "equal_opportunity": partial(_has_cases, RATES["true_positive_rate"]),
    "precision_score": partial(_has_cases, RATES["precision"]),
    **dict.fromkeys(
        ("equalized_odds", "balanced_accuracy_score", "r2_score", *RANKED),
        lambda y, p: bool(y.any() and not y.all()),
    ),
    "f1_score": lambda y, p: bool((y | p).any()),
}


class Peer(NamedTuple):
    """A metric ``metric(y_true, y_pred, *, sensitive_features)`` of somebody else.

    Attributes
    ----------
    name : str
        Of the function.
    base : str
        What is compared between groups, "true_positive_rate" for instance; ``name`` if unknown.
    sign : {1, -1} or None
        -1 if less is better; ``None``: not known.
    response : {"predict", "codes", "scores", "probabilities"}
        Labels as they are; 0 and 1; scores of acceptance; probabilities of it.
    """

    name: str
    base: str
    sign: int | None
    response: str

    @classmethod
    def of(cls, metric: Callable) -> Peer:
        """Read what a function says of itself, through :func:`functools.partial`."""
        function = unwrap(metric)
        is_fairlearns = getattr(function, "__module__", "").startswith("fairlearn.")
        name = getattr(function, "__name__", None)
        transform, base = getattr(function, "_transform", None), None
        if transform is not None:  # of make_derived_metric
            base = unwrap(function._metric_fn)
            base = getattr(base, "__name__", type(base).__name__)
            name = name or f"{base}_{transform}"
        elif is_fairlearns and name and (found := re.fullmatch(r"(.*)_(difference|ratio)", name)):
            base, transform = found.groups()
        name = name or type(function).__name__
        base = base or name
        sign = -1 if transform == "difference" else 1 if transform == "ratio" else _direction(base)
        response = "codes" if is_fairlearns else "predict"
        if is_fairlearns and base in (*RANKED, *PROBABILITIES):
            response = "scores" if base in RANKED else "probabilities"
        return cls(name, base, sign, response)


def unwrap(metric: Any) -> Any:
    """Return the function inside :func:`functools.partial`."""
    while isinstance(metric, partial):
        metric = metric.func
    return metric


def _direction(name: str) -> int | None:
    signs = [sign for ending, sign in ENDINGS.items() if name.endswith(ending)]
    if name in FAIRLEARN_RATES and FAIRLEARN_RATES[name].better:  # of a selection rate it depends
        return FAIRLEARN_RATES[name].better
    return signs[0] if signs else None


def group_metrics() -> dict[str, Callable]:
    """Fairlearn's metrics that compare groups, by name."""
    return {
        name: getattr(fairlearn.metrics, name)
        for name in fairlearn.metrics.__all__
        if name.endswith(TRANSFORMS)
    }
