"""Calls of scikit-learn's ``_fit_and_score``, carried out together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import parallel_config
from joblib.parallel import ParallelBackendBase
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection._validation import _fit_and_score
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from ..training._stacked import Member, SharedRows, can_be_member, make_stacks, why_alone
from ..training._stacked_objective import signature

MAX_MEMBERS = 128  # in a task: more gain nothing
FRAME = ("batch_size", "max_epochs")  # parameters, numbers, in which members of a stack agree


class CollectingBackend(ParallelBackendBase):
    """A joblib backend that keeps calls until a result is asked for, then runs all of them.

    Parameters
    ----------
    run : callable
        ``run(calls) -> results``, where a call is (function, args, kwargs).
    """

    supports_sharedmem = True

    def __init__(self, run: Callable[[list], list]) -> None:
        super().__init__(nesting_level=0)
        self.run = run
        self._calls: list = []
        self._results: list | None = None

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let joblib use it in the block, or until it is left."""
        self._config = parallel_config(backend=self)
        try:
            yield
        finally:
            self.leave()

    def leave(self) -> None:
        """Let joblib use again what it used before."""
        self._config.unregister()

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return more than one: joblib would run the calls itself."""
        return 2

    def submit(self, func: Any, callback: Callable | None = None) -> slice:
        """Keep a batch of calls."""
        if self._results is not None:  # those of a round before
            self._calls, self._results = [], None
        first = len(self._calls)
        self._calls += func.items
        if callback is not None:
            callback(None)
        return slice(first, len(self._calls))

    apply_async = submit

    def retrieve_result(self, out: slice, timeout: float | None = None) -> list:
        """Return the results of a batch."""
        if self._results is None:
            calls, self._calls = self._calls, []
            self._results = self.run(calls)
        return self._results[out]


@dataclass
class Call:
    """One candidate on one part of the data, as scikit-learn would fit and score it.

    Attributes
    ----------
    position : int
        Among all calls.
    args, kwargs
        Of ``_fit_and_score``.
    split : int
        Number of the split, that of its seed apart.
    seed : int or None
        Of this repetition.
    """

    position: int
    args: tuple
    kwargs: dict[str, Any]
    split: int
    seed: int | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The candidate."""
        return self.kwargs["parameters"] or {}

    @property
    def rows(self) -> tuple[int, int | None]:
        """What has to be equal for two calls to see the same rows in the same order."""
        return self.split, self.seed

    def run(self) -> dict[str, Any]:
        """Fit and score, and let go of what was fitted, which nobody asks for."""
        try:
            return _fit_and_score(*self.args, **self.kwargs)
        finally:
            vars(self.args[0]).clear()


def shared_by(calls: Sequence[Call]) -> list:
    """List what many calls have in common: tables, metadata and the rows of the splits."""
    found: dict[int, Any] = {}
    for call in calls:
        metadata = [call.kwargs.get(name) or {} for name in ("fit_params", "score_params")]
        values = [*call.args[1:], call.kwargs["train"], call.kwargs["test"]]
        values += [value for params in metadata for value in params.values()]
        found |= {id(value): value for value in values if value is not None}
    return list(found.values())


def tasks_of(calls: Sequence[Call], max_members: int, n_jobs: int) -> list[list[Call]]:
    """Divide calls into tasks of at most ``max_members``, a multiple of ``n_jobs`` if possible.

    Calls that see the same rows come together, and of these such candidates as differ in numbers
    only.
    """
    of_rows: dict[Any, list[Call]] = {}
    for call in sorted(calls, key=lambda call: _frame(call.parameters)):
        of_rows.setdefault(call.rows, []).append(call)
    most = max(len(part) for part in of_rows.values())
    if most * 2 <= max_members:  # few candidates: several parts of the data in a task
        n_tasks = max(-(-len(calls) // max_members), min(n_jobs, len(of_rows)))
        parts = [list(part) for part in _divided(list(of_rows.values()), n_tasks)]
        return [[call for calls in part for call in calls] for part in parts]
    n_parts = -(-most // max_members)
    while (n_parts * len(of_rows)) % n_jobs and n_parts < n_jobs * -(-most // max_members):
        n_parts += 1
    return [task for part in of_rows.values() for task in _divided(part, min(n_parts, len(part)))]


def _divided(values: list, n_parts: int) -> list[list]:
    ends = np.linspace(0, len(values), n_parts + 1).round().astype(int)
    return [values[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True) if b > a]


def _frame(parameters: Mapping[str, Any]) -> str:
    """Return what a candidate says beside numbers."""
    return repr(
        sorted(
            (name, repr(value))
            for name, value in parameters.items()
            if not isinstance(value, (int, float)) or name.split("__")[-1] in FRAME
        )
    )


def run_task(
    calls: Sequence[Call], max_members: int | None
) -> tuple[list[tuple[int, dict[str, Any]]], Counter]:
    """Fit and score some candidates, those together that can be.

    Parameters
    ----------
    calls : sequence of Call
        Of one task.
    max_members : int or None
        Most networks in a stack; ``None`` leaves it to the budget of memory.

    Returns
    -------
    results : list of (int, dict)
        Position of a call, and what ``_fit_and_score`` returned.
    alone : Counter
        Why calls were carried out by themselves.
    """
    results: list[tuple[int, dict[str, Any]]] = []
    alone: Counter[str] = Counter()
    prepared = _Prepared()
    fits = {call.position: prepared.fit_of(call) for call in calls}
    by_member: dict[int, Call] = {}
    for call in calls:
        fit = fits[call.position]
        if fit.why_alone is not None:
            alone[fit.why_alone] += 1
            results.append((call.position, call.run()))
        elif fit.member is None or fit.error is not None:
            results.append((call.position, fit.score(call)))
        else:
            by_member[id(fit.member)] = call
    members = [f.member for f in fits.values() if id(f.member) in by_member and f.member]
    for stack in make_stacks(members, max_members):
        why_not = stack.train()
        for member in stack.members:
            call = by_member[id(member)]
            if why_not is not None:
                alone[why_not] += 1
            result = fits[call.position].score(call) if why_not is None else call.run()
            results.append((call.position, result))
    return results, alone


@dataclass
class _Fit:
    """What becomes of a call."""

    candidate: Any = None
    member: Member | None = None
    why_alone: str | None = None
    own_error: Exception | None = None

    @property
    def error(self) -> Exception | None:
        return self.own_error or (self.member.error if self.member is not None else None)

    def score(self, call: Call) -> dict[str, Any]:
        """Score by scikit-learn's function, whose ``fit`` finds the work done."""
        estimator, error, candidate = call.args[0], self.error, self.candidate

        def fit(*args: Any, **kwargs: Any) -> Any:
            vars(estimator).pop("fit")
            if error is not None:
                raise error
            vars(estimator).update(vars(candidate))
            return estimator

        estimator.fit = fit
        result = call.run()
        if self.member is not None and "fit_time" in result:
            result["fit_time"] += self.member.seconds
        self.candidate = self.member = None  # its weights are no longer needed
        return result


class _Prepared:
    """Parts of the data on which candidates are fitted, and what comes before their networks."""

    def __init__(self) -> None:
        self._shared: list[tuple[Any, tuple]] = []

    def fit_of(self, call: Call) -> _Fit:
        """Return a candidate, ready to be trained."""
        fit = _Fit()
        try:
            candidate = clone(call.args[0]).set_params(**clone(call.parameters, safe=False))
            fit.candidate = candidate
            network = _last_step(candidate)
            if not can_be_member(network):
                fit.why_alone = f"{type(network).__name__} is no network that can be stacked"
                return fit
            fit.member = self._member(call, candidate, network)
            if fit.member.error is None:
                fit.why_alone = why_alone(fit.member)
                if fit.why_alone is not None:
                    fit.member.abandon()
        except Exception as error:
            error.add_note(_name(call))
            fit.own_error = error
        return fit

    def _member(self, call: Call, candidate: Any, network: Any) -> Member:
        if not isinstance(candidate, Pipeline):
            rows, _ = self._find((call.split, None), lambda: _training_rows(call, candidate))
            return Member(network, rows, _name(call))
        name = candidate.steps[-1][0]
        before = {
            key: value
            for key, value in call.parameters.items()
            if key != name and not key.startswith(f"{name}__")
        }
        key = call.split, signature(before)
        rows, steps = self._find(key, lambda: _transformed_rows(call, candidate, network))
        candidate.steps = [*steps, (name, network)]
        return Member(network, rows, _name(call))

    def _find(self, key: Any, make: Callable[[], tuple]) -> tuple:
        for known, value in self._shared:
            if known == key:
                return value
        self._shared.append((key, make()))
        return self._shared[-1][1]


def _last_step(candidate: Any) -> Any:
    return candidate.steps[-1][1] if isinstance(candidate, Pipeline) else candidate


def _name(call: Call) -> str:
    return f"the candidate {call.parameters}"


def _training_part(call: Call, candidate: Any) -> tuple[Any, Any, dict[str, Any]]:
    """X, y and the arguments of ``fit`` that a call trains on."""
    _, X, y = call.args[:3]
    train = call.kwargs["train"]
    params = _check_method_params(X, params=call.kwargs["fit_params"] or {}, indices=train)
    return *_safe_split(candidate, X, y, train), params


def _training_rows(call: Call, candidate: Any) -> tuple[SharedRows, list]:
    X, y, params = _training_part(call, candidate)
    return SharedRows(X, y, params), []


def _transformed_rows(call: Call, candidate: Pipeline, network: Any) -> tuple[SharedRows, list]:
    """Fit all steps of a pipeline but the last; return what that one gets, and the steps."""
    X, y, params = _training_part(call, candidate)
    *before, (name, _) = candidate.steps
    receiver = _Receiver(network)
    pipeline = Pipeline([*before, (name, receiver)], memory=candidate.memory)
    pipeline.fit(X, y, **params)
    return SharedRows(*receiver.received_), pipeline.steps[:-1]


class _Receiver(BaseEstimator):
    """Stands for a network at the end of a pipeline, and keeps what it is given."""

    def __init__(self, network: Any) -> None:
        self.network = network

    def fit(self, X: Any, y: Any = None, **params: Any) -> _Receiver:
        """Keep the data."""
        self.received_ = X, y, params
        return self

    def get_metadata_routing(self) -> Any:
        """Return what the network asks for."""
        return self.network.get_metadata_routing()
