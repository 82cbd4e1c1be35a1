"""Means over all queries where some cells were not measured: augmented inverse probability weighting.

A mean over the cells that happen to be there compares models on different queries. Instead every cell has an estimate,
`m + observed / p * (value - m)` (Robins, Rotnitzky and Zhao 1994): m is the additive model's prediction, cross-fitted
(Chernozhukov et al. 2018) and without the cell's own value, p the probability that the cell was measured. Its mean is
right if either of the two is; where all was measured it is the value itself.
"""

import numpy as np
import numpy.typing as npt

from vsr.data.categories import CATEGORIES
from vsr.prior.category_means import FloatArray, IntArray, MeanTable
from vsr.training.folds import stratified_folds

Cells = npt.NDArray[np.bool_]

_N_FOLDS = 5
# A cell that was hardly ever measured would otherwise count a hundredfold.
_LEAST_PROBABILITY = 0.05
# Weight of the prior against a category's cells (in the table of means) and against its queries (in the probabilities).
_TABLE_SHRINKAGE = 30.0
_PROBABILITY_SHRINKAGE = 20.0
# One model's answer says little about how hard a query is for the others: it counts against as many made-up ones.
_QUERY_SHRINKAGE = 2.0


def completed(
    values: FloatArray,
    codes: IntArray,
    seed: int,
    probabilities: FloatArray | None = None,
) -> FloatArray:
    """Estimate every cell, so that means over all queries are unbiased; single cells may lie outside their range.

    Args:
        values: (n_queries, n_models) float64, NaN = not measured.
        codes: (n_queries,) category of each query, -1 where it is unknown.
        seed: seed of the folds.
        probabilities: (n_queries, n_models) with which each cell was measured, where whoever chose the cells logged
            them; where they are NaN, or without them, they are estimated by model and category, which assumes that
            cells are missing at random.

    Returns:
        (n_queries, n_models) float64; NaN only for models that were never measured. `values` itself if complete.
    """
    observed = np.isfinite(values)
    known = observed.any(axis=0)
    if observed[:, known].all():
        return values
    result = np.full(values.shape, np.nan)
    own, seen = values[:, known], observed[:, known]
    chance = chances(seen, codes, None if probabilities is None else probabilities[:, known])
    expected = predictions(own, codes, seed)
    result[:, known] = expected + seen / chance * np.where(seen, own - expected, 0.0)
    return result


def chances(observed: Cells, codes: IntArray, logged: FloatArray | None = None) -> FloatArray:
    """Say with which probability each cell was measured, at least 0.05.

    Args:
        observed: (n_queries, n_models) bool, whether it was.
        codes: (n_queries,) category of each query, -1 where it is unknown.
        logged: (n_queries, n_models) as whoever chose the cells logged it; elsewhere it is estimated.
    """
    estimated = shares(observed, np.ones(observed.shape, dtype=bool), codes)
    chance = estimated if logged is None else np.where(np.isfinite(logged), logged, estimated)
    return np.maximum(chance, _LEAST_PROBABILITY)


def shares(chosen: Cells, among: Cells, codes: IntArray) -> FloatArray:
    """Share of a model's cells that were chosen among others, by category, shrunk to its share over all queries.

    Args:
        chosen: (n_queries, n_models) bool, some of the others.
        among: (n_queries, n_models) bool.
        codes: (n_queries,) category of each query, -1 where it is unknown.

    Returns:
        (n_queries, n_models) float64.
    """
    overall = chosen.sum(axis=0) / np.maximum(among.sum(axis=0), 1)
    members = (codes == np.arange(len(CATEGORIES))[:, None]).astype(np.float64)
    by_category = (members @ chosen + _PROBABILITY_SHRINKAGE * overall) / (members @ among + _PROBABILITY_SHRINKAGE)
    return np.asarray(np.vstack([by_category, overall])[codes])


def predictions(values: FloatArray, codes: IntArray, seed: int) -> FloatArray:
    """Predict every cell without its own value: model's mean in the category, plus the query's own effect.

    The means are fitted on other queries, the effect is that of the query's other cells.

    Args:
        values: (n_queries, n_models) float64, NaN = not measured; every model was measured somewhere.
        codes: (n_queries,) category of each query, -1 where it is unknown.
        seed: seed of the folds.
    """
    observed = np.isfinite(values)
    n_queries = len(values)
    folds = stratified_folds(codes, min(_N_FOLDS, n_queries), np.random.default_rng(seed))
    expected = np.empty(values.shape)
    for number in range(int(folds.max()) + 1):
        held_out = folds == number
        train = ~held_out
        if not observed[train].any(axis=0).all():  # a model that was measured on these queries alone
            train = np.ones(n_queries, dtype=bool)
        table = MeanTable.fit(values[train], codes[train], len(CATEGORIES), _TABLE_SHRINKAGE)
        expected[held_out] = table.rows(codes[held_out])
    rest = np.where(observed, values - expected, 0.0)
    others = rest.sum(axis=1, keepdims=True) - rest
    n_others = observed.sum(axis=1, keepdims=True) - observed
    return np.asarray(expected + others / (n_others + _QUERY_SHRINKAGE))
