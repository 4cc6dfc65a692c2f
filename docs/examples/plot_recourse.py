"""
Recourse, and a report about it
===============================

What would refused people have to change, is that more for one group than for another, and how does
a report put it? The data are generated; nobody's sex may change.
"""

# %%
# A plain and a fair network on a table with mixed columns
# --------------------------------------------------------

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfair import FaiRNClassifier
from skfair.audit import AuditReport
from skfair.metrics import burden
from skfair.recourse import counterfactuals

rng = np.random.default_rng(0)
n = 2000
sex = rng.choice(["woman", "man"], n)
people = pd.DataFrame(
    {
        "sex": sex,
        "income": (rng.gamma(3, 900, n) * np.where(sex == "man", 1.3, 1)).round(),
        "years": rng.integers(0, 30, n),
        "job": rng.choice(["none", "clerk", "nurse"], n),
    }
)
merit = people["income"] / 1000 + people["years"] / 10 + (people["job"] != "none")
granted = np.where(merit + rng.logistic(size=n) * 0.3 > 5.5, "granted", "refused")
train, test = people[:1000], people[1000:]


def fit(**parameters):
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["sex", "job"]), remainder=StandardScaler()
    )
    network = FaiRNClassifier(
        unfavorable="refused", max_epochs=40, lr=3e-3, random_state=0, **parameters
    )
    return make_pipeline(encode, network).fit(
        train, granted[:1000], fairnclassifier__sensitive_features=train["sex"]
    )


plain = fit(lambda_fairness=0.0, lambda_robustness=0.0)
fair = fit(lambda_fairness=1.0)

# %%
# What refused people would have to change
# ----------------------------------------
#
# Sex may not change, and years only grow. Shown are the first ten people.

rules = {"bounds": "observed", "monotone": {"years": "increase"}, "random_state": 0}
counterfactuals(plain, test, sensitive_columns="sex", **rules)

# %%
# The burden of each group
# ------------------------
#
# The mean distance over all members, zero for the accepted. FaiR-N was trained on distances in
# log-odds, not on these; here, as on Adult (:doc:`/user_guide/recourse`), the difference between
# the groups falls all the same. Women have less to change than with the plain network, and men
# more: somebody pays.

means = pd.DataFrame(
    {
        name: burden(model, test, sensitive_features=test["sex"], **rules)
        for name, model in (("plain", plain), ("FaiR-N", fair))
    }
)
means.T.plot.bar(rot=0, ylabel="burden")
plt.show()

# %%
# The report
# ----------

AuditReport.from_estimator(
    fair,
    test,
    granted[1000:],
    sensitive_features=test[["sex"]],
    baseline=plain,
    names=("FaiR-N", "plain"),
    recourse={"monotone": {"years": "increase"}},
    max_people=300,
    n_resamples=300,
    random_state=0,
)
