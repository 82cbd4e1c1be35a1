"""Settings compared out of fold by the centred error, and the calibration slope of what they predict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vsr.prior.category_means import FloatArray, centred_rows
from vsr.selectors.base import HeldOut

# Mean size of predicted residuals that are more than rounding errors, on which a slope of 1e14 can be fitted.
_LEAST_RESIDUAL = 1e-9


@dataclass(frozen=True)
class Chosen:
    """A setting that was chosen out of fold.

    Attributes:
        setting: the algorithm's setting.
        slope: slope of the held-out residuals on the predicted residuals, cut to what the algorithm allows.
        explained: share of the held-out centred error of the prior that the prediction takes away.
        gain: mean utility of the choices on held-out queries, less that of the choices by the prior alone.
        held_out: what it predicts out of fold.
    """

    setting: Any
    slope: float
    explained: float
    gain: float
    held_out: HeldOut


class Tally:
    """Sums per held-out query of one setting: residual x residual, residual x predicted, predicted x predicted.

    Attributes:
        predicted_residuals: of every fold, kept in single precision because there are many settings.
    """

    def __init__(self) -> None:
        self._parts: list[FloatArray] = []
        self.predicted_residuals: list[npt.NDArray[np.float32]] = []

    def add(self, residual: FloatArray, predicted_residuals: FloatArray, trust: FloatArray | None = None) -> None:
        """Take in one fold: all (n_held_out, n_models) float64, NaN = not measured; without trust all count alike."""
        observed = np.isfinite(residual)
        r = np.where(observed, residual, 0.0)
        # Both means of the centred error run over the same observed cells.
        d = np.nan_to_num(centred_rows(predicted_residuals, observed))
        self.predicted_residuals.append(predicted_residuals.astype(np.float32))
        if trust is not None:
            scale = np.sqrt(trust)
            r, d = scale * r, scale * d
        self._parts.append(np.stack([(r * r).sum(1), (r * d).sum(1), (d * d).sum(1)]))

    def sums(self) -> FloatArray:
        """(3, n_held_out) over all folds; no held-out query where no fold could be used."""
        return np.concatenate([np.zeros((3, 0)), *self._parts], axis=1)


def calibration_slope(sums: FloatArray, limit: float) -> float:
    """Least-squares slope of residuals on predicted residuals, cut to [0, limit]; 0 where these are rounding errors."""
    _, cross, square = sums.sum(axis=1)
    if square <= sums.shape[1] * _LEAST_RESIDUAL**2:
        return 0.0
    return float(np.clip(cross / square, 0.0, limit))


def simplest(errors: Sequence[FloatArray]) -> int:
    """Pick the first of the settings that is within one standard error of the best one.

    Args:
        errors: per setting, simplest first, the error of every held-out query.
    """
    best = int(np.argmin([error.sum() for error in errors]))
    for number, error in enumerate(errors[:best]):
        difference = error - errors[best]
        if difference.sum() <= math.sqrt(len(difference)) * difference.std():
            return number
    return best
