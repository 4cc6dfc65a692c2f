"""scikit-learn's callbacks are told of fit and its epochs, and change nothing else."""

import warnings

import numpy as np
import pytest
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfair import FaiRNClassifier, LabelFlipClassifier, NetworkClassifier
from skfair.model_selection import StackedSearchCV

callback = pytest.importorskip("sklearn.callback")
QUICK = {"max_epochs": 4, "hidden_layer_sizes": (4,), "random_state": 0}


class Recorder:
    """Writes down what it is told, and ends the training after ``n_epochs``."""

    def __init__(self, n_epochs=None):
        self.told, self.n_epochs = [], n_epochs

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.told.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.told.append(f"end {context.task_name} {context.task_id}")
        assert fitted_estimator is not estimator
        assert fitted_estimator.predict(X).shape == y.shape
        return context.task_name == "epoch" and context.task_id + 1 == self.n_epochs


def test_fit_and_its_epochs_are_tasks(biased):
    X, y, group = biased
    plain = FaiRNClassifier(**QUICK).fit(X, y, sensitive_features=group)
    recorder = Recorder()
    told = FaiRNClassifier(**QUICK).set_callbacks(recorder).fit(X, y, sensitive_features=group)
    epochs = [f"{when} epoch {i}" for i in range(4) for when in ("begin", "end")]
    assert recorder.told == ["setup", "begin fit 0", *epochs, "end fit 0", "teardown"]
    assert np.array_equal(told.predict_proba(X), plain.predict_proba(X))
    assert vars(told).keys() - vars(plain).keys() == {"_skl_callbacks"}


@pytest.mark.filterwarnings("ignore:A callback ended training in the warm-up")
def test_a_callback_may_end_the_training(biased):
    X, y, group = biased
    model = FaiRNClassifier(**QUICK).set_callbacks(Recorder(n_epochs=2))
    assert model.fit(X, y, sensitive_features=group).n_iter_ == 2


def test_callbacks_are_told_the_end_of_a_fit_that_fails(biased):
    X, y, _ = biased
    recorder = Recorder()
    model = NetworkClassifier(**QUICK | {"lr": 1e30}, optimizer="sgd").set_callbacks(recorder)
    before = vars(model).copy()
    with pytest.raises(ValueError, match="loss|finite"):
        model.fit(X * 1e3, y)
    assert recorder.told[0] == "setup"
    assert recorder.told[-1] == "teardown"
    assert vars(model) == before


@pytest.mark.parametrize("routing", [False, True])
def test_scores_are_monitored(biased, routing):
    X, y, group = biased
    monitor = callback.ScoringMonitor(scoring="accuracy")
    with config_context(enable_metadata_routing=routing):
        model = FaiRNClassifier(**QUICK).set_callbacks(monitor)
        model.fit(X, y, sensitive_features=group)
    scores = monitor.get_logs().data_as_pandas
    assert scores["task_name"].tolist() == ["fit", *["epoch"] * 4]
    assert scores["accuracy"].iloc[0] == model.score(X, y)


def test_pipelines_and_searches_hand_callbacks_on(biased, capsys):
    X, y, _ = biased
    network = NetworkClassifier(**QUICK)
    bar = callback.ProgressBar(max_propagation_depth=None)
    make_pipeline(StandardScaler(), network).set_callbacks(bar).fit(X, y)
    assert "NetworkClassifier - fit" in capsys.readouterr().out
    recorder = Recorder()
    grid = {"lr": [0.01, 0.02]}
    search = StackedSearchCV(NetworkClassifier(**QUICK).set_callbacks(recorder), grid, cv=2)
    with warnings.catch_warnings():
        warnings.filterwarnings("error")
        with pytest.raises(UserWarning, match="one by one: it has callbacks of scikit-learn"):
            search.fit(X, y)
        warnings.filterwarnings("ignore", message="StackedSearchCV fits")
        recorder.told.clear()
        search.fit(X, y)
    assert recorder.told.count("setup") == recorder.told.count("teardown") == 5
    together = StackedSearchCV(network, grid, cv=2).fit(X, y)
    assert np.array_equal(
        search.cv_results_["mean_test_score"], together.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize("estimator", [None, LogisticRegression()], ids=["network", "other"])
def test_callbacks_of_label_flipping_reach_what_it_trains(biased, capsys, estimator):
    X, y, group = biased
    quick = QUICK if estimator is None else {"random_state": 0}
    quick |= {"estimator": estimator, "flip_group": "b"}
    plain = LabelFlipClassifier(**quick).fit(X, y, sensitive_features=group)
    recorder, bar = Recorder(), callback.ProgressBar()
    told = LabelFlipClassifier(**quick).set_callbacks(recorder, bar)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LogisticRegression does not support")
        told.fit(X, y, sensitive_features=group)
    inside = "fit-estimator 0"
    fit = ["begin fit 0", f"begin {inside}", f"end {inside}", "end fit 0"]
    assert recorder.told == ["setup", *fit, "teardown"]
    assert "LabelFlipClassifier - fit" in (shown := capsys.readouterr().out)
    assert ("NetworkClassifier - fit" in shown) == (estimator is None)
    assert np.array_equal(told.predict_proba(X), plain.predict_proba(X))
    assert vars(told).keys() - vars(plain).keys() == {"_skl_callbacks"}
    assert vars(told.estimator_).keys() == vars(plain.estimator_).keys()
