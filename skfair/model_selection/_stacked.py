"""Grid search whose networks are trained together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.model_selection import GridSearchCV, ParameterGrid, ParameterSampler
from sklearn.model_selection._validation import _fit_and_score
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags, get_tags, indexable
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from .._documentation import DocumentedEstimator
from .._random import own_generator
from .._warnings import warn
from ..training._device import resolve_device
from ._holdout import holdout_scores, requested_by_scorers, split_holdout
from ._tasks import run_tasks
from ._together import MAX_MEMBERS, Call, CollectingBackend, run_task, shared_by, tasks_of

__all__ = ["StackedSearchCV"]


class StackedSearchCV(DocumentedEstimator, GridSearchCV):
    """Grid search that trains the networks of many candidates and folds together.

    The results are those of :class:`~sklearn.model_selection.GridSearchCV`, up to rounding. Only
    the time is another: small networks are too little work for a processor, and hundreds of them
    take the time of a few. Networks are trained together that share architecture, optimizer, batch
    size, number of epochs and objective; they may differ in the weights of the objective's terms
    (``lambda_fairness``, ``alpha``, ``beta``), in ``lr``, ``weight_decay``, ``warmup``,
    ``random_state``, and in their rows. What cannot be trained together (another estimator, the
    tabular network, callbacks, a ``monitor`` that predicts) is fitted as usual, and a warning says
    why.

    Parameters
    ----------
    estimator : estimator
        A network of skfair, or a pipeline that ends in one. Its other steps are fitted once for
        each fold and each combination of their own parameters.
    param_grid : dict or list of dict
        As in :class:`~sklearn.model_selection.GridSearchCV`; with ``n_iter`` as the distributions
        of :class:`~sklearn.model_selection.RandomizedSearchCV`.
    scoring : str, callable, list, tuple or dict, default=None
        As there.
    n_jobs : int, default=None
        Number of processes; each is handed stacks of networks.
    refit : bool, str or callable, default=True
        As there; :class:`~skfair.model_selection.best_under_constraint` is such a callable.
    cv : int, cross-validation generator or iterable, default=None
        As there.
    n_iter : int >= 1, default=None
        Number of candidates that are drawn from ``param_grid``, by ``random_state``; ``None`` takes
        every combination.
    n_repeats : int >= 1, default=1
        How often every candidate is trained on every fold, each time from another seed. Means and
        standard deviations in ``cv_results_`` are then over folds and seeds: split ``s`` is fold
        ``s % n_folds`` with seed ``s // n_folds``.
    max_stack : "auto" or int >= 1, default="auto"
        Most networks in a stack. "auto" takes at most 128, and no more than fit into 256 MB.
    error_score : "raise" or float, default=nan
        Score of a candidate whose training fails, for example because its loss becomes NaN. The
        others are not disturbed.
    return_train_score : bool, default=False
        As there.
    random_state : int, RandomState or None, default=None
        Source of the candidates that are drawn, of the repeats' seeds and of the rows held out;
        ``None`` takes the estimator's ``random_state`` as source, or as the only seed without
        repeats.
    verbose : int, default=0
        As there.
    holdout : float in (0, 1), splitter or array-like, default=None
        Rows that take no part in the search, neither in ``cv`` nor in the choice nor in the refit,
        and on which the chosen candidate is scored at the end (:func:`holdout_scores`): a share,
        drawn by ``random_state`` and stratified by label and ``sensitive_features`` where there are
        enough rows; an object with ``split``, such as
        :class:`~sklearn.model_selection.GroupShuffleSplit`, whose first split is taken; positions
        of rows, or a mask. If ``cv`` lists positions, these are among the rows that remain.
    device : str, default=None
        Where networks are trained and scored, "auto" or one of torch's names; ``None`` is the
        estimator's own ``device``. The refit is on that one either way.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray
        As in :class:`~sklearn.model_selection.GridSearchCV`. A network's fit time is its share of
        the time that its stack took.
    best_estimator_ : estimator
        Fitted on all rows, by itself, if ``refit`` is not ``False``.
    best_score_ : float
        Its mean test score, unless ``refit`` is a callable.
    best_params_ : dict
        The candidate.
    best_index_ : int
        Its position.
    scorer_ : callable or dict
        What scores.
    n_splits_ : int
        Number of folds times ``n_repeats``.
    refit_time_ : float
        Seconds of the last fit.
    holdout_rows_ : ndarray of shape (n_holdout,)
        Positions of the rows that took no part, if there are any.
    holdout_scores_ : DataFrame
        What :func:`holdout_scores` found on them.
    multimetric_ : bool
        Whether there are several scores.
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X has such.

    Notes
    -----
    Networks of a stack start from the weights, and see the batches, that each would by itself.
    In float64 they agree with :class:`~sklearn.model_selection.GridSearchCV` to about 1e-12; in
    float32 rounding grows over the steps as it does between machines.

    Examples
    --------
    >>> from skfair import FaiRNClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> from skfair.model_selection import StackedSearchCV
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> search = StackedSearchCV(
    ...     FaiRNClassifier(max_epochs=5, random_state=0),
    ...     {"lambda_fairness": [0, 0.5, 1], "lambda_robustness": [0, 0.1]},
    ...     cv=3,
    ... )
    >>> search = search.fit(X, y, sensitive_features=group)
    >>> search.cv_results_["mean_test_score"].shape
    (6,)
    """

    _parameter_constraints = GridSearchCV._parameter_constraints | {
        "n_iter": [Interval(Integral, 1, None, closed="left"), None],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "max_stack": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "holdout": [
            Interval(Real, 0, 1, closed="neither"),
            HasMethods(["split"]),
            "array-like",
            None,
        ],
        "device": [str, None],
    }
    _parameter_constraints.pop("pre_dispatch")

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        n_iter: int | None = None,
        n_repeats: int = 1,
        max_stack: int | str = "auto",
        error_score: Any = np.nan,
        return_train_score: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        holdout: Any = None,
        device: str | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch="all",
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.n_iter = n_iter
        self.n_repeats = n_repeats
        self.max_stack = max_stack
        self.random_state = random_state
        self.holdout = holdout
        self.device = device

    def fit(self, X: Any, y: Any = None, **params: Any) -> StackedSearchCV:
        """Train all candidates on all folds, choose, and fit the chosen one on all rows.

        With ``holdout``, "all rows" are those that are not held out.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels.
        **params : dict
            As in :class:`~sklearn.model_selection.GridSearchCV`: what the estimator's ``fit`` and,
            with metadata routing, the scorers and the splitter take, ``sensitive_features`` and
            ``sample_weight`` among them.

        Returns
        -------
        self : object
            The fitted search.
        """
        for name in {"holdout_rows_", "_holdout_scores"} & set(vars(self)):
            delattr(self, name)  # of an earlier search
        if self.holdout is None:
            return self._search(X, y, params)
        self._validate_params()
        if not self.refit:
            raise ValueError("holdout scores what refit has chosen, but refit is False.")
        X, y = indexable(X, y)
        parts = split_holdout(self.holdout, X, y, params, own_generator(self._source()))
        searched, held_out = (
            (*_safe_split(self.estimator, X, y, rows), _check_method_params(X, params, rows))
            for rows in parts
        )
        self._search(*searched)
        self.holdout_rows_ = parts[1]
        X, y, params = held_out
        metadata = requested_by_scorers(self, params)
        found = holdout_scores(self, X, y, **metadata)
        self._holdout_scores = {"scorers": found.index.tolist(), **found.to_dict("list")}
        return self

    @property
    def holdout_scores_(self) -> pd.DataFrame:
        """Scores of what was chosen, there after a fit with ``holdout``."""
        if not hasattr(self, "_holdout_scores"):
            raise AttributeError("holdout_scores_ is there after a fit with holdout.")
        columns = dict(self._holdout_scores)  # files of skops hold lists, but no frames
        return pd.DataFrame(columns, index=columns.pop("scorers"))

    def _search(self, X: Any, y: Any, params: dict[str, Any]) -> StackedSearchCV:
        with CollectingBackend(self._run_calls).active():
            return super().fit(X, y, **params)

    def _run_search(self, evaluate_candidates: Callable) -> None:
        backend, _ = get_active_backend()
        if isinstance(backend, CollectingBackend):
            backend.leave()  # scikit-learn's Parallel has it; what runs inside has the user's
        cv = None
        if self.n_repeats > 1:
            if not hasattr(self, "_checked_cv_orig"):
                raise ValueError(
                    f"n_repeats={self.n_repeats} needs scikit-learn 1.9, this is "
                    f"{sklearn.__version__}; RepeatedStratifiedKFold repeats the folds."
                )
            cv = _RepeatedSplits(self._checked_cv_orig, self.n_repeats)
            self.n_splits_ *= self.n_repeats
        evaluate_candidates(self._candidates(), cv=cv)

    def _candidates(self) -> list[dict[str, Any]]:
        if self.n_iter is None:
            return list(ParameterGrid(self.param_grid))
        rng = own_generator(self._source())
        return list(ParameterSampler(self.param_grid, self.n_iter, random_state=rng))

    def _run_calls(self, calls: list) -> list:
        """Run what scikit-learn wants to be run in parallel."""
        if not all(getattr(f, "function", f) is _fit_and_score for f, _, _ in calls):
            return [function(*args, **kwargs) for function, args, kwargs in calls]
        given, seeds = self._given(), self._seeds()
        n_folds = len({kwargs["split_progress"][0] for _, _, kwargs in calls}) // self.n_repeats
        made = []
        for position, (_, args, kwargs) in enumerate(calls):
            split = kwargs["split_progress"][0]
            seed = seeds[split // n_folds]
            more = given if seed is None else given | {self._name("random_state"): seed}
            kwargs = kwargs | {"parameters": (kwargs["parameters"] or {}) | more}
            made.append(Call(position, args, kwargs, split % n_folds, seed))
        limit = None if self.max_stack == "auto" else int(self.max_stack)
        tasks = tasks_of(made, limit or MAX_MEMBERS, effective_n_jobs(self.n_jobs))
        done = run_tasks(
            run_task,
            [(task, limit) for task in tasks],
            shared=shared_by(made),
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        results: list = [None] * len(calls)
        alone: Counter = Counter()
        for of_task, why in done:
            alone += why
            for position, result in of_task:
                results[position] = result
        if alone:
            reasons = "; ".join(f"{reason} ({count})" for reason, count in alone.items())
            warn(
                f"StackedSearchCV fits {alone.total()} of {len(calls)} candidates and folds one by "
                f"one: {reasons}."
            )
        return results

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = get_tags(self.estimator).input_tags.allow_nan
        return tags

    # -- what is set in every candidate -------------------------------------------------------

    def _full_name(self, parameter: str) -> str:
        steps = self.estimator.steps if isinstance(self.estimator, Pipeline) else []
        return f"{steps[-1][0]}__{parameter}" if steps else parameter

    def _name(self, parameter: str) -> str:
        """Full name of a parameter that the network has and no candidate sets."""
        name = self._full_name(parameter)
        if name not in self.estimator.get_params():
            raise ValueError(
                f"{type(self.estimator).__name__} has no parameter {name!r}: n_repeats, "
                "random_state and device of StackedSearchCV need a network that has it."
            )
        grids = [self.param_grid] if isinstance(self.param_grid, Mapping) else self.param_grid
        if any(name in grid for grid in grids):
            raise ValueError(
                f"param_grid must not contain {name!r}, which n_repeats, random_state or device of "
                "StackedSearchCV set."
            )
        return name

    def _given(self) -> dict[str, Any]:
        if self.device is None:
            return {}
        resolve_device(self.device)
        return {self._name("device"): self.device}

    def _seeds(self) -> list[int | None]:
        """Seeds of the repeats, ``None`` for the estimator's own."""
        if self.n_repeats == 1 and self.random_state is None:
            return [None]
        self._name("random_state")
        draws = own_generator(self._source()).randint(2**31 - 1, size=self.n_repeats)
        return [int(seed) for seed in draws]

    def _source(self) -> Any:
        """Return what random numbers come from."""
        if self.random_state is not None:
            return self.random_state
        return self.estimator.get_params().get(self._full_name("random_state"))


class _RepeatedSplits:
    """The same splits several times over."""

    def __init__(self, cv: Any, n_repeats: int) -> None:
        self.cv, self.n_repeats = cv, n_repeats

    def split(self, X: Any, y: Any = None, **params: Any) -> Iterator:
        splits = list(self.cv.split(X, y, **params))
        for _ in range(self.n_repeats):
            yield from splits
