"""Tables as people have them: CSV files of any dialect, and Parquet."""

from __future__ import annotations

import csv
import io
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.errors import EmptyDataError, ParserWarning

from ._columns import holds_dates
from ._errors import InputError
from ._log import Log, discard
from ._numbers import NumberReader

PARQUET_ENDINGS = (".parquet", ".pq")
SEPARATORS = ",;\t|"
ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")  # the last one knows every byte
MAX_SAMPLE_CHARACTERS, MAX_SAMPLE_LINES = 2**18, 200  # by which the separator is judged
# Texts that stand for nothing: the mark of UCI, and pandas' own but for None, which is also a word.
MISSING_VALUES = ["?", "#N/A", "#NA", "N/A", "NA", "n/a", "NULL", "null", "NaN", "nan", "<NA>"]


def read_table(path: Path, log: Log = discard) -> pd.DataFrame:
    """Read a CSV file, compressed or not, whatever its separator and decimal sign; or Parquet.

    Parameters
    ----------
    path : Path
        The file, in UTF-8 with or without a byte order mark, UTF-16 with one, or else Windows-1252
        or Latin-1. Its name tells Parquet, which has types of its own.
    log : callable
        Told, a line at a time, which columns are read otherwise than they are written.

    Returns
    -------
    pandas.DataFrame
        Names and text are stripped; ``?`` and the like are missing. Numbers may have a decimal
        comma, separators of thousands, or a sign of a currency; TRUE and true are truth values.
        Rows are numbered from 0.

    Raises
    ------
    InputError
        If there is no such file, it is empty, has no rows or one column only, or a name repeats;
        or there is nothing to read Parquet with.
    """
    if not path.exists():
        raise InputError(f"there is no file {path}.")
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a CSV or Parquet file.")
    is_parquet = path.suffix.lower() in PARQUET_ENDINGS
    table = _read_parquet(path) if is_parquet else _read_csv(path, log)
    if not len(table):
        raise InputError(f"{path} has a header, but no rows.")
    if table.shape[1] < 2:
        raise InputError(
            f"{path} has one column only, {', '.join(map(repr, table.columns))}; columns are "
            "separated by a comma, semicolon, tab or vertical bar."
        )
    return table


def _read_csv(path: Path, log: Log) -> pd.DataFrame:
    encoding, sample = _detect_encoding(path)
    announced, sample = _split_announcement(sample)
    if not sample.strip():
        raise InputError(f"{path} is empty.")
    separator = announced or _find_separator(sample)
    n_names, *n_values = _widths(sample, separator) or [1]
    one_more = set(n_values) == {n_names + 1}
    cells = _read_cells(path, encoding, separator, int(announced is not None), n_names + one_more)
    table = _with_header(cells, one_more, path)
    return _parse_values(table, separator, log)


def _read_cells(
    path: Path, encoding: str, separator: str, skipped: int, width: int
) -> pd.DataFrame:
    """Read all cells as text, the header among them; an empty one is a missing one."""
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
        raise InputError(f"{path} is empty.") from error
    except ParserWarning as error:
        raise InputError(f"{path} has rows with more values than its header has names.") from error
    except Exception as error:  # of the reader, or of whatever the file is packed in
        why = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{path} cannot be read as CSV: {why}.") from error
    cells = cells.astype(object).apply(lambda column: column.str.strip())
    return cells.mask(cells.isna() | (cells == ""))


def _with_header(cells: pd.DataFrame, one_more: bool, path: Path) -> pd.DataFrame:
    """Take the rows below the header, by its names.

    With one value more than names the first one names the row, unless each line ends with a
    separator. Columns that have neither a name nor values are dropped.
    """
    rows = np.flatnonzero(cells.notna().any(axis=1))
    if not len(rows):
        raise InputError(f"{path} is empty.")
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
            raise InputError(f"{path} has more than one column named {name!r}.")
        found[name] = column
    return pd.DataFrame(found)


def _detect_encoding(path: Path) -> tuple[str, str]:
    """Find the encoding of the whole file, and read its beginning."""
    from pandas.io.common import get_handle

    try:
        for encoding in ["utf-16"] if _is_utf16(path) else ENCODINGS:
            try:
                with get_handle(str(path), "r", encoding=encoding, compression="infer") as handles:
                    sample = handles.handle.read(MAX_SAMPLE_CHARACTERS)
                    while handles.handle.read(MAX_SAMPLE_CHARACTERS):
                        pass
                return encoding, sample
            except UnicodeDecodeError as error:
                problem = error
        raise problem
    except Exception as error:  # of whatever the file is packed in
        raise InputError(f"{path} cannot be read: {error}".rstrip(". ") + ".") from error


def _is_utf16(path: Path) -> bool:
    """Tell a file that begins with a mark of UTF-16, unpacked if need be."""
    from pandas.io.common import get_handle

    with get_handle(str(path), "rb", compression="infer", is_text=False) as handles:
        return handles.handle.read(2) in (b"\xff\xfe", b"\xfe\xff")


def _split_announcement(sample: str) -> tuple[str | None, str]:
    """Split off the separator that spreadsheets write in a line of its own."""
    first, _, rest = sample.partition("\n")
    first = first.strip().strip('"')
    if first.lower().startswith("sep=") and len(first) == 5:
        return first[-1], rest
    return None, sample


def _find_separator(sample: str) -> str:
    """Find the sign that divides most lines into as many columns as the first, and most often."""

    def columns(separator: str) -> int:
        widths = _widths(sample, separator) or [1]
        alike = sum(width == widths[0] for width in widths)
        return widths[0] if alike > 0.8 * len(widths) else 1

    return max(SEPARATORS, key=columns)


def _lines(sample: str) -> list[str]:
    """Take the first lines, but for a last one that is not whole."""
    lines = io.StringIO(sample, newline=None).readlines()
    return (lines[:-1] if len(lines) > 1 and len(sample) >= MAX_SAMPLE_CHARACTERS - 10 else lines)[
        :MAX_SAMPLE_LINES
    ]


def _widths(sample: str, separator: str) -> list[int]:
    """Count the values in the header and in some of the rows below it."""
    rows = csv.reader(_lines(sample), delimiter=separator)
    try:
        return [len(row) for row in rows if any(row)]
    except csv.Error:  # a quote that does not end, for instance
        return []


def _parse_values(table: pd.DataFrame, separator: str, log: Log) -> pd.DataFrame:
    """Recognize truth values and numbers."""
    columns = {}
    for name in table.columns:
        columns[name] = table[name].mask(table[name].isin(MISSING_VALUES))
    reader = NumberReader(columns.values(), separator)
    for name, text in columns.items():
        lower = text.str.lower()
        if lower.isin(["true", "false"]).all():
            columns[name] = lower == "true"
            continue
        columns[name], example = reader.read(text)
        if example:
            log(f"note: {name}: {example[0]!r} is read as {example[1]:.15g}")
        elif columns[name] is text and (odd := reader.exception(text)):
            log(f"note: {name}: taken for categories because of {odd!r}; most values are numbers")
    return pd.DataFrame(columns)


def _read_parquet(path: Path) -> pd.DataFrame:
    """Read numbers, truth values and dates as they are, and anything else as text.

    An index with a name is a column.
    """
    try:
        table = pd.read_parquet(path)
    except ImportError as error:
        raise InputError("Parquet files need pyarrow: python -m pip install pyarrow.") from error
    except Exception as error:  # whatever its reader raises
        why = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{path} cannot be read as Parquet: {why}.") from error
    table = table.reset_index(drop=all(name is None for name in table.index.names))
    names = [str(name).strip() for name in table.columns]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{path} has more than one column named {repeated[0]!r}.")
    columns = (_as_audited(table.iloc[:, i]) for i in range(len(names)))
    return pd.DataFrame(dict(zip(names, columns, strict=True)))


def _as_audited(column: pd.Series) -> pd.Series:
    """Return numbers and truth values by NumPy's types, dates, and other values as text."""
    whole = not column.isna().any()
    if pd.api.types.is_bool_dtype(column) and whole:
        return column.astype(bool)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        if not isinstance(column.dtype, np.dtype):
            kind = np.int64 if pd.api.types.is_integer_dtype(column) and whole else np.float64
            column = column.astype(kind)
        return column
    return column if holds_dates(column) else _as_text(column)


def dates_as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with dates as text, which is what encoders and models take."""
    return table.apply(lambda column: _as_text(column) if holds_dates(column) else column)


def _as_text(column: pd.Series) -> pd.Series:
    text = column.astype(object).map(lambda value: str(value).strip(), na_action="ignore")
    missing = text.isna() | text.isin(["", *MISSING_VALUES])
    return text.mask(missing, np.nan).astype(object)
