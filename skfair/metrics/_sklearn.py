"""What scikit-learn does with a scorer, and what it leaves a scorer no other way to learn."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

MAX_FRAMES = 8  # between scikit-learn's function and the scorer, at most


class Unscored:
    """What a scorer returns instead of a number to fail in cross-validation.

    An error raised by a scorer becomes NaN there, for every candidate, under a traceback. What is
    no number is an error with its text, whatever ``error_score`` is.
    """

    def __init__(self, message: str) -> None:
        self.message = message

    def __repr__(self) -> str:
        return self.message


def caller_locals(function: str, module: str) -> dict[str, Any] | None:
    """Local variables of the nearest caller of a name, ``None`` if there is none."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(MAX_FRAMES):
        if frame is None:
            return None
        if frame.f_code.co_name == function and frame.f_globals.get("__name__") == module:
            return frame.f_locals
        frame = frame.f_back
    return None


def requests_sensitive_features(scorer: Callable) -> bool:
    """Whether a scorer is to be handed the sensitive features."""
    if hasattr(scorer, "get_metadata_routing"):
        return scorer.get_metadata_routing().score.requests.get("sensitive_features") is True
    return "sensitive_features" in inspect.signature(scorer).parameters
