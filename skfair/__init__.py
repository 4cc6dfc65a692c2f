"""Fair neural-network classifiers that behave exactly like scikit-learn estimators."""

from ._version import __version__
from .fairn import FaiRNClassifier
from .label_flip import LabelFlipClassifier
from .penalty import PenaltyClassifier

__all__ = ["FaiRNClassifier", "LabelFlipClassifier", "PenaltyClassifier", "__version__"]
