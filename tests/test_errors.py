"""Bad input: the message names the parameter, what was received and what would do."""

from __future__ import annotations

import re
import traceback

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from torch import nn

from skfair import FaiRNClassifier, PenaltyClassifier

PARAMETERS = [
    ({"lambda_fairness": -0.1}, r"'lambda_fairness'.*range \[0.0, inf\).*Got -0.1"),
    ({"lambda_robustness": -1}, r"'lambda_robustness'.*Got -1"),
    ({"lambda_fairness": "much"}, r"'lambda_fairness'.*Got 'much'"),
    ({"distance": "cosine"}, r"'distance'.*'gradient'.*Got 'cosine'"),
    ({"attributes": "product"}, r"'attributes'.*'intersection'.*Got 'product'"),
    ({"robustness": "max"}, r"'robustness'.*'inverse_mean'.*Got 'max'"),
    ({"activation": "swish"}, r"'activation'.*'relu'.*Got 'swish'"),
    ({"optimizer": "adamm"}, r"'optimizer'.*'adam'.*Got 'adamm'"),
    ({"batch_size": 0}, r"'batch_size'.*-1.*Got 0"),
    ({"batch_size": 2.5}, r"'batch_size'.*Got 2.5"),
    ({"lr": 0.0}, r"'lr'.*Got 0.0"),
    ({"max_epochs": 0}, r"'max_epochs'.*Got 0"),
    ({"dropout": 1.0}, r"'dropout'.*Got 1.0"),
    ({"warmup": 1.5}, r"'warmup'.*Got 1.5"),
    ({"validation_fraction": 0}, r"'validation_fraction'.*Got 0"),
    ({"dtype": "float16"}, r"'dtype'.*'float64'.*Got 'float16'"),
    ({"class_weight": "equal"}, r"'class_weight'.*'balanced'.*Got 'equal'"),
    ({"hidden_layer_sizes": (8, 0)}, r"hidden_layer_sizes.*positive.*\(8, 0\)"),
    ({"hidden_layer_sizes": (8.5,)}, r"hidden_layer_sizes.*positive.*8.5"),
    ({"device": "cuda:99"}, r"device='cuda:99' is not available.*'cpu'"),
    ({"device": "gpu"}, r"device='gpu' is not available.*'auto'.*'cpu'"),
    ({"unfavorable": "never"}, r"unfavorable='never'.*classes \[0, 1\]"),
    ({"unfavorable": [0, 1]}, r"unfavorable=\[0, 1\].*not all"),
    ({"monitor": "acuracy"}, r"monitor='acuracy' is no scorer.*neg_recourse_gap"),
    ({"monitor": "valid_loss"}, r"monitor='valid_loss' is no scorer.*watched with monitor=None"),
    ({"monitor": lambda row: row["los"]}, r"monitor=.*asks for 'los'.*'train_loss'.*'valid_loss'"),
    ({"monitor": lambda row: None}, r"monitor=.*must return a number, got None"),
    ({"monitor": lambda row: np.zeros(2)}, r"monitor=.*must return a number, got a ndarray"),
    ({"monitor": lambda row: float("nan")}, r"monitor=.*it is NaN"),
    ({"monitor": max}, r"monitor=.*scorer \(estimator, X, y\) or a function of an epoch's row"),
    ({"sensitive_columns": 17}, r"sensitive_columns=17.*6 columns without names"),
    ({"sensitive_columns": "sex"}, r"sensitive_columns='sex'.*6 columns without names"),
    ({"drop_sensitive_columns": True}, "needs sensitive_columns"),
    ({"sensitive_columns": slice(None), "drop_sensitive_columns": True}, "leaves no feature"),
    ({"net_params": {"max_epochs": 3, "lr": 1}}, r"net_params.*\['lr', 'max_epochs'\]"),
]
NAMES = [re.sub(" at 0x[0-9a-f]+", "", str(params)) for params, _ in PARAMETERS]


def test_an_unknown_parameter_is_named_with_one_spelt_alike():
    with pytest.raises(TypeError, match="^PenaltyClassifier has no parameter 'alfa'; .*'alpha'"):
        PenaltyClassifier(alfa=2)
    with pytest.raises(TypeError, match=r"^FaiRNClassifier has no parameter 'smoothing'\.$"):
        FaiRNClassifier(max_epochs=2, smoothing=1)


@pytest.mark.parametrize(("params", "message"), PARAMETERS, ids=NAMES)
def test_bad_parameters_are_named(biased, params, message):
    X, y, group = biased
    model = FaiRNClassifier(**({"max_epochs": 2} | params))
    sensitive = None if "sensitive_columns" in params else group
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, y, sensitive_features=sensitive)
    with pytest.raises(NotFittedError):
        model.predict(X)


def spoil(X, value):
    X = X.copy()
    X[3, 1] = value
    return X


def with_entry(values, entry):
    values = values.astype(object)
    values.flat[7] = entry
    return values


DATA = [
    (lambda X, y, g: (spoil(X, np.nan), y, g), "Input X contains NaN"),
    (lambda X, y, g: (spoil(X, np.inf), y, g), "Input X contains infinity"),
    (lambda X, y, g: (spoil(X, 1e300), y, g), "too large for dtype"),
    (lambda X, y, g: (X, np.zeros(len(y)), g), "one class"),
    (lambda X, y, g: (X, y + 0.5 * X[:, 0], g), "Unknown label type: continuous"),
    (lambda X, y, g: (X, y[:-2], g), "X and y must have the same length, got 600 and 598"),
    (lambda X, y, g: (X, y, np.full(len(g), "a")), r"only one group \(\['a'\]\)"),
    (lambda X, y, g: (X, y, g[:-5]), "got 595 rows for 600 samples"),
    (lambda X, y, g: (X, y, X[:, 0]), "continuous.*pandas.cut"),
    (lambda X, y, g: (X, y, np.arange(len(g)) // 10), "60 groups, more than 50"),
    (lambda X, y, g: (X, y, X[:, :0]), "no columns"),
    (lambda X, y, g: (X[:, 0], y, g), "Expected 2D array"),
    (lambda X, y, g: (X.reshape(600, 3, 2), y, g), "dim 3"),
    (lambda X, y, g: (X[:0], y[:0], g[:0]), "0 sample"),
    (lambda X, y, g: (with_entry(X, pd.NA), y, g), "contains NaN: columns 1"),
    (lambda X, y, g: (X + 1j, y, g), "Complex data not supported: column 0 of X"),
    (lambda X, y, g: (X, with_entry(y, pd.NA), g), "y: boolean value of NA"),
]


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize(("change", "message"), DATA, ids=[message for _, message in DATA])
def test_bad_data_are_named(biased, change, message):
    X, y, group = change(*biased)
    model = FaiRNClassifier(module="mlp", max_epochs=2)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, y, sensitive_features=group)
    assert not hasattr(model, "net_")
    assert not hasattr(model, "n_features_in_")


def test_unknown_column_lists_those_there_are(biased_frame):
    X, y = biased_frame
    with pytest.raises(ValueError, match=r"no column 'gender'; its columns are \['x0'.*'sex'\]"):
        FaiRNClassifier(sensitive_columns="gender").fit(X, y)


def test_text_in_X_says_what_to_do(biased_frame):
    X, y = biased_frame
    message = "The column 'sex' does not.*OneHotEncoder.*drop_sensitive_columns=True"
    with pytest.raises(ValueError, match=message):
        FaiRNClassifier(module="mlp", sensitive_columns="sex").fit(X, y)


def test_negative_weights_are_refused(biased):
    X, y, group = biased
    with pytest.raises(ValueError, match="Negative values"):
        FaiRNClassifier().fit(X, y, sensitive_features=group, sample_weight=-np.ones(len(y)))


def too_wide(n_features, n_outputs):
    return nn.Linear(n_features, n_outputs + 1)


def test_module_of_the_wrong_width_is_refused(biased):
    X, y, group = biased
    with pytest.raises(ValueError, match=r"shape \(n_samples, 2\).*returned \(2, 3\)"):
        FaiRNClassifier(module=too_wide).fit(X, y, sensitive_features=group)


def test_module_of_another_signature_is_refused(biased):
    X, y, group = biased
    with pytest.raises(TypeError, match=r"module must be callable as \(n_features, n_outputs\)"):
        FaiRNClassifier(module=lambda n_features: nn.Linear(n_features, 2)).fit(
            X, y, sensitive_features=group
        )


def test_module_instance_is_refused(biased):
    X, y, group = biased
    with pytest.raises(TypeError, match="got the instance Linear"):
        FaiRNClassifier(module=nn.Linear(6, 2)).fit(X, y, sensitive_features=group)


def test_a_loss_that_becomes_nan_stops_training_with_advice(biased):
    X, y, group = biased
    model = FaiRNClassifier(lr=1e30, max_epochs=20)
    with pytest.raises(ValueError, match=r"(?s)the loss became .*lower lr \(now 1e\+30\)"):
        model.fit(X, y, sensitive_features=group)
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert not hasattr(model, "classes_")


def test_prediction_checks_the_number_of_features(biased):
    X, y, group = biased
    model = FaiRNClassifier(max_epochs=5, random_state=0).fit(X, y, sensitive_features=group)
    with pytest.raises(ValueError, match="X has 5 features, but FaiRNClassifier is expecting 6"):
        model.predict(X[:, :5])


def test_warm_start_with_other_classes_is_refused(biased):
    X, y, group = biased
    model = FaiRNClassifier(max_epochs=5, warm_start=True, random_state=0)
    model.fit(X, y, sensitive_features=group)
    with pytest.raises(ValueError, match=r"classes \[5\].*not among \[0, 1\]"):
        model.fit(X, np.where(y == 1, 5, 0), sensitive_features=group)


@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_a_single_weight_that_is_no_number_is_refused(biased, weight):
    X, y, group = biased
    with pytest.raises(ValueError, match="sample_weight contains"):
        FaiRNClassifier().fit(X, y, sensitive_features=group, sample_weight=weight)


@pytest.mark.parametrize("argument", ["X", "y", "sample_weight"])
def test_errors_show_nothing_of_the_data(biased, argument):
    X, y, group = biased
    given_arguments = {"X": X, "y": y, "sample_weight": np.ones(len(y))}
    given_arguments[argument] = with_entry(given_arguments[argument], "Ada Lovelace")
    with pytest.raises(ValueError, match=argument) as caught:
        FaiRNClassifier().fit(**given_arguments, sensitive_features=group)
    assert "Lovelace" not in "".join(traceback.format_exception(caught.value))
    one = FaiRNClassifier(max_epochs=1).fit(X, y, sensitive_features=group)
    with pytest.raises(ValueError, match=r"(?s)X: Expected 2D array.*Reshape your data") as caught:
        one.predict(np.full(6, 1234.5))
    assert "1234" not in str(caught.value)
