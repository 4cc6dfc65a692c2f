"""Recognition of people by their features: who is nearest, and how far apart they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_array
from sklearn.utils._param_validation import Integral, Interval, StrOptions, validate_params

from .._groups import GroupEncoder
from .._random import own_generator
from .._tables import label_array, naming
from .._warnings import warn

__all__ = ["class_angles", "rank1_accuracy"]

COUNTS = ("probes", "identities", "images")


@dataclass(frozen=True)
class Images:
    """Feature vectors, one for each image.

    Attributes
    ----------
    features : ndarray of shape (n, n_features)
        As given.
    identities : int64 ndarray of shape (n,)
        Position of each image's person among those of the gallery, -1 for others.
    groups : int64 ndarray of shape (n,) or None
        Code of each image's group, -1 where it is missing.
    """

    features: np.ndarray
    identities: np.ndarray
    groups: np.ndarray | None

    def select(self, rows: np.ndarray) -> Images:
        """Return the images at these positions."""
        groups = None if self.groups is None else self.groups[rows]
        return Images(self.features[rows], self.identities[rows], groups)


def _check_features(features: Any, parameter: str) -> np.ndarray:
    with naming(parameter):
        return check_array(features, dtype=[np.float64, np.float32], input_name=parameter)


def _labels_of(labels: Any, parameter: str, n_rows: int) -> np.ndarray:
    labels = label_array(labels, parameter)
    if labels.shape != (n_rows,):
        raise ValueError(
            f"{parameter} must hold one label per image: got shape {labels.shape} for {n_rows}."
        )
    if pd.isna(labels).any():
        raise ValueError(f"{parameter} must not have missing labels.")
    return labels


def _groups_of(encoder: GroupEncoder, sensitive_features: Any, n_rows: int) -> np.ndarray:
    return encoder.encode(sensitive_features, n_rows)[:, 0]


def _group_of_each(images: Images, n_identities: int) -> np.ndarray:
    """Code of each identity's group.

    Raises
    ------
    ValueError
        If an identity has images of several.
    """
    groups = images.groups
    of_each = np.full(n_identities, -1)
    of_each[images.identities] = groups
    if groups is not None and (of_each[images.identities] != groups).any():
        raise ValueError(
            "sensitive_features must be the same for all images of an identity; here some have "
            "images of several groups."
        )
    return of_each


@validate_params(
    {
        "metric": [StrOptions({"cosine", "euclidean"})],
        "equal_galleries": ["boolean"],
        "n_images": [Interval(Integral, 1, None, closed="left"), None],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def rank1_accuracy(
    gallery: Any,
    probes: Any = None,
    *,
    identities: Any,
    sensitive_features: Any,
    probe_identities: Any = None,
    probe_sensitive_features: Any = None,
    metric: str = "cosine",
    equal_galleries: bool = False,
    n_images: int | None = None,
    n_draws: int = 10,
    random_state: int | np.random.RandomState | None = None,
) -> pd.DataFrame:
    """Share of images whose nearest neighbor is an image of the same person, by group.

    How recognition of faces is measured where the classes of training are of no use (Technical
    Challenges, section 2.1): an image, the probe, is compared with those of a gallery by its
    features.

    Parameters
    ----------
    gallery : array-like of shape (n_images, n_features)
        Features of the gallery's images, such as those of
        :meth:`MarginClassifier.embed <skfair.MarginClassifier.embed>`.
    probes : array-like of shape (n_probes, n_features), default=None
        Features of the images to be recognized. ``None``: each image of the gallery is compared
        with all others (leave-one-out).
    identities : array-like of shape (n_images,)
        Who is on each image of the gallery.
    sensitive_features : array-like of shape (n_images,) or (n_images, n_attributes)
        Group of each image of the gallery; combinations where there are several attributes. Where
        it is missing the image stays in the gallery, and counts in no group.
    probe_identities : array-like of shape (n_probes,), default=None
        Who is on each probe.
    probe_sensitive_features : array-like of shape (n_probes,) or (n_probes, n_attributes), \
default=None
        Group of each probe.
    metric : {"cosine", "euclidean"}, default="cosine"
        What is near; the same for features of unit length.
    equal_galleries : bool, default=False
        Whether the gallery has equally many people of every group, each with equally many images,
        drawn at random and averaged over ``n_draws``. With more people or more images of a group
        its members are harder, or easier, to find.
    n_images : int >= 1, default=None
        Images of each person in an equal gallery (at least 2 without ``probes``); people with fewer
        are left out. ``None``: as many as those with the fewest have.
    n_draws : int >= 1, default=10
        Number of equal galleries.
    random_state : int, RandomState instance or None, default=None
        Seed of their choice.

    Returns
    -------
    pandas.DataFrame
        A row for each group: ``rank1`` (the share); ``probes``, ``identities`` and ``images``, the
        numbers of probes and of the group's people and images in the gallery; with
        ``equal_galleries`` also ``std``, the standard deviation of the share over the draws, and
        ``probes`` is the mean number.

    Raises
    ------
    ValueError
        If lengths differ, features are not finite, there is one group only, or an equal gallery
        cannot be made.

    Warns
    -----
    UserWarning
        If probes are left out because the gallery has no other image of their person.

    Examples
    --------
    >>> from skfair.metrics import rank1_accuracy
    >>> features = [[1, 0], [1, 0.1], [0, 1], [0, 0.9], [0.1, 1], [1, 0.3]]
    >>> group = ["M", "M", "F", "F", "F", "F"]
    >>> table = rank1_accuracy(features, identities=[0, 0, 1, 1, 2, 2], sensitive_features=group)
    >>> table["rank1"].to_dict()
    {'F': 0.5, 'M': 1.0}
    """
    features = _check_features(gallery, "gallery")
    codes, people = pd.factorize(_labels_of(identities, "identities", len(features)))
    encoder = GroupEncoder()
    shelf = Images(features, codes, _groups_of(encoder, sensitive_features, len(features)))
    asked = None
    if probes is not None:
        asked = _check_probes(
            probes, probe_identities, probe_sensitive_features, shelf, pd.Index(people), encoder
        )
    if not equal_galleries:
        table = _table([_recognize(shelf, asked, metric)], encoder.labels)
        return table.drop(columns="std").astype({"probes": int})
    rng = own_generator(random_state)
    galleries = _equal_galleries(shelf, len(people), n_images, 1 + (asked is None), encoder, rng)
    tables = []
    for rows in islice(galleries, n_draws):
        drawn, known = shelf.select(rows), asked
        if known is not None:
            known = known.select(np.flatnonzero(np.isin(known.identities, drawn.identities)))
        tables.append(_recognize(drawn, known, metric))
    return _table(tables, encoder.labels)


def _check_probes(
    probes: Any,
    identities: Any,
    sensitive_features: Any,
    gallery: Images,
    people: pd.Index,
    encoder: GroupEncoder,
) -> Images:
    """Return the probes, less those whose person is not in the gallery."""
    if identities is None or sensitive_features is None:
        raise ValueError("probes need probe_identities and probe_sensitive_features.")
    features = _check_features(probes, "probes")
    if features.shape[1] != gallery.features.shape[1]:
        raise ValueError(
            f"probes must have the {gallery.features.shape[1]} features of gallery, got "
            f"{features.shape[1]}."
        )
    labels = _labels_of(identities, "probe_identities", len(features))
    with naming("probe_sensitive_features"):
        groups = _groups_of(encoder, sensitive_features, len(features))
    return Images(features, people.get_indexer(pd.Index(labels)), groups)


def _recognize(gallery: Images, probes: Images | None, metric: str) -> pd.DataFrame:
    """Whether each probe's nearest neighbor is of its person; how many there are, by group."""
    search = NearestNeighbors(n_neighbors=1, algorithm="brute", metric=metric)
    search.fit(gallery.features)
    asked = gallery if probes is None else probes
    needed = 1 + (probes is None)  # itself among them
    images_of = np.bincount(gallery.identities, minlength=asked.identities.max(initial=-1) + 1)
    there = (asked.identities >= 0) & (images_of[asked.identities] >= needed)
    if not there.all():
        warn(
            f"The gallery has no other image of the person on {(~there).sum()} of {len(there)} "
            "probes: they are left out.",
        )
    nearest = np.zeros(len(asked.identities), dtype=np.int64)
    if len(nearest) and len(gallery.features) >= needed:
        found = search.kneighbors(
            None if probes is None else probes.features, return_distance=False
        )
        nearest = found[:, 0]
    hits = gallery.identities[nearest] == asked.identities
    by_group = pd.DataFrame({"group": asked.groups, "hit": hits})[there].groupby("group")["hit"]
    shelf = pd.DataFrame({"group": gallery.groups, "identity": gallery.identities})
    of_shelf = shelf.groupby("group")["identity"]
    return pd.DataFrame(
        {
            "rank1": by_group.mean(),
            "probes": by_group.size(),
            "identities": of_shelf.nunique(),
            "images": of_shelf.size(),
        }
    )


def _table(draws: list[pd.DataFrame], labels: list) -> pd.DataFrame:
    """Mean over draws, with the groups' labels in the place of their codes."""
    codes = range(len(labels))
    whole = [draw.reindex(codes).fillna(dict.fromkeys(COUNTS, 0)) for draw in draws]
    by_group = pd.concat(whole).groupby(level=0)
    table = by_group.mean().astype({"identities": int, "images": int})
    table["std"] = by_group["rank1"].std(ddof=0)
    table.index = pd.Index(labels, name="group", tupleize_cols=False)
    return table


def _equal_galleries(
    gallery: Images,
    n_people: int,
    n_images: int | None,
    least: int,
    encoder: GroupEncoder,
    rng: np.random.RandomState,
) -> Iterator[np.ndarray]:
    """Yield positions of images: of every group equally many people, of each equally many."""
    group_of = _group_of_each(gallery, n_people)
    images_of = np.bincount(gallery.identities, minlength=n_people)
    counted = group_of >= 0
    n_images = int(images_of[counted].min()) if n_images is None else n_images
    if n_images < least:
        raise ValueError(
            f"equal_galleries needs at least {least} images of each identity, got {n_images}; "
            "n_images leaves out those with fewer than it says."
        )
    candidates = [
        np.flatnonzero((group_of == code) & (images_of >= n_images))
        for code in range(len(encoder.labels))
    ]
    n_each = min(map(len, candidates))
    if n_each == 0:
        raise ValueError(
            f"equal_galleries with n_images={n_images} leaves a group without identities: "
            f"{dict(zip(encoder.labels, map(len, candidates), strict=True))}."
        )
    rows_of = [np.flatnonzero(gallery.identities == person) for person in range(n_people)]
    while True:
        chosen = [rng.choice(people, n_each, replace=False) for people in candidates]
        yield np.concatenate(
            [
                rng.choice(rows_of[person], n_images, replace=False)
                for person in np.concatenate(chosen)
            ]
        )


def class_angles(features: Any, identities: Any, *, sensitive_features: Any) -> pd.DataFrame:
    """Compute the angles within and between people, by group (Technical Challenges, Table 2).

    Parameters
    ----------
    features : array-like of shape (n_images, n_features)
        Features of the images.
    identities : array-like of shape (n_images,)
        Who is on each.
    sensitive_features : array-like of shape (n_images,) or (n_images, n_attributes)
        Group of each image, the same for all images of an identity.

    Returns
    -------
    pandas.DataFrame
        A row for each group, means over its people, in degrees: ``intra``, the mean angle between
        the images of a person and their mean, and ``inter``, the angle between that mean and the
        nearest one of another person, of whatever group. ``identities`` is the number of people.

    Raises
    ------
    ValueError
        If lengths differ, features are not finite, an identity has several groups, or there is one
        group or one identity only.

    Examples
    --------
    >>> from skfair.metrics import class_angles
    >>> features = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 2.0]]
    >>> class_angles(features, [0, 0, 1, 1], sensitive_features=["F", "F", "M", "M"])
           intra  inter  identities
    group
    F        0.0   90.0           1
    M        0.0   90.0           1
    """
    X = _check_features(features, "features")
    codes, people = pd.factorize(_labels_of(identities, "identities", len(X)))
    if len(people) < 2:
        raise ValueError("identities must be of at least two people, got one.")
    encoder = GroupEncoder()
    images = Images(X, codes, _groups_of(encoder, sensitive_features, len(X)))
    group_of = _group_of_each(images, len(people))
    centers = np.zeros((len(people), X.shape[1]))
    np.add.at(centers, codes, X)
    units, centers = _unit(X), _unit(centers)
    inside = _degrees((units * centers[codes]).sum(axis=1))
    between = centers @ centers.T
    np.fill_diagonal(between, -np.inf)
    by_person = pd.DataFrame(
        {
            "intra": np.bincount(codes, inside) / np.bincount(codes),
            "inter": _degrees(between.max(axis=1)),
            "group": group_of,
        }
    )
    by_group = by_person[group_of >= 0].groupby("group")
    table = by_group[["intra", "inter"]].mean().assign(identities=by_group.size())
    table = table.reindex(range(len(encoder.labels)))
    table.index = pd.Index(encoder.labels, name="group", tupleize_cols=False)
    return table


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


def _degrees(cosines: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip(cosines, -1, 1)))
