"""Rank-1 accuracy and angles, against loops over all pairs and closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skfair.metrics import class_angles, rank1_accuracy


def clouds(n_people=12, n_images=4, spread=0.7, seed=0):
    """Points around people; every third is a man; names of people are texts."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(n_people), n_images)
    X = rng.normal(size=(n_people, 5))[who] + spread * rng.normal(size=(len(who), 5))
    return X, np.char.add("id", who.astype(str)), np.where(who % 3 == 0, "M", "F")


def distance(a, b, metric):
    if metric == "euclidean":
        return np.sqrt(((a - b) ** 2).sum())
    return 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def brute_rank1(gallery, probes, who, asked, groups, metric):
    """Rank-1 accuracy of each group, one pair at a time; probes=None is leave-one-out."""
    hits = {group: [] for group in sorted(set(groups))}
    for i, group in enumerate(groups):
        probe = gallery[i] if probes is None else probes[i]
        others = [j for j in range(len(gallery)) if probes is not None or j != i]
        nearest = min(others, key=lambda j: distance(probe, gallery[j], metric))
        hits[group].append(who[nearest] == asked[i])
    return {group: np.mean(of) for group, of in hits.items()}


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("seed", range(3))
def test_leave_one_out_equals_a_loop_over_pairs(metric, seed):
    X, who, group = clouds(seed=seed)
    table = rank1_accuracy(X, identities=who, sensitive_features=group, metric=metric)
    expected = brute_rank1(X, None, who, who, group, metric)
    assert table["rank1"].to_dict() == pytest.approx(expected)
    assert 0.1 < table["rank1"].mean() < 0.9
    counts = table[["probes", "identities", "images"]].to_numpy()
    assert counts.tolist() == [[32, 8, 32], [16, 4, 16]]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_probes_equal_a_loop_over_pairs(metric):
    X, who, group = clouds()
    is_probe = np.arange(len(X)) % 4 == 1
    table = rank1_accuracy(
        X[~is_probe],
        X[is_probe],
        identities=who[~is_probe],
        sensitive_features=group[~is_probe],
        probe_identities=who[is_probe],
        probe_sensitive_features=group[is_probe],
        metric=metric,
    )
    expected = brute_rank1(
        X[~is_probe], X[is_probe], who[~is_probe], who[is_probe], group[is_probe], metric
    )
    assert table["rank1"].to_dict() == pytest.approx(expected)
    assert table[["probes", "images"]].to_numpy().tolist() == [[8, 24], [4, 12]]


def test_metrics_agree_on_features_of_unit_length_and_differ_otherwise():
    X, who, group = clouds()
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    by = [
        rank1_accuracy(rows, identities=who, sensitive_features=group, metric=metric)["rank1"]
        for rows, metric in ((X, "cosine"), (unit, "cosine"), (unit, "euclidean"), (X, "euclidean"))
    ]
    assert by[0].equals(by[1])
    assert by[1].equals(by[2])
    assert not by[2].equals(by[3])


def test_order_of_the_rows_and_names_of_the_people_do_not_matter():
    X, who, group = clouds()
    order = np.random.default_rng(1).permutation(len(X))
    numbers = pd.factorize(who)[0] * 7 - 20
    first = rank1_accuracy(X, identities=who, sensitive_features=group)
    other = rank1_accuracy(X[order], identities=numbers[order], sensitive_features=group[order])
    pd.testing.assert_frame_equal(first, other)


# -- equal galleries ------------------------------------------------------------------------------


def test_an_equal_gallery_has_as_many_people_and_images_of_each_group():
    X, who, group = clouds(n_people=15, n_images=6)
    table = rank1_accuracy(
        X,
        identities=who,
        sensitive_features=group,
        equal_galleries=True,
        n_images=3,
        random_state=0,
    )
    assert table["identities"].tolist() == [5, 5]  # there are 5 men, and 10 women
    assert table["images"].tolist() == table["probes"].tolist() == [15, 15]
    assert (table["std"] > 0).all()


def test_fewest_images_of_anybody_are_the_default():
    X, who, group = clouds(n_people=6, n_images=5)
    rows = np.flatnonzero(~((who == "id1") & (np.arange(len(X)) % 5 < 2)))
    table = rank1_accuracy(
        X[rows], identities=who[rows], sensitive_features=group[rows], equal_galleries=True
    )
    assert table["images"].tolist() == [6, 6]  # 2 people of each group, 3 images each


def test_a_gallery_that_is_equal_already_is_what_is_drawn():
    X, who, _ = clouds()
    group = np.where(pd.factorize(who)[0] % 2, "M", "F")
    plain = rank1_accuracy(X, identities=who, sensitive_features=group)
    equal = rank1_accuracy(X, identities=who, sensitive_features=group, equal_galleries=True)
    pd.testing.assert_series_equal(plain["rank1"], equal["rank1"])
    assert equal["std"].tolist() == pytest.approx([0, 0])


def test_mean_over_draws_comes_close_to_the_mean_over_all_galleries():
    # one man; of two women one is drawn: she is, or is not, told from him
    X = np.array([[1, 0.0], [1, 0.1], [1, 0.04], [-1, 0.05], [0, 1], [0, 1]])
    who, group = np.array([0, 0, 1, 1, 2, 2]), np.array(["M", "M", "F", "F", "F", "F"])
    table = rank1_accuracy(
        X,
        identities=who,
        sensitive_features=group,
        equal_galleries=True,
        n_draws=400,
        random_state=0,
    )
    # with woman 1 nobody is found (0 and 0), with woman 2 everybody is
    assert table["rank1"].to_numpy() == pytest.approx([0.5, 0.5], abs=0.1)  # 4 standard errors
    assert table["std"].to_numpy() == pytest.approx([0.5, 0.5], abs=0.05)


def test_probes_of_people_who_are_not_drawn_take_no_part():
    X, who, group = clouds(n_people=15, n_images=6)
    is_probe = np.arange(len(X)) % 6 < 2
    table = rank1_accuracy(
        X[~is_probe],
        X[is_probe],
        identities=who[~is_probe],
        sensitive_features=group[~is_probe],
        probe_identities=who[is_probe],
        probe_sensitive_features=group[is_probe],
        equal_galleries=True,
        n_images=1,
        random_state=0,
    )
    assert table["probes"].tolist() == [10, 10]
    assert table["images"].tolist() == [5, 5]


def test_seed_decides_on_the_galleries_and_the_global_generator_rests():
    X, who, group = clouds()
    np.random.seed(3)
    before = np.random.get_state()[1].copy()

    def table(seed):
        return rank1_accuracy(
            X, identities=who, sensitive_features=group, equal_galleries=True, random_state=seed
        )

    pd.testing.assert_frame_equal(table(0), table(0))
    assert not table(0).equals(table(1))
    assert np.array_equal(np.random.get_state()[1], before)


# -- angles ---------------------------------------------------------------------------------------


def test_angles_on_a_circle_are_those_that_were_drawn():
    # people at 0, 50 and 90 degrees; images 10, 20 and 5 degrees to both sides
    people = [(0, 10, "M"), (50, 20, "F"), (90, 5, "F")]
    degrees = [middle + side * turn for middle, turn, _ in people for side in (-1, 1)]
    X = np.column_stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    who, group = np.repeat([0, 1, 2], 2), np.repeat([g for *_, g in people], 2)
    table = class_angles(X, who, sensitive_features=group)
    assert table.loc["M"].to_numpy() == pytest.approx([10, 50, 1])
    assert table.loc["F"].to_numpy() == pytest.approx([(20 + 5) / 2, 40, 2])


def test_angles_equal_a_loop_over_people():
    X, who, group = clouds()

    def angle(a, b):
        return np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))

    centers = {name: X[who == name].mean(axis=0) for name in set(who)}
    rows = []
    for name, center in centers.items():
        intra = np.mean([angle(x, center) for x in X[who == name]])
        inter = min(angle(center, other) for o, other in centers.items() if o != name)
        rows.append((group[who == name][0], intra, inter))
    expected = pd.DataFrame(rows, columns=["group", "intra", "inter"]).groupby("group").mean()
    found = class_angles(X, who, sensitive_features=group)
    np.testing.assert_allclose(found[["intra", "inter"]], expected)


# -- what is missing, and what is wrong -----------------------------------------------------------


def test_images_without_a_group_stay_in_the_gallery():
    X = np.array([[1, 0], [1, 0.1], [0, 1], [0, 0.9], [1, 0.04], [0, 1.5]])
    who, group = [0, 0, 1, 1, 2, 2], ["F", "F", "M", "M", None, None]
    with pytest.warns(UserWarning, match="missing in 2 of 6"):
        table = rank1_accuracy(X, identities=who, sensitive_features=group)
    assert table["rank1"].to_dict() == {"F": 0.0, "M": 1.0}


def test_probes_whose_person_is_not_in_the_gallery_are_left_out_with_a_warning():
    X, who, group = clouds()
    with pytest.warns(UserWarning, match="no other image of the person on 2 of 3 probes"):
        table = rank1_accuracy(
            X,
            X[:3],
            identities=who,
            sensitive_features=group,
            probe_identities=["nobody", who[1], "somebody"],
            probe_sensitive_features=["F", "M", "M"],
        )
    assert table["probes"].to_dict() == {"F": 0, "M": 1}
    assert np.isnan(table.loc["F", "rank1"])
    alone = np.r_[who[:-1], ["alone"]]
    with pytest.warns(UserWarning, match="person on 1 of 48 probes"):
        rank1_accuracy(X, identities=alone, sensitive_features=group)


def test_wrong_input_is_named():
    X, who, group = clouds()
    good = {"identities": who, "sensitive_features": group}
    with pytest.raises(ValueError, match="gallery"):
        rank1_accuracy(X[:, 0], **good)
    with pytest.raises(ValueError, match="gallery.*NaN"):
        rank1_accuracy(np.where(X > 0, np.nan, X), **good)
    with pytest.raises(ValueError, match=r"identities must hold one label.*\(47,\) for 48"):
        rank1_accuracy(X, identities=who[1:], sensitive_features=group)
    with pytest.raises(ValueError, match="one row per sample: got 47 rows for 48"):
        rank1_accuracy(X, identities=who, sensitive_features=group[1:])
    with pytest.raises(ValueError, match="probes need probe_identities"):
        rank1_accuracy(X, X, **good)
    both = {"probe_identities": who, "probe_sensitive_features": group}
    with pytest.raises(ValueError, match="probes must have the 5 features of gallery, got 4"):
        rank1_accuracy(X, X[:, 1:], **good, **both)
    with pytest.raises(ValueError, match="'metric'.*'cosine'.*Got 'angle'"):
        rank1_accuracy(X, metric="angle", **good)
    with pytest.raises(ValueError, match=r"n_images=9 leaves a group without.*'F': 0, 'M': 0"):
        rank1_accuracy(X, equal_galleries=True, n_images=9, **good)
    with pytest.raises(ValueError, match="at least 2 images of each identity, got 1"):
        rank1_accuracy(X, equal_galleries=True, n_images=1, **good)
    mixed = np.where(np.arange(len(X)) % 2, "M", "F")
    with pytest.raises(ValueError, match="same for all images of an identity"):
        rank1_accuracy(X, identities=who, sensitive_features=mixed, equal_galleries=True)
    with pytest.raises(ValueError, match="same for all images of an identity"):
        class_angles(X, who, sensitive_features=mixed)
    with pytest.raises(ValueError, match="at least two people"):
        class_angles(X, np.zeros(len(X)), sensitive_features=group)
