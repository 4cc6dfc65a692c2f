"""Nothing in a skops file runs: names are trusted one by one, whatever module they are of."""

import importlib
import inspect
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skfair import (
    DRAlignClassifier,
    FairFeaturesClassifier,
    FaiRNClassifier,
    LabelFlipClassifier,
    MarginClassifier,
    NetworkClassifier,
    PenaltyClassifier,
    PivotClassifier,
    SmoothedClassifier,
)
from skfair.audit._errors import InputError
from skfair.audit._log import discard
from skfair.audit._models import SAFE_OBJECTS, TRUSTED_NAMES, load_model
from skfair.datasets import make_biased_classification
from skfair.metrics import make_fairness_scorer
from skfair.model_selection import best_under_constraint
from skfair.training import constrained_monitor

skops = pytest.importorskip("skops.io")
protocol = importlib.import_module("skops.io._protocol").PROTOCOL

SHORT = {"max_epochs": 1, "random_state": 0}


@pytest.fixture(scope="module")
def people():
    X, y, group = make_biased_classification(200, random_state=0)
    return np.column_stack([group == "a", X]).astype(float), y, group


def searched():
    return GridSearchCV(
        FaiRNClassifier(**SHORT, sensitive_columns=[0]),
        {"lambda_fairness": [0.1]},
        cv=2,
        scoring={
            "accuracy": "accuracy",
            "neg_recourse_gap": make_fairness_scorer("neg_recourse_gap", sensitive_columns=[0]),
        },
        refit=best_under_constraint(threshold=100),
    )


MODELS = {
    "FaiR-N": lambda: FaiRNClassifier(**SHORT, sensitive_columns=[0]),
    "plain": lambda: NetworkClassifier(**SHORT),
    "penalty": lambda: PenaltyClassifier(**SHORT, sensitive_columns=[0]),
    "DRAlign": lambda: DRAlignClassifier(**SHORT, sensitive_columns=[0]),
    "pivot": lambda: PivotClassifier(**SHORT, sensitive_columns=[0]),
    "fair features": lambda: FairFeaturesClassifier(**SHORT, sensitive_columns=[0]),
    "margin": lambda: MarginClassifier(**SHORT, sensitive_columns=[0]),
    "flip": lambda: LabelFlipClassifier(flip_group=1.0, random_state=0, sensitive_columns=[0]),
    "pipeline": lambda: make_pipeline(StandardScaler(), PenaltyClassifier(alpha=0, **SHORT)),
    "monitor": lambda: FaiRNClassifier(
        **SHORT,
        sensitive_columns=[0],
        monitor=constrained_monitor("accuracy", 0.5, "demographic_parity"),
        restore_best=True,
    ),
    "search": searched,
    "smoothed": lambda: SmoothedClassifier(
        FaiRNClassifier(lambda_fairness=0, **SHORT), random_state=0
    ),
    "smoothed linear": lambda: SmoothedClassifier(LogisticRegression(), random_state=0),
    "logistic": LogisticRegression,
    "SVC": SVC,
    "Bayes": GaussianNB,
    "MLP": lambda: MLPClassifier(max_iter=2),
    "calibrated": lambda: CalibratedClassifierCV(GaussianNB()),
    "threshold": lambda: TunedThresholdClassifierCV(GaussianNB()),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_models_of_skfair_and_scikit_learn_come_back(name, people, tmp_path):
    X, y, _ = people
    model = MODELS[name]().fit(X, y)
    skops.dump(model, tmp_path / "model.skops")
    again = load_model(tmp_path / "model.skops", discard)
    assert type(again) is type(model)
    np.testing.assert_array_equal(again.predict(X[:9]), model.predict(X[:9]))


@pytest.mark.filterwarnings("ignore")
def test_other_types_are_named_with_what_to_do(people, tmp_path):
    X, y, _ = people
    skops.dump(RandomForestClassifier(2).fit(X, y), tmp_path / "model.skops")
    with pytest.raises(
        InputError, match=r"not known to be safe: sklearn\.tree\._tree\.Tree\. If"
    ) as e:
        load_model(tmp_path / "model.skops", discard)
    assert "skops.io.load(path, trusted=[...])" in str(e.value)
    assert "AuditReport.from_estimator" in str(e.value)


def test_what_is_trusted_is_a_list_of_harmless_names():
    """A class whose making stores what it is given, or a function of arrays and estimators."""
    for name in TRUSTED_NAMES:
        module, _, attribute = name.rpartition(".")
        found = getattr(importlib.import_module(module), attribute)
        assert found.__module__ in (module, "numpy")  # not one that is imported there
    for kind in SAFE_OBJECTS:
        source = inspect.getsource(kind.__init__ if isinstance(kind, type) else kind)
        for verb in ("open(", "exec(", "eval(", "import_module", "__import__", "os.", "subprocess"):
            assert verb not in source
    assert not [name for name in TRUSTED_NAMES if name.startswith("skfair.audit")]


# -- crafted files ----------------------------------------------------------------------------


def text(value):
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(value),
        "is_json": True,
    }


def several(kind, *values):
    loader = f"{kind.capitalize()}Node"
    return {"__class__": kind, "__module__": "builtins", "__loader__": loader, "content": values}


def node(loader, name, **more):
    module, _, attribute = name.rpartition(".")
    return {"__class__": attribute, "__module__": module, "__loader__": loader, **more}


def call(name, *arguments):
    return node("ConstructorFromReduceNode", name, content=several("tuple", *arguments))


def write(path, schema):
    schema = schema | {"protocol": protocol, "_skops_version": "0"}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    return path


class Touch:
    """A pickle that makes a folder."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


def crafted(folder):
    """Files that would do something, by ways on which a name from the file becomes a call."""
    place = str(folder / "made")
    (folder / "evil.joblib").write_bytes(pickle.dumps(Touch(place)))
    evil = call("pathlib.Path", text(str(folder / "evil.joblib")))
    quiet = node("FunctionNode", "skfair.audit._command._discard")
    partial = {
        "func": node("FunctionNode", "skfair.audit._models.load_model"),
        "args": several("tuple", evil, quiet),
        "kwds": several("tuple"),
        "namespace": several("tuple"),
    }
    return {
        "a function of skfair": call("skfair.audit._models.load_model", evil, quiet),
        "what a module of skfair imports": call("skfair.audit._report.Path", text(place)),
        "a function in another one's state": several(
            "list", call("skfair.audit._report.write_atomically", evil, text("x"))
        ),
        "a name that only begins like ours": node("ObjectNode", "skfairy.Model", content=None),
        "a name below a trusted one": node("ObjectNode", f"{TRUSTED_NAMES[1]}.fit", content=None),
        "a partial function": node("PartialNode", "functools.partial", content=partial),
        "the type of a key": {
            **several("dict"),
            "content": {place: text("x")},
            "key_types": several("list", node("TypeNode", "os.mkdir")),
        },
        "a method of a trusted class": node(
            "MethodNode",
            "skfair.fairn.FaiRNClassifier",
            content={
                "obj": node("ObjectNode", "skfair.fairn.FaiRNClassifier", content=None),
                "func": "fit",
            },
        ),
        "a function of the system": call("os.mkdir", text(place)),
    }


@pytest.mark.parametrize(
    "way",
    [
        "a function of skfair",
        "what a module of skfair imports",
        "a function in another one's state",
        "a name that only begins like ours",
        "a name below a trusted one",
        "a partial function",
        "the type of a key",
        "a method of a trusted class",
        "a function of the system",
    ],
)
def test_crafted_files_do_nothing(way, tmp_path):
    path = write(tmp_path / "model.skops", crafted(tmp_path)[way])
    with pytest.raises(InputError, match="not known to be safe|cannot be opened"):
        load_model(path, discard)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["evil.joblib", "model.skops"]


def test_what_is_no_classifier_is_refused(tmp_path):
    skops.dump([1, 2], tmp_path / "model.skops")
    with pytest.raises(InputError, match="holds a list, which is not a fitted classifier"):
        load_model(tmp_path / "model.skops", discard)
    (tmp_path / "evil.SKOPS").write_bytes(pickle.dumps(Touch(tmp_path / "made")))
    with pytest.raises(InputError, match="cannot be opened as a model"):
        load_model(tmp_path / "evil.SKOPS", discard)
    assert not (tmp_path / "made").exists()


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_files_are_refused_in_one_way(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    content = bytearray(skops.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1])))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    (folder / "model.skops").write_bytes(content)
    model, refusal = None, ""
    try:
        model = load_model(folder / "model.skops", discard)
    except InputError as error:
        refusal = str(error)
    assert hasattr(model, "predict") or "model.skops" in refusal
    assert [path.name for path in folder.iterdir()] == ["model.skops"]
