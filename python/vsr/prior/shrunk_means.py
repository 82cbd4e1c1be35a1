"""Means by category that are shrunk to each model's own, for what varies far less by category than between models."""

import numpy as np

from vsr.data.categories import CATEGORIES
from vsr.prior.category_means import FloatArray, IntArray

# Latency, cost and tokens: a category's own mean needs a few dozen queries before it outweighs the model's.
_PRIOR_WEIGHT = 20.0


def shrunk_means(values: FloatArray, codes: IntArray) -> FloatArray:
    """Average by category.

    Args:
        values: (n_queries, n_models), NaN = not measured.
        codes: (n_queries,) category of each query, -1 where unknown.

    Returns:
        (n_categories + 1, n_models), each model's mean over all queries in the last row; NaN for a model without any
        value.
    """
    observed = np.isfinite(values)
    filled = np.where(observed, values, 0.0)
    counts = observed.sum(axis=0)
    overall = np.where(counts > 0, filled.sum(axis=0) / np.maximum(counts, 1), np.nan)
    members = (codes == np.arange(len(CATEGORIES))[:, None]).astype(np.float64)
    in_category = (members @ filled + _PRIOR_WEIGHT * overall) / (members @ observed + _PRIOR_WEIGHT)
    return np.vstack([in_category, overall])
