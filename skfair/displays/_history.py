"""What training has done, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import pandas as pd

from .._estimators import split_pipeline
from ._base import PALETTE, Display, add_legend, shorten_label

__all__ = ["HistoryDisplay"]

HIDDEN_COLUMNS = ("epoch", "dur")
PANELS_IN_A_ROW = 3
PANEL_INCHES = 3.2, 2.4
MISSED = -1e5  # monitors with limits put epochs that miss one below
FEW_EPOCHS = 3  # which a line does not show


class HistoryDisplay(Display):
    """Loss and terms of the objective over the epochs (as FaiR-N, Fig. 2, top).

    Made by :meth:`from_estimator` or :meth:`from_predictions`. FaiR-N's term ``fairness`` is minus
    the logarithm of its fairness index. What callbacks record is shown as well, the accuracy for
    instance: ``net_params={"callbacks": [skorch.callbacks.EpochScoring("accuracy", ...)]}``.

    Parameters
    ----------
    history : DataFrame
        A row an epoch, as ``history_``.
    warmup_epochs : float, default=0
        Number of epochs over which the fairness weights rose, which are shaded.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the last plot, the first panel.
    axes_ : list of matplotlib.axes.Axes
        All of them.
    figure_ : matplotlib.figure.Figure
        Its figure.

    Examples
    --------
    >>> from skfair import FaiRNClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> from skfair.displays import HistoryDisplay
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = FaiRNClassifier(max_epochs=3).fit(X, y, sensitive_features=group)
    >>> display = HistoryDisplay.from_estimator(model)
    >>> [ax.get_title() for ax in display.axes_]
    ['train_loss', 'cross_entropy', 'fairness', 'robustness']
    """

    def __init__(self, history: pd.DataFrame, warmup_epochs: float = 0) -> None:
        self.history, self.warmup_epochs = history, warmup_epochs

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
        recipe = getattr(getattr(inside, "net_", None), "recipe", None)
        warmup = recipe.warmup_steps / recipe.batches.n_batches if recipe else 0
        return cls(inside.history_, warmup).plot(ax=ax, **kwargs)

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
        """Plot a panel for each column, or all columns on given axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to plot all lines; a new figure with a panel for each term if ``None``.
        columns : sequence of str, default=None
            Columns of the history, all that hold numbers if ``None``. Those of held-out rows
            (``valid_``) are dashed, beside the same column of the training rows. ``monitor`` has no
            value where an epoch misses a limit.
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
        terms: dict[str, list[str]] = {}  # the loss first, and training rows before others
        for column in sorted(columns, key=lambda c: (c.startswith("valid_"), c != "train_loss")):
            terms.setdefault(column.removeprefix("valid_").removeprefix("train_"), []).append(
                column
            )
        if ax is None:
            self.axes_ = self._panels(len(terms))
        else:
            self.axes_ = [self._axes(ax)]
        for number, drawn in enumerate(terms.values()):
            panel = self.axes_[number if ax is None else 0]
            color = PALETTE[0] if ax is None else PALETTE[number % len(PALETTE)]
            self._plot_term(panel, drawn, {"color": color} | kwargs)
            if ax is None:
                panel.set_title(shorten_label(drawn[0]))
        for panel in self.axes_:
            if self.warmup_epochs:
                panel.axvspan(0, self.warmup_epochs, color="0.5", alpha=0.15, label="warm-up")
            panel.set(xlabel="epoch")
            panel.xaxis.get_major_locator().set_params(integer=True)
            if len(self.history) == 1:
                panel.set_xlim(0, 2)
        self.ax_ = self.axes_[0]
        if ax is None:
            self._add_legend_of_panels()
        else:
            add_legend(self.ax_)
        return self

    def _panels(self, n_terms: int) -> list[Any]:
        """Return axes in rows, on a new figure."""
        n_columns = min(max(n_terms, 1), PANELS_IN_A_ROW)
        n_rows = -(-n_terms // n_columns) or 1
        width, height = PANEL_INCHES
        axes = self._grid(n_rows, n_columns, (width * n_columns, height * n_rows))
        for unused in axes[n_terms:]:
            unused.remove()
        return axes[: max(n_terms, 1)]

    def _plot_term(self, ax: Any, columns: list[str], style: dict[str, Any]) -> None:
        """Plot a term, on training rows and, dashed, on those held out."""
        epochs = self.history.get("epoch", range(1, len(self.history) + 1))
        for column in columns:
            line = "--" if column.startswith("valid_") else "-"
            label = {"label": shorten_label(column), "linestyle": line}
            values = self.history[column]
            values = values.mask(values < MISSED) if column == "monitor" else values
            marker = {"marker": "."} if values.count() < FEW_EPOCHS else {}
            ax.plot(epochs, values, **label | marker | style)

    def _add_legend_of_panels(self) -> None:
        """Say under the panels what is dashed and what is shaded, where either is."""
        kinds = {line.get_linestyle(): line for panel in self.axes_ for line in panel.lines}
        if "--" not in kinds and not self.warmup_epochs:
            return
        names = {"-": "training rows", "--": "held-out rows"}
        entries = {names.get(style, style): line for style, line in kinds.items()}
        for patch in self.ax_.patches:
            entries["warm-up"] = patch
        self.figure_.legend(
            entries.values(), entries.keys(), loc="outside lower center", ncols=3, frameon=False
        )
