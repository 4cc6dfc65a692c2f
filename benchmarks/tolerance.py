"""A gap that is asked for: ``python -m benchmarks.tolerance [--data NAME] [--network NAME]``.

PenaltyClassifier with tolerance .01, .02 and .05 for demographic parity, equal opportunity and
equalized odds, one fit each, on Adult, ACSIncome (SEX, 60,000 rows of each part) and MEPS; beside
it the plain network and the fit with a fixed weight, for accuracy and time. Networks are a
perceptron on one-hot columns, and the tabular network with its defaults on the frame as it comes
(``--network tabular``). ``--jobs`` is the number of processes, of one thread each.

``--rows test`` (the default) reports on the test parts, seeds 0 to 4. ``--rows tuning`` is what the
constants of ``skfair.objectives.constraints`` and the settings below were chosen on: 70 and 30 % of
the *training* part, seeds from 100.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from sklearn.metrics import roc_auc_score

from skfair import NetworkClassifier, PenaltyClassifier

from ._common import Part, adult, encode, meps, parser, report, split
from .many_groups import acs_income

HELD_OUT = {"validation_fraction": 0.3}
PERCEPTRONS: dict[str, dict[str, Any]] = {
    "adult": {"max_epochs": 25, "batch_size": 256},
    "acs": {"max_epochs": 15, "batch_size": 512},
    "meps": {"max_epochs": 25, "batch_size": 128},
}
RATES: dict[str, tuple[int | None, ...]] = {  # penalty -> labels of the cases of its rates
    "demographic_parity": (None,),
    "equal_opportunity": (1,),
    "equalized_odds": (0, 1),
}
TOLERANCES = (0.01, 0.02, 0.05)


def parts(data: str, rows: str, seed: int) -> tuple[Part, Part]:
    """Training and test part, or, to choose on, two parts of the former."""
    if data == "adult":
        train, test = adult()
    elif data == "acs":
        train, test = acs_income(lambda table: table["SEX"].map({1: "male", 2: "female"}))
    else:
        train, test = meps(seed)
    if rows == "tuning":
        train, test = split(train.X, train.y, train.sensitive, 0.3, seed)
    return train, test


def compared(test: Part, accepted: np.ndarray, penalty: str) -> tuple[float, float, int]:
    """Largest difference between the two groups, its standard error, and in which rate."""
    found = []
    for label in RATES[penalty]:
        cases = np.ones(len(test.y), dtype=bool) if label is None else test.y == label
        of = [accepted[cases & (test.sensitive == g)] for g in np.unique(test.sensitive)]
        variance = sum(a.mean() * (1 - a.mean()) / len(a) for a in of)
        found.append((abs(of[0].mean() - of[1].mean()), variance**0.5))
    worst = int(np.argmax([gap for gap, _ in found]))
    return (*found[worst], worst)


def held_out_error(
    model: PenaltyClassifier, train: Part, penalty: str, worst: int, p: Any
) -> float:
    """Standard error of the same difference on the held-out rows, from rates ``p`` of groups."""
    label, share = RATES[penalty][worst], model.validation_fraction
    cases = np.ones(len(train.y), dtype=bool) if label is None else train.y == label
    sizes = [share * (cases & (train.sensitive == g)).sum() for g in np.unique(train.sensitive)]
    return sum(q * (1 - q) / n for q, n in zip(p, sizes, strict=True)) ** 0.5


def rates_of(test: Part, accepted: np.ndarray, label: int | None) -> list[float]:
    cases = np.ones(len(test.y), dtype=bool) if label is None else test.y == label
    return [accepted[cases & (test.sensitive == g)].mean() for g in np.unique(test.sensitive)]


def by_group(test: Part, accepted: np.ndarray) -> dict[str, float]:
    """Size, share accepted and true positive rate of each group."""
    row = {}
    for group in np.unique(test.sensitive):
        of = (test.sensitive == group).to_numpy()
        row |= {
            f"n {group}": int(of.sum()),
            f"accepted {group}": accepted[of].mean(),
            f"TPR {group}": accepted[of & (test.y == 1)].mean(),
        }
    return row


def fitted(model: Any, train: Part, **groups: Any) -> tuple[Any, dict[str, Any]]:
    """Fit; return the seconds it took, and of what it warned."""
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(train.X, train.y, **groups)
    seconds, said = time.perf_counter() - start, [str(warning.message) for warning in caught]
    return model, {
        "seconds": seconds,
        "missed": any("No epoch met" in message for message in said),
        "names who pays": any("Fewer are accepted" in message for message in said),
    }


def measured(model: Any, test: Part, penalty: str) -> dict[str, Any]:
    """Accuracy, the gap and its standard error, and rates of each group."""
    decision = model.decision_function(test.X)
    gap, error, _ = compared(test, decision > 0, penalty)
    return {
        "accuracy": ((decision > 0) == test.y).mean(),
        "AUC": roc_auc_score(test.y, decision),
        "gap": gap,
        "error": error,
        **by_group(test, decision > 0),
    }


def kept_to(model: PenaltyClassifier, train: Part, test: Part, tolerance: float) -> dict[str, Any]:
    """Whether the gap on held-out and test rows is within tolerance."""
    decided = model.decision_function(test.X) > 0
    gap, error, worst = compared(test, decided, model.penalty)
    p = rates_of(test, decided, RATES[model.penalty][worst])
    both = np.hypot(error, held_out_error(model, train, model.penalty, worst, p))
    names = [name for name in model.history_ if name.startswith("valid_gap_")]
    return {
        "held-out gap": model.history_.loc[model.history_["monitor"].argmax(), names].max(),
        "exceeds": gap > tolerance + 2 * error,
        "exceeds, both errors": gap > tolerance + 2 * both,
        "epochs met": (model.history_["monitor"] >= 0).sum(),
    }


def settings_of(data: str, network: str, quick: bool) -> dict[str, Any]:
    settings = HELD_OUT | (PERCEPTRONS[data] if network == "perceptron" else {})
    return settings | ({"max_epochs": 3} if quick else {})


def run(data: str, network: str, rows: str, quick: bool, seed: int, penalty: str) -> list[dict]:
    """One row a fit."""
    torch.set_num_threads(1)
    train, test = parts(data, rows, seed)
    if network == "perceptron":
        train, test = encode(train, test)
    settings = settings_of(data, network, quick) | {"random_state": seed}
    groups = {"sensitive_features": train.sensitive}
    row = {"data": data, "seed": seed, "penalty": penalty}
    plain, told = fitted(NetworkClassifier(**settings), train)
    table = [row | {"tolerance": "plain"} | measured(plain, test, penalty) | told]
    fixed, told = fitted(PenaltyClassifier(penalty=penalty, **settings), train, **groups)
    table.append(row | {"tolerance": "alpha=1"} | measured(fixed, test, penalty) | told)
    of_fixed = told["seconds"]
    for tolerance in TOLERANCES:
        model = PenaltyClassifier(penalty=penalty, tolerance=tolerance, **settings)
        model, told = fitted(model, train, **groups)
        found = measured(model, test, penalty) | told | kept_to(model, train, test, tolerance)
        found["times a fixed weight"] = told["seconds"] / of_fixed
        table.append(row | {"tolerance": tolerance} | found)
    return table


def main() -> None:
    command = parser(
        __doc__.splitlines()[0],
        data=("adult", "acs", "meps"),
        network=("perceptron", "tabular"),
        rows=("test", "tuning"),
    )
    command.add_argument("--jobs", type=int, default=1, help="processes (default %(default)s)")
    args = command.parse_args()
    first = 100 if args.rows == "tuning" else 0
    seeds = range(first, first + (1 if args.quick else args.seeds))
    of_all = Parallel(n_jobs=args.jobs, verbose=5)(
        delayed(run)(args.data, args.network, args.rows, args.quick, seed, penalty)
        for seed in seeds
        for penalty in RATES
    )
    table = pd.DataFrame([row for rows in of_all for row in rows])
    name = f"tolerance_{args.data}" + "_tabular" * (args.network == "tabular")
    name += "_tuning" * (args.rows == "tuning") + "_quick" * args.quick
    settings = settings_of(args.data, args.network, args.quick) | {
        "network": args.network,
        "rows": args.rows,
        "seeds": list(seeds),
        "processes": args.jobs,
    }
    report(name, table, f"{args.data}: a gap that is asked for", settings)
    figures = table.drop(columns=["data", "seed"])
    flags = ("missed", "names who pays", "exceeds", "exceeds, both errors")
    means = figures.astype(dict.fromkeys(flags, float))
    means = means.groupby(["penalty", "tolerance"], sort=False).mean(numeric_only=True)
    report(f"{name}_summary", means.reset_index(), "means over seeds", settings)


if __name__ == "__main__":
    main()
