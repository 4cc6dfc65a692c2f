"""Classifiers in a line: what they are, not only how their class is called."""

from __future__ import annotations

from numbers import Real
from typing import Any

# parameters of this package's classifiers that weigh fairness, and that say which kind
WEIGHT_PARAMETERS = ("lambda_", "alpha", "beta", "flip_fraction")
KIND_PARAMETERS = ("penalty", "criterion")


def describe(estimator: Any) -> str:
    """Describe a classifier in a line: what decides, how much fairness weighs, what comes before.

    Parameters
    ----------
    estimator : classifier
        Pipelines and searches are named by what they end in.

    Returns
    -------
    str
        Such as "Fair and robust neural network (FaiR-N), lambda_fairness 0.5, lambda_robustness
        0.1, after ColumnTransformer".
    """
    before, searches = [], []
    while hasattr(estimator, "best_estimator_") or hasattr(estimator, "steps"):
        if hasattr(estimator, "best_estimator_"):
            searches.append(f", chosen by {type(estimator).__name__}")
            estimator = estimator.best_estimator_
        else:
            *steps, (_, estimator) = estimator.steps
            before += [type(step).__name__ for _, step in steps if not isinstance(step, str)]
    after = f", after {' and '.join(before)}" if before else ""
    return _describe_last(estimator) + after + "".join(searches)


def _describe_last(estimator: Any) -> str:
    name, own = type(estimator).__name__, type(estimator).__module__.startswith("skfair.")
    parameters = estimator.get_params(deep=False) if hasattr(estimator, "get_params") else {}
    inner = parameters.get("estimator")
    inside = "" if inner is None else f" of {describe(inner)}"
    if not own:
        return name + inside
    weights = {
        k: v for k, v in parameters.items() if k.startswith(WEIGHT_PARAMETERS) and _is_number(v)
    }
    kinds = {k: v for k, v in parameters.items() if k in KIND_PARAMETERS and isinstance(v, str)}
    if weights and not any(weights.values()):
        return f"plain neural network ({name} with all fairness weights 0){inside}"
    what = (type(estimator).__doc__ or name).strip().splitlines()[0].rstrip(".")
    settings = [f"{k} {v}" for k, v in kinds.items()] + [f"{k} {v:g}" for k, v in weights.items()]
    return ", ".join([what + inside, *settings])


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
