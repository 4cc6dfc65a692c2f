"""DRAlign's objective beside a reading of Algorithms 1 and 2, weight by weight."""

from __future__ import annotations

import copy
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from skfair.networks.mlp import MLP
from skfair.objectives import Comparison, Objective
from skfair.objectives.dralign import CRITERIA, aligned_pairs, dralign_terms
from skfair.objectives.rationales import forward_with_rationales

QUOTA = 5


def tiny_mlp(n_classes=2):
    return MLP(3, n_classes, (4, 3), activation="tanh")


def tiny_cnn(n_classes=2):
    return nn.Sequential(
        nn.Conv1d(1, 2, 2, padding=1),
        nn.Tanh(),
        nn.Conv1d(2, 2, 2, stride=2, groups=2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(4, n_classes),
    )


def tiny_batch_norm(n_classes=2):
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, n_classes))


class SharedWeight(nn.Module):
    """A layer that is used twice, and a weight that is used outside its layer."""

    def __init__(self, n_classes=2):
        super().__init__()
        self.inner, self.output = nn.Linear(3, 3), nn.Linear(3, n_classes)

    def forward(self, X):
        X = torch.tanh(self.inner(torch.tanh(self.inner(X))))
        return functional.linear(X, self.output.weight, self.output.bias)


MODULES = {
    "mlp": tiny_mlp,
    "cnn": tiny_cnn,
    "batch-norm": tiny_batch_norm,
    "shared weight": SharedWeight,
}


def cells_of(criterion, n_groups, n_labels=2):
    labels = [None] if criterion == "demographic_parity" else range(n_labels)
    return [(a, y) for a in range(n_groups) for y in labels]


def make_batch(criterion, n_groups=2, n_labels=2, weighted=False, missing=0, image=False):
    rng = np.random.default_rng(0)
    cells = cells_of(criterion, n_groups, n_labels)
    groups = [a for a, _ in cells for _ in range(QUOTA)] + [-1] * missing
    y = [rng.integers(n_labels) if label is None else label for _, label in cells for _ in range(5)]
    y += list(rng.integers(n_labels, size=missing))
    X = torch.from_numpy(rng.standard_normal((len(y), 1, 3) if image else (len(y), 3)))
    weights = torch.from_numpy(rng.uniform(0.2, 2, len(y))) if weighted else None
    inputs = {"X": X, "groups": torch.tensor(groups).unsqueeze(1)}
    if weighted:
        inputs["weights"] = weights
    return inputs, torch.tensor(y)


def objective(
    criterion,
    n_groups=2,
    n_labels=2,
    lambda_fairness=0.4,
    beta=0.04,
    last=None,
    attribute_of=None,
    n_cells=None,
    counts=None,
):
    attribute_of = attribute_of or [0] * n_groups
    n_groups = len(attribute_of)
    n_cells = n_cells or len(cells_of(criterion, n_groups, n_labels))
    labels = None
    if criterion != "demographic_parity":
        labels = [1] if criterion == "equal_opportunity" else range(n_labels)
    layout = {"n_cells": n_cells, "quota": QUOTA}
    terms = partial(
        dralign_terms,
        criterion=criterion,
        comparison=Comparison.of(attribute_of, counts),
        pairs=aligned_pairs(attribute_of, labels, n_labels),
        **layout,
    )
    forward = partial(forward_with_rationales, last=last, n_groups=n_groups, **layout)
    return Objective(terms, {"fairness": lambda_fairness, "misalignment": beta}, forward)


def loss_of(objective, module, inputs, y):
    logits, extra = objective.forward(module, inputs, y)
    terms, _ = objective.terms(logits, y, inputs["groups"], inputs.get("weights"), None, **extra)
    return objective.total(terms), terms


def literal_loss(criterion, module, inputs, y, lambda_fairness=0.4, beta=0.04, n_groups=2):
    """Algorithms 1 and 2, one weight at a time."""
    groups, weights = inputs["groups"][:, 0], inputs.get("weights", torch.ones(len(y)).double())
    logits = module(inputs["X"])
    p = functional.softmax(logits, dim=1)[:, 1]
    per_row = -functional.log_softmax(logits, dim=1)[torch.arange(len(y)), y]

    def mean(values, rows):
        return (values[rows] * weights[rows]).sum() / weights[rows].sum()

    by_label = criterion != "demographic_parity"
    cells = {
        (a, label): (groups == a) & ((y == label) if label is not None else True)
        for a, label in cells_of(criterion, n_groups, int(y.max()) + 1)
    }
    cell_loss = {cell: mean(per_row, rows) for cell, rows in cells.items()}
    total = sum(cell_loss.values())
    matrices = [p_ for name, p_ in module.named_parameters() if name.endswith("weight")]
    matrices = [m for m in matrices if m.ndim > 1]
    rationales = {
        cell: [
            torch.stack([(g * w) ** 2 for g, w in zip(grad.flatten(), m.flatten(), strict=True)])
            for grad, m in zip(
                torch.autograd.grad(loss, matrices, create_graph=True), matrices, strict=True
            )
        ]
        for cell, loss in cell_loss.items()
    }

    def cosine(a, b):
        return (a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt())

    labels = [None]
    if by_label:
        labels = [1] if criterion == "equal_opportunity" else range(int(y.max()) + 1)
    align = sum(
        cosine(rationales[a, label][layer], rationales[b, label][layer])
        for label in labels
        for a in range(n_groups)
        for b in range(a + 1, n_groups)
        for layer in range(len(matrices))
    )
    fair = 0.0
    for a in range(n_groups):
        for b in range(a + 1, n_groups):
            rows = groups == a, groups == b
            if criterion == "demographic_parity":
                fair = fair + (mean(p, rows[0]) - mean(p, rows[1])).abs()
            elif criterion == "predictive_parity":
                one, two = (
                    (weights[r] * p[r] * y[r]).sum() / (weights[r] * p[r]).sum() for r in rows
                )
                fair = fair + (one - two).abs()
            else:
                for label in [1] if criterion == "equal_opportunity" else [0, 1]:
                    one, two = (mean(p, r & (y == label)) for r in rows)
                    fair = fair + (one - two).abs()
    return total + lambda_fairness * fair - beta * align


def gradients(loss, module):
    return torch.autograd.grad(loss, list(module.parameters()))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("criterion", CRITERIA)
def test_loss_and_gradient_equal_the_algorithm_read_weight_by_weight(criterion, kind, weighted):
    torch.manual_seed(0)
    module = MODULES[kind]().double()
    twin = copy.deepcopy(module)
    inputs, y = make_batch(criterion, weighted=weighted, image=kind == "cnn")
    loss, _ = loss_of(objective(criterion), module, inputs, y)
    expected = literal_loss(criterion, twin, inputs, y)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-10)
    for ours, theirs in zip(gradients(loss, module), gradients(expected, twin), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_three_groups_are_aligned_pair_by_pair(criterion):
    module = tiny_mlp().double()
    inputs, y = make_batch(criterion, n_groups=3)
    loss, _ = loss_of(objective(criterion, n_groups=3), module, inputs, y)
    expected = literal_loss(criterion, module, inputs, y, n_groups=3)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-10)


@pytest.mark.parametrize("criterion", ["demographic_parity", "equalized_odds"])
def test_alignment_alone_takes_three_classes(criterion):
    module = tiny_mlp(3).double()
    inputs, y = make_batch(criterion, n_labels=3)
    weights = {"lambda_fairness": 0.0, "beta": 0.3}
    loss, terms = loss_of(objective(criterion, n_labels=3, **weights), module, inputs, y)
    assert "fairness" not in terms
    expected = literal_loss(criterion, module, inputs, y, 0.0, 0.3)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-10)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_gradient_passes_a_finite_difference_check(criterion):
    torch.manual_seed(1)
    module = tiny_mlp().double()
    inputs, y = make_batch(criterion)
    own = objective(criterion, beta=0.5)
    loss, _ = loss_of(own, module, inputs, y)
    step = 1e-6
    for parameter, gradient in zip(module.parameters(), gradients(loss, module), strict=True):
        for i in range(parameter.numel()):
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    parameter.view(-1)[i] += sign * step
                values.append(loss_of(own, module, inputs, y)[0].item())
                with torch.no_grad():
                    parameter.view(-1)[i] -= sign * step
            slope = (values[0] - values[1]) / (2 * step)
            assert gradient.view(-1)[i].item() == pytest.approx(slope, abs=1e-7)


def test_rows_without_a_group_are_classified_but_not_aligned():
    module = tiny_mlp().double()
    inputs, y = make_batch("demographic_parity", missing=3)
    _, terms = loss_of(objective("demographic_parity"), module, inputs, y)
    short = {name: values[:10] for name, values in inputs.items()}
    _, without = loss_of(objective("demographic_parity"), module, short, y[:10])
    assert terms["misalignment"].item() == pytest.approx(without["misalignment"].item(), abs=1e-12)
    assert terms["fairness"].item() == pytest.approx(without["fairness"].item(), abs=1e-12)
    rest = functional.cross_entropy(module(inputs["X"][10:]), y[10:], reduction="sum") / QUOTA
    expected = without["cross_entropy"] + rest
    assert terms["cross_entropy"].item() == pytest.approx(expected.item(), abs=1e-12)


def test_only_the_last_layers_are_aligned_if_so_asked():
    module = tiny_mlp().double()
    inputs, y = make_batch("demographic_parity")
    values = [
        loss_of(objective("demographic_parity", last=last), module, inputs, y)[1]["misalignment"]
        for last in (1, 2, 3, None)
    ]
    assert values[0] > values[1] > values[2] == values[3]


def test_groups_that_are_alike_are_fully_aligned():
    module = tiny_mlp().double()
    inputs, y = make_batch("demographic_parity")
    inputs["X"][QUOTA:] = inputs["X"][:QUOTA]
    y[QUOTA:] = y[:QUOTA]
    _, terms = loss_of(objective("demographic_parity"), module, inputs, y)
    assert terms["misalignment"].item() == pytest.approx(-3, abs=1e-12)
    assert terms["fairness"].item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("shares", [False, True])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_several_attributes_add_up_the_objectives_of_each(criterion, shares):
    """Cells of the second attribute follow those of the first; the other one's codes are noise."""
    module = tiny_mlp().double()
    parts = [make_batch(criterion, n_groups=k, weighted=True) for k in (2, 3)]
    counts = torch.rand(2, 5) + 0.1
    expected, n_cells = 0.0, []
    for (inputs, y), k, mine in zip(parts, (2, 3), (counts[:, :2], counts[:, 2:]), strict=True):
        alone = objective(criterion, n_groups=k, counts=mine if shares else None)
        expected = expected + loss_of(alone, module, inputs, y)[0]
        n_cells.append(len(cells_of(criterion, k)))
    rng = np.random.default_rng(1)
    (first, y0), (second, y1) = parts
    groups = torch.cat(
        [
            torch.column_stack([first["groups"], torch.tensor(rng.integers(2, 5, len(y0)))]),
            torch.column_stack([torch.tensor(rng.integers(0, 2, len(y1))), second["groups"] + 2]),
        ]
    )
    joint = {name: torch.cat([first[name], second[name]]) for name in ("X", "weights")}
    both = objective(
        criterion,
        attribute_of=[0, 0, 1, 1, 1],
        n_cells=sum(n_cells),
        counts=counts if shares else None,
    )
    loss, _ = loss_of(both, module, joint | {"groups": groups}, torch.cat([y0, y1]))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
