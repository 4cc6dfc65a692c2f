"""
A classifier that treats similar people similarly
=================================================

A decision tree jumps: two people who are almost alike can get opposite answers. Smoothing makes of
it a classifier whose answers differ by no more than the people do, and says for each person how far
away a decision cannot change.
"""

# %%
# A tree, and the same tree smoothed
# ----------------------------------
#
# The answer for a person becomes the share of a class among the tree's decisions on 5,000 noisy
# copies. The weights of the distance, and with them the noise, are the coefficients of a logistic
# regression.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import make_moons
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skfair import SmoothedClassifier
from skfair.metrics import individual_fairness_violation

X, y = make_moons(1000, noise=0.25, random_state=0)
X = StandardScaler().fit_transform(X)
X_train, X_test, y_train, y_test = X[:600], X[600:], y[:600], y[600:]

tree = DecisionTreeClassifier(max_depth=6, random_state=0).fit(X_train, y_train)
linear = LogisticRegression().fit(X_train, y_train)
smoothed = SmoothedClassifier(
    tree, prefit=True, weights="linear", scale=2.0, n_samples=5000, random_state=0
).fit(X_train, y_train)
smoothed.metric_.weights.to_frame()

# %%
# What that costs, and what it brings. The largest ratio of a difference in outcome to the distance
# is at most one if a classifier is individually fair; of the smoothed tree, what sampling leaves
# open is forgiven.

models = {"tree": tree, "smoothed tree": smoothed, "logistic regression": linear}
pd.DataFrame(
    {
        name: {
            "accuracy": (model.predict(X_test) == y_test).mean(),
            "largest ratio": individual_fairness_violation(
                model, X_test, metric=smoothed.metric_, n_pairs=200, random_state=0
            ).largest,
        }
        for name, model in models.items()
    }
).T.round(3)

# %%
# Answers and certificates
# ------------------------
#
# The ellipses of the right picture are the certified radii: nobody inside gets another decision,
# with a probability of 0.999 each.

grid = np.stack(np.meshgrid(np.linspace(-2.5, 2.5, 60), np.linspace(-2.5, 2.5, 60)), -1)
people = X_test[:40]
radius = smoothed.certified_radius(people)
weights = smoothed.metric_.weights.to_numpy()

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
for ax, name in zip(axes, ("tree", "smoothed tree"), strict=True):
    shares = models[name].predict_proba(grid.reshape(-1, 2))[:, 1].reshape(60, 60)
    image = ax.pcolormesh(*np.moveaxis(grid, -1, 0), shares, vmin=0, vmax=1, cmap="RdBu")
    ax.scatter(*people.T, c=y_test[:40], cmap="RdBu", edgecolor="black", s=15)
    ax.set(title=name, xlabel="first feature")
angle = np.linspace(0, 2 * np.pi, 50)
circle = np.stack([np.cos(angle), np.sin(angle)]) / np.sqrt(weights)[:, np.newaxis]
for person, r in zip(people, radius, strict=True):
    axes[1].plot(*(person[:, np.newaxis] + r * circle), "k", lw=0.5)
axes[1].set(xlim=(-2.5, 2.5), ylim=(-2.5, 2.5))
axes[0].set_ylabel("second feature")
fig.colorbar(image, ax=axes, label="share of class 1")

# %%
# Only the shares are individually fair. Where they cross one half the decision still changes, and
# people there have a radius of zero.
