"""What a search over hyper-parameters has found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ._base import PALETTE, Display, shorten_label

__all__ = ["LambdaHeatmapDisplay", "ParetoDisplay"]


def _column(results: Mapping, start: str, name: str) -> np.ndarray:
    """Return the results whose key begins with ``start``, "param_" or "mean_test_"."""
    if start + name not in results:
        known = [key.removeprefix(start) for key in results if key.startswith(start)]
        raise ValueError(f"The search has no {name!r}; it has {known}.")
    return np.asarray(results[start + name])


def _parameter(results: Mapping, name: str | None, ending: str) -> str:
    if name is not None:
        return name
    found = [key.removeprefix("param_") for key in results if key.endswith(ending)]
    if len(found) != 1:
        known = [key.removeprefix("param_") for key in results if key.startswith("param_")]
        raise ValueError(f"Say which parameter to plot: the search has {known}.")
    return found[0]


class LambdaHeatmapDisplay(Display):
    """A score over two hyper-parameters (the heat maps of FaiR-N, Fig. 2).

    Made by :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    scores : DataFrame
        Mean test scores; the index is the first parameter, the columns are the second.
    score : str
        Name of the score.

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

    def __init__(self, scores: pd.DataFrame, score: str = "score") -> None:
        self.scores, self.score = scores, score

    @classmethod
    def from_estimator(cls, search: Any, *, ax: Any = None, **kwargs: Any) -> Self:
        """Plot for a fitted search.

        Parameters
        ----------
        search : GridSearchCV or the like
            Fitted, with ``cv_results_``.
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
        return cls.from_predictions(search.cv_results_, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        cv_results: Mapping,
        *,
        score: str = "score",
        first: str | None = None,
        second: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the results of a search.

        Parameters
        ----------
        cv_results : dict
            As ``cv_results_``.
        score : str, default="score"
            Name of the scorer.
        first, second : str, default=None
            Names of the parameters; ``None`` stands for those that end in ``lambda_fairness`` and
            ``lambda_robustness``. Other parameters are averaged over.
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
        table = pd.DataFrame(
            {
                first: _column(cv_results, "param_", first),
                second: _column(cv_results, "param_", second),
                score: _column(cv_results, "mean_test_", score).astype(float),
            }
        )
        scores = table.pivot_table(index=first, columns=second, values=score, dropna=False)
        return cls(scores, score).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, annotate: bool = True, **kwargs: Any) -> Self:
        """Plot the heat map.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        annotate : bool, default=True
            Whether to write the scores into the cells.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        LambdaHeatmapDisplay
            This display.
        """
        ax = self._axes(ax)
        image = ax.imshow(self.scores, **{"origin": "lower", "aspect": "auto"} | kwargs)
        for set_ticks, values in (
            (ax.set_xticks, self.scores.columns),
            (ax.set_yticks, self.scores.index),
        ):
            set_ticks(
                range(len(values)), [f"{v:g}" if np.isreal(v) else shorten_label(v) for v in values]
            )
        if annotate:
            middle = np.nanmean(self.scores.to_numpy())
            for (i, j), value in np.ndenumerate(self.scores.to_numpy()):
                color = "black" if value > middle else "white"
                ax.text(j, i, f"{value:.2f}", ha="center", va="center", color=color, fontsize=8)
        names = (self.scores.columns.name, self.scores.index.name)
        xlabel, ylabel = (shorten_label(name.split("__")[-1]) for name in names)
        ax.set(xlabel=xlabel, ylabel=ylabel, title=shorten_label(self.score))
        self.figure_.colorbar(image, ax=ax)
        return self


class ParetoDisplay(Display):
    """Two scores of all candidates of a search, with those that no other one beats in both.

    Made by :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    first, second : ndarray of shape (n_candidates,)
        Scores; greater is better.
    names : tuple of str
        Their names.
    chosen : int, default=None
        Position of the candidate that was chosen.

    Attributes
    ----------
    front : ndarray of int
        Positions of the candidates on the Pareto front, the worst in the first score first.
    ax_ : matplotlib.axes.Axes
        Axes of the last plot.
    figure_ : matplotlib.figure.Figure
        Its figure.

    Examples
    --------
    >>> from skfair.displays import ParetoDisplay
    >>> results = {"mean_test_accuracy": [0.9, 0.8, 0.7], "mean_test_neg_gap": [-3, -1, -2]}
    >>> ParetoDisplay.from_predictions(results, second="neg_gap").front.tolist()
    [1, 0]
    """

    def __init__(
        self, first: np.ndarray, second: np.ndarray, names: tuple, chosen: int | None = None
    ) -> None:
        self.first, self.second, self.names, self.chosen = first, second, names, chosen
        better = (first[:, None] >= first) & (second[:, None] >= second)
        better &= (first[:, None] > first) | (second[:, None] > second)
        valid = np.isfinite(first) & np.isfinite(second)
        front = np.flatnonzero(valid & ~better.any(axis=0))
        self.front = front[np.lexsort((-second[front], first[front]))]

    @classmethod
    def from_estimator(cls, search: Any, *, ax: Any = None, **kwargs: Any) -> Self:
        """Plot for a fitted search with several scorers.

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
        ParetoDisplay
            The display, plotted.
        """
        check_is_fitted(search, "cv_results_")
        chosen = getattr(search, "best_index_", None)
        return cls.from_predictions(search.cv_results_, chosen=chosen, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        cv_results: Mapping,
        *,
        first: str = "accuracy",
        second: str = "neg_recourse_gap",
        chosen: int | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the results of a search.

        Parameters
        ----------
        cv_results : dict
            As ``cv_results_``.
        first, second : str, default="accuracy", "neg_recourse_gap"
            Names of the scorers. Of a score whose name begins with ``neg_`` the gap is shown.
        chosen : int, default=None
            Position of the candidate to mark.
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        ParetoDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If the search has no such score; the message lists those it has.
        """
        one, other = (_column(cv_results, "mean_test_", s).astype(float) for s in (first, second))
        return cls(one, other, (first, second), chosen).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> Self:
        """Plot candidates, front and choice.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        ParetoDisplay
            This display.
        """
        ax = self._axes(ax)
        x, y = (
            -score if name.startswith("neg_") else score
            for score, name in zip((self.second, self.first), self.names[::-1], strict=True)
        )
        ax.scatter(x, y, **{"color": PALETTE[0], "alpha": 0.6, "label": "candidates"} | kwargs)
        ax.plot(x[self.front], y[self.front], color=PALETTE[0], label="Pareto front")
        if self.chosen is not None:
            style = {"color": PALETTE[5], "marker": "*", "s": 150, "zorder": 3, "label": "chosen"}
            ax.scatter(x[self.chosen], y[self.chosen], **style)
        names = [shorten_label(name.removeprefix("neg_").replace("_", " ")) for name in self.names]
        ax.set(xlabel=names[1], ylabel=names[0])
        ax.legend()
        return self
