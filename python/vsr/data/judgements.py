"""What judges said of answers, beside what is known to be true of some of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Judgements:
    """Judged qualities of a table of outcomes, and where they stand in for the truth.

    Attributes:
        quality: float64 (n_queries, n_models) in [0, 1] as judged, NaN = not judged.
        stand_in: bool (n_queries, n_models), whether the quality of the outcomes is the judged one, because nothing
            else is known of the cell.
    """

    quality: NDArray[np.float64]
    stand_in: NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.quality.shape

    def true(self, quality: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give a quality of the same shape where it is true, NaN where it is only judged."""
        return np.where(self.stand_in, np.nan, quality)

    def take(self, rows: NDArray[np.intp]) -> "Judgements":
        """Give some rows."""
        return Judgements(self.quality[rows], self.stand_in[rows])

    def with_models(self, columns: list[int]) -> "Judgements":
        """Give some columns."""
        return Judgements(self.quality[:, columns], self.stand_in[:, columns])
