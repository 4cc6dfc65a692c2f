"""What all displays share."""

from __future__ import annotations

import textwrap
from typing import Any

from sklearn.utils._optional_dependencies import check_matplotlib_support

# Okabe and Ito's colors, which people with any kind of color vision can tell apart.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
MAX_LABEL_CHARACTERS = 40  # beyond which a label would leave the axes no room
CONSTANT = {"marker": "o", "facecolor": "none", "zorder": 3}  # a model that accepts nobody, or all


def shorten_label(name: object, most: int = MAX_LABEL_CHARACTERS) -> str:
    """Make a name a label: long ones lose their middle, and dollars are no mathematics."""
    text = " ".join(str(name).split())
    if len(text) > most:
        half = (most - 1) // 2
        text = f"{text[: most - 1 - half]}…{text[-half:]}"
    return text.replace("$", r"\$")


def wrap_label(name: object, width: int = 24) -> str:
    """Shorten a name and break it into lines, also behind underscores, for axes of two inches."""
    lines = textwrap.wrap(shorten_label(name).replace("_", "_ "), width)
    return "\n".join(lines).replace("_ ", "_")


def score_label(name: str, gap: bool) -> str:
    """Name of what is shown for a scorer."""
    return wrap_label((name.removeprefix("neg_") if gap else name).replace("_", " "))


class Display:
    """Something that is plotted on axes, ``ax_``, of a figure, ``figure_``."""

    def _axes(self, ax: Any) -> Any:
        """Return the given axes or new ones, and remember them."""
        check_matplotlib_support(f"{type(self).__name__}.plot")
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(layout="constrained")
        ax.set_prop_cycle(color=PALETTE)
        self.ax_, self.figure_ = ax, ax.figure
        return ax
