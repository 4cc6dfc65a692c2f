"""What is fitted answers, stays as it is when a fit fails, and can be stored and forked."""

from __future__ import annotations

import builtins
import copy
import multiprocessing
import os
import pickle
import threading
import warnings
from itertools import cycle

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from skorch.callbacks import Checkpoint, LoadInitState, LRScheduler, TrainEndCheckpoint

from skfair import (
    DRAlignClassifier,
    FairFeaturesClassifier,
    FaiRNClassifier,
    FairThresholdClassifier,
    LabelFlipClassifier,
    MarginClassifier,
    PenaltyClassifier,
    PivotClassifier,
    SmoothedClassifier,
)
from skfair.datasets import make_biased_classification

from .answers import answers

QUICK = {"max_epochs": 2, "batch_size": 64, "hidden_layer_sizes": (4,), "random_state": 0}
DRAWS = {"n_samples": 20, "random_state": 0}

ESTIMATORS = {
    "fairn": FaiRNClassifier(**QUICK),
    "fairn, gradient": FaiRNClassifier(distance="gradient", **QUICK),
    "penalty": PenaltyClassifier(**QUICK),
    "dralign": DRAlignClassifier(**QUICK),
    "pivot": PivotClassifier(adversary_steps=2, **QUICK),
    "fair features": FairFeaturesClassifier(**QUICK),
    "margin": MarginClassifier(group_margins={"a": 0.5}, **QUICK),
    "flip": LabelFlipClassifier(flip_group="a", **QUICK),
    "flip any": LabelFlipClassifier(estimator=LogisticRegression(), random_state=0),
    "smoothed": SmoothedClassifier(FaiRNClassifier(**QUICK), **DRAWS),
    "smoothed any": SmoothedClassifier(DecisionTreeClassifier(max_depth=2), adaptive=True, **DRAWS),
    "smoothed linear": SmoothedClassifier(LogisticRegression(), random_state=0),
    "thresholds": FairThresholdClassifier(
        LogisticRegression(), group_estimator=LogisticRegression(), random_state=0
    ),
}
NEEDS_GROUPS = (  # and warns where there are none
    "fairn",
    "fairn, gradient",
    "dralign",
    "fair features",
    "margin",
    "pivot",
    "flip",
)


@pytest.fixture(scope="module")
def people():
    return make_biased_classification(120, n_features=6, random_state=0)


def fit(estimator, people):
    X, y, group = people
    takes_groups = not isinstance(estimator, SmoothedClassifier) or isinstance(
        estimator.estimator, FaiRNClassifier
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return estimator.fit(X, y, **({"sensitive_features": group} if takes_groups else {}))


def fresh(name):
    estimator = ESTIMATORS[name]
    return type(estimator)(**copy.deepcopy(estimator.get_params(deep=False)))


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert np.array_equal(found[name], values), name


@pytest.mark.parametrize("name", ESTIMATORS)
def test_no_parameter_changes_what_was_fitted(people, name):
    estimator = fit(fresh(name), people)
    X = people[0][:20]
    expected = answers(estimator, X)
    wrong = ("nonsense", None, -3, np.zeros(3))
    stored_with = cycle(wrong)
    for parameter, value in estimator.get_params(deep=False).items():
        if parameter in ("device", "verbose") and name.startswith("smoothed"):
            continue  # of the computation, not of what is fitted
        for bad in wrong:
            estimator.set_params(**{parameter: bad})
            same(answers(estimator, X), expected)
        estimator.set_params(**{parameter: next(stored_with)})
        same(answers(pickle.loads(pickle.dumps(estimator)), X), expected)
        estimator.set_params(**{parameter: value})


@pytest.mark.parametrize("refit", [False, True])
def test_label_flipping_answers_with_what_was_fitted(people, refit):
    X, y, group = people
    network, other = fit(fresh("flip"), people), fit(fresh("flip any"), people)
    for model, estimator in ((network, LogisticRegression()), (other, None)):
        expected = answers(model, X)
        model.set_params(estimator=estimator)
        if refit:
            with pytest.raises(ValueError, match="not used with estimator=|sensitive_features"):
                model.fit(X, y, sensitive_features=group[:-1])
        same(answers(model, X), expected)
        same(answers(pickle.loads(pickle.dumps(model)), X), expected)
    # only now they change places
    network.set_params(**LabelFlipClassifier(estimator=LogisticRegression()).get_params(deep=False))
    assert not hasattr(fit(network, people), "net_")
    other.set_params(estimator=None, **QUICK)
    assert hasattr(fit(other, people), "net_")


def bad_length(X, y, group):
    return X, y[:-1], group


def one_class(X, y, group):
    return X, np.zeros_like(y), group


def with_infinity(X, y, group):
    return np.where(X > 1, np.inf, X), y, group


def warning_as_error(X, y, group):
    return X, np.digitize(X[:, 0], [-0.5, 0.5]), group


@pytest.mark.parametrize("spoil", [bad_length, one_class, with_infinity, warning_as_error])
@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_fit_that_fails_leaves_all_as_it_was(people, name, fitted, spoil):
    estimator = fresh(name).set_params(random_state=np.random.RandomState(7))
    if fitted:
        fit(estimator, people)
        expected = answers(estimator, people[0])
    before = vars(estimator).copy()
    position = estimator.random_state.get_state()[1:3]
    X, y, group = spoil(*people)
    extra = {}
    if not isinstance(estimator, SmoothedClassifier) or "fairn" in name:
        extra["sensitive_features"] = group
    if spoil is warning_as_error and name in ("flip any", "smoothed any", "smoothed linear"):
        extra = {}  # LabelFlip warns of no groups, SmoothedClassifier of three classes
    with warnings.catch_warnings():
        if spoil is warning_as_error:
            warnings.filterwarnings("error", category=UserWarning)
            if name in NEEDS_GROUPS:
                X, extra = X, {"sensitive_features": None}
        with pytest.raises((ValueError, UserWarning)):
            estimator.fit(X, y, **extra)
    assert vars(estimator).keys() == before.keys()
    assert all(vars(estimator)[attribute] is value for attribute, value in before.items())
    now = estimator.random_state.get_state()[1:3]
    assert now[1] == position[1]
    assert np.array_equal(now[0], position[0])
    if fitted:
        same(answers(estimator, people[0]), expected)


# -- loading --------------------------------------------------------------------------------------


class OwnOptimizer(torch.optim.SGD):
    """An optimizer that is there in training only."""

    def __init__(self, parameters, lr):
        if not self.there:
            raise RuntimeError("not here")
        super().__init__(parameters, lr=lr)

    there = True


def test_loading_touches_no_files_and_needs_nothing_of_training(people, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    saved = Checkpoint(dirname=str(folder / "cp"), monitor=None)
    callbacks = [
        saved,
        ("end", TrainEndCheckpoint(dirname=str(folder / "end"))),
        ("load", LoadInitState(Checkpoint(dirname=str(folder / "none")))),
        LRScheduler("StepLR", step_size=1),
    ]
    estimator = FaiRNClassifier(
        net_params={"callbacks": callbacks}, optimizer=OwnOptimizer, **QUICK
    )
    expected = answers(fit(estimator, people), people[0])
    assert (folder / "end").exists()
    stored = pickle.dumps(estimator)

    def refuse(*args, **kwargs):
        raise OSError("no files here")

    monkeypatch.setattr(OwnOptimizer, "there", False)
    with monkeypatch.context() as patch:
        for module, name in ((builtins, "open"), (os, "makedirs"), (os, "mkdir"), (os, "open")):
            patch.setattr(module, name, refuse)
        loaded = pickle.loads(stored)
        same(answers(loaded, people[0]), expected)
        copied = copy.deepcopy(loaded)
        same(answers(copied, people[0]), expected)
    # a copy of a copy goes on as the first would have
    monkeypatch.setattr(OwnOptimizer, "there", True)
    X, y, group = people
    for each in (estimator, pickle.loads(pickle.dumps(copied))):
        each.set_params(net_params=None).partial_fit(X, y, sensitive_features=group)
    same(answers(each, X), answers(estimator, X))


# -- processes and threads ------------------------------------------------------------------------


def _in_child(stored, people, done):
    X, y, group = people
    LabelFlipClassifier(**QUICK).fit(X, y, sensitive_features=group)
    pickle.loads(stored).predict_proba(np.repeat(X, 100, axis=0))
    done.put(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("name", ["fairn", "smoothed"])
def test_a_child_forked_while_another_thread_trains_computes(people, name):
    threads = torch.get_num_threads()
    stored = pickle.dumps(fit(fresh(name), people))
    begun, stop = threading.Event(), threading.Event()

    def monitor(row):
        begun.set()
        if stop.is_set():
            raise KeyboardInterrupt
        return 0.0

    X, y, group = people
    params = QUICK | {"max_epochs": 10**6, "monitor": monitor}
    training = threading.Thread(
        target=lambda: FaiRNClassifier(**params).fit(X, y, sensitive_features=group)
    )
    torch.set_num_threads(2)
    try:
        torch.randn(600, 600) @ torch.randn(600, 600)  # its threads will be missing in the child
        training.start()
        assert begun.wait(60)
        context = multiprocessing.get_context("fork")
        done = context.SimpleQueue()
        child = context.Process(target=_in_child, args=(stored, people, done))
        child.start()
        child.join(60)
        hangs = child.is_alive()
        child.kill()
        assert not hangs
        assert child.exitcode == 0
        assert not done.empty()
    finally:
        stop.set()
        training.join(60)
        torch.set_num_threads(threads)
