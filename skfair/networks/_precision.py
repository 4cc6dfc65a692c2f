"""Networks in double precision, for prediction."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

OWN_NETWORKS = ("torch.nn.", "skfair.networks.")  # which change by their weights only


def double_precision(module: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode that computes in float64."""
    return copy.deepcopy(module).to(torch.float64).eval()


class DoublePrecision:
    """Keeps a module's :func:`double_precision` until the module changes.

    Every call compares all weights, so that nothing needs to tell it of training. A module with
    classes of the user's, or with hooks, is copied each time: it can change in other ways. Threads
    may share it: what is kept is replaced, never changed. It is not stored with its owner.
    """

    def __init__(self) -> None:
        self._copy: nn.Module | None = None

    def of(self, module: nn.Module) -> nn.Module:
        """Return the copy of ``module``."""
        kept = self._copy
        if kept is None or not _is_copy(kept, module):
            kept = double_precision(module)
            self._copy = kept if all(map(_has_only_weights, module.modules())) else None
        return kept

    def __getstate__(self) -> dict:
        return {"_copy": None}


def _has_only_weights(part: nn.Module) -> bool:
    if part._forward_hooks or part._forward_pre_hooks:
        return False
    return type(part).__module__.startswith(OWN_NETWORKS)


def _is_copy(kept: nn.Module | None, part: nn.Module | None) -> bool:
    if kept is None or part is None:
        return kept is part
    if type(kept) is not type(part) or part._forward_hooks or part._forward_pre_hooks:
        return False
    for theirs, ours in ((kept._parameters, part._parameters), (kept._buffers, part._buffers)):
        if theirs.keys() != ours.keys() or not all(map(_is_same, theirs.values(), ours.values())):
            return False
    children = kept._modules, part._modules
    return children[0].keys() == children[1].keys() and all(
        map(_is_copy, children[0].values(), children[1].values())
    )


def _is_same(double: Tensor | None, tensor: Tensor | None) -> bool:
    if double is None or tensor is None:
        return double is tensor
    return torch.equal(tensor.to(double.dtype), double)
