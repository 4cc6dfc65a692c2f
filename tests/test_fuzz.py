"""Whatever estimators are given: an answer, or a documented error in words; nothing changes."""

from __future__ import annotations

import copy
import pickle
import traceback
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from skfair import (
    DRAlignClassifier,
    FairFeaturesClassifier,
    FaiRNClassifier,
    LabelFlipClassifier,
    MarginClassifier,
    PenaltyClassifier,
    PivotClassifier,
    SmoothedClassifier,
)
from skfair.datasets import make_biased_classification

from .answers import METHODS
from .fuzzing import SPEED, settle
from .metrics.test_fuzz import CONTAINERS, ENTRIES, ODDITIES, SHAPES, Opaque, changed

ROWS = 24
X, Y, GROUP = make_biased_classification(ROWS, n_features=5, random_state=0)
X = np.column_stack([X[:, :2], np.where(GROUP == "a", 1.0, 0.0)])
RIGHT = {
    "X": X,
    "y": Y,
    "sensitive_features": GROUP,
    "sample_weight": np.linspace(0.5, 2, ROWS),
    "classes": np.array([0, 1]),
}
QUICK = {"hidden_layer_sizes": (3,), "max_epochs": 1, "batch_size": 12, "random_state": 0}
ESTIMATORS = {
    "fairn": FaiRNClassifier(**QUICK),
    "fairn of the column": FaiRNClassifier(
        sensitive_columns=[2], drop_sensitive_columns=True, early_stopping=True, **QUICK
    ),
    "penalty": PenaltyClassifier(augment="mixup", **QUICK),
    "penalty of labels": PenaltyClassifier(penalty="equal_loss", attributes="sum", **QUICK),
    "dralign": DRAlignClassifier(**QUICK | {"batch_size": -1}),
    "pivot": PivotClassifier(attributes="sum", adversary_steps=2, **QUICK),
    "fair features": FairFeaturesClassifier(attributes="sum", group_weights="equal", **QUICK),
    "margin": MarginClassifier(penalty="equal_loss", **QUICK),
    "flip": LabelFlipClassifier(flip_group="a", **QUICK),
    "flip any": LabelFlipClassifier(estimator=LogisticRegression(), random_state=0),
    "smoothed": SmoothedClassifier(FaiRNClassifier(**QUICK), n_samples=5, random_state=0),
    "smoothed any": SmoothedClassifier(
        DecisionTreeClassifier(max_depth=2), n_samples=5, random_state=0
    ),
}
STREAMED = ("fairn", "penalty", "dralign", "pivot", "flip")
WITHOUT_GROUPS = ("smoothed any",)
# what an error must speak of, beside the arguments and parameters
NAMED = (
    *("estimator", "rows", "classes", "groups", "columns", "labels", "samples", "sample(s)"),
    *("lengths", "array", "features", "feature", "class", "weights", "dataframe", "DataFrame"),
)


# -- what must hold -------------------------------------------------------------------------------


def surroundings() -> tuple:
    """What no call may change."""
    return (
        np.random.get_state()[1].tobytes(),
        torch.get_rng_state().numpy().tobytes(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        repr(np.geterr()),
    )


def call(estimator: Any, method: str, **kwargs: Any) -> Any:
    """Call a method; an error must be a documented one, in words, that leaves all as it was."""
    generator = np.random.RandomState(3)
    if method in ("fit", "partial_fit") and type(estimator.random_state) is int:
        estimator.set_params(random_state=generator)
    outside, inside = surroundings(), vars(estimator).copy()
    position = generator.get_state()[1:3]
    passed = copy.deepcopy(kwargs)
    refused = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = getattr(estimator, method)(**kwargs)
    except (ValueError, TypeError, NotFittedError) as error:
        refused = error
    if refused is not None:
        if is_foreign(refused):
            return None
        message = str(refused)
        names = (*kwargs, *NAMED, *estimator.get_params(deep=False))
        assert any(name in message for name in names), f"{type(refused).__name__}: {message}"
        assert "Lovelace" not in message, message
        assert vars(estimator).keys() == inside.keys()
        assert all(vars(estimator)[name] is value for name, value in inside.items())
        now = generator.get_state()[1:3]
        assert now[1] == position[1]
        assert np.array_equal(now[0], position[0])
        value = None
    assert surroundings() == outside
    assert repr(kwargs) == repr(passed) or " at 0x" in repr(kwargs)
    return value


def is_foreign(error: BaseException) -> bool:
    """Whether it is an estimator of scikit-learn inside that refuses what it is given."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return any("sklearn/linear_model" in name or "sklearn/tree" in name for name in files)


def fresh(name: str) -> Any:
    estimator = ESTIMATORS[name]
    return type(estimator)(**copy.deepcopy(estimator.get_params(deep=False)))


def fitted(name: str) -> Any:
    extra = {} if name in WITHOUT_GROUPS else {"sensitive_features": GROUP}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fresh(name).fit(X, Y, **extra)


@pytest.fixture(scope="module")
def models():
    return {name: pickle.dumps(fitted(name)) for name in ESTIMATORS}


def arguments(data: st.DataObject, names: list[str]) -> dict[str, Any]:
    wrong = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    return {n: data.draw(changed(RIGHT[n])) if n in wrong else RIGHT[n] for n in names}


# -- rows -----------------------------------------------------------------------------------------

THOROUGH = ["fairn", "penalty of labels", "smoothed any"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[] if n in THOROUGH else [pytest.mark.slow, pytest.mark.many])
        for n in ESTIMATORS
    ],
)
def test_each_argument_in_every_wrong_way(models, name):
    names = ["X", "y", "sample_weight", "sensitive_features"]
    for argument in names[:-1] if name in WITHOUT_GROUPS else names:
        right = RIGHT[argument]
        ways = [*ODDITIES]
        for change in (*ENTRIES.values(), *SHAPES.values(), *CONTAINERS.values()):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    ways.append(change(right))
            except Exception:  # not everything can be cast to everything
                continue
        given_arguments = {n: RIGHT[n] for n in names[:2] + names[3:]}
        if name in WITHOUT_GROUPS:
            del given_arguments["sensitive_features"]
        for wrong in ways:
            call(fresh(name), "fit", **given_arguments | {argument: wrong})
            if argument == "X":
                call(pickle.loads(models[name]), "predict", X=wrong)


@pytest.mark.parametrize("slow", SPEED)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_fit(models, name, slow):
    @settle(25, slow)
    @given(st.data())
    def case(data):
        optional = ["sample_weight"] if name in WITHOUT_GROUPS else ["sensitive_features"]
        if data.draw(st.booleans()) and "sample_weight" not in optional:
            optional.append("sample_weight")
        given_arguments = arguments(data, ["X", "y", *optional])
        again = data.draw(st.booleans())
        model = pickle.loads(models[name]) if again else fresh(name)
        if call(model, "fit", **given_arguments) is None:
            if again:
                assert np.isfinite(model.predict_proba(X)).all()
            return
        answers = [call(model, method, X=given_arguments["X"]) for method in METHODS[:2]]
        if None not in map(type, answers) and answers[1] is not None:
            assert not np.isnan(answers[1]).any()

    case()


@pytest.mark.parametrize("slow", SPEED)
@pytest.mark.parametrize("name", STREAMED)
def test_partial_fit(models, name, slow):
    @settle(20, slow)
    @given(st.data())
    def case(data):
        names = ["X", "y", "classes", "sensitive_features"]
        model = fresh(name)
        if data.draw(st.booleans()):
            model = pickle.loads(models[name])
            names.remove("classes")
        call(model, "partial_fit", **arguments(data, names))

    case()


@pytest.mark.parametrize("slow", SPEED)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_predict(models, name, slow):
    @settle(20, slow)
    @given(st.data())
    def case(data):
        model = pickle.loads(models[name])
        before = model.predict_proba(X)
        rows = data.draw(changed(X))
        method = data.draw(st.sampled_from([m for m in METHODS if hasattr(model, m)]))
        found = call(model, method, X=rows)
        if found is not None:
            assert not np.isnan(np.asarray(found, dtype=float)).any()
        assert np.array_equal(model.predict_proba(X), before)

    case()


# -- parameters -----------------------------------------------------------------------------------

VALUES = [
    *ODDITIES,
    *(1, 2, 1e-3, 0.5, -0.5, 1e308, 5e-324, np.inf, 10**30, 10**400, True, False),
    *(np.uint8(1), np.uint8(255), np.int8(-1), np.float16(0.5), np.bool_(True)),
    *("a", "auto", "balanced", "adam", "relu", "accuracy", "group", "cuda:99", "\x00"),
    *([1, 2], (3, 3), [0], [10**9], [-1], np.array([2]), np.array(["a"]), torch.tensor([2])),
    *({0: 1.0, 1: -1.0}, {0: np.nan}, {"optimizer": "x"}, {"callbacks": 3}, {"nonsense": 1}),
    *(lambda *args: None, lambda *args: 1.0, lambda X: [0], torch.nn.Linear, dict, max),
    *(LogisticRegression, LogisticRegression(), np.random.default_rng(0)),
]
# hours of work, not an error
PATIENT = {"max_epochs": 300}


@pytest.mark.parametrize("slow", SPEED)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_parameters(models, name, slow):
    known = sorted(set(ESTIMATORS[name].get_params(deep=False)) - {"verbose"})

    @settle(20, slow)
    @given(st.data())
    def case(data):
        again = data.draw(st.booleans())
        model = pickle.loads(models[name]) if again else fresh(name)
        changes = data.draw(
            st.dictionaries(st.sampled_from(known), st.sampled_from(VALUES), min_size=1, max_size=2)
        )
        for parameter, most in PATIENT.items():
            value = changes.get(parameter)
            if isinstance(value, (int, np.integer)) and value > most and value < 2**53:
                changes[parameter] = most
        model.set_params(**changes)
        extra = {} if name in WITHOUT_GROUPS else {"sensitive_features": GROUP}
        try:
            found = call(model, "fit", X=X, y=Y, **extra)
        except Exception as error:
            if not _is_the_users(error, changes):
                raise
            found = None
        if found is None and again and "device" not in changes:
            assert np.isfinite(model.predict_proba(X)).all()

    case()


def _is_the_users(error: Exception, changes: dict) -> bool:
    """Whether what was given as a function or an object failed by itself."""
    odd = (Opaque, type, type(len), type(lambda: 0), dict)
    return any(isinstance(value, odd) for value in changes.values()) and not isinstance(
        error, AssertionError
    )


# -- stored states --------------------------------------------------------------------------------


@st.composite
def damaged(draw, state):
    """A stored state with one entry that is not as it was."""
    state = copy.deepcopy(state)
    place, path = state, []
    while isinstance(place, dict) and place:
        key = draw(st.sampled_from(sorted(place, key=str)))
        path.append(key)
        if not isinstance(place[key], dict) or draw(st.integers(0, 3)) == 0:
            break
        place = place[key]
    if draw(st.booleans()) or not path:
        place.pop(path[-1], None) if path else None
    else:
        place[path[-1]] = draw(st.sampled_from(ODDITIES))
    return state, path


@pytest.mark.parametrize("slow", SPEED)
def test_damaged_states_load_or_are_refused(models, slow):
    whole = pickle.loads(models["fairn"]).__getstate__()["net_"]

    @settle(60, slow)
    @given(st.data())
    def case(data):
        net, _ = data.draw(damaged(whole))
        model, outside = pickle.loads(models["fairn"]), surroundings()
        state = model.__getstate__() | {"net_": net}
        message = "stored state of FaiRNClassifier"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                FaiRNClassifier.__new__(FaiRNClassifier).__setstate__(state)
        except ValueError as error:
            message = str(error)
        assert "stored state of FaiRNClassifier" in message
        assert surroundings() == outside

    case()


def test_what_is_drawn_reaches_both_ends(models):
    """The cases are neither all refused nor all accepted."""
    frame = pd.DataFrame(X, columns=list("abc"))
    assert call(fresh("fairn"), "fit", X=frame, y=Y, sensitive_features=GROUP) is not None
    assert call(fresh("fairn"), "fit", X=X[:-1], y=Y, sensitive_features=GROUP) is None
    assert call(pickle.loads(models["fairn"]), "predict", X=frame) is not None
