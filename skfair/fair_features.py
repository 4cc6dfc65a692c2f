"""Networks whose features do not tell the group."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from numbers import Integral, Real
from typing import Any, Unpack, cast

import numpy as np
import pandas as pd
import torch
from scipy.sparse import issparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import Interval

from ._groups import MAX_GROUPS
from ._tensors import takes_tensors
from .metrics._fresh import fresh_scores
from .objectives import Comparison, Objective, Player
from .objectives.fair_features import (
    SensitiveAttribute,
    fair_features_terms,
    forward_with_guesses,
    make_sensitive_head,
)
from .training import NeuralClassifier, inherit_parameters
from .training._base import Plan
from .training._batches import iterate_rows
from .training._device import resolve_device
from .training._parameters import UnsizedParameters
from .training._recipe import Architecture, optimizer_options
from .training._rows import TrainingData, select_rows
from .training._targets import Targets

__all__ = ["FairFeaturesClassifier"]

MAX_SCORED_ROWS = 10_000  # that a fresh classifier learns from
MIN_SCORED_ROWS = 10  # different ones, on which it is tested
SCORE_COLUMNS = ("attribute", "classifier", "accuracy", "roc_auc", "majority")


@inherit_parameters(NeuralClassifier)
class FairFeaturesClassifier(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NeuralClassifier):
    """Neural network whose features do not tell the group, and a transformer that returns them.

    A body makes ``embedding_size`` features, a linear head decides by them, and a sensitive head
    guesses the group from them [1]_ [2]_. The network minimizes

        cross-entropy + ``alpha`` * (mean log(1 + abs(0.9 - P(target))) - ``reversal`` * C),

    where P(target) is the sensitive head's probability that the row belongs to the target group
    and C its cross-entropy; the sensitive head minimizes C. With ``reversal=0`` this is the
    objective of [1]_, A.2, as printed.

    Parameters
    ----------
    alpha : float >= 0, default=1.0
        Weight of what hides the group.
    target_group : group label or list of group labels, default=None
        The group, one of ``groups_``, to which everybody's features are to seem to belong; with
        ``attributes="sum"`` a list may name one for each attribute. ``None`` is the group with the
        most (weighted) training rows, which is what a sensitive head without information guesses.
        The accuracy of the *other* groups suffers most ([1]_, Table 3).
    reversal : float >= 0, default=3.0
        Weight of the reversed loss of the sensitive head [3]_. The printed objective, 0, fools the
        sensitive head it meets and leaves the group in the features; see the notes.
    embedding_size : int, default=16
        Number of features. ``module`` is called with it as its number of outputs.
    sensitive_layer_sizes : sequence of int, default=(64, 64)
        Width of each hidden layer of the sensitive head, a perceptron.
    adversary_steps : int >= 1, default=3
        Steps of the sensitive head before each step of the network.
    adversary_lr : float > 0, default=2e-3
        Learning rate of the sensitive head, whose optimizer is Adam.
    score_fraction : float in [0, 1), default=0.1
        Share of the training rows on which ``sensitive_score_`` is computed. Their group is kept
        from both networks; the labels are learned from all rows. 0 gives no score.
    averaging : float in [0, 1], default=0.25
        Share of the last steps whose weights are averaged, as in the other networks.
    unfavorable : label or list of labels, default=None
        The class(es) that call for recourse; ``None`` is ``classes_[0]``. The scorers ask the
        estimator for it.
    hidden_layer_sizes : sequence of int, default=(64, 64, 64)
        Width of each hidden layer of the default body, which has one layer more.
    {network_parameters}

    Attributes
    ----------
    target_group_ : group label, list of group labels or None
        The target group, one for each attribute with ``attributes="sum"``; ``None`` without groups.
    sensitive_score_ : float
        How well the group can still be told from the features: accuracy of the better one of two
        fresh classifiers (logistic regression and gradient boosting), trained on the features of at
        most 10,000 rows and tested on rows whose group neither network has seen
        (``score_fraction``). NaN without groups, after ``partial_fit`` and where fewer than 10
        different rows could be tested on. With ``attributes="sum"`` that of the attribute which can
        be told best, beyond its majority.
    sensitive_majority_ : float
        Share of the tested rows that belong to the group with the most rows in training: the
        accuracy of a guess without features.
    sensitive_scores_ : pandas.DataFrame
        Accuracy and area under the ROC curve (a mean over groups) of both fresh classifiers. The
        area shows information that changes nobody's most likely group.
    {attributes}

    Notes
    -----
    Where the sensitive head is as good as can be, its mean P(target) is the target group's share,
    whatever the features are. log(1.9 - P) is concave in P, so the printed penalty is then
    *smaller* for features from which the group can be told, some rows at .9 and the others far
    below, than for features without information. The network does no more than keep away from the
    sensitive head it meets: on Adult fresh classifiers tell the sex in 84 to 99 % of the rows after
    it, and in 86 % without any game. C is greatest, and the reversed loss least, exactly where the
    features have no information, so that the two players disagree about one number.

    In the penalty and in C every row counts alike with ``group_weights="share"``, every group with
    "equal".

    Which rows are held out for the score depends on their features alone: copies of a row are on
    the same side, and so are the rows of every fit to the same data.

    Features without information about the group cannot decide at different rates for the groups.
    Where labels differ between groups, accuracy is the price ([1]_, section 5).

    References
    ----------
    .. [1] V. Cherepanova, V. Nanda, M. Goldblum, J. P. Dickerson, T. Goldstein. Technical
       Challenges for Training Fair Neural Networks. 2021.
    .. [2] A. Morales, J. Fierrez, R. Vera-Rodriguez, R. Tolosana. SensitiveNets: Learning Agnostic
       Representations with Application to Face Images. 2020.
    .. [3] Y. Ganin, V. Lempitsky. Unsupervised Domain Adaptation by Backpropagation. ICML 2015.

    Examples
    --------
    >>> from skfair import FairFeaturesClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = FairFeaturesClassifier(random_state=0)
    >>> model.fit_transform(X, y, sensitive_features=group).shape
    (1000, 16)
    >>> 0.4 < model.sensitive_majority_ < 0.6
    True
    """

    _parameter_constraints = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "target_group": "no_validation",
        "reversal": [Interval(Real, 0, None, closed="left")],
        "embedding_size": [Interval(Integral, 1, None, closed="left")],
        "sensitive_layer_sizes": ["array-like"],
        "adversary_steps": [Interval(Integral, 1, None, closed="left")],
        "adversary_lr": [Interval(Real, 0, None, closed="neither")],
        "score_fraction": [Interval(Real, 0, 1, closed="left")],
        "averaging": [Interval(Real, 0, 1, closed="both")],
        "unfavorable": "no_validation",
    }

    target_group_: Any
    sensitive_score_: float
    sensitive_majority_: float
    _sensitive_layer_sizes: list[int]
    _sensitive_scores: list[dict[str, Any]]

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        target_group: Hashable | Sequence[Hashable] | None = None,
        reversal: float = 3.0,
        embedding_size: int = 16,
        sensitive_layer_sizes: Sequence[int] = (64, 64),
        adversary_steps: int = 3,
        adversary_lr: float = 2e-3,
        score_fraction: float = 0.1,
        averaging: float = 0.25,
        unfavorable: Any = None,
        hidden_layer_sizes: Sequence[int] = (64, 64, 64),
        **network: Unpack[UnsizedParameters],
    ) -> None:
        super().__init__(hidden_layer_sizes=hidden_layer_sizes, **network)
        self.alpha = alpha
        self.target_group = target_group
        self.reversal = reversal
        self.embedding_size = embedding_size
        self.sensitive_layer_sizes = sensitive_layer_sizes
        self.adversary_steps = adversary_steps
        self.adversary_lr = adversary_lr
        self.score_fraction = score_fraction
        self.averaging = averaging
        self.unfavorable = unfavorable

    def _wants_groups(self) -> bool:
        return self.alpha > 0

    def _targets(self) -> Targets:
        return Targets(multi_label=True)

    def _make_architecture(self, input_shape: tuple[int, ...]) -> Architecture:
        self._sensitive_layer_sizes = [int(n) for n in self.sensitive_layer_sizes]
        return replace(
            super()._make_architecture(input_shape),
            head="linear",
            n_head_features=self.embedding_size,
        )

    def _make_objective(self, comparison: Comparison | None, batch_size: int | None) -> Objective:
        attributes = self._attributes(comparison)
        player = Player(
            partial(
                make_sensitive_head,
                self._architecture.n_head_features,
                MAX_GROUPS,  # partial_fit may add some
                self._sensitive_layer_sizes,
            ),
            weights={"sensitive_cross_entropy": 1.0},
            optimizer=torch.optim.Adam,
            options=optimizer_options("adam", self.adversary_lr, 0.0, resolve_device(self.device)),
            steps=self.adversary_steps,
        )
        return Objective(
            partial(fair_features_terms, attributes=attributes),
            weights={
                "penalty": self.alpha,
                "sensitive_cross_entropy": -self.alpha * self.reversal,
            },
            forward=forward_with_guesses,
            players=dict.fromkeys(attributes, player),
        )

    # -- training -----------------------------------------------------------------------------

    def _prepare(
        self,
        data: TrainingData,
        epochs: int | None = None,
        resume: bool = False,
        averaging: float = 0.0,
        keep_state: bool = True,
        by_group: bool = True,
    ) -> Plan:
        self._choose_targets(keep_state and resume)
        groups, hashes, tested = data.groups, None, None
        if by_group and groups is not None and self.score_fraction > 0:
            hashes = row_hashes(data.X)
            tested = held_out_rows(hashes, np.any(groups >= 0, axis=1), self.score_fraction)
            data = replace(data, groups=np.where(tested[:, np.newaxis], -1, groups))
        plan = super()._prepare(data, epochs, resume, averaging, keep_state, by_group)
        return ScoredPlan(**vars(plan), groups=groups, hashes=hashes, tested=tested)

    def _finish(self, plan: Plan) -> None:
        super()._finish(plan)
        self._score_groups(cast(ScoredPlan, plan))

    def _codes_by_attribute(self) -> list[list[int]]:
        attribute_of = self._encoder.attribute_of
        return [
            [code for code, of in enumerate(attribute_of) if of == attribute]
            for attribute in sorted(set(attribute_of))
        ]

    def _choose_targets(self, going_on: bool) -> None:
        """Set ``target_group_``."""
        known = getattr(self, "target_group_", None) if going_on else None
        several = self.attributes == "sum"
        named = self.target_group if isinstance(self.target_group, list) else [self.target_group]
        named = [group for group in named if group is not None]
        unknown = [group for group in named if group not in self.groups_]
        if unknown and self.groups_:
            raise ValueError(
                f"target_group must be one of the groups {self.groups_}, got {unknown[0]!r}."
            )
        chosen = []
        sizes = self._encoder.group_counts.sum(axis=0)
        for attribute, codes in enumerate(self._codes_by_attribute()):
            of_attribute = [g for g in named if self.groups_.index(g) in codes]
            if len(of_attribute) > 1:
                raise ValueError(
                    "target_group must name one group, or one for each attribute with "
                    f"attributes='sum', got {self.target_group!r}."
                )
            if of_attribute:
                chosen.append(of_attribute[0])
            elif known is not None:  # the largest may become another with every call
                chosen.append(known[attribute] if several else known)
            else:
                chosen.append(self.groups_[max(codes, key=sizes.__getitem__)])
        self.target_group_ = chosen if several else (chosen or [None])[0]

    def _attributes(self, comparison: Comparison | None) -> dict[str, SensitiveAttribute]:
        """Say what each sensitive head tells apart, if there are any."""
        if comparison is None or self.alpha == 0:
            return {}
        found, like = {}, comparison.contrasts
        sizes = torch.from_numpy(self._encoder.group_counts.sum(axis=0))
        targets = self.target_group_ if self.attributes == "sum" else [self.target_group_]
        for attribute, codes in enumerate(self._codes_by_attribute()):
            weights = torch.ones(len(codes))
            if self.group_weights == "equal":
                weights = sizes[codes].mean() / sizes[codes].clamp(min=1)
            target = self.groups_.index(targets[attribute])
            found[f"sensitive_{attribute}"] = SensitiveAttribute.of(
                codes, target, weights.to(like), len(self.groups_)
            )
        return found

    # -- features and what they tell ----------------------------------------------------------

    @property
    def _n_features_out(self) -> int:
        return self._architecture.n_head_features

    @takes_tensors
    def transform(self, X: Any) -> np.ndarray:
        """Return the features, for which no group is needed.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or array (n_samples, ...)
            Input samples.

        Returns
        -------
        ndarray of shape (n_samples, embedding_size)
            What the head decides by.
        """
        return self._features(X)

    def _features(self, X: Any) -> np.ndarray:
        """Return the features as an array, whatever ``set_output`` says."""
        return self._logits(X, lambda module, rows: module.body(rows))

    @property
    def sensitive_scores_(self) -> pd.DataFrame:
        """What fresh classifiers tell of the groups (pandas.DataFrame), one row each."""
        return pd.DataFrame(self._sensitive_scores, columns=list(SCORE_COLUMNS))

    def _score_groups(self, plan: ScoredPlan) -> None:
        """Set ``sensitive_score_``, ``sensitive_majority_`` and ``sensitive_scores_``."""
        self._sensitive_scores = []
        self.sensitive_score_ = self.sensitive_majority_ = float("nan")
        data, tested = plan.data, plan.tested
        if plan.groups is None or plan.hashes is None or tested is None or not tested.any():
            return
        columns = self._encoder.group_columns or []
        for attribute, codes in enumerate(plan.groups.T):
            rows = [np.flatnonzero(part & (codes >= 0)) for part in (~tested, tested)]
            rows[0] = least_by_hash(plan.hashes, rows[0], MAX_SCORED_ROWS)
            if len(np.unique(codes[rows[0]])) < 2 or not len(rows[1]):
                continue
            learned, new = (
                (self._features(select_rows(data.raw, part)), codes[part], _at(data.weights, part))
                for part in rows
            )
            name = columns[attribute + 1] if self.attributes == "sum" else None
            for scores in fresh_scores(*learned, *new):
                self._sensitive_scores.append({"attribute": name} | scores)
        if self._sensitive_scores:
            best = max(self._sensitive_scores, key=lambda s: s["accuracy"] - s["majority"])
            self.sensitive_score_ = best["accuracy"]
            self.sensitive_majority_ = best["majority"]


@dataclass(kw_only=True)
class ScoredPlan(Plan):
    """A training that some rows' groups have no part in, as the score is computed on them.

    Attributes
    ----------
    groups : int64 ndarray of shape (n, n_attributes) or None
        Group codes of all rows, also of those without in ``data``.
    hashes : ndarray of shape (n,) or None
        By which rows are chosen; ``None`` if there is to be no score.
    tested : bool ndarray of shape (n,) or None
        The rows whose groups have no part.
    """

    groups: np.ndarray | None
    hashes: np.ndarray | None
    tested: np.ndarray | None


def row_hashes(X: Any) -> np.ndarray:
    """Return a number from 0 to 1 for each row (n,), the same for the same row."""
    digests = (
        blake2b(row, digest_size=8).digest()
        for chunk in iterate_rows(X)
        for row in np.ascontiguousarray(chunk.toarray() if issparse(chunk) else chunk)
    )
    return np.frombuffer(b"".join(digests), dtype="<u8") / 2.0**64


def held_out_rows(hashes: np.ndarray, known: np.ndarray, share: float) -> np.ndarray:
    """Choose a share of the rows whose group is known (bool ndarray of shape (n,)).

    None at all if there would be too few: weights are then still repetitions.
    """
    tested = known & (hashes < share)
    enough = len(np.unique(hashes[tested])) >= MIN_SCORED_ROWS
    return tested if enough else np.zeros_like(tested)


def least_by_hash(hashes: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """Choose ``n`` of the rows, or all."""
    return rows if len(rows) <= n else rows[np.argsort(hashes[rows], kind="stable")[:n]]


def _at(weights: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if weights is None else weights[rows]
