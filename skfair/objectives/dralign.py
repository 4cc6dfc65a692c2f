"""DRAlign: alignment of what each weight contributes to the loss of each group (FAIRER, section 4).

A batch is made of cells, one after the other, with the same number of rows in each: groups, or
groups and labels. Shapes: logits (n, n_classes); y (n,); weights (n,) or None.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ._base import Terms
from .classification import cross_entropy, row_losses
from .groups import Comparison
from .mixup import path_gap
from .penalties import PENALTIES, group_penalty, names_of

CRITERIA = tuple(names_of(is_gap=True, binary=True))


def cell_losses(
    logits: Tensor, y: Tensor, weights: Tensor | None, n_cells: int, quota: int
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of every cell, (n_cells,) (FAIRER, Algorithm 1, line 7), and of the rest.

    Rows after the cells, those whose group is missing, count as they would in one of the cells.
    """
    losses = row_losses(logits, y)
    weights = torch.ones_like(losses) if weights is None else weights
    end = n_cells * quota
    of_cells = weights[:end].reshape(n_cells, quota)
    totals = of_cells.sum(-1)
    means = (losses[:end].reshape(n_cells, quota) * of_cells).sum(-1) / totals
    return means, (losses[end:] * weights[end:]).sum() / totals.mean()


def rationale(gradients: Tensor, weight: Tensor) -> Tensor:
    """(g w)^2 for every weight of a layer, shape (n_cells, n_weights) (FAIRER, Eq. 8).

    ``gradients`` (n_cells, ...) are those of each cell's loss, ``weight`` is of shape (...).
    """
    return (gradients * weight).flatten(1).square()


def alignment(rationales: Tensor, pairs: Tensor) -> Tensor:
    """Sum over pairs of cells of the cosine of their rationales (FAIRER, Eq. 9, one layer).

    ``rationales`` is of shape (n_cells, n_weights), ``pairs`` (n_cells, n_cells) holds 1 where the
    row's and the column's cell are to be aligned.
    """
    products = rationales @ rationales.T
    norms = products.diagonal().clamp(min=torch.finfo(products.dtype).tiny).sqrt()
    return (products / (norms.unsqueeze(0) * norms.unsqueeze(1)) * pairs).sum()


def groups_of_cells(groups: Tensor, n_groups: int, n_cells: int, quota: int) -> Tensor:
    """Group codes with each row a member of the group alone for which it was drawn.

    With several attributes a row of one attribute's cell has groups of the others as well, but
    in these it was not drawn at random.

    Parameters
    ----------
    groups : int64 Tensor of shape (n, n_attributes)
        Group codes of a batch.
    n_groups, n_cells, quota : int
        Number of groups and of cells, and rows in each cell.
    """
    if groups.shape[-1] == 1:
        return groups
    cells = torch.arange(n_cells, device=groups.device)
    of_cell = (cells // (n_cells // n_groups)).repeat_interleave(quota)
    of_row = of_cell.new_full((len(groups),), -1)
    of_row[: len(of_cell)] = of_cell
    return groups.masked_fill(groups != of_row.unsqueeze(-1), -1)


def aligned_pairs(
    attribute_of: Sequence[int], labels: Sequence[int] | None, n_labels: int = 2
) -> Tensor:
    """Which cells are aligned, 1 above the diagonal of a matrix (n_cells, n_cells).

    ``labels=None``: cells are groups, and all pairs of the same attribute are aligned (FAIRER,
    Algorithm 1). Otherwise cells are (group, label), the label changing fastest, and groups are
    aligned within each of ``labels`` (Algorithm 2 and A.11).
    """
    attributes = torch.as_tensor(attribute_of)
    groups = (attributes.unsqueeze(1) == attributes).to(torch.get_default_dtype()).triu(1)
    if labels is None:
        return groups
    within = torch.zeros(n_labels, n_labels)
    for label in labels:
        within[label, label] = 1
    return torch.kron(groups, within)


def dralign_terms(
    logits: Tensor,
    y: Tensor,
    groups: Tensor | None,
    weights: Tensor | None,
    state: Tensor | None = None,
    *,
    criterion: str,
    comparison: Comparison | None,
    n_cells: int,
    quota: int,
    pairs: Tensor | None = None,
    rationales: Sequence[Tensor] | None = None,
    slopes: Tensor | None = None,
    partners: Tensor | None = None,
) -> tuple[Terms, Tensor | None]:
    """Terms of the DRAlign objective (FAIRER, Eq. 9).

    Parameters
    ----------
    logits, y, groups, weights : Tensor
        The batch. ``groups=None`` leaves the fairness terms out.
    state : Tensor or None
        Not used without mixup.
    criterion : str
        One of ``CRITERIA``; the fairness loss is the penalty of that name.
    comparison : Comparison or None
        Which groups are compared.
    n_cells, quota : int
        Number of cells in a training batch, and rows in each.
    pairs : Tensor of shape (n_cells, n_cells)
        From :func:`aligned_pairs`.
    rationales : sequence of Tensor of shape (n_cells, n_weights)
        Of each layer; ``None`` for held-out rows, which come in no cells.
    slopes, partners : Tensor of shape (n_attributes, n_paths) or None
        Of Fair-Mixup, which then replaces the fairness loss.

    Returns
    -------
    terms : dict
        ``cross_entropy`` (sum over cells), ``fairness`` and ``misalignment`` (minus the sum of
        cosines), scalars.
    state : Tensor or None
        Sums and counts of the groups in the batch; with mixup, for the next batch.
    """
    if rationales is not None:
        of_cells, rest = cell_losses(logits, y, weights, n_cells, quota)
        terms = {"cross_entropy": of_cells.sum() + rest}
    else:
        terms = {"cross_entropy": n_cells * cross_entropy(logits, y, weights)}
    if groups is None:
        return terms, state
    if rationales is not None:
        groups = groups_of_cells(groups, comparison.n_groups, n_cells, quota)
    if slopes is not None:
        labels = y if PENALTIES[criterion].by_label else None
        terms["fairness"], state = path_gap(slopes, partners, groups, labels, weights, comparison)
    elif logits.shape[-1] == 2:
        terms["fairness"], state = group_penalty(criterion, logits, y, groups, weights, comparison)
    if rationales:
        terms["misalignment"] = -sum(alignment(layer, pairs.to(layer)) for layer in rationales)
    return terms, state
