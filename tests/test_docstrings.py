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

# What does not hold yet: an entry that is mended has to go.
EXCEPTIONS: dict[str, set[str]] = {
    "skfair.SmoothedClassifier.predict_log_proba": {"SS05"},
    "skfair.metrics.fairness_index": {"PR04"},
    "skfair.metrics.decision_rationale_similarity": {"PR04"},
    "skfair.metrics.burden_gap": {"PR04"},
    "skfair.metrics.get_scorer_names": {"SS05"},
    "skfair.smoothing.WeightedMetric.of_shift": {"PR01", "RT01", "SS05"},
    "skfair.smoothing.WeightedMetric.shift": {"PR01", "RT01", "SS05"},
    "skfair.audit.AuditReport.from_estimator": {"PR09"},
    "skfair.datasets.fetch_adult": {"GL02"},
    "skfair.datasets.fetch_compas": {"GL02"},
    "skfair.datasets.fetch_german_credit": {"GL02"},
    "skfair.datasets.fetch_meps": {"GL02"},
    "skfair.testing.expected_failed_checks": {"SS05"},
}


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


OBJECTS = objects()


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring(name):
    errors = {code: message for code, message in validate(name)["errors"] if code in CHECKS}
    assert errors.keys() == EXCEPTIONS.get(name, set()), errors


def test_exceptions_are_of_objects_that_exist():
    assert EXCEPTIONS.keys() <= set(OBJECTS)
