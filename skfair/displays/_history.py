"""What training has done, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import pandas as pd

from .._estimators import split_pipeline
from ._base import Display, shorten_label

__all__ = ["HistoryDisplay"]

HIDDEN_COLUMNS = ("epoch", "dur")


class HistoryDisplay(Display):
    """Loss and terms of the objective over the epochs (as FaiR-N, Fig. 2, top).

    Made by :meth:`from_estimator` or :meth:`from_predictions`. FaiR-N's term ``fairness`` is minus
    the logarithm of its fairness index. What callbacks record is shown as well, the accuracy for
    instance: ``net_params={"callbacks": [skorch.callbacks.EpochScoring("accuracy", ...)]}``.

    Parameters
    ----------
    history : DataFrame
        A row an epoch, as ``history_``.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the last plot.
    figure_ : matplotlib.figure.Figure
        Its figure.

    Examples
    --------
    >>> from skfair import FaiRNClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> from skfair.displays import HistoryDisplay
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = FaiRNClassifier(max_epochs=3).fit(X, y, sensitive_features=group)
    >>> display = HistoryDisplay.from_estimator(model, columns=["fairness"])
    >>> display.ax_.get_xlabel()
    'epoch'
    """

    def __init__(self, history: pd.DataFrame) -> None:
        self.history = history

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **kwargs: Any) -> Self:
        """Plot for a fitted network, alone or at the end of a pipeline or search.

        Parameters
        ----------
        estimator : classifier
            Fitted, with ``history_``.
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        HistoryDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If there is no history.
        """
        inside, _ = split_pipeline(estimator)
        if not isinstance(getattr(inside, "history_", None), pd.DataFrame):
            raise ValueError(
                f"{type(inside).__name__} has no history_ of epochs; networks of skfair have."
            )
        return cls.from_predictions(inside.history_, ax=ax, **kwargs)

    @classmethod
    def from_predictions(cls, history: pd.DataFrame, *, ax: Any = None, **kwargs: Any) -> Self:
        """Plot a history.

        Parameters
        ----------
        history : DataFrame
            A row an epoch.
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        HistoryDisplay
            The display, plotted.
        """
        return cls(history).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, columns: Sequence[str] | None = None, **kwargs: Any) -> Self:
        """Plot a line for each column.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        columns : sequence of str, default=None
            Columns of the history, all that hold numbers if ``None``. Those of held-out rows
            (``valid_``) are dashed, in the color of the same column of the training rows.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        HistoryDisplay
            This display.

        Raises
        ------
        ValueError
            If a column does not exist; the message lists those that do.
        """
        numbers = self.history.select_dtypes("number").columns
        known = [c for c in numbers if c not in HIDDEN_COLUMNS]
        columns = known if columns is None else list(columns)
        if unknown := [c for c in columns if c not in self.history]:
            raise ValueError(f"columns={unknown} are not in the history, which has {known}.")
        ax = self._axes(ax)
        epochs = self.history.get("epoch", range(1, len(self.history) + 1))
        colors: dict[str, Any] = {}
        for column in sorted(columns, key=lambda c: c.startswith("valid_")):
            held_out = column.startswith("valid_")
            term = column.removeprefix("valid_").removeprefix("train_")
            style = {"label": shorten_label(column), "linestyle": "--" if held_out else "-"}
            style |= {"color": colors[term]} if term in colors else {}
            (line,) = ax.plot(epochs, self.history[column], **style | kwargs)
            colors[term] = line.get_color()
        ax.set(xlabel="epoch")
        ax.legend()
        return self
