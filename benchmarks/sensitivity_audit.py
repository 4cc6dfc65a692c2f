"""Auditing single predictions: ``python -m benchmarks.sensitivity_audit``.

Auditability, Fig. 1 to 5, on Adult (sex) and COMPAS (race): does the prediction sensitivity of a
plain model tell predictions that a fair model makes too from those that it does not? Beside it two
controls, closeness to the decision boundary and the sensitivity on the logit scale, and the mean
sensitivity of the fair models themselves. The paper's fair model is an adversarial pivot, and
Fig. 4 asks how sensitive that one is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from fairlearn.adversarial import AdversarialFairnessClassifier
from sklearn.metrics import accuracy_score, roc_auc_score
from torch import nn

from skfair import FaiRNClassifier, PenaltyClassifier, PivotClassifier
from skfair.metrics import prediction_sensitivity

from ._common import (
    Part,
    adult,
    arguments,
    compas,
    encode,
    peak_megabytes,
    report,
    split,
    table_encoder,
    timed,
)

EPOCHS = {
    ("Adult", "linear stack"): 10,
    ("Adult", "CNN"): 3,
    ("COMPAS", "linear stack"): 30,
    ("COMPAS", "CNN"): 30,
}
SENSITIVE = {"Adult": "sex", "COMPAS": "race"}
COPIES = {"linear stack": 50, "CNN": 10}
NOISE = 0.5  # standard deviations of a numeric feature
PAPER = {  # rows of the test part that match and do not (Fig. 1)
    ("Adult", "linear stack"): (5173, 1015),
    ("Adult", "CNN"): (4908, 1280),
    ("COMPAS", "linear stack"): (854, 381),
    ("COMPAS", "CNN"): (813, 422),
}
PAPER_4 = {  # what is said of the sensitivities of its fair model (Fig. 4)
    ("Adult", "linear stack"): "nearly all low",
    ("Adult", "CNN"): "nearly all low, a cluster of high ones",
    ("COMPAS", "linear stack"): "nearly all low",
    ("COMPAS", "CNN"): "nearly all low",
}


def linear_stack(n_features: int, n_outputs: int) -> nn.Module:
    """Three layers of 32 with dropout (the paper's "linear network")."""
    layers: list[nn.Module] = []
    for width in (n_features, 32, 32):
        layers += [nn.Linear(width, 32), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(*layers, nn.Linear(32, n_outputs))


def cnn(n_features: int, n_outputs: int) -> nn.Module:
    """C256-C128-C64-C32-C16 along the features, each of stride 2, and one output."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, n_features))]
    channels = 1
    for width in (256, 128, 64, 32, 16):
        layers += [nn.Conv1d(channels, width, 3, stride=2, padding=1), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(n_outputs))


def built(make: Callable, n_features: int, n_outputs: int) -> nn.Module:
    """Build a module and give lazy layers their size."""
    module = make(n_features, n_outputs)
    with torch.no_grad():
        module.eval()(torch.zeros(2, n_features))
    return module.train()


MODULES = {"linear stack": linear_stack, "CNN": cnn}


def parts(dataset: str) -> tuple[Part, Part, list[int]]:
    """Training and test part, and the columns made of the sensitive feature."""
    if dataset == "Adult":
        train, test = adult()
    else:
        X, y, groups = compas()
        train, test = split(X.drop(columns="decile_score").assign(race=groups), y, groups, 0.2, 0)
    names = table_encoder(train.X).fit(train.X).get_feature_names_out()
    columns = [i for i, name in enumerate(names) if f"__{SENSITIVE[dataset]}_" in name]
    return *encode(train, test), columns


def models(dataset: str, module: str, seed: int, quick: bool) -> dict[str, Any]:
    """The plain network, FaiR-N, the pivot, and fairlearn's adversary (linear stack only)."""
    epochs = max(2, EPOCHS[dataset, module] // (5 if quick else 1))
    make = partial(built, MODULES[module])
    settings = {"module": make, "max_epochs": epochs, "random_state": seed}
    found = {
        "plain": PenaltyClassifier(alpha=0.0, averaging=0.0, **settings),
        "FaiR-N": FaiRNClassifier(group_weights="equal", **settings),
        "pivot": PivotClassifier(adversary=make, **settings),  # of the same layers
    }
    if module == "CNN":  # five convolutions of one number may learn nothing
        found["pivot, perceptron"] = PivotClassifier(**settings)
    if module == "linear stack":
        found["adversarial"] = AdversarialFairnessClassifier(
            backend="torch",
            predictor_model=[30, "relu", 30, "relu"],
            adversary_model=[8, "relu"],
            constraints="equalized_odds",
            batch_size=1024 if dataset == "Adult" else 256,
            epochs=30,
            random_state=seed,
        )
    return found


def own_mean(model: Any, X: np.ndarray, columns: list[int]) -> float:
    """Mean sensitivity of a model itself; fairlearn's is a module that returns probabilities."""
    if hasattr(model, "net_"):
        return prediction_sensitivity(model, X, sensitive_columns=columns, aggregate="mean")
    rows = torch.tensor(X, requires_grad=True)
    (slope,) = torch.autograd.grad(model.backendEngine_.predictor_model(rows).sum(), rows)
    return float(slope[:, columns].abs().amax(1).mean())


def audit(dataset: str, module: str, seed: int, quick: bool) -> list[dict]:
    """Rows of the table for one data set and module."""
    train, test, columns = parts(dataset)
    fitted = models(dataset, module, seed, quick)
    for model in fitted.values():
        model.fit(train.X, train.y, sensitive_features=train.sensitive)
    predicted = {name: np.ravel(model.predict(test.X)) for name, model in fitted.items()}
    on = {"sensitive_columns": columns, "random_state": seed}
    smooth = {"n_samples": 5 if quick else COPIES[module], "noise_scale": NOISE}

    def sensitivities(model: Any) -> dict[str, np.ndarray]:
        return {
            "plain": prediction_sensitivity(model, test.X, **on),
            "smooth": prediction_sensitivity(model, test.X, **on, **smooth),
            "logit": prediction_sensitivity(model, test.X, **on, scale="logit"),
        }

    measured = sensitivities(fitted["plain"])
    closeness = -np.abs(fitted["plain"].predict_proba(test.X)[:, 1] - 0.5)
    rows = []
    for name, model in fitted.items():
        row = {"data": dataset, "module": module, "fair model": name, "seed": seed}
        row["accuracy"] = accuracy_score(test.y, predicted[name])
        rates = pd.Series(predicted[name]).groupby(np.asarray(test.sensitive)).mean()
        row["DP difference"] = rates.max() - rates.min()
        row["own mean sensitivity"] = own_mean(model, test.X, columns)
        row |= {f"{group} accepted": rate for group, rate in rates.items()}
        if name.startswith("pivot"):
            match = predicted["plain"] == predicted[name]
            own = prediction_sensitivity(model, test.X, **on, **smooth)
            high = np.quantile(measured["smooth"], 0.9)
            row |= {
                "own smooth if match": own[match].mean(),
                "own smooth if not": own[~match].mean(),
            }
            row["plain smooth"], row["own smooth"] = measured["smooth"].mean(), own.mean()
            row["share over plain's 90 %"] = (own > high).mean()
        if name != "plain":
            match = predicted["plain"] == predicted[name]
            row |= {"match": match.sum(), "no match": (~match).sum()}
            row["paper match"], row["paper no match"] = PAPER[dataset, module]
            row["mean if match"] = measured["plain"][match].mean()
            row["mean if not"] = measured["plain"][~match].mean()
            scores = measured | {"closeness": closeness}
            for score, values in scores.items():
                row[f"AUC {score}"] = roc_auc_score(~match, values)
        rows.append(row)
    return rows


def speed(repeats: int) -> list[dict]:
    """Smooth sensitivity of 16,281 people, 50 copies, beside the passes it needs; and memory."""
    X = np.random.default_rng(0).standard_normal((16_281, 108)).astype(np.float32)
    model = PenaltyClassifier(
        alpha=0.0, hidden_layer_sizes=(128, 128), max_epochs=1, random_state=0
    ).fit(X, (X[:, 0] > 0).astype(int))
    module, rows = model.module_.eval(), torch.tensor(X)

    def bare() -> None:
        for _ in range(50):
            for part in rows.split(8192):
                copy = part.clone().requires_grad_()
                torch.autograd.grad(module(copy).softmax(1)[:, 1].sum(), copy)

    def smooth(copies: int) -> float:
        on = {"sensitive_columns": 3, "n_samples": copies, "noise_scale": NOISE}
        return timed(lambda: prediction_sensitivity(model, X, **on))[1]

    smooth(2)  # warm
    found = []
    for copies in (50, 500):
        before = peak_megabytes()
        ratios = [smooth(copies) / timed(bare)[1] * 50 / copies for _ in range(repeats)]
        more = peak_megabytes() - before
        row = {"copies": copies, "times the passes": np.median(ratios)}
        found.append(row | {"lowest": min(ratios), "highest": max(ratios), "MB more": more})
    return found


def main() -> None:
    """Run everything, or one data set."""
    args = arguments(__doc__, data=("all", *SENSITIVE))
    torch.set_num_threads(1)
    seeds = range(1 if args.quick else min(args.seeds, 2))
    names = list(SENSITIVE) if args.data == "all" else [args.data]
    rows = [
        row
        for name in names
        for module in (("linear stack",) if args.quick else MODULES)
        for seed in seeds
        for row in audit(name, module, seed, args.quick)
    ]
    keys = ["data", "module", "fair model"]
    table = pd.DataFrame(rows).drop(columns="seed").groupby(keys, sort=False).mean().reset_index()
    pivot = table["fair model"].str.startswith("pivot")
    said = table.loc[pivot, ["data", "module"]].apply(tuple, axis=1).map(PAPER_4)
    table.loc[pivot, "paper Fig. 4"] = said
    settings = {
        "command": "python -m benchmarks.sensitivity_audit" + " --quick" * args.quick,
        "smooth": f"largest over {COPIES} noisy copies, standard deviation {NOISE}",
        "epochs": EPOCHS,
        "seeds": len(seeds),
        "pivot": "lambda_fairness=10; its adversary has the layers of the network, or two of 64",
        "prototype": "Adult: AUC smooth .83, plain .79, closeness .90, logit .42",
    }
    name = "sensitivity_audit" + "_quick" * args.quick
    report(name, table, "Sensitivity of matching and other predictions (Fig. 1-5)", settings)
    title = "Smooth sensitivity beside the bare forward and backward passes (asked: 2.5)"
    report(f"{name}_speed", pd.DataFrame(speed(1 if args.quick else 3)), title, settings)


if __name__ == "__main__":
    main()
