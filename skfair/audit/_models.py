"""Fitted models from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sklearn.base import is_clusterer, is_regressor

from .. import (
    DRAlignClassifier,
    FairFeaturesClassifier,
    FaiRNClassifier,
    LabelFlipClassifier,
    MarginClassifier,
    NetworkClassifier,
    PenaltyClassifier,
    PivotClassifier,
    SmoothedClassifier,
    metrics,
)
from ..metrics._burden import burden_gap
from ..metrics._individual import largest_violation
from ..model_selection import best_under_constraint
from ..model_selection._monitor import ConstrainedMonitor
from ..smoothing.metric import WeightedMetric
from ..smoothing.noise import AddNoise, Noise
from ._errors import InputError
from ._log import Log

JOBLIB_WARNING = (
    "joblib and pickle files run the code they contain when they are opened: use only files from "
    "people you trust. The safe format is skops (skops.io.dump), which --model takes as well."
)

# A name that is trusted may be called by a crafted file, with any arguments: these are classes
# whose making does nothing but store, and functions that compute from what they are given. Names,
# never a prefix: a module has functions of other kinds, and what it imports.
SAFE_OBJECTS = (
    DRAlignClassifier,
    FairFeaturesClassifier,
    FaiRNClassifier,
    LabelFlipClassifier,
    MarginClassifier,
    NetworkClassifier,
    PenaltyClassifier,
    PivotClassifier,
    SmoothedClassifier,
    AddNoise,
    Noise,
    WeightedMetric,
    ConstrainedMonitor,
    best_under_constraint,
    metrics.FairnessScorer,
    burden_gap,
    largest_violation,
    metrics.decision_rationale_similarity,
    metrics.fairness_index,
    metrics.parity_score,
    metrics.prediction_sensitivity,
    metrics.recourse_gap,
    metrics.robustness_index,
)
TRUSTED_NAMES = (
    *(f"{kind.__module__}.{kind.__qualname__}" for kind in SAFE_OBJECTS),
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.metrics._classification.accuracy_score",
    "sklearn.metrics._classification.balanced_accuracy_score",
    "sklearn.metrics._classification.f1_score",
    "sklearn.metrics._ranking.average_precision_score",
    "sklearn.metrics._ranking.roc_auc_score",
    "sklearn.metrics._scorer._CurveScorer",
    "sklearn.metrics._scorer._Scorer",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
)


def load_model(path: Path, log: Log) -> Any:
    """Open a fitted classifier in a skops, joblib or pickle file.

    Parameters
    ----------
    path : Path
        The file; all but ``.skops`` are opened by joblib, which reads pickles as well.
    log : callable
        Told of the danger of opening a file that is not skops.

    Returns
    -------
    estimator
        What the file holds.

    Raises
    ------
    InputError
        If the file cannot be opened, or holds no fitted classifier.
    """
    if not path.exists():
        raise InputError(f"there is no model file {path}.")
    try:
        if path.suffix.lower() == ".skops":
            model = _load_skops(path)
        else:
            import joblib

            log(f"warning: {JOBLIB_WARNING}")
            model = joblib.load(path)
    except InputError:
        raise
    except Exception as error:  # whatever the code within does
        raise InputError(f"{path} cannot be opened as a model: {error}.") from error
    if isinstance(model, type) or not hasattr(model, "predict") or not _may_classify(model):
        raise InputError(
            f"{path} holds a {type(model).__name__}, which is not a fitted classifier."
        )
    return model


def _may_classify(model: Any) -> bool:
    """Tell a classifier, or what does not name its kind: fairlearn's do not."""
    return hasattr(model, "classes_") or not (is_regressor(model) or is_clusterer(model))


def _load_skops(path: Path) -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise InputError("skops files need the package skops: pip install skops.") from error
    unknown = set(skops.io.get_untrusted_types(file=path)).difference(TRUSTED_NAMES)
    if unknown:
        raise InputError(
            f"{path} holds what is not known to be safe: {', '.join(sorted(unknown))}. If you "
            "know these names and trust whoever made the file, load it in Python, with "
            "skops.io.load(path, trusted=[...]) and these names written out, and pass the model to "
            "skfair.audit.AuditReport.from_estimator."
        )
    return skops.io.load(path, trusted=list(TRUSTED_NAMES))
