"""A metric in all intersections of groups."""

from __future__ import annotations

from typing import Any, Self

import pandas as pd

from .._estimators import accepted_codes, check_classifier
from .._rates import RATES
from ..metrics import subgroup_report
from ._base import (
    NEUTRAL,
    PALETTE,
    Display,
    add_legend,
    fit_labels,
    fit_rows,
    label_rows,
    shorten_label,
)

__all__ = ["SubgroupDisplay"]


class SubgroupDisplay(Display):
    """Value of a metric in each subgroup, with confidence intervals.

    Made by :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    report : DataFrame
        From :func:`~skfair.metrics.subgroup_report`.
    metric : str
        Name of the metric.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the last plot.
    figure_ : matplotlib.figure.Figure
        Its figure.

    Examples
    --------
    >>> import numpy as np
    >>> from skfair.displays import SubgroupDisplay
    >>> rng = np.random.default_rng(0)
    >>> y, predicted, group = rng.integers(0, 2, (3, 200))
    >>> display = SubgroupDisplay.from_predictions(y, predicted, sensitive_features=group)
    >>> len(display.report)
    2
    """

    def __init__(self, report: pd.DataFrame, metric: str = "metric") -> None:
        self.report, self.metric = report, metric

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sensitive_features: Any,
        unfavorable: Any = None,
        ax: Any = None,
        **kw: Any,
    ) -> Self:
        """Plot for a fitted classifier or pipeline.

        Parameters
        ----------
        estimator : classifier
            Fitted.
        X : array-like of shape (n_samples, n_features)
            Input samples.
        y : array-like of shape (n_samples,)
            Labels.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes)
            Group membership.
        unfavorable : label or list of labels, default=None
            For rates: the class(es) that are not positive; ``None``: what the estimator was told,
            else ``classes_[0]``. ``pos_label`` in ``kw`` wins.
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        **kw : dict
            For :func:`~skfair.metrics.subgroup_report`, such as ``metric`` and ``max_depth``.

        Returns
        -------
        SubgroupDisplay
            The display, plotted.
        """
        check_classifier(estimator)
        y_pred, metric = estimator.predict(X), kw.get("metric", "accuracy")
        is_rate = isinstance(metric, str) and metric in RATES and metric != "accuracy"
        if is_rate and kw.get("pos_label") is None:
            y, y_pred, baseline = (
                None if labels is None else accepted_codes(estimator, labels, unfavorable, name)
                for name, labels in (
                    ("y", y),
                    ("predict", y_pred),
                    ("baseline", kw.get("baseline")),
                )
            )
            kw |= {"pos_label": 1, "baseline": baseline}
        return cls.from_predictions(y, y_pred, sensitive_features=sensitive_features, ax=ax, **kw)

    @classmethod
    def from_predictions(
        cls, y_true: Any, y_pred: Any, *, sensitive_features: Any, ax: Any = None, **kw: Any
    ) -> Self:
        """Plot for predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,)
            Labels and predictions.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes)
            Group membership.
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        **kw : dict
            For :func:`~skfair.metrics.subgroup_report`, such as ``metric`` and ``max_depth``.

        Returns
        -------
        SubgroupDisplay
            The display, plotted.
        """
        report = subgroup_report(y_true, y_pred, sensitive_features=sensitive_features, **kw)
        metric = kw.get("metric", "accuracy")
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", "metric")
        return cls(report, name).plot(ax=ax)

    def plot(self, *, ax: Any = None, max_groups: int = 20, **kwargs: Any) -> Self:
        """Plot a point and an interval for each group.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        max_groups : int, default=20
            Number of groups to show, those that deviate most.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        SubgroupDisplay
            This display.
        """
        shown = self.report.head(max_groups).iloc[::-1].reset_index(drop=True)
        ax = self._axes(ax, len(shown))
        for called, color, label in (
            (True, PALETTE[5], "differs from everybody else"),
            (False, PALETTE[0], "no evidence of a difference"),
        ):
            rows = shown[shown["significant"] == called]
            if len(rows):
                width = [rows["value"] - rows["lower"], rows["upper"] - rows["value"]]
                style = {"fmt": "o", "color": color, "label": label, "capsize": 2}
                ax.errorbar(rows["value"], rows.index, xerr=width, **style | kwargs)
        everybody = (shown["value"] - shown["deviation"]).iloc[0]
        ax.axvline(everybody, color=NEUTRAL, linestyle=":", label="everybody")
        names = zip(fit_labels(ax, shown["group"]), shown["size"], strict=True)
        label_rows(ax, [f"{name} ({n})" for name, n in names])
        ax.set_xlabel(shorten_label(self.metric))
        add_legend(ax, below=True)
        fit_rows(ax)
        return self
