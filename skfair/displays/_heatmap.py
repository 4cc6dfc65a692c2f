"""A score over two hyper-parameters of a search."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ..model_selection._results import is_constant, is_gap, mean_scores
from ._base import (
    CONSTANT,
    MIN_POINTS,
    PALETTE,
    Display,
    score_label,
    shorten_label,
    wrap_label,
)

__all__ = ["LambdaHeatmapDisplay"]

POINTS_PER_INCH = 72
MAX_POINTS = 8  # size of letters in a cell
LETTER = 0.62  # width of a letter, as a share of its height
MAX_TICK_CHARACTERS = 10


def _parameter(results: Mapping, name: str | None, ending: str) -> str:
    names = [key.removeprefix("param_") for key in results if key.startswith("param_")]
    if name is not None:
        if name not in names:
            raise ValueError(f"The search has no parameter {name!r}; it has {names}.")
        return name
    found = [key for key in names if key.endswith(ending)]
    if len(found) != 1:
        raise ValueError(f"Say which parameter to plot: the search has {names}.")
    return found[0]


def _levels(values: Any) -> pd.Categorical:
    """Values of a parameter: numbers in their order, anything else in that of the search."""
    found = list(values)  # some may be masked: the candidate has no such parameter
    if all(isinstance(v, Real) and not isinstance(v, bool | np.bool_) and v == v for v in found):
        return pd.Categorical(found, categories=sorted(set(found)))
    names = list(map(str, found))
    return pd.Categorical(names, categories=list(dict.fromkeys(names)))


def _tick(value: Any) -> str:
    text = f"{value:.3g}" if isinstance(value, Real) else str(value)
    return shorten_label(text, MAX_TICK_CHARACTERS)


class LambdaHeatmapDisplay(Display):
    """A score over two hyper-parameters (the heat maps of FaiR-N, Fig. 2).

    Made by :meth:`from_estimator` or :meth:`from_predictions`. Of the scores of a gap, which are
    negative, the gap is shown; brighter is better in both cases.

    Parameters
    ----------
    scores : DataFrame
        Mean test scores; the index is the first parameter, the columns are the second.
    score : str
        Name of the score.
    chosen : tuple of int, default=None
        Row and column of the cell of the chosen candidate.
    constant : DataFrame of bool, default=None
        Like ``scores``: whether there is a constant model in a cell, one that accepts nobody or
        everybody.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the last plot.
    figure_ : matplotlib.figure.Figure
        Its figure.

    Examples
    --------
    >>> from skfair.displays import LambdaHeatmapDisplay
    >>> results = {
    ...     "param_lambda_fairness": [0, 0, 1, 1],
    ...     "param_lambda_robustness": [0, 1, 0, 1],
    ...     "mean_test_score": [0.9, 0.8, 0.7, 0.6],
    ... }
    >>> LambdaHeatmapDisplay.from_predictions(results).scores.shape
    (2, 2)
    """

    def __init__(
        self,
        scores: pd.DataFrame,
        score: str = "score",
        chosen: tuple[int, int] | None = None,
        constant: pd.DataFrame | None = None,
    ) -> None:
        self.scores, self.score, self.chosen, self.constant = scores, score, chosen, constant

    @classmethod
    def from_estimator(cls, search: Any, *, ax: Any = None, **kwargs: Any) -> Self:
        """Plot for a fitted search.

        Parameters
        ----------
        search : GridSearchCV or the like
            Fitted, with ``cv_results_``; its ``best_index_``, if any, is marked.
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        **kwargs : dict
            As for :meth:`from_predictions`.

        Returns
        -------
        LambdaHeatmapDisplay
            The display, plotted.
        """
        check_is_fitted(search, "cv_results_")
        kwargs.setdefault("chosen", getattr(search, "best_index_", None))
        return cls.from_predictions(search.cv_results_, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        cv_results: Mapping,
        *,
        score: str = "score",
        first: str | None = None,
        second: str | None = None,
        chosen: int | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the results of a search.

        Parameters
        ----------
        cv_results : dict or DataFrame
            As ``cv_results_``. Constant models are marked if it has the scores of a scorer
            ``acceptance_rate`` (:func:`~skfair.model_selection.pareto_front`).
        score : str, default="score"
            Name of the scorer.
        first, second : str, default=None
            Names of the parameters; ``None`` stands for those that end in ``lambda_fairness`` and
            ``lambda_robustness``. Other parameters are averaged over.
        chosen : int, default=None
            Position of the candidate whose cell is marked.
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        LambdaHeatmapDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If the search has no such score or parameter; the message lists those it has.
        """
        first = _parameter(cv_results, first, "lambda_fairness")
        second = _parameter(cv_results, second, "lambda_robustness")
        levels = [_levels(cv_results[f"param_{name}"]) for name in (first, second)]
        known = is_constant(cv_results)
        table = pd.DataFrame(
            {
                "row": levels[0],
                "column": levels[1],
                "score": mean_scores(cv_results, score),
                "constant": False if known is None else known,
            }
        )
        cells = table.groupby(["row", "column"], observed=False)
        axes = [
            pd.Index(v.categories, name=n) for v, n in zip(levels, (first, second), strict=True)
        ]
        scores = pd.DataFrame(cells["score"].mean().unstack().to_numpy(), *axes)
        constant = pd.DataFrame(cells["constant"].any().unstack().to_numpy(dtype=bool), *axes)
        cell = None if chosen is None else (levels[0].codes[chosen], levels[1].codes[chosen])
        display = cls(scores, score, cell, None if known is None else constant)
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, annotate: bool | str = "auto", **kwargs: Any) -> Self:
        """Plot the heat map.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        annotate : bool or "auto", default="auto"
            Whether to write the scores, or gaps, into the cells; "auto": if they have the room.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        LambdaHeatmapDisplay
            This display.
        """
        ax = self._axes(ax)
        scores = self.scores.to_numpy(dtype=float)
        gap = is_gap(self.score, scores)
        values = -scores + 0.0 if gap else scores
        colors = {"cmap": "viridis_r" if gap else "viridis"}  # brighter is better
        ax.set_facecolor("0.88")  # where there is no score
        image = ax.imshow(values, **{"origin": "lower", "aspect": "auto"} | colors | kwargs)
        self.figure_.colorbar(image, ax=ax).set_label(score_label(self.score, gap))
        names = (self.scores.columns.name, self.scores.index.name)
        xlabel, ylabel = (wrap_label(str(name).split("__")[-1]) for name in names)
        ax.set(xlabel=xlabel, ylabel=ylabel)
        self._set_ticks(ax)
        self.figure_.draw_without_rendering()  # the layout says what room there is
        self._set_ticks(ax)
        size = self._letters(ax, values)
        if annotate is True or (annotate == "auto" and size >= MIN_POINTS):
            self._annotate(ax, image, values, max(size, MIN_POINTS))
        self._mark(ax)
        return self

    def _room(self, ax: Any) -> np.ndarray:
        """Width and height of a cell in points."""
        box = ax.get_window_extent()
        inches = np.array([box.width, box.height]) / self.figure_.dpi
        return inches * POINTS_PER_INCH / self.scores.shape[::-1]

    def _set_ticks(self, ax: Any) -> None:
        """Label as many rows and columns as there is room for."""
        width, height = self._room(ax)
        points = 10.0
        labels = [[_tick(v) for v in axis] for axis in (self.scores.columns, self.scores.index)]
        longest = max(map(len, labels[0])) * LETTER * points
        for axis, texts, step in (
            (ax.xaxis, labels[0], int(np.ceil((longest + points / 2) / width))),
            (ax.yaxis, labels[1], int(np.ceil(1.2 * points / height))),
        ):
            shown = range(0, len(texts), step)
            axis.set_ticks(shown, [texts[i] for i in shown])

    def _letters(self, ax: Any, values: np.ndarray) -> float:
        """Size of letters, in points, with which the values fit into the cells."""
        width, height = self._room(ax)
        longest = max(len(f"{v:.2f}") for v in values.flat)
        return float(min(MAX_POINTS, 0.9 * width / (longest * LETTER), 0.7 * height))

    def _annotate(self, ax: Any, image: Any, values: np.ndarray, size: float) -> None:
        for (i, j), value in np.ndenumerate(values):
            if np.isfinite(value):
                red, green, blue, _ = image.to_rgba(value)
                is_bright = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
                color = "black" if is_bright else "white"
                style = {"ha": "center", "va": "center", "color": color, "fontsize": size}
                ax.text(j, i, f"{value:.2f}", **style)

    def _mark(self, ax: Any) -> None:
        """Frame the chosen cell; a circle in the corner of those with a constant model."""
        no_cells = np.empty((0, 2), dtype=int)
        found = no_cells if self.constant is None else np.argwhere(self.constant.to_numpy())
        if len(found):
            room = self._room(ax)
            diameter = float(np.clip(0.3 * min(room), 2.5, 7))
            right, up = 0.5 - (diameter / 2 + 1.5) / room
            rows, columns = np.transpose(found)
            style = CONSTANT | {"edgecolor": PALETTE[5], "s": diameter**2}
            ax.scatter(columns - right, rows + up, **style)
        if self.chosen is not None:
            ax.add_patch(_frame(*self.chosen))
        ax.set(xlim=(-0.5, self.scores.shape[1] - 0.5), ylim=(-0.5, self.scores.shape[0] - 0.5))
        marks = ["circle: constant"] if len(found) else []
        marks += ["frame: chosen"] if self.chosen is not None else []
        ax.set_title(", ".join(marks), fontsize=8, loc="left")  # whose width leaves axes their room


def _frame(row: int, column: int) -> Any:
    from matplotlib.patches import Rectangle

    corner = (column - 0.5, row - 0.5)
    return Rectangle(corner, 1, 1, fill=False, edgecolor=PALETTE[5], linewidth=2, zorder=3)
