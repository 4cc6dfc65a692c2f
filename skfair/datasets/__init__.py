"""Data sets with sensitive features: five from the fairness literature, and one made to measure."""

from ._acs_income import fetch_acs_income
from ._adult import fetch_adult
from ._compas import fetch_compas
from ._german_credit import fetch_german_credit
from ._meps import fetch_meps
from ._synthetic import make_biased_classification

__all__ = [
    "fetch_acs_income",
    "fetch_adult",
    "fetch_compas",
    "fetch_german_credit",
    "fetch_meps",
    "make_biased_classification",
]
