"""Medical Expenditure Panel Survey (AHRQ), Panel 21."""

from __future__ import annotations

import os
from io import BytesIO
from operator import itemgetter

import pandas as pd
from sklearn.utils import Bunch

from ._base import DataSet, fetcher, load


def _convert(raw: bytes) -> pd.DataFrame:
    table = pd.read_csv(BytesIO(raw), dtype=str, keep_default_na=False)
    table["SEX"] = table["SEX"].map({"0": "Female", "1": "Male"})
    table["RACE"] = table["RACE"].map({"0": "Non-White", "1": "White"})
    return table.rename(columns={"label": "UTILIZATION"})


DATASET = DataSet(
    name="meps_panel21",
    urls=(
        "https://raw.githubusercontent.com/MEMO-TEST/Cobweb/"
        "e013b68858266fa7c98b942944f8670b1c38be8f/datasets/meps.csv",
    ),
    sha256="8f859ee50ef97b425a5270b14447dd8e554fc566584308da0a53222d01932e79",
    convert=_convert,
    features=(
        "REGION AGE SEX RACE MARRY FTSTU ACTDTY HONRDC RTHLTH MNHLTH CHDDX ANGIDX MIDX OHRTDX "
        "STRKDX EMPHDX CHBRON CHOLDX CANCERDX DIABDX JTPAIN ARTHDX ARTHTYPE ASTHDX ADHDADDX PREGNT "
        "WLKLIM ACTLIM SOCLIM COGLIM DFHEAR42 DFSEE42 ADSMOK42 PCS42 MCS42 K6SUM42 PHQ242 EMPST "
        "POVCAT INSCOV"
    ),
    numeric="AGE PCS42 MCS42 K6SUM42",
    target="UTILIZATION",
    sensitive=itemgetter(["RACE", "SEX"]),
    n_samples=15_675,
    description="""\
Medical Expenditure Panel Survey (MEPS): people of the United States, and whether they made ten or
more visits to health care in the year (``UTILIZATION`` = 1: 16.8 %).

- This is Panel 21 (HC-192, 2016), *not* the Panel 19 of much of the literature. The panel is
  inferred, from the number of rows; the source does not name it.
- Size: 15,675 people, 40 features; 1,022 rows repeat an earlier one.
- Sensitive features: RACE (non-Hispanic White 6,022, 25.3 % positive; Non-White 9,653, 11.4 %) and
  SEX (of 8,298 women 20.7 %, of 7,377 men 12.4 %).
- Codes: categories other than RACE and SEX are numbered by the source, in no order and not as in
  the survey. AGE, PCS42, MCS42 and K6SUM42 are numbers; the last three keep the survey's negative
  codes (-1 inapplicable, 6,029 rows; -9).
- Absent: HIBPDX and the survey weights.
- Source: Agency for Healthcare Research and Quality (AHRQ), https://meps.ahrq.gov, as prepared in
  https://github.com/MEMO-TEST/Cobweb.
- Terms: AHRQ's data use agreement. Statistical reporting and analysis only; no attempt to identify
  anyone; no linking to records that identify people. Cite AHRQ MEPS.
- Changed here: label renamed UTILIZATION, RACE and SEX put into words.""",
)


@fetcher(DATASET)
def fetch_meps(
    *,
    data_home: str | os.PathLike | None = None,
    as_frame: bool = True,
    return_X_y: bool = False,
    download_if_missing: bool = True,
) -> Bunch | tuple:
    """Load the MEPS data on the use of health care, Panel 21 (classification).

    {shared}

    Examples
    --------
    >>> from skfair.datasets import fetch_meps
    >>> meps = fetch_meps()  # doctest: +SKIP
    >>> meps.target.groupby(meps.sensitive_features["RACE"]).mean()  # doctest: +SKIP
    """
    return load(DATASET, data_home, as_frame, return_X_y, download_if_missing)
