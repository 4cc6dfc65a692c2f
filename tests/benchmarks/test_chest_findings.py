"""What the benchmark of findings in X-rays computes by itself."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks import chest_findings
from benchmarks._images import Images


@pytest.fixture
def pictures():
    """120 pictures of 40 patients, with ties among the values."""
    rng = np.random.RandomState(0)
    who = np.repeat(np.arange(40), 3)
    ages = np.where(who < 20, "younger", "60 or older")
    sensitive = pd.DataFrame({"sex": np.where(who % 2, "M", "F"), "age": ages})
    y = rng.randint(0, 2, (120, 5))
    y[(sensitive["sex"] == "F").to_numpy(), 4] = 0
    part = Images(np.zeros((120, 2, 2), np.uint8), y, sensitive, who)
    return part, rng.standard_normal((120, 5)).round(1)


def test_areas_are_those_of_each_group(pictures):
    part, decision = pictures
    rows = np.random.RandomState(1).randint(120, size=200)  # a resample
    found = chest_findings.areas(decision, part, rows, "sex", ("M", "F"))
    for j, sex in enumerate(("M", "F")):
        members = rows[part.sensitive["sex"].to_numpy()[rows] == sex]
        for i in range(4):
            expected = roc_auc_score(part.y[members, i], decision[members, i])
            assert found[i, j] == pytest.approx(expected)
    assert np.isnan(found[4, 1])  # no positive


def test_flips_meet_the_group_alone(pictures):
    part, _ = pictures
    men = (part.sensitive["sex"] == "M").to_numpy()
    changed = chest_findings.flipped(part.y, men, 0.3, seed=0) != part.y
    assert not changed[~men].any()
    assert (abs(changed[men].mean(0) - 0.3) < 0.2).all()
    assert len({column.tobytes() for column in changed.T}) == 5  # each finding by itself


def test_as_many_are_called_as_are_positive_in_training(pictures):
    part, decision = pictures
    runs = [{"scheme": "plain", "seed": 0, "test": decision + np.arange(120)[:, None] * 1e-6}]
    table = chest_findings.rates(runs, "plain", [{"train": part, "test": part}])
    of_sex = table[table["group"].isin(("M", "F"))]
    called = (of_sex["called"] * of_sex["pictures"]).groupby(of_sex["finding"]).sum()
    positives = of_sex.groupby("finding")["positives"].sum()
    assert (abs(called - positives) <= 1).all()
