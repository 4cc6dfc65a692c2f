"""Which groups are left out."""

import numpy as np
import pytest

from skfair.metrics._acceptance import left_out


@pytest.mark.parametrize(
    ("accepted", "expected", "sizes", "found"),
    [
        ([0.3, 0.0], [0.3, 0.2], [50, 50], [1]),  # nobody
        ([0.3, 0.039], [0.3, 0.2], [50, 50], [1]),  # less than a fifth
        ([0.3, 0.041], [0.3, 0.2], [50, 50], []),  # a fifth
        ([0.3, 0.0], [0.3, 0.0], [50, 50], [1]),  # nobody, though nothing else was to be expected
        ([0.3, 0.0], [0.3, 0.2], [50, 29], []),  # too few to say
        ([0.0, 0.0], [0.3, 0.2], [50, 50], []),  # a constant decision
        ([0.02, 0.0], [0.3, 0.2], [50, 50], [0, 1]),  # hardly anybody of any group
        ([0.0, 0.0, 0.5], [0.3, 0.2, 0.5], [50, 50, 10], []),  # ... who are large enough
        ([0.0, 0.01, 0.4], [0.3, 0.2, 0.5], [50, 50, 50], [0, 1]),
    ],
)
def test_nobody_or_less_than_a_fifth_while_somebody_is_accepted(accepted, expected, sizes, found):
    assert left_out(accepted, expected, sizes).tolist() == found


def test_the_order_of_groups_does_not_matter():
    rng = np.random.default_rng(0)
    accepted, expected = rng.random((2, 8)) * [[0.2], [1]]
    sizes, order = rng.integers(10, 60, 8), rng.permutation(8)
    found = left_out(accepted[order], expected[order], sizes[order])
    assert sorted(order[found]) == left_out(accepted, expected, sizes).tolist()
