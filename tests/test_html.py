"""Estimators in notebooks: links to their pages, and what each parameter means."""

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import skfair
from skfair import FaiRNClassifier, NetworkClassifier, SmoothedClassifier, _documentation
from skfair.model_selection import StackedSearchCV

from .reference import listed


class OwnEstimator(NetworkClassifier):
    """Of a user, whose documentation is elsewhere."""


@pytest.fixture
def address(monkeypatch):
    monkeypatch.setattr(_documentation, "documentation_url", lambda: "https://docs.example")
    return "https://docs.example"


def test_every_estimator_links_to_a_page_that_there_is(address):
    for name in (n for n in skfair.__all__ if n.endswith("Classifier")):
        kind = getattr(skfair, name)
        estimator = kind.__new__(kind)
        assert estimator._get_doc_link() == f"{address}/generated/skfair.{name}.html"
        assert f"skfair.{name}" in listed()
    search = StackedSearchCV(FaiRNClassifier(), {"lr": [0.1]})
    page = "skfair.model_selection.StackedSearchCV"
    assert search._get_doc_link() == f"{address}/generated/{page}.html"
    assert page in listed()
    assert OwnEstimator()._get_doc_link() == ""


def test_html_has_links_and_what_parameters_mean(address):
    html = make_pipeline(FaiRNClassifier(lambda_fairness=0.25))._repr_html_()
    assert f'href="{address}/generated/skfair.FaiRNClassifier.html"' in html
    if "param-doc-link" in html:  # from scikit-learn 1.8 on
        assert "Weight of the recourse gap" in html
    assert (
        "skfair.SmoothedClassifier.html" in SmoothedClassifier(LogisticRegression())._repr_html_()
    )


def test_without_an_address_there_is_no_link():
    _documentation.documentation_url.cache_clear()
    if not _documentation.documentation_url():
        assert FaiRNClassifier()._get_doc_link() == ""
    assert "lambda_fairness" in FaiRNClassifier()._repr_html_()
