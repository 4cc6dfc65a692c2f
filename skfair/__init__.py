"""Fair neural-network classifiers that behave exactly like scikit-learn estimators."""

from ._version import __version__
from .fairn import FaiRNClassifier

__all__ = ["FaiRNClassifier", "__version__"]
