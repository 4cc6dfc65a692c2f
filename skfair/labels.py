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
