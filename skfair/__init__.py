"""Fair neural-network classifiers that behave exactly like scikit-learn estimators."""

from ._version import __version__
from .dralign import DRAlignClassifier
from .fairn import FaiRNClassifier
from .label_flip import LabelFlipClassifier
from .penalty import PenaltyClassifier
from .smoothed import SmoothedClassifier

__all__ = [
    "DRAlignClassifier",
    "FaiRNClassifier",
    "LabelFlipClassifier",
    "PenaltyClassifier",
    "SmoothedClassifier",
    "__version__",
]
