"""What it takes to make a report again."""

from __future__ import annotations

import argparse
import hashlib
import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from .._version import __version__
from . import _networks as networks

MISSING = {
    "mlp": "missing numbers are the median of the rows to train on, missing categories one of "
    "their own",
    "tabular": "the tabular network, which takes columns as they are, missing values too",
}


def describe_data(args: argparse.Namespace, n_rows: int) -> dict[str, str]:
    """Name the file, and what was asked about it."""
    entries = {}
    if args.typed is not None:
        entries["command"] = shlex.join(["python", "-m", "skfair", *args.typed])
    entries["file"] = f"{args.data.name}, {n_rows:,} rows"
    entries["SHA-256 of the file"] = sha256(args.data)
    entries["outcome"] = f"{args.target}; favorable is {args.positive}"
    entries["groups"] = ", ".join(args.sensitive)
    entries["row numbers"] = "the file's, from 0, the header not counted"
    return entries


def describe_rows(n_rows: int, trained: Any, args: argparse.Namespace) -> dict[str, str]:
    """Count who was trained on, chosen by and audited."""
    parts, settings = trained.parts, trained.fair[-1].settings_
    sizes = {
        "to train on": parts.train,
        "to choose by": parts.validation,
        "to audit on": parts.audited,
    }
    used = ", ".join(f"{len(rows):,} {purpose}" for purpose, rows in sizes.items() if len(rows))
    return {
        "rows with an outcome": f"{n_rows:,}",
        "split": f"{used}; drawn at random, alike in outcomes and, where they are large, groups",
        "seed": str(args.seed),
        "training": f"{settings.max_epochs} epochs, batches of {settings.batch_size}; "
        + MISSING[args.network or "mlp"],
    }


def describe_columns(
    X: pd.DataFrame,
    left_out: Mapping[str, str],
    hidden: Sequence[str],
    actionable: Sequence[str],
    groups: Sequence[str],
) -> dict[str, str]:
    """Name by what is decided, what is left out and why, and what is missing.

    Parameters
    ----------
    X : DataFrame of shape (n, n_features)
        Columns that are handed on.
    left_out : mapping of str to str
        Columns of the file that are not, and the reason.
    hidden : sequence of str
        Columns of X that networks do not see.
    actionable : sequence of str
        Columns that may change in counterfactuals.
    groups : sequence of str
        Columns of the groups.
    """
    used = X.drop(columns=list(hidden))
    numbers, words = networks.column_kinds(used, groups)
    entries = {
        "columns of numbers": _names(numbers),
        "columns of categories": _names(words),
        "columns left out": _names([f"{name} ({why})" for name, why in left_out.items()]),
    }
    if hidden:
        entries["columns hidden from the networks"] = _names(hidden)
    fixed = [name for name in X if name not in set(actionable)]
    entries["columns that people cannot change"] = _names(fixed)
    gaps = used.isna().sum()
    counts = ", ".join(f"{name} {n:,}" for name, n in gaps[gaps > 0].items())
    entries["missing values"] = "none"
    if counts:
        rows = int(used.isna().any(axis=1).sum())
        entries["missing values"] = f"in {rows:,} rows ({counts})"
    return entries


def describe_versions() -> dict[str, str]:
    """Name what computed the report."""
    others = ", ".join(f"{name} {version(name)}" for name in ("torch", "scikit-learn", "pandas"))
    return {"versions": f"skfair {__version__}, {others}, Python {platform.python_version()}"}


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
