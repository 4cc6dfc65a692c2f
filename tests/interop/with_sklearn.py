"""scikit-learn."""

import numpy as np
import sklearn
import torch
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from skfair import FairFeaturesClassifier
from skfair.metrics import make_fairness_scorer, neg_recourse_gap_scorer
from skfair.model_selection import StratifiedSensitiveKFold

from .data import CODED, GROUP, NUMBERS, QUICK, TABLE, X, by_name, by_position, fair, plain, y
from .registry import row

SKLEARN = "scikit-learn"
POSITION = "``sensitive_columns=[0]``: a position, as there are no names inside"
GRID = {"lambda_fairness": [0.1, 0.5]}


def encoder(output):
    columns = make_column_transformer(
        (StandardScaler(), NUMBERS),
        ("passthrough", ["sex"]),
        verbose_feature_names_out=False,
    )
    return columns.set_output(transform=output)


@row(SKLEARN, "Pipeline, ColumnTransformer, pandas output", "``sensitive_columns`` by name")
def pandas_output():
    model = make_pipeline(encoder("pandas"), by_name()).fit(TABLE, y)
    assert model[-1].groups_ == ["man", "woman"]
    assert 0 <= model.score(TABLE, y) <= 1


@row(SKLEARN, "... polars output", "the same", needs="polars pyarrow")
def polars_output():
    model = make_pipeline(encoder("polars"), by_name()).fit(TABLE, y)
    other = make_pipeline(encoder("pandas"), by_name()).fit(TABLE, y)
    assert np.array_equal(model.predict_proba(TABLE), other.predict_proba(TABLE))


@row(SKLEARN, "sparse matrices", "are made dense, chunk by chunk in ``predict``")
def sparse_rows():
    dense = plain().fit(X, y).predict(X)
    assert np.array_equal(plain().fit(csr_array(X), y).predict(csr_array(X)), dense)


@row(SKLEARN, "GridSearchCV, RandomizedSearchCV", "groups by metadata routing, or by column")
def searches():
    with config_context(enable_metadata_routing=True):
        for search in (
            GridSearchCV(fair(), GRID, cv=2, scoring=neg_recourse_gap_scorer),
            RandomizedSearchCV(fair(), GRID, n_iter=1, cv=2, scoring=neg_recourse_gap_scorer),
        ):
            search.fit(X, y, sensitive_features=GROUP)
            assert np.isfinite(search.best_score_)
    scorer = make_fairness_scorer("recourse_gap", sensitive_columns=[0])
    assert np.isfinite(
        GridSearchCV(by_position(), GRID, cv=2, scoring=scorer).fit(CODED, y).best_score_
    )


@row(
    SKLEARN,
    "HalvingGridSearchCV",
    "``min_resources`` has to leave tens of rows of each group",
)
def halving():
    search = HalvingGridSearchCV(plain(), {"lr": [0.01, 0.1]}, cv=2, min_resources=60)
    assert search.fit(X, y).n_resources_


@row(SKLEARN, "cross_validate, cross_val_predict, cross_val_score", "groups in ``params=``")
def cross_validation():
    with config_context(enable_metadata_routing=True):
        params = {"sensitive_features": GROUP}
        cv = StratifiedSensitiveKFold(2)
        scores = cross_validate(fair(), X, y, params=params, scoring=neg_recourse_gap_scorer, cv=cv)
        assert np.isfinite(scores["test_score"]).all()
        assert cross_val_predict(fair(), X, y, params=params, cv=2).shape == y.shape
        assert cross_val_score(fair(), X, y, params=params, cv=2).shape == (2,)


@row(SKLEARN, "learning_curve, validation_curve, permutation_test_score", "groups by column")
def curves():
    sizes, _, scores = learning_curve(by_position(), CODED, y, cv=2, train_sizes=[0.5, 1.0])
    assert scores.shape == (len(sizes), 2)
    name = "lambda_fairness"
    scores = validation_curve(by_position(), CODED, y, param_name=name, param_range=[0, 1], cv=2)
    assert scores[1].shape == (2, 2)
    assert 0 < permutation_test_score(by_position(), CODED, y, cv=2, n_permutations=2)[2] <= 1


@row(SKLEARN, "CalibratedClassifierCV", "groups by routing or by column")
def calibration():
    assert 0 <= CalibratedClassifierCV(by_position(), cv=2).fit(CODED, y).score(CODED, y) <= 1
    with config_context(enable_metadata_routing=True):
        CalibratedClassifierCV(fair(), cv=2).fit(X, y, sensitive_features=GROUP)


@row(
    SKLEARN,
    "VotingClassifier, StackingClassifier",
    "by column; or routed, to the final one, too",
)
def ensembles():
    members = [("fair", by_position()), ("linear", LogisticRegression())]
    for model in (VotingClassifier(members, voting="soft"), StackingClassifier(members, cv=2)):
        assert 0 <= model.fit(CODED, y).score(CODED, y) <= 1


@row(SKLEARN, "BaggingClassifier", f"{POSITION}; not with ``max_features``")
def bagging():
    model = BaggingClassifier(by_position(), n_estimators=2, random_state=0).fit(CODED, y)
    assert [len(member.groups_) for member in model.estimators_] == [2, 2]


@row(SKLEARN, "AdaBoostClassifier", POSITION)
def boosting():
    model = AdaBoostClassifier(by_position(max_epochs=10, lr=0.01), n_estimators=2, random_state=0)
    model.fit(CODED, y)
    assert all(member.groups_ == [0.0, 1.0] for member in model.estimators_)


@row(SKLEARN, "SelfTrainingClassifier", POSITION)
def self_training():
    labels = np.where(np.arange(len(y)) < 100, y, -1)
    model = SelfTrainingClassifier(by_position(), max_iter=1).fit(CODED, labels)
    assert model.estimator_.groups_ == [0.0, 1.0]


@row(SKLEARN, "OneVsRest, OneVsOne, OutputCode", POSITION)
def several_classes():
    target = np.digitize(X[:, 0], [-0.5, 0.5])
    for kind in (OneVsRestClassifier, OneVsOneClassifier, OutputCodeClassifier):
        assert set(kind(by_position()).fit(CODED, target).predict(CODED)) <= {0, 1, 2}


@row(SKLEARN, "MultiOutputClassifier, ClassifierChain", POSITION)
def several_outputs():
    target = np.column_stack([y, X[:, 0] > 0]).astype(int)
    for model in (MultiOutputClassifier(by_position()), ClassifierChain(by_position())):
        assert model.fit(CODED, target).predict(CODED).shape == target.shape


@row(SKLEARN, "TunedThresholdClassifierCV, FrozenEstimator", "the scorers know the threshold")
def thresholds():
    model = TunedThresholdClassifierCV(by_position(), cv=2).fit(CODED, y)
    scorer = make_fairness_scorer("recourse_gap", sensitive_columns=[0])
    assert np.isfinite(scorer(model, CODED, y))
    frozen = FrozenEstimator(by_position().fit(CODED, y))
    assert TunedThresholdClassifierCV(frozen, cv="prefit", refit=False).fit(CODED, y)


@row(SKLEARN, "permutation_importance, partial_dependence", "")
def inspection():
    model = by_position().fit(CODED, y)
    assert permutation_importance(model, CODED, y, n_repeats=2).importances_mean[0] == 0
    assert partial_dependence(model, CODED, [1])["average"].shape[0] == 1


@row(SKLEARN, "SequentialFeatureSelector", "a network as the judge of columns")
def selection():
    selector = SequentialFeatureSelector(plain(max_epochs=1), n_features_to_select=1, cv=2)
    assert selector.fit(X[:, :2], y).get_support().sum() == 1


@row(
    SKLEARN,
    "transformers of networks",
    "``FairFeaturesClassifier``, in a FeatureUnion as well",
)
def transformers():
    union = FeatureUnion(
        [("fair", FairFeaturesClassifier(**QUICK)), ("same", FunctionTransformer())]
    )
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(union, LogisticRegression()).fit(X, y, sensitive_features=GROUP)
    assert model.predict(X).shape == y.shape


@row(SKLEARN, "HTML of estimators, clone, get_params, set_params", "")
def representation():
    model = make_pipeline(StandardScaler(), fair(lambda_fairness=0.25))
    assert "lambda_fairness" in model._repr_html_()
    copied = sklearn.clone(model).set_params(fairnclassifier__net_params__optimizer__eps=1e-9)
    assert copied.get_params()["fairnclassifier__net_params__optimizer__eps"] == 1e-9


@row(
    SKLEARN,
    "text columns by OneHotEncoder",
    "columns made of a sensitive one are found by its name",
)
def one_hot():
    columns = make_column_transformer(
        (OneHotEncoder(sparse_output=False), make_column_selector(dtype_exclude=float)),
        (StandardScaler(), NUMBERS),
    ).set_output(transform="pandas")
    assert len(make_pipeline(columns, by_name()).fit(TABLE, y)[-1].groups_) == 2


@row(
    SKLEARN,
    "callbacks (from 1.9)",
    "``set_callbacks``: an epoch is a task",
    needs="sklearn.callback",
)
def callbacks():
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring="accuracy")
    plain().set_callbacks(monitor).fit(X, y)
    assert len(monitor.get_logs().data) == 3


@row(SKLEARN, "torch tensors", "in, from any device; with ``array_api_dispatch`` out as well")
def tensors():
    rows, target = torch.tensor(X), torch.tensor(y)
    model = plain().fit(rows, target)
    assert isinstance(model.predict_proba(rows), np.ndarray)


@row("pandas, polars", "tables", "groups of pandas and polars, too", needs="polars narwhals")
def tables():
    import polars

    frame = polars.from_dicts(TABLE.to_dict("records"))
    model = by_name().fit(frame, y)
    assert np.array_equal(model.predict(frame), by_name().fit(TABLE, y).predict(TABLE))
    numbers = frame.select(NUMBERS)
    assert fair().fit(numbers, y, sensitive_features=frame["sex"]).groups_ == ["man", "woman"]
