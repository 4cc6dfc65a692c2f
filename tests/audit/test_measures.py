"""Measures are found by name, and written in one way."""

import numpy as np

from skfair.audit._formats import percent
from skfair.audit._measures import BURDEN, MEASURES, SELECTION_RATE, Measure, find_measure


def test_numbers_are_rounded_in_one_place():
    assert percent(0.2756) == find_measure("selection rate by sex").format(0.2756) == "27.6%"
    assert find_measure("change of job").format(0.2756) == "27.6%"
    assert SELECTION_RATE.format_difference(0.2756) == "27.6"
    assert find_measure("selection rate ratio, test part").format(0.7996) == "0.800"
    assert BURDEN.format(0.00123) == "0.0012"
    assert BURDEN.format(np.nan) == SELECTION_RATE.format_difference(np.nan) == "–"


def test_measures_are_found_by_name_whatever_follows():
    for measure in MEASURES:
        for suffix in ("", " by sex", ", training part"):
            assert find_measure(measure.name + suffix) is measure
    assert find_measure("burdens") == Measure("burdens")
