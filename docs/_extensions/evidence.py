"""The directive ``result``: a file of ``benchmarks/results`` as a table, with what made it."""

from __future__ import annotations

import csv
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


class Result(SphinxDirective):
    """A file of results; its options are ``columns`` (separated by ;), ``where`` and ``rows``."""

    required_arguments = 1
    option_spec = {
        "columns": directives.unchanged_required,
        "where": directives.unchanged_required,
        "rows": directives.positive_int,
    }

    def run(self) -> list[nodes.Node]:
        """Return the table, and its settings folded below it."""
        path = RESULTS / f"{self.arguments[0]}.csv"
        self.env.note_dependency(str(path))
        settings, table = read(path)
        if "where" in self.options:
            name, value = (part.strip() for part in self.options["where"].split("=", 1))
            table = [row for row in table if row[name] == value]
        columns = [name.strip() for name in self.options.get("columns", "").split(";") if name]
        columns = columns or list(table[0])
        table = table[: self.options.get("rows", len(table))]
        if not table or any(name not in table[0] for name in columns):
            raise self.error(f"{path.name} has no such rows or columns; it has {list(table[0])}")
        return [scrolled(columns, table), *folded("What made it", [made_by(settings)])]


def read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return the settings of a file of results, and its rows."""
    lines = path.read_text().splitlines()
    settings = [line.removeprefix("# ") for line in lines if line.startswith("#")]
    return settings, list(csv.DictReader(line for line in lines if not line.startswith("#")))


def scrolled(columns: list[str], rows: list[dict[str, str]]) -> nodes.Node:
    """Return a table that scrolls by itself."""
    return nodes.container("", _table(columns, rows), classes=["scroll"])


def made_by(settings: list[str]) -> nodes.Node:
    """Return settings, one a line."""
    return nodes.line_block("", *(nodes.line("", line) for line in settings))


def folded(summary: str, content: list[nodes.Node]) -> list[nodes.Node]:
    """Return what opens on a click."""
    fold = f'<details class="made-by"><summary>{summary}</summary>'
    return [
        nodes.raw("", fold, format="html"),
        *content,
        nodes.raw("", "</details>", format="html"),
    ]


def _table(columns: list[str], rows: list[dict[str, str]]) -> nodes.table:
    group = nodes.tgroup("", cols=len(columns))
    group += [nodes.colspec(colwidth=1) for _ in columns]
    group += nodes.thead("", _row(columns))
    group += nodes.tbody("", *(_row([_short(row[name]) for name in columns]) for row in rows))
    return nodes.table("", group)


def _row(cells: list[str]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", cell)) for cell in cells))


def _short(cell: str) -> str:
    """Three digits of a number."""
    try:
        number = float(cell)
    except ValueError:
        return cell
    return str(int(number)) if number == int(number) else f"{number:.3g}"


def setup(app):
    """Register the directive."""
    app.add_directive("result", Result)
    return {"parallel_read_safe": True}
