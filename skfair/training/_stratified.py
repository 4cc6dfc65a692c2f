"""Estimators that compare groups within strata of control features."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any, Self

import torch
from sklearn.utils._param_validation import StrOptions

from .._tables import SHOWN
from .._tensors import takes_tensors
from .._warnings import warn
from ..objectives import Comparison
from ..objectives.strata import Strata
from ._base import NeuralClassifier

CONTROL_PARAMETERS: Mapping[str, list] = {
    "control_columns": [str, Integral, "array-like", slice, callable, None],
    "control_aggregate": [StrOptions({"mean", "worst"})],
}


class StratifiedTraining(NeuralClassifier):
    """Mixin for estimators with ``control_columns`` and ``control_aggregate``.

    A subclass hands :meth:`_strata` to its objective where the training rows have some.
    """

    control_columns: Any
    control_aggregate: str

    __metadata_request__fit = {"sensitive_features": True, "control_features": True}
    __metadata_request__partial_fit = {"sensitive_features": True, "control_features": True}

    # -- what a subclass states ---------------------------------------------------------------

    def _without_strata(self) -> Mapping[str, Any]:
        """Return the parameters that have to have these values where there are strata."""
        return {}

    # -- fitting ------------------------------------------------------------------------------

    @takes_tensors
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sensitive_features: Any = None,
        sample_weight: Any = None,
        control_features: Any = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X, y, sensitive_features, sample_weight : array-like
            As in :meth:`NetworkClassifier.fit <skfair.NetworkClassifier.fit>`.
        control_features : array-like of shape (n_samples,) or (n_samples, n_features), default=None
            What legitimately explains a difference between groups, in at most 50 different values.
            Wins over ``control_columns``. Rows where it is missing take no part in the penalty.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data do not fit together, there is one class or one group only, a parameter is
            out of range, or the loss becomes NaN; the estimator is then left as it was.
        """
        self._check_control(control_features is not None)
        return self._fit(X, y, sensitive_features, sample_weight, control_features=control_features)

    _encode_and_train = fit

    @takes_tensors
    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        *,
        sensitive_features: Any = None,
        sample_weight: Any = None,
        control_features: Any = None,
    ) -> Self:
        """Train for one epoch on the given rows, continuing from the previous solution.

        Parameters
        ----------
        X, y : array-like
            As in :meth:`fit`.
        classes : array-like of shape (n_classes,), default=None
            All labels that can occur; needed in the first call unless its ``y`` has them all.
        sensitive_features, sample_weight, control_features : array-like, default=None
            As in :meth:`fit`. Groups and strata that were not seen before are added.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        self._check_control(control_features is not None)
        return self._partial_fit(
            X, y, sensitive_features, sample_weight, classes, control_features=control_features
        )

    def _check_control(self, passed: bool) -> None:
        """Refuse parameters that compare groups otherwise."""
        if not passed and self.control_columns is None:
            return
        for name, needed in self._without_strata().items():
            if (given := getattr(self, name)) != needed:
                raise ValueError(
                    f"{name}={given!r} compares groups in all rows, and not within strata of "
                    f"control features; these need {name}={needed!r}."
                )

    def _strata(self, comparison: Comparison, at_once: bool) -> Strata:
        """Say how groups are compared within the strata of the training rows."""
        counts = torch.from_numpy(self._encoder.stratum_counts).to(comparison.members)
        of_groups = counts.sum(1)
        n_present = (of_groups > 0).to(counts) @ (comparison.members != 0).to(counts).mT
        alone = (n_present < 2).all(-1)
        if alone.any():
            labels = [self._encoder.strata[i] for i in alone.nonzero().flatten().tolist()]
            warn(
                f"{int(alone.sum())} of {len(alone)} strata of control_features have members of "
                f"fewer than two groups, and nothing is compared there: {labels[:SHOWN]}"
                f"{' and more' if len(labels) > SHOWN else ''}.",
            )
        return Strata(
            shares=of_groups.sum(-1) / of_groups.sum(),
            counts=None if comparison.counts is None else counts,
            worst=self.control_aggregate == "worst",
            at_once=at_once,
        )
