"""What is stored of a fitted estimator: its format has a number, and older ones are read."""

from __future__ import annotations

import copy
import inspect
from typing import Any

from ._version import __version__

#: Format of the states that this version writes. It grows when older code could not read them.
STATE_FORMAT = 1
FORMAT_KEY, VERSION_KEY = "_state_format", "_skfair_version"


class NewerFormatError(ValueError):
    """What was stored is of a newer version than the one that reads it."""


class StoredState:
    """Base of the estimators whose state has a number; it stands before ``BaseEstimator``."""

    def __getstate__(self) -> dict[str, Any]:
        # BaseEstimator's; of object, mypy thinks
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        if request := state.get("_metadata_request"):
            state = state | {"_metadata_request": _without_owner(request, type(self).__name__)}
        return state | {FORMAT_KEY: STATE_FORMAT, VERSION_KEY: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = current_state(self, state)
        super().__setstate__(  # type: ignore[misc]
            {name: value for name, value in state.items() if name not in (FORMAT_KEY, VERSION_KEY)}
        )

    def _upgrade_state(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return a state of an older format as one of this version's."""
        return state


def _without_owner(request: Any, name: str) -> Any:
    """Return what was asked for by ``set_fit_request`` and the like, without the estimator.

    It is there for messages, which take a name as well; skops stores nothing that refers to itself.
    """
    request = copy.copy(request)
    request.owner = name
    for method, part in vars(request).items():
        if hasattr(part, "owner"):
            part = copy.copy(part)
            part.owner = name
            setattr(request, method, part)
    return request


def newer_format(what: str, version: str, found: Any, known: int) -> str:
    """Say that a format is too new, and what to do."""
    return (
        f"{what} was stored by skfair {version} in format {found!r}; skfair {__version__} reads "
        f"formats up to {known}: python -m pip install --upgrade skfair-torch."
    )


def current_state(estimator: StoredState, state: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a stored state in this version's format.

    Parameters
    ----------
    estimator : StoredState
        Whose state it is. Parameters that were not there when it was stored get their default.
    state : dict
        As it was stored; without a number it is of a version that wrote none.

    Raises
    ------
    NewerFormatError
        If the format is newer than this version.
    """
    state = dict(state)
    found = state.get(FORMAT_KEY, 0)
    name = type(estimator).__name__
    if not isinstance(found, int) or found > STATE_FORMAT:
        version = state.get(VERSION_KEY, "of an unknown version")
        raise NewerFormatError(newer_format(f"This {name}", version, found, STATE_FORMAT))
    if found < STATE_FORMAT:
        state = estimator._upgrade_state(state)
        state[FORMAT_KEY] = STATE_FORMAT
    for parameter in inspect.signature(type(estimator)).parameters.values():
        if parameter.default is not parameter.empty:
            state.setdefault(parameter.name, parameter.default)
    return state
