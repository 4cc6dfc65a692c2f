"""Label flipping: worse labels for the group that a plain model serves best."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Hashable
from functools import wraps
from numbers import Real
from typing import Any, Self, Unpack

import numpy as np
import pandas as pd
import torch
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import Tags, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from ._random import own_generator
from ._tensors import takes_tensors
from ._warnings import ignored, warn
from .margin import MarginClassifier
from .network import NetworkClassifier
from .training import FitInterruptedWarning, NetworkParameters, NeuralClassifier, inherit_parameters
from .training._base import inner_tags
from .training._callbacks import CallbackSupportMixin, inner_task
from .training._docs import documented_as
from .training._encoder import takes_tables
from .training._flipping import FlipLabels, flip_labels
from .training._learner import TableLearner, check_table
from .training._outcome import warn_of_groups_left_out
from .training._parameters import NetworkParameterized
from .training._rows import TrainingData, select_rows
from .training._targets import Targets
from .training._transaction import all_or_nothing

__all__ = ["LabelFlipClassifier"]

# What concerns any estimator, not only a network; and what is idle without early stopping.
SHARED_PARAMETERS = (
    "sensitive_columns",
    "drop_sensitive_columns",
    "attributes",
    "class_weight",
    "random_state",
)
STOPPING_PARAMETERS = ("validation_fraction", "n_iter_no_change", "tol")
FOLDS = 3
WARNINGS_OF_TABLE = ("sensitive_features", ".*index of X")  # given by reading it once


def _inner(classifier: LabelFlipClassifier) -> Any:
    """Return what answers: what was fitted, whatever the parameters say now, or what will be."""
    if hasattr(classifier, "estimator_"):
        return classifier.estimator_
    return NetworkClassifier if classifier.estimator is None else classifier.estimator


def _delegated(method: str, of: type = NeuralClassifier) -> Callable:
    """Return a method that the estimator inside answers, if it can."""

    def available(classifier: LabelFlipClassifier) -> bool:
        return hasattr(_inner(classifier), method)

    @takes_tensors
    @wraps(getattr(of, method))
    def answer(self: LabelFlipClassifier, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return getattr(self.estimator_, method)(self._rows(check_table(self, X, reset=False)))

    return available_if(available)(answer)


def _has_epochs(classifier: LabelFlipClassifier) -> bool:
    return classifier.estimator is None or isinstance(classifier.estimator, NeuralClassifier)


@inherit_parameters(NetworkParameterized)
class LabelFlipClassifier(
    CallbackSupportMixin, MetaEstimatorMixin, ClassifierMixin, TableLearner, NetworkParameterized
):
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
        training. "auto" is "epoch" for networks of skfair and "once" for any other ``estimator``,
        which has no epochs.
    estimator : classifier, default=None
        What is trained on the flipped labels: any classifier or pipeline. ``None`` is a
        :class:`NetworkClassifier` with the parameters below, which otherwise keep their defaults.
    {network_parameters}

    Attributes
    ----------
    flip_group_ : group label or None
        Group whose labels were flipped.
    estimator_ : classifier
        The fitted ``estimator``. Attributes of a network exist if it is one.
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

    __metadata_request__fit = {"sensitive_features": True}
    __metadata_request__partial_fit = {"sensitive_features": True}

    flip_group_: Hashable
    estimator_: Any
    _encodes_rows = False

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
        **network: Unpack[NetworkParameters],
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
        if self.mode == "epoch" and not _has_epochs(self):
            raise ValueError(
                "mode='epoch' needs the network; an estimator has no epochs: use mode='once'."
            )
        parameters = inspect.signature(NetworkParameterized.__init__).parameters
        changed = [
            name
            for name, value in vars(self).items()
            if name in parameters
            and name not in SHARED_PARAMETERS + STOPPING_PARAMETERS
            and value != parameters[name].default
        ]
        if changed:
            raise ValueError(
                f"{changed} are parameters of the network, which is not used with estimator="
                f"{self.estimator!r}; set them in that estimator."
            )

    def _targets(self) -> Targets:
        if self.estimator is None:
            return Targets()
        tags = get_tags(self.estimator) if hasattr(self.estimator, "__sklearn_tags__") else None
        several = getattr(getattr(tags, "classifier_tags", None), "multi_class", True)
        return Targets(multi_class=several, hint=f"So it is for {self.estimator!r}.")

    def _make_estimator(self) -> Any:
        if self.estimator is not None:
            return clone(self.estimator)
        names = inspect.signature(NetworkParameterized).parameters
        network = NetworkClassifier(averaging=0.0, **{name: getattr(self, name) for name in names})
        return network.set_params(class_weight=None)  # which is among the weights it is given

    # -- fitting ------------------------------------------------------------------------------

    @takes_tensors
    @documented_as(NeuralClassifier.fit)
    def fit(  # noqa: D102
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> Self:
        resume = self.warm_start and self.estimator is None and hasattr(self, "estimator_")
        with all_or_nothing(self):
            data = self._encode(X, y, sensitive_features, sample_weight, resume=resume)
            self._train("fit", data, resume)
        return self

    @available_if(_has_epochs)
    @takes_tensors
    @documented_as(NeuralClassifier.partial_fit)
    def partial_fit(  # noqa: D102
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        *,
        sensitive_features: Any = None,
        sample_weight: Any = None,
    ) -> Self:
        resume = hasattr(self, "estimator_") and isinstance(self.estimator_, NeuralClassifier)
        with all_or_nothing(self):
            data = self._encode(
                X, y, sensitive_features, sample_weight, classes, resume=resume, partial=True
            )
            self._train("partial_fit", data, resume, classes=self.classes_)
        return self

    def _train(self, method: str, data: TrainingData, resume: bool, **extra: Any) -> None:
        inner = self._make_inner(data, resume)
        with inner_task(self, inner, data):
            if isinstance(inner, NeuralClassifier):
                given = self._flip_in(inner)
                with ignored(*WARNINGS_OF_TABLE):
                    getattr(inner, method)(**self._arguments(data), **extra)
                inner.set_params(net_params=given)
            else:
                self._train_other(inner, data)
        self.estimator_ = inner

    def _make_inner(
        self, data: TrainingData, resume: bool = False, best_served: Callable | None = None
    ) -> Any:
        """Return the estimator to train, and set whose labels are flipped."""
        inner = self._make_estimator()
        if data.groups is None and (self.flip_fraction > 0 or self.sampling != "natural"):
            warn(
                "LabelFlipClassifier got neither sensitive_features nor sensitive_columns: no "
                "label is flipped.",
            )
        if resume:  # a copy: fit may fail
            inner = copy.copy(self.estimator_).set_params(**inner.get_params(deep=False))
        self._choose_group(data, inner, resume, best_served or self._best_served)
        return inner

    def _flip_in(self, inner: NeuralClassifier) -> dict[str, Any] | None:
        """Let a network flip labels as it trains: rows that are held out keep theirs.

        Returns its ``net_params`` as they were.
        """
        given = inner.net_params
        if self.flip_group_ is not None:
            flip = FlipLabels(
                self.groups_.index(self.flip_group_),
                self.flip_fraction,
                len(self.classes_),
                self.mode == "once",
            )
            callbacks = [("skfair_flip_labels", flip), *((given or {}).get("callbacks") or [])]
            inner.set_params(net_params=(given or {}) | {"callbacks": callbacks})
        return given

    def _arguments(self, data: TrainingData) -> dict[str, Any]:
        """Arguments of a network's ``fit``."""
        return {
            "X": data.raw,
            "y": self.classes_[data.y],
            "sensitive_features": data.sensitive_features,
            "sample_weight": data.weights,
        }

    def _train_other(self, inner: Any, data: TrainingData) -> None:
        weights = {} if data.weights is None else {"sample_weight": data.weights}
        if weights and not has_fit_parameter(inner, "sample_weight"):
            raise ValueError(
                f"sample_weight and class_weight need an estimator whose fit takes "
                f"sample_weight; {self.estimator!r} does not."
            )
        codes, rng = data.y, own_generator(self.random_state)
        if data.groups is not None and self.flip_group_ is not None:
            members = (data.groups == self.groups_.index(self.flip_group_)).any(axis=1)
            codes = flip_labels(data.y, members, self.flip_fraction, len(self.classes_), rng)
        inner.fit(data.X, self.classes_[codes], **weights)
        self.classes_ = inner.classes_
        if data.groups is not None:
            decisions = np.searchsorted(self.classes_, inner.predict(data.X))
            warn_of_groups_left_out(self, decisions, data)

    # -- flipping -----------------------------------------------------------------------------

    def _choose_group(
        self, data: TrainingData, inner: Any, resume: bool, best_served: Callable
    ) -> None:
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
            self.flip_group_ = best_served(data, data.groups, inner)

    def _best_served(self, data: TrainingData, groups: np.ndarray, inner: Any) -> Hashable:
        seed = int(own_generator(self.random_state).randint(2**31 - 1))
        plain, is_network = clone(inner), isinstance(inner, NeuralClassifier)
        if self.estimator is None:
            plain.set_params(random_state=seed, verbose=0)
        table = data.raw if is_network else data.X
        labels = self.classes_[data.y]
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
                extra = {}
                if is_network:
                    extra["sensitive_features"] = select_rows(data.sensitive_features, train)
                if data.weights is not None:
                    extra["sample_weight"] = data.weights[train]
                try:
                    model = clone(plain).fit(select_rows(table, train), labels[train], **extra)
                except FitInterruptedWarning:
                    raise KeyboardInterrupt from None
                hits[test] = model.predict(select_rows(table, test)) == labels[test]
        weights = np.ones(len(labels)) if data.weights is None else data.weights
        accuracy = [
            -1.0 if small[code] else np.average(hits[members], weights=weights[members])
            for code in range(len(self.groups_))
            for members in [(groups == code).any(axis=1)]
        ]
        return self.groups_[int(np.argmax(accuracy))]

    # -- answers ------------------------------------------------------------------------------

    predict = _delegated("predict")
    predict_proba = _delegated("predict_proba")
    predict_log_proba = _delegated("predict_log_proba")
    decision_function = _delegated("decision_function")
    boundary_distance = _delegated("boundary_distance")
    embed = _delegated("embed", MarginClassifier)

    def _rows(self, raw: Any) -> Any:
        """Return what the estimator inside sees; a network leaves columns out by itself."""
        if isinstance(self.estimator_, NeuralClassifier):
            return raw
        return self._encoder.select_features(raw)

    def _logits(self, X: Any, *args: Any, **kwargs: Any) -> np.ndarray:
        return self.estimator_._logits(X, *args, **kwargs)

    def _favorable_codes(self) -> tuple[int, ...] | None:
        return (1,) if len(self.classes_) == 2 else None

    @property
    def net_(self) -> Any:
        """The trained net, of a network."""
        return self._of_fitted("net_")

    @property
    def module_(self) -> torch.nn.Module:
        """The trained network."""
        return self._of_fitted("module_")

    @property
    def history_(self) -> pd.DataFrame:
        """History of training, of a network; ``flipped`` is the number of flipped labels."""
        return self._of_fitted("history_")

    @property
    def n_iter_(self) -> Any:
        """Number of epochs, or of iterations, of the estimator inside."""
        return self._of_fitted("n_iter_")

    def _of_fitted(self, name: str) -> Any:
        if "estimator_" not in vars(self):
            raise AttributeError(f"{name} exists after fit.")
        return getattr(self.estimator_, name)

    # -- scikit-learn's protocols -------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = takes_tables(self.module) is not True
        tags.input_tags.allow_nan = takes_tables(self.module) is not False
        tags.classifier_tags.multi_class = self._targets().multi_class
        if self.estimator is not None and (inner := inner_tags(self)) is not None:
            tags.input_tags = inner.input_tags
        return tags

    def _upgrade_state(self, state: dict[str, Any]) -> dict[str, Any]:
        state = super()._upgrade_state(state)
        state["group_weights"] = "share"
        if "net_" in state:  # it was a network itself
            inner = NetworkClassifier(averaging=0.0)
            shared = [*inner.get_params(deep=False), "classes_", "groups_", "n_features_in_"]
            shared.append("feature_names_in_")
            moved = ("net_", "_architecture", "_runs_in_float64", "n_iter_")
            network = {name: state[name] for name in shared if name in state}
            network |= {name: state.pop(name) for name in moved}
            dtype = network["_architecture"]["dtype"]
            network["_encoder"] = state["_encoder"] | {"name": type(inner).__name__, "dtype": dtype}
            inner.__setstate__(network | {"averaging": 0.0, "group_weights": "share"})
            state["estimator_"] = inner
        return state
