"""The skorch net that trains an objective."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, PassthroughScoring, PrintLog
from skorch.history import History
from skorch.utils import to_tensor
from torch import Tensor
from torch.optim.swa_utils import get_swa_multi_avg_fn

from .._torch_state import check_interpreter
from ..metrics._harm import MIN_MEMBERS
from ..networks._precision import DoublePrecision
from ..objectives._base import Player, weighted_sum
from ..objectives.groups import batch_part
from ._batches import Batch, BatchLoader, as_numbers, row_slices
from ._passes import DirectPasses
from ._recipe import DTYPES, Architecture, Recipe

average_in_place = get_swa_multi_avg_fn()
BESIDE = ("penalty_only", "strata")  # what terms are given of a batch, where it is there
BATCH_HOOKS = ("on_batch_begin", "on_batch_end")


class QuietLog(PrintLog):
    """skorch's log, which otherwise lays out a table for every epoch even if nobody reads it."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Print a row."""
        if net.verbose or self.sink is not print:
            super().on_epoch_end(net, **kwargs)


class ObjectiveNet(NeuralNetClassifier):
    """A :class:`skorch.NeuralNetClassifier` that carries out a :class:`Recipe`.

    Training and history are skorch's; this class adds the objective's terms (recorded an epoch),
    its further players, the warm-up of the fairness weights and the state the objective carries
    along.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    recipe : Recipe or None
        What is done; ``None`` for a net that only predicts.
    **kwargs : dict
        Parameters of :class:`skorch.NeuralNetClassifier`.
    """

    _steps: list[tuple[dict[str, Tensor], int]]
    _group_sums: Tensor | None
    _means: list[Tensor] | None
    _direct: DirectPasses | None

    def __init__(
        self,
        module: torch.nn.Module,
        *args: Any,
        recipe: Recipe | None,
        iterator_train: type = BatchLoader,
        iterator_valid: type = BatchLoader,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            module,
            *args,
            iterator_train=iterator_train,
            iterator_valid=iterator_valid,
            **kwargs,
        )
        self.recipe = recipe

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        device: torch.device,
        generator: torch.Generator,
        net_params: Mapping[str, Any],
        owner: str,
        **skorch: Any,
    ) -> ObjectiveNet:
        """Return an initialized net.

        Parameters
        ----------
        recipe : Recipe
            What is to be done.
        device : torch.device
            Where.
        generator : torch.Generator
            Of the order of the rows.
        net_params : mapping
            What the user adds.
        owner : str
            Name of the estimator, for errors.
        **skorch : dict
            Further parameters, which the user may not set.

        Raises
        ------
        ValueError
            If the user sets what is set already.
        """
        options = dict(recipe.optimizer_options)
        params = {
            "module": recipe.architecture.build(),
            "recipe": recipe,
            "criterion": torch.nn.CrossEntropyLoss,  # only tells skorch that outputs are logits
            "optimizer": recipe.optimizer,
            "lr": options.pop("lr"),
            "max_epochs": recipe.epochs,
            "batch_size": recipe.batches.size,
            "classes": list(range(recipe.architecture.n_outputs)),
            "device": str(device),
            "iterator_train__generator": generator,
            "iterator_valid__batch_size": -1,
        } | skorch
        for name in ("strata", "extra_strata"):
            if (strata := getattr(recipe.batches, name)) is not None:
                params[f"iterator_train__{name}"] = strata
        if taken := sorted(set(net_params) & set(params)):
            raise ValueError(
                f"net_params must not contain {taken}: {owner} sets them from parameters of its "
                "own."
            )
        defaults = {"iterator_train__shuffle": True}
        defaults |= {f"optimizer__{name}": value for name, value in options.items()}
        return cls(**{**defaults, **params, **net_params}).initialize()

    @classmethod
    def load(
        cls, architecture: Architecture, state: dict[str, Any], device: torch.device
    ) -> ObjectiveNet:
        """Return a trained net from what :meth:`export_state` returned.

        It has what prediction needs, whatever has become of the estimator's parameters: those of
        training, its callbacks and its files among them, are looked at when training goes on.
        """
        net = cls(
            architecture.build(),
            recipe=None,
            criterion=torch.nn.CrossEntropyLoss,
            classes=list(range(architecture.n_outputs)),
            device=str(device),
            verbose=0,
            train_split=None,
        ).initialize()
        net.import_state(state, network_only=True)
        return net

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring("train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring("valid_loss")),
            ("print_log", QuietLog()),
        ]

    @property
    def _recipe(self) -> Recipe:
        """The recipe, for what only a net that trains does."""
        if self.recipe is None:
            raise RuntimeError("This net only predicts: it was made without a recipe.")
        return self.recipe

    # -- one step ---------------------------------------------------------------------------

    def infer(self, x: Any, **fit_params: Any) -> Tensor:
        """Logits of a batch; group codes and weights that ride along are not for the module."""
        x = to_tensor(x["X"] if isinstance(x, dict) else x, device=self.device)
        x = as_numbers(x, self.dtype) if x.ndim > 2 else x
        return super().infer(x.to(self.dtype), **fit_params)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the network."""
        return next(self.module_.parameters()).dtype

    def _prepare(self, batch: Batch) -> Batch:
        """Return a training batch as the network sees it."""
        inputs, y = batch
        X, augment = inputs["X"], self._recipe.augment
        if augment is not None or X.dtype == torch.uint8:
            X = as_numbers(X, self.dtype)
            inputs = {**inputs, "X": X if augment is None else augmented(augment, X)}
        n_members = self._recipe.architecture.n_members
        if n_members > 1:  # each of which sees every row
            inputs = {name: v.repeat_interleave(n_members, 0) for name, v in inputs.items()}
            y = y.repeat_interleave(n_members, 0)
        return inputs, y

    def _forward(self, batch: Batch, training: bool) -> tuple[Tensor, dict[str, Any]]:
        inputs, y = batch
        objective = self._recipe.objective
        if training:
            if self._direct is not None:
                logits, extra = self._direct.forward(objective, inputs, y)
            else:
                logits, extra = objective.forward(self.module_, inputs, y, **self.players_)
            return logits, extra | {name: inputs[name] for name in BESIDE if name in inputs}
        chunks = [  # all held-out rows at once, with group means of their own, no running ones
            objective.forward(
                self.module_,
                {name: values[rows] for name, values in inputs.items()}
                | {"X": as_numbers(inputs["X"][rows], self.dtype)},
                y[rows],
                **self.players_,
            )
            for rows in row_slices(inputs["X"])
        ]
        logits = torch.cat([logits for logits, _ in chunks])
        extra = {name: torch.cat([part[name] for _, part in chunks]) for name in chunks[0][1]}
        return logits, extra | ({"strata": inputs["strata"]} if "strata" in inputs else {})

    def _evaluate(self, batch: Batch, training: bool) -> tuple[Tensor, dict[str, Tensor], Any]:
        """Return logits, terms and the state after a batch."""
        logits, extra = self._forward(batch, training)
        inputs, y = batch
        terms, state = self._recipe.objective.terms(
            logits,
            y,
            inputs.get("groups"),
            inputs.get("weights"),
            self.objective_state_ if training else None,
            **extra,
        )
        return logits, terms, state

    def _follow_groups(self, state: Any) -> None:
        """Add up what the groups' means are made of over the epoch."""
        recipe = self._recipe
        decay = recipe.objective.decay
        if state is None or decay is None or len(recipe.group_names) < 3:
            return
        batch = batch_part(state, self.objective_state_, decay)
        self._group_sums = batch if self._group_sums is None else self._group_sums + batch

    def _player_step(self, name: str, player: Player, batch: Batch) -> None:
        """One step of a further player, while the network stays as it is."""
        _forget_gradients(self.player_optimizers_[name])
        _, terms, _ = self._evaluate(batch, training=True)
        self._player_backward(name, player, terms)
        self.player_optimizers_[name].step()

    def _player_backward(self, name: str, player: Player, terms: dict[str, Tensor]) -> None:
        """Compute the gradients of a further player.

        There are none, so that it rests, if the batch has none of its terms, as without groups.
        """
        optimizer = self.player_optimizers_[name]
        if player.weights.keys() & terms.keys():
            loss = weighted_sum(terms, player.weights)
            if self._direct is not None:
                self._direct.player_backward(name, loss)
            else:
                loss.backward(inputs=_parameters(optimizer), retain_graph=player.together)

    def train_step_single(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Forward and backward pass of one batch."""
        if not self.module_.training:
            self._set_training(True)
        gradient_of = self._recipe.objective.gradient_for(batch[0])
        if self._direct is not None and gradient_of is not None:
            return self._direct_step(batch, self._direct, gradient_of)
        logits, terms, state = self._evaluate(batch, training=True)
        self._follow_groups(state)
        self.objective_state_ = state
        recipe = self._recipe
        objective, ramp = recipe.objective, recipe.ramp(self.steps_)
        if self._direct is not None:
            loss = self._direct.backward(objective, terms, ramp)
        else:
            for name, player in objective.players.items():
                if player.together:
                    self._player_backward(name, player, terms)
            loss = objective.total(terms, ramp)
            loss.backward(inputs=_parameters(self.optimizer_) if objective.players else None)
        return {"loss": loss.detach(), "y_pred": logits, "terms": terms}

    def _direct_step(
        self, batch: Batch, direct: DirectPasses, gradient_of: Callable
    ) -> dict[str, Any]:
        """As :meth:`train_step_single`, with nothing left to automatic differentiation."""
        (inputs, y), objective = batch, self._recipe.objective
        loss_weights = objective.loss_weights(self._recipe.ramp(self.steps_))
        state = self.objective_state_
        with torch.no_grad():
            logits = direct.network.forward(inputs["X"])
            terms, state, gradient = gradient_of(
                logits, y, inputs.get("groups"), state, loss_weights, **direct.adversaries
            )
            loss = weighted_sum(terms, loss_weights)
            direct.network.backward(gradient)
        direct.release()
        self._follow_groups(state)
        self.objective_state_ = state
        return {"loss": loss, "y_pred": logits, "terms": terms}

    def _zero_grad_optimizer(self, set_to_none: bool | None = None) -> None:
        """Let go of the gradients; skorch's hook, without what the optimizer does around it."""
        for optimizer in (self.optimizer_, *self.player_optimizers_.values()):
            _forget_gradients(optimizer)

    def train_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Take the steps of the further players, and one of the network's optimizer."""
        check_interpreter()
        recipe, batch = self._recipe, self._prepare(batch)
        recipe.anneal(self.optimizer_, self.steps_)
        self.steps_ += 1
        for name, player in recipe.objective.players.items():
            if not self.module_.training:
                self._set_training(True)
            for _ in range(player.steps - player.together):
                self._player_step(name, player, batch)
        step = super().train_step(batch, **fit_params)
        for name, player in recipe.objective.players.items():
            if player.together:
                self.player_optimizers_[name].step()
        if recipe.average_from is not None and self.steps_ > recipe.average_from:
            self._average()
        return step

    def validation_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Forward pass of one validation batch, with the fairness weights at full value."""
        self._set_training(False)
        with torch.no_grad():
            logits, terms, _ = self._evaluate(batch, training=False)
            loss = self._recipe.objective.total(terms)
            return {"loss": loss, "y_pred": logits, "terms": terms}

    def check_data(self, X: Any, y: Any) -> None:
        """Leave the data as they are: the encoder has checked them, and skorch would copy them."""

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **kwargs: Any) -> Any:
        """Train, and note whether an interruption, not early stopping, put an end to it."""
        try:
            super().fit_loop(X, y, epochs, **kwargs)
            self.interrupted_ = False
        except KeyboardInterrupt as interruption:
            self.interrupted_ = not is_early_stopping(interruption)
            self.stopped_in_warmup_ = self.steps_ < self._recipe.warmup_steps
            raise
        return self

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Forget an earlier average, and note where this training begins."""
        self._means: list[Tensor] | None = None
        self._averaged: list[Tensor] = []
        self._n_averaged = 0
        self._epochs_before = len(self.history)
        self.interrupted_ = True  # until it is known how training ended
        self.stopped_in_warmup_ = False

    def _average(self) -> None:
        if self._means is None:
            state = self.module_.state_dict().values()
            self._averaged = [tensor for tensor in state if tensor.is_floating_point()]
            self._means = [tensor.clone() for tensor in self._averaged]
        else:
            average_in_place(self._means, self._averaged, self._n_averaged)
        self._n_averaged += 1

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Take the averaged weights; a callback that restores an epoch's weights comes later.

        Raises
        ------
        KeyboardInterrupt
            If training was interrupted before an epoch had ended: there is nothing to keep.
        """
        if self.interrupted_ and not any(
            "train_loss" in row for row in self.history[self._epochs_before :]
        ):
            raise KeyboardInterrupt
        for group in self.optimizer_.param_groups:  # for those who go on training
            group["lr"] = group.pop("initial_lr", group["lr"])
        if self._means is not None:
            state = self.module_.state_dict()
            names = [name for name, tensor in state.items() if tensor.is_floating_point()]
            self.module_.load_state_dict(state | dict(zip(names, self._means, strict=True)))
            self._means, self._averaged = None, []

    # -- one epoch --------------------------------------------------------------------------

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Run the batches of an epoch and record the mean of loss and terms.

        Values stay on the device until the epoch ends. A callback that acts on batches gets
        skorch's own loop, with everything it records for each batch.
        """
        self._steps, self._group_sums = [], None
        if iterator is None:
            return
        self._direct = None
        if training:
            self._direct = DirectPasses.of(self._recipe.objective, self.module_, self.players_)
        if self._has_batch_callbacks():
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
            self._record_means(prefix, self._take_means()[0])
            return
        for batch in iterator:
            self._collect(batch, step_fn(batch, **fit_params))
        n_batches = len(self._steps)
        self.record_epoch(prefix, *self._take_means(), n_batches)

    def record_epoch(
        self, prefix: str, means: dict[str, float], n_rows: int, n_batches: int
    ) -> None:
        """Record means over the batches of an epoch, which stand for all of them."""
        self.history.record(f"{prefix}_batch_count", n_batches)
        loss = self._record_means(prefix, means)
        batch = {f"{prefix}_loss": loss, f"{prefix}_batch_size": n_rows}
        self.history[-1]["batches"].append(batch)

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **step: Any
    ) -> None:
        """Collect the terms when skorch's own loop runs."""
        super().on_batch_end(net, batch=batch, training=training, **step)
        self._collect(batch, step)

    def _collect(self, batch: Batch, step: dict[str, Any]) -> None:
        values = {"loss": step["loss"], **step["terms"]}
        self._steps.append(({k: v.detach() for k, v in values.items()}, len(batch[1])))

    def _take_means(self) -> tuple[dict[str, float], int]:
        """Means of loss and terms over the rows of the collected batches, and their number."""
        steps, self._steps = self._steps, []
        sizes = [size for _, size in steps]
        means = {}
        for name in steps[0][0]:
            values = torch.stack([values[name] for values, _ in steps]).double().cpu()
            means[name] = float(np.average(values, weights=sizes))
        return means, sum(sizes)

    def _record_means(self, prefix: str, means: dict[str, float]) -> float:
        means = dict(means)
        loss = means.pop("loss")
        if prefix == "train" and not math.isfinite(loss):
            raise ValueError(
                f"Training stopped in epoch {len(self.history)}: the loss became {loss} (terms: "
                f"{means}). A lower lr (now {self.lr}), standardized features or smaller fairness "
                "weights usually help."
            )
        for name, mean in means.items():
            self.history.record(name if prefix == "train" else f"{prefix}_{name}", mean)
        if self._group_sums is not None:
            for name, value in widest_gap(self._group_sums, self._recipe.group_names).items():
                self.history.record(name, value)
        return loss

    def _has_batch_callbacks(self) -> bool:
        return any(
            getattr(type(callback), hook) is not getattr(Callback, hook)
            for _, callback in self.callbacks_
            for hook in BATCH_HOOKS
        )

    # -- state ------------------------------------------------------------------------------

    def initialize(self) -> ObjectiveNet:
        """Initialize modules, optimizers and callbacks, and start counting steps."""
        super().initialize()
        self.steps_ = 0
        self.objective_state_ = self.unused_state_ = None
        self.interrupted_ = False
        self._direct = None
        self.double_precision = DoublePrecision()
        return self

    def initialize_module(self) -> ObjectiveNet:
        """Initialize the network, and after it the further players."""
        super().initialize_module()
        self.players_ = torch.nn.ModuleDict()
        if self.recipe is not None:
            dtype = DTYPES[self.recipe.architecture.dtype]
            for name, player in self.recipe.objective.players.items():
                self.players_[name] = player.module().to(dtype)
        return self

    def get_all_learnable_params(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Return the network's parameters, which are what its optimizer changes."""
        return self.module_.named_parameters()

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> ObjectiveNet:
        """Initialize the network's optimizer, and one for each further player."""
        super().initialize_optimizer(*args, **kwargs)
        players = {} if self.recipe is None else self.recipe.objective.players
        self.player_optimizers_ = {
            name: player.optimizer(self.players_[name].parameters(), **player.options)
            for name, player in players.items()
        }
        return self

    def _trained(self) -> dict[str, tuple[torch.nn.Module, torch.optim.Optimizer]]:
        """Every network that is trained, with its optimizer; the first is the classifier."""
        players = {name: (self.players_[name], o) for name, o in self.player_optimizers_.items()}
        return {"module": (self.module_, self.optimizer_)} | players

    def export_state(self) -> dict[str, Any]:
        """Everything training has changed, as NumPy arrays and built-in types."""
        parts = {
            name: {
                "weights": dict(module.state_dict()),
                "optimizer": type(optimizer).__name__,
                "optimizer_state": optimizer.state_dict()["state"],
            }
            for name, (module, optimizer) in self._trained().items()
        }
        if self.unused_state_ is not None:
            parts = self.unused_state_ | {
                "module": self.unused_state_["module"] | {"weights": parts["module"]["weights"]}
            }
        return _to_plain(
            {
                "parts": parts,
                "objective": self.objective_state_,
                "steps": self.steps_,
                "history": [
                    {k: v for k, v in row.items() if k != "batches"} for row in self.history
                ],
            }
        )

    def import_state(self, state: dict[str, Any], network_only: bool = False) -> None:
        """Continue from what :meth:`export_state` returned.

        With ``network_only`` the states of optimizers and of further players are only kept, for
        those who go on training.
        """
        state = _to_tensors(state, self.device)
        parts = state["parts"]
        if network_only:
            self.module_.load_state_dict(parts["module"]["weights"])
            self.unused_state_ = parts
        for name, (module, optimizer) in ({} if network_only else self._trained()).items():
            if name not in parts or (name != "module" and not _fits(module, parts[name])):
                continue  # a player of this objective, but not of the one before
            module.load_state_dict(parts[name]["weights"])
            if parts[name]["optimizer"] == type(optimizer).__name__:
                groups = optimizer.state_dict()["param_groups"]  # the current lr, not the old
                optimizer.load_state_dict(
                    {"state": parts[name]["optimizer_state"], "param_groups": groups}
                )
        self.objective_state_ = state["objective"]
        self.steps_ = state["steps"]
        self.history_ = History({**row, "batches": []} for row in state["history"])


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Return what an optimizer changes: no other gradient is needed."""
    groups = optimizer.param_groups
    return [tensor for group in groups for tensor in group["params"] if tensor.requires_grad]


def _forget_gradients(optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def augmented(augment: Callable[[Tensor], Tensor], X: Tensor) -> Tensor:
    """Return what the user's ``augment`` makes of the rows of a batch.

    Raises
    ------
    ValueError
        If it is no tensor of the same shape and type.
    """
    found = augment(X)
    if not isinstance(found, Tensor) or found.shape != X.shape or found.dtype != X.dtype:
        kind = type(found).__name__
        got = f"{tuple(found.shape)} and {found.dtype}" if isinstance(found, Tensor) else kind
        raise ValueError(
            f"augment must return a tensor of the shape and type that it is given, "
            f"{tuple(X.shape)} and {X.dtype}; got {got}."
        )
    return found


def _fits(module: torch.nn.Module, part: dict[str, Any]) -> bool:
    """Whether a player has the shape of one that was stored: it has not with a new group."""
    shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
    return shapes == {name: tensor.shape for name, tensor in part["weights"].items()}


def is_early_stopping(interruption: KeyboardInterrupt) -> bool:
    """Whether skorch's callback raised it, which ends training in this way."""
    trace = interruption.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and isinstance(trace.tb_frame.f_locals.get("self"), EarlyStopping)


def widest_gap(sums_and_counts: Tensor, groups: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """Return the largest difference between two groups' means, and which they are.

    Parameters
    ----------
    sums_and_counts : Tensor of shape (..., 2, n_groups)
        Over an epoch; leading dimensions are rates, of which the one with the largest difference is
        taken. Groups with fewer than ``MIN_MEMBERS`` cases take no part.
    groups : sequence of (int, str)
        Attribute and name of each group; those of the same attribute are compared.
    """
    sums, counts = sums_and_counts.double().cpu().reshape(-1, 2, len(groups)).unbind(1)
    largest, names = math.nan, ""
    for attribute in {attribute for attribute, _ in groups}:
        other = torch.tensor([of != attribute for of, _ in groups])
        means = (sums / counts).masked_fill((counts < MIN_MEMBERS) | other, torch.nan)
        high, low = means.nan_to_num(-torch.inf).max(-1), means.nan_to_num(torch.inf).min(-1)
        rate = int((high.values - low.values).argmax())
        gap = float(high.values[rate] - low.values[rate])
        if math.isfinite(gap) and not gap <= largest:
            pair = int(high.indices[rate]), int(low.indices[rate])
            largest, names = gap, " / ".join(groups[group][1] for group in pair)
    return {"largest_gap": largest, "largest_gap_groups": names}


def _walk(value: Any, leaf: Any) -> Any:
    if isinstance(value, dict):
        return {k: _walk(v, leaf) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_walk(v, leaf) for v in value)
    return leaf(value)


def _to_plain(value: Any) -> Any:
    def leaf(v: Any) -> Any:
        if isinstance(v, Tensor):
            return v.detach().cpu().numpy().copy()
        return v.item() if isinstance(v, np.generic) else v

    return _walk(value, leaf)


def _to_tensors(value: Any, device: str) -> Any:
    return _walk(
        value, lambda v: torch.from_numpy(v.copy()).to(device) if isinstance(v, np.ndarray) else v
    )
