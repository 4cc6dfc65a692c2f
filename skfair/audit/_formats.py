"""Numbers and text as they are written: rounded here and nowhere else."""

from __future__ import annotations

import re

import numpy as np

# not allowed in HTML, or not even in UTF-8
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def printable(text: str) -> str:
    """Replace what a page cannot hold: control characters, and halves of others."""
    return UNPRINTABLE.sub("\ufffd", text)


def percent(share: float) -> str:
    """Write a share with one decimal; a dash for none."""
    return "–" if np.isnan(share) else f"{100 * share:.1f}%"


def number(value: float) -> str:
    """Write three decimals, more for small numbers; a dash for none."""
    if np.isnan(value):
        return "–"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.2g}"


def confidence(level: float) -> str:
    """Write a level of confidence, as "95%"."""
    return f"{100 * level:g}%"
