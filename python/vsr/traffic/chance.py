"""How probable counts and means are by chance, where what they are compared with is itself only a sample."""

import math

import numpy as np

from vsr.persistence.held_out import Moments


def share_p_values(n_hits: int, n: int, share: float, weight: float) -> tuple[float, float]:
    """Probability of so many hits or more, and of so many or fewer, among n that are like a sample of before.

    The share is not known but from that sample: the count is beta-binomial, the predictive distribution of a binomial
    one under Jeffreys' prior. The count itself has half of its probability (mid-p).

    Args:
        n_hits: how many.
        n: of how many.
        share: of the sample.
        weight: how many observations the sample is worth, for the share of a day.
    """
    a, b = share * weight + 0.5, (1.0 - share) * weight + 0.5
    counts = np.arange(n, dtype=np.float64)
    steps = np.log((n - counts) * (a + counts)) - np.log((counts + 1.0) * (b + n - counts - 1.0))
    start = _log_beta(a, b + n) - _log_beta(a, b)
    mass = np.exp(start + np.concatenate([[0.0], np.cumsum(steps)]))
    half = 0.5 * float(mass[n_hits])
    return float(mass[n_hits + 1 :].sum()) + half, float(mass[:n_hits].sum()) + half


def mean_z(found: Moments, before: Moments, tolerance: float = 0.0) -> float:
    """Standard errors by which the mean of one sample exceeds that of another by more than is tolerated, with its sign.

    Args:
        found: the one sample.
        before: the other one.
        tolerance: a difference that matters to nobody.
    """
    difference = found.mean - before.mean
    beyond = abs(difference) - tolerance
    if beyond <= 0.0:
        return 0.0
    pooled = (found.n * found.sd**2 + before.n * before.sd**2) / (found.n + before.n)
    error = math.sqrt(pooled * (1.0 / found.n + 1.0 / before.n))
    return math.copysign(beyond / max(error, 1e-9), difference)


def normal_tail(z: float) -> float:
    """Probability that a standard normal number is above z."""
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
