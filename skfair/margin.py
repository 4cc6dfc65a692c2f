"""Networks with an angular margin for each group."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any, Unpack

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch.nn import functional

from ._tensors import takes_tensors
from .networks._heads import HeadedNetwork
from .objectives import Comparison, Objective
from .objectives.margins import margin_terms
from .objectives.penalties import names_of
from .training import NetworkParameters, NeuralClassifier, inherit_parameters
from .training._penalized import PenalizedClassifier
from .training._recipe import Architecture

__all__ = ["MarginClassifier"]


def unit_features(module: HeadedNetwork, X: torch.Tensor) -> torch.Tensor:
    """Features that the head sees, of unit length."""
    return functional.normalize(module.body(X))


@inherit_parameters(NeuralClassifier)
class MarginClassifier(PenalizedClassifier):
    """Neural network whose features keep classes apart by an angle (CosFace).

    The network makes ``embedding_size`` features; logits are ``scale`` times their cosines with a
    vector for each class. In training a margin is subtracted from the cosine of a row's own class
    [1]_, a larger one for a group whose members are to be kept apart better ([2]_, section 4.4).
    Predictions know of no margin. For recognition of people who were not there in training the
    classes are dropped: :meth:`embed` gives the features, to be compared by their angles
    (:func:`~skfair.metrics.rank1_accuracy`).

    Parameters
    ----------
    margin : float >= 0, default=0.35
        Margin of every row that ``group_margins`` does not say otherwise of, in units of the
        cosine. 0 is a softmax on scaled cosines.
    group_margins : dict of group label to float >= 0, default=None
        Margins of groups, by their labels in ``groups_``: ``{"F": 0.75}``; a tuple of values where
        there are several sensitive features. With ``attributes="sum"`` the keys are pairs (feature,
        value), and what a row's groups add to ``margin`` is added up. skops stores no tuples as
        keys; pickle does.
    scale : float > 0, default=30.0
        What the cosines are multiplied by.
    focal : float >= 0, default=2.0
        Exponent of the focal loss: (1 - p)^focal, where p is the predicted probability of the
        row's class less the margin, multiplies the cross-entropy. 0 is the cross-entropy itself.
    embedding_size : int, default=64
        Number of features. ``module`` is called with it as its number of outputs.
    penalty : {"equal_loss", "max_min"} or None, default=None
        Penalty on the groups' losses, margins and ``focal`` included, as in
        :class:`PenaltyClassifier`.
    alpha : float >= 0, default=1.0
        Weight of the penalty.
    penalty_on : {"train", "holdout"}, default="train"
        Whether the penalty is computed on the rows of the batch, or on a part of the training data
        that takes no part in the classification.
    holdout_fraction : float in (0, 1), default=0.1
        Share of the training data held out for ``penalty_on="holdout"``.
    group_memory : int >= 0, default=5120
        Number of rows that the groups' losses in the penalty remember; 0 takes each batch by
        itself. At most a quarter of the training rows.
    averaging : float in [0, 1], default=0.25
        Share of the last steps whose weights are averaged, as in the other networks.
    {network_parameters}

    Attributes
    ----------
    {attributes}

    Notes
    -----
    In [2]_ a larger margin for women helps them among the people of the training data and harms
    them among others. :doc:`/user_guide/margins` has what it does on faces here.

    References
    ----------
    .. [1] H. Wang et al. CosFace: Large Margin Cosine Loss for Deep Face Recognition. CVPR 2018.
    .. [2] V. Cherepanova, V. Nanda, M. Goldblum, J. P. Dickerson, T. Goldstein. Technical
       Challenges for Training Fair Neural Networks. 2021.

    Examples
    --------
    >>> from skfair import MarginClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = MarginClassifier(group_margins={"a": 0.5}, max_epochs=20, random_state=0)
    >>> model = model.fit(X, y, sensitive_features=group)
    >>> model.predict(X[:3]).shape, model.embed(X[:3]).shape
    ((3,), (3, 64))
    """

    _parameter_constraints = {
        "margin": [Interval(Real, 0, None, closed="left")],
        "group_margins": [dict, None],
        "scale": [Interval(Real, 0, None, closed="neither")],
        "focal": [Interval(Real, 0, None, closed="left")],
        "embedding_size": [Interval(Integral, 1, None, closed="left")],
        "penalty": [StrOptions(set(names_of(binary=False))), None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "penalty_on": [StrOptions({"train", "holdout"})],
        "holdout_fraction": [Interval(Real, 0, 1, closed="neither")],
        "group_memory": [Interval(Integral, 0, None, closed="left")],
        "averaging": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        *,
        margin: float = 0.35,
        group_margins: Mapping[Hashable, float] | None = None,
        scale: float = 30.0,
        focal: float = 2.0,
        embedding_size: int = 64,
        penalty: str | None = None,
        alpha: float = 1.0,
        penalty_on: str = "train",
        holdout_fraction: float = 0.1,
        group_memory: int = 5120,
        averaging: float = 0.25,
        **network: Unpack[NetworkParameters],
    ) -> None:
        super().__init__(**network)
        self.margin = margin
        self.group_margins = group_margins
        self.scale = scale
        self.focal = focal
        self.embedding_size = embedding_size
        self.penalty = penalty
        self.alpha = alpha
        self.penalty_on = penalty_on
        self.holdout_fraction = holdout_fraction
        self.group_memory = group_memory
        self.averaging = averaging

    def _validate_params(self) -> None:
        super()._validate_params()
        for group, margin in (self.group_margins or {}).items():
            if not (isinstance(margin, Real) and 0 <= margin < np.inf):
                raise ValueError(
                    f"group_margins must hold non-negative finite numbers, got {margin!r} for "
                    f"{group!r}."
                )

    def _wants_groups(self) -> bool:
        return bool(self.group_margins) or super()._wants_groups()

    def _make_architecture(self, input_shape: tuple[int, ...]) -> Architecture:
        return replace(
            super()._make_architecture(input_shape),
            head="cosine",
            n_head_features=self.embedding_size,
            head_options={"scale": self.scale},
        )

    def _make_objective(self, comparison: Comparison | None, batch_size: int | None) -> Objective:
        objective = super()._make_objective(comparison, batch_size)
        terms = partial(
            margin_terms,
            terms=objective.terms,
            scale=self._architecture.head_options["scale"],  # of the head, while training goes on
            margin=self.margin,
            group_margins=None if comparison is None else self._margins_of_groups(comparison),
        )
        return replace(objective, terms=terms)

    def _margins_of_groups(self, comparison: Comparison) -> torch.Tensor | None:
        """Margins of ``groups_``, where groups have their own.

        Raises
        ------
        ValueError
            If a group is not known.
        """
        if not self.group_margins:
            return None
        if unknown := [group for group in self.group_margins if group not in self.groups_]:
            raise ValueError(
                f"group_margins names {unknown}, which do not occur in sensitive_features; "
                f"the groups are {self.groups_}."
            )
        margins = [self.group_margins.get(group, self.margin) for group in self.groups_]
        like = comparison.contrasts
        return torch.tensor(margins, dtype=like.dtype, device=like.device)

    @takes_tensors
    def embed(self, X: Any) -> np.ndarray:
        """Return the features without the classes, for people who were not there in training.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or array (n_samples, ...)
            Input samples.

        Returns
        -------
        ndarray of shape (n_samples, embedding_size)
            Of unit length, as the classes see them: neighbors by cosine and by Euclidean distance
            are the same.
        """
        return self._logits(X, unit_features)
