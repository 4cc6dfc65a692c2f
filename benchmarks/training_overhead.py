"""What ``fit`` costs beside a hand-written loop: ``python -m benchmarks.training_overhead``.

Same network, objective, batches and epochs, one thread; every ratio is the median over pairs that
were run one after the other. Uses Adult if it is there, else data of the same shape.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from skorch import NeuralNet
from torch import nn
from torch.nn import functional

from skfair import FaiRNClassifier, PenaltyClassifier
from skfair.datasets import make_biased_classification

from ._common import adult, arguments, encode, report, timed

LIMITS = {
    "fit / hand-written loop, batch 128": 1.25,
    "fit / hand-written loop, batch 1024": 1.15,
    "penalty / hand-written loop, batch 128": 1.25,
    "penalty / hand-written loop, batch 1024": 1.25,
    "gradient distance / hand-written loop, batch 128": 1.7 * 1.25,
    "gradient distance / hand-written loop, batch 1024": 1.7 * 1.15,
}


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Features, labels, group codes, and where they come from."""
    try:
        train, _ = encode(*adult())
    except OSError:
        X, y, group = make_biased_classification(32561, n_features=108, random_state=0)
        return X.astype(np.float32), y, (group == "b").astype(int), "synthetic, Adult's shape"
    return train.X, train.y, (train.sensitive == "Male").to_numpy(int), "Adult"


def network(n_features: int) -> nn.Module:
    """The paper's size, with two hidden layers."""
    return nn.Sequential(
        nn.Linear(n_features, 30), nn.ReLU(), nn.Linear(30, 30), nn.ReLU(), nn.Linear(30, 2)
    )


def objective(logits: torch.Tensor, y: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """FaiR-N with plain minibatch means, as one would write it by hand."""
    decision = logits[:, 1] - logits[:, 0]
    burden = torch.relu(-decision)
    members = functional.one_hot(group, 2).to(logits.dtype)
    means = burden @ members / members.sum(0)
    robustness = (1 / (1 + decision.abs())).mean()
    return (
        functional.cross_entropy(logits, y) + 0.5 * (means[0] - means[1]).abs() + 0.1 * robustness
    )


def parity_objective(logits: torch.Tensor, y: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """Cross-entropy and demographic parity, as one would write it by hand."""
    p = torch.sigmoid(logits[:, 1] - logits[:, 0])
    members = functional.one_hot(group, 2).to(logits.dtype)
    means = p @ members / members.sum(0)
    return functional.cross_entropy(logits, y) + (means[0] - means[1]).abs()


def hand_written(
    X: np.ndarray,
    y: np.ndarray,
    group: np.ndarray,
    batch: int,
    epochs: int,
    objective: Callable = objective,
) -> None:
    """The loop that a PyTorch user would write; tensors stay in memory, batches are slices."""
    X, y, group = (torch.tensor(a) for a in (X, y, group))
    module = network(X.shape[1])
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(X)).split(batch):
            optimizer.zero_grad()
            objective(module(X[rows]), y[rows], group[rows]).backward()
            optimizer.step()


class SkorchDefault(NeuralNet):
    """Plain skorch: its own loader and loop, the group in the target."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return objective(y_pred, y_true[:, 0], y_true[:, 1])


def plain_skorch(X: np.ndarray, y: np.ndarray, group: np.ndarray, batch: int, epochs: int) -> None:
    """The same training by skorch as it comes."""
    SkorchDefault(
        network(X.shape[1]),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=epochs,
        batch_size=batch,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    ).fit(X, np.column_stack([y, group]))


def fit(
    X: np.ndarray,
    y: np.ndarray,
    group: np.ndarray,
    batch: int,
    epochs: int,
    estimator: type = FaiRNClassifier,
    **params: str,
) -> None:
    """The estimator with its defaults: warm-up, running means, averaging, history, checks."""
    estimator(
        hidden_layer_sizes=(30, 30), batch_size=batch, max_epochs=epochs, random_state=0, **params
    ).fit(X, y, sensitive_features=group)


def peak_memory(n_rows: int, n_features: int, dtype: str) -> dict:
    """Peak of a fit above what importing takes, in a process of its own, in MB."""
    code = f"""
import json, resource, numpy as np, torch
from skfair import FaiRNClassifier
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
rng = np.random.default_rng(0)
X = np.empty(({n_rows}, {n_features}), dtype=np.{dtype})
for rows in np.array_split(np.arange(len(X)), 100):
    X[rows] = rng.standard_normal((len(rows), X.shape[1]))
y, group = (X[:, 0] > 0).astype(int), X[:, 1] > 0
FaiRNClassifier(max_epochs=1, batch_size=1024).fit(X, y, sensitive_features=group)
print(json.dumps([X.nbytes / 2**20, peak() - before]))
"""
    size, used = json.loads(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True
        ).stdout
    )
    limit = 2 * size + 300
    return {
        "measure": f"peak memory, {dtype} data of {size:.0f} MB (MB)",
        "median": used,
        "limit": limit,
    }


def main() -> None:
    """Time the pairs and measure memory."""
    args = arguments(__doc__)
    torch.set_num_threads(1)
    X, y, group, source = data()
    pairs = 3 if args.quick else 9
    rows = []
    for batch, epochs in ((128, 3), (1024, 12)):
        runs = {
            "hand": lambda b=batch, e=epochs: hand_written(X, y, group, b, e),
            "fit": lambda b=batch, e=epochs: fit(X, y, group, b, e),
            "gradient": lambda b=batch, e=epochs: fit(X, y, group, b, e, distance="gradient"),
            "hand, parity": lambda b=batch, e=epochs: hand_written(
                X, y, group, b, e, parity_objective
            ),
            "penalty": lambda b=batch, e=epochs: fit(X, y, group, b, e, PenaltyClassifier),
        }
        for run in runs.values():
            run()  # warm
        seconds = pd.DataFrame(
            [{name: timed(run)[1] for name, run in runs.items()} for _ in range(pairs)]
        )
        _, skorch_seconds = timed(lambda b=batch: plain_skorch(X, y, group, b, 1))
        ratios = {
            f"fit / hand-written loop, batch {batch}": seconds["fit"] / seconds["hand"],
            f"penalty / hand-written loop, batch {batch}": seconds["penalty"]
            / seconds["hand, parity"],
            f"gradient distance / hand-written loop, batch {batch}": seconds["gradient"]
            / seconds["hand"],
            f"plain skorch / hand-written loop, batch {batch}": skorch_seconds
            * epochs
            / seconds["hand"],
        }
        rows += [
            {
                "measure": name,
                "median": values.median(),
                "lowest": values.min(),
                "highest": values.max(),
                "limit": LIMITS.get(name),
            }
            for name, values in ratios.items()
        ]
    n_rows = 100_000 if args.quick else 500_000
    rows += [peak_memory(n_rows, 100, dtype) for dtype in ("float32", "float64")]
    settings = {
        "command": "python -m benchmarks.training_overhead" + " --quick" * args.quick,
        "data": source,
        "pairs": pairs,
        "hand-written loop": "plain minibatch means, torch.optim.Adam with its defaults",
    }
    title = f"Cost of fit ({source}, 108 features, hidden (30, 30), 1 thread)"
    report("training_overhead" + "_quick" * args.quick, pd.DataFrame(rows), title, settings)


if __name__ == "__main__":
    main()
