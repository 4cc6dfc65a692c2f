"""COMPAS recidivism scores (ProPublica)."""

from __future__ import annotations

import os
from io import BytesIO
from operator import itemgetter

import pandas as pd
from sklearn.utils import Bunch

from ._base import DataSet, fetcher, load

_FEATURES = (
    "sex age age_cat race juv_fel_count juv_misd_count juv_other_count priors_count "
    "c_charge_degree decile_score"
)


def _convert(raw: bytes) -> pd.DataFrame:
    table = pd.read_csv(BytesIO(raw), dtype=str, keep_default_na=False)
    days = pd.to_numeric(table["days_b_screening_arrest"], errors="coerce")
    keep = (
        days.between(-30, 30)  # False where there is no number of days
        & (table["is_recid"] != "-1")
        & (table["c_charge_degree"] != "O")
        & (table["score_text"] != "N/A")
    )
    return table.loc[keep, [*_FEATURES.split(), "two_year_recid"]]


DATASET = DataSet(
    name="compas",
    urls=(
        "https://raw.githubusercontent.com/propublica/compas-analysis/"
        "bafff5da3f2e45eca6c2d5055faad269defd135a/compas-scores-two-years.csv",
    ),
    sha256="2a3e73c7825c3bdc9be8cf9d895f20cac4eaa11058eaf5fa71b741f25b607484",
    convert=_convert,
    features=_FEATURES,
    numeric="age juv_fel_count juv_misd_count juv_other_count priors_count decile_score",
    target="two_year_recid",
    sensitive=itemgetter(["race", "sex", "age_cat"]),
    n_samples=6_172,
    description="""\
COMPAS: defendants of Broward County, Florida, scored for their risk of reoffending, and whether
they did within two years (``two_year_recid``; 1, the *unfavorable* outcome: 45.5 %).

- Size: 6,172 defendants, 10 features, nothing missing.
- Sensitive features: race (African-American 3,175, 52.3 % positive; Caucasian 2,103, 39.1 %;
  Hispanic 509, 37.1 %; Other 343, 36.2 %; Asian 31, 25.8 %; Native American 11, 45.5 %), sex (of
  4,997 men 48.0 %, of 1,175 women 35.1 %) and age_cat (Less than 25, 25 - 45, Greater than 45).
- Source: J. Larson, S. Mattu, L. Kirchner and J. Angwin, ProPublica, 2016, with the story
  "Machine Bias", https://github.com/propublica/compas-analysis.
- Terms: the repository has no license file.
- Changed here: ProPublica's own filter of the 7,214 rows (screened within 30 days of the arrest, a
  known outcome, no ordinary traffic offense, a valid score); of the columns 11 are kept, no
  names, dates or case numbers.""",
)


@fetcher(DATASET)
def fetch_compas(
    *,
    data_home: str | os.PathLike | None = None,
    as_frame: bool = True,
    return_X_y: bool = False,
    download_if_missing: bool = True,
) -> Bunch | tuple:
    """Load the COMPAS recidivism data (classification).

    {shared}

    Examples
    --------
    >>> from skfair.datasets import fetch_compas
    >>> compas = fetch_compas()  # doctest: +SKIP
    >>> compas.target.groupby(compas.sensitive_features["race"]).mean()  # doctest: +SKIP
    """
    return load(DATASET, data_home, as_frame, return_X_y, download_if_missing)
