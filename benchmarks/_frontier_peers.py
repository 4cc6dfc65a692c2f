"""Other projects' methods in the frontier; those of extras where they are installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
from fairlearn.adversarial import AdversarialFairnessClassifier
from fairlearn.postprocessing import ThresholdOptimizer
from fairlearn.reductions import DemographicParity, EqualizedOdds, ExponentiatedGradient
from torch.nn.functional import one_hot

from skfair import PenaltyClassifier

from ._common import Part
from ._frontier import (
    Method,
    Model,
    Task,
    base,
    first_rows,
    of_classifier,
    of_probability,
)
from ._frontier_ours import BOUNDS, seen_by, together

MOMENTS = {"equalized_odds": EqualizedOdds, "demographic_parity": DemographicParity}
TOLERANCES = (0.0, 0.01, 0.02, 0.05)  # of thresholds for groups
ADVERSARIAL_EPOCHS = 30
MOST_GROUPS = 4  # OxonFair's grid has 9 ** groups points; beyond it the reduction has fewer rows
REDUCTION_ROWS = 20_000

# -- scikit-learn and fairlearn -------------------------------------------------------------------


def plain(kind: str) -> Method:
    """Train without a constraint."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        model, parts = base(task, kind, seed)
        for _ in knobs:
            yield of_classifier(model.fit(parts["train"].X, parts["train"].y), parts)

    return Method(fit, (None,))


def reduction(kind: str) -> Method:
    """fairlearn's reduction; the knob is its bound, of a group's difference from everybody."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        inner, parts = base(task, kind, seed)
        train = parts["train"]
        if len(task.groups) > MOST_GROUPS:
            train = first_rows(train, REDUCTION_ROWS)
        for knob in knobs:
            bound = MOMENTS[constraint](difference_bound=knob)
            model = ExponentiatedGradient(inner, bound)
            model.fit(train.X, train.y, sensitive_features=train.sensitive)
            yield Model(
                lambda part, m=model: m._pmf_predict(parts[part].X)[:, 1],
                lambda part, m=model: mixed(m, parts[part].X),
            )

    return Method(fit, BOUNDS)


def mixed(model: ExponentiatedGradient, X: Any) -> np.ndarray:
    """Probability that the reduction's classifiers give, by their weights."""
    weights = model.weights_[model.weights_ > 0]
    return sum(w * model.predictors_[i].predict_proba(X)[:, 1] for i, w in weights.items())


def threshold_optimizer(kind: str) -> Method:
    """fairlearn's thresholds, chosen on the validation rows; there is no knob."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        inner, parts = base(task, kind, seed)
        # fairlearn 0.15 writes probabilities into float32 where X is, which pandas 3 refuses
        parts = {name: part._replace(X=part.X.astype(np.float64)) for name, part in parts.items()}
        inner.fit(parts["train"].X, parts["train"].y)
        for _ in knobs:
            model = ThresholdOptimizer(
                estimator=inner, constraints=constraint, prefit=True, predict_method="predict_proba"
            )
            valid = parts["valid"]
            model.fit(valid.X, valid.y, sensitive_features=valid.sensitive)
            yield Model(
                lambda part, m=model: m._pmf_predict(
                    parts[part].X, sensitive_features=parts[part].sensitive
                )[:, 1]
            )

    return Method(fit, (None,), needs_group=True)


def adversarial() -> Method:
    """fairlearn's adversarial network; the knob is alpha."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        parts = task.view("linear")
        train = parts["train"]
        for knob in knobs:
            model = AdversarialFairnessClassifier(
                backend="torch",
                predictor_model=[64, "relu", 64, "relu"],
                adversary_model=[8, "relu"],
                constraints=constraint,
                alpha=knob,
                batch_size=min(1024, len(train.y) // 4),
                epochs=ADVERSARIAL_EPOCHS,
                shuffle=True,
                random_state=seed,
            )
            model.fit(train.X, train.y, sensitive_features=train.sensitive)
            yield of_probability(lambda part, m=model: np.ravel(m._raw_predict(parts[part].X)))

    return Method(fit, (0.1, 0.3, 1.0))


# -- extras ---------------------------------------------------------------------------------------


def error_parity(kind: str) -> Method:
    """error-parity's thresholds, chosen on the validation rows; the knob is the tolerance."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        from error_parity import RelaxedThresholdOptimizer

        inner, parts = base(task, kind, seed)
        inner.fit(parts["train"].X, parts["train"].y)
        codes = {name: codes_of(task, part) for name, part in parts.items()}
        for knob in knobs:
            model = RelaxedThresholdOptimizer(
                predictor=lambda X: inner.predict_proba(X)[:, 1],
                constraint=constraint,
                tolerance=knob,
                max_roc_ticks=None,
                seed=seed,
            )
            model.fit(parts["valid"].X, parts["valid"].y, group=codes["valid"])
            yield Model(lambda part, m=model: m(parts[part].X, group=codes[part]))

    return Method(fit, TOLERANCES, needs_group=True)


def codes_of(task: Task, part: Part) -> np.ndarray:
    """Groups as numbers."""
    return part.sensitive.map(task.groups.index).to_numpy()


def oxonfair(kind: str) -> Method:
    """OxonFair's thresholds, chosen on the validation rows; the knob is the tolerance."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        from oxonfair import FairPredictor
        from oxonfair.utils import group_metrics

        if len(task.groups) > MOST_GROUPS:
            raise ValueError(f"its grid is exponential in the {len(task.groups)} groups")
        inner, parts = base(task, kind, seed)
        inner.fit(parts["train"].X, parts["train"].y)
        rows = {
            name: {
                "data": inner.predict_proba(part.X).astype(float),
                "target": part.y,
                "groups": part.sensitive.to_numpy(str),
            }
            for name, part in parts.items()
        }
        gap = {
            "equalized_odds": group_metrics.equalized_odds_max,
            "demographic_parity": group_metrics.pos_pred_rate.max_diff,
        }
        for knob in knobs:
            model = FairPredictor(None, rows["valid"])
            model.fit(group_metrics.accuracy, gap[constraint], knob)
            yield Model(lambda part, m=model: np.asarray(m.predict(rows[part]), dtype=float))

    return Method(fit, TOLERANCES, needs_group=True)


def fairgbm() -> Method:
    """FairGBM by its own interface, that of scikit-learn's kind failing on 1.8 and later.

    The knob is what it tolerates, with two learning rates of its multipliers.
    """

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        import fairgbm

        if constraint != "equalized_odds":
            raise ValueError(f"it has no {constraint}")
        parts = task.view("trees")
        train = parts["train"]
        for tolerance, step in knobs:
            settings = {
                "objective": "constrained_cross_entropy",
                "constraint_type": "FNR,FPR",
                "constraint_fnr_threshold": tolerance,
                "constraint_fpr_threshold": tolerance,
                "multiplier_learning_rate": step,
                "categorical_feature": np.flatnonzero(task.categories).tolist(),
                "num_threads": 1,
                "verbosity": -1,
                "seed": seed,
            }
            rows = fairgbm.Dataset(
                train.X, train.y, constraint_group=codes_of(task, train), params=settings
            )
            model = fairgbm.train(settings, rows, num_boost_round=100)
            yield of_probability(lambda part, m=model: m.predict(parts[part].X))

    return Method(fit, tuple((t, s) for t in (0.0, 0.02) for s in (0.01, 0.1)))


class Fairret:
    """A loss of fairret's as a penalty: of positive rates, or of those among either label."""

    def __init__(self, loss: str, constraint: str, n_groups: int) -> None:
        from fairret import loss as losses
        from fairret import statistic as statistics

        self.given = loss, constraint, n_groups
        of_label = constraint == "equalized_odds"
        rates = statistics.PositiveRate()
        if of_label:
            rates = statistics.StackedLinearFractionalStatistic(
                statistics.TruePositiveRate(), statistics.FalsePositiveRate()
            )
        self.loss, self.n_groups, self.of_label = getattr(losses, loss)(rates), n_groups, of_label

    def __deepcopy__(self, memo: dict) -> Fairret:
        return Fairret(*self.given)

    def __call__(self, logits: Any, y: Any, groups: Any, weights: Any) -> Any:
        told = groups >= 0
        decision = (logits[told, 1] - logits[told, 0])[:, None]
        members = one_hot(groups[told], self.n_groups).to(logits)
        labels = (y[told, None].to(logits),) if self.of_label else ()
        return self.loss(decision, members, *labels).to(logits.dtype)


def fairret(loss: str) -> Method:
    """fairret's loss on our perceptron, by our trainer; the knob is its weight."""

    def fit(task: Task, constraint: str, knobs: tuple, seed: int) -> Iterator[Model]:
        parts, network = seen_by(task, "perceptron")
        for knob in knobs:
            penalty = Fairret(loss, constraint, len(task.groups))
            estimator = PenaltyClassifier(penalty=penalty, random_state=seed, **network)
            found = together(estimator, {"alpha": (knob,)}, parts)[knob]
            yield of_probability(found.__getitem__)

    return Method(fit, (0.3, 1.0, 3.0))


BASES = ("logistic", "boosting")
PEERS: dict[str, Method] = {
    **{kind: plain(kind) for kind in BASES},
    **{f"fairlearn reduction, {kind}": reduction(kind) for kind in BASES},
    **{f"fairlearn thresholds, {kind}": threshold_optimizer(kind) for kind in BASES},
    "fairlearn adversarial": adversarial(),
    **{f"error-parity, {kind}": error_parity(kind) for kind in BASES},
    **{f"OxonFair, {kind}": oxonfair(kind) for kind in BASES},
    "FairGBM": fairgbm(),
    "fairret norm": fairret("NormLoss"),
    "fairret KL projection": fairret("KLProjectionLoss"),
}
EXTRAS = {"error-parity": "error_parity", "OxonFair": "oxonfair", "FairGBM": "fairgbm"}
EXTRAS |= {"fairret": "fairret"}


def is_installed(method: str) -> bool:
    """Whether what a method needs is there."""
    module = next((m for name, m in EXTRAS.items() if method.startswith(name)), None)
    return module is None or importlib.util.find_spec(module) is not None
