"""Warnings that point at the user's line."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from sklearn.utils import _param_validation

# This package, and the decorator of its functions that checks their parameters.
OWN_FILES = (f"{Path(__file__).parent}{os.sep}", _param_validation.__file__)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, from the first frame outside this package."""
    level = 1
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(OWN_FILES):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def ignored(*messages: str) -> Iterator[None]:
    """Leave out the warnings that begin like these, which are said elsewhere."""
    with warnings.catch_warnings():
        for message in messages:
            warnings.filterwarnings("ignore", message=message)
        yield
