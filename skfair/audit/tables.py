"""Tables as people have them: CSV files of any dialect."""

from __future__ import annotations

import csv
import io
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.errors import EmptyDataError, ParserError

SEPARATORS = ",;\t|"
SAMPLE = 2**18  # characters by which a file is judged
MISSING = ["?"]  # beside what pandas knows


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
            na_values=MISSING,
            compression="infer",
            low_memory=False,
        )
    except EmptyDataError as error:
        raise BadTable(f"{path} is empty.") from error
    except (ParserError, UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise BadTable(f"{path} cannot be read as CSV: {error}".rstrip() + ".") from error
    table.columns = [str(name).strip() for name in table.columns]
    if not len(table):
        raise BadTable(f"{path} has a header, but no rows.")
    if table.shape[1] < 2:
        raise BadTable(
            f"{path} has one column only, {table.columns[0]!r}; columns are separated by a comma, "
            "semicolon, tab or vertical bar."
        )
    return table.apply(_as_meant)


def _judge(path: Path) -> tuple[str, str]:
    """The encoding, and the beginning of the file."""
    from pandas.io.common import get_handle

    for encoding in ("utf-8-sig", "latin-1"):
        try:
            with get_handle(str(path), "r", encoding=encoding, compression="infer") as handles:
                return encoding, handles.handle.read(SAMPLE)
        except UnicodeDecodeError:
            continue
        except (OSError, EOFError, zlib.error) as error:
            raise BadTable(f"{path} cannot be read: {error}.") from error
    raise AssertionError("every byte is Latin-1")


def _separator(sample: str) -> str:
    """The sign that divides most lines into as many columns as the first, and that most often."""
    lines = sample.splitlines(keepends=True)
    lines = lines[:-1] if len(lines) > 1 and len(sample) == SAMPLE else lines

    def columns(separator: str) -> int:
        rows = csv.reader(io.StringIO("".join(lines[:200])), delimiter=separator)
        widths = [len(row) for row in rows if row]
        alike = sum(width == widths[0] for width in widths)
        return widths[0] if alike > 0.8 * len(widths) else 1

    return max(SEPARATORS, key=columns)


def _as_meant(column: pd.Series) -> pd.Series:
    """Strip text; read numbers with a decimal comma."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column
    text = column.astype("string").str.strip()
    text = text.mask(text.isin(["", *MISSING]))
    known = text.dropna()
    if len(known) and known.str.fullmatch(r"[-+]?\d+,\d+").all():
        return pd.to_numeric(text.str.replace(",", "."))
    return text.astype(object).where(text.notna(), np.nan)
