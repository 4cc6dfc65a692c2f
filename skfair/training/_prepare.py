"""From what the user passes to checked arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing, assert_all_finite, check_array, column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, _num_samples, validate_data

from .._columns import column_positions
from .._groups import (
    GroupEncoder,
    as_frame,
    select_sensitive,
    warn_of_few,
    warn_of_fractions,
    warn_of_order,
)
from .._tables import naming, some

ENCODE = (
    "Encode it with a OneHotEncoder in a ColumnTransformer; a sensitive column of text may stay in "
    "X if it is named in sensitive_columns and drop_sensitive_columns=True."
)


@dataclass(frozen=True)
class Targets:
    """What y may be.

    Attributes
    ----------
    multi_class : bool, default=True
        Whether there may be more than two classes.
    multi_label : bool, default=False
        Whether a row may have several labels, y being of shape (n, n_labels).
    hint : str, default=""
        What an error says to somebody with more than two classes.
    """

    multi_class: bool = True
    multi_label: bool = False
    hint: str = ""


@dataclass
class TrainingData:
    """Checked training data, row by row.

    Attributes
    ----------
    raw : array-like of shape (n, n_features_in_)
        X as the user passed it.
    X : ndarray of shape (n, ...)
        What the network sees; as passed, less dropped columns, if there is none.
    y : int64 ndarray of shape (n,) or (n, n_labels)
        Class codes.
    weights : ndarray of shape (n,) or None
        Positive weights.
    groups : int64 ndarray of shape (n, n_attributes) or None
        Group codes.
    sensitive_features : pandas.DataFrame or None
        What the codes stand for.
    """

    raw: Any
    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    groups: np.ndarray | None
    sensitive_features: pd.DataFrame | None

    def without_zero_weights(self) -> TrainingData:
        """Leave out rows of weight zero: that is the same as absence."""
        if self.weights is None or self.weights.all():
            return self
        rows = np.flatnonzero(self.weights)
        sensitive = self.sensitive_features
        return TrainingData(
            take(self.raw, rows),
            take(self.X, rows),
            self.y[rows],
            self.weights[rows],
            None,
            None if sensitive is None else sensitive.iloc[rows].reset_index(drop=True),
        )

    def arrays(self, aside: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """What travels in a batch; ``aside`` are the rows that are not classified."""
        arrays = {"X": self.X, "y": self.y, "groups": self.groups}
        if aside is not None:
            arrays["held_out"] = np.isin(np.arange(len(self.y)), aside)
        if self.weights is not None:
            arrays["weights"] = self.weights.astype(self.X.dtype)
        return {name: values for name, values in arrays.items() if values is not None}


def prepare(
    estimator: Any,
    X: Any,
    y: Any,
    sensitive_features: Any,
    sample_weight: Any,
    classes: Any,
    resume: bool,
    partial: bool,
) -> TrainingData:
    """Check training data and set what ``estimator`` learns from them alone.

    That is ``n_features_in_``, ``feature_names_in_``, ``classes_`` and ``groups_``; with
    ``resume`` they are kept, and the data must agree with them. Are the rows only ``partial``, new
    groups are added to those known before.
    """
    keep_groups = partial and resume
    warn_of_order(X, y=y, sensitive_features=sensitive_features, sample_weight=sample_weight)
    raw, y = check_table(estimator, X, y, reset=not resume)
    y, multi_label = _check_target(estimator, y)
    if not resume:
        estimator._multi_label = multi_label
    elif multi_label != estimator._multi_label:
        raise ValueError("y must be of the same kind in every call, one label a row or several.")
    if not resume:
        estimator._kept_columns = kept_columns(estimator, raw)
    if sensitive_features is None and estimator.sensitive_columns is not None:
        sensitive_features = select_sensitive(raw, estimator.sensitive_columns)
    trains_network = getattr(estimator, "estimator", None) is None
    if trains_network:
        dtype = estimator._trained_dtype if resume else estimator.dtype
        X = prepare_X(estimator, raw, [np.dtype(dtype)], fitted=resume)
    else:
        X = kept(estimator, raw)
    n_samples = _num_samples(X)
    if len(y) != n_samples:
        raise ValueError(f"X and y must have the same length, got {n_samples} and {len(y)}.")

    if sensitive_features is not None:
        sensitive_features = as_frame(sensitive_features, n_samples)

    weights = None
    if sample_weight is not None:
        with naming("sample_weight"):
            weights = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            assert_all_finite(weights, input_name="sample_weight")  # of a single number, too
    data = TrainingData(raw, X, y, weights, None, sensitive_features).without_zero_weights()
    encode = _encode_several if multi_label else _encode_labels
    data.y = encode(estimator, data.y, classes, resume)
    if estimator.class_weight is not None:
        labels = data.y if multi_label else estimator.classes_[data.y]
        factors = compute_sample_weight(estimator.class_weight, labels)
        if not (np.isfinite(factors).all() and (factors >= 0).all()):
            raise ValueError(
                "class_weight must hold non-negative finite numbers, got "
                f"{estimator.class_weight!r}."
            )
        data.weights = factors if data.weights is None else _multiply(data.weights, factors)
        data = data.without_zero_weights()
    if data.weights is not None and trains_network:
        # only ratios matter; large or tiny ones must fit a float32
        data.weights = data.weights / data.weights.max()
        data.weights /= data.weights.mean()
        if data.weights.min() < np.finfo(data.X.dtype).tiny:
            raise ValueError(
                f"sample_weight and class_weight together span more than {data.X.dtype} can hold: "
                f"the least is {data.weights.min() / data.weights.max():.0e} of the greatest. Give "
                "what hardly counts a weight of 0, which leaves it out."
            )
    data.groups = _encode_groups(estimator, data.sensitive_features, keep_groups)
    if data.groups is not None and not partial:
        warn_of_few(data.groups, estimator.groups_)
        warn_of_fractions(data.sensitive_features)
    _count_groups(estimator, data, keep_groups)
    return data


def _multiply(weights: np.ndarray, factors: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        product = weights * factors
    if np.isfinite(product).all():
        return product
    return (weights / weights.max()) * (factors / factors.max())


def check_table(estimator: Any, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
    """Check shape and column names of X as passed; its values are checked in :func:`prepare_X`."""
    with naming("X"):
        if issparse(X):
            X = X.tocsr()  # other formats have no rows to take
        elif not (hasattr(X, "shape") and (hasattr(X, "__array__") or hasattr(X, "__dataframe__"))):
            X = np.asarray(X)
        if len(X.shape) < 2:
            check_array(X, dtype=None, estimator=estimator, input_name="X")  # raises
    return validate_data(estimator, X, y, reset=reset, skip_check_array=True)


def kept_columns(estimator: Any, raw: Any) -> list[int] | None:
    """Positions of the columns that the network sees, ``None`` for all."""
    if not estimator.drop_sensitive_columns:
        return None
    if estimator.sensitive_columns is None:
        raise ValueError("drop_sensitive_columns=True needs sensitive_columns to say which.")
    dropped = set(column_positions(raw, estimator.sensitive_columns))
    kept = [i for i in range(raw.shape[1]) if i not in dropped]
    if not kept:
        raise ValueError(
            f"drop_sensitive_columns=True leaves no feature: sensitive_columns="
            f"{estimator.sensitive_columns!r} covers all {raw.shape[1]} columns of X."
        )
    return kept


def kept(estimator: Any, raw: Any) -> Any:
    """Columns of X that training may see."""
    if estimator._kept_columns is None:
        return raw
    return _safe_indexing(raw, estimator._kept_columns, axis=1)


def prepare_X(estimator: Any, raw: Any, dtypes: list, fitted: bool = True) -> np.ndarray:
    """Return the numbers that the network sees, in one of ``dtypes``.

    ``fitted`` says whether for the network there is, or for one that ``module`` is to make.
    """
    raw = kept(estimator, raw)
    if _is_ready(raw, dtypes):
        return raw
    module = estimator._architecture["module"] if fitted else estimator.module
    with naming("X", ENCODE), np.errstate(over="ignore", invalid="ignore"):  # of sums
        X = check_array(
            raw,
            accept_sparse="csr",
            dtype=dtypes,
            order="C",  # torch knows no negative strides
            allow_nd=module is not None,
            estimator=estimator,
            input_name="X",
        )
    return X.toarray() if issparse(X) else X


def _is_ready(X: Any, dtypes: list) -> bool:
    """Whether check_array would return X as it is; for one row that takes longer than the rest."""
    if type(X) is not np.ndarray or X.ndim != 2 or X.dtype not in dtypes or not X.size:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return X.flags.c_contiguous and bool(np.isfinite(X.sum()))


def take(X: Any, rows: np.ndarray) -> Any:
    """Rows of an array, sparse matrix or DataFrame."""
    return _safe_indexing(X, rows)


def _check_target(estimator: Any, y: Any) -> tuple[np.ndarray, bool]:
    """Return y, and whether it holds several labels a row."""
    allowed = estimator._targets()
    # NaN and infinity are reported below
    with naming("y"), np.errstate(invalid="ignore"):
        kind = type_of_target(y, input_name="y") if allowed.multi_label else None
    if kind == "multilabel-indicator":
        with naming("y"):
            y = check_array(y, accept_sparse="csr", input_name="y")
        y = y.toarray() if issparse(y) else y
        if values := sorted(set(np.unique(y).tolist()) - {0, 1}):
            raise ValueError(
                f"y with several labels a row must hold 0 and 1, got {some(values)}, too."
            )
        return y.astype(np.int64), True
    with naming("y"):
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
    return y, False


def _encode_several(estimator: Any, y: Any, classes: Any, resume: bool) -> np.ndarray:
    """``classes_`` are the positions of the labels."""
    if not resume:
        estimator.classes_ = np.arange(y.shape[1])
    elif y.shape[1] != len(estimator.classes_):
        raise ValueError(
            f"y must have {len(estimator.classes_)} labels as before, got {y.shape[1]}."
        )
    return y


def _encode_labels(estimator: Any, y: np.ndarray, classes: Any, resume: bool) -> np.ndarray:
    with naming("y"):
        present, codes = np.unique(y, return_inverse=True)
    with naming("classes"):
        classes = None if classes is None else np.unique(classes)
    if not resume:
        estimator.classes_ = present if classes is None else classes
        if len(estimator.classes_) < 2:
            raise ValueError(
                f"{type(estimator).__name__} needs at least two classes, y contains only one "
                f"class: {estimator.classes_.tolist()}."
            )
    elif classes is not None and not np.array_equal(classes, estimator.classes_):
        raise ValueError(
            f"classes={some(classes.tolist())} differ from those of the first call, "
            f"{estimator.classes_.tolist()}."
        )
    if len(estimator.classes_) > 2 and not estimator._targets().multi_class:
        raise ValueError(
            "Only binary classification is supported. The type of the target is multiclass "
            f"({len(estimator.classes_)} classes). {estimator._targets().hint}"
        )
    unknown = np.setdiff1d(present, estimator.classes_)
    if len(unknown):
        raise ValueError(
            f"y contains classes {unknown.tolist()} that are not among "
            f"{estimator.classes_.tolist()}; name all of them in the first call of partial_fit, or "
            "fit without warm_start."
        )
    return np.searchsorted(estimator.classes_, present)[codes].astype(np.int64)


def _encode_groups(
    estimator: Any, sensitive_features: pd.DataFrame | None, keep: bool
) -> np.ndarray | None:
    encoder = GroupEncoder(estimator.attributes)
    if keep:
        encoder.labels = list(estimator.groups_)
        encoder.attribute_of = list(estimator._attribute_of)
    groups, kind = None, None
    if sensitive_features is not None:
        names = [str(name) for name in sensitive_features.columns]
        kind = [encoder.attributes, *(names if encoder.attributes == "sum" else [len(names)])]
        if encoder.labels and kind != estimator._kind_of_groups:
            raise ValueError(
                "sensitive_features must have the same columns in every call of partial_fit, and "
                f"attributes must stay as it is: got {kind}, earlier {estimator._kind_of_groups}."
            )
        groups = encoder.encode(sensitive_features)
    if groups is not None or not keep:
        estimator._kind_of_groups = kind
    estimator.groups_, estimator._attribute_of = encoder.labels, encoder.attribute_of
    return groups


def _count_groups(estimator: Any, data: TrainingData, keep: bool) -> None:
    """Number of training rows of each class in each group; with ``keep``, of all calls so far."""
    n_classes = 1 if data.y.ndim > 1 else len(estimator.classes_)
    counts = np.zeros((n_classes, len(estimator.groups_)))
    if keep:
        before = estimator._group_counts
        counts[:, : before.shape[1]] = before
    if data.groups is not None:
        y = np.zeros(len(data.y), dtype=np.int64) if data.y.ndim > 1 else data.y
        weights = np.ones(len(y)) if data.weights is None else data.weights
        for codes in data.groups.T:
            known = codes >= 0
            np.add.at(counts, (y[known], codes[known]), weights[known])
    estimator._group_counts = counts


def split_off(
    data: TrainingData,
    share: float | None,
    rng: np.random.RandomState,
    rows: np.ndarray | None = None,
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Divide ``rows`` into those to train on and those held out, ``None`` for all and for none.

    The split is stratified by class and group if every such cell is large enough, else by class,
    and at random if a class is too small even for that.
    """
    if share is None:
        return rows, None
    rows = np.arange(len(data.y)) if rows is None else rows
    stratify = None
    candidates = [data.y] if data.groups is None else [data.y, np.c_[data.y, data.groups]]
    for cells in candidates:
        _, codes, counts = np.unique(cells[rows], axis=0, return_inverse=True, return_counts=True)
        if counts.min() * min(share, 1 - share) >= 1:
            stratify = codes.ravel()
    return train_test_split(rows, test_size=share, stratify=stratify, random_state=rng)
