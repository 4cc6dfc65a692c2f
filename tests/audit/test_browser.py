"""The page in a real browser: silent, accessible, readable on any screen and without scripts."""

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from skfair import FaiRNClassifier
from skfair.audit import AuditReport
from skfair.datasets import make_biased_classification

from ..accessibility import serious_problems

pytest.importorskip("matplotlib")

pytestmark = pytest.mark.browser
SCREENS = {"phone": (360, 740), "tablet": (1030, 800), "desktop": (1280, 900)}


@pytest.fixture(scope="module")
def report():
    X, y, group = make_biased_classification(600, n_features=3, n_informative=3, random_state=0)
    X = pd.DataFrame(X, columns=["a", "b", "c"]).assign(group=(group == "a") * 1.0)
    model = FaiRNClassifier(hidden_layer_sizes=(6,), max_epochs=15, random_state=0)
    model.fit(X, y, sensitive_features=group)
    forest = RandomForestClassifier(5, max_depth=4, random_state=0).fit(X, y)
    groups = pd.DataFrame({"group": group, "half": np.arange(600) % 2})
    return AuditReport.from_estimator(
        model,
        X,
        y,
        sensitive_features=groups,
        sensitive_columns="group",
        baseline=forest,
        names=("FaiR-N", "a forest & <its> name"),
        splits={"first half": (X[:300], y[:300], groups[:300])},
        n_resamples=50,
        max_people=80,
        random_state=0,
    )


@pytest.fixture(scope="module")
def path(report, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    report.to_html(path)
    return path


@pytest.fixture
def opened(browser, path):
    """Open the page in a new context; give it back with what it asked for and complained of."""
    contexts = []

    def open_(width=1280, height=900, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page, requests, complaints = context.new_page(), [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda m: complaints.append(m.text) if m.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path.as_uri())
        return page, requests, complaints

    yield open_
    for context in contexts:
        context.close()


def test_it_asks_for_nothing_and_complains_of_nothing(opened, path):
    page, requests, complaints = opened()
    page.wait_for_load_state("networkidle")
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]
    assert complaints == []


OPEN = "document.querySelectorAll('details').forEach(part => { part.open = true; })"


@pytest.mark.parametrize(
    ("screen", "scheme", "folds"),  # every pair of each two
    [
        ("phone", "light", "closed"),
        ("phone", "dark", "open"),
        ("tablet", "light", "open"),
        ("tablet", "dark", "closed"),
        ("desktop", "light", "open"),
        ("desktop", "dark", "closed"),
    ],
)
def test_axe_finds_nothing_serious(screen, scheme, folds, opened):
    page, *_ = opened(*SCREENS[screen], color_scheme=scheme)
    if folds == "open":
        page.evaluate(OPEN)
    assert serious_problems(page) == []


@pytest.mark.parametrize("screen", SCREENS)
def test_nothing_is_wider_than_the_screen(screen, opened):
    page, *_ = opened(*SCREENS[screen])
    page.evaluate(OPEN)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= SCREENS[screen][0]
    wide = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1)"
        ".length"
    )
    assert wide == 0  # no table has to be moved sideways to be read


def test_it_reads_without_scripts_and_its_numbers_are_those_of_the_frame(opened, report):
    page, *_ = opened(java_script_enabled=False)
    text = page.inner_text("body")
    assert "Read with caution" in text
    assert "Audited on 600 people" in text
    assert "What would change" not in text  # folded
    for part in page.locator("summary").all():
        part.click()
    text = page.inner_text("body")
    assert "What would change" in text
    assert "scientific veneer" in text
    frame = report.to_frame()
    for sentence in frame.loc[frame["group"] == "gap", "meaning"].head(20):
        assert sentence in text
    cells = page.locator("td[data-value]")
    exact = cells.evaluate_all("cells => cells.map(cell => cell.dataset.value)")
    assert set(map(str, map(float, exact))) == set(map(str, frame["value"].tolist()))


def test_a_link_opens_what_it_leads_to(opened):
    page, *_ = opened(java_script_enabled=False)
    fold = page.locator("details", has=page.locator("#subgroups"))
    assert fold.get_attribute("open") is None
    page.click("a[href='#subgroups']")
    assert fold.get_attribute("open") is not None


def test_colors_follow_the_reader(opened):
    backgrounds = {}
    for scheme in ("light", "dark"):
        page, *_ = opened(color_scheme=scheme)
        backgrounds[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        ink = page.evaluate("getComputedStyle(document.querySelector('svg text')).fill")
        assert ink == page.evaluate("getComputedStyle(document.querySelector('h1')).color")
    assert backgrounds["dark"] == "rgb(20, 24, 29)" != backgrounds["light"]


@pytest.mark.parametrize(("ink", "paper"), [("#212121", "#fff"), ("#e0e0e0", "#111")])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_notebook_it_is_a_frame_in_the_colors_of_its_host(
    ink, paper, scheme, report, browser, tmp_path
):
    style = f"color: {ink}; background: {paper}; font: 13px serif"
    head = "<!doctype html><html lang=en><title>notebook</title>"
    html = f"{head}<main style='{style}'>{report._repr_html_()}</main>"
    (tmp_path / "notebook.html").write_text(html, encoding="utf-8")
    page = browser.new_page(viewport={"width": 900, "height": 900}, color_scheme=scheme)
    page.goto((tmp_path / "notebook.html").as_uri())
    frame = page.locator(".embedded")
    assert frame.bounding_box()["height"] <= 640 < frame.evaluate("e => e.scrollHeight")
    for what in ("color", "font-family", "font-size"):
        own, host = (
            page.evaluate(f"getComputedStyle(document.querySelector('{e}'))['{what}']")
            for e in (".embedded li", "main")
        )
        assert own == host
    assert page.evaluate("document.documentElement.scrollWidth") <= 900
    assert serious_problems(page) == []
    page.close()


def pages(page, path):
    """Count the sheets of paper, A4."""
    page.pdf(path=path, format="A4")
    found = subprocess.run(["pdfinfo", str(path)], capture_output=True, text=True, check=True)
    return int(re.search(r"Pages:\s+(\d+)", found.stdout)[1])


def test_it_prints_with_everything_open(opened, tmp_path):
    page, *_ = opened()
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
    if shutil.which("pdftotext") is None:
        pytest.skip("needs pdftotext: apt-get install poppler-utils")
    path = tmp_path / "report.pdf"
    page.pdf(path=path, format="A4")
    printed = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True)
    assert "What would change" in printed.stdout
    assert "Most sensitive people" in printed.stdout
    assert "open them first" not in printed.stdout


def test_ten_groups_and_two_models_are_few_sheets_of_paper(browser, tmp_path):
    """At most 8 with everything folded, and 20 with everything open."""
    if shutil.which("pdfinfo") is None:
        pytest.skip("needs pdfinfo: apt-get install poppler-utils")
    X, y, group = make_biased_classification(3000, n_features=5, random_state=0)
    groups = pd.DataFrame({"sex": group, "race": np.random.default_rng(0).integers(0, 5, 3000)})
    models = [RandomForestClassifier(5, max_depth=d, random_state=0).fit(X, y) for d in (3, 5)]
    report = AuditReport.from_estimator(
        models[0],
        X,
        y,
        sensitive_features=groups,
        baseline=models[1],
        splits={"one": (X, y, groups), "other": (X, y, groups)},
        recourse={"max_iter": 3},
        max_people=400,
        random_state=0,
    )
    report.to_html(tmp_path / "report.html")
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    assert pages(page, tmp_path / "open.pdf") <= 20
    page.add_style_tag(content="details::details-content { display: none !important; }")
    assert pages(page, tmp_path / "folded.pdf") <= 8
    page.close()
