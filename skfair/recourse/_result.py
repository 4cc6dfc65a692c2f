"""What a search for counterfactuals has found."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

MAX_SHOWN = 10  # people


class Counterfactuals(Bunch):
    """A row for each refused person, see :func:`counterfactuals`.

    In a notebook it shows what would have to change for the first people. Its entries are
    attributes, too.

    Parameters
    ----------
    **kwargs : dict
        ``refused``, ``people``, ``counterfactuals``, ``distance``, ``valid``, ``consistent`` and
        ``changed``, as :func:`counterfactuals` describes them.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skfair.recourse import counterfactuals
    >>> X = pd.DataFrame({"income": [10, 20, 30, 40], "debts": [4, 1, 2, 0]})
    >>> model = LogisticRegression().fit(X, [0, 0, 1, 1])
    >>> counterfactuals(model, X, actionable="income").to_frame()
       person  column  before  after  distance
    0       0  income      10     25       1.5
    1       1  income      20     26       0.6
    """

    def to_frame(self) -> pd.DataFrame:
        """Return every change as a row, people in order.

        Returns
        -------
        DataFrame
            ``person``, the position in X, or its index where X is a DataFrame; ``column``;
            ``before`` and ``after``; and the person's ``distance``. Nobody is in it for whom no
            answer was found.
        """
        before, after = (pd.DataFrame(self[name]) for name in ("people", "counterfactuals"))
        names = after.index if hasattr(self["counterfactuals"], "iloc") else self["refused"]
        rows = [
            (names[i], after.columns[j], before.iat[i, j], after.iat[i, j], self["distance"][i])
            for i, j in zip(*np.nonzero(self["changed"].to_numpy()), strict=True)
        ]
        return pd.DataFrame(rows, columns=["person", "column", "before", "after", "distance"])

    def __repr__(self) -> str:
        n_found, n_refused = int(np.sum(self["valid"])), len(self["refused"])
        head = f"Counterfactuals({n_found} of {n_refused} refused people would be accepted)"
        return f"{head}\n{self._shown().to_string(index=False)}" if n_found else head

    def _repr_html_(self) -> str:
        caption = f"{int(np.sum(self['valid']))} of {len(self['refused'])} refused people"
        table = self._shown().set_index(["person", "column"]) if np.any(self["valid"]) else None
        note = "" if table is None else table.to_html(float_format="{:.6g}".format)
        return f"<div><p>Counterfactuals of {caption}</p>{note}</div>"

    def _shown(self) -> pd.DataFrame:
        """Return the changes of the first people."""
        frame = self.to_frame()
        return frame[frame["person"].isin(frame["person"].unique()[:MAX_SHOWN])]
