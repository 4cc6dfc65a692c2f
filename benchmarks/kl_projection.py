"""The KL projection by Newton steps and by fairret: ``python -m benchmarks.kl_projection``.

The same trainer, network, rows, batches and epochs for both (fairret's loss as a callable penalty):
30,000 rows of ACSIncome's training part, demographic parity, groups SEX and SEX x RAC1P. Of each
method's own weights the smallest is taken whose groups' mean probabilities are within 3 % of the
overall mean on 10,000 further rows of the training part (groups of at least 100; the one closest to
it if none is). fairret (and cvxpy with SCS) is no dependency of skfair: without it ours is alone.

Seconds are medians over fits that take turns with the plain network's. "penalty's seconds" are what
a fit takes beyond the plain one. ``--steps`` measures the cost of a step alone, by batch size.

Mean probabilities come together, too, when all probabilities come close to 1/2, which leaves AUROC
and every decision as they were: "plain, flattened" is the plain network with its logits divided by
the least power of two that does it. So the largest difference between two groups' shares of
p > 1/2, and the standard deviation of p, stand beside. fairret 0.1.3 flattens, too: it divides each
row of its projection by the mean of its two entries, not by their sum.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from skfair import NetworkClassifier, PenaltyClassifier

from ._common import Part, encode, parser, report
from .many_groups import acs_income, combined

try:
    from fairret.loss import KLProjectionLoss
    from fairret.statistic import PositiveRate
except ImportError:
    KLProjectionLoss = None

NETWORK = {"max_epochs": 8, "batch_size": 512, "hidden_layer_sizes": (64, 64)}
WEIGHTS = (0.3, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 14.0, 20.0, 30.0, 45.0)
TURNS = {"skfair": 5, "fairret": 1}  # timed fits
STEP_EPOCHS, STEP_TURNS, BATCH_SIZES = 16, 5, (512, 1024)
N_TRAIN, N_VALID, LEAST, WITHIN = 30_000, 10_000, 100, 0.03
GROUPS = {"SEX": ["SEX"], "SEX x RAC1P": ["SEX", "RAC1P"]}


class Fairret:
    """fairret's loss as a penalty, with its default settings."""

    def __init__(self, n_groups: int) -> None:
        self.loss, self.n_groups = KLProjectionLoss(PositiveRate()), n_groups

    def __deepcopy__(self, memo: dict) -> Fairret:
        return Fairret(self.n_groups)

    def __call__(self, logits: Any, y: Any, groups: Any, weights: Any) -> Any:
        one_hot = torch.nn.functional.one_hot(groups, self.n_groups).to(logits)
        return self.loss((logits[:, 1] - logits[:, 0])[:, None], one_hot).to(logits.dtype)


def violation(p: np.ndarray, groups: pd.Series) -> float:
    """Largest difference of a group's mean probability from that of all, by the latter."""
    means = pd.Series(p).groupby(groups.to_numpy()).agg(["mean", "size"])
    return float((means.loc[means["size"] >= LEAST, "mean"] / p.mean() - 1).abs().max())


def timed(fit: Callable[[], Any]) -> float:
    """Seconds of the processor, which other work does not change."""
    start = time.process_time()
    fit()
    return time.process_time() - start


def in_turns(fit: Callable[[], Any], plain: Callable[[], Any], n_turns: int) -> dict[str, float]:
    """Seconds of fits that take turns with those of the plain network."""
    pairs = np.array([(timed(fit), timed(plain)) for _ in range(n_turns)])
    return {
        "CPU seconds": np.median(pairs[:, 0]),
        "penalty's seconds": np.median(pairs[:, 0] - pairs[:, 1]),
        "times plain": np.median(pairs[:, 0] / pairs[:, 1]),
    }


def probability(model: Any, part: Part) -> np.ndarray:
    return model.predict_proba(part.X)[:, 1].astype(float)


def measured(p: np.ndarray, part: Part) -> dict[str, float]:
    found = {"AUROC": roc_auc_score(part.y, p), "violation": violation(p, part.sensitive)}
    decisions = pd.Series(p > 0.5).groupby(part.sensitive.to_numpy()).agg(["mean", "size"])
    accepted = decisions.loc[decisions["size"] >= LEAST, "mean"]
    found |= {"accuracy": ((p > 0.5) == part.y).mean()}
    # which probabilities that have all come close to 1/2 leave as it was
    return found | {"gap of decisions": accepted.max() - accepted.min(), "sd of p": p.std()}


def flattened(p: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities whose log-odds are divided by the temperature."""
    return expit(logit(p) / temperature)


def flatten(plain: Any, valid: Part, test: Part) -> dict[str, Any]:
    """Measure the plain network, its probabilities as close to 1/2 as they need to be."""
    p = probability(plain, valid)
    temperature = 1.0
    while (within := violation(flattened(p, temperature), valid.sensitive)) > WITHIN:
        temperature *= 2
    row = {"method": "plain, flattened", "weight": temperature, "valid violation": within}
    return row | measured(flattened(probability(plain, test), temperature), test)


def rows_of(part: Part, rows: slice) -> Part:
    return Part(part.X[rows], part.y[rows], part.sensitive.iloc[rows])


def run(name: str, columns: list[str], seed: int, quick: bool) -> list[dict]:
    def groups(table: pd.DataFrame) -> pd.Series:
        return combined(table[columns])

    whole, test = encode(*acs_income(groups))
    order = np.random.RandomState(seed).permutation(len(whole.y))
    whole = Part(whole.X[order], whole.y[order], whole.sensitive.iloc[order])
    n_train = 3000 if quick else N_TRAIN
    train, valid = rows_of(whole, slice(n_train)), rows_of(whole, slice(-N_VALID, None))
    n_groups = train.sensitive.nunique()
    methods: dict[str, dict[str, Any]] = {
        "skfair": {"penalty": "demographic_parity", "comparison": "kl_projection"}
    }
    if KLProjectionLoss is not None:
        methods["fairret"] = {"penalty": Fairret(n_groups)}
    network = NETWORK | {"random_state": seed} | ({"max_epochs": 1} if quick else {})
    plain = NetworkClassifier(**network)
    plain.fit(train.X[:1000], train.y[:1000])  # what is loaded once is no time of a fit
    row = {"groups": name, "seed": seed}
    fit_plain = partial(plain.fit, train.X, train.y)
    rows = [row | {"method": "plain", "CPU seconds": timed(fit_plain)}]
    rows[0] |= measured(probability(plain, test), test)
    rows.append(row | flatten(plain, valid, test))
    for method, params in methods.items():
        found = []
        for weight in WEIGHTS:
            model = PenaltyClassifier(alpha=weight, **network, **params)
            fit = partial(model.fit, train.X, train.y, sensitive_features=train.sensitive)
            fit()
            found.append(
                (violation(probability(model, valid), valid.sensitive), weight, model, fit)
            )
            if found[-1][0] <= WITHIN:
                break
        within, weight, model, fit = found[-1]
        if within > WITHIN:
            within, weight, model, fit = min(found, key=lambda tried: tried[0])
        row = {"groups": name, "seed": seed, "method": method, "weight": weight}
        row |= in_turns(fit, fit_plain, 1 if quick else TURNS[method])
        row |= measured(probability(model, test), test)
        rows.append(row | {"valid violation": within, "fits": len(found)})
    return rows


def steps(name: str, columns: list[str], quick: bool) -> list[dict]:
    """Cost of a step with the projection, in plain ones; what fits do once is hardly seen."""
    whole, _ = encode(*acs_income(lambda table: combined(table[columns])))
    part, rows = rows_of(whole, slice(N_TRAIN)), []
    for size in BATCH_SIZES:
        network = NETWORK | {"batch_size": size, "max_epochs": 2 if quick else STEP_EPOCHS}
        plain = NetworkClassifier(random_state=0, **network)
        params = {"penalty": "demographic_parity", "comparison": "kl_projection"}
        model = PenaltyClassifier(random_state=0, **network, **params)
        fit = partial(model.fit, part.X, part.y, sensitive_features=part.sensitive)
        plain.fit(part.X[:1000], part.y[:1000])
        found = in_turns(fit, partial(plain.fit, part.X, part.y), 1 if quick else STEP_TURNS)
        rows.append({"groups": name, "batch size": size} | found)
    return rows


def main() -> None:
    arguments = parser(__doc__.splitlines()[0], groups=("SEX", "SEX x RAC1P"))
    arguments.add_argument("--steps", action="store_true", help="the cost of a step alone")
    args = arguments.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    if args.steps:
        rows = steps(args.groups, GROUPS[args.groups], args.quick)
    else:
        for seed in range(1 if args.quick else args.seeds):
            rows += run(args.groups, GROUPS[args.groups], seed, args.quick)
    name = f"kl_projection{'_steps' * args.steps}_{'_'.join(GROUPS[args.groups]).lower()}"
    title = f"KL projection, {args.groups}"
    report(f"{name}{'_quick' * args.quick}", pd.DataFrame(rows), title, NETWORK)


if __name__ == "__main__":
    main()
