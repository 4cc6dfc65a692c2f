"""Fitted models from files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sklearn.base import is_clusterer, is_regressor

from .. import persistence
from ._errors import InputError
from ._log import Log

JOBLIB_WARNING = (
    "joblib and pickle files run the code they contain when they are opened: use only files from "
    "people you trust. The safe format is skops (skfair.persistence.dump), which --model takes as "
    "well."
)


def load_model(path: Path, log: Log, trusted: Iterable[str] = ()) -> Any:
    """Open a fitted classifier in a skops, joblib or pickle file.

    Parameters
    ----------
    path : Path
        The file; all but ``.skops`` are opened by joblib, which reads pickles as well.
    log : callable
        Told of the danger of opening a file that is not skops.
    trusted : iterable of str, default=()
        Names that a skops file may hold beside those of
        :func:`~skfair.persistence.trusted_types`.

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
            model = persistence.load(path, trusted=trusted)
        else:
            import joblib

            log(f"warning: {JOBLIB_WARNING}")
            model = joblib.load(path)
    except persistence.UntrustedTypesError as error:
        raise InputError(
            f"{path} holds what is not known to be safe: {', '.join(error.names)}. If you know "
            "these names and trust whoever made the file, add --trust "
            f"{' '.join(error.names)}."
        ) from error
    except Exception as error:  # whatever the code within does
        raise InputError(f"{path} cannot be opened as a model: {error}") from error
    if isinstance(model, type) or not hasattr(model, "predict") or not _may_classify(model):
        raise InputError(
            f"{path} holds a {type(model).__name__}, which is not a fitted classifier."
        )
    return model


def _may_classify(model: Any) -> bool:
    """Tell a classifier, or what does not name its kind: fairlearn's do not."""
    return hasattr(model, "classes_") or not (is_regressor(model) or is_clusterer(model))
