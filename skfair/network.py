"""The plain network: what every fair one is compared with."""

from __future__ import annotations

from typing import Unpack

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

    def __init__(self, **network: Unpack[NetworkParameters]) -> None:
        super().__init__(**network)

    def _wants_groups(self) -> bool:
        return False

    def _targets(self) -> Targets:
        return Targets(multi_label=True)

    def _make_objective(self, comparison: Comparison | None, batch_size: int | None) -> Objective:
        return Objective(classification_terms)
