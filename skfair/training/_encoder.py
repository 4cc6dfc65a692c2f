"""From what the user passes to rows, class codes and group codes, in fit and predict alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
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
from .._quantities import QuantityEncoder
from .._splits import stratified_split
from .._tables import brief, naming, some
from .._warnings import ignored

ENCODING_ADVICE = (
    "Encode it with a OneHotEncoder in a ColumnTransformer; a sensitive column of text may stay in "
    "X if it is named in sensitive_columns and drop_sensitive_columns=True."
)
MANY_CLASSES = "The number of unique classes is greater"  # than half of the rows, in a batch


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


@dataclass(frozen=True)
class EncoderOptions:
    """What an estimator's parameters say about the user's table.

    Attributes
    ----------
    name : str
        Of the estimator, for errors.
    targets : Targets
        What y may be.
    sensitive_columns, drop_sensitive_columns, attributes, class_weight
        The parameters of that name.
    dtype : str or None
        Precision of the rows; ``None`` leaves them as they are passed, for an estimator that
        encodes them itself.
    continuous_features : "auto", selection of columns or None
        The parameter of that name; ``None`` for an estimator that knows groups only.
    """

    name: str
    targets: Targets
    sensitive_columns: Any
    drop_sensitive_columns: bool
    attributes: str
    class_weight: dict | str | None
    dtype: str | None
    continuous_features: Any = None

    @classmethod
    def of(cls, estimator: Any, targets: Targets, encodes_rows: bool) -> EncoderOptions:
        """Read an estimator's parameters."""
        return cls(
            name=type(estimator).__name__,
            targets=targets,
            sensitive_columns=estimator.sensitive_columns,
            drop_sensitive_columns=estimator.drop_sensitive_columns,
            attributes=estimator.attributes,
            class_weight=estimator.class_weight,
            dtype=estimator.dtype if encodes_rows else None,
            continuous_features=getattr(estimator, "continuous_features", None),
        )


@dataclass
class TrainingData:
    """Checked training data, row by row.

    Attributes
    ----------
    raw : array-like of shape (n, n_features_in_)
        X as the user passed it.
    X : ndarray of shape (n, ...)
        What the network sees, images of bytes as they are; as passed, less dropped columns, if
        there is none.
    y : int64 ndarray of shape (n,) or (n, n_labels)
        Class codes.
    weights : ndarray of shape (n,) or None
        Positive weights.
    groups : int64 ndarray of shape (n, n_attributes) or None
        Group codes.
    sensitive_features : pandas.DataFrame or None
        What the codes stand for.
    sensitive : ndarray of shape (n, n_continuous) or None
        Continuous sensitive features, standardized; NaN where they are missing.
    """

    raw: Any
    X: Any
    y: np.ndarray
    weights: np.ndarray | None
    groups: np.ndarray | None
    sensitive_features: pd.DataFrame | None
    sensitive: np.ndarray | None = None

    def without_zero_weights(self) -> TrainingData:
        """Leave out rows of weight zero: that is the same as absence."""
        if self.weights is None or self.weights.all():
            return self
        rows = np.flatnonzero(self.weights)
        sensitive = self.sensitive_features
        return TrainingData(
            select_rows(self.raw, rows),
            select_rows(self.X, rows),
            self.y[rows],
            self.weights[rows],
            None,
            None if sensitive is None else sensitive.iloc[rows].reset_index(drop=True),
        )

    def arrays(self, dtype: str, penalty_only: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return what travels in a batch; ``penalty_only`` rows are not classified."""
        arrays = {"X": self.X, "y": self.y, "groups": self.groups}
        if penalty_only is not None:
            arrays["penalty_only"] = np.isin(np.arange(len(self.y)), penalty_only)
        for name, values in (("weights", self.weights), ("sensitive", self.sensitive)):
            arrays[name] = None if values is None else values.astype(dtype)
        return {name: values for name, values in arrays.items() if values is not None}


@dataclass(frozen=True)
class Encoder:
    """What training has learned of the user's table: columns, labels and groups.

    Made by :meth:`learn`.

    Attributes
    ----------
    name : str
        Of the estimator, for errors.
    kept_columns : list of int or None
        Positions of the columns that the network sees, ``None`` for all.
    dtype : str or None
        Precision in which the network is trained.
    multi_label : bool
        Whether a row may have several labels.
    classes : ndarray of shape (n_classes,)
        Class labels, or the labels' positions.
    groups : list
        Group labels.
    attribute_of : list of int
        The attribute that each group belongs to.
    group_columns : list or None
        What sensitive features must have in common in all calls of ``partial_fit``.
    group_counts : ndarray of shape (n_classes, n_groups)
        (Weighted) number of training rows of each class in each group.
    positive_weights : ndarray of shape (n_labels,) or None
        Weight of each label's positives, from ``class_weight``, where a row has several labels.
    continuous : dict of int to list
        Mean and standard deviation of each continuous sensitive feature, by its position.
    """

    name: str
    kept_columns: list[int] | None
    dtype: str | None
    multi_label: bool
    classes: np.ndarray
    groups: list
    attribute_of: list[int]
    group_columns: list | None
    group_counts: np.ndarray
    positive_weights: np.ndarray | None = None
    continuous: dict[int, list[float]] = field(default_factory=dict)

    @classmethod
    def learn(
        cls,
        options: EncoderOptions,
        raw: Any,
        y: Any,
        sensitive_features: Any,
        sample_weight: Any,
        *,
        classes: Any = None,
        previous: Encoder | None = None,
        partial: bool = False,
    ) -> tuple[Encoder, TrainingData]:
        """Check training data, and learn columns, labels and groups from them.

        Parameters
        ----------
        options : EncoderOptions
            What the estimator's parameters say.
        raw : array-like
            X, as :func:`check_table` returns it.
        y, sensitive_features, sample_weight, classes
            As in ``fit`` and ``partial_fit``.
        previous : Encoder or None
            Where training goes on: the data must agree with it.
        partial : bool, default=False
            Whether the rows are a part only: new groups are added to those known before.

        Returns
        -------
        encoder : Encoder
            What has been learned.
        data : TrainingData
            The rows, in codes.
        """
        with ignored(MANY_CLASSES) if partial else nullcontext():
            y, multi_label = _check_target(y, options.targets)
        if previous is not None and multi_label != previous.multi_label:
            raise ValueError(
                "y must be of the same kind in every call, one label a row or several."
            )
        if options.sensitive_columns is not None and len(raw.shape) > 2:
            raise ValueError(
                f"sensitive_columns={brief(options.sensitive_columns)} stands for columns of a "
                f"table, X of shape {tuple(raw.shape)} has none: pass sensitive_features instead."
            )
        encoder = previous or cls(
            name=options.name,
            kept_columns=columns_kept(options, raw),
            dtype=options.dtype,
            multi_label=multi_label,
            classes=np.empty(0),
            groups=[],
            attribute_of=[],
            group_columns=None,
            group_counts=np.empty((0, 0)),
        )
        if sensitive_features is None and options.sensitive_columns is not None:
            sensitive_features = select_sensitive(raw, options.sensitive_columns)
        X = encoder.select_features(raw)
        if encoder.dtype is not None:
            X = encoder.features(raw, [np.dtype(encoder.dtype)])
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
        known = None if previous is None else previous.classes
        if multi_label:
            codes, labels = _check_several(data.y, known)
        else:
            codes, labels = _encode_labels(data.y, classes, known, options)
        data.y = codes
        encoder = replace(encoder, classes=labels)
        if multi_label:
            positive_weights = _label_weights(data, options.class_weight)
            encoder = replace(encoder, positive_weights=positive_weights)
        else:
            data = _with_class_weight(data, options.class_weight, encoder)
        if data.weights is not None and encoder.dtype is not None:
            data.weights = _relative(data.weights, np.dtype(encoder.dtype))
        keeps_groups = partial and previous is not None
        encoder = encoder._learn_sensitive(data, options, keeps_groups)
        if data.groups is not None and not partial:
            warn_of_few(data.groups, encoder.groups)
            quantities = QuantityEncoder(encoder.continuous)
            warn_of_fractions(quantities.others(data.sensitive_features))
        return encoder, data

    def select_features(self, raw: Any) -> Any:
        """Return the columns of X that training may see."""
        if self.kept_columns is None:
            return raw
        return _safe_indexing(raw, self.kept_columns, axis=1)

    def features(self, raw: Any, dtypes: Sequence[Any] = (np.float64, np.float32)) -> np.ndarray:
        """Return the numbers that the network sees, in one of ``dtypes``, or bytes of images."""
        raw = self.select_features(raw)
        if is_image_bytes(raw):
            return np.ascontiguousarray(raw)
        if _is_ready(raw, dtypes):
            return raw
        with naming("X", ENCODING_ADVICE), np.errstate(over="ignore", invalid="ignore"):  # of sums
            X = check_array(
                raw,
                accept_sparse="csr",
                dtype=list(dtypes),
                order="C",  # torch knows no negative strides
                allow_nd=True,
                estimator=self.name,
                input_name="X",
            )
        return X.toarray() if issparse(X) else X

    def _learn_sensitive(self, data: TrainingData, options: EncoderOptions, keep: bool) -> Encoder:
        """Encode the sensitive features of ``data``, and return what has been learned of them."""
        attributes, frame = options.attributes, data.sensitive_features
        groups, quantities = GroupEncoder(attributes), QuantityEncoder()
        columns = self.group_columns if keep else None
        if keep:
            groups.labels, groups.attribute_of = list(self.groups), list(self.attribute_of)
        if columns is not None:
            quantities.scales = self.continuous
        if frame is not None:
            names = [str(name) for name in frame.columns]
            found = [attributes, *(names if attributes == "sum" else [len(names)])]
            if columns not in (None, found):
                raise ValueError(
                    "sensitive_features must have the same columns in every call of partial_fit, "
                    f"and attributes must stay as it is: got {found}, earlier {columns}."
                )
            columns = found
            data.sensitive = quantities.encode(frame, options.continuous_features, data.weights)
            others = quantities.others(frame)
            data.groups = groups.encode(others) if others.shape[1] else None
        learned = replace(
            self,
            groups=groups.labels,
            attribute_of=groups.attribute_of,
            group_columns=columns,
            continuous=quantities.scales or {},
        )
        before = self.group_counts if keep else None
        counts = learned._count(data.y, data.groups, data.weights, before)
        return replace(learned, group_counts=counts)

    def _count(
        self,
        y: np.ndarray,
        groups: np.ndarray | None,
        weights: np.ndarray | None,
        before: np.ndarray | None,
    ) -> np.ndarray:
        """(Weighted) number of rows of each class in each group, with those of calls before."""
        n_classes = 1 if self.multi_label else len(self.classes)
        counts = np.zeros((n_classes, len(self.groups)))
        if before is not None:
            counts[:, : before.shape[1]] = before
        if groups is not None:
            y = np.zeros(len(y), dtype=np.int64) if self.multi_label else y
            weights = np.ones(len(y)) if weights is None else weights
            for codes in groups.T:
                known = codes >= 0
                np.add.at(counts, (y[known], codes[known]), weights[known])
        return counts


def check_table(estimator: Any, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
    """Check shape and names of X as passed; :meth:`Encoder.features` checks its values."""
    with naming("X"):
        if issparse(X):
            X = X.tocsr()  # other formats have no rows to take
        elif not (hasattr(X, "shape") and (hasattr(X, "__array__") or hasattr(X, "__dataframe__"))):
            X = np.asarray(X)
        if len(X.shape) < 2:
            check_array(X, dtype=None, estimator=estimator, input_name="X")  # raises
    return validate_data(estimator, X, y, reset=reset, skip_check_array=True)


class TableLearner(BaseEstimator):
    """Base of the estimators that learn an :class:`Encoder` before they train."""

    classes_: np.ndarray
    groups_: list
    _encoder: Encoder
    _encodes_rows = True

    def _targets(self) -> Targets:
        """Return what y may be."""
        return Targets()

    def _encode(
        self,
        X: Any,
        y: Any,
        sensitive_features: Any,
        sample_weight: Any,
        classes: Any = None,
        *,
        resume: bool,
        partial: bool = False,
    ) -> TrainingData:
        """Check the data, and set what is learned from them alone."""
        warn_of_order(X, y=y, sensitive_features=sensitive_features, sample_weight=sample_weight)
        raw, y = check_table(self, X, y, reset=not resume)
        self._encoder, data = Encoder.learn(
            EncoderOptions.of(self, self._targets(), self._encodes_rows),
            raw,
            y,
            sensitive_features,
            sample_weight,
            classes=classes,
            previous=self._encoder if resume else None,
            partial=partial,
        )
        self.classes_, self.groups_ = self._encoder.classes, self._encoder.groups
        return data

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_encoder" in state:
            state["_encoder"] = vars(state["_encoder"]).copy()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        if "_encoder" in state:
            with whole_state(self):
                state["_encoder"] = Encoder(**state["_encoder"])
        super().__setstate__(state)


@contextmanager
def whole_state(estimator: Any) -> Iterator[None]:
    """Say of errors in the block that what was stored cannot be restored.

    Raises
    ------
    ValueError
        Instead of any other error.
    """
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"The stored state of {type(estimator).__name__} is not whole, or its module is "
            f"another than the one that was stored: {error}"
        ) from error


def columns_kept(options: Any, raw: Any) -> list[int] | None:
    """Positions of the columns that the network sees, ``None`` for all.

    ``options`` are an :class:`EncoderOptions`, or an estimator with these parameters.
    """
    if not options.drop_sensitive_columns:
        return None
    if options.sensitive_columns is None:
        raise ValueError("drop_sensitive_columns=True needs sensitive_columns to say which.")
    dropped = set(column_positions(raw, options.sensitive_columns))
    kept = [i for i in range(raw.shape[1]) if i not in dropped]
    if not kept:
        raise ValueError(
            f"drop_sensitive_columns=True leaves no feature: sensitive_columns="
            f"{options.sensitive_columns!r} covers all {raw.shape[1]} columns of X."
        )
    return kept


def select_rows(X: Any, rows: np.ndarray) -> Any:
    """Rows of an array, sparse matrix or DataFrame."""
    return _safe_indexing(X, rows)


def is_image_bytes(X: Any) -> bool:
    """Whether rows are images of bytes, which become numbers in [0, 1] batch by batch."""
    return isinstance(X, np.ndarray) and X.dtype == np.uint8 and X.ndim > 2 and X.size > 0


def _is_ready(X: Any, dtypes: Sequence[Any]) -> bool:
    """Whether check_array would return X as it is; for one row that takes longer than the rest."""
    if type(X) is not np.ndarray or X.ndim != 2 or X.dtype not in dtypes or not X.size:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return X.flags.c_contiguous and bool(np.isfinite(X.sum()))


def _check_target(y: Any, allowed: Targets) -> tuple[np.ndarray, bool]:
    """Return y, and whether it holds several labels a row."""
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


def _check_several(y: np.ndarray, known: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return y, and the labels' positions, which are the classes."""
    if known is not None and y.shape[1] != len(known):
        raise ValueError(f"y must have {len(known)} labels as before, got {y.shape[1]}.")
    return y, np.arange(y.shape[1])


def _encode_labels(
    y: np.ndarray, classes: Any, known: np.ndarray | None, options: EncoderOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Class codes, and the labels that they stand for."""
    with naming("y"):
        present, codes = np.unique(y, return_inverse=True)
    with naming("classes"):
        classes = None if classes is None else np.unique(classes)
    if known is None:
        known = present if classes is None else classes
        if len(known) < 2:
            raise ValueError(
                f"{options.name} needs at least two classes, y contains only one class: "
                f"{known.tolist()}."
            )
    elif classes is not None and not np.array_equal(classes, known):
        raise ValueError(
            f"classes={some(classes.tolist())} differ from those of the first call, "
            f"{some(known.tolist())}."
        )
    if len(known) > 2 and not options.targets.multi_class:
        raise ValueError(
            "Only binary classification is supported. The type of the target is multiclass "
            f"({len(known)} classes). {options.targets.hint}"
        )
    unknown = np.setdiff1d(present, known)
    if len(unknown):
        raise ValueError(
            f"y contains classes {some(unknown.tolist())} that are not among "
            f"{some(known.tolist())}; name all "
            "of them in the first call of partial_fit, or fit without warm_start."
        )
    return np.searchsorted(known, present)[codes].astype(np.int64), known


def _with_class_weight(
    data: TrainingData, class_weight: dict | str | None, encoder: Encoder
) -> TrainingData:
    if class_weight is None:
        return data
    factors = compute_sample_weight(class_weight, encoder.classes[data.y])
    if not (np.isfinite(factors).all() and (factors >= 0).all()):
        raise ValueError(
            f"class_weight must hold non-negative finite numbers, got {class_weight!r}."
        )
    data.weights = factors if data.weights is None else _multiply(data.weights, factors)
    return data.without_zero_weights()


def _label_weights(data: TrainingData, class_weight: dict | str | None) -> np.ndarray | None:
    """Weight of each label's positives: named by the label's position, or negatives / positives."""
    if class_weight is None:
        return None
    n_labels = data.y.shape[1]
    if isinstance(class_weight, dict):
        weights = np.ones(n_labels)
        for label, weight in class_weight.items():
            if label not in range(n_labels):
                raise ValueError(
                    f"class_weight names the label {label!r}; where a row has several labels its "
                    f"keys are their positions, 0 to {n_labels - 1}."
                )
            weights[label] = weight
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise ValueError(
                f"class_weight must hold non-negative finite numbers, got {class_weight!r}."
            )
        return weights
    share = np.average(data.y, axis=0, weights=data.weights)
    return np.divide(1 - share, share, out=np.ones(n_labels), where=(share > 0) & (share < 1))


def _multiply(weights: np.ndarray, factors: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        product = weights * factors
    if np.isfinite(product).all():
        return product
    return (weights / weights.max()) * (factors / factors.max())


def _relative(weights: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Weights of mean one: only ratios matter, and large or tiny ones must fit a float32."""
    weights = weights / weights.max()
    weights /= weights.mean()
    if weights.min() < np.finfo(dtype).tiny:
        raise ValueError(
            f"sample_weight and class_weight together span more than {dtype} can hold: the least "
            f"is {weights.min() / weights.max():.0e} of the greatest. Give what hardly counts a "
            "weight of 0, which leaves it out."
        )
    return weights


def split_off(
    data: TrainingData,
    share: float,
    rng: np.random.RandomState,
    rows: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Divide ``rows`` (all if ``None``) into those to train on and a ``share`` that is held out.

    The split is stratified by class and group if every such cell is large enough, else by class,
    and at random if a class is too small even for that.
    """
    rows = np.arange(len(data.y)) if rows is None else rows
    strata = [data.y] if data.groups is None else [data.y, np.c_[data.y, data.groups]]
    return stratified_split(rows, share, strata, rng)
