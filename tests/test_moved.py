"""Old places and names work, with a warning that says where to look now."""

import importlib
import pickle

import pytest

from skfair import FaiRNClassifier
from skfair._moved import MOVED
from skfair.audit import AuditReport
from skfair.model_selection import best_under_constraint, constrained_monitor
from skfair.objectives import fairn, penalties


@pytest.mark.parametrize("old", sorted(MOVED))
def test_every_old_module_finds_its_new_places(old):
    importlib.sys.modules.pop(f"skfair.{old}", None)
    with pytest.warns(DeprecationWarning, match="has moved"):
        module = importlib.import_module(f"skfair.{old}")
    for place in MOVED[old]:
        new = importlib.import_module(f"skfair.{place}")
        names = [n for n, v in vars(new).items() if getattr(v, "__module__", "") == new.__name__]
        assert all(getattr(module, name) is not None for name in names)
    with pytest.raises(AttributeError, match="no_such_name"):
        module.no_such_name  # noqa: B018


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_public_names_are_the_same_objects_there():
    from skfair.audit.tables import BadTable
    from skfair.metrics.parity import parity_score
    from skfair.model_selection.refit import best_under_constraint as refit
    from skfair.training.base import NeuralClassifier
    from skfair.training.monitor import constrained_monitor as monitor

    from skfair.audit import report

    assert report.AuditReport is AuditReport
    assert BadTable.__name__ == "InputError"
    assert parity_score.__module__ == "skfair.metrics._parity"
    assert (refit, monitor) == (best_under_constraint, constrained_monitor)
    assert issubclass(FaiRNClassifier, NeuralClassifier)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_was_pickled_by_its_old_place_loads():
    text = pickle.dumps(best_under_constraint, protocol=0)
    old = text.replace(b"cskfair.model_selection._refit", b"cskfair.model_selection.refit")
    assert old != text
    assert pickle.loads(old) is best_under_constraint


def test_old_names_of_formulas_warn():
    for module, old, new in (
        (fairn, "burden", "logit_recourse"),
        (penalties, "gap", "sum_of_gaps"),
        (penalties, "greatest", "worst_group"),
        (penalties, "negative_ratio", "negative_min_max_ratio"),
    ):
        with pytest.warns(DeprecationWarning, match=f"{old} is called {new} now"):
            assert getattr(module, old) is getattr(module, new)
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        fairn.no_such_name  # noqa: B018
