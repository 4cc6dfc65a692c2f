"""Many trainings at once: each is the one it would be by itself."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skfair import DRAlignClassifier, FaiRNClassifier, NetworkClassifier, PenaltyClassifier
from skfair.datasets import make_biased_classification
from skfair.objectives.dralign import CRITERIA
from skfair.objectives.penalties import PENALTIES
from skfair.training._members import Member, SharedRows
from skfair.training._stacked import make_stacks, why_alone

# few rows and epochs are enough to compare
pytestmark = pytest.mark.filterwarnings("ignore:The fitted")

# In float64, so that rounding stays far below 1e-8 over all steps.
SMALL = {"hidden_layer_sizes": (6, 5), "dtype": "float64", "random_state": 0, "lr": 0.01}
FULL = SMALL | {"batch_size": -1, "max_epochs": 8}
BATCHES = SMALL | {"batch_size": 30, "max_epochs": 3}
AVERAGED = {"averaging": 0.9, "max_epochs": 10}  # over more than 50 steps


@pytest.fixture(scope="module")
def rows():
    X, y, group = make_biased_classification(180, n_features=5, random_state=0)
    rng = np.random.RandomState(0)
    return {
        "X": X,
        "y": y,
        "sensitive_features": np.where(rng.rand(180) < 0.2, "c", group),
        "sample_weight": rng.rand(180) + 0.5,
    }


def train_together(estimators, rows):
    """Fit copies of the estimators in stacks; return them and the stacks' shapes."""
    rows = dict(rows)
    shared = SharedRows(rows.pop("X"), rows.pop("y"), rows)
    members = [Member(clone(e), shared, f"number {i}") for i, e in enumerate(estimators)]
    assert [why_alone(m) for m in members] == [None] * len(members)
    stacks = make_stacks(members)
    for stack in stacks:
        stack.train()
    return members, [(len(stack.lanes), len(stack.lanes[0])) for stack in stacks]


def assert_same_training(stacked, single):
    """Weights, history, the optimizer's state and what else training leaves behind agree."""
    for (name, ours), theirs in zip(
        stacked.module_.state_dict().items(), single.module_.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-8, msg=name)
    ours, theirs = (e.history_.drop(columns="dur") for e in (stacked, single))
    assert list(ours) == list(theirs)
    for name in ours:
        if ours[name].dtype.kind in "fib":
            np.testing.assert_allclose(ours[name], theirs[name], atol=1e-8, err_msg=name)
        else:
            assert ours[name].tolist() == theirs[name].tolist()
    ours, theirs = stacked.net_.export_state(), single.net_.export_state()
    assert ours["steps"] == theirs["steps"]
    if theirs["objective"] is not None:
        np.testing.assert_allclose(ours["objective"], theirs["objective"], atol=1e-8)
    states = [s["parts"]["module"]["optimizer_state"] for s in (ours, theirs)]
    assert states[0].keys() == states[1].keys()
    for number, of_weight in states[1].items():
        assert of_weight.keys() == states[0][number].keys()
        for name, value in of_weight.items():
            if value is not None:
                np.testing.assert_allclose(states[0][number][name], value, atol=1e-8)
    assert stacked.n_iter_ == single.n_iter_
    assert vars(stacked).keys() == vars(single).keys()


def assert_same(estimators, rows):
    members, shapes = train_together(estimators, rows)
    for member, estimator in zip(members, estimators, strict=True):
        assert member.error is None
        assert_same_training(member.estimator, clone(estimator).fit(**rows))
    return shapes


KINDS = (
    {
        "network": [NetworkClassifier(**FULL | {"lr": lr}) for lr in (0.01, 0.003, 0.01)],
        "fairn": [FaiRNClassifier(lambda_fairness=w, **FULL) for w in (0.0, 0.5, 2.0)],
        "fairn, as printed": [
            FaiRNClassifier(
                lambda_robustness=w,
                robustness="inverse_mean",
                group_weights="equal",
                group_memory=0,
                averaging=0.0,
                warmup=0.0,
                **FULL,
            )
            for w in (0.0, 0.1)
        ],
        "fairn, qualified": [
            FaiRNClassifier(conditional=True, warmup=w, **FULL) for w in (0.2, 0.6)
        ],
        "fairn, in the input space": [
            FaiRNClassifier(distance="gradient", lambda_fairness=w, **FULL) for w in (0.0, 0.5, 2.0)
        ],
        "fair mixup": [PenaltyClassifier(augment="mixup", alpha=w, **FULL) for w in (0.5, 2.0)],
        "dralign with mixup": [
            DRAlignClassifier(augment="mixup", lambda_fairness=w, **FULL) for w in (0.5, 2.0)
        ],
        "dralign, some layers": [
            DRAlignClassifier(align_layers=2, lambda_fairness=0, beta=w, **FULL) for w in (0.1, 0.5)
        ],
    }
    | {
        f"dralign, {name}": [
            DRAlignClassifier(criterion=name, beta=w, **FULL) for w in (0.0, 0.1, 0.5)
        ]
        for name in CRITERIA
    }
    | {
        name: [PenaltyClassifier(penalty=name, alpha=w, **FULL) for w in (0.0, 1.0, 3.0)]
        for name in PENALTIES
    }
)


@pytest.mark.parametrize("kind", KINDS)
def test_full_batch_training_is_that_of_each_alone(kind, rows):
    n, zeros = len(KINDS[kind]), [e.get_params().get("beta") == 0 for e in KINDS[kind]]
    expected = [(1, n)] if not any(zeros) else [(1, 1), (1, n - 1)]  # without rationales
    assert assert_same(KINDS[kind], rows) == expected


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_batches_and_dropped_units_are_those_of_each_alone(activation, dropout, rows):
    params = BATCHES | AVERAGED | {"activation": activation, "dropout": dropout}
    estimators = [FaiRNClassifier(lambda_fairness=w, **params) for w in (0.2, 1.0)]
    assert assert_same(estimators, rows) == [(1, 2)]


@pytest.mark.parametrize(
    ("hidden", "activation"),
    [((), "relu"), ((5,), "relu")]
    + [((5, 4), each) for each in ("relu", "tanh", "logistic", "identity")],
)
def test_derivatives_are_those_of_each_alone(hidden, activation, rows):
    params = BATCHES | {"activation": activation, "hidden_layer_sizes": hidden, "dropout": 0.1}
    for of_kind in (
        [FaiRNClassifier(distance="gradient", lambda_fairness=w, **params) for w in (0.2, 1.0)],
        [PenaltyClassifier(augment="mixup", alpha=w, **params) for w in (0.2, 1.0)],
        [DRAlignClassifier(beta=w, **params) for w in (0.2, 1.0)],
    ):
        assert assert_same(of_kind, rows) == [(1, 2)]


def test_derivatives_are_those_of_each_alone_over_seeds(rows):
    for kind in (partial(FaiRNClassifier, distance="gradient"), DRAlignClassifier):
        estimators = [
            kind(lambda_fairness=w, **BATCHES | {"random_state": seed})
            for seed in (0, 1)
            for w in (0.2, 1.0)
        ]
        assert assert_same(estimators, rows) == [(2, 2)]


def test_held_out_rows_are_judged_by_what_the_objective_asks_for(rows):
    params = BATCHES | {"early_stopping": True, "n_iter_no_change": 3}
    y = np.digitize(rows["X"][:, 0], [-0.5, 0.5])
    for lane in ([0.2, 1.0], [0.2]):
        estimators = [
            FaiRNClassifier(distance="gradient", lambda_fairness=w, **params) for w in lane
        ]
        assert_same(estimators, rows | {"y": y})


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop", "adagrad"])
def test_optimizers_take_torchs_own_step(optimizer, rows):
    estimators = [
        NetworkClassifier(optimizer=optimizer, weight_decay=decay, **BATCHES | {"lr": lr})
        for lr, decay in ((0.01, 0.0), (0.003, 0.0), (0.01, 0.1), (0.01, 0.0))
    ]
    shapes = assert_same(estimators[:2] + estimators[3:], rows)
    assert shapes == [(1, 3)]
    assert_same(estimators, rows)


def test_momentum_is_a_members_own(rows):
    params = BATCHES | {"optimizer": "sgd"}
    estimators = [
        NetworkClassifier(net_params={"optimizer__momentum": m}, **params) for m in (0.5, 0.9)
    ]
    assert assert_same(estimators, rows) == [(1, 2)]


def test_seeds_make_lanes(rows):
    estimators = [
        FaiRNClassifier(lambda_fairness=w, **BATCHES | {"random_state": seed})
        for seed in (0, 1, 2)
        for w in (0.1, 1.0)
    ]
    assert assert_same(estimators, rows) == [(3, 2)]
    assert assert_same(estimators[::2], rows) == [(3, 1)]


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
@pytest.mark.parametrize("params", [{}, {"group_memory": 0}, {"early_stopping": True}], ids=str)
def test_a_gradient_that_is_written_out_is_that_of_each_alone(params, seeds, rows):
    rows = {name: values for name, values in rows.items() if name != "sample_weight"}
    estimators = [
        FaiRNClassifier(lambda_fairness=w, warmup=warmup, **BATCHES | params | {"random_state": s})
        for s in seeds
        for w, warmup in ((0.0, 0.2), (0.5, 0.2), (2.0, 0.6))
    ]
    assert estimators[0].fit(**rows).net_.recipe.objective.gradient is not None
    assert assert_same(estimators, rows) == [(len(seeds), 3)]
    groups = np.c_[rows["sensitive_features"], np.where(rows["X"][:, 0] > 0, "d", "e")]
    assert assert_same(estimators, rows | {"sensitive_features": groups}) == [(len(seeds), 3)]


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
@pytest.mark.parametrize("params", [{}, {"group_memory": 0}, {"unfavorable": 1}], ids=str)
def test_projections_are_those_of_each_alone(params, seeds, rows):
    projected = partial(PenaltyClassifier, penalty="tpr", comparison="kl_projection", **params)
    estimators = [
        projected(alpha=w, **BATCHES | {"random_state": s}) for s in seeds for w in (0.5, 2.0)
    ]
    assert assert_same(estimators, rows) == [(len(seeds), 2)]
    rows = {name: values for name, values in rows.items() if name != "sample_weight"}
    assert estimators[0].fit(**rows).net_.recipe.objective.gradient is not None
    groups = np.c_[rows["sensitive_features"], np.where(rows["X"][:, 0] > 0, "d", "e")]
    assert assert_same(estimators, rows | {"sensitive_features": groups}) == [(len(seeds), 2)]


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_strata_are_those_of_each_alone(seeds, rows):
    known = rows | {"control_features": np.where(rows["X"][:, 0] > 0, "d", "e")}
    estimators = [
        PenaltyClassifier(
            penalty="tpr", alpha=w, early_stopping=True, **BATCHES | {"random_state": s}
        )
        for s in seeds
        for w in (0.5, 2.0)
    ]
    assert assert_same(estimators, known) == [(len(seeds), 2)]


def test_learning_rates_may_differ_within_lanes(rows):
    estimators = [
        NetworkClassifier(**BATCHES | {"random_state": seed, "lr": lr})
        for seed in (0, 1)
        for lr in (0.01, 0.001, 0.01)
    ]
    assert assert_same(estimators, rows) == [(2, 3)]


def test_learning_rates_fall_as_in_each_alone(rows):
    falling = BATCHES | {"lr_schedule": "cosine"}
    estimators = [
        *(NetworkClassifier(**falling | {"lr": lr}) for lr in (0.01, 0.003)),
        NetworkClassifier(**falling | {"early_stopping": True, "n_iter_no_change": 1}),
        NetworkClassifier(**BATCHES),
    ]
    members, shapes = train_together(estimators, rows)
    assert sorted(shapes) == [(1, 1), (1, 1), (1, 2)]
    for member, estimator in zip(members, estimators, strict=True):
        single = clone(estimator).fit(**rows)
        assert_same_training(member.estimator, single)
        ours, theirs = (e.net_.optimizer_.param_groups[0] for e in (member.estimator, single))
        assert {k: v for k, v in ours.items() if k != "params"} == {
            k: v for k, v in theirs.items() if k != "params"
        }


@pytest.mark.parametrize("restore_best", [False, True])
def test_early_stopping_ends_a_members_training_and_no_others(restore_best, rows):
    estimators = [
        FaiRNClassifier(
            lambda_fairness=w,
            early_stopping=True,
            n_iter_no_change=3,
            restore_best=restore_best,
            **BATCHES | {"max_epochs": 25, "lr": lr},
        )
        for w, lr in ((0.0, 0.05), (1.0, 0.05), (1.0, 0.001))
    ]
    members, _ = train_together(estimators, rows)
    assert len({m.estimator.n_iter_ for m in members}) > 1
    assert_same(estimators, rows)


def test_the_best_epoch_may_be_chosen_by_a_function_of_the_history(rows):
    def monitor(row):
        return -row["valid_fairness"]

    estimators = [
        FaiRNClassifier(lambda_fairness=w, monitor=monitor, restore_best=True, **BATCHES)
        for w in (0.1, 1.0)
    ]
    assert_same(estimators, rows)


@pytest.mark.parametrize("where", ["train", "holdout"])
@pytest.mark.parametrize("sampling", ["natural", "group_label"])
def test_strata_and_held_out_rows_are_those_of_each_alone(where, sampling, rows):
    estimators = [
        PenaltyClassifier(
            penalty="equalized_odds", alpha=w, penalty_on=where, sampling=sampling, **BATCHES
        )
        for w in (0.5, 2.0)
    ]
    assert assert_same(estimators, rows) == [(1, 2)]


def test_other_strata_are_another_training(rows):
    estimators = [
        PenaltyClassifier(sampling=sampling, alpha=w, **BATCHES)
        for sampling in ("natural", "group", "group_label")
        for w in (0.5, 2.0)
    ]
    assert assert_same(estimators, rows) == [(1, 2)] * 3


def test_more_than_two_classes_and_several_labels_are_stacked(rows):
    estimators = [PenaltyClassifier(penalty="equal_loss", alpha=w, **BATCHES) for w in (0.5, 2.0)]
    y = np.digitize(rows["X"][:, 0], [-0.5, 0.5])
    assert_same(estimators, rows | {"y": y})
    labels = np.c_[rows["y"], y > 0]
    assert_same(estimators, rows | {"y": labels.astype(int)})


def test_a_diverging_member_leaves_the_others_alone(rows):
    params = BATCHES | {"optimizer": "sgd", "activation": "identity", "dtype": "float32"}
    estimators = [NetworkClassifier(**params | {"lr": lr}) for lr in (0.001, 1e3)]
    X = rows["X"] * 100
    members, shapes = train_together(estimators, rows | {"X": X})
    assert shapes == [(1, 2)]
    assert isinstance(members[1].error, ValueError)
    assert "number 1" in members[1].error.__notes__[-1]
    assert not hasattr(members[1].estimator, "net_")
    assert members[0].error is None
    single = clone(estimators[0]).fit(**rows | {"X": X})
    for ours, theirs in zip(
        members[0].estimator.module_.parameters(), single.module_.parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_trainings_of_another_kind_form_stacks_of_their_own(rows):
    estimators = [
        NetworkClassifier(**params)
        for params in (
            BATCHES | {"max_epochs": 10},
            BATCHES | AVERAGED,
            BATCHES,
            BATCHES | {"hidden_layer_sizes": (7,)},
            BATCHES | {"batch_size": 60},
            BATCHES | {"optimizer": "sgd"},
            BATCHES | {"activation": "tanh"},
        )
    ]
    assert assert_same(estimators, rows) == [(1, 1)] * len(estimators)


def test_global_generators_stay_as_they_are(rows):
    torch.manual_seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    train_together(KINDS["fairn"], rows)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]


def test_a_stacked_member_can_go_on_training(rows):
    estimators = [FaiRNClassifier(lambda_fairness=w, **BATCHES) for w in (0.2, 1.0)]
    members, _ = train_together(estimators, rows)
    stacked, single = members[1].estimator, clone(estimators[1]).fit(**rows)
    for estimator in (stacked, single):
        estimator.partial_fit(**rows)
    for ours, theirs in zip(stacked.module_.parameters(), single.module_.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-8)
