"""Paired bootstrap over queries: how sure a mean difference is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vsr.prior.category_means import FloatArray

_N_RESAMPLES = 2000
_BLOCK = 50


@dataclass(frozen=True)
class Interval:
    """A mean difference with its 95 % percentile interval.

    Attributes:
        mean: mean of the differences.
        low: lower end.
        high: upper end.
        n: queries behind it; those without a measured difference are left out.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def is_above_zero(self) -> bool:
        """Whether even the lower end is above 0."""
        return self.low > 0.0


def paired_intervals(differences: Sequence[FloatArray], seed: int) -> list[Interval]:
    """Bootstrap several differences on the same resamples of the queries (Efron and Tibshirani 1993, chapter 13).

    Args:
        differences: each (n_queries,) float64, NaN = not measured.
        seed: seed of the resamples.

    Returns:
        One interval each; of mean 0 and no width where nothing was measured.
    """
    if not differences:
        return []
    matrix = np.stack(differences, axis=1)
    n_queries = len(matrix)
    measured = np.isfinite(matrix)
    filled = np.where(measured, matrix, 0.0)
    stacked = np.hstack([filled, measured.astype(np.float64)])
    generator = np.random.default_rng(seed)
    means = np.empty((_N_RESAMPLES, matrix.shape[1]))
    for start in range(0, _N_RESAMPLES, _BLOCK):
        drawn = generator.integers(0, n_queries, size=(_BLOCK, n_queries))
        # How often each query was drawn, so that one product gives every resampled sum.
        offset = drawn + n_queries * np.arange(_BLOCK)[:, None]
        counts = np.bincount(offset.ravel(), minlength=_BLOCK * n_queries).reshape(_BLOCK, n_queries)
        sums = counts @ stacked
        means[start : start + _BLOCK] = sums[:, : matrix.shape[1]] / np.maximum(sums[:, matrix.shape[1] :], 1.0)
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    n_measured = measured.sum(axis=0)
    mean = filled.sum(axis=0) / np.maximum(n_measured, 1)
    return [
        Interval(float(m), float(lo), float(hi), int(n))
        for m, lo, hi, n in zip(mean, low, high, n_measured, strict=True)
    ]
