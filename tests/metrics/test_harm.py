"""Which groups pay."""

import numpy as np
import pytest

from skfair.metrics._harm import left_out, worsened


@pytest.mark.parametrize(
    ("selected", "expected", "sizes", "found"),
    [
        ([0.3, 0.0], [0.3, 0.2], [50, 50], [1]),  # nobody
        ([0.3, 0.039], [0.3, 0.2], [50, 50], [1]),  # less than a fifth
        ([0.3, 0.041], [0.3, 0.2], [50, 50], []),
        ([0.3, 0.0], [0.3, 0.0], [50, 50], [1]),  # nobody, though nothing else was to be expected
        ([0.3, 0.0], [0.3, 0.2], [50, 29], []),  # too few to say
        ([0.3, np.nan], [0.3, 0.2], [50, 0], []),
        ([0.0, 0.0], [0.3, 0.2], [50, 50], []),  # a constant decision
        ([0.02, 0.0], [0.3, 0.2], [50, 50], [0, 1]),  # hardly anybody of any group
        ([0.0, 0.0, 0.5], [0.3, 0.2, 0.5], [50, 50, 10], []),  # others hardly exist
        ([0.0, 0.01, 0.4], [0.3, 0.2, 0.5], [50, 50, 50], [0, 1]),
    ],
)
def test_nobody_or_less_than_a_fifth_while_somebody_is_accepted(selected, expected, sizes, found):
    assert np.flatnonzero(left_out(selected, expected, sizes)).tolist() == found


@pytest.mark.parametrize(
    ("rate", "size", "expected"),
    [(0.19, 100, True), (0.21, 100, False), (0.19, 99, False), (np.nan, 100, False)],
)
def test_a_rate_that_falls_by_more_than_a_third(rate, size, expected):
    assert worsened([rate], [0.3], [size]).tolist() == [expected]


@pytest.mark.parametrize("rule", [left_out, worsened])
def test_the_order_of_groups_does_not_matter(rule):
    rng = np.random.default_rng(0)
    rates, expected = rng.random((2, 9)) ** [[3], [1]]
    sizes, order = rng.integers(10, 200, 9), rng.permutation(9)
    found = rule(rates, expected, sizes)
    assert found.any()
    assert (rule(rates[order], expected[order], sizes[order]) == found[order]).all()
