"""What can be typed behind ``skfair`` and ``python -m skfair``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._version import __version__
from ._networks import METHODS, NETWORKS
from ._validation import CONSTRAINTS


def make_parser() -> argparse.ArgumentParser:
    is_script = Path(sys.argv[0]).stem == "skfair"
    parser = argparse.ArgumentParser(
        prog="skfair" if is_script else "python -m skfair",
        description="Fairness of classifiers, from a table to a report.",
    )
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
    columns: dict[str, Any] = {"nargs": "+", "metavar": "COLUMN", "action": "extend"}
    add(
        "data",
        type=Path,
        nargs="?",
        help="CSV file with a header, which may be compressed (.gz, .zip, ...), or Parquet",
    )
    add("--target", required=True, metavar="COLUMN", help="the outcome")
    add("--positive", "--favorable", required=True, metavar="VALUE", help="the favorable outcome")
    add("--sensitive", required=True, help="columns of the groups", **columns)
    add("--out", type=Path, default=Path("audit.html"), help="report (default audit.html)")
    add("--model", type=Path, help="fitted model (.skops, or .joblib from people you trust)")
    add(
        "--trust",
        nargs="+",
        metavar="NAME",
        action="extend",
        default=[],
        help="names that a .skops model may hold beside those known to be safe: only such as you "
        "know, as each may be called with whatever the file says",
    )
    add(
        "--method",
        choices=list(METHODS),
        help="how fair networks are trained: FaiR-N (default), a penalty on differences between "
        "groups, or decision rationale alignment",
    )
    add(
        "--network",
        choices=NETWORKS,
        help="what is trained: a perceptron on 0/1 columns and scaled numbers (default), or the "
        "tabular network, more accurate as a rule and slower",
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
        + ", ".join(f"{name} {kind.tolerance:g}" for name, kind in CONSTRAINTS.items())
        + ")",
    )
    add("--ignore", default=[], help="columns not to be used", **columns)
    add(
        "--keep",
        default=[],
        help="columns to be used although they look like numbers of rows, "
        "identifiers, dates, weights or the like",
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


def parse(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """Parse; the table may stand anywhere, behind an option with several values too."""
    args, others = parser.parse_known_args(argv)
    if args.data is None and others and not others[0].startswith("-"):
        args.data = Path(others.pop(0))
    if others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    if args.data is None:
        options = (
            *(args.sensitive, args.ignore, args.keep, args.immutable, args.actionable),
            args.trust,
        )
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
