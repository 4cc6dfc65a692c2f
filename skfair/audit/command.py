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
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils._optional_dependencies import check_matplotlib_support

from .. import FaiRNClassifier
from .._version import __version__
from ..smoothing._tables import numeric_columns
from .models import load_model
from .report import AuditReport
from .tables import BadTable, read_table

MOST_AUDITED = 50_000  # rows of a part that is audited
CATEGORIES = 30  # of a column; rarer ones are taken together
EPOCHS, STEPS = 30, 300  # training: epochs, and steps an epoch at most


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
    args = parser.parse_args(argv)
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
    say(f"reading {args.data}")
    table = read_table(args.data)
    say(f"{len(table):,} rows, {table.shape[1]} columns")
    table = _without_gaps(table, args, say)
    X = table.drop(columns=[args.target, *args.ignore])
    settings = {
        "title": args.title or f"Fairness audit: {args.data.name}",
        "random_state": args.seed,
        "verbose": not args.quiet,
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found unknown categories")
        warnings.showwarning = lambda message, *_, **__: say(f"note: {message}")
        try:
            if args.model is None:
                report = _compare(X, table, args, settings, say)
            else:
                report = _given(X, table, args, settings, say)
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
    X: pd.DataFrame, table: pd.DataFrame, args: argparse.Namespace, settings: dict, say: Any
) -> AuditReport:
    """Train both on one part, audit on the other."""
    y, refused = _outcomes(table[args.target], args)
    groups = table[args.sensitive].astype(object)
    train, test = _parts(y, groups, args)
    say(f"training on {len(train):,} rows, auditing on {len(test):,}")
    models = {}
    for name, lambdas in (
        ("FaiR-N", {}),
        ("plain network", {"lambda_fairness": 0.0, "lambda_robustness": 0.0}),
    ):
        say(f"training the {name}")
        models[name] = _pipeline(X, len(train), refused, args, lambdas).fit(
            X.iloc[train],
            y[train],
            fairnclassifier__sensitive_features=groups.iloc[train],
        )
    seen = train[:MOST_AUDITED]
    splits = {
        "training part": (X.iloc[seen], y[seen], groups.iloc[seen]),
        "audited part": (X.iloc[test], y[test], groups.iloc[test]),
    }
    fair, plain = models.values()
    return AuditReport.from_estimator(
        fair,
        X.iloc[test],
        y[test],
        sensitive_features=groups.iloc[test],
        baseline=plain,
        names=tuple(models),
        splits=splits,
        **settings,
    )


def _pipeline(
    X: pd.DataFrame, n_rows: int, refused: Any, args: argparse.Namespace, lambdas: dict
) -> Pipeline:
    """From a raw table to decisions; the groups need not be known for them."""
    numbers = X.columns[numeric_columns(X)].tolist()
    words = [c for c in X.columns if c not in numbers]
    if args.drop_sensitive:
        numbers, words = ([c for c in cs if c not in args.sensitive] for cs in (numbers, words))
    if not numbers + words:
        raise BadTable("no column is left to decide by.")
    encode = ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(
                    SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
                ),
                numbers,
            ),
            (
                "words",
                OneHotEncoder(
                    max_categories=CATEGORIES,
                    handle_unknown="infrequent_if_exist",
                    sparse_output=False,
                    dtype=np.float32,
                ),
                words,
            ),
        ]
    )
    batch_size = 256
    while n_rows > STEPS * batch_size:
        batch_size *= 2
    network = FaiRNClassifier(
        unfavorable=refused,
        max_epochs=EPOCHS,
        batch_size=batch_size,
        random_state=args.seed,
        verbose=not args.quiet,
        **lambdas,
    )
    return Pipeline([("encode", encode), ("fairnclassifier", network)])


def _parts(
    y: np.ndarray, groups: pd.DataFrame, args: argparse.Namespace
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train and to audit on, alike in outcomes and, where it can be, in groups."""
    cells = pd.Series(y).astype(str)
    for name in groups:
        finer = cells + "/" + groups[name].astype(str).to_numpy()
        if finer.value_counts().min() >= 10:
            cells = finer
    size = min(round(args.test_size * len(y)), MOST_AUDITED)
    rows = np.arange(len(y))
    try:
        return train_test_split(rows, test_size=size, stratify=cells, random_state=args.seed)
    except ValueError as error:
        raise BadTable(
            f"{len(y)} rows are too few to train on one part and audit on another: {error}"
        ) from error


# -- a model that exists ----------------------------------------------------------------------


def _given(
    X: pd.DataFrame, table: pd.DataFrame, args: argparse.Namespace, settings: dict, say: Any
) -> AuditReport:
    """Audit a fitted model on all rows, or as many as can be."""
    model = load_model(args.model, say)
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        if lacking := [str(name) for name in names if name not in X.columns]:
            raise BadTable(f"the model needs the columns {lacking}, which {args.data} lacks.")
        X = X[list(names)]
    y, refused = _in_the_models_words(model, table[args.target], args, say)
    rows = np.arange(len(y))
    if len(y) > MOST_AUDITED:
        rows = np.sort(np.random.default_rng(args.seed).permutation(rows)[:MOST_AUDITED])
        say(f"auditing {MOST_AUDITED:,} rows, chosen at random")
    groups = table[args.sensitive].astype(object).iloc[rows]
    return AuditReport.from_estimator(
        model,
        X.iloc[rows],
        y[rows],
        sensitive_features=groups,
        unfavorable=refused,
        names=(args.model.name, "baseline"),
        **settings,
    )


def _in_the_models_words(
    model: Any, column: pd.Series, args: argparse.Namespace, say: Any
) -> tuple[np.ndarray, Any]:
    """Outcomes as the model has them, and those that are not the favourable one."""
    y, refused = _outcomes(column, args)
    if not hasattr(model, "classes_"):
        return y, refused
    classes = np.asarray(model.classes_)
    same = np.array([_equals(column, str(label).strip()) for label in classes])
    if not same.any(axis=0).all() and classes.dtype == bool:
        same = np.array([_equals(column, str(int(label))) for label in classes])
    if same.any(axis=0).all():
        y = classes[same.argmax(axis=0)]
        favourable = _equals(column, args.positive)
        return y, [label for label in classes.tolist() if label not in set(y[favourable].tolist())]
    if set(classes.tolist()) == {0, 1}:  # True and False are among these
        say(f"note: the model decides between 0 and 1; 1 is taken for {args.positive!r}")
        return (y != refused).astype(classes.dtype), [classes.tolist()[0]]
    raise BadTable(
        f"the model decides between {classes.tolist()}, column {args.target!r} has "
        f"{pd.unique(column).tolist()[:10]}."
    )


# -- arguments and columns --------------------------------------------------------------------


def _without_gaps(table: pd.DataFrame, args: argparse.Namespace, say: Any) -> pd.DataFrame:
    """Check that the columns exist, and leave out rows without an outcome."""
    for parameter, names in (
        ("--target", [args.target]),
        ("--sensitive", args.sensitive),
        ("--ignore", args.ignore),
    ):
        if lacking := [name for name in names if name not in table.columns]:
            raise BadTable(
                f"{parameter}: {args.data} has no column {', '.join(map(repr, lacking))}; its "
                f"columns are {', '.join(table.columns)}."
            )
    if args.target in args.sensitive:
        raise BadTable(f"--target and --sensitive both name {args.target!r}.")
    if both := sorted({args.target, *args.sensitive} & set(args.ignore)):
        raise BadTable(f"--ignore names {both}, which the audit needs.")
    known = table[args.target].notna()
    if not known.any():
        raise BadTable(f"column {args.target!r} is empty.")
    if not known.all():
        say(f"note: {int((~known).sum()):,} rows without {args.target!r} are left out")
    empty = [c for c in table.columns if c not in args.ignore and table[c].isna().all()]
    args.sensitive = list(dict.fromkeys(args.sensitive))
    if unusable := [c for c in empty if c in args.sensitive]:
        raise BadTable(f"--sensitive: column {unusable[0]!r} is empty.")
    empty = empty if args.model is None else []  # a model may ask for them
    return table[known].drop(columns=empty).reset_index(drop=True)


def _outcomes(column: pd.Series, args: argparse.Namespace) -> tuple[np.ndarray, Any]:
    """Outcomes of everybody, and the one that is not the favourable one."""
    favourable = _equals(column, args.positive)
    values = pd.unique(column)
    shown = ", ".join(map(repr, map(str, values[:10]))) + (", ..." if len(values) > 10 else "")
    if not favourable.any():
        raise BadTable(
            f"--positive: {args.positive!r} does not occur in column {args.target!r}, which has "
            f"{shown}."
        )
    if favourable.all():
        raise BadTable(
            f"--target: column {args.target!r} has one class only, {shown}: there is nothing to "
            "learn or to compare."
        )
    other = str(values[~_equals(pd.Series(values), args.positive)][0])
    refused = other if len(values) == 2 else f"not {args.positive}"
    return np.where(favourable, args.positive, refused).astype(object), refused


def _equals(column: pd.Series, text: str) -> np.ndarray:
    """Where a column has what was typed, be it text or a number."""
    text = text.strip()
    same = column.astype(str).str.strip() == text
    try:
        return (same | (pd.to_numeric(column, errors="coerce") == float(text))).to_numpy()
    except ValueError:
        return same.to_numpy()


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
        description="Train a plain and a FaiR-N network on a table and write a report that "
        "compares them; or, with --model, report on a model that exists.",
    )
    add = audit_.add_argument
    add("data", type=Path, help="CSV file with a header; it may be compressed (.gz, .zip, ...)")
    add("--target", required=True, help="column with the outcome")
    add("--positive", required=True, help="the favourable outcome")
    add("--sensitive", required=True, nargs="+", metavar="COLUMN", help="columns of the groups")
    add("--out", type=Path, default=Path("audit.html"), help="report (default audit.html)")
    add("--model", type=Path, help="fitted model (.skops, or .joblib from people you trust)")
    add("--ignore", nargs="+", default=[], metavar="COLUMN", help="columns not to be used")
    add("--drop-sensitive", action="store_true", help="hide the groups from trained networks")
    add("--test-size", type=_share, default=0.25, help="part that is audited (default 0.25)")
    add("--title", help="of the report")
    add("--seed", type=int, default=0, help="of everything random (default 0)")
    add("--quiet", action="store_true", help="no progress on standard error")
    return parser


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
