"""Checks of fair estimators: a sound one passes them, and each finds what it is there to find."""

from __future__ import annotations

import random
import re
import time
import warnings
from pathlib import Path
from unittest import SkipTest

import numpy as np
import pandas as pd
import pytest
import torch
from fairlearn.reductions import DemographicParity, GridSearch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import EstimatorCheckFailedWarning, SkipTestWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_X_y, column_or_1d

from skfair import FaiRNClassifier, LabelFlipClassifier, PenaltyClassifier, SmoothedClassifier
from skfair.testing import (
    _runner,
    check_fair_estimator,
    expected_failed_checks,
    fair_estimator_checks_generator,
    parametrize_with_fair_checks,
)

QUICK = {"max_epochs": 2, "batch_size": 64, "hidden_layer_sizes": (4,)}


class Centroids(ClassifierMixin, BaseEstimator):
    """Nearest centroid, to which every group contributes as much: somebody else's fair method."""

    def __init__(self, random_state=None, warm_start=False):
        self.random_state = random_state
        self.warm_start = warm_start

    def fit(self, X, y, sensitive_features=None, sample_weight=None):
        return self._learn(X, y, sensitive_features, sample_weight, self.warm_start)

    def partial_fit(self, X, y, classes=None, sensitive_features=None, sample_weight=None):
        return self._learn(X, y, sensitive_features, sample_weight, True)

    def _learn(self, X, y, sensitive_features, sample_weight, goes_on):
        X, y = check_X_y(X, y)
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
        X, y, weights, groups = self.select(X, y, weights, sensitive_features)
        if groups is not None:
            weights = self.balance(weights, groups)
        classes = np.unique(y)
        sums = np.stack([weights[y == c] @ X[y == c] for c in classes])
        totals = np.stack([weights[y == c].sum() for c in classes])
        if goes_on and hasattr(self, "sums_"):
            sums, totals = sums + self.sums_ / 2, totals + self.totals_ / 2
        self.classes_, self.sums_, self.totals_ = classes, sums, totals
        return self

    def select(self, X, y, weights, sensitive_features):
        groups = None if sensitive_features is None else self.codes(sensitive_features, len(y))
        kept = weights > 0
        return X[kept], y[kept], weights[kept], None if groups is None else groups[kept]

    def codes(self, sensitive_features, n_samples):
        if isinstance(sensitive_features, pd.DataFrame):
            sensitive_features = sensitive_features.iloc[:, 0]
        codes, names = pd.factorize(column_or_1d(np.asarray(sensitive_features, dtype=object)))
        if len(codes) != n_samples:
            raise ValueError("sensitive_features are too few")
        if len(names) < 2:
            raise ValueError("sensitive_features has one group")
        if (codes < 0).any():
            warnings.warn("sensitive_features are missing in some rows", stacklevel=3)
        return codes

    def balance(self, weights, groups):
        totals = np.bincount(groups + 1, weights)
        totals[0] = weights.sum()  # for those without a group
        factors = 1 / totals
        return weights * factors[groups + 1]

    def decision_function(self, X):
        centers = self.sums_ / self.totals_[:, None]
        near = [-((np.asarray(X) - center) ** 2).sum(axis=1) for center in centers]
        return near[1] - near[0]

    def predict(self, X):
        return self.classes_[(self.decision_function(X) > 0).astype(int)]


# -- each is broken in one way --------------------------------------------------------------------


class AsksForGroups(Centroids):
    def predict(self, X, sensitive_features):
        return super().predict(X)


class SaysNothingOfMissingGroups(Centroids):
    def codes(self, *args):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().codes(*args)


class HasNoAnswerForMissingGroups(Centroids):
    def balance(self, weights, groups):
        return np.where(groups < 0, np.nan, super().balance(weights, groups))


class TakesOneGroup(Centroids):
    def codes(self, sensitive_features, n_samples):
        try:
            return super().codes(sensitive_features, n_samples)
        except ValueError as error:
            if "one group" not in str(error):
                raise
            return np.zeros(n_samples, int)


class RefusesOneGroupInOtherWords(Centroids):
    def codes(self, sensitive_features, n_samples):
        try:
            return super().codes(sensitive_features, n_samples)
        except ValueError as error:
            raise ValueError(str(error).replace("sensitive_features", "A")) from None


class LooksAtNames(Centroids):
    def codes(self, sensitive_features, n_samples):
        codes = super().codes(sensitive_features, n_samples)
        self.is_a_ = bool((np.ravel(np.asarray(sensitive_features, dtype=object)) == "a").any())
        return codes

    def balance(self, weights, groups):
        return super().balance(weights, groups) if self.is_a_ else weights


class PrefersTheFirstName(Centroids):
    def codes(self, sensitive_features, n_samples):
        codes = super().codes(sensitive_features, n_samples)
        names = np.ravel(np.asarray(sensitive_features, dtype=object))
        first = min(name for name in names if not pd.isna(name))
        return np.where(codes < 0, -1, (names != first).astype(int))

    def balance(self, weights, groups):
        return super().balance(weights, groups) * np.where(groups == 0, 2, 1)


class MatchesByIndex(Centroids):
    def codes(self, sensitive_features, n_samples):
        if isinstance(sensitive_features, pd.Series):
            last = sensitive_features.iloc[-1]
            sensitive_features = sensitive_features.reindex(range(n_samples)).fillna(last)
        return super().codes(sensitive_features, n_samples)


class CountsRows(Centroids):
    def balance(self, weights, groups):
        return super().balance(np.sqrt(weights), groups)


class SeesRowsOfNoWeight(Centroids):
    def select(self, X, y, weights, sensitive_features):
        return super().select(X, y, np.maximum(weights, 1e-2), sensitive_features)


class PrefersTheFirstRows(Centroids):
    def select(self, X, y, weights, sensitive_features):
        weights = weights.copy()
        weights[: len(weights) // 2] *= 3
        return super().select(X, y, weights, sensitive_features)


class Draws(Centroids):
    rng = np.random.default_rng(0)  # which no random_state sets

    def balance(self, weights, groups):
        return super().balance(weights, groups) * self.rng.uniform(0.5, 1, len(weights))


class DrawsFromTheGlobalGenerator(Centroids):
    def balance(self, weights, groups):
        np.random.uniform()
        return super().balance(weights, groups)


class DrawsFromPython(Centroids):
    def balance(self, weights, groups):
        random.random()
        return super().balance(weights, groups)


class DrawsFromTorch(Centroids):
    def decision_function(self, X):
        torch.rand(1)
        return super().decision_function(X)


class IsDisturbedByOthers(Centroids):
    at_work = 0

    def balance(self, weights, groups):
        type(self).at_work += 1
        time.sleep(0.05)
        disturbed, type(self).at_work = self.at_work > 1, self.at_work - 1
        return weights if disturbed else super().balance(weights, groups)


class Forgets(Centroids):
    def __getstate__(self):
        state = super().__getstate__()
        if "sums_" in state:
            state = state | {"sums_": state["sums_"].round(1)}
        return state


class CannotGoOn(Centroids):
    def __getstate__(self):
        return {k: v for k, v in super().__getstate__().items() if k != "fits_"}

    def _learn(self, X, y, *args):
        self.fits_ = getattr(self, "fits_", 0) + 1
        super()._learn(X, y, *args)
        self.sums_ = self.sums_ + self.fits_ / 10
        return self


class LeavesHalfAFit(Centroids):
    def codes(self, sensitive_features, n_samples):
        self.seen_ = n_samples
        return super().codes(sensitive_features, n_samples)


class ChangesInAFailedFit(Centroids):
    def _learn(self, X, y, *args):
        if hasattr(self, "sums_"):
            self.sums_ = self.sums_ * 1.5
        return super()._learn(X, y, *args)


class TakesAnyLength(Centroids):
    def codes(self, sensitive_features, n_samples):
        values = np.ravel(np.asarray(sensitive_features, dtype=object))
        return super().codes(np.resize(values, n_samples), n_samples)


BROKEN = [
    (AsksForGroups, "check_no_groups_at_predict"),
    (SaysNothingOfMissingGroups, "check_missing_groups"),
    (HasNoAnswerForMissingGroups, "check_missing_groups"),
    (TakesOneGroup, "check_one_group_is_an_error"),
    (RefusesOneGroupInOtherWords, "check_one_group_is_an_error"),
    (LooksAtNames, "check_renamed_groups"),
    (PrefersTheFirstName, "check_reordered_groups"),
    (MatchesByIndex, "check_forms_of_groups"),
    (CountsRows, "check_weights_as_repetitions"),
    (SeesRowsOfNoWeight, "check_weight_of_zero_as_absence"),
    (PrefersTheFirstRows, "check_order_of_rows"),
    (Draws, "check_same_seed"),
    (IsDisturbedByOthers, "check_threads"),
    (DrawsFromTheGlobalGenerator, "check_global_generators"),
    (DrawsFromPython, "check_global_generators"),
    (DrawsFromTorch, "check_global_generators"),
    (Forgets, "check_persistence"),
    (CannotGoOn, "check_partial_fit_after_a_round_trip"),
    (CannotGoOn, "check_warm_start_after_a_round_trip"),
    (LeavesHalfAFit, "check_failed_fit"),
    (ChangesInAFailedFit, "check_failed_fit"),
    (TakesAnyLength, "check_failed_fit"),
]


def checks_by_name(estimator):
    return {check.__name__: check for _, check in fair_estimator_checks_generator(estimator)}


def statuses(estimator, **kwargs):
    kwargs = {"on_fail": None, "on_skip": None} | kwargs
    return {r["check_name"]: r["status"] for r in check_fair_estimator(estimator, **kwargs)}


def test_a_sound_estimator_passes_every_check():
    assert set(statuses(Centroids()).values()) == {"passed"}


@pytest.mark.parametrize(("broken", "name"), BROKEN)
def test_what_is_broken_is_found(broken, name):
    with pytest.raises(TypeError if broken is AsksForGroups else AssertionError):
        checks_by_name(broken())[name](broken())


def test_there_is_something_broken_for_every_check():
    assert {name for _, name in BROKEN} == set(checks_by_name(Centroids()))


# -- which checks apply ---------------------------------------------------------------------------


class TakesNoGroups(Centroids):
    def fit(self, X, y):
        return self._learn(X, y, None, None, self.warm_start)

    partial_fit = property()  # hasattr says no


class IsRandom(Centroids):
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags


def test_checks_are_those_for_which_there_is_something_to_check():
    every, some = set(checks_by_name(Centroids())), set(checks_by_name(TakesNoGroups()))
    missing = every - some
    assert missing == {name for name in every if "group" in name or "weight" in name} | {
        "check_partial_fit_after_a_round_trip"
    }
    assert set(statuses(TakesNoGroups()).values()) == {"passed"}
    random = set(checks_by_name(IsRandom()))
    assert random == {
        "check_no_groups_at_predict",
        "check_missing_groups",
        "check_one_group_is_an_error",
        "check_global_generators",
        "check_persistence",
        "check_failed_fit",
    }


TREES = RandomForestClassifier(n_estimators=3, max_depth=3)
AROUND_OTHERS = [
    (LogisticRegression(), False),
    (TREES, False),
    (LabelFlipClassifier(estimator=LogisticRegression(), flip_fraction=1.0), True),
    (SmoothedClassifier(LogisticRegression()), False),
    (SmoothedClassifier(DecisionTreeClassifier(max_depth=3), n_samples=9), False),
    (SmoothedClassifier(PenaltyClassifier(**QUICK), n_samples=9), True),
    (make_pipeline(StandardScaler(), FaiRNClassifier(**QUICK)), True),
]


@pytest.mark.parametrize(("estimator", "has_groups"), AROUND_OTHERS, ids=str)
def test_other_classifiers_and_what_is_around_them_run_what_applies(estimator, has_groups):
    names = checks_by_name(estimator)
    assert ("check_missing_groups" in names) == has_groups
    expected = expected_failed_checks(estimator) if "Smoothed" in repr(estimator) else {}
    if estimator is TREES:  # bootstrap samples and splits are drawn
        expected = dict.fromkeys(
            (
                "check_weights_as_repetitions",
                "check_weight_of_zero_as_absence",
                "check_order_of_rows",
            ),
            "",
        )
    assert "failed" not in statuses(estimator, expected_failed_checks=expected).values()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_method_of_fairlearn_runs_and_fails_where_it_does_not_keep_to_the_contract():
    regression = LogisticRegression(tol=1e-10)
    found = statuses(GridSearch(regression, DemographicParity(), grid_size=3))
    assert {name for name, status in found.items() if status == "failed"} == {
        "check_missing_groups",  # which it refuses
        "check_one_group_is_an_error",  # a division by zero
        "check_failed_fit",  # leaves attributes behind
    }


# -- what is told ---------------------------------------------------------------------------------


def test_the_first_failure_is_raised_or_all_are_told():
    with pytest.raises(AssertionError, match="fit with one group should raise"):
        check_fair_estimator(TakesOneGroup())
    with pytest.warns(EstimatorCheckFailedWarning, match="check_one_group_is_an_error"):
        results = check_fair_estimator(TakesOneGroup(), on_fail="warn")
    (result,) = [result for result in results if result["status"] != "passed"]
    assert result["status"] == "failed"
    assert isinstance(result["exception"], AssertionError)
    assert not result["expected_to_fail"]


def test_expected_failures_have_their_reason_and_hide_no_other_error():
    reasons = {"check_one_group_is_an_error": "one is enough"}
    results = check_fair_estimator(TakesOneGroup(), expected_failed_checks=reasons)
    (result,) = [result for result in results if result["expected_to_fail"]]
    assert result["status"] == "xfail"
    assert result["expected_to_fail_reason"] == "one is enough"
    with pytest.raises(TypeError, match="sensitive_features"):
        check_fair_estimator(
            AsksForGroups(), expected_failed_checks={"check_no_groups_at_predict": "never"}
        )


def test_a_check_that_cannot_run_is_skipped_with_a_warning(monkeypatch):
    def check_nothing(estimator):
        raise SkipTest("nothing to do")

    monkeypatch.setattr(_runner, "checks_of", lambda estimator: [check_nothing])
    with pytest.warns(SkipTestWarning, match="check_nothing: nothing to do"):
        (result,) = check_fair_estimator(Centroids())
    assert result["status"] == "skipped"


class RefusesToGoOn(Centroids):
    def _learn(self, *args):
        if self.warm_start:
            raise ValueError("warm_start must be False")
        return super()._learn(*args)


def test_a_parameter_that_is_refused_is_a_reason_to_skip():
    skipped = {name for name, status in statuses(RefusesToGoOn()).items() if status == "skipped"}
    assert skipped == {"check_warm_start_after_a_round_trip"}


def test_bad_arguments_are_named():
    with pytest.raises(TypeError, match="an instance, not a class"):
        check_fair_estimator(Centroids)
    with pytest.raises(ValueError, match="on_fail must be None or one of.*got 'stop'"):
        check_fair_estimator(Centroids(), on_fail="stop")
    with pytest.raises(ValueError, match="on_skip must be None or one of.*got 'raise'"):
        check_fair_estimator(Centroids(), on_skip="raise")


def test_tests_are_named_by_estimator_and_check_and_marked_where_they_may_fail():
    decorated = parametrize_with_fair_checks(
        [Centroids()], expected_failed_checks=lambda estimator: {"check_same_seed": "why"}
    )
    names, cases = decorated.args
    assert names == ("estimator", "check")
    by_id = {case.id: case for case in cases}
    assert len(by_id) == len(checks_by_name(Centroids()))
    (mark,) = by_id["Centroids()-check_same_seed"].marks
    assert mark.name == "xfail"
    assert mark.kwargs["reason"] == "why"
    assert not by_id["Centroids()-check_threads"].marks


def test_pytest_is_not_needed_to_import_the_checks():
    for path in Path(_runner.__file__).parent.glob("*.py"):
        assert not re.search(r"^(import|from) pytest", path.read_text(), re.MULTILINE), path
