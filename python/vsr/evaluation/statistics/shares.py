"""How sure a share is."""

import math
from statistics import NormalDist

_Z = NormalDist().inv_cdf(0.975)


def wilson_interval(n_hits: int, n: int) -> tuple[float, float]:
    """Give the 95 % interval of a share (Wilson 1927).

    Args:
        n_hits: how many.
        n: of how many, one at least.
    """
    share, z2 = n_hits / n, _Z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)
