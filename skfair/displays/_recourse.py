"""How far the members of each group are from acceptance."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from .._estimators import decision_arguments
from .._groups import GroupEncoder, as_frame, group_name
from .._tables import as_pandas
from .._warnings import ignored
from ..metrics._gaps import widest_pair
from ..metrics._recourse import burdens, recourse_gap
from ._base import (
    MAX_LABEL_CHARACTERS,
    PALETTE,
    Display,
    add_legend,
    fit_labels,
    fit_rows,
    is_narrow,
    label_rows,
    opacity,
)

__all__ = ["RecourseGapDisplay"]

MAX_HISTOGRAMS = 3  # more lie over each other until none can be told
QUANTILES = 0.1, 0.25, 0.5, 0.75, 0.9


class RecourseGapDisplay(Display):
    """Distribution of the distance to acceptance in each group, and the recourse gap.

    Made by :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    distances : dict of str to ndarray
        For each group, the distance of its refused members.
    means : dict of str to float
        For each group, the mean over all members, with zero for the accepted (FaiR-N, Eq. 1).
    gap : float
        The recourse gap: with more than two groups the largest difference between two of them,
        which the title names.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the last plot.
    figure_ : matplotlib.figure.Figure
        Its figure.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skfair.datasets import make_biased_classification
    >>> from skfair.displays import RecourseGapDisplay
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = LogisticRegression().fit(X, y)
    >>> display = RecourseGapDisplay.from_estimator(model, X, sensitive_features=group)
    >>> sorted(display.distances)
    ['a', 'b']
    """

    def __init__(self, distances: dict, means: dict, gap: float) -> None:
        self.distances, self.means, self.gap = distances, means, gap

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        sensitive_features: Any,
        unfavorable: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot for a fitted classifier or pipeline.

        Parameters
        ----------
        estimator : classifier
            Fitted.
        X : array-like of shape (n_samples, n_features)
            Input samples.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes)
            Group membership.
        unfavorable : label or list of labels, default=None
            The class(es) that count as refused; ``None``: what the estimator was told, else
            ``classes_[0]``.
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        RecourseGapDisplay
            The display, plotted.
        """
        decision, label_info = decision_arguments(estimator, X, unfavorable)
        return cls.from_predictions(
            decision, sensitive_features=sensitive_features, ax=ax, **label_info, **kwargs
        )

    @classmethod
    def from_predictions(
        cls,
        decision: Any,
        *,
        sensitive_features: Any,
        unfavorable: Any = None,
        classes: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot for decision values.

        Parameters
        ----------
        decision : array-like of shape (n_samples,) or (n_samples, n_classes)
            Decision values, as in :func:`~skfair.metrics.recourse_gap`.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes)
            Group membership.
        unfavorable : label or list of labels, default=None
            The class(es) that count as refused.
        classes : array-like of shape (n_classes,), default=None
            Class labels in the order of the columns.
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        RecourseGapDisplay
            The display, plotted.
        """
        label_info = {"unfavorable": unfavorable, "classes": classes}
        distance = burdens(decision, **label_info)
        encoder, frame = GroupEncoder(), as_frame(sensitive_features, len(distance))
        codes = encoder.encode(frame)[:, 0]
        known = codes >= 0
        with ignored("(Nobody|Everybody) is refused"):  # burdens has said it
            decision = np.asarray(as_pandas(decision))[known]
            gap = recourse_gap(decision, sensitive_features=frame[known], **label_info)
        distances, means = {}, {}
        for code, group in enumerate(encoder.labels):
            members = distance[codes == code]
            name = group_name(group)
            distances[name], means[name] = members[members > 0], float(members.mean())
        return cls(distances, means, gap).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, bins: Any = 30, **kwargs: Any) -> Self:
        """Plot each group's distances, and its mean.

        Two or three groups are histograms; of more each has a row, with intervals that hold the
        middle 80 and 50 % of its refused, and a diamond at the mean over all its members, by which
        rows are ordered: the gap is the difference between the first and the last one.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        bins : int or array-like, default=30
            Of the histograms, which share them.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.hist`, or for :meth:`matplotlib.axes.Axes.hlines`.

        Returns
        -------
        RecourseGapDisplay
            This display.
        """
        many = len(self.distances) > MAX_HISTOGRAMS
        ax = self._axes(ax, len(self.distances) if many else None)
        title = f"recourse gap {self.gap:.3f}"
        if many:
            title += ", first to last row"
        elif len(self.means) > 2:
            names = fit_labels(ax, self.means)
            high, low = widest_pair(list(self.means.values()))
            line = " / " if len(names[high]) + len(names[low]) < MAX_LABEL_CHARACTERS else " /\n"
            title += f"\n({names[high]}{line}{names[low]})"
        place = {"loc": "right"} if many else {}  # labels of rows may leave the middle no room
        size = {"fontsize": "medium"} if is_narrow(ax) else {}
        ax.set_title(title, **place, **size)
        ax.set_xlabel("distance of the refused", **place)
        if many:
            self._plot_intervals(ax, kwargs)
        else:
            self._plot_histograms(ax, bins, kwargs)
        add_legend(ax, below=many)
        if many:
            fit_rows(ax)
        return self

    def _plot_histograms(self, ax: Any, bins: Any, kwargs: dict) -> None:
        everybody = np.concatenate(list(self.distances.values()))
        edges = np.histogram_bin_edges(everybody, bins) if len(everybody) else 1
        labels = fit_labels(ax, self.distances)
        for (name, values), label in zip(self.distances.items(), labels, strict=True):
            label = f"{label} (mean over all members {self.means[name]:.2f})"
            style = {"density": True, "alpha": opacity(ax), "label": label} | kwargs
            bars = ax.hist(values, edges, **style)[2]
            color = bars[0].get_facecolor() if len(bars) else None
            ax.axvline(self.means[name], color=color, alpha=1.0, linestyle="--")
        ax.set(ylabel="density")

    def _plot_intervals(self, ax: Any, kwargs: dict) -> None:
        """Plot a row for each group, the one that is furthest from acceptance on top."""
        names = sorted(self.means, key=self.means.__getitem__)
        rows = np.arange(len(names))
        quantiles = np.array(
            [
                np.quantile(self.distances[name], QUANTILES)
                if len(self.distances[name])
                else np.full(len(QUANTILES), np.nan)
                for name in names
            ]
        )
        for (first, last), width, share in ((0, -1), 1.5, 80), ((1, -2), 5, 50):
            style = {
                "color": PALETTE[0],
                "linewidth": width,
                "label": f"middle {share} %",
            }
            ax.hlines(rows, quantiles[:, first], quantiles[:, last], **style | kwargs)
        means = [self.means[name] for name in names]
        ax.plot(means, rows, "D", color=PALETTE[5], markersize=5, label="mean over all members")
        label_rows(ax, fit_labels(ax, names))
        ax.set(xlim=(0, None))
