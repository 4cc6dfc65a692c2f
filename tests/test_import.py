"""What an import costs, and what it brings."""

import subprocess
import sys
import textwrap

import pytest

import skfair


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_data_sets_need_no_torch():
    code = "import sys, skfair.datasets; print('torch' in sys.modules, 'skorch' in sys.modules)"
    assert run(code).stdout.split() == ["False", "False"]


def test_names_come_when_they_are_asked_for():
    assert skfair.FaiRNClassifier.__module__ == "skfair.fairn"
    assert skfair.metrics.__name__ == "skfair.metrics"
    assert {*skfair.__all__, "metrics", "recourse"} <= set(dir(skfair))
    for name in skfair.__all__:
        assert getattr(skfair, name) is getattr(skfair, name)
    with pytest.raises(AttributeError, match="module 'skfair' has no attribute 'FairClassifier'"):
        skfair.FairClassifier  # noqa: B018


def test_a_notebook_without_widgets_is_not_warned():
    code = """
        import sys, types
        sys.modules["ipykernel.zmqshell"] = types.ModuleType("ipykernel.zmqshell")  # a notebook
        sys.modules["IPython"] = types.SimpleNamespace(get_ipython=object)
        sys.modules["ipywidgets"] = None  # not installed
        import skfair, skfair.audit, skfair.smoothing
    """
    assert run(textwrap.dedent(code)).stderr == ""
