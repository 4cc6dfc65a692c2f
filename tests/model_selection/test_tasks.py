"""Tasks on this machine and on a cluster of two processes."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skfair import PenaltyClassifier
from skfair.metrics import make_fairness_scorer
from skfair.model_selection._tasks import run_tasks

GAP = make_fairness_scorer("demographic_parity_difference")


def total(table, number):
    return number, float(table[number].sum())


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("verbose", [0, 1])
def test_results_come_in_the_order_of_the_tasks(n_jobs, verbose, capsys):
    table = np.arange(12.0).reshape(6, 2)
    tasks = [(table, number) for number in (5, 0, 3)]
    found = run_tasks(total, tasks, shared=[table], n_jobs=n_jobs, verbose=verbose)
    assert found == [(5, 21.0), (0, 1.0), (3, 13.0)]
    assert ("3/3" in capsys.readouterr().err) == bool(verbose)


def routing():
    return sklearn.get_config()["enable_metadata_routing"]


def test_tasks_have_the_configuration_of_the_caller():
    with sklearn.config_context(enable_metadata_routing=True):
        assert run_tasks(routing, [(), ()], n_jobs=2) == [True, True]


class Counted:
    """A table that counts, in a folder, how often it is read from a pickle."""

    def __init__(self, folder):
        self.folder, self.values = str(folder), np.arange(10.0)

    def __reduce__(self):
        return _unpickle_counted, (self.folder,)


def _unpickle_counted(folder):
    Path(folder, f"{os.getpid()}-{len(os.listdir(folder))}").touch()
    return Counted(folder)


def nested(task):
    return float(task["table"].values[task["number"]]), os.getpid(), routing()


def test_a_cluster_gets_what_is_shared_once_and_the_configuration(dask, tmp_path):
    table = Counted(tmp_path)
    tasks = [({"number": i, "table": table},) for i in range(10)]
    with sklearn.config_context(enable_metadata_routing=True):
        found = run_tasks(nested, tasks, shared=[table])
    assert [value for value, *_ in found] == list(range(10))
    assert os.getpid() not in {process for _, process, _ in found}
    assert all(routed for *_, routed in found)
    assert len(list(tmp_path.iterdir())) <= 3  # ten tasks, two processes, one of which passes it on


def test_a_bar_shows_the_tasks_of_a_cluster(dask, capsys):
    table = np.ones((3, 2))
    run_tasks(total, [(table, i) for i in range(3)], shared=[table], verbose=1)
    assert "3/3" in capsys.readouterr().err


def fail(number):
    raise LookupError(f"task {number}")


def test_errors_of_tasks_arrive_as_they_are(dask):
    with pytest.raises(LookupError, match="task 0"):
        run_tasks(fail, [(0,)])


def test_grid_search_on_a_cluster_finds_what_it_finds_here(dask, biased):
    X, y, group = biased
    model = PenaltyClassifier(penalty="demographic_parity", max_epochs=2, random_state=0)
    grid = {"alpha": [0.0, 0.5, 1.0]}
    scoring = {"accuracy": "accuracy", "neg_gap": GAP}
    searches = []
    with sklearn.config_context(enable_metadata_routing=True):
        for backend in ("dask", "sequential"):
            search = GridSearchCV(model, grid, scoring=scoring, refit="accuracy", cv=2)
            with joblib.parallel_config(backend):
                searches.append(search.fit(X, y, sensitive_features=group))
    cluster, here = (search.cv_results_ for search in searches)
    for name in scoring:
        np.testing.assert_array_equal(cluster[f"mean_test_{name}"], here[f"mean_test_{name}"])
    states = [
        {name: value.numpy() for name, value in search.best_estimator_.module_.state_dict().items()}
        for search in searches
    ]
    assert pickle.dumps(states[0]) == pickle.dumps(states[1])


class KilledOnce(LogisticRegression):
    """Its first fit with the greatest C kills the process that it runs in."""

    def __init__(self, folder=None, C=1.0):
        super().__init__(C=C)
        self.folder = folder

    def fit(self, X, y):
        marker = Path(self.folder, "killed")
        if self.C == 1.0 and not marker.exists():
            marker.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


def fitted_coefficients(X, y, model):
    return model.fit(X, y).coef_, os.getpid()


def test_a_killed_worker_changes_nothing(dask, biased, tmp_path):
    X, y, _ = biased
    models = [KilledOnce(tmp_path, C) for C in (0.01, 0.1, 1.0, 0.02, 0.2, 0.3, 0.4, 0.5)]
    found = run_tasks(fitted_coefficients, [(X, y, model) for model in models], shared=[X, y])
    killed = int((tmp_path / "killed").read_text())
    assert killed != os.getpid()
    for model, (coefficients, process) in zip(models, found, strict=True):
        assert process != os.getpid()
        expected = LogisticRegression(C=model.C).fit(X, y).coef_
        np.testing.assert_allclose(coefficients, expected, rtol=1e-12)  # BLAS heeds alignment
    assert found[2][1] != killed
