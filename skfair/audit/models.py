"""Fitted models from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sklearn.base import is_clusterer, is_regressor

from .tables import BadTable

JOBLIB_WARNING = (
    "joblib and pickle files run the code they contain when they are opened: use only files from "
    "people you trust. The safe format is skops (skops.io.dump), which --model takes as well."
)


def load_model(path: Path, say: Any) -> Any:
    """A fitted classifier from a skops, joblib or pickle file.

    Parameters
    ----------
    path : Path
        The file; all but ``.skops`` are opened by joblib, which reads pickles as well.
    say : callable
        Told of the danger of opening a file that is not skops.

    Returns
    -------
    estimator
        What the file holds.

    Raises
    ------
    BadTable
        If the file cannot be opened, or holds no fitted classifier.
    """
    if not path.exists():
        raise BadTable(f"there is no model file {path}.")
    try:
        if path.suffix == ".skops":
            return _load_skops(path)
        import joblib

        say(f"warning: {JOBLIB_WARNING}")
        model = joblib.load(path)
    except BadTable:
        raise
    except Exception as error:  # whatever the code within does
        raise BadTable(f"{path} cannot be opened as a model: {error}.") from error
    if isinstance(model, type) or not hasattr(model, "predict") or not _may_classify(model):
        raise BadTable(f"{path} holds a {type(model).__name__}, which is not a fitted classifier.")
    return model


def _may_classify(model: Any) -> bool:
    """Whether it is a classifier, or does not say: fairlearn's do not."""
    return hasattr(model, "classes_") or not (is_regressor(model) or is_clusterer(model))


def _load_skops(path: Path) -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise BadTable("skops files need the package skops: pip install skops.") from error
    unknown = skops.io.get_untrusted_types(file=path)
    foreign = [name for name in unknown if not name.startswith("skfair.")]
    if foreign:
        raise BadTable(f"{path} has types that are not known to be safe: {foreign}.")
    return skops.io.load(path, trusted=unknown)
