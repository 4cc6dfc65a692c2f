"""
Tables with skrub
=================

skfair takes text, categories and missing values as they are, but no dates, and no column in which
nearly every text is different. skrub's ``TableVectorizer`` makes numbers of both and leaves the
rest alone. This page is not run when the documentation is built: it needs ``python -m pip install
skrub``, on which skfair does not depend.
"""

# %%
# A table as it comes
# -------------------
#
# Applications with a day, a free text, a category, a skewed amount and holes.

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from skrub import StringEncoder, TableVectorizer, tabular_pipeline

from skfair import FaiRNClassifier, NetworkClassifier

rng = np.random.default_rng(0)
n = 1000
jobs = ["cook", "chief cook", "clerk", "night clerk", "smith", "smith's hand"]
table = pd.DataFrame(
    {
        "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, n), "D"),
        "job": [f"{rng.choice(jobs)} in house {i}" for i in range(n)],
        "house": pd.Categorical(rng.choice(["rent", "own"], n)),
        "gain": np.where(rng.random(n) < 0.9, 0.0, rng.lognormal(8, 1, n)),
        "sex": pd.Categorical(rng.choice(["F", "M"], n)),
    }
)
is_smith = table["job"].str.startswith("smith")
logits = 2.0 * is_smith + (table["house"] == "own") + (table["sex"] == "M") - 1.5
y = (logits + rng.logistic(size=n) > 0).astype(int)
table.loc[::9, "house"] = None

# %%
# Only what has to be changed
# ---------------------------
#
# Columns with few different texts pass through as categories. Of the others a few numbers are
# made, and of days their parts.

vectorizer = TableVectorizer(
    low_cardinality="passthrough", high_cardinality=StringEncoder(n_components=8)
)
network = FaiRNClassifier(sensitive_columns="sex", random_state=0)
model = make_pipeline(vectorizer, network).fit(table, y)
print(model[:-1].transform(table.head(3)).dtypes)
scores = cross_val_score(model, table, y, cv=3, scoring="roc_auc")
print(f"{type(model[-1].module_).__name__}, AUC {scores.mean():.2f}")

# %%
# In one word
# -----------
#
# ``tabular_pipeline`` chooses the steps: categories become 0/1 columns and numbers are scaled, so
# that the network is the perceptron where no number is missing. What becomes of the sex has no
# name in the end, so that groups would have to be passed by ``sensitive_features``.

chosen = tabular_pipeline(NetworkClassifier(random_state=0)).fit(table, y)
scores = cross_val_score(chosen, table, y, cv=3, scoring="roc_auc")
print(f"{type(chosen[-1].module_).__name__}, AUC {scores.mean():.2f}")
