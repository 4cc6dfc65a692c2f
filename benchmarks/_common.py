"""What the benchmarks share: data, measures, tables."""

from __future__ import annotations

import argparse
import platform
import resource
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from fairlearn.adversarial import AdversarialFairnessClassifier
from fairlearn.metrics import MetricFrame, false_positive_rate, true_positive_rate
from fairlearn.postprocessing import ThresholdOptimizer
from fairlearn.reductions import EqualizedOdds, ExponentiatedGradient
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfair.datasets import fetch_adult, fetch_compas, fetch_german_credit, fetch_meps
from skfair.metrics import fairness_index, recourse_gap, robustness_index

RESULTS = Path(__file__).parent / "results"


class Part(NamedTuple):
    """Rows of a data set: features, labels (1 = favorable) and sensitive feature(s)."""

    X: Any
    y: np.ndarray
    sensitive: Any


def parser(description: str, **choices: Sequence[str]) -> argparse.ArgumentParser:
    """Return what reads ``--quick``, ``--seeds`` and one option for each of ``choices``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer seeds and epochs")
    parser.add_argument(
        "--seeds", type=int, default=5, help="number of seeds (default %(default)s)"
    )
    for name, values in choices.items():
        parser.add_argument(f"--{name}", choices=values, default=values[0])
    return parser


def arguments(description: str, **choices: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    return parser(description, **choices).parse_args()


def table_encoder(X: pd.DataFrame):
    """Standardize numbers, one-hot encode everything else, as dense float32."""
    numbers = X.select_dtypes("number").columns.tolist()
    words = [name for name in X.columns if name not in numbers]
    return make_column_transformer(
        (StandardScaler(), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32), words),
    )


def encode(train: Part, *others: Part) -> tuple[Part, ...]:
    """Encode all parts with what is learned from the first."""
    encoder = table_encoder(train.X).fit(train.X)
    return tuple(
        part._replace(X=encoder.transform(part.X).astype(np.float32)) for part in (train, *others)
    )


def adult(columns: Sequence[str] | None = None, sensitive: Any = "sex") -> tuple[Part, Part]:
    """Adult as its ``split`` column divides it; ``columns`` selects features."""
    data = fetch_adult()
    X = data.data if columns is None else data.data[list(columns)]
    y = (data.target == ">50K").to_numpy(int)
    is_train = (data.split == "train").to_numpy()
    groups = data.sensitive_features[sensitive].astype(str)
    return tuple(Part(X[rows], y[rows], groups[rows]) for rows in (is_train, ~is_train))


def compas() -> Part:
    """All of COMPAS; 1 is no new offense, the groups are African-American and other."""
    data = fetch_compas()
    race = data.sensitive_features["race"].astype(str)
    groups = race.where(race == "African-American", "other")
    return Part(data.data, (data.target == 0).to_numpy(int), groups)


def german(seed: int) -> tuple[Part, Part]:
    """German credit, 800 and 200 rows; the groups are the ages up to and over 25."""
    data = fetch_german_credit()
    y = (data.target == "good").to_numpy(int)
    return split(data.data, y, data.sensitive_features["age_group"].astype(str), 200, seed)


def meps(seed: int) -> tuple[Part, Part]:
    """MEPS panel 21, 70 and 30 %; the groups are White and Non-White."""
    data = fetch_meps()
    groups = data.sensitive_features["RACE"].astype(str)
    return split(data.data, data.target.to_numpy(), groups, 0.3, seed)


def split(X: Any, y: np.ndarray, groups: Any, test_size: Any, seed: int) -> tuple[Part, Part]:
    """Training and test part, stratified by label."""
    rows = train_test_split(np.arange(len(y)), test_size=test_size, stratify=y, random_state=seed)
    return tuple(Part(X.iloc[r], y[r], groups.iloc[r]) for r in rows)


def equalized_odds_peers(seed: int, epochs: int) -> dict[str, Any]:
    """Fairlearn's methods for equalized odds, not yet fitted."""
    return {
        "ExponentiatedGradient": ExponentiatedGradient(
            LogisticRegression(max_iter=1000), EqualizedOdds()
        ),
        "ThresholdOptimizer": ThresholdOptimizer(
            estimator=LogisticRegression(max_iter=1000),
            constraints="equalized_odds",
            predict_method="predict_proba",
        ),
        "adversarial": AdversarialFairnessClassifier(
            backend="torch",
            predictor_model=[30, "relu", 30, "relu"],
            adversary_model=[8, "relu"],
            constraints="equalized_odds",
            batch_size=1024,
            epochs=min(epochs, 30),
            random_state=seed,
        ),
    }


def measures(test: Part, y_pred: np.ndarray, decision: np.ndarray | None = None) -> dict:
    """Accuracy, gaps of error rates and, from decision values, the indices of FaiR-N."""
    rates = MetricFrame(
        metrics={"|dTPR|": true_positive_rate, "|dFPR|": false_positive_rate},
        y_true=test.y,
        y_pred=y_pred,
        sensitive_features=test.sensitive,
    ).difference()
    row = {"accuracy": accuracy_score(test.y, y_pred)}
    if decision is not None:
        row |= {
            "recourse gap": recourse_gap(decision, sensitive_features=test.sensitive),
            "I_fair": fairness_index(decision, sensitive_features=test.sensitive),
            "I_robust": robustness_index(decision),
        }
    return row | rates.to_dict() | {"constant": len(np.unique(y_pred)) == 1}


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return the function's result and the seconds it took."""
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def peak_megabytes() -> float:
    """Most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def summarize(rows: list[dict], by: Sequence[str]) -> pd.DataFrame:
    """Mean and standard deviation over seeds, in the order in which the rows came."""
    frame = pd.DataFrame(rows).astype({"constant": float})
    groups = frame.drop(columns="seed").groupby(list(by), sort=False)
    table = groups.mean().join(groups.std().add_suffix(" sd"))
    table = table.assign(constant=groups["constant"].sum(), seeds=groups.size())
    return table.drop(columns="constant sd").reset_index()


def beside(table: pd.DataFrame, paper: dict, by: list[str], names: list[str]) -> pd.DataFrame:
    """Put the paper's figures behind ours."""
    keys = table[by].agg(tuple, axis=1) if len(by) > 1 else table[by[0]]
    printed = pd.DataFrame([paper.get(key, (np.nan,) * len(names)) for key in keys])
    return table.join(printed.set_axis([f"paper {name}" for name in names], axis=1))


def report(
    name: str, table: pd.DataFrame, title: str, settings: dict[str, Any], write: bool = True
) -> None:
    """Print the table and write it, with the settings in front, to ``results/NAME.csv``."""
    shown = table[[c for c in table.columns if not c.endswith(" sd")]]
    print(f"\n{title}")
    print(shown.to_string(index=False, float_format=lambda v: f"{v:.3f}", na_rep="-"))
    if not write:
        return
    settings = settings | {
        "threads": torch.get_num_threads(),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
    }
    settings |= {p: version(p) for p in ("torch", "scikit-learn", "skorch", "fairlearn")}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    with path.open("w") as file:
        file.writelines(f"# {key}: {value}\n" for key, value in settings.items())
        table.to_csv(file, index=False, float_format="%.4g", lineterminator="\n")
    print(f"written to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
