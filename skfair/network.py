"""The plain network: what every fair one is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, Unpack

from sklearn.utils._param_validation import Interval

from ._labels import favorable_codes
from .objectives import Comparison, Objective
from .objectives.classification import classification_terms
from .training import NetworkParameters, NeuralClassifier, inherit_parameters
from .training._encoder import Targets

__all__ = ["NetworkClassifier"]


@inherit_parameters(NeuralClassifier)
class NetworkClassifier(NeuralClassifier):
    """Neural network without a fairness term.

    Minimizes cross-entropy, with everything else as in the fair networks: the baseline for a
    comparison with them. Sensitive features are not needed; where there are some, ``sampling`` can
    balance the batches, ``monitor`` can watch a gap, and ``fit`` warns of groups of which hardly
    anybody is accepted.

    Parameters
    ----------
    unfavorable : label or list of labels, default=None
        The class(es) that call for recourse; ``None`` is ``classes_[0]``. The scorers ask the
        estimator for it.
    averaging : float in [0, 1], default=0.25
        Share of the last steps whose weights are averaged, as in the fair networks.
    {network_parameters}

    Attributes
    ----------
    {attributes}

    Notes
    -----
    With several labels a row, y of shape (n, n_labels), the loss is the mean binary cross-entropy,
    and ``score`` is the share of rows with every label right.

    Examples
    --------
    >>> from skfair import NetworkClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = NetworkClassifier(max_epochs=20, random_state=0).fit(X, y)
    >>> model.predict(X[:3]).shape
    (3,)
    """

    _parameter_constraints = {
        "unfavorable": "no_validation",
        "averaging": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        *,
        unfavorable: Any = None,
        averaging: float = 0.25,
        **network: Unpack[NetworkParameters],
    ) -> None:
        super().__init__(**network)
        self.unfavorable = unfavorable
        self.averaging = averaging

    def _wants_groups(self) -> bool:
        return False

    def _favorable_codes(self) -> Sequence[int] | None:
        if self.unfavorable is None:
            return super()._favorable_codes()
        return favorable_codes(self.unfavorable, self.classes_, self._encoder.multi_label)

    def _targets(self) -> Targets:
        return Targets(multi_label=True)

    def _make_objective(self, comparison: Comparison | None, batch_size: int | None) -> Objective:
        return Objective(classification_terms)
