"""What fit says of its own outcome, group by group."""

import contextlib
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from skfair import (
    DRAlignClassifier,
    FaiRNClassifier,
    LabelFlipClassifier,
    NetworkClassifier,
    PenaltyClassifier,
)
from skfair.training import _outcome

QUICK = {"hidden_layer_sizes": (8,), "max_epochs": 15, "lr": 0.02, "random_state": 0}
PAYS = "accepts nobody, or less than a fifth"


@pytest.fixture(scope="module")
def people():
    """A small group "c" that X tells apart; every group has about as many favorable labels."""
    rng = np.random.default_rng(0)
    group = rng.choice(["a", "b", "c"], 1200, p=[0.55, 0.4, 0.05])
    X = np.column_stack([rng.normal(size=(1200, 2)), group == "a", group == "c"]).astype(float)
    return X, (X[:, 0] + rng.normal(size=1200) > 0).astype(int), group


def refusing_c(logits, y, groups, weights):
    return 10 * ((groups == 2) * (logits[:, 1] - logits[:, 0] + 3).relu()).mean()


def against_c():
    return PenaltyClassifier(penalty=refusing_c, **QUICK)


def test_a_group_that_pays_is_named_with_its_numbers(people):
    X, y, group = people
    n, labels = (group == "c").sum(), y[group == "c"].sum()
    with pytest.warns(UserWarning, match=PAYS) as caught:
        against_c().fit(X, y, sensitive_features=group)
    (message,) = (str(warning.message) for warning in caught)
    assert f"('c': 0 of {n} accepted, {labels} favorable labels)" in message
    assert caught[0].filename == __file__


def accepting_all(logits, y, groups, weights):
    return 10 * (logits[:, 0] - logits[:, 1] + 3).relu().mean()


def test_a_few_rows_are_enough_where_every_group_has_its_part(people, monkeypatch):
    X, y, group = people
    settled, few = [], _outcome.few_settle_it

    def few_settle_it(*args):
        settled.append(few(*args))
        return settled[-1]

    monkeypatch.setattr(_outcome, "few_settle_it", few_settle_it)
    for model, warned in (
        (PenaltyClassifier(**QUICK), contextlib.nullcontext()),
        (against_c(), pytest.warns(UserWarning, match=PAYS)),
        (PenaltyClassifier(penalty=accepting_all, **QUICK), pytest.warns(match="one class only")),
    ):
        with warned:
            model.fit(X, y, sensitive_features=group)
    PenaltyClassifier(**QUICK).fit(X[:300], y[:300], sensitive_features=group[:300])  # all are few
    assert settled == [True, False, False, False]


def test_of_fewer_than_thirty_people_nothing_is_said(people):
    X, y, group = people
    rows = np.append(np.flatnonzero(group != "c"), np.flatnonzero(group == "c")[:29])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = against_c().fit(X[rows], y[rows], sensitive_features=group[rows])
    assert not model.predict(X[rows][-29:]).any()


@pytest.mark.parametrize(
    "model",
    [
        FaiRNClassifier(**QUICK),
        PenaltyClassifier(penalty="equalized_odds", **QUICK),
        DRAlignClassifier(**QUICK),
        LabelFlipClassifier(flip_group="c", **QUICK),
        LabelFlipClassifier(estimator=LogisticRegression(), random_state=0),
    ],
)
def test_nothing_is_said_where_every_group_has_its_part(people, model):
    X, y, group = people
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y, sensitive_features=group)
    assert pd.Series(model.predict(X)).groupby(group).mean().min() > 0.2


@pytest.mark.parametrize("network", [True, False])
def test_whatever_the_cause_it_is_said(people, network):
    X, y, group = people
    X = np.where((group == "c")[:, None], [-5, 0, 0, 1], X)
    y = np.where(group == "c", np.arange(len(y)) % 10 == 0, y).astype(int)
    model = LabelFlipClassifier(flip_fraction=0.0, **QUICK)
    if not network:
        model = LabelFlipClassifier(flip_fraction=0.0, estimator=LogisticRegression())
    with pytest.warns(UserWarning, match=r"'c': 0 of \d+ accepted"):
        model.fit(X, y, sensitive_features=group)


def test_what_counts_as_acceptance_is_what_the_estimator_was_told(people):
    X, y, group = people
    X = np.where((group == "c")[:, None], [5, 0, 0, 1], X)
    y = np.where(group == "c", np.arange(len(y)) % 10 > 0, y).astype(int)
    plain = {"lambda_fairness": 0, "lambda_robustness": 0} | QUICK
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FaiRNClassifier(**plain).fit(X, y, sensitive_features=group)
    with pytest.warns(UserWarning, match=r"'c': 0 of \d+ accepted"):
        FaiRNClassifier(unfavorable=1, **plain).fit(X, y, sensitive_features=group)


def test_partial_fit_looks_at_no_groups(people):
    X, y, group = people
    model = against_c()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=f".*{PAYS}")
        for _ in range(15):
            model.partial_fit(X, y, sensitive_features=group)
    assert not model.predict(X[group == "c"]).any()


def test_where_no_class_or_several_labels_are_favorable_nothing_is_said(people):
    X, y, group = people
    three = y + (X[:, 1] > 1)
    several = np.column_stack([y, X[:, 1] > 0]).astype(int)
    for target in (three, several):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            against_c().fit(X, target, sensitive_features=group)


# -- fewer than without regard to fairness --------------------------------------------------------

FEWER = "Fewer are accepted, by more than a third, than the network's own scores"


@pytest.fixture(scope="module")
def unlike():
    """Two of five of group "a" have favorable labels, and one of ten of "b"."""
    rng = np.random.default_rng(0)
    group = rng.choice(["a", "b"], 3000)
    X = np.column_stack([rng.normal(size=(3000, 2)), group == "a"]).astype(float)
    logit = 3 * X[:, 0] + np.where(group == "a", -1, -4.5)
    return X, (logit + rng.logistic(size=3000) > 0).astype(int), group


def test_who_is_accepted_less_for_parity_is_named_with_numbers(unlike):
    X, y, group = unlike
    model = PenaltyClassifier(penalty="demographic_parity", alpha=3.0, **QUICK)
    with pytest.warns(UserWarning, match=FEWER) as caught:
        model.fit(X, y, sensitive_features=group)
    (message,) = (str(warning.message) for warning in caught)
    named = re.findall(
        r"'(\w)': ([\d.]+) accepted, ([\d.]+) by their scores, ([\d.]+) favorable", message
    )
    ((who, accepted, expected, labels),) = named
    assert who == "a"
    plain = NetworkClassifier(**QUICK).fit(X, y)
    looked_at = np.flatnonzero(group == "a")[::2]  # at most 1,000, evenly spread
    assert float(accepted) == pytest.approx(model.predict(X[looked_at]).mean(), abs=1e-3)
    assert float(labels) == pytest.approx(y[looked_at].mean(), abs=1e-3)
    assert float(expected) == pytest.approx(plain.predict(X[looked_at]).mean(), abs=0.05)
    assert caught[0].filename == __file__


def test_a_plain_network_takes_nothing_from_anybody(unlike):
    X, y, group = unlike
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = PenaltyClassifier(penalty="demographic_parity", alpha=1e-6, **QUICK)
        model.fit(X, y, sensitive_features=group)


def test_scores_that_are_shifted_tell_what_they_would_without_the_shift():
    rng = np.random.default_rng(0)
    scores = 2 * rng.normal(size=20_000)
    y = scores + rng.logistic(size=20_000) > 0
    for shift in (0.0, -3.0, 2.0):
        share = _outcome.share_without_regard(scores + shift, y, np.ones(20_000))
        assert share == pytest.approx((scores > 0).mean(), abs=0.01)
    assert _outcome.share_without_regard(scores, y, np.where(y, 1.0, 0.0)) == 1


def test_a_row_of_weight_two_calibrates_as_two():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=300)
    y, twice = scores + rng.logistic(size=300) > 0.5, rng.integers(1, 3, 300)
    share = _outcome.share_without_regard(scores, y, twice.astype(float))
    doubled = np.repeat(np.arange(300), twice)
    calibrated = LogisticRegression(C=1e6).fit(scores[doubled, np.newaxis], y[doubled])
    assert share == pytest.approx(calibrated.predict(scores[:, np.newaxis]).mean(), abs=0.01)
