"""Raw frames in what is around the estimators: searches, other processes, metrics and tools."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV, cross_validate
from torch import nn

from skfair import (
    DRAlignClassifier,
    FairFeaturesClassifier,
    FaiRNClassifier,
    FairThresholdClassifier,
    LabelFlipClassifier,
    MarginClassifier,
    NetworkClassifier,
    PenaltyClassifier,
    PivotClassifier,
    SmoothedClassifier,
)
from skfair.metrics import (
    decision_rationale_similarity,
    individual_fairness_violation,
    parity_score,
    prediction_sensitivity,
)
from skfair.model_selection import StackedSearchCV
from skfair.networks._inspection import network_of, one_hot_network, rows_seen
from skfair.recourse import counterfactuals
from skfair.smoothing import WeightedMetric

from .training.test_raw_tables import people

QUICK = {"max_epochs": 2, "random_state": 0}
CLASSES = [
    NetworkClassifier(),
    FaiRNClassifier(),
    FaiRNClassifier(distance="gradient"),
    PenaltyClassifier(),
    PenaltyClassifier(augment="mixup"),
    PenaltyClassifier(penalty_on="holdout"),
    MarginClassifier(),
    LabelFlipClassifier(),
    DRAlignClassifier(),
    DRAlignClassifier(augment="mixup"),
    FaiRNClassifier(distance="gradient", n_members=2),
    MarginClassifier(n_members=2),
    FairFeaturesClassifier(),
    PivotClassifier(),
]


@pytest.fixture(scope="module")
def table():
    return people(600)


@pytest.fixture(scope="module")
def trained(table):
    X, y = table
    return NetworkClassifier(
        hidden_layer_sizes=(16, 16), max_epochs=20, lr=0.01, random_state=0
    ).fit(X, y)


@pytest.fixture(scope="module")
def arrow_table(table):
    pytest.importorskip("pyarrow")
    X, y = table
    return X.convert_dtypes(dtype_backend="pyarrow"), y


@pytest.mark.parametrize("estimator", CLASSES, ids=repr)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_estimator_takes_a_raw_frame(estimator, table):
    X, y = table
    model = estimator.set_params(**QUICK).fit(X, y, sensitive_features=X["sex"])
    expected = model.predict_proba(X)
    assert np.isfinite(expected).all()
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), expected)
    state = skops.io.dumps(model)
    names = skops.io.get_untrusted_types(data=state)
    assert all(name.endswith("Classifier") for name in names)  # no types but those of estimators
    assert np.array_equal(skops.io.loads(state, trusted=names).predict_proba(X), expected)
    again.partial_fit(X, y, sensitive_features=X["sex"])


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_thresholds_stand_on_a_raw_frame(table):
    X, y = table
    model = FairThresholdClassifier(NetworkClassifier(**QUICK))
    assert model.fit(X, y, sensitive_features=X["sex"]).predict(X).shape == y.shape


# -- scikit-learn ---------------------------------------------------------------------------------


def check_everything(X, y, n_jobs):
    model = FaiRNClassifier(sensitive_columns="sex", **QUICK)
    search = GridSearchCV(model, {"lambda_fairness": [0.0, 0.5]}, cv=2, n_jobs=n_jobs)
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert type(search.best_estimator_.module_).__name__ == "TabularNetwork"
    scores = cross_validate(model, X, y, cv=2, n_jobs=n_jobs)
    assert np.isfinite(scores["test_score"]).all()
    calibrated = CalibratedClassifierCV(model, cv=2, n_jobs=n_jobs).fit(X, y)
    assert calibrated.predict_proba(X).shape == (len(X), 2)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_searches_and_calibration_take_a_raw_frame(table):
    check_everything(*table, n_jobs=None)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_searches_and_calibration_take_a_raw_frame_in_two_processes(table):
    check_everything(*table, n_jobs=2)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_searches_and_calibration_take_a_frame_backed_by_arrow(arrow_table):
    check_everything(*arrow_table, n_jobs=None)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_stacked_search_gives_what_a_grid_search_does(table):
    X, y = table
    model = FaiRNClassifier(sensitive_columns="sex", **QUICK)
    grid = {"lambda_fairness": [0.0, 0.5]}
    stacked = StackedSearchCV(model, grid, cv=2).fit(X, y)
    plain = GridSearchCV(model, grid, cv=2).fit(X, y)
    found, expected = (s.cv_results_["split0_test_score"] for s in (stacked, plain))
    np.testing.assert_allclose(found, expected)
    assert np.allclose(stacked.predict_proba(X), plain.predict_proba(X))


def test_a_new_process_predicts_the_same_from_a_raw_frame(table, trained, tmp_path):
    X, _ = table
    X.to_pickle(tmp_path / "X.pkl")
    np.save(tmp_path / "expected.npy", trained.predict_proba(X))
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(trained))
    skops.io.dump(trained, tmp_path / "model.skops")
    code = """
import pathlib, pickle, sys, numpy as np, pandas as pd, skops.io
folder = pathlib.Path(sys.argv[1])
X, expected = pd.read_pickle(folder / "X.pkl"), np.load(folder / "expected.npy")
model = skops.io.load(folder / "model.skops", trusted=["skfair.network.NetworkClassifier"])
assert np.array_equal(model.predict_proba(X), expected)
model = pickle.loads((folder / "model.pkl").read_bytes())
assert np.array_equal(model.predict_proba(X), expected)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


# -- metrics and tools ----------------------------------------------------------------------------


def test_the_twin_with_one_column_a_code_is_the_same_function(table, trained):
    X, y = table
    margin = MarginClassifier(**QUICK).fit(X, y)
    members = NetworkClassifier(n_members=3, **QUICK).fit(X, y)
    for model in (trained, margin, members):
        network, seen, _ = one_hot_network(model)
        with torch.no_grad():
            found = network.module(network.tensor(seen(X)))
            expected = network_of(model).module(network.tensor(rows_seen(model, X)))
        assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_sensitivity_to_a_category_is_that_of_exchanging_it(table, trained):
    X, _ = table
    found = prediction_sensitivity(trained, X, sensitive_columns="job")
    each = [trained.predict_proba(X.assign(job=job))[:, 1] for job in X["job"].dropna().unique()]
    own = trained.predict_proba(X)[:, 1]
    assert np.allclose(found, np.abs(np.array(each) - own).max(axis=0))


def test_sensitivity_by_gradient_is_the_slope_in_numbers(table, trained):
    X, _ = table
    full = X.dropna()
    found = prediction_sensitivity(trained, full, sensitive_columns="age")
    p = [trained.predict_proba(full.assign(age=full["age"] + h))[:, 1] for h in (-1e-6, 1e-6)]
    slopes = np.abs(p[1] - p[0]) / 2e-6
    assert np.median(np.abs(found - slopes)) < 1e-3 * slopes.max()  # but at the edges of bins
    by_code = prediction_sensitivity(trained, X, sensitive_columns="sex", method="gradient")
    assert (by_code > 0).any()


def test_noise_in_sensitivity_spares_categories(table, trained):
    X, _ = table
    noise = {"n_samples": 2, "noise_scale": 0.1, "random_state": 0}
    for column, method in (("age", "gradient"), ("sex", "gradient"), ("sex", "flip")):
        found = prediction_sensitivity(trained, X, sensitive_columns=column, method=method, **noise)
        assert np.isfinite(found).all()


@pytest.mark.parametrize("method", ["gradient", "auto"])
def test_counterfactuals_exchange_categories_and_move_numbers(method, table, trained):
    X, _ = table
    found = counterfactuals(
        trained,
        X[:100],
        actionable=["age", "job"],
        method=method,
        reference=X,
        random_state=0,
    )
    assert found.valid.mean() > 0.9
    accepted = found.counterfactuals[found.valid]
    assert (trained.predict(accepted) == 1).all()
    changed = found.changed.mean()
    assert changed["age"] > 0.1
    assert changed["job"] > 0.1
    assert changed[["sex", "hours", "owner"]].sum() == 0
    assert set(accepted["job"].dropna()) <= {"clerk", "cook", "smith"}


def test_parity_score_is_about_the_linear_layers(table, trained):
    X, y = table
    rows = np.arange(60)
    score, scores = parity_score(
        trained, X.iloc[rows], y[rows], sensitive_features=X["sex"].iloc[rows], return_scores=True
    )
    layers = [part for part in trained.module_.modules() if isinstance(part, nn.Linear)]
    assert [part.shape for part in scores] == [tuple(layer.weight.shape) for layer in layers]
    assert score > 0
    # one weight, removed by hand
    weight = layers[-1].weight
    largest = np.unravel_index(scores[-1].argmax(), scores[-1].shape)
    sex = X["sex"].iloc[rows].to_numpy()
    network = network_of(trained)

    def losses():
        with torch.no_grad():
            rows_ = network.tensor(rows_seen(trained, X.iloc[rows]))
            log_p = torch.log_softmax(network.module(rows_), 1)
        own = -log_p[torch.arange(60), torch.tensor(y[rows].to_numpy())].numpy()
        return np.array([own[sex == "F"].mean(), own[sex == "M"].mean()])

    before = losses()
    with torch.no_grad():
        kept = weight[largest].clone()
        weight[largest] = 0
        costs = (losses() - before) ** 2
        weight[largest] = kept
    assert np.isclose(abs(costs[0] - costs[1]), scores[-1][largest], rtol=1e-2)
    similarity = decision_rationale_similarity(trained, X, y, sensitive_features=X["sex"])
    assert 0 < similarity < len(layers)


def test_smoothing_adds_noise_to_numbers(table):
    X, y = table
    X = X.assign(score=np.linspace(0, 1, len(X)))
    network = NetworkClassifier(**QUICK)
    model = SmoothedClassifier(network, n_samples=50, numeric_columns=["score"], random_state=0)
    shares = model.fit(X, y).predict_proba(X)
    assert np.allclose(shares.sum(axis=1), 1)
    everything = SmoothedClassifier(network, n_samples=50, random_state=0).fit(X, y)
    assert list(everything.metric_.weights.index) == ["age", "hours", "score"]
    shares = everything.predict_proba(X)
    assert np.allclose(shares.sum(axis=1), 1)
    fitted = NetworkClassifier(module="mlp", **QUICK).fit(X[["score"]], y)
    with pytest.raises(ValueError, match=r"'age', 'hours'.*numeric_columns"):
        SmoothedClassifier(fitted).fit(X, y)
    coded = NetworkClassifier(categorical_features=["job", "sex", "code"], **QUICK)
    X = X[["score", "job", "sex"]].assign(code=np.arange(len(X)) % 3)
    with pytest.raises(ValueError, match="column 'code' of X receives noise.*category"):
        SmoothedClassifier(coded).fit(X, y)
    SmoothedClassifier(coded, numeric_columns=["score"], n_samples=50).fit(X, y)


def test_individual_fairness_is_about_numbers_that_are_never_missing(table, trained):
    X, _ = table
    with pytest.raises(ValueError, match=r"'age', 'hours'.*WeightedMetric of other columns"):
        individual_fairness_violation(trained, X)
    metric = WeightedMetric("l2", [1.0], columns=[4])
    found = individual_fairness_violation(trained, X, metric=metric, n_pairs=20, random_state=0)
    assert found.largest > 0


def test_no_warning_of_ours_on_an_ordinary_frame(table):
    X, y = table
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FaiRNClassifier(max_epochs=10, lr=0.01, random_state=0).fit(
            X, y, sensitive_features=X["sex"]
        )


def test_frames_of_other_index_and_repeated_names(table):
    X, y = table
    model = NetworkClassifier(**QUICK).fit(X, y)
    other = X.set_index(pd.Index(np.arange(len(X)) * 7 + 3))
    assert np.array_equal(model.predict_proba(other), model.predict_proba(X))
    twice = pd.concat([X, X[["job"]]], axis=1)
    with pytest.raises(ValueError, match="'job' 2 times"):
        NetworkClassifier(**QUICK).fit(twice, y)
