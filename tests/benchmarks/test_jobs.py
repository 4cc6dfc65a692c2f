"""Benchmarks that are run in parts, or side by side."""

import math

import pytest

from benchmarks._jobs import run_jobs


def test_jobs_go_on_where_they_stopped(tmp_path):
    done = []

    def run(job):
        done.append(job)
        return 10 * job

    with pytest.raises(SystemExit):
        run_jobs(run, [(1,), (2,)], tmp_path, minutes=-1)
    assert done == []
    assert run_jobs(run, [(1,), (2,)], tmp_path, minutes=5) == [10, 20]
    assert run_jobs(run, [(2,), (3,)], tmp_path, minutes=5) == [20, 30]
    assert done == [1, 2, 3]


@pytest.mark.slow
def test_jobs_side_by_side_come_back_in_order(tmp_path):
    jobs = [(3.0, 4.0), (6.0, 8.0), (5.0, 12.0)]
    assert run_jobs(math.hypot, jobs, tmp_path, n_jobs=2) == [5, 10, 13]
    assert len([*tmp_path.iterdir()]) == len(jobs)
