"""Docstrings completed with what is inherited, however the compiler leaves them."""

import inspect

import pytest

from skfair import DRAlignClassifier, FaiRNClassifier, LabelFlipClassifier, PenaltyClassifier
from skfair.training._docs import fill_docstring

INDENTED = """A classifier.

    Parameters
    ----------
    alpha : float
        Its own.
    warmup : float in [0, 1], default=0.25
        In its own words.
    {network_parameters}

    Attributes
    ----------
    {attributes}
    """


@pytest.mark.parametrize("doc", [INDENTED, inspect.cleandoc(INDENTED)], ids=["3.12", "3.13"])
def test_shared_parameters_stand_beside_the_own_ones(doc):
    cls = type("Classifier", (), {"__doc__": doc})
    fill_docstring(cls)
    lines = inspect.getdoc(cls).splitlines()
    for name in ("alpha : float", 'lr : float > 0, default="auto"', "classes_ : ndarray of shape"):
        assert any(line.startswith(name) for line in lines), name
    assert [line for line in lines if line.startswith("warmup :")] == [
        "warmup : float in [0, 1], default=0.25"
    ]


@pytest.mark.parametrize(
    "cls", [FaiRNClassifier, PenaltyClassifier, DRAlignClassifier, LabelFlipClassifier]
)
def test_help_has_every_section_at_the_margin(cls):
    lines = inspect.getdoc(cls).splitlines()
    for section in ("Parameters", "Attributes", "References", "Examples"):
        assert section in lines
