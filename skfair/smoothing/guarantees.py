"""What smoothing proves: differences between people, intervals, radii and numbers of draws.

Individual Fairness Revisited, Theorems 3, 5 and 8. A smoothed classifier answers with a
distribution over classes, the image of the noise around a person under the classifier; so no two
people's answers differ, in total variation, by more than their noises do. That holds for any
classifier and any number of classes (the paper proves the Gaussian case for two). With Gaussian
noise of variances s_i^2 and delta^2 = sum_i (x_i - x'_i)^2 / s_i^2 the noises differ by
2 Phi(delta / 2) - 1; delta is at most sqrt(2 pi) D for each of the metrics. With Laplace noise
densities differ by a factor of at most exp(2 D), and the noises by at most tanh(D).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

GAUSSIAN_PER_DISTANCE = np.sqrt(2 * np.pi)


def draws_needed(epsilon: float, delta: float, n_classes: int, shared: bool) -> int:
    """Return the number of draws for (epsilon, delta)-individual fairness (Theorem 8).

    Theorem 8 is for draws of their own for each person: delta = 2 m exp(-4 n epsilon^2 / m^2).
    If all people share the draws, the two samples are paired, and it takes twice as many.
    """
    rate = (2 if shared else 4) * (epsilon / n_classes) ** 2
    with np.errstate(divide="ignore", over="ignore"):
        return int(min(np.ceil(np.log(2 * n_classes / delta) / rate), 2.0**62))


def epsilon_reached(n_draws: int, delta: float, n_classes: int, shared: bool) -> float:
    """Epsilon of Theorem 8 for a number of draws, the reverse of :func:`draws_needed`."""
    rate = np.log(2 * n_classes / delta) / n_draws
    return min(float(n_classes * np.sqrt(rate / (2 if shared else 4))), np.nextafter(1, 0))


def largest_difference(noise: str, distance: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Largest total variation between the outcomes of pairs of people, (n,).

    Parameters
    ----------
    noise : {"gaussian", "laplace"}
        Kind of noise.
    distance : ndarray of shape (n,)
        D(x, x'); infinite for people who are not comparable.
    shift : ndarray of shape (n, d)
        x - x', divided by the standard deviations of Gaussian noise.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if noise == "gaussian":
            closed = 2 * ndtr(np.linalg.norm(shift, axis=-1) / 2) - 1
        else:
            closed = np.tanh(distance)
    return np.where(np.isinf(distance), 1.0, np.minimum(closed, distance))


def reachable(
    noise: str, share: np.ndarray, distance: np.ndarray, score: np.ndarray | None = None
) -> tuple:
    """Least and greatest share of a class among people within ``distance`` of one with ``share``.

    Gaussian: Phi(Phi^-1(q) -+ delta) (Neyman and Pearson, Lemma 6). Laplace: q times or divided by
    exp(2 D), or 1 - q so. ``score`` is Phi^-1(q), where it is known better than from a share that
    is rounded to one.
    """
    if noise == "gaussian":
        score = ndtri(share) if score is None else score
        delta = GAUSSIAN_PER_DISTANCE * distance
        with np.errstate(invalid="ignore"):  # infinity less infinity, mended below
            low, high = ndtr(score - delta), ndtr(score + delta)
    else:
        factor = np.exp(2 * np.minimum(distance, 350.0))
        low = np.maximum(share / factor, 1 - (1 - share) * factor)
        high = np.minimum(share * factor, 1 - (1 - share) / factor)
    everyone = np.isinf(distance)
    return np.where(everyone, 0.0, low), np.where(everyone, 1.0, high)


def radius(noise: str, share: np.ndarray, score: np.ndarray | None = None) -> np.ndarray:
    """Distance up to which a class with this share keeps more than half of the votes.

    Gaussian: Phi^-1(q) / sqrt(2 pi). Laplace: -log(2 (1 - q)) / 2. Zero below one half.
    """
    if noise == "gaussian":
        score = ndtri(share) if score is None else score
        return np.maximum(score, 0) / GAUSSIAN_PER_DISTANCE
    with np.errstate(divide="ignore"):
        return -np.log(2 * (1 - np.maximum(share, 0.5))) / 2 + 0.0
