"""Packages for fairness."""

import numpy as np
import pandas as pd

from .data import CODED, GROUP, X, by_position, fair, plain, y
from .registry import row

FAIRLEARN = "fairlearn"


@row(FAIRLEARN, "MetricFrame", "")
def metric_frame():
    from fairlearn.metrics import MetricFrame, selection_rate

    predicted = fair().fit(X, y, sensitive_features=GROUP).predict(X)
    frame = MetricFrame(
        metrics=selection_rate, y_true=y, y_pred=predicted, sensitive_features=GROUP
    )
    assert list(frame.by_group.index) == ["a", "b"]


@row(FAIRLEARN, "ThresholdOptimizer", "with ``prefit=True``, or by column")
def threshold_optimizer():
    from fairlearn.postprocessing import ThresholdOptimizer

    model = fair().fit(X, y, sensitive_features=GROUP)
    optimizer = ThresholdOptimizer(estimator=model, prefit=True, predict_method="predict_proba")
    optimizer.fit(X, y, sensitive_features=GROUP)
    assert optimizer.predict(X, sensitive_features=GROUP, random_state=0).shape == y.shape


@row(FAIRLEARN, "ExponentiatedGradient, GridSearch", "around ``NetworkClassifier``, by weights")
def reductions():
    from fairlearn.reductions import DemographicParity, ExponentiatedGradient, GridSearch

    for reduction in (
        ExponentiatedGradient(plain(), DemographicParity(), max_iter=2),
        GridSearch(plain(), DemographicParity(), grid_size=2),
    ):
        reduction.fit(X, y, sensitive_features=GROUP)
        assert reduction.predict(X).shape == y.shape


@row(FAIRLEARN, "CorrelationRemover", "in a pipeline before a network")
def correlation_remover():
    from fairlearn.preprocessing import CorrelationRemover
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(CorrelationRemover(sensitive_feature_ids=[0]), plain())
    assert model.fit(CODED, y).predict(CODED).shape == y.shape


@row("AIF360", "metrics of ``aif360.sklearn``", "groups in the index of y", needs="aif360")
def aif360():
    from aif360.sklearn.metrics import statistical_parity_difference

    predicted = by_position().fit(CODED, y).predict(CODED)
    target = pd.Series(y, index=pd.Index(GROUP, name="group"))
    gap = statistical_parity_difference(target, predicted, prot_attr="group", priv_group="b")
    rates = [predicted[name == GROUP].mean() for name in ("a", "b")]
    assert np.isclose(gap, rates[0] - rates[1])
