"""Means over all queries where many answers were judged and the truth of some is known.

Prediction-powered inference (Angelopoulos, Bates, Fannjiang, Jordan and Zrnic 2023): the judgement predicts the truth
everywhere, and the labels say by how much it errs, `m + known / p * (truth - m)`, so that the mean is right however bad
the judge is, and the better the judge, the narrower the interval. Where not every cell was asked, the mean of `m` is
estimated as in `missing_cells`, and a label stands for `1 / (probability of the call * share of labelled answers)`
cells. How far the judgement is believed is learnt from labels (power tuning, Angelopoulos, Duchi and Zrnic 2023), those
of other folds: a label never calibrates its own fold.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.data.judgements import Judgements
from vsr.data.outcomes import Outcomes
from vsr.evaluation.statistics.missing_cells import chances, completed, predictions, shares
from vsr.prior.category_means import FloatArray, IntArray
from vsr.training.folds import stratified_folds
from vsr.training.judged_labels import FEW_LABELS, worth_of

_N_FOLDS = 5
_HALF = 0.5


@dataclass(frozen=True)
class JudgedLabels:
    """What judged qualities are made of, and how far they hold where the truth is known.

    Attributes:
        n_judged: cells whose quality is only judged.
        n_true: cells whose quality is known.
        n_both: known cells that were judged as well.
        agreement: share of these in which judged and known quality fall on the same side of a half; None below ten.
        correlation: of judged and known quality; None below ten, or where one of them never varies.
        excess: mean of judged less known quality; None below ten.
        is_corrected: whether figures and intervals rest on the known ones, with the judged as predictions; else the
            judged count as if they were known.
    """

    n_judged: int
    n_true: int
    n_both: int
    agreement: float | None
    correlation: float | None
    excess: float | None
    is_corrected: bool

    @classmethod
    def of(cls, outcomes: Outcomes) -> "JudgedLabels | None":
        """Look at what is only judged; None where nothing is."""
        judgements = outcomes.judgements
        if judgements is None or not judgements.stand_in.any():
            return None
        true = judgements.true(outcomes.quality)
        both = _both(outcomes.quality, judgements)
        said, was = judgements.quality[both], true[both]
        is_enough = len(said) >= FEW_LABELS
        varies = is_enough and said.std() > 0.0 and was.std() > 0.0
        return cls(
            n_judged=int(judgements.stand_in.sum()),
            n_true=int(np.isfinite(true).sum()),
            n_both=len(said),
            agreement=float(((said >= _HALF) == (was >= _HALF)).mean()) if is_enough else None,
            correlation=float(np.corrcoef(said, was)[0, 1]) if varies else None,
            excess=float((said - was).mean()) if is_enough else None,
            is_corrected=is_enough,
        )


def is_prediction_powered(outcomes: Outcomes) -> bool:
    """Tell whether some qualities are only judged, and enough true ones say what that is worth."""
    judgements = outcomes.judgements
    if judgements is None or not judgements.stand_in.any():
        return False
    return int(_both(outcomes.quality, judgements).sum()) >= FEW_LABELS


def _both(quality: FloatArray, judgements: Judgements) -> npt.NDArray[np.bool_]:
    """Cells that are judged and whose truth is known."""
    return np.isfinite(quality) & ~judgements.stand_in & np.isfinite(judgements.quality)


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
        return completed(values_of(outcomes.quality), codes, seed, outcomes.probability)
    true = judgements.true(outcomes.quality)
    worth = _cross_fitted(judgements.quality, true, codes, seed)
    return _corrected(values_of(worth), values_of(true), codes, seed, outcomes.probability)


def _corrected(
    worth: FloatArray, true: FloatArray, codes: IntArray, seed: int, logged: FloatArray | None
) -> FloatArray:
    """Estimate every cell from judgements of those that were asked, and correct that by those whose truth is known.

    Two phases (Neyman 1938): of all cells some were asked, of these some were labelled.

    Args:
        worth: (n_queries, n_models) what follows from judgements, NaN = not judged.
        true: the same of known qualities, NaN = not known.
        codes: (n_queries,) category of each query, -1 where it is unknown.
        seed: of the folds.
        logged: (n_queries, n_models) with which probability each cell was asked, NaN = not known.
    """
    known = np.isfinite(true)
    without = known & ~np.isfinite(worth)
    if without.any():  # known and not judged: predicted as a cell that nobody asked
        columns = known.any(axis=0)
        expected = np.full(true.shape, np.nan)
        expected[:, columns] = predictions(true[:, columns], codes, seed)
        worth = np.where(without, expected, worth)
    asked = np.isfinite(worth)
    chance = np.ones(true.shape) if asked[:, asked.any(axis=0)].all() else chances(asked, codes, logged)
    labelled = np.where(known, shares(known, asked, codes), 1.0)
    return completed(worth, codes, seed, logged) + np.where(known, (true - worth) / (chance * labelled), 0.0)


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
