"""Randomized smoothing of any classifier: individual fairness that can be proved."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import Tags, assert_all_finite, check_array
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from ._documentation import DocumentedEstimator
from ._random import own_generator
from ._stored import StoredState
from ._tables import as_pandas, naming
from ._tensors import takes_tensors
from ._warnings import warn
from .smoothing import WeightedMetric
from .smoothing._columns import noisy_columns, noisy_numbers
from .smoothing._shares import ExactShares, SampledShares, Shares
from .smoothing._votes import (
    ESTIMATOR_ROWS,
    NETWORK_ROWS,
    Draws,
    EstimatorVoter,
    NetworkVoter,
    Voter,
)
from .smoothing._weights import make_weights
from .smoothing.guarantees import (
    draws_needed,
    largest_difference,
    radius,
    reachable,
)
from .smoothing.metric import METRICS
from .smoothing.noise import NOISES, AddNoise, Noise
from .training import NeuralClassifier
from .training._base import inner_tags
from .training._categories import category_columns, name_of
from .training._device import resolve_device
from .training._encoder import check_table, columns_kept, takes_tables
from .training._parameters import NetworkParameterized
from .training._transaction import all_or_nothing

__all__ = ["SmoothedClassifier"]

MAX_ROWS = 2**22  # evaluated together: a gigabyte with 64 units
MAX_DRAWS = 10**9  # of a person: days
MAX_FLOAT32_WIDTHS = 1e4  # of the noise from zero, beyond which float32 cannot resolve it


class SmoothedClassifier(
    StoredState, DocumentedEstimator, MetaEstimatorMixin, ClassifierMixin, BaseEstimator
):
    """Classifier made individually fair by randomized smoothing.

    The answer for a person is the share of each class among the decisions of ``estimator`` on many
    noisy copies of them [1]_ (Algorithm 1). It then differs between any two people by no more than
    their distance, whatever the estimator does: |h(x) - h(x')| <= D(x, x') in total variation
    (Theorems 3 and 5).

    Parameters
    ----------
    estimator : classifier
        Any classifier or pipeline with ``predict``, of scikit-learn or skfair.
    metric : {"l1", "l2", "linf"}, default="l2"
        Distance between people: sum_i w_i d_i, sqrt(sum_i w_i d_i^2) or max_i w_i d_i, where d_i is
        the difference in feature i.
    weights : None, "linear", array-like of shape (n_noisy,), dict or Series, default=None
        The w_i, positive, one for each column that receives noise, in the order of X or by name.
        ``None``: all one. "linear": the absolute coefficients of a logistic regression on the same
        data, scaled to a mean of one ([1]_, section 6), and at least 0.001. The larger a weight,
        the more a feature may matter, and the less noise it receives. They are relative to the
        units of X: standardize it first.
    scale : float > 0, default=1.0
        Factor of all weights.
    noise : {"gaussian", "laplace"}, default="gaussian"
        Kind of noise. Gaussian noise costs less accuracy as a rule.
    n_samples : int, default=None
        Number of noisy copies of each person; ``None`` takes as many as ``epsilon`` and ``delta``
        need ([1]_, Theorem 8).
    epsilon : float in (0, 1), default=0.01
        By how much the sampled answers of two people may differ beyond their distance.
    delta : float in (0, 1), default=1e-3
        With which probability they may do so all the same; and that with which a certificate may
        fail for a person.
    shared_noise : bool, default=True
        Whether all people get the same noise, which is faster, but takes twice as many draws for
        the same ``epsilon`` and ``delta``; or everyone their own.
    numeric_columns : str, int, list, slice or callable, default=None
        Columns that receive noise, all that hold numbers if ``None``. Two people who differ in any
        other column are not comparable: nothing is promised about them, their distance is infinite.
        Name the columns if categories are coded as numbers. Where ``estimator`` takes missing
        numbers they stay missing, and are comparable with missing ones only.
    augment_training : bool, default=True
        Whether a network of skfair is trained with the noise added to every batch, without which it
        knows nothing about noisy people. Other estimators are trained on the data as they are.
    adaptive : bool, default=False
        Whether ``predict`` stops drawing for people whose decision is certain: the class has more
        than half of all votes, with a probability of error of at most ``delta``. Shares and
        certificates always take all draws.
    random_state : int, RandomState instance or None, default=None
        Of the noise, which is fixed in ``fit``: answers do not change from call to call. Also of
        ``estimator`` and what is inside it, wherever that has none of its own.
    device : str, default=None
        Where a network of skfair is evaluated: a torch device or "auto"; ``None`` leaves it where
        it is. Noise differs from device to device.
    batch_size : "auto" or int in [1, 4194304], default="auto"
        Rows that are evaluated together; bounds the memory. Draws come in blocks of this many, so
        that shares change within their error with it.
    prefit : bool, default=False
        Whether ``estimator`` is fitted already, and stays as it is. A search clones what it is
        given, and a clone is not fitted: use :class:`sklearn.frozen.FrozenEstimator` there.
    verbose : int, default=0
        1 shows a progress bar over the draws.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    estimator_ : classifier
        The fitted estimator.
    metric_ : WeightedMetric
        Computes distances; ``metric_.weights`` are the w_i by feature.
    n_samples_ : int
        Number of noisy copies; 0 where a formula takes their place: two classes, Gaussian noise
        and a linear classifier of scikit-learn.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where X has any.

    See Also
    --------
    skfair.metrics.individual_fairness_violation : Search for pairs that are treated unfairly.
    skfair.smoothing.minimal_metric : The metric under which a linear model is fair as it is.

    Notes
    -----
    Only the shares are individually fair. A decision (``predict``) must change somewhere; use
    :meth:`certified_radius` for how far that is from a person. With more than two classes the
    same bounds hold for Gaussian noise too, since no answer can tell two noises apart better than
    they are apart; that the metric is minimal is proved for two classes alone.

    References
    ----------
    .. [1] S. Yeom, M. Fredrikson. Individual Fairness Revisited: Transferring Techniques from
       Adversarial Robustness. IJCAI 2020. The noise follows the corrected formulas of
       :mod:`skfair.smoothing.noise`.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skfair import SmoothedClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, _ = make_biased_classification(random_state=0)
    >>> tree = DecisionTreeClassifier(random_state=0)
    >>> model = SmoothedClassifier(tree, n_samples=1000, random_state=0).fit(X, y)
    >>> shares = model.predict_proba(X[:2])
    >>> bool(abs(shares[0, 1] - shares[1, 1]) <= model.fairness_bound(X[:1], X[1:2]) + 0.05)
    True
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"])],
        "metric": [StrOptions(set(METRICS))],
        "weights": [StrOptions({"linear"}), "array-like", dict, None],
        "scale": [Interval(Real, 0, None, closed="neither")],
        "noise": [StrOptions(set(NOISES))],
        "n_samples": [Interval(Integral, 1, None, closed="left"), None],
        "epsilon": [Interval(Real, 0, 1, closed="neither")],
        "delta": [Interval(Real, 0, 1, closed="neither")],
        "shared_noise": ["boolean"],
        "numeric_columns": [str, Integral, "array-like", slice, callable, None],
        "augment_training": ["boolean"],
        "adaptive": ["boolean"],
        "random_state": ["random_state"],
        "device": [str, None],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, MAX_ROWS, closed="both")],
        "prefit": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        metric: str = "l2",
        weights: Any = None,
        scale: float = 1.0,
        noise: str = "gaussian",
        n_samples: int | None = None,
        epsilon: float = 0.01,
        delta: float = 1e-3,
        shared_noise: bool = True,
        numeric_columns: Any = None,
        augment_training: bool = True,
        adaptive: bool = False,
        random_state: int | np.random.RandomState | None = None,
        device: str | None = None,
        batch_size: int | str = "auto",
        prefit: bool = False,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.metric = metric
        self.weights = weights
        self.scale = scale
        self.noise = noise
        self.n_samples = n_samples
        self.epsilon = epsilon
        self.delta = delta
        self.shared_noise = shared_noise
        self.numeric_columns = numeric_columns
        self.augment_training = augment_training
        self.adaptive = adaptive
        self.random_state = random_state
        self.device = device
        self.batch_size = batch_size
        self.prefit = prefit
        self.verbose = verbose

    # -- fitting ------------------------------------------------------------------------------

    @takes_tensors
    def fit(self, X: Any, y: Any, **fit_params: Any) -> Self:
        """Fit the estimator, and fix metric and noise.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Training data, as the estimator takes them. Where there is noise, finite numbers, or
            missing ones if the estimator takes them.
        y : array-like of shape (n_samples,)
            Class labels.
        **fit_params : dict
            For the estimator's ``fit``, such as ``sensitive_features`` and ``sample_weight``; with
            scikit-learn's metadata routing enabled, those that it requests.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If a weight is not positive, weights and columns do not match, a parameter is out of
            range, or X holds infinity where noise is added, or NaN that the estimator does not
            take.
        TypeError
            If ``estimator`` cannot be cloned.
        """
        with all_or_nothing(self):
            raw = self._table(X, reset=True)
            check_consistent_length(raw, y)
            with naming("y"):
                check_classification_targets(y)
                y = column_or_1d(y, warn=True)
            for_estimator = self._route(fit_params)
            _check_classes(raw, y, for_estimator.get("sample_weight"))
            self._columns = noisy_columns(raw, self.numeric_columns)
            self._check_no_categories(raw)
            numbers = self._numbers(raw)
            names = getattr(self, "feature_names_in_", None)
            known = np.arange(self.n_features_in_) if names is None else names
            weights = self.scale * make_weights(
                self.weights, numbers, y, for_estimator.get("sample_weight"), known[self._columns]
            )
            self.metric_ = WeightedMetric(self.metric, weights, columns=self._columns, names=names)
            self._noise = Noise(self.noise, self.metric, weights)
            self._seed = int(own_generator(self.random_state).randint(2**31 - 1))
            self.estimator_ = self._fit_estimator(raw, y, for_estimator)
            if not hasattr(self.estimator_, "classes_"):
                raise ValueError(
                    f"estimator must be a classifier; {self.estimator!r} is fitted, but has no "
                    "classes_."
                )
            self.classes_ = np.asarray(self.estimator_.classes_)
            # what is answered and proved, whatever the parameters become
            self._shared, self._adaptive = bool(self.shared_noise), bool(self.adaptive)
            self._delta, self._batch_size = float(self.delta), self.batch_size
            self._check_device()
            exact = ExactShares.applies_to(self.estimator_, self._noise)
            self.n_samples_ = 0 if exact else self._number_of_draws()
            if len(self.classes_) > 2 and self.noise == "gaussian":
                warn(
                    f"The paper proves Gaussian smoothing for two classes; here are "
                    f"{len(self.classes_)}. What holds all the same: fairness_bound, the certified "
                    "interval of each class, and the certified radius (of the class against all "
                    "others together). Not proved: that no smaller metric would do.",
                )
        return self

    def _table(self, X: Any, reset: bool) -> Any:
        """Check X; a DataFrame stays one, as a pipeline inside may need its columns."""
        X = check_table(self, as_pandas(X), reset=reset)
        if hasattr(X, "iloc"):
            return X
        with naming("X"):
            return check_array(
                X,
                dtype="numeric",
                estimator=self,
                input_name="X",
                ensure_all_finite="allow-nan" if self._allows_nan() else True,
            )

    def _numbers(self, raw: Any) -> np.ndarray:
        columns = self._columns, self.numeric_columns
        return noisy_numbers(raw, *columns, self, allow_nan=self._allows_nan())

    def _allows_nan(self) -> bool:
        tags = inner_tags(self)
        return tags is not None and tags.input_tags.allow_nan

    def _route(self, fit_params: dict) -> dict:
        if _routing_enabled():
            return dict(process_routing(self, "fit", **fit_params).estimator.fit)
        return {name: value for name, value in fit_params.items() if value is not None}

    def _fit_estimator(self, raw: Any, y: Any, fit_params: dict) -> Any:
        if self.prefit:
            check_is_fitted(self.estimator)
            return self.estimator
        try:
            estimator = clone(self.estimator)
        except (TypeError, RuntimeError) as error:
            raise TypeError(
                f"estimator={self.estimator!r} cannot be cloned ({error}); it must follow "
                "scikit-learn's rules for estimators, or be fitted already, with prefit=True."
            ) from error
        _set_missing_seeds(estimator, self._seed)
        network = isinstance(estimator, NetworkParameterized)
        network = network and getattr(estimator, "estimator", None) is None  # LabelFlipClassifier
        if not (self.augment_training and network):
            return estimator.fit(raw, y, **fit_params)
        given = estimator.net_params
        noisy = {"iterator_train__augment": AddNoise(self._noise, self._seen(estimator, raw))}
        estimator.set_params(net_params=(given or {}) | noisy)
        return estimator.fit(raw, y, **fit_params)

    def _seen(self, estimator: NetworkParameterized, raw: Any) -> list[int]:
        """Where the network sees the noisy columns, -1 for those it does not."""
        kept = columns_kept(estimator, raw)
        if kept is None:
            return self._columns
        return [kept.index(i) if i in kept else -1 for i in self._columns]

    def _check_no_categories(self, raw: Any) -> None:
        """Refuse to add noise to what the network takes as categories."""
        network = self.estimator
        is_network = isinstance(network, NetworkParameterized)
        if not is_network or takes_tables(network.module) is False:
            return
        for column in category_columns(raw, network.categorical_features):
            if column in self._columns:
                raise ValueError(
                    f"{name_of(raw, column)} of X receives noise, but the network takes it as a "
                    "category: name the columns of numbers in numeric_columns."
                )

    def _check_device(self) -> None:
        if self.device is None:
            return
        if resolve_device(self.device).type != "cpu" and not self._is_network():
            raise ValueError(
                f"device={self.device!r} is for networks of skfair; {self.estimator_!r} decides "
                "where it runs by itself: use device=None."
            )

    def _is_network(self) -> bool:
        return isinstance(self._network, NeuralClassifier) and hasattr(self._network, "net_")

    @property
    def _network(self) -> Any:
        """The estimator, or what a LabelFlipClassifier has trained."""
        is_flip = isinstance(self.estimator_, NetworkParameterized)
        return (
            getattr(self.estimator_, "estimator_", self.estimator_) if is_flip else self.estimator_
        )

    def _number_of_draws(self) -> int:
        if self.n_samples is not None:
            asked, n_draws = f"n_samples={self.n_samples}", int(self.n_samples)
        else:
            asked = f"epsilon={self.epsilon} with delta={self.delta}"
            n_draws = draws_needed(self.epsilon, self.delta, len(self.classes_), self.shared_noise)
        if n_draws > MAX_DRAWS:
            raise ValueError(f"{asked} asks for {n_draws} draws, more than {MAX_DRAWS}.")
        return n_draws

    # -- answers ------------------------------------------------------------------------------

    @takes_tensors
    def predict_proba(self, X: Any) -> np.ndarray:
        """Share of each class among the decisions on noisy copies of a person.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Input samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._shares_of(X).shares()

    @takes_tensors
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithms of :meth:`predict_proba`.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Input samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            ``-inf`` for a class without a vote.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @takes_tensors
    def predict(self, X: Any) -> np.ndarray:
        """Class with the most votes.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Input samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        codes = self._shares_of(X).leading().argmax(axis=1)
        return self.classes_[codes]

    def _shares_of(self, X: Any) -> Shares:
        """Return what answers for these people."""
        check_is_fitted(self)
        raw = self._table(X, reset=False)
        numbers = self._numbers(raw)
        if ExactShares.applies_to(self.estimator_, self._noise):
            return ExactShares(self.estimator_, raw, self._columns, self._noise.scale)
        draws = Draws(self._noise, self._seed, self.n_samples_, None if self._shared else raw)
        device, rows = self._evaluation_device(), ESTIMATOR_ROWS
        make_voter: Callable[[], Voter] = partial(self._estimator_voter, raw, numbers)
        if self._is_network():
            make_voter, rows = partial(self._network_voter, raw, numbers, device), NETWORK_ROWS
        return SampledShares(
            make_voter,
            draws,
            len(raw),
            rows=rows if self._batch_size == "auto" else int(self._batch_size),
            device=device.type,
            delta=self._delta,
            adaptive=self._adaptive,
            verbose=bool(self.verbose),
        )

    def _evaluation_device(self) -> torch.device:
        if self.device is not None:
            return resolve_device(self.device)
        return torch.device(self._network.net_.device if self._is_network() else "cpu")

    def _network_voter(self, raw: Any, numbers: np.ndarray, device: torch.device) -> NetworkVoter:
        network, scale = self._network, self._noise.scale
        network.predict(raw)  # raises where the numbers are too large
        people = network._encoder.features(check_table(network, raw, reset=False))
        module = network.net_.module_.eval()
        if (
            np.abs(np.nan_to_num(numbers)) / scale
        ).max() > MAX_FLOAT32_WIDTHS and network._runs_in_float64:
            module = network.net_.double_precision.of(module)
        if device != torch.device(network.net_.device):
            module = copy.deepcopy(module).to(device)
        columns = self._seen(network, raw)
        return NetworkVoter(module, people, columns, scale, len(self.classes_), not self._shared)

    def _estimator_voter(self, raw: Any, numbers: np.ndarray) -> EstimatorVoter:
        scale, own = self._noise.scale, not self._shared
        return EstimatorVoter(
            self.estimator_, raw, numbers, self._columns, scale, self.classes_, own
        )

    # -- certificates -------------------------------------------------------------------------

    @takes_tensors
    def fairness_bound(self, X1: Any, X2: Any) -> np.ndarray:
        """Largest possible difference between the outcomes of each pair of people.

        The tighter of D(x, x') and the distance of the two noises: 2 Phi(delta / 2) - 1 for
        Gaussian noise with delta^2 = sum_i (x_i - x'_i)^2 / s_i^2, tanh(D) for Laplace noise.

        Parameters
        ----------
        X1, X2 : array-like or DataFrame of shape (n_pairs, n_features)
            Input samples; pair by pair.

        Returns
        -------
        ndarray of shape (n_pairs,)
            Total variation between their shares (with two classes: the difference of either), in
            [0, 1]; 1 for people who are not comparable. Sampled shares may differ by ``epsilon``
            more, with probability ``delta``.
        """
        check_is_fitted(self)
        first, second = self._table(X1, reset=False), self._table(X2, reset=False)
        distance = self.metric_(first, second)
        shift = self.metric_.shift(first, second) / self._noise.scale
        return largest_difference(self._noise.noise, distance, shift)

    @takes_tensors
    def certified_interval(self, X: Any, distance: Any) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest share of a class among all people within a distance.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Input samples.
        distance : float or array-like of shape (n_samples,)
            How far from each person, in the distance of ``metric_``; not negative.

        Returns
        -------
        low, high : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Limits of the share of ``classes_[1]``, or of every class where there are more than two.
            They hold for a person with a probability of 1 - ``delta`` over the draws
            (Clopper-Pearson), surely where ``n_samples_`` is 0.
        """
        distance = column_or_1d(np.atleast_1d(distance), dtype=np.float64)
        if np.isnan(distance).any() or (distance < 0).any():
            raise ValueError(f"distance must not be negative, got {distance.min()}.")
        if len(distance) not in (1, len(X)):
            raise ValueError(
                f"distance must be one number, or one for each of the {len(X)} rows of X; got "
                f"{len(distance)}."
            )
        low, high, score = self._shares_of(X).limits()
        low = reachable(self._noise.noise, low, distance[:, np.newaxis], score)[0]
        high = reachable(self._noise.noise, high, distance[:, np.newaxis], score)[1]
        return (low[:, 1], high[:, 1]) if low.shape[1] == 2 else (low, high)

    @takes_tensors
    def certified_radius(self, X: Any) -> np.ndarray:
        """Distance within which nobody gets another decision than this person.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Input samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            In the distance of ``metric_``; 0 where it is not certain that a class has more than
            half of the votes. Holds for a person with a probability of 1 - ``delta`` over the
            draws (Clopper-Pearson), surely where ``n_samples_`` is 0. It is about the exact shares;
            the sampled answer of a neighbor near one half may still fall on the other side.
        """
        low, _, score = self._shares_of(X).limits()
        return radius(
            self._noise.noise, low.max(axis=1), None if score is None else score.max(axis=1)
        )

    # -- scikit-learn's protocols -------------------------------------------------------------

    def get_metadata_routing(self) -> MetadataRouter:
        """Return how metadata are routed.

        Returns
        -------
        MetadataRouter
            Everything goes to the estimator's ``fit``.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_samples_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = inner_tags(self)
        if inner is not None and inner.classifier_tags is not None:
            tags.classifier_tags.multi_class = inner.classifier_tags.multi_class
        tags.input_tags.allow_nan = self._allows_nan()
        return tags

    def _upgrade_state(self, state: dict[str, Any]) -> dict[str, Any]:
        if "n_samples_" in state:  # what was taken from the parameters at first
            state.setdefault("_adaptive", state.get("adaptive", False))
            state.setdefault("_delta", state["delta"])
            state.setdefault("_batch_size", state["batch_size"])
        return state


def _check_classes(raw: Any, y: np.ndarray, sample_weight: Any) -> None:
    with naming("sample_weight"):
        weights = _check_sample_weight(sample_weight, raw, ensure_non_negative=True)
        assert_all_finite(weights, input_name="sample_weight")
    with naming("y"):
        present = np.unique(y[weights > 0])
    if len(present) < 2:
        raise ValueError(
            f"SmoothedClassifier needs at least two classes, y has one class, {present.tolist()} "
            "(rows whose sample_weight is 0 do not count)."
        )


def _set_missing_seeds(estimator: Any, seed: int) -> None:
    """Set every ``random_state`` that is None, also of estimators inside."""
    rng = np.random.RandomState(seed)
    params = estimator.get_params(deep=True)
    names = [name for name in sorted(params) if name.split("__")[-1] == "random_state"]
    unset = [name for name in names if params[name] is None]
    estimator.set_params(**{name: int(rng.randint(2**31 - 1)) for name in unset})
