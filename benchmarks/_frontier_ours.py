"""Our methods in the frontier: networks with a weight to sweep, or with a gap to ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from skfair import (
    DRAlignClassifier,
    FaiRNClassifier,
    NetworkClassifier,
    PenaltyClassifier,
    PivotClassifier,
)
from skfair.model_selection import StackedSearchCV

from ._common import Part
from ._frontier import PERCEPTRON, Method, Model, Task, of_classifier, of_probability

KINDS = ("perceptron", "tabular")
BOUNDS = (0.005, 0.01, 0.02, 0.05)
# method -> (estimator for a constraint and number of groups, its knob)
SWEEPS: dict[str, tuple[Callable[[str, int], Any], str]] = {
    "penalty": (lambda constraint, n: PenaltyClassifier(penalty=constraint), "alpha"),
    "tolerance": (
        # as the gap is measured here: the largest difference between two groups
        lambda constraint, n: PenaltyClassifier(
            penalty=constraint,
            group_weights="equal" if n > 2 else "share",
            validation_fraction=0.3,  # a tenth, the default, holds few cases of small groups
        ),
        "tolerance",
    ),
    "FaiR-N": (lambda constraint, n: FaiRNClassifier(), "lambda_fairness"),
    "DRAlign": (lambda constraint, n: DRAlignClassifier(criterion=constraint), "lambda_fairness"),
    "pivot": (lambda constraint, n: PivotClassifier(criterion=constraint), "lambda_fairness"),
}
KNOBS = {
    "penalty": (0.3, 1.0, 3.0),
    "tolerance": BOUNDS,
    "FaiR-N": (0.2, 0.5, 1.0),
    "DRAlign": (0.4, 1.0, 3.0),
    "pivot": (1.0, 3.0, 10.0),
}


def seen_by(task: Task, kind: str) -> tuple[dict[str, Part], dict[str, Any]]:
    """Return what a network sees, and its parameters: the tabular one has its defaults."""
    if kind == "tabular":
        return task.view("raw"), {}
    return task.view("linear"), PERCEPTRON[task.name]


def plain(kind: str) -> Method:
    """Our network without a constraint."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        parts, network = seen_by(task, kind)
        for _ in knobs:
            model = NetworkClassifier(random_state=seed, **network)
            yield of_classifier(model.fit(parts["train"].X, parts["train"].y), parts)

    return Method(fit, (None,), "skfair")


def swept(name: str, kind: str) -> Method:
    """One of ours with all values of its knob, trained together where networks can be stacked."""
    make, knob = SWEEPS[name]

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        parts, network = seen_by(task, kind)
        estimator = make(constraint, len(task.groups)).set_params(random_state=seed, **network)
        found = together(estimator, {knob: knobs}, parts)
        yield from (of_probability(found[value].__getitem__) for value in knobs)

    return Method(fit, KNOBS[name], "skfair")


def together(
    estimator: Any, grid: dict[str, tuple], parts: dict[str, Part]
) -> dict[Any, dict[str, np.ndarray]]:
    """Fit the estimator with each value of its knob, in one search -> probabilities by part."""
    (knob,) = grid
    found = {}

    def keep(model: Any, X: Any, y: Any) -> float:
        found[model.get_params()[knob]] = {
            name: model.predict_proba(parts[name].X)[:, 1] for name in ("valid", "test")
        }
        return 0.0

    train, valid = parts["train"], parts["valid"]
    n_train, n = len(train.y), len(train.y) + len(valid.y)
    join = pd.concat if isinstance(train.X, pd.DataFrame) else np.concatenate
    search = StackedSearchCV(
        estimator,
        grid,
        scoring=keep,
        cv=[(np.arange(n_train), np.arange(n_train, n))],
        refit=False,
        error_score="raise",
    )
    groups = np.concatenate([train.sensitive, valid.sensitive])
    y = np.concatenate([train.y, valid.y])
    search.fit(join([train.X, valid.X]), y, sensitive_features=groups)
    return found


OURS: dict[str, Method] = {
    "perceptron": plain("perceptron"),
    "tabular network": plain("tabular"),
} | {f"{name}, {kind}": swept(name, kind) for name in SWEEPS for kind in KINDS}
