"""scikit-learn's other searches take the estimators and the scorers as they are."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from scipy.stats import loguniform
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfair import FaiRNClassifier
from skfair.metrics import neg_recourse_gap_scorer
from skfair.model_selection import constrained_monitor, pareto_front

NAME = "fairnclassifier__lambda_fairness"
EPOCHS = "fairnclassifier__max_epochs"
SPLITS = StratifiedKFold(2)
# one score for both aims, where a search takes one: the fairest of those accurate enough
RULE = constrained_monitor("accuracy", 0.55, neg_recourse_gap_scorer)


@pytest.fixture(scope="module")
def pipeline():
    return make_pipeline(StandardScaler(), FaiRNClassifier(max_epochs=3, random_state=0))


@pytest.fixture(autouse=True)
def _routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_a_randomized_search_scores_what_a_grid_of_the_same_candidates_does(pipeline, biased):
    X, y, group = biased
    scoring = {"accuracy": "accuracy", "neg_recourse_gap": neg_recourse_gap_scorer}
    settings = {"scoring": scoring, "refit": False, "cv": SPLITS}
    search = RandomizedSearchCV(
        pipeline, {NAME: loguniform(0.01, 1)}, n_iter=4, random_state=0, **settings
    ).fit(X, y, sensitive_features=group)
    found = search.cv_results_
    grid = [{NAME: [candidate[NAME]]} for candidate in found["params"]]
    again = GridSearchCV(pipeline, grid, **settings).fit(X, y, sensitive_features=group)
    for name in scoring:
        np.testing.assert_array_equal(
            found[f"mean_test_{name}"], again.cv_results_[f"mean_test_{name}"]
        )
    assert len(pareto_front(found, list(scoring))) >= 1


def test_halving_by_epochs_scores_what_a_grid_does(pipeline, biased):
    X, y, group = biased
    search = HalvingGridSearchCV(
        pipeline,
        {NAME: [0.01, 0.1, 0.5]},
        resource=EPOCHS,
        min_resources=1,
        max_resources=3,
        factor=3,
        scoring=RULE,
        cv=SPLITS,
        random_state=0,
    ).fit(X, y, sensitive_features=group)
    found = search.cv_results_
    assert search.n_resources_ == [1, 3]
    assert found["n_resources"].tolist() == [1, 1, 1, 3]
    grid = [{key: [value] for key, value in candidate.items()} for candidate in found["params"]]
    again = GridSearchCV(pipeline, grid, scoring=RULE, refit=False, cv=SPLITS)
    again.fit(X, y, sensitive_features=group)
    np.testing.assert_array_equal(found["mean_test_score"], again.cv_results_["mean_test_score"])
    last = found["params"][-1]
    first = np.argmax(found["mean_test_score"][:3])  # the best of the first round goes on
    assert last[NAME] == found["params"][first][NAME]


def test_halving_by_rows_takes_the_groups_of_its_rows(pipeline, biased):
    X, y, group = biased
    seen = []

    class Scorer(type(RULE)):
        def __call__(self, estimator, X, y, sensitive_features=None):
            seen.append((X, sensitive_features))
            return super().__call__(estimator, X, y, sensitive_features)

    scorer = Scorer(RULE.metric, RULE.floor, RULE.fairness)
    search = HalvingRandomSearchCV(
        pipeline,
        {NAME: loguniform(0.01, 1)},
        n_candidates=3,
        min_resources=200,
        factor=3,
        scoring=scorer,
        cv=SPLITS,
        random_state=0,
    ).fit(X, y, sensitive_features=group)
    assert search.n_resources_ == [200, 600]
    groups = {row.tobytes(): g for row, g in zip(X, group, strict=True)}
    assert len(seen) == 2 * (3 + 1) * 2  # folds, candidates of both rounds, scores of both parts
    for rows, of_rows in seen:
        assert [groups[row.tobytes()] for row in rows] == list(of_rows)
