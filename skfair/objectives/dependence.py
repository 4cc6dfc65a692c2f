"""Dependence of predictions on sensitive features, without means of groups.

Shapes: values (n,) or (n, n_values); groups (n,), -1 for missing; weights (n,) or None.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ._base import Outputs


def gaussian_kernel(values: Tensor, weights: Tensor | None = None) -> Tensor:
    """exp(-||v_i - v_j||^2 / (2 sigma^2)), where sigma^2 is the variance of the values.

    Parameters
    ----------
    values : Tensor of shape (n,) or (n, n_values)
        Numbers.
    weights : Tensor of shape (n,) or None
        Of the rows, in the variance, which counts as a constant.

    Returns
    -------
    Tensor of shape (n, n)
        Between 0 and 1.
    """
    values = values.unsqueeze(-1) if values.ndim == 1 else values
    shares = torch.ones_like(values[:, 0]) if weights is None else weights
    shares = shares / shares.sum().clamp(min=torch.finfo(values.dtype).tiny)
    mean = shares @ values
    variance = (shares @ (values - mean).square()).sum().detach()
    squares = (values.unsqueeze(1) - values.unsqueeze(0)).square().sum(-1)
    return torch.exp(-squares / (2 * variance).clamp(min=1e-12))


def same_group_kernel(groups: Tensor, weights: Tensor) -> Tensor:
    """1 where two rows belong to the same group, (n, n); of the type of ``weights``."""
    return (groups.unsqueeze(1) == groups.unsqueeze(0)).to(weights.dtype)


def hsic(one: Tensor, other: Tensor, weights: Tensor | None = None) -> Tensor:
    """Hilbert-Schmidt independence criterion tr(K H L H) / (n - 1)^2 (Gretton et al. 2005).

    Parameters
    ----------
    one, other : Tensor of shape (n, n)
        Kernels K and L of two features of the same rows.
    weights : Tensor of shape (n,) or None
        Of the rows: H centers by them, and n is their effective number, (sum w)^2 / sum w^2.

    Returns
    -------
    Tensor
        A scalar, 0 of independent features (up to chance); 0 of fewer than two rows.
    """
    tiny = torch.finfo(one.dtype).tiny
    weights = torch.ones_like(one[0]) if weights is None else weights
    shares = weights / weights.sum().clamp(min=tiny)
    n = 1 / shares.square().sum().clamp(min=tiny)
    centered = one - (one @ shares).unsqueeze(1)  # one H, where H = I - 1 w'
    centered = centered - (shares @ centered).unsqueeze(0)
    value = (shares.unsqueeze(1) * shares.unsqueeze(0) * centered * other).sum()
    scale = n / (n - 1).clamp(min=tiny)
    return (value * scale.square()).where(n > 1.5, 0.0)


def squared_covariance(
    values: Tensor,
    cases: Tensor,
    quantities: Tensor,
    state: Tensor | None = None,
    decay: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """4 cov(v, s)^2 of values v and quantities s among the cases, added up over rates.

    Parameters
    ----------
    values, cases : Tensor of shape (n_rates, n)
        Of a statistic, see :mod:`~skfair.objectives.statistics`; cases may have weights.
    quantities : Tensor of shape (n, n_quantities)
        Standardized; NaN takes no part. Of two groups of equal size, 1 and -1, the value is the
        squared difference of their means.
    state : Tensor of shape (4, n_rates, n_quantities) or None
        Running sums of 1, s, v and v s over the cases.
    decay : float, default=0.0
        How much of them is kept. With 0 the covariance is that of the batch; otherwise its value is
        that of recent batches, and its gradient the batch's.

    Returns
    -------
    value : Tensor
        A scalar.
    state : Tensor of shape (4, n_rates, n_quantities)
        For the next batch.
    """
    known, s = ~quantities.isnan(), quantities.nan_to_num(0.0)
    counted = cases.unsqueeze(-1) * known  # (n_rates, n, n_quantities)
    of_values = counted * values.unsqueeze(-1)
    sums = torch.stack([part.sum(-2) for part in (counted, counted * s, of_values, of_values * s)])
    running = sums.detach() if state is None or decay == 0 else sums.detach() + decay * state
    covariance = _covariance(sums)
    covariance = covariance + (_covariance(running) - covariance).detach()
    return 4 * covariance.square().sum(), running


def _covariance(sums: Tensor) -> Tensor:
    _, s, v, vs = sums / sums[0].clamp(min=torch.finfo(sums.dtype).tiny)
    return vs - v * s


def forward_with_quantities(module: nn.Module, inputs: Mapping[str, Tensor], y: Tensor) -> Outputs:
    """Logits, and the sensitive features that are quantities, where there are any."""
    quantities = {"quantities": inputs["sensitive"]} if "sensitive" in inputs else {}
    return module(inputs["X"]), quantities
