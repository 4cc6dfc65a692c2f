"""The plain network: what every fair one is compared with."""

from __future__ import annotations

from functools import partial
from numbers import Real
from typing import Any, Unpack

from sklearn.utils._param_validation import Interval

from .objectives import Comparison, Objective
from .objectives.classification import classification_terms, make_row_loss
from .training import NetworkParameters, NeuralClassifier, inherit_parameters
from .training._targets import Targets

__all__ = ["NetworkClassifier"]


@inherit_parameters(NeuralClassifier)
class NetworkClassifier(NeuralClassifier):
    """Neural network without a fairness term.

    Minimizes cross-entropy, or focal loss [1]_, with everything else as in the fair networks: the
    baseline for a comparison with them. Sensitive features are not needed; where there are some,
    ``sampling`` can balance the batches, ``monitor`` can watch a gap, and ``fit`` warns of groups
    of which hardly anybody is accepted.

    Parameters
    ----------
    unfavorable : label or list of labels, default=None
        The class(es) that call for recourse; ``None`` is ``classes_[0]``. The scorers ask the
        estimator for it.
    averaging : float in [0, 1], default=0.25
        Share of the last steps whose weights are averaged, as in the fair networks.
    focal : float >= 0, default=0.0
        Exponent of the focal loss: (1 - p)^focal, where p is the predicted probability of the true
        class (of each label), multiplies the cross-entropy. 0 is the cross-entropy itself.
    {network_parameters}

    Attributes
    ----------
    {attributes}

    Notes
    -----
    With several labels a row, y of shape (n, n_labels), the loss is the mean binary cross-entropy,
    and ``score`` is the share of rows with every label right.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár. Focal Loss for Dense Object
       Detection. ICCV 2017.

    Examples
    --------
    >>> from skfair import NetworkClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = NetworkClassifier(max_epochs=20, random_state=0).fit(X, y)
    >>> model.predict(X[:3]).shape
    (3,)

    Images go to a network known by its name, or to any other that takes them; to one of timm by
    ``module=lambda shape, n: timm.create_model("resnet18", in_chans=shape[0], num_classes=n)``:

    >>> import numpy as np
    >>> from torch import nn
    >>> y = np.arange(40) % 2
    >>> images = np.random.default_rng(0).integers(0, 100, (40, 3, 16, 16), dtype=np.uint8)
    >>> images[y == 1] += 100
    >>> model = NetworkClassifier(module="convnet", max_epochs=20, random_state=0).fit(images, y)
    >>> model = NetworkClassifier(
    ...     module=lambda shape, n: nn.Sequential(nn.Conv2d(shape[0], n, 16), nn.Flatten()),
    ...     max_epochs=20,
    ...     random_state=0,
    ... )
    >>> model.fit(images, y).predict_proba(images[:3]).shape
    (3, 2)
    """

    _parameter_constraints = {
        "unfavorable": "no_validation",
        "averaging": [Interval(Real, 0, 1, closed="both")],
        "focal": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        unfavorable: Any = None,
        averaging: float = 0.25,
        focal: float = 0.0,
        **network: Unpack[NetworkParameters],
    ) -> None:
        super().__init__(**network)
        self.unfavorable = unfavorable
        self.averaging = averaging
        self.focal = focal

    def _wants_groups(self) -> bool:
        return False

    def _targets(self) -> Targets:
        return Targets(multi_label=True)

    def _make_objective(self, comparison: Comparison | None, batch_size: int | None) -> Objective:
        row_loss = make_row_loss(self.focal, self._encoder.positive_weights)
        return Objective(partial(classification_terms, row_loss=row_loss))
