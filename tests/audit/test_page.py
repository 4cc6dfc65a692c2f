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
def hostile():
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
def test_text_is_never_taken_for_markup(hostile, embedded):
    text = hostile._repr_html_() if embedded else hostile.to_html()
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


def test_every_row_has_a_section_and_a_measure_that_are_known(hostile):
    frame = hostile.to_frame()
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


class Page(HTMLParser):
    """What is on a page."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.tags, self.links, self.ids, self.stack = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.links += [attrs[k] for k in ("src", "href", "xlink:href") if k in attrs]
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag == "td" and "data-value" in attrs:
            self.cells.append([attrs, ""])
            self.stack.append("td")

    def handle_endtag(self, tag):
        if tag == "td" and self.stack:
            self.stack.pop()

    def handle_data(self, data):
        if self.stack:
            self.cells[-1][1] += data


class TestPage:
    def test_numbers_are_those_of_the_frame(self, report):
        page, frame = Page(report.to_html()), report.to_frame()
        shown = [
            tuple(float(attrs[f"data-{k}"]) for k in ("value", "lower", "upper"))
            for attrs, _ in page.cells
        ]
        expected = frame[["value", "lower", "upper"]].apply(tuple, axis=1).tolist()
        assert {str(t) for t in shown} == {str(t) for t in expected}
        base = frame[(frame["measure"] == "base rate") & (frame["group"] != "gap")]
        assert len(shown) == len(frame) - len(base) / 2  # which does not depend on the model
        for attrs, text in page.cells:
            numbers = [float(n) for n in re.findall(r"\d[\d.]*(?:e-?\d+)?", text)]
            exact = [float(attrs[f"data-{k}"]) for k in ("value", "lower", "upper")]
            exact = [n for n in exact if not np.isnan(n)]
            if " of " in text:  # few people are counted
                numbers, exact = [numbers[0] / numbers[1]], exact[:1]
            elif "%" in text or "points" in text:
                numbers = [n / 100 for n in numbers]
            np.testing.assert_allclose(numbers, exact[: len(numbers)], rtol=0.06, atol=5.1e-4)

    def test_no_figure_stands_in_two_places_with_two_values(self, report):
        """Shares in sentences are those of the cells, subgroups are as the groups they are."""
        rows = report.to_frame()
        frame = rows[rows["section"] == "Group metrics"].set_index(["measure", "group", "model"])
        for (measure, group, model), row in frame.iterrows():
            if measure.endswith("rate") and group in ("a", "b"):
                share = re.search(r"^Of 100 .*, (\d+\.\d) (?:are|had)", row["meaning"])[1]
                assert share == f"{100 * row['value']:.1f}"
                assert f"{group} ({share}%)" in frame.loc[(measure, "gap", model), "meaning"]
        for row in rows[rows["section"] == "Subgroups"].itertuples():
            same = frame.loc[(row.measure, row.group.removeprefix("group="), row.model)]
            np.testing.assert_allclose([row.lower, row.upper], same[["lower", "upper"]].tolist())

    def test_links_lead_into_the_folds(self, report):
        text = report.to_html()
        links = re.findall(r'<a href="#([^"]+)"', text)
        assert len(links) == len(report.about.sections) + 1
        for link in links:  # inside: a browser opens what it is led into
            assert f'</summary><div id="{link}">' in text

    def test_it_says_how_it_was_made(self, people, forest):
        X, y, group = people
        report = AuditReport.from_estimator(
            forest,
            X,
            y,
            sensitive_features=group,
            headline=["No candidate met the tolerance."],
            provenance={"command": "python -m skfair audit <x>"},
            recourse={"max_iter": 2},
            max_people=20,
            random_state=0,
        )
        text = report.to_html()
        assert "How this was made" in text
        assert "audit &lt;x&gt;</dd>" in text
        assert text.index("No candidate met") < text.index("Audited on")

    def test_it_is_one_file_without_scripts_and_requests(self, report):
        text = report.to_html()
        page = Page(text)
        assert "script" not in page.tags
        assert all(link.startswith(("#", "data:,")) for link in page.links)
        assert not re.search(r"@import|url\((?!#|'#)", text)
        assert len(text.encode()) < 3_000_000
        assert len(set(page.ids)) == len(page.ids)

    def test_it_says_what_it_does_not_show_and_warns(self, report):
        text = report.to_html()
        assert "What this does not show" in text
        assert "not suitable as an automatic test" in text
        assert "scientific veneer" in text

    def test_names_are_escaped(self, report):
        assert "forest &lt;old&gt;" in report.to_html()
        assert "<old>" not in report.to_html()

    def test_a_file_is_whole_or_not_there(self, report, tmp_path, monkeypatch):
        path = tmp_path / "report.html"
        assert report.to_html(path) == path.read_text(encoding="utf-8")
        path.write_text("before")
        monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("no space")))
        with pytest.raises(OSError, match="no space"):
            report.to_html(path)
        assert path.read_text() == "before"
        assert list(tmp_path.iterdir()) == [path]

    def test_notebooks_show_a_part_of_a_page(self, report):
        part = report._repr_html_()
        assert "<html" not in part
        assert "<h1>" in part
        assert 'class="skfair embedded" role="region"' in part  # scrolls by itself
        assert repr(report).startswith("AuditReport(network, forest <old>: ")
