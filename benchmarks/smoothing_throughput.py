"""Speed of smoothing: ``python -m benchmarks.smoothing_throughput``.

Decisions on noisy copies per second, 100,000 for each person, beside the bare forward pass of the
same network (128-128) on ready-made inputs, 2,048 rows at a time, on one thread; and memory.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression

from skfair import PenaltyClassifier, SmoothedClassifier

from ._common import arguments, peak_megabytes, report, timed

ROWS = 2048
ASKED = {(15, False): 0.7, (15, True): 1.05, (178, True): 1.8}


def fitted(n_features: int) -> tuple[PenaltyClassifier, np.ndarray, np.ndarray]:
    """Return a network after one epoch, and its data."""
    X = np.random.default_rng(0).standard_normal((2000, n_features)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    network = PenaltyClassifier(
        alpha=0.0, hidden_layer_sizes=(128, 128), max_epochs=1, random_state=0
    )
    return network.fit(X, y), X, y


def bare(module: torch.nn.Module, rows: torch.Tensor, passes: int) -> float:
    """Rows per second of the forward pass alone."""
    with torch.no_grad():
        start = perf_counter()
        for _ in range(passes):
            module(rows)
        return passes * len(rows) / (perf_counter() - start)


def throughput(n_features: int, repeats: int, quick: bool) -> list[dict]:
    """Ratios to the bare forward pass, in turns."""
    network, X, y = fitted(n_features)
    module, rows = network.net_.module_.eval(), torch.randn(ROWS, n_features)
    people, draws = (10, 10_000) if quick else (40, 100_000)
    found = []
    for noise in ("gaussian", "laplace"):
        for shared in (True, False):
            model = SmoothedClassifier(
                network, prefit=True, noise=noise, n_samples=draws, shared_noise=shared
            ).fit(X, y)
            ratios = []
            for _ in range(repeats):
                reference = bare(module, rows, 200)
                seconds = timed(lambda m=model: m.predict_proba(X[:people]))[1]
                ratios.append(people * draws / seconds / reference)
            found.append(
                {
                    "features": n_features,
                    "noise": noise,
                    "draws": "shared" if shared else "own",
                    "million a second": people * draws / seconds / 1e6,
                    "times the forward pass": np.median(ratios),
                    "lowest": min(ratios),
                    "highest": max(ratios),
                    "asked": ASKED.get((n_features, shared)) if noise == "gaussian" else None,
                }
            )
    return found


def memory(quick: bool) -> list[dict]:
    """Peak memory for more draws and more people; it must not grow."""
    network, X, y = fitted(15)
    sizes = [(10, 10_000), (10, 100_000), (1000, 10_000)]
    sizes += [] if quick else [(10, 1_000_000), (10_000, 2_000)]
    found = []
    for people, draws in sizes:
        model = SmoothedClassifier(network, prefit=True, n_samples=draws).fit(X, y)
        rows = np.tile(X, (-(-people // len(X)), 1))[:people]
        before = peak_megabytes()
        seconds = timed(lambda m=model, r=rows: m.predict_proba(r))[1]
        grown = peak_megabytes() - before
        found.append({"people": people, "draws": draws, "s": seconds, "MB more": grown})
    return found


def closed_form() -> list[dict]:
    """Seconds for a linear classifier and as many people as Adult's test part has."""
    X = np.random.default_rng(0).standard_normal((16_281, 100))
    model = SmoothedClassifier(LogisticRegression()).fit(X, (X[:, 0] > 0).astype(int))
    return [{"people": len(X), "draws": 0, "s": timed(lambda: model.predict_proba(X))[1]}]


def main() -> None:
    """Measure and report."""
    args = arguments(__doc__)
    torch.set_num_threads(1)
    repeats = 3 if args.quick else 7
    settings = {"command": "python -m benchmarks.smoothing_throughput" + " --quick" * args.quick}
    settings |= {"threads": 1, "rows at once": ROWS, "ratios": f"medians of {repeats}"}
    name = "smoothing_throughput" + "_quick" * args.quick
    rows = throughput(15, repeats, args.quick) + throughput(178, repeats, args.quick)
    report(name, pd.DataFrame(rows), "Noisy decisions beside the bare forward pass", settings)
    table = pd.DataFrame(memory(args.quick) + closed_form())
    report(f"{name}_memory", table, "Memory and time (0 draws: closed form, linear)", settings)


if __name__ == "__main__":
    main()
