"""What fit says of the groups and rows that it is given, once and with numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import TargetEncoder

from skfair import FaiRNClassifier, LabelFlipClassifier, SmoothedClassifier

QUICK = {"max_epochs": 1, "hidden_layer_sizes": (4,), "batch_size": -1, "random_state": 0}
ODD = ("fewer than 10 rows", "not whole", "in another order")


def said(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    messages = [str(warning.message) for warning in caught]
    return [message for message in messages if any(part in message for part in ODD)]


def fit(X, y, group, **params):
    return said(lambda: FaiRNClassifier(**QUICK | params).fit(X, y, sensitive_features=group))


@pytest.fixture
def rare(biased):
    X, y, group = biased
    group = group.astype(object)
    group[:9], group[9:12], group[12:22] = "rare", "rarer", "enough"
    return X, y, group


def test_small_groups_are_counted(rare):
    (message,) = fit(*rare)
    assert message.startswith("sensitive_features: 2 of 5 groups have fewer than 10 rows: ")
    assert "'rare' (9), 'rarer' (3)." in message


def test_of_many_small_groups_a_few_are_named(biased):
    X, y, group = biased
    group = group.astype(object)
    group[:40] = [f"g{i:02}" for i in range(40)]
    (message,) = fit(X, y, group)
    assert "40 of 42 groups" in message
    assert "'g04' (1) and 35 more." in message
    assert "g05" not in message


def test_groups_of_each_feature_are_counted_by_themselves(rare):
    X, y, group = rare
    frame = pd.DataFrame({"group": group, "half": np.arange(len(y)) % 2})
    (message,) = fit(X, y, frame, attributes="sum")
    assert "2 of 7 groups" in message
    assert "('group', 'rare') (9)" in message


def test_rows_that_are_left_out_do_not_count(biased):
    X, y, group = biased
    weight = np.where(group == "a", np.cumsum(group == "a") <= 7, 1.0)
    model = FaiRNClassifier(**QUICK)
    (message,) = said(lambda: model.fit(X, y, sensitive_features=group, sample_weight=weight))
    assert "1 of 2 groups" in message
    assert "'a' (7)" in message


def test_a_stream_may_begin_small(rare):
    X, y, group = rare
    model = FaiRNClassifier(**QUICK)
    assert (
        said(lambda: model.partial_fit(X[:30], y[:30], [0, 1], sensitive_features=group[:30])) == []
    )
    assert said(lambda: model.partial_fit(X, y, sensitive_features=group)) == []


@pytest.mark.parametrize(
    "estimator",
    [
        LabelFlipClassifier(**QUICK),
        LabelFlipClassifier(estimator=LogisticRegression(), random_state=0),
        SmoothedClassifier(FaiRNClassifier(**QUICK), n_samples=5, random_state=0),
    ],
    ids=str,
)
def test_every_estimator_says_it_once(rare, estimator):
    X, y, group = rare
    assert len(said(lambda: estimator.fit(X, y, sensitive_features=group))) == 1


def test_a_monitor_says_it_once_of_the_rows_that_are_held_out(rare):
    X, y, group = rare
    of_all, of_held_out = fit(X, y, group, monitor="neg_recourse_gap", max_epochs=4)
    assert "2 of 5 groups" in of_all
    assert "fewer than 10 rows: 'enough' (2)" in of_held_out


def test_a_monitor_does_not_repeat_that_numbers_are_not_whole(biased):
    X, y, group = biased
    assert len(fit(X, y, np.where(group == "a", 0.5, 1.5), monitor="neg_recourse_gap")) == 1


def test_what_a_target_encoder_leaves_is_noticed(biased):
    X, y, group = biased
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # another way from scikit-learn 1.9
        encoded = TargetEncoder(random_state=0).fit_transform(group[:, None], y)
    n_values = len(np.unique(encoded))
    assert n_values > 2
    (message,) = fit(np.column_stack([X, encoded]), y, None, sensitive_columns=[6])
    assert f"holds {n_values} numbers that are not whole" in message
    frame = pd.DataFrame(X).add_prefix("x").assign(sex=encoded)
    (message,) = fit(frame, y, None, sensitive_columns="sex")
    assert message.startswith("sensitive_features: 'sex' holds")
    assert "pandas.cut" in message


@pytest.mark.parametrize(
    "form", [lambda g: g == "a", lambda g: (g == "a") * 2.0, lambda g: g.astype(object)]
)
def test_groups_as_people_have_them_are_nothing_to_speak_of(biased, form):
    X, y, group = biased
    assert fit(X, y, form(group)) == []


def test_missing_values_are_no_broken_numbers(biased):
    X, y, group = biased
    code = np.where(group == "a", 0.0, 1.0)
    code[::7] = np.nan
    assert fit(X, y, code) == []


@pytest.mark.parametrize("names", [("sensitive_features",), ("sample_weight",), ("y",), None])
def test_an_index_in_another_order_is_told(biased, names):
    X, y, group = biased
    rng = np.random.default_rng(0)
    index = rng.permutation(1000)[: len(y)]
    X = pd.DataFrame(X, index=index)
    given_names = names or ("y", "sensitive_features", "sample_weight")
    parts = {"y": y, "sensitive_features": group, "sample_weight": np.ones(len(y))}
    for name, values in parts.items():
        order = rng.permutation(len(y)) if name in given_names else np.arange(len(y))
        parts[name] = pd.Series(values, index=index[order])
    (message,) = said(lambda: FaiRNClassifier(**QUICK).fit(X, **parts))
    assert message.startswith(" and ".join(given_names) + " ha")
    assert "the index of X in another order: rows are matched by position" in message


def test_other_indices_are_nothing_to_speak_of(biased):
    X, y, group = biased
    frame = pd.DataFrame(X, index=np.arange(len(y)) + 1000)
    for index in (frame.index, np.arange(len(y)), [f"r{i}" for i in range(len(y))]):
        assert fit(frame, y, pd.Series(group, index=index)) == []
    assert fit(X, y, pd.Series(group, index=np.arange(len(y))[::-1])) == []
    assert fit(frame, y, group) == []


def test_labels_that_occur_twice_are_compared_too(biased):
    X, y, group = biased
    index = np.arange(len(y)) // 2
    frame = pd.DataFrame(X, index=index)
    assert fit(frame, y, pd.Series(group, index=index)) == []
    assert len(fit(frame, y, pd.Series(group, index=index[::-1]))) == 1


@pytest.mark.parametrize(
    "estimator",
    [
        FaiRNClassifier(**QUICK),
        LabelFlipClassifier(**QUICK),
        LabelFlipClassifier(estimator=LogisticRegression(), random_state=0),
        SmoothedClassifier(FaiRNClassifier(**QUICK), n_samples=5, random_state=0),
    ],
    ids=str,
)
def test_warnings_point_at_the_line_that_called(rare, estimator):
    X, y, group = rare
    for groups, message in ((group, "fewer than 10 rows"), (None, "sensitive_features")):
        with pytest.warns(UserWarning, match=message) as caught:
            estimator.fit(X, y, sensitive_features=groups)
        assert {warning.filename for warning in caught} == {__file__}
