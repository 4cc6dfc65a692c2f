"""The directive ``front``: a data set of the frontier as a figure and tables."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

import matplotlib as mpl
from docutils import nodes
from evidence import folded, made_by, read, scrolled
from sphinx.util.docutils import SphinxDirective

from benchmarks.frontier_plots import describe, front

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
TOLERANCE = 0.02  # that of the tables
COLUMNS = ["needs group", "method", "test accuracy", "test gap", "missed", "seconds", "seeds"]
COLUMNS += [f"against {which}{end}" for which in ("best", "ours") for end in ("", " low", " high")]
RATES = ("n", "accepted", "TPR", "FPR")  # of each group
STYLE = {"svg.hashsalt": "front", "svg.fonttype": "none", "font.size": 10}


class Front(SphinxDirective):
    """What was found on a data set, for equalized odds."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the figure, methods beside each other, and the groups' rates."""
        data = self.arguments[0]
        path = RESULTS / f"frontier_{data}_equalized_odds.csv"
        if not path.exists():
            return [nodes.paragraph("", "This has not been measured.")]
        self.env.note_dependency(str(path))
        settings, table = read(path)
        table = [row for row in table if float(row["tolerance"]) == TOLERANCE]
        groups = [name.removesuffix(" TPR") for name in table[0] if name.endswith(" TPR")]
        rates = [f"{group} {rate}" for group in groups for rate in RATES]
        return [
            picture(data),
            scrolled(COLUMNS, table),
            *folded("Group by group", [scrolled(["needs group", "method", *rates], table)]),
            *folded("What made it", [made_by(settings)]),
        ]


def picture(data: str) -> nodes.Node:
    """Return the figure as a part of the page, with a description for those who do not see it."""
    with mpl.rc_context(STYLE), io.BytesIO() as file:
        figure = front(data)
        figure.savefig(file, format="svg", metadata={"Date": None})
        drawn = base64.b64encode(file.getvalue()).decode()
    said = html.escape(describe(data), quote=True)
    source = f"data:image/svg+xml;base64,{drawn}"
    return nodes.raw("", f'<img class="front" alt="{said}" src="{source}">', format="html")


def setup(app):
    """Register the directive."""
    app.add_directive("front", Front)
    return {"parallel_read_safe": True}
