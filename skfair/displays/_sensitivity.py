"""Prediction sensitivities of two kinds of predictions."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.utils import check_consistent_length, column_or_1d

from ..metrics import prediction_sensitivity
from ._base import NEUTRAL, Display, add_legend, opacity

__all__ = ["SensitivityDisplay"]


class SensitivityDisplay(Display):
    """Prediction sensitivities, of matching and other predictions (Auditability, Fig. 2 to 5).

    Made by :meth:`from_estimator` or :meth:`from_predictions`. The paper compares a model's
    predictions with those of a fair model: where the two differ, the sensitivity should be greater.

    Parameters
    ----------
    sensitivity : ndarray of shape (n_samples,)
        Of each prediction.
    match : ndarray of bool of shape (n_samples,) or None
        Which predictions agree with those of a fair model.

    Attributes
    ----------
    roc_auc : float or None
        How well the sensitivity tells predictions that do not match from those that do.
    ax_ : matplotlib.axes.Axes
        Axes of the last plot.
    figure_ : matplotlib.figure.Figure
        Its figure.

    Examples
    --------
    >>> from skfair.displays import SensitivityDisplay
    >>> display = SensitivityDisplay.from_predictions([0.1, 0.2, 0.6], [True, True, False])
    >>> display.roc_auc
    1.0
    """

    def __init__(self, sensitivity: np.ndarray, match: np.ndarray | None = None) -> None:
        self.sensitivity, self.match = sensitivity, match
        self.roc_auc: float | None = None
        if match is not None and 0 < match.sum() < len(match):
            self.roc_auc = float(roc_auc_score(~match, sensitivity))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        sensitive_columns: Any,
        match: Any = None,
        kind: str = "hist",
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
        sensitive_columns : str, int, list, slice or callable
            Columns of X that hold the sensitive attribute(s).
        match : array-like of bool of shape (n_samples,) or classifier, default=None
            Which predictions match; of a fitted classifier, those that it makes too.
        kind : {"hist", "roc"}, default="hist"
            What to plot.
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        **kwargs : dict
            For :func:`~skfair.metrics.prediction_sensitivity`.

        Returns
        -------
        SensitivityDisplay
            The display, plotted.
        """
        found = prediction_sensitivity(estimator, X, sensitive_columns=sensitive_columns, **kwargs)
        if hasattr(match, "predict"):
            match = np.asarray(match.predict(X)) == np.asarray(estimator.predict(X))
        return cls.from_predictions(found, match, kind=kind, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        sensitivity: Any,
        match: Any = None,
        *,
        kind: str = "hist",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot sensitivities.

        Parameters
        ----------
        sensitivity : array-like of shape (n_samples,)
            Of each prediction.
        match : array-like of bool of shape (n_samples,), default=None
            Which predictions agree with those of a fair model.
        kind : {"hist", "roc"}, default="hist"
            What to plot.
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        SensitivityDisplay
            The display, plotted.
        """
        sensitivity = column_or_1d(sensitivity).astype(float)
        if match is not None:
            match = column_or_1d(match).astype(bool)
            check_consistent_length(sensitivity, match)
        return cls(sensitivity, match).plot(kind=kind, ax=ax, **kwargs)

    def plot(self, *, kind: str = "hist", ax: Any = None, bins: Any = 30, **kwargs: Any) -> Self:
        """Plot histograms or the ROC curve.

        Parameters
        ----------
        kind : {"hist", "roc"}, default="hist"
            Histograms of the two kinds of predictions, or how well a threshold on the sensitivity
            tells them apart.
        ax : matplotlib.axes.Axes, default=None
            Where to plot, new axes if ``None``.
        bins : int or array-like, default=30
            Of the histograms, which share them.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.hist` or :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        SensitivityDisplay
            This display.

        Raises
        ------
        ValueError
            If ``kind`` is unknown, or there is no ROC curve as all or no predictions match.
        """
        if kind not in ("hist", "roc"):
            raise ValueError(f"kind must be 'hist' or 'roc', got {kind!r}.")
        if kind == "hist":
            self._plot_histograms(self._axes(ax), bins, kwargs)
        elif self.match is None or self.roc_auc is None:
            raise ValueError("kind='roc' needs match with both True and False in it.")
        else:
            self._plot_roc(self._axes(ax), ~self.match, kwargs)
        add_legend(self.ax_)
        return self

    def _plot_roc(self, ax: Any, differs: np.ndarray, kwargs: dict) -> None:
        false, true, _ = roc_curve(differs, self.sensitivity)
        ax.plot(false, true, **{"label": f"AUC {self.roc_auc:.2f}"} | kwargs)
        ax.plot([0, 1], [0, 1], ":", color=NEUTRAL)
        ax.set(xlabel="share of matching predictions", ylabel="share of the others", aspect=1)

    def _plot_histograms(self, ax: Any, bins: Any, kwargs: dict) -> None:
        edges = np.histogram_bin_edges(self.sensitivity, bins)
        parts = {"predictions": np.ones(len(self.sensitivity), dtype=bool)}
        if self.match is not None:
            parts = {"matching": self.match, "not matching": ~self.match}
        for name, rows in parts.items():
            values = self.sensitivity[rows]
            mean = f", mean {values.mean():.3g}" if len(values) else ""
            style = {"density": len(values) > 0, "alpha": opacity(ax), "label": f"{name}{mean}"}
            ax.hist(values, edges, **style | kwargs)
        ax.set(xlabel="prediction sensitivity", ylabel="density")
