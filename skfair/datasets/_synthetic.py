"""Data with a recourse gap that is known because it was put there."""

from __future__ import annotations

from numbers import Integral, Real
from string import ascii_lowercase

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params


def _burden(mean: float, std: float) -> float:
    """E[max(0, -d)] for d ~ N(mean, std^2)."""
    return std * norm.pdf(mean / std) - mean * norm.cdf(-mean / std)


def _positive_rate(mean: np.ndarray, std: float) -> np.ndarray:
    """E[sigmoid(d)] for d ~ N(mean, std^2), by the trapezoidal rule."""
    z = np.linspace(-9, 9, 1001)
    return expit(np.add.outer(mean, std * z)) @ norm.pdf(z) * (z[1] - z[0])


def _group_means(gap: float, std: float, proportions: np.ndarray, rate: float) -> np.ndarray:
    """Mean log-odds of the groups, worst off first: equally spaced burdens, `rate` positives."""

    def means(best: float) -> np.ndarray:
        burdens = _burden(best, std) + np.linspace(gap, 0, len(proportions))
        worse = [  # bracketed from below since E[max(0, -d)] >= -E[d]
            brentq(lambda mean, b=b: _burden(mean, std) - b, -b - std, best, xtol=1e-12)
            for b in burdens[:-1]
        ]
        return np.array([*worse, best])

    def excess(best: float) -> float:
        return proportions @ _positive_rate(means(best), std) - rate

    far = 50 + 10 * std
    if excess(far) < 0:
        raise ValueError(
            f"positive_rate must be below {excess(far) + rate:.3g} for recourse_gap={gap} with "
            f"these group_proportions, got {rate}."
        )
    return means(brentq(excess, -far, far))


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "n_informative": [Interval(Integral, 1, None, closed="left")],
        "n_groups": [Interval(Integral, 2, len(ascii_lowercase), closed="both")],
        "recourse_gap": [Interval(Real, 0, None, closed="left")],
        "group_proportions": ["array-like", None],
        "positive_rate": [Interval(Real, 0, 1, closed="neither")],
        "log_odds_std": [Interval(Real, 0, None, closed="neither")],
        "as_frame": ["boolean"],
        "return_log_odds": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_biased_classification(
    n_samples: int = 1000,
    *,
    n_features: int = 10,
    n_informative: int = 5,
    n_groups: int = 2,
    recourse_gap: float = 1.0,
    group_proportions: ArrayLike | None = None,
    positive_rate: float = 0.4,
    log_odds_std: float = 2.0,
    as_frame: bool = False,
    return_log_odds: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> tuple:
    r"""Generate a binary problem whose groups have a known recourse gap.

    The log-odds `d` of the positive class are an exact linear function of the informative
    features, and the labels are drawn from them: ``y ~ Bernoulli(sigmoid(d))``. Within group `a`,
    ``d ~ N(mu_a, log_odds_std**2)``. The burden of a group is the mean of ``max(0, -d)`` over all
    its members [1]_, in the population

    .. math:: \sigma \varphi(\mu_a / \sigma) - \mu_a \Phi(-\mu_a / \sigma).

    The means :math:`\mu_a` are chosen such that the burdens are equally spaced, group "a" being
    the worst off, with `recourse_gap` between the largest and the smallest.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=10
        Number of columns of X: the informative ones; if there is room, one proxy of the group
        without an effect of its own; noise.
    n_informative : int, default=5
        Number of columns that make up the log-odds. Their means differ between the groups.
    n_groups : int, default=2
        Number of groups, from 2 to 26.
    recourse_gap : float, default=1.0
        Largest minus smallest burden of a group in the population, in units of log-odds.
    group_proportions : array-like of shape (n_groups,), default=None
        Share of each group; ``None`` means equal shares. Counts are rounded, not drawn.
    positive_rate : float, default=0.4
        Share of the positive class in the population.
    log_odds_std : float, default=2.0
        Standard deviation of the log-odds within a group: the larger, the less noise in y.
    as_frame : bool, default=False
        Whether to return pandas objects.
    return_log_odds : bool, default=False
        Whether to return the true log-odds as well.
    random_state : int, RandomState instance or None, default=None
        Seed of the weights of the features and of the rows.

    Returns
    -------
    X : ndarray or DataFrame of shape (n_samples, n_features)
        The features.
    y : ndarray or Series of shape (n_samples,)
        The labels, 0 or 1.
    sensitive_features : ndarray or Series of shape (n_samples,)
        The groups, "a", "b" and so on, as the Series `group`.
    log_odds : ndarray or Series of shape (n_samples,)
        The true log-odds of the positive class. Only if ``return_log_odds=True``.

    Raises
    ------
    ValueError
        If a parameter is out of range, or if so large a gap leaves room for fewer positives than
        `positive_rate` asks for.

    References
    ----------
    .. [1] S. Sharma, A. H. Gee, D. Paydarfar and J. Ghosh, "FaiR-N: Fair and Robust Neural
       Networks for Structured Data", AIES 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skfair.datasets import make_biased_classification
    >>> X, y, group, d = make_biased_classification(
    ...     100_000, recourse_gap=1.5, return_log_odds=True, random_state=0
    ... )
    >>> burden = [np.maximum(0, -d[group == name]).mean() for name in "ab"]
    >>> print(f"{burden[0] - burden[1]:.1f}")
    1.5
    """
    if n_informative > n_features:
        raise ValueError(
            f"n_informative must be at most n_features={n_features}, got {n_informative}."
        )
    if group_proportions is None:
        proportions = np.full(n_groups, 1 / n_groups)
    else:
        proportions = np.asarray(group_proportions, dtype=float)
    if proportions.shape != (n_groups,) or not (proportions > 0).all():
        raise ValueError(
            f"group_proportions must be n_groups={n_groups} positive numbers, "
            f"got {group_proportions!r}."
        )
    if not np.isclose(proportions.sum(), 1):
        raise ValueError(f"group_proportions must add up to 1, got {group_proportions!r}.")

    rng = check_random_state(random_state)
    means = _group_means(recourse_gap, log_odds_std, proportions, positive_rate)
    intercept = proportions @ means
    direction = rng.standard_normal(n_informative)
    direction /= np.linalg.norm(direction)

    quantiles = (np.arange(n_samples) + 0.5) / n_samples
    codes = rng.permutation(np.searchsorted(np.cumsum(proportions)[:-1], quantiles))
    X = rng.standard_normal((n_samples, n_features))
    X[:, :n_informative] += np.outer((means[codes] - intercept) / log_odds_std, direction)
    if n_features > n_informative:
        X[:, n_informative] += np.linspace(-1, 1, n_groups)[codes]
    log_odds = intercept + log_odds_std * (X[:, :n_informative] @ direction)
    y = (rng.uniform(size=n_samples) < expit(log_odds)).astype(int)
    group = np.array(list(ascii_lowercase))[codes]

    if as_frame:
        names = [f"informative_{i}" for i in range(n_informative)] + ["proxy"]
        names += [f"noise_{i}" for i in range(n_features - n_informative - 1)]
        X = pd.DataFrame(X, columns=names[:n_features])
        y, group = pd.Series(y, name="target"), pd.Series(group, name="group")
        log_odds = pd.Series(log_odds, name="log_odds")
    return (X, y, group, log_odds) if return_log_odds else (X, y, group)
