"""Models are named by what they are."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfair import (
    DRAlignClassifier,
    FaiRNClassifier,
    LabelFlipClassifier,
    NetworkClassifier,
    PenaltyClassifier,
    PivotClassifier,
    SmoothedClassifier,
)
from skfair.audit._describe import describe


@pytest.mark.parametrize(
    ("model", "description"),
    [
        (
            FaiRNClassifier(),
            "Fair and robust neural network (FaiR-N), lambda_fairness 0.5, lambda_robustness 0.1",
        ),
        (
            make_pipeline(
                StandardScaler(), FaiRNClassifier(lambda_fairness=0, lambda_robustness=0.0)
            ),
            "plain neural network (FaiRNClassifier with all fairness weights 0), after "
            "StandardScaler",
        ),
        (
            PenaltyClassifier(penalty="equalized_odds", alpha=2),
            "Neural network with a fairness penalty, penalty equalized_odds, alpha 2",
        ),
        (
            PenaltyClassifier(alpha=0),
            "plain neural network (PenaltyClassifier with all fairness weights 0)",
        ),
        (
            PivotClassifier(),
            "Neural network whose predictions hide the sensitive features from an adversary "
            "(pivot), criterion demographic_parity, lambda_fairness 10",
        ),
        (
            DRAlignClassifier(),
            "Fairness as decision rationale alignment (DRAlign), criterion demographic_parity, "
            "lambda_fairness 0.4",
        ),
        (NetworkClassifier(), "Neural network without a fairness term"),
        (
            LabelFlipClassifier(),
            "Classifier trained on randomly flipped labels of one group, flip_fraction 0.3",
        ),
        (
            SmoothedClassifier(LogisticRegression()),
            "Classifier made individually fair by randomized smoothing of LogisticRegression",
        ),
        (
            make_pipeline(StandardScaler(), RandomForestClassifier()),
            "RandomForestClassifier, after StandardScaler",
        ),
    ],
)
def test_models_are_named_by_what_they_are(model, description):
    assert describe(model) == description


def test_searches_are_named_by_what_they_found():
    rng = np.random.default_rng(0)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1]}
    ).fit(rng.normal(size=(20, 2)), np.arange(20) % 2)
    assert describe(search) == "LogisticRegression, after StandardScaler, chosen by GridSearchCV"
