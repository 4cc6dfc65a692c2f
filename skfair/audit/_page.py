"""The report as a page: one file, no scripts, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from ._audited import EVERYBODY, GAP
from ._figures import intervals_figure
from ._measures import FOUR_FIFTHS
from ._style import STYLE
from ._summary import harm, sentences
from ._wording import RATIO, confidence, difference, is_share, printable, shown, unit

# section -> what it is about, and what it leaves open
ABOUT = {
    "Group metrics": (
        "How often each group is accepted, and how often that is right. Rates depend on who is in "
        "the data as much as on the model, and equal rates can hide different treatment of people "
        "who are alike."
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
        "observed. Entries change one by one: one that follows from another, as an age group "
        "from an age, does not follow it here. Distances are the shortest found, so they can be "
        "too long, not too short. The change is one in the model's input: it does not say that "
        "the person could make it, or that the outcome would follow."
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
        "everybody's. Whether they differ allows for their number; intervals are for each by "
        "itself."
    ),
    "Generalization": (
        "The same gaps on other rows. A gap that is small where the model was trained and large "
        "elsewhere has been learned by heart."
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
# columns of the tables that compare groups
RATES = {
    "base rate": "Base rate",
    "selection rate": "Selection rate",
    RATIO: "Ratio to the highest",
    "true positive rate": "True positive rate",
    "false positive rate": "False positive rate",
    "precision": "Precision",
    "accuracy": "Accuracy",
}
COLUMNS = {
    "Group metrics": RATES,
    "Recourse, as the model counts": {"distance to acceptance": "Distance to acceptance"},
    "Recourse, as people see it": {"burden": "Burden", "no way found": "No way found"},
    "Dependence on the attribute itself": {"prediction sensitivity": "Prediction sensitivity"},
}


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
    folded = {}
    for section in about.sections:
        reasons = {m: r for (s, m), r in not_computed.items() if s == section}
        folded[section] = _section(section, frame[frame["section"] == section], reasons, about)
    folded["What this does not show"] = _limits()
    if about.provenance:
        folded["How this was made"] = _provenance(about)
    parts = [_head(frame, about)]
    if not embedded:  # a notebook may hold several reports, but each name once
        parts.append(_contents(folded))
    parts += [_fold(title, body, embedded) for title, body in folded.items()]
    parts.append('<p class="unopened">This browser prints folds closed: open them first.</p>')
    body, style = "\n".join(parts), f"<style>{STYLE}</style>"
    if embedded:
        return printable(f'{style}<div class="skfair">{body}</div>')
    return printable(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(about.title)}</title>\n{style}\n'
        "<style>body.skfair-page { margin: 0; }</style>\n"
        f'</head>\n<body class="skfair-page">\n<main class="skfair">\n{body}\n</main>\n</body>\n'
        "</html>\n"
    )


# -- the first screen -------------------------------------------------------------------------


def _head(frame: pd.DataFrame, about: Any) -> str:
    models = "".join(
        f"<li><strong>{escape(name)}</strong>: {escape(what)}</li>"
        for name, what in about.models.items()
    )
    headline = "".join(f"<p>{escape(line)}</p>" for line in about.headline)
    alarms = _list(harm(frame, about))
    rates = frame[frame["section"] == "Group metrics"]
    return (
        f"<h1>{escape(about.title)}</h1>\n"
        f'<p class="quiet">{about.date}, skfair {about.version}</p>\n'
        + (f'<div class="headline">{headline}</div>\n' if headline else "")
        + (f'<div class="alarm"><strong>Somebody pays.</strong>{alarms}</div>\n' if alarms else "")
        + f"<ul>{models}</ul>\n"
        + _list(sentences(frame, about))
        + '<p class="note"><strong>Read with caution.</strong> No number shows that decisions are '
        "fair or lawful, or why groups differ.</p>\n"
        + _comparison(rates, about, RATES, [""], "Rates of each group")
        + _legend(about)
    )


def _legend(about: Any) -> str:
    sure = confidence(about.level)
    return (
        f'<p class="note">In brackets: {sure} confidence intervals, of each figure by itself; those'
        " of ratios and differences hold for all pairs of groups at once. An interval of a "
        "difference that includes 0 means that these data do not show one, not that there is none. "
        f"▼ below four fifths ({FOUR_FIFTHS:g}) of the highest selection rate, with the whole "
        f"interval; ▽ below, but the interval reaches {FOUR_FIFTHS:g}. Gray: fewer than "
        f"{about.min_cases} cases, not compared. Differences are rounded after they are taken.</p>"
    )


def _contents(folded: dict[str, str]) -> str:
    items = "".join(f'<li><a href="#{_anchor(t)}">{escape(t)}</a></li>' for t in folded)
    return f'<nav aria-labelledby="contents"><h2 id="contents">Contents</h2><ul>{items}</ul></nav>'


def _fold(title: str, body: str, embedded: bool) -> str:
    """A part that opens on demand; a link into it opens it, too."""
    anchor = "" if embedded else f' id="{_anchor(title)}"'
    return (
        f"<details><summary><h2>{escape(title)}</h2></summary>"
        f"<div{anchor}>\n{body}\n</div></details>"
    )


def _anchor(title: str) -> str:
    return "-".join("".join(c if c.isalpha() else " " for c in title.lower()).split())


# -- what is folded ---------------------------------------------------------------------------


def _section(section: str, rows: pd.DataFrame, reasons: dict, about: Any) -> str:
    parts = [f"<p>{ABOUT[section]}</p>"]
    if section == "Recourse, as people see it":
        parts[0] = parts[0].replace("</p>", f" Searched for {about.n_searched:,} people.</p>")
    for model, reason in reasons.items():
        parts.append(f"<p><em>Not computed for {escape(model)}: {escape(reason)}</em></p>")
    for measure in DRAWN.get(section, ()):
        drawn = rows[(rows["measure"] == measure) & (rows["group"] != GAP)]
        drawn = drawn[drawn["cases"] >= about.min_cases]
        if len(drawn):
            says = f"{measure} of each group, with intervals; a table has the numbers"
            parts.append(f"<figure>{intervals_figure(drawn, measure, says)}</figure>")
    columns = COLUMNS.get(section, {})
    suffixes = ["", *(f" by {name}" for name in about.attributes)]
    if section == "Group metrics":  # those of all attributes together are on the first screen
        tabled, suffixes = suffixes, suffixes[1:]
    else:
        tabled = suffixes
    if columns and len(rows):
        if suffixes:
            parts.append(_comparison(rows, about, columns, suffixes, section))
        done = {column + suffix for column in columns for suffix in tabled}
        gaps = rows[(rows["group"] == GAP) & rows["measure"].isin(done)]
        parts.append(f"<h3>Largest differences</h3>{_table(gaps, about, 'measure', section)}")
        rows = rows[~rows["measure"].isin(done)]
    if section == "Generalization" and len(rows):
        return "\n".join([*parts, _generalization(rows, about)])
    for measure, part in rows.groupby("measure", sort=False):
        heading = f"{measure[0].upper()}{measure[1:]}"
        if measure.startswith("change of "):
            continue
        parts.append(f"<h3>{escape(heading)}</h3>{_table(part, about, 'group', measure)}")
    changes = rows[rows["measure"].str.startswith("change of ")]
    if len(changes):
        parts.append(f"<h3>What would change</h3>{_table(changes, about, 'measure', 'changes')}")
    return "\n".join(parts)


def _comparison(
    rows: pd.DataFrame, about: Any, columns: dict[str, str], suffixes: list[str], label: str
) -> str:
    """Groups by measures, a line for each model; a block of lines for each attribute."""
    table = rows.set_index(["measure", "group", "model"])
    models = [name for name in about.models if name in set(rows["model"])]
    if not models:
        return ""
    columns = {m: name for m, name in columns.items() if m in set(rows["measure"])}
    shared = {m: name for m, name in columns.items() if m == "base rate"}  # whatever the model
    own = {m: name for m, name in columns.items() if m not in shared}
    several = len(models) > 1
    names = ["People", *shared.values(), *(["Model"] if several else []), *own.values()]
    head = _head_cell("Group", "") + "".join(
        _head_cell(name, "" if name == "Model" else "number") for name in names
    )
    lines = []
    for suffix in suffixes:
        if suffix and len(suffixes) > 1:
            span = len(names) + 1
            lines.append(
                f'<tr role="row" class="block"><th scope="colgroup" role="columnheader" '
                f'colspan="{span}">{escape(suffix.strip().capitalize())}</th></tr>'
            )
        first = next(iter(columns)) + suffix
        groups = rows.loc[(rows["measure"] == first) & (rows["group"] != GAP), "group"].unique()
        for group in groups:
            lines += _lines(table, group, suffix, models, shared, own, about.min_cases)
    return _framed(head, lines, label, "narrow" if len(own) < 3 else "")


def _lines(
    table: pd.DataFrame,
    group: str,
    suffix: str,
    models: list[str],
    shared: dict[str, str],
    own: dict[str, str],
    min_cases: int,
) -> Iterator[str]:
    """A line for each model; what they have in common spans them."""
    span = f' rowspan="{len(models)}"' if len(models) > 1 else ""
    first = next(iter(shared | own)) + suffix
    cases = int(table.loc[(first, group, models[0]), "cases"])
    marked = f' class="{"few" if cases < min_cases else ""}"'
    for k, model in enumerate(models):
        cells = []
        if k == 0:
            cells.append(
                f'<th scope="row" role="rowheader"{marked}{span}>{escape(group)}</th>'
                f'<td role="cell" class="number" data-label="People"{span}>{cases:,}</td>'
            )
            cells += [
                _cell(table, (m + suffix, group, model), name, min_cases, span)
                for m, name in shared.items()
            ]
        if span:
            cells.append(f'<td role="cell" class="model">{escape(model)}</td>')
        cells += [
            _cell(table, (m + suffix, group, model), name, min_cases) for m, name in own.items()
        ]
        kind = ' class="all"' if group == EVERYBODY else ""
        yield f'<tr role="row"{kind}>{"".join(cells)}</tr>'


def _cell(table: pd.DataFrame, key: tuple, label: str, min_cases: int, span: str = "") -> str:
    """A figure and its interval; the exact ones and the sentence are in attributes."""
    label = escape(label, quote=True)
    if key not in table.index:
        return f'<td role="cell" class="number" data-label="{label}"{span}>–</td>'
    row, measure = table.loc[key], key[0]
    few = row["cases"] < min_cases
    kind = "number few" if few else "number"
    return (
        f'<td role="cell" class="{kind}" data-label="{label}"{span} {_exact(row)} '
        f'title="{escape(row["meaning"], quote=True)}">{_figure(measure, row, few)}</td>'
    )


def _figure(measure: str, row: pd.Series, few: bool = False) -> str:
    """What a cell shows: of few people the count, else the value and its interval."""
    value, lower, upper = row["value"], row["lower"], row["upper"]
    if few and is_share(measure) and row["cases"]:
        return f"<span>{round(value * row['cases'])} of {row['cases']}</span>"
    mark = ""
    if measure.startswith(RATIO) and value < FOUR_FIFTHS:
        mark = "▼ " if upper < FOUR_FIFTHS else "▽ "
    text = shown(measure, value)
    if row.name == GAP and not np.isnan(value):
        text = difference(measure, value) + unit(measure)
    if np.isnan(lower) or lower == upper:
        return f"<span>{mark}{text}</span>"
    low, high = (difference(measure, end) for end in (lower, upper))
    return f'<span>{mark}{text}</span> <span class="range">[{low}, {high}]</span>'


def _exact(row: pd.Series) -> str:
    return " ".join(f'data-{name}="{float(row[name])!r}"' for name in ("value", "lower", "upper"))


def _generalization(rows: pd.DataFrame, about: Any) -> str:
    """Largest differences: measures by splits, a line for each model."""
    table = rows.set_index(["measure", "model"])
    measures = list(
        dict.fromkeys(
            m.removesuffix(f", {s}")
            for m in rows["measure"]
            for s in about.splits
            if m.endswith(f", {s}")
        )
    )
    head = "".join(_head_cell(name, "") for name in ("Largest difference in", "Model"))
    head += "".join(_head_cell(split, "number") for split in about.splits)
    lines = []
    for measure in measures:
        for model in rows["model"].unique():
            cells = []
            for split in about.splits:
                row = table.loc[(f"{measure}, {split}", model)].rename(GAP)
                cells.append(
                    f'<td role="cell" class="number" data-label="{escape(split, quote=True)}" '
                    f'{_exact(row)} title="{escape(row["meaning"], quote=True)}">'
                    f"{_figure(measure, row)}</td>"
                )
            lines.append(
                f'<tr role="row"><th scope="row" role="rowheader">{escape(measure)}</th>'
                f'<td role="cell" class="model">{escape(model)}</td>{"".join(cells)}</tr>'
            )
    return _framed(head, lines, "Largest differences in each part")


def _table(rows: pd.DataFrame, about: Any, by: str, label: str) -> str:
    """A line for every group, or measure: its value in each model, and what that means."""
    models = [name for name in about.models if name in set(rows["model"])]
    if not models:
        return '<p class="quiet">None.</p>'
    head = _head_cell(by.capitalize(), "")
    head += "".join(_head_cell(name, "number") for name in models)
    head += _head_cell("What it says", "")
    lines = []
    for key, part in rows.groupby(by, sort=False):
        known, header = part.set_index("model"), "largest difference" if key == GAP else str(key)
        cells, says = [], []
        for name in models:
            title = escape(name, quote=True)
            if name not in known.index:
                cells.append(f'<td role="cell" class="number" data-label="{title}">–</td>')
                continue
            row = known.loc[name]
            figure = _figure(row["measure"], row.rename(row["group"]))
            cells.append(
                f'<td role="cell" class="number" data-label="{title}" {_exact(row)}>{figure}</td>'
            )
            lead = f"<strong>{escape(name)}:</strong> " if len(models) > 1 else ""
            says.append(lead + escape(row["meaning"]))
        lines.append(
            f'<tr role="row"><th scope="row" role="rowheader">{escape(header)}</th>'
            f'{"".join(cells)}<td role="cell" class="says">{"<br>".join(says)}</td></tr>'
        )
    return _framed(head, lines, label)


def _head_cell(name: str, kind: str) -> str:
    marked = f' class="{kind}"' if kind else ""
    return f'<th scope="col" role="columnheader"{marked}>{escape(name)}</th>'


def _framed(head: str, lines: list[str], label: str, kind: str = "") -> str:
    """Lines as a table; roles are named, as styles for small screens take them away."""
    label = escape(label, quote=True)
    return (
        f'<div class="scroll {kind}" tabindex="0" role="region" aria-label="{label}">'
        f'<table role="table"><thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(lines)}</tbody></table></div>'
    )


def _limits() -> str:
    return f"<p>{CAUTION}</p>\n{_list(LIMITS)}"


def _provenance(about: Any) -> str:
    """What is needed to make the report again."""
    items = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(what))}</dd>"
        for name, what in about.provenance.items()
    )
    return f"<dl>{items}</dl>"


def _list(lines: Any) -> str:
    items = "".join(f"<li>{escape(line, quote=False)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""
