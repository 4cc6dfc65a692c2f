"""The networks that the command trains: a plain one, and a method's with a few weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from .. import DRAlignClassifier, FaiRNClassifier, PenaltyClassifier
from .._columns import numeric_columns

NETWORKS = ("mlp", "tabular")
MAX_CATEGORIES = 30  # of a column that the perceptron sees; rarer ones are taken together
EPOCHS, MAX_EPOCH_STEPS = 30, 300  # of the perceptron


@dataclass(frozen=True)
class Method:
    """A way to train fair networks.

    Attributes
    ----------
    title : str
        Of such a network; ``{constraint}`` is filled in.
    kind : type
        The estimator.
    weight, symbol : str
        Its parameter that weighs the fairness term, and how it is called.
    weights : tuple of float
        Those that are tried.
    usual : float
        The one that is taken where there are too few people to choose.
    constraints : tuple of str
        What can be asked of it; the first is the default.
    term : str or None
        The parameter that takes the constraint.
    """

    title: str
    kind: type
    weight: str
    symbol: str
    weights: tuple[float, ...]
    usual: float
    constraints: tuple[str, ...]
    term: str | None = None

    def name(self, constraint: str, weight: float) -> str:
        """Name a network of this kind."""
        if not weight:
            return PLAIN_NAME
        title = self.title.format(constraint=constraint.replace("_", " "))
        return f"{title} ({self.symbol} {weight:g})"

    def parameters(self, constraint: str, weight: float) -> dict[str, Any]:
        """Return parameters of the estimator."""
        return {self.weight: weight} | ({} if self.term is None else {self.term: constraint})


METHODS = {
    "fairn": Method(
        "FaiR-N network",
        FaiRNClassifier,
        "lambda_fairness",
        "lambda",
        (0.02, 0.05, 0.1, 0.2, 0.5),
        0.5,
        ("recourse_gap", "demographic_parity", "equalized_odds", "equal_opportunity"),
    ),
    "penalty": Method(
        "network with a penalty on {constraint}",
        PenaltyClassifier,
        "alpha",
        "alpha",
        (0.1, 0.2, 0.5, 1.0, 2.0),
        1.0,
        ("equalized_odds", "equal_opportunity", "demographic_parity"),
        "penalty",
    ),
    "dralign": Method(
        "DRAlign network for {constraint}",
        DRAlignClassifier,
        "lambda_fairness",
        "lambda",
        (0.1, 0.4, 1.0, 3.0),
        0.4,
        ("demographic_parity", "equalized_odds", "equal_opportunity"),
        "criterion",
    ),
}
PLAIN_NAME = "plain network"


def column_kinds(X: pd.DataFrame, groups: Iterable[str] = ()) -> tuple[list[str], list[str]]:
    """Tell columns of numbers from those of categories, codes of groups among them."""
    numbers = [name for name in X.columns[numeric_columns(X)] if name not in set(groups)]
    return numbers, [name for name in X.columns if name not in numbers]


def training_parameters(module: str, n_rows: int) -> dict[str, Any]:
    """Return what a network is trained with; the tabular one has defaults of its own."""
    if module == "tabular":
        return {"module": module}
    return {"max_epochs": EPOCHS, "batch_size": batch_size(n_rows)}


def pipeline(X: pd.DataFrame, groups: Iterable[str], network: Any) -> Pipeline:
    """Make a pipeline from a raw table to decisions, which sees the columns of X alone."""
    numbers, words = column_kinds(X, groups)
    if network.module == "tabular":
        network.set_params(categorical_features=words)
        columns = ColumnTransformer(
            [("numbers", "passthrough", numbers), ("words", "passthrough", words)],
            verbose_feature_names_out=False,
        )
        return Pipeline([("columns", columns.set_output(transform="pandas")), ("network", network)])
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    one_hot = OneHotEncoder(
        max_categories=MAX_CATEGORIES,
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
        dtype=np.float32,
    )
    encode = ColumnTransformer(
        [("numbers", make_pipeline(fill, StandardScaler()), numbers), ("words", one_hot, words)]
    )
    return Pipeline([("encode", encode), ("network", network)])


def batch_size(n_rows: int) -> int:
    """Choose the rows of a batch, of which an epoch has at most ``MAX_EPOCH_STEPS``."""
    size = 256
    while n_rows > MAX_EPOCH_STEPS * size:
        size *= 2
    return size
