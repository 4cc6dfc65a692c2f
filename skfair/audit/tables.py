"""Tables as people have them: CSV files of any dialect."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.errors import EmptyDataError

SEPARATORS = ",;\t|"
SAMPLE = 2**18  # characters by which a file is judged
# Texts that stand for nothing: the mark of UCI, and pandas' own but for None, which is also a word.
MISSING = ["?", "#N/A", "#NA", "N/A", "NA", "n/a", "NULL", "null", "NaN", "nan", "<NA>"]


class BadTable(ValueError):
    """A file that cannot be used, in words for the person who brought it."""


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV file, compressed or not, whatever its separator and decimal sign.

    Parameters
    ----------
    path : Path
        The file, in UTF-8 with or without a byte order mark, or else Latin-1.

    Returns
    -------
    pandas.DataFrame
        Names and text are stripped; ``?`` and the like are missing.

    Raises
    ------
    BadTable
        If there is no such file, it is empty, or has no rows or one column only.
    """
    if not path.exists():
        raise BadTable(f"there is no file {path}.")
    if path.is_dir():
        raise BadTable(f"{path} is a folder, not a CSV file.")
    encoding, sample = _judge(path)
    if not sample.strip():
        raise BadTable(f"{path} is empty.")
    separator = _separator(sample)
    try:
        table = pd.read_csv(
            path,
            sep=separator,
            encoding=encoding,
            skipinitialspace=True,
            na_values=["", *MISSING],
            keep_default_na=False,
            compression="infer",
            low_memory=False,
        )
        if _has_more_values_than_names(sample, separator):  # pandas took the first for an index
            ended = table.iloc[:, -1].isna().all()  # each line ends with a separator
            names = table.columns
            table = table.reset_index(drop=not ended)
            if ended:
                table = table.iloc[:, :-1].set_axis(names, axis=1)
    except EmptyDataError as error:
        raise BadTable(f"{path} is empty.") from error
    except Exception as error:  # of the reader, or of whatever the file is packed in
        raise BadTable(f"{path} cannot be read as CSV: {error}".rstrip(". ") + ".") from error
    table.columns = [str(name).strip() for name in table.columns]
    if doubled := sorted({n for n in table.columns if list(table.columns).count(n) > 1}):
        raise BadTable(f"{path} has more than one column named {doubled[0]!r}.")
    if not len(table):
        raise BadTable(f"{path} has a header, but no rows.")
    if table.shape[1] < 2:
        raise BadTable(
            f"{path} has one column only, {table.columns[0]!r}; columns are separated by a comma, "
            "semicolon, tab or vertical bar."
        )
    commas = separator != ","
    return pd.DataFrame({name: _as_meant(table[name], commas) for name in table.columns})


def _judge(path: Path) -> tuple[str, str]:
    """The encoding, and the beginning of the file."""
    from pandas.io.common import get_handle

    for encoding in ("utf-16", "utf-8-sig", "latin-1"):
        try:
            if encoding == "utf-16" and not _is_utf16(path):
                continue
            with get_handle(str(path), "r", encoding=encoding, compression="infer") as handles:
                return encoding, handles.handle.read(SAMPLE)
        except UnicodeDecodeError:
            continue
        except Exception as error:  # of whatever the file is packed in
            raise BadTable(f"{path} cannot be read: {error}".rstrip(". ") + ".") from error
    raise AssertionError("every byte is Latin-1")


def _separator(sample: str) -> str:
    """The sign that divides most lines into as many columns as the first, and that most often."""
    lines = sample.splitlines(keepends=True)
    lines = lines[:-1] if len(lines) > 1 and len(sample) == SAMPLE else lines

    def columns(separator: str) -> int:
        rows = csv.reader(io.StringIO("".join(lines[:200])), delimiter=separator)
        try:
            widths = [len(row) for row in rows if row]
        except csv.Error:  # a quote that does not end, for instance
            return 1
        alike = sum(width == widths[0] for width in widths)
        return widths[0] if alike > 0.8 * len(widths) else 1

    return max(SEPARATORS, key=columns)


def _has_more_values_than_names(sample: str, separator: str) -> bool:
    rows = csv.reader(io.StringIO(sample), delimiter=separator)
    names, values = next(rows, []), next(rows, [])
    return len(values) == len(names) + 1


def _is_utf16(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) in (b"\xff\xfe", b"\xfe\xff")


def _as_meant(column: pd.Series, commas: bool) -> pd.Series:
    """Strip text; read numbers with a decimal comma."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column
    text = column.astype("string").str.strip()
    text = text.mask(text.isin(["", *MISSING]))
    known = text.dropna()
    number = r"[-+]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?([eE][-+]?\d+)?"
    if commas and known.str.contains(",").any() and known.str.fullmatch(number).all():
        text = text.str.replace(".", "").str.replace(",", ".")
        return pd.to_numeric(text).astype(float)
    return text.astype(object).where(text.notna(), np.nan)
