"""Write the rows into the table of the guide: ``python -m tests.interop``."""

from pathlib import Path

from . import with_fairness, with_others, with_sklearn, with_torch  # noqa: F401
from .registry import BEGIN, END, TABLE, table

if __name__ == "__main__":
    path = Path(TABLE)
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")
