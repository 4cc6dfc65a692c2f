"""Class labels named by the user, as codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ._tables import brief, label_array, some, unknown_ones


def unfavorable_codes(unfavorable: Any, classes: np.ndarray) -> tuple[int, ...]:
    """Codes of the classes that call for recourse; ``None`` is the first class.

    Raises
    ------
    ValueError
        If a label does not occur, or no class, or every class, is unfavorable.
    """
    if unfavorable is None:
        return (0,)
    if not all(map(_is_hashable, classes.tolist())):
        raise ValueError("classes must hold labels, strings or numbers.")
    known = {label: code for code, label in enumerate(classes.tolist())}
    wanted = np.atleast_1d(np.asarray(unfavorable, dtype=object))
    codes = {known.get(label, -1) if _is_hashable(label) else -1 for label in wanted.ravel()}
    problem = None
    if -1 in codes:
        problem = "names a label that is not among"
    elif not 0 < len(codes) < len(classes):
        problem = "must name at least one and not all of"
    if problem is not None:
        raise ValueError(
            f"unfavorable={brief(unfavorable)} {problem} the classes {some(classes.tolist())}."
        )
    return tuple(sorted(codes))


def _is_hashable(label: Any) -> bool:
    try:
        hash(label)
    except TypeError:
        return False
    return True


def codes_of(labels: Any, classes: np.ndarray, parameter: str) -> np.ndarray:
    """Position of each label in ``classes``.

    Parameters
    ----------
    labels : array-like of shape (n,) or (n, 1)
        Labels.
    classes : ndarray of shape (n_classes,)
        Those that may occur.
    parameter : str
        Name used in error messages.

    Returns
    -------
    int64 ndarray of shape (n,)
        Codes.

    Raises
    ------
    ValueError
        If ``labels`` is of another shape, or holds a label that is not among ``classes``.
    """
    labels = label_array(labels, parameter)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(f"{parameter} must hold one label a row, got shape {labels.shape}.")
    known = {label: code for code, label in enumerate(classes.tolist())}
    try:
        rows, present = pd.factorize(labels)
    except TypeError:
        raise ValueError(f"{parameter} must hold labels, got objects of other kinds.") from None
    codes = [known.get(label, -1) for label in np.asarray(present).tolist()]
    table = np.array([*codes, -1], dtype=np.int64)  # a missing label reads the last entry
    found = table[rows]
    if (found < 0).any():
        unknown = [label for label in np.asarray(present).tolist() if label not in known]
        raise ValueError(
            f"{parameter} contains {unknown_ones(unknown) if unknown else 'missing labels'}, not "
            f"among the classes {some(classes.tolist())}."
        )
    return found


def favorable_codes(unfavorable: Any, classes: np.ndarray, multi_label: bool = False) -> list[int]:
    """Codes of the classes that are acceptance, all but the unfavorable ones.

    Raises
    ------
    ValueError
        If ``unfavorable`` does not name classes, or rows have several labels.
    """
    if unfavorable is not None and multi_label:
        raise ValueError(
            f"unfavorable={brief(unfavorable)} needs one label a row, y has several; leave it None."
        )
    refusing = unfavorable_codes(unfavorable, classes)
    return [code for code in range(len(classes)) if code not in refusing]
