"""Raw tables: ``python -m benchmarks.tabular [--data NAME ...] [--rows PART] [--models A B ...]``.

Adult and ACSIncome as their ``split`` column divides them, COMPAS, German credit and MEPS by seed:
logistic regression, scikit-learn's perceptron and ours on one-hot columns; gradient boosting and
the tabular network with its defaults on the frame as it comes; both networks with FaiR-N (.5, .1)
and a penalty on equalized odds. Every fit runs in a process of its own: CPU seconds and the growth
of memory, which includes libraries that it loads, are its own, also where ``--jobs N`` runs that
many side by side; beside others a fit takes some more. With ``--folder`` finished fits are kept,
and the same command goes on after ``--minutes``, or where it was stopped. Groups are female and
male, in COMPAS African-American and other, in MEPS Non-White and White.

``--rows test`` (the default) reports on test parts, seeds 0 to 4. ``--rows tuning`` is what the
defaults of the tabular network were chosen on: parts of the *training* rows of Adult and ACSIncome,
and other splits of the rest, seeds from 100.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits

from skfair import FaiRNClassifier, NetworkClassifier, PenaltyClassifier
from skfair.datasets import fetch_acs_income, fetch_compas, fetch_german_credit

from ._common import Part, adult, meps, parser, peak_megabytes, report, split, table_encoder
from ._jobs import run_jobs

DATA = ("acs", "adult", "meps", "compas", "german")  # the longest jobs first
MAX_CATEGORIES = 254  # of scikit-learn's gradient boosting; codes of the others are numbers to it
N_MEMBERS = 8


def parts(data: str, rows: str, seed: int) -> tuple[Part, Part]:
    """Training and test part, or, to choose on, two parts of the former."""
    if data == "adult":
        train, test = adult()
    elif data == "acs":
        train, test = acs_income()
    elif data == "compas":
        frame = fetch_compas()
        groups = frame.sensitive_features["race"].astype(str)
        groups = groups.where(groups == "African-American", "other")
        return split(frame.data, frame.target.to_numpy(), groups, 0.3, seed)
    elif data == "german":
        frame = fetch_german_credit()
        groups = frame.sensitive_features["sex"].astype(str)
        return split(frame.data, (frame.target == "good").to_numpy(int), groups, 0.3, seed)
    else:
        return meps(seed)
    if rows == "tuning":
        return split(train.X, train.y, train.sensitive, 0.2, seed)
    return train, test


@cache
def acs_income() -> tuple[Part, Part]:
    """All of ACSIncome, codes as categories."""
    data = fetch_acs_income()
    groups = data.sensitive_features["SEX"].astype(str)
    is_train = (data.split == "train").to_numpy()
    y = data.target.to_numpy(int)
    return tuple(Part(data.data[rows], y[rows], groups[rows]) for rows in (is_train, ~is_train))


def few_categories(X: pd.DataFrame) -> pd.DataFrame:
    """Codes instead of categories where there are too many for gradient boosting."""
    kinds = X.select_dtypes("category")
    many = [name for name in kinds if len(X[name].cat.categories) > MAX_CATEGORIES]
    return X.assign(**{name: X[name].cat.codes for name in many})


def boosting(seed: int, train: Part) -> Any:
    n_trees = 300 if len(train.y) > 100_000 else 100  # more would only overfit a small table
    model = HistGradientBoostingClassifier(
        max_iter=n_trees, categorical_features="from_dtype", random_state=seed
    )
    return make_pipeline(FunctionTransformer(few_categories), model)


def light_gbm(seed: int) -> Any:
    from lightgbm import LGBMClassifier  # which need not be installed

    return LGBMClassifier(random_state=seed, verbose=-1, n_jobs=1)


def one_hot(estimator: Any, train: Part) -> Any:
    return make_pipeline(table_encoder(train.X), estimator)


FAIRN = partial(FaiRNClassifier, lambda_fairness=0.5, lambda_robustness=0.1)
EQUALIZED_ODDS = partial(PenaltyClassifier, penalty="equalized_odds", alpha=1.0)

# name -> model for a seed and training rows
MODELS: dict[str, Callable[[int, Part], Any]] = {
    "logistic regression": lambda seed, train: one_hot(LogisticRegression(max_iter=1000), train),
    "scikit-learn's MLP": lambda seed, train: one_hot(
        MLPClassifier(early_stopping=True, random_state=seed), train
    ),
    "HistGradientBoosting": boosting,
    "LightGBM": lambda seed, train: light_gbm(seed),
    "MLP": lambda seed, train: one_hot(NetworkClassifier(module="mlp", random_state=seed), train),
    "tabular": lambda seed, train: NetworkClassifier(random_state=seed),
    "tabular, members": lambda seed, train: NetworkClassifier(
        n_members=N_MEMBERS, random_state=seed
    ),
    "MLP, FaiR-N": lambda seed, train: one_hot(FAIRN(module="mlp", random_state=seed), train),
    "tabular, FaiR-N": lambda seed, train: FAIRN(random_state=seed),
    "MLP, equalized odds": lambda seed, train: one_hot(
        EQUALIZED_ODDS(module="mlp", random_state=seed), train
    ),
    "tabular, equalized odds": lambda seed, train: EQUALIZED_ODDS(random_state=seed),
}
# One-hot columns of ACSIncome are a gigabyte; members take eight times as long.
ON_ACS = (
    "HistGradientBoosting",
    "LightGBM",
    "tabular",
    "tabular, FaiR-N",
    "tabular, equalized odds",
)


def apart(function: Callable[[], Any]) -> Any:
    """Return what a function returns in a process of its own."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=lambda: sender.send(function()))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        raise RuntimeError("the process ended without an answer") from None
    finally:
        process.join()


def resident_megabytes() -> float:
    """Memory that this process holds now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def groups_for(model: Any, train: Part) -> dict[str, Any]:
    """Say how ``fit`` takes the sensitive features, if it does."""
    last = model[-1] if hasattr(model, "steps") else model
    if not isinstance(last, (FaiRNClassifier, PenaltyClassifier)):
        return {}
    prefix = f"{model.steps[-1][0]}__" if last is not model else ""
    return {f"{prefix}sensitive_features": train.sensitive}


@threadpool_limits.wrap(limits=1)
def measured(model: Any, train: Part, test: Part) -> dict[str, Any]:
    """Fit and predict: quality, the groups beside their gaps, time and memory."""
    before, start = resident_megabytes(), time.process_time()
    model.fit(train.X, train.y, **groups_for(model, train))
    row = {"fit CPU s": time.process_time() - start}
    row["fit MB"] = max(0.0, peak_megabytes() - before)
    start = time.process_time()
    p = model.predict_proba(test.X)[:, 1]
    row["rows / CPU s"] = len(test.y) / (time.process_time() - start)
    accepted = p > 0.5
    rates = [rates_of(test, accepted, group) for group in np.unique(test.sensitive)]
    return {
        "accuracy": accuracy_score(test.y, accepted),
        "AUC": roc_auc_score(test.y, p),
        **{f"|d{name}|": abs(rates[0][name] - rates[1][name]) for name in ("TPR", "FPR")},
        "worst accuracy": min(of["accuracy"] for of in rates),
        **row,
        **{f"{name} {i}": value for i, of in enumerate(rates) for name, value in of.items()},
    }


def rates_of(test: Part, accepted: np.ndarray, group: str) -> dict[str, Any]:
    of = (test.sensitive == group).to_numpy()
    positive = test.y == 1
    return {
        "group": group,
        "n": int(of.sum()),
        "accepted": accepted[of].mean(),
        "TPR": accepted[of & positive].mean(),
        "FPR": accepted[of & ~positive].mean(),
        "accuracy": (accepted == positive)[of].mean(),
    }


def summary(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Means over seeds, and standard deviations of what models are compared by."""
    frame = pd.DataFrame(rows)
    groups = frame.groupby(["data", "model"], sort=False)
    names = groups[["group 0", "group 1"]].first()
    deviations = groups[["accuracy", "AUC"]].std().add_suffix(" sd")
    means = groups.mean(numeric_only=True).drop(columns="seed")
    return means.join(names).join(deviations).assign(seeds=groups.size()).reset_index()


def run(data: str, rows: str, seed: int, name: str) -> dict[str, Any]:
    """Fit and measure a model, in a process of its own."""
    train, test = parts(data, rows, seed)
    row = apart(partial(measured, MODELS[name](seed, train), train, test))
    size = {"rows": len(train.y), "test rows": len(test.y)}
    return {"data": data, "model": name, "seed": seed, **size, **row}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    command = parser(__doc__, rows=("test", "tuning"))
    command.add_argument("--data", nargs="+", choices=DATA, default=DATA, help="all by default")
    command.add_argument("--models", nargs="+", choices=MODELS, help="all by default")
    command.add_argument("--jobs", type=int, default=1, help="fits side by side")
    command.add_argument("--minutes", type=float, default=np.inf, help="start no fit after these")
    command.add_argument("--folder", type=Path, help="where finished fits are kept")
    return command.parse_args()


def main() -> None:
    """Run."""
    options = arguments()
    first = 100 if options.rows == "tuning" else 0
    seeds = range(first, first + (1 if options.quick else options.seeds))
    jobs = [
        (data, options.rows, seed, name)
        for data in options.data
        for seed in seeds
        for name in options.models or (ON_ACS if data == "acs" else MODELS)
        if name != "LightGBM" or find_spec("lightgbm")
    ]
    kept = nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory()
    with kept as folder:
        done = run_jobs(run, jobs, Path(folder), options.minutes, options.jobs)
    for data in options.data:
        rows = [row for row in done if row["data"] == data]
        title = f"{data}: {rows[0]['rows']} rows, tested on {rows[0]['test rows']}"
        settings = {
            "rows": options.rows,
            "seeds": f"{seeds[0]} to {seeds[-1]}",
            "fits side by side": options.jobs,
        }
        name = f"tabular_{data}" + ("_quick" if options.quick else "")
        whole = options.rows == "test" and not options.models
        report(name, summary(rows), title, settings, write=whole)


if __name__ == "__main__":
    from benchmarks import tabular  # by its name, under which other processes find it

    tabular.main()
