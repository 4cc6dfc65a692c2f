"""Fits to run side by side, and to resume."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from joblib import Parallel, delayed, parallel_config


def run_jobs(
    run: Callable[..., Any],
    jobs: Sequence[tuple],
    folder: Path,
    minutes: float = np.inf,
    n_jobs: int = 1,
) -> list[Any]:
    """Run what is not in ``folder`` yet, ``n_jobs`` at a time; exit if time is over.

    A call with the same folder goes on, so that a benchmark may be run in parts. Each job has one
    thread.
    """
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.time() + 60 * minutes
    paths = [job_path(folder, job) for job in jobs]
    left = [
        (f"{i + 1}/{len(jobs)}", job, path)
        for i, (job, path) in enumerate(zip(jobs, paths, strict=True))
        if not path.exists()
    ]
    threads = {"inner_max_num_threads": 1} if n_jobs > 1 else {}
    with parallel_config("loky", **threads):
        Parallel(n_jobs)(delayed(_run_job)(run, *of, deadline) for of in left)
    n_done = sum(path.exists() for path in paths)
    if n_done < len(jobs):
        sys.exit(f"{n_done} of {len(jobs)} jobs are done; the same command goes on.")
    return [joblib.load(path) for path in paths]


def job_path(folder: Path, job: tuple) -> Path:
    """Where the result of a job is kept."""
    return folder / f"{joblib.hash(job)}.joblib"


def _run_job(run: Callable[..., Any], number: str, job: tuple, path: Path, deadline: float) -> None:
    if time.time() > deadline:
        return
    torch.set_num_threads(1)
    begin = time.perf_counter()
    result = run(*job)
    unfinished = path.with_suffix(".part")
    joblib.dump(result, unfinished)
    os.replace(unfinished, path)
    print(f"{number} {job} {time.perf_counter() - begin:.0f} s", flush=True)
