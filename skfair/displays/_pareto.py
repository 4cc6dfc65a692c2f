"""Two scores of all candidates of a search, and the front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..model_selection import best_under_constraint
from ..model_selection._pareto import nondominated
from ..model_selection._results import is_constant, is_gap, mean_scores
from ._base import CONSTANT, NEUTRAL, PALETTE, Display, opacity, score_label

__all__ = ["ParetoDisplay"]

CHOSEN = {"marker": "*", "color": PALETTE[5], "edgecolor": "white", "linewidth": 0.5, "zorder": 4}


class ParetoDisplay(Display):
    """Two scores of all candidates of a search, with those that no other one beats in both.

    Made by :meth:`from_estimator` or :meth:`from_predictions`. The line of the front is what can be
    had: for each gap, say, the accuracy of the best candidate whose gap is no greater.

    Parameters
    ----------
    first, second : ndarray of shape (n_candidates,)
        Scores; greater is better.
    names : tuple of str
        Their names.
    chosen : int, default=None
        Position of the candidate that was chosen.
    constant : ndarray of bool of shape (n_candidates,), default=None
        Which candidates are constant models, which accept nobody or everybody. They are drawn
        hollow and have no part in the front.

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
        self,
        first: np.ndarray,
        second: np.ndarray,
        names: tuple[str, str],
        chosen: int | None = None,
        constant: np.ndarray | None = None,
    ) -> None:
        self.first, self.second, self.names, self.chosen = first, second, names, chosen
        self.constant = np.zeros(len(first), dtype=bool) if constant is None else constant
        scores = np.column_stack([first, second]).astype(float)
        scores[self.constant] = np.nan
        self.front = nondominated(scores)[::-1]

    @classmethod
    def from_estimator(cls, search: Any, *, ax: Any = None, **kwargs: Any) -> Self:
        """Plot for a fitted search with several scorers.

        Parameters
        ----------
        search : GridSearchCV or the like
            Fitted, with ``cv_results_``; its ``best_index_``, if any, is marked, and the limit of
            :class:`~skfair.model_selection.best_under_constraint`, if that is its ``refit``.
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        **kwargs : dict
            As for :meth:`from_predictions`. ``first`` and ``second`` are, if that is the ``refit``,
            the scores that ``best_under_constraint`` weighs.

        Returns
        -------
        ParetoDisplay
            The display, plotted.
        """
        check_is_fitted(search, "cv_results_")
        kwargs.setdefault("chosen", getattr(search, "best_index_", None))
        rule = getattr(search, "refit", None)
        if isinstance(rule, best_under_constraint):
            kwargs = {"first": rule.objective, "second": rule.constraint} | kwargs
            if rule.constraint == kwargs["second"]:
                kwargs.setdefault("limit", rule.threshold)
        return cls.from_predictions(search.cv_results_, ax=ax, **kwargs)

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
        cv_results : dict or DataFrame
            As ``cv_results_``. Constant models are told if it has the scores of a scorer
            ``acceptance_rate`` (:func:`~skfair.model_selection.pareto_front`).
        first, second : str, default="accuracy", "neg_recourse_gap"
            Names of the scorers. Of the scores of a gap, which are negative, the gap is shown.
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
        one, other = (mean_scores(cv_results, name) for name in (first, second))
        display = cls(one, other, (first, second), chosen, is_constant(cv_results))
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, limit: float | None = None, **kwargs: Any) -> Self:
        """Plot candidates, front and choice.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        limit : float, default=None
            Greatest gap allowed, of either sign, or smallest value of a second score that is no
            gap; what it rules out is shaded.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.scatter`, of the candidates.

        Returns
        -------
        ParetoDisplay
            This display.
        """
        ax = self._axes(ax)
        scores = (self.second, self.first)
        gaps = [is_gap(name, s) for name, s in zip(self.names[::-1], scores, strict=True)]
        x, y = (-s + 0.0 if gap else s for s, gap in zip(scores, gaps, strict=True))
        size = float(np.clip(3000 / max(len(x), 1), 8, 36))
        style = {
            "color": PALETTE[0],
            "alpha": opacity(ax),
            "s": size,
            "label": "candidates",
        } | kwargs
        ax.scatter(x[~self.constant], y[~self.constant], **{"linewidths": 0} | style)
        if self.constant.any():
            hollow = CONSTANT | {"edgecolor": NEUTRAL, "s": size, "label": "constant"}
            ax.scatter(x[self.constant], y[self.constant], **hollow)
        if len(self.front):
            where = "steps-post" if gaps[0] else "steps-pre"
            order = self.front[np.argsort(x[self.front], kind="stable")]
            line = {"color": PALETTE[0], "drawstyle": where, "marker": "o", "markersize": 4}
            ax.plot(x[order], y[order], **line, label="front")
        if self.chosen is not None:
            star = CHOSEN | {"s": 170, "label": "chosen"}
            ax.scatter(x[self.chosen], y[self.chosen], **star)
        if limit is not None:
            _shade(ax, abs(limit) if gaps[0] else limit, above=gaps[0])
        xlabel, ylabel = map(score_label, self.names[::-1], gaps)
        ax.set(xlabel=xlabel, ylabel=ylabel)
        narrow = {"fontsize": 8, "handlelength": 1.2, "handletextpad": 0.4, "borderpad": 0.3}
        ax.legend(**narrow, loc="best" if len(x) <= 500 else "lower right")
        return self


def _shade(ax: Any, limit: float, above: bool) -> None:
    """Shade the side of a limit that is not allowed, and see to it that the limit is in view."""
    low, high = ax.get_xlim()
    room = 0.05 * (high - low)
    low, high = min(low, limit - room), max(high, limit + room)
    ax.axvspan(*((limit, high) if above else (low, limit)), color=NEUTRAL, alpha=0.2, zorder=0)
    ax.axvline(
        limit, color=NEUTRAL, linestyle="--", linewidth=1, zorder=1, label=f"limit {limit:g}"
    )
    ax.set_xlim(low, high)
