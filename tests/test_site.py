"""The built documentation in a browser; ``SKFAIR_SITE`` is the folder of its pages."""

from __future__ import annotations

import os
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import skfair

from .accessibility import serious_problems

pytestmark = pytest.mark.browser
PAGES = (
    "index",
    "quickstart",
    "evidence",
    "frontier",
    "user_guide/fairn",
    "gallery/plot_audit",
    "api/metrics",
    "generated/skfair.FaiRNClassifier",
)
# What holds more than it shows; on a phone long equations are moved sideways.
BOXES = {390: ".bd-article-container", 1280: ".bd-article-container, mjx-container[display]"}
CUT = """boxes => [...document.querySelectorAll(boxes)]
    .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.trim().slice(0, 40))"""


@pytest.fixture(scope="module")
def site():
    if "SKFAIR_SITE" not in os.environ:
        pytest.skip("needs the built pages: SKFAIR_SITE=docs/_build/html")
    return Path(os.environ["SKFAIR_SITE"]).resolve()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_reads_on_a_phone_and_a_laptop_without_a_network(name, scheme, browser, site):
    page, requests = browser.new_page(color_scheme=scheme), []
    page.on("request", lambda request: requests.append(request.url))
    for width, boxes in BOXES.items():
        page.set_viewport_size({"width": width, "height": 800})
        page.goto((site / f"{name}.html").as_uri())
        page.wait_for_load_state("networkidle")
        if page.locator(".math").count():
            page.wait_for_selector("mjx-container", state="attached")
            page.evaluate("MathJax.startup.promise.then(() => null)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT, boxes) == []
    assert serious_problems(page) == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    page.close()


def test_formulas_are_all_set(browser, site):
    page = browser.new_page()
    page.goto((site / "user_guide/fairn.html").as_uri())
    page.wait_for_selector("mjx-container", state="attached")
    page.evaluate("MathJax.startup.promise.then(() => null)")
    formulas = page.locator(".math").count()
    assert page.locator("mjx-container").count() == formulas > 10
    assert "\\(" not in page.inner_text("article")
    page.close()


def test_examples_print_neither_addresses_nor_paths(site):
    for path in sorted((site / "gallery").glob("*.html")):
        shown = re.findall(r"sphx-glr-script-out.*?</pre>", path.read_text("utf-8"), re.DOTALL)
        found = [re.search(r"object at 0x|/site-packages/|Traceback", text) for text in shown]
        assert not any(found), path.name


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder and writes nothing."""

    def log_message(self, *args):
        pass


def test_versions_are_in_a_menu_that_the_site_itself_serves(browser, site):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page, requests, menu = browser.new_page(), [], ".navbar-header-items .version-switcher__"
    page.on("request", lambda request: requests.append(request.url))
    home = f"http://127.0.0.1:{server.server_port}/"
    page.goto(f"{home}user_guide/fairn.html")
    page.wait_for_selector(f"{menu}button[data-active-version-name]")
    assert page.get_attribute(f"{menu}button", "data-active-version") == skfair.__version__
    assert all(url.startswith((home, "data:")) for url in requests)
    page.goto((site / "user_guide/fairn.html").as_uri())
    assert not page.is_visible(f"{menu}container")  # without a server there is nothing to choose
    page.close()
    server.shutdown()
    server.server_close()
