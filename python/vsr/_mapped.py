"""Big matrices as files without a name, mapped: what a computation does not touch needs no memory.

A million feature rows are 3 GB. In a mapped file their pages can be given back between two passes over them
(`forget_pages`), and the system writes them out where it has no room. The files lie in the folder for temporary files
(`TMPDIR`), have no name from the start, and are gone with the array, however the process ends.
"""

import contextlib
import mmap
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

#: Matrices of more rows are mapped; below it a copy costs less than a file.
MOST_ROWS_IN_MEMORY = 50_000
#: Rows that are worked on at once.
BLOCK_ROWS = 16_384

_SOON_S = 0.05
_OWN_MAPS: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()


def empty_matrix(n_rows: int, width: int) -> npt.NDArray[np.float32]:
    """Make a float32 matrix (n_rows, width) of zeros: in memory, or mapped where it is big and the disk has room."""
    n_bytes = 4 * n_rows * width
    if n_rows > MOST_ROWS_IN_MEMORY and hasattr(os, "posix_fallocate"):
        try:
            with tempfile.TemporaryFile(prefix="vsr-") as file:
                # Reserved now: a disk that is full later would kill the process where it writes to the map.
                os.posix_fallocate(file.fileno(), 0, n_bytes)
                content = mmap.mmap(file.fileno(), n_bytes)
        except OSError:
            pass  # no room on the disk, or none of its kind: memory it is
        else:
            _OWN_MAPS.add(content)
            return np.frombuffer(content, dtype=np.float32).reshape(n_rows, width)
    return np.zeros((n_rows, width), dtype=np.float32)


def forget_pages(array: npt.NDArray[Any]) -> None:
    """Give the memory of a matrix of `empty_matrix`, or of a file mapped for reading, back; its numbers stay there.

    Nothing happens to other arrays: of a private map the changes would be lost.
    """
    base: Any = array
    is_read_only = False
    while isinstance(base, np.ndarray):
        is_read_only = isinstance(base, np.memmap) and base.mode == "r"
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    if isinstance(base, mmap.mmap) and (is_read_only or base in _OWN_MAPS) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


@contextlib.contextmanager
def forgotten_meanwhile(array: npt.NDArray[Any]) -> Iterator[None]:
    """Give the pages of a mapped matrix back while the body, which has a copy of it by then, still works.

    A copy is made while no other thread runs, so that the first moment in which this one can is behind it.
    """
    is_done = threading.Event()

    def forget() -> None:
        while not is_done.wait(_SOON_S):
            forget_pages(array)

    thread = threading.Thread(target=forget, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_done.set()
        thread.join()


def blocks(n_rows: int, size: int | None = None) -> list[slice]:
    """Cut rows into blocks of `size` (`BLOCK_ROWS` unless given) to work on one after the other."""
    size = size or BLOCK_ROWS
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]
