"""What readers of exported files do, plainly in NumPy: one file per algorithm, fields in, names of models out.

`CHOOSERS` names them by algorithm. Each takes the fields as JSON gives them, in any of the forms that are written, and
feature rows in the reader's layout.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vsr.exporting.readers.kmeans import choose_by_kmeans
from vsr.exporting.readers.knn import choose_by_knn
from vsr.exporting.readers.matrix_factorization import choose_by_matrix_factorization
from vsr.exporting.readers.mlp import choose_by_mlp
from vsr.exporting.readers.svm import choose_by_svm

Choose = Callable[[npt.NDArray[np.float64]], list[str]]

CHOOSERS: Mapping[str, Callable[[Mapping[str, Any]], Choose]] = {
    "knn": choose_by_knn,
    "kmeans": choose_by_kmeans,
    "svm": choose_by_svm,
    "mlp": choose_by_mlp,
    "matrix_factorization": choose_by_matrix_factorization,
}
"""By algorithm: the fields of a file -> feature rows (n, width) -> names of the chosen models."""
