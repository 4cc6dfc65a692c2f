"""Speed of the exact parity score: ``python -m benchmarks.parity_score``.

Beside removing one weight at a time: the reference sets it to zero, runs the whole network and puts
it back (timed on a sample of the weights). Same network, rows and precision, one thread. skfair
skips pairs of a row and a weight without effect, so it is faster on sparse inputs such as one-hot
columns than on dense ones.
"""

from __future__ import annotations

import copy
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from skfair import PenaltyClassifier
from skfair.metrics import parity_score

from ._common import arguments, report, timed

ASKED = {"float32": 12, "float64": 18}  # times as fast, for ReLU


def make_data(n_rows: int, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal features, or such that one in six is 1 and the others 0."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 120)).astype(np.float32)
    X = X if kind == "dense" else (X > 1).astype(np.float32)
    group = rng.integers(0, 2, n_rows)
    y = (X[:, 0] + 0.5 * group + rng.standard_normal(n_rows) > 0.5).astype(int)
    return X, y, group


def fitted(hidden: tuple[int, ...], dtype: str, data: tuple, **params: Any) -> PenaltyClassifier:
    """A briefly trained network."""
    model = PenaltyClassifier(
        hidden_layer_sizes=hidden, dtype=dtype, max_epochs=5, random_state=0, **params
    )
    return model.fit(*data[:2], sensitive_features=data[2])


@torch.no_grad()
def one_by_one(model: PenaltyClassifier, data: tuple, n_weights: int) -> float:
    """Seconds for all weights, by a sample of ``n_weights``."""
    module = copy.deepcopy(model.module_)
    weights = [p for name, p in module.named_parameters() if name.endswith("weight")]
    X = torch.from_numpy(data[0]).to(weights[0].dtype)
    y, members = torch.from_numpy(data[1]), [torch.from_numpy(data[2] == g) for g in (0, 1)]

    def group_losses() -> torch.Tensor:
        losses = functional.cross_entropy(module(X), y, reduction="none")
        return torch.stack([losses[rows].mean() for rows in members])

    before, total = group_losses(), sum(weight.numel() for weight in weights)
    positions = np.random.default_rng(0).choice(total, min(n_weights, total), replace=False)
    ends = np.cumsum([weight.numel() for weight in weights])
    start = perf_counter()
    for position in positions:
        layer = int(np.searchsorted(ends, position, side="right"))
        flat = weights[layer].view(-1)
        i = position - ends[layer] + flat.numel()
        kept = flat[i].item()
        flat[i] = 0
        (group_losses() - before).square_()
        flat[i] = kept
    return (perf_counter() - start) * total / len(positions)


def all_at_once(model: PenaltyClassifier, data: tuple) -> float:
    """Seconds that skfair takes."""
    X, y, group = data
    return timed(lambda: parity_score(model, X, y, sensitive_features=group))[1]


def main() -> None:
    """Measure, in turns, and report the medians."""
    args = arguments(__doc__)
    torch.set_num_threads(1)
    rows = []
    for kind, activation in (("dense", "relu"), ("sparse", "relu"), ("dense", "tanh")):
        data = make_data(2000, kind)
        for dtype in ("float32", "float64"):
            model = fitted((50, 50), dtype, data, activation=activation)
            seconds, references = [], []
            for _ in range(3 if args.quick else 7):
                references.append(one_by_one(model, data, 300 if args.quick else 1000))
                seconds.append(all_at_once(model, data))
            ratios = np.divide(references, seconds)
            rows.append(
                {
                    "inputs": kind,
                    "activation": activation,
                    "dtype": dtype,
                    "hidden": "50-50",
                    "rows": 2000,
                    "seconds": np.median(seconds),
                    "times as fast": np.median(ratios),
                    "lowest": ratios.min(),
                    "highest": ratios.max(),
                    "asked": ASKED[dtype] if activation == "relu" else None,
                }
            )
    sizes = [((50, 50), 2000), ((50, 50), 4000), ((50, 50), 8000), ((100, 100), 2000)]
    sizes += [] if args.quick else [((200, 200), 2000)]  # the paper's network, 64,601 weights
    for hidden, n_rows in sizes:
        data = make_data(n_rows, "dense")
        model = fitted(hidden, "float32", data)
        seconds = all_at_once(model, data)
        name = "-".join(map(str, hidden))
        row = {"inputs": "dense", "activation": "relu", "dtype": "float32", "hidden": name}
        rows.append(row | {"rows": n_rows, "seconds": seconds})
    settings = {"command": "python -m benchmarks.parity_score" + " --quick" * args.quick}
    settings["threads"] = 1
    title = "Exact parity score beside one weight at a time (120 inputs, two classes)"
    report("parity_score" + "_quick" * args.quick, pd.DataFrame(rows), title, settings)


if __name__ == "__main__":
    main()
