"""What one fit costs beside scikit-learn's perceptron: ``python -m benchmarks.single_fit``.

``MLPClassifier`` of the same size, batches, epochs and optimizer, on the same encoded rows (Adult,
or data of its shape); CPU time of one thread, every ratio the median over pairs that were run one
after the other. A second table divides a step into its parts, measured in a run of its own.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, _multilayer_perceptron
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

from skfair import FaiRNClassifier, NetworkClassifier
from skfair.networks._direct import DirectMLP
from skfair.objectives import fairn
from skfair.training._batches import BatchLoader
from skfair.training._net import ObjectiveNet

from ._common import arguments, report
from .training_overhead import data

HIDDEN = (64, 64)
LIMITS = {128: 1.5, 256: 1.25, 1024: 0.95}  # asked of FaiR-N
EPOCHS = {128: 6, 256: 8, 1024: 16}


def fair_network(X: np.ndarray, y: np.ndarray, group: np.ndarray, batch: int, epochs: int) -> None:
    """FaiR-N with its defaults: warm-up, running means, averaging, history, checks."""
    model = FaiRNClassifier(
        hidden_layer_sizes=HIDDEN, batch_size=batch, max_epochs=epochs, random_state=0
    )
    model.fit(X, y, sensitive_features=group)


def network(X: np.ndarray, y: np.ndarray, group: np.ndarray, batch: int, epochs: int) -> None:
    """The same network with the cross-entropy alone."""
    NetworkClassifier(
        hidden_layer_sizes=HIDDEN, batch_size=batch, max_epochs=epochs, random_state=0
    ).fit(X, y)


def sklearn(X: np.ndarray, y: np.ndarray, group: np.ndarray, batch: int, epochs: int) -> None:
    """scikit-learn's, which is not to stop early."""
    model = MLPClassifier(
        HIDDEN, batch_size=batch, max_iter=epochs, n_iter_no_change=epochs + 1, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it could go on
        model.fit(X, y)


FITS: dict[str, Callable] = {"MLPClassifier": sklearn, "FaiR-N": fair_network, "network": network}


class Stopwatch:
    """CPU time by part; of parts within parts each is charged with its own time."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.parts = ["rest"]
        self.last = time.process_time()

    def enter(self, part: str) -> None:
        """Begin a part."""
        self._charge()
        self.parts.append(part)

    def leave(self) -> None:
        """Go on with the part around it."""
        self._charge()
        self.parts.pop()

    def _charge(self) -> None:
        now = time.process_time()
        self.seconds[self.parts[-1]] += now - self.last
        self.last = now

    def of(self, part: str, function: Callable) -> Callable:
        """Return a function that is charged to a part."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            self.enter(part)
            try:
                return function(*args, **kwargs)
            finally:
                self.leave()

        return measured

    def batches(self, iterate: Callable) -> Callable:
        """Return a method that iterates, every batch charged to "gather"."""

        def measured(loader: Any) -> Iterator:
            batches = iterate(loader)
            while True:
                self.enter("gather")
                try:
                    batch = next(batches)
                except StopIteration:
                    return
                finally:
                    self.leave()
                yield batch

        return measured


def parts_of_ours(watch: Stopwatch) -> list:
    """What is patched to measure a step of ours."""
    return [
        patch.object(BatchLoader, "__iter__", watch.batches(BatchLoader.__iter__)),
        patch.object(DirectMLP, "forward", watch.of("forward", DirectMLP.forward)),
        patch.object(DirectMLP, "backward", watch.of("backward", DirectMLP.backward)),
        patch.object(fairn, "fairn_gradient", watch.of("objective", fairn.fairn_gradient)),
        patch.object(ObjectiveNet, "_evaluate", watch.of("objective", ObjectiveNet._evaluate)),
        patch.object(torch.Tensor, "backward", watch.of("autograd", torch.Tensor.backward)),
        patch.object(torch.optim.Adam, "step", watch.of("optimizer", torch.optim.Adam.step)),
        patch.object(
            ObjectiveNet, "train_step_single", watch.of("rest", ObjectiveNet.train_step_single)
        ),
    ]


def parts_of_sklearn(watch: Stopwatch) -> list:
    """What is patched to measure a step of scikit-learn's."""
    module, losses = _multilayer_perceptron, _multilayer_perceptron.LOSS_FUNCTIONS
    loss = watch.of("objective", losses["binary_log_loss"])
    return [
        patch.object(module, "_safe_indexing", watch.of("gather", module._safe_indexing)),
        patch.object(
            MLPClassifier, "_forward_pass", watch.of("forward", MLPClassifier._forward_pass)
        ),
        patch.object(MLPClassifier, "_backprop", watch.of("backward", MLPClassifier._backprop)),
        patch.dict(losses, binary_log_loss=loss),
        patch.object(
            AdamOptimizer, "update_params", watch.of("optimizer", AdamOptimizer.update_params)
        ),
    ]


def budget(name: str, rows: tuple, batch: int, epochs: int) -> dict[str, Any]:
    """Microseconds of a step by part, medians over runs."""
    n_steps = epochs * -(-len(rows[0]) // batch)
    found = []
    for _ in range(3):
        watch = Stopwatch()
        patches = parts_of_sklearn(watch) if FITS[name] is sklearn else parts_of_ours(watch)
        with ExitStack() as stack:
            for each in patches:
                stack.enter_context(each)
            watch.of("rest", FITS[name])(*rows, batch, epochs)
        found.append({part: 1e6 * s / n_steps for part, s in watch.seconds.items()})
    table = pd.DataFrame(found).median()
    order = ["gather", "forward", "objective", "autograd", "backward", "optimizer", "rest"]
    row = {part: table.get(part, np.nan) for part in order}
    return {"batch": batch, "fit": name, **row, "step": table.sum()}


def cpu_seconds(function: Callable, *args: Any) -> float:
    """CPU time of a call."""
    start = time.process_time()
    function(*args)
    return time.process_time() - start


def main() -> None:
    """Time the pairs and the parts."""
    args = arguments(__doc__)
    torch.set_num_threads(1)
    *rows, source = data()
    pairs = 3 if args.quick else 7
    ratios, budgets = [], []
    for batch, limit in LIMITS.items():
        epochs = EPOCHS[batch] // (1 + args.quick)
        for fit in FITS.values():
            fit(*rows, batch, 1)  # warm
        seconds = pd.DataFrame(
            [
                {name: cpu_seconds(fit, *rows, batch, epochs) for name, fit in FITS.items()}
                for _ in range(pairs)
            ]
        )
        for name, asked in (("FaiR-N", limit), ("network", np.nan)):
            ratio = seconds[name] / seconds["MLPClassifier"]
            ratios.append(
                {
                    "measure": f"{name} / MLPClassifier, batch {batch}",
                    "median": ratio.median(),
                    "lowest": ratio.min(),
                    "highest": ratio.max(),
                    "limit": asked,
                }
            )
        budgets += [budget(name, tuple(rows), batch, epochs) for name in FITS]
    settings = {
        "command": "python -m benchmarks.single_fit" + " --quick" * args.quick,
        "data": source,
        "pairs": pairs,
        "epochs": EPOCHS,
    }
    suffix = "_quick" * args.quick
    title = f"Cost of a fit ({source}, 108 features, hidden {HIDDEN}, adam, CPU time, 1 thread)"
    report(f"single_fit{suffix}", pd.DataFrame(ratios), title, settings)
    title = "Where a step goes (microseconds of CPU time, stopwatch included)"
    report(f"single_fit_budget{suffix}", pd.DataFrame(budgets), title, settings)


if __name__ == "__main__":
    main()
