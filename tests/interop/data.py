"""What the rows work on."""

import numpy as np
import pandas as pd

from skfair import FaiRNClassifier, NetworkClassifier
from skfair.datasets import make_biased_classification

QUICK = {"max_epochs": 2, "hidden_layer_sizes": (4,), "random_state": 0}
NUMBERS = [f"x{i}" for i in range(6)]

X, y, GROUP = make_biased_classification(200, n_features=6, random_state=0)
X = X.astype(np.float64)
TABLE = pd.DataFrame(X, columns=NUMBERS).assign(sex=np.where(GROUP == "a", "woman", "man"))
CODED = np.column_stack([GROUP == "a", X]).astype(float)  # the group in the first column


def plain(**params):
    return NetworkClassifier(**(QUICK | params))


def fair(**params):
    return FaiRNClassifier(**(QUICK | params))


def by_position(**params):
    """A network that finds the group in the first column, and does not see it."""
    return fair(sensitive_columns=[0], drop_sensitive_columns=True, **params)


def by_name(**params):
    return fair(sensitive_columns="sex", drop_sensitive_columns=True, **params)
