"""Does parity of the genders carry over to races? ``python -m benchmarks.gerrymandering``.

Technical Challenges, Section 7 and Table 4: a model made fair by gender, looked at by race. Here
networks that tell from 14,998 gray faces of FairFace who was labeled 40 years or older, penalized
by gender as labeled, and compared with the plain network by gender, race, and both. The test part
is the source's validation part. 48 x 48 pixels, 24 x 24 with ``--quick``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from scipy.stats import norm

from skfair import LabelFlipClassifier, NetworkClassifier, PenaltyClassifier
from skfair.metrics import subgroup_report

from ._common import Part, arguments, report
from ._images import auc, fairface, flat, linear_model, remember, training

MODELS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "demographic parity": {"penalty": "demographic_parity", "alpha": 2.0},
    "equalized odds": {"penalty": "equalized_odds", "alpha": 2.0},
    "equal loss": {"penalty": "equal_loss", "alpha": 2.0},
    "flip 30 %": {"flip_fraction": 0.3, "flip_group": "female"},
}
# Table 4, faces recognized, %, of Africans, Asians, Caucasians and Indians.
PAPER = (
    "baseline 93.3, 90.2, 94.1, 94.7; margins for women 88.8, 85.6, 90.1, 92.1; flipped men 93.8, "
    "91.7, 95.0, 94.4"
)


def run(model: str, seed: int, epochs: int, factor: int, device: str) -> np.ndarray:
    """Log-odds of the test part."""
    torch.set_num_threads(1)
    parts = fairface(seed, factor)
    train = parts["train"]
    params, own = training(epochs, seed, device) | {"averaging": 0.0}, MODELS[model]
    if "penalty" in own:
        estimator = PenaltyClassifier(**params, **own, group_weights="equal")
    else:
        estimator = NetworkClassifier(**params)
    if "flip_group" in own:
        estimator = LabelFlipClassifier(estimator=estimator, **own, random_state=seed)
    estimator.fit(train.X, train.y, sensitive_features=train.sensitive["gender"])
    return estimator.decision_function(parts["test"].X)


def cut_at_base_rate(decision: np.ndarray, share: float) -> np.ndarray:
    """Decisions that accept as many in all as are positive: a common threshold for everybody.

    At probability one half hardly anybody would be accepted, and every gap would be small.
    """
    return (decision > np.quantile(decision, 1 - share)).astype(int)


def gaps(test: Part, y_pred: np.ndarray) -> dict[str, float]:
    """Largest difference between groups in the share accepted and in TPR, by each division."""
    found = {"accuracy": (y_pred == test.y).mean()}
    frame = test.sensitive.assign(y=test.y, y_pred=y_pred)
    for by in ("gender", "race", ["gender", "race"]):
        name = by if isinstance(by, str) else " x ".join(by)
        accepted = frame.groupby(by)["y_pred"].mean()
        rate = frame[frame["y"] == 1].groupby(by)["y_pred"].mean()
        found[f"accepted, gap by {name}"] = accepted.max() - accepted.min()
        found[f"TPR, gap by {name}"] = rate.max() - rate.min()
    return found


def by_group(test: Part, decision: np.ndarray, y_pred: np.ndarray, plain: np.ndarray) -> list[dict]:
    """Each race, gender, and both: size, AUC, accuracy, share accepted, TPR, change from plain."""
    rows = []
    frame = test.sensitive
    divisions = {
        "gender": frame["gender"],
        "race": frame["race"],
        "gender x race": frame["gender"] + ", " + frame["race"],
    }
    for by, names in divisions.items():
        for group in sorted(names.unique()):
            member = (names == group).to_numpy()
            y, accepted, before = test.y[member], y_pred[member], plain[member]
            rows.append(
                {
                    "by": by,
                    "group": group,
                    "n": member.sum(),
                    "positive": y.mean(),
                    "AUC": auc(y, decision[member]),
                    "accuracy": (accepted == y).mean(),
                    "accepted": accepted.mean(),
                    "TPR": accepted[y == 1].mean(),
                    "accuracy, change": (accepted == y).mean() - (before == y).mean(),
                    "accepted, change": accepted.mean() - before.mean(),
                    "TPR, change": accepted[y == 1].mean() - before[y == 1].mean(),
                }
            )
    return rows


def carried_over(test: Part, y_pred: np.ndarray, plain: np.ndarray) -> dict[str, float]:
    """What :func:`subgroup_report` finds: groups that differ, or lost against the plain network."""
    audit = subgroup_report(
        test.y, y_pred, sensitive_features=test.sensitive, metric="accuracy", baseline=plain
    )
    rates = subgroup_report(
        test.y, y_pred, sensitive_features=test.sensitive, metric="true_positive_rate"
    )
    return {
        "subgroups that differ in accuracy": audit["significant"].sum(),
        "subgroups that differ in TPR": rates["significant"].sum(),
        "subgroups worse than plain": (audit["verdict"] == "worse").sum(),
        "subgroups better than plain": (audit["verdict"] == "better").sum(),
    }


def changes_apart(found: pd.DataFrame) -> dict[str, float]:
    """p of the hypothesis that the two races whose TPR changes least and most change alike.

    A z-test of the difference of mean changes, with the binomial deviation of the positives; not
    corrected for the choice of the two.
    """
    races = found[found["by"] == "race"].set_index("group")
    low, high = races["TPR, change"].idxmin(), races["TPR, change"].idxmax()
    positives = races["n"] * races["positive"]
    variance = races["TPR"] * (1 - races["TPR"]) / positives
    z = (races.loc[high, "TPR, change"] - races.loc[low, "TPR, change"]) / np.sqrt(
        variance[low] + variance[high]
    )
    return {"least change": low, "greatest change": high, "p, uncorrected": 2 * norm.sf(z)}


def main() -> None:
    """Train every model, and look at it."""
    args = arguments(__doc__, device=("cpu", "cuda"), resume=("no", "yes"))
    factor, epochs = (2, 8) if args.quick else (1, 15)
    seeds = range(min(args.seeds, 3))
    cached = remember(run, args.resume == "yes")
    jobs = [(model, seed) for seed in seeds for model in MODELS]
    done = Parallel(n_jobs=-1 if args.device == "cpu" else 1, verbose=5)(
        delayed(cached)(*job, epochs, factor, args.device) for job in jobs
    )
    decisions = dict(zip(jobs, done, strict=True))
    for seed in seeds:
        parts = fairface(seed)
        model = linear_model().fit(flat(parts["train"].X), parts["train"].y)
        decisions["linear", seed] = model.decision_function(flat(parts["test"].X))
    overall, groups = [], []
    test = fairface(0)["test"]
    share = fairface(0)["train"].y.mean()
    for (model, seed), decision in decisions.items():
        y_pred = cut_at_base_rate(decision, share)
        plain = cut_at_base_rate(decisions["baseline", seed], share)
        key = {"model": model, "seed": seed}
        row = key | {"AUC": auc(test.y, decision)} | gaps(test, y_pred)
        overall.append(row | carried_over(test, y_pred, plain))
        groups += [key | found for found in by_group(test, decision, y_pred, plain)]
    by_model = pd.DataFrame(overall).groupby("model", sort=False)
    table = by_model.mean().drop(columns="seed")
    table = table.join(by_model[["AUC", "TPR, gap by race"]].std().add_suffix(" sd"))
    keys = ["model", "by", "group"]
    by_groups = pd.DataFrame(groups).groupby(keys, sort=False).mean().drop(columns="seed")
    by_groups = by_groups.reset_index()
    apart = {
        model: changes_apart(of_model)
        for model, of_model in by_groups.groupby("model", sort=False)
        if model != "baseline"
    }
    table = table.join(pd.DataFrame(apart).T).reset_index()
    settings = {
        "command": "python -m benchmarks.gerrymandering" + " --quick" * args.quick,
        "seeds": len(seeds),
        "device": args.device,
        "images": f"{48 // factor} x {48 // factor} pixels, gray, no augmentation",
        "training": f"{epochs} epochs of batches of 128, AdamW 2e-3 falling along half a cosine, "
        "weight decay 0.1",
        "decision": f"the {share:.1%} with the greatest probability, the training part's share",
        "groups": "gender and race as annotators labeled them; penalties and flips by gender",
        "paper": PAPER,
    }
    name = "gerrymandering" + "_quick" * args.quick
    report(name, table, "Fair by gender, looked at by race (Section 7)", settings)
    title = "Group by group, and change from the plain network (Table 4)"
    report(f"{name}_groups", by_groups, title, settings)


if __name__ == "__main__":
    main()
