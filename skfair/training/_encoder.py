"""From what the user passes to rows, class codes and group codes, in fit and predict alike."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import _safe_indexing, assert_all_finite, check_array
from sklearn.utils.validation import _check_sample_weight, _num_samples

from .._columns import column_positions
from .._groups import (
    GroupEncoder,
    as_frame,
    in_known_order,
    select_sensitive,
    warn_of_few,
    warn_of_fractions,
)
from .._quantities import QuantityEncoder, continuous_columns
from .._strata import StratumEncoder
from .._tables import as_pandas, brief, naming
from .._warnings import ignored
from ._categories import (
    FIRST,
    MANY_UNSEEN,
    category_columns,
    check_no_new_categories,
    encode_table,
    has_missing,
    learn_categories,
    name_of,
    shares_of_unseen,
    warn_of_unseen,
)
from ._numbers import is_ready, plain_numbers
from ._rows import TrainingData
from ._targets import (
    Targets,
    check_several,
    check_target,
    encode_labels,
    relative_weights,
    weigh_classes,
    weigh_labels,
)

FLOATS = (np.float64, np.float32)
MANY_CLASSES = "The number of unique classes is greater"  # than half of the rows, in a batch


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
    control_columns : selection of columns or None
        The parameter of that name, where there is one.
    categorical_features : "from_dtype", selection of columns or None
        The parameter of that name.
    tabular : bool or None
        Whether the network takes categories and missing values; ``None`` if it does where there
        are some.
    hint : str
        What to do about a sensitive feature that is a quantity, for errors.
    """

    name: str
    targets: Targets
    sensitive_columns: Any
    drop_sensitive_columns: bool
    attributes: str
    class_weight: dict | str | None
    dtype: str | None
    continuous_features: Any = None
    control_columns: Any = None
    categorical_features: Any = "from_dtype"
    tabular: bool | None = False
    hint: str = ""

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
            control_columns=getattr(estimator, "control_columns", None),
            categorical_features=getattr(estimator, "categorical_features", None),
            tabular=takes_tables(estimator.module) if encodes_rows else False,
        )


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
    categories : dict of int to list, or None
        The known categories of each column that holds some, by its position among those that are
        kept; ``None`` for a network that takes numbers only.
    strata : list
        Labels of the strata within which groups are compared.
    stratum_counts : ndarray of shape (n_strata, n_classes, n_groups) or None
        ``group_counts`` in each stratum.
    warned_of_unseen : bool
        Whether ``partial_fit`` has said that many categories are not among them.
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
    categories: dict[int, list] | None = None
    strata: list = field(default_factory=list)
    stratum_counts: np.ndarray | None = None
    warned_of_unseen: bool = False

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
        control_features: Any = None,
    ) -> tuple[Encoder, TrainingData]:
        """Check training data, and learn columns, labels and groups from them.

        Parameters
        ----------
        options : EncoderOptions
            What the estimator's parameters say.
        raw : array-like
            X, as :func:`check_table` returns it.
        y, sensitive_features, sample_weight, classes, control_features
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
            y, multi_label = check_target(y, options.targets)
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
        n_samples = _num_samples(raw)
        if len(y) != n_samples:
            raise ValueError(f"X and y must have the same length, got {n_samples} and {len(y)}.")
        if sensitive_features is not None:
            sensitive_features = as_frame(sensitive_features, n_samples)
        weights = None
        if sample_weight is not None:
            with naming("sample_weight"):
                weights = _check_sample_weight(
                    sample_weight, raw, dtype=np.float64, ensure_non_negative=True
                )
                assert_all_finite(weights, input_name="sample_weight")  # of a single number, too
        if control_features is None and options.control_columns is not None:
            control_features = select_sensitive(raw, options.control_columns)
        if control_features is not None:
            control_features = as_frame(control_features, n_samples, "control_features")
        data = TrainingData(
            raw, raw, y, weights, None, sensitive_features, control_features=control_features
        ).without_zero_weights()
        encoder = encoder._learn_columns(data.raw, options, previous, partial)
        data.X = encoder.select_features(data.raw)
        if encoder.dtype is not None:
            data.X = encoder.features(data.raw, [np.dtype(encoder.dtype)])
        if partial and previous is not None:
            encoder = encoder._warn_of_unseen(data)
        known = None if previous is None else previous.classes
        if multi_label:
            codes, labels = check_several(data.y, known)
        else:
            codes, labels = encode_labels(
                data.y, classes, known, options.targets, options.name, weights is not None
            )
        data.y = codes
        encoder = replace(encoder, classes=labels)
        if multi_label:
            positive_weights = weigh_labels(data.y, data.weights, options.class_weight)
            encoder = replace(encoder, positive_weights=positive_weights)
        else:
            data.weights = weigh_classes(labels[codes], data.weights, options.class_weight)
            data = data.without_zero_weights()
        if data.weights is not None and encoder.dtype is not None:
            data.weights = relative_weights(data.weights, np.dtype(encoder.dtype))
        keeps_groups = partial and previous is not None
        encoder = encoder._learn_sensitive(data, options, keeps_groups)
        if data.groups is not None and not partial:
            warn_of_few(data.groups, encoder.groups)
            quantities = QuantityEncoder(encoder.continuous)
            warn_of_fractions(quantities.others(data.sensitive_features))
        return encoder, data

    @property
    def n_codes(self) -> dict[int, int]:
        """Number of codes of each column that holds categories."""
        return {j: FIRST + len(values) for j, values in (self.categories or {}).items()}

    def select_features(self, raw: Any) -> Any:
        """Return the columns of X that training may see."""
        if self.kept_columns is None:
            return raw
        return _safe_indexing(raw, self.kept_columns, axis=1)

    def features(self, raw: Any, dtypes: Sequence[Any] = FLOATS) -> Any:
        """Return the numbers that the network sees, in one of ``dtypes``, or bytes of images.

        They are an ndarray, or rows of a sparse matrix, which stay as they are.
        """
        raw = self.select_features(raw)
        if self.categories is not None:
            return encode_table(self._as_table(raw), self.categories, dtypes[0])
        return plain_numbers(raw, dtypes, self.name)

    def _as_table(self, raw: Any) -> Any:
        """Return rows as a DataFrame or an array of two dimensions."""
        if issparse(raw):
            raise TypeError(
                f"X is sparse, but {self.name} was to take categories and missing values, or was "
                "fitted on some: pass a dense table, or use module='mlp'."
            )
        table = as_pandas(raw)
        table = table if hasattr(table, "iloc") else np.asarray(table)
        if table.ndim != 2 or not all(table.shape):
            check_array(table, dtype=None, estimator=self.name, input_name="X")  # raises
        return table

    def _learn_columns(
        self, raw: Any, options: EncoderOptions, previous: Encoder | None, partial: bool
    ) -> Encoder:
        """Learn which columns hold categories, and which ones, if the network takes them."""
        if self.dtype is None:
            return self
        selection, tabular = options.categorical_features, options.tabular
        chosen = not (selection is None or isinstance(selection, str))
        numbers_only = tabular is False or issparse(raw) or len(raw.shape) != 2
        if numbers_only and chosen:
            raise ValueError(
                f"categorical_features={brief(selection)} is for the tabular network, that is for "
                "module=None or 'tabular' and a dense table."
            )
        if previous is not None:
            if previous.categories is not None and not partial:
                check_no_new_categories(
                    self._as_table(self.select_features(raw)), previous.categories
                )
            return self
        if tabular is False or (tabular is None and (numbers_only or not all(raw.shape))):
            return self
        if tabular is None and not chosen and is_ready(self.select_features(raw), FLOATS):
            return self
        with naming("X"):
            table = self._as_table(raw)
            columns = category_columns(table, selection, self.kept_columns)
            table = self.select_features(table)
            if tabular is None and not columns and not has_missing(table):
                return self
            return replace(self, categories=learn_categories(table, columns))

    def _warn_of_unseen(self, data: TrainingData) -> Encoder:
        """Say once that a part of the rows has many categories that the first part had not."""
        if self.warned_of_unseen or not self.categories:
            return self
        columns = list(self.categories)
        shares = shares_of_unseen(data.X[:, columns])
        if shares.max() <= MANY_UNSEEN:
            return self
        table = self._as_table(self.select_features(data.raw))
        warn_of_unseen(name_of(table, columns[shares.argmax()]), shares.max())
        return replace(self, warned_of_unseen=True)

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
            frame = frame if columns is None else in_known_order(frame, columns[1:])
            found = [attributes, *(str(name) for name in frame.columns)]
            if columns is not None and not _are_same_attributes(found, columns):
                raise ValueError(
                    "sensitive_features must have the same columns in every call of partial_fit, "
                    f"and attributes must stay as it is: got {found}, earlier {columns}."
                )
            columns = found if columns is None else columns
            data.sensitive = quantities.encode(frame, options.continuous_features, data.weights)
            others = quantities.others(frame)
            try:
                data.groups = groups.encode(others) if others.shape[1] else None
            except ValueError as error:
                if not (options.hint and continuous_columns(others)):
                    raise
                raise ValueError(f"{error} {options.hint}") from error
        strata = StratumEncoder(list(self.strata) if keep else [])
        if data.control_features is not None:
            data.strata = strata.encode(data.control_features)
        learned = replace(
            self,
            groups=groups.labels,
            attribute_of=groups.attribute_of,
            group_columns=columns,
            continuous=quantities.scales or {},
            strata=strata.labels,
        )
        before = self.group_counts if keep else None
        counts = learned._count(data.y, data.groups, data.weights, before)
        by_stratum = learned._count_within(data, self.stratum_counts if keep else None)
        return replace(learned, group_counts=counts, stratum_counts=by_stratum)

    def _count_within(self, data: TrainingData, before: np.ndarray | None) -> np.ndarray | None:
        """:meth:`_count` in each stratum, (n_strata, n_classes, n_groups)."""
        if not self.strata:
            return None
        counts = []
        for stratum in range(len(self.strata)):
            groups = data.groups
            if groups is not None and data.strata is not None:
                groups = np.where(data.strata[:, None] == stratum, groups, -1)
            elif groups is not None:
                groups = np.full_like(groups, -1)
            earlier = None if before is None or stratum >= len(before) else before[stratum]
            counts.append(self._count(data.y, groups, data.weights, earlier))
        return np.stack(counts)

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


def _are_same_attributes(found: list, known: list) -> bool:
    """Whether two calls have the same columns of sensitive features, in number at least."""
    if found == known:
        return True
    return found[0] == known[0] == "intersection" and len(found) == len(known)


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


def takes_tables(module: Any) -> bool | None:
    """Whether a network takes categories and missing values, ``None`` if where there are some."""
    if module is None:
        return None
    return isinstance(module, str) and module == "tabular"
