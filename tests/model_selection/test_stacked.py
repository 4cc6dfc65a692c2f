"""StackedSearchCV finds what GridSearchCV finds."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.stats import loguniform, uniform
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    PredefinedSplit,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from skfair import (
    FaiRNClassifier,
    LabelFlipClassifier,
    NetworkClassifier,
    PenaltyClassifier,
)
from skfair.metrics import make_fairness_scorer
from skfair.model_selection import StackedSearchCV, best_under_constraint
from skfair.model_selection._together import Call, tasks_of

# few rows and epochs are enough to compare
pytestmark = [
    pytest.mark.filterwarnings("ignore:sensitive_features. 0 holds"),
    pytest.mark.filterwarnings("ignore:The fitted"),
]

SMALL = {"hidden_layer_sizes": (5,), "max_epochs": 4, "batch_size": 32, "dtype": "float64"}
SMALL |= {"random_state": 0, "lr": 0.01}
GRID = {"lambda_fairness": [0, 0.5, 2.0], "lambda_robustness": [0, 0.1]}


@pytest.fixture
def rows(biased):
    X, y, group = biased
    return {"X": X[:200], "y": y[:200], "sensitive_features": group[:200]}


def both(estimator, grid, rows, **kwargs):
    return [K(estimator, grid, **kwargs).fit(**rows) for K in (StackedSearchCV, GridSearchCV)]


def assert_same_results(stacked, grid):
    ours, theirs = stacked.cv_results_, grid.cv_results_
    assert list(ours) == list(theirs)
    for name, values in theirs.items():
        if name == "params":
            assert ours[name] == values
            continue
        assert (ours[name].dtype, ours[name].shape) == (values.dtype, values.shape), name
        if name.startswith("param_"):
            assert ours[name].tolist() == values.tolist()
        elif "_time" not in name:
            np.testing.assert_allclose(ours[name], values, atol=1e-8, err_msg=name)
    assert (stacked.n_splits_, stacked.multimetric_) == (grid.n_splits_, grid.multimetric_)
    for name in ("best_index_", "best_params_"):
        assert getattr(stacked, name, None) == getattr(grid, name, None)
    assert hasattr(stacked, "best_estimator_") == hasattr(grid, "best_estimator_")


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_results_are_those_of_a_grid_search(rows, n_jobs):
    with joblib.parallel_config("multiprocessing"):  # new processes take seconds to import torch
        stacked, grid = both(
            FaiRNClassifier(**SMALL), GRID, rows, cv=3, n_jobs=n_jobs, return_train_score=True
        )
    assert_same_results(stacked, grid)
    np.testing.assert_array_equal(stacked.predict(rows["X"]), grid.predict(rows["X"]))
    assert stacked.score(rows["X"], rows["y"]) == grid.score(rows["X"], rows["y"])


def test_several_scorers_and_rules_for_choosing_are_those_of_a_grid_search(rows):
    scoring = {
        "accuracy": "accuracy",
        "neg_recourse_gap": make_fairness_scorer("recourse_gap", sensitive_columns=0),
    }
    X = np.c_[(rows["sensitive_features"] == "a").astype(float), rows["X"]]
    rule = best_under_constraint("accuracy", "neg_recourse_gap", threshold=-0.5)
    kwargs = {"cv": 2, "scoring": scoring, "refit": rule}
    found = both(FaiRNClassifier(**SMALL), GRID, rows | {"X": X}, **kwargs)
    assert_same_results(*found)
    assert not hasattr(found[0], "best_score_")


def test_metadata_are_routed(rows):
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_fairness_scorer("recourse_gap").set_score_request(sample_weight=False)
        weights = np.random.RandomState(0).rand(200)
        estimator = FaiRNClassifier(**SMALL).set_fit_request(sample_weight=True)
        groups = np.arange(200) % 7
        kwargs = {"scoring": scorer, "cv": GroupKFold(2)}
        found = both(estimator, GRID, rows | {"sample_weight": weights, "groups": groups}, **kwargs)
        assert_same_results(*found)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = make_pipeline(scaler, estimator)
        grid = {f"fairnclassifier__{name}": values for name, values in GRID.items()}
        found = both(pipe, grid, rows | {"sample_weight": weights, "groups": groups}, **kwargs)
        assert_same_results(*found)


class CountingScaler(StandardScaler):
    fits = 0

    def fit(self, X, y=None, sample_weight=None):
        type(self).fits += 1
        return super().fit(X, y, sample_weight)


def test_steps_before_the_network_are_fitted_once_for_each_fold(rows):
    pipe = make_pipeline(CountingScaler(), FaiRNClassifier(sensitive_columns=0, **SMALL))
    del rows["sensitive_features"]
    rows["X"] = np.c_[rows["X"][:, :1] > 0, rows["X"]]
    grid = {"fairnclassifier__lambda_fairness": [0, 1, 2]}
    CountingScaler.fits = 0
    stacked = StackedSearchCV(pipe, grid, cv=3, refit=False).fit(**rows)
    assert CountingScaler.fits == 3
    assert_same_results(stacked, GridSearchCV(pipe, grid, cv=3, refit=False).fit(**rows))
    grid["countingscaler__with_mean"] = [True, False]
    CountingScaler.fits = 0
    stacked = StackedSearchCV(pipe, grid, cv=3, refit=False).fit(**rows)
    assert CountingScaler.fits == 6
    assert_same_results(stacked, GridSearchCV(pipe, grid, cv=3, refit=False).fit(**rows))


def test_whole_steps_may_be_candidates(rows):
    pipe = make_pipeline(StandardScaler(), NetworkClassifier(**SMALL))
    grid = [
        {"standardscaler": [StandardScaler(), PolynomialFeatures(2)]},
        {"networkclassifier": [NetworkClassifier(**SMALL), PenaltyClassifier(alpha=0, **SMALL)]},
        {"standardscaler": ["passthrough"], "networkclassifier__lr": [0.1]},
    ]
    del rows["sensitive_features"]
    assert_same_results(*both(pipe, grid, rows, cv=2))


def test_data_frames_keep_their_names(biased_frame):
    frame, y = biased_frame
    estimator = FaiRNClassifier(sensitive_columns="sex", drop_sensitive_columns=True, **SMALL)
    found = both(estimator, GRID, {"X": frame, "y": y}, cv=2, scoring="balanced_accuracy")
    assert_same_results(*found)
    assert found[0].feature_names_in_.tolist() == frame.columns.tolist()
    assert found[0].classes_.tolist() == ["no", "yes"]


def test_repeats_are_the_folds_with_other_seeds(rows):
    cv = StratifiedKFold(2)
    search = StackedSearchCV(
        FaiRNClassifier(**SMALL), GRID, cv=cv, n_repeats=3, random_state=4, refit=False
    ).fit(**rows)
    assert search.n_splits_ == 6
    for repeat, seed in enumerate(np.random.RandomState(4).randint(2**31 - 1, size=3)):
        grid = GridSearchCV(
            FaiRNClassifier(**SMALL | {"random_state": int(seed)}), GRID, cv=cv, refit=False
        ).fit(**rows)
        for fold in range(2):
            name = f"split{2 * repeat + fold}_test_score"
            expected = grid.cv_results_[f"split{fold}_test_score"]
            np.testing.assert_allclose(search.cv_results_[name], expected)
    splits = np.array([search.cv_results_[f"split{i}_test_score"] for i in range(6)])
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], splits.mean(0))
    np.testing.assert_allclose(search.cv_results_["std_test_score"], splits.std(0))
    assert splits.std(0).max() > 0
    assert search.cv_results_["params"][0] == {"lambda_fairness": 0, "lambda_robustness": 0}


def test_repeats_without_a_seed_of_their_own_follow_the_estimators(rows):
    first, again, other = (
        StackedSearchCV(
            FaiRNClassifier(**SMALL | {"random_state": seed}), GRID, cv=2, n_repeats=2, refit=False
        )
        .fit(**rows)
        .cv_results_["mean_test_score"]
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_repeats_need_a_seed_that_no_candidate_sets(rows):
    search = StackedSearchCV(FaiRNClassifier(**SMALL), {"random_state": [0, 1]}, n_repeats=2)
    with pytest.raises(ValueError, match="must not contain 'random_state'"):
        search.fit(**rows)
    del rows["sensitive_features"]
    search = StackedSearchCV(make_pipeline(StandardScaler()), {}, n_repeats=2, scoring=len)
    with pytest.raises(ValueError, match="no parameter 'standardscaler__random_state'"):
        search.fit(**rows)


@pytest.mark.parametrize("max_stack", [1, 2, 5])
def test_results_do_not_depend_on_the_size_of_stacks(rows, max_stack):
    kwargs = {"cv": 3, "n_repeats": 2, "refit": False}
    whole = StackedSearchCV(FaiRNClassifier(**SMALL), GRID, **kwargs).fit(**rows)
    parts = StackedSearchCV(FaiRNClassifier(**SMALL), GRID, max_stack=max_stack, **kwargs)
    assert_same_results(parts.fit(**rows), whole)


def test_a_diverging_candidate_gets_the_error_score_and_a_warning_with_its_name(rows):
    grid = {"lr": [0.001, 1e3], "optimizer": ["sgd"]}
    rows["X"] = rows["X"] * 100
    estimator = FaiRNClassifier(activation="identity", **SMALL | {"dtype": "float32"})
    search = StackedSearchCV(estimator, grid, cv=2, error_score=-1.0)
    with pytest.warns(FitFailedWarning, match=r"(?s)loss became.*'lr': 1000.0"):
        search.fit(**rows)
    assert search.cv_results_["mean_test_score"][1] == -1
    alone = GridSearchCV(estimator, {"lr": [0.001], "optimizer": ["sgd"]}, cv=2).fit(**rows)
    expected = alone.cv_results_["mean_test_score"][0]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"][0], expected)
    with pytest.raises(ValueError, match="loss became"):
        clone(search).set_params(error_score="raise").fit(**rows)


def test_an_invalid_candidate_fails_by_itself(rows):
    with pytest.warns(FitFailedWarning, match=r"(?s)lambda_fairness.*must be a float"):
        search = StackedSearchCV(
            FaiRNClassifier(**SMALL), {"lambda_fairness": [0.5, -1]}, cv=2
        ).fit(**rows)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]


def test_what_cannot_be_stacked_is_fitted_as_usual_and_one_warning_says_why(rows):
    del rows["sensitive_features"]
    pipe = make_pipeline(StandardScaler(), NetworkClassifier(**SMALL))
    grid = {
        "networkclassifier": [
            NetworkClassifier(**SMALL),
            LogisticRegression(),
            NetworkClassifier(monitor="accuracy", **SMALL),
            NetworkClassifier(net_params={"iterator_train__shuffle": False}, **SMALL),
            NetworkClassifier(optimizer="lbfgs", **SMALL),
        ]
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stacked = StackedSearchCV(pipe, grid, cv=2).fit(**rows)
    messages = [str(w.message) for w in caught if "one by one" in str(w.message)]
    assert len(messages) == 1
    for part in ("8 of 10", "LogisticRegression", "monitor='accuracy'", "iterator", "lbfgs"):
        assert part in messages[0]
    assert_same_results(stacked, GridSearchCV(pipe, grid, cv=2).fit(**rows))


def product_with_group(logits, y, groups, weights):
    centered = groups - groups.double().mean()
    return (logits.softmax(-1)[:, 1] * centered).mean().abs()


def test_penalties_of_the_user_are_stacked_if_they_can_be(rows):
    grid = {"alpha": [0.1, 1.0]}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*one by one")
        found = both(PenaltyClassifier(penalty=product_with_group, **SMALL), grid, rows, cv=2)
    assert_same_results(*found)
    with pytest.warns(UserWarning, match="4 of 4 .*many networks at once") as caught:
        found = both(PenaltyClassifier(penalty=branching, **SMALL), grid, rows, cv=2)
    assert sum("one by one" in str(w.message) for w in caught) == 1
    assert_same_results(*found)


def branching(logits, y, groups, weights):
    value = product_with_group(logits, y, groups, weights)
    return value if value > 0.01 else 0 * value


@pytest.mark.parametrize("mode", ["epoch", "once"])
def test_flipped_labels_are_stacked(rows, mode):
    grid = {"flip_fraction": [0.0, 0.2, 0.4], "lr": [0.01, 0.02]}
    estimator = LabelFlipClassifier(mode=mode, **SMALL)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*one by one")
        stacked, grid = both(estimator, grid, rows, cv=2, scoring="neg_log_loss")
    assert_same_results(stacked, grid)
    assert stacked.best_estimator_.flip_group_ == grid.best_estimator_.flip_group_


def test_the_group_to_flip_is_sought_once_for_each_fold(rows, monkeypatch):
    sought = []
    best_served = LabelFlipClassifier._best_served

    def counted(self, *args):
        sought.append(1)
        return best_served(self, *args)

    monkeypatch.setattr(LabelFlipClassifier, "_best_served", counted)
    search = StackedSearchCV(
        LabelFlipClassifier(**SMALL), {"flip_fraction": [0.1, 0.2, 0.4]}, cv=2, refit=False
    )
    search.fit(**rows)
    assert len(sought) == 2


def test_labels_of_any_classifier_are_flipped_as_usual(rows):
    estimator = LabelFlipClassifier(estimator=LogisticRegression(), random_state=0)
    with pytest.warns(UserWarning, match="4 of 4 .*LabelFlipClassifier"):
        found = both(estimator, {"flip_fraction": [0.1, 0.4]}, rows, cv=2)
    assert_same_results(*found)


def test_foreign_estimators_are_searched_as_usual(rows):
    del rows["sensitive_features"]
    with pytest.warns(UserWarning, match="6 of 6 .*LogisticRegression"):
        found = both(LogisticRegression(), {"C": [0.1, 1, 10]}, rows, cv=2)
    assert_same_results(*found)


def test_candidates_may_be_drawn_as_in_a_randomized_search(rows):
    distributions = {"lambda_fairness": uniform(0, 2), "lambda_robustness": [0, 0.1]}
    model = FaiRNClassifier(**SMALL)
    ours = StackedSearchCV(model, distributions, n_iter=5, cv=2).fit(**rows)
    theirs = RandomizedSearchCV(model, distributions, n_iter=5, cv=2, random_state=0).fit(**rows)
    assert_same_results(ours, theirs)


def test_drawn_candidates_follow_the_seed_of_the_search(rows):
    search = StackedSearchCV(
        FaiRNClassifier(**SMALL), {"lr": loguniform(1e-3, 1e-1)}, n_iter=3, cv=2, refit=False
    )
    first, same, other = (
        clone(search).set_params(random_state=seed).fit(**rows).cv_results_["params"]
        for seed in (1, 1, 2)
    )
    assert first == same != other
    with pytest.raises(ValueError, match="must not contain 'random_state'"):
        search.set_params(param_grid={"random_state": [0, 1]}, random_state=0, n_iter=2).fit(**rows)


def test_one_split_is_enough(rows):
    fold = np.where(np.arange(200) < 120, -1, 0)
    assert_same_results(*both(FaiRNClassifier(**SMALL), GRID, rows, cv=PredefinedSplit(fold)))


def test_searches_can_be_nested_cloned_and_pickled(rows):
    search = StackedSearchCV(FaiRNClassifier(**SMALL), GRID, cv=2)
    X, y = rows.pop("X"), rows.pop("y")
    ours, theirs = (
        cross_validate(s, X, y, cv=2, params=rows)["test_score"]
        for s in (search, GridSearchCV(FaiRNClassifier(**SMALL), GRID, cv=2))
    )
    np.testing.assert_allclose(ours, theirs)
    search = clone(search).fit(X, y, **rows)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    assert clone(search).get_params().keys() == search.get_params().keys()


@pytest.mark.slow
def test_sklearns_checks_find_nothing():
    network = FaiRNClassifier(max_epochs=10, lr=0.02, hidden_layer_sizes=(32,), random_state=0)
    search = StackedSearchCV(network, {"lambda_robustness": [0, 0.1]}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(search, on_fail=None, on_skip=None)
    assert not [r["check_name"] for r in results if r["status"] == "failed"]


def test_the_device_is_set_for_the_search_alone(rows):
    network = FaiRNClassifier(**SMALL)
    search = StackedSearchCV(network, GRID, cv=2, device="cpu").fit(**rows)
    assert search.cv_results_["params"][0] == {"lambda_fairness": 0, "lambda_robustness": 0}
    with pytest.raises(ValueError, match="device='tpu'"):
        StackedSearchCV(network, GRID, device="tpu").fit(**rows)


# -- tasks -----------------------------------------------------------------------------------------


def calls(n_candidates, n_splits):
    pairs = [(c, s) for c in range(n_candidates) for s in range(n_splits)]
    return [
        Call(i, (), {"parameters": {"alpha": float(c)}}, split)
        for i, (c, split) in enumerate(pairs)
    ]


@pytest.mark.parametrize("n_candidates", [1, 3, 40, 121, 300])
@pytest.mark.parametrize("n_splits", [1, 3, 10])
@pytest.mark.parametrize("n_jobs", [1, 2, 7])
def test_tasks_hold_every_call_once_and_no_more_than_allowed(n_candidates, n_splits, n_jobs):
    made = calls(n_candidates, n_splits)
    tasks = tasks_of(made, 128, n_jobs)
    assert sorted(call.position for task in tasks for call in task) == list(range(len(made)))
    assert max(map(len, tasks)) <= 128
    assert len(tasks) >= min(n_jobs, n_splits)


def test_candidates_of_the_same_architecture_come_together():
    grid = [{"hidden": h, "alpha": a} for a in (0.1, 0.2, 0.3) for h in ((4,), (8,))]
    made = [Call(i, (), {"parameters": p}, 0) for i, p in enumerate(grid)]
    tasks = tasks_of(made, 3, 1)
    assert [{call.parameters["hidden"] for call in task} for task in tasks] == [{(4,)}, {(8,)}]


def test_results_are_a_table(rows):
    search = StackedSearchCV(FaiRNClassifier(**SMALL), GRID, cv=2, refit=False).fit(**rows)
    table = pd.DataFrame(search.cv_results_)
    assert len(table) == 6
    assert (table["mean_fit_time"] > 0).all()


@pytest.mark.slow
def test_in_float32_scores_agree_over_seeds(biased):
    """Rounding grows over the steps: single weights differ, scores do not on average."""
    X, y, group = biased
    params = {"hidden_layer_sizes": (16,), "batch_size": 32, "max_epochs": 20}
    rows = {"X": X, "y": y, "sensitive_features": group}
    fold = PredefinedSplit(np.where(np.arange(600) < 300, -1, 0))
    search = StackedSearchCV(
        FaiRNClassifier(**params), {}, cv=fold, n_repeats=20, random_state=0, refit=False
    ).fit(**rows)
    ours = [search.cv_results_[f"split{i}_test_score"][0] for i in range(20)]
    theirs = [
        FaiRNClassifier(random_state=int(seed), **params)
        .fit(X[:300], y[:300], sensitive_features=group[:300])
        .score(X[300:], y[300:])
        for seed in np.random.RandomState(0).randint(2**31 - 1, size=20)
    ]
    differences = np.subtract(ours, theirs)
    assert abs(differences.mean()) <= np.std(theirs, ddof=1) / 20**0.5


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_candidates():
    """200 candidates take no more than 40, but for the results."""
    code = """
import resource, sys, warnings
import numpy as np
from skfair import NetworkClassifier
from skfair.datasets import make_biased_classification
from skfair.model_selection import StackedSearchCV
warnings.simplefilter("ignore")
X, y, group = make_biased_classification(200, random_state=0)
network = NetworkClassifier(max_epochs=1, batch_size=100, random_state=0)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
used = []
for n in (40, 200):
    grid = {"lr": np.geomspace(1e-4, 1e-2, n)}
    StackedSearchCV(network, grid, cv=2, refit=False).fit(X, y)
    used.append(peak())
print(used[1] - used[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert float(done.stdout) < 30  # MB; 160 fitted networks take 70
