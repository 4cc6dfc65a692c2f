"""Fairness of findings in chest X-rays: ``python -m benchmarks.chest_findings``.

Technical Challenges, Tables 1 and 8 to 11 and Fig. 3, with CheXpert's five findings in 1,993 X-rays
of NIH, several findings a picture: plain training, equal loss by sex on the training rows and on a
hold-out, max-min and label flipping; the same penalties by age. Areas under the curve of train,
validation and test part by sex, their gap and that of ages with intervals over patients, and for
each finding and group how many are called positive, and how many of the positives. Equalized odds
and disparate impact take one label a row, and are left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from skorch.callbacks import LRScheduler

from skfair import NetworkClassifier, PenaltyClassifier

from ._common import report
from ._images import (
    FINDINGS,
    PARTS,
    Images,
    SmallNet,
    arguments,
    chest,
    linear_decision,
    shift,
)
from ._jobs import run_jobs

EPOCHS = 30
SHORT = dict(zip(FINDINGS, ("AT", "CA", "CO", "ED", "PE"), strict=True))
SEXES, AGES = ("M", "F"), ("younger", "60 or older")
RESAMPLES = 1000
LINEAR = "linear (60 components)"
QUICK = ("plain", "equal loss, train, 1", "equal loss, train, 10", "equal loss, hold-out, 1")
QUICK += ("max-min", "flip 10 % of M", "flip 10 % of F")
BY_AGE = ("equal loss, train, 1, by age", "equal loss, hold-out, 1, by age", "max-min, by age")
QUICK += BY_AGE
SCHEMES = (*QUICK, "equal loss, train, 100", "equal loss, hold-out, 100")
# Tables 8 to 11, mean of the five findings: men, women, gap of train, validation, test
PAPER = {
    "plain": (0.950, 0.953, 0.002, 0.753, 0.753, 0.007, 0.816, 0.781, 0.047),
    "equal loss, train, 100": (0.907, 0.907, 0.003, 0.769, 0.770, 0.005, 0.847, 0.843, 0.028),
    "equal loss, hold-out, 100": (0.937, 0.940, 0.004, 0.740, 0.745, 0.010, 0.830, 0.784, 0.062),
    "max-min": (0.958, 0.906, 0.052, 0.758, 0.762, 0.008, 0.840, 0.840, 0.049),
    "flip 10 % of M": (0.931, 0.887, 0.044, 0.738, 0.725, 0.017, 0.747, 0.752, 0.074),
    "flip 10 % of F": (0.856, 0.905, 0.049, 0.694, 0.721, 0.028, 0.754, 0.765, 0.077),
}


def make(scheme: str, seed: int) -> Any:
    """Build the model of a row."""
    network = {
        "module": SmallNet,
        "optimizer": "adamw",
        "lr": 1e-3,
        "weight_decay": 0.05,
        "batch_size": 64,
        "max_epochs": EPOCHS,
        "averaging": 0.0,
        "random_state": seed,
        "net_params": {"callbacks": [LRScheduler("CosineAnnealingLR", T_max=EPOCHS)]},
    }
    network |= {"augment": shift}
    if scheme == "plain" or scheme.startswith("flip"):
        return NetworkClassifier(**network)
    network["group_weights"] = "equal"  # |L_F - L_M|, as printed
    scheme = scheme.removesuffix(", by age")
    if scheme == "max-min":
        return PenaltyClassifier(penalty="max_min", alpha=1.0, **network)
    _, where, alpha = scheme.split(", ")
    return PenaltyClassifier(
        penalty="equal_loss",
        penalty_on=where.replace("-", ""),
        holdout_fraction=0.2,
        alpha=float(alpha),
        **network,
    )


def flipped(y: np.ndarray, members: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Labels of which a share, of the members, is turned around in each finding."""
    drawn = np.random.RandomState(seed).random_sample(y.shape) < share
    return np.where(drawn & members[:, np.newaxis], 1 - y, y)


def run(scheme: str, seed: int, size: int) -> dict[str, Any]:
    """Train once; decision values of all parts."""
    parts = chest(size, seed)
    if scheme == LINEAR:
        return {"scheme": scheme, "seed": seed, "test": linear_decision(parts, 60)}
    model, train = make(scheme, seed), parts["train"]
    y, groups = train.y, train.sensitive["age" if scheme in BY_AGE else "sex"]
    if scheme.startswith("flip"):
        _, percent, _, _, sex = scheme.split()
        y = flipped(y, groups.to_numpy() == sex, int(percent) / 100, seed)
    model.fit(train.X, y, sensitive_features=groups)
    decisions = {name: model.decision_function(part.X) for name, part in parts.items()}
    return {"scheme": scheme, "seed": seed} | decisions


def areas(
    decision: np.ndarray, part: Images, rows: np.ndarray, by: str, names: tuple[str, str]
) -> np.ndarray:
    """AUC of each finding (row) in each of two groups (column); NaN without both labels."""
    groups = part.sensitive[by].to_numpy()[rows]
    found = np.full((len(FINDINGS), 2), np.nan)
    for j, name in enumerate(names):
        members = rows[groups == name]
        if len(members):
            y, ranks = part.y[members], rankdata(decision[members], axis=0)
            n_positive = y.sum(0)
            n_pairs = n_positive * (len(y) - n_positive)
            wins = (ranks * y).sum(0) - n_positive * (n_positive + 1) / 2
            found[:, j] = np.where(n_pairs > 0, wins / np.maximum(n_pairs, 1), np.nan)
    return found


def summary(found: np.ndarray) -> np.ndarray:
    """For each finding and for their mean: both groups, and the gap first minus second.

    The last row's gap is the mean of the absolute gaps, as in the paper's tables.
    """
    signed = found[:, 0] - found[:, 1]
    rows = np.column_stack([found, signed])
    return np.vstack([rows, [*np.nanmean(found, axis=0), np.nanmean(np.abs(signed))]])


def intervals(
    runs: list[dict[str, Any]], parts: list[Images], by: str, names: tuple[str, str]
) -> np.ndarray:
    """2.5 and 97.5 % of the gaps, mean over seeds, over resampled patients of each test part.

    The last row is the gap between the groups' mean areas, with its sign: a mean of absolute values
    is positive in every resample.
    """
    rng = np.random.RandomState(0)
    of_seeds = []
    for r, part in zip(runs, parts, strict=True):
        patients = np.unique(part.who)
        rows_of = [np.flatnonzero(part.who == patient) for patient in patients]
        gaps = []
        for _ in range(RESAMPLES):
            drawn = rng.randint(len(patients), size=len(patients))
            rows = np.concatenate([rows_of[i] for i in drawn])
            found = areas(r["test"], part, rows, by, names)
            signed = found[:, 0] - found[:, 1]
            gaps.append([*signed, np.nanmean(signed)])
        of_seeds.append(gaps)
    return np.nanpercentile(np.mean(of_seeds, axis=0), [2.5, 97.5], axis=0).T


def table_of(
    runs: list[dict[str, Any]], scheme: str, parts: list[dict[str, Images]]
) -> pd.DataFrame:
    """Rows of one scheme: the five findings and their mean."""
    table = pd.DataFrame({"scheme": scheme, "finding": [*SHORT.values(), "mean"]})
    columns = [(name, "sex", SEXES) for name in (PARTS if scheme != LINEAR else ("test",))]
    for name, by, names in (*columns, ("test", "age", AGES)):
        each = []
        for r, of_seed in zip(runs, parts, strict=True):
            part = of_seed[name]
            each.append(summary(areas(r[name], part, np.arange(len(part.y)), by, names)))
        gap = "gap" if by == "sex" else "age gap"
        for j, column in enumerate((*names, gap)):
            table[f"{name} {column}"] = np.mean(each, axis=0)[:, j]
        if name == "test":
            table[f"test {gap} sd"] = (
                np.std(each, axis=0, ddof=1)[:, 2] if len(each) > 1 else np.nan
            )
            tests = [of_seed["test"] for of_seed in parts]
            table[f"{gap} low"], table[f"{gap} high"] = intervals(runs, tests, by, names).T
    mean = table.index[-1]
    for i, value in enumerate(PAPER.get(scheme, ())):
        name = f"paper {PARTS[i // 3]} {('M', 'F', 'gap')[i % 3]}"
        table.loc[mean, name] = value
    return table


def rates(runs: list[dict[str, Any]], scheme: str, parts: list[dict[str, Images]]) -> pd.DataFrame:
    """Each finding and group of the test parts: pictures, positives, share called positive, TPR.

    Called positive are as many pictures as are positive in the training part, those with the
    greatest values: at probability one half hardly any would be.
    """
    found = []
    for r, of_seed in zip(runs, parts, strict=True):
        test, decision = of_seed["test"], r["test"]
        share = of_seed["train"].y.mean(0)
        called = decision > [np.quantile(decision[:, i], 1 - p) for i, p in enumerate(share)]
        for by, names in (("sex", SEXES), ("age", AGES)):
            for name in names:
                members = test.sensitive[by].to_numpy() == name
                for i, finding in enumerate(SHORT.values()):
                    positive = members & (test.y[:, i] == 1)
                    found.append(
                        {
                            "finding": finding,
                            "group": name,
                            "pictures": members.sum(),
                            "positives": positive.sum(),
                            "called": called[members, i].sum(),
                            "found": called[positive, i].sum(),
                        }
                    )
    table = pd.DataFrame(found).groupby(["finding", "group"], sort=False).sum()
    table["called"] /= table["pictures"]
    table["TPR"] = table.pop("found") / table["positives"]
    table = table.reset_index()
    table.insert(0, "scheme", scheme)
    return table.sort_values(
        "finding", key=lambda f: f.map(list(SHORT.values()).index), kind="stable"
    )


def main() -> None:
    """Run every scheme on every seed."""
    args = arguments(__doc__)
    schemes = (LINEAR, *(QUICK if args.quick else SCHEMES))
    size, seeds = 32 if args.quick else 64, range(args.seeds)
    jobs = [(scheme, seed, size) for scheme in schemes for seed in seeds]
    done = run_jobs(run, jobs, args.folder / "chest_findings", args.minutes)
    runs = {scheme: [r for r in done if r["scheme"] == scheme] for scheme in schemes}
    parts = [chest(size, seed) for seed in seeds]
    tests = [of_seed["test"] for of_seed in parts]
    sizes = {
        name: f"{sum(len(np.unique(t.who[members(t)])) for t in tests)} patients, "
        f"{sum(members(t).sum() for t in tests)} pictures, positives "
        + ", ".join(
            f"{short} {sum(t.y[members(t), i].sum() for t in tests)}"
            for i, short in enumerate(SHORT.values())
        )
        for name, members in (
            ("F", lambda t: t.sensitive["sex"].to_numpy() == "F"),
            ("M", lambda t: t.sensitive["sex"].to_numpy() == "M"),
        )
    }
    settings = {
        "command": "python -m benchmarks.chest_findings" + " --quick" * args.quick,
        "seeds": args.seeds,
        "pictures": f"{', '.join(f'{name} {len(part.y)}' for name, part in parts[0].items())} "
        "(seed 0), by patient; each seed has another quarter of the patients as test part",
        "test parts together": sizes,
        "network": f"small, {size} x {size}, {EPOCHS} epochs, AdamW 1e-3, weight decay .05, cosine "
        "to 0, batches of 64, moved by 1/24; last epoch",
        "gap": "AUC of M - F, younger - older, mean of seeds; row mean: mean of absolute gaps",
        "low, high": f"95 %, {RESAMPLES} resamples of patients; row mean: of the signed gap "
        "between the mean areas",
        "hold-out": "a fifth of the training pictures, not by patient",
        "flip": "of the labels of each finding in the group, once, before training",
        "paper": "DenseNet on CheXpert, Tables 8 to 11, means of five findings",
        "device": "cpu",
    }
    title = "AUC by sex and age (Technical Challenges, Tables 1 and 8 to 11, Fig. 3)"
    name = "chest_findings" + "_quick" * args.quick
    tables = [table_of(of_scheme, scheme, parts) for scheme, of_scheme in runs.items()]
    report(name, pd.concat(tables), title, settings)
    groups = [rates(of_scheme, scheme, parts) for scheme, of_scheme in runs.items()]
    called = "as many as are positive in the training part, the greatest values; seeds pooled"
    title = "Called positive, and TPR, by finding and group of the test parts"
    report(f"{name}_rates", pd.concat(groups), title, settings | {"called positive": called})


if __name__ == "__main__":
    main()
