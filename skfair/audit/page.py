"""The report as a page: one file, no scripts, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import pandas as pd

from .audited import GAP
from .figures import intervals_figure

# section -> what it is about, and what it leaves open
ABOUT = {
    "Group metrics": (
        "How often each group is accepted, and how often that is right. A gap is the largest "
        "difference between two groups. Rates depend on who is in the data as much as on the "
        "model, and equal rates can hide different treatment of people who are alike."
    ),
    "Recourse, as the model counts": (
        "How far the refused are from acceptance, in the model's own units (log-odds for a "
        "network), averaged over all members of a group with 0 for the accepted (FaiR-N, Eq. 1). "
        "It is quick and "
        "exact, but a unit means nothing outside the model."
    ),
    "Recourse, as people see it": (
        "How much a refused person's entries would have to change for the model to accept "
        "(burden). Sensitive entries never change; numbers stay within the range that was "
        "observed. Distances are the shortest found, so they can be too long, not too short. The "
        "change is one in the model's input: it does not say that the person could make it, or "
        "that the outcome would follow."
    ),
    "Reasons inside the network": (
        "Whether the same weights matter to all groups (parameter parity score, FAIRER, Eq. 4). "
        "Comparable only between networks of the same shape on the same data."
    ),
    "Dependence on the attribute itself": (
        "What the model's probability would change by if only the sensitive entry were "
        "another (prediction sensitivity). Zero does not mean that the attribute plays no role: it"
        " can act through other entries that go with it."
    ),
    "Subgroups": (
        "Subgroups, also by several attributes at once, whose value deviates most from "
        "everybody's. Their number is allowed for when we say that chance may explain it; "
        "intervals are for each by itself."
    ),
    "Generalisation": (
        "The same gaps on other rows. A gap that is small where the model was trained and large "
        "elsewhere has been learnt by heart."
    ),
}
DRAWN = {
    "Group metrics": ["selection rate", "true positive rate", "false positive rate"],
    "Recourse, as the model counts": ["distance to acceptance"],
    "Recourse, as people see it": ["burden"],
    "Dependence on the attribute itself": ["prediction sensitivity"],
}
LIMITS = (
    "Whether the data are right: labels, groups and entries are taken as they are, with whatever "
    "unfairness went into them.",
    "Whether the decision should be made by a model, for this purpose, at all.",
    "Groups that are not recorded, and differences within a group beyond the subgroups listed.",
    "Cause and effect: a gap does not say where it comes from, and a counterfactual does not say "
    "what would happen in life.",
    "The future: figures describe these people and this model. Another population, or another "
    "version, needs another audit.",
    "Whether anything here is lawful. Definitions of fairness contradict each other, and no number "
    "decides between them.",
)
CAUTION = (
    "These figures are meant to help people examine a system. They are not suitable as an "
    "automatic test of fairness, as a threshold in a pipeline, or as proof that decisions are "
    "fair: used in that way, mathematical measures can lend unfair decisions a scientific veneer "
    "and make matters worse (Ngong, Maughan and Near, Towards Auditability for Fairness in Deep "
    "Learning, Broader Impact). Ask those who are affected, and keep a way to appeal to a person."
)
STYLE = """
.skfair { --ink: #1b1f24; --paper: #fff; --soft: #f3f5f7; --line: #c9d0d8; --quiet: #4d5762;
  --accent: #0b5394; color: var(--ink); background: var(--paper); font: 16px/1.55 system-ui,
  -apple-system, "Segoe UI", Roboto, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
.skfair h1 { font-size: 1.8rem; line-height: 1.2; margin: .5rem 0; }
.skfair h2 { font-size: 1.3rem; margin: 2.2rem 0 .4rem; border-bottom: 1px solid var(--line); }
.skfair h3 { font-size: 1.05rem; margin: 1.4rem 0 .3rem; }
.skfair p, .skfair ul { max-width: 44rem; }
.skfair a { color: var(--accent); }
.skfair .note { background: var(--soft); border-left: 4px solid var(--accent); padding: .6rem 1rem;
  max-width: 44rem; }
.skfair .quiet { color: var(--quiet); }
.skfair .scroll { overflow-x: auto; }
.skfair table { border-collapse: collapse; width: 100%; font-size: .92rem; }
.skfair th, .skfair td { border-bottom: 1px solid var(--line); padding: .35rem .6rem;
  text-align: left; vertical-align: top; }
.skfair td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.skfair th.number { text-align: right; }
.skfair tr.gap th, .skfair tr.gap td { background: var(--soft); font-weight: 600; }
.skfair td.says { min-width: 15rem; }
.skfair figure { margin: .6rem 0; }
.skfair svg { max-width: 100%; height: auto; }
@media (max-width: 40rem) {
  .skfair table, .skfair tbody { display: block; }
  .skfair thead { position: absolute; left: -9999px; }
  .skfair tr { display: block; border-bottom: 1px solid var(--line); padding: .5rem 0; }
  .skfair tbody th, .skfair td { display: block; border: 0; padding: .1rem .4rem; }
  .skfair td.number { display: flex; flex-wrap: wrap; justify-content: space-between; }
  .skfair .scroll { position: relative; }
  .skfair td.number::before { content: attr(data-model); color: var(--quiet); }
  .skfair td.says { min-width: 0; }
}
@media (prefers-color-scheme: dark) {
  .skfair { --ink: #e6e9ec; --paper: #14181d; --soft: #1f252c; --line: #3b444e; --quiet: #aab4be;
    --accent: #7ab8f5; }
  body.skfair-page { background: #14181d; }
}
@media print {
  .skfair { --ink: #000; --paper: #fff; --soft: #f3f5f7; --line: #999; --quiet: #333;
    --accent: #000; max-width: none; padding: 0; font-size: 10.5pt; }
  body.skfair-page { background: #fff; }
  .skfair .scroll { overflow: visible; }
  .skfair h2, .skfair h3 { break-after: avoid; }
  .skfair tr, .skfair figure { break-inside: avoid; }
}
"""


def page(frame: pd.DataFrame, not_computed: dict, about: Any, embedded: bool = False) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    frame : DataFrame
        The figures.
    not_computed : dict
        ``{(section, model): reason}``.
    about : Bunch
        What was audited.
    embedded : bool, default=False
        A part of a page, for notebooks, instead of a page.

    Returns
    -------
    str
        HTML.
    """
    parts = [*(f"<p>{escape(line)}</p>" for line in about.headline)]
    parts += [_head(about), _in_short(frame, about), _provenance(about)]
    for section in about.sections:
        rows = frame[frame["section"] == section]
        reasons = {m: r for (s, m), r in not_computed.items() if s == section}
        parts.append(_section(section, rows, reasons, about))
    parts.append(_limits())
    body = "\n".join(parts)
    style = f"<style>{STYLE}</style>"
    if embedded:
        return f'{style}<div class="skfair">{body}</div>'
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(about.title)}</title>\n{style}\n'
        "<style>body.skfair-page { margin: 0; }</style>\n"
        f'</head>\n<body class="skfair-page">\n<main class="skfair">\n{body}\n</main>\n</body>\n'
        "</html>\n"
    )


def _head(about: Any) -> str:
    models = "".join(
        f"<li><strong>{escape(name)}</strong>: {escape(what)}</li>"
        for name, what in about.models.items()
    )
    groups = ", ".join(f"{escape(group)} ({n:,})" for group, n in about.groups.items())
    lost = f" For {about.without_group:,} the group is not known." if about.without_group else ""
    return (
        f"<h1>{escape(about.title)}</h1>\n"
        f'<p class="quiet">{about.date}, skfair {about.version}</p>\n'
        f"<p>Audited on {about.n_people:,} people: {groups}.{lost} "
        f"Refused means: predicted {escape(' or '.join(about.refusing))}.</p>\n"
        f"<ul>{models}</ul>\n"
        f'<p class="note"><strong>Read with caution.</strong> {CAUTION}</p>'
    )


def _in_short(frame: pd.DataFrame, about: Any) -> str:
    """The gaps of all sections in one table."""
    gaps = frame[frame["group"] == GAP]
    table = _table(gaps, about, by="measure", label="Differences between groups, all sections")
    return (
        "<h2>In short</h2>\n"
        f"<p>Each figure comes with its {_percent(about.level)} confidence interval, in brackets: "
        "a range that would hold the true value in about so many of a hundred such audits. If it "
        f"begins at 0, chance may explain the difference.</p>\n{table}"
    )


def _provenance(about: Any) -> str:
    """What is needed to make the report again."""
    items = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(what))}</dd>"
        for name, what in about.provenance.items()
    )
    return f"<h2>How this was made</h2>\n<dl>{items}</dl>" if items else ""


def _section(section: str, rows: pd.DataFrame, reasons: dict, about: Any) -> str:
    parts = [f"<h2>{escape(section)}</h2>", f"<p>{ABOUT[section]}</p>"]
    for model, reason in reasons.items():
        parts.append(f"<p><em>Not computed for {escape(model)}: {escape(reason)}</em></p>")
    for measure in DRAWN.get(section, ()):
        drawn = rows[(rows["measure"] == measure) & (rows["group"] != GAP)]
        if len(drawn):
            says = f"{measure} of each group, with intervals; the table below has the numbers"
            parts.append(f"<figure>{intervals_figure(drawn, measure, says)}</figure>")
    for measure, part in rows.groupby("measure", sort=False):
        heading = f"{measure[0].upper()}{measure[1:]}"
        parts.append(f"<h3>{escape(heading)}</h3>{_table(part, about, 'group', measure)}")
    return "\n".join(parts)


def _table(rows: pd.DataFrame, about: Any, by: str, label: str) -> str:
    """A line for every group, or measure: its value in each model, and what that means."""
    models = [name for name in about.models if name in set(rows["model"])]
    if not models:
        return '<p class="quiet">None.</p>'
    head = "".join(
        f'<th scope="col" role="columnheader" class="number">{escape(name)}</th>' for name in models
    )
    several = len(models) > 1
    lines = []
    for key, part in rows.groupby(by, sort=False):
        known = part.set_index("model")
        cells = "".join(
            _cell(known.loc[name], name)
            if name in known.index
            else '<td role="cell" class="number">–</td>'
            for name in models
        )
        says = "<br>".join(
            (f"<strong>{escape(name)}:</strong> " if several else "")
            + escape(known.loc[name, "meaning"])
            for name in models
            if name in known.index
        )
        marked = ' class="gap"' if key == GAP else ""
        lines.append(
            f'<tr role="row"{marked}><th scope="row" role="rowheader">{escape(str(key))}</th>'
            f"{cells}"
            f'<td role="cell" class="says">{says}</td></tr>'
        )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">'
        '<table role="table">'
        '<thead role="rowgroup"><tr role="row">'
        f'<th scope="col" role="columnheader">{by}</th>{head}'
        '<th scope="col" role="columnheader">What it says</th></tr></thead>'
        f'<tbody role="rowgroup">{"".join(lines)}</tbody></table></div>'
    )


def _cell(row: pd.Series, model: str) -> str:
    """A value and its interval; the exact ones are in attributes."""
    exact = " ".join(f'data-{name}="{float(row[name])!r}"' for name in ("value", "lower", "upper"))
    text = number(row["value"])
    if not np.isnan(row["lower"]):
        text += f" [{number(row['lower'])}, {number(row['upper'])}]"
    label = escape(model, quote=True)
    return f'<td role="cell" class="number" data-model="{label}" {exact}>{text}</td>'


def _limits() -> str:
    items = "".join(f"<li>{limit}</li>" for limit in LIMITS)
    return f"<h2>What this does not show</h2>\n<ul>{items}</ul>"


def number(value: float) -> str:
    """Three decimals, more for small numbers; a dash for none."""
    if np.isnan(value):
        return "–"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.2g}"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
