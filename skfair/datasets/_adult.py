"""Adult census income (UCI)."""

from __future__ import annotations

import os
from io import BytesIO
from operator import itemgetter

import pandas as pd
from sklearn.utils import Bunch

from ._base import DataSet, fetcher, load

_PUBLISHER = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/"
_FEATURES = (
    "age workclass fnlwgt education education-num marital-status occupation relationship race sex "
    "capital-gain capital-loss hours-per-week native-country"
)


def _convert(train: bytes, test: bytes) -> pd.DataFrame:
    tables = [
        pd.read_csv(
            BytesIO(raw),
            names=[*_FEATURES.split(), "income"],
            comment="|",  # the test file opens with "|1x3 Cross validator"
            skipinitialspace=True,
            dtype=str,
            keep_default_na=False,
        ).assign(split=split)
        for raw, split in [(train, "train"), (test, "test")]
    ]
    table = pd.concat(tables).replace("?", "")
    return table.assign(income=table["income"].str.rstrip("."))


DATASET = DataSet(
    name="adult",
    urls=(_PUBLISHER + "adult.data", _PUBLISHER + "adult.test"),
    sha256="bf0482767305b8e0fdea738fe4e72ec6ee531a69f99ed34cc196f741c7c43298",
    convert=_convert,
    features=_FEATURES,
    numeric="age fnlwgt education-num capital-gain capital-loss hours-per-week",
    target="income",
    sensitive=itemgetter(["sex", "race"]),
    n_samples=48_842,
    split=True,
    description="""\
Adult census income: people of the 1994 United States census, and whether one earns more than
50,000 dollars a year (``income``, ">50K": 23.9 %).

- Size: 48,842 people, 14 features; the source's split has 32,561 for training and 16,281 for
  testing, in this order.
- Sensitive features: sex (of 32,650 men 30.4 % are positive, of 16,192 women 10.9 %) and race
  (White 25.4 %, Black 12.1 %, Asian-Pac-Islander 26.9 %, Amer-Indian-Eskimo 11.7 %, Other 12.3 %).
- Missing: workclass, occupation or native-country, in 3,620 rows.
- Source: R. Kohavi and B. Becker, UCI Machine Learning Repository, 1996,
  https://archive.ics.uci.edu/dataset/2/adult.
- Terms: the files state none.
- Changed here: a header, missing values left empty, no full stop after the test part's labels.""",
)


@fetcher(DATASET)
def fetch_adult(
    *,
    data_home: str | os.PathLike | None = None,
    as_frame: bool = True,
    return_X_y: bool = False,
    download_if_missing: bool = True,
) -> Bunch | tuple:
    """Load the Adult census income data (classification).

    {shared}

    Examples
    --------
    >>> from skfair.datasets import fetch_adult
    >>> adult = fetch_adult()  # doctest: +SKIP
    >>> train = adult.split == "train"  # doctest: +SKIP
    >>> X_train, y_train = adult.data[train], adult.target[train]  # doctest: +SKIP
    """
    return load(DATASET, data_home, as_frame, return_X_y, download_if_missing)
