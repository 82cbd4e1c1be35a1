"""Means over all queries where many answers were judged and the truth of some is known.

Prediction-powered inference (Angelopoulos, Bates, Fannjiang, Jordan and Zrnic 2023): the judgement predicts the truth
everywhere, and the labels say by how much it errs. It is the estimate of `missing_cells` with the judgement as the
prediction: `m + known / p * (truth - m)`, so that its mean is right however bad the judge is, and the better the judge,
the narrower the interval. How far the judgement is believed is learnt from labels (power tuning, Angelopoulos, Duchi
and Zrnic 2023), those of other folds: a label never calibrates its own fold.
"""

from collections.abc import Callable

import numpy as np

from vsr.data.outcomes import Outcomes
from vsr.evaluation.statistics.missing_cells import completed
from vsr.prior.category_means import FloatArray, IntArray
from vsr.training.folds import stratified_folds
from vsr.training.judged_labels import FEW_LABELS, worth_of

_N_FOLDS = 5


def is_prediction_powered(outcomes: Outcomes) -> bool:
    """Tell whether some qualities are only judged, and enough true ones say what that is worth."""
    judgements = outcomes.judgements
    if judgements is None or not judgements.stand_in.any():
        return False
    both = np.isfinite(judgements.quality) & np.isfinite(judgements.true(outcomes.quality))
    return int(both.sum()) >= FEW_LABELS


def completed_qualities(
    outcomes: Outcomes,
    codes: IntArray,
    seed: int,
    values_of: Callable[[FloatArray], FloatArray] = lambda quality: quality,
) -> FloatArray:
    """Estimate every cell's quality, or what follows from it, so that means over all queries are unbiased.

    Args:
        outcomes: what was measured and judged. Where too few labels are true the judgements count as measured.
        codes: (n_queries,) category of each query, -1 where it is unknown.
        seed: of the folds.
        values_of: what follows from qualities, linear in them: (n_queries, n_models) to the same.

    Returns:
        (n_queries, n_models) float64; NaN only for models that were never measured.
    """
    judgements = outcomes.judgements
    if judgements is None or not is_prediction_powered(outcomes):
        return completed(values_of(outcomes.quality), codes, seed)
    true = judgements.true(outcomes.quality)
    return completed(
        values_of(true), codes, seed, predicted=values_of(_cross_fitted(judgements.quality, true, codes, seed))
    )


def _cross_fitted(judged: FloatArray, true: FloatArray, codes: IntArray, seed: int) -> FloatArray:
    """What every judgement is worth by the labels of other folds; NaN where nothing was judged."""
    folds = stratified_folds(codes, min(_N_FOLDS, len(codes)), np.random.default_rng(seed))
    result = np.full(judged.shape, np.nan)
    for number in range(int(folds.max()) + 1):
        worth = worth_of(judged, true, folds != number)
        if worth is None:  # so few labels that every fold needs all of them
            worth = worth_of(judged, true)
        assert worth is not None, "there are enough labels in all"
        result[folds == number] = worth[folds == number]
    return result
