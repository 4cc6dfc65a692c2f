"""Where things are: what has no underscore is for users, and the reference has it."""

import pkgutil
from importlib import import_module, resources

import pytest

import skfair

from .reference import listed, mentioned

MODULES = [
    module.name
    for module in pkgutil.walk_packages(skfair.__path__, "skfair.")
    if not any(part.startswith("_") for part in module.name.split("."))
]
PACKAGES = ["skfair", *(name for name in MODULES if hasattr(import_module(name), "__path__"))]


def find(name):
    """Import what has this full name, a module or an attribute of one."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(import_module(module), attribute)


@pytest.mark.parametrize("name", MODULES)
def test_modules_without_an_underscore_are_in_the_reference(name):
    assert name in mentioned(), f"list {name} in docs/api, or give it an underscore"


@pytest.mark.parametrize("package", PACKAGES)
def test_exports_are_in_the_reference(package):
    """There or, where they were before, under their present name."""
    known = {id(find(name)) for name in listed()}
    module = import_module(package)
    exports = [name for name in module.__all__ if not name.startswith("_")]
    assert [name for name in exports if id(getattr(module, name)) not in known] == []


@pytest.mark.parametrize("name", MODULES)
def test_all_names_what_there_is(name):
    module = import_module(name)
    assert [entry for entry in getattr(module, "__all__", ()) if not hasattr(module, entry)] == []


def test_type_checkers_find_the_package_typed():
    assert resources.files(skfair).joinpath("py.typed").is_file()
