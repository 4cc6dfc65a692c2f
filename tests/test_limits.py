"""Numbers that no float, memory or small integer can hold: a sentence, or the right result."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
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

pytestmark = pytest.mark.filterwarnings("ignore:The fitted")  # few epochs are enough

QUICK = {"max_epochs": 2, "batch_size": 64, "hidden_layer_sizes": (4,), "random_state": 0}
NETWORKS = [
    FaiRNClassifier(**QUICK),
    PenaltyClassifier(**QUICK),
    PenaltyClassifier(augment="mixup", **QUICK),
    DRAlignClassifier(**QUICK),
    PivotClassifier(**QUICK),
    FairFeaturesClassifier(**QUICK),
    MarginClassifier(group_margins={"a": 0.5}, **QUICK),
    LabelFlipClassifier(flip_group="a", **QUICK),
]


def fitted(estimator, biased, **params):
    X, y, group = biased
    return copy.deepcopy(estimator).set_params(**params).fit(X, y, sensitive_features=group)


# -- parameters -----------------------------------------------------------------------------------

SMALL = [
    (DRAlignClassifier, {"align_layers": np.uint8(1), "hidden_layer_sizes": (4, 4)}),
    (PivotClassifier, {"adversary_steps": np.uint8(2), "lambda_fairness": np.int8(127)}),
    (PivotClassifier, {"n_components": np.uint8(100), "adversary_lr": np.float16(0.25)}),
    (FairFeaturesClassifier, {"adversary_steps": np.uint8(2), "embedding_size": np.uint8(200)}),
    (FairFeaturesClassifier, {"alpha": np.int8(100), "reversal": np.uint8(3)}),
    (FairFeaturesClassifier, {"adversary_lr": np.float16(0.25), "score_fraction": np.float16(0.5)}),
    (FaiRNClassifier, {"max_epochs": np.uint8(30), "batch_size": np.uint8(200)}),
    (FaiRNClassifier, {"group_memory": np.uint8(200), "warmup": np.float16(0.25)}),
    (FaiRNClassifier, {"early_stopping": True, "n_iter_no_change": np.int8(100)}),
    (PenaltyClassifier, {"group_memory": np.int8(127), "alpha": np.uint8(2)}),
    (PenaltyClassifier, {"penalty_on": "holdout", "holdout_fraction": np.float16(0.25)}),
    (MarginClassifier, {"margin": np.float16(0.5), "embedding_size": np.uint8(200)}),
    (MarginClassifier, {"scale": np.uint8(20), "focal": np.float16(2)}),
    (LabelFlipClassifier, {"flip_fraction": np.float32(0.5), "random_state": np.uint8(3)}),
]


@pytest.mark.parametrize(("kind", "params"), SMALL, ids=str)
def test_numbers_of_numpy_are_as_good_as_those_of_python(biased, kind, params):
    quick = {"hidden_layer_sizes": (4,), "max_epochs": 3, "random_state": 0} | params
    plain = {k: v.item() if isinstance(v, np.number) else v for k, v in quick.items()}
    expected = fitted(kind(**plain), biased).decision_function(biased[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        found = fitted(kind(**quick), biased)
    assert np.array_equal(found.decision_function(biased[0]), expected)
    assert all(getattr(found, name) is value for name, value in params.items())


def test_nor_do_they_overflow_in_smoothing(biased):
    X, y, _ = biased
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    params = {"n_samples": 200, "batch_size": 250, "random_state": 0, "delta": 0.5}
    expected = SmoothedClassifier(tree, **params).fit(X, y).predict_proba(X[:9])
    small = {"n_samples": np.uint8(200), "batch_size": np.uint8(250), "delta": np.float16(0.5)}
    found = SmoothedClassifier(tree, **params | small).fit(X, y).predict_proba(X[:9])
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    "sizes", [(10**9,), (10**30,), (100_000, 100_000), [2] * 2000, (np.int64(2**62),)]
)
def test_a_network_beyond_memory_is_refused(biased, sizes):
    with pytest.raises(ValueError, match=r"hidden_layer_sizes makes a network of .* at most 1000"):
        fitted(FaiRNClassifier(hidden_layer_sizes=sizes), biased)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"batch_size": 2**23}, r"'batch_size'.*range \[1, 4194304\]"),
        ({"n_samples": 10**12}, "n_samples=1000000000000 asks for .* draws, more than"),
        ({"n_samples": None, "epsilon": 1e-9}, "epsilon=1e-09 with delta=0.001 asks for"),
        ({"n_samples": None, "epsilon": 1e-300}, "epsilon=1e-300 with delta=0.001 asks for"),
    ],
)
def test_smoothing_beyond_memory_or_patience_is_refused(biased, params, match):
    model = SmoothedClassifier(DecisionTreeClassifier(max_depth=2), n_samples=10)
    with pytest.raises(ValueError, match=match):
        model.set_params(**params).fit(*biased[:2])


def test_a_batch_larger_than_the_data_is_all_of_it(biased):
    found = [
        fitted(FaiRNClassifier(**QUICK | {"batch_size": size}), biased).decision_function(biased[0])
        for size in (2**50, -1)
    ]
    assert np.array_equal(*found)


@pytest.mark.parametrize(
    "name", ["batch_size", "max_epochs", "group_memory", "lr", "n_iter_no_change"]
)
def test_whole_numbers_that_no_float_holds_are_refused(biased, name):
    with pytest.raises(ValueError, match=f"{name} must be at most 9007199254740992"):
        fitted(FaiRNClassifier(**{name: 10**400}), biased)


# -- weights --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("estimator", NETWORKS, ids=str)
def test_weights_of_all_sizes_train_or_are_refused(biased, estimator, dtype):
    X, y, group = biased
    model = copy.deepcopy(estimator).set_params(dtype=dtype)
    for least in (1e-30, 1e-300):
        weights = np.where(np.arange(len(y)) % 3, least, 1.0)
        if least > np.finfo(dtype).tiny:
            model.fit(X, y, sensitive_features=group, sample_weight=weights)
            assert np.isfinite(model.predict_proba(X)).all()
        else:
            with pytest.raises(ValueError, match="sample_weight and class_weight together span"):
                model.fit(X, y, sensitive_features=group, sample_weight=weights)


def test_weights_of_rows_and_of_classes_may_be_large_together(biased):
    X, y, group = biased
    rows = np.random.default_rng(0).uniform(0.5, 1, len(y))
    large = FaiRNClassifier(class_weight={0: 2e300, 1: 1e300}, **QUICK)
    small = FaiRNClassifier(class_weight={0: 2.0, 1: 1.0}, **QUICK)
    found = large.fit(X, y, sensitive_features=group, sample_weight=rows * 1e300)
    expected = small.fit(X, y, sensitive_features=group, sample_weight=rows)
    np.testing.assert_allclose(
        found.decision_function(X), expected.decision_function(X), rtol=1e-4, atol=1e-5
    )


# -- rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", NETWORKS, ids=str)
def test_rows_too_large_for_the_network_are_refused(biased, estimator):
    model = fitted(estimator, biased)
    X = biased[0].copy()
    X[::2] = (
        1.7e308
        * np.array([1, -1, 1, -1, 1, -1])
        * np.sign(next(model.module_.parameters())[0].detach().numpy())
    )
    for method in ("predict", "predict_proba", "decision_function", "boundary_distance"):
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            message = ""
            try:
                assert not np.isnan(getattr(model, method)(X)).any()
            except ValueError as error:
                message = str(error)
        assert message == "" or "of the 600 rows of X: their numbers are too large" in message


def opposed(n_features, n_outputs):
    """Two units whose infinities cancel."""
    from torch import nn

    layers = nn.Sequential(nn.Linear(n_features, 2), nn.Linear(2, n_outputs))
    layers[0].weight.data.fill_(2.0)
    layers[1].weight.data.copy_(layers[1].weight.new_tensor([[1.0, -1.0], [-1.0, 1.0]]))
    return layers


@pytest.mark.parametrize("smoothed", [False, True])
def test_an_output_that_is_no_number_is_no_answer(biased, smoothed):
    model = fitted(FaiRNClassifier(module=opposed, lr=1e-6, **QUICK | {"max_epochs": 1}), biased)
    X = biased[0][:10].copy()
    expected = model.predict_proba(X[1:])
    X[0] = 1.7e308
    if smoothed:
        model = SmoothedClassifier(model, prefit=True, n_samples=5).fit(*biased[:2])
    for method in ("predict", "predict_proba"):
        with pytest.raises(ValueError, match="not finite for 1 of the 10 rows of X"):
            getattr(model, method)(X)
    if not smoothed:
        with pytest.raises(ValueError, match="not finite for 1 of the 10 rows of X"):
            model.boundary_distance(X)
        assert np.array_equal(model.predict_proba(X[1:]), expected)


def test_nor_is_that_of_a_linear_model(biased):
    X, y, _ = biased
    X = np.column_stack([X[:, 0], -X[:, 0]]) + np.array([0, 1e-3])
    model = SmoothedClassifier(LogisticRegression()).fit(X, y)
    model.estimator_.coef_[:] = [[10.0, -10.0]]
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="1 of the 2 rows of X"):
        model.predict_proba(np.array([[1.7e308, 1.7e308], [0.0, 0.0]]))
