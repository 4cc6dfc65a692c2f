"""Folds hold every group."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_validate

from skfair import FaiRNClassifier
from skfair.metrics import make_fairness_scorer, neg_recourse_gap_scorer
from skfair.model_selection import StackedSearchCV, StratifiedSensitiveKFold

QUICK = {"max_epochs": 2, "hidden_layer_sizes": (4,), "random_state": 0}


@pytest.fixture(scope="module")
def people():
    """A small group, sorted to the end."""
    rng = np.random.default_rng(0)
    group = np.repeat(["a", "b"], [180, 20])
    return rng.normal(size=(200, 3)), rng.integers(0, 2, 200), group


def cells(y, group, rows):
    return pd.crosstab(y[rows], group[rows]).to_numpy()


@pytest.mark.parametrize("shuffle", [False, True])
def test_every_cell_is_divided_evenly(people, shuffle):
    X, y, group = people
    cv = StratifiedSensitiveKFold(5, shuffle=shuffle, random_state=0 if shuffle else None)
    folds = list(cv.split(X, y, sensitive_features=group))
    assert cv.get_n_splits() == len(folds) == 5
    assert np.array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(200))
    whole = cells(y, group, np.arange(200))
    for train, test in folds:
        assert np.intersect1d(train, test).size == 0
        assert (np.abs(cells(y, group, test) - whole / 5) < 1).all()
    for first, second in zip(folds, cv.split(X, y, groups=group), strict=True):
        assert np.array_equal(first[1], second[1])


def test_several_attributes_and_missing_values(people):
    X, y, group = people
    frame = pd.DataFrame({"sex": group, "old": np.arange(200) % 2})
    frame.loc[:9, "sex"] = None
    for _, test in StratifiedSensitiveKFold(5).split(X, y, sensitive_features=frame):
        assert len(frame.iloc[test].dropna().drop_duplicates()) == 4
        assert frame["sex"].iloc[test].isna().sum() == 2


def test_a_group_smaller_than_the_number_of_folds_is_named(people):
    X, y, group = people
    with pytest.warns(UserWarning, match="c has 3 rows in 5 folds: some of them are without it"):
        folds = list(
            StratifiedSensitiveKFold(5).split(
                X, y, sensitive_features=np.where(np.arange(200) < 3, "c", group)
            )
        )
    assert len(folds) == 5
    with pytest.raises(ValueError, match="needs sensitive_features: enable metadata routing"):
        next(StratifiedSensitiveKFold(5).split(X, y))
    with pytest.raises(ValueError, match="sensitive_features"):
        next(StratifiedSensitiveKFold(5).split(X, y, sensitive_features=group[:-1]))


@pytest.mark.filterwarnings("ignore")
def test_scores_are_numbers_where_plain_folds_have_none(people):
    X, y, group = people
    model = FaiRNClassifier(**QUICK)
    scores = {}
    with config_context(enable_metadata_routing=True):
        for cv in (KFold(5), StratifiedSensitiveKFold(5)):
            scores[type(cv).__name__] = cross_validate(
                model,
                X,
                y,
                cv=cv,
                scoring=neg_recourse_gap_scorer,
                params={"sensitive_features": group},
            )["test_score"]
    assert np.isnan(scores["KFold"]).any()
    assert np.isfinite(scores["StratifiedSensitiveKFold"]).all()


@pytest.mark.filterwarnings("ignore:The fitted")
@pytest.mark.filterwarnings("ignore:sensitive_features. 1 of 2 groups have fewer")
@pytest.mark.parametrize("search", [GridSearchCV, StackedSearchCV])
def test_searches_take_it_with_and_without_routing(people, search):
    X, y, group = people
    table = pd.DataFrame(X, columns=list("xyz")).assign(sex=group)
    hidden = {"sensitive_columns": "sex", "drop_sensitive_columns": True}
    grid, cv = {"lambda_fairness": [0.0, 0.5]}, StratifiedSensitiveKFold(3)
    scorer = make_fairness_scorer("recourse_gap", sensitive_columns="sex")
    by_column = search(FaiRNClassifier(**QUICK, **hidden), grid, cv=cv, scoring=scorer)
    by_column.fit(table, y, groups=group)
    with config_context(enable_metadata_routing=True):
        routed = search(FaiRNClassifier(**QUICK), grid, cv=cv, scoring=neg_recourse_gap_scorer)
        routed.fit(X, y, sensitive_features=group)
    found = [each.cv_results_["mean_test_score"] for each in (by_column, routed)]
    np.testing.assert_allclose(*found)
    assert clone(routed).cv.n_splits == 3


@pytest.mark.parametrize("several", [False, True])
def test_labels_may_be_a_table_and_several_a_row(several):
    rng = np.random.RandomState(0)
    group, y = rng.choice(list("ab"), 240), rng.randint(0, 2, 240)
    table = (
        pd.DataFrame({"y": y})
        if not several
        else pd.DataFrame({"y": y, "z": rng.randint(0, 2, 240)})
    )
    with warnings.catch_warnings(action="ignore"):  # a column vector, as elsewhere
        folds = list(StratifiedSensitiveKFold(3).split(group, table, sensitive_features=group))
    cells = table.assign(group=group)
    for _, test in folds:
        shares = cells.iloc[test].value_counts(normalize=True)
        expected = cells.value_counts(normalize=True)
        assert (shares - expected).abs().max() < 0.01


def test_a_search_hands_groups_to_what_holds_rows_out(people):
    X, y, group = people
    search = StackedSearchCV(
        FaiRNClassifier(max_epochs=1, random_state=0),
        {"lr": [1e-3]},
        cv=2,
        holdout=StratifiedSensitiveKFold(4),
    )
    with config_context(enable_metadata_routing=True):
        search.fit(X, y, sensitive_features=group)
    assert abs(len(search.holdout_rows_) - len(y) / 4) < 3
