"""The methods in one table: ``python -m benchmarks.quickstart [--data adult] [--write]``.

On embedded data (half a minute): a plain network, FaiR-N, FaiR-N tuned by a search under a limit on
the recourse gap, two other methods of skfair, and fairlearn's two. On Adult, as it comes: the same
without the search, and fairlearn's two over gradient boosting. Nothing is written without
``--write``.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from fairlearn.metrics import MetricFrame, selection_rate
from fairlearn.postprocessing import ThresholdOptimizer
from fairlearn.reductions import EqualizedOdds, ExponentiatedGradient
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from skfair import DRAlignClassifier, FaiRNClassifier, NetworkClassifier, PenaltyClassifier
from skfair.datasets import make_biased_classification
from skfair.metrics import neg_recourse_gap_scorer
from skfair.model_selection import StackedSearchCV, best_under_constraint

from ._common import Part, adult, measures, parser, report, timed

LIMIT = 0.3
GRID = {"lambda_fairness": [0.1, 0.2, 0.5], "lambda_robustness": [0.0, 0.1]}
COLUMNS = """
accuracy        share of test people decided as labeled
recourse gap    difference between the groups' mean distance to acceptance, in log-odds
|dTPR|, |dFPR|  differences between the groups' true and false positive rates
least accepted  share accepted of the group of which fewest are: a gap of zero can mean nobody
seconds         of the fit, a search with all its candidates included
"""


def synthetic() -> tuple[Part, Part]:
    """Two groups with a recourse gap of 1.5 in the population."""
    X, y, group = make_biased_classification(6000, recourse_gap=1.5, as_frame=True, random_state=0)
    parts = train_test_split(X, y, group, test_size=0.5, stratify=y, random_state=0)
    return Part(*parts[0::2]), Part(*parts[1::2])


def models(data: str, epochs: int) -> dict[str, BaseEstimator]:
    """Name and estimator of each row."""
    common: dict[str, Any] = {"random_state": 0}
    if data == "synthetic":
        common |= {"hidden_layer_sizes": (30, 30), "batch_size": 128, "max_epochs": epochs}
    found = {"plain network": NetworkClassifier(**common)}
    found["FaiR-N"] = FaiRNClassifier(**common)
    if data == "synthetic":
        found[f"FaiR-N, tuned: gap <= {LIMIT}"] = StackedSearchCV(
            FaiRNClassifier(**common),
            GRID,
            scoring={"accuracy": "accuracy", "neg_recourse_gap": neg_recourse_gap_scorer},
            refit=best_under_constraint("accuracy", "neg_recourse_gap", threshold=-LIMIT),
            cv=2,
        )
    found["penalty on equalized odds"] = PenaltyClassifier(penalty="equalized_odds", **common)
    found["DRAlign, equalized odds"] = DRAlignClassifier(criterion="equalized_odds", **common)
    return found


def peers(data: str) -> dict[str, tuple[Callable, bool]]:
    """How fairlearn's two are made, and whether they need the group to predict."""

    def base() -> Any:
        if data == "adult":
            return HistGradientBoostingClassifier(random_state=0)
        return make_pipeline(StandardScaler(), LogisticRegression())

    def by_reduction() -> Any:
        return ExponentiatedGradient(
            base(),
            EqualizedOdds(),
            sample_weight_name="sample_weight"
            if data == "adult"
            else "logisticregression__sample_weight",
        )

    def by_thresholds() -> Any:
        return ThresholdOptimizer(
            estimator=base(), constraints="equalized_odds", predict_method="predict_proba"
        )

    over = "boosting" if data == "adult" else "logistic"
    return {
        f"fairlearn ExponentiatedGradient, {over}": (by_reduction, False),
        f"fairlearn ThresholdOptimizer, {over}*": (by_thresholds, True),
    }


def least_accepted(test: Part, y_pred: np.ndarray) -> float:
    """Share accepted of the group of which fewest are."""
    rates = MetricFrame(
        metrics=selection_rate, y_true=test.y, y_pred=y_pred, sensitive_features=test.sensitive
    )
    return float(rates.group_min())


def row(name: str, test: Part, y_pred: np.ndarray, decision: Any, seconds: float) -> dict:
    """A row of the table."""
    found = measures(test, y_pred, decision)
    shown = {
        key: found.get(key, np.nan) for key in ("accuracy", "recourse gap", "|dTPR|", "|dFPR|")
    }
    return {
        "model": name,
        **shown,
        "least accepted": least_accepted(test, y_pred),
        "seconds": seconds,
    }


def main() -> None:
    """Run the comparison."""
    command = parser(__doc__, data=("synthetic", "adult"))
    command.add_argument("--write", action="store_true", help="write the table to results")
    args = command.parse_args()
    train, test = synthetic() if args.data == "synthetic" else adult()
    with warnings.catch_warnings(action="ignore"):
        FaiRNClassifier(max_epochs=1).fit(np.eye(4), [0, 1, 0, 1], sensitive_features=[0, 0, 1, 1])
    rows = []  # after a first fit, so that no model is charged for loading libraries
    fits, others = models(args.data, 5 if args.quick else 30), peers(args.data)
    said = []
    with tqdm(total=len(fits) + len(others), unit="model") as progress:
        for name, model in fits.items():
            progress.set_description(name)
            with (
                sklearn.config_context(enable_metadata_routing=True),
                warnings.catch_warnings(record=True, action="always") as caught,
            ):
                _, seconds = timed(
                    lambda model=model: model.fit(
                        train.X, train.y, sensitive_features=train.sensitive
                    )
                )
            said += [f"{name} warns: {warning.message}" for warning in caught]
            decision = model.decision_function(test.X)
            rows.append(row(name, test, model.predict(test.X), decision, seconds))
            progress.update()
        for name, (make, needs_group) in others.items():
            progress.set_description(name)
            with warnings.catch_warnings(action="ignore", category=FutureWarning):
                peer, seconds = timed(
                    lambda make=make: make().fit(
                        train.X, train.y, sensitive_features=train.sensitive
                    )
                )
                group = {"sensitive_features": test.sensitive} if needs_group else {}
                y_pred = peer.predict(test.X, random_state=0, **group)
            rows.append(row(name, test, y_pred, None, seconds))
            progress.update()
    title = f"{args.data}, {len(train.y)} rows to train on, {len(test.y)} to test"
    settings = {
        "command": f"python -m benchmarks.quickstart --data {args.data} --write",
        "needs the group to predict, decides partly by chance": "*; of ExponentiatedGradient the "
        "second only",
    }
    name = f"quickstart_{args.data}" + "_quick" * args.quick
    report(name, pd.DataFrame(rows), title, settings, write=args.write)
    print(COLUMNS)
    print("* needs the group to predict; fairlearn's two decide partly by chance")
    if args.data == "synthetic":
        chosen = next(m for m in fits.values() if isinstance(m, StackedSearchCV)).best_params_
        print(f"tuned: {chosen} is the most accurate with a cross-validated gap of at most {LIMIT}")
    for message in said:
        print(textwrap.fill(message, 100, initial_indent="\n", subsequent_indent="  "))


if __name__ == "__main__":
    main()
