"""Who pays for parity between two groups: ``python -m benchmarks.gerrymandering``.

Technical Challenges, section 7 and Table 4, on FairFace: whether a face was taken for 40 or older,
by a plain network, by three that are meant to treat labeled women and men alike, and by one with
flipped labels; accuracy by race, and by gender and race, of which no model was told.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from skorch.callbacks import LRScheduler

from skfair import LabelFlipClassifier, MarginClassifier, NetworkClassifier, PenaltyClassifier
from skfair.metrics import subgroup_report

from ._common import report
from ._images import Images, SmallNet, arguments, fairface, flip_and_shift
from ._jobs import run_jobs

SIZE, EPOCHS = 48, 12
SCHEMES = ("plain", "equalized odds", "equal loss", "flip 30 % of M", "margins")
QUICK = SCHEMES[:4]
RESAMPLES = 1000
PAPER = {  # Table 4: accuracy of face recognition; African, Asian, Caucasian, Indian
    "plain": (93.3, 90.2, 94.1, 94.7),
    "margins": (88.8, 85.6, 90.1, 92.1),
    "flip 30 % of M": (93.8, 91.7, 95.0, 94.4),
}
PAPER_RACES = ("Black", "East Asian", "White", "Indian")


@cache
def parts(seed: int) -> dict[str, Images]:
    """Training, validation and test faces."""
    return fairface(SIZE, seed)


def make(scheme: str, seed: int) -> Any:
    """Build the model of a row."""
    network = {
        "module": SmallNet,
        "optimizer": "adamw",
        "lr": 2e-3,
        "weight_decay": 0.01,
        "batch_size": 128,
        "max_epochs": EPOCHS,
        "class_weight": "balanced",
        "averaging": 0.0,
        "augment": flip_and_shift,
        "random_state": seed,
        "net_params": {"callbacks": [LRScheduler("CosineAnnealingLR", T_max=EPOCHS)]},
    }
    if scheme == "plain":
        return NetworkClassifier(**network)
    if scheme.startswith("flip"):
        inner = NetworkClassifier(**network)
        return LabelFlipClassifier(
            estimator=inner, flip_fraction=0.3, flip_group="M", random_state=seed
        )
    if scheme == "margins":
        return MarginClassifier(
            margin=0.1, group_margins={"F": 0.3}, scale=10.0, embedding_size=64, **network
        )
    return PenaltyClassifier(penalty=scheme.replace(" ", "_"), alpha=1.0, **network)


def run(scheme: str, seed: int) -> dict[str, Any]:
    """Train once; decisions about the test part."""
    train, test = parts(seed)["train"], parts(seed)["test"]
    model = make(scheme, seed)
    model.fit(train.X, train.y, sensitive_features=train.sensitive["gender"])
    return {"scheme": scheme, "seed": seed, "score": model.predict_proba(test.X)[:, 1]}


def rates(score: np.ndarray, test: Images, members: np.ndarray) -> dict[str, float]:
    """Size, share taken for 40 or older, accuracy and error rates of a group."""
    y, accepted = test.y[members], score[members] > 0.5
    return {
        "size": members.sum(),
        "positive": y.mean(),
        "accepted": accepted.mean(),
        "accuracy": (accepted == y).mean(),
        "TPR": accepted[y == 1].mean(),
        "FPR": accepted[y == 0].mean(),
    }


def groups_of(test: Images) -> dict[str, np.ndarray]:
    """Everybody, the genders, the races, and both together."""
    gender, race = (test.sensitive[name].to_numpy() for name in ("gender", "race"))
    found = {"everybody": np.full(len(gender), True)}
    found |= {f"gender={g}": gender == g for g in np.unique(gender)}
    found |= {f"race={r}": race == r for r in np.unique(race)}
    found |= {
        f"gender={g} & race={r}": (gender == g) & (race == r)
        for g in np.unique(gender)
        for r in np.unique(race)
    }
    return found


def of_scheme(runs: list[dict], plain: list[dict], test: Images) -> pd.DataFrame:
    """Rates of every group, means over seeds, and what changed from the plain network."""
    rng = np.random.RandomState(0)
    rows = []
    right = np.mean([(r["score"] > 0.5) == test.y for r in runs], axis=0)
    before = np.mean([(r["score"] > 0.5) == test.y for r in plain], axis=0)
    for group, members in groups_of(test).items():
        mean = pd.DataFrame([rates(r["score"], test, members) for r in runs]).mean()
        row = {"scheme": runs[0]["scheme"], "group": group} | mean.to_dict()
        change = (right - before)[members]
        drawn = rng.randint(len(change), size=(RESAMPLES, len(change)))
        low, high = np.percentile(change[drawn].mean(1), [2.5, 97.5])
        row |= {"change": change.mean(), "change low": low, "change high": high}
        of_plain = pd.DataFrame([rates(r["score"], test, members) for r in plain]).mean()
        rows.append(row | {"TPR change": mean["TPR"] - of_plain["TPR"]})
    return pd.DataFrame(rows)


def spread(table: pd.DataFrame, kind: str) -> pd.Series:
    """Largest minus smallest value among the groups of a kind."""
    depth = kind.count("&")
    names = table["group"].str
    chosen = table[names.startswith(kind.split(" ")[0]) & (names.count("&") == depth)]
    values = chosen[["accuracy", "accepted", "TPR", "FPR"]]
    return values.max() - values.min()


def gaps(runs: list[dict], plain: list[dict], test: Images) -> pd.DataFrame:
    """Spread of rates by gender, by race, and by both; mean and sd over seeds."""
    rows = []
    auc = np.mean([roc_auc_score(test.y, r["score"]) for r in runs])
    of_seeds = [of_scheme([r], [p], test) for r, p in zip(runs, plain, strict=True)]
    for kind in ("gender=", "race=", "gender= &"):
        spreads = pd.DataFrame([spread(table, kind) for table in of_seeds])
        row = {"scheme": runs[0]["scheme"], "AUC": auc, "by": kind.replace("=", "")}
        row["by"] = row["by"].replace(" &", " and race")
        rows.append(row | spreads.mean().to_dict() | spreads.std().add_suffix(" sd").to_dict())
    return pd.DataFrame(rows)


def significant(runs: list[dict], plain: list[dict], test: Images) -> str:
    """Groups whose accuracy changed in a seed, by the report that users have."""
    found: dict[str, list[str]] = {}
    for r, p in zip(runs, plain, strict=True):
        table = subgroup_report(
            test.y,
            (r["score"] > 0.5).astype(int),
            sensitive_features=test.sensitive,
            baseline=(p["score"] > 0.5).astype(int),
        )
        for _, row in table[table["verdict"] != "no evidence"].iterrows():
            found.setdefault(row["group"], []).append(row["verdict"])
    return "; ".join(f"{group}: {', '.join(verdicts)}" for group, verdicts in found.items())


def main() -> None:
    """Run every scheme on every seed."""
    args = arguments(__doc__)
    schemes = QUICK if args.quick else SCHEMES
    jobs = [(scheme, seed) for scheme in schemes for seed in range(args.seeds)]
    done = run_jobs(run, jobs, args.folder / "gerrymandering", args.minutes)
    test = parts(0)["test"]
    by_scheme = {s: [r for r in done if r["scheme"] == s] for s in schemes}
    plain = by_scheme["plain"]
    table = pd.concat([of_scheme(runs, plain, test) for runs in by_scheme.values()])
    for i, race in enumerate(PAPER_RACES):
        for scheme, values in PAPER.items():
            where = (table["scheme"] == scheme) & (table["group"] == f"race={race}")
            table.loc[where, "paper accuracy"] = values[i] / 100
    settings = {
        "command": "python -m benchmarks.gerrymandering" + " --quick" * args.quick,
        "seeds": args.seeds,
        "faces": f"FairFace, {SIZE} x {SIZE} gray: 8,000 to train (2,000 to choose settings), "
        f"test: its validation part, {len(test.y)}",
        "label": "taken for 40 or older, both labels weighed alike",
        "network": f"small, {EPOCHS} epochs, AdamW 2e-3, cosine to 0, batches of 128, mirrored and "
        "moved by 1/24; penalties: alpha 1; margins: .1, labeled women .3, scale 10",
        "change": "accuracy minus that of the plain network, 95 % over people, mean of seeds",
        "paper": "Table 4, face recognition on BUPT: Black for African, East Asian for Asian",
        "device": "cpu",
    }
    settings |= {
        f"changed (a seed each), {s}": significant(runs, plain, test) or "none"
        for s, runs in by_scheme.items()
        if s != "plain"
    }
    name = "gerrymandering" + "_quick" * args.quick
    report(name, table, "Groups (Technical Challenges, Table 4)", settings)
    found = pd.concat([gaps(runs, plain, test) for runs in by_scheme.values()])
    report(f"{name}_gaps", found, "Spread of rates between groups", settings)


if __name__ == "__main__":
    main()
