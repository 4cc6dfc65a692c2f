"""The search leaves torch, and the estimator's module, as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from ..training.device import _TURN


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
    modules = list(module.modules()) if isinstance(module, torch.nn.Module) else []
    modes = [part.training for part in modules]
    devices = {"cpu", *(p.device.type for part in modules for p in part.parameters(recurse=False))}
    with _TURN:
        threads = torch.get_num_threads()
        try:
            with ExitStack() as stack:
                stack.enter_context(threadpool_limits(1))
                stack.enter_context(torch.inference_mode(False))
                stack.enter_context(torch.enable_grad())
                for device in devices:
                    stack.enter_context(torch.autocast(device, enabled=False))
                torch.set_num_threads(1)
                yield
        finally:
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            for part, mode in zip(modules, modes, strict=True):
                part.training = mode
