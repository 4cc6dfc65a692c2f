"""Every estimator through the same invariants; a new one joins by its line in ESTIMATORS."""

from __future__ import annotations

import copy
import inspect
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from skfair import (
    DRAlignClassifier,
    FaiRNClassifier,
    LabelFlipClassifier,
    PenaltyClassifier,
    SmoothedClassifier,
)
from skfair.objectives.dralign import CRITERIA
from skfair.objectives.penalties import PENALTIES
from skfair.testing import expected_failed_checks

QUICK = {"max_epochs": 8, "batch_size": 64, "random_state": 0}
FULL = {"batch_size": -1, "dtype": "float64"}

ESTIMATORS = [
    FaiRNClassifier(),
    FaiRNClassifier(distance="gradient"),
    PenaltyClassifier(),
    PenaltyClassifier(penalty="equal_loss"),
    LabelFlipClassifier(),
    DRAlignClassifier(),
]

# Parameters that leave nothing to the position of a row: which rows are flipped is drawn from the
# members of the group as they come, unless it is all of them.
WHATEVER_THE_ORDER = {LabelFlipClassifier: {"flip_fraction": 1.0, "flip_group": "b"}}

# Estimators whose batches are drawn group by group, in the order of the groups' names.
DRAWN = {DRAlignClassifier}

SHORT = {"max_epochs": 20}  # enough for the checks, which want an accuracy of .83

CHECKED = [
    FaiRNClassifier(),
    FaiRNClassifier(early_stopping=True, **SHORT),
    FaiRNClassifier(restore_best=True, **SHORT),
    FaiRNClassifier(distance="gradient", **SHORT),
    FaiRNClassifier(**FULL, **SHORT),
    FaiRNClassifier(distance="gradient", **FULL, **SHORT),
    FaiRNClassifier(device="auto", **SHORT),
    PenaltyClassifier(),
    *(PenaltyClassifier(penalty=penalty, **SHORT) for penalty in PENALTIES),
    PenaltyClassifier(augment="mixup", **SHORT),
    PenaltyClassifier(augment="mixup", penalty="equalized_odds", **SHORT),
    PenaltyClassifier(penalty_on="holdout", **SHORT),
    *(PenaltyClassifier(sampling=sampling, **SHORT) for sampling in ("group", "group_label")),
    PenaltyClassifier(**FULL, **SHORT),
    LabelFlipClassifier(),
    LabelFlipClassifier(sampling="group_label", **SHORT),
    LabelFlipClassifier(**FULL, **SHORT),
    LabelFlipClassifier(estimator=LogisticRegression()),
    DRAlignClassifier(),
    *(DRAlignClassifier(criterion=criterion, **SHORT) for criterion in CRITERIA),
    DRAlignClassifier(align_layers=1, **SHORT),
    DRAlignClassifier(augment="mixup", **SHORT),
    DRAlignClassifier(augment="mixup", criterion="equalized_odds", **SHORT),
    DRAlignClassifier(lambda_fairness=0, **SHORT),
    DRAlignClassifier(**FULL, **SHORT),
    SmoothedClassifier(LogisticRegression(), n_samples=50),
    SmoothedClassifier(RandomForestClassifier(n_estimators=10), n_samples=50, noise="laplace"),
    SmoothedClassifier(FaiRNClassifier(**SHORT), n_samples=50, shared_noise=False),
]


@parametrize_with_checks(CHECKED, expected_failed_checks=expected_failed_checks)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("random_state", range(1, 5))
@pytest.mark.filterwarnings("ignore")
def test_no_check_fails_by_chance_of_the_seed(random_state):
    estimator = FaiRNClassifier(random_state=random_state, max_epochs=20)
    expected = expected_failed_checks(estimator)
    results = check_estimator(
        estimator, on_fail=None, on_skip=None, expected_failed_checks=expected
    )
    assert [r["check_name"] for r in results if r["status"] == "failed"] == []


def quick(estimator, **params):
    return clone(estimator).set_params(**(QUICK | params))


def full_batch(estimator):
    """In double precision and without chance: only the rows count, not how they come."""
    return quick(estimator, **FULL, **WHATEVER_THE_ORDER.get(type(estimator), {}))


@pytest.fixture(params=ESTIMATORS, ids=str)
def estimator(request):
    return request.param


def test_nothing_is_expected_to_fail_at_full_batch_in_double_precision(estimator):
    assert expected_failed_checks(quick(estimator, **FULL)) == {}
    assert expected_failed_checks(quick(estimator, **FULL, early_stopping=True)) != {}


def test_signature_states_every_parameter_and_only_keywords(estimator):
    parameters = inspect.signature(type(estimator).__init__).parameters
    assert set(parameters) - {"self"} == set(estimator.get_params())
    kinds = {p.kind for name, p in parameters.items() if name != "self"}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}
    with pytest.raises(TypeError, match="no_such_parameter"):
        type(estimator)(no_such_parameter=1)


def test_docstring_describes_every_parameter(estimator):
    doc = inspect.getdoc(type(estimator))
    assert "{" + "network_parameters}" not in doc
    for name in estimator.get_params():
        assert f"\n{name} : " in doc, name


def test_same_seed_gives_the_same_weights_bit_for_bit(estimator, biased):
    X, y, group = biased
    first, second = (
        quick(estimator, dropout=0.2).fit(X, y, sensitive_features=group) for _ in range(2)
    )
    other = quick(estimator, random_state=1).fit(X, y, sensitive_features=group)
    assert np.array_equal(first.decision_function(X), second.decision_function(X))
    assert not np.array_equal(first.decision_function(X), other.decision_function(X))


def test_number_of_threads_does_not_change_the_weights(estimator, biased):
    X, y, group = biased
    decisions, threads = [], torch.get_num_threads()
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            model = quick(estimator).fit(X, y, sensitive_features=group)
            assert torch.get_num_threads() == n
            decisions.append(model.decision_function(X))
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(*decisions)


@pytest.mark.parametrize("random_state", [0, None])
def test_fit_leaves_the_global_generators_alone(estimator, biased, random_state):
    X, y, group = biased
    np.random.seed(5)
    torch.manual_seed(5)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    model = quick(estimator, random_state=random_state, dropout=0.2, early_stopping=True)
    model.fit(X, y, sensitive_features=group).predict(X)
    pickle.loads(pickle.dumps(model))
    assert np.array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_a_row_gets_the_same_answer_whatever_is_beside_it(estimator, biased):
    X, y, group = biased
    model = quick(estimator).fit(X, y, sensitive_features=group)
    alone = np.concatenate([model.decision_function(row[np.newaxis]) for row in X[:20]])
    np.testing.assert_allclose(alone, model.decision_function(X)[:20], rtol=1e-12)


def test_group_names_do_not_matter(estimator, biased):
    X, y, group = biased
    first = quick(estimator).fit(X, y, sensitive_features=group)
    names = {"a": "z", "b": "y"}  # the order is reversed, too
    if type(estimator) in DRAWN:
        names = {"a": "y", "b": "z"}
    renamed = pd.Series(group).map(names)
    second = quick(estimator).fit(X, y, sensitive_features=renamed)
    np.testing.assert_allclose(
        first.decision_function(X), second.decision_function(X), rtol=1e-4, atol=1e-5
    )
    assert second.groups_ == ["y", "z"]


def test_order_of_rows_does_not_matter_at_full_batch(estimator, biased):
    X, y, group = biased
    order = np.random.default_rng(0).permutation(len(X))
    model = full_batch(estimator).fit(X, y, sensitive_features=group)
    shuffled = full_batch(estimator).fit(X[order], y[order], sensitive_features=group[order])
    np.testing.assert_allclose(model.decision_function(X), shuffled.decision_function(X), atol=1e-9)


def test_weights_are_repetitions_at_full_batch(estimator, biased):
    if type(estimator) in DRAWN:
        pytest.skip("rows of balanced batches are drawn, whatever their weight")
    X, y, group = biased
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    rows = np.repeat(np.arange(len(X)), weights)
    weighted = full_batch(estimator).fit(X, y, sensitive_features=group, sample_weight=weights)
    repeated = full_batch(estimator).fit(X[rows], y[rows], sensitive_features=group[rows])
    np.testing.assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), atol=1e-9
    )


def test_a_weight_of_zero_is_absence_at_any_batch_size(estimator, biased):
    X, y, group = biased
    weights = (np.arange(len(X)) % 3 > 0).astype(float)
    kept = weights > 0
    weighted = quick(estimator).fit(X, y, sensitive_features=group, sample_weight=weights)
    absent = quick(estimator).fit(
        X[kept], y[kept], sensitive_features=group[kept], sample_weight=weights[kept]
    )
    assert np.array_equal(weighted.decision_function(X), absent.decision_function(X))


def same_predictions(model, other, X):
    for method in ("decision_function", "predict_proba", "predict", "boundary_distance"):
        assert np.array_equal(getattr(model, method)(X), getattr(other, method)(X))
    histories = [each.history_.drop(columns="dur") for each in (model, other)]
    pd.testing.assert_frame_equal(*histories)
    assert model.groups_ == other.groups_
    assert model.n_iter_ == other.n_iter_


def test_pickle_and_joblib_round_trips_predict_identically(estimator, biased):
    X, y, group = biased
    model = quick(estimator).fit(X, y, sensitive_features=group)
    same_predictions(model, pickle.loads(pickle.dumps(model)), X)
    same_predictions(model, copy.deepcopy(model), X)
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    same_predictions(model, joblib.load(buffer), X)


def test_round_trip_survives_later_changes_of_parameters(estimator, biased):
    X, y, group = biased
    model = quick(estimator).fit(X, y, sensitive_features=group)
    expected = model.decision_function(X)
    model.set_params(hidden_layer_sizes=(3,), activation="tanh", dtype="float64")
    assert np.array_equal(model.decision_function(X), expected)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).decision_function(X), expected)


def test_skops_loads_with_only_our_own_types_trusted(estimator, biased):
    X, y, group = biased
    model = quick(estimator).fit(X, y, sensitive_features=group)
    data = skops.io.dumps(model)
    unknown = skops.io.get_untrusted_types(data=data)
    assert all(name.startswith("skfair.") for name in unknown)
    loaded = skops.io.loads(data, trusted=unknown)
    same_predictions(model, loaded, X)
    loaded.partial_fit(X, y, sensitive_features=group)


def test_state_is_arrays_and_builtin_types(estimator, biased):
    X, y, group = biased
    state = quick(estimator).fit(X, y, sensitive_features=group).__getstate__()

    def check(value, path):
        if isinstance(value, dict):
            for name, item in value.items():
                check(item, f"{path}.{name}")
        elif isinstance(value, (list, tuple)):
            for item in value:
                check(item, path)
        else:
            plain = (np.ndarray, str, int, float, bool, type(None))
            assert type(value) in plain or isinstance(value, np.ndarray), (path, type(value))

    check(state, "state")


def test_training_continues_after_a_round_trip_as_without_it(estimator, biased):
    X, y, group = biased
    model = quick(estimator).fit(X, y, sensitive_features=group)
    copied = pickle.loads(pickle.dumps(model))
    for each in (model, copied):
        each.partial_fit(X, y, sensitive_features=group)
    same_predictions(model, copied, X)


def test_what_was_trained_elsewhere_loads_on_a_machine_without_that_device(estimator, biased):
    X, y, group = biased
    model = quick(estimator).fit(X, y, sensitive_features=group)
    expected = model.decision_function(X)
    model.device = "cuda:7"  # as if trained there
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(loaded.decision_function(X), expected, rtol=1e-6)


def test_failure_leaves_the_estimator_as_it_was(estimator, biased):
    X, y, group = biased
    fresh = quick(estimator)
    with pytest.raises(ValueError, match="one row per sample"):
        fresh.fit(X, y, sensitive_features=group[:-1])
    assert vars(fresh) == vars(quick(estimator))
    model = quick(estimator).fit(X, y, sensitive_features=group)
    expected = model.decision_function(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.where(X > 2, np.nan, X)[:, :4], y, sensitive_features=group)
    assert model.n_features_in_ == X.shape[1]
    assert np.array_equal(model.decision_function(X), expected)


def test_fits_in_several_threads_are_what_each_would_be_alone(estimator, biased):
    X, y, group = biased
    expected = quick(estimator, dropout=0.2).fit(X, y, sensitive_features=group)
    found = joblib.Parallel(n_jobs=3, backend="threading")(
        joblib.delayed(quick(estimator, dropout=0.2).fit)(X, y, sensitive_features=group)
        for _ in range(3)
    )
    for other in found:
        assert np.array_equal(other.decision_function(X), expected.decision_function(X))
