"""Dependence of predictions on sensitive features, without means of groups.

Shapes: values (n,) or (n, n_values); groups (n,), -1 for missing; weights (n,) or None.
"""

from __future__ import annotations

import torch
from torch import Tensor


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


def same_group_kernel(groups: Tensor, dtype: torch.dtype) -> Tensor:
    """1 where two rows belong to the same group, (n, n)."""
    return (groups.unsqueeze(1) == groups.unsqueeze(0)).to(dtype)


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
