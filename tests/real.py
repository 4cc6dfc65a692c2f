"""Real data sets as arrays, and what is measured on them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, false_positive_rate, true_positive_rate
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfair.datasets import fetch_adult, fetch_german_credit
from skfair.metrics import fairness_index


class Part(NamedTuple):
    """Rows of a data set; 1 is the favorable label."""

    X: np.ndarray
    y: np.ndarray
    sensitive: Any


def adult(sensitive: Any = "sex") -> tuple[Part, Part]:
    """Training and test part of Adult, as the source divides it."""
    data = fetch_adult()
    y = (data.target == ">50K").to_numpy(int)
    is_train = (data.split == "train").to_numpy()
    return _parts(data.data, y, data.sensitive_features[sensitive].astype(str), is_train)


def german(seed: int) -> tuple[Part, Part]:
    """German credit, 800 and 200 rows; the groups are the ages up to and over 25."""
    data = fetch_german_credit()
    y = (data.target == "good").to_numpy(int)
    rows = np.arange(len(y))
    train, _ = train_test_split(rows, test_size=200, stratify=y, random_state=seed)
    groups = data.sensitive_features["age_group"].astype(str)
    return _parts(data.data, y, groups, np.isin(rows, train))


def _parts(X: pd.DataFrame, y: np.ndarray, groups: Any, is_train: np.ndarray) -> tuple[Part, Part]:
    encoder = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include="number")),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_exclude="number"),
        ),
    ).fit(X[is_train])
    train, test = (
        Part(encoder.transform(X[rows]).astype(np.float32), y[rows], groups[rows])
        for rows in (is_train, ~is_train)
    )
    return train, test


def measures(test: Part, model: Any) -> dict[str, float]:
    """Accuracy, gaps of error rates and FaiR-N's index on the test part."""
    y_pred, decision = model.predict(test.X), model.decision_function(test.X)
    rates = MetricFrame(
        metrics={"|dTPR|": true_positive_rate, "|dFPR|": false_positive_rate},
        y_true=test.y,
        y_pred=y_pred,
        sensitive_features=test.sensitive,
    )
    return {
        "accuracy": accuracy_score(test.y, y_pred),
        "I_fair": fairness_index(decision, sensitive_features=test.sensitive),
        "is_constant": len(np.unique(y_pred)) == 1,
    } | rates.difference().to_dict()
