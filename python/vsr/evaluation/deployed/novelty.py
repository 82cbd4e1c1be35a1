"""How unlike some queries are those that were measured: the share beyond the training's own distances."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.persistence.yardstick import USUAL, Yardstick

_Z = 1.96


@dataclass(frozen=True)
class Novelty:
    """How unlike the training queries some queries are.

    Attributes:
        n_queries: how many.
        n_unlike: how many of them are further away than 99 % of the training queries.
        low: lower end of the 95 % interval of the share (Wilson).
        high: upper end.
        typical_rank: share of the training queries that the median query is further away than; about 0.5 for queries of
            the same kind.
        unlike: rows of those that are unlike, the furthest first.
    """

    n_queries: int
    n_unlike: int
    low: float
    high: float
    typical_rank: float
    unlike: tuple[int, ...]

    @property
    def share(self) -> float:
        """Share of the queries that are unlike the training's."""
        return self.n_unlike / self.n_queries

    @property
    def is_unusual(self) -> bool:
        """Whether more of them are than of queries like the training's, surely."""
        return self.low > 1.0 - USUAL


def novelty_of(yardstick: Yardstick, vectors: npt.NDArray[np.float32]) -> Novelty:
    """Measure queries against those of the training.

    Args:
        yardstick: of the training.
        vectors: (n_queries, dim) float32, unit rows, of the same embedder; one at least.
    """
    far = yardstick.distances_of(vectors)
    unlike = np.flatnonzero(far > yardstick.limit)
    low, high = _wilson(len(unlike), len(vectors))
    return Novelty(
        n_queries=len(vectors),
        n_unlike=len(unlike),
        low=low,
        high=high,
        typical_rank=float(np.median(yardstick.ranks(far))),
        unlike=tuple(unlike[np.argsort(-far[unlike], kind="stable")].tolist()),
    )


def _wilson(n_hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    share, z2 = n_hits / n, _Z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)
