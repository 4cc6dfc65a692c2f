"""The parts that the image benchmarks train, choose and measure on."""

import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import _images
from benchmarks._images import Images, SmallNet, divide, flip_and_shift, reduced


def needs(file):
    """Skip without this file."""
    folder = os.environ.get("SKFAIR_DATA")
    if not folder or not Path(folder, file).exists():
        pytest.skip(f"needs {file} in the folder that $SKFAIR_DATA names")


@pytest.mark.parametrize(
    ("file", "load", "shape"),
    [
        ("celeba_attributes.npz", lambda s: _images.celeba("Wavy_Hair", 32, s), (10000, 32)),
        ("chest_findings_64.npz", lambda s: _images.chest(64, s), (1993, 64)),
        ("fairface.npz", lambda s: _images.fairface(48, s), (14998, 48)),
    ],
)
def test_nobody_is_in_two_parts(file, load, shape):
    needs(file)
    parts, others = load(0), load(1)
    for a, b in combinations(parts.values(), 2):
        assert not set(a.who) & set(b.who)
    assert sum(len(part.y) for part in parts.values()) == shape[0]
    for part in parts.values():
        assert part.X.dtype == np.uint8
        assert part.X.shape[1:] == (shape[1], shape[1])
        assert len(part.X) == len(part.y) == len(part.sensitive) == len(part.who)
    assert set(parts["valid"].who) != set(others["valid"].who)
    if file.startswith("chest"):  # with so few positives every seed has another test part
        assert not set(parts["test"].who) & set(others["test"].who)
    else:
        np.testing.assert_array_equal(parts["test"].who, others["test"].who)


def test_celeba_has_the_documented_rates():
    needs("celeba_attributes.npz")
    parts = _images.celeba("Wavy_Hair", 64, 0)
    y = np.concatenate([part.y for part in parts.values()])
    gender = np.concatenate([part.sensitive["gender"] for part in parts.values()])
    assert y.mean() == pytest.approx(0.3179, abs=5e-5)
    assert y[gender == "female"].mean() == pytest.approx(0.4463, abs=5e-5)
    assert y[gender == "male"].mean() == pytest.approx(0.1418, abs=5e-5)


def test_chest_has_the_documented_positives():
    needs("chest_findings_64.npz")
    parts = _images.chest(64, 0)
    y = np.concatenate([part.y for part in parts.values()])
    sex = np.concatenate([part.sensitive["sex"] for part in parts.values()])
    assert y[sex == "F"].sum(0).tolist() == [110, 70, 54, 67, 144]
    assert y[sex == "M"].sum(0).tolist() == [97, 27, 21, 58, 113]


def test_fairface_has_its_own_test_part():
    needs("fairface.npz")
    parts = _images.fairface(48, 0)
    assert len(parts["test"].y) == 4998
    assert parts["test"].y.mean() == pytest.approx(0.2317, abs=5e-5)
    assert set(parts["test"].sensitive["gender"]) == {"F", "M"}
    assert parts["test"].sensitive["race"].nunique() == 7


def test_a_file_is_read_once():
    needs("chest_findings_64.npz")
    assert _images.arrays("chest_findings_64.npz") is _images.arrays("chest_findings_64.npz")
    assert reduced("chest_findings_64.npz", 32) is reduced("chest_findings_64.npz", 32)


def test_half_the_size_keeps_the_brightness():
    needs("chest_findings_64.npz")
    images = _images.arrays("chest_findings_64.npz")["images"]
    smaller = reduced("chest_findings_64.npz", 32)
    means = images.reshape(len(images), -1).mean(1)
    np.testing.assert_allclose(smaller.reshape(len(images), -1).mean(1), means, atol=1.5)


def test_parts_are_divided_by_person():
    who = np.repeat(np.arange(50), 4)
    rng = np.random.RandomState(0)
    X = rng.randint(0, 256, (200, 4, 4), np.uint8)
    data = Images(X, who % 2, pd.DataFrame({"gender": who % 3}), who)
    parts = divide(data, 3)
    assert [len(part.y) for part in parts.values()] == [4 * 29, 4 * 8, 4 * 13]
    assert sorted(np.concatenate([part.who for part in parts.values()])) == sorted(who)


def test_flip_and_shift_mirrors_half_of_the_images():
    X = torch.zeros(400, 16, 16)
    X[:, :, :4] = 1.0
    torch.manual_seed(0)
    moved = flip_and_shift(X)
    on_the_left = moved[:, :, :8].sum((1, 2)) > moved[:, :, 8:].sum((1, 2))
    assert 0.4 < on_the_left.float().mean() < 0.6
    assert moved.shape == X.shape


def test_rows_of_the_small_network_do_not_mix():
    torch.manual_seed(0)
    net = SmallNet((32, 32), 2).eval()
    X = torch.rand(5, 32, 32)
    torch.testing.assert_close(net(X)[:2], net(X[:2]))
