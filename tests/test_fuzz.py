"""fit, partial_fit and predict with whatever they are handed: right, or an error that names it.

Whatever fails changes nothing: not the estimator, not the inputs, not the global state.
"""

from __future__ import annotations

import copy
import traceback
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skfair import (
    DRAlignClassifier,
    FaiRNClassifier,
    LabelFlipClassifier,
    PenaltyClassifier,
    SmoothedClassifier,
)

from .fuzzing import SPEED, settle

RNG = np.random.default_rng(0)
N = 40
X = RNG.normal(size=(N, 3))
Y = (X[:, 0] + RNG.normal(size=N) > 0).astype(int)
GROUP = np.tile(["a", "b"], N // 2)
QUICK = {"hidden_layer_sizes": (3,), "max_epochs": 1, "random_state": 0}
ESTIMATORS = {
    "FaiR-N": FaiRNClassifier(**QUICK),
    "penalty": PenaltyClassifier(penalty="equalized_odds", **QUICK),
    "mixup": PenaltyClassifier(augment="mixup", **QUICK),
    "DRAlign": DRAlignClassifier(**QUICK),
    "flip": LabelFlipClassifier(flip_group="a", **QUICK),
    "flip any": LabelFlipClassifier(estimator=LogisticRegression(), flip_group="a", random_state=0),
    "smoothed": SmoothedClassifier(LogisticRegression(), random_state=0),
}
NAMES = (
    *("X", "y", "sensitive_features", "sample_weight", "classes", "class", "features", "feature"),
    *("Input", "samples", "weights", "loss", "hold-out", "batch_size", "training data", "label"),
    *("array", "sequence", "row", "n_samples", "target", "fitted", "labels", "numbers"),
)


def with_entry(values, entry):
    values = np.array(values, dtype=object if isinstance(entry, (str, list)) else float)
    values[(3,) * values.ndim if values.ndim == 1 else (3, 1)] = entry
    return values


WRONG_X = [
    *(with_entry(X, entry) for entry in (np.nan, np.inf, -np.inf, 1e308, 1e30, "Lovelace", None)),
    *(X[:, 0], X[None], X[:0], X[:1], X[:, :0], X[:, :2], X[:-1], X.T, X.astype(complex)),
    *(X.tolist(), X.astype(int), X > 0, X.astype("float16"), X.astype(str), np.asfortranarray(X)),
    *(pd.DataFrame(X), pd.DataFrame(X, columns=["a", "a", "b"]), sparse.csr_matrix(X)),
    *(sparse.coo_array(X), torch.tensor(X), X[::-1], np.repeat(X[:1], N, axis=0), 0 * X),
    *(None, 3, "text", {}, [], [[1, 2], [3]], object(), pd.Series(X[:, 0]), np.ma.array(X)),
]
WRONG_Y = [
    *(with_entry(Y, entry) for entry in (np.nan, np.inf, "x", 0.5, None)),
    *(Y[:-1], Y[:0], Y[:, None], np.c_[Y, Y], np.zeros(N), X[:, 0], Y.astype(bool), Y.astype(str)),
    *(Y * 1e9, Y - 1, Y.tolist(), np.arange(N), np.arange(N) % 3, pd.Series(Y), torch.tensor(Y)),
    *(None, 3, "text", {}, [], object(), Y.astype(object), Y.astype(complex), pd.Categorical(Y)),
]
WRONG_GROUPS = [
    *(with_entry(Y, entry) for entry in (np.nan, "x", None, [1])),
    *(GROUP[:-1], GROUP[:0], GROUP[:, None], np.c_[GROUP, GROUP], np.full(N, "a"), X[:, 0], Y > 0),
    *(GROUP.tolist(), np.arange(N), np.arange(60), pd.Series(GROUP), pd.Series(GROUP)[::-1]),
    *(None, 3, "text", {}, [], object(), np.full(N, np.nan), pd.DataFrame({"g": GROUP, "h": Y})),
    *(pd.Series(pd.Categorical(GROUP)), torch.tensor(Y), X, X[:, :0], {"g": GROUP.tolist()}),
]
WRONG_WEIGHTS = [
    *(with_entry(np.ones(N), entry) for entry in (np.nan, np.inf, -1, 0, 1e308, 1e-320, "x", None)),
    *(np.ones(N - 1), np.ones((N, 1)), np.zeros(N), -np.ones(N), np.full(N, 1e-300), X),
    *(np.ones(N).tolist(), 3, "text", {}, [], object(), pd.Series(np.ones(N)), Y.astype(bool)),
]
ARGUMENTS = {
    "X": (X, WRONG_X),
    "y": (Y, WRONG_Y),
    "sensitive_features": (GROUP, WRONG_GROUPS),
    "sample_weight": (np.ones(N), WRONG_WEIGHTS),
}


def arguments(draw, names):
    wrong = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    return {
        name: draw(st.sampled_from(ARGUMENTS[name][1])) if name in wrong else ARGUMENTS[name][0]
        for name in names
    }


def global_state():
    kind, keys, *rest = np.random.get_state()
    return (
        *(kind, keys.tobytes(), *rest),
        torch.get_rng_state().numpy().tobytes(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        repr(np.geterr()),
    )


def is_foreign(error):
    """Whether a classifier that is wrapped refused what it was handed."""
    frames = traceback.extract_tb(error.__traceback__)
    return any("linear_model" in frame.filename for frame in frames)


def check(estimator, method, **given):
    """Call the method; what it raises names an argument, and then nothing has changed."""
    before, own, inputs = global_state(), vars(estimator).copy(), repr(given)
    network = getattr(estimator, "net_", None)
    weights = [p.detach().clone() for p in network.module_.parameters()] if network else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            getattr(estimator, method)(**given)
        except (ValueError, TypeError, NotFittedError) as error:
            said = f"{type(error).__name__}: {error}"
            assert is_foreign(error) or any(name in said for name in NAMES), said[:200]
            assert vars(estimator).keys() == own.keys()
            assert all(vars(estimator)[name] is value for name, value in own.items())
            after = network.module_.parameters() if network else []
            assert all(torch.equal(a, b) for a, b in zip(weights, after, strict=True))
    assert global_state() == before
    assert repr(given) == inputs


def fitted(name):
    extra = {} if name == "smoothed" else {"sensitive_features": GROUP}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return copy.deepcopy(ESTIMATORS[name]).fit(X, Y, **extra)


@pytest.mark.parametrize("slow", SPEED)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_fit_says_which_argument_is_wrong_and_changes_nothing(name, slow):
    names = ["X", "y"] if name == "smoothed" else list(ARGUMENTS)

    @settle(70, slow)
    @given(st.data(), st.booleans())
    def run(data, again):
        estimator = fitted(name) if again else copy.deepcopy(ESTIMATORS[name])
        check(estimator, "fit", **arguments(data.draw, names))

    run()


@pytest.mark.parametrize("slow", SPEED)
@pytest.mark.parametrize("name", ["FaiR-N", "penalty", "DRAlign", "flip"])
def test_partial_fit_says_which_argument_is_wrong_and_changes_nothing(name, slow):
    @settle(40, slow)
    @given(st.data(), st.sampled_from([None, [0, 1], [1, 0], [0], ["a", "b"], [0, 1, 2], 3, "x"]))
    def run(data, classes):
        estimator = fitted(name)
        check(estimator, "partial_fit", classes=classes, **arguments(data.draw, list(ARGUMENTS)))

    run()


@pytest.mark.parametrize("slow", SPEED)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_predictions_say_what_is_wrong_with_the_rows_and_change_nothing(name, slow):
    estimator = fitted(name)
    methods = [
        m for m in ("predict", "predict_proba", "decision_function") if hasattr(estimator, m)
    ]

    @settle(40, slow)
    @given(st.data(), st.sampled_from(methods))
    def run(data, method):
        check(estimator, method, X=data.draw(st.sampled_from(WRONG_X)))

    run()
