"""Whatever is passed: a number, or a documented error that names the argument; nothing changes."""

from __future__ import annotations

import copy
import math
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score

from skfair import PenaltyClassifier
from skfair.datasets import make_biased_classification
from skfair.metrics import (
    burden,
    burden_gap,
    decision_rationale_similarity,
    fairness_generalization,
    fairness_index,
    get_scorer,
    get_scorer_names,
    individual_fairness_violation,
    make_fairness_scorer,
    parity_score,
    prediction_sensitivity,
    probability_gap,
    recourse_gap,
    robustness_index,
    subgroup_report,
)

from ..fuzzing import SPEED, settle

ROWS = 24
X, Y, GROUP = make_biased_classification(ROWS, n_features=5, random_state=0)
SEX = np.where(GROUP == "a", 1.0, 0.0)
X = np.column_stack([X[:, :2], SEX])
DECISION = X[:, 0]
OF_NETWORKS = {"neg_parity_score", "decision_rationale_similarity"}


class Opaque:
    """An object of nobody's kind."""


class Duck:
    columns = index = iloc = dtypes = None
    shape = (ROWS, 3)


@pytest.fixture(scope="module", autouse=True)
def models():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = PenaltyClassifier(hidden_layer_sizes=(3,), max_epochs=1, random_state=0)
        MODELS["network"] = net.fit(X, Y, sensitive_features=GROUP)
    MODELS["linear"] = LogisticRegression().fit(X, Y)
    yield
    MODELS.clear()


MODELS: dict[str, Any] = {}


# -- what is passed --------------------------------------------------------------------------------

CONTAINERS: dict[str, Callable] = {
    "array": np.asarray,
    "list": lambda v: np.asarray(v).tolist(),
    "tuple": lambda v: tuple(np.asarray(v).tolist()),
    "Series or DataFrame": lambda v: pd.DataFrame(v) if np.ndim(v) == 2 else pd.Series(v),
    "Index": lambda v: pd.Series(np.asarray(v), index=np.arange(len(v))[::-1]),
    "object": lambda v: np.asarray(v).astype(object),
    "text": lambda v: np.asarray(v).astype(str),
    "float32": lambda v: np.asarray(v).astype(np.float32),
    "int8": lambda v: np.asarray(v).astype(np.int8),
    "uint64": lambda v: np.asarray(v).astype(np.uint64),
    "bool": lambda v: np.asarray(v).astype(bool),
    "complex": lambda v: np.asarray(v).astype(complex),
    "date": lambda v: np.asarray(v).astype(np.int64).astype("datetime64[D]"),
    "Categorical": lambda v: pd.Categorical(np.ravel(np.asarray(v).astype(str))),
    "nullable": lambda v: pd.Series(np.ravel(v)).convert_dtypes(),
    "masked": lambda v: np.ma.masked_array(np.asarray(v), mask=np.zeros(np.shape(v))),
    "tensor": lambda v: torch.as_tensor(np.asarray(v)),
    "sparse": lambda v: csr_array(np.atleast_2d(np.asarray(v, dtype=float))),
    "read-only": lambda v: _read_only(v),
    "Fortran": lambda v: np.asfortranarray(np.asarray(v)),
    "strided": lambda v: np.repeat(np.asarray(v), 2, axis=0)[::2],
}
SHAPES: dict[str, Callable] = {
    "as it is": lambda v: v,
    "column": lambda v: np.asarray(v).reshape(len(v), -1)[:, :1],
    "two columns": lambda v: np.column_stack([v, v]),
    "three dimensions": lambda v: np.asarray(v).reshape(len(v), -1)[:, :, None],
    "one row less": lambda v: v[:-1],
    "one row": lambda v: v[:1],
    "no rows": lambda v: v[:0],
    "no columns": lambda v: np.empty((len(v), 0)),
    "number": lambda v: np.asarray(v).ravel()[0],
    "same in all rows": lambda v: np.repeat(np.asarray(v)[:1], len(v), axis=0),
    "repeated rows": lambda v: np.asarray(v)[np.arange(len(v)) // 2],
}
ENTRIES: dict[str, Callable] = {
    "as it is": lambda v: v,
    "NaN": lambda v: _replace(v, np.nan),
    "None": lambda v: _replace(v, None),
    "NA": lambda v: _replace(v, pd.NA),
    "infinite": lambda v: _replace(v, np.inf),
    "huge": lambda v: _replace(v, 1e308),
    "tiny": lambda v: _replace(v, 5e-324),
    "negative": lambda v: _replace(v, -1.0),
    "text": lambda v: _replace(v, "Ada Lovelace"),
    "a list": lambda v: _replace(v, [1, 2]),
    "an object": lambda v: _replace(v, Opaque()),
    "all NaN": lambda v: np.full(np.shape(v), np.nan),
    "all huge": lambda v: np.full(np.shape(v), 1e308),
}
ODDITIES = [
    None,
    0,
    -1,
    2.5,
    float("nan"),
    "",
    "sex",
    b"bytes",
    [],
    {},
    (),
    {"a": [1, 2]},
    {"a": 1},
    Opaque(),
    Opaque,
    Duck(),
    len,
    slice(None),
    np.float64(3),
    pd.Timestamp("2020-01-01"),
    range(ROWS),
    pd.DataFrame(),
    pd.DataFrame({"a": [1] * ROWS, "b": ["x"] * ROWS}),
    set(),
    True,
]


def _read_only(values):
    values = np.array(values)
    values.setflags(write=False)
    return values


def _replace(values, entry):
    values = np.array(values, dtype=object)
    if values.size:
        values = values.copy()
        flat = values.reshape(-1)
        flat[flat.size // 2] = entry
    return values


@st.composite
def changed(draw, values):
    """Values of the right kind in the wrong shape, container or with the wrong entries."""
    if draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from(ODDITIES))
    stages = (ENTRIES, SHAPES, CONTAINERS)
    which = draw(st.sampled_from([(0,), (1,), (2,), (0, 2), (1, 2), (0, 1)]))
    for stage in which:
        table = stages[stage]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values = table[draw(st.sampled_from(sorted(table)))](values)
        except Exception:  # not everything can be cast to everything
            return values
    return values


ARGUMENTS: dict[str, Any] = {
    "X": X,
    "y": Y,
    "y_true": Y,
    "y_pred": 1 - Y,
    "decision": DECISION,
    "sensitive_features": GROUP,
    "sample_weight": np.linspace(0.5, 2, ROWS),
    "sensitive_columns": [2],
    "unfavorable": 1,
    "classes": [0, 1],
    "baseline": Y,
}
TEXTS = {
    "aggregate": ["max", "share", "sum", "mean", "l1", "squared", "p95", "x", 3, None],
    "attributes": ["intersection", "sum", "x", None, 3],
    "criterion": ["equalized_odds", "disparate_impact", "predictive_parity", "x", None, 3],
    "method": ["exact", "taylor", "flip", "gradient", "auto", "x", 7],
    "metric": ["l2", "accuracy", "precision", "true_positive_rate", "x", accuracy_score, None, 3],
    "scale": ["probability", "logit", "x", None],
    "max_samples": [None, 5, 2, 0, -1, 2.5, "x", 10**9],
    "n_samples": [1, 2, 0, -1, "x"],
    "noise_scale": [0.0, 0.1, -1, np.nan, "x", np.inf],
    "n_pairs": [1, 5, 0, 2.5, "x"],
    "n_steps": [0, 2, -1],
    "epsilon": [None, 0.0, 0.5, 1, 2, np.nan],
    "max_depth": [1, 2, 10**6, 0, "x"],
    "min_size": [1, 3, 10**9, 0, 2.5],
    "n_bootstrap": [2, 5, 1, "x"],
    "error_rate": [0.05, 0, 1, np.nan, "x"],
    "confidence_level": [0.9, 0, 1, 2],
    "pos_label": [None, 0, 1, 2, "yes", [1]],
    "random_state": [0, None, -1, "x", 2**40],
    "metrics": [["accuracy"], "selection_rate", [], "x", 3, {"a": "roc_auc"}, accuracy_score],
    "return_scores": [True, False],
}
SCORER = {"X": X, "y": Y, "sensitive_features": GROUP, "sample_weight": None}
# function -> its arguments as they should be, and the optional ones that may be passed
CALLS: dict[Callable, tuple[list[str], list[str]]] = {
    recourse_gap: (
        ["decision", "sensitive_features"],
        ["sample_weight", "unfavorable", "classes", "attributes", "aggregate"],
    ),
    fairness_index: (
        ["decision", "sensitive_features"],
        ["sample_weight", "unfavorable", "classes", "attributes", "aggregate"],
    ),
    robustness_index: (["decision"], ["sample_weight", "sensitive_features"]),
    probability_gap: (
        ["decision", "y_true", "sensitive_features"],
        ["sample_weight", "unfavorable", "classes", "criterion", "aggregate"],
    ),
    subgroup_report: (
        ["y_true", "y_pred", "sensitive_features"],
        [
            *("metric", "max_depth", "min_size", "baseline", "sample_weight", "pos_label"),
            *("error_rate", "confidence_level", "n_bootstrap", "random_state"),
        ],
    ),
    prediction_sensitivity: (
        ["estimator", "X", "sensitive_columns"],
        [
            *("n_samples", "noise_scale", "method", "scale", "aggregate", "sample_weight"),
            "random_state",
        ],
    ),
    individual_fairness_violation: (
        ["estimator", "X"],
        ["metric", "n_pairs", "n_steps", "epsilon", "sample_weight", "random_state"],
    ),
    parity_score: (
        ["estimator", "X", "y", "sensitive_features"],
        ["method", "aggregate", "max_samples", "random_state", "sample_weight", "return_scores"],
    ),
    decision_rationale_similarity: (
        ["estimator", "X", "y", "sensitive_features"],
        ["max_samples", "random_state", "sample_weight"],
    ),
    burden: (["estimator", "X", "sensitive_features"], ["sample_weight", "unfavorable"]),
    burden_gap: (
        ["estimator", "X", "sensitive_features"],
        ["sample_weight", "unfavorable", "attributes", "aggregate"],
    ),
    fairness_generalization: (["estimator", "splits"], ["metrics", "sensitive_columns"]),
}
NAMED = (
    *("estimator", "metric", "splits", "X", "rows", "classes", "groups", "columns", "labels"),
    *("sample", "lengths", "array", "features", "names", "class"),
)


@st.composite
def calls(draw, function):
    """Arguments of a metric, of which one or two are not as they should be."""
    needed, optional = CALLS[function]
    chosen = [*needed, *draw(st.lists(st.sampled_from(optional), max_size=2, unique=True))]
    wrong = draw(st.lists(st.sampled_from(chosen), min_size=1, max_size=2, unique=True))
    given_arguments = {}
    for name in chosen:
        if name == "estimator":
            odd = st.sampled_from([*ODDITIES[:16], LogisticRegression()])
            right = "network" if function in NETWORKS else "linear"
            given_arguments[name] = draw(odd) if name in wrong else MODELS[right]
        elif name == "splits":
            given_arguments[name] = {"train": (X, Y, GROUP), "test": (X, Y, GROUP)}
            if name in wrong:
                part = [draw(changed(v)) for v in (X, Y, GROUP)]
                given_arguments[name] = draw(
                    st.sampled_from([{"train": tuple(part)}, {}, [], None, {"a": 3}, {"a": (X,)}])
                )
        elif name in TEXTS:
            given_arguments[name] = draw(st.sampled_from(TEXTS[name]))
        else:
            right = ARGUMENTS[name]
            given_arguments[name] = draw(changed(right)) if name in wrong else right
    if function in (burden, burden_gap):
        given_arguments |= {"random_state": 0, "max_iter": 1}
    return given_arguments


NETWORKS = (parity_score, decision_rationale_similarity)


# -- what must hold --------------------------------------------------------------------------------


def state() -> tuple:
    """What no call may change."""
    name, keys, *rest = np.random.get_state()
    estimators = [
        {k: v for k, v in vars(model).items() if k != "net_"} for model in MODELS.values()
    ]
    weights = [p.detach().clone() for p in MODELS["network"].module_.parameters()]
    return (
        name,
        keys.tobytes(),
        tuple(rest),
        torch.get_rng_state().numpy().tobytes(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        repr(estimators),
        b"".join(w.numpy().tobytes() for w in weights),
        repr(np.geterr()),
    )


def check(function: Callable, *args: Any, **kwargs: Any) -> None:
    before, given_arguments = state(), copy.deepcopy((args, kwargs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = function(*args, **kwargs)
        except (ValueError, TypeError, NotFittedError) as error:
            if is_foreign(error):
                return
            message = str(error)
            names = [*kwargs, *NAMED]
            assert any(name in message for name in names), f"{type(error).__name__}: {message}"
            said = [kwargs.get(k) for k in ("unfavorable", "classes", "sensitive_columns")]
            said.append(getattr(function, "sensitive_columns", None))
            assert "Lovelace" not in message or "Lovelace" in repr(said), message
            assert "object at 0x" not in message or "Opaque" in repr(said), message
        else:
            if isinstance(value, float):
                assert not math.isinf(value) or _is_huge(given_arguments)
    assert state() == before
    assert repr((args, kwargs)) == repr(given_arguments) or _has_address(args, kwargs)


def is_foreign(error: BaseException) -> bool:
    """Whether the estimator itself refused X; what it says is not the metric's."""
    own = ("prepare_X", "check_table")
    frames = traceback.extract_tb(error.__traceback__)
    return any("linear_model" in frame.filename or frame.name in own for frame in frames)


def _is_huge(given_arguments: Any) -> bool:
    return "e+30" in repr(given_arguments) or "1e308" in repr(given_arguments)


def _has_address(*values: Any) -> bool:
    return " at 0x" in repr(values)


@pytest.mark.parametrize("slow", SPEED)
@pytest.mark.parametrize("function", CALLS, ids=lambda f: f.__name__)
def test_metrics_fail_in_words_and_leave_everything_alone(function, slow):
    few = {burden: 15, burden_gap: 15, individual_fairness_violation: 25, parity_score: 25}

    @settle(few.get(function, 50), slow)
    @given(st.data())
    def case(data):
        check(function, **data.draw(calls(function)))

    case()


@pytest.mark.parametrize("slow", SPEED)
@pytest.mark.parametrize("name", get_scorer_names())
def test_scorers_fail_in_words_and_leave_everything_alone(name, slow):
    few = {"neg_burden_gap": 8, "neg_individual_fairness_violation": 8, "neg_parity_score": 8}

    @settle(few.get(name, 14), slow)
    @given(st.data())
    def case(data):
        wrong = data.draw(
            st.lists(
                st.sampled_from(["estimator", "X", "y", "sensitive_features", "sample_weight"]),
                min_size=1,
                max_size=2,
                unique=True,
            )
        )
        right = SCORER | {"estimator": MODELS["network" if name in OF_NETWORKS else "linear"]}
        passed = {
            argument: data.draw(changed(ARGUMENTS[argument]))
            if argument in wrong and argument != "estimator"
            else value
            for argument, value in right.items()
        }
        if "estimator" in wrong:
            passed["estimator"] = data.draw(st.sampled_from(ODDITIES))
        scorer = get_scorer(name)
        if name == "neg_prediction_sensitivity":
            scorer = make_fairness_scorer("prediction_sensitivity", sensitive_columns=2)
        if name == "neg_burden_gap":
            scorer = make_fairness_scorer("burden_gap", max_iter=1)
        check(scorer, **passed)

    case()


@pytest.mark.parametrize("slow", SPEED)
def test_columns_are_found_or_the_error_says_which_there_are(slow):
    tables = [X, pd.DataFrame(X, columns=["a", "b", "sex"]), pd.DataFrame(X)]

    @settle(100, slow)
    @given(st.data())
    def case(data):
        columns = data.draw(
            st.one_of(
                changed(np.array([2])),
                st.sampled_from([*ODDITIES, "a", "a_b", ["a", "sex"], [2, "a"], -4, 3, [True]]),
            )
        )
        table = data.draw(st.sampled_from(tables))
        scorer = make_fairness_scorer("demographic_parity_difference", sensitive_columns=columns)
        check(scorer, estimator=MODELS["linear"], X=table, y=Y)

    case()
