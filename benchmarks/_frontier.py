"""Tasks and methods of the frontier: what is trained, with which knob, and how it decides."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from fairlearn.adversarial import AdversarialFairnessClassifier
from fairlearn.postprocessing import ThresholdOptimizer
from fairlearn.reductions import DemographicParity, EqualizedOdds, ExponentiatedGradient
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OrdinalEncoder

from skfair import FairThresholdClassifier, NetworkClassifier, PenaltyClassifier

from ._common import Part, adult, compas, encode, german, meps, split
from .threshold import Scored

PARTS = ("train", "valid", "test")
WEIGHTS, BOUNDS = (0.3, 1.0, 3.0), (0.005, 0.01, 0.02, 0.05)  # knobs
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

    def view(self, kind: str) -> dict[str, Part]:
        """Parts as numbers, "linear" (standardized and one-hot) or for "trees", or as they are."""
        if kind == "raw":
            return self.parts
        if kind not in self.views:
            rows = [self.parts[name] for name in PARTS]
            make = encode if kind == "linear" else self._for_trees
            self.views[kind] = dict(zip(PARTS, make(*rows), strict=True))
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
    "adult": (lambda seed: adult(), True),
    "acs_sex": (lambda seed: acs_income(sex), True),
    "acs_race": (lambda seed: acs_income(four_races), True),
    "acs_sex_race": (lambda seed: acs_income(lambda t: sex(t) + " " + four_races(t)), True),
    "compas": (lambda seed: split(*compas(), 0.3, seed), False),
    "meps": (meps, False),
    "german": (german, False),
}


def load(name: str, seed: int) -> Task:
    """Divide a data set; a quarter of the training part is there to choose on."""
    make, fixed = DATA[name]
    whole, test = make(seed)
    train, valid = split(whole.X, whole.y, whole.sensitive, 0.25, seed)
    return Task(name, dict(zip(PARTS, (train, valid, test), strict=True)), fixed)


# -- methods --------------------------------------------------------------------------------------


class Model(NamedTuple):
    """What a method has fitted.

    Attributes
    ----------
    accept : callable
        From the name of a part to the probability (n,) that each row is accepted.
    score : callable or None
        From the name of a part to a score (n,), if decisions are made by one.
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
    needs_group : bool
        Whether decisions need the group by itself, not only as a column of X.
    """

    fit: Callable[[Task, str, tuple, int], Iterator[Model]]
    knobs: tuple
    needs_group: bool = False


def base(task: Task, kind: str, seed: int) -> tuple[Any, dict[str, Part]]:
    """Return an unfitted classifier and what it sees."""
    if kind == "logistic":
        return LogisticRegression(max_iter=1000), task.view("linear")
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


def plain(kind: str) -> Method:
    """Train without a constraint."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        model, parts = base(task, kind, seed)
        for _ in knobs:
            yield of_classifier(model.fit(parts["train"].X, parts["train"].y), parts)

    return Method(fit, (None,))


def exponentiated_gradient(kind: str) -> Method:
    """fairlearn's reduction; the knob is its bound, of a group's difference from everybody."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        moment = {"equalized_odds": EqualizedOdds, "demographic_parity": DemographicParity}
        inner, parts = base(task, kind, seed)
        train = parts["train"]
        for knob in knobs:
            model = ExponentiatedGradient(inner, moment[constraint](difference_bound=knob))
            model.fit(train.X, train.y, sensitive_features=train.sensitive)
            yield Model(lambda part, m=model: m._pmf_predict(parts[part].X)[:, 1])

    return Method(fit, BOUNDS)


def threshold_optimizer(kind: str) -> Method:
    """fairlearn's thresholds, chosen on the validation rows; there is no knob."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        inner, parts = base(task, kind, seed)
        # fairlearn 0.15 writes probabilities into float32 where X is, which pandas 3 refuses
        parts = {name: part._replace(X=part.X.astype(np.float64)) for name, part in parts.items()}
        inner.fit(parts["train"].X, parts["train"].y)
        for _ in knobs:
            model = ThresholdOptimizer(
                estimator=inner, constraints=constraint, prefit=True, predict_method="predict_proba"
            )
            valid = parts["valid"]
            model.fit(valid.X, valid.y, sensitive_features=valid.sensitive)
            yield Model(
                lambda part, m=model: m._pmf_predict(
                    parts[part].X, sensitive_features=parts[part].sensitive
                )[:, 1]
            )

    return Method(fit, (None,), needs_group=True)


def error_parity(kind: str) -> Method:
    """error-parity's thresholds, chosen on the validation rows; the knob is the tolerance."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        from error_parity import RelaxedThresholdOptimizer

        inner, parts = base(task, kind, seed)
        inner.fit(parts["train"].X, parts["train"].y)
        names = sorted(set(parts["valid"].sensitive))
        for knob in knobs:
            model = RelaxedThresholdOptimizer(
                predictor=lambda X: inner.predict_proba(X)[:, 1],
                constraint=constraint,
                tolerance=knob,
                max_roc_ticks=None,
                seed=seed,
            )
            codes = {
                name: part.sensitive.map(names.index).to_numpy() for name, part in parts.items()
            }
            model.fit(parts["valid"].X, parts["valid"].y, group=codes["valid"])
            yield Model(lambda part, m=model, c=codes: m(parts[part].X, group=c[part]))

    return Method(fit, (0.0, 0.01, 0.02, 0.05), needs_group=True)


def adversarial() -> Method:
    """fairlearn's adversarial network; the knob is alpha."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        parts = task.view("linear")
        train = parts["train"]
        for knob in knobs:
            model = AdversarialFairnessClassifier(
                backend="torch",
                predictor_model=[64, "relu", 64, "relu"],
                adversary_model=[8, "relu"],
                constraints=constraint,
                alpha=knob,
                batch_size=1024,
                epochs=30,
                shuffle=True,
                random_state=seed,
            )
            model.fit(train.X, train.y, sensitive_features=train.sensitive)
            yield Model(
                lambda part, m=model: np.ravel(m.predict(parts[part].X)).astype(float),
                lambda part, m=model: np.ravel(m._raw_predict(parts[part].X)),
            )

    return Method(fit, (0.1, 0.3, 1.0))


def network(kind: str) -> Method:
    """Our plain network: a perceptron on encoded rows, or the tabular one on rows as they are."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        parts = task.view(kind)
        for _ in knobs:
            model = NetworkClassifier(random_state=seed).fit(parts["train"].X, parts["train"].y)
            yield of_classifier(model, parts)

    return Method(fit, (None,))


def penalty(kind: str, parameter: str, knobs: tuple) -> Method:
    """Our penalty, of a weight ("alpha") or within a tolerance."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        parts = task.view(kind)
        train = parts["train"]
        for knob in knobs:
            settings = {parameter: knob, "random_state": seed}
            model = PenaltyClassifier(penalty=constraint, **settings)
            model.fit(train.X, train.y, sensitive_features=train.sensitive)
            yield of_classifier(model, parts)

    return Method(fit, knobs)


METHODS: dict[str, Method] = {
    "logistic": plain("logistic"),
    "boosting": plain("boosting"),
    "fairlearn reduction, logistic": exponentiated_gradient("logistic"),
    "fairlearn reduction, boosting": exponentiated_gradient("boosting"),
    "fairlearn thresholds, logistic": threshold_optimizer("logistic"),
    "fairlearn thresholds, boosting": threshold_optimizer("boosting"),
    "fairlearn adversarial": adversarial(),
    "perceptron": network("linear"),
    "tabular network": network("raw"),
    "penalty, weight": penalty("linear", "alpha", WEIGHTS),
    "penalty, tolerance": penalty("linear", "tolerance", BOUNDS),
    "penalty on tabular, weight": penalty("raw", "alpha", WEIGHTS),
    "penalty on tabular, tolerance": penalty("raw", "tolerance", BOUNDS),
}
if importlib.util.find_spec("error_parity") is not None:
    METHODS |= {
        "error-parity, logistic": error_parity("logistic"),
        "error-parity, boosting": error_parity("boosting"),
    }


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
