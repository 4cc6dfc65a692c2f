"""Many groups and small ones: ``python -m benchmarks.many_groups [--data NAME] [--methods NAME]``.

A plain network, FaiR-N and the equalized-odds penalty, with groups weighed by their share (the
default) and all alike (the papers' term, averaged over pairs), group by group. Adult and MEPS by
sex x race, COMPAS by race x sex (favorable: no new offense), ACSIncome by SEX x RAC1P, and with one
tiny group against the rest. Nothing is tuned here: the weights by shares were chosen on rows of the
training parts (docs/user_guide/fairn.rst).

``--methods penalties`` goes through all penalties that have a name, with their default weight, and
those with a tolerance of .05: which groups of at least 100 fall below two thirds of what the plain
network accepts of them, and in how many seeds ``fit`` said that somebody pays.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skfair import FaiRNClassifier, NetworkClassifier, PenaltyClassifier
from skfair.datasets import fetch_compas, fetch_meps
from skfair.metrics import recourse_gap
from skfair.objectives.penalties import PENALTIES

from ._common import Part, adult, arguments, encode, report, split

ODDS = {"penalty": "equalized_odds"}
# method -> (class, parameters)
METHODS: dict[str, tuple[type, dict[str, Any]]] = {
    "plain": (NetworkClassifier, {}),
    "FaiR-N": (FaiRNClassifier, {}),
    "FaiR-N, qualified": (FaiRNClassifier, {"conditional": True}),
    "FaiR-N, equal": (FaiRNClassifier, {"group_weights": "equal"}),
    "EO": (PenaltyClassifier, ODDS),
    "EO, equal": (PenaltyClassifier, ODDS | {"group_weights": "equal"}),
}
WITHIN = {"tolerance": 0.05, "validation_fraction": 0.3}
ALL_PENALTIES: dict[str, tuple[type, dict[str, Any]]] = {
    "plain": (NetworkClassifier, {}),
    **{name: (PenaltyClassifier, {"penalty": name}) for name in PENALTIES},
    **{
        f"{name} within .05": (PenaltyClassifier, {"penalty": name, **WITHIN})
        for name in ("demographic_parity", "equal_opportunity", "equalized_odds")
    },
}
LARGE, MANY_POSITIVES, WITH_GAP = 300, 40, 100  # people, positives, people
PAYS = "Fewer are accepted|accepts nobody, or less"  # what fit warns of


def acs_income(sensitive: Callable[[pd.DataFrame], pd.Series]) -> tuple[Part, Part]:
    """60,000 rows of each part of ACSIncome; codes are categories."""
    path = Path(os.environ["SKFAIR_DATA"]) / "acs_income.csv.gz"
    table = pd.read_csv(path)
    parts = []
    for name in ("train", "test"):
        rows = table[table["split"] == name].sample(60_000, random_state=0)
        X = rows.drop(columns=["PINCP", "split"])
        words = [c for c in X.columns if c not in ("AGEP", "SCHL", "WKHP")]
        parts.append(Part(X.astype(dict.fromkeys(words, str)), rows["PINCP"].to_numpy(), rows))
    return tuple(part._replace(sensitive=sensitive(part.sensitive)) for part in parts)


def compas_by_race_and_sex() -> tuple[Part, Part]:
    data = fetch_compas()
    groups = combined(data.sensitive_features[["race", "sex"]])
    return split(data.data, (data.target == 0).to_numpy(int), groups, 0.3, 0)


def meps_by_race_and_sex() -> tuple[Part, Part]:
    data = fetch_meps()
    groups = combined(data.sensitive_features[["RACE", "SEX"]])
    return split(data.data, data.target.to_numpy(), groups, 0.3, 0)


def adult_by_sex_and_race() -> tuple[Part, Part]:
    parts = adult(sensitive=["sex", "race"])
    return tuple(part._replace(sensitive=combined(part.sensitive)) for part in parts)


def combined(frame: pd.DataFrame) -> pd.Series:
    return frame.astype(str).agg(" & ".join, axis=1)


def one_against_the_rest(race: int) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda table: (table["RAC1P"] == race).map({True: f"race {race}", False: "the rest"})


SMALL_NETWORK = {"hidden_layer_sizes": (30, 30), "batch_size": 1024, "max_epochs": 20}
ACS_NETWORK = {"hidden_layer_sizes": (64, 64), "batch_size": 1024, "max_epochs": 12}
# data -> (parts, parameters of the network)
DATA: dict[str, tuple[Callable[[], tuple[Part, Part]], dict[str, Any]]] = {
    "adult": (adult_by_sex_and_race, SMALL_NETWORK),
    "acs": (lambda: acs_income(lambda t: combined(t[["SEX", "RAC1P"]])), ACS_NETWORK),
    "acs_7": (lambda: acs_income(one_against_the_rest(7)), ACS_NETWORK),
    "acs_3": (lambda: acs_income(one_against_the_rest(3)), ACS_NETWORK),
    "compas": (compas_by_race_and_sex, SMALL_NETWORK | {"batch_size": 128}),
    "meps": (meps_by_race_and_sex, SMALL_NETWORK | {"batch_size": 256}),
}


def by_group(test: Part, y_pred: np.ndarray) -> pd.DataFrame:
    """Size, positives and rates of each group."""
    table = pd.DataFrame({"group": test.sensitive.to_numpy(), "y": test.y, "selected": y_pred})
    groups = table.groupby("group")
    rates = groups.agg(n=("y", "size"), positives=("y", "sum"), selected=("selected", "mean"))
    for name, label in (("TPR", 1), ("FPR", 0)):
        rates[name] = table[table["y"] == label].groupby("group")["selected"].mean()
    return rates


def summary(test: Part, y_pred: np.ndarray, decision: np.ndarray, rates: pd.DataFrame) -> dict:
    """Accuracy and the largest differences between groups that are not tiny."""
    with_gap = test.sensitive.isin(rates.index[rates["n"] >= WITH_GAP]).to_numpy()
    groups = test.sensitive[with_gap]
    of_many = rates.loc[rates["positives"] >= MANY_POSITIVES, "TPR"]
    return {
        "accuracy": (y_pred == test.y).mean(),
        "TPR spread": of_many.max() - of_many.min() if len(of_many) > 1 else np.nan,
        "recourse gap": recourse_gap(decision[with_gap], sensitive_features=groups)
        if groups.nunique() > 1
        else np.nan,
        "lowest share of plain": np.nan,
    }


def fitted(model: Any, train: Part) -> bool:
    """Fit; return whether it said that a group pays."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(train.X, train.y, sensitive_features=train.sensitive)
    return any(re.search(PAYS, str(warning.message)) for warning in caught)


def run(
    name: str, methods: dict[str, tuple[type, dict[str, Any]]], seeds: int, quick: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rates of each group, and a summary, as means over seeds."""
    parts, network = DATA[name]
    train, test = encode(*parts())
    if quick:
        network = network | {"max_epochs": 3}
    rates, summaries = {}, {}
    for method, (kind, params) in methods.items():
        runs = []
        for seed in range(seeds):
            model = kind(**network, **params, random_state=seed)
            says_so = fitted(model, train)
            y_pred = model.predict(test.X)
            own = by_group(test, y_pred)
            found = summary(test, y_pred, model.decision_function(test.X), own)
            runs.append((own, found | {"fit says who pays": float(says_so)}))
        rates[method] = sum(own for own, _ in runs) / seeds
        summaries[method] = pd.DataFrame([row for _, row in runs]).mean().astype(object)
        large = rates[method]["n"] >= LARGE
        share = rates[method]["selected"] / rates["plain"]["selected"]
        summaries[method]["lowest share of plain"] = share[large].min()
        below = share.index[(rates[method]["n"] >= WITH_GAP) & (share < 2 / 3)]
        summaries[method]["below two thirds"] = "; ".join(below)
    groups = pd.concat(rates, names=["method"]).reset_index()
    return (
        groups.assign(data=name),
        pd.DataFrame(summaries)
        .T.infer_objects()
        .rename_axis("method")
        .reset_index()
        .assign(data=name),
    )


def main() -> None:
    args = arguments(
        __doc__.splitlines()[0], data=["all", *DATA], methods=("standard", "penalties")
    )
    methods = ALL_PENALTIES if args.methods == "penalties" else METHODS
    seeds = 1 if args.quick else args.seeds
    names = list(DATA) if args.data == "all" else [args.data]
    settings = {"seeds": seeds, "Adult, COMPAS, MEPS": SMALL_NETWORK, "ACSIncome": ACS_NETWORK}
    for name in names:
        groups, table = run(name, methods, seeds, args.quick)
        wide = groups.pivot(index=["group", "n"], columns="method", values=["selected", "TPR"])
        wide = wide.swaplevel(axis=1)[list(methods)].sort_index(level="n", ascending=False)
        print(f"\n{name}, group by group: share selected and TPR, mean of {seeds} seeds")
        print(wide.to_string(float_format=lambda v: f"{v:.3f}"))
        suffix = "_quick" if args.quick else ""
        of = f"many_groups_{name}" + "_penalties" * (args.methods == "penalties")
        report(f"{of}{suffix}", groups, f"{name}, rates of each group", settings)
        report(f"{of}_summary{suffix}", table, f"{name}, in short", settings)


if __name__ == "__main__":
    main()
