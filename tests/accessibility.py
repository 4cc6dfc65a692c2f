"""What axe has to say about a page in a browser."""

from __future__ import annotations

from typing import Any


def serious_problems(page: Any) -> list[tuple[str, str]]:
    """Rules that are broken seriously, with an example of each."""
    from axe_playwright_python.sync_playwright import Axe

    # most of the time is for lists of all that is well
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    return [(v["id"], v["nodes"][0]["html"]) for v in serious]
