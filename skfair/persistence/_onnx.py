"""Networks, and pipelines that end with one, as ONNX graphs."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from .._torch_state import plain_torch
from .._warnings import warn
from ..label_flip import LabelFlipClassifier
from ..training import NeuralClassifier
from ..training._numbers import is_image_bytes

OPSET = 17  # of both exporters, and of every onnxruntime since 1.12
OPTIONS = {"zipmap": [True, False, "columns"], "raw_scores": [True, False]}
TOLERANCE = 1e-4  # of float32, relative to the largest value
MAX_CHECKED_ROWS = 1000
MAX_DIFFERENT_SHARE = 0.05


def to_onnx(estimator: Any, X: Any = None, *, raw_scores: bool = False) -> Any:
    """Return a fitted network, or a pipeline or search around one, as an ONNX model.

    The model answers with ``label`` and ``probabilities``, as ``predict`` and ``predict_proba`` do,
    in the precision of the network's weights.

    Parameters
    ----------
    estimator : estimator
        A fitted network of skfair, or what skl2onnx can convert around one: pipelines of
        scikit-learn's transformers, searches (their ``best_estimator_``), calibration, stacking.
    X : array-like or DataFrame of shape (n_samples, ...), default=None
        Rows, of which the types are taken: numbers become float32, bytes of images stay bytes, and
        each column of a DataFrame is an input of its own, of shape (n, 1). At most 1,000 of them
        are answered by both, and compared. May be left out for a network alone, which then has one
        input of float32, as wide as the rows in ``fit``.
    raw_scores : bool, default=False
        Return logits instead of ``probabilities``; with two classes minus and plus
        ``decision_function``.

    Returns
    -------
    onnx.ModelProto
        ``model.SerializeToString()`` are the bytes of a file, and what
        ``onnxruntime.InferenceSession`` takes.

    Raises
    ------
    ImportError
        If skl2onnx or onnxruntime is not installed.
    TypeError
        If there is no converter for an estimator, such as ``SmoothedClassifier``.
    ValueError
        If X is needed, a network is a transformer in the middle of a pipeline, or the graph answers
        otherwise than the estimator for more than 5 % of the rows.

    Warns
    -----
    UserWarning
        If it answers otherwise for up to 5 % of them. In float32 a row can fall on the other side
        of a step, such as the border of a bin, and skl2onnx's isotonic calibration takes the
        nearest step where scikit-learn's interpolates.

    Examples
    --------
    >>> from skfair import NetworkClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> from skfair.persistence import to_onnx
    >>> X, y, _ = make_biased_classification(random_state=0)
    >>> model = NetworkClassifier(max_epochs=2, random_state=0).fit(X, y)
    >>> onnx_model = to_onnx(model)  # doctest: +SKIP
    >>> with open("model.onnx", "wb") as file:  # doctest: +SKIP
    ...     _ = file.write(onnx_model.SerializeToString())
    """
    try:
        import onnxruntime  # noqa: F401
        import skl2onnx
        from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
    except ImportError as error:
        raise ImportError(
            'to_onnx needs skl2onnx and onnxruntime: python -m pip install "skfair-torch[onnx]".'
        ) from error
    check_is_fitted(estimator)
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    _register()
    _check_places(estimator)
    final = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    options: dict[Any, dict[str, bool]] = {id(estimator): {"zipmap": False}}
    if raw_scores:
        options.setdefault(id(final), {})["raw_scores"] = True
    types = _input_types(estimator, X)
    try:
        model = skl2onnx.convert_sklearn(
            estimator,
            name=type(estimator).__name__,
            initial_types=types,
            target_opset=OPSET,
            options=options,
        )
    except (MissingConverter, MissingShapeCalculator) as error:
        raise TypeError(f"There is no converter to ONNX: {error}") from error
    _name_inputs(model, [name for name, _ in types])
    if X is not None:
        _check_answers(model, estimator, X, raw_scores)
    return model


def _register() -> None:
    """Tell skl2onnx of every network estimator, those of users among them."""
    from skl2onnx import update_registered_converter

    for kind in (LabelFlipClassifier, *_subclasses(NeuralClassifier)):
        update_registered_converter(
            kind, f"Skfair{kind.__name__}", _declare_outputs, _convert, options=OPTIONS
        )


def _subclasses(kind: type) -> Iterator[type]:
    subclass: type
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _check_places(estimator: Any) -> None:
    if not isinstance(estimator, Pipeline):
        return
    for name, step in estimator.steps[:-1]:
        if isinstance(step, NeuralClassifier):
            raise ValueError(
                f"{type(step).__name__} is a transformer in step {name!r}, for which there is no "
                "converter to ONNX; only networks that decide have one."
            )


def _input_types(estimator: Any, X: Any) -> list[tuple[str, Any]]:
    """Names and types of a model's inputs."""
    from skl2onnx.common import data_types
    from skl2onnx.common.data_types import FloatTensorType

    if X is None:
        if not hasattr(estimator, "net_"):
            raise ValueError(
                f"to_onnx needs X, some rows, to know what {type(estimator).__name__} takes, and "
                "to compare what the graph answers."
            )
        shape = _network_of(estimator)._architecture.input_shape
        shape = (estimator.n_features_in_,) if len(shape) == 1 else shape
        return [("X", FloatTensorType([None, *shape]))]
    if hasattr(X, "iloc"):
        return [(str(name), _column_type(X[name].to_numpy()[:1])([None, 1])) for name in X.columns]
    X = np.asarray(X[:1])
    if is_image_bytes(X):
        return [("X", data_types.UInt8TensorType([None, *X.shape[1:]]))]
    return [("X", _column_type(X)([None, *X.shape[1:]]))]


def _column_type(values: np.ndarray) -> type:
    from skl2onnx.common.data_types import (
        BooleanTensorType,
        FloatTensorType,
        StringTensorType,
    )

    kinds = {"b": BooleanTensorType} | dict.fromkeys("fiu", FloatTensorType)
    return kinds.get(values.dtype.kind, StringTensorType)


def _name_inputs(model: Any, names: Sequence[str]) -> None:
    """Call the inputs as the columns are called, which skl2onnx spells otherwise."""
    renamed = {}
    for value, name in zip(model.graph.input, names, strict=True):
        renamed[value.name] = value.name = name
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]


def _check_answers(model: Any, estimator: Any, X: Any, raw_scores: bool) -> None:
    """See to it that a graph answers as the estimator does, but for a few rows."""
    import onnxruntime

    X = X[:MAX_CHECKED_ROWS]
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    kinds = {"float": np.float32, "string": object, "bool": bool, "uint8": np.uint8}
    feed = {}
    for value in session.get_inputs():
        rows = (
            X[[name for name in X.columns if str(name) == value.name]] if hasattr(X, "iloc") else X
        )
        feed[value.name] = np.asarray(rows).astype(kinds[value.type[7:-1]])
    found = session.run(None, feed)[1]
    if raw_scores:
        expected = estimator.decision_function(X)
        found = found[:, -1] if expected.ndim == 1 else found
    else:
        expected = estimator.predict_proba(X)
    difference = np.abs(found - expected).reshape(len(X), -1).max(axis=1)
    differ = difference > TOLERANCE * max(1, np.abs(expected).max())
    if (share := differ.mean()) > MAX_DIFFERENT_SHARE:
        raise ValueError(
            f"The ONNX graph answers otherwise than {type(estimator).__name__} for {share:.0%} of "
            "the rows of X: skl2onnx converts one of its parts wrongly. CalibratedClassifierCV "
            "around a pipeline is such; one around the network, in a pipeline, is not."
        )
    if share > 0:
        warn(
            f"The ONNX graph answers otherwise than {type(estimator).__name__} in "
            f"{differ.sum()} of {len(X)} rows of X, by up to {difference.max():.2g}."
        )


# -- the converter: what skl2onnx calls for each network -------------------------------------------


def _network_of(estimator: Any) -> NeuralClassifier:
    """Return the network that an estimator is, or has."""
    if isinstance(estimator, LabelFlipClassifier):
        estimator = estimator.estimator_
    if not isinstance(estimator, NeuralClassifier):
        raise TypeError(f"LabelFlipClassifier around {estimator!r} has no converter to ONNX.")
    return estimator


def _declare_outputs(operator: Any) -> None:
    from skl2onnx.common import data_types

    estimator, n_rows = _network_of(operator.raw_operator), operator.inputs[0].get_first_dimension()
    n_outputs = estimator._architecture.n_outputs
    label, labels_shape = data_types.Int64TensorType, [n_rows]
    if estimator._encoder.multi_label:
        labels_shape = [n_rows, n_outputs]
    elif not _are_ints(estimator.classes_):
        label = data_types.StringTensorType
    operator.outputs[0].type = label(labels_shape)
    numbers = {"float32": data_types.FloatTensorType, "float64": data_types.DoubleTensorType}
    operator.outputs[1].type = numbers[_dtype(estimator)]([n_rows, n_outputs])


def _are_ints(classes: np.ndarray) -> bool:
    """Whether class labels are whole numbers, which ONNX has; other labels become text."""
    return classes.dtype.kind in "iub" or (
        classes.dtype.kind == "f" and bool((classes == classes.round()).all())
    )


def _dtype(estimator: NeuralClassifier) -> str:
    """Precision of the weights."""
    return estimator._architecture.dtype


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a network: its input, its layers, and what is answered."""
    estimator = _network_of(operator.raw_operator)
    if estimator._encoder.categories:
        raise ValueError(
            f"{type(estimator).__name__} takes categories, for which there is no graph: "
            "make numbers of them in steps before it, as a OneHotEncoder does."
        )
    rows = _add_input(estimator, operator, scope, container)
    logits = _add_network(estimator, rows, scope, container)
    label, scores = (variable.full_name for variable in operator.outputs)
    is_raw = container.get_options(operator.raw_operator, {"raw_scores": False})["raw_scores"]
    graph = _Graph(scope, container)
    if estimator._encoder.multi_label:
        zero = graph.constant(np.zeros(1, _dtype(estimator)))
        graph.add("Cast", [graph.add("Greater", [logits, zero])], label, to=graph.types.INT64)
        graph.add("Identity" if is_raw else "Sigmoid", [logits], scores)
        return
    codes = graph.add("ArgMax", [logits], axis=1, keepdims=0)
    classes = estimator.classes_
    labels = classes.astype(np.int64) if _are_ints(classes) else classes.astype(str)
    graph.add("Gather", [graph.constant(labels), codes], label, axis=0)
    if not is_raw:
        graph.add("Softmax", [logits], scores, axis=1)
    elif len(classes) > 2:
        graph.add("Identity", [logits], scores)
    else:  # as skl2onnx's linear models
        differences = np.array([[1, -1], [-1, 1]], _dtype(estimator))
        graph.add("MatMul", [logits, graph.constant(differences)], scores)


class _Graph:
    """Nodes and constants with names of their own."""

    def __init__(self, scope: Any, container: Any) -> None:
        from onnx import TensorProto

        self.scope, self.container, self.types = scope, container, TensorProto

    def add(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of its output."""
        output = output or self.scope.get_unique_variable_name(kind.lower())
        name = self.scope.get_unique_operator_name(kind)
        self.container.add_node(kind, inputs, output, name=name, **attributes)
        return output

    def constant(self, values: np.ndarray) -> str:
        """Add a constant, and return its name."""
        from onnx import numpy_helper

        name = self.scope.get_unique_variable_name("constant")
        if values.dtype.kind == "U":
            values = values.astype(object)
        self.container.initializers.append(numpy_helper.from_array(values, name))
        return name


def _add_input(estimator: NeuralClassifier, operator: Any, scope: Any, container: Any) -> str:
    """Add what makes the rows that the network sees of the inputs, and return their name."""
    from skl2onnx.common.data_types import StringTensorType, UInt8TensorType

    graph = _Graph(scope, container)
    dtype = {"float32": graph.types.FLOAT, "float64": graph.types.DOUBLE}[_dtype(estimator)]
    kept = estimator._encoder.kept_columns
    parts, begin = [], 0
    for variable in operator.inputs:
        width = variable.type.shape[1]
        columns = [i - begin for i in kept if begin <= i < begin + width] if kept else None
        begin += width
        if columns == []:
            continue
        if isinstance(variable.type, StringTensorType):
            raise ValueError(
                f"the network sees the column {variable.raw_name!r} of text, for which there is no "
                "converter to ONNX; encode it in a pipeline."
            )
        part = graph.add("Cast", [variable.full_name], to=dtype)
        if isinstance(variable.type, UInt8TensorType) and len(variable.type.shape) > 2:
            part = graph.add("Div", [part, graph.constant(np.array(255, _dtype(estimator)))])
        if columns is not None and len(columns) < width:
            part = graph.add("Gather", [part, graph.constant(np.array(columns))], axis=1)
        parts.append(part)
    return parts[0] if len(parts) == 1 else graph.add("Concat", parts, axis=1)


def _add_network(estimator: NeuralClassifier, rows: str, scope: Any, container: Any) -> str:
    """Add the network's own graph, under names of its own, and return that of the logits."""
    graph = _network_graph(estimator)
    names = {"": "", "rows": rows}
    constants = [node for node in graph.node if node.op_type == "Constant"]
    for node in constants:  # skl2onnx orders nodes by their inputs, and these have none
        graph.node.remove(node)
        graph.initializer.append(node.attribute[0].t)
        graph.initializer[-1].name = node.output[0]
    for initializer in graph.initializer:
        names[initializer.name] = scope.get_unique_variable_name(initializer.name)
        initializer.name = names[initializer.name]
        container.initializers.append(initializer)
    for node in graph.node:
        for name in node.output:
            names[name] = scope.get_unique_variable_name(name)
        while node.input and not node.input[-1]:  # left out, which skl2onnx waits for
            del node.input[-1]
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
        node.name = scope.get_unique_operator_name(node.op_type)
        container.nodes.append(node)
    container.node_domain_version_pair_sets.add(("", OPSET))
    return names["logits"]


def _network_graph(estimator: NeuralClassifier) -> Any:
    """Return the graph that torch makes of the network."""
    import onnx

    module = copy.deepcopy(estimator.net_.module_).cpu().eval()
    shape = estimator._architecture.input_shape
    generator = torch.Generator().manual_seed(0)
    dtype = next(module.parameters()).dtype
    rows = torch.rand((5, *shape), generator=generator).to(dtype)
    buffer = io.BytesIO()
    with plain_torch("cpu"), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an exporter that is old, and takes a tenth of the time
        torch.onnx.export(
            module,
            (rows[:2],),
            buffer,  # type: ignore[arg-type]  # which this exporter takes
            input_names=["rows"],
            output_names=["logits"],
            dynamic_axes={"rows": {0: "n"}, "logits": {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )
        _check_graph(buffer.getvalue(), module, rows)
    return onnx.load_from_string(buffer.getvalue()).graph


def _check_graph(exported: bytes, module: nn.Module, rows: Tensor) -> None:
    """See to it that a graph computes what the network does, for another number of rows, too.

    Raises
    ------
    ValueError
        If it does not: the exporter follows one computation, not the code.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    expected = module(rows.clone()).numpy()
    try:
        found = session.run(None, {"rows": rows.numpy()})[0]
        differ = np.abs(found - expected).max() > TOLERANCE * max(1, np.abs(expected).max())
    except Exception:  # onnxruntime's own, of shapes that were taken for fixed ones
        differ = True
    if differ:
        raise ValueError(
            f"The ONNX graph of {type(module).__name__} computes something else than the network: "
            "its forward depends on values, or on the number of rows, in a way that a graph cannot."
        )
