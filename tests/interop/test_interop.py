"""Every row of the table works, and the table in the guide has every row."""

import inspect
from pathlib import Path

import pytest

from . import with_fairness, with_others, with_sklearn, with_torch  # noqa: F401
from .registry import BEGIN, END, ROWS, TABLE, table

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("entry", ROWS, ids=lambda row: f"{row.tool}: {row.what}")
def test_it_works_with(entry, tmp_path):
    if entry.missing:
        pytest.skip(f"needs {', '.join(entry.missing)}")
    takes_folder = "folder" in inspect.signature(entry.function).parameters
    entry.function(**({"folder": tmp_path} if takes_folder else {}))


def test_the_guide_has_the_table():
    """``python -m tests.interop`` writes it."""
    text = (Path(__file__).parents[2] / TABLE).read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0].strip("\n") == table().strip("\n")
    assert len(ROWS) >= 40
