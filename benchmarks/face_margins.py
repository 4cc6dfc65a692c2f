"""Margins and penalties in face recognition: ``python -m benchmarks.face_margins``.

Technical Challenges, Table 6 (training accuracy, seen people, new people, for men and women) and
Table 2 (angles), on 256 people of CelebA, gray, 64 x 64 pixels. A quarter of the people, the same
for every seed, are new: none of their images is in training, nor was any looked at when network and
epochs were chosen. ``--part choice`` is what they were chosen by: it holds out a quarter of the
others instead. Seen people are those of the training data, by three other images of each.
``--quick`` leaves out some strengths of penalties and flips.
"""

from __future__ import annotations

import math
import time
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from skorch.callbacks import LRScheduler
from torch import nn

from skfair import LabelFlipClassifier, MarginClassifier
from skfair.metrics import class_angles, rank1_accuracy

from ._common import report
from ._images import arguments, arrays, flip_and_shift
from ._jobs import run_jobs

NEW_SHARE = 0.25  # of the people
HELD_OUT_IMAGES = 3  # of each person that is seen
EMBEDDING_SIZE = 256
EPOCHS = 15
WARMUP_EPOCHS = 2
SHIFT = 3 / 64  # of the width, to all sides

# Table 6, ResNet-18: men, women in training, of seen people (validation), of new people (test).
PAPER = {
    "margin .35": (97.7, 94.7, 84.4, 77.1, 93.2, 88.6),
    "margin .35, women .75": (94.5, 91.8, 83.2, 79.3, 92.9, 87.3),
    "equal loss, train, .5": (79.7, 80.2, 80.6, 75.0, 93.4, 89.1),
    "equal loss, train, 1": (32.8, 34.1, 69.4, 63.8, 90.9, 86.9),
    "equal loss, hold-out, .5": (75.1, 62.1, 76.7, 69.4, 92.4, 88.1),
    "equal loss, hold-out, 1": (31.3, 21.5, 60.0, 50.3, 87.1, 81.1),
    "max-min": (78.0, 78.0, 80.5, 74.6, 93.3, 89.1),
    "flip 10 % of men": (94.6, 94.2, 82.5, 77.1, 93.6, 89.0),
    "flip 30 % of men": (73.6, 89.8, 78.2, 76.1, 92.4, 89.4),
    "flip 50 % of men": (25.3, 88.9, 68.6, 74.9, 90.0, 88.7),
}
# Table 2, ResNet-152: angles within (men, women) and between (men, women), of seen and new people.
PAPER_ANGLES = {
    ("margin .35", "seen"): (33.2, 35.6, 68.3, 68.3),
    ("margin .35, women .75", "seen"): (33.8, 27.5, 68.2, 71.2),
    ("margin .35", "new"): (43.2, 48.3, 70.1, 69.1),
    ("margin .35, women .75", "new"): (44.4, 50.0, 69.0, 67.0),
}
LINEAR = "linear (100 components)"
QUICK = ("margin .35", "margin .35, women .75", "equal loss, train, .5")
QUICK += ("equal loss, hold-out, .5", "max-min", "flip 30 % of men")


# -- data ------------------------------------------------------------------------------------------


class Faces(NamedTuple):
    """Images, who is on them, and the group that an annotator put that person into."""

    X: np.ndarray
    who: np.ndarray
    gender: np.ndarray

    def select(self, rows: np.ndarray) -> Faces:
        return Faces(self.X[rows], self.who[rows], self.gender[rows])


@cache
def faces() -> Faces:
    data = arrays("celeba_identities.npz")
    who = data["identity"]
    return Faces(data["images"][:, np.newaxis], who, data["identity_gender"][who])


def hold_out_people(people: np.ndarray, gender: np.ndarray, seed: int) -> np.ndarray:
    """A quarter of the people of each group."""
    rng = np.random.RandomState(seed)
    parts = [rng.permutation(people[gender[people] == g]) for g in np.unique(gender)]
    return np.concatenate([part[: round(NEW_SHARE * len(part))] for part in parts])


def split(seed: int, part: str) -> dict[str, Faces]:
    """Training images, other images of the same people, and images of new people."""
    every = faces()
    gender = np.array([every.gender[every.who == i][0] for i in range(every.who.max() + 1)])
    people = np.arange(len(gender))
    new = hold_out_people(people, gender, seed=0)
    if part == "choice":
        people = np.setdiff1d(people, new)
        new = hold_out_people(people, gender, seed=1)
    seen = np.setdiff1d(people, new)
    rng = np.random.RandomState(seed)
    other = np.concatenate(
        [rng.choice(np.flatnonzero(every.who == i), HELD_OUT_IMAGES, replace=False) for i in seen]
    )
    train = np.setdiff1d(np.flatnonzero(np.isin(every.who, seen)), other)
    rows = {"train": train, "seen": other, "new": np.flatnonzero(np.isin(every.who, new))}
    return {name: every.select(chosen) for name, chosen in rows.items()}


# -- network ---------------------------------------------------------------------------------------


def face_network(input_shape: tuple[int, ...], n_outputs: int) -> nn.Module:
    """Four convolutions of stride 2 with batch-norm, and a linear layer."""
    channels, height, width = input_shape
    layers: list[nn.Module] = [nn.BatchNorm2d(channels)]
    for n_filters in (32, 64, 128, 256):
        layers += [
            nn.Conv2d(channels, n_filters, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(n_filters),
            nn.ReLU(inplace=True),
        ]
        channels = n_filters
    n_features = channels * (height // 16) * (width // 16)
    layers += [
        nn.Flatten(),
        nn.Linear(n_features, n_outputs, bias=False),
        nn.BatchNorm1d(n_outputs),
    ]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)  # a third faster


def rate(epoch: int) -> float:
    """Share of the learning rate: two epochs up, then half a cosine down to zero."""
    if epoch < WARMUP_EPOCHS:
        return (epoch + 1) / (WARMUP_EPOCHS + 1)
    return 0.5 * (1 + math.cos(math.pi * (epoch - WARMUP_EPOCHS) / (EPOCHS - WARMUP_EPOCHS)))


def network(seed: int) -> dict[str, Any]:
    return {
        "module": face_network,
        "embedding_size": EMBEDDING_SIZE,
        "augment": partial(flip_and_shift, most=SHIFT),
        "optimizer": "adamw",
        "lr": 3e-3,
        "weight_decay": 0.05,
        "batch_size": 64,
        "max_epochs": EPOCHS,
        "averaging": 0.0,
        "group_weights": "equal",  # |L_F - L_M|, as printed
        "net_params": {"callbacks": [LRScheduler("LambdaLR", lr_lambda=rate)]},
        "random_state": seed,
    }


def make(scheme: str, seed: int) -> MarginClassifier | LabelFlipClassifier:
    """The rows of Table 6."""
    model = MarginClassifier(margin=0.35, focal=2.0, **network(seed))
    if scheme.startswith("flip"):
        share = int(scheme.split()[1]) / 100
        return LabelFlipClassifier(
            estimator=model, flip_fraction=share, flip_group="M", random_state=seed
        )
    if scheme.endswith("women .75"):
        model.set_params(group_margins={"F": 0.75})
    elif scheme == "max-min":
        model.set_params(penalty="max_min", alpha=1.0)
    elif scheme.startswith("equal loss"):
        _, where, alpha = scheme.split(", ")
        model.set_params(
            penalty="equal_loss", penalty_on=where.replace("-", ""), alpha=float(alpha)
        )
    return model


# -- measures --------------------------------------------------------------------------------------


def by_gender(prefix: str, figures: pd.Series) -> dict[str, float]:
    men, women = float(figures["M"]), float(figures["F"])
    return {f"{prefix} M": men, f"{prefix} F": women, f"{prefix} gap": men - women}


def error_of_gap(features: np.ndarray, part: Faces) -> float:
    """Standard error, over people, of the gap in leave-one-out among all images of a part."""
    search = NearestNeighbors(n_neighbors=1, metric="cosine").fit(features)
    nearest = search.kneighbors(return_distance=False)[:, 0]
    people = pd.DataFrame({"hit": part.who[nearest] == part.who, "gender": part.gender})
    of_each = people.groupby(part.who).agg({"hit": "mean", "gender": "first"})
    by_group = of_each.groupby("gender")["hit"]
    return float(np.sqrt((by_group.var() / by_group.size()).sum()))


def measure(parts: dict[str, Faces], embed: Any, predict: Any = None) -> dict[str, float]:
    """Every figure of one model."""
    found: dict[str, float] = {}
    if predict is not None:
        for name, what in (("train", "train"), ("seen", "seen, as classes")):
            part = parts[name]
            hits = pd.Series(predict(part.X) == part.who)
            found |= by_gender(what, hits.groupby(part.gender).mean())
    features = {name: embed(part.X) for name, part in parts.items()}
    train, seen, new = (parts[name] for name in ("train", "seen", "new"))
    equal = {"equal_galleries": True, "random_state": 0}
    of_seen = rank1_accuracy(
        features["train"],
        features["seen"],
        identities=train.who,
        sensitive_features=train.gender,
        probe_identities=seen.who,
        probe_sensitive_features=seen.gender,
        **equal,
    )
    of_new = rank1_accuracy(
        features["new"], identities=new.who, sensitive_features=new.gender, n_draws=50, **equal
    )
    found |= by_gender("seen", of_seen["rank1"]) | by_gender("new", of_new["rank1"])
    found["new gap error"] = error_of_gap(features["new"], new)
    # as the data's linear yardstick was measured: leave-one-out among all images of all people
    everywhere = {name: np.char.add(f"{name} ", part.gender) for name, part in parts.items()}
    among_all = rank1_accuracy(
        np.concatenate(list(features.values())),
        identities=np.concatenate([part.who for part in parts.values()]),
        sensitive_features=np.concatenate(list(everywhere.values())),
    ).loc[["new F", "new M"]]
    found |= by_gender("new among all", among_all["rank1"].rename(lambda name: name[-1]))
    found["new among all"] = float(np.average(among_all["rank1"], weights=among_all["probes"]))
    for name in ("seen", "new"):
        part = parts[name]
        angles = class_angles(features[name], part.who, sensitive_features=part.gender)
        for kind in ("intra", "inter"):
            for gender in "MF":
                found[f"{name} {kind} {gender}"] = float(angles.loc[gender, kind])
    for name, table in (("seen", of_seen), ("new", of_new)):
        found[f"{name} gallery"] = int(table["identities"].sum())
    return found


def linear(parts: dict[str, Faces]) -> dict[str, float]:
    """Whitened principal components of the training images."""

    def rows(X: np.ndarray) -> np.ndarray:
        return X.reshape(len(X), -1) / 255

    components = PCA(100, whiten=True, random_state=0).fit(rows(parts["train"].X))
    return measure(parts, lambda X: components.transform(rows(X)))


def run(scheme: str, seed: int, part: str) -> dict[str, Any]:
    """Train once and measure."""
    parts = split(seed, part)
    key = {"scheme": scheme, "seed": seed}
    if scheme == LINEAR:
        return key | linear(parts)
    train = parts["train"]
    start = time.perf_counter()
    model = make(scheme, seed)
    model.fit(train.X, train.who, sensitive_features=train.gender)
    seconds = time.perf_counter() - start
    return key | measure(parts, model.embed, model.predict) | {"seconds": seconds}


# -- tables ----------------------------------------------------------------------------------------


def accuracies(rows: pd.DataFrame) -> pd.DataFrame:
    """Table 6: means over seeds, in percent, the paper's row beside."""
    columns = [
        f"{what} {which}"
        for what in ("train", "seen, as classes", "seen", "new", "new among all")
        for which in ("M", "F", "gap")
    ]
    columns += ["new among all", "new gap error"]
    percent = rows.assign(**{name: 100 * rows[name] for name in columns})
    grouped = percent.groupby("scheme", sort=False)
    table = grouped[columns].mean()
    table.insert(0, "seeds", grouped.size())
    for name in ("seen gap", "new gap", "new among all"):
        table[f"{name} sd"] = grouped[name].std()
    for name in ("seen F", "new F", "new gap"):  # from margin .35 of the same seed
        wide = percent.pivot_table(index="seed", columns="scheme", values=name)
        change = wide.sub(wide["margin .35"], axis=0)
        table[f"{name} change"] = change.mean()
        table[f"{name} change sd"] = change.std()
    table["seconds"] = grouped["seconds"].mean()
    for i, what in enumerate(("train", "seen", "new")):
        of = [PAPER.get(scheme, (math.nan,) * 6) for scheme in table.index]
        table[f"paper {what} M"] = [row[2 * i] for row in of]
        table[f"paper {what} F"] = [row[2 * i + 1] for row in of]
        table[f"paper {what} gap"] = [row[2 * i] - row[2 * i + 1] for row in of]
    return table.reset_index()


def angles(rows: pd.DataFrame) -> pd.DataFrame:
    """Table 2: means over seeds, in degrees."""
    found = []
    names = [f"{kind} {gender}" for kind in ("intra", "inter") for gender in "MF"]
    for part in ("seen", "new"):
        means = rows.groupby("scheme", sort=False)[[f"{part} {name}" for name in names]].mean()
        for scheme, row in means.iterrows():
            paper = PAPER_ANGLES.get((scheme, part), (math.nan,) * 4)
            found.append(
                {"people": part, "scheme": scheme}
                | dict(zip(names, row, strict=True))
                | {f"paper {name}": value for name, value in zip(names, paper, strict=True)}
            )
    return pd.DataFrame(found)


def publish(rows: pd.DataFrame, part: str, quick: bool) -> None:
    """Print and write both tables."""
    options = " --quick" * quick + f" --part {part}" * (part != "test")
    settings = {
        "command": f"python -m benchmarks.face_margins{options}",
        "seeds": f"{rows['seed'].nunique()}, of each scheme in its row",
        "network": f"four convolutions, {EMBEDDING_SIZE} features, {EPOCHS} epochs, AdamW 3e-3, "
        "batches of 64, mirrored and moved by up to 3 pixels; scale 30, focal 2",
        "people": "256 of CelebA, labeled F 149 and M 107 by annotators of the images; new: "
        + ("a quarter of the others, to choose by" if part == "choice" else "64 (F 37, M 27)"),
        "seen": "3 images of each person against a gallery of the training images, equal galleries "
        f"of {rows['seen gallery'].iloc[0]} people; as classes: predictions of them",
        "new": f"leave-one-out, 50 equal galleries of {rows['new gallery'].iloc[0]} people; among "
        "all: the new people's images among all images of all 256 (choice: 192) people",
        "gap": "men - women, in points; new gap error: its standard error over people, in "
        "leave-one-out among all new images; sd: over seeds; change: from margin .35, by seed",
        "paper": "Table 6, ResNet-18, 9,177 people; Table 2, ResNet-152",
        "device": "cpu, one thread a fit",
    }
    name = "face_margins" + "_choice" * (part == "choice") + "_quick" * quick
    report(name, accuracies(rows), "Accuracy, in percent (Technical Challenges, Table 6)", settings)
    report(f"{name}_angles", angles(rows), "Angles (Technical Challenges, Table 2)", settings)


def main() -> None:
    """Run every scheme on every seed."""
    args = arguments(__doc__, part=("test", "choice"))
    schemes = (LINEAR, *(QUICK if args.quick else PAPER))
    jobs = [(scheme, seed, args.part) for seed in range(args.seeds) for scheme in schemes]
    done = run_jobs(run, jobs, args.folder / "face_margins", args.minutes)
    publish(pd.DataFrame(done), args.part, args.quick)


if __name__ == "__main__":
    main()
