"""Statlog German credit (UCI)."""

from __future__ import annotations

import os
from io import BytesIO

import pandas as pd
from sklearn.utils import Bunch

from ._base import DataSet, fetcher, load

_RAW_FEATURES = (
    "checking_status duration credit_history purpose credit_amount savings_status employment "
    "installment_commitment personal_status other_parties residence_since property_magnitude age "
    "other_payment_plans housing existing_credits job num_dependents own_telephone foreign_worker"
)

# The code book: the first code of an attribute, and the wording of its codes in order. A47 and A95
# do not occur in the data.
_CODE_BOOK = {
    "A11": "<0 DM; 0<=X<200 DM; >=200 DM; no checking account",
    "A30": "no credits taken/all paid back duly; all credits at this bank paid back duly; "
    "existing credits paid back duly till now; delay in paying off in the past; "
    "critical account/other credits existing",
    "A40": "car (new); car (used); furniture/equipment; radio/television; domestic appliances; "
    "repairs; education; vacation; retraining; business; others",
    "A61": "<100 DM; 100<=X<500 DM; 500<=X<1000 DM; >=1000 DM; unknown/no savings account",
    "A71": "unemployed; <1 year; 1<=X<4 years; 4<=X<7 years; >=7 years",
    "A91": "male: divorced/separated; female: divorced/separated/married; male: single; "
    "male: married/widowed; female: single",
    "A101": "none; co-applicant; guarantor",
    "A121": "real estate; building society savings agreement/life insurance; car or other; "
    "unknown/no property",
    "A141": "bank; stores; none",
    "A151": "rent; own; for free",
    "A171": "unemployed/unskilled non-resident; unskilled resident; skilled employee/official; "
    "management/self-employed/highly qualified",
    "A191": "none; yes",
    "A201": "yes; no",
}
_WORDING = {
    f"{first[:-1]}{number}": wording
    for first, wordings in _CODE_BOOK.items()
    for number, wording in enumerate(wordings.split("; "), int(first[-1]))
}


def _convert(raw: bytes) -> pd.DataFrame:
    columns = [*_RAW_FEATURES.split(), "class"]
    table = pd.read_csv(BytesIO(raw), sep=r"\s+", names=columns, dtype=str, keep_default_na=False)
    table = table.replace(_WORDING)
    label = table.pop("class").replace({"1": "good", "2": "bad"})
    return table.assign(sex=table["personal_status"].str.split(":").str[0], **{"class": label})


def _sensitive(table: pd.DataFrame) -> pd.DataFrame:
    age_group = pd.cut(table["age"], [0, 25, 200], labels=["<=25", ">25"], ordered=False)
    return table.assign(age_group=age_group)[["sex", "age_group", "foreign_worker"]]


DATASET = DataSet(
    name="german_credit",
    urls=("https://archive.ics.uci.edu/ml/machine-learning-databases/statlog/german/german.data",),
    sha256="99968ec59f3bf49cae59b45c0a1096b28c2f2adb726b65d1178c60615182405c",
    convert=_convert,
    features=_RAW_FEATURES + " sex",
    numeric=(
        "duration credit_amount installment_commitment residence_since age existing_credits "
        "num_dependents"
    ),
    target="class",
    sensitive=_sensitive,
    n_samples=1_000,
    description="""\
Statlog German credit: applicants for a loan, and whether they are a good or a bad risk (``class``,
"good": 70.0 %).

- Size: 1,000 applicants, 21 features, nothing missing.
- Sensitive features: sex (of 690 men 72.3 % are good, of 310 women 64.8 %), age_group (">25": 810,
  72.8 %; "<=25": 190, 57.9 %; derived from age), foreign_worker (yes: 963, 69.3 %; no: 37, 89.2 %).
- Beware: sex is the part of personal_status before the colon, and no single woman occurs in the
  data; the literature reports errors in the coding of this file.
- Source: H. Hofmann, UCI Machine Learning Repository,
  https://archive.ics.uci.edu/dataset/144/statlog+german+credit+data.
- Terms: none are stated for the data.
- Changed here: columns named, codes put into words by the source's code book, sex added.""",
)


@fetcher(DATASET)
def fetch_german_credit(
    *,
    data_home: str | os.PathLike | None = None,
    as_frame: bool = True,
    return_X_y: bool = False,
    download_if_missing: bool = True,
) -> Bunch | tuple:
    """Load the Statlog German credit data (classification).

    {shared}

    Examples
    --------
    >>> from skfair.datasets import fetch_german_credit
    >>> credit = fetch_german_credit()  # doctest: +SKIP
    >>> credit.target.groupby(credit.sensitive_features["sex"]).value_counts()  # doctest: +SKIP
    """
    return load(DATASET, data_home, as_frame, return_X_y, download_if_missing)
