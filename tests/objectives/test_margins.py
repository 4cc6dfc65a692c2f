"""Angular margins and focal loss, against a reading of the papers."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from skfair.networks._heads import CosineHead, HeadedNetwork
from skfair.objectives import Comparison, penalty_terms
from skfair.objectives.classification import (
    classification_terms,
    cross_entropy,
    make_row_loss,
    row_losses,
)
from skfair.objectives.margins import margin_terms, row_margins, subtract_margins

SCALE = 30.0


def draw(n=40, n_classes=5, n_groups=2, seed=0):
    """Scaled cosines, class codes and groups (some of them missing)."""
    rng = np.random.default_rng(seed)
    cosines = torch.tensor(rng.uniform(-1, 1, (n, n_classes)))
    y = torch.tensor(rng.integers(0, n_classes, n))
    return SCALE * cosines, y, torch.tensor(rng.integers(-1, n_groups, (n, 1)))


def printed_loss(features, directions, y, margins, scale):
    """Technical Challenges, A.2: the loss L_C, row by row."""
    total = 0.0
    for x, label, m in zip(features, y, margins, strict=True):
        cosine = [x @ w / np.linalg.norm(x) / np.linalg.norm(w) for w in directions]
        own = math.exp(scale * (cosine[label] - m))
        others = sum(math.exp(scale * c) for j, c in enumerate(cosine) if j != label)
        total += -math.log(own / (own + others))
    return total / len(y)


def plain_terms(focal=0.0):
    return partial(classification_terms, row_loss=make_row_loss(focal))


def test_loss_is_the_printed_formula():
    torch.manual_seed(0)
    features, y = torch.randn(20, 6, dtype=torch.float64), torch.arange(20) % 4
    head = CosineHead(6, 4, SCALE).double()
    groups = torch.tensor([[i % 3 - 1] for i in range(20)])  # -1, 0, 1, ...
    terms, _ = margin_terms(
        head(features),
        y,
        groups,
        None,
        terms=plain_terms(),
        scale=SCALE,
        margin=0.35,
        group_margins=torch.tensor([0.75, 0.1], dtype=torch.float64),
    )
    margins = [0.35 if g < 0 else (0.75, 0.1)[g] for g in groups[:, 0].tolist()]
    directions = head.weight.detach().numpy()
    expected = printed_loss(features.numpy(), directions, y.tolist(), margins, SCALE)
    assert terms["cross_entropy"].item() == pytest.approx(expected, rel=1e-12)


def test_without_a_margin_it_is_the_softmax_of_scaled_cosines():
    logits, y, groups = draw()
    terms, _ = margin_terms(logits, y, groups, None, terms=plain_terms(), scale=SCALE, margin=0.0)
    assert torch.equal(terms["cross_entropy"], functional.cross_entropy(logits, y))


def test_margins_of_a_group_change_its_rows_alone():
    logits, y, groups = draw()
    margins = torch.tensor([0.75, 0.35], dtype=torch.float64)
    plain = subtract_margins(logits, y, row_margins(groups, 0.35, None), SCALE)
    changed = subtract_margins(logits, y, row_margins(groups, 0.35, margins), SCALE)
    of_group = groups[:, 0] == 0
    assert torch.equal(plain[~of_group], changed[~of_group])
    own = functional.one_hot(y, logits.shape[1]).bool()
    assert torch.equal(plain[~own], changed[~own])
    difference = (plain - changed)[own][of_group]
    assert_close(difference, torch.full_like(difference, SCALE * 0.4))


def test_margins_of_several_attributes_add_up():
    groups = torch.tensor([[0, 2], [1, -1], [-1, -1], [1, 3]])
    margins = torch.tensor([0.75, 0.35, 0.5, 0.25], dtype=torch.float64)
    found = row_margins(groups, 0.35, margins)
    assert_close(found, torch.tensor([0.9, 0.35, 0.35, 0.25], dtype=torch.float64))


@pytest.mark.parametrize("focal", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("penalty", [None, "equal_loss", "max_min"])
def test_gradients_are_those_of_differences(penalty, focal):
    torch.manual_seed(1)
    X, y = torch.randn(8, 3, dtype=torch.float64), torch.arange(8) % 3
    groups = torch.tensor([[i % 2] for i in range(8)])
    network = HeadedNetwork(torch.nn.Linear(3, 4), CosineHead(4, 3, 5.0)).double()
    terms = plain_terms(focal)
    if penalty is not None:
        terms = partial(
            penalty_terms,
            penalty=penalty,
            comparison=Comparison.of([0, 0]),
            row_loss=make_row_loss(focal),
        )
    names = [name for name, _ in network.named_parameters()]

    def losses(*parameters):
        logits = torch.func.functional_call(network, dict(zip(names, parameters, strict=True)), X)
        values, _ = margin_terms(
            logits,
            y,
            groups,
            None,
            terms=terms,
            scale=5.0,
            margin=0.35,
            group_margins=torch.tensor([0.75, 0.35], dtype=torch.float64),
        )
        return tuple(values.values())

    assert torch.autograd.gradcheck(losses, tuple(network.parameters()))


def test_many_networks_at_once_give_what_each_gives():
    logits = torch.stack([draw(seed=seed)[0] for seed in range(3)])
    _, y, groups = draw()

    def loss(logits):
        terms, _ = margin_terms(
            logits,
            y,
            groups,
            None,
            terms=partial(
                penalty_terms,
                penalty="equal_loss",
                comparison=Comparison.of([0, 0]),
                row_loss=make_row_loss(2.0),
            ),
            scale=SCALE,
            margin=0.35,
            group_margins=torch.tensor([0.75, 0.35], dtype=torch.float64),
        )
        return terms["cross_entropy"], terms["penalty"]

    together = torch.func.vmap(loss)(logits)
    for i, alone in enumerate(map(loss, logits)):
        assert_close(tuple(values[i] for values in together), alone)


def test_penalty_is_the_gap_between_the_focal_losses_with_margins():
    logits, y, groups = draw(n=60)
    margins = torch.tensor([0.75, 0.35], dtype=torch.float64)
    terms, _ = margin_terms(
        logits,
        y,
        groups,
        None,
        terms=partial(
            penalty_terms,
            penalty="equal_loss",
            comparison=Comparison.of([0, 0]),
            row_loss=make_row_loss(2.0),
        ),
        scale=SCALE,
        margin=0.35,
        group_margins=margins,
    )
    lowered = logits.numpy().copy()
    of = groups[:, 0].numpy()
    for i, label in enumerate(y.tolist()):
        lowered[i, label] -= SCALE * (0.75 if of[i] == 0 else 0.35)
    p = np.exp(lowered - lowered.max(1, keepdims=True))
    p = (p / p.sum(1, keepdims=True))[np.arange(60), y.numpy()]
    focal = -((1 - p) ** 2) * np.log(p)
    expected = abs(focal[of == 0].mean() - focal[of == 1].mean())
    assert terms["penalty"].item() == pytest.approx(expected, rel=1e-9)
    assert terms["cross_entropy"].item() == pytest.approx(focal.mean(), rel=1e-9)


# -- focal loss and weights of positives ----------------------------------------------------------


@pytest.mark.parametrize("focal", [0.0, 0.5, 2.0, 5.0])
def test_focal_loss_is_the_printed_formula(focal):
    logits, y, _ = draw(seed=2)
    p = (logits / SCALE).softmax(1)[torch.arange(len(y)), y]
    expected = -((1 - p) ** focal) * p.log()  # Lin et al., Eq. 4
    assert_close(row_losses(logits / SCALE, y, focal), expected)


@pytest.mark.parametrize("focal", [0.0, 2.0])
def test_losses_of_several_labels_are_weighted_label_by_label(focal):
    rng = np.random.default_rng(0)
    logits, y = torch.tensor(rng.normal(size=(30, 3))), torch.tensor(rng.integers(0, 2, (30, 3)))
    weights = np.array([1.0, 4.0, 0.5])
    p = logits.sigmoid().numpy()
    expected = np.where(
        y == 1, -weights * (1 - p) ** focal * np.log(p), -(p**focal) * np.log(1 - p)
    ).mean(axis=1)
    found = make_row_loss(focal, weights)(logits, y)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_focal_loss_of_a_certain_row_has_a_finite_gradient():
    logits = torch.tensor([[1000.0, 0.0], [0.0, 200.0]], requires_grad=True)
    for focal in (0.1, 0.5, 1.0, 2.0):
        loss = row_losses(logits, torch.tensor([0, 1]), focal).sum()
        (gradient,) = torch.autograd.grad(loss, logits)
        assert loss == 0
        assert torch.isfinite(gradient).all()


def test_without_focal_loss_the_cross_entropy_is_what_it_was_to_the_bit():
    assert make_row_loss(0.0) is row_losses
    logits, y, _ = draw()
    expected = functional.cross_entropy(logits, y)
    assert torch.equal(cross_entropy(logits, y, None, make_row_loss(0.0)), expected)
    several = (logits > 0).long()
    expected = functional.binary_cross_entropy_with_logits(
        logits, several.double(), reduction="none"
    ).mean(-1)
    assert torch.equal(row_losses(logits, several), expected)
