"""Decision rationale alignment on faces: ``python -m benchmarks.celeba_dralign``.

FAIRER, Fig. 3 (CelebA), Tables 5, 6, 9 and 13, on 10,000 gray images of CelebA: wavy hair and
attractive as annotators saw it, groups by the gender they labeled. Divided by person into training,
validation and test part, anew for each seed. The pictures have 64 x 64 pixels, 32 x 32 with
``--quick``. ``--resume yes`` goes on where an interrupted run of the same settings ended.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from scipy.stats import ttest_rel
from sklearn.metrics import average_precision_score
from skorch.callbacks import Callback

from skfair.metrics import probability_gap
from skfair.networks import AlexNet, ConvNet, ResNet18

from ._common import Part, arguments, report
from ._images import GENDERS, NormedNet, auc, bootstrap, celeba, flat, linear_model, remember
from ._images import training as training_of
from .dralign_adult import METHODS as ALL_METHODS
from .dralign_adult import SINGLE

LABELS = ("Wavy_Hair", "Attractive")
METHODS = ("ERM", "oversampling", "FairReg", "Fair-Mixup", "DRAlign")
CRITERIA = {"demographic_parity": "DP", "equalized_odds": "EO"}
BETA = 0.01  # Table 3
FLOOR = 0.95  # of the validation AP that ERM has at best, mean over seeds
NETWORKS = {
    "small": NormedNet,
    "ConvNet": ConvNet,
    "AlexNet": AlexNet,
    "ResNet18": ResNet18,
}
NARROW = {"AlexNet": partial(AlexNet, width=16), "ResNet18": partial(ResNet18, width=16)}
# Table 5, AlexNet, Attractive, and Table 6, ResNet-18, Wavy_Hair: AP and gap by lambda.
PAPER = {
    ("Attractive", "AlexNet", "DP", "DRAlign"): {
        0.1: (0.8956, 0.3196),
        0.2: (0.8895, 0.2727),
        0.3: (0.8783, 0.2126),
    },
    ("Attractive", "AlexNet", "DP", "FairReg"): {
        0.1: (0.8942, 0.3305),
        0.2: (0.8873, 0.2819),
        0.3: (0.8807, 0.2377),
    },
    ("Attractive", "AlexNet", "EO", "DRAlign"): {
        0.1: (0.8760, 0.0520),
        0.4: (0.8735, 0.0337),
        1.0: (0.8717, 0.0243),
    },
    ("Attractive", "AlexNet", "EO", "FairReg"): {
        0.1: (0.8733, 0.0533),
        0.4: (0.8707, 0.0374),
        1.0: (0.8681, 0.0273),
    },
    ("Wavy_Hair", "ResNet18", "DP", "DRAlign"): {
        0.1: (0.8578, 0.3011),
        5.0: (0.8385, 0.2723),
        10.0: (0.8179, 0.2481),
    },
    ("Wavy_Hair", "ResNet18", "DP", "FairReg"): {
        0.1: (0.8506, 0.3063),
        5.0: (0.8355, 0.2795),
        10.0: (0.8123, 0.2552),
    },
    ("Wavy_Hair", "ResNet18", "EO", "DRAlign"): {
        0.2: (0.8212, 0.1294),
        5.0: (0.7965, 0.0495),
        10.0: (0.7703, 0.0446),
    },
    ("Wavy_Hair", "ResNet18", "EO", "FairReg"): {
        0.2: (0.8063, 0.1832),
        5.0: (0.7857, 0.0498),
        10.0: (0.7560, 0.0494),
    },
}
# Table 9: seconds of a training, AlexNet.
SECONDS = {
    "DP": dict(zip(METHODS, (611.3, 725.2, 811.6, 1995.3, 1397.8), strict=True)),
    "EO": dict(zip(METHODS, (661.8, 761.8, 865.8, 3640.8, 3278.2), strict=True)),
}


class Decisions(Callback):
    """Keep the log-odds of the positive class on some parts, epoch by epoch."""

    def __init__(self, parts: dict[str, Part]) -> None:
        self.parts = parts

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start with none, and the clock."""
        self.epochs_: list[dict[str, np.ndarray]] = []
        self.seconds_ = 0.0

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Look at the clock; seconds of this process, which waits for others on a busy machine."""
        self._clock = time.process_time if str(net.device) == "cpu" else time.perf_counter
        self._start = self._clock()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Decide."""
        self.seconds_ += self._clock() - self._start
        net.module_.eval()
        found = {}
        for name, part in self.parts.items():
            with torch.no_grad():
                logits = torch.cat(
                    [
                        net.module_(X.to(net.device) / 255)
                        for X in torch.from_numpy(part.X).split(500)
                    ]
                )
            found[name] = (logits[:, 1] - logits[:, 0]).cpu().numpy()
        self.epochs_.append(found)


def run(
    label: str,
    network: str,
    method: str,
    weight: float,
    criterion: str,
    seed: int,
    epochs: int,
    factor: int,
    device: str,
) -> tuple[list[dict[str, np.ndarray]], float]:
    """Decisions of one training on validation and test part after each epoch; its seconds."""
    torch.set_num_threads(1)
    parts, _ = celeba(label, seed, factor)
    make, own = ALL_METHODS[method]
    decisions = Decisions({name: parts[name] for name in ("validation", "test")})
    params = training_of(epochs, seed, device, decisions) | own
    params["module"] = (NARROW if factor > 1 else NETWORKS).get(network, NETWORKS[network])
    if network in NARROW:
        params |= {"lr": 1e-3 if network == "ResNet18" else 5e-4}
    if method not in SINGLE:
        params |= {"lambda_fairness": weight, "criterion": criterion}
    if method == "DRAlign":
        params |= {"beta": BETA, "align_layers": 2 if network in NARROW else None}
    train = parts["train"]
    model = make(**params).fit(train.X, train.y, sensitive_features=train.sensitive)
    recorded = next(c for _, c in model.net_.callbacks_ if isinstance(c, Decisions))
    return recorded.epochs_, recorded.seconds_


def measure(decision: np.ndarray, part: Part) -> dict[str, float]:
    """AUC, average precision and gaps in mean probability (FAIRER, Eq. 1 and 2)."""
    gaps = {
        short: probability_gap(
            decision, part.y, sensitive_features=part.sensitive, criterion=criterion
        )
        for criterion, short in CRITERIA.items()
    }
    ap = average_precision_score(part.y, decision)
    return {"AUC": auc(part.y, decision), "AP": ap} | gaps


def by_group(decision: np.ndarray, part: Part) -> dict[str, float]:
    """Size, AUC, share accepted and true positive rate of each group."""
    found = {}
    for group in GENDERS:
        rows = part.sensitive == group
        y, accepted = part.y[rows], decision[rows] > 0
        found |= {
            f"{group} n": len(y),
            f"{group} positive": y.mean(),
            f"{group} AUC": auc(y, decision[rows]),
            f"{group} accepted": accepted.mean(),
            f"{group} TPR": accepted[y == 1].mean(),
        }
    return found


def jobs_of(
    label: str, network: str, methods: tuple, lambdas: tuple, criterion: str, seeds: range
) -> list[tuple]:
    """Every training of one table; the same ones are not repeated for each lambda."""
    return [
        (label, network, method, weight, criterion, seed)
        for seed in seeds
        for method in methods
        for weight in (lambdas if method not in SINGLE else (0.0,))
    ]


def curves_of(jobs: list[tuple], settings: tuple, resume: bool) -> pd.DataFrame:
    """One row for each training and epoch: key, decisions, figures of validation and test part."""
    cached = remember(run, resume)
    found = Parallel(n_jobs=1 if settings[2] != "cpu" else -1, verbose=5)(
        delayed(cached)(*job, *settings) for job in jobs
    )
    rows = []
    for job, (epochs, seconds) in zip(jobs, found, strict=True):
        label, network, method, weight, criterion, seed = job
        parts, _ = celeba(label, seed, settings[1])
        key = {"label": label, "network": network, "method": method, "lambda": weight}
        key |= {"seed": seed, "seconds": seconds}
        for i, decisions in enumerate(epochs):
            row = key | {"epoch": i + 1, "decision": decisions["test"]}
            for name in ("validation", "test"):
                figures = measure(decisions[name], parts[name])
                row |= {f"{name} {k}": v for k, v in figures.items()}
            rows.append(row)
    return pd.DataFrame(rows)


def choose(curves: pd.DataFrame, gap: str) -> pd.DataFrame:
    """The epoch and lambda of smallest validation gap, of those whose AP is at least the floor."""
    plain = curves[curves["method"] == "ERM"].groupby("seed")["validation AP"].max()
    floor = FLOOR * plain.mean()
    chosen = []
    for _, part in curves.groupby(["method", "seed"], sort=False):
        good = part[part["validation AP"] >= floor]
        best = good.nsmallest(1, f"validation {gap}")
        chosen.append(best if len(best) else part.nlargest(1, "validation AP"))
    return pd.concat(chosen).assign(floor=floor)


def differences(chosen: pd.DataFrame, gap: str, label: str, factor: int) -> dict[str, tuple]:
    """How much smaller each method's gap is than FairReg's: interval over people, and p over seeds.

    The interval is that of the mean over seeds, whose test parts are drawn by themselves.
    """
    criterion = {short: name for name, short in CRITERIA.items()}[gap]
    wide = chosen.pivot(index="seed", columns="method", values=["decision", f"test {gap}"])
    draws: dict[str, list] = {method: [] for method in wide["decision"]}
    for seed, row in wide["decision"].iterrows():
        parts, owner = celeba(label, seed, factor)
        test = parts["test"]

        def gaps(rows: np.ndarray, row: pd.Series = row, test: Part = test) -> list[float]:
            return [
                probability_gap(
                    decision[rows],
                    test.y[rows],
                    sensitive_features=test.sensitive[rows],
                    criterion=criterion,
                )
                for decision in row
            ]

        of_seed = bootstrap(gaps, owner["test"], 200)
        for i, method in enumerate(row.index):
            draws[method].append(of_seed[:, i])
    of_reg, found = np.mean(draws["FairReg"], axis=0), {}
    for method, values in draws.items():
        low, high = np.quantile(np.mean(values, axis=0) - of_reg, (0.025, 0.975))
        p = ttest_rel(wide[f"test {gap}", method], wide[f"test {gap}", "FairReg"]).pvalue
        found[method] = (low, high, p) if method != "FairReg" else (np.nan,) * 3
    return found


def linear_yardstick(label: str, seeds: range) -> dict[str, float]:
    """Test figures of a logistic regression on principal components of 64 x 64 pixels."""
    rows = []
    for seed in seeds:
        parts, _ = celeba(label, seed)
        model = linear_model().fit(flat(parts["train"].X), parts["train"].y)
        decision = model.decision_function(flat(parts["test"].X))
        rows.append(measure(decision, parts["test"]) | by_group(decision, parts["test"]))
    return pd.DataFrame(rows).mean().to_dict()


def figure_3(label: str, name: str, settings: dict, run_settings: tuple, args: Any) -> None:
    """Fig. 3: every method, by the rule, on one label."""
    seeds, gap = range(min(args.seeds, 3)), CRITERIA[args.criterion]
    lambdas = (0.3, 0.7) if args.quick else (0.1, 0.3, 0.5, 0.7)
    jobs = jobs_of(label, "small", METHODS, lambdas, args.criterion, seeds)
    curves = curves_of(jobs, run_settings, args.resume == "yes")
    chosen = choose(curves, gap)
    compared = differences(chosen, gap, label, run_settings[1])
    groups = [
        by_group(row["decision"], celeba(label, row["seed"], run_settings[1])[0]["test"])
        for _, row in chosen.iterrows()
    ]
    chosen = chosen.reset_index(drop=True).join(pd.DataFrame(groups))
    figures = ["AUC", "AP", *CRITERIA.values()]
    chosen = chosen.rename(columns={f"test {figure}": figure for figure in figures})
    columns = [*figures, "lambda", "epoch", *groups[0]]
    by_method = chosen.groupby("method", sort=False)
    table = by_method[columns].mean().join(by_method[figures].std().add_suffix(" sd"))
    table["seconds"] = curves.groupby("method")["seconds"].mean()
    table["paper seconds"] = SECONDS[gap]
    of_reg = table.loc["FairReg", gap]
    table["below FairReg"] = 1 - table[gap] / of_reg
    table[["difference, low", "difference, high", "p (seeds)"]] = pd.DataFrame(compared).T
    table.loc["linear"] = pd.Series(linear_yardstick(label, seeds))
    table = table.reset_index(names="method")
    best = curves[curves["method"] == "ERM"].sort_values("validation AUC").groupby("seed").tail(1)
    print(
        f"{label}: test AUC of ERM at its best validation AUC: {best['test AUC'].round(4).tolist()}"
    )
    settings = settings | {
        "seeds": len(seeds),
        "lambda": f"{lambdas}, beta {BETA}",
        "rule": f"smallest validation {gap} over lambda and epoch, validation AP at least "
        f"{chosen['floor'].iloc[0]:.3f}, {FLOOR} of ERM's best",
        "ERM at its best validation AUC": f"test AUC {best['test AUC'].mean():.3f}, "
        f"{gap} {best[f'test {gap}'].mean():.3f}",
        "difference": f"in {gap} to FairReg, 95 % of bootstrap samples of people",
    }
    title = f"{label}: accuracy against fairness (Fig. 3, Table 9)"
    report(f"{name}_{label.lower()}", table, title, settings)
    means = curves.drop(columns=["decision", "network", "label", "seed"])
    means = means.groupby(["method", "lambda", "epoch"], sort=False).mean().reset_index()
    last = means[means["epoch"] == means["epoch"].max()]
    report(f"{name}_{label.lower()}_lambdas", last, f"{label}, after the last epoch", settings)


def tables_5_and_6(name: str, settings: dict, run_settings: tuple, args: Any) -> None:
    """AlexNet on Attractive, ResNet-18 on Wavy_Hair, the last two layers aligned."""
    seeds, gap = range(min(args.seeds, 3)), CRITERIA[args.criterion]
    tables = []
    for label, network in (("Attractive", "AlexNet"), ("Wavy_Hair", "ResNet18")):
        printed = PAPER[label, network, gap, "DRAlign"]
        lambdas = tuple(printed)[-1:] if args.quick else tuple(printed)
        jobs = jobs_of(label, network, ("FairReg", "DRAlign"), lambdas, args.criterion, seeds)
        curves = curves_of(jobs, run_settings, args.resume == "yes")
        last = curves[curves["epoch"] == curves["epoch"].max()]
        groups = pd.DataFrame(
            [
                by_group(row["decision"], celeba(label, row["seed"], run_settings[1])[0]["test"])
                for _, row in last.iterrows()
            ]
        )
        last = last.reset_index(drop=True).join(groups)
        figures = ["test AUC", "test AP", f"test {gap}"]
        columns = [*figures, "seconds", *groups]
        by = last.groupby(["label", "network", "method", "lambda"], sort=False)
        table = by[columns].mean().join(by[figures].std().add_suffix(" sd")).reset_index()
        for i, what in enumerate(("AP", gap)):
            table[f"paper {what}"] = [
                PAPER[label, network, gap, row["method"]][row["lambda"]][i]
                for _, row in table.iterrows()
            ]
        wide = last.pivot(index=["lambda", "seed"], columns="method", values=f"test {gap}")
        table["p (seeds)"] = [
            ttest_rel(wide.loc[weight, "DRAlign"], wide.loc[weight, "FairReg"]).pvalue
            for weight in table["lambda"]
        ]
        tables.append(table)
    settings = settings | {"seeds": len(seeds), "aligned": f"the last 2 layers, beta {BETA}"}
    title = "Deeper networks after the last epoch (Tables 5 and 6)"
    report(f"{name}_networks", pd.concat(tables), title, settings)


def main() -> None:
    """Run both labels and the deeper networks, or one of these parts."""
    args = arguments(
        __doc__,
        part=("all", *LABELS, "networks"),
        criterion=tuple(CRITERIA),
        device=("cpu", "cuda"),
        resume=("no", "yes"),
    )
    factor, epochs = (2, 8) if args.quick else (1, 15)
    name = "celeba_dralign" + "_quick" * args.quick
    name += "_eo" * (args.criterion == "equalized_odds")
    settings = {
        "command": "python -m benchmarks.celeba_dralign" + " --quick" * args.quick,
        "criterion": args.criterion,
        "device": args.device,
        "images": f"{64 // factor} x {64 // factor} pixels, gray, no augmentation",
        "parts": "60, 20 and 20 % of the people, divided anew for each seed",
        "training": f"{epochs} epochs of batches of 128, AdamW 2e-3 falling along half a cosine, "
        "weight decay 0.1",
        "groups": "gender as annotators labeled it; accepted and TPR: the label predicted",
    }
    run_settings = (epochs, factor, args.device)
    for label in LABELS:
        if args.part in ("all", label):
            figure_3(label, name, settings, run_settings, args)
    if args.part in ("all", "networks"):
        tables_5_and_6(name, settings, run_settings, args)


if __name__ == "__main__":
    main()
