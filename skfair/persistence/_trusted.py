"""Names that a file may hold: nothing happens when they are made from what a file says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import sklearn.metrics
import sklearn.model_selection
from sklearn.feature_selection import chi2, f_classif, mutual_info_classif
from torch import nn

import skfair

from .. import networks
from ..metrics import FairnessScorer, get_scorer, get_scorer_names
from ..metrics._directions import unwrap
from ..model_selection import StackedSearchCV, StratifiedSensitiveKFold, best_under_constraint
from ..model_selection._monitor import ConstrainedMonitor
from ..smoothing.metric import WeightedMetric
from ..smoothing.noise import AddNoise, Noise
from ..training._recipe import OPTIMIZERS


def _is_module(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, nn.Module)


# A name that is trusted may be called by a crafted file, with any arguments: these are classes
# whose making does nothing but store, and functions that compute from what they are given. Names,
# never a prefix: a module has functions of other kinds, and what it imports. What is missing on
# purpose: scipy.stats' distributions, which run text that they hold when they are loaded, and the
# trees and splines of scikit-learn, whose compiled code reads memory where their arrays say.
CLASSES = (
    *(getattr(skfair, name) for name in skfair.__all__ if name[0].isupper()),
    *(kind for kind in map(vars(networks).get, networks.__all__) if _is_module(kind)),
    AddNoise,
    ConstrainedMonitor,
    FairnessScorer,
    Noise,
    StackedSearchCV,
    StratifiedSensitiveKFold,
    WeightedMetric,
    best_under_constraint,
)
OTHER_NAMES = (
    "builtins.object",
    "fairlearn.metrics._make_derived_metric._DerivedMetric",
    "numpy.dtype",
    "numpy.floating",
    "numpy.generic",
    "numpy.integer",
    "numpy.number",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.impute._iterative.IterativeImputer",
    "sklearn.impute._iterative._ImputerTriplet",
    "sklearn.metrics._scorer._CurveScorer",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.metrics._scorer._Scorer",
    "sklearn.model_selection._search_successive_halving.HalvingGridSearchCV",
    "sklearn.model_selection._search_successive_halving.HalvingRandomSearchCV",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
)


def safe_objects() -> Iterator[Callable[..., Any]]:
    """Classes and functions whose names are trusted."""
    yield from CLASSES
    yield from OPTIMIZERS.values()
    for name in get_scorer_names():
        metric = unwrap(vars(get_scorer(name))["metric"])
        yield getattr(metric, "_metric_fn", metric)  # fairlearn's derived metrics are objects
    for name in sklearn.metrics.get_scorer_names():
        yield sklearn.metrics.get_scorer(name)._score_func
    yield from (chi2, f_classif, mutual_info_classif)
    for name in sklearn.model_selection.__all__:
        kind = vars(sklearn.model_selection).get(name)  # not of what is experimental
        if isinstance(kind, type) and hasattr(kind, "get_n_splits"):
            yield kind


@cache
def _trusted() -> tuple[str, ...]:
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in safe_objects()}
    return tuple(sorted(names.union(OTHER_NAMES)))


def trusted_types() -> list[str]:
    """List the names that skfair trusts in files, beside those that skops does.

    Returns
    -------
    list of str
        Estimators, networks and scorers of skfair, and what belongs to a fitted pipeline or search
        of scikit-learn: classes whose making does nothing but store, and functions that compute
        from what they are given. For ``trusted=`` of :func:`skops.io.load`.

    Examples
    --------
    >>> from skfair.persistence import trusted_types
    >>> "skfair.fairn.FaiRNClassifier" in trusted_types()
    True
    """
    return list(_trusted())
