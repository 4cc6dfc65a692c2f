"""
A whole front in one run
========================

How much accuracy does how much of a gap cost? Thirty networks answer, in three folds each;
:class:`~skfair.model_selection.StackedSearchCV` trains them together. The data are MEPS panel 21:
who needs much care (label 1), with the recorded race as the group.
"""

# %%
# Rows for the end
# ----------------
#
# The best of many scores is best in part by luck. A fifth of the rows takes no part in the search.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skfair import FaiRNClassifier
from skfair.datasets import fetch_meps
from skfair.displays import ParetoDisplay
from skfair.metrics import acceptance_rate_scorer, neg_recourse_gap_scorer
from skfair.model_selection import (
    StackedSearchCV,
    best_under_constraint,
    holdout_scores,
    pareto_front,
)

meps = fetch_meps()
race = meps.sensitive_features["RACE"].to_numpy()
X = meps.data.select_dtypes("number").drop(columns=["RACE"], errors="ignore")
X = StandardScaler().fit_transform(X)
X, X_end, y, y_end, race, race_end = train_test_split(
    X, np.asarray(meps.target), race, test_size=0.2, stratify=meps.target, random_state=0
)

# %%
# The search
# ----------
#
# Some candidates accept hardly anybody of a group, of which ``fit`` warns each time; the scorer of
# acceptance tells the search, and the plot shows the constant ones.

warnings.filterwarnings("ignore", "The fitted FaiRNClassifier|Fewer are|Everybody is refused")
search = StackedSearchCV(
    FaiRNClassifier(
        hidden_layer_sizes=(30,), max_epochs=8, batch_size=256, weight_decay=1e-3, random_state=0
    ),
    {
        "lambda_fairness": [0.0, 0.02, 0.05, 0.1, 0.2, 0.5],
        "lambda_robustness": [0.0, 0.05, 0.1, 0.2, 0.4],
    },
    scoring={
        "accuracy": "accuracy",
        "neg_recourse_gap": neg_recourse_gap_scorer,
        "acceptance_rate": acceptance_rate_scorer,
    },
    refit=best_under_constraint("accuracy", "neg_recourse_gap", threshold=0.2),
    cv=3,
)
with sklearn.config_context(enable_metadata_routing=True):
    search.fit(X, y, sensitive_features=race)
    promised = holdout_scores(search, X_end, y_end, sensitive_features=race_end)

# %%
# The front, and the choice
# -------------------------
#
# Each dot is a pair of weights. The staircase is the best accuracy to be had for a gap of at most
# so much; the shaded part is beyond the limit.

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ParetoDisplay.from_estimator(search, ax=ax)
plt.show()

front = pareto_front(search.cv_results_, ["accuracy", "neg_recourse_gap"])
columns = [name for name in front if name.startswith(("param_", "mean_test_"))]
print(front[columns].round(3).to_string(index=False))

# %%
# What the choice keeps on the rows that took no part in it: report these. Mind the share accepted:
# so few are, because few people need much care, that a small gap is easily had.

print(search.best_params_)
print(promised.round(3).to_string())
