"""Optima of error-parity on the cases of the tests: ``python -m benchmarks.threshold_reference``.

Prints the dictionary ``OPTIMA`` of tests/test_threshold.py. It needs NumPy and error-parity (A. F.
Cruz and M. Hardt, version 0.3.12) with cvxpy and ecos alone, so that it runs where skfair is not
installed: error-parity asks for NumPy 1, which ``pip install --no-deps error-parity`` passes over.
"""

from __future__ import annotations

import numpy as np
from error_parity import RelaxedThresholdOptimizer

from tests.threshold_cases import CASES, TOLERANCES, Case

CONSTRAINTS = {  # our name -> theirs
    "demographic_parity": "demographic_parity",
    "equal_opportunity": "true_positive_rate_parity",
    "false_positive_rate_parity": "false_positive_rate_parity",
    "equalized_odds": "equalized_odds",
}


def optimum(case: Case, constraint: str, tolerance: float) -> float:
    """Least cost a row."""
    model = RelaxedThresholdOptimizer(
        predictor=lambda X: X,
        constraint=CONSTRAINTS[constraint],
        tolerance=tolerance,
        false_pos_cost=case.false_positive,
        false_neg_cost=case.false_negative,
        max_roc_ticks=None,
    )
    model.fit(case.scores, case.y, group=case.groups, y_scores=case.scores)
    return model.cost()


def main() -> None:
    print("OPTIMA = {")
    for name, case in CASES.items():
        for constraint in CONSTRAINTS:
            costs = [float(np.round(optimum(case, constraint, t), 9)) for t in TOLERANCES]
            print(f"    ({name!r}, {constraint!r}): {costs},")
    print("}")


if __name__ == "__main__":
    main()
