"""The base of all neural estimators: an estimator states its parameters and its objective."""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, get_tags
from sklearn.utils._param_validation import Interval, Options, StrOptions
from skorch.callbacks import Callback
from skorch.helper import predefined_split

from .._random import own_generator
from .._tensors import takes_tensors
from .._warnings import warn
from ..networks._build import check_module
from ..networks.mlp import ACTIVATIONS
from ..objectives import Comparison, Objective
from ._assemble import DTYPES, OPTIMIZERS, describe_architecture, load_net, make_net, sources
from ._data import TensorRows
from ._device import available_devices, reproducible, resolve_device
from ._docs import fill_docstring, merge_signatures
from ._monitor import HeldOut
from ._outcome import FitInterruptedWarning, check_outcome
from ._predictions import NetworkPredictions
from ._prepare import Targets, TrainingData, prepare, split_off
from ._sampling import SAMPLINGS

IN_NET = "net_params__"
LARGEST = 2**53  # whole number that a float tells from the next


class NeuralClassifier(NetworkPredictions, BaseEstimator, metaclass=ABCMeta):
    """Base of the neural classifiers.

    A subclass states its own hyper-parameters in ``__init__`` and hands the rest on as
    ``**network``, their constraints in ``_parameter_constraints``, and its objective in
    :meth:`_make_objective`. Signature, constraints and docstring are completed with what is
    inherited.
    """

    __metadata_request__fit = {"sensitive_features": True}
    __metadata_request__partial_fit = {"sensitive_features": True}

    #: Share of the last steps of ``fit`` whose weights are averaged.
    averaging = 0.0

    _parameter_constraints: dict = {
        "module": [callable, None],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Options(Integral, {-1}), Interval(Integral, 1, None, closed="left")],
        "sampling": [StrOptions(set(SAMPLINGS))],
        "warmup": [Interval(Real, 0, 1, closed="both")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "monitor": [str, callable, None],
        "restore_best": ["boolean"],
        "sensitive_columns": [str, Integral, "array-like", slice, callable, None],
        "drop_sensitive_columns": ["boolean"],
        "attributes": [StrOptions({"intersection", "sum"})],
        "group_weights": [StrOptions({"share", "equal"})],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "device": [str],
        "dtype": [StrOptions(set(DTYPES))],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "net_params": [dict, None],
    }

    def __init__(
        self,
        *,
        module: Callable | None = None,
        hidden_layer_sizes: Sequence[int] = (64, 64),
        activation: str = "relu",
        dropout: float = 0.0,
        optimizer: str | type = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        max_epochs: int = 50,
        batch_size: int = 256,
        sampling: str = "natural",
        warmup: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        monitor: str | Callable | None = None,
        restore_best: bool = False,
        sensitive_columns: Any = None,
        drop_sensitive_columns: bool = False,
        attributes: str = "intersection",
        group_weights: str = "share",
        class_weight: dict | str | None = None,
        device: str = "cpu",
        dtype: str = "float32",
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        net_params: dict | None = None,
    ) -> None:
        self.module = module
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.sampling = sampling
        self.warmup = warmup
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.monitor = monitor
        self.restore_best = restore_best
        self.sensitive_columns = sensitive_columns
        self.drop_sensitive_columns = drop_sensitive_columns
        self.attributes = attributes
        self.group_weights = group_weights
        self.class_weight = class_weight
        self.device = device
        self.dtype = dtype
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.net_params = net_params

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Complete signature, constraints and docstring with what is inherited."""
        merge_signatures(cls)
        inherited = cls.__mro__[1]._parameter_constraints
        cls._parameter_constraints = inherited | vars(cls).get("_parameter_constraints", {})
        fill_docstring(cls)
        super().__init_subclass__(**kwargs)

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
        return (1,) if len(self.classes_) == 2 else None

    def _sampling(self) -> str:
        """How batches are drawn."""
        return self.sampling

    def _targets(self) -> Targets:
        """What y may be."""
        return Targets()

    def _set_aside(
        self, data: TrainingData, rows: np.ndarray | None, rng: np.random.RandomState
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Divide the training rows into those that are classified and those that are not.

        The latter ride along in every batch for the fairness term alone. ``None`` stands for all
        rows, and for none.
        """
        return rows, None

    def _own_callbacks(self, data: TrainingData, seed: int) -> list[tuple[str, Callback]]:
        """Return skorch callbacks that belong to the method."""
        return []

    # -- fitting ------------------------------------------------------------------------------

    @takes_tensors
    def fit(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or array (n_samples, ...)
            Numbers; an array of more than two dimensions needs a ``module``. Sparse input is made
            dense. Text is allowed only in sensitive columns that are dropped.
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
        resume = self.warm_start and hasattr(self, "net_")
        with all_or_nothing(self):
            known = list(self.groups_) if resume else []
            data = prepare(self, X, y, sensitive_features, sample_weight, None, resume, False)
            keep_state = self.groups_[: len(known)] == known
            self._train(data, self.max_epochs, resume, self.averaging, keep_state, by_group=True)
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

        Parameters
        ----------
        X, y, sensitive_features, sample_weight : array-like
            As in :meth:`fit`. Groups that were not seen before are added.
        classes : array-like of shape (n_classes,), default=None
            All labels that can occur; needed in the first call unless its ``y`` has them all.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        resume = hasattr(self, "net_")
        with all_or_nothing(self):
            data = prepare(self, X, y, sensitive_features, sample_weight, classes, resume, True)
            self._train(data, 1, resume, averaging=0.0, keep_state=True, by_group=False)
        return self

    def _train(
        self,
        data: TrainingData,
        epochs: int,
        resume: bool,
        averaging: float,
        keep_state: bool,
        by_group: bool,
    ) -> None:
        if data.groups is None and (self._wants_groups() or self._sampling() != "natural"):
            by_label = self._sampling() == "group_label"
            left = "labels alone are balanced" if by_label else "a plain network is trained"
            warn(
                f"{type(self).__name__} got neither sensitive_features nor sensitive_columns: no "
                f"fairness term applies, and {left}.",
            )
        device = resolve_device(self.device)
        rng = own_generator(self.random_state)
        seed = int(rng.randint(2**31 - 1))
        train, valid = split_off(data, self._held_out_share(), rng)
        train, aside = self._set_aside(data, train, rng)
        previous = self.net_.export_state() if resume else None
        steps_before = previous["steps"] if resume else 0
        if resume and not keep_state:
            previous["objective"] = None
        with reproducible(device, seed + steps_before) as generator:
            rows = TensorRows.from_arrays(data.arrays(aside), device, self.module is not None)
            if not resume:
                self._architecture = describe_architecture(self, data.X.shape[1:])
                self._trained_dtype = self.dtype
            held_out = None if valid is None else HeldOut.from_rows(data, valid, self.classes_)
            self.net_ = make_net(
                self,
                device,
                n_rows=len(rows if train is None else train),
                sources=sources(self, data, train, aside),
                epochs=epochs,
                steps_before=steps_before,
                averaging=averaging,
                held_out=held_out,
                callbacks=self._own_callbacks(data, seed + steps_before),
                iterator_train__generator=generator,
                iterator_valid__batch_size=-1,
                train_split=None if valid is None else predefined_split(rows.subset(valid)),
            )
            if resume:
                self.net_.import_state(previous)
            else:
                self._runs_in_float64 = check_module(
                    self.net_.module_, rows.inputs["X"][:2], len(self.classes_)
                )
            chosen = train if aside is None else np.concatenate([train, aside])
            self.net_.partial_fit(rows.subset(chosen), None)
            self.net_.train_split = None  # it holds the data
            self.n_iter_ = check_outcome(self, rows.inputs["X"], data, by_group)

    def _held_out_share(self) -> float | None:
        needed = self.early_stopping or self.restore_best or self.monitor is not None
        return self.validation_fraction if needed else None

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

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of the estimator.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the entries of ``net_params`` too, as ``net_params__<entry>``.

        Returns
        -------
        dict
            Values by name.
        """
        params = super().get_params(deep=deep)
        if deep and isinstance(self.net_params, dict):
            params |= {f"{IN_NET}{name}": value for name, value in self.net_params.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, and entries of ``net_params``.

        Parameters
        ----------
        **params : dict
            Values by name; ``net_params__optimizer__betas=(0.5, 0.9)`` sets one entry of
            ``net_params`` and leaves the others, so that a search can go through its values.

        Returns
        -------
        self : object
            The estimator.
        """
        entries = {name: params.pop(name) for name in list(params) if name.startswith(IN_NET)}
        super().set_params(**params)
        if entries:
            if not isinstance(self.net_params, (dict, type(None))):
                raise TypeError(f"net_params must be a dict or None, got {self.net_params!r}.")
            added = {name.removeprefix(IN_NET): value for name, value in entries.items()}
            self.net_params = (self.net_params or {}) | added  # the user's dict stays as it is
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_class = self._targets().multi_class
        tags.classifier_tags.multi_label = self._targets().multi_label
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "net_" in state:
            state["net_"] = state["net_"].export_state()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        net_state = state.pop("net_", None)
        super().__setstate__(state)
        if net_state is not None:
            known = isinstance(self.device, str) and self.device in available_devices()
            device = resolve_device(self.device if known else "auto")
            try:
                with reproducible(device, seed=0):
                    self.net_ = load_net(self, net_state, device)
            except Exception as error:
                raise ValueError(
                    f"The stored state of {type(self).__name__} is not whole, or its module is "
                    f"another than the one that was stored: {error}"
                ) from error


@contextmanager
def all_or_nothing(estimator: BaseEstimator) -> Iterator[None]:
    """Check the parameters, and leave the estimator as it was if the block fails.

    That includes a generator given as ``random_state``. An interruption is told in a warning, too,
    as those who catch it may not know what it leaves behind; filters of warnings that it kept the
    block from taking back are gone before. In the block parameters that are NumPy's numbers are
    Python's, which know no overflow.
    """
    before, filters = vars(estimator).copy(), list(warnings.filters)
    generator = getattr(estimator, "random_state", None)
    position = generator.get_state() if isinstance(generator, np.random.RandomState) else None
    params = estimator.get_params(deep=False)
    scalars = {name: value for name, value in params.items() if isinstance(value, np.number)}
    try:
        estimator._validate_params()
        for name, value in params.items():
            if isinstance(value, int) and abs(value) > LARGEST:
                raise ValueError(f"{name} must be at most {LARGEST}, got a larger number.")
        vars(estimator).update({name: value.item() for name, value in scalars.items()})
        yield
        vars(estimator).update(scalars)
    except BaseException as error:
        vars(estimator).clear()
        vars(estimator).update(before)
        if position is not None:
            generator.set_state(position)
        if isinstance(error, KeyboardInterrupt) and not hasattr(error, "__notes__"):
            error.add_note("fit was interrupted; the estimator is as it was before.")
            warnings.filters[:] = filters
            warn(error.__notes__[0], FitInterruptedWarning)
        raise


def inner_tags(estimator: Any) -> Tags | None:
    """Tags of the estimator inside another: of the fitted one, else of the one that is given.

    ``None`` if that is no estimator, which ``fit`` will say.
    """
    inner = getattr(estimator, "estimator_", estimator.estimator)
    return get_tags(inner) if hasattr(inner, "__sklearn_tags__") else None
