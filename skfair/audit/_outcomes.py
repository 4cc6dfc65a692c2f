"""Outcomes and groups, in the words of the file, of the user and of a model."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_float_dtype

from ._errors import InputError
from ._log import Log
from ._numbers import read_number


def read_outcomes(column: pd.Series, args: argparse.Namespace) -> tuple[np.ndarray, Any]:
    """Return outcomes of everybody, and the one that is not the favorable one."""
    favorable = _equals(column, args.positive)
    values = pd.unique(column)
    shown = ", ".join(repr(_as_typed(value, args.positive)) for value in values[:10])
    shown += ", ..." if len(values) > 10 else ""
    if not favorable.any():
        raise InputError(
            f"--positive: {args.positive!r} does not occur in column {args.target!r}, which has "
            f"{shown}."
        )
    if favorable.all():
        raise InputError(
            f"--target: column {args.target!r} has one class only, {shown}: there is nothing to "
            "learn or to compare."
        )
    other = _as_typed(values[~_equals(pd.Series(values), args.positive)][0], args.positive)
    refused = other if len(values) == 2 else f"not {args.positive}"
    return np.where(favorable, args.positive, refused).astype(object), refused


def _as_typed(value: Any, example: str) -> str:
    """Write a value of a column as the user would, who wrote another one like the example."""
    if isinstance(value, float) and value.is_integer():  # made so by missing values
        value = int(value)
    text = str(value)
    if isinstance(value, (bool, np.bool_)):
        return text.upper() if example.isupper() else text.lower() if example.islower() else text
    return text


def _equals(column: pd.Series, text: str) -> np.ndarray:
    """Find where a column has what was typed, be it text, a truth value or a number."""
    text = text.strip()
    if is_bool_dtype(column) and text.lower() in ("true", "false"):
        return (column == (text.lower() == "true")).to_numpy(bool)
    same = (column.astype(str).str.strip() == text).to_numpy(bool)
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(float)
    for value in read_number(text):
        if (numbers == value).any():
            return same | (numbers == value)
    return same


def read_model_outcomes(
    model: Any, column: pd.Series, args: argparse.Namespace, log: Log
) -> tuple[np.ndarray, Any]:
    """Return outcomes as the model has them, and those that are not the favorable one."""
    y, refused = read_outcomes(column, args)
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
        log(f"note: the model decides between 0 and 1; 1 is taken for {args.positive!r}")
        return (y != refused).astype(classes.dtype), [classes.tolist()[0]]
    raise InputError(
        f"the model decides between {classes.tolist()}, column {args.target!r} has "
        f"{pd.unique(column).tolist()[:10]}."
    )


def read_groups(table: pd.DataFrame, args: argparse.Namespace) -> pd.DataFrame:
    """Take the sensitive columns; whole numbers stay such where missing values made them floats."""
    groups = table[args.sensitive].astype(object)
    for name in args.sensitive:
        known = table[name].dropna()
        if is_float_dtype(known) and (known % 1 == 0).all() and known.abs().max() < 2**53:
            groups[name] = table[name].astype("Int64").astype(object).where(table[name].notna())
    return groups
