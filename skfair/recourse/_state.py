"""The search leaves torch, and the estimator's module, as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from .._torch_state import one_thread_everywhere, plain_torch


@contextmanager
def undisturbed(final: Any) -> Iterator[None]:
    """Search in one thread, and leave global state and the estimator as they were.

    Batches are small: more threads wait for each other for longer than they save. Gradients are
    needed in inference mode, too, and in full precision.

    Parameters
    ----------
    final : classifier
        What is inside pipelines and searches; a network's module is put back into the mode of
        training or evaluation it was in.
    """
    module = getattr(final, "module_", None)
    parts: list[torch.nn.Module] = (
        list(module.modules()) if isinstance(module, torch.nn.Module) else []
    )
    modes = [part.training for part in parts]
    parameter = next(parts[0].parameters(), None) if parts else None
    kind = "cpu" if parameter is None else parameter.device.type
    with one_thread_everywhere(), plain_torch(kind), torch.enable_grad():
        try:
            yield
        finally:
            for part, mode in zip(parts, modes, strict=True):
                part.training = mode
