"""Fair neural-network classifiers that behave exactly like scikit-learn estimators."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._installation import check_folder, show_versions
from ._moved import install
from ._version import __version__

if TYPE_CHECKING:
    from .dralign import DRAlignClassifier
    from .fair_features import FairFeaturesClassifier
    from .fairn import FaiRNClassifier
    from .label_flip import LabelFlipClassifier
    from .margin import MarginClassifier
    from .network import NetworkClassifier
    from .penalty import PenaltyClassifier
    from .pivot import PivotClassifier
    from .smoothed import SmoothedClassifier
    from .threshold import FairThresholdClassifier

__all__ = [
    "DRAlignClassifier",
    "FaiRNClassifier",
    "FairFeaturesClassifier",
    "FairThresholdClassifier",
    "LabelFlipClassifier",
    "MarginClassifier",
    "NetworkClassifier",
    "PenaltyClassifier",
    "PivotClassifier",
    "SmoothedClassifier",
    "__version__",
    "show_versions",
]

check_folder(__path__[0])
install()

# Loaded when they are asked for: torch takes seconds, and the data sets do without.
_ESTIMATORS = {
    "DRAlignClassifier": "dralign",
    "FaiRNClassifier": "fairn",
    "FairFeaturesClassifier": "fair_features",
    "FairThresholdClassifier": "threshold",
    "LabelFlipClassifier": "label_flip",
    "MarginClassifier": "margin",
    "NetworkClassifier": "network",
    "PenaltyClassifier": "penalty",
    "PivotClassifier": "pivot",
    "SmoothedClassifier": "smoothed",
}
_FOLDERS = (
    "audit",
    "datasets",
    "displays",
    "metrics",
    "model_selection",
    "networks",
    "objectives",
    "persistence",
    "recourse",
    "smoothing",
    "testing",
    "training",
)


def __getattr__(name: str) -> Any:
    if name in _ESTIMATORS:
        value = getattr(import_module(f".{_ESTIMATORS[name]}", __name__), name)
        globals()[name] = value
        return value
    if name in _FOLDERS:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ESTIMATORS, *_FOLDERS})
