"""
A network on x-rays, group by group
===================================

Bytes in, decisions out: images of type uint8 go into ``fit`` as they are, and become numbers on the
device, batch by batch. The data are small x-rays of the chest with the sex of the patient. No
picture is shown, by the terms of the data; what counts here are figures by group.
"""

# %%
# Two networks
# ------------
#
# 1,000 images, half with a finding, of about as many women as men; three tenths for the test, no
# patient in both parts. The penalty asks for equal losses of both.

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit

from skfair import NetworkClassifier, PenaltyClassifier

archive = np.load(Path(os.environ["SKFAIR_DATA"]) / "chest_xray_64.npz")
X, y, sex = archive["images"], archive["label"], archive["sex"]
parts = GroupShuffleSplit(1, test_size=0.3, random_state=0)
train, test = next(parts.split(X, y, archive["patient_id"]))
print(f"{X.dtype}, {X.shape}, {X.nbytes / 1e6:.0f} MB")


def flip(images):
    """Mirror every second image of a batch of tensors."""
    mirrored = images.flip(-1)
    mirrored[::2] = images[::2]
    return mirrored


settings = {"module": "convnet", "augment": flip, "max_epochs": 8, "batch_size": 64, "lr": 2e-3}
models = {"plain": NetworkClassifier(random_state=0, **settings)}
models["equal loss"] = PenaltyClassifier(penalty="equal_loss", random_state=0, **settings)
for model in models.values():
    model.fit(X[train], y[train], sensitive_features=sex[train])

# %%
# By group
# --------
#
# Area under the ROC curve, with the standard deviation over 200 resamples of the test people.


def resampled(score, rows, seed=0):
    """Value and standard deviation of the area under the curve on some test rows."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(200):
        drawn = rng.choice(rows, len(rows))
        values.append(roc_auc_score(y[test][drawn], score[drawn]))
    return roc_auc_score(y[test][rows], score[rows]), np.std(values)


table = []
for name, model in models.items():
    score = model.predict_proba(X[test])[:, 1]
    for group in np.unique(sex):
        rows = np.flatnonzero(sex[test] == group)
        auc, deviation = resampled(score, rows)
        found = (score[rows] > 0.5).mean()
        table.append((name, group, len(rows), auc, deviation, found))
columns = ["model", "sex", "people", "AUC", "sd", "share called a finding"]
table = pd.DataFrame(table, columns=columns)
print(table.round(3).to_string(index=False))

figure, ax = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
for (name, rows), color, shift in zip(
    table.groupby("model", sort=False), ["#000000", "#D55E00"], [0.1, -0.1], strict=True
):
    at = np.arange(len(rows)) + shift
    ax.errorbar(rows["AUC"], at, xerr=1.96 * rows["sd"], fmt="o", color=color, label=name)
ax.set(
    yticks=range(len(rows)), yticklabels=rows["sex"], xlabel="area under the ROC curve, test people"
)
ax.set_ylim(-0.5, len(rows) - 0.5)
figure.legend(frameon=False, loc="outside upper center", ncols=2)
plt.show()

# %%
# The intervals are wider than any difference: with this many people nothing can be said about
# fairness between the sexes, and a report that showed the two numbers alone would say too much.
