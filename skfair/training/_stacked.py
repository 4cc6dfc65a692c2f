"""Many trainings carried out together: the second executor of recipes.

Networks of the same shape, optimizer, batches and objective form a stack. They differ in the
objective's weights, in the optimizer's options, in seeds and in rows; those that see the same rows
in the same order share a lane.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.swa_utils import get_swa_multi_avg_fn

from .._torch_state import check_interpreter
from ..networks import MLP
from ..networks._stacked import StackedMLP, release
from ..objectives._base import plain_forward
from ..objectives._stacked import draws_numbers, stacked_forward
from ..objectives.groups import batch_part
from ._base import NeuralClassifier
from ._batches import Batch, row_slices
from ._callbacks import has_callbacks
from ._device import reproducible
from ._flipping import FlipLabels
from ._members import Member, set_chance
from ._monitor import Monitor
from ._multipliers import Multipliers
from ._net import is_early_stopping
from ._sampling import Stratum
from ._stacked_objective import StackedObjective, objective_signature, signature, tensors_of

average_in_place = get_swa_multi_avg_fn()
ELEMENTWISE = ("Adam", "AdamW", "SGD", "RMSprop", "Adagrad", "NAdam", "RAdam", "Adamax", "Adadelta")


# -- what goes together ------------------------------------------------------------------------


def why_alone(member: Member) -> str | None:
    """Why a training has to be carried out by itself, ``None`` if it has not."""
    estimator, net, recipe = member.estimator, member.net, member.recipe
    kind = type(estimator)
    if has_callbacks(estimator):
        return "it has callbacks of scikit-learn"
    given = [name for name in estimator.net_params or {} if not name.startswith("optimizer__")]
    callbacks = (estimator.net_params or {}).get("callbacks") or []
    if given and not (given == ["callbacks"] and all(map(_is_flip, callbacks))):
        return f"net_params has {given}"
    if kind.fit is not kind._encode_and_train or kind._train is not NeuralClassifier._train:
        return f"{kind.__name__} has a fit of its own"
    if recipe.augment is not None:
        return "augment changes rows as it likes"
    if recipe.objective.players:
        return f"{kind.__name__} trains a further network"
    if recipe.optimizer.__name__ not in ELEMENTWISE or not _is_torchs(recipe.optimizer):
        return f"optimizer={estimator.settings_.optimizer!r} does not treat every weight by itself"
    for _, callback in net.callbacks_:
        if isinstance(callback, Monitor) and not callback.reads_history:
            return f"monitor={estimator.monitor!r} asks for predictions after every epoch"
        if isinstance(callback, Multipliers):
            return "multipliers follow the decisions of every epoch"
    if len(net.optimizer_.param_groups) > 1:
        return "the optimizer treats some weights otherwise than others"
    if type(net.module_) is not MLP:
        return f"{type(net.module_).__name__} is no perceptron"
    if stacked_forward(recipe.objective.forward) is None:
        return f"{kind.__name__} needs more than logits"
    return None


def _is_torchs(optimizer: type) -> bool:
    return optimizer.__module__.startswith("torch.optim.")


def _is_flip(callback: Any) -> bool:
    return isinstance(callback, tuple) and isinstance(callback[-1], FlipLabels)


def stack_signature(member: Member) -> Any:
    """Return what members of a stack have in common."""
    recipe, plan, module = member.recipe, member.plan, member.net.module_
    dtypes = [(name, tensor.dtype) for name, tensor in plan.all_rows.inputs.items()]
    architecture = recipe.architecture
    return signature(
        [
            type(module),
            [(name, tuple(p.shape)) for name, p in module.named_parameters()],
            (architecture.activation, architecture.dropout, architecture.dtype),
            objective_signature(recipe.objective),
            recipe.optimizer,
            [sorted(group) for group in member.net.optimizer_.param_groups],
            (recipe.batches.size, recipe.batches.n_batches, recipe.epochs),
            (recipe.average_from, recipe.annealed),
            [stratum.quota for stratum in _strata(member)],
            len(plan.training_rows),
            0 if plan.valid is None else len(plan.valid),
            (plan.device, dtypes, len(recipe.group_names)),
        ]
    )


def _is_random(member: Member) -> bool:
    """Whether training draws numbers beside the order of the rows."""
    recipe = member.recipe
    return recipe.architecture.dropout > 0 or draws_numbers(recipe.objective.forward)


def _same_lane(one: Member, other: Member) -> bool:
    """Whether two members of a stack see the same rows in the same order."""
    a, b = one.plan, other.plan
    if a.seed != b.seed or a.data is not b.data:
        return False
    if any(isinstance(c, FlipLabels) for m in (one, other) for _, c in m.net.callbacks_):
        return False
    rows = zip((a.train, a.valid, a.holdout), (b.train, b.valid, b.holdout), strict=True)
    if not all(_same_rows(*pair) for pair in rows):
        return False
    tensors = (
        [*tensors_of(m.recipe.objective.terms), *(stratum.rows for stratum in _strata(m))]
        for m in (one, other)
    )
    return all(map(torch.equal, *tensors))


def _strata(member: Member) -> list[Stratum]:
    batches = member.recipe.batches
    return [*(batches.strata or []), *(batches.extra_strata or [])]


def _same_rows(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


def _gathered(
    members: Sequence[Member], together: Callable[[Member, Member], bool]
) -> list[list[Member]]:
    found: list[list[Member]] = []
    for member in members:
        for group in found:
            if together(group[0], member):
                group.append(member)
                break
        else:
            found.append([member])
    return found


def make_stacks(members: Sequence[Member], max_members: int | None = None) -> list[Stack]:
    """Divide trainings into stacks.

    Parameters
    ----------
    members : sequence of Member
        Of which :func:`why_alone` says nothing.
    max_members : int or None
        Most networks in a stack, as many as the budget of memory allows if ``None``.

    Returns
    -------
    list of Stack
        Each is a rectangle: lanes of equally many members.
    """
    signatures = {id(m): stack_signature(m) for m in members}
    stacks = []
    for alike in _gathered(members, lambda a, b: signatures[id(a)] == signatures[id(b)]):
        limit = max_members or members_in_memory(alike[0])
        by_size: dict[int, list[list[Member]]] = {}
        for lane in _gathered(alike, _same_lane):
            for part in np.array_split(np.array(lane, dtype=object), -(-len(lane) // limit)):
                by_size.setdefault(len(part), []).append(_in_order(list(part)))
        for size, lanes in by_size.items():
            n_lanes = 1 if _is_random(alike[0]) else max(1, limit // size)
            starts = range(0, len(lanes), n_lanes)
            stacks += [Stack(lanes[start : start + n_lanes]) for start in starts]
    return stacks


MEMORY_BUDGET = 2**28  # bytes of a stack: weights, their gradients and averages, activations


def members_in_memory(member: Member) -> int:
    """Return how many networks like this one fit into ``MEMORY_BUDGET``."""
    module, batches = member.net.module_, member.recipe.batches
    parameters = list(module.parameters())
    n_weights = sum(p.numel() for p in parameters)
    n_units = sum(p.numel() for p in parameters if p.ndim == 1)
    size = parameters[0].element_size() * (6 * n_weights + 4 * batches.size * n_units)
    return max(1, MEMORY_BUDGET // size)


def _in_order(lane: list[Member]) -> list[Member]:
    """Members with the same options of the optimizer next to each other."""
    groups = _gathered(lane, lambda a, b: _options(a) == _options(b))
    return [member for group in groups for member in group]


def _options(member: Member) -> dict[str, Any]:
    """Options of a member's optimizer."""
    (group,) = member.net.optimizer_.param_groups
    return {name: value for name, value in group.items() if name != "params"}


# -- the loop ----------------------------------------------------------------------------------


class Stack:
    """Trainings of the same kind, step by step side by side.

    Every network keeps its own :class:`ObjectiveNet` with history and callbacks; only the steps
    are taken together.

    Parameters
    ----------
    lanes : list of lists of Member
        Lanes of equally many members.
    """

    def __init__(self, lanes: list[list[Member]]) -> None:
        self.lanes = lanes
        self.members = [member for lane in lanes for member in lane]
        first = lanes[0][0]
        self.recipe, self.device = first.recipe, first.plan.device

    def train(self) -> str | None:
        """Carry out all trainings; those that fail keep their error.

        If the objective cannot be computed for many networks at once, as one with branches that
        depend on values, the estimators are left as they were, and it is returned why.
        """
        start = time.perf_counter()
        try:
            with reproducible(self.device, self.recipe.seed):
                self._train_all()
        except Exception as error:
            for member in self.members:
                if member.error is None:
                    member.abandon()
            return f"the objective cannot be computed for many networks at once: {error}"
        share = (time.perf_counter() - start) / len(self.members)
        for member in self.members:
            member.seconds += share
        return None

    def _train_all(self) -> None:
        self._prepare()
        for member in self.members:
            self._begin(member)
        for _ in range(self.recipe.epochs):
            if not any(member.is_training for member in self.members):
                break
            self._run_epoch()
        for (i, j), member in self._positions():
            if member.is_training:
                self._end(member, i, j)
        del self.network, self.optimizer, self.means, self.state
        for member in self.members:
            if member.error is None:
                member.finish()

    def _prepare(self) -> None:
        self.network = StackedMLP([[m.net.module_ for m in lane] for lane in self.lanes])
        self.parts = self._parts_of_options()
        optimizer: Callable[[list], Optimizer] = self.recipe.optimizer
        self.optimizer = optimizer(self._parameter_groups())
        forward = self.recipe.objective.forward
        self.forward = None if forward is plain_forward else stacked_forward(forward)
        dtype = self.network.values.dtype
        objectives = [[m.recipe.objective for m in lane] for lane in self.lanes]
        self.objective = StackedObjective(objectives, dtype, self.device)
        self.ramps_alike = len({m.recipe.warmup_steps for m in self.members}) == 1
        self.steps, self.n_averaged = 0, 0
        self.state: Tensor | None = None
        self.means: Tensor | None = None
        set_chance(self.device, self.lanes[0][0].chance)
        # copies: callbacks may give them other labels
        self.training_rows = [copy.copy(lane[0].plan.training_rows) for lane in self.lanes]
        self.loaders = [
            lane[0].net.get_iterator(rows, training=True)
            for lane, rows in zip(self.lanes, self.training_rows, strict=True)
        ]

    # -- the optimizer ------------------------------------------------------------------------

    def _parts_of_options(self) -> list[tuple[int, int, int]]:
        """Lane, first and last member of those that share the options of their optimizer.

        One part of all lanes if all do.
        """
        options = [[_options(m) for m in lane] for lane in self.lanes]
        if all(o == options[0][0] for lane in options for o in lane):
            return []
        parts = []
        for i, lane in enumerate(options):
            starts = [j for j, o in enumerate(lane) if j == 0 or o != lane[j - 1]]
            ends = [*starts[1:], len(lane)]
            parts += [(i, start, end) for start, end in zip(starts, ends, strict=True)]
        return parts

    def _parameter_groups(self) -> list[dict[str, Any]]:
        values, gradients = self.network.values, self.network.gradients
        if not self.parts:
            values.grad = gradients
            return [{"params": [values], **_options(self.members[0])}]
        groups = []
        blocks = self.network.blocks(values), self.network.blocks(gradients)
        for i, start, end in self.parts:
            params = []
            for name in blocks[0]:
                value, gradient = (block[name][i, start:end] for block in blocks)
                value.grad = gradient
                params.append(value)
            groups.append({"params": params, **_options(self.lanes[i][start])})
        return groups

    def _hand_over_optimizer(self, i: int, j: int) -> None:
        """Set the state of a member's own optimizer."""
        net, names = self.lanes[i][j].net, list(self.network.shapes)
        self.recipe.anneal(net.optimizer_, self.steps - 1)
        if not self.parts:
            (state,) = self.optimizer.state.values() or [{}]
            of_names = [
                {key: self._of_member(value, name, i, j) for key, value in state.items()}
                for name in names
            ]
        else:
            part = next(k for k, (lane, a, b) in enumerate(self.parts) if lane == i and a <= j < b)
            start = self.parts[part][1]
            of_names = [
                {
                    key: value[j - start].clone() if _has_members(value) else _copied(value)
                    for key, value in self.optimizer.state[parameter].items()
                }
                for parameter in self.optimizer.param_groups[part]["params"]
            ]
        for parameter, state in zip(net.module_.parameters(), of_names, strict=True):
            if state:
                net.optimizer_.state[parameter] = state

    def _of_member(self, value: Any, name: str, i: int, j: int) -> Any:
        if not _has_members(value):
            return _copied(value)
        return self.network.blocks(value)[name][i, j].clone()

    # -- epochs -------------------------------------------------------------------------------

    def _begin(self, member: Member) -> None:
        net = member.net
        if member is not self.members[0]:  # one bar, one log
            net.callbacks_ = [(n, c) for n, c in net.callbacks_ if n != "skfair_progress"]
            net.verbose = 0
        with member.failing():
            net.notify("on_train_begin", X=member.plan.training_rows, y=None)
            member.is_training = True

    def _run_epoch(self) -> None:
        for (i, _), member in self._positions():
            rows = self.training_rows[i]
            self._notify(member, "on_epoch_begin", dataset_train=rows, dataset_valid=None)
        self._record("train", *self._train())
        if self.lanes[0][0].plan.valid is not None:
            self._record("valid", *self._validate())
        for (i, j), member in self._positions():
            rows = self.training_rows[i]
            if not self._notify(member, "on_epoch_end", dataset_train=rows, dataset_valid=None):
                self._end(member, i, j, stopped=True)

    def _notify(self, member: Member, event: str, **kwargs: Any) -> bool:
        """Tell a member's callbacks; return False if one of them ends its training."""
        if not member.is_training:
            return True
        member.net.steps_ = self.steps
        with member.failing():
            try:
                member.net.notify(event, **kwargs)
            except KeyboardInterrupt as interruption:
                if not is_early_stopping(interruption):
                    raise
                return False
        return True

    def _train(self) -> tuple[dict[str, np.ndarray], int, int]:
        """Take the steps of an epoch; return means over its rows, and numbers of rows and batches.

        Means are those of the loss and of the terms, (n_lanes, n_members) each.
        """
        values, sizes = [], []
        self.group_sums: Tensor | None = None
        for batches in zip(*self.loaders, strict=True):
            check_interpreter()
            values.append(self._step(*_stacked(batches)))
            sizes.append(len(batches[0][1]))
        return _means(values, sizes), sum(sizes), len(sizes)

    def _step(self, inputs: dict[str, Tensor], y: Tensor) -> dict[str, Tensor]:
        self.recipe.anneal(self.optimizer, self.steps)
        self.steps += 1
        ramp = self._ramp()
        if self.forward is not None:
            run, extra, of_lanes = self.forward(self.network, inputs, y, training=True)
            terms, state = self.objective.terms(run.logits, y, inputs | of_lanes, self.state, extra)
            loss = self.objective.total(terms, ramp)
            self.network.differentiate(loss.sum())
        elif self.objective.first.gradient_for(inputs) is not None:
            logits = self.network.forward(inputs["X"], training=True)
            terms, state, gradient = self.objective.terms_with_gradient(
                logits, y, inputs, self.state, ramp
            )
            loss = self.objective.total(terms, ramp)
            self.network.backward(gradient)
        else:  # logits alone: no graph but for the objective
            logits = self.network.forward(inputs["X"], training=True).requires_grad_()
            terms, state = self.objective.terms(logits, y, inputs, self.state)
            loss = self.objective.total(terms, ramp)
            (gradient,) = torch.autograd.grad(loss.sum(), logits)
            self.network.backward(gradient)
        self._follow_groups(state)
        self.state = None if state is None else state.detach()
        self.optimizer.step()
        average_from = self.recipe.average_from
        if average_from is not None and self.steps > average_from:
            self._average()
        return {name: value.detach() for name, value in {"loss": loss, **terms}.items()}

    def _ramp(self) -> float | Tensor:
        if self.ramps_alike:
            return self.recipe.ramp(self.steps)
        ramps = [[m.recipe.ramp(self.steps) for m in lane] for lane in self.lanes]
        return torch.tensor(ramps, dtype=self.network.values.dtype, device=self.device)

    def _follow_groups(self, state: Tensor | None) -> None:
        """As :class:`ObjectiveNet` does for one network."""
        decay = self.recipe.objective.decay
        if state is None or decay is None or len(self.recipe.group_names) < 3:
            return
        batch = batch_part(state, self.state, decay)
        self.group_sums = batch if self.group_sums is None else self.group_sums + batch

    def _average(self) -> None:
        if self.means is None:
            self.means = self.network.values.clone()
        else:
            average_in_place([self.means], [self.network.values], self.n_averaged)
        self.n_averaged += 1

    def _validate(self) -> tuple[dict[str, np.ndarray], int, int]:
        """Terms of the held-out rows, with the fairness weights at full value."""
        plans = [lane[0].plan for lane in self.lanes]
        inputs, y = _stacked([plan.all_rows.subset(plan.valid)[:] for plan in plans])
        with torch.no_grad():
            elements = max(1, 2**22 // len(self.members))
            logits, extra = [], []
            for rows in row_slices(inputs["X"][0], elements):
                if self.forward is None:
                    logits.append(self.network.forward(inputs["X"][:, rows], training=False))
                    continue
                part = {name: values[:, rows] for name, values in inputs.items()}
                run, of_members, _ = self.forward(self.network, part, y[:, rows], training=False)
                logits.append(run.logits)
                extra.append(of_members)
            joined = {k: torch.cat([e[k] for e in extra], dim=2) for k in (extra or [{}])[0]}
            terms, _ = self.objective.terms(torch.cat(logits, dim=2), y, inputs, None, joined)
            loss = self.objective.total(terms)
        return _means([{"loss": loss, **terms}], [y.shape[1]]), y.shape[1], 1

    def _record(
        self, prefix: str, means: dict[str, np.ndarray], n_rows: int, n_batches: int
    ) -> None:
        for (i, j), member in self._positions():
            if not member.is_training:
                continue
            net = member.net
            groups = None if prefix == "valid" else self.group_sums
            net._group_sums = None if groups is None else groups[i, j]
            of_member = {name: float(mean[i, j]) for name, mean in means.items()}
            with member.failing():
                net.record_epoch(prefix, of_member, n_rows, n_batches)

    def _positions(self) -> Iterator[tuple[tuple[int, int], Member]]:
        for i, lane in enumerate(self.lanes):
            for j, member in enumerate(lane):
                yield (i, j), member

    def _end(self, member: Member, i: int, j: int, stopped: bool = False) -> None:
        """Take a member out of the stack, with all that training has made of it."""
        net = member.net
        member.is_training = False
        release(net.module_)
        self._hand_over_optimizer(i, j)
        net.objective_state_ = None if self.state is None else self.state[i, j].clone()
        net.steps_, net.interrupted_ = self.steps, False
        net.stopped_in_warmup_ = stopped and self.steps < member.recipe.warmup_steps
        if self.means is not None:
            blocks = self.network.blocks(self.means)
            net._means = [block[i, j].clone() for block in blocks.values()]
        with member.failing():
            net.notify("on_train_end", X=member.plan.training_rows, y=None)


def _stacked(batches: Sequence[Batch]) -> tuple[dict[str, Tensor], Tensor]:
    """Batches of all lanes as one."""
    if len(batches) == 1:
        inputs, y = batches[0]
        return {name: tensor.unsqueeze(0) for name, tensor in inputs.items()}, y.unsqueeze(0)
    names = batches[0][0]
    inputs = {name: torch.stack([inputs[name] for inputs, _ in batches]) for name in names}
    return inputs, torch.stack([y for _, y in batches])


def _means(values: Sequence[dict[str, Tensor]], sizes: Sequence[int]) -> dict[str, np.ndarray]:
    return {
        name: np.average(
            torch.stack([of_batch[name] for of_batch in values]).double().cpu().numpy(),
            axis=0,
            weights=sizes,
        )
        for name in values[0]
    }


def _has_members(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value
