"""FaiR-N in one table, on embedded data: ``python -m benchmarks.quickstart [--data adult]``.

A plain network, FaiR-N, FaiR-N tuned by a grid search under a constraint on the recourse gap, and
fairlearn's exponentiated gradient beside them.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import sklearn
from fairlearn.reductions import EqualizedOdds, ExponentiatedGradient
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from skfair import FaiRNClassifier, NetworkClassifier
from skfair.datasets import make_biased_classification
from skfair.metrics import neg_recourse_gap_scorer
from skfair.model_selection import StackedSearchCV, best_under_constraint

from ._common import Part, adult, arguments, measures, report, table_encoder, timed

THRESHOLD = 0.1


def synthetic() -> tuple[Part, Part]:
    """Two groups with a recourse gap of 1.5 in the population."""
    X, y, group = make_biased_classification(6000, recourse_gap=1.5, as_frame=True, random_state=0)
    parts = train_test_split(X, y, group, test_size=0.5, stratify=y, random_state=0)
    return Part(*parts[0::2]), Part(*parts[1::2])


def main() -> None:
    """Run the comparison."""
    args = arguments(__doc__, data=("synthetic", "adult"))
    train, test = synthetic() if args.data == "synthetic" else adult()
    # The same number of steps an epoch (about 30) on both.
    network = {
        "max_epochs": 20,
        "random_state": 0,
        "batch_size": 1024,
        "hidden_layer_sizes": (30, 30),
    }
    if args.data == "synthetic":
        network |= {"batch_size": 128, "max_epochs": 30}
    if args.quick:
        network["max_epochs"] = 5

    def pipeline(kind=FaiRNClassifier):
        return Pipeline([("encode", table_encoder(train.X)), ("model", kind(**network))])

    search = StackedSearchCV(
        pipeline(),
        {"model__lambda_fairness": [0.1, 0.5, 1.0], "model__lambda_robustness": [0.0, 0.1]},
        scoring={"accuracy": "accuracy", "neg_recourse_gap": neg_recourse_gap_scorer},
        refit=best_under_constraint("accuracy", "neg_recourse_gap", threshold=-THRESHOLD),
        cv=2,
    )
    models = {
        "plain network": pipeline(NetworkClassifier),
        "FaiR-N (0.5, 0.1)": pipeline(),
        "FaiR-N, tuned": search,
    }
    with warnings.catch_warnings(action="ignore"):
        FaiRNClassifier(max_epochs=1).fit(np.eye(4), [0, 1, 0, 1], sensitive_features=[0, 0, 1, 1])
    rows = []  # after a first fit, so that no model is charged for loading libraries
    for name, model in models.items():
        with sklearn.config_context(enable_metadata_routing=True):
            _, seconds = timed(
                lambda model=model: model.fit(train.X, train.y, sensitive_features=train.sensitive)
            )
        row = measures(test, model.predict(test.X), model.decision_function(test.X))
        rows.append({"model": name} | row | {"seconds": seconds})

    encoder = table_encoder(train.X).fit(train.X)
    peer = ExponentiatedGradient(LogisticRegression(max_iter=1000), EqualizedOdds())
    _, seconds = timed(
        lambda: peer.fit(encoder.transform(train.X), train.y, sensitive_features=train.sensitive)
    )
    y_pred = peer.predict(encoder.transform(test.X), random_state=0)
    rows.append({"model": "fairlearn ExponentiatedGradient"} | measures(test, y_pred))
    rows[-1]["seconds"] = seconds

    table = pd.DataFrame(rows)
    title = f"{args.data}, {len(train.y)} rows to train on, {len(test.y)} to test"
    settings = {
        "command": f"python -m benchmarks.quickstart --data {args.data}",
        "network": network,
    }
    report(f"quickstart_{args.data}" + "_quick" * args.quick, table, title, settings)
    chosen = {k.removeprefix("model__"): v for k, v in search.best_params_.items()}
    print(f"tuned: {chosen} = best accuracy with a cross-validated gap of at most {THRESHOLD}")


if __name__ == "__main__":
    main()
