"""Figures of the report, as SVG in the page's own colors."""

from __future__ import annotations

import io
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
from markupsafe import Markup
from sklearn.utils._optional_dependencies import check_matplotlib_support

from ..displays._base import MAX_LABEL_CHARACTERS, PALETTE, shorten_label
from ._formats import printable
from ._measures import Measure, find_measure

INK = "#010203"  # stands for the color of the text around
MARKERS = ("o", "s")
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


def intervals_figure(rows: pd.DataFrame, measure: Measure | str, says: str) -> Markup:
    """Draw values with their confidence intervals, a line for every group.

    Parameters
    ----------
    rows : DataFrame
        With ``group``, ``model``, ``value``, ``lower`` and ``upper``.
    measure : Measure or str
        What the values are.
    says : str
        What the figure shows, for those who do not see it.

    Returns
    -------
    Markup
        An ``svg`` element.
    """
    check_matplotlib_support("AuditReport.to_html")
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    measure = find_measure(measure) if isinstance(measure, str) else measure
    scale = 100 if measure.is_share else 1
    groups, models = rows["group"].unique(), rows["model"].unique()
    style: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": f"{measure.name}-{len(rows)}",
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
            xlabel=_label(f"{measure.name} (%)" if measure.is_share else measure.name),
            ylim=(len(groups) - 0.5, -0.5),
        )
        axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
        axes.spines[["top", "right"]].set_visible(False)
        if len(models) > 1:
            is_wide = sum(len(_label(model)) for model in models) > MAX_LABEL_CHARACTERS
            columns = 1 if is_wide else len(models)
            figure.legend(frameon=False, ncols=columns, loc="outside upper left")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _inline(buffer.getvalue().replace(INK, "currentColor"), measure.name, says)


def _inline(svg: str, name: str, says: str) -> Markup:
    """Turn a file into an element for a page that has others: its ids begin with its name."""
    image, salt = ElementTree.fromstring(svg), re.sub(r"\W+", "-", name)
    for metadata in image.findall(f"{{{SVG}}}metadata"):
        image.remove(metadata)
    for element in image.iter():
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        for attribute, text in list(element.items()):
            if attribute == "id":
                element.set("id", f"{salt}-{text}")
            elif attribute == f"{{{XLINK}}}href":
                del element.attrib[attribute]
                element.set("xlink:href", text.replace("#", f"#{salt}-", 1))
            elif attribute == "d":  # XML makes spaces of the line breaks between the points
                element.set(attribute, text.replace("  ", " \n"))
            elif "url(#" in text:
                element.set(attribute, text.replace("url(#", f"url(#{salt}-"))
    image.attrib |= {"xmlns": SVG, "xmlns:xlink": XLINK, "role": "img", "aria-label": says}
    return Markup(ElementTree.tostring(image, encoding="unicode").replace("&#10;", "\n"))


def _label(name: object) -> str:
    """Make a name one that leaves the axes room, and can be printed."""
    return shorten_label(printable(str(name)))
