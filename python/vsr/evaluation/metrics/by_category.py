"""Metrics that count every category alike, however many queries it has."""

import numpy as np

from vsr.prior.category_means import FloatArray, IntArray


def category_means(values: FloatArray, codes: IntArray) -> FloatArray:
    """Mean in every category that occurs, in the order of their codes: (n_queries,) -> (n_occurring,)."""
    _, positions, counts = np.unique(codes, return_inverse=True, return_counts=True)
    return np.asarray(np.bincount(positions, weights=values) / counts)


def mean_relative_gain(own: FloatArray, reference: FloatArray) -> float | None:
    """Mean over categories of `own / reference - 1`; categories whose reference is 0 are left out, None without others.

    Args:
        own: (n_categories,) accuracy of a method.
        reference: (n_categories,) accuracy of what it is compared with.
    """
    kept = reference > 0.0
    return float((own[kept] / reference[kept] - 1.0).mean()) if kept.any() else None
