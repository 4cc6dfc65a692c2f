"""Does fairness generalize on several labels? ``python -m benchmarks.chest_findings``.

Technical Challenges, Table 1 and Tables 8 to 11, on 1,993 chest X-rays of 940 patients of NIH
ChestX-ray14 with CheXpert's five labels at once: one network, five logits. Divided by patient, anew
for each seed. Penalties by sex and by age; of those of the paper, the ones that take several labels
a row. The pictures have 64 x 64 pixels, 32 x 32 with ``--quick``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from scipy.special import expit
from scipy.stats import rankdata

from skfair import PenaltyClassifier

from ._common import Part, arguments, report
from ._images import CHEXPERT, bootstrap, chest, flat, linear_model, remember, training

GROUPS = {"sex": ("Male", "Female"), "age": ("under 60", "60 and over")}
SCHEMES: dict[str, dict[str, Any]] = {
    "baseline": {"penalty": "equal_loss", "alpha": 0.0},
    "equal loss, train, 1": {"penalty": "equal_loss", "alpha": 1.0},
    "equal loss, train, 10": {"penalty": "equal_loss", "alpha": 10.0},
    "equal loss, hold-out, 1": {"penalty": "equal_loss", "alpha": 1.0, "penalty_on": "holdout"},
    "max-min": {"penalty": "max_min", "alpha": 1.0},
    "flip 10 %, first group": {"penalty": "equal_loss", "alpha": 0.0},
    "flip 10 %, second group": {"penalty": "equal_loss", "alpha": 0.0},
}
FLIP = 0.1
# Gap in AUC of the sexes on train, validation and test, mean over tasks (Tables 1, 8 to 11).
PAPER = {
    "baseline": (0.002, 0.007, 0.047),
    "equal loss, train, 1": (0.003, 0.005, 0.028),  # alpha = 100
    "equal loss, train, 10": (0.012, 0.009, 0.069),  # alpha = 1000
    "equal loss, hold-out, 1": (0.004, 0.010, 0.062),
    "max-min": (0.052, 0.008, 0.049),
    "flip 10 %, first group": (0.044, 0.017, 0.074),
    "flip 10 %, second group": (0.049, 0.028, 0.077),
}
# The same, of each task on the test part.
PAPER_TASKS = {
    "baseline": (0.068, 0.027, 0.088, 0.024, 0.030),
    "equal loss, train, 1": (0.008, 0.009, 0.016, 0.046, 0.059),
    "equal loss, train, 10": (0.022, 0.046, 0.131, 0.044, 0.103),
    "equal loss, hold-out, 1": (0.004, 0.076, 0.185, 0.008, 0.036),
    "max-min": (0.068, 0.018, 0.065, 0.057, 0.036),
    "flip 10 %, first group": (0.056, 0.047, 0.067, 0.118, 0.084),
    "flip 10 %, second group": (0.071, 0.065, 0.017, 0.081, 0.150),
}


def flipped(y: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
    """Labels of which a share, drawn for each finding, is turned around among ``rows``, once."""
    drawn = np.random.RandomState(seed).random_sample(y.shape) < FLIP
    return np.where(drawn & rows[:, np.newaxis], 1 - y, y)


def run(scheme: str, by: str, seed: int, epochs: int, factor: int, device: str) -> dict:
    """Log-odds of each part, (rows, findings), after the last epoch."""
    torch.set_num_threads(1)
    parts, _ = chest(seed, factor)
    train = parts["train"]
    groups, y = train.sensitive[by].to_numpy(), train.y
    if scheme.startswith("flip"):
        y = flipped(y, groups == GROUPS[by]["second" in scheme], seed)
    params = training(epochs, seed, device) | {"batch_size": 64, "averaging": 0.0}
    model = PenaltyClassifier(**params, **SCHEMES[scheme], group_weights="equal")
    model.fit(train.X, y, sensitive_features=groups)
    return {name: model.decision_function(part.X) for name, part in parts.items()}


def aucs(y: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """AUC of each column, NaN where there is one class only."""
    n_positive = y.sum(0)
    ranks = rankdata(decision, axis=0)
    with np.errstate(invalid="ignore"):
        return ((ranks * y).sum(0) - n_positive * (n_positive + 1) / 2) / (
            n_positive * (len(y) - n_positive)
        )


def group_aucs(part: Part, decision: np.ndarray, by: str) -> np.ndarray:
    """AUC of each group and finding, (2, 5)."""
    groups = part.sensitive[by].to_numpy()
    return np.array(
        [aucs(part.y[groups == group], decision[groups == group]) for group in GROUPS[by]]
    )


def by_finding(part: Part, decision: np.ndarray, by: str) -> list[dict]:
    """Each finding: sizes, AUC, share called positive and TPR of each group."""
    groups, rows = part.sensitive[by].to_numpy(), []
    for j, finding in enumerate(CHEXPERT):
        row: dict[str, Any] = {"finding": finding}
        for group in GROUPS[by]:
            member = groups == group
            y, called = part.y[member, j], expit(decision[member, j]) > 0.5
            row |= {
                f"{group} n": len(y),
                f"{group} positives": y.sum(),
                f"{group} AUC": aucs(y[:, np.newaxis], decision[member, j][:, np.newaxis])[0],
                f"{group} called": called.mean(),
                f"{group} TPR": called[y == 1].mean() if y.any() else np.nan,
            }
        first, second = (row[f"{group} AUC"] for group in GROUPS[by])
        rows.append(row | {"AUC gap": abs(first - second)})
    return rows


def linear(seed: int) -> dict:
    """Log-odds of a logistic regression on principal components, on each part."""
    parts, _ = chest(seed)
    train, decisions = parts["train"], {name: [] for name in parts}
    components = linear_model(60).fit(flat(train.X), train.y[:, 0])
    inner, model = components[:-1], components[-1]
    features = {name: inner.transform(flat(part.X)) for name, part in parts.items()}
    for j in range(len(CHEXPERT)):
        model.fit(features["train"], train.y[:, j])
        for name in parts:
            decisions[name].append(model.decision_function(features[name]))
    return {name: np.transpose(columns) for name, columns in decisions.items()}


def table_1(found: dict[int, dict], by: str, factor: int) -> dict[str, float]:
    """Mean AUC over findings of both groups, and gap, on every part: means over seeds.

    The gap is the paper's, the mean over findings of the absolute difference; it is above zero by
    chance alone. The difference, first group minus second, is not, and has an interval: of the mean
    over seeds, by drawing patients of each test part with replacement.
    """
    first, second = GROUPS[by]
    rows, draws = [], []
    for seed, decisions in found.items():
        parts, owner = chest(seed, factor)
        row = {}
        for name, part in parts.items():
            values = group_aucs(part, decisions[name], by)
            means = np.nanmean(values, axis=1)
            row |= {f"{name} {first}": means[0], f"{name} {second}": means[1]}
            row[f"{name} gap"] = np.nanmean(np.abs(values[0] - values[1]))
        row["test difference"] = row[f"test {first}"] - row[f"test {second}"]
        rows.append(row)
        test, decision = parts["test"], decisions["test"]

        def statistic(
            drawn: np.ndarray, test: Part = test, decision: np.ndarray = decision
        ) -> np.ndarray:
            part = Part(None, test.y[drawn], test.sensitive.iloc[drawn])
            return np.nanmean(group_aucs(part, decision[drawn], by), axis=1)

        draws.append(bootstrap(statistic, owner["test"], 300))
    table = pd.DataFrame(rows)
    means = np.mean(draws, axis=0)
    figures = table.mean().to_dict() | {"test gap sd": table["test gap"].std()}
    intervals = {
        f"test {first}": means[:, 0],
        f"test {second}": means[:, 1],
        "test difference": means[:, 0] - means[:, 1],
    }
    for name, values in intervals.items():
        low, high = np.quantile(values, (0.025, 0.975))
        figures |= {f"{name}, low": low, f"{name}, high": high}
    return figures


def tables(by: str, name: str, settings: dict, run_settings: tuple, args: Any) -> None:
    """Table 1 and, finding by finding on the test part, Tables 8 to 11."""
    seeds, factor = range(min(args.seeds, 3)), run_settings[1]
    cached = remember(run, args.resume == "yes")
    jobs = [(scheme, by, seed) for scheme in SCHEMES for seed in seeds]
    done = Parallel(n_jobs=-1 if args.device == "cpu" else 1, verbose=5)(
        delayed(cached)(*job, *run_settings) for job in jobs
    )
    found: dict[str, dict[int, dict]] = {"linear": {seed: linear(seed) for seed in seeds}}
    for (scheme, _, seed), decisions in zip(jobs, done, strict=True):
        found.setdefault(scheme, {})[seed] = decisions
    rows, findings = [], []
    for scheme, of_seeds in found.items():
        row = {"scheme": scheme} | table_1(of_seeds, by, factor)
        other = next(attribute for attribute in GROUPS if attribute != by)
        gaps = []
        for seed, decisions in of_seeds.items():
            test = chest(seed, factor)[0]["test"]
            values = group_aucs(test, decisions["test"], other)
            gaps.append(np.nanmean(np.abs(values[0] - values[1])))
            findings += [
                {"scheme": scheme, "seed": seed} | of_finding
                for of_finding in by_finding(test, decisions["test"], by)
            ]
        row[f"test gap by {other}"] = np.mean(gaps)
        rows.append(row)
    table = pd.DataFrame(rows)
    by_task = pd.DataFrame(findings).groupby(["scheme", "finding"], sort=False)
    by_task = by_task.mean().drop(columns="seed").reset_index()
    if by == "sex":
        for i, part in enumerate(("train", "validation", "test")):
            printed = [PAPER.get(scheme, (np.nan,) * 3)[i] for scheme in table["scheme"]]
            table[f"paper {part} gap"] = printed
        by_task["paper AUC gap"] = [
            PAPER_TASKS.get(row["scheme"], (np.nan,) * 5)[CHEXPERT.index(row["finding"])]
            for _, row in by_task.iterrows()
        ]
    title = f"Mean AUC over five findings by {by} (Technical Challenges, Table 1)"
    report(f"{name}_{by}", table, title, settings | {"penalized": by, "seeds": len(seeds)})
    title = f"Finding by finding, test part, by {by} (Tables 8 to 11)"
    settings = settings | {"penalized": by, "seeds": len(seeds)}
    report(f"{name}_{by}_tasks", by_task, title, settings)


def main() -> None:
    """Run every scheme by sex and by age, or by one of them."""
    args = arguments(__doc__, by=("both", *GROUPS), device=("cpu", "cuda"), resume=("no", "yes"))
    factor, epochs = (2, 20) if args.quick else (1, 40)
    settings = {
        "command": "python -m benchmarks.chest_findings" + " --quick" * args.quick,
        "device": args.device,
        "images": f"{64 // factor} x {64 // factor} pixels, no augmentation",
        "parts": "60, 20 and 20 % of the patients, divided anew for each seed",
        "training": f"{epochs} epochs of batches of 64, AdamW 2e-3 falling along half a cosine, "
        "weight decay 0.1; the last epoch counts",
        "hold-out": "10 % of the training part",
        "flip": f"{FLIP:.0%} of a group's labels of each finding, once before training",
        "left out": "equalized odds and disparate impact, which take one label a row",
        "intervals": "95 %, of patients drawn with replacement, mean over seeds",
        "data": "two case-control samples: no share is a prevalence",
        "paper": "CheXpert, alpha 100 and 1000 where ours is 1 and 10",
    }
    name = "chest_findings" + "_quick" * args.quick
    for by in GROUPS:
        if args.by in ("both", by):
            tables(by, name, settings, (epochs, factor, args.device), args)


if __name__ == "__main__":
    main()
