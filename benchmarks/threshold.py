"""Thresholds for groups: ``python -m benchmarks.threshold [--part speed | adult | inferred]``.

Speed: 166,450 scored rows of ACSIncome, every constraint, beside error-parity's solver where it is
installed (see benchmarks/threshold_reference.py). Adult by sex: one classifier fitted to three
quarters of the training part, thresholds chosen on the fourth, decisions on the test part; beside
fairlearn's ThresholdOptimizer, which knows no tolerance, and error-parity. Nothing is tuned.
"""

from __future__ import annotations

import importlib.util
import os
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from skfair import FairThresholdClassifier

from ._common import Part, adult, arguments, encode, report, split

CONSTRAINTS = {  # ours -> error-parity's
    "demographic_parity": "demographic_parity",
    "equal_opportunity": "true_positive_rate_parity",
    "false_positive_rate_parity": "false_positive_rate_parity",
    "equalized_odds": "equalized_odds",
}
TOLERANCE = 0.02
TOLERANCES = (0.0, 0.01, 0.02, 0.05)
BASES = {
    "logistic regression": LogisticRegression(max_iter=1000),
    "gradient boosting": HistGradientBoostingClassifier(random_state=0),
}
HAS_ERROR_PARITY = importlib.util.find_spec("error_parity") is not None


class Scored(ClassifierMixin, BaseEstimator):
    """Rows whose only feature is their score: what is timed is the choice of thresholds alone."""

    def fit(self, X: Any, y: Any) -> Scored:
        self.classes_, self.n_features_in_ = np.unique(y), 1
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        return X[:, 0]


def error_parity(scores: np.ndarray, y: np.ndarray, groups: np.ndarray, **params: Any) -> Any:
    """Fit error-parity's to scores; its groups are numbers."""
    from error_parity import RelaxedThresholdOptimizer

    model = RelaxedThresholdOptimizer(predictor=lambda X: X, **params)
    return model.fit(scores, y, group=groups, y_scores=scores)


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return the function's result and seconds of the processor, which others use, too."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


# -- speed ----------------------------------------------------------------------------------------


def acs_income() -> tuple[Part, Part]:
    """ACSIncome, every row of both parts; the codes of occupation and birthplace as numbers."""
    table = pd.read_csv(Path(os.environ["SKFAIR_DATA"]) / "acs_income.csv.gz")
    X = table.drop(columns=["PINCP", "split"])
    parts = [
        Part(X[rows].to_numpy(float), table["PINCP"][rows].to_numpy(), table[rows])
        for rows in (table["split"] == "train", table["split"] == "test")
    ]
    return parts[0], parts[1]


def speed(quick: bool) -> pd.DataFrame:
    """Seconds for the thresholds of all test rows, the median of three."""
    train, test = acs_income()
    rows = np.random.RandomState(0).permutation(len(train.y))[: 20_000 if quick else 100_000]
    base = BASES["gradient boosting"].fit(train.X[rows], train.y[rows])
    scores, seconds = timed(lambda: base.predict_proba(test.X)[:, 1])
    print(f"{len(scores)} rows, scored in {seconds:.2f} s")
    X = scores[:, np.newaxis]
    frozen = FrozenEstimator(Scored().fit(X, test.y))
    found = []
    for names in (["SEX"], ["RAC1P"], ["SEX", "RAC1P"]):
        groups = test.sensitive[names].astype(str)
        codes = groups.groupby(names).ngroup().to_numpy()
        for constraint, theirs in CONSTRAINTS.items():
            row = {"groups": " x ".join(names), "n groups": codes.max() + 1}
            row["constraint"] = constraint
            for label, params in (("", {}), (", no chance", {"randomize": False})):
                model = FairThresholdClassifier(
                    frozen, constraint=constraint, tolerance=TOLERANCE, **params
                )
                times = [
                    timed(partial(model.fit, X, test.y, sensitive_features=groups))[1]
                    for _ in range(1 if quick else 3)
                ]
                p = model.predict_proba(X, sensitive_features=groups)[:, 1]
                row[f"seconds{label}"] = np.median(times)
                row[f"error{label}"] = np.abs(test.y - p).mean()
                row[f"rows by chance{label}"] = ((p > 0) & (p < 1)).mean()
            if HAS_ERROR_PARITY:
                params = {"constraint": theirs, "tolerance": TOLERANCE}
                for label, ticks in (("", 1000), (", all points", None)):
                    fit = partial(error_parity, scores, test.y, codes, max_roc_ticks=ticks)
                    model, seconds = timed(partial(fit, **params))
                    row[f"error-parity, seconds{label}"] = seconds
                    row[f"error-parity, error{label}"] = model.cost()
                row["difference"] = row["error"] - row["error-parity, error, all points"]
            found.append(row)
    return pd.DataFrame(found)


# -- Adult ----------------------------------------------------------------------------------------


def decisions(
    base: Any, valid: Part, test: Part, constraint: str, seed: int
) -> Iterator[tuple[str, np.ndarray, float]]:
    """Yield name, decisions on the test part and seconds of every method."""
    frozen = FrozenEstimator(base)
    groups = {"sensitive_features": valid.sensitive}
    yield "no constraint", base.predict(test.X), 0.0
    for tolerance in TOLERANCES:
        variants: dict[str, dict[str, Any]] = {"ours": {}, "ours, no chance": {"randomize": False}}
        for name, params in variants.items():
            model = FairThresholdClassifier(
                frozen, constraint=constraint, tolerance=tolerance, random_state=seed, **params
            )
            _, seconds = timed(partial(model.fit, valid.X, valid.y, **groups))
            decided = model.predict(test.X, sensitive_features=test.sensitive)
            yield f"{name}, {tolerance}", decided, seconds
        if HAS_ERROR_PARITY:
            names = sorted(set(valid.sensitive))
            codes, test_codes = (p.sensitive.map(names.index).to_numpy() for p in (valid, test))
            scores, test_scores = (base.predict_proba(p.X)[:, 1] for p in (valid, test))
            params = {"constraint": CONSTRAINTS[constraint], "tolerance": tolerance, "seed": seed}
            fit = partial(error_parity, scores, valid.y, codes, max_roc_ticks=None, **params)
            model, seconds = timed(fit)
            yield f"error-parity, {tolerance}", model(test_scores, group=test_codes), seconds
    theirs = CONSTRAINTS[constraint]
    model = ThresholdOptimizer(
        estimator=base, constraints=theirs, prefit=True, predict_method="predict_proba"
    )
    _, seconds = timed(lambda: model.fit(valid.X, valid.y, **groups))
    decided = model.predict(test.X, sensitive_features=test.sensitive, random_state=seed)
    yield "fairlearn, exact", np.asarray(decided), seconds


def measured(test: Part, decided: np.ndarray) -> dict[str, float]:
    """Accuracy, gaps, and each group's size and rates."""
    row: dict[str, float] = {"accuracy": (decided == test.y).mean()}
    groups, rates = test.sensitive.to_numpy(), []
    for group in np.unique(groups):
        rows = groups == group
        positives, negatives = rows & (test.y == 1), rows & (test.y == 0)
        own = {"accepted": decided[rows].mean(), "TPR": decided[positives].mean()}
        own["FPR"] = decided[negatives].mean()
        rates.append(own)
        row |= {f"{group} n": rows.sum()} | {f"{group} {k}": v for k, v in own.items()}
    gaps = {k: max(r[k] for r in rates) - min(r[k] for r in rates) for k in rates[0]}
    return row | {f"d {name}": gap for name, gap in gaps.items()}


def on_adult(seeds: int) -> pd.DataFrame:
    """Means over divisions of the training part."""
    whole, test = adult()
    rows = []
    for seed in range(seeds):
        parts = split(whole.X, whole.y, whole.sensitive, 0.25, seed)
        train, valid, encoded = (
            part._replace(X=part.X.astype(np.float64))  # fairlearn 0.15 fails with float32
            for part in encode(*parts, test)
        )
        for base_name, base in BASES.items():
            base.fit(train.X, train.y)
            for constraint in ("demographic_parity", "equal_opportunity", "equalized_odds"):
                for method, decided, seconds in decisions(base, valid, encoded, constraint, seed):
                    key = {"base": base_name, "constraint": constraint, "method": method}
                    rows.append(key | measured(encoded, decided) | {"seconds": seconds})
    by = pd.DataFrame(rows).groupby(["base", "constraint", "method"], sort=False)
    spread = by[["accuracy", "d accepted", "d TPR", "d FPR"]].std().add_suffix(" sd")
    return by.mean().join(spread).assign(seeds=seeds).reset_index()


def inferred(seeds: int) -> pd.DataFrame:
    """Adult without the column of sex: thresholds by sex, by sex inferred, and no constraint."""
    whole, test = (part._replace(X=part.X.drop(columns="sex")) for part in adult())
    rows = []
    for seed in range(seeds):
        parts = split(whole.X, whole.y, whole.sensitive, 0.25, seed)
        train, valid, encoded = encode(*parts, test)
        for base_name, base in BASES.items():
            frozen = FrozenEstimator(base.fit(train.X, train.y))
            guess = clone(base).fit(train.X, train.sensitive)
            for constraint in ("demographic_parity", "equal_opportunity", "equalized_odds"):
                for tolerance in TOLERANCES[1:]:
                    for method, infers in (("known", None), ("inferred", FrozenEstimator(guess))):
                        model = FairThresholdClassifier(
                            frozen,
                            constraint=constraint,
                            tolerance=tolerance,
                            group_estimator=infers,
                            random_state=seed,
                        )
                        model.fit(valid.X, valid.y, sensitive_features=valid.sensitive)
                        given = {"sensitive_features": encoded.sensitive}
                        decided = model.predict(encoded.X, **given)
                        p = model.predict_proba(encoded.X, **given)[:, 1]
                        row = {"base": base_name, "constraint": constraint, "sex": method}
                        row |= {"tolerance": tolerance} | measured(encoded, decided)
                        row["by chance"] = ((p > 0) & (p < 1)).mean()
                        row["guessed right"] = guess.score(encoded.X, encoded.sensitive)
                        rows.append(row)
    by = pd.DataFrame(rows).groupby(["base", "constraint", "tolerance", "sex"], sort=False)
    return by.mean().join(by[["accuracy"]].std().add_suffix(" sd")).reset_index()


def main() -> None:
    args = arguments(__doc__.splitlines()[0], part=["all", "speed", "adult", "inferred"])
    suffix = "_quick" if args.quick else ""
    settings = {"error-parity": "0.3.12" if HAS_ERROR_PARITY else "not installed"}
    warnings.simplefilter("ignore", UserWarning)  # of groups with few positives: shown here
    if args.part in ("all", "speed"):
        title = f"Thresholds of ACSIncome's test rows, tolerance {TOLERANCE}"
        report(f"threshold_speed{suffix}", speed(args.quick), title, settings)
    if args.part in ("all", "adult"):
        seeds = 1 if args.quick else args.seeds
        title = "Adult, sex, test part: thresholds chosen on a quarter of the training part"
        report(f"threshold_adult{suffix}", on_adult(seeds), title, settings | {"seeds": seeds})
    if args.part in ("all", "inferred"):
        seeds = 1 if args.quick else args.seeds
        title = "Adult without sex among the features, test part: sex known, or inferred"
        report(f"threshold_inferred{suffix}", inferred(seeds), title, settings | {"seeds": seeds})


if __name__ == "__main__":
    main()
