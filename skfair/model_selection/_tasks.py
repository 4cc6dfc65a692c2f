"""Tasks of a search: on this machine or, under joblib's dask backend, on a cluster."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import sklearn
from joblib.parallel import get_active_backend
from sklearn.utils.parallel import Parallel, delayed

from .._progress import tqdm
from .._warnings import ignored

if TYPE_CHECKING:
    from joblib._dask import DaskDistributedBackend

RETRIES = 2  # of a task that fails, where its worker may be the reason


def run_tasks(
    function: Callable,
    tasks: Sequence[tuple],
    *,
    shared: Sequence[Any] = (),
    n_jobs: int | None = None,
    verbose: int = 0,
) -> list:
    """Call a function for each task, in joblib's active backend.

    Under ``joblib.parallel_config("dask")`` each task is one of the cluster's own. What is shared
    goes to each worker once, and what a killed worker was doing is done by another one, which
    joblib's own way does not survive. ``parallel_config("dask", ...)`` takes further arguments of
    :meth:`distributed.Client.submit`, such as ``retries``.

    Parameters
    ----------
    function : callable
        Called with the entries of a task; has to return the same for the same task.
    tasks : sequence of tuple
        Arguments.
    shared : sequence
        Objects, tables for instance, that occur in many tasks, anywhere in them. They may be read,
        not written.
    n_jobs : int, default=None
        As joblib's.
    verbose : int, default=0
        Whether a bar shows how many tasks are done.

    Returns
    -------
    list
        Results in the order of the tasks.
    """
    backend, _ = get_active_backend()
    if not _is_dask(backend):
        calls = (delayed(function)(*task) for task in tasks)
        if not verbose:
            return list(Parallel(n_jobs=n_jobs)(calls))
        return list(_bar(Parallel(n_jobs=n_jobs, return_as="generator")(calls), len(tasks)))
    with backend.retrieval_context():  # gives way to the tasks, if it is in a worker itself
        arriving = _on_cluster(backend, function, tasks, shared)
        done = dict(_bar(arriving, len(tasks)) if verbose else arriving)
    return [done[number] for number in range(len(tasks))]


def _is_dask(backend: Any) -> bool:
    """Whether it is joblib's backend for dask, whose module imports dask: not before it is used."""
    module = sys.modules.get("joblib._dask")
    return module is not None and isinstance(backend, module.DaskDistributedBackend)


def _bar(results: Iterator, total: int) -> Iterator:
    return tqdm(results, total=total, desc="tasks")


class _Work(NamedTuple):
    """A task as it travels: pickled, with numbers in place of what is shared."""

    pickled: bytes
    config: dict[str, Any]

    def __call__(self, shared: list) -> Any:
        """Carry the task out, on a worker."""
        function, task = _Unpickler(self.pickled, shared).load()
        with sklearn.config_context(**self.config):
            return function(*task)


def _on_cluster(
    backend: DaskDistributedBackend, function: Callable, tasks: Sequence[tuple], shared: Sequence
) -> Iterator[tuple[int, Any]]:
    """Yield numbers of tasks and their results, as they arrive."""
    from distributed import as_completed

    client, options = backend.client, {"retries": RETRIES} | backend.submit_kwargs
    name, config = f"{function.__name__}-{uuid4().hex}", sklearn.get_config()
    with ignored("Sending large graph"):
        # A task as well: what is scattered is lost with the worker that has it, and then all is.
        tables = client.submit(list, list(shared), key=f"shared-{name}", pure=False, **options)
    futures = {
        client.submit(
            _Work(_dumps((function, task), shared), config),
            tables,
            key=f"{name}-{number}",
            pure=False,
            **options,
        ): number
        for number, task in enumerate(tasks)
    }
    try:
        for future, result in as_completed(futures, with_results=True):
            yield futures[future], result
            future.release()  # a worker that is killed later takes nothing along
    finally:
        client.cancel([*futures, tables])


def _dumps(value: Any, shared: Sequence[Any]) -> bytes:
    import cloudpickle  # comes with dask

    numbers = {id(each): number for number, each in enumerate(shared)}

    class Pickler(cloudpickle.Pickler):
        def persistent_id(self, obj: Any) -> int | None:
            return numbers.get(id(obj))

    file = io.BytesIO()
    Pickler(file).dump(value)
    return file.getvalue()


class _Unpickler(pickle.Unpickler):
    def __init__(self, pickled: bytes, shared: list) -> None:
        super().__init__(io.BytesIO(pickled))
        self._shared = shared

    def persistent_load(self, pid: int) -> Any:
        return self._shared[pid]
