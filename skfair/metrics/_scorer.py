"""A metric of fairness as scikit-learn's scorers are: greater is better."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.validation import _num_samples
from torch.utils.data import Dataset

from .._estimators import (
    accepted_of,
    check_classifier,
    decision_arguments,
    decision_values,
    find_attribute,
    unfavorable_of,
)
from .._groups import (
    GroupEncoder,
    as_frame,
    group_name,
    select_sensitive,
    warn_of_few,
    warn_of_fractions,
    warn_of_order,
)
from .._labels import unfavorable_codes
from .._strata import StratumEncoder
from .._tables import as_pandas, check_weights, label_array
from .._warnings import warn
from ._directions import EXISTS, Peer
from ._sklearn import Unscored, caller_locals

OF_LABELS = ("predict", "codes", "scores", "probabilities")


class FairnessScorer:
    """A metric of fairness as a scorer ``(estimator, X, y, *, sensitive_features=None)``.

    Made by :func:`make_fairness_scorer`. With scikit-learn's metadata routing it requests
    ``sensitive_features``, unless ``sensitive_columns`` says where in X they are, or :meth:`bind`
    has fixed them.

    Parameters
    ----------
    metric : callable
        ``metric(decision, *, sensitive_features, ...)``, ``metric(y_true, y_pred, *, ...)`` or
        ``metric(estimator, X, y, *, ...)``.
    name : str
        Shown by ``repr``.
    sign : {1, -1}
        -1 turns a gap into a score.
    response : {"decision", "predict", "codes", "scores", "probabilities", "estimator", "people", \
"columns"}
        What the metric is given: decision values; labels and predictions; these as 1 for the
        favorable class and 0; labels as 1 and 0 with scores, or probabilities, of acceptance; the
        estimator and the data; the estimator and X; or these with ``sensitive_columns``.
    sensitive_columns : str, int, list, slice or callable, default=None
        Columns of X that hold the sensitive features.
    needs_groups : bool, default=True
        Whether the metric needs sensitive features; those of labels always do.
    kwargs : dict, default=None
        Further arguments of the metric.
    control_columns : str, int, list, slice or callable, default=None
        Columns of X that hold control features, within whose values groups are compared.
    control_aggregate : {"mean", "worst"}, default="mean"
        How the scores of these strata become one.
    """

    control_columns: Any = None  # of scorers stored before there were any
    control_aggregate = "mean"

    def __init__(
        self,
        metric: Callable,
        name: str,
        sign: int,
        response: str,
        sensitive_columns: Any = None,
        needs_groups: bool = True,
        kwargs: dict | None = None,
        control_columns: Any = None,
        control_aggregate: str = "mean",
    ) -> None:
        self.metric, self.name, self.sign, self.response = metric, name, sign, response
        needs_groups = needs_groups or response in OF_LABELS
        self.sensitive_columns, self.needs_groups = sensitive_columns, needs_groups
        self.kwargs = kwargs or {}
        if control_aggregate not in ("mean", "worst"):
            raise ValueError(
                f"control_aggregate must be 'mean' or 'worst', got {control_aggregate!r}."
            )
        self.control_columns, self.control_aggregate = control_columns, control_aggregate
        self.bound: pd.DataFrame | None = None
        self.bound_index: pd.Index | None = None
        by_routing = (needs_groups or response == "columns") and sensitive_columns is None
        self._requests = {
            "sensitive_features": by_routing,
            "sample_weight": None,
            "control_features": False,
        }

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(
        self,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        sensitive_features: Any = None,
        sample_weight: Any = None,
        control_features: Any = None,
    ) -> float:
        """Score a fitted estimator or pipeline.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``decision_function``, ``predict_proba`` or, for metrics on predictions,
            ``predict``.
        X : array-like of shape (n_samples, n_features)
            Test data, as the estimator takes them.
        y : array-like of shape (n_samples,), default=None
            Labels, for metrics that need them.
        sensitive_features : array-like, default=None
            Group membership, all that ``fit`` takes; columns fixed by ``sensitive_columns`` are
            used if it is ``None``.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        control_features : array-like of shape (n_samples,) or (n_samples, n_features), default=None
            Within whose values groups are compared; columns fixed by ``control_columns`` are used
            if it is ``None``. Rows where it is missing take no part.

        Returns
        -------
        float
            Greater is better. NaN, with a warning, where these rows allow no comparison: they are
            of one group, or a group has none of the cases that the metric is about.

        Raises
        ------
        TypeError
            If the estimator is none.
        ValueError
            If sensitive features are missing altogether, or the data do not fit together.
        """
        check_classifier(estimator)
        rows, in_batch = _unpack(X)
        if sensitive_features is None:
            sensitive_features = self._groups_of(rows, in_batch)
        if control_features is None and self.control_columns is not None:
            control_features = select_sensitive(rows, self.control_columns)
        has_groups = sensitive_features is not None or not self.needs_groups
        if control_features is not None and has_groups:
            return self._within_strata(
                estimator, rows, y, sensitive_features, sample_weight, control_features
            )
        return self._score(estimator, X, rows, y, sensitive_features, sample_weight)

    def _within_strata(
        self,
        estimator: Any,
        rows: Any,
        y: Any,
        sensitive_features: Any,
        sample_weight: Any,
        control_features: Any,
    ) -> float:
        """Score each stratum by itself."""
        n_samples = _num_samples(rows)
        strata = StratumEncoder().encode(as_frame(control_features, n_samples, "control_features"))
        warn_of_order(rows, control_features=control_features)
        aligned: dict[str, Any] = {"y": y, "sensitive_features": None, "sample_weight": None}
        if sensitive_features is not None:
            warn_of_order(rows, sensitive_features=sensitive_features)
            aligned["sensitive_features"] = as_frame(sensitive_features, n_samples)
        weights = np.ones(n_samples)
        if sample_weight is not None:
            weights = aligned["sample_weight"] = check_weights(sample_weight, n_samples)
        scores, sizes = [], []
        for stratum in np.unique(strata[strata >= 0]):
            of = np.flatnonzero(strata == stratum)
            part = _safe_indexing(rows, of)
            described = {
                name: None if values is None else _safe_indexing(values, of)
                for name, values in aligned.items()
            }
            scores.append(self._score(estimator, part, part, **described))
            sizes.append(weights[of].sum())
        known = ~np.isnan(scores)
        if not known.any():
            return float("nan")
        if not known.all():
            warn(
                f"{self.name!r} is not defined in {np.count_nonzero(~known)} of {len(known)} "
                "strata of control_features, which take no part.",
            )
        of_known = np.asarray(scores)[known]
        if self.control_aggregate == "worst":
            return float(of_known.min())
        return float(np.average(of_known, weights=np.asarray(sizes)[known]))

    def _score(
        self,
        estimator: Any,
        X: Any,
        rows: Any,
        y: Any,
        sensitive_features: Any,
        sample_weight: Any,
    ) -> float:
        """Score rows that are compared with each other."""
        groups = None
        if self.needs_groups:
            if sensitive_features is None:
                return self._unscored(
                    f"The scorer {self.name!r} got no sensitive features. Pass them with metadata "
                    "routing (sklearn.set_config(enable_metadata_routing=True) and "
                    "sensitive_features=... to fit or cross_validate), fix the columns: "
                    f"make_fairness_scorer({self.name.removeprefix('neg_')!r}, "
                    "sensitive_columns=...), or the groups: scorer.bind(groups)."
                )
            groups = self._checked(rows, sensitive_features, sample_weight)
            if groups is None:
                return float("nan")
        weights = {} if sample_weight is None else {"sample_weight": as_pandas(sample_weight)}
        if groups is not None and self.response in OF_LABELS:
            unfavorable, classes = self._unfavorable_of(estimator), np.asarray(estimator.classes_)
            values = self._predicted(estimator, X, classes, unfavorable, groups)
            return self._of_labels(y, values, classes, unfavorable, groups, **weights)
        kwargs = self.kwargs | weights | ({} if groups is None else {"sensitive_features": groups})
        if self.response == "estimator":
            value = self.metric(estimator, X, y, **kwargs)
        elif self.response == "people":
            if self.sensitive_columns is not None:
                kwargs = {"sensitive_columns": self.sensitive_columns} | kwargs
            value = self.metric(estimator, X, **{"random_state": 0} | kwargs)
        elif self.response == "columns":
            columns = self._columns(estimator, sensitive_features)
            if columns is None:
                return self._unscored(
                    f"The scorer {self.name!r} must know which columns of X are sensitive: "
                    f"make_fairness_scorer({self.name.removeprefix('neg_')!r}, "
                    "sensitive_columns=...). Routed sensitive_features do if their names are those "
                    "of the columns, and so does the sensitive_columns of an estimator of skfair."
                )
            kwargs["sensitive_columns"] = columns
            value = self.metric(estimator, X, **{"aggregate": "mean"} | kwargs)
        elif "unfavorable" in inspect.signature(self.metric).parameters:
            decision, label_info = decision_arguments(estimator, X, kwargs.pop("unfavorable", None))
            value = self.metric(decision, **label_info | kwargs)
        else:
            value = self.metric(decision_values(estimator, X), **kwargs)
        return self._signed(value)

    def bind(self, sensitive_features: Any) -> FairnessScorer:
        """Return a copy that knows the groups of the rows it will be given.

        For whatever calls scorers with an estimator, X and y alone, such as
        :func:`~sklearn.inspection.permutation_importance`.

        Parameters
        ----------
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes)
            Group membership. Given X of another length, a Series or DataFrame is looked up by the
            index of X.

        Returns
        -------
        FairnessScorer
            The copy.
        """
        features = as_pandas(sensitive_features)
        other = self.set_score_request(sensitive_features=False)
        other.bound = as_frame(features)
        if isinstance(features, (pd.Series, pd.DataFrame)):
            other.bound_index = features.index
        return other

    def _groups_of(self, rows: Any, in_batch: pd.DataFrame | None) -> Any:
        """Sensitive features, where none were passed."""
        if self.sensitive_columns is not None:
            return select_sensitive(rows, self.sensitive_columns) if self.needs_groups else None
        if self.bound is None:
            return in_batch
        n_samples, known = _num_samples(rows), self.bound_index
        if len(self.bound) == n_samples:
            return self.bound if known is None else self.bound.set_axis(known, axis=0)
        if isinstance(rows, pd.DataFrame) and known is not None and known.is_unique:
            positions = known.get_indexer(rows.index)
            if (positions >= 0).all():
                return self.bound.iloc[positions]
        raise ValueError(
            f"The groups of {len(self.bound)} rows are bound to the scorer {self.name!r}, which "
            f"was given {n_samples}: bind a Series, and pass X as a DataFrame with an index among "
            "that of the Series."
        )

    def _checked(self, rows: Any, features: Any, sample_weight: Any) -> pd.DataFrame | None:
        """Sensitive features as a frame; ``None`` if these rows are of fewer than two groups."""
        n_samples = _num_samples(rows)
        if n_samples == 0:
            raise ValueError(f"The scorer {self.name!r} was given X without rows.")
        warn_of_order(rows, sensitive_features=features)
        frame = as_frame(features, n_samples)
        warn_of_fractions(frame)
        known = frame.notna().all(axis=1).to_numpy(copy=True)
        if sample_weight is not None:
            known &= check_weights(sample_weight, n_samples) > 0
        names = [frame.iloc[:, i].astype(object)[known] for i in range(frame.shape[1])]
        groups = frame[known].groupby(names, observed=True)
        sizes = groups.size()
        if self.kwargs.get("attributes") != "sum" and len(sizes) < 2:
            found = f"one group only ({group_name(sizes.index[0])!r})" if len(sizes) else "no group"
            warn(
                f"sensitive_features has {found} in these {n_samples} rows: {self.name!r} compares "
                "at least two; NaN is returned.",
            )
            return None
        warn_of_few(groups.ngroup().to_numpy(), sizes.index.tolist())
        return frame

    def _unfavorable_of(self, estimator: Any) -> Any:
        """Return the unfavorable classes; a metric given labels as they are has its own names."""
        if self.response == "predict":
            return None
        return unfavorable_of(estimator, self.kwargs.get("unfavorable"))

    def _predicted(
        self, estimator: Any, X: Any, classes: np.ndarray, unfavorable: Any, groups: pd.DataFrame
    ) -> np.ndarray:
        """Return what a metric of labels is given as predictions."""
        if self.response in ("predict", "codes"):
            return np.asarray(_answer(estimator.predict, X, groups))
        refusing = list(unfavorable_codes(unfavorable, classes))
        if hasattr(estimator, "predict_proba"):
            probabilities = np.asarray(_answer(estimator.predict_proba, X, groups), np.float64)
            return 1 - probabilities[:, refusing].sum(axis=1)
        values = decision_values(estimator, X) if self.response == "scores" else None
        if values is None or values.ndim > 1:
            raise ValueError(
                f"The scorer {self.name!r} needs probabilities; {type(estimator).__name__} has no "
                "predict_proba. sklearn.calibration.CalibratedClassifierCV gives it one."
            )
        return -values if refusing == [1] else values

    def _of_labels(
        self,
        y: Any,
        y_pred: np.ndarray,
        classes: np.ndarray,
        unfavorable: Any,
        frame: pd.DataFrame,
        sample_weight: Any = None,
    ) -> float:
        """Score of predictions; rows without a group, or without weight, take no part."""
        if y is None:
            raise ValueError(f"The scorer {self.name!r} needs the labels: pass y.")
        y = label_array(y, "y")
        y_pred = y_pred[:, 0] if y_pred.ndim == 2 and y_pred.shape[1] == 1 else y_pred
        if not len(y) == len(y_pred) == len(frame):
            raise ValueError(
                f"y must have one label per row of X: got {len(y)} for {len(y_pred)} rows."
            )
        kwargs = dict(self.kwargs)
        if self.response != "predict":
            kwargs.pop("unfavorable", None)
        rows = frame.notna().all(axis=1).to_numpy(copy=True)
        if sample_weight is not None:
            weights = check_weights(sample_weight, len(y))
            rows &= weights > 0
            kwargs["sample_weight"] = weights[rows]
        if missing := int(frame.isna().any(axis=1).sum()):
            warn(
                f"sensitive_features is missing in {missing} of {len(frame)} rows: they are left "
                f"out of {self.name!r}.",
            )
        frame = frame[rows]
        if self.response == "predict":
            groups = frame.iloc[:, 0] if frame.shape[1] == 1 else frame
            return self._signed(
                self.metric(y[rows], y_pred[rows], sensitive_features=groups, **kwargs)
            )
        encoder = GroupEncoder()
        groups = encoder.encode(frame)[:, 0]
        y = accepted_of(y, classes, unfavorable, "y")[rows]
        if self.response == "codes":
            y_pred = accepted_of(y_pred, classes, unfavorable, "predict")
        y_pred, base = y_pred[rows], Peer.of(self.metric).base
        if not self._exists(base, groups, encoder.labels, y == 1, y_pred > 0.5):
            return float("nan")
        if base in ("log_loss", "d2_log_loss_score"):
            kwargs = {"labels": [0, 1]} | kwargs  # a group may have one of them only
        return self._signed(self.metric(y, y_pred, sensitive_features=groups, **kwargs))

    def _exists(
        self, base: str, groups: np.ndarray, labels: list, y: np.ndarray, y_pred: np.ndarray
    ) -> bool:
        """Whether every group has the cases that a metric is about; else a warning says which."""
        has_cases = EXISTS.get(base)
        if has_cases is None:
            return True
        for code, label in enumerate(labels):
            if not has_cases(y[groups == code], y_pred[groups == code]):
                warn(
                    f"{base} cannot be compared in these rows: the group {group_name(label)!r} has "
                    f"none of the cases it is about; {self.name!r} is NaN.",
                )
                return False
        return True

    def _signed(self, value: Any) -> float:
        return self.sign * float(value) + 0.0  # 0.0, not -0.0, at parity

    def _unscored(self, message: str) -> Any:
        """Raise an error, so that a search fails with it instead of taking NaN for the score."""
        if caller_locals("_score", "sklearn.model_selection._validation") is None:
            raise ValueError(message)
        return Unscored(message)

    # What TunedThresholdClassifierCV asks scorers for; it then gives them labels alone.

    @property
    def _sign(self) -> int:
        return 1

    @property
    def _kwargs(self) -> dict:
        return {}

    @property
    def _score_func(self) -> Callable:
        if self.response not in ("predict", "codes"):
            raise ValueError(
                f"The scorer {self.name!r} needs more than predicted labels, which are all that "
                "choosing a threshold gives it. Take one of labels, such as "
                "make_fairness_scorer('demographic_parity_difference')."
            )
        if self.control_columns is not None:
            raise ValueError(
                f"The scorer {self.name!r} compares groups within strata, for which choosing a "
                "threshold gives it no X: leave control_columns=None."
            )
        return self._of_threshold

    def _of_threshold(
        self, y_true: Any, y_pred: Any, sensitive_features: Any = None, sample_weight: Any = None
    ) -> float:
        asking = caller_locals("_score", "sklearn.metrics._scorer") or {}
        X, estimator = asking.get("X", y_true), asking.get("estimator")
        classes = np.unique(np.asarray(y_true) if estimator is None else estimator.classes_)
        unfavorable = (
            self.kwargs.get("unfavorable") if estimator is None else self._unfavorable_of(estimator)
        )
        if sensitive_features is None:
            sensitive_features = self._groups_of(X, None)
        if sensitive_features is None:
            raise ValueError(
                f"The scorer {self.name!r} got no sensitive features: pass them to fit with "
                "metadata routing, or fix sensitive_columns=."
            )
        groups = self._checked(X, sensitive_features, sample_weight)
        if groups is None:
            return float("nan")
        return self._of_labels(
            y_true, np.asarray(y_pred), classes, unfavorable, groups, sample_weight
        )

    def _columns(self, estimator: Any, sensitive_features: Any) -> Any:
        """Columns of X: those that were fixed, those named like the features, the estimator's."""
        if self.sensitive_columns is not None:
            return self.sensitive_columns
        if sensitive_features is not None:
            names = as_frame(sensitive_features).columns
            if {*map(type, names)} == {str}:
                return list(names)
        return find_attribute(estimator, "sensitive_columns")

    def set_score_request(self, **requests: bool | str | None) -> FairnessScorer:
        """Return a copy that requests metadata as given (see scikit-learn's metadata routing).

        Parameters
        ----------
        **requests : bool, str or None
            For ``sensitive_features``, ``sample_weight`` and ``control_features``.

        Returns
        -------
        FairnessScorer
            The copy.
        """
        unknown = set(requests) - set(self._requests)
        if unknown:
            raise TypeError(f"Unknown metadata {sorted(unknown)}; known: {list(self._requests)}.")
        other = object.__new__(type(self))
        vars(other).update(vars(self), _requests=self._requests | requests)
        return other

    def get_metadata_routing(self) -> MetadataRequest:
        """Return what this scorer requests.

        Returns
        -------
        MetadataRequest
            For ``score``.
        """
        request = MetadataRequest(owner=repr(self))
        for name, alias in self._requests.items():
            request.score.add_request(param=name, alias=alias)
        return request

    def __repr__(self) -> str:
        arguments = [repr(self.name)]
        if self.sensitive_columns is not None:
            arguments.append(f"sensitive_columns={self.sensitive_columns!r}")
        if self.control_columns is not None:
            arguments.append(f"control_columns={self.control_columns!r}")
        if self.control_aggregate != "mean":
            arguments.append(f"control_aggregate={self.control_aggregate!r}")
        arguments += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"FairnessScorer({', '.join(arguments)})"


def _answer(method: Callable, X: Any, groups: pd.DataFrame) -> Any:
    """Call ``predict`` or ``predict_proba``, with the groups if it takes them."""
    if "sensitive_features" in inspect.signature(method).parameters:
        return method(X, sensitive_features=groups)
    return method(X)


def _unpack(X: Any) -> tuple[Any, pd.DataFrame | None]:
    """Rows, and groups if there are any, in what skorch's callbacks hand to scorers."""
    if isinstance(X, Dataset):
        from skorch.utils import data_from_dataset

        X = data_from_dataset(X)[0]
    if isinstance(X, Mapping) and "X" in X:
        groups = X.get("groups")
        X = np.asarray(X["X"])
        if groups is not None:
            groups = pd.DataFrame(np.asarray(groups))
            groups = groups.where(groups >= 0)
            return X, groups.astype("Int64")
    return X, None
