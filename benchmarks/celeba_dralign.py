"""Decision rationale alignment on faces: ``python -m benchmarks.celeba_dralign``.

FAIRER, Fig. 3 (CelebA), Tables 5, 6 and 9: wavy hair and attractive, as annotators of CelebA
labeled the images, by labeled gender. Plain training, oversampling, the fairness loss alone
(FairReg), Fair-Mixup and DRAlign of the last two layers, on a small network; without ``--quick``
or by ``--part`` also for equalized odds, and on AlexNet and ResNet-18. Settings were chosen on
validation rows.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import ttest_rel
from sklearn.metrics import roc_auc_score
from skorch.callbacks import Callback, LRScheduler

from skfair import DRAlignClassifier, NetworkClassifier
from skfair.networks import AlexNet, ResNet18

from ._common import Part, report
from ._images import (
    BatchNormNet,
    Images,
    arguments,
    celeba,
    flip_and_shift,
    linear_decision,
)
from ._jobs import run_jobs
from .dralign_adult import PRINTED, measure

LABELS = ("Wavy_Hair", "Attractive")
GROUPS = ("female", "male")
TASKS = (  # label, criterion, lambdas
    ("Wavy_Hair", "demographic_parity", (0.1, 0.3)),
    ("Attractive", "demographic_parity", (0.1, 0.3)),
    ("Wavy_Hair", "equalized_odds", (0.1, 0.3)),
)
GAPS = {"demographic_parity": "DP", "equalized_odds": "EO"}
TOLERANCE = 0.05  # of average precision below the plain network's best epoch, validation
SIZE = 32
EPOCHS = {"small": 12, "alexnet": 8, "resnet18": 8}
AUGMENT = {"augment": flip_and_shift}
METHODS = {
    "ERM": (NetworkClassifier, {"averaging": 0.0} | AUGMENT),
    "oversampling": (NetworkClassifier, {"averaging": 0.0, "sampling": "group"} | AUGMENT),
    "FairReg": (DRAlignClassifier, PRINTED | {"beta": 0.0} | AUGMENT),
    "Fair-Mixup": (DRAlignClassifier, PRINTED | {"beta": 0.0, "augment": "mixup"}),
    "DRAlign": (DRAlignClassifier, PRINTED | {"align_layers": 2} | AUGMENT),
}
SINGLE = ("ERM", "oversampling")
NETWORKS = {
    "small": BatchNormNet,
    "alexnet": partial(AlexNet, width=32),
    "resnet18": partial(ResNet18, width=16),
}
# average precision and gap at the least and greatest printed lambda
PAPER = {
    ("Attractive", "DP", "DRAlign"): (0.8956, 0.3196, 0.8783, 0.2126),  # Table 5, AlexNet
    ("Attractive", "DP", "FairReg"): (0.8942, 0.3305, 0.8807, 0.2377),
    ("Attractive", "EO", "DRAlign"): (0.8760, 0.0520, 0.8717, 0.0243),
    ("Attractive", "EO", "FairReg"): (0.8733, 0.0533, 0.8681, 0.0273),
    ("Wavy_Hair", "DP", "DRAlign"): (0.8578, 0.3011, 0.8179, 0.2481),  # Table 6, ResNet-18
    ("Wavy_Hair", "DP", "FairReg"): (0.8506, 0.3063, 0.8123, 0.2552),
    ("Wavy_Hair", "EO", "DRAlign"): (0.8212, 0.1294, 0.7703, 0.0446),
    ("Wavy_Hair", "EO", "FairReg"): (0.8063, 0.1832, 0.7560, 0.0494),
}


@cache
def parts(label: str, seed: int) -> dict[str, Images]:
    """Training, validation and test faces, by person."""
    return celeba(label, SIZE, seed)


def figures(decision: np.ndarray, part: Images) -> dict[str, float]:
    """Precision, area under the curve and gaps; of each group the share accepted and the TPR."""
    gender = part.sensitive["gender"].to_numpy()
    row = measure(decision, Part(part.X, part.y, gender))
    row = {name: row[name] for name in ("AP", "DP", "EO")} | {
        "AUC": roc_auc_score(part.y, decision)
    }
    accepted = decision > 0
    for group in GROUPS:
        members = gender == group
        row[f"accepted {group}"] = accepted[members].mean()
        row[f"TPR {group}"] = accepted[members & (part.y == 1)].mean()
    return row


class Curve(Callback):
    """Measure validation and test part after every epoch."""

    def __init__(self, parts: dict[str, Images]) -> None:
        self.parts = parts

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start an empty curve."""
        self.rows_: list[dict] = []

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Measure."""
        net.module_.eval()
        row = {"epoch": len(net.history), "seconds": net.history[-1, "dur"]}
        for name, part in self.parts.items():
            with torch.no_grad():
                batches = torch.from_numpy(part.X).split(500)
                logits = torch.cat([net.module_(X.float() / 255) for X in batches])
            decision = (logits[:, 1] - logits[:, 0]).double().numpy()
            row |= {f"{name} {key}": value for key, value in figures(decision, part).items()}
        self.rows_.append(row)


def run(
    label: str, network: str, criterion: str, method: str, weight: float, seed: int
) -> pd.DataFrame:
    """Train once; one row an epoch."""
    data = parts(label, seed)
    key = {"label": label, "network": network, "method": method, "lambda": weight, "seed": seed}
    if method == "linear":
        row = figures(linear_decision(data, 100), data["test"])
        return pd.DataFrame([key | {f"test {name}": value for name, value in row.items()}])
    make, own = METHODS[method]
    if make is DRAlignClassifier:
        own = own | {"criterion": criterion, "lambda_fairness": weight}
    curve = Curve({name: data[name] for name in ("valid", "test")})
    schedule = LRScheduler("CosineAnnealingLR", T_max=EPOCHS[network])
    model = make(
        module=NETWORKS[network],
        optimizer="adamw",
        lr=2e-3 if network == "small" else 1e-3,
        weight_decay=0.01,
        batch_size=128,
        max_epochs=EPOCHS[network],
        random_state=seed,
        net_params={"callbacks": [curve, schedule]},
        **own,
    )
    train = data["train"]
    model.fit(train.X, train.y, sensitive_features=train.sensitive["gender"])
    recorded = next(c for _, c in model.net_.callbacks_ if isinstance(c, Curve))
    return pd.DataFrame(recorded.rows_).assign(criterion=criterion, **key)


def choose(curves: pd.DataFrame, gap: str) -> pd.DataFrame:
    """For each method and seed the epoch of smallest validation gap at nearly plain precision."""
    found = []
    for _, of_seed in curves.groupby("seed"):
        plain = of_seed[of_seed["method"] == "ERM"]
        floor = plain["valid AP"].max() - TOLERANCE
        for method, part in of_seed.groupby("method", sort=False):
            if method == "ERM":
                chosen = part.nlargest(1, "valid AP")
            else:
                good = part[part["valid AP"] >= floor]
                chosen = good.nsmallest(1, f"valid {gap}")
                if not len(good):
                    chosen = part.nlargest(1, "valid AP")
            last = part[part["epoch"] == part["epoch"].max()]
            last = last.nsmallest(1, f"valid {gap}")
            found.append(chosen.assign(selection="rule", floor=floor))
            found.append(last.assign(selection="last epoch", floor=floor))
    return pd.concat(found)


def compare(chosen: pd.DataFrame, gap: str) -> pd.DataFrame:
    """Means over seeds, the gap beside FairReg's, the paper's figures."""
    names = ["AUC", "AP", "DP", "EO"]
    names += [f"{what} {group}" for what in ("accepted", "TPR") for group in GROUPS]
    columns = {f"test {name}": name for name in names}
    short = chosen.rename(columns=columns)
    grouped = short.groupby(["label", "network", "selection", "method"], sort=False)
    table = grouped[[*names, "valid AP", "floor", "lambda", "epoch", "seconds"]].mean()
    table["gap sd"] = grouped[gap].std()
    for i in table.index:
        selection, method = i[-2:]
        wide = short[short["selection"] == selection].pivot(
            index="seed", columns="method", values=gap
        )
        if method != "FairReg":
            difference = wide[method] - wide["FairReg"]
            table.loc[i, "minus FairReg"] = difference.mean()
            if len(difference) > 2:
                table.loc[i, "p"] = ttest_rel(wide[method], wide["FairReg"]).pvalue
        paper = PAPER.get((i[0], gap, method))
        if paper is not None:
            printed = ("AP, least", f"{gap}, least", "AP, greatest", f"{gap}, greatest")
            for name, value in zip(printed, paper, strict=True):
                table.loc[i, f"paper {name} lambda"] = value
    return table.reset_index()


def jobs(network: str, label: str, criterion: str, lambdas: tuple, seeds: int) -> list[tuple]:
    """What to train."""
    methods = ("ERM", "FairReg", "DRAlign")
    if network == "small":
        methods += ("oversampling", "Fair-Mixup")
    found = []
    for method in methods:
        for seed in range(seeds):
            if method in SINGLE:
                found.append((label, network, "demographic_parity", method, 0.0, seed))
            else:
                found += [(label, network, criterion, method, weight, seed) for weight in lambdas]
    return found


def tasks(part: str, quick: bool) -> list[tuple]:
    """Network, label, criterion and lambdas of what a part of the benchmark is about."""
    small = [("small", *task) for task in TASKS]
    networks = [(name, *TASKS[0]) for name in ("alexnet", "resnet18")]
    named = {"equalized_odds": small[2:], "networks": networks}
    if part in named:
        return named[part]
    if part == "all":
        return small[:2] if quick else small + networks
    return [task for task in small[: 2 if quick else None] if part in task]


def main() -> None:
    """Run everything, or one label."""
    args = arguments(__doc__, part=("all", *LABELS, "equalized_odds", "networks"))
    folder = args.folder / "celeba_dralign"
    yardstick = pd.concat(
        run_jobs(
            run,
            [(label, "linear", "", "linear", 0.0, 0) for label in LABELS],
            folder,
            args.minutes,
        )
    )
    for network, label, criterion, lambdas in tasks(args.part, args.quick):
        gap = GAPS[criterion]
        planned = jobs(network, label, criterion, lambdas, args.seeds)
        curves = pd.concat(run_jobs(run, planned, folder, args.minutes))
        sizes = parts(label, 0)["test"].sensitive["gender"].value_counts()
        linear = yardstick[yardstick["label"] == label].iloc[0]
        settings = {
            "command": "python -m benchmarks.celeba_dralign"
            + " --quick" * args.quick
            + f" --part {args.part}" * (args.part != "all")
            + f" --seeds {args.seeds}" * (args.seeds != 3),
            "seeds": args.seeds,
            "faces": f"10,000 of CelebA, {SIZE} x {SIZE} gray; by person 60, 15 and 25 %, the test "
            f"part the same for all seeds: labeled female {sizes['female']}, male {sizes['male']}",
            "network": network,
            "training": f"{EPOCHS[network]} epochs, AdamW, cosine to 0, weight decay .01, batches "
            "of 128, mirrored and moved by 1/24 (Fair-Mixup: neither)",
            "rule": f"smallest validation {gap} over lambda and epoch, validation AP at most "
            f"{TOLERANCE} below the plain network's best; plain: best validation AP",
            "lambda": f"{lambdas}, beta = lambda / 10, last two layers aligned",
            "gaps": "DP, EO: differences in mean predicted probability (FAIRER, Eq. 1 and 2)",
            "linear": f"100 components: test AUC {linear['test AUC']:.3f}, AP "
            f"{linear['test AP']:.3f}, DP {linear['test DP']:.3f}, EO {linear['test EO']:.3f}",
            "wall seconds of training, all jobs": round(float(curves["seconds"].sum())),
            "paper": "AlexNet (Attractive), ResNet-18 (Wavy_Hair) on 202,599 faces",
            "device": "cpu",
        }
        name = f"celeba_dralign_{label.lower()}_{gap.lower()}"
        name += f"_{network}" if network != "small" else ""
        title = f"{label}, {criterion}, {network} (FAIRER, Fig. 3, Tables 5 and 6)"
        chosen = compare(choose(curves, gap), gap)
        report(name, chosen, title, settings)
        if label == LABELS[0] and gap == "DP" and network == "small":
            cost = curves.groupby("method", sort=False)["seconds"].median()
            cost = pd.DataFrame({"seconds an epoch": cost, "ratio": cost / cost["ERM"]})
            title = "Cost of an epoch beside ERM's (Table 9)"
            report("celeba_dralign_cost", cost.reset_index(), title, settings)


if __name__ == "__main__":
    main()
