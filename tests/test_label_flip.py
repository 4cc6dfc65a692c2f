"""LabelFlipClassifier: which labels are flipped, of whom, when, and for which classifier."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from skorch.callbacks import Callback

from skfair import LabelFlipClassifier, NetworkClassifier
from skfair.training._flipping import flip_labels

# few rows are enough
pytestmark = [
    pytest.mark.filterwarnings("ignore:sensitive_features. .* groups have fewer"),
    pytest.mark.filterwarnings("ignore:The fitted"),
]

QUICK = {"max_epochs": 5, "batch_size": 64, "random_state": 0}


class Recording(ClassifierMixin, BaseEstimator):
    """A classifier that answers its first class and keeps what it is fitted on."""

    fitted = []  # every fit since the test began

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.X_, self.y_, self.weights_ = X, np.array(y), sample_weight
        Recording.fitted.append(self)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.fixture(autouse=True)
def forget():
    Recording.fitted.clear()


def wrapped(estimator=None, **params):
    """Around any classifier; group "a" unless something else is asked."""
    estimator = Recording() if estimator is None else estimator
    return LabelFlipClassifier(
        **({"estimator": estimator, "flip_group": "a", "random_state": 0} | params)
    )


def network(**params):
    return LabelFlipClassifier(**(QUICK | {"flip_group": "a"} | params))


def flips_of(y, group, **params):
    """Which labels differ in what the classifier was fitted on."""
    fitted = wrapped(**params).fit(np.zeros((len(y), 1)), y, sensitive_features=group)
    return fitted.estimator_.y_ != y


def noisy(seed, n=300):
    """Groups "p" (labels wrong in 30 %) and "q" (5 %): a plain model serves "q" better."""
    rng = np.random.default_rng(seed)
    group, X = rng.choice(["p", "q"], n), rng.normal(size=(n, 3))
    wrong = rng.random(n) < np.where(group == "q", 0.05, 0.3)
    return X, ((X[:, 0] > 0) ^ wrong).astype(int), group


# -- how many, and whose --------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    fraction=st.floats(0, 1),
    n_group=st.integers(1, 60),
    n_others=st.integers(1, 60),
    n_classes=st.integers(2, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_exactly_the_share_of_the_group_is_flipped_and_nothing_else(
    fraction, n_group, n_others, n_classes, seed
):
    rng = np.random.default_rng(seed)
    group = rng.permutation(["a"] * n_group + ["b"] * n_others)
    y = np.arange(n_group + n_others) % n_classes
    rng.shuffle(y)
    member = group == "a"
    assume(len(set(y)) > 1)
    assume(n_classes == 2 or len(set(y[member])) > 1)
    different = flips_of(y, group, flip_fraction=fraction, random_state=seed)
    assert different[member].sum() == round(fraction * n_group)
    assert not different[~member].any()


@pytest.mark.parametrize(("fraction", "expected"), [(0, 0), (0.5, 5), (0.14, 1), (1, 10)])
def test_share_is_rounded_to_whole_rows(fraction, expected):
    group = np.array(["a"] * 10 + ["b"] * 7)
    y = np.arange(17) % 2
    assert flips_of(y, group, flip_fraction=fraction).sum() == expected


def test_all_rows_of_the_group_are_equally_likely_to_be_flipped():
    group, y = np.array(["a"] * 10 + ["b"] * 5), np.arange(15) % 2
    times = sum(
        flips_of(y, group, flip_fraction=0.3, random_state=seed).astype(int) for seed in range(400)
    )
    # each of the ten is chosen in 3 of 10 draws; sd of the count is sqrt(400 * .3 * .7) = 9.2
    assert np.abs(times[:10] - 120).max() < 5 * 9.2
    assert not times[10:].any()


def test_a_binary_label_becomes_the_other_one():
    group = np.repeat(["a", "b"], 50)
    y = np.where(np.arange(100) % 3 == 0, "yes", "no")
    fitted = wrapped(flip_fraction=1).fit(np.zeros((100, 1)), y, sensitive_features=group)
    other = np.where(y == "yes", "no", "yes")
    assert np.array_equal(fitted.estimator_.y_, np.where(group == "a", other, y))


def test_a_binary_group_of_one_label_gets_the_other_although_it_does_not_occur_there():
    group = np.repeat(["a", "b"], 10)
    y = np.r_[np.zeros(10, dtype=int), np.arange(10) % 2]
    different = flips_of(y, group, flip_fraction=0.4)
    assert different.sum() == 4


def test_one_of_several_labels_becomes_another_of_those_that_occur_in_the_group():
    group = np.repeat(["a", "b"], 3000)
    y = np.r_[np.arange(3000) % 3, np.arange(3000) % 3 + 2]  # 0, 1, 2 in "a"; 2, 3, 4 in "b"
    fitted = wrapped(flip_fraction=1).fit(np.zeros((6000, 1)), y, sensitive_features=group)
    found = pd.crosstab(y[:3000], fitted.estimator_.y_[:3000])
    assert found.index.tolist() == found.columns.tolist() == [0, 1, 2]
    # 1,000 rows of each label go to either of the other two; sd is sqrt(1000 / 4) = 16
    expected = 500 * (1 - np.eye(3))
    assert not np.diag(found).any()
    assert np.abs(found.to_numpy() - expected).max() < 5 * 16


def test_several_labels_of_which_the_group_has_one_are_refused():
    group = np.repeat(["a", "b"], 10)
    y = np.r_[np.zeros(10, dtype=int), np.arange(10) % 3]
    with pytest.raises(ValueError, match="all its rows have the same one, and with 3 classes"):
        flips_of(y, group, flip_fraction=0.4)
    assert not flips_of(y, group, flip_fraction=0.04).any()  # rounds to no row at all
    with pytest.raises(ValueError, match="all its rows have the same one, and with 3 classes"):
        network().fit(np.random.default_rng(0).normal(size=(20, 2)), y, sensitive_features=group)


def test_the_array_that_is_given_stays_as_it_is():
    y, members = np.arange(20) % 2, np.arange(20) < 10
    before = y.copy()
    flipped = flip_labels(y, members, 1.0, 2, np.random.RandomState(0))
    assert np.array_equal(y, before)
    assert (flipped[:10] != y[:10]).all()
    group = np.where(members, "a", "b")
    for fitted in (wrapped(flip_fraction=1), network(flip_fraction=1)):
        fitted.fit(np.random.default_rng(0).normal(size=(20, 2)), y, sensitive_features=group)
        assert np.array_equal(y, before)


def test_rows_of_a_missing_group_keep_their_labels():
    group = pd.Series(np.repeat(["a", "b", None], 20))
    y = np.arange(60) % 2
    with pytest.warns(UserWarning, match="missing in 20 of 60 rows"):
        different = flips_of(y, group, flip_fraction=0.5)
    assert different[:20].sum() == 10
    assert not different[20:].any()


def test_a_group_is_named_by_its_value_or_by_the_tuple_of_its_values():
    y = np.arange(80) % 2
    first, second = np.repeat(["a", "b"], 40), np.tile(np.repeat([1, 2], 20), 2)
    both = pd.DataFrame({"first": first, "second": second})
    different = flips_of(y, both, flip_fraction=0.5, flip_group=("b", 1))
    member = (first == "b") & (second == 1)
    assert different[member].sum() == 10
    assert not different[~member].any()
    different = flips_of(y, second, flip_fraction=0.5, flip_group=2)
    assert different[second == 2].sum() == 20
    assert not different[second == 1].any()


# -- which group ----------------------------------------------------------------------------------


@pytest.mark.parametrize("swap", [False, True])
def test_auto_finds_the_better_served_group_in_20_of_20_seeds(swap):
    for seed in range(20):
        X, y, group = noisy(seed)
        group = np.where((group == "q") != swap, "x", "y")  # by its accuracy, not by its name
        model = LabelFlipClassifier(estimator=LogisticRegression(), random_state=seed)
        model.fit(X, y, sensitive_features=group)
        assert model.flip_group_ == ("y" if swap else "x")


@pytest.mark.parametrize("seed", range(4))
def test_auto_finds_the_better_served_group_with_the_network(seed):
    X, y, group = noisy(seed)
    model = LabelFlipClassifier(max_epochs=15, lr=0.01, batch_size=64, random_state=seed)
    assert model.fit(X, y, sensitive_features=group).flip_group_ == "q"


def test_auto_looks_at_rows_that_were_not_fitted():
    # "p" has features that tell every row apart, and labels at random: perfect on what is fitted
    rng = np.random.default_rng(0)
    group = np.repeat(["p", "q"], 100)
    X = np.c_[rng.normal(size=200), np.where(group == "p", rng.normal(size=200), 0)]
    y = np.where(group == "p", rng.integers(0, 2, 200), (X[:, 0] > 0) ^ (rng.random(200) < 0.1))
    forest = RandomForestClassifier(n_estimators=10, bootstrap=False, random_state=0)
    model = LabelFlipClassifier(estimator=forest, random_state=0)
    assert model.fit(X, y, sensitive_features=group).flip_group_ == "q"


def test_auto_costs_three_fits_on_unflipped_labels_of_two_thirds():
    X, y, group = noisy(0)
    LabelFlipClassifier(estimator=Recording(), random_state=0).fit(X, y, sensitive_features=group)
    *folds, final = Recording.fitted
    assert len(folds) == 3
    label = {tuple(x): target for x, target in zip(X, y, strict=True)}
    for fold in folds:
        assert len(fold.y_) == 200
        assert all(label[tuple(x)] == target for x, target in zip(fold.X_, fold.y_, strict=True))
    assert len(final.y_) == 300
    assert (final.y_ != y).any()


def test_auto_weighs_rows_as_the_fit_does():
    X, y, group = noisy(0)
    weights = np.where(y == 1, 3.0, 1.0) * np.linspace(1, 2, 300)
    model = LabelFlipClassifier(estimator=Recording(), random_state=0)
    model.fit(X, y, sensitive_features=group, sample_weight=weights)
    weight = {tuple(x): value for x, value in zip(X, weights, strict=True)}
    assert len(Recording.fitted) == 4
    for each in Recording.fitted:
        assert [weight[tuple(x)] for x in each.X_] == each.weights_.tolist()


def test_auto_applies_the_class_weights_once():
    X, y, group = noisy(0)
    model = LabelFlipClassifier(estimator=Recording(), class_weight={0: 1, 1: 3}, random_state=0)
    model.fit(X, y, sensitive_features=group)
    for each in Recording.fitted:
        assert set(each.weights_) == {1.0, 3.0}


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize("estimator", [LogisticRegression(), None], ids=str)
def test_auto_copes_with_a_group_of_one_row(estimator):
    X, y, _ = noisy(0)
    group = np.where(np.arange(300) == 7, "alone", "others")
    params = {} if estimator is not None else QUICK
    model = LabelFlipClassifier(estimator=estimator, **(params | {"random_state": 0}))
    assert model.fit(X, y, sensitive_features=group).flip_group_ == "others"


def test_nothing_is_chosen_where_nothing_is_flipped():
    X, y, group = noisy(0)
    model = LabelFlipClassifier(estimator=Recording(), flip_fraction=0)
    assert model.fit(X, y, sensitive_features=group).flip_group_ is None
    assert len(Recording.fitted) == 1
    assert np.array_equal(model.estimator_.y_, y)


# -- while the network trains ---------------------------------------------------------------------


class Labels(Callback):
    """Keep the labels that every epoch is trained and validated on, by the row's first feature."""

    def initialize(self):
        self.train, self.valid = [], []
        return self

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        for dataset, kept in ((dataset_train, self.train), (dataset_valid, self.valid)):
            if dataset is not None:
                inputs, y = dataset[:]
                kept.append((inputs["X"][:, 0].numpy().copy(), y.numpy().copy()))


class BatchLabels(Callback):
    """Keep the labels of all training batches."""

    def initialize(self):
        self.batches = []
        return self

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            inputs, y = batch
            epoch = len(net.history)
            self.batches.append((epoch, inputs["X"][:, 0].numpy().copy(), y.numpy().copy()))


def labels_of(X, y, group, **params):
    """A fitted network; rows and whether their label was flipped, for every epoch."""
    callbacks = [("labels", Labels()), ("batches", BatchLabels())]
    fitted = network(net_params={"callbacks": callbacks}, **params)
    fitted.fit(X, y, sensitive_features=group)
    seen = dict(fitted.net_.callbacks_)
    position = {np.float32(x): i for i, x in enumerate(X[:, 0])}

    def compare(first, found):
        rows = np.array([position[np.float32(x)] for x in first])
        return rows, found != y[rows]

    train, valid = (
        [compare(*epoch) for epoch in part] for part in (seen["labels"].train, seen["labels"].valid)
    )
    # what the loader handed out is what the data set held
    for epoch, first, found in seen["batches"].batches:
        rows, flipped = compare(first, found)
        expected = dict(zip(*train[epoch - 1], strict=True))
        assert [expected[row] for row in rows] == flipped.tolist()
    return fitted, train, valid


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("fraction", [0.3, 1.0])
@pytest.mark.parametrize("mode", ["epoch", "once", "auto"])
def test_every_epoch_flips_the_same_share_of_the_group(biased, mode, fraction, early_stopping):
    X, y, group = biased
    fitted, train, valid = labels_of(
        X, y, group, mode=mode, flip_fraction=fraction, early_stopping=early_stopping
    )
    assert len(train) == 5
    for rows, flipped in train:
        assert len(rows) == (540 if early_stopping else 600)
        member = group[rows] == "a"
        assert flipped[member].sum() == round(fraction * member.sum())
        assert not flipped[~member].any()
    assert fitted.history_["flipped"].tolist() == [train[0][1].sum()] * 5
    assert len(valid) == (5 if early_stopping else 0)
    for rows, flipped in valid:  # what is held out is never flipped
        assert len(rows) == 60
        assert (group[rows] == "a").any()
        assert not flipped.any()


def test_an_epoch_flips_other_rows_than_the_one_before_and_once_the_same(biased):
    X, y, group = biased
    chosen = {}
    for mode in ("epoch", "once", "auto"):
        _, train, _ = labels_of(X, y, group, mode=mode)
        chosen[mode] = [frozenset(rows[flipped]) for rows, flipped in train]
    assert len(set(chosen["once"])) == 1
    assert len(set(chosen["epoch"])) == 5
    assert chosen["auto"] == chosen["epoch"]  # of a network
    assert chosen["once"][0] == chosen["epoch"][0]
    # 90 of 300 members a time: two epochs share 27 by chance
    shared = [len(a & b) for a, b in zip(chosen["epoch"], chosen["epoch"][1:], strict=False)]
    assert np.mean(shared) == pytest.approx(27, abs=10)


def test_several_classes_keep_to_labels_of_the_group_in_every_epoch(biased):
    X, _, group = biased
    rng = np.random.default_rng(0)
    y = np.where(group == "a", rng.integers(0, 3, 600), rng.integers(2, 5, 600))
    fitted = network(
        flip_fraction=1.0, mode="epoch", net_params={"callbacks": [("labels", Labels())]}
    ).fit(X, y, sensitive_features=group)
    position = {np.float32(x): i for i, x in enumerate(X[:, 0])}
    for first, found in dict(fitted.net_.callbacks_)["labels"].train:
        rows = np.array([position[np.float32(x)] for x in first])
        member = group[rows] == "a"
        assert set(found[member]) == {0, 1, 2}
        assert (found[member] != y[rows][member]).all()
        assert np.array_equal(found[~member], y[rows][~member])


def test_parts_of_the_training_are_flipped_too(biased):
    X, y, group = biased
    fitted = network()
    for half in (slice(300), slice(300, None)):
        fitted.partial_fit(X[half], y[half], classes=[0, 1], sensitive_features=group[half])
    expected = [round(0.3 * (group[half] == "a").sum()) for half in (slice(300), slice(300, None))]
    assert fitted.history_["flipped"].tolist() == expected
    assert fitted.flip_group_ == "a"


def test_flipping_brings_down_the_accuracy_of_the_group():
    X, y, group = noisy(0, n=800)
    score = {}
    for fraction in (0, 0.45):
        fitted = LabelFlipClassifier(
            flip_fraction=fraction, flip_group="q", max_epochs=30, lr=0.01, random_state=0
        ).fit(np.c_[X, group == "q"], y, sensitive_features=group)
        hit = fitted.predict(np.c_[X, group == "q"]) == y
        score[fraction] = {name: hit[group == name].mean() for name in "pq"}
    assert score[0.45]["q"] < score[0]["q"] - 0.02
    p = fitted.predict_proba(np.c_[X, group == "q"])
    assert np.abs(p[group == "q"] - 0.5).mean() < 0.2  # what it predicts is as unsure as the labels


def test_without_flips_the_network_is_the_plain_one(biased):
    X, y, group = biased
    plain = network(flip_fraction=0).fit(X, y, sensitive_features=group)
    assert plain.flip_group_ is None
    assert "flipped" not in plain.history_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = network(flip_fraction=0).fit(X, y)  # needs no groups
    assert np.array_equal(plain.decision_function(X), alone.decision_function(X))
    with pytest.warns(UserWarning, match="neither sensitive_features nor sensitive_columns"):
        warned = network().fit(X, y)
    assert np.array_equal(plain.decision_function(X), warned.decision_function(X))
    flipped = network().fit(X, y, sensitive_features=group)
    assert not np.array_equal(plain.decision_function(X), flipped.decision_function(X))


# -- around any classifier ------------------------------------------------------------------------


def pipeline_on(frame):
    numbers = frame.select_dtypes("number").columns.tolist()
    encode = make_column_transformer(
        (StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), ["sex"])
    )
    return make_pipeline(encode, LogisticRegression())


def test_a_pipeline_takes_the_frame_with_its_text_columns(biased_frame):
    X, y = biased_frame
    fitted = wrapped(
        pipeline_on(X), sensitive_columns="sex", flip_group="male", flip_fraction=0.2
    ).fit(X, y)
    assert fitted.groups_ == ["female", "male"]
    assert fitted.classes_.tolist() == ["no", "yes"]
    assert fitted.feature_names_in_.tolist() == X.columns.tolist()
    assert fitted.score(X, y) > 0.75
    assert fitted.predict_proba(X).shape == (600, 2)
    assert np.array_equal(fitted.predict(X), fitted.estimator_.predict(X))


def test_dropped_columns_do_not_reach_the_classifier(biased_frame):
    X, y = biased_frame
    fitted = wrapped(
        make_pipeline(StandardScaler(), LogisticRegression()),
        sensitive_columns="sex",
        drop_sensitive_columns=True,
        flip_group="auto",
    ).fit(X, y)
    assert fitted.estimator_.feature_names_in_.tolist() == [f"x{i}" for i in range(6)]
    assert fitted.flip_group_ in ("female", "male")
    swapped = X.assign(sex="never seen before")
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        assert np.array_equal(getattr(fitted, method)(X), getattr(fitted, method)(swapped))


def test_the_frame_arrives_as_it_is(biased_frame):
    X, y = biased_frame
    fitted = wrapped(sensitive_columns="sex", flip_group="male").fit(X, y)
    pd.testing.assert_frame_equal(fitted.estimator_.X_, X)
    assert fitted.n_features_in_ == 7


def test_a_random_forest_learns_the_flipped_labels(biased):
    X, y, group = biased
    forest = RandomForestClassifier(n_estimators=10, bootstrap=False, random_state=0)
    fitted = wrapped(forest, flip_fraction=0.25).fit(X, y, sensitive_features=group)
    # without bootstrap a forest knows what it was fitted on by heart
    wrong = fitted.predict(X) != y
    assert wrong[group == "a"].sum() == round(0.25 * (group == "a").sum())
    assert not wrong[group == "b"].any()


def test_methods_are_those_of_the_classifier(biased):
    X, y, group = biased
    svc = wrapped(LinearSVC())
    forest = wrapped(RandomForestClassifier(n_estimators=5))
    for _ in range(2):  # before and after fit
        assert hasattr(svc, "decision_function")
        assert not hasattr(svc, "predict_proba")
        assert not hasattr(svc, "predict_log_proba")
        assert hasattr(forest, "predict_proba")
        assert not hasattr(forest, "decision_function")
        for model in (svc, forest):
            assert not hasattr(model, "partial_fit")
            assert not hasattr(model, "boundary_distance")
            model.fit(X, y, sensitive_features=group)
    assert svc.decision_function(X).shape == (600,)
    for name in ("net_", "module_", "history_"):
        assert not hasattr(svc, name)
    for name in ("partial_fit", "boundary_distance", "predict_proba", "decision_function"):
        assert hasattr(network(), name)


def test_a_new_fit_forgets_what_the_classifier_before_was(biased):
    X, y, group = biased
    model = wrapped(LinearSVC()).fit(X, y, sensitive_features=group)
    model.set_params(estimator=None, **QUICK).fit(X, y, sensitive_features=group)
    assert hasattr(model, "predict_proba")
    assert isinstance(model.estimator_, NetworkClassifier)
    model.set_params(estimator=LinearSVC(), max_epochs="auto", batch_size="auto")
    model.fit(X, y, sensitive_features=group)
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model, "net_")


def test_sample_weights_are_passed_on_as_they_are(biased):
    X, y, group = biased
    weights = np.random.default_rng(0).uniform(5, 500, 600)
    weights[:10] = 0
    fitted = wrapped().fit(X, y, sensitive_features=group, sample_weight=weights)
    assert np.array_equal(fitted.estimator_.weights_, weights[10:])  # weight zero is absence
    assert np.array_equal(fitted.estimator_.X_, X[10:])
    by_class = wrapped(class_weight={0: 1, 1: 4})
    by_class.fit(X, y, sensitive_features=group, sample_weight=weights)
    assert np.array_equal(by_class.estimator_.weights_, (weights * np.where(y == 1, 4, 1))[10:])
    assert wrapped().fit(X, y, sensitive_features=group).estimator_.weights_ is None


def test_a_classifier_that_takes_no_weights_says_so(biased):
    X, y, group = biased
    model = wrapped(make_pipeline(StandardScaler(), LogisticRegression()))
    with pytest.raises(ValueError, match="need an estimator whose fit takes sample_weight"):
        model.fit(X, y, sensitive_features=group, sample_weight=np.ones(600))


def test_without_sensitive_features_a_classifier_is_fitted_as_it_is_with_a_warning(biased):
    X, y, _ = biased
    with pytest.warns(UserWarning, match="neither sensitive_features nor .*no label is flipped"):
        fitted = wrapped().fit(X, y)
    assert np.array_equal(fitted.estimator_.y_, y)
    assert fitted.flip_group_ is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wrapped(flip_fraction=0).fit(X, y)


def test_the_classifier_that_is_given_is_not_fitted_itself(biased):
    X, y, group = biased
    given_one = LogisticRegression()
    fitted = wrapped(given_one).fit(X, y, sensitive_features=group)
    assert not hasattr(given_one, "coef_")
    assert hasattr(fitted.estimator_, "coef_")


def test_same_seed_flips_the_same_rows_and_another_others(biased):
    _, y, group = biased
    first, second, other = (flips_of(y, group, random_state=seed) for seed in (0, 0, 1))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_pickle_and_clone(biased):
    X, y, group = biased
    fitted = wrapped(LogisticRegression()).fit(X, y, sensitive_features=group)
    loaded = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert loaded.flip_group_ == "a"
    again = clone(fitted)
    assert not hasattr(again, "estimator_")
    again.fit(X, y, sensitive_features=group)
    assert np.array_equal(again.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize("of_network", [False, True])
def test_grid_search_over_the_fraction(of_network):
    X, y, group = noisy(0)
    X = np.c_[X, group == "q"]
    model = network(flip_group="q") if of_network else wrapped(LogisticRegression(), flip_group="q")
    grid = {"flip_fraction": [0.0, 0.2, 0.5]}
    if not of_network:
        grid["estimator__C"] = [0.1, 1.0]
    search = GridSearchCV(model, grid, cv=3, error_score="raise")
    search.fit(X, y, sensitive_features=group)
    assert len(search.cv_results_["params"]) == 3 * (1 if of_network else 2)
    half = [p["flip_fraction"] == 0.5 for p in search.cv_results_["params"]]
    scores = search.cv_results_["mean_test_score"]
    assert scores[half].max() < scores[~np.array(half)].max()
    assert search.best_params_["flip_fraction"] < 0.5


# -- errors ---------------------------------------------------------------------------------------


PARAMETERS = [
    ({"flip_fraction": -0.1}, r"'flip_fraction'.*range \[0.0, 1.0\].*Got -0.1"),
    ({"flip_fraction": 1.1}, r"'flip_fraction'.*range \[0.0, 1.0\].*Got 1.1"),
    ({"flip_group": "men"}, r"flip_group='men' does not occur.*'auto' or one of \['a', 'b'\]"),
    ({"flip_group": None}, r"flip_group=None does not occur.*one of \['a', 'b'\]"),
    ({"mode": "batch"}, r"'mode'.*'epoch'.*Got 'batch'"),
    ({"estimator": "forest"}, r"'estimator'.*Got 'forest'"),
]


@pytest.mark.parametrize("make", [network, wrapped])
@pytest.mark.parametrize(("params", "message"), PARAMETERS, ids=[str(p) for p, _ in PARAMETERS])
def test_bad_parameters_are_named(biased, make, params, message):
    X, y, group = biased
    model = make(**params)
    before = vars(model).copy()
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, sensitive_features=group)
    assert vars(model) == before


def test_a_classifier_knows_no_epochs(biased):
    X, y, group = biased
    with pytest.raises(ValueError, match="mode='epoch' needs the network.*use mode='once'"):
        wrapped(mode="epoch").fit(X, y, sensitive_features=group)
    for mode in ("auto", "once"):
        wrapped(mode=mode).fit(X, y, sensitive_features=group)


@pytest.mark.parametrize(
    "params",
    [
        {"lr": 0.1},
        {"hidden_layer_sizes": (8,)},
        {"sampling": "group", "max_epochs": 3},
        {"early_stopping": True},
    ],
    ids=str,
)
def test_parameters_of_the_network_are_refused_beside_a_classifier(biased, params):
    X, y, group = biased
    with pytest.raises(ValueError, match=f"{sorted(params)[0]}.*parameters of the network"):
        wrapped(**params).fit(X, y, sensitive_features=group)


def test_parameters_that_concern_any_classifier_are_taken(biased):
    X, y, group = biased
    wrapped(class_weight="balanced", random_state=3).fit(X, y, sensitive_features=group)
    with pytest.raises(ValueError, match="'warmup'.*Got 0.5"):
        network(warmup=0.5).fit(X, y, sensitive_features=group)


def test_prediction_checks_the_number_of_features(biased):
    X, y, group = biased
    fitted = wrapped(LogisticRegression()).fit(X, y, sensitive_features=group)
    with pytest.raises(ValueError, match="X has 5 features, but LabelFlipClassifier is expecting"):
        fitted.predict(X[:, :5])


def test_with_attributes_by_sum_a_group_of_one_of_them_is_flipped():
    _, y, group = noisy(0)
    frame = pd.DataFrame({"third": np.arange(len(y)) % 3, "group": group})
    flipped = flips_of(y, frame, attributes="sum", flip_group=("third", 1), flip_fraction=1.0)
    assert (flipped == (frame["third"] == 1)).all()


@pytest.mark.parametrize("model", [wrapped(LogisticRegression()), network()], ids=type)
def test_with_attributes_by_sum_auto_looks_at_the_groups_of_each(model):
    X, y, group = noisy(0)
    frame = pd.DataFrame({"third": np.arange(len(y)) % 3, "group": group})
    model.set_params(attributes="sum", flip_group="auto", random_state=0).fit(
        X, y, sensitive_features=frame
    )
    assert model.flip_group_ == ("group", "q")  # the thirds are served alike
