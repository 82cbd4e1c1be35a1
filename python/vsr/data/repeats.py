"""Cells that were asked more than once: what the first answer was worth, and what the others were."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Repeats:
    """The draws behind averaged cells, apart enough to say what is luck of one draw.

    Attributes:
        first: float64 (n_queries, n_models), quality of each cell's first draw, NaN = none.
        others: float64 (n_queries, n_models), mean quality of its further draws, NaN = none.
    """

    first: NDArray[np.float64]
    others: NDArray[np.float64]

    @classmethod
    def of_cells(
        cls, cells: NDArray[np.int64], quality: NDArray[np.float64], shape: tuple[int, int]
    ) -> "Repeats | None":
        """Take the draws apart; None where no cell has two.

        Args:
            cells: (n_records,) number of the cell of each record, row by row.
            quality: (n_records,) NaN = none.
            shape: rows and columns.
        """
        finite = np.isfinite(quality)
        drawn, values = cells[finite], quality[finite]
        known, firsts, counts = np.unique(drawn, return_index=True, return_counts=True)
        again = counts > 1
        if not again.any():
            return None
        first, others = np.full(shape, np.nan), np.full(shape, np.nan)
        first.flat[known] = values[firsts]
        sums = np.bincount(drawn, weights=values, minlength=shape[0] * shape[1])[known]
        others.flat[known[again]] = (sums[again] - values[firsts[again]]) / (counts[again] - 1)
        return cls(first, others)

    def take(self, rows: NDArray[np.intp]) -> "Repeats":
        """Give some rows."""
        return Repeats(self.first[rows], self.others[rows])

    def with_models(self, columns: list[int]) -> "Repeats":
        """Give some columns."""
        return Repeats(self.first[:, columns], self.others[:, columns])
