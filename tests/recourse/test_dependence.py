"""Columns that are functions of others: an answer in which they do not follow says so."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfair.recourse import counterfactuals

AGES, GROUPS = [-np.inf, 25, 45, np.inf], ["young", "middle", "old"]
YEARS = {"none": 8, "school": 12, "master": 17}


def group_of(age):
    return pd.cut(age, AGES, labels=GROUPS)


@pytest.fixture
def people():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.integers(18, 80, 300), "income": rng.gamma(3.0, 900.0, 300)})
    X["group"] = group_of(X.age)
    X["degree"] = rng.choice(list(YEARS), 300)
    X["years"] = X.degree.map(YEARS)
    X["monthly"] = X.income / 12
    X["owner"] = rng.random(300) < 0.4
    merit = X.age / 10 + X.income / 500 + 2 * (X.group == "middle") + X.owner + X.years / 4
    return X, (merit > 14).to_numpy(int)


def fit(X, y):
    words = [name for name in X if name in ("group", "degree", "owner")]
    encode = make_column_transformer((OneHotEncoder(), words), remainder=StandardScaler())
    return make_pipeline(encode, LogisticRegression()).fit(X, y)


AGE = r"'group' of 'age'", lambda X: X.group.astype(str) == group_of(X.age).astype(str)
DEGREE = r"('degree' of 'years'|'years' of 'degree')", lambda X: X.degree.map(YEARS) == X.years
INCOME = r"'monthly' of 'income'", lambda X: np.isclose(X.income / 12, X.monthly)


@pytest.mark.parametrize(
    ("actionable", "says"),
    [
        ("age", AGE),
        ("group", AGE),
        ("degree", DEGREE),
        ("years", DEGREE),
        ("income", INCOME),
        ("monthly", INCOME),
    ],
)
def test_it_is_said_where_a_column_does_not_follow(actionable, says, people):
    (X, y), (said, holds) = people, says
    changing = {"actionable": [actionable], "random_state": 0}
    with pytest.warns(UserWarning, match=f"people who may not exist.*{said}") as caught:
        found = counterfactuals(fit(X, y), X, **changing)
    assert caught[0].filename == __file__
    assert not found.consistent.all()
    np.testing.assert_array_equal(found.consistent, holds(found.counterfactuals))


def test_a_dummy_and_an_array_are_seen_through(people):
    X, y = people
    coded = pd.get_dummies(X[["age", "group"]], dtype=float)
    model = LogisticRegression(max_iter=1000).fit(coded.to_numpy(), y)
    with pytest.warns(UserWarning, match="1, 2, 3 of 0"):
        found = counterfactuals(model, coded.to_numpy(), random_state=0)
    after = found.counterfactuals
    right = np.eye(3)[group_of(after[:, 0]).codes]
    known = found.valid & (np.abs(after[:, [0]] - AGES) >= 1).all(axis=1)  # not between two ages
    np.testing.assert_array_equal(found.consistent[known], (after[:, 1:] == right)[known].all(1))


def test_nothing_is_said_of_columns_that_are_nobodys_function(people):
    X, y = people
    free = X[["age", "income", "owner", "degree"]]
    twice = pd.concat([free, free])  # all are functions of an income that occurs twice
    with_exception = X[["age", "group"]].copy()
    with_exception.loc[X.index[X.age == 30][0], "group"] = "old"
    for table in (free, twice, with_exception, X[:4]):
        model = fit(X[table.columns], y)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = counterfactuals(model, table, random_state=0)
        assert found.consistent.all()
        assert len(found.consistent) == len(found.refused)


def test_who_is_no_such_case_already_is_not_counted(people):
    """A person whose entries do not fit each other may keep them."""
    X, y = people
    model = fit(X, y)
    odd = X[model.predict(X) == 0][:1].copy()
    odd["group"] = "old" if odd.group.iloc[0] != "old" else "young"
    found = counterfactuals(model, odd, actionable=["age"], reference=X, random_state=0)
    assert found.consistent.all()


def test_the_estimator_may_compute_the_column(people):
    X, y = people
    grouped = make_column_transformer((StandardScaler(), ["age", "income"]), remainder="drop")
    model = make_pipeline(grouped, LogisticRegression()).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = counterfactuals(model, X[["age", "income"]], random_state=0)
    assert found.valid.all()
    assert found.consistent.all()
