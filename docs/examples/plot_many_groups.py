"""
Many groups, of very different size
===================================

Sex and race on Adult make ten groups, from 29,000 white men down to 150 women of other races. A
term that counts every group alike moves a small group's members with a force many times that of
their own labels. By default groups count by their share (``group_weights="share"``).
"""

# %%
# Three networks
# --------------

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfair import NetworkClassifier, PenaltyClassifier
from skfair.datasets import fetch_adult

adult = fetch_adult()
train = adult.split == "train"
X, y = adult.data, (adult.target == ">50K").astype(int)
groups = adult.sensitive_features[["sex", "race"]]
encode = make_column_transformer(
    (StandardScaler(), make_column_selector(dtype_include="number")),
    remainder=OneHotEncoder(handle_unknown="ignore"),
)
settings = {"max_epochs": 10, "batch_size": 1024, "lr": 3e-3, "random_state": 0}
penalty = {"penalty": "equal_opportunity", "alpha": 2.0}
networks = {
    "plain": NetworkClassifier(**settings),
    "groups alike": PenaltyClassifier(group_weights="equal", **penalty, **settings),
    "groups by share": PenaltyClassifier(**penalty, **settings),
}
accepted = {}
for name, network in networks.items():
    step = type(network).__name__.lower()
    told = {} if name == "plain" else {f"{step}__sensitive_features": groups[train]}
    model = make_pipeline(encode, network).fit(X[train], y[train], **told)
    accepted[name] = model.predict(X[~train])
    print(f"{name}: accuracy {np.mean(accepted[name] == y[~train]):.3f}")

# %%
# Who is accepted
# ---------------
#
# The share of those with a high income who are accepted, by group. The bars are 95 % intervals of a
# share of that many people: of the smallest groups little can be said.

deserving = y[~train] == 1
table = groups[~train][deserving].assign(
    **{name: values[deserving] for name, values in accepted.items()}
)
rates = table.groupby(["sex", "race"], observed=True).agg(["mean", "size"])
rates = rates.sort_values(("plain", "size"))
figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
looks = zip(networks, ["#000000", "#D55E00", "#0072B2"], "osD", [-0.2, 0, 0.2], strict=True)
for name, color, marker, shift in looks:
    share, size = rates[name, "mean"], rates[name, "size"]
    error = 1.96 * np.sqrt((share * (1 - share)).clip(lower=0.01) / size)
    rows = np.arange(len(rates)) + shift
    ax.errorbar(share, rows, xerr=error, fmt=marker, color=color, markersize=4, label=name)
labels = [f"{race}, {sex} ({n})" for (sex, race), n in rates["plain", "size"].items()]
ax.set(yticks=range(len(rates)), yticklabels=labels, xlim=(0, 1))
ax.set_xlabel("share accepted of those with a high income (true positive rate), test rows")
figure.legend(frameon=False, loc="outside upper center", ncols=3)
ax.grid(axis="x", color="0.9")
ax.set_axisbelow(True)
plt.show()

# %%
# As figures, with the number of people in the last column.

shown = pd.DataFrame({name: rates[name, "mean"] for name in networks})
print(shown.assign(people=rates["plain", "size"])[::-1].round(2).to_string())
