"""How many random cases the fuzz modules try, in CI and with ``-m slow``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

SPEED = [
    pytest.param(False, id="quick"),
    pytest.param(True, id="many", marks=[pytest.mark.slow, pytest.mark.many]),
]


def settle(n: int, slow: bool) -> Callable:
    """The same ``n`` cases in every run, ten times as many if ``slow``."""
    return settings(
        max_examples=10 * n if slow else n,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
