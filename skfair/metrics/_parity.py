"""Whether a network decides about groups for the same reasons: parity score (FAIRER, section 3)."""

from __future__ import annotations

import copy
from contextlib import suppress
from dataclasses import replace
from functools import reduce
from itertools import combinations
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions, validate_params
from torch import Tensor, nn
from torch.nn.utils import parametrize

from .._estimators import THRESHOLDS, split_pipeline
from .._groups import GroupEncoder, as_frame
from .._labels import codes_of
from .._random import own_generator
from .._tables import check_weights, label_array
from ..networks._inspection import rows_seen, weight_layers
from ..networks.tabular import TabularNetwork
from ..objectives import Comparison
from ..objectives.dralign import aligned_pairs, alignment, rationale
from ._graph import WeightProblem
from ._removal import MAX_ROWS, exact_costs

__all__ = ["decision_rationale_similarity", "parity_score"]

MAX_IMAGE_NUMBERS = 2**20  # of images that are differentiated together
MAX_RESAMPLED_WEIGHTS = 20_000  # of a network for images
MAX_FLOAT64_SIZE = 10**7  # weights times rows whose exact score is computed in double precision


@validate_params(
    {
        "method": [StrOptions({"exact", "taylor"})],
        "aggregate": [StrOptions({"l1", "squared"})],
    },
    prefer_skip_nested_validation=True,
)
def parity_score(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sensitive_features: Any,
    method: str = "exact",
    aggregate: str = "l1",
    max_samples: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    sample_weight: Any = None,
    return_scores: bool = False,
) -> float | tuple[float, list[np.ndarray]]:
    """Parameter parity score of a neural network (FAIRER [1]_, Eq. 4 and 5).

    How much does the loss of a group change if a weight is removed? If this differs between the
    groups, they are decided for different reasons. With c_k the squared change of a group's mean
    cross-entropy if weight k is set to zero, the score adds up the groups' differences in c_k over
    all weights of linear and convolution layers. With more than two groups it is the score of the
    two that differ most.

    Parameters
    ----------
    estimator : estimator
        A fitted neural classifier of this package or of skorch, or a pipeline or a search that
        ends in one.
    X : array-like of shape (n_samples, n_features) or array (n_samples, ...)
        Data, as the estimator takes them.
    y : array-like of shape (n_samples,) or (n_samples, n_labels)
        Labels.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_attributes)
        Group membership; several attributes form a group for every combination. Rows where it is
        missing are left out, with a warning.
    method : {"exact", "taylor"}, default="exact"
        "exact" removes each weight in turn; its time grows with rows times weights. "taylor" is the
        first-order approximation c_k = (gradient * weight)^2 (Eq. 8), at the cost of a backward
        pass a group.
    aggregate : {"l1", "squared"}, default="l1"
        Sum of the absolute differences, the network's score in [1]_, Table 1; or of their squares
        (Eq. 5).
    max_samples : int, default=None
        Use this many rows, chosen at random, from each group as equally as its size allows.
    random_state : int or RandomState, default=None
        Chooses the rows.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights in the groups' mean losses.
    return_scores : bool, default=False
        Whether to return each weight's score, too.

    Returns
    -------
    score : float
        In [0, inf); 0 if every weight matters equally to all groups.
    scores : list of ndarray
        Each weight's part in ``score``, an array of the shape of the weights for every layer in
        the order of ``module.modules()``. Only if ``return_scores`` is True.

    Raises
    ------
    TypeError
        If the estimator is no neural network.
    ValueError
        If the network has no weight matrix, a parameter is out of range, lengths differ, or there
        is one group only.

    Notes
    -----
    Outputs are taken as logits unless skorch's criterion is ``NLLLoss`` or ``BCELoss``. "exact" is
    fast where :func:`torch.fx.symbolic_trace` can follow the module; layers of other modules,
    transposed convolutions and weights that are used twice are set to zero one by one. Up to 10^7
    rows times weights it is computed in double precision, beyond that in the network's own, where
    the score of a trained float32 network was within 10^-6 of the former. For images "taylor" is
    the method to take: a network of convolutions has many weights, each of which "exact" removes
    from all places where it is used.

    References
    ----------
    .. [1] T. Li et al. FAIRER: Fairness as Decision Rationale Alignment. ICML 2023.

    Examples
    --------
    >>> from skfair import PenaltyClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> from skfair.metrics import parity_score
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = PenaltyClassifier(hidden_layer_sizes=(8,), max_epochs=5, random_state=0)
    >>> model = model.fit(X, y, sensitive_features=group)
    >>> score, scores = parity_score(
    ...     model, X, y, sensitive_features=group, max_samples=200, random_state=0,
    ...     return_scores=True,
    ... )
    >>> [layer.shape for layer in scores] == [(8, X.shape[1]), (2, 8)]
    True
    """
    problem = _weight_problem(
        estimator,
        X,
        y,
        sensitive_features,
        sample_weight,
        max_samples,
        random_state,
        most=MAX_FLOAT64_SIZE if method == "exact" else None,
    )
    costs = exact_costs(problem) if method == "exact" else _taylor_costs(problem)
    contrasts = Comparison.of([0] * len(costs[0])).contrasts.to(costs[0])
    differences = [(contrasts @ cost).abs() for cost in costs]
    if aggregate == "squared":
        differences = [d.square() for d in differences]
    of_pairs = reduce(torch.add, (d.sum(1) for d in differences))
    pair = int(of_pairs.argmax())
    score = float(of_pairs[pair])
    if not return_scores:
        return score
    layers = zip(problem.layers, differences, strict=True)
    return score, [d[pair].reshape(layer.weight.shape).cpu().numpy() for layer, d in layers]


def decision_rationale_similarity(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sensitive_features: Any,
    max_samples: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    sample_weight: Any = None,
    return_layers: bool = False,
) -> float | tuple[float, np.ndarray]:
    """How alike are the reasons for which a network decides about groups (FAIRER, Eq. 9).

    Cosine of the groups' vectors of (gradient * weight)^2, added up over layers: what
    :class:`~skfair.DRAlignClassifier` maximizes, and minus the last row of FAIRER's Table 1. With
    more than two groups it is that of the two that are least alike.

    Parameters
    ----------
    estimator, X, y, sensitive_features : as in :func:`parity_score`
        The network and the rows.
    max_samples, random_state, sample_weight : as in :func:`parity_score`
        Which rows count, and how much.
    return_layers : bool, default=False
        Whether to return each layer's part, too.

    Returns
    -------
    similarity : float
        Between 0 and the number of linear and convolution layers, which is parity. A layer whose
        weights have no influence adds 0.
    layers : ndarray of shape (n_layers,)
        Each layer's part. Only if ``return_layers`` is True.

    Raises
    ------
    TypeError, ValueError
        As :func:`parity_score`.

    Examples
    --------
    >>> from skfair import PenaltyClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> from skfair.metrics import decision_rationale_similarity
    >>> X, y, group = make_biased_classification(random_state=0)
    >>> model = PenaltyClassifier(max_epochs=5, random_state=0)
    >>> model = model.fit(X, y, sensitive_features=group)
    >>> 0 < decision_rationale_similarity(model, X, y, sensitive_features=group) < 3
    True
    """
    problem = _weight_problem(
        estimator, X, y, sensitive_features, sample_weight, max_samples, random_state
    )
    costs, two = _taylor_costs(problem), aligned_pairs([0, 0], None)
    by_pair = [
        [float(alignment(cost[list(pair)], two.to(cost))) for cost in costs]
        for pair in combinations(range(problem.shares.shape[1]), 2)
    ]
    layers = np.array(min(by_pair, key=sum))
    return (float(layers.sum()), layers) if return_layers else float(layers.sum())


def resampled_differences(
    estimator: Any, X: Any, y: Any, *, sensitive_features: Any, counts: np.ndarray
) -> np.ndarray:
    """Return what :func:`parity_score` adds up, with signs, for resamples of the rows.

    Parameters
    ----------
    estimator, X, y, sensitive_features
        As in :func:`parity_score`; all rows have sensitive features.
    counts : ndarray of shape (n_resamples, n_samples)
        How often each resample has each row.

    Returns
    -------
    ndarray of shape (n_resamples, n_pairs * n_weights)
        Differences in c_k between the groups of each pair.

    Raises
    ------
    ValueError
        If it would take hours: of a large network for images.
    """
    problem = _weight_problem(
        estimator, X, y, sensitive_features, None, None, None, most=MAX_FLOAT64_SIZE
    )
    n_weights = sum(layer.weight.numel() for layer in problem.layers)
    if problem.X.ndim > 2 and n_weights > MAX_RESAMPLED_WEIGHTS:
        raise ValueError(
            f"To remove each of the {n_weights} weights of a network for images takes too long; "
            "parity_score(..., method='taylor') is an approximation."
        )
    n_groups = problem.shares.shape[1]
    resampled = problem.shares[:, None] * torch.as_tensor(counts.T).to(problem.shares)[:, :, None]
    resampled = (resampled / resampled.sum(0)).flatten(1)  # every resample brings its own groups
    costs = torch.cat(exact_costs(replace(problem, shares=resampled)), dim=1)
    costs = costs.view(len(counts), n_groups, -1)
    contrasts = Comparison.of([0] * n_groups).contrasts.to(costs)
    return (contrasts @ costs).flatten(1).cpu().numpy()


# -- from an estimator to tensors -------------------------------------------------------------


def _weight_problem(
    estimator: Any,
    X: Any,
    y: Any,
    sensitive_features: Any,
    sample_weight: Any,
    max_samples: int | None,
    random_state: Any,
    most: int | None = None,
) -> WeightProblem:
    """``most``: weights times rows that are computed in double precision."""
    estimator, X = _unwrap(estimator, X)
    whole = not (isinstance(X, np.ndarray) and X.ndim > 2)  # images: of those used alone
    X = rows_seen(estimator, X) if whole else X
    y = label_array(y, "y")
    if len(y) != len(X):
        raise ValueError(f"X and y must have the same length, got {len(X)} and {len(y)}.")
    groups, weights = _members(len(X), sensitive_features, sample_weight)
    rows = _sample(groups, max_samples, random_state)
    seen = X[rows] if whole else rows_seen(estimator, X[rows])
    module, inputs, n_outputs = _evaluated(estimator.module_, seen, most)
    module, inputs = _embedded(module, inputs)
    dtype, device = next(module.parameters()).dtype, inputs.device
    codes = torch.tensor(_target_codes(estimator, y[rows], n_outputs), device=device)
    if codes.ndim == 2 or n_outputs <= 2:
        codes = codes.to(dtype)
    if codes.ndim == 1 and n_outputs <= 2:  # signs: of two logits only the difference counts
        codes = 2 * codes - 1
    shares = weights[rows, None] * (groups[rows, None] == np.arange(groups.max() + 1))
    shares = torch.tensor(shares / shares.sum(0), dtype=dtype, device=device)
    criterion = None if hasattr(estimator, "net_") else getattr(estimator, "criterion_", None)
    return WeightProblem(module, weight_layers(module), criterion, inputs, codes, shares)


def _unwrap(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Find the network's estimator inside searches and pipelines, and the data it is given."""
    if hasattr(estimator, "fit") and hasattr(estimator, "predict"):
        estimator, before = split_pipeline(estimator)
        X = X if before is None else before.transform(X)
        if isinstance(estimator, THRESHOLDS):
            return _unwrap(estimator.estimator_, X)
        if hasattr(estimator, "module_"):
            return estimator, X
    raise TypeError(
        f"A {type(estimator).__name__} has no parameters to score; that takes a neural network: a "
        "classifier of skfair or skorch, or a pipeline or search that ends in one."
    )


def _embedded(module: nn.Module, X: Tensor) -> tuple[nn.Module, Tensor]:
    """Return the perceptron of the tabular network and what it sees; any other one as it is."""
    if not isinstance(module, TabularNetwork) or module.n_members > 1:
        return module, X
    with torch.no_grad():
        return module.mlp, torch.cat([module.embed(part) for part in X.split(MAX_ROWS)])


def _evaluated(module: nn.Module, X: np.ndarray, most: int | None) -> tuple[nn.Module, Tensor, int]:
    """Return a copy in evaluation mode, X as it takes them, and the number of outputs a row.

    In double precision if it runs in it and there are not more than ``most`` weights times rows,
    for images never more than ``MAX_FLOAT64_SIZE``.
    """
    network = copy.deepcopy(module).eval().requires_grad_()
    for part in network.modules():
        if hasattr(part, "inplace"):  # what enters an activation is needed afterwards
            part.inplace = False  # type: ignore[assignment]  # torch knows tensors and modules only
        if parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight")
    weights = [layer.weight for layer in weight_layers(network)]
    rows = torch.tensor(X, device=weights[0].device)  # integers stay: they may be indices
    own, double = (
        rows.to(dtype) if rows.is_floating_point() else rows
        for dtype in (weights[0].dtype, torch.float64)
    )
    try:
        n_outputs = _n_outputs(network, own)
    except RuntimeError as error:
        raise ValueError(
            f"The network cannot take rows of shape {tuple(own.shape[1:])} and type {own.dtype}: "
            f"{error}."
        ) from error
    if X.ndim > 2 and most is None:
        most = MAX_FLOAT64_SIZE
    if most is None or len(X) * sum(weight.numel() for weight in weights) <= most:
        precise = copy.deepcopy(network)
        with suppress(Exception):  # of a module that insists on float32, a device without float64
            precise = precise.to(torch.float64)
            return precise, double, _n_outputs(precise, double)
    return network, own, n_outputs


def _members(
    n_rows: int, sensitive_features: Any, sample_weight: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Group code of each row, -1 for those that do not count, and weights."""
    frame = as_frame(sensitive_features, n_rows)
    weights = check_weights(sample_weight, n_rows)
    groups = np.full(n_rows, -1)
    groups[weights > 0] = GroupEncoder().encode(frame[weights > 0])[:, 0]
    return groups, weights


def _sample(groups: np.ndarray, max_samples: int | None, random_state: Any) -> np.ndarray:
    """Rows to use: all that belong to a group, or ``max_samples`` of them."""
    rows = np.flatnonzero(groups >= 0)
    if max_samples is None:
        return rows
    n_groups = groups.max() + 1
    if not isinstance(max_samples, Integral) or max_samples < n_groups:
        raise ValueError(
            f"max_samples must be None or an int of at least {n_groups}, the number of groups, got "
            f"{max_samples!r}."
        )
    rng = own_generator(random_state)
    rows = rng.permutation(rows)
    rank = np.empty(len(rows), dtype=np.int64)  # among the members of the row's own group
    for group in range(n_groups):
        own = groups[rows] == group
        rank[own] = np.arange(own.sum())
    return np.sort(rows[np.argsort(rank, kind="stable")[:max_samples]])


def _n_outputs(module: nn.Module, X: Tensor) -> int:
    with torch.no_grad():
        outputs = module(X[:2].clone())  # modules may work in place
    return (outputs[0] if isinstance(outputs, tuple) else outputs)[0].numel()


def _target_codes(estimator: Any, y: np.ndarray, n_outputs: int) -> np.ndarray:
    """Class codes (n,), or 0 and 1 for several labels (n, n_labels)."""
    if y.ndim == 2 and y.shape[1] > 1:
        if y.shape[1] != n_outputs or not np.isin(y, (0, 1)).all():
            raise ValueError(
                f"y must hold class labels, or 0 and 1 for each of {n_outputs} labels; got an "
                f"array of shape {y.shape}."
            )
        return y.astype(np.int64)
    # skorch's criteria take y for class codes
    classes = estimator.classes_ if hasattr(estimator, "net_") else np.arange(max(n_outputs, 2))
    return codes_of(y, classes, "y")


# -- what a weight contributes to the losses --------------------------------------------------


def _taylor_costs(problem: WeightProblem) -> list[Tensor]:
    """(gradient * weight)^2 for each group, (n_groups, n_weights) a layer (FAIRER, Eq. 8)."""
    weights = [layer.weight for layer in problem.layers]
    gradients = [weight.new_zeros(problem.shares.shape[1], *weight.shape) for weight in weights]
    numbers_of_row = problem.X[0].numel() if problem.X.ndim > 2 else 1
    for part in problem.parts(max(16, min(MAX_ROWS, MAX_IMAGE_NUMBERS // numbers_of_row))):
        for group, loss in enumerate(part.losses(part.module(part.X.clone())) @ part.shares):
            found = torch.autograd.grad(loss, weights, retain_graph=True, materialize_grads=True)
            for total, gradient in zip(gradients, found, strict=True):
                total[group] += gradient
    pairs = zip(gradients, weights, strict=True)
    return [rationale(gradient.double(), weight.detach().double()) for gradient, weight in pairs]
