"""Tensors in, as arrays; tensors out where scikit-learn is told so."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pytest
import sklearn
import torch
from sklearn.linear_model import LogisticRegression

from skfair import (
    DRAlignClassifier,
    FairFeaturesClassifier,
    FaiRNClassifier,
    LabelFlipClassifier,
    MarginClassifier,
    PenaltyClassifier,
    PivotClassifier,
    SmoothedClassifier,
)
from skfair.metrics import get_scorer, get_scorer_names, recourse_gap

from .answers import answers

QUICK = {"max_epochs": 2, "batch_size": 64, "hidden_layer_sizes": (4,), "random_state": 0}
ESTIMATORS = {
    "fairn": FaiRNClassifier(distance="gradient", early_stopping=True, **QUICK),
    "penalty": PenaltyClassifier(penalty_on="holdout", monitor="accuracy", **QUICK),
    "dralign": DRAlignClassifier(class_weight="balanced", **QUICK),
    "pivot": PivotClassifier(class_weight="balanced", **QUICK),
    "fair features": FairFeaturesClassifier(class_weight="balanced", score_fraction=0.0, **QUICK),
    "margin": MarginClassifier(penalty="max_min", **QUICK),
    "dropped": FaiRNClassifier(sensitive_columns=[0], drop_sensitive_columns=True, **QUICK),
    "flip": LabelFlipClassifier(**QUICK),
    "flip any": LabelFlipClassifier(estimator=LogisticRegression(), random_state=0),
    "scored features": FairFeaturesClassifier(**QUICK),
    "smoothed": SmoothedClassifier(FaiRNClassifier(**QUICK), n_samples=20, random_state=0),
}
FORMS = {
    "plain": torch.as_tensor,
    "with gradients": lambda values: torch.as_tensor(values).requires_grad_(),
    "sparse": lambda values: torch.as_tensor(values).to_sparse(),
    "strided": lambda values: torch.as_tensor(np.repeat(values, 2, axis=1))[:, ::2],
}


@pytest.fixture
def people(biased):
    X, y, group = biased
    return X[:200].astype(np.float32).astype(float), y[:200], (group[:200] == "a").astype(int)


@pytest.fixture(params=[False, True], ids=["arrays out", "tensors out"])
def dispatch(request, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    with sklearn.config_context(array_api_dispatch=request.param):
        yield request.param


# Every estimator with plain tensors and one other form, every form with several estimators.
CASES = [(name, "plain") for name in ESTIMATORS if name != "scored features"]
CASES += list(zip(ESTIMATORS, cycle(list(FORMS)[1:])))


@pytest.mark.parametrize(("name", "form"), CASES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tensors_are_as_good_as_arrays(people, dispatch, name, form):
    X, y, group = people
    model = sklearn.clone(ESTIMATORS[name])
    with sklearn.config_context(array_api_dispatch=False):
        expected = answers(model.fit(X, y, sensitive_features=group), X)
    tensor = FORMS[form](X)
    model = sklearn.clone(ESTIMATORS[name])
    model.fit(tensor, torch.as_tensor(y), sensitive_features=torch.as_tensor(group))
    found = answers(model, tensor)
    assert found.keys() == expected.keys()
    for method, values in found.items():
        assert type(values) is (torch.Tensor if dispatch else np.ndarray)
        np.testing.assert_allclose(np.asarray(values), expected[method], rtol=1e-9)
    if dispatch:  # what is given as an array is answered in arrays
        assert type(model.predict(X)) is np.ndarray
        assert model.score(tensor, torch.as_tensor(y)) == pytest.approx(model.score(X, y))


def test_continued_training_and_weights_take_tensors(people, dispatch):
    X, y, group = people
    weights = np.linspace(0.5, 1.5, len(y))
    models = [FaiRNClassifier(**QUICK) for _ in range(2)]
    for model, form in zip(models, (np.asarray, torch.as_tensor), strict=True):
        for _ in range(2):
            model.partial_fit(
                form(X), form(y), sensitive_features=form(group), sample_weight=form(weights)
            )
    assert np.array_equal(models[0].predict_proba(X), models[1].predict_proba(X))


def test_words_stay_an_array_and_pairs_stay_pairs(people, dispatch):
    X, y, group = people
    tensor = torch.as_tensor(X)
    words = FaiRNClassifier(**QUICK).fit(X, np.array(["no", "yes"])[y], sensitive_features=group)
    assert type(words.predict(tensor)) is np.ndarray
    assert set(words.predict(tensor)) <= {"no", "yes"}
    smoothed = SmoothedClassifier(LogisticRegression()).fit(X, y)
    kind = torch.Tensor if dispatch else np.ndarray
    bound = smoothed.fairness_bound(tensor[:3], tensor[3:6])
    low, high = smoothed.certified_interval(tensor[:3], torch.tensor([0.1]))
    assert type(bound) is type(low) is type(high) is kind
    assert np.array_equal(np.asarray(bound), smoothed.fairness_bound(X[:3], X[3:6]))


def test_half_precision_of_torch_is_read(people):
    X, y, group = people
    tensor = torch.as_tensor(X).to(torch.bfloat16)
    model = FaiRNClassifier(**QUICK).fit(tensor, y, sensitive_features=group)
    assert np.array_equal(model.predict_proba(tensor), model.predict_proba(tensor.float()))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_tensors_of_another_device_come_back_there(people, dispatch):
    X, y, group = people
    tensor = torch.as_tensor(X, device="cuda")
    model = FaiRNClassifier(**QUICK).fit(tensor, y, sensitive_features=group)
    found = model.predict_proba(tensor)
    if dispatch:
        assert found.device.type == "cuda"
        found = found.cpu()
    np.testing.assert_array_equal(np.asarray(found), model.predict_proba(X))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_metrics_and_scorers_take_tensors(people, dispatch):
    X, y, group = people
    model = FaiRNClassifier(**QUICK).fit(X, y, sensitive_features=group)
    tensors = [torch.as_tensor(values) for values in people]
    for name in set(get_scorer_names()) - {"neg_prediction_sensitivity"}:  # of columns, by name
        scorer, known = get_scorer(name), {"sensitive_features": group}
        told = {"sensitive_features": tensors[2]}
        if not scorer.needs_groups:
            known = told = {}
        with sklearn.config_context(array_api_dispatch=False):
            expected = scorer(model, X, y, **known)
        assert scorer(model, *tensors[:2], **told) == pytest.approx(expected, nan_ok=True), name
    decision = model.decision_function(tensors[0])
    assert recourse_gap(decision, sensitive_features=tensors[2]) == pytest.approx(
        recourse_gap(np.asarray(decision), sensitive_features=group)
    )
