"""Searches, clusters, files, and tools around models."""

import io
import pickle

import joblib
import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skfair.audit._command import main
from skfair.persistence import dump, load

from .data import CODED, GROUP, NUMBERS, TABLE, X, by_name, by_position, fair, plain, y
from .registry import row

GRID = {"lambda_fairness": [0.1, 0.5]}
IMBALANCED = "imbalanced-learn"


def searched(backend, **params):
    reference = GridSearchCV(by_position(), GRID, cv=2).fit(CODED, y)
    with joblib.parallel_config(backend, **params):
        found = GridSearchCV(by_position(), GRID, cv=2).fit(CODED, y)
    assert np.array_equal(
        found.cv_results_["mean_test_score"], reference.cv_results_["mean_test_score"]
    )


@row("joblib", "processes and threads", "the same results")
def joblib_backends():
    searched("threading", n_jobs=2)
    searched("multiprocessing", n_jobs=2)  # loky's processes take seconds to start


@row(
    "dask",
    "joblib's backend",
    "what a killed worker had is lost: see below",
    needs="distributed",
)
def dask():
    from distributed import Client

    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None):
        searched("dask")


@row(
    "ray",
    "joblib's backend",
    "after ``ray.util.joblib.register_ray()``",
    needs="ray",
)
def ray():
    from ray.util.joblib import register_ray

    register_ray()
    assert "ray" in joblib.parallel.BACKENDS


@row("Optuna", "``study.optimize``, ``ask`` and ``tell``", "", needs="optuna")
def optuna():
    import optuna

    def error(trial):
        weight = trial.suggest_float("lambda_fairness", 0.0, 1.0)
        return 1 - by_position(lambda_fairness=weight).fit(CODED, y).score(CODED, y)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(error, n_trials=2)
    assert 0 <= study.best_value <= 1


@row("pickle, joblib, cloudpickle", "files", "scripts by the last", needs="cloudpickle")
def pickles():
    import cloudpickle

    model, file = fair().fit(X, y, sensitive_features=GROUP), io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    own = plain(module=lambda n, k: model.module_.__class__(n, k, (2,))).fit(X, y)
    for first, again in (
        (model, pickle.loads(pickle.dumps(model))),
        (model, joblib.load(file)),
        (own, pickle.loads(cloudpickle.dumps(own))),
    ):
        assert np.array_equal(first.predict_proba(X), again.predict_proba(X))


@row("skops", "files that run no code", ":doc:`persistence`", needs="skops")
def skops(folder):
    model = fair().fit(X, y, sensitive_features=GROUP)
    dump(model, folder / "model.skops")
    assert np.array_equal(load(folder / "model.skops").predict_proba(X), model.predict_proba(X))


@row("MLflow", "``mlflow.sklearn.save_model``", "", needs="mlflow opentelemetry")
def mlflow(folder):
    import mlflow

    model = fair().fit(X, y, sensitive_features=GROUP)
    mlflow.sklearn.save_model(
        model,
        folder / "model",
        serialization_format="cloudpickle",
        pip_requirements=["skfair-torch"],  # what it would ask pip for takes half a minute
    )
    again = mlflow.sklearn.load_model(folder / "model")
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


@row(
    "Parquet",
    "``python -m skfair audit table.parquet``",
    "with pyarrow",
    needs="pyarrow matplotlib",
)
def parquet(folder):
    table = TABLE.assign(paid=y)
    table.to_parquet(folder / "table.parquet")
    dump(make_pipeline(by_name()).fit(TABLE, y), folder / "model.skops")
    model = ["--model", str(folder / "model.skops"), "--quiet"]
    options = ["--target", "paid", "--positive", "1", "--sensitive", "sex"]
    out = ["--out", str(folder / "audit.html")]
    assert main(["audit", str(folder / "table.parquet"), *options, *model, *out]) == 0


@row(
    IMBALANCED,
    "RandomOverSampler in its pipeline",
    "by position; not SMOTE: see below",
    needs="imblearn",
)
def over_sampling():
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.pipeline import make_pipeline as make_sampling_pipeline

    rare = np.where(np.arange(len(y)) % 3 == 0, y, 0)
    model = make_sampling_pipeline(RandomOverSampler(random_state=0), by_position())
    assert model.fit(CODED, rare)[-1].groups_ == [0.0, 1.0]


@row(
    IMBALANCED,
    "SMOTENC",
    "sensitive columns are categorical ones",
    needs="imblearn",
)
def synthetic_rows():
    from imblearn.over_sampling import SMOTENC
    from imblearn.pipeline import make_pipeline as make_sampling_pipeline

    rare = np.where(np.arange(len(y)) % 3 == 0, y, 0)
    sampler = SMOTENC(categorical_features=[0], random_state=0)
    model = make_sampling_pipeline(sampler, by_position()).fit(CODED, rare)
    assert model[-1].groups_ == [0.0, 1.0]


@row(
    IMBALANCED,
    "BalancedBaggingClassifier",
    "by position; not with ``max_features``",
    needs="imblearn",
)
def balanced_bagging():
    from imblearn.ensemble import BalancedBaggingClassifier

    model = BalancedBaggingClassifier(by_position(), n_estimators=2, random_state=0)
    model.fit(CODED, y)
    assert all(member[-1].groups_ == [0.0, 1.0] for member in model.estimators_)


@row("skrub", "TableVectorizer, tabular_pipeline", "``sensitive_columns`` by name", needs="skrub")
def skrub():
    from skrub import TableVectorizer, tabular_pipeline

    model = make_pipeline(TableVectorizer(), by_name()).fit(TABLE, y)
    assert len(model[-1].groups_) == 2
    assert 0 <= tabular_pipeline(plain()).fit(TABLE, y).score(TABLE, y) <= 1


@row("Feature-engine", "transformers of tables", "", needs="feature_engine")
def feature_engine():
    from feature_engine.discretisation import EqualWidthDiscretiser

    model = make_pipeline(EqualWidthDiscretiser(variables=NUMBERS), by_name()).fit(TABLE, y)
    assert 0 <= model.score(TABLE, y) <= 1


@row("MAPIE", "SplitConformalClassifier", "around a fitted network", needs="mapie")
def mapie():
    from mapie.classification import SplitConformalClassifier

    model = fair().fit(X[:100], y[:100], sensitive_features=GROUP[:100])
    conformal = SplitConformalClassifier(estimator=model, prefit=True).conformalize(
        X[100:], y[100:]
    )
    assert conformal.predict_set(X)[1].shape[:2] == (200, 2)


@row(
    "DiCE",
    "counterfactuals",
    "``backend='sklearn'``",
    needs="dice_ml raiutils",
)
def dice():
    import dice_ml

    table = pd.DataFrame(X, columns=NUMBERS)
    model = fair(max_epochs=10).fit(table, y, sensitive_features=GROUP)
    data = dice_ml.Data(dataframe=table.assign(y=y), continuous_features=NUMBERS, outcome_name="y")
    explainer = dice_ml.Dice(data, dice_ml.Model(model=model, backend="sklearn"), method="random")
    refused = table[model.predict(table) == 0][:1]
    found = explainer.generate_counterfactuals(
        refused, total_CFs=1, desired_class="opposite", random_seed=0
    )
    assert len(found.cf_examples_list) == 1
