"""
Tuning FaiR-N with a limit on the recourse gap
==============================================

A plain network, FaiR-N with its default weights, and FaiR-N with the weights that a grid search
chooses: the most accurate candidate whose recourse gap stays within a limit.

The data are generated. Group "a" is worse off: by construction its members are, on average, 1.5
logits further from acceptance than those of group "b" (accepted people count as zero). Half of the
rows are kept for the test.
"""

# %%
# Data
# ----

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import sklearn
from fairlearn.metrics import equal_opportunity_difference
from sklearn.model_selection import GridSearchCV, train_test_split

from skfair import FaiRNClassifier
from skfair.datasets import make_biased_classification
from skfair.metrics import neg_recourse_gap_scorer, recourse_gap
from skfair.model_selection import best_under_constraint

X, y, group = make_biased_classification(4000, recourse_gap=1.5, random_state=0)
X_train, X_test, y_train, y_test, group_train, group_test = train_test_split(
    X, y, group, test_size=0.5, random_state=0
)

# %%
# Three models
# ------------
#
# With both weights at 0 FaiR-N is a plain network. It is handed the groups all the same, so that
# its history has the recourse gap too.

settings = {"max_epochs": 40, "random_state": 0}
plain = FaiRNClassifier(lambda_fairness=0, lambda_robustness=0, **settings)
plain.fit(X_train, y_train, sensitive_features=group_train)

default = FaiRNClassifier(**settings)
default.fit(X_train, y_train, sensitive_features=group_train)

# %%
# The search scores every candidate on held-out folds. With metadata routing, ``fit`` hands the
# sensitive features to the classifier and to the scorer alike.

with sklearn.config_context(enable_metadata_routing=True):
    search = GridSearchCV(
        FaiRNClassifier(**settings),
        {"lambda_fairness": [0.05, 0.2, 0.5, 1.0], "lambda_robustness": [0.0, 0.1]},
        scoring={"accuracy": "accuracy", "neg_recourse_gap": neg_recourse_gap_scorer},
        refit=best_under_constraint("accuracy", "neg_recourse_gap", threshold=0.2),
        cv=3,
    )
    search.fit(X_train, y_train, sensitive_features=group_train)
tuned = search.best_estimator_
print(search.best_params_)

# %%
# Result on the test half
# -----------------------
#
# The gap in true positive rates, :math:`|\Delta\mathrm{TPR}|`, was not part of the search. Here it
# falls together with the recourse gap; in general it need not.

models = {"plain": plain, "FaiR-N, default": default, "FaiR-N, tuned": tuned}
table = pd.DataFrame(
    {
        name: {
            "accuracy": model.score(X_test, y_test),
            "recourse gap (logits)": recourse_gap(
                model.decision_function(X_test), sensitive_features=group_test
            ),
            "|dTPR|": equal_opportunity_difference(
                y_test, model.predict(X_test), sensitive_features=group_test
            ),
            "accepted, a": model.predict(X_test[group_test == "a"]).mean(),
            "accepted, b": model.predict(X_test[group_test == "b"]).mean(),
        }
        for name, model in models.items()
    }
).T
print(table.round(3).to_string())

# %%
# Terms of the objective over the epochs
# --------------------------------------
#
# ``history_`` has a row for every epoch and a column for every term, before it is weighted. During
# the warm-up, the shaded first 30 % of the steps, the weights of the fairness and robustness terms
# rise from 0; the plain network has no such terms and shows what they change. Afterwards the gap
# oscillates, because the gradient of an absolute value does not fade as the gap closes. The
# fitted model has the mean of the weights over the last quarter of the steps, which is steadier
# than the rows of the history.

colors = dict(zip(models, ["#000000", "#0072B2", "#D55E00"], strict=True))  # Okabe and Ito
styles = dict(zip(models, [":", "--", "-"], strict=True))
terms = {"cross_entropy": "cross-entropy (nats)", "fairness": "recourse gap (logits)"}

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for ax, (term, label) in zip(axes, terms.items(), strict=True):
    end = default.warmup * default.settings_.max_epochs
    ax.axvspan(0, end, color="0.92", label="warm-up (FaiR-N)")
    for name, model in models.items():
        history = model.history_
        ax.plot(history["epoch"], history[term], styles[name], color=colors[name], label=name)
    ax.set(xlabel="epoch", ylabel=f"{label}, training rows", xlim=(0, default.settings_.max_epochs))
axes[0].legend(frameon=False)
plt.show()

# %%
# Distance to the boundary by group
# ---------------------------------
#
# Left of 0 are the refused, and their distance from 0 is what they lack. The recourse gap is the
# difference between the two groups' mean of this distance, in which the accepted count as zero; the
# legend gives the two means (logits).
#
# The picture shows how the gap was closed: group "a" has moved toward the boundary, and some of
# its members across it, but most are still refused, now by a small margin, and group "b" is still
# accepted more than twice as often. Whether that is the aim is a question that no index answers;
# look at such a picture before trusting one.

group_colors = {"a": "#D55E00", "b": "#0072B2"}
shown = {name: models[name] for name in ("plain", "FaiR-N, tuned")}

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharex=True, sharey=True, layout="constrained")
for ax, (name, model) in zip(axes, shown.items(), strict=True):
    decision = model.decision_function(X_test)
    for (label, color), style in zip(group_colors.items(), ["-", "--"], strict=True):
        values = decision[group_test == label]
        burden = np.maximum(0, -values).mean()
        ax.hist(
            values,
            bins=np.arange(-8, 8.1, 0.5),
            density=True,
            histtype="step",
            color=color,
            linestyle=style,
            linewidth=1.8,
            label=f"{label}: {burden:.2f}",
        )
    ax.axvline(0, color="0.4", linewidth=1)
    ax.set(title=name, xlabel="decision value (logits)", xlim=(-8, 8))
    ax.legend(frameon=False, loc="upper left", title="group: mean distance")
axes[0].set_ylabel("density (1 / logit)")
plt.show()
