"""What every neural estimator inherits, shown on FaiRNClassifier."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, Checkpoint, EpochScoring, LRScheduler
from torch import nn

from skfair import FaiRNClassifier
from skfair.datasets import make_biased_classification
from skfair.metrics import make_fairness_scorer
from skfair.objectives import Comparison, fairn_terms

QUICK = {"max_epochs": 6, "batch_size": 64, "random_state": 0}


def model(**params):
    return FaiRNClassifier(**(QUICK | params))


# -- inputs ---------------------------------------------------------------------------------------


def test_forms_of_X_give_the_same_network(biased):
    X, y, group = biased
    X = X.astype(np.float32)  # exact in every form
    expected = model().fit(X, y, sensitive_features=group).decision_function(X)
    columns = [f"x{i}" for i in range(X.shape[1])]
    readonly = X.copy()
    readonly.setflags(write=False)
    forms = {
        "float64": X.astype(np.float64),
        "Fortran order": np.asfortranarray(X),
        "list": X.tolist(),
        "DataFrame": pd.DataFrame(X, columns=columns),
        "csr": sparse.csr_array(X),
        "coo": sparse.coo_matrix(X),
        "read-only": readonly,
    }
    for name, form in forms.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fitted = model().fit(form, y, sensitive_features=group)
        np.testing.assert_allclose(fitted.decision_function(form), expected, rtol=1e-9), name


def test_forms_of_sensitive_features_give_the_same_network(biased):
    X, y, group = biased
    expected = model().fit(X, y, sensitive_features=group).decision_function(X)
    forms = [
        group.tolist(),
        pd.Series(group, index=np.arange(len(group))[::-1]),
        pd.DataFrame({"g": group}),
        pd.Categorical(group),
        group == "b",
        np.where(group == "b", 1.5, 0.5),
    ]
    for form in forms:
        fitted = model().fit(X, y, sensitive_features=form)
        assert np.array_equal(fitted.decision_function(X), expected)


def test_labels_of_any_type_come_back(biased):
    X, y, group = biased
    for labels in (np.array(["no", "yes"]), np.array([-1, 7]), np.array([False, True])):
        fitted = model().fit(X, labels[y], sensitive_features=group)
        assert fitted.classes_.tolist() == labels.tolist()
        assert set(fitted.predict(X)) <= set(labels.tolist())
        positive = fitted.decision_function(X) > 0
        assert np.array_equal(fitted.predict(X) == labels[1], positive)
        np.testing.assert_allclose(fitted.predict_proba(X)[:, 1] > 0.5, positive)
        np.testing.assert_allclose(
            fitted.predict_log_proba(X), np.log(fitted.predict_proba(X)), atol=1e-12
        )


def test_sensitive_columns_equal_sensitive_features(biased_frame):
    X, y = biased_frame
    numbers = X.drop(columns="sex").assign(sex=(X["sex"] == "male").astype(float))
    expected = model().fit(numbers, y, sensitive_features=X["sex"]).decision_function(numbers)
    for columns in ("sex", ["sex"], -1, slice(-1, None), lambda frame: ["sex"]):
        fitted = model(sensitive_columns=columns).fit(numbers, y)
        assert np.array_equal(fitted.decision_function(numbers), expected)


def test_sensitive_features_win_over_sensitive_columns(biased_frame):
    X, y = biased_frame
    other = np.where(np.arange(len(X)) % 2, "odd", "even")
    fitted = model(sensitive_columns="sex", drop_sensitive_columns=True)
    assert fitted.fit(X, y, sensitive_features=other).groups_ == ["even", "odd"]


def test_dropped_columns_are_never_seen(biased_frame):
    X, y = biased_frame
    fitted = model(sensitive_columns="sex", drop_sensitive_columns=True).fit(X, y)
    assert fitted.groups_ == ["female", "male"]
    assert fitted.n_features_in_ == X.shape[1]
    swapped = X.assign(sex=X["sex"].map({"female": "male", "male": "never seen before"}))
    assert np.array_equal(fitted.decision_function(X), fitted.decision_function(swapped))


def test_missing_groups_train_the_classifier_but_not_the_fairness_term(biased):
    X, y, group = biased
    some = pd.Series(group).where(np.arange(len(group)) % 4 > 0)
    with pytest.warns(UserWarning, match="missing in 150 of 600 rows"):
        fitted = model(max_epochs=1, batch_size=-1, warmup=0).fit(X, y, sensitive_features=some)
    start = model(max_epochs=1, batch_size=-1, warmup=0, lr=1e-12)
    start.fit(X, y, sensitive_features=group)
    logits = torch.tensor(np.c_[np.zeros(len(X)), start.decision_function(X)])
    codes = torch.tensor(some.map({"a": 0, "b": 1}).fillna(-1).astype(int).to_numpy())[:, None]
    counts = torch.tensor([[(some == g).sum() for g in "ab"]])
    comparison = Comparison.of([0, 0], counts)
    terms, _ = fairn_terms(logits, torch.tensor(y), codes, None, comparison=comparison)
    for name, term in terms.items():
        assert fitted.history_[name][0] == pytest.approx(float(term), rel=1e-4)


def test_without_sensitive_features_fit_warns_unless_no_term_needs_them(biased):
    X, y, _ = biased
    with pytest.warns(UserWarning, match="no fairness term applies"):
        fitted = model().fit(X, y)
    assert fitted.groups_ == []
    assert "fairness" not in fitted.history_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(lambda_fairness=0).fit(X, y)


def test_images_go_through_a_module():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(120, 1, 8, 8)).astype(np.float32)
    y = rng.integers(0, 2, 120)
    images += y[:, None, None, None]
    group = rng.choice(["a", "b"], 120)
    fitted = model(module=small_cnn, max_epochs=15, lr=1e-2).fit(
        images, y, sensitive_features=group
    )
    assert fitted.predict(images).shape == (120,)
    assert fitted.score(images, y) > 0.8
    gradient = model(module=small_cnn, distance="gradient", max_epochs=15, lr=1e-2).fit(
        images, y, sensitive_features=group
    )
    assert gradient.boundary_distance(images).shape == (120,)


def small_cnn(shape, n_outputs):
    channels, height, width = shape
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, n_outputs),
    )


class FloatCaster(nn.Module):
    """A user's module that insists on float32."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.linear = nn.Linear(n_features, n_outputs)

    def forward(self, X):
        return self.linear(X.float())


def test_a_module_that_casts_to_float32_still_predicts(biased):
    X, y, group = biased
    fitted = model(module=FloatCaster).fit(X, y, sensitive_features=group)
    assert np.isfinite(fitted.predict_proba(X)).all()


def test_class_weight_acts_as_sample_weight(biased):
    X, y, group = biased
    by_class = model(class_weight={0: 1, 1: 3}).fit(X, y, sensitive_features=group)
    by_row = model().fit(X, y, sensitive_features=group, sample_weight=np.where(y == 1, 3, 1))
    assert np.array_equal(by_class.decision_function(X), by_row.decision_function(X))
    assert (
        by_class.predict(X).mean() > model().fit(X, y, sensitive_features=group).predict(X).mean()
    )


# -- training -------------------------------------------------------------------------------------


def test_history_has_a_row_an_epoch_and_a_column_a_term(biased):
    X, y, group = biased
    history = model(early_stopping=True).fit(X, y, sensitive_features=group).history_
    assert list(history["epoch"]) == [1, 2, 3, 4, 5, 6]
    for name in ("train_loss", "cross_entropy", "fairness", "robustness", "dur"):
        assert history[name].notna().all()
    for name in ("valid_loss", "valid_cross_entropy", "valid_fairness", "valid_robustness"):
        assert history[name].notna().all()
    loss = (
        history["valid_cross_entropy"]
        + 0.5 * history["valid_fairness"]
        + 0.1 * history["valid_robustness"]
    )
    np.testing.assert_allclose(loss, history["valid_loss"], rtol=1e-5)


def test_warm_up_raises_the_weights_linearly(biased):
    X, y, group = biased
    history = (
        model(batch_size=-1, warmup=0.5, max_epochs=8).fit(X, y, sensitive_features=group).history_
    )
    ramp = np.minimum(np.arange(1, 9) / 4, 1)
    expected = history["cross_entropy"] + ramp * (
        0.5 * history["fairness"] + 0.1 * history["robustness"]
    )
    np.testing.assert_allclose(history["train_loss"], expected, rtol=1e-5)


def test_early_stopping_stops_and_restore_best_keeps_the_best_epoch(biased):
    X, y, group = biased
    params = {"lr": 0.05, "max_epochs": 80, "n_iter_no_change": 5, "warmup": 0}
    stopped = model(early_stopping=True, **params).fit(X, y, sensitive_features=group)
    assert stopped.n_iter_ < 80
    assert stopped.n_iter_ == len(stopped.history_)
    losses = stopped.history_["valid_loss"]
    assert losses.idxmin() >= stopped.n_iter_ - 1 - 5 - 1
    best = model(early_stopping=True, restore_best=True, **params).fit(
        X, y, sensitive_features=group
    )
    np.testing.assert_array_equal(best.history_["valid_loss"], losses)
    again = model(early_stopping=True, **(params | {"max_epochs": int(losses.idxmin()) + 1}))
    again.set_params(averaging=0).fit(X, y, sensitive_features=group)
    np.testing.assert_allclose(again.decision_function(X), best.decision_function(X), rtol=1e-6)


class Recorder:
    """A scorer that keeps what it was given."""

    def __init__(self):
        self.seen = []

    def __call__(self, estimator, X, y, sensitive_features=None):
        self.seen.append((type(X), len(X), set(y), set(sensitive_features.iloc[:, 0])))
        return estimator.score(X, y)


def test_monitor_is_fed_the_validation_part_with_its_sensitive_features(biased_frame):
    X, y = biased_frame
    numbers, recorder = X.drop(columns="sex"), Recorder()
    fitted = model(net_params=None, max_epochs=3)
    fitted.monitor = recorder
    fitted.fit(numbers, y, sensitive_features=X["sex"])
    assert recorder.seen == [(pd.DataFrame, 60, {"no", "yes"}, {"female", "male"})] * 3


@pytest.mark.parametrize(
    "monitor",
    [
        "accuracy",
        "neg_recourse_gap",
        make_fairness_scorer("recourse_gap", sensitive_columns="sex"),
        lambda row: -row["valid_fairness"],
    ],
)
def test_monitor_takes_names_scorers_and_functions_of_the_row(biased_frame, monitor):
    X, y = biased_frame
    fitted = model(
        monitor=monitor, restore_best=True, sensitive_columns="sex", drop_sensitive_columns=True
    ).fit(X, y)
    values = fitted.history_["monitor"]
    assert values.nunique() > 1
    if callable(monitor) and not hasattr(monitor, "sign"):
        np.testing.assert_allclose(values, -fitted.history_["valid_fairness"])


def test_held_out_part_is_stratified_by_class_and_group(biased_frame):
    X, y = biased_frame
    recorder = CellCounter()
    fitted = model(max_epochs=1, validation_fraction=0.25)
    fitted.monitor = recorder
    fitted.fit(X.drop(columns="sex"), y, sensitive_features=X["sex"])
    whole = pd.crosstab(y, X["sex"]).to_numpy()
    assert np.abs(recorder.table.to_numpy() - whole / 4).max() <= 1


class CellCounter:
    """A scorer that counts the members of every cell."""

    def __call__(self, estimator, X, y, sensitive_features):
        self.table = pd.crosstab(y, sensitive_features.iloc[:, 0].to_numpy())
        return 0.0


def test_warm_start_continues_and_keeps_counting(biased):
    X, y, group = biased
    fitted = model(warm_start=True, averaging=0).fit(X, y, sensitive_features=group)
    first = fitted.history_["cross_entropy"].iloc[-1]
    fitted.fit(X, y, sensitive_features=group)
    assert fitted.n_iter_ == 12
    assert list(fitted.history_["epoch"]) == list(range(1, 13))
    assert fitted.history_["cross_entropy"].iloc[6] < first + 0.05
    cold = model(averaging=0).fit(X, y, sensitive_features=group)
    cold.fit(X, y, sensitive_features=group)
    assert cold.n_iter_ == 6


def test_warm_start_uses_the_new_learning_rate(biased):
    X, y, group = biased
    fitted = model(warm_start=True, averaging=0).fit(X, y, sensitive_features=group)
    before = fitted.decision_function(X)
    fitted.set_params(lr=1e-12).fit(X, y, sensitive_features=group)
    np.testing.assert_allclose(fitted.decision_function(X), before, atol=1e-6)


def test_partial_fit_learns_epoch_by_epoch_and_meets_new_groups(biased):
    X, y, group = biased
    fitted = model(averaging=0)
    first = group != "b"
    first[: len(first) // 2] = True  # both groups
    fitted.partial_fit(X, y, classes=[0, 1], sensitive_features=group)
    renamed = np.where(X[:, 0] > 1, "new", group)
    for _ in range(10):
        fitted.partial_fit(X, y, sensitive_features=renamed)
    assert fitted.groups_ == ["a", "b", "new"]
    assert fitted.n_iter_ == 11
    assert fitted.score(X, y) > 0.7
    with pytest.raises(ValueError, match="not among"):
        fitted.partial_fit(X, np.where(y == 1, 2, 0), sensitive_features=group)


def test_users_callbacks_see_training_as_in_skorch(biased, tmp_path):
    X, y, group = biased
    callbacks = [
        ("accuracy", EpochScoring("accuracy", lower_is_better=False, name="skorch_accuracy")),
        ("train_auc", EpochScoring("roc_auc", on_train=True, name="train_auc")),
        ("schedule", LRScheduler("StepLR", step_size=2, gamma=0.1)),
        ("checkpoint", Checkpoint(monitor="valid_loss_best", dirname=tmp_path)),
    ]
    params = {"early_stopping": True, "averaging": 0}
    fitted = model(net_params={"callbacks": callbacks}, **params).fit(
        X, y, sensitive_features=group
    )
    history = fitted.history_
    assert history["skorch_accuracy"].between(0.2, 1).all()
    assert history["train_auc"].between(0.2, 1).all()
    np.testing.assert_allclose(history["event_lr"], [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5])
    assert (tmp_path / "params.pt").exists()
    assert not hasattr(callbacks[0][1], "best_score_"), "the parameter itself was used"
    # without the schedule, such callbacks change how training is run but not what comes out
    watched = model(net_params={"callbacks": callbacks[:2]}, **params)
    plain = model(**params)
    for each in (watched, plain):
        each.fit(X, y, sensitive_features=group)
    assert np.array_equal(watched.decision_function(X), plain.decision_function(X))
    np.testing.assert_allclose(
        watched.history_["train_loss"], plain.history_["train_loss"], rtol=1e-6
    )


def test_net_params_reach_optimizer_and_iterator(biased):
    X, y, group = biased
    fitted = model(
        net_params={
            "optimizer__betas": (0.5, 0.9),
            "iterator_train": torch.utils.data.DataLoader,
            "iterator_train__drop_last": True,
        }
    ).fit(X, y, sensitive_features=group)
    assert fitted.net_.optimizer_.param_groups[0]["betas"] == (0.5, 0.9)
    assert fitted.net_.history[-1, "train_batch_count"] == 9
    with pytest.raises(ValueError, match=r"net_params must not contain \['lr'\]"):
        model(net_params={"lr": 1.0}).fit(X, y, sensitive_features=group)


def test_net_predicts_for_itself(biased):
    X, y, group = biased
    fitted = model().fit(X, y, sensitive_features=group)
    np.testing.assert_allclose(fitted.net_.predict_proba(X), fitted.predict_proba(X), atol=1e-5)
    assert np.array_equal(fitted.net_.predict(X[:50]), fitted.predict(X[:50]))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop", "adagrad", "lbfgs"])
def test_every_optimizer_lowers_the_loss(biased, optimizer):
    X, y, group = biased
    lr = {"sgd": 0.1, "lbfgs": 0.5}.get(optimizer, 1e-2)
    batch_size = -1 if optimizer == "lbfgs" else 64
    history = (
        model(optimizer=optimizer, lr=lr, batch_size=batch_size, warmup=0, weight_decay=0)
        .fit(X, y, sensitive_features=group)
        .history_
    )
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]


def test_an_optimizer_class_is_taken_as_it_is(biased):
    X, y, group = biased
    fitted = model(optimizer=torch.optim.NAdam, weight_decay=1e-4).fit(
        X, y, sensitive_features=group
    )
    assert type(fitted.net_.optimizer_) is torch.optim.NAdam
    assert fitted.net_.optimizer_.param_groups[0]["weight_decay"] == 1e-4


def test_weights_are_averaged_over_the_last_steps(biased):
    X, y, group = biased
    params = {"max_epochs": 20, "batch_size": 60}  # 200 steps, the last 50 count
    collector = WeightCollector()
    last = model(averaging=0, net_params={"callbacks": [collector]}, **params)
    last.fit(X, y, sensitive_features=group)
    collector = dict(last.net_.callbacks_)["WeightCollector"]
    averaged = model(averaging=0.25, **params).fit(X, y, sensitive_features=group)
    expected = np.mean(collector.weights[-50:], axis=0)
    found = averaged.module_.output.weight.detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not np.allclose(found, last.module_.output.weight.detach().numpy(), atol=1e-6)


class WeightCollector(Callback):
    """Keep the output layer's weights of every step."""

    def initialize(self):
        self.weights = []
        return self

    def on_batch_end(self, net, training=False, **kwargs):
        self.weights.append(net.module_.output.weight.detach().numpy().copy())


def test_verbose_shows_a_bar_or_rows_and_nothing_by_default(biased, capsys):
    X, y, group = biased
    for verbose, out, err in ((0, "", ""), (1, "", "6/6"), (2, "train_loss", "")):
        model(verbose=verbose).fit(X, y, sensitive_features=group)
        captured = capsys.readouterr()
        assert out in captured.out
        assert err in captured.err
        assert (captured.out == "") == (out == "")
        assert (captured.err == "") == (err == "")


def test_a_constant_classifier_is_reported(biased):
    X, y, group = biased
    with pytest.warns(UserWarning, match="predicts one class only, [01]:"):
        model(lambda_fairness=50.0, lambda_robustness=50.0, warmup=0).fit(
            X, np.where(np.arange(len(y)) < 15, 1, 0), sensitive_features=group
        )


def test_interrupting_keeps_what_has_been_learned_and_says_so(biased):
    X, y, group = biased
    with pytest.warns(UserWarning, match="interrupted after 2 epochs"):
        fitted = model(net_params={"callbacks": [Interrupt()]}).fit(X, y, sensitive_features=group)
    assert fitted.n_iter_ == 2
    assert fitted.predict(X).shape == y.shape


class Interrupt(Callback):
    """Ctrl-C in the third epoch."""

    def on_batch_begin(self, net, training=False, **kwargs):
        if len(net.history) == 3:
            raise KeyboardInterrupt


def test_float64_trains_in_double_precision(biased):
    X, y, group = biased
    fitted = model(dtype="float64").fit(X, y, sensitive_features=group)
    assert {p.dtype for p in fitted.module_.parameters()} == {torch.float64}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_trains_the_same_network_as_the_cpu(biased):
    X, y, group = biased
    decisions = [
        model(device=device, dtype="float64", averaging=0)
        .fit(X, y, sensitive_features=group)
        .decision_function(X)
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(*decisions, atol=1e-6)


# -- what a skeptical user tried ------------------------------------------------------------------


def test_reversed_arrays_are_as_good_as_others(biased):
    X, y, group = biased
    for dtype in ("float32", "float64"):
        reversed_X = X.astype(dtype)[::-1]
        fitted = model(dtype=dtype).fit(reversed_X, y[::-1], sensitive_features=group[::-1])
        expected = fitted.decision_function(reversed_X.copy())
        np.testing.assert_allclose(fitted.decision_function(reversed_X), expected, rtol=1e-12)


class InPlace(nn.Module):
    """A user's module that changes its input."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.linear = nn.Linear(n_features, n_outputs)

    def forward(self, X):
        X -= 0.5
        return self.linear(X)


@pytest.mark.parametrize("batch_size", [-1, 64])
def test_the_users_X_survives_a_module_that_works_in_place(biased, batch_size):
    X, y, group = biased
    X = X.astype(np.float32)
    before = X.copy()
    fitted = model(module=InPlace, batch_size=batch_size, early_stopping=True)
    fitted.fit(X, y, sensitive_features=group).predict(X)
    assert np.array_equal(X, before)


def test_validation_terms_do_not_depend_on_the_batch_size():
    rng = np.random.default_rng(0)
    images, y = rng.normal(size=(300, 1, 6, 6)), rng.integers(0, 2, 300)
    group = rng.choice(["a", "b"], 300)
    found = [
        model(module=small_cnn, early_stopping=True, batch_size=size, max_epochs=1, lr=1e-12)
        .fit(images, y, sensitive_features=group)
        .history_.loc[0, ["valid_fairness", "valid_loss"]]
        for size in (8, 1000)
    ]
    np.testing.assert_allclose(found[0].to_numpy(float), found[1].to_numpy(float), rtol=1e-4)


def test_a_new_fit_forgets_groups_that_are_gone(biased):
    X, y, group = biased
    fitted = model(warm_start=True).fit(X, y, sensitive_features=group)
    fitted.fit(X, y, sensitive_features=np.where(group == "a", "F", "M"))
    assert fitted.groups_ == ["F", "M"]
    fitted.set_params(attributes="sum", dtype="float64")
    fitted.fit(X, y, sensitive_features=np.column_stack([group, X[:, 0] > 0]))
    assert len(fitted.groups_) == 4
    with pytest.raises(ValueError, match="same columns in every call of partial_fit"):
        fitted.partial_fit(X, y, sensitive_features=group)


@pytest.mark.parametrize("scale", [1e-300, 1e-50, 1e38, 1e300])
def test_scale_of_the_weights_does_not_matter(biased, scale):
    X, y, group = biased
    weights = np.random.default_rng(0).uniform(0.5, 1, len(X))
    expected = model().fit(X, y, sensitive_features=group, sample_weight=weights)
    found = model().fit(X, y, sensitive_features=group, sample_weight=weights * scale)
    np.testing.assert_allclose(
        found.decision_function(X), expected.decision_function(X), rtol=1e-3, atol=1e-4
    )


def test_class_weights_are_checked_and_zero_is_absence(biased):
    X, y, group = biased
    with pytest.raises(ValueError, match=r"class_weight must hold non-negative.*\{0: -1"):
        model(class_weight={0: -1.0, 1: 1.0}).fit(X, y, sensitive_features=group)
    only = model(class_weight={0: 0, 1: 1}, batch_size=4, lr=0.01)
    with pytest.warns(UserWarning, match="one class only, 1"):
        only.fit(X, y, sensitive_features=group)
    assert only.classes_.tolist() == [0, 1]


def test_a_rare_group_missing_from_the_held_out_part_is_explained(biased):
    X, y, _ = biased
    rare = np.where(np.arange(len(X)) < 2, "rare", "common")
    with pytest.raises(ValueError, match="60 held-out rows.*larger validation_fraction"):
        model(monitor="neg_recourse_gap").fit(X, y, sensitive_features=rare)


def test_missing_groups_are_counted_once_although_a_scorer_watches(biased):
    X, y, group = biased
    some = pd.Series(group).where(np.arange(len(group)) % 4 > 0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model(monitor="neg_recourse_gap").fit(X, y, sensitive_features=some)
    counted = [message for w in caught if "is missing" in (message := str(w.message))]
    assert [message.split(":")[0] for message in counted] == [
        "sensitive_features is missing in 150 of 600 rows"
    ]


def test_a_last_batch_of_one_row_joins_the_one_before(biased):
    X, y, group = biased

    def normalized(n_features, n_outputs):
        return nn.Sequential(nn.BatchNorm1d(n_features), nn.Linear(n_features, n_outputs))

    fitted = model(module=normalized)
    fitted.fit(X[:129], y[:129], sensitive_features=group[:129])
    assert fitted.net_.history[-1, "train_batch_count"] == 2


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"net_params": {"callbacks": "disable"}}, TypeError, "list of callbacks, got 'disable'"),
        ({"optimizer": "lbfgs", "weight_decay": 0.1}, ValueError, "knows no weight_decay"),
        ({"module": lambda n, k: nn.Linear(n + 1, k)}, ValueError, r"module.*shape \(6,\)"),
    ],
)
def test_less_common_mistakes_are_named_too(biased, params, error, message):
    X, y, group = biased
    with pytest.raises(error, match=message):
        model(**params).fit(X, y, sensitive_features=group)


# -- several groups -------------------------------------------------------------------------------


def three_groups():
    return make_biased_classification(900, n_groups=3, random_state=0)


def test_history_names_the_two_groups_that_differ_most():
    X, y, group = three_groups()
    group = np.where(np.arange(len(y)) < 20, "tiny", group)
    fitted = model(batch_size=-1, dtype="float64", max_epochs=2, lr=1e-12, group_memory=0)
    fitted.fit(X, y, sensitive_features=group)
    burden = np.maximum(0, -fitted.decision_function(X))
    means = pd.Series(burden).groupby(group).mean().drop("tiny")  # fewer than thirty
    row = fitted.history_.iloc[-1]
    assert row["largest_gap"] == pytest.approx(means.max() - means.min(), rel=1e-9)
    assert row["largest_gap_groups"] == f"{means.idxmax()} / {means.idxmin()}"
    two = model(max_epochs=1).fit(X, y, sensitive_features=group == "a")
    assert "largest_gap" not in two.history_


def test_largest_gap_is_over_the_epoch_whatever_the_groups_remember():
    X, y, group = three_groups()
    found = [
        model(batch_size=90, lr=1e-12, max_epochs=1, group_memory=memory, random_state=3)
        .fit(X, y, sensitive_features=group)
        .history_["largest_gap"][0]
        for memory in (0, 500)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_groups_of_different_attributes_are_not_compared_in_the_history():
    X, y, group = three_groups()
    frame = pd.DataFrame({"group": group, "half": np.arange(len(y)) % 2})
    fitted = model(attributes="sum", max_epochs=1).fit(X, y, sensitive_features=frame)
    names = fitted.history_["largest_gap_groups"][0].split(" / ")
    assert len({name.split(" & ")[0] for name in names}) == 1


def test_shares_are_those_of_the_weighted_training_rows(biased):
    X, y, group = biased
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    by_weight = model(max_epochs=1).fit(X, y, sensitive_features=group, sample_weight=weight)
    rows = np.repeat(np.arange(len(y)), weight)
    by_rows = model(max_epochs=1).fit(X[rows], y[rows], sensitive_features=group[rows])
    shares = [m._encoder.group_counts / m._encoder.group_counts.sum() for m in (by_weight, by_rows)]
    np.testing.assert_allclose(*shares, rtol=1e-12)
    expected = [[((y == c) & (group == g))[rows].mean() for g in "ab"] for c in (0, 1)]
    np.testing.assert_allclose(shares[0], expected)


def test_partial_fit_counts_the_rows_of_all_calls(biased):
    X, y, group = biased
    whole = model().partial_fit(X, y, sensitive_features=group)
    parts = model().partial_fit(X[:200], y[:200], classes=[0, 1], sensitive_features=group[:200])
    parts = pickle.loads(pickle.dumps(parts))
    parts.partial_fit(X[200:], y[200:], sensitive_features=group[200:])
    assert (parts._encoder.group_counts == whole._encoder.group_counts).all()
    new = np.where(np.arange(len(y)) % 2, "new", group)
    parts.partial_fit(X, y, sensitive_features=new)
    assert parts._encoder.group_counts.sum() == 2 * len(y)
    assert parts._encoder.group_counts[:, parts.groups_.index("new")].sum() == len(y) / 2


# -- parameters of the net ------------------------------------------------------------------------


def test_entries_of_net_params_are_parameters(biased):
    X, y, group = biased
    given_params = {"iterator_train__drop_last": True}
    first = model(net_params=given_params).set_params(
        net_params__optimizer__betas=(0.5, 0.9), lr=0.1
    )
    assert first.net_params == given_params | {"optimizer__betas": (0.5, 0.9)}
    assert given_params == {"iterator_train__drop_last": True}
    assert first.lr == 0.1
    assert first.get_params()["net_params__optimizer__betas"] == (0.5, 0.9)
    assert "net_params__optimizer__betas" not in first.get_params(deep=False)
    assert clone(first).get_params() == first.get_params()
    assert model().set_params(**first.get_params()).get_params() == first.get_params()
    fitted = first.fit(X, y, sensitive_features=group)
    assert fitted.net_.optimizer_.param_groups[0]["betas"] == (0.5, 0.9)
    first.set_params(net_params=None, net_params__optimizer__eps=1e-6)
    assert first.net_params == {"optimizer__eps": 1e-6}
    with pytest.raises(TypeError, match="net_params must be a dict or None, got 3"):
        first.set_params(net_params=3, net_params__optimizer__eps=1e-6)


@pytest.mark.parametrize("wrap", [lambda m: m, lambda m: make_pipeline(StandardScaler(), m)])
def test_a_search_goes_through_entries_of_net_params(biased, wrap):
    X, y, _ = biased
    search_model = wrap(model(lambda_fairness=0, lambda_robustness=0, max_epochs=1))
    prefix = "" if isinstance(search_model, FaiRNClassifier) else "fairnclassifier__"
    grid = {f"{prefix}net_params__optimizer__betas": [(0.5, 0.9), (0.9, 0.999)]}
    search = GridSearchCV(search_model, grid, cv=2).fit(X, y)
    betas = search.best_params_[f"{prefix}net_params__optimizer__betas"]
    best = search.best_estimator_ if not prefix else search.best_estimator_[-1]
    assert best.net_.optimizer_.param_groups[0]["betas"] == betas


def test_the_progress_bar_shows_the_first_epoch_however_short_epochs_are(biased, capsys):
    X, y, group = biased
    model(max_epochs=30, batch_size=-1, verbose=1).fit(X, y, sensitive_features=group)
    assert " 1/30 " in capsys.readouterr().err
