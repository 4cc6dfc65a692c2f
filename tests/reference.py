"""What ``docs/api.rst`` lists."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "api.rst"


def listed() -> list[str]:
    """Full names of what has an entry."""
    names, module = [], ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"\.\. currentmodule:: ([\w.]+)", line):
            module = found[1]
        elif found := re.fullmatch(r"(?:   |\.\. py:data:: )([A-Za-z_][\w.]*)", line):
            names.append(f"{module}.{found[1]}")
    return names


def mentioned() -> set[str]:
    """Full names on the page, in the text, too."""
    return {*listed(), *re.findall(r"skfair(?:\.\w+)*", PAGE.read_text(encoding="utf-8"))}
