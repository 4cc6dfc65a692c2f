"""numpydoc's validation of what the reference lists, and of its public methods."""

import inspect
import tomllib
from pathlib import Path

import pytest
from numpydoc.validate import ERROR_MSGS, validate

from .reference import listed
from .test_layout import find

SETTINGS = Path(__file__).parents[1] / "pyproject.toml"
LEFT_OUT = tomllib.loads(SETTINGS.read_text("utf-8"))["tool"]["numpydoc_validation"]["checks"]
CHECKS = set(ERROR_MSGS) - set(LEFT_OUT)


def methods(cls):
    """Public methods and properties, if this package defines them: name -> function."""
    fields = getattr(cls, "__dataclass_fields__", {})  # documented as parameters
    for name in sorted(set(dir(cls)) - fields.keys()):
        owner = next(base for base in cls.__mro__ if name in vars(base))
        function = inspect.unwrap(vars(owner)[name])
        is_code = callable(getattr(cls, name)) or isinstance(function, property)
        if is_code and not name.startswith("_") and owner.__module__.startswith("skfair"):
            yield name, function


def objects():
    """Full names of what is listed, and of each method once."""
    names, seen = [], set()
    for name in listed():
        value = find(name)
        if inspect.ismodule(value) or inspect.isfunction(value) or inspect.isclass(value):
            names.append(name)
        for method, function in methods(value) if inspect.isclass(value) else ():
            if function not in seen:
                names.append(f"{name}.{method}")
            seen.add(function)
    return names


@pytest.mark.parametrize("name", objects())
def test_docstring(name):
    assert [error for error in validate(name)["errors"] if error[0] in CHECKS] == []
