"""Thresholds for groups: the best decisions whose rates differ between groups by a tolerance."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin, MetaEstimatorMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import Tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted

from ._contents import uniform_by_row
from ._groups import GroupEncoder, as_frame, in_known_order, select_sensitive, warn_of_order
from ._random import own_generator
from ._tables import as_pandas
from ._tensors import takes_tensors
from ._thresholds._cells import Cells
from ._thresholds._choice import acceptance, best_pooled, best_rules, problems
from ._thresholds._fitting import CrossFitting
from ._thresholds._limits import (
    CONSTRAINTS,
    RATES,
    InfeasibleError,
    Limits,
    Rows,
    acceptance_costs,
)
from ._thresholds._roc import Rule, Rules
from ._thresholds._scores import posterior_of, scores_of
from ._warnings import warn
from .training._base import inner_tags
from .training._encoder import EncoderOptions, Targets
from .training._learner import check_table, whole_state
from .training._rows import select_rows
from .training._transaction import all_or_nothing

__all__ = ["FairThresholdClassifier"]

MINIMA = {"selection_rate": "selection_rate", "tpr": "true_positive_rate"}
RATE_COLUMNS = ("n", "base_rate", *RATES)


class FairThresholdClassifier(MetaEstimatorMixin, ClassifierMixin, CrossFitting):
    """Classifier with a threshold for each group, chosen so that the groups' rates are alike.

    Of all decisions that are made by thresholds on the score of ``estimator``, one or a mixture of
    several for each group, it takes those of least cost whose rates differ between any two groups
    by no more than ``tolerance`` [1]_ [2]_. They are found exactly, by linear programming. Nothing
    is trained anew for another constraint or tolerance; but the group must be known, or inferred,
    where decisions are made.

    Parameters
    ----------
    estimator : classifier
        Any binary classifier or pipeline with ``predict_proba`` or ``decision_function``.
    constraint : {"equalized_odds", "equal_opportunity", "false_positive_rate_parity", \
"demographic_parity"} or None, default="equalized_odds"
        Whose rates are compared: the true and the false positive rate, either of them, or the share
        accepted. ``None``: none, for ``minimum`` alone.
    tolerance : float in [0, 1], default=0.05
        Largest difference of a rate between two groups, on the rows that the thresholds are chosen
        on.
    objective : {"accuracy", "balanced_accuracy"} or array-like of shape (2, 2), \
default="accuracy"
        What is best: most right decisions; the same with both classes counting alike; or least
        cost, where row i, column j of the matrix is the cost of deciding ``classes_[j]`` where
        ``classes_[i]`` is right. Right decisions must not cost more than wrong ones.
    minimum : dict of str to float, default=None
        Least value of "selection_rate", the share accepted, or of "tpr", the true positive rate, in
        every group: ``{"tpr": 0.6}`` raises the worst group, where a tolerance alone may lower
        the best one.
    randomize : bool, default=True
        Whether scores between two thresholds may be accepted by chance, where the best decisions
        need it. If False there is one threshold for each group: the best that meet the constraint,
        with two rates the best that were found (by a search that is exact for up to 300 different
        values of each).
    group_estimator : classifier, default=None
        Infers the group from X, by ``predict_proba``; predictions then need no group. A person is
        accepted with the mean of the groups' probabilities of acceptance, weighted by the
        probability of each group. The constraint is on the groups as they are, not as they are
        guessed.
    sensitive_columns : str, int, list, slice or callable, default=None
        Column(s) of X that hold the sensitive feature(s), in ``fit`` and ``predict``, selected as
        in ``ColumnTransformer``.
    drop_sensitive_columns : bool, default=False
        Whether ``estimator`` is kept from seeing ``sensitive_columns``.
    attributes : {"intersection", "sum"}, default="intersection"
        Several sensitive features: a group is a combination that occurs; or rates are compared
        between the groups of each feature, while thresholds are still those of combinations.
    response_method : {"auto", "predict_proba", "decision_function"}, default="auto"
        Where the score comes from; "auto" takes the first that ``estimator`` has.
    prefit : bool, default=False
        Whether ``estimator`` (and ``group_estimator``) is fitted already, and stays as it is; all
        rows passed to ``fit``, which should be others than it was trained on, choose the
        thresholds. A search clones what it is given, and a clone is not fitted: use
        :class:`sklearn.frozen.FrozenEstimator` there, which has the same effect.
    cv : int, cross-validation generator or iterable, default=None
        Folds for the scores that choose the thresholds: those of each row come from a clone that
        was trained without it; at last ``estimator`` is fitted to all rows. ``None`` is 5. An
        integer makes folds that are stratified by label and group, and depend on nothing but what
        is in a row: equal rows are in one fold, so that a weight is as many repetitions.
    n_jobs : int, default=None
        Number of jobs for the folds.
    random_state : int, RandomState instance or None, default=None
        Of decisions made by chance. Fixed in ``fit``: the same row always gets the same answer.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Class labels; ``classes_[1]`` is acceptance.
    estimator_ : classifier
        The fitted estimator.
    group_estimator_ : classifier
        The fitted classifier of groups, if there is one; its classes are the groups' labels as
        text, those of several features joined by " & ".
    groups_ : list
        Labels of the groups that are compared: values, tuples with a value of each feature, or
        pairs (feature, value) with ``attributes="sum"``; empty without any.
    thresholds_ : pandas.DataFrame
        A row for each group and threshold: from this score up to the next higher threshold,
        ``acceptance`` is the probability of acceptance; below the lowest nobody is accepted. The
        group ``None`` is everybody whose group is not known.
    rates_ : pandas.DataFrame
        For each group its (weighted) number of rows ``n``, the share with the favorable label
        ``base_rate``, and as expected on the rows that chose the thresholds ``selection_rate``,
        ``true_positive_rate`` and ``false_positive_rate``.
    pooled_rates_ : pandas.DataFrame
        The same under the best single threshold for everybody, whatever the difference.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names that are all strings.

    See Also
    --------
    PenaltyClassifier : Trains a network under a penalty; the group is not needed to predict.

    Notes
    -----
    A row whose group is missing or was not there in ``fit`` is decided on by the best single
    threshold, and ``predict`` warns of it. The constraint holds on the scores that chose the
    thresholds, within the solver's 1e-7, and in expectation where decisions are made by chance; on
    other rows rates vary as those of any sample do. With ``group_estimator`` the same is true of
    the groups' actual members, as long as new rows are like those of ``fit`` in the score and the
    inferred probabilities of each group's positives and negatives; a wrong guess costs accuracy,
    not parity.

    References
    ----------
    .. [1] M. Hardt, E. Price, N. Srebro. Equality of Opportunity in Supervised Learning. NeurIPS
       2016.
    .. [2] A. F. Cruz, M. Hardt. Unprocessing Seven Years of Algorithmic Fairness. ICLR 2024.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skfair import FairThresholdClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = FairThresholdClassifier(
    ...     LogisticRegression(), constraint="demographic_parity", tolerance=0.02
    ... )
    >>> model = model.fit(X, y, sensitive_features=group)
    >>> shares = model.rates_["selection_rate"]
    >>> bool(shares.max() - shares.min() <= 0.02 + 1e-7)
    True
    >>> decisions = model.predict(X, sensitive_features=group)
    """

    __metadata_request__fit = {"sensitive_features": True}
    __metadata_request__predict = {"sensitive_features": True}
    __metadata_request__predict_proba = {"sensitive_features": True}
    __metadata_request__score = {"sensitive_features": True}

    _encodes_rows = False

    _parameter_constraints: dict = {
        "estimator": [
            HasMethods(["fit", "predict_proba"]),
            HasMethods(["fit", "decision_function"]),
        ],
        "constraint": [StrOptions(set(CONSTRAINTS)), None],
        "tolerance": [Interval(Real, 0, 1, closed="both")],
        "objective": [StrOptions({"accuracy", "balanced_accuracy"}), "array-like"],
        "minimum": [dict, None],
        "randomize": ["boolean"],
        "group_estimator": [HasMethods(["fit", "predict_proba"]), None],
        "sensitive_columns": "no_validation",
        "drop_sensitive_columns": ["boolean"],
        "attributes": [StrOptions({"intersection", "sum"})],
        "response_method": [StrOptions({"auto", "predict_proba", "decision_function"})],
        "prefit": ["boolean"],
        "cv": ["cv_object"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        constraint: str | None = "equalized_odds",
        tolerance: float = 0.05,
        objective: Any = "accuracy",
        minimum: Mapping[str, float] | None = None,
        randomize: bool = True,
        group_estimator: Any = None,
        sensitive_columns: Any = None,
        drop_sensitive_columns: bool = False,
        attributes: str = "intersection",
        response_method: str = "auto",
        prefit: bool = False,
        cv: Any = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.constraint = constraint
        self.tolerance = tolerance
        self.objective = objective
        self.minimum = minimum
        self.randomize = randomize
        self.group_estimator = group_estimator
        self.sensitive_columns = sensitive_columns
        self.drop_sensitive_columns = drop_sensitive_columns
        self.attributes = attributes
        self.response_method = response_method
        self.prefit = prefit
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _validate_params(self) -> None:
        super()._validate_params()
        acceptance_costs(self.objective, np.ones(2))  # raises where it is none
        for name, least in (self.minimum or {}).items():
            if name not in MINIMA or not isinstance(least, Real) or not 0 <= least <= 1:
                raise ValueError(
                    f"minimum must map 'selection_rate' or 'tpr' to numbers in [0, 1], got "
                    f"{self.minimum!r}."
                )
        if not self.randomize and self.group_estimator is not None:
            raise ValueError(
                "randomize=False needs the group itself: with group_estimator a row is accepted "
                "with a probability. Leave one of them out."
            )
        if not self.randomize and self.attributes == "sum":
            raise ValueError(
                "randomize=False chooses thresholds for groups that are compared with each other: "
                "use attributes='intersection'."
            )

    def _targets(self) -> Targets:
        return Targets(multi_class=False, hint="Thresholds accept one class, or the other.")

    def _encoder_options(self) -> EncoderOptions:
        return EncoderOptions(
            name=type(self).__name__,
            targets=self._targets(),
            sensitive_columns=self.sensitive_columns,
            drop_sensitive_columns=self.drop_sensitive_columns,
            attributes=self.attributes,
            class_weight=None,  # the objective says what a class counts
            dtype=None,
        )

    # -- fitting ------------------------------------------------------------------------------

    @takes_tensors
    def fit(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> Self:
        """Fit the estimator, and choose the thresholds.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Training data, as the estimator takes them.
        y : array-like of shape (n_samples,)
            Labels of two classes.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes), \
default=None
            Group membership: strings, numbers or categoricals. They are handed to the estimator's
            ``fit``, too, if it takes them.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: of the rates, the objective, and in the estimator's ``fit`` if it
            takes them.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If there are other than two classes, a parameter is out of range, or no thresholds reach
            the ``minimum``.

        Warns
        -----
        UserWarning
            If there are no groups, a group lacks the cases of a rate that is compared, or hardly
            anybody of a group is accepted.
        """
        with all_or_nothing(self):
            data = self._encode(X, y, sensitive_features, sample_weight, resume=False)
            if data.groups is None:
                warn(
                    "FairThresholdClassifier got neither sensitive_features nor sensitive_columns: "
                    "there is one threshold for everybody.",
                )
            self._seed = int(own_generator(self.random_state).randint(2**31 - 1))
            self._columns = self.sensitive_columns  # whatever the parameter becomes
            self._infers = self.group_estimator is not None and data.groups is not None
            codes = np.full((len(data.y), 1), -1) if data.groups is None else data.groups
            self._cells = Cells.learn(codes, self.groups_, self._encoder.attribute_of)
            cells = self._cells.of_rows(codes)
            self._fit_estimators(data, cells)
            folds = self._folds(data, cells, X, y, sample_weight)
            scores = self._cross_scores(data, folds)
            posterior = self._cross_posterior(data, cells, folds) if self._infers else None
            weights = np.ones(len(data.y)) if data.weights is None else data.weights
            members = (codes[:, :, np.newaxis] == np.arange(len(self.groups_))).any(axis=1)
            self._learn_rules(Rows(scores, weights, data.y, members, cells, posterior))
        return self

    def _learn_rules(self, rows: Rows) -> None:
        """Choose the thresholds."""
        pooled = best_pooled(rows, self.objective)
        self._rules = Rules(pooled, [])
        self._rates: dict[str, list] = {name: [] for name in RATE_COLUMNS}
        self._pooled_rates = self._rates
        if not self._cells.labels:
            return
        limits = Limits(
            CONSTRAINTS[self.constraint] if self.constraint else (),
            float(self.tolerance),
            {MINIMA[name]: float(least) for name, least in (self.minimum or {}).items()},
        )
        try:
            found = best_rules(rows, self._cells, self.objective, limits, self.randomize)
        except InfeasibleError:
            raise ValueError(
                f"minimum={self.minimum} cannot be had together with {self.constraint} within a "
                f"tolerance of {self.tolerance}."
            ) from None
        self._rules = Rules(pooled, found)
        self._rates = rows.rates(acceptance(self._rules, rows))
        self._pooled_rates = rows.rates(pooled(rows.scores))
        for problem in problems(self.rates_, limits, self.classes_):
            warn(problem)

    # -- answers ------------------------------------------------------------------------------

    @takes_tensors
    def predict(self, X: Any, *, sensitive_features: Any = None) -> np.ndarray:
        """Decide on rows.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Input samples.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes), \
default=None
            Groups, as in ``fit``; ``None`` reads ``sensitive_columns``. Not used where
            ``group_estimator`` infers them.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels. Where there is chance, it depends on the row and ``random_state``: the same row
            gets the same answer.

        Warns
        -----
        UserWarning
            If the group of some rows is not known: the best single threshold decides on them.
        """
        raw, acceptance = self._acceptance(X, sensitive_features)
        accepted = acceptance >= 1
        by_chance = np.flatnonzero((acceptance > 0) & ~accepted)
        if len(by_chance):
            drawn = uniform_by_row(select_rows(raw, by_chance), self._seed)
            accepted[by_chance] = drawn < acceptance[by_chance]
        return self.classes_[accepted.astype(np.int64)]

    @takes_tensors
    def predict_proba(self, X: Any, *, sensitive_features: Any = None) -> np.ndarray:
        """Probability of each decision.

        Not of the label: it is 0 or 1 but where :meth:`predict` decides by chance. What
        ``estimator_`` says of the label is its own ``predict_proba``.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Input samples.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes), \
default=None
            As in :meth:`predict`.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Of refusal and of acceptance.
        """
        acceptance = self._acceptance(X, sensitive_features)[1]
        return np.column_stack([1 - acceptance, acceptance])

    @takes_tensors
    def score(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> float:
        """Accuracy of the decisions.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Input samples.
        y : array-like of shape (n_samples,)
            Labels.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes), \
default=None
            As in :meth:`predict`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        float
            Share of right decisions.
        """
        decisions = self.predict(X, sensitive_features=sensitive_features)
        return float(accuracy_score(y, decisions, sample_weight=sample_weight))

    def _acceptance(self, X: Any, sensitive_features: Any) -> tuple[Any, np.ndarray]:
        """Return the checked rows, and the probability (n,) of each to be accepted."""
        check_is_fitted(self)
        raw = check_table(self, as_pandas(X), reset=False)
        visible = self._encoder.select_features(raw)
        scores = scores_of(self.estimator_, visible, self._responses)
        if self._infers:
            posterior = posterior_of(self.group_estimator_, visible, self._cells.names)
            return raw, self._rules.by_posterior(scores, posterior)
        return raw, self._rules.by_cell(scores, self._cells_of(raw, sensitive_features))

    def _cells_of(self, raw: Any, sensitive_features: Any) -> np.ndarray:
        """Cell (n,) of each row, -1 where it is not known."""
        n = raw.shape[0]
        if not self._cells.labels:
            return np.full(n, -1)
        if sensitive_features is None and self._columns is not None:
            sensitive_features = select_sensitive(raw, self._columns)
        if sensitive_features is None:
            warn(
                "Neither sensitive_features nor sensitive_columns say which groups these rows "
                "belong to: the best single threshold decides, and no constraint holds. "
                "group_estimator= infers groups.",
            )
            return np.full(n, -1)
        warn_of_order(raw, sensitive_features=sensitive_features)
        encoder = self._encoder
        attributes = "sum" if max(encoder.attribute_of) > 0 else "intersection"
        groups = GroupEncoder(attributes, encoder.groups, encoder.attribute_of)
        frame = in_known_order(as_frame(sensitive_features, n), (encoder.group_columns or [""])[1:])
        cells = self._cells.of_rows(groups.look_up(frame, n))
        if unknown := int((cells < 0).sum()):
            warn(
                f"sensitive_features: the group of {unknown} of {n} rows is missing, or was not "
                "there in fit: the best single threshold decides on them.",
            )
        return cells

    # -- what was found -----------------------------------------------------------------------

    @property
    def thresholds_(self) -> pd.DataFrame:
        """Thresholds of each group (pandas.DataFrame), and the probability of acceptance."""
        check_is_fitted(self)
        labels, rules = [*self._cells.labels, None], [*self._rules.of_cells, self._rules.pooled]
        steps = [
            (label, threshold, acceptance)
            for label, rule in zip(labels, rules, strict=True)
            for threshold, acceptance in zip(rule.thresholds, rule.acceptance[1:], strict=True)
        ]
        table = pd.DataFrame(steps, columns=["group", "threshold", "acceptance"], dtype=object)
        return table.astype({"threshold": float, "acceptance": float})

    @property
    def rates_(self) -> pd.DataFrame:
        """Rates of each group (pandas.DataFrame) on the rows that chose the thresholds."""
        check_is_fitted(self)
        return pd.DataFrame(self._rates, index=pd.Index(self.groups_, tupleize_cols=False))

    @property
    def pooled_rates_(self) -> pd.DataFrame:
        """The same (pandas.DataFrame) under the best single threshold."""
        check_is_fitted(self)
        return pd.DataFrame(self._pooled_rates, index=pd.Index(self.groups_, tupleize_cols=False))

    # -- scikit-learn's protocols -------------------------------------------------------------

    def get_metadata_routing(self) -> MetadataRouter:
        """Return how metadata are routed.

        Returns
        -------
        MetadataRouter
            Groups are taken by ``fit``, ``predict``, ``predict_proba`` and ``score``; those and
            weights go to the ``fit`` of the estimators as they request them.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        router.add(estimator=self.estimator, method_mapping=mapping)
        if self.group_estimator is not None:
            router.add(group_estimator=self.group_estimator, method_mapping=mapping)
        return router

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_rules")

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "_rules" in state:  # as arrays, lists and tuples
            state["_cells"] = list(self._cells)
            state["_rules"] = [list(rule) for rule in (self._rules.pooled, *self._rules.of_cells)]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_rules" in vars(self):
            with whole_state(self):
                self._cells = Cells(*self._cells)
                pooled, *of_cells = (Rule(*rule) for rule in vars(self)["_rules"])
                self._rules = Rules(pooled, of_cells)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        if (inner := inner_tags(self)) is not None:
            tags.input_tags = inner.input_tags
        return tags
