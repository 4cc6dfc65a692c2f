"""A network that can be entered at its layers, as far as its code can be traced."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ..objectives.classification import row_losses

# Activations that treat every number by itself, by their names in torch and torch.nn.functional.
ELEMENTWISE = {
    *("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "sigmoid"),
    *("tanh", "softplus", "softsign", "hardtanh", "hardswish", "hardsigmoid", "logsigmoid"),
    *("dropout", "identity"),
}
ELEMENTWISE_MODULES = {name.replace("_", "") for name in ELEMENTWISE}
ELEMENTWISE_FUNCTIONS = {
    getattr(space, name)
    for space in (torch, functional)
    for name in ELEMENTWISE
    if hasattr(space, name)
}
RELU = {torch.relu, functional.relu, "relu"}

Layer = nn.Linear | _ConvNd
Values = dict[fx.Node, Any]


class _Tracer(fx.Tracer):
    """A tracer that leaves all modules but one alone.

    :func:`torch.fx.symbolic_trace` exchanges methods of ``nn.Module`` itself while it traces, for
    every thread of the process. Here the modules of one network, which nobody else has, get classes
    with these methods.
    """

    def graph_of(self, root: nn.Module) -> fx.Graph:
        """Return the graph of ``root``, whose modules have their own classes again."""
        self.root, self.graph = root, fx.Graph(tracer_cls=type(self))
        self.root_module_name, self.tensor_attrs = root._get_name(), {}
        self.submodule_paths = {module: name for name, module in root.named_modules()}
        function, arguments = self.create_args_for_root(type(root).forward, is_module=True)
        classes = {module: type(module) for module in root.modules()}
        proxies: dict[str, fx.Proxy] = {}
        try:
            for module, kind in classes.items():
                module.__class__ = self._traced(kind, proxies)
            output = self.create_arg(function(*arguments))
        finally:
            for module, kind in classes.items():
                module.__class__ = kind
        self.create_node("output", "output", (output,), {})
        return self.graph

    def _traced(tracer, kind: type[nn.Module], proxies: dict[str, fx.Proxy]) -> type:  # noqa: N805
        def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            def forward(*args: Any, **kwargs: Any) -> Any:
                return kind.__call__(self, *args, **kwargs)

            return tracer.call_module(self, forward, args, kwargs)

        def get_attribute(self: nn.Module, name: str) -> Any:
            return tracer.getattr(name, kind.__getattr__(self, name), proxies)

        methods = {"__call__": call, "__getattr__": get_attribute, "__module__": kind.__module__}
        return type(kind.__name__, (kind,), methods)


def trace(module: nn.Module) -> fx.GraphModule:
    """As :func:`torch.fx.symbolic_trace`, for a module that no other thread uses."""
    return fx.GraphModule(module, _Tracer().graph_of(module))


@dataclass
class WeightProblem:
    """A network in evaluation mode, and what its losses are taken on.

    Shapes: X (n, ...); y (n,), class codes or, in a binary problem, signs, or (n, n_labels), 0 and
    1; shares (n, n_groups), the weight of each row in its group's mean.
    """

    module: nn.Module
    layers: list[Layer]
    criterion: Any
    X: Tensor
    y: Tensor
    shares: Tensor

    def losses(self, outputs: Any, y: Tensor | None = None, times: int = 1) -> Tensor:
        """Cross-entropies (times n,) of the outputs for as many copies of n rows."""
        logits = outputs[0] if isinstance(outputs, tuple) else outputs
        y = self.y if y is None else y
        if isinstance(self.criterion, nn.NLLLoss):  # skorch, too, takes the logarithm itself
            logits = torch.log(logits + torch.finfo(logits.dtype).eps)
        elif isinstance(self.criterion, nn.BCELoss):
            logits = torch.logit(logits, torch.finfo(logits.dtype).eps)
        if self.is_binary:
            logits = logits[:, 1] - logits[:, 0] if logits.shape[1:] == (2,) else logits
            return functional.softplus(logits.reshape(times, -1) * -y).flatten()
        return row_losses(logits, _repeat(y, times))

    @property
    def is_binary(self) -> bool:
        """Whether one logit, or the difference of two, is all that counts."""
        return self.y.ndim == 1 and self.y.is_floating_point()

    @property
    def takes_logits(self) -> bool:
        """Whether the network returns logits, not probabilities."""
        return not isinstance(self.criterion, (nn.NLLLoss, nn.BCELoss))

    def parts(self, n_rows: int) -> Iterator[WeightProblem]:
        """Yield some rows at a time."""
        for start in range(0, len(self.X), n_rows):
            rows = slice(start, start + n_rows)
            yield replace(self, X=self.X[rows], y=self.y[rows], shares=self.shares[rows])


@dataclass
class Removal:
    """How the removal of a layer's weights is followed through the network.

    Without the weight from input j to unit i the layer's output i changes by -w_ij x_j. If no more
    than activations of each unit by itself, ``between``, lie before the next linear layer, then
    that is the ``target``: its output changes by ``effect[i]`` times the activation's change.
    Otherwise ``effect`` is None and the layer is the target itself.
    """

    layer: Layer
    node: fx.Node
    target: fx.Node
    between: list[fx.Node] = field(default_factory=list)
    effect: Tensor | None = None  # (units, outputs of the target)
    after: list[fx.Node] = field(default_factory=list)  # what comes after the target, in order
    given: list[fx.Node] = field(default_factory=list)  # what that needs from before
    in_place: set[fx.Node] = field(default_factory=set)  # ReLUs whose input is not needed again
    width: int = 1  # the most numbers that a row takes from the target on

    def of_unit(self, outputs: Tensor, unit: int) -> Tensor:
        """Return a unit's part of the layer's outputs, (rows, ...)."""
        return outputs.select(-1 if isinstance(self.layer, nn.Linear) else 1, unit)

    def changed(self, target: Tensor, unit: int, change: Tensor) -> Tensor:
        """Value (k r, ...) of the target (r, ...), if a unit changes by (k, r, positions)."""
        if self.effect is not None:
            return torch.addcmul(target, change, self.effect[unit]).flatten(0, 1)
        target = target.repeat(len(change), *[1] * (target.ndim - 1))
        of_unit = self.of_unit(target, unit)
        of_unit += change.reshape(of_unit.shape)
        return target

    def taps(self, values: Values) -> Tensor:
        """Return what a unit's weights are multiplied with, (blocks, weights, rows, positions).

        Blocks are those of a grouped convolution.
        """
        X, n_weights = values[self.node.all_input_nodes[0]], self.layer.weight[0].numel()
        if isinstance(self.layer, nn.Linear):
            return X.movedim(-1, 0).reshape(1, n_weights, len(X), -1)
        blocks = self.layer.groups  # a filter for every weight, which picks its input
        filters = torch.eye(n_weights, dtype=X.dtype, device=X.device).repeat(blocks, 1)
        parameters = {"weight": filters.reshape(-1, *self.layer.weight.shape[1:])}
        if self.layer.bias is not None:
            parameters["bias"] = filters.new_zeros(len(filters))
        taps = functional_call(self.layer, parameters, X)
        return taps.reshape(len(X), blocks, n_weights, -1).permute(1, 2, 0, 3).contiguous()


class Graph:
    """A network that can be entered at its layers, as far as its code can be traced."""

    def __init__(self, problem: WeightProblem) -> None:
        self.removals: list[Removal | None] = [None] * len(problem.layers)
        self.kept, self.nodes = 1, []  # numbers that are recorded for a row
        try:
            self.module = trace(problem.module)
        except Exception:  # whatever the module does with what it takes for numbers
            return
        self.interpreter = fx.Interpreter(self.module)
        calls = [self._only_call(layer) for layer in problem.layers]
        folded = _fold_logits(self.module) if problem.is_binary and problem.takes_logits else ()
        self.nodes = list(self.module.graph.nodes)
        self.of_rows = self._later(self.nodes[0])
        values = self.record(problem.X[:2])
        self.kept = sum(_width(values[node]) for node in self.of_rows)
        for i, (layer, call) in enumerate(zip(problem.layers, calls, strict=True)):
            if call is None:
                continue
            removal = self._removal(layer, call, folded, values)
            if self._is_right(removal, problem, values):
                self.removals[i] = removal
                self.kept = max(self.kept, removal.taps(values).numel() // 2)

    def record(self, X: Tensor) -> Values:
        """Value of each node for the rows of X."""
        now, values = {}, {}
        for node in self.nodes:
            if node.op == "placeholder":
                now[node] = X.clone() if node is self.nodes[0] else node.args[0]
            else:
                now[node] = self._run(node, now)
            # a copy, because the module may go on to work in place
            values[node] = now[node].clone() if isinstance(now[node], Tensor) else now[node]
        return values

    def unit_change(self, removal: Removal, values: Values, unit: int, lost: Tensor) -> Tensor:
        """Change of a unit's activation by the loss of ``lost`` (..., rows, positions)."""
        if not removal.between:
            return -lost
        before = removal.of_unit(values[removal.node], unit).reshape(lost.shape[-2:])
        return self._along(removal.between, before - lost) - self._along(removal.between, before)

    def resume(
        self, removal: Removal, values: Values, rows: Tensor, target: Tensor, times: int = 1
    ) -> Any:
        """Compute outputs for recorded rows with ``times`` values of the removal's target each."""
        now = {node: values[node] for node in removal.given}
        for node in self.of_rows.intersection(now):
            now[node] = _repeat(now[node].index_select(0, rows), times)
        now[removal.target] = target
        for node in removal.after:
            if node in removal.in_place:
                now[node] = now[node.all_input_nodes[0]].relu_()
            else:
                now[node] = self._run(node, now)
        return now[self.nodes[-1]]

    def _run(self, node: fx.Node, now: Values) -> Any:
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), now.__getitem__)
        return getattr(self.interpreter, node.op)(node.target, args, kwargs)

    def _along(self, nodes: list[fx.Node], value: Tensor) -> Tensor:
        for node in nodes:
            value = self._run(node, {node.all_input_nodes[0]: value})
        return value

    def _called(self, node: fx.Node) -> nn.Module | None:
        return self.module.get_submodule(str(node.target)) if node.op == "call_module" else None

    def _only_call(self, layer: Layer) -> fx.Node | None:
        """Find the call of a layer, if nothing else is done with its weight."""
        uses = [
            node
            for node in self.module.graph.nodes
            if getattr(self._called(node), "weight", None) is layer.weight
            or (node.op == "get_attr" and self.interpreter.fetch_attr(node.target) is layer.weight)
        ]
        followed = len(uses) == 1 and self._called(uses[0]) is layer
        return uses[0] if followed and not isinstance(layer, _ConvTransposeNd) else None

    def _later(self, first: fx.Node) -> set[fx.Node]:
        """Find a node, and what depends on it."""
        later = {first}
        for node in self.nodes:
            if later.intersection(node.all_input_nodes):
                later.add(node)
        return later

    def _removal(
        self, layer: Layer, call: fx.Node, folded: Sequence[fx.Node], values: Values
    ) -> Removal:
        removal = Removal(layer, call, call)
        if folded and call is folded[0]:
            removal.node = removal.target = folded[1]
            removal.effect = layer.weight.new_tensor([[-1.0], [1.0]])
        else:
            *between, follower = self._activations(call)
            next_layer = self._called(follower)
            if type(next_layer) is nn.Linear and values[call].ndim == 2:
                removal.between, removal.target = between, follower
                removal.effect = next_layer.weight.T.contiguous()
        later, after, given = self._later(removal.target), set(), set()
        pending = list(self.nodes[-1:])
        while pending:
            node = pending.pop()
            # numbers of rows, shapes and the like are computed again
            if node in later or (node in self.of_rows and not isinstance(values[node], Tensor)):
                if node is not removal.target and node not in after:
                    after.add(node)
                    pending += node.all_input_nodes
            else:
                given.add(node)
        removal.after, removal.given = [node for node in self.nodes if node in after], list(given)
        removal.in_place = {node for node in after if self._is_relu_in_place(node, removal.target)}
        removal.width = max(_width(values[node]) for node in later)
        return removal

    def _is_relu_in_place(self, node: fx.Node, target: fx.Node) -> bool:
        """Whether a node is a ReLU of what a linear layer has just computed for it alone."""
        called = self._called(node)
        is_relu = node.target in RELU if called is None else type(called) is nn.ReLU
        if not is_relu or len(node.all_input_nodes) != 1:
            return False
        (source,) = node.all_input_nodes
        computed = source is target or type(self._called(source)) is nn.Linear
        return computed and len(source.users) == 1

    def _activations(self, node: fx.Node) -> list[fx.Node]:
        """Follow a node as long as each number is treated by itself, and one node further."""
        nodes = []
        while len(node.users) == 1:
            (node,) = node.users
            nodes.append(node)
            if node.op == "call_module":
                known = type(self._called(node)).__name__.lower() in ELEMENTWISE_MODULES
            else:
                known = node.target in ELEMENTWISE | ELEMENTWISE_FUNCTIONS
            if not known or len(node.all_input_nodes) > 1:
                return nodes
        return [*nodes, node]  # several things follow

    def _is_right(self, removal: Removal, problem: WeightProblem, values: Values) -> bool:
        """Whether the network, entered at the target with what it has there, comes out the same."""
        rows = torch.tensor([0, 1, 0], device=problem.X.device)
        target = values[removal.target]
        if not isinstance(target, Tensor) or len(target) != 2:
            return False
        try:
            outputs = self.resume(removal, values, rows, target.index_select(0, rows))
            losses = problem.losses(outputs, problem.y.index_select(0, rows))
        except Exception:  # of the module's own code, which may count on the number of rows
            return False
        expected = problem.losses(values[self.nodes[-1]], problem.y[:2])
        return torch.allclose(losses, expected.index_select(0, rows), rtol=1e-3, atol=1e-6)


def _repeat(rows: Tensor, times: int) -> Tensor:
    return rows if times == 1 else rows.repeat(times, *[1] * (rows.ndim - 1))


def _width(value: Any) -> int:
    """How many numbers a row takes."""
    return math.prod(value.shape[1:]) if isinstance(value, Tensor) else 0


def _fold_logits(traced: fx.GraphModule) -> Sequence[fx.Node]:
    """If two logits come from a linear layer, replace them by their difference, at half the cost.

    Returns the old and the new last node, or nothing.
    """
    (last,) = next(iter(reversed(traced.graph.nodes))).args
    if not (isinstance(last, fx.Node) and last.op == "call_module" and len(last.users) == 1):
        return ()
    layer = traced.get_submodule(str(last.target))
    if type(layer) is not nn.Linear or layer.out_features != 2:
        return ()
    difference = copy.deepcopy(layer)
    for name, parameter in layer.named_parameters():
        setattr(difference, name, nn.Parameter(parameter[1:] - parameter[:1]))
    traced.add_submodule("difference_of_logits", difference)
    with traced.graph.inserting_after(last):
        new = traced.graph.call_module("difference_of_logits", last.args)
    last.replace_all_uses_with(new)
    traced.graph.erase_node(last)
    return last, new
