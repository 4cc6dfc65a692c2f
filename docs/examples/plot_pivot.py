"""
Scores from which an adversary cannot guess the group
=====================================================

Demographic parity of decisions holds at one threshold; whoever moves it brings the gap back.
:class:`~skfair.PivotClassifier` plays against an adversary that guesses the group from the score,
until the *distributions* of scores are alike. The data are COMPAS: who is arrested again within two
years, with the recorded race as the group. To be labeled 1 is the bad outcome.
"""

# %%
# Two networks
# ------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfair import NetworkClassifier, PivotClassifier
from skfair.datasets import fetch_compas

compas = fetch_compas()
race = np.where(compas.data["race"] == "African-American", "African-American", "others")
X = compas.data.drop(columns=["race", "sex"])
X, X_test, y, y_test, race, race_test = train_test_split(
    X, compas.target, race, test_size=0.4, random_state=0
)


def fit(classifier, **fit_params):
    """Encode and train."""
    numbers = make_column_selector(dtype_include="number")
    encode = make_column_transformer((StandardScaler(), numbers), remainder=OneHotEncoder())
    return make_pipeline(encode, classifier).fit(X, y, **fit_params)


settings = {"max_epochs": 30, "random_state": 0}
plain = fit(NetworkClassifier(**settings))
pivot = fit(
    PivotClassifier(lambda_fairness=2, unfavorable=1, **settings),
    pivotclassifier__sensitive_features=race,
)

# %%
# The gap at every threshold
# --------------------------
#
# Left and middle: shares of each group below a score. Where the two lines lie on each other, every
# threshold accepts the same share of both groups. Right: the difference between the lines.

thresholds = np.linspace(0, 1, 201)
styles = {"African-American": ("#D55E00", "-"), "others": ("#0072B2", "--")}
figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for ax, (name, model) in zip(axes, {"plain": plain, "pivot": pivot}.items(), strict=False):
    score = model.predict_proba(X_test)[:, 1]
    below = {}
    for group, (color, style) in styles.items():
        values = score[race_test == group]
        below[group] = (values[:, np.newaxis] < thresholds).mean(axis=0)
        ax.plot(thresholds, below[group], style, color=color, label=group)
    ax.set(title=name, xlabel="threshold on the score", ylabel="share accepted", ylim=(0, 1))
    gap = np.abs(below["African-American"] - below["others"])
    axes[2].plot(
        thresholds, gap, color="#000000", linestyle="-" if name == "pivot" else ":", label=name
    )
    accuracy = model.score(X_test, y_test)
    print(f"{name}: accuracy {accuracy:.3f}, largest gap at any threshold {gap.max():.3f}")
axes[0].legend(frameon=False)
axes[2].set(title="gap", xlabel="threshold on the score", ylabel="difference of shares accepted")
axes[2].legend(frameon=False)
plt.show()

# %%
# Parity has its price: the score keeps less of what tells who is arrested again, and arrests are
# themselves decisions about people, which differ between groups.
