"""What the image benchmarks share: the arrays, their splits, and what a linear model makes of them.

Results go into the project, pictures never: nothing here writes or shows an image.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Memory
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import LRScheduler
from torch import nn

from ._common import Part

GENDERS = np.array(["female", "male"])  # as annotators labeled them
CHEXPERT = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion")


@cache
def arrays(name: str) -> dict[str, np.ndarray]:
    """All arrays of one file, decompressed once."""
    with np.load(Path(os.environ["SKFAIR_DATA"]) / f"{name}.npz") as data:
        return {key: data[key] for key in data.files}


def shrink(images: np.ndarray, factor: int) -> np.ndarray:
    """Means of squares of ``factor`` x ``factor`` pixels, uint8 as before."""
    if factor == 1:
        return images
    n, height, width = images.shape
    squares = images.reshape(n, height // factor, factor, width // factor, factor)
    return np.round(squares.mean((2, 4), dtype=np.float32)).astype(np.uint8)


def split_by(owner: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Rows of the parts train, validation and test: 60, 20 and 20 % of the people."""
    rows, parts = np.arange(len(owner)), {}
    for name, share in (("test", 0.2), ("validation", 0.25)):
        divide = GroupShuffleSplit(1, test_size=share, random_state=seed)
        rest, chosen = next(divide.split(rows, groups=owner[rows]))
        parts[name], rows = rows[chosen], rows[rest]
    return {"train": rows} | parts


@cache
def _celeba_images(factor: int) -> np.ndarray:
    return shrink(arrays("celeba_attributes")["images"], factor)


def celeba(label: str, seed: int, factor: int = 1) -> tuple[dict[str, Part], dict[str, np.ndarray]]:
    """CelebA with one attribute as label and gender as labeled, and whose image each row is."""
    data = arrays("celeba_attributes")
    y = data["attributes"][:, data["attribute_names"].tolist().index(label)].astype(int)
    gender, owner = GENDERS[data["male"]], data["celeba_identity"]
    rows = split_by(owner, seed)
    parts = {n: Part(_celeba_images(factor)[r], y[r], gender[r]) for n, r in rows.items()}
    return parts, {name: owner[r] for name, r in rows.items()}


def chest(seed: int, factor: int = 1) -> tuple[dict[str, Part], dict[str, np.ndarray]]:
    """X-rays with CheXpert's five labels, sex and age, and whose image each row is."""
    data = arrays("chest_findings_64")
    names = data["label_names"].tolist()
    y = data["labels"][:, [names.index(name) for name in CHEXPERT]].astype(int)
    sensitive = pd.DataFrame(
        {
            "sex": np.where(data["sex"] == "F", "Female", "Male"),
            "age": np.where(data["age"] < 60, "under 60", "60 and over"),
        }
    )
    images, owner = shrink(data["images"], factor), data["patient_id"]
    rows = split_by(owner, seed)
    parts = {n: Part(images[r], y[r], sensitive.iloc[r]) for n, r in rows.items()}
    return parts, {name: owner[r] for name, r in rows.items()}


def fairface(seed: int, factor: int = 1) -> dict[str, Part]:
    """FairFace, 40 years or older as labeled; the test part is the source's own validation part.

    A fifth of its training part, drawn anew for each seed, is for validation.
    """
    data = arrays("fairface")
    y = (data["age_group"] >= 5).astype(int)
    gender = np.where(data["gender"] == "F", "female", "male")
    race = data["race_names"][data["race"]]
    sensitive = pd.DataFrame({"gender": gender, "race": race}).astype(str)
    given, test = np.flatnonzero(data["split"] == 0), np.flatnonzero(data["split"] == 1)
    order = np.random.RandomState(seed).permutation(given)
    cut = len(order) // 5
    rows = {"train": np.sort(order[cut:]), "validation": np.sort(order[:cut]), "test": test}
    images = shrink(data["images"], factor)
    return {n: Part(images[r], y[r], sensitive.iloc[r]) for n, r in rows.items()}


class NormedNet(nn.Sequential):
    """Three convolutions with batch-norm and pooling, a hidden layer, dropout around it.

    On CelebA, Wavy_Hair, it has a validation AUC of .82 after 10 epochs on 32 x 32 pixels; without
    batch-norm .77, with averages over places in the place of the hidden layer .80.
    """

    def __init__(self, input_shape: Sequence[int], n_outputs: int, width: int = 16) -> None:
        height, columns = input_shape
        layers: list[nn.Module] = [nn.Unflatten(1, (1, height)), nn.BatchNorm2d(1)]
        channels = 1
        for n_filters in (width, 2 * width, 4 * width):
            layers += [
                nn.Conv2d(channels, n_filters, 3, padding=1, bias=False),
                nn.BatchNorm2d(n_filters),
                nn.MaxPool2d(2),
                nn.ReLU(),
            ]
            channels = n_filters
        n_features = channels * (height // 8) * (columns // 8)
        layers += [nn.Flatten(), nn.Dropout(0.3), nn.Linear(n_features, 128), nn.ReLU()]
        super().__init__(*layers, nn.Dropout(0.3), nn.Linear(128, n_outputs))


def training(epochs: int, seed: int, device: str, *callbacks: Any) -> dict[str, Any]:
    """AdamW, whose rate falls along half a cosine; chosen on validation rows."""
    decay = LRScheduler("CosineAnnealingLR", T_max=epochs)
    return {
        "module": NormedNet,
        "optimizer": "adamw",
        "lr": 2e-3,
        "weight_decay": 0.1,
        "batch_size": 128,
        "max_epochs": epochs,
        "device": device,
        "random_state": seed,
        "net_params": {"callbacks": [decay, *callbacks]},
    }


def remember(function: Callable, resume: bool) -> Callable:
    """Keep results on disk, for a run that is interrupted; forget old ones unless ``resume``."""
    memory = Memory(Path(tempfile.gettempdir()) / "skfair-benchmarks", verbose=0)
    found = memory.cache(function)
    if not resume:
        found.clear(warn=False)
    return found


def linear_model(n_components: int = 100) -> Any:
    """Logistic regression on principal components, what a network has to beat."""
    return make_pipeline(
        PCA(n_components, random_state=0),
        StandardScaler(),
        LogisticRegression(C=0.1, max_iter=1000),
    )


def flat(images: np.ndarray) -> np.ndarray:
    """One row an image, from 0 to 1."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


def auc(y: np.ndarray, decision: np.ndarray) -> float:
    """Area under the ROC curve, NaN where there is one class only."""
    return roc_auc_score(y, decision) if 0 < y.mean() < 1 else np.nan


def bootstrap(
    statistic: Callable[[np.ndarray], Sequence[float]], owner: np.ndarray, n_draws: int = 500
) -> np.ndarray:
    """Values of ``statistic(rows)``, (n_draws, ...), on rows of people drawn with replacement."""
    order = np.argsort(owner, kind="stable")
    rows_of = np.split(order, np.flatnonzero(np.diff(owner[order])) + 1)
    rng = np.random.RandomState(0)
    draws = (rng.randint(len(rows_of), size=len(rows_of)) for _ in range(n_draws))
    return np.array([statistic(np.concatenate([rows_of[i] for i in draw])) for draw in draws])
