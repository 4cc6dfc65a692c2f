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
    if -1 in codes or not 0 < len(codes) < len(classes):
        raise ValueError(
            f"unfavorable={brief(unfavorable)} must name at least one and not all of the classes "
            f"{some(classes.tolist())}."
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


def favorable_codes(estimator: Any) -> list[int]:
    """Codes of the classes that are acceptance, by the estimator's ``unfavorable``.

    Raises
    ------
    ValueError
        If ``unfavorable`` does not name classes, or rows have several labels.
    """
    if estimator.unfavorable is not None and estimator._multi_label:
        raise ValueError(
            f"unfavorable={brief(estimator.unfavorable)} needs one label a row, y has several; "
            "leave it None."
        )
    refusing = unfavorable_codes(estimator.unfavorable, estimator.classes_)
    return [code for code in range(len(estimator.classes_)) if code not in refusing]


def flip_labels(
    y: np.ndarray,
    members: np.ndarray,
    fraction: float,
    n_classes: int,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Give a share of one group's rows another label (Technical Challenges, section 6).

    Parameters
    ----------
    y : int64 ndarray of shape (n,)
        Class codes.
    members : bool ndarray of shape (n,)
        Rows of the group.
    fraction : float in [0, 1]
        Share of these rows, rounded to a whole number.
    n_classes : int
        Number of classes. With two the other label is taken, with more one of the other labels
        that occur in the group, each with the same probability.
    rng : RandomState
        Source of the choice.

    Returns
    -------
    int64 ndarray of shape (n,)
        A copy of ``y`` in which exactly that many of the group's labels differ.

    Raises
    ------
    ValueError
        If there are more than two classes, but only one in the group.
    """
    y = y.copy()
    rows = np.flatnonzero(members)
    count = round(fraction * len(rows))
    if count == 0:
        return y
    labels = np.arange(2) if n_classes == 2 else np.unique(y[rows])
    if len(labels) < 2:
        raise ValueError(
            "The labels of flip_group cannot be flipped: all its rows have the same one, and with "
            f"{n_classes} classes only labels that occur in the group are exchanged."
        )
    chosen = rng.choice(rows, count, replace=False)
    shift = rng.randint(1, len(labels), count)
    y[chosen] = labels[(np.searchsorted(labels, y[chosen]) + shift) % len(labels)]
    return y
