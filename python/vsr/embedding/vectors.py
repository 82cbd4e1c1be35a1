"""Checks and scaling of embedding matrices: the same for every embedder and for vectors from elsewhere."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vsr import _core
from vsr._mapped import blocks, forget_pages
from vsr.errors import RecordError


def as_embeddings(vectors: ArrayLike, *, dim: int | None = None) -> NDArray[np.float32]:
    """Check a matrix of embeddings.

    Args:
        vectors: (n, dim) numbers, one row a text.
        dim: the width that is needed, if one is.

    Returns:
        float32 (n, dim), C-order; the same array where it is that already.

    Raises:
        RecordError: It is not a matrix of numbers, has another width, or holds NaN or infinity.
    """
    array = finite_matrix(vectors, noun="embeddings")
    if dim is not None and array.shape[1] != dim:
        raise RecordError(
            f"embeddings have {array.shape[1]} dimensions; expected {dim}. "
            "Use the embedding model and width of the training"
        )
    return array


def finite_matrix(values: ArrayLike, *, noun: str) -> NDArray[np.float32]:
    """Check that values are a matrix of finite numbers.

    Args:
        values: (n, width) numbers.
        noun: what they are, in the plural, for messages.

    Returns:
        float32 (n, width), C-order; the same array where it is that already.

    Raises:
        RecordError: They are not a matrix of numbers, or hold NaN or infinity.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            array = array.astype(np.float32, casting="safe")  # refuses texts, objects, times, complex numbers
        if array.dtype != np.float32:
            with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite and is refused below
                array = array.astype(np.float32)
        array = np.ascontiguousarray(array)
    except (TypeError, ValueError) as error:
        raise RecordError(f"{noun} are no matrix of numbers ({error}); expected one row a query") from error
    if array.ndim != 2 or array.shape[1] == 0:
        raise RecordError(f"{noun} have shape {array.shape}; expected one row a query, of at least one number")
    for block in blocks(len(array)):
        finite = np.isfinite(array[block])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            raise RecordError(
                f"{noun} hold {array[block][row, column]} in row {block.start + row}, column {column}; expected finite "
                "numbers"
            )
        forget_pages(array)
    return array


def unit_rows(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring every row to unit length; a row of zeros (a text without any word) stays zero.

    Args:
        embeddings: float32 (n, dim), finite.

    Returns:
        float32 (n, dim), C-order, a new array.
    """
    return _core.unit_rows(embeddings)
