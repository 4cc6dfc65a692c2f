"""An objective declares its terms, weighs them, and names who minimizes what."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, vmap

from skfair import DRAlignClassifier, FaiRNClassifier, PenaltyClassifier
from skfair.datasets import make_biased_classification
from skfair.objectives import Objective
from skfair.objectives.classification import classification_terms

TERMS = {"cross_entropy": torch.tensor(2.0), "fairness": torch.tensor(0.5)}


def test_a_misspelt_term_is_an_error_that_names_it():
    objective = Objective(None, {"fairnes": 1.0})
    with pytest.raises(ValueError, match=r"\['fairness'\], which it does not declare.*'fairnes'"):
        objective.total(TERMS)


def test_the_weight_of_a_sum_is_that_of_the_mean():
    objective = Objective(None, {"fairness": 3.0}, n_summands={"fairness": 6.0})
    assert objective.total(TERMS).item() == 2 + 0.5 * 3 / 6
    assert objective.total(TERMS, ramp=0.5).item() == 2 + 0.5 * 3 / 6 / 2


def test_a_term_that_does_not_count_may_be_anything():
    terms = TERMS | {"fairness": torch.tensor(math.nan)}
    assert Objective(None, {"fairness": 0.0}).total(terms).item() == 2.0


def test_a_tensor_may_be_a_weight():
    weight = torch.tensor(3.0, requires_grad=True)
    loss = Objective(None, {"fairness": weight}).total(TERMS, ramp=0.5)
    loss.backward()
    assert loss.item() == 2 + 0.5 * 0.5 * 3
    assert weight.grad.item() == 0.5 * 0.5


WEIGHTS = torch.linspace(0, 2, 8, dtype=torch.float64)


def fairness_of(objective):
    return next(name for name in objective.weights if name in ("fairness", "penalty"))


@pytest.mark.parametrize(
    "estimator",
    [
        FaiRNClassifier(),
        FaiRNClassifier(distance="gradient"),
        FaiRNClassifier(conditional=True),
        *(
            PenaltyClassifier(penalty=penalty)
            for penalty in ("equalized_odds", "max_min", "disparate_impact", "predictive_parity")
        ),
        PenaltyClassifier(group_weights="equal"),
        DRAlignClassifier(beta=0.0, batch_size=-1),
    ],
    ids=str,
)
def test_eight_weights_under_vmap_are_eight_networks(estimator):
    """Ten steps of gradient descent, all networks at once and one by one."""
    X, y, group = make_biased_classification(90, n_features=5, random_state=0)
    estimator.set_params(max_epochs=1, hidden_layer_sizes=(5,), dtype="float64", random_state=0)
    kind = type(estimator)

    def make_objective(self, comparison, batch_size):  # as a subclass would
        self.made = kind._make_objective(self, comparison, batch_size)
        return self.made

    spy = type(kind.__name__, (kind,), {"_make_objective": make_objective})
    fitted = spy(**estimator.get_params()).fit(X, y, sensitive_features=group)
    objective, module = fitted.made, fitted.module_.train()
    rows = torch.from_numpy(X)
    if kind is DRAlignClassifier:  # rows of a training batch come in cells
        order = np.argsort(group, kind="stable")
        X, y, group = X[order], y[order], group[order]
        rows = torch.from_numpy(X)
    labels = torch.from_numpy(y.astype(np.int64))
    groups = torch.from_numpy(np.searchsorted(fitted.groups_, group)[:, np.newaxis])
    term = fairness_of(objective)

    class Called(torch.nn.Module):
        """``forward`` and the terms of an objective as a module, for functional_call."""

        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, weight):
            logits, extra = objective.forward(self.inner, {"X": rows}, labels)
            terms, _ = objective.terms(logits, labels, groups, None, None, **extra)
            own = replace(objective, weights={**objective.weights, term: weight})
            return own.total(terms)

    called = Called()
    start = {name: value.detach() for name, value in called.named_parameters()}

    def train(weight):
        parameters = start
        for _ in range(10):
            gradient = grad(lambda p: functional_call(called, p, (weight,)))(parameters)
            parameters = {name: p - 0.1 * gradient[name] for name, p in parameters.items()}
        return parameters

    together = vmap(train)(WEIGHTS)
    for i, weight in enumerate(WEIGHTS):
        for name, alone in train(weight).items():
            torch.testing.assert_close(together[name][i], alone, rtol=0, atol=1e-9)
    spread = max(float(values.std(0).max()) for values in together.values())
    assert spread > 1e-3  # the weights do something


def test_decay_and_players_are_no_part_of_the_plain_objective():
    objective = Objective(classification_terms)
    assert not objective.players
    assert objective.decay is None
    terms, state = objective.terms(torch.zeros(3, 2), torch.tensor([0, 1, 1]), None, None)
    assert state is None
    assert objective.total(terms).item() == pytest.approx(math.log(2))
