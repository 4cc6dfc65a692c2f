"""Income in the American Community Survey (U.S. Census Bureau), 2018."""

from __future__ import annotations

import os
from io import BytesIO
from operator import itemgetter

import pandas as pd
from sklearn.utils import Bunch

from ._base import DataSet, fetcher, load

_SOURCE = (
    "https://raw.githubusercontent.com/dssg/aequitas/4dc71c69cdf15f3dfa53638665d722f5f1763bad/"
    "datasets/FolkTables/"
)
_FEATURES = "AGEP COW SCHL MAR OCCP POBP RELP WKHP SEX RAC1P"


def _convert(validation: bytes, test: bytes) -> pd.DataFrame:
    columns = [*_FEATURES.split(), "PINCP"]
    parts = [pd.read_parquet(BytesIO(raw))[columns] for raw in (validation, test)]
    parts[1] = parts[1].iloc[: len(parts[1]) // 2]
    tables = [
        part.astype(float).astype(int).assign(split=split)
        for part, split in zip(parts, ("train", "test"), strict=True)
    ]
    table = pd.concat(tables)
    return table.assign(RAC1P=table["RAC1P"] + 1).astype(str)  # the source counts from 0


DATASET = DataSet(
    name="acs_income",
    urls=(_SOURCE + "ACSIncome.validation.parquet", _SOURCE + "ACSIncome.test.parquet"),
    sha256="36d85f8780599452d2f50f9b67b32619097ff19df8ebddf4d5cbaf1ba3d2517f",
    convert=_convert,
    features=_FEATURES,
    numeric="AGEP SCHL WKHP",
    target="PINCP",
    sensitive=itemgetter(["SEX", "RAC1P"]),
    n_samples=499_350,
    split=True,
    description="""\
American Community Survey 2018, task ACSIncome: people of the United States who work, and whether
one earns more than 50,000 dollars a year (``PINCP`` = 1: 36.9 %).

- Size: 499,350 people, 10 features; 332,900 for training and 166,450 for testing, in this order.
  They are two disjoint fifths of the survey (of the second, the first half), all states together.
- Features: AGEP age, COW class of worker, SCHL schooling (24 ordered steps), MAR marital status,
  OCCP occupation (529 codes), POBP place of birth (223), RELP relationship, WKHP hours a week, SEX,
  RAC1P race. All but AGEP, SCHL and WKHP are codes without order, and categories here.
- Sensitive features: SEX (of 260,105 men, 1, 44.2 % are positive; of 239,245 women, 2, 28.9 %) and
  RAC1P (nine groups, from 1, white alone, 389,156 and 39.1 %, to 4, Alaska Native alone, 269 and
  18.6 %).
- Missing: none.
- Source: U.S. Census Bureau, public use microdata, as prepared in folktables and stored in Parquet
  files (which pandas reads with pyarrow) in https://github.com/dssg/aequitas. The whole survey,
  not divided, is in fairlearn.datasets.fetch_acs_income.
- Terms: public use microdata of the Census Bureau. Cite F. Ding, M. Hardt, J. Miller, L. Schmidt,
  Retiring Adult, NeurIPS 2021, who caution that the threshold and the choice of people (16 and
  older, working, with an income of at least 100 dollars) shape every figure.
- Changed here: codes are whole numbers, RAC1P counts from 1 as in the survey, row numbers are left
  out.""",
)


@fetcher(DATASET)
def fetch_acs_income(
    *,
    data_home: str | os.PathLike | None = None,
    as_frame: bool = True,
    return_X_y: bool = False,
    download_if_missing: bool = True,
) -> Bunch | tuple:
    """Load the ACSIncome data of the American Community Survey (classification).

    {shared}

    Examples
    --------
    >>> from skfair.datasets import fetch_acs_income
    >>> acs = fetch_acs_income()  # doctest: +SKIP
    >>> train = acs.split == "train"  # doctest: +SKIP
    >>> X_train, y_train = acs.data[train], acs.target[train]  # doctest: +SKIP
    """
    return load(DATASET, data_home, as_frame, return_X_y, download_if_missing)
