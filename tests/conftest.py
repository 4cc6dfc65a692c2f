"""Data shared by the tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from threadpoolctl import threadpool_limits

from skfair.datasets import make_biased_classification

# What the tests train is so small that a second thread mostly waits for the first.
torch.set_num_threads(1)
threadpool_limits(1)


@pytest.fixture(scope="session")
def biased():
    """600 rows, 6 features, groups "a" (worse off) and "b"."""
    return make_biased_classification(600, n_features=6, random_state=0)


@pytest.fixture(scope="session")
def biased_frame(biased):
    """The same rows as a DataFrame with a text column ``sex``, labels as words."""
    X, y, group = biased
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    frame["sex"] = np.where(group == "a", "female", "male")
    return frame, pd.Series(np.where(y == 1, "yes", "no"), index=frame.index)


@pytest.fixture(scope="session")
def shared_data():
    """Folder with the real data sets."""
    folder = os.environ.get("SKFAIR_DATA")
    if not folder or not Path(folder, "adult.csv.gz").exists():
        pytest.skip("needs the real data: set SKFAIR_DATA to the folder that holds adult.csv.gz")
    return folder


@pytest.fixture(scope="module")  # its event loop is in the way of others
def browser():
    """Chromium, where it and the extra ``browser`` are installed."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install -e '.[browser]'"
    )
    pytest.importorskip("axe_playwright_python", reason="needs pip install -e '.[browser]'")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=flags)
        yield chromium
        chromium.close()


def pytest_collection_modifyitems(config, items):
    """Leave out what takes minutes, unless slow tests are asked for by name."""
    if config.option.markexpr.strip() == "slow":
        return
    many = [item for item in items if item.get_closest_marker("many")]
    config.hook.pytest_deselected(items=many)
    items[:] = [item for item in items if item not in set(many)]
