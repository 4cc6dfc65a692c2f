"""``python -m skfair audit``: from a table, or a model and a table, to a report."""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._optional_dependencies import check_matplotlib_support

from .._columns import numeric_columns
from ._arguments import make_parser as _parser
from ._arguments import parse
from ._columns import derived_columns, uninformative_columns
from ._models import load_model
from ._outcomes import groups_of, outcomes, outcomes_of_model
from ._provenance import about_columns, about_data, about_rows, digest, versions
from ._report import AuditReport
from ._tables import BadTable, read_table
from ._training import MAX_AUDITED, Trainer

LARGEST = 1e100  # of the numbers of a table


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments; those of the process if ``None``.

    Returns
    -------
    int
        0 if all went well, 1 after an interrupted or failed computation, 2 if the arguments or the
        data cannot be used.
    """
    parser = _parser()
    args = parse(parser, sys.argv[1:] if argv is None else argv)
    say = _silent if args.quiet else _say
    try:
        audit(args, say)
    except BadTable as error:
        print(f"{parser.prog} audit: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except Exception as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"{parser.prog} audit: failed: {told}; nothing was written", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog} audit: interrupted; nothing was written", file=sys.stderr)
        return 1
    return 0


def audit(args: argparse.Namespace, say: Any) -> AuditReport:
    """Do what the arguments say.

    Parameters
    ----------
    args : Namespace
        Parsed arguments.
    say : callable
        Told of the progress, a line at a time.

    Returns
    -------
    AuditReport
        What was written.

    Raises
    ------
    BadTable
        If the data, the model or the place of the report cannot be used.
    """
    try:
        check_matplotlib_support("python -m skfair audit")
    except ImportError as error:
        raise BadTable('figures need matplotlib: pip install "skfair-torch[plot]".') from error
    _check_place(args)
    _check_options(args)
    say(f"reading {args.data}")
    table = read_table(args.data, say)
    say(f"{len(table):,} rows, {table.shape[1]} columns")
    _check_columns(table, args)
    settings = {
        "title": args.title or f"Fairness audit: {args.data.name}",
        "random_state": args.seed,
        "verbose": not args.quiet,
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found unknown categories")
        warnings.showwarning = lambda message, *_, **__: say(f"note: {message}")
        try:
            about = about_data(args, len(table))
            report = (_compare if args.model is None else _given)(table, args, about, settings, say)
        except (ValueError, TypeError) as error:
            raise BadTable(str(error)) from error
    try:
        report.to_html(args.out)
    except OSError as error:
        raise BadTable(f"{args.out} cannot be written: {error}.") from error
    say(f"written to {args.out}")
    return report


# -- a plain and a fair network on a table ----------------------------------------------------


def _compare(
    table: pd.DataFrame, args: argparse.Namespace, about: dict, settings: dict, say: Any
) -> AuditReport:
    """Train on one part, audit on another."""
    needed = {args.target, *args.sensitive, *args.keep, *args.ignore}
    left_out = dict.fromkeys(args.ignore, "--ignore") | uninformative_columns(table, needed)
    table = _with_outcome(table, args, say)
    X = table.drop(columns=[args.target, *left_out])
    derived = derived_columns(X, table[args.sensitive])
    hidden = [*args.sensitive, *derived] if args.drop_sensitive else []
    y, refused = outcomes(table[args.target], args)
    groups = groups_of(table, args)
    recourse = _recourse(X, derived, args)
    columns = about_columns(X, left_out, hidden, recourse["actionable"], args.sensitive)
    for name, text in columns.items():
        say(f"{name}: {text}")
    if set(left_out) - set(args.ignore):
        say("note: --keep COLUMN ... takes in columns that are left out")
    trainer = Trainer(X, y, groups, (args.positive, refused), hidden, args, say)
    trained = trainer.train()
    parts = trained.parts
    seen, test = parts.train[:MAX_AUDITED], parts.audited
    splits = {
        "training part": (X.iloc[seen], y[seen], groups.iloc[seen]),
        "audited part": (X.iloc[test], y[test], groups.iloc[test]),
    }
    return AuditReport.from_estimator(
        trained.fair,
        X.iloc[test],
        y[test],
        sensitive_features=groups.iloc[test],
        baseline=trained.plain,
        names=trained.names,
        splits=splits,
        unfavorable=refused,
        recourse=recourse,
        headline=trained.headline,
        provenance=about
        | about_rows(len(table), parts, args)
        | columns
        | trained.provenance
        | versions(),
        **settings,
    )


# -- a model that exists ----------------------------------------------------------------------


def _given(
    table: pd.DataFrame, args: argparse.Namespace, about: dict, settings: dict, say: Any
) -> AuditReport:
    """Audit a fitted model on all rows, or as many as can be."""
    model = load_model(args.model, say)
    table = _with_outcome(table, args, say)
    X = table.drop(columns=[args.target, *args.ignore])
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        if lacking := [str(name) for name in names if name not in X.columns]:
            raise BadTable(f"the model needs the columns {lacking}, which {args.data} lacks.")
        X = X[list(names)]
    y, refused = outcomes_of_model(model, table[args.target], args, say)
    rows = np.arange(len(y))
    if len(y) > MAX_AUDITED:
        rows = np.sort(np.random.default_rng(args.seed).permutation(rows)[:MAX_AUDITED])
        say(f"auditing {MAX_AUDITED:,} rows, chosen at random")
    groups = groups_of(table, args).iloc[rows]
    recourse = _recourse(X, derived_columns(X, table[args.sensitive]), args)
    columns = about_columns(X, {}, [], recourse["actionable"], [])
    return AuditReport.from_estimator(
        model,
        X.iloc[rows],
        y[rows],
        sensitive_features=groups,
        unfavorable=refused,
        names=(args.model.name, "baseline"),
        recourse=recourse,
        provenance=about
        | {"SHA-256 of the model": digest(args.model), "rows audited": f"{len(rows):,}"}
        | columns
        | versions(),
        **settings,
    )


# -- arguments and columns --------------------------------------------------------------------


def _check_options(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    if args.model is not None:
        for option in ("method", "constraint", "tolerance", "keep", "drop_sensitive"):
            value = getattr(args, option)
            if not (value is None or value is False or value == []):
                raise BadTable(
                    f"--{option.replace('_', '-')} is about networks that are trained; it does not "
                    "go with --model."
                )
    for option in ("sensitive", "ignore", "keep", "immutable", "actionable"):
        setattr(args, option, list(dict.fromkeys(getattr(args, option))))
    if args.target in args.sensitive:
        raise BadTable(f"--target and --sensitive both name {args.target!r}.")
    if both := sorted({args.target, *args.sensitive} & set(args.ignore)):
        raise BadTable(f"--ignore names {both}, which the audit needs.")
    fixed = {"--sensitive": args.sensitive, "--immutable": args.immutable}
    contradictions = {("--keep", "--ignore"): set(args.keep) & set(args.ignore)} | {
        ("--actionable", option): set(args.actionable) & set(names)
        for option, names in fixed.items()
    }
    for options, names in contradictions.items():
        if names:
            raise BadTable(f"{' and '.join(options)} both name {sorted(names)}.")


def _check_columns(table: pd.DataFrame, args: argparse.Namespace) -> None:
    """Check that the columns exist, and those that are needed are not empty."""
    for option in ("target", "sensitive", "ignore", "keep", "immutable", "actionable"):
        names = getattr(args, option)
        names = [names] if isinstance(names, str) else names
        if lacking := [name for name in names if name not in table.columns]:
            raise BadTable(
                f"--{option}: {args.data} has no column {', '.join(map(repr, lacking))}; its "
                f"columns are {', '.join(table.columns)}."
            )
    if table[args.target].isna().all():
        raise BadTable(f"column {args.target!r} is empty.")
    for name in table.columns[numeric_columns(table)]:
        if name not in args.ignore and (table[name].abs() > LARGEST).any():
            raise BadTable(
                f"column {name!r} has numbers beyond {LARGEST:g}, which nobody can compute with; "
                "mend them, or use --ignore."
            )
    if empty := [name for name in args.sensitive if table[name].isna().all()]:
        raise BadTable(f"--sensitive: column {empty[0]!r} is empty.")


def _with_outcome(table: pd.DataFrame, args: argparse.Namespace, say: Any) -> pd.DataFrame:
    """Leave out rows without an outcome; the others keep their number."""
    known = table[args.target].notna()
    if not known.all():
        say(f"note: {int((~known).sum()):,} rows without {args.target!r} are left out")
    return table[known]


def _recourse(X: pd.DataFrame, derived: list[str], args: argparse.Namespace) -> dict:
    """What may change in a counterfactual: not the sensitive columns, nor what is made of them."""
    fixed = {*args.sensitive, *args.immutable, *derived} - set(args.actionable)
    free = args.actionable or X.columns
    if unused := [name for name in args.actionable if name not in X.columns]:
        raise BadTable(f"--actionable names {unused}, by which nothing is decided.")
    return {"actionable": [name for name in free if name not in fixed]}


def _check_place(args: argparse.Namespace) -> None:
    """Fail before the work is done, not after."""
    path = args.out
    if path.is_dir():
        raise BadTable(f"--out: {path} is a folder; name a file in it.")
    if path.exists() and not path.is_file():
        raise BadTable(f"--out: {path} is not a file.")
    for other in (args.data, args.model):
        if other is not None and other.exists() and path.exists() and path.samefile(other):
            raise BadTable(f"--out: {path} is what the report is about; name another file.")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        if path.exists():
            with path.open("a"):
                pass
    except OSError as error:
        raise BadTable(f"--out: {path} cannot be written: {error.strerror or error}.") from error


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    """Say nothing."""
