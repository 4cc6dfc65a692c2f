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
        lines = path.read_text().splitlines()
        settings = [line.removeprefix("# ") for line in lines if line.startswith("#")]
        table = list(csv.DictReader(line for line in lines if not line.startswith("#")))
        if "where" in self.options:
            name, value = (part.strip() for part in self.options["where"].split("=", 1))
            table = [row for row in table if row[name] == value]
        columns = [name.strip() for name in self.options.get("columns", "").split(";") if name]
        columns = columns or list(table[0])
        table = table[: self.options.get("rows", len(table))]
        if not table or any(name not in table[0] for name in columns):
            raise self.error(f"{path.name} has no such rows or columns; it has {list(table[0])}")
        around = nodes.container("", _table(columns, table), classes=["scroll"])
        made_by = nodes.line_block("", *(nodes.line("", line) for line in settings))
        fold = '<details class="made-by"><summary>What made it</summary>'
        folded = [nodes.raw("", fold, format="html"), made_by]
        return [around, *folded, nodes.raw("", "</details>", format="html")]


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
