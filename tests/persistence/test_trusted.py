"""Nothing in a file runs: names are trusted one by one, whatever module they are of."""

import importlib
import inspect
import json
import os
import pickle
import re
import zipfile

import numpy as np
import pandas as pd
import pytest
import sklearn
import skops.io
from scipy.stats import loguniform
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.frozen import FrozenEstimator
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    PredefinedSplit,
    RandomizedSearchCV,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC

import skfair
from skfair import (
    FaiRNClassifier,
    FairThresholdClassifier,
    NetworkClassifier,
    PenaltyClassifier,
    SmoothedClassifier,
)
from skfair.audit._log import discard
from skfair.audit._models import load_model
from skfair.datasets import make_biased_classification
from skfair.metrics import get_scorer, get_scorer_names, make_fairness_scorer
from skfair.model_selection import StackedSearchCV, best_under_constraint, constrained_monitor
from skfair.networks import Conv1dNet
from skfair.persistence import DamagedFileError, UntrustedTypesError, dump, load, trusted_types
from skfair.persistence._trusted import safe_objects

protocol = importlib.import_module("skops.io._protocol").PROTOCOL

SHORT = {"max_epochs": 1, "hidden_layer_sizes": (4,), "random_state": 0}
GROUPED = {**SHORT, "sensitive_columns": ["sex"]}
NUMBERS = list("abcdef")
OF_SOME_VERSIONS = (
    "sklearn.calibration._TemperatureScaling",
    "sklearn.compose._column_transformer._RemainderColsList",
)


@pytest.fixture(scope="module")
def table():
    X, y, group = make_biased_classification(200, n_features=6, random_state=0)
    frame = pd.DataFrame(np.abs(X), columns=NUMBERS)
    return frame.assign(
        sex=(group == "a").astype(float), word=[f"{name} word" for name in group]
    ), y


def network(*steps, **params):
    """A pipeline on the numbers alone."""
    columns = make_column_transformer(("passthrough", NUMBERS))
    return make_pipeline(columns, *steps, NetworkClassifier(**SHORT, **params))


def on_numbers(classifier):
    columns = make_column_transformer(("passthrough", [*NUMBERS, "sex"]))
    return make_pipeline(columns.set_output(transform="pandas"), classifier)


def encoded(*words):
    columns = make_column_transformer((StandardScaler(), NUMBERS), words, remainder="drop")
    return make_pipeline(columns, NetworkClassifier(**SHORT))


def by_prefix(classifier):
    return classifier.set_params(sensitive_columns=["remainder__sex"])


def searched(kind, **params):
    """A search with scorers for groups, whose rule is one of skfair's."""
    scoring = {
        "accuracy": "accuracy",
        "neg_recourse_gap": make_fairness_scorer("neg_recourse_gap", sensitive_columns=["sex"]),
    }
    rule = best_under_constraint(threshold=100)
    network = PenaltyClassifier(**GROUPED, drop_sensitive_columns=True)
    return kind(network, {"alpha": [0.1, 1.0]}, cv=2, scoring=scoring, refit=rule, **params)


def plainly_searched(cv):
    return GridSearchCV(network(), {"networkclassifier__lr": [0.01]}, cv=cv)


class OnNumbers:
    """A classifier that is fitted on the columns of numbers, not in a pipeline."""

    def __init__(self, classifier):
        self.classifier = classifier

    def fit(self, X, y):
        return self.classifier.fit(X[[*NUMBERS, "sex"]], y)


AROUND_OTHERS = ("FairThresholdClassifier", "NetworkClassifier", "SmoothedClassifier")
ESTIMATORS = {
    name: OnNumbers(getattr(skfair, name)(**GROUPED))
    for name in skfair.__all__
    if name[0].isupper() and name not in AROUND_OTHERS
}
MODELS = ESTIMATORS | {
    "plain": network(),
    "text column dropped": NetworkClassifier(
        **SHORT, sensitive_columns=["word"], drop_sensitive_columns=True
    ),
    "generator": network().set_params(networkclassifier__random_state=np.random.RandomState(0)),
    "optimizer": network(optimizer=skfair.training._recipe.OPTIMIZERS["adamw"]),
    "module": network(module=Conv1dNet),
    "class weights": network(class_weight={0: 1.0, 1: 2.0}),
    "entries of net_params": network(net_params={"optimizer__betas": (0.5, 0.9)}),
    "monitor": OnNumbers(
        FaiRNClassifier(
            **GROUPED,
            monitor=constrained_monitor("accuracy", 0.5, "demographic_parity"),
            restore_best=True,
        )
    ),
    "smoothed": on_numbers(
        SmoothedClassifier(NetworkClassifier(**SHORT), n_samples=20, random_state=0)
    ),
    "thresholds": on_numbers(
        FairThresholdClassifier(LogisticRegression(), sensitive_columns="sex")
    ),
    "thresholds, inferred": on_numbers(
        FairThresholdClassifier(
            NetworkClassifier(**SHORT),
            group_estimator=LogisticRegression(),
            sensitive_columns="sex",
            drop_sensitive_columns=True,
        )
    ),
    "smoothed linear": on_numbers(SmoothedClassifier(LogisticRegression(), random_state=0)),
    "scaler": network(StandardScaler()),
    "components": network(PCA(2)),
    "bins": network(KBinsDiscretizer()),
    "polynomials": network(PolynomialFeatures()),
    "powers": network(PowerTransformer()),
    "quantiles": network(QuantileTransformer(n_quantiles=10)),
    "logarithms": network(FunctionTransformer(np.log1p)),
    "imputed": network(SimpleImputer()),
    "imputed by neighbors": network(KNNImputer()),
    "imputed by models": network(IterativeImputer(max_iter=1)),
    "selected": network(SelectKBest(f_classif, k=2)),
    "one-hot": encoded(OneHotEncoder(handle_unknown="ignore"), ["word"]),
    "ordinal": encoded(OrdinalEncoder(), ["word"]),
    "targets": encoded(TargetEncoder(random_state=0), ["word"]),
    "text": encoded(TfidfVectorizer(), "word"),
    "selector": encoded(OneHotEncoder(), make_column_selector(dtype_exclude=float)),
    "selector by type": make_pipeline(
        make_column_transformer((StandardScaler(), make_column_selector(dtype_include=np.number))),
        NetworkClassifier(**SHORT),
    ),
    "search": OnNumbers(searched(GridSearchCV)),
    "stacked search": OnNumbers(searched(StackedSearchCV, holdout=0.3)),
    "stacked search, repeated": OnNumbers(
        searched(StackedSearchCV, n_repeats=2 if sklearn.__version__ >= "1.9" else 1)
    ),
    "random search": RandomizedSearchCV(
        network(), {"networkclassifier__lr": [0.1, 0.2]}, n_iter=1, cv=2, random_state=0
    ),
    "halving": HalvingGridSearchCV(network(), {"networkclassifier__lr": [0.1, 0.2]}, cv=2),
    "repeated folds": plainly_searched(RepeatedStratifiedKFold(n_splits=2, n_repeats=1)),
    "shuffled": plainly_searched(ShuffleSplit(2)),
    "given folds": plainly_searched(PredefinedSplit(np.arange(200) % 2)),
    "calibrated": CalibratedClassifierCV(network(), cv=2),
    "calibrated, isotonic": CalibratedClassifierCV(network(), method="isotonic", cv=2),
    "threshold": FixedThresholdClassifier(network(), threshold=0.4),
    "tuned threshold": TunedThresholdClassifierCV(network(), cv=2),
    "frozen": FrozenEstimator(network()),
    "voting": VotingClassifier([("a", network()), ("b", network())], voting="soft"),
    "stacking": StackingClassifier([("a", network()), ("b", network())], cv=2),
    "bagging": on_numbers(BaggingClassifier(NetworkClassifier(**SHORT), n_estimators=2)),
    "one against the rest": OneVsRestClassifier(network()),
    "logistic": on_numbers(LogisticRegression()),
    "support vectors": on_numbers(SVC()),
    "Bayes": on_numbers(GaussianNB()),
    "MLP": on_numbers(MLPClassifier(max_iter=2)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_fitted_estimators_pipelines_and_searches_hold_nothing_else(name, table, tmp_path):
    X, y = table
    if name == "frozen":
        MODELS[name].estimator.fit(X, y)
    model = MODELS[name].fit(X, y)
    seen = X[list(model.feature_names_in_)] if hasattr(model, "feature_names_in_") else X
    dump(model, tmp_path / "model.skops")
    found = skops.io.get_untrusted_types(file=tmp_path / "model.skops")
    assert set(found) <= set(trusted_types())
    for again in (
        load(tmp_path / "model.skops"),
        load_model(tmp_path / "model.skops", discard),
    ):
        assert type(again) is type(model)
        np.testing.assert_array_equal(again.predict(seen), model.predict(seen))


@pytest.mark.parametrize("name", get_scorer_names())
def test_every_scorer_comes_back(name):
    stored = skops.io.dumps(get_scorer(name))
    assert set(skops.io.get_untrusted_types(data=stored)) <= set(trusted_types())
    assert repr(skops.io.loads(stored, trusted=trusted_types())) == repr(get_scorer(name))


@pytest.mark.filterwarnings("ignore")
def test_a_search_with_routed_groups_comes_back(tmp_path):
    X, y, group = make_biased_classification(200, n_features=6, random_state=0)
    with config_context(enable_metadata_routing=True):
        network = PenaltyClassifier(**SHORT).set_fit_request(sample_weight=False)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), network),
            {"penaltyclassifier__alpha": [0.1]},
            cv=2,
            scoring=get_scorer("neg_recourse_gap"),
        ).fit(X, y, sensitive_features=group)
        dump(search, tmp_path / "model.skops")
        again = load(tmp_path / "model.skops")
        np.testing.assert_array_equal(again.predict(X), search.predict(X))
        again.fit(X, y, sensitive_features=group)


@pytest.mark.filterwarnings("ignore")
def test_what_can_run_text_or_read_any_memory_is_not_trusted(tmp_path, table):
    X, y = table
    params = {"networkclassifier__lr": loguniform(0.01, 0.1)}
    search = RandomizedSearchCV(network(), params, n_iter=1, cv=2, random_state=0).fit(X, y)
    forest = RandomForestClassifier(2).fit(X[NUMBERS], y)
    for model, name in ((search, "scipy.stats"), (forest, "sklearn.tree._tree.Tree")):
        dump(model, tmp_path / "model.skops")
        with pytest.raises(UntrustedTypesError, match=rf"safe: .*{name}.*load\(path, trusted=\["):
            load(tmp_path / "model.skops")


def test_what_is_trusted_is_a_list_of_harmless_names():
    """A class whose making stores what it is given, or a function of arrays and estimators."""
    for name in trusted_types():
        module, _, attribute = name.rpartition(".")
        found = getattr(importlib.import_module(module), attribute, None)
        if found is None and name in OF_SOME_VERSIONS:
            continue
        assert found.__module__ in (module, "numpy")  # not one that is imported there
        assert callable(found)
    for kind in safe_objects():
        made = kind.__init__ if isinstance(kind, type) else kind
        source = "" if made is object.__init__ else inspect.getsource(made)
        verbs = r"\b(open\(|exec\(|eval\(|import_module|__import__|os\.|subprocess)"
        assert not re.search(verbs, source), kind
    modules = ("skfair.audit", "skfair.persistence", "skfair.datasets", "scipy.", "torch.nn")
    assert not [name for name in trusted_types() if name.startswith(modules)]


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


def stored_dict(**values):
    types = several("list", *(node("TypeNode", "builtins.str") for _ in values))
    return {**several("dict"), "content": values, "key_types": types}


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
    append = {"obj": several("list"), "func": "append"}
    bound = node("MethodNode", "builtins.list", content=append)
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
        "a name below a trusted one": node("ObjectNode", f"{trusted_types()[1]}.fit", content=None),
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
        "a method in the place of a module": node(
            "ObjectNode",
            "skfair.network.NetworkClassifier",
            content=stored_dict(
                net_=stored_dict(parts=stored_dict()),
                _architecture=stored_dict(module=bound),
            ),
        ),
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
        "a method in the place of a module",
    ],
)
def test_crafted_files_do_nothing(way, tmp_path):
    path = write(tmp_path / "model.skops", crafted(tmp_path)[way])
    with pytest.raises((UntrustedTypesError, DamagedFileError)):
        load(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["evil.joblib", "model.skops"]
