"""The base of all neural estimators: an estimator states its parameters and its objective."""

from __future__ import annotations

import copy
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from sklearn.utils import Tags, get_tags
from skorch.callbacks import Callback
from skorch.helper import predefined_split

from .._groups import group_name
from .._labels import favorable_codes
from .._random import own_generator
from .._stored import current_state
from .._tensors import takes_tensors
from .._warnings import warn
from ..networks._build import check_module
from ..networks.tabular import learn_layout
from ..objectives import Comparison, Objective
from ._batches import TensorRows, as_numbers, batch_starts
from ._callbacks import CallbackSupportMixin, epoch_tasks
from ._device import available_devices, reproducible, resolve_device
from ._encoder import takes_tables
from ._learner import TableLearner, whole_state
from ._monitor import ValidationPart, training_callbacks
from ._net import ObjectiveNet
from ._outcome import check_outcome, warn_of_fewer
from ._parameters import NetworkParameterized, inherit_parameters
from ._predictions import NetworkPredictions
from ._recipe import (
    DTYPES,
    OPTIMIZERS,
    Architecture,
    Batches,
    Recipe,
    first_averaged_step,
    optimizer_options,
)
from ._rows import TrainingData, split_off
from ._sampling import batch_rows, make_strata
from ._settings import Settings
from ._transaction import all_or_nothing


@dataclass
class Plan:
    """A training that has been prepared.

    Attributes
    ----------
    data : TrainingData
        The user's rows, in codes.
    device : torch.device
        Where it runs.
    seed : int
        Of the initial weights, the order of the rows and dropout.
    train, valid, holdout : ndarray or None
        Positions of the rows that are trained on (``None`` for all), held out for validation, and
        held out for the fairness term.
    epochs : int
        Number of passes over the rows.
    averaging : float
        Share of the last steps whose weights are averaged.
    annealed : bool
        Whether the learning rate falls to 0.
    by_group : bool
        Whether to look at the groups when it has ended.
    previous : dict or None
        The state from which training goes on.
    rows : TensorRows or None
        All rows on the device; trainings on the same data may share them.
    """

    data: TrainingData
    device: torch.device
    seed: int
    train: np.ndarray | None
    valid: np.ndarray | None
    holdout: np.ndarray | None
    epochs: int
    averaging: float
    annealed: bool
    by_group: bool
    previous: dict[str, Any] | None = None
    rows: TensorRows | None = None

    @property
    def steps_before(self) -> int:
        """Number of steps of the trainings before this one."""
        return self.previous["steps"] if self.previous else 0

    @property
    def all_rows(self) -> TensorRows:
        """Rows on the device."""
        assert self.rows is not None, "training has not begun"
        return self.rows

    @property
    def training_rows(self) -> TensorRows:
        """Rows in batches, those for the fairness term alone last."""
        if self.train is None or self.holdout is None:
            return self.all_rows.subset(self.train)
        return self.all_rows.subset(np.concatenate([self.train, self.holdout]))


@inherit_parameters(NetworkParameterized)
class NeuralClassifier(
    CallbackSupportMixin,
    NetworkPredictions,
    TableLearner,
    NetworkParameterized,
    metaclass=ABCMeta,
):
    """Base of the neural classifiers.

    A subclass states its own hyper-parameters in ``__init__`` and hands the rest on as
    ``**network``, their constraints in ``_parameter_constraints``, and its objective in
    :meth:`_make_objective`. The decorator :func:`inherit_parameters` completes signature,
    constraints and docstring with what is inherited.

    Parameters
    ----------
    {network_parameters}

    Attributes
    ----------
    {attributes}
    """

    __metadata_request__fit = {"sensitive_features": True}
    __metadata_request__partial_fit = {"sensitive_features": True}

    n_features_in_: int
    n_iter_: int
    net_: ObjectiveNet
    settings_: Settings
    _architecture: Architecture
    _runs_in_float64: bool

    #: Share of the last steps of ``fit`` whose weights are averaged.
    averaging = 0.0

    # -- what a subclass states ---------------------------------------------------------------

    @abstractmethod
    def _make_objective(self, comparison: Comparison | None, batch_size: int | None) -> Objective:
        """Return the objective.

        ``comparison`` says which groups are compared (``None`` without sensitive features);
        ``batch_size`` is ``None`` if every step sees all rows. ``classes_`` is known.
        """

    def _wants_groups(self) -> bool:
        """Whether the objective has a term that needs sensitive features."""
        return True

    def _favorable_codes(self) -> Sequence[int] | None:
        """Codes of the classes that count as acceptance, if there are such."""
        unfavorable = getattr(self, "unfavorable", None)  # a parameter of most subclasses
        if unfavorable is None:
            return (1,) if len(self.classes_) == 2 else None
        return favorable_codes(unfavorable, self.classes_, self._encoder.multi_label)

    def _sampling(self) -> str:
        """Return how batches are drawn."""
        return self.sampling

    def _split_holdout(
        self, data: TrainingData, rows: np.ndarray | None, rng: np.random.RandomState
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Divide the training rows into those that are classified and those that are not.

        The latter ride along in every batch for the fairness term alone. ``None`` stands for all
        rows, and for none.
        """
        return rows, None

    def _make_keeper(
        self, plan: Plan, recipe: Recipe, part: ValidationPart | None
    ) -> Callback | None:
        """Return a callback that chooses the epoch in the place of ``monitor``, if there is one."""
        return None

    # -- fitting ------------------------------------------------------------------------------

    @takes_tensors
    def fit(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : table, array-like or sparse matrix of shape (n_samples, n_features), or array \
(n_samples, ...)
            Numbers; an array of more than two dimensions needs a ``module``. Images of type uint8
            are scaled to [0, 1], batch by batch, and sparse rows are made dense in the same way.
            The tabular network takes tables of text, categories and missing values, too
            (``categorical_features``).
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels; or 0 and 1 for several labels a row, where the objective allows it.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes), \
default=None
            Group membership, at most 50 groups. Wins over ``sensitive_columns``. Rows where it is
            missing train the classifier but take no part in the fairness term.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; a row of weight zero is left out altogether.

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
        return self._fit(X, y, sensitive_features, sample_weight)

    _encode_and_train = fit  # what a subclass's fit does if it only takes more that describes rows

    def _fit(self, X: Any, y: Any, *described: Any, **control: Any) -> Self:
        """Train on rows; what describes them goes to :meth:`_encode`."""
        resume = self.warm_start and hasattr(self, "net_")
        with all_or_nothing(self):
            known = list(self.groups_) if resume else []
            strata = list(self._encoder.strata) if resume else []
            data = self._encode(X, y, *described, resume=resume, **control)
            keep_state = self.groups_[: len(known)] == known and self._encoder.strata == strata
            self._train(data, None, resume, self.averaging, keep_state, by_group=True)
        return self

    @takes_tensors
    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        *,
        sensitive_features: Any = None,
        sample_weight: Any = None,
    ) -> Self:
        """Train for one epoch on the given rows, continuing from the previous solution.

        The first call decides which columns hold categories, and which ones; those that come later
        count as unseen. A warning tells if they are many.

        Parameters
        ----------
        X, y : array-like
            As in :meth:`fit`.
        classes : array-like of shape (n_classes,), default=None
            All labels that can occur; needed in the first call unless its ``y`` has them all.
        sensitive_features, sample_weight : array-like, default=None
            As in :meth:`fit`. Groups that were not seen before are added.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._partial_fit(X, y, sensitive_features, sample_weight, classes)

    def _partial_fit(self, X: Any, y: Any, *described: Any, **control: Any) -> Self:
        """Train on rows for one epoch; what describes them goes to :meth:`_encode`."""
        resume = hasattr(self, "net_")
        with all_or_nothing(self):
            data = self._encode(X, y, *described, resume=resume, partial=True, **control)
            self._train(data, 1, resume, averaging=0.0, keep_state=True, by_group=False)
        return self

    def _train(
        self,
        data: TrainingData,
        epochs: int | None,
        resume: bool,
        averaging: float,
        keep_state: bool,
        by_group: bool,
    ) -> None:
        plan = self._prepare(data, epochs, resume, averaging, keep_state, by_group)
        with reproducible(plan.device, plan.seed) as generator:
            self._begin(plan, generator)
            self.net_.partial_fit(plan.training_rows, None)
            self._finish(plan)

    # The three parts of a training: what many at once share with one by itself.

    def _prepare(
        self,
        data: TrainingData,
        epochs: int | None = None,
        resume: bool = False,
        averaging: float = 0.0,
        keep_state: bool = True,
        by_group: bool = True,
    ) -> Plan:
        """Say what is trained with, on which rows, for how long and from which seed."""
        self.settings_ = Settings.of(
            self, tabular=self._encoder.categories is not None, n_rows=len(data.y)
        )
        told = data.groups is not None or data.sensitive is not None
        if not told and (self._wants_groups() or self._sampling() != "natural"):
            by_label = self._sampling() == "group_label"
            left = "labels alone are balanced" if by_label else "a plain network is trained"
            warn(
                f"{type(self).__name__} got neither sensitive_features nor sensitive_columns: no "
                f"fairness term applies, and {left}.",
            )
        device = resolve_device(self.device)
        rng = own_generator(self.random_state)
        seed = int(rng.randint(2**31 - 1))
        train, valid = self._split_validation(data, rng)
        train, holdout = self._split_holdout(data, train, rng)
        previous = self.net_.export_state() if resume else None
        if previous and not keep_state:  # it is about other groups, and so may players be
            previous["objective"] = None
            previous["parts"] = {"module": previous["parts"]["module"]}
        steps_before = previous["steps"] if previous else 0
        return Plan(
            data=data,
            device=device,
            seed=seed + steps_before,
            train=train,
            valid=valid,
            holdout=holdout,
            epochs=self.settings_.max_epochs if epochs is None else epochs,
            averaging=averaging,
            annealed=self.settings_.lr_schedule == "cosine" and epochs is None,
            by_group=by_group,
            previous=previous,
        )

    def _begin(self, plan: Plan, generator: torch.Generator) -> None:
        """Make ``net_``, ready to be trained; ``generator`` orders the rows."""
        data, device = plan.data, plan.device
        if plan.rows is None:
            plan.rows = TensorRows.from_arrays(
                data.arrays(self.dtype, plan.holdout), device, self._needs_copies()
            )
        if plan.previous is None:
            self._architecture = self._with_layout(
                self._make_architecture(data.X.shape[1:]), data, plan.train
            )
        else:
            self._check_shape(data.X)
        batches = self._make_batches(data, plan.train, plan.holdout)
        recipe = self._make_recipe(plan, batches)
        valid = plan.valid
        part = None if valid is None else ValidationPart.of(data, valid, self.classes_)
        user, callbacks = self._user_params()
        self.net_ = ObjectiveNet.of(
            recipe,
            device,
            generator,
            user,
            type(self).__name__,
            callbacks=[
                *epoch_tasks(self, data, plan.epochs),
                *training_callbacks(
                    self, part, plan.epochs, callbacks, self._make_keeper(plan, recipe, part)
                ),
            ],
            verbose=int(self.verbose > 1),
            train_split=None if valid is None else predefined_split(plan.rows.subset(valid)),
        )
        if plan.previous:
            self.net_.import_state(plan.previous)
        else:
            few = as_numbers(plan.rows.inputs["X"][:2], self.net_.dtype)
            self._runs_in_float64 = check_module(self.net_.module_, few, len(self.classes_))

    def _needs_copies(self) -> bool:
        """Whether something may work in place on the rows of a batch."""
        return self.module not in (None, "tabular") or callable(self.augment)

    def _finish(self, plan: Plan) -> None:
        """Look at what has been trained."""
        self.net_.train_split = None  # it holds the data
        self.n_iter_ = check_outcome(self, plan.all_rows.inputs["X"], plan.data, plan.by_group)
        if plan.by_group:
            self._warn_of_who_pays(plan)

    def _warn_of_who_pays(self, plan: Plan) -> None:
        """Name the groups of whom fewer are accepted for the sake of fairness."""
        warn_of_fewer(self, plan.all_rows.inputs["X"], plan.data)

    def _split_validation(
        self, data: TrainingData, rng: np.random.RandomState
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Divide the rows into those to train on and those held out, ``None`` for all and none."""
        if self.early_stopping or self.restore_best or self.monitor is not None:
            return split_off(data, self.validation_fraction, rng)
        return None, None

    # -- the recipe ---------------------------------------------------------------------------

    def _make_architecture(self, input_shape: tuple[int, ...]) -> Architecture:
        return Architecture(
            module=self.module,
            input_shape=tuple(input_shape),
            n_outputs=len(self.classes_),
            hidden_layer_sizes=self.settings_.hidden_layer_sizes,
            activation=self.activation,
            dropout=self.settings_.dropout,
            dtype=self.dtype,
        )

    def _with_layout(
        self, architecture: Architecture, data: TrainingData, train: np.ndarray | None
    ) -> Architecture:
        """Make it the tabular network if X calls for it, with what training rows say of columns."""
        if self._encoder.categories is None:
            if self.n_members > 1:
                raise ValueError(
                    f"n_members={self.n_members} is for the tabular network, which module=None "
                    "builds where X has categories or missing values; module='tabular' builds it "
                    "in any case."
                )
            return architecture
        rows = slice(None) if train is None else train
        layout = learn_layout(data.X[rows], self._encoder.n_codes)
        return replace(architecture, module="tabular", layout=layout, n_members=self.n_members)

    def _make_batches(
        self, data: TrainingData, train: np.ndarray | None, holdout: np.ndarray | None
    ) -> Batches:
        """Say what a batch is made of: the next rows, or a fixed number of each stratum."""
        rows = np.arange(len(data.y)) if train is None else train
        batch_size = self.settings_.batch_size
        size = batch_rows(batch_size, len(rows))

        def strata(rows: np.ndarray, size: int, first: int) -> list:
            groups = None if data.groups is None else data.groups[rows]
            return make_strata(data.y[rows], groups, size, self._sampling(), first)

        extra = None
        if holdout is not None:
            extra = strata(holdout, batch_rows(batch_size, len(holdout)), len(rows))
        return Batches(
            size=size,
            n_batches=len(batch_starts(len(rows), size)),
            strata=None if self._sampling() == "natural" else strata(rows, size, 0),
            extra_strata=extra,
        )

    def _make_recipe(self, plan: Plan, batches: Batches) -> Recipe:
        encoder, comparison = self._encoder, None
        if encoder.groups:
            by_share = self.group_weights == "share"
            comparison = Comparison.of(
                encoder.attribute_of,
                torch.from_numpy(encoder.group_counts) if by_share else None,
                DTYPES[self._architecture.dtype],
                plan.device,
            )
        settings, n_batches = self.settings_, batches.n_batches
        optimizer = settings.optimizer
        first_step, n_steps = plan.steps_before, plan.epochs * n_batches
        return Recipe(
            architecture=self._architecture,
            objective=self._make_objective(comparison, batches.size if n_batches > 1 else None),
            optimizer=OPTIMIZERS[optimizer] if isinstance(optimizer, str) else optimizer,
            optimizer_options=optimizer_options(
                optimizer, settings.lr, settings.weight_decay, plan.device
            ),
            batches=batches,
            epochs=plan.epochs,
            warmup_steps=round(self.warmup * settings.max_epochs * n_batches),
            average_from=first_averaged_step(plan.averaging, n_steps, first_step),
            annealed=(first_step, first_step + n_steps) if plan.annealed else None,
            group_names=tuple(
                zip(encoder.attribute_of, map(group_name, encoder.groups), strict=True)
            ),
            seed=plan.seed,
            augment=self.augment if callable(self.augment) else None,
        )

    def _user_params(self) -> tuple[dict[str, Any], list]:
        """``net_params`` without its callbacks, and these.

        Copies: skorch initializes callbacks in place, and parameters stay as they were given.
        """
        user = copy.deepcopy(self.net_params) if self.net_params else {}
        callbacks = user.pop("callbacks", None) or []
        if not isinstance(callbacks, (list, tuple)):
            raise TypeError(
                f"net_params['callbacks'] must be a list of callbacks, got {callbacks!r}."
            )
        return user, list(callbacks)

    # -- what has been trained ----------------------------------------------------------------

    @property
    def module_(self) -> torch.nn.Module:
        """The trained network (torch.nn.Module)."""
        return self.net_.module_

    @property
    def history_(self) -> pd.DataFrame:
        """History of training (pandas.DataFrame), one row an epoch.

        Duration ``dur`` in seconds, ``train_loss``, and a column for every term of the objective,
        not weighted; ``valid_`` columns are those of the held-out part. With more than two groups
        ``largest_gap`` is the largest difference between two groups (of at least 30 cases) in what
        the fairness term compares, over the epoch's batches, and ``largest_gap_groups`` names them,
        the greater one first.
        """
        hidden = ("batches", "train_batch_count", "valid_batch_count")
        return pd.DataFrame(
            [{k: v for k, v in row.items() if k not in hidden} for row in self.net_.history]
        )

    # -- scikit-learn's protocols -------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = takes_tables(self.module) is not True
        tags.input_tags.allow_nan = takes_tables(self.module) is not False
        tags.classifier_tags.multi_class = self._targets().multi_class
        tags.classifier_tags.multi_label = self._targets().multi_label
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "net_" in state:
            state["net_"] = state["net_"].export_state()
            state["_architecture"] = state["_architecture"].export_state()
            state["settings_"] = vars(state["settings_"]).copy()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = current_state(self, state)
        names = "net_", "_architecture", "settings_"
        net_state, architecture, settings = (state.pop(name, None) for name in names)
        super().__setstate__(state)
        if net_state is None:
            return
        known = isinstance(self.device, str) and self.device in available_devices()
        device = resolve_device(self.device if known else "auto")
        with whole_state(self), reproducible(device, seed=0):
            self._architecture = Architecture.load(architecture)
            # without any it was stored before there was a choice
            self.settings_ = Settings(**settings) if settings else Settings.of(self, False, 0)
            self.net_ = ObjectiveNet.load(self._architecture, net_state, device)


def inner_tags(estimator: Any) -> Tags | None:
    """Tags of the estimator inside another: of the fitted one, else of the one that is given.

    ``None`` if that is no estimator, which ``fit`` will say.
    """
    inner = getattr(estimator, "estimator_", estimator.estimator)
    return get_tags(inner) if hasattr(inner, "__sklearn_tags__") else None
