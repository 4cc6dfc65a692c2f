"""A table, and commands that train for a moment or make no report."""

import numpy as np
import pandas as pd
import pytest

from skfair.audit import _command as command
from skfair.audit import _networks


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
