"""What all displays share."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from os.path import commonprefix
from typing import Any

from sklearn.utils._optional_dependencies import check_matplotlib_support

# Okabe and Ito's colors, which people with any kind of color vision can tell apart; gray for black.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7F7F7F")
NEUTRAL = PALETTE[-1]  # seen on white and on black
NARROW = 3.2  # inches
MIN_POINTS = 4.5  # size of letters that can still be read
MAX_LABEL_CHARACTERS = 40  # beyond which a label would leave the axes no room
CONSTANT = {"marker": "o", "facecolor": "none", "zorder": 3}  # a model that accepts nobody, or all


def shorten_label(name: object, most: int = MAX_LABEL_CHARACTERS) -> str:
    """Make a name a label: long ones lose their middle, and dollars are no mathematics."""
    text = " ".join(str(name).split())
    if len(text) > most:
        half = (most - 1) // 2
        text = f"{text[: most - 1 - half]}…{text[-half:]}"
    return text.replace("$", r"\$")


def shorten_labels(names: Sequence[str], most: int = MAX_LABEL_CHARACTERS) -> list[str]:
    """Make names labels; those that would look alike are cut down to the words that differ."""
    texts = [" ".join(name.split()) for name in names]
    for cut in (_differing_words, _differing_ends):
        labels = [shorten_label(text, most) for text in texts]
        for label in set(labels):
            alike = [i for i, other in enumerate(labels) if other == label]
            if len({texts[i] for i in alike}) > 1:
                for i, text in zip(alike, cut([texts[i] for i in alike]), strict=True):
                    texts[i] = text
    return [shorten_label(text, most) for text in texts]


def _differing_words(texts: list[str]) -> list[str]:
    """Leave out the words that all texts have in the same place, from the first on."""
    rows = [text.split() for text in texts]
    alike = [len(set(column)) == 1 for column in zip(*rows, strict=False)]
    if len({len(row) for row in rows}) > 1:  # places mean nothing behind the first difference
        first = alike.index(False) if False in alike else len(alike)
        alike = alike[:first]
    found = []
    for row in rows:
        kept: list[str] = []
        for i, word in enumerate(row):
            if i >= len(alike) or not alike[i]:
                kept.append(word)
            elif kept[-1:] != ["…"]:
                kept.append("…")
        found.append(" ".join(kept).replace("… ", "…").replace(" …", "…"))
    return found


def _differing_ends(texts: list[str]) -> list[str]:
    """Leave out the letters that all texts begin with."""
    start = len(commonprefix(texts))
    return [f"…{text[start:]}" for text in texts]


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


def is_narrow(ax: Any) -> bool:
    """Whether labels and a legend would leave these axes no room."""
    return _inches(ax)[0] <= NARROW


def fit_labels(ax: Any, names: Iterable[object]) -> list[str]:
    """Shorten names so that they leave these axes room, and are still told apart."""
    return shorten_labels(list(map(str, names)), 18 if is_narrow(ax) else MAX_LABEL_CHARACTERS)


def label_rows(ax: Any, labels: Sequence[str]) -> None:
    """Write a label beside each of the rows 0, 1, ..., small where they are many."""
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(-0.6, len(labels) - 0.4)
    if is_narrow(ax):
        ax.locator_params(axis="x", nbins=3)


def fit_rows(ax: Any) -> None:
    """Make the labels of rows as small as rows are, once all that takes room is there."""
    ax.figure.draw_without_rendering()
    box, labels = ax.get_window_extent(), ax.get_yticklabels()
    size = 0.8 * 72 * box.height / ax.figure.dpi / len(labels)  # lines are higher than letters
    if size < labels[0].get_fontsize():
        ax.tick_params(axis="y", labelsize=max(size, MIN_POINTS))


def add_legend(ax: Any, below: bool = False) -> None:
    """Add a legend, under axes that it would hide: narrow ones, and those full of rows."""
    if not below and not is_narrow(ax):
        ax.legend()
        return
    from matplotlib import rcParams
    from matplotlib.transforms import ScaledTranslation

    figure = ax.figure
    down = ScaledTranslation(0, -3.6 * rcParams["font.size"] / 72, figure.dpi_scale_trans)
    for n_columns in (3, 2, 1):
        legend = ax.legend(
            loc="upper right",
            bbox_to_anchor=(1, 0),
            bbox_transform=ax.transAxes + down,  # inches, whatever the layout makes of the axes
            borderaxespad=0,
            fontsize="x-small" if is_narrow(ax) else "medium",
            frameon=False,
            ncols=n_columns,
        )
        if legend.get_window_extent().width < 0.9 * figure.bbox.width * _share(ax):
            return


def _share(ax: Any) -> float:
    """Share of the figure's width that belongs to axes, which may stand beside others."""
    grid = ax.get_subplotspec()
    return 1.0 if grid is None else len(grid.colspan) / grid.get_gridspec().ncols


def opacity(ax: Any) -> float:
    """Of what lies over each other: on a dark background blue must not be lost."""
    from matplotlib.colors import to_rgb

    return 0.5 if sum(to_rgb(ax.get_facecolor())) > 1.5 else 0.75


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

    def _axes(self, ax: Any, n_rows: int | None = None) -> Any:
        """Return the given axes or new ones, as high as rows of labels need, and remember them."""
        check_matplotlib_support(f"{type(self).__name__}.plot")
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(layout="constrained")
            if n_rows is not None:
                ax.figure.set_figheight(max(2.4, 1.6 + 0.26 * n_rows))
        ax.set_prop_cycle(color=PALETTE)
        self.ax_, self.figure_ = ax, ax.figure
        return ax
