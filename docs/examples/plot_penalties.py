"""
Parity that holds on the training rows only, and for the given groups only
==========================================================================

A penalty on the training rows is satisfied by a network that has learned these rows by heart, and
parity between women and men says nothing about young men. This example shows both on generated
data: the first by a curve and a table (:func:`~skfair.metrics.fairness_generalization`), the second
by a report on intersections (:func:`~skfair.metrics.subgroup_report`).
"""

# %%
# Few rows, many parameters
# -------------------------
#
# 400 rows with 30 features to train on, 6,000 to test on. One network has two hidden layers of 128
# units, some 20,000 weights, and can learn every label by heart; the other has no hidden layer.
# Both minimize cross-entropy + alpha * (difference in mean probability among the actual negatives +
# the same among the actual positives), the penalty for equalized odds. Where it is strong ``fit``
# warns that fewer of a group are accepted; here the tables say so.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skfair import NetworkClassifier, PenaltyClassifier
from skfair.datasets import make_biased_classification
from skfair.metrics import fairness_generalization, subgroup_report

warnings.filterwarnings("ignore", "Fewer are accepted")
X, y, group = make_biased_classification(6400, n_features=30, recourse_gap=1.5, random_state=1)
splits = {
    "train": (X[:400], y[:400], group[:400]),
    "test": (X[400:], y[400:], group[400:]),
}
X_train, y_train, group_train = splits["train"]

networks = {"two hidden layers of 128": (128, 128), "no hidden layer": ()}
alphas = [0, 0.5, 1, 2, 4]
seeds = range(3)
models = {
    (network, alpha, seed): PenaltyClassifier(
        penalty="equalized_odds",
        alpha=alpha,
        hidden_layer_sizes=sizes,
        max_epochs=60,
        lr=2e-3,
        batch_size=100,
        random_state=seed,
    ).fit(X_train, y_train, sensitive_features=group_train)
    for network, sizes in networks.items()
    for alpha in alphas
    for seed in seeds
}
rates = ["true_positive_rate", "false_positive_rate"]
table = fairness_generalization(models, splits, ["accuracy", *rates])

# %%
# The table has a row for each model and metric, and for each split the groups side by side. Without
# a penalty the large network makes no error on the training rows, so all gaps are zero there, and a
# penalty with alpha = 1 finds next to nothing to do. On the test rows the gaps are nearly as large
# as before.

names = ["network", "alpha", "seed", "metric"]
models_and_metrics = [(*model, metric) for model, metric in table.index]
table.index = pd.MultiIndex.from_tuples(models_and_metrics, names=names)
shown = table.groupby(["network", "alpha", "metric"], sort=False).mean()
print(shown.loc["two hidden layers of 128"].loc[[0, 1]].round(2).to_string())

# %%
# Gap and accuracy over alpha
# ---------------------------
#
# The greater of the two gaps is the equalized odds difference. Lines are means of three seeds,
# bands their range.
#
# On the left the training rows report little or no gap at any alpha, which tells nothing about the
# test rows. The test gap falls only once the penalty outweighs the cross-entropy and the network
# gives up labels that it knew. On the right training and test rows agree, and what alpha does can
# be read off either. On the test rows the large network starts with the smaller gap; once the gap
# is to be small, the other one is more accurate. Choose alpha on rows that took no part in
# training.

gap = table.xs("gap", axis=1, level="group")
gap = gap[gap.index.isin(rates, level="metric")].groupby(level=names[:3], sort=False).max()
accuracy = table.xs("overall", axis=1, level="group").xs("accuracy", level="metric")
measures = {"equalized odds difference": gap, "accuracy (share of rows)": accuracy}
styles = {"train": ("#000000", "--", "o"), "test": ("#D55E00", "-", "s")}  # Okabe and Ito

figure, axes = plt.subplots(2, 2, figsize=(9, 6), sharex=True, sharey="row", layout="constrained")
for row, (measure, values) in zip(axes, measures.items(), strict=True):
    for ax, network in zip(row, networks, strict=True):
        by_alpha = values.loc[network].groupby(level="alpha")
        for split, (color, line, marker) in styles.items():
            low, mean, high = (getattr(by_alpha[split], f)() for f in ("min", "mean", "max"))
            ax.fill_between(alphas, low, high, color=color, alpha=0.15, linewidth=0)
            ax.plot(alphas, mean, line, marker=marker, color=color, markersize=5, label=split)
    row[0].set_ylabel(measure)
for ax, network in zip(axes[0], networks, strict=True):
    ax.set(title=network, ylim=(0, None))
for ax in axes[1]:
    ax.set_xlabel("alpha, the weight of the penalty")
axes[0, 0].legend(frameon=False, title="rows")
plt.show()

# %%
# Parity between the sexes, disparity between the ages
# ----------------------------------------------------
#
# In these data merit is higher among men. Sex is not a feature, but one feature tells young men
# from everybody else and has nothing to do with merit. The rows are many this time, and nothing is
# overfitted.


def people(n, seed):
    """Features, labels, and a table with sex and age."""
    rng = np.random.default_rng(seed)
    sex, age = rng.choice(["female", "male"], n), rng.choice(["old", "young"], n)
    merit = rng.normal(size=n) + 0.8 * (sex == "male")
    proxy = rng.normal(size=n) + 2 * ((sex == "male") & (age == "young"))
    y = rng.uniform(size=n) < 1 / (1 + np.exp(-2 * (merit - 0.4)))
    X = np.column_stack([merit, proxy, rng.normal(size=(n, 3))])
    return X, y.astype(int), pd.DataFrame({"sex": sex, "age": age})


X, y, attributes = people(4000, seed=0)
X_test, y_test, attributes_test = people(8000, seed=1)

settings = {"max_epochs": 20, "random_state": 0}
plain = NetworkClassifier(**settings).fit(X, y)
fair = PenaltyClassifier(penalty="equal_opportunity", **settings)
fair = fair.fit(X, y, sensitive_features=attributes["sex"])

# %%
# The penalty acts on the true positive rates of the two sexes, the shares of the deserving who are
# accepted, and brings them together on rows that it has not seen.

for attribute in ("sex", "age"):
    test = {"test": (X_test, y_test, attributes_test[attribute])}
    found = fairness_generalization({"plain": plain, "fair": fair}, test, "true_positive_rate")
    print(found.droplevel("metric").round(3).to_string(), end="\n\n")

# %%
# The second table shows at whose expense: there was no gap between the ages, and now there is. The
# report on all intersections names the group that paid, with a paired test for every change and an
# allowance for the number of tests.

settings = {"sensitive_features": attributes_test, "metric": "true_positive_rate"}
before = subgroup_report(y_test, plain.predict(X_test), **settings)
after = subgroup_report(y_test, fair.predict(X_test), baseline=plain.predict(X_test), **settings)
columns = ["group", "cases", "baseline", "value", "lower", "upper", "change", "verdict"]
print(after.sort_values("change")[columns].round(3).to_string(index=False))

# %%
# Women gain, as intended. Old men gain, too, and young men pay for both: the feature that tells
# them from everybody else is the cheapest way to lower the rate of men.

figure, ax = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
order = after.sort_values(["depth", "group"], ascending=False)["group"]
looks = {
    "plain": (before, "#000000", "o", 0.12),
    "equal opportunity": (after, "#D55E00", "s", -0.12),
}
for name, (report, color, marker, shift) in looks.items():
    report = report.set_index("group").loc[order]
    ends = (report["value"] - report["lower"], report["upper"] - report["value"])
    rows = np.arange(len(order)) + shift
    ax.errorbar(report["value"], rows, xerr=ends, fmt=marker, color=color, capsize=3, label=name)
ax.set(yticks=range(len(order)), yticklabels=order)
ax.set_xlabel("true positive rate (share of the actual positives), with 95 % interval")
figure.legend(frameon=False, loc="outside upper center", ncols=2)
ax.grid(axis="x", color="0.9")
ax.set_axisbelow(True)
plt.show()
