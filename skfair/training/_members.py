"""Trainings that may be carried out together, each as it stands before and after the steps."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._tensors import as_array
from .._warnings import warn
from ._base import NeuralClassifier, Plan
from ._batches import TensorRows
from ._device import reproducible
from ._learner import TableLearner
from ._net import ObjectiveNet
from ._recipe import Recipe
from ._rows import TrainingData
from ._stacked_objective import signature
from ._transaction import all_or_nothing

ENCODED = ("_encoder", "classes_", "groups_", "n_features_in_", "feature_names_in_")


class Once:
    """Makes what is asked for again only once; keys are compared by ``==``, not hashed."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, Any]] = []

    def __call__(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what has been made under an equal key before, else make it."""
        for known, value in self._made:
            if known == key:
                return value
        value = make()
        self._made.append((key, value))
        return value


class SharedRows:
    """Training data of several estimators, which are encoded once where they agree.

    Parameters
    ----------
    X, y : array-like
        As for ``fit``.
    params : dict
        Further arguments of ``fit``.
    """

    def __init__(self, X: Any, y: Any, params: dict[str, Any]) -> None:
        self.X, self.y = as_array(X), as_array(y)
        self.params = {name: as_array(value) for name, value in params.items()}
        self.once = Once()

    def encode(self, estimator: TableLearner) -> TrainingData:
        """Encode the data as the estimator would, and set what it learns of them."""
        options = estimator._encoder_options()

        def learn() -> tuple[TrainingData, dict[str, Any]]:
            data = _encode(estimator, self.X, self.y, **self.params)
            return data, {
                name: vars(estimator)[name] for name in ENCODED if name in vars(estimator)
            }

        if type(estimator)._encode is not TableLearner._encode:
            return learn()[0]
        data, learned = self.once(("encoded", signature(options)), learn)
        for name, value in learned.items():
            setattr(estimator, name, value)
        return data

    def rows(self, plan: Plan, dtype: str, private: bool) -> TensorRows:
        """Return a plan's rows on its device, which plans share."""
        holdout = None if plan.holdout is None else plan.holdout.tobytes()
        return self.once(
            ("rows", id(plan.data), holdout, plan.device, dtype, private),
            lambda: TensorRows.from_arrays(
                plan.data.arrays(dtype, plan.holdout), plan.device, private
            ),
        )

    def arguments_of(self, owner: Any, data: TrainingData) -> SharedRows:
        """Return what an estimator hands on to the network inside."""

        def make() -> SharedRows:
            params = dict(owner._arguments(data))
            return SharedRows(params.pop("X"), params.pop("y"), params)

        return self.once(("arguments", id(data)), make)


def _encode(
    estimator: TableLearner,
    X: Any,
    y: Any,
    *,
    sensitive_features: Any = None,
    sample_weight: Any = None,
    control_features: Any = None,
) -> TrainingData:
    return estimator._encode(
        X, y, sensitive_features, sample_weight, resume=False, control_features=control_features
    )


class Member:
    """A training among others.

    Parameters
    ----------
    estimator : NeuralClassifier or LabelFlipClassifier
        Not fitted; it, or the network inside, will be.
    shared : SharedRows
        Its data.
    name : str
        What an error is told to be about.

    Attributes
    ----------
    estimator : NeuralClassifier
        What is trained.
    error : Exception or None
        Why training failed; the estimator is then as it was.
    seconds : float
        This training's share of the time that all took together.
    """

    estimator: NeuralClassifier
    generator: torch.Generator
    net: ObjectiveNet
    plan: Plan
    recipe: Recipe

    def __init__(self, estimator: Any, shared: SharedRows, name: str) -> None:
        self.name = name
        self.error: Exception | None = None
        self.seconds, self.is_training = 0.0, False
        start = time.perf_counter()
        self._guard = ExitStack()
        with self.failing():
            self._guard.enter_context(all_or_nothing(estimator))
            if isinstance(estimator, NeuralClassifier):
                self.estimator = estimator
            else:
                shared = self._enter(estimator, shared)
                self._guard.enter_context(all_or_nothing(self.estimator))
            self._begin(shared)
        self.seconds += time.perf_counter() - start

    def _enter(self, owner: Any, shared: SharedRows) -> SharedRows:
        """Take the network inside a :class:`~skfair.LabelFlipClassifier`; return its data."""
        data = shared.encode(owner)

        def best_served(data: TrainingData, groups: np.ndarray, inner: Any) -> Any:
            key = "best served", id(data), signature(inner.get_params(deep=False))
            return shared.once(key, lambda: owner._best_served(data, groups, inner))

        inner = owner._make_inner(data, best_served=best_served)
        self.estimator, given = inner, owner._flip_in(inner)

        def hand_over() -> None:
            if self.error is None:
                inner.set_params(net_params=given)
                owner.estimator_ = inner

        self._guard.callback(hand_over)
        return shared.arguments_of(owner, data)

    def _begin(self, shared: SharedRows) -> None:
        estimator = self.estimator
        data = shared.encode(estimator)
        self.plan = plan = estimator._prepare(data, averaging=estimator.averaging)
        with reproducible(plan.device, plan.seed) as generator:
            plan.rows = shared.rows(plan, estimator.dtype, estimator._needs_copies())
            estimator._begin(plan, generator)
            self.net, self.recipe = estimator.net_, estimator.net_._recipe
            self.generator, self.chance = generator, get_chance(plan.device)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Keep an error of the block, which ends this training and no other."""
        try:
            yield
        except Exception as error:
            error.add_note(f"This was {self.name}.")
            self.error, self.is_training = error, False
            self._leave(error)

    def _leave(self, error: Exception | None) -> None:
        try:
            self._guard.__exit__(*((None,) * 3 if error is None else _details(error)))
        except Exception as raised:
            if raised is not error:
                raise

    def abandon(self) -> None:
        """Leave the estimator as it was before."""
        self._leave(RuntimeError("not trained"))

    def finish(self) -> None:
        """Look at what has been trained; warnings say of which member they are."""
        with self.failing(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.estimator._finish(self.plan)
            self._leave(None)
        for warning in caught:
            warn(f"{warning.message} This was {self.name}.", warning.category)


def _details(error: Exception) -> tuple[Any, ...]:
    return type(error), error, error.__traceback__


def get_chance(device: torch.device) -> list[Tensor]:
    """State of the global generators that a training on ``device`` draws from."""
    states = [torch.get_rng_state()]
    if device.type != "cpu":
        states.append(getattr(torch, device.type).get_rng_state(device))
    return states


def set_chance(device: torch.device, states: list[Tensor]) -> None:
    """Go on from what :func:`get_chance` returned."""
    torch.set_rng_state(states[0])
    if device.type != "cpu":
        getattr(torch, device.type).set_rng_state(states[1], device)


def can_be_member(estimator: Any) -> bool:
    """Whether an estimator is a network, or trains one that is at hand before."""
    if isinstance(estimator, NeuralClassifier):
        return True
    return hasattr(estimator, "_flip_in") and estimator.estimator is None
