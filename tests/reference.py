"""What ``docs/api`` lists."""

import re
from pathlib import Path

PAGES = sorted((Path(__file__).parents[1] / "docs" / "api").glob("*.rst"))


def listed() -> list[str]:
    """Full names of what has an entry."""
    names = []
    for page in PAGES:
        module = ""
        for line in page.read_text(encoding="utf-8").splitlines():
            if found := re.fullmatch(r"\.\. (?:current)?module:: ([\w.]+)", line):
                module = found[1]
            elif found := re.fullmatch(r"(?:   |\.\. py:data:: )([A-Za-z_][\w.]*)", line):
                names.append(f"{module}.{found[1]}")
    return names


def mentioned() -> set[str]:
    """Full names on the pages, in the text, too."""
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    return {*listed(), *re.findall(r"skfair(?:\.\w+)*", text)}
