"""What an import costs, and what it brings."""

import subprocess
import sys
import textwrap

import pytest

import skfair


@pytest.fixture(scope="module")
def started():
    """What a new process, in a notebook without widgets, prints over its imports."""
    code = """
        import sys, types
        import skfair.datasets
        print("torch" in sys.modules, "skorch" in sys.modules)
        sys.modules["ipykernel.zmqshell"] = types.ModuleType("ipykernel.zmqshell")  # a notebook
        sys.modules["IPython"] = types.SimpleNamespace(get_ipython=object)
        sys.modules["ipywidgets"] = None  # not installed
        import skfair, skfair.audit, skfair.smoothing
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def test_data_sets_need_no_torch(started):
    assert started.stdout.split() == ["False", "False"]


def test_names_come_when_they_are_asked_for():
    assert skfair.FaiRNClassifier.__module__ == "skfair.fairn"
    assert skfair.metrics.__name__ == "skfair.metrics"
    assert {*skfair.__all__, "metrics", "recourse"} <= set(dir(skfair))
    for name in skfair.__all__:
        assert getattr(skfair, name) is getattr(skfair, name)
    with pytest.raises(AttributeError, match="module 'skfair' has no attribute 'FairClassifier'"):
        skfair.FairClassifier  # noqa: B018


def test_a_notebook_without_widgets_is_not_warned(started):
    assert started.stderr == ""
