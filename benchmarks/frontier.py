"""Accuracy within a tolerance: ``python -m benchmarks.frontier [--data NAME ...] [--jobs N]``.

Every method's own knob is swept; for each tolerance the most accurate knob is taken whose gap on
the validation rows is within it (else that of the least gap), and reported on the test rows. Where
all seeds have the same test rows, it is one knob for all of them, by the mean of their rates: the
validation rows of one seed hold too few cases to tell .02 from .04. Else those of a seed may be
test rows of another, and each has a knob of its own. One that decides the same for everybody is
within none. Tables "_test" are the front on the test rows themselves, each method's knob by its
mean gap there: what can be had by whoever knew where.

Where decisions are made by a score, thresholds for groups are put on it, too: "+ thresholds",
chosen on the validation rows (Unprocessing, Cruz and Hardt 2024). Decisions by chance count with
their probability, but error-parity's, which are drawn.
A method joins by an entry in OURS of benchmarks/_frontier_ours.py or PEERS of
benchmarks/_frontier_peers.py.

``--jobs N`` runs that many fits side by side. With ``--store FOLDER`` what is finished is kept
there, and the same command goes on where ``--minutes`` or something else stopped it.
"""

from __future__ import annotations

import argparse
import lzma
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ._common import RESULTS, parser, report
from ._frontier import (
    ACS_ROWS,
    DATA,
    PERCEPTRON,
    VALID_SHARE,
    Method,
    Model,
    Task,
    load,
    unprocessed,
)
from ._frontier_ours import OURS
from ._frontier_peers import PEERS, is_installed
from ._jobs import job_path, run_jobs

METHODS: dict[str, Method] = PEERS | OURS
TOLERANCES = (0.01, 0.02, 0.05)
OF_THRESHOLDS = (0.0, *TOLERANCES)
RATES = {
    "equalized_odds": ("TPR", "FPR"),
    "demographic_parity": ("accepted",),
}
OF_GROUPS = ("n", "accepted", "TPR", "FPR")
WHOLE = ("valid accepted", "test accepted")  # of all groups together
MIN_CASES = 10  # positives, and negatives, of a group that is compared on validation and test rows
SAME_FOR_ALL = 0.001  # share accepted, or refused, below which a method decides nothing
RESAMPLES = 2000
MESSAGE = 80  # letters of why a method is left out
ON_TEST = "_test"  # end of the names of tables
BOTH = "skfair's thresholds"  # over a peer's model


# -- one method -----------------------------------------------------------------------------------


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
        compared = rates.loc[rates["cases"] >= MIN_CASES, [*RATES[constraint]]]
        row |= {f"{name} accuracy": right.mean(), f"{name} gap": widest(compared)}
        row |= {f"{name} accepted": p.mean()}
        if name == "valid":
            own = compared.stack()
            row |= {f"valid {group} {rate}": value for (group, rate), value in own.items()}
    for group, own in rates.iterrows():
        row |= {f"{group} {name}": own[name] for name in OF_GROUPS}
    return row | {"right": right}


def widest(rates: pd.DataFrame) -> float:
    """Largest difference between groups, one a row, in any of the rates."""
    return float((rates.max() - rates.min()).max())


def candidates(task: Task, constraint: str, name: str, seed: int) -> Iterator[dict[str, Any]]:
    """Yield what every knob of a method gives, with and without thresholds."""
    method = METHODS[name]
    models = method.fit(task, constraint, method.knobs, seed)
    for knob in method.knobs:
        start, encoding = time.process_time(), task.encoding_seconds
        model = next(models)
        seconds = time.process_time() - start - (task.encoding_seconds - encoding)
        key = {"method": name, "origin": method.origin}
        key["needs group"] = "yes" if method.needs_group else "no"
        key |= {"knob": str(knob), "seed": seed, "tolerance": np.nan, "seconds": seconds}
        yield key | measured(task, constraint, model)
        for tolerance in OF_THRESHOLDS if model.score is not None else ():
            rules = unprocessed(task, constraint, model, tolerance)
            key |= {"method": f"{name} + thresholds", "needs group": "yes", "tolerance": tolerance}
            key["origin"] = method.origin if method.origin == "skfair" else BOTH
            yield key | measured(task, constraint, rules)


def choose(
    found: pd.DataFrame, gap: Callable[[pd.DataFrame], float], together: bool
) -> pd.DataFrame:
    """For each tolerance, method and seed: what is chosen by "valid accuracy" and "valid gap".

    The latter is the ``gap`` of a knob's rows: of all seeds ``together``, which then have the same
    knob, or of one.
    """
    methods = found.groupby(["method"] if together else ["method", "seed"], sort=False)
    sweeps = [_settings(own, gap) for _, own in methods]
    chosen = []
    for tolerance in TOLERANCES:
        merit = partial(_merit_of_knob, tolerance)
        for sweep in sweeps:
            best = max(sweep, key=merit)
            missed = not merit(best)[1]
            chosen.append(best.assign(tolerance=tolerance, missed=float(missed)))
    return pd.concat(chosen, ignore_index=True)


def _settings(own: pd.DataFrame, gap: Callable[[pd.DataFrame], float]) -> list[pd.DataFrame]:
    """Rows of each setting that all seeds have, with its gap and the seconds of the sweep."""
    of_knobs = own.drop_duplicates(["seed", "knob"])  # each with its thresholds
    own = own.assign(seconds=own["seed"].map(of_knobs.groupby("seed")["seconds"].sum()))
    settings = own.groupby(["knob", "tolerance"], sort=False, dropna=False)
    whole = settings.size().max()  # one that failed for a seed is none
    return [rows.assign(**{"valid gap": gap(rows)}) for _, rows in settings if len(rows) == whole]


def on_validation_rows(found: pd.DataFrame, constraint: str, together: bool) -> pd.DataFrame:
    """Choose by the gap of the seeds' mean rates on validation rows."""
    return choose(found, partial(_gap_of_means, constraint), together)


def on_test_rows(found: pd.DataFrame) -> pd.DataFrame:
    """Choose by the seeds' mean accuracy and mean gap on test rows: the front there."""
    seen = found.assign(**{"valid accuracy": found["test accuracy"]})
    return choose(seen, lambda rows: rows["test gap"].mean(), together=True)


def _gap_of_means(constraint: str, rows: pd.DataFrame) -> float:
    rates = {
        rate: rows.filter(regex=f"^valid .+ {rate}$").mean().rename(lambda c: c.rsplit(" ", 1)[0])
        for rate in RATES[constraint]
    }
    return widest(pd.DataFrame(rates))


def _merit_of_knob(tolerance: float, rows: pd.DataFrame) -> tuple[bool, bool, float]:
    decides = SAME_FOR_ALL <= rows["valid accepted"].mean() <= 1 - SAME_FOR_ALL
    gap = rows["valid gap"].mean()
    within = decides and gap <= tolerance + 1e-6
    return decides, within, rows["valid accuracy"].mean() if within else -gap


def run(data: str, constraint: str, seed: int, name: str) -> dict[str, Any]:
    """Return all candidates of a method, or why there are none."""
    warnings.simplefilter("ignore")  # of peers' solvers, and of groups: shown in the tables
    found, left_out = [], None
    try:
        for row in candidates(load(data, seed), constraint, name, seed):
            found.append(row | {"right": pack(row["right"])})  # those before a failure count
    except Exception as refused:  # too few rows for a tolerance, or a peer's own failure
        left_out = f"{name}: {' '.join(str(refused).split())[:MESSAGE]}"
    return {"left out": left_out, "found": found, "made with": made_with()}


def made_with() -> str:
    """Versions, of the machine where the fit was made."""
    packages = ("torch", "scikit-learn", "fairlearn", "numpy")
    versions = [f"{package} {version(package)}" for package in packages]
    return ", ".join([f"Python {platform.python_version()}", *versions])


def pack(right: np.ndarray) -> bytes:
    """Keep in little room to what degree each row is right."""
    return lzma.compress(right.astype(np.float16).tobytes())


def unpack(packed: bytes) -> np.ndarray:
    """Return what :func:`pack` was given, to three digits."""
    return np.frombuffer(lzma.decompress(packed), np.float16).astype(float)


# -- all of them ----------------------------------------------------------------------------------


def resampled_means(values: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Means of bootstrap samples, drawn as numbers of rows with each value."""
    different, counts = np.unique(np.round(values, 4), return_counts=True)
    n = len(values)
    return rng.multinomial(n, counts / n, size=RESAMPLES) @ different / n


def interval(
    rights: list[np.ndarray], fixed_test: bool, rng: np.random.RandomState
) -> tuple[float, float, float]:
    """Mean over seeds and rows, and its 95 % bootstrap interval over the test rows.

    Where all seeds have the same test rows, these are drawn for all of them together.
    """
    own = [np.mean(rights, axis=0)] if fixed_test else rights
    drawn = np.mean([resampled_means(each, rng) for each in own], axis=0)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(np.mean([each.mean() for each in own])), low, high


def intervals(chosen: pd.DataFrame, fixed_test: bool) -> pd.DataFrame:
    """Means over seeds, and how far from the best and from our best, by a paired bootstrap.

    The best is the most accurate on *test* rows of those that keep to the tolerance on validation
    rows in most seeds, if there is one, else that of the least gap on validation rows. Ours is the
    most accurate on *validation* rows of such. Each of those which need the group, and of those
    which do not, respectively.
    """
    rng = np.random.RandomState(0)
    rows = []
    for _, part in chosen.groupby(["tolerance", "needs group"]):
        methods = dict(list(part.groupby("method", sort=False)))
        ours = [name for name, own in methods.items() if (own["origin"] == "skfair").all()]
        marks = {"best": max(methods, key=partial(_merit, methods, "test accuracy"))}
        if ours:
            marks["ours"] = max(ours, key=partial(_merit, methods, "valid accuracy"))
        for name, own in methods.items():
            words = ["right", "method", "origin", "needs group", "knob", "seed"]
            mean = own.drop(columns=words).astype(float).mean().to_dict()
            mean |= {c: own[c].iloc[0] for c in ("method", "origin", "needs group")}
            mean |= {"seeds": len(own)}
            _, low, high = interval([*own["right"]], fixed_test, rng)
            mean |= {"test accuracy low": low, "test accuracy high": high}
            mean |= {f"{c} sd": own[c].std() for c in ("test accuracy", "test gap")}
            for mark, other in marks.items():
                figures = _paired(own, methods[other], fixed_test, rng)
                keys = (f"against {mark}", f"against {mark} low", f"against {mark} high")
                mean |= dict(zip(keys, figures, strict=True))
                mean[mark] = "yes" if name == other else ""
            rows.append(mean | {"knobs": " ".join(map(str, own["knob"]))})
    table = pd.DataFrame(rows)
    first = ["tolerance", "needs group", "method", "origin", "test accuracy", "test accuracy low"]
    first += ["test accuracy high", "test gap", "test gap sd", "missed", "seconds", "seeds"]
    first += [c for c in table if c in marks or c.startswith("against")]
    table = table[[*first, *(c for c in table if c not in first)]]
    return table.sort_values(
        ["tolerance", "needs group", "test accuracy"], ascending=[True, True, False]
    )


def _paired(
    own: pd.DataFrame, other: pd.DataFrame, fixed_test: bool, rng: np.random.RandomState
) -> tuple[float, float, float]:
    """Difference in accuracy on the seeds that both have."""
    left, right = (dict(zip(side["seed"], side["right"], strict=True)) for side in (own, other))
    seeds = sorted(left.keys() & right.keys())
    if not seeds:
        return np.nan, np.nan, np.nan
    return interval([left[seed] - right[seed] for seed in seeds], fixed_test, rng)


def _merit(methods: dict[str, pd.DataFrame], accuracy: str, name: str) -> tuple[bool, float]:
    own = methods[name]
    keeps = own["missed"].mean() < 0.5
    return keeps, own[accuracy].mean() if keeps else -own["valid gap"].mean()


def verdicts(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """For each data set, ours beside the best of the peers: where we lose first.

    Ours was chosen on validation rows, the peer on test rows, which favors it.
    """
    rows = []
    for data, table in tables.items():
        for (tolerance, needs_group), part in table.groupby(["tolerance", "needs group"]):
            keeps = part["missed"] < 0.5
            merit = part["test accuracy"].where(keeps, -part["valid gap"])
            part = part.assign(keeps=keeps, merit=merit)
            peers = part[part["origin"] == "peer"]
            ours = part[part["ours"] == "yes"]
            if ours.empty or peers.empty:
                continue
            own = ours.iloc[0]
            peer = peers.sort_values(["keeps", "merit"], ascending=False).iloc[0]
            row = {"data": data, "tolerance": tolerance, "needs group": needs_group}
            row["verdict"] = _verdict(own, peer)
            for side, of in (("ours", own), ("peer", peer)):
                row[side] = of["method"]
                row |= {f"{side} {c}": of[f"test {c}"] for c in ("accuracy", "gap")}
                row |= {f"{side} {c}": of[c] for c in ("missed", "seconds")}
            row["peer ahead by"] = peer["against ours"]
            rows.append(row | {"low": peer["against ours low"], "high": peer["against ours high"]})
    order = ["behind", "missed", "level", "both missed", "ahead", "peers missed"]
    table = pd.DataFrame(rows)
    return table.sort_values(["verdict", "peer ahead by"], key=partial(_in_order, order))


def _in_order(order: list[str], column: pd.Series) -> pd.Series:
    return column.map(order.index) if column.name == "verdict" else -column


def _verdict(own: pd.Series, peer: pd.Series) -> str:
    """Compare accuracies, where both keep to the tolerance on validation rows in most seeds."""
    kept = own["missed"] < 0.5, peer["missed"] < 0.5
    if kept != (True, True):
        names = {(False, True): "missed", (True, False): "peers missed"}
        return names.get(kept, "both missed")
    if peer["against ours low"] > 0:
        return "behind"
    return "ahead" if peer["against ours high"] < 0 else "level"


# -- the command ----------------------------------------------------------------------------------


def summarize(
    data: str, constraint: str, done: list[dict[str, Any]], settings: dict[str, Any], suffix: str
) -> None:
    """Write what was found on a data set."""
    found = pd.DataFrame([row for result in done for row in result["found"]])
    of_groups = [c for c in found if c.endswith(tuple(f" {rate}" for rate in OF_GROUPS))]
    left_out = {result["left out"] for result in done if result["left out"]}
    settings = settings | {"left out": "; ".join(sorted(left_out)) or "nothing"}
    settings["fitted with"] = "; ".join(sorted({result["made with"] for result in done}))
    name = f"frontier_{data}_{constraint}"
    fixed_test = DATA[data][1]
    ways = {
        "": ("chosen on validation rows", on_validation_rows(found, constraint, fixed_test)),
        ON_TEST: ("the front on test rows", on_test_rows(found)),
    }
    for end, (title, chosen) in ways.items():
        chosen = chosen.drop(columns=chosen.filter(regex="^valid .+ (TPR|FPR|accepted)$"))
        table = intervals(chosen.assign(right=chosen["right"].map(unpack)), fixed_test)
        report(f"{name}{end}{suffix}", table, f"{data}: {title}", settings)
    whole = found.drop(columns=["right", *(c for c in of_groups if c not in WHOLE)])
    report(f"{name}_all{suffix}", whole, f"{data}: every knob", settings)


def whole_tables(constraint: str, end: str = "") -> dict[str, pd.DataFrame]:
    """Tables of results that are there, by data set; ``end`` is that of their names."""
    paths = {name: RESULTS / f"frontier_{name}_{constraint}{end}.csv" for name in DATA}
    return {name: pd.read_csv(path, comment="#") for name, path in paths.items() if path.exists()}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    command = parser(__doc__.splitlines()[0], constraint=list(RATES))
    command.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    command.add_argument("--methods", help="names, separated by semicolons (default: all)")
    command.add_argument("--without", default="", help="such names to leave out")
    command.add_argument("--jobs", type=int, default=1, help="fits side by side")
    command.add_argument("--minutes", type=float, default=np.inf, help="start no fit after these")
    command.add_argument("--store", type=Path, help="folder in which finished fits are kept")
    return command.parse_args()


def main() -> None:
    args = arguments()
    seeds = 1 if args.quick else args.seeds
    methods = args.methods.split(";") if args.methods else list(METHODS)
    methods = [name for name in methods if name not in args.without.split(";")]
    kept = nullcontext(args.store) if args.store else tempfile.TemporaryDirectory()
    os.environ["PYTHONWARNINGS"] = "ignore"  # in other processes, before they import
    with kept as folder:
        jobs = [
            job
            for job in product(args.data, [args.constraint], range(seeds), methods)
            if is_installed(job[-1]) or job_path(Path(folder), job).exists()
        ]
        jobs.sort(key=lambda job: job[2])  # seed by seed, so that methods have the same ones
        done = run_jobs(run, jobs, Path(folder), args.minutes, args.jobs)
    settings = {"seeds": seeds, "constraint": args.constraint, "smallest group": MIN_CASES}
    settings |= {"validation rows": f"{VALID_SHARE} of the training part"}
    settings |= {"rows of each part of ACSIncome": ACS_ROWS}
    settings |= {"seconds": "of one core, for the whole sweep", "methods": "; ".join(methods)}
    for data in args.data:
        own = [result for job, result in zip(jobs, done, strict=True) if job[0] == data]
        described = settings | {"perceptron": PERCEPTRON[data]}
        summarize(data, args.constraint, own, described, "_quick" if args.quick else "")
    settings |= dict.fromkeys(("seeds", "methods"), "in the table of each data set")
    for end in () if args.quick else ("", ON_TEST):
        tables = whole_tables(args.constraint, end)
        name = f"frontier_{args.constraint}{end}"
        report(name, verdicts(tables), "Ours beside the best peer", settings)


if __name__ == "__main__":
    from benchmarks import frontier  # by its name, under which other processes find it

    frontier.main()
