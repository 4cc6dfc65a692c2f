"""Counterfactuals for the tables that people have: kinds of columns, containers, odd shapes."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfair import FaiRNClassifier
from skfair.recourse import counterfactuals

NETWORK = {"max_epochs": 20, "lr": 0.01, "random_state": 0}


pytestmark = [
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
    pytest.mark.filterwarnings("ignore:pandas.DataFrame with sparse columns"),
]


class TestOnlyCategories:
    @pytest.fixture
    def table(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame(
            {"job": rng.choice(list("abc"), 200), "home": rng.choice(["own", "rent"], 200)}
        )
        return X, ((X.job == "a") | ((X.home == "own") & (X.job == "b"))).astype(int)

    @pytest.mark.parametrize("distance", ["mad_l1", "l2"])
    @pytest.mark.parametrize(
        "classifier",
        [
            LogisticRegression(),
            FaiRNClassifier(**NETWORK),
            RandomForestClassifier(5, random_state=0),
        ],
        ids=lambda classifier: type(classifier).__name__,
    )
    def test_the_fewest_categories_change_that_have_to(self, classifier, distance, table):
        X, y = table
        encode = make_column_transformer((OneHotEncoder(sparse_output=False), ["job", "home"]))
        model = make_pipeline(encode, classifier).fit(X, y)
        every = pd.DataFrame(itertools.product("abc", ["own", "rent"]), columns=X.columns)
        good = every[model.predict(every) == 1]
        found = counterfactuals(model, X, distance=distance, random_state=0)
        refused = X.iloc[found.refused]
        fewest = np.array([(good != row).sum(axis=1).min() for row in refused.to_numpy()])
        assert found.valid.all()
        assert len(found.valid)
        expected = fewest if distance == "mad_l1" else np.sqrt(2 * fewest)
        np.testing.assert_allclose(found.distance, expected)


def as_objects(dummies):
    return dummies.astype(bool).astype(object)


DRESSES = {
    "bool": lambda d: d.astype(bool),
    "boolean": lambda d: d.astype("boolean"),
    "objects": as_objects,
    "object numbers": lambda d: d.astype(int).astype(object),
    "uint8": lambda d: d.astype("uint8"),
    "Int8": lambda d: d.astype("Int8"),
    "float32": lambda d: d.astype("float32"),
}


class TestDummies:
    @pytest.fixture
    def table(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"job": rng.choice(list("abc"), 200), "x": rng.normal(size=200)})
        return X, (X.x + 3 * (X.job == "b") + 3 * (X.job == "c") > 2).astype(int)

    @pytest.mark.parametrize("drop_first", [False, True])
    @pytest.mark.parametrize("dress", DRESSES)
    def test_a_person_has_one_job_in_every_dress(self, dress, drop_first, table):
        X, y = table
        plain = pd.get_dummies(X, columns=["job"], dtype=int, drop_first=drop_first)
        jobs = [name for name in plain if name != "x"]
        model = LogisticRegression().fit(plain, y)
        dressed = plain.copy()
        for name in jobs:
            dressed[name] = DRESSES[dress](plain[name])
        expected = counterfactuals(model, plain, random_state=0)
        for categorical in (None, [jobs]):
            found = counterfactuals(model, dressed, categorical=categorical, random_state=0)
            after = found.counterfactuals
            assert found.valid.all()
            assert (after.dtypes == dressed.dtypes).all()
            assert {type(v) for v in after[jobs[0]]} == {type(v) for v in dressed[jobs[0]]}
            total = after[jobs].astype(int).sum(axis=1)
            assert total.isin([0, 1] if drop_first else [1]).all()
            np.testing.assert_allclose(found.distance, expected.distance)

    def test_dropping_the_first_category_loses_nothing(self, table):
        """Distances are those of the table that still has the words."""
        X, y = table
        words = make_column_transformer(
            (OneHotEncoder(drop="first"), ["job"]), remainder="passthrough"
        )
        model = make_pipeline(words, LogisticRegression()).fit(X, y)
        by_words = counterfactuals(model, X, random_state=0)
        coded = pd.DataFrame(words.transform(X), columns=["job_b", "job_c", "x"])
        by_dummies = counterfactuals(
            model[-1], coded.to_numpy(), categorical=[[0, 1]], random_state=0
        )
        np.testing.assert_allclose(by_dummies.distance, by_words.distance)
        back = counterfactuals(  # being none of them is something to become
            LogisticRegression().fit(coded, y == 0), coded, bounds={"x": (0, 0)}, random_state=0
        )
        assert (back.counterfactuals.loc[back.valid, ["job_b", "job_c"]].sum(axis=1) == 0).any()

    def test_a_row_without_a_category_among_complete_ones(self, table):
        X, y = table
        coded = pd.get_dummies(X, columns=["job"], dtype=int)
        coded.iloc[5, 1:] = 0
        model = RandomForestClassifier(5, random_state=0).fit(coded, y)
        for categorical in (None, [["job_a", "job_b", "job_c"]]):
            found = counterfactuals(
                model, coded, categorical=categorical, max_iter=10, random_state=0
            )
            assert (found.counterfactuals.iloc[:, 1:].sum(axis=1) <= 1).all()
            assert found.valid.all()

    @pytest.mark.parametrize("drop_first", [False, True])
    @pytest.mark.parametrize(
        ("name", "order"),
        [
            ("job_{}", [0, 1, 2, 3]),
            ("job={}", [0, 1, 2, 3]),
            ("job[T.{}]", [0, 1, 2, 3]),
            ("encode__job_{}", [0, 1, 2, 3]),
            ("job_{}", [1, 3, 0, 2]),  # other columns between them
        ],
    )
    def test_names_tell_whatever_categories_are_called(self, name, order, drop_first):
        """Sparse dummies of categories that have signs in their names themselves."""
        rng = np.random.default_rng(0)
        words = ["blue_collar", "not_in_force", "self-emp", "white_collar"]
        job = pd.Series(pd.Categorical(rng.choice(words, 200), words))
        coded = pd.get_dummies(job, sparse=True, drop_first=drop_first)
        coded = coded.rename(columns=name.format)
        X = pd.concat([coded, pd.DataFrame({"x": rng.normal(size=200)})], axis=1)
        X = X[[X.columns[k] for k in order if k < X.shape[1]] + list(X.columns[4:])]
        model = LogisticRegression().fit(X.astype(float), X.x + 2 * (job != "self-emp") > 1.5)
        found = counterfactuals(model, X, random_state=0)
        jobs = found.counterfactuals[coded.columns].astype(int).sum(axis=1)
        assert found.valid.all()
        assert set(jobs) == ({0, 1} if drop_first else {1})
        assert (found.counterfactuals.dtypes == X.dtypes).all()

    def test_flags_named_alike_are_no_category_where_somebody_has_both(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"has_car": rng.random(200) < 0.5, "has_job": rng.random(200) < 0.5})
        X["x"] = rng.normal(size=200)
        model = LogisticRegression().fit(X, X.x + X.has_car + X.has_job > 2)
        found = counterfactuals(model, X, actionable=["has_car", "has_job"], random_state=0)
        assert (found.counterfactuals.loc[found.valid, ["has_car", "has_job"]].all(axis=1)).any()

    def test_missing_truth_values_are_a_category(self, table):
        X, y = table
        X = X.assign(owner=pd.array(X.x > 0, dtype="boolean"))[["x", "owner"]]
        X.loc[::9, "owner"] = pd.NA
        model = make_pipeline(
            make_column_transformer((OneHotEncoder(), ["owner"]), remainder="passthrough"),
            LogisticRegression(),
        )
        X["owner"] = X["owner"].astype(object).where(X["owner"].notna(), None)
        found = counterfactuals(model.fit(X, y), X, random_state=0)
        before, after = X.owner.iloc[found.refused], found.counterfactuals.owner
        assert after.isin([True, False, None]).all()
        assert not (after.isna() & before.notna()).any()

    def test_columns_with_two_of_them_are_refused(self, table):
        X, y = table
        coded = pd.get_dummies(X, columns=["job"])
        model = LogisticRegression().fit(coded, y)
        coded.iloc[0, 1:] = True
        for names in (["job_a", "job_b"], ["x", "job_b"]):
            with pytest.raises(ValueError, match="categorical: .* must be 0 or 1, at most one"):
                counterfactuals(model, coded, categorical=[names])


class TestTypesOfNumbers:
    @pytest.fixture
    def table(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"a": rng.integers(0, 100, 200), "b": rng.integers(0, 6, 200)})
        return X, (X.a + 5 * X.b > 90).astype(int)

    @pytest.mark.parametrize("distance", ["mad_l1", "l2"])
    @pytest.mark.parametrize("dtype", ["int8", "uint8", "uint16", "uint64", "UInt8", "Int16"])
    def test_answers_are_those_of_wide_integers(self, dtype, distance, table):
        X, y = table
        settings_ = {"actionable": ["b"], "random_state": 0, "distance": distance}
        model = LogisticRegression(max_iter=2000).fit(X, y)
        wide = counterfactuals(model, X, **settings_)
        found = counterfactuals(model, X.astype(dtype), **settings_)
        assert found.valid.all()
        assert (found.counterfactuals.dtypes == dtype).all()
        np.testing.assert_array_equal(found.counterfactuals.astype(int), wide.counterfactuals)
        if dtype[0].islower():
            model.fit(X.to_numpy(), y)
            settings_["actionable"] = [1]
            found = counterfactuals(model, X.to_numpy().astype(dtype), **settings_)
            assert found.counterfactuals.dtype == dtype
            np.testing.assert_array_equal(found.counterfactuals.astype(int), wide.counterfactuals)

    @pytest.mark.parametrize("dtype", ["uint8", "int8", "UInt8", "float16"])
    @pytest.mark.parametrize("method", ["auto", "genetic"])
    def test_what_the_type_cannot_hold_is_no_answer(self, dtype, method):
        """More than the type's largest number, or less than its smallest, would be needed."""
        limits = np.finfo("float16") if dtype == "float16" else np.iinfo(dtype.lower())
        X = pd.DataFrame({"a": np.arange(100), "b": np.arange(100) % 7})
        model = LogisticRegression().fit(X, X.a > 50)
        for weight, threshold in ((1.0, float(limits.max) + 1), (-1.0, -float(limits.min) + 1)):
            model.coef_, model.intercept_ = np.array([[weight, 0.0]]), np.array([-threshold])
            for table in (X.astype(dtype), X.astype(dtype.lower()).to_numpy()):
                found = counterfactuals(model, table, method=method, max_iter=5, random_state=0)
                assert len(found.valid) == 100
                assert not found.valid.any()
            model.intercept_ += 1.5  # the last number that it holds is accepted
            found = counterfactuals(model, X.astype(dtype), method="auto", random_state=0)
            assert found.valid.all()

    @pytest.mark.parametrize("distance", ["mad_l1", "l2"])
    def test_wide_integers_do_not_drown_the_sums(self, distance):
        """A column without bounds, but with the limits of int64, beside one with narrow bounds."""
        X = pd.DataFrame({"a": [0, 10] * 20, "b": [0, 20] * 20})
        model = LogisticRegression().fit(X, X.a > 5)
        model.coef_, model.intercept_ = np.array([[1.0, 0.8]]), np.array([-30.5])
        settings_ = {"bounds": {"a": (0, 8)}, "distance": distance}
        found = counterfactuals(model, X, **settings_)
        wider = counterfactuals(model, X.astype(float), integer=["a", "b"], **settings_)
        assert found.valid.all()
        np.testing.assert_allclose(found.distance, wider.distance)
        steps = np.array(list(itertools.product(range(9), range(60))))
        good = steps @ [1.0, 0.8] > 30.5
        cost = (steps / [5, 10]).sum(axis=1) if distance == "mad_l1" else np.hypot(*steps.T)
        assert found.distance[0] == pytest.approx(cost[good].min())

    def test_integers_beyond_double_precision_stay_what_they_are(self):
        X = pd.DataFrame({"number": [2**60 + 1, 2**60 + 3] * 20, "v": np.arange(40.0)})
        model = LogisticRegression().fit(X.assign(number=0), X.v > 20)
        for table in (X, X.astype({"number": "Int64"})):
            found = counterfactuals(model, table, random_state=0)
            assert found.valid.all()
            assert not found.changed["number"].any()
            before = table["number"].iloc[found.refused]
            assert found.counterfactuals["number"].equals(before)

    def test_bounds_hold_in_single_precision(self):
        X = pd.DataFrame({"v": np.linspace(-1, 0, 30), "w": np.linspace(-1, 1, 30)}, dtype="f4")
        model = LogisticRegression().fit(X, X.w > 0)
        model.coef_, model.intercept_ = np.array([[1.0, 0.01]]), np.array([-0.05])
        found = counterfactuals(model, X, bounds={"v": (-0.1, 0.1)}, random_state=0)
        assert found.valid.all()
        assert found.counterfactuals["v"].astype(float).max() <= 0.1
        assert found.counterfactuals["v"].dtype == np.float32

    @pytest.mark.parametrize("distance", ["mad_l1", "l2"])
    def test_bounds_hold_to_the_last_bit(self, distance):
        rng = np.random.default_rng(0)
        X = rng.uniform(40, 1000, size=(300, 2))
        model = LogisticRegression().fit(X, X[:, 1] > 500)
        model.coef_, model.intercept_ = np.array([[-1.0, 0.1]]), np.array([-60.0])
        low = 42.212669540145484
        found = counterfactuals(model, X, bounds={0: (low, None)}, distance=distance)
        assert (found.counterfactuals[:, 0] >= low)[found.changed[0]].all()
        assert np.isclose(found.counterfactuals[:, 0], low).sum() > 100

    @pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", "Int64", object])
    def test_missing_values_leave_whole_numbers_whole(self, dtype, table):
        X, y = table
        holes = X.astype(dtype)
        holes.loc[::9, "b"] = None if dtype is object else pd.NA if dtype[0].isupper() else np.nan
        model = make_pipeline(
            make_column_transformer((SimpleImputer(), ["a", "b"])), LogisticRegression()
        ).fit(X.astype(float), y)
        found = counterfactuals(model, holes, random_state=0, actionable=["b"])
        after = found.counterfactuals["b"]
        assert found.valid.sum() > 50
        assert (after.dropna().astype(float) % 1 == 0).all()
        assert (found.counterfactuals.dtypes == holes.dtypes).all()
        assert after.isna().equals(holes["b"].iloc[found.refused].isna())
        if dtype == "float64":  # without missing values, or with a half, they are no whole numbers
            half = holes.copy()
            half.loc[1, "b"] = 0.5
            for other in (X.astype(float), half):
                found = counterfactuals(model, other, random_state=0, actionable=["b"])
                assert (found.counterfactuals["b"].dropna() % 1 > 0).any()


class TestContainers:
    @pytest.fixture
    def mixed(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame(
            {
                "age": rng.integers(20, 60, 150),
                "debt": rng.gamma(2.0, 10.0, 150).round(2),
                "job": rng.choice(list("abc"), 150),
                "owner": rng.random(150) < 0.4,
            }
        )
        X.index = pd.Index([f"p{i % 100}" for i in range(150)])  # with repeated labels
        return X, (X.age / 10 - X.debt / 10 + (X.job == "a") + X.owner > 3.5).to_numpy(int)

    @pytest.fixture
    def by_position(self):
        encode = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), [2, 3]), remainder="passthrough"
        )
        return make_pipeline(encode, LogisticRegression(max_iter=1000))

    def test_arrays_of_objects_are_read_column_by_column(self, mixed, by_position):
        X, y = mixed
        by_position.fit(X, y)
        expected = counterfactuals(by_position, X, random_state=0)
        assert expected.valid.all()
        objects = X.to_numpy(dtype=object)
        for table in (objects, objects.tolist(), X.astype(object), pd.DataFrame(objects)):
            found = counterfactuals(by_position.fit(table, y), table, random_state=0)
            np.testing.assert_allclose(found.distance, expected.distance, rtol=1e-4)
            after = pd.DataFrame(found.counterfactuals)
            after = after.set_axis(X.columns, axis=1).reset_index(drop=True)
            kinds = [{type(value) for value in after[name]} for name in X]
            assert kinds == [{int}, {float}, {str}, {bool}]
            pd.testing.assert_frame_equal(
                after.astype(expected.counterfactuals.dtypes),
                expected.counterfactuals.reset_index(drop=True),
                rtol=1e-4,
            )

    def test_arrays_of_text_hold_longer_words_of_the_reference(self):
        X = np.array([["a", "b"]] * 3, dtype="U1")
        reference = np.array([["a", "b"], ["long", "b"]])
        model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(reference, [0, 1])
        found = counterfactuals(model, X, reference=reference, random_state=0)
        assert found.valid.all()
        assert (found.counterfactuals[:, 0] == "long").all()
        assert found.counterfactuals.dtype.kind == "U"

    def test_results_carry_the_index(self, mixed, by_position):
        X, y = mixed
        found = counterfactuals(by_position.fit(X, y), X, random_state=0)
        assert found.counterfactuals.index.equals(X.index[found.refused])
        assert found.changed.index.equals(X.index[found.refused])
        differs = found.counterfactuals.ne(X.iloc[found.refused])
        pd.testing.assert_frame_equal(found.changed, differs)
        accepted = X[by_position.predict(X) == 1]
        nobody = counterfactuals(by_position, accepted)
        assert len(nobody.changed) == 0
        assert list(nobody.changed.columns) == list(X.columns)
        assert (nobody.counterfactuals.dtypes == X.dtypes).all()

    def test_one_person_is_answered_as_among_others(self, mixed, by_position):
        X, y = mixed
        by_position.fit(X, y)
        everybody = counterfactuals(by_position, X, random_state=0)
        for k in (0, 3, 7):
            row = everybody.refused[k]
            for one, reference in (
                (X.iloc[[row]], X),
                (X.iloc[[row]].to_numpy(dtype=object), X.to_numpy(dtype=object)),
            ):
                found = counterfactuals(by_position, one, reference=reference, random_state=0)
                assert found.refused.tolist() == [0]
                assert found.valid.all()
                assert found.distance[0] == pytest.approx(everybody.distance[k])
        alone = counterfactuals(by_position, X.iloc[[row]], random_state=0, max_iter=3)
        assert len(alone.valid) == 1

    @pytest.mark.parametrize("method", ["auto", "genetic"])
    def test_nothing_may_change(self, method, mixed, by_position):
        X, y = mixed
        by_position.fit(X, y)
        for actionable in ([], np.array([]), pd.Index([])):
            found = counterfactuals(by_position, X, actionable=actionable, method=method)
            assert not found.valid.any()
            assert np.isinf(found.distance).all()
            pd.testing.assert_frame_equal(found.counterfactuals, X.iloc[found.refused])
        coded = pd.get_dummies(X[["job"]])
        model = RandomForestClassifier(3, random_state=0).fit(coded, y)
        found = counterfactuals(model, coded, actionable=["job_a"], method=method)  # a part alone
        assert not found.valid.any()
        assert not found.changed.to_numpy().any()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"bounds": {"school": (0, 1)}}, r"bounds\['school'\] must be \(lowest, highest\) of"),
            ({"bounds": {"school": ("high", "low")}}, r"bounds\['school'\] must .* in the order"),
            ({"bounds": {"school": "high"}}, r"bounds\['school'\] must be \(lowest, highest\)"),
            ({"bounds": {"job_a": (0, 1)}, "categorical": ["job_a"]}, "without an order"),
            ({"monotone": {"job_a": "increase"}}, r"monotone\['job_a'\]: .* without an order"),
            ({"integer": ["school"]}, "integer: columns .* hold categories"),
            ({"reference": "empty"}, "reference must have at least one row"),
            ({"reference": "reversed"}, "reference must have the columns of X"),
            ({"reference": "text"}, "Column 'x' of reference does not hold numbers"),
        ],
    )
    def test_errors_name_what_is_wrong(self, arguments, message):
        rng = np.random.default_rng(0)
        school = pd.Categorical(rng.choice(["low", "high"], 50), ["low", "high"], ordered=True)
        job = rng.integers(0, 2, 50)
        X = pd.DataFrame({"school": school, "x": rng.normal(size=50), "job_a": job})
        X["job_b"] = 1 - X["job_a"]
        encode = make_column_transformer((OneHotEncoder(), ["school"]), remainder="passthrough")
        model = make_pipeline(encode, LogisticRegression()).fit(X, X.x > 0)
        tables = {"reversed": X[X.columns[::-1]], "text": X.assign(x="many"), "empty": X[:0]}
        if "reference" in arguments:
            arguments = {"reference": tables[arguments["reference"]]}
        with pytest.raises(ValueError, match=message):
            counterfactuals(model, X, **arguments)

    def test_an_order_is_kept_without_numbers(self):
        """Monotone on an ordered category, which is all there is."""
        levels = ["low", "middle", "high"]
        school = pd.Categorical(levels * 20, levels, ordered=True)
        X = pd.DataFrame({"school": school})
        encode = make_column_transformer((OneHotEncoder(), ["school"]))
        model = make_pipeline(encode, LogisticRegression()).fit(X, X.school == "middle")
        model[-1].coef_, model[-1].intercept_ = np.array([[-1.0, -1.0, 1.0]]), np.array([0.0])
        middle = model[0].get_feature_names_out()[[2]]
        assert "middle" in middle[0]
        found = counterfactuals(model, X, monotone={"school": "increase"}, random_state=0)
        low = (X.school.iloc[found.refused] == "low").to_numpy()
        np.testing.assert_array_equal(found.valid, low)  # from high there is no way down
        assert (found.counterfactuals.school[low] == "middle").all()

    @pytest.mark.parametrize("final", [LogisticRegression(), RandomForestClassifier(5)])
    def test_bounds_of_an_order_are_kept(self, final):
        """As by brute force: the nearest accepted level within the bounds, or none."""
        levels = ["none", "low", "middle", "high", "most"]
        school = pd.Series(pd.Categorical(levels * 20, levels, ordered=True))
        X = pd.DataFrame({"school": school, "v": np.arange(100) % 4})
        encode = make_column_transformer((OneHotEncoder(), ["school"]))
        model = make_pipeline(encode, final).fit(X, school.isin(["low", "most"]))
        for low, high, reached in (
            ("none", "middle", {"none": "low", "middle": "low", "high": "low"}),
            ("low", None, {"none": "low most", "middle": "low most", "high": "low most"}),
            ("middle", None, {"none": "low most", "middle": "most", "high": "most"}),
            (None, "low", {"none": "low", "middle": "low", "high": "low"}),
            ("middle", "high", {"none": "low"}),  # comes nearer
        ):
            found = counterfactuals(model, X, bounds={"school": (low, high)}, random_state=0)
            for own, after, valid in zip(
                school[found.refused], found.counterfactuals.school, found.valid, strict=True
            ):
                assert after in reached[own].split() if valid else own not in reached

    @pytest.mark.parametrize("estimator", [None, "model", KMeans(2), LogisticRegression()])
    def test_what_is_no_fitted_classifier_is_told(self, estimator):
        X = np.random.default_rng(0).normal(size=(20, 2))
        if isinstance(estimator, KMeans):
            estimator.fit(X)
        with pytest.raises((TypeError, ValueError), match="classifier|not fitted"):
            counterfactuals(estimator, X)

    def test_the_reference_comes_as_the_estimator_takes_X(self, mixed, by_position):
        """A table beside an array, and an array beside a table."""
        X, y = mixed
        by_name = make_pipeline(
            make_column_transformer((OneHotEncoder(), ["job", "owner"]), remainder="passthrough"),
            LogisticRegression(max_iter=1000),
        )
        for model, rows, reference in (
            (by_name.fit(X, y), X, X.to_numpy(dtype=object)),
            (by_position.fit(X.to_numpy(dtype=object), y), X.to_numpy(dtype=object), X),
        ):
            expected = counterfactuals(model, rows, random_state=0)
            found = counterfactuals(model, rows, reference=reference, random_state=0)
            np.testing.assert_allclose(found.distance, expected.distance)

    def test_predictions_in_a_column(self, mixed, by_position):
        X, y = mixed

        class Column(LogisticRegression):
            def predict(self, X):
                return super().predict(X)[:, None]

        numbers = X[["age", "debt"]]
        plain, column = (kind().fit(numbers, y) for kind in (LogisticRegression, Column))
        expected = counterfactuals(plain, numbers, random_state=0)
        found = counterfactuals(column, numbers, random_state=0)
        np.testing.assert_array_equal(found.refused, expected.refused)
        np.testing.assert_allclose(found.distance, expected.distance)
        several = MultiOutputClassifier(LogisticRegression()).fit(numbers, np.c_[y, y])
        with pytest.raises(ValueError, match="estimator must give one label a row"):
            counterfactuals(several, numbers)

    def test_entries_that_are_no_categories(self, mixed):
        X, y = mixed
        lists = X.assign(owner=[[True]] * len(X))
        chosen = make_column_transformer(("passthrough", ["age", "debt"]))
        model = make_pipeline(chosen, LogisticRegression(max_iter=1000)).fit(X, y)
        with pytest.raises(ValueError, match="Column 'owner' .* leave it out of actionable"):
            counterfactuals(model, lists)
        found = counterfactuals(model, lists, actionable=["age", "debt"], random_state=0)
        assert found.valid.all()
        assert found.counterfactuals.owner.tolist() == [[True]] * len(found.valid)

    def test_zero_and_one_with_bounds_are_numbers(self):
        """Few people have 0 or 1 children by chance; whoever gives bounds means a number."""
        X = pd.DataFrame({"children": [0, 1] * 20, "v": np.arange(40) % 3})
        model = LogisticRegression().fit(X, X.children)
        model.coef_, model.intercept_ = np.array([[1.0, 0.0]]), np.array([-2.5])
        found = counterfactuals(model, X, bounds={"children": (0, 4)}, random_state=0)
        assert (found.counterfactuals.children == 3).all()
        assert (counterfactuals(model, X, integer=["children"]).counterfactuals.children == 3).all()
        assert not counterfactuals(model, X, random_state=0).valid.any()

    @pytest.mark.parametrize("dtype", [int, bool])
    def test_zero_and_one_have_an_order(self, dtype):
        X = pd.DataFrame({"degree": np.array([0, 1] * 20, dtype=dtype), "v": np.arange(40) % 3})
        model = LogisticRegression().fit(X, X.degree)
        for way, weight in (("increase", 1.0), ("decrease", -1.0)):
            model.coef_, model.intercept_ = np.array([[weight, 0.0]]), np.array([-weight / 2])
            for allowed in ("increase", "decrease"):
                found = counterfactuals(model, X, monotone={"degree": allowed}, random_state=0)
                assert (found.valid == (way == allowed)).all()
                assert len(found.valid) == 20

    def test_a_category_of_which_there_is_only_one_level(self):
        """The refused and the reference all have it: nothing is there to be tried."""
        X = pd.DataFrame({"v": np.arange(40.0), "owner": True})
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, X.v > 20)
        found = counterfactuals(model, X, actionable=["owner"], random_state=0)
        assert len(found.valid)
        assert not found.valid.any()
        assert not found.changed.to_numpy().any()
