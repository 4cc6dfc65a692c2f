"""The plain network is what a fair one is without its terms."""

import numpy as np
import pytest

from skfair import FaiRNClassifier, NetworkClassifier, PenaltyClassifier

QUICK = {"max_epochs": 20, "batch_size": 64, "random_state": 0}  # enough steps for averaging


def test_it_is_a_fair_network_without_its_terms(biased):
    X, y, group = biased
    plain = NetworkClassifier(**QUICK).fit(X, y)
    others = [
        PenaltyClassifier(alpha=0.0, **QUICK),
        FaiRNClassifier(lambda_fairness=0.0, lambda_robustness=0.0, **QUICK),
    ]
    for other in others:
        other.fit(X, y, sensitive_features=group)
        assert np.array_equal(plain.decision_function(X), other.decision_function(X))


def test_it_asks_for_no_groups_but_balances_the_batches_of_those_given(biased, recwarn):
    X, y, group = biased
    plain = NetworkClassifier(**QUICK).fit(X, y)
    with_groups = NetworkClassifier(**QUICK).fit(X, y, sensitive_features=group)
    assert not recwarn
    assert np.array_equal(plain.decision_function(X), with_groups.decision_function(X))
    assert with_groups.groups_ == ["a", "b"]
    balanced = NetworkClassifier(sampling="group", **QUICK).fit(X, y, sensitive_features=group)
    assert not np.array_equal(plain.decision_function(X), balanced.decision_function(X))
    with pytest.warns(UserWarning, match="labels alone are balanced"):
        NetworkClassifier(sampling="group_label", **QUICK).fit(X, y)


def test_several_classes_and_several_labels(biased):
    X, y, _ = biased
    three = np.digitize(X[:, 0], [-0.5, 0.5])
    assert NetworkClassifier(**QUICK).fit(X, three).predict_proba(X).shape == (600, 3)
    several = NetworkClassifier(**QUICK).fit(X, np.column_stack([y, three > 1, three > 0]))
    assert several.predict(X).shape == (600, 3)
    assert list(several.history_.filter(like="entropy")) == ["cross_entropy"]
