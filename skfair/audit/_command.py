"""``python -m skfair audit``: from a table, or a model and a table, to a report."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.utils._optional_dependencies import check_matplotlib_support

from ._arguments import make_parser, parse
from ._checks import check_columns, check_options, check_place
from ._columns import derived_columns, uninformative_columns
from ._errors import InputError
from ._log import Log, discard, log_to_stderr
from ._models import load_model
from ._outcomes import read_groups, read_model_outcomes, read_outcomes
from ._provenance import describe_columns, describe_data, describe_rows, describe_versions, sha256
from ._report import AuditReport
from ._tables import dates_as_text, read_table
from ._training import MAX_AUDITED_ROWS, Trainer


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
    parser = make_parser()
    args = parse(parser, sys.argv[1:] if argv is None else argv)
    log = discard if args.quiet else log_to_stderr
    try:
        audit(args, log)
    except InputError as error:
        print(f"{parser.prog} audit: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"{parser.prog} audit: failed: {reason}; nothing was written", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog} audit: interrupted; nothing was written", file=sys.stderr)
        return 1
    return 0


def audit(args: argparse.Namespace, log: Log) -> AuditReport:
    """Do what the arguments say.

    Parameters
    ----------
    args : Namespace
        Parsed arguments.
    log : callable
        Told of the progress, a line at a time.

    Returns
    -------
    AuditReport
        What was written.

    Raises
    ------
    InputError
        If the data, the model or the place of the report cannot be used.
    """
    try:
        check_matplotlib_support("python -m skfair audit")
    except ImportError as error:
        raise InputError('figures need matplotlib: pip install "skfair-torch[plot]".') from error
    check_place(args)
    check_options(args)
    log(f"reading {args.data}")
    table = read_table(args.data, log)
    log(f"{len(table):,} rows, {table.shape[1]} columns")
    check_columns(table, args)
    settings = {
        "title": args.title or f"Fairness audit: {args.data.name}",
        "random_state": args.seed,
        "verbose": not args.quiet,
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found unknown categories")
        warnings.showwarning = lambda message, *_, **__: log(f"note: {message}")
        try:
            about = describe_data(args, len(table))
            run = _audit_networks if args.model is None else _audit_model
            report = run(table, args, about, settings, log)
        except (ValueError, TypeError) as error:
            raise InputError(str(error)) from error
    try:
        report.to_html(args.out)
    except OSError as error:
        raise InputError(f"{args.out} cannot be written: {error}.") from error
    log(f"written to {args.out}")
    return report


def _audit_networks(
    table: pd.DataFrame, args: argparse.Namespace, about: dict, settings: dict, log: Log
) -> AuditReport:
    """Train on one part, audit on another."""
    needed = {args.target, *args.sensitive, *args.keep, *args.ignore}
    left_out = dict.fromkeys(args.ignore, "--ignore") | uninformative_columns(table, needed)
    table = _drop_unlabeled(dates_as_text(table), args, log)
    X = table.drop(columns=[args.target, *left_out])
    derived = derived_columns(X, table[args.sensitive])
    group_columns = [*args.sensitive, *derived]
    hidden = group_columns if args.drop_sensitive else []
    y, refused = read_outcomes(table[args.target], args)
    groups = read_groups(table, args)
    recourse = _recourse_settings(X, derived, args)
    columns = describe_columns(X, left_out, hidden, recourse["actionable"], args.sensitive)
    for name, text in columns.items():
        log(f"{name}: {text}")
    if set(left_out) - set(args.ignore):
        log("note: --keep COLUMN ... takes in columns that are left out")
    if not args.drop_sensitive:
        them = "these" if len(group_columns) > 1 else "it"
        shown = ", ".join(group_columns)
        log(f"The networks see {shown}; --drop-sensitive hides {them} from them.")
    trainer = Trainer(X, y, groups, (args.positive, refused), hidden, args, log)
    trained = trainer.train()
    parts = trained.parts
    seen, test = parts.train[:MAX_AUDITED_ROWS], parts.audited
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
        | describe_rows(len(table), trained, args)
        | columns
        | trained.provenance
        | describe_versions(),
        **settings,
    )


def _audit_model(
    table: pd.DataFrame, args: argparse.Namespace, about: dict, settings: dict, log: Log
) -> AuditReport:
    """Audit a fitted model on all rows, or as many as can be."""
    model = load_model(args.model, log, args.trust)
    table = _drop_unlabeled(dates_as_text(table), args, log)
    X = table.drop(columns=[args.target, *args.ignore])
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        if lacking := [str(name) for name in names if name not in X.columns]:
            raise InputError(f"the model needs the columns {lacking}, which {args.data} lacks.")
        X = X[list(names)]
    y, refused = read_model_outcomes(model, table[args.target], args, log)
    rows = np.arange(len(y))
    if len(y) > MAX_AUDITED_ROWS:
        rows = np.sort(np.random.default_rng(args.seed).permutation(rows)[:MAX_AUDITED_ROWS])
        log(f"auditing {MAX_AUDITED_ROWS:,} rows, chosen at random")
    groups = read_groups(table, args).iloc[rows]
    recourse = _recourse_settings(X, derived_columns(X, table[args.sensitive]), args)
    columns = describe_columns(X, {}, [], recourse["actionable"], [])
    return AuditReport.from_estimator(
        model,
        X.iloc[rows],
        y[rows],
        sensitive_features=groups,
        unfavorable=refused,
        names=(args.model.name, "baseline"),
        recourse=recourse,
        provenance=about
        | {"SHA-256 of the model": sha256(args.model), "rows audited": f"{len(rows):,}"}
        | columns
        | describe_versions(),
        **settings,
    )


def _drop_unlabeled(table: pd.DataFrame, args: argparse.Namespace, log: Log) -> pd.DataFrame:
    """Leave out rows without an outcome; the others keep their number."""
    known = table[args.target].notna()
    if not known.all():
        log(f"note: {int((~known).sum()):,} rows without {args.target!r} are left out")
    return table[known]


def _recourse_settings(X: pd.DataFrame, derived: list[str], args: argparse.Namespace) -> dict:
    """Tell what may change in a counterfactual: no sensitive columns, nor what is made of them."""
    fixed = {*args.sensitive, *args.immutable, *derived} - set(args.actionable)
    free = args.actionable or X.columns
    if unused := [name for name in args.actionable if name not in X.columns]:
        raise InputError(f"--actionable names {unused}, by which nothing is decided.")
    return {"actionable": [name for name in free if name not in fixed]}
