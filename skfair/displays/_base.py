"""What all displays share."""

from __future__ import annotations

import textwrap
from typing import Any

from sklearn.utils._optional_dependencies import check_matplotlib_support

# Okabe and Ito's colors, which people with any kind of color vision can tell apart; gray for black.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7F7F7F")
NEUTRAL = PALETTE[-1]  # seen on white and on black
NARROW = 3.2  # inches
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


def _inches(ax: Any) -> tuple[float, float]:
    """Width and height of axes."""
    corner = ax.get_position().size * ax.figure.get_size_inches()
    return float(corner[0]), float(corner[1])


def fit_label(ax: Any, name: object) -> str:
    """Shorten a name so that it leaves these axes room."""
    return shorten_label(name, MAX_LABEL_CHARACTERS if _inches(ax)[0] > NARROW else 18)


def add_legend(ax: Any) -> None:
    """Add a legend, under axes that are so narrow that it would hide what is drawn."""
    width, height = _inches(ax)
    if width > NARROW:
        ax.legend()
        return
    n_columns = 1 + (len(ax.get_legend_handles_labels()[0]) > 4)
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.7 / height),
        fontsize="x-small",
        frameon=False,
        ncols=n_columns,
    )


class Display:
    """Something that is plotted on axes, ``ax_``, of a figure, ``figure_``."""

    def _grid(self, n_rows: int, n_columns: int, inches: tuple[float, float]) -> list[Any]:
        """Return new axes, row by row, and remember their figure."""
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        self.figure_, axes = plt.subplots(
            n_rows, n_columns, figsize=inches, squeeze=False, layout="constrained"
        )
        return list(axes.flat)

    def _axes(self, ax: Any) -> Any:
        """Return the given axes or new ones, and remember them."""
        check_matplotlib_support(f"{type(self).__name__}.plot")
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(layout="constrained")
        ax.set_prop_cycle(color=PALETTE)
        self.ax_, self.figure_ = ax, ax.figure
        return ax
