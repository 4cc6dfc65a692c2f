"""Ctrl-C, wherever it strikes: what was learned, with a warning, or the estimator as it was."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EarlyStopping
from torch import nn

import skfair
from skfair import (
    DRAlignClassifier,
    FairFeaturesClassifier,
    FaiRNClassifier,
    LabelFlipClassifier,
    PenaltyClassifier,
    PivotClassifier,
    SmoothedClassifier,
)
from skfair.datasets import make_biased_classification
from skfair.training import FitInterruptedWarning
from skfair.training._batches import BatchLoader

QUICK = {"max_epochs": 3, "batch_size": 60, "hidden_layer_sizes": (4,), "random_state": 0}


@pytest.fixture(scope="module")
def people():
    return make_biased_classification(120, n_features=6, random_state=0)


def interrupted(estimator, people, method="fit"):
    """Interrupt ``fit`` by what ``estimator`` holds; return whether it returned all the same."""
    X, y, group = people
    before = vars(estimator).copy()
    state = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()
    returned = False
    with pytest.warns(FitInterruptedWarning) as caught, suppress(KeyboardInterrupt):
        returned = getattr(estimator, method)(X, y, sensitive_features=group) is estimator
    ours = [w for w in caught if issubclass(w.category, FitInterruptedWarning)]
    assert len(ours) == 1
    if returned:
        n_epochs = estimator.n_iter_
        assert f"interrupted after {n_epochs} epochs" in str(ours[0].message)
        assert n_epochs == len(estimator.history_) > 0
        assert np.isfinite(estimator.predict_proba(X)).all()
    else:
        assert "as it was before" in str(ours[0].message)
        assert vars(estimator).keys() == before.keys()
        assert all(vars(estimator)[name] is value for name, value in before.items())
    assert torch.equal(torch.get_rng_state(), state[0])
    assert np.array_equal(np.random.get_state()[1], state[1])
    assert torch.get_num_threads() == state[2]
    return returned


class Bomb(Callback):
    """Interrupts in one hook at the given epoch."""

    def __init__(self, hook, epoch, training=True):
        self.hook, self.epoch, self.training = hook, epoch, training

    def _strike(self, hook, net, training=None, **kwargs):
        now = len(net.history) if net is not None else self.epoch
        if hook == self.hook and now == self.epoch and training in (None, self.training):
            raise KeyboardInterrupt

    def initialize(self):
        self._strike("initialize", None)
        return self

    def on_train_begin(self, net, **kwargs):
        self._strike("on_train_begin", net)

    def on_train_end(self, net, **kwargs):
        self._strike("on_train_end", net)

    def on_epoch_begin(self, net, **kwargs):
        self._strike("on_epoch_begin", net)

    def on_epoch_end(self, net, **kwargs):
        self._strike("on_epoch_end", net)

    def on_batch_begin(self, net, training=False, **kwargs):
        self._strike("on_batch_begin", net, training)

    def on_batch_end(self, net, training=False, **kwargs):
        self._strike("on_batch_end", net, training)

    def on_grad_computed(self, net, **kwargs):
        self._strike("on_grad_computed", net)


HOOKS = [
    ("initialize", 0, True, False),
    ("on_train_begin", 0, True, False),
    ("on_epoch_begin", 1, True, False),
    ("on_epoch_begin", 2, True, True),
    ("on_batch_begin", 1, True, False),
    ("on_batch_begin", 2, True, True),
    ("on_batch_begin", 1, False, False),
    ("on_batch_begin", 2, False, True),
    ("on_grad_computed", 1, True, False),
    ("on_grad_computed", 3, True, True),
    ("on_batch_end", 1, True, False),
    ("on_batch_end", 3, False, True),
    ("on_epoch_end", 1, True, True),
    ("on_epoch_end", 3, True, True),
    ("on_train_end", 3, True, False),
]


@pytest.mark.parametrize(("hook", "epoch", "training", "returns"), HOOKS)
def test_in_a_callback(people, hook, epoch, training, returns):
    estimator = FaiRNClassifier(
        restore_best=True,
        warmup=0,
        net_params={"callbacks": [Bomb(hook, epoch, training)]},
        **QUICK,
    )
    assert interrupted(estimator, people) == returns


class Countdown:
    """Interrupts the n-th time it is asked."""

    def __init__(self, n):
        self.left = n

    def tick(self):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def __deepcopy__(self, memo):  # copies in double precision tick, too
        return self


class Ticking(nn.Module):
    """A user's module that counts down in every forward pass."""

    def __init__(self, n_features, n_outputs, countdown):
        super().__init__()
        self.linear, self.countdown = nn.Linear(n_features, n_outputs), countdown

    def forward(self, X):
        self.countdown.tick()
        return self.linear(X)


@pytest.mark.parametrize("n", range(1, 13))
def test_in_a_module(people, n):
    countdown = Countdown(n)
    estimator = FaiRNClassifier(
        module=lambda *widths: Ticking(*widths, countdown), early_stopping=True, **QUICK
    )
    # 2 calls to check it, 3 epochs of 2 batches and the held-out part, 1 for the outcome
    assert interrupted(estimator, people) == (2 + 3 < n <= 2 + 3 * 3)


def test_while_a_module_is_made(people):
    def module(n_features, n_outputs):
        raise KeyboardInterrupt

    assert not interrupted(FaiRNClassifier(module=module, **QUICK), people)


@pytest.mark.parametrize(("n", "returns"), [(1, True), (2, True), (3, True)])
@pytest.mark.parametrize("of_row", [True, False])
def test_in_a_monitor(people, n, returns, of_row):
    countdown = Countdown(n)

    def row_monitor(row):
        countdown.tick()
        return -row["valid_loss"]

    def scorer(estimator, X, y):
        countdown.tick()
        return estimator.score(X, y)

    monitor = row_monitor if of_row else scorer
    estimator = FaiRNClassifier(monitor=monitor, restore_best=True, **QUICK)
    assert interrupted(estimator, people) == returns


@pytest.mark.parametrize(("n", "returns"), [(1, False), (2, False), (3, True), (6, True)])
def test_in_a_penalty_of_the_users(people, n, returns):
    countdown = Countdown(n)

    def penalty(logits, y, groups, weights):
        countdown.tick()
        return logits.mean() * 0

    assert interrupted(PenaltyClassifier(penalty=penalty, **QUICK), people) == returns


@pytest.mark.parametrize(("n", "returns"), [(1, False), (2, False), (3, True), (6, True)])
def test_in_an_optimizer(people, n, returns):
    countdown = Countdown(n)

    class Optimizer(torch.optim.SGD):
        def step(self, closure=None):
            countdown.tick()
            return super().step(closure)

    estimator = FaiRNClassifier(optimizer=Optimizer, **QUICK)
    assert interrupted(estimator, people) == returns


@pytest.mark.parametrize(("n", "returns"), [(1, False), (2, False), (3, True)])
def test_in_what_makes_the_batches(people, n, returns):
    countdown = Countdown(n)

    class Loader(BatchLoader):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            countdown.tick()

        def __iter__(self):
            countdown.tick()
            return super().__iter__()

    estimator = FaiRNClassifier(restore_best=True, net_params={"iterator_train": Loader}, **QUICK)
    assert interrupted(estimator, people) == returns


def test_in_a_selection_of_columns(people):
    X, y, _ = people

    def columns(X):
        raise KeyboardInterrupt

    estimator = FaiRNClassifier(sensitive_columns=columns, **QUICK)
    assert not interrupted(estimator, (X, y, None))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("hook", ["on_train_begin", "on_batch_end", "on_epoch_end"])
def test_while_training_goes_on(people, method, hook):
    X, y, group = people
    estimator = FaiRNClassifier(warm_start=True, **QUICK).fit(X, y, sensitive_features=group)
    expected = estimator.predict_proba(X)
    epoch = 3 if hook == "on_train_begin" else 4
    estimator.set_params(net_params={"callbacks": [Bomb(hook, epoch)]})
    returned = interrupted(estimator, people, method)
    assert returned == (hook == "on_epoch_end")
    assert np.array_equal(estimator.predict_proba(X), expected) != returned


@pytest.mark.parametrize("network", [True, False])
@pytest.mark.parametrize("epoch", [1, 2])
def test_while_the_group_to_flip_is_chosen(people, network, epoch):
    """The interruption ends all, not one fold."""
    callbacks = {"net_params": {"callbacks": [Bomb("on_epoch_begin", epoch)]}}
    if network:
        estimator = LabelFlipClassifier(**QUICK, **callbacks)
    else:
        inner = FaiRNClassifier(lambda_fairness=0, **QUICK, **callbacks)
        estimator = LabelFlipClassifier(estimator=make_pipeline(StandardScaler(), inner))
    assert not interrupted(estimator, people)


def test_before_filters_of_warnings_are_taken_back(people):
    class Model(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            warnings.simplefilter("error", FitInterruptedWarning)
            raise KeyboardInterrupt

    assert not interrupted(LabelFlipClassifier(estimator=Model(), flip_group="a"), people)


def test_of_a_network_inside(people):
    X, y, group = people
    inner = FaiRNClassifier(net_params={"callbacks": [Bomb("on_epoch_begin", 3)]}, **QUICK)
    smoothed = SmoothedClassifier(inner, n_samples=10, random_state=0)
    with pytest.warns(FitInterruptedWarning, match="after 2 epochs"):
        smoothed.fit(X, y, sensitive_features=group)
    assert smoothed.estimator_.n_iter_ == 2
    assert np.isfinite(smoothed.predict_proba(X)).all()


@pytest.mark.parametrize("own", [True, False])
def test_early_stopping_is_no_interruption(people, own):
    X, y, group = people
    params = QUICK | {"max_epochs": 30, "lr": 0.1, "warmup": 0, "early_stopping": True}
    if own:
        params |= {"n_iter_no_change": 2}
    else:
        params |= {"net_params": {"callbacks": [EarlyStopping(patience=2)]}}
    with warnings.catch_warnings():
        warnings.simplefilter("error", FitInterruptedWarning)
        estimator = FaiRNClassifier(**params).fit(X, y, sensitive_features=group)
    assert estimator.n_iter_ < 30


def test_searches_can_make_it_an_error(people):
    X, y, group = people
    estimator = FaiRNClassifier(net_params={"callbacks": [Bomb("on_epoch_begin", 3)]}, **QUICK)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FitInterruptedWarning)
        with pytest.raises(FitInterruptedWarning):
            estimator.fit(X, y, sensitive_features=group)
    assert not hasattr(estimator, "net_")


# -- at any line ----------------------------------------------------------------------------------

ANYWHERE = {
    "fairn": FaiRNClassifier(monitor="neg_recourse_gap", restore_best=True, **QUICK),
    "penalty": PenaltyClassifier(penalty_on="holdout", early_stopping=True, **QUICK),
    "dralign": DRAlignClassifier(**QUICK),
    "pivot": PivotClassifier(adversary_steps=2, **QUICK),
    "fair features": FairFeaturesClassifier(**QUICK),
    "flip": LabelFlipClassifier(flip_group="a", **QUICK),
    "flip any": LabelFlipClassifier(estimator=LogisticRegression(), random_state=0),
    "smoothed": SmoothedClassifier(FaiRNClassifier(**QUICK), n_samples=20, random_state=0),
}
PACKAGE = str(Path(skfair.__file__).parent)
CLEANING_UP = ("all_or_nothing", "_torch_state.py")  # nothing can help there


class InterruptAt:
    """Raises at the n-th line of the package that is run."""

    def __init__(self, n):
        self.n, self.count = n, 0

    def __call__(self, frame, event, arg):
        code = frame.f_code
        ours = code.co_filename.startswith(PACKAGE) and not code.co_filename.endswith(CLEANING_UP)
        return self._line if ours and code.co_name not in CLEANING_UP else None

    def _line(self, frame, event, arg):
        if event == "line":
            self.count += 1
            if self.count == self.n:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self._line

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self)
        return self

    def __exit__(self, *exc):
        sys.settrace(self.before)


def check_lines(estimator, people, n_places):
    X, y, group = people
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with InterruptAt(0) as lines:
            type(estimator)(**estimator.get_params(deep=False)).fit(X, y, sensitive_features=group)
    for n in np.random.RandomState(0).randint(1, lines.count, n_places):
        fresh = type(estimator)(**estimator.get_params(deep=False))
        names = set(vars(fresh))
        state = torch.get_rng_state(), torch.get_num_threads()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                with InterruptAt(n):
                    fresh.fit(X, y, sensitive_features=group)
                told = any(issubclass(w.category, FitInterruptedWarning) for w in caught)
                assert told or n > 0.9 * lines.count, n
                fitted = True
            except KeyboardInterrupt:
                fitted = set(vars(fresh)) != names
        if fitted:  # also if it struck when all was done
            assert np.isfinite(fresh.predict_proba(X)).all(), n
        assert torch.equal(torch.get_rng_state(), state[0])
        assert torch.get_num_threads() == state[1]


@pytest.mark.parametrize("name", ANYWHERE)
def test_at_some_lines(people, name):
    check_lines(ANYWHERE[name], people, 10)


@pytest.mark.slow
@pytest.mark.many
@pytest.mark.parametrize("name", ANYWHERE)
def test_at_many_lines(people, name):
    check_lines(ANYWHERE[name], people, 500)
