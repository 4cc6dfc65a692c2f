"""A stacked search on a cluster of two processes."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path

import joblib
import numpy as np

from skfair import PenaltyClassifier
from skfair.model_selection import StackedSearchCV


def test_what_candidates_share_reaches_a_cluster_once(dask, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 50))
    y, group = (X[:, 0] > 0).astype(int), np.where(rng.random(400) < 0.5, "a", "b")
    sent = []
    submit = dask.submit

    def counting(function, *args, **kwargs):
        sent.append(
            len(pickle.dumps(function))
            + sum(len(pickle.dumps(a)) for a in args if isinstance(a, list))
        )
        return submit(function, *args, **kwargs)

    monkeypatch.setattr(dask, "submit", counting)
    search = StackedSearchCV(
        PenaltyClassifier(penalty="demographic_parity", max_epochs=1, random_state=0),
        {"alpha": np.linspace(0, 1, 8).tolist()},
        cv=4,
        max_stack=4,
    ).fit(X, y, sensitive_features=group)
    assert len(sent) > 4
    assert sum(sent) < 1.5 * X.nbytes + 30_000 * len(sent)
    assert max(sent[1:]) < X.nbytes / 2
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


class KillingScorer:
    """Accuracy; the first process but this one that asks for it is killed."""

    def __init__(self, folder):
        self.folder, self.home = folder, os.getpid()

    def __call__(self, estimator, X, y):
        marker = Path(self.folder, "killed")
        if os.getpid() != self.home and not marker.exists():
            marker.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return float((estimator.predict(X) == y).mean())


def test_stacked_search_on_a_cluster_survives_a_killed_worker(dask, biased, tmp_path, capsys):
    X, y, group = biased
    model = PenaltyClassifier(penalty="demographic_parity", max_epochs=2, random_state=0)
    grid = {"alpha": [0.0, 0.5, 1.0], "lr": [1e-3, 1e-2]}
    searches = []
    for backend in ("dask", "loky"):  # the latter with as many processes, so with the same stacks
        scoring = KillingScorer(tmp_path) if backend == "dask" else "accuracy"
        search = StackedSearchCV(model, grid, scoring=scoring, cv=4, n_jobs=2, verbose=1)
        with joblib.parallel_config(backend):
            searches.append(search.fit(X, y, sensitive_features=group))
    assert (tmp_path / "killed").exists()
    cluster, here = (search.cv_results_ for search in searches)
    for fold in range(4):
        np.testing.assert_array_equal(
            cluster[f"split{fold}_test_score"], here[f"split{fold}_test_score"]
        )
    assert searches[0].best_params_ == searches[1].best_params_
    assert "tasks: 100%" in capsys.readouterr().err
