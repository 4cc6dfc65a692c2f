"""Folds that hold every group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.validation import _num_samples, column_or_1d

from .._groups import GroupEncoder, as_frame, group_name
from .._tables import naming
from .._warnings import ignored, warn


class StratifiedSensitiveKFold(StratifiedKFold):
    """K folds stratified by label and sensitive features.

    Each fold has, as nearly as can be, the same share of every label in every group, so that no
    score is without a group. scikit-learn's ``StratifiedGroupKFold`` is for something else: it
    keeps all rows of a "group" in one fold.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds.
    shuffle : bool, default=False
        Whether the rows of a cell are shuffled before they are divided.
    random_state : int, RandomState instance or None, default=None
        Of the shuffling.

    Examples
    --------
    >>> from skfair.datasets import make_biased_classification
    >>> from skfair.model_selection import StratifiedSensitiveKFold
    >>> X, y, group = make_biased_classification(100, random_state=0)
    >>> folds = StratifiedSensitiveKFold(5).split(X, y, sensitive_features=group)
    >>> [int((group[test] == "a").sum()) for _, test in folds]
    [10, 10, 9, 10, 11]
    """

    __metadata_request__split = {"sensitive_features": True}

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = False, random_state: Any = None
    ) -> None:
        super().__init__(n_splits=n_splits, shuffle=shuffle, random_state=random_state)

    def get_n_splits(
        self, X: Any = None, y: Any = None, groups: Any = None, *, sensitive_features: Any = None
    ) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups, sensitive_features : object
            As in :meth:`split`; they do not matter.

        Returns
        -------
        int
            ``n_splits``.
        """
        return self.n_splits

    def split(
        self, X: Any, y: Any, groups: Any = None, *, sensitive_features: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Divide the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length matters.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels; with several a row, every combination counts as one.
        groups : array-like of shape (n_samples,), default=None
            Another way to pass ``sensitive_features``, for searches without metadata routing:
            ``search.fit(X, y, groups=sensitive_features)``.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes)
            Group membership, if ``groups`` is not given; a missing value is a group here. Searches
            and ``cross_validate`` route it, where metadata routing is enabled.

        Yields
        ------
        train, test : ndarray
            Positions of the rows.

        Raises
        ------
        ValueError
            If there are no sensitive features, or fewer rows of every cell than folds.
        """
        if sensitive_features is None:
            sensitive_features = groups
        if sensitive_features is None:
            raise ValueError(
                "StratifiedSensitiveKFold needs sensitive_features: enable metadata routing "
                "(sklearn.set_config(enable_metadata_routing=True)) and pass sensitive_features= "
                "to fit or params={'sensitive_features': ...} to cross_validate, or pass groups=."
            )
        frame = as_frame(sensitive_features, _num_samples(X))
        encoder = GroupEncoder("intersection")
        with ignored("sensitive_features is missing"):
            members = encoder.encode(frame)[:, 0]
        with naming("y"):
            values = np.asarray(y)
            several = values.ndim == 2 and values.shape[1] > 1  # labels a row: a combination counts
            values = values if several else column_or_1d(values, warn=True)
            labels = np.unique(values, axis=0, return_inverse=True)[1].ravel()
        for code, label in enumerate(encoder.labels):
            if (n_members := int((members == code).sum())) < self.n_splits:
                warn(
                    f"{group_name(label)} has {n_members} rows in {self.n_splits} folds: some of "
                    "them are without it."
                )
        cells = (members + 1) * (labels.max() + 1) + labels
        with ignored("The least populated class in y"):
            folds = list(super().split(np.zeros(len(cells)), cells))
        yield from folds
