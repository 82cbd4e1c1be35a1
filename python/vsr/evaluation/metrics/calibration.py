"""Whether predicted quality comes true."""

import numpy as np

from vsr.prior.category_means import FloatArray

_N_BINS = 10


def brier_score(predicted: FloatArray, measured: FloatArray) -> float:
    """Mean squared difference; both (n,)."""
    return float(np.square(predicted - measured).mean())


def expected_calibration_error(predicted: FloatArray, measured: FloatArray) -> float:
    """Mean distance of what is predicted and what comes true, over ten equal bins of what is predicted in [0, 1].

    Args:
        predicted: (n,) quality; what lies outside [0, 1] counts in the bin at that end.
        measured: (n,) quality.
    """
    bins = np.clip((predicted * _N_BINS).astype(np.int64), 0, _N_BINS - 1)
    differences = np.bincount(bins, weights=predicted - measured, minlength=_N_BINS)
    return float(np.abs(differences).sum() / len(predicted))


def calibration_slope(predicted: FloatArray, measured: FloatArray) -> float | None:
    """Least-squares slope of what comes true on what is predicted; None where all predictions are the same."""
    centred = predicted - predicted.mean()
    square = float(centred @ centred)
    return float(centred @ measured) / square if square > 0.0 else None
