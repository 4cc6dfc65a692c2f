"""What is said of the largest difference between groups."""

import numpy as np

from skfair.audit._intervals import Rates
from skfair.audit._measures import SELECTION_RATE
from skfair.audit._rows import gap_sentence


def gap_of(hits, cases, min_cases=30):
    hits, cases = (np.array([*x, sum(x)], dtype=float) for x in (hits, cases))
    rates = Rates(hits, cases)
    gap = rates.gap(0.95, min_cases)
    return gap_sentence(SELECTION_RATE, gap, rates, ["a", "b", "c"], 0.95, min_cases)


class TestGapSentence:
    def test_the_pair_is_named_with_its_values(self):
        says = gap_of([1020, 1082, 6], [1502, 1281, 11])
        assert says.startswith("b (84.5%) and a (67.9%) differ most, by 16.6 points; the largest")
        assert "Surest" not in says

    def test_the_surest_pair_is_named_if_it_is_another(self):
        says = gap_of([1020, 1082, 6], [1502, 1281, 11], min_cases=10)
        assert says.startswith("b (84.5%) and c (54.5%) differ most, by 29.9 points")
        assert "Surest is that of b (84.5%) and a (67.9%): 12." in says

    def test_zero_in_the_interval_is_not_called_chance(self):
        says = gap_of([50, 55, 52], [100, 100, 100])
        assert "these data do not show a difference between groups, nor that there is none" in says
        assert "chance" not in says
        assert gap_of([0, 0, 0], [50, 50, 50]).startswith("All groups have the same, 0.0%: these")

    def test_too_few(self):
        assert gap_of([5, 5, 50], [10, 10, 100]) == (
            "Fewer than two groups have 30 cases of this measure: nothing to compare."
        )
