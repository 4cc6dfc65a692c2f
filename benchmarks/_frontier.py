"""Tasks of the frontier, what a method is, and thresholds for groups on top of any."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OrdinalEncoder

from skfair import FairThresholdClassifier

from ._common import Part, adult, compas, encode, german, meps, split
from .many_groups import ACS_NETWORK, SMALL_NETWORK
from .threshold import Scored

PARTS = ("train", "valid", "test")
VALID_SHARE = 0.25  # of the training part
MAX_CATEGORIES = 200  # of a column that trees may see as categories
ACS_ROWS = 60_000  # of each part

# -- tasks ----------------------------------------------------------------------------------------


@dataclass
class Task:
    """Rows to train on, to choose on and to report, of one division of a data set."""

    name: str
    parts: dict[str, Part]
    fixed_test: bool
    views: dict[str, dict[str, Part]] = field(default_factory=dict)
    categories: list[bool] = field(default_factory=list)
    encoding_seconds: float = 0.0  # so far, which no method answers for

    @property
    def groups(self) -> list[str]:
        """Names of the groups."""
        return sorted(set(self.parts["train"].sensitive))

    def view(self, kind: str) -> dict[str, Part]:
        """Parts as numbers, "linear" (standardized and one-hot) or for "trees", or as they are."""
        if kind == "raw":
            return self.parts
        if kind not in self.views:
            start = time.process_time()
            rows = [self.parts[name] for name in PARTS]
            make = encode if kind == "linear" else self._for_trees
            self.views[kind] = dict(zip(PARTS, make(*rows), strict=True))
            self.encoding_seconds += time.process_time() - start
        return self.views[kind]

    def _for_trees(self, *parts: Part) -> tuple[Part, ...]:
        X = parts[0].X
        words = [c for c in X.columns if not pd.api.types.is_numeric_dtype(X[c])]
        coder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
        coder.fit(X[words])
        self.categories = [c in words and X[c].nunique() <= MAX_CATEGORIES for c in X.columns]
        return tuple(
            part._replace(X=part.X.assign(**_columns(coder, part.X[words])).to_numpy(np.float64))
            for part in parts
        )


def _columns(coder: OrdinalEncoder, X: pd.DataFrame) -> dict[str, np.ndarray]:
    return dict(zip(X.columns, coder.transform(X).T, strict=True))


def acs_income(groups: Callable[[pd.DataFrame], pd.Series]) -> tuple[Part, Part]:
    """ACSIncome, some of the rows of each part; codes are categories."""
    table = pd.read_csv(Path(os.environ["SKFAIR_DATA"]) / "acs_income.csv.gz")
    parts = []
    for name in ("train", "test"):
        rows = table[table["split"] == name].sample(ACS_ROWS, random_state=0)
        X = rows.drop(columns=["PINCP", "split"])
        words = [c for c in X.columns if c not in ("AGEP", "SCHL", "WKHP")]
        X = X.astype(dict.fromkeys(words, str)).reset_index(drop=True)
        parts.append(Part(X, rows["PINCP"].to_numpy(), groups(rows).reset_index(drop=True)))
    return parts[0], parts[1]


def four_races(table: pd.DataFrame) -> pd.Series:
    return table["RAC1P"].map({1: "White", 2: "Black", 6: "Asian"}).fillna("other")


def sex(table: pd.DataFrame) -> pd.Series:
    return table["SEX"].map({1: "male", 2: "female"})


# data -> (its training and test part by seed, whether the test part is always the same)
DATA: dict[str, tuple[Callable[[int], tuple[Part, Part]], bool]] = {
    "acs_sex_race": (lambda seed: acs_income(lambda t: sex(t) + " " + four_races(t)), True),
    "acs_race": (lambda seed: acs_income(four_races), True),
    "acs_sex": (lambda seed: acs_income(sex), True),
    "adult": (lambda seed: adult(), True),
    "meps": (meps, False),
    "compas": (lambda seed: split(*compas(), 0.3, seed), False),
    "german": (german, False),
}

# The perceptron of a data set, as in benchmarks/many_groups.py; its defaults overfit ACSIncome.
PERCEPTRON: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("acs_sex_race", "acs_race", "acs_sex"), ACS_NETWORK),
    "adult": SMALL_NETWORK,
    "meps": SMALL_NETWORK | {"batch_size": 256},
    "compas": SMALL_NETWORK | {"batch_size": 128},
    "german": SMALL_NETWORK | {"batch_size": 128},
}


@lru_cache(maxsize=1)  # asked for by one job after another
def load(name: str, seed: int) -> Task:
    """Divide a data set; a quarter of the training part is there to choose on."""
    make, fixed = DATA[name]
    whole, test = make(seed)
    train, valid = split(whole.X, whole.y, whole.sensitive, VALID_SHARE, seed)
    return Task(name, dict(zip(PARTS, (train, valid, test), strict=True)), fixed)


# -- methods --------------------------------------------------------------------------------------


class Model(NamedTuple):
    """What a method has fitted.

    Attributes
    ----------
    accept : callable
        From the name of a part to the probability (n,) that each row is accepted.
    score : callable or None
        From the name of a part to a score (n,), on which thresholds can be put.
    """

    accept: Callable[[str], np.ndarray]
    score: Callable[[str], np.ndarray] | None = None


class Method(NamedTuple):
    """A way to train, with the values of its knob.

    Attributes
    ----------
    fit : callable
        ``(task, constraint, knobs, seed)`` -> a model for each knob, in their order. One that is
        trained for all knobs at once is timed as a whole.
    knobs : tuple
        Its own parameter, whatever that is.
    origin : {"skfair", "peer"}
        Whose networks, trees or reductions these are.
    needs_group : bool
        Whether decisions need the group by itself, not only as a column of X.
    """

    fit: Callable[[Task, str, tuple, int], Iterator[Model]]
    knobs: tuple
    origin: str = "peer"
    needs_group: bool = False


class SparseLogistic(LogisticRegression):
    """Logistic regression that is fitted to sparse rows, which one-hot columns make faster."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SparseLogistic:
        return super().fit(csr_matrix(X), y, sample_weight)


def base(task: Task, kind: str, seed: int) -> tuple[Any, dict[str, Part]]:
    """Return scikit-learn's unfitted classifier and what it sees."""
    if kind == "logistic":
        return SparseLogistic(max_iter=1000), task.view("linear")
    parts = task.view("trees")
    boosting = HistGradientBoostingClassifier(
        categorical_features=task.categories, early_stopping=False, random_state=seed
    )
    return boosting, parts


def of_classifier(model: Any, parts: dict[str, Part]) -> Model:
    """Wrap a fitted classifier of scikit-learn's kind."""
    return Model(
        lambda part: (model.predict(parts[part].X) == 1).astype(float),
        lambda part: model.predict_proba(parts[part].X)[:, 1],
    )


def of_probability(probability: Callable[[str], np.ndarray]) -> Model:
    """Accept those whose probability, by the name of a part, is above one half."""
    return Model(lambda part: (probability(part) > 0.5).astype(float), probability)


def first_rows(part: Part, most: int) -> Part:
    """At most so many rows of a part, which are in random order."""
    return part._replace(X=part.X[:most], y=part.y[:most], sensitive=part.sensitive.iloc[:most])


def unprocessed(task: Task, constraint: str, model: Model, tolerance: float) -> Model:
    """Thresholds for groups on the score of any model, chosen on the validation rows."""
    valid = task.parts["valid"]
    X = model.score("valid")[:, np.newaxis]
    inner = FrozenEstimator(Scored().fit(X, valid.y))
    rules = FairThresholdClassifier(inner, constraint=constraint, tolerance=tolerance)
    rules.fit(X, valid.y, sensitive_features=valid.sensitive)
    return Model(
        lambda part: rules.predict_proba(
            model.score(part)[:, np.newaxis], sensitive_features=task.parts[part].sensitive
        )[:, 1]
    )
