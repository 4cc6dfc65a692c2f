"""SmoothedClassifier: answers, certificates, and what it does with bad input."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
import skops.io
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from skfair import FaiRNClassifier, LabelFlipClassifier, PenaltyClassifier, SmoothedClassifier
from skfair.datasets import fetch_adult
from skfair.smoothing.noise import NOISES

X, Y = make_classification(400, 4, n_informative=3, n_redundant=0, random_state=0)
X3, Y3 = make_classification(300, 4, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
NETWORK = PenaltyClassifier(
    alpha=0.0, hidden_layer_sizes=(16, 16), max_epochs=15, batch_size=64, random_state=0
)


class Threshold(ClassifierMixin, BaseEstimator):
    """1[v.x >= c], not recognized as linear."""

    def __init__(self, v=(1.0,), c=0.0):
        self.v, self.c = v, c

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X):
        return (np.asarray(X) @ np.asarray(self.v) >= self.c).astype(int)


def smoothed(estimator=NETWORK, n_samples=500, **params):
    return SmoothedClassifier(estimator, **{"n_samples": n_samples, "random_state": 0} | params)


BASES = {
    "network": NETWORK,
    "no hidden layer": clone(NETWORK).set_params(hidden_layer_sizes=()),
    "tanh": clone(NETWORK).set_params(activation="tanh"),
    "sequential": clone(NETWORK).set_params(
        module=lambda n, m: nn.Sequential(nn.Linear(n, 8, bias=False), nn.ReLU(), nn.Linear(8, m))
    ),
    "convolution": clone(NETWORK).set_params(
        module=lambda n, m: nn.Sequential(
            nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(9, m)
        )
    ),
    "tree": DecisionTreeClassifier(max_depth=4, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
}


@pytest.fixture(params=BASES, ids=str)
def base(request):
    return BASES[request.param]


# -- answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("noise", NOISES)
def test_shares_are_those_of_a_loop_over_draws(base, noise, shared):
    """Another sample of the same noise, through the estimator's own predict."""
    model = smoothed(
        base, 4000, noise=noise, metric="l1", weights=[1, 2, 0.5, 3], shared_noise=shared
    )
    model.fit(X, Y)
    drawn = model._noise.draw(1500, torch.Generator().manual_seed(5)).numpy()
    people = X[:6]
    rows = (people + drawn[:, np.newaxis]).reshape(-1, 4)
    shares = model.estimator_.predict(rows).reshape(1500, 6).mean(axis=0)
    assert model.predict_proba(people)[:, 1] == pytest.approx(shares, abs=5 * 0.5 / np.sqrt(1500))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("n_samples", [100, 3000])
def test_same_answer_whatever_else_is_in_the_batch(base, shared, n_samples):
    model = smoothed(base, n_samples, shared_noise=shared).fit(X, Y)
    together = model.predict_proba(X[:70])
    assert np.array_equal(model.predict_proba(X[:70][::-1])[::-1], together)
    alone = np.concatenate([model.predict_proba(row[np.newaxis]) for row in X[:5]])
    assert np.array_equal(alone, together[:5])
    assert np.array_equal(model.predict_proba(X[:70]), together)


def test_draws_are_shared_or_not():
    twice = np.repeat(X[:1], 2, axis=0) + [[0.0], [1e-9]]
    estimator = Threshold(v=(1, 0, 0, 0))
    shared = smoothed(estimator, 2000).fit(X, Y).predict_proba(twice)
    assert np.array_equal(shared[0], shared[1])
    own = smoothed(estimator, 2000, shared_noise=False).fit(X, Y).predict_proba(twice)
    assert not np.array_equal(own[0], own[1])
    assert own[0] == pytest.approx(shared[0], abs=0.08)


def test_random_state():
    first, second = (smoothed(n_samples=200).fit(X, Y).predict_proba(X) for _ in range(2))
    assert np.array_equal(first, second)
    other = smoothed(n_samples=200, random_state=1).fit(X, Y).predict_proba(X)
    assert not np.array_equal(first, other)
    np.random.seed(3)
    torch.manual_seed(3)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    smoothed(RandomForestClassifier(3), 50, random_state=None).fit(X, Y).predict(X)
    assert np.array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_batch_size_changes_nothing_but_the_order_of_work():
    shares = [smoothed(batch_size=size).fit(X, Y).predict_proba(X) for size in ("auto", 700)]
    np.testing.assert_allclose(*shares, atol=0.08)  # draws come in other blocks
    assert smoothed(batch_size=1).fit(X, Y).predict_proba(X[:2]).sum(axis=1).tolist() == [1, 1]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("shared", [False, True])
def test_several_classes(noise, shared):
    network = clone(NETWORK).set_params(max_epochs=5, penalty="equal_loss")
    model = smoothed(network, 300, noise=noise, shared_noise=shared)
    if noise == "gaussian":
        with pytest.warns(UserWarning, match="for two classes; here are 3.*holds.*Not proved"):
            model.fit(X3, Y3)
    else:
        model.fit(X3, Y3)
    shares = model.predict_proba(X3)
    assert shares.shape == (300, 3)
    assert shares.sum(axis=1) == pytest.approx(np.ones(300))
    assert np.array_equal(model.predict(X3), model.classes_[shares.argmax(axis=1)])
    low, high = model.certified_interval(X3[:20], 0.01)
    assert low.shape == (20, 3)
    assert ((low <= shares[:20]) & (shares[:20] <= high)).all()


def test_log_probabilities():
    model = smoothed(DecisionTreeClassifier(), 50, scale=50).fit(X, Y)
    log_shares = model.predict_log_proba(X)
    assert np.isneginf(log_shares).any()
    assert np.array_equal(np.exp(log_shares) > 0, model.predict_proba(X) > 0)


# -- closed form -------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [LogisticRegression(), RidgeClassifier()], ids=str)
@pytest.mark.parametrize("metric", ["l1", "l2", "linf"])
def test_closed_form_agrees_with_sampling(estimator, metric):
    exact = smoothed(estimator, metric=metric, weights=[0.3, 1, 2, 4]).fit(X, Y)
    assert exact.n_samples_ == 0
    direct = exact.estimator_
    sampled = smoothed(
        Threshold(direct.coef_.ravel(), -direct.intercept_[0]),
        20_000,
        metric=metric,
        weights=[0.3, 1, 2, 4],
    ).fit(X, Y)
    people = X[:50]
    found = sampled.predict_proba(people)
    assert exact.predict_proba(people) == pytest.approx(found, abs=4.5 * 0.5 / np.sqrt(20_000))
    assert np.array_equal(exact.predict(X), direct.predict(X))


def test_closed_form_where_the_noise_does_not_matter():
    table = pd.DataFrame(X, columns=list("abcd"))
    linear = LogisticRegression().fit(table, Y)
    linear.coef_[0, 0] = 0
    model = smoothed(linear, prefit=True, numeric_columns="a").fit(table, Y)
    assert np.array_equal(model.predict_proba(table)[:, 1], model.estimator_.predict(table))


# -- fitting -----------------------------------------------------------------------------------


def test_number_of_draws_is_that_of_the_promise():
    assert smoothed(n_samples=None, prefit=True, estimator=clone(NETWORK).fit(X, Y)).fit(
        X, Y
    ).n_samples_ == np.ceil(2e4 * np.log(4000))
    model = smoothed(Threshold(), n_samples=None, epsilon=0.1, shared_noise=False).fit(X[:, :1], Y)
    assert model.n_samples_ == np.ceil(100 * np.log(4000))


def test_linear_weights_are_coefficients_of_mean_one():
    table = pd.DataFrame(X, columns=list("abcd")).assign(constant=1.0)
    model = smoothed(RandomForestClassifier(3), weights="linear", scale=2.0).fit(table, Y)
    coef = np.abs(LogisticRegression(max_iter=1000).fit(table, Y).coef_[0])
    expected = 2 * np.maximum(coef / coef.mean(), 1e-3)
    assert model.metric_.weights.to_numpy() == pytest.approx(expected)
    assert model.metric_.weights.index.tolist() == ["a", "b", "c", "d", "constant"]
    assert model.metric_.weights["constant"] == 2e-3


def test_weights_by_name():
    table = pd.DataFrame(X, columns=list("abcd"))
    by_name = {"d": 4.0, "c": 3.0, "b": 2.0, "a": 1.0}
    for weights in (by_name, pd.Series(by_name)):
        model = smoothed(DecisionTreeClassifier(), 5, weights=weights).fit(table, Y)
        assert model.metric_.weights.to_dict() == by_name
    with pytest.raises(ValueError, match=r"must name the columns.*\['a', 'b', 'c', 'd'\]; got"):
        smoothed(weights={"a": 1.0}).fit(table, Y)


def test_people_far_from_zero():
    """Where single precision cannot tell a person from their noisy copies."""
    network = clone(NETWORK).set_params(hidden_layer_sizes=(), dtype="float32").fit(X[:, :1], Y)
    layer = network.module_.output
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0], [1.0]]))
        layer.bias.copy_(torch.tensor([0.0, -4e6]))
    model = smoothed(network, 20_000, prefit=True).fit(X[:, :1], Y)
    pair = np.array([[4e6], [4e6 + 0.05]])
    shares = model.predict_proba(pair)[:, 1]
    assert shares[0] == pytest.approx(0.5, abs=0.02)
    assert abs(shares[1] - shares[0]) <= 0.05 + 0.02


def test_changing_parameters_after_fit_does_not_change_what_is_proved():
    model = smoothed(DecisionTreeClassifier(max_depth=3), 200).fit(X, Y)
    before = model.certified_radius(X[:9]), model.predict_proba(X[:9])
    model.set_params(noise="laplace", shared_noise=False)
    assert np.array_equal(model.certified_radius(X[:9]), before[0])
    assert np.array_equal(model.predict_proba(X[:9]), before[1])


def test_training_with_the_noise_makes_a_better_smoothed_network():
    data = np.random.default_rng(0).standard_normal((100, 20))
    y = (data[:, 0] > 0).astype(int)
    network = clone(NETWORK).set_params(max_epochs=300)
    with_noise, without = (
        smoothed(network, augment_training=augment, scale=0.3).fit(data, y)
        for augment in (True, False)
    )
    confidence = [m.predict_proba(data)[np.arange(100), y].mean() for m in (with_noise, without)]
    assert confidence[0] > confidence[1] + 0.01
    assert "iterator_train__augment" not in (network.net_params or {})
    alone = clone(network).fit(data, y).decision_function(data)
    assert np.array_equal(without.estimator_.decision_function(data), alone)


def test_prefit_leaves_the_estimator_alone():
    network = clone(NETWORK).fit(X, Y)
    model = smoothed(network, prefit=True).fit(X[:10], Y[:10])
    assert model.estimator_ is network
    with pytest.raises(sklearn.exceptions.NotFittedError):
        smoothed(prefit=True).fit(X, Y)


@pytest.mark.parametrize("routing", [False, True])
def test_sensitive_features_reach_the_network(biased, routing):
    data, y, group = biased
    fair = FaiRNClassifier(max_epochs=5, random_state=0)
    with sklearn.config_context(enable_metadata_routing=routing):
        model = smoothed(fair, 20).fit(data, y, sensitive_features=group)
        pipe = make_pipeline(StandardScaler(), smoothed(fair, 20))
        name = "sensitive_features" if routing else "smoothedclassifier__sensitive_features"
        search = GridSearchCV(pipe, {"smoothedclassifier__scale": [1.0, 2.0]}, cv=2)
        search.fit(data, y, **{name: group})
    assert model.estimator_.groups_ == ["a", "b"]
    assert search.best_estimator_[-1].estimator_.groups_ == ["a", "b"]


def test_grid_search_over_the_metric():
    grid = {"scale": [0.5, 5.0], "metric": ["l1", "linf"], "noise": list(NOISES)}
    search = GridSearchCV(smoothed(DecisionTreeClassifier(max_depth=3), 50), grid, cv=2).fit(X, Y)
    assert len(search.cv_results_["params"]) == 8
    assert search.best_params_["scale"] == 5.0


def test_tables_with_text():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(X, columns=list("abcd")).assign(
        sex=rng.choice(["f", "m"], len(X)), member=rng.random(len(X)) < 0.5
    )
    encode = make_column_transformer(
        (OneHotEncoder(), ["sex"]), remainder="passthrough", verbose_feature_names_out=False
    )
    base = make_pipeline(encode, DecisionTreeClassifier(max_depth=5, random_state=0))
    model = smoothed(base, 300, shared_noise=False).fit(table, Y)
    assert model.metric_.weights.index.tolist() == list("abcd")
    shares = model.predict_proba(table.iloc[:30])
    assert np.array_equal(model.predict_proba(table.iloc[[3]]), shares[[3]])
    pair = table.iloc[[0, 0]].assign(sex=["f", "m"])
    assert np.isinf(model.metric_(pair.iloc[:1], pair.iloc[1:]))
    assert model.fairness_bound(pair.iloc[:1], pair.iloc[1:]) == 1
    chosen = smoothed(base, 20, numeric_columns=make_column_selector("^[ab]$")).fit(table, Y)
    assert chosen.metric_.weights.index.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="must hold numbers.*numeric_columns"):
        smoothed(base, 20, numeric_columns=["a", "sex"]).fit(table, Y)


def test_a_column_that_the_network_does_not_see(biased_frame):
    frame, y = biased_frame
    frame = frame.assign(sex=(frame["sex"] == "male").astype(float))
    network = clone(NETWORK).set_params(sensitive_columns="sex", drop_sensitive_columns=True)
    model = smoothed(network, 300).fit(frame, y)
    other = frame.assign(sex=1 - frame["sex"])
    assert len(model.metric_.weights) == 7
    assert np.array_equal(model.predict_proba(frame), model.predict_proba(other))


def test_round_trips():
    model = smoothed().fit(X, Y)
    shares = model.predict_proba(X)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), shares)
    data = skops.io.dumps(model)
    trusted = skops.io.get_untrusted_types(data=data)
    assert all(name.startswith("skfair.") for name in trusted)
    assert np.array_equal(skops.io.loads(data, trusted=trusted).predict_proba(X), shares)


def test_label_flipping_with_any_estimator():
    model = smoothed(LabelFlipClassifier(estimator=DecisionTreeClassifier(), flip_fraction=0), 20)
    assert model.fit(X, Y).predict_proba(X).shape == (400, 2)


# -- stopping early ----------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True])
def test_adaptive_decisions_are_those_of_all_draws(shared, monkeypatch):
    from skfair.smoothing import _votes as votes

    evaluated = []
    count = votes.NetworkVoter.count

    def counted(self, people, prepared, n_draws):
        evaluated.append(len(people) * n_draws)
        return count(self, people, prepared, n_draws)

    monkeypatch.setattr(votes.NetworkVoter, "count", counted)
    decisions, work = [], []
    for adaptive in (False, True):
        model = smoothed(None, 40_000, adaptive=adaptive, shared_noise=shared, batch_size=1000)
        model.set_params(estimator=NETWORK).fit(X, Y)
        evaluated.clear()
        decisions.append(model.predict(X[:60]))
        work.append(sum(evaluated))
    assert (decisions[0] == decisions[1]).all()
    assert work[1] < 0.3 * work[0]
    assert np.array_equal(model.predict_proba(X[:2]).sum(axis=1), [1, 1])


def test_adaptive_errors_are_rarer_than_promised():
    """A share of .52, looked at again and again: stopped on the wrong side at most so often."""
    wrong = []
    c = -0.0501 * 0.399  # Phi(.0501) = .52 with a standard deviation of .399
    for seed in range(60):
        model = smoothed(
            Threshold(c=c), 20_000, adaptive=True, delta=0.1, random_state=seed, batch_size=64
        ).fit(X[:, :1], Y)
        wrong.append(model.predict([[0.0]])[0] == 0)
    assert np.mean(wrong) <= 0.1


# -- certificates ------------------------------------------------------------------------------


def test_bounds_hold_for_a_tree(base):
    model = smoothed(base, 4000, weights="linear").fit(X, Y)
    first, second = X[:100], X[100:200] * 0.3 + X[:100] * 0.7
    shares = [model.predict_proba(people)[:, 1] for people in (first, second)]
    difference, bound = np.abs(shares[0] - shares[1]), model.fairness_bound(first, second)
    assert (bound <= model.metric_(first, second)).all()
    assert (difference <= bound + 4 / np.sqrt(4000)).all()
    low, high = model.certified_interval(first, model.metric_(first, second))
    assert ((low - 0.06 <= shares[1]) & (shares[1] <= high + 0.06)).all()


def test_interval_at_distance_zero_is_that_of_the_share():
    model = smoothed(n_samples=1000).fit(X, Y)
    low, high = model.certified_interval(X[:20], 0)
    shares = model.predict_proba(X[:20])[:, 1]
    assert ((low <= shares) & (shares <= high)).all()
    assert (high - low < 0.12).all()
    everywhere = model.certified_interval(X[:3], np.inf)
    assert [x.tolist() for x in everywhere] == [[0, 0, 0], [1, 1, 1]]


def test_radius_of_a_linear_model_is_exact():
    """Just outside of it the decision changes, in the worst direction."""
    model = smoothed(LogisticRegression(), weights=[0.3, 1, 2, 4]).fit(X, Y)
    v, w = model.estimator_.coef_[0], model.metric_.weights.to_numpy()
    direction = v / w  # along which the decision changes most for its length
    direction /= model.metric_.of_shift(direction[np.newaxis])
    radius = model.certified_radius(X)
    side = np.where(model.predict(X) == 1, -1, 1)[:, np.newaxis]
    inside = X + side * direction * (0.999 * radius)[:, np.newaxis]
    outside = X + side * direction * (1.001 * radius)[:, np.newaxis]
    assert np.array_equal(model.predict(inside), model.predict(X))
    assert (model.predict(outside) != model.predict(X)).all()


@pytest.mark.slow
def test_nobody_inside_the_radius_gets_another_decision(shared_data):
    """On Adult: 5,000 random moves, and 100 along the network's gradient."""
    adult = fetch_adult()
    raw = adult.data[["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"]]
    data = StandardScaler().fit_transform(raw)[:8000].astype(np.float32)
    y = (adult.target == ">50K").to_numpy(int)[:8000]
    network = clone(NETWORK).set_params(max_epochs=5, hidden_layer_sizes=(64, 64))
    model = smoothed(network, 2000, weights="linear").fit(data[:7000], y[:7000])
    people = data[7000:7100].astype(np.float64)
    radius, decision = model.certified_radius(people), model.predict(people)
    assert (radius > 0).mean() > 0.8
    rng, w = np.random.default_rng(0), model.metric_.weights.to_numpy()

    def moved(direction, who):
        length = model.metric_.of_shift(direction)
        return people[who] + direction * (0.999 * radius[who] / length)[:, np.newaxis]

    who = np.repeat(np.arange(100), 50)
    random = moved(rng.standard_normal((5000, 5)) / np.sqrt(w), who)
    certified = radius[who] > 0
    assert np.isfinite(radius).all()
    assert np.array_equal(model.predict(random)[certified], decision[who][certified])

    noisy = torch.tensor(people[:, None] + model._noise.draw(500).numpy(), dtype=torch.float32)
    noisy.requires_grad_()
    logits = model.estimator_.module_(noisy.flatten(0, 1)).view(100, 500, 2)
    shares = (logits[..., 1] - logits[..., 0]).sigmoid().mean(1)
    gradient = torch.autograd.grad(shares.sum(), noisy)[0].sum(1).double().numpy()
    toward = np.where(decision == 1, -1, 1)[:, np.newaxis] * (gradient + 1e-12) / w
    guided = moved(toward, np.arange(100))
    assert np.array_equal(model.predict(guided)[radius > 0], decision[radius > 0])
    share_before = model.predict_proba(people)[np.arange(100), decision]
    assert model.predict_proba(guided)[np.arange(100), decision].mean() < share_before.mean()


# -- bad input ---------------------------------------------------------------------------------


class NoClone(Threshold):
    def __init__(self, v):
        self.v = np.array(v)  # a copy: against scikit-learn's rules
        self.c = 0


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"weights": [1, 0, 1, 1]}, ValueError, "must be positive, got 0.0.*without end"),
        ({"weights": [1, -2, 1, 1]}, ValueError, "must be positive, got -2.0"),
        ({"weights": [1, 1]}, ValueError, "each of the 4 columns.*got 2"),
        ({"weights": [1, 1, 1, np.nan]}, ValueError, "weights contains NaN"),
        ({"weights": "linaer"}, ValueError, "'weights' parameter.*'linaer'"),
        ({"epsilon": 0.0}, ValueError, r"'epsilon' parameter.*\(0.0, 1.0\).*0.0"),
        ({"delta": 1.0}, ValueError, r"'delta' parameter.*\(0.0, 1.0\).*1.0"),
        ({"scale": 0}, ValueError, "'scale' parameter"),
        ({"metric": "l3"}, ValueError, "'metric' parameter.*'l3'"),
        ({"noise": "cauchy"}, ValueError, "'noise' parameter.*'cauchy'"),
        ({"n_samples": 0}, ValueError, "'n_samples' parameter"),
        ({"batch_size": 0}, ValueError, "'batch_size' parameter"),
        ({"numeric_columns": 7}, ValueError, "numeric_columns"),
        ({"numeric_columns": []}, ValueError, "numeric_columns=.*no column is selected"),
        ({"device": "cuda:9"}, ValueError, "device='cuda:9' is not available"),
        ({"estimator": StandardScaler()}, ValueError, "'estimator' parameter"),
        ({"estimator": LinearRegression()}, ValueError, "estimator must be a classifier"),
        ({"numeric_columns": [0, 0]}, ValueError, "names a column twice"),
        ({"estimator": NoClone([1.0])}, TypeError, "cannot be cloned.*prefit=True"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
)
def test_bad_parameters(params, error, match):
    model = smoothed(n_samples=20).set_params(**params)
    with pytest.raises(error, match=match):
        model.fit(X, Y)
    assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize("shared_noise", [True, False])
@pytest.mark.parametrize("estimator", [NETWORK, DecisionTreeClassifier(max_depth=4)], ids=repr)
def test_missing_numbers_stay_missing_where_the_estimator_takes_them(estimator, shared_noise):
    holes = np.c_[X, np.full(len(X), np.nan)]  # the last column is empty
    holes[::3, 0], holes[::2, 1] = np.nan, np.nan
    model = smoothed(estimator, 100, shared_noise=shared_noise, weights="linear").fit(holes, Y)
    assert np.allclose(model.predict_proba(holes).sum(axis=1), 1)
    person, lacking = holes[[1]], holes[[1]].copy()
    lacking[0, 0] = np.nan
    assert model.fairness_bound(person, lacking) == 1
    assert model.fairness_bound(lacking, lacking) == 0
    moved, moved_lacking = (row + [[0, 0, 0.1, 0, 0]] for row in (person, lacking))
    bound = model.fairness_bound(person, moved)
    assert 0 < bound < 1
    assert model.fairness_bound(lacking, moved_lacking) == bound


def test_bad_data():
    holes = np.where(X > 2, np.nan, X)
    with pytest.raises(ValueError, match="NaN"):
        SmoothedClassifier(LogisticRegression()).fit(holes, Y)
    model = smoothed(n_samples=20).fit(X, Y)
    for method in (model.predict, model.certified_radius):
        with pytest.raises(ValueError, match="infinity"):
            method(np.full((1, 4), np.inf))
    with pytest.raises(ValueError, match="4 features"):
        model.predict(X[:, :3])
    with pytest.raises(ValueError, match="distance must not be negative, got -1.0"):
        model.certified_interval(X, -1)
    with pytest.raises(ValueError, match="one for each of the 400 rows of X; got 3"):
        model.certified_interval(X, [1, 2, 3])
    with pytest.raises(ValueError, match="one class"):
        smoothed().fit(X, np.zeros(400))
    with pytest.raises(ValueError, match="one class.*sample_weight is 0"):
        smoothed().fit(X, Y, sample_weight=Y)
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(3,\)"):
        smoothed().fit(X, Y, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match="[Nn]egative"):
        smoothed().fit(X, Y, sample_weight=-np.ones(400))
    with pytest.raises(ValueError, match="1d array"):
        model.certified_interval(X[:5], np.ones((5, 2)))


def test_no_features_for_a_logistic_regression():
    with pytest.raises(ValueError, match="weights='linear' needs.*other than zero"):
        smoothed(weights="linear").fit(np.ones((400, 2)), Y)


@pytest.mark.parametrize("shared", [False, True])
def test_progress_bar(capsys, shared):
    model = smoothed(n_samples=20, verbose=1, shared_noise=shared).fit(X, Y)
    model.predict(X)
    assert "100%" in capsys.readouterr().err


@pytest.mark.gpu
@pytest.mark.parametrize("shared", [False, True])
def test_on_an_accelerator(shared):
    if not torch.cuda.is_available():
        pytest.skip("needs an accelerator")
    model = smoothed(n_samples=20_000, shared_noise=shared).fit(X, Y)
    expected = model.predict_proba(X)
    model.set_params(device="cuda")
    assert model.predict_proba(X) == pytest.approx(expected, abs=0.03)
    assert next(model.estimator_.module_.parameters()).device.type == "cpu"
