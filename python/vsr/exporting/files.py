"""What every file is made from, and what one is made of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vsr.exporting.formats import Format
from vsr.exporting.teacher import Teacher
from vsr.prior.category_means import FloatArray


@dataclass(frozen=True, eq=False)
class Assignment:
    """One file to make.

    Attributes:
        teacher: what it is to choose like.
        form: what its reader expects.
        names: what the reader calls the models, in the order of the teacher's columns.
        known: (n, n_features) float32 queries to fit on, where a selector does not know them by heart.
        features: (n, n_features) float32 points between such queries.
        max_rows: how many rows or support vectors it may have.
        generator: for everything random.
    """

    teacher: Teacher
    form: Format
    names: tuple[str, ...]
    known: npt.NDArray[np.float32]
    features: npt.NDArray[np.float32]
    max_rows: int
    generator: np.random.Generator

    def table(self, values: FloatArray) -> FloatArray:
        """Bring a table of our categories into the reader's: (14, any) -> (its categories, any)."""
        return self.form.table(values, self.teacher.counts)


@dataclass(frozen=True, eq=False)
class FileContent:
    """One file.

    Attributes:
        document: its fields, which may hold arrays.
        n_rows: rows, clusters or support vectors in it; of a network its units.
    """

    document: dict[str, Any]
    n_rows: int
