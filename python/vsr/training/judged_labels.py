"""What judged qualities are worth in truth, learnt from the answers of which both are known."""

import numpy as np

from vsr.data.outcomes import Outcomes
from vsr.prior.category_means import FloatArray

#: Cells that are both judged and true: with fewer, nothing is learnt of the judge.
FEW_LABELS = 10
# A model's own offset counts against as many made-up labels without one.
_OFFSET_SHRINKAGE = 20.0


def calibrated(outcomes: Outcomes) -> Outcomes:
    """Replace qualities that are only judged by what they are worth; true ones stay.

    Without true labels (fewer than ten) judgements are believed as they are.
    """
    judgements = outcomes.judgements
    if judgements is None or not judgements.stand_in.any():
        return outcomes
    true = judgements.true(outcomes.quality)
    worth = worth_of(judgements.quality, true)
    if worth is None:
        return outcomes
    quality = np.where(judgements.stand_in, np.clip(worth, 0.0, 1.0), outcomes.quality)
    return outcomes.with_quality(quality)


def worth_of(judged: FloatArray, true: FloatArray, among: FloatArray | None = None) -> FloatArray | None:
    """Predict truth from judgement: `a_j + b * judged`, least squares within models.

    The slope b is that of all models, so that few labels suffice; it is what power tuning calls lambda (Angelopoulos,
    Duchi and Zrnic 2023), and near 0 for a judge that says nothing. The offset a_j is the model's own, shrunk towards
    that of all: what a judge gives to its own family is taken off.

    Args:
        judged: (n_queries, n_models) float64, NaN = not judged.
        true: the same, NaN = not known.
        among: (n_queries,) bool, queries whose labels may be used; all without it.

    Returns:
        (n_queries, n_models) float64, NaN where nothing was judged; None with fewer than ten labels.
    """
    both = np.isfinite(judged) & np.isfinite(true)
    if among is not None:
        both &= among[:, None].astype(bool)
    counts = both.sum(axis=0)
    if counts.sum() < FEW_LABELS:
        return None
    said, was = np.where(both, judged, 0.0), np.where(both, true, 0.0)
    divisor = np.maximum(counts, 1)
    mean_said, mean_was = said.sum(axis=0) / divisor, was.sum(axis=0) / divisor
    apart_said = np.where(both, judged - mean_said, 0.0)
    apart_was = np.where(both, true - mean_was, 0.0)
    spread = float(np.square(apart_said).sum())
    slope = max(0.0, float((apart_said * apart_was).sum()) / spread) if spread > 0.0 else 0.0
    rest = mean_was - slope * mean_said
    shared = float((rest * counts).sum() / counts.sum())
    offset = shared + counts / (counts + _OFFSET_SHRINKAGE) * (rest - shared)
    return np.asarray(offset + slope * judged)
