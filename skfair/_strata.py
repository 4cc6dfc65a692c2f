"""Control features: from any table-like input to integer codes of strata."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ._groups import has_no_repeats, in_order, intersect, plain
from ._warnings import warn

MAX_STRATA = 50


@dataclass
class StratumEncoder:
    """Integer codes for strata: people with the same control features.

    Attributes
    ----------
    labels : list
        Label of each stratum: a value, or a tuple with one for each control feature.
    """

    labels: list[Hashable] = field(default_factory=list)

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        """Encode, adding strata that were not known before.

        Parameters
        ----------
        frame : pandas.DataFrame of shape (n, n_features)
            Control features.

        Returns
        -------
        int64 ndarray of shape (n,)
            Positions in ``labels``; -1 where a feature is missing.

        Raises
        ------
        ValueError
            If there are more than 50 strata, or a column is continuous.
        """
        columns = []
        for position, name in enumerate(frame.columns):
            codes, values = pd.factorize(frame.iloc[:, position])
            if has_no_repeats(frame.iloc[:, position], values):
                raise ValueError(
                    f"The control feature {plain(name)!r} is continuous: a float column with no "
                    f"repeated value in {len(values)} rows. Bin it first, for example with "
                    "pandas.cut."
                )
            columns.append((codes, [plain(value) for value in values]))
        codes, labels = intersect(columns)
        if missing := int((codes < 0).sum()):
            warn(
                f"control_features is missing in {missing} of {len(frame)} rows: they are left out "
                "of the comparison of groups.",
            )
        self.labels += in_order(set(labels) - set(self.labels))
        if len(self.labels) > MAX_STRATA:
            raise ValueError(
                f"control_features has {len(self.labels)} strata, more than {MAX_STRATA}; merge "
                "rare ones or bin numbers (pandas.cut)."
            )
        position_of = {label: i for i, label in enumerate(self.labels)}
        table = np.array([position_of[label] for label in labels] + [-1], dtype=np.int64)
        return table[codes]  # code -1 reads the last entry
