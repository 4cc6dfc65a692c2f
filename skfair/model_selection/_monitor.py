"""Choosing the epoch, or the candidate, whose gap is least among those accurate enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.utils.metadata_routing import MetadataRequest

from .._estimators import decision_arguments
from ..metrics import get_scorer, probability_gap
from ..metrics._probability_gap import CRITERIA
from ..metrics._sklearn import requests_sensitive_features

WORST_GAP = 1e6  # more than any gap between probabilities


class ConstrainedMonitor:
    """The rule made by :func:`constrained_monitor`, called like a scorer."""

    def __init__(self, metric: Callable, floor: float, fairness: str | Callable) -> None:
        self.metric, self.floor, self.fairness = metric, floor, fairness

    def __call__(self, estimator: Any, X: Any, y: Any, sensitive_features: Any = None) -> float:
        """Return minus the gap, or, below the floor, a value under that of any gap."""
        short = self.floor - self.metric(estimator, X, y)
        if short > 0:
            return -WORST_GAP - short
        if not isinstance(self.fairness, str):
            metadata = {}
            if requests_sensitive_features(self.fairness):
                metadata["sensitive_features"] = sensitive_features
            return max(self.fairness(estimator, X, y, **metadata), -WORST_GAP)
        decision, label_info = decision_arguments(estimator, X)
        return -probability_gap(
            decision,
            y,
            sensitive_features=sensitive_features,
            criterion=self.fairness,
            **label_info,
        )

    def get_metadata_routing(self) -> MetadataRequest:
        """Request the sensitive features, for searches with ``scoring=`` this rule."""
        request = MetadataRequest(owner=repr(self))
        request.score.add_request(param="sensitive_features", alias=True)
        return request

    def __repr__(self) -> str:
        return f"constrained_monitor({self.metric!r}, {self.floor!r}, {self.fairness!r})"


def constrained_monitor(
    metric: str | Callable, floor: float, fairness: str | Callable
) -> ConstrainedMonitor:
    """Rule for choosing the epoch: the fairest of those that are accurate enough.

    For the parameter ``monitor`` of the estimators, with ``restore_best=True``. If no epoch reaches
    the floor, the most accurate one is chosen. It is a scorer as well, for searches that take one
    score, such as :class:`~sklearn.model_selection.HalvingGridSearchCV`.

    Parameters
    ----------
    metric : str or scorer
        Scorer of the accuracy, for example "average_precision".
    floor : float
        Least value of it.
    fairness : str or scorer
        A criterion of :func:`~skfair.metrics.probability_gap`, such as "demographic_parity", whose
        gap is to be small; or the name of a scorer, or a scorer, which is to be great.

    Returns
    -------
    callable
        A scorer ``(estimator, X, y, sensitive_features)``; picklable if its parts are.

    Raises
    ------
    ValueError
        If a name is not known.

    Examples
    --------
    >>> from skfair import DRAlignClassifier
    >>> from skfair.model_selection import constrained_monitor
    >>> rule = constrained_monitor("average_precision", 0.775, "demographic_parity")
    >>> model = DRAlignClassifier(monitor=rule, restore_best=True)
    """
    if not isinstance(fairness, str) or fairness not in CRITERIA:
        fairness = get_scorer(fairness)
    return ConstrainedMonitor(get_scorer(metric), float(floor), fairness)
