"""The page is laid out by templates, which come with the package and escape what they are given."""

import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import skfair
from skfair.audit import AuditReport
from skfair.audit._measures import MEASURES, find_measure
from skfair.audit._sections import SECTIONS
from skfair.datasets import make_biased_classification

pytest.importorskip("matplotlib")

HOSTILE = """<script a="b" c='d'>&amp;\x1b</script>{{ 7 * 7 }}{% raw %}"""


@pytest.fixture(scope="module")
def report():
    """Put what a page must not take for markup into every text that a user can choose."""
    X, y, group = make_biased_classification(600, n_features=3, n_informative=3, random_state=0)
    X = pd.DataFrame(X, columns=["a", "b", HOSTILE])
    groups = pd.DataFrame({HOSTILE: np.where(group == "a", HOSTILE, "b"), "c": y})
    return AuditReport.from_estimator(
        LogisticRegression().fit(X, y),
        X,
        y,
        sensitive_features=groups,
        baseline=LogisticRegression(C=0.01).fit(X, y),
        names=(f"{HOSTILE} 1", f"{HOSTILE} 2"),
        splits={HOSTILE: (X[:300], y[:300], groups[:300])},
        title=HOSTILE,
        headline=[HOSTILE],
        provenance={HOSTILE: HOSTILE},
        recourse={"max_iter": 2},
        max_people=60,
        random_state=0,
    )


@pytest.mark.parametrize("embedded", [False, True])
def test_text_is_never_taken_for_markup(report, embedded):
    text = report._repr_html_() if embedded else report.to_html()
    tags, words = set(), []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.add((tag, *dict(attributes)))
    parser.handle_data = words.append
    parser.feed(text)
    assert not any(tag == "script" for tag, *_ in tags)
    shown = HOSTILE.replace("\x1b", "\ufffd")
    titles = "".join(words).count(shown)
    assert titles > 20
    assert not re.search("[\x00-\x08\x0b\x0e-\x1f]", text)
    known = {"class", "id", "title", "role", "scope", "tabindex", "rowspan", "colspan", "style"}
    for tag, *attributes in tags:
        if tag in ("td", "th", "tr", "div", "details"):
            odd = {a for a in attributes if not a.startswith(("data-", "aria-"))} - known
            assert not odd, (tag, odd)


def test_every_row_has_a_section_and_a_measure_that_are_known(report):
    frame = report.to_frame()
    assert set(frame["section"]) <= {section.title for section in SECTIONS}
    assert {find_measure(name) for name in frame["measure"]} <= set(MEASURES)
    for section in SECTIONS:
        assert set(section.pictured) <= set(section.columns)


def test_every_file_beside_the_modules_is_package_data():
    package = Path(skfair.__file__).parent
    project = package.parent / "pyproject.toml"
    if not project.exists():
        pytest.skip("needs the source tree")
    patterns = tomllib.loads(project.read_text())["tool"]["setuptools"]["package-data"]
    declared = {
        path
        for name, globs in patterns.items()
        for pattern in globs
        for path in package.parent.joinpath(*name.split(".")).glob(pattern)
    }
    files = {path for path in package.rglob("*") if path.is_file() and path.suffix != ".py"}
    assert {path for path in files if "__pycache__" not in path.parts} == declared
