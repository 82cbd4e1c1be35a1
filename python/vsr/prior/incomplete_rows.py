"""Residuals of queries on which some models were not measured: what a half-measured query says, and how much it counts.

A value is `prior + difficulty of the query + residual`. Taking the mean over a row's measured cells for its difficulty
gives away too much where there are few: of a single cell nothing would be left, of two cells half. So the difficulty is
a random effect (Henderson's mixed model equations, 1975), as varied as the residuals are: of a row of k cells a share
of `1 / (1 + k)` of their sum is taken away, and what is left, freed of the shrinkage, counts as much as it knows.
"""

import numpy as np
import numpy.typing as npt

from vsr.prior.category_means import FloatArray, IntArray, MeanTable

# Variance of queries' difficulties beside that of residuals. On LLMRouter and MMLU-Pro 0.3 and infinity are worse.
_DIFFICULTY_RATIO = 1.0


def weighted_residuals(prior: MeanTable, quality: FloatArray, codes: IntArray) -> tuple[FloatArray, FloatArray | None]:
    """Give residuals, and how much each of them counts.

    Args:
        prior: the table that they are measured from.
        quality: (n_queries, n_models) float64, NaN = not measured.
        codes: (n_queries,) category of each query, -1 where it is unknown.

    Returns:
        (n_queries, n_models) float64 residuals, NaN = not measured, and (n_queries, n_models) float64 from 0 to 1, 0
        where nothing was measured; None in its place where nothing is missing and all count alike.
    """
    residual = prior.residuals(quality, codes)
    observed: npt.NDArray[np.bool_] = np.isfinite(residual)
    if observed.all():
        return residual, None
    n_models = quality.shape[1]
    rest = np.where(observed, quality - prior.rows(codes), 0.0)
    taken = _DIFFICULTY_RATIO / (1.0 + _DIFFICULTY_RATIO * np.maximum(observed.sum(axis=1, keepdims=True), 1))
    # A complete row keeps (n - 1) / n of a model's own deviation; so do all others then.
    kept = 1.0 - 1.0 / n_models if n_models > 1 else 1.0
    trust = np.where(observed, np.minimum((1.0 - taken) / kept, 1.0), 0.0)
    freed = (rest - taken * rest.sum(axis=1, keepdims=True)) * kept / (1.0 - taken)
    complete: npt.NDArray[np.bool_] = np.asarray(observed.all(axis=1))
    trust[complete] = 1.0
    return np.where(observed & ~complete[:, None], freed, residual), trust
