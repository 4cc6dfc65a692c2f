"""numpydoc's validation of what the reference lists, and of its public methods; outside links."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest
from numpydoc.validate import ERROR_MSGS, validate

from .reference import listed
from .test_layout import find

ROOT = Path(__file__).parents[1]
SETTINGS = ROOT / "pyproject.toml"
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


def test_what_belongs_to_others_is_in_the_lists_of_their_documentation():
    rows = "".join(p.read_text("utf-8") for p in (ROOT / "docs" / "inventories").iterdir())
    known = set(re.findall(r"^([\w.]+) \w+ \S+\.html$", rows, re.MULTILINE))
    owners = {name.partition(".")[0] for name in known}
    sources = [*ROOT.glob("docs/**/*.rst"), *ROOT.glob("skfair/**/*.py")]
    text = "".join(path.read_text("utf-8") for path in sources)
    used = set(re.findall(r":(?:class|func|meth|mod|attr):`(?:[^`<]*<)?~?([\w.]+)>?`", text))
    assert {name for name in used if name.partition(".")[0] in owners} - known == set()
