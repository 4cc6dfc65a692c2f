"""Whatever is trained on an accelerator is what the CPU trains, and goes where there is none."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skfair import (
    DRAlignClassifier,
    FairFeaturesClassifier,
    FaiRNClassifier,
    LabelFlipClassifier,
    MarginClassifier,
    NetworkClassifier,
    PenaltyClassifier,
    PivotClassifier,
)
from skfair.metrics import parity_score, prediction_sensitivity
from skfair.model_selection import StackedSearchCV
from skfair.objectives.penalties import PENALTIES
from skfair.persistence import load, trusted_types
from skfair.recourse import counterfactuals

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.filterwarnings("ignore:The fitted"),
    pytest.mark.filterwarnings("ignore:The adversary of PivotClassifier"),
]

QUICK = {"max_epochs": 4, "batch_size": 64, "dtype": "float64", "random_state": 0}
QUICK |= {"hidden_layer_sizes": (16,), "dropout": 0.0}  # which every device draws for itself
METHODS = {
    "network": NetworkClassifier(**QUICK),
    "sampling, early stopping": NetworkClassifier(sampling="group", early_stopping=True, **QUICK),
    "focal, averaging": NetworkClassifier(focal=2.0, averaging=0.9, **QUICK),
    "FaiR-N": FaiRNClassifier(**QUICK),
    "FaiR-N, gradient": FaiRNClassifier(distance="gradient", **QUICK),
    **{name: PenaltyClassifier(penalty=name, **QUICK) for name in PENALTIES},
    "tolerance": PenaltyClassifier(penalty="demographic_parity", tolerance=0.1, **QUICK),
    "margin": MarginClassifier(**QUICK),
    "label flip": LabelFlipClassifier(**QUICK),
    "DRAlign": DRAlignClassifier(**QUICK),
    "fair features": FairFeaturesClassifier(**QUICK),
    "pivot": PivotClassifier(**QUICK),
}


def on(device: str, model, X, y, groups):
    return clone(model).set_params(device=device).fit(X, y, sensitive_features=groups)


@pytest.mark.parametrize("name", METHODS)
def test_the_accelerator_trains_what_the_cpu_trains(biased, name):
    X, y, groups = biased
    models = [on(device, METHODS[name], X, y, groups) for device in ("cpu", "cuda")]
    assert next(models[1].module_.parameters()).device.type == "cuda"
    scores = [model.predict_proba(X) for model in models]
    np.testing.assert_allclose(*scores, atol=1e-4)
    again = on("cuda", METHODS[name], X, y, groups).predict_proba(X)
    np.testing.assert_array_equal(again, scores[1])


def test_a_raw_table_on_the_accelerator(biased_frame):
    frame, y = biased_frame
    frame = frame.assign(x0=frame["x0"].where(frame["x0"] < 1))
    settings = {"max_epochs": 4, "random_state": 0, "device": "cuda"}
    for members in (1, 4):
        model = FaiRNClassifier(module="tabular", n_members=members, **settings)
        model.fit(frame, y, sensitive_features=frame["sex"])
        scores = model.predict_proba(frame)
        copy = pickle.loads(pickle.dumps(model)).set_params(device="cpu")
        np.testing.assert_allclose(copy.predict_proba(frame), scores, atol=1e-5)


def test_images_on_the_accelerator():
    rng = np.random.default_rng(0)
    X, y = rng.random((80, 1, 16, 16), dtype=np.float32), rng.integers(0, 2, 80)
    settings = {"module": "convnet", "max_epochs": 2, "batch_size": 16, "random_state": 0}
    model = NetworkClassifier(device="cuda", **settings).fit(X, y)
    copy = pickle.loads(pickle.dumps(model)).set_params(device="cpu")
    np.testing.assert_allclose(copy.predict_proba(X), model.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("name", ["FaiR-N", "pivot", "fair features", "margin"])
def test_a_model_of_the_accelerator_is_saved_and_goes_on(biased, name, tmp_path):
    X, y, groups = biased
    model = on("cuda", METHODS[name], X, y, groups)
    expected = model.predict_proba(X)
    skops.io.dump(model, tmp_path / "model.skops")
    assert not set(skops.io.get_untrusted_types(file=tmp_path / "model.skops")) - set(
        trusted_types()
    )
    np.testing.assert_array_equal(load(tmp_path / "model.skops").predict_proba(X), expected)
    copy = pickle.loads(pickle.dumps(model))
    for each in (model, copy):
        each.set_params(warm_start=True, max_epochs=2).fit(X, y, sensitive_features=groups)
    np.testing.assert_allclose(copy.predict_proba(X), model.predict_proba(X), atol=1e-12)


def test_a_search_on_the_accelerator(biased):
    X, y, groups = biased
    grid = {"lambda_fairness": [0.0, 0.5], "lambda_robustness": [0.0, 0.1]}
    model = FaiRNClassifier(device="cuda", **QUICK)
    stacked, single = (
        Search(model, grid, cv=3).fit(X, y, sensitive_features=groups)
        for Search in (StackedSearchCV, GridSearchCV)
    )
    found = [search.cv_results_["mean_test_score"] for search in (stacked, single)]
    np.testing.assert_allclose(*found, atol=0.01)


def test_measured_on_the_accelerator_and_on_the_cpu(biased):
    X, y, groups = biased
    X = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    model = on("cuda", METHODS["FaiR-N"], X, y, groups)
    copy = pickle.loads(pickle.dumps(model)).set_params(device="cpu")
    scores = [prediction_sensitivity(each, X, sensitive_columns=["x0"]) for each in (model, copy)]
    np.testing.assert_allclose(*scores, rtol=1e-4)
    scores = [parity_score(each, X, y, sensitive_features=groups) for each in (model, copy)]
    np.testing.assert_allclose(*scores, rtol=1e-3)
    found = [counterfactuals(each, X[:20]).distance for each in (model, copy)]
    np.testing.assert_allclose(*found, atol=1e-3)


def test_torch_save_of_the_accelerators_network_loads_on_the_cpu(biased):
    X, y, groups = biased
    model = on("cuda", METHODS["network"], X, y, groups)
    file = io.BytesIO()
    torch.save(model.module_.state_dict(), file)
    file.seek(0)
    state = torch.load(file, map_location="cpu", weights_only=True)
    assert {tensor.device.type for tensor in state.values()} == {"cpu"}


def test_label_flip_over_another_classifier_needs_no_accelerator(biased):
    X, y, groups = biased
    model = LabelFlipClassifier(estimator=LogisticRegression()).fit(X, y, sensitive_features=groups)
    assert model.predict(X).shape == y.shape
