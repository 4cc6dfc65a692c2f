"""The parameters of a network and its training, stated once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import cache
from numbers import Integral, Real
from typing import Any, Literal, Never, Self, TypedDict, TypeVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, Options, StrOptions
from torch import Tensor
from torch.optim import Optimizer

from ..networks._build import MODULE_NAMES
from ..networks.mlp import ACTIVATIONS
from ._docs import fill_docstring
from ._recipe import DTYPES, OPTIMIZERS
from ._sampling import SAMPLINGS
from ._settings import AUTO, DEFAULTS, LR_SCHEDULES

NET_PREFIX = "net_params__"
SELF = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
KEYWORDS = inspect.Parameter.VAR_KEYWORD
Estimator = TypeVar("Estimator", bound="type[NetworkParameterized]")
Auto = Literal["auto"]


class FixedParameters(TypedDict, total=False):
    """Parameters whose defaults no estimator changes; see :class:`NetworkParameterized`."""

    module: Callable | str | None
    categorical_features: Sequence | str | None
    activation: str
    dropout: float | Auto
    n_members: int
    optimizer: str | type[Optimizer]
    lr: float | Auto
    lr_schedule: str
    weight_decay: float | Auto
    max_epochs: int | Auto
    batch_size: int | Auto
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    monitor: str | Callable | None
    restore_best: bool
    sensitive_columns: Any
    drop_sensitive_columns: bool
    attributes: str
    group_weights: str
    class_weight: dict | str | None
    device: str
    dtype: str
    warm_start: bool
    random_state: int | np.random.RandomState | None
    verbose: int
    net_params: dict | None


class CommonParameters(FixedParameters, total=False):
    """The same and ``hidden_layer_sizes``: all but ``warmup``, ``sampling`` and ``augment``."""

    hidden_layer_sizes: Sequence[int] | Auto


class UnsizedParameters(FixedParameters, total=False):
    """The same, ``warmup``, ``sampling`` and ``augment``: all but ``hidden_layer_sizes``."""

    warmup: float
    sampling: str
    augment: Callable[[Tensor], Tensor] | None


class WarmupParameters(CommonParameters, total=False):
    """The same and ``warmup``: all but ``sampling`` and ``augment``."""

    warmup: float


class BatchParameters(WarmupParameters, total=False):
    """The same, ``warmup`` and ``sampling``: all but ``augment``."""

    sampling: str


class SamplingParameters(CommonParameters, total=False):
    """The same, ``sampling`` and ``augment``: all but ``warmup``."""

    sampling: str
    augment: Callable[[Tensor], Tensor] | None


class NetworkParameters(WarmupParameters, SamplingParameters, total=False):
    """All parameters of a network and its training, for ``**network``."""


def inherit_parameters(base: type[NetworkParameterized]) -> Callable[[Estimator], Estimator]:
    """Decorate an estimator class that hands its ``**network`` on to ``base``.

    Its signature, which scikit-learn reads, and its constraints are completed with those of
    ``base``. In its docstring ``{network_parameters}`` and ``{attributes}`` stand for the entries
    of ``base`` that it does not have itself: where a default is another, it states its own.

    Parameters
    ----------
    base : type
        The class whose parameters the decorated one has beside its own.

    Returns
    -------
    callable
        The decorator.

    Raises
    ------
    TypeError
        If the ``__init__`` of the decorated class, or of a mixin before its base, takes no
        ``**network``: it would lose the parameters of ``base``.

    Examples
    --------
    A classifier that is kept from being sure:

    >>> from typing import Unpack
    >>> from skfair.datasets import make_biased_classification
    >>> from skfair.objectives import Objective, cross_entropy
    >>> from skfair.training import NetworkParameters, NeuralClassifier, inherit_parameters
    >>> def unsure_terms(logits, y, groups, weights, state):
    ...     terms = {"cross_entropy": cross_entropy(logits, y, weights)}
    ...     return terms | {"certainty": logits.square().mean()}, state
    >>> @inherit_parameters(NeuralClassifier)
    ... class UnsureClassifier(NeuralClassifier):
    ...     def __init__(self, *, strength=0.1, **network: Unpack[NetworkParameters]):
    ...         super().__init__(**network)
    ...         self.strength = strength
    ...
    ...     def _wants_groups(self):
    ...         return False
    ...
    ...     def _make_objective(self, comparison, batch_size):
    ...         return Objective(unsure_terms, weights={"certainty": self.strength})
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = UnsureClassifier(strength=0.5, max_epochs=5, random_state=0).fit(X, y)
    >>> model.predict(X[:3]).shape
    (3,)
    """

    def complete(cls: Estimator) -> Estimator:
        check_hands_on(cls, base)
        if "__init__" in vars(cls):
            inherited = inspect.signature(base).parameters
            named = [p for p in inspect.signature(cls).parameters.values() if p.kind != KEYWORDS]
            added = [inherited[name] for name in missing_parameters(cls, base)]
            vars(cls)["__init__"].__signature__ = inspect.Signature([SELF, *named, *added])
        constraints = vars(cls).get("_parameter_constraints", {})
        cls._parameter_constraints = base._parameter_constraints | constraints
        fill_docstring(cls, base)
        return cls

    return complete


def missing_parameters(cls: type, base: type) -> list[str]:
    """Names of the parameters of ``base`` that the signature of ``cls`` lacks."""
    found = inspect.signature(cls).parameters
    return [name for name in inspect.signature(base).parameters if name not in found]


def check_hands_on(cls: type, base: type) -> None:
    """See to it that the ``__init__`` of a class can hand the parameters of ``base`` on.

    Raises
    ------
    TypeError
        If it takes neither these parameters nor ``**network``.
    """
    kinds = [parameter.kind for parameter in inspect.signature(cls).parameters.values()]
    if KEYWORDS not in kinds and (missing := missing_parameters(cls, base)):
        raise TypeError(
            f"{cls.__name__}.__init__ must take **network and hand it on to "
            f"{base.__name__}.__init__; without it the parameters {missing} are lost."
        )


@cache
def check_complete(cls: type) -> None:
    """See to it that a class has all parameters of a network.

    Raises
    ------
    TypeError
        If parameters are missing in its signature, which scikit-learn reads.
    """
    if missing := missing_parameters(cls, NetworkParameterized):
        raise TypeError(
            f"{cls.__name__} lacks the parameters {missing} of its base: decorate the class with "
            "@inherit_parameters(base), and let its __init__ take **network and hand it on."
        )


def _no_such_parameter(cls: type, name: str) -> str:
    alike = get_close_matches(name, inspect.signature(cls).parameters, n=1)
    hint = f"; did you mean {alike[0]!r}?" if alike else "."
    return f"{cls.__name__} has no parameter {name!r}{hint}"


class NetworkParameterized(BaseEstimator):
    """Base of whatever has the parameters of a network and its training."""

    _parameter_constraints: dict = {
        "module": [StrOptions(set(MODULE_NAMES)), callable, None],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions(set(LR_SCHEDULES))],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Options(Integral, {-1}), Interval(Integral, 1, None, closed="left")],
        "sampling": [StrOptions(set(SAMPLINGS))],
        "augment": [callable, None],
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
    _parameter_constraints |= {
        name: [*allowed, StrOptions({AUTO})]
        for name, allowed in _parameter_constraints.items()
        if name in DEFAULTS
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_hands_on(cls, NetworkParameterized)

    def __init__(
        self,
        *,
        module: Callable | str | None = None,
        categorical_features: Sequence | str | None = "from_dtype",
        hidden_layer_sizes: Sequence[int] | Auto = "auto",
        activation: str = "relu",
        dropout: float | Auto = "auto",
        n_members: int = 1,
        optimizer: str | type[Optimizer] = "auto",
        lr: float | Auto = "auto",
        lr_schedule: str = "auto",
        weight_decay: float | Auto = "auto",
        max_epochs: int | Auto = "auto",
        batch_size: int | Auto = "auto",
        sampling: str = "natural",
        augment: Callable[[Tensor], Tensor] | None = None,
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
        **unknown: Never,
    ) -> None:
        kind: Any = type(self)  # hashable, which mypy does not see
        check_complete(kind)
        if unknown:
            raise TypeError(_no_such_parameter(kind, next(iter(unknown))))
        self.module = module
        self.categorical_features = categorical_features
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.n_members = n_members
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.sampling = sampling
        self.augment: str | Callable | None = augment  # subclasses know names, too
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

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the estimator.

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
            params |= {f"{NET_PREFIX}{name}": value for name, value in self.net_params.items()}
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
        entries = {name: params.pop(name) for name in list(params) if name.startswith(NET_PREFIX)}
        super().set_params(**params)
        if entries:
            if not isinstance(self.net_params, (dict, type(None))):
                raise TypeError(f"net_params must be a dict or None, got {self.net_params!r}.")
            added = {name.removeprefix(NET_PREFIX): value for name, value in entries.items()}
            self.net_params = (self.net_params or {}) | added  # the user's dict stays as it is
        return self


_known = inspect.signature(NetworkParameterized)
NetworkParameterized.__init__.__signature__ = _known.replace(  # type: ignore[attr-defined]
    parameters=[SELF, *(p for p in _known.parameters.values() if p.kind != KEYWORDS)]
)
