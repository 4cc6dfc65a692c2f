"""
Features that do not tell the group, before any classifier
==========================================================

:class:`~skfair.FairFeaturesClassifier` is a transformer as well: what it returns is handed on to a
classifier of somebody else, who shall not be able to tell the group. Whether they could is measured
by *fresh* classifiers on rows that took no part, not by the adversary that was fooled.
"""

# %%
# Three strengths
# ---------------
#
# ``fit`` warns where its own decisions accept much fewer of a group; boosting's are in the table.

import warnings

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

from skfair import FairFeaturesClassifier
from skfair.datasets import make_biased_classification

warnings.filterwarnings("ignore", "Fewer are accepted")
X, y, group = make_biased_classification(4000, recourse_gap=1.5, random_state=0)
X, X_test, y, y_test, group, group_test = train_test_split(X, y, group, random_state=0)

found = []
for alpha in (0.0, 0.5, 2.0):
    network = FairFeaturesClassifier(alpha=alpha, max_epochs=20, random_state=0)
    features = network.fit_transform(X, y, sensitive_features=group)
    boosting = HistGradientBoostingClassifier(max_iter=50, random_state=0).fit(features, y)
    decided = boosting.predict(network.transform(X_test))
    found.append(
        {
            "alpha": alpha,
            "group told by fresh classifiers": network.sensitive_score_,
            "largest group": network.sensitive_majority_,
            "accuracy of boosting on the features": (decided == y_test).mean(),
            "accepted, a": decided[group_test == "a"].mean(),
            "accepted, b": decided[group_test == "b"].mean(),
        }
    )
table = pd.DataFrame(found)
print(table.round(3).T.to_string(header=False))

# %%
# What is told, and what is kept
# ------------------------------
#
# The dotted line is the share of the largest group: whoever knows nothing reaches it by always
# guessing that group.

figure, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
ax.plot("alpha", "group told by fresh classifiers", "o-", color="#D55E00", data=table)
ax.plot("alpha", "accuracy of boosting on the features", "s--", color="#0072B2", data=table)
ax.axhline(table["largest group"].mean(), color="0.4", linestyle=":", label="largest group")
ax.set(
    xlabel="alpha, the weight of what the adversary knows", ylabel="share of rows", ylim=(0.4, 1)
)
ax.legend(frameon=False, loc="lower left")
plt.show()
