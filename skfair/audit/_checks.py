"""Options that contradict each other, columns that are not there, places that cannot be written."""

from __future__ import annotations

import argparse
import tempfile

import pandas as pd

from .._columns import numeric_columns
from ._errors import InputError

MAX_NUMBER = 1e100  # of a table


def check_options(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    if args.model is not None:
        for option in ("method", "network", "constraint", "tolerance", "keep", "drop_sensitive"):
            value = getattr(args, option)
            if not (value is None or value is False or value == []):
                raise InputError(
                    f"--{option.replace('_', '-')} is about networks that are trained; it does not "
                    "go with --model."
                )
    elif args.trust:
        raise InputError("--trust is about a model that exists; it goes with --model.")
    for option in ("sensitive", "ignore", "keep", "immutable", "actionable"):
        setattr(args, option, list(dict.fromkeys(getattr(args, option))))
    if args.target in args.sensitive:
        raise InputError(f"--target and --sensitive both name {args.target!r}.")
    if both := sorted({args.target, *args.sensitive} & set(args.ignore)):
        raise InputError(f"--ignore names {both}, which the audit needs.")
    fixed = {"--sensitive": args.sensitive, "--immutable": args.immutable}
    contradictions = {("--keep", "--ignore"): set(args.keep) & set(args.ignore)} | {
        ("--actionable", option): set(args.actionable) & set(names)
        for option, names in fixed.items()
    }
    for options, names in contradictions.items():
        if names:
            raise InputError(f"{' and '.join(options)} both name {sorted(names)}.")


def check_columns(table: pd.DataFrame, args: argparse.Namespace) -> None:
    """Check that the columns exist, and those that are needed are not empty."""
    for option in ("target", "sensitive", "ignore", "keep", "immutable", "actionable"):
        names = getattr(args, option)
        names = [names] if isinstance(names, str) else names
        if lacking := [name for name in names if name not in table.columns]:
            raise InputError(
                f"--{option}: {args.data} has no column {', '.join(map(repr, lacking))}; its "
                f"columns are {', '.join(table.columns)}."
            )
    if table[args.target].isna().all():
        raise InputError(f"column {args.target!r} is empty.")
    for name in table.columns[numeric_columns(table)]:
        if name not in args.ignore and (table[name].abs() > MAX_NUMBER).any():
            raise InputError(
                f"column {name!r} has numbers beyond {MAX_NUMBER:g}, which nobody can compute "
                "with; mend them, or use --ignore."
            )
    if empty := [name for name in args.sensitive if table[name].isna().all()]:
        raise InputError(f"--sensitive: column {empty[0]!r} is empty.")


def check_place(args: argparse.Namespace) -> None:
    """Fail before the work is done, not after."""
    path = args.out
    if path.is_dir():
        raise InputError(f"--out: {path} is a folder; name a file in it.")
    if path.exists() and not path.is_file():
        raise InputError(f"--out: {path} is not a file.")
    for other in (args.data, args.model):
        if other is not None and other.exists() and path.exists() and path.samefile(other):
            raise InputError(f"--out: {path} is what the report is about; name another file.")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        if path.exists():
            with path.open("a"):
                pass
    except OSError as error:
        raise InputError(f"--out: {path} cannot be written: {error.strerror or error}.") from error
