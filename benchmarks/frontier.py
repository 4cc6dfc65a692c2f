"""Accuracy within a tolerance: ``python -m benchmarks.frontier [--data NAME] [--methods A;B]``.

Every method's own knob is swept; for each tolerance the most accurate knob is taken whose gap on
the validation rows is within it (else that of the least gap), and reported on the test rows. Where
decisions are made by a score, thresholds for groups are put on it, too: "+ thresholds", chosen on
the validation rows (Unprocessing, Cruz and Hardt 2024). Decisions by chance count with their
probability, but error-parity's, which are drawn. A method joins by an entry in METHODS of
benchmarks/_frontier.py.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ._common import parser, report
from ._frontier import DATA, METHODS, Model, Task, load, unprocessed

TOLERANCES = (0.01, 0.02, 0.05)
RATES = {
    "equalized_odds": ("TPR", "FPR"),
    "demographic_parity": ("accepted",),
}
MIN_CASES = 10  # positives, and negatives, of a group that is compared on validation and test rows
RESAMPLES = 2000


def by_group(y: np.ndarray, groups: np.ndarray, p: np.ndarray) -> pd.DataFrame:
    """Size and rates of each group."""
    rows = {
        group: {
            "n": members.sum(),
            "cases": min((members & (y == 1)).sum(), (members & (y == 0)).sum()),
            "accepted": p[members].mean(),
            "TPR": p[members & (y == 1)].mean() if (members & (y == 1)).any() else np.nan,
            "FPR": p[members & (y == 0)].mean() if (members & (y == 0)).any() else np.nan,
        }
        for group in np.unique(groups)
        for members in [groups == group]
    }
    return pd.DataFrame(rows).T


def measured(task: Task, constraint: str, model: Model) -> dict[str, Any]:
    """Accuracy and gap on validation and test rows, rates by group, and who is right."""
    row: dict[str, Any] = {}
    for name in ("valid", "test"):
        part = task.parts[name]
        p = model.accept(name)
        right = np.where(part.y == 1, p, 1 - p)
        rates = by_group(part.y, np.asarray(part.sensitive), p)
        compared = rates[rates["cases"] >= MIN_CASES]
        gaps = [np.ptp(compared[rate]) for rate in RATES[constraint]]
        row |= {f"{name} accuracy": right.mean(), f"{name} gap": max(gaps)}
    for group, own in rates.iterrows():
        row |= {f"{group} {name}": own[name] for name in ("n", "accepted", "TPR", "FPR")}
    return row | {"right": right.astype(np.float32)}


def candidates(
    task: Task, constraint: str, names: list[str], seed: int
) -> Iterator[dict[str, Any]]:
    """Yield what every knob of every method gives, with and without thresholds."""
    for name in names:
        method, models = (
            METHODS[name],
            METHODS[name].fit(task, constraint, METHODS[name].knobs, seed),
        )
        for knob in method.knobs:
            start = time.process_time()
            try:
                model = next(models)
            except ValueError as refused:  # such as too few rows for a tolerance
                print(f"{task.name}: {name} is left out: {refused}")
                break
            seconds = time.process_time() - start
            key = {"method": name, "needs group": method.needs_group, "knob": knob, "seed": seed}
            key |= {"tolerance": np.nan, "seconds": seconds}
            yield key | measured(task, constraint, model)
            for tolerance in TOLERANCES if model.score is not None else ():
                rules = unprocessed(task, constraint, model, tolerance)
                key |= {"method": f"{name} + thresholds", "needs group": True}
                yield key | {"tolerance": tolerance} | measured(task, constraint, rules)


def choose(found: pd.DataFrame) -> pd.DataFrame:
    """For each tolerance, method and seed: what is chosen on the validation rows."""
    chosen = []
    for tolerance in TOLERANCES:
        open_to = found[found["tolerance"].isna() | (found["tolerance"] == tolerance)]
        for _, own in open_to.groupby(["method", "seed"], sort=False):
            within = own[own["valid gap"] <= tolerance + 1e-6]
            best = within["valid accuracy"].idxmax() if len(within) else own["valid gap"].idxmin()
            row = own.loc[best].copy()
            row["tolerance"], row["missed"] = tolerance, float(not len(within))
            row["seconds"] = own["seconds"].sum()  # of the whole sweep
            chosen.append(row)
    return pd.DataFrame(chosen)


def resampled_means(values: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Means of bootstrap samples, drawn as numbers of rows with each value."""
    different, counts = np.unique(np.round(values, 4), return_counts=True)
    n = len(values)
    return rng.multinomial(n, counts / n, size=RESAMPLES) @ different / n


def intervals(chosen: pd.DataFrame, fixed_test: bool) -> pd.DataFrame:
    """Means over seeds, and how far behind the best, with a paired bootstrap over test rows.

    The best is the most accurate of those that keep to the tolerance on validation rows in most
    seeds, if there is one; of those which need the group, and of those which do not, respectively.
    """
    rng = np.random.RandomState(0)
    rows = []
    for _, part in chosen.groupby(["tolerance", "needs group"]):
        methods = dict(list(part.groupby("method", sort=False)))
        best = max(methods, key=partial(_merit, methods))
        for name, own in methods.items():
            pairs = zip(own["right"], methods[best]["right"], strict=True)
            behind = [a.astype(float) - b for a, b in pairs]
            behind = [np.mean(behind, axis=0)] if fixed_test else behind
            drawn = np.mean([resampled_means(each, rng) for each in behind], axis=0)
            numbers = own.drop(columns=["right", "method", "knob", "seed"]).astype(float)
            mean = numbers.mean().to_dict() | {"method": name, "seeds": len(own)}
            mean |= {f"{c} sd": own[c].std() for c in ("test accuracy", "test gap")}
            low, high = np.percentile(drawn, [2.5, 97.5])
            mean |= {"behind best": np.mean([d.mean() for d in behind]), "low": low, "high": high}
            rows.append(mean | {"knobs": " ".join(map(str, own["knob"]))})
    table = pd.DataFrame(rows)
    first = ["tolerance", "needs group", "method", "test accuracy", "test accuracy sd", "test gap"]
    first += ["test gap sd", "behind best", "low", "high", "missed", "seconds", "seeds"]
    table = table[[*first, *(c for c in table if c not in first)]]
    return table.sort_values(
        ["tolerance", "needs group", "test accuracy"], ascending=[True, True, False]
    )


def _merit(methods: dict[str, pd.DataFrame], name: str) -> tuple[bool, float]:
    own = methods[name]
    return own["missed"].mean() < 0.5, own["test accuracy"].mean()


def run(
    name: str, constraint: str, methods: list[str], seeds: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return all candidates, and the chosen ones as means over seeds."""
    found = []
    for seed in range(seeds):
        task = load(name, seed)
        found += list(candidates(task, constraint, methods, seed))
    table = pd.DataFrame(found)
    return table.drop(columns="right"), intervals(choose(table), task.fixed_test)


def main() -> None:
    command = parser(__doc__.splitlines()[0], data=["all", *DATA], constraint=list(RATES))
    command.add_argument("--methods", help="names, separated by semicolons (default: all)")
    args = command.parse_args()
    seeds = 1 if args.quick else args.seeds
    methods = args.methods.split(";") if args.methods else list(METHODS)
    settings = {"seeds": seeds, "constraint": args.constraint, "smallest group": MIN_CASES}
    settings["methods"] = "; ".join(methods)
    suffix = f"_{args.constraint}" + ("_quick" if args.quick else "")
    warnings.simplefilter("ignore")  # of peers' solvers, and of groups: shown here
    for name in DATA if args.data == "all" else [args.data]:
        found, table = run(name, args.constraint, methods, seeds)
        report(f"frontier_{name}{suffix}_all", found, f"{name}: every knob", settings)
        report(f"frontier_{name}{suffix}", table, f"{name}: chosen on validation rows", settings)


if __name__ == "__main__":
    main()
