"""Invariances of fair classifiers: one function each, named after what it finds out.

Each takes an estimator, which it clones, and raises an error that says what is not as it should be.
"""

from __future__ import annotations

import copy
import inspect
import io
import pickle
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any
from unittest import SkipTest

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from ..datasets import make_biased_classification
from ..training._parameters import NetworkParameterized

Check = Callable[[Any], None]
RESPONSES = ("decision_function", "predict_proba", "predict")
ROUNDING = 1e-4  # of sums in float32, in another order
EXACT = 1e-7


# -- what an estimator can be asked ---------------------------------------------------------------


def takes(estimator: Any, metadata: str) -> bool:
    """Whether ``fit`` takes ``sensitive_features`` or ``sample_weight``, or hands it on.

    A meta-estimator is asked by scikit-learn's metadata routing; without routing, ``**kwargs`` are
    taken to be for groups.
    """
    if has_fit_parameter(estimator, metadata):
        return True
    routing = _routing_of(estimator)
    if isinstance(routing, MetadataRouter):
        return bool(routing.consumes("fit", [metadata]))
    parameters = inspect.signature(estimator.fit).parameters.values()
    has_kwargs = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    return has_kwargs and metadata == "sensitive_features"


def _routing_of(estimator: Any) -> Any:
    with sklearn.config_context(enable_metadata_routing=True):
        return get_routing_for_object(estimator)


def checks_of(estimator: Any) -> Iterator[Check]:
    """Yield the checks that apply, by the tags, parameters and methods of ``estimator``."""
    groups, weights = takes(estimator, "sensitive_features"), takes(estimator, "sample_weight")
    deterministic = not get_tags(estimator).non_deterministic
    if groups:
        yield check_no_groups_at_predict
        yield check_missing_groups
        yield check_one_group_is_an_error
        if deterministic:
            yield check_renamed_groups
            yield check_reordered_groups
            yield check_forms_of_groups
    if deterministic:
        if weights:
            yield check_weights_as_repetitions
            yield check_weight_of_zero_as_absence
        yield check_order_of_rows
        yield check_same_seed
        yield check_threads
        if hasattr(estimator, "partial_fit"):
            yield check_partial_fit_after_a_round_trip
        if "warm_start" in estimator.get_params():
            yield check_warm_start_after_a_round_trip
    yield check_global_generators
    yield check_persistence
    yield check_failed_fit


# -- data and fits --------------------------------------------------------------------------------


def _data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """225 rows of six features, y, and the groups "a" and "b", which is half as large."""
    return make_biased_classification(
        225, n_features=6, group_proportions=(2 / 3, 1 / 3), random_state=0
    )


def _fresh(estimator: Any, exact: bool = False) -> Any:
    """Return a clone with a seed; ``exact``: all rows in a step, in double precision, if it can."""
    estimator = clone(estimator)
    params = estimator.get_params()
    changes: dict[str, int | str] = {}
    trains_another = hasattr(params.get("estimator"), "get_params")  # which has the batches
    for name, value in params.items():
        kind = name.rsplit("__", 1)[-1]
        if kind == "random_state":
            changes[name] = 0
        if not exact or (trains_another and "__" not in name):
            continue
        owner = params.get(name.rpartition("__")[0], estimator)
        if kind == "batch_size" and (
            isinstance(value, Integral) or isinstance(owner, NetworkParameterized)
        ):
            changes[name] = -1
        if kind == "dtype" and value == "float32":
            changes[name] = "float64"
    return estimator.set_params(**changes)


def _fit(
    estimator: Any,
    X: Any,
    y: Any,
    groups: Any = None,
    sample_weight: Any = None,
    method: str = "fit",
    **extra: Any,
) -> Any:
    """Fit with groups and weights as far as the estimator takes them."""
    metadata = {"sensitive_features": groups, "sample_weight": sample_weight}
    given = {k: v for k, v in metadata.items() if v is not None and takes(estimator, k)}
    routes = isinstance(_routing_of(estimator), MetadataRouter)
    routed = routes and not all(has_fit_parameter(estimator, name) for name in given)
    enabled = routed or sklearn.get_config()["enable_metadata_routing"]
    with sklearn.config_context(enable_metadata_routing=enabled):
        return getattr(estimator, method)(X, y, **given, **extra)


def _answers(model: Any, X: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(getattr(model, name)(X)) for name in RESPONSES if hasattr(model, name)}


def _assert_close(found: dict, expected: dict, message: str, tolerance: float) -> None:
    """Compare scores within a tolerance; predictions only where there are no scores."""
    scores = [name for name in found if name != "predict"] or ["predict"]
    for name in scores:
        if name == "predict":
            np.testing.assert_array_equal(found[name], expected[name], err_msg=message)
        else:
            np.testing.assert_allclose(
                found[name],
                expected[name],
                rtol=tolerance,
                atol=tolerance / 10,
                err_msg=f"{message} ({name})",
            )


def _assert_same(found: dict, expected: dict, message: str) -> None:
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=f"{message} ({name})")


# -- groups ---------------------------------------------------------------------------------------


def check_no_groups_at_predict(estimator: Any) -> None:
    """Check that what was trained with groups answers without them, a single row too."""
    X, y, groups = _data()
    model = _fit(_fresh(estimator), X, y, groups)
    for rows in (X, X[:1]):
        for name, values in _answers(model, rows).items():
            assert len(values) == len(rows), f"{name} answers {len(values)} of {len(rows)} rows"


def check_missing_groups(estimator: Any) -> None:
    """Check that rows without a group train the classifier, with one warning that says so."""
    X, y, groups = _data()
    some = pd.Series(groups).where(np.arange(len(groups)) % 10 > 0)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model = _fit(_fresh(estimator), X, y, some)
    about = [
        str(w.message)
        for w in found
        if issubclass(w.category, UserWarning)
        and "sensitive_features" in str(w.message)
        and "missing" in str(w.message)
    ]
    assert len(about) == 1, (
        "fit should say once, in a UserWarning with the words 'sensitive_features' and 'missing', "
        f"that groups are missing; it said {about}"
    )
    for name, values in _answers(model, X).items():
        if name != "predict":
            assert np.isfinite(values).all(), f"{name} is not finite where groups are missing"


def check_one_group_is_an_error(estimator: Any) -> None:
    """Check that one group, with nothing to compare, is a ValueError about sensitive_features."""
    X, y, groups = _data()
    message = None
    try:
        _fit(_fresh(estimator), X, y, np.full_like(groups, "a"))
    except ValueError as error:
        message = str(error)
    assert message is not None, "fit with one group should raise a ValueError"
    assert "sensitive_features" in message, f"the error is about another thing: {message}"


def check_renamed_groups(estimator: Any) -> None:
    """Check that groups by another name, and of another type, are the same groups."""
    X, y, groups = _data()
    expected = _answers(_fit(_fresh(estimator), X, y, groups), X)
    for names in ({"a": "u", "b": "v"}, {"a": 3, "b": 12}):
        found = _answers(_fit(_fresh(estimator), X, y, pd.Series(groups).map(names)), X)
        _assert_close(found, expected, f"groups called {names} train another model", ROUNDING)


def check_reordered_groups(estimator: Any) -> None:
    """Check that it does not matter which name comes first in the alphabet."""
    X, y, groups = _data()
    expected = _answers(_fit(_fresh(estimator), X, y, groups), X)
    names = {"a": "z", "b": "y"}
    found = _answers(_fit(_fresh(estimator), X, y, pd.Series(groups).map(names)), X)
    _assert_close(found, expected, f"groups called {names} train another model", ROUNDING)


def check_forms_of_groups(estimator: Any) -> None:
    """Check that a list, a Series with another index, a DataFrame and a Categorical are alike."""
    X, y, groups = _data()
    expected = _answers(_fit(_fresh(estimator), X, y, groups), X)
    forms = (
        groups.tolist(),
        pd.Series(groups, index=np.arange(len(groups)) + 7),
        pd.DataFrame({"group": groups}),
        pd.Categorical(groups, categories=["never", "b", "a"]),
    )
    for form in forms:
        found = _answers(_fit(_fresh(estimator), X, y, form), X)
        kind = f"groups in a {type(form).__name__} train another model"
        _assert_close(found, expected, kind, ROUNDING)


# -- rows and weights -----------------------------------------------------------------------------


def check_weights_as_repetitions(estimator: Any) -> None:
    """Check that a row of weight 3 is three rows (at full batch in double precision, if it can)."""
    X, y, groups = _data()
    weights = np.random.RandomState(0).randint(0, 4, len(y))
    rows = np.repeat(np.arange(len(y)), weights)
    weighted = _fit(_fresh(estimator, exact=True), X, y, groups, sample_weight=weights)
    repeated = _fit(_fresh(estimator, exact=True), X[rows], y[rows], groups[rows])
    message = "weighted rows train another model than repeated ones"
    _assert_close(_answers(weighted, X), _answers(repeated, X), message, EXACT)


def check_weight_of_zero_as_absence(estimator: Any) -> None:
    """Check that a row of weight zero is no row, however the others come in batches."""
    X, y, groups = _data()
    kept = np.arange(len(y)) % 3 > 0
    weighted = _fit(_fresh(estimator), X, y, groups, sample_weight=kept.astype(float))
    absent = _fit(
        _fresh(estimator), X[kept], y[kept], groups[kept], sample_weight=np.ones(kept.sum())
    )
    message = "rows of weight zero have an influence"
    _assert_close(_answers(weighted, X), _answers(absent, X), message, EXACT)


def check_order_of_rows(estimator: Any) -> None:
    """Check that the order of the rows does not matter (at full batch, if there are batches)."""
    X, y, groups = _data()
    order = np.random.RandomState(0).permutation(len(y))
    model = _fit(_fresh(estimator, exact=True), X, y, groups)
    shuffled = _fit(_fresh(estimator, exact=True), X[order], y[order], groups[order])
    message = "the same rows in another order train another model"
    _assert_close(_answers(shuffled, X), _answers(model, X), message, EXACT)


# -- chance, threads and what is outside ----------------------------------------------------------


def check_same_seed(estimator: Any) -> None:
    """Check that the same data and random_state give the same model, bit for bit."""
    X, y, groups = _data()
    first, second = (_answers(_fit(_fresh(estimator), X, y, groups), X) for _ in range(2))
    _assert_same(second, first, "a second fit gives another model")


def check_threads(estimator: Any) -> None:
    """Check that fits side by side in threads are what each would be alone."""
    X, y, groups = _data()
    expected = _answers(_fit(_fresh(estimator), X, y, groups), X)
    models = joblib.Parallel(n_jobs=3, backend="threading")(
        joblib.delayed(_fit)(_fresh(estimator), X, y, groups) for _ in range(3)
    )
    for model in models:
        _assert_same(_answers(model, X), expected, "a fit beside others gives another model")


def _generators() -> dict[str, bytes]:
    """States of the global generators."""
    states = {
        "random": pickle.dumps(random.getstate()),
        "numpy": pickle.dumps(np.random.get_state()),  # noqa: NPY002
    }
    if "torch" in sys.modules:
        states["torch"] = sys.modules["torch"].get_rng_state().numpy().tobytes()
    return states


def check_global_generators(estimator: Any) -> None:
    """Check that with a random_state no global generator of Python, NumPy or torch is used."""
    X, y, groups = _data()
    before = _generators()
    model = _fit(_fresh(estimator), X, y, groups)
    _answers(pickle.loads(pickle.dumps(model)), X)
    after = _generators()
    for name, state in before.items():
        assert after[name] == state, f"the global generator of {name} was used"


# -- files and failures ---------------------------------------------------------------------------


def _dumped_by_joblib(model: Any) -> Any:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


def check_persistence(estimator: Any) -> None:
    """Check that what comes out of pickle, joblib and deepcopy answers as what went in."""
    X, y, groups = _data()
    model = _fit(_fresh(estimator), X, y, groups)
    expected = _answers(model, X)
    ways: dict[str, Callable[[Any], Any]] = {
        "pickle": lambda model: pickle.loads(pickle.dumps(model)),
        "joblib": _dumped_by_joblib,
        "deepcopy": copy.deepcopy,
    }
    for way, copied in ways.items():
        _assert_same(_answers(copied(model), X), expected, f"{way} gives another model")


def _goes_on_after_a_round_trip(model: Any, method: str) -> None:
    X, y, groups = _data()
    copied = pickle.loads(pickle.dumps(model))
    for each in (model, copied):
        _fit(each, X, y, groups, method=method)
    message = f"{method} after a round trip by pickle gives another model than without it"
    _assert_same(_answers(copied, X), _answers(model, X), message)
    n_iter = [np.max(getattr(each, "n_iter_", 0)) for each in (model, copied)]
    assert n_iter[0] == n_iter[1], f"n_iter_ is {n_iter[1]} after a round trip, not {n_iter[0]}"


def check_partial_fit_after_a_round_trip(estimator: Any) -> None:
    """Check that partial_fit after a round trip by pickle is what it is without it."""
    X, y, groups = _data()
    model = _fresh(estimator)
    _fit(model, X, y, groups, method="partial_fit", classes=np.unique(y))
    _goes_on_after_a_round_trip(model, "partial_fit")


def check_warm_start_after_a_round_trip(estimator: Any) -> None:
    """Check that a warm start after a round trip by pickle is what it is without it."""
    X, y, groups = _data()
    model = _fresh(estimator).set_params(warm_start=True)
    try:
        _fit(model, X, y, groups)
    except ValueError as error:
        if "warm_start" not in str(error):
            raise
        raise SkipTest(f"warm_start=True is refused: {error}") from error
    _goes_on_after_a_round_trip(model, "fit")


def check_failed_fit(estimator: Any) -> None:
    """Check that a fit that raises leaves the estimator as it was, fitted or not."""
    X, y, groups = _data()
    short = {"y": (y[:-1], groups)}
    if takes(estimator, "sensitive_features"):
        short["sensitive_features"] = (y, groups[:-1])
    fresh, model = _fresh(estimator), _fit(_fresh(estimator), X, y, groups)
    before, expected = set(vars(fresh)), _answers(model, X)
    attributes = set(vars(model))
    for argument, given in short.items():
        for each in (fresh, model):
            try:
                _fit(each, X, *given)
            except ValueError:
                pass
            else:
                raise AssertionError(f"fit should raise a ValueError where {argument} is too short")
        assert set(vars(fresh)) == before, "a failed fit leaves attributes behind"
        assert set(vars(model)) == attributes, "a failed fit changes what there was"
        _assert_same(_answers(model, X), expected, "a failed fit changes the model")
