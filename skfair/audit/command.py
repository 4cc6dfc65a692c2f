"""``python -m skfair audit``: from a table, or a model and a table, to a report."""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_float_dtype
from sklearn.utils._optional_dependencies import check_matplotlib_support

from .._version import __version__
from ..smoothing._tables import numeric_columns
from ._columns import derived_columns, uninformative_columns
from ._networks import METHODS
from ._numbers import read_number
from ._provenance import about_columns, about_data, about_rows, digest, versions
from ._training import MAX_AUDITED, Trainer
from ._validation import CONSTRAINTS
from .models import load_model
from .report import AuditReport
from .tables import BadTable, read_table

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
    args = _parse(parser, sys.argv[1:] if argv is None else argv)
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
    y, refused = _outcomes(table[args.target], args)
    groups = _groups(table, args)
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
    y, refused = _in_the_models_words(model, table[args.target], args, say)
    rows = np.arange(len(y))
    if len(y) > MAX_AUDITED:
        rows = np.sort(np.random.default_rng(args.seed).permutation(rows)[:MAX_AUDITED])
        say(f"auditing {MAX_AUDITED:,} rows, chosen at random")
    groups = _groups(table, args).iloc[rows]
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


def _in_the_models_words(
    model: Any, column: pd.Series, args: argparse.Namespace, say: Any
) -> tuple[np.ndarray, Any]:
    """Outcomes as the model has them, and those that are not the favorable one."""
    y, refused = _outcomes(column, args)
    if not hasattr(model, "classes_"):
        return y, refused
    classes = np.asarray(model.classes_)
    same = np.array([_equals(column, str(label).strip()) for label in classes])
    if not same.any(axis=0).all() and classes.dtype == bool:
        same = np.array([_equals(column, str(int(label))) for label in classes])
    if same.any(axis=0).all():
        y = classes[same.argmax(axis=0)]
        favorable = _equals(column, args.positive)
        return y, [label for label in classes.tolist() if label not in set(y[favorable].tolist())]
    if set(classes.tolist()) == {0, 1}:  # True and False are among these
        say(f"note: the model decides between 0 and 1; 1 is taken for {args.positive!r}")
        return (y != refused).astype(classes.dtype), [classes.tolist()[0]]
    raise BadTable(
        f"the model decides between {classes.tolist()}, column {args.target!r} has "
        f"{pd.unique(column).tolist()[:10]}."
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


def _groups(table: pd.DataFrame, args: argparse.Namespace) -> pd.DataFrame:
    """The sensitive columns, whole numbers as such where missing values made them floats."""
    groups = table[args.sensitive].astype(object)
    for name in args.sensitive:
        known = table[name].dropna()
        if is_float_dtype(known) and (known % 1 == 0).all() and known.abs().max() < 2**53:
            groups[name] = table[name].astype("Int64").astype(object).where(table[name].notna())
    return groups


def _recourse(X: pd.DataFrame, derived: list[str], args: argparse.Namespace) -> dict:
    """What may change in a counterfactual: not the sensitive columns, nor what is made of them."""
    fixed = {*args.sensitive, *args.immutable, *derived} - set(args.actionable)
    free = args.actionable or X.columns
    if unused := [name for name in args.actionable if name not in X.columns]:
        raise BadTable(f"--actionable names {unused}, by which nothing is decided.")
    return {"actionable": [name for name in free if name not in fixed]}


def _outcomes(column: pd.Series, args: argparse.Namespace) -> tuple[np.ndarray, Any]:
    """Outcomes of everybody, and the one that is not the favorable one."""
    favorable = _equals(column, args.positive)
    values = pd.unique(column)
    shown = ", ".join(repr(_as_typed(value, args.positive)) for value in values[:10])
    shown += ", ..." if len(values) > 10 else ""
    if not favorable.any():
        raise BadTable(
            f"--positive: {args.positive!r} does not occur in column {args.target!r}, which has "
            f"{shown}."
        )
    if favorable.all():
        raise BadTable(
            f"--target: column {args.target!r} has one class only, {shown}: there is nothing to "
            "learn or to compare."
        )
    other = _as_typed(values[~_equals(pd.Series(values), args.positive)][0], args.positive)
    refused = other if len(values) == 2 else f"not {args.positive}"
    return np.where(favorable, args.positive, refused).astype(object), refused


def _as_typed(value: Any, example: str) -> str:
    """A value of a column as the user would write it, who wrote another one like the example."""
    if isinstance(value, float) and value.is_integer():  # made so by missing values
        value = int(value)
    text = str(value)
    if isinstance(value, (bool, np.bool_)):
        return text.upper() if example.isupper() else text.lower() if example.islower() else text
    return text


def _equals(column: pd.Series, text: str) -> np.ndarray:
    """Where a column has what was typed, be it text, a truth value or a number."""
    text = text.strip()
    if is_bool_dtype(column) and text.lower() in ("true", "false"):
        return (column == (text.lower() == "true")).to_numpy(bool)
    same = (column.astype(str).str.strip() == text).to_numpy(bool)
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(float)
    for value in read_number(text):
        if (numbers == value).any():
            return same | (numbers == value)
    return same


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m skfair", description=__doc__.split(":")[0])
    parser.add_argument("--version", action="version", version=f"skfair {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    audit_ = commands.add_parser(
        "audit",
        help="write a report on how a classifier treats groups",
        description="Train a plain network and fair ones on a table, choose among these, and "
        "write a report that compares them; or, with --model, report on a model that exists.",
    )
    audit_.set_defaults(typed=None)
    add = audit_.add_argument
    columns = {"nargs": "+", "metavar": "COLUMN", "action": "extend"}
    add(
        "data",
        type=Path,
        nargs="?",
        help="CSV file with a header; it may be compressed (.gz, .zip, ...)",
    )
    add("--target", required=True, metavar="COLUMN", help="the outcome")
    add("--positive", "--favorable", required=True, metavar="VALUE", help="the favorable outcome")
    add("--sensitive", required=True, help="columns of the groups", **columns)
    add("--out", type=Path, default=Path("audit.html"), help="report (default audit.html)")
    add("--model", type=Path, help="fitted model (.skops, or .joblib from people you trust)")
    add(
        "--method",
        choices=list(METHODS),
        help="how fair networks are trained: FaiR-N (default), a penalty on differences between "
        "groups, or decision rationale alignment",
    )
    add(
        "--constraint",
        choices=list(CONSTRAINTS),
        help="the difference between groups by which one of the networks is chosen (default: "
        + ", ".join(f"{name} {method.constraints[0]}" for name, method in METHODS.items())
        + ")",
    )
    add(
        "--tolerance",
        type=_tolerance,
        help="how large it may be (default "
        + ", ".join(f"{name} {usual:g}" for name, (*_, usual) in CONSTRAINTS.items())
        + ")",
    )
    add("--ignore", default=[], help="columns not to be used", **columns)
    add(
        "--keep",
        default=[],
        help="columns to be used although they look like numbers of rows, "
        "identifiers, weights or the like",
        **columns,
    )
    add(
        "--immutable",
        default=[],
        help="columns that nobody can change, beside the sensitive ones and those whose names say "
        "that they mean the same",
        **columns,
    )
    add("--actionable", default=[], help="the only columns that people can change", **columns)
    add("--drop-sensitive", action="store_true", help="hide the groups from trained networks")
    add("--test-size", type=_share, default=0.25, help="part that is audited (default 0.25)")
    add("--title", help="of the report")
    add("--seed", type=int, default=0, help="of everything random (default 0)")
    add("--quiet", action="store_true", help="no progress on standard error")
    return parser


def _parse(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """Parse; the table may stand anywhere, behind an option with several values too."""
    args, others = parser.parse_known_args(argv)
    if args.data is None and others and not others[0].startswith("-"):
        args.data = Path(others.pop(0))
    if others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    if args.data is None:
        options = (args.sensitive, args.ignore, args.keep, args.immutable, args.actionable)
        swallowed = [values for values in options if values and Path(values[-1]).is_file()]
        if len(swallowed) != 1 or len(swallowed[0]) == 1:
            parser.error("the following arguments are required: data (an existing CSV file)")
        args.data = Path(swallowed[0].pop())
    args.typed = list(argv)
    return args


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be 0 or more, got {text}")
    return value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, got {text}")
    return value


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    """Say nothing."""
