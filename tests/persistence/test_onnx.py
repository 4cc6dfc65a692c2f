"""Graphs answer as estimators do."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)

import skfair
from skfair import (
    FairFeaturesClassifier,
    LabelFlipClassifier,
    NetworkClassifier,
    PenaltyClassifier,
    SmoothedClassifier,
)
from skfair.datasets import make_biased_classification
from skfair.model_selection import StackedSearchCV
from skfair.networks import MLP, AlexNet, ConvNet, ResNet18
from skfair.persistence import to_onnx

ort = pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")
pytestmark = [
    pytest.mark.filterwarnings("ignore:The fitted"),
    pytest.mark.filterwarnings("ignore:The adversary"),
]

QUICK = {"max_epochs": 3, "random_state": 0}
TYPES = {"tensor(float)": np.float32, "tensor(string)": object, "tensor(bool)": bool}
TYPES["tensor(uint8)"] = np.uint8


@pytest.fixture(scope="module")
def people():
    return make_biased_classification(1000, n_features=6, random_state=0)


@pytest.fixture(scope="module")
def table(people):
    X, y, group = people
    rng = np.random.default_rng(0)
    frame = {
        "age": rng.integers(17, 90, 1000),
        "capital-gain": rng.integers(0, 99_999, 1000),
        "hours": 10 * X[:, 0],
        "native-country": np.where(group == "a", "here", "there"),
        "code": rng.integers(0, 5, 1000),
        "flag": X[:, 1] > 0,
    }
    return pd.DataFrame(frame), y


def answers(model, X):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {}
    for value in session.get_inputs():
        rows = X[[value.name]].to_numpy() if hasattr(X, "iloc") else X
        feed[value.name] = (
            rows if X is rows and X.dtype == np.uint8 else rows.astype(TYPES[value.type])
        )
    return session.run(["label", "probabilities"], feed)


def check_alike(estimator, X, given, steps=0.0):
    label, probabilities = answers(to_onnx(estimator, given), X)
    expected = estimator.predict_proba(X)
    assert probabilities.shape == expected.shape
    differ = np.abs(probabilities - expected) > 1e-5
    assert differ.any(axis=1).mean() <= steps
    assert (label == estimator.predict(X)).mean() >= 1 - steps


def check_raw(estimator, X):
    decision = estimator.decision_function(X)
    scores = answers(to_onnx(estimator, X, raw_scores=True), X)[1]
    if decision.ndim == 1:
        np.testing.assert_allclose(scores[:, 0], -scores[:, 1])
        scores = scores[:, 1]
    np.testing.assert_allclose(scores, decision, atol=2e-5)


NETWORKS = [name for name in skfair.__all__ if hasattr(getattr(skfair, name), "history_")]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_estimator(name, people):
    X, y, group = people
    estimator = getattr(skfair, name)(**QUICK).fit(X, y, sensitive_features=group)
    check_alike(estimator, X, None)
    check_alike(estimator, X, X)
    check_raw(estimator, X)


@pytest.mark.parametrize(
    ("params", "target"),
    [
        ({"activation": "tanh", "dtype": "float64"}, "three"),
        ({"activation": "logistic", "hidden_layer_sizes": ()}, "words"),
        ({"dropout": 0.5}, "truth values"),
        ({"module": "conv1d"}, "numbers with a fraction"),
        ({"module": lambda n, k: torch.nn.Sequential(torch.nn.Linear(n, k))}, "numbers"),
        ({}, "labels"),
    ],
)
def test_networks_and_labels(params, target, people):
    X, y, _ = people
    targets = {
        "three": np.digitize(X[:, 0], [-0.5, 0.5]),
        "words": np.where(y == 1, "yes", "no"),
        "truth values": y == 1,
        "numbers with a fraction": 2.0 * y,
        "numbers": y,
        "labels": np.column_stack([y, X[:, 0] > 0, X[:, 1] > 0]).astype(int),
    }
    estimator = NetworkClassifier(**QUICK, **params).fit(X, targets[target])
    check_alike(estimator, X, X)
    check_raw(estimator, X)


@pytest.mark.parametrize("module", [ConvNet, AlexNet, ResNet18])
@pytest.mark.parametrize("shape", [(16, 16), (3, 16, 16)])
def test_images_of_bytes_and_of_numbers(module, shape):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (1000, *shape)).astype(np.uint8)
    y, narrow = rng.integers(0, 2, 1000), partial(module, width=4)
    estimator = NetworkClassifier(module=narrow, max_epochs=1, random_state=0)
    estimator.fit(X[:100], y[:100])
    check_alike(estimator, X, X)
    check_alike(estimator, (X / 255).astype(np.float32), None)


def test_dropped_columns(people, table):
    X, y, group = people
    X = np.column_stack([group == "a", X[:, :3], X[:, 3] > 0, X[:, 4:]]).astype(float)
    hidden = {"drop_sensitive_columns": True, **QUICK}
    check_alike(NetworkClassifier(sensitive_columns=[0, 4], **hidden).fit(X, y), X, None)
    check_alike(NetworkClassifier(sensitive_columns=slice(0, 1), **hidden).fit(X, y), X, X)
    frame = table[0]
    hidden["sensitive_columns"] = ["native-country", "code"]
    check_alike(NetworkClassifier(**hidden).fit(frame, y), frame, frame)


def encoded(*others, **params):
    numbers = (StandardScaler(), ["age", "capital-gain", "hours"])
    return make_pipeline(
        make_column_transformer(numbers, *others), NetworkClassifier(**QUICK, **params)
    )


def test_pipelines_on_tables(table):
    X, y = table
    words = ["native-country"]
    by_name = encoded(
        (OneHotEncoder(sparse_output=False), words), sensitive_columns="native-country"
    )
    by_name.set_params(networkclassifier__drop_sensitive_columns=True)
    for pipeline in (
        encoded((OneHotEncoder(handle_unknown="ignore"), [*words, "code"])),
        encoded((OrdinalEncoder(), words), ("passthrough", ["flag"])),
        by_name.set_output(transform="pandas"),
        GridSearchCV(encoded((OneHotEncoder(), words)), {"networkclassifier__lr": [0.01]}, cv=2),
    ):
        check_alike(pipeline.fit(X, y), X, X)


def test_pipelines_and_what_is_around_a_network(people):
    X, y, _ = people
    network = NetworkClassifier(**QUICK)
    members = [("network", network), ("linear", LogisticRegression())]
    for estimator in (
        make_pipeline(StandardScaler(), network),
        make_pipeline(MinMaxScaler(), PolynomialFeatures(2), network),
        make_pipeline(StandardScaler(), CalibratedClassifierCV(network, cv=2)),
        StackedSearchCV(network, {"lr": [0.01, 0.02]}, cv=2),
        StackingClassifier(members, cv=2),
        VotingClassifier(members, voting="soft", flatten_transform=False),
        BaggingClassifier(network, n_estimators=2, random_state=0),
        OneVsRestClassifier(network),
    ):
        check_alike(estimator.fit(X, y), X, X)
    isotonic = CalibratedClassifierCV(network, method="isotonic", cv=2).fit(X, y)
    with pytest.warns(
        UserWarning, match=r"answers otherwise .* in \d+ of 1000 rows of X, by up to"
    ):
        check_alike(isotonic, X, X, steps=0.05)
    check_raw(make_pipeline(StandardScaler(), network).fit(X, y), X)


class OwnEstimator(NetworkClassifier):
    """A subclass of a user's."""


class OwnNetwork(MLP):
    """A network whose computation depends on the number of rows, as no graph can."""

    def forward(self, X):
        return super().forward(X) * len(X)


def test_estimators_of_users_have_a_converter(people):
    X, y, _ = people
    check_alike(make_pipeline(StandardScaler(), OwnEstimator(**QUICK)).fit(X, y), X, X)


def test_what_cannot_be_a_graph_is_said(people, table):
    X, y, group = people
    fair_features = make_pipeline(FairFeaturesClassifier(**QUICK), LogisticRegression())
    fair_features.fit(X, y, fairfeaturesclassifier__sensitive_features=group)
    scaled = make_pipeline(StandardScaler(), NetworkClassifier(**QUICK)).fit(X, y)
    flip = LabelFlipClassifier(estimator=LogisticRegression(), random_state=0)
    smoothed = SmoothedClassifier(LogisticRegression(), random_state=0).fit(X, y)
    calibrated = CalibratedClassifierCV(scaled, cv=2).fit(X, y)
    own = NetworkClassifier(**QUICK, module=OwnNetwork).fit(X, y)
    for estimator, error, message in (
        (fair_features, ValueError, "FairFeaturesClassifier is a transformer in step"),
        (
            flip.fit(X, y, sensitive_features=group),
            TypeError,
            "LabelFlipClassifier around Logistic",
        ),
        (smoothed, TypeError, "no converter to ONNX: .*SmoothedClassifier"),
        (own, ValueError, "OwnNetwork computes something else.* forward depends on values"),
        (calibrated, ValueError, "CalibratedClassifierCV around"),
        (PenaltyClassifier(), NotFittedError, "not fitted"),
    ):
        with pytest.raises(error, match=message):
            to_onnx(estimator, X)
    with pytest.raises(ValueError, match="to_onnx needs X, some rows, to know what Pipeline takes"):
        to_onnx(scaled)
