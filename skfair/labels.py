"""Class labels named by the user, as codes."""

from __future__ import annotations

from typing import Any

import numpy as np


def unfavorable_codes(unfavorable: Any, classes: np.ndarray) -> tuple[int, ...]:
    """Codes of the classes that call for recourse; ``None`` is the first class.

    Raises
    ------
    ValueError
        If a label does not occur, or no class, or every class, is unfavourable.
    """
    if unfavorable is None:
        return (0,)
    wanted = np.unique(np.atleast_1d(np.asarray(unfavorable)))
    unknown = [label for label in wanted.tolist() if label not in classes.tolist()]
    if unknown or not 0 < len(wanted) < len(classes):
        raise ValueError(
            f"unfavorable={unfavorable!r} must name at least one and not all of the classes "
            f"{classes.tolist()}."
        )
    return tuple(int(np.flatnonzero(classes == label)[0]) for label in wanted)


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
