"""Counterfactuals: exact where there is an exact answer, and never against a constraint."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import median_abs_deviation
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC

from skfair import FaiRNClassifier
from skfair.datasets import fetch_adult
from skfair.recourse import counterfactuals

PLAIN = {"lambda_fairness": 0.0, "lambda_robustness": 0.0, "max_epochs": 15, "random_state": 0}


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4)) * [1, 2, 10, 0.1]
    return X, (X / [1, 2, 10, 0.1]) @ [1, -0.5, 0.3, 0.2] + rng.logistic(size=300) * 0.3 > 0


@pytest.fixture(scope="module")
def people():
    """A table with everything: whole numbers, text, an order, truth values, missing entries."""
    rng = np.random.default_rng(1)
    n = 150
    X = pd.DataFrame(
        {
            "sex": rng.choice(["f", "m"], n),
            "income": rng.gamma(2.0, 1000.0, n),
            "children": rng.poisson(1.5, n),
            "job": rng.choice(["none", "clerk", "nurse"], n),
            "school": pd.Categorical(
                rng.choice(["low", "middle", "high"], n), ["low", "middle", "high"], ordered=True
            ),
            "owner": rng.random(n) < 0.3,
        }
    )
    value = (
        X["income"] / 1000
        - X["children"]
        + (X["job"] == "nurse")
        + X["school"].cat.codes
        + X["owner"]
        + (X["sex"] == "m")
    )
    return X, (value + rng.logistic(size=n) > 3.5).to_numpy(int)


def pipeline(classifier):
    words = ["sex", "job", "school", "owner"]
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), words), (StandardScaler(), ["income", "children"])
    )
    return make_pipeline(encode, classifier)


@pytest.fixture(scope="module")
def network(people):
    X, y = people
    model = pipeline(FaiRNClassifier(hidden_layer_sizes=(16,), **PLAIN, lr=1e-2))
    return model.fit(X, y, fairnclassifier__sensitive_features=X["sex"])


@pytest.fixture(scope="module")
def nearest(network, people):
    """What everybody is told whose sex cannot change."""
    return counterfactuals(network, people[0], sensitive_columns="sex", random_state=0)


@pytest.fixture(scope="module")
def forest(people):
    return pipeline(RandomForestClassifier(20, max_depth=6, random_state=0)).fit(*people)


def slope(model, n_features):
    """Coefficients of a linear decision, seen from outside."""
    at_zero = model.decision_function(np.zeros((1, n_features)))
    return model.decision_function(np.eye(n_features)) - at_zero


class TestLinear:
    @pytest.mark.parametrize(
        "model",
        [
            LogisticRegression(),
            make_pipeline(StandardScaler(), LogisticRegression()),
            LinearSVC(),
            RidgeClassifier(),
        ],
        ids=lambda model: type(model).__name__,
    )
    def test_distances_are_those_to_the_hyperplane(self, model, numbers):
        X, y = numbers
        model.fit(X, y)
        w = slope(model, X.shape[1])
        for distance, dual_norm in [
            ("l2", np.linalg.norm(w)),
            ("mad_l1", np.abs(w * median_abs_deviation(X)).max()),
        ]:
            found = counterfactuals(model, X, distance=distance)
            exact = -model.decision_function(X[found.refused]) / dual_norm
            assert found.valid.all()
            np.testing.assert_allclose(found.distance, exact, rtol=1e-4)
            assert model.predict(found.counterfactuals).all()

    def test_only_actionable_columns_count(self, numbers):
        X, y = numbers
        model = LogisticRegression().fit(X, y)
        found = counterfactuals(model, X, distance="l2", actionable=[0, 3])
        exact = -model.decision_function(X[found.refused])
        exact /= np.linalg.norm(model.coef_[0, [0, 3]])
        np.testing.assert_allclose(found.distance, exact, rtol=1e-4)
        assert not found.changed[[1, 2]].to_numpy().any()

    @pytest.mark.parametrize("distance", ["mad_l1", "l2"])
    def test_within_bounds_it_equals_a_fine_grid(self, distance):
        rng = np.random.default_rng(3)
        X = rng.normal(size=(30, 2))
        model = LogisticRegression().fit(X, X @ [1.0, 0.7] > 0.3)
        bounds = {0: (-1.0, 0.6), 1: (None, 0.9)}
        found = counterfactuals(model, X, distance=distance, bounds=bounds)
        scale = median_abs_deviation(X)
        grid = np.linspace(0, 1, 301)
        for row, length, valid in zip(found.refused, found.distance, found.valid, strict=True):
            x = X[row]
            low, high = np.minimum([-1, -6], x), np.maximum([0.6, 0.9], x)
            axes = [np.append(low[j] + grid * (high[j] - low[j]), x[j]) for j in (0, 1)]
            points = np.array(list(itertools.product(*axes)))
            change = points[model.predict(points)] - x
            if distance == "l2":
                lengths = np.linalg.norm(change, axis=1)
            else:
                lengths = np.abs(change / scale).sum(axis=1)
            assert valid == bool(len(lengths))
            if valid:
                assert length <= lengths.min() + 1e-6
                assert length >= lengths.min() - 0.05

    @pytest.mark.parametrize("distance", ["mad_l1", "l2"])
    def test_mixed_columns_equal_every_combination_of_categories(self, people, distance):
        X, y = people
        model = pipeline(LogisticRegression()).fit(X, y)
        found = counterfactuals(
            model, X, distance=distance, sensitive_columns="sex", integer=[], random_state=0
        )
        assert found.valid.all()
        scale = median_abs_deviation(X[["income", "children"]].to_numpy(float))
        unit = X.iloc[[0]].assign(income=[1.0], children=[0])
        zero = unit.assign(income=[0.0])
        w = np.array(
            [
                (model.decision_function(unit) - model.decision_function(zero))[0],
                (
                    model.decision_function(zero.assign(children=[1]))
                    - model.decision_function(zero)
                )[0],
            ]
        )
        choices = list(
            itertools.product(["none", "clerk", "nurse"], ["low", "middle", "high"], [False, True])
        )
        for row, length in list(zip(found.refused, found.distance, strict=True))[:40]:
            rows = X.iloc[[row] * len(choices)].copy()
            before = rows[["job", "school", "owner"]].astype(object)
            for k, name in enumerate(["job", "school", "owner"]):
                rows[name] = pd.Series([c[k] for c in choices], index=rows.index).astype(
                    X[name].dtype
                )
            moved = (rows[["job", "school", "owner"]].astype(object) != before).sum(axis=1)
            rest = np.maximum(-model.decision_function(rows), 0)
            if distance == "l2":
                lengths = np.sqrt((rest / np.linalg.norm(w)) ** 2 + 2 * moved)
            else:
                lengths = rest / np.abs(w * scale).max() + moved
            assert length == pytest.approx(lengths.min(), rel=1e-3)

    @pytest.mark.parametrize("distance", ["mad_l1", "l2"])
    def test_whole_numbers_equal_brute_force(self, distance):
        rng = np.random.default_rng(5)
        X = rng.integers(0, 12, size=(80, 3))
        model = LogisticRegression().fit(X, X @ [1.0, 0.8, 0.5] + rng.normal(size=80) > 14)
        found = counterfactuals(model, X, distance=distance, random_state=0)
        assert found.counterfactuals.dtype == X.dtype
        steps = np.array(list(itertools.product(range(-2, 25), repeat=3)))
        scale = median_abs_deviation(X)
        lengths = np.abs(steps / scale).sum(axis=1)
        lengths = np.linalg.norm(steps, axis=1) if distance == "l2" else lengths
        exact = np.array([lengths[model.predict(X[i] + steps)].min() for i in found.refused])
        assert found.valid.all()
        np.testing.assert_allclose(found.distance, exact, rtol=0.01)


class TestSearch:
    @pytest.mark.parametrize("name", ["network", "forest"])
    @pytest.mark.parametrize("distance", ["mad_l1", "l2"])
    def test_constraints_hold(self, name, distance, people, request):
        X, model = people[0], request.getfixturevalue(name)
        found = counterfactuals(
            model,
            X,
            sensitive_columns="sex",
            bounds={"income": (0, 6000)},
            monotone={"school": "increase", "children": "decrease"},
            distance=distance,
            random_state=0,
        )
        before, after = X.iloc[found.refused], found.counterfactuals
        assert found.valid.mean() > 0.99
        assert (model.predict(after[found.valid]) == 1).all()
        assert (model.predict(before) == 0).all()
        assert (after.dtypes == X.dtypes).all()
        assert after.index.equals(before.index)
        assert after["sex"].equals(before["sex"])
        assert (
            after["income"].between(0, 6000).where(before["income"] != after["income"], True).all()
        )
        assert (after["children"] <= before["children"]).all()
        assert (after["school"] >= before["school"]).all()
        assert after["job"].isin(X["job"].unique()).all()
        differs = after.astype(object) != before.astype(object)
        pd.testing.assert_frame_equal(found.changed, differs)
        # what is reported is the distance of what is returned
        numbers = ["income", "children"]
        change = (after[numbers] - before[numbers]).to_numpy(float)
        moved = differs[["job", "school", "owner"]].sum(axis=1).to_numpy()
        if distance == "l2":
            expected = np.sqrt((change**2).sum(axis=1) + 2 * moved)
        else:
            scale = median_abs_deviation(X[numbers].to_numpy(float))
            expected = np.abs(change / scale).sum(axis=1) + moved
        np.testing.assert_allclose(found.distance[found.valid], expected[found.valid])

    def test_no_change_can_be_taken_back(self, network, people, nearest):
        """Of the nearest profile every part is needed."""
        X, found = people[0], nearest
        before = X.iloc[found.refused]
        for column in X.columns:
            back = found.counterfactuals.copy()
            back[column] = before[column]
            changed = found.changed[column].to_numpy()
            if changed.any():
                assert not (network.predict(back[changed]) == 1).any()

    def test_the_gradient_does_as_well_as_a_long_population_search(self, network, people):
        X = people[0]
        settings_ = {"sensitive_columns": "sex", "random_state": 0}
        fast = counterfactuals(network, X, method="gradient", **settings_)
        slow = counterfactuals(network, X, method="genetic", max_iter=60, **settings_)
        assert fast.valid.mean() > 0.99
        both = fast.valid & slow.valid
        assert fast.distance[both].mean() <= 1.01 * slow.distance[both].mean()

    def test_on_a_linear_model_the_population_comes_near_the_exact_answer(self, people):
        X, y = people
        model = pipeline(LogisticRegression()).fit(X, y)
        exact = counterfactuals(model, X, sensitive_columns="sex")
        found = counterfactuals(
            model, X, sensitive_columns="sex", method="genetic", max_iter=60, random_state=0
        )
        assert found.valid.all()
        assert exact.distance.mean() <= found.distance.mean() * (1 + 1e-6)
        assert found.distance.mean() <= 1.1 * exact.distance.mean()

    def test_what_is_impossible_is_reported_not_invented(self, network, people):
        X = people[0]
        found = counterfactuals(
            network, X, actionable=["children"], bounds={"children": (0, 1)}, random_state=0
        )
        lost = ~found.valid
        assert 0 < lost.sum() < len(lost)
        assert np.isinf(found.distance[lost]).all()
        own = X.iloc[found.refused][lost]
        pd.testing.assert_frame_equal(found.counterfactuals[lost], own)
        for children in (0, 1):  # there is indeed no way
            assert (network.predict(own.assign(children=children)) == 0).all()

    def test_own_distance_is_the_one_that_is_made_small(self, network, people, nearest):
        X = people[0]

        def income_is_dear(before, after):
            assert isinstance(before, pd.DataFrame)
            moved = (before["job"] != after["job"]).to_numpy() * 1.0
            others = ["children", "school", "owner"]
            moved += (before[others].astype(object) != after[others].astype(object)).sum(axis=1)
            return moved + np.abs(after["income"] - before["income"]).to_numpy()

        found = counterfactuals(
            network,
            X,
            sensitive_columns="sex",
            distance=income_is_dear,
            max_iter=15,
            random_state=0,
        )
        assert found.changed["income"].mean() < nearest.changed["income"].mean()
        before = X.iloc[found.refused]
        np.testing.assert_allclose(
            found.distance, income_is_dear(before, found.counterfactuals), rtol=1e-12
        )

    def test_the_search_is_for_the_class_that_does_not_refuse(self, people):
        X, y = people
        labels = np.array(["granted", "refused"])[1 - y]
        model = pipeline(FaiRNClassifier(unfavorable="refused", **PLAIN))
        model.fit(X, labels, fairnclassifier__sensitive_features=X["sex"])
        found = counterfactuals(model, X, sensitive_columns="sex", random_state=0)
        assert (model.predict(X.iloc[found.refused]) == "refused").all()
        assert found.valid.mean() > 0.9
        assert (model.predict(found.counterfactuals[found.valid]) == "granted").all()

    def test_several_classes(self, numbers):
        X, _ = numbers
        y = np.digitize(X[:, 0] + X[:, 3] * 5, [-0.7, 0.7])
        model = make_pipeline(StandardScaler(), FaiRNClassifier(unfavorable=[0, 1], **PLAIN))
        model.fit(X, y, fairnclassifier__sensitive_features=X[:, 1] > 0)
        found = counterfactuals(model, X, random_state=0)
        assert found.valid.all()
        assert set(model.predict(X[found.refused])) == {0, 1}
        assert (model.predict(found.counterfactuals) == 2).all()

    @pytest.mark.parametrize(
        "model",
        [
            MLPClassifier((8,), max_iter=30, random_state=0),
            FixedThresholdClassifier(LogisticRegression(), threshold=0.8),
            make_pipeline(PolynomialFeatures(), LogisticRegression()),
        ],
        ids=["not differentiable here", "another threshold", "columns that are mixed"],
    )
    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    def test_other_classifiers(self, model, numbers):
        X, y = numbers
        model.fit(X, y)
        found = counterfactuals(model, X, random_state=0, max_iter=20)
        assert found.valid.all()
        assert model.predict(found.counterfactuals).all()

    def test_missing_entries(self, people):
        X, y = people[0].copy(), people[1]
        X.loc[::7, "income"] = np.nan
        X["job"] = X["job"].astype(object)
        X.loc[::5, "job"] = None
        encode = make_column_transformer(
            (OneHotEncoder(sparse_output=False), ["job"]),
            (make_pipeline(SimpleImputer(), StandardScaler()), ["income", "children"]),
        )
        for classifier in (FaiRNClassifier(**PLAIN), RandomForestClassifier(4, random_state=0)):
            model = make_pipeline(encode, classifier)
            step = {"fairnclassifier__sensitive_features": X["sex"]}
            model.fit(X, y, **(step if isinstance(classifier, FaiRNClassifier) else {}))
            found = counterfactuals(model, X, sensitive_columns="sex", random_state=0, max_iter=20)
            before = X.iloc[found.refused]
            assert found.valid.mean() > 0.7
            assert found.counterfactuals["income"].isna().equals(before["income"].isna())
            gone = before["job"].notna() & found.counterfactuals["job"].isna()
            assert not gone.any()  # nobody is told to become unknown
            by_job = counterfactuals(model, X, actionable="job", random_state=0, max_iter=5)
            before = X["job"].iloc[by_job.refused]
            assert (before.isna() & by_job.counterfactuals["job"].notna()).any()


class TestColumns:
    def test_a_number_makes_up_for_whole_ones(self):
        """The linear answer when rounding alone would go too far."""
        X = np.array([[0.0, 0.0], [3.0, 3.0], [-1.0, 0.3], [2.0, 1.5]])
        model = LogisticRegression().fit(X, [0, 1, 0, 1])
        model.coef_, model.intercept_ = np.array([[1.0, 1.0]]), np.array([-0.01])
        found = counterfactuals(model, X, integer=[0], distance="l2")
        assert found.distance[0] == pytest.approx(0.01, rel=1e-3)

    def test_single_precision_stays(self, numbers):
        X, y = numbers
        model = LogisticRegression().fit(X.astype(np.float32), y)
        found = counterfactuals(model, X.astype(np.float32))
        assert found.counterfactuals.dtype == np.float32
        assert found.valid.all()

    def test_a_reference_with_other_categories(self, people):
        """The order of categories is that of X; what X cannot hold is no answer."""
        X, y = people
        model = pipeline(LogisticRegression()).fit(X, y)
        backwards = (
            X["school"].astype(object).astype(pd.CategoricalDtype(["high", "middle", "low"]))
        )
        for other in (X["school"].astype(object), backwards):
            found = counterfactuals(
                model,
                X,
                reference=X.assign(school=other),
                sensitive_columns="sex",
                monotone={"school": "decrease"},
                distance="l2",
            )
            before = X["school"].iloc[found.refused]
            assert (found.counterfactuals["school"] <= before).all()
            assert not found.counterfactuals["school"].isna().any()

    def test_parts_of_a_one_hot_block_do_not_change_alone(self):
        rng = np.random.default_rng(0)
        race = rng.integers(0, 3, 200)
        X = pd.DataFrame(np.eye(3)[race], columns=["race_a", "race_b", "race_c"])
        X["v"] = rng.normal(size=200)
        model = LogisticRegression().fit(X, X["v"] + (race == 0) > 0.3)
        found = counterfactuals(model, X, sensitive_columns="race_c")
        assert found.changed.iloc[:, :3].to_numpy().sum() == 0
        rows = X.assign(race_a=1.0)  # no longer one-hot: each column by itself
        rows = counterfactuals(model, rows, reference=X, actionable=["v"])
        assert (rows.counterfactuals["race_a"] == 1).all()

    def test_one_person_alone_and_a_model_that_refuses_everybody(self, numbers):
        X, y = numbers
        forest = RandomForestClassifier(5, random_state=0).fit(X, y)
        refused = X[forest.predict(X) == 0]
        assert len(counterfactuals(forest, refused, random_state=0, max_iter=5).valid)
        one = counterfactuals(forest, refused[:1], reference=X, random_state=0)
        assert one.valid.all()
        nobody = DummyClassifier(strategy="constant", constant=0).fit(X, y)
        found = counterfactuals(nobody, X[:10], reference=X, random_state=0, max_iter=3)
        assert not found.valid.any()
        assert np.isinf(found.distance).all()

    def test_another_threshold_is_not_taken_for_the_boundary(self, numbers):
        X, y = numbers
        base = LogisticRegression().fit(X, y)
        model = FixedThresholdClassifier(FrozenEstimator(base), threshold=0.2).fit(X, y)
        found = counterfactuals(model, X, distance="l2", random_state=0, max_iter=60)
        logit = np.log(0.2 / 0.8)
        exact = (logit - base.decision_function(X[found.refused])) / np.linalg.norm(base.coef_)
        assert np.median(found.distance / exact) < 1.2

    def test_positions_after_the_encoder_must_be_said_again(self, people):
        X, y = people
        model = pipeline(FaiRNClassifier(sensitive_columns=[0, 1], **PLAIN)).fit(X, y)
        with pytest.raises(ValueError, match="pass sensitive_columns="):
            counterfactuals(model, X)

    def test_one_hot_columns_stay_one_hot(self, people):
        X, y = people
        encoded = OneHotEncoder(sparse_output=False).fit_transform(X[["job", "school"]])
        table = np.column_stack([X["income"] / 1000, encoded])
        model = FaiRNClassifier(**PLAIN).fit(table, y, sensitive_features=X["sex"])
        for categorical in (None, [[1, 2, 3], [4, 5, 6]]):
            found = counterfactuals(model, table, categorical=categorical, random_state=0)
            after = found.counterfactuals
            assert set(np.unique(after[:, 1:])) == {0.0, 1.0}
            assert (after[:, 1:4].sum(axis=1) == 1).all()
            assert (after[:, 4:].sum(axis=1) == 1).all()
            assert found.changed[[1, 2, 3]].sum(axis=1).isin([0, 2]).all()

    def test_the_estimators_sensitive_columns_never_change(self, people):
        X, y = people
        model = pipeline(FaiRNClassifier(sensitive_columns="sex", **PLAIN))
        model.set_output(transform="pandas").fit(X, y)
        found = counterfactuals(model, X, random_state=0)
        assert not found.changed["sex"].any()
        assert (
            counterfactuals(  # what the network sees has the same name
                model[-1], model[:-1].transform(X), random_state=0
            )
            .changed.filter(like="sex")
            .to_numpy()
            .sum()
            == 0
        )

    def test_order_of_people_and_company_do_not_matter(self, network, people, nearest):
        X = people[0]
        some = X.iloc[nearest.refused[::-3]]
        found = counterfactuals(network, some, sensitive_columns="sex", reference=X, random_state=0)
        np.testing.assert_allclose(found.distance, nearest.distance[::-3], rtol=1e-6)

    def test_a_seed_gives_the_same_and_global_state_is_left_alone(self, forest, people):
        X = people[0]
        before = np.random.get_state()[1].copy()
        first, second = (counterfactuals(forest, X, random_state=3, max_iter=5) for _ in range(2))
        pd.testing.assert_frame_equal(first.counterfactuals, second.counterfactuals)
        assert (np.random.get_state()[1] == before).all()

    def test_nobody_is_refused(self, network, people):
        X = people[0]
        accepted = X[network.predict(X) == 1]
        found = counterfactuals(network, accepted)
        assert len(found.refused) == len(found.distance) == len(found.counterfactuals) == 0
        assert list(found.counterfactuals.columns) == list(X.columns)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    distance=st.sampled_from(["mad_l1", "l2"]),
    frozen=st.integers(0, 2),
    width=st.floats(0.2, 5),
)
def test_linear_answers_are_never_beaten_by_random_ones(seed, distance, frozen, width):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, 3))
    model = LogisticRegression().fit(X, X @ rng.normal(size=3) + rng.normal(size=40) > 0)
    actionable = [j for j in range(3) if j != frozen]
    bounds = dict.fromkeys(actionable, (-width, width))
    found = counterfactuals(model, X, distance=distance, actionable=actionable, bounds=bounds)
    scale = median_abs_deviation(X)
    for row, length in zip(found.refused, found.distance, strict=True):
        others = np.tile(X[row], (500, 1))
        for j in actionable:
            others[:, j] = rng.uniform(min(-width, X[row, j]), max(width, X[row, j]), 500)
        change = others[model.predict(others)] - X[row]
        lengths = (
            np.linalg.norm(change, axis=1)
            if distance == "l2"
            else np.abs(change / scale).sum(axis=1)
        )
        assert (lengths >= length * (1 - 1e-6)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"actionable": ["wage"]}, "actionable: X has no column 'wage'"),
        ({"actionable": ["sex"]}, "sensitive column"),
        ({"bounds": {"wage": (0, 1)}}, "bounds: X has no column 'wage'"),
        ({"bounds": {"income": (1, 0)}}, r"bounds\['income'\] must be \(lowest, highest\)"),
        ({"bounds": {"income": 3}}, r"bounds\['income'\] must be \(lowest, highest\)"),
        ({"bounds": {"job": (0, 1)}}, "categories without an order, not numbers"),
        ({"bounds": "seen"}, "'observed' or None, got 'seen'"),
        ({"monotone": {"income": "up"}}, "'increase' or 'decrease', got 'up'"),
        ({"monotone": {"job": "increase"}}, "categories without an order"),
        ({"integer": ["job"]}, "hold categories"),
        ({"categorical": [["income", "children"]]}, "must be 0 or 1"),
        ({"categorical": ["job", "job"]}, "names a column twice"),
        ({"distance": "l1"}, "'distance' parameter"),
        ({"method": "magic"}, "'method' parameter"),
        ({"max_iter": 0}, "'max_iter' parameter"),
        ({"unfavorable": "no"}, "unfavorable='no' names a label"),
        ({"reference": np.zeros((3, 2))}, "reference must have the 6 columns"),
        ({"distance": lambda a, b: np.zeros(3), "max_iter": 1}, "must return an array of shape"),
    ],
)
def test_errors_name_the_parameter(arguments, message, network, people):
    with pytest.raises(ValueError, match=message):
        counterfactuals(network, people[0], **{"sensitive_columns": "sex"} | arguments)


def test_gradient_needs_something_to_differentiate(forest, people):
    with pytest.raises(ValueError, match="method='gradient' needs"):
        counterfactuals(forest, people[0], method="gradient")
    with pytest.raises(TypeError, match="bounds must be a dict"):
        counterfactuals(forest, people[0], bounds=[(0, 1)])


@pytest.mark.slow
def test_refused_applicants_of_adult(shared_data):
    """Raw table, text and missing values; sex, race and age never change."""
    data = fetch_adult(data_home=shared_data)
    X, y = data.data, (data.target == ">50K").to_numpy(int)
    numbers = X.select_dtypes("number").columns.tolist()
    words = [name for name in X.columns if name not in numbers]
    encode = make_column_transformer(
        (StandardScaler(), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
    )
    network = FaiRNClassifier(max_epochs=3, batch_size=1024, random_state=0)
    model = make_pipeline(encode, network)
    model.fit(X[:6000], y[:6000], fairnclassifier__sensitive_features=X["sex"][:6000])
    people = X[32_561:34_000]
    people = people[model.predict(people) == 0][:100]
    fixed = ["sex", "race", "age"]
    found = counterfactuals(
        model,
        people,
        sensitive_columns=fixed,
        bounds="observed",
        reference=X[:5000],
        random_state=0,
    )
    assert found.valid.mean() >= 0.99
    after = found.counterfactuals
    assert (model.predict(after[found.valid]) == 1).all()
    pd.testing.assert_frame_equal(after[fixed], people[fixed])
    assert (after.dtypes == people.dtypes).all()
    low = np.minimum(X[numbers][:5000].min().to_numpy(), people[numbers].to_numpy())
    high = np.maximum(X[numbers][:5000].max().to_numpy(), people[numbers].to_numpy())
    assert ((after[numbers] >= low) & (after[numbers] <= high)).to_numpy().all()
    for name in words:
        assert after[name].dropna().isin(X[name].dropna().unique()).all()
