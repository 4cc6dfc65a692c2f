"""
Displays of an audit
====================

What a search has found, how training went, how far each group is from acceptance, which predictions
lean on the attribute, and which subgroups are served worse: a plot for each, like scikit-learn's.
The data are generated: members of group "a" are, on average, 1.5 logits further from acceptance.
"""

# %%
# A search over the weight of fairness
# ------------------------------------
#
# The last column holds the group, so that scorers and network find it there.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, train_test_split

from skfair import FaiRNClassifier, NetworkClassifier
from skfair.datasets import make_biased_classification
from skfair.displays import (
    HistoryDisplay,
    LambdaHeatmapDisplay,
    ParetoDisplay,
    RecourseGapDisplay,
    SensitivityDisplay,
    SubgroupDisplay,
)
from skfair.metrics import make_fairness_scorer
from skfair.model_selection import best_under_constraint

X, y, group = make_biased_classification(3000, recourse_gap=1.5, random_state=0)
X = np.column_stack([X, group == "a"])
X, X_test, y, y_test, group, group_test = train_test_split(X, y, group, random_state=0)

search = GridSearchCV(
    FaiRNClassifier(sensitive_columns=-1, max_epochs=15, random_state=0),
    {"lambda_fairness": [0.0, 0.1, 0.5, 1.0], "lambda_robustness": [0.0, 0.1, 0.3]},
    scoring={
        "accuracy": "accuracy",
        "neg_recourse_gap": make_fairness_scorer("recourse_gap", sensitive_columns=-1),
    },
    refit=best_under_constraint("accuracy", "neg_recourse_gap", threshold=-0.2),
    cv=3,
).fit(X, y)

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
LambdaHeatmapDisplay.from_estimator(search, score="accuracy", ax=axes[0])
LambdaHeatmapDisplay.from_estimator(search, score="neg_recourse_gap", ax=axes[1])
plt.show()

# %%
# The same candidates by accuracy and gap:

ParetoDisplay.from_estimator(search)
plt.show()

# %%
# The chosen network and the plain one
# ------------------------------------
#
# Distances of refused people to acceptance; the dashed lines are means over all members of a group,
# with zero for the accepted, and the gap is the difference between them.

plain = NetworkClassifier(sensitive_columns=-1, max_epochs=15, random_state=0).fit(X, y)
fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharex=True)
for ax, model in zip(axes, (plain, search.best_estimator_), strict=True):
    RecourseGapDisplay.from_estimator(model, X_test, sensitive_features=group_test, ax=ax)
plt.show()

# %%
# Sensitivity, subgroups, training
# --------------------------------
#
# The sensitivity is the derivative of the probability by the group. Predictions are "matching"
# where the chosen network makes them, too. Only the plain network's are shown.

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
SensitivityDisplay.from_estimator(
    plain, X_test, sensitive_columns=-1, match=search.best_estimator_, ax=axes[0]
)
SubgroupDisplay.from_estimator(
    plain, X_test, y_test, sensitive_features={"group": group_test}, max_depth=1, ax=axes[1]
)
plt.show()

# %%
# The terms of the loss while the chosen network trained:

HistoryDisplay.from_estimator(search)
plt.show()

# %%
# A network that does not use the attribute can still use what goes along with it: a small
# sensitivity is no proof of fairness.
