"""Checks of an estimator, run at once or handed to pytest."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest import SkipTest

from sklearn.exceptions import EstimatorCheckFailedWarning, SkipTestWarning

from ._checks import Check, checks_of


def fair_estimator_checks_generator(estimator: Any) -> Iterator[tuple[Any, Check]]:
    """Yield the checks of :func:`check_fair_estimator` without running them.

    Parameters
    ----------
    estimator : classifier
        As in :func:`check_fair_estimator`.

    Yields
    ------
    estimator : classifier
        The one that was given.
    check : callable
        ``check(estimator)`` raises an error if the estimator does not pass. ``check.__name__`` is
        its name.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skfair.testing import fair_estimator_checks_generator
    >>> checks = fair_estimator_checks_generator(LogisticRegression())
    >>> names = [check.__name__ for _, check in checks]
    >>> "check_persistence" in names, "check_missing_groups" in names
    (True, False)
    """
    if isinstance(estimator, type):
        raise TypeError(f"estimator must be an instance, not a class: got {estimator!r}.")
    for check in checks_of(estimator):
        yield estimator, check


def check_fair_estimator(
    estimator: Any,
    *,
    expected_failed_checks: Mapping[str, str] | None = None,
    on_skip: str | None = "warn",
    on_fail: str | None = "raise",
) -> list[dict[str, Any]]:
    """Check what a fair classifier owes its users, beyond what scikit-learn's checks ask for.

    Those of :func:`~sklearn.utils.estimator_checks.check_estimator` pass no groups, so that they
    never see a fairness term. Which of these here apply is told from the estimator's tags, its
    parameters and the arguments of its ``fit``:

    - groups (if ``fit`` takes or routes ``sensitive_features``): none is needed to predict; they
      may be missing for some rows, with a warning; one alone is an error; their names and the
      table they come in make no difference;
    - rows: a weight is so many repetitions, a weight of zero absence (if ``fit`` takes
      ``sample_weight``); their order makes no difference;
    - chance: the same seed gives the same model, in threads too, and no global generator is used
      (not of an estimator with the tag ``non_deterministic``);
    - life: pickle, joblib and deepcopy keep what was learnt; training goes on after a round trip
      as without it (if there is ``partial_fit`` or ``warm_start``); a fit that fails leaves the
      estimator as it was.

    Parameters
    ----------
    estimator : classifier
        Any estimator with ``fit``, ``predict``, ``get_params`` and ``set_params``; it is cloned. It
        is fitted some fifty times to 225 rows, so set few epochs. Every ``random_state`` is set
        to 0. Where a check asks for exactness, a ``batch_size`` that is a number is set to -1, and
        a ``dtype`` of "float32" to "float64".
    expected_failed_checks : dict of str to str, default=None
        Names of checks that the estimator does not pass by nature, and why; for an estimator of
        skfair, those of :func:`expected_failed_checks`.
    on_skip : {"warn"} or None, default="warn"
        What is done about a check that cannot run.
    on_fail : {"raise", "warn"} or None, default="raise"
        What is done about a check that fails although it is not expected to.

    Returns
    -------
    list of dict
        For each check ``estimator``, ``check_name``, ``exception``, ``status`` ("passed", "failed",
        "xfail" or "skipped"), ``expected_to_fail`` and ``expected_to_fail_reason``, as from
        scikit-learn.

    Raises
    ------
    AssertionError or Exception
        What the first failed check raises, with ``on_fail="raise"``.

    Examples
    --------
    >>> from skfair import FaiRNClassifier
    >>> from skfair.testing import check_fair_estimator
    >>> results = check_fair_estimator(FaiRNClassifier(hidden_layer_sizes=(4,), max_epochs=2))
    >>> {result["status"] for result in results}
    {'passed'}
    """
    for name, value, known in (("on_skip", on_skip, ("warn",)), ("on_fail", on_fail, ON_FAIL)):
        if value is not None and value not in known:
            raise ValueError(f"{name} must be None or one of {list(known)}, got {value!r}.")
    expected = expected_failed_checks or {}
    results = []
    for _, check in fair_estimator_checks_generator(estimator):
        reason = expected.get(check.__name__)
        status, exception = _run(check, estimator, reason is not None)
        if exception is not None and status == "failed" and on_fail == "raise":
            raise exception
        results.append(
            {
                "estimator": estimator,
                "check_name": check.__name__,
                "exception": exception,
                "status": status,
                "expected_to_fail": reason is not None,
                "expected_to_fail_reason": reason,
            }
        )
        if status == "failed" and on_fail == "warn":
            warnings.warn(EstimatorCheckFailedWarning(**results[-1]), stacklevel=2)
        if status == "skipped" and on_skip == "warn":
            warnings.warn(f"{check.__name__}: {exception}", SkipTestWarning, stacklevel=2)
    return results


ON_FAIL = ("raise", "warn")


def _run(check: Check, estimator: Any, may_fail: bool) -> tuple[str, Exception | None]:
    try:
        check(estimator)
    except SkipTest as skipped:
        return "skipped", skipped
    except Exception as error:  # one of another kind is no failure that was expected
        return "xfail" if may_fail and isinstance(error, AssertionError) else "failed", error
    return "passed", None


def parametrize_with_fair_checks(
    estimators: Sequence[Any],
    *,
    expected_failed_checks: Callable[[Any], Mapping[str, str]] | None = None,
) -> Any:
    """Make a test of pytest run once for each check of each estimator.

    Parameters
    ----------
    estimators : list of classifiers
        As in :func:`check_fair_estimator`.
    expected_failed_checks : callable, default=None
        Called with an estimator, it returns names of checks and reasons; these tests are marked as
        expected failures.

    Returns
    -------
    pytest.MarkDecorator
        For a test with the arguments ``estimator`` and ``check``.

    Examples
    --------
    >>> from skfair import FaiRNClassifier
    >>> from skfair.testing import parametrize_with_fair_checks
    >>> @parametrize_with_fair_checks([FaiRNClassifier(max_epochs=2)])
    ... def test_fair_estimator_checks(estimator, check):
    ...     check(estimator)
    """
    import pytest

    cases = []
    for estimator in estimators:
        reasons = expected_failed_checks(estimator) if expected_failed_checks else {}
        name = repr(estimator)
        for _, check in fair_estimator_checks_generator(estimator):
            reason = reasons.get(check.__name__)
            xfail = pytest.mark.xfail(reason=reason or "", raises=AssertionError)
            marks = () if reason is None else xfail
            cases.append(pytest.param(estimator, check, marks=marks, id=f"{name}-{check.__name__}"))
    return pytest.mark.parametrize(("estimator", "check"), cases)
