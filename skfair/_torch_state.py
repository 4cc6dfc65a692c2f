"""torch's global settings: as this package needs them for a while, then as they were.

They belong to the process: computations in several threads that change them take turns. Processes
do not wait for each other, nor a forked one for a thread that it does not have.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from threadpoolctl import threadpool_limits

WAIT_AT_EXIT = 10  # seconds for the step of a training in another thread

_turn = threading.RLock()
_leaving = threading.Event()


def check_interpreter() -> None:
    """Stop a training in a thread that the interpreter is about to leave behind.

    Such a thread dies wherever it is; inside torch that aborts the process.

    Raises
    ------
    SystemExit
        If the interpreter exits; it ends a thread without a word.
    """
    if _leaving.is_set():
        raise SystemExit("the interpreter exits")


@atexit.register
def _leave() -> None:
    _leaving.set()
    if not _turn.acquire(blocking=False):
        _turn.acquire(timeout=WAIT_AT_EXIT)
        time.sleep(0.1)  # for what remains to be done on the way out


def _in_child() -> None:
    global _turn, _is_forked
    _turn, _is_forked = threading.RLock(), True


_is_forked = False  # GNU OpenMP waits for ever for the threads that a child does not have
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread, as sums over several depend on their number."""
    with _turn:
        threads = torch.get_num_threads()
        if threads != 1:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)


@contextmanager
def one_thread_everywhere() -> Iterator[None]:
    """Hold torch and BLAS to one thread: many small products are slower with threads that wait."""
    with one_thread(), threadpool_limits(1):
        yield


@contextmanager
def plain_torch(device_type: str) -> Iterator[None]:
    """Without autocast, inference mode, or a default device or dtype of the user's.

    In a forked process with one thread, as those of its parent are gone.

    Parameters
    ----------
    device_type : str
        Of the device on which the block computes.
    """
    with ExitStack() as stack:
        if _is_forked:
            stack.enter_context(one_thread())
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        for kind in {device_type, "cpu"}:
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if torch.get_default_dtype() != torch.float32:
            stack.enter_context(_default_dtype(torch.float32))
        yield


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    with _turn:
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            yield
        finally:
            torch.set_default_dtype(before)
