"""Noise that makes any classifier individually fair under a weighted metric.

Individual Fairness Revisited, Theorems 3 and 5. The paper's rules for weights other than one do
not hold as printed in three places; each is marked below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

NOISES = ("gaussian", "laplace")


def noise_scale(noise: str, metric: str, weights: np.ndarray) -> np.ndarray:
    """Factor of each coordinate of the noise that belongs to the metric with weights one.

    Gaussian noise is of variance ``noise_scale ** 2``: 1 / (2 pi w) for "l2" (Theorem 5),
    1 / (2 pi w^2) for "l1" and d / (2 pi w^2) for "linf". (Section 4.2 takes the weights of the
    "l2" metric for the other two, which is too little noise where w < 1.) Laplace noise of density
    exp(-2 D(0, t)) is scaled so that D(0, t) keeps its distribution: w^(-1/2) for "l2".
    (Algorithm 2 divides by w always.)

    Parameters
    ----------
    noise : {"gaussian", "laplace"}
        Kind of noise.
    metric : {"l1", "l2", "linf"}
        Kind of metric.
    weights : ndarray of shape (d,)
        Positive weights.

    Returns
    -------
    ndarray of shape (d,)
        The factors.
    """
    scale = 1 / (np.sqrt(weights) if metric == "l2" else weights)
    if noise == "laplace":
        return scale
    widening = len(weights) if metric == "linf" else 1
    return scale * np.sqrt(widening / (2 * np.pi))


def _gaussian(out: Tensor, generator: torch.Generator | None) -> Tensor:
    return out.normal_(generator=generator)


def _radius(like: Tensor, shape: int, generator: torch.Generator | None) -> Tensor:
    """Gamma of the given integer shape and scale 1/2, as a sum of exponentials; (n, 1)."""
    parts = like.new_empty(len(like), shape).exponential_(generator=generator)
    return parts.sum(1, keepdim=True) / 2


def _laplace_l1(out: Tensor, generator: torch.Generator | None) -> Tensor:
    """Independent coordinates, each the difference of two exponentials."""
    other = torch.empty_like(out).exponential_(generator=generator)
    return out.exponential_(generator=generator).sub_(other).div_(2)


def _laplace_l2(out: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw a direction uniform on the sphere times a radius (Algorithm 2)."""
    out.normal_(generator=generator)
    norm = torch.linalg.vector_norm(out, dim=1, keepdim=True)
    tiny = torch.finfo(out.dtype).tiny
    return out.mul_(_radius(out, out.shape[1], generator) / norm.clamp_(min=tiny))


def _laplace_linf(out: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform in a cube whose half-width has one degree of freedom more than the radius.

    The mixture has density exp(-2 max|t|), as a point of Algorithm 2 on the cube's surface.
    """
    out.uniform_(-1, 1, generator=generator)
    return out.mul_(_radius(out, out.shape[1] + 1, generator))


SAMPLERS: dict[tuple[str, str], Callable[[Tensor, Any], Tensor]] = {
    ("gaussian", "l1"): _gaussian,
    ("gaussian", "l2"): _gaussian,
    ("gaussian", "linf"): _gaussian,
    ("laplace", "l1"): _laplace_l1,
    ("laplace", "l2"): _laplace_l2,
    ("laplace", "linf"): _laplace_linf,
}


class Noise:
    """Noise for a weighted metric.

    Parameters
    ----------
    noise : {"gaussian", "laplace"}
        Kind of noise.
    metric : {"l1", "l2", "linf"}
        Kind of metric.
    weights : ndarray of shape (d,)
        Positive weights.
    """

    def __init__(self, noise: str, metric: str, weights: np.ndarray) -> None:
        self.noise, self.metric = noise, metric
        self.scale = noise_scale(noise, metric, np.asarray(weights, dtype=np.float64))

    def fill(self, out: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Fill ``out`` (n, d) with draws that :attr:`scale` has yet to multiply, and return it."""
        return SAMPLERS[self.noise, self.metric](out, generator)

    def draw(
        self,
        n: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """Return ``n`` draws, of shape (n, d)."""
        out = self.fill(torch.empty(n, len(self.scale), dtype=dtype, device=device), generator)
        return out.mul_(torch.as_tensor(self.scale, dtype=dtype, device=device))


class AddNoise:
    """Augmentation of a batch: fresh noise on some columns, from torch's global generator.

    Parameters
    ----------
    noise : Noise
        What is added.
    columns : list of int
        Where, one column for each weight; -1 for one that the network does not see.
    """

    def __init__(self, noise: Noise, columns: list[int]) -> None:
        self.noise, self.columns = noise, columns

    def __call__(self, X: Tensor) -> Tensor:
        """Return a noisy copy of a batch (n, n_features)."""
        drawn = self.noise.draw(len(X), dtype=X.dtype, device=X.device)
        seen = [i for i, column in enumerate(self.columns) if column >= 0]
        noisy = X.clone()
        noisy[:, [self.columns[i] for i in seen]] += drawn[:, seen]
        return noisy
