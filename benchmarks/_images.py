"""What the image benchmarks share: loaders, splits by person, a small network, options."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, GroupShuffleSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from torch import Tensor, nn
from torch.nn import functional

from ._common import parser

PARTS = ("train", "valid", "test")
FINDINGS = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion")
TEST_SHARE, VALID_SHARE = 0.25, 0.2  # of the people; of those that are left
SHIFT = 1 / 24  # of the width, to all sides


class Images(NamedTuple):
    """Images of type uint8, labels, sensitive features, and who is on them."""

    X: np.ndarray
    y: np.ndarray
    sensitive: pd.DataFrame
    who: np.ndarray

    def select(self, rows: np.ndarray) -> Images:
        """Take ``rows``."""
        return Images(self.X[rows], self.y[rows], self.sensitive.iloc[rows], self.who[rows])


# -- data ------------------------------------------------------------------------------------------


@cache
def arrays(file: str) -> dict[str, np.ndarray]:
    """Read a file, each of its arrays once."""
    if "SKFAIR_DATA" not in os.environ:
        raise RuntimeError("Set SKFAIR_DATA to the folder with the image data.")
    with np.load(Path(os.environ["SKFAIR_DATA"]) / file) as data:
        return {name: data[name] for name in data.files}


@cache
def reduced(file: str, size: int) -> np.ndarray:
    """Images of a file with ``size`` x ``size`` pixels, averaged where they are made smaller."""
    images = arrays(file)["images"]
    if images.shape[-1] == size:
        return images
    smaller = functional.interpolate(
        torch.from_numpy(images)[:, None].float(),
        size=(size, size),
        mode="bilinear",
        antialias=True,
    )
    return smaller[:, 0].round().clamp(0, 255).to(torch.uint8).numpy()


def divide(data: Images, seed: int) -> dict[str, Images]:
    """Split by person: the same test part for all seeds, the rest divided anew for each."""
    rows = np.arange(len(data.y))
    rest, test = _split(rows, data.who, TEST_SHARE, seed=0)
    train, valid = _split(rest, data.who, VALID_SHARE, seed)
    return dict(zip(PARTS, map(data.select, (train, valid, test)), strict=True))


def _split(
    rows: np.ndarray, who: np.ndarray, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    splitter = GroupShuffleSplit(1, test_size=share, random_state=seed)
    first, second = next(splitter.split(rows, groups=who[rows]))
    return rows[first], rows[second]


def celeba(label: str, size: int, seed: int) -> dict[str, Images]:
    """An attribute of 10,000 faces; the groups are what annotators took for women and men."""
    data = arrays("celeba_attributes.npz")
    column = data["attribute_names"].astype(str).tolist().index(label)
    gender = np.where(data["male"] == 1, "male", "female")
    every = Images(
        reduced("celeba_attributes.npz", size),
        data["attributes"][:, column].astype(int),
        pd.DataFrame({"gender": gender}),
        data["celeba_identity"],
    )
    return divide(every, seed)


def chest(size: int, seed: int) -> dict[str, Images]:
    """CheXpert's five findings in 1,993 chest X-rays of NIH, split by patient.

    Of four parts, each seed has another one as test part: a single one may hold two men with an
    enlarged heart.
    """
    data = arrays("chest_findings_64.npz")
    names = data["label_names"].astype(str).tolist()
    age = np.where(data["age"] >= 60, "60 or older", "younger")
    every = Images(
        reduced("chest_findings_64.npz", size),
        data["labels"][:, [names.index(name) for name in FINDINGS]].astype(int),
        pd.DataFrame({"sex": data["sex"].astype(str), "age": age}),
        data["patient_id"],
    )
    folds = GroupKFold(4, shuffle=True, random_state=0).split(every.y, groups=every.who)
    rest, test = list(folds)[seed % 4]
    train, valid = _split(rest, every.who, VALID_SHARE, seed)
    return dict(zip(PARTS, map(every.select, (train, valid, test)), strict=True))


def fairface(size: int, seed: int) -> dict[str, Images]:
    """Whether a face was taken for 40 or older; the test part is FairFace's own validation part."""
    data = arrays("fairface.npz")
    every = Images(
        reduced("fairface.npz", size),
        (data["age_group"] >= 5).astype(int),
        pd.DataFrame({name: _names(data, name) for name in ("gender", "race")}),
        np.arange(len(data["split"])),
    )
    rest = np.flatnonzero(data["split"] == 0)
    train, valid = _split(rest, every.who, VALID_SHARE, seed)
    test = np.flatnonzero(data["split"] == 1)
    return dict(zip(PARTS, map(every.select, (train, valid, test)), strict=True))


def _names(data: dict[str, np.ndarray], column: str) -> np.ndarray:
    values = data[column]
    if values.dtype.kind in "iu":
        return data[f"{column}_names"].astype(str)[values]
    return values.astype(str)


# -- models ----------------------------------------------------------------------------------------


class SmallNet(nn.Sequential):
    """Four convolutions of stride 2 and a hidden layer; rows do not mix.

    Parameters
    ----------
    input_shape : tuple of int
        (height, width).
    n_outputs : int
        Number of logits.
    width : int, default=16
        Channels of the first convolution; they double three times.
    dropout : float, default=0.3
        Before both linear layers.
    """

    def __init__(
        self, input_shape: tuple[int, ...], n_outputs: int, width: int = 16, dropout: float = 0.3
    ) -> None:
        height, columns = input_shape
        layers: list[nn.Module] = [nn.Unflatten(1, (1, height)), Standardize()]
        channels = 1
        for n_filters in (width, 2 * width, 4 * width, 8 * width):
            layers += [
                nn.Conv2d(channels, n_filters, 3, stride=2, padding=1),
                nn.GroupNorm(4, n_filters),
                nn.ReLU(),
            ]
            channels = n_filters
        n_features = channels * -(-height // 16) * -(-columns // 16)
        layers += [nn.Flatten(), nn.Dropout(dropout), nn.Linear(n_features, 64), nn.ReLU()]
        super().__init__(*layers, nn.Dropout(dropout), nn.Linear(64, n_outputs))


class BatchNormNet(nn.Sequential):
    """Three convolutions with batch-norm and pooling, and a hidden layer.

    Parameters
    ----------
    input_shape : tuple of int
        (height, width).
    n_outputs : int
        Number of logits.
    width : int, default=16
        Channels of the first convolution; they double twice.
    """

    def __init__(self, input_shape: tuple[int, ...], n_outputs: int, width: int = 16) -> None:
        height, columns = input_shape
        layers: list[nn.Module] = [nn.Unflatten(1, (1, height)), nn.BatchNorm2d(1)]
        channels = 1
        for n_filters in (width, 2 * width, 4 * width):
            layers += [
                nn.Conv2d(channels, n_filters, 3, padding=1, bias=False),
                nn.MaxPool2d(2),
                nn.BatchNorm2d(n_filters),
                nn.ReLU(),
            ]
            channels = n_filters
        n_features = channels * (height // 8) * (columns // 8)
        layers += [nn.Flatten(), nn.Linear(n_features, 128), nn.ReLU(), nn.Dropout(0.3)]
        super().__init__(*layers, nn.Linear(128, n_outputs))
        self.to(memory_format=torch.channels_last)  # in which convolutions are faster


class Standardize(nn.Module):
    """Every image with mean 0 and standard deviation 1."""

    def forward(self, X: Tensor) -> Tensor:
        """Subtract the image's mean, and divide by its standard deviation."""
        return functional.layer_norm(X, X.shape[1:])


def shift(X: Tensor, mirrored: Tensor | None = None, most: float = SHIFT) -> Tensor:
    """All images moved by up to a share ``most`` of the width, and mirrored where ``mirrored``.

    ``X`` is of shape (n, height, width) or (n, channels, height, width).
    """
    n = len(X)
    images = X if X.ndim == 4 else X[:, None]
    move = torch.zeros(n, 2, 3)
    move[:, 0, 0] = 1.0 if mirrored is None else 1.0 - 2.0 * mirrored
    move[:, 1, 1] = 1.0
    move[:, :, 2] = 2 * most * (2 * torch.rand(n, 2) - 1)
    grid = functional.affine_grid(move.to(X), [n, *images.shape[1:]], align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return moved if X.ndim == 4 else moved[:, 0]


def flip_and_shift(X: Tensor, most: float = SHIFT) -> Tensor:
    """Half of the images mirrored, all moved."""
    return shift(X, torch.rand(len(X)) < 0.5, most)


def linear_decision(parts: dict[str, Images], components: int) -> np.ndarray:
    """Decision values of the yardstick on the test part: components, then logistic regression."""

    def rows(part: Images) -> np.ndarray:
        return part.X.reshape(len(part.X), -1) / 255

    model = LogisticRegression(max_iter=2000)
    if parts["train"].y.ndim == 2:
        model = OneVsRestClassifier(model)
    model = make_pipeline(PCA(components, whiten=True, random_state=0), model)
    model.fit(rows(parts["train"]), parts["train"].y)
    return model.decision_function(rows(parts["test"]))


# -- options ---------------------------------------------------------------------------------------


def arguments(description: str, **choices: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    command = parser(description, **choices)
    command.set_defaults(seeds=3)
    command.add_argument("--minutes", type=float, default=np.inf, help="start no job after these")
    folder = Path(tempfile.gettempdir()) / "skfair_benchmarks"
    command.add_argument("--folder", type=Path, default=folder, help="where finished jobs are kept")
    return command.parse_args()
