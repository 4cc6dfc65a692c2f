"""All or nothing: a fit that fails leaves the estimator as it was."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from sklearn.base import BaseEstimator

from .._warnings import warn
from ._callbacks import ended_callbacks
from ._outcome import FitInterruptedWarning

LARGEST_INT = 2**53  # that a float tells from the next


@contextmanager
def all_or_nothing(estimator: BaseEstimator) -> Iterator[None]:
    """Check the parameters, and leave the estimator as it was if the block fails.

    That includes a generator given as ``random_state``. An interruption is told in a warning, too,
    as those who catch it may not know what it leaves behind; filters of warnings that it kept the
    block from taking back are gone before. In the block parameters that are NumPy's numbers are
    Python's, which know no overflow.
    """
    before, filters = vars(estimator).copy(), list(warnings.filters)
    generator = getattr(estimator, "random_state", None)
    position = generator.get_state() if isinstance(generator, np.random.RandomState) else None
    params = estimator.get_params(deep=False)
    scalars = {name: value for name, value in params.items() if isinstance(value, np.number)}
    try:
        estimator._validate_params()
        for name, value in params.items():
            if isinstance(value, int) and abs(value) > LARGEST_INT:
                raise ValueError(f"{name} must be at most {LARGEST_INT}, got a larger number.")
        vars(estimator).update({name: value.item() for name, value in scalars.items()})
        with ended_callbacks(estimator):
            yield
        vars(estimator).update(scalars)
    except BaseException as error:
        vars(estimator).clear()
        vars(estimator).update(before)
        if isinstance(generator, np.random.RandomState) and position is not None:
            generator.set_state(position)
        if isinstance(error, KeyboardInterrupt) and not hasattr(error, "__notes__"):
            error.add_note("fit was interrupted; the estimator is as it was before.")
            warnings.filters[:] = filters  # type: ignore[index]  # a list, whatever the stubs say
            warn(error.__notes__[0], FitInterruptedWarning)
        raise
