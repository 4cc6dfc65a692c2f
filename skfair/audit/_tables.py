"""Tables as people have them: CSV files of any dialect."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.errors import EmptyDataError, ParserWarning

from ._numbers import NumberReader

SEPARATORS = ",;\t|"
ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")  # the last one knows every byte
SAMPLE, LINES = 2**18, 200  # characters and lines by which the separator is judged
# Texts that stand for nothing: the mark of UCI, and pandas' own but for None, which is also a word.
MISSING = ["?", "#N/A", "#NA", "N/A", "NA", "n/a", "NULL", "null", "NaN", "nan", "<NA>"]


class BadTable(ValueError):
    """A file that cannot be used, in words for the person who brought it."""


def read_table(path: Path, say: Callable[[str], None] = lambda line: None) -> pd.DataFrame:
    """Read a CSV file, compressed or not, whatever its separator and decimal sign.

    Parameters
    ----------
    path : Path
        The file, in UTF-8 with or without a byte order mark, UTF-16 with one, or else Windows-1252
        or Latin-1.
    say : callable, default=None
        Told, a line at a time, which columns are read otherwise than they are written.

    Returns
    -------
    pandas.DataFrame
        Names and text are stripped; ``?`` and the like are missing. Numbers may have a decimal
        comma, separators of thousands, or a sign of a currency; TRUE and true are truth values.
        Rows are numbered from 0.

    Raises
    ------
    BadTable
        If there is no such file, it is empty, has no rows or one column only, or a name repeats.
    """
    if not path.exists():
        raise BadTable(f"there is no file {path}.")
    if path.is_dir():
        raise BadTable(f"{path} is a folder, not a CSV file.")
    encoding, sample = _judge(path)
    announced, sample = _announced_separator(sample)
    if not sample.strip():
        raise BadTable(f"{path} is empty.")
    separator = announced or _separator(sample)
    n_names, *n_values = _widths(sample, separator) or [1]
    one_more = set(n_values) == {n_names + 1}
    cells = _cells(path, encoding, separator, int(announced is not None), n_names + one_more)
    table = _named(cells, one_more, path)
    if not len(table):
        raise BadTable(f"{path} has a header, but no rows.")
    if table.shape[1] < 2:
        raise BadTable(
            f"{path} has one column only, {', '.join(map(repr, table.columns))}; columns are "
            "separated by a comma, semicolon, tab or vertical bar."
        )
    return _as_meant(table, separator, say)


def _cells(path: Path, encoding: str, separator: str, skipped: int, width: int) -> pd.DataFrame:
    """All cells as text, the header among them; an empty one is a missing one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ParserWarning)  # values beyond the last column
            cells = pd.read_csv(
                path,
                sep=separator,
                encoding=encoding,
                header=None,
                names=range(width),
                index_col=False,
                skiprows=skipped,
                dtype=str,
                skipinitialspace=True,
                na_filter=False,
                compression="infer",
            )
    except EmptyDataError as error:
        raise BadTable(f"{path} is empty.") from error
    except ParserWarning as error:
        raise BadTable(f"{path} has rows with more values than its header has names.") from error
    except Exception as error:  # of the reader, or of whatever the file is packed in
        why = " ".join(str(error).split()).rstrip(".")
        raise BadTable(f"{path} cannot be read as CSV: {why}.") from error
    cells = cells.astype(object).apply(lambda column: column.str.strip())
    return cells.mask(cells.isna() | (cells == ""))


def _named(cells: pd.DataFrame, one_more: bool, path: Path) -> pd.DataFrame:
    """The rows below the header, by its names.

    With one value more than names the first one names the row, unless each line ends with a
    separator. Columns that have neither a name nor values are dropped.
    """
    rows = np.flatnonzero(cells.notna().any(axis=1))
    if not len(rows):
        raise BadTable(f"{path} is empty.")
    names, table = cells.iloc[rows[0]], cells.iloc[rows[0] + 1 :].reset_index(drop=True)
    if one_more and table.iloc[:, -1].notna().any():
        names, table = names.iloc[:-1], table.iloc[:, 1:]
    found = {}
    for position, name in enumerate(names):
        column = table.iloc[:, position]
        if pd.isna(name) and column.isna().all():
            continue
        name = f"Unnamed: {position}" if pd.isna(name) else name
        if name in found:
            raise BadTable(f"{path} has more than one column named {name!r}.")
        found[name] = column
    return pd.DataFrame(found)


def _judge(path: Path) -> tuple[str, str]:
    """The encoding of the whole file, and its beginning."""
    from pandas.io.common import get_handle

    try:
        for encoding in ["utf-16"] if _is_utf16(path) else ENCODINGS:
            try:
                with get_handle(str(path), "r", encoding=encoding, compression="infer") as handles:
                    sample = handles.handle.read(SAMPLE)
                    while handles.handle.read(SAMPLE):
                        pass
                return encoding, sample
            except UnicodeDecodeError as error:
                problem = error
        raise problem
    except Exception as error:  # of whatever the file is packed in
        raise BadTable(f"{path} cannot be read: {error}".rstrip(". ") + ".") from error


def _is_utf16(path: Path) -> bool:
    """Whether it begins with a mark of UTF-16, unpacked if need be."""
    from pandas.io.common import get_handle

    with get_handle(str(path), "rb", compression="infer", is_text=False) as handles:
        return handles.handle.read(2) in (b"\xff\xfe", b"\xfe\xff")


def _announced_separator(sample: str) -> tuple[str | None, str]:
    """The separator that spreadsheets write in a line of its own, and what follows."""
    first, _, rest = sample.partition("\n")
    first = first.strip().strip('"')
    if first.lower().startswith("sep=") and len(first) == 5:
        return first[-1], rest
    return None, sample


def _separator(sample: str) -> str:
    """The sign that divides most lines into as many columns as the first, and that most often."""

    def columns(separator: str) -> int:
        widths = _widths(sample, separator) or [1]
        alike = sum(width == widths[0] for width in widths)
        return widths[0] if alike > 0.8 * len(widths) else 1

    return max(SEPARATORS, key=columns)


def _lines(sample: str) -> list[str]:
    """The first lines, a last one that is not whole not among them."""
    lines = io.StringIO(sample, newline=None).readlines()
    return (lines[:-1] if len(lines) > 1 and len(sample) >= SAMPLE - 10 else lines)[:LINES]


def _widths(sample: str, separator: str) -> list[int]:
    """Number of values in the header and in some of the rows below it."""
    rows = csv.reader(_lines(sample), delimiter=separator)
    try:
        return [len(row) for row in rows if any(row)]
    except csv.Error:  # a quote that does not end, for instance
        return []


def _as_meant(table: pd.DataFrame, separator: str, say: Callable[[str], None]) -> pd.DataFrame:
    """Text stripped, truth values and numbers recognized."""
    columns = {}
    for name in table.columns:
        columns[name] = table[name].mask(table[name].isin(MISSING))
    reader = NumberReader(columns.values(), separator)
    for name, text in columns.items():
        lower = text.str.lower()
        if lower.isin(["true", "false"]).all():
            columns[name] = lower == "true"
            continue
        columns[name], example = reader.read(text)
        if example:
            say(f"note: {name}: {example[0]!r} is read as {example[1]:.15g}")
        elif columns[name] is text and (odd := reader.exception(text)):
            say(f"note: {name}: taken for categories because of {odd!r}; most values are numbers")
    return pd.DataFrame(columns)
