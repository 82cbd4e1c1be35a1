"""Gradients by finite differences, and the descent that a fit would start."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from vsr.selectors.optimization.adam import Adam, Arrays

FloatArray = npt.NDArray[np.float64]


@dataclass
class StoppedDescent:
    """Stands in for `descend`: takes no step, and keeps what it was given."""

    adam: Adam | None = None
    fill_gradients: Callable[[npt.NDArray[np.int64]], None] | None = None
    validation_error: Callable[[], float] | None = None
    n_rows: int = 0
    calls: int = field(default=0)

    def __call__(
        self,
        adam: Adam,
        n_rows: int,
        fill_gradients: Callable[[npt.NDArray[np.int64]], None],
        validation_error: Callable[[], float],
        *_: Any,
    ) -> Arrays:
        self.adam, self.n_rows = adam, n_rows
        self.fill_gradients, self.validation_error = fill_gradients, validation_error
        self.calls += 1
        return adam.snapshot()

    def gradients_of(self, batch: npt.NDArray[np.int64]) -> tuple[list[FloatArray], list[FloatArray]]:
        """Parameters as they stand, and the gradients that a batch gives."""
        assert self.adam is not None
        assert self.fill_gradients is not None
        self.fill_gradients(batch)
        widened = [part.astype(np.float64) for part in self.adam.parameters]
        return widened, [part.astype(np.float64) for part in self.adam.gradients]


def finite_differences(
    loss: Callable[[list[FloatArray]], float], parameters: list[FloatArray], step: float = 1e-5
) -> list[FloatArray]:
    """Slope of a loss along every single parameter, by central differences."""
    slopes = []
    for part in parameters:
        slope = np.zeros_like(part)
        for index in np.ndindex(part.shape):
            kept = part[index]
            part[index] = kept + step
            above = loss(parameters)
            part[index] = kept - step
            below = loss(parameters)
            part[index] = kept
            slope[index] = (above - below) / (2.0 * step)
        slopes.append(slope)
    return slopes


def cross_entropy(target: FloatArray, logits: FloatArray, weights: npt.ArrayLike = 1.0) -> float:
    """Summed over the measured cells, each times its weight, a row's mean; with the logarithms of the definition."""
    chance = 1.0 / (1.0 + np.exp(-logits))
    cells = -np.asarray(weights) * (target * np.log(chance) + (1.0 - target) * np.log(1.0 - chance))
    return float(np.where(np.isfinite(target), cells, 0.0).sum() / len(target))
