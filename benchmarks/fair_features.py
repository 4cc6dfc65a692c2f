"""Can the group be told from "fair features"? ``python -m benchmarks.fair_features``.

Technical Challenges, Table 3: a network that removes sensitive information (SIRN) on embeddings of
faces, for both groups as target, with the accuracy of its sensitive head; and on Adult and a
synthetic embedding. Beside it what the paper does not report: how well *fresh* classifiers, trained
on the finished features, tell the group of rows that no network has seen.

Settings were chosen on a part of Adult's training rows, on another division of the people and
other synthetic rows than those reported.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from sklearn.metrics import recall_score
from sklearn.model_selection import train_test_split

from skfair import FairFeaturesClassifier
from skfair.fair_features import fresh_scores
from skfair.objectives.fair_features import standardized

from ._common import Part, adult, arguments, encode, report

GROUPS = ("Female", "Male")
NO_GAME = 1e-12  # alpha of the plain network, whose sensitive head is still trained
ALPHAS = {"printed": (1, 3), "reversed": (1, 10)}
OBJECTIVES = {"printed": {"reversal": 0.0}, "reversed": {}}
# Male, female and gap in rank-1 accuracy, accuracy of the sensitive head; by the target group.
PAPER = {
    ("Male", 0): (0.941, 0.895, 0.046, 0.974),
    ("Male", 1): (0.936, 0.873, 0.063, 0.685),
    ("Male", 2): (0.929, 0.852, 0.077, 0.440),
    ("Male", 3): (0.922, 0.838, 0.084, 0.440),
    ("Female", 0): (0.941, 0.895, 0.046, 0.974),
    ("Female", 1): (0.921, 0.888, 0.033, 0.560),
    ("Female", 2): (0.896, 0.872, 0.024, 0.560),
    ("Female", 3): (0.877, 0.859, 0.018, 0.560),
}


class Task(NamedTuple):
    """Rows to train on and to test on; ``recognize`` are positions in the latter."""

    train: Part
    test: Part
    params: dict[str, Any]
    recognize: np.ndarray | None = None  # people of whom nobody has been seen


def adult_task(seed: int, quick: bool) -> Task:
    """Adult as it comes, sex among the features."""
    train, test = encode(*adult())
    epochs = 4 if quick else 15
    return Task(train, test, {"max_epochs": epochs, "embedding_size": 16})


def synthetic_task(seed: int, quick: bool) -> Task:
    """Embedding of ten classes, on which the group has little influence, in 128 dimensions.

    The group shifts, scales and folds some of the directions in which the classes differ; a
    rotation and a tanh spread it over all dimensions.
    """
    rng = np.random.RandomState(seed)
    n, d, n_classes = 8000, 128, 10
    men = rng.rand(n) < 0.42
    side = np.where(np.arange(n_classes) % 2, 0.06, -0.06)
    odds = np.exp(np.outer(2 * men - 1, side))
    y = (odds.cumsum(1) / odds.sum(1, keepdims=True) > rng.rand(n, 1)).argmax(1)
    latent = rng.normal(size=(n, d))
    latent[:, :20] += 1.2 * rng.normal(size=(n_classes, 20))[y]
    latent[:, :3] += np.where(men, 1.5, -1.5)[:, np.newaxis]
    latent[:, 3:6] *= np.where(men, 1.5, 0.7)[:, np.newaxis]
    latent[:, 6] = np.where(men, np.abs(latent[:, 6]), latent[:, 6])
    rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
    X = np.tanh(0.7 * latent @ rotation).astype(np.float32)
    group = np.where(men, "Male", "Female")
    parts = (Part(X[rows], y[rows], group[rows]) for rows in (slice(6000), slice(6000, n)))
    epochs = 6 if quick else 40
    return Task(*parts, {"max_epochs": epochs, "batch_size": 128, "embedding_size": 16})


def flipped(images: torch.Tensor) -> torch.Tensor:
    """Mirror half of the images."""
    mirrored = torch.rand(len(images)) < 0.5
    return torch.where(mirrored.reshape(-1, *[1] * (images.ndim - 1)), images.flip(-1), images)


def face_task(seed: int, quick: bool) -> Task:
    """Embeddings of faces: 110 people train the embedding, 100 the features, 46 are new."""
    data = np.load(Path(os.environ["SKFAIR_DATA"]) / "celeba_identities.npz")
    images, identity = data["images"], data["identity"]
    of_person = np.where(data["identity_gender"] == "M", "Male", "Female")
    people = np.arange(len(of_person))
    embedding, rest = train_test_split(
        people, train_size=110, stratify=of_person, random_state=seed
    )
    seen, new = train_test_split(rest, train_size=100, stratify=of_person[rest], random_state=seed)
    rows = np.isin(identity, embedding)
    network = FairFeaturesClassifier(
        alpha=0.0,
        module="convnet",
        embedding_size=64,
        max_epochs=3 if quick else 25,
        batch_size=64,
        augment=flipped,
        random_state=seed,
    )
    network.fit(images[rows], identity[rows])
    X = network.transform(images)
    known = np.isin(identity, seen)
    X = ((X - X[known].mean(0)) / X[known].std(0)).astype(np.float32)
    train, test = (
        Part(X[rows], identity[rows], of_person[identity[rows]])
        for rows in (known, np.isin(identity, new))
    )
    epochs = 6 if quick else 60
    params = {"max_epochs": epochs, "batch_size": 64, "embedding_size": 16}
    return Task(train, test, params, equal_gallery(test, seed))


def equal_gallery(part: Part, seed: int, images: int = 15) -> np.ndarray:
    """Choose as many people of one group as of the other, with at most so many images each."""
    rng = np.random.RandomState(seed)
    people = {g: np.unique(part.y[part.sensitive == g]) for g in GROUPS}
    n_people = min(map(len, people.values()))
    chosen = np.concatenate([rng.permutation(people[g])[:n_people] for g in GROUPS])
    return np.concatenate(
        [rng.permutation(np.flatnonzero(part.y == person))[:images] for person in chosen]
    )


DATA = {"Adult": adult_task, "synthetic": synthetic_task, "faces": face_task}


def is_nearest(features: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Whether the nearest other image, by the angle, is of the same person."""
    features = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = features @ features.T
    np.fill_diagonal(cosines, -2)
    return people[cosines.argmax(1)] == people


def sensitive_head_accuracy(model: FairFeaturesClassifier, test: Part) -> float:
    """How often the sensitive head that the network has played against is right."""
    (head,) = model.net_.players_.values()
    with torch.no_grad():
        guess = head(standardized(torch.from_numpy(model.transform(test.X)).float(), None))
    told = guess[:, : len(GROUPS)].argmax(1).numpy()
    return float(np.mean(np.asarray(model.groups_)[told] == np.asarray(test.sensitive)))


def measure(task: Task, model: FairFeaturesClassifier) -> dict[str, float]:
    """Task accuracy by group, and what the features tell."""
    train, test, _, gallery = task
    features = model.transform(test.X)
    if gallery is None:
        groups, right = np.asarray(test.sensitive), model.predict(test.X) == test.y
    else:
        groups = np.asarray(test.sensitive)[gallery]
        right = is_nearest(features[gallery], test.y[gallery])
    row = {"accuracy": right.mean()}
    row |= {f"accuracy {g}": right[groups == g].mean() for g in GROUPS}
    row["gap"] = abs(row["accuracy Male"] - row["accuracy Female"])
    row |= {f"rows {g}": (groups == g).sum() for g in GROUPS}
    binary = len(model.classes_) == 2
    for g in GROUPS:
        members, y_pred = groups == g, model.predict(test.X) if binary else None
        row[f"accepted {g}"] = y_pred[members].mean() if binary else np.nan
        row[f"TPR {g}"] = recall_score(test.y[members], y_pred[members]) if binary else np.nan
    codes = [(np.asarray(part.sensitive) == "Male").astype(int) for part in (train, test)]
    linear, boosting = fresh_scores(
        model.transform(train.X), codes[0], None, features, codes[1], None
    )
    return row | {
        "sensitive head": sensitive_head_accuracy(model, test),
        "majority": linear["majority"],
        "linear": linear["accuracy"],
        "boosting": boosting["accuracy"],
        "above majority": max(linear["accuracy"], boosting["accuracy"]) - linear["majority"],
        "linear AUC": linear["roc_auc"],
        "boosting AUC": boosting["roc_auc"],
        "sensitive_score_": model.sensitive_score_,
        "its majority": model.sensitive_majority_,
    }


def settings_of(quick: bool) -> list[tuple[str, str, float]]:
    """Objective, target group and alpha."""
    return [("plain", "-", 0.0)] + [
        (objective, target, float(alpha))
        for objective, alphas in ALPHAS.items()
        for target in GROUPS
        for alpha in (alphas[-1:] if quick else alphas)
    ]


def run(data: str, seed: int, quick: bool) -> list[dict]:
    """Every setting on one data set."""
    warnings.simplefilter("ignore", UserWarning)  # of groups of which hardly anybody is accepted
    task, rows = DATA[data](seed, quick), []
    for objective, target, alpha in settings_of(quick):
        model = FairFeaturesClassifier(
            alpha=alpha or NO_GAME,
            target_group=None if target == "-" else target,
            random_state=seed,
            **OBJECTIVES.get(objective, {}),
            **task.params,
        )
        model.fit(task.train.X, task.train.y, sensitive_features=task.train.sensitive)
        key = {"data": data, "objective": objective, "target": target, "alpha": alpha}
        rows.append(key | {"seed": seed} | measure(task, model))
    return rows


def table_of(rows: list[dict]) -> pd.DataFrame:
    """Means and standard deviations over seeds, and the paper's rows beside those of faces."""
    keys = ["data", "objective", "target", "alpha"]
    groups = pd.DataFrame(rows).drop(columns="seed").groupby(keys, sort=False)
    shown = ["accuracy", "gap", "linear", "boosting", "above majority"]
    table = groups.mean().join(groups.std()[shown].add_suffix(" sd")).reset_index()
    nothing = (np.nan,) * 4
    printed = [
        PAPER.get(("Male" if target == "-" else target, alpha), nothing)
        if data == "faces" and objective != "reversed"
        else nothing
        for data, objective, target, alpha in table[keys].itertuples(index=False)
    ]
    names = ["paper Male", "paper Female", "paper gap", "paper sensitive head"]
    return table.join(pd.DataFrame(printed, columns=names)).assign(seeds=groups.size().to_numpy())


def write(rows: list[dict], name: str, command: str) -> None:
    """Report the table."""
    settings = {
        "command": command,
        "task accuracy": "of decisions; faces: rank-1 among new people, equal galleries",
        "fresh classifiers": "trained on the features of the training rows, tested on the others",
        "paper": "ResNet-152 on all of CelebA, Table 3",
    }
    report(name, table_of(rows), "Fair features (Technical Challenges, Table 3)", settings)


def main() -> None:
    """Run every setting on every data set and seed."""
    args = arguments(__doc__, data=("all", *DATA))
    datasets = list(DATA) if args.data == "all" else [args.data]
    seeds = range(1 if args.quick else min(args.seeds, 3))
    jobs = [(data, seed, args.quick) for data in datasets for seed in seeds]
    found = Parallel(n_jobs=2, verbose=5)(delayed(run)(*job) for job in jobs)
    suffix = "_quick" * args.quick + (f"_{args.data}" if args.data != "all" else "")
    command = "python -m benchmarks.fair_features" + " --quick" * args.quick
    write([row for rows in found for row in rows], f"fair_features{suffix}", command)


if __name__ == "__main__":
    main()
