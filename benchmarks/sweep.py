"""A whole search at once: ``python -m benchmarks.sweep [--quick] [--part time] [--device cuda]``.

``maps``: the heat maps of FaiR-N (Fig. 2 to 4, bottom rows; MEPS is panel 21) on test data, 11 x 11
lambdas, five seeds, hidden layers (30, 30), 100 epochs; for the objective as printed and for
skfair's defaults. ``time``: StackedSearchCV against GridSearchCV and against loops written by hand,
121 candidates and three folds of Adult. GridSearchCV and the loops are timed on a part of the
candidates, and their seconds multiplied.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit

from skfair import FaiRNClassifier
from skfair.metrics import fairness_index, recourse_gap, robustness_index
from skfair.model_selection import StackedSearchCV

from ._common import Part, adult, encode, german, meps, parser, peak_megabytes, report, timed
from .fairn_table2 import LITERAL
from .training_overhead import hand_written

STEPS = np.linspace(0, 1, 11).round(1)
NAMES = ["lambda_fairness", "lambda_robustness"]
MEASURES = ["accuracy", "I_fair", "I_robust", "recourse gap", "constant"]
# data set -> (parts for a seed, learning rate, batch size), as for Table 2
DATA = {
    "Adult": (lambda seed: adult(), 1e-3, 1024),
    "German": (german, 1e-3, 128),
    "MEPS": (meps, 5e-4, 256),
}


def with_group(part: Part) -> tuple[np.ndarray, list[str]]:
    """Features with the group's code in front, and the groups' names."""
    names, codes = np.unique(part.sensitive, return_inverse=True)
    return np.column_stack([codes, part.X]).astype(np.float32), names.tolist()


class Measures:
    """A scorer of everything at once; the first column of X is the group."""

    def __init__(self, groups: list[str]) -> None:
        self.groups = groups

    def __call__(self, estimator: Any, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
        decision, group = estimator.decision_function(X), X[:, 0]
        accepted = decision > 0
        values = {
            "accuracy": accuracy_score(y, accepted),
            "I_fair": fairness_index(decision, sensitive_features=group),
            "I_robust": robustness_index(decision),
            "recourse gap": recourse_gap(decision, sensitive_features=group),
            "constant": float(len(np.unique(accepted)) == 1),
        }
        for code, name in enumerate(self.groups):
            members = group == code
            values[f"accepted {name}"] = accepted[members].mean()
            values[f"TPR {name}"] = accepted[members & (y == 1)].mean()
            values[f"rows {name}"] = members.sum()
        return values


def network(**params: Any) -> FaiRNClassifier:
    """The paper's network; its first column is the group and not seen."""
    columns = {"sensitive_columns": [0], "drop_sensitive_columns": True}
    return FaiRNClassifier(hidden_layer_sizes=(30, 30), random_state=0, **columns, **params)


def heat_map(data: str, objective: dict[str, Any], args: Any) -> tuple[pd.DataFrame, float]:
    """Test results of every pair of lambdas, and the seconds that all took."""
    parts, lr, batch_size = DATA[data]
    train, test = encode(*parts(0))
    (X, groups), (X_test, _) = with_group(train), with_group(test)
    fold = PredefinedSplit(np.repeat([-1, 0], [len(X), len(X_test)]))
    steps = STEPS[::5] if args.quick else STEPS
    search = StackedSearchCV(
        network(
            lr=lr,
            batch_size=batch_size,
            weight_decay=5e-4,
            max_epochs=3 if args.quick else args.epochs,
            **objective,
        ),
        dict.fromkeys(NAMES, steps),
        scoring=Measures(groups),
        cv=fold,
        n_repeats=2 if args.quick else args.seeds,
        n_jobs=args.jobs,
        refit=False,
        random_state=0,
        device=args.device,
    )
    rows = np.concatenate([X, X_test]), np.concatenate([train.y, test.y])
    _, seconds = timed(lambda: search.fit(*rows))
    table = pd.DataFrame(search.cv_results_)
    table = table.rename(columns=lambda name: name.removeprefix("param_"))
    means = table.filter(like="mean_test_").rename(columns=lambda n: n.removeprefix("mean_test_"))
    stds = table.filter(like="std_test_").rename(
        columns=lambda n: f"{n.removeprefix('std_test_')} sd"
    )
    return table[NAMES].join([means, stds[[f"{name} sd" for name in MEASURES[:4]]]]), seconds


def maps(args: Any) -> None:
    """Write the heat maps' numbers, and draw them if a folder is given."""
    for data in ["German"] if args.quick else DATA:
        for variant, objective in {"as printed": LITERAL, "defaults": {}}.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                table, seconds = heat_map(data, objective, args)
            n_networks = len(table) * (2 if args.quick else args.seeds)
            settings = {
                "command": f"python -m benchmarks.sweep --part maps{' --quick' * args.quick}",
                "data": data,
                "objective": f"FaiR-N, {variant}",
                "networks": n_networks,
                "seconds": round(seconds, 1),
                "device": args.device,
                "processes": args.jobs,
            }
            name = f"sweep_{data.lower()}_{variant.replace(' ', '_')}" + "_quick" * args.quick
            report(name, table, f"{data}, {variant}: {n_networks} networks", settings)
            if args.figures:
                draw(table, Path(args.figures) / f"{name}.png")


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw the heat maps of accuracy, fairness and robustness."""
    from matplotlib import pyplot

    from skfair.displays import LambdaHeatmapDisplay

    path.parent.mkdir(parents=True, exist_ok=True)
    figure, axes = pyplot.subplots(1, 3, figsize=(18, 5), layout="constrained")
    for name, ax in zip(MEASURES[:3], axes, strict=True):
        scores = table.pivot(index=NAMES[0], columns=NAMES[1], values=name)
        LambdaHeatmapDisplay(scores, name).plot(ax=ax)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
    print(f"drawn to {path}")


def time_searches(args: Any) -> None:
    """Compare the seconds of searches."""
    torch.set_num_threads(1)
    train, _ = encode(*adult())
    X, _ = with_group(train)
    folds, epochs, candidates = 3, 2 if args.quick else 20, len(STEPS) ** 2
    on_gpu = args.device != "cpu"
    few = [0.2, 0.7] if args.quick or on_gpu else [0.1, 0.5, 0.9]
    rows = []
    for batch_size in (128, 256, 1024):
        params = {"batch_size": batch_size, "max_epochs": epochs}
        shared = {"cv": folds, "refit": False, "scoring": "accuracy"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warm = {name: [0.5] for name in NAMES}
            for kind in (StackedSearchCV, GridSearchCV):  # imports, processes
                search = kind(network(max_epochs=1), warm, n_jobs=args.jobs, **shared)
                search.fit(X[:2000], train.y[:2000])
            grid = dict.fromkeys(NAMES, STEPS)
            stacked = StackedSearchCV(
                network(**params), grid, n_jobs=args.jobs, device=args.device, **shared
            )
            _, seconds = timed(lambda s=stacked: s.fit(X, train.y))
            usual = GridSearchCV(
                network(**params, device=args.device),
                {"lambda_fairness": few, "lambda_robustness": [0.3, 0.6]},
                n_jobs=None if on_gpu else args.jobs,
                **shared,
            )
            _, of_few = timed(lambda s=usual: s.fit(X, train.y))
            group = (train.sensitive == "Male").to_numpy(int)
            third = slice(len(X) * (folds - 1) // folds)
            loop = (train.X[third], train.y[third], group[third], batch_size, epochs)
            _, of_loops = timed(
                lambda loop=loop: Parallel(args.jobs)(
                    delayed(hand_written)(*loop) for _ in range(2 * args.jobs)
                )
            )
        usual_seconds = of_few * candidates / (len(few) * 2)
        loop_seconds = of_loops * candidates * folds / (2 * args.jobs)
        rows.append(
            {
                "batch": batch_size,
                "device": args.device,
                "networks": candidates * folds,
                "stacked (s)": seconds,
                "GridSearchCV (s)": usual_seconds,
                "hand-written loops, CPU (s)": loop_seconds,
                "GridSearchCV / stacked": usual_seconds / seconds,
                "loops / stacked": loop_seconds / seconds,
            }
        )
        print(pd.Series(rows[-1]).to_string())
    settings = {
        "command": f"python -m benchmarks.sweep --part time{' --quick' * args.quick}"
        + f" --device {args.device} --jobs {args.jobs}" * on_gpu,
        "data": "Adult, 108 features, hidden (30, 30)",
        "epochs": epochs,
        "processes": args.jobs,
        "GridSearchCV": f"timed on {len(few) * 2} candidates of {candidates}, multiplied",
        "hand-written loops": f"timed on {2 * args.jobs} of {candidates * folds}, multiplied; "
        "training alone",
        "peak memory of this process (MB)": round(peak_megabytes()),
    }
    if on_gpu:
        settings["GPU"] = torch.cuda.get_device_name()
    name = "sweep_time" + "_cuda" * on_gpu + "_quick" * args.quick
    report(name, pd.DataFrame(rows), "A search of 121 candidates and 3 folds", settings)


def main() -> None:
    """Draw heat maps and compare times."""
    command = parser(__doc__, part=["all", "maps", "time"])
    command.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    command.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    command.add_argument("--epochs", type=int, default=100, help="of the maps (default 100)")
    command.add_argument("--figures", help="folder for pictures of the maps (default: none)")
    args = command.parse_args()
    if args.part != "maps":
        time_searches(args)
    if args.part != "time":
        maps(args)


if __name__ == "__main__":
    main()
