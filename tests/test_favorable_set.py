"""A set of favorable classes, of more than two, in penalties on their probability."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from skfair import PenaltyClassifier
from skfair.datasets import make_biased_classification
from skfair.objectives import Comparison
from skfair.objectives.penalties import PENALTIES, STATISTICS, penalty_terms, with_favorable

pytestmark = pytest.mark.filterwarnings("ignore:The fitted")

SETTINGS = {"random_state": 0, "lr": 0.01}


def three_classes(n=900):
    X, y, group = make_biased_classification(n, recourse_gap=1.5, random_state=0)
    half = np.random.RandomState(0).rand(n) < 0.5
    return X, np.where(y == 0, np.where(half, "no", "never"), np.where(half, "yes", "much")), group


@pytest.mark.parametrize("comparison", [None, "kl_projection"])
def test_a_set_of_favorable_classes_is_compared(comparison):
    X, y, group = three_classes()
    settings = SETTINGS | {
        "max_epochs": 15,
        "unfavorable": ["no", "never"],
        "comparison": comparison,
    }
    gaps = []
    for alpha in (0.0, 5.0):
        fitted = PenaltyClassifier(alpha=alpha, **settings).fit(X, y, sensitive_features=group)
        p = pd.Series(fitted.predict_proba(X)[:, np.isin(fitted.classes_, ["yes", "much"])].sum(1))
        gaps.append(np.ptp(p.groupby(group).mean()))
    assert gaps[1] < 0.5 * gaps[0]


@pytest.mark.parametrize("name", [*STATISTICS, *PENALTIES])
def test_the_penalty_of_a_set_is_that_of_its_outcome(name):
    rng = np.random.default_rng(0)
    logits, y = torch.tensor(rng.normal(size=(40, 4))), torch.tensor(rng.integers(0, 4, 40))
    groups = torch.tensor(rng.integers(0, 2, (40, 1)))
    counts = torch.tensor(rng.uniform(1, 5, (4, 2)))
    if not {**PENALTIES, **STATISTICS}[name].binary:
        return  # is about the classes as they are
    terms = partial(
        penalty_terms, penalty=name, comparison=Comparison.of([0, 0], counts, torch.float64)
    )
    found, _ = with_favorable(terms, (1, 3))(logits, y, groups, None)
    p = logits.softmax(1)[:, [1, 3]].sum(1)
    outcome = torch.stack([torch.zeros_like(p), (p / (1 - p)).log()], 1)
    collapsed = torch.stack([counts[[0, 2]].sum(0), counts[[1, 3]].sum(0)])
    comparison = Comparison.of([0, 0], collapsed, torch.float64)
    expected, _ = penalty_terms(
        *(outcome, y % 2, groups, None), penalty=name, comparison=comparison
    )
    torch.testing.assert_close(found["penalty"], expected["penalty"])
    whole = torch.nn.functional.cross_entropy(logits, y)
    torch.testing.assert_close(found["cross_entropy"], whole)


def test_more_classes_need_a_set_or_a_penalty_without():
    X, y, group = three_classes(200)
    for params in ({}, {"unfavorable": ["no"], "tolerance": 0.1}, {"augment": "mixup"}):
        with pytest.raises(ValueError, match="needs two classes, or unfavorable="):
            PenaltyClassifier(**params).fit(X, y, sensitive_features=group)
    lone = np.where(group == "a", "no", y)
    with pytest.warns(UserWarning, match="'a' has no row of the favorable classes"):
        PenaltyClassifier(penalty="tpr", unfavorable=["no", "never"], max_epochs=1).fit(
            X, lone, sensitive_features=group
        )
