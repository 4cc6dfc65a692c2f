"""What training leaves behind: in files, in other threads and processes, in torch itself."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping

from skfair import FaiRNClassifier
from skfair._torch_state import one_thread
from skfair.datasets import make_biased_classification

X, Y, GROUP = make_biased_classification(400, random_state=0)
QUICK = {"hidden_layer_sizes": (8,), "max_epochs": 3, "batch_size": 64, "random_state": 0}


def model(**params):
    return FaiRNClassifier(**QUICK | params)


def fitted(**params):
    return model(**params).fit(X, Y, sensitive_features=GROUP)


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2])
def test_a_loaded_model_goes_on_as_the_one_that_was_stored(times):
    ours = theirs = model(warm_start=True, group_memory=200).fit(X, Y, sensitive_features=GROUP)
    for _ in range(times):  # stored and loaded without being used
        theirs = pickle.loads(pickle.dumps(theirs))
    for one in (ours, theirs):
        one.fit(X, Y, sensitive_features=GROUP)
    assert np.array_equal(ours.predict_proba(X), theirs.predict_proba(X))


# -- torch ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", [False, True])
def test_the_number_of_threads_comes_back(fails):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError) if fails else warnings.catch_warnings(), one_thread():
            assert torch.get_num_threads() == 1
            if fails:
                _ = 1 / 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


# -- threads and processes ------------------------------------------------------------------------


def test_the_interpreter_does_not_abort_a_training_in_a_thread():
    code = (
        "import threading, time; from skfair import FaiRNClassifier\n"
        "from skfair.datasets import make_biased_classification\n"
        "X, y, g = make_biased_classification(20000, random_state=0)\n"
        "fit = lambda: FaiRNClassifier(max_epochs=500).fit(X, y, sensitive_features=g)\n"
        "threading.Thread(target=fit, daemon=True).start(); time.sleep(0.5)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()


# -- early stopping -------------------------------------------------------------------------------


@pytest.mark.parametrize("restore_best", [False, True])
def test_patience_and_the_best_epoch_begin_after_the_warm_up(restore_best):
    found = model(
        max_epochs=20,
        warmup=0.5,
        early_stopping=True,
        restore_best=restore_best,
        n_iter_no_change=2,
        tol=10.0,  # nothing improves by so much
        lr=0.01,
    ).fit(X, Y, sensitive_features=GROUP)
    assert found.n_iter_ == 10 + 2  # the first epoch that counts is the last of the warm-up


def test_a_callback_that_waits_for_a_loss_that_there_is_not_is_told_what_would_do():
    waiting = {"callbacks": [("stop", EarlyStopping())]}
    with pytest.raises(ValueError, match="EarlyStopping watches 'valid_loss'.*early_stopping=True"):
        fitted(net_params=waiting)
    fitted(net_params=waiting, restore_best=True)


class Keeper(Callback):
    """Keep the weights of every epoch."""

    def initialize(self):
        self.weights = []
        return self

    def on_epoch_end(self, net, **kwargs):
        self.weights.append(net.module_.output.weight.detach().numpy().copy())


@pytest.mark.parametrize(("warmup", "best"), [(0.0, 1), (0.5, 10), (1.0, 20)])
def test_the_best_epoch_is_one_with_all_of_the_fairness_weights(warmup, best):
    found = model(
        max_epochs=20,
        warmup=warmup,
        monitor=lambda row: -row["epoch"],  # the sooner, the better
        restore_best=True,
        net_params={"callbacks": [("keeper", Keeper())]},
    ).fit(X, Y, sensitive_features=GROUP)
    kept = dict(found.net_.callbacks_)["keeper"].weights
    assert np.array_equal(found.module_.output.weight.detach().numpy(), kept[best - 1])


def test_training_that_goes_on_has_its_warm_up_behind_it():
    found = model(max_epochs=10, warmup=0.5, warm_start=True, averaging=0)
    found.fit(X, Y, sensitive_features=GROUP)
    found.set_params(early_stopping=True, n_iter_no_change=2, tol=10.0)
    assert found.fit(X, Y, sensitive_features=GROUP).n_iter_ == 10 + 1 + 2


def test_a_callback_that_stops_in_the_warm_up_is_told_what_would_do():
    stop = EarlyStopping(monitor="train_loss", patience=2, threshold=10.0, threshold_mode="abs")
    params = {"max_epochs": 20, "net_params": {"callbacks": [stop]}}
    with pytest.warns(UserWarning, match="after 3 of 20 epochs.*30 %.*early_stopping=True"):
        fitted(warmup=0.5, **params)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*warm-up")
        assert fitted(warmup=0.0, **params).n_iter_ == 3
