"""What a choice promises, and what it keeps: ``python -m benchmarks.holdout_optimism``.

Searches over the penalty's weight and the seed of the network, on synthetic data; the truth of each
network is measured on 20,000 further rows. Beside the chosen candidate stands one that was fixed
beforehand, which shows what an estimate is worth without any choice: the size of a gap is
overestimated where rows are few.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from skfair import PenaltyClassifier
from skfair.datasets import make_biased_classification
from skfair.model_selection import best_under_constraint, holdout_scores

from ._common import arguments, report

N_ROWS, N_HOLDOUT, N_TRUTH = 1000, 1000, 20_000
LIMIT, FIXED = 0.2, 2  # greatest gap allowed; position of the fixed candidate
GRID = {"alpha": [0.2, 0.3, 0.4, 0.5, 0.7, 1.0], "random_state": [0, 1]}
SCORES = ["accuracy", "neg_gap"]


def accuracy(estimator, X, y) -> float:
    return float((estimator.predict(X) == y).mean())


def neg_gap(estimator, X, y) -> float:
    """Minus the difference between the groups' shares of accepted."""
    accepted, is_a = estimator.predict(X) == 1, X[:, -1] == 1
    return -abs(accepted[is_a].mean() - accepted[~is_a].mean())


def search_once(seed: int, X: np.ndarray, y: np.ndarray) -> list[dict]:
    """Truth, validation and hold-out of the chosen and of the fixed candidate."""
    rows = np.random.default_rng(seed).permutation(len(y))
    here, held, rest = np.split(rows, [N_ROWS, N_ROWS + N_HOLDOUT])
    rest = rest[:N_TRUTH]
    model = PenaltyClassifier(
        penalty="demographic_parity",
        sensitive_columns=-1,
        drop_sensitive_columns=True,
        hidden_layer_sizes=(16,),
        lr=0.01,
        max_epochs=10,
    )
    search = GridSearchCV(
        model,
        GRID,
        scoring={"accuracy": accuracy, "neg_gap": neg_gap},
        refit=best_under_constraint("accuracy", "neg_gap", threshold=-LIMIT),
        cv=StratifiedKFold(3, shuffle=True, random_state=seed),
    ).fit(X[here], y[here])
    found = []
    for choice in ("chosen", "fixed"):
        if choice == "fixed":
            search.best_index_ = FIXED
            params = search.cv_results_["params"][FIXED]
            search.best_estimator_ = clone(model).set_params(**params).fit(X[here], y[here])
        scores = holdout_scores(search, X[held], y[held])
        truth = holdout_scores(search, X[rest], y[rest])["holdout"]
        for name in SCORES:
            sign = -1 if name == "neg_gap" else 1
            found.append(
                {
                    "candidate": choice,
                    "score": name.removeprefix("neg_"),
                    "truth": sign * truth[name],
                    "validation": sign * scores.loc[name, "validation"],
                    "holdout": sign * scores.loc[name, "holdout"],
                }
            )
    return found


def main() -> None:
    options = arguments(__doc__.splitlines()[0])
    n_searches = 20 if options.quick else 200
    X, y, group = make_biased_classification(
        N_ROWS + N_HOLDOUT + 2 * N_TRUTH, n_features=8, recourse_gap=1.0, random_state=0
    )
    X = np.column_stack([X, group == "a"])
    found = pd.DataFrame([row for seed in range(n_searches) for row in search_once(seed, X, y)])
    rows = []
    for (candidate, score), part in found.groupby(["candidate", "score"], sort=False):
        row = {"candidate": candidate, "score": score, "truth": part["truth"].mean()}
        for estimate in ("validation", "holdout"):
            error = part[estimate] - part["truth"]
            row[estimate] = part[estimate].mean()
            row[f"{estimate} error"] = error.mean()
            row[f"{estimate} error se"] = error.std(ddof=1) / np.sqrt(len(error))
        rows.append(row)
    settings = {"searches": n_searches, "rows": N_ROWS, "holdout": N_HOLDOUT, "truth": N_TRUTH}
    settings |= {"candidates": str(GRID), "limit on the gap": LIMIT, "folds": 3}
    report("holdout_optimism", pd.DataFrame(rows), "What a choice promises and keeps", settings)


if __name__ == "__main__":
    main()
