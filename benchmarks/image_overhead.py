"""What a step on images costs: ``python -m benchmarks.image_overhead``.

The same network, batches of bytes, epochs and one thread as a hand-written loop; every ratio is the
median over pairs that were run one after the other. Peak memory is that of a fit above what
importing takes, the data among it, beside the same of the loop. The images are noise with a square.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from skfair import NetworkClassifier, PenaltyClassifier
from skfair.networks import ConvNet

from ._common import arguments, report

LIMIT = 1.10
CASES = ((28, 64, 1024), (28, 128, 1024), (64, 64, 256), (64, 128, 256))  # pixels, batch, rows
EPOCHS = 8  # the look at what came out, one prediction of all rows, is part of a fit


def data(n_rows: int, pixels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images of bytes, with a bright square where the label is 1, labels and groups."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 156, (n_rows, pixels, pixels), dtype=np.uint8)
    y = rng.integers(0, 2, n_rows)
    X[y == 1, 8:16, 8:16] += 100
    return X, y, rng.integers(0, 2, n_rows)


def plain(logits: torch.Tensor, y: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """Cross-entropy."""
    return functional.cross_entropy(logits, y)


def parity(logits: torch.Tensor, y: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """Cross-entropy and demographic parity, as one would write it by hand."""
    p = torch.sigmoid(logits[:, 1] - logits[:, 0])
    members = functional.one_hot(group, 2).to(logits.dtype)
    means = p @ members / members.sum(0)
    return functional.cross_entropy(logits, y) + (means[0] - means[1]).abs()


def hand_written(
    X: np.ndarray, y: np.ndarray, group: np.ndarray, batch: int, epochs: int, objective: Callable
) -> None:
    """The loop that a PyTorch user would write: bytes in memory, numbers in the batch."""
    X, y, group = (torch.from_numpy(a) for a in (X, y, group))
    module = ConvNet(X.shape[1:], 2)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(X)).split(batch):
            optimizer.zero_grad()
            images = X[rows].float() / 255
            objective(module(images), y[rows], group[rows]).backward()
            optimizer.step()


def fit(
    X: np.ndarray, y: np.ndarray, group: np.ndarray, batch: int, epochs: int, estimator: type
) -> None:
    """The estimator with its defaults: averaging, history, checks."""
    groups = {} if estimator is NetworkClassifier else {"sensitive_features": group}
    model = estimator(module="convnet", batch_size=batch, max_epochs=epochs, random_state=0)
    model.fit(X, y, **groups)


def seconds(run: Callable) -> float:
    """Seconds of processor time, on which other jobs of the machine have less influence."""
    start = time.process_time()
    run()
    return time.process_time() - start


def times(pairs: int) -> list[dict]:
    """Time the pairs."""
    rows = []
    for pixels, batch, n_rows in CASES:
        X, y, group = data(n_rows, pixels)
        for estimator, objective in ((NetworkClassifier, plain), (PenaltyClassifier, parity)):
            call = X, y, group, batch, EPOCHS
            runs = partial(hand_written, *call, objective), partial(fit, *call, estimator)
            for run in runs:
                run()  # warm
            found = np.array([[seconds(run) for run in runs] for _ in range(pairs)])
            ratios = found[:, 1] / found[:, 0]
            size = f"{pixels} x {pixels}, batch {batch}"
            rows.append(
                {
                    "measure": f"{estimator.__name__} / hand-written loop, {size}",
                    "median": np.median(ratios),
                    "lowest": ratios.min(),
                    "highest": ratios.max(),
                    "limit": LIMIT,
                    "ms a row": 1000 * np.median(found[:, 1]) / (EPOCHS * n_rows),
                }
            )
    return rows


def peak() -> float:
    """Most memory this process itself has held, in MB (Linux; ru_maxrss has the parent's, too)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def peak_memory(kind: str, n_rows: int) -> tuple[float, float]:
    """Size of the data, and peak above what importing takes, in a process of its own, in MB."""
    code = f"""
import json
from benchmarks.image_overhead import *
torch.set_num_threads(1)
torch.optim.Adam(ConvNet((16, 16), 2).parameters())
before = peak()
X, y, group = data({n_rows}, 64)
if {kind!r} == "loop":
    hand_written(X, y, group, 64, 1, plain)
else:
    model = NetworkClassifier(module="convnet", batch_size=64, max_epochs=1, random_state=0)
    model.fit(X, y)
    model.predict(X) if {kind!r} == "fit and predict" else None
print(json.dumps([X.nbytes / 2**20, peak() - before]))
"""
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    ).stdout
    return tuple(json.loads(output))


def main() -> None:
    """Time the pairs and measure memory."""
    args = arguments(__doc__)
    torch.set_num_threads(1)
    pairs = 3 if args.quick else 5
    rows = times(pairs)
    n_rows = 5_000 if args.quick else 30_000
    size, loop = peak_memory("loop", n_rows)
    for kind in ("fit", "fit and predict"):
        _, used = peak_memory(kind, n_rows)
        rows.append(
            {
                "measure": f"peak memory of {kind}, {size:.0f} MB of data (MB; loop {loop:.0f})",
                "median": used,
                "limit": 1.1 * loop,
            }
        )
    settings = {
        "command": "python -m benchmarks.image_overhead" + " --quick" * args.quick,
        "data": "noise with a square where the label is 1",
        "pairs": pairs,
        "time": "of the processor",
        "epochs": EPOCHS,
        "hand-written loop": "bytes in memory, torch.optim.Adam with its defaults",
    }
    title = "Cost of fit on images (ConvNet, 1 thread)"
    report("image_overhead" + "_quick" * args.quick, pd.DataFrame(rows), title, settings)


if __name__ == "__main__":
    main()
