"""Which columns of a raw table say something about people, and which say who they are."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_integer_dtype
from pandas.tseries.api import guess_datetime_format

from .._columns import numeric_columns
from ..training._categories import MIN_CATEGORY_ROWS

MIN_ROWS = 20  # in fewer, all values can differ by chance
PARTS = {"train", "training", "test", "testing", "valid", "validation", "val", "dev", "holdout"}
SPLIT_WORDS = {"split", "fold", "folds", "kfold", "partition", "subset", "cv"}
ROW_WORDS = {"index", "idx", "row", "rows", "rownum", "rowname", "rownames", "rowid", "rownumber"}
ID_WORDS = {"id", "ids", "uid", "uuid", "guid", "identifier", "ssn", "pid"}
# Weights of surveys, by names that mean nothing else: "weight" alone is also what people weigh.
SAMPLING_WEIGHT = re.compile(
    r"fnl?w(gh?)?t|fin(al)?_?w(ei)?(gh?)?t\w*|perwt\w*|hhwt|p?wgtp\d*|wt(fa|int|mec|ssall)\w*"
    r"|(sampl(e|ing)|survey|person|replicate|design|analysis|case)_?(weights?|wgts?|wts?)"
)
DATE_TYPES = {"date", "datetime", "datetime64"}
SHORT_DATES = ("%d.%m.%y", "%d/%m/%y", "%m/%d/%y")  # which pandas does not guess
# Names by which the same attribute goes.
SYNONYMS = (
    {"sex", "gender"},
    {"race", "ethnicity", "ethnic", "ethnicgroup"},
    {"age", "ages", "birth", "birthdate", "birthday", "birthyear", "dob", "yob"},
    {"religion", "religious", "faith"},
    {"disability", "disabled"},
)
QUALIFIER_WORDS = {"is", "was", "flag", "code", "ind", "indicator", "dummy", "cat", "group"}


def uninformative_columns(table: pd.DataFrame, needed: Iterable[str]) -> dict[str, str]:
    """Find columns that a network should not be trained on, and why.

    Parameters
    ----------
    table : DataFrame of shape (n, n_columns)
        All rows of the file.
    needed : iterable of str
        Columns that are not looked at: the outcome, those of the groups, those the user keeps.

    Returns
    -------
    dict of str to str
        Name to reason: empty or constant, row numbers, identifiers, dates, which part of the data
        a row belongs to, weights of a sample. Numbers that merely differ in all rows, such as
        amounts, are not among them, nor texts of dates most of which recur, such as quarters.
    """
    needed = set(needed)
    found = {name: _reason(name, table[name]) for name in table.columns if name not in needed}
    return {name: reason for name, reason in found.items() if reason}


def _reason(name: str, column: pd.Series) -> str:
    known = column.dropna()
    if known.empty:
        return "empty"
    n_values = known.nunique()
    if n_values == 1 and (len(known) == len(column) or numeric_columns(column.to_frame())):
        return "the same in every row"
    if holds_dates(known):
        return "date"
    words = name_words(name)
    if SAMPLING_WEIGHT.fullmatch("_".join(words)):
        return "weight of a sample"
    if _is_row_number(name, words, known):
        return "row numbers"
    texts = set(known.astype(str).str.lower()) if n_values <= 20 else set()
    if words and set(words) <= SPLIT_WORDS or texts and texts <= PARTS:
        return "part of the data to which a row belongs"
    if len(known) < MIN_ROWS:
        return ""
    numeric, differ = bool(numeric_columns(known.to_frame())), n_values / len(known)
    if words and words[-1] in ID_WORDS and (not numeric or _is_whole(known)) and differ > 0.5:
        return "identifier"
    if not numeric and _is_mostly_rare(known) and _are_dates(pd.unique(known.astype(str))):
        return "date"
    return "another text in almost every row" if not numeric and differ > 0.9 else ""


def holds_dates(column: pd.Series) -> bool:
    """Tell whether a column is one of dates by its type, not by what its texts look like."""
    return infer_dtype(column, skipna=True) in DATE_TYPES


def _is_mostly_rare(known: pd.Series) -> bool:
    counts = known.value_counts()
    return bool(2 * counts[counts < MIN_CATEGORY_ROWS].sum() > len(known))


def _are_dates(texts: np.ndarray) -> bool:
    """Tell whether nine texts of ten are dates, all written in the same way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the day does not come first
        formats = {guess_datetime_format(t, dayfirst=d) for t in texts[:20] for d in (False, True)}
    return any(
        pd.to_datetime(texts, format=format_, errors="coerce", utc=True).notna().mean() > 0.9
        for format_ in {*formats, *SHORT_DATES} - {None}
        if "%d" in format_  # not a code of four digits, which could be a year
    )


def _is_row_number(name: str, words: list[str], known: pd.Series) -> bool:
    unnamed = bool(re.fullmatch(r"(Unnamed: \d+)?", name))
    if not numeric_columns(known.to_frame()) or not _is_whole(known):
        return unnamed and known.is_unique and len(known) >= MIN_ROWS
    if unnamed:
        return True
    if not known.is_unique:
        return False
    if set(words) <= ROW_WORDS | {"number", "no", "nr"} and set(words) & ROW_WORDS:
        return True
    return len(known) >= MIN_ROWS and known.max() - known.min() == len(known) - 1


def _is_whole(known: pd.Series) -> bool:
    return is_integer_dtype(known) or bool(np.equal(np.mod(known, 1), 0).all())


def derived_columns(names: Iterable[str], sensitive: pd.DataFrame) -> list[str]:
    """Find columns whose names say that they are made from a sensitive one, or mean the same.

    Parameters
    ----------
    names : iterable of str
        Names of columns.
    sensitive : DataFrame of shape (n, n_attributes)
        Columns of the groups.

    Returns
    -------
    list of str
        Such as ``sex_Male``, ``is_female`` and ``gender-code`` for ``sex``; not the sensitive ones.
    """
    meanings, values = [], []
    for name in sensitive:
        words = name_words(name)
        meanings.append(words)
        for family in SYNONYMS:
            if family & {*words, "".join(words)}:
                meanings += [[word] for word in family]
        levels = pd.unique(sensitive[name].dropna())
        values += [name_words(str(level)) for level in levels if not _is_number(level)]

    def is_derived(name: str) -> bool:
        words = name_words(name)
        bare = [word for word in words if word not in QUALIFIER_WORDS]
        return bool(bare) and (bare in values or any(_contains(words, part) for part in meanings))

    return [name for name in names if name not in sensitive.columns and is_derived(name)]


def name_words(name: str) -> list[str]:
    """Split a name into words: ``["is", "female"]`` of isFemale, is_female and Is Female."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return re.findall(r"[^\W_]+", apart.lower())


def _contains(words: list[str], part: list[str]) -> bool:
    starts = range(len(words) - len(part) + 1)
    return bool(part) and any(words[i : i + len(part)] == part for i in starts)


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
