"""Label flipping: worse labels for the group that a plain model serves best."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Hashable
from functools import wraps
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter
from skorch.callbacks import Callback

from ._labels import flip_labels
from ._random import own_generator
from ._tensors import takes_tensors
from ._warnings import warn
from .objectives import Comparison, Objective
from .objectives.classification import classification_terms
from .training import NeuralClassifier
from .training._base import all_or_nothing, inner_tags
from .training._flipping import FlipLabels
from .training._outcome import FitInterruptedWarning, warn_of_groups_left_out
from .training._prepare import Targets, TrainingData, check_table, kept, prepare, take

__all__ = ["LabelFlipClassifier"]

# What concerns any estimator, not only a network; and what is idle without early stopping.
SHARED = (
    "sensitive_columns",
    "drop_sensitive_columns",
    "attributes",
    "class_weight",
    "random_state",
)
IDLE = ("validation_fraction", "n_iter_no_change", "tol")
FOLDS = 3
OF_NETWORK = ("net_", "n_iter_", "_architecture", "_trained_dtype", "_runs_in_float64")


def _own_network(classifier: LabelFlipClassifier) -> bool:
    """Whether a network answers: once fitted, what was fitted, whatever the parameters say now."""
    if hasattr(classifier, "net_") or hasattr(classifier, "estimator_"):
        return hasattr(classifier, "net_")
    return classifier.estimator is None


def _trains_network(classifier: LabelFlipClassifier) -> bool:
    return classifier.estimator is None


def _delegated(method: str) -> Callable:
    """Return a method that the given estimator answers, if there is one and it can."""
    of_network = getattr(NeuralClassifier, method)

    def available(classifier: LabelFlipClassifier) -> bool:
        if _own_network(classifier):
            return True
        return hasattr(getattr(classifier, "estimator_", classifier.estimator), method)

    @takes_tensors
    @wraps(of_network)
    def answer(self: LabelFlipClassifier, X: Any) -> np.ndarray:
        if _own_network(self):
            return of_network(self, X)
        check_is_fitted(self)
        X = kept(self, check_table(self, X, reset=False))
        return getattr(self.estimator_, method)(X)

    return available_if(available)(answer)


class LabelFlipClassifier(NeuralClassifier):
    """Classifier trained on randomly flipped labels of one group.

    The group for which a plain model is most accurate gets a share of wrong labels, which is meant
    to bring its accuracy down to that of the others [1]_ (section 6). A baseline: it levels down,
    and which share helps is a matter of trial. With two classes the model sees through a share well
    below one half: confidences fall, but few decisions change.

    Parameters
    ----------
    flip_fraction : float in [0, 1], default=0.3
        Share of the group's rows whose label is changed, rounded to a whole number of rows.
    flip_group : "auto" or group label, default="auto"
        Group whose labels are flipped, as in ``groups_``: a value, or a tuple of values where there
        are several sensitive features (a pair of feature and value with ``attributes="sum"``).
        "auto" takes the one with the best accuracy in a 3-fold cross-validation of the same model
        without flipping, which costs three more fits; a group of fewer than three rows is not
        considered.
    mode : {"auto", "epoch", "once"}, default="auto"
        Whether every epoch flips labels of other rows, or the labels are flipped once before
        training. "auto" is "epoch" for the network and "once" for an ``estimator``, which has no
        epochs.
    estimator : classifier, default=None
        Any scikit-learn classifier or pipeline to train on the flipped labels instead of a network.
        Parameters of the network then keep their defaults.
    {network_parameters}

    Attributes
    ----------
    flip_group_ : group label or None
        Group whose labels were flipped.
    estimator_ : classifier
        The fitted ``estimator``; the attributes of the network do not exist then.
    {attributes}

    Notes
    -----
    With two classes a flipped label is the other one; with more it is another one of those that
    occur in the group ([1]_ swaps identities of men with other men's). Rows whose sensitive feature
    is missing, rows that are held out and all other groups keep their labels.

    References
    ----------
    .. [1] V. Cherepanova, V. Nanda, M. Goldblum, J. P. Dickerson, T. Goldstein. Technical
       Challenges for Training Fair Neural Networks. 2021.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skfair import LabelFlipClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = LabelFlipClassifier(estimator=LogisticRegression(), random_state=0)
    >>> model.fit(X, y, sensitive_features=group).flip_group_
    'a'
    """

    _parameter_constraints = {
        "flip_fraction": [Interval(Real, 0, 1, closed="both")],
        "flip_group": "no_validation",
        "mode": [StrOptions({"auto", "epoch", "once"})],
        "estimator": [HasMethods(["fit", "predict"]), None],
        "warmup": [Options(Real, {0})],  # there is no fairness term whose weight could rise
        "group_weights": [StrOptions({"share"})],  # nor one in which groups are compared
    }

    def __init__(
        self,
        *,
        flip_fraction: float = 0.3,
        flip_group: Any = "auto",
        mode: str = "auto",
        estimator: Any = None,
        **network: Any,
    ) -> None:
        super().__init__(**network)
        self.flip_fraction = flip_fraction
        self.flip_group = flip_group
        self.mode = mode
        self.estimator = estimator

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.estimator is None:
            return
        if self.mode == "epoch":
            raise ValueError(
                "mode='epoch' needs the network; an estimator has no epochs: use mode='once'."
            )
        parameters = inspect.signature(NeuralClassifier.__init__).parameters
        changed = [
            name
            for name, value in vars(self).items()
            if name in parameters
            and name not in SHARED + IDLE
            and value != parameters[name].default
        ]
        if changed:
            raise ValueError(
                f"{changed} are parameters of the network, which is not used with estimator="
                f"{self.estimator!r}; set them in that estimator."
            )

    def _wants_groups(self) -> bool:
        return self.flip_fraction > 0

    def _targets(self) -> Targets:
        if self.estimator is None:
            return Targets()
        tags = get_tags(self.estimator) if hasattr(self.estimator, "__sklearn_tags__") else None
        several = getattr(getattr(tags, "classifier_tags", None), "multi_class", True)
        return Targets(multi_class=several, hint=f"So it is for {self.estimator!r}.")

    def _make_objective(self, comparison: Comparison | None, batch_size: int | None) -> Objective:
        return Objective(classification_terms)

    # -- flipping -----------------------------------------------------------------------------

    def _choose_group(self, data: TrainingData, resume: bool = False) -> None:
        """Set ``flip_group_``."""
        known = getattr(self, "flip_group_", None)
        if data.groups is None or self.flip_fraction == 0:
            self.flip_group_ = None
        elif not (isinstance(self.flip_group, str) and self.flip_group == "auto"):
            if self.flip_group not in self.groups_:
                raise ValueError(
                    f"flip_group={self.flip_group!r} does not occur in sensitive_features; use "
                    f"'auto' or one of {self.groups_}."
                )
            self.flip_group_ = self.flip_group
        elif not (resume and known in self.groups_):
            self.flip_group_ = self._best_served(data)

    def _best_served(self, data: TrainingData) -> Hashable:
        seed = int(own_generator(self.random_state).randint(2**31 - 1))
        plain = clone(self).set_params(
            flip_fraction=0.0, class_weight=None, random_state=seed, verbose=0
        )
        labels, groups = self.classes_[data.y], data.groups
        counts = np.bincount(groups[groups >= 0], minlength=len(self.groups_))
        small = counts < min(FOLDS, counts.max())  # always trained on, never the one to flip
        aside = ((groups >= 0) & small[groups]).any(axis=1)
        rows, aside = np.flatnonzero(~aside), np.flatnonzero(aside)
        combinations = np.unique(groups, axis=0, return_inverse=True)[1].ravel()
        cells = (combinations * len(self.classes_) + data.y)[rows]
        if np.unique(cells, return_counts=True)[1].max() < FOLDS:
            cells = data.y[rows]
        hits = np.empty(len(labels), dtype=bool)
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        with warnings.catch_warnings():  # of small folds; the fit that counts warns by itself
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("error", FitInterruptedWarning)
            for train, test in folds.split(rows, cells):
                train, test = np.concatenate([rows[train], aside]), rows[test]
                extra = {"sensitive_features": data.sensitive_features.iloc[train]}
                if data.weights is not None:
                    extra["sample_weight"] = data.weights[train]
                try:
                    model = clone(plain).fit(take(data.raw, train), labels[train], **extra)
                except FitInterruptedWarning:
                    raise KeyboardInterrupt from None
                hits[test] = model.predict(take(data.raw, test)) == labels[test]
        weights = np.ones(len(labels)) if data.weights is None else data.weights
        accuracy = [
            -1.0 if small[code] else np.average(hits[members], weights=weights[members])
            for code in range(len(self.groups_))
            for members in [(groups == code).any(axis=1)]
        ]
        return self.groups_[int(np.argmax(accuracy))]

    def _members(self, data: TrainingData) -> np.ndarray:
        if self.flip_group_ is None:
            return np.zeros(len(data.y), dtype=bool)
        return (data.groups == self.groups_.index(self.flip_group_)).any(axis=1)

    # -- the network --------------------------------------------------------------------------

    def _train(self, data: TrainingData, epochs: int, resume: bool, *args: Any, **kw: Any) -> None:
        self._choose_group(data, resume)
        super()._train(data, epochs, resume, *args, **kw)
        vars(self).pop("estimator_", None)

    def _own_callbacks(self, data: TrainingData, seed: int) -> list[tuple[str, Callback]]:
        members = self._members(data)
        if not members.any():
            return []
        flip = FlipLabels(
            members, self.flip_fraction, len(self.classes_), self.mode == "once", seed
        )
        return [("skfair_flip_labels", flip)]

    # -- any estimator ------------------------------------------------------------------------

    @takes_tensors
    @wraps(NeuralClassifier.fit)
    def fit(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> Self:
        if self.estimator is None:
            return super().fit(
                X, y, sensitive_features=sensitive_features, sample_weight=sample_weight
            )
        with all_or_nothing(self):
            data = prepare(self, X, y, sensitive_features, sample_weight, None, False, False)
            weights = {} if data.weights is None else {"sample_weight": data.weights}
            if weights and not has_fit_parameter(self.estimator, "sample_weight"):
                raise ValueError(
                    f"sample_weight and class_weight need an estimator whose fit takes "
                    f"sample_weight; {self.estimator!r} does not."
                )
            if data.groups is None and self._wants_groups():
                warn(
                    "LabelFlipClassifier got neither sensitive_features nor sensitive_columns: no "
                    "label is flipped.",
                )
            self._choose_group(data)
            rng = own_generator(self.random_state)
            codes = flip_labels(
                data.y, self._members(data), self.flip_fraction, len(self.classes_), rng
            )
            self.estimator_ = clone(self.estimator).fit(data.X, self.classes_[codes], **weights)
            self.classes_ = self.estimator_.classes_
            if data.groups is not None:
                decisions = np.searchsorted(self.classes_, self.estimator_.predict(data.X))
                warn_of_groups_left_out(self, decisions, data)
            for name in OF_NETWORK:
                vars(self).pop(name, None)
        return self

    predict = _delegated("predict")
    predict_proba = _delegated("predict_proba")
    predict_log_proba = _delegated("predict_log_proba")
    decision_function = _delegated("decision_function")
    partial_fit = available_if(_trains_network)(NeuralClassifier.partial_fit)
    boundary_distance = available_if(_own_network)(NeuralClassifier.boundary_distance)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_") or hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = None if _own_network(self) else inner_tags(self)
        if inner is not None:
            tags.input_tags = inner.input_tags
        return tags
