"""Tables of polars and Arrow at every door, and what errors show of data."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skfair import DRAlignClassifier, FaiRNClassifier, LabelFlipClassifier, PenaltyClassifier
from skfair._columns import column_positions
from skfair._groups import as_frame, select_sensitive
from skfair._tables import as_pandas, as_table, brief, column_names, some
from skfair.datasets import make_biased_classification
from skfair.displays import RecourseGapDisplay, SensitivityDisplay, SubgroupDisplay
from skfair.metrics import (
    burden,
    decision_rationale_similarity,
    fairness_generalization,
    get_scorer,
    get_scorer_names,
    individual_fairness_violation,
    make_fairness_scorer,
    parity_score,
    prediction_sensitivity,
    probability_gap,
    recourse_gap,
    subgroup_report,
)

pl = pytest.importorskip("polars", reason="needs polars")
OF_NETWORKS = {"neg_parity_score", "decision_rationale_similarity"}


@pytest.fixture(scope="module", autouse=True)
def no_pyarrow():
    """polars must do without it, where it is installed, too."""

    class Hidden:
        @staticmethod
        def find_spec(name, *_):
            if name.split(".")[0] == "pyarrow":
                raise ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow")

    sys.meta_path.insert(0, Hidden)
    yield
    sys.meta_path.remove(Hidden)


def classifier(last):
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["sex"]), remainder="passthrough"
    )
    return make_pipeline(encode, last)


@pytest.fixture(scope="module")
def in_both():
    """People as pandas and as polars: X with a text column, y, groups, weights."""
    X, y, group = make_biased_classification(200, n_features=6, as_frame=True, random_state=0)
    group, y = np.asarray(group).astype(str), np.asarray(y)
    weights = np.random.default_rng(0).random(len(y))
    pandas = X.assign(sex=group), y, pd.Series(group, name="sex"), weights
    polars = (
        pl.DataFrame({name: pandas[0][name].to_list() for name in pandas[0]}),
        pl.Series("y", y),
        pl.Series("sex", list(group)),
        pl.Series("w", weights),
    )
    return pandas, polars


@pytest.fixture(scope="module")
def fitted(in_both):
    """A linear model and a network, fitted on each of the two."""
    models = []
    for X, y, group, _ in in_both:
        net = classifier(PenaltyClassifier(max_epochs=2, dtype="float64", random_state=0))
        net.fit(X, y, penaltyclassifier__sensitive_features=group)
        models.append((classifier(LogisticRegression()).fit(X, y), net))
    return models


def assert_same(fitted, in_both, function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, found = (
            function(*models, *people) for models, people in zip(fitted, in_both, strict=True)
        )
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("name", get_scorer_names())
def test_scorers_are_given_the_same_numbers(fitted, in_both, name):
    assert_same(
        fitted,
        in_both,
        lambda linear, net, X, y, group, w: get_scorer(name)(
            net if name in OF_NETWORKS else linear,
            X,
            y,
            sensitive_features=group,
            sample_weight=w,
        ),
    )


METRICS = {
    "recourse_gap": lambda m, n, X, y, g, w: recourse_gap(
        m.decision_function(X), sensitive_features=g, sample_weight=w
    ),
    "probability_gap": lambda m, n, X, y, g, w: probability_gap(
        m.decision_function(X), y, sensitive_features=g, criterion="equalized_odds"
    ),
    "parity_score": lambda m, n, X, y, g, w: parity_score(
        n, X, y, sensitive_features=g, method="taylor", sample_weight=w
    ),
    "similarity": lambda m, n, X, y, g, w: decision_rationale_similarity(
        n, X, y, sensitive_features=g
    ),
    "sensitivity": lambda m, n, X, y, g, w: prediction_sensitivity(m, X, sensitive_columns="sex"),
    "flip": lambda m, n, X, y, g, w: prediction_sensitivity(
        m, X, sensitive_columns=["sex"], method="flip"
    ),
    "individual": lambda m, n, X, y, g, w: (
        individual_fairness_violation(m, X, n_pairs=20, sample_weight=w, random_state=0).largest
    ),
    "burden": lambda m, n, X, y, g, w: burden(
        m, X, sensitive_features=g, sample_weight=w, random_state=0
    ),
    "generalization": lambda m, n, X, y, g, w: fairness_generalization(
        m,
        {
            "a": (X, y, g),
            "b": {"X": X, "y": y, "sensitive_features": g, "sample_weight": w},
        },
        ["accuracy", "selection_rate", "roc_auc"],
    ),
    "columns": lambda m, n, X, y, g, w: fairness_generalization(
        m, {"a": (X, y)}, sensitive_columns="sex"
    ),
    "subgroups": lambda m, n, X, y, g, w: subgroup_report(
        y, m.predict(X), sensitive_features=g, sample_weight=w, baseline=y
    ),
    "scorer": lambda m, n, X, y, g, w: make_fairness_scorer(
        "recourse_gap", sensitive_columns="sex"
    )(m, X, y),
}


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_given_the_same_numbers(fitted, in_both, name):
    assert_same(fitted, in_both, METRICS[name])


def test_displays_are_given_the_same_numbers(fitted, in_both):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    for function in (
        lambda m, n, X, y, g, w: RecourseGapDisplay.from_estimator(m, X, sensitive_features=g).gap,
        lambda m, n, X, y, g, w: (
            SubgroupDisplay.from_estimator(
                m, X, y, sensitive_features=g, metric="true_positive_rate"
            ).report
        ),
        lambda m, n, X, y, g, w: (
            SensitivityDisplay.from_estimator(m, X, sensitive_columns="sex").sensitivity
        ),
    ):
        assert_same(fitted, in_both, function)
    plt.close("all")


@pytest.mark.parametrize(
    "kind", [FaiRNClassifier, PenaltyClassifier, DRAlignClassifier, LabelFlipClassifier]
)
def test_networks_are_trained_to_the_same_weights(fitted, in_both, kind):
    def trained(m, n, X, y, g, w):
        model = kind(
            sensitive_columns="sex",
            drop_sensitive_columns=True,
            monitor="neg_demographic_parity_difference",
            max_epochs=2,
            random_state=0,
        )
        return model.fit(X, y, sensitive_features=g, sample_weight=w).predict_proba(X)

    assert_same(fitted, in_both, trained)


# -- single columns --------------------------------------------------------------------------------


def test_columns_keep_their_kind():
    table = pl.DataFrame(
        {
            "whole": [1, 2, 3],
            "missing": [1, None, 3],
            "text": ["x", None, "y"],
            "truth": [True, None, False],
            "kind": pl.Series(["u", "v", "u"], dtype=pl.Enum(["u", "v", "w"])),
        }
    )
    frame = as_pandas(table)
    assert list(frame.columns) == table.columns == column_names(table)
    assert frame["whole"].dtype == np.int64
    assert frame["missing"].isna().tolist() == [False, True, False]
    assert frame["text"].tolist()[::2] == ["x", "y"]
    assert frame["text"].isna()[1]
    assert frame["truth"].tolist() == [True, None, False]
    assert frame["kind"].cat.categories.tolist() == ["u", "v", "w"]
    assert as_frame(table.select("text")).isna().sum().item() == 1
    assert column_positions(table, ["truth", "whole"]) == [3, 0]
    assert select_sensitive(table, "kind")["kind"].tolist() == ["u", "v", "u"]


def test_a_series_brings_its_name():
    assert list(as_frame(pl.Series("sex", ["f", "m"])).columns) == ["sex"]
    assert list(as_frame(pl.Series(["f", "m"])).columns) == [0]


def test_lazy_tables_have_no_rows_yet():
    with pytest.raises(TypeError, match=r"lazy table \(LazyFrame\).*collect\(\) it"):
        as_frame(pl.LazyFrame({"sex": ["f", "m"]}))


class Duck:
    """Looks like a table, and is none."""

    columns, shape = ["a", "b"], (3, 2)
    iloc = loc = index = dtypes = None


@pytest.mark.parametrize(
    "X", [Duck(), 5, "text", [1, 2, 3], None, {"a": [1, 2]}], ids=lambda X: type(X).__name__
)
def test_what_is_no_table_is_called_so(fitted, X):
    linear = fitted[0][0]
    for function in (
        lambda: prediction_sensitivity(linear, X, sensitive_columns=0),
        lambda: individual_fairness_violation(linear, X),
        lambda: burden(linear, X, sensitive_features=["a", "b"]),
        lambda: as_table(X),
    ):
        with pytest.raises(ValueError, match="X must have two dimensions"):
            function()


# -- what errors show of data ----------------------------------------------------------------------

SECRET = "Ada Lovelace"


@pytest.mark.parametrize(
    "call",
    [
        lambda X, y: recourse_gap([SECRET] * 9, sensitive_features=y),
        lambda X, y: recourse_gap(X, sensitive_features=y),
        lambda X, y: recourse_gap(np.arange(9.0), sensitive_features=SECRET * 9),
        lambda X, y: recourse_gap(np.arange(9.0), sensitive_features=y, unfavorable=X["name"]),
        lambda X, y: probability_gap(
            np.arange(9.0), X["name"], sensitive_features=y, criterion="equalized_odds"
        ),
        lambda X, y: select_sensitive(X, X),
        lambda X, y: select_sensitive(X, X["name"].tolist()),
        lambda X, y: subgroup_report(
            X["name"], y, sensitive_features=y, metric="selection_rate", min_size=1
        ),
        lambda X, y: get_scorer("neg_demographic_parity_difference")(
            LogisticRegression().fit(X[["n"]], y), X[["n"]], X["name"], sensitive_features=y
        ),
        lambda X, y: get_scorer("neg_demographic_parity_difference")(X, X, y, sensitive_features=y),
        lambda X, y: individual_fairness_violation(
            LogisticRegression().fit(X[["n"]], y), X[["name"]].to_numpy()
        ),
        lambda X, y: parity_score(
            PenaltyClassifier(max_epochs=1).fit(X[["n"]], y, sensitive_features=y),
            X[["n"]],
            X["name"],
            sensitive_features=y,
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_no_error_prints_peoples_data(call):
    X = pd.DataFrame({"n": np.arange(9.0), "name": [f"{SECRET} {k}" for k in range(9)]})
    with pytest.raises((ValueError, TypeError)) as raised:
        call(X, np.arange(9) % 2)
    assert "Lovelace" not in str(raised.value)


def test_short_values_are_shown_and_data_described():
    assert [brief(v) for v in (3, "x", None, [1, 2], ("a",))] == [
        "3",
        "'x'",
        "None",
        "[1, 2]",
        "('a',)",
    ]
    assert brief(np.zeros((3, 2))) == "a ndarray of shape (3, 2)"
    assert brief(pd.DataFrame({"a": [1]})) == "a DataFrame of shape (1, 1)"
    assert brief(list(range(9))) == "a list of length 9"
    assert brief([[1], [2]]) == "a list of length 2"
    assert brief("x" * 99) == "a text of 99 characters"
    assert some([1, 2]) == "[1, 2]"
    assert some(list(range(6))) == "6 different ones"
