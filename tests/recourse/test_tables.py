"""Counterfactuals for the tables that people have: kinds of columns, containers, odd shapes."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skfair import FaiRNClassifier
from skfair.recourse import counterfactuals

NETWORK = {"max_epochs": 20, "lr": 0.01, "random_state": 0}


class TestOnlyCategories:
    @pytest.fixture(scope="class")
    def table(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame(
            {"job": rng.choice(list("abc"), 200), "home": rng.choice(["own", "rent"], 200)}
        )
        return X, ((X.job == "a") | ((X.home == "own") & (X.job == "b"))).astype(int)

    @pytest.mark.parametrize("distance", ["mad_l1", "l2"])
    @pytest.mark.parametrize(
        "classifier",
        [
            LogisticRegression(),
            FaiRNClassifier(**NETWORK),
            RandomForestClassifier(5, random_state=0),
        ],
        ids=lambda classifier: type(classifier).__name__,
    )
    def test_the_fewest_categories_change_that_have_to(self, classifier, distance, table):
        X, y = table
        encode = make_column_transformer((OneHotEncoder(sparse_output=False), ["job", "home"]))
        model = make_pipeline(encode, classifier).fit(X, y)
        every = pd.DataFrame(itertools.product("abc", ["own", "rent"]), columns=X.columns)
        good = every[model.predict(every) == 1]
        found = counterfactuals(model, X, distance=distance, random_state=0)
        refused = X.iloc[found.refused]
        fewest = np.array([(good != row).sum(axis=1).min() for row in refused.to_numpy()])
        assert found.valid.all() and len(found.valid)
        expected = fewest if distance == "mad_l1" else np.sqrt(2 * fewest)
        np.testing.assert_allclose(found.distance, expected)
