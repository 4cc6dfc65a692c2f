"""What a fair classifier promises, as checks that any estimator can be run through."""

from ._expected import expected_failed_checks
from ._runner import (
    check_fair_estimator,
    fair_estimator_checks_generator,
    parametrize_with_fair_checks,
)

__all__ = [
    "check_fair_estimator",
    "expected_failed_checks",
    "fair_estimator_checks_generator",
    "parametrize_with_fair_checks",
]
