"""What penalties compare between groups (Technical Challenges, section 3; FAIRER, 2.2, A.11).

A statistic is ``rates(logits, y) -> (values, cases)``: the quantity of each row and the share in
which the row counts, (n_rates, n) each; a group's rate is the mean of the values over its cases.

Shapes: logits (n, n_classes), or (n, n_labels) with several labels; y (n,) or (n, n_labels). p is
the probability of the positive class.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .classification import RowLoss, binary_logit, row_losses

Rates = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def favorable_outcome(
    logits: Tensor, y: Tensor, favorable: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Return logits (n, 2) and labels (n,) of the outcome that a class is among ``favorable``."""
    others = [code for code in range(logits.shape[-1]) if code not in favorable]
    outcomes = [logits[..., codes].logsumexp(-1) for codes in (others, list(favorable))]
    codes = torch.tensor(favorable, device=y.device)
    return torch.stack(outcomes, -1), (y.unsqueeze(-1) == codes).any(-1).long()


def positive_probability(logits: Tensor) -> Tensor:
    """P(positive) of a binary classifier, shape (n,)."""
    return binary_logit(logits).sigmoid()


def losses(logits: Tensor, y: Tensor, row_loss: RowLoss = row_losses) -> tuple[Tensor, Tensor]:
    """L_a, the loss of group a (Technical Challenges, Eq. 2)."""
    values = row_loss(logits, y)
    return values.unsqueeze(0), torch.ones_like(values).unsqueeze(0)


def selection_rate(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """E[p | a] (FAIRER, Eq. 1; Technical Challenges, Eq. 6)."""
    p = positive_probability(logits)
    return p.unsqueeze(0), torch.ones_like(p).unsqueeze(0)


def true_positive_rate(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """E[p | a, y = 1] (FAIRER, A.11)."""
    p = positive_probability(logits)
    return p.unsqueeze(0), y.to(p).unsqueeze(0)


def true_negative_rate(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """E[1 - p | a, y = 0]."""
    p = positive_probability(logits)
    return 1 - p.unsqueeze(0), 1 - y.to(p).unsqueeze(0)


def accuracy(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """E[p y + (1 - p) (1 - y) | a]."""
    p, y = positive_probability(logits), y.to(logits)
    return (y * p + (1 - y) * (1 - p)).unsqueeze(0), torch.ones_like(p).unsqueeze(0)


def error_rates(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """E[p | a, y = 0] and E[1 - p | a, y = 1] (Technical Challenges, Eq. 4; FAIRER, Eq. 2)."""
    p, y = positive_probability(logits), y.to(logits)
    return torch.stack([p, 1 - p]), torch.stack([1 - y, y])


def precision(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """E[y | a, predicted positive], every row counting in proportion to its p.

    The definition of predictive parity in FAIRER, A.11; the loss printed there, a mean of p over
    all members of the group, is that of demographic parity.
    """
    p = positive_probability(logits)
    return y.to(p).unsqueeze(0), p.unsqueeze(0)


def false_positive_rate(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """E[p | a, y = 0]."""
    p = positive_probability(logits)
    return p.unsqueeze(0), 1 - y.to(p).unsqueeze(0)


def false_negative_rate(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """E[1 - p | a, y = 1]."""
    p = positive_probability(logits)
    return 1 - p.unsqueeze(0), y.to(p).unsqueeze(0)


def false_omission_rate(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """E[y | a, predicted negative], every row counting in proportion to its 1 - p."""
    p = positive_probability(logits)
    return y.to(p).unsqueeze(0), 1 - p.unsqueeze(0)


def f1(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """2 sum p y / sum (p + y) of group a: Dice's coefficient of predictions and labels."""
    p, y = positive_probability(logits), y.to(logits)
    cases = p + y
    return (2 * p * y / cases.clamp(min=torch.finfo(p.dtype).tiny)).unsqueeze(0), cases[None]
