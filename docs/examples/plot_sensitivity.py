"""
Which decisions lean on the attribute
=====================================

The derivative of the score after a sensitive column says how much a decision leans on it, person by
person (:func:`~skfair.metrics.prediction_sensitivity`). It is largest for people close to the
boundary, whoever they are; the second plot shows that. The data are COMPAS.
"""

# %%
# A network that sees the attribute
# ---------------------------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfair import NetworkClassifier
from skfair.datasets import fetch_compas
from skfair.displays import SensitivityDisplay
from skfair.metrics import prediction_sensitivity

compas = fetch_compas()
encode = make_column_transformer(
    (StandardScaler(), make_column_selector(dtype_include="number")),
    remainder=OneHotEncoder(sparse_output=False),
    verbose_feature_names_out=False,
).set_output(transform="pandas")
table = compas.data.assign(race=np.where(compas.data["race"] == "African-American", "AA", "other"))
X, X_test, y, y_test = train_test_split(
    encode.fit_transform(table), compas.target, test_size=0.4, random_state=0
)
model = NetworkClassifier(max_epochs=20, random_state=0).fit(X, y)
blind = NetworkClassifier(
    sensitive_columns="race", drop_sensitive_columns=True, max_epochs=20, random_state=0
).fit(X, y)
same = np.mean(model.predict(X_test) == blind.predict(X_test))
for name, network in {"sees race": model, "blind": blind}.items():
    print(f"{name}: accuracy {network.score(X_test, y_test):.3f}")
print(f"decisions that are the same: {same:.3f}")

# %%
# Sensitivities
# -------------
#
# Left: of decisions that the blind network makes as well, and of the others. Right: the same
# numbers over the score. What looks like a sign of unfairness on the left is mostly closeness to
# the boundary.

sensitivity = prediction_sensitivity(model, X_test, sensitive_columns="race")
score = model.predict_proba(X_test)[:, 1]
differs = model.predict(X_test) != blind.predict(X_test)
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
SensitivityDisplay.from_estimator(model, X_test, sensitive_columns="race", match=blind, ax=axes[0])
axes[1].scatter(score[~differs], sensitivity[~differs], s=4, color="0.6", label="same decision")
axes[1].scatter(score[differs], sensitivity[differs], s=9, color="#D55E00", label="another")
axes[1].set(xlabel="score", ylabel="sensitivity to race")
axes[1].legend(frameon=False)
plt.show()
