"""Objectives of many networks at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from ..objectives import Objective
from ..objectives._base import Terms

OF_LANES = ("groups", "weights", "penalty_only", "partners", "strata")


def signature(value: Any) -> Any:
    """Return what values share that differ in the numbers of their tensors only.

    Signatures are compared by ``==``.
    """
    if isinstance(value, Tensor):
        return "tensor", tuple(value.shape), value.dtype, value.device
    if isinstance(value, np.ndarray):
        return "array", value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, partial):
        return "partial", *map(signature, (value.func, value.args, value.keywords))
    if is_dataclass(value) and not isinstance(value, type):
        return type(value), [signature(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, Mapping):
        return "mapping", [(name, signature(v)) for name, v in value.items()]
    if isinstance(value, (list, tuple)):
        return "sequence", [signature(v) for v in value]
    return value


def objective_signature(objective: Objective) -> Any:
    """Signature of an objective but for its weights."""
    return signature(replace(objective, weights=dict.fromkeys(objective.weights, 0.0)))


def tensors_of(value: Any) -> Iterator[Tensor]:
    """Tensors in a value, in a fixed order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, partial):
        yield from tensors_of((value.func, value.args, value.keywords))
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from tensors_of(getattr(value, field.name))
    elif isinstance(value, Mapping):
        yield from tensors_of(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from tensors_of(v)


def with_tensors(value: Any, tensors: Iterator[Tensor]) -> Any:
    """Return a value with other tensors, in the order of :func:`tensors_of`."""
    if isinstance(value, Tensor):
        return next(tensors)
    if isinstance(value, partial):
        function, args, keywords = with_tensors((value.func, value.args, value.keywords), tensors)
        return partial(function, *args, **keywords)
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value)]
        return replace(value, **{n: with_tensors(getattr(value, n), tensors) for n in names})
    if isinstance(value, Mapping):
        return {name: with_tensors(v, tensors) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([with_tensors(v, tensors) for v in value])
    return value


class StackedObjective:
    """Objectives that differ in their weights and, from lane to lane, in their tensors.

    Parameters
    ----------
    objectives : sequence of sequences of Objective
        Lane by lane, all of the same :func:`objective_signature`; within a lane with equal tensors.
    dtype, device
        Of the logits.
    """

    def __init__(
        self,
        objectives: Sequence[Sequence[Objective]],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.shape = len(objectives), len(objectives[0])
        first = objectives[0][0]
        weights: dict[str, float | Tensor] = {}
        self._left_out: dict[str, Tensor] = {}  # networks for which a term has no weight
        for name in first.weights:
            values = torch.tensor(
                [[float(o.weights[name]) for o in lane] for lane in objectives],
                dtype=torch.float64,
                device=device,
            )
            if not values.any():
                weights[name] = 0.0
                continue
            weights[name] = values.to(dtype)
            if not values.all():
                self._left_out[name] = values == 0
        self.first = replace(first, weights=weights)
        self._tensors = None
        self.gradient = first.gradient
        if self.shape[0] > 1:
            of_lanes = [list(tensors_of(lane[0].terms)) for lane in objectives]
            self._tensors = [torch.stack(same) for same in zip(*of_lanes, strict=True)]
        if self.shape[0] > 1 and first.gradient is not None:
            of_lanes = [list(tensors_of(lane[0].gradient)) for lane in objectives]
            tensors = (torch.stack(same).unsqueeze(1) for same in zip(*of_lanes, strict=True))
            self.gradient = with_tensors(first.gradient, tensors)

    def terms(
        self,
        logits: Tensor,
        y: Tensor,
        inputs: Mapping[str, Tensor],
        state: Tensor | None,
        extra: Mapping[str, Any] | None = None,
    ) -> tuple[Terms, Tensor | None]:
        """Terms and state of every network.

        Parameters
        ----------
        logits : Tensor of shape (n_lanes, n_members, rows, n_outputs)
            Of every network.
        y : Tensor of shape (n_lanes, rows) or (n_lanes, rows, n_labels)
            Class codes.
        inputs : mapping of str to Tensor of shape (n_lanes, rows, ...)
            ``groups``, ``weights`` and what else ``OF_LANES`` names, where there is any.
        state : Tensor of shape (n_lanes, n_members, ...) or None
            From the last batch.
        extra : mapping of str to Tensor of shape (n_lanes, n_members, ...), default=None
            Further arguments of the terms.

        Returns
        -------
        terms : dict of str to Tensor of shape (n_lanes, n_members)
            Of every network.
        state : Tensor or None
            For the next batch.
        """
        of_lane = {name: inputs[name] for name in OF_LANES if name in inputs} | {"y": y}
        of_member = dict(extra or {}) | {"logits": logits}
        if state is not None:
            of_member["state"] = state
        if self._tensors is None:
            values = _unsqueezed(self._of_lane(_first(of_lane), _first(of_member)))
        else:
            values = vmap(self._of_lane)(of_lane, of_member, self._tensors)
        state = values.pop("state", None)
        return values, state

    def terms_with_gradient(
        self,
        logits: Tensor,
        y: Tensor,
        inputs: Mapping[str, Tensor],
        state: Tensor | None,
        ramp: float | Tensor,
    ) -> tuple[Terms, Tensor | None, Tensor]:
        """:meth:`terms`, and the gradient of the networks' losses, where it is written out.

        ``ramp`` is that of :meth:`total`; the gradient is of the shape of ``logits``.
        """
        assert self.gradient is not None
        groups = inputs["groups"].unsqueeze(1) if "groups" in inputs else None
        loss_weights = self.first.loss_weights(ramp)
        return self.gradient(logits, y.unsqueeze(1), groups, state, loss_weights)

    def _of_lane(
        self,
        of_lane: Mapping[str, Tensor],
        of_member: Mapping[str, Any],
        tensors: list[Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Terms of a lane's networks, and the state, where there is any, beside them."""
        terms = self.first.terms
        if tensors is not None:
            terms = with_tensors(terms, iter(tensors))
        shared = dict(of_lane)
        y, groups, weights = (shared.pop(name, None) for name in ("y", "groups", "weights"))

        def of_one(of_member: Mapping[str, Any]) -> dict[str, Tensor]:
            extra = dict(of_member)
            logits, state = extra.pop("logits"), extra.pop("state", None)
            values, state = terms(logits, y, groups, weights, state, **shared, **extra)
            return values if state is None else values | {"state": state}

        if self.shape[1] == 1:
            return _unsqueezed(of_one(_first(of_member)))
        return vmap(of_one, randomness="same")(of_member)

    def total(self, terms: Terms, ramp: float | Tensor = 1.0) -> Tensor:
        """Losses of the networks, (n_lanes, n_members); see :meth:`Objective.total`."""
        counted = {
            name: term.masked_fill(self._left_out[name], 0) if name in self._left_out else term
            for name, term in terms.items()
        }
        return self.first.total(counted, ramp)


def _first(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _first(v) for name, v in value.items()}
    return [_first(v) for v in value] if isinstance(value, list) else value[0]


def _unsqueezed(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.unsqueeze(0) for name, value in values.items()}
