"""Parity score and similarity of rationales beside brute force."""

from __future__ import annotations

import contextlib
import copy
import itertools
import threading

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn
from torch.nn import functional

from skfair import DRAlignClassifier, FaiRNClassifier, LabelFlipClassifier, PenaltyClassifier
from skfair.datasets import make_biased_classification
from skfair.metrics import (
    _parity as parity,
)
from skfair.metrics import (
    _removal,
    decision_rationale_similarity,
    get_scorer,
    make_fairness_scorer,
    neg_parity_score_scorer,
    parity_score,
)
from skfair.metrics._graph import trace

QUICK = {
    "hidden_layer_sizes": (6, 5),
    "max_epochs": 15,
    "lr": 0.02,
    "batch_size": 32,
    "random_state": 0,
}


def data(n=60, shape=(4,), n_classes=2, n_groups=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, *shape)).astype(np.float32)
    X[rng.uniform(size=X.shape) < 0.2] = 0
    group = rng.integers(n_groups, size=n)
    score = X.reshape(n, -1)[:, :2].sum(1) + group + 0.5 * rng.standard_normal(n)
    y = np.digitize(score, np.quantile(score, np.linspace(0, 1, n_classes + 1)[1:-1]))
    return X, y, np.array(list("abcdef"))[group]


def weights_of(module):
    found = {}
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d)):
            found.setdefault(id(layer.weight), layer.weight)
    return list(found.values())


def cross_entropies(logits, y):
    """Of every row; one column of logits is that of the positive class."""
    if y.ndim == 2:
        return functional.binary_cross_entropy_with_logits(
            logits, y.double(), reduction="none"
        ).mean(1)
    if logits.ndim == 1 or logits.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(
            logits.reshape(-1), y.double(), reduction="none"
        )
    return functional.cross_entropy(logits, y, reduction="none")


def brute_force(module, X, y, group, *, sample_weight=None, aggregate="l1", logits=lambda out: out):
    """Equations 4 and 5, one weight at a time."""
    module = copy.deepcopy(module).double().eval().requires_grad_(False)
    X, y = torch.from_numpy(np.asarray(X, dtype=np.float64)), torch.from_numpy(np.asarray(y))
    shares = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
    names = [name for name in pd.unique(pd.Series(group)) if name is not None]
    shares = [torch.from_numpy(shares * (group == name)) for name in sorted(names)]

    def group_losses():
        losses = cross_entropies(logits(module(X.clone())), y)
        return torch.stack([(losses * share).sum() / share.sum() for share in shares])

    scores, before = [], group_losses()
    pairs = list(itertools.combinations(range(len(shares)), 2))
    for weight in weights_of(module):
        own = np.zeros((len(pairs), *weight.shape))
        for position in np.ndindex(*weight.shape):
            kept = weight[position].item()
            weight[position] = 0
            cost = (group_losses() - before) ** 2
            weight[position] = kept
            for pair, (a, b) in enumerate(pairs):
                difference = abs(cost[a] - cost[b])
                own[pair, *position] = difference if aggregate == "l1" else difference**2
        scores.append(own)
    of_pairs = [sum(layer[pair].sum() for layer in scores) for pair in range(len(pairs))]
    worst = int(np.argmax(of_pairs))
    return of_pairs[worst], [layer[worst] for layer in scores]


def check(model, module, X, y, group, rtol=1e-6, **params):
    logits = params.pop("logits", lambda out: out)
    brute = {k: v for k, v in params.items() if k in ("sample_weight", "aggregate")}
    codes = np.searchsorted(model.classes_, y) if np.ndim(y) == 1 else y
    expected, parts = brute_force(module, X, codes, group, logits=logits, **brute)
    score, scores = parity_score(
        model, X, y, sensitive_features=group, return_scores=True, **params
    )
    assert expected > 0
    assert score == pytest.approx(expected, rel=rtol)
    for ours, theirs in zip(scores, parts, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6 * theirs.max())
    assert parity_score(model, X, y, sensitive_features=group, **params) == score


# -- the exact score -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
def test_of_an_mlp(activation, dtype):
    X, y, group = data()
    model = PenaltyClassifier(activation=activation, dtype=dtype, **QUICK)
    model.fit(X, y, sensitive_features=group)
    check(model, model.module_, X, y, group)
    check(model, model.module_, X, y, group, aggregate="squared")


@pytest.mark.parametrize("hidden", [(), (5,), (5, 4, 3)])
def test_of_any_depth(hidden):
    X, y, group = data()
    model = FaiRNClassifier(**QUICK | {"hidden_layer_sizes": hidden})
    model.fit(X, y, sensitive_features=group)
    check(model, model.module_, X, y, group)


def test_three_groups_three_classes_and_weights():
    X, y, group = data(90, n_classes=3, n_groups=3)
    labels = np.array(["low", "mid", "top"])[y]
    model = LabelFlipClassifier(**QUICK).fit(X, labels, sensitive_features=group)
    weight = np.random.default_rng(1).uniform(0, 2, 90)
    check(model, model.module_, X, labels, group, sample_weight=weight)


def test_several_labels():
    X, y, group = data(80)
    Y = np.column_stack([y, X[:, 2] > 0, X[:, 1] + X[:, 3] > 0]).astype(int)
    model = PenaltyClassifier(penalty="max_min", **QUICK).fit(X, Y, sensitive_features=group)
    check(model, model.module_, X, Y, group)


def small_cnn(shape, n_outputs):
    return nn.Sequential(
        nn.Conv1d(shape[0], 3, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool1d(2),
        nn.Conv1d(3, 4, 2, stride=2),
        nn.BatchNorm1d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(8, n_outputs),
    )


def image_cnn(shape, n_outputs):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same", padding_mode="circular", bias=False),
        nn.Tanh(),
        nn.Conv2d(4, 4, 3, groups=2, dilation=2),
        nn.ELU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
        nn.LeakyReLU(),
        nn.Linear(5, n_outputs),
    )


class Residual(nn.Module):
    """Units that are used twice, a shared weight, and a transposed convolution."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.first, self.inner = nn.Linear(n_features, 4), nn.Linear(4, 4)
        self.again = nn.Linear(4, 4)
        self.again.weight = self.inner.weight
        self.up = nn.ConvTranspose1d(1, 2, 2)
        self.output = nn.Linear(10, n_outputs)

    def forward(self, X):
        hidden = functional.relu(self.first(X))
        hidden = hidden + torch.sigmoid(self.inner(hidden))
        hidden = hidden * self.again(hidden)
        return self.output(self.up(hidden.unsqueeze(1)).flatten(1))


class Branching(nn.Module):
    """What cannot be traced."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.first, self.output = nn.Linear(n_features, 4), nn.Linear(4, n_outputs)

    def forward(self, X):
        hidden = self.first(X)
        if hidden.sum() > -1e9:
            hidden = hidden.tanh()
        return self.output(hidden)


class MisleadingName(nn.Module):
    """An activation that is called what it is not."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.first, self.second = nn.Linear(n_features, 4), nn.Linear(4, 4)
        self.relu, self.output = nn.LeakyReLU(0.5), nn.Linear(4, n_outputs)

    def forward(self, X):
        return self.output(self.relu(self.second(self.relu(self.first(X)))))


class Rows(nn.Module):
    """Asks for the number of rows, and mixes positions within a row."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.first, self.output = nn.Linear(2, 3), nn.Linear(6, n_outputs)

    def forward(self, X):
        hidden = self.first(X.reshape(X.shape[0], 2, 2))
        hidden = functional.softmax(hidden, dim=1)
        return self.output(hidden.reshape(len(X), -1))


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (small_cnn, (2, 8)),
        (image_cnn, (1, 6, 6)),
        (Residual, (4,)),
        (Branching, (4,)),
        (MisleadingName, (4,)),
        (Rows, (4,)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_of_other_modules(module, shape):
    X, y, group = data(shape=shape)
    model = PenaltyClassifier(
        module=module, max_epochs=8, lr=0.02, batch_size=30, random_state=0
    ).fit(X, y, sensitive_features=group)
    before = {k: v.clone() for k, v in model.module_.state_dict().items()}
    check(model, model.module_, X, y, group)
    for name, value in model.module_.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.filterwarnings("ignore:The fitted PenaltyClassifier predicts one class only")
@pytest.mark.parametrize("module", [None, small_cnn, image_cnn, Residual])
def test_little_memory_is_enough(monkeypatch, module):
    shape = {small_cnn: (2, 8), image_cnn: (1, 6, 6)}.get(module, (4,))
    X, y, group = data(40, shape=shape)
    X[:, 0] = np.abs(X[:, 0]) + 0.1  # rows for which all weights matter, and others
    network = QUICK if module is None else {"module": module, "max_epochs": 8, "lr": 0.02}
    model = PenaltyClassifier(**network).fit(X, y, sensitive_features=group)
    expected = parity_score(model, X, y, sensitive_features=group)
    for chunk in (1, 37):
        monkeypatch.setattr(_removal, "CHUNK_SIZE", chunk)
        monkeypatch.setattr(_removal, "MAX_KEPT_NUMBERS", 20 * chunk)
        found = parity_score(model, X, y, sensitive_features=group)
        assert found == pytest.approx(expected, rel=1e-9)


def test_large_problems_are_computed_in_the_networks_precision(monkeypatch):
    X, y, group = data(200)
    model = PenaltyClassifier(**QUICK).fit(X, y, sensitive_features=group)
    expected = parity_score(model, X, y, sensitive_features=group)
    monkeypatch.setattr(parity, "MAX_FLOAT64_SIZE", 100)
    found = parity_score(model, X, y, sensitive_features=group)
    assert found != expected
    assert found == pytest.approx(expected, rel=1e-5)


def test_of_a_module_that_insists_on_its_precision():
    X, y, group = data()
    model = PenaltyClassifier(module=Float32, max_epochs=8, lr=0.02, random_state=0)
    model.fit(X, y, sensitive_features=group)
    score = parity_score(model, X, y, sensitive_features=group)
    plain = nn.Sequential(model.module_.first, nn.ReLU(), model.module_.output)
    assert score == pytest.approx(brute_force(plain, X, y, group)[0], rel=1e-4)


class Float32(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.first, self.output = nn.Linear(n_features, 4), nn.Linear(4, n_outputs)

    def forward(self, X):
        return self.output(functional.relu(self.first(X.float())))


def test_of_skorch_classifiers():
    X, y, group = data()
    torch.manual_seed(0)
    hidden = nn.Linear(4, 5), nn.ReLU()

    def of_probabilities(out):
        return torch.log(out)

    cases = [
        (NeuralNetClassifier, [nn.Linear(5, 2), nn.Softmax(-1)], nn.NLLLoss, of_probabilities),
        (NeuralNetClassifier, [nn.Linear(5, 2)], nn.CrossEntropyLoss, None),
        (NeuralNetBinaryClassifier, [nn.Linear(5, 1)], nn.BCEWithLogitsLoss, None),
        (NeuralNetBinaryClassifier, [nn.Linear(5, 1), nn.Sigmoid()], nn.BCELoss, torch.logit),
        (NeuralNetBinaryClassifier, [nn.Linear(5, 1), nn.Flatten(0)], nn.BCEWithLogitsLoss, None),
    ]
    for make, last, criterion, logits in cases:
        net = make(
            nn.Sequential(*copy.deepcopy(hidden), *last),
            criterion=criterion,
            max_epochs=2,
            verbose=0,
        ).fit(X, y.astype(np.float32) if make is NeuralNetBinaryClassifier else y)
        net.classes_inferred_ = getattr(net, "classes_inferred_", np.array([0, 1]))
        check(net, net.module_, X, y, group, logits=logits or (lambda out: out), rtol=1e-5)


def test_a_pipeline_is_followed_to_its_network():
    X, y, group = data()
    network = PenaltyClassifier(**QUICK)
    pipe = make_pipeline(StandardScaler(), "passthrough", FunctionTransformer(), network)
    pipe.fit(X, y, penaltyclassifier__sensitive_features=group)
    score = parity_score(pipe, X, y, sensitive_features=group)
    expected = parity_score(pipe[-1], pipe[0].transform(X), y, sensitive_features=group)
    assert score == expected
    search = GridSearchCV(pipe, {"penaltyclassifier__alpha": [0.5]}, cv=2)
    search.fit(X, y, penaltyclassifier__sensitive_features=group)
    assert parity_score(search, X, y, sensitive_features=group) > 0


def test_sensitive_columns_that_are_dropped_are_not_seen():
    X, y, group = data()
    frame = pd.DataFrame(X, columns=list("pqrs")).assign(sex=group)
    model = PenaltyClassifier(sensitive_columns="sex", drop_sensitive_columns=True, **QUICK)
    model.fit(frame, y)
    score = parity_score(model, frame, y, sensitive_features=frame["sex"])
    assert score == pytest.approx(brute_force(model.module_, X, y, group)[0], rel=1e-6)


# -- the approximation ---------------------------------------------------------------------------


def test_taylor_is_the_squared_product_of_gradient_and_weight():
    X, y, group = data()
    model = PenaltyClassifier(**QUICK).fit(X, y, sensitive_features=group)
    module = copy.deepcopy(model.module_).double()
    costs = []
    for name in "ab":
        rows = group == name
        loss = functional.cross_entropy(
            module(torch.from_numpy(X[rows]).double()), torch.from_numpy(y[rows])
        )
        gradients = torch.autograd.grad(loss, weights_of(module))
        costs.append([(g * w) ** 2 for g, w in zip(gradients, weights_of(module), strict=True)])
    expected = [(a - b).abs().detach().numpy() for a, b in zip(*costs, strict=True)]
    score, scores = parity_score(
        model, X, y, sensitive_features=group, method="taylor", return_scores=True
    )
    for ours, theirs in zip(scores, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    assert score == pytest.approx(sum(layer.sum() for layer in expected), rel=1e-9)
    cosines = [
        (a * b).sum() / (a.square().sum() * b.square().sum()).sqrt()
        for a, b in zip(*costs, strict=True)
    ]
    total, layers = decision_rationale_similarity(
        model, X, y, sensitive_features=group, return_layers=True
    )
    np.testing.assert_allclose(layers, [c.item() for c in cosines], rtol=1e-9)
    assert total == pytest.approx(layers.sum())


def test_where_the_groups_losses_balance_all_weights_count_equally_for_both():
    """At a minimum of their sum the gradients are opposite, and (8) takes their squares."""
    X, y, _ = data(n=100)
    on = {"sensitive_features": np.repeat(["a", "b"], 50)}
    scores = []
    for weight in (0.0, 0.5):
        model = DRAlignClassifier(
            hidden_layer_sizes=(),
            lambda_fairness=weight,
            beta=0,
            batch_size=-1,
            max_epochs=300,
            lr=0.1,
            dtype="float64",
            random_state=0,
        ).fit(X, y, **on)
        scores.append(parity_score(model, X, y, **on, method="taylor"))
    assert scores[0] < 1e-4 * scores[1]


def test_taylor_approaches_exact_as_weights_shrink():
    X, y, group = data()
    model = PenaltyClassifier(activation="tanh", **QUICK).fit(X, y, sensitive_features=group)
    ratios = []
    for _ in range(3):
        with torch.no_grad():
            for weight in weights_of(model.module_):
                weight.mul_(0.05)
        exact, taylor = (
            parity_score(model, X, y, sensitive_features=group, method=method)
            for method in ("exact", "taylor")
        )
        ratios.append(abs(taylor / exact - 1))
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] < 1e-3


# -- invariances ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    X, y, group = data(80)
    return PenaltyClassifier(**QUICK).fit(X, y, sensitive_features=group), X, y, group


@pytest.mark.parametrize("metric", [parity_score, decision_rationale_similarity])
def test_invariances(fitted, metric):
    model, X, y, group = fitted
    value = metric(model, X, y, sensitive_features=group)
    order = np.random.default_rng(0).permutation(len(y))
    same = pytest.approx(value, rel=1e-9)
    assert metric(model, X[order], y[order], sensitive_features=group[order]) == same
    assert metric(model, X, y, sensitive_features=np.where(group == "a", 7, 3)) == same
    twice = np.arange(len(y)) % 3
    rows = np.repeat(np.arange(len(y)), twice)
    repeated = metric(model, X[rows], y[rows], sensitive_features=group[rows])
    weighted = metric(model, X, y, sensitive_features=group, sample_weight=twice)
    assert weighted == pytest.approx(repeated, rel=1e-9)
    scaled = metric(model, X, y, sensitive_features=group, sample_weight=twice * 1e-3)
    assert scaled == pytest.approx(repeated, rel=1e-9)
    named = pd.Series(group, dtype=object).where(np.arange(len(y)) > 4, None)
    with pytest.warns(UserWarning, match="5"):
        missing = metric(model, X, y, sensitive_features=named)
    assert missing == pytest.approx(
        metric(model, X[5:], y[5:], sensitive_features=group[5:]), rel=1e-9
    )


def test_groups_that_are_alike_are_at_parity(fitted):
    model, X, y, _ = fitted
    X, y = np.concatenate([X, X]), np.concatenate([y, y])
    group = np.repeat(["a", "b"], len(y) // 2)
    assert parity_score(model, X, y, sensitive_features=group) == pytest.approx(0, abs=1e-18)
    similarity = decision_rationale_similarity(model, X, y, sensitive_features=group)
    assert similarity == pytest.approx(3, rel=1e-12)


def test_a_sample_is_drawn_from_each_group(fitted):
    model, X, y, group = fitted
    on = {"sensitive_features": group, "max_samples": 20}
    first, again = (parity_score(model, X, y, **on, random_state=3) for _ in range(2))
    assert first == again != parity_score(model, X, y, **on, random_state=4)
    whole = parity_score(model, X, y, sensitive_features=group)
    all_of_them = parity_score(
        model, X, y, sensitive_features=group, max_samples=500, random_state=0
    )
    assert all_of_them == pytest.approx(whole, rel=1e-12)
    rare = np.where(np.arange(len(y)) < 3, "rare", "other")
    assert parity_score(model, X, y, sensitive_features=rare, max_samples=4, random_state=0) > 0
    state = np.random.get_state()[1].copy()
    parity_score(model, X, y, **on)
    assert np.array_equal(state, np.random.get_state()[1])


# -- errors --------------------------------------------------------------------------------------


def test_errors_say_what_would_do(fitted):
    model, X, y, group = fitted
    on = {"sensitive_features": group}
    for other in (RandomForestClassifier(5), LogisticRegression()):
        other.fit(X, y)
        with pytest.raises(TypeError, match=f"{type(other).__name__} has no .*neural network"):
            parity_score(other, X, y, **on)
    wrapped = LabelFlipClassifier(estimator=LogisticRegression()).fit(X, y, **on)
    with pytest.raises(TypeError, match="neural network"):
        parity_score(make_pipeline(wrapped), X, y, **on)
    with pytest.raises(sklearn.exceptions.NotFittedError):
        parity_score(PenaltyClassifier(), X, y, **on)
    with pytest.raises(ValueError, match="method.*'exact'.*'newton'"):
        parity_score(model, X, y, **on, method="newton")
    with pytest.raises(ValueError, match="aggregate.*'l1'.*'max'"):
        parity_score(model, X, y, **on, aggregate="max")
    with pytest.raises(ValueError, match="max_samples.*at least 2.*got 1"):
        parity_score(model, X, y, **on, max_samples=1)
    with pytest.raises(ValueError, match="same length, got 80 and 79|inconsistent"):
        parity_score(model, X, y[:-1], **on)
    with pytest.raises(ValueError, match=r"y contains \[5\]"):
        parity_score(model, X, np.where(y == 1, 5, y), **on)
    with pytest.raises(ValueError, match="only one group"):
        parity_score(model, X, y, sensitive_features=["a"] * 80)
    with pytest.raises(ValueError, match="X has 3 features"):
        parity_score(model, X[:, :3], y, **on)
    with pytest.raises(ValueError, match="NaN"):
        parity_score(model, np.where(X == 0, np.nan, X), y, **on)


# -- the scorer ----------------------------------------------------------------------------------


def test_scorer_in_a_grid_search_over_a_pipeline():
    X, y, group = data(120)
    frame = pd.DataFrame(X, columns=list("pqrs")).assign(sex=(group == "a").astype(float))
    pipe = make_pipeline(StandardScaler(), DRAlignClassifier(**QUICK | {"batch_size": 40}))
    scorer = make_fairness_scorer("parity_score", sensitive_columns="sex")
    search = GridSearchCV(
        pipe,
        {"dralignclassifier__lambda_fairness": [0.1, 1.0]},
        scoring={"fair": scorer, "accuracy": "accuracy"},
        refit="fair",
        cv=2,
        error_score="raise",
    )
    search.fit(frame, y, dralignclassifier__sensitive_features=group)
    assert (search.cv_results_["mean_test_fair"] < 0).all()
    best = -parity_score(search.best_estimator_, frame, y, sensitive_features=frame["sex"])
    assert scorer(search.best_estimator_, frame, y) == pytest.approx(best)


def test_scorer_by_routing_and_by_name(fitted):
    model, X, y, group = fitted
    assert get_scorer("neg_parity_score") is not None
    value = neg_parity_score_scorer(model, X, y, sensitive_features=group)
    assert value == -parity_score(model, X, y, sensitive_features=group)
    taylor = make_fairness_scorer(parity_score, method="taylor")
    assert repr(taylor) == "FairnessScorer('neg_parity_score', method='taylor')"
    expected = -parity_score(model, X, y, sensitive_features=group, method="taylor")
    assert taylor(model, X, y, sensitive_features=group) == expected
    similar = make_fairness_scorer("decision_rationale_similarity")
    assert similar(model, X, y, sensitive_features=group) == decision_rationale_similarity(
        model, X, y, sensitive_features=group
    )
    with sklearn.config_context(enable_metadata_routing=True):
        network = PenaltyClassifier(**QUICK).set_fit_request(sensitive_features=True)
        found = cross_validate(
            make_pipeline(StandardScaler(), network),
            X,
            y,
            cv=2,
            scoring=neg_parity_score_scorer,
            params={"sensitive_features": group},
            error_score="raise",
        )
    assert (found["test_score"] < 0).all()


def test_other_threads_do_not_notice():
    """torch.fx.symbolic_trace would exchange methods of nn.Module for all threads."""
    X, y, group = make_biased_classification(80, random_state=0)
    model = PenaltyClassifier(hidden_layer_sizes=(4,), max_epochs=1, random_state=0)
    model.fit(X, y, sensitive_features=group)
    expected = parity_score(model, X, y, sensitive_features=group)
    own, rows, done, errors = nn.Linear(3, 3), torch.zeros(1, 3), threading.Event(), []

    def predict():
        while not done.is_set():
            try:
                own(rows)
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=predict) for _ in range(2)]
    for thread in threads:
        thread.start()
    before = nn.Module.__call__, nn.Module.__getattr__
    scores = {parity_score(model, X, y, sensitive_features=group) for _ in range(20)}
    done.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert scores == {expected}
    assert (nn.Module.__call__, nn.Module.__getattr__) == before


def test_classes_are_their_own_again_and_nn_module_is_never_touched():
    seen = []

    class Looks(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, rows):
            seen.append((nn.Module.__call__, nn.Module.__getattr__))
            if len(seen) == 2:
                raise RuntimeError("in the middle")
            return self.layer(rows)

    methods, module = (nn.Module.__call__, nn.Module.__getattr__), nn.Sequential(Looks())
    kinds = [type(part) for part in module.modules()]
    for _ in range(2):
        with contextlib.suppress(RuntimeError):
            trace(module)
        assert seen == [methods] * len(seen)
        assert [type(part) for part in module.modules()] == kinds
    assert len(seen) == 2


@pytest.mark.parametrize("kind", ["plain", "tied", "attribute", "functional"])
def test_graphs_are_those_of_symbolic_trace(kind):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 2)
            self.scale = nn.Parameter(torch.ones(4))
            self.register_buffer("shift", torch.zeros(4))

        def forward(self, rows, twice=False):
            hidden = torch.relu(self.first(rows) + self.shift)
            if kind == "tied":
                hidden = hidden @ self.first.weight.T
            elif kind == "attribute":
                hidden = hidden * self.scale
            elif kind == "functional":
                hidden = nn.functional.linear(hidden, self.first.weight * 2)
            return self.last(hidden)

    network = Net()
    ours, theirs = trace(copy.deepcopy(network)), torch.fx.symbolic_trace(network)

    def nodes(graph):
        return [(node.op, str(node.target), node.name) for node in graph.graph.nodes]

    assert nodes(ours) == nodes(theirs)
    rows = torch.randn(3, 4)
    assert torch.equal(ours(rows), network(rows))
