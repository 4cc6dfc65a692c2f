"""Every estimator through the same invariants; a new one joins by its line in ESTIMATORS."""

from __future__ import annotations

import inspect
import pickle
import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from skfair import (
    DRAlignClassifier,
    FairFeaturesClassifier,
    FaiRNClassifier,
    FairThresholdClassifier,
    LabelFlipClassifier,
    MarginClassifier,
    NetworkClassifier,
    PenaltyClassifier,
    PivotClassifier,
    SmoothedClassifier,
)
from skfair.objectives.dralign import CRITERIA
from skfair.objectives.penalties import PENALTIES
from skfair.testing import expected_failed_checks, parametrize_with_fair_checks

from .grouped import (
    BY_LABEL,
    GroupedDRAlign,
    GroupedFairFeatures,
    GroupedFaiRN,
    GroupedLabelFlip,
    GroupedMargin,
    GroupedPenalty,
    GroupedPivot,
    GroupedThreshold,
    counted_fits,
)

# few epochs are enough
pytestmark = [
    pytest.mark.filterwarnings("ignore:The fitted"),
    pytest.mark.filterwarnings("ignore:The adversary of PivotClassifier"),
]

QUICK = {"max_epochs": 3, "batch_size": 64, "hidden_layer_sizes": (8,), "random_state": 0}
FULL = {"batch_size": -1, "dtype": "float64"}
SHORT = {"max_epochs": 5, "lr": 0.05, "hidden_layer_sizes": (32,)}  # an accuracy of .83
# the same in smaller steps: adversaries need the time, signs of FaiR-N's gaps flip in larger ones
STEADY = SHORT | {"max_epochs": 10, "lr": 0.02}

ESTIMATORS = [
    NetworkClassifier(),
    FaiRNClassifier(),
    FaiRNClassifier(distance="gradient"),
    PenaltyClassifier(),
    PenaltyClassifier(penalty="equal_loss"),
    MarginClassifier(),
    MarginClassifier(penalty="equal_loss"),
    LabelFlipClassifier(),
    DRAlignClassifier(),
    FairFeaturesClassifier(),
    PivotClassifier(),
]

# -- scikit-learn's checks ------------------------------------------------------------------------

# Without groups: every network of another kind, and what is around any classifier.
PLAIN = [
    FaiRNClassifier(early_stopping=True, **SHORT),
    NetworkClassifier(**SHORT),
    NetworkClassifier(sampling="group_label", **SHORT),
    NetworkClassifier(**FULL, **SHORT),
    NetworkClassifier(focal=2.0, **SHORT),
    MarginClassifier(**SHORT),
    FairFeaturesClassifier(**SHORT),
    PivotClassifier(**SHORT),
    LabelFlipClassifier(**SHORT),
    LabelFlipClassifier(estimator=LogisticRegression()),
    FairThresholdClassifier(LogisticRegression()),
    FairThresholdClassifier(LinearSVC()),
    SmoothedClassifier(LogisticRegression(), n_samples=50),
    SmoothedClassifier(RandomForestClassifier(n_estimators=10), n_samples=50, noise="laplace"),
    SmoothedClassifier(FaiRNClassifier(**SHORT), n_samples=50, shared_noise=False),
]

# With groups, which they find in X: every objective.
FEW_FLIPS = {"flip_group": "even", "flip_fraction": 0.1}
GROUPED = [
    GroupedFaiRN(**SHORT),
    GroupedFaiRN(**FULL, **STEADY),
    GroupedFaiRN(distance="gradient", **FULL, **STEADY),
    GroupedPenalty(**SHORT),
    *(GroupedPenalty(penalty=penalty, **FULL, **SHORT) for penalty in PENALTIES),
    GroupedPenalty(augment="mixup", penalty="equalized_odds", **SHORT),
    GroupedPenalty(penalty_on="holdout", holdout_fraction=0.5, **SHORT),
    GroupedMargin(penalty="equal_loss", **SHORT),
    GroupedMargin(penalty="max_min", **FULL, **SHORT),
    GroupedMargin(penalty="equal_loss", penalty_on="holdout", holdout_fraction=0.5, **SHORT),
    GroupedLabelFlip(**FEW_FLIPS, **FULL, **SHORT),
    GroupedLabelFlip(estimator=LogisticRegression(), flip_fraction=0.1),
    *(GroupedDRAlign(criterion=criterion, **SHORT) for criterion in CRITERIA),
    GroupedDRAlign(augment="mixup", **SHORT),
    GroupedFairFeatures(**SHORT),
    GroupedFairFeatures(score_fraction=0.0, **FULL, **SHORT),  # the score takes longest
    GroupedPivot(random_state=0, **STEADY),
    GroupedPivot(random_state=0, **FULL, **STEADY),
    GroupedPivot(criterion="equalized_odds", adversary_steps=2, random_state=0, **FULL, **STEADY),
    GroupedPivot(early_stopping=True, random_state=0, **STEADY),
    GroupedThreshold(LogisticRegression(), group_estimator=LogisticRegression(), tolerance=0.2),
    SmoothedClassifier(GroupedFaiRN(**SHORT), n_samples=50),
]

# Checks that fit nothing, or only what cannot be fitted.
WITHOUT_FIT = {
    "check_all_zero_sample_weights_error",
    "check_array_api_input",
    "check_classifier_not_supporting_multiclass",
    "check_classifiers_one_label",
    "check_classifiers_one_label_sample_weights",
    "check_classifiers_regression_target",
    "check_complex_data",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_empty_data_messages",
    "check_estimators_partial_fit_n_features",
    "check_estimators_unfitted",
    "check_fit1d",
    "check_fit2d_1sample",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_non_transformer_estimators_n_iter",
    "check_parameters_default_constructible",
    "check_requires_y_none",
    "check_set_params",
    "check_supervised_y_no_nan",
    "check_transformer_n_iter",
    "check_transformers_unfitted",
    "check_valid_tag_types",
}
# Those, and checks that fit many times and are about the form of X: what all of a class share.
ONCE = WITHOUT_FIT | {
    "check_classifiers_train(readonly_memmap=True)",
    "check_classifiers_train(readonly_memmap=True,X_dtype=float32)",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
}
# Checks with so few rows that a hold-out, or a group, has none of some class; with groups that
# are noise, of which an adversary learns nothing; or with sparse rows, which cannot be smoothed.
NOTHING_TO_GUESS = r"Pivot\((?!early_stopping)"
WITHOUT_TERM = {
    "check_classifiers_classes": "penalty='equal_opportunity'",
    "check_decision_proba_consistency": "Smoothed|Threshold",
    "check_estimator_sparse_array": "Smoothed",
    "check_estimator_sparse_matrix": "Smoothed",
    "check_estimator_sparse_tag": "Smoothed",
    "check_fit2d_1feature": "holdout",
    "check_fit_check_is_fitted": NOTHING_TO_GUESS,
    "check_fit_idempotent": NOTHING_TO_GUESS,
    "check_n_features_in": NOTHING_TO_GUESS,
    "check_sample_weight_equivalence_on_dense_data": "holdout|criterion=",
    "check_sample_weight_equivalence_on_sparse_data": "holdout|criterion=",
    "check_sample_weights_not_an_array": "holdout",
    "check_sample_weights_not_overwritten": "holdout|criterion=",
    "check_sample_weights_pandas_series": "holdout",
    "check_sample_weights_shape": "holdout|criterion=",
}


def expected_with_groups(estimator):
    expected = expected_failed_checks(estimator)
    if "check_weights_as_repetitions" in expected:  # what check_fair_estimator calls it
        drawn = expected["check_weights_as_repetitions"]
        for data in ("dense", "sparse"):
            expected[f"check_sample_weight_equivalence_on_{data}_data"] = drawn
    if isinstance(estimator, GroupedThreshold):
        by_chance = "a decision made by chance is not always the more probable one"
        expected["check_classifiers_train"] = by_chance
        one_row = "refused: folds cannot be made of a group whose rows are all equal"
        expected["check_sample_weights_shape"] = one_row
        expected["check_sample_weights_not_overwritten"] = one_row
    if isinstance(estimator, GroupedDRAlign) and estimator.criterion in BY_LABEL:
        cancels = "refused: in the mean over rows of one label the weight of a class cancels"
        expected["check_class_weight_classifiers"] = cancels
    return expected


def once_a_class(mark):
    """Leave out what is in ``ONCE`` where another estimator of the class goes through it."""
    names, cases = mark.mark.args
    ids = cache(mark.mark.kwargs["ids"])  # a network is not printed for each of its checks
    gone_through, kept = set(), []
    for case in cases:
        estimator, check = getattr(case, "values", case)
        inner = getattr(estimator, "estimator", None)
        key = (type(estimator), type(inner), repr(check))
        if not ONCE & {ids(check), check.func.__name__} or key not in gone_through:
            kept.append(case)
        gone_through.add(key)
    return pytest.mark.parametrize(names, kept, ids=ids)


@once_a_class(parametrize_with_checks(PLAIN, expected_failed_checks=expected_failed_checks))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)


@once_a_class(parametrize_with_checks(GROUPED, expected_failed_checks=expected_with_groups))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_scikit_learn_estimator_checks_with_a_fairness_term(estimator, check):
    with counted_fits() as terms_at_work:
        check(estimator)
    name = check.func.__name__
    without = re.search(WITHOUT_TERM.get(name, "^$"), repr(estimator))
    assert any(terms_at_work) == (name not in WITHOUT_FIT and not without)


@pytest.mark.slow
@pytest.mark.parametrize("random_state", [1, 2])
@pytest.mark.filterwarnings("ignore")
def test_no_check_fails_by_chance_of_the_seed(random_state):
    estimator = GroupedFaiRN(random_state=random_state, **SHORT)
    expected = expected_with_groups(estimator)
    results = check_estimator(
        estimator, on_fail=None, on_skip=None, expected_failed_checks=expected
    )
    assert [r["check_name"] for r in results if r["status"] == "failed"] == []


# -- our own checks -------------------------------------------------------------------------------

DROPOUT = {"dropout": 0.2, "early_stopping": True}
FAIR = [
    NetworkClassifier(**QUICK),
    FaiRNClassifier(**QUICK),
    FaiRNClassifier(distance="gradient", **QUICK),
    FaiRNClassifier(**DROPOUT, **QUICK),
    *(PenaltyClassifier(penalty=penalty, **QUICK) for penalty in PENALTIES),
    PenaltyClassifier(augment="mixup", **QUICK),
    PenaltyClassifier(penalty_on="holdout", **QUICK),
    PenaltyClassifier(penalty="equal_loss", focal=2.0, **QUICK),
    MarginClassifier(**QUICK),
    MarginClassifier(penalty="max_min", **QUICK),
    LabelFlipClassifier(estimator=MarginClassifier(**QUICK), flip_fraction=1.0),
    LabelFlipClassifier(**QUICK),
    LabelFlipClassifier(flip_fraction=1.0, **QUICK),  # all of a group: nothing is drawn
    LabelFlipClassifier(estimator=LogisticRegression(), flip_fraction=1.0),
    DRAlignClassifier(**QUICK),
    DRAlignClassifier(criterion="equalized_odds", **QUICK),
    *(
        kind(tolerance=0.5, validation_fraction=0.7, **QUICK)
        for kind in (FaiRNClassifier, DRAlignClassifier)
    ),
    FairFeaturesClassifier(**QUICK),
    FairFeaturesClassifier(group_weights="equal", reversal=0.0, score_fraction=0.0, **QUICK),
    PivotClassifier(**QUICK),
    PivotClassifier(criterion="equalized_odds", adversary_steps=3, **QUICK),
    PivotClassifier(attributes="sum", group_weights="equal", **QUICK),
    PivotClassifier(**DROPOUT, **QUICK),
    FairThresholdClassifier(LogisticRegression()),
    FairThresholdClassifier(LogisticRegression(), randomize=False),
    FairThresholdClassifier(LogisticRegression(), group_estimator=LogisticRegression()),
    SmoothedClassifier(FaiRNClassifier(**QUICK), n_samples=20),
]


@parametrize_with_fair_checks(FAIR, expected_failed_checks=expected_failed_checks)
def test_fair_estimator_checks(estimator, check):
    check(estimator)


def quick(estimator, **params):
    return clone(estimator).set_params(**(QUICK | params))


@pytest.fixture(params=ESTIMATORS, ids=str)
def estimator(request):
    return request.param


def test_no_check_of_scikit_learn_is_expected_to_fail_at_full_batch_in_double_precision(estimator):
    def equivalences(**params):
        return [n for n in expected_failed_checks(quick(estimator, **params)) if "equiv" in n]

    assert equivalences(**FULL) == []
    assert len(equivalences(**FULL, early_stopping=True)) == len(equivalences()) == 2


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


def test_another_seed_gives_another_model(estimator, biased):
    X, y, group = biased
    first, other = (
        quick(estimator, random_state=seed).fit(X, y, sensitive_features=group).decision_function(X)
        for seed in (0, 1)
    )
    assert not np.array_equal(first, other)


def test_number_of_threads_does_not_change_the_weights(estimator, biased):
    X, y, group = biased
    decisions, threads = [], torch.get_num_threads()
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            model = quick(estimator, hidden_layer_sizes=(64, 64))
            model.fit(X, y, sensitive_features=group)
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


def same_predictions(model, other, X):
    for method in ("decision_function", "predict_proba", "predict", "boundary_distance"):
        assert np.array_equal(getattr(model, method)(X), getattr(other, method)(X))
    histories = [each.history_.drop(columns="dur") for each in (model, other)]
    pd.testing.assert_frame_equal(*histories)
    assert model.groups_ == other.groups_
    assert model.n_iter_ == other.n_iter_


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
        elif isinstance(value, NetworkClassifier):  # inside another
            check(value.__getstate__(), path)
        else:
            plain = (np.ndarray, str, int, float, bool, type(None))
            assert type(value) in plain or isinstance(value, np.ndarray), (path, type(value))

    check(state, "state")


def test_what_was_trained_elsewhere_loads_on_a_machine_without_that_device(estimator, biased):
    X, y, group = biased
    model = quick(estimator).fit(X, y, sensitive_features=group)
    expected = model.decision_function(X)
    model.device = "cuda:7"  # as if trained there
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(loaded.decision_function(X), expected, rtol=1e-6)
