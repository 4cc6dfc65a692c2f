"""The report: figures, what they mean, and what could not be computed."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, validate_params

from .._files import write_atomically
from .._groups import as_frame
from .._progress import tqdm
from .._random import own_generator
from .._tables import as_pandas
from .._version import __version__
from ..metrics._burden import sensitive_columns_of
from ._describe import describe
from ._errors import NotComputedError
from ._page import page
from ._sections import GENERALIZATION, SECTIONS
from ._subject import AuditSettings, AuditSubject, Row, refusing_classes

__all__ = ["AuditReport"]


class AuditReport:
    """How a classifier treats groups of people, with intervals, in plain language.

    Made by :meth:`from_estimator`.

    Parameters
    ----------
    frame : DataFrame
        A row for every figure, see :meth:`to_frame`.
    not_computed : dict
        ``{(section, model): reason}``.
    about : Bunch
        What was audited: ``models`` (name to description), ``n_people``, ``groups`` (name to
        number of people), ``level``, ``min_cases``, ``date``, ``version``, ``title``.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skfair.audit import AuditReport
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = LogisticRegression().fit(X, y)
    >>> report = AuditReport.from_estimator(model, X, y, sensitive_features=group, random_state=0)
    >>> frame = report.to_frame()
    >>> gap = frame[(frame.measure == "selection rate") & (frame.group == "gap")].iloc[0]
    >>> bool(gap.lower <= gap.value <= gap.upper)
    True
    >>> report.not_computed["Reasons inside the network", "model"]
    'LogisticRegression is not a neural network of skfair or skorch.'
    """

    def __init__(self, frame: pd.DataFrame, not_computed: dict, about: Bunch) -> None:
        self.frame, self.not_computed, self.about = frame, not_computed, about

    @classmethod
    @validate_params(
        {
            "max_people": [Interval(Integral, 1, None, closed="left")],
            "confidence_level": [Interval(Real, 0, 1, closed="neither")],
            "n_resamples": [Interval(Integral, 2, None, closed="left")],
            "min_cases": [Interval(Integral, 1, None, closed="left")],
            "recourse": [dict, None],
            "splits": [dict, None],
            "random_state": ["random_state"],
            "verbose": ["verbose"],
        },
        prefer_skip_nested_validation=True,
    )
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sensitive_features: Any,
        baseline: Any = None,
        splits: dict | None = None,
        names: tuple[str, str] = ("model", "baseline"),
        title: str = "Fairness audit",
        headline: Sequence[str] = (),
        provenance: Mapping[str, str] | None = None,
        sensitive_columns: Any = None,
        unfavorable: Any = None,
        recourse: dict | None = None,
        max_people: int = 1000,
        confidence_level: float = 0.95,
        n_resamples: int = 100,
        min_cases: int = 30,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> Self:
        """Audit a fitted classifier.

        Parameters
        ----------
        estimator : classifier
            A fitted classifier, pipeline or search; of skfair, scikit-learn or fairlearn.
        X : DataFrame or array-like of shape (n_samples, n_features)
            People on whom it was not trained, as it takes them.
        y : array-like of shape (n_samples,)
            Their labels.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes)
            Group membership; with several attributes every combination that occurs is a group, and
            each attribute is reported by itself as well.
        baseline : classifier, default=None
            Another one for the same data, shown beside the first.
        splits : dict, default=None
            ``{name: (X, y, sensitive_features)}``, such as the training and the test part, to see
            whether gaps are the same everywhere.
        names : tuple of str, default=("model", "baseline")
            What the two are called.
        title : str, default="Fairness audit"
            Of the page.
        headline : sequence of str, default=()
            Sentences that come before all others, about how the model was chosen for instance.
        provenance : mapping of str to str, default=None
            What is needed to make the report again, by name: file, rows, seed, command ...
        sensitive_columns : str, int, list, slice or callable, default=None
            Columns of X that hold the sensitive features; ``None``: those of the same name. They
            never change in counterfactuals, and are changed for prediction sensitivity.
        unfavorable : label or list of labels, default=None
            The class(es) that refuse, whatever ``baseline`` was told; ``None`` is what one of the
            two was told, else the first.
        recourse : dict, default=None
            Arguments of :func:`~skfair.recourse.counterfactuals`; numbers keep to the observed
            range unless it has ``bounds``.
        max_people : int, default=1000
            Counterfactuals are searched for at most this many people, chosen at random.
        confidence_level : float in (0, 1), default=0.95
            Of each interval by itself.
        n_resamples : int, default=100
            Bootstrap resamples for the interval of the parity score.
        min_cases : int, default=30
            Groups with fewer cases of a measure (people, for a true positive rate those whose
            outcome was favorable) are listed, but not compared.
        random_state : int, RandomState or None, default=None
            Seed.
        verbose : int, default=0
            1 shows a progress bar over the sections, on standard error.

        Returns
        -------
        AuditReport
            The report.

        Raises
        ------
        ValueError
            If lengths differ, there is one group only, labels are unknown, or ``baseline`` was told
            another ``unfavorable`` class than the estimator.

        Notes
        -----
        What a classifier does not allow to be computed is left out, and the report says why.

        Intervals of rates are those of Jeffreys; those of mean distances allow for skew and zeros.
        A gap is the largest difference between two groups of at least ``min_cases`` cases. The
        intervals of all pairs hold the truth at once with the confidence given (MOVER [1]_ at
        Tukey's critical value); that of a gap goes from the largest of their lower ends to the
        largest of their upper ends, and holds the largest true difference.

        References
        ----------
        .. [1] G. Y. Zou and A. Donner. Construction of confidence limits about effect measures: a
           general approach. Statistics in Medicine, 2008.
        """
        X = as_pandas(X)
        X = X if hasattr(X, "shape") else np.asarray(X)
        y = np.asarray(as_pandas(y)).ravel()
        frame = as_frame(sensitive_features, X.shape[0])
        if not frame.columns.is_unique:
            raise ValueError(
                f"The columns of sensitive_features must differ, got {list(frame.columns)}."
            )
        if len(y) != X.shape[0]:
            raise ValueError(f"X and y must have the same length, got {X.shape[0]} and {len(y)}.")
        rng = own_generator(random_state)
        seed = int(rng.randint(2**31 - 1))
        searched = np.sort(rng.permutation(len(y))[:max_people])
        if sensitive_columns is None:
            sensitive_columns = sensitive_columns_of(X, frame)
        settings = AuditSettings(
            level=confidence_level,
            n_resamples=n_resamples,
            min_cases=min_cases,
            seed=seed,
            searched=searched,
            recourse={
                "bounds": "observed",
                "reference": X,
                "random_state": seed,
                "sensitive_columns": sensitive_columns,
                **(recourse or {}),
            },
            sensitive_columns=sensitive_columns,
            splits=splits or {},
        )
        models = {names[0]: estimator} | ({} if baseline is None else {names[1]: baseline})
        if len(models) != 1 + (baseline is not None):
            raise ValueError(f"names must be two different names, got {names!r}.")
        if unfavorable is None:
            unfavorable = refusing_classes(models)
        subjects = [
            AuditSubject(name, model, X, y, frame, unfavorable, settings)
            for name, model in models.items()
        ]
        sections = [section for section in SECTIONS if section is not GENERALIZATION or splits]
        rows: list[tuple] = []
        not_computed = {}
        steps = [(section, subject) for section in sections for subject in subjects]
        for section, subject in tqdm(steps, disable=not verbose, desc="audit", unit="section"):
            try:
                rows += [(section.title, *row) for row in section.rows(subject)]
            except NotComputedError as error:
                not_computed[section.title, subject.name] = " ".join(str(error).split())
        groups = subjects[0].groups
        about = Bunch(
            title=title,
            models={name: describe(model) for name, model in models.items()},
            n_people=len(y),
            n_searched=len(searched),
            groups={name: int((groups.codes == k).sum()) for k, name in enumerate(groups.names)},
            without_group=int((groups.codes < 0).sum()),
            refusing=[str(label) for label in subjects[0].refusing],
            sections=[section.title for section in sections],
            headline=list(headline),
            provenance=dict(provenance or {}),
            attributes=[str(name) for name in frame.columns] if frame.shape[1] > 1 else [],
            splits=[str(name) for name in splits or ()],
            level=confidence_level,
            min_cases=min_cases,
            date=datetime.date.today().isoformat(),
            version=__version__,
        )
        return cls(pd.DataFrame(rows, columns=["section", *Row._fields]), not_computed, about)

    def to_frame(self) -> pd.DataFrame:
        """All figures of the report.

        Returns
        -------
        pandas.DataFrame
            A row for each: ``section``, ``measure``, ``group`` (a group, "everybody", "gap" for the
            difference between groups, a subgroup, or a row of X), ``model``, ``value``, ``lower``
            and ``upper`` end of its confidence interval (NaN where there is none), ``cases`` (how
            many people the figure rests on; of a gap, the members of the groups compared), and
            ``meaning``, a sentence.
        """
        return self.frame.copy()

    def to_html(self, path: str | os.PathLike | None = None) -> str:
        """Write the report as one self-contained page.

        Parameters
        ----------
        path : str or path-like, default=None
            File to write; it appears when it is complete, or not at all. ``None`` writes nothing.

        Returns
        -------
        str
            The page.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        text = page(self.frame, self.not_computed, self.about)
        if path is not None:
            write_atomically(Path(path), text.encode())
        return text

    def _repr_html_(self) -> str:
        return page(self.frame, self.not_computed, self.about, embedded=True)

    def __repr__(self) -> str:
        return (
            f"AuditReport({', '.join(self.about.models)}: {len(self.frame)} figures about "
            f"{self.about.n_people} people in {len(self.about.groups)} groups)"
        )
