"""Reading ``cv_results_`` of any search, as it is or as a DataFrame."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

ACCEPTANCE_RATE = "acceptance_rate"  # the scorer that tells constant models


def mean_scores(cv_results: Mapping[str, Any], name: str) -> np.ndarray:
    """Return the mean test scores of the candidates, shape (n_candidates,).

    Raises
    ------
    ValueError
        If the search has no such scorer; the message lists those it has.
    """
    key = f"mean_test_{name}"
    if key not in cv_results:
        have = sorted(k.removeprefix("mean_test_") for k in cv_results if "mean_test_" in k)
        raise ValueError(f"The search has no scorer {name!r}; its scorers are {have}.")
    return np.asarray(cv_results[key], dtype=float)


def is_gap(name: str, scores: np.ndarray) -> bool:
    """Whether these are scores of a gap: minus the gap, and so never positive."""
    found = scores[~np.isnan(scores)]
    return name.startswith("neg_") or bool((found <= 0).all() and (found < 0).any())


def is_constant(cv_results: Mapping[str, Any]) -> np.ndarray | None:
    """Tell which candidates accept nobody, or everybody, in one of the splits at least.

    Returns
    -------
    ndarray of bool of shape (n_candidates,) or None
        ``None`` if the search has no scorer ``acceptance_rate``.
    """
    if f"mean_test_{ACCEPTANCE_RATE}" not in cv_results:
        return None
    splits = [key for key in cv_results if re.fullmatch(rf"split\d+_test_{ACCEPTANCE_RATE}", key)]
    keys = splits or [f"mean_test_{ACCEPTANCE_RATE}"]
    rates = np.array([np.asarray(cv_results[key], dtype=float) for key in keys])
    return np.any((rates == 0) | (rates == 1), axis=0)
