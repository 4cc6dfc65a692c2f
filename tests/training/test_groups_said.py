"""What fit says of sensitive features that are not what they seem."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from skfair import FaiRNClassifier
from skfair.datasets import make_biased_classification

X, Y, GROUP = make_biased_classification(300, as_frame=True, random_state=0)
NAMES = pd.Series(np.asarray(GROUP), index=X.index)
QUICK = FaiRNClassifier(max_epochs=1, batch_size=-1, random_state=0)


def test_an_index_in_another_order_is_matched_by_position_and_said():
    shuffled = NAMES.sample(frac=1, random_state=0)
    with pytest.warns(UserWarning, match=r"in another order; rows are matched by their position"):
        ours = QUICK.fit(X, Y, sensitive_features=shuffled).history_["fairness"][0]
    theirs = QUICK.fit(X, Y, sensitive_features=shuffled.to_numpy()).history_["fairness"][0]
    assert ours == theirs


@pytest.mark.parametrize(
    "index", [None, pd.RangeIndex(1000, 1300), [f"p{i}" for i in range(300)]], ids=str
)
def test_the_same_or_quite_another_index_is_nothing_to_speak_of(index):
    given = NAMES if index is None else NAMES.set_axis(index)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="sensitive_features has the index")
        QUICK.fit(X, Y, sensitive_features=given)


def test_fractions_are_said_to_be_what_an_encoder_makes():
    encoded = NAMES.map({"a": 0.25, "b": 0.4})
    with pytest.warns(UserWarning, match="holds 2 numbers that are not whole.*before it"):
        QUICK.fit(X, Y, sensitive_features=encoded)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The sensitive feature")
        QUICK.fit(X, Y, sensitive_features=(NAMES == "a").astype(float))


def test_groups_of_a_few_rows_are_named_with_their_numbers():
    rare = NAMES.where(np.arange(300) >= 4, "rare")
    with pytest.warns(UserWarning, match=r"Groups with fewer than 10 rows: 'rare' \(4\)\."):
        QUICK.fit(X, Y, sensitive_features=rare)
    many = NAMES.where(np.arange(300) >= 24, [f"g{i // 2}" for i in range(300)])
    with pytest.warns(UserWarning, match=r"'g0' \(2\).* and 7 more\."):
        QUICK.fit(X, Y, sensitive_features=many)
