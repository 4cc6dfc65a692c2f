"""Numbers as people write them: decimal commas, thousands, currencies."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

MAX_SAMPLE_VALUES = 10_000  # of a column, by which the decimal sign of the file is judged
MIN_NUMBER_SHARE = 0.9  # in a column, that makes one wonder about the other values
CURRENCY = r"[$€£¥]"
# A group of three digits may be divided from the next by these where they mean nothing else.
SPACES = "[ '’\u00a0\u2009\u202f]"
EXPONENT = r"([eE][-+]?\d+)?"
POINT = rf"[-+]?(\d+(\.\d*)?|\.\d+){EXPONENT}"
POINT_GROUPED = rf"{POINT}|[-+]?[1-9]\d{{0,2}}(,\d{{3}})+(\.\d*)?"
COMMA = rf"[-+]?(\d+|[1-9]\d{{0,2}}(\.\d{{3}})+)(,\d*)?{EXPONENT}|[-+]?,\d+"


class NumberReader:
    """Tells numbers from text, in a file in which one sign is the decimal one.

    A sign is the decimal one where it can be nothing else: in ``2,5`` or ``1.234,5`` the comma, in
    ``2.5`` or ``1,234.5`` the point. ``1,045`` alone is either; columns like it follow the others
    of the file, and where these do not tell, a comma is the decimal sign in files separated by
    semicolons, and divides thousands elsewhere.

    Parameters
    ----------
    columns : iterable of Series of str or NaN
        All columns of the file.
    separator : str
        Of its columns.
    """

    def __init__(self, columns: Iterable[pd.Series], separator: str) -> None:
        verdicts = [_decimal_sign(column.dropna().iloc[:MAX_SAMPLE_VALUES]) for column in columns]
        comma, point = verdicts.count(","), verdicts.count(".")
        self.comma = separator == ";" if comma == point else comma > point

    def read(self, text: pd.Series) -> tuple[pd.Series, tuple[str, float] | None]:
        """Read a column.

        Parameters
        ----------
        text : Series of str or NaN
            As it is written, stripped.

        Returns
        -------
        column : Series
            Numbers if all are such, else the text.
        example : (str, float) or None
            One that is written otherwise than it is read.
        """
        known = text.dropna()
        if known.empty:
            return text.astype(float), None
        plain = self._read_plain(text, known)
        if plain is not None:
            return plain, None
        bare = _strip_marks(known)
        if self.comma and _all_match(bare, COMMA) or not _all_match(bare, POINT_GROUPED):
            if not _all_match(bare, COMMA):
                return text, None
            bare = bare.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
        else:
            bare = bare.str.replace(",", "", regex=False)
        numbers = pd.to_numeric(bare)
        changed = known.index[(known != bare).to_numpy()]
        example = (known[changed[0]], float(numbers[changed[0]]))
        return numbers.reindex(text.index), example

    def exception(self, text: pd.Series) -> str | None:
        """Find the value that makes text of a column in which nearly all are numbers."""
        known = text.dropna()
        bare = _strip_marks(known)
        numbers = np.zeros(len(bare), dtype=bool)
        for pattern in (POINT_GROUPED, COMMA):
            numbers |= bare.str.fullmatch(pattern).to_numpy(bool)
        return str(known[~numbers].iloc[0]) if MIN_NUMBER_SHARE <= numbers.mean() < 1 else None

    def _read_plain(self, text: pd.Series, known: pd.Series) -> pd.Series | None:
        """Read numbers that need no second look: 1.045 does where the comma is the decimal sign."""
        numbers = pd.to_numeric(text, errors="coerce")
        if numbers.isna().sum() > text.isna().sum():
            return None
        dotted = known.str.contains(".", regex=False)
        grouped = self.comma and dotted.any() and _all_match(known, COMMA)
        return None if grouped else numbers


def read_number(text: str) -> list[float]:
    """Read what a number may mean that is written with a decimal comma or with thousands."""
    bare = _strip_marks(pd.Series([text.strip()], dtype=object))
    meant = []
    if _all_match(bare, POINT_GROUPED):
        meant.append(float(bare[0].replace(",", "")))
    if _all_match(bare, COMMA):
        meant.append(float(bare[0].replace(".", "").replace(",", ".")))
    return meant


def _decimal_sign(known: pd.Series) -> str:
    """Find the sign that can only be the decimal one in a column of numbers, else nothing."""
    bare = _strip_marks(known)
    if bare.empty or not bare.str.contains("[.,]").any():
        return ""
    point, comma = _all_match(bare, POINT_GROUPED), _all_match(bare, COMMA)
    return {(True, False): ".", (False, True): ","}.get((point, comma), "")


def _strip_marks(known: pd.Series) -> pd.Series:
    """Strip signs of a currency or per cent, and spaces between groups of three digits."""
    bare = known.str.replace(rf"^([-+]?)\s*{CURRENCY}\s*|\s*({CURRENCY}|%)$", r"\1", regex=True)
    grouped = rf"[-+]?\d{{1,3}}({SPACES}\d{{3}})+([.,]\d*)?"
    found = bare.str.fullmatch(grouped).to_numpy(bool)
    return bare.where(~found, bare.str.replace(SPACES, "", regex=True))


def _all_match(values: pd.Series, pattern: str) -> bool:
    return bool(np.all(values.str.fullmatch(pattern).to_numpy(bool)))
