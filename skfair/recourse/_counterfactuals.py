"""Nearest accepted profiles of those who are refused (FaiR-N, section 4.4; CERTIFAI)."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from .._columns import column_positions
from .._estimators import check_classifier, find_attribute, split_pipeline
from .._labels import unfavorable_codes
from .._progress import tqdm
from .._random import own_generator
from .._tables import as_table
from .._warnings import warn
from ._columns import is_hashable, rows_of
from ._decisions import Decisions, refuses
from ._dependence import broken_functions
from ._profiles import Profiles
from ._result import Counterfactuals
from ._search import Distance, Search
from ._state import undisturbed

__all__ = ["counterfactuals"]

MAX_NAMED_FUNCTIONS = 5  # functions that a warning shows
MAX_REFERENCE_ROWS = 20_000  # people of the reference among whom the following are looked for
MAX_DONORS = 1000  # accepted people whose profiles are starts
MAX_SCOUTS = 200  # refused people who look for more of them


@validate_params(
    {
        "distance": [StrOptions({"mad_l1", "l2"}), callable],
        "method": [StrOptions({"auto", "gradient", "genetic"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def counterfactuals(
    estimator: Any,
    X: Any,
    *,
    sensitive_columns: Any = None,
    actionable: Any = None,
    bounds: dict | str | None = None,
    categorical: Any = None,
    integer: Any = None,
    monotone: dict | None = None,
    distance: str | Callable = "mad_l1",
    method: str = "auto",
    reference: Any = None,
    unfavorable: Any = None,
    max_iter: int = 50,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
) -> Counterfactuals:
    """Nearest accepted profile found for each refused person.

    What would have had to be different for this person to be accepted? The distance to the answer
    is a measure of recourse in the input space (FaiR-N [1]_, section 4.4; CERTIFAI [2]_), where
    :func:`~skfair.metrics.recourse_gap` measures it in the logit space.

    Parameters
    ----------
    estimator : classifier
        A fitted classifier, pipeline or search.
    X : DataFrame or array-like of shape (n_samples, n_features)
        People, as the estimator takes them.
    sensitive_columns : str, int, list, slice or callable, default=None
        Columns of X that never change; ``None`` is what the estimator was told, if anything.
    actionable : str, int, list, slice or callable, default=None
        Columns of X that may change; ``None`` are all but the sensitive ones.
    bounds : dict, "observed" or None, default=None
        ``{column: (lowest, highest)}`` of numbers and ordered pandas categories, ``None`` for an
        open end; or the range of numbers in `reference`. Who is outside already may stay there, or
        come nearer. Numbers without bounds may go anywhere within what the type of their column can
        hold.
    categorical : list, default=None
        Columns that hold categories; a list within the list stands for the 0/1 columns of one
        category (one-hot), of which at most one is 1 in every row. Where somebody in X or
        `reference` has none of them, as after ``drop="first"``, that is a category, too. ``None``:
        columns of text, truth values and pandas categories, and 0/1 columns (numbers or truth
        values), adjacent ones being taken for one category if every row has exactly one of them,
        or if their names begin alike (``job_b``, ``job_c``) and no row has two, and single ones
        for numbers if `bounds` or `integer` name them. Columns of text and truth values are
        categories in any case.
    integer : list, default=None
        Columns of whole numbers; ``None`` are those of an integer type, and those of which some
        entries are missing and all others, in X and `reference`, are whole.
    monotone : dict, default=None
        ``{column: "increase" or "decrease"}``: the only way in which a number, an ordered pandas
        category, or a single column of 0 and 1, may change.
    distance : {"mad_l1", "l2"} or callable, default="mad_l1"
        - "mad_l1": sum of the absolute changes of numbers, each divided by the column's median
          absolute deviation in `reference` (its mean one where that is 0), plus 1 for every
          category that changes.
        - "l2": Euclidean distance of the rows, categories as 0/1 columns: 2 is added to the squares
          for every category that changes.
        - ``distance(X, counterfactuals) -> ndarray of shape (n,)``, which is given two tables; by
          the population search.
    method : {"auto", "gradient", "genetic"}, default="auto"
        - "gradient": ever new linearizations, for networks of skfair and skorch and linear models
          whose earlier steps act on each column by itself, scaling numbers and encoding
          categories. The projection on the boundary, which is exact, if the decision is linear.
        - "genetic": a population for every person, for any classifier.
        - "auto": the first where it is possible, the second otherwise and for those for whom the
          first finds nothing.
    reference : DataFrame or array-like of shape (n_reference, n_features), default=None
        People from whom scales, categories, the observed range and first guesses are taken; ``X``
        if ``None``. Needed where X is only a few people.
    unfavorable : label or list of labels, default=None
        The class(es) that refuse; ``None`` is what the estimator was told, else ``classes_[0]``.
    max_iter : int, default=50
        Steps of the gradient search, or generations.
    random_state : int, RandomState or None, default=None
        Seed.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    result : Counterfactuals
        A :class:`~sklearn.utils.Bunch` with a row for each refused person, which shows and
        tabulates what would change:

        - ``refused`` : int ndarray of shape (n_refused,), their positions in X;
        - ``people`` : like X, (n_refused, n_features), who they are;
        - ``counterfactuals`` : like X, (n_refused, n_features), the accepted profile, or the
          person's own where none was found; a DataFrame has X's index of the refused;
        - ``distance`` : float ndarray of shape (n_refused,), infinite where none was found;
        - ``valid`` : bool ndarray of shape (n_refused,), whether the estimator's ``predict``
          accepts that profile;
        - ``consistent`` : bool ndarray of shape (n_refused,), whether columns that are functions of
          others in `reference`, as an age group is of an age, are so in that profile, too;
        - ``changed`` : bool DataFrame of shape (n_refused, n_features), which columns differ, with
          the index of ``counterfactuals``.

    Raises
    ------
    ValueError
        If a column does not occur or does not suit a constraint, or the method does not suit the
        estimator.
    TypeError
        If a constraint, or the estimator, is of the wrong type.

    Warns
    -----
    UserWarning
        If a column that is a function of another in `reference` does not follow it in an answer.

    Notes
    -----
    A counterfactual explains the model, it promises nothing: who changes the profile in real life
    changes other things too, and the model may be another one by then. Distances are upper bounds
    except for linear decisions, where they are exact as long as no whole numbers are asked for.
    Missing numbers stay missing. Columns change one by one: one that is a function of another, as
    an age group is of an age, does not follow, and ``consistent`` says so. Leave both out of
    `actionable`, or let the estimator compute one from the other. Functions are seen that are steps
    of a number, that have several values each of which occurs repeatedly, and that are other units;
    not those of several columns.

    The search runs in one thread; torch and the estimator's module are left as they were.

    References
    ----------
    .. [1] S. Sharma, A. H. Gee, D. Paydarfar, J. Ghosh. FaiR-N: Fair and Robust Neural Networks for
       Structured Data. AIES 2021.
    .. [2] S. Sharma, J. Henderson, J. Ghosh. CERTIFAI: A Common Framework to Provide Explanations
       and Analyse the Fairness and Robustness of Black-box Models. AIES 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skfair.recourse import counterfactuals
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> model = LogisticRegression().fit(X, X[:, 0] + X[:, 1] > 0)
    >>> found = counterfactuals(model, X, distance="l2", actionable=[0, 1])
    >>> exact = -model.decision_function(X[found.refused]) / np.linalg.norm(model.coef_[0, :2])
    >>> np.allclose(found.distance, exact)
    True
    """
    check_classifier(estimator)
    final = split_pipeline(estimator)[0]
    X = as_table(X)
    _check_rows(X, "X")
    reference = X if reference is None else _as_in(X, as_table(reference, "reference"))
    columns = _actionable(estimator, X, sensitive_columns, actionable)
    unfavorable = find_attribute(estimator, "unfavorable") if unfavorable is None else unfavorable
    codes = unfavorable_codes(unfavorable, np.asarray(estimator.classes_))
    rng = own_generator(random_state)
    refusing = np.asarray(estimator.classes_)[list(codes)]
    kind = distance if isinstance(distance, str) else None
    constraints = (columns, categorical, integer, bounds, monotone)

    def make_profiles(rows: Any) -> Profiles:
        return Profiles(rows, reference, *constraints)

    def make_search(profiles: Profiles) -> Search:
        decisions = Decisions(estimator, profiles, codes, rng)
        lengths = _lengths(profiles, kind, distance)
        return Search(decisions, profiles, lengths, kind, max_iter, rng)

    with undisturbed(final):
        refused = np.flatnonzero(refuses(estimator, X, refusing))
        order = rng.permutation(reference.shape[0])[:MAX_REFERENCE_ROWS]
        profiles = make_profiles(rows_of(X, refused))
        values, found = profiles.own, np.zeros(len(refused), dtype=bool)
        if len(refused) and profiles.width:
            search = make_search(profiles)
            search.check(method)
            with tqdm(disable=not verbose, desc="counterfactuals", unit="step") as progress:
                known = rows_of(reference, order)
                pools = _donors(
                    search, lambda X: make_search(make_profiles(X)), known, method, progress
                )
                donors = [profiles.encode(pool) for pool in pools]
                values, found = search(method, donors, progress)
        everyone = np.arange(len(refused))
        table = profiles.table(values, everyone)
        values = profiles.encode(table)  # what is told is told of the table
        lengths = np.full(len(refused), np.inf)
        if found.any():
            measure = _lengths(profiles, kind, distance)
            lengths[found] = measure(values[found], everyone[found])
    broken = _broken(profiles, table, rows_of(reference, order), columns, categorical)
    is_frame = hasattr(X, "iloc")
    return Counterfactuals(
        refused=refused,
        people=profiles.X,
        counterfactuals=table,
        distance=lengths,
        valid=found,
        consistent=~broken,
        changed=pd.DataFrame(
            profiles.changed(values, everyone),
            index=table.index if is_frame else None,
            columns=X.columns if is_frame else range(X.shape[1]),
        ),
    )


def _broken(
    profiles: Profiles, answers: Any, known: Any, actionable: list[int], categorical: Any
) -> np.ndarray:
    """Whose answers break functions that hold in the reference, with a warning that names these."""
    broken = np.zeros(len(answers), dtype=bool)
    people, pairs = profiles.X, []
    if not profiles.changed(profiles.encode(answers), np.arange(len(answers))).any():
        return broken
    columns = [i for i in range(people.shape[1]) if is_hashable((people, known), i)]
    whole = Profiles(people, known, sorted({*columns, *actionable}), categorical, None, None, None)
    encoded = whole.reference, whole.own, whole.encode(answers)
    for of, column, who in broken_functions(*encoded, len(whole.numbers)):
        broken |= who
        if (of, column) not in pairs:  # functions of each other
            pairs.append((column, of))
    if pairs:
        shown = (
            f"{whole.name_of(column)} of {whole.name_of(of)}"
            for column, of in pairs[:MAX_NAMED_FUNCTIONS]
        )
        warn(
            "Some counterfactuals (where `consistent` is False) are people who may not exist: in "
            f"reference columns are functions of others ({', '.join(shown)}), which they do not "
            "follow there. Leave both out of actionable, or let the estimator compute one from "
            "the other.",
        )
    return broken


def _check_rows(table: Any, parameter: str) -> None:
    if not table.shape[0]:
        raise ValueError(f"{parameter} must have at least one row, it has none.")


def _as_in(X: Any, reference: Any) -> Any:
    """Return the reference in the container of X, which is the one that the estimator takes."""
    if reference.shape[1] != X.shape[1]:
        raise ValueError(
            f"reference must have the {X.shape[1]} columns of X, it has {reference.shape[1]}."
        )
    _check_rows(reference, "reference")
    if not hasattr(X, "iloc"):
        return reference.to_numpy() if hasattr(reference, "iloc") else reference
    if not hasattr(reference, "iloc"):
        return pd.DataFrame(reference).infer_objects().set_axis(X.columns, axis=1)
    if list(X.columns) != list(reference.columns):
        raise ValueError("reference must have the columns of X, in the same order.")
    return reference


def _actionable(estimator: Any, X: Any, sensitive_columns: Any, actionable: Any) -> list[int]:
    """Positions of the columns that may change."""
    if sensitive_columns is None:
        sensitive_columns = _sensitive_columns_of(estimator, X)
    sensitive = [] if sensitive_columns is None else column_positions(X, sensitive_columns)
    if actionable is None:
        return [i for i in range(X.shape[1]) if i not in sensitive]
    empty = isinstance(actionable, (list, tuple, np.ndarray, pd.Index)) and not len(actionable)
    columns = [] if empty else sorted(set(column_positions(X, actionable, "actionable")))
    if both := sorted(set(columns) & set(sensitive)):
        raise ValueError(f"actionable names the sensitive column(s) at {both}, which never change.")
    return columns


def _sensitive_columns_of(estimator: Any, X: Any) -> Any:
    """Return the sensitive columns of a network, if these are columns of X."""
    columns = find_attribute(estimator, "sensitive_columns")
    if columns is None or split_pipeline(estimator)[1] is None:
        return columns
    wanted = [columns] if isinstance(columns, str) else columns
    names = list(getattr(X, "columns", ()))
    if isinstance(wanted, (list, tuple)) and all(
        isinstance(name, str) and name in names for name in wanted
    ):
        return list(wanted)
    raise ValueError(
        f"The network's sensitive_columns={columns!r} are columns of what the steps before it make "
        "of X; pass sensitive_columns= to say which columns of X never change."
    )


def _lengths(profiles: Profiles, kind: str | None, distance: Any) -> Distance:
    """Distance of values (m, n_values) of people (m,) from their own."""
    if kind is not None:
        return lambda values, rows: profiles.distance(values, profiles.own[rows], kind)

    def lengths(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        tables = profiles.table(profiles.own[rows], rows), profiles.table(values, rows)
        found = np.asarray(distance(*tables))
        if found.shape != (len(rows),) or found.dtype.kind not in "biuf" or np.isnan(found).any():
            raise ValueError(
                f"distance must return an array of shape ({len(rows)},) of numbers without NaN, "
                f"got {found.shape} of {found.dtype}."
            )
        return found.astype(np.float64)

    return lengths


def _donors(
    search: Search, make_search: Callable, reference: Any, method: str, progress: Any
) -> list:
    """Find accepted profiles to start from, whoever is searched for.

    These are people of the reference who are accepted and, for the gradient search, what some who
    are not would have to be: profiles close to the boundary.
    """
    decisions = search.decisions
    refused = refuses(decisions.estimator, reference, decisions.refusing)
    accepted = rows_of(reference, np.flatnonzero(~refused)[:MAX_DONORS])
    scouts = np.flatnonzero(refused)[:MAX_SCOUTS]
    if search.guides(method)[1] is None or not len(scouts):
        return [accepted]
    scouting = make_search(rows_of(reference, scouts))
    values, found = scouting("gradient", [scouting.profiles.encode(accepted)], progress)
    rows = np.flatnonzero(found)
    return [accepted, scouting.profiles.table(values[rows], rows)]
