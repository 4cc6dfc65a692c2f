"""How well fresh classifiers tell the group from features."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from .._torch_state import one_thread_everywhere
from .._warnings import ignored


def fresh_scores(
    features: np.ndarray,
    groups: np.ndarray,
    weights: np.ndarray | None,
    new_features: np.ndarray,
    new_groups: np.ndarray,
    new_weights: np.ndarray | None,
) -> list[dict[str, Any]]:
    """Learn to tell the group from features, and try it on new rows.

    Parameters
    ----------
    features, new_features : ndarray of shape (n, n_features)
        Of the rows to learn from, and of others.
    groups, new_groups : int64 ndarray of shape (n,)
        Group codes, none missing.
    weights, new_weights : ndarray of shape (n,) or None
        Sample weights.

    Returns
    -------
    list of dict
        Name, accuracy and area under the ROC curve of a linear classifier and one that is not, and
        the accuracy of the majority.
    """
    scaler = StandardScaler().fit(features, sample_weight=weights)
    features, new_features = scaler.transform(features), scaler.transform(new_features)
    largest = np.argmax(np.bincount(groups, weights))
    majority = float(np.average(new_groups == largest, weights=new_weights))
    found = []
    with one_thread_everywhere(), ignored("lbfgs failed to converge"):
        for name, classifier in (
            ("logistic regression", LogisticRegression(max_iter=1000)),
            ("gradient boosting", HistGradientBoostingClassifier(random_state=0)),
        ):
            classifier.fit(features, groups, sample_weight=weights)
            shares = classifier.predict_proba(new_features)
            told = classifier.classes_[shares.argmax(axis=1)]
            areas = [
                roc_auc_score(new_groups == group, share, sample_weight=new_weights)
                for group, share in zip(classifier.classes_, shares.T, strict=True)
                if 0 < np.mean(new_groups == group) < 1
            ]
            found.append(
                {
                    "classifier": name,
                    "accuracy": float(accuracy_score(new_groups, told, sample_weight=new_weights)),
                    "roc_auc": float(np.mean(areas)) if areas else float("nan"),
                    "majority": majority,
                }
            )
    return found
