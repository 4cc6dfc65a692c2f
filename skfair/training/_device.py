"""Where training runs, and that it runs the same way every time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .._torch_state import one_thread, plain_torch


def available_devices() -> list[str]:
    """Names of the devices this machine has."""
    names = ["cpu"]
    if torch.cuda.is_available():
        names += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        names.append("mps")
    return names


def resolve_device(device: str) -> torch.device:
    """Return the torch device called ``device``; ``"auto"`` takes cuda, then mps, then cpu.

    Raises
    ------
    ValueError
        If this machine does not have it; the message lists those it has.
    """
    names = available_devices()
    if device == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if name in names))
    if device not in names:
        raise ValueError(f"device={device!r} is not available here; use 'auto' or one of {names}.")
    return torch.device(device)


@contextmanager
def reproducible(device: torch.device, seed: int) -> Iterator[torch.Generator]:
    """Run on seeded generators and torch's usual settings, and leave all as it was.

    One thread is used: sums over threads depend on their number, and with it the last bits of the
    weights would depend on ``n_jobs``. Trainings in several threads take turns.

    Parameters
    ----------
    device : torch.device
        Where the computation runs.
    seed : int
        Seed of the global generators inside the block and of the one yielded.

    Yields
    ------
    torch.Generator
        For the order of the rows, on the CPU so that every device sees the same batches.
    """
    kind = device.type
    forked = {"devices": []} if kind == "cpu" else {"devices": [device], "device_type": kind}
    with one_thread(), plain_torch(kind), torch.enable_grad(), torch.random.fork_rng(**forked):
        torch.default_generator.manual_seed(seed)
        if kind != "cpu":
            getattr(torch, kind).manual_seed(seed)
        yield torch.Generator().manual_seed(seed)
