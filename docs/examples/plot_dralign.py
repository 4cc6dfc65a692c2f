"""
Decision rationales of two groups
=================================

How alike are the reasons for which a network decides about two groups? The parity score asks this
of every weight, and DRAlign trains for it. The data are generated: members of group "a" are, on
average, 1.5 logits further from acceptance than those of group "b".
"""

# %%
# Data and networks
# -----------------
#
# All networks see the same batches, with as many rows of each group. The fairness loss is the
# difference in mean probability; DRAlign adds the alignment of the rationales, with a tenth of its
# weight.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

from skfair import DRAlignClassifier
from skfair.datasets import make_biased_classification
from skfair.metrics import decision_rationale_similarity, parity_score, probability_gap

X, y, group = make_biased_classification(4000, recourse_gap=1.5, random_state=0)
X_train, X_test, y_train, y_test, group_train, group_test = train_test_split(
    X, y, group, test_size=0.5, random_state=0
)

settings = {"hidden_layer_sizes": (50, 50), "max_epochs": 25, "random_state": 0}
models = {"plain": DRAlignClassifier(lambda_fairness=0, beta=0, **settings)}
for weight in (0.4, 0.8):
    models[f"fairness loss, {weight}"] = DRAlignClassifier(
        lambda_fairness=weight, beta=0, **settings
    )
    models[f"DRAlign, {weight}"] = DRAlignClassifier(lambda_fairness=weight, **settings)

# %%
# Parity score and similarity
# ---------------------------
#
# The parity score removes every weight in turn and adds up by how much more this changes the loss
# of one group than that of the other. The similarity is the cosine of the first-order version,
# added up over the three layers; 3 is parity.

on = {"sensitive_features": group_test}
rows, scores = {}, {}
for name, model in models.items():
    model.fit(X_train, y_train, sensitive_features=group_train)
    decision = model.decision_function(X_test)
    score, scores[name] = parity_score(model, X_test, y_test, **on, return_scores=True)
    rows[name] = {
        "average precision": average_precision_score(y_test, decision),
        "gap in mean probability": probability_gap(decision, y_test, **on),
        "parity score": score,
        "similarity": decision_rationale_similarity(model, X_test, y_test, **on),
    }
pd.DataFrame(rows).T.round(4)

# %%
# The fairness loss acts on the output alone, and the rationales come no closer. With DRAlign they
# do, and the gap in probability closes further for the same weight, at a lower precision. The
# parity score tells another story: it is in units of squared losses, and grows with every weight
# that matters for one group's loss. In these data the groups' labels differ by construction, so
# equal treatment costs one group more than the other, and weights that bring it about count
# against it. Read both, and compare networks of the same shape only.

fig, axes = plt.subplots(1, 2, figsize=(8, 3.5), layout="constrained")
for ax, name in zip(axes, ("plain", "DRAlign, 0.8"), strict=True):
    image = ax.imshow(np.log10(scores[name][0] + 1e-12).T, aspect="auto", vmin=-9, vmax=-3)
    ax.set(title=name, xlabel="unit of the first layer", ylabel="feature")
fig.colorbar(image, ax=axes, label="log10 of the weight's part in the parity score")

# %%
# The picture shows which features the two groups are judged by differently. Similar rationales are
# no proof of fairness: they say that the same weights matter, not that these weights ought to.
