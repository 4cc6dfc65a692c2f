"""
Searching with Optuna
=====================

Optuna's samplers propose where the front of accuracy and recourse gap is likely to move; each round
of proposals is scored by one search. This page is not run when the documentation is built: it needs
``python -m pip install optuna``, on which skfair does not depend.
"""

# %%
# Ask and tell
# ------------
#
# ``study.ask`` hands out parameters, ``study.tell`` takes the scores, and what happens in between
# is ours: the candidates of a round are the ``param_grid`` of one search, so that they are scored
# on the same folds, and trained together or on a cluster if the search does that. Both scores are
# maximized, as scikit-learn's scores are.

from __future__ import annotations

import optuna
import pandas as pd
import sklearn
from optuna.distributions import FloatDistribution
from sklearn.model_selection import GridSearchCV

from skfair import FaiRNClassifier
from skfair.datasets import make_biased_classification
from skfair.metrics import acceptance_rate_scorer, neg_recourse_gap_scorer
from skfair.model_selection import knee_point, pareto_front

N_ROUNDS, N_CANDIDATES = 4, 6
METRICS = ["accuracy", "neg_recourse_gap"]

X, y, group = make_biased_classification(1200, recourse_gap=1.5, random_state=0)
distributions = {
    "lambda_fairness": FloatDistribution(0.01, 1.0, log=True),
    "lambda_robustness": FloatDistribution(0.0, 0.3),
}
optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(
    directions=["maximize", "maximize"],
    sampler=optuna.samplers.TPESampler(n_startup_trials=N_CANDIDATES, seed=0, constant_liar=True),
)

rounds = []
with sklearn.config_context(enable_metadata_routing=True):
    for _ in range(N_ROUNDS):
        trials = [study.ask(distributions) for _ in range(N_CANDIDATES)]
        search = GridSearchCV(
            FaiRNClassifier(max_epochs=10, random_state=0),
            [{name: [value] for name, value in trial.params.items()} for trial in trials],
            scoring={
                "accuracy": "accuracy",
                "neg_recourse_gap": neg_recourse_gap_scorer,
                "acceptance_rate": acceptance_rate_scorer,
            },
            refit=False,
            cv=3,
        ).fit(X, y, sensitive_features=group)
        results = pd.DataFrame(search.cv_results_)
        scores = results[[f"mean_test_{name}" for name in METRICS]].to_numpy()
        for trial, values in zip(trials, scores, strict=True):
            study.tell(trial, values.tolist())
        rounds.append(results)

# %%
# The front of all rounds
# -----------------------
#
# The results of the rounds, one below the other, are a table of results like that of one search.

results = pd.concat(rounds, ignore_index=True)
front = pareto_front(results, METRICS)
print(front.drop(columns="params").round(3).to_string())
print("knee:", results.loc[knee_point(results, METRICS), "params"])
