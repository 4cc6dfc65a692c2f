"""A cluster of two processes on this machine."""

from __future__ import annotations

import joblib
import pytest


@pytest.fixture(scope="session")
def client():
    distributed = pytest.importorskip("distributed", reason="needs the extra distributed")
    import dask

    # A new process takes a slow machine longer than a cluster waits for one that was lost.
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "5 minutes"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def dask(client):
    client.wait_for_workers(2, timeout=120)  # one may have been killed before
    with joblib.parallel_config("dask"):
        yield client
