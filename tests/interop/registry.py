"""What is known to work with other tools: each row is a test, and a line of the guide's table."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

TABLE = "docs/user_guide/with_other_tools.rst"
BEGIN, END = ".. begin of the table\n", ".. end of the table\n"


class Row(NamedTuple):
    """A test of what a tool does with skfair.

    Attributes
    ----------
    tool : str
        Its name, by which rows are grouped.
    what : str
        What is used of it.
    how : str
        What to know, if anything.
    needs : tuple of str
        Modules without which the test is skipped.
    function : callable
        The test.
    """

    tool: str
    what: str
    how: str
    needs: tuple[str, ...]
    function: Callable

    @property
    def missing(self) -> list[str]:
        """Modules that are not installed."""
        return [name for name in self.needs if not _is_installed(name)]


ROWS: list[Row] = []


def row(tool: str, what: str, how: str = "", needs: str = "") -> Callable:
    """Enter a test into the table."""

    def enter(function: Callable) -> Callable:
        ROWS.append(Row(tool, what, how, tuple(needs.split()), function))
        return function

    return enter


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the package that it is in
        return False


def table() -> str:
    """The rows as reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 20 40 40", ""]
    lines += ["   * - tool", "     - what", "     - how"]
    rows = sorted(ROWS, key=lambda entry: entry.tool != "scikit-learn")  # which comes first
    for number, entry in enumerate(rows):
        first = number == 0 or rows[number - 1].tool != entry.tool
        cells = (entry.tool if first else "", entry.what, entry.how)
        lines += [f"   {b} - {cell}".rstrip() for b, cell in zip("*  ", cells, strict=True)]
    return "\n".join(lines) + "\n"
