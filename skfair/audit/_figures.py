"""Figures of the report, as SVG in the page's own colors."""

from __future__ import annotations

import io
import re
from html import escape

import numpy as np
import pandas as pd
from sklearn.utils._optional_dependencies import check_matplotlib_support

from ..displays._base import PALETTE, label_of
from ._wording import is_share, printable

INK = "#010203"  # stands for the color of the text around
MARKERS = ("o", "s")


def intervals_figure(rows: pd.DataFrame, label: str, says: str) -> str:
    """Values with their confidence intervals, a line for every group.

    Parameters
    ----------
    rows : DataFrame
        With ``group``, ``model``, ``value``, ``lower`` and ``upper``.
    label : str
        Of the axis: the measure.
    says : str
        What the figure shows, for those who do not see it.

    Returns
    -------
    str
        An ``svg`` element.
    """
    check_matplotlib_support("AuditReport.to_html")
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    scale = 100 if is_share(label) else 1
    groups, models = rows["group"].unique(), rows["model"].unique()
    style = {
        "svg.fonttype": "none",
        "svg.hashsalt": f"{label}-{len(rows)}",
        "font.family": "sans-serif",
        "font.size": 10,
        **dict.fromkeys(
            ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
        ),
    }
    with rc_context(style):
        figure = Figure(figsize=(5.4, 0.9 + 0.42 * len(groups)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        for k, model in enumerate(models):
            part = rows[rows["model"] == model].set_index("group").reindex(groups)
            at = np.arange(len(groups)) + (k - (len(models) - 1) / 2) * 0.26
            value, ends = part["value"].to_numpy(), part[["lower", "upper"]].to_numpy().T
            axes.errorbar(
                scale * value,
                at,
                xerr=scale * np.nan_to_num(np.abs(ends - value)),
                fmt=MARKERS[k % len(MARKERS)],
                color=PALETTE[(0, 5)[k % 2]],
                capsize=3,
                label=_label(model),
            )
        axes.set_yticks(range(len(groups)), map(_label, groups))
        axes.set(
            xlabel=_label(f"{label} (%)" if scale > 1 else label), ylim=(len(groups) - 0.5, -0.5)
        )
        axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
        axes.spines[["top", "right"]].set_visible(False)
        if len(models) > 1:
            axes.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    salt = re.sub(r"\W+", "-", label)  # ids must differ from those of the other figures
    svg = re.sub(r'id="([^"]+)"', rf'id="{salt}-\1"', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{salt}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(says)}"', 1)


def _label(name: object) -> str:
    """A name that leaves the axes room, and can be printed."""
    return label_of(printable(str(name)))
