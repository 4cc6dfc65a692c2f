"""StackedSearchCV(holdout=...): rows that take no part, and the scores on them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfair import FaiRNClassifier
from skfair.metrics import neg_recourse_gap_scorer
from skfair.model_selection import StackedSearchCV, best_under_constraint, holdout_scores

SMALL = {"hidden_layer_sizes": (5,), "max_epochs": 4, "batch_size": 32, "random_state": 0}
SCORING = {"accuracy": "accuracy", "neg_recourse_gap": neg_recourse_gap_scorer}
RULE = best_under_constraint("accuracy", "neg_recourse_gap", threshold=5)


@pytest.fixture
def rows(biased):
    return dict(zip(("X", "y", "sensitive_features"), (a[:300] for a in biased), strict=True))


def at(positions, rows):
    return {name: values[positions] for name, values in rows.items()}


def search(**kwargs):
    return StackedSearchCV(FaiRNClassifier(**SMALL), {"lambda_fairness": [0, 0.5]}, cv=2, **kwargs)


def test_held_out_rows_take_part_in_the_last_scores_alone(rows):
    with sklearn.config_context(enable_metadata_routing=True):
        found = search(scoring=SCORING, refit=RULE, holdout=0.3).fit(**rows)
        held_out = found.holdout_rows_
        rest = np.setdiff1d(np.arange(300), held_out)
        by_hand = search(scoring=SCORING, refit=RULE).fit(**at(rest, rows))
    assert len(held_out) == 90
    for name in ("mean_test_accuracy", "mean_test_neg_recourse_gap"):
        np.testing.assert_array_equal(found.cv_results_[name], by_hand.cv_results_[name])
    X = rows["X"]
    np.testing.assert_array_equal(found.predict_proba(X), by_hand.predict_proba(X))
    expected = holdout_scores(by_hand, **at(held_out, rows))
    pd.testing.assert_frame_equal(found.holdout_scores_, expected)


def test_a_share_has_labels_and_groups_alike(rows):
    y, group = rows["y"], rows["sensitive_features"]
    held_out = search(holdout=0.25, random_state=0).fit(**rows).holdout_rows_
    for label in (0, 1):
        for name in ("a", "b"):
            cell = (y == label) & (group == name)
            assert abs(cell[held_out].sum() - cell.sum() / 4) < 1


def test_a_share_is_that_of_the_seed(rows):
    first, same, other = (
        search(holdout=0.25, random_state=seed).fit(**rows).holdout_rows_ for seed in (0, 0, 1)
    )
    assert first.tolist() == same.tolist() != other.tolist()


def test_rows_may_be_listed_or_masked(rows):
    mask = np.arange(300) % 3 == 0
    for holdout in (mask, np.flatnonzero(mask), np.flatnonzero(mask).tolist()):
        found = search(holdout=holdout).fit(**rows)
        assert found.holdout_rows_.tolist() == np.flatnonzero(mask).tolist()


def test_a_splitter_keeps_the_same_people_together(biased):
    X, y, _ = biased
    people = np.arange(600) // 4
    found = StackedSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()),
        {"logisticregression__C": [0.1, 1]},
        cv=GroupShuffleSplit(2, random_state=0),
        holdout=GroupShuffleSplit(1, test_size=0.2, random_state=0),
    )
    with pytest.warns(UserWarning, match="LogisticRegression is no network"):
        found = found.fit(X, y, groups=people)
    held_out = people[found.holdout_rows_]
    assert len(held_out) == 120
    assert not set(held_out) & set(np.delete(people, found.holdout_rows_))
    assert found.holdout_scores_.index.tolist() == ["score"]


def test_tables_keep_their_columns(biased_frame):
    X, y = biased_frame
    model = FaiRNClassifier(**SMALL, sensitive_columns="sex", drop_sensitive_columns=True)
    found = StackedSearchCV(model, {"lr": [0.01]}, cv=2, holdout=0.3).fit(X, y)
    assert found.best_estimator_.feature_names_in_.tolist() == X.columns.tolist()
    part = X.iloc[found.holdout_rows_], y.iloc[found.holdout_rows_]
    assert found.holdout_scores_.loc["score", "holdout"] == found.score(*part)


def test_a_later_search_without_held_out_rows_has_no_scores_of_them(rows):
    found = search(holdout=0.3).fit(**rows)
    assert not hasattr(found.set_params(holdout=None).fit(**rows), "holdout_scores_")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"holdout": 0.3, "refit": False}, "refit is False"),
        ({"holdout": 1.5}, "The 'holdout' parameter"),
        ({"holdout": [300]}, "positions among the 300 rows"),
        ({"holdout": [0.5]}, "positions among the 300 rows"),
        ({"holdout": [True, False]}, "positions among the 300 rows"),
        ({"holdout": np.arange(300)}, "rows on both sides"),
        ({"holdout": np.zeros(300, dtype=bool)}, "rows on both sides"),
    ],
)
def test_what_cannot_be_held_out_is_an_error(rows, params, message):
    with pytest.raises(ValueError, match=message):
        search(**params).fit(**rows)
