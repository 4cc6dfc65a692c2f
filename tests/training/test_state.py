"""What training leaves behind: in files, in other threads and processes, in torch itself."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from skorch.callbacks import Callback, Checkpoint, EarlyStopping

from skfair import FaiRNClassifier, LabelFlipClassifier, PenaltyClassifier
from skfair._torch_state import one_thread
from skfair.datasets import make_biased_classification

X, Y, GROUP = make_biased_classification(400, random_state=0)
QUICK = {"hidden_layer_sizes": (8,), "max_epochs": 3, "batch_size": 64, "random_state": 0}


def model(**params):
    return FaiRNClassifier(**QUICK | params)


def fitted(**params):
    return model(**params).fit(X, Y, sensitive_features=GROUP)


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 0},
        {"lr": -1.0},
        {"optimizer": "addam"},
        {"unfavorable": "deny"},
        {"device": "cuda:99"},
        {"net_params": {"lr": 1}},
        {"hidden_layer_sizes": (3,), "dtype": "float64"},
    ],
    ids=str,
)
def test_parameters_changed_after_fit_do_not_matter_to_loading(change):
    first = fitted()
    expected = first.predict_proba(X)
    loaded = pickle.loads(pickle.dumps(first.set_params(**change)))
    assert np.array_equal(loaded.predict_proba(X), expected)


def test_loading_touches_no_file(tmp_path):
    folder = tmp_path / "checkpoints"
    keep = Checkpoint(dirname=str(folder), monitor=None)
    stored = pickle.dumps(fitted(net_params={"callbacks": [keep]}))
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    pickle.loads(stored).predict(X)
    assert not folder.exists()
    folder.write_text("no folder can be made here")
    pickle.loads(stored).predict(X)


@pytest.mark.parametrize("times", [1, 2])
def test_a_loaded_model_goes_on_as_the_one_that_was_stored(times):
    ours = theirs = model(warm_start=True, group_memory=200).fit(X, Y, sensitive_features=GROUP)
    for _ in range(times):  # stored and loaded without being used
        theirs = pickle.loads(pickle.dumps(theirs))
    for one in (ours, theirs):
        one.fit(X, Y, sensitive_features=GROUP)
    assert np.array_equal(ours.predict_proba(X), theirs.predict_proba(X))


# -- torch ----------------------------------------------------------------------------------------


def in_autocast():
    return torch.autocast("cpu")


def on_meta():
    return torch.device("meta")


@pytest.mark.parametrize("context", [in_autocast, on_meta, torch.inference_mode, torch.no_grad])
def test_what_the_user_does_with_torch_does_not_reach_training(context):
    expected = fitted().predict_proba(X)
    with context():
        found = fitted()
    assert np.array_equal(found.predict_proba(X), expected)


def test_neither_does_the_default_dtype_which_stays():
    expected = fitted().predict_proba(X)
    torch.set_default_dtype(torch.float64)
    try:
        found = fitted()
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert np.array_equal(found.predict_proba(X), expected)


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


def fit_in_child():
    fitted(max_epochs=1)


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
def test_a_process_forked_while_another_thread_trains_can_train():
    with one_thread():  # as that thread would hold it
        holder = threading.Event()
        child = multiprocessing.get_context("fork").Process(target=fit_in_child)
        thread = threading.Thread(target=lambda: (child.start(), holder.set()))
        thread.start()
        assert holder.wait(30)
        child.join(60)
    hangs = child.is_alive()
    if hangs:
        child.kill()
    assert not hangs
    assert child.exitcode == 0


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


# -- interruptions --------------------------------------------------------------------------------


class Interrupt(Callback):
    """Raise what Ctrl-C does, in the given hook of the given epoch."""

    def __init__(self, hook, epoch):
        self.hook, self.epoch = hook, epoch

    def _act(self, hook, net):
        if hook == self.hook and len(net.history) == self.epoch:
            raise KeyboardInterrupt

    def on_epoch_begin(self, net, **kwargs):
        self._act("on_epoch_begin", net)

    def on_epoch_end(self, net, **kwargs):
        self._act("on_epoch_end", net)

    def on_batch_end(self, net, **kwargs):
        self._act("on_batch_end", net)


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end", "on_batch_end"])
def test_an_interruption_leaves_a_usable_model_with_a_warning(hook):
    with pytest.warns(UserWarning, match="Training was interrupted after [123] epochs"):
        found = fitted(max_epochs=8, net_params={"callbacks": [Interrupt(hook, 3)]})
    assert found.n_iter_ == len(found.history_) in (2, 3)
    assert found.predict(X).shape == (400,)


def test_one_before_the_first_epoch_has_ended_leaves_nothing_behind():
    unfitted = model(net_params={"callbacks": [Interrupt("on_batch_end", 1)]})
    with pytest.raises(KeyboardInterrupt):
        unfitted.fit(X, Y, sensitive_features=GROUP)
    assert not hasattr(unfitted, "classes_")


def test_early_stopping_is_no_interruption():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = model(
            max_epochs=60, early_stopping=True, n_iter_no_change=1, tol=10.0, warmup=0.0, lr=0.01
        ).fit(X, Y, sensitive_features=GROUP)
    assert found.n_iter_ < 60


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


# -- what was fitted answers ----------------------------------------------------------------------


def test_a_fitted_label_flip_classifier_answers_with_what_was_fitted():
    flip = LabelFlipClassifier(**QUICK).fit(X, Y, sensitive_features=GROUP)
    expected = flip.predict_proba(X)
    flip.set_params(estimator=LogisticRegression())
    assert np.array_equal(flip.predict_proba(X), expected)
    other = LabelFlipClassifier(estimator=LogisticRegression(), random_state=0)
    expected = other.fit(X, Y, sensitive_features=GROUP).predict(X)
    assert np.array_equal(other.set_params(estimator=None).predict(X), expected)


def test_help_shows_the_parameters_where_docstrings_come_without_indentation():
    for kind in (FaiRNClassifier, PenaltyClassifier, LabelFlipClassifier):
        lines = kind.__doc__.splitlines()
        assert "hidden_layer_sizes : sequence of int, default=(64, 64)" in lines
        assert "Parameters" in lines
