"""People, models and a report; a table, and commands that take a moment or make no report."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from skfair import FaiRNClassifier
from skfair.audit import AuditReport, _networks
from skfair.audit import _command as command
from skfair.datasets import make_biased_classification

from .helpers import pipeline


@pytest.fixture(scope="module")
def people():
    X, y, group = make_biased_classification(
        700, n_features=3, n_informative=3, recourse_gap=1.0, random_state=0
    )
    return pd.DataFrame(X, columns=["a", "b", "c"]).assign(group=group), y, group


@pytest.fixture(scope="module")
def network(people):
    X, y, group = people
    model = pipeline(FaiRNClassifier(hidden_layer_sizes=(6,), max_epochs=8, random_state=0))
    return model.fit(X, y, fairnclassifier__sensitive_features=group)


@pytest.fixture(scope="module")
def forest(people):
    model = pipeline(RandomForestClassifier(8, max_depth=4, random_state=0))
    return model.fit(*people[:2])


@pytest.fixture(scope="module")
def report(people, network, forest):
    X, y, group = people
    half = len(y) // 2
    return AuditReport.from_estimator(
        network,
        X,
        y,
        sensitive_features=X[["group"]],
        baseline=forest,
        names=("network", "forest <old>"),
        splits={
            "first": (X[:half], y[:half], X[["group"]][:half]),
            "second": (X[half:], y[half:], X[["group"]][half:]),
        },
        n_resamples=100,
        min_cases=10,
        random_state=0,
    )


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    n = 400
    frame = pd.DataFrame(
        {
            "sex": rng.choice(["woman", "man"], n),
            "job": rng.choice(["cook, chef", 'the "boss"', "clerk"], n),
            "wage": rng.gamma(3.0, 10.0, n).round(2),
            "hours": rng.integers(10, 60, n),
        }
    )
    good = frame["wage"] + frame["hours"] + 20 * (frame["sex"] == "man") + rng.normal(size=n) * 10
    return frame.assign(paid=np.where(good > 78, "yes", "no"))


@pytest.fixture
def short_training(monkeypatch):
    """One epoch, few resamples: what is trained is not the point."""
    monkeypatch.setattr(_networks, "EPOCHS", 2)
    original = command.AuditReport.from_estimator

    def quick(*args, **kwargs):
        return original(*args, **kwargs, n_resamples=10, max_people=15)

    monkeypatch.setattr(command.AuditReport, "from_estimator", quick)


@pytest.fixture
def asked(monkeypatch):
    """Give back what the report was asked to be about; it is not made."""
    found = {}

    class Report:
        def to_html(self, path):
            path.write_text("report")

    def from_estimator(estimator, X, y, **kwargs):
        found.update(kwargs, estimator=estimator, X=X, y=y)
        return Report()

    monkeypatch.setattr(command.AuditReport, "from_estimator", from_estimator)
    return found
