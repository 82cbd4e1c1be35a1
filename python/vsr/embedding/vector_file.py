"""Vectors as a file: a .npy matrix, one row per unique query in order of first appearance."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vsr._files import replaced_file
from vsr.embedding.vectors import as_embeddings
from vsr.errors import RecordError

_NPY = b"\x93NUMPY"  # how every .npy file begins


def read_embedding_file(path: str | os.PathLike[str], n_queries: int) -> npt.NDArray[np.float32]:
    """Read ready vectors, one row per unique query in order of first appearance.

    Args:
        path: a `.npy` file of a (n_queries, dim) matrix.
        n_queries: rows that are expected.

    Raises:
        RecordError: Not there, no such file, or another number of rows.
    """
    expected = "expected a .npy matrix, as numpy.save writes it"
    try:
        with Path(path).open("rb") as file:
            is_npy = file.read(len(_NPY)) == _NPY
        array = np.load(path, allow_pickle=False, mmap_mode="r") if is_npy else None
    except FileNotFoundError as error:
        raise RecordError(f"{os.fspath(path)}: no such file; {expected}") from error
    except OSError as error:
        raise RecordError(f"{os.fspath(path)}: cannot be read ({error.strerror or error}); {expected}") from error
    except (ValueError, EOFError) as error:
        raise RecordError(f"{os.fspath(path)}: is damaged ({error}); {expected}") from error
    if array is None:
        raise RecordError(f"{os.fspath(path)}: is no NumPy file of one array; {expected}")
    if array.ndim != 2 or len(array) != n_queries:
        raise RecordError(
            f"{os.fspath(path)}: has shape {' x '.join(map(str, array.shape))}; expected {n_queries} rows, one per "
            "unique query in order of first appearance"
        )
    try:
        return as_embeddings(array)
    except RecordError as error:
        raise RecordError(f"{os.fspath(path)}: {error}") from error


def write_embedding_file(path: str | os.PathLike[str], embeddings: npt.NDArray[np.float32]) -> None:
    """Write vectors as `read_embedding_file` reads them, whole or not at all.

    Args:
        path: the `.npy` file.
        embeddings: float32 (n_queries, dim).

    Raises:
        OutputError: The file cannot be written.
    """
    with replaced_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, embeddings, allow_pickle=False)
